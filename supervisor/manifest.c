/* Runs the worker program for its manifest: bounded in time and size, its output taken as hostile as any. Run by the
 * supervisor at start, on its loop. */
#include "supervisor/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "supervisor/program.h"

struct manifest_run {
	manifest_fn fn;
	void *arg;
	uint64_t deadline_ms;
	struct program_run *program;
};

int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *intents = json_object_get(root, "intents");
	json_t *commands = json_object_get(root, "commands"), *events = json_object_get(root, "events");
	json_t *modules = json_object_get(root, "modules"), *refused = json_object_get(root, "refused");
	const char *hash = json_string_value(json_object_get(root, "hash"));
	const char *build_id = json_string_value(json_object_get(root, "build_id"));
	struct manifest manifest = { 0 };
	size_t i;
	json_t *command;

	if (!json_is_integer(intents) || json_integer_value(intents) < 0 || json_integer_value(intents) > UINT32_MAX ||
	    !json_is_array(commands) || json_array_size(commands) > MANIFEST_COMMANDS_MAX || !hash ||
	    strlen(hash) >= sizeof(manifest.hash))
		goto bad;
	json_array_foreach(commands, i, command) if (!json_is_string(json_object_get(command, "name"))) goto bad;
	manifest.intents = (uint32_t)json_integer_value(intents);
	manifest.commands = json_incref(commands);
	manifest.events = json_is_array(events) ? json_incref(events) : NULL;
	manifest.modules = json_is_array(modules) ? json_incref(modules) : NULL;
	manifest.refused = json_is_array(refused) ? json_incref(refused) : NULL;
	if (build_id)
		snprintf(manifest.build_id, sizeof(manifest.build_id), "%s", build_id);
	snprintf(manifest.hash, sizeof(manifest.hash), "%s", hash);
	json_decref(root);
	*ret_manifest = manifest;
	return 0;
bad:
	json_decref(root);
	return -EBADMSG;
}

void manifest_finish(struct manifest *manifest)
{
	json_decref(manifest->commands);
	json_decref(manifest->events);
	json_decref(manifest->modules);
	json_decref(manifest->refused);
	memset(manifest, 0, sizeof(*manifest));
}

void manifest_take(struct manifest *to, const struct manifest *from)
{
	struct manifest copy = *from;

	json_incref(copy.commands);
	json_incref(copy.events);
	json_incref(copy.modules);
	json_incref(copy.refused);
	manifest_finish(to);
	*to = copy;
}

static void tell_success(struct manifest_run *run, const char *out, size_t len)
{
	struct manifest manifest;

	if (manifest_parse(out, len, &manifest) < 0) {
		run->fn(run->arg, -EBADMSG, NULL,
			"the worker program's --manifest is no manifest: is it of this version?");
		return;
	}
	run->fn(run->arg, 0, &manifest, "");
	manifest_finish(&manifest);
}

static void program_ended(void *arg, int error, int status, const char *out, size_t len)
{
	struct manifest_run *run = arg;
	char text[160];

	if (error == -ETIMEDOUT)
		snprintf(text, sizeof(text), "the worker program's --manifest did not end within %" PRIu64 " ms",
			 run->deadline_ms);
	else if (error < 0)
		snprintf(text, sizeof(text), "the worker program's --manifest: %s", error_text(error));
	else if (status != 0)
		snprintf(text, sizeof(text), "the worker program's --manifest ended with %s %d",
			 WIFSIGNALED(status) ? "signal" : "exit code",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	else {
		tell_success(run, out, len);
		return;
	}
	run->fn(run->arg, error < 0 ? error : -EIO, NULL, text);
}

int manifest_run(struct loop *loop, const char *path, char *const *envp, uint64_t deadline_ms, manifest_fn fn,
		 void *arg, struct manifest_run **ret_run)
{
	char *argv[] = { "shoal-shard", "--manifest", NULL };
	const struct program_spec spec = {
		.path = path, .argv = argv, .envp = envp, .deadline_ms = deadline_ms, .output_max = MANIFEST_SIZE_MAX
	};
	struct manifest_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->fn = fn;
	run->arg = arg;
	run->deadline_ms = deadline_ms;
	r = program_run(loop, &spec, program_ended, run, &run->program);
	if (r < 0) {
		free(run);
		return r;
	}
	*ret_run = run;
	return 0;
}

int manifest_run_with(struct loop *loop, const char *path, char *const *envp, const char *dir, const char *load,
		      manifest_fn fn, void *arg, struct manifest_run **ret_run)
{
	CLEANUP(cleanup_free) char *dir_entry = NULL, *load_entry = NULL;
	CLEANUP(cleanup_free) char **env = NULL;
	size_t count = 0;

	while (envp && envp[count])
		count++;
	env = calloc(count + 3, sizeof(*env));
	if (!env || asprintf(&dir_entry, "SHOAL_MODULES_DIR=%s", dir) < 0 ||
	    asprintf(&load_entry, "SHOAL_MODULES_LOAD=%s", load) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		env[i] = envp[i];
	env[count] = dir_entry;
	env[count + 1] = load_entry;
	return manifest_run(loop, path, env, MANIFEST_DEADLINE_MS, fn, arg, ret_run);
}

void manifest_close(struct manifest_run *run)
{
	if (!run)
		return;
	program_close(run->program);
	free(run);
}
