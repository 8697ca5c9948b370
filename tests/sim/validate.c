/* Body checks. Each rule that is broken is answered as 50035 with the place in the tree, as Discord does. */
#include "tests/sim/validate.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/util.h"

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool too_long(struct rest_call *c, const char *path, size_t max)
{
	char message[64];

	snprintf(message, sizeof(message), "Must be %zu or fewer in length.", max);
	rest_invalid(c, path, "BASE_TYPE_MAX_LENGTH", message);
	return false;
}

struct text_rule {
	const char *key;
	size_t max;
	bool required;
};

/* Texts of one object at @path; adds their lengths to @sum. */
static bool check_texts(struct rest_call *c, const json_t *object, const char *path, const struct text_rule *rules,
			size_t count, size_t *sum)
{
	char at[160];

	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, rules[i].key);
		size_t n;

		snprintf(at, sizeof(at), "%s.%s", path, rules[i].key);
		if (!value || json_is_null(value) || (rules[i].required && !json_string_length(value))) {
			if (!rules[i].required)
				continue;
			rest_invalid(c, at, "BASE_TYPE_REQUIRED", "This field is required");
			return false;
		}
		if (!json_is_string(value)) {
			rest_invalid(c, at, "STRING_TYPE_CONVERT", "Could not interpret as string.");
			return false;
		}
		n = utf16_length(json_string_value(value));
		if (n > rules[i].max)
			return too_long(c, at, rules[i].max);
		*sum += n;
	}
	return true;
}

static bool check_embed(struct rest_call *c, const json_t *embed, size_t index, size_t *sum)
{
	static const struct text_rule own[] = { { "title", 256, false }, { "description", 4096, false } },
				      field[] = { { "name", 256, true }, { "value", 1024, true } },
				      footer[] = { { "text", 2048, true } }, author[] = { { "name", 256, true } };
	const json_t *fields = json_object_get(embed, "fields"), *one;
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "embeds.%zu", index);
	if (!json_is_object(embed)) {
		rest_invalid(c, path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
		return false;
	}
	if (!check_texts(c, embed, path, own, 2, sum))
		return false;
	if (json_array_size(fields) > 25) {
		snprintf(path, sizeof(path), "embeds.%zu.fields", index);
		return too_long(c, path, 25);
	}
	json_array_foreach((json_t *)fields, i, one)
	{
		snprintf(path, sizeof(path), "embeds.%zu.fields.%zu", index, i);
		if (!check_texts(c, one, path, field, 2, sum))
			return false;
	}
	one = json_object_get(embed, "footer");
	snprintf(path, sizeof(path), "embeds.%zu.footer", index);
	if (json_is_object(one) && !check_texts(c, one, path, footer, 1, sum))
		return false;
	one = json_object_get(embed, "author");
	snprintf(path, sizeof(path), "embeds.%zu.author", index);
	if (json_is_object(one) && !check_texts(c, one, path, author, 1, sum))
		return false;
	one = json_object_get(embed, "color");
	snprintf(path, sizeof(path), "embeds.%zu.color", index);
	if (json_is_integer(one) && (json_integer_value(one) < 0 || json_integer_value(one) > 0xffffff)) {
		rest_invalid(c, path, "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.");
		return false;
	}
	return true;
}

