/* The copies. Run while an event is taken up, and when Discord answers who somebody is. */
#include "shard/commands/resolved.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <shoal/snowflake.h>

struct resolved_user {
	struct shoal_resolved_user is;
	struct resolved_user *next;
};

struct resolved_role {
	struct shoal_resolved_role is;
	struct resolved_role *next;
};

struct resolved_channel {
	struct shoal_resolved_channel is;
	struct resolved_channel *next;
};

struct resolved_attachment {
	struct shoal_resolved_attachment is;
	struct resolved_attachment *next;
};

struct resolved_message {
	struct shoal_resolved_message is;
	struct resolved_message *next;
};

void resolved_init(struct resolved *resolved)
{
	memset(resolved, 0, sizeof(*resolved));
	arena_init(&resolved->arena, RESOLVED_MAX);
}

void resolved_finish(struct resolved *resolved)
{
	arena_finish(&resolved->arena);
	resolved_init(resolved);
}

/* --- pieces --------------------------------------------------------------------------------------------------------
 */

/* As C string, bytes of value 0 left out. NULL: no room. */
static const char *copy(struct resolved *resolved, struct shoal_str text)
{
	char *out = arena_alloc(&resolved->arena, (size_t)text.len + 1);
	size_t len = 0;

	for (uint32_t i = 0; out && i < text.len; i++)
		if (text.ptr[i])
			out[len++] = text.ptr[i];
	return out;
}

const char *resolved_keep(struct resolved *resolved, const char *text)
{
	return copy(resolved, (struct shoal_str){ text, (uint32_t)strlen(text) });
}

/* NULL where there was none. */
static const char *copy_some(struct resolved *resolved, bool there, struct shoal_str text)
{
	return there ? copy(resolved, text) : NULL;
}

static const char *copy_json(struct resolved *resolved, const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);

	if (!json_is_string(text))
		return NULL;
	return copy(resolved, (struct shoal_str){ json_string_value(text), (uint32_t)json_string_length(text) });
}

static const char *shown_name(const struct shoal_resolved_user *user)
{
	return user->nick ? user->nick : user->global_name ? user->global_name : user->username;
}

/* A new entry at the head of its list, or the one that is there already. */
static struct resolved_user *user_of(struct resolved *resolved, uint64_t id)
{
	struct resolved_user *node;

	for (node = resolved->users; node; node = node->next)
		if (node->is.id == id)
			return node;
	node = arena_alloc(&resolved->arena, sizeof(*node));
	if (!node)
		return NULL;
	node->is.id = id;
	node->is.username = node->is.shown_name = "";
	node->next = resolved->users;
	resolved->users = node;
	return node;
}

/* --- users ---------------------------------------------------------------------------------------------------------
 */

static int fill_user(struct resolved *resolved, struct shoal_resolved_user *out, const struct shoal_user *user)
{
	const char *name = copy(resolved, user->username);

	if (!name)
		return -ENOMEM;
	out->username = name;
	out->global_name = copy_some(resolved, user->has.global_name, user->global_name);
	out->avatar = copy_some(resolved, user->has.avatar, user->avatar);
	out->banner = copy_some(resolved, user->has.banner, user->banner);
	out->bot = user->bot;
	out->system = user->system;
	out->public_flags = user->public_flags;
	out->shown_name = shown_name(out);
	return 0;
}

static int fill_member(struct resolved *resolved, struct shoal_resolved_user *out, const struct shoal_member *member)
{
	uint64_t *roles = arena_alloc(&resolved->arena, (member->roles.count + 1) * sizeof(*roles));

	if (!roles)
		return -ENOMEM;
	if (member->roles.count)
		memcpy(roles, member->roles.items, member->roles.count * sizeof(*roles));
	out->is_member = true;
	out->roles = roles;
	out->role_count = member->roles.count;
	out->nick = copy_some(resolved, member->has.nick, member->nick);
	out->guild_avatar = copy_some(resolved, member->has.avatar, member->avatar);
	out->joined_ms = member->joined_at;
	out->boosting_ms = member->premium_since;
	out->timed_out_ms = member->communication_disabled_until;
	if (member->has.permissions) {
		out->permissions_known = true;
		out->permissions = member->permissions.bits;
	}
	out->shown_name = shown_name(out);
	return 0;
}

