/* Polls in PostgreSQL. Writes go through the outbox, so a vote that was confirmed is never lost; each is harmless when
 * it is done again, and a vote carries the id of its click: what is older changes nothing. */
#include "shard/modules/utility/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_POLL                                                                                                   \
	"WITH open AS (SELECT poll_id FROM shoal.utility__poll WHERE guild_id = $1 AND poll_id = $2 "               \
	"AND ended_at IS NULL AND ends_at > $6 AND answer_count > $8::bigint AND (several OR $9::bigint <= 1) FOR " \
	"SHARE) "
#define PUT_VOTE                                                                                               \
	OPEN_POLL                                                                                              \
	"INSERT INTO shoal.utility__poll_vote AS v (guild_id, poll_id, user_id, choices, event_id) "           \
	"SELECT $1, $2::bigint, $3::bigint, $4::bigint, $5::bigint FROM open ON CONFLICT (guild_id, poll_id, " \
	"user_id) DO UPDATE SET "                                                                              \
	"choices = CASE WHEN $7::boolean AND v.choices = excluded.choices THEN 0 ELSE excluded.choices END, "  \
	"event_id = excluded.event_id WHERE v.event_id < excluded.event_id"
#define VOTE_PARAMS                                                                                      \
	SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_TIME, \
		SHOAL_SQL_BOOL, SHOAL_SQL_INT8, SHOAL_SQL_INT8
#define NEW_POLL                                                                                          \
	"INSERT INTO shoal.utility__poll (guild_id, poll_id, channel_id, creator_id, question, answers, " \
	"answer_count, "                                                                                  \
	"several, anonymous, ends_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 "
#define NEW_PARAMS                                                                                       \
	SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_TEXT, SHOAL_SQL_TEXT, \
		SHOAL_SQL_INT8, SHOAL_SQL_BOOL, SHOAL_SQL_BOOL, SHOAL_SQL_TIME
#define THIS_POLL "WHERE guild_id = $1 AND poll_id = $2"
/* A write that comes late finds what it finds: none of these can put an older state in a newer one's place. */
#define LATE(n) " AND $" #n "::timestamptz IS NOT NULL"

const struct shoal_statement poll_statements[POLL_STATEMENTS] = {
	{ .name = "poll_new", .sql = NEW_POLL "ON CONFLICT DO NOTHING", .params = { NEW_PARAMS } },
	{ .name = "poll_new_late",
	  .sql = NEW_POLL "WHERE $11::timestamptz IS NOT NULL ON CONFLICT DO NOTHING",
	  .params = { NEW_PARAMS, SHOAL_SQL_TIME } },
	{ .name = "poll_posted",
	  .sql = "UPDATE shoal.utility__poll SET message_id = $3 " THIS_POLL,
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8 } },
	{ .name = "poll_posted_late",
	  .sql = "UPDATE shoal.utility__poll SET message_id = $3 " THIS_POLL LATE(4),
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	{ .name = "poll_drop",
	  .sql = "DELETE FROM shoal.utility__poll " THIS_POLL,
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 } },
	{ .name = "poll_drop_late",
	  .sql = "DELETE FROM shoal.utility__poll " THIS_POLL LATE(3),
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	{ .name = "poll_end",
	  .sql = "UPDATE shoal.utility__poll SET ended_at = $3, ended_by = $4 " THIS_POLL " AND ended_at IS NULL",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME, SHOAL_SQL_INT8 } },
	{ .name = "poll_end_late",
	  .sql = "UPDATE shoal.utility__poll SET ended_at = $3, ended_by = $4 " THIS_POLL
		 " AND ended_at IS NULL " LATE(5),
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	/* $6 the click's time, $7 whether it toggles, $8 the highest answer, $9 how many */
	{ .name = "poll_vote", .sql = PUT_VOTE, .params = { VOTE_PARAMS } },
	{ .name = "poll_vote_late",
	  .sql = PUT_VOTE " AND $10::timestamptz IS NOT NULL",
	  .params = { VOTE_PARAMS, SHOAL_SQL_TIME } },
	{ .name = "poll_find",
	  .sql = "SELECT p.poll_id, p.channel_id, p.message_id, p.creator_id, p.question, p.answers, p.several, "
		 "p.anonymous, p.ends_at, p.ended_at, p.ended_by, "
		 "(SELECT count(*) FROM shoal.utility__poll_vote v WHERE v.guild_id = $1 AND v.poll_id = p.poll_id "
		 "AND v.choices <> 0), "
		 "(SELECT v.choices FROM shoal.utility__poll_vote v WHERE v.guild_id = $1 AND v.poll_id = p.poll_id "
		 "AND v.user_id = $4), "
		 "(SELECT string_agg(c.n::text, ',' ORDER BY c.i) FROM (SELECT i, (SELECT count(*) FROM "
		 "shoal.utility__poll_vote v WHERE v.guild_id = $1 AND v.poll_id = p.poll_id "
		 "AND (v.choices >> i::integer) & 1 = 1) AS n FROM generate_series(0, p.answer_count - 1) AS i) AS c) "
		 "FROM shoal.utility__poll p WHERE p.guild_id = $1 AND CASE WHEN $2 <> 0::bigint THEN p.poll_id = $2 "
		 "OR "
		 "p.message_id = $2 ELSE p.channel_id = $3 END ORDER BY p.poll_id DESC LIMIT 1",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8 },
	  .columns = { SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_INT8, SHOAL_SQL_TEXT, SHOAL_SQL_TEXT,
		       SHOAL_SQL_BOOL, SHOAL_SQL_BOOL, SHOAL_SQL_TIME, SHOAL_SQL_TIME, SHOAL_SQL_INT8, SHOAL_SQL_INT8,
		       SHOAL_SQL_INT8, SHOAL_SQL_TEXT },
	  .flags = SHOAL_SQL_READS },
	{ .name = "poll_voters",
	  .sql = "SELECT user_id, choices FROM shoal.utility__poll_vote WHERE guild_id = $1 AND poll_id = $2 "
		 "AND choices <> 0 ORDER BY event_id LIMIT 200",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 },
	  .columns = { SHOAL_SQL_INT8, SHOAL_SQL_INT8 },
	  .flags = SHOAL_SQL_READS },
};

