/* Interactions: making them, and answering them over REST within their times. */
#ifndef SIM_INTERACTIONS_H
#define SIM_INTERACTIONS_H

#include "tests/sim/rest.h"

struct interaction;

struct interaction_request {
	uint64_t guild_id; /* 0: a direct message */
	uint64_t channel_id;
	uint64_t user_id;
	int type;                /* 2 command, 3 component, 4 autocomplete, 5 modal submit */
	const char *name;        /* of the command */
	const char *custom_id;   /* of a component or modal */
	const json_t *user;      /* in place of the world's, or NULL */
	const char *permissions; /* of the member, or NULL */
	const json_t *data;      /* laid over the data made from the above, or NULL */
	const json_t *extra;     /* laid over the interaction, or NULL */
	uint64_t message_id;     /* of the component's message, or 0 */
};

/* Makes one and sends it to its shard. Its id, or 0 when memory is short. @ret_token (at least 256 bytes) may be NULL.
 */
uint64_t interaction_send(const struct interaction_request *r, char *ret_token, uint64_t *ret_deliveries);
/* The interaction that a token belongs to; 0: none. */
uint64_t interaction_of_token(const char *token);
void interactions_tick(uint64_t now_ms);
void interactions_free(void);

void rest_interaction_callback(struct rest_call *c);
void rest_original(struct rest_call *c);        /* GET, PATCH, DELETE …/messages/@original */
void rest_webhook_execute(struct rest_call *c); /* a follow-up, or a plain webhook */
void rest_webhook_message(struct rest_call *c);
void rest_webhook_create(struct rest_call *c);
void rest_webhook_get(struct rest_call *c);
void rest_webhook_list(struct rest_call *c);

#endif
