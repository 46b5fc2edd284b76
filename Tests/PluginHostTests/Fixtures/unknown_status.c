/* Answers a sync with a number nobody knows. */
#define ON_SYNC return 4242;
#include "fixture.h"
