/* Scopes. The list is walked from its head again after each cancellation, since a callback may end, begin or free
 * anything. */
#include "shard/events/scope.h"

#include <errno.h>

#include <utlist.h>

void scope_init(struct shoal_scope *scope, struct module_entry *module, struct ticket *ticket, uint32_t lane,
		void *owner, void (*hold)(void *owner), void (*release)(void *owner))
{
	*scope = (struct shoal_scope){
		.module = module,
		.ticket = ticket,
		.what = "",
		.lane = lane,
		.owner = owner,
		.hold = hold,
		.release = release,
	};
	effect_scope_init(&scope->effects, ticket, lane);
}

static void count(struct module_entry *module, int64_t by)
{
	if (!module)
		return;
	module->calls += (uint64_t)by;
	if (module->counters)
		board_gauge(module->counters, BOARD_MODULE_calls_open, module->calls);
}

int scope_add(struct shoal_scope *scope, struct scope_call *call, void (*cancel)(struct scope_call *call))
{
	if (culprit_is_astray(scope->module, "an asynchronous function"))
		return -EPERM;
	if (scope->ended)
		return -ECANCELED;
	if (scope->call_count >= SCOPE_CALLS_MAX)
		return -ENOBUFS;
	*call = (struct scope_call){ .scope = scope, .cancel = cancel };
	DL_APPEND(scope->calls, call);
	scope->call_count++;
	count(scope->module, 1);
	scope->hold(scope->owner);
	return 0;
}

void scope_done(struct scope_call *call)
{
	struct shoal_scope *scope = call->scope;

	DL_DELETE(scope->calls, call);
	scope->call_count--;
	count(scope->module, -1);
	scope->release(scope->owner);
}

static struct scope_call *next_to_cancel(const struct shoal_scope *scope)
{
	struct scope_call *call;

	DL_FOREACH (scope->calls, call)
		if (!call->over)
			return call;
	return NULL;
}

void scope_end(struct shoal_scope *scope)
{
	struct scope_call *call;

	if (culprit_is_astray(scope->module, "shoal_scope_cancel"))
		return;
	scope->hold(scope->owner);
	scope->ended = true;
	while ((call = next_to_cancel(scope))) {
		call->over = true;
		call->cancel(call);
	}
	scope->release(scope->owner);
}

static uint64_t mix_in(uint64_t hash, uint64_t word)
{
	for (size_t shift = 0; shift < 64; shift += 8)
		hash = (hash ^ ((word >> shift) & 0xFF)) * 0x100000001B3ULL; /* FNV-1a */
	return hash;
}

uint64_t scope_token(struct shoal_scope *scope)
{
	struct event_key key = ticket_key(scope->ticket);
	uint64_t hash = 0xCBF29CE484222325ULL;

	if (key.scope == 0 && key.number == 0)
		return 0;
	hash = mix_in(mix_in(hash, key.scope), key.number);
	hash = mix_in(hash, (uint64_t)scope->lane << 32 | scope->writes++);
	return hash ? hash : 1;
}

void scope_enter(struct culprit_frame *frame, const struct shoal_scope *scope, enum culprit_kind kind)
{
	culprit_enter(frame, scope->module, kind, scope->ticket, scope->what);
}
