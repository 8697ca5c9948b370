/* Commands: a command is one row. The same row serves its slash, prefix and mention forms, /help, registration with
 * Discord and metrics. Handlers run on the loop and must not block; what takes long holds the invocation and replies
 * later. */
#ifndef SHOAL_COMMAND_H
#define SHOAL_COMMAND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/api.h>
#include <shoal/component.h>
#include <shoal/effects.h>
#include <shoal/interaction.h>

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
	/* May answer with a form (shoal_modal_show()): shoal does not defer it by itself, since a form must be the
	 * first answer. */
	SHOAL_COMMAND_MODAL = 1 << 3,
};

/* Whose uses a cooldown counts. */
enum shoal_cooldown_per {
	SHOAL_COOLDOWN_USER,
	SHOAL_COOLDOWN_GUILD,
	SHOAL_COOLDOWN_CHANNEL,
	SHOAL_COOLDOWN_PER_COUNT,
};

/* @uses at once, after which one more is allowed each @seconds / @uses. At most one row a kind. */
struct shoal_cooldown {
	enum shoal_cooldown_per per;
	uint32_t uses;    /* 1 … 1000 */
	uint32_t seconds; /* 1 … 86400 */
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
	/* A child without some of its own has its parent's, and counts for itself. */
	const struct shoal_cooldown *cooldowns;
	size_t cooldown_count;
	/* The invocation is borrowed; hold it with shoal_invocation_hold() to reply after returning. */
	void (*handle)(struct shoal_invocation *inv);
};

/* --- what was asked --------------------------------------------------------------------------------------------------
 */

/* Everything that is done for it belongs to this scope. Lives as long as the invocation. */
static inline struct shoal_scope *shoal_invocation_scope(struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_scope(inv);
}

/* 0 in direct messages. */
static inline uint64_t shoal_invocation_guild_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_guild_id(inv);
}

static inline uint64_t shoal_invocation_channel_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_channel_id(inv);
}

static inline uint64_t shoal_invocation_user_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_user_id(inv);
}

/* The interaction's or the message's id: its time is the command's (shoal_snowflake_ms()). */
static inline uint64_t shoal_invocation_event_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_event_id(inv);
}

/* The message that a button or select stands on, or that a message command is; 0: none. */
static inline uint64_t shoal_invocation_message_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_message_id(inv);
}

/* What the asking member may do in the channel, overwrites included, as Discord delivered it. False: it is not known
 * (message commands, direct messages). */
static inline bool shoal_invocation_permissions(const struct shoal_invocation *inv, uint64_t *ret_bits)
{
	return shoal_api_table->invocation_permissions(inv, ret_bits);
}

/* The option's value, or the fallback when it was not given. Strings live as long as the invocation. */
static inline const char *shoal_invocation_string(const struct shoal_invocation *inv, const char *option,
						  const char *fallback)
{
	return shoal_api_table->invocation_string(inv, option, fallback);
}

static inline int64_t shoal_invocation_integer(const struct shoal_invocation *inv, const char *option, int64_t fallback)
{
	return shoal_api_table->invocation_integer(inv, option, fallback);
}

static inline bool shoal_invocation_boolean(const struct shoal_invocation *inv, const char *option, bool fallback)
{
	return shoal_api_table->invocation_boolean(inv, option, fallback);
}

static inline double shoal_invocation_number(const struct shoal_invocation *inv, const char *option, double fallback)
{
	return shoal_api_table->invocation_number(inv, option, fallback);
}

/* USER, CHANNEL, ROLE. */
static inline uint64_t shoal_invocation_id(const struct shoal_invocation *inv, const char *option, uint64_t fallback)
{
	return shoal_api_table->invocation_id(inv, option, fallback);
}

/* --- components and forms --- */

/* What came back, as a whole; NULL for commands. Not to be trusted. */
static inline const char *shoal_invocation_custom_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_custom_id(inv);
}

/* What stands behind the row's prefix and its ':'; "" when nothing does. */
static inline const char *shoal_invocation_custom_rest(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_custom_rest(inv);
}

/* What was chosen in a select: values, or ids as text. */
static inline size_t shoal_invocation_value_count(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_value_count(inv);
}

/* NULL beyond the last. */
static inline const char *shoal_invocation_value(const struct shoal_invocation *inv, size_t i)
{
	return shoal_api_table->invocation_value(inv, i);
}

