/* What the last worker left. Run once, before the session is made. First the parked events, then the inbox; each goes
 * onto the cache if that has not seen it, and to its subscribers if they have not. When that worker died of its own
 * making, the event that it had in its hands is counted a crash, and set aside at the second one. Must survive any
 * event that killed it: an event is marked while something is done with it here, too. */
#include "shard/events/pipeline_private.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/events/flight.h"
#include "shared/base/cleanup.h"
#include "shared/log/log.h"

struct takeover {
	struct pipeline *pipeline;
	bool crashed;
	uint64_t mark; /* the last worker's */
	uint64_t mark_session, mark_sequence;
	bool found; /* the event that is marked was come by */
	uint64_t applied;
	struct letter_text report, module;
	uint64_t module_session, module_sequence; /* the event for which that module was called */
};

/* In whose code it crashed; nobody's when it was called for another event. */
static struct letter_text module_of(const struct takeover *takeover, uint64_t session, uint64_t sequence)
{
	bool its = takeover->module_session == session && takeover->module_sequence == sequence;

	return its ? takeover->module : (struct letter_text){ "", 0 };
}

static bool is_marked_elsewhere(const struct takeover *takeover, uint64_t session, uint64_t sequence)
{
	return takeover->mark & INBOX_MARK_ELSEWHERE && takeover->mark_session == session &&
	       takeover->mark_sequence == sequence;
}

/* How many crashes it takes, and why; 0: this one is not to blame for anything. */
static uint32_t limit_of(const struct takeover *takeover, bool marked, bool begun, const char **ret_reason)
{
	if (!takeover->crashed)
		return 0;
	if (marked) {
		*ret_reason = takeover->mark & INBOX_MARK_APPLY ? PIPELINE_REASON_APPLY : PIPELINE_REASON_HANDLER;
		return PIPELINE_CRASHES_CULPRIT;
	}
	*ret_reason = PIPELINE_REASON_OPEN;
	return begun && takeover->mark == 0 ? PIPELINE_CRASHES_OPEN : 0;
}

/* --- the inbox
 * -------------------------------------------------------------------------------------------------------- */

static void bury_record(const struct takeover *takeover, const struct inbox_record *record, uint32_t crashes,
			const char *reason)
{
	struct burial burial = { .session = record->session,
				 .sequence = record->sequence,
				 .crashes = crashes,
				 .reason = reason,
				 .payload = record->payload,
				 .len = record->len,
				 .full_len = record->len,
				 .module = module_of(takeover, record->session, record->sequence),
				 .backtrace = takeover->report };
	struct envelope envelope;

	if (envelope_scan(record->payload, record->len, &envelope) == ENVELOPE_OK) {
		burial.type = envelope.type;
		burial.guild_id = envelope.guild_id;
	}
	pipeline_bury(takeover->pipeline, &burial);
	inbox_set_state(takeover->pipeline->inbox, record->position, INBOX_DONE);
}

/* Killed between the two steps of setting it aside: the letter is there, the second step is made now. It must not be
 * tried again; it has killed its workers. */
static bool was_buried(struct takeover *takeover, const struct inbox_record *record)
{
	static const char *const reasons[] = { PIPELINE_REASON_HANDLER, PIPELINE_REASON_APPLY, PIPELINE_REASON_OPEN };
	struct parked *parked = takeover->pipeline->parked;
	struct letter_key key = letter_key_make(record->session, record->sequence);
	struct burial burial = { .session = record->session,
				 .sequence = record->sequence,
				 .crashes = record->crashes,
				 .reason = reasons[0] };
	struct letter letter;
	size_t i;

	if (record->state == INBOX_DONE || parked_has(parked, key) || parked_dead_read(parked, key, &letter) < 0)
		return false;
	burial.type = (enum shoal_event_type)letter.type;
	burial.guild_id = letter.guild_id;
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (letter.reason.len == strlen(reasons[i]) &&
		    memcmp(letter.reason.ptr, reasons[i], letter.reason.len) == 0)
			burial.reason = reasons[i];
	}
	inbox_set_state(takeover->pipeline->inbox, record->position, INBOX_DONE);
	pipeline_tell_buried(takeover->pipeline, &burial);
	return true;
}

/* True: the event was set aside. */
static bool blame(struct takeover *takeover, const struct inbox_record *record)
{
	bool marked = (takeover->mark & ~INBOX_MARK_APPLY) == record->position + 1;
	bool begun = record->state == INBOX_STARTED;
	const char *reason;
	uint32_t limit = limit_of(takeover, marked, begun, &reason);
	int crashes;

	takeover->found |= marked;
	/* What is done already, or was never begun, can only have failed in the cache. */
	if (limit == 0 || (!begun && !(takeover->mark & INBOX_MARK_APPLY)))
		return false;
	crashes = inbox_add_crash(takeover->pipeline->inbox, record->position);
	if (crashes < (int)limit)
		return false;
	bury_record(takeover, record, (uint32_t)crashes, reason);
	return true;
}

