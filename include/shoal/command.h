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
#include <shoal/level.h>
#include <shoal/phrase.h>
#include <shoal/resolved.h>

/* A value to choose from; its name is what members see. Static storage in rows, for the call only elsewhere. */
struct shoal_choice {
	const char *name;                 /* 1-100 characters */
	const char *text;                 /* STRING: the value, at most 100 characters; NULL: the name itself */
	int64_t integer;                  /* INTEGER */
	double number;                    /* NUMBER */
	const struct shoal_phrase *names; /* as a command's */
};

/* Bits of shoal_command_option.channel_types. */
#define SHOAL_CHANNEL_BIT(type) (1u << (type)) /* enum shoal_channel_type */

struct shoal_command_option {
	const char *name;            /* lower case, 1-32 characters; never localised in what comes back */
	const char *description;     /* 1-100 characters */
	enum shoal_option_type type; /* no subcommand types: they are @children of the command */
	bool required;               /* required ones first */
	int64_t min, max;            /* INTEGER: range; STRING: length in characters (0 … 6000); both 0: none */
	double least, most;          /* NUMBER: range; both 0: none */
	/* STRING, INTEGER, NUMBER: one of these and nothing else; at most 25. */
	const struct shoal_choice *choices;
	size_t choice_count;
	uint32_t channel_types; /* CHANNEL: SHOAL_CHANNEL_BIT()s; 0: any */
	/* STRING, INTEGER, NUMBER without choices: suggests values while the member types, by shoal_suggest(). What he
	 * sends in the end may be none of them. Called often: it should be cheap, and may do nothing but look. */
	void (*suggest)(struct shoal_invocation *inv);
	const struct shoal_phrase *names, *descriptions; /* as a command's */
};

/* How it is called. */
enum shoal_command_kind {
	SHOAL_COMMAND_SLASH,   /* and by prefix and mention, if its flags don't say otherwise */
	SHOAL_COMMAND_USER,    /* from a member's context menu: shoal_target_id(), shoal_resolved_user() */
	SHOAL_COMMAND_MESSAGE, /* from a message's: shoal_target_id(), shoal_target_message() */
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
	/* In age-restricted channels only. */
	SHOAL_COMMAND_NSFW = 1 << 4,
	/* Of @permissions and @level one is enough: a server may give the command to roles that lack the permission.
	 * Only levels that the server gave count here. Without it, what is asked for must hold, both of it. */
	SHOAL_COMMAND_EITHER = 1 << 5,
};

/* Bits of shoal_command.contexts: where it may be used. */
enum shoal_command_context {
	SHOAL_IN_SERVERS = 1 << 0,
	SHOAL_IN_BOT_DMS = 1 << 1,   /* direct messages with the bot */
	SHOAL_IN_OTHER_DMS = 1 << 2, /* other direct messages and groups; SHOAL_FOR_USERS only */
};

/* Bits of shoal_command.installs: who has it. */
enum shoal_command_install {
	SHOAL_FOR_SERVERS = 1 << 0, /* servers that have added the bot */
	SHOAL_FOR_USERS = 1 << 1,   /* users who have added it to themselves, wherever they are */
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

/* A command, or (in @children) a subcommand of one, or a group of subcommands: at most two levels. Static storage. */
struct shoal_command {
	const char *name; /* lower case, 1-32 characters; of a context menu's, spaces and capitals may be in it */
	const char *description; /* 1-100 characters; shown by Discord and /help; of a context menu's, by /help alone */
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

	/* From here on not of children. */
	enum shoal_command_kind kind;
	uint32_t contexts; /* enum shoal_command_context; 0: servers and the bot's direct messages, by the flags */
	uint32_t installs; /* enum shoal_command_install; 0: servers */
	/* Whom Discord shows it to, until a server's admins say otherwise there; 0: as @permissions. Only a view:
	 * @permissions is what is checked. */
	uint64_t shown_to;

	/* Of children, too. What Discord shows in other languages: SHOAL_LOCAL(…), or a phrase whose English is not
	 * used. Names keep the rules of @name. NULL: as @name and @description everywhere. */
	const struct shoal_phrase *names, *descriptions;

