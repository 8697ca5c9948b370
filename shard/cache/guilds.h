/* The guilds of this shard: which there are and which are in an outage. It lies beside the session on tmpfs, because a
 * resumed session gets no GUILD_CREATE again (discord-facts section 7). Loop thread only; one commit a loop turn. */
#ifndef SHOAL_SHARD_CACHE_GUILDS_H
#define SHOAL_SHARD_CACHE_GUILDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guilds;

enum guilds_change {
	GUILDS_NOTHING = 0, /* as it was already */
	GUILDS_AVAILABLE,   /* of READY's list, or back after an outage: no join */
	GUILDS_JOINED,      /* the bot is new there */
	GUILDS_OUTAGE,
	GUILDS_REMOVED, /* the bot was removed: purge */
};

/* Opens the files of @shard_id under @runtime_dir. *ret_fresh: nothing was kept. -errno. */
int guilds_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, bool *ret_fresh,
		struct guilds **ret_guilds);
struct guilds *guilds_close(struct guilds *guilds);

/* A new session: READY's list replaces what was known; each is expected until its GUILD_CREATE or outage came. */
int guilds_ready_begin(struct guilds *guilds);
int guilds_ready_add(struct guilds *guilds, uint64_t guild_id);

/* GUILD_CREATE and GUILD_DELETE. *ret_change says what it meant. -ENOSPC: not kept. */
int guilds_created(struct guilds *guilds, uint64_t guild_id, bool unavailable, enum guilds_change *ret_change);
int guilds_deleted(struct guilds *guilds, uint64_t guild_id, bool unavailable, enum guilds_change *ret_change);

/* All guilds the bot is in; of these in an outage; of these, of READY's list, not heard of yet. */
size_t guilds_count(const struct guilds *guilds);
size_t guilds_unavailable(const struct guilds *guilds);
size_t guilds_expected(const struct guilds *guilds);

/* End of a loop turn: what changed, and in the same transaction that everything before inbox position @applied is in.
 */
int guilds_commit(struct guilds *guilds, uint64_t applied);
/* The position of the last commit; 0 when nothing was kept. */
uint64_t guilds_applied(const struct guilds *guilds);

#endif
