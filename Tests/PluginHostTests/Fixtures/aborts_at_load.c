/* Kills the process from its constructor. */
#include <stdlib.h>
__attribute__((constructor)) static void run(void) { abort(); }
#include "fixture.h"
