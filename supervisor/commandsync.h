/* Registers the application's commands with Discord, everywhere or in single servers, one scope after the other, and
 * each only when it differs: GET, normalise, compare, PUT. Loop thread only. Source: discord-facts.md section 15. */
#ifndef SHOAL_SUPERVISOR_COMMANDSYNC_H
#define SHOAL_SUPERVISOR_COMMANDSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/base/buf.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"

enum commandsync_state {
	COMMANDSYNC_OFF,       /* commands.sync is off */
	COMMANDSYNC_ASKING,    /* GET is on its way, or waits for another try */
	COMMANDSYNC_WRITING,   /* they differ: PUT likewise */
	COMMANDSYNC_UNCHANGED, /* Discord had them already */
	COMMANDSYNC_WRITTEN,
	COMMANDSYNC_REFUSED, /* Discord refused what we sent: trying again changes nothing */
	COMMANDSYNC_STATE_COUNT,
};
const char *commandsync_state_name(enum commandsync_state state);

struct commandsync;

/* One list of commands at Discord. */
struct commandsync_scope {
	uint64_t guild_id; /* 0: everywhere */
	json_t *commands;  /* borrowed by commandsync_new(), which keeps a reference */
};

/* A scope came to its end. */
typedef void (*commandsync_fn)(void *arg, uint64_t guild_id, enum commandsync_state state);

/* Starts at once; logs the outcome of each scope in one line and calls @fn (may be NULL). A scope that Discord refuses
 * does not hold up the next. -ENOMEM, -EINVAL (none). */
int commandsync_new(struct loop *loop, struct rest *rest, uint64_t application_id,
		    const struct commandsync_scope *scopes, size_t scope_count, commandsync_fn fn, void *arg,
		    struct commandsync **ret_sync);
/* Of the scope at work; when all are through, the worst: refused before written before unchanged. */
enum commandsync_state commandsync_state(const struct commandsync *sync);
/* Before rest_close(). NULL is nothing to do. */
void commandsync_close(struct commandsync *sync);

/* --- the comparison, pure -------------------------------------------------------------------------------------------
 */

/* What of @command (ours, or as Discord gives it back) tells one from another: server-made fields and values that mean
 * the same as their absence are left out. New reference; NULL: no memory, or not an object with a name. */
json_t *commandsync_normalise(const json_t *command);

struct commandsync_difference {
	unsigned added, removed, changed;
	struct buf names; /* "+ping ~help -old", cut when long; the caller finishes it */
};
/* Compares two arrays of commands by {type, name}. Their order means nothing, that of options does. Entry point
 * commands that only Discord knows are kept, not removed. -EBADMSG: @theirs is no array of commands; -ENOMEM. */
int commandsync_compare(const json_t *ours, const json_t *theirs, struct commandsync_difference *ret_difference);

/* The array to PUT: ours, and the entry point commands that Discord has (a bulk overwrite without them is refused). New
 * reference. */
json_t *commandsync_body(const json_t *ours, const json_t *theirs);

#endif
