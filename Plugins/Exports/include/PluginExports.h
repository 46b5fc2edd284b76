/* SPDX-License-Identifier: Apache-2.0
 *
 * Empty on purpose: this target exists for its linker settings, see exports.c. */
#ifndef SWIFTLET_PLUGIN_EXPORTS_H
#define SWIFTLET_PLUGIN_EXPORTS_H
#endif
