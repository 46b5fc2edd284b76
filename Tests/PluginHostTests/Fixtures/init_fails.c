/* Cannot initialise; its message has several lines. */
#define ON_INIT                                                                              \
  if (error) error->os_errno = 12;                                                           \
  return fail(error, SWL_INTERNAL, "no memory\nfor the \x1b[1mtable");
#include "fixture.h"
