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
	} integer[SHOAL_TEST_OPTIONS];
	const char *custom_rest;
	int level; /* enum shoal_level */
	bool by_operator;
	/* what came of it */
	unsigned replies; /* a second one is refused, and not counted */
	char reply[4096]; /* its text */
	bool is_error, is_update, is_modal;
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

/* What a module calls beyond these crashes its test, which then needs a function of its own in the table. */
static inline struct shoal_api *shoal_test_begin(void)
{
	static struct shoal_api table;

	table = (struct shoal_api){
		.abi = SHOAL_ABI,
		.size = sizeof(table),
		.invocation_hold = shoal_test_hold,
		.invocation_release = shoal_test_release,
		.invocation_guild_id = shoal_test_guild_id,
		.invocation_channel_id = shoal_test_channel_id,
		.invocation_user_id = shoal_test_user_id,
		.invocation_string = shoal_test_string,
		.invocation_integer = shoal_test_integer,
		.invocation_field = shoal_test_field,
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
