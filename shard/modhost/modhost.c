/* The module host. Module code is entered from here for events, setups and cleanups, and always between culprit_enter()
 * and culprit_leave(); what it began is in its scopes, so nothing of a module is called after its cleanup. */
#include "shard/modhost/modhost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "shard/modhost/status.h"
#include "shard/modhost/module_http.h"
#include "shard/modhost/trial.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define SPARE_SCOPES 256
#define TEXT_SIZE    256

/* One subscriber's handling of one event. */
struct event_scope {
	struct shoal_scope scope;
	struct modhost *modhost;
	struct ticket *ticket; /* held */
	uint32_t refs;
	bool told; /* that it is held for long */
	uint64_t started_ns;
	struct event_scope *prev, *next; /* open ones, oldest first; or spare */
};

struct subscriber {
	struct loaded_module *module;
	const struct shoal_event_row *row;
	uint32_t lane;
	struct subscriber *next;
};

struct modhost {
	struct modhost_options options;
	struct subscriber *by_type[SHOAL_EVENT_COUNT];
	struct event_scope *open, *spare;
	size_t spare_count;
	struct loop_hook tick;
	bool started, closing;
};

static struct modhost *the_one;

const struct modhost_options *modhost_services(void)
{
	return the_one ? &the_one->options : NULL;
}

struct loaded_module *modhost_module(const struct module_entry *entry)
{
	return entry ? (struct loaded_module *)((char *)entry - offsetof(struct loaded_module, entry)) : NULL;
}

/* --- breakers ------------------------------------------------------------------------------------------------------
 */

/* The row that has its name, or else a free one, or else one whose module is no longer there. */
static uint32_t find_row(const struct board_shard *board, const char *name)
{
	struct board_module found;
	uint32_t row, gone = 0;
	size_t i;

	for (row = 0; row < BOARD_MODULES_MAX; row++) {
		if (board_shard_module(board, row, &found) && strcmp(found.name, name) == 0)
			return row;
	}
	for (row = 0; row < BOARD_MODULES_MAX; row++) {
		if (!board_shard_module(board, row, &found))
			return row;
	}
	for (row = 0; row < BOARD_MODULES_MAX; row++) {
		if (!board_shard_module(board, row, &found))
			continue;
		for (i = 0; i < loader_count() && strcmp(loader_get(i)->name, found.name) != 0; i++)
			;
		if (i == loader_count())
			gone = row;
	}
	return gone;
}

static void take_row(struct modhost *modhost, struct loaded_module *module)
{
	struct board_shard *board = modhost->options.board;
	struct board_module row;
	enum board_module_counter gauges[] = { BOARD_MODULE_calls_open, BOARD_MODULE_memory_bytes,
					       BOARD_MODULE_slowest_us, BOARD_MODULE_held };
	size_t i;

	module->entry.row = find_row(board, module->name);
	module->entry.counters = board_shard_module_counters(board, module->entry.row);
	if (!board_shard_module(board, module->entry.row, &row) || strcmp(row.name, module->name) != 0) {
		row = (struct board_module){ .state = BREAKER_ON };
		strcpy(row.name, module->name);
		for (i = 0; i < BOARD_MODULE_COUNTER_COUNT; i++)
			board_gauge(module->entry.counters, (unsigned)i, 0);
	}
	for (i = 0; i < ARRAY_SIZE(gauges); i++)
		board_gauge(module->entry.counters, gauges[i], 0);
	breaker_check(&row, &modhost->options.rules, clock_boottime_ns());
	board_shard_set_module(board, module->entry.row, &row);
	module->entry.off = row.state == BREAKER_OFF;
}

static void count_off(const struct modhost *modhost)
{
	uint64_t off = trial_off_count();
	size_t i;

	for (i = 0; i < loader_count(); i++)
		off += loader_get(i)->entry.off;
	if (modhost->options.counters)
		board_gauge(modhost->options.counters, BOARD_COUNTER_modules_off, off);
}

