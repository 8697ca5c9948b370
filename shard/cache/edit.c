/* Lists are copied with room for one more, changed, and hung into the view. A guild has some dozens of each. */
#include "shard/cache/edit.h"

#include <errno.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define OVERWRITE_MEMBER 1

/* --- parts
 * ------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	size_t len;
} features[SHOAL_FEATURE_COUNT] = {
#define X(name) { #name, sizeof(#name) - 1 },
	SHOAL_FEATURES(X)
#undef X
};

static uint64_t feature_bits(const struct shoal_strs *names)
{
	uint64_t bits = 0;
	uint32_t i, k;

	for (i = 0; i < names->count; i++) {
		for (k = 0; k < SHOAL_FEATURE_COUNT; k++) {
			if (names->items[i].len == features[k].len &&
			    memcmp(names->items[i].ptr, features[k].name, features[k].len) == 0) {
				bits |= UINT64_C(1) << k;
				break;
			}
		}
	}
	return bits;
}

static void set_role(struct shoal_role_view *role, const struct part_role *part)
{
	role->id = part->id;
	if (part->has.name)
		role->name = part->name;
	if (part->has.position)
		role->position = part->position;
	if (part->has.permissions)
		role->permissions = part->permissions.bits;
	role->flags = (part->hoist ? SHOAL_ROLE_HOIST : 0) | (part->managed ? SHOAL_ROLE_MANAGED : 0) |
		      (part->mentionable ? SHOAL_ROLE_MENTIONABLE : 0);
}

/* No snowflake of Discord's has the upper bit, and none is 0: such an overwrite is nobody's. */
static bool is_id(uint64_t id)
{
	return id != 0 && id >> 63 == 0;
}

static int set_overwrites(struct shoal_channel_view *channel, const struct part_channel *part, struct arena *arena)
{
	struct shoal_overwrite_view *items;
	uint32_t i, count = 0;

	items = arena_alloc(arena, part->permission_overwrites.count * sizeof(*items));
	if (!items && part->permission_overwrites.count > 0)
		return -ENOBUFS;
	for (i = 0; i < part->permission_overwrites.count; i++) {
		const struct part_overwrite *from = &part->permission_overwrites.items[i];

		if (!is_id(from->id) || from->type > OVERWRITE_MEMBER)
			continue;
		items[count++] = (struct shoal_overwrite_view){ .id = from->id,
								.member = from->type == OVERWRITE_MEMBER,
								.allow = from->allow.bits,
								.deny = from->deny.bits };
	}
	channel->overwrites = items;
	channel->overwrite_count = count;
	return 0;
}

static int set_channel(struct shoal_channel_view *channel, const struct part_channel *part, struct arena *arena)
{
	channel->id = part->id;
	if (part->has.type)
		channel->type = part->type;
	if (part->has.name)
		channel->name = part->name;
	if (part->has.position)
		channel->position = part->position;
	if (part->has.parent_id || part->null.parent_id)
		channel->parent_id = is_id(part->parent_id) ? part->parent_id : 0;
	if (part->has.nsfw)
		channel->flags = part->nsfw ? SHOAL_CHANNEL_NSFW : 0;
	return part->has.permission_overwrites ? set_overwrites(channel, part, arena) : 0;
}

static void set_thread(struct shoal_thread_view *thread, const struct part_channel *part)
{
	thread->id = part->id;
	if (part->has.type)
		thread->type = part->type;
	if (part->has.parent_id)
		thread->parent_id = is_id(part->parent_id) ? part->parent_id : 0;
	if (part->has.member)
		thread->flags |= SHOAL_THREAD_JOINED;
	if (part->thread_metadata) {
		thread->flags &= ~SHOAL_THREAD_LOCKED;
		if (part->thread_metadata->locked)
			thread->flags |= SHOAL_THREAD_LOCKED;
	}
}

static bool is_archived(const struct part_channel *part)
{
	return part->thread_metadata && part->thread_metadata->archived;
}

