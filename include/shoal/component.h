/* SPDX-License-Identifier: MIT */
/* What a message or a form can be made of beside its text: mentions, embeds, buttons, selects, text inputs. Plain
 * structs that live for the call only; shoal checks Discord's limits (-EINVAL, -E2BIG) before anything is sent. */
#ifndef SHOAL_COMPONENT_H
#define SHOAL_COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A custom id is at most 100 bytes: the prefix of one of your component rows (<shoal/module.h>), alone or followed by
 * ':' and whatever you want back. A member's client sends it back, so it is not to be trusted. */
#define SHOAL_CUSTOM_ID_MAX 100

/* Who may be pinged. All zero: nobody, whatever the text says. */
struct shoal_allowed_mentions {
	bool everyone;
	bool all_users; /* excludes @users */
	bool all_roles; /* excludes @roles */
	bool replied_user;
	const uint64_t *users; /* at most 100 */
	size_t user_count;
	const uint64_t *roles; /* at most 100 */
	size_t role_count;
};

struct shoal_embed_line {
	const char *name, *value; /* at most 256 and 1024 characters; what is longer is cut, here as elsewhere */
	bool beside;              /* may stand beside the next one */
};

/* Absent members are NULL or 0. All texts together: 6000 characters. */
struct shoal_embed_content {
	const char *title, *description, *url, *footer, *author;
	const char *image_url, *thumbnail_url;
	uint32_t color; /* 0xRRGGBB; 0: none */
	const struct shoal_embed_line *lines;
	size_t line_count; /* at most 25 */
};

enum shoal_button_style {
	SHOAL_BUTTON_PRIMARY = 1,
	SHOAL_BUTTON_SECONDARY = 2,
	SHOAL_BUTTON_SUCCESS = 3,
	SHOAL_BUTTON_DANGER = 4,
	SHOAL_BUTTON_LINK = 5, /* has @url instead of @custom_id and comes back to nobody */
};

struct shoal_button {
	enum shoal_button_style style; /* 0: secondary */
	const char *label;             /* at most 80 characters; or @emoji, or both */
	const char *emoji;             /* unicode characters, or "name:id" */
	const char *custom_id;
	const char *url;
	bool disabled;
};

enum shoal_select_kind {
	SHOAL_SELECT_STRING = 3, /* has @choices; the others ask for what the server has */
	SHOAL_SELECT_USER = 5,
	SHOAL_SELECT_ROLE = 6,
	SHOAL_SELECT_MENTIONABLE = 7,
	SHOAL_SELECT_CHANNEL = 8,
};

struct shoal_select_choice {
	const char *label, *value; /* at most 100 characters each */
	const char *description;   /* at most 100; or NULL */
	const char *emoji;         /* or NULL */
	bool chosen;               /* from the beginning */
};

struct shoal_select {
	enum shoal_select_kind kind; /* 0: string */
	const char *custom_id;
	const char *placeholder; /* at most 150 characters; or NULL */
	const struct shoal_select_choice *choices;
	size_t choice_count;  /* at most 25 */
	uint32_t least, most; /* how many may be chosen; both 0: one */
	bool disabled;
};

/* Up to five buttons, or one select. */
struct shoal_action_row {
	const struct shoal_button *buttons;
	size_t button_count;
	const struct shoal_select *select;
};

struct shoal_media_content {
	const char *url;         /* https, or "attachment://NAME" of a file of the same message */
	const char *description; /* at most 1024 characters; or NULL */
	bool spoiler;
};

enum shoal_block_kind {
	SHOAL_BLOCK_TEXT = 10,      /* @text */
	SHOAL_BLOCK_SECTION = 9,    /* @texts (1-3), beside them @button or one of @media */
	SHOAL_BLOCK_GALLERY = 12,   /* @media (1-10) */
	SHOAL_BLOCK_FILE = 13,      /* one of @media, "attachment://NAME" */
	SHOAL_BLOCK_SEPARATOR = 14, /* room, with a line unless @no_line */
	SHOAL_BLOCK_ROW = 1,        /* @row */
	SHOAL_BLOCK_CONTAINER = 17, /* @blocks (no container among them) in a frame */
};

