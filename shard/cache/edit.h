/* Changes to a guild's view, as Discord's events tell of them: parts in, lists of the view replaced by new ones in an
 * arena. Pure; any thread. -ENOBUFS: the arena is full, and the view must not be used any more. */
#ifndef SHOAL_SHARD_CACHE_EDIT_H
#define SHOAL_SHARD_CACHE_EDIT_H

#include <shoal/view.h>

#include "shard/cache/parts.h"
#include "shard/gateway/arena.h"

/* What @part tells; what it leaves out stays as it was (a GUILD_UPDATE has no channels). Members are not looked at.
 * Borrows @part's texts. */
int edit_guild(struct shoal_guild_view *guild, const struct part_guild *part, struct arena *arena);
/* The bot's own member. */
int edit_own(struct shoal_guild_view *guild, const struct part_member *part, struct arena *arena);

int edit_put_role(struct shoal_guild_view *guild, const struct part_role *part, struct arena *arena);
/* Also from overwrites and from the bot: no event tells of these. */
int edit_remove_role(struct shoal_guild_view *guild, uint64_t role_id, struct arena *arena);

/* Overwrites may name roles that are gone, or that are yet to come: they are kept. */
int edit_put_channel(struct shoal_guild_view *guild, const struct part_channel *part, struct arena *arena);
/* And its threads; channels of a category stay. */
int edit_remove_channel(struct shoal_guild_view *guild, uint64_t channel_id, struct arena *arena);

/* One that is archived goes. */
int edit_put_thread(struct shoal_guild_view *guild, const struct part_channel *part, struct arena *arena);
int edit_remove_thread(struct shoal_guild_view *guild, uint64_t thread_id, struct arena *arena);
/* Whether the bot is in it; nothing when it is not known. */
int edit_join_thread(struct shoal_guild_view *guild, uint64_t thread_id, bool joined, struct arena *arena);
/* The threads of the channels that the list names, or of all, are those in the list. */
int edit_sync_threads(struct shoal_guild_view *guild, const struct part_thread_list *list, struct arena *arena);

#endif
