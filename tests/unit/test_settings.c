/* Settings, privacy and retention against a real PostgreSQL and nats-server: two shards in one process that see each
 * other's changes, servers that go away, secrets, history, and what is removed. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/db/migrate.h"
#include "shared/privacy/keeper.h"
#include "shared/privacy/privacy.h"
#include "shared/secrets/key_file.h"
#include "shared/settings/schema_core.h"
#include "shared/settings/settings_write.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/nats_server.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/tcp_proxy.h"
#include "tests/unit/tmpdir.h"

#define WAIT_MS 20000
#define KEY_A   "000000000000000a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B   "000000000000000b AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define ADMIN   77
#define MEMBER  88

static const struct shoal_setting rows[] = {
	{ .name = "colour",
	  .type = SHOAL_SETTING_ENUM,
	  .choices = "red|green|blue|grey",
	  .layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD | SHOAL_LAYER_CHANNEL | SHOAL_LAYER_USER,
	  .description = "-" },
	{ .name = "secret",
	  .type = SHOAL_SETTING_TEXT,
	  .flags = SHOAL_SETTING_SENSITIVE,
	  .layers = SHOAL_LAYER_GUILD | SHOAL_LAYER_USER,
	  .description = "-" },
	{ .name = "helpers", .type = SHOAL_SETTING_USERS, .layers = SHOAL_LAYER_GUILD, .description = "-" },
	{ .name = "count",
	  .type = SHOAL_SETTING_INTEGER,
	  .min = 0,
	  .max = 1000000,
	  .layers = SHOAL_LAYER_GUILD,
	  .description = "-" },
};
static const struct shoal_settings_schema schema = { "test", 1, rows, ARRAY_SIZE(rows), NULL };

struct shard {
	struct bus *bus;
	struct db *db;
	struct settings *settings;
	bool up;
};

static struct loop loop;
static struct pg_database database;
static struct nats_server nats;
static struct tcp_proxy proxy;
static struct schemas *schemas;
static struct shard shards[2];
static PGconn *sql;
static uint64_t next_guild = UINT64_C(1) << 40;

/* --- the shards --------------------------------------------------------------------------------------------------- */

static void on_up(void *arg)
{
	struct shard *shard = arg;

	shard->up = true;
	settings_bus_up(shard->settings);
}

static void on_db_up(void *arg)
{
	settings_db_up(((struct shard *)arg)->settings);
}

static void give_keys(struct shard *shard, const char *text)
{
	char error[KEYRING_ERROR_SIZE];
	struct keyring *ring = NULL;

	assert_int_equal(keyring_parse(text, &ring, error), 0);
	settings_set_keys(shard->settings, ring);
}

static void open_shard(struct shard *shard, const char *conninfo)
{
	static const struct bus_events bus_events = { .up = on_up };
	static const struct db_events db_events = { .up = on_db_up };
	struct bus_options bus = { .url = nats.url, .cluster = "test", .name = "test", .sender = 0 };
	struct db_options db = { .conninfo = conninfo,
				 .application_name = "test",
				 .prepared = true,
				 .connect_timeout_ms = 2000,
				 .statement_timeout_ms = 5000 };
	struct settings_options options = { .loop = &loop, .schemas = schemas, .check_s = 1, .trust_s = 3 };

	memset(shard, 0, sizeof(*shard));
	assert_int_equal(bus_new(&loop, &bus, &bus_events, shard, &shard->bus), 0);
	assert_int_equal(db_new(&loop, &db, &db_events, shard, &shard->db), 0);
	options.db = shard->db;
	options.bus = shard->bus;
	assert_int_equal(settings_new(&options, &shard->settings), 0);
	assert_int_equal(bus_start(shard->bus), 0);
	give_keys(shard, KEY_A);
	assert_true(loop_wait_for(&loop, loop_wait_true, &shard->up, WAIT_MS));
}

static int closing;

static bool all_closed(void *arg)
{
	(void)arg;
	return closing == 0;
}

static void on_closed(void *arg)
{
	(void)arg;
	closing--;
}

static void close_shard(struct shard *shard)
{
	settings_closing(shard->settings);
	closing = 2;
	bus_close(shard->bus, on_closed, NULL);
	db_close(shard->db, on_closed, NULL);
	assert_true(loop_wait_for(&loop, all_closed, NULL, WAIT_MS));
	settings_free(shard->settings);
}

/* --- asking and changing ------------------------------------------------------------------------------------------ */

struct got {
	bool done;
	char text[256];
	enum settings_layer from;
	int64_t version;
	bool sure;
	int problem;
};

static void on_got(void *arg, const struct setting_answer *answer)
{
	struct got *got = arg;

	got->done = true;
	value_print(answer->value, false, got->text, sizeof(got->text));
	got->from = answer->from;
	got->version = answer->version;
	got->sure = answer->sure;
	got->problem = answer->problem;
}

static struct got get(struct shard *shard, struct settings_place place, const char *name)
{
	struct got got = { 0 };

	assert_int_equal(settings_get(shard->settings, &place, name, on_got, &got), 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &got.done, WAIT_MS));
	return got;
}

struct told {
	bool done;
	struct settings_outcome outcome;
};

static void on_told(void *arg, const struct settings_outcome *outcome)
{
	struct told *told = arg;

	told->outcome = *outcome;
	told->done = true;
}

static struct settings_change wish(enum settings_layer layer, struct settings_place place, const char *name)
{
	return (struct settings_change){ .layer = layer, .place = place, .name = name, .by = ADMIN };
}

static struct settings_outcome set(struct shard *shard, enum settings_layer layer, struct settings_place place,
				   const char *name, const char *text)
{
	struct settings_change change = wish(layer, place, name);
	struct told told = { 0 };

	if (text)
		settings_set(shard->settings, &change, text, on_told, &told);
	else
		settings_reset(shard->settings, &change, on_told, &told);
	assert_true(loop_wait_for(&loop, loop_wait_true, &told.done, WAIT_MS));
	return told.outcome;
}

