/* Builders of event bodies. Those that traffic makes thousands of are put together from text; the rare ones are JSON
 * values. Knows nothing of sessions. */
#include "tests/sim/events.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/world.h"

static const struct event_row {
	const char *type;
	uint32_t guild; /* intents, in a guild */
	uint32_t dm;    /* intents, outside of one; 0: the same as in a guild */
} rows[] = {
	{ "GUILD_CREATE", INTENT_GUILDS, 0 },
	{ "GUILD_UPDATE", INTENT_GUILDS, 0 },
	{ "GUILD_DELETE", INTENT_GUILDS, 0 },
	{ "GUILD_ROLE_CREATE", INTENT_GUILDS, 0 },
	{ "GUILD_ROLE_UPDATE", INTENT_GUILDS, 0 },
	{ "GUILD_ROLE_DELETE", INTENT_GUILDS, 0 },
	{ "CHANNEL_CREATE", INTENT_GUILDS, 0 },
	{ "CHANNEL_UPDATE", INTENT_GUILDS, 0 },
	{ "CHANNEL_DELETE", INTENT_GUILDS, 0 },
	{ "CHANNEL_PINS_UPDATE", INTENT_GUILDS, INTENT_DIRECT_MESSAGES },
	{ "THREAD_CREATE", INTENT_GUILDS, 0 },
	{ "THREAD_UPDATE", INTENT_GUILDS, 0 },
	{ "THREAD_DELETE", INTENT_GUILDS, 0 },
	{ "THREAD_LIST_SYNC", INTENT_GUILDS, 0 },
	{ "THREAD_MEMBER_UPDATE", INTENT_GUILDS, 0 },
	{ "THREAD_MEMBERS_UPDATE", INTENT_GUILDS | INTENT_GUILD_MEMBERS, 0 },
	{ "STAGE_INSTANCE_CREATE", INTENT_GUILDS, 0 },
	{ "STAGE_INSTANCE_UPDATE", INTENT_GUILDS, 0 },
	{ "STAGE_INSTANCE_DELETE", INTENT_GUILDS, 0 },
	{ "VOICE_CHANNEL_STATUS_UPDATE", INTENT_GUILDS, 0 },
	{ "VOICE_CHANNEL_START_TIME_UPDATE", INTENT_GUILDS, 0 },
	{ "GUILD_MEMBER_ADD", INTENT_GUILD_MEMBERS, 0 },
	{ "GUILD_MEMBER_UPDATE", INTENT_GUILD_MEMBERS, 0 },
	{ "GUILD_MEMBER_REMOVE", INTENT_GUILD_MEMBERS, 0 },
	{ "GUILD_AUDIT_LOG_ENTRY_CREATE", INTENT_GUILD_MODERATION, 0 },
	{ "GUILD_BAN_ADD", INTENT_GUILD_MODERATION, 0 },
	{ "GUILD_BAN_REMOVE", INTENT_GUILD_MODERATION, 0 },
	{ "GUILD_EMOJIS_UPDATE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_STICKERS_UPDATE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_SOUNDBOARD_SOUND_CREATE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_SOUNDBOARD_SOUND_UPDATE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_SOUNDBOARD_SOUND_DELETE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_SOUNDBOARD_SOUNDS_UPDATE", INTENT_GUILD_EXPRESSIONS, 0 },
	{ "GUILD_INTEGRATIONS_UPDATE", INTENT_GUILD_INTEGRATIONS, 0 },
	{ "INTEGRATION_CREATE", INTENT_GUILD_INTEGRATIONS, 0 },
	{ "INTEGRATION_UPDATE", INTENT_GUILD_INTEGRATIONS, 0 },
	{ "INTEGRATION_DELETE", INTENT_GUILD_INTEGRATIONS, 0 },
	{ "WEBHOOKS_UPDATE", INTENT_GUILD_WEBHOOKS, 0 },
	{ "INVITE_CREATE", INTENT_GUILD_INVITES, 0 },
	{ "INVITE_DELETE", INTENT_GUILD_INVITES, 0 },
	{ "VOICE_STATE_UPDATE", INTENT_GUILD_VOICE_STATES, 0 },
	{ "VOICE_CHANNEL_EFFECT_SEND", INTENT_GUILD_VOICE_STATES, 0 },
	{ "PRESENCE_UPDATE", INTENT_GUILD_PRESENCES, 0 },
	{ "MESSAGE_CREATE", INTENT_GUILD_MESSAGES, INTENT_DIRECT_MESSAGES },
	{ "MESSAGE_UPDATE", INTENT_GUILD_MESSAGES, INTENT_DIRECT_MESSAGES },
	{ "MESSAGE_DELETE", INTENT_GUILD_MESSAGES, INTENT_DIRECT_MESSAGES },
	{ "MESSAGE_DELETE_BULK", INTENT_GUILD_MESSAGES, 0 },
	{ "MESSAGE_REACTION_ADD", INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS },
	{ "MESSAGE_REACTION_REMOVE", INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS },
	{ "MESSAGE_REACTION_REMOVE_ALL", INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS },
	{ "MESSAGE_REACTION_REMOVE_EMOJI", INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS },
	{ "TYPING_START", INTENT_GUILD_MESSAGE_TYPING, INTENT_DIRECT_MESSAGE_TYPING },
	{ "GUILD_SCHEDULED_EVENT_CREATE", INTENT_GUILD_SCHEDULED_EVENTS, 0 },
	{ "GUILD_SCHEDULED_EVENT_UPDATE", INTENT_GUILD_SCHEDULED_EVENTS, 0 },
	{ "GUILD_SCHEDULED_EVENT_DELETE", INTENT_GUILD_SCHEDULED_EVENTS, 0 },
	{ "GUILD_SCHEDULED_EVENT_USER_ADD", INTENT_GUILD_SCHEDULED_EVENTS, 0 },
	{ "GUILD_SCHEDULED_EVENT_USER_REMOVE", INTENT_GUILD_SCHEDULED_EVENTS, 0 },
	{ "AUTO_MODERATION_RULE_CREATE", INTENT_AUTO_MODERATION_CONFIGURATION, 0 },
	{ "AUTO_MODERATION_RULE_UPDATE", INTENT_AUTO_MODERATION_CONFIGURATION, 0 },
	{ "AUTO_MODERATION_RULE_DELETE", INTENT_AUTO_MODERATION_CONFIGURATION, 0 },
	{ "AUTO_MODERATION_ACTION_EXECUTION", INTENT_AUTO_MODERATION_EXECUTION, 0 },
	{ "MESSAGE_POLL_VOTE_ADD", INTENT_GUILD_MESSAGE_POLLS, INTENT_DIRECT_MESSAGE_POLLS },
	{ "MESSAGE_POLL_VOTE_REMOVE", INTENT_GUILD_MESSAGE_POLLS, INTENT_DIRECT_MESSAGE_POLLS },
	/* no intent: always sent */
	{ "READY", 0, 0 },
	{ "RESUMED", 0, 0 },
	{ "RATE_LIMITED", 0, 0 },
	{ "INTERACTION_CREATE", 0, 0 },
	{ "ENTITLEMENT_CREATE", 0, 0 },
	{ "ENTITLEMENT_UPDATE", 0, 0 },
	{ "ENTITLEMENT_DELETE", 0, 0 },
	{ "SUBSCRIPTION_CREATE", 0, 0 },
	{ "SUBSCRIPTION_UPDATE", 0, 0 },
	{ "SUBSCRIPTION_DELETE", 0, 0 },
	{ "USER_UPDATE", 0, 0 },
	{ "VOICE_SERVER_UPDATE", 0, 0 },
	{ "GUILD_MEMBERS_CHUNK", 0, 0 },
	{ "APPLICATION_COMMAND_PERMISSIONS_UPDATE", 0, 0 },
	{ "SOUNDBOARD_SOUNDS", 0, 0 },
	{ "CHANNEL_INFO", 0, 0 },
};

