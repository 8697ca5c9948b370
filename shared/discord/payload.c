/* Message bodies. Run by whoever answers a member; must not send anything nor know of HTTP.
 * A body is built in full and handed over, or refused with a sentence that names field and limit. */
#include "shared/discord/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define MENTIONS_MAX         100
#define ROWS_MAX             5
#define ROW_ITEMS_MAX        5
#define COMPONENTS_V2_MAX    40
#define COMPONENTS_DEPTH_MAX 8
#define V2_TEXT_MAX          4000
/* Above it Discord answers 500: bytes of all text displays and 12 for each (observed, discord-facts.md section 16). */
#define V2_BYTES_MAX           10170
#define V2_TEXT_OVERHEAD       12
#define COMPONENT_ACTION_ROW   1
#define COMPONENT_TEXT_DISPLAY 10

enum callback_type {
	CALLBACK_MESSAGE = 4,
	CALLBACK_DEFER = 5,
	CALLBACK_DEFER_UPDATE = 6,
	CALLBACK_UPDATE = 7,
	CALLBACK_CHOICES = 8,
	CALLBACK_MODAL = 9,
};

static int PRINTF_LIKE(3, 4) refuse(char *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PAYLOAD_ERROR_SIZE, format, args);
	va_end(args);
	return code;
}

static int no_memory(char *error)
{
	return refuse(error, -ENOMEM, "no memory");
}

/* --- text ----------------------------------------------------------------------------------------------------------
 */

/* Decodes one character of UTF-8 at @text; its bytes, or 0 when it is none (overlong, surrogate, cut). */
static size_t decode(const unsigned char *text, size_t len, uint32_t *ret_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	uint32_t c = need == 1 ? text[0] : text[0] & (0xffU >> (need + 1));

	if (text[0] >= 0xf8 || (text[0] >= 0x80 && text[0] < 0xc0) || need > len)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	if (c < least[need] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret_char = c;
	return need;
}

ssize_t payload_units(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	ssize_t units = 0;
	uint32_t c;

	while (len) {
		size_t n = decode(p, len, &c);

		if (!n)
			return -EILSEQ;
		units += c >= 0x10000 ? 2 : 1;
		p += n;
		len -= n;
	}
	return units;
}

char *payload_clip(const char *text, size_t max_units)
{
	static const char bad[] = "\xef\xbf\xbd", ellipsis[] = "\xe2\x80\xa6";
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), units = 0, len = 0, keep = 0;
	char *out = malloc(left * 3 + sizeof(ellipsis));
	uint32_t c = 0;

	if (!out)
		return NULL;
	while (left) {
		size_t n = decode(p, left, &c), wide = n && c >= 0x10000 ? 2 : 1;

		if (units + wide > max_units)
			break;
		memcpy(out + len, n ? (const char *)p : bad, n ? n : sizeof(bad) - 1);
		len += n ? n : sizeof(bad) - 1;
		units += wide;
		if (units < max_units)
			keep = len; /* here the ellipsis would still fit */
		n = n ? n : 1;
		p += n;
		left -= n;
	}
	if (left && max_units) {
		len = keep;
		memcpy(out + len, ellipsis, sizeof(ellipsis) - 1);
		len += sizeof(ellipsis) - 1;
	}
	out[len] = '\0';
	return out;
}

/* @max units at most, @min at least. NULL text is nothing to check. */
static int check_text(const char *field, const char *text, ssize_t min, ssize_t max, char *error)
{
	ssize_t units = text ? payload_units(text, strlen(text)) : min;

	if (units < 0)
		return refuse(error, -EILSEQ, "%s is no UTF-8", field);
	if (units < min)
		return refuse(error, -EINVAL, "%s is empty", field);
	if (units > max)
		return refuse(error, -E2BIG, "%s has %zd characters, Discord allows %zd", field, units, max);
	return 0;
}

static int check_array(const char *field, const json_t *array, size_t min, size_t max, char *error)
{
	if (!json_is_array(array))
		return refuse(error, -EINVAL, "%s is no array", field);
	if (json_array_size(array) < min)
		return refuse(error, -EINVAL, "%s has %zu entries, Discord wants %zu", field, json_array_size(array),
			      min);
	if (json_array_size(array) > max)
		return refuse(error, -E2BIG, "%s has %zu entries, Discord allows %zu", field, json_array_size(array),
			      max);
	return 0;
}

