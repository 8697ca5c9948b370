/* Every REST route that shoal uses, one row each: how it is called, how it repeats, what is allowed on it.
 * Pure data and pure functions; any thread. Source: discord-facts.md sections 2, 11-15. */
#ifndef SHOAL_SHARED_DISCORD_ROUTES_H
#define SHOAL_SHARED_DISCORD_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

/* X(enumerator, method, path, repeat class, check route, flags). {name} stands for an id, {token} and {emoji} for text;
 * the major parameter is what follows a leading /channels/, /guilds/ or /webhooks/ (there with the token, if any). */
#define ROUTE_TABLE(X)                                                                                                 \
	X(GET_GATEWAY, GET, "/gateway", SAFE, NONE, NO_AUTH | ESSENTIAL)                                               \
	X(GET_GATEWAY_BOT, GET, "/gateway/bot", SAFE, NONE, ESSENTIAL)                                                 \
	X(GET_APPLICATION, GET, "/applications/@me", SAFE, NONE, ESSENTIAL)                                            \
	X(GET_SELF, GET, "/users/@me", SAFE, NONE, ESSENTIAL)                                                          \
	X(GET_USER, GET, "/users/{user}", SAFE, NONE, 0)                                                               \
	X(CREATE_DM, POST, "/users/@me/channels", SAFE, NONE, BODY)                                                    \
	X(GET_OWN_GUILDS, GET, "/users/@me/guilds", SAFE, NONE, 0)                                                     \
	X(LEAVE_GUILD, DELETE, "/users/@me/guilds/{guild}", SAFE, NONE, 0)                                             \
	/* application commands */                                                                                     \
	X(GET_COMMANDS, GET, "/applications/{application}/commands", SAFE, NONE, ESSENTIAL)                            \
	X(PUT_COMMANDS, PUT, "/applications/{application}/commands", SAFE, NONE, BODY)                                 \
	X(CREATE_COMMAND, POST, "/applications/{application}/commands", SAFE, NONE, BODY)                              \
	X(EDIT_COMMAND, PATCH, "/applications/{application}/commands/{command}", SAFE, NONE, BODY)                     \
	X(DELETE_COMMAND, DELETE, "/applications/{application}/commands/{command}", SAFE, NONE, 0)                     \
	X(GET_GUILD_COMMANDS, GET, "/applications/{application}/guilds/{guild}/commands", SAFE, NONE, 0)               \
	X(PUT_GUILD_COMMANDS, PUT, "/applications/{application}/guilds/{guild}/commands", SAFE, NONE, BODY)            \
	X(GET_COMMAND_PERMISSIONS, GET, "/applications/{application}/guilds/{guild}/commands/permissions", SAFE, NONE, \
	  0)                                                                                                           \
	/* interactions */                                                                                             \
	X(INTERACTION_CALLBACK, POST, "/interactions/{interaction}/{token}/callback", SAFE, NONE,                      \
	  BODY | NO_AUTH | NO_GLOBAL | INTERACTION | ESSENTIAL)                                                        \
	X(GET_ORIGINAL, GET, "/webhooks/{application}/{token}/messages/@original", SAFE, NONE, NO_AUTH | NO_GLOBAL)    \
	X(EDIT_ORIGINAL, PATCH, "/webhooks/{application}/{token}/messages/@original", SAFE, NONE,                      \
	  BODY | NO_AUTH | NO_GLOBAL | ESSENTIAL | ORDERED)                                                            \
	X(DELETE_ORIGINAL, DELETE, "/webhooks/{application}/{token}/messages/@original", SAFE, NONE,                   \
	  NO_AUTH | NO_GLOBAL)                                                                                         \
	X(CREATE_FOLLOWUP, POST, "/webhooks/{application}/{token}", NEVER, NONE,                                       \
	  BODY | NO_AUTH | NO_GLOBAL | ESSENTIAL | ORDERED)                                                            \
	X(GET_FOLLOWUP, GET, "/webhooks/{application}/{token}/messages/{message}", SAFE, NONE, NO_AUTH | NO_GLOBAL)    \
	X(EDIT_FOLLOWUP, PATCH, "/webhooks/{application}/{token}/messages/{message}", SAFE, NONE,                      \
	  BODY | NO_AUTH | NO_GLOBAL | ORDERED)                                                                        \
	X(DELETE_FOLLOWUP, DELETE, "/webhooks/{application}/{token}/messages/{message}", SAFE, NONE,                   \
	  NO_AUTH | NO_GLOBAL)                                                                                         \
	/* messages */                                                                                                 \
	X(GET_MESSAGES, GET, "/channels/{channel}/messages", SAFE, NONE, 0)                                            \
	X(GET_MESSAGE, GET, "/channels/{channel}/messages/{message}", SAFE, NONE, 0)                                   \
	X(CREATE_MESSAGE, POST, "/channels/{channel}/messages", NONCE, NONE, BODY | ORDERED)                           \
	X(EDIT_MESSAGE, PATCH, "/channels/{channel}/messages/{message}", SAFE, NONE, BODY | ORDERED)                   \
	X(DELETE_MESSAGE, DELETE, "/channels/{channel}/messages/{message}", SAFE, NONE, AUDIT | BY_AGE)                \
	X(BULK_DELETE, POST, "/channels/{channel}/messages/bulk-delete", SAFE, NONE, BODY | AUDIT)                     \
	X(CROSSPOST, POST, "/channels/{channel}/messages/{message}/crosspost", CHECK, GET_MESSAGE, 0)                  \
	X(TYPING, POST, "/channels/{channel}/typing", SAFE, NONE, 0)                                                   \
	X(ADD_REACTION, PUT, "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", SAFE, NONE, 0)            \
	X(DELETE_OWN_REACTION, DELETE, "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", SAFE, NONE, 0)  \
	X(DELETE_REACTION, DELETE, "/channels/{channel}/messages/{message}/reactions/{emoji}/{user}", SAFE, NONE, 0)   \
	X(DELETE_REACTIONS_OF, DELETE, "/channels/{channel}/messages/{message}/reactions/{emoji}", SAFE, NONE, 0)      \
	X(DELETE_REACTIONS, DELETE, "/channels/{channel}/messages/{message}/reactions", SAFE, NONE, 0)                 \
	X(GET_REACTIONS, GET, "/channels/{channel}/messages/{message}/reactions/{emoji}", SAFE, NONE, 0)               \
	X(GET_PINS, GET, "/channels/{channel}/messages/pins", SAFE, NONE, 0)                                           \
	X(PIN, PUT, "/channels/{channel}/messages/pins/{message}", SAFE, NONE, AUDIT)                                  \
	X(UNPIN, DELETE, "/channels/{channel}/messages/pins/{message}", SAFE, NONE, AUDIT)                             \
	X(EXPIRE_POLL, POST, "/channels/{channel}/polls/{message}/expire", SAFE, NONE, 0)                              \
	/* channels and threads */                                                                                     \
	X(GET_CHANNEL, GET, "/channels/{channel}", SAFE, NONE, 0)                                                      \
	X(EDIT_CHANNEL, PATCH, "/channels/{channel}", SAFE, NONE, BODY | AUDIT)                                        \
	X(DELETE_CHANNEL, DELETE, "/channels/{channel}", SAFE, NONE, AUDIT)                                            \
	X(PUT_OVERWRITE, PUT, "/channels/{channel}/permissions/{overwrite}", SAFE, NONE, BODY | AUDIT)                 \
	X(DELETE_OVERWRITE, DELETE, "/channels/{channel}/permissions/{overwrite}", SAFE, NONE, AUDIT)                  \
	X(CREATE_INVITE, POST, "/channels/{channel}/invites", NEVER, NONE, BODY | AUDIT)                               \
	X(CREATE_MESSAGE_THREAD, POST, "/channels/{channel}/messages/{message}/threads", CHECK, GET_CHANNEL,           \
	  BODY | AUDIT)                                                                                                \
	X(CREATE_THREAD, POST, "/channels/{channel}/threads", NEVER, NONE, BODY | AUDIT)                               \
	X(JOIN_THREAD, PUT, "/channels/{channel}/thread-members/@me", SAFE, NONE, 0)                                   \
	X(LEAVE_THREAD, DELETE, "/channels/{channel}/thread-members/@me", SAFE, NONE, 0)                               \
	X(ADD_THREAD_MEMBER, PUT, "/channels/{channel}/thread-members/{user}", SAFE, NONE, 0)                          \
	X(REMOVE_THREAD_MEMBER, DELETE, "/channels/{channel}/thread-members/{user}", SAFE, NONE, 0)                    \
	X(GET_ACTIVE_THREADS, GET, "/guilds/{guild}/threads/active", SAFE, NONE, 0)                                    \
	/* guilds */                                                                                                   \
	X(GET_GUILD, GET, "/guilds/{guild}", SAFE, NONE, 0)                                                            \
	X(GET_CHANNELS, GET, "/guilds/{guild}/channels", SAFE, NONE, 0)                                                \
	X(CREATE_CHANNEL, POST, "/guilds/{guild}/channels", NEVER, NONE, BODY | AUDIT)                                 \
	X(GET_ROLES, GET, "/guilds/{guild}/roles", SAFE, NONE, 0)                                                      \
	X(GET_ROLE_COUNTS, GET, "/guilds/{guild}/roles/member-counts", SAFE, NONE, 0)                                  \
	X(CREATE_ROLE, POST, "/guilds/{guild}/roles", NEVER, NONE, BODY | AUDIT)                                       \
	X(EDIT_ROLE, PATCH, "/guilds/{guild}/roles/{role}", SAFE, NONE, BODY | AUDIT)                                  \
	X(DELETE_ROLE, DELETE, "/guilds/{guild}/roles/{role}", SAFE, NONE, AUDIT)                                      \
	X(GET_MEMBER, GET, "/guilds/{guild}/members/{user}", SAFE, NONE, 0)                                            \
	X(GET_MEMBERS, GET, "/guilds/{guild}/members", SAFE, NONE, 0)                                                  \
	X(SEARCH_MEMBERS, GET, "/guilds/{guild}/members/search", SAFE, NONE, 0)                                        \
	X(EDIT_MEMBER, PATCH, "/guilds/{guild}/members/{user}", SAFE, NONE, BODY | AUDIT)                              \
	X(EDIT_OWN_MEMBER, PATCH, "/guilds/{guild}/members/@me", SAFE, NONE, BODY | AUDIT)                             \
	X(ADD_ROLE, PUT, "/guilds/{guild}/members/{user}/roles/{role}", SAFE, NONE, AUDIT)                             \
	X(REMOVE_ROLE, DELETE, "/guilds/{guild}/members/{user}/roles/{role}", SAFE, NONE, AUDIT)                       \
	X(KICK, DELETE, "/guilds/{guild}/members/{user}", CHECK, GET_MEMBER, AUDIT)                                    \
	X(GET_BANS, GET, "/guilds/{guild}/bans", SAFE, NONE, 0)                                                        \
	X(GET_BAN, GET, "/guilds/{guild}/bans/{user}", SAFE, NONE, 0)                                                  \
	X(BAN, PUT, "/guilds/{guild}/bans/{user}", SAFE, NONE, BODY | AUDIT)                                           \
	X(UNBAN, DELETE, "/guilds/{guild}/bans/{user}", SAFE, NONE, AUDIT)                                             \
	X(BULK_BAN, POST, "/guilds/{guild}/bulk-ban", CHECK, GET_BAN, BODY | AUDIT)                                    \
	X(GET_PRUNE_COUNT, GET, "/guilds/{guild}/prune", SAFE, NONE, 0)                                                \
	X(PRUNE, POST, "/guilds/{guild}/prune", NEVER, NONE, BODY | AUDIT)                                             \
	X(GET_AUDIT_LOG, GET, "/guilds/{guild}/audit-logs", SAFE, NONE, 0)                                             \
	X(SEARCH_MESSAGES, GET, "/guilds/{guild}/messages/search", SAFE, NONE, 0)                                      \
	/* webhooks */                                                                                                 \
	X(CREATE_WEBHOOK, POST, "/channels/{channel}/webhooks", NEVER, NONE, BODY | AUDIT)                             \
	X(GET_CHANNEL_WEBHOOKS, GET, "/channels/{channel}/webhooks", SAFE, NONE, 0)                                    \
	X(GET_GUILD_WEBHOOKS, GET, "/guilds/{guild}/webhooks", SAFE, NONE, 0)                                          \
	X(EXECUTE_WEBHOOK, POST, "/webhooks/{webhook}/{token}", NEVER, NONE, BODY | NO_AUTH | ORDERED)                 \
	X(EDIT_WEBHOOK_MESSAGE, PATCH, "/webhooks/{webhook}/{token}/messages/{message}", SAFE, NONE,                   \
	  BODY | NO_AUTH | ORDERED)                                                                                    \
	X(DELETE_WEBHOOK_MESSAGE, DELETE, "/webhooks/{webhook}/{token}/messages/{message}", SAFE, NONE, NO_AUTH)       \
	X(DELETE_WEBHOOK, DELETE, "/webhooks/{webhook}", SAFE, NONE, AUDIT)

