/* From an interaction or a message to a handler, through the checks: known, allowed here, permitted, arguments. Each
 * failure is told to the member in plain words. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_COMMANDS_H
#define SHOAL_SHARD_COMMANDS_COMMANDS_H

#include <stdatomic.h>
#include <stdint.h>

#include <shoal/event.h>

#include "shard/cache/cache.h"
#include "shard/commands/access.h"
#include "shard/commands/cooldowns.h"
#include "shard/commands/invocation.h"
#include "shard/commands/prefixes.h"
#include "shard/events/effects.h"
#include "shared/board/board.h"
#include "shared/bus/bus.h"
#include "shared/control/control.h"
#include "shared/db/db.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"
#include "shared/metrics/command_tally.h"

struct keeper;

/* What handlers stand on; all kept, all outlive the commands. */
struct command_services {
	struct loop *loop;
	struct rest *rest;
	struct effects *effects;
	struct bus *bus;              /* never NULL; may be off */
	struct control_link *control; /* may be NULL in tests */
	struct board_shard *board;
	_Atomic uint64_t *counters;
	struct cache *cache; /* guilds, for what a message's author may do; NULL in tests: not known */
	struct settings *settings;
	struct keeper **keeper; /* what it points to is NULL without a database */
	struct db *db;          /* may be off, and NULL in tests */
	uint32_t shard_id, shard_count;
	uint64_t (*gateway_latency_us)(void *arg);
	void *gateway_arg;
	/* Whether @module may run in @guild_id: an admin's switch. NULL: everywhere. */
	bool (*module_allowed)(void *arg, const struct module_entry *module, uint64_t guild_id);
	void *module_arg;
	const char *tally_path;    /* where the counters of commands lie (command_tally_path()); NULL: nowhere */
	const uint64_t *operators; /* users who run the bot */
	size_t operator_count;
};

/* Message commands whose guild's prefix is being loaded; more than this are matched with the default at once. */
#define COMMANDS_PENDING_MAX 256

struct commands {
	struct command_services services;
	struct cooldowns *cooldowns;
	struct access *access;             /* NULL without settings (tests): nobody is given or kept from anything */
	uint64_t audit_ns, audit_left_out; /* gate.c */
	uint64_t user_id;                  /* the bot's own; 0 until READY */
	struct shoal_invocation *open;
	struct command_tally tally;
	uint64_t tallied_ns; /* when it was written */
	struct loop_hook tick;
	uint32_t pending;
	bool closing;
};

/* Caller owns @commands; services are copied. -ENOMEM. */
int commands_init(struct commands *commands, const struct command_services *services);
/* After rest, bus and database were closed: nothing is open any more. */
void commands_finish(struct commands *commands);
/* From now on nobody is apologised to: calls end because we stop. */
void commands_closing(struct commands *commands);
void commands_set_user(struct commands *commands, uint64_t user_id);

/* INTERACTION_CREATE, MESSAGE_CREATE: subscribers of the dispatch table. @event is borrowed; @ticket is held until the
 * answer is through (NULL: none). */
void commands_interaction(struct commands *commands, const struct shoal_event *event, struct ticket *ticket);
void commands_message(struct commands *commands, const struct shoal_event *event, struct ticket *ticket);

/* The services of the commands that @inv belongs to. */
const struct command_services *commands_services(const struct shoal_invocation *inv);

#endif
