/* How an invocation is answered: at once, or deferred and then edited; one machine for both forms. */
#ifndef SHOAL_SHARD_COMMANDS_ANSWER_H
#define SHOAL_SHARD_COMMANDS_ANSWER_H

#include "shard/commands/invocation.h"

/* An interaction still open at this age is deferred; past ANSWER_LATE_MS it can't be answered any more. */
#define ANSWER_DEFER_MS 1500
#define ANSWER_LATE_MS  2800

void answer_init(struct shoal_invocation *inv);
/* As if it had been deferred already (by a worker that died): the answer goes straight to @original. */
void answer_begin_deferred(struct shoal_invocation *inv);
/* Sends @text (taken), ephemeral where the form allows. -EALREADY: answered before; @text is freed. */
int answer_give(struct shoal_invocation *inv, char *text, bool ephemeral);
/* Slow tick: defers an interaction that has become old. */
void answer_tick(struct shoal_invocation *inv);
bool answer_is_open(const struct shoal_invocation *inv);

#endif