static void apply(struct takeover *takeover, const struct inbox_record *record, const struct envelope *envelope)
{
	struct pipeline *pipeline = takeover->pipeline;

	inbox_set_mark(pipeline->inbox, (record->position + 1) | INBOX_MARK_APPLY);
	dispatch_apply(pipeline->dispatch, envelope);
	inbox_set_mark(pipeline->inbox, 0);
}

static int take_up(struct takeover *takeover, const struct inbox_record *record)
{
	struct pipeline *pipeline = takeover->pipeline;
	const struct dispatch_row *row;
	struct envelope envelope;
	struct turn turn = { .session = record->session,
			     .sequence = record->sequence,
			     .position = record->position,
			     .again = record->state == INBOX_STARTED };

	if (envelope_scan(record->payload, record->len, &envelope) != ENVELOPE_OK)
		return inbox_set_state(pipeline->inbox, record->position, INBOX_DONE);
	row = dispatch_row_of(pipeline->dispatch, &envelope);
	if (row && row->raw && record->position >= takeover->applied)
		apply(takeover, record, &envelope);
	if (record->state == INBOX_DONE)
		return 0;
	/* Killed between the two steps of parking it: the copy is the one that is taken up. */
	if (parked_has(pipeline->parked, letter_key_make(record->session, record->sequence)))
		return inbox_set_state(pipeline->inbox, record->position, INBOX_DONE);
	if (!row || !row->event)
		return inbox_set_state(pipeline->inbox, record->position, INBOX_DONE);
	turn.guild_id = envelope.guild_id;
	turn.type = (uint16_t)envelope.type;
	pipeline->replayed++;
	pipeline->begun += turn.again;
	return turns_add(pipeline->turns, pipeline_lane(envelope.type), &turn);
}

static int take_up_inbox(struct takeover *takeover)
{
	struct pipeline *pipeline = takeover->pipeline;
	struct inbox_record record;
	uint64_t next = 0;
	int r = 0;

	while (r == 0 && inbox_next(pipeline->inbox, next, &record) == 0) {
		next = record.position + 1;
		if (record.session == pipeline->session && record.sequence > pipeline->last_sequence)
			pipeline->last_sequence = record.sequence;
		if (!was_buried(takeover, &record) && !blame(takeover, &record))
			r = take_up(takeover, &record);
	}
	return r;
}

/* --- parked
 * ----------------------------------------------------------------------------------------------------------- */

static void bury_parked(const struct takeover *takeover, const struct parked_head *head, uint32_t crashes,
			const char *reason)
{
	struct pipeline *pipeline = takeover->pipeline;
	CLEANUP(buf_finish) struct buf payload = { .max = SIZE_MAX / 2 };
	struct burial burial = { .session = head->key.session,
				 .sequence = be64toh(head->key.sequence_be),
				 .guild_id = head->guild_id,
				 .type = (enum shoal_event_type)head->type,
				 .crashes = crashes,
				 .reason = reason,
				 .module = module_of(takeover, head->key.session, be64toh(head->key.sequence_be)),
				 .backtrace = takeover->report };
	struct letter letter;

	if (parked_read(pipeline->parked, head->key, &letter) < 0 ||
	    buf_append(&payload, letter.payload.ptr, letter.payload.len) < 0)
		return;
	burial.payload = payload.data;
	burial.len = burial.full_len = payload.len;
	pipeline_bury(pipeline, &burial);
	/* Not recorded yet, it may be sent again: then it must not be tried. */
	if (takeover->mark & INBOX_MARK_APPLY)
		parked_set_crashes(pipeline->parked, head->key, crashes);
}

static int take_up_parked(void *arg, const struct parked_head *head)
{
	struct takeover *takeover = arg;
	struct pipeline *pipeline = takeover->pipeline;
	bool marked = is_marked_elsewhere(takeover, head->key.session, be64toh(head->key.sequence_be));
	const char *reason;
	uint32_t limit = limit_of(takeover, marked, head->flags & LETTER_STARTED, &reason), crashes;

	takeover->found |= marked;
	if (limit > 0) {
		crashes = parked_crashes(pipeline->parked, head->key) + 1;
		parked_set_crashes(pipeline->parked, head->key, crashes);
		if (crashes >= limit) {
			bury_parked(takeover, head, crashes, reason);
			return 0;
		}
	}
	pipeline->replayed++;
	return pipeline_queue_parked(pipeline, head);
}

