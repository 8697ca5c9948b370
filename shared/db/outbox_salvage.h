/* What can still be read out of a damaged outbox file: its records, found by their own marks and checksums, whatever
 * the tree around them says. Blocking; any thread. */
#ifndef SHOAL_SHARED_DB_OUTBOX_SALVAGE_H
#define SHOAL_SHARED_DB_OUTBOX_SALVAGE_H

#include "shared/db/outbox_file.h"

/* Adds what is found in the file @path to the lists, in order of seq, each write once. A write that was taken out of
 * the outbox a while ago may turn up again: its identity tells the database that it is there already. -ENOMEM, -errno.
 */
int outbox_salvage(const char *path, struct outbox_list *waiting, struct outbox_list *dead);

#endif