static int add_user(struct resolved *resolved, const struct shoal_user *user, const struct shoal_member *member)
{
	struct resolved_user *node = user_of(resolved, user->id);
	int r = node ? fill_user(resolved, &node->is, user) : -ENOMEM;

	return r == 0 && member ? fill_member(resolved, &node->is, member) : r;
}

static int64_t time_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	struct tm tm = { 0 };

	/* Always UTC, as Discord writes it; what stands behind the seconds is not wanted. */
	return text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) * 1000 : 0;
}

static uint64_t id_in(const json_t *object, const char *key)
{
	const json_t *id = json_object_get(object, key);
	uint64_t value;

	return json_is_string(id) && shoal_snowflake_parse(json_string_value(id), json_string_length(id), &value) == 0
		       ? value
		       : 0;
}

int resolved_add_user_json(struct resolved *resolved, const json_t *user)
{
	uint64_t id = id_in(user, "id");
	const char *name = json_string_value(json_object_get(user, "username"));
	struct resolved_user *node;

	if (!id || !name)
		return -EBADMSG;
	node = user_of(resolved, id);
	if (!node)
		return -ENOMEM;
	name = copy_json(resolved, user, "username");
	if (!name)
		return -ENOMEM;
	node->is.username = name;
	node->is.global_name = copy_json(resolved, user, "global_name");
	node->is.avatar = copy_json(resolved, user, "avatar");
	node->is.banner = copy_json(resolved, user, "banner");
	node->is.bot = json_is_true(json_object_get(user, "bot"));
	node->is.system = json_is_true(json_object_get(user, "system"));
	node->is.public_flags = (uint64_t)json_integer_value(json_object_get(user, "public_flags"));
	node->is.shown_name = shown_name(&node->is);
	return 0;
}

int resolved_add_member_json(struct resolved *resolved, const json_t *member)
{
	const json_t *user = json_object_get(member, "user"), *list = json_object_get(member, "roles");
	int r = resolved_add_user_json(resolved, user);
	struct resolved_user *node;
	uint64_t *roles;

	if (r < 0)
		return r;
	node = user_of(resolved, id_in(user, "id"));
	roles = arena_alloc(&resolved->arena, (json_array_size(list) + 1) * sizeof(*roles));
	if (!node || !roles)
		return -ENOMEM;
	node->is.is_member = true;
	node->is.roles = roles;
	node->is.role_count = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *role = json_array_get(list, i);

		if (json_is_string(role) && shoal_snowflake_parse(json_string_value(role), json_string_length(role),
								  &roles[node->is.role_count]) == 0)
			node->is.role_count++;
	}
	node->is.nick = copy_json(resolved, member, "nick");
	node->is.guild_avatar = copy_json(resolved, member, "avatar");
	node->is.joined_ms = time_of(member, "joined_at");
	node->is.boosting_ms = time_of(member, "premium_since");
	node->is.timed_out_ms = time_of(member, "communication_disabled_until");
	node->is.shown_name = shown_name(&node->is);
	return 0;
}

/* --- roles, channels, attachments, messages ------------------------------------------------------------------------
 */

static int add_role(struct resolved *resolved, const struct shoal_role *role)
{
	struct resolved_role *node = arena_alloc(&resolved->arena, sizeof(*node));
	const char *name = node ? copy(resolved, role->name) : NULL;

	if (!name)
		return -ENOMEM;
	node->is = (struct shoal_resolved_role){ .id = role->id,
						 .name = name,
						 .color = role->color,
						 .position = role->position,
						 .hoisted = role->hoist,
						 .managed = role->managed,
						 .mentionable = role->mentionable,
						 .permissions = role->permissions.bits };
	node->next = resolved->roles;
	resolved->roles = node;
	return 0;
}

