/* A click on a poll. The id that comes back names a poll and an answer, and may be forged: the write looks whether
 * there is such a poll in this server, open, with that answer. The voter is told alone; the message follows, at most
 * once in a while. */
#include "shard/modules/utility/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

/* Discord takes five edits in five seconds for a channel. */
#define REFRESH_MS  2000
#define REFRESH_MAX 128

/* --- the message follows ---------------------------------------------------------------------------------------------
 */

/* What the module keeps: polls whose message is to be made anew in a moment. */
struct refreshes {
	struct refresh {
		struct shoal_scope *module; /* NULL: free */
		uint64_t guild_id, poll_id;
	} waiting[REFRESH_MAX];
};

int poll_setup(struct shoal_scope *module)
{
	struct refreshes *refreshes = shoal_alloc(module, sizeof(*refreshes));

	if (!refreshes)
		return -ENOMEM;
	shoal_set_data(module, refreshes);
	return 0;
}

void poll_cleanup(struct shoal_scope *module)
{
	shoal_free(shoal_data(module));
	shoal_set_data(module, NULL);
}

static void on_refreshed(void *arg, const struct shoal_result *result)
{
	struct shoal_scope *module = arg;

	if (result->error && result->error != -ECANCELED)
		shoal_log(module, SHOAL_LOG_INFO, "utility.poll_not_refreshed", "%s", result->message);
}

static void on_counted(void *arg, int error, struct poll *poll)
{
	struct shoal_scope *module = arg;
	struct poll_message *message;

	if (error < 0 || !poll || !poll->message_id || poll->ended_ms)
		return; /* the next vote does it, or its end has done it */
	message = shoal_alloc(module, sizeof(*message));
	if (!message)
		return;
	poll_show(message, poll, shoal_guild_language(module, poll->guild_id));
	/* The buttons stay as they are. */
	message->content.row_count = 0;
	shoal_message_edit(module,
			   &(struct shoal_message_edit){ .channel_id = poll->channel_id,
							 .message_id = poll->message_id,
							 .content = message->content },
			   on_refreshed, module);
	shoal_free(message);
}

static void on_time(void *arg, int error)
{
	struct refresh *refresh = arg, was = *refresh;

	refresh->module = NULL;
	if (error == 0)
		poll_find(was.module, was.guild_id, was.poll_id, 0, 0, on_counted, was.module);
}

static void refresh_soon(struct shoal_invocation *inv, uint64_t poll_id)
{
	struct shoal_scope *module = shoal_scope_of_module(shoal_invocation_scope(inv));
	struct refreshes *refreshes = shoal_data(module);
	struct refresh *place = NULL;
	size_t i;

	for (i = 0; i < REFRESH_MAX; i++) {
		if (refreshes->waiting[i].module && refreshes->waiting[i].poll_id == poll_id)
			return;
		if (!refreshes->waiting[i].module)
			place = &refreshes->waiting[i];
	}
	if (!place)
		return; /* as many as there can be: the next vote */
	*place = (struct refresh){ module, shoal_invocation_guild_id(inv), poll_id };
	if (shoal_timer_start(module, REFRESH_MS, on_time, place, NULL) < 0)
		place->module = NULL;
}

/* --- the click -------------------------------------------------------------------------------------------------------
 */

struct click {
	struct shoal_invocation *inv;
	struct poll_vote vote;
};

/* ":<poll>:<answer>" of a button, ":<poll>" of a menu with its values. */
static bool read_click(struct shoal_invocation *inv, struct poll_vote *vote)
{
	const char *rest = shoal_invocation_custom_rest(inv);
	size_t len = strspn(rest, "0123456789"), i;
	const char *answer = rest + len;

	if (len == 0 || shoal_snowflake_parse(rest, len, &vote->poll_id) < 0)
		return false;
	if (*answer == ':') {
		if (answer[1] < '0' || answer[1] > '9' || answer[2])
			return false;
		vote->choices = UINT64_C(1) << (answer[1] - '0');
		vote->toggles = true;
		return true;
	}
	for (i = 0; i < shoal_invocation_value_count(inv); i++) {
		const char *value = shoal_invocation_value(inv, i);

		if (value[0] < '0' || value[0] > '9' || value[1])
			return false;
		vote->choices |= UINT64_C(1) << (value[0] - '0');
	}
	return *answer == '\0';
}

static void name_choices(const struct poll *poll, uint64_t choices, char *text, size_t size)
{
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < poll->answer_count && len < size; i++) {
		if (choices >> i & 1)
			len += (size_t)snprintf(text + len, size - len, "%s**%s**", len ? ", " : "", poll->answers[i]);
	}
}

/* Whether the poll has what the click names: an answer that is none of its own is forged, and nothing was written. */
static bool is_of(const struct poll *poll, uint64_t choices)
{
	return choices >> poll->answer_count == 0 && (poll->several || (choices & (choices - 1)) == 0);
}

static void on_seen(void *arg, int error, struct poll *poll)
{
	struct click *click = arg;
	struct shoal_invocation *inv = click->inv;
	int64_t at_ms = (int64_t)shoal_snowflake_ms(click->vote.event_id);
	char names[1600];
	const struct shoal_word words[] = { { "answers", names } };

	if (error == -SHOAL_EOFFLINE || error == -ETIMEDOUT)
		shoal_reply_phrase(inv, PHRASE(POLL_VOTE_KEPT), NULL, 0); /* it was written, or is kept */
	else if (error < 0)
		poll_refuse(inv, error);
	else if (!poll || !is_of(poll, click->vote.choices))
		shoal_refuse(inv, PHRASE(POLL_UNKNOWN), NULL, 0);
	else if (poll->ended_ms || at_ms >= poll->ends_ms)
		shoal_refuse(inv, PHRASE(POLL_OVER), NULL, 0);
	else {
		name_choices(poll, poll->mine, names, sizeof(names));
		shoal_reply_phrase(inv, poll->mine ? PHRASE(POLL_VOTED) : PHRASE(POLL_VOTE_BACK), words, 1);
		refresh_soon(inv, poll->id);
	}
	shoal_free(click);
}

static void on_stored(void *arg, const struct shoal_written *written)
{
	struct click *click = arg;

	if (written->error == 0 && !written->kept) {
		poll_find(shoal_invocation_scope(click->inv), click->vote.guild_id, click->vote.poll_id, 0,
			  click->vote.user_id, on_seen, click);
		return;
	}
	if (written->error == 0)
		shoal_reply_phrase(click->inv, PHRASE(POLL_VOTE_KEPT), NULL, 0);
	else
		poll_refuse(click->inv, written->error);
	shoal_free(click);
}

void poll_vote_clicked(struct shoal_invocation *inv)
{
	struct click *click = shoal_alloc(shoal_invocation_scope(inv), sizeof(*click));
	int r;

	if (!click) {
		shoal_reply_incident(inv, "no memory for a vote");
		return;
	}
	click->inv = inv;
	click->vote.guild_id = shoal_invocation_guild_id(inv);
	click->vote.user_id = shoal_invocation_user_id(inv);
	click->vote.event_id = shoal_invocation_event_id(inv);
	if (!click->vote.guild_id || !read_click(inv, &click->vote)) {
		shoal_refuse(inv, PHRASE(POLL_UNKNOWN), NULL, 0);
		shoal_free(click);
		return;
	}
	r = poll_store_vote(shoal_invocation_scope(inv), &click->vote, on_stored, click);
	if (r < 0) {
		poll_refuse(inv, r);
		shoal_free(click);
	}
}
