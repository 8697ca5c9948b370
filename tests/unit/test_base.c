/* Buffers, clocks, random numbers, error names, transition tables, scope-bound ownership. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "shared/base/buf.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/machine.h"
#include "shared/base/random.h"
#include "shared/base/utf8.h"

/* --- buf -------------------------------------------------------------------------------------------------------------
 */

static void test_buf_never_exceeds_its_maximum(void **state)
{
	CLEANUP(buf_finish) struct buf buf = { 0 };

	(void)state;
	for (size_t max = 0; max < 200; max++) {
		buf_init(&buf, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(buf_append_char(&buf, (char)i), 0);
		assert_int_equal(buf_append_char(&buf, 'x'), -ENOBUFS);
		assert_int_equal(buf_append(&buf, "x", SIZE_MAX), -ENOBUFS);
		assert_int_equal(buf_reserve(&buf, SIZE_MAX), -ENOBUFS);
		assert_int_equal(buf_printf(&buf, "%d", 1), -ENOBUFS);
		assert_int_equal(buf_append(&buf, NULL, 0), 0);
		assert_int_equal(buf.len, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal((unsigned char)buf.data[i], (unsigned char)i);
		/* A NUL behind a full buffer is not counted. */
		assert_non_null(buf_cstr(&buf));
		assert_true(buf.cap <= (max < 64 ? 64 : max + 1));
		buf_finish(&buf);
		assert_int_equal(buf.max, max);
	}
	buf_init(&buf, 10);
}

static void test_buf_text(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 20);
	assert_string_equal(buf_cstr(&buf), "");
	assert_int_equal(buf_append_str(&buf, "abc"), 0);
	assert_int_equal(buf_printf(&buf, "-%d-%s", 42, "x"), 0);
	assert_string_equal(buf_cstr(&buf), "abc-42-x");
	/* Refused whole: what was there stays. */
	assert_int_equal(buf_printf(&buf, "%s", "thirteen byte"), -ENOBUFS);
	assert_string_equal(buf_cstr(&buf), "abc-42-x");
	assert_int_equal(buf_printf(&buf, "%s", "twelve bytes"), 0);
	assert_int_equal(buf.len, 20);
	assert_string_equal(buf_cstr(&buf), "abc-42-xtwelve bytes");
	buf_consume(&buf, 4);
	assert_string_equal(buf_cstr(&buf), "42-xtwelve bytes");
	buf_consume(&buf, 0);
	buf_consume(&buf, 1000);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_cstr(&buf), "");
	buf_finish(&buf);
}

static void test_buf_clear_gives_back_what_is_large(void **state)
{
	struct buf buf;
	char *before;

	(void)state;
	buf_init(&buf, 1 << 20);
	buf_append_str(&buf, "small");
	before = buf.data;
	buf_clear(&buf, 4096);
	assert_ptr_equal(buf.data, before);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_reserve(&buf, 100000), 0);
	buf_clear(&buf, 4096);
	assert_null(buf.data);
	assert_int_equal(buf.max, 1 << 20);
	assert_int_equal(buf_append_str(&buf, "again"), 0);
	buf_finish(&buf);
	buf_finish(&buf);
	buf = (struct buf){ 0 };
	buf_finish(&buf);
}

/* --- ownership -------------------------------------------------------------------------------------------------------
 */

static int closed_by_scope(int *ret_fd)
{
	CLEANUP(cleanup_close) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_free) char *text = strdup("freed");

	*ret_fd = fd;
	errno = 77;
	return text != NULL;
}

static void test_cleanup_and_take(void **state)
{
	char *text = strdup("x"), *taken = TAKE(text);
	int fd = -1, number = 5;

	(void)state;
	assert_null(text);
	assert_string_equal(taken, "x");
	free(taken);
	assert_true(closed_by_scope(&fd));
	assert_int_equal(errno, 77);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(TAKE_FD(number), 5);
	assert_int_equal(number, -1);
}

/* --- clock -----------------------------------------------------------------------------------------------------------
 */

