/* The list of commands and what is derived from it. */
#include "shard/commands/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"

const struct shoal_command *registry_commands[REGISTRY_MAX];
size_t registry_command_count;
static struct module_entry *owners[REGISTRY_MAX];

enum { INSTALL_GUILD = 0, CONTEXT_GUILD = 0, CONTEXT_BOT_DM = 1, TYPE_SLASH = 1 };

static bool same_name(struct shoal_str typed, const char *name)
{
	return strlen(name) == typed.len && strncasecmp(typed.ptr, name, typed.len) == 0;
}

const struct shoal_command *registry_find(struct shoal_str name)
{
	size_t i;

	for (i = 0; i < registry_command_count; i++) {
		if (name.len > 0 && same_name(name, registry_commands[i]->name))
			return registry_commands[i];
	}
	return NULL;
}

int registry_add(const struct shoal_command *command, struct module_entry *owner)
{
	if (registry_find((struct shoal_str){ command->name, (uint32_t)strlen(command->name) }))
		return -EEXIST;
	if (registry_command_count == REGISTRY_MAX)
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

static json_t *option_to_json(const struct shoal_command_option *option)
{
	bool range = option->min != 0 || option->max != 0;
	json_t *json;

	json = json_pack("{s:i, s:s, s:s, s:b}", "type", (int)option->type, "name", option->name, "description",
			 option->description, "required", (int)option->required);
	if (range && option->type == SHOAL_OPTION_STRING) {
		json_object_set_new(json, "min_length", json_integer(option->min));
		json_object_set_new(json, "max_length", json_integer(option->max));
	} else if (range && option->type == SHOAL_OPTION_INTEGER) {
		json_object_set_new(json, "min_value", json_integer(option->min));
		json_object_set_new(json, "max_value", json_integer(option->max));
	}
	return json;
}

/* Children before options: Discord knows no mixture. @depth 0 is the command itself. */
static json_t *options_to_json(const struct shoal_command *command)
{
	json_t *list = json_array(), *item;
	size_t i;

	for (i = 0; i < command->child_count; i++) {
		const struct shoal_command *child = &command->children[i];
		int type = child->child_count ? SHOAL_OPTION_SUB_COMMAND_GROUP : SHOAL_OPTION_SUB_COMMAND;

		item = json_pack("{s:i, s:s, s:s, s:o}", "type", type, "name", child->name, "description",
				 child->description, "options", options_to_json(child));
		json_array_append_new(list, item);
	}
	for (i = 0; i < command->option_count; i++)
		json_array_append_new(list, option_to_json(&command->options[i]));
	return list;
}

static json_t *permissions_to_json(uint64_t permissions)
{
	char text[24];

	if (permissions == 0)
		return json_null();
	snprintf(text, sizeof(text), "%llu", (unsigned long long)permissions);
	return json_string(text);
}

static json_t *command_to_json(const struct shoal_command *command)
{
	json_t *contexts = json_pack("[i]", CONTEXT_GUILD);

	if (!(command->flags & SHOAL_COMMAND_GUILD_ONLY))
		json_array_append_new(contexts, json_integer(CONTEXT_BOT_DM));
	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:[i]}", "type", TYPE_SLASH, "name", command->name,
			 "description", command->description, "options", options_to_json(command),
			 "default_member_permissions", permissions_to_json(command->permissions), "contexts", contexts,
			 "integration_types", INSTALL_GUILD);
}

json_t *registry_to_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < registry_command_count; i++) {
		if (json_array_append_new(list, command_to_json(registry_commands[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