static struct settings_outcome roll_back(struct shard *shard, struct settings_place place, const char *name,
					 int64_t version)
{
	struct settings_change change = wish(SETTINGS_GUILD, place, name);
	struct told told = { 0 };

	settings_rollback(shard->settings, &change, version, on_told, &told);
	assert_true(loop_wait_for(&loop, loop_wait_true, &told.done, WAIT_MS));
	return told.outcome;
}

#define assert_set(...) assert_int_equal(set(__VA_ARGS__).error, 0)

static struct settings_place fresh_place(void)
{
	return (struct settings_place){ .guild_id = next_guild++, .channel_id = 5, .user_id = MEMBER };
}

static const char *ask_sql(const char *format, uint64_t id)
{
	char text[512];

	snprintf(text, sizeof(text), format, id);
	return pg_value(sql, text);
}

static void do_sql(const char *format, uint64_t id)
{
	char text[1024];

	snprintf(text, sizeof(text), format, id, id);
	assert_true(pg_exec(sql, text));
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

static void test_layers(void **state)
{
	struct settings_place place = fresh_place(), other = place;
	struct setting_layer layers[SETTINGS_LAYER_COUNT];
	struct shard *a = &shards[0];
	struct got got = get(a, place, "test.colour");

	(void)state;
	other.channel_id = 6;
	other.user_id = 99;
	assert_string_equal(got.text, "red");
	assert_int_equal(got.from, SETTINGS_DEFAULT);
	assert_true(got.sure);
	assert_set(a, SETTINGS_GLOBAL, place, "test.colour", "grey");
	assert_int_equal(get(a, place, "test.colour").from, SETTINGS_GLOBAL);
	assert_set(a, SETTINGS_GUILD, place, "test.colour", "GREEN");
	assert_string_equal(get(a, place, "test.colour").text, "green");
	assert_set(a, SETTINGS_CHANNEL, place, "test.colour", "blue");
	assert_string_equal(get(a, place, "test.colour").text, "blue");
	assert_string_equal(get(a, other, "test.colour").text, "green");
	assert_set(a, SETTINGS_USER, place, "test.colour", "red");
	got = get(a, place, "test.colour");
	assert_string_equal(got.text, "red");
	assert_int_equal(got.from, SETTINGS_USER);
	assert_int_equal(settings_layers(a->settings, &place, "test.colour", layers), 0);
	for (enum settings_layer layer = SETTINGS_GLOBAL; layer < SETTINGS_LAYER_COUNT; layer++)
		assert_non_null(layers[layer].value);
	assert_set(a, SETTINGS_USER, place, "test.colour", NULL);
	assert_set(a, SETTINGS_GLOBAL, place, "test.colour", NULL);
	assert_string_equal(get(a, place, "test.colour").text, "blue");
	assert_int_equal(set(a, SETTINGS_USER, place, "test.colour", NULL).error, -ENOENT);

	assert_int_equal(set(a, SETTINGS_GUILD, place, "test.colour", "pink").error, -EINVAL);
	assert_int_equal(set(a, SETTINGS_USER, place, "test.count", "1").error, -EINVAL); /* no such layer */
	assert_int_equal(set(a, SETTINGS_GUILD, place, "test.none", "1").error, -ENOENT);
	other.guild_id = 0;
	assert_int_equal(set(a, SETTINGS_GUILD, other, "test.colour", "red").error, -EINVAL);
}

static void test_what_no_longer_fits(void **state)
{
	struct settings_place place = fresh_place();
	struct got got;

	(void)state;
	assert_set(&shards[0], SETTINGS_GLOBAL, place, "test.colour", "grey");
	do_sql("INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (%" PRIu64
	       ", 'test.colour', '{\"a\":[1]}')",
	       place.guild_id);
	got = get(&shards[0], place, "test.colour");
	assert_string_equal(got.text, "grey"); /* the next layer counts, with a word */
	assert_int_equal(got.problem, -EINVAL);
	assert_set(&shards[0], SETTINGS_GLOBAL, place, "test.colour", NULL);
}

/* --- two shards --------------------------------------------------------------------------------------------------- */

struct sight {
	struct shard *shard;
	struct settings_place place;
	const char *wanted;
};

static bool is_seen(void *arg)
{
	struct sight *sight = arg;
	struct setting_answer answer;

	return settings_peek(sight->shard->settings, &sight->place, "test.colour", &answer) == 0 &&
	       strcmp(answer.value->text, sight->wanted) == 0;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* From the write's end at one shard until the other has the new value. */
static void test_a_change_is_seen_within_100_ms(void **state)
{
	static const char *const colours[] = { "green", "blue" };
	struct settings_place place = fresh_place();
	uint64_t us[40];

	(void)state;
	get(&shards[1], place, "test.colour");
	for (size_t i = 0; i < ARRAY_SIZE(us); i++) {
		struct sight sight = { &shards[1], place, colours[i % 2] };
		uint64_t begun;

		assert_true(settings_peek(shards[1].settings, &place, "test.colour", &(struct setting_answer){ 0 }) ==
			    0);
		assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", colours[i % 2]);
		begun = clock_monotonic_ns();
		assert_true(loop_wait_for(&loop, is_seen, &sight, WAIT_MS));
		us[i] = (clock_monotonic_ns() - begun) / 1000;
	}
	qsort(us, ARRAY_SIZE(us), sizeof(us[0]), by_value);
	print_message("another shard sees a change after %" PRIu64 " us (median), %" PRIu64 " us (most)\n",
		      us[ARRAY_SIZE(us) / 2], us[ARRAY_SIZE(us) - 1]);
	assert_true(us[ARRAY_SIZE(us) / 2] < 100000 * loop_wait_slowness());
}

static bool is_down(void *arg)
{
	return !bus_is_up(((struct shard *)arg)->bus);
}

static bool is_up(void *arg)
{
	return bus_is_up(((struct shard *)arg)->bus);
}

/* Without NATS the comparison with the database finds it, before the copy may no longer be trusted. */
static void test_nats_is_cut(void **state)
{
	struct settings_place place = fresh_place();
	struct sight sight = { &shards[1], place, "green" };
	struct settings_stats before, after;
	uint64_t begun;

	(void)state;
	get(&shards[1], place, "test.colour");
	nats_server_kill(&nats);
	assert_true(loop_wait_for(&loop, is_down, &shards[0], WAIT_MS));
	assert_true(loop_wait_for(&loop, is_down, &shards[1], WAIT_MS));
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", "green");
	assert_string_equal(get(&shards[0], place, "test.colour").text, "green"); /* one's own at once */
	begun = clock_monotonic_ns();
	assert_true(loop_wait_for(&loop, is_seen, &sight, WAIT_MS));
	assert_true(clock_monotonic_ns() - begun < 4 * NS_PER_S * loop_wait_slowness()); /* trust_s, and a tick */

	assert_true(nats_server_start(&nats));
	assert_true(loop_wait_for(&loop, is_up, &shards[0], WAIT_MS));
	assert_true(loop_wait_for(&loop, is_up, &shards[1], WAIT_MS));
	settings_stats(shards[1].settings, &before);
	get(&shards[1], place, "test.colour"); /* flushed by the reconnect: asked for again */
	settings_stats(shards[1].settings, &after);
	assert_true(after.loads > before.loads);
}

static void test_database_is_away(void **state)
{
	struct settings_place place = fresh_place(), unknown = fresh_place();
	struct shard away;
	struct got got;
	char port[8];

	(void)state;
	snprintf(port, sizeof(port), "%u", proxy.port);
	open_shard(&away, pg_conninfo(&database, "127.0.0.1", port, NULL, NULL, NULL, NULL));
	assert_set(&away, SETTINGS_GUILD, place, "test.colour", "green");
	assert_string_equal(get(&away, place, "test.colour").text, "green");
	tcp_proxy_set(&proxy, &proxy.closed_door, true);
	tcp_proxy_set(&proxy, &proxy.cut, true);
	settings_bus_up(away.settings); /* as after a reconnect: everything is to be asked for again */
	got = get(&away, place, "test.colour");
	assert_string_equal(got.text, "green"); /* the last known value, and it says so */
	assert_false(got.sure);
	got = get(&away, unknown, "test.colour");
	assert_string_equal(got.text, "red");
	assert_false(got.sure);
	assert_true(set(&away, SETTINGS_GUILD, place, "test.colour", "blue").error < 0);
	tcp_proxy_set(&proxy, &proxy.closed_door, false);
	for (int i = 0; i < 200 && !got.sure; i++) {
		bool never = false;

		loop_wait_for(&loop, loop_wait_true, &never, 100);
		got = get(&away, place, "test.colour");
	}
	assert_true(got.sure);
	assert_string_equal(got.text, "green");
	close_shard(&away);
}

static bool ask_outbox(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value, size_t *ret_len)
{
	return outbox_pending(arg, key, asked_ns, ret_value, ret_len);
}

static int by_outbox(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg)
{
	return outbox_write(arg, write, fn, fn_arg);
}

/* Rows that were read before a write counts for them: it is what is known should they not be read again in time. Of two
 * layers over one outbox the second tells nobody, so that the first one's rows stay as they are. */
static void test_what_was_written_since_counts(void **state)
{
	struct outbox_options outbox_options = {
		.shard_count = 1, .max_mib = 4, .max_entries = 100, .dead_keep_days = 30
	};
	struct settings_options options = { .loop = &loop, .schemas = schemas, .check_s = 60, .trust_s = 180 };
	struct db_options db = { .conninfo = database.conninfo, .application_name = "test", .prepared = true };
	static const struct db_events events = { 0 };
	struct settings_place place = fresh_place();
	struct shard one = { 0 }, other;
	struct setting_answer answer;
	struct outbox *outbox;
	char dir[TMPDIR_SIZE], text[32];

	(void)state;
	outbox_options.state_dir = tmpdir_make(dir);
	assert_int_equal(db_new(&loop, &db, &events, NULL, &one.db), 0);
	assert_int_equal(outbox_new(&loop, &outbox_options, one.db, &outbox), 0);
	options.db = one.db;
	options.outbox = (struct settings_outbox){ .write = by_outbox, .pending = ask_outbox, .arg = outbox };
	other = one;
	assert_int_equal(settings_new(&options, &one.settings), 0);
	assert_int_equal(settings_new(&options, &other.settings), 0);
	assert_set(&one, SETTINGS_GUILD, place, "test.colour", "green");
	assert_string_equal(get(&one, place, "test.colour").text, "green");
	assert_set(&other, SETTINGS_GUILD, place, "test.colour", "blue");
	assert_int_equal(settings_peek(one.settings, &place, "test.colour", &answer), 0);
	value_print(answer.value, false, text, sizeof(text));
	assert_string_equal(text, "blue");
	assert_set(&other, SETTINGS_GUILD, place, "test.colour", NULL);
	assert_int_equal(settings_peek(one.settings, &place, "test.colour", &answer), 0);
	assert_int_equal(answer.from, SETTINGS_DEFAULT);
	/* One that has read them since needs no such word. */
	assert_set(&one, SETTINGS_GUILD, place, "test.colour", "grey");
	assert_string_equal(get(&one, place, "test.colour").text, "grey");
	assert_int_equal(settings_peek(one.settings, &place, "test.colour", &answer), 0);
	assert_false(answer.pending);
	settings_closing(one.settings);
	settings_closing(other.settings);
	outbox_closing(outbox);
	closing = 2;
	db_close(one.db, on_closed, NULL);
	outbox_close(outbox, on_closed, NULL);
	assert_true(loop_wait_for(&loop, all_closed, NULL, WAIT_MS));
	settings_free(one.settings);
	settings_free(other.settings);
	tmpdir_remove(dir);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

struct past {
	bool done;
	size_t count;
	struct {
		char shown[64], note[64];
		int64_t version;
		uint64_t by;
		bool set;
	} rows[SETTINGS_HISTORY_MAX];
};

static void on_past(void *arg, int error, const char *words, const struct setting_past *list, size_t count)
{
	struct past *past = arg;

	(void)words;
	assert_int_equal(error, 0);
	past->done = true;
	past->count = count;
	for (size_t i = 0; i < count; i++) {
		snprintf(past->rows[i].shown, sizeof(past->rows[i].shown), "%s", list[i].shown);
		snprintf(past->rows[i].note, sizeof(past->rows[i].note), "%s", list[i].note);
		past->rows[i].version = list[i].version;
		past->rows[i].by = list[i].by;
		past->rows[i].set = list[i].set;
	}
}

static struct past history(struct settings_place place, const char *name)
{
	struct past past = { 0 };

	settings_history(shards[0].settings, SETTINGS_GUILD, &place, name, SETTINGS_HISTORY_MAX, SHOAL_ENGLISH, on_past,
			 &past);
	assert_true(loop_wait_for(&loop, loop_wait_true, &past.done, WAIT_MS));
	return past;
}

static void test_history_and_rollback(void **state)
{
	struct settings_place place = fresh_place();
	struct past past;

	(void)state;
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", "green");
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", "blue");
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", NULL);
	assert_int_equal(roll_back(&shards[0], place, "test.colour", 1).version, 4);
	assert_string_equal(get(&shards[0], place, "test.colour").text, "green");
	assert_int_equal(roll_back(&shards[0], place, "test.colour", 3).version, 5); /* to a reset */
	assert_int_equal(get(&shards[0], place, "test.colour").from, SETTINGS_DEFAULT);
	assert_int_equal(roll_back(&shards[0], place, "test.colour", 9).error, -ENOENT);
	past = history(place, "test.colour");
	assert_int_equal(past.count, 5);
	assert_int_equal(past.rows[0].version, 5);
	assert_false(past.rows[0].set);
	assert_string_equal(past.rows[0].note, "back to version 3");
	assert_string_equal(past.rows[4].shown, "green");
	assert_int_equal(past.rows[4].by, ADMIN);
	/* The version before this program writes as it always did, and leaves its trace. */
	do_sql("INSERT INTO shoal.guild_setting AS s (guild_id, name, value, version, updated_by, updated_at)"
	       " VALUES (%" PRIu64 ", 'test.colour', '\"grey\"', 1, 5, now()) ON CONFLICT (guild_id, name)"
	       " DO UPDATE SET value = excluded.value, version = s.version + 1, updated_by = excluded.updated_by",
	       place.guild_id);
	past = history(place, NULL);
	assert_int_equal(past.count, 6);
	assert_string_equal(past.rows[0].shown, "grey");
	/* What fits no more can't come back. */
	do_sql("UPDATE shoal.setting_history SET value = '\"pink\"' WHERE guild_id = %" PRIu64 " AND version = 2",
	       place.guild_id);
	assert_int_equal(roll_back(&shards[0], place, "test.colour", 2).error, -EINVAL);
}

/* --- secrets ------------------------------------------------------------------------------------------------------ */

static void test_secrets(void **state)
{
	struct settings_place place = fresh_place(), other = fresh_place();
	struct past past;
	struct got got;

	(void)state;
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.secret", "hemmelig");
	assert_string_equal(get(&shards[0], place, "test.secret").text, "hemmelig");
	assert_string_equal(ask_sql("SELECT count(*) FROM shoal.guild_setting WHERE guild_id = %" PRIu64
				    " AND value IS NULL AND sealed IS NOT NULL",
				    place.guild_id),
			    "1");
	for (int i = 0; i < 2; i++)
		assert_string_equal(
			ask_sql(i ? "SELECT count(*) FROM shoal.setting_history AS t WHERE guild_id = %" PRIu64
				    " AND t::text || encode(sealed, 'escape') LIKE '%%hemmelig%%'"
				  : "SELECT count(*) FROM shoal.guild_setting AS t WHERE guild_id = %" PRIu64
				    " AND t::text || encode(sealed, 'escape') LIKE '%%hemmelig%%'",
				place.guild_id),
			"0");
	past = history(place, "test.secret");
	assert_string_equal(past.rows[0].shown, "(set, hidden)");
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.secret", "noget andet");
	assert_int_equal(roll_back(&shards[0], place, "test.secret", 1).error, 0);
	assert_string_equal(get(&shards[0], place, "test.secret").text, "hemmelig");

	/* Moved to another guild it does not open, and nothing stands in for it. */
	assert_set(&shards[0], SETTINGS_GUILD, other, "test.secret", "x");
	do_sql("UPDATE shoal.guild_setting SET version = version + 1, sealed = (SELECT sealed FROM shoal.guild_setting"
	       " WHERE guild_id = %" PRIu64 " - 1 AND name = 'test.secret') WHERE guild_id = %" PRIu64,
	       other.guild_id);
	settings_bus_up(shards[0].settings);
	got = get(&shards[0], other, "test.secret");
	assert_int_equal(got.problem, -EBADMSG);
	assert_string_equal(got.text, "");

	give_keys(&shards[0], KEY_B);
	assert_int_equal(get(&shards[0], place, "test.secret").problem, -SHOAL_ENOKEY);
	give_keys(&shards[0], "");
	assert_int_equal(set(&shards[0], SETTINGS_GUILD, place, "test.secret", "y").error, -SHOAL_ENOKEY);
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", "green"); /* the rest goes on */
	give_keys(&shards[0], KEY_B "\n" KEY_A);
	assert_string_equal(get(&shards[0], place, "test.secret").text, "hemmelig");
	give_keys(&shards[0], KEY_A);
}

/* --- privacy ------------------------------------------------------------------------------------------------------ */

struct erased {
	bool done;
	int error;
	uint64_t rows;
	char json[64 * 1024];
};

static void on_exported(void *arg, int error, const char *json, size_t len, bool cut)
{
	struct erased *erased = arg;

	assert_false(cut);
	erased->error = error;
	snprintf(erased->json, sizeof(erased->json), "%.*s", (int)len, json ? json : "");
	erased->done = true;
}

static void on_erased(void *arg, int error, uint64_t count)
{
	struct erased *erased = arg;

	erased->error = error;
	erased->rows = count;
	erased->done = true;
}

static struct erased export_of(uint64_t user_id)
{
	struct erased erased = { 0 };

	assert_int_equal(privacy_export(shards[0].db, user_id, on_exported, &erased), 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &erased.done, WAIT_MS));
	assert_int_equal(erased.error, 0);
	return erased;
}

static size_t rows_of(const char *json)
{
	json_t *parsed = json_loads(json, 0, NULL);
	size_t count;

	assert_non_null(parsed);
	count = json_array_size(json_object_get(parsed, "rows"));
	json_decref(parsed);
	return count;
}

static void test_a_member_is_forgotten(void **state)
{
	struct settings_place one = fresh_place(), two = fresh_place();
	struct erased erased = { 0 };
	struct settings_change change;
	struct told told = { 0 };

	(void)state;
	one.user_id = two.user_id = 4711;
	assert_set(&shards[0], SETTINGS_USER, one, "test.colour", "blue");
	assert_set(&shards[0], SETTINGS_GUILD, one, "test.helpers", "<@4711> <@4712>"); /* named in a value */
	assert_set(&shards[0], SETTINGS_GUILD, two, "test.colour", "blue");
	change = wish(SETTINGS_GUILD, two, "test.colour");
	change.by = 4711; /* named as who changed it */
	settings_set(shards[0].settings, &change, "green", on_told, &told);
	assert_true(loop_wait_for(&loop, loop_wait_true, &told.done, WAIT_MS));

	erased = export_of(4711);
	assert_int_equal(rows_of(erased.json), 3);
	assert_non_null(strstr(erased.json, "user_setting"));
	assert_int_equal(rows_of(export_of(4799).json), 0);

	memset(&erased, 0, sizeof(erased));
	assert_int_equal(privacy_erase(shards[0].db, 4711, on_erased, &erased), 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &erased.done, WAIT_MS));
	assert_int_equal(erased.error, 0);
	assert_true(erased.rows >= 4);
	assert_int_equal(rows_of(export_of(4711).json), 0);
	for (size_t i = 0; i < 4; i++) {
		static const char *const tables[] = { "guild_setting", "setting_history", "user_setting", "named_in" };
		char text[128];

		snprintf(text, sizeof(text), "SELECT count(*) FROM shoal.%s AS t WHERE t::text ~ '\\m4711\\M'",
			 tables[i]);
		assert_string_equal(pg_value(sql, text), "0");
	}
	settings_bus_up(shards[0].settings);
	assert_string_equal(get(&shards[0], one, "test.helpers").text, "4712"); /* the other one stays */
	assert_string_equal(get(&shards[0], two, "test.colour").text, "green");
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM shoal.forget_request WHERE user_id = 4711"), "1");
	assert_int_equal(privacy_export(shards[0].db, 0, on_exported, &erased), -EINVAL);
}

/* Tables of modules', of which their migrations say the rest. */
static void test_declared_tables(void **state)
{
	struct erased erased = { 0 };

	(void)state;
	assert_true(pg_exec(sql, "SELECT shoal.create_keyed_table('game__score', ARRAY['guild_id', 'user_id'],"
				 " 'guild_id bigint, user_id bigint, score bigint, at timestamptz DEFAULT now()')"));
	assert_true(pg_exec(
		sql, "SELECT shoal.create_keyed_table('game__poll', ARRAY['guild_id', 'id'],"
		     " 'guild_id bigint, id bigint, creator_id bigint, winner_id bigint DEFAULT 0, words text')"));
	assert_true(pg_exec(
		sql,
		"SELECT shoal.create_keyed_table('game__pet', ARRAY['user_id', 'name'], 'user_id bigint, name text')"));
	do_sql("INSERT INTO shoal.game__score VALUES (%d, 8801, 7)", 71); /* before it is declared */
	do_sql("SELECT shoal.declare_table('game__score', ARRAY['user_id'], 'delete', 'at', %d)", 30);
	assert_true(
		pg_exec(sql, "SELECT shoal.declare_table('game__poll', ARRAY['creator_id', 'winner_id'], 'clear')"));
	do_sql("INSERT INTO shoal.game__score SELECT g, 8800 + g %% 2, g, now() - make_interval(days => (g - 71)::int)"
	       " FROM generate_series(72, %d) AS g",
	       120);
	do_sql("INSERT INTO shoal.game__poll (guild_id, id, creator_id, words) VALUES (%d, 1, 8801, 'a'), (71, 2, "
	       "8800, 'b')",
	       71);
	do_sql("UPDATE shoal.game__poll SET winner_id = 8801 WHERE guild_id = %d AND id = 2", 71);
	do_sql("INSERT INTO shoal.game__pet SELECT 8800 + g %% 2, g FROM generate_series(1, %d) AS g", 900);

	/* 25 scores of odd guilds, one of before, 2 polls, 450 pets. */
	erased = export_of(8801);
	assert_int_equal(rows_of(erased.json), 25 + 1 + 2 + 450 - 1);
	assert_non_null(strstr(erased.json, "game__pet"));
	assert_non_null(strstr(erased.json, "game__poll"));
	memset(&erased, 0, sizeof(erased));
	assert_int_equal(privacy_erase(shards[0].db, 8801, on_erased, &erased), 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &erased.done, WAIT_MS));
	assert_int_equal(erased.error, 0);
	assert_int_equal(erased.rows, 25 + 1 + 2 + 450 - 1);
	assert_int_equal(rows_of(export_of(8801).json), 0);
	assert_string_equal(pg_value(sql, "SELECT string_agg(creator_id || ' ' || winner_id, ', ' ORDER BY id)"
					  " FROM shoal.game__poll"),
			    "0 0, 8800 0");
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM shoal.game__pet WHERE user_id = 8800"), "450");
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM shoal.named_in WHERE user_id = 8801"), "0");

	/* What can't be so is refused. */
	assert_false(pg_exec(sql, "SELECT shoal.declare_table('game__score', ARRAY['nobody'])"));
	assert_false(pg_exec(sql, "SELECT shoal.declare_table('game__none')"));
	assert_false(pg_exec(sql, "SELECT shoal.declare_table('game__score', '{}', 'perhaps')"));
}

