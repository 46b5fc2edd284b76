/* Does everything right. */
#include "fixture.h"
