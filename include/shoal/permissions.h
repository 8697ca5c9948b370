/* Discord's permission bits and what a member may do with them (source: facts section 10). */
#ifndef SHOAL_PERMISSIONS_H
#define SHOAL_PERMISSIONS_H

#include <shoal/phrase.h>
#include <shoal/view.h>

/* clang-format off */
/* X(name, bit). What Discord's own interface calls them: shoal_permission_words(). */
#define SHOAL_PERMISSIONS(X) \
	X(CREATE_INSTANT_INVITE, 0) \
	X(KICK_MEMBERS, 1) \
	X(BAN_MEMBERS, 2) \
	X(ADMINISTRATOR, 3) \
	X(MANAGE_CHANNELS, 4) \
	X(MANAGE_GUILD, 5) \
	X(ADD_REACTIONS, 6) \
	X(VIEW_AUDIT_LOG, 7) \
	X(PRIORITY_SPEAKER, 8) \
	X(STREAM, 9) \
	X(VIEW_CHANNEL, 10) \
	X(SEND_MESSAGES, 11) \
	X(SEND_TTS_MESSAGES, 12) \
	X(MANAGE_MESSAGES, 13) \
	X(EMBED_LINKS, 14) \
	X(ATTACH_FILES, 15) \
	X(READ_MESSAGE_HISTORY, 16) \
	X(MENTION_EVERYONE, 17) \
	X(USE_EXTERNAL_EMOJIS, 18) \
	X(VIEW_GUILD_INSIGHTS, 19) \
	X(CONNECT, 20) \
	X(SPEAK, 21) \
	X(MUTE_MEMBERS, 22) \
	X(DEAFEN_MEMBERS, 23) \
	X(MOVE_MEMBERS, 24) \
	X(USE_VAD, 25) \
	X(CHANGE_NICKNAME, 26) \
	X(MANAGE_NICKNAMES, 27) \
	X(MANAGE_ROLES, 28) \
	X(MANAGE_WEBHOOKS, 29) \
	X(MANAGE_GUILD_EXPRESSIONS, 30) \
	X(USE_APPLICATION_COMMANDS, 31) \
	X(REQUEST_TO_SPEAK, 32) \
	X(MANAGE_EVENTS, 33) \
	X(MANAGE_THREADS, 34) \
	X(CREATE_PUBLIC_THREADS, 35) \
	X(CREATE_PRIVATE_THREADS, 36) \
	X(USE_EXTERNAL_STICKERS, 37) \
	X(SEND_MESSAGES_IN_THREADS, 38) \
	X(USE_EMBEDDED_ACTIVITIES, 39) \
	X(MODERATE_MEMBERS, 40) \
	X(VIEW_CREATOR_MONETIZATION_ANALYTICS, 41) \
	X(USE_SOUNDBOARD, 42) \
	X(CREATE_GUILD_EXPRESSIONS, 43) \
	X(CREATE_EVENTS, 44) \
	X(USE_EXTERNAL_SOUNDS, 45) \
	X(SEND_VOICE_MESSAGES, 46) \
	X(SET_VOICE_CHANNEL_STATUS, 48) \
	X(SEND_POLLS, 49) \
	X(USE_EXTERNAL_APPS, 50) \
	X(PIN_MESSAGES, 51) \
	X(BYPASS_SLOWMODE, 52)

enum shoal_permission_bit {
#define X(name, bit) SHOAL_PERMISSION_BIT_##name = bit,
	SHOAL_PERMISSIONS(X)
#undef X
};
/* clang-format on */

#define SHOAL_PERMISSION(name) (UINT64_C(1) << SHOAL_PERMISSION_BIT_##name)

#define SHOAL_PERMISSION_ADMINISTRATOR SHOAL_PERMISSION(ADMINISTRATOR)
#define SHOAL_PERMISSION_MANAGE_GUILD  SHOAL_PERMISSION(MANAGE_GUILD)
/* Every bit, also those that nobody knows yet: an owner's and an administrator's. */
#define SHOAL_PERMISSIONS_ALL UINT64_MAX

/* Whether @held (as Discord delivers it, overwrites included) covers @needed: an administrator's covers everything. */
static inline int shoal_permissions_cover(uint64_t held, uint64_t needed)
{
	return (held & SHOAL_PERMISSION_ADMINISTRATOR) || (held & needed) == needed;
}

/* Who asks. A message's or an interaction's member has its roles; the bot's own stand in the guild's view. */
struct shoal_permissions_member {
	uint64_t user_id;
	const uint64_t *roles; /* without @everyone; unknown ones are passed over */
	uint32_t role_count;
	int64_t timeout_ms; /* communication_disabled_until; 0, or in the past: none */
	bool in_thread;     /* is a member of the private thread that is asked about */
};

/* The bot, as the view knows it; @user_id is its own. */
static inline struct shoal_permissions_member shoal_permissions_bot(const struct shoal_guild_view *guild,
								    uint64_t user_id)
{
	return (struct shoal_permissions_member){ .user_id = user_id,
						  .roles = guild->own_roles,
						  .role_count = guild->own_role_count,
						  .timeout_ms = guild->own_timeout_ms };
}

/* What @member may do in the guild at large, at @now_ms (Unix). Any thread. */
uint64_t shoal_permissions_in_guild(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				    int64_t now_ms);

/* What @member may do in the channel or thread @channel_id, overwrites and implied rules included: 0 when the channel
 * can't be seen. In a thread SEND_MESSAGES says whether the member may send there. False: the view does not know the
 * channel, or the thread's parent; @ret_bits is untouched. Where Discord delivers permissions ready-made
 * (interactions), use those. Any thread. */
bool shoal_permissions_in_channel(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				  uint64_t channel_id, int64_t now_ms, uint64_t *ret_bits);

/* The same for the bot itself, whose @user_id is: its roles, and which threads it is in, stand in the view. */
bool shoal_permissions_of_bot(const struct shoal_guild_view *guild, uint64_t user_id, uint64_t channel_id,
			      int64_t now_ms, uint64_t *ret_bits);

/* Whether the holder of @roles (a member of the guild) stands above @other: only then may one kick, ban, rename or time
 * out the other. The owner stands above all and is below nobody. Equal positions: the lower id is higher. */
bool shoal_permissions_outrank(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
			       const struct shoal_permissions_member *other);

/* The same against a role: only then may one give, take or change it. False for roles that the view does not know. */
bool shoal_permissions_above_role(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				  uint64_t role_id);

/* "Manage Server", "Server verwalten" for the lowest bit that is set, as Discord's own interface has it in @language;
 * "?" for one that nobody knows. */
const char *shoal_permission_words(uint64_t bits, enum shoal_language language);

#endif
