/* Offers an ability without one of its functions. */
#define MORE_ABILITIES
#include "fixture.h"
static const swl_proxy_watch_t watch_table = {NULL, NULL};
static const void *more(const char *ability) { return strcmp(ability, SWL_PROXY_WATCH) == 0 ? &watch_table : NULL; }
