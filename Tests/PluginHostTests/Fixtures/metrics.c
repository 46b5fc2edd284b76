/* Defines and records metrics, also in the wrong place. */
#define ON_INIT                                                                                                    \
  const swl_host_metrics_t *m = plugin->host_table->get_interface(plugin->host, SWL_HOST_METRICS);                 \
  swl_string_t help = {"a number", 8}, good = {"syncs_total", 11}, bad = {"Bad-Name", 8}, time = {"seconds", 7};   \
  uint32_t first = 99, again = 99, ignored = 99, histogram = 99;                                                   \
  if (!m || m->define(plugin->host, SWL_METRIC_COUNTER, good, help, &first)) return SWL_INTERNAL;                  \
  if (m->define(plugin->host, SWL_METRIC_COUNTER, good, help, &again) || again != first) return SWL_INTERNAL;      \
  if (m->define(plugin->host, SWL_METRIC_GAUGE, good, help, &ignored) != SWL_INVALID) return SWL_INTERNAL;         \
  if (m->define(plugin->host, SWL_METRIC_GAUGE, bad, help, &ignored) != SWL_INVALID) return SWL_INTERNAL;          \
  if (m->define(plugin->host, 9, good, help, &ignored) != SWL_INVALID) return SWL_INTERNAL;                        \
  if (m->define(plugin->host, SWL_METRIC_HISTOGRAM, time, help, &histogram)) return SWL_INTERNAL;                  \
  m->record(plugin->host, first, 2);                                                                               \
  m->record(plugin->host, first, -1);                                                                              \
  m->record(plugin->host, histogram, 0.003);                                                                       \
  m->record(plugin->host, 4000000000u, 1);                                                                         \
  return SWL_OK;
#define ON_START                                                                                                   \
  const swl_host_metrics_t *m = plugin->host_table->get_interface(plugin->host, SWL_HOST_METRICS);                 \
  swl_string_t late = {"late", 4};                                                                                 \
  uint32_t id;                                                                                                     \
  return m->define(plugin->host, SWL_METRIC_GAUGE, late, late, &id) == SWL_INVALID ? SWL_OK : SWL_INTERNAL;
#include "fixture.h"
