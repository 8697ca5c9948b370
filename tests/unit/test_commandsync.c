/* Which differences between our commands and Discord's are differences. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "supervisor/commandsync.h"

static json_t *load(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s: %s", error.text, text);
	return json;
}

static void expect(const char *ours_text, const char *theirs_text, const char *names)
{
	json_t *ours = load(ours_text), *theirs = load(theirs_text);
	struct commandsync_difference difference;

	assert_int_equal(commandsync_compare(ours, theirs, &difference), 0);
	assert_string_equal(buf_cstr(&difference.names), names);
	buf_finish(&difference.names);
	json_decref(ours);
	json_decref(theirs);
}

#define OURS                                                                                                     \
	"{\"type\":1,\"name\":\"ping\",\"description\":\"Is it there\",\"options\":[{\"type\":3,\"name\":\"a\"," \
	"\"description\":\"x\",\"required\":false,\"choices\":[{\"name\":\"one\",\"value\":\"1\"}]}],"           \
	"\"default_member_permissions\":null,\"contexts\":[0,1],\"integration_types\":[0]}"
/* The same, as Discord gives it back: its own fields, defaults filled in, another order of keys and sets. */
#define THEIRS                                                                                                      \
	"{\"id\":\"1\",\"application_id\":\"2\",\"version\":\"3\",\"default_member_permissions\":null,\"type\":1,"  \
	"\"name\":\"ping\",\"name_localizations\":null,\"description\":\"Is it there\","                            \
	"\"description_localizations\":null,\"dm_permission\":true,\"contexts\":[1,0],\"integration_types\":[0],"   \
	"\"nsfw\":false,\"options\":[{\"type\":3,\"name\":\"a\",\"name_localizations\":null,\"description\":\"x\"," \
	"\"description_localizations\":null,\"choices\":[{\"name\":\"one\",\"name_localizations\":null,"            \
	"\"value\":\"1\"}]}]}"

static void test_same_in_other_words(void **state)
{
	(void)state;
	expect("[" OURS "]", "[" THEIRS "]", "");
	expect("[]", "[]", "");
	expect("[{\"name\":\"a\",\"description\":\"d\"}]",
	       "[{\"name\":\"a\",\"description\":\"d\",\"type\":1,\"options\":[],\"contexts\":[0,1,2],"
	       "\"integration_types\":[0]}]",
	       "");
	/* User commands have no description; Discord gives "". */
	expect("[{\"name\":\"Who\",\"type\":2}]", "[{\"name\":\"Who\",\"type\":2,\"description\":\"\"}]", "");
	expect("[{\"name\":\"n\",\"description\":\"d\",\"options\":[{\"type\":10,\"name\":\"x\",\"description\":\"y\","
	       "\"min_value\":1.0,\"max_value\":2.5}]}]",
	       "[{\"name\":\"n\",\"description\":\"d\",\"options\":[{\"type\":10,\"name\":\"x\",\"description\":\"y\","
	       "\"min_value\":1,\"max_value\":2.5}]}]",
	       "");
}

static void test_order_of_commands_means_nothing(void **state)
{
	(void)state;
	expect("[{\"name\":\"a\",\"description\":\"d\"},{\"name\":\"b\",\"description\":\"d\"}]",
	       "[{\"name\":\"b\",\"description\":\"d\"},{\"name\":\"a\",\"description\":\"d\"}]", "");
}

static void test_added_changed_removed(void **state)
{
	(void)state;
	expect("[" OURS "]", "[]", "+ping");
	expect("[]", "[" THEIRS "]", "-ping");
	expect("[{\"name\":\"ping\",\"description\":\"Other\"}]", "[" THEIRS "]", "~ping");
	expect("[{\"name\":\"a\",\"description\":\"d\"},{\"name\":\"c\",\"description\":\"new\"}]",
	       "[{\"name\":\"c\",\"description\":\"old\"},{\"name\":\"b\",\"description\":\"d\"}]", "+a ~c -b");
	/* A user command and a slash command of one name are two. */
	expect("[{\"name\":\"x\",\"description\":\"d\"}]", "[{\"name\":\"x\",\"type\":2}]", "+x -x");
}

