/* The rules of a server about who may do what: their text, and a table of cases of what they mean. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/phrases/phrases.h"
#include "shared/settings/access_rules.h"

enum { GUILD = 100, BOB = 2, EVE = 3, MODS = 11, HELPERS = 12, THREAD = 201, CHANNEL = 202, CATEGORY = 203 };

static void parse(const char *text, struct access_rules *rules)
{
	struct access_fault fault;
	int r = access_rules_parse(text, rules, &fault);

	if (r < 0)
		fail_msg("%s: %s", text, fault.phrase->text[SHOAL_ENGLISH]);
}

static void texts_go_there_and_back(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "", "" },
		{ "\n\n ; a remark\n", "" },
		{ "grant moderator <@&1> <@2>", "grant moderator <@&1> <@2>" },
		{ "grant  moderator <@&1>,<@!2>\r\ngrant moderator <@&3>", "grant moderator <@&1> <@2> <@&3>" },
		{ "allow /poll <@&1>\ndeny all <@5>\nallow /poll <#3> <@&1>", "allow /poll <@&1> <#3>\ndeny all <@5>" },
		{ "need /settings.set admin\nneed utility helper", "need /settings.set admin\nneed utility helper" },
		{ "deny utility <@0>", "deny utility <@1>" }, /* somebody who asked to be forgotten */
		{ "allow /größe <#9>", "allow /größe <#9>" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct access_rules rules;
		char *text;

		parse(rows[i].from, &rules);
		assert_int_equal(access_rules_print(&rules, &text), 0);
		assert_string_equal(text, rows[i].to);
		free(text);
		access_rules_finish(&rules);
	}
}

static void what_is_no_rule(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "permit all <@1>", "Line 1 of the rules: it begins with" },
		{ "\ngrant", "Line 2 of the rules: it ends too soon" },
		{ "grant owner <@1>", "the levels are" },
		{ "grant member <@1>", "the levels are" },
		{ "grant operator <@1>", "the levels are" },
		{ "grant chief <@1>", "the levels are" },
		{ "grant admin <#1>", "given to roles and members" },
		{ "grant admin", "names no role" },
		{ "allow all", "names no role" },
		{ "allow all @everyone", "as <@&1>" },
		{ "allow all <@&1", "as <@&1>" },
		{ "allow all <@>", "as <@&1>" },
		{ "allow all <:1>", "as <@&1>" },
		{ "allow all <@99999999999999999999>", "as <@&1>" },
		{ "allow all <@9223372036854775808>", "as <@&1>" },
		{ "allow All <@1>", "a rule is for" },
		{ "allow / <@1>", "a rule is for" },
		{ "allow /a..b <@1>", "a rule is for" },
		{ "allow /.b <@1>", "a rule is for" },
		{ "allow /b. <@1>", "a rule is for" },
		{ "allow /B <@1>", "a rule is for" },
		{ "allow /`x` <@1>", "a rule is for" },
		{ "allow a-b <@1>", "a rule is for" },
		{ "need /x", "ends too soon" },
		{ "need /x operator", "the levels are" },
		{ "need /x admin <@1>", "stands behind" },
	};
	struct access_fault fault;
	char text[256], said[256], number[16];
	struct access_rules rules = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(access_rules_parse(rows[i].text, &rules, &fault), -EINVAL);
		snprintf(number, sizeof(number), "%d", (int)fault.number);
		phrases_print_text(fault.phrase, SHOAL_ENGLISH, &(struct shoal_word){ "number", number }, 1, said,
				   sizeof(said));
		if (!strstr(said, rows[i].words))
			fail_msg("%s: %s", rows[i].text, said);
	}
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "allow /", 7);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(access_rules_parse(text, &rules, &fault), -EINVAL);
	assert_ptr_equal(fault.phrase, &phrase_RULES_NAME_LONG);
}

