/* The functions of <shoal/settings.h>: a module's own settings. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODULE_SETTINGS_H
#define SHOAL_SHARD_MODHOST_MODULE_SETTINGS_H

#include <shoal/settings.h>

int module_setting_get(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
		       shoal_setting_fn fn, void *arg);
int module_setting_peek(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
			struct shoal_setting_answer *ret_answer);
int module_setting_set(struct shoal_scope *scope, const struct shoal_setting_change *change, shoal_setting_done_fn fn,
		       void *arg);

#endif
