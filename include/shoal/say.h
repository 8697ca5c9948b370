/* SPDX-License-Identifier: MIT */
/* Words for people outside of an answer (shoal_reply_phrase() and shoal_refuse() are that): embeds, messages to a
 * channel, names that members chose. */
#ifndef SHOAL_SAY_H
#define SHOAL_SAY_H

#include <shoal/api.h>
#include <shoal/phrase.h>

/* The phrase in @language with its {names} filled in, as a C string in @text; what does not fit is cut between two
 * characters. Returns @text. For an invocation: shoal_invocation_language(). */
static inline const char *shoal_phrase_print(const struct shoal_phrase *phrase, enum shoal_language language,
					     const struct shoal_word *words, size_t word_count, char *text, size_t size)
{
	return shoal_api_table->phrase_print(phrase, language, words, word_count, text, size);
}

/* The language for what all members of a server read: what its admins set (locale.language), else the language that
 * Discord says the server has, as far as they are known at once; else English. */
static inline enum shoal_language shoal_guild_language(struct shoal_scope *scope, uint64_t guild_id)
{
	return shoal_api_table->guild_language(scope, guild_id);
}

/* What a member wrote (a name, a topic, a reason), made fit to stand in a sentence of ours: one line, at most
 * @most_characters of it, no markdown, no mention, nothing that hides or turns text, no towers of accents. An empty
 * rest is "?". Returns @text (@size bytes; four a character and four more are enough). */
static inline const char *shoal_clean(const char *from, size_t most_characters, char *text, size_t size)
{
	return shoal_api_table->clean(from, most_characters, text, size);
}

#endif
