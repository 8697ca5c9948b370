/* A guild's settings in PostgreSQL: name -> JSON value with a version that only rises. Asynchronous, on the loop.
 * No cache and no layers here: this is the store that they stand on. */
#ifndef SHOAL_SHARED_DB_GUILD_SETTINGS_H
#define SHOAL_SHARED_DB_GUILD_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/db/db.h"

#define GUILD_SETTING_NAME_MAX  64
#define GUILD_SETTING_VALUE_MAX (64 * 1024)

struct guild_setting {
	const char *name;
	const char *value; /* JSON text, NUL-terminated */
	size_t value_len;
	int64_t version;     /* starts at 1, rises with every change of this setting, also across a delete */
	uint64_t updated_by; /* 0: a program */
};

/* Exactly once. @setting is borrowed, NULL unless @error is 0. -ENOENT: the guild has none of that name; others as
 * db_result_fn. */
typedef void (*guild_setting_fn)(void *arg, int error, const struct guild_setting *setting);
/* All of a guild's settings, by name; an admin's question, which a standby may answer from a moment ago. @settings is
 * borrowed. */
typedef void (*guild_settings_fn)(void *arg, int error, const struct guild_setting *settings, size_t count);

/* All return as db_query(), and -EINVAL: the name is not 1 … 64 of [a-z0-9_.], a guild id of 0 or over 63 bits. */
int guild_setting_get(struct db *db, uint64_t guild_id, const char *name, guild_setting_fn fn, void *arg);
int guild_settings_list(struct db *db, uint64_t guild_id, guild_settings_fn fn, void *arg);
/* @value: JSON text (-EBADMSG from the server when it is none), at most GUILD_SETTING_VALUE_MAX (-EMSGSIZE).
 * @fn gets the setting as stored, with its new version. */
int guild_setting_set(struct db *db, uint64_t guild_id, const char *name, const char *value, size_t value_len,
		      uint64_t user_id, guild_setting_fn fn, void *arg);
/* Back to the default: @fn gets 0 with setting->value "null" and the version of the removal, or -ENOENT. */
int guild_setting_delete(struct db *db, uint64_t guild_id, const char *name, uint64_t user_id, guild_setting_fn fn,
			 void *arg);

#endif