/* --- retention ---------------------------------------------------------------------------------------------------- */

struct worker {
	struct keeper *keeper;
	enum keeper_guild answer;
	uint64_t removed, forgotten;
	int64_t forgot;
	/* of its sweep */
	uint32_t may_act; /* how often it still may */
	uint32_t ended;
	int error;
};

static enum keeper_guild on_guild(void *arg, uint64_t guild_id)
{
	(void)guild_id;
	return ((struct worker *)arg)->answer;
}

static void on_removed(void *arg, uint64_t guild_id)
{
	((struct worker *)arg)->removed = guild_id;
}

static void on_forget(void *arg, uint64_t user_id)
{
	((struct worker *)arg)->forgotten = user_id;
}

static void on_forgot(void *arg, int64_t id)
{
	((struct worker *)arg)->forgot = id;
}

static void start_keeper(struct worker *worker, size_t shard)
{
	struct keeper_options options = { .loop = &loop,
					  .db = shards[shard].db,
					  .shard_id = 0,
					  .shard_count = 1,
					  .look_s = 1,
					  .history_days = 100,
					  .guild_keep_days = 0,
					  .guild = on_guild,
					  .removed = on_removed,
					  .forget = on_forget,
					  .forgotten_id = 0,
					  .forgot = on_forgot,
					  .arg = worker };

	assert_int_equal(keeper_new(&options, &worker->keeper), 0);
}

