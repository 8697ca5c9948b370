/* The answer's state machine. A deferral under way and an answer that comes meanwhile must not overtake each other: the
 * answer waits for the deferral's result and then edits @original (discord-facts section 14). */
#include "shard/commands/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/commands.h"
#include "shard/commands/followup.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"

/* An edit of @original may come until the token dies; long enough for a bad minute at Discord. */
#define EDIT_DEADLINE_MS    60000
#define MESSAGE_DEADLINE_MS 60000

enum answer_state { OPEN, DEFERRING, DEFERRED, SENDING, DONE, STATE_COUNT };
enum answer_event { GIVE, DUE, SENT, ALREADY, REFUSED, FAILED, EVENT_COUNT };

static void send_first(void *owner, const void *event_data);
static void send_defer(void *owner, const void *event_data);
static void send_edit(void *owner, const void *event_data);
static void deferred(void *owner, const void *event_data);
static void send_sorry(void *owner, const void *event_data);
static void finish(void *owner, const void *event_data);

static const struct machine_edge edges[STATE_COUNT][EVENT_COUNT] = {
	[OPEN][GIVE] = GO(SENDING, send_first),
	[OPEN][DUE] = GO(DEFERRING, send_defer),
	[DEFERRING][GIVE] = IGNORED, /* kept until the deferral is through */
	[DEFERRING][DUE] = IGNORED,
	[DEFERRING][SENT] = GO(DEFERRED, deferred),
	[DEFERRING][ALREADY] = GO(DEFERRED, deferred),
	[DEFERRING][FAILED] = GO(DONE, finish),
	[DEFERRED][GIVE] = GO(SENDING, send_edit),
	[DEFERRED][DUE] = IGNORED,
	[SENDING][DUE] = IGNORED,
	[SENDING][SENT] = GO(DONE, finish),
	[SENDING][ALREADY] =
		GO(SENDING, send_edit), /* answered or deferred, perhaps before a crash: this makes it true */
	[SENDING][REFUSED] = GO(SENDING, send_sorry), /* once: the member still waits */
	[SENDING][FAILED] = GO(DONE, finish),
	[DONE][GIVE] = IGNORED, /* the deferral failed: there is nobody to tell any more */
	[DONE][DUE] = IGNORED,
};

static const char *const state_names[] = { "open", "deferring", "deferred", "sending", "done" };
static const char *const event_names[] = { "give", "due", "sent", "already", "refused", "failed" };

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

static struct log_ctx context_of(const struct shoal_invocation *inv)
{
	return (struct log_ctx){ .shard = (int32_t)inv->commands->services.shard_id,
				 .guild_id = inv->guild_id,
				 .module = inv->path,
				 .event = inv->form == INVOCATION_MESSAGE ? "MESSAGE_CREATE" : "INTERACTION_CREATE" };
}

static void drop_reply(struct shoal_invocation *inv)
{
	inv->reply = content_free(inv->reply);
	json_decref(TAKE(inv->modal));
}

