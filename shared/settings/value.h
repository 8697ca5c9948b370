/* Typed values of settings: from what people type, from the JSON that is stored, and back to both. Pure; any thread. */
#ifndef SHOAL_SHARED_SETTINGS_VALUE_H
#define SHOAL_SHARED_SETTINGS_VALUE_H

#include <stddef.h>

#include <jansson.h>

#include <shoal/config.h>
#include <shoal/phrase.h>

#define VALUE_ERROR_SIZE 256
#define VALUE_SHOWN_SIZE 2048

/* A value that owns its text and ids. Zeroed: a boolean false that owns nothing. */
struct value {
	struct shoal_setting_value is;
	void *owned;
	size_t owned_size; /* wiped before it is freed */
};

void value_clear(struct value *value); /* for CLEANUP() too */

/* What a person typed: "on", "1h30m", "<#123> <#456>", "none". -EINVAL with a sentence for them in @error, which never
 * repeats the text of a sensitive setting; -ENOMEM. */
int value_from_text(const struct shoal_setting *row, const char *text, struct value *ret_value,
		    char error[VALUE_ERROR_SIZE]);
/* What is stored. Errors as above. */
int value_from_json(const struct shoal_setting *row, const json_t *json, struct value *ret_value,
		    char error[VALUE_ERROR_SIZE]);
/* Type, bounds, choices, the row's own check. -EINVAL with a sentence, in English as all of them. Members are told by
 * value_objection(), and by what the row takes. */
int value_check(const struct shoal_setting *row, const struct shoal_setting_value *value, char error[VALUE_ERROR_SIZE]);
/* What the row's own check has against a value whose type and bounds are right: NULL, or the phrase, and for a {number}
 * in it @number. */
#define VALUE_NUMBER_SIZE 24
const struct shoal_phrase *value_objection(const struct shoal_setting *row, const struct shoal_setting_value *value,
					   char number[VALUE_NUMBER_SIZE]);
/* A new reference; NULL: out of memory. */
json_t *value_to_json(const struct shoal_setting_value *value);
/* For people, cut to the buffer: "on", "1h 30m", "<#123>, <#456>", "none". Mentions as Discord writes them where
 * @mentions, else bare ids. */
void value_print(const struct shoal_setting_value *value, bool mentions, char *text, size_t size);
/* The same for members, in their language: "sí", "keine"; with mentions. */
void value_say(const struct shoal_setting_value *value, enum shoal_language language, char *text, size_t size);
/* "a number from 1 to 10", "one of a, b or c": what may be typed. */
void value_allowed(const struct shoal_setting *row, char *text, size_t size);

#endif