static bool may_act(void *arg)
{
	struct worker *worker = arg;

	return worker->may_act > 0 && worker->may_act--;
}

static void on_swept(void *arg, int error)
{
	struct worker *worker = arg;

	worker->ended++;
	worker->error = error;
}

static bool has_ended(void *arg)
{
	return ((struct worker *)arg)->ended > 0;
}

static void begin_sweep(struct worker *worker, uint32_t acts)
{
	struct keeper_sweep sweep = { may_act, on_swept, worker };

	worker->may_act = acts;
	worker->ended = 0;
	assert_int_equal(keeper_sweep(worker->keeper, &sweep), 0);
	assert_int_equal(keeper_sweep(worker->keeper, &sweep), -EBUSY);
	assert_int_equal(worker->ended, 0);
}

static void sweep(struct worker *worker, uint32_t acts, int wanted)
{
	begin_sweep(worker, acts);
	assert_true(loop_wait_for(&loop, has_ended, worker, 2 * WAIT_MS));
	assert_int_equal(worker->ended, 1);
	assert_int_equal(worker->error, wanted);
}

static struct worker keepers[2];
static struct keeper *late_keeper;

static bool are_gone(void *arg)
{
	return strcmp(pg_value(sql, arg), "0") == 0;
}

static struct keeper_stats stats_of_both(void)
{
	struct keeper_stats one, other;

