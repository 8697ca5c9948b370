/* Runs the worker program for its manifest: bounded in time and size, its output taken as hostile as any. Run by the
 * supervisor at start, on its loop. */
#include "supervisor/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/errors.h"
#include "shared/loop/watch.h"
#include "supervisor/process.h"

struct manifest_run {
	manifest_fn fn;
	void *arg;
	struct timer timer;
	struct watch *out_watch, *exit_watch;
	int out_fd, pidfd;
	uint64_t deadline_ms;
	struct buf out;
	int error; /* first trouble met: told when the process is gone */
	bool out_ended, exited, done, closing;
	int status;
};

int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *intents = json_object_get(root, "intents");
	json_t *commands = json_object_get(root, "commands"), *events = json_object_get(root, "events");
	const char *hash = json_string_value(json_object_get(root, "hash"));
	struct manifest manifest = { 0 };
	size_t i;
	json_t *command;

	if (!json_is_integer(intents) || json_integer_value(intents) < 0 || json_integer_value(intents) > UINT32_MAX ||
	    !json_is_array(commands) || json_array_size(commands) > MANIFEST_COMMANDS_MAX || !hash ||
	    strlen(hash) >= sizeof(manifest.hash))
		goto bad;
	json_array_foreach(commands, i, command) if (!json_is_string(json_object_get(command, "name"))) goto bad;
	manifest.intents = (uint32_t)json_integer_value(intents);
	manifest.commands = json_incref(commands);
	manifest.events = json_is_array(events) ? json_incref(events) : NULL;
	snprintf(manifest.hash, sizeof(manifest.hash), "%s", hash);
	json_decref(root);
	*ret_manifest = manifest;
	return 0;
bad:
	json_decref(root);
	return -EBADMSG;
}

void manifest_finish(struct manifest *manifest)
{
	json_decref(manifest->commands);
	json_decref(manifest->events);
	memset(manifest, 0, sizeof(*manifest));
}

static void tell_success(struct manifest_run *run)
{
	struct manifest manifest;

	if (manifest_parse(run->out.data, run->out.len, &manifest) < 0) {
		run->fn(run->arg, -EBADMSG, NULL,
			"the worker program's --manifest is no manifest: is it of this version?");
		return;
	}
	run->fn(run->arg, 0, &manifest, "");
	manifest_finish(&manifest);
}

/* The answer is told when both the output has ended and the process is gone. */
static void conclude(struct manifest_run *run)
{
	char text[160];

	if (run->done || run->closing || !run->exited || (!run->out_ended && run->error == 0))
		return;
	run->done = true;
	timer_stop(&run->timer);
	if (run->error == -ETIMEDOUT)
		snprintf(text, sizeof(text), "the worker program's --manifest did not end within %" PRIu64 " ms",
			 run->deadline_ms);
	else if (run->error < 0)
		snprintf(text, sizeof(text), "the worker program's --manifest: %s", error_text(run->error));
	else if (run->status != 0)
		snprintf(text, sizeof(text), "the worker program's --manifest ended with %s %d",
			 WIFSIGNALED(run->status) ? "signal" : "exit code",
			 WIFSIGNALED(run->status) ? WTERMSIG(run->status) : WEXITSTATUS(run->status));
	else {
		tell_success(run);
		return;
	}
	run->fn(run->arg, run->error < 0 ? run->error : -EIO, NULL, text);
}

static void fail(struct manifest_run *run, int error)
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

static void end_output(struct manifest_run *run)
{
	watch_free(run->out_watch);
	run->out_watch = NULL;
	close(run->out_fd);
	run->out_fd = -1;
	run->out_ended = true;
}

static void readable(void *arg, int error, int events)
{
	struct manifest_run *run = arg;
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
	struct manifest_run *run = arg;

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

static int start(struct manifest_run *run, const char *path, char *const *envp)
{
	char *argv[] = { "shoal-shard", "--manifest", NULL };
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
	r = process_spawn(&(struct process_spec){ .path = path, .argv = argv, .envp = envp, .stdout_fd = write_fd },
			  &pid, &run->pidfd);
	return r;
}

static void stop(struct manifest_run *run)
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

int manifest_run(struct loop *loop, const char *path, char *const *envp, uint64_t deadline_ms, manifest_fn fn,
		 void *arg, struct manifest_run **ret_run)
{
	struct manifest_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->fn = fn;
	run->arg = arg;
	run->out_fd = run->pidfd = -1;
	buf_init(&run->out, MANIFEST_SIZE_MAX);
	r = timer_init(&run->timer, loop, timer_passed, run);
	if (r < 0) {
		free(run);
		return r;
	}
	r = start(run, path, envp);
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
	run->deadline_ms = deadline_ms;
	timer_start(&run->timer, deadline_ms);
	*ret_run = run;
	return 0;
}

void manifest_close(struct manifest_run *run)
{
	if (!run || run->closing)
		return;
	run->closing = true;
	stop(run);
	timer_close(&run->timer, timer_closed);
}
