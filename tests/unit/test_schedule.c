/* Two schedulers on one real PostgreSQL, each with a loop, outbox, journal and agenda of its own as two hosts have
 * them: a job is run by one of them at a time, and one that stood still (its loop is not turned, as under SIGSTOP) for
 * longer than its lease does nothing and writes nothing more of a run that the other has taken over. The leases are
 * real, and short; REST is a stub that lets go of a request when the test says so. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/schedule/schedule_private.h"
#include "shared/base/cleanup.h"
#include "shared/db/migrate.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/pg_database.h"
#include "tests/unit/tmpdir.h"

#define WAIT_MS  30000
#define TURN_MS  20
#define LEASE_S  4
#define MARGIN_S 1
#define GUILD    "4194304"

/* One run's code, until the test lets it end. */
struct held {
	struct scope_call call;
	struct host *host;
};

struct host {
	const char *name;
	char dir[TMPDIR_SIZE];
	struct loop loop;
	struct db *db;
	struct outbox *outbox;
	struct effects *effects;
	struct schedule *schedule;
	_Atomic uint64_t counters[BOARD_COUNTER_COUNT];
	struct held *held;
	uint64_t begun, number; /* runs, and the last one's number */
	uint32_t told;          /* answers to its message */
	int told_error;
	bool db_closed, outbox_closed, effects_closed;
};

static struct host hosts[2];
static struct pg_database database;
static PGconn *sql;

/* --- REST, as a stub ---------------------------------------------------------------------------------------------- */

struct sent {
	struct rest_request request;
	rest_fn fn;
	void *arg;
	bool open, left;
};

static struct sent sent[8];
static size_t sent_count;

int rest_send(struct rest *rest, const struct rest_request *request, rest_fn fn, void *arg, uint64_t *ret_handle)
{
	(void)rest;
	assert_true(sent_count < ARRAY_SIZE(sent));
	sent[sent_count++] = (struct sent){ .request = *request, .fn = fn, .arg = arg, .open = true };
	*ret_handle = sent_count;
	return 0;
}

static void answer(struct sent *one, int error)
{
	struct rest_result result = { .error = error, .http_status = error ? 0 : 200, .message = "" };

	assert_true(one->open);
	one->open = false;
	json_decref(one->request.json);
	one->request.json = NULL;
	if (error == 0)
		result.body = json_pack("{s:s}", "id", "77");
	one->fn(one->arg, &result);
	json_decref(result.body);
}

int rest_cancel(struct rest *rest, uint64_t handle)
{
	(void)rest;
	if (!sent[handle - 1].open)
		return -ENOENT;
	answer(&sent[handle - 1], -ECANCELED);
	return 0;
}

/* As the client does right before the first byte: who asked may keep it. */
static void let_go(size_t i)
{
	int r = sent[i].request.leaving(sent[i].arg);

	sent[i].left = r == 0;
	answer(&sent[i], r);
}

/* --- what is run -------------------------------------------------------------------------------------------------- */

static void release(struct held *held)
{
	held->call.over = true;
	held->host->held = NULL;
	scope_done(&held->call);
	free(held);
}

static void on_cancel(struct scope_call *call)
{
	release((struct held *)call);
}

/* Goes on until release(). */
static void hold(struct host *host, struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct held *held = calloc(1, sizeof(*held));

	assert_non_null(held);
	assert_null(host->held);
	held->host = host;
	host->held = held;
	host->begun++;
	host->number = run->number;
	assert_int_equal(scope_add(scope, &held->call, on_cancel), 0);
	assert_true(schedule_may_act(scope));
}

static void run_of_fleet(void *arg, struct shoal_scope *scope, const struct shoal_job_run *run)
{
	hold(arg, scope, run);
}

/* A handler of a module has no argument: whose loop is turned. */
static struct host *turned;

static void hold_turned(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	hold(turned, scope, run);
}

static void on_told(void *arg, const struct rest_result *result)
{
	struct host *host = arg;

	host->told++;
	host->told_error = result->error;
}

