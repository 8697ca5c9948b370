/* Effects between handlers and the REST client. One effect is one struct from effects_send() to its callback, in one of
 * three states: on its way (SENDING), Discord being asked what became of it (ASKING), or told soon, since callers are
 * never told from within their own call (DUE). Must not send what may have been done, and must not tell what is not
 * written down. */
#include "shard/events/effects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include <shoal/snowflake.h>

#include "shard/events/checks.h"
#include "shard/events/culprit.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/discord/discord_error.h"
#include "shared/discord/discord_time.h"
#include "shared/discord/payload.h"
#include "shared/log/log.h"

/* A message sent again ends before its nonce does, and not later than a usual one. */
#define NONCE_DEADLINE_MS 45000
#define NONCE_MARGIN_MS   1000
/* A lost effect is asked after so often; then nobody knows. */
#define ROUNDS_MAX 2
/* A question whose answer was spoilt (broken off, unreadable, no answer at all) is put anew so often. */
#define ASKED_ANEW_MAX 3
#define TEXT_SIZE      160

enum effect_state { SENDING, ASKING, DUE };

struct effect {
	struct effect *prev, *next;
	struct effects *effects;
	enum effect_state state;
	struct ticket *ticket;
	struct event_key event;
	uint32_t step;
	bool journalled;
	bool recovered; /* a worker before us had let it leave */
	bool placed;
	uint64_t target;
	uint64_t handle, rest_handle;
	rest_fn fn;
	void *arg;
	struct rest_request request; /* a copy; its texts and body only of what may have to be sent again (CHECK) */
	int64_t since_ms;            /* when it first left; 0: not known */
	uint32_t asked, rounds, anew;
	/* DUE */
	struct journal_row row;
	json_t *body;
	bool already;
#ifdef SHOAL_KILL_POINTS
	char where[64]; /* its route, and who began it */
#endif
};

struct effects {
	struct journal *journal; /* NULL: there was no room for its files yet */
	struct journal_options journal_options;
	struct rest *rest;
	_Atomic uint64_t *counters;
	struct effect *open;
	struct timer due;
	struct loop_hook tick;
	uint64_t next_handle;
	bool closing;
	bool full_told;
	effects_unknown_fn unknown;
	void *unknown_arg;
	loop_fn closed;
	void *closed_arg;
};

static void count(struct effects *effects, enum board_counter counter)
{
	if (effects->counters)
		board_count(effects->counters, counter, 1);
}

void effect_scope_init(struct effect_scope *scope, struct ticket *ticket, uint32_t lane)
{
	*scope = (struct effect_scope){ .ticket = ticket, .next_step = lane << EFFECT_LANE_SHIFT };
}

/* {session, sequence} is mixed down to 64 bits (murmur3's finish); within the minutes that a nonce lives nothing meets.
 */
static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b * UINT64_C(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 33)) * UINT64_C(0xFF51AFD7ED558CCD);
	x = (x ^ (x >> 33)) * UINT64_C(0xC4CEB9FE1A85EC53);
	return x ^ (x >> 33);
}

void effects_nonce(struct event_key event, uint32_t step, char nonce[26])
{
	char text[PAYLOAD_NONCE_SIZE];

	/* With a sign in front where there is no id, so that the kinds never meet: 1 + 13 + 1 + 7 characters at most.
	 */
	payload_nonce(event_key_has_id(event) ? event.number : mix(event.scope, event.number), step, text);
	snprintf(nonce, PAYLOAD_NONCE_SIZE, "%s%.24s", event_key_has_id(event) ? "" : "-", text);
}
_Static_assert(PAYLOAD_NONCE_SIZE == 26, "as the header says");

/* --- copies of requests
 * ----------------------------------------------------------------------------------------------- */

static void free_copy(struct rest_request *request)
{
	free((char *)request->args.token);
	free((char *)request->args.emoji);
	free((char *)request->query);
	free((char *)request->text);
	free((char *)request->reason);
	json_decref(request->json);
	memset(request, 0, sizeof(*request));
}

static bool copy_text(const char **field)
{
	if (*field)
		*field = strdup(*field);
	return *field;
}