static void tell_state(const struct loaded_module *module, const struct board_module *row, uint64_t now_ns)
{
	struct log_ctx ctx = { .shard = -1, .module = module->name };

	if (row->state == BREAKER_OFF)
		log_error(&ctx, "modules.switched_off",
			  KV_MSG("a module kept crashing its worker and is switched off on this shard; the rest goes "
				 "on, and "
				 "it is tried again by itself"),
			  KV_U64("times", row->trips), KV_MS("retry_in", (row->until_ns - now_ns) / NS_PER_MS));
	else
		log_info(&ctx, row->state == BREAKER_TRIAL ? "modules.tried_again" : "modules.well_again",
			 KV_STR("state", board_module_state_name(row->state)));
}

static void setup(struct modhost *modhost, struct loaded_module *module);

static void breaker(struct modhost *modhost, struct loaded_module *module, enum breaker_event event)
{
	uint64_t now_ns = clock_boottime_ns();
	struct board_module row;
	bool moved;

	if (!board_shard_module(modhost->options.board, module->entry.row, &row))
		return;
	breaker_check(&row, &modhost->options.rules, now_ns);
	moved = breaker_step(&row, event, now_ns, &modhost->options.rules);
	if (event == BREAKER_CRASH)
		row.loading = false;
	if (moved || event == BREAKER_CRASH)
		board_shard_set_module(modhost->options.board, module->entry.row, &row);
	if (!moved)
		return;
	tell_state(module, &row, now_ns);
	module->entry.off = row.state == BREAKER_OFF;
	if (modhost->started && row.state == BREAKER_TRIAL && module->state == LOADED_NEW)
		setup(modhost, module);
	count_off(modhost);
}

/* The last worker died in a module's code: whose, its row on the board tells. */
static void blame(struct modhost *modhost)
{
	const struct board_culprit *culprit = &modhost->options.culprit;
	struct board_module row;
	struct log_ctx ctx = { .shard = -1 };
	size_t i;

	if (!culprit->module || culprit->kind == CULPRIT_LOADING /* counted before it was loaded again: trial.c */ ||
	    !board_shard_module(modhost->options.board, culprit->module - 1, &row))
		return;
	ctx.module = row.name;
	log_error(&ctx, "modules.crashed", KV_MSG("the last worker crashed in a module's code"),
		  KV_STR("called_for", culprit_kind_words(culprit->kind)), KV_U64("sequence", culprit->sequence));
	for (i = 0; i < loader_count(); i++) {
		struct loaded_module *module = loader_get(i);

		if (strcmp(module->name, row.name) != 0)
			continue;
		board_count(module->entry.counters, BOARD_MODULE_crashes, 1);
		breaker(modhost, module, BREAKER_CRASH);
	}
}

/* --- life of a module ----------------------------------------------------------------------------------------------
 */

static void module_hold(void *owner)
{
	((struct loaded_module *)owner)->scope_refs++;
}

static void module_release(void *owner)
{
	((struct loaded_module *)owner)->scope_refs--;
}

static void setup(struct modhost *modhost, struct loaded_module *module)
{
	struct log_ctx ctx = { .shard = -1, .module = module->name };
	struct culprit_frame frame;
	int r = 0;

	scope_init(&module->scope, &module->entry, NULL, 0, module, module_hold, module_release);
	module->scope.what = "setup";
	if (module->rows.setup) {
		scope_enter(&frame, &module->scope, CULPRIT_SETUP);
		r = module->rows.setup(&module->scope);
		culprit_leave(&frame);
	}
	module->scope.what = "the module itself";
	module->state = r < 0 ? LOADED_FAILED : LOADED_UP;
	if (r >= 0)
		return;
	scope_end(&module->scope);
	module->entry.off = true;
	log_error(&ctx, "modules.setup_failed",
		  KV_MSG("a module's setup refused: it is left out until the worker is started again"), KV_ERR(r));
	count_off(modhost);
}

