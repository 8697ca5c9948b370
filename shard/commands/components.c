/* The routing of custom ids. */
#include "shard/commands/components.h"

#include <errno.h>
#include <string.h>

static struct {
	const struct shoal_component_row *row;
	struct module_entry *owner;
} rows[COMPONENTS_MAX];
static size_t row_count;

static struct shoal_str text_of(const char *text)
{
	return (struct shoal_str){ text, (uint32_t)strlen(text) };
}

/* Prefixes are whole words before the ':', so no two rows can want the same id. */
static bool is_own(const char *prefix, const char *name)
{
	size_t len = strlen(name);

	return strlen(prefix) <= COMPONENT_PREFIX_MAX && strncmp(prefix, name, len) == 0 &&
	       (prefix[len] == '\0' || (prefix[len] == '.' && prefix[len + 1])) && !strpbrk(prefix, ":~");
}

int components_add(const struct shoal_component_row *row, const char *name, struct module_entry *owner)
{
	struct module_entry *other;
	size_t skip;

	if (!row->prefix || !row->handle || !is_own(row->prefix, name))
		return -EINVAL;
	if (components_find(text_of(row->prefix), &skip, &other))
		return -EEXIST;
	if (row_count == COMPONENTS_MAX)
		return -ENOBUFS;
	rows[row_count].row = row;
	rows[row_count++].owner = owner;
	return 0;
}

void components_remove(const struct module_entry *owner)
{
	size_t i, kept = 0;

	for (i = 0; i < row_count; i++) {
		if (rows[i].owner != owner)
			rows[kept++] = rows[i];
	}
	row_count = kept;
}

void components_clear(void)
{
	row_count = 0;
}

const struct shoal_component_row *components_find(struct shoal_str custom_id, size_t *ret_skip,
						  struct module_entry **ret_owner)
{
	const char *colon = custom_id.len ? memchr(custom_id.ptr, ':', custom_id.len) : NULL;
	struct shoal_str head = { custom_id.ptr, colon ? (uint32_t)(colon - custom_id.ptr) : custom_id.len };
	const char *tilde = head.len ? memchr(head.ptr, '~', head.len) : NULL; /* of a seal */
	struct shoal_str prefix = { head.ptr, tilde ? (uint32_t)(tilde - head.ptr) : head.len };
	size_t i;

	for (i = 0; i < row_count; i++) {
		if (!shoal_str_is(prefix, rows[i].row->prefix))
			continue;
		*ret_skip = head.len + (colon != NULL);
		*ret_owner = rows[i].owner;
		return rows[i].row;
	}
	return NULL;
}
