/* The list and its file: an id a line. */
#include "supervisor/command_guilds.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"

#define FILE_NAME "command-guilds"
#define LINE_SIZE 32

static void file_close(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int add(struct command_guilds *guilds, uint64_t id, bool wanted)
{
	for (size_t i = 0; i < guilds->count; i++)
		if (guilds->rows[i].id == id)
			return 0;
	if (guilds->count == COMMAND_GUILDS_MAX)
		return -E2BIG;
	guilds->rows[guilds->count].id = id;
	guilds->rows[guilds->count++].wanted = wanted;
	return 0;
}

int command_guilds_parse(const char *text, struct command_guilds *ret_guilds)
{
	struct command_guilds guilds = { 0 };
	uint64_t id;
	int r;

	while (*(text += strspn(text, ", \t"))) {
		size_t len = strcspn(text, ", \t");

		if (shoal_snowflake_parse(text, len, &id) < 0 || id == 0)
			return -EINVAL;
		r = add(&guilds, id, true);
		if (r < 0)
			return r;
		text += len;
	}
	*ret_guilds = guilds;
	return 0;
}

void command_guilds_recall(struct command_guilds *guilds, const char *state_dir)
{
	CLEANUP(file_close) FILE *file = NULL;
	char path[PATH_MAX], line[LINE_SIZE];
	uint64_t id;

	if ((size_t)snprintf(path, sizeof(path), "%s/" FILE_NAME, state_dir) < sizeof(path))
		file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (shoal_snowflake_parse(line, strcspn(line, "\n"), &id) == 0 && id != 0)
			add(guilds, id, false);
}

int command_guilds_remember(const struct command_guilds *guilds, const char *state_dir)
{
	CLEANUP(file_close) FILE *file = NULL;
	char path[PATH_MAX], fresh[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/" FILE_NAME, state_dir) >= sizeof(path) ||
	    (size_t)snprintf(fresh, sizeof(fresh), "%s/" FILE_NAME ".new", state_dir) >= sizeof(fresh))
		return -ENAMETOOLONG;
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	for (size_t i = 0; i < guilds->count; i++)
		fprintf(file, "%" PRIu64 "\n", guilds->rows[i].id);
	if (fflush(file) != 0 || fsync(fileno(file)) < 0 || rename(fresh, path) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

void command_guilds_drop(struct command_guilds *guilds, uint64_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < guilds->count; i++)
		if (guilds->rows[i].id != id)
			guilds->rows[kept++] = guilds->rows[i];
	guilds->count = kept;
}
