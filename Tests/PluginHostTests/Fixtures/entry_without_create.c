/* Has no way to make an instance. */
#define ON_ENTRY                                         \
  static const swl_entry_t half = {descriptor, NULL};    \
  *major = 0;                                            \
  *entry = &half;                                        \
  return SWL_OK;
#include "fixture.h"
