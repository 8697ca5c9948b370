/* SPDX-License-Identifier: MIT */
/* For the tests of a module, with nothing but these headers: an invocation that you fill, and a table that remembers
 *what was done with it. Include it, then your module's .c file; call shoal_test_begin() first in each test.
 *
 *	struct shoal_invocation inv = { .string = { { "text", "hi" } } };
 *	shoal_test_begin();
 *	command.handle(&inv);
 *	assert_string_equal(inv.reply, "hi");
 */
#ifndef SHOAL_TESTING_H
#define SHOAL_TESTING_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shoal/module.h>

#define SHOAL_TEST_OPTIONS 8

/* What the worker's own is to a module: only functions look into it. */
struct shoal_invocation {
	/* what was asked: yours to fill */
	uint64_t guild_id, channel_id, user_id;
	struct {
		const char *name, *value;
	} string[SHOAL_TEST_OPTIONS], field[SHOAL_TEST_OPTIONS];
	struct {
		const char *name;
		int64_t value;
	} integer[SHOAL_TEST_OPTIONS], id[SHOAL_TEST_OPTIONS]; /* id: of users, channels, roles, attachments */
	struct {
		const char *name;
		double value;
	} number[SHOAL_TEST_OPTIONS];
	enum shoal_language language;
	/* who and what stands behind an id, at most one of a kind */
	const struct shoal_resolved_user *user;
	const struct shoal_resolved_role *role;
	const struct shoal_resolved_channel *channel;
	const struct shoal_resolved_attachment *attachment;
	const struct shoal_resolved_message *message; /* of a message command */
	uint64_t target_id;
	const char *typed; /* while suggestions are asked for */
	const char *custom_rest;
	int level; /* enum shoal_level */
	bool by_operator;
	/* what came of it */
	unsigned replies; /* a second one is refused, and not counted */
	char reply[4096]; /* its text */
	bool is_error, is_update, is_modal;
	size_t suggestions;                      /* so many; the first one's name is in reply */
	size_t buttons;                          /* in its rows */
	char custom_id[SHOAL_CUSTOM_ID_MAX + 1]; /* of the first button, or of the form */
};

static inline int shoal_test_note(struct shoal_invocation *inv, const char *text)
{
	if (inv->replies)
		return -EALREADY;
	inv->replies = 1;
	snprintf(inv->reply, sizeof(inv->reply), "%s", text ? text : "");
	return 0;
}

static inline __attribute__((format(printf, 3, 0))) int shoal_test_vprintf(struct shoal_invocation *inv, bool is_error,
									   const char *format, va_list args)
{
	char text[sizeof(inv->reply)];

	vsnprintf(text, sizeof(text), format, args);
	inv->is_error |= is_error && !inv->replies;
	return shoal_test_note(inv, text);
}

static inline int shoal_test_reply(struct shoal_invocation *inv, const struct shoal_content *content)
{
	size_t i;

	if (inv->replies)
		return -EALREADY;
	for (i = 0; i < content->row_count; i++)
		inv->buttons += content->rows[i].button_count;
	if (content->row_count && content->rows[0].button_count && content->rows[0].buttons[0].custom_id)
		snprintf(inv->custom_id, sizeof(inv->custom_id), "%s", content->rows[0].buttons[0].custom_id);
	return shoal_test_note(inv, content->text);
}

static inline int shoal_test_update(struct shoal_invocation *inv, const struct shoal_content *content)
{
	inv->is_update |= !inv->replies;
	return shoal_test_reply(inv, content);
}

static inline int shoal_test_modal(struct shoal_invocation *inv, const struct shoal_modal *modal)
{
	if (inv->replies)
		return -EALREADY;
	inv->is_modal = true;
	snprintf(inv->custom_id, sizeof(inv->custom_id), "%s", modal->custom_id);
	return shoal_test_note(inv, modal->title);
}

static inline const char *shoal_test_string(const struct shoal_invocation *inv, const char *option,
					    const char *fallback)
{
	size_t i;

	for (i = 0; i < SHOAL_TEST_OPTIONS && inv->string[i].name; i++) {
		if (strcmp(inv->string[i].name, option) == 0)
			return inv->string[i].value;
	}
	return fallback;
}

static inline const char *shoal_test_field(const struct shoal_invocation *inv, const char *custom_id)
{
	size_t i;

	for (i = 0; i < SHOAL_TEST_OPTIONS && inv->field[i].name; i++) {
		if (strcmp(inv->field[i].name, custom_id) == 0)
			return inv->field[i].value;
	}
	return NULL;
}

static inline int64_t shoal_test_integer(const struct shoal_invocation *inv, const char *option, int64_t fallback)
{
	size_t i;

	for (i = 0; i < SHOAL_TEST_OPTIONS && inv->integer[i].name; i++) {
		if (strcmp(inv->integer[i].name, option) == 0)
			return inv->integer[i].value;
	}
	return fallback;
}

