/* Its ELF note tells of another Swift compiler; its constructor would tell that it was run. */
#include <stdlib.h>
static const struct {
  unsigned name_size, contents_size, type;
  char name[12], tag[12];
} note __attribute__((section(".note.swiftlet"), used, aligned(4))) = {9, 10, 1, "swiftlet", "swift-5.0"};
__attribute__((constructor)) static void run(void) { abort(); }
#include "fixture.h"
