/* swiftlet/ext/proxy.h - plugin ability "swiftlet.proxy.sync/1": make the kernel agree with resolved Services.
 *
 * A backend never decides. The host has resolved readiness, topology, policies, affinity and addresses for this node; what
 * arrives is what the kernel must do. The unit is the service port: one port of one Service in one IP family.
 */
#ifndef SWIFTLET_EXT_PROXY_H
#define SWIFTLET_EXT_PROXY_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

#define SWL_PROXY_SYNC "swiftlet.proxy.sync/1"

/* Configuration keys the host passes to `create` of a proxy plugin (others are refused):
 *   "masquerade-bit"       0 to 31, the bit of the packet mark that asks for masquerading; default 14 as kube-proxy
 *   "cluster-cidrs"        networks of pods, comma separated; a source outside of them is not a pod of this node
 *   "pod-interface"        instead: the bridge the pods of this node are behind; what arrives elsewhere is not from a pod
 *   "pod-interface-prefix" instead: how the names of the interfaces begin that the pods of this node are behind
 *                          None of the three: pods are not told from others. SWL_PROXY_MASQUERADE_FROM_OUTSIDE then is
 *                          SWL_PROXY_MASQUERADE_HAIRPIN, and SWL_PROXY_FRONTEND_NEAR only knows the node itself.
 *   "nodeport-cidrs"       node addresses that answer on node ports, comma separated networks; empty: every local address
 *                          but loopback. A family without a network here has no node ports; 0.0.0.0/0 and ::/0 mean
 *                          the same as empty, for their family.
 *   "localhost-nodeports"  "true": node ports answer on 127.0.0.1 too, where the backend can (SWL_UNSUPPORTED from `create`
 *                          where it cannot)
 *   "service-cidrs"        ranges of cluster addresses: what goes to an address or port in them that no front end holds is
 *                          refused
 *   "drop-invalid"         "true" (default): forwarded packets conntrack calls invalid are dropped, lest a late packet of a
 *                          closed connection resets a living one (kubernetes/kubernetes#74839); "false" where conntrack is
 *                          liberal, and in the mode "nftables" where Linux, since 6.1, translates late packets by itself
 * Keys of one backend (only the bundled "ipvs" knows these): "scheduler", "strict-arp", "exclude-cidrs", "tcp-timeout",
 * "tcpfin-timeout", "udp-timeout" (seconds). */

/* Where clients knock. */
typedef int32_t swl_proxy_frontend_kind_t;
#define SWL_PROXY_CLUSTER_IP 1
#define SWL_PROXY_NODE_PORT 2     /* address.family set, bytes zero: every address node ports answer on */
#define SWL_PROXY_EXTERNAL_IP 3
#define SWL_PROXY_LOAD_BALANCER 4

/* When the source address is replaced by the node's. Hairpin connections (a pod to itself) are always masqueraded. */
typedef int32_t swl_proxy_masquerade_t;
#define SWL_PROXY_MASQUERADE_HAIRPIN 0      /* only those */
#define SWL_PROXY_MASQUERADE_FROM_OUTSIDE 1 /* and sources that are no pod of this node ("cluster-cidrs", "pod-interface…") */
#define SWL_PROXY_MASQUERADE_ALWAYS 2

/* Which endpoints answer at a front end. */
typedef int32_t swl_proxy_selection_t;
#define SWL_PROXY_SELECT_CLUSTER 1 /* those with SWL_PROXY_ENDPOINT_CLUSTER */
#define SWL_PROXY_SELECT_LOCAL 2   /* those with SWL_PROXY_ENDPOINT_LOCAL */

/* What a new connection meets when no endpoint is selected. */
typedef int32_t swl_proxy_empty_t;
#define SWL_PROXY_EMPTY_REFUSE 1 /* TCP reset, else ICMP port unreachable, at once */
#define SWL_PROXY_EMPTY_DROP 2   /* silence: another node may have the endpoints */

/* Clients that are near, that is the node itself and the pods of this node, select as SWL_PROXY_SELECT_CLUSTER whatever `selection`
 * says; the node itself is masqueraded then. When there are none they meet `when_empty`, or are refused where the backend cannot tell
 * them from others that are dropped. So a Service that keeps outside traffic local (externalTrafficPolicy: Local) still answers inside
 * of the cluster at its external addresses. */
