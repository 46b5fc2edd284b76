/* Has no name. */
#define NAME NULL
#include "fixture.h"
