/* Somebody comes, has accepted the rules, or goes. Each handler copies what it needs of the event, reads the server's
 * wishes, and then begins its effects under fixed numbers, so that a second handling after a crash finds them there,
 * whatever the server wishes by then. */
#include "shard/modules/admin/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/admin/greeting.h"
#include "shard/modules/admin/phrases.h"

/* While the database is away nobody knows what a server wishes; then it is asked again for so long. */
#define RETRY_MS  5000
#define RETRY_MAX 24

enum happening { CAME, ACCEPTED, WENT };

struct arrival {
	struct shoal_scope *scope;
	enum happening what;
	uint64_t guild_id;
	struct person person;
	bool pending; /* has to accept the rules first */
	uint64_t roles[250];
	size_t role_count;
	unsigned tries;
	uint64_t asked_ns; /* the database, about this one */
};

static void read_wishes(struct arrival *arrival);

/* --- roles -----------------------------------------------------------------------------------------------------------
 */

static bool has_role(const struct arrival *arrival, uint64_t role_id)
{
	size_t i;

	for (i = 0; i < arrival->role_count; i++) {
		if (arrival->roles[i] == role_id)
			return true;
	}
	return false;
}

bool admin_role_allowed(struct shoal_scope *scope, const struct shoal_guild_view *guild, uint64_t user_id,
			uint64_t role_id, enum shoal_language language, struct shoal_act_bar *ret_bar)
{
	const struct shoal_act act = { .kind = SHOAL_ACT_ROLE_GIVE,
				       .guild = guild,
				       .bot_id = shoal_self(scope),
				       .target = { .user_id = user_id },
				       .target_is_member = true,
				       .role_id = role_id,
				       .now_ms = shoal_now_ms(),
				       .language = language };

	return shoal_act_allowed(&act, ret_bar);
}

/* Giving one twice changes nothing, so they need no order; those that can't be given are said in the log, and by
 * /welcome preview. */
static void give_roles(const struct arrival *arrival, const struct wishes *wishes)
{
	const struct wishes_roles *roles = arrival->person.bot ? &wishes->bot_roles : &wishes->roles;
	const struct shoal_guild_view *guild = shoal_guild_get(arrival->scope, arrival->guild_id);
	enum shoal_language language = shoal_guild_language(arrival->scope, arrival->guild_id);
	struct shoal_act_bar bar;
	char reason[128], why[200];
	size_t i;

	shoal_phrase_print(PHRASE(REASON_AUTOROLE), language, NULL, 0, reason, sizeof(reason));
	for (i = 0; i < roles->count; i++) {
		const struct shoal_member_role give = { .guild_id = arrival->guild_id,
							.user_id = arrival->person.id,
							.role_id = roles->ids[i],
							.reason = reason };

		if (has_role(arrival, roles->ids[i]))
			continue;
		if (guild && !admin_role_allowed(arrival->scope, guild, arrival->person.id, roles->ids[i],
						 SHOAL_ENGLISH, &bar)) {
			shoal_phrase_print(bar.phrase, SHOAL_ENGLISH, bar.words, bar.word_count, why, sizeof(why));
			shoal_log(arrival->scope, SHOAL_LOG_WARN, "admin.autorole_barred",
				  "role %llu can't be given to new members: %s", (unsigned long long)roles->ids[i],
				  why);
		} else {
			shoal_member_role(arrival->scope, &give, NULL, NULL);
		}
	}
}

/* --- who has to accept the rules first -------------------------------------------------------------------------------
 */

static void note_pending(const struct arrival *arrival, const char *statement)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(arrival->person.id), SHOAL_TIME(shoal_now_ms()) };
	char key[33];
	const struct shoal_write write = { .statement = statement,
					   .guild_id = arrival->guild_id,
					   .params = params,
					   .param_count = strcmp(statement, "pending_put") == 0 ? 2 : 1,
					   .key = key,
					   .user_id = arrival->person.id,
					   .value = strcmp(statement, "pending_put") == 0 ? "1" : NULL,
					   .value_len = strcmp(statement, "pending_put") == 0 };
	int r;

	snprintf(key, sizeof(key), "p/%llu", (unsigned long long)arrival->person.id);
	r = shoal_write(arrival->scope, &write, NULL, NULL);
	if (r < 0 && r != -ECANCELED)
		shoal_log(arrival->scope, SHOAL_LOG_WARN, "admin.pending_lost",
			  "a member who has to accept the rules could not be noted: %s", shoal_error_text(r));
}

/* --- what is said ----------------------------------------------------------------------------------------------------
 */

