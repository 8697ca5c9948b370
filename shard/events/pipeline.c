/* The pipeline. What must hold: an event's bytes are in the inbox, or parked, from before its sequence counts until its
 * ticket is closed; room is given back only up to what the cache has committed. */
#include "shard/events/pipeline_private.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

#define CLOCK_EVERY   16 /* events between two looks at the clock */
#define SPARE_TICKETS 256
/* A pass commits the cache at its end, or after so much of it. */
#define COMMIT_FRAMES 64
#define COMMIT_BYTES  (1024 * 1024)
#define SHED_TELL_NS  (10 * NS_PER_S)

/* --- tickets
 * ---------------------------------------------------------------------------------------------------------- */

static struct ticket *ticket_new(struct pipeline *pipeline, const struct turn *turn)
{
	struct ticket *ticket = pipeline->spare;

	if (ticket) {
		pipeline->spare = ticket->next;
		pipeline->spare_count--;
	} else {
		ticket = malloc(sizeof(*ticket));
		if (!ticket)
			return NULL;
	}
	*ticket = (struct ticket){
		.pipeline = pipeline, .turn = *turn, .refs = 1, .started_ns = pipeline->loop->pass_started_ns
	};
	DL_APPEND(pipeline->open, ticket);
	pipeline->open_count++;
	KILL_POINT_TICKETS(pipeline->open_count);
	return ticket;
}

static void ticket_close(struct ticket *ticket)
{
	struct pipeline *pipeline = ticket->pipeline;

	DL_DELETE(pipeline->open, ticket);
	pipeline->open_count--;
	KILL_POINT_TICKETS(pipeline->open_count);
	turns_done(pipeline->turns, ticket->turn.guild_id);
	if (pipeline->spare_count >= SPARE_TICKETS) {
		free(ticket);
		return;
	}
	ticket->next = pipeline->spare;
	pipeline->spare = ticket;
	pipeline->spare_count++;
}

/* Nothing is left to do for this event, wherever it lies. */
static void mark_done(struct pipeline *pipeline, const struct turn *turn)
{
	if (!turn->parked)
		inbox_set_state(pipeline->inbox, turn->position, INBOX_DONE);
	parked_done(pipeline->parked, letter_key_make(turn->session, turn->sequence));
	pipeline->dirty = true;
}

/* First done, then told: killed in between, the journal keeps rows that nobody needs until they are old. The other way
 * round an event could be begun again without them. */
static void finish_event(struct ticket *ticket)
{
	struct pipeline *pipeline = ticket->pipeline;

	KILL_POINT("before_done", NULL);
	mark_done(pipeline, &ticket->turn);
	KILL_POINT("before_journal_closed", NULL);
	pipeline->begun -= ticket->turn.again;
	if (ticket->journalled && pipeline->events.handled)
		pipeline->events.handled(pipeline->events.arg, ticket->key);
	if (pipeline->retries)
		pipeline_retry_ended(pipeline, letter_key_make(ticket->turn.session, ticket->turn.sequence), 0);
}

static void end_run(struct ticket *ticket)
{
	struct ticket_run run = ticket->run;

	free(ticket);
	run.over(run.arg);
}

struct ticket *ticket_of_run(const struct ticket_run *run)
{
	struct ticket *ticket = calloc(1, sizeof(*ticket));

	if (!ticket)
		return NULL;
	ticket->run = *run;
	ticket->refs = 1;
	ticket->key = run->key;
	ticket->turn.session = TICKET_SESSION_JOBS;
	ticket->turn.sequence = run->job_id;
	ticket->turn.again = run->again;
	ticket->turn.doubtful = run->doubtful;
	return ticket;
}

int ticket_may_act(const struct ticket *ticket)
{
	return ticket && !ticket->pipeline ? ticket->run.may_act(ticket->run.arg) : 0;
}

bool ticket_is_run(const struct ticket *ticket)
{
	return ticket && !ticket->pipeline;
}

uint64_t ticket_age_ms(const struct ticket *ticket)
{
	int64_t age_ms;

	if (ticket && !ticket->pipeline) {
		age_ms = discord_time_ms() - ticket->run.since_ms;
		return age_ms > 0 ? (uint64_t)age_ms : 0;
	}
	if (!ticket || !event_key_has_id(ticket->key))
		return UINT64_MAX;
	return discord_time_age_ms(ticket->key.number);
}

