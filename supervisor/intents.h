/* Gateway intents: names, privileged ones, and which of them the application was granted. Pure.
 * Source: discord-facts.md section 5 (intents) and the application's flags. */
#ifndef SHOAL_SUPERVISOR_INTENTS_H
#define SHOAL_SUPERVISOR_INTENTS_H

#include <stddef.h>
#include <stdint.h>

struct intent_row {
	uint32_t bit;
	const char *name;
	uint64_t granted_by;   /* application flags, any of which grants it; 0: not privileged */
	const char *portal;    /* its switch in Discord's developer portal */
	const char *will_miss; /* what does not work without it */
};

extern const struct intent_row intent_rows[];
extern const size_t intent_row_count;

/* "auto" -> -ENODATA (take the manifest's); a decimal number or names joined by commas or blanks -> 0 and the mask.
 * -EINVAL: *ret_bad (may be NULL) points into @text at the word that is no intent. */
int intents_parse(const char *text, uint32_t *ret_intents, const char **ret_bad);

/* The privileged ones among @intents that @application_flags do not grant. */
uint32_t intents_not_granted(uint32_t intents, uint64_t application_flags);

#endif
