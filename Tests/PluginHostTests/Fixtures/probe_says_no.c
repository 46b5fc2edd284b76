/* Works, but not on this machine. */
#define ON_PROBE return fail(error, SWL_UNSUPPORTED, "the kernel has no nf_tables; load it with modprobe nf_tables");
#include "fixture.h"