static void on_sent(void *arg, const struct shoal_result *result)
{
	struct shoal_scope *module = arg;

	if (result->error && result->error != -ECANCELED)
		shoal_log(module, SHOAL_LOG_INFO, "admin.greeting_failed", "Discord would not take a message: %s",
			  result->message);
}

static void say(const struct arrival *arrival, enum greeting_kind kind, const struct wishes *wishes)
{
	const struct shoal_guild_view *guild = shoal_guild_get(arrival->scope, arrival->guild_id);
	enum shoal_language language = shoal_guild_language(arrival->scope, arrival->guild_id);
	struct shoal_scope *module = shoal_scope_of_module(arrival->scope);
	uint64_t channel_id = greeting_channel(kind, wishes), missing;
	struct greeting greeting;
	bool gone = false;

	if (!greeting_wanted(kind, wishes, &arrival->person))
		return;
	shoal_effect_number(arrival->scope, kind == GREETING_DM);
	greeting_make(&greeting, kind, wishes, &arrival->person, guild, language);
	if (kind == GREETING_DM) {
		const struct shoal_dm_send dm = { .user_id = arrival->person.id, .content = greeting.content };

		/* Members may have closed their direct messages: that is no fault. */
		shoal_dm_send(arrival->scope, &dm, on_sent, module);
		return;
	}
	missing =
		greeting_barred(guild, shoal_self(arrival->scope), channel_id, greeting.content.embed_count > 0, &gone);
	if (missing || gone) {
		shoal_log(arrival->scope, SHOAL_LOG_WARN, "admin.greeting_barred", "channel %llu: %s",
			  (unsigned long long)channel_id,
			  gone ? "it is gone" : shoal_permission_words(missing, SHOAL_ENGLISH));
		return;
	}
	shoal_message_send(arrival->scope,
			   &(struct shoal_message_send){ .channel_id = channel_id, .content = greeting.content },
			   on_sent, module);
}

/* --- the three happenings --------------------------------------------------------------------------------------------
 */

static void came(const struct arrival *arrival, const struct wishes *wishes)
{
	say(arrival, GREETING_WELCOME, wishes);
	say(arrival, GREETING_DM, wishes);
	if (!arrival->pending || arrival->person.bot)
		give_roles(arrival, wishes);
	else if (wishes->roles.count)
		note_pending(arrival, "pending_put");
}

static void went(const struct arrival *arrival, const struct wishes *wishes)
{
	say(arrival, GREETING_LEAVE, wishes);
	if (wishes->roles.count)
		note_pending(arrival, "pending_drop");
}

/* Roles first: whoever dies in between gives them once more, which changes nothing. */
static void on_pending(void *arg, int error, const struct shoal_rows *rows);

static void accepted(struct arrival *arrival)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(arrival->person.id) };
	const struct shoal_query query = {
		.statement = "pending_get", .guild_id = arrival->guild_id, .params = params, .param_count = 1
	};
	int r;

	arrival->asked_ns = shoal_clock_ns();
	r = shoal_query(arrival->scope, &query, on_pending, arrival);

	if (r < 0) {
		if (r != -ECANCELED)
			on_pending(arrival, r, NULL);
		else
			shoal_free(arrival);
	}
}

static void on_roles_wishes(void *arg, int error, const struct wishes *wishes)
{
	struct arrival *arrival = arg;

	if (error == 0) {
		give_roles(arrival, wishes);
		note_pending(arrival, "pending_drop");
	}
	shoal_free(arrival);
}

static void on_later(void *arg, int error)
{
	struct arrival *arrival = arg;

	if (error < 0)
		shoal_free(arrival);
	else if (arrival->what == ACCEPTED)
		accepted(arrival);
	else
		read_wishes(arrival);
}

/* The database is away: later, a while. Takes @arrival. */
static void put_off(struct arrival *arrival)
{
	int r = -ETIMEDOUT;

	if (arrival->tries++ < RETRY_MAX)
		r = shoal_timer_start(arrival->scope, RETRY_MS, on_later, arrival, NULL);
	if (r == 0)
		return;
	if (r != -ECANCELED)
		shoal_log(arrival->scope, SHOAL_LOG_WARN, "admin.member_unserved",
			  "the database was away for too long: a member was not welcomed, or got no roles");
	shoal_free(arrival);
}

static void on_pending(void *arg, int error, const struct shoal_rows *rows)
{
	struct arrival *arrival = arg;
	const char *waiting;
	char key[33];
	bool pending = error == 0 && shoal_rows_count(rows) > 0;
	size_t len;
	int r = error;

	snprintf(key, sizeof(key), "p/%llu", (unsigned long long)arrival->person.id);
	if (error != -ECANCELED &&
	    shoal_pending(arrival->scope, arrival->guild_id, key, arrival->asked_ns, &waiting, &len)) {
		pending = waiting != NULL;
		r = 0;
	}
	if (r == -SHOAL_EOFFLINE || r == -ETIMEDOUT || r == -EAGAIN) {
		put_off(arrival);
		return;
	}
	if (r == 0 && pending)
		r = wishes_read(arrival->scope, arrival->guild_id, on_roles_wishes, arrival);
	else
		r = -ECANCELED;
	if (r < 0)
		shoal_free(arrival);
}

