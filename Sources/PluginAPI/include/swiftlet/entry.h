/* swiftlet/entry.h - the one symbol a plugin exports, negotiation, and the static descriptor.
 *
 * A plugin is a file `libswiftlet_<name>.so` that exports exactly one symbol, `swiftlet_entry_<name>`, of type
 * swl_entry_fn. The name is taken from the file name; there is no fall-back, so that several plugins can be linked into
 * one test program.
 *
 * LIFE OF A PLUGIN
 *   entry (negotiate) -> descriptor -> create -> init -> probe -> start -> work ... -> stop -> destroy
 *                                        |        |                 ^                    |
 *                                        |        +-- failed: only destroy may follow    |
 *                                        +-- several instances, and start after stop, must work
 *   `cleanup` is legal from init on and needs no start. The library is never unloaded.
 *
 * ELF NOTE
 *   A plugin written in a language whose runtime must match the host's carries an ELF note, readable before dlopen (which
 *   already runs constructors): section ".note.swiftlet", owner "swiftlet", type SWL_NOTE_RUNTIME, contents the runtime tag
 *   with its NUL, for example "swift-6.3.1". The host refuses a `swift-` tag that is not its own. No note means "none".
 */
#ifndef SWIFTLET_ENTRY_H
#define SWIFTLET_ENTRY_H

#include "swiftlet/base.h"
#include "swiftlet/host.h"
#include "swiftlet/plugin.h"

SWL_EXTERN_C_BEGIN

#define SWL_NOTE_RUNTIME 1

/* What a plugin is for. */
typedef int32_t swl_kind_t;
#define SWL_KIND_PROXY 1  /* Services: see ext/proxy.h */
#define SWL_KIND_CGROUP 2 /* cgroups: see ext/cgroup.h */

/* Who this is; constant, valid until the process ends, readable before any instance exists. Texts are UTF-8,
 * NUL-terminated and never NULL. */
typedef struct swl_descriptor {
  uint32_t struct_size;
  swl_kind_t kind;
  const char *name;    /* as in the file name */
  const char *version; /* of the plugin, e.g. "0.1.0" */
  const char *vendor;
  const char *summary; /* one line, shown by `swiftlet plugins` */
  const char *runtime; /* "none" or as in the ELF note */
  const char *commit;  /* of the source it was built from, "" when not known */
  uint32_t abi_major;  /* of the headers it was compiled with */
  uint32_t abi_minor;
} swl_descriptor_t;

/* The table a successful negotiation answers with. Frozen. */
typedef struct swl_entry {
  /* [any] Fast and without side effect. Never NULL. */
  const swl_descriptor_t *(*descriptor)(void);
  /* [any] Makes an instance. It may copy the configuration and the pointer to the host's table (valid until `destroy`
   * returned) but must not call the host or touch the machine: that is for `init`. On success `*plugin` is the instance, never
   * NULL, and `*plugin_table` points to a table that stays valid until the process ends. */
  swl_status_t (*create)(const swl_host_table_t *host_table, swl_host_t *host, const swl_pair_t *configuration,
                         uint64_t configuration_count, const swl_plugin_table_t **plugin_table, swl_plugin_t **plugin,
                         swl_error_t *error);
} swl_entry_t;

/* [any] The exported function. The host says which majors it speaks; the plugin answers the highest it shares in
 * `*major` and the table for it in `*entry`, or returns SWL_INCOMPATIBLE and fills neither. Nothing else may be called
 * before. */
typedef swl_status_t (*swl_entry_fn)(uint32_t host_major_min, uint32_t host_major_max, uint32_t *major,
                                     const swl_entry_t **entry);

SWL_EXTERN_C_END

#endif
