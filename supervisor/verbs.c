/* The control socket's verbs. Run by the supervisor on its loop. Whatever a peer sends is checked here and answered; no
 * request may wait without an end, and none may do more than its caller is entitled to. */
#include "supervisor/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "supervisor/forecast.h"
#include "supervisor/report.h"
#include "supervisor/report_commands.h"

#define METRICS_SLICE    (256 * 1024)
#define METRICS_PAGE_MAX (16 * 1024 * 1024)

static uint64_t number(const json_t *request, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(request, key));
}

static void fail(struct control_peer *peer, int64_t id, int error, const char *message)
{
	control_peer_fail(peer, id, error_name(error), message);
}

static struct worker *caller_of(struct control_peer *peer)
{
	return control_peer_data(peer);
}

/* --- workers ----------------------------------------------------------------------------------------------------- */

static void greet(struct supervisor *supervisor, struct worker *worker, int64_t id)
{
	json_t *secrets = supervisor_secrets(supervisor, worker);
	int r = -ENOMEM;

	if (secrets)
		r = control_peer_answer_secrets(worker->peer, id, json_object(), secrets);
	if (r < 0) {
		const struct log_ctx ctx = { .shard = (int32_t)worker->slot.shard_id };

		log_error(&ctx, "control.hello_failed", KV_ERR(r),
			  KV_MSG("a worker could not be given its configuration; it will ask again"));
	}
	json_decref(secrets);
}

static const char *hello_refusal(int error)
{
	switch (error) {
	case -ERANGE:
		return "no shard of this fleet";
	case -ESTALE:
		return "another generation: this fleet's shard count has changed";
	default:
		return "this process does not hold the shard's lock";
	}
}

static void handle_hello(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	uint32_t shard = (uint32_t)number(request, "shard"), generation = (uint32_t)number(request, "generation");
	struct worker *worker = NULL;
	int r;

	if (!supervisor->fleet) {
		/* Not known yet whether it is ours: it asks again, and by then the plan is made. */
		fail(peer, id, -EAGAIN, "the fleet's plan is not made yet");
		return;
	}
	r = fleet_hello(supervisor->fleet, peer, shard, generation, control_peer_pid(peer), &worker);
	if (r < 0) {
		log_warn(&(struct log_ctx){ .shard = (int32_t)shard }, "control.hello_refused", KV_ERR(r),
			 KV_INT("pid", control_peer_pid(peer)), KV_INT("generation", generation));
		fail(peer, id, r, hello_refusal(r));
		return;
	}
	control_peer_set_data(peer, worker);
	if (!supervisor_can_greet(supervisor, worker)) {
		worker->hello_id = id;
		return;
	}
	greet(supervisor, worker, id);
}

void verbs_greet_waiting(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->fleet->count; i++) {
		struct worker *worker = &supervisor->fleet->workers[i];
		int64_t id = worker->hello_id;

		worker->hello_id = 0;
		if (worker->peer && id != 0)
			greet(supervisor, worker, id);
	}
}

static void handle_identify(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	struct worker *worker = caller_of(peer);

	if (number(request, "shard") != worker->slot.shard_id) {
		fail(peer, id, -EACCES, "a worker may only ask for its own shard");
		return;
	}
	if (!supervisor->ledger || ledger_request(supervisor->ledger, worker->slot.shard_id) < 0) {
		control_peer_fail_with(peer, id, "EDQUOT", "the ledger is not open yet",
				       json_pack("{s:i}", "wait_ms", 1000));
		return;
	}
	worker->identify_id = id;
	supervisor_run_ledger(supervisor);
}

static void grant(void *arg, uint32_t shard_id, const struct ledger_grant *given)
{
	struct supervisor *supervisor = arg;
	struct worker *worker = &supervisor->fleet->workers[shard_id];
	const struct log_ctx ctx = { .shard = (int32_t)shard_id };
	int64_t id = worker->identify_id;

	worker->identify_id = 0;
	log_info(&ctx, "ledger.granted", KV_U64("grant", given->id));
	if (!worker->peer || id == 0)
		return; /* it went away in between: its start is spent, its bucket free after the grant's life */
	/* A second less than the ledger holds the bucket for: the answer needs its time too. A worker that reads it
	 * late (it was stopped, the machine swapped) sees by the clock that it is void. */
	control_peer_answer(worker->peer, id,
			    json_pack("{s:I, s:I, s:I}", "grant", (json_int_t)given->id, "expires_ms",
				      (json_int_t)(LEDGER_GRANT_NS / NS_PER_MS - 1000), "expires_boottime_ms",
				      (json_int_t)(given->expires_ns / NS_PER_MS)));
}

