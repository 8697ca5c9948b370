/* Copies of whom and what a command named, in one arena that goes with its invocation. What comes from Discord is
 * believed as far as its types go; a part that does not fit any more is left out, and then counts as not named.
 * Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_RESOLVED_H
#define SHOAL_SHARD_COMMANDS_RESOLVED_H

#include <jansson.h>

#include <shoal/interaction.h>
#include <shoal/resolved.h>
#include <shoal/view.h>

#include "shard/gateway/arena.h"

/* Of one invocation; 25 options with all that belongs to them take a tenth of it. */
#define RESOLVED_MAX ((size_t)256 * 1024)

struct resolved {
	struct arena arena;
	struct resolved_user *users;
	struct resolved_role *roles;
	struct resolved_channel *channels;
	struct resolved_attachment *attachments, *last_attachment; /* in the order in which they came */
	struct resolved_message *messages;
};

/* Allocates nothing yet. */
void resolved_init(struct resolved *resolved);
void resolved_finish(struct resolved *resolved);

/* An interaction's asker, and all of its data's "resolved". -ENOMEM: not all of it. */
int resolved_add_interaction(struct resolved *resolved, const struct shoal_interaction *interaction);
/* A message's author, whom it mentions, and what is attached to it. -ENOMEM. */
int resolved_add_message(struct resolved *resolved, const struct shoal_message *message);
/* What GET …/members/{u} or GET /users/{u} answered. -EBADMSG: it is none; -ENOMEM. */
int resolved_add_member_json(struct resolved *resolved, const json_t *member);
int resolved_add_user_json(struct resolved *resolved, const json_t *user);
/* From the guild cache; false: it is not there (or no memory). A thread has no name there. */
bool resolved_add_role_of(struct resolved *resolved, const struct shoal_guild_view *guild, uint64_t id);
bool resolved_add_channel_of(struct resolved *resolved, const struct shoal_guild_view *guild, uint64_t id);

/* A copy of @text that lives as long. NULL: no room. */
const char *resolved_keep(struct resolved *resolved, const char *text);

/* NULL: nobody of that id. */
const struct shoal_resolved_user *resolved_find_user(const struct resolved *resolved, uint64_t id);
const struct shoal_resolved_role *resolved_find_role(const struct resolved *resolved, uint64_t id);
const struct shoal_resolved_channel *resolved_find_channel(const struct resolved *resolved, uint64_t id);
const struct shoal_resolved_attachment *resolved_find_attachment(const struct resolved *resolved, uint64_t id);
const struct shoal_resolved_message *resolved_find_message(const struct resolved *resolved, uint64_t id);
/* The attachments in their order; NULL beyond the last. */
const struct shoal_resolved_attachment *resolved_attachment_at(const struct resolved *resolved, size_t i);

#endif