	keeper_stats(keepers[0].keeper, &one);
	keeper_stats(keepers[1].keeper, &other);
	one.swept += other.swept;
	one.batches += other.batches;
	one.failures += other.failures;
	return one;
}

static bool both_were_told(void *arg)
{
	(void)arg;
	return keepers[0].forgot > 0 && keepers[1].forgot > 0;
}

static bool has_acted(void *arg)
{
	return ((struct worker *)arg)->may_act == 0;
}

static void test_retention(void **state)
{
	struct settings_place place = fresh_place(), shorter = fresh_place();
	uint64_t all = 1100 + 300 + 1 + 10;
	struct keeper_stats stats;

	(void)state;
	assert_set(&shards[0], SETTINGS_GUILD, shorter, SETTING_HISTORY_DAYS, "5");
	do_sql("INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, schema_version, note, "
	       "changed_by,"
	       " changed_at) SELECT %" PRIu64 ", 0, 'old.one', i, 1, '', 0, now() - interval '101 days'"
	       " FROM generate_series(1, 1100) AS i",
	       place.guild_id);
	do_sql("INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, schema_version, note, "
	       "changed_by,"
	       " changed_at) SELECT g, 0, 'younger', i, 1, '', 0, now() - interval '10 days' FROM"
	       " generate_series(1, 300) AS i, unnest(ARRAY[%" PRIu64 " - 1, %" PRIu64 "]) AS g",
	       shorter.guild_id);
	do_sql("INSERT INTO shoal.forget_request (user_id, requested_at) VALUES (%" PRIu64
	       ", now() - interval '91 days')",
	       1234);
	start_keeper(&keepers[0], 0);
	start_keeper(&keepers[1], 1);
	/* Two that go over it at the same time, as when a lease is over under one of them, harm nothing. */
	begin_sweep(&keepers[1], UINT32_MAX);
	sweep(&keepers[0], UINT32_MAX, 0);
	assert_true(loop_wait_for(&loop, has_ended, &keepers[1], 2 * WAIT_MS));
	assert_int_equal(keepers[1].error, 0);
	assert_true(are_gone((void *)"SELECT count(*) FROM shoal.setting_history WHERE name = 'old.one'"));
	/* Guild `place` (the number before) keeps what is 10 days old, `shorter` does not. */
	assert_true(are_gone((void *)"SELECT count(*) - 300 FROM shoal.setting_history WHERE name = 'younger'"));
	assert_string_equal(
		ask_sql("SELECT count(*) FROM shoal.setting_history WHERE name = 'younger' AND guild_id = %" PRIu64,
			place.guild_id),
		"300");
	assert_true(are_gone((void *)"SELECT count(*) FROM shoal.forget_request WHERE user_id = 1234"));
	/* Those of test_declared_tables(): every second one, older than it has declared. */
	assert_true(are_gone((void *)"SELECT count(*) FROM shoal.game__score WHERE at < now() - interval '30 days'"));
	assert_string_equal(pg_value(sql, "SELECT count(*) FROM shoal.game__score"), "15");
	stats = stats_of_both();
	assert_int_equal(stats.swept, all); /* none twice */
	assert_true(stats.batches >= 1100 / KEEPER_BATCH + 300 / KEEPER_BATCH);
	assert_int_equal(stats.failures, 0);
	/* Members who asked were told to both, in order. */
	assert_true(loop_wait_for(&loop, both_were_told, NULL, WAIT_MS));
}

