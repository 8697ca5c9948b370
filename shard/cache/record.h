/* A guild as a few bytes, and back. What is written has a version; what is read is checked as if it came from the
 * network. Ids that repeat (a role in an overwrite, a category) are written as indexes. Pure; any thread. */
#ifndef SHOAL_SHARD_CACHE_RECORD_H
#define SHOAL_SHARD_CACHE_RECORD_H

#include <shoal/view.h>

#include "shard/gateway/arena.h"
#include "shared/base/buf.h"

/* A record of another version is as good as none. */
#define RECORD_VERSION 1
/* No guild's record is larger; one that would be is not kept. */
#define RECORD_BYTES_MAX (1u << 20)

/* Appends @guild to @out, all but id, member_count and unavailable, which change often and lie beside it. @scratch: for
 * the indexes. -ENOBUFS: larger than @out takes, or @scratch full. -ENOMEM. @out is as before on failure. */
int record_encode(const struct shoal_guild_view *guild, struct arena *scratch, struct buf *out);

/* Reads @len bytes into a new view in @arena, which points into @bytes. Its id is @guild_id. -EBADMSG: no record of
 * this version, or a damaged one; -ENOBUFS: @arena is full. @ret_guild is untouched on failure. */
int record_decode(const void *bytes, size_t len, uint64_t guild_id, struct arena *arena,
		  struct shoal_guild_view **ret_guild);

#endif
