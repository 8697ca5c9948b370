/* What the session reports goes to the pipeline, the board and the supervisor's ledger. */
#include "shard/session_link.h"

#include "shard/events/event_key.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define IDENTIFY_TIMEOUT_MS (15 * 60 * 1000)
#define IDENTIFY_RETRY_MS   5000
#define IDENTIFY_OFFLINE_MS 500 /* nobody was asked: the supervisor is away, perhaps for a moment */
#define BOARD_REPORT_MS     5000

static int on_dispatch(void *arg, const struct envelope *envelope, const char *payload, size_t len)
{
	struct worker *worker = arg;

	return pipeline_take(worker->pipeline, envelope, payload, len);
}

static int on_unreadable(void *arg, const struct envelope *envelope, const char *payload, size_t len, size_t full_len,
			 const char *reason)
{
	struct worker *worker = arg;

	return pipeline_set_aside(worker->pipeline, envelope, payload, len, full_len, reason);
}

/* Which session's dispatches come from now on. */
static void note_session(struct worker *worker)
{
	struct board_session session;
	uint64_t sequence;

	if (board_shard_session(worker->board, &session, &sequence))
		pipeline_set_session(worker->pipeline, event_key_session(session.session_id));
}

static void on_state(void *arg, enum shard_state state)
{
	struct worker *worker = arg;

	if (state != SHARD_STATE_LOADING)
		return;
	worker_guilds_moved(worker);
	note_session(worker);
}

/* What is left of a grant by the clock that the ledger uses too: an answer that lay unread while we were stopped is
 * void. */
static uint64_t grant_left_ms(const json_t *answer)
{
	uint64_t expires_ms = (uint64_t)json_integer_value(json_object_get(answer, "expires_ms"));
	uint64_t until_ms = (uint64_t)json_integer_value(json_object_get(answer, "expires_boottime_ms"));
	uint64_t now_ms = clock_boottime_ns() / NS_PER_MS, left_ms;

	if (until_ms == 0)
		return expires_ms;
	left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	return left_ms < expires_ms ? left_ms : expires_ms;
}

static void on_identify_answer(void *arg, int error, const json_t *answer)
{
	struct worker *worker = arg;
	uint64_t wait_ms;

	if (!worker->session)
		return;
	if (error == 0) {
		session_grant(worker->session, (uint64_t)json_integer_value(json_object_get(answer, "grant")),
			      grant_left_ms(answer));
		return;
	}
	wait_ms = answer ? (uint64_t)json_integer_value(json_object_get(answer, "wait_ms")) : IDENTIFY_OFFLINE_MS;
	log_debug(NULL, "gateway.identify_denied", KV_ERR(error), KV_MS("wait", wait_ms));
	session_deny(worker->session, wait_ms ? wait_ms : IDENTIFY_RETRY_MS);
}

static void on_request_identify(void *arg)
{
	struct worker *worker = arg;
	json_t *request = json_pack("{s:s, s:i}", "verb", "identify", "shard", (int)worker->options.shard_id);
	int r;

	r = control_link_request(worker->control, request, IDENTIFY_TIMEOUT_MS, on_identify_answer, worker);
	if (r < 0)
		session_deny(worker->session, IDENTIFY_RETRY_MS);
}

/* Should the report get lost, the grant's expiry serves in its place. */
static void on_report_answer(void *arg, int error, const json_t *answer)
{
	(void)arg;
	(void)answer;
	if (error < 0)
		log_debug(NULL, "gateway.identify_unreported", KV_ERR(error));
}

static void on_identified(void *arg, uint64_t grant_id)
{
	struct worker *worker = arg;
	json_t *request = json_pack("{s:s, s:i, s:I}", "verb", "identified", "shard", (int)worker->options.shard_id,
				    "grant", (json_int_t)grant_id);
	int r;

	r = control_link_request(worker->control, request, BOARD_REPORT_MS, on_report_answer, worker);
	if (r < 0)
		on_report_answer(worker, r, NULL);
}

static void on_fatal(void *arg, enum exit_code code, uint16_t close_code, const char *text)
{
	struct worker *worker = arg;

	if (code == EXIT_CODE_TOKEN)
		board_host_set_token_invalid(worker->host, true);
	worker_stop(worker, SESSION_STOP_RESUMABLE, code, close_code, text);
}

static void on_stopped(void *arg)
{
	worker_session_stopped(arg);
}

static uint64_t on_probe_guild(void *arg)
{
	return cache_any_guild(((struct worker *)arg)->cache);
}

const struct session_events link_session_events = {
	.probe_guild = on_probe_guild,
	.dispatch = on_dispatch,
	.unreadable = on_unreadable,
	.state = on_state,
	.request_identify = on_request_identify,
	.identified = on_identified,
	.fatal = on_fatal,
	.stopped = on_stopped,
};
