/* What systemd is doing with us (over a bus of the test's own), the unit file against the table of exit codes, and the
 * kernel's count of out-of-memory kills. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>

#include "shared/base/cleanup.h"
#include "shared/control/exit_code.h"
#include "supervisor/oom.h"
#include "supervisor/service.h"
#include "tests/unit/loop_wait.h"

/* --- a bus with nothing but systemd on it, for one client -------------------------------------------------------- */

enum silence { ANSWERS, SILENT_AT_ONCE, SILENT_AFTER_HELLO, HANGS_UP };

struct bus_case {
	const char *name;
	enum silence silence;
	const char *error_at; /* the member that is refused */
	uint32_t job_id;
	const char *type;
	enum service_job expected;
};

static const struct bus_case bus_cases[] = {
	{ "stop", ANSWERS, NULL, 7, "stop", SERVICE_JOB_STOP },
	{ "restart", ANSWERS, NULL, 7, "restart", SERVICE_JOB_RESTART },
	{ "try-restart", ANSWERS, NULL, 7, "try-restart", SERVICE_JOB_RESTART },
	{ "somebody's kill", ANSWERS, NULL, 0, "", SERVICE_JOB_NONE },
	{ "a job of a later systemd", ANSWERS, NULL, 7, "rejuvenate", SERVICE_JOB_UNKNOWN },
	{ "not a service", ANSWERS, "GetUnitByPID", 7, "stop", SERVICE_JOB_UNKNOWN },
	{ "no property", ANSWERS, "Job", 7, "stop", SERVICE_JOB_UNKNOWN },
	{ "job gone in between", ANSWERS, "JobType", 7, "stop", SERVICE_JOB_UNKNOWN },
	{ "bus hangs", SILENT_AT_ONCE, NULL, 7, "restart", SERVICE_JOB_UNKNOWN },
	{ "systemd hangs", SILENT_AFTER_HELLO, NULL, 7, "restart", SERVICE_JOB_UNKNOWN },
	{ "bus hangs up", HANGS_UP, NULL, 7, "restart", SERVICE_JOB_UNKNOWN },
};

struct fake_bus {
	const struct bus_case *row;
	char dir[64], path[96];
	int listener;
	pthread_t thread;
	uint32_t asked_pid;
};

static int reply_property(struct fake_bus *fake, sd_bus_message *call)
{
	const char *interface, *property;

	if (sd_bus_message_read(call, "ss", &interface, &property) < 0)
		return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_INVALID_ARGS, "what?");
	if (fake->row->error_at && strcmp(fake->row->error_at, property) == 0)
		return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_UNKNOWN_OBJECT, "no such thing");
	if (strcmp(property, "Job") == 0)
		return sd_bus_reply_method_return(call, "v", "(uo)", fake->row->job_id, "/job/7");
	return sd_bus_reply_method_return(call, "v", "s", fake->row->type);
}

static int on_call(sd_bus_message *call, void *arg, sd_bus_error *error)
{
	struct fake_bus *fake = arg;
	const char *member = sd_bus_message_get_member(call);

	(void)error;
	if (!member || !sd_bus_message_is_method_call(call, NULL, NULL))
		return 0;
	if (strcmp(member, "Hello") == 0)
		return sd_bus_reply_method_return(call, "s", ":1.5") < 0 ? -1 : 1;
	if (fake->row->silence == SILENT_AFTER_HELLO)
		return 1;
	if (strcmp(member, "GetUnitByPID") == 0) {
		if (fake->row->error_at && strcmp(fake->row->error_at, member) == 0)
			return sd_bus_reply_method_errorf(call, "org.freedesktop.systemd1.NoUnitForPID", "no unit");
		sd_bus_message_read(call, "u", &fake->asked_pid);
		return sd_bus_reply_method_return(call, "o", "/unit/shoald");
	}
	return reply_property(fake, call);
}

/* Until the client hangs up. */
static void serve(struct fake_bus *fake, int fd)
{
	sd_bus *bus = NULL;
	sd_id128_t id;
	int r;

	sd_id128_randomize(&id);
	if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 || sd_bus_set_server(bus, 1, id) < 0 ||
	    sd_bus_set_trusted(bus, 1) < 0 || sd_bus_start(bus) < 0)
		abort();
	sd_bus_add_filter(bus, NULL, on_call, fake);
	do {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	} while (r >= 0);
	sd_bus_close_unref(bus);
}

static void *run_bus(void *arg)
{
	struct fake_bus *fake = arg;
	char byte;
	int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fake->row->silence == SILENT_AT_ONCE)
		while (read(fd, &byte, 1) > 0)
			;
	if (fake->row->silence == ANSWERS || fake->row->silence == SILENT_AFTER_HELLO)
		serve(fake, fd); /* takes fd */
	else
		close(fd);
	return NULL;
}

static void start_bus(struct fake_bus *fake, const struct bus_case *row)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[128];

	memset(fake, 0, sizeof(*fake));
	fake->row = row;
	snprintf(fake->dir, sizeof(fake->dir), "/tmp/shoal-service.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	snprintf(fake->path, sizeof(fake->path), "%s/bus", fake->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listener, 1), 0);
	snprintf(text, sizeof(text), "unix:path=%s", fake->path);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", text, 1);
	assert_int_equal(pthread_create(&fake->thread, NULL, run_bus, fake), 0);
}

