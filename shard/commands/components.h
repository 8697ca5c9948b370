/* Whose button, select or form this is: by the prefix of its custom id. One list a process, of the loaded modules. */
#ifndef SHOAL_SHARD_COMMANDS_COMPONENTS_H
#define SHOAL_SHARD_COMMANDS_COMPONENTS_H

#include <shoal/component.h>
#include <shoal/str.h>

#define COMPONENTS_MAX       256
#define COMPONENT_PREFIX_MAX 64

struct module_entry;

/* By the module host, at start. Keeps both. -EINVAL: the prefix is not @name's own (it is the module's name, alone or
 * followed by '.' and more, without ':'); -EEXIST; -ENOBUFS. */
int components_add(const struct shoal_component_row *row, const char *name, struct module_entry *owner);
/* All of @owner. */
void components_remove(const struct module_entry *owner);
void components_clear(void);

/* The row whose prefix @custom_id is, or begins with before a ':'; a seal (seal.h) between them is passed over.
 * *ret_skip: bytes up to what stands behind. NULL: nobody's. */
const struct shoal_component_row *components_find(struct shoal_str custom_id, size_t *ret_skip,
						  struct module_entry **ret_owner);

#endif