/* A large frame that went into the cache alone is nowhere: Discord sends it again, and then it is known. */
static void remember_culprit(const struct takeover *takeover)
{
	struct letter_key key = letter_key_make(takeover->mark_session, takeover->mark_sequence);
	struct parked *parked = takeover->pipeline->parked;

	if (takeover->crashed && !takeover->found && takeover->mark & INBOX_MARK_ELSEWHERE &&
	    takeover->mark & INBOX_MARK_APPLY)
		parked_set_crashes(parked, key, parked_crashes(parked, key) + 1);
}

/* --- the recording
 * ---------------------------------------------------------------------------------------------------- */

struct landing {
	struct pipeline *pipeline;
	struct flight *flight;
};

/* On the helper thread. */
static int land(void *arg)
{
	return flight_save(((struct landing *)arg)->flight);
}

static void drop_landing(void *arg)
{
	flight_free(((struct landing *)arg)->flight);
	free(arg);
}

static void on_landed(void *arg, int error, const struct parked_job *job)
{
	struct landing *landing = arg;
	struct pipeline *pipeline = landing->pipeline;
	const char *path = flight_path(landing->flight);

	(void)job;
	if (error < 0) {
		log_error(NULL, "flight.failed",
			  KV_MSG("the last events of the worker that crashed could not be recorded; is "
				 "supervisor.state_dir full, read-only or missing?"),
			  KV_STR("path", path), KV_ERR(error));
	} else {
		board_count(pipeline->counters, BOARD_COUNTER_flights, 1);
		log_error(NULL, "flight.saved",
			  KV_MSG("the last events of the worker that crashed were recorded; discord-sim --replay plays "
				 "them"),
			  KV_STR("path", path));
	}
	if (pipeline->events.flight)
		pipeline->events.flight(pipeline->events.arg, error, path);
	drop_landing(landing);
}

/* What the ring holds now is soon gone; the disk may take its time. */
static void save_flight(struct pipeline *pipeline, const struct pipeline_options *options)
{
	struct flight_options flight = { .state_dir = options->state_dir,
					 .shard_id = options->shard_id,
					 .shard_count = options->shard_count,
					 .generation = options->generation,
					 .keep = options->flight_keep,
					 .max_bytes = (uint64_t)options->flight_max_mib << 20,
					 .report = options->crash_report };
	struct landing *landing;
	int r;

	if (!options->crashed || options->flight_keep == 0)
		return;
	landing = calloc(1, sizeof(*landing));
	if (!landing)
		return;
	landing->pipeline = pipeline;
	r = flight_capture(&flight, pipeline->inbox, &landing->flight);
	if (r < 0)
		free(landing);
	else
		r = parked_call(pipeline->parked, land, on_landed, drop_landing, landing);
	if (r < 0 && r != -ENODATA)
		log_warn(NULL, "flight.failed", KV_MSG("the last worker's events could not be recorded"), KV_ERR(r));
}

/* --- all of it
 * -------------------------------------------------------------------------------------------------------- */

int pipeline_take_over(struct pipeline *pipeline, const struct pipeline_options *options)
{
	struct takeover takeover = { .pipeline = pipeline,
				     .crashed = options->crashed && !options->blameless,
				     .mark = inbox_mark(pipeline->inbox),
				     .applied = pipeline->cache.applied(pipeline->dispatch->arg) };
	struct parked_stats parked;
	int r;

	if (options->culprit_module) {
		takeover.module =
			(struct letter_text){ options->culprit_module, (uint32_t)strlen(options->culprit_module) };
		takeover.module_session = options->culprit_session;
		takeover.module_sequence = options->culprit_sequence;
	}
	if (options->crash_report)
		takeover.report =
			(struct letter_text){ options->crash_report, (uint32_t)strlen(options->crash_report) };
	inbox_mark_elsewhere(pipeline->inbox, &takeover.mark_session, &takeover.mark_sequence);
	save_flight(pipeline, options);
	if (takeover.applied > inbox_head(pipeline->inbox)) /* of another ring */
		takeover.applied = 0;
	inbox_set_mark(pipeline->inbox, 0);
	r = parked_each(pipeline->parked, pipeline->session, take_up_parked, &takeover);
	if (r == 0)
		r = take_up_inbox(&takeover);
	if (r < 0)
		return r;
	remember_culprit(&takeover);
	pipeline_commit_cache(pipeline);
	parked_stats(pipeline->parked, &parked);
	if (pipeline->replayed > 0)
		log_info(NULL, "pipeline.taken_over", KV_MSG("finishing what the last worker had taken"),
			 KV_U64("events", pipeline->replayed), KV_U64("parked", parked.count));
	pipeline->dirty = true;
	return 0;
}
