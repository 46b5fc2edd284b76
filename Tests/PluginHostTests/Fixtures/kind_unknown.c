/* Is for something this host has never heard of. */
#define KIND 42
#include "fixture.h"