static void too_many(void **state)
{
	char *text = malloc(64 * ACCESS_SUBJECTS_MAX);
	struct access_fault fault;
	size_t len = 0;
	struct access_rules rules;

	(void)state;
	for (int i = 1; i <= ACCESS_SUBJECTS_MAX; i++)
		len += (size_t)sprintf(text + len, "deny all <@%d>\n", i);
	parse(text, &rules);
	assert_int_equal(rules.count, ACCESS_SUBJECTS_MAX);
	assert_int_equal(access_rules_add(&rules, ACCESS_DENY, "all", 0, ACCESS_USER, 1), 0);
	assert_int_equal(access_rules_add(&rules, ACCESS_DENY, "all", 0, ACCESS_USER, 9999), -E2BIG);
	access_rules_finish(&rules);
	sprintf(text + len, "deny all <@9999>");
	assert_int_equal(access_rules_parse(text, &rules, &fault), -E2BIG);
	assert_ptr_equal(fault.phrase, &phrase_RULES_MANY);
	assert_int_equal(fault.number, 400);
	free(text);
}

static void added_and_taken_out(void **state)
{
	struct access_rules rules;
	char *text;

	(void)state;
	parse("grant admin <@&1>\nallow /poll <@&1> <#1>\ndeny all <@1>\nneed /poll helper", &rules);
	assert_int_equal(access_rules_add(&rules, ACCESS_GRANT, "", SHOAL_LEVEL_HELPER, ACCESS_ROLE, 1), 1);
	assert_int_equal(access_rules_add(&rules, ACCESS_GRANT, "", SHOAL_LEVEL_OPERATOR, ACCESS_ROLE, 1), -EINVAL);
	assert_int_equal(access_rules_add(&rules, ACCESS_GRANT, "all", SHOAL_LEVEL_HELPER, ACCESS_ROLE, 1), -EINVAL);
	assert_int_equal(access_rules_add(&rules, ACCESS_ALLOW, "/poll", 0, ACCESS_ROLE, 0), -EINVAL);
	assert_int_equal(access_rules_remove(&rules, ACCESS_GRANT, NULL, ACCESS_ROLE, 1), 2);
	assert_int_equal(access_rules_remove(&rules, ACCESS_GRANT, NULL, ACCESS_ROLE, 1), 0);
	assert_int_equal(access_rules_remove(&rules, ACCESS_VERB_COUNT, "/poll", ACCESS_CHANNEL, 1), 1);
	assert_int_equal(access_rules_print(&rules, &text), 0);
	assert_string_equal(text, "allow /poll <@&1>\ndeny all <@1>\nneed /poll helper");
	free(text);
	assert_int_equal(access_rules_remove(&rules, ACCESS_VERB_COUNT, "/poll", ACCESS_USER, 0), 2);
	assert_int_equal(rules.count, 1);
	access_rules_finish(&rules);
}

