/* Asks for a callback three times before it can run, and says when it came. */
#define ON_START                                            \
  plugin->host_table->request_callback(plugin->host);       \
  plugin->host_table->request_callback(plugin->host);       \
  plugin->host_table->request_callback(plugin->host);       \
  return SWL_OK;
#define ON_CALLBACK own(plugin, "callback");
#include "fixture.h"
