/* swiftlet/host.h - what the host offers a plugin. Host services come only through this table; nothing is found by
 * dlsym. */
#ifndef SWIFTLET_HOST_H
#define SWIFTLET_HOST_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

/* Frozen. */
typedef struct swl_host_table {
  /* [any] A table of the host by ability id ("swiftlet.host.log/1", see ext/log.h and ext/metrics.h), or NULL when this
   * host has no such ability; NULL is a normal answer. Valid until the process ends. */
  const void *(*get_interface)(swl_host_t *host, const char *ability);
  /* [any] 1 when the call in progress should end soon: its deadline passed or the daemon stops. Long work polls it and
   * returns SWL_CANCELLED, leaving the last complete state in place. */
  int32_t (*cancelled)(swl_host_t *host);
  /* [any] Asks for one `on_callback` on the plugin's thread, soon; requests made before it runs fall together. It is
   * dropped when the instance is gone. The only way for a plugin's own threads to get work done. */
  void (*request_callback)(swl_host_t *host);
} swl_host_table_t;

SWL_EXTERN_C_END

#endif