static void deny(void *arg, uint32_t shard_id, uint64_t wait_ms)
{
	struct supervisor *supervisor = arg;
	struct worker *worker = &supervisor->fleet->workers[shard_id];
	int64_t id = worker->identify_id;

	worker->identify_id = 0;
	if (!worker->peer || id == 0)
		return;
	control_peer_fail_with(worker->peer, id, "EDQUOT", "the session starts of this window are spent or spoken for",
			       json_pack("{s:I}", "wait_ms", (json_int_t)wait_ms));
}

const struct ledger_events verb_ledger_events = { .grant = grant, .deny = deny };

static void handle_identified(struct supervisor *supervisor, struct control_peer *peer, int64_t id,
			      const json_t *request)
{
	struct worker *worker = caller_of(peer);

	if (supervisor->ledger) {
		ledger_identified(supervisor->ledger, worker->slot.shard_id, number(request, "grant"));
		supervisor_run_ledger(supervisor);
	}
	control_peer_answer(peer, id, json_object());
}

/* --- anybody ----------------------------------------------------------------------------------------------------- */

static struct report_page page_of(const json_t *request)
{
	return (struct report_page){ .first = (uint32_t)number(request, "first"), .max = REPORT_PAGE_MAX };
}

static void handle_shards(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	control_peer_answer(peer, id, report_fleet(supervisor, page_of(request)));
}

static void handle_status(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	control_peer_answer(peer, id, report_status(supervisor, page_of(request)));
}

/* Cut behind a line, so that no character is halved. */
static size_t slice_len(const struct buf *page, size_t offset)
{
	size_t len = page->len - offset;
	const char *end;

	if (len <= METRICS_SLICE)
		return len;
	end = memrchr(page->data + offset, '\n', METRICS_SLICE);
	return end ? (size_t)(end + 1 - (page->data + offset)) : METRICS_SLICE;
}

/* The text of a large fleet is larger than a line: it is made once (offset 0) and read in slices. */
static void handle_metrics(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	struct buf *page = &supervisor->metrics_page;
	uint64_t offset = number(request, "offset"), serial = number(request, "serial");
	size_t len;
	json_t *answer;

	if (offset == 0) {
		buf_clear(page, 0);
		page->max = METRICS_PAGE_MAX;
		supervisor->metrics_serial++;
		if (report_metrics(supervisor, page) < 0) {
			fail(peer, id, -ENOBUFS, "the metrics of this fleet are too large");
			return;
		}
	} else if (serial != supervisor->metrics_serial || offset > page->len) {
		fail(peer, id, -ESTALE, "another one has asked for metrics in between: begin again");
		return;
	}
	len = slice_len(page, offset);
	answer = json_pack("{s:s%, s:I, s:I, s:b}", "text", page->data + offset, len, "serial",
			   (json_int_t)supervisor->metrics_serial, "next", (json_int_t)(offset + len), "more",
			   offset + len < page->len);
	if (!answer)
		fail(peer, id, -ENOMEM, "no memory for the answer");
	else
		control_peer_answer(peer, id, answer);
}

static void handle_restart(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	const json_t *list = json_object_get(request, "shards");
	bool all = json_is_true(json_object_get(request, "all"));
	uint32_t count = supervisor->plan.shard_count, *shards;
	uint64_t deadline_ms = number(request, "deadline_ms");
	size_t wanted = all ? count : json_array_size(list);
	CLEANUP(cleanup_free) bool *named = NULL;
	uint32_t taken = 0;
	char text[96];
	int r;

	/* Adopted workers can be restarted before Discord has told a new supervisor anything: they RESUME. */
	if (supervisor->phase >= PHASE_STOPPING || !supervisor->fleet) {
		fail(peer, id, -EAGAIN, "the fleet is not running");
		return;
	}
	if (wanted == 0) {
		fail(peer, id, -EINVAL, "which shards? give their numbers, or all");
		return;
	}
	shards = calloc(wanted, sizeof(*shards));
	named = calloc(count, sizeof(*named));
	if (!shards || !named) {
		free(shards);
		fail(peer, id, -ENOMEM, "no memory");
		return;
	}
	for (size_t i = 0; i < wanted; i++) {
		uint32_t shard = all ? (uint32_t)i : (uint32_t)json_integer_value(json_array_get(list, i));

		if (shard >= count) {
			snprintf(text, sizeof(text), "there is no shard %" PRIu32 ": they go from 0 to %" PRIu32, shard,
				 count - 1);
			fail(peer, id, -ERANGE, text);
			free(shards);
			return;
		}
		if (!named[shard]) /* one named twice is meant once */
			shards[taken++] = shard;
		named[shard] = true;
	}
	/* Should a session be lost on the way, the ledger had better know today's numbers. */
	upstream_refresh(supervisor->upstream);
	log_audit(NULL, "restart.ordered", KV_INT("shards", taken), KV_INT("by_pid", control_peer_pid(peer)));
	r = restart_jobs_add(&supervisor->jobs, peer, id, shards, taken,
			     deadline_ms > 0 ? deadline_ms : RESTART_READY_DEADLINE_MS,
			     json_is_true(json_object_get(request, "rolling")));
	free(shards);
	if (r < 0)
		fail(peer, id, r, "too many restarts are under way");
}

