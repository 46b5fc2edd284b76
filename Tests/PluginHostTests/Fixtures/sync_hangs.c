/* A sync that ends only when the host cancels. */
#include <unistd.h>
#define ON_SYNC                                                                                 \
  if (batch->generation != 1) return SWL_OK;                                                    \
  say(plugin, SWL_LOG_INFO, "sync has begun");                                                  \
  while (!plugin->host_table->cancelled(plugin->host)) usleep(500);                             \
  return fail(error, SWL_CANCELLED, "gave up");
#include "fixture.h"