#define LEASED "SELECT count(*) FROM shoal.setting_history WHERE name = 'leased'"

static void test_a_sweep_goes_on_for_as_long_as_it_may(void **state)
{
	struct keeper_stats before, after;
	uint64_t one_batch = KEEPER_BATCH;

	(void)state;
	do_sql("INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, schema_version, note, "
	       "changed_by, changed_at) SELECT 3, 0, 'leased', i, 1, '', 0, now() - interval '200 days'"
	       " FROM generate_series(1, %" PRIu64 ") AS i",
	       3 * one_batch);
	/* The lease is another's: nothing leaves. */
	sweep(&keepers[0], 0, -ECANCELED);
	assert_string_equal(pg_value(sql, LEASED), "600");
	/* It is over in the middle. */
	sweep(&keepers[0], 2, -ECANCELED);
	assert_string_equal(pg_value(sql, LEASED), "200");
	/* Stopped with its first statement under way: nobody is told, and the next one is a new one. */
	keeper_stats(keepers[0].keeper, &before);
	begin_sweep(&keepers[0], 1);
	assert_true(loop_wait_for(&loop, has_acted, &keepers[0], WAIT_MS));
	keeper_sweep_stop(keepers[0].keeper);
	keeper_stats(keepers[0].keeper, &after);
	assert_true(before.runs + 1 == after.runs && !after.running);
	sweep(&keepers[0], UINT32_MAX, 0);
	assert_string_equal(pg_value(sql, LEASED), "0");
}

