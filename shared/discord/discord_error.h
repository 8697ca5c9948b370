/* Discord's refusals: the error body walked into a struct, and words for both kinds of people: who reads the log and
 * who typed the command. Everything in a body is outside text: cut, and control characters taken out.
 * Pure; any thread. Source: discord-facts.md section 11, "Error body". */
#ifndef SHOAL_SHARED_DISCORD_DISCORD_ERROR_H
#define SHOAL_SHARED_DISCORD_DISCORD_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <shoal/phrase.h>

#define DISCORD_ERROR_FIELDS    3
#define DISCORD_ERROR_PATH_SIZE 96
#define DISCORD_ERROR_CODE_SIZE 48
#define DISCORD_ERROR_TEXT_SIZE 160

struct discord_error {
	bool is_discord; /* an error body in Discord's form (the members below are filled) */
	uint32_t code;   /* 0: general */
	char message[DISCORD_ERROR_TEXT_SIZE];
	/* The first leaves of the errors tree, in the order of the body. */
	unsigned field_count;  /* filled, at most DISCORD_ERROR_FIELDS */
	unsigned fields_total; /* found */
	struct {
		char path[DISCORD_ERROR_PATH_SIZE]; /* "embeds.1.fields.0.name"; "" at the root */
		char code[DISCORD_ERROR_CODE_SIZE]; /* "BASE_TYPE_REQUIRED" */
		char message[DISCORD_ERROR_TEXT_SIZE];
	} fields[DISCORD_ERROR_FIELDS];
	/* Beside it, on a 429. */
	double retry_after_s; /* < 0: the body has none */
	bool global;
};

/* Reads a parsed body (NULL: there was none, or it was no JSON). Always fills *ret_error. */
void discord_error_read(const json_t *body, struct discord_error *ret_error);

/* One line for a log: "50035 Invalid Form Body: embeds.0.title: Must be 256 or fewer in length. (and 1 more)", or
 * "HTTP 502 without Discord's error body". Cut to @size. */
void discord_error_text(const struct discord_error *error, uint32_t http_status, char *text, size_t size);

/* Takes away the character at the end of UTF-8 @text that snprintf() cut in two, if it did. */
void discord_error_mend(char *text);

/* A sentence for a member, in every language: no code, no internals. Static storage, never NULL. */
const struct shoal_phrase *discord_error_phrase(uint32_t http_status, uint32_t code);
/* Whether that is nothing that can happen to a request that is in order: a code that nobody knows, a request that
 * Discord can't read. An incident then. */
bool discord_error_is_unexpected(uint32_t http_status, uint32_t code);
/* The English one. */
const char *discord_error_words(uint32_t http_status, uint32_t code);

#endif
