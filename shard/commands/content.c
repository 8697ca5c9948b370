/* Structs into Discord's JSON. Limits that are counts or needs of a struct are checked here; what the text may be is
 * payload.c's matter. Source: discord-facts section 16. */
#include "shard/commands/content.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/layout.h"
#include "shared/base/cleanup.h"

#define EMBEDS_MAX      10
#define EMBED_LINES_MAX 25
#define ROWS_MAX        5
#define BUTTONS_MAX     5
#define CHOICES_MAX     25
#define INPUTS_MAX      5
#define MENTIONS_MAX    100
#define INPUT_TEXT_MAX  4000
#define TITLE_MAX       256 /* units, as all that follow */
#define DESCRIPTION_MAX 4096
#define FOOTER_MAX      2048
#define LINE_NAME_MAX   256
#define LINE_VALUE_MAX  1024
#define CHOICE_MAX      100
#define URL_MAX         2048

enum { TYPE_ROW = 1, TYPE_BUTTON = 2, TYPE_TEXT_INPUT = 4, TYPE_LABEL = 18 };
enum { TEXT_SHORT = 1, TEXT_PARAGRAPH = 2 };

static int PRINTF_LIKE(3, 4) refuse(char *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PAYLOAD_ERROR_SIZE, format, args);
	va_end(args);
	return code;
}

/* Sets @key to the text, if there is one. False: no memory, or it is no UTF-8. */
static bool set_text(json_t *object, const char *key, const char *text)
{
	return !text || json_object_set_new(object, key, json_string(text)) == 0;
}

/* What comes of members' words (a name, a question) may be longer than Discord takes there: it is cut, as a message's
 * text is, with an ellipsis at its end. Limits: discord-facts section 16. */
static bool set_clipped(json_t *object, const char *key, const char *text, size_t max_units)
{
	CLEANUP(cleanup_free) char *cut = text ? payload_clip(text, max_units) : NULL;

	return !text || (cut && set_text(object, key, cut));
}

static bool set_number(json_t *object, const char *key, int64_t number, bool there)
{
	return !there || json_object_set_new(object, key, json_integer(number)) == 0;
}

static bool set_truth(json_t *object, const char *key, bool truth)
{
	return !truth || json_object_set_new(object, key, json_true()) == 0;
}

/* {"url": …} and the like. */
static bool set_wrapped(json_t *object, const char *key, const char *inner, const char *text, size_t max_units)
{
	CLEANUP(cleanup_free) char *cut = text ? payload_clip(text, max_units) : NULL;

	return !text || (cut && json_object_set_new(object, key, json_pack("{s:s}", inner, cut)) == 0);
}

/* "name:id" of a guild's own emoji, else unicode characters. */
static bool set_emoji(json_t *object, const char *emoji)
{
	const char *colon = emoji ? strrchr(emoji, ':') : NULL;
	json_t *made;

	if (!emoji)
		return true;
	if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1))
		made = json_pack("{s:s%, s:s}", "name", emoji, (size_t)(colon - emoji), "id", colon + 1);
	else
		made = json_pack("{s:s}", "name", emoji);
	return json_object_set_new(object, "emoji", made) == 0;
}

/* --- embeds
 * ----------------------------------------------------------------------------------------------------------- */

static json_t *line_to_json(const struct shoal_embed_line *line)
{
	json_auto_t *json = json_pack("{s:b}", "inline", (int)line->beside);

	if (!json || !line->name || !line->value || !set_clipped(json, "name", line->name, LINE_NAME_MAX) ||
	    !set_clipped(json, "value", line->value, LINE_VALUE_MAX))
		return NULL;
	return TAKE(json);
}

static json_t *embed_lines(const struct shoal_embed_content *embed)
{
	json_t *lines = json_array();
	size_t i;

	for (i = 0; i < embed->line_count; i++)
		if (json_array_append_new(lines, line_to_json(&embed->lines[i])) < 0) {
			json_decref(lines);
			return NULL;
		}
	return lines;
}

