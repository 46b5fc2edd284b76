/* Its vendor is not UTF-8. */
#define VENDOR "caf\xe9 "
#include "fixture.h"
