/* The end of a poll: by the scheduler when its time has come, or by a command before. Whose write it was that ended it
 * stands in its row, so only that one announces it, however often either is begun again. */
#include "shard/modules/utility/poll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/phrases.h"

/* Votes that wait on this machine's disk are waited for, but not for ever: they may be of another server's. */
#define RETRY_MS        10000
#define PATIENCE_MS     (10 * 60 * 1000)
#define UNKNOWN_CHANNEL 10003
#define UNKNOWN_MESSAGE 10008

struct ending {
	struct shoal_scope *scope;
	uint64_t guild_id, poll_id, by;
	poll_fn fn;
	void *arg;
};

static void finish(struct ending *ending, int error, struct poll *poll)
{
	if (ending->fn)
		ending->fn(ending->arg, error, poll);
	shoal_free(ending);
}

/* Effects of a poll's end are no longer @ending's: a message that is gone is no fault of ours. */
static void on_effect(void *arg, const struct shoal_result *result)
{
	struct shoal_scope *module = arg;

	if (result->error && result->error != -ECANCELED && result->discord_code != UNKNOWN_CHANNEL &&
	    result->discord_code != UNKNOWN_MESSAGE)
		shoal_log(module, SHOAL_LOG_WARN, "utility.poll_end_untold", "%s", result->message);
}

static void announce(struct shoal_scope *scope, const struct poll *poll)
{
	enum shoal_language language = shoal_guild_language(scope, poll->guild_id);
	struct shoal_scope *module = shoal_scope_of_module(scope);
	struct poll_message *message = shoal_alloc(scope, sizeof(*message));
	char winners[1500], text[2000];
	const struct shoal_word words[] = { { "question", poll->question }, { "result", winners } };

	if (!message) {
		shoal_log(scope, SHOAL_LOG_ERROR, "utility.no_memory", "a poll's end could not be announced");
		return;
	}
	poll_winners(poll, language, winners, sizeof(winners));
	shoal_phrase_print(PHRASE(POLL_RESULT), language, words, 2, text, sizeof(text));
	/* The announcement first: it has a number among the effects, the edit needs none. */
	if (shoal_message_send(scope,
			       &(struct shoal_message_send){ .channel_id = poll->channel_id,
							     .reply_to = poll->message_id,
							     .content = { .text = text } },
			       on_effect, module) < 0)
		shoal_log(scope, SHOAL_LOG_WARN, "utility.poll_end_untold", "it could not be sent");
	poll_show(message, poll, language);
	if (poll->message_id)
		shoal_message_edit(scope,
				   &(struct shoal_message_edit){ .channel_id = poll->channel_id,
								 .message_id = poll->message_id,
								 .content = message->content },
				   on_effect, module);
	shoal_free(message);
}

static void on_counted(void *arg, int error, struct poll *poll)
{
	struct ending *ending = arg;

	if (error == 0 && poll && poll->ended_ms && poll->ended_by == ending->by)
		announce(ending->scope, poll);
	finish(ending, error, poll);
}

static void on_stored(void *arg, const struct shoal_written *written)
{
	struct ending *ending = arg;

	if (written->error == 0 && !written->kept)
		poll_find(ending->scope, ending->guild_id, ending->poll_id, 0, 0, on_counted, ending);
	else
		finish(ending, written->error ? written->error : -SHOAL_EOFFLINE, NULL);
}

int poll_finish(struct shoal_scope *scope, uint64_t guild_id, uint64_t poll_id, int64_t at_ms, uint64_t by, poll_fn fn,
		void *arg)
{
	struct ending *ending = shoal_alloc(scope, sizeof(*ending));
	int r;

	if (!ending)
		return -ENOMEM;
	*ending = (struct ending){
		.scope = scope, .guild_id = guild_id, .poll_id = poll_id, .by = by, .fn = fn, .arg = arg
	};
	r = poll_store_end(scope, guild_id, poll_id, at_ms, by, on_stored, ending);
	if (r < 0)
		shoal_free(ending);
	return r;
}

/* --- by the scheduler ------------------------------------------------------------------------------------------------
 */

static void later(struct shoal_scope *scope)
{
	int r = shoal_job_again(scope, shoal_now_ms() + RETRY_MS);

	if (r < 0 && r != -ECANCELED)
		shoal_log(scope, SHOAL_LOG_ERROR, "utility.poll_end_lost", "a poll's end could not be put off: %s",
			  shoal_error_text(r));
}

static void on_finished(void *arg, int error, struct poll *poll)
{
	struct shoal_scope *scope = arg;

	(void)poll;
	if (error < 0 && error != -ECANCELED)
		later(scope); /* the database is away: the count must wait for it */
}

void poll_end_due(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct shoal_status status;
	int r;

	shoal_status_get(scope, &status);
	if (status.database == SHOAL_PART_AWAY ||
	    (status.writes_waiting > 0 && shoal_now_ms() < run->due_ms + PATIENCE_MS)) {
		later(scope);
		return;
	}
	r = poll_finish(scope, run->guild_id, run->tag, run->due_ms, run->id, on_finished, scope);
	if (r < 0 && r != -ECANCELED)
		later(scope);
}
