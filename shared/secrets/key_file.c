/* Reading and replacing the file of keys. Must not leave its text behind in memory, nor a half-written file. */
#include "shared/secrets/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

#define CREDENTIAL "secrets-keys"

void key_file_wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void key_file_path(const char *key_file, char *path, size_t size)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;

	path[0] = '\0';
	if (key_file[0])
		snprintf(path, size, "%s", key_file);
	/* One of a lone line end is the unit's default for a credential that the host does not have. */
	else if (directory && (size_t)snprintf(path, size, "%s/" CREDENTIAL, directory) < size &&
		 (stat(path, &st) < 0 || st.st_size <= 1))
		path[0] = '\0';
}

static int complain(const char *path, int error, const char *what, char problem[KEY_FILE_PROBLEM_SIZE])
{
	snprintf(problem, KEY_FILE_PROBLEM_SIZE, "%.200s: %.100s", path, what ? what : error_text(error));
	return error;
}

int key_file_read(const char *key_file, char **ret_text, char problem[KEY_FILE_PROBLEM_SIZE])
{
	CLEANUP(cleanup_close) int fd = -1;
	CLEANUP(key_file_wipe) char *text = NULL;
	char path[PATH_MAX];
	struct stat st;
	ssize_t len;

	problem[0] = '\0';
	*ret_text = NULL;
	key_file_path(key_file, path, sizeof(path));
	if (!path[0])
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return complain(path, -errno, NULL, problem);
	if (!S_ISREG(st.st_mode))
		return complain(path, -EINVAL, "is no plain file", problem);
	text = calloc(1, KEY_FILE_MAX + 2);
	if (!text)
		return -ENOMEM;
	len = read(fd, text, KEY_FILE_MAX + 1);
	if (len < 0)
		return complain(path, -errno, NULL, problem);
	if (len > KEY_FILE_MAX)
		return complain(path, -EFBIG, "is too large for a file of keys", problem);
	if (strlen(text) != (size_t)len)
		return complain(path, -EINVAL, "is no text file", problem);
	if (st.st_mode & 077)
		complain(path, 0, "others may read this file of keys: chmod 600 it", problem);
	*ret_text = TAKE(text);
	return 0;
}

static int sync_folder(const char *path)
{
	CLEANUP(cleanup_close) int fd = -1;
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The owner of the file that it replaces stays its owner: shoald reads it as its own user. */
static int write_beside(const char *path, const char *beside, const char *text)
{
	CLEANUP(cleanup_close) int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (stat(path, &st) == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		return -errno;
	return write_all(fd, text, strlen(text));
}

int key_file_write(const char *path, const char *text, char problem[KEY_FILE_PROBLEM_SIZE])
{
	char beside[PATH_MAX];
	int r;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return complain(path, -ENAMETOOLONG, NULL, problem);
	unlink(beside); /* of a try that was killed */
	r = write_beside(path, beside, text);
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(path);
	if (r < 0) {
		unlink(beside);
		return complain(path, r, NULL, problem);
	}
	return 0;
}
