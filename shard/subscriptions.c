/* The worker's dispatch rows. What neither they nor a module lists is known and ignored. */
#include "shard/subscriptions.h"

#include <string.h>

#include "shard/modhost/modhost.h"
#include "shard/keeping.h"
#include "shard/worker.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define WARN_EVERY_NS (10 * NS_PER_S)

static void log_change(const struct cache_outcome *outcome)
{
	static const char *const events[] = {
		[CACHE_JOINED] = "guild.joined",
		[CACHE_OUTAGE] = "guild.outage",
		[CACHE_REMOVED] = "guild.removed",
	};
	struct log_ctx ctx = { .shard = -1, .guild_id = outcome->guild_id };

	if (outcome->change < ARRAY_SIZE(events) && events[outcome->change])
		log_info(&ctx, events[outcome->change], KV_MSG("membership or availability of a guild changed"));
}

static void log_unkept(struct worker *worker, const struct cache_outcome *outcome)
{
	struct log_ctx ctx = { .shard = -1, .guild_id = outcome->guild_id };
	uint64_t now_ns = clock_monotonic_ns();

	if (worker->cache_warned_ns && now_ns - worker->cache_warned_ns < WARN_EVERY_NS)
		return;
	worker->cache_warned_ns = now_ns;
	log_error(&ctx, "cache.write_failed",
		  KV_MSG("a guild can't be kept and will be asked for later; is the runtime directory full?"),
		  KV_ERR(outcome->error));
}

static int on_cached(void *arg, const struct envelope *envelope)
{
	struct worker *worker = arg;
	struct cache_outcome outcome;
	int r;

	r = cache_apply(worker->cache, envelope, &outcome);
	if (r < 0)
		return r;
	if (outcome.error < 0)
		log_unkept(worker, &outcome);
	log_change(&outcome);
	keeping_guild(worker, &outcome);
	return 0;
}

/* What the countdown to ready looks at. */
static int on_guild(void *arg, const struct envelope *envelope)
{
	worker_guilds_moved(arg);
	return on_cached(arg, envelope);
}

static int on_ready(void *arg, const struct envelope *envelope)
{
	struct worker *worker = arg;
	int r = on_guild(arg, envelope);

	if (r == 0)
		commands_set_user(&worker->commands, cache_self(worker->cache));
	return r;
}

static void on_message(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	struct worker *worker = arg;

	commands_message(&worker->commands, event, ticket);
	modhost_event(worker->modhost, event, ticket);
}

static void on_interaction(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	struct worker *worker = arg;

	commands_interaction(&worker->commands, event, ticket);
	modhost_event(worker->modhost, event, ticket);
}

static void on_modules(void *arg, const struct shoal_event *event, struct ticket *ticket)
{
	modhost_event(((struct worker *)arg)->modhost, event, ticket);
}

/* Our own; the modules' come on top. */
static const struct dispatch_row own[] = {
	{ SHOAL_EVENT_READY, 0, on_ready, NULL },
	{ SHOAL_EVENT_GUILD_CREATE, INTENT_GUILDS, on_guild, NULL },
	{ SHOAL_EVENT_GUILD_DELETE, INTENT_GUILDS, on_guild, NULL },
	{ SHOAL_EVENT_GUILD_UPDATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_GUILD_ROLE_CREATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_GUILD_ROLE_UPDATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_GUILD_ROLE_DELETE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_CHANNEL_CREATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_CHANNEL_UPDATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_CHANNEL_DELETE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_CREATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_UPDATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_DELETE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_LIST_SYNC, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_MEMBER_UPDATE, INTENT_GUILDS, on_cached, NULL },
	{ SHOAL_EVENT_THREAD_MEMBERS_UPDATE, INTENT_GUILDS, on_cached, NULL },
	/* The bot's own comes without an intent; that of others (privileged) is not asked for to count members: a count
	 * is kept up to date when somebody else's row brings it. */
	{ SHOAL_EVENT_GUILD_MEMBER_UPDATE, 0, on_cached, NULL },
	{ SHOAL_EVENT_GUILD_MEMBER_ADD, 0, on_cached, NULL },
	{ SHOAL_EVENT_GUILD_MEMBER_REMOVE, 0, on_cached, NULL },
	{ SHOAL_EVENT_INTERACTION_CREATE, 0, NULL, on_interaction },
	{ SHOAL_EVENT_MESSAGE_CREATE, INTENT_GUILD_MESSAGES | INTENT_DIRECT_MESSAGES, NULL, on_message },
};

static struct dispatch_row *row_of(struct dispatch_row rows[SHOAL_EVENT_COUNT], size_t *count,
				   enum shoal_event_type type)
{
	size_t i;

	for (i = 0; i < *count; i++) {
		if (rows[i].type == type)
			return &rows[i];
	}
	rows[*count] = (struct dispatch_row){ .type = type };
	return &rows[(*count)++];
}

size_t subscriptions_build(struct dispatch_row rows[SHOAL_EVENT_COUNT])
{
	size_t count = ARRAY_SIZE(own);
	int type;

	memcpy(rows, own, sizeof(own));
	for (type = SHOAL_EVENT_UNKNOWN + 1; type < SHOAL_EVENT_COUNT; type++) {
		struct dispatch_row *row;

		if (!modhost_wants((enum shoal_event_type)type))
			continue;
		row = row_of(rows, &count, (enum shoal_event_type)type);
		row->intents |= loader_event_intents((enum shoal_event_type)type);
		if (!row->event)
			row->event = on_modules;
	}
	return count;
}