static const struct event_row *find(const char *type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].type, type))
			return &rows[i];
	}
	return NULL;
}

uint32_t event_intents(const char *type, bool dm)
{
	const struct event_row *row = find(type);

	if (!row)
		return 0;
	return dm && row->dm ? row->dm : row->guild;
}

struct payload *payload_new(const char *type, bool dm, const struct buf *d, const struct buf *bare)
{
	const struct event_row *row = find(type);
	size_t bare_len = bare ? bare->len : 0;
	struct payload *p;

	if (d->failed || (bare && bare->failed))
		return NULL;
	p = malloc(sizeof(*p) + d->len + bare_len + (row ? 0 : strlen(type) + 1));
	if (!p)
		return NULL;
	*p = (struct payload){ .refs = 1, .len = d->len, .bare_len = bare_len };
	memcpy(p->d, buf_data(d), d->len);
	if (bare)
		memcpy(p->d + d->len, buf_data(bare), bare_len);
	if (row) {
		p->type = row->type;
		p->intents = event_intents(type, dm);
	} else { /* an event of tomorrow: its name lies behind the text */
		p->type = strcpy(p->d + d->len + bare_len, type);
	}
	return p;
}

struct payload *payload_ref(struct payload *p)
{
	p->refs++;
	return p;
}