/* Whatever in OURS is changed is seen; each replacement is one field. */
static void test_every_field_counts(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "\"Is it there\"", "\"Is it here\"" },
		{ "\"name\":\"a\"", "\"name\":\"b\"" },
		{ "\"type\":3", "\"type\":4" },
		{ "\"required\":false", "\"required\":true" },
		{ "\"value\":\"1\"", "\"value\":\"2\"" },
		{ "\"value\":\"1\"", "\"value\":1" },
		{ "\"name\":\"one\"", "\"name\":\"two\"" },
		{ "\"default_member_permissions\":null", "\"default_member_permissions\":\"0\"" },
		{ "\"contexts\":[0,1]", "\"contexts\":[0]" },
		{ "\"integration_types\":[0]", "\"integration_types\":[0,1]" },
		{ "\"description\":\"x\"", "\"description\":\"x\",\"autocomplete\":true" },
		{ "\"description\":\"x\"", "\"description\":\"x\",\"min_length\":1" },
		{ "\"description\":\"x\"", "\"description\":\"x\",\"name_localizations\":{\"de\":\"y\"}" },
		{ "\"description\":\"x\"", "\"description\":\"x\",\"options\":[{\"type\":3,\"name\":\"z\"}]" },
		{ "\"contexts\"", "\"nsfw\":true,\"contexts\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *at = strstr(OURS, changes[i].from);
		char text[2048];

		assert_non_null(at);
		snprintf(text, sizeof(text), "[%.*s%s%s]", (int)(at - OURS), OURS, changes[i].to,
			 at + strlen(changes[i].from));
		expect(text, "[" THEIRS "]", "~ping");
	}
}

static void test_order_of_options_counts(void **state)
{
	(void)state;
	expect("[{\"name\":\"n\",\"description\":\"d\",\"options\":[{\"type\":3,\"name\":\"a\"},{\"type\":3,\"name\":"
	       "\"b\"}]}]",
	       "[{\"name\":\"n\",\"description\":\"d\",\"options\":[{\"type\":3,\"name\":\"b\"},{\"type\":3,\"name\":"
	       "\"a\"}]}]",
	       "~n");
}

/* An entry point command is Discord's own business: kept, and put back as it was. */
static void test_entry_point_is_kept(void **state)
{
	json_t *ours = load("[{\"name\":\"a\",\"description\":\"d\"}]");
	json_t *theirs =
		load("[{\"id\":\"9\",\"application_id\":\"2\",\"version\":\"3\",\"name\":\"launch\",\"type\":4,"
		     "\"description\":\"\",\"handler\":2}]");
	json_t *body;

	(void)state;
	expect("[{\"name\":\"a\",\"description\":\"d\"}]",
	       "[{\"id\":\"9\",\"name\":\"launch\",\"type\":4,\"description\":\"\",\"handler\":2}]", "+a");
	body = commandsync_body(ours, theirs);
	assert_int_equal(json_array_size(body), 2);
	assert_null(json_object_get(json_array_get(body, 1), "id"));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(body, 1), "handler")), 2);
	json_decref(body);
	json_decref(theirs);
	json_decref(ours);
}

static void test_what_is_no_list(void **state)
{
	static const char *const texts[] = { "{}", "[1]", "[{}]", "[{\"name\":5}]", "[null]" };
	json_t *ours = load("[]");
	struct commandsync_difference difference;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *theirs = load(texts[i]);

		assert_int_equal(commandsync_compare(ours, theirs, &difference), -EBADMSG);
		json_decref(theirs);
	}
	assert_int_equal(commandsync_compare(ours, NULL, &difference), -EBADMSG);
	json_decref(ours);
}

/* Options within options within ...: from Discord, so bounded. */
static void test_depth_is_bounded(void **state)
{
	json_t *command = load("{\"name\":\"n\",\"description\":\"d\"}"), *at = command, *normal;

	(void)state;
	for (int depth = 0; depth < 500; depth++) {
		json_t *option = json_pack("{s:s}", "name", "o");

		json_object_set_new(at, "options", json_pack("[o]", option));
		at = option;
	}
	normal = commandsync_normalise(command);
	assert_non_null(normal);
	json_decref(normal);
	json_decref(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_in_other_words),     cmocka_unit_test(test_order_of_commands_means_nothing),
		cmocka_unit_test(test_added_changed_removed),   cmocka_unit_test(test_every_field_counts),
		cmocka_unit_test(test_order_of_options_counts), cmocka_unit_test(test_entry_point_is_kept),
		cmocka_unit_test(test_what_is_no_list),         cmocka_unit_test(test_depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