static json_t *embed_to_json(const struct shoal_embed_content *embed)
{
	json_auto_t *json = json_object();
	bool ok = set_clipped(json, "title", embed->title, TITLE_MAX) &&
		  set_clipped(json, "description", embed->description, DESCRIPTION_MAX) &&
		  set_text(json, "url", embed->url) && set_number(json, "color", embed->color, embed->color != 0) &&
		  set_wrapped(json, "footer", "text", embed->footer, FOOTER_MAX) &&
		  set_wrapped(json, "author", "name", embed->author, TITLE_MAX) &&
		  set_wrapped(json, "image", "url", embed->image_url, URL_MAX) &&
		  set_wrapped(json, "thumbnail", "url", embed->thumbnail_url, URL_MAX);

	if (ok && embed->line_count)
		ok = json_object_set_new(json, "fields", embed_lines(embed)) == 0;
	return ok ? TAKE(json) : NULL;
}

static int make_embeds(const struct shoal_content *from, char *error, json_t **ret_embeds)
{
	json_auto_t *list = json_array();
	size_t i;

	if (from->embed_count > EMBEDS_MAX)
		return refuse(error, -E2BIG, "%zu embeds, Discord allows %d", from->embed_count, EMBEDS_MAX);
	for (i = 0; i < from->embed_count; i++) {
		if (from->embeds[i].line_count > EMBED_LINES_MAX)
			return refuse(error, -E2BIG, "embed %zu has %zu lines, Discord allows %d", i,
				      from->embeds[i].line_count, EMBED_LINES_MAX);
		if (json_array_append_new(list, embed_to_json(&from->embeds[i])) < 0)
			return refuse(error, -EINVAL, "embed %zu: a text is missing or no UTF-8", i);
	}
	*ret_embeds = TAKE(list);
	return 0;
}

/* --- buttons and selects
 * ---------------------------------------------------------------------------------------------- */

static int check_custom_id(const char *custom_id, char *error)
{
	size_t len = custom_id ? strlen(custom_id) : 0;

	if (len == 0 || len > SHOAL_CUSTOM_ID_MAX)
		return refuse(error, -EINVAL, "a custom id has %zu bytes, it may have 1 to %d", len,
			      SHOAL_CUSTOM_ID_MAX);
	return 0;
}

int content_button(const struct shoal_button *button, char error[PAYLOAD_ERROR_SIZE], json_t **ret_json)
{
	int style = button->style ? (int)button->style : SHOAL_BUTTON_SECONDARY;
	json_auto_t *json = json_pack("{s:i, s:i}", "type", TYPE_BUTTON, "style", style);
	bool link = style == SHOAL_BUTTON_LINK;
	int r = 0;

	if (style < SHOAL_BUTTON_PRIMARY || style > SHOAL_BUTTON_LINK)
		return refuse(error, -EINVAL, "there is no button of style %d", style);
	if (!button->label && !button->emoji)
		return refuse(error, -EINVAL, "a button needs a label or an emoji");
	if (link && !button->url)
		return refuse(error, -EINVAL, "a link button needs a url");
	if (!link)
		r = check_custom_id(button->custom_id, error);
	if (r < 0)
		return r;
	if (!set_text(json, "label", button->label) || !set_emoji(json, button->emoji) ||
	    !set_text(json, link ? "url" : "custom_id", link ? button->url : button->custom_id) ||
	    !set_truth(json, "disabled", button->disabled))
		return refuse(error, -EINVAL, "a button's text is no UTF-8");
	*ret_json = TAKE(json);
	return 0;
}

static json_t *choice_to_json(const struct shoal_select_choice *choice)
{
	json_auto_t *json = json_pack("{s:s}", "value", choice->value);

	if (!json || !choice->label || !set_clipped(json, "label", choice->label, CHOICE_MAX) ||
	    !set_clipped(json, "description", choice->description, CHOICE_MAX) || !set_emoji(json, choice->emoji) ||
	    !set_truth(json, "default", choice->chosen))
		return NULL;
	return TAKE(json);
}

static int add_choices(const struct shoal_select *select, char *error, json_t *json)
{
	json_auto_t *list = json_array();
	size_t i;

	if (select->choice_count < 1 || select->choice_count > CHOICES_MAX)
		return refuse(error, -EINVAL, "a select has %zu choices, it may have 1 to %d", select->choice_count,
			      CHOICES_MAX);
	for (i = 0; i < select->choice_count; i++)
		if (json_array_append_new(list, choice_to_json(&select->choices[i])) < 0)
			return refuse(error, -EINVAL, "choice %zu: a text is missing or no UTF-8", i);
	return json_object_set(json, "options", list) < 0 ? -ENOMEM : 0;
}