/* --- reading ---------------------------------------------------------------------------------------------------------
 */

struct finding {
	struct shoal_scope *scope;
	uint64_t guild_id;
	poll_fn fn;
	void *arg;
};

static void copy_lines(struct poll *poll, const char *lines)
{
	while (*lines && poll->answer_count < POLL_ANSWERS_MAX) {
		size_t len = strcspn(lines, "\n");

		snprintf(poll->answers[poll->answer_count++], POLL_ANSWER_SIZE, "%.*s",
			 (int)(len < POLL_ANSWER_SIZE ? len : POLL_ANSWER_SIZE - 1), lines);
		lines += len + (lines[len] == '\n');
	}
}

static void copy_counts(struct poll *poll, const char *text)
{
	char *end;
	size_t i;

	for (i = 0; i < poll->answer_count && *text; i++) {
		poll->counts[i] = strtoull(text, &end, 10);
		text = *end == ',' ? end + 1 : end;
	}
}

static void read_poll(struct poll *poll, const struct shoal_rows *rows)
{
	poll->id = (uint64_t)shoal_rows_int8(rows, 0, 0);
	poll->channel_id = (uint64_t)shoal_rows_int8(rows, 0, 1);
	poll->message_id = (uint64_t)shoal_rows_int8(rows, 0, 2);
	poll->creator_id = (uint64_t)shoal_rows_int8(rows, 0, 3);
	snprintf(poll->question, sizeof(poll->question), "%s", shoal_rows_text(rows, 0, 4, NULL));
	copy_lines(poll, shoal_rows_text(rows, 0, 5, NULL));
	poll->several = shoal_rows_bool(rows, 0, 6);
	poll->anonymous = shoal_rows_bool(rows, 0, 7);
	poll->ends_ms = shoal_rows_time(rows, 0, 8);
	poll->ended_ms = shoal_rows_time(rows, 0, 9);
	poll->ended_by = (uint64_t)shoal_rows_int8(rows, 0, 10);
	poll->voters = (uint64_t)shoal_rows_int8(rows, 0, 11);
	poll->mine = (uint64_t)shoal_rows_int8(rows, 0, 12);
	copy_counts(poll, shoal_rows_text(rows, 0, 13, NULL));
}

static void on_found(void *arg, int error, const struct shoal_rows *rows)
{
	struct finding *finding = arg;
	struct poll *poll = NULL;

	if (error == 0 && shoal_rows_count(rows) > 0) {
		poll = shoal_alloc(finding->scope, sizeof(*poll));
		if (poll) {
			poll->guild_id = finding->guild_id;
			read_poll(poll, rows);
		} else {
			error = -ENOMEM;
		}
	}
	finding->fn(finding->arg, error, poll);
	shoal_free(poll);
	shoal_free(finding);
}

void poll_find(struct shoal_scope *scope, uint64_t guild_id, uint64_t ref, uint64_t channel_id, uint64_t user_id,
	       poll_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(ref), SHOAL_INT8(channel_id), SHOAL_INT8(user_id) };
	const struct shoal_query query = {
		.statement = "poll_find", .guild_id = guild_id, .params = params, .param_count = SHOAL_COUNT(params)
	};
	struct finding *finding = shoal_alloc(scope, sizeof(*finding));
	int r = finding ? 0 : -ENOMEM;

	if (finding) {
		*finding = (struct finding){ .scope = scope, .guild_id = guild_id, .fn = fn, .arg = arg };
		r = shoal_query(scope, &query, on_found, finding);
	}
	if (r < 0) {
		shoal_free(finding);
		fn(arg, r, NULL);
	}
}

