/* Built for another minor of version 0, which promises nothing. */
#define MINOR (SWL_ABI_MINOR + 1)
#include "fixture.h"