/* What was typed into a form's input; NULL: there is no such input in it. */
static inline const char *shoal_invocation_field(const struct shoal_invocation *inv, const char *custom_id)
{
	return shoal_api_table->invocation_field(inv, custom_id);
}

/* --- answering -------------------------------------------------------------------------------------------------------
 */

/* A handler that goes asynchronous holds it; the last release of an unanswered one answers with an apology. Calls made
 * on its scope, and follow-ups, hold it too. */
static inline struct shoal_invocation *shoal_invocation_hold(struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_hold(inv);
}

static inline void shoal_invocation_release(struct shoal_invocation *inv)
{
	shoal_api_table->invocation_release(inv);
}

/* Answers, once; a second answer is refused with -EALREADY. Text over Discord's 2000 characters is cut with an
 * ellipsis. Mentions in it ping nobody. An interaction still open at 1.5 s of its age is deferred by shoal itself; the
 * answer then edits the deferred message. -EINVAL: the content breaks Discord's limits, and the member is told that
 * something went wrong. */
static inline int shoal_reply(struct shoal_invocation *inv, const struct shoal_content *content)
{
	return shoal_api_table->reply(inv, content);
}

static inline __attribute__((format(printf, 2, 3))) int shoal_reply_printf(struct shoal_invocation *inv,
									   const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = shoal_api_table->reply_vprintf(inv, false, format, args);
	va_end(args);
	return r;
}

static inline int shoal_reply_text(struct shoal_invocation *inv, const char *text)
{
	return shoal_reply_printf(inv, "%s", text);
}

/* An answer that says what went wrong; seen by the asking member alone where Discord allows it. */
static inline __attribute__((format(printf, 2, 3))) int shoal_reply_error(struct shoal_invocation *inv,
									  const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = shoal_api_table->reply_vprintf(inv, true, format, args);
	va_end(args);
	return r;
}

/* Answers a button, a select, or a form that came from one, by changing the message it stands on. -EINVAL for others.
 */
static inline int shoal_update(struct shoal_invocation *inv, const struct shoal_content *content)
{
	return shoal_api_table->update(inv, content);
}

/* Answers with a form, which must be the first thing and within three seconds; what the member types comes to the
 * component row of the form's custom id. -EINVAL for message commands and forms. */
static inline int shoal_modal_show(struct shoal_invocation *inv, const struct shoal_modal *modal)
{
	return shoal_api_table->modal_show(inv, modal);
}

/* Tells Discord now that the answer takes a while ("thinking"); the answer then edits that message. Visibility is fixed
 * here: SHOAL_CONTENT_EPHEMERAL in @flags. Nothing in message commands. -EALREADY. */
static inline int shoal_defer(struct shoal_invocation *inv, uint32_t flags)
{
	return shoal_api_table->defer(inv, flags);
}

/* A further message. Before the answer is through it waits for that. In a message command it is a reply like the
 * first. Repeat class: never (message commands: nonce). Errors as in <shoal/effects.h>; @fn may be NULL. */
static inline int shoal_followup(struct shoal_invocation *inv, const struct shoal_content *content, shoal_done_fn fn,
				 void *arg)
{
	return shoal_api_table->followup(inv, content, fn, arg);
}

/* @message_id: shoal_result.created_id of the follow-up. safe */
static inline int shoal_followup_edit(struct shoal_invocation *inv, uint64_t message_id,
				      const struct shoal_content *content, shoal_done_fn fn, void *arg)
{
	return shoal_api_table->followup_edit(inv, message_id, content, fn, arg);
}

/* safe */
static inline int shoal_followup_delete(struct shoal_invocation *inv, uint64_t message_id, shoal_done_fn fn, void *arg)
{
	return shoal_api_table->followup_delete(inv, message_id, fn, arg);
}

/* Changes the answer after it was given; interactions only (-EINVAL). safe */
static inline int shoal_original_edit(struct shoal_invocation *inv, const struct shoal_content *content,
				      shoal_done_fn fn, void *arg)
{
	return shoal_api_table->original_edit(inv, content, fn, arg);
}

/* Takes the answer away; interactions only (-EINVAL). safe */
static inline int shoal_original_delete(struct shoal_invocation *inv, shoal_done_fn fn, void *arg)
{
	return shoal_api_table->original_delete(inv, fn, arg);
}

#endif
