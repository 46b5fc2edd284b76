/* A cgroup backend that reports fixed numbers. */
#define KIND SWL_KIND_CGROUP
#define ON_CGROUP                                                                                                          \
  char line[200];                                                                                                          \
  snprintf(line, sizeof line, "%.*s shares=%llu quota=%llu period=%llu memory=%llu pids=%llu size=%u", (int)path.length,   \
           path.data, (unsigned long long)resources->cpu_shares, (unsigned long long)resources->cpu_quota_us,              \
           (unsigned long long)resources->cpu_period_us, (unsigned long long)resources->memory_bytes,                      \
           (unsigned long long)resources->pids, resources->struct_size);                                                   \
  own(plugin, line);                                                                                                       \
  return SWL_OK;
#define ON_USAGE                                                                                                           \
  if (path.length == 4) return SWL_NOT_FOUND;                                                                              \
  usage->cpu_ns = 1;                                                                                                       \
  usage->memory_bytes = 2;                                                                                                 \
  usage->working_set_bytes = 3;                                                                                            \
  usage->pids = 4;                                                                                                         \
  usage->oom_kills = 5;                                                                                                    \
  usage->memory_limit_bytes = SWL_CGROUP_UNLIMITED;                                                                        \
  return SWL_OK;
#include "fixture.h"
