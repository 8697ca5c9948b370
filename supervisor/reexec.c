/* Re-execution in place. Run by the supervisor on its loop. It must not leave the fleet without a supervisor because of
 * a typing error: everything that can be known before the exec is asked before. */
#include "supervisor/reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "supervisor/http.h"
#include "supervisor/supervisor.h"

extern char **environ;

#define ARGV_MAX 256

/* A copy of each: the configuration wipes what it takes. */
static int copy_env(struct reexec *reexec)
{
	size_t count = 0;

	while (environ[count])
		count++;
	reexec->env = calloc(count + 2, sizeof(*reexec->env));
	if (!reexec->env)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(environ[i], REEXEC_ENV "=", sizeof(REEXEC_ENV)) == 0)
			continue;
		reexec->env[reexec->env_count] = strdup(environ[i]);
		if (!reexec->env[reexec->env_count++])
			return -ENOMEM;
	}
	return 0;
}

void reexec_finish(struct reexec *reexec)
{
	for (size_t i = 0; i < reexec->env_count; i++) {
		if (reexec->env[i])
			explicit_bzero(reexec->env[i], strlen(reexec->env[i]));
		free(reexec->env[i]);
	}
	free(reexec->env);
	reexec->env = NULL;
	reexec->env_count = 0;
}