static void tell_leak(const struct loaded_module *module)
{
	struct log_ctx ctx = { .shard = -1, .module = module->name };

	if (module->entry.memory)
		log_warn(&ctx, "modules.leaked", KV_MSG("a module's cleanup left memory from shoal_alloc() behind"),
			 KV_U64("bytes", module->entry.memory));
	if (module->entry.calls)
		log_warn(&ctx, "modules.calls_leaked", KV_MSG("a module's calls did not all end with its scopes"),
			 KV_U64("calls", module->entry.calls));
}

static void cleanup(struct loaded_module *module)
{
	struct culprit_frame frame;

	if (module->state != LOADED_UP)
		return;
	module->scope.what = "cleanup";
	if (module->rows.cleanup) {
		scope_enter(&frame, &module->scope, CULPRIT_CLEANUP);
		module->rows.cleanup(&module->scope);
		culprit_leave(&frame);
	}
	module->state = LOADED_NEW;
	tell_leak(module);
}

/* --- events --------------------------------------------------------------------------------------------------------
 */

static void event_hold(void *owner)
{
	((struct event_scope *)owner)->refs++;
}

static void event_release(void *owner)
{
	struct event_scope *open = owner;
	struct modhost *modhost = open->modhost;
	struct ticket *ticket = open->ticket;

	if (--open->refs > 0)
		return;
	DL_DELETE(modhost->open, open);
	if (modhost->spare_count < SPARE_SCOPES) {
		open->next = modhost->spare;
		modhost->spare = open;
		modhost->spare_count++;
	} else {
		free(open);
	}
	ticket_release(ticket);
}

static struct event_scope *event_scope_new(struct modhost *modhost, const struct subscriber *subscriber,
					   const struct shoal_event *event, struct ticket *ticket)
{
	struct event_scope *open = modhost->spare;

	if (open) {
		modhost->spare = open->next;
		modhost->spare_count--;
	} else {
		open = malloc(sizeof(*open));
		if (!open)
			return NULL;
	}
	*open = (struct event_scope){ .modhost = modhost,
				      .ticket = ticket_hold(ticket),
				      .refs = 1,
				      .started_ns = modhost->options.loop->pass_started_ns };
	scope_init(&open->scope, &subscriber->module->entry, ticket, subscriber->lane, open, event_hold, event_release);
	open->scope.what = (shoal_event_name)(event->type);
	open->scope.guild_id = event->guild_id;
	DL_APPEND(modhost->open, open);
	return open;
}

static void call_subscriber(struct modhost *modhost, const struct subscriber *subscriber,
			    const struct shoal_event *event, struct ticket *ticket)
{
	struct module_entry *entry = &subscriber->module->entry;
	const struct modhost_options *options = &modhost->options;
	struct culprit_frame frame;
	struct event_scope *open;

	if (entry->off || subscriber->module->state != LOADED_UP) {
		board_count(entry->counters, BOARD_MODULE_skipped, 1);
		return;
	}
	if (options->allowed && !options->allowed(options->allowed_arg, entry, event->guild_id))
		return;
	open = event_scope_new(modhost, subscriber, event, ticket);
	if (!open) {
		struct log_ctx ctx = { .shard = -1, .module = entry->name, .event = (shoal_event_name)(event->type) };

		board_count(entry->counters, BOARD_MODULE_skipped, 1);
		log_error(&ctx, "modules.no_memory", KV_MSG("an event was not handed to a module"), KV_ERR(-ENOMEM));
		return;
	}
	scope_enter(&frame, &open->scope, CULPRIT_EVENT);
	subscriber->row->handle(&open->scope, event);
	culprit_leave(&frame);
	event_release(open);
}

void modhost_event(struct modhost *modhost, const struct shoal_event *event, struct ticket *ticket)
{
	const struct subscriber *subscriber;

	for (subscriber = modhost->by_type[event->type]; subscriber && !modhost->closing; subscriber = subscriber->next)
		call_subscriber(modhost, subscriber, event, ticket);
}