static void post(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct host *host = turned;
	struct rest_request request = { .route = ROUTE_CREATE_MESSAGE, .json = json_pack("{s:s}", "content", "-") };
	uint64_t handle;

	host->begun++;
	host->number = run->number;
	request.args.ids[ROUTE_ID_CHANNEL] = 99;
	assert_int_equal(effects_send(host->effects, &scope->effects, &request, on_told, host, &handle), 0);
}

static void remake(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct shoal_schedule request = {
		.job = "post", .guild_id = run->guild_id, .tag = 5, .at_ms = schedule_now_ms() + 3600 * 1000
	};

	turned->begun++;
	assert_int_equal(schedule_add(turned->schedule, scope, &request, NULL, NULL), 0);
}

static const struct shoal_job kinds[] = {
	{ .name = "remake", .handle = remake },
	{ .name = "hold", .handle = hold_turned },
	{ .name = "post", .handle = post },
	{ 0 },
};

static int find(void *arg, const char *module, const char *name, uint64_t guild_id, struct schedule_handler *ret)
{
	static struct module_entry entry = { .name = "test" };

	(void)arg;
	(void)guild_id;
	assert_string_equal(module, "test");
	for (const struct shoal_job *kind = kinds; kind->name; kind++) {
		if (strcmp(kind->name, name) == 0) {
			*ret = (struct schedule_handler){ .row = kind, .module = &entry };
			return 0;
		}
	}
	return -ENOENT;
}

static const char *module_at(void *arg, size_t i)
{
	(void)arg;
	return i == 0 ? "test" : NULL;
}

static const struct shoal_job *row_at(void *arg, const char *module, size_t i)
{
	(void)arg;
	(void)module;
	return kinds[i].name ? &kinds[i] : NULL;
}

/* --- hosts -------------------------------------------------------------------------------------------------------- */

static void on_up(void *arg)
{
	struct host *host = arg;

	outbox_wake(host->outbox);
	schedule_wake(host->schedule);
}

static void open_host(struct host *host, const char *name, const char *fleet)
{
	static const struct db_events events = { .up = on_up };
	struct db_options db = { .conninfo = database.conninfo,
				 .application_name = name,
				 .prepared = true,
				 .connections = 2,
				 .connect_timeout_ms = 2000,
				 .statement_timeout_ms = 5000 };
	struct outbox_options outbox = {
		.state_dir = host->dir, .shard_count = 1, .max_mib = 4, .max_entries = 1000, .dead_keep_days = 30
	};
	struct journal_options journal = { .runtime_dir = host->dir, .generation = 1, .max_mib = 1 };
	struct schedule_options options = { .loop = &host->loop,
					    .counters = host->counters,
					    .runtime_dir = host->dir,
					    .generation = 1,
					    .shard_count = 1,
					    .open_max = 8,
					    .guild_open_max = 8,
					    .look_s = 1,
					    .lease_s = LEASE_S,
					    .margin_s = MARGIN_S,
					    .find = find,
					    .module = module_at,
					    .row = row_at,
					    .arg = host };
	struct shoal_job row = { .name = "tidy", .repeat = fleet, .late = SHOAL_JOB_LATE_ONCE };

	memset(host, 0, sizeof(*host));
	host->name = name;
	tmpdir_make(host->dir);
	assert_int_equal(loop_init(&host->loop), 0);
	assert_int_equal(db_new(&host->loop, &db, &events, host, &host->db), 0);
	assert_int_equal(outbox_new(&host->loop, &outbox, host->db, &host->outbox), 0);
	assert_int_equal(effects_new(&host->loop, &journal, NULL, host->counters, &host->effects), 0);
	options.db = host->db;
	options.outbox = host->outbox;
	options.effects = host->effects;
	assert_int_equal(schedule_new(&options, &host->schedule), 0);
	if (fleet)
		assert_int_equal(schedule_fleet(host->schedule, &row, run_of_fleet, host), 0);
	schedule_start(host->schedule);
}

