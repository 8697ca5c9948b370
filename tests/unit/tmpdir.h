/* A private directory on tmpfs for one test, removed with all that is in it. */
#ifndef SHOAL_TESTS_UNIT_TMPDIR_H
#define SHOAL_TESTS_UNIT_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TMPDIR_SIZE 64

static inline int tmpdir_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* Ends the program when no directory can be made: no test could say anything then. */
static inline char *tmpdir_make(char path[TMPDIR_SIZE])
{
	snprintf(path, TMPDIR_SIZE, "%s/shoal-unit.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(path)) {
		perror("mkdtemp");
		exit(1);
	}
	return path;
}

static inline void tmpdir_remove(const char *path)
{
	nftw(path, tmpdir_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
