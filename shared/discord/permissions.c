/* Discord's algorithm of permissions, on a guild's view. Pure functions; any thread. Source: facts section 10. */
#include <shoal/permissions.h>

#include <stddef.h>

#include "shared/phrases/phrases.h"

#define P(name) SHOAL_PERMISSION(name)

/* What a member who is timed out keeps. */
#define TIMED_OUT (P(VIEW_CHANNEL) | P(READ_MESSAGE_HISTORY))
/* Void where one can't send. */
#define WITH_SENDING (P(MENTION_EVERYONE) | P(SEND_TTS_MESSAGES) | P(ATTACH_FILES) | P(EMBED_LINKS))
/* Void in a voice channel that one can't enter. */
#define WITH_CONNECTING                                                                                          \
	(P(MANAGE_CHANNELS) | P(PRIORITY_SPEAKER) | P(STREAM) | P(SPEAK) | P(MUTE_MEMBERS) | P(DEAFEN_MEMBERS) | \
	 P(MOVE_MEMBERS) | P(USE_VAD) | P(REQUEST_TO_SPEAK) | P(USE_EMBEDDED_ACTIVITIES) | P(USE_SOUNDBOARD) |   \
	 P(USE_EXTERNAL_SOUNDS) | P(SET_VOICE_CHANNEL_STATUS))

static const struct shoal_role_view *find_role(const struct shoal_guild_view *guild, uint64_t role_id)
{
	uint32_t i;

	for (i = 0; i < guild->role_count; i++) {
		if (guild->roles[i].id == role_id)
			return &guild->roles[i];
	}
	return NULL;
}

static const struct shoal_channel_view *find_channel(const struct shoal_guild_view *guild, uint64_t channel_id)
{
	uint32_t i;

	for (i = 0; i < guild->channel_count; i++) {
		if (guild->channels[i].id == channel_id)
			return &guild->channels[i];
	}
	return NULL;
}

static const struct shoal_thread_view *find_thread(const struct shoal_guild_view *guild, uint64_t thread_id)
{
	uint32_t i;

	for (i = 0; i < guild->thread_count; i++) {
		if (guild->threads[i].id == thread_id)
			return &guild->threads[i];
	}
	return NULL;
}

static bool has_role(const struct shoal_permissions_member *member, uint64_t role_id)
{
	uint32_t i;

	for (i = 0; i < member->role_count; i++) {
		if (member->roles[i] == role_id)
			return true;
	}
	return false;
}

/* Owner and administrators have ALL, and no time-out. */
static uint64_t base_bits(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member)
{
	const struct shoal_role_view *role = find_role(guild, guild->id);
	uint64_t bits = role ? role->permissions : 0;
	uint32_t i;

	if (member->user_id == guild->owner_id)
		return SHOAL_PERMISSIONS_ALL;
	for (i = 0; i < member->role_count; i++) {
		role = find_role(guild, member->roles[i]);
		if (role)
			bits |= role->permissions;
	}
	return bits & P(ADMINISTRATOR) ? SHOAL_PERMISSIONS_ALL : bits;
}

static uint64_t timed_out_bits(const struct shoal_permissions_member *member, int64_t now_ms, uint64_t bits)
{
	return member->timeout_ms > now_ms ? bits & TIMED_OUT : bits;
}

/* @everyone's first, then those of roles together (all denies, then all allows), then the member's own. */
static uint64_t overwritten(const struct shoal_guild_view *guild, const struct shoal_channel_view *channel,
			    const struct shoal_permissions_member *member, uint64_t bits)
{
	const struct shoal_overwrite_view *everyone = NULL, *own = NULL;
	uint64_t allow = 0, deny = 0;
	uint32_t i;

	for (i = 0; i < channel->overwrite_count; i++) {
		const struct shoal_overwrite_view *overwrite = &channel->overwrites[i];

		if (overwrite->member) {
			if (overwrite->id == member->user_id)
				own = overwrite;
		} else if (overwrite->id == guild->id) {
			everyone = overwrite;
		} else if (has_role(member, overwrite->id)) {
			allow |= overwrite->allow;
			deny |= overwrite->deny;
		}
	}
	if (everyone)
		bits = (bits & ~everyone->deny) | everyone->allow;
	bits = (bits & ~deny) | allow;
	if (own)
		bits = (bits & ~own->deny) | own->allow;
	return bits;
}

static bool sees_thread(const struct shoal_thread_view *thread, const struct shoal_permissions_member *member,
			uint64_t bits)
{
	return thread->type != SHOAL_CHANNEL_PRIVATE_THREAD || member->in_thread || (bits & P(MANAGE_THREADS));
}