	/* What a member must be (<shoal/level.h>); 0: anybody. A child has its parent's, where that is higher. A server
	 * may ask for another one (/permissions need), save for OPERATOR. */
	enum shoal_level level;
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

/* USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT. */
static inline uint64_t shoal_invocation_id(const struct shoal_invocation *inv, const char *option, uint64_t fallback)
{
	return shoal_api_table->invocation_id(inv, option, fallback);
}

/* Whether the option was given at all. */
static inline bool shoal_invocation_has(const struct shoal_invocation *inv, const char *option)
{
	return shoal_api_table->invocation_has(inv, option);
}

/* The language to answer in: the member's, else the server's. */
static inline enum shoal_language shoal_invocation_language(const struct shoal_invocation *inv)
{
	return shoal_api_table->invocation_language(inv);
}

/* --- who and what was named: <shoal/resolved.h>. NULL: the invocation says nothing of that id. --- */

/* Also the asking member: shoal_resolved_user(inv, shoal_invocation_user_id(inv)). */
static inline const struct shoal_resolved_user *shoal_resolved_user(const struct shoal_invocation *inv, uint64_t id)
{
	return shoal_api_table->resolved_user(inv, id);
}

static inline const struct shoal_resolved_role *shoal_resolved_role(const struct shoal_invocation *inv, uint64_t id)
{
	return shoal_api_table->resolved_role(inv, id);
}

static inline const struct shoal_resolved_channel *shoal_resolved_channel(const struct shoal_invocation *inv,
									  uint64_t id)
{
	return shoal_api_table->resolved_channel(inv, id);
}

static inline const struct shoal_resolved_attachment *shoal_resolved_attachment(const struct shoal_invocation *inv,
										uint64_t id)
{
	return shoal_api_table->resolved_attachment(inv, id);
}

/* What the option names; NULL: it was not given (or, of a MENTIONABLE one, names the other kind). */
static inline const struct shoal_resolved_user *shoal_option_user(const struct shoal_invocation *inv,
								  const char *option)
{
	return shoal_resolved_user(inv, shoal_invocation_id(inv, option, 0));
}

static inline const struct shoal_resolved_role *shoal_option_role(const struct shoal_invocation *inv,
								  const char *option)
{
	return shoal_resolved_role(inv, shoal_invocation_id(inv, option, 0));
}

static inline const struct shoal_resolved_channel *shoal_option_channel(const struct shoal_invocation *inv,
									const char *option)
{
	return shoal_resolved_channel(inv, shoal_invocation_id(inv, option, 0));
}

static inline const struct shoal_resolved_attachment *shoal_option_attachment(const struct shoal_invocation *inv,
									      const char *option)
{
	return shoal_resolved_attachment(inv, shoal_invocation_id(inv, option, 0));
}

/* The user or the message on which a context menu was opened; 0: it is no such command. */
static inline uint64_t shoal_target_id(const struct shoal_invocation *inv)
{
	return shoal_api_table->target_id(inv);
}

/* NULL: it is no message command. */
static inline const struct shoal_resolved_message *shoal_target_message(const struct shoal_invocation *inv)
{
	return shoal_api_table->target_message(inv);
}

/* --- suggestions: in shoal_command_option.suggest only --- */

/* What stands in the option's field by now; "" when nothing. The other options read as in a command, as far as they
 * are filled in and good. */
static inline const char *shoal_suggest_typed(const struct shoal_invocation *inv)
{
	return shoal_api_table->suggest_typed(inv);
}

/* The name of the option that is being typed. */
static inline const char *shoal_suggest_option(const struct shoal_invocation *inv)
{
	return shoal_api_table->suggest_option(inv);
}

/* Shows @choices (at most 25; names longer than 100 characters are cut), once. A handler that returns without, and
 * without a hold, shows none. -EALREADY, -EINVAL (not a suggest function, or too many). */
static inline int shoal_suggest(struct shoal_invocation *inv, const struct shoal_choice *choices, size_t count)
{
	return shoal_api_table->suggest(inv, choices, count);
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

/* Writes a custom id of the component row @prefix into @text (SHOAL_CUSTOM_ID_MAX + 1 bytes): prefix, the row's seal
 * for whom and where it is (SHOAL_COMPONENT_SEALED), ':' and @rest. -ENOENT: you have no such row; -E2BIG: too long. */
static inline int shoal_custom_id(const struct shoal_invocation *inv, const char *prefix, const char *rest, char *text)
{
	return shoal_api_table->custom_id(inv, prefix, rest, text);
}

/* What was chosen in a select: values, or ids as text. Users, roles and channels among them are resolved. */
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

/* A phrase in the asker's language, its {names} filled in with @words (made harmless by you when members wrote them).
 */
static inline int shoal_reply_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
				     const struct shoal_word *words, size_t word_count)
{
	return shoal_api_table->reply_phrase(inv, phrase, words, word_count, false);
}

/* Likewise what went wrong, as shoal_reply_error(). */
static inline int shoal_refuse(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
			       const struct shoal_word *words, size_t word_count)
{
	return shoal_api_table->reply_phrase(inv, phrase, words, word_count, true);
}

/* Something that should not happen did: the member is told so with an incident's number, which is in the log beside
 * @why (English, for the operator). Answers. */
static inline int shoal_reply_incident(struct shoal_invocation *inv, const char *why)
{
	return shoal_api_table->reply_incident(inv, why);
}

/* What Discord made of an effect or a question did not work: the member is told in plain words what that means. What
 * should not happen (a request that Discord can't read, a code that nobody knows) is an incident beside. Nothing for
 * -ECANCELED. Answers. */
static inline int shoal_refuse_result(struct shoal_invocation *inv, const struct shoal_result *result)
{
	return shoal_api_table->refuse_result(inv, result);
}

/* Answers a button, a select, or a form that came from one, by changing the message it stands on. A form that a command
 * has shown stands on none: who sent it sees the answer, alone. -EINVAL where the row lacks SHOAL_COMPONENT_UPDATES. */
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