static void fail_to_ask(struct control_peer *peer, int64_t id, int error, const char *path)
{
	char text[512];

	snprintf(text, sizeof(text), "%.300s can't be started: %s", path && *path ? path : "shoald's own program",
		 error_text(error));
	fail(peer, id, error, text);
}

static void handle_reload(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "binary"));
	int r = supervisor_reload(supervisor, path, peer, id);

	if (r == -EBUSY)
		fail(peer, id, r, "another reload, or a restart, is under way");
	else if (r < 0)
		fail_to_ask(peer, id, r, path);
}

static void plan_asked(void *arg, const struct reexec_answer *answer)
{
	struct supervisor *supervisor = arg;
	struct control_peer *peer = supervisor->plan_peer;

	supervisor->plan_peer = NULL;
	if (!peer)
		return;
	if (answer->error < 0)
		fail(peer, supervisor->plan_id, answer->error, answer->text);
	else
		control_peer_answer(peer, supervisor->plan_id, forecast_restart(supervisor, answer));
}

static void handle_plan(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	uint32_t count = (uint32_t)number(request, "count");
	int r;

	if (supervisor->phase != PHASE_RUNNING || !supervisor->fleet) {
		fail(peer, id, -EAGAIN, "the fleet is not running");
	} else if (strcmp(what, "restart") == 0) {
		control_peer_answer(peer, id, forecast_restart(supervisor, NULL));
	} else if (strcmp(what, "reshard") == 0 && count > 0) {
		control_peer_answer(peer, id, forecast_reshard(supervisor, count));
	} else if (strcmp(what, "upgrade") == 0) {
		const char *path = json_string_value(json_object_get(request, "binary"));

		r = reexec_ask(supervisor->reexec, path, plan_asked, supervisor);
		if (r < 0) {
			fail_to_ask(peer, id, r, path);
			return;
		}
		supervisor->plan_peer = peer;
		supervisor->plan_id = id;
	} else {
		fail(peer, id, -EINVAL, "plan: \"what\" must be restart, upgrade, or reshard with a count");
	}
}

static void handle_commands(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	json_t *list = report_commands_json(supervisor->fleet);

	(void)request;
	if (list)
		control_peer_answer(peer, id, json_pack("{s:o}", "commands", list));
	else
		fail(peer, id, -ENOMEM, "out of memory");
}

static void handle_alerts(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	json_t *list = alerts_report(&supervisor->alerts);

	if (json_is_true(json_object_get(request, "clear"))) {
		alerts_clear(&supervisor->alerts);
		log_audit(NULL, "alerts.cleared", KV_INT("alerts", (int64_t)json_array_size(list)),
			  KV_INT("by_pid", control_peer_pid(peer)));
	}
	control_peer_answer(peer, id, json_pack("{s:o}", "alerts", list));
}

/* A worker's own log is not ours to read. */
static void handle_alert(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	alerts_raise(&supervisor->alerts, json_string_value(json_object_get(request, "event")),
		     (int32_t)caller_of(peer)->slot.shard_id, json_string_value(json_object_get(request, "text")), 1);
	control_peer_answer(peer, id, json_object());
}

static void handle_dead_letter(struct supervisor *supervisor, struct control_peer *peer, int64_t id,
			       const json_t *request)
{
	letter_jobs_order(&supervisor->letters, supervisor->fleet, peer, id, request);
}

static void handle_outbox(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	letter_jobs_order_outbox(&supervisor->letters, supervisor->fleet, peer, id, request);
}

static void handle_letter_done(struct supervisor *supervisor, struct control_peer *peer, int64_t id,
			       const json_t *request)
{
	letter_jobs_done(&supervisor->letters, caller_of(peer), request);
	control_peer_answer(peer, id, json_object());
}

