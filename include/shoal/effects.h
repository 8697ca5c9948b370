/* SPDX-License-Identifier: MIT */
/* What a module does to Discord. Each call belongs to a scope and ends in one callback. An event that is handled again
 * after a crash does nothing twice: its effects are numbered in the order in which they are begun, so begin them in the
 * same order each time. What becomes of one whose answer a crash swallowed is said by its repeat class, named at each
 * call:
 *	safe	done again; the second time changes nothing
 *	nonce	sent again; Discord knows the message by its nonce for some minutes
 *	check	Discord is asked whether it happened
 *	never	not done again: it ends with -SHOAL_EUNKNOWN, and only a person can look
 *
 * All calls return 0, and @fn (may be NULL: a failure is logged then) is called once, on the loop, never from within
 * the call itself; or negative, and it is not: -EINVAL (an id is missing, or breaks Discord's limits; the log says
 * which), -E2BIG, -ENOBUFS (too much waits already), -ENOSPC (the journal is full), -ECANCELED (the scope has ended),
 * -ENOMEM. */
#ifndef SHOAL_EFFECTS_H
#define SHOAL_EFFECTS_H

#include <shoal/api.h>
#include <shoal/component.h>
#include <shoal/error.h>
#include <shoal/phrase.h>

/* Borrowed for the callback. */
struct shoal_result {
	int error;             /* 0; -SHOAL_EDISCORD (see discord_code), -SHOAL_EUNKNOWN, -ECANCELED, -ETIMEDOUT, … */
	uint32_t http_status;  /* 0: none came */
	uint32_t discord_code; /* 0: none */
	uint64_t created_id;   /* of the message, thread, … that was made; 0: none */
	uint64_t channel_id;   /* where it was made, when Discord says so (a DM); 0: not said */
	const char *message;   /* for a log; "" on success */
	const struct shoal_phrase *phrase; /* for a member; NULL on success. See shoal_refuse_result() */
	bool already;                      /* a worker before us had done it */
};
typedef void (*shoal_done_fn)(void *arg, const struct shoal_result *result);

/* The next effect of @scope has the number @number (up to 65535), whatever was begun before it. For a handler that may
 * decide otherwise when it is begun again, because a setting was changed meanwhile: give what it may leave out a number
 * of its own, and what follows keeps its own. What is known to be done under that number counts as done, also when it
 * would go to another channel or member by now. A number is for one effect. */
static inline void shoal_effect_number(struct shoal_scope *scope, uint32_t number)
{
	shoal_api_table->effect_number(scope, number);
}

/* --- messages --------------------------------------------------------------------------------------------------------
 */

struct shoal_message_send {
	uint64_t channel_id;
	struct shoal_content content;
	uint64_t reply_to; /* a message of the same channel; 0: none. When it is gone the message is sent without */
};
/* nonce */
static inline int shoal_message_send(struct shoal_scope *scope, const struct shoal_message_send *request,
				     shoal_done_fn fn, void *arg)
{
	return shoal_api_table->message_send(scope, request, fn, arg);
}

struct shoal_dm_send {
	uint64_t user_id;
	struct shoal_content content;
};
/* Opens the channel if need be. nonce */
static inline int shoal_dm_send(struct shoal_scope *scope, const struct shoal_dm_send *request, shoal_done_fn fn,
				void *arg)
{
	return shoal_api_table->dm_send(scope, request, fn, arg);
}

struct shoal_message_edit {
	uint64_t channel_id, message_id;
	struct shoal_content content;
};
/* safe */
static inline int shoal_message_edit(struct shoal_scope *scope, const struct shoal_message_edit *request,
				     shoal_done_fn fn, void *arg)
{
	return shoal_api_table->message_edit(scope, request, fn, arg);
}

struct shoal_message_remove {
	uint64_t channel_id, message_id;
	const char *reason; /* in the server's audit log; at most 512 characters; or NULL. Likewise below */
};
/* safe */
static inline int shoal_message_remove(struct shoal_scope *scope, const struct shoal_message_remove *request,
				       shoal_done_fn fn, void *arg)
{
	return shoal_api_table->message_remove(scope, request, fn, arg);
}

struct shoal_message_ref {
	uint64_t channel_id, message_id;
};
/* Publishes a message of an announcement channel. check */
static inline int shoal_message_crosspost(struct shoal_scope *scope, const struct shoal_message_ref *request,
					  shoal_done_fn fn, void *arg)
{
	return shoal_api_table->message_crosspost(scope, request, fn, arg);
}