static void failed_to_send(struct shoal_invocation *inv, int error, const struct rest_result *result)
{
	struct log_ctx ctx = context_of(inv);
	uint32_t status = result ? result->http_status : 0;
	uint32_t code = result ? result->discord_code : 0;

	if (inv->form == INVOCATION_SUGGEST) { /* the member has typed on, or gone */
		step(inv, FAILED);
		return;
	}
	inv->outcome = COMMAND_OUTCOME_lost;
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
#define HTTP_BAD_REQUEST     400

/* An answer that a successor gave, or that was given once more, and that came after the interaction's time. */
static bool is_expired(const struct shoal_invocation *inv, const struct rest_result *result)
{
	return inv->form == INVOCATION_SLASH && (ticket_again(inv->ticket) || inv->is_doubtful) &&
	       (result->discord_code == CODE_UNKNOWN_WEBHOOK || result->discord_code == CODE_UNKNOWN_MESSAGE);
}

/* Discord did not like what the answer says, so whoever waits for it would wait for ever: other words will do. A module
 * that made it, and we, should not have; who reads it has a number for it. */
static bool say_sorry(struct shoal_invocation *inv, const struct rest_result *result)
{
	struct shoal_result why = { .error = result->error,
				    .http_status = result->http_status,
				    .discord_code = result->discord_code,
				    .message = result->message };
	struct content *content;

	if (result->http_status != HTTP_BAD_REQUEST || inv->answer.state != SENDING || inv->is_sorry ||
	    inv->form == INVOCATION_SUGGEST)
		return false;
	inv->is_sorry = true;
	if (invocation_sorry(inv, &why, &content) < 0)
		return false;
	drop_reply(inv);
	inv->reply = content;
	inv->reply_kind = ANSWER_MESSAGE;
	inv->reply_ephemeral = true;
	step(inv, REFUSED);
	return true;
}

/* A callback whose time ran out while its answer was under way: Discord may have it, and then the member waits for the
 * edit of a deferral, for ever. An edit is a harmless way to try. */
static bool is_lost_callback(const struct shoal_invocation *inv, const struct rest_result *result)
{
	return result->maybe_done && result->error != -ECANCELED && inv->form == INVOCATION_SLASH && !inv->is_edit &&
	       (inv->answer.state == DEFERRING || (inv->answer.state == SENDING && !inv->modal));
}

/* The reference that the request held is given back here, whatever came of it. */
static void request_done(void *arg, const struct rest_result *result)
{
	struct shoal_invocation *inv = arg;
	struct log_ctx ctx = context_of(inv);

	if (!result->error && !inv->answered_ns)
		inv->answered_ns = clock_monotonic_ns();
	/* A form that was shown before a crash: what the member types into it comes as an event of its own. */
	if (result->error == 0 ||
	    (result->discord_code == CODE_ALREADY_ACKNOWLEDGED && inv->answer.state == SENDING && inv->modal)) {
		step(inv, SENT);
	} else if (result->discord_code == CODE_ALREADY_ACKNOWLEDGED) {
		step(inv, ALREADY);
	} else if (is_lost_callback(inv, result)) {
		inv->is_doubtful = true;
		step(inv, ALREADY);
	} else if (is_expired(inv, result)) {
		inv->outcome = COMMAND_OUTCOME_late;
		board_count(inv->commands->services.counters, BOARD_COUNTER_interactions_expired, 1);
		if (inv->is_doubtful) /* no crash of ours: who looks how commands fare must see it */
			board_count(inv->commands->services.counters, BOARD_COUNTER_commands_failed, 1);
		log_warn(&ctx, "commands.expired",
			 KV_MSG(inv->is_doubtful ? "Discord did not take the answer to an interaction while it could"
						 : "a crash came between an interaction and its answer in time"),
			 KV_U64("interaction", inv->event_id), KV_MS("age", invocation_age_ms(inv)));
		step(inv, FAILED);
	} else if (!say_sorry(inv, result)) {
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
	r = effects_send(inv->commands->services.effects,
			 route == ROUTE_CREATE_FOLLOWUP ? &inv->reply_step : &inv->scope.effects, &request,
			 request_done, inv, NULL);
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

static int build_message(const struct shoal_invocation *inv, const struct content *content, enum payload_kind kind,
			 uint32_t flags, char error[PAYLOAD_ERROR_SIZE], json_t **ret_body)
{
	struct payload_message message = content_message(content, PAYLOAD_SUPPRESS_EMBEDS);

	message.flags |= flags;
	if (inv->form == INVOCATION_MESSAGE) {
		message.flags |= content->flags & PAYLOAD_SUPPRESS_NOTIFICATIONS;
		message.reply_to = inv->event_id;
		return payload_message(kind, &message, error, ret_body);
	}
	if (kind == PAYLOAD_CREATE)
		return payload_interaction_message(&message, false, error, ret_body);
	return payload_message(kind, &message, error, ret_body);
}

int answer_check(const struct shoal_invocation *inv, enum answer_kind kind, const struct content *content,
		 char error[PAYLOAD_ERROR_SIZE])
{
	json_t *body = NULL;
	int r = build_message(inv, content, kind == ANSWER_UPDATE ? PAYLOAD_ORIGINAL : PAYLOAD_CREATE, 0, error, &body);

	json_decref(body);
	return r;
}

/* What was checked when it was given can only fail for want of memory. */
static void send_message(struct shoal_invocation *inv, enum payload_kind kind, uint32_t flags, enum route route,
			 uint32_t deadline_ms)
{
	char error[PAYLOAD_ERROR_SIZE] = "";
	json_t *body = NULL;
	int r = build_message(inv, inv->reply, kind, flags, error, &body);

	if (r < 0)
		failed_to_send(inv, r, NULL);
	else
		send_request(inv, route, deadline_ms, body);
}

static void send_update(struct shoal_invocation *inv)
{
	struct payload_message message = content_message(inv->reply, PAYLOAD_SUPPRESS_EMBEDS);
	char error[PAYLOAD_ERROR_SIZE] = "";
	json_t *body = NULL;
	int r = payload_interaction_message(&message, true, error, &body);

	if (r < 0)
		failed_to_send(inv, r, NULL);
	else
		send_request(inv, ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv), body);
}

static void send_first(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	if (inv->form == INVOCATION_MESSAGE)
		send_message(inv, PAYLOAD_CREATE, 0, ROUTE_CREATE_MESSAGE, MESSAGE_DEADLINE_MS);
	else if (inv->reply_kind == ANSWER_MODAL)
		send_request(inv, ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv), json_incref(inv->modal));
	else if (inv->reply_kind == ANSWER_UPDATE)
		send_update(inv);
	else
		send_message(inv, PAYLOAD_CREATE, inv->reply_ephemeral ? PAYLOAD_EPHEMERAL : 0,
			     ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv));
}

