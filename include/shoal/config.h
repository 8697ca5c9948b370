/* SPDX-License-Identifier: MIT */
/* Settings: what servers, channels and members may change about a module. A setting is one row of a schema; shoal keeps
 * the values, checks them, shows them in /settings, and gives back the one that counts at a place: the first that is
 * set of user, channel, guild, global, else the default. */
#ifndef SHOAL_CONFIG_H
#define SHOAL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/phrase.h>

enum shoal_setting_type {
	SHOAL_SETTING_BOOL,
	SHOAL_SETTING_INTEGER,
	SHOAL_SETTING_NUMBER,
	SHOAL_SETTING_TEXT,
	SHOAL_SETTING_ENUM,
	SHOAL_SETTING_DURATION, /* whole seconds; people write 90s, 15m, 2h, 7d or 1h30m */
	SHOAL_SETTING_CHANNEL,
	SHOAL_SETTING_ROLE,
	SHOAL_SETTING_USER,
	SHOAL_SETTING_CHANNELS, /* lists */
	SHOAL_SETTING_ROLES,
	SHOAL_SETTING_USERS,
	SHOAL_SETTING_TYPE_COUNT,
};

enum shoal_setting_layers {
	SHOAL_LAYER_GLOBAL = 1 << 0, /* by the operator, for every server */
	SHOAL_LAYER_GUILD = 1 << 1,
	SHOAL_LAYER_CHANNEL = 1 << 2,
	SHOAL_LAYER_USER = 1 << 3, /* by the member, wherever they are */
};

enum shoal_setting_flags {
	/* A secret, or private words: kept encrypted, never shown again, never logged. Text only. */
	SHOAL_SETTING_SENSITIVE = 1 << 0,
	/* Members stand in it as <@id> (at most 400): who asks to be forgotten (/privacy delete) becomes <@0> there.
	 * Text only, and not sensitive. */
	SHOAL_SETTING_NAMES_MEMBERS = 1 << 1,
};

#define SHOAL_SETTING_NAME_MAX   31   /* bytes, likewise an owner's */
#define SHOAL_SETTING_TEXT_MAX   8192 /* bytes of a text */
#define SHOAL_SETTING_IDS_MAX    100  /* ids of a list */
#define SHOAL_SETTING_FORMER_MAX 8192 /* bytes of what a migration may write */

/* A typed value. Texts and ids are borrowed: from a getter they live until your function returns. */
struct shoal_setting_value {
	enum shoal_setting_type type;
	bool boolean;
	int64_t integer;     /* INTEGER, DURATION */
	double number;       /* NUMBER */
	const char *text;    /* TEXT, ENUM; never NULL for those */
	const uint64_t *ids; /* CHANNEL … USERS */
	size_t id_count;     /* single ones: 0 (none) or 1 */
};

struct shoal_setting {
	const char *name; /* a-z, 0-9, '_' */
	enum shoal_setting_type type;
	uint32_t layers; /* enum shoal_setting_layers: where it may be set; at least one */
	uint32_t flags;  /* enum shoal_setting_flags */
	/* INTEGER: range; DURATION: range in seconds; TEXT: length in characters; lists: how many. Both 0: none but
	 * shoal's own. */
	int64_t min, max;
	double number_min, number_max; /* NUMBER; both 0: none */
	const char *choices;           /* ENUM: "a|b|c" */
	const char *fallback;    /* the default, as people write it; NULL: "" / 0 / no / none / the first choice */
	const char *description; /* one line, for admins */
	const struct shoal_phrase *descriptions; /* the same in other languages: SHOAL_LOCAL(…); or NULL */
	const char *formerly;                    /* the name it had in an earlier version of the schema; or NULL */
	/* What the rows above can't say: NULL, or the phrase why the value may not be; for a {number} in it there is
	 * @ret_number. Pure; also called by shoalctl. */
	const struct shoal_phrase *(*check)(const struct shoal_setting_value *value, int64_t *ret_number);
};

/* All settings of one owner. Static storage. */
struct shoal_settings_schema {
	const char *owner; /* the module's name */
	uint32_t version;  /* from 1 on; raised when stored values must change */
	const struct shoal_setting *rows;
	size_t count;
	/* Makes of a value stored under version @from what version @from + 1 wants; called once a step. @name is the
	 * setting's name of today, @json the value as JSON text (durations: seconds; ids: strings). 0: it stays as it
	 * is; 1: the new JSON text stands in @out; -EINVAL: it fits nowhere, and the next layer counts. May be NULL
	 * when nothing ever changed. Pure. */
	int (*migrate)(uint32_t from, const char *name, const char *json, char *out, size_t size);
};

#endif