/* --- embeds --------------------------------------------------------------------------------------------------------
 */

static const struct embed_row {
	const char *object; /* NULL: the embed itself */
	const char *key;
	ssize_t max;
} embed_rows[] = {
	{ NULL, "title", 256 },
	{ NULL, "description", 4096 },
	{ "footer", "text", 2048 },
	{ "author", "name", 256 },
};

/* Adds the units of @object[@key] to *@total. */
static int check_embed_text(const json_t *object, const char *key, ssize_t max, ssize_t *total, char *error)
{
	const char *text = json_string_value(json_object_get(object, key));
	int r = check_text(key, text, 0, max, error);

	if (r < 0)
		return r;
	if (text)
		*total += payload_units(text, strlen(text));
	return 0;
}

static int check_embed(const json_t *embed, ssize_t *total, char *error)
{
	const json_t *fields = json_object_get(embed, "fields"), *field;
	size_t i;
	int r;

	if (!json_is_object(embed))
		return refuse(error, -EINVAL, "an embed is no object");
	for (i = 0; i < ARRAY_SIZE(embed_rows); i++) {
		const struct embed_row *row = &embed_rows[i];

		r = check_embed_text(row->object ? json_object_get(embed, row->object) : embed, row->key, row->max,
				     total, error);
		if (r < 0)
			return r;
	}
	if (!fields)
		return 0;
	r = check_array("fields", fields, 0, 25, error);
	json_array_foreach(fields, i, field)
	{
		if (r >= 0)
			r = check_embed_text(field, "name", 256, total, error);
		if (r >= 0)
			r = check_embed_text(field, "value", 1024, total, error);
	}
	return r;
}

static int check_embeds(const json_t *embeds, char *error)
{
	ssize_t total = 0;
	const json_t *embed;
	size_t i;
	int r = check_array("embeds", embeds, 0, PAYLOAD_EMBEDS_MAX, error);

	json_array_foreach(embeds, i, embed) if (r >= 0) r = check_embed(embed, &total, error);
	if (r >= 0 && total > PAYLOAD_EMBED_TOTAL_MAX)
		return refuse(error, -E2BIG, "embeds have %zd characters together, Discord allows %d", total,
			      PAYLOAD_EMBED_TOTAL_MAX);
	return r;
}

/* --- components ----------------------------------------------------------------------------------------------------
 */

static const struct component_row {
	const char *key;
	ssize_t min, max;
} component_rows[] = {
	{ "custom_id", 1, 100 },
	{ "label", 0, 80 },
	{ "placeholder", 0, 150 },
	{ "url", 1, 512 },
};

struct component_sums {
	size_t count, bytes;
	ssize_t text_units;
};

static int check_component(const json_t *component, unsigned depth, struct component_sums *sums, char *error);

static int check_component_list(const json_t *list, unsigned depth, struct component_sums *sums, char *error)
{
	const json_t *component;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, component) if (r >= 0) r = check_component(component, depth, sums, error);
	return r;
}

static int check_component(const json_t *component, unsigned depth, struct component_sums *sums, char *error)
{
	json_int_t type = json_integer_value(json_object_get(component, "type"));
	const json_t *children = json_object_get(component, "components");
	const json_t *accessory = json_object_get(component, "accessory");
	const char *text = json_string_value(json_object_get(component, "content"));
	int r;

	if (!json_is_object(component) || type < 1)
		return refuse(error, -EINVAL, "a component has no type");
	if (depth > COMPONENTS_DEPTH_MAX)
		return refuse(error, -E2BIG, "components are nested too deep");
	sums->count++;
	for (size_t i = 0; i < ARRAY_SIZE(component_rows); i++) {
		const struct component_row *row = &component_rows[i];

		r = check_text(row->key, json_string_value(json_object_get(component, row->key)), row->min, row->max,
			       error);
		if (r < 0)
			return r;
	}
	if (type == COMPONENT_TEXT_DISPLAY && text) {
		r = check_text("text display", text, 1, V2_TEXT_MAX, error);
		if (r < 0)
			return r;
		sums->text_units += payload_units(text, strlen(text));
		sums->bytes += strlen(text) + V2_TEXT_OVERHEAD;
	}
	if (type == COMPONENT_ACTION_ROW) {
		r = check_array("an action row", children, 1, ROW_ITEMS_MAX, error);
		if (r < 0)
			return r;
	}
	r = check_component_list(children, depth + 1, sums, error);
	return r < 0 || !accessory ? r : check_component(accessory, depth + 1, sums, error);
}

