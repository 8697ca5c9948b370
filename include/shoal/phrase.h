/* SPDX-License-Identifier: MIT */
/* What people are told, in their language. A phrase is one sentence in each of the languages; what differs from time to
 * time stands in it as {name}, so that a translation may put it elsewhere. */
#ifndef SHOAL_PHRASE_H
#define SHOAL_PHRASE_H

#include <stddef.h>
#include <stdint.h>

#include <shoal/str.h>

/* In this order everywhere. */
enum shoal_language {
	SHOAL_ENGLISH,
	SHOAL_GERMAN,
	SHOAL_SPANISH,
	SHOAL_ITALIAN,
	SHOAL_LANGUAGE_COUNT,
};

/* English is always there; a language without its text is given the English one. Static storage. */
struct shoal_phrase {
	const char *text[SHOAL_LANGUAGE_COUNT];
};
#define SHOAL_PHRASE(en_, de_, es_, it_)           \
	{                                          \
		{                                  \
			(en_), (de_), (es_), (it_) \
		}                                  \
	}

/* For names and descriptions of commands: the address of a phrase without its English. At file scope. */
#define SHOAL_LOCAL(de_, es_, it_) (&(const struct shoal_phrase)SHOAL_PHRASE(NULL, de_, es_, it_))

/* A module's catalogue: all its phrases in one list of rows (id, English, German, Spanish, Italian), in its phrases.h:
 *
 *	#define HELLO_PHRASES(P) \
 *		P(GREETING, "Hello, {name}!", "Hallo, {name}!", "¡Hola, {name}!", "Ciao, {name}!") \
 *		P(NOBODY, "There is nobody.", "Es ist niemand da.", "No hay nadie.", "Non c'è nessuno.")
 *	SHOAL_PHRASES_DECLARE(hello_phrases, HELLO_PHRASES);
 *
 * its phrases.c has SHOAL_PHRASES_DEFINE(hello_phrases, HELLO_PHRASES); and &hello_phrases.GREETING is one of them. A
 * language that is not spoken has NULL. SHOAL_PHRASES(hello_phrases) in the descriptor (<shoal/module.h>) has them
 * checked when the module is loaded: the same {names} in every language, nothing that is no UTF-8. */
#define SHOAL_PHRASE_MEMBER_(id, en_, de_, es_, it_) struct shoal_phrase id;
#define SHOAL_PHRASE_ROW_(id, en_, de_, es_, it_)    .id = SHOAL_PHRASE(en_, de_, es_, it_),
#define SHOAL_PHRASES_DECLARE(name, rows)  \
	struct name {                      \
		rows(SHOAL_PHRASE_MEMBER_) \
	};                                 \
	extern const struct name name
#define SHOAL_PHRASES_DEFINE(name, rows) const struct name name = { rows(SHOAL_PHRASE_ROW_) }

/* What stands for {name}. Borrowed for the call. */
struct shoal_word {
	const char *name;
	const char *value;
};

#endif
