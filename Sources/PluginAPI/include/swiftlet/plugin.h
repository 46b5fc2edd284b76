/* swiftlet/plugin.h - the life cycle every plugin has, whatever its kind. */
#ifndef SWIFTLET_PLUGIN_H
#define SWIFTLET_PLUGIN_H

#include "swiftlet/base.h"

SWL_EXTERN_C_BEGIN

/* Frozen. All functions are required: none may be NULL. */
typedef struct swl_plugin_table {
  /* [serial] The plugin's table for an ability id, or NULL when it has no such ability. Legal from create on. */
  const void *(*get_interface)(swl_plugin_t *plugin, const char *ability);
  /* [serial] Reads the configuration, defines metrics, asks for host services; changes nothing on the machine. After a
   * failure only `destroy` may follow. Legal once, after create. */
  swl_status_t (*init)(swl_plugin_t *plugin, swl_error_t *error);
  /* [serial] Can this plugin work on this machine, now? SWL_OK, or SWL_UNSUPPORTED / SWL_DENIED with the reason and the fix
   * in the message. Leaves nothing behind. Legal any time after init. */
  swl_status_t (*probe)(swl_plugin_t *plugin, swl_error_t *error);
  /* [serial] Makes ready to work, and adopts what an earlier run left. Legal after init and after stop. */
  swl_status_t (*start)(swl_plugin_t *plugin, swl_error_t *error);
  /* [serial] Ends work. What stands in the kernel stays: pods and rules outlive the daemon. No callback and no thread of
   * the plugin may call the host afterwards. Legal after start. */
  void (*stop)(swl_plugin_t *plugin);
  /* [serial] Removes everything any version of this plugin ever left on the machine, and nothing else; names each thing
   * removed through the sink. Running it twice is fine. Legal any time after init, except between start and stop. */
  swl_status_t (*cleanup)(swl_plugin_t *plugin, swl_name_sink_fn removed, void *context, swl_error_t *error);
  /* [serial] Names what this plugin owns on the machine now, one line each. Legal any time after init. */
  swl_status_t (*list_owned)(swl_plugin_t *plugin, swl_name_sink_fn owned, void *context, swl_error_t *error);
  /* [serial] Answer to the host table's request_callback. */
  void (*on_callback)(swl_plugin_t *plugin);
  /* [serial] Frees the instance. The last call. */
  void (*destroy)(swl_plugin_t *plugin);
} swl_plugin_table_t;

SWL_EXTERN_C_END

#endif
