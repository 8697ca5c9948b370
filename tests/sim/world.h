/* The guilds: computed, not stored. A guild is a number; its ids and its GUILD_CREATE follow from it. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/buf.h"

#include <jansson.h>

/* What an id in the world stands for. The low 22 bits of a guild's id are 0; its children's are kind << 12 | number. */
enum world_kind {
	WORLD_GUILD,
	WORLD_CHANNEL,
	WORLD_ROLE, /* number 0 is @everyone, whose id is the guild's */
	WORLD_USER,
	WORLD_EMOJI,
	WORLD_DM, /* the DM channel with the user of the same number */
	WORLD_WEBHOOK,
};

struct world_ref {
	enum world_kind kind;
	uint64_t guild; /* index */
	uint32_t number;
};

enum channel_type {
	CHANNEL_TEXT = 0,
	CHANNEL_DM = 1,
	CHANNEL_VOICE = 2,
	CHANNEL_CATEGORY = 4,
	CHANNEL_NEWS = 5,
	CHANNEL_FORUM = 15
};

/* Makes the templates. Call once, after the options are read. 0 or -ENOMEM. */
int world_init(void);
void world_free(void);

uint64_t world_guild_count(void);
uint64_t world_guild_id(uint64_t index);
uint64_t world_id(uint64_t guild_index, enum world_kind kind, uint32_t number);
/* Finds what an id stands for; false when the world has no such thing. */
bool world_find(uint64_t id, struct world_ref *ret);
/* The guild index of a guild id; false when there is none, or the bot is not in it any more. */
bool world_guild_index(uint64_t guild_id, uint64_t *ret);

/* The first guild of a shard and the distance to its next one is @count. */
uint64_t world_first_guild(uint32_t shard, uint32_t count);
uint64_t world_guilds_of_shard(uint32_t shard, uint32_t count);
/* The shard that owns an id's guild. */
uint32_t world_shard_of(uint64_t guild_id, uint32_t count);

/* Appends the `d` of a guild's GUILD_CREATE. @presences: with members and presences (GUILD_PRESENCES intent). */
void world_guild_create(uint64_t index, bool presences, struct buf *out);
/* The same whole dispatch as deflate blocks for compressor_insert, made from a pre-compressed template: the text is
 * {"t":"GUILD_CREATE","s":@seq,"op":0,"d":…}. False when this guild needs the long way. */
bool world_guild_deflated(uint64_t index, bool presences, uint64_t seq, struct buf *out);

enum channel_type world_channel_type(uint32_t number);
/* A text channel's number of the guild, by any @pick. */
uint32_t world_text_channel(uint64_t pick);

/* Appends the user object of a member; the bot's own with world_bot_user. */
void world_user(struct buf *out, uint64_t user_id);
void world_bot_user(struct buf *out);
/* Appends a member object's fields, without braces and without `user`. */
void world_member_fields(struct buf *out, uint64_t guild_id);
const char *world_username(uint64_t user_id, char out[40]);

/* What tests and REST changed about a guild; NULL when nothing. Borrowed. */
json_t *world_changes(uint64_t index);
/* The same, made when it is missing: an object {roles{}, members{}, bans{}, gone, unavailable}. Borrowed. */
json_t *world_changes_make(uint64_t index);
bool world_guild_flag(uint64_t index, const char *flag);

#endif
