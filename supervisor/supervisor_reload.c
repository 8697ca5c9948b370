/* shoald executes itself anew in place: asked for by `reload`, `upgrade` or SIGHUP, refused when the program or the
 * configuration could not run, else handed to reexec.c. Run on its loop. */
#include "supervisor/supervisor_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/base/errors.h"
#include "shared/log/log.h"

static void reload_refused(struct supervisor *supervisor, int error, const char *text)
{
	log_error(NULL, "reload.refused", KV_ERR(error), KV_MSG(text));
	if (supervisor->reload_peer)
		control_peer_fail(supervisor->reload_peer, supervisor->reload_id, error_name(error), text);
	supervisor->reload_peer = NULL;
}

static void reload_failed(void *arg, int error)
{
	reload_refused(arg, error, "the program could not be executed; the one that runs goes on");
}

static void reload_asked(void *arg, const struct reexec_answer *answer)
{
	struct supervisor *supervisor = arg;
	char text[256];

	if (answer->error < 0) {
		reload_refused(supervisor, answer->error, answer->text);
		return;
	}
	if (answer->shard_count != 0 && supervisor->fleet && answer->shard_count != supervisor->plan.shard_count) {
		snprintf(text, sizeof(text),
			 "discord.shard_count can't change while workers run (%" PRIu32 " to %" PRIu32
			 "): every shard would need a session start (shoalctl plan reshard %" PRIu32
			 " says how many are left); stop and start",
			 supervisor->plan.shard_count, answer->shard_count, answer->shard_count);
		reload_refused(supervisor, -EINVAL, text);
		return;
	}
	log_audit(NULL, "reload.accepted", KV_STR("path", answer->path), KV_STR("build_id", answer->build_id),
		  KV_INT("by_pid", supervisor->reload_peer ? control_peer_pid(supervisor->reload_peer) : 0));
	/* The answer can't come from this image: who asked looks for the serial. */
	if (supervisor->reload_peer)
		control_peer_progress(supervisor->reload_peer, supervisor->reload_id,
				      json_pack("{s:s, s:I, s:s}", "stage", "executing", "serial",
						(json_int_t)supervisor->reexec->serial + 1, "build_id",
						answer->build_id));
	reexec_begin(supervisor->reexec, answer->path, false, reload_failed, supervisor);
}

int supervisor_reload(struct supervisor *supervisor, const char *path, struct control_peer *peer, int64_t id)
{
	int r;

	if (supervisor->phase >= PHASE_STOPPING)
		return -ESHUTDOWN;
	if (supervisor->jobs.count > 0)
		return -EBUSY;
	r = reexec_ask(supervisor->reexec, path, reload_asked, supervisor);
	if (r < 0)
		return r;
	supervisor->reload_peer = peer;
	supervisor->reload_id = id;
	return 0;
}

/* One that comes while another is being asked may mean a file that was changed after it was read. */
void supervisor_hang_up(struct supervisor *supervisor)
{
	int r = supervisor_reload(supervisor, NULL, NULL, 0);

	supervisor->hangup = r == -EBUSY;
	if (r < 0 && r != -EBUSY)
		log_error(NULL, "reload.refused", KV_ERR(r), KV_MSG("the reload could not be begun"));
}
