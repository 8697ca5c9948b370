/* Discord's permission bits and what a member may do with them (source: facts section 10). */
#ifndef SHOAL_PERMISSIONS_H
#define SHOAL_PERMISSIONS_H

#include <shoal/view.h>

/* clang-format off */
/* X(name, bit, words of Discord's own interface). */
#define SHOAL_PERMISSIONS(X) \
	X(CREATE_INSTANT_INVITE, 0, "Create Invite") \
	X(KICK_MEMBERS, 1, "Kick Members") \
	X(BAN_MEMBERS, 2, "Ban Members") \
	X(ADMINISTRATOR, 3, "Administrator") \
	X(MANAGE_CHANNELS, 4, "Manage Channels") \
	X(MANAGE_GUILD, 5, "Manage Server") \
	X(ADD_REACTIONS, 6, "Add Reactions") \
	X(VIEW_AUDIT_LOG, 7, "View Audit Log") \
	X(PRIORITY_SPEAKER, 8, "Priority Speaker") \
	X(STREAM, 9, "Video") \
	X(VIEW_CHANNEL, 10, "View Channels") \
	X(SEND_MESSAGES, 11, "Send Messages") \
	X(SEND_TTS_MESSAGES, 12, "Send Text-to-Speech Messages") \
	X(MANAGE_MESSAGES, 13, "Manage Messages") \
	X(EMBED_LINKS, 14, "Embed Links") \
	X(ATTACH_FILES, 15, "Attach Files") \
	X(READ_MESSAGE_HISTORY, 16, "Read Message History") \
	X(MENTION_EVERYONE, 17, "Mention Everyone") \
	X(USE_EXTERNAL_EMOJIS, 18, "Use External Emoji") \
	X(VIEW_GUILD_INSIGHTS, 19, "View Server Insights") \
	X(CONNECT, 20, "Connect") \
	X(SPEAK, 21, "Speak") \
	X(MUTE_MEMBERS, 22, "Mute Members") \
	X(DEAFEN_MEMBERS, 23, "Deafen Members") \
	X(MOVE_MEMBERS, 24, "Move Members") \
	X(USE_VAD, 25, "Use Voice Activity") \
	X(CHANGE_NICKNAME, 26, "Change Nickname") \
	X(MANAGE_NICKNAMES, 27, "Manage Nicknames") \
	X(MANAGE_ROLES, 28, "Manage Roles") \
	X(MANAGE_WEBHOOKS, 29, "Manage Webhooks") \
	X(MANAGE_GUILD_EXPRESSIONS, 30, "Manage Expressions") \
	X(USE_APPLICATION_COMMANDS, 31, "Use Application Commands") \
	X(REQUEST_TO_SPEAK, 32, "Request to Speak") \
	X(MANAGE_EVENTS, 33, "Manage Events") \
	X(MANAGE_THREADS, 34, "Manage Threads") \
	X(CREATE_PUBLIC_THREADS, 35, "Create Public Threads") \
	X(CREATE_PRIVATE_THREADS, 36, "Create Private Threads") \
	X(USE_EXTERNAL_STICKERS, 37, "Use External Stickers") \
	X(SEND_MESSAGES_IN_THREADS, 38, "Send Messages in Threads") \
	X(USE_EMBEDDED_ACTIVITIES, 39, "Use Activities") \
	X(MODERATE_MEMBERS, 40, "Timeout Members") \
	X(VIEW_CREATOR_MONETIZATION_ANALYTICS, 41, "View Monetization Analytics") \
	X(USE_SOUNDBOARD, 42, "Use Soundboard") \
	X(CREATE_GUILD_EXPRESSIONS, 43, "Create Expressions") \
	X(CREATE_EVENTS, 44, "Create Events") \
	X(USE_EXTERNAL_SOUNDS, 45, "Use External Sounds") \
	X(SEND_VOICE_MESSAGES, 46, "Send Voice Messages") \
	X(SET_VOICE_CHANNEL_STATUS, 48, "Set Voice Channel Status") \
	X(SEND_POLLS, 49, "Create Polls") \
	X(USE_EXTERNAL_APPS, 50, "Use External Apps") \
	X(PIN_MESSAGES, 51, "Pin Messages") \
	X(BYPASS_SLOWMODE, 52, "Bypass Slowmode")

enum shoal_permission_bit {
#define X(name, bit, words) SHOAL_PERMISSION_BIT_##name = bit,
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

/* "Manage Server" for the lowest bit that is set; "?" for one that nobody knows. */
const char *shoal_permission_words(uint64_t bits);

#endif
