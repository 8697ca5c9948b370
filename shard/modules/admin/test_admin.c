/* What of the module is pure: who is greeted, with which words, and who is notified; the phrases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <shoal/testing.h>

#include "shard/modules/admin/greeting.c"
#include "shard/modules/admin/phrases.c"

/* The module's descriptor, which would bring it, is not here. */
const struct shoal_api *shoal_api_table;

static int set_up(void **state)
{
	(void)state;
	shoal_test_begin();
	return 0;
}

static void every_phrase_in_every_language(void **state)
{
	static const struct shoal_phrase *const phrases[] = {
#define P(id, ...) PHRASE(id),
		ADMIN_PHRASES(P)
#undef P
	};
	static const char *const names[] = { "{user}",       "{name}",  "{server}", "{count}", "{channel}",
					     "{permission}", "{roles}", "{role}",   "{why}" };
	size_t i, j;
	int language;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(phrases); i++) {
		for (language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
			const char *text = phrases[i]->text[language];

			assert_non_null(text);
			assert_in_range(strlen(text), 1, 300);
			for (j = 0; j < SHOAL_COUNT(names); j++)
				assert_int_equal(!strstr(text, names[j]), !strstr(phrases[i]->text[0], names[j]));
		}
	}
}

static void who_is_greeted(void **state)
{
	struct wishes wishes = { .welcome_text = "", .welcome_dm = "", .leave_text = "" };
	struct person member = { .id = 5 }, bot = { .id = 6, .bot = true };

	(void)state;
	assert_false(greeting_wanted(GREETING_WELCOME, &wishes, &member));
	assert_false(greeting_wanted(GREETING_DM, &wishes, &member));
	assert_false(greeting_wanted(GREETING_LEAVE, &wishes, &member));
	wishes.welcome_channel = 1;
	wishes.leave_channel = 2;
	wishes.welcome_dm = "hi";
	assert_true(greeting_wanted(GREETING_WELCOME, &wishes, &member));
	assert_true(greeting_wanted(GREETING_DM, &wishes, &member));
	assert_true(greeting_wanted(GREETING_LEAVE, &wishes, &member));
	assert_false(greeting_wanted(GREETING_WELCOME, &wishes, &bot));
	wishes.welcome_bots = true;
	assert_true(greeting_wanted(GREETING_WELCOME, &wishes, &bot));
	/* Discord lets bots write to no bots. */
	assert_false(greeting_wanted(GREETING_DM, &wishes, &bot));
}

static void words_and_notifications(void **state)
{
	static struct greeting greeting;
	struct wishes wishes = { .welcome_text = "Hi {name}: {user}, {server}, {count}, {nix}",
				 .welcome_dm = "",
				 .leave_text = "",
				 .welcome_ping = true };
	const struct person member = { .id = 5, .name = "Eve", .avatar = "../x" };
	struct shoal_guild_view guild = { .id = 1, .name = SHOAL_STR("Home"), .member_count = 42 };

	(void)state;
	greeting_make(&greeting, GREETING_WELCOME, &wishes, &member, &guild, SHOAL_GERMAN);
	assert_string_equal(greeting.content.text, "Hi Eve: <@5>, Home, 42, {nix}");
	assert_int_equal(greeting.content.mentions.user_count, 1);
	assert_int_equal(greeting.content.mentions.users[0], 5);
	assert_false(greeting.content.mentions.everyone || greeting.content.mentions.all_users);
	wishes.welcome_embed = true;
	greeting_make(&greeting, GREETING_WELCOME, &wishes, &member, &guild, SHOAL_ENGLISH);
	assert_string_equal(greeting.content.text, "<@5>");
	assert_string_equal(greeting.embed.description, "Hi Eve: <@5>, Home, 42, {nix}");
	/* A hash that is none makes no address. */
	assert_non_null(strstr(greeting.embed.thumbnail_url, "/embed/avatars/"));
	wishes.welcome_ping = false;
	greeting_make(&greeting, GREETING_WELCOME, &wishes, &member, &guild, SHOAL_ENGLISH);
	assert_null(greeting.content.text);
	assert_int_equal(greeting.content.mentions.user_count, 0);
	/* Who is not named is not notified, and who leaves never. */
	wishes = (struct wishes){
		.welcome_text = "Somebody came", .welcome_dm = "", .leave_text = "", .welcome_ping = true
	};
	greeting_make(&greeting, GREETING_WELCOME, &wishes, &member, NULL, SHOAL_ENGLISH);
	assert_int_equal(greeting.content.mentions.user_count, 0);
	greeting_make(&greeting, GREETING_LEAVE, &wishes, &member, NULL, SHOAL_ENGLISH);
	assert_int_equal(greeting.content.mentions.user_count, 0);
	assert_non_null(strstr(greeting.content.text, "**Eve** has left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_phrase_in_every_language, set_up),
		cmocka_unit_test_setup(who_is_greeted, set_up),
		cmocka_unit_test_setup(words_and_notifications, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
