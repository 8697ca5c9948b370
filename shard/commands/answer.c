/* The answer's state machine. A deferral under way and an answer that comes meanwhile must not overtake each other: the
 * answer waits for the deferral's result and then edits @original (discord-facts section 14). */
#include "shard/commands/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/commands.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"

/* An edit of @original may come until the token dies; long enough for a bad minute at Discord. */
#define EDIT_DEADLINE_MS    60000
#define MESSAGE_DEADLINE_MS 60000

enum answer_state { OPEN, DEFERRING, DEFERRED, SENDING, DONE, STATE_COUNT };
enum answer_event { GIVE, DUE, SENT, ALREADY, FAILED, EVENT_COUNT };

static void send_first(void *owner, const void *event_data);
static void send_defer(void *owner, const void *event_data);
static void send_edit(void *owner, const void *event_data);
static void deferred(void *owner, const void *event_data);
static void finish(void *owner, const void *event_data);

static const struct machine_edge edges[STATE_COUNT][EVENT_COUNT] = {
	[OPEN][GIVE] = GO(SENDING, send_first),
	[OPEN][DUE] = GO(DEFERRING, send_defer),
	[DEFERRING][GIVE] = IGNORED, /* kept in inv->reply until the deferral is through */
	[DEFERRING][DUE] = IGNORED,
	[DEFERRING][SENT] = GO(DEFERRED, deferred),
	[DEFERRING][ALREADY] = GO(DEFERRED, deferred),
	[DEFERRING][FAILED] = GO(DONE, finish),
	[DEFERRED][GIVE] = GO(SENDING, send_edit),
	[DEFERRED][DUE] = IGNORED,
	[SENDING][DUE] = IGNORED,
	[SENDING][SENT] = GO(DONE, finish),
	[SENDING][ALREADY] = GO(SENDING, send_edit), /* answered or deferred before a crash: this makes it true */
	[SENDING][FAILED] = GO(DONE, finish),
	[DONE][GIVE] = IGNORED, /* the deferral failed: there is nobody to tell any more */
	[DONE][DUE] = IGNORED,
};

static const char *const state_names[] = { "open", "deferring", "deferred", "sending", "done" };
static const char *const event_names[] = { "give", "due", "sent", "already", "failed" };

static const struct machine_table table = {
	"answer", &edges[0][0], state_names, event_names, STATE_COUNT, EVENT_COUNT
};

/* An action may raise the next event (a request that can't even be sent): it is taken up when the action is through. At
 * most one can be waiting, since every action raises one at most. */
static void step(struct shoal_invocation *inv, enum answer_event event)
{
	if (inv->answer.depth > 0) {
		inv->answer_raised = true;
		inv->answer_event = (uint8_t)event;
		return;
	}
	machine_step(&inv->answer, (uint8_t)event, NULL);
	while (inv->answer_raised) {
		inv->answer_raised = false;
		machine_step(&inv->answer, inv->answer_event, NULL);
	}
}

void answer_init(struct shoal_invocation *inv)
{
	machine_init(&inv->answer, &table, OPEN, inv, NULL);
}

void answer_begin_deferred(struct shoal_invocation *inv)
{
	machine_init(&inv->answer, &table, DEFERRED, inv, NULL);
}

bool answer_is_open(const struct shoal_invocation *inv)
{
	return inv->answer.state != DONE;
}

static struct log_ctx context_of(const struct shoal_invocation *inv)
{
	return (struct log_ctx){ .shard = (int32_t)inv->commands->services.shard_id,
				 .guild_id = inv->guild_id,
				 .module = inv->path,
				 .event = inv->form == INVOCATION_SLASH ? "INTERACTION_CREATE" : "MESSAGE_CREATE" };
}

static void failed_to_send(struct shoal_invocation *inv, int error, const struct rest_result *result)
{
	struct log_ctx ctx = context_of(inv);
	uint32_t status = result ? result->http_status : 0;
	uint32_t code = result ? result->discord_code : 0;

	board_count(inv->commands->services.counters, BOARD_COUNTER_commands_failed, 1);
	log_warn(&ctx, "commands.answer_failed", KV_MSG("an answer to a member did not get through"), KV_ERR(error),
		 KV_INT("http_status", status), KV_INT("discord_code", code),
		 KV_STR("detail", result ? result->message : ""), KV_MS("age", invocation_age_ms(inv)));
	step(inv, FAILED);
}

/* Discord's word that the first answer was given (discord-facts section 14). */
#define CODE_ALREADY_ACKNOWLEDGED 40060
/* And that there is nothing to edit: nobody had deferred in time, or the token is dead. */
#define CODE_UNKNOWN_WEBHOOK 10015
#define CODE_UNKNOWN_MESSAGE 10008

/* An answer that a successor gave, and that came after the interaction's time. */
static bool is_expired(const struct shoal_invocation *inv, const struct rest_result *result)
{
	return inv->form == INVOCATION_SLASH && ticket_again(inv->ticket) &&
	       (result->discord_code == CODE_UNKNOWN_WEBHOOK || result->discord_code == CODE_UNKNOWN_MESSAGE);
}

