/* Forgot the note, but its descriptor tells of another Swift compiler. */
#define RUNTIME "swift-5.0"
#include "fixture.h"
