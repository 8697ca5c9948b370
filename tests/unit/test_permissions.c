/* Permissions: a table of cases, each one rule of the algorithm (discord-facts section 10). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include <shoal/permissions.h>

#define P(name) SHOAL_PERMISSION(name)

enum { GUILD = 100, OWNER = 1, BOB = 2, ADMIN = 11, MOD = 12, HELPER = 13, MUTED = 14, TWIN = 15, GONE = 99 };
enum {
	TEXT = 201,
	VOICE,
	FORUM,
	CLOSED,
	OWN,
	STACKED,
	PUBLIC_THREAD,
	PRIVATE_THREAD,
	ORPHAN_THREAD,
	CLOSED_THREAD,
	LOCKED_THREAD,
	STAGE,
	FUTURE
};
#define NOW 1000000

#define EVERYONE (P(VIEW_CHANNEL) | P(SEND_MESSAGES) | P(EMBED_LINKS) | P(CONNECT) | P(SPEAK))

static const struct shoal_role_view roles[] = {
	{ .id = GUILD, .position = 0, .permissions = EVERYONE },
	{ .id = ADMIN, .position = 5, .permissions = P(ADMINISTRATOR) },
	{ .id = MOD, .position = 4, .permissions = P(MANAGE_THREADS) | P(KICK_MEMBERS) },
	{ .id = HELPER, .position = 2, .permissions = P(SEND_MESSAGES_IN_THREADS) | P(ATTACH_FILES) },
	{ .id = MUTED, .position = 1, .permissions = 0 },
	{ .id = TWIN, .position = 4, .permissions = 0 },
};

static const struct shoal_overwrite_view closed[] = { { .id = GUILD, .deny = P(VIEW_CHANNEL) },
						      { .id = MOD, .allow = P(VIEW_CHANNEL) } };
static const struct shoal_overwrite_view muted[] = { { .id = MUTED, .deny = P(SEND_MESSAGES) },
						     { .id = HELPER, .allow = P(MANAGE_MESSAGES) },
						     { .id = GONE, .deny = P(VIEW_CHANNEL) } };
static const struct shoal_overwrite_view own[] = {
	{ .id = GUILD, .deny = P(SEND_MESSAGES) },
	{ .id = MUTED, .deny = P(SEND_MESSAGES) },
	{ .id = BOB, .member = true, .allow = P(SEND_MESSAGES), .deny = P(SPEAK) },
	{ .id = BOB, .allow = P(BAN_MEMBERS) }
};
/* A role's allow wins over another role's deny, whatever their places and their order here. */
static const struct shoal_overwrite_view stacked[] = { { .id = HELPER, .allow = P(SEND_MESSAGES) },
						       { .id = MOD, .deny = P(SEND_MESSAGES) } };
static const struct shoal_overwrite_view locked[] = { { .id = GUILD, .deny = P(CONNECT) },
						      { .id = MOD, .allow = P(MANAGE_CHANNELS) } };

/* A bit that nobody knows yet; everyone's, a role's and the member's in turn. */
#define UNKNOWN (UINT64_C(1) << 60)
static const struct shoal_overwrite_view future[] = {
	{ .id = BOB, .member = true, .allow = P(EMBED_LINKS), .deny = P(ATTACH_FILES) },
	{ .id = HELPER, .allow = UNKNOWN | P(ATTACH_FILES), .deny = P(CONNECT) },
	{ .id = GUILD, .allow = P(CONNECT), .deny = P(EMBED_LINKS) | P(SPEAK) | UNKNOWN },
};

static const struct shoal_channel_view channels[] = {
	{ .id = TEXT, .type = SHOAL_CHANNEL_TEXT, .overwrites = muted, .overwrite_count = 3 },
	{ .id = VOICE, .type = SHOAL_CHANNEL_VOICE, .overwrites = locked, .overwrite_count = 2 },
	{ .id = FORUM, .type = SHOAL_CHANNEL_FORUM },
	{ .id = CLOSED, .type = SHOAL_CHANNEL_TEXT, .overwrites = closed, .overwrite_count = 2 },
	{ .id = OWN, .type = SHOAL_CHANNEL_TEXT, .overwrites = own, .overwrite_count = 4 },
	{ .id = STACKED, .type = SHOAL_CHANNEL_TEXT, .overwrites = stacked, .overwrite_count = 2 },
	{ .id = STAGE, .type = SHOAL_CHANNEL_STAGE, .overwrites = locked, .overwrite_count = 2 },
	{ .id = FUTURE, .type = 77, .overwrites = future, .overwrite_count = 3 },
};

