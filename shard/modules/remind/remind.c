/* /remind: says something to a member at a time, in the channel or in a direct message. A reminder is a job ("ring");
 * what it said is kept for a week as another ("kept", which does nothing), so that its buttons can put it off, whatever
 * was restarted meanwhile. Whose a reminder is says the database, never a button. */
#include <shoal/module.h>
#include <shoal/settings.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modules/remind/phrases.h"
#include "shard/modules/remind/zones.h"

#define PER_MEMBER    25   /* in each server, and in direct messages */
#define TEXT_MAX      1000 /* characters */
#define TEXT_BYTES    (4 * TEXT_MAX)
#define LIST_CHARS    60
#define KEEP_MS       (7LL * 86400 * 1000)
#define LATE_S        120
#define ZONE_FALLBACK "UTC"

/* --- what a job carries: "channel language\n" and the text. Channel 0: a direct message --- */

struct memo {
	uint64_t channel_id;
	enum shoal_language language;
	const char *text; /* borrowed, NUL-terminated */
};

static size_t write_memo(const struct memo *memo, char payload[SHOAL_JOB_PAYLOAD_MAX])
{
	int len = snprintf(payload, SHOAL_JOB_PAYLOAD_MAX, "%" PRIu64 " %u\n%s", memo->channel_id,
			   (unsigned)memo->language, memo->text);

	return len < SHOAL_JOB_PAYLOAD_MAX ? (size_t)len : SHOAL_JOB_PAYLOAD_MAX - 1;
}

/* Of an earlier version, or spoilt: what can be read of it. */
static struct memo read_memo(const void *payload, size_t len)
{
	struct memo memo = { .text = "" };
	const char *line = payload ? memchr(payload, '\n', len) : NULL;
	char *end;

	if (!line)
		return memo;
	memo.channel_id = strtoull(payload, &end, 10);
	memo.language = (enum shoal_language)strtoul(end, NULL, 10);
	if ((unsigned)memo.language >= SHOAL_LANGUAGE_COUNT)
		memo.language = SHOAL_ENGLISH;
	memo.text = line + 1;
	return memo;
}

/* --- one command, from its first question to its answer --- */

struct asked {
	struct shoal_invocation *inv; /* held */
	int64_t at_ms;
	char *text; /* of the reminder; ours */
	char zone[SHOAL_ZONE_MAX + 1];
	uint64_t guild_id, tag;
	int64_t minutes;
	bool own_zone;    /* the member said where he is */
	bool zone_counts; /* elsewhere it would be another time */
};

static struct asked *ask(struct shoal_invocation *inv)
{
	struct asked *asked = shoal_alloc(shoal_invocation_scope(inv), sizeof(*asked));

	if (!asked) {
		shoal_reply_incident(inv, "no memory");
		return NULL;
	}
	asked->inv = shoal_invocation_hold(inv);
	asked->guild_id = shoal_invocation_guild_id(inv);
	return asked;
}

static void end(struct asked *asked)
{
	struct shoal_invocation *inv = asked->inv;

	shoal_free(asked->text);
	shoal_free(asked);
	shoal_invocation_release(inv);
}

static void refuse(struct asked *asked, const struct shoal_phrase *phrase)
{
	shoal_refuse(asked->inv, phrase, NULL, 0);
	end(asked);
}

/* -ECANCELED wants no answer: the worker is leaving, and the next one begins the command again. */
static void failed(struct asked *asked, int error)
{
	if (error == -SHOAL_EOFFLINE || error == -ENOSPC)
		shoal_refuse(asked->inv, PHRASE(NOT_NOW), NULL, 0);
	else if (error != -ECANCELED)
		shoal_reply_incident(asked->inv, shoal_error_text(error));
	end(asked);
}

static void stamp(int64_t at_ms, char style, char text[40])
{
	snprintf(text, 40, "<t:%" PRId64 ":%c>", at_ms / 1000, style);
}

/* --- /remind me --- */

