/* Answers the negotiation with a number nobody knows. */
#define ON_ENTRY return 99;
#include "fixture.h"