static bool check_embeds(struct rest_call *c, const json_t *embeds)
{
	size_t sum = 0, i;
	json_t *embed;

	if (json_array_size(embeds) > 10)
		return too_long(c, "embeds", 10);
	json_array_foreach((json_t *)embeds, i, embed)
	{
		if (!check_embed(c, embed, i, &sum))
			return false;
	}
	if (sum > 6000) {
		rest_invalid(c, "embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
		return false;
	}
	return true;
}

static bool check_mentions(struct rest_call *c, const json_t *mentions)
{
	static const char *const lists[] = { "users", "roles" };
	const json_t *parse = json_object_get(mentions, "parse");
	json_t *word;
	size_t i;

	if (!mentions || json_is_null(mentions))
		return true;
	if (!json_is_object(mentions)) {
		rest_invalid(c, "allowed_mentions", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
		return false;
	}
	json_array_foreach((json_t *)parse, i, word)
	{
		const char *text = json_string_value(word);

		if (!text || (strcmp(text, "users") && strcmp(text, "roles") && strcmp(text, "everyone"))) {
			rest_invalid(c, "allowed_mentions.parse", "BASE_TYPE_CHOICES",
				     "Value must be one of ('users', 'roles', 'everyone').");
			return false;
		}
		for (size_t k = 0; k < 2; k++) {
			if (!strcmp(text, lists[k]) && json_array_size(json_object_get(mentions, lists[k]))) {
				rest_invalid(c, "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
					     "parse:[\"users\"] and users: [ids...] are mutually exclusive.");
				return false;
			}
		}
	}
	for (size_t k = 0; k < 2; k++) {
		if (json_array_size(json_object_get(mentions, lists[k])) > 100)
			return too_long(c, "allowed_mentions", 100);
	}
	return true;
}

/* Counts components with nested ones, remembers custom_ids; false when the call is over. */
static bool walk_components(struct rest_call *c, const json_t *list, json_t *seen, size_t *total)
{
	json_t *component;
	size_t i;

	json_array_foreach((json_t *)list, i, component)
	{
		const char *custom_id = text_of(component, "custom_id");
		json_t *inner = json_object_get(component, "components"), *one;

		(*total)++;
		if (!json_is_integer(json_object_get(component, "type"))) {
			rest_invalid(c, "components", "BASE_TYPE_REQUIRED", "This field is required");
			return false;
		}
		if (custom_id) {
			if (!custom_id[0] || utf16_length(custom_id) > 100) {
				rest_invalid(c, "components", "BASE_TYPE_BAD_LENGTH",
					     "Must be between 1 and 100 in length.");
				return false;
			}
			if (json_object_get(seen, custom_id)) {
				rest_invalid(c, "components", "COMPONENT_CUSTOM_ID_DUPLICATED",
					     "Component custom id cannot be duplicated");
				return false;
			}
			json_object_set_new(seen, custom_id, json_true());
		}
		if (json_integer_value(json_object_get(component, "type")) == 1 && json_array_size(inner) > 5) {
			rest_invalid(c, "components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
			return false;
		}
		if (!walk_components(c, inner, seen, total))
			return false;
		one = json_object_get(component, "component");
		*total += one != NULL;
	}
	return true;
}

static bool check_components(struct rest_call *c, const json_t *list, bool v2)
{
	json_t *seen = json_object();
	size_t total = 0;
	bool good;

	if (!v2 && json_array_size(list) > 5) {
		json_decref(seen);
		rest_invalid(c, "components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
		return false;
	}
	good = walk_components(c, list, seen, &total);
	json_decref(seen);
	if (good && v2 && total > 40) {
		rest_invalid(c, "components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 40 in length.");
		return false;
	}
	return good;
}

static bool is_empty(const json_t *body)
{
	static const char *const lists[] = { "embeds", "sticker_ids", "components", "attachments" };
	const char *content = json_string_value(json_object_get(body, "content"));

	/* Blanks are no text. */
	if (content && content[strspn(content, " \t\r\n\v\f")])
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (json_array_size(json_object_get(body, lists[i])))
			return false;
	}
	if (json_integer_value(json_object_get(json_object_get(body, "message_reference"), "type")) == 1)
		return false;
	return !json_is_object(json_object_get(body, "poll"));
}

bool validate_message(struct rest_call *c, const json_t *body, enum message_use use)
{
	const json_t *content = json_object_get(body, "content"), *nonce = json_object_get(body, "nonce");
	const json_t *flags = json_object_get(body, "flags");
	bool v2 = json_integer_value(flags) & 1 << 15;

	if (!json_is_object(body)) {
		rest_invalid(c, "", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
		return false;
	}
	if (content && !json_is_string(content) && !json_is_null(content)) {
		rest_invalid(c, "content", "STRING_TYPE_CONVERT", "Could not interpret as string.");
		return false;
	}
	if (json_is_string(content) && utf16_length(json_string_value(content)) > 2000)
		return too_long(c, "content", 2000);
	if (flags && !json_is_integer(flags) && !json_is_null(flags)) {
		rest_invalid(c, "flags", "NUMBER_TYPE_COERCE", "Value is not int.");
		return false;
	}
	if (nonce && !json_is_null(nonce)) {
		if (!json_is_string(nonce) && !json_is_integer(nonce)) {
			rest_invalid(c, "nonce", "NONCE_TYPE_CONVERT", "Could not interpret as nonce.");
			return false;
		}
		if (json_is_string(nonce) && utf16_length(json_string_value(nonce)) > 25)
			return too_long(c, "nonce", 25);
	}
	if (v2 &&
	    (json_string_length(content) || json_array_size(json_object_get(body, "embeds")) ||
	     json_is_object(json_object_get(body, "poll")) || json_array_size(json_object_get(body, "sticker_ids")))) {
		rest_invalid(c, "flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
			     "The 'content' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
		return false;
	}
	if (!check_embeds(c, json_object_get(body, "embeds")) ||
	    !check_mentions(c, json_object_get(body, "allowed_mentions")) ||
	    !check_components(c, json_object_get(body, "components"), v2))
		return false;
	if (use != MESSAGE_EDIT && is_empty(body) && !strstr(exchange_header(c->x, "Content-Type"), "multipart")) {
		rest_fail(c, 50006);
		return false;
	}
	return true;
}
