/* What operators order about the outbox's dead letters comes from the supervisor. Loop thread only. */
#ifndef SHOAL_SHARD_OUTBOX_ORDERS_H
#define SHOAL_SHARD_OUTBOX_ORDERS_H

#include <jansson.h>

struct worker;

/* A notice {token, op: retry or drop, entry: 0 for all}. Answered by the verb letter_done when it is on the disk. */
void outbox_orders_take(struct worker *worker, const json_t *notice);

#endif
