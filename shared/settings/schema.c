/* The registry of settings, and the way of a stored value to today's schema. */
#include "shared/settings/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define LAYERS_ALL (SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD | SHOAL_LAYER_CHANNEL | SHOAL_LAYER_USER)

struct schemas {
	const struct shoal_settings_schema *owners[SCHEMAS_MAX];
	size_t owner_count;
	struct schema_row **rows;
	size_t row_count;
};

int schemas_new(struct schemas **ret_schemas)
{
	struct schemas *schemas = calloc(1, sizeof(*schemas));

	if (!schemas)
		return -ENOMEM;
	*ret_schemas = schemas;
	return 0;
}

struct schemas *schemas_free(struct schemas *schemas)
{
	if (!schemas)
		return NULL;
	for (size_t i = 0; i < schemas->row_count; i++) {
		value_clear(&schemas->rows[i]->fallback);
		free(schemas->rows[i]);
	}
	free(schemas->rows);
	free(schemas);
	return NULL;
}

static bool is_name(const char *name)
{
	size_t len = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

	return len >= 1 && len <= SHOAL_SETTING_NAME_MAX && name[len] == '\0';
}

static int complain(const struct shoal_settings_schema *schema, const struct shoal_setting *row, const char *what,
		    char error[VALUE_ERROR_SIZE])
{
	snprintf(error, VALUE_ERROR_SIZE, "settings of %.31s: %.31s: %.150s",
		 schema && schema->owner ? schema->owner : "?", row && row->name ? row->name : "-", what);
	return -EINVAL;
}

static const char *what_is_wrong(const struct shoal_setting *row)
{
	if (!is_name(row->name))
		return "a name is 1 to 31 of a-z, 0-9 and _";
	if (row->formerly && !is_name(row->formerly))
		return "the former name is none";
	if ((unsigned int)row->type >= SHOAL_SETTING_TYPE_COUNT)
		return "there is no such type";
	if (row->layers == 0 || (row->layers & ~(uint32_t)LAYERS_ALL))
		return "no layer, or one that does not exist";
	if (row->flags & ~(uint32_t)(SHOAL_SETTING_SENSITIVE | SHOAL_SETTING_NAMES_MEMBERS))
		return "a flag that does not exist";
	if ((row->flags & SHOAL_SETTING_SENSITIVE) && row->type != SHOAL_SETTING_TEXT)
		return "only texts can be sensitive";
	if ((row->flags & SHOAL_SETTING_NAMES_MEMBERS) &&
	    (row->type != SHOAL_SETTING_TEXT || (row->flags & SHOAL_SETTING_SENSITIVE)))
		return "only texts that are not sensitive can name members";
	if (row->min > row->max || row->number_min > row->number_max)
		return "the least is above the most";
	if (row->type == SHOAL_SETTING_ENUM && (!row->choices || !row->choices[0]))
		return "a choice needs choices";
	if (!row->description || !row->description[0])
		return "it has no description";
	return NULL;
}

/* The default: what the row says, or nothing of its type. Only what the row says must hold against it. */
static int read_fallback(const struct shoal_setting *row, struct value *ret_value, char error[VALUE_ERROR_SIZE])
{
	struct value value = { .is.type = row->type };
	size_t len;

	if (row->fallback)
		return value_from_text(row, row->fallback, ret_value, error);
	if (row->type == SHOAL_SETTING_TEXT || row->type == SHOAL_SETTING_ENUM) {
		len = row->type == SHOAL_SETTING_ENUM ? strcspn(row->choices, "|") : 0;
		value.owned = len ? strndup(row->choices, len) : strdup("");
		if (!value.owned)
			return -ENOMEM;
		value.owned_size = len + 1;
		value.is.text = value.owned;
	}
	*ret_value = value;
	return 0;
}

static int add_row(struct schemas *schemas, const struct shoal_settings_schema *schema, const struct shoal_setting *row,
		   char error[VALUE_ERROR_SIZE])
{
	const char *wrong = what_is_wrong(row);
	struct schema_row **rows, *added;
	char why[VALUE_ERROR_SIZE];
	int r;

	if (wrong)
		return complain(schema, row, wrong, error);
	rows = realloc(schemas->rows, (schemas->row_count + 1) * sizeof(struct schema_row *));
	if (!rows)
		return -ENOMEM;
	schemas->rows = rows;
	added = calloc(1, sizeof(*added));
	if (!added)
		return -ENOMEM;
	added->schema = schema;
	added->row = row;
	snprintf(added->name, sizeof(added->name), "%s.%s", schema->owner, row->name);
	if (row->formerly)
		snprintf(added->former, sizeof(added->former), "%s.%s", schema->owner, row->formerly);
	if (schemas_find(schemas, added->name)) {
		free(added);
		return complain(schema, row, "it is there twice", error);
	}
	r = read_fallback(row, &added->fallback, why);
	if (r < 0) {
		free(added);
		return r == -EINVAL ? complain(schema, row, why, error) : r;
	}
	rows[schemas->row_count++] = added;
	return 0;
}