static const struct shoal_thread_view threads[] = {
	{ .id = PUBLIC_THREAD, .parent_id = TEXT, .type = SHOAL_CHANNEL_PUBLIC_THREAD },
	{ .id = PRIVATE_THREAD, .parent_id = TEXT, .type = SHOAL_CHANNEL_PRIVATE_THREAD },
	{ .id = ORPHAN_THREAD, .parent_id = 9999, .type = SHOAL_CHANNEL_PUBLIC_THREAD },
	{ .id = CLOSED_THREAD, .parent_id = CLOSED, .type = SHOAL_CHANNEL_PUBLIC_THREAD },
	{ .id = LOCKED_THREAD, .parent_id = FORUM, .type = SHOAL_CHANNEL_PUBLIC_THREAD, .flags = SHOAL_THREAD_LOCKED },
};

static const struct shoal_guild_view guild = {
	.id = GUILD,
	.owner_id = OWNER,
	.roles = roles,
	.role_count = 6,
	.channels = channels,
	.channel_count = 8,
	.threads = threads,
	.thread_count = 5,
};

#define MAX_ROLES 3
struct case_row {
	const char *name;
	uint64_t user_id;
	uint64_t roles[MAX_ROLES];
	int64_t timeout_ms;
	bool in_thread;
	uint64_t channel_id; /* 0: the guild */
	bool unknown;
	uint64_t expected;
};

static const struct case_row cases[] = {
	{ "everyone's", BOB, { 0 }, 0, false, 0, false, EVERYONE },
	{ "a role adds", BOB, { MOD }, 0, false, 0, false, EVERYONE | P(MANAGE_THREADS) | P(KICK_MEMBERS) },
	{ "a role that is gone is passed over",
	  BOB,
	  { GONE, HELPER },
	  0,
	  false,
	  0,
	  false,
	  EVERYONE | P(SEND_MESSAGES_IN_THREADS) | P(ATTACH_FILES) },
	{ "the owner has all", OWNER, { 0 }, 0, false, 0, false, UINT64_MAX },
	{ "an administrator has all", BOB, { ADMIN }, 0, false, 0, false, UINT64_MAX },
	{ "administrators pass overwrites", BOB, { ADMIN, MUTED }, 0, false, CLOSED, false, UINT64_MAX },
	{ "the owner passes overwrites", OWNER, { MUTED }, 0, false, CLOSED, false, UINT64_MAX },
	{ "a channel without overwrites", BOB, { 0 }, 0, false, FORUM, false, EVERYONE },
	{ "an unknown channel", BOB, { 0 }, 0, false, 12345, true, 0 },
	{ "everyone's overwrite closes", BOB, { HELPER }, 0, false, CLOSED, false, 0 },
	{ "a role's overwrite opens",
	  BOB,
	  { MOD },
	  0,
	  false,
	  CLOSED,
	  false,
	  EVERYONE | P(MANAGE_THREADS) | P(KICK_MEMBERS) },
	{ "who can't send can't embed",
	  BOB,
	  { MUTED },
	  0,
	  false,
	  TEXT,
	  false,
	  P(VIEW_CHANNEL) | P(CONNECT) | P(SPEAK) },
	{ "overwrites of roles one has not are passed over", BOB, { 0 }, 0, false, TEXT, false, EVERYONE },
	{ "a role's allow wins over another's deny",
	  BOB,
	  { MOD, HELPER },
	  0,
	  false,
	  STACKED,
	  false,
	  EVERYONE | P(MANAGE_THREADS) | P(KICK_MEMBERS) | P(SEND_MESSAGES_IN_THREADS) | P(ATTACH_FILES) },
	{ "alone the deny counts",
	  BOB,
	  { MOD },
	  0,
	  false,
	  STACKED,
	  false,
	  (EVERYONE | P(MANAGE_THREADS) | P(KICK_MEMBERS)) & ~(P(SEND_MESSAGES) | P(EMBED_LINKS)) },
	{ "the member's own comes last, a role of the same id is another",
	  BOB,
	  { MUTED },
	  0,
	  false,
	  OWN,
	  false,
	  EVERYONE & ~P(SPEAK) },
	{ "another's own is another's",
	  3,
	  { 0 },
	  0,
	  false,
	  OWN,
	  false,
	  EVERYONE & ~(P(SEND_MESSAGES) | P(EMBED_LINKS)) },
	{ "timed out", BOB, { MOD }, NOW + 1, false, 0, false, P(VIEW_CHANNEL) },
	{ "timed out in a channel", BOB, { 0 }, NOW + 1, false, FORUM, false, P(VIEW_CHANNEL) },
	{ "timed out in the past", BOB, { 0 }, NOW, false, FORUM, false, EVERYONE },
	{ "a time-out does not touch the owner", OWNER, { 0 }, NOW + 1, false, 0, false, UINT64_MAX },
	{ "nor an administrator", BOB, { ADMIN }, NOW + 1, false, FORUM, false, UINT64_MAX },
	{ "voice without connect",
	  BOB,
	  { MOD },
	  0,
	  false,
	  VOICE,
	  false,
	  P(VIEW_CHANNEL) | P(SEND_MESSAGES) | P(EMBED_LINKS) | P(MANAGE_THREADS) | P(KICK_MEMBERS) },
	{ "a thread asks for sending in threads",
	  BOB,
	  { 0 },
	  0,
	  false,
	  PUBLIC_THREAD,
	  false,
	  P(VIEW_CHANNEL) | P(CONNECT) | P(SPEAK) },
	{ "and has its parent's overwrites",
	  BOB,
	  { HELPER, MUTED },
	  0,
	  false,
	  PUBLIC_THREAD,
	  false,
	  EVERYONE | P(SEND_MESSAGES_IN_THREADS) | P(ATTACH_FILES) | P(MANAGE_MESSAGES) },
	{ "a thread of a closed channel", BOB, { HELPER }, 0, false, CLOSED_THREAD, false, 0 },
	{ "a private thread of others", BOB, { HELPER }, 0, false, PRIVATE_THREAD, false, 0 },
	{ "a private thread of one's own",
	  BOB,
	  { 0 },
	  0,
	  true,
	  PRIVATE_THREAD,
	  false,
	  P(VIEW_CHANNEL) | P(CONNECT) | P(SPEAK) },
	{ "a private thread seen by its keeper",
	  BOB,
	  { MOD },
	  0,
	  false,
	  PRIVATE_THREAD,
	  false,
	  (EVERYONE | P(MANAGE_THREADS) | P(KICK_MEMBERS)) & ~(P(SEND_MESSAGES) | P(EMBED_LINKS)) },
	{ "a locked thread",
	  BOB,
	  { HELPER },
	  0,
	  false,
	  LOCKED_THREAD,
	  false,
	  (EVERYONE | P(SEND_MESSAGES_IN_THREADS)) & ~(P(SEND_MESSAGES) | P(EMBED_LINKS)) },
	{ "a locked thread and its keeper",
	  BOB,
	  { HELPER, MOD },
	  0,
	  false,
	  LOCKED_THREAD,
	  false,
	  EVERYONE | P(SEND_MESSAGES_IN_THREADS) | P(ATTACH_FILES) | P(MANAGE_THREADS) | P(KICK_MEMBERS) },
	{ "who is timed out keeps no thread", BOB, { MOD }, NOW + 1, false, PRIVATE_THREAD, false, 0 },
	{ "but sees his own", BOB, { MOD }, NOW + 1, true, PRIVATE_THREAD, false, P(VIEW_CHANNEL) },
	{ "a stage without connect",
	  BOB,
	  { 0 },
	  0,
	  false,
	  STAGE,
	  false,
	  P(VIEW_CHANNEL) | P(SEND_MESSAGES) | P(EMBED_LINKS) },
	{ "the owner in a private thread of others", OWNER, { 0 }, 0, false, PRIVATE_THREAD, false, UINT64_MAX },
	{ "overwrites in their order, whatever theirs; unknown bits and kinds",
	  BOB,
	  { HELPER },
	  0,
	  false,
	  FUTURE,
	  false,
	  (EVERYONE | P(SEND_MESSAGES_IN_THREADS) | UNKNOWN) & ~(P(SPEAK) | P(CONNECT)) },
	{ "a thread whose parent is not known", BOB, { 0 }, 0, false, ORPHAN_THREAD, true, 0 },
};

