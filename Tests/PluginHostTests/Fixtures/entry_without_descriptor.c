/* Cannot say who it is. */
#define ON_ENTRY                                  \
  static const swl_entry_t half = {NULL, create}; \
  *major = 0;                                     \
  *entry = &half;                                 \
  return SWL_OK;
#include "fixture.h"
