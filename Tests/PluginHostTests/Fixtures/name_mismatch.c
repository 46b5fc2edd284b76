/* Calls itself something else than its file. */
#define NAME "somebody_else"
#include "fixture.h"
