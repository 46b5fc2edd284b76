/* Says it created an instance, and gives none. */
#define ON_CREATE *plugin = NULL;
#include "fixture.h"
