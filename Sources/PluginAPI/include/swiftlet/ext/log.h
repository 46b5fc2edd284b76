/* swiftlet/ext/log.h - host ability "swiftlet.host.log/1": structured log records. */
#ifndef SWIFTLET_EXT_LOG_H
#define SWIFTLET_EXT_LOG_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

#define SWL_HOST_LOG "swiftlet.host.log/1"

typedef int32_t swl_log_level_t;
#define SWL_LOG_DEBUG 1
#define SWL_LOG_INFO 2
#define SWL_LOG_WARNING 3
#define SWL_LOG_ERROR 4
/* So that the blame stands in the record: the other side broke a rule of this ABI. */
#define SWL_LOG_HOST_MISBEHAVING 5
#define SWL_LOG_PLUGIN_MISBEHAVING 6

/* Frozen. */
typedef struct swl_host_log {
  /* [any] 1 when a record of this level would be kept; ask before building an expensive one. */
  int32_t (*enabled)(swl_host_t *host, swl_log_level_t level);
  /* [any] One record. The host copies everything before it returns. */
  void (*log)(swl_host_t *host, swl_log_level_t level, swl_string_t message, const swl_pair_t *values, uint64_t value_count);
} swl_host_log_t;

SWL_EXTERN_C_END

#endif
