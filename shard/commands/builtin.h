/* The commands that every shoal has. */
#ifndef SHOAL_SHARD_COMMANDS_BUILTIN_H
#define SHOAL_SHARD_COMMANDS_BUILTIN_H

#include <stdio.h>

#include <shoal/command.h>
#include <shoal/config.h>
#include <shoal/module.h>

#include "shard/commands/invocation.h"
#include "shared/base/buf.h"
#include "shared/phrases/phrases.h"
#include "shared/settings/settings_write.h"

/* The words of a phrase, for the functions below: WORDS({ "name", value }, …). */
#define WORDS(...)                                    \
	((const struct shoal_word[]){ __VA_ARGS__ }), \
		(sizeof((const struct shoal_word[]){ __VA_ARGS__ }) / sizeof(struct shoal_word))

/* The phrase in the asker's language, behind what is in @out. */
static inline void builtin_put(struct buf *out, const struct shoal_invocation *inv, const struct shoal_phrase *phrase,
			       const struct shoal_word *words, size_t word_count)
{
	phrases_print(out, phrase, inv->language, words, word_count);
}

static inline const char *builtin_text(const struct shoal_invocation *inv, const struct shoal_phrase *phrase)
{
	return phrases_text(phrase, inv->language);
}

/* What a row says of itself, in the asker's language where the row has it. */
static inline const char *builtin_described(const struct shoal_invocation *inv, const struct shoal_phrase *local,
					    const char *english)
{
	return phrases_local(local, inv->language, english);
}

#define NUMBER_SIZE 32
static inline const char *builtin_number(uint64_t number, char text[NUMBER_SIZE])
{
	snprintf(text, NUMBER_SIZE, "%llu", (unsigned long long)number);
	return text;
}

extern const struct shoal_command command_help;        /* builtin_help.c */
extern const struct shoal_command command_permissions; /* builtin_permissions.c */
extern const struct shoal_command command_ping;        /* builtin_ping.c */
extern const struct shoal_command command_privacy;     /* builtin_privacy.c */
extern const struct shoal_command command_settings;    /* builtin_settings.c */
extern const struct shoal_command command_shards;      /* builtin_shards.c */
extern const struct shoal_command command_stats;       /* builtin_stats.c */

/* The button that says yes to /privacy delete; behind it stands whose it is. */
#define PRIVACY_BUTTON     "core.privacy_delete"
#define BUILTIN_COMPONENTS 1
extern const struct shoal_component_row builtin_components[BUILTIN_COMPONENTS];

/* builtin_allowed.c: "a number from 1 to 10": what may be typed for a setting, in the asker's language; cut to @size.
 */
void settings_allowed(const struct shoal_invocation *inv, const struct shoal_setting *row, char *text, size_t size);

void settings_list(struct shoal_invocation *inv); /* builtin_settings_list.c */

/* builtin_settings.c: why the database gave no answer, or took nothing; an incident for what nobody foresaw. */
void builtin_tell_database(struct shoal_invocation *inv, int error);
/* Why a change of a setting failed; true: it did, and the member was told. */
bool builtin_tell_outcome(struct shoal_invocation *inv, const struct settings_outcome *outcome);

#endif
