/* Envelope in, subscriber called. The hot path: no allocation once the arena is warm, no log line per event. */
#include "shard/events/dispatch.h"

#include <assert.h>
#include <string.h>

#include "shard/gateway/decode.h"
#include "shared/base/clock.h"
#include "shared/board/board.h"
#include "shared/log/log.h"

#define WARN_EVERY_NS (10 * NS_PER_S)

void dispatch_init(struct dispatch *dispatch, const struct dispatch_row *rows, size_t row_count,
		   _Atomic uint64_t *counters, void *arg)
{
	size_t i;

	memset(dispatch, 0, sizeof(*dispatch));
	arena_init(&dispatch->arena, DISPATCH_ARENA_MAX);
	dispatch->counters = counters;
	dispatch->arg = arg;
	for (i = 0; i < row_count; i++) {
		assert(!dispatch->by_type[rows[i].type]);
		dispatch->by_type[rows[i].type] = &rows[i];
	}
}

void dispatch_finish(struct dispatch *dispatch)
{
	arena_finish(&dispatch->arena);
}

static void malformed(struct dispatch *dispatch, const struct envelope *envelope, int error)
{
	struct log_ctx ctx = { .shard = -1, .guild_id = envelope->guild_id, .event = shoal_event_name(envelope->type) };
	uint64_t now_ns = clock_monotonic_ns();

	board_count(dispatch->counters, BOARD_COUNTER_events_malformed, 1);
	if (dispatch->warned_ns && now_ns - dispatch->warned_ns < WARN_EVERY_NS)
		return;
	dispatch->warned_ns = now_ns;
	log_warn(&ctx, "dispatch.malformed", KV_MSG("a dispatch was passed over: its data could not be decoded"),
		 KV_ERR(error), KV_U64("sequence", envelope->sequence), KV_U64("bytes", envelope->d.len));
}

const struct dispatch_row *dispatch_row_of(struct dispatch *dispatch, const struct envelope *envelope)
{
	const struct dispatch_row *row = dispatch->by_type[envelope->type];

	if (!row)
		board_count(dispatch->counters,
			    envelope->type == SHOAL_EVENT_UNKNOWN ? BOARD_COUNTER_events_unknown
								  : BOARD_COUNTER_events_dropped,
			    1);
	return row;
}

void dispatch_apply(struct dispatch *dispatch, const struct envelope *envelope)
{
	const struct dispatch_row *row = dispatch->by_type[envelope->type];
	int r;

	arena_reset(&dispatch->arena);
	r = row->raw(dispatch->arg, envelope);
	if (r < 0)
		malformed(dispatch, envelope, r);
	else if (!row->event)
		board_count(dispatch->counters, BOARD_COUNTER_events_handled, 1);
}

void dispatch_handle(struct dispatch *dispatch, const struct envelope *envelope, struct ticket *ticket)
{
	const struct dispatch_row *row = dispatch->by_type[envelope->type];
	struct shoal_event event = { 0 };
	int r;

	arena_reset(&dispatch->arena);
	r = decode_event(envelope->type, envelope->d, &dispatch->arena, NULL, &event);
	if (r < 0) {
		malformed(dispatch, envelope, r);
		return;
	}
	event.guild_id = envelope->guild_id;
	event.sequence = envelope->sequence;
	ticket_identify(ticket, &event);
	row->event(dispatch->arg, &event, ticket);
	board_count(dispatch->counters, BOARD_COUNTER_events_handled, 1);
}

bool dispatch_is_sheddable(enum shoal_event_type type)
{
	static const bool sheddable[SHOAL_EVENT_COUNT] = {
		[SHOAL_EVENT_TYPING_START] = true,
		[SHOAL_EVENT_PRESENCE_UPDATE] = true,
	};

	return (unsigned)type < SHOAL_EVENT_COUNT && sheddable[type];
}

uint32_t dispatch_intents(const struct dispatch_row *rows, size_t row_count)
{
	uint32_t intents = 0;
	size_t i;

	for (i = 0; i < row_count; i++)
		intents |= rows[i].intents;
	return intents;
}