/* --- lists
 * ------------------------------------------------------------------------------------------------------------ */

/* A copy of @items with room for one more. */
static void *copy_list(const void *items, uint32_t count, size_t size, struct arena *arena)
{
	void *copy = arena_alloc(arena, (count + 1) * size);

	if (copy && count > 0)
		memcpy(copy, items, count * size);
	return copy;
}

/* The index of the item whose first member is @id; @count when there is none. */
static uint32_t find(const void *items, uint32_t count, size_t size, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint64_t have;

		memcpy(&have, (const char *)items + i * size, sizeof(have));
		if (have == id)
			break;
	}
	return i;
}

/* --- the guild itself
 * ------------------------------------------------------------------------------------------------- */

static int replace_roles(struct shoal_guild_view *guild, const struct part_guild *part, struct arena *arena)
{
	struct shoal_role_view *roles = arena_alloc(arena, (part->roles.count + 1) * sizeof(*roles));
	uint32_t i, count = 0;

	if (!roles)
		return -ENOBUFS;
	for (i = 0; i < part->roles.count; i++) {
		if (is_id(part->roles.items[i].id))
			set_role(&roles[count++], &part->roles.items[i]);
	}
	guild->roles = roles;
	guild->role_count = count;
	return 0;
}

static int replace_channels(struct shoal_guild_view *guild, const struct part_guild *part, struct arena *arena)
{
	struct shoal_channel_view *channels = arena_alloc(arena, (part->channels.count + 1) * sizeof(*channels));
	uint32_t i, count = 0;
	int r = 0;

	if (!channels)
		return -ENOBUFS;
	for (i = 0; r == 0 && i < part->channels.count; i++) {
		if (is_id(part->channels.items[i].id))
			r = set_channel(&channels[count++], &part->channels.items[i], arena);
	}
	guild->channels = channels;
	guild->channel_count = count;
	return r;
}

static int replace_threads(struct shoal_guild_view *guild, const struct part_guild *part, struct arena *arena)
{
	struct part_thread_list list = { .threads = { part->threads.items, part->threads.count } };

	return edit_sync_threads(guild, &list, arena);
}

int edit_guild(struct shoal_guild_view *guild, const struct part_guild *part, struct arena *arena)
{
	int r = 0;

	if (part->has.name)
		guild->name = part->name;
	if (part->has.owner_id)
		guild->owner_id = part->owner_id;
	if (part->has.features)
		guild->features = feature_bits(&part->features);
	if (part->has.mfa_level)
		guild->mfa_level = part->mfa_level;
	if (part->has.verification_level)
		guild->verification_level = part->verification_level;
	if (part->has.premium_tier)
		guild->premium_tier = part->premium_tier;
	if (part->has.preferred_locale)
		guild->locale = part->preferred_locale;
	if (part->has.system_channel_id || part->null.system_channel_id)
		guild->system_channel_id = part->system_channel_id;
	if (part->has.roles)
		r = replace_roles(guild, part, arena);
	if (r == 0 && part->has.channels)
		r = replace_channels(guild, part, arena);
	if (r == 0 && part->has.threads)
		r = replace_threads(guild, part, arena);
	return r;
}

int edit_own(struct shoal_guild_view *guild, const struct part_member *part, struct arena *arena)
{
	uint64_t *roles;

	if (part->has.roles) {
		roles = copy_list(part->roles.items, part->roles.count, sizeof(*roles), arena);
		if (!roles)
			return -ENOBUFS;
		guild->own_roles = roles;
		guild->own_role_count = part->roles.count;
	}
	if (part->has.communication_disabled_until || part->null.communication_disabled_until)
		guild->own_timeout_ms = part->communication_disabled_until;
	return 0;
}

/* --- roles
 * ------------------------------------------------------------------------------------------------------------ */

