/* Every allocation made to fail in turn: a function then says so, leaves its outputs alone, and loses nothing of what
 * it had taken. Our own calls are wrapped by the linker, jansson's by its own hook. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "shared/base/buf.h"
#include "shared/board/board.h"
#include "shared/config/config.h"
#include "shared/control/control.h"
#include "shared/control/control_wire.h"
#include "shared/db/db_tally.h"
#include "shared/db/statements_core.h"
#include "shared/log/log.h"
#include "shared/loop/inlet.h"
#include "shared/loop/loop.h"
#include "shared/loop/watch.h"
#include "tests/unit/tmpdir.h"

/* --- the allocator ---------------------------------------------------------------------------------------------------
 */

static int fail_at;    /* which allocation from now on fails; 0: none */
static int made;       /* allocations since then */
static bool all_after; /* and every one after it */
static bool failed;
static long live; /* allocations of ours that were not freed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static bool fails_now(void)
{
	made++;
	if (!fail_at || made < fail_at || (made > fail_at && !all_after))
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

/* What our own code holds. libc's own allocations (getline's line) come back through free() too, and are not ours. */
#define HELD_MAX 8192
static void *held[HELD_MAX];

static void *count(void *memory)
{
	for (size_t i = 0; memory && i < HELD_MAX; i++) {
		if (!held[i]) {
			held[i] = memory;
			live++;
			return memory;
		}
	}
	if (memory)
		abort(); /* the table is too small for this test */
	return memory;
}

static void *uncount(void *memory)
{
	for (size_t i = 0; memory && i < HELD_MAX; i++) {
		if (held[i] == memory) {
			held[i] = NULL;
			live--;
			break;
		}
	}
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails_now())
		return NULL;
	uncount(old);
	return count(__real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : count(__real_strdup(text));
}

void __wrap_free(void *memory)
{
	__real_free(uncount(memory));
}

/* --- the rule --------------------------------------------------------------------------------------------------------
 */

static char dir[TMPDIR_SIZE];
static struct loop loop;

static int try_seal(void);

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* @fn makes something, gives it back at once, and returns 0; or it fails. It is run with its first, second, …
 * allocation failing (alone, then with all that follow), until it has none left that could. */
static void assert_survives(int (*fn)(void))
{
	for (int mode = 0; mode < 2; mode++) {
		int at = 0, r, failures = 0;

		assert_int_equal(fn(), 0); /* what is kept for good is taken by now */
		do {
			long before = live;
			int descriptors = open_descriptors();

			all_after = mode;
			failed = false;
			made = 0;
			fail_at = ++at;
			r = fn();
			fail_at = 0;
			if (live != before)
				fail_msg("allocation %d failed (mode %d): %ld are lost", at, mode, live - before);
			assert_int_equal(open_descriptors(), descriptors);
			/* jansson goes on with half a text when its reader's buffer can't grow: then it is bad JSON. */
			if (failed && r != 0 && !(r == -EBADMSG && fn == try_seal))
				assert_int_equal(r, -ENOMEM);
			failures += r != 0;
		} while (failed && at < 5000);
		assert_false(failed);
		assert_int_equal(r, 0);
		assert_true(failures > 0);
	}
}

/* --- what is tried ---------------------------------------------------------------------------------------------------
 */

static int try_buf(void)
{
	CLEANUP(buf_finish) struct buf buf = { 0 };
	int r;

	buf_init(&buf, 10000);
	r = buf_append_str(&buf, "some text");
	if (r == 0)
		r = buf_printf(&buf, "%0500d", 7);
	if (r == 0)
		r = buf_reserve(&buf, 4000);
	return r == 0 && !buf_cstr(&buf) ? -ENOMEM : r;
}

static void on_result(void *arg, int error, const struct db_result *result)
{
	(void)arg;
	(void)result;
	assert_int_equal(error, -ECANCELED);
}

static void on_results(void *arg, int error, const struct db_results *results)
{
	on_result(arg, error, db_results_at(results, 0));
}

static int try_db(void)
{
	const struct db_param params[] = { DB_INT8(1), DB_TEXT("prefix", 6) };
	const struct db_call calls[] = { { &core_statements[CORE_GUILD_SETTING_GET], params, 2 },
					 { &core_statements[CORE_PING], NULL, 0 } };
	struct db_options options = { .conninfo = "host=127.0.0.1 port=1",
				      .read_conninfo = "host=127.0.0.1,127.0.0.2 port=1",
				      .version = "0.1.0" };
	struct db *db = NULL;
	int r = db_new(&loop, &options, NULL, NULL, &db);

	assert_int_equal(db != NULL, r == 0);
	if (r == 0)
		r = db_query(db, calls[0].statement, params, 2, on_result, NULL);
	if (r == 0)
		r = db_query_replica(db, calls[1].statement, NULL, 0, on_result, NULL);
	if (r == 0)
		r = db_transaction(db, calls, 2, on_results, NULL);
	db_close(db, NULL, NULL);
	for (int i = 0; i < 3; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT); /* what is left of it goes */
	return r;
}

