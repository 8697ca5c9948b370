/* The list of commands and what is derived from it. */
#include "shard/commands/registry.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const struct shoal_command *registry_commands[REGISTRY_MAX];
size_t registry_command_count;
static struct module_entry *owners[REGISTRY_MAX];

static bool same_name(struct shoal_str typed, const char *name)
{
	return strlen(name) == typed.len && strncasecmp(typed.ptr, name, typed.len) == 0;
}

const struct shoal_command *registry_find(struct shoal_str name)
{
	size_t i;

	for (i = 0; i < registry_command_count; i++) {
		if (name.len > 0 && registry_commands[i]->kind == SHOAL_COMMAND_SLASH &&
		    same_name(name, registry_commands[i]->name))
			return registry_commands[i];
	}
	return NULL;
}

const struct shoal_command *registry_find_kind(uint32_t type, struct shoal_str name)
{
	uint32_t kind = type ? type - 1 : SHOAL_COMMAND_SLASH; /* in Discord's order */
	size_t i;

	for (i = 0; i < registry_command_count; i++) {
		if (registry_commands[i]->kind == kind && shoal_str_is(name, registry_commands[i]->name))
			return registry_commands[i];
	}
	return NULL;
}

size_t registry_count_kind(enum shoal_command_kind kind)
{
	size_t i, count = 0;

	for (i = 0; i < registry_command_count; i++)
		count += registry_commands[i]->kind == kind;
	return count;
}

int registry_add(const struct shoal_command *command, struct module_entry *owner)
{
	struct shoal_str name = { command->name, (uint32_t)strlen(command->name) };
	size_t most = command->kind == SHOAL_COMMAND_SLASH ? REGISTRY_SLASH_MAX : REGISTRY_MENU_MAX;

	if (registry_find_kind((uint32_t)command->kind + 1, name))
		return -EEXIST;
	if (registry_count_kind(command->kind) >= most)
		return -ENOBUFS;
	owners[registry_command_count] = owner;
	registry_commands[registry_command_count++] = command;
	return 0;
}

void registry_remove(const struct module_entry *owner)
{
	size_t i, kept = 0;

	for (i = 0; i < registry_command_count; i++) {
		if (owners[i] == owner)
			continue;
		owners[kept] = owners[i];
		registry_commands[kept++] = registry_commands[i];
	}
	registry_command_count = kept;
}

void registry_clear(void)
{
	registry_command_count = 0;
}

struct module_entry *registry_owner(const struct shoal_command *command)
{
	size_t i;

	for (i = 0; i < registry_command_count; i++) {
		if (registry_commands[i] == command)
			return owners[i];
	}
	return NULL;
}

const struct shoal_command *registry_child(const struct shoal_command *command, struct shoal_str name)
{
	size_t i;

	for (i = 0; i < command->child_count; i++) {
		if (name.len > 0 && same_name(name, command->children[i].name))
			return &command->children[i];
	}
	return NULL;
}
