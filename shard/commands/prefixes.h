/* The prefix of message commands, per guild: cached from PostgreSQL, the default where none is stored or none can be
 * read. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_PREFIXES_H
#define SHOAL_SHARD_COMMANDS_PREFIXES_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/db/db.h"

/* Bytes; 8 characters of a member's choice. */
#define PREFIX_SIZE           33
#define PREFIX_CHARACTERS_MAX 8
#define PREFIXES_SETTING      "commands.prefix"
#define PREFIXES_MAX          16384 /* cached guilds; beyond, any is forgotten */
#define PREFIXES_RETRY_S      30    /* how long the default stands in when the database could not be asked */

struct prefixes;

/* Keeps @db (may be NULL: always the default); copies @fallback. */
int prefixes_new(struct db *db, const char *fallback, struct prefixes **ret_prefixes);
/* After db_close(), so that no answer is still to come. */
struct prefixes *prefixes_free(struct prefixes *prefixes);

/* The prefix, or NULL when it must be loaded first. Borrowed until the loop turns. @guild_id 0: direct messages. */
const char *prefixes_peek(struct prefixes *prefixes, uint64_t guild_id);

/* Exactly once, on the loop, maybe from within: @prefix is the guild's, or the default when it could not be read. */
typedef void (*prefixes_fn)(void *arg, const char *prefix);
/* -ENOMEM: @fn not called. */
int prefixes_load(struct prefixes *prefixes, uint64_t guild_id, prefixes_fn fn, void *arg);

/* False while the default stands in for what the database would say. After prefixes_peek() or prefixes_load(). */
bool prefixes_is_sure(const struct prefixes *prefixes, uint64_t guild_id);

/* 0 or an error as of guild_setting_fn. */
typedef void (*prefixes_stored_fn)(void *arg, int error);
/* Stores @prefix ("" = back to the default) as @user_id's change. Errors as db_query(): @fn not called. */
int prefixes_store(struct prefixes *prefixes, uint64_t guild_id, const char *prefix, uint64_t user_id,
		   prefixes_stored_fn fn, void *arg);

/* NULL when @prefix may be one, else a sentence for the member why not. */
const char *prefixes_check(const char *prefix);
const char *prefixes_fallback(const struct prefixes *prefixes);

/* @prefix with @word behind it as code for people: fenced by one backtick more than it holds in a row. */
#define PREFIXES_SHOWN_SIZE 128
const char *prefixes_shown(const char *prefix, const char *word, char text[PREFIXES_SHOWN_SIZE]);

#endif
