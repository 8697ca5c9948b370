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

/* What stands for {name}. Borrowed for the call. */
struct shoal_word {
	const char *name;
	const char *value;
};

#endif
