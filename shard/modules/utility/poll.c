/* /poll create, end, show. A poll is written before its message is posted, so that no button is there whose poll nobody
 * knows; a step that fails takes back what was done before it. */
#include "shard/modules/utility/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

#define VOTERS_SHOWN 20

void poll_refuse(struct shoal_invocation *inv, int error)
{
	struct shoal_status status;

	shoal_status_get(shoal_invocation_scope(inv), &status);
	if (error == -SHOAL_EOFFLINE || error == -ETIMEDOUT || error == -SHOAL_EUNKNOWN || error == -ENOSPC)
		shoal_refuse(inv,
			     status.database == SHOAL_PART_OFF ? PHRASE(POLL_NO_STORAGE) : PHRASE(POLL_STORAGE_AWAY),
			     NULL, 0);
	else if (error != -ECANCELED)
		shoal_reply_incident(inv, shoal_error_text(error));
}

/* --- create ----------------------------------------------------------------------------------------------------------
 */

struct making {
	struct shoal_invocation *inv;
	struct poll poll;
};

/* Discord has not taken the message, so the poll is not to be: what of it is there goes. Takes @making. */
static void take_back(struct making *making, const struct shoal_result *result)
{
	poll_remove(shoal_invocation_scope(making->inv), &making->poll, NULL, NULL);
	shoal_refuse_result(making->inv, result);
	shoal_free(making);
}

static void on_scheduled(void *arg, const struct shoal_scheduled *result)
{
	struct making *making = arg;

	/* Without a job it still ends at its time: no vote counts after it. Only nobody announces it. */
	if (result->error != -ECANCELED)
		shoal_reply_phrase(making->inv, result->error ? PHRASE(POLL_POSTED_ONLY) : PHRASE(POLL_POSTED), NULL,
				   0);
	shoal_free(making);
}

/* Where the message stands is written before its maker is told: who then ends the poll finds it. */
static void on_message_stored(void *arg, const struct shoal_written *written)
{
	struct making *making = arg;
	const struct shoal_schedule job = { .job = POLL_JOB,
					    .guild_id = making->poll.guild_id,
					    .user_id = making->poll.creator_id,
					    .tag = making->poll.id,
					    .at_ms = making->poll.ends_ms,
					    .payload = &making->poll.id,
					    .payload_len = sizeof(making->poll.id) };
	struct shoal_scheduled none = { 0 };

	if (written->error == -ECANCELED) {
		shoal_free(making);
		return;
	}
	none.error = shoal_schedule(shoal_invocation_scope(making->inv), &job, on_scheduled, making);
	if (none.error < 0)
		on_scheduled(making, &none);
}

static void on_posted(void *arg, const struct shoal_result *result)
{
	struct making *making = arg;
	struct shoal_written none = { 0 };

	if (result->error == -ECANCELED) {
		shoal_free(making);
		return;
	}
	if (result->error) {
		take_back(making, result);
		return;
	}
	making->poll.message_id = result->created_id;
	none.error = poll_store_message(shoal_invocation_scope(making->inv), &making->poll, on_message_stored, making);
	if (none.error < 0)
		on_message_stored(making, &none);
}

static void on_stored(void *arg, const struct shoal_written *written)
{
	struct making *making = arg;
	struct shoal_scope *scope = shoal_invocation_scope(making->inv);
	struct poll_message *message;
	int r = written->error;

	if (r == 0) {
		message = shoal_alloc(scope, sizeof(*message));
		r = message ? 0 : -ENOMEM;
		if (message) {
			poll_show(message, &making->poll, shoal_guild_language(scope, making->poll.guild_id));
			r = shoal_message_send(scope,
					       &(struct shoal_message_send){ .channel_id = making->poll.channel_id,
									     .content = message->content },
					       on_posted, making);
			shoal_free(message);
		}
		if (r == 0)
			return;
		if (r != -ECANCELED) /* nobody will ever see it: it is not to be found, either */
			poll_remove(scope, &making->poll, NULL, NULL);
	}
	poll_refuse(making->inv, r);
	shoal_free(making);
}

