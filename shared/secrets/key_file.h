/* Where the keys lie: the file secrets.key_file, else the systemd credential secrets-keys. Reads a small file: for the
 * start and for hellos, not for every value. */
#ifndef SHOAL_SHARED_SECRETS_KEY_FILE_H
#define SHOAL_SHARED_SECRETS_KEY_FILE_H

#include <stddef.h>

#define KEY_FILE_MAX          4096
#define KEY_FILE_PROBLEM_SIZE 320

/* The text of the keys, at most KEY_FILE_MAX bytes; free it with key_file_wipe(). *ret_text NULL and 0: there are none
 * configured. Negative with words: the file can't be read, is no plain text, is too large, or others may read it (then
 * it is read all the same, @problem says so, and 0 is returned). @key_file: "" or secrets.key_file. */
int key_file_read(const char *key_file, char **ret_text, char problem[KEY_FILE_PROBLEM_SIZE]);
void key_file_wipe(char **text); /* for CLEANUP(); NULL is nothing to do */

/* The path that would be read, for messages; "" when none is configured. */
void key_file_path(const char *key_file, char *path, size_t size);

/* Replaces the file by @text, durably and mode 0600: a new file beside it, synced, renamed over it. -errno with words.
 */
int key_file_write(const char *path, const char *text, char problem[KEY_FILE_PROBLEM_SIZE]);

#endif