static int add_channel(struct resolved *resolved, const struct shoal_channel *channel)
{
	struct resolved_channel *node = arena_alloc(&resolved->arena, sizeof(*node));
	const char *name = node ? copy(resolved, channel->name) : NULL;

	if (!name)
		return -ENOMEM;
	node->is = (struct shoal_resolved_channel){ .id = channel->id,
						    .name = name,
						    .type = channel->type,
						    .parent_id = channel->parent_id,
						    .nsfw = channel->nsfw,
						    .permissions_known = channel->has.permissions,
						    .permissions = channel->permissions.bits,
						    .own_known = channel->has.app_permissions,
						    .own_permissions = channel->app_permissions.bits };
	node->next = resolved->channels;
	resolved->channels = node;
	return 0;
}

static int fill_attachment(struct resolved *resolved, struct shoal_resolved_attachment *out,
			   const struct shoal_attachment *attachment)
{
	*out = (struct shoal_resolved_attachment){
		.id = attachment->id,
		.name = copy(resolved, attachment->filename),
		.url = copy(resolved, attachment->url),
		.content_type = copy_some(resolved, attachment->has.content_type, attachment->content_type),
		.description = copy_some(resolved, attachment->has.description, attachment->description),
		.size_bytes = attachment->size,
		.width = attachment->width,
		.height = attachment->height,
		.ephemeral = attachment->ephemeral,
	};
	return out->name && out->url ? 0 : -ENOMEM;
}

static int add_attachment(struct resolved *resolved, const struct shoal_attachment *attachment)
{
	struct resolved_attachment *node = arena_alloc(&resolved->arena, sizeof(*node));
	int r = node ? fill_attachment(resolved, &node->is, attachment) : -ENOMEM;

	if (r < 0)
		return r;
	if (resolved->last_attachment)
		resolved->last_attachment->next = node;
	else
		resolved->attachments = node;
	resolved->last_attachment = node;
	return 0;
}

static int fill_message(struct resolved *resolved, struct shoal_resolved_message *out,
			const struct shoal_message *message)
{
	struct shoal_resolved_attachment *list =
		arena_alloc(&resolved->arena, (message->attachments.count + 1) * sizeof(*list));
	uint32_t i;
	int r;

	out->id = message->id;
	out->channel_id = message->channel_id;
	out->text = copy(resolved, message->content);
	out->embed_count = message->embeds.count;
	out->flags = message->flags;
	out->from_webhook = message->has.webhook_id;
	out->author.id = message->author.id;
	out->attachments = list;
	if (!list || !out->text)
		return -ENOMEM;
	r = fill_user(resolved, &out->author, &message->author);
	if (r == 0 && message->member)
		r = fill_member(resolved, &out->author, message->member);
	for (i = 0; r == 0 && i < message->attachments.count; i++) {
		r = fill_attachment(resolved, &list[i], &message->attachments.items[i]);
		out->attachment_count += r == 0;
	}
	return r;
}

static int add_message(struct resolved *resolved, const struct shoal_message *message)
{
	struct resolved_message *node = arena_alloc(&resolved->arena, sizeof(*node));
	int r = node ? fill_message(resolved, &node->is, message) : -ENOMEM;

	if (r < 0)
		return r;
	node->next = resolved->messages;
	resolved->messages = node;
	return 0;
}

/* --- from events ---------------------------------------------------------------------------------------------------
 */

static const struct shoal_member *member_of(const struct shoal_resolved *from, uint64_t user_id)
{
	for (uint32_t i = 0; i < from->members.count; i++)
		if (from->members.keys[i] == user_id)
			return &from->members.items[i];
	return NULL;
}

/* An entry counts under its key; one whose own id says otherwise is nobody's. */
static int add_all(struct resolved *resolved, const struct shoal_resolved *from)
{
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < from->users.count; i++)
		if (from->users.items[i].id == from->users.keys[i])
			r = add_user(resolved, &from->users.items[i], member_of(from, from->users.keys[i]));
	for (i = 0; r == 0 && i < from->roles.count; i++)
		if (from->roles.items[i].id == from->roles.keys[i])
			r = add_role(resolved, &from->roles.items[i]);
	for (i = 0; r == 0 && i < from->channels.count; i++)
		if (from->channels.items[i].id == from->channels.keys[i])
			r = add_channel(resolved, &from->channels.items[i]);
	for (i = 0; r == 0 && i < from->attachments.count; i++)
		if (from->attachments.items[i].id == from->attachments.keys[i])
			r = add_attachment(resolved, &from->attachments.items[i]);
	for (i = 0; r == 0 && i < from->messages.count; i++)
		if (from->messages.items[i].id == from->messages.keys[i])
			r = add_message(resolved, &from->messages.items[i]);
	return r;
}

