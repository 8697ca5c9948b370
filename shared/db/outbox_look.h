/* A look into an outbox's file from outside, whether a worker has it open or not: nothing is changed. For tools. */
#ifndef SHOAL_SHARED_DB_OUTBOX_LOOK_H
#define SHOAL_SHARED_DB_OUTBOX_LOOK_H

#include "shared/db/outbox_file.h"

struct outbox_look {
	struct outbox_list waiting, dead;
	size_t unreadable; /* rows that fail their checks */
	size_t aside;      /* damaged files that are kept beside it */
};

/* Reads the file under @path as it is at this moment; the caller clears the lists, also on failure. -ENOENT: there is
 * none. -SHOAL_EDAMAGED, -EACCES, -errno. */
int outbox_look(const char *path, struct outbox_look *ret_look);
/* "3-of-16". */
bool outbox_look_parse_name(const char *name, uint32_t *ret_shard_id, uint32_t *ret_shard_count);

#endif
