/* SPDX-License-Identifier: MIT */
/* Whom and what a command named: users, roles, channels, attachments, a message. Copies that live as long as the
 * invocation. A slash command brings them along; of a message command they come from the message, the guild cache and
 * Discord. Texts are never NULL where it does not say so, and are what members wrote: markdown and mentions are in it.
 */
#ifndef SHOAL_RESOLVED_H
#define SHOAL_RESOLVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shoal_resolved_user {
	uint64_t id;
	const char *username;
	const char *shown_name;  /* nick, else global name, else username */
	const char *global_name; /* NULL: none */
	const char *avatar;      /* hash; NULL: none */
	const char *banner;      /* hash; NULL: none, or not told */
	bool bot, system;
	uint64_t public_flags;
	/* as a member of the server; false: he is none, or it is not known */
	bool is_member;
	const char *nick;         /* NULL: none */
	const char *guild_avatar; /* hash; NULL: none */
	const uint64_t *roles;    /* without @everyone */
	size_t role_count;
	int64_t joined_ms;      /* Unix time; 0: not known */
	int64_t boosting_ms;    /* since; 0: does not */
	int64_t timed_out_ms;   /* until; 0, or in the past: is not */
	bool permissions_known; /* slash form: what he may do in the channel */
	uint64_t permissions;
};

struct shoal_resolved_role {
	uint64_t id;
	const char *name;
	uint32_t color; /* 0xRRGGBB; 0: none */
	int32_t position;
	bool hoisted, managed, mentionable;
	uint64_t permissions;
};

struct shoal_resolved_channel {
	uint64_t id;
	const char *name;
	uint32_t type;      /* enum shoal_channel_type */
	uint64_t parent_id; /* category, or of a thread its channel; 0: none */
	bool nsfw;
	bool permissions_known;
	uint64_t permissions; /* of the asking member there */
	bool own_known;
	uint64_t own_permissions; /* of the bot there */
};

/* Its url is good for about a day. */
struct shoal_resolved_attachment {
	uint64_t id;
	const char *name;
	const char *url;
	const char *content_type; /* NULL: not told; said by who sent it, so not to be trusted */
	const char *description;  /* NULL: none */
	uint64_t size_bytes;
	uint32_t width, height; /* pictures; else 0 */
	bool ephemeral;
};

struct shoal_resolved_message {
	uint64_t id, channel_id;
	const char *text;
	struct shoal_resolved_user author;
	const struct shoal_resolved_attachment *attachments;
	size_t attachment_count;
	uint32_t embed_count;
	uint64_t flags;
	bool from_webhook;
};

#endif
