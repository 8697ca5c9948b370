/* The values a member gave for a command's options, checked against its row: those of an interaction here, those in the
 * words of a message by words.h with the same checks. Everything a member types is hostile: errors are phrases for that
 * member. */
#ifndef SHOAL_SHARD_COMMANDS_ARGUMENTS_H
#define SHOAL_SHARD_COMMANDS_ARGUMENTS_H

#include <shoal/command.h>

#include "shard/commands/resolved.h"
#include "shared/phrases/phrases.h"

/* Discord allows 25 options a command. */
#define ARGUMENTS_MAX 25

struct argument {
	const struct shoal_command_option *option;
	int64_t integer;
	double number;
	uint64_t id;
	bool boolean;
	bool unresolved; /* a message named a user of whom it says nothing: Discord is to be asked */
	char *text;      /* STRING: NUL-terminated copy, U+0000 within taken out; else NULL */
};

struct arguments {
	struct argument items[ARGUMENTS_MAX];
	size_t count;
};

/* What the member got wrong. */
struct arguments_error {
	const struct shoal_phrase *phrase;         /* NULL: nothing was said */
	const struct shoal_command_option *option; /* NULL: of none */
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

/* Checks and copies an interaction's @options for @leaf; ids must be among @resolved. -EINVAL with @error;
 * *ret_arguments untouched then. -ENOMEM. */
int arguments_from_options(const struct shoal_command *leaf, const struct shoal_option *options, size_t option_count,
			   const struct resolved *resolved, struct arguments *ret_arguments,
			   struct arguments_error *error);

/* Of what is still being typed: takes what is good and leaves out the rest. *ret_focused: the row's option that is
 * being typed, NULL: none that suggests; *ret_typed: what stands there by now. -ENOMEM. */
int arguments_from_unfinished(const struct shoal_command *leaf, const struct shoal_option *options, size_t option_count,
			      const struct resolved *resolved, struct arguments *ret_arguments,
			      const struct shoal_command_option **ret_focused, struct shoal_str *ret_typed);

/* --- single values; -EINVAL with @error, -ENOMEM --- */

int arguments_take_text(struct argument *argument, struct shoal_str text, struct arguments_error *error);
int arguments_take_integer(struct argument *argument, int64_t value, struct arguments_error *error);
int arguments_take_number(struct argument *argument, double value, struct arguments_error *error);
/* USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT: must be among @resolved. */
int arguments_take_id(struct argument *argument, uint64_t id, const struct resolved *resolved,
		      struct arguments_error *error);
/* Always -EINVAL. */
int arguments_wrong(const struct shoal_command_option *option, const struct shoal_phrase *phrase,
		    struct arguments_error *error);
/* The same for what should name a member, a role or a channel and does not. */
int arguments_wrong_id(const struct shoal_command_option *option, struct arguments_error *error);
/* Every required option is there. */
int arguments_check_required(const struct shoal_command *leaf, const struct arguments *arguments,
			     struct arguments_error *error);

/* The value of a choice of a STRING option. */
static inline const char *arguments_choice_text(const struct shoal_choice *choice)
{
	return choice->text ? choice->text : choice->name;
}

/* NULL when it was not given. */
const struct argument *arguments_find(const struct arguments *arguments, const char *option);

#endif