static int check_components(const json_t *components, bool v2, char *error)
{
	struct component_sums sums = { 0 };
	int r = check_array("components", components, 0, v2 ? COMPONENTS_V2_MAX : ROWS_MAX, error);

	if (r >= 0)
		r = check_component_list(components, 0, &sums, error);
	if (r < 0 || !v2)
		return r;
	if (sums.count > COMPONENTS_V2_MAX)
		return refuse(error, -E2BIG, "%zu components, Discord allows %d", sums.count, COMPONENTS_V2_MAX);
	if (sums.text_units > V2_TEXT_MAX)
		return refuse(error, -E2BIG, "text displays have %zd characters together, Discord allows %d",
			      sums.text_units, V2_TEXT_MAX);
	if (sums.bytes > V2_BYTES_MAX)
		return refuse(error, -E2BIG, "text displays have %zu bytes together, Discord takes %d", sums.bytes,
			      V2_BYTES_MAX);
	return 0;
}

/* --- messages ------------------------------------------------------------------------------------------------------
 */

json_t *payload_id(uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	return json_string(text);
}

void payload_nonce(uint64_t event_id, uint32_t step, char nonce[PAYLOAD_NONCE_SIZE])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char reversed[PAYLOAD_NONCE_SIZE];
	size_t len = 0, out = 0;

	for (uint64_t rest = step; len == 0 || rest; rest /= 36)
		reversed[len++] = digits[rest % 36];
	reversed[len++] = '.';
	for (uint64_t rest = event_id, first = 1; first || rest; rest /= 36, first = 0)
		reversed[len++] = digits[rest % 36];
	while (len)
		nonce[out++] = reversed[--len];
	nonce[out] = '\0';
}

static int add_ids(json_t *object, const char *key, const uint64_t *ids, size_t count)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, payload_id(ids[i])) < 0)
			return -ENOMEM;
	return json_object_set(object, key, list) < 0 ? -ENOMEM : 0;
}

/* allowed_mentions, always in full: what is left out would ping. */
static int add_mentions(json_t *body, const struct payload_mentions *mentions, bool reply, char *error)
{
	json_auto_t *object = json_object(), *parse = json_array();
	int r = 0;

	if (mentions->user_count > MENTIONS_MAX || mentions->role_count > MENTIONS_MAX)
		return refuse(error, -E2BIG, "allowed_mentions: at most %d users and %d roles", MENTIONS_MAX,
			      MENTIONS_MAX);
	if ((mentions->all_users && mentions->user_count) || (mentions->all_roles && mentions->role_count))
		return refuse(error, -EINVAL, "allowed_mentions: all of a kind excludes a list of that kind");
	if (mentions->everyone)
		r |= json_array_append_new(parse, json_string("everyone"));
	if (mentions->all_users)
		r |= json_array_append_new(parse, json_string("users"));
	if (mentions->all_roles)
		r |= json_array_append_new(parse, json_string("roles"));
	r |= json_object_set(object, "parse", parse);
	if (mentions->user_count)
		r |= add_ids(object, "users", mentions->users, mentions->user_count);
	if (mentions->role_count)
		r |= add_ids(object, "roles", mentions->roles, mentions->role_count);
	if (reply)
		r |= json_object_set_new(object, "replied_user", json_boolean(mentions->replied_user));
	r |= json_object_set(body, "allowed_mentions", object);
	return r ? no_memory(error) : 0;
}

static int add_nonce(json_t *body, const char *nonce, char *error)
{
	int r = check_text("nonce", nonce, 1, PAYLOAD_NONCE_MAX, error);

	if (r < 0 || !nonce)
		return r;
	r = json_object_set_new(body, "nonce", json_string(nonce));
	r |= json_object_set_new(body, "enforce_nonce", json_true());
	return r ? no_memory(error) : 0;
}

