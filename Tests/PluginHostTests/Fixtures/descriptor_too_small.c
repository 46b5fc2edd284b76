/* Its descriptor lacks fields the host needs. */
#define DESCRIPTOR_SIZE 32
#include "fixture.h"