static void stop_bus(struct fake_bus *fake)
{
	shutdown(fake->listener, SHUT_RDWR); /* wakes an accept() that nobody came to */
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->dir);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

struct answer {
	int count;
	enum service_job job;
};

static void note(void *arg, enum service_job job)
{
	struct answer *answer = arg;

	answer->count++;
	answer->job = job;
}

static void test_jobs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bus_cases); i++) {
		const struct bus_case *row = &bus_cases[i];
		bool silent = row->silence == SILENT_AT_ONCE || row->silence == SILENT_AFTER_HELLO;
		struct service_question *question = NULL;
		struct answer answer = { .job = SERVICE_JOB_COUNT };
		struct fake_bus fake;
		struct loop loop;

		start_bus(&fake, row);
		assert_int_equal(loop_init(&loop), 0);
		assert_int_equal(service_ask_job(&loop, silent ? 50 : 20000, note, &answer, &question), 0);
		assert_int_equal(answer.count, 0);
		assert_true(loop_wait_for(&loop, loop_wait_nonzero, &answer.count, 10000));
		if (answer.job != row->expected)
			fail_msg("%s: %s", row->name, service_job_name(answer.job));
		assert_int_equal(loop_finish(&loop), 0);
		assert_int_equal(answer.count, 1);
		stop_bus(&fake);
		if (row->silence == ANSWERS && !row->error_at)
			assert_int_equal(fake.asked_pid, getpid());
	}
}

static void test_forgotten(void **state)
{
	struct service_question *question = NULL;
	struct answer answer = { 0 };
	struct fake_bus fake;
	struct loop loop;

	(void)state;
	start_bus(&fake, &bus_cases[0]);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(service_ask_job(&loop, 20000, note, &answer, &question), 0);
	service_forget(question);
	service_forget(NULL);
	assert_int_equal(loop_finish(&loop), 0);
	assert_int_equal(answer.count, 0);
	stop_bus(&fake);
}

static void test_no_bus(void **state)
{
	struct service_question *question = NULL;
	struct answer answer = { 0 };
	struct loop loop;

	(void)state;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	assert_int_equal(loop_init(&loop), 0);
	assert_true(service_ask_job(&loop, 1000, note, &answer, &question) < 0);
	assert_null(question);
	assert_int_equal(loop_finish(&loop), 0);
	assert_int_equal(answer.count, 0);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

/* A service that systemd must not start again after these, and must after all others. */
static void test_unit_file_has_the_fatal_codes(void **state)
{
	static const char key[] = "RestartPreventExitStatus=";
	FILE *unit = fopen("deploy/shoald.service", "re");
	bool listed[256] = { false }, found = false;
	char line[512];

	(void)state;
	assert_non_null(unit); /* run from the top of the tree */
	while (fgets(line, sizeof(line), unit)) {
		char *at, *save = NULL;

		if (strncmp(line, key, sizeof(key) - 1) != 0)
			continue;
		found = true;
		for (at = strtok_r(line + sizeof(key) - 1, " \n", &save); at; at = strtok_r(NULL, " \n", &save)) {
			int code = atoi(at);

			assert_in_range(code, 1, 255);
			listed[code] = true;
		}
	}
	fclose(unit);
	assert_true(found);
	for (int code = 0; code < 256; code++) {
		const struct exit_code_row *row = exit_code_find(code);
		bool fatal = row && row->class == EXIT_CLASS_FATAL;

		if (listed[code] != fatal)
			fail_msg("exit code %d (%s) is %s in deploy/shoald.service", code, row ? row->name : "not ours",
				 fatal ? "missing" : "too much");
	}
}

static void test_oom_count(void **state)
{
	struct oom oom;
	uint64_t kills = 77;

	(void)state;
	assert_int_equal(oom_parse("nr_free_pages 5\noom_kill 12\nunevictable 0\n", &kills), 0);
	assert_int_equal(kills, 12);
	kills = 77;
	assert_int_equal(oom_parse("", &kills), -ENODATA);
	assert_int_equal(oom_parse("nr_free_pages 5\nnot_oom_kill 12\noom_kill_x 3\n", &kills), -ENODATA);
	assert_int_equal(oom_parse("a 1\noom_kill \n", &kills), -ENODATA);
	assert_int_equal(kills, 77);
	oom_init(&oom);
	if (access("/proc/vmstat", R_OK) == 0)
		assert_true(oom.available);
	/* As if there had been one, and as if the kernel did not tell. */
	if (oom.available && oom.seen > 0) {
		oom.seen = oom.before = oom.seen - 1;
		assert_true(oom_happened(&oom));
		oom_look(&oom); /* fell between the kill and the word of the death */
		assert_true(oom_happened(&oom));
		oom_look(&oom);
		assert_int_equal(oom.before, oom.seen);
	}
	oom.available = false;
	assert_false(oom_happened(&oom));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),      cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_no_bus),    cmocka_unit_test(test_unit_file_has_the_fatal_codes),
		cmocka_unit_test(test_oom_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
