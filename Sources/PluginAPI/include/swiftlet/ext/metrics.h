/* swiftlet/ext/metrics.h - host ability "swiftlet.host.metrics/1": numbers of the plugin in the host's metrics. */
#ifndef SWIFTLET_EXT_METRICS_H
#define SWIFTLET_EXT_METRICS_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

#define SWL_HOST_METRICS "swiftlet.host.metrics/1"

typedef int32_t swl_metric_kind_t;
#define SWL_METRIC_COUNTER 1   /* only grows: add */
#define SWL_METRIC_GAUGE 2     /* last value counts: set */
#define SWL_METRIC_HISTOGRAM 3 /* observe */

/* Frozen. */
typedef struct swl_host_metrics {
  /* [during init] Defines a metric; the host prefixes and owns the final name. Names match [a-z][a-z0-9_]*. The number to
   * use from then on comes out in `*id`. SWL_INVALID: a bad name or kind, or one defined twice differently. */
  swl_status_t (*define)(swl_host_t *host, swl_metric_kind_t kind, swl_string_t name, swl_string_t help, uint32_t *id);
  /* [any] Add to a counter, set a gauge, or observe into a histogram. An unknown id is ignored. */
  void (*record)(swl_host_t *host, uint32_t id, double value);
} swl_host_metrics_t;

SWL_EXTERN_C_END

#endif
