/* The words of a message command made into the same arguments as a slash command's: in the row's order, or by name.
 *
 *	"two words"      one value; “typographic” quotes, too, and \" within
 *	--name value     an option by its name, anywhere; --name=value; --name alone for yes
 *	the last text    takes the rest of the message, if no required option comes behind it; what does come behind
 *	                 it is given by name
 *	@user #channel   mentions, ids, and of channels and roles their names
 *	choices          by name, in any language of the row, or by value
 *	files            what is attached to the message, in its order */
#ifndef SHOAL_SHARD_COMMANDS_WORDS_H
#define SHOAL_SHARD_COMMANDS_WORDS_H

#include "shard/commands/arguments.h"

/* @resolved: what the message says of itself; gets what is found in @guild (NULL: not known). A user of whom neither
 * tells stays argument.unresolved. -EINVAL with @error, *ret_arguments untouched; -ENOMEM. */
int words_parse(const struct shoal_command *leaf, struct shoal_str text, struct resolved *resolved,
		const struct shoal_guild_view *guild, struct arguments *ret_arguments, struct arguments_error *error);

/* Takes the next word (up to white space) off the front of @text; false when there is none. */
bool words_next(struct shoal_str *text, struct shoal_str *ret_word);

/* "NAME <who> [count] [--loud yes] [text …]", appended; @path is the command's. */
void words_usage(const struct shoal_command *leaf, const char *path, enum shoal_language language, struct buf *out);

#endif
