/* Processes by pidfd: what a child inherits, how it ends, and that a recycled pid is never taken for it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "supervisor/process.h"

static void spawn(const char *script, int stdout_fd, pid_t *ret_pid, int *ret_pidfd)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	char *env[] = { "PATH=/usr/bin:/bin", "ONLY=this", NULL };
	const struct process_spec spec = { .path = "/bin/sh", .argv = argv, .envp = env, .stdout_fd = stdout_fd };

	assert_int_equal(process_spawn(&spec, ret_pid, ret_pidfd), 0);
}

static int end_of(const char *script)
{
	struct pollfd ended = { .events = POLLIN };
	int status = -1;
	pid_t pid;

	spawn(script, -1, &pid, &ended.fd);
	assert_int_equal(poll(&ended, 1, 10000), 1);
	assert_int_equal(process_reap(ended.fd, &status), 0);
	assert_int_equal(process_reap(ended.fd, &status), -ECHILD); /* once */
	assert_int_equal(process_signal(ended.fd, SIGTERM), -ESRCH);
	close(ended.fd);
	return status;
}

static void test_statuses(void **state)
{
	int status;

	(void)state;
	assert_int_equal(end_of("exit 0"), 0);
	status = end_of("exit 10");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 10);
	status = end_of("kill -KILL $$");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = end_of("kill -SEGV $$");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void test_no_such_program(void **state)
{
	char *argv[] = { "x", NULL };
	const struct process_spec spec = { .path = "/nonexistent", .argv = argv, .envp = argv + 1, .stdout_fd = -1 };
	int pidfd = -7;
	pid_t pid = -7;

	(void)state;
	assert_int_equal(process_spawn(&spec, &pid, &pidfd), -ENOENT);
	assert_int_equal(pid, -7);
	assert_int_equal(pidfd, -7);
}

static unsigned long long mask_of(const char *text, const char *name)
{
	unsigned long long mask = ~0ULL;
	const char *at = strstr(text, name);

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(name), " %llx", &mask), 1);
	return mask;
}

/* A child gets its two streams and nothing else: no descriptor, no variable, no ignored or blocked signal of ours. */
static void test_inherits_nothing(void **state)
{
	static const char script[] =
		"cd /proc/self/fd && echo *; env | sort; grep -E 'SigBlk|SigIgn' /proc/self/status;"
		" ps -o pgid= -p $$ | tr -d ' '; echo $$";
	CLEANUP(buf_finish) struct buf out = { 0 };
	char bytes[4096], expected[64];
	sigset_t some, before;
	int fds[2], leaked, pidfd, status;
	const char *text;
	ssize_t n;
	pid_t pid;

	(void)state;
	buf_init(&out, 65536);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	sigprocmask(SIG_BLOCK, &some, &before);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	leaked = open("/dev/null", O_RDONLY); /* of a library that forgot CLOEXEC */
	assert_true(leaked > 2);
	spawn(script, fds[1], &pid, &pidfd);
	close(fds[1]);
	while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
		assert_int_equal(buf_append(&out, bytes, (size_t)n), 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	text = buf_cstr(&out);
	/* 3 is the shell's own, for the folder it lists. */
	assert_true(strncmp(text, "0 1 2\n", 6) == 0 || strncmp(text, "0 1 2 3\n", 8) == 0);
	assert_non_null(strstr(text, "ONLY=this\nPATH=/usr/bin:/bin\n"));
	assert_null(strstr(text, "HOME="));
	assert_int_equal(mask_of(text, "SigBlk:"), 0);
	/* 32 and 33 are the C library's own: no program can set them. */
	assert_int_equal(mask_of(text, "SigIgn:") & ~0x180000000ULL, 0);
	/* Its own process group: a terminal's Ctrl-C is not for it. */
	snprintf(expected, sizeof(expected), "\n%d\n%d\n", (int)pid, (int)pid);
	assert_non_null(strstr(text, expected));
	close(fds[0]);
	close(leaked);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pidfd);
}

/* The start time by another way: seconds since the boot, from the process's own folder. */
static void test_start_ticks(void **state)
{
	uint64_t mine = 0, again = 0, child = 0;
	struct timespec now;
	int pidfd, status;
	double age_s;
	pid_t pid;

	(void)state;
	assert_int_equal(process_start_ticks(getpid(), &mine), 0);
	assert_int_equal(process_start_ticks(getpid(), &again), 0);
	assert_int_equal(mine, again);
	clock_gettime(CLOCK_BOOTTIME, &now);
	age_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)mine / (double)sysconf(_SC_CLK_TCK);
	assert_true(age_s > -1 && age_s < 300);
	/* A name with brackets and blanks does not lead astray. */
	spawn("printf 'a) b (c' > /proc/$$/comm; kill -STOP $$", -1, &pid, &pidfd);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(process_start_ticks(pid, &child), 0);
	assert_true(child >= mine);
	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(process_start_ticks(pid, &child), -ESRCH);
	close(pidfd);
}

static void test_adopts_only_the_very_one(void **state)
{
	uint64_t ticks = 0;
	int pidfd, adopted = -1, status;
	pid_t pid;

	(void)state;
	spawn("kill -STOP $$", -1, &pid, &pidfd);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(process_start_ticks(pid, &ticks), 0);
	assert_int_equal(process_adopt(pid, ticks + 1, &adopted), -ESRCH); /* a recycled pid */
	assert_int_equal(process_adopt(pid, 0, &adopted), -ESRCH);
	assert_int_equal(process_adopt(0, ticks, &adopted), -ESRCH);
	assert_int_equal(process_adopt(1, ticks, &adopted), -ESRCH);
	assert_int_equal(process_adopt(-1, ticks, &adopted), -ESRCH);
	assert_int_equal(adopted, -1);
	assert_int_equal(process_adopt(pid, ticks, &adopted), 0);
	assert_true(fcntl(adopted, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(process_reap(adopted, &status), -EAGAIN);
	assert_int_equal(process_signal(adopted, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(process_adopt(pid, ticks, &adopted), -ESRCH);
	close(adopted);
	close(pidfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_start_ticks),
		cmocka_unit_test(test_adopts_only_the_very_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
