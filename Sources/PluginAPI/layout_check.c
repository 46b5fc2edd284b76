/* The layout of the ABI, held at compile time: a change of any number here is a change of the ABI. */
#include <stddef.h>

#include "swiftlet/swiftlet.h"

_Static_assert(sizeof(void *) == 8, "the ABI is defined for 64-bit machines");

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")

SIZE(swl_string_t, 16);
AT(swl_string_t, length, 8);
SIZE(swl_pair_t, 32);
AT(swl_pair_t, value, 16);
SIZE(swl_error_t, 1040);
AT(swl_error_t, status, 4);
AT(swl_error_t, os_errno, 8);
AT(swl_error_t, message, 16);
SIZE(swl_address_t, 24);
AT(swl_address_t, family, 16);
AT(swl_address_t, prefix, 17);

SIZE(swl_descriptor_t, 64);
AT(swl_descriptor_t, kind, 4);
AT(swl_descriptor_t, name, 8);
AT(swl_descriptor_t, version, 16);
AT(swl_descriptor_t, vendor, 24);
AT(swl_descriptor_t, summary, 32);
AT(swl_descriptor_t, runtime, 40);
AT(swl_descriptor_t, commit, 48);
AT(swl_descriptor_t, abi_major, 56);
AT(swl_descriptor_t, abi_minor, 60);

SIZE(swl_entry_t, 16);
AT(swl_entry_t, create, 8);
SIZE(swl_host_table_t, 24);
AT(swl_host_table_t, cancelled, 8);
AT(swl_host_table_t, request_callback, 16);
SIZE(swl_plugin_table_t, 72);
AT(swl_plugin_table_t, init, 8);
AT(swl_plugin_table_t, probe, 16);
AT(swl_plugin_table_t, start, 24);
AT(swl_plugin_table_t, stop, 32);
AT(swl_plugin_table_t, cleanup, 40);
AT(swl_plugin_table_t, list_owned, 48);
AT(swl_plugin_table_t, on_callback, 56);
AT(swl_plugin_table_t, destroy, 64);
SIZE(swl_host_log_t, 16);
AT(swl_host_log_t, log, 8);
SIZE(swl_host_metrics_t, 16);
AT(swl_host_metrics_t, record, 8);

SIZE(swl_proxy_frontend_t, 64);
AT(swl_proxy_frontend_t, kind, 4);
AT(swl_proxy_frontend_t, address, 8);
AT(swl_proxy_frontend_t, port, 32);
AT(swl_proxy_frontend_t, masquerade, 36);
AT(swl_proxy_frontend_t, selection, 40);
AT(swl_proxy_frontend_t, when_empty, 44);
AT(swl_proxy_frontend_t, flags, 56);
SIZE(swl_proxy_endpoint_t, 40);
AT(swl_proxy_endpoint_t, port, 4);
AT(swl_proxy_endpoint_t, flags, 8);
AT(swl_proxy_endpoint_t, address, 16);
SIZE(swl_proxy_service_t, 96);
AT(swl_proxy_service_t, family, 4);
AT(swl_proxy_service_t, protocol, 5);
AT(swl_proxy_service_t, key, 8);
AT(swl_proxy_service_t, frontends, 24);
AT(swl_proxy_service_t, frontend_count, 32);
AT(swl_proxy_service_t, frontend_stride, 40);
AT(swl_proxy_service_t, endpoints, 48);
AT(swl_proxy_service_t, endpoint_count, 56);
AT(swl_proxy_service_t, endpoint_stride, 64);
AT(swl_proxy_service_t, affinity_seconds, 72);
AT(swl_proxy_service_t, source_ranges, 80);
AT(swl_proxy_service_t, source_range_count, 88);
SIZE(swl_proxy_batch_t, 80);
AT(swl_proxy_batch_t, flags, 8);
AT(swl_proxy_batch_t, generation, 16);
AT(swl_proxy_batch_t, upserts, 24);
AT(swl_proxy_batch_t, upsert_count, 32);
AT(swl_proxy_batch_t, upsert_stride, 40);
AT(swl_proxy_batch_t, removals, 48);
AT(swl_proxy_batch_t, removal_count, 56);
AT(swl_proxy_batch_t, health_check_ports, 64);
AT(swl_proxy_batch_t, health_check_port_count, 72);
SIZE(swl_proxy_sync_t, 8);
SIZE(swl_proxy_watch_t, 16);
AT(swl_proxy_watch_t, examine, 8);
SIZE(swl_proxy_counters_t, 48);
AT(swl_proxy_counters_t, connections, 8);
AT(swl_proxy_counters_t, packets, 16);
AT(swl_proxy_counters_t, bytes, 24);
AT(swl_proxy_counters_t, no_endpoint, 32);
AT(swl_proxy_counters_t, source_refused, 40);
SIZE(swl_proxy_inspect_t, 24);
AT(swl_proxy_inspect_t, counters, 8);
AT(swl_proxy_inspect_t, plan, 16);
SIZE(swl_proxy_takeover_t, 16);
AT(swl_proxy_takeover_t, remove, 8);

SIZE(swl_cgroup_resources_t, 48);
AT(swl_cgroup_resources_t, cpu_shares, 8);
AT(swl_cgroup_resources_t, cpu_quota_us, 16);
AT(swl_cgroup_resources_t, cpu_period_us, 24);
AT(swl_cgroup_resources_t, memory_bytes, 32);
AT(swl_cgroup_resources_t, pids, 40);
SIZE(swl_cgroup_usage_t, 56);
AT(swl_cgroup_usage_t, cpu_ns, 8);
AT(swl_cgroup_usage_t, memory_bytes, 16);
AT(swl_cgroup_usage_t, working_set_bytes, 24);
AT(swl_cgroup_usage_t, pids, 32);
AT(swl_cgroup_usage_t, oom_kills, 40);
AT(swl_cgroup_usage_t, memory_limit_bytes, 48);
SIZE(swl_cgroup_control_t, 56);