static int make_select(const struct shoal_select *select, char error[PAYLOAD_ERROR_SIZE], json_t **ret_json)
{
	int kind = select->kind ? (int)select->kind : SHOAL_SELECT_STRING;
	json_auto_t *json = json_pack("{s:i}", "type", kind);
	bool bounded = select->least || select->most;
	int r;

	if (kind != SHOAL_SELECT_STRING && (kind < SHOAL_SELECT_USER || kind > SHOAL_SELECT_CHANNEL))
		return refuse(error, -EINVAL, "there is no select of kind %d", kind);
	r = check_custom_id(select->custom_id, error);
	if (r >= 0 && bounded && (select->most > CHOICES_MAX || select->least > select->most))
		r = refuse(error, -EINVAL, "a select can't ask for %u to %u choices", select->least, select->most);
	if (r >= 0 && kind == SHOAL_SELECT_STRING)
		r = add_choices(select, error, json);
	if (r < 0)
		return r;
	if (!set_text(json, "custom_id", select->custom_id) || !set_text(json, "placeholder", select->placeholder) ||
	    !set_number(json, "min_values", select->least, bounded) ||
	    !set_number(json, "max_values", select->most, bounded) || !set_truth(json, "disabled", select->disabled))
		return refuse(error, -EINVAL, "a select's text is no UTF-8");
	*ret_json = TAKE(json);
	return 0;
}

int content_row(const struct shoal_action_row *row, char error[PAYLOAD_ERROR_SIZE], json_t **ret_json)
{
	json_auto_t *items = json_array();
	size_t i;
	int r;

	if (row->select ? row->button_count > 0 : row->button_count < 1 || row->button_count > BUTTONS_MAX)
		return refuse(error, -EINVAL, "a row has 1 to %d buttons, or one select", BUTTONS_MAX);
	for (i = 0; i < row->button_count; i++) {
		json_t *button = NULL;

		r = content_button(&row->buttons[i], error, &button);
		if (r < 0)
			return r;
		json_array_append_new(items, button);
	}
	if (row->select) {
		json_t *select = NULL;

		r = make_select(row->select, error, &select);
		if (r < 0)
			return r;
		json_array_append_new(items, select);
	}
	*ret_json = json_pack("{s:i, s:O}", "type", TYPE_ROW, "components", items);
	return *ret_json ? 0 : -ENOMEM;
}

static int make_rows(const struct shoal_content *from, char *error, json_t **ret_rows)
{
	json_auto_t *list = json_array();
	size_t i;

	if (from->row_count > ROWS_MAX)
		return refuse(error, -E2BIG, "%zu rows, Discord allows %d", from->row_count, ROWS_MAX);
	for (i = 0; i < from->row_count; i++) {
		json_t *row = NULL;
		int r = content_row(&from->rows[i], error, &row);

		if (r < 0)
			return r;
		json_array_append_new(list, row);
	}
	*ret_rows = TAKE(list);
	return 0;
}

/* --- the whole
 * -------------------------------------------------------------------------------------------------------- */

static int copy_mentions(const struct shoal_allowed_mentions *from, char *error, struct content *content)
{
	size_t count = from->user_count + from->role_count;

	if (from->user_count > MENTIONS_MAX || from->role_count > MENTIONS_MAX)
		return refuse(error, -E2BIG, "Discord pings at most %d users and %d roles by name", MENTIONS_MAX,
			      MENTIONS_MAX);
	content->mentions = (struct payload_mentions){ .everyone = from->everyone,
						       .all_users = from->all_users,
						       .all_roles = from->all_roles,
						       .replied_user = from->replied_user };
	if (count == 0)
		return 0;
	content->ids = calloc(count, sizeof(*content->ids));
	if (!content->ids)
		return -ENOMEM;
	if (from->user_count)
		memcpy(content->ids, from->users, from->user_count * sizeof(*content->ids));
	if (from->role_count)
		memcpy(content->ids + from->user_count, from->roles, from->role_count * sizeof(*content->ids));
	content->mentions.users = content->ids;
	content->mentions.user_count = from->user_count;
	content->mentions.roles = content->ids + from->user_count;
	content->mentions.role_count = from->role_count;
	return 0;
}