/* All that rest_send() borrows, made ours. */
static int copy_request(const struct rest_request *request, struct rest_request *ret_copy)
{
	struct rest_request copy = *request;
	bool ok = true;

	json_incref(copy.json);
	ok &= copy_text(&copy.args.token) || !request->args.token;
	ok &= copy_text(&copy.args.emoji) || !request->args.emoji;
	ok &= copy_text(&copy.query) || !request->query;
	ok &= copy_text(&copy.reason) || !request->reason;
	if (copy.text) {
		copy.text = malloc(request->text_len + 1);
		ok &= copy.text != NULL;
		if (copy.text)
			memcpy((char *)copy.text, request->text, request->text_len);
	}
	if (!ok) {
		free_copy(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

/* --- the end of an effect
 * --------------------------------------------------------------------------------------------- */

static void effect_free(struct effect *effect)
{
	if (route_rows[effect->request.route].repeat == ROUTE_CHECK)
		free_copy(&effect->request);
	json_decref(effect->body);
	ticket_release(effect->ticket);
	free(effect);
}

/* Calls back and frees. The ticket goes after the callback, which may begin the next effect. */
static void tell(struct effect *effect, const struct rest_result *result)
{
	DL_DELETE(effect->effects->open, effect);
	effect->fn(effect->arg, result);
	effect_free(effect);
}

static void report_unknown(const struct effect *effect, const char *why)
{
	struct effects *effects = effect->effects;
	char key[EVENT_KEY_TEXT_SIZE];
	struct effects_unknown unknown = { .event = event_key_print(effect->event, key),
					   .step = effect->step,
					   .route = route_rows[effect->request.route].name,
					   .guild_id = effect->request.args.ids[ROUTE_ID_GUILD],
					   .channel_id = effect->request.args.ids[ROUTE_ID_CHANNEL],
					   .why = why,
					   .token = mix(effect->event.scope, mix(effect->event.number, effect->step)) };

	count(effects, BOARD_COUNTER_effects_unknown);
	log_warn(NULL, "effects.unknown",
		 KV_MSG("an effect may or may not have happened; it is not done again, somebody may want to look"),
		 KV_STR("route", unknown.route), KV_STR("of", unknown.event), KV_U64("step", unknown.step),
		 KV_STR("why", why));
	if (effects->unknown)
		effects->unknown(effects->unknown_arg, &unknown);
}

void effects_on_unknown(struct effects *effects, effects_unknown_fn fn, void *arg)
{
	effects->unknown = fn;
	effects->unknown_arg = arg;
}

static uint64_t id_of(const json_t *body, const char *name)
{
	const json_t *id = json_object_get(body, name);
	uint64_t value;

	if (!json_is_string(id) || shoal_snowflake_parse(json_string_value(id), json_string_length(id), &value) < 0)
		return 0;
	return value;
}

/* What a handler that is run again may need of an answer too long to be kept: what it is, and where. */
static char *brief_body(const json_t *body)
{
	static const char *const kept[] = { "id", "channel_id", "guild_id", "code", "type" };
	json_auto_t *brief = json_object();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		json_t *value = json_object_get(body, kept[i]);

		if (value && !json_is_object(value) && !json_is_array(value))
			json_object_set(brief, kept[i], value);
	}
	return json_dumps(brief, JSON_COMPACT);
}

/* NULL: none, or no memory for it. */
static char *body_text(const json_t *body)
{
	CLEANUP(cleanup_free) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	if (text && strlen(text) > JOURNAL_BODY_MAX) {
		free(text);
		text = brief_body(body);
	}
	return TAKE(text);
}

static void write_failed(struct effects *effects, int error)
{
	if (!effects->full_told)
		log_error(NULL, "journal.write_failed",
			  KV_MSG("the effect journal can't be written; what it does not keep may be done twice or be "
				 "reported as unknown after a crash; is the runtime directory full? "
				 "(effects.journal_max_mib)"),
			  KV_ERR(error));
	effects->full_told = true;
}

/* On the map before the handler hears of it. */
static void conclude(struct effect *effect, const struct rest_result *result)
{
	CLEANUP(cleanup_free) char *text = body_text(result->body);
	struct journal_row row = { .state = result->error == -SHOAL_EUNKNOWN ? JOURNAL_UNKNOWN : JOURNAL_RESULT,
				   .route = effect->request.route,
				   .target = effect->target,
				   .error = result->error,
				   .http_status = result->http_status,
				   .discord_code = result->discord_code,
				   .maybe_done = result->maybe_done,
				   .created_id = id_of(result->body, "id"),
				   .body = text,
				   .body_len = text ? (uint32_t)strlen(text) : 0 };
	int r;

	r = journal_conclude(effect->effects->journal, effect->event, effect->step, &row);
	if (r < 0)
		write_failed(effect->effects, r);
	else
		effect->effects->full_told = false;
}

static void end(struct effect *effect, const struct rest_result *result)
{
	/* What was broken off has no result: a successor decides anew by the intent. */
	if (effect->journalled && result->error != -ECANCELED) {
		KILL_POINT("after_reply", effect->where);
		conclude(effect, result);
		KILL_POINT("after_conclude", effect->where);
	}
	tell(effect, result);
}

/* Told with the next turn of the loop. */
static void make_due(struct effect *effect, const struct journal_row *row, json_t *body, bool already)
{
	effect->state = DUE;
	effect->row = *row;
	effect->row.body = NULL;
	effect->body = body;
	effect->already = already;
	timer_start(&effect->effects->due, 0);
}

static void tell_due(struct effect *effect)
{
	const struct journal_row *row = &effect->row;
	char text[TEXT_SIZE] = "";
	struct rest_result result = { .error = row->error,
				      .http_status = row->http_status,
				      .discord_code = row->discord_code,
				      .message = text,
				      .body = effect->body,
				      .already = effect->already,
				      .maybe_done = row->maybe_done };

	if (row->error) {
		snprintf(text, sizeof(text), "%s: before a crash: %s", route_rows[effect->request.route].name,
			 error_text(row->error));
		result.phrase = discord_error_phrase(row->http_status >= 400 ? row->http_status : 0, row->discord_code);
	}
	tell(effect, &result);
}

static void on_due(void *arg)
{
	struct effects *effects = arg;
	struct effect *effect;

	do { /* a callback may begin the next one that is due at once, or end us */
		DL_FOREACH (effects->open, effect)
			if (effect->state == DUE)
				break;
		if (effect)
			tell_due(effect);
	} while (effect && !effects->closing);
}

static void end_unknown(struct effect *effect, const char *why)
{
	struct rest_result result = { .error = -SHOAL_EUNKNOWN,
				      .message = "it may or may not have happened",
				      .phrase = discord_error_phrase(0, 0),
				      .maybe_done = true };

	report_unknown(effect, why);
	end(effect, &result);
}

/* The same from within effects_send(). */
static void make_due_unknown(struct effect *effect, const char *why)
{
	struct rest_result result = { .error = -SHOAL_EUNKNOWN, .maybe_done = true };
	struct journal_row row = { .error = -SHOAL_EUNKNOWN, .maybe_done = true };

	report_unknown(effect, why);
	conclude(effect, &result);
	make_due(effect, &row, NULL, false);
}

/* --- asking
 * ----------------------------------------------------------------------------------------------------------- */

static int ask(struct effect *effect);
static int transmit(struct effect *effect, const struct rest_request *request);

static void happened(struct effect *effect, const struct rest_result *answer)
{
	struct rest_result result = { .http_status = answer->http_status,
				      .message = "",
				      .body = effect->request.route == ROUTE_CREATE_MESSAGE_THREAD ? answer->body
												   : NULL,
				      .already = true };

	end(effect, &result);
}

static int send_again(struct effect *effect)
{
	struct rest_request request = effect->request;

	json_incref(request.json);
	return transmit(effect, &request);
}

/* Not Discord's word, but none: a refusal whose body broke off, a server's error, a lost connection. */
static bool is_spoilt(const struct rest_result *answer)
{
	return answer->error && answer->discord_code == 0 && answer->error != -SHOAL_EREFUSED;
}

static void on_checked(void *arg, const struct rest_result *answer)
{
	struct effect *effect = arg;
	struct check_subject subject = { &effect->request, effect->since_ms, effect->asked };
	struct rest_result not_sent = { .message = "it could not be sent again", .phrase = discord_error_phrase(0, 0) };
	enum check_verdict verdict;
	int r = 0;

	effect->rest_handle = 0;
	if (answer->error == -ECANCELED) {
		end(effect, answer);
		return;
	}
	verdict = check_find(effect->request.route)->judge(&subject, answer);
	log_info(NULL, "effects.checked", KV_STR("route", route_rows[effect->request.route].name),
		 KV_INT("verdict", verdict), KV_INT("http_status", answer->http_status));
	switch (verdict) {
	case CHECK_HAPPENED:
		happened(effect, answer);
		return;
	case CHECK_MISSING:
		not_sent.error = send_again(effect);
		if (not_sent.error < 0)
			end(effect, &not_sent);
		return;
	case CHECK_MORE:
		effect->asked++;
		r = ask(effect);
		break;
	case CHECK_UNKNOWN:
		r = is_spoilt(answer) && effect->anew++ < ASKED_ANEW_MAX ? ask(effect) : -SHOAL_EUNKNOWN;
		break;
	}
	if (r < 0)
		end_unknown(effect, "Discord's answer did not tell");
}

/* Negative: it can't be asked. */
static int ask(struct effect *effect)
{
	const struct check_row *check = check_find(effect->request.route);
	struct check_subject subject = { &effect->request, effect->since_ms, effect->asked };
	struct rest_request question = { .route = route_rows[effect->request.route].check,
					 .priority = effect->request.priority,
					 .essential = effect->request.essential };

	if (!check->ask(&subject, &question))
		return -SHOAL_EUNKNOWN;
	effect->state = ASKING;
	return rest_send(effect->effects->rest, &question, on_checked, effect, &effect->rest_handle);
}

static int ask_first(struct effect *effect)
{
	count(effect->effects, BOARD_COUNTER_effects_checked);
	effect->asked = 0;
	effect->rounds++;
	return ask(effect);
}

/* --- sending
 * ---------------------------------------------------------------------------------------------------------- */

static int on_leaving(void *arg)
{
	struct effect *effect = arg;
	struct effects *effects = effect->effects;
	int r = ticket_may_act(effect->ticket);

	/* A worker that was stopped for long goes on here: another may have its job by now. */
	if (r < 0 || !effect->journalled)
		return r;
	KILL_POINT("before_intent", effect->where);
	r = journal_intend(effects->journal, effect->event, effect->step, effect->request.route, effect->target);
	if (r < 0) {
		count(effects, BOARD_COUNTER_effects_refused);
		write_failed(effects, r);
	}
	if (effect->since_ms == 0)
		effect->since_ms = discord_time_ms();
	KILL_POINT("before_send", effect->where);
	return r;
}

/* It waits for another attempt, and nothing has come of the last: killed now, a successor must not call it unknown. Of
 * one that an earlier worker had begun the intent stays, for that may have come to something. */
static void on_stayed(void *arg)
{
	struct effect *effect = arg;
	int r;

	if (effect->recovered)
		return;
	r = journal_withdraw(effect->effects->journal, effect->event, effect->step);
	if (r < 0) /* the careful side: it stays an intent */
		write_failed(effect->effects, r);
}

/* Of a DELETE that a worker before us may have made, "not there" is the wanted end. */
static bool is_gone(const struct effect *effect, const struct rest_result *result)
{
	return result->http_status == 404 && ticket_again(effect->ticket) &&
	       route_rows[effect->request.route].method == ROUTE_DELETE &&
	       route_rows[effect->request.route].repeat == ROUTE_SAFE;
}

static void on_sent(void *arg, const struct rest_result *result)
{
	struct effect *effect = arg;
	const struct route_row *row = &route_rows[effect->request.route];
	struct rest_result gone = { .http_status = 404, .message = "", .already = true };

	effect->rest_handle = 0;
	if (is_gone(effect, result)) {
		end(effect, &gone);
		return;
	}
	if (effect->journalled && result->error && result->maybe_done && result->error != -ECANCELED &&
	    row->repeat == ROUTE_CHECK) {
		if (effect->rounds >= ROUNDS_MAX || ask_first(effect) < 0)
			end_unknown(effect, "its answer was lost, and asking does not help");
		return;
	}
	if (result->error == -SHOAL_EUNKNOWN)
		report_unknown(effect, "its answer was lost");
	end(effect, result);
}

/* Takes @request's json. */
static int transmit(struct effect *effect, const struct rest_request *request)
{
	struct rest_request copy = *request;

	if (effect->journalled || ticket_is_run(effect->ticket))
		copy.leaving = on_leaving;
	if (effect->journalled)
		copy.stayed = on_stayed;
	effect->state = SENDING;
	return rest_send(effect->effects->rest, &copy, on_sent, effect, &effect->rest_handle);
}

/* --- what the journal says
 * -------------------------------------------------------------------------------------------- */

/* How old a message's nonce is at most, in ms; UINT64_MAX: nobody knows. */
static uint64_t nonce_age_ms(const struct effect *effect, const struct journal_row *row)
{
	uint64_t now_ns = clock_boottime_ns();

	if (row)
		return now_ns >= row->boot_ns ? (now_ns - row->boot_ns) / NS_PER_MS : UINT64_MAX;
	return ticket_age_ms(effect->ticket);
}

/* It may have left before: with the same nonce it does no harm, as long as Discord knows that. @row NULL: it is lost.
 */
static int send_nonce_again(struct effect *effect, const struct rest_request *request, const struct journal_row *row)
{
	struct rest_request copy = *request;
	uint64_t age_ms = nonce_age_ms(effect, row), left_ms;

	if (age_ms >= ROUTE_NONCE_AGE_MS - NONCE_MARGIN_MS) {
		json_decref(copy.json);
		make_due_unknown(effect, "its nonce is too old");
		return 0;
	}
	left_ms = ROUTE_NONCE_AGE_MS - age_ms;
	if (copy.deadline_ms == 0)
		copy.deadline_ms = NONCE_DEADLINE_MS;
	if (copy.deadline_ms > left_ms)
		copy.deadline_ms = (uint32_t)left_ms;
	return transmit(effect, &copy);
}

/* It left, or may have. @row NULL: the row is lost. Takes @request's json. */
static int recover(struct effect *effect, const struct rest_request *request, const struct journal_row *row)
{
	effect->recovered = true;
	switch (route_rows[request->route].repeat) {
	case ROUTE_NONCE:
		return send_nonce_again(effect, request, row);
	case ROUTE_CHECK:
		json_decref(request->json); /* the copy has its own */
		effect->since_ms = row ? row->wall_ms : 0;
		if (ask_first(effect) < 0)
			make_due_unknown(effect, "Discord could not be asked");
		return 0;
	case ROUTE_NEVER:
	case ROUTE_SAFE: /* has no rows */
		break;
	}
	json_decref(request->json);
	make_due_unknown(effect, row ? "a crash came between the request and its answer" : "the journal was lost");
	return 0;
}

static void remember(struct effect *effect, const struct journal_row *row)
{
	json_t *body = row->body ? json_loadb(row->body, row->body_len, 0, NULL) : NULL;

	if (!body && row->created_id)
		body = json_pack("{s:o}", "id", payload_id(row->created_id));
	count(effect->effects, BOARD_COUNTER_effects_remembered);
	make_due(effect, row, body, true);
}

static bool is_about(const struct journal_row *row, const struct effect *effect)
{
	return row->route == effect->request.route &&
	       (row->target == effect->target || (effect->placed && row->state == JOURNAL_RESULT));
}

/* Takes @request's json. */
static int begin_journalled(struct effect *effect, const struct rest_request *request)
{
	struct effects *effects = effect->effects;
	struct journal_row row;
	int r;

	r = journal_get(effects->journal, effect->event, effect->step, &row);
	if (r == -ENOENT && !ticket_is_doubtful(effect->ticket) &&
	    !(ticket_again(effect->ticket) && journal_is_doubtful(effects->journal)))
		return transmit(effect, request);
	if (r < 0)
		return recover(effect, request, NULL);
	if (!is_about(&row, effect)) {
		json_decref(request->json);
		make_due_unknown(effect, "the journal has another request in its place");
		return 0;
	}
	if (row.state == JOURNAL_INTENT)
		return recover(effect, request, &row);
	json_decref(request->json);
	remember(effect, &row);
	return 0;
}

/* --- a new effect
 * ----------------------------------------------------------------------------------------------------- */

static int put_nonce(const struct effect *effect, json_t *body)
{
	char nonce[PAYLOAD_NONCE_SIZE];

	if (!json_is_object(body))
		return -EINVAL;
	effects_nonce(effect->event, effect->step, nonce);
	if (json_object_set_new(body, "nonce", json_string(nonce)) < 0 ||
	    json_object_set_new(body, "enforce_nonce", json_true()) < 0)
		return -ENOMEM;
	return 0;
}

/* What a journalled effect needs beside a plain one. */
static int prepare(struct effect *effect, struct effect_scope *scope, const struct rest_request *request)
{
	enum route_repeat repeat = route_rows[request->route].repeat;
	int r = 0;

	if (!effect->effects->journal) {
		count(effect->effects, BOARD_COUNTER_effects_refused);
		return -ENOSPC;
	}
	effect->journalled = true;
	effect->event = ticket_key(scope->ticket);
	effect->placed = scope->placed;
	effect->step = effect_scope_take(scope).next_step;
	effect->target = journal_target(request->route, &request->args);
	ticket_set_journalled(scope->ticket);
	if (effect->target == 0)
		return -EINVAL;
	if (repeat == ROUTE_NONCE)
		r = put_nonce(effect, request->json);
	return r;
}

static bool is_journalled(const struct effect_scope *scope, enum route route)
{
	struct event_key event = ticket_key(scope->ticket);

	return route_rows[route].repeat != ROUTE_SAFE && (event.scope != 0 || event.number != 0);
}

/* What the places at which one can die are told of it. */
static void note_where(struct effect *effect)
{
#ifdef SHOAL_KILL_POINTS
	const struct culprit_frame *frame = culprit_current();

	snprintf(effect->where, sizeof(effect->where), "%s %s", route_rows[effect->request.route].name,
		 frame ? frame->module->name : "core");
#else
	(void)effect;
#endif
}

static int new_effect(struct effects *effects, struct effect_scope *scope, const struct rest_request *request,
		      struct effect **ret_effect)
{
	struct effect *effect = calloc(1, sizeof(*effect));
	int r = 0;

	if (!effect)
		return -ENOMEM;
	effect->effects = effects;
	effect->request.route = request->route;
	note_where(effect);
	if (route_rows[request->route].repeat == ROUTE_CHECK)
		r = copy_request(request, &effect->request);
	effect->ticket = ticket_hold(scope->ticket);
	if (r == 0 && is_journalled(scope, request->route))
		r = prepare(effect, scope, request);
	if (r < 0) {
		effect_free(effect);
		return r;
	}
	*ret_effect = effect;
	return 0;
}

int effects_send(struct effects *effects, struct effect_scope *scope, const struct rest_request *request, rest_fn fn,
		 void *arg, uint64_t *ret_handle)
{
	struct effect *effect = NULL;
	int r = 0;

	if (effects->closing)
		r = -ESHUTDOWN;
	else if (request->route < 0 || request->route >= ROUTE_COUNT || !fn)
		r = -EINVAL;
	if (r == 0)
		r = new_effect(effects, scope, request, &effect);
	if (r < 0) {
		json_decref(request->json);
		return r;
	}
	effect->fn = fn;
	effect->arg = arg;
	effect->handle = ++effects->next_handle;
	DL_APPEND(effects->open, effect);
	r = effect->journalled ? begin_journalled(effect, request) : transmit(effect, request);
	if (r < 0) {
		DL_DELETE(effects->open, effect);
		effect_free(effect);
		return r;
	}
	if (ret_handle)
		*ret_handle = effect->handle;
	return 0;
}

static void cancel(struct effect *effect)
{
	struct rest_result cancelled = { .error = -ECANCELED,
					 .message = "cancelled",
					 .phrase = discord_error_phrase(0, 0) };

	if (effect->state == DUE)
		tell(effect, &cancelled);
	else
		rest_cancel(effect->effects->rest, effect->rest_handle);
}

int effects_cancel(struct effects *effects, uint64_t handle)
{
	struct effect *effect;

	DL_FOREACH (effects->open, effect) {
		if (effect->handle == handle) {
			cancel(effect);
			return 0;
		}
	}
	return -ENOENT;
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------- */

void effects_handled(void *arg, struct event_key event)
{
	struct effects *effects = arg;

	if (effects->journal)
		journal_handled(effects->journal, event);
}

int effects_export(void *arg, struct event_key event, struct buf *out, bool *ret_doubtful)
{
	struct effects *effects = arg;

	*ret_doubtful = !effects->journal || journal_is_doubtful(effects->journal);
	return effects->journal ? journal_export(effects->journal, event, out) : 0;
}

int effects_import(void *arg, struct event_key event, const char *rows, size_t len, bool same_boot)
{
	struct effects *effects = arg;

	return effects->journal ? journal_import(effects->journal, event, rows, len, same_boot) : -ENOSPC;
}

void effects_trust(struct effects *effects)
{
	if (effects->journal)
		journal_trust(effects->journal);
}

/* Without room for the files nothing is begun that needs them, and the rest goes on. */
static int open_journal(struct effects *effects)
{
	bool told = effects->full_told;
	struct journal_found found;
	int r;

	r = journal_open(&effects->journal_options, &found, &effects->journal);
	if (r == -ENOSPC) {
		if (!told)
			log_error(NULL, "journal.away",
				  KV_MSG("there is no room for the effect journal: messages and whatever must not be "
					 "done twice are refused until there is"),
				  KV_STR("runtime_dir", effects->journal_options.runtime_dir), KV_ERR(r));
		effects->full_told = true;
		return 0;
	}
	if (r < 0)
		return r;
	effects->full_told = false;
	if (found.damaged)
		log_error(
			NULL, "journal.damaged",
			KV_MSG("the effect journal failed its checks and was dropped; what events that were under way "
			       "had done is asked of Discord, or reported as unknown"));
	return 0;
}

static void on_tick(void *arg)
{
	struct effects *effects = arg;
	int r;

	if (!effects->journal) {
		r = open_journal(effects);
		if (r < 0)
			write_failed(effects, r);
		return;
	}
	journal_sweep(effects->journal);
	if (effects->counters)
		board_gauge(effects->counters, BOARD_COUNTER_journal_rows, journal_rows(effects->journal));
}

int effects_new(struct loop *loop, const struct journal_options *options, struct rest *rest, _Atomic uint64_t *counters,
		struct effects **ret_effects)
{
	struct effects *effects = calloc(1, sizeof(*effects));
	int r;

	if (!effects)
		return -ENOMEM;
	effects->rest = rest;
	effects->counters = counters;
	effects->journal_options = *options;
	r = open_journal(effects);
	if (r == 0)
		r = timer_init(&effects->due, loop, on_due, effects);
	if (r < 0) {
		journal_close(effects->journal);
		free(effects);
		return r;
	}
	loop_at_tick(loop, &effects->tick, on_tick, effects);
	*ret_effects = effects;
	return 0;
}

static void on_closed(void *arg)
{
	struct effects *effects = arg;
	loop_fn closed = effects->closed;
	void *closed_arg = effects->closed_arg;

	free(effects);
	if (closed)
		closed(closed_arg);
}

void effects_close(struct effects *effects, loop_fn closed, void *arg)
{
	if (!effects || effects->closing)
		return;
	effects->closing = true;
	effects->closed = closed;
	effects->closed_arg = arg;
	while (effects->open)
		cancel(effects->open);
	loop_remove_hook(&effects->tick);
	effects->journal = journal_close(effects->journal);
	timer_close(&effects->due, on_closed);
}
