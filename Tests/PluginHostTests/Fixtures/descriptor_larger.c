/* Its descriptor has fields this host does not know: a newer plugin, which is fine. */
#define OWN_DESCRIPTOR
#define descriptor larger_descriptor
#include "swiftlet/entry.h"
static const swl_descriptor_t *larger_descriptor(void) {
  static const struct {
    swl_descriptor_t known;
    const char *unknown[4];
  } it = {{sizeof it, SWL_KIND_PROXY, "descriptor_larger", "1.0", "Fixtures", "a fixture", "none", "", 0, SWL_ABI_MINOR},
          {"a", "b", "c", "d"}};
  return &it.known;
}
#include "fixture.h"