/* What the bot needs where the poll is to stand: 0, or the first that it lacks. */
static uint64_t lacking(struct shoal_invocation *inv)
{
	static const uint64_t needed[] = { SHOAL_PERMISSION(VIEW_CHANNEL), SHOAL_PERMISSION(SEND_MESSAGES),
					   SHOAL_PERMISSION(EMBED_LINKS) };
	const struct shoal_guild_view *guild = utility_guild(inv);
	uint64_t bits;
	size_t i;

	if (!guild || !shoal_permissions_of_bot(guild, shoal_self(shoal_invocation_scope(inv)),
						shoal_invocation_channel_id(inv), shoal_now_ms(), &bits))
		return 0;
	for (i = 0; i < SHOAL_COUNT(needed); i++) {
		if (!shoal_permissions_cover(bits, needed[i]))
			return needed[i];
	}
	return 0;
}

/* When it ends, from the command's own time: the same when it is handled again. */
static int read_end(struct shoal_invocation *inv, int64_t *ret_ends_ms)
{
	const char *text = shoal_invocation_string(inv, "ends", NULL);
	int64_t now_ms = (int64_t)shoal_snowflake_ms(shoal_invocation_event_id(inv));
	struct shoal_when when;
	char with_in[128];
	int r;

	if (!text) {
		*ret_ends_ms = now_ms + POLL_DEFAULT_MS;
		return 0;
	}
	r = shoal_when_parse(text, "UTC", now_ms, &when);
	if (r == -EINVAL) { /* "2h" is "in 2h" */
		snprintf(with_in, sizeof(with_in), "in %s", text);
		r = shoal_when_parse(with_in, "UTC", now_ms, &when);
	}
	if (r < 0)
		return r;
	if (when.at_ms < now_ms + POLL_SHORTEST_MS || when.at_ms > now_ms + POLL_LONGEST_MS)
		return -ERANGE;
	*ret_ends_ms = when.at_ms;
	return 0;
}

static const struct shoal_phrase *answers_fault(int error)
{
	return error == -EEXIST  ? PHRASE(POLL_SAME_ANSWERS)
	       : error == -E2BIG ? PHRASE(POLL_LONG_ANSWER)
				 : PHRASE(POLL_FEW_ANSWERS);
}

/* What was asked, into @poll; true, or the member is told. */
static bool read_wish(struct shoal_invocation *inv, struct poll *poll)
{
	uint64_t missing = lacking(inv);
	struct shoal_word words[] = { { "permission", shoal_permission_words(missing, LANGUAGE(inv)) } };
	int r;

	if (missing) {
		shoal_refuse(inv, PHRASE(POLL_BARRED), words, 1);
		return false;
	}
	r = poll_split(poll, shoal_invocation_string(inv, "answers", ""));
	if (r < 0) {
		shoal_refuse(inv, answers_fault(r), NULL, 0);
		return false;
	}
	if (read_end(inv, &poll->ends_ms) < 0) {
		shoal_refuse(inv, PHRASE(POLL_BAD_END), NULL, 0);
		return false;
	}
	shoal_clean(shoal_invocation_string(inv, "question", ""), POLL_QUESTION_MOST, poll->question,
		    sizeof(poll->question));
	poll->guild_id = shoal_invocation_guild_id(inv);
	poll->id = shoal_invocation_event_id(inv);
	poll->channel_id = shoal_invocation_channel_id(inv);
	poll->creator_id = shoal_invocation_user_id(inv);
	poll->several = shoal_invocation_boolean(inv, "several", false);
	poll->anonymous = shoal_invocation_boolean(inv, "anonymous", false);
	return true;
}

static void create(struct shoal_invocation *inv)
{
	struct making *making = shoal_alloc(shoal_invocation_scope(inv), sizeof(*making));
	int r;

	if (!making) {
		shoal_reply_incident(inv, "no memory for a poll");
		return;
	}
	making->inv = inv;
	if (!read_wish(inv, &making->poll)) {
		shoal_free(making);
		return;
	}
	r = poll_store(shoal_invocation_scope(inv), &making->poll, on_stored, making);
	if (r < 0) {
		poll_refuse(inv, r);
		shoal_free(making);
	}
}

/* --- which one -------------------------------------------------------------------------------------------------------
 */

/* A message's link, its id, the poll's id: the last number in it. 0: none was given; false: there is no number in it.
 */
