/* Exports the entry of another plugin: a renamed file. */
#undef FIXTURE
#define FIXTURE another
#include "fixture.h"
