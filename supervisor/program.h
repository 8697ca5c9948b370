/* A program run for what it prints on stdout: `shoal-shard --manifest`, `shoald --check-json`. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_PROGRAM_H
#define SHOAL_SUPERVISOR_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "shared/loop/loop.h"

struct program_spec {
	const char *path;
	char *const *argv, *const *envp; /* NULL-terminated */
	uint64_t deadline_ms;
	size_t output_max;
};

struct program_run;

/* Exactly once unless closed before. @error: 0, -ETIMEDOUT, -EFBIG, -errno of reading. @status in the form of
 * waitpid().
 * @out is borrowed. */
typedef void (*program_fn)(void *arg, int error, int status, const char *out, size_t len);

/* -errno: it could not be started, @fn is not called. @spec is borrowed for the call. */
int program_run(struct loop *loop, const struct program_spec *spec, program_fn fn, void *arg,
		struct program_run **ret_run);
/* Kills the program if it runs; @fn is not called any more. NULL is nothing to do. To be called also after @fn was. */
void program_close(struct program_run *run);

#endif
