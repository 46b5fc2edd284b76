/* Agrees without saying to which version. */
#define ON_ENTRY         \
  *entry = &entry_table; \
  return SWL_OK;
#include "fixture.h"
