/* Kills the process in start, when it looked good until then. */
#include <stdlib.h>
#define ON_START abort();
#include "fixture.h"