struct ticket *ticket_hold(struct ticket *ticket)
{
	if (ticket)
		ticket->refs++;
	return ticket;
}

void ticket_release(struct ticket *ticket)
{
	if (!ticket || --ticket->refs > 0)
		return;
	if (!ticket->pipeline) {
		end_run(ticket);
		return;
	}
	/* A handler that is broken off because we stop has not handled its event. */
	if (!ticket->pipeline->closing)
		finish_event(ticket);
	ticket_close(ticket);
}

bool ticket_again(const struct ticket *ticket)
{
	return ticket && ticket->turn.again;
}

/* Whose code runs now. */
static void set_marked(struct pipeline *pipeline, struct ticket *ticket)
{
	pipeline->marked = ticket;
	if (!ticket)
		inbox_set_mark(pipeline->inbox, 0);
	else if (ticket->turn.parked)
		inbox_set_mark_elsewhere(pipeline->inbox, ticket->turn.session, ticket->turn.sequence, false);
	else
		inbox_set_mark(pipeline->inbox, ticket->turn.position + 1);
}

uint64_t ticket_mark(struct ticket *ticket)
{
	struct ticket *before;

	if (!ticket || !ticket->pipeline) /* a run has no place in the inbox; the board names it */
		return 0;
	before = ticket->pipeline->marked;
	set_marked(ticket->pipeline, ticket);
	return (uint64_t)(uintptr_t)before;
}

/* Whoever was named is still being run: it holds its ticket. */
void ticket_unmark(struct ticket *ticket, uint64_t before)
{
	if (ticket && ticket->pipeline)
		set_marked(ticket->pipeline, (struct ticket *)(uintptr_t)before);
}

void ticket_origin(const struct ticket *ticket, uint64_t *ret_session, uint64_t *ret_sequence)
{
	*ret_session = ticket ? ticket->turn.session : 0;
	*ret_sequence = ticket ? ticket->turn.sequence : 0;
}

bool ticket_is_doubtful(const struct ticket *ticket)
{
	return ticket && ticket->turn.doubtful;
}

struct event_key ticket_key(const struct ticket *ticket)
{
	return ticket ? ticket->key : (struct event_key){ 0, 0 };
}

void ticket_set_journalled(struct ticket *ticket)
{
	if (ticket)
		ticket->journalled = true;
}

void ticket_identify(struct ticket *ticket, const struct shoal_event *event)
{
	if (!ticket)
		return;
	ticket->key = event_key_make(event, ticket->turn.session);
	if (event_key_has_id(ticket->key))
		discord_time_note(ticket->key.number);
}

/* --- parking
 * ---------------------------------------------------------------------------------------------------------- */

static int park_record(struct pipeline *pipeline, const struct inbox_record *record)
{
	struct envelope envelope = { 0 };
	struct letter letter = { .session = record->session,
				 .sequence = record->sequence,
				 .crashes = record->crashes,
				 .flags = record->state == INBOX_STARTED ? LETTER_STARTED : 0,
				 .payload = { record->payload, record->len },
				 .full_len = record->len };
	int r;

	/* It was read before; should it fail now, it is kept all the same. */
	if (envelope_scan(record->payload, record->len, &envelope) == ENVELOPE_OK) {
		letter.guild_id = envelope.guild_id;
		letter.type = (uint16_t)envelope.type;
		letter.dispatch = (struct letter_text){ envelope.name.ptr, (uint32_t)envelope.name.len };
	}
	r = parked_put(pipeline->parked, &letter);
	if (r < 0)
		return r;
	KILL_POINT("park", NULL);
	return inbox_set_state(pipeline->inbox, record->position, INBOX_DONE);
}

/* Moves the oldest event that is not handled out of the inbox. -ENOENT: there is none. */
static int park_oldest(struct pipeline *pipeline)
{
	struct inbox_record record;
	uint64_t next = 0;

	while (inbox_next(pipeline->inbox, next, &record) == 0) {
		if (record.state != INBOX_DONE)
			return park_record(pipeline, &record);
		next = record.position + 1;
	}
	return -ENOENT;
}

