/* Dead letters as the pipeline makes, tries and drops them. Run on the loop. A letter takes along what the journal
 * knows of its event, so that it can be tried again after the journal's own rows are gone, without doing anything
 * twice. Must not decode a payload: it may be what killed the decoder. */
#include "shard/events/pipeline_private.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shard/events/flight.h"
#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/kill_point.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

/* Of one event's rows in the journal. */
#define EFFECTS_MAX (1024 * 1024)

static struct letter_text text_of(const char *text)
{
	return (struct letter_text){ text, (uint32_t)strlen(text) };
}

/* --- burying
 * ---------------------------------------------------------------------------------------------------------- */

/* An interaction's token that nobody can use any more needs not be kept. */
static bool is_past(const struct burial *burial)
{
	uint64_t id =
		burial->type == SHOAL_EVENT_INTERACTION_CREATE ? letter_event_id(burial->payload, burial->len) : 0;

	return id != 0 && discord_time_age_ms(id) >= LETTER_TOKEN_AGE_MS;
}

static void tell_dead(struct pipeline *pipeline, const struct burial *burial, int error)
{
	struct log_ctx ctx = { .shard = (int32_t)pipeline->shard_id,
			       .guild_id = burial->guild_id,
			       .event = shoal_event_name(burial->type) };
	char id[LETTER_ID_SIZE];
	struct pipeline_dead dead = { .id = letter_id_print(pipeline->shard_id, burial->session, burial->sequence, id),
				      .dispatch = shoal_event_name(burial->type),
				      .reason = burial->reason,
				      .guild_id = burial->guild_id,
				      .sequence = burial->sequence,
				      .crashes = burial->crashes };

	if (error < 0) {
		log_error(&ctx, "pipeline.dead_letter_lost",
			  KV_MSG("an event was set aside, and there is no room to keep it: it is lost"), KV_ERR(error),
			  KV_U64("sequence", burial->sequence), KV_STR("reason", burial->reason));
		return;
	}
	log_error(&ctx, "pipeline.dead_letter",
		  KV_MSG("an event was set aside; the shard goes on without it (shoalctl dead-letters)"),
		  KV_STR("letter", id), KV_STR("reason", burial->reason), KV_U64("sequence", burial->sequence),
		  KV_U64("crashes", burial->crashes));
	if (pipeline->events.dead)
		pipeline->events.dead(pipeline->events.arg, &dead);
}

int pipeline_bury(struct pipeline *pipeline, const struct burial *burial)
{
	CLEANUP(buf_finish) struct buf effects = { .max = EFFECTS_MAX }, payload = { .max = SIZE_MAX / 2 };
	struct event_key event =
		event_key_of_bytes(burial->type, burial->session, burial->sequence, burial->payload, burial->len);
	struct letter letter = { .session = burial->session,
				 .sequence = burial->sequence,
				 .guild_id = burial->guild_id,
				 .type = (uint16_t)burial->type,
				 .crashes = burial->crashes,
				 .flags = (uint16_t)burial->flags,
				 .dispatch = text_of(shoal_event_name(burial->type)),
				 .reason = text_of(burial->reason),
				 .module = burial->module,
				 .backtrace = burial->backtrace,
				 .payload = { burial->payload, (uint32_t)burial->len },
				 .full_len = burial->full_len };
	bool doubtful = false;
	int r;

	if (pipeline->events.export &&
	    (pipeline->events.export(pipeline->events.arg, event, &effects, &doubtful) < 0 || doubtful))
		letter.flags |= LETTER_DOUBTFUL;
	letter.effects = (struct letter_text){ effects.data, (uint32_t)effects.len };
	if (is_past(burial) && buf_append(&payload, burial->payload, burial->len) == 0) {
		letter_blank_tokens(payload.data, payload.len);
		letter.payload.ptr = payload.data;
	}
	r = parked_bury(pipeline->parked, &letter);
	KILL_POINT("bury", shoal_event_name(burial->type));
	board_count(pipeline->counters, BOARD_COUNTER_events_dead, 1);
	tell_dead(pipeline, burial, r);
	/* The letter has its own copy. */
	if (r == 0 && effects.len > 0 && pipeline->events.handled)
		pipeline->events.handled(pipeline->events.arg, event);
	return r;
}

void pipeline_tell_buried(struct pipeline *pipeline, const struct burial *burial)
{
	board_count(pipeline->counters, BOARD_COUNTER_events_dead, 1);
	tell_dead(pipeline, burial, 0);
}