/* Bob, who has MODS, in a thread of a channel of a category, uses /settings set of the module core. */
static const struct {
	const char *name, *rules;
	enum access_outcome outcome;
	const char *target;
	bool others; /* denied by no rule about him, but because others are on the list */
	int level;   /* -1: not set */
} cases[] = {
	{ "no rules", "", ACCESS_FREE, NULL, false, -1 },
	{ "of others", "deny /ping <@2>\ndeny utility <@2>\nallow /settingsx <@3>\nallow /settings.show <@3>",
	  ACCESS_FREE, NULL, false, -1 },
	{ "denied himself, everywhere", "deny all <@2>", ACCESS_NOT_YOU, "all", false, -1 },
	{ "denied himself, for the module", "deny core <@2>", ACCESS_NOT_YOU, "core", false, -1 },
	{ "denied himself, for the command", "deny /settings <@2>", ACCESS_NOT_YOU, "/settings", false, -1 },
	{ "denied himself, for the subcommand", "deny /settings.set <@2>", ACCESS_NOT_YOU, "/settings.set", false, -1 },
	{ "another is denied", "deny all <@3>", ACCESS_FREE, NULL, false, -1 },
	{ "his role is denied", "deny all <@&11>", ACCESS_NOT_YOU, "all", false, -1 },
	{ "a role he has not is denied", "deny all <@&12>", ACCESS_FREE, NULL, false, -1 },
	{ "everybody is denied", "deny all <@&100>", ACCESS_NOT_YOU, "all", false, -1 },
	{ "everybody but his role", "deny all <@&100>\nallow all <@&11>", ACCESS_FREE, NULL, false, -1 },
	{ "his own rule before his roles'", "deny all <@2>\nallow all <@&11>", ACCESS_NOT_YOU, "all", false, -1 },
	{ "his own rule before his roles', the other way", "allow all <@2>\ndeny all <@&11>", ACCESS_FREE, NULL, false,
	  -1 },
	{ "a deny of his own before an allow of his own", "allow all <@2>\ndeny all <@2>", ACCESS_NOT_YOU, "all", false,
	  -1 },
	{ "only others are allowed", "allow /settings <@&12>", ACCESS_NOT_YOU, "/settings", true, -1 },
	{ "he is allowed", "allow /settings <@&12> <@&11>", ACCESS_FREE, NULL, false, -1 },
	{ "nearer counts: allowed", "deny all <@2>\nallow /settings <@2>", ACCESS_FREE, NULL, false, -1 },
	{ "nearer counts: denied", "allow all <@2>\ndeny core <@&11>", ACCESS_NOT_YOU, "core", false, -1 },
	{ "nearest of four", "deny /settings.set <@&100>\nallow /settings <@2>\nallow core <@2>\nallow all <@2>",
	  ACCESS_NOT_YOU, "/settings.set", false, -1 },
	{ "a nearer list on which he is not", "allow all <@2>\nallow /settings <@3>", ACCESS_NOT_YOU, "/settings", true,
	  -1 },
	{ "a nearer rule about others says nothing", "deny all <@2>\ndeny /settings <@3>", ACCESS_NOT_YOU, "all", false,
	  -1 },
	{ "the channel is denied", "deny all <#202>", ACCESS_NOT_HERE, "all", false, -1 },
	{ "the category is denied", "deny core <#203>", ACCESS_NOT_HERE, "core", false, -1 },
	{ "a channel of a denied category is allowed", "deny core <#203>\nallow core <#202>", ACCESS_FREE, NULL, false,
	  -1 },
	{ "a thread of an allowed channel is denied", "allow core <#202>\ndeny core <#201>", ACCESS_NOT_HERE, "core",
	  false, -1 },
	{ "another channel is allowed", "allow /settings <#299>", ACCESS_NOT_HERE, "/settings", true, -1 },
	{ "the category is allowed", "allow /settings <#299> <#203>", ACCESS_FREE, NULL, false, -1 },
	{ "nearer counts for channels, too", "deny all <#202>\nallow /settings.set <#202>", ACCESS_FREE, NULL, false,
	  -1 },
	{ "who and where both count", "allow /settings <@2>\ndeny all <#202>", ACCESS_NOT_HERE, "all", false, -1 },
	{ "who and where both count, the other way", "allow /settings <#202>\ndeny all <@2>", ACCESS_NOT_YOU, "all",
	  false, -1 },
	{ "another level", "need /settings helper", ACCESS_FREE, NULL, false, SHOAL_LEVEL_HELPER },
	{ "the nearest level", "need all admin\nneed core owner\nneed /settings trusted\nneed /settings.show admin",
	  ACCESS_FREE, NULL, false, SHOAL_LEVEL_TRUSTED },
	{ "no level at all", "need all admin\nneed /settings.set member", ACCESS_FREE, NULL, false,
	  SHOAL_LEVEL_MEMBER },
	{ "a level and a list", "need all admin\ndeny /settings.set <@2>", ACCESS_NOT_YOU, "/settings.set", false,
	  SHOAL_LEVEL_ADMIN },
};

static struct access_question question_of_bob(const uint64_t *roles)
{
	return (struct access_question){ .module = "core",
					 .path = "settings set",
					 .guild_id = GUILD,
					 .user_id = BOB,
					 .roles = roles,
					 .role_count = 1,
					 .places = { THREAD, CHANNEL, CATEGORY } };
}

static void what_rules_mean(void **state)
{
	static const uint64_t roles[] = { MODS };
	struct access_question question = question_of_bob(roles);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct access_verdict verdict;
		struct access_rules rules;

		parse(cases[i].rules, &rules);
		access_rules_judge(&rules, &question, &verdict);
		if (verdict.outcome != cases[i].outcome || !verdict.target != !cases[i].target ||
		    (verdict.target && strcmp(verdict.target, cases[i].target) != 0) ||
		    (verdict.target && !verdict.rule != cases[i].others) ||
		    (verdict.level_set ? (int)verdict.level : -1) != cases[i].level)
			fail_msg("%s: outcome %d, on the list of %s, rule %d, level %d", cases[i].name, verdict.outcome,
				 verdict.target ? verdict.target : "nobody", verdict.rule != NULL,
				 verdict.level_set ? (int)verdict.level : -1);
		access_rules_finish(&rules);
	}
}

