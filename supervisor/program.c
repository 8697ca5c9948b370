/* Runs a program for its output: bounded in time and size. Run by the supervisor on its loop; what it prints is as
 * hostile as any. */
#include "supervisor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/loop/watch.h"
#include "supervisor/process.h"

struct program_run {
	program_fn fn;
	void *arg;
	struct timer timer;
	struct watch *out_watch, *exit_watch;
	int out_fd, pidfd;
	struct buf out;
	int error; /* first trouble met: told when the process is gone */
	bool out_ended, exited, done, closing;
	int status;
};

/* The answer is told when both the output has ended and the process is gone. */
static void conclude(struct program_run *run)
{
	if (run->done || run->closing || !run->exited || (!run->out_ended && run->error == 0))
		return;
	run->done = true;
	timer_stop(&run->timer);
	run->fn(run->arg, run->error, run->status, run->out.data ? run->out.data : "", run->out.len);
}

static void fail(struct program_run *run, int error)
{
	if (run->error == 0)
		run->error = error;
	if (!run->exited)
		process_signal(run->pidfd, SIGKILL);
	conclude(run);
}

static void timer_passed(void *arg)
{
	fail(arg, -ETIMEDOUT);
}

static void end_output(struct program_run *run)
{
	watch_free(run->out_watch);
	run->out_watch = NULL;
	close(run->out_fd);
	run->out_fd = -1;
	run->out_ended = true;
}

static void readable(void *arg, int error, int events)
{
	struct program_run *run = arg;
	char bytes[16384];
	ssize_t n;
	int r;

	(void)error;
	(void)events;
	n = read(run->out_fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r = n < 0 ? -errno : 0;
		end_output(run);
		if (r < 0)
			fail(run, r);
		conclude(run);
		return;
	}
	r = buf_append(&run->out, bytes, (size_t)n);
	if (r < 0) {
		end_output(run);
		fail(run, r == -ENOBUFS ? -EFBIG : r);
	}
}

static void exited(void *arg, int error, int events)
{
	struct program_run *run = arg;

	(void)error;
	(void)events;
	if (process_reap(run->pidfd, &run->status) == -EAGAIN)
		return;
	watch_free(run->exit_watch);
	run->exit_watch = NULL;
	run->exited = true;
	conclude(run);
}

static void timer_closed(void *arg)
{
	free(arg);
}

static int start(struct program_run *run, const struct program_spec *spec)
{
	CLEANUP(cleanup_close) int write_fd = -1;
	int fds[2];
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	run->out_fd = fds[0];
	write_fd = fds[1];
	if (fcntl(run->out_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = process_spawn(
		&(struct process_spec){
			.path = spec->path, .argv = spec->argv, .envp = spec->envp, .stdout_fd = write_fd },
		&pid, &run->pidfd);
	return r;
}

static void stop(struct program_run *run)
{
	int status;

	watch_free(run->out_watch);
	watch_free(run->exit_watch);
	run->out_watch = run->exit_watch = NULL;
	if (run->pidfd >= 0 && !run->exited) {
		/* Killed and collected: it does nothing that could keep it from dying at once. */
		process_signal(run->pidfd, SIGKILL);
		process_reap(run->pidfd, &status);
	}
	if (run->pidfd >= 0)
		close(run->pidfd);
	if (run->out_fd >= 0)
		close(run->out_fd);
	run->pidfd = run->out_fd = -1;
	buf_finish(&run->out);
}

int program_run(struct loop *loop, const struct program_spec *spec, program_fn fn, void *arg,
		struct program_run **ret_run)
{
	struct program_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->fn = fn;
	run->arg = arg;
	run->out_fd = run->pidfd = -1;
	buf_init(&run->out, spec->output_max);
	r = timer_init(&run->timer, loop, timer_passed, run);
	if (r < 0) {
		free(run);
		return r;
	}
	r = start(run, spec);
	if (r >= 0)
		r = watch_new(loop, run->out_fd, WATCH_READ, readable, run, &run->out_watch);
	if (r >= 0)
		r = watch_new(loop, run->pidfd, WATCH_READ, exited, run, &run->exit_watch);
	if (r < 0) {
		run->closing = true;
		stop(run);
		timer_close(&run->timer, timer_closed);
		return r;
	}
	timer_start(&run->timer, spec->deadline_ms);
	*ret_run = run;
	return 0;
}

void program_close(struct program_run *run)
{
	if (!run || run->closing)
		return;
	run->closing = true;
	stop(run);
	timer_close(&run->timer, timer_closed);
}
