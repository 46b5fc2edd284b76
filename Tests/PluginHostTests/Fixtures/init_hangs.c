/* Never comes back from init unless the host cancels. */
#include <unistd.h>
#define ON_INIT                                                                    \
  say(plugin, SWL_LOG_INFO, "init has begun");                                     \
  while (!plugin->host_table->cancelled(plugin->host)) usleep(500);                \
  return SWL_CANCELLED;
#include "fixture.h"
