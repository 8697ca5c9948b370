/* Runs the worker program for its manifest: bounded in time and size, its output taken as hostile as any. Run by the
 * supervisor at start, on its loop. */
#include "supervisor/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/control/control.h"
#include "supervisor/program.h"

#define LOADING_NAME_MAX 64

struct manifest_run {
	manifest_fn fn;
	void *arg;
	struct loop *loop;
	char *path;
	char **envp; /* ours; NULL-terminated, with room for the last three */
	size_t env_count;
	uint64_t deadline_ms;
	json_t *left_out; /* [{name, reason}] */
	bool leave_out;
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
	json_decref(manifest->left_out);
	memset(manifest, 0, sizeof(*manifest));
}

void manifest_take(struct manifest *to, const struct manifest *from)
{
	struct manifest copy = *from;

	json_incref(copy.commands);
	json_incref(copy.events);
	json_incref(copy.modules);
	json_incref(copy.refused);
	json_incref(copy.left_out);
	manifest_finish(to);
	*to = copy;
}

/* The last line of what it printed: what modules print while they are loaded stands before. */
static void find_answer(const char **out, size_t *len)
{
	const char *end = *out + *len, *begin;

	while (end > *out && end[-1] == '\n')
		end--;
	begin = memrchr(*out, '\n', (size_t)(end - *out));
	begin = begin ? begin + 1 : *out;
	*out = begin;
	*len = (size_t)(end - begin);
}

/* Which module was being loaded when the program ended. False: none. */
static bool find_loading(const char *out, size_t len, char name[LOADING_NAME_MAX])
{
	static const size_t head = sizeof(MANIFEST_LOADING) - 1;
	const char *line = out, *end = out + len;

	name[0] = '\0';
	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t size = (size_t)((stop ? stop : end) - line);

		if (stop && size >= head && memcmp(line, MANIFEST_LOADING, head) == 0)
			snprintf(name, LOADING_NAME_MAX, "%.*s", (int)(size - head), line + head);
		line = stop ? stop + 1 : end;
	}
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && name[0];
}

/* What the program died of stands among what was refused, with its reason. */
static void note_left_out(const struct manifest_run *run, struct manifest *manifest)
{
	json_t *refused = json_array();
	json_t *one;
	size_t i;

	json_array_foreach(manifest->refused, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		const json_t *other;
		bool known = false;
		size_t j;

		json_array_foreach(run->left_out, j, other) known |=
			name && strcmp(name, json_string_value(json_object_get(other, "name"))) == 0;
		if (!known)
			json_array_append(refused, one);
	}
	json_array_extend(refused, run->left_out);
	json_decref(manifest->refused);
	manifest->refused = refused;
	manifest->left_out = json_incref(run->left_out);
}

static void tell_success(struct manifest_run *run, const char *out, size_t len)
{
	struct manifest manifest;

	if (run->left_out)
		find_answer(&out, &len);
	if (manifest_parse(out, len, &manifest) < 0) {
		run->fn(run->arg, -EBADMSG, NULL,
			"the worker program's --manifest is no manifest: is it of this version?");
		return;
	}
	if (json_array_size(run->left_out) > 0)
		note_left_out(run, &manifest);
	run->fn(run->arg, 0, &manifest, "");
	manifest_finish(&manifest);
}

static void program_ended(void *arg, int error, int status, const char *out, size_t len);

static int start(struct manifest_run *run)
{
	char *argv[] = { "shoal-shard", "--manifest", NULL };
	const struct program_spec spec = { .path = run->path,
					   .argv = argv,
					   .envp = run->envp,
					   .deadline_ms = run->deadline_ms,
					   .output_max = MANIFEST_SIZE_MAX };

	return program_run(run->loop, &spec, program_ended, run, &run->program);
}

/* $SHOAL_MODULES_LEAVE_OUT, the last of the environment. */
static int set_left_out(struct manifest_run *run)
{
	CLEANUP(buf_finish) struct buf names = { 0 };
	const json_t *one;
	char *entry;
	size_t i;

	buf_init(&names, (LOADING_NAME_MAX + 1) * MANIFEST_LEFT_OUT_MAX + 64);
	buf_append_str(&names, MANIFEST_LEAVE_OUT_VARIABLE "=");
	json_array_foreach(run->left_out, i, one)
		buf_printf(&names, "%s%s", i > 0 ? "," : "", json_string_value(json_object_get(one, "name")));
	entry = buf_cstr(&names) ? strdup(buf_cstr(&names)) : NULL;
	if (!entry)
		return -ENOMEM;
	free(run->envp[run->env_count - 1]);
	run->envp[run->env_count - 1] = entry;
	return 0;
}

