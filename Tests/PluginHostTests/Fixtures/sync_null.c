/* Has NULL where sync should be. */
#define SYNC_FUNCTION NULL
#include "fixture.h"