/* A part of a message that is laid out ("components v2"). */
struct shoal_block {
	enum shoal_block_kind kind;
	const char *text; /* markdown */
	const char *const *texts;
	size_t text_count;
	const struct shoal_media_content *media;
	size_t media_count;
	const struct shoal_button *button;
	const struct shoal_action_row *row;
	const struct shoal_block *blocks;
	size_t block_count;
	uint32_t color; /* CONTAINER: 0xRRGGBB; 0: none */
	bool spoiler;   /* CONTAINER, FILE */
	bool no_line, wide;
};

enum shoal_content_flags {
	SHOAL_CONTENT_SUPPRESS_EMBEDS = 1 << 2,
	/* Only the asking member sees it. Replies and follow-ups to interactions only; ignored elsewhere. */
	SHOAL_CONTENT_EPHEMERAL = 1 << 6,
	SHOAL_CONTENT_SILENT = 1 << 12, /* no notification */
};

/* A message's content. In an edit, NULL text leaves the text as it is and "" clears it, and embeds or rows are left as
 * they are when there are none here, unless the clear_ bit is set. */
struct shoal_content {
	const char *text; /* longer than Discord's 2000 characters is cut with an ellipsis */
	const struct shoal_embed_content *embeds;
	size_t embed_count; /* at most 10 */
	const struct shoal_action_row *rows;
	size_t row_count; /* at most 5 */
	struct shoal_allowed_mentions mentions;
	uint32_t flags; /* enum shoal_content_flags */
	bool clear_embeds, clear_rows;
	/* A message that is laid out: then there are neither text, embeds nor rows beside (-EINVAL). At most 40 parts
	 * with those within others, and 4000 characters in all. A message can't be made a plain one again. */
	const struct shoal_block *blocks;
	size_t block_count;
};

struct shoal_text_input {
	const char *custom_id; /* yours alone: any text of at most 100 bytes */
	const char *label;     /* at most 45 characters */
	const char *value, *placeholder;
	bool paragraph; /* several lines */
	bool optional;
	uint32_t least, most; /* length in characters, at most 4000; 0: no bound */
};

/* A form. */
struct shoal_modal {
	const char *custom_id; /* as a button's */
	const char *title;     /* at most 45 characters */
	const struct shoal_text_input *inputs;
	size_t input_count; /* 1 to 5 */
};

/* --- whose they are: rows of a module
 * ---------------------------------------------------------------------------------
 */

struct shoal_invocation;

enum shoal_component_flags {
	/* What it answers with, and what it is deferred by after 1.5 s, changes the message that the component stands
	 * on (shoal_update()). */
	SHOAL_COMPONENT_UPDATES = 1 << 0,
	/* Only the asking member sees the answer. */
	SHOAL_COMPONENT_EPHEMERAL = 1 << 1,
	/* May answer with a form: as SHOAL_COMMAND_MODAL. */
	SHOAL_COMPONENT_MODAL = 1 << 2,
	/* Its ids are made by shoal_custom_id() and are good for nothing but what was put into them: one that a
	 * member's client made up, or that belongs to another server, is refused before the handler. Also after a
	 * restart. */
	SHOAL_COMPONENT_SEALED = 1 << 3,
	/* Likewise, and only he may use it who had asked for it. */
	SHOAL_COMPONENT_OWN = 1 << 4,
	/* As SHOAL_COMMAND_EITHER. */
	SHOAL_COMPONENT_EITHER = 1 << 5,
};

/* Buttons, selects and forms whose custom id is @prefix, or @prefix, ':' and anything (shoal_invocation_custom_rest()).
 * Check what stands there: a member's client sends it. */
struct shoal_component_row {
	const char *prefix;   /* the module's name, alone or followed by '.' and more; no ':'. At most 64 bytes */
	uint32_t flags;       /* enum shoal_component_flags */
	uint64_t permissions; /* what the member needs (Discord's bits); 0: everyone */
	void (*handle)(struct shoal_invocation *inv);
	/* What the member must be when he uses it (enum shoal_level), whatever he was when it was sent; 0: anybody.
	 * Also of the command that it belongs to, with @permissions: both may be gone by then. */
	int level;
};

#endif
