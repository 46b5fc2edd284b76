/* Creates an instance without a table. */
#define ON_CREATE *table = NULL;
#include "fixture.h"
