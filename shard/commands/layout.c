/* Blocks into JSON. */
#include "shard/commands/layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shard/commands/content.h"
#include "shared/base/cleanup.h"

#define SECTION_TEXTS_MAX 3
#define GALLERY_MAX       10
#define TEXT_UNITS        4000
#define DESCRIPTION_UNITS 1024
#define ATTACHMENT_URL    "attachment://"

enum { TYPE_THUMBNAIL = 11, SPACING_WIDE = 2 };

static int PRINTF_LIKE(2, 3) refuse(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PAYLOAD_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

static int put_text(json_t *list, const char *text, char *error)
{
	ssize_t units = text ? payload_units(text, strlen(text)) : 0;

	if (units < 1 || units > TEXT_UNITS)
		return refuse(error, "a text of a layout has %zd characters, it may have 1 to %d", units, TEXT_UNITS);
	return json_array_append_new(list, json_pack("{s:i, s:s}", "type", SHOAL_BLOCK_TEXT, "content", text)) < 0
		       ? -ENOMEM
		       : 0;
}

/* {"media": {"url": …}, …}: a gallery's item, and with a type beside it a thumbnail. */
static int make_media(const struct shoal_media_content *media, char *error, json_t **ret_json)
{
	ssize_t units = media->description ? payload_units(media->description, strlen(media->description)) : 0;
	json_auto_t *json = NULL;

	if (!media->url || (strncmp(media->url, "https://", 8) != 0 && strncmp(media->url, "http://", 7) != 0 &&
			    strncmp(media->url, ATTACHMENT_URL, strlen(ATTACHMENT_URL)) != 0))
		return refuse(error, "a picture needs an http(s):// or attachment:// url");
	if (units < 0 || units > DESCRIPTION_UNITS)
		return refuse(error, "a picture's description may have %d characters", DESCRIPTION_UNITS);
	json = json_pack("{s:{s:s}}", "media", "url", media->url);
	if (!json ||
	    (media->description && json_object_set_new(json, "description", json_string(media->description)) < 0) ||
	    (media->spoiler && json_object_set_new(json, "spoiler", json_true()) < 0))
		return refuse(error, "a picture's url or description is no UTF-8");
	*ret_json = TAKE(json);
	return 0;
}

static int make_text(const struct shoal_block *block, char *error, json_t **ret_json)
{
	json_auto_t *list = json_array();
	int r = put_text(list, block->text, error);

	if (r == 0)
		*ret_json = json_incref(json_array_get(list, 0));
	return r;
}

static int make_section(const struct shoal_block *block, char *error, json_t **ret_json)
{
	json_auto_t *texts = json_array(), *beside = NULL;
	int r = 0;

	if (block->text_count < 1 || block->text_count > SECTION_TEXTS_MAX)
		return refuse(error, "a section has %zu texts, it may have 1 to %d", block->text_count,
			      SECTION_TEXTS_MAX);
	if ((block->button != NULL) == (block->media_count == 1) || block->media_count > 1)
		return refuse(error, "a section has one button or one picture beside it");
	for (size_t i = 0; r == 0 && i < block->text_count; i++)
		r = put_text(texts, block->texts[i], error);
	if (r == 0 && block->button)
		r = content_button(block->button, error, &beside);
	else if (r == 0)
		r = make_media(&block->media[0], error, &beside);
	if (r < 0)
		return r;
	if (!block->button)
		json_object_set_new(beside, "type", json_integer(TYPE_THUMBNAIL));
	*ret_json = json_pack("{s:i, s:O, s:O}", "type", SHOAL_BLOCK_SECTION, "components", texts, "accessory", beside);
	return *ret_json ? 0 : -ENOMEM;
}

static int make_gallery(const struct shoal_block *block, char *error, json_t **ret_json)
{
	json_auto_t *items = json_array();

	if (block->media_count < 1 || block->media_count > GALLERY_MAX)
		return refuse(error, "a gallery has %zu pictures, it may have 1 to %d", block->media_count,
			      GALLERY_MAX);
	for (size_t i = 0; i < block->media_count; i++) {
		json_t *item = NULL;
		int r = make_media(&block->media[i], error, &item);

		if (r < 0)
			return r;
		json_array_append_new(items, item);
	}
	*ret_json = json_pack("{s:i, s:O}", "type", SHOAL_BLOCK_GALLERY, "items", items);
	return *ret_json ? 0 : -ENOMEM;
}

static int make_file(const struct shoal_block *block, char *error, json_t **ret_json)
{
	if (block->media_count != 1 || !block->media[0].url ||
	    strncmp(block->media[0].url, ATTACHMENT_URL, strlen(ATTACHMENT_URL)) != 0)
		return refuse(error, "a file is one of the message's own: " ATTACHMENT_URL "NAME");
	*ret_json = json_pack("{s:i, s:{s:s}}", "type", SHOAL_BLOCK_FILE, "file", "url", block->media[0].url);
	if (*ret_json && (block->spoiler || block->media[0].spoiler))
		json_object_set_new(*ret_json, "spoiler", json_true());
	return *ret_json ? 0 : refuse(error, "a file's name is no UTF-8");
}

static int make_separator(const struct shoal_block *block, char *error, json_t **ret_json)
{
	(void)error;
	*ret_json = json_pack("{s:i, s:b}", "type", SHOAL_BLOCK_SEPARATOR, "divider", (int)!block->no_line);
	if (*ret_json && block->wide)
		json_object_set_new(*ret_json, "spacing", json_integer(SPACING_WIDE));
	return *ret_json ? 0 : -ENOMEM;
}

static int make_row(const struct shoal_block *block, char *error, json_t **ret_json)
{
	return block->row ? content_row(block->row, error, ret_json) : refuse(error, "a row block without a row");
}

static int make_container(const struct shoal_block *block, char *error, json_t **ret_json)
{
	json_auto_t *inner = NULL;
	int r;

	for (size_t i = 0; i < block->block_count; i++)
		if (block->blocks[i].kind == SHOAL_BLOCK_CONTAINER)
			return refuse(error, "a container can't stand in a container");
	if (block->block_count < 1)
		return refuse(error, "a container is empty");
	if (block->color > 0xffffff)
		return refuse(error, "a color is 0xRRGGBB");
	r = layout_make(block->blocks, block->block_count, error, &inner);
	if (r < 0)
		return r;
	*ret_json = json_pack("{s:i, s:O}", "type", SHOAL_BLOCK_CONTAINER, "components", inner);
	if (*ret_json && block->color)
		json_object_set_new(*ret_json, "accent_color", json_integer(block->color));
	if (*ret_json && block->spoiler)
		json_object_set_new(*ret_json, "spoiler", json_true());
	return *ret_json ? 0 : -ENOMEM;
}

static const struct {
	enum shoal_block_kind kind;
	int (*make)(const struct shoal_block *block, char *error, json_t **ret_json);
} makers[] = {
	{ SHOAL_BLOCK_TEXT, make_text },           { SHOAL_BLOCK_SECTION, make_section },
	{ SHOAL_BLOCK_GALLERY, make_gallery },     { SHOAL_BLOCK_FILE, make_file },
	{ SHOAL_BLOCK_SEPARATOR, make_separator }, { SHOAL_BLOCK_ROW, make_row },
	{ SHOAL_BLOCK_CONTAINER, make_container },
};

int layout_make(const struct shoal_block *blocks, size_t count, char error[PAYLOAD_ERROR_SIZE], json_t **ret_blocks)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *one = NULL;
		size_t row;
		int r;

		for (row = 0; row < ARRAY_SIZE(makers) && makers[row].kind != blocks[i].kind; row++)
			;
		if (row == ARRAY_SIZE(makers))
			return refuse(error, "there is no block of kind %d", (int)blocks[i].kind);
		r = makers[row].make(&blocks[i], error, &one);
		if (r < 0)
			return r;
		json_array_append_new(list, one);
	}
	*ret_blocks = TAKE(list);
	return 0;
}