static int add_reference(json_t *body, const struct payload_message *message, char *error)
{
	json_auto_t *reference = NULL;
	int r;

	if (!message->reply_to)
		return 0;
	reference = json_object();
	r = json_object_set_new(reference, "message_id", payload_id(message->reply_to));
	r |= json_object_set_new(reference, "fail_if_not_exists", json_boolean(message->reply_required));
	r |= json_object_set(body, "message_reference", reference);
	return r ? no_memory(error) : 0;
}

/* What each place takes. */
static const struct kind_row {
	const char *name;
	uint32_t flags;   /* that may be set */
	uint32_t dropped; /* that mean nothing there and are left out silently */
	bool create;      /* must have something to show */
	bool channel;     /* nonce and reference are known there */
} kind_rows[] = {
	[PAYLOAD_CREATE] = { "create", PAYLOAD_SUPPRESS_EMBEDS | PAYLOAD_SUPPRESS_NOTIFICATIONS | PAYLOAD_COMPONENTS_V2,
			     0, true, true },
	[PAYLOAD_EDIT] = { "edit", PAYLOAD_SUPPRESS_EMBEDS | PAYLOAD_COMPONENTS_V2, PAYLOAD_SUPPRESS_NOTIFICATIONS,
			   false, false },
	[PAYLOAD_FOLLOWUP] = { "follow-up",
			       PAYLOAD_SUPPRESS_EMBEDS | PAYLOAD_EPHEMERAL | PAYLOAD_SUPPRESS_NOTIFICATIONS |
				       PAYLOAD_COMPONENTS_V2,
			       0, true, false },
	/* Who sees the original was fixed when it was answered or deferred. */
	[PAYLOAD_ORIGINAL] = { "edit of the original", PAYLOAD_SUPPRESS_EMBEDS | PAYLOAD_COMPONENTS_V2,
			       PAYLOAD_EPHEMERAL | PAYLOAD_SUPPRESS_NOTIFICATIONS, false, false },
};

bool payload_is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n\v\f")] == '\0';
}

static int check_message(const struct kind_row *kind, const struct payload_message *message, char *error)
{
	bool v2 = message->flags & PAYLOAD_COMPONENTS_V2;
	bool has_content = message->content && message->content[0];
	bool has_embeds = json_array_size(message->embeds) > 0;
	int r = check_text("content", message->content, 0, PAYLOAD_CONTENT_MAX, error);

	if (r >= 0 && message->embeds)
		r = check_embeds(message->embeds, error);
	if (r >= 0 && message->components)
		r = check_components(message->components, v2, error);
	if (r < 0)
		return r;
	if (message->flags & ~(kind->flags | kind->dropped))
		return refuse(error, -EINVAL, "flags 0x%x can't be set on a %s", message->flags, kind->name);
	if (!kind->channel && (message->nonce || message->reply_to))
		return refuse(error, -EINVAL, "a %s takes neither nonce nor message_reference", kind->name);
	if (v2 && (has_content || has_embeds))
		return refuse(error, -EINVAL, "components v2 exclude content and embeds");
	if (kind->create && payload_is_blank(message->content) && !has_embeds && !json_array_size(message->components))
		return refuse(error, -EINVAL, "there is nothing to send");
	return 0;
}

static int build(const struct kind_row *kind, const struct payload_message *message, char *error, json_t **ret_body)
{
	json_auto_t *body = json_object();
	uint32_t flags = message->flags & kind->flags;
	int r = check_message(kind, message, error);

	if (r < 0)
		return r;
	r = body ? 0 : -1;
	/* Edited to nothing is said with null; a new message just has none. */
	if (message->content && (message->content[0] || !kind->create))
		r |= json_object_set_new(body, "content",
					 message->content[0] ? json_string(message->content) : json_null());
	/* A plain message becomes a laid-out one only if its text and embeds are taken away with it. */
	if (flags & PAYLOAD_COMPONENTS_V2 && !kind->create && !message->content)
		r |= json_object_set_new(body, "content", json_null());
	if (flags & PAYLOAD_COMPONENTS_V2 && !kind->create)
		r |= json_object_set_new(body, "embeds", json_array());
	else if (message->embeds)
		r |= json_object_set(body, "embeds", (json_t *)message->embeds);
	if (message->components)
		r |= json_object_set(body, "components", (json_t *)message->components);
	if (flags)
		r |= json_object_set_new(body, "flags", json_integer(flags));
	if (r)
		return no_memory(error);
	r = add_mentions(body, &message->mentions, message->reply_to != 0, error);
	if (r >= 0)
		r = add_nonce(body, message->nonce, error);
	if (r >= 0)
		r = add_reference(body, message, error);
	if (r < 0)
		return r;
	*ret_body = TAKE(body);
	return 0;
}

