/* IDENTIFY: who may start a session, how often, and what it costs. */
#ifndef SIM_IDENTIFY_H
#define SIM_IDENTIFY_H

#include "tests/sim/gateway.h"

#include <jansson.h>

/* Handles op 2's `d`: checks, books, and either starts a session with READY or refuses as Discord does. */
void identify_handle(struct gateway *g, const json_t *d);
/* True when @token is the bot's and was not reset. */
bool identify_token_valid(const char *token);
/* The token was reset (or a test takes it away): all sessions end with 4004 and REST answers 401. */
void identify_reset_token(const char *why);
/* session_start_limit as GET /gateway/bot shows it. New reference. */
json_t *identify_limit_json(void);
/* {total, accepted, refused_bucket, refused_other, remaining, disasters[], by_bucket{}}. New reference. */
json_t *identify_stats_json(void);
/* Counters without the JSON, for waits. */
uint64_t identify_total(void);
uint64_t identify_accepted(void);
void identify_stats_reset(void);
/* How often a shard of that id identified. */
uint64_t identify_count_of(uint32_t shard);
/* Application flags that follow from the granted intents. */
uint64_t identify_application_flags(void);

#endif
