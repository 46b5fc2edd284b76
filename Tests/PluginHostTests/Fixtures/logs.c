/* Logs at every level, and at one nobody knows. */
#define ON_START                                                  \
  say(plugin, SWL_LOG_DEBUG, "a detail");                         \
  say(plugin, SWL_LOG_INFO, "news\nin two lines");                \
  say(plugin, SWL_LOG_WARNING, "a warning");                      \
  say(plugin, SWL_LOG_HOST_MISBEHAVING, "the host was late");     \
  say(plugin, 77, "what is this");                                \
  return SWL_OK;
#include "fixture.h"