void payload_unref(struct payload *p)
{
	if (p && --p->refs == 0)
		free(p);
}

/* --- members' events --------------------------------------------------------------------------------------------- */

bool event_mentions_bot(const char *content)
{
	char plain[32], nick[32];

	snprintf(plain, sizeof(plain), "<@%llu>", (unsigned long long)options.application_id);
	snprintf(nick, sizeof(nick), "<@!%llu>", (unsigned long long)options.application_id);
	return strstr(content, plain) || strstr(content, nick);
}

bool event_is_command(const char *content)
{
	return content[0] == '!' || event_mentions_bot(content);
}

static void put_author(struct buf *b, const struct message_event *m)
{
	char *text;

	if (!m->author) {
		world_user(b, m->author_id);
		return;
	}
	text = json_dumps(m->author, JSON_COMPACT);
	buf_str(b, text ? text : "{}");
	free(text);
}

static void put_message(struct buf *b, const struct message_event *m, bool bare)
{
	buf_lit(b, "{\"id\":\"");
	buf_u64(b, m->id);
	buf_lit(b, "\",\"channel_id\":\"");
	buf_u64(b, m->channel_id);
	if (m->guild_id) {
		buf_lit(b, "\",\"guild_id\":\"");
		buf_u64(b, m->guild_id);
	}
	buf_lit(b, "\",\"author\":");
	put_author(b, m);
	if (m->guild_id && !json_is_true(json_object_get(m->extra, "no_member"))) {
		buf_lit(b, ",\"member\":{");
		world_member_fields(b, m->guild_id);
		buf_lit(b, "}");
	}
	buf_lit(b, ",\"content\":");
	if (bare)
		buf_lit(b, "\"\"");
	else
		buf_json_str(b, m->content);
	buf_lit(b, ",\"timestamp\":");
	buf_iso(b, snowflake_ms(m->id));
	buf_lit(b, ",\"edited_timestamp\":null,\"tts\":false,\"mention_everyone\":false,\"mentions\":[");
	if (event_mentions_bot(m->content))
		world_bot_user(b);
	buf_printf(b,
		   "],\"mention_roles\":[],\"attachments\":[],\"embeds\":[],\"components\":[],\"pinned\":false,"
		   "\"type\":%d,\"flags\":0,\"channel_type\":%d",
		   m->reply_to ? 19 : 0, m->guild_id ? 0 : 1);
	if (m->reply_to)
		buf_printf(b, ",\"message_reference\":{\"type\":0,\"channel_id\":\"%llu\",\"message_id\":\"%llu\"}",
			   (unsigned long long)m->channel_id, (unsigned long long)m->reply_to);
	buf_lit(b, "}");
}

static const char *const content_fields[] = { "embeds", "attachments", "components" };

/* Empties what MESSAGE_CONTENT guards. New reference. */
static json_t *without_content(const json_t *message)
{
	json_t *bare = json_copy((json_t *)message);

	json_object_set_new(bare, "content", json_string(""));
	for (size_t i = 0; i < 3; i++)
		json_object_set_new(bare, content_fields[i], json_array());
	json_object_del(bare, "poll");
	return bare;
}

static bool needs_no_intent(const json_t *message, uint64_t guild_id)
{
	const char *author = json_string_value(json_object_get(json_object_get(message, "author"), "id"));
	json_t *mention;
	size_t i;

	if (!guild_id || (author && snowflake_parse(author) == options.application_id))
		return true;
	json_array_foreach(json_object_get(message, "mentions"), i, mention)
	{
		const char *id = json_string_value(json_object_get(mention, "id"));

		if (id && snowflake_parse(id) == options.application_id)
			return true;
	}
	return false;
}

static struct payload *from_json(const char *type, bool dm, const json_t *d, const json_t *bare_d)
{
	struct payload *p = NULL;
	struct buf text, bare;
	char *a = json_dumps(d, JSON_COMPACT | JSON_ENCODE_ANY);
	char *b = bare_d ? json_dumps(bare_d, JSON_COMPACT) : NULL;

	buf_init(&text, 32 << 20);
	buf_init(&bare, 32 << 20);
	if (a && (b || !bare_d)) {
		buf_str(&text, a);
		if (b)
			buf_str(&bare, b);
		p = payload_new(type, dm, &text, b ? &bare : NULL);
	}
	buf_free(&text);
	buf_free(&bare);
	free(a);
	free(b);
	return p;
}

