/* Whether something may be done to a member: a table of cases, each one reason or none. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/discord/hierarchy.h"

#define P(name) SHOAL_PERMISSION(name)
#define NOW     1000000

enum { GUILD = 100, OWNER = 1, BOB = 2, EVE = 3, BOT = 9 };
enum { BOSS = 11, MOD = 12, HELPER = 13, MANAGED = 14, LOW = 15, TOP = 16, GONE = 99 };

static const struct shoal_role_view roles[] = {
	{ .id = GUILD, .position = 0, .permissions = P(CHANGE_NICKNAME) },
	{ .id = TOP, .position = 9 },
	{ .id = BOSS, .position = 8, .permissions = P(ADMINISTRATOR) },
	{ .id = MOD,
	  .position = 5,
	  .permissions =
		  P(KICK_MEMBERS) | P(BAN_MEMBERS) | P(MODERATE_MEMBERS) | P(MANAGE_NICKNAMES) | P(MANAGE_ROLES) },
	{ .id = HELPER, .position = 3 },
	{ .id = MANAGED, .position = 2, .flags = SHOAL_ROLE_MANAGED },
	{ .id = LOW, .position = 1 },
};
/* The bot stands at MOD, or as a case says. */
static const uint64_t mod[] = { MOD };

#define KICK  SHOAL_ACT_KICK
#define BAN   SHOAL_ACT_BAN
#define TIME  SHOAL_ACT_TIMEOUT
#define NICK  SHOAL_ACT_NICK
#define GIVE  SHOAL_ACT_ROLE_GIVE
#define STRIP SHOAL_ACT_ROLE_TAKE

