/* Rows made of JSON. They live as long as the program, as a schema's must. */
#include "supervisor/ctl/module_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"

#define MANIFEST_MAX (8 * 1024 * 1024)
#define DEADLINE_MS  10000
#define PATH_SIZE    4096

extern char **environ;

/* --- the worker program --------------------------------------------------------------------------------------------
 */

/* As shoald finds it. */
static void program_path(const struct config *config, char path[PATH_SIZE])
{
	ssize_t len;
	char *slash;

	if (config->supervisor_worker[0]) {
		snprintf(path, PATH_SIZE, "%s", config->supervisor_worker);
		return;
	}
	len = readlink("/proc/self/exe", path, PATH_SIZE - 32);
	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "shoal-shard");
}

/* What it has to say before the deadline. */
static int read_out(int fd, struct buf *out)
{
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
	char bytes[16384];
	ssize_t n;

	for (;;) {
		uint64_t now_ns = clock_monotonic_ns();
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (now_ns >= deadline_ns || poll(&ready, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1) == 0)
			return -ETIMEDOUT;
		n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return n < 0 && errno != EINTR ? -errno : 0;
		if (buf_append(out, bytes, (size_t)n) < 0)
			return -EFBIG;
	}
}

/* @in (NULL: nothing) on its stdin, what it prints into @out; its exit status, or negative. */
static int run(const struct config *config, const char *const words[], const char *in, struct buf *out)
{
	char path[PATH_SIZE];
	char *argv[12] = { path, (char *)"--modules-dir", config->modules_dir, (char *)"--modules",
			   config->modules_load };
	int to[2], from[2], status = 0, r;
	posix_spawn_file_actions_t actions;
	size_t count = 5;
	pid_t pid;

	program_path(config, path);
	if (!config->modules_dir[0]) { /* where it looks by itself */
		argv[1] = argv[3];
		argv[2] = argv[4];
		count = 3;
	}
	for (size_t i = 0; words[i]; i++)
		argv[count++] = (char *)words[i];
	argv[count] = NULL;
	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(from, O_CLOEXEC) < 0) {
		r = -errno;
		close(to[0]);
		close(to[1]);
		return r;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
	r = -posix_spawn(&pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	/* A value is smaller than a pipe's buffer. */
	if (r == 0 && in && write(to[1], in, strlen(in)) < 0)
		r = -errno;
	close(to[1]);
	if (r == 0)
		r = read_out(from[0], out);
	close(from[0]);
	if (r < 0 && r != -ETIMEDOUT && r != -EFBIG)
		return r;
	if (r < 0)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* --- rows ----------------------------------------------------------------------------------------------------------
 */

static struct {
	json_t *manifest; /* the rows' texts */
	struct shoal_settings_schema schemas[SCHEMAS_MAX];
	size_t count;
} known;

static const char *text_of(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static int64_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static struct shoal_setting row_of(const json_t *row)
{
	return (struct shoal_setting){
		.name = text_of(row, "name"),
		.type = (enum shoal_setting_type)number_of(row, "type"),
		.layers = (uint32_t)number_of(row, "layers"),
		.flags = (uint32_t)number_of(row, "flags"),
		.min = number_of(row, "min"),
		.max = number_of(row, "max"),
		.number_min = json_number_value(json_object_get(row, "number_min")),
		.number_max = json_number_value(json_object_get(row, "number_max")),
		.choices = text_of(row, "choices"),
		.fallback = text_of(row, "fallback"),
		.description = text_of(row, "description"),
		.formerly = text_of(row, "formerly"),
	};
}

static int add_one(struct schemas *schemas, const json_t *settings)
{
	const json_t *list = json_object_get(settings, "rows"), *row;
	struct shoal_settings_schema *schema = &known.schemas[known.count];
	char error[VALUE_ERROR_SIZE] = "";
	struct shoal_setting *rows;
	size_t i;
	int r;

	if (known.count == SCHEMAS_MAX || json_array_size(list) == 0)
		return 0;
	rows = calloc(json_array_size(list), sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	json_array_foreach(list, i, row) rows[i] = row_of(row);
	*schema = (struct shoal_settings_schema){ .owner = text_of(settings, "owner"),
						  .version = (uint32_t)number_of(settings, "version"),
						  .rows = rows,
						  .count = json_array_size(list) };
	r = schema->owner ? schemas_add(schemas, schema, error) : -EINVAL;
	if (r < 0) {
		free(rows);
		if (r != -ENOMEM)
			fprintf(stderr, "shoalctl: the settings of a module are left out: %s\n",
				error[0] ? error : strerror(-r));
		return r == -ENOMEM ? r : 0;
	}
	known.count++;
	return 0;
}

/* Behind lines that say what is being loaded. */
static json_t *manifest_of(const char *text)
{
	while (text && *text && *text != '{') {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return text ? json_loads(text, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

int ctl_module_settings_add(const struct config *config, struct schemas *schemas)
{
	const char *const words[] = { "--manifest", "--modules-default", config->modules_default, NULL };
	CLEANUP(buf_finish) struct buf out = { 0 };
	const json_t *settings;
	size_t i;
	int r;

	buf_init(&out, MANIFEST_MAX);
	r = run(config, words, NULL, &out);
	if (r == 0)
		known.manifest = manifest_of(buf_cstr(&out));
	if (!known.manifest) {
		fprintf(stderr,
			"shoalctl: shoal-shard does not tell which modules there are (%s): their settings are "
			"left out\n",
			r < 0 ? strerror(-r) : "see shoal-shard --manifest");
		return 0;
	}
	json_array_foreach(json_object_get(known.manifest, "settings"), i, settings)
	{
		r = add_one(schemas, settings);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_checked(const char *name)
{
	const json_t *settings, *row;
	char full[SCHEMA_NAME_SIZE];
	size_t i, j;

	json_array_foreach(json_object_get(known.manifest, "settings"), i, settings)
	{
		json_array_foreach(json_object_get(settings, "rows"), j, row)
		{
			snprintf(full, sizeof(full), "%s.%s", text_of(settings, "owner"), text_of(row, "name"));
			if (strcmp(full, name) == 0)
				return json_is_true(json_object_get(row, "checked"));
		}
	}
	return false;
}

int ctl_module_settings_check(const struct config *config, const char *name, const char *text,
			      char words[VALUE_ERROR_SIZE])
{
	const char *const ask[] = { "--check-setting", name, NULL };
	CLEANUP(buf_finish) struct buf out = { 0 };
	int r;

	buf_init(&out, 4096);
	if (!is_checked(name) || strlen(text) > SHOAL_SETTING_TEXT_MAX)
		return 0;
	r = run(config, ask, text, &out);
	if (r <= 0)
		return r;
	snprintf(words, VALUE_ERROR_SIZE, "%.*s", (int)strcspn(buf_cstr(&out) ? buf_cstr(&out) : "", "\n"),
		 buf_cstr(&out) ? buf_cstr(&out) : "the module does not take that value");
	return -EINVAL;
}
