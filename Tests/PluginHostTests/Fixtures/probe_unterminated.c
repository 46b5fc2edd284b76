/* Fills the whole message and leaves no room for the NUL. */
#define ON_PROBE                                           \
  memset(error->message, 'x', sizeof error->message);      \
  return SWL_UNSUPPORTED;
#include "fixture.h"
