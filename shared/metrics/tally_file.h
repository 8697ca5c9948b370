/* Rows of counters in a small file: a worker writes it from a slow tick (on tmpfs: no disk is waited for), the
 * supervisor reads it when it is asked for metrics. Written anew and renamed, so a reader finds the old rows or the new
 * ones; what is read may be anything, and is checked before it is believed. */
#ifndef SHOAL_SHARED_METRICS_TALLY_FILE_H
#define SHOAL_SHARED_METRICS_TALLY_FILE_H

#include <stddef.h>
#include <stdint.h>

struct tally_file {
	char magic[8];
	uint32_t version;
	uint32_t row_size; /* bytes; a row has no padding */
	uint32_t rows_max;
};

/* Replaces the file. -ENAMETOOLONG, or what the file system says. */
int tally_file_write(const struct tally_file *kind, const char *path, const void *rows, size_t count);

/* All rows of the file, one malloc() that the caller frees; what stands in them is the caller's to check. Never blocks
 * on what is no regular file. -ENOENT, -SHOAL_EVERSION: another program's, -SHOAL_EDAMAGED, -ENOMEM. */
int tally_file_read(const struct tally_file *kind, const char *path, void **ret_rows, size_t *ret_count);

#endif
