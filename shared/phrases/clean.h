/* The function behind shoal_clean() (<shoal/say.h>). Pure; any thread. */
#ifndef SHOAL_SHARED_PHRASES_CLEAN_H
#define SHOAL_SHARED_PHRASES_CLEAN_H

#include <stddef.h>

/* @from (NULL: nothing) as one line of at most @most_characters in @text, harmless between our own words. Returns
 * @text. */
const char *phrases_clean(const char *from, size_t most_characters, char *text, size_t size);

#endif