struct shoal_reaction_set {
	uint64_t channel_id, message_id;
	const char *emoji; /* unicode characters, or "name:id" */
	bool remove;       /* the bot's own is taken back */
};
/* safe */
static inline int shoal_reaction_set(struct shoal_scope *scope, const struct shoal_reaction_set *request,
				     shoal_done_fn fn, void *arg)
{
	return shoal_api_table->reaction_set(scope, request, fn, arg);
}

struct shoal_thread_start {
	uint64_t channel_id;
	uint64_t message_id;      /* the thread hangs on this message: check; 0: on none: never */
	const char *name;         /* 1-100 characters */
	uint32_t archive_minutes; /* 60, 1440, 4320, 10080; 0: the channel's */
	bool is_private;          /* only without a message */
	const char *reason;
};
static inline int shoal_thread_start(struct shoal_scope *scope, const struct shoal_thread_start *request,
				     shoal_done_fn fn, void *arg)
{
	return shoal_api_table->thread_start(scope, request, fn, arg);
}

struct shoal_webhook_execute {
	uint64_t webhook_id;
	const char *token; /* a secret */
	struct shoal_content content;
	const char *username, *avatar_url; /* or NULL: the webhook's own */
	uint64_t thread_id;                /* in the webhook's channel; 0: none */
};
/* never */
static inline int shoal_webhook_execute(struct shoal_scope *scope, const struct shoal_webhook_execute *request,
					shoal_done_fn fn, void *arg)
{
	return shoal_api_table->webhook_execute(scope, request, fn, arg);
}

/* --- members ---------------------------------------------------------------------------------------------------------
 * Ask <shoal/permissions.h> before: what Discord refuses counts against the bot. */

struct shoal_member_role {
	uint64_t guild_id, user_id, role_id;
	bool remove;
	const char *reason;
};
/* safe */
static inline int shoal_member_role(struct shoal_scope *scope, const struct shoal_member_role *request,
				    shoal_done_fn fn, void *arg)
{
	return shoal_api_table->member_role(scope, request, fn, arg);
}

struct shoal_member_timeout {
	uint64_t guild_id, user_id;
	int64_t until_ms; /* Unix, absolute, at most 28 days ahead, reckoned from the event's time so that a second
			   * handling says the same; 0: lifts it */
	const char *reason;
};
/* safe */
static inline int shoal_member_timeout(struct shoal_scope *scope, const struct shoal_member_timeout *request,
				       shoal_done_fn fn, void *arg)
{
	return shoal_api_table->member_timeout(scope, request, fn, arg);
}

struct shoal_member_nick {
	uint64_t guild_id, user_id;
	const char *nick; /* "" or NULL: none */
	const char *reason;
};
/* safe */
static inline int shoal_member_nick(struct shoal_scope *scope, const struct shoal_member_nick *request,
				    shoal_done_fn fn, void *arg)
{
	return shoal_api_table->member_nick(scope, request, fn, arg);
}

struct shoal_member_ref {
	uint64_t guild_id, user_id;
	const char *reason;
};
/* check */
static inline int shoal_member_kick(struct shoal_scope *scope, const struct shoal_member_ref *request, shoal_done_fn fn,
				    void *arg)
{
	return shoal_api_table->member_kick(scope, request, fn, arg);
}

struct shoal_member_ban {
	uint64_t guild_id, user_id;
	uint32_t delete_message_s; /* of the last so many seconds, at most 604800; 0: none */
	const char *reason;
};
/* safe */
static inline int shoal_member_ban(struct shoal_scope *scope, const struct shoal_member_ban *request, shoal_done_fn fn,
				   void *arg)
{
	return shoal_api_table->member_ban(scope, request, fn, arg);
}

/* safe */
static inline int shoal_member_unban(struct shoal_scope *scope, const struct shoal_member_ref *request,
				     shoal_done_fn fn, void *arg)
{
	return shoal_api_table->member_unban(scope, request, fn, arg);
}

struct shoal_bulk_ban {
	uint64_t guild_id;
	const uint64_t *users; /* 1 to 200 */
	size_t user_count;
	uint32_t delete_message_s;
	const char *reason;
};
/* check */
static inline int shoal_bulk_ban(struct shoal_scope *scope, const struct shoal_bulk_ban *request, shoal_done_fn fn,
				 void *arg)
{
	return shoal_api_table->bulk_ban(scope, request, fn, arg);
}

#endif