static void park_old_tickets(struct pipeline *pipeline)
{
	struct inbox_record record;
	struct ticket *ticket;
	uint64_t now_ns = clock_monotonic_ns();

	DL_FOREACH (pipeline->open, ticket) {
		if (now_ns - ticket->started_ns < PIPELINE_PARK_AFTER_MS * NS_PER_MS)
			break;
		if (ticket->turn.parked || inbox_read(pipeline->inbox, ticket->turn.position, &record) < 0 ||
		    record.state == INBOX_DONE)
			continue;
		if (park_record(pipeline, &record) < 0)
			break; /* full: it stays where it is */
		pipeline->dirty = true;
	}
}

static void show_parked(struct pipeline *pipeline)
{
	struct parked_stats now;

	parked_stats(pipeline->parked, &now);
	board_gauge(pipeline->counters, BOARD_COUNTER_events_parked, now.count);
	board_gauge(pipeline->counters, BOARD_COUNTER_dead_letters, now.dead);
	board_gauge(pipeline->counters, BOARD_COUNTER_parked_away, now.away);
	board_count(pipeline->counters, BOARD_COUNTER_dead_letters_dropped, now.dropped - pipeline->dropped_told);
	pipeline->dropped_told = now.dropped;
}

static void on_tick(void *arg)
{
	struct pipeline *pipeline = arg;

	parked_tick(pipeline->parked);
	park_old_tickets(pipeline);
	show_parked(pipeline);
}

/* --- handling
 * --------------------------------------------------------------------------------------------------------- */

/* The event's bytes, wherever they lie now. */
static int read_payload(struct pipeline *pipeline, struct turn *turn, const char **ret_payload, uint32_t *ret_len)
{
	struct inbox_record record;
	struct letter letter;
	int r;

	if (!turn->parked && inbox_read(pipeline->inbox, turn->position, &record) == 0 && record.state != INBOX_DONE) {
		*ret_payload = record.payload;
		*ret_len = record.len;
		return 0;
	}
	r = parked_read(pipeline->parked, letter_key_make(turn->session, turn->sequence), &letter);
	if (r < 0)
		return r;
	turn->parked = true;
	*ret_payload = letter.payload.ptr;
	*ret_len = letter.payload.len;
	return 0;
}

static int read_envelope(struct pipeline *pipeline, struct turn *turn, struct envelope *ret_envelope)
{
	const char *payload;
	uint32_t len;
	int r;

	r = read_payload(pipeline, turn, &payload, &len);
	if (r < 0)
		return r;
	if (turn->d_len == 0)
		return envelope_scan(payload, len, ret_envelope) == ENVELOPE_OK ? 0 : -EBADMSG;
	*ret_envelope = (struct envelope){ .has_sequence = true,
					   .sequence = turn->sequence,
					   .type = (enum shoal_event_type)turn->type,
					   .d = { payload + turn->d_offset, turn->d_len },
					   .guild_id = turn->guild_id };
	return 0;
}

/* Somebody wrote into the ring, or cut off what was parked: never passed over. */
static void tell_lost(struct pipeline *pipeline, uint64_t sequence, int error)
{
	board_count(pipeline->counters, BOARD_COUNTER_loss_windows, 1);
	log_error(NULL, "pipeline.lost", KV_MSG("an event's bytes are gone from inbox and parking"),
		  KV_U64("sequence", sequence), KV_ERR(error));
}

static void handle(struct pipeline *pipeline, const struct turn *turn)
{
	struct ticket *ticket = ticket_new(pipeline, turn);
	struct envelope envelope;
	int r;

	if (!ticket) {
		log_error(NULL, "pipeline.no_memory", KV_MSG("an event stays in the inbox for the next worker"),
			  KV_U64("sequence", turn->sequence));
		turns_done(pipeline->turns, turn->guild_id);
		return;
	}
	r = read_envelope(pipeline, &ticket->turn, &envelope);
	if (r < 0) {
		if (r == -SHOAL_EREFUSED)
			log_info(NULL, "pipeline.erased", KV_MSG("an event is not handled: it was erased on request"),
				 KV_U64("sequence", turn->sequence));
		else
			tell_lost(pipeline, turn->sequence, r);
		ticket_release(ticket);
		return;
	}
	if (ticket->turn.parked)
		parked_begin(pipeline->parked, letter_key_make(turn->session, turn->sequence));
	else
		inbox_set_state(pipeline->inbox, turn->position, INBOX_STARTED);
	set_marked(pipeline, ticket);
	KILL_POINT("before_handler", shoal_event_name(envelope.type));
	dispatch_handle(pipeline->dispatch, &envelope, ticket);
	set_marked(pipeline, NULL);
	ticket_release(ticket);
}