enum route {
	ROUTE_NONE = -1,
#define X(name, method, path, repeat, check, flags) ROUTE_##name,
	ROUTE_TABLE(X)
#undef X
		ROUTE_COUNT,
};

/* Ids a path may hold; the name in braces is route_id_names[]. */
enum route_id {
	ROUTE_ID_CHANNEL,
	ROUTE_ID_GUILD,
	ROUTE_ID_MESSAGE,
	ROUTE_ID_USER,
	ROUTE_ID_ROLE,
	ROUTE_ID_APPLICATION,
	ROUTE_ID_COMMAND,
	ROUTE_ID_INTERACTION,
	ROUTE_ID_WEBHOOK,
	ROUTE_ID_OVERWRITE,
	ROUTE_ID_COUNT,
};
extern const char *const route_id_names[ROUTE_ID_COUNT];

enum route_method { ROUTE_GET, ROUTE_POST, ROUTE_PUT, ROUTE_PATCH, ROUTE_DELETE, ROUTE_METHOD_COUNT };
extern const char *const route_method_names[ROUTE_METHOD_COUNT];

/* What doing it twice does. */
enum route_repeat {
	ROUTE_SAFE,  /* nothing: repeat at will */
	ROUTE_NONCE, /* nothing, when the body has a nonce with enforce_nonce and is not older than ROUTE_NONCE_AGE_MS
		      */
	ROUTE_CHECK, /* something; the row's check route tells whether the first one happened */
	ROUTE_NEVER, /* something, and nothing tells */
};
#define ROUTE_REPEAT_COUNT (ROUTE_NEVER + 1)
extern const char *const route_repeat_names[ROUTE_REPEAT_COUNT];