struct payload *event_json(const char *type, bool dm, const json_t *d)
{
	return from_json(type, dm, d, NULL);
}

struct payload *event_message_json(const char *type, const json_t *message, uint64_t guild_id)
{
	json_t *bare = needs_no_intent(message, guild_id) ? NULL : without_content(message);
	struct payload *p = from_json(type, !guild_id, message, bare);

	json_decref(bare);
	return p;
}

static struct payload *message_with_extra(const struct buf *text, const struct message_event *m)
{
	json_t *message = json_loadb(buf_data(text), text->len, 0, NULL);
	struct payload *p;

	if (!message)
		return NULL;
	json_object_update(message, (json_t *)m->extra);
	json_object_del(message, "no_member");
	p = event_message_json("MESSAGE_CREATE", message, m->guild_id);
	json_decref(message);
	return p;
}

struct payload *event_message(const struct message_event *m)
{
	bool same = !m->guild_id || event_mentions_bot(m->content);
	struct buf text, bare;
	struct payload *p;

	buf_init(&text, 4 << 20);
	buf_init(&bare, 4 << 20);
	put_message(&text, m, false);
	if (m->extra) {
		p = message_with_extra(&text, m);
	} else {
		if (!same)
			put_message(&bare, m, true);
		p = payload_new("MESSAGE_CREATE", !m->guild_id, &text, same ? NULL : &bare);
	}
	buf_free(&text);
	buf_free(&bare);
	return p;
}

/* Opens {"guild_id":"…","channel_id":"…","user_id":"…" */
static void put_where(struct buf *b, uint64_t guild_id, uint64_t channel_id, uint64_t user_id)
{
	buf_lit(b, "{\"user_id\":\"");
	buf_u64(b, user_id);
	buf_lit(b, "\",\"channel_id\":\"");
	buf_u64(b, channel_id);
	buf_lit(b, "\"");
	if (!guild_id)
		return;
	buf_lit(b, ",\"guild_id\":\"");
	buf_u64(b, guild_id);
	buf_lit(b, "\",\"member\":{");
	world_member_fields(b, guild_id);
	buf_lit(b, ",\"user\":");
	world_user(b, user_id);
	buf_lit(b, "}");
}

static struct payload *finish(const char *type, bool dm, struct buf *b)
{
	struct payload *p = payload_new(type, dm, b, NULL);

	buf_free(b);
	return p;
}

struct payload *event_typing(uint64_t guild_id, uint64_t channel_id, uint64_t user_id)
{
	struct buf b;

	buf_init(&b, 8192);
	put_where(&b, guild_id, channel_id, user_id);
	buf_printf(&b, ",\"timestamp\":%llu}", (unsigned long long)(wall_ms() / 1000));
	return finish("TYPING_START", !guild_id, &b);
}

struct payload *event_presence(uint64_t guild_id, uint64_t user_id, uint64_t variant)
{
	static const char *const status[] = { "online", "idle", "dnd", "offline" };
	const char *now = status[variant % 4];
	struct buf b;

	buf_init(&b, 8192);
	buf_printf(&b, "{\"user\":{\"id\":\"%llu\"},\"guild_id\":\"%llu\",\"status\":\"%s\",\"client_status\":{",
		   (unsigned long long)user_id, (unsigned long long)guild_id, now);
	if (variant % 4 != 3)
		buf_printf(&b, "\"desktop\":\"%s\"", now);
	buf_lit(&b, "},\"activities\":[");
	if (variant % 3 == 0)
		buf_printf(&b,
			   "{\"id\":\"custom\",\"name\":\"Custom Status\",\"type\":4,\"state\":\"away %llu\","
			   "\"created_at\":%llu}",
			   (unsigned long long)(variant % 100), (unsigned long long)wall_ms());
	buf_lit(&b, "]}");
	return finish("PRESENCE_UPDATE", false, &b);
}

struct payload *event_reaction(uint64_t guild_id, uint64_t channel_id, uint64_t user_id, uint64_t message_id)
{
	struct buf b;

	buf_init(&b, 8192);
	put_where(&b, guild_id, channel_id, user_id);
	buf_printf(&b,
		   ",\"message_id\":\"%llu\",\"emoji\":{\"id\":null,\"name\":\"\xf0\x9f\x91\x8b\"},\"burst\":false,"
		   "\"type\":0}",
		   (unsigned long long)message_id);
	return finish("MESSAGE_REACTION_ADD", !guild_id, &b);
}