static void on_scheduled(void *arg, const struct shoal_scheduled *result)
{
	struct asked *asked = arg;
	char when[40], then[40], text[600], hint[300] = "";
	struct shoal_word words[] = { { "when", when }, { "then", then } };

	if (result->error < 0) {
		failed(asked, result->error);
		return;
	}
	stamp(asked->at_ms, 'F', when);
	stamp(asked->at_ms, 'R', then);
	if (asked->zone_counts && !asked->own_zone)
		shoal_phrase_print(PHRASE(ZONE_READ), shoal_invocation_language(asked->inv),
				   &(struct shoal_word){ "zone", asked->zone }, 1, hint, sizeof(hint));
	shoal_phrase_print(result->kept ? PHRASE(SET_KEPT) : PHRASE(SET), shoal_invocation_language(asked->inv), words,
			   SHOAL_COUNT(words), text, sizeof(text));
	shoal_reply_printf(asked->inv, "%s%s%s", text, *hint ? "\n-# " : "", hint);
	end(asked);
}

static void on_count(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete)
{
	struct asked *asked = arg;
	char payload[SHOAL_JOB_PAYLOAD_MAX];
	struct shoal_scope *scope = shoal_invocation_scope(asked->inv);
	const char *where = shoal_invocation_string(asked->inv, "where", "here");
	struct memo memo = { .channel_id = strcmp(where, "dm") == 0 ? 0 : shoal_invocation_channel_id(asked->inv),
			     .language = shoal_invocation_language(asked->inv),
			     .text = asked->text };
	struct shoal_schedule request = { .job = "ring",
					  .guild_id = asked->guild_id,
					  .user_id = shoal_invocation_user_id(asked->inv),
					  .at_ms = asked->at_ms,
					  .payload = payload };
	int r;

	(void)items;
	(void)complete;
	if (error < 0) {
		failed(asked, error);
		return;
	}
	if (count >= PER_MEMBER) {
		refuse(asked, PHRASE(TOO_MANY));
		return;
	}
	request.payload_len = write_memo(&memo, payload);
	r = shoal_schedule(scope, &request, on_scheduled, asked);
	if (r < 0)
		failed(asked, r);
}

