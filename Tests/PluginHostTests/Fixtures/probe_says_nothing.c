/* Fails without a word. */
#define ON_PROBE return SWL_DENIED;
#include "fixture.h"
