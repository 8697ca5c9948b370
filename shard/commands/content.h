/* A module's struct shoal_content made ours: JSON parts and copies that live until the message can be sent, whatever
 * kind of body that will be. Pure. */
#ifndef SHOAL_SHARD_COMMANDS_CONTENT_H
#define SHOAL_SHARD_COMMANDS_CONTENT_H

#include <shoal/component.h>

#include "shared/discord/payload.h"

struct content {
	char *text; /* NULL: none, or left as it is */
	json_t *embeds, *components;
	uint32_t flags; /* enum payload_flags */
	struct payload_mentions mentions;
	uint64_t *ids; /* that mentions points into */
};

/* -EINVAL, -E2BIG, -ENOMEM, with @error saying why. *ret_content is to be freed. */
int content_new(const struct shoal_content *from, char error[PAYLOAD_ERROR_SIZE], struct content **ret_content);
/* The same of a text alone (taken, also on failure; NULL is -ENOMEM). */
int content_of_text(char *text, struct content **ret_content);
struct content *content_free(struct content *content);

/* The message that it is, borrowed from @content; @flags: what may be set where it goes. */
struct payload_message content_message(const struct content *content, uint32_t flags);

/* A button or a row of them as JSON, which the caller owns. -EINVAL with @error; -ENOMEM. */
int content_button(const struct shoal_button *button, char error[PAYLOAD_ERROR_SIZE], json_t **ret_json);
int content_row(const struct shoal_action_row *row, char error[PAYLOAD_ERROR_SIZE], json_t **ret_json);

/* A form's components. Caller owns. NULL with @error. */
json_t *content_modal(const struct shoal_modal *modal, char error[PAYLOAD_ERROR_SIZE]);

#endif
