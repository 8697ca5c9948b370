/* Commands: a command is one row. The same row serves its slash, prefix and mention forms, /help, registration with
 * Discord and metrics. Handlers run on the loop and must not block; what takes long holds the invocation and replies
 * later. */
#ifndef SHOAL_COMMAND_H
#define SHOAL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/interaction.h>

struct shoal_invocation;

struct shoal_command_option {
	const char *name;            /* lower case, 1-32 characters */
	const char *description;     /* 1-100 characters */
	enum shoal_option_type type; /* no subcommand types: they are @children of the command */
	bool required;               /* required ones first */
	int64_t min, max;            /* INTEGER: range; STRING: length in characters; both 0: none */
};

enum shoal_command_flags {
	/* Only the asking member sees the answer (slash form). */
	SHOAL_COMMAND_EPHEMERAL = 1 << 0,
	/* No prefix or mention form: the handler relies on what only an interaction carries. */
	SHOAL_COMMAND_SLASH_ONLY = 1 << 1,
	/* Not in direct messages. */
	SHOAL_COMMAND_GUILD_ONLY = 1 << 2,
};

/* A command, or (in @children) a subcommand of one. Static storage. */
struct shoal_command {
	const char *name;        /* lower case, 1-32 characters */
	const char *description; /* 1-100 characters; shown by Discord and /help */
	uint32_t flags;          /* enum shoal_command_flags; a child has its parent's too */
	uint64_t permissions;    /* what a member needs (Discord's bits); 0: everyone; a child has its parent's too */
	const struct shoal_command_option *options;
	size_t option_count;
	const struct shoal_command *children; /* then options and handle are not used */
	size_t child_count;
	/* The invocation is borrowed; hold it with shoal_invocation_hold() to reply after returning. */
	void (*handle)(struct shoal_invocation *inv);
};

/* --- what was asked --------------------------------------------------------------------------------------------------
 */

uint64_t shoal_invocation_guild_id(const struct shoal_invocation *inv); /* 0 in direct messages */
uint64_t shoal_invocation_channel_id(const struct shoal_invocation *inv);
uint64_t shoal_invocation_user_id(const struct shoal_invocation *inv);
/* The option's value, or the fallback when it was not given. Strings live as long as the invocation. */
const char *shoal_invocation_string(const struct shoal_invocation *inv, const char *option, const char *fallback);
int64_t shoal_invocation_integer(const struct shoal_invocation *inv, const char *option, int64_t fallback);
bool shoal_invocation_boolean(const struct shoal_invocation *inv, const char *option, bool fallback);
double shoal_invocation_number(const struct shoal_invocation *inv, const char *option, double fallback);
uint64_t shoal_invocation_id(const struct shoal_invocation *inv, const char *option,
			     uint64_t fallback); /* USER, CHANNEL, ROLE */

/* --- answering -------------------------------------------------------------------------------------------------------
 */

/* A handler that goes asynchronous holds it; the last release of an unanswered one answers with an apology. */
struct shoal_invocation *shoal_invocation_hold(struct shoal_invocation *inv);
void shoal_invocation_release(struct shoal_invocation *inv);

/* Answers, once; a second answer is refused with -EALREADY. Text over Discord's 2000 characters is cut with an
 * ellipsis. Mentions in it ping nobody. An interaction still open at 1.5 s of its age is deferred by shoal itself; the
 * answer then edits the deferred message. */
int shoal_reply_text(struct shoal_invocation *inv, const char *text);
int shoal_reply_printf(struct shoal_invocation *inv, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An answer that says what went wrong; seen by the asking member alone where Discord allows it. */
int shoal_reply_error(struct shoal_invocation *inv, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
