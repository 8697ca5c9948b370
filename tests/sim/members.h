/* op 8, 31 and 43: what a client asks of a guild through the gateway. */
#ifndef SIM_MEMBERS_H
#define SIM_MEMBERS_H

#include "tests/sim/gateway.h"

#include <jansson.h>

void members_request(struct gateway *g, const json_t *d);
void members_soundboard(struct gateway *g, const json_t *d);
void members_channel_info(struct gateway *g, const json_t *d);
/* A member object with its user, with what tests and REST changed; NULL when there is no such member. New reference. */
json_t *members_json(uint64_t guild_index, uint64_t user_id);

#endif
