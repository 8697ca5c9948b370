/* The process behind a worker slot. Run by the supervisor on its loop. A worker is known by its pidfd and its board's
 * lock, whoever started it; this room starts, adopts and buries, and decides nothing. */
#include "supervisor/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "supervisor/process.h"

#define ARGV_MAX 24

struct log_ctx worker_ctx(const struct worker *worker)
{
	return (struct log_ctx){ .shard = (int32_t)worker->slot.shard_id };
}

/* Its pidfd became readable: the process has ended. */
static void exited(void *arg, int error, int events)
{
	struct worker *worker = arg;
	int status = 0, r;

	(void)error;
	(void)events;
	r = process_reap(worker->pidfd, &status);
	if (r == -EAGAIN)
		return;
	worker->on_end(worker, r == 0, status);
}

static int hold_process(struct worker *worker, struct loop *loop, int32_t pid, int pidfd, bool child)
{
	int r;

	r = watch_new(loop, pidfd, WATCH_READ, exited, worker, &worker->exit_watch);
	if (r < 0)
		return r;
	worker->pid = pid;
	worker->pidfd = pidfd;
	worker->child = child;
	worker->adopted = !child;
	worker->started_ns = clock_monotonic_ns();
	worker->ready_since_ns = 0;
	return 0;
}

void worker_drop_process(struct worker *worker)
{
	watch_free(worker->exit_watch);
	worker->exit_watch = NULL;
	if (worker->pidfd >= 0)
		close(worker->pidfd);
	worker->pidfd = -1;
	worker->pid = 0;
}

/* The record that this very process left on its board, if it came to that. */
static bool read_board_end(const struct worker *worker, struct board_exit *ret_how)
{
	return board_shard_exit(worker->board, ret_how) && ret_how->pid == (uint32_t)worker->pid &&
	       ret_how->class != EXIT_CLASS_NONE && ret_how->class < EXIT_CLASS_COUNT;
}

struct worker_end worker_judge_end(const struct worker *worker, bool have_status, int status, bool oom)
{
	struct worker_end end = { .class = EXIT_CLASS_KILLED, .code = -1 };
	struct board_exit how;
	bool have_board = read_board_end(worker, &how);

	if (have_status) {
		end.class = exit_class_of_status(status);
		end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	} else if (have_board) {
		end.class = how.class;
		end.code = (int)how.code;
	}
	/* A process that crashed on its way out left a record of another end: the status is the truth, the text is not.
	 */
	if (have_board && (!have_status || (int)how.code == end.code)) {
		end.close_code = how.close_code;
		memcpy(end.text, how.text, sizeof(end.text));
		end.text[sizeof(end.text) - 1] = '\0';
	}
	/* Both kinds of such kills are SIGKILL; an adopted worker's signal is not told. */
	end.oom = oom && end.class == EXIT_CLASS_KILLED && (end.signal == SIGKILL || !have_status);
	if (end.oom)
		snprintf(end.text, sizeof(end.text), "killed by the kernel: out of memory");
	return end;
}

void worker_log_end(const struct worker *worker, const struct worker_end *end, bool wanted)
{
	const struct log_ctx ctx = worker_ctx(worker);
	const struct exit_code_row *row = end->code >= 0 ? exit_code_find(end->code) : NULL;
	const char *code = row ? row->name : end->code >= 0 ? "unknown" : "none";
	const char *why = end->text[0] ? end->text : end->signal ? strsignal(end->signal) : "it left no word";

	/* What a fatal end means for the fleet is told once, as fleet.fatal. */
	if (wanted || end->class == EXIT_CLASS_FATAL)
		log_info(&ctx, "worker.ended", KV_INT("pid", worker->pid), KV_STR("class", exit_class_name(end->class)),
			 KV_STR("code", code), KV_INT("signal", end->signal), KV_STR("why", why));
	else
		log_warn(&ctx, "worker.died", KV_INT("pid", worker->pid), KV_STR("class", exit_class_name(end->class)),
			 KV_STR("code", code), KV_INT("signal", end->signal), KV_INT("close_code", end->close_code),
			 KV_STR("why", why), KV_MS("wait", worker->backoff_ms), KV_BOOL("failing", worker->failing));
}

/* Of a process that started at @ticks since the boot. */
static uint64_t age_ns(uint64_t ticks)
{
	uint64_t now_ns = clock_boottime_ns(), monotonic_ns = clock_monotonic_ns(), started_ns, age;
	long per_s = sysconf(_SC_CLK_TCK);

	if (per_s <= 0 || ticks > UINT64_MAX / NS_PER_S)
		return 0;
	started_ns = ticks * (NS_PER_S / (uint64_t)per_s);
	age = started_ns < now_ns ? now_ns - started_ns : 0;
	return age < monotonic_ns ? age : 0;
}

int worker_adopt(struct worker *worker, struct loop *loop)
{
	int32_t pid;
	int pidfd, r;

	if (board_shard_is_locked(worker->board) != 1)
		return -ESRCH;
	pid = (int32_t)board_shard_pid(worker->board);
	r = process_adopt(pid, board_shard_pid_start(worker->board), &pidfd);
	if (r < 0)
		return r;
	r = hold_process(worker, loop, pid, pidfd, false);
	if (r < 0) {
		close(pidfd);
		return r;
	}
	worker->started_ns -= age_ns(board_shard_pid_start(worker->board));
	worker->spawned++;
	return 0;
}

int worker_launch(struct worker *worker, struct loop *loop, const char *path, char *const *env, uint32_t generation,
		  char *const *argv_tail)
{
	char shard[16], generation_text[16];
	char *argv[ARGV_MAX] = { "shoal-shard", "--shard", shard, "--generation", generation_text };
	struct process_spec spec = {
		.path = path,
		.argv = argv,
		.envp = env,
		.stdout_fd = STDERR_FILENO, /* a worker says nothing on stdout; what a library prints there is log */
	};
	int pidfd, r;
	size_t i = 5;
	pid_t pid;

	snprintf(shard, sizeof(shard), "%" PRIu32, worker->slot.shard_id);
	snprintf(generation_text, sizeof(generation_text), "%" PRIu32, generation);
	for (; *argv_tail && i + 1 < ARGV_MAX; argv_tail++)
		argv[i++] = *argv_tail;
	r = process_spawn(&spec, &pid, &pidfd);
	if (r < 0)
		return r;
	r = hold_process(worker, loop, pid, pidfd, true);
	if (r < 0) {
		process_signal(pidfd, SIGKILL);
		waitpid(pid, NULL, 0);
		close(pidfd);
		return r;
	}
	if (worker->spawned++ > 0)
		worker->restarts++;
	return 0;
}
