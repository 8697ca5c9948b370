/* The worker's dispatch rows. What is not listed is known and ignored. */
#include "shard/subscriptions.h"

#include "shard/gateway/decode.h"
#include "shard/worker.h"
#include "shared/base/cleanup.h"
#include "shared/log/log.h"

static int on_ready(void *arg, const struct envelope *envelope)
{
	struct worker *worker = arg;
	const struct shoal_ready *ready;
	struct shoal_event event;
	uint32_t i;
	int r;

	r = decode_event(envelope->type, envelope->d, &worker->dispatch.arena, NULL, &event);
	if (r < 0)
		return r;
	ready = event.ready;
	commands_set_user(&worker->commands, ready->user.id);
	r = guilds_ready_begin(worker->guilds);
	for (i = 0; r == 0 && i < ready->guilds.count; i++)
		r = guilds_ready_add(worker->guilds, ready->guilds.items[i].id);
	if (r < 0)
		log_error(NULL, "cache.write_failed",
			  KV_MSG("the guild list can't be kept; is the runtime directory full?"), KV_ERR(r));
	worker_guilds_moved(worker);
	return 0;
}

static void log_change(enum guilds_change change, uint64_t guild_id)
{
	static const char *const events[] = {
		[GUILDS_JOINED] = "guild.joined",
		[GUILDS_OUTAGE] = "guild.outage",
		[GUILDS_REMOVED] = "guild.removed",
	};
	struct log_ctx ctx = { .shard = -1, .guild_id = guild_id };

	if (change < ARRAY_SIZE(events) && events[change])
		log_info(&ctx, events[change], KV_MSG("membership or availability of a guild changed"));
}

static int on_guild(struct worker *worker, const struct envelope *envelope,
		    int (*apply)(struct guilds *, uint64_t, bool, enum guilds_change *))
{
	enum guilds_change change = GUILDS_NOTHING;
	uint64_t guild_id;
	bool unavailable;
	int r;

	r = decode_guild_brief(envelope->d, &worker->dispatch.arena, &guild_id, &unavailable);
	if (r < 0)
		return r;
	r = apply(worker->guilds, guild_id, unavailable, &change);
	if (r < 0)
		log_error(NULL, "cache.write_failed", KV_MSG("a guild can't be kept; is the runtime directory full?"),
			  KV_ERR(r));
	log_change(change, guild_id);
	worker_guilds_moved(worker);
	return 0;
}

static int on_guild_create(void *arg, const struct envelope *envelope)
{
	return on_guild(arg, envelope, guilds_created);
}

static int on_guild_delete(void *arg, const struct envelope *envelope)
{
	return on_guild(arg, envelope, guilds_deleted);
}

static void on_message(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	commands_message(&((struct worker *)arg)->commands, event, ticket);
}

static void on_interaction(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	commands_interaction(&((struct worker *)arg)->commands, event, ticket);
}

const struct dispatch_row subscriptions[] = {
	{ SHOAL_EVENT_READY, 0, on_ready, NULL },
	{ SHOAL_EVENT_GUILD_CREATE, INTENT_GUILDS, on_guild_create, NULL },
	{ SHOAL_EVENT_GUILD_DELETE, INTENT_GUILDS, on_guild_delete, NULL },
	{ SHOAL_EVENT_INTERACTION_CREATE, 0, NULL, on_interaction },
	{ SHOAL_EVENT_MESSAGE_CREATE, INTENT_GUILD_MESSAGES | INTENT_DIRECT_MESSAGES, NULL, on_message },
};
const size_t subscription_count = ARRAY_SIZE(subscriptions);
