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
 *   "masquerade-bit"      0 to 31, the bit of the packet mark that asks for masquerading; default 14 as kube-proxy
 *   "cluster-cidrs"       networks of pods, comma separated; traffic to a FROM_OUTSIDE front end from any other source is masqueraded;
 *                         empty: the source is not looked at
 *   "nodeport-cidrs"      node addresses that answer on node ports, comma separated networks; empty: every local address
 *                         but loopback */

/* Where clients knock. */
typedef int32_t swl_proxy_frontend_kind_t;
#define SWL_PROXY_CLUSTER_IP 1
#define SWL_PROXY_NODE_PORT 2     /* address.family set, bytes zero: every address node ports answer on */
#define SWL_PROXY_EXTERNAL_IP 3
#define SWL_PROXY_LOAD_BALANCER 4

/* When the source address is replaced by the node's. Hairpin connections (a pod to itself) are always masqueraded. */
typedef int32_t swl_proxy_masquerade_t;
#define SWL_PROXY_MASQUERADE_HAIRPIN 0      /* only those */
#define SWL_PROXY_MASQUERADE_FROM_OUTSIDE 1 /* and sources outside of "cluster-cidrs" */
#define SWL_PROXY_MASQUERADE_ALWAYS 2

/* Which endpoints answer at a front end. */
typedef int32_t swl_proxy_selection_t;
#define SWL_PROXY_SELECT_CLUSTER 1 /* those with SWL_PROXY_ENDPOINT_CLUSTER */
#define SWL_PROXY_SELECT_LOCAL 2   /* those with SWL_PROXY_ENDPOINT_LOCAL */

/* What a new connection meets when no endpoint is selected. */
typedef int32_t swl_proxy_empty_t;
#define SWL_PROXY_EMPTY_REFUSE 1 /* TCP reset, else ICMP port unreachable, at once */
#define SWL_PROXY_EMPTY_DROP 2   /* silence: another node may have the endpoints */

typedef struct swl_proxy_frontend {
  uint32_t struct_size;
  swl_proxy_frontend_kind_t kind;
  swl_address_t address;
  uint16_t port; /* 1 to 65535 */
  uint16_t reserved;
  swl_proxy_masquerade_t masquerade;
  swl_proxy_selection_t selection;
  swl_proxy_empty_t when_empty;
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
  uint32_t affinity_seconds; /* 0: none; else a client's connections stay at one endpoint for this long */
  uint32_t reserved2;
} swl_proxy_service_t;

/* A full load begins with RESET and ends with COMPLETE; the batches between carry neither, a small one carries both. After
 * COMPLETE whatever the load did not mention is gone from the kernel; before it nothing is removed. A batch with neither
 * flag outside of a full load is incremental. Every batch is atomic to traffic: what exists before and after is never
 * missing in between. Nothing may be half applied: on failure the previous state keeps working. */
#define SWL_PROXY_BATCH_RESET 1ull
#define SWL_PROXY_BATCH_COMPLETE 2ull

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

SWL_EXTERN_C_END

#endif
