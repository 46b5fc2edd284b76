/* Its note names a runtime that need not match. */
static const struct {
  unsigned name_size, contents_size, type;
  char name[12], tag[12];
} note __attribute__((section(".note.swiftlet"), used, aligned(4))) = {9, 8, 1, "swiftlet", "go-1.22"};
#include "fixture.h"
