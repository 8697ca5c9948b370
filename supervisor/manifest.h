/* What the worker program is: `shoal-shard --manifest` prints one JSON object {intents, events, commands, hash},
 * without secrets or connections. Run once before shards start. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_MANIFEST_H
#define SHOAL_SUPERVISOR_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/loop/loop.h"

#define MANIFEST_SIZE_MAX     (1024 * 1024)
#define MANIFEST_DEADLINE_MS  15000
#define MANIFEST_LEFT_OUT_MAX 16  /* modules; more are an error */
#define MANIFEST_COMMANDS_MAX 131 /* 100 slash, 15 user, 15 message, 1 entry point */

struct manifest {
	uint32_t intents;
	json_t *events;   /* array of names, may be NULL */
	json_t *commands; /* array of objects as PUT to Discord */
	json_t *modules;  /* array of {name, version, …}; NULL: of an older program */
	json_t *refused;  /* array of {name, file, reason}; likewise */
	json_t *left_out; /* array of {name, reason}: those of refused that the program died of; NULL: none */
	char hash[80];
	char build_id[32]; /* "" where the program does not say */
};

struct manifest_run;

/* Exactly once unless closed before. @manifest is borrowed, NULL when @error is set: -ENOENT (no such program),
 * -ETIMEDOUT, -EFBIG, -EBADMSG (not a manifest), -EIO (it ended otherwise than by 0); @text says it for a person. */
typedef void (*manifest_fn)(void *arg, int error, const struct manifest *manifest, const char *text);

/* Spawns @path with --manifest; it has @deadline_ms (MANIFEST_DEADLINE_MS) to print and end. -errno: @fn is not called.
 */
int manifest_run(struct loop *loop, const char *path, char *const *envp, uint64_t deadline_ms, manifest_fn fn,
		 void *arg, struct manifest_run **ret_run);
struct manifest_modules {
	const char *dir, *load; /* modules.dir, modules.load */
	const json_t *left_out; /* as manifest.left_out: those are not loaded; may be NULL */
	bool leave_out; /* another one that ends the program while it is loaded is left out, too, and the program
			 * asked again, each time with the whole deadline; else it is an error that names it */
};

/* The same with modules in its environment, where a program that knows of none passes them over. Copies @modules. */
int manifest_run_with(struct loop *loop, const char *path, char *const *envp, const struct manifest_modules *modules,
		      manifest_fn fn, void *arg, struct manifest_run **ret_run);
/* Kills the program if it runs; @fn is not called any more. NULL is nothing to do. To be called also after @fn was. */
void manifest_close(struct manifest_run *run);

/* Reads the text. -EBADMSG. On success the caller ends it with manifest_finish(). */
int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest);
void manifest_finish(struct manifest *manifest);
/* @to, which is finished first, becomes another reference to @from. */
void manifest_take(struct manifest *to, const struct manifest *from);

#endif