static void run_turns(struct pipeline *pipeline)
{
	uint64_t until_ns = clock_monotonic_ns() + PIPELINE_SLICE_NS;
	struct turn turn;
	uint32_t count = 0;

	while (!pipeline->closing && turns_next(pipeline->turns, &turn)) {
		pipeline->dirty = true;
		handle(pipeline, &turn);
		if (++count % CLOCK_EVERY == 0 && clock_monotonic_ns() >= until_ns)
			break;
	}
}

static void on_idle(uv_idle_t *handle)
{
	(void)handle; /* it only keeps the loop from waiting */
}

void pipeline_commit_cache(struct pipeline *pipeline)
{
	int r;

	pipeline->applied_frames = 0;
	pipeline->applied_bytes = 0;
	KILL_POINT("before_cache_commit", NULL);
	r = pipeline->cache.commit(pipeline->dispatch->arg, inbox_head(pipeline->inbox));
	KILL_POINT("after_cache_commit", NULL);

	if (r < 0)
		log_error(NULL, "cache.commit_failed",
			  KV_MSG("the guild cache can't be kept; is the runtime directory full?"), KV_ERR(r));
	else
		board_shard_set_applied(pipeline->board, pipeline->last_sequence);
	/* Given back even so: a cache that can't be written must not stop the events. It is asked of REST again. */
	inbox_release(pipeline->inbox, inbox_head(pipeline->inbox));
}

/* Up to which sequence all events of the inbox are handled. */
static void publish_handled(struct pipeline *pipeline)
{
	struct inbox_record record;
	uint64_t handled = pipeline->last_sequence;

	if (inbox_next(pipeline->inbox, 0, &record) == 0 && record.session == pipeline->session &&
	    record.sequence <= handled)
		handled = record.sequence - 1;
	board_shard_set_handled(pipeline->board, handled);
}

static void on_pass_end(void *arg)
{
	struct pipeline *pipeline = arg;

	if (!pipeline->dirty && !turns_ready(pipeline->turns))
		return;
	pipeline->dirty = false;
	pipeline_commit_cache(pipeline);
	run_turns(pipeline);
	inbox_release(pipeline->inbox, inbox_head(pipeline->inbox));
	publish_handled(pipeline);
	board_gauge(pipeline->counters, BOARD_COUNTER_events_waiting, turns_waiting(pipeline->turns));
	board_gauge(pipeline->counters, BOARD_COUNTER_events_open, pipeline->open_count);
	show_parked(pipeline);
	board_gauge(pipeline->counters, BOARD_COUNTER_inbox_used, inbox_used(pipeline->inbox));
	if (turns_ready(pipeline->turns) && !pipeline->closing)
		uv_idle_start(&pipeline->again, on_idle);
	else
		uv_idle_stop(&pipeline->again);
}

/* --- taking
 * ----------------------------------------------------------------------------------------------------------- */

/* Appends, making room if need be: by what is handled, then by what can be parked. */
static int append(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len,
		  uint64_t *ret_position)
{
	int r;

	for (;;) {
		r = inbox_append(pipeline->inbox, pipeline->session, envelope->sequence, payload, len, ret_position);
		if (r != -ENOSPC)
			return r;
		pipeline_commit_cache(pipeline);
		r = inbox_append(pipeline->inbox, pipeline->session, envelope->sequence, payload, len, ret_position);
		if (r != -ENOSPC)
			return r;
		r = park_oldest(pipeline);
		if (r < 0)
			return -EAGAIN;
	}
}

enum turn_lane pipeline_lane(enum shoal_event_type type)
{
	return type == SHOAL_EVENT_INTERACTION_CREATE ? TURN_INTERACTION : TURN_OTHER;
}

