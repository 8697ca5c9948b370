/* Reads an ini file line by line: whole lines however long, with their numbers, the first error in words. */
#ifndef SHOAL_SHARED_CONFIG_CONFIG_FILE_H
#define SHOAL_SHARED_CONFIG_CONFIG_FILE_H

#include <stddef.h>
#include <stdio.h>

#define CONFIG_LINE_MAX 16384
#define CONFIG_FILE_MAX (1024 * 1024)
/* What is wrong, behind "file:line: ". */
#define CONFIG_FILE_ERROR_SIZE 320

/* One "key = value" of a section ("" before the first). Returns 0, or negative with @error filled: reading ends there.
 */
typedef int (*config_file_fn)(void *arg, const char *section, const char *key, const char *value, int line,
			      char error[CONFIG_FILE_ERROR_SIZE]);

/* -EINVAL (or what @fn returned) with *ret_line and @error filled (line 0: the file as a whole). Does not close @file.
 */
int config_file_read(FILE *file, config_file_fn fn, void *arg, int *ret_line, char error[CONFIG_FILE_ERROR_SIZE]);

#endif