static void handle_stop(struct supervisor *supervisor, struct control_peer *peer, int64_t id, const json_t *request)
{
	bool logout = json_is_true(json_object_get(request, "logout"));

	if (supervisor->stop_peer) {
		fail(peer, id, -EALREADY, "another one has asked for the stop already");
		return;
	}
	supervisor->stop_peer = peer;
	supervisor->stop_id = id;
	log_audit(NULL, "stop.ordered", KV_INT("by_pid", control_peer_pid(peer)), KV_BOOL("logout", logout));
	if (supervisor->phase < PHASE_STOPPING)
		supervisor_stop(supervisor, EXIT_CODE_OK, logout);
}

void verbs_answer_stop(struct supervisor *supervisor)
{
	if (supervisor->stop_peer)
		control_peer_answer(supervisor->stop_peer, supervisor->stop_id,
				    json_pack("{s:I}", "exit_code", (json_int_t)supervisor->exit_code));
	supervisor->stop_peer = NULL;
}

/* clang-format off */
const struct verb_row verb_rows[] = {
	{ "hello", VERB_OPERATOR | VERB_WORKER,
	  { { "shard", VERB_U32, true, PLAN_SHARDS_MAX - 1 }, { "generation", VERB_U32, true, UINT32_MAX },
	    { "pid", VERB_U32, false, INT32_MAX }, { "build_id", VERB_STR, false, 64 } },
	  handle_hello, "a worker says which shard it is and gets its configuration" },
	{ "identify", VERB_WORKER,
	  { { "shard", VERB_U32, true, PLAN_SHARDS_MAX - 1 } },
	  handle_identify, "a worker asks to IDENTIFY; answered when it may" },
	{ "identified", VERB_WORKER,
	  { { "shard", VERB_U32, true, PLAN_SHARDS_MAX - 1 }, { "grant", VERB_U64, true, INT64_MAX } },
	  handle_identified, "a worker says that its IDENTIFY is written" },
	{ "shards", VERB_OPERATOR | VERB_WORKER, { { "first", VERB_U32, false, PLAN_SHARDS_MAX } }, handle_shards,
	  "state and figures of shards from first on; next: there are more" },
	{ "status", VERB_OPERATOR, { { "first", VERB_U32, false, PLAN_SHARDS_MAX } }, handle_status,
	  "the supervisor, the ledger, and shards as above" },
	{ "metrics", VERB_OPERATOR,
	  { { "offset", VERB_U64, false, METRICS_PAGE_MAX }, { "serial", VERB_U64, false, INT64_MAX } },
	  handle_metrics, "Prometheus text, in slices" },
	{ "restart", VERB_OPERATOR,
	  { { "shards", VERB_U32_LIST, false, PLAN_SHARDS_MAX }, { "all", VERB_BOOL, false, 0 },
	    { "rolling", VERB_BOOL, false, 0 }, { "deadline_ms", VERB_U64, false, 3600 * 1000 } },
	  handle_restart, "restarts shards one by one by RESUME" },
	{ "plan", VERB_OPERATOR,
	  { { "what", VERB_STR, true, 16 }, { "binary", VERB_STR, false, 4000 },
	    { "count", VERB_U32, false, PLAN_SHARDS_MAX } },
	  handle_plan, "what a restart, an upgrade or another shard count would cost" },
	{ "module", VERB_OPERATOR, { { "op", VERB_STR, true, 16 }, { "name", VERB_STR, false, 63 } }, modules_handle,
	  "list; plan NAME: what one more would cost; reload NAME: taken in by a rolling restart" },
	{ "reload", VERB_OPERATOR, { { "binary", VERB_STR, false, 4000 } }, handle_reload,
	  "re-executes the supervisor in place: new configuration, or a new binary" },
	{ "commands", VERB_OPERATOR, { { 0 } }, handle_commands, "how commands are used, over this host's shards" },
	{ "alerts", VERB_OPERATOR, { { "clear", VERB_BOOL, false, 0 } }, handle_alerts,
	  "what went wrong, the latest first; clear: somebody has seen it" },
	{ "alert", VERB_WORKER, { { "event", VERB_STR, true, ALERT_EVENT_SIZE - 1 }, { "text", VERB_STR, true, 1024 } },
	  handle_alert, "a worker tells what an operator must see" },
	{ "dead_letter", VERB_OPERATOR, { { "op", VERB_STR, true, 16 }, { "letter", VERB_STR, true, 64 } },
	  handle_dead_letter, "tries a dead letter again, or drops it" },
	{ "outbox", VERB_OPERATOR,
	  { { "op", VERB_STR, true, 16 },
	    { "shard", VERB_U32, true, PLAN_SHARDS_MAX },
	    { "entry", VERB_U64, true, INT64_MAX } },
	  handle_outbox, "tries a dead letter of a shard's outbox again, or drops it; entry 0: all of them" },
	{ "letter_done", VERB_WORKER,
	  { { "token", VERB_U64, true, INT64_MAX }, { "error", VERB_STR, true, 64 }, { "message", VERB_STR, true, 512 } },
	  handle_letter_done, "a worker says what came of it" },
	{ "stop", VERB_OPERATOR, { { "logout", VERB_BOOL, false, 0 } }, handle_stop,
	  "stops the fleet; sessions stay resumable unless logout" },
};
/* clang-format on */
const size_t verb_row_count = ARRAY_SIZE(verb_rows);

