/* A writer that is stopped, or killed, exactly: at each instruction or at each system call, in a child of the test. */
#ifndef SHOAL_TESTS_UNIT_STEPPING_H
#define SHOAL_TESTS_UNIT_STEPPING_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* @prepare (NULL: nothing) runs before the first stop, @fn behind it; the child ends with 0 after it. */
struct stepping {
	void (*prepare)(void);
	void (*fn)(void *arg);
	void *arg;
};

static inline pid_t stepping_begin(const struct stepping *what)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (what->prepare)
			what->prepare();
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		what->fn(what->arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
	return pid;
}

/* Calls @look between any two instructions. Returns how many there were. */
static inline uint64_t stepping_look(const struct stepping *what, void (*look)(void))
{
	pid_t pid = stepping_begin(what);
	uint64_t steps = 0;
	int status = 0;

	do {
		look();
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		steps++;
	} while (WIFSTOPPED(status));
	look();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return steps;
}

/* Kills it at its @nth stop (PTRACE_SYSCALL: the beginning and the end of each system call; PTRACE_SINGLESTEP: each
 * instruction). False: it was through before. */
static inline bool stepping_kill(const struct stepping *what, enum __ptrace_request how, uint64_t nth)
{
	pid_t pid = stepping_begin(what);
	int status = 0;

	for (uint64_t stop = 0; stop < nth; stop++) {
		assert_int_equal(ptrace(how, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return true;
}

#endif