/* What is not committed yet is applied again by a successor: a bounded lot of it, however long the pass. */
static void apply(struct pipeline *pipeline, const struct envelope *envelope, size_t len)
{
	/* Sent again because the inbox was lost, and committed before that: once is enough. */
	if (envelope->sequence <= pipeline->applied_until && pipeline->session == pipeline->applied_session)
		return;
	dispatch_apply(pipeline->dispatch, envelope);
	pipeline->applied_bytes += len;
	if (++pipeline->applied_frames >= COMMIT_FRAMES || pipeline->applied_bytes >= COMMIT_BYTES)
		pipeline_commit_cache(pipeline);
}

/* It has killed workers while it was put into the cache, and Discord sends it again. */
static int bury_large(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len,
		      uint32_t crashes)
{
	struct burial burial = { .session = pipeline->session,
				 .sequence = envelope->sequence,
				 .guild_id = envelope->guild_id,
				 .type = envelope->type,
				 .crashes = crashes,
				 .reason = PIPELINE_REASON_APPLY,
				 .payload = payload,
				 .len = len,
				 .full_len = len };

	pipeline_bury(pipeline, &burial);
	parked_set_crashes(pipeline->parked, letter_key_make(pipeline->session, envelope->sequence), 0);
	return 0;
}

static int park_large(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len)
{
	struct letter letter = { .session = pipeline->session,
				 .sequence = envelope->sequence,
				 .guild_id = envelope->guild_id,
				 .type = (uint16_t)envelope->type,
				 .dispatch = { envelope->name.ptr, (uint32_t)envelope->name.len },
				 .payload = { payload, (uint32_t)len },
				 .full_len = len };
	struct parked_head head;
	int r;

	r = parked_put(pipeline->parked, &letter);
	if (r < 0)
		return r;
	parked_head_of(&letter, LETTER_PARKED, 0, &head);
	return pipeline_queue_parked(pipeline, &head);
}

/* Larger than the inbox takes: applied and committed at once, parked if somebody is to handle it. */
static int take_large(struct pipeline *pipeline, const struct dispatch_row *row, const struct envelope *envelope,
		      const char *payload, size_t len)
{
	struct letter_key key = letter_key_make(pipeline->session, envelope->sequence);
	uint32_t crashes = row->raw ? parked_crashes(pipeline->parked, key) : 0;

	if (crashes >= PIPELINE_CRASHES_CULPRIT)
		return bury_large(pipeline, envelope, payload, len, crashes);
	/* A worker that was killed before its sequence counted had parked it: its turn is due already. */
	if (row->event && !parked_has(pipeline->parked, key) && park_large(pipeline, envelope, payload, len) < 0)
		return -EAGAIN;
	if (row->raw) {
		inbox_set_mark_elsewhere(pipeline->inbox, pipeline->session, envelope->sequence, true);
		apply(pipeline, envelope, len);
		inbox_set_mark(pipeline->inbox, 0);
	}
	if (crashes > 0 && !row->event)
		parked_set_crashes(pipeline->parked, key, 0);
	pipeline_commit_cache(pipeline);
	return 0;
}

int pipeline_queue_parked(struct pipeline *pipeline, const struct parked_head *head)
{
	struct turn turn = { .guild_id = head->guild_id,
			     .session = head->key.session,
			     .sequence = be64toh(head->key.sequence_be),
			     .type = head->type,
			     .parked = true,
			     .again = head->flags & LETTER_STARTED,
			     .doubtful = head->flags & LETTER_DOUBTFUL };
	int r = turns_add(pipeline->turns, pipeline_lane((enum shoal_event_type)head->type), &turn);

	pipeline->begun += r == 0 && turn.again;
	return r;
}

/* Before anything is parked, who types and who is online makes room for the rest; said once in ten seconds. What
 * changes the cache is never dropped. */
static bool shed(struct pipeline *pipeline, const struct dispatch_row *row, const struct envelope *envelope)
{
	uint64_t now_ns;

	if (pipeline->shed_bytes == 0 || row->raw || !dispatch_is_sheddable(envelope->type) ||
	    inbox_used(pipeline->inbox) < pipeline->shed_bytes)
		return false;
	/* Frames that only wait for the cache's commit are no overload. */
	if (pipeline->applied_frames > 0)
		pipeline_commit_cache(pipeline);
	if (inbox_used(pipeline->inbox) < pipeline->shed_bytes)
		return false;
	board_count(pipeline->counters, BOARD_COUNTER_events_shed, 1);
	now_ns = clock_monotonic_ns();
	if (pipeline->shed_told_ns == 0 || now_ns - pipeline->shed_told_ns >= SHED_TELL_NS) {
		pipeline->shed_told_ns = now_ns;
		log_warn(NULL, "pipeline.shedding",
			 KV_MSG("more comes than is handled: typing and presence events are dropped "
				"(inbox.shed_percent)"),
			 KV_U64("inbox_used", inbox_used(pipeline->inbox)),
			 KV_U64("waiting", turns_waiting(pipeline->turns)));
	}
	return true;
}

