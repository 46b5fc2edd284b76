/* Calls the host before it may. */
#define ON_CREATE                                                                                             \
  if (host_table->get_interface(host, SWL_HOST_LOG)) return fail(error, SWL_INTERNAL, "the host answered");
#include "fixture.h"