int resolved_add_interaction(struct resolved *resolved, const struct shoal_interaction *interaction)
{
	const struct shoal_resolved *from = interaction->data ? interaction->data->resolved : NULL;
	int r = from ? add_all(resolved, from) : 0;

	/* The asker last: what the interaction itself says of him is the fuller. */
	if (r == 0 && interaction->member && interaction->member->user)
		return add_user(resolved, interaction->member->user, interaction->member);
	return r == 0 && interaction->user ? add_user(resolved, interaction->user, NULL) : r;
}

int resolved_add_message(struct resolved *resolved, const struct shoal_message *message)
{
	uint32_t i;
	int r = add_user(resolved, &message->author, message->member);

	for (i = 0; r == 0 && i < message->mentions.count; i++)
		if (message->mentions.items[i].id != message->author.id)
			r = add_user(resolved, &message->mentions.items[i], message->mentions.items[i].member);
	for (i = 0; r == 0 && i < message->attachments.count; i++)
		r = add_attachment(resolved, &message->attachments.items[i]);
	return r;
}

/* --- from the guild cache ------------------------------------------------------------------------------------------
 */

bool resolved_add_role_of(struct resolved *resolved, const struct shoal_guild_view *guild, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < guild->role_count; i++) {
		const struct shoal_role_view *view = &guild->roles[i];
		struct shoal_role role = { .id = id,
					   .name = view->name,
					   .position = view->position,
					   .hoist = view->flags & SHOAL_ROLE_HOIST,
					   .managed = view->flags & SHOAL_ROLE_MANAGED,
					   .mentionable = view->flags & SHOAL_ROLE_MENTIONABLE,
					   .permissions = { .bits = view->permissions } };

		if (view->id == id)
			return add_role(resolved, &role) == 0;
	}
	return false;
}

bool resolved_add_channel_of(struct resolved *resolved, const struct shoal_guild_view *guild, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < guild->channel_count; i++) {
		const struct shoal_channel_view *view = &guild->channels[i];
		struct shoal_channel channel = { .id = id,
						 .name = view->name,
						 .type = view->type,
						 .parent_id = view->parent_id,
						 .nsfw = view->flags & SHOAL_CHANNEL_NSFW };

		if (view->id == id)
			return add_channel(resolved, &channel) == 0;
	}
	for (i = 0; i < guild->thread_count; i++) {
		const struct shoal_thread_view *view = &guild->threads[i];
		struct shoal_channel channel = { .id = id, .type = view->type, .parent_id = view->parent_id };

		if (view->id == id)
			return add_channel(resolved, &channel) == 0;
	}
	return false;
}

/* --- looking -------------------------------------------------------------------------------------------------------
 */

#define FIND(kind, list)                                                                                       \
	const struct shoal_resolved_##kind *resolved_find_##kind(const struct resolved *resolved, uint64_t id) \
	{                                                                                                      \
		const struct resolved_##kind *node;                                                            \
                                                                                                               \
		for (node = resolved->list; node; node = node->next)                                           \
			if (node->is.id == id)                                                                 \
				return &node->is;                                                              \
		return NULL;                                                                                   \
	}

FIND(user, users)
FIND(role, roles)
FIND(channel, channels)
FIND(attachment, attachments)
FIND(message, messages)

const struct shoal_resolved_attachment *resolved_attachment_at(const struct resolved *resolved, size_t i)
{
	const struct resolved_attachment *node = resolved->attachments;

	for (; node && i > 0; i--)
		node = node->next;
	return node ? &node->is : NULL;
}