static bool read_ref(struct shoal_invocation *inv, uint64_t *ret_ref)
{
	const char *text = shoal_invocation_string(inv, "poll", ""), *end = text + strlen(text), *begin;

	*ret_ref = 0;
	while (end > text && strchr(" />", end[-1]))
		end--;
	begin = end;
	while (begin > text && begin[-1] >= '0' && begin[-1] <= '9')
		begin--;
	if (!*text)
		return true;
	return begin < end && shoal_snowflake_parse(begin, (size_t)(end - begin), ret_ref) == 0 && *ret_ref;
}

static void find(struct shoal_invocation *inv, poll_fn fn)
{
	uint64_t ref;

	if (!read_ref(inv, &ref))
		shoal_refuse(inv, PHRASE(POLL_UNKNOWN), NULL, 0);
	else
		poll_find(shoal_invocation_scope(inv), shoal_invocation_guild_id(inv), ref,
			  shoal_invocation_channel_id(inv), shoal_invocation_user_id(inv), fn, inv);
}

/* What the asker may do where the poll stands; 0: nothing, or it is not known. */
static uint64_t asker_may(struct shoal_invocation *inv, uint64_t channel_id)
{
	const struct shoal_guild_view *guild = utility_guild(inv);
	struct shoal_permissions_member member;
	uint64_t bits = 0;

	if (channel_id == shoal_invocation_channel_id(inv) && shoal_invocation_permissions(inv, &bits))
		return bits;
	if (!guild || !shoal_invocation_member(inv, &member) ||
	    !shoal_permissions_in_channel(guild, &member, channel_id, shoal_now_ms(), &bits))
		return channel_id == shoal_invocation_channel_id(inv) ? SHOAL_PERMISSION(VIEW_CHANNEL) : 0;
	return bits;
}

/* True: @poll is one that the asker can see; else he was told. One whose message is still on its way is there for
 * nobody: ended now, its buttons would come after its result, and stay. */
static bool found(struct shoal_invocation *inv, int error, const struct poll *poll)
{
	if (error == -ECANCELED)
		return false;
	if (error < 0) {
		poll_refuse(inv, error);
		return false;
	}
	if (!poll || !poll->message_id ||
	    !shoal_permissions_cover(asker_may(inv, poll->channel_id), SHOAL_PERMISSION(VIEW_CHANNEL))) {
		shoal_refuse(inv, PHRASE(POLL_UNKNOWN), NULL, 0);
		return false;
	}
	return true;
}

/* --- end -------------------------------------------------------------------------------------------------------------
 */

static void on_finished(void *arg, int error, struct poll *poll)
{
	struct shoal_invocation *inv = arg;

	if (error < 0)
		poll_refuse(inv, error);
	else if (!poll)
		shoal_refuse(inv, PHRASE(POLL_UNKNOWN), NULL, 0);
	else if (poll->ended_by != shoal_invocation_event_id(inv))
		shoal_refuse(inv, PHRASE(POLL_OVER), NULL, 0);
	else
		shoal_reply_phrase(inv, PHRASE(POLL_ENDED_NOW), NULL, 0);
}

static void on_found_to_end(void *arg, int error, struct poll *poll)
{
	struct shoal_invocation *inv = arg;
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	uint64_t event_id = shoal_invocation_event_id(inv);
	int r;

	if (!found(inv, error, poll))
		return;
	if (poll->ended_ms && poll->ended_by != event_id) {
		shoal_refuse(inv, PHRASE(POLL_OVER), NULL, 0);
		return;
	}
	if (poll->creator_id != shoal_invocation_user_id(inv) && shoal_invocation_level(inv) < SHOAL_LEVEL_MODERATOR &&
	    !shoal_permissions_cover(asker_may(inv, poll->channel_id), SHOAL_PERMISSION(MANAGE_MESSAGES))) {
		shoal_refuse(inv, PHRASE(POLL_NOT_YOURS), NULL, 0);
		return;
	}
	r = poll_finish(scope, poll->guild_id, poll->id, (int64_t)shoal_snowflake_ms(event_id), event_id, on_finished,
			inv);
	if (r < 0)
		poll_refuse(inv, r);
	else
		shoal_job_cancel(
			scope, &(struct shoal_job_ref){ .job = POLL_JOB, .guild_id = poll->guild_id, .tag = poll->id },
			NULL, NULL);
}