static void open_both(const char *fleet)
{
	assert_true(pg_exec(sql, "DELETE FROM shoal.job"));
	memset(sent, 0, sizeof(sent));
	sent_count = 0;
	open_host(&hosts[0], "one", fleet);
	open_host(&hosts[1], "other", fleet);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static bool is_closed(void *arg)
{
	const struct host *host = arg;

	return host->db_closed && host->outbox_closed && host->effects_closed;
}

static void close_host(struct host *host)
{
	schedule_closing(host->schedule);
	assert_null(host->held);
	outbox_closing(host->outbox);
	db_close(host->db, set_flag, &host->db_closed);
	outbox_close(host->outbox, set_flag, &host->outbox_closed);
	effects_close(host->effects, set_flag, &host->effects_closed);
	assert_true(loop_wait_for(&host->loop, is_closed, host, WAIT_MS));
	schedule_free(host->schedule);
	loop_finish(&host->loop);
	tmpdir_remove(host->dir);
}

static void close_both(void)
{
	for (size_t i = 0; i < 2; i++)
		close_host(&hosts[i]);
}

/* Turns that one's loop alone: the other stands still. */
static void turn(struct host *host, bool (*met)(void *arg), void *arg)
{
	turned = host;
	if (!loop_wait_for(&host->loop, met, arg, WAIT_MS))
		fail_msg("host %s, jobs: %s", host->name,
			 pg_value(sql, "SELECT coalesce(string_agg(j::text, ' '), 'none') FROM shoal.job AS j"));
}

/* Both in turn. */
static void turn_both(bool (*met)(void *arg), void *arg)
{
	uint64_t until_ns = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;

	for (size_t i = 0; !met(arg); i++) {
		assert_true(clock_monotonic_ns() < until_ns);
		turned = &hosts[i % 2];
		loop_wait_for(&turned->loop, met, arg, TURN_MS);
	}
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

static bool has_begun(void *arg)
{
	return ((struct host *)arg)->begun > 0;
}

static bool either_holds(void *arg)
{
	(void)arg;
	return hosts[0].held || hosts[1].held;
}

static bool knows_nothing(void *arg)
{
	return HASH_COUNT(((struct host *)arg)->schedule->jobs) == 0;
}

static bool was_fenced(void *arg)
{
	return atomic_load(&((struct host *)arg)->counters[BOARD_COUNTER_jobs_fenced]) > 0;
}

static bool has_answer(void *arg)
{
	return strcmp(pg_value(sql, arg), "t") == 0;
}

static void wait_sql(struct host *host, const char *question)
{
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", question);
	turn(host, has_answer, copy);
}

static void make_job(unsigned int id, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "INSERT INTO shoal.job (guild_id, id, module, name, version, due_at) VALUES (" GUILD
		 ", %u, 'test', '%s', 0, now())",
		 id, name);
	assert_true(pg_exec(sql, text));
}

/* --- the tests ---------------------------------------------------------------------------------------------------- */

/* A recurring job of the fleet: by turns or not, never two at a time, and no run is missing or done twice. */
static void test_one_run_at_a_time_in_the_whole_fleet(void **state)
{
	(void)state;
	open_both("every 1s");
	for (uint64_t run = 0; run < 6; run++) {
		uint64_t begun;

		turn_both(either_holds, NULL);
		assert_true(!hosts[0].held || !hosts[1].held);
		begun = hosts[0].begun + hosts[1].begun;
		assert_int_equal(begun, run + 1);
		assert_int_equal((hosts[0].held ? &hosts[0] : &hosts[1])->number, run);
		assert_string_equal(pg_value(sql,
					     "SELECT module || '.' || name || ' ' || repeat || ' ' || (holder <> 0)"
					     " FROM shoal.job"),
				    "core.tidy every 1s true");
		/* The other one looks at it meanwhile, and gets nothing. */
		for (size_t i = 0; i < 10; i++) {
			turned = &hosts[hosts[0].held ? 1 : 0];
			loop_wait_for(&turned->loop, either_holds, NULL, TURN_MS);
		}
		assert_int_equal(hosts[0].begun + hosts[1].begun, begun);
		assert_false(schedule_is_busy(hosts[0].schedule) || schedule_is_busy(hosts[1].schedule));
		release(hosts[0].held ? hosts[0].held : hosts[1].held);
	}
	close_both();
}

/* Its message was about to leave when it was stopped. */
static void test_who_stood_still_sends_nothing(void **state)
{
	(void)state;
	open_both(NULL);
	make_job(7, "post");
	turn(&hosts[0], has_begun, &hosts[0]);
	assert_int_equal(sent_count, 1);
	/* The lease runs out under it; the other begins the run and ends it. */
	turn(&hosts[1], has_begun, &hosts[1]);
	assert_int_equal(sent_count, 2);
	assert_string_equal(pg_value(sql, "SELECT fence::text FROM shoal.job"), "2");
	let_go(1);
	assert_true(sent[1].left && hosts[1].told == 1 && hosts[1].told_error == 0);
	wait_sql(&hosts[1], "SELECT count(*) = 0 FROM shoal.job");
	/* The first goes on where it was. */
	let_go(0);
	assert_false(sent[0].left);
	assert_int_equal(hosts[0].told, 1);
	assert_int_equal(hosts[0].told_error, -ECANCELED);
	turn(&hosts[0], knows_nothing, &hosts[0]);
	assert_int_equal(hosts[0].begun, 1);
	assert_int_equal(sent_count, 2);
	assert_int_equal(atomic_load(&hosts[0].counters[BOARD_COUNTER_jobs_done]), 0);
	close_both();
}

/* The same, and the other is still at it: its row is not touched. */
static void test_who_stood_still_ends_nothing(void **state)
{
	(void)state;
	open_both(NULL);
	make_job(7, "hold");
	turn(&hosts[0], has_begun, &hosts[0]);
	turn(&hosts[1], has_begun, &hosts[1]);
	assert_false(schedule_may_act(hosts[0].held->call.scope));
	assert_true(schedule_may_act(hosts[1].held->call.scope));
	release(hosts[0].held);
	turn(&hosts[0], knows_nothing, &hosts[0]);
	assert_string_equal(
		pg_value(sql, "SELECT fence || ' ' || claims || ' ' || (holder <> 0) || ' ' || (failed_at IS NULL)"
			      " FROM shoal.job"),
		"2 2 true true");
	release(hosts[1].held);
	wait_sql(&hosts[1], "SELECT count(*) = 0 FROM shoal.job");
	close_both();
}

/* And one whose code never asks whether it still may: what it says of the run's end is refused by the fence. */
static void test_the_fence_refuses_a_late_end(void **state)
{
	(void)state;
	open_both("every 1h");
	wait_sql(&hosts[0], "SELECT count(*) = 1 FROM shoal.job");
	assert_true(pg_exec(sql, "UPDATE shoal.job SET due_at = now()"));
	turn(&hosts[0], has_begun, &hosts[0]);
	turn(&hosts[1], has_begun, &hosts[1]);
	assert_int_equal(hosts[0].number, hosts[1].number);
	release(hosts[0].held);
	turn(&hosts[0], was_fenced, &hosts[0]);
	/* Still the other's, at the same run and time. */
	assert_string_equal(pg_value(sql,
				     "SELECT run || ' ' || fence || ' ' || (holder <> 0) || ' ' || (due_at <= now())"
				     " FROM shoal.job"),
			    "0 2 true true");
	release(hosts[1].held);
	wait_sql(&hosts[1], "SELECT run = 1 AND holder = 0 AND due_at > now() FROM shoal.job");
	assert_false(was_fenced(&hosts[1]));
	close_both();
}

static bool has_next(void *arg)
{
	const struct host *host = arg;

	return host->begun == 2;
}

/* The other has taken its run over and ended it: what it gets next is a run that nobody has begun before. */
static void test_after_another_ended_its_run_the_next_is_a_new_one(void **state)
{
	struct job *job;

	(void)state;
	open_both("every 1h");
	wait_sql(&hosts[0], "SELECT count(*) = 1 FROM shoal.job");
	assert_true(pg_exec(sql, "UPDATE shoal.job SET due_at = now()"));
	turn(&hosts[0], has_begun, &hosts[0]);
	turn(&hosts[1], has_begun, &hosts[1]);
	assert_true(hosts[1].schedule->jobs->again && hosts[1].schedule->jobs->row.doubtful);
	release(hosts[1].held);
	wait_sql(&hosts[1], "SELECT run = 1 AND holder = 0 FROM shoal.job");
	assert_true(pg_exec(sql, "UPDATE shoal.job SET due_at = now()"));
	assert_false(schedule_may_act(hosts[0].held->call.scope));
	release(hosts[0].held);
	turn(&hosts[0], has_next, &hosts[0]);
	job = hosts[0].schedule->jobs;
	assert_int_equal(hosts[0].number, 1);
	assert_false(job->again || job->row.doubtful);
	assert_true(job->row.since_ms >= job->row.due_ms);
	release(hosts[0].held);
	wait_sql(&hosts[0], "SELECT run = 2 AND holder = 0 AND due_at > now() FROM shoal.job");
	close_both();
}

/* A tag says that a job is there once; when it is over, the same one may be made again, also soon. */
static void test_a_tag_is_used_anew(void **state)
{
	(void)state;
	open_both(NULL);
	for (size_t i = 0; i < 2; i++) {
		make_job(8 + (unsigned int)i, "remake");
		wait_sql(&hosts[0], "SELECT count(*) FILTER (WHERE tag = 5) = 1 AND count(*) = 1 FROM shoal.job");
		assert_int_equal(hosts[0].begun, i + 1);
		assert_true(pg_exec(sql, "DELETE FROM shoal.job"));
	}
	close_both();
}

static void test_what_no_job_can_be(void **state)
{
	struct shoal_job row = { .name = "tidy", .repeat = "now and then" };

	(void)state;
	open_both(NULL);
	assert_int_equal(schedule_fleet(hosts[0].schedule, &row, run_of_fleet, NULL), -EINVAL);
	row.repeat = NULL;
	assert_int_equal(schedule_fleet(hosts[0].schedule, &row, run_of_fleet, NULL), -EINVAL);
	row.repeat = "every 1h";
	assert_int_equal(schedule_fleet(NULL, &row, run_of_fleet, NULL), 0);
	for (size_t i = 0; i < FLEET_ROWS_MAX; i++)
		assert_int_equal(schedule_fleet(hosts[0].schedule, &row, run_of_fleet, NULL), 0);
	assert_int_equal(schedule_fleet(hosts[0].schedule, &row, run_of_fleet, NULL), -ENOBUFS);
	close_both();
}

static int set_up(void **state)
{
	struct migrate *migrate = NULL;
	struct migrate_error error = { 0 };
	uint32_t applied;
	int r;

	(void)state;
	if (!pg_database_open(&database) || migrate_open(database.conninfo, 5000, &migrate, &error) < 0)
		return -1;
	r = migrate_up(migrate, "sql", 0, 30000, NULL, NULL, &applied, &error);
	if (r < 0)
		print_error("%s\n", error.text);
	migrate_close(migrate);
	sql = pg_connect(&database);
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	PQfinish(sql);
	pg_database_close(&database);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_run_at_a_time_in_the_whole_fleet),
		cmocka_unit_test(test_who_stood_still_sends_nothing),
		cmocka_unit_test(test_who_stood_still_ends_nothing),
		cmocka_unit_test(test_the_fence_refuses_a_late_end),
		cmocka_unit_test(test_after_another_ended_its_run_the_next_is_a_new_one),
		cmocka_unit_test(test_a_tag_is_used_anew),
		cmocka_unit_test(test_what_no_job_can_be),
	};

	if (!pg_is_wanted("test_schedule"))
		return 0;
	return cmocka_run_group_tests_name("schedule", tests, set_up, tear_down);
}
