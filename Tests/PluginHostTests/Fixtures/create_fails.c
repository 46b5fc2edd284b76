/* Refuses its configuration. */
#define ON_CREATE return fail(error, SWL_INVALID, "unknown configuration key colour");
#include "fixture.h"
