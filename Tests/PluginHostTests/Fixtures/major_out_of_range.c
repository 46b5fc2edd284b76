/* Chooses a version that was not offered. */
#define ON_ENTRY         \
  *major = 7;            \
  *entry = &entry_table; \
  return SWL_OK;
#include "fixture.h"
