/* Asks the host for an ability no host has; NULL is the right answer. */
#define ON_INIT                                                                                                      \
  const void *nothing = plugin->host_table->get_interface(plugin->host, "swiftlet.host.teleport/1");                 \
  return nothing ? fail(error, SWL_INTERNAL, "the host claims it can teleport") : SWL_OK;
#include "fixture.h"
