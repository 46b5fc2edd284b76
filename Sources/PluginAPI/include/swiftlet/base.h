/* swiftlet/base.h - types every other header of the plugin ABI uses.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * COMPATIBILITY
 *   Version 0 promises nothing: a 0.x backend is loaded only by a host of the same 0.x release line. From 1.0 on, what is
 *   tagged never changes: no name, layout, number or documented meaning. Change happens by adding, in two ways and no third:
 *     - tables of functions are frozen for ever; a new function means a new ability id ("swiftlet.proxy.sync/2");
 *     - structs that carry data begin with `struct_size` and grow at the end; whoever fills one sets it to the size it was
 *       compiled with, whoever reads one uses the smaller of the two sizes, and a missing tail reads as zero, "not set".
 *   Unknown input: a struct tail, flag bit or reserved field is ignored; an ability id answers NULL; a status the host does
 *   not know is taken as SWL_INTERNAL; a constant the plugin does not know is answered with SWL_UNSUPPORTED; a
 *   configuration key the plugin does not know is refused with SWL_INVALID naming the key.
 *
 * TRUST
 *   A plugin runs inside the agent's process with all of its privileges. This ABI is not a security boundary.
 *
 * TAGS on each function
 *   [serial]   never two at once for one instance; any operating system thread, not always the same one
 *   [any]      any thread, concurrently
 *   [during X] only from inside a call to X, on the thread X was called on
 *   A plugin returns every thread as it found it: network namespace, working directory, umask, signal mask.
 *   No exception, longjmp or other unwinding may cross this interface.
 *
 * OWNERSHIP
 *   Arguments belong to the caller and are valid until the call returns: keep means copy. No allocation crosses: results of
 *   variable size are handed to a sink of the host, item by item.
 */
#ifndef SWIFTLET_BASE_H
#define SWIFTLET_BASE_H

#include <stdint.h>

#ifdef __cplusplus
#define SWL_EXTERN_C_BEGIN extern "C" {
#define SWL_EXTERN_C_END }
#else
#define SWL_EXTERN_C_BEGIN
#define SWL_EXTERN_C_END
#endif

SWL_EXTERN_C_BEGIN

/* The version these headers describe. The major gates loading; the minor informs a reader and is never branched on. */
#define SWL_ABI_MAJOR 0u
#define SWL_ABI_MINOR 3u

/* What a fallible function returns. Values come out through pointers, so SWL_OK means only success. */
typedef int32_t swl_status_t;
#define SWL_OK 0           /* done */
#define SWL_INTERNAL 1     /* a fault of the callee; also what an unknown status is taken for */
#define SWL_INVALID 2      /* an argument or a configuration value makes no sense; the message names it */
#define SWL_UNSUPPORTED 3  /* this machine, kernel or plugin cannot do it; not worth a retry */
#define SWL_RETRY 4        /* failed for now (lock held, buffer overrun, busy); the same call may succeed later */
#define SWL_CANCELLED 5    /* gave up because the host's `cancelled` said so */
#define SWL_NOT_FOUND 6    /* the object named does not exist */
#define SWL_DENIED 7       /* a privilege is missing */
#define SWL_INCOMPATIBLE 8 /* negotiation: no major version in common */

/* Text: UTF-8, not NUL-terminated, `data` may be NULL when `length` is 0. */
typedef struct swl_string {
  const char *data;
  uint64_t length; /* bytes */
} swl_string_t;

/* One configuration entry or one structured log value. */
typedef struct swl_pair {
  swl_string_t key;
  swl_string_t value;
} swl_pair_t;

/* Why a call failed. The caller owns it, sets struct_size and clears the rest; the callee fills it when it returns
 * anything but SWL_OK. `message` is UTF-8, always NUL-terminated, cut when longer, and carries the operation, the object
 * and the kernel's or tool's own words. A NULL swl_error_t pointer is allowed everywhere and means "not interested". */
#define SWL_ERROR_MESSAGE_SIZE 1024
typedef struct swl_error {
  uint32_t struct_size;
  swl_status_t status;
  int32_t os_errno; /* 0: none */
  uint32_t reserved;
  char message[SWL_ERROR_MESSAGE_SIZE];
} swl_error_t;

/* Internet addresses: v4 in the first four bytes, network order, the rest zero. */
typedef struct swl_address {
  uint8_t bytes[16];
  uint8_t family; /* 4, 6, or 0 for "none" */
  uint8_t prefix; /* significant bits where a network is meant, else 32 or 128 */
  uint8_t reserved[6];
} swl_address_t;

/* Handles. `swl_host_t` is the host's, `swl_plugin_t` the plugin's; neither side looks into the other's. */
typedef struct swl_host swl_host_t;
typedef struct swl_plugin swl_plugin_t;

/* A sink for names: called once per item, [during] the call it was passed to. */
typedef void (*swl_name_sink_fn)(void *context, swl_string_t name);

SWL_EXTERN_C_END

#endif