/* Discord forgets nonces "after a few minutes": we rely on two. */
#define ROUTE_NONCE_AGE_MS 120000

enum route_flags {
	ROUTE_NO_AUTH = 1 << 0,     /* no Authorization header: the path's token is the key */
	ROUTE_NO_GLOBAL = 1 << 1,   /* does not count to the global limit */
	ROUTE_INTERACTION = 1 << 2, /* the callback: exempt from every limit, first in line, never queued */
	ROUTE_AUDIT = 1 << 3,       /* X-Audit-Log-Reason is allowed */
	ROUTE_ESSENTIAL = 1 << 4,   /* goes on when invalid requests have used 80 % of their allowance */
	ROUTE_BODY = 1 << 5,        /* needs a JSON body; without the flag there must be none */
	ROUTE_ORDERED = 1 << 6,     /* one at a time per bucket, so that members see them in the order they were sent */
	ROUTE_BY_AGE = 1 << 7,      /* Discord keeps several buckets, chosen by the message's age */
};
#define ROUTE_VARIANTS 3

struct route_row {
	const char *name; /* "CREATE_MESSAGE": for logs and metrics */
	enum route_method method;
	enum route_repeat repeat;
	enum route check;
	uint32_t flags;
	const char *path;
};

extern const struct route_row route_rows[ROUTE_COUNT];