bool modhost_wants(enum shoal_event_type type)
{
	size_t i, j;

	for (i = 0; i < loader_count(); i++) {
		const struct shoal_module *rows = &loader_get(i)->rows;

		for (j = 0; j < rows->event_count; j++) {
			if (rows->events[j].type == type)
				return true;
		}
	}
	return false;
}

static bool lane_is_taken(const struct subscriber *list, uint32_t lane)
{
	for (; list; list = list->next) {
		if (list->lane == lane)
			return true;
	}
	return false;
}

/* A module's second row for the same event is a subscriber of its own, and so needs a lane of its own. */
static int subscribe(struct modhost *modhost, struct loaded_module *module, const struct shoal_event_row *row)
{
	struct subscriber **end = &modhost->by_type[row->type], *subscriber = calloc(1, sizeof(*subscriber));

	if (!subscriber)
		return -ENOMEM;
	*subscriber = (struct subscriber){ .module = module, .row = row, .lane = module->lane };
	while (lane_is_taken(*end, subscriber->lane))
		subscriber->lane = subscriber->lane == EFFECT_LANE_MAX ? 1 : subscriber->lane + 1;
	while (*end)
		end = &(*end)->next;
	*end = subscriber;
	return 0;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void alert(const struct modhost *modhost, const char *event, const char *text)
{
	if (modhost->options.alert)
		modhost->options.alert(modhost->options.alert_arg, event, text);
}

static void tell_held(const struct modhost *modhost, const struct shoal_scope *scope)
{
	struct log_ctx ctx = {
		.shard = -1, .guild_id = scope->guild_id, .module = scope->module->name, .event = scope->what
	};
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text),
		 "module %s has held %s for %" PRIu32
		 " s: it does not count as handled, and would be begun again after a crash; "
		 "is a release missing, or a call that never ends?",
		 scope->module->name, scope->what, modhost->options.held_s);
	log_warn(&ctx, "modules.scope_held", KV_MSG(text), KV_U64("calls", scope->call_count),
		 KV_U64("held_s", modhost->options.held_s));
	alert(modhost, "modules.scope_held", text);
}

/* Each is told of once; the gauges say how many there are. */
static void look_for_held(struct modhost *modhost)
{
	uint64_t pass_ns = modhost->options.loop->pass_started_ns, now_ns = clock_monotonic_ns();
	struct shoal_invocation *inv = modhost->options.commands ? modhost->options.commands->open : NULL;
	uint64_t held[BOARD_MODULES_MAX] = { 0 }, most_ns = modhost->options.held_s * NS_PER_S;
	struct event_scope *open;
	size_t i;

	if (most_ns == 0)
		return;
	DL_FOREACH (modhost->open, open) {
		if (pass_ns - open->started_ns < most_ns)
			break; /* the oldest stand first */
		if (!open->told)
			tell_held(modhost, &open->scope);
		open->told = true;
		held[open->scope.module->row]++;
	}
	for (; inv; inv = inv->next) {
		if (!inv->scope.module || now_ns < inv->received_ns || now_ns - inv->received_ns < most_ns)
			continue;
		if (!inv->held_told)
			tell_held(modhost, &inv->scope);
		inv->held_told = true;
		held[inv->scope.module->row]++;
	}
	for (i = 0; i < loader_count(); i++)
		board_gauge(loader_get(i)->entry.counters, BOARD_MODULE_held, held[loader_get(i)->entry.row]);
}