int schemas_add(struct schemas *schemas, const struct shoal_settings_schema *schema, char error[VALUE_ERROR_SIZE])
{
	size_t before = schemas->row_count;

	error[0] = '\0';
	if (!is_name(schema->owner) || schema->version == 0)
		return complain(schema, NULL, "the owner needs a name, the schema a version from 1 on", error);
	for (size_t i = 0; i < schemas->owner_count; i++)
		if (strcmp(schemas->owners[i]->owner, schema->owner) == 0)
			return -EEXIST;
	if (schemas->owner_count == SCHEMAS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < schema->count; i++) {
		int r = add_row(schemas, schema, &schema->rows[i], error);

		if (r == 0)
			continue;
		while (schemas->row_count > before) { /* all of it or nothing */
			struct schema_row *row = schemas->rows[--schemas->row_count];

			value_clear(&row->fallback);
			free(row);
		}
		return r;
	}
	schemas->owners[schemas->owner_count++] = schema;
	return 0;
}

int schemas_set_default(struct schemas *schemas, const char *name, const char *text, char error[VALUE_ERROR_SIZE])
{
	struct shoal_setting row;
	struct value value;
	int r;

	for (size_t i = 0; i < schemas->row_count; i++) {
		if (strcmp(schemas->rows[i]->name, name) != 0)
			continue;
		/* What members may not write, the operator may. */
		row = *schemas->rows[i]->row;
		row.check = NULL;
		r = value_from_text(&row, text, &value, error);
		if (r < 0)
			return r;
		value_clear(&schemas->rows[i]->fallback);
		schemas->rows[i]->fallback = value;
		return 0;
	}
	return -ENOENT;
}

const struct schema_row *schemas_find(const struct schemas *schemas, const char *name)
{
	for (size_t i = 0; i < schemas->row_count; i++)
		if (strcmp(schemas->rows[i]->name, name) == 0)
			return schemas->rows[i];
	return NULL;
}

const struct schema_row *schemas_at(const struct schemas *schemas, size_t i)
{
	return i < schemas->row_count ? schemas->rows[i] : NULL;
}

/* Two buffers by turns: a step reads one and writes the other. */
static int migrate(const struct schema_row *row, uint32_t from, const char **json, char *spare[2],
		   char error[VALUE_ERROR_SIZE])
{
	int turn = 0, r;

	for (; from < row->schema->version; from++) {
		if (!row->schema->migrate)
			continue;
		r = row->schema->migrate(from, row->row->name, *json, spare[turn], SHOAL_SETTING_FORMER_MAX);
		if (r < 0) {
			snprintf(error, VALUE_ERROR_SIZE,
				 "what was stored for `%s` by version %u of its schema has no meaning today", row->name,
				 from);
			return -EINVAL;
		}
		if (r == 0)
			continue;
		*json = spare[turn];
		turn = !turn;
	}
	return 0;
}

int schema_read(const struct schema_row *row, uint32_t stored_version, const char *json, struct value *ret_value,
		char error[VALUE_ERROR_SIZE])
{
	CLEANUP(cleanup_free) char *first = NULL;
	CLEANUP(cleanup_free) char *second = NULL;
	json_t *parsed;
	int r = 0;

	error[0] = '\0';
	/* A newer program's value may still fit: its type and bounds decide. */
	if (stored_version < row->schema->version && row->schema->migrate) {
		first = malloc(SHOAL_SETTING_FORMER_MAX);
		second = malloc(SHOAL_SETTING_FORMER_MAX);
		if (!first || !second)
			return -ENOMEM;
		r = migrate(row, stored_version, &json, (char *[]){ first, second }, error);
		if (r < 0)
			return r;
	}
	parsed = json_loads(json, JSON_DECODE_ANY, NULL);
	if (!parsed) {
		snprintf(error, VALUE_ERROR_SIZE, "what is stored for `%s` can't be read", row->name);
		return -EINVAL;
	}
	r = value_from_json(row->row, parsed, ret_value, error);
	json_decref(parsed);
	return r;
}
