/* Embeds line by line. Must not print what a member wrote unless it was made harmless (card_clean()). */
#include "shard/modules/utility/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLEAN_SIZE 1201 /* 300 characters */

void card_begin(struct card *card, enum shoal_language language)
{
	card->embed = (struct shoal_embed_content){ .color = CARD_COLOR, .lines = card->lines };
	card->language = language;
	card->used = 0;
	card->text[0] = '\0';
}

/* @len, or less where a character would be cut in two. */
static size_t whole(const char *text, size_t len)
{
	size_t start = len, need;
	unsigned char lead;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return 0;
	lead = (unsigned char)text[start - 1];
	need = lead < 0x80 ? 1 : (lead & 0xE0) == 0xC0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : 4;
	return start - 1 + need <= len ? len : start - 1;
}

static const char *vprint(struct card *card, size_t most, const char *format, va_list args)
{
	char *text = card->text + card->used;
	size_t room = CARD_TEXT_MAX - card->used, len;
	int written;

	if (room < 2)
		return "";
	written = vsnprintf(text, room, format, args);
	if (written < 0)
		return "";
	len = (size_t)written < room ? (size_t)written : room - 1;
	if ((size_t)written > len || len > most)
		len = whole(text, len > most ? most : len);
	text[len] = '\0';
	card->used += len + 1;
	return text;
}

const char *card_print(struct card *card, size_t most, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = vprint(card, most, format, args);
	va_end(args);
	return text;
}

const char *card_phrase(struct card *card, const struct shoal_phrase *phrase, const struct shoal_word *words,
			size_t word_count)
{
	char text[1024];

	return card_print(card, CARD_VALUE_MAX, "%s",
			  shoal_phrase_print(phrase, card->language, words, word_count, text, sizeof(text)));
}

void card_line(struct card *card, const struct shoal_phrase *name, bool beside, const char *format, ...)
{
	struct shoal_embed_line line = { .beside = beside };
	size_t used = card->used;
	va_list args;

	if (card->embed.line_count == CARD_LINES_MAX)
		return;
	line.name = card_phrase(card, name, NULL, 0);
	va_start(args, format);
	line.value = vprint(card, CARD_VALUE_MAX, format, args);
	va_end(args);
	if (!*line.name || !*line.value) {
		card->used = used;
		return;
	}
	card->lines[card->embed.line_count++] = line;
}

void card_time(struct card *card, const struct shoal_phrase *name, int64_t unix_ms)
{
	long long seconds = (long long)unix_ms / 1000;

	if (unix_ms > 0)
		card_line(card, name, true, "<t:%lld:D>\n<t:%lld:R>", seconds, seconds);
}

struct shoal_content card_content(struct card *card)
{
	return (struct shoal_content){ .embeds = &card->embed, .embed_count = 1 };
}

int card_reply(struct shoal_invocation *inv, struct card *card)
{
	struct shoal_content content = card_content(card);

	return shoal_reply(inv, &content);
}

const char *card_clean_text(struct card *card, const char *text, size_t most)
{
	char clean[CLEAN_SIZE];

	return card_print(card, CARD_VALUE_MAX, "%s", shoal_clean(text, most, clean, sizeof(clean)));
}

const char *card_clean(struct card *card, struct shoal_str str, size_t most)
{
	char text[CLEAN_SIZE];
	size_t len = str.ptr ? str.len : 0;

	if (len >= sizeof(text))
		len = whole(str.ptr, sizeof(text) - 1);
	memcpy(text, str.ptr ? str.ptr : "", len);
	text[len] = '\0';
	return card_clean_text(card, text, most);
}
