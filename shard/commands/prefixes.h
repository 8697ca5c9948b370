/* The prefix of message commands: the setting commands.prefix, and how it is shown. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_PREFIXES_H
#define SHOAL_SHARD_COMMANDS_PREFIXES_H

#include <stdint.h>

#include "shared/settings/schema_core.h"
#include "shared/settings/settings.h"

/* The prefix, or NULL when it must be loaded first. Borrowed until the loop turns. @guild_id 0: direct messages. */
const char *prefixes_peek(struct settings *settings, uint64_t guild_id, uint64_t channel_id);

/* Exactly once, on the loop, maybe from within: @prefix is the place's, or the default when it could not be read. */
typedef void (*prefixes_fn)(void *arg, const char *prefix);
/* -ENOMEM: @fn not called. */
int prefixes_load(struct settings *settings, uint64_t guild_id, uint64_t channel_id, prefixes_fn fn, void *arg);

/* The operator's default. Borrowed for the program's life. */
const char *prefixes_fallback(const struct settings *settings);

/* @prefix with @word behind it as code for people: fenced by one backtick more than it holds in a row. */
#define PREFIXES_SHOWN_SIZE 128
const char *prefixes_shown(const char *prefix, const char *word, char text[PREFIXES_SHOWN_SIZE]);

#endif