static inline uint64_t shoal_test_guild_id(const struct shoal_invocation *inv)
{
	return inv->guild_id;
}

static inline uint64_t shoal_test_channel_id(const struct shoal_invocation *inv)
{
	return inv->channel_id;
}

static inline uint64_t shoal_test_user_id(const struct shoal_invocation *inv)
{
	return inv->user_id;
}

static inline const char *shoal_test_custom_rest(const struct shoal_invocation *inv)
{
	return inv->custom_rest ? inv->custom_rest : "";
}

static inline uint64_t shoal_test_id(const struct shoal_invocation *inv, const char *option, uint64_t fallback)
{
	size_t i;

	for (i = 0; i < SHOAL_TEST_OPTIONS && inv->id[i].name; i++) {
		if (strcmp(inv->id[i].name, option) == 0)
			return (uint64_t)inv->id[i].value;
	}
	return fallback;
}

static inline double shoal_test_number(const struct shoal_invocation *inv, const char *option, double fallback)
{
	size_t i;

	for (i = 0; i < SHOAL_TEST_OPTIONS && inv->number[i].name; i++) {
		if (strcmp(inv->number[i].name, option) == 0)
			return inv->number[i].value;
	}
	return fallback;
}

/* Booleans are integers here. */
static inline bool shoal_test_boolean(const struct shoal_invocation *inv, const char *option, bool fallback)
{
	return shoal_test_integer(inv, option, fallback) != 0;
}

static inline bool shoal_test_has(const struct shoal_invocation *inv, const char *option)
{
	return shoal_test_string(inv, option, NULL) || shoal_test_id(inv, option, 0) ||
	       shoal_test_integer(inv, option, 0) == shoal_test_integer(inv, option, 1) ||
	       !(shoal_test_number(inv, option, 0) < shoal_test_number(inv, option, 1));
}

static inline enum shoal_language shoal_test_language(const struct shoal_invocation *inv)
{
	return inv->language;
}

static inline const struct shoal_resolved_user *shoal_test_user(const struct shoal_invocation *inv, uint64_t id)
{
	return inv->user && inv->user->id == id ? inv->user : NULL;
}

static inline const struct shoal_resolved_role *shoal_test_role(const struct shoal_invocation *inv, uint64_t id)
{
	return inv->role && inv->role->id == id ? inv->role : NULL;
}

static inline const struct shoal_resolved_channel *shoal_test_channel(const struct shoal_invocation *inv, uint64_t id)
{
	return inv->channel && inv->channel->id == id ? inv->channel : NULL;
}

static inline const struct shoal_resolved_attachment *shoal_test_attachment(const struct shoal_invocation *inv,
									    uint64_t id)
{
	return inv->attachment && inv->attachment->id == id ? inv->attachment : NULL;
}

static inline uint64_t shoal_test_target_id(const struct shoal_invocation *inv)
{
	return inv->target_id;
}

static inline const struct shoal_resolved_message *shoal_test_message(const struct shoal_invocation *inv)
{
	return inv->message;
}

static inline const char *shoal_test_typed(const struct shoal_invocation *inv)
{
	return inv->typed ? inv->typed : "";
}

static inline int shoal_test_suggest(struct shoal_invocation *inv, const struct shoal_choice *choices, size_t count)
{
	inv->suggestions = inv->replies ? inv->suggestions : count;
	return shoal_test_note(inv, count ? choices[0].name : "");
}

/* The phrase as it stands, its {names} not filled in. */
static inline int shoal_test_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
				    const struct shoal_word *words, size_t word_count, bool is_error)
{
	const char *text = phrase->text[inv->language] ? phrase->text[inv->language] : phrase->text[SHOAL_ENGLISH];

	(void)words;
	(void)word_count;
	inv->is_error |= is_error && !inv->replies;
	return shoal_test_note(inv, text);
}

/* As it is: what is hostile in it is the worker's to take out. */
static inline const char *shoal_test_clean(const char *from, size_t most, char *text, size_t size)
{
	(void)most;
	snprintf(text, size, "%s", *from ? from : "?");
	return text;
}

/* Here they are filled in. */
static inline const char *shoal_test_phrase_print(const struct shoal_phrase *phrase, enum shoal_language language,
						  const struct shoal_word *words, size_t word_count, char *text,
						  size_t size)
{
	const char *at = phrase->text[language] ? phrase->text[language] : phrase->text[SHOAL_ENGLISH];
	size_t len = 0, i, name;

	while (*at && len + 1 < size) {
		name = *at == '{' ? strcspn(at, "}") : 0;
		for (i = 0; name && i < word_count; i++) {
			if (strlen(words[i].name) == name - 1 && strncmp(words[i].name, at + 1, name - 1) == 0)
				break;
		}
		if (!name || i == word_count) {
			text[len++] = *at++;
			continue;
		}
		len += (size_t)snprintf(text + len, size - len, "%s", words[i].value);
		len = len < size ? len : size - 1;
		at += name + (at[name] == '}');
	}
	if (size)
		text[len] = '\0';
	return text;
}

