/* How an invocation is answered: at once, or deferred and then edited; one machine for all forms. */
#ifndef SHOAL_SHARD_COMMANDS_ANSWER_H
#define SHOAL_SHARD_COMMANDS_ANSWER_H

#include "shard/commands/invocation.h"

/* An interaction still open at this age is deferred; past ANSWER_LATE_MS it can't be answered any more. */
#define ANSWER_DEFER_MS 1500
#define ANSWER_LATE_MS  2800
/* A handler that holds its command and says nothing is spoken for while the token still lives (15 minutes). */
#define ANSWER_HELD_MS (14 * 60 * 1000)

void answer_init(struct shoal_invocation *inv);
/* As if it had been deferred already (by a worker that died): the answer goes straight to @original. */
void answer_begin_deferred(struct shoal_invocation *inv);
/* Whether @content could be sent as that answer. -EINVAL, -E2BIG with @error; -ENOMEM. */
int answer_check(const struct shoal_invocation *inv, enum answer_kind kind, const struct content *content,
		 char error[PAYLOAD_ERROR_SIZE]);
/* Sends @content (taken), ephemeral where the form allows. -EALREADY: answered before. */
int answer_give(struct shoal_invocation *inv, enum answer_kind kind, struct content *content, bool ephemeral);
/* Sends a form: @body (taken) is the callback's. -EALREADY. */
int answer_give_modal(struct shoal_invocation *inv, json_t *body);
/* Sends suggestions: @body (taken) is the callback's. Too late ones are dropped, which is no error. -EALREADY. */
int answer_give_choices(struct shoal_invocation *inv, json_t *body);
/* Defers now. -EALREADY: answered, or deferred, before. */
int answer_defer(struct shoal_invocation *inv, bool ephemeral);
/* Nothing will be answered any more though it was deferred (the deferred message is about to be deleted). */
void answer_waive(struct shoal_invocation *inv);
/* Discord has the answer, or never will: what comes after it may go. */
bool answer_is_settled(const struct shoal_invocation *inv);
/* Slow tick: defers an interaction that has become old. */
void answer_tick(struct shoal_invocation *inv);

#endif