static int try_tally(void)
{
	const struct db_statement_stats stats = { .done = 1 };
	CLEANUP(db_tally_finish) struct db_tally tally = { 0 };
	CLEANUP(db_tally_finish) struct db_tally back = { 0 };
	char path[TMPDIR_SIZE + 64];
	int r = db_tally_path(dir, 1, 2, path, sizeof(path));

	if (r == 0)
		r = db_tally_add(&tally, "core", "one", &stats);
	if (r == 0)
		r = db_tally_add(&tally, "core", "two", &stats);
	if (r == 0)
		r = db_tally_write(&tally, path);
	return r == 0 ? db_tally_read(&back, path) : r;
}

static int try_shard_board(void)
{
	struct board_shard *board = NULL;
	int r = board_shard_open(dir, 1, 2, true, &board);

	assert_int_equal(board != NULL, r == 0);
	board_shard_close(board);
	return r;
}

static int try_host_board(void)
{
	struct board_host *board = NULL;
	int r = board_host_open(dir, &board);

	assert_int_equal(board != NULL, r == 0);
	board_host_close(board);
	return r;
}

static int try_config_load(void)
{
	char path[TMPDIR_SIZE + 16], error[CONFIG_ERROR_SIZE];
	struct config *config = NULL;
	int r;

	snprintf(path, sizeof(path), "%s/shoal.ini", dir);
	r = config_load(path, NULL, NULL, &config, error);
	assert_int_equal(config != NULL, r == 0);
	if (r < 0)
		assert_true(error[0] != '\0');
	config_free(config);
	return r;
}

static int try_config_json(void)
{
	char error[CONFIG_ERROR_SIZE];
	struct config *config = NULL, *back = NULL;
	json_t *json;
	int r = config_load(NULL, NULL, NULL, &config, error);

	if (r < 0)
		return r;
	json = config_to_json(config);
	r = json ? config_from_json(json, &back, error) : -ENOMEM;
	assert_int_equal(back != NULL, r == 0);
	config_free(back);
	config_free(config);
	json_decref(json);
	return r;
}

static int try_seal(void)
{
	json_t *secrets = json_pack("{s:s, s:i}", "token", "x", "n", 1), *back = NULL;
	int fd = -1, r;
	size_t size;

	if (!secrets)
		return -ENOMEM;
	r = control_seal(secrets, &fd, &size);
	if (r == 0) {
		r = control_unseal(fd, &back);
		close(fd);
	}
	json_decref(back);
	json_decref(secrets);
	return r;
}

static int ignore_line(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
	return 0;
}

static int try_lines(void)
{
	struct control_lines lines;
	int r;

	control_lines_init(&lines);
	r = control_lines_feed(&lines, "begun", 5, ignore_line, NULL);
	if (r == 0)
		r = control_lines_feed(&lines, " and ended\nnext", 15, ignore_line, NULL);
	control_lines_finish(&lines);
	return r;
}