/* What the image before wrote for us; closes @fd. */
static json_t *read_kept(int fd)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct stat st;
	json_t *kept = NULL;

	if (fd <= STDERR_FILENO)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= REEXEC_KEPT_MAX)
		text = malloc((size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		kept = json_loadb(text, (size_t)st.st_size, 0, NULL);
	close(fd);
	return kept;
}

/* A memory file that outlives the exec. -1: the next image starts without; nothing hangs on it. */
static int write_kept(const struct supervisor *supervisor)
{
	json_t *kept = supervisor_kept(supervisor);
	int fd = memfd_create("shoald-kept", 0);

	if (fd >= 0 && (!kept || json_dumpfd(kept, fd, JSON_COMPACT) < 0)) {
		close(fd);
		fd = -1;
	}
	json_decref(kept);
	return fd;
}

int reexec_remember(struct reexec *reexec, char *const *argv, struct reexec_legacy *ret_legacy)
{
	const char *left = getenv(REEXEC_ENV);
	int fd = -1, upgrading = 0, kept_fd = -1;
	uint32_t serial = 0;
	ssize_t n;

	memset(reexec, 0, sizeof(*reexec));
	*ret_legacy = (struct reexec_legacy){ .lock_fd = -1 };
	reexec->argv = argv;
	/* Now: when the file has been replaced, the link says so and leads nowhere. */
	n = readlink("/proc/self/exe", reexec->own_path, sizeof(reexec->own_path) - 1);
	reexec->own_path[n > 0 ? n : 0] = '\0';
	/* The fourth word is younger: an older image leaves three, and reads three. */
	if (left && sscanf(left, "%d:%" SCNu32 ":%d:%d", &fd, &serial, &upgrading, &kept_fd) >= 3 &&
	    fd > STDERR_FILENO && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		*ret_legacy = (struct reexec_legacy){
			.lock_fd = fd, .serial = serial, .upgrading = upgrading != 0, .kept = read_kept(kept_fd)
		};
	unsetenv(REEXEC_ENV);
	reexec->serial = ret_legacy->serial;
	return copy_env(reexec);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void conclude(struct reexec *reexec, int error, const char *text)
{
	reexec_fn fn = reexec->fn;

	program_close(TAKE(reexec->check));
	manifest_close(TAKE(reexec->manifest));
	reexec->fn = NULL;
	reexec->answer.error = error;
	snprintf(reexec->answer.text, sizeof(reexec->answer.text), "%s", text);
	fn(reexec->arg, &reexec->answer);
}

static void manifest_came(void *arg, int error, const struct manifest *manifest, const char *text)
{
	struct reexec *reexec = arg;
	char cause[REEXEC_TEXT_SIZE];

	if (error < 0) {
		snprintf(cause, sizeof(cause), "%s (%.400s)", text, reexec->answer.worker);
		conclude(reexec, -EINVAL, cause);
		return;
	}
	reexec->answer.intents = manifest->intents;
	snprintf(reexec->answer.worker_build_id, sizeof(reexec->answer.worker_build_id), "%s", manifest->build_id);
	conclude(reexec, 0, "");
}

/* Bound for a moment: a port that another program has would end the new image, and the fleet's supervision with it. */
static int try_address(const char *text)
{
	CLEANUP(cleanup_close) int fd = -1;
	struct sockaddr_storage address;
	int on = 1, r = http_address(text, &address);

	if (r < 0)
		return r;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* What a running fleet can't change without being another one. */
static int compare(const struct supervisor *supervisor, const json_t *answer, char *text, size_t size)
{
	const struct config *config = supervisor->config;
	const struct {
		const char *key, *now;
	} fixed[] = {
		{ "supervisor.runtime_dir", config->supervisor_runtime_dir },
		{ "supervisor.state_dir", config->supervisor_state_dir },
		{ "supervisor.cluster", config->supervisor_cluster },
		{ "supervisor.host_id", supervisor->host },
	};
	const char *listen = json_string_value(json_object_get(answer, "supervisor.http_listen"));
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		const char *then = json_string_value(json_object_get(answer, fixed[i].key));

		if (then && strcmp(then, fixed[i].now) == 0)
			continue;
		snprintf(text, size, "%s can't change while workers run (\"%.100s\" to \"%.100s\"): stop and start",
			 fixed[i].key, fixed[i].now, then ? then : "");
		return -EINVAL;
	}
	if (!listen || !*listen || strcmp(listen, config->supervisor_http_listen) == 0)
		return 0;
	r = try_address(listen);
	if (r < 0)
		snprintf(text, size, "can't listen on %.100s (supervisor.http_listen): %s", listen, error_text(r));
	return r;
}

static int take_text(const json_t *answer, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(answer, key));

	if (!text || strlen(text) >= size)
		return -EBADMSG;
	strcpy(to, text);
	return 0;
}

static int read_answer(struct reexec *reexec, const json_t *answer, char *text, size_t size)
{
	struct reexec_answer *to = &reexec->answer;

	if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *error = json_string_value(json_object_get(answer, "error"));

		snprintf(text, size, "%s", error ? error : "the program's answer to --check-json is none of a shoald");
		return -EINVAL;
	}
	if (take_text(answer, "worker", to->worker, sizeof(to->worker)) < 0 ||
	    take_text(answer, "build_id", to->build_id, sizeof(to->build_id)) < 0) {
		snprintf(text, size, "the program's answer to --check-json is not complete");
		return -EBADMSG;
	}
	to->shard_count = (uint32_t)json_integer_value(json_object_get(answer, "shard_count"));
	to->intents_auto = json_is_true(json_object_get(answer, "intents_auto"));
	return compare(reexec->supervisor, answer, text, size);
}

static void checked(void *arg, int error, int status, const char *out, size_t len)
{
	struct reexec *reexec = arg;
	json_t *answer = error < 0 ? NULL : json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
	char text[REEXEC_TEXT_SIZE] = "";
	int r;

	if (!answer) {
		if (error < 0)
			snprintf(text, sizeof(text), "%.300s --check-json: %s", reexec->answer.path, error_text(error));
		else
			snprintf(text, sizeof(text),
				 "%.300s is no shoald: asked with --check-json it %s %d and said "
				 "nothing of use",
				 reexec->answer.path, WIFEXITED(status) ? "ended with" : "died of signal",
				 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		conclude(reexec, -EINVAL, text);
		return;
	}
	r = read_answer(reexec, answer, text, sizeof(text));
	json_decref(answer);
	if (r >= 0) {
		const struct supervisor *supervisor = reexec->supervisor;
		const struct manifest_modules modules = { .dir = supervisor->config->modules_dir,
							  .load = supervisor->config->modules_load,
							  .left_out = supervisor->manifest.left_out };

		r = manifest_run_with(supervisor->loop, reexec->answer.worker, supervisor->worker_env, &modules,
				      manifest_came, reexec, &reexec->manifest);
		if (r < 0)
			snprintf(text, sizeof(text), "the worker program %.400s can't be started: %s",
				 reexec->answer.worker, error_text(r));
	}
	if (r < 0)
		conclude(reexec, r, text);
}

/* How we were started, with a word more. */
static int make_argv(const struct reexec *reexec, char *extra, char *argv[ARGV_MAX])
{
	size_t count = 0;

	for (; reexec->argv[count]; count++) {
		if (count + 3 > ARGV_MAX)
			return -E2BIG;
		argv[count] = reexec->argv[count];
	}
	if (extra)
		argv[count++] = extra;
	argv[count] = NULL;
	return 0;
}

int reexec_ask(struct reexec *reexec, const char *path, reexec_fn fn, void *arg)
{
	char *argv[ARGV_MAX];
	struct program_spec spec = { .path = reexec->answer.path,
				     .argv = argv,
				     .envp = reexec->env,
				     .deadline_ms = REEXEC_CHECK_MS,
				     .output_max = REEXEC_OUTPUT_MAX };
	int r;

	if (reexec->fn || reexec->passes > 0)
		return -EBUSY;
	if (!path || !*path)
		path = reexec->own_path;
	if (strlen(path) >= sizeof(reexec->answer.path))
		return -ENAMETOOLONG;
	r = make_argv(reexec, "--check-json", argv);
	if (r < 0)
		return r;
	memset(&reexec->answer, 0, sizeof(reexec->answer));
	strcpy(reexec->answer.path, path);
	argv[0] = reexec->answer.path; /* what it has to complain of is its own */
	r = program_run(reexec->supervisor->loop, &spec, checked, reexec, &reexec->check);
	if (r < 0)
		return r;
	reexec->fn = fn;
	reexec->arg = arg;
	return 0;
}

/* --- doing ------------------------------------------------------------------------------------------------------- */

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

static void block_signals(void)
{
	sigset_t set;

	our_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void reexec_unblock_signals(void)
{
	sigset_t set;

	our_signals(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void reexec_begin(struct reexec *reexec, const char *path, bool upgrading, void (*failed)(void *arg, int error),
		  void *arg)
{
	snprintf(reexec->target, sizeof(reexec->target), "%s", path);
	reexec->upgrading = upgrading;
	reexec->failed = failed;
	reexec->failed_arg = arg;
	/* A signal that libuv has taken already is dispatched in the pass between: no stop gets lost. */
	block_signals();
	reexec->passes = 2;
}

static int become(struct reexec *reexec)
{
	struct board_host *board = reexec->supervisor->board;
	char *argv[ARGV_MAX], left[64];
	int r, kept_fd;

	r = make_argv(reexec, NULL, argv);
	if (r < 0)
		return r;
	r = board_host_keep(board, true);
	if (r < 0)
		return r;
	kept_fd = write_kept(reexec->supervisor);
	snprintf(left, sizeof(left), REEXEC_ENV "=%d:%" PRIu32 ":%d:%d", r, reexec->serial + 1, reexec->upgrading,
		 kept_fd);
	reexec->env[reexec->env_count] = left;
	notify_reloading(&reexec->supervisor->notify);
	execve(reexec->target, argv, reexec->env);
	r = -errno;
	if (kept_fd >= 0)
		close(kept_fd);
	board_host_keep(board, false);
	reexec->env[reexec->env_count] = NULL;
	notify_reloaded(&reexec->supervisor->notify);
	return r;
}

void reexec_pass(struct reexec *reexec)
{
	int r;

	if (reexec->passes == 0 || --reexec->passes > 0)
		return;
	if (reexec->supervisor->phase >= PHASE_STOPPING) {
		r = -ESHUTDOWN;
	} else {
		log_info(NULL, "supervisor.reexec", KV_STR("path", reexec->target),
			 KV_INT("serial", reexec->serial + 1));
		r = become(reexec);
		log_error(NULL, "supervisor.reexec_failed", KV_STR("path", reexec->target), KV_ERR(r),
			  KV_MSG("the program could not be executed; the one that runs goes on"));
	}
	reexec_unblock_signals();
	if (reexec->failed)
		reexec->failed(reexec->failed_arg, r);
}

void reexec_close(struct reexec *reexec)
{
	program_close(TAKE(reexec->check));
	manifest_close(TAKE(reexec->manifest));
	reexec->fn = NULL;
}
