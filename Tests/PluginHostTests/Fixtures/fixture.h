/* A backend that does nothing, correctly. A fixture defines the macros of what it does otherwise and includes this file;
 * FIXTURE, the plugin's name, comes from the compiler's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swiftlet/swiftlet.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

struct swl_plugin {
  const swl_host_table_t *host_table;
  swl_host_t *host;
  char owned[32][256];
  uint32_t owned_count;
  int32_t callbacks;
};

#ifndef KIND
#define KIND SWL_KIND_PROXY
#endif
#ifndef DESCRIPTOR_SIZE
#define DESCRIPTOR_SIZE sizeof(swl_descriptor_t)
#endif
#ifndef NAME
#define NAME TEXT(FIXTURE)
#endif
#ifndef VERSION
#define VERSION "1.0"
#endif
#ifndef VENDOR
#define VENDOR "Fixtures"
#endif
#ifndef SUMMARY
#define SUMMARY "a fixture"
#endif
#ifndef RUNTIME
#define RUNTIME "none"
#endif
#ifndef MINOR
#define MINOR SWL_ABI_MINOR
#endif
#ifndef ON_CREATE
#define ON_CREATE
#endif
#ifndef ON_INIT
#define ON_INIT return SWL_OK;
#endif
#ifndef ON_PROBE
#define ON_PROBE return SWL_OK;
#endif
#ifndef ON_START
#define ON_START return SWL_OK;
#endif
#ifndef ON_SYNC
#define ON_SYNC return SWL_OK;
#endif
#ifndef ON_CGROUP
#define ON_CGROUP return SWL_OK;
#endif
#ifndef ON_USAGE
#define ON_USAGE return SWL_OK;
#endif
#ifndef ON_CALLBACK
#define ON_CALLBACK plugin->callbacks++;
#endif
#ifndef PROBE_FUNCTION
#define PROBE_FUNCTION probe
#endif
#ifndef SYNC_FUNCTION
#define SYNC_FUNCTION sync_batch
#endif

#define UNUSED __attribute__((unused))

UNUSED static swl_status_t fail(swl_error_t *error, swl_status_t status, const char *message) {
  if (error) {
    error->status = status;
    snprintf(error->message, sizeof error->message, "%s", message);
  }
  return status;
}

UNUSED static void say(swl_plugin_t *plugin, swl_log_level_t level, const char *message) {
  const swl_host_log_t *log = plugin->host_table->get_interface(plugin->host, SWL_HOST_LOG);
  swl_string_t text = {message, strlen(message)};
  swl_pair_t value = {{"fixture", 7}, {TEXT(FIXTURE), sizeof(TEXT(FIXTURE)) - 1}};
  if (log && log->enabled(plugin->host, level)) log->log(plugin->host, level, text, &value, 1);
}

UNUSED static void own(swl_plugin_t *plugin, const char *name) {
  if (plugin->owned_count < 32) snprintf(plugin->owned[plugin->owned_count++], 256, "%s", name);
}

static swl_status_t init(UNUSED swl_plugin_t *plugin, UNUSED swl_error_t *error) { ON_INIT }
UNUSED static swl_status_t probe(UNUSED swl_plugin_t *plugin, UNUSED swl_error_t *error) { ON_PROBE }
static swl_status_t start(UNUSED swl_plugin_t *plugin, UNUSED swl_error_t *error) { ON_START }
static void stop(UNUSED swl_plugin_t *plugin) {}
static swl_status_t list_owned(swl_plugin_t *plugin, swl_name_sink_fn owned, void *context, UNUSED swl_error_t *error) {
  for (uint32_t i = 0; i < plugin->owned_count; i++) {
    swl_string_t name = {plugin->owned[i], strlen(plugin->owned[i])};
    owned(context, name);
  }
  return SWL_OK;
}
static swl_status_t cleanup(swl_plugin_t *plugin, swl_name_sink_fn removed, void *context, swl_error_t *error) {
  swl_status_t status = list_owned(plugin, removed, context, error);
  plugin->owned_count = 0;
  return status;
}
static void on_callback(UNUSED swl_plugin_t *plugin) { ON_CALLBACK }
static void destroy(swl_plugin_t *plugin) { free(plugin); }

UNUSED static swl_status_t sync_batch(UNUSED swl_plugin_t *plugin, UNUSED const swl_proxy_batch_t *batch,
                                      UNUSED swl_proxy_failure_fn failed, UNUSED void *context, UNUSED swl_error_t *error) {
  ON_SYNC
}
static const swl_proxy_sync_t proxy_table = {SYNC_FUNCTION};

static swl_status_t set(UNUSED swl_plugin_t *plugin, UNUSED swl_string_t path, UNUSED const swl_cgroup_resources_t *resources,
                        UNUSED swl_error_t *error) {
  ON_CGROUP
}
static swl_status_t usage(UNUSED swl_plugin_t *plugin, UNUSED swl_string_t path, UNUSED swl_cgroup_usage_t *usage,
                          UNUSED swl_error_t *error) {
  ON_USAGE
}
static swl_status_t processes(UNUSED swl_plugin_t *plugin, UNUSED swl_string_t path, swl_cgroup_process_fn process, void *context,
                              UNUSED swl_error_t *error) {
  process(context, 1);
  process(context, 4711);
  return SWL_OK;
}
static swl_status_t kill_all(UNUSED swl_plugin_t *plugin, UNUSED swl_string_t path, swl_error_t *error) {
  return fail(error, SWL_RETRY, "two processes are left");
}
static swl_status_t remove_one(UNUSED swl_plugin_t *plugin, UNUSED swl_string_t path, swl_error_t *error) {
  if (error) error->os_errno = 16;
  return fail(error, SWL_DENIED, "rmdir: Device or resource busy");
}
static swl_status_t children(UNUSED swl_plugin_t *plugin, swl_string_t path, swl_name_sink_fn child, void *context,
                             UNUSED swl_error_t *error) {
  child(context, path);
  return SWL_OK;
}
static const swl_cgroup_control_t cgroup_table = {set, set, usage, processes, kill_all, remove_one, children};

#ifdef MORE_ABILITIES
static const void *more(const char *ability);
#endif
static const void *get_interface(UNUSED swl_plugin_t *plugin, const char *ability) {
#ifdef MORE_ABILITIES
  if (more(ability)) return more(ability);
#endif
#ifndef NO_ABILITY
  if (strcmp(ability, SWL_PROXY_SYNC) == 0) return &proxy_table;
  if (strcmp(ability, SWL_CGROUP_CONTROL) == 0) return &cgroup_table;
#endif
  (void)ability;
  (void)&proxy_table;
  (void)&cgroup_table;
  return NULL;
}

static const swl_plugin_table_t plugin_table = {get_interface, init,       PROBE_FUNCTION, start,  stop,
                                                cleanup,       list_owned, on_callback,    destroy};

#ifndef OWN_DESCRIPTOR
static const swl_descriptor_t *descriptor(void) {
  static const swl_descriptor_t it = {DESCRIPTOR_SIZE, KIND,    NAME, VERSION,       VENDOR,
                                      SUMMARY,         RUNTIME, "",   SWL_ABI_MAJOR, MINOR};
  return &it;
}
#endif

UNUSED static swl_status_t create(const swl_host_table_t *host_table, swl_host_t *host,
                                  UNUSED const swl_pair_t *configuration, UNUSED uint64_t count,
                                  const swl_plugin_table_t **table, swl_plugin_t **plugin, UNUSED swl_error_t *error) {
  swl_plugin_t *it = calloc(1, sizeof *it);
  if (!it) return SWL_INTERNAL;
  it->host_table = host_table;
  it->host = host;
  *table = &plugin_table;
  *plugin = it;
  ON_CREATE
  return SWL_OK;
}

#ifndef OWN_ENTRY
static const swl_entry_t entry_table = {descriptor, create};

__attribute__((visibility("default"))) swl_status_t JOIN(swiftlet_entry_, FIXTURE)(uint32_t min, uint32_t max, uint32_t *major,
                                                                                   const swl_entry_t **entry);
swl_status_t JOIN(swiftlet_entry_, FIXTURE)(uint32_t min, uint32_t max, uint32_t *major, const swl_entry_t **entry) {
#ifdef ON_ENTRY
  ON_ENTRY
#endif
  if (min > SWL_ABI_MAJOR || max < SWL_ABI_MAJOR) return SWL_INCOMPATIBLE;
  *major = SWL_ABI_MAJOR;
  *entry = &entry_table;
  return SWL_OK;
}
#endif
