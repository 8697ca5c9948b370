/* What the SQL text of a module's statement may be: one statement on the module's own tables, with the guild in it. It
 * catches mistakes when a module is loaded; a wall against malice it is not, modules run in our process. Pure; any
 * thread. */
#ifndef SHOAL_SHARD_MODHOST_STATEMENT_TEXT_H
#define SHOAL_SHARD_MODHOST_STATEMENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Between a module's name and the rest of its tables' names, "poll__vote": no table of shoal's own has it, and no
 * module's name. */
#define STATEMENT_TEXT_MARK "__"

/* 0, or -EINVAL with a sentence. @by_guild: guild_id and $1 must stand in it. @reads: it must change nothing. */
int statement_text_check(const char *sql, const char *module, bool by_guild, bool reads, char *error, size_t size);

#endif