static void on_wishes(void *arg, int error, const struct wishes *wishes)
{
	struct arrival *arrival = arg;
	struct shoal_status status;

	if (error < 0) {
		if (error != -ECANCELED)
			shoal_log(arrival->scope, SHOAL_LOG_WARN, "admin.wishes_unread", "%s", shoal_error_text(error));
		shoal_free(arrival);
		return;
	}
	shoal_status_get(arrival->scope, &status);
	if (!wishes->sure && status.database != SHOAL_PART_OFF && arrival->tries < RETRY_MAX) {
		put_off(arrival);
		return;
	}
	if (arrival->what == CAME)
		came(arrival, wishes);
	else
		went(arrival, wishes);
	shoal_free(arrival);
}

static void read_wishes(struct arrival *arrival)
{
	int r = wishes_read(arrival->scope, arrival->guild_id, on_wishes, arrival);

	if (r < 0)
		on_wishes(arrival, r, NULL);
}

/* --- events ----------------------------------------------------------------------------------------------------------
 */

static struct arrival *arrive(struct shoal_scope *scope, enum happening what, uint64_t guild_id,
			      const struct shoal_user *user)
{
	struct arrival *arrival;
	struct shoal_str name = user->global_name.len ? user->global_name : user->username;

	if (user->id == shoal_self(scope))
		return NULL;
	arrival = shoal_alloc(scope, sizeof(*arrival));
	if (!arrival) {
		shoal_log(scope, SHOAL_LOG_ERROR, "admin.no_memory", "a member could not be welcomed");
		return NULL;
	}
	arrival->scope = scope;
	arrival->what = what;
	arrival->guild_id = guild_id;
	arrival->person.id = user->id;
	arrival->person.bot = user->bot;
	snprintf(arrival->person.name, sizeof(arrival->person.name), "%.*s", SHOAL_STR_ARG(name));
	snprintf(arrival->person.avatar, sizeof(arrival->person.avatar), "%.*s", SHOAL_STR_ARG(user->avatar));
	return arrival;
}

static void take_roles(struct arrival *arrival, const struct shoal_member *member)
{
	arrival->role_count =
		member->roles.count < SHOAL_COUNT(arrival->roles) ? member->roles.count : SHOAL_COUNT(arrival->roles);
	if (arrival->role_count)
		memcpy(arrival->roles, member->roles.items, arrival->role_count * sizeof(*arrival->roles));
}

void admin_member_add(struct shoal_scope *scope, const struct shoal_event *event)
{
	const struct shoal_member *member = event->member;
	struct arrival *arrival = arrive(scope, CAME, member->guild_id, member->user);

	if (!arrival)
		return;
	arrival->pending = member->pending;
	take_roles(arrival, member);
	read_wishes(arrival);
}

void admin_member_remove(struct shoal_scope *scope, const struct shoal_event *event)
{
	struct arrival *arrival = arrive(scope, WENT, event->guild_user->guild_id, &event->guild_user->user);

	if (arrival)
		read_wishes(arrival);
}

/* Most updates are of other things; only where a server screens its members and has roles for them is the database
 * asked whether this one was waiting. */
void admin_member_update(struct shoal_scope *scope, const struct shoal_event *event)
{
	const struct shoal_member *member = event->member;
	const struct shoal_guild_view *guild = shoal_guild_get(scope, member->guild_id);
	const struct shoal_place place = { .guild_id = member->guild_id };
	struct shoal_setting_answer answer;
	struct arrival *arrival;
	size_t i;

	if (!member->has.pending || member->pending || member->user->bot ||
	    (guild && !(guild->features >> SHOAL_FEATURE_MEMBER_VERIFICATION_GATE_ENABLED & 1)))
		return;
	if (shoal_setting_peek(scope, &place, "autorole_roles", &answer) == 0) {
		bool lacks = false;

		for (i = 0; i < answer.value->id_count; i++) {
			size_t j = 0;

			while (j < member->roles.count && member->roles.items[j] != answer.value->ids[i])
				j++;
			lacks |= j == member->roles.count;
		}
		if (!lacks)
			return;
	}
	arrival = arrive(scope, ACCEPTED, member->guild_id, member->user);
	if (!arrival)
		return;
	take_roles(arrival, member);
	accepted(arrival);
}