/* The reference that the request held is given back here, whatever came of it. */
static void request_done(void *arg, const struct rest_result *result)
{
	struct shoal_invocation *inv = arg;
	struct log_ctx ctx = context_of(inv);

	if (result->error == 0) {
		step(inv, SENT);
	} else if (result->discord_code == CODE_ALREADY_ACKNOWLEDGED) {
		step(inv, ALREADY);
	} else if (is_expired(inv, result)) {
		board_count(inv->commands->services.counters, BOARD_COUNTER_interactions_expired, 1);
		log_warn(&ctx, "commands.expired", KV_MSG("a crash came between an interaction and its answer in time"),
			 KV_MS("age", invocation_age_ms(inv)));
		step(inv, FAILED);
	} else {
		failed_to_send(inv, result->error, result);
	}
	invocation_release(inv);
}

/* @body is taken, as by effects_send(). */
static void send_request(struct shoal_invocation *inv, enum route route, uint32_t deadline_ms, json_t *body)
{
	struct rest_request request = {
		.route = route,
		.args = { .ids = { [ROUTE_ID_CHANNEL] = inv->channel_id,
				   [ROUTE_ID_INTERACTION] = inv->event_id,
				   [ROUTE_ID_APPLICATION] = inv->application_id },
			  .token = inv->token },
		.json = body,
		.deadline_ms = deadline_ms,
		.priority = REST_PRIORITY_HIGH,
	};
	int r;

	invocation_hold(inv);
	r = effects_send(inv->commands->services.effects, &inv->scope, &request, request_done, inv, NULL);
	if (r < 0) {
		failed_to_send(inv, r, NULL);
		invocation_release(inv);
	}
}

/* What is left of an interaction's three seconds. */
static uint32_t callback_deadline_ms(const struct shoal_invocation *inv)
{
	uint64_t age_ms = invocation_age_ms(inv);

	return age_ms >= REST_INTERACTION_MS ? 1 : (uint32_t)(REST_INTERACTION_MS - age_ms);
}

static int build_message(const struct shoal_invocation *inv, enum payload_kind kind, uint32_t flags, json_t **ret_body)
{
	CLEANUP(cleanup_free) char *clipped = payload_clip(inv->reply, PAYLOAD_CONTENT_MAX);
	char error[PAYLOAD_ERROR_SIZE] = "";
	struct payload_message message = { .content = clipped, .flags = flags };
	int r;

	if (!clipped)
		return -ENOMEM;
	if (inv->form == INVOCATION_MESSAGE) {
		message.reply_to = inv->event_id;
		r = payload_message(kind, &message, error, ret_body);
	} else if (kind == PAYLOAD_CREATE) {
		r = payload_interaction_message(&message, false, error, ret_body);
	} else {
		r = payload_message(kind, &message, error, ret_body);
	}
	if (r < 0) {
		struct log_ctx ctx = context_of(inv);

		log_error(&ctx, "commands.answer_invalid", KV_MSG("a command's answer breaks Discord's limits"),
			  KV_ERR(r), KV_STR("detail", error));
	}
	return r;
}

static void send_first(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;
	uint32_t flags = inv->reply_ephemeral ? PAYLOAD_EPHEMERAL : 0;
	bool slash = inv->form == INVOCATION_SLASH;
	json_t *body = NULL;
	int r;

	(void)event_data;
	r = build_message(inv, PAYLOAD_CREATE, slash ? flags : 0, &body);
	if (r < 0)
		failed_to_send(inv, r, NULL);
	else if (slash)
		send_request(inv, ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv), body);
	else
		send_request(inv, ROUTE_CREATE_MESSAGE, MESSAGE_DEADLINE_MS, body);
}

static void send_defer(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;
	json_t *body = NULL;
	int r;

	(void)event_data;
	r = payload_interaction_defer(inv->flags & SHOAL_COMMAND_EPHEMERAL, false, &body);
	if (r < 0)
		failed_to_send(inv, r, NULL);
	else
		send_request(inv, ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv), body);
}

static void send_edit(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;
	json_t *body = NULL;
	int r;

	(void)event_data;
	r = build_message(inv, PAYLOAD_ORIGINAL, 0, &body);
	if (r < 0)
		failed_to_send(inv, r, NULL);
	else
		send_request(inv, ROUTE_EDIT_ORIGINAL, EDIT_DEADLINE_MS, body);
}

static void deferred(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	if (inv->reply) /* it came while the deferral was under way */
		step(inv, GIVE);
}

static void finish(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	free(inv->reply);
	inv->reply = NULL;
}

int answer_give(struct shoal_invocation *inv, char *text, bool ephemeral)
{
	if (inv->replied) {
		free(text);
		return -EALREADY;
	}
	if (!text)
		return -ENOMEM;
	inv->replied = true;
	inv->reply = text;
	inv->reply_ephemeral = ephemeral || (inv->flags & SHOAL_COMMAND_EPHEMERAL);
	step(inv, GIVE);
	if (inv->answer.state == DONE) { /* the deferral had failed: nobody hears it */
		free(inv->reply);
		inv->reply = NULL;
	}
	return 0;
}

void answer_tick(struct shoal_invocation *inv)
{
	if (inv->form == INVOCATION_SLASH && inv->answer.state == OPEN && !inv->replied &&
	    invocation_age_ms(inv) >= ANSWER_DEFER_MS)
		step(inv, DUE);
}
