/* What the supervisor is told and orders about letters: alerts go there, orders for dead letters come from there. Loop
 * thread only. */
#ifndef SHOAL_SHARD_LETTER_ORDERS_H
#define SHOAL_SHARD_LETTER_ORDERS_H

#include <jansson.h>

struct worker;

/* A notice {token, op: retry or drop, letter}. Answered by the verb letter_done when it is done. */
void letter_orders_take(struct worker *worker, const json_t *notice);

#endif
