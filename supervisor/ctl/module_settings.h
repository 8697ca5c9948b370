/* Settings of modules, for shoalctl: it can't load modules, so it asks the worker program what they declare
 * (shoal-shard --manifest) and whether a value passes a check that is code (--check-setting). Blocks. */
#ifndef SHOAL_SUPERVISOR_CTL_MODULE_SETTINGS_H
#define SHOAL_SUPERVISOR_CTL_MODULE_SETTINGS_H

#include "shared/config/config.h"
#include "shared/settings/schema.h"

/* Adds the rows of all modules that @config has loaded, and their switches (modules.<name>). What can't be had is said
 * on stderr, and the others are there; -ENOMEM. Stored values of an earlier version of a module's rows are not brought
 * up here: they are shown as not fitting. */
int ctl_module_settings_add(const struct config *config, struct schemas *schemas);
/* 0: @text may be the value of @name, as far as the module's own code says (true for what has none); -EINVAL with
 * words; -errno: it could not be asked. */
int ctl_module_settings_check(const struct config *config, const char *name, const char *text,
			      char words[VALUE_ERROR_SIZE]);

#endif