/* Once it is past the limit, and again whenever it has doubled. */
static void look_at_memory(const struct modhost *modhost, struct module_entry *entry)
{
	uint64_t most = entry->memory_told ? 2 * entry->memory_told : (uint64_t)modhost->options.memory_mib << 20;
	struct log_ctx ctx = { .shard = -1, .module = entry->name };
	char text[TEXT_SIZE];

	if (most == 0 || entry->memory <= most)
		return;
	entry->memory_told = entry->memory;
	snprintf(text, sizeof(text),
		 "module %s has %" PRIu64 " MiB from shoal_alloc(), more than modules.memory_mib (%" PRIu32
		 "): does it free what it takes?",
		 entry->name, entry->memory >> 20, modhost->options.memory_mib);
	log_warn(&ctx, "modules.memory", KV_MSG(text), KV_U64("bytes", entry->memory));
	alert(modhost, "modules.memory", text);
}

static void on_tick(void *arg)
{
	struct modhost *modhost = arg;
	size_t i;

	for (i = 0; i < loader_count(); i++) {
		breaker(modhost, loader_get(i), BREAKER_TIME);
		look_at_memory(modhost, &loader_get(i)->entry);
	}
	look_for_held(modhost);
}

int modhost_new(const struct modhost_options *options, struct modhost **ret_modhost)
{
	struct modhost *modhost = calloc(1, sizeof(*modhost));
	size_t i, j;
	int r = 0;

	if (!modhost)
		return -ENOMEM;
	modhost->options = *options;
	the_one = modhost;
	status_begin();
	for (i = 0; i < loader_count(); i++)
		take_row(modhost, loader_get(i));
	blame(modhost);
	count_off(modhost);
	for (i = 0; r == 0 && i < loader_count(); i++) {
		struct loaded_module *module = loader_get(i);

		for (j = 0; r == 0 && j < module->rows.event_count; j++)
			r = subscribe(modhost, module, &module->rows.events[j]);
	}
	if (r < 0) {
		modhost_free(modhost);
		return r;
	}
	loop_at_tick(options->loop, &modhost->tick, on_tick, modhost);
	*ret_modhost = modhost;
	return 0;
}

void modhost_start(struct modhost *modhost)
{
	size_t i;

	modhost->started = true;
	for (i = 0; i < loader_count(); i++) {
		if (!loader_get(i)->entry.off)
			setup(modhost, loader_get(i));
	}
}

bool modhost_is_busy(const struct modhost *modhost)
{
	return modhost->open != NULL;
}

static struct event_scope *next_to_end(const struct modhost *modhost)
{
	struct event_scope *open;

	DL_FOREACH (modhost->open, open) {
		if (!open->scope.ended)
			return open;
	}
	return NULL;
}

void modhost_close(struct modhost *modhost)
{
	struct event_scope *open;
	size_t i;

	if (!modhost || modhost->closing)
		return;
	modhost->closing = true;
	loop_remove_hook(&modhost->tick);
	while ((open = next_to_end(modhost)))
		scope_end(&open->scope);
	for (i = loader_count(); i-- > 0;) {
		if (loader_get(i)->state == LOADED_UP)
			scope_end(&loader_get(i)->scope);
	}
	for (i = loader_count(); i-- > 0;)
		cleanup(loader_get(i));
	module_http_close();
}

struct modhost *modhost_free(struct modhost *modhost)
{
	struct event_scope *open, *next;
	struct subscriber *subscriber;
	size_t type;

	if (!modhost)
		return NULL;
	loop_remove_hook(&modhost->tick);
	for (type = 0; type < SHOAL_EVENT_COUNT; type++) {
		while ((subscriber = modhost->by_type[type])) {
			modhost->by_type[type] = subscriber->next;
			free(subscriber);
		}
	}
	if (modhost->open) {
		struct log_ctx ctx = { .shard = -1, .module = modhost->open->scope.module->name };

		log_error(&ctx, "modules.scope_leaked", KV_MSG("a module never released an event"),
			  KV_STR("held_for", modhost->open->scope.what));
	}
	DL_FOREACH_SAFE(modhost->open, open, next)
	{
		ticket_release(open->ticket);
		free(open);
	}
	while ((open = modhost->spare)) {
		modhost->spare = open->next;
		free(open);
	}
	if (the_one == modhost)
		the_one = NULL;
	free(modhost);
	return NULL;
}
