/* Has NULL where probe should be. */
#define PROBE_FUNCTION NULL
#include "fixture.h"
