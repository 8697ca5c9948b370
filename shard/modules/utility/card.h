/* An answer as one embed, put together line by line. Texts are kept in the card, so that what is printed into it may be
 * on the stack of whoever prints. Pure. */
#ifndef SHOAL_MODULES_UTILITY_CARD_H
#define SHOAL_MODULES_UTILITY_CARD_H

#include <shoal/module.h>

#define CARD_COLOR 0x3b88c3
#define CARD_GOOD  0x3ba55d
#define CARD_BAD   0xed9b40
/* Below Discord's 6000 characters for all texts of an embed, whatever the language. */
#define CARD_TEXT_MAX  5600
#define CARD_VALUE_MAX 1000
#define CARD_LINES_MAX 25

struct card {
	struct shoal_embed_content embed;
	struct shoal_embed_line lines[CARD_LINES_MAX];
	enum shoal_language language;
	size_t used;
	char text[CARD_TEXT_MAX];
};

void card_begin(struct card *card, enum shoal_language language);

/* Prints into the card's memory, at most @most bytes of it, cut between two characters. Lives as long as the card.
 * Never NULL: "" when there is no room left. */
const char *card_print(struct card *card, size_t most, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A phrase, filled in. */
const char *card_phrase(struct card *card, const struct shoal_phrase *phrase, const struct shoal_word *words,
			size_t word_count);
/* A line of the embed; none when its value is empty or there is no room. */
void card_line(struct card *card, const struct shoal_phrase *name, bool beside, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* "3 March 2021 (5 years ago)", in the reader's language and time zone. */
void card_time(struct card *card, const struct shoal_phrase *name, int64_t unix_ms);

/* What is there of @card as @content; borrowed from the card. */
struct shoal_content card_content(struct card *card);
int card_reply(struct shoal_invocation *inv, struct card *card);

/* The text of @str, at most @most characters of it, fit to stand among ours. */
const char *card_clean(struct card *card, struct shoal_str str, size_t most);
const char *card_clean_text(struct card *card, const char *text, size_t most);

#endif
