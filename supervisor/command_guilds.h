/* Servers where commands are registered apart from everywhere: those of commands.guilds, and those that were such
 * before and are to be cleared. A small file in the state directory remembers them, written before Discord is told.
 * Loop thread, at start only. */
#ifndef SHOAL_SUPERVISOR_COMMAND_GUILDS_H
#define SHOAL_SUPERVISOR_COMMAND_GUILDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_GUILDS_MAX 64

struct command_guilds {
	struct {
		uint64_t id;
		bool wanted; /* else it is to be cleared */
	} rows[COMMAND_GUILDS_MAX];
	size_t count;
};

/* Ids joined by commas and spaces. -EINVAL: another thing is among them; -E2BIG. */
int command_guilds_parse(const char *text, struct command_guilds *ret_guilds);
/* Adds those that the file remembers. A file that is not there or no such file is empty. */
void command_guilds_recall(struct command_guilds *guilds, const char *state_dir);
/* Replaces the file. -errno. */
int command_guilds_remember(const struct command_guilds *guilds, const char *state_dir);
/* Takes out one that was cleared. */
void command_guilds_drop(struct command_guilds *guilds, uint64_t id);

#endif
