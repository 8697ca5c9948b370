/* What operators decide of dead letters (shoalctl dead-letters, shoalctl outbox) reaches the worker as a notice of the
 * supervisor; each order is answered by the verb letter_done. Loop thread only. */
#ifndef SHOAL_SHARD_ORDERS_H
#define SHOAL_SHARD_ORDERS_H

#include "shard/worker.h"

/* An event that was set aside: {token, op: retry or drop, letter}. A retry is answered when the event is handled. */
void orders_letter(struct worker *worker, const json_t *notice);

/* A write that the database refused for good: {token, op: retry or drop, entry: 0 for all}. Answered when it is on the
 * disk. */
void orders_outbox(struct worker *worker, const json_t *notice);

#endif
