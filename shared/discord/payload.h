/* Small builders for the bodies we send: messages, edits, interaction responses. They hold Discord's limits and the
 * house rule that allowed_mentions is always explicit (default: nobody is pinged). Embeds and components pass through
 * as JSON, with their limits checked. Pure; any thread. Text must be UTF-8; lengths count UTF-16 units (the safe side).
 * Source: discord-facts.md sections 14 and 16. */
#ifndef SHOAL_SHARED_DISCORD_PAYLOAD_H
#define SHOAL_SHARED_DISCORD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#define PAYLOAD_CONTENT_MAX     2000
#define PAYLOAD_NONCE_MAX       25
#define PAYLOAD_EMBEDS_MAX      10
#define PAYLOAD_EMBED_TOTAL_MAX 6000
#define PAYLOAD_CHOICES_MAX     25
#define PAYLOAD_ERROR_SIZE      160

enum payload_flags {
	PAYLOAD_SUPPRESS_EMBEDS = 1 << 2,
	PAYLOAD_EPHEMERAL = 1 << 6, /* interaction responses and follow-ups only */
	PAYLOAD_SUPPRESS_NOTIFICATIONS = 1 << 12,
	PAYLOAD_COMPONENTS_V2 = 1 << 15,
};

/* Who may be pinged. All zero: nobody. */
struct payload_mentions {
	bool everyone;
	bool all_users; /* excludes @users */
	bool all_roles; /* excludes @roles */
	bool replied_user;
	const uint64_t *users; /* at most 100 */
	size_t user_count;
	const uint64_t *roles;
	size_t role_count;
};

/* All members are optional and borrowed; the JSON values are shared by reference, not copied. */
struct payload_message {
	const char *content;
	const json_t *embeds;     /* array */
	const json_t *components; /* array */
	uint32_t flags;           /* enum payload_flags */
	struct payload_mentions mentions;
	/* channel messages only */
	const char *nonce;   /* 1-25 characters, from the event and step, never random: enforce_nonce is set with it */
	uint64_t reply_to;   /* message id: message_reference */
	bool reply_required; /* fail when it is gone; default: send without the reference */
};

/* Where a message body goes: which fields are allowed there. */
enum payload_kind {
	PAYLOAD_CREATE,   /* POST …/messages */
	PAYLOAD_EDIT,     /* PATCH a channel message: NULL content is left as it is, "" clears it */
	PAYLOAD_FOLLOWUP, /* POST webhook follow-up */
	PAYLOAD_ORIGINAL, /* PATCH …/@original */
};

/* Builds a body. -EINVAL, -E2BIG (over a limit) or -EILSEQ (not UTF-8), with @error saying field and limit; -ENOMEM.
 * A body without content, embeds and components is -EINVAL (PAYLOAD_CREATE, PAYLOAD_FOLLOWUP). */
int payload_message(enum payload_kind kind, const struct payload_message *message, char error[PAYLOAD_ERROR_SIZE],
		    json_t **ret_body);

/* Interaction callbacks. Same errors. */
/* Type 4: the message now; @update: type 7, edits the component's message. */
int payload_interaction_message(const struct payload_message *message, bool update, char error[PAYLOAD_ERROR_SIZE],
				json_t **ret_body);
/* Type 5 ("thinking", its visibility is fixed here); @update: type 6, silent, for components. */
int payload_interaction_defer(bool ephemeral, bool update, json_t **ret_body);
/* Type 8. @choices: array of {name, value}, at most 25; shared. */
int payload_interaction_choices(const json_t *choices, char error[PAYLOAD_ERROR_SIZE], json_t **ret_body);
/* Type 9. @components: array, 1-5; shared. */
int payload_interaction_modal(const char *custom_id, const char *title, const json_t *components,
			      char error[PAYLOAD_ERROR_SIZE], json_t **ret_body);

/* Length of @len bytes of UTF-8 in UTF-16 units. -EILSEQ. */
ssize_t payload_units(const char *text, size_t len);

/* Copies @text into a new string of at most @max_units UTF-16 units; what is cut ends in "…". Bytes that are no UTF-8
 * become U+FFFD. NULL when there is no memory. Caller frees. */
char *payload_clip(const char *text, size_t max_units);
/* NULL, or nothing but blanks: Discord takes that for no text (50006). */
bool payload_is_blank(const char *text);

/* A snowflake as a JSON string. NULL when there is no memory. */
json_t *payload_id(uint64_t id);

/* At most 25 characters, the same for the same arguments: "<event id in base36>.<step>". */
#define PAYLOAD_NONCE_SIZE (PAYLOAD_NONCE_MAX + 1)
void payload_nonce(uint64_t event_id, uint32_t step, char nonce[PAYLOAD_NONCE_SIZE]);

#endif