int pipeline_take(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len)
{
	const struct dispatch_row *row = dispatch_row_of(pipeline->dispatch, envelope);
	struct turn turn = { .guild_id = envelope->guild_id,
			     .session = pipeline->session,
			     .sequence = envelope->sequence,
			     .type = (uint16_t)envelope->type };
	int r;

	if (!row)
		return 0;
	pipeline->dirty = true;
	if (shed(pipeline, row, envelope)) {
		pipeline->last_sequence = envelope->sequence;
		return 0;
	}
	r = append(pipeline, envelope, payload, len, &turn.position);
	if (r == -EMSGSIZE) {
		r = take_large(pipeline, row, envelope, payload, len);
		if (r == 0)
			pipeline->last_sequence = envelope->sequence;
		return r;
	}
	if (r < 0)
		return r;
	KILL_POINT("receipt", shoal_event_name(envelope->type));
	if (row->raw) {
		inbox_set_mark(pipeline->inbox, (turn.position + 1) | INBOX_MARK_APPLY);
		apply(pipeline, envelope, len);
		inbox_set_mark(pipeline->inbox, 0);
	}
	if (envelope->d.ptr) {
		turn.d_offset = (uint32_t)(envelope->d.ptr - payload);
		turn.d_len = envelope->d.len;
	}
	if (!row->event)
		inbox_set_state(pipeline->inbox, turn.position, INBOX_DONE);
	else if (turns_add(pipeline->turns, pipeline_lane(envelope->type), &turn) < 0)
		return -EAGAIN; /* taken, though: it is in the inbox, and Discord's second copy is known by its sequence
				 */
	pipeline->last_sequence = envelope->sequence;
	return 0;
}

void pipeline_set_session(struct pipeline *pipeline, uint64_t session)
{
	pipeline->session = session;
}

/* --- opening and closing
 * ---------------------------------------------------------------------------------------------- */

/* What is in the inbox needs not be sent again. */
static void advance_board(struct pipeline *pipeline, bool has_session, uint64_t recorded)
{
	if (has_session && pipeline->last_sequence > recorded)
		board_shard_set_sequence(pipeline->board, pipeline->last_sequence);
}

static int open_inbox(struct pipeline *pipeline)
{
	struct inbox_found found;
	size_t bytes = 0;
	void *region = board_shard_inbox(pipeline->board, &bytes);
	int r;

	if (!region)
		return -EINVAL;
	r = inbox_open(region, bytes, &found, &pipeline->inbox);
	if (r == 0 && found.damaged) {
		board_count(pipeline->counters, BOARD_COUNTER_loss_windows, 1);
		log_error(NULL, "pipeline.inbox_damaged",
			  KV_MSG("the inbox failed its checks; what lay behind the damage may be lost"),
			  KV_U64("lost_bytes", found.lost_bytes), KV_U64("kept", found.kept));
	}
	return r;
}

static void on_late(void *arg, const struct parked_head *head)
{
	struct pipeline *pipeline = arg;
	struct parked_head begun = *head;

	begun.flags |= LETTER_STARTED; /* perhaps */
	pipeline->replayed++;
	if (pipeline_queue_parked(pipeline, &begun) < 0)
		log_error(NULL, "pipeline.no_memory", KV_MSG("a parked event stays for the next worker"),
			  KV_U64("sequence", be64toh(head->key.sequence_be)));
	pipeline->dirty = true;
}

static int open_parked(struct pipeline *pipeline, const struct pipeline_options *options)
{
	struct parked_options parked = { .runtime_dir = options->runtime_dir,
					 .state_dir = options->state_dir,
					 .generation = options->generation,
					 .shard_id = options->shard_id,
					 .stage_max_mib = options->stage_max_mib,
					 .store_max_mib = options->parked_max_mib,
					 .max_age_days = options->parked_max_age_days,
					 .crashed = options->crashed || options->letters_failed,
					 .late = on_late,
					 .arg = pipeline };

	return parked_open(pipeline->loop, &parked, &pipeline->parked);
}

