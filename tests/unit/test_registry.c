/* The registry: what Discord is told keeps Discord's rules, and nothing is registered twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shard/commands/registration.h"
#include "shard/commands/registry.h"
#include "shard/modhost/loader.h"

static void check_name(const char *name)
{
	size_t len = strlen(name);

	assert_in_range(len, 1, 32);
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_"), len);
}

static void check_rows(const struct shoal_command *command, int depth)
{
	bool optional_seen = false;
	size_t i;

	if (command->kind == SHOAL_COMMAND_SLASH)
		check_name(command->name);
	else /* of a context menu: spaces and capitals may be in it */
		assert_in_range(strlen(command->name), 1, 32);
	assert_in_range(strlen(command->description), 1, 100);
	assert_true(depth <= 2);
	assert_true((command->child_count == 0) == (command->handle != NULL));
	assert_true(command->child_count == 0 || command->option_count == 0);
	assert_true(command->option_count <= 25 && command->child_count <= 25);
	for (i = 0; i < command->option_count; i++) {
		check_name(command->options[i].name);
		assert_in_range(strlen(command->options[i].description), 1, 100);
		assert_false(command->options[i].required && optional_seen);
		optional_seen |= !command->options[i].required;
	}
	for (i = 0; i < command->child_count; i++)
		check_rows(&command->children[i], depth + 1);
}

static void every_row_keeps_discords_rules(void **state)
{
	size_t i, j;

	(void)state;
	assert_true(registry_command_count >= 5 && registry_command_count <= 100);
	for (i = 0; i < registry_command_count; i++) {
		check_rows(registry_commands[i], 0);
		for (j = 0; j < i; j++)
			assert_string_not_equal(registry_commands[i]->name, registry_commands[j]->name);
	}
}

static void found_by_name_whatever_the_case(void **state)
{
	const struct shoal_command *settings = registry_find((struct shoal_str)SHOAL_STR("SeTtings"));

	(void)state;
	assert_non_null(settings);
	assert_non_null(registry_child(settings, (struct shoal_str)SHOAL_STR("prefix")));
	assert_null(registry_child(settings, (struct shoal_str)SHOAL_STR("prefi")));
	assert_null(registry_find((struct shoal_str)SHOAL_STR("settingsx")));
	assert_null(registry_find((struct shoal_str){ NULL, 0 }));
}

static void json_has_a_row_each(void **state)
{
	json_t *list = registration_to_json();
	const json_t *row;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(list), registry_command_count);
	json_array_foreach(list, i, row)
	{
		assert_string_equal(json_string_value(json_object_get(row, "name")), registry_commands[i]->name);
		assert_int_equal(json_integer_value(json_object_get(row, "type")), registry_commands[i]->kind + 1);
		assert_int_equal(json_is_array(json_object_get(row, "options")),
				 registry_commands[i]->kind == SHOAL_COMMAND_SLASH);
		if (registry_commands[i]->permissions)
			assert_true(json_is_string(json_object_get(row, "default_member_permissions")));
	}
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_keeps_discords_rules),
		cmocka_unit_test(found_by_name_whatever_the_case),
		cmocka_unit_test(json_has_a_row_each),
	};

	loader_add_linked();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
