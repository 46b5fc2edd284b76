/* PluginNote.h - the tag of the Swift runtime this image was built with.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Linking this target puts the ELF note of swiftlet/entry.h into the image, where the loader reads it before dlopen.
 */
#ifndef SWIFTLET_PLUGIN_NOTE_H
#define SWIFTLET_PLUGIN_NOTE_H

/* [any] The tag, for example "swift-6.3.1"; constant. The same text the note carries. */
const char *swl_swift_runtime(void);

#endif
