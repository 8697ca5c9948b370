/* Settings of shoal itself. */
#ifndef SHOAL_SHARED_SETTINGS_SCHEMA_CORE_H
#define SHOAL_SHARED_SETTINGS_SCHEMA_CORE_H

#include "shared/settings/schema.h"

#define SETTING_PREFIX       "commands.prefix"
#define SETTING_LANGUAGE     "locale.language"
#define SETTING_HISTORY_DAYS "privacy.history_days"

#define PREFIX_SIZE           33 /* bytes; 8 characters of a member's choice */
#define PREFIX_CHARACTERS_MAX 8

/* NULL when @prefix may be one, else the phrase why not; a {number} in it is PREFIX_CHARACTERS_MAX. */
const struct shoal_phrase *prefix_check(const char *prefix);

/* Registers them. */
int schema_core_add(struct schemas *schemas);

#endif
