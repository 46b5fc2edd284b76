/* Its summary would scramble a terminal. */
#define SUMMARY "red\033[31m"
#include "fixture.h"