static void content_freep(struct content **content)
{
	*content = content_free(*content);
}

int content_new(const struct shoal_content *from, char error[PAYLOAD_ERROR_SIZE], struct content **ret_content)
{
	CLEANUP(content_freep) struct content *content = calloc(1, sizeof(*content));
	int r = 0;

	snprintf(error, PAYLOAD_ERROR_SIZE, "no memory");
	if (!content)
		return -ENOMEM;
	content->flags = from->flags & ~(uint32_t)PAYLOAD_COMPONENTS_V2; /* which follows from the blocks */
	if (from->text)
		content->text = payload_clip(from->text, PAYLOAD_CONTENT_MAX);
	if (from->text && !content->text)
		return -ENOMEM;
	if (from->embed_count || from->clear_embeds)
		r = make_embeds(from, error, &content->embeds);
	if (r == 0 && from->block_count && (from->text || from->embed_count || from->row_count))
		r = refuse(error, -EINVAL, "a message that is laid out has neither text, embeds nor rows beside");
	if (r == 0 && from->block_count) {
		r = layout_make(from->blocks, from->block_count, error, &content->components);
		content->flags |= PAYLOAD_COMPONENTS_V2;
	} else if (r == 0 && (from->row_count || from->clear_rows)) {
		r = make_rows(from, error, &content->components);
	}
	if (r == 0)
		r = copy_mentions(&from->mentions, error, content);
	if (r < 0)
		return r;
	*ret_content = TAKE(content);
	return 0;
}

int content_of_text(char *text, struct content **ret_content)
{
	CLEANUP(cleanup_free) char *taken = text;
	struct shoal_content from = { .text = taken };
	char error[PAYLOAD_ERROR_SIZE];

	return taken ? content_new(&from, error, ret_content) : -ENOMEM;
}

struct content *content_free(struct content *content)
{
	if (content) {
		free(content->text);
		json_decref(content->embeds);
		json_decref(content->components);
		free(content->ids);
		free(content);
	}
	return NULL;
}

struct payload_message content_message(const struct content *content, uint32_t flags)
{
	return (struct payload_message){ .content = content->text,
					 .embeds = content->embeds,
					 .components = content->components,
					 .flags = content->flags & (flags | PAYLOAD_COMPONENTS_V2),
					 .mentions = content->mentions };
}

/* --- forms
 * ------------------------------------------------------------------------------------------------------------ */

/* A label with its text input: the new form (discord-facts section 16, type 18). */
static json_t *input_to_json(const struct shoal_text_input *input)
{
	json_auto_t *text =
		json_pack("{s:i, s:s, s:i, s:b}", "type", TYPE_TEXT_INPUT, "custom_id", input->custom_id, "style",
			  input->paragraph ? TEXT_PARAGRAPH : TEXT_SHORT, "required", (int)!input->optional);

	if (!text || !set_text(text, "value", input->value) || !set_text(text, "placeholder", input->placeholder) ||
	    !set_number(text, "min_length", input->least, input->least != 0) ||
	    !set_number(text, "max_length", input->most, input->most != 0))
		return NULL;
	return json_pack("{s:i, s:s, s:O}", "type", TYPE_LABEL, "label", input->label, "component", text);
}

json_t *content_modal(const struct shoal_modal *modal, char error[PAYLOAD_ERROR_SIZE])
{
	json_auto_t *list = json_array();
	size_t i;

	if (modal->input_count < 1 || modal->input_count > INPUTS_MAX) {
		refuse(error, -EINVAL, "a form has %zu inputs, it may have 1 to %d", modal->input_count, INPUTS_MAX);
		return NULL;
	}
	for (i = 0; i < modal->input_count; i++) {
		const struct shoal_text_input *input = &modal->inputs[i];

		if (input->least > INPUT_TEXT_MAX || input->most > INPUT_TEXT_MAX) {
			refuse(error, -EINVAL, "input %zu: at most %d characters", i, INPUT_TEXT_MAX);
			return NULL;
		}
		if (json_array_append_new(list, input_to_json(input)) < 0) {
			refuse(error, -EINVAL, "input %zu: custom id or label is missing, or no UTF-8", i);
			return NULL;
		}
	}
	return TAKE(list);
}
