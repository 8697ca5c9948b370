/* What follows an answer: further messages, changes of the answer. They are begun when the handler says so and leave
 * when the answer is through. Loop thread only. Functions of <shoal/command.h>. */
#ifndef SHOAL_SHARD_COMMANDS_FOLLOWUP_H
#define SHOAL_SHARD_COMMANDS_FOLLOWUP_H

#include "shard/commands/invocation.h"

int followup_create(struct shoal_invocation *inv, const struct shoal_content *content, shoal_done_fn fn, void *arg);
int followup_edit(struct shoal_invocation *inv, uint64_t message_id, const struct shoal_content *content,
		  shoal_done_fn fn, void *arg);
int followup_delete(struct shoal_invocation *inv, uint64_t message_id, shoal_done_fn fn, void *arg);
int followup_edit_original(struct shoal_invocation *inv, const struct shoal_content *content, shoal_done_fn fn,
			   void *arg);
int followup_delete_original(struct shoal_invocation *inv, shoal_done_fn fn, void *arg);

/* The answer is settled: those that wait may go. */
void followup_run(struct shoal_invocation *inv);

#endif