static char *copy_text(struct shoal_scope *scope, const char *text, size_t len)
{
	char *copy = shoal_alloc(scope, len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

/* "tomorrow 9:00" does, "in two hours" does not. */
static bool depends_on_zone(const char *text, int64_t now_ms)
{
	struct shoal_when here, there;

	return shoal_when_parse(text, "UTC", now_ms, &here) < 0 ||
	       shoal_when_parse(text, "+09:30", now_ms, &there) < 0 || here.at_ms != there.at_ms;
}

/* "when" may hold the whole time, or, as words typed without quotes, only its beginning: then it goes on in "text". */
static int read_when(struct asked *asked, int64_t now_ms)
{
	const char *when = shoal_invocation_string(asked->inv, "when", "");
	const char *text = shoal_invocation_string(asked->inv, "text", "");
	struct shoal_scope *scope = shoal_invocation_scope(asked->inv);
	char joined[2 * TEXT_BYTES];
	struct shoal_when found;
	int r;

	snprintf(joined, sizeof(joined), "%s %s", when, text);
	r = shoal_when_parse(joined, asked->zone, now_ms, &found);
	if (r == 0 && found.used < strlen(when)) /* "in 2 hours at the station": what stood there belongs to it */
		r = -EINVAL;
	if (r < 0) {
		/* The text may have looked like a part of the time. */
		int alone = shoal_when_parse(when, asked->zone, now_ms, &found);

		if (alone < 0 || when[found.used])
			return alone == -ERANGE ? -ERANGE : r;
		found.used = strlen(when) + 1;
	}
	asked->at_ms = found.at_ms;
	asked->zone_counts = depends_on_zone(joined, now_ms);
	asked->text = copy_text(scope, joined + found.used, strlen(joined + found.used));
	if (!asked->text)
		return -ENOMEM;
	return *asked->text ? 0 : -ENODATA;
}

static void on_zone(void *arg, const struct shoal_setting_answer *answer)
{
	struct asked *asked = arg;
	struct shoal_job_query query = { .job = "ring",
					 .guild_id = asked->guild_id,
					 .user_id = shoal_invocation_user_id(asked->inv),
					 .limit = PER_MEMBER };
	int r = answer->error;

	if (r < 0) {
		failed(asked, r);
		return;
	}
	snprintf(asked->zone, sizeof(asked->zone), "%s",
		 shoal_zone_known(answer->value->text) ? answer->value->text : ZONE_FALLBACK);
	asked->own_zone = answer->from == SHOAL_FROM_USER;
	/* From the event's time, so that it is the same when it is handled again. */
	r = read_when(asked, shoal_snowflake_ms(shoal_invocation_event_id(asked->inv)));
	if (r == -EINVAL || r == -ERANGE || r == -ENODATA) {
		refuse(asked, r == -EINVAL ? PHRASE(WHEN_UNREAD) : r == -ERANGE ? PHRASE(WHEN_RANGE) : PHRASE(NO_TEXT));
		return;
	}
	if (r == 0)
		r = shoal_job_list(shoal_invocation_scope(asked->inv), &query, on_count, asked);
	if (r < 0)
		failed(asked, r);
}

static void remind_me(struct shoal_invocation *inv)
{
	struct shoal_place place = { .guild_id = shoal_invocation_guild_id(inv),
				     .user_id = shoal_invocation_user_id(inv) };
	struct asked *asked = ask(inv);
	int r;

	if (!asked)
		return;
	r = shoal_setting_get(shoal_invocation_scope(inv), &place, "timezone", on_zone, asked);
	if (r < 0)
		failed(asked, r);
}

/* --- /remind list, cancel --- */

static void on_list(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete)
{
	struct asked *asked = arg;
	char text[2000], line[LIST_CHARS * 4 + 100], what[LIST_CHARS * 4 + 1], when[40];
	const struct shoal_content content = { .text = text, .flags = SHOAL_CONTENT_EPHEMERAL };
	enum shoal_language language = shoal_invocation_language(asked->inv);
	size_t len = 0, i;

	if (error < 0) {
		failed(asked, error);
		return;
	}
	if (count == 0) {
		shoal_reply_phrase(asked->inv, complete ? PHRASE(NONE) : PHRASE(NOT_NOW), NULL, 0);
		end(asked);
		return;
	}
	text[0] = '\0';
	for (i = 0; i < count; i++) {
		struct memo memo = read_memo(items[i].payload, items[i].payload_len);
		int size;

		stamp(items[i].due_ms, 'f', when);
		size = snprintf(line, sizeof(line), "**%zu.** %s %s\n", i + 1, when,
				shoal_clean(memo.text, LIST_CHARS, what, sizeof(what)));
		if (size < 0 || len + (size_t)size + 120 > sizeof(text))
			break;
		memcpy(text + len, line, (size_t)size + 1);
		len += (size_t)size;
	}
	if (!complete)
		shoal_phrase_print(PHRASE(INCOMPLETE), language, NULL, 0, text + len, sizeof(text) - len);
	shoal_reply(asked->inv, &content);
	end(asked);
}

static void list(struct shoal_invocation *inv, shoal_jobs_fn fn)
{
	struct shoal_job_query query = { .job = "ring",
					 .guild_id = shoal_invocation_guild_id(inv),
					 .user_id = shoal_invocation_user_id(inv),
					 .limit = PER_MEMBER };
	struct asked *asked = ask(inv);
	int r;

	if (!asked)
		return;
	r = shoal_job_list(shoal_invocation_scope(inv), &query, fn, asked);
	if (r < 0)
		failed(asked, r);
}

static void remind_list(struct shoal_invocation *inv)
{
	list(inv, on_list);
}

static void on_cancelled(void *arg, const struct shoal_scheduled *result)
{
	struct asked *asked = arg;

	if (result->error == -ENOENT)
		refuse(asked, PHRASE(NO_SUCH));
	else if (result->error < 0)
		failed(asked, result->error);
	else {
		shoal_reply_phrase(asked->inv, PHRASE(CANCELLED), NULL, 0);
		end(asked);
	}
}

static void on_list_to_cancel(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete)
{
	struct asked *asked = arg;
	int64_t number = shoal_invocation_integer(asked->inv, "number", 0);
	struct shoal_job_ref ref = { .job = "ring",
				     .guild_id = asked->guild_id,
				     .user_id = shoal_invocation_user_id(asked->inv) };
	int r;

	if (error < 0) {
		failed(asked, error);
		return;
	}
	if (number < 1 || (size_t)number > count) {
		refuse(asked, complete ? PHRASE(NO_SUCH) : PHRASE(NOT_NOW));
		return;
	}
	ref.id = items[number - 1].id;
	r = shoal_job_cancel(shoal_invocation_scope(asked->inv), &ref, on_cancelled, asked);
	if (r < 0)
		failed(asked, r);
}

static void remind_cancel(struct shoal_invocation *inv)
{
	list(inv, on_list_to_cancel);
}

/* --- /remind timezone --- */

static void on_zone_set(void *arg, const struct shoal_setting_outcome *outcome)
{
	struct asked *asked = arg;
	char clock[16];
	struct shoal_local local;
	struct shoal_word words[] = { { "zone", asked->zone }, { "time", clock } };

	if (outcome->error < 0) {
		failed(asked, outcome->error);
		return;
	}
	if (shoal_zone_local(asked->zone, shoal_now_ms(), &local) < 0)
		local = (struct shoal_local){ 0 };
	snprintf(clock, sizeof(clock), "%02d:%02d", (int)local.hour % 24, (int)local.minute % 60);
	shoal_reply_phrase(asked->inv, PHRASE(ZONE_SET), words, SHOAL_COUNT(words));
	end(asked);
}

static void remind_timezone(struct shoal_invocation *inv)
{
	const char *zone = shoal_invocation_string(inv, "zone", "");
	struct shoal_setting_change change = { .layer = SHOAL_LAYER_USER,
					       .place = { .user_id = shoal_invocation_user_id(inv) },
					       .name = "timezone",
					       .text = zone,
					       .by = shoal_invocation_user_id(inv) };
	struct asked *asked;
	int r;

	if (strlen(zone) > SHOAL_ZONE_MAX || !shoal_zone_known(zone)) {
		shoal_refuse(inv, PHRASE(ZONE_UNKNOWN), NULL, 0);
		return;
	}
	asked = ask(inv);
	if (!asked)
		return;
	snprintf(asked->zone, sizeof(asked->zone), "%s", zone);
	r = shoal_setting_set(shoal_invocation_scope(inv), &change, on_zone_set, asked);
	if (r < 0)
		failed(asked, r);
}

/* --- ringing --- */

struct ringing {
	struct shoal_scope *scope;
	uint64_t user_id;
	bool tried_both;
	char text[TEXT_BYTES + 300];
	char ids[4][SHOAL_CUSTOM_ID_MAX + 1], labels[4][80];
};

static const struct {
	int minutes;
	const struct shoal_phrase *label;
} snoozes[] = { { 10, PHRASE(SNOOZE_10) }, { 60, PHRASE(SNOOZE_60) }, { 24 * 60, PHRASE(SNOOZE_DAY) } };

static void on_rung(void *arg, const struct shoal_result *result);

static int send(struct ringing *ringing, uint64_t channel_id)
{
	struct shoal_button buttons[4];
	struct shoal_action_row row = { .buttons = buttons, .button_count = 4 };
	struct shoal_content content = { .text = ringing->text,
					 .rows = &row,
					 .row_count = 1,
					 .mentions = { .users = &ringing->user_id, .user_count = 1 } };
	struct shoal_message_send message = { .channel_id = channel_id, .content = content };
	struct shoal_dm_send dm = { .user_id = ringing->user_id, .content = content };
	size_t i;

	for (i = 0; i < SHOAL_COUNT(buttons); i++)
		buttons[i] = (struct shoal_button){ .style = SHOAL_BUTTON_SECONDARY,
						    .label = ringing->labels[i],
						    .custom_id = ringing->ids[i] };
	buttons[3].style = SHOAL_BUTTON_SUCCESS;
	return channel_id ? shoal_message_send(ringing->scope, &message, on_rung, ringing)
			  : shoal_dm_send(ringing->scope, &dm, on_rung, ringing);
}

/* A channel that is gone, or closed to us: the member is told directly. The other way round would show others what was
 * meant for one. */
static void on_rung(void *arg, const struct shoal_result *result)
{
	struct ringing *ringing = arg;

	if (result->error == -SHOAL_EDISCORD && !ringing->tried_both) {
		ringing->tried_both = true;
		if (send(ringing, 0) == 0)
			return;
	}
	if (result->error < 0 && result->error != -ECANCELED)
		shoal_log(ringing->scope, SHOAL_LOG_WARN, "remind.not_delivered",
			  "a reminder could not be delivered: %s", result->message);
	shoal_free(ringing);
}

static void compose(struct ringing *ringing, const struct shoal_job_run *run, const struct memo *memo)
{
	char when[40], who[40];
	struct shoal_word words[] = { { "who", who }, { "text", memo->text }, { "when", when } };
	size_t i;

	stamp(run->due_ms, 'R', when);
	snprintf(who, sizeof(who), "<@%" PRIu64 ">", run->user_id);
	shoal_phrase_print(run->late ? PHRASE(RING_LATE) : PHRASE(RING), memo->language, words, SHOAL_COUNT(words),
			   ringing->text, sizeof(ringing->text));
	for (i = 0; i < SHOAL_COUNT(snoozes); i++) {
		snprintf(ringing->ids[i], sizeof(ringing->ids[i]), "remind.snooze:%" PRIu64 ":%" PRIu64 ":%d",
			 run->guild_id, run->id, snoozes[i].minutes);
		shoal_phrase_print(snoozes[i].label, memo->language, NULL, 0, ringing->labels[i],
				   sizeof(ringing->labels[i]));
	}
	snprintf(ringing->ids[3], sizeof(ringing->ids[3]), "remind.done:%" PRIu64 ":%" PRIu64, run->guild_id, run->id);
	shoal_phrase_print(PHRASE(DONE), memo->language, NULL, 0, ringing->labels[3], sizeof(ringing->labels[3]));
}

static void ring(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct memo memo = read_memo(run->payload, run->payload_len);
	struct shoal_schedule keep = { .job = "kept",
				       .guild_id = run->guild_id,
				       .user_id = run->user_id,
				       .tag = run->id,
				       .at_ms = run->due_ms + KEEP_MS,
				       .payload = run->payload,
				       .payload_len = run->payload_len };
	struct ringing *ringing = shoal_alloc(scope, sizeof(*ringing));

	if (!ringing || run->user_id == 0) {
		shoal_log(scope, SHOAL_LOG_ERROR, "remind.no_memory", "a reminder was not delivered");
		shoal_free(ringing);
		return;
	}
	ringing->scope = scope;
	ringing->user_id = run->user_id;
	ringing->tried_both = memo.channel_id == 0;
	compose(ringing, run, &memo);
	if (shoal_schedule(scope, &keep, NULL, NULL) < 0)
		shoal_log(scope, SHOAL_LOG_WARN, "remind.not_kept", "a reminder can't be put off later");
	if (send(ringing, memo.channel_id) < 0) {
		shoal_log(scope, SHOAL_LOG_WARN, "remind.not_sent", "a reminder could not be sent");
		shoal_free(ringing);
	}
}

/* Its week is over. */
static void forget(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	(void)scope;
	(void)run;
}

/* --- its buttons: "guild:reminder[:minutes]", which may be anything --- */

static bool read_button(struct asked *asked, bool with_minutes)
{
	const char *rest = shoal_invocation_custom_rest(asked->inv);
	unsigned long long guild_id, tag;
	long minutes = 1;
	int used = 0;

	if (with_minutes ? sscanf(rest, "%20llu:%20llu:%6ld%n", &guild_id, &tag, &minutes, &used) != 3
			 : sscanf(rest, "%20llu:%20llu%n", &guild_id, &tag, &used) != 2)
		return false;
	if (rest[used] || guild_id > INT64_MAX || tag == 0 || tag > INT64_MAX || minutes < 1 || minutes > 7 * 24 * 60)
		return false;
	asked->guild_id = guild_id;
	asked->tag = tag;
	asked->minutes = minutes;
	return true;
}

static void forget_kept(struct asked *asked)
{
	struct shoal_job_ref ref = { .job = "kept",
				     .guild_id = asked->guild_id,
				     .user_id = shoal_invocation_user_id(asked->inv),
				     .tag = asked->tag };

	shoal_job_cancel(shoal_invocation_scope(asked->inv), &ref, NULL, NULL);
}

static void on_snoozed(void *arg, const struct shoal_scheduled *result)
{
	struct asked *asked = arg;
	char text[200], when[40];
	struct shoal_word words[] = { { "when", when } };
	const struct shoal_content content = { .text = text, .clear_rows = true };

	if (result->error < 0) {
		failed(asked, result->error);
		return;
	}
	stamp(result->due_ms, 'R', when);
	shoal_phrase_print(PHRASE(SNOOZED), shoal_invocation_language(asked->inv), words, SHOAL_COUNT(words), text,
			   sizeof(text));
	forget_kept(asked);
	shoal_update(asked->inv, &content);
	end(asked);
}

static void on_kept(void *arg, int error, const struct shoal_job_item *items, size_t count, bool complete)
{
	struct asked *asked = arg;
	struct shoal_schedule request = { .job = "ring",
					  .guild_id = asked->guild_id,
					  .user_id = shoal_invocation_user_id(asked->inv) };
	size_t i;
	int r;

	if (error < 0) {
		failed(asked, error);
		return;
	}
	for (i = 0; i < count && items[i].tag != asked->tag; i++)
		;
	if (i == count) {
		refuse(asked, complete ? PHRASE(NOT_YOURS) : PHRASE(NOT_NOW));
		return;
	}
	asked->at_ms = shoal_snowflake_ms(shoal_invocation_event_id(asked->inv)) + asked->minutes * 60000;
	request.at_ms = asked->at_ms;
	request.tag = asked->tag; /* however often it is pressed before it goes, there is one new reminder */
	request.payload = items[i].payload;
	request.payload_len = items[i].payload_len;
	r = shoal_schedule(shoal_invocation_scope(asked->inv), &request, on_snoozed, asked);
	if (r < 0)
		failed(asked, r);
}

static void snooze(struct shoal_invocation *inv)
{
	struct shoal_job_query query = { .job = "kept", .user_id = shoal_invocation_user_id(inv) };
	struct asked *asked = ask(inv);
	int r;

	if (!asked)
		return;
	if (!read_button(asked, true)) {
		refuse(asked, PHRASE(NOT_YOURS));
		return;
	}
	query.guild_id = asked->guild_id;
	r = shoal_job_list(shoal_invocation_scope(inv), &query, on_kept, asked);
	if (r < 0)
		failed(asked, r);
}

/* Only who was reminded may have it go: theirs is what is kept. */
static void on_done(void *arg, const struct shoal_scheduled *result)
{
	struct asked *asked = arg;

	if (result->error == -ENOENT) {
		refuse(asked, PHRASE(NOT_YOURS));
		return;
	}
	if (result->error < 0) {
		failed(asked, result->error);
		return;
	}
	shoal_defer(asked->inv, 0);
	shoal_original_delete(asked->inv, NULL, NULL);
	end(asked);
}

static void done(struct shoal_invocation *inv)
{
	struct shoal_job_ref ref = { .job = "kept", .user_id = shoal_invocation_user_id(inv) };
	struct asked *asked = ask(inv);
	int r;

	if (!asked)
		return;
	if (!read_button(asked, false)) {
		refuse(asked, PHRASE(NOT_YOURS));
		return;
	}
	ref.guild_id = asked->guild_id;
	ref.tag = asked->tag;
	r = shoal_job_cancel(shoal_invocation_scope(inv), &ref, on_done, asked);
	if (r < 0)
		failed(asked, r);
}

/* --- rows --- */

static const struct shoal_choice places[] = {
	{ .name = "here", .names = SHOAL_LOCAL("hier", "aquí", "qui") },
	{ .name = "direct message",
	  .text = "dm",
	  .names = SHOAL_LOCAL("Direktnachricht", "mensaje directo", "messaggio diretto") },
};
static const struct shoal_command_option me_options[] = {
	{ .name = "when",
	  .description = "in 2h30m, tomorrow 9:00, monday at 18:30, 2027-03-01 08:00",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = 200,
	  .descriptions = SHOAL_LOCAL("in 2h30m, morgen 9:00, am Montag um 18:30, 1.3.2027",
				      "en 2h30m, mañana a las 9:00, el lunes a las 18:30, 1.3.2027",
				      "tra 2h30m, domani alle 9:00, lunedì alle 18:30, 1.3.2027") },
	{ .name = "text",
	  .description = "What I shall remind you of",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = TEXT_MAX,
	  .descriptions =
		  SHOAL_LOCAL("Woran ich dich erinnern soll", "De qué debo avisarte", "Che cosa devo ricordarti") },
	{ .name = "where",
	  .description = "Here, or in a direct message",
	  .type = SHOAL_OPTION_STRING,
	  .choices = places,
	  .choice_count = SHOAL_COUNT(places),
	  .descriptions = SHOAL_LOCAL("Hier oder als Direktnachricht", "Aquí o por mensaje directo",
				      "Qui o con un messaggio diretto") },
};
static const struct shoal_command_option cancel_options[] = {
	{ .name = "number",
	  .description = "Its number in /remind list",
	  .type = SHOAL_OPTION_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = PER_MEMBER,
	  .descriptions = SHOAL_LOCAL("Ihre Nummer in /remind list", "Su número en /remind list",
				      "Il suo numero in /remind list") },
};
static const struct shoal_command_option zone_options[] = {
	{ .name = "zone",
	  .description = "Europe/Rome, America/New_York, +02:00",
	  .descriptions =
		  SHOAL_LOCAL("Europe/Berlin, America/New_York, +02:00", "Europe/Madrid, America/New_York, +02:00",
			      "Europe/Rome, America/New_York, +02:00"),
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = SHOAL_ZONE_MAX,
	  .suggest = zones_suggest },
};
static const struct shoal_command children[] = {
	{ .name = "me",
	  .description = "Reminds you of something at a time",
	  .options = me_options,
	  .option_count = SHOAL_COUNT(me_options),
	  .descriptions = SHOAL_LOCAL("Erinnert dich zu einer Zeit an etwas", "Te recuerda algo a una hora",
				      "Ti ricorda qualcosa a una certa ora"),
	  .handle = remind_me },
	{ .name = "list",
	  .description = "Your reminders here",
	  .descriptions = SHOAL_LOCAL("Deine Erinnerungen hier", "Tus recordatorios aquí", "I tuoi promemoria qui"),
	  .handle = remind_list },
	{ .name = "cancel",
	  .description = "Takes a reminder back",
	  .options = cancel_options,
	  .option_count = SHOAL_COUNT(cancel_options),
	  .descriptions = SHOAL_LOCAL("Nimmt eine Erinnerung zurück", "Anula un recordatorio", "Annulla un promemoria"),
	  .handle = remind_cancel },
	{ .name = "timezone",
	  .description = "The time zone that your times are in",
	  .options = zone_options,
	  .option_count = SHOAL_COUNT(zone_options),
	  .descriptions = SHOAL_LOCAL("Die Zeitzone, in der du Zeiten angibst", "La zona horaria de tus horas",
				      "Il fuso orario delle tue ore"),
	  .handle = remind_timezone },
};
static const struct shoal_cooldown cooldowns[] = { { SHOAL_COOLDOWN_USER, 5, 20 } };
static const struct shoal_command command = {
	.name = "remind",
	.description = "Reminders",
	.flags = SHOAL_COMMAND_EPHEMERAL,
	.children = children,
	.child_count = SHOAL_COUNT(children),
	.cooldowns = cooldowns,
	.cooldown_count = SHOAL_COUNT(cooldowns),
	.descriptions = SHOAL_LOCAL("Erinnerungen", "Recordatorios", "Promemoria"),
};
static const struct shoal_command *const commands[] = { &command };

static const struct shoal_component_row components[] = {
	{ .prefix = "remind.snooze", .flags = SHOAL_COMPONENT_UPDATES, .handle = snooze },
	{ .prefix = "remind.done", .flags = SHOAL_COMPONENT_UPDATES, .handle = done },
};

static const struct shoal_job jobs[] = {
	{ .name = "ring", .version = 1, .late = SHOAL_JOB_LATE_TELL, .late_after_s = LATE_S, .handle = ring },
	{ .name = "kept", .version = 1, .handle = forget },
};

/* A zone that went away since it was stored is refused here as well, and then the next layer's counts. */
static const struct shoal_phrase *check_zone(const struct shoal_setting_value *value, int64_t *ret_number)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-:/";

	(void)ret_number;
	return strlen(value->text) <= SHOAL_ZONE_MAX && value->text[strspn(value->text, letters)] == '\0' &&
			       *value->text && shoal_zone_known(value->text)
		       ? NULL
		       : PHRASE(ZONE_NONE);
}

static const struct shoal_setting settings[] = {
	{ .name = "timezone",
	  .type = SHOAL_SETTING_TEXT,
	  .layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD | SHOAL_LAYER_USER,
	  .fallback = ZONE_FALLBACK,
	  .description = "the time zone of times that members write: Europe/Rome, +02:00",
	  .descriptions = SHOAL_LOCAL("die Zeitzone der Zeiten, die Mitglieder schreiben: Europe/Berlin, +02:00",
				      "la zona horaria de las horas que escriben los miembros: Europe/Madrid, +02:00",
				      "il fuso orario delle ore che scrivono i membri: Europe/Rome, +02:00"),
	  .check = check_zone },
};

SHOAL_MODULE(remind, .version = "1.0", .description = "Reminders",
	     .descriptions = SHOAL_LOCAL("Erinnerungen", "Recordatorios", "Promemoria"), SHOAL_PHRASES(remind_phrases),
	     SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components), SHOAL_JOBS(jobs), SHOAL_SETTINGS(1, settings));