int poll_voters(struct shoal_scope *scope, const struct poll *poll, shoal_rows_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(poll->id) };
	const struct shoal_query query = { .statement = "poll_voters",
					   .guild_id = poll->guild_id,
					   .params = params,
					   .param_count = SHOAL_COUNT(params) };

	return shoal_query(scope, &query, fn, arg);
}

/* --- writing ---------------------------------------------------------------------------------------------------------
 */

#define KEY_SIZE 33

/* A write of the poll itself. */
static int write_poll(struct shoal_scope *scope, const char *statement, uint64_t guild_id, uint64_t poll_id,
		      uint64_t user_id, const struct shoal_sql_value *params, size_t count, shoal_written_fn fn,
		      void *arg)
{
	char key[KEY_SIZE];
	const struct shoal_write write = { .statement = statement,
					   .guild_id = guild_id,
					   .params = params,
					   .param_count = count,
					   .key = key,
					   .user_id = user_id,
					   .value = statement,
					   .value_len = strlen(statement) };

	snprintf(key, sizeof(key), "poll/%llu", (unsigned long long)poll_id);
	return shoal_write(scope, &write, fn, arg);
}

int poll_store(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg)
{
	char lines[POLL_ANSWERS_MAX * POLL_ANSWER_SIZE] = "";
	size_t i, len = 0;

	for (i = 0; i < poll->answer_count; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%s%s", i ? "\n" : "", poll->answers[i]);
	const struct shoal_sql_value params[] = {
		SHOAL_INT8(poll->id),         SHOAL_INT8(poll->channel_id),
		SHOAL_INT8(poll->creator_id), SHOAL_TEXT(poll->question, strlen(poll->question)),
		SHOAL_TEXT(lines, len),       SHOAL_INT8(poll->answer_count),
		SHOAL_BOOL(poll->several),    SHOAL_BOOL(poll->anonymous),
		SHOAL_TIME(poll->ends_ms),
	};

	return write_poll(scope, "poll_new", poll->guild_id, poll->id, poll->creator_id, params, SHOAL_COUNT(params),
			  fn, arg);
}

int poll_store_message(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(poll->id), SHOAL_INT8(poll->message_id) };

	return write_poll(scope, "poll_posted", poll->guild_id, poll->id, poll->creator_id, params, SHOAL_COUNT(params),
			  fn, arg);
}

int poll_remove(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(poll->id) };

	return write_poll(scope, "poll_drop", poll->guild_id, poll->id, poll->creator_id, params, SHOAL_COUNT(params),
			  fn, arg);
}

int poll_store_end(struct shoal_scope *scope, uint64_t guild_id, uint64_t poll_id, int64_t at_ms, uint64_t by,
		   shoal_written_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(poll_id), SHOAL_TIME(at_ms), SHOAL_INT8(by) };

	return write_poll(scope, "poll_end", guild_id, poll_id, 0, params, SHOAL_COUNT(params), fn, arg);
}

/* In 13 characters: two ids must fit a key. */
static char *print36(uint64_t number, char *at)
{
	char digits[14];
	size_t len = 0;

	do {
		digits[len++] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
		number /= 36;
	} while (number);
	while (len > 0)
		*at++ = digits[--len];
	*at = '\0';
	return at;
}

int poll_store_vote(struct shoal_scope *scope, const struct poll_vote *vote, shoal_written_fn fn, void *arg)
{
	const struct shoal_sql_value params[] = {
		SHOAL_INT8(vote->poll_id),
		SHOAL_INT8(vote->user_id),
		SHOAL_INT8(vote->choices),
		SHOAL_INT8(vote->event_id),
		SHOAL_TIME((int64_t)shoal_snowflake_ms(vote->event_id)),
		SHOAL_BOOL(vote->toggles),
		SHOAL_INT8(vote->choices ? 63 - __builtin_clzll(vote->choices) : 0),
		SHOAL_INT8(__builtin_popcountll(vote->choices)),
	};
	char key[KEY_SIZE] = "v", value[24], *at = print36(vote->poll_id, key + 1);
	const struct shoal_write write = { .statement = "poll_vote",
					   .guild_id = vote->guild_id,
					   .params = params,
					   .param_count = SHOAL_COUNT(params),
					   .key = key,
					   .user_id = vote->user_id,
					   .value = value,
					   .value_len = (size_t)snprintf(value, sizeof(value), "%llu",
									 (unsigned long long)vote->choices) };

	*at++ = '/';
	print36(vote->user_id, at);
	return shoal_write(scope, &write, fn, arg);
}
