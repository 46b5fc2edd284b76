/* Its summary has no end to speak of. */
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define SUMMARY HUNDRED HUNDRED HUNDRED
#include "fixture.h"
