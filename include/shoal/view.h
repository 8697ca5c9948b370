/* SPDX-License-Identifier: MIT */
/* What the worker remembers of a guild: enough for names, channels, roles and permissions; no members but the bot
 * itself. Everything in it is borrowed until your function returns: copy what you keep. */
#ifndef SHOAL_VIEW_H
#define SHOAL_VIEW_H

#include <shoal/channel.h>

/* Bits of shoal_role_view.flags. */
#define SHOAL_ROLE_HOIST       (1u << 0)
#define SHOAL_ROLE_MANAGED     (1u << 1)
#define SHOAL_ROLE_MENTIONABLE (1u << 2)

/* Bits of shoal_channel_view.flags. */
#define SHOAL_CHANNEL_NSFW (1u << 0)

/* Bits of shoal_thread_view.flags. */
#define SHOAL_THREAD_JOINED (1u << 0) /* the bot is in it */
#define SHOAL_THREAD_LOCKED (1u << 1)

/* clang-format off */
/* Bits of shoal_guild_view.features: X(name). Others are not remembered. */
#define SHOAL_FEATURES(X) \
	X(ANIMATED_BANNER) X(ANIMATED_ICON) X(AUTO_MODERATION) X(BANNER) X(COMMUNITY) \
	X(CREATOR_MONETIZABLE_PROVISIONAL) X(DISCOVERABLE) X(FEATURABLE) X(INVITES_DISABLED) X(INVITE_SPLASH) \
	X(MEMBER_VERIFICATION_GATE_ENABLED) X(NEWS) X(PARTNERED) X(PREVIEW_ENABLED) X(RAID_ALERTS_DISABLED) \
	X(ROLE_ICONS) X(TICKETED_EVENTS_ENABLED) X(VANITY_URL) X(VERIFIED) X(VIP_REGIONS) X(WELCOME_SCREEN_ENABLED)
enum shoal_feature {
#define X(name) SHOAL_FEATURE_##name,
	SHOAL_FEATURES(X)
#undef X
	SHOAL_FEATURE_COUNT,
};
/* clang-format on */

struct shoal_role_view {
	uint64_t id; /* @everyone has the guild's */
	struct shoal_str name;
	int32_t position; /* equal ones are ordered by id */
	uint32_t flags;
	uint64_t permissions;
};

struct shoal_overwrite_view {
	uint64_t id; /* of a role, which may be gone, or of a member */
	bool member;
	uint64_t allow, deny;
};

struct shoal_channel_view {
	uint64_t id;
	uint64_t parent_id; /* its category; 0: none */
	uint32_t type;      /* enum shoal_channel_type, or unknown */
	int32_t position;
	uint32_t flags;
	struct shoal_str name;
	const struct shoal_overwrite_view *overwrites;
	uint32_t overwrite_count;
};

/* An active thread that the bot sees. It has no overwrites of its own. */
struct shoal_thread_view {
	uint64_t id;
	uint64_t parent_id;
	uint32_t type;
	uint32_t flags;
};

struct shoal_guild_view {
	uint64_t id;
	uint64_t owner_id;
	struct shoal_str name;
	struct shoal_str locale; /* "en-US" */
	uint32_t member_count;   /* counted on from what Discord said last */
	bool unavailable;        /* in an outage: as it was before */
	uint32_t mfa_level, verification_level, premium_tier;
	uint64_t features; /* 1 << enum shoal_feature */
	uint64_t system_channel_id;

	const struct shoal_role_view *roles;
	uint32_t role_count;
	const struct shoal_channel_view *channels;
	uint32_t channel_count;
	const struct shoal_thread_view *threads;
	uint32_t thread_count;

	/* The bot's own member. */
	const uint64_t *own_roles;
	uint32_t own_role_count;
	int64_t own_timeout_ms; /* communication_disabled_until; 0: none */
};

#endif
