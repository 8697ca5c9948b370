/* A timer is a call of its scope. Its memory goes when libuv has closed the handle, a turn after the callback.
 * Modules are called at the end of the pass and not by libuv's timers: that runs every timer that is due before it
 * looks at a socket again, so one that is always begun anew would be the last thing that this worker ever does, while
 * its stamp is still written. */
#include "shard/modhost/timers.h"

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "shard/modhost/modhost.h"

#define DELAY_MAX_MS (366ULL * 24 * 3600 * 1000)

struct module_timer {
	struct scope_call call;
	struct timer timer;
	uint64_t id;
	shoal_timer_fn fn;
	void *arg;
	bool is_due; /* in the list below */
	struct module_timer *prev, *next;
};

static uint64_t last_id;
static struct module_timer *due;
static struct loop_hook due_hook;

static void on_closed(void *arg)
{
	free(arg);
}

static void leave_due(struct module_timer *timer)
{
	if (!timer->is_due)
		return;
	timer->is_due = false;
	DL_DELETE(due, timer);
	if (!due)
		loop_remove_hook(&due_hook);
}

static void complete(struct module_timer *timer, int error)
{
	struct culprit_frame frame;

	timer->call.over = true;
	leave_due(timer);
	timer_close(&timer->timer, on_closed); /* frees it, later */
	scope_enter(&frame, timer->call.scope, CULPRIT_TIMER);
	timer->fn(timer->arg, error);
	culprit_leave(&frame);
	scope_done(&timer->call);
}

/* What these begin is due in a later pass: libuv alone puts it into the list. */
static void run_due(void *arg)
{
	(void)arg;
	while (due)
		complete(due, 0);
}

static void on_time(void *arg)
{
	struct module_timer *timer = arg;

	if (!due)
		loop_at_pass_end(modhost_services()->loop, &due_hook, run_due, NULL);
	timer->is_due = true;
	DL_APPEND(due, timer);
}

static void cancel(struct scope_call *call)
{
	complete((struct module_timer *)call, -ECANCELED);
}
_Static_assert(offsetof(struct module_timer, call) == 0, "a call is a timer");

int timers_start(struct shoal_scope *scope, uint64_t delay_ms, shoal_timer_fn fn, void *arg, uint64_t *ret_id)
{
	struct module_timer *timer;
	int r;

	if (!fn || delay_ms > DELAY_MAX_MS)
		return -EINVAL;
	timer = calloc(1, sizeof(*timer));
	if (!timer)
		return -ENOMEM;
	r = scope_add(scope, &timer->call, cancel);
	if (r < 0) {
		free(timer);
		return r;
	}
	r = timer_init(&timer->timer, modhost_services()->loop, on_time, timer);
	if (r < 0) {
		scope_done(&timer->call);
		free(timer);
		return r;
	}
	timer->id = ++last_id;
	timer->fn = fn;
	timer->arg = arg;
	timer_start(&timer->timer,
		    delay_ms ? delay_ms : 1); /* one that begins itself again leaves the processor to others */
	if (ret_id)
		*ret_id = timer->id;
	return 0;
}

int timers_cancel(struct shoal_scope *scope, uint64_t id)
{
	struct scope_call *call;

	for (call = scope->calls; call; call = call->next) {
		if (call->cancel != cancel || call->over || ((struct module_timer *)call)->id != id)
			continue;
		cancel(call);
		return 0;
	}
	return -ENOENT;
}

/* --- memory --------------------------------------------------------------------------------------------------------
 */

/* Before each piece; 16 bytes, so that what follows is aligned for anything. */
struct piece {
	struct module_entry *module;
	size_t size;
};
_Static_assert(sizeof(struct piece) % 16 == 0, "alignment");

static void count(struct module_entry *module)
{
	if (module->counters)
		board_gauge(module->counters, BOARD_MODULE_memory_bytes, module->memory);
}

void *memory_alloc(struct shoal_scope *scope, size_t size)
{
	struct piece *piece;

	if (culprit_is_astray(scope->module, "shoal_alloc"))
		return NULL;
	if (size > SIZE_MAX - sizeof(*piece))
		return NULL;
	piece = calloc(1, sizeof(*piece) + size);
	if (!piece)
		return NULL;
	*piece = (struct piece){ .module = scope->module, .size = size };
	if (piece->module) {
		piece->module->memory += size;
		count(piece->module);
	}
	return piece + 1;
}

void memory_free(void *memory)
{
	struct piece *piece = memory ? (struct piece *)memory - 1 : NULL;

	if (piece && culprit_is_astray(piece->module, "shoal_free"))
		return; /* better lost than counted by two at once */
	if (piece && piece->module) {
		piece->module->memory -= piece->size;
		count(piece->module);
	}
	free(piece);
}