static void components_have_no_path(void **state)
{
	static const uint64_t roles[] = { MODS };
	struct access_question question = question_of_bob(roles);
	struct access_verdict verdict;
	struct access_rules rules;

	(void)state;
	question.path = "";
	parse("deny /settings <@2>", &rules);
	access_rules_judge(&rules, &question, &verdict);
	assert_int_equal(verdict.outcome, ACCESS_FREE);
	access_rules_finish(&rules);
	question.module = NULL;
	parse("deny core <@2>\ndeny all <@2>", &rules);
	access_rules_judge(&rules, &question, &verdict);
	assert_string_equal(verdict.target, "all");
	access_rules_finish(&rules);
}

static void levels_that_were_given(void **state)
{
	static const struct {
		const char *rules;
		enum shoal_level level;
	} rows[] = {
		{ "", SHOAL_LEVEL_MEMBER },
		{ "grant helper <@&11>", SHOAL_LEVEL_HELPER },
		{ "grant helper <@&12>", SHOAL_LEVEL_MEMBER },
		{ "grant helper <@2>", SHOAL_LEVEL_HELPER },
		{ "grant helper <@3>", SHOAL_LEVEL_MEMBER },
		{ "grant admin <@&11>\ngrant helper <@2>", SHOAL_LEVEL_ADMIN },
		{ "grant trusted <@&100>", SHOAL_LEVEL_TRUSTED },
		{ "grant moderator <@11>", SHOAL_LEVEL_MEMBER }, /* a member of a role's id */
	};
	static const uint64_t roles[] = { MODS };
	struct access_question question = question_of_bob(roles);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct access_rules rules;

		parse(rows[i].rules, &rules);
		if (access_rules_granted(&rules, &question) != rows[i].level)
			fail_msg("%s", rows[i].rules);
		access_rules_finish(&rules);
	}
}

static void places_where_it_works(void **state)
{
	static const uint64_t roles[] = { MODS };
	struct access_question question = question_of_bob(roles);
	struct access_rules rules;
	uint64_t ids[2];

	(void)state;
	parse("allow core <#1>\nallow /settings <#5> <@7> <#6>\nallow /ping <#8>\nallow /settings <#9>", &rules);
	assert_int_equal(access_rules_places(&rules, &question, ids, 2), 2);
	assert_int_equal(ids[0], 5);
	assert_int_equal(ids[1], 6);
	access_rules_finish(&rules);
}

/* Full of rules, none of which decides: the worst there is. Not a measurement of this machine but a bound that a slip
 * to something quadratic would break. */
static void a_full_list_is_cheap(void **state)
{
	static const uint64_t roles[] = { MODS, 21, 22, 23, 24, 25, 26, 27, 28, 29 };
	struct access_question question = question_of_bob(roles);
	struct access_rules rules = { 0 };
	struct access_verdict verdict;
	uint64_t best = UINT64_MAX;
	char target[32];

	(void)state;
	question.role_count = ARRAY_SIZE(roles);
	for (uint64_t i = 0; i < ACCESS_SUBJECTS_MAX; i++) {
		snprintf(target, sizeof(target), "/settings%d", (int)(i / 4));
		assert_int_equal(
			access_rules_add(&rules, ACCESS_DENY, i % 2 ? target : "core", 0, ACCESS_ROLE, 1000 + i), 1);
	}
	for (int round = 0; round < 50; round++) {
		uint64_t begun = clock_monotonic_ns(), took;

		access_rules_judge(&rules, &question, &verdict);
		took = clock_monotonic_ns() - begun;
		best = took < best ? took : best;
	}
	assert_int_equal(verdict.outcome, ACCESS_FREE);
	access_rules_finish(&rules);
	print_message("%u rules: %llu ns\n", ACCESS_SUBJECTS_MAX, (unsigned long long)best);
	assert_in_range(best, 0, 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_go_there_and_back),
		cmocka_unit_test(what_is_no_rule),
		cmocka_unit_test(too_many),
		cmocka_unit_test(added_and_taken_out),
		cmocka_unit_test(what_rules_mean),
		cmocka_unit_test(components_have_no_path),
		cmocka_unit_test(levels_that_were_given),
		cmocka_unit_test(places_where_it_works),
		cmocka_unit_test(a_full_list_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