#define SWL_PROXY_FRONTEND_NEAR 1ull
/* Only sources in `source_ranges` of the service port are served, the others dropped; with no range everybody is. */
#define SWL_PROXY_FRONTEND_SOURCE_RANGES 2ull

typedef struct swl_proxy_frontend {
  uint32_t struct_size;
  swl_proxy_frontend_kind_t kind;
  swl_address_t address;
  uint16_t port; /* 1 to 65535 */
  uint16_t reserved;
  swl_proxy_masquerade_t masquerade;
  swl_proxy_selection_t selection;
  swl_proxy_empty_t when_empty;
  uint32_t reserved2;
  uint64_t flags; /* SWL_PROXY_FRONTEND_… */
} swl_proxy_frontend_t;

#define SWL_PROXY_ENDPOINT_CLUSTER 1ull /* answers at front ends that select the cluster's endpoints */
#define SWL_PROXY_ENDPOINT_LOCAL 2ull   /* answers at front ends that select local endpoints */
#define SWL_PROXY_ENDPOINT_ON_NODE 4ull /* runs on this node: hairpin is possible */

typedef struct swl_proxy_endpoint {
  uint32_t struct_size;
  uint16_t port; /* 1 to 65535 */
  uint16_t reserved;
  uint64_t flags;
  swl_address_t address;
} swl_proxy_endpoint_t;

/* One service port. `key` ("namespace/name:port/TCP/4") names it for removals and reports and is unique in the node.
 * No two service ports hold the same front end: the host has settled conflicts. Arrays may have a stride above their
 * struct's size. */
typedef struct swl_proxy_service {
  uint32_t struct_size;
  uint8_t family;   /* 4 or 6 */
  uint8_t protocol; /* IPPROTO_TCP 6, IPPROTO_UDP 17, IPPROTO_SCTP 132 */
  uint16_t reserved;
  swl_string_t key;
  const swl_proxy_frontend_t *frontends;
  uint64_t frontend_count;
  uint64_t frontend_stride; /* bytes */
  const swl_proxy_endpoint_t *endpoints;
  uint64_t endpoint_count;
  uint64_t endpoint_stride; /* bytes */
  uint32_t affinity_seconds; /* 0: none; else a client's connections stay at one endpoint until it made none for this long */
  uint32_t reserved2;
  const swl_address_t *source_ranges; /* networks of the service port's family, sorted, disjoint; for front ends that ask for them */
  uint64_t source_range_count;
} swl_proxy_service_t;

/* A full load begins with RESET and ends with COMPLETE; the batches between carry neither, a small one carries both. After
 * COMPLETE whatever the load did not mention is gone from the kernel; before it nothing is removed. A batch with neither
 * flag outside of a full load is incremental. Every batch is atomic to traffic: what exists before and after is never
 * missing in between. Nothing may be half applied: on failure the previous state keeps working. */
#define SWL_PROXY_BATCH_RESET 1ull
#define SWL_PROXY_BATCH_COMPLETE 2ull
/* `health_check_ports` is meant; without it the list of before stands, and a full load that never has it leaves none. */
#define SWL_PROXY_BATCH_HEALTH_CHECK_PORTS 4ull

typedef struct swl_proxy_batch {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t flags;
  uint64_t generation; /* grows by one with each batch; named in logs and reports */
  const swl_proxy_service_t *upserts;
  uint64_t upsert_count;
  uint64_t upsert_stride; /* bytes */
  const swl_string_t *removals; /* keys; one that is not known is ignored */
  uint64_t removal_count;
  /* Since 0.3. Every TCP port on which this node answers load balancers' health checks (healthCheckNodePort), sorted, each once;
   * a complete list that replaces the former. Something else on the node listens there: a backend that can lets these ports in
   * past a firewall whose policy is to drop, any other ignores them. A batch may have nothing but this. */
  const uint16_t *health_check_ports;
  uint64_t health_check_port_count;
} swl_proxy_batch_t;

/* One service port of the batch that could not be programmed while the rest was: its previous state stands. */
typedef void (*swl_proxy_failure_fn)(void *context, swl_string_t key, const swl_error_t *reason);