int pipeline_set_aside(struct pipeline *pipeline, const struct envelope *envelope, const char *payload, size_t len,
		       size_t full_len, const char *reason)
{
	struct burial burial = { .session = pipeline->session,
				 .sequence = envelope->sequence,
				 .guild_id = envelope->guild_id,
				 .type = envelope->type,
				 .flags = LETTER_UNREAD,
				 .reason = reason,
				 .payload = payload,
				 .len = len,
				 .full_len = full_len };
	int r;

	if (burial.len < full_len || burial.len > LETTER_CUT_BYTES) {
		burial.flags |= LETTER_CUT;
		burial.len = burial.len > LETTER_CUT_BYTES ? LETTER_CUT_BYTES : burial.len;
	}
	r = pipeline_bury(pipeline, &burial);
	if (r == 0 && envelope->sequence > pipeline->last_sequence)
		pipeline->last_sequence = envelope->sequence;
	return r;
}

/* --- trying again, dropping
 * ------------------------------------------------------------------------------------------- */

void pipeline_retry_ended(struct pipeline *pipeline, struct letter_key key, int error)
{
	struct retry **at = &pipeline->retries, *retry;

	while ((retry = *at)) {
		if (memcmp(&retry->key, &key, sizeof(key)) != 0) {
			at = &retry->next;
			continue;
		}
		*at = retry->next;
		retry->fn(retry->arg, error);
		free(retry);
	}
}

void pipeline_end_retries(struct pipeline *pipeline)
{
	while (pipeline->retries)
		pipeline_retry_ended(pipeline, pipeline->retries->key, -ECANCELED);
}

/* What it had done comes back into the journal first: tried again without it, it would do it twice. */
static int import_effects(struct pipeline *pipeline, struct letter_key key)
{
	struct event_key event;
	struct letter letter;
	int r;

	r = parked_dead_read(pipeline->parked, key, &letter);
	if (r < 0)
		return r;
	event = event_key_of_bytes((enum shoal_event_type)letter.type, letter.session, letter.sequence,
				   letter.payload.ptr, letter.payload.len);
	if (letter.effects.len == 0 || !pipeline->events.import)
		return 0;
	return pipeline->events.import(pipeline->events.arg, event, letter.effects.ptr, letter.effects.len,
				       letter.boot != 0 && letter.boot == boot_id());
}

int pipeline_retry(struct pipeline *pipeline, const struct letter_id *id, pipeline_retry_fn fn, void *arg)
{
	struct retry *retry;
	struct parked_head head;
	int r;

	r = parked_dead_find(pipeline->parked, id, &head);
	if (r < 0)
		return r;
	retry = calloc(1, sizeof(*retry));
	if (!retry)
		return -ENOMEM;
	*retry = (struct retry){ .key = head.key, .fn = fn, .arg = arg };
	if (head.flags & (LETTER_CUT | LETTER_UNREAD))
		r = -EBADMSG;
	else if (parked_has(pipeline->parked, head.key)) /* its effects are being noted */
		r = -EALREADY;
	else
		r = import_effects(pipeline, head.key);
	if (r == 0)
		r = parked_dead_retry(pipeline->parked, head.key);
	head.flags |= LETTER_STARTED;
	if (r == 0)
		r = pipeline_queue_parked(pipeline, &head);
	if (r < 0) {
		free(retry);
		return r;
	}
	retry->next = pipeline->retries;
	pipeline->retries = retry;
	pipeline->dirty = true;
	return 0;
}

int pipeline_drop(struct pipeline *pipeline, const struct letter_id *id)
{
	struct parked_head head;
	int r;

	r = parked_dead_find(pipeline->parked, id, &head);
	return r < 0 ? r : parked_dead_drop(pipeline->parked, head.key);
}

struct wish {
	struct pipeline *pipeline;
	uint64_t user_id;
	int count; /* recordings */
	void (*fn)(void *arg, int error, size_t count);
	void *arg;
};

/* On the helper thread. */
static int forget_flights(void *arg)
{
	struct wish *wish = arg;

	wish->count = flight_forget_user(wish->pipeline->state_dir, wish->user_id);
	return wish->count < 0 ? wish->count : 0;
}

static void on_letters_forgotten(void *arg, int error, size_t count)
{
	struct wish *wish = arg;

	wish->fn(wish->arg, error, count + (size_t)wish->count);
	free(wish);
}

static void on_flights_forgotten(void *arg, int error, const struct parked_job *job)
{
	struct wish *wish = arg;

	(void)job;
	if (error == 0)
		error = parked_forget_user(wish->pipeline->parked, wish->user_id, on_letters_forgotten, wish);
	if (error == 0)
		return;
	wish->fn(wish->arg, error, 0);
	free(wish);
}

int pipeline_forget_user(struct pipeline *pipeline, uint64_t user_id, void (*fn)(void *arg, int error, size_t count),
			 void *arg)
{
	struct wish *wish = calloc(1, sizeof(*wish));

	if (!wish)
		return -ENOMEM;
	*wish = (struct wish){ .pipeline = pipeline, .user_id = user_id, .fn = fn, .arg = arg };
	return parked_call(pipeline->parked, forget_flights, on_flights_forgotten, free, wish);
}
