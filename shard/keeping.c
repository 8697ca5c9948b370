/* What the keeper asks of a worker, the fleet's job that begins retention, and the small file that says which requests
 * to be forgotten it has carried out. */
#include "shard/keeping.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/events/flight.h"
#include "shard/worker.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

/* Not complete: a guild that is not in it may be there all the same. */
static bool cache_is_complete(const struct worker *worker)
{
	return worker->session && session_state(worker->session) == SHARD_STATE_READY &&
	       !cache_is_away(worker->cache) && cache_is_listed(worker->cache) && cache_expected(worker->cache) == 0;
}

static enum keeper_guild on_guild(void *arg, uint64_t guild_id)
{
	struct worker *worker = arg;

	if (cache_guild(worker->cache, guild_id))
		return KEEPER_GUILD_THERE;
	return cache_is_complete(worker) ? KEEPER_GUILD_GONE : KEEPER_GUILD_UNKNOWN;
}

static void on_removed(void *arg, uint64_t guild_id)
{
	struct worker *worker = arg;
	struct settings_place place = { .guild_id = guild_id };

	settings_tell(worker->settings, SETTINGS_GUILD, &place);
}

/* --- members ------------------------------------------------------------------------------------------------------ */

static void on_forgotten(void *arg, int error, size_t count)
{
	const char *what = arg;

	if (error < 0)
		log_warn(NULL, "privacy.not_forgotten", KV_STR("where", what), KV_ERR(error),
			 KV_MSG("files of this worker may still speak of a member who asked to be forgotten"));
	else if (count > 0)
		log_audit(NULL, "privacy.forgotten", KV_STR("where", what), KV_U64("entries", count));
}

struct recordings {
	uv_work_t work;
	uint64_t user_id;
	int result;
	char state_dir[PATH_MAX];
};

static void forget_recordings(uv_work_t *work)
{
	struct recordings *recordings = work->data;

	recordings->result = flight_forget_user(recordings->state_dir, recordings->user_id);
}

static void recordings_forgotten(uv_work_t *work, int status)
{
	CLEANUP(cleanup_free) struct recordings *recordings = work->data;
	int r = status < 0 ? status : recordings->result;

	on_forgotten("recordings", r < 0 && r != -ENOENT ? r : 0, r > 0 ? (size_t)r : 0);
}

static void on_forget(void *arg, uint64_t user_id)
{
	static char outbox[] = "outbox", events[] = "events";
	struct worker *worker = arg;
	struct recordings *recordings = calloc(1, sizeof(*recordings));
	int r;

	r = worker->outbox ? outbox_forget(worker->outbox, user_id, on_forgotten, outbox) : 0;
	if (r < 0 && r != -ENOENT)
		on_forgotten(outbox, r, 0);
	r = worker->pipeline ? pipeline_forget_user(worker->pipeline, user_id, on_forgotten, events) : 0;
	if (r < 0 && r != -ENOENT)
		on_forgotten(events, r, 0);
	if (!recordings)
		return;
	recordings->work.data = recordings;
	recordings->user_id = user_id;
	snprintf(recordings->state_dir, sizeof(recordings->state_dir), "%s", worker->config->supervisor_state_dir);
	if (uv_queue_work(&worker->loop.uv, &recordings->work, forget_recordings, recordings_forgotten) < 0)
		free(recordings);
}

/* --- how far it has come ------------------------------------------------------------------------------------------ */

static void cursor_path(const struct worker *worker, char *path, size_t size)
{
	snprintf(path, size, "%s/forgotten.%u", worker->config->supervisor_state_dir, worker->options.shard_id);
}

