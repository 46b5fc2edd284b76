/* SPDX-License-Identifier: Apache-2.0
 *
 * Carries the linker settings of a backend library: only `swiftlet_entry_<name>` leaves it (exports.map) and nothing is left
 * undefined. They hang on a target of their own, which only the dynamic products contain, so that a test program that
 * links a backend directly is linked as usual. */
#include "PluginExports.h"

/* ISO C wants at least one declaration in a file. */
typedef int swl_exports_only_the_entry;