static const struct {
	const char *name;
	enum shoal_act_kind kind;
	uint64_t asker, asker_role, target, target_role, bot_role, role;
	bool stranger, by_level;
	int64_t asker_timeout_ms;
	const struct shoal_phrase *why;
	uint64_t missing;
} cases[] = {
	{ "a moderator kicks a helper", KICK, BOB, BOSS, EVE, HELPER, MOD, .why = NULL },
	{ "without the permission", KICK, BOB, HELPER, EVE, LOW, MOD, .why = &phrase_ACT_YOU_LACK,
	  .missing = P(KICK_MEMBERS) },
	{ "by shoal's own level", KICK, BOB, HELPER, EVE, LOW, MOD, .by_level = true, .why = NULL },
	{ "by level, but not upwards", KICK, BOB, LOW, EVE, HELPER, MOD, .by_level = true,
	  .why = &phrase_ACT_ABOVE_YOU },
	{ "who is timed out has no permission", BAN, BOB, MOD, EVE, LOW, MOD, .asker_timeout_ms = NOW + 1,
	  .why = &phrase_ACT_YOU_LACK, .missing = P(BAN_MEMBERS) },
	{ "who was timed out has", BAN, BOB, MOD, EVE, LOW, MOD, .asker_timeout_ms = NOW, .why = NULL },
	{ "the same role", KICK, BOB, MOD, EVE, MOD, BOSS, .why = &phrase_ACT_ABOVE_YOU },
	{ "somebody above", KICK, BOB, MOD, EVE, BOSS, BOSS, .why = &phrase_ACT_ABOVE_YOU },
	{ "the owner asks", KICK, OWNER, 0, EVE, HELPER, MOD, .why = NULL },
	{ "the owner asks for what the bot can't", KICK, OWNER, 0, EVE, TOP, MOD, .why = &phrase_ACT_ABOVE_ME },
	{ "the owner is the target", BAN, BOB, BOSS, OWNER, 0, BOSS, .why = &phrase_ACT_OWNER },
	{ "the owner's name", NICK, BOB, BOSS, OWNER, 0, BOSS, .why = &phrase_ACT_OWNER },
	{ "the owner's own name", NICK, OWNER, 0, OWNER, 0, BOSS, .why = &phrase_ACT_ABOVE_ME },
	{ "the owner's roles are others'", GIVE, BOB, MOD, OWNER, 0, MOD, .role = LOW, .why = NULL },
	{ "oneself", KICK, BOB, BOSS, BOB, BOSS, MOD, .why = &phrase_ACT_SELF },
	{ "oneself, banned", BAN, BOB, BOSS, BOB, BOSS, MOD, .why = &phrase_ACT_SELF },
	{ "oneself, timed out", TIME, BOB, MOD, BOB, MOD, BOSS, .why = &phrase_ACT_SELF },
	{ "one's own name", NICK, BOB, LOW, BOB, LOW, MOD, .why = NULL },
	{ "another's name", NICK, BOB, LOW, EVE, 0, MOD, .why = &phrase_ACT_YOU_LACK, .missing = P(MANAGE_NICKNAMES) },
	{ "one's own role", GIVE, BOB, MOD, BOB, MOD, MOD, .role = HELPER, .why = NULL },
	{ "the bot", KICK, BOB, BOSS, BOT, MOD, MOD, .why = &phrase_ACT_BOT },
	{ "the bot, asked by the owner", BAN, OWNER, 0, BOT, MOD, MOD, .why = &phrase_ACT_BOT },
	{ "the bot's name", NICK, BOB, BOSS, BOT, MOD, MOD, .why = NULL },
	{ "the bot's name, by somebody below it", NICK, BOB, MOD, BOT, BOSS, BOSS, .why = &phrase_ACT_ABOVE_YOU },
	{ "the bot's roles", GIVE, BOB, BOSS, BOT, MOD, MOD, .role = LOW, .why = NULL },
	{ "an administrator's time-out", TIME, OWNER, 0, EVE, BOSS, TOP, .why = &phrase_ACT_ADMINISTRATOR },
	{ "an administrator is kicked", KICK, OWNER, 0, EVE, BOSS, TOP, .why = &phrase_ACT_I_LACK,
	  .missing = P(KICK_MEMBERS) },
	{ "a stranger is banned", BAN, BOB, MOD, EVE, 0, MOD, .stranger = true, .why = NULL },
	{ "a stranger is kicked", KICK, BOB, MOD, EVE, 0, MOD, .stranger = true, .why = &phrase_ACT_NO_MEMBER },
	{ "a stranger's time-out", TIME, BOB, MOD, EVE, 0, MOD, .stranger = true, .why = &phrase_ACT_NO_MEMBER },
	{ "a stranger's roles", GIVE, BOB, MOD, EVE, 0, MOD, .role = LOW, .stranger = true,
	  .why = &phrase_ACT_NO_MEMBER },
	{ "the bot lacks the permission", TIME, BOB, MOD, EVE, LOW, HELPER, .why = &phrase_ACT_I_LACK,
	  .missing = P(MODERATE_MEMBERS) },
	{ "the bot stands below", KICK, OWNER, 0, EVE, BOSS, MOD, .why = &phrase_ACT_ABOVE_ME },
	{ "the bot stands beside", KICK, OWNER, 0, EVE, MOD, MOD, .why = &phrase_ACT_ABOVE_ME },
	{ "a role below both", GIVE, BOB, MOD, EVE, BOSS, MOD, .role = HELPER, .why = NULL },
	{ "a role above the asker", GIVE, BOB, MOD, EVE, 0, BOSS, .role = TOP, .why = &phrase_ACT_ROLE_ABOVE_YOU },
	{ "the asker's own highest", STRIP, BOB, MOD, EVE, MOD, BOSS, .role = MOD, .why = &phrase_ACT_ROLE_ABOVE_YOU },
	{ "a role above the bot", STRIP, OWNER, 0, EVE, BOSS, MOD, .role = BOSS, .why = &phrase_ACT_ROLE_ABOVE_ME },
	{ "a role of an integration", GIVE, OWNER, 0, EVE, 0, MOD, .role = MANAGED, .why = &phrase_ACT_ROLE_MANAGED },
	{ "a role that is gone", GIVE, OWNER, 0, EVE, 0, MOD, .role = GONE, .why = &phrase_ACT_ROLE_GONE },
	{ "no role at all", GIVE, OWNER, 0, EVE, 0, MOD, .role = 0, .why = &phrase_ACT_ROLE_GONE },
	{ "everybody's role", STRIP, OWNER, 0, EVE, 0, MOD, .role = GUILD, .why = &phrase_ACT_ROLE_EVERYONE },
	{ "the module by itself", GIVE, 0, 0, EVE, 0, MOD, .role = LOW, .why = NULL },
	{ "the module by itself, too high", GIVE, 0, 0, EVE, 0, MOD, .role = TOP, .why = &phrase_ACT_ROLE_ABOVE_ME },
	{ "nobody is named", KICK, OWNER, 0, 0, 0, MOD, .why = &phrase_ACT_GUILD_UNKNOWN },
	{ "no such act", SHOAL_ACT_COUNT, OWNER, 0, EVE, 0, MOD, .why = &phrase_ACT_GUILD_UNKNOWN },
};

