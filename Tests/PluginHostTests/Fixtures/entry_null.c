/* Agrees without a table. */
#define ON_ENTRY \
  *major = 0;    \
  return SWL_OK;
#include "fixture.h"
