/* Has an empty version. */
#define VERSION ""
#include "fixture.h"
