/* logging.c - a complete proxy backend that changes nothing: it logs what a real one would program.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   cc -std=c11 -Wall -Wextra -shared -fPIC -fvisibility=hidden -I Sources/PluginAPI/include \
 *      -o libswiftlet_logging.so Examples/Plugins/logging.c
 *   swiftlet run --proxy-mode=/abs/path/libswiftlet_logging.so
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swiftlet/swiftlet.h"

/* One instance. The ABI leaves its contents to us. */
struct swl_plugin {
  const swl_host_table_t *host_table;
  swl_host_t *host;
  const swl_host_log_t *log;         /* NULL: this host has no log */
  const swl_host_metrics_t *metrics; /* NULL: this host keeps no metrics */
  uint32_t batches;                  /* number of our metric */
  uint64_t services;                 /* upserts seen */
};

static swl_status_t fail(swl_error_t *error, swl_status_t status, const char *what, swl_string_t object) {
  if (error && error->struct_size >= sizeof *error) {
    error->status = status;
    snprintf(error->message, sizeof error->message, "%s %.*s", what, (int)object.length, object.data);
  }
  return status;
}

static int is(swl_string_t text, const char *word) {
  return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static void say(swl_plugin_t *plugin, const char *message, swl_string_t key) {
  if (!plugin->log || !plugin->log->enabled(plugin->host, SWL_LOG_INFO)) return;
  swl_string_t text = {message, strlen(message)};
  swl_pair_t value = {{"service", 7}, key};
  plugin->log->log(plugin->host, SWL_LOG_INFO, text, &value, 1);
}

/* Host services are asked for here, not in create: the host may not be called before init. */
static swl_status_t init(swl_plugin_t *plugin, swl_error_t *error) {
  plugin->log = plugin->host_table->get_interface(plugin->host, SWL_HOST_LOG);
  plugin->metrics = plugin->host_table->get_interface(plugin->host, SWL_HOST_METRICS);
  swl_string_t name = {"batches_total", 13}, help = {"batches logged", 14};
  if (plugin->metrics && plugin->metrics->define(plugin->host, SWL_METRIC_COUNTER, name, help, &plugin->batches) != SWL_OK)
    return fail(error, SWL_INTERNAL, "cannot define the metric", name);
  return SWL_OK;
}

/* Works everywhere. A real backend asks the kernel, and says in the message what is missing and how to get it. */
static swl_status_t probe(swl_plugin_t *plugin, swl_error_t *error) {
  (void)plugin, (void)error;
  return SWL_OK;
}

static swl_status_t start(swl_plugin_t *plugin, swl_error_t *error) {
  (void)error;
  plugin->services = 0;
  return SWL_OK;
}

static void stop(swl_plugin_t *plugin) { (void)plugin; }

/* Nothing of ours is in the kernel, so there is nothing to remove and nothing to list. */
static swl_status_t cleanup(swl_plugin_t *plugin, swl_name_sink_fn removed, void *context, swl_error_t *error) {
  (void)plugin, (void)removed, (void)context, (void)error;
  return SWL_OK;
}

static swl_status_t list_owned(swl_plugin_t *plugin, swl_name_sink_fn owned, void *context, swl_error_t *error) {
  (void)plugin, (void)owned, (void)context, (void)error;
  return SWL_OK;
}

static void on_callback(swl_plugin_t *plugin) { (void)plugin; }

static void destroy(swl_plugin_t *plugin) { free(plugin); }

static swl_status_t sync_batch(swl_plugin_t *plugin, const swl_proxy_batch_t *batch, swl_proxy_failure_fn failed, void *context,
                               swl_error_t *error) {
  (void)failed, (void)context;
  swl_string_t none = {NULL, 0};
  if (batch->flags & SWL_PROXY_BATCH_RESET) say(plugin, "a full load begins", none);
  for (uint64_t i = 0; i < batch->upsert_count; i++) {
    /* The host's struct may be larger than ours: step by its stride, not by sizeof. */
    const swl_proxy_service_t *service = (const void *)((const char *)batch->upserts + i * batch->upsert_stride);
    if (plugin->host_table->cancelled(plugin->host)) return fail(error, SWL_CANCELLED, "stopped before", service->key);
    say(plugin, service->endpoint_count ? "would program" : "would refuse", service->key);
    plugin->services++;
  }
  for (uint64_t i = 0; i < batch->removal_count; i++) say(plugin, "would remove", batch->removals[i]);
  if (batch->flags & SWL_PROXY_BATCH_COMPLETE) say(plugin, "the full load is complete", none);
  if (plugin->metrics) plugin->metrics->record(plugin->host, plugin->batches, 1);
  return SWL_OK;
}

static const void *get_interface(swl_plugin_t *plugin, const char *ability) {
  static const swl_proxy_sync_t proxy = {sync_batch};
  (void)plugin;
  return strcmp(ability, SWL_PROXY_SYNC) == 0 ? &proxy : NULL;
}

static swl_status_t create(const swl_host_table_t *host_table, swl_host_t *host, const swl_pair_t *configuration,
                           uint64_t configuration_count, const swl_plugin_table_t **plugin_table, swl_plugin_t **plugin,
                           swl_error_t *error) {
  static const swl_plugin_table_t table = {get_interface, init,       probe,       start,  stop,
                                           cleanup,       list_owned, on_callback, destroy};
  for (uint64_t i = 0; i < configuration_count; i++) {
    swl_string_t key = configuration[i].key;
    if (!is(key, "masquerade-bit") && !is(key, "cluster-cidrs") && !is(key, "nodeport-cidrs"))
      return fail(error, SWL_INVALID, "unknown configuration key", key);
  }
  swl_plugin_t *it = calloc(1, sizeof *it);
  if (!it) return fail(error, SWL_INTERNAL, "out of memory", (swl_string_t){NULL, 0});
  it->host_table = host_table;
  it->host = host;
  *plugin_table = &table;
  *plugin = it;
  return SWL_OK;
}

static const swl_descriptor_t *descriptor(void) {
  static const swl_descriptor_t it = {
      sizeof it, SWL_KIND_PROXY, "logging", "1.0", "Swiftlet", "logs Services instead of programming them",
      "none",    "",             SWL_ABI_MAJOR, SWL_ABI_MINOR};
  return &it;
}

/* The one symbol that leaves the library. */
__attribute__((visibility("default"))) swl_status_t swiftlet_entry_logging(uint32_t host_major_min, uint32_t host_major_max,
                                                                           uint32_t *major, const swl_entry_t **entry) {
  static const swl_entry_t table = {descriptor, create};
  if (host_major_min > SWL_ABI_MAJOR || host_major_max < SWL_ABI_MAJOR) return SWL_INCOMPATIBLE;
  *major = SWL_ABI_MAJOR;
  *entry = &table;
  return SWL_OK;
}
