/* Answers the negotiation with a status that makes no sense there. */
#define ON_ENTRY return SWL_RETRY;
#include "fixture.h"