/* Gone when it was looked for, there again once the removal has begun. */
static enum keeper_guild comes_back(void *arg, uint64_t guild_id)
{
	static int asked;

	(void)arg;
	(void)guild_id;
	return asked++ < 2 ? KEEPER_GUILD_GONE : KEEPER_GUILD_THERE;
}

static void test_a_guild_comes_back_in_the_middle(void **state)
{
	struct settings_place place = fresh_place();
	static struct worker worker;
	struct keeper_options options = { .loop = &loop,
					  .db = shards[0].db,
					  .shard_count = 1,
					  .look_s = 1,
					  .history_days = 100,
					  .guild = comes_back,
					  .removed = on_removed,
					  .forget = on_forget,
					  .forgot = on_forgot,
					  .arg = &worker };

	(void)state;
	assert_set(&shards[0], SETTINGS_GUILD, place, "test.colour", "green");
	do_sql("INSERT INTO shoal.guild_gone (guild_id, due_at) VALUES (%" PRIu64 ", now())", place.guild_id);
	assert_int_equal(keeper_new(&options, &worker.keeper), 0);
	assert_true(loop_wait_for(&loop, are_gone, "SELECT count(*) FROM shoal.guild_gone", WAIT_MS));
	keeper_closing(worker.keeper);
	assert_string_equal(
		ask_sql("SELECT count(*) FROM shoal.guild_setting WHERE guild_id = %" PRIu64, place.guild_id), "1");
	assert_int_equal(worker.removed, 0);
	late_keeper = worker.keeper;
	assert_int_equal(keeper_sweep(late_keeper, &(struct keeper_sweep){ may_act, on_swept, &worker }), -ECANCELED);
}

static bool was_removed(void *arg)
{
	return keepers[0].removed == *(uint64_t *)arg || keepers[1].removed == *(uint64_t *)arg;
}