static void turn(void)
{
	int kept = fail_at;

	/* Closing is not what is tried. */
	fail_at = 0;
	for (int i = 0; i < 5; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	fail_at = kept;
}

static void on_request(void *arg, struct control_peer *peer, int64_t id, const char *verb, const json_t *request)
{
	(void)arg;
	(void)verb;
	(void)request;
	control_peer_answer(peer, id, NULL);
}

static void on_peer_closed(void *arg, struct control_peer *peer)
{
	(void)arg;
	(void)peer;
}

static const struct control_server_events server_events = { .request = on_request, .closed = on_peer_closed };

static int try_server(void)
{
	struct control_server *server = NULL;
	int r = control_server_new(&loop, dir, &server_events, NULL, &server);

	assert_int_equal(server != NULL, r == 0);
	if (server)
		control_server_close(server, NULL, NULL);
	turn();
	return r;
}

static const struct control_link_events link_events;

static int try_link(void)
{
	json_t *hello = json_object();
	struct control_link *link = NULL;
	int r;

	if (!hello)
		return -ENOMEM;
	r = control_link_new(&loop, dir, hello, &link_events, NULL, &link);
	assert_int_equal(link != NULL, r == 0);
	if (link)
		control_link_close(link, NULL, NULL);
	turn();
	json_decref(hello);
	return r;
}

static void on_watch(void *arg, int error, int events)
{
	(void)arg;
	(void)error;
	(void)events;
}

static int try_watch(void)
{
	struct watch *watch = NULL;
	int fds[2], r;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	r = watch_new(&loop, fds[0], WATCH_READ, on_watch, NULL, &watch);
	assert_int_equal(watch != NULL, r == 0);
	watch_free(watch);
	close(fds[0]);
	close(fds[1]);
	turn();
	return r;
}

static void on_item(void *arg, struct inlet_item *item)
{
	(void)arg;
	(void)item;
}

static void on_drop(struct inlet_item *item)
{
	(void)item;
}

static int try_inlet(void)
{
	struct inlet *inlet = NULL;
	int r = inlet_new(&loop, 10, on_item, on_drop, NULL, &inlet);

	assert_int_equal(inlet != NULL, r == 0);
	inlet_close(inlet);
	turn();
	return r;
}

/* --- a server whose every allocation may fail while it serves
 * ---------------------------------------------------------- */

static int ups;

static void on_up(void *arg, const json_t *secrets)
{
	(void)arg;
	(void)secrets;
	ups++;
}

static void on_down(void *arg, int error)
{
	(void)arg;
	(void)error;
}

/* A worker takes this for good: a moment without memory must never lead here. */
static void on_refused(void *arg, const char *error, const char *message)
{
	(void)arg;
	fail_msg("refused: %s: %s", error, message);
}

static void on_secrets_wanted(void *arg, struct control_peer *peer, int64_t id, const char *verb, const json_t *request)
{
	json_t *secrets = json_pack("{s:s}", "token", "x");

	(void)arg;
	(void)verb;
	(void)request;
	if (secrets)
		control_peer_answer_secrets(peer, id, NULL, secrets);
	json_decref(secrets);
}

static void test_serving_without_memory(void **state)
{
	static const struct control_server_events events = { .request = on_secrets_wanted, .closed = on_peer_closed };
	static const struct control_link_events worker = { .up = on_up, .down = on_down, .refused = on_refused };

	(void)state;
	for (int at = 1; at < 120; at++) {
		json_t *hello = json_object();
		struct control_server *server = NULL;
		struct control_link *link = NULL;
		long before = live;

		assert_int_equal(control_server_new(&loop, dir, &events, NULL, &server), 0);
		assert_int_equal(control_link_new(&loop, dir, hello, &worker, NULL, &link), 0);
		ups = 0;
		made = 0;
		all_after = false;
		fail_at = at;
		for (int i = 0; i < 30 && !ups; i++)
			uv_run(&loop.uv, UV_RUN_NOWAIT);
		fail_at = 0;
		/* Whatever failed, there was no crash, and both can be closed. */
		control_link_close(link, NULL, NULL);
		control_server_close(server, NULL, NULL);
		turn();
		assert_int_equal(live, before);
		json_decref(hello);
	}
	assert_int_equal(ups, 1); /* the last rounds have no allocation to fail any more */
}

/* --- all -------------------------------------------------------------------------------------------------------------
 */

static void test_buf(void **state)
{
	(void)state;
	assert_survives(try_buf);
}

static void test_boards(void **state)
{
	(void)state;
	assert_survives(try_shard_board);
	assert_survives(try_host_board);
}

static void test_config(void **state)
{
	(void)state;
	assert_survives(try_config_load);
	assert_survives(try_config_json);
}

static void test_control(void **state)
{
	(void)state;
	assert_survives(try_seal);
	assert_survives(try_lines);
	assert_survives(try_server);
	assert_survives(try_link);
}

static void test_loop(void **state)
{
	(void)state;
	assert_survives(try_watch);
	assert_survives(try_inlet);
}

static void test_database(void **state)
{
	(void)state;
	assert_survives(try_db);
	assert_survives(try_tally);
}

static int setup(void **state)
{
	static const char ini[] = "[discord]\nshard_count = 4\n[gateway]\nzombie_grace_ms = 7\n";
	char path[TMPDIR_SIZE + 16];
	bool damaged;
	int fd;

	(void)state;
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/shoal.ini", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, ini, sizeof(ini) - 1) != sizeof(ini) - 1)
		return -1;
	close(fd);
	return board_shard_create(dir, 1, 2, 16, 0, &damaged) || board_host_create(dir, &damaged) || loop_init(&loop);
}

static int teardown(void **state)
{
	int r = loop_finish(&loop);

	(void)state;
	tmpdir_remove(dir);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_boards),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_serving_without_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
