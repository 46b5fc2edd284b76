/* swiftlet/ext/cgroup.h - plugin ability "swiftlet.cgroup.control/1": create, set, read, kill and remove one cgroup.
 *
 * A cgroup is named by its path below the root of the hierarchy, with "/" between names and none in front:
 * "kubepods/burstable/pod3f…". The host decides the tree and every value; the plugin translates to files.
 * A name is never empty, "." or "..", and a path that would leave the root is refused with SWL_INVALID.
 */
#ifndef SWIFTLET_EXT_CGROUP_H
#define SWIFTLET_EXT_CGROUP_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

#define SWL_CGROUP_CONTROL "swiftlet.cgroup.control/1"

/* Configuration keys the host passes to `create` of a cgroup plugin (others are refused):
 *   "mount"  directory to use instead of the mounted hierarchy; for tests
 *   "owned"  name of the topmost cgroup that is ours, default "kubepods": `cleanup` and `list_owned` look only below it */

/* Limits. Zero means "leave as it is"; SWL_CGROUP_UNLIMITED lifts a limit where that makes sense. */
#define SWL_CGROUP_UNLIMITED UINT64_MAX
typedef struct swl_cgroup_resources {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t cpu_shares;    /* 2 to 262144 as cgroup v1 counts; v2 plugins convert as the runtimes do */
  uint64_t cpu_quota_us;  /* CPU time per period, microseconds; UNLIMITED: no quota */
  uint64_t cpu_period_us; /* 1000 to 1000000; 0 with a quota: 100000 */
  uint64_t memory_bytes;  /* hard limit */
  uint64_t pids;          /* processes and threads */
} swl_cgroup_resources_t;

/* Usage now. The caller sets struct_size; what the kernel does not tell is UNLIMITED for limits and 0 for counts. */
typedef struct swl_cgroup_usage {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t cpu_ns;             /* CPU time since the cgroup exists, nanoseconds */
  uint64_t memory_bytes;       /* charged, with page cache */
  uint64_t working_set_bytes;  /* memory_bytes less inactive file cache, as kubelet reports it */
  uint64_t pids;               /* processes and threads */
  uint64_t oom_kills;          /* since the cgroup exists */
  uint64_t memory_limit_bytes; /* the limit in force here, UNLIMITED when none */
} swl_cgroup_usage_t;

typedef void (*swl_cgroup_process_fn)(void *context, int32_t pid);

/* Frozen. All functions are required and legal between start and stop. */
typedef struct swl_cgroup_control {
  /* [serial] Creates the cgroup with missing parents in every controller and sets the limits. Existing: only sets. */
  swl_status_t (*create)(swl_plugin_t *plugin, swl_string_t path, const swl_cgroup_resources_t *resources,
                         swl_error_t *error);
  /* [serial] Changes limits of an existing cgroup. SWL_NOT_FOUND when it is gone. */
  swl_status_t (*set)(swl_plugin_t *plugin, swl_string_t path, const swl_cgroup_resources_t *resources, swl_error_t *error);
  /* [serial] Reads usage; reads files, keeps nothing. SWL_NOT_FOUND when it is gone. */
  swl_status_t (*usage)(swl_plugin_t *plugin, swl_string_t path, swl_cgroup_usage_t *usage, swl_error_t *error);
  /* [serial] Names each process in the cgroup and below it, once. */
  swl_status_t (*processes)(swl_plugin_t *plugin, swl_string_t path, swl_cgroup_process_fn process, void *context,
                            swl_error_t *error);
  /* [serial] SIGKILLs every process in the cgroup and below it, also those that fork meanwhile, and returns when none is
   * left, or SWL_CANCELLED / SWL_RETRY. A cgroup that is gone is success. */
  swl_status_t (*kill)(swl_plugin_t *plugin, swl_string_t path, swl_error_t *error);
  /* [serial] Removes the cgroup and those below it. SWL_RETRY while processes are left. Gone is success. */
  swl_status_t (*remove)(swl_plugin_t *plugin, swl_string_t path, swl_error_t *error);
  /* [serial] Names the cgroups directly below `path`, as paths from the root. */
  swl_status_t (*children)(swl_plugin_t *plugin, swl_string_t path, swl_name_sink_fn child, void *context,
                           swl_error_t *error);
} swl_cgroup_control_t;

SWL_EXTERN_C_END

#endif