static void test_guilds_that_are_left(void **state)
{
	struct settings_place gone = fresh_place(), back = fresh_place(), unknown = fresh_place();
	char text[256];

	(void)state;
	assert_set(&shards[0], SETTINGS_GUILD, gone, "test.colour", "green");
	assert_set(&shards[0], SETTINGS_CHANNEL, gone, "test.colour", "blue");
	assert_set(&shards[0], SETTINGS_GUILD, back, "test.colour", "green");
	assert_set(&shards[0], SETTINGS_GUILD, unknown, "test.colour", "green");
	/* Due, but the cache does not know yet: it stays. */
	keepers[0].answer = keepers[1].answer = KEEPER_GUILD_UNKNOWN;
	keeper_guild_gone(keepers[0].keeper, unknown.guild_id);
	assert_false(loop_wait_for(&loop, was_removed, &unknown.guild_id, 3000));
	/* There after all: never mind that it was noted. */
	keeper_guild_gone(keepers[0].keeper, back.guild_id);
	assert_true(loop_wait_for(&loop, are_gone, "SELECT 2 - count(*) FROM shoal.guild_gone", WAIT_MS));
	keepers[0].answer = keepers[1].answer = KEEPER_GUILD_THERE;
	assert_true(loop_wait_for(&loop, are_gone, "SELECT count(*) FROM shoal.guild_gone", WAIT_MS));
	assert_string_equal(
		ask_sql("SELECT count(*) FROM shoal.guild_setting WHERE guild_id = %" PRIu64, back.guild_id), "1");
	keepers[0].answer = keepers[1].answer = KEEPER_GUILD_GONE;
	do_sql("INSERT INTO shoal.game__score SELECT %" PRIu64 ", u FROM generate_series(9000, 9000 + 3 * 200) AS u",
	       gone.guild_id);
	do_sql("INSERT INTO shoal.game__poll (guild_id, id, creator_id) VALUES (%" PRIu64 ", 9, 9001)", gone.guild_id);
	keeper_guild_gone(keepers[0].keeper, gone.guild_id);
	/* Both keepers take it for theirs: the one that finds its rows gone says so while the other still removes. */
	assert_true(loop_wait_for(&loop, was_removed, &gone.guild_id, WAIT_MS));
	snprintf(text, sizeof(text),
		 "SELECT (SELECT count(*) FROM shoal.guild_setting WHERE guild_id = %" PRIu64 ") +"
		 " (SELECT count(*) FROM shoal.channel_setting WHERE guild_id = %" PRIu64 ") +"
		 " (SELECT count(*) FROM shoal.setting_history WHERE guild_id = %" PRIu64 ")",
		 gone.guild_id, gone.guild_id, gone.guild_id);
	assert_true(loop_wait_for(&loop, are_gone, text, WAIT_MS));
	snprintf(text, sizeof(text),
		 "SELECT (SELECT count(*) FROM shoal.game__score WHERE guild_id = %" PRIu64 ") +"
		 " (SELECT count(*) FROM shoal.game__poll WHERE guild_id = %" PRIu64 ") +"
		 " (SELECT count(*) FROM shoal.named_in WHERE guild_id = %" PRIu64 ")",
		 gone.guild_id, gone.guild_id, gone.guild_id);
	assert_true(loop_wait_for(&loop, are_gone, text, WAIT_MS));
	assert_string_equal(
		ask_sql("SELECT count(*) FROM shoal.guild_setting WHERE guild_id = %" PRIu64, back.guild_id), "1");
	for (size_t i = 0; i < 2; i++) {
		keeper_closing(keepers[i].keeper);
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int open_all(void **state)
{
	struct migrate_error error = { 0 };
	struct migrate *migrate = NULL;
	char message[VALUE_ERROR_SIZE];
	uint32_t applied;

	(void)state;
	if (!pg_database_open(&database) || !nats_server_open(&nats, NULL))
		return -1;
	if (migrate_open(database.conninfo, 5000, &migrate, &error) < 0 ||
	    migrate_up(migrate, "sql", 0, 30000, NULL, NULL, &applied, &error) < 0) {
		print_error("%s\n", error.text);
		return -1;
	}
	migrate_close(migrate);
	sql = pg_connect(&database);
	if (loop_init(&loop) < 0 || schemas_new(&schemas) < 0 || schema_core_add(schemas) < 0 ||
	    schemas_add(schemas, &schema, message) < 0 ||
	    !tcp_proxy_open(&proxy, database.host, (uint16_t)atoi(database.port)))
		return -1;
	open_shard(&shards[0], database.conninfo);
	open_shard(&shards[1], database.conninfo);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		close_shard(&shards[i]);
	for (size_t i = 0; i < 2; i++)
		keeper_free(keepers[i].keeper);
	keeper_free(late_keeper);
	loop_finish(&loop);
	schemas_free(schemas);
	tcp_proxy_close(&proxy);
	PQfinish(sql);
	nats_server_close(&nats);
	pg_database_close(&database);
	return 0;
}

/* --- beside a rotation of keys ------------------------------------------------------------------------------------ */

#define DRIVEN 250

static void read_keys(struct shard *shard, const char *path)
{
	char problem[KEY_FILE_PROBLEM_SIZE], *text = NULL;

	assert_int_equal(key_file_read(path, &text, problem), 0);
	give_keys(shard, text);
	key_file_wipe(&text);
}

/* `test_settings secrets CONNINFO KEY_FILE`: changes secrets of many guilds all the time until its standard input ends,
 * taking up new keys as a worker does at a reload; then every secret must be what was written last. */
static int drive(const char *conninfo, const char *key_file)
{
	struct db_options db = { .conninfo = conninfo, .application_name = "test", .prepared = true };
	struct settings_options options = { .loop = &loop };
	static const struct db_events events = { 0 };
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct shard *shard = &shards[0];
	static int written[DRIVEN];
	char message[VALUE_ERROR_SIZE], text[32];
	int changes = 0;

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(schemas_new(&schemas), 0);
	assert_int_equal(schemas_add(schemas, &schema, message), 0);
	assert_int_equal(db_new(&loop, &db, &events, NULL, &shard->db), 0);
	options.schemas = schemas;
	options.db = shard->db;
	assert_int_equal(settings_new(&options, &shard->settings), 0);
	for (; changes < DRIVEN || poll(&input, 1, 0) == 0; changes++) {
		struct settings_place place = { .guild_id = (uint64_t)(changes % DRIVEN) + 1 };

		read_keys(shard, key_file);
		written[changes % DRIVEN] = changes;
		snprintf(text, sizeof(text), "secret %d", changes);
		assert_int_equal(set(shard, SETTINGS_GUILD, place, "test.secret", text).error, 0);
		if (changes == DRIVEN) {
			printf("ready\n");
			fflush(stdout);
		}
	}
	read_keys(shard, key_file);
	settings_bus_up(shard->settings);
	for (uint64_t i = 0; i < DRIVEN; i++) {
		struct settings_place place = { .guild_id = i + 1 };

		snprintf(text, sizeof(text), "secret %d", written[i]);
		assert_string_equal(get(shard, place, "test.secret").text, text);
	}
	printf("good after %d changes\n", changes);
	settings_closing(shard->settings);
	closing = 1;
	db_close(shard->db, on_closed, NULL);
	assert_true(loop_wait_for(&loop, all_closed, NULL, WAIT_MS));
	settings_free(shard->settings);
	schemas_free(schemas);
	loop_finish(&loop);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_what_no_longer_fits),
		cmocka_unit_test(test_a_change_is_seen_within_100_ms),
		cmocka_unit_test(test_nats_is_cut),
		cmocka_unit_test(test_database_is_away),
		cmocka_unit_test(test_what_was_written_since_counts),
		cmocka_unit_test(test_history_and_rollback),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_a_member_is_forgotten),
		cmocka_unit_test(test_declared_tables),
		cmocka_unit_test(test_a_guild_comes_back_in_the_middle),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_a_sweep_goes_on_for_as_long_as_it_may),
		cmocka_unit_test(test_guilds_that_are_left),
	};

	if (argc == 4 && strcmp(argv[1], "secrets") == 0)
		return drive(argv[2], argv[3]);
	if (!pg_is_wanted("test_settings"))
		return 0;
	return cmocka_run_group_tests(tests, open_all, close_all);
}
