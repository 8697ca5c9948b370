/* The catalogue of what people are told: languages, the phrases of the core, and how one is filled in. Pure; any
 * thread. Modules bring phrases of their own (include/shoal/phrase.h). */
#ifndef SHOAL_SHARED_PHRASES_PHRASES_H
#define SHOAL_SHARED_PHRASES_PHRASES_H

#include <shoal/phrase.h>

#include "shared/base/buf.h"
#include "shared/phrases/core.h"

/* Of Discord's locale ("de", "es-ES", "es-419", "it", "en-GB" …; Reference, Locales): English for all that are not
 * spoken here. */
enum shoal_language phrases_language(struct shoal_str locale);
/* "en", "de", "es-ES", "it": as Discord names it in localisations. NULL for English, which is everybody's fallback. */
const char *phrases_locale(enum shoal_language language);

const char *phrases_text(const struct shoal_phrase *phrase, enum shoal_language language);
/* What a row of a table says of itself: @local (SHOAL_LOCAL(…), or NULL) in @language, else @english. */
const char *phrases_local(const struct shoal_phrase *local, enum shoal_language language, const char *english);
/* Appends the phrase with its {names} replaced by @words. A name that is not among them stays as it stands. What a
 * value holds is put in as it is: who hands in a member's text has made it harmless. */
void phrases_print(struct buf *out, const struct shoal_phrase *phrase, enum shoal_language language,
		   const struct shoal_word *words, size_t word_count);

/* The same into @text, cut between two characters when it does not fit. Returns @text. */
const char *phrases_print_text(const struct shoal_phrase *phrase, enum shoal_language language,
			       const struct shoal_word *words, size_t word_count, char *text, size_t size);

/* The same {names} in each language that is there, and nothing that is empty or no UTF-8. 0, or -EINVAL and a sentence.
 */
#define PHRASES_ERROR_SIZE 256
int phrases_check(const struct shoal_phrase *phrase, char error[PHRASES_ERROR_SIZE]);

/* A number with one digit behind the comma, or the point where people write one. */
#define PHRASES_DECIMAL_SIZE 32
const char *phrases_decimal(double number, enum shoal_language language, char text[PHRASES_DECIMAL_SIZE]);

/* Seconds as people say them ("4 seconds", "2 Minuten"), rounded up, into @text. */
#define PHRASES_DURATION_SIZE 48
const char *phrases_duration(uint64_t ms, enum shoal_language language, char text[PHRASES_DURATION_SIZE]);

#endif