/* The program died in a module: asked again without it. False: that can't be. */
static bool ask_without(struct manifest_run *run, const char *name, const char *why)
{
	char reason[160];
	json_t *one;

	if (!run->leave_out || json_array_size(run->left_out) >= MANIFEST_LEFT_OUT_MAX)
		return false;
	snprintf(reason, sizeof(reason), "the worker program %s while it was loaded", why);
	one = json_pack("{s:s, s:s}", "name", name, "reason", reason);
	if (!one || json_array_append_new(run->left_out, one) < 0 || set_left_out(run) < 0)
		return false;
	program_close(TAKE(run->program));
	return start(run) >= 0;
}

static void program_ended(void *arg, int error, int status, const char *out, size_t len)
{
	struct manifest_run *run = arg;
	char why[96], name[LOADING_NAME_MAX], text[256];
	bool in_module = run->left_out && find_loading(out, len, name);

	if (error == -ETIMEDOUT)
		snprintf(why, sizeof(why), "did not end within %" PRIu64 " ms", run->deadline_ms);
	else if (error < 0)
		snprintf(why, sizeof(why), "failed: %s", error_text(error));
	else if (status != 0 || in_module)
		snprintf(why, sizeof(why), "ended with %s %d", WIFSIGNALED(status) ? "signal" : "exit code",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	else {
		tell_success(run, out, len);
		return;
	}
	if (in_module && ask_without(run, name, why))
		return;
	if (in_module)
		snprintf(text, sizeof(text), "the worker program's --manifest %s while module %s was loaded", why,
			 name);
	else
		snprintf(text, sizeof(text), "the worker program's --manifest %s", why);
	run->fn(run->arg, error < 0 ? error : -EIO, NULL, text);
}

static void run_free(struct manifest_run *run)
{
	for (size_t i = 0; run->envp && i < run->env_count; i++)
		free(run->envp[i]);
	free(run->envp);
	free(run->path);
	json_decref(run->left_out);
	free(run);
}

/* The environment with @more behind it. */
static int copy_env(struct manifest_run *run, char *const *envp, size_t more)
{
	size_t count = 0;

	while (envp && envp[count])
		count++;
	run->envp = calloc(count + more + 1, sizeof(*run->envp));
	if (!run->envp)
		return -ENOMEM;
	for (; run->env_count < count; run->env_count++) {
		run->envp[run->env_count] = strdup(envp[run->env_count]);
		if (!run->envp[run->env_count])
			return -ENOMEM;
	}
	return 0;
}

static int add_modules(struct manifest_run *run, const struct manifest_modules *modules)
{
	run->leave_out = modules->leave_out;
	run->left_out = modules->left_out ? json_deep_copy(modules->left_out) : json_array();
	if (!run->left_out || asprintf(&run->envp[run->env_count], "SHOAL_MODULES_DIR=%s", modules->dir) < 0)
		return -ENOMEM;
	run->env_count++;
	if (asprintf(&run->envp[run->env_count], "SHOAL_MODULES_LOAD=%s", modules->load) < 0)
		return -ENOMEM;
	run->env_count += 2;
	return set_left_out(run);
}

static int run_new(struct loop *loop, const char *path, char *const *envp, const struct manifest_modules *modules,
		   uint64_t deadline_ms, manifest_fn fn, void *arg, struct manifest_run **ret_run)
{
	struct manifest_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	*run = (struct manifest_run){ .fn = fn, .arg = arg, .loop = loop, .deadline_ms = deadline_ms };
	run->path = strdup(path);
	r = run->path ? copy_env(run, envp, 3) : -ENOMEM;
	if (r == 0 && modules)
		r = add_modules(run, modules);
	if (r == 0)
		r = start(run);
	if (r < 0) {
		run_free(run);
		return r;
	}
	*ret_run = run;
	return 0;
}

int manifest_run(struct loop *loop, const char *path, char *const *envp, uint64_t deadline_ms, manifest_fn fn,
		 void *arg, struct manifest_run **ret_run)
{
	return run_new(loop, path, envp, NULL, deadline_ms, fn, arg, ret_run);
}

int manifest_run_with(struct loop *loop, const char *path, char *const *envp, const struct manifest_modules *modules,
		      manifest_fn fn, void *arg, struct manifest_run **ret_run)
{
	return run_new(loop, path, envp, modules, MANIFEST_DEADLINE_MS, fn, arg, ret_run);
}

void manifest_close(struct manifest_run *run)
{
	if (!run)
		return;
	program_close(run->program);
	run_free(run);
}