static void send_defer(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;
	json_t *body = NULL;
	int r;

	(void)event_data;
	r = payload_interaction_defer(inv->defer_ephemeral || (inv->flags & SHOAL_COMMAND_EPHEMERAL), inv->updates,
				      &body);
	if (r < 0)
		failed_to_send(inv, r, NULL);
	else
		send_request(inv, ROUTE_INTERACTION_CALLBACK, callback_deadline_ms(inv), body);
}

/* A form can't follow a deferral: the member is told to begin again. */
static int too_late_for_a_form(struct shoal_invocation *inv)
{
	json_decref(TAKE(inv->modal));
	inv->reply_kind = ANSWER_MESSAGE;
	inv->reply_step = (struct effect_scope){ .ticket = inv->ticket, .next_step = inv->scope.effects.next_step++ };
	return content_of_text(strdup(phrases_text(&phrase_FORM_TOO_LATE, inv->language)), &inv->reply);
}

static void send_edit(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	inv->is_edit = true;
	if (inv->reply_kind == ANSWER_MODAL && too_late_for_a_form(inv) < 0)
		failed_to_send(inv, -ENOMEM, NULL);
	else if (inv->updates && inv->reply_kind == ANSWER_MESSAGE)
		send_message(inv, PAYLOAD_FOLLOWUP, inv->reply_ephemeral ? PAYLOAD_EPHEMERAL : 0, ROUTE_CREATE_FOLLOWUP,
			     EDIT_DEADLINE_MS);
	else
		send_message(inv, PAYLOAD_ORIGINAL, 0, ROUTE_EDIT_ORIGINAL, EDIT_DEADLINE_MS);
}

/* The way that the refused one went; a message or a follow-up is another effect than that, with a number of its own. */
static void send_sorry(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	if (inv->updates)
		inv->reply_step =
			(struct effect_scope){ .ticket = inv->ticket, .next_step = inv->scope.effects.next_step++ };
	if (inv->is_edit)
		send_edit(owner, event_data);
	else
		send_first(owner, event_data);
}