int edit_put_role(struct shoal_guild_view *guild, const struct part_role *part, struct arena *arena)
{
	uint32_t i = find(guild->roles, guild->role_count, sizeof(*guild->roles), part->id);
	struct shoal_role_view *roles;

	if (!is_id(part->id))
		return 0;
	roles = copy_list(guild->roles, guild->role_count, sizeof(*roles), arena);
	if (!roles)
		return -ENOBUFS;
	set_role(&roles[i], part);
	guild->roles = roles;
	guild->role_count += i == guild->role_count;
	return 0;
}

/* Writes into @channel only. */
static int strip_overwrite(struct shoal_channel_view *channel, uint64_t role_id, struct arena *arena)
{
	struct shoal_overwrite_view *items;
	uint32_t i, count = 0;

	for (i = 0; i < channel->overwrite_count; i++)
		count += channel->overwrites[i].id == role_id && !channel->overwrites[i].member;
	if (count == 0)
		return 0;
	items = arena_alloc(arena, channel->overwrite_count * sizeof(*items));
	if (!items)
		return -ENOBUFS;
	count = 0;
	for (i = 0; i < channel->overwrite_count; i++) {
		if (channel->overwrites[i].id != role_id || channel->overwrites[i].member)
			items[count++] = channel->overwrites[i];
	}
	channel->overwrites = items;
	channel->overwrite_count = count;
	return 0;
}

static int strip_own(struct shoal_guild_view *guild, uint64_t role_id, struct arena *arena)
{
	uint64_t *roles = copy_list(guild->own_roles, guild->own_role_count, sizeof(*roles), arena);
	uint32_t i, count = 0;

	if (!roles)
		return -ENOBUFS;
	for (i = 0; i < guild->own_role_count; i++) {
		if (roles[i] != role_id)
			roles[count++] = roles[i];
	}
	guild->own_roles = roles;
	guild->own_role_count = count;
	return 0;
}

int edit_remove_role(struct shoal_guild_view *guild, uint64_t role_id, struct arena *arena)
{
	uint32_t at = find(guild->roles, guild->role_count, sizeof(*guild->roles), role_id), i;
	struct shoal_role_view *roles = copy_list(guild->roles, guild->role_count, sizeof(*roles), arena);
	struct shoal_channel_view *channels =
		copy_list(guild->channels, guild->channel_count, sizeof(*channels), arena);
	int r = 0;

	if (!roles || !channels)
		return -ENOBUFS;
	if (at < guild->role_count) {
		memmove(&roles[at], &roles[at + 1], (guild->role_count - at - 1) * sizeof(*roles));
		guild->role_count--;
	}
	guild->roles = roles;
	guild->channels = channels;
	for (i = 0; r == 0 && i < guild->channel_count; i++)
		r = strip_overwrite(&channels[i], role_id, arena);
	return r < 0 ? r : strip_own(guild, role_id, arena);
}

/* --- channels
 * --------------------------------------------------------------------------------------------------------- */

int edit_put_channel(struct shoal_guild_view *guild, const struct part_channel *part, struct arena *arena)
{
	uint32_t i = find(guild->channels, guild->channel_count, sizeof(*guild->channels), part->id);
	struct shoal_channel_view *channels;

	if (!is_id(part->id))
		return 0;
	channels = copy_list(guild->channels, guild->channel_count, sizeof(*channels), arena);
	if (!channels)
		return -ENOBUFS;
	guild->channels = channels;
	guild->channel_count += i == guild->channel_count;
	return set_channel(&channels[i], part, arena);
}

int edit_remove_channel(struct shoal_guild_view *guild, uint64_t channel_id, struct arena *arena)
{
	struct shoal_channel_view *channels =
		copy_list(guild->channels, guild->channel_count, sizeof(*channels), arena);
	struct shoal_thread_view *threads = copy_list(guild->threads, guild->thread_count, sizeof(*threads), arena);
	uint32_t i, count = 0;

	if (!channels || !threads)
		return -ENOBUFS;
	for (i = 0; i < guild->channel_count; i++) {
		if (channels[i].id == channel_id)
			continue;
		channels[count] = channels[i];
		if (channels[count].parent_id == channel_id)
			channels[count].parent_id = 0;
		count++;
	}
	guild->channels = channels;
	guild->channel_count = count;
	count = 0;
	for (i = 0; i < guild->thread_count; i++) {
		if (threads[i].parent_id != channel_id)
			threads[count++] = threads[i];
	}
	guild->threads = threads;
	guild->thread_count = count;
	return 0;
}

