/* Answers NULL when asked who it is. */
#define OWN_DESCRIPTOR
#define descriptor no_descriptor
#include <stddef.h>
#include "swiftlet/entry.h"
static const swl_descriptor_t *no_descriptor(void) { return NULL; }
#include "fixture.h"