/* The phrase of the result, or "?". */
static inline int shoal_test_refuse_result(struct shoal_invocation *inv, const struct shoal_result *result)
{
	const struct shoal_phrase unknown = { { "?" } };

	if (result->error == -ECANCELED)
		return 0;
	return shoal_test_phrase(inv, result->phrase ? result->phrase : &unknown, NULL, 0, true);
}

static inline int shoal_test_incident(struct shoal_invocation *inv, const char *why)
{
	inv->is_error |= !inv->replies;
	return shoal_test_note(inv, why);
}

/* Without a seal. */
static inline int shoal_test_custom_id(const struct shoal_invocation *inv, const char *prefix, const char *rest,
				       char *text)
{
	(void)inv;
	return snprintf(text, SHOAL_CUSTOM_ID_MAX + 1, "%s%s%s", prefix, rest && *rest ? ":" : "", rest ? rest : "") >
			       SHOAL_CUSTOM_ID_MAX
		       ? -E2BIG
		       : 0;
}

static inline struct shoal_invocation *shoal_test_hold(struct shoal_invocation *inv)
{
	return inv;
}

static inline void shoal_test_release(struct shoal_invocation *inv)
{
	(void)inv;
}

static inline int shoal_test_level(const struct shoal_invocation *inv)
{
	return inv->level;
}

static inline bool shoal_test_by_operator(const struct shoal_invocation *inv)
{
	return inv->by_operator;
}

/* What shoal_setting_peek() says in a test: { { "greeting", { .type = SHOAL_SETTING_TEXT, .text = "Hi" } } }; another
 * name is not known. Cleared by shoal_test_begin(). */
static struct {
	const char *name;
	struct shoal_setting_value value;
} shoal_test_settings[SHOAL_TEST_OPTIONS] __attribute__((unused));

static inline int shoal_test_setting_peek(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
					  struct shoal_setting_answer *ret_answer)
{
	size_t i;

	(void)scope;
	(void)place;
	for (i = 0; i < SHOAL_TEST_OPTIONS && shoal_test_settings[i].name; i++) {
		if (strcmp(shoal_test_settings[i].name, name) != 0)
			continue;
		*ret_answer = (struct shoal_setting_answer){ .value = &shoal_test_settings[i].value,
							     .from = SHOAL_FROM_GUILD,
							     .sure = true };
		return 0;
	}
	return -ENOENT;
}

static inline struct shoal_scope *shoal_test_scope(struct shoal_invocation *inv)
{
	return (struct shoal_scope *)(void *)inv; /* to be handed on, not looked into */
}

/* What a module calls beyond these crashes its test, which then needs a function of its own in the table. */
static inline struct shoal_api *shoal_test_begin(void)
{
	static struct shoal_api table;

	memset(shoal_test_settings, 0, sizeof(shoal_test_settings));
	table = (struct shoal_api){
		.abi = SHOAL_ABI,
		.size = sizeof(table),
		.setting_peek = shoal_test_setting_peek,
		.invocation_scope = shoal_test_scope,
		.invocation_hold = shoal_test_hold,
		.invocation_release = shoal_test_release,
		.invocation_guild_id = shoal_test_guild_id,
		.invocation_channel_id = shoal_test_channel_id,
		.invocation_user_id = shoal_test_user_id,
		.invocation_string = shoal_test_string,
		.invocation_integer = shoal_test_integer,
		.invocation_field = shoal_test_field,
		.invocation_id = shoal_test_id,
		.invocation_number = shoal_test_number,
		.invocation_boolean = shoal_test_boolean,
		.invocation_has = shoal_test_has,
		.invocation_language = shoal_test_language,
		.resolved_user = shoal_test_user,
		.resolved_role = shoal_test_role,
		.resolved_channel = shoal_test_channel,
		.resolved_attachment = shoal_test_attachment,
		.target_id = shoal_test_target_id,
		.target_message = shoal_test_message,
		.suggest_typed = shoal_test_typed,
		.suggest = shoal_test_suggest,
		.reply_phrase = shoal_test_phrase,
		.reply_incident = shoal_test_incident,
		.refuse_result = shoal_test_refuse_result,
		.phrase_print = shoal_test_phrase_print,
		.clean = shoal_test_clean,
		.custom_id = shoal_test_custom_id,
		.invocation_custom_rest = shoal_test_custom_rest,
		.invocation_level = shoal_test_level,
		.invocation_by_operator = shoal_test_by_operator,
		.reply = shoal_test_reply,
		.reply_vprintf = shoal_test_vprintf,
		.update = shoal_test_update,
		.modal_show = shoal_test_modal,
	};
	shoal_api_table = &table;
	return &table;
}

#endif
