/* Watches, shows, counts and takes over, in a small way: what a sync is given decides what is damaged. */
#define MORE_ABILITIES
/* Two tests may load this library at once, which is one library all the same. */
#define ON_START \
  pthread_once(&once, open_ends); \
  return ends[1] != 0 ? SWL_OK : SWL_RETRY;
/* Somebody else changes the rules right after each sync. */
#define ON_SYNC return write(ends[1], "!", 1) == 1 ? SWL_OK : SWL_INTERNAL;
#include <pthread.h>
#include <unistd.h>
static int ends[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void open_ends(void) {
  if (pipe(ends) != 0) ends[1] = 0;
}
#include "fixture.h"

static void emit(swl_name_sink_fn sink, void *context, const char *text) {
  swl_string_t line = {text, strlen(text)};
  sink(context, line);
}
static int32_t watched(UNUSED swl_plugin_t *plugin) { return ends[0]; }
static swl_status_t examine(UNUSED swl_plugin_t *plugin, int32_t thorough, swl_name_sink_fn damage, void *context,
                            UNUSED swl_error_t *error) {
  char byte;
  if (!thorough && read(ends[0], &byte, 1) != 1) return SWL_INTERNAL;
  emit(damage, context, thorough ? "an element is missing" : "the table is gone");
  return SWL_OK;
}
static const swl_proxy_watch_t watch_table = {watched, examine};

static int known(swl_string_t key) { return key.length == 0 || (key.length == 5 && memcmp(key.data, "known", 5) == 0); }
static swl_status_t explain(UNUSED swl_plugin_t *plugin, swl_string_t key, swl_name_sink_fn line, void *context, swl_error_t *error) {
  if (!known(key)) return fail(error, SWL_NOT_FOUND, "no such key");
  emit(line, context, "element 10.96.0.1");
  return SWL_OK;
}
static swl_status_t counters(UNUSED swl_plugin_t *plugin, swl_string_t key, swl_proxy_counters_fn sink, void *context,
                             swl_error_t *error) {
  if (!known(key)) return fail(error, SWL_NOT_FOUND, "no such key");
  swl_string_t name = {"known", 5};
  swl_proxy_counters_t full = {sizeof full, 0, 7, SWL_PROXY_NOT_COUNTED, SWL_PROXY_NOT_COUNTED, 2, 0};
  /* As an older plugin: it knows of connections only. */
  swl_proxy_counters_t old = {16, 0, 9, 1, 1, 1, 1};
  swl_string_t second = {"old", 3};
  sink(context, name, &full);
  if (key.length == 0) sink(context, second, &old);
  return SWL_OK;
}
static swl_status_t plan(UNUSED swl_plugin_t *plugin, const swl_proxy_batch_t *batch, swl_name_sink_fn line, void *context,
                         UNUSED swl_error_t *error) {
  for (uint64_t i = 0; i < batch->upsert_count; i++) {
    const swl_proxy_service_t *service = (const void *)((const char *)batch->upserts + i * batch->upsert_stride);
    char text[128];
    snprintf(text, sizeof text, "%llu front ends, flags %llu, %llu ranges, the first /%u", (unsigned long long)service->frontend_count,
             (unsigned long long)service->frontends[0].flags, (unsigned long long)service->source_range_count,
             service->source_range_count ? service->source_ranges[0].prefix : 0);
    emit(line, context, text);
  }
  return SWL_OK;
}
static const swl_proxy_inspect_t inspect_table = {explain, counters, plan};

static swl_status_t found(UNUSED swl_plugin_t *plugin, swl_name_sink_fn sink, void *context, UNUSED swl_error_t *error) {
  emit(sink, context, "table ip kube-proxy");
  return SWL_OK;
}
static const swl_proxy_takeover_t takeover_table = {found, found};

static const void *more(const char *ability) {
  if (strcmp(ability, SWL_PROXY_WATCH) == 0) return &watch_table;
  if (strcmp(ability, SWL_PROXY_INSPECT) == 0) return &inspect_table;
  if (strcmp(ability, SWL_PROXY_TAKEOVER) == 0) return &takeover_table;
  return NULL;
}
