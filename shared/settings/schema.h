/* The schemas of settings that a program knows: each owner registers its own. Not thread-safe: filled at the start,
 * read by the loop. */
#ifndef SHOAL_SHARED_SETTINGS_SCHEMA_H
#define SHOAL_SHARED_SETTINGS_SCHEMA_H

#include <stddef.h>

#include <shoal/config.h>

#include "shared/settings/value.h"

#define SCHEMAS_MAX      128
#define SCHEMA_NAME_SIZE 65 /* "owner.name" as it is stored */

struct schemas;

int schemas_new(struct schemas **ret_schemas);
struct schemas *schemas_free(struct schemas *schemas);

/* Keeps @schema. -EINVAL with words: names, bounds that exclude each other, a default that does not fit its row, a
 * sensitive setting that is no text. -EEXIST: the owner is there already. -E2BIG. */
int schemas_add(struct schemas *schemas, const struct shoal_settings_schema *schema, char error[VALUE_ERROR_SIZE]);
/* The default becomes what @text says, for this program's life (shoal.ini has a word in it); its
 * own check is not asked. -ENOENT, -EINVAL. */
int schemas_set_default(struct schemas *schemas, const char *name, const char *text, char error[VALUE_ERROR_SIZE]);

/* A setting by its full name. */
struct schema_row {
	const struct shoal_settings_schema *schema;
	const struct shoal_setting *row;
	struct value fallback;
	char name[SCHEMA_NAME_SIZE];   /* "commands.prefix" */
	char former[SCHEMA_NAME_SIZE]; /* "" */
};
/* NULL: there is none. Stable until schemas_free(). */
const struct schema_row *schemas_find(const struct schemas *schemas, const char *name);
/* By owner and name, in the order of registration; NULL behind the last. */
const struct schema_row *schemas_at(const struct schemas *schemas, size_t i);

/* A stored value brought up to today's schema: 0, or -EINVAL with words when it fits no more; -ENOMEM. */
int schema_read(const struct schema_row *row, uint32_t stored_version, const char *json, struct value *ret_value,
		char error[VALUE_ERROR_SIZE]);

#endif