/* Frozen. All functions are required. */
typedef struct swl_proxy_sync {
  /* [serial] Applies one batch and returns when the kernel has committed it. SWL_RETRY: nothing of it was applied, and the
   * host sends it again, or a full load. Legal between start and stop. */
  swl_status_t (*sync)(swl_plugin_t *plugin, const swl_proxy_batch_t *batch, swl_proxy_failure_fn failed, void *context,
                       swl_error_t *error);
} swl_proxy_sync_t;

/* Optional: the host learns when somebody else changed what the backend programmed (a firewall that reloads). Without it the
 * host only repairs with its periodic full load. */
#define SWL_PROXY_WATCH "swiftlet.proxy.watch/1"

typedef struct swl_proxy_watch {
  /* [serial] A descriptor that becomes readable when something may have happened; the host polls it, never reads it, and
   * does not close it. Valid from start to stop. -1: the kernel has no event for it; the host then calls `examine` a few
   * times a second, so that must cost next to nothing when `thorough` is 0. */
  int32_t (*descriptor)(swl_plugin_t *plugin);
  /* [serial] Takes what the descriptor has and emits one line for each damage found: "table ip swiftlet is gone". With
   * `thorough` not 0, compares everything with the kernel, events or not. The host answers damage with a full load.
   * Legal between start and stop. */
  swl_status_t (*examine)(swl_plugin_t *plugin, int32_t thorough, swl_name_sink_fn damage, void *context, swl_error_t *error);
} swl_proxy_watch_t;

/* Optional: for `swiftlet explain` and `swiftlet plan`. */
#define SWL_PROXY_INSPECT "swiftlet.proxy.inspect/1"

/* What the kernel counted for one service port since it was programmed; grows only, but for a restart of the count. A field
 * the backend has no count for is UINT64_MAX. */
#define SWL_PROXY_NOT_COUNTED UINT64_MAX
typedef struct swl_proxy_counters {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t connections;    /* new connections (first packets) sent to an endpoint */
  uint64_t packets;        /* of all its connections, both directions */
  uint64_t bytes;          /* likewise */
  uint64_t no_endpoint;    /* new connections refused or dropped since no endpoint was selected */
  uint64_t source_refused; /* new connections dropped since their source is in no source range */
} swl_proxy_counters_t;

typedef void (*swl_proxy_counters_fn)(void *context, swl_string_t key, const swl_proxy_counters_t *counters);

typedef struct swl_proxy_inspect {
  /* [serial] Emits, line by line, the objects of the kernel that serve one service port as they are in the kernel now, in the
   * words of the kernel's own tool (nft, iptables-save, ipvsadm). Legal between start and stop. SWL_NOT_FOUND: no such key. */
  swl_status_t (*explain)(swl_plugin_t *plugin, swl_string_t key, swl_name_sink_fn line, void *context, swl_error_t *error);
  /* [serial] Emits the counters of one service port, or of all when `key` is empty. Legal between start and stop. */
  swl_status_t (*counters)(swl_plugin_t *plugin, swl_string_t key, swl_proxy_counters_fn emit, void *context, swl_error_t *error);
  /* [serial] Emits, line by line, what the batch (a full load in one) would make the kernel hold, in the words of the kernel's
   * own tool. Touches nothing and needs no privilege. Legal from init on. */
  swl_status_t (*plan)(swl_plugin_t *plugin, const swl_proxy_batch_t *batch, swl_name_sink_fn line, void *context, swl_error_t *error);
} swl_proxy_inspect_t;

/* Optional: what kube-proxy left in the kernel in the mode this backend stands for. */
#define SWL_PROXY_TAKEOVER "swiftlet.proxy.takeover/1"

typedef struct swl_proxy_takeover {
  /* [serial] Emits a line for each thing found. Legal from init on. */
  swl_status_t (*list)(swl_plugin_t *plugin, swl_name_sink_fn found, void *context, swl_error_t *error);
  /* [serial] Removes it, emitting a line for each thing removed. Legal from init on; the host calls it only once the Services
   * are programmed otherwise, or nobody wants them any more. */
  swl_status_t (*remove)(swl_plugin_t *plugin, swl_name_sink_fn removed, void *context, swl_error_t *error);
} swl_proxy_takeover_t;

SWL_EXTERN_C_END

#endif