/* --- checks ------------------------------------------------------------------------------------------------------ */

const struct verb_row *verb_find(const char *name)
{
	for (size_t i = 0; i < verb_row_count; i++)
		if (strcmp(verb_rows[i].name, name) == 0)
			return &verb_rows[i];
	return NULL;
}

static bool is_number(const json_t *value, uint64_t max)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 && (uint64_t)json_integer_value(value) <= max;
}

static bool fits(const struct verb_field *field, const json_t *value)
{
	size_t i;
	const json_t *member;

	switch (field->kind) {
	case VERB_U32:
	case VERB_U64:
		return is_number(value, field->max);
	case VERB_BOOL:
		return json_is_boolean(value);
	case VERB_STR:
		return json_is_string(value) && json_string_length(value) <= field->max;
	case VERB_U32_LIST:
		if (!json_is_array(value) || json_array_size(value) > field->max)
			return false;
		json_array_foreach(value, i, member) if (!is_number(member, UINT32_MAX)) return false;
		return true;
	}
	return false;
}

static const char *kind_words(enum verb_kind kind)
{
	static const char *const words[] = {
		[VERB_U32] = "a number",
		[VERB_U64] = "a number",
		[VERB_BOOL] = "true or false",
		[VERB_STR] = "a short text",
		[VERB_U32_LIST] = "a list of numbers",
	};

	return words[kind];
}

int verb_check(const struct verb_row *row, const json_t *request, char *error, size_t size)
{
	for (size_t i = 0; i < VERB_FIELDS_MAX && row->fields[i].name; i++) {
		const struct verb_field *field = &row->fields[i];
		const json_t *value = json_object_get(request, field->name);

		if (!value && !field->required)
			continue;
		if (value && fits(field, value))
			continue;
		snprintf(error, size, "%s: \"%s\" must be %s%s", row->name, field->name, kind_words(field->kind),
			 value ? " within its range" : "");
		return -EINVAL;
	}
	return 0;
}

static void on_request(void *arg, struct control_peer *peer, int64_t id, const char *verb, const json_t *request)
{
	const struct verb_row *row = verb_find(verb);
	unsigned caller = caller_of(peer) ? VERB_WORKER : VERB_OPERATOR;
	char error[128];

	if (!row) {
		fail(peer, id, -ENOSYS, "there is no such verb");
		return;
	}
	if (!(row->callers & caller)) {
		fail(peer, id, -EACCES, caller == VERB_WORKER ? "not for workers" : "say hello first");
		return;
	}
	if (caller == VERB_WORKER && caller_of(peer)->peer != peer && row->callers == VERB_WORKER) {
		fail(peer, id, -EEXIST, "a newer process is this shard's worker");
		return;
	}
	if (verb_check(row, request, error, sizeof(error)) < 0) {
		fail(peer, id, -EINVAL, error);
		return;
	}
	row->handle(arg, peer, id, request);
}

static void on_closed(void *arg, struct control_peer *peer)
{
	struct supervisor *supervisor = arg;
	struct worker *worker = caller_of(peer);

	if (worker && supervisor->fleet && worker->peer == peer) {
		if (supervisor->ledger)
			ledger_cancel(supervisor->ledger, worker->slot.shard_id);
		fleet_peer_gone(supervisor->fleet, peer, worker);
	}
	restart_jobs_peer_gone(&supervisor->jobs, peer);
	letter_jobs_peer_gone(&supervisor->letters, peer);
	modules_peer_gone(supervisor, peer);
	if (supervisor->plan_peer == peer)
		supervisor->plan_peer = NULL;
	if (supervisor->reload_peer == peer)
		supervisor->reload_peer = NULL;
	if (supervisor->stop_peer == peer)
		supervisor->stop_peer = NULL;
}

const struct control_server_events verb_events = { .request = on_request, .closed = on_closed };
