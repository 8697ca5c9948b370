/* What modules do to Discord: the functions of <shoal/effects.h>, from typed requests to routes. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_ACTIONS_H
#define SHOAL_SHARD_MODHOST_ACTIONS_H

#include <shoal/effects.h>

#define ACTION(name, request) \
	int action_##name(struct shoal_scope *scope, const struct request *asked, shoal_done_fn fn, void *arg)
ACTION(message_send, shoal_message_send);
ACTION(dm_send, shoal_dm_send);
ACTION(message_edit, shoal_message_edit);
ACTION(message_remove, shoal_message_remove);
ACTION(message_crosspost, shoal_message_ref);
ACTION(reaction_set, shoal_reaction_set);
ACTION(thread_start, shoal_thread_start);
ACTION(webhook_execute, shoal_webhook_execute);
ACTION(member_role, shoal_member_role);
ACTION(member_timeout, shoal_member_timeout);
ACTION(member_nick, shoal_member_nick);
ACTION(member_kick, shoal_member_ref);
ACTION(member_ban, shoal_member_ban);
ACTION(member_unban, shoal_member_ref);
ACTION(bulk_ban, shoal_bulk_ban);

#endif
