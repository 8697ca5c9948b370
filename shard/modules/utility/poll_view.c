/* How a poll looks. Pure. */
#include "shard/modules/utility/poll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"

#define BUTTONS_A_ROW 5
#define TITLE_UNITS   256 /* of an embed, at most */

/* --- what was typed --------------------------------------------------------------------------------------------------
 */

static size_t characters(const char *text, size_t len)
{
	size_t i, count = 0;

	for (i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xC0) != 0x80;
	return count;
}

/* As Discord counts: what lies beyond 16 bits is two. */
static size_t units(const char *text)
{
	size_t i, count = characters(text, strlen(text));

	for (i = 0; text[i]; i++)
		count += (unsigned char)text[i] >= 0xF0;
	return count;
}

static int add_answer(struct poll *poll, const char *from, size_t len)
{
	char raw[POLL_ANSWER_SIZE];
	size_t i;

	while (len > 0 && strchr(" \t\r", from[0])) {
		from++;
		len--;
	}
	while (len > 0 && strchr(" \t\r", from[len - 1]))
		len--;
	if (len == 0)
		return 0;
	if (characters(from, len) > POLL_ANSWER_MOST || len >= sizeof(raw))
		return -E2BIG;
	if (poll->answer_count == POLL_ANSWERS_MAX)
		return -EINVAL;
	memcpy(raw, from, len);
	raw[len] = '\0';
	shoal_clean(raw, POLL_ANSWER_MOST, poll->answers[poll->answer_count], POLL_ANSWER_SIZE);
	for (i = 0; i < poll->answer_count; i++) {
		if (strcmp(poll->answers[i], poll->answers[poll->answer_count]) == 0)
			return -EEXIST;
	}
	poll->answer_count++;
	return 0;
}

int poll_split(struct poll *poll, const char *text)
{
	const char *separators = strpbrk(text, "|\n") ? "|\n" : strchr(text, ';') ? ";" : ",";
	int r = 0;

	poll->answer_count = 0;
	while (r == 0) {
		size_t len = strcspn(text, separators);

		r = add_answer(poll, text, len);
		if (!text[len])
			break;
		text += len + 1;
	}
	return r < 0 ? r : poll->answer_count < 2 ? -EINVAL : 0;
}

/* --- what is shown ---------------------------------------------------------------------------------------------------
 */

const char *poll_bar(uint64_t part, uint64_t whole, char text[POLL_BAR_SIZE])
{
	uint64_t filled = whole ? (part * POLL_BAR_CELLS * 2 + whole) / (whole * 2) : 0, i;
	char *at = text;

	for (i = 0; i < POLL_BAR_CELLS; i++) {
		memcpy(at, i < filled ? "█" : "░", 3);
		at += 3;
	}
	*at = '\0';
	return text;
}

static bool is_open(const struct poll *poll)
{
	return poll->ended_ms == 0;
}

static void put_lines(struct poll_message *message, const struct poll *poll, enum shoal_language language)
{
	char bar[POLL_BAR_SIZE], seconds[24], line[200];
	const struct shoal_word words[] = { { "time", seconds } };
	size_t i, len = 0;

	for (i = 0; i < poll->answer_count && len < sizeof(message->text); i++)
		len += (size_t)snprintf(
			message->text + len, sizeof(message->text) - len, "**%c.** %s\n`%s` %llu %% · %llu\n",
			(char)('A' + i), poll->answers[i], poll_bar(poll->counts[i], poll->voters, bar),
			poll->voters ? (unsigned long long)((poll->counts[i] * 200 + poll->voters) / (poll->voters * 2))
				     : 0ULL,
			(unsigned long long)poll->counts[i]);
	if (len >= sizeof(message->text))
		return;
	snprintf(seconds, sizeof(seconds), "%lld",
		 (long long)((is_open(poll) ? poll->ends_ms : poll->ended_ms) / 1000));
	snprintf(message->text + len, sizeof(message->text) - len, "\n%s",
		 shoal_phrase_print(is_open(poll) ? PHRASE(POLL_ENDS) : PHRASE(POLL_ENDED_AT), language, words, 1, line,
				    sizeof(line)));
}