/* -1: there is none, as there are no files from before it. */
static int64_t read_cursor(const struct worker *worker)
{
	CLEANUP(cleanup_close) int fd = -1;
	char path[PATH_MAX], text[32] = "", *end;
	int64_t id;

	cursor_path(worker, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	id = strtoll(text, &end, 10);
	return end != text && *end == '\n' && id >= 0 ? id : -1;
}

/* Lost with the machine it means that newer requests are carried out once more. */
static void on_forgot(void *arg, int64_t id)
{
	CLEANUP(cleanup_close) int fd = -1;
	char path[PATH_MAX], text[32];
	struct worker *worker = arg;
	int len = snprintf(text, sizeof(text), "%" PRId64 "\n", id);

	cursor_path(worker, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || pwrite(fd, text, (size_t)len, 0) != len || ftruncate(fd, len) < 0)
		log_debug(NULL, "privacy.no_cursor", KV_ERR(-errno));
}

/* --- retention, as a job of the fleet ----------------------------------------------------------------------------- */

struct retention {
	struct scope_call call;
	struct worker *worker;
};

static bool may_act(void *arg)
{
	return schedule_may_act(((struct retention *)arg)->call.scope);
}

/* A run that failed is not begun again before its next time: nothing here is urgent. One whose lease is over is, since
 * it has not ended. */
static void retention_over(void *arg, int error)
{
	struct retention *retention = arg;

	if (error < 0 && error != -ECANCELED)
		log_warn(NULL, "retention.failed", KV_ERR(error),
			 KV_MSG("what is too old could not be removed from all tables; the next run goes on with it"));
	retention->call.over = true;
	scope_done(&retention->call);
	free(retention);
}

static void cancel_retention(struct scope_call *call)
{
	struct retention *retention = (struct retention *)call;

	keeper_sweep_stop(retention->worker->keeper);
	scope_done(call);
	free(retention);
}
_Static_assert(offsetof(struct retention, call) == 0, "a call is one");

static void begin_retention(void *arg, struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct retention *retention = calloc(1, sizeof(*retention));
	struct keeper_sweep sweep = { may_act, retention_over, retention };
	int r;

	(void)run;
	if (!retention) {
		log_warn(NULL, "retention.failed", KV_ERR(-ENOMEM));
		return;
	}
	retention->worker = arg;
	r = scope_add(scope, &retention->call, cancel_retention);
	if (r < 0) {
		log_warn(NULL, "retention.failed", KV_ERR(r));
		free(retention);
		return;
	}
	r = keeper_sweep(retention->worker->keeper, &sweep);
	if (r < 0)
		retention_over(retention, r);
}

static int schedule_retention(struct worker *worker)
{
	char repeat[32];
	struct shoal_job row = { .name = "retention", .repeat = repeat, .late = SHOAL_JOB_LATE_ONCE };

	snprintf(repeat, sizeof(repeat), "every %" PRIu32 "s", worker->config->privacy_job_interval_s);
	return schedule_fleet(worker->schedule, &row, begin_retention, worker);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void keeping_guild(struct worker *worker, const struct cache_outcome *outcome)
{
	if (outcome->change == CACHE_REMOVED)
		keeper_guild_gone(worker->keeper, outcome->guild_id);
	else if (outcome->change == CACHE_JOINED)
		keeper_guild_back(worker->keeper, outcome->guild_id);
}

int keeping_start(struct worker *worker)
{
	const struct config *config = worker->config;
	struct keeper_options options = { .loop = &worker->loop,
					  .db = worker->db,
					  .shard_id = worker->options.shard_id,
					  .shard_count = worker->shard_count,
					  .look_s = config->privacy_job_interval_s,
					  .history_days = config->privacy_history_days,
					  .guild_keep_days = config->privacy_guild_keep_days,
					  .guild = on_guild,
					  .removed = on_removed,
					  .forget = on_forget,
					  .forgot = on_forgot,
					  .arg = worker };
	int r;

	if (!db_is_on(worker->db))
		return 0;
	options.forgotten_id = read_cursor(worker);
	r = keeper_new(&options, &worker->keeper);
	return r < 0 ? r : schedule_retention(worker);
}
