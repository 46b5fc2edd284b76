/* SPDX-License-Identifier: Apache-2.0 */
#include "PluginNote.h"

#include <stdint.h>

#ifndef SWL_SWIFT_RUNTIME
#error "SWL_SWIFT_RUNTIME must name the Swift compiler, for example \"swift-6.3.1\""
#endif

/* An ELF note pads name and contents to four bytes each; the tag is padded with NULs and the size says so. */
#define TAG_SIZE ((sizeof(SWL_SWIFT_RUNTIME) + 3u) / 4u * 4u)

static const struct {
  uint32_t name_size, contents_size, type;
  char name[12];
  char tag[TAG_SIZE];
} note __attribute__((section(".note.swiftlet"), used, retain, aligned(4))) = {
    sizeof("swiftlet"), sizeof(SWL_SWIFT_RUNTIME), 1 /* SWL_NOTE_RUNTIME */, "swiftlet", SWL_SWIFT_RUNTIME};

const char *swl_swift_runtime(void) { return note.tag; }
