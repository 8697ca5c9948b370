/* The world of guilds. One GUILD_CREATE is written at start as a template with the places of its ids noted; a guild's
 * own is that text with its ids patched in, so 64,000 of them cost a copy and some digits each. Changes made through
 * REST or control are kept beside it and laid over the text the slow way. */
#include "tests/sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/deflate.h"
#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"

/* Milliseconds since Discord's epoch of guild 0: in 2022, a multiple of 64 * 720720, so that guild i lies on shard
 * i % count for every count up to 16 and for all usual larger ones. Ids have 19 digits from here to far beyond. */
#define GUILD_BASE 250003353600ULL
#define ID_DIGITS  19

struct template
{
	struct buf text;
	struct deflate_hole *holes;
	size_t hole_count, hole_cap;
	struct deflate_template *deflated;
	bool failed;
};

static struct template templates[2]; /* [presences] */
static struct map changes;           /* guild index + 1 -> json_t * */
static uint64_t guild_count;

uint64_t world_guild_count(void)
{
	return guild_count;
}

uint64_t world_guild_id(uint64_t index)
{
	return (GUILD_BASE + index) << 22;
}

uint64_t world_id(uint64_t guild_index, enum world_kind kind, uint32_t number)
{
	if (kind == WORLD_GUILD || (kind == WORLD_ROLE && number == 0))
		return world_guild_id(guild_index);
	return world_guild_id(guild_index) | (uint64_t)kind << 12 | number;
}

bool world_find(uint64_t id, struct world_ref *ret)
{
	uint64_t stamp = id >> 22, limit;
	struct world_ref ref = { .kind = (enum world_kind)(id >> 12 & 0x3ff), .number = id & 0xfff };

	if (stamp < GUILD_BASE || stamp - GUILD_BASE >= guild_count)
		return false;
	ref.guild = stamp - GUILD_BASE;
	switch (ref.kind) {
	case WORLD_GUILD:
		limit = 1;
		break;
	case WORLD_CHANNEL:
		limit = options.channels;
		break;
	case WORLD_ROLE:
		limit = options.roles;
		break;
	case WORLD_USER:
	case WORLD_DM:
		limit = options.members;
		break;
	default:
		limit = 4096;
	}
	if (ref.number >= limit || ref.kind > WORLD_WEBHOOK)
		return false;
	*ret = ref;
	return true;
}

json_t *world_changes(uint64_t index)
{
	return map_get(&changes, index + 1);
}

json_t *world_changes_make(uint64_t index)
{
	json_t *made = world_changes(index);

	if (made)
		return made;
	made = json_pack("{s:{},s:{},s:{},s:{},s:{}}", "roles", "members", "bans", "channels", "guild");
	if (made && map_put(&changes, index + 1, made) < 0) {
		json_decref(made);
		made = NULL;
	}
	return made;
}

bool world_guild_flag(uint64_t index, const char *flag)
{
	json_t *changed = world_changes(index);

	return changed && json_is_true(json_object_get(changed, flag));
}

bool world_guild_index(uint64_t guild_id, uint64_t *ret)
{
	struct world_ref ref;

	if (!world_find(guild_id, &ref) || ref.kind != WORLD_GUILD || world_guild_flag(ref.guild, "gone"))
		return false;
	*ret = ref.guild;
	return true;
}

uint32_t world_shard_of(uint64_t guild_id, uint32_t count)
{
	return (uint32_t)((guild_id >> 22) % count);
}

uint64_t world_first_guild(uint32_t shard, uint32_t count)
{
	return (shard + count - (uint32_t)(GUILD_BASE % count)) % count;
}

uint64_t world_guilds_of_shard(uint32_t shard, uint32_t count)
{
	uint64_t first = world_first_guild(shard, count);

	return first >= guild_count ? 0 : (guild_count - first + count - 1) / count;
}

enum channel_type world_channel_type(uint32_t number)
{
	if (number == 1)
		return CHANNEL_CATEGORY;
	if (number == 9)
		return CHANNEL_FORUM;
	if (number == 11)
		return CHANNEL_NEWS;
	return number % 7 == 3 ? CHANNEL_VOICE : CHANNEL_TEXT;
}

uint32_t world_text_channel(uint64_t pick)
{
	uint32_t number = (uint32_t)(pick % options.channels);

	return world_channel_type(number) == CHANNEL_TEXT ? number : 0;
}

/* --- users ------------------------------------------------------------------------------------------------------- */

