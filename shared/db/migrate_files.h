/* What migrate.c needs of the files beyond the public part in migrate.h. */
#ifndef SHOAL_SHARED_DB_MIGRATE_FILES_H
#define SHOAL_SHARED_DB_MIGRATE_FILES_H

#include "shared/db/migrate.h"

/* The whole file, NUL-terminated; the caller frees. -EFBIG, -EINVAL (a NUL inside), -errno, with words. */
int migrate_read_file(const char *path, char **ret_text, size_t *ret_len, struct migrate_error *error);
int migration_list_add(struct migration_list *list, const struct migration *migration);
void migration_list_sort(struct migration_list *list);

#endif