static void end(struct shoal_invocation *inv)
{
	find(inv, on_found_to_end);
}

/* --- show ------------------------------------------------------------------------------------------------------------
 */

struct showing {
	struct shoal_invocation *inv;
	struct poll poll;
};

static void own_vote(struct card *card, const struct poll *poll)
{
	char text[POLL_ANSWERS_MAX * 3] = "";
	size_t i, len = 0;

	for (i = 0; i < poll->answer_count; i++) {
		if (poll->mine >> i & 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c", len ? ", " : "",
						(char)('A' + i));
	}
	card_line(card, PHRASE(POLL_YOURS), false, "%s", *text ? text : "—");
}

static void voter_lines(struct card *card, const struct poll *poll, const struct shoal_rows *rows)
{
	char text[VOTERS_SHOWN * 24 + 8];
	size_t i, row;

	for (i = 0; i < poll->answer_count; i++) {
		size_t shown = 0, len = 0;
		struct shoal_phrase letter = { { (const char[2]){ (char)('A' + i), '\0' } } };

		text[0] = '\0';
		for (row = 0; row < shoal_rows_count(rows) && shown <= VOTERS_SHOWN; row++) {
			if (!((uint64_t)shoal_rows_int8(rows, row, 1) >> i & 1))
				continue;
			if (shown++ == VOTERS_SHOWN)
				snprintf(text + len, sizeof(text) - len, " …");
			else
				len += (size_t)snprintf(text + len, sizeof(text) - len, "%s<@%llu>", len ? " " : "",
							(unsigned long long)shoal_rows_int8(rows, row, 0));
		}
		card_line(card, &letter, false, "%s", text);
	}
}

static void reply_shown(struct showing *showing, const struct shoal_rows *rows)
{
	struct shoal_scope *scope = shoal_invocation_scope(showing->inv);
	struct poll_message *message = shoal_alloc(scope, sizeof(*message));
	struct shoal_embed_content embeds[2];
	struct shoal_content content;
	struct card card;

	if (!message) {
		shoal_reply_incident(showing->inv, "no memory for a poll's message");
		return;
	}
	poll_show(message, &showing->poll, LANGUAGE(showing->inv));
	card_begin(&card, LANGUAGE(showing->inv));
	card.embed.description = card_print(
		&card, 200, "https://discord.com/channels/%llu/%llu/%llu", (unsigned long long)showing->poll.guild_id,
		(unsigned long long)showing->poll.channel_id, (unsigned long long)showing->poll.message_id);
	own_vote(&card, &showing->poll);
	if (rows)
		voter_lines(&card, &showing->poll, rows);
	embeds[0] = message->embed;
	embeds[1] = card.embed;
	content = (struct shoal_content){ .text = message->content.text, .embeds = embeds, .embed_count = 2 };
	shoal_reply(showing->inv, &content);
	shoal_free(message);
}

static void on_voters(void *arg, int error, const struct shoal_rows *rows)
{
	struct showing *showing = arg;

	if (error < 0)
		poll_refuse(showing->inv, error);
	else
		reply_shown(showing, rows);
	shoal_free(showing);
}

static void on_found_to_show(void *arg, int error, struct poll *poll)
{
	struct shoal_invocation *inv = arg;
	struct showing *showing;
	int r;

	if (!found(inv, error, poll))
		return;
	showing = shoal_alloc(shoal_invocation_scope(inv), sizeof(*showing));
	if (!showing) {
		shoal_reply_incident(inv, "no memory for a poll");
		return;
	}
	showing->inv = inv;
	showing->poll = *poll;
	/* Who voted for what in a secret poll is nobody's to see, its maker's neither. */
	if (poll->anonymous) {
		reply_shown(showing, NULL);
		shoal_free(showing);
		return;
	}
	r = poll_voters(shoal_invocation_scope(inv), poll, on_voters, showing);
	if (r < 0)
		on_voters(showing, r, NULL);
}

static void show(struct shoal_invocation *inv)
{
	find(inv, on_found_to_show);
}

/* --- rows ------------------------------------------------------------------------------------------------------------
 */

