/* The module host of a worker: setup in order, events to each subscriber in a scope of its own, the breakers, cleanup
 * in reverse order. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODHOST_H
#define SHOAL_SHARD_MODHOST_MODHOST_H

#include <stdbool.h>
#include <stdint.h>

#include <shoal/event.h>

#include "shard/cache/cache.h"
#include "shard/commands/commands.h"
#include "shard/events/effects.h"
#include "shard/modhost/breaker.h"
#include "shard/modhost/loader.h"
#include "shared/board/board.h"
#include "shared/bus/bus.h"
#include "shared/db/db.h"
#include "shared/db/outbox.h"
#include "shared/loop/loop.h"
#include "shared/settings/settings.h"

struct modhost;
struct schedule;

/* How modules' writes go through the outbox; NULL: there is none. As outbox_write(), and outbox_pending() with what is
 * under way (outbox_under_way()). */
struct modhost_outbox {
	int (*write)(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg);
	bool (*pending)(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value, size_t *ret_len);
	void *arg;
};

struct modhost_options {
	struct loop *loop;
	struct effects *effects;
	struct cache *cache;        /* NULL: none (tests) */
	struct commands *commands;  /* NULL: none (tests) */
	struct schedule *schedule;  /* NULL: without a database there are no jobs */
	struct board_shard *board;  /* writable */
	_Atomic uint64_t *counters; /* the shard's; NULL: none */
	uint32_t shard_id;
	struct breaker_rules rules;
	struct board_culprit culprit; /* in whose code the last worker crashed; module 0: in nobody's, or it did not */
	/* Whether a module may run in a guild: an admin's switch. NULL: everywhere. */
	bool (*allowed)(void *arg, const struct module_entry *module, uint64_t guild_id);
	void *allowed_arg;
	struct settings *settings; /* NULL: none (tests) */
	struct db *db;             /* may be off, or NULL */
	struct bus *bus;           /* may be off, or NULL */
	struct modhost_outbox outbox;
	bool http_private; /* modules may ask private and local addresses */
	/* A scope that its module still holds after so long is told of: it keeps its event from being handled. 0: none.
	 */
	uint32_t held_s;
	uint32_t memory_mib; /* a module that has more from shoal_alloc() is told of; 0: none */
	/* Somebody is to know of a module, by an event id and a sentence; NULL: nobody. */
	void (*alert)(void *arg, const char *event, const char *text);
	void *alert_arg;
};

/* Gives every loaded module (loader.h) its row on the board and decides which are switched off. Nothing of theirs is
 * called yet. Keeps what the options point to. One a process. -ENOMEM. */
int modhost_new(const struct modhost_options *options, struct modhost **ret_modhost);
/* Calls the setups, in order. Before the first event. */
void modhost_start(struct modhost *modhost);

/* Who wants events of @type? Any module, whether it is on or not. */
bool modhost_wants(enum shoal_event_type type);
/* Hands the event to its subscribers. @event is borrowed; @ticket is held for as long as they go on. */
void modhost_event(struct modhost *modhost, const struct shoal_event *event, struct ticket *ticket);

/* Scopes of modules with calls under way. */
bool modhost_is_busy(const struct modhost *modhost);

/* Ends all scopes of events and modules, then calls the cleanups in reverse order. Before effects_close(), after
 * commands_closing(). */
void modhost_close(struct modhost *modhost);
/* After libuv is done with its timers (the loop has run empty). NULL is nothing to do. */
struct modhost *modhost_free(struct modhost *modhost);

/* For the functions of the table (api.c): the one that there is. */
const struct modhost_options *modhost_services(void);
struct loaded_module *modhost_module(const struct module_entry *entry);

#endif
