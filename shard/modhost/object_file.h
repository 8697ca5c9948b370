/* Is a file whole? The dynamic loader maps what its headers promise and touches it: of a file that was cut off (a copy
 * that is under way, a full disk) that is a SIGBUS, and no error. Any thread. */
#ifndef SHOAL_SHARD_MODHOST_OBJECT_FILE_H
#define SHOAL_SHARD_MODHOST_OBJECT_FILE_H

#include <stddef.h>

/* 0: a shared object of this machine whose segments lie within it. -ENOEXEC with @error, -errno. */
int object_file_check(const char *path, char *error, size_t size);

#endif