/* What follows from what one lacks. */
static uint64_t implied(const struct shoal_channel_view *channel, const struct shoal_thread_view *thread,
			const struct shoal_permissions_member *member, uint64_t bits)
{
	if (!(bits & P(VIEW_CHANNEL)))
		return 0;
	if (thread && !sees_thread(thread, member, bits))
		return 0;
	if (thread) {
		bits &= ~P(SEND_MESSAGES);
		/* Into a locked one only who may unlock it writes (Discord's error 160005). */
		if ((bits & P(SEND_MESSAGES_IN_THREADS)) &&
		    (!(thread->flags & SHOAL_THREAD_LOCKED) || (bits & P(MANAGE_THREADS))))
			bits |= P(SEND_MESSAGES);
	}
	if (!(bits & P(SEND_MESSAGES)))
		bits &= ~WITH_SENDING;
	if ((channel->type == SHOAL_CHANNEL_VOICE || channel->type == SHOAL_CHANNEL_STAGE) && !(bits & P(CONNECT)))
		bits &= ~WITH_CONNECTING;
	return bits;
}

uint64_t shoal_permissions_in_guild(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				    int64_t now_ms)
{
	uint64_t bits = base_bits(guild, member);

	return bits == SHOAL_PERMISSIONS_ALL ? bits : timed_out_bits(member, now_ms, bits);
}

bool shoal_permissions_in_channel(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				  uint64_t channel_id, int64_t now_ms, uint64_t *ret_bits)
{
	const struct shoal_thread_view *thread = find_thread(guild, channel_id);
	const struct shoal_channel_view *channel = find_channel(guild, thread ? thread->parent_id : channel_id);
	uint64_t bits;

	if (!channel)
		return false;
	bits = base_bits(guild, member);
	if (bits != SHOAL_PERMISSIONS_ALL) {
		bits = overwritten(guild, channel, member, bits);
		bits = timed_out_bits(member, now_ms, bits);
		bits = implied(channel, thread, member, bits);
	}
	*ret_bits = bits;
	return true;
}

bool shoal_permissions_of_bot(const struct shoal_guild_view *guild, uint64_t user_id, uint64_t channel_id,
			      int64_t now_ms, uint64_t *ret_bits)
{
	struct shoal_permissions_member bot = shoal_permissions_bot(guild, user_id);
	const struct shoal_thread_view *thread = find_thread(guild, channel_id);

	bot.in_thread = thread && (thread->flags & SHOAL_THREAD_JOINED);
	return shoal_permissions_in_channel(guild, &bot, channel_id, now_ms, ret_bits);
}

/* --- hierarchy
 * -------------------------------------------------------------------------------------------------------- */

static bool role_is_above(const struct shoal_role_view *a, const struct shoal_role_view *b)
{
	return a->position != b->position ? a->position > b->position : a->id < b->id;
}

/* @everyone when there is no other; NULL when not even that is known. */
static const struct shoal_role_view *highest_role(const struct shoal_guild_view *guild,
						  const struct shoal_permissions_member *member)
{
	const struct shoal_role_view *highest = find_role(guild, guild->id), *role;
	uint32_t i;

	for (i = 0; i < member->role_count; i++) {
		role = find_role(guild, member->roles[i]);
		if (role && (!highest || highest->id == guild->id || role_is_above(role, highest)))
			highest = role;
	}
	return highest;
}

bool shoal_permissions_outrank(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
			       const struct shoal_permissions_member *other)
{
	const struct shoal_role_view *mine = highest_role(guild, member), *theirs = highest_role(guild, other);

	if (member->user_id == other->user_id || other->user_id == guild->owner_id)
		return false;
	if (member->user_id == guild->owner_id)
		return true;
	if (!mine || !theirs || mine->id == theirs->id || mine->id == guild->id)
		return false;
	return theirs->id == guild->id || role_is_above(mine, theirs);
}

bool shoal_permissions_above_role(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				  uint64_t role_id)
{
	const struct shoal_role_view *role = find_role(guild, role_id), *mine = highest_role(guild, member);

	if (!role)
		return false;
	if (member->user_id == guild->owner_id)
		return true;
	if (!mine || mine->id == guild->id || mine->id == role_id)
		return false;
	return role_id == guild->id || role_is_above(mine, role);
}

const char *shoal_permission_words(uint64_t bits, enum shoal_language language)
{
	static const struct shoal_phrase *const names[64] = {
#define X(name, bit) [bit] = &phrase_PERMISSION_##name,
		SHOAL_PERMISSIONS(X)
#undef X
	};
	const struct shoal_phrase *name = bits ? names[__builtin_ctzll(bits)] : NULL;

	return name ? phrases_text(name, language) : "?";
}