static struct shoal_guild_view guild_of(const uint64_t *bot_role)
{
	return (struct shoal_guild_view){ .id = GUILD,
					  .owner_id = OWNER,
					  .roles = roles,
					  .role_count = ARRAY_SIZE(roles),
					  .own_roles = bot_role,
					  .own_role_count = 1 };
}

static struct shoal_permissions_member member_of(uint64_t user_id, const uint64_t *role)
{
	return (struct shoal_permissions_member){ .user_id = user_id, .roles = role, .role_count = *role != 0 };
}

static void each_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct shoal_guild_view guild = guild_of(&cases[i].bot_role);
		struct shoal_act act = { .kind = cases[i].kind,
					 .guild = &guild,
					 .bot_id = BOT,
					 .asker = member_of(cases[i].asker, &cases[i].asker_role),
					 .asker_by_level = cases[i].by_level,
					 .target = member_of(cases[i].target, &cases[i].target_role),
					 .target_is_member = !cases[i].stranger,
					 .role_id = cases[i].role,
					 .now_ms = NOW };
		struct shoal_act_bar bar = { 0 };
		bool may;

		act.asker.timeout_ms = cases[i].asker_timeout_ms;
		may = hierarchy_allows(&act, &bar);
		if (may != !cases[i].why || bar.phrase != cases[i].why || bar.missing != cases[i].missing)
			fail_msg("%s: %s", cases[i].name, may ? "may" : bar.phrase->text[0]);
	}
}

/* Every {name} of a reason has its word, and the words say whom and what. */
static void reasons_are_whole(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct shoal_guild_view guild = guild_of(&cases[i].bot_role);
		struct shoal_act act = { .kind = cases[i].kind,
					 .guild = &guild,
					 .bot_id = BOT,
					 .asker = member_of(cases[i].asker, &cases[i].asker_role),
					 .target = member_of(cases[i].target, &cases[i].target_role),
					 .target_is_member = !cases[i].stranger,
					 .role_id = cases[i].role,
					 .now_ms = NOW };
		struct shoal_act_bar bar;

		if (hierarchy_allows(&act, &bar))
			continue;
		for (int language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
			phrases_print_text(bar.phrase, (enum shoal_language)language, bar.words, bar.word_count, text,
					   sizeof(text));
			if (strchr(text, '{'))
				fail_msg("%s: %s", cases[i].name, text);
		}
	}
	{
		struct shoal_guild_view guild = guild_of(mod);
		uint64_t boss = BOSS, low = LOW;
		struct shoal_act act = { .kind = KICK,
					 .guild = &guild,
					 .bot_id = BOT,
					 .asker = member_of(BOB, &low),
					 .asker_by_level = true,
					 .target = member_of(EVE, &boss),
					 .target_is_member = true };
		struct shoal_act_bar bar;

		assert_false(hierarchy_allows(&act, &bar));
		assert_false(bar.is_bots);
		phrases_print_text(bar.phrase, SHOAL_ENGLISH, bar.words, bar.word_count, text, sizeof(text));
		assert_non_null(strstr(text, "<@3> stands above you"));
	}
}

static void what_is_not_known_is_not_done(void **state)
{
	struct shoal_guild_view guild = guild_of(mod);
	uint64_t none = 0;
	struct shoal_act act = { .kind = KICK,
				 .guild = &guild,
				 .bot_id = BOT,
				 .asker = member_of(OWNER, &none),
				 .target = member_of(EVE, &none),
				 .target_is_member = true };
	struct shoal_act_bar bar;

	(void)state;
	assert_true(hierarchy_allows(&act, &bar));
	guild.unavailable = true;
	assert_false(hierarchy_allows(&act, &bar));
	assert_ptr_equal(bar.phrase, &phrase_ACT_GUILD_UNKNOWN);
	guild.unavailable = false;
	act.bot_id = 0;
	assert_false(hierarchy_allows(&act, &bar));
	act.bot_id = BOT;
	act.guild = NULL;
	assert_false(hierarchy_allows(&act, &bar));
	assert_true(bar.is_bots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason),
		cmocka_unit_test(reasons_are_whole),
		cmocka_unit_test(what_is_not_known_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