const char *world_username(uint64_t user_id, char out[40])
{
	static const char *const names[] = { "kite", "noor", "marisol", "tide", "birch", "lumen", "otto", "wren" };

	snprintf(out, 40, "%s.%llu", names[user_id % 8],
		 (unsigned long long)(user_id >> 22) % 1000000 * 4096 + (unsigned long long)(user_id & 0xfff));
	return out;
}

void world_user(struct buf *out, uint64_t user_id)
{
	char name[40];

	if (user_id == options.application_id) {
		world_bot_user(out);
		return;
	}
	world_username(user_id, name);
	buf_lit(out, "{\"id\":\"");
	buf_u64(out, user_id);
	buf_lit(out, "\",\"username\":\"");
	buf_str(out, name);
	buf_lit(out, "\",\"discriminator\":\"0\",\"global_name\":\"");
	buf_str(out, name);
	buf_lit(out, "\",\"avatar\":null,\"public_flags\":0,\"avatar_decoration_data\":null,\"collectibles\":null,"
		     "\"primary_guild\":null}");
}

void world_bot_user(struct buf *out)
{
	buf_lit(out, "{\"id\":\"");
	buf_u64(out, options.application_id);
	buf_lit(out, "\",\"username\":\"shoal\",\"discriminator\":\"4071\",\"global_name\":null,\"avatar\":null,"
		     "\"public_flags\":65536,\"avatar_decoration_data\":null,\"collectibles\":null,"
		     "\"primary_guild\":null,\"bot\":true}");
}

void world_member_fields(struct buf *out, uint64_t guild_id)
{
	buf_lit(out, "\"roles\":[\"");
	buf_u64(out, guild_id | (uint64_t)WORLD_ROLE << 12 | (options.roles > 2 ? 2 : 1));
	buf_lit(out, "\"],\"nick\":null,\"avatar\":null,\"banner\":null,"
		     "\"joined_at\":\"2024-05-06T07:08:09.123000+00:00\",\"premium_since\":null,\"deaf\":false,"
		     "\"mute\":false,\"pending\":false,\"flags\":0,\"communication_disabled_until\":null");
}

/* --- the template ------------------------------------------------------------------------------------------------ */