int payload_message(enum payload_kind kind, const struct payload_message *message, char error[PAYLOAD_ERROR_SIZE],
		    json_t **ret_body)
{
	if (kind > PAYLOAD_ORIGINAL)
		return refuse(error, -EINVAL, "no such kind of body");
	return build(&kind_rows[kind], message, error, ret_body);
}

/* --- interaction callbacks -----------------------------------------------------------------------------------------
 */

/* @data: taken, may be NULL. */
static int callback(enum callback_type type, json_t *data, json_t **ret_body)
{
	json_auto_t *owned = data, *body = json_object();

	if (json_object_set_new(body, "type", json_integer(type)) < 0 ||
	    (owned && json_object_set(body, "data", owned) < 0))
		return -ENOMEM;
	*ret_body = TAKE(body);
	return 0;
}

int payload_interaction_message(const struct payload_message *message, bool update, char error[PAYLOAD_ERROR_SIZE],
				json_t **ret_body)
{
	json_t *data = NULL;
	int r = build(&kind_rows[update ? PAYLOAD_ORIGINAL : PAYLOAD_FOLLOWUP], message, error, &data);

	if (r < 0)
		return r;
	r = callback(update ? CALLBACK_UPDATE : CALLBACK_MESSAGE, data, ret_body);
	return r < 0 ? no_memory(error) : 0;
}

int payload_interaction_defer(bool ephemeral, bool update, json_t **ret_body)
{
	json_t *data = NULL;

	if (update)
		return callback(CALLBACK_DEFER_UPDATE, NULL, ret_body);
	if (ephemeral) {
		data = json_pack("{s:i}", "flags", PAYLOAD_EPHEMERAL);
		if (!data)
			return -ENOMEM;
	}
	return callback(CALLBACK_DEFER, data, ret_body);
}

int payload_interaction_choices(const json_t *choices, char error[PAYLOAD_ERROR_SIZE], json_t **ret_body)
{
	const json_t *choice, *value;
	json_t *data;
	size_t i;
	int r = check_array("choices", choices, 0, PAYLOAD_CHOICES_MAX, error);

	json_array_foreach(choices, i, choice)
	{
		value = json_object_get(choice, "value");
		if (r >= 0 && !json_is_string(json_object_get(choice, "name")))
			r = refuse(error, -EINVAL, "choice %zu has no name", i);
		if (r >= 0)
			r = check_text("a choice's name", json_string_value(json_object_get(choice, "name")), 1, 100,
				       error);
		if (r >= 0 && !json_is_string(value) && !json_is_number(value))
			r = refuse(error, -EINVAL, "choice %zu has no value", i);
		if (r >= 0)
			r = check_text("a choice's value", json_string_value(value), 0, 100, error);
	}
	if (r < 0)
		return r;
	data = json_object();
	if (json_object_set(data, "choices", (json_t *)choices) < 0) {
		json_decref(data);
		return no_memory(error);
	}
	r = callback(CALLBACK_CHOICES, data, ret_body);
	return r < 0 ? no_memory(error) : 0;
}

int payload_interaction_modal(const char *custom_id, const char *title, const json_t *components,
			      char error[PAYLOAD_ERROR_SIZE], json_t **ret_body)
{
	struct component_sums sums = { 0 };
	json_t *data;
	int r = check_text("custom_id", custom_id ? custom_id : "", 1, 100, error);

	if (r >= 0)
		r = check_text("title", title ? title : "", 1, 45, error);
	if (r >= 0)
		r = check_array("components", components, 1, 5, error);
	if (r >= 0)
		r = check_component_list(components, 0, &sums, error);
	if (r < 0)
		return r;
	data = json_object();
	r = json_object_set_new(data, "custom_id", json_string(custom_id));
	r |= json_object_set_new(data, "title", json_string(title));
	r |= json_object_set(data, "components", (json_t *)components);
	if (r) {
		json_decref(data);
		return no_memory(error);
	}
	r = callback(CALLBACK_MODAL, data, ret_body);
	return r < 0 ? no_memory(error) : 0;
}
