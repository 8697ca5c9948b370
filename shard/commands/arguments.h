/* The values a member gave for a command's options, checked against its row; from an interaction's options or from the
 * words of a message. Everything a member types is hostile: errors are phrases for that member. */
#ifndef SHOAL_SHARD_COMMANDS_ARGUMENTS_H
#define SHOAL_SHARD_COMMANDS_ARGUMENTS_H

#include <shoal/command.h>

#include "shared/phrases/phrases.h"

/* Discord allows 25 options a command. */
#define ARGUMENTS_MAX 25

struct argument {
	const struct shoal_command_option *option;
	int64_t integer;
	double number;
	uint64_t id;
	bool boolean;
	char *text; /* STRING: NUL-terminated copy, U+0000 within taken out; else NULL */
};

struct arguments {
	struct argument items[ARGUMENTS_MAX];
	size_t count;
};

/* What the member got wrong. */
struct arguments_error {
	const struct shoal_phrase *phrase; /* NULL: nothing was said */
	const struct shoal_command_option *option;
};
/* As a sentence, appended to @out. */
void arguments_error_print(const struct arguments_error *error, enum shoal_language language, struct buf *out);

/* Frees the copies; leaves it empty. */
void arguments_finish(struct arguments *arguments);

/* Walks from @command down @options (groups and subcommands) to the row that is meant: *ret_leaf, and its own options
 * in *ret_options. -ENOENT: Discord named a subcommand that the row does not have (registered by an older version). */
int arguments_descend(const struct shoal_command *command, const struct shoal_option *options, size_t option_count,
		      const struct shoal_command **ret_leaf, const struct shoal_option **ret_options,
		      size_t *ret_option_count);

/* Checks and copies an interaction's @options for @leaf. -EINVAL with @error; *ret_arguments untouched then. -ENOMEM.
 */
int arguments_from_options(const struct shoal_command *leaf, const struct shoal_option *options, size_t option_count,
			   struct arguments *ret_arguments, struct arguments_error *error);

/* Likewise from the words of a message: options in the row's order, "quoted words" kept together, the last STRING takes
 * the rest of the text. */
int arguments_from_text(const struct shoal_command *leaf, struct shoal_str text, struct arguments *ret_arguments,
			struct arguments_error *error);

/* Takes the next word (up to white space) off the front of @text; false when there is none. */
bool arguments_next_word(struct shoal_str *text, struct shoal_str *ret_word);

/* NULL when it was not given. */
const struct argument *arguments_find(const struct arguments *arguments, const char *option);

#endif