/* --- threads
 * ---------------------------------------------------------------------------------------------------------- */

int edit_put_thread(struct shoal_guild_view *guild, const struct part_channel *part, struct arena *arena)
{
	uint32_t i = find(guild->threads, guild->thread_count, sizeof(*guild->threads), part->id);
	struct shoal_thread_view *threads;

	if (!is_id(part->id))
		return 0;
	if (is_archived(part))
		return edit_remove_thread(guild, part->id, arena);
	threads = copy_list(guild->threads, guild->thread_count, sizeof(*threads), arena);
	if (!threads)
		return -ENOBUFS;
	set_thread(&threads[i], part);
	guild->threads = threads;
	guild->thread_count += i == guild->thread_count;
	return 0;
}

int edit_remove_thread(struct shoal_guild_view *guild, uint64_t thread_id, struct arena *arena)
{
	uint32_t at = find(guild->threads, guild->thread_count, sizeof(*guild->threads), thread_id);
	struct shoal_thread_view *threads;

	if (at == guild->thread_count)
		return 0;
	threads = copy_list(guild->threads, guild->thread_count, sizeof(*threads), arena);
	if (!threads)
		return -ENOBUFS;
	memmove(&threads[at], &threads[at + 1], (guild->thread_count - at - 1) * sizeof(*threads));
	guild->threads = threads;
	guild->thread_count--;
	return 0;
}

int edit_join_thread(struct shoal_guild_view *guild, uint64_t thread_id, bool joined, struct arena *arena)
{
	uint32_t at = find(guild->threads, guild->thread_count, sizeof(*guild->threads), thread_id);
	struct shoal_thread_view *threads;

	if (at == guild->thread_count)
		return 0;
	threads = copy_list(guild->threads, guild->thread_count, sizeof(*threads), arena);
	if (!threads)
		return -ENOBUFS;
	threads[at].flags = (threads[at].flags & ~SHOAL_THREAD_JOINED) | (joined ? SHOAL_THREAD_JOINED : 0);
	guild->threads = threads;
	return 0;
}

static bool is_listed(const struct part_thread_list *list, uint64_t channel_id)
{
	uint32_t i;

	if (!list->has.channel_ids)
		return true;
	for (i = 0; i < list->channel_ids.count; i++) {
		if (list->channel_ids.items[i] == channel_id)
			return true;
	}
	return false;
}

int edit_sync_threads(struct shoal_guild_view *guild, const struct part_thread_list *list, struct arena *arena)
{
	size_t room = (size_t)guild->thread_count + list->threads.count + 1;
	struct shoal_thread_view *threads = arena_alloc(arena, room * sizeof(*threads));
	uint32_t i, at, count = 0;
	int r = 0;

	if (!threads)
		return -ENOBUFS;
	for (i = 0; i < guild->thread_count; i++) {
		if (!is_listed(list, guild->threads[i].parent_id))
			threads[count++] = guild->threads[i];
	}
	for (i = 0; i < list->threads.count; i++) {
		const struct part_channel *part = &list->threads.items[i];

		at = find(threads, count, sizeof(*threads), part->id);
		if (!is_id(part->id) || is_archived(part))
			continue;
		if (at == count)
			threads[count++] = (struct shoal_thread_view){ 0 };
		set_thread(&threads[at], part);
	}
	guild->threads = threads;
	guild->thread_count = count;
	for (i = 0; r == 0 && i < list->members.count; i++)
		r = edit_join_thread(guild, list->members.items[i].id, true, arena);
	return r;
}