int pipeline_new(struct loop *loop, const struct pipeline_options *options, struct board_shard *board,
		 struct dispatch *dispatch, const struct pipeline_cache *cache, struct pipeline **ret_pipeline)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	struct board_session session;
	uint64_t recorded = 0;
	bool has_session;
	int r;

	if (!pipeline)
		return -ENOMEM;
	pipeline->loop = loop;
	pipeline->board = board;
	pipeline->counters = board_shard_counters(board);
	pipeline->dispatch = dispatch;
	pipeline->cache = *cache;
	pipeline->events = options->events;
	pipeline->shard_id = options->shard_id;
	pipeline->state_dir = strdup(options->state_dir);
	has_session = board_shard_session(board, &session, &recorded);
	if (has_session)
		pipeline->session = event_key_session(session.session_id);
	pipeline->last_sequence = recorded;
	pipeline->applied_session = pipeline->session;
	/* A cache in which nothing is has to be told all. */
	pipeline->applied_until = has_session && cache->applied(dispatch->arg) > 0 ? board_shard_applied(board) : 0;
	r = pipeline->state_dir ? open_inbox(pipeline) : -ENOMEM;
	if (r == 0 && options->shed_percent > 0)
		pipeline->shed_bytes = inbox_size(pipeline->inbox) / 100 * options->shed_percent;
	if (r == 0)
		r = turns_new(options->guild_open_max, &pipeline->turns);
	if (r == 0 && options->ready)
		turns_ask(pipeline->turns, options->ready, options->ready_arg);
	if (r == 0)
		r = open_parked(pipeline, options);
	if (r == 0)
		r = pipeline_take_over(pipeline, options);
	if (r == 0)
		r = uv_idle_init(&loop->uv, &pipeline->again);
	if (r < 0) {
		pipeline_free(pipeline);
		return r;
	}
	advance_board(pipeline, has_session, recorded);
	loop_at_pass_end(loop, &pipeline->pass_end, on_pass_end, pipeline);
	loop_at_tick(loop, &pipeline->tick, on_tick, pipeline);
	*ret_pipeline = pipeline;
	return 0;
}

void pipeline_ready(struct pipeline *pipeline, uint64_t guild_id)
{
	turns_wake(pipeline->turns, guild_id);
}

void pipeline_closing(struct pipeline *pipeline)
{
	pipeline->closing = true;
	loop_remove_hook(&pipeline->pass_end);
	loop_remove_hook(&pipeline->tick);
	uv_close((uv_handle_t *)&pipeline->again, NULL);
	pipeline_end_retries(pipeline);
	parked_closing(pipeline->parked);
	/* Whatever was handled until now counts as handled. */
	inbox_release(pipeline->inbox, inbox_head(pipeline->inbox));
	publish_handled(pipeline);
}

struct pipeline *pipeline_free(struct pipeline *pipeline)
{
	struct ticket *ticket;

	if (!pipeline)
		return NULL;
	if (pipeline->open)
		log_error(NULL, "pipeline.tickets_leaked", KV_U64("tickets", pipeline->open_count));
	while ((ticket = pipeline->open)) {
		DL_DELETE(pipeline->open, ticket);
		free(ticket);
	}
	while ((ticket = pipeline->spare)) {
		pipeline->spare = ticket->next;
		free(ticket);
	}
	turns_free(pipeline->turns);
	parked_close(pipeline->parked);
	inbox_close(pipeline->inbox);
	free(pipeline->state_dir);
	free(pipeline);
	return NULL;
}

void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret_stats)
{
	struct parked_stats parked;

	parked_stats(pipeline->parked, &parked);
	*ret_stats = (struct pipeline_stats){ .open = pipeline->open_count,
					      .waiting = turns_waiting(pipeline->turns),
					      .parked = parked.count,
					      .dead = parked.dead,
					      .inbox_used = inbox_used(pipeline->inbox),
					      .inbox_size = inbox_size(pipeline->inbox),
					      .replayed = pipeline->replayed,
					      .begun = pipeline->begun };
}