static struct shoal_permissions_member member_of(uint64_t user_id, const uint64_t *role_ids)
{
	struct shoal_permissions_member member = { .user_id = user_id, .roles = role_ids };

	while (member.role_count < MAX_ROLES && role_ids[member.role_count])
		member.role_count++;
	return member;
}

static void each_rule(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct case_row *row = &cases[i];
		struct shoal_permissions_member member = member_of(row->user_id, row->roles);
		uint64_t bits = 0xABCD;
		bool known = true;

		member.timeout_ms = row->timeout_ms;
		member.in_thread = row->in_thread;
		if (row->channel_id)
			known = shoal_permissions_in_channel(&guild, &member, row->channel_id, NOW, &bits);
		else
			bits = shoal_permissions_in_guild(&guild, &member, NOW);
		if (known == row->unknown || (known ? bits != row->expected : bits != 0xABCD))
			fail_msg("%s: %#llx instead of %#llx", row->name, (unsigned long long)bits,
				 (unsigned long long)row->expected);
	}
}

static void who_stands_above_whom(void **state)
{
	static const struct {
		uint64_t user_id, roles[MAX_ROLES], other_id, other_roles[MAX_ROLES];
		bool above;
	} rows[] = {
		{ OWNER, { 0 }, BOB, { ADMIN }, true },
		{ BOB, { ADMIN }, OWNER, { 0 }, false },
		{ BOB, { MOD }, 3, { HELPER }, true },
		{ BOB, { HELPER }, 3, { MOD }, false },
		{ BOB, { MOD }, 3, { MOD }, false },
		{ BOB, { MOD }, 3, { TWIN }, true }, /* the lower id */
		{ BOB, { TWIN }, 3, { MOD }, false },
		{ BOB, { MUTED }, 3, { 0 }, true },
		{ BOB, { 0 }, 3, { 0 }, false },
		{ BOB, { GONE }, 3, { 0 }, false },
		{ BOB, { HELPER, MOD }, 3, { MUTED, HELPER }, true },
		{ BOB, { ADMIN }, BOB, { 0 }, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shoal_permissions_member member = member_of(rows[i].user_id, rows[i].roles);
		struct shoal_permissions_member other = member_of(rows[i].other_id, rows[i].other_roles);

		if (shoal_permissions_outrank(&guild, &member, &other) != rows[i].above)
			fail_msg("row %zu", i);
	}
}

static void who_may_give_which_role(void **state)
{
	static const uint64_t mod[] = { MOD, 0, 0 }, none[] = { 0, 0, 0 };
	struct shoal_permissions_member member = member_of(BOB, mod), nobody = member_of(BOB, none);
	struct shoal_permissions_member owner = member_of(OWNER, none);

	(void)state;
	assert_true(shoal_permissions_above_role(&guild, &member, HELPER));
	assert_true(shoal_permissions_above_role(&guild, &member, TWIN));
	assert_true(shoal_permissions_above_role(&guild, &member, GUILD));
	assert_false(shoal_permissions_above_role(&guild, &member, MOD));
	assert_false(shoal_permissions_above_role(&guild, &member, ADMIN));
	assert_false(shoal_permissions_above_role(&guild, &member, GONE));
	assert_false(shoal_permissions_above_role(&guild, &nobody, MUTED));
	assert_true(shoal_permissions_above_role(&guild, &owner, ADMIN));
}

static void the_bots_own(void **state)
{
	static const uint64_t helper[] = { HELPER };
	struct shoal_thread_view joined[] = { threads[1], threads[1] };
	struct shoal_guild_view mine = guild;
	uint64_t bits = 1;

	(void)state;
	joined[0].flags = SHOAL_THREAD_JOINED;
	joined[1].id = PUBLIC_THREAD;
	mine.threads = joined;
	mine.thread_count = 2;
	mine.own_roles = helper;
	mine.own_role_count = 1;
	assert_true(shoal_permissions_of_bot(&mine, BOB, PUBLIC_THREAD, NOW, &bits));
	assert_int_equal(bits, 0);
	assert_true(shoal_permissions_of_bot(&mine, BOB, PRIVATE_THREAD, NOW, &bits));
	assert_true(bits & P(SEND_MESSAGES));
	assert_true(shoal_permissions_of_bot(&mine, BOB, TEXT, NOW, &bits));
	assert_true(bits & P(MANAGE_MESSAGES));
	mine.own_timeout_ms = NOW + 1;
	assert_true(shoal_permissions_of_bot(&mine, BOB, TEXT, NOW, &bits));
	assert_int_equal(bits, P(VIEW_CHANNEL));
	assert_false(shoal_permissions_of_bot(&mine, BOB, 12345, NOW, &bits));
}

static void words_and_cover(void **state)
{
	(void)state;
	assert_string_equal(shoal_permission_words(P(MANAGE_GUILD), SHOAL_ENGLISH), "Manage Server");
	assert_string_equal(shoal_permission_words(P(BYPASS_SLOWMODE) | P(PIN_MESSAGES), SHOAL_ENGLISH),
			    "Pin Messages");
	assert_string_equal(shoal_permission_words(P(MANAGE_GUILD), SHOAL_GERMAN), "Server verwalten");
	assert_string_equal(shoal_permission_words(P(BAN_MEMBERS), SHOAL_ITALIAN), "Bandisci membri");
	assert_string_equal(shoal_permission_words(0, SHOAL_ENGLISH), "?");
	assert_string_equal(shoal_permission_words(UINT64_C(1) << 47, SHOAL_ENGLISH), "?");
	assert_string_equal(shoal_permission_words(UINT64_C(1) << 63, SHOAL_ENGLISH), "?");
	assert_true(shoal_permissions_cover(P(ADMINISTRATOR), P(KICK_MEMBERS)));
	assert_false(shoal_permissions_cover(P(KICK_MEMBERS), P(KICK_MEMBERS) | P(BAN_MEMBERS)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(who_stands_above_whom),
		cmocka_unit_test(who_may_give_which_role),
		cmocka_unit_test(the_bots_own),
		cmocka_unit_test(words_and_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
