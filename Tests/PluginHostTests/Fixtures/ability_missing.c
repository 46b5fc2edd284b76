/* A proxy backend without the ability of one. */
#define NO_ABILITY
#include "fixture.h"
