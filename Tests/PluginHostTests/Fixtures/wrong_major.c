/* Speaks no version the host offers. */
#define ON_ENTRY return SWL_INCOMPATIBLE;
#include "fixture.h"