static void put_footer(struct poll_message *message, const struct poll *poll, enum shoal_language language)
{
	char votes[64], kind[64], secret[64], count[24];
	const struct shoal_word words[] = { { "count", count } };

	snprintf(count, sizeof(count), "%llu", (unsigned long long)poll->voters);
	shoal_phrase_print(poll->voters == 1 ? PHRASE(POLL_VOTER) : PHRASE(POLL_VOTERS), language, words, 1, votes,
			   sizeof(votes));
	shoal_phrase_print(poll->several ? PHRASE(POLL_SEVERAL) : PHRASE(POLL_ONE), language, NULL, 0, kind,
			   sizeof(kind));
	shoal_phrase_print(poll->anonymous ? PHRASE(POLL_SECRET) : PHRASE(POLL_PUBLIC), language, NULL, 0, secret,
			   sizeof(secret));
	snprintf(message->footer, sizeof(message->footer), "%s · %s · %s", votes, kind, secret);
}

static void put_buttons(struct poll_message *message, const struct poll *poll)
{
	size_t i;

	for (i = 0; i < poll->answer_count; i++) {
		snprintf(message->ids[i], sizeof(message->ids[i]), POLL_PREFIX ":%llu:%zu",
			 (unsigned long long)poll->id, i);
		/* A label has at most 80 characters; the whole answer stands above. */
		snprintf(message->labels[i], sizeof(message->labels[i]), "%c", (char)('A' + i));
		message->buttons[i] = (struct shoal_button){ .style = SHOAL_BUTTON_PRIMARY,
							     .label = message->labels[i],
							     .custom_id = message->ids[i] };
	}
	for (i = 0; i < poll->answer_count; i += BUTTONS_A_ROW) {
		message->rows[i / BUTTONS_A_ROW].buttons = &message->buttons[i];
		message->rows[i / BUTTONS_A_ROW].button_count =
			poll->answer_count - i < BUTTONS_A_ROW ? poll->answer_count - i : BUTTONS_A_ROW;
	}
	message->content.row_count = (poll->answer_count + BUTTONS_A_ROW - 1) / BUTTONS_A_ROW;
}

static void put_menu(struct poll_message *message, const struct poll *poll, enum shoal_language language)
{
	size_t i;

	snprintf(message->ids[0], sizeof(message->ids[0]), POLL_PREFIX ":%llu", (unsigned long long)poll->id);
	shoal_phrase_print(PHRASE(POLL_CHOOSE), language, NULL, 0, message->placeholder, sizeof(message->placeholder));
	for (i = 0; i < poll->answer_count; i++) {
		snprintf(message->labels[i], sizeof(message->labels[i]), "%zu", i);
		message->choices[i] =
			(struct shoal_select_choice){ .label = poll->answers[i], .value = message->labels[i] };
	}
	message->select = (struct shoal_select){ .custom_id = message->ids[0],
						 .placeholder = message->placeholder,
						 .choices = message->choices,
						 .choice_count = poll->answer_count,
						 .least = 0,
						 .most = (uint32_t)poll->answer_count };
	message->rows[0].select = &message->select;
	message->content.row_count = 1;
}

void poll_show(struct poll_message *message, const struct poll *poll, enum shoal_language language)
{
	memset(message, 0, sizeof(*message));
	snprintf(message->title, sizeof(message->title), "📊 %s", poll->question);
	put_lines(message, poll, language);
	put_footer(message, poll, language);
	message->embed = (struct shoal_embed_content){ .description = message->text,
						       .footer = message->footer,
						       .color = is_open(poll) ? CARD_COLOR : 0x747f8d };
	if (units(message->title) <= TITLE_UNITS)
		message->embed.title = message->title;
	else
		message->content.text = message->title;
	message->content.embeds = &message->embed;
	message->content.embed_count = 1;
	message->content.rows = message->rows;
	if (!is_open(poll))
		message->content.clear_rows = true;
	else if (poll->several)
		put_menu(message, poll, language);
	else
		put_buttons(message, poll);
}

const char *poll_winners(const struct poll *poll, enum shoal_language language, char *text, size_t size)
{
	char names[POLL_ANSWERS_MAX * (POLL_ANSWER_SIZE + 8)] = "", count[24];
	const struct shoal_word words[] = { { "answers", names }, { "count", count } };
	uint64_t most = 0;
	size_t i, len = 0, first = 0;

	for (i = 0; i < poll->answer_count; i++)
		most = poll->counts[i] > most ? poll->counts[i] : most;
	if (most == 0)
		return shoal_phrase_print(PHRASE(POLL_NO_VOTES), language, NULL, 0, text, size);
	for (i = 0; i < poll->answer_count; i++) {
		if (poll->counts[i] == most)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s**%s**", first++ ? ", " : "",
						poll->answers[i]);
	}
	snprintf(count, sizeof(count), "%llu", (unsigned long long)most);
	return shoal_phrase_print(first > 1 ? PHRASE(POLL_TIE) : PHRASE(POLL_WINNER), language, words, 2, text, size);
}