/* What fills a path. Ids by name: .ids = { [ROUTE_ID_CHANNEL] = id }. Texts are borrowed and percent-encoded here. */
struct route_args {
	uint64_t ids[ROUTE_ID_COUNT];
	const char *token; /* {token}: of an interaction or webhook */
	const char *emoji; /* {emoji}: unicode characters, or "name:id" */
};

/* Appends the path of @route ("/channels/1/messages") to @path. -EINVAL when an id or text that the path needs is
 * missing (0, NULL, ""), @path is then as before; -ENOBUFS, -ENOMEM. */
int route_path(enum route route, const struct route_args *args, struct buf *path);

/* Appends the major parameter's value ("584675324067971076", "id/token"; nothing when the route has none) to @major.
 * Same errors. Source: discord-facts.md section 12. */
int route_major(enum route route, const struct route_args *args, struct buf *major);

/* 0-based row of @name, or -EINVAL. */
int route_find(const char *name);

/* Which of Discord's buckets of a BY_AGE route this call will meet: 0 younger than 10 s, 1 older, 2 over two weeks.
 * 0 for all other routes. */
unsigned route_variant(enum route route, const struct route_args *args, int64_t now_wall_ms);

/* Appends @text percent-encoded (all but unreserved characters of RFC 3986). */
int route_encode(struct buf *out, const char *text);

#endif