static void test_clocks(void **state)
{
	char text[CLOCK_ISO_SIZE];
	uint64_t fake = 0, before = clock_monotonic_ns();

	(void)state;
	assert_true(clock_monotonic_ns() >= before);
	assert_true(clock_boottime_ns() >= before);
	assert_true(clock_wall_ms() > 1700000000000);
	clock_set_fake(&fake);
	assert_int_equal(clock_monotonic_ns(), 1); /* never 0 */
	fake = 5 * NS_PER_S;
	assert_int_equal(clock_monotonic_ns(), 5 * NS_PER_S);
	assert_int_equal(clock_boottime_ns(), 5 * NS_PER_S);
	clock_set_fake(NULL);
	assert_true(clock_monotonic_ns() >= before);
	assert_string_equal(clock_format_iso(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_format_iso(1785860401123, text), "2026-08-04T16:20:01.123Z");
	assert_string_equal(clock_format_iso(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_format_iso(951782400000, text), "2000-02-29T00:00:00.000Z");
	assert_string_equal(clock_format_iso(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
	assert_string_equal(clock_format_iso(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
}

/* --- random ----------------------------------------------------------------------------------------------------------
 */

static void test_random(void **state)
{
	unsigned seen[7] = { 0 };
	unsigned char large[2000] = { 0 };
	char hex[34];
	size_t zeros = 0;

	(void)state;
	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 7000; i++) {
		double unit = random_unit();

		seen[random_below(7)]++;
		assert_true(unit >= 0.0 && unit < 1.0);
	}
	/* Expected 1000 each, deviation about 29: eight of them. */
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 760, 1240);
	assert_int_not_equal(random_u64(), random_u64());
	random_fill(large, sizeof(large));
	for (size_t i = 0; i < sizeof(large); i++)
		zeros += large[i] == 0;
	assert_true(zeros < 60);
	memset(hex, 'Z', sizeof(hex));
	random_hex(hex, 32);
	assert_int_equal(strlen(hex), 32);
	assert_int_equal(strspn(hex, "0123456789abcdef"), 32);
	assert_int_equal(hex[33], 'Z');
	random_hex(hex, 0);
	assert_string_equal(hex, "");
	random_hex(hex, 3);
	assert_int_equal(strlen(hex), 3);
}

/* --- errors ----------------------------------------------------------------------------------------------------------
 */

static void test_error_names(void **state)
{
	(void)state;
	assert_string_equal(error_name(-ENOENT), "ENOENT");
	assert_string_equal(error_name(ENOENT), "ENOENT");
	assert_string_equal(error_text(-ENOENT), "No such file or directory");
	assert_string_equal(error_name(0), "OK");
	assert_string_equal(error_name(-SHOAL_ERATE), "SHOAL_ERATE");
	assert_string_equal(error_name(UV_EOF), "EOF");
	assert_string_equal(error_name(UV_EAI_NONAME), "EAI_NONAME");
	for (int error = SHOAL_E_FIRST; error < SHOAL_E_LAST; error++) {
		assert_string_not_equal(error_name(error), "EUNRECOGNISED");
		assert_true(strlen(error_text(-error)) > 10);
		assert_int_equal(error_from_name(error_name(error)), error);
	}
	for (int error = 1; error < 134; error++) {
		if (strerrorname_np(error))
			assert_int_equal(error_from_name(error_name(error)), error);
	}
	assert_string_equal(error_name(INT_MIN), "EUNRECOGNISED");
	assert_string_equal(error_name(SHOAL_E_LAST), "EUNRECOGNISED");
	assert_true(strlen(error_text(INT_MAX)) > 0);
	assert_int_equal(error_from_name("ENOSUCH"), 0);
	assert_int_equal(error_from_name(""), 0);
}

/* --- utf8 ------------------------------------------------------------------------------------------------------------
 */

static void test_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xc3",
		"\xc3(",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x90",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
	};
	uint32_t point = 0;

	(void)state;
	assert_int_equal(utf8_decode("", &point), 1);
	assert_int_equal(point, 0);
	assert_int_equal(utf8_decode("\x7f", &point), 1);
	assert_int_equal(utf8_decode("\xc2\x80", &point), 2);
	assert_int_equal(point, 0x80);
	assert_int_equal(utf8_decode("\xed\x9f\xbf", &point), 3);
	assert_int_equal(point, 0xD7FF);
	assert_int_equal(utf8_decode("\xef\xbf\xbfz", &point), 3);
	assert_int_equal(point, 0xFFFF);
	assert_int_equal(utf8_decode("\xf4\x8f\xbf\xbf", &point), 4);
	assert_int_equal(point, 0x10FFFF);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(utf8_decode(bad[i], &point), 0);
}

/* --- machine ---------------------------------------------------------------------------------------------------------
 */

enum { IDLE, BUSY, DONE, STATES };
enum { START, STOP, POKE, EVENTS };

struct owner {
	struct machine machine;
	int starts, traced, last_from, last_event, last_to, last_accepted;
	const void *last_data;
	uint8_t state_in_action;
};

static void on_start(void *arg, const void *data)
{
	struct owner *owner = arg;

	owner->starts++;
	owner->last_data = data;
	owner->state_in_action = owner->machine.state;
}

static void step_again(void *arg, const void *data)
{
	(void)data;
	machine_step(&((struct owner *)arg)->machine, POKE, NULL);
}

static void trace(void *arg, const struct machine_table *table, uint8_t from, uint8_t event, uint8_t to, int accepted)
{
	struct owner *owner = arg;

	assert_string_equal(table->name, "test");
	owner->traced++;
	owner->last_from = from;
	owner->last_event = event;
	owner->last_to = to;
	owner->last_accepted = accepted;
}

static const struct machine_edge edges[STATES][EVENTS] = {
	[IDLE] = { [START] = GO(BUSY, on_start), [POKE] = IGNORED },
	[BUSY] = { [STOP] = GO(DONE, NULL), [POKE] = GO(BUSY, step_again) },
	[DONE] = { [STOP] = IGNORED },
};
static const char *const state_names[STATES] = { "idle", "busy", "done" };
static const char *const event_names[EVENTS] = { "start", "stop", "poke" };
static const struct machine_table table = { .name = "test",
					    .edges = &edges[0][0],
					    .state_names = state_names,
					    .event_names = event_names,
					    .state_count = STATES,
					    .event_count = EVENTS };

static void test_machine_every_cell(void **state)
{
	(void)state;
	for (uint8_t from = 0; from < STATES; from++) {
		for (uint8_t event = 0; event < EVENTS; event++) {
			const struct machine_edge *edge = &edges[from][event];
			struct owner owner = { 0 };
			int data = 3;

			if (edge->action == step_again)
				continue;
			machine_init(&owner.machine, &table, from, &owner, trace);
			assert_int_equal(machine_step(&owner.machine, event, &data),
					 edge->kind == MACHINE_ERROR ? -EPROTO : 0);
			assert_int_equal(owner.machine.state, edge->kind == MACHINE_GO ? edge->to : from);
			assert_int_equal(owner.traced, 1);
			assert_int_equal(owner.last_from, from);
			assert_int_equal(owner.last_event, event);
			assert_int_equal(owner.last_to, owner.machine.state);
			assert_int_equal(owner.last_accepted, edge->kind != MACHINE_ERROR);
			assert_int_equal(owner.starts, edge->action == on_start);
			if (edge->action == on_start) {
				assert_ptr_equal(owner.last_data, &data);
				/* The action sees the new state. */
				assert_int_equal(owner.state_in_action, BUSY);
			}
			assert_string_equal(machine_state_name(&owner.machine), state_names[owner.machine.state]);
		}
	}
}

static void test_machine_without_trace(void **state)
{
	struct owner owner = { 0 };

	(void)state;
	machine_init(&owner.machine, &table, IDLE, &owner, NULL);
	assert_int_equal(machine_step(&owner.machine, START, NULL), 0);
	assert_int_equal(machine_step(&owner.machine, START, NULL), -EPROTO);
	assert_int_equal(owner.starts, 1);
}

/* A step from within an action is our own bug: it ends the program instead of changing states beneath it. */
static void test_machine_refuses_to_nest(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct owner owner = { 0 };

		signal(SIGABRT, SIG_DFL);
		close(2); /* assert's message is expected */
		machine_init(&owner.machine, &table, BUSY, &owner, NULL);
		machine_step(&owner.machine, POKE, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_build_id(void **state)
{
	(void)state;
	assert_true(strlen(shoal_version) >= 5);
	assert_true(strcmp(shoal_build_id, "unknown") == 0 || strlen(shoal_build_id) == 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_never_exceeds_its_maximum),
		cmocka_unit_test(test_buf_text),
		cmocka_unit_test(test_buf_clear_gives_back_what_is_large),
		cmocka_unit_test(test_cleanup_and_take),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_error_names),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_machine_every_cell),
		cmocka_unit_test(test_machine_without_trace),
		cmocka_unit_test(test_machine_refuses_to_nest),
		cmocka_unit_test(test_build_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