static void deferred(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	if (inv->reply || inv->modal) /* it came while the deferral was under way */
		step(inv, GIVE);
	else if (inv->replied)
		followup_run(inv);
}

static void finish(void *owner, const void *event_data)
{
	struct shoal_invocation *inv = owner;

	(void)event_data;
	drop_reply(inv);
	followup_run(inv);
}

static int give(struct shoal_invocation *inv)
{
	inv->replied = true;
	/* A message beside the one that the component stands on: after a crash nobody could tell whether the callback
	 * had been this message or the deferral, so it is always a deferral and a follow-up, which the journal knows.
	 */
	if (inv->updates && inv->reply_kind == ANSWER_MESSAGE) {
		inv->reply_step =
			(struct effect_scope){ .ticket = inv->ticket, .next_step = inv->scope.effects.next_step++ };
		if (inv->answer.state == OPEN)
			step(inv, DUE);
		if (inv->answer.state != DEFERRED)
			return 0; /* it goes when the deferral is through, or never */
	}
	step(inv, GIVE);
	if (inv->answer.state == DONE) /* the deferral had failed: nobody hears it */
		drop_reply(inv);
	return 0;
}

/* Where suggestions are wanted there is no other answer than some, or none. */
static int give_no_choices(struct shoal_invocation *inv)
{
	json_auto_t *choices = json_array();
	char error[PAYLOAD_ERROR_SIZE];
	json_t *body = NULL;
	int r = payload_interaction_choices(choices, error, &body);

	return r < 0 ? r : answer_give_choices(inv, body);
}

int answer_give(struct shoal_invocation *inv, enum answer_kind kind, struct content *content, bool ephemeral)
{
	if (inv->replied) {
		content_free(content);
		return -EALREADY;
	}
	if (inv->form == INVOCATION_SUGGEST) {
		content_free(content);
		return give_no_choices(inv);
	}
	inv->reply = content;
	inv->reply_kind = kind;
	inv->reply_ephemeral = ephemeral || (inv->flags & SHOAL_COMMAND_EPHEMERAL);
	return give(inv);
}

int answer_give_modal(struct shoal_invocation *inv, json_t *body)
{
	if (inv->replied) {
		json_decref(body);
		return -EALREADY;
	}
	inv->modal = body;
	inv->reply_kind = ANSWER_MODAL;
	return give(inv);
}

int answer_give_choices(struct shoal_invocation *inv, json_t *body)
{
	if (inv->replied || invocation_age_ms(inv) >= ANSWER_LATE_MS) {
		json_decref(body);
		if (inv->replied)
			return -EALREADY;
		inv->replied = true; /* nobody looks at them any more */
		return 0;
	}
	return answer_give_modal(inv, body);
}

int answer_defer(struct shoal_invocation *inv, bool ephemeral)
{
	if (inv->form != INVOCATION_SLASH)
		return 0;
	if (inv->replied || inv->defer_raised)
		return -EALREADY;
	inv->defer_raised = true;
	if (inv->answer.state != OPEN)
		return 0; /* shoal has deferred it, now or in another life */
	inv->defer_ephemeral = ephemeral;
	step(inv, DUE);
	return 0;
}

void answer_waive(struct shoal_invocation *inv)
{
	inv->replied = true;
}

bool answer_is_settled(const struct shoal_invocation *inv)
{
	return inv->answer.state == DONE ||
	       (inv->answer.state == DEFERRED && inv->replied && !inv->reply && !inv->modal);
}

void answer_tick(struct shoal_invocation *inv)
{
	if (inv->form != INVOCATION_SLASH || inv->replied)
		return;
	if (inv->answer.state == OPEN && !inv->keeps_modal && invocation_age_ms(inv) >= ANSWER_DEFER_MS)
		step(inv, DUE);
	else if (inv->answer.state == DEFERRED && invocation_age_ms(inv) >= ANSWER_HELD_MS)
		invocation_apologise(inv);
}