static void hole(struct template *t, enum deflate_hole_kind kind, uint32_t low, size_t digits)
{
	if (t->hole_count == t->hole_cap) {
		size_t cap = t->hole_cap ? t->hole_cap * 2 : 64;
		struct deflate_hole *more = realloc(t->holes, cap * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->holes = more;
		t->hole_cap = cap;
	}
	t->holes[t->hole_count++] = (struct deflate_hole){ (uint32_t)t->text.len, low, (uint16_t)digits, kind };
	for (size_t i = 0; i < digits; i++)
		buf_lit(&t->text, "0");
}

static void id(struct template *t, enum world_kind kind, uint32_t number)
{
	uint32_t low = (uint32_t)world_id(0, kind, number) & 0x3fffff;

	buf_lit(&t->text, "\"");
	hole(t, HOLE_ID, low, ID_DIGITS);
	buf_lit(&t->text, "\"");
}

static void words(struct buf *out, size_t bytes, uint64_t *state)
{
	static const char *const list[] = {
		"harbour", "north", "please", "read",   "before", "posting", "links",   "event", "weekly", "garden",
		"music",   "voice", "team",   "update", "the",    "and",     "for",     "about", "only",   "archive",
		"ideas",   "help",  "bug",    "report", "stream", "artists", "evening", "trade", "quiet",  "lantern",
	};
	size_t end = out->len + bytes;

	while (out->len < end && !out->failed) {
		*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
		buf_str(out, list[(*state >> 33) % (sizeof(list) / sizeof(list[0]))]);
		buf_lit(out, " ");
	}
}

static void put_roles(struct template *t)
{
	struct buf *b = &t->text;

	buf_lit(b, ",\"roles\":[");
	for (uint32_t i = 0; i < options.roles; i++) {
		buf_str(b, i ? ",{\"id\":" : "{\"id\":");
		id(t, WORLD_ROLE, i);
		if (i == 0)
			buf_lit(b, ",\"name\":\"@everyone\"");
		else if (i == 1)
			buf_lit(b, ",\"name\":\"shoal\"");
		else
			buf_printf(b, ",\"name\":\"role %u\"", i);
		buf_printf(b,
			   ",\"description\":null,\"color\":%u,\"colors\":{\"primary_color\":%u,"
			   "\"secondary_color\":null,\"tertiary_color\":null},\"hoist\":%s,\"icon\":null,"
			   "\"unicode_emoji\":null,\"position\":%u,\"permissions\":\"%s\",\"managed\":%s,"
			   "\"mentionable\":false,\"flags\":0",
			   i * 65793 % 16777216, i * 65793 % 16777216, i % 3 == 2 ? "true" : "false",
			   i == 1  ? (unsigned)options.roles - 1
			   : i > 1 ? i - 1
				   : 0,
			   i == 0   ? "2248473465835073"
			   : i == 1 ? "6755399441055743"
				    : "2222085186637376",
			   i == 1 ? "true" : "false");
		if (i == 1)
			buf_printf(b, ",\"tags\":{\"bot_id\":\"%llu\"}", (unsigned long long)options.application_id);
		buf_lit(b, "}");
	}
	buf_lit(b, "]");
}

static void put_channel(struct template *t, uint32_t i, size_t topic_bytes, uint64_t *state)
{
	enum channel_type type = world_channel_type(i);
	struct buf *b = &t->text;

	buf_str(b, i ? ",{\"id\":" : "{\"id\":");
	id(t, WORLD_CHANNEL, i);
	buf_printf(b, ",\"type\":%d,\"name\":\"%s-%u\",\"position\":%u,\"flags\":0,\"permission_overwrites\":[", type,
		   type == CHANNEL_VOICE      ? "voice"
		   : type == CHANNEL_CATEGORY ? "category"
					      : "text",
		   i, i);
	if (i % 3 == 0) {
		buf_lit(b, "{\"id\":");
		id(t, WORLD_ROLE, 0);
		buf_lit(b, ",\"type\":0,\"allow\":\"0\",\"deny\":\"8192\"},{\"id\":");
		id(t, WORLD_ROLE, options.roles > 2 ? 2 : 1);
		buf_lit(b, ",\"type\":0,\"allow\":\"3072\",\"deny\":\"0\"}");
	}
	buf_lit(b, "]");
	if (type == CHANNEL_CATEGORY) {
		buf_lit(b, "}");
		return;
	}
	buf_lit(b, ",\"parent_id\":");
	if (i > 1)
		id(t, WORLD_CHANNEL, 1);
	else
		buf_lit(b, "null");
	if (type == CHANNEL_VOICE) {
		buf_lit(b, ",\"bitrate\":64000,\"user_limit\":0,\"rtc_region\":null,\"rate_limit_per_user\":0,"
			   "\"nsfw\":false,\"last_message_id\":null}");
		return;
	}
	buf_lit(b, ",\"topic\":\"");
	words(b, topic_bytes, state);
	buf_lit(b, "\",\"nsfw\":false,\"rate_limit_per_user\":0,\"last_message_id\":");
	id(t, WORLD_CHANNEL, i);
	buf_lit(b, ",\"last_pin_timestamp\":null,\"theme_color\":null,\"icon_emoji\":null");
	if (type == CHANNEL_FORUM)
		buf_lit(b, ",\"available_tags\":[],\"default_reaction_emoji\":null,\"default_sort_order\":null,"
			   "\"default_forum_layout\":0,\"template\":\"\"");
	buf_lit(b, "}");
}

static void put_member(struct template *t, uint32_t number, bool bot)
{
	struct buf *b = &t->text;

	buf_lit(b, "{\"user\":{\"id\":");
	if (bot)
		buf_printf(b, "\"%llu\"", (unsigned long long)options.application_id);
	else
		id(t, WORLD_USER, number);
	buf_lit(b, ",\"username\":\"");
	if (bot) {
		buf_lit(b, "shoal\",\"bot\":true,\"discriminator\":\"4071");
	} else {
		buf_printf(b, "member.%04u.", number);
		hole(t, HOLE_INDEX, 0, 8);
		buf_lit(b, "\",\"discriminator\":\"0");
	}
	buf_lit(b, "\",\"global_name\":null,\"avatar\":null,\"public_flags\":0,\"avatar_decoration_data\":null,"
		   "\"collectibles\":null,\"primary_guild\":null},\"roles\":[");
	id(t, WORLD_ROLE, bot || options.roles == 2 ? 1 : 2);
	buf_lit(b, "],\"nick\":null,\"avatar\":null,\"banner\":null,\"joined_at\":\"2024-05-06T07:08:09.123000+00:00\","
		   "\"premium_since\":null,\"deaf\":false,\"mute\":false,\"pending\":false,\"flags\":0,"
		   "\"communication_disabled_until\":null}");
}

static void put_people(struct template *t, bool presences)
{
	struct buf *b = &t->text;

	buf_lit(b, ",\"members\":[");
	put_member(t, 0, true);
	for (uint32_t i = 0; i < (presences ? options.members : 1); i++) {
		buf_lit(b, ",");
		put_member(t, i, false);
	}
	buf_lit(b, "],\"voice_states\":[");
	if (options.channels > 3) {
		buf_lit(b, "{\"user_id\":");
		id(t, WORLD_USER, 0);
		buf_lit(b, ",\"channel_id\":");
		id(t, WORLD_CHANNEL, 3);
		buf_lit(b, ",\"session_id\":\"c0ffee00\",\"deaf\":false,\"mute\":false,\"self_deaf\":false,"
			   "\"self_mute\":true,\"self_video\":false,\"suppress\":false,"
			   "\"request_to_speak_timestamp\":null}");
	}
	buf_lit(b, "],\"presences\":[");
	for (uint32_t i = 0; presences && i < options.members; i += 4) {
		buf_str(b, i ? ",{\"user\":{\"id\":" : "{\"user\":{\"id\":");
		id(t, WORLD_USER, i);
		buf_lit(b, "},\"status\":\"online\",\"client_status\":{\"desktop\":\"online\"},\"activities\":[]}");
	}
	buf_lit(b, "]");
}

static void put_guild(struct template *t, bool presences, size_t topic_bytes, uint32_t emojis)
{
	struct buf *b = &t->text;
	uint64_t state = 7;

	buf_clear(b);
	t->hole_count = 0;
	buf_lit(b, "{\"id\":");
	id(t, WORLD_GUILD, 0);
	buf_lit(b, ",\"name\":\"Guild ");
	hole(t, HOLE_INDEX, 0, 8);
	buf_lit(b, "\",\"icon\":null,\"description\":null,\"home_header\":null,\"splash\":null,"
		   "\"discovery_splash\":null,\"banner\":null,\"region\":\"deprecated\",\"owner_id\":");
	id(t, WORLD_USER, 0);
	buf_lit(b, ",\"afk_channel_id\":null,\"afk_timeout\":300,\"verification_level\":1,"
		   "\"default_message_notifications\":1,\"explicit_content_filter\":2,\"mfa_level\":0,"
		   "\"application_id\":null,\"system_channel_id\":");
	id(t, WORLD_CHANNEL, 0);
	buf_lit(b, ",\"system_channel_flags\":0,\"rules_channel_id\":null,\"public_updates_channel_id\":null,"
		   "\"safety_alerts_channel_id\":null,\"max_presences\":null,\"max_members\":500000,"
		   "\"max_video_channel_users\":25,\"max_stage_video_channel_users\":50,\"vanity_url_code\":null,"
		   "\"premium_tier\":0,\"premium_subscription_count\":0,\"premium_progress_bar_enabled\":false,"
		   "\"preferred_locale\":\"en-US\",\"nsfw\":false,\"nsfw_level\":0,\"hub_type\":null,"
		   "\"incidents_data\":null,\"latest_onboarding_question_id\":null,\"features\":[\"COMMUNITY\","
		   "\"NEWS\",\"SOUNDBOARD\"],\"stickers\":[]");
	put_roles(t);
	buf_lit(b, ",\"emojis\":[");
	for (uint32_t i = 0; i < emojis; i++) {
		buf_str(b, i ? ",{\"id\":" : "{\"id\":");
		id(t, WORLD_EMOJI, i);
		buf_printf(b,
			   ",\"name\":\"emoji_%u\",\"roles\":[],\"require_colons\":true,\"managed\":false,"
			   "\"animated\":%s,\"available\":true}",
			   i, i % 5 ? "false" : "true");
	}
	buf_printf(b,
		   "],\"joined_at\":\"2025-03-09T08:20:01.551000+00:00\",\"large\":false,\"unavailable\":false,"
		   "\"member_count\":%llu,\"channels\":[",
		   (unsigned long long)options.members + 1);
	for (uint32_t i = 0; i < options.channels; i++)
		put_channel(t, i, topic_bytes, &state);
	buf_lit(b, "],\"threads\":[]");
	put_people(t, presences);
	buf_lit(b, ",\"stage_instances\":[],\"guild_scheduled_events\":[],\"soundboard_sounds\":[],"
		   "\"embedded_activities\":[],\"lazy\":true,\"version\":1754300000000,"
		   "\"application_command_counts\":{\"1\":0,\"2\":0,\"3\":0}}");
}

static int template_make(struct template *t, bool presences)
{
	uint32_t topics = 0, emojis = 0;
	size_t topic_bytes = 12;

	buf_init(&t->text, 16 << 20);
	for (uint32_t i = 0; i < options.channels; i++)
		topics += world_channel_type(i) == CHANNEL_TEXT || world_channel_type(i) == CHANNEL_FORUM;
	put_guild(t, presences, topic_bytes, 0);
	if (t->text.len < options.guild_bytes) {
		size_t more = (options.guild_bytes - t->text.len) / topics + 1;

		topic_bytes = more > 900 ? 900 : topic_bytes + more;
		put_guild(t, presences, topic_bytes, 0);
	}
	while (t->text.len < options.guild_bytes && emojis < 4000 && !t->failed) {
		emojis += (uint32_t)(options.guild_bytes - t->text.len) / 160 + 1;
		put_guild(t, presences, topic_bytes, emojis > 4000 ? 4000 : emojis);
	}
	if (t->failed || t->text.failed)
		return -ENOMEM;
	t->deflated = deflate_template_make(buf_data(&t->text), t->text.len, t->holes, t->hole_count);
	return t->deflated ? 0 : -ENOMEM;
}

int world_init(void)
{
	guild_count = options_guild_count();
	for (int i = 0; i < 2; i++) {
		int r = template_make(&templates[i], i);

		if (r < 0)
			return r;
	}
	return 0;
}

void world_free(void)
{
	for (int i = 0; i < 2; i++) {
		buf_free(&templates[i].text);
		free(templates[i].holes);
		deflate_template_free(templates[i].deflated);
	}
	MAP_EACH(&changes, slot)
	json_decref(slot->value);
	map_free(&changes);
}

/* --- one guild --------------------------------------------------------------------------------------------------- */

static void fill_digits(char *at, uint64_t value, size_t digits)
{
	while (digits > 0) {
		at[--digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void plain_guild(uint64_t index, bool presences, struct buf *out)
{
	const struct template *t = &templates[presences];
	uint64_t guild_id = world_guild_id(index);
	char *at = buf_room(out, t->text.len);

	if (!at)
		return;
	memcpy(at, buf_data(&t->text), t->text.len);
	for (size_t i = 0; i < t->hole_count; i++) {
		const struct deflate_hole *h = &t->holes[i];

		if (h->kind == HOLE_ID)
			u64_digits(at + h->offset, guild_id | h->low);
		else
			fill_digits(at + h->offset, index, h->digits);
	}
	out->len += t->text.len;
}

/* Lays {id: object} over an array of objects with ids: null removes, an unknown id is added. */
static void overlay_list(json_t *list, const json_t *changed, const char *(*id_of)(const json_t *item))
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)changed, key, value)
	{
		size_t i, at = json_array_size(list);
		json_t *item;

		json_array_foreach(list, i, item)
		{
			const char *have = id_of(item);

			if (have && !strcmp(have, key))
				at = i;
		}
		if (json_is_null(value)) {
			if (at < json_array_size(list))
				json_array_remove(list, at);
		} else if (at < json_array_size(list)) {
			json_object_update(json_array_get(list, at), value);
		} else {
			json_array_append(list, value);
		}
	}
}

static const char *own_id(const json_t *item)
{
	return json_string_value(json_object_get(item, "id"));
}

static const char *user_id(const json_t *item)
{
	return own_id(json_object_get(item, "user"));
}

void world_guild_create(uint64_t index, bool presences, struct buf *out)
{
	json_t *changed = world_changes(index), *guild;
	struct buf text;
	char *dumped;

	if (!changed) {
		plain_guild(index, presences, out);
		return;
	}
	buf_init(&text, 16 << 20);
	plain_guild(index, presences, &text);
	guild = json_loadb(buf_data(&text), text.len, 0, NULL);
	buf_free(&text);
	json_object_update(guild, json_object_get(changed, "guild"));
	overlay_list(json_object_get(guild, "roles"), json_object_get(changed, "roles"), own_id);
	overlay_list(json_object_get(guild, "channels"), json_object_get(changed, "channels"), own_id);
	if (presences)
		overlay_list(json_object_get(guild, "members"), json_object_get(changed, "members"), user_id);
	dumped = json_dumps(guild, JSON_COMPACT);
	json_decref(guild);
	if (dumped)
		buf_str(out, dumped);
	else
		out->failed = true;
	free(dumped);
}

bool world_guild_deflated(uint64_t index, bool presences, uint64_t seq, struct buf *out)
{
	if (!options.guild_template || world_changes(index))
		return false;
	deflate_template_write(templates[presences].deflated, index, world_guild_id(index), seq, out);
	return true;
}
