/* Needs a function nobody has. */
void swl_fixture_nobody_has_this(void);
#define ON_PROBE                 \
  swl_fixture_nobody_has_this(); \
  return SWL_OK;
#include "fixture.h"