static const struct shoal_command_option create_options[] = {
	{ .name = "question",
	  .description = "What you want to know",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = POLL_QUESTION_MOST,
	  .descriptions = SHOAL_LOCAL("Was du wissen willst", "Qué quieres saber", "Che cosa vuoi sapere") },
	{ .name = "answers",
	  .description = "Two to ten, with | between them: Pizza | Pasta | Salad",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 3,
	  .max = 900,
	  .descriptions = SHOAL_LOCAL("Zwei bis zehn, mit | dazwischen: Pizza | Pasta | Salat",
				      "De dos a diez, separadas por |: Pizza | Pasta | Ensalada",
				      "Da due a dieci, separate da |: Pizza | Pasta | Insalata") },
	{ .name = "ends",
	  .description = "When: 90m, 2d, tomorrow 18:00 (UTC); default: in a day",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = 60,
	  .descriptions = SHOAL_LOCAL("Wann: 90m, 2d, morgen 18:00 (UTC); sonst in einem Tag",
				      "Cuándo: 90m, 2d, mañana 18:00 (UTC); por defecto en un día",
				      "Quando: 90m, 2d, domani 18:00 (UTC); predefinito: tra un giorno") },
	{ .name = "several",
	  .description = "Whether one may choose several answers (default: no)",
	  .type = SHOAL_OPTION_BOOLEAN,
	  .descriptions = SHOAL_LOCAL("Ob man mehrere Antworten wählen darf (sonst nein)",
				      "Si se pueden elegir varias respuestas (por defecto: no)",
				      "Se si possono scegliere più risposte (predefinito: no)") },
	{ .name = "anonymous",
	  .description = "Whether nobody sees who voted for what (default: no)",
	  .type = SHOAL_OPTION_BOOLEAN,
	  .descriptions = SHOAL_LOCAL("Ob niemand sieht, wer was gewählt hat (sonst nein)",
				      "Si nadie ve quién votó qué (por defecto: no)",
				      "Se nessuno vede chi ha votato che cosa (predefinito: no)") },
};

static const struct shoal_command_option which_options[] = {
	{ .name = "poll",
	  .description = "Its link or message id (default: the newest in this channel)",
	  .type = SHOAL_OPTION_STRING,
	  .min = 1,
	  .max = 150,
	  .descriptions = SHOAL_LOCAL("Ihr Link oder ihre Nachrichten-ID (sonst die neueste in diesem Kanal)",
				      "Su enlace o id de mensaje (por defecto: la más reciente de este canal)",
				      "Il link o l'id del messaggio (predefinito: il più recente in questo canale)") },
};

static const struct shoal_command children[] = {
	{ .name = "create",
	  .description = "Asks the members of this channel",
	  .descriptions = SHOAL_LOCAL("Fragt die Mitglieder dieses Kanals", "Pregunta a los miembros de este canal",
				      "Chiede ai membri di questo canale"),
	  .permissions = SHOAL_PERMISSION(SEND_MESSAGES),
	  .options = create_options,
	  .option_count = SHOAL_COUNT(create_options),
	  .handle = create },
	{ .name = "end",
	  .description = "Ends a poll before its time",
	  .descriptions = SHOAL_LOCAL("Beendet eine Umfrage vor ihrer Zeit", "Termina una encuesta antes de tiempo",
				      "Chiude un sondaggio prima del tempo"),
	  .options = which_options,
	  .option_count = SHOAL_COUNT(which_options),
	  .handle = end },
	{ .name = "show",
	  .description = "How a poll stands, and what you voted for",
	  .descriptions =
		  SHOAL_LOCAL("Wie eine Umfrage steht, und was du gewählt hast",
			      "Cómo va una encuesta y qué has votado", "Come va un sondaggio e che cosa hai votato"),
	  .options = which_options,
	  .option_count = SHOAL_COUNT(which_options),
	  .handle = show },
};

const struct shoal_command utility_poll = {
	.name = "poll",
	.description = "Polls: ask, end, look",
	.descriptions = SHOAL_LOCAL("Umfragen: fragen, beenden, ansehen", "Encuestas: preguntar, terminar, ver",
				    "Sondaggi: chiedere, chiudere, guardare"),
	.flags = SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_EPHEMERAL,
	.children = children,
	.child_count = SHOAL_COUNT(children),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
};
