/* The marks. Entered for every event and every answer, so it is a few stores; the coarse clock (4 ms) is exact enough
 * for slowness and costs no read of the counter. */
#include "shard/events/culprit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/kill_point.h"
#include "shared/log/log.h"

#define WARN_EVERY_NS (10 * NS_PER_S)
#define TEXT_SIZE     256

static struct board_shard *culprit_board;
static uint64_t slow_ns;
static uint32_t own_pid;
static struct culprit_frame *volatile top;
static _Thread_local bool on_loop;
static _Atomic uint64_t astray_told_ns;
static void (*alert)(void *arg, const char *event, const char *text);
static void *alert_arg;

static const char *const kind_words[] = {
#define X(name, words) [CULPRIT_##name] = (words),
	CULPRIT_KINDS(X)
#undef X
};

const char *culprit_kind_words(uint32_t kind)
{
	return kind < ARRAY_SIZE(kind_words) ? kind_words[kind] : "something";
}

void culprit_init(struct board_shard *board, uint32_t slow_ms)
{
	culprit_board = board;
	slow_ns = slow_ms * NS_PER_MS;
	own_pid = (uint32_t)getpid();
	top = NULL;
	on_loop = true;
}

void culprit_set_alert(void (*fn)(void *arg, const char *event, const char *text), void *arg)
{
	alert = fn;
	alert_arg = arg;
}

static uint64_t coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool culprit_is_astray(const struct module_entry *module, const char *call)
{
	struct log_ctx ctx = { .shard = -1, .module = module ? module->name : NULL };
	uint64_t now_ns, told_ns;

	if (on_loop || own_pid == 0)
		return false;
	now_ns = coarse_ns();
	told_ns = atomic_load(&astray_told_ns);
	if ((told_ns == 0 || now_ns - told_ns > WARN_EVERY_NS) &&
	    atomic_compare_exchange_strong(&astray_told_ns, &told_ns, now_ns))
		log_error(
			&ctx, "modules.wrong_thread",
			KV_MSG("a module called shoal from a thread of its own: it was not heard; all calls belong to "
			       "the loop's thread"),
			KV_STR("call", call));
	return true;
}

/* What the innermost entry is about; nobody when there is none. */
static void mark(const struct culprit_frame *frame)
{
	struct board_culprit culprit = { 0 };

	if (!culprit_board)
		return;
	if (frame) {
		culprit.module = frame->module->row + 1;
		culprit.kind = (uint32_t)frame->kind;
		culprit.pid = own_pid;
		ticket_origin(frame->ticket, &culprit.session, &culprit.sequence);
	}
	board_shard_set_culprit(culprit_board, &culprit);
}

#ifdef SHOAL_KILL_POINTS
/* "admin an event" */
static const char *place_of(const struct module_entry *module, enum culprit_kind kind)
{
	static char place[64];

	snprintf(place, sizeof(place), "%s %s", module->name, culprit_kind_words(kind));
	return place;
}
#endif

void culprit_enter(struct culprit_frame *frame, struct module_entry *module, enum culprit_kind kind,
		   struct ticket *ticket, const char *what)
{
	*frame = (struct culprit_frame){ .module = module, .kind = kind, .ticket = ticket, .what = what };
	if (!module)
		return;
	frame->outer = top;
	frame->since_ns = coarse_ns();
	if (module->counters)
		board_count(module->counters, BOARD_MODULE_entries, 1);
	mark(frame);
	frame->before = ticket_mark(ticket);
	top = frame;
	KILL_POINT("in_module", place_of(module, kind));
}

static void tell_slow(const struct culprit_frame *frame, uint64_t took_ns, uint64_t now_ns)
{
	struct module_entry *module = frame->module;
	struct log_ctx ctx = { .shard = -1, .module = module->name, .event = frame->what };
	char text[TEXT_SIZE];

	if (module->counters)
		board_count(module->counters, BOARD_MODULE_slow, 1);
	if (module->warned_ns && now_ns - module->warned_ns < WARN_EVERY_NS)
		return;
	module->warned_ns = now_ns;
	snprintf(text, sizeof(text),
		 "module %s held the loop for %" PRIu64
		 " ms, called for %s (%s): everybody on this shard waited for it",
		 module->name, (uint64_t)(took_ns / NS_PER_MS), culprit_kind_words(frame->kind),
		 frame->what ? frame->what : "?");
	log_warn(&ctx, "modules.slow", KV_MSG(text), KV_STR("called_for", culprit_kind_words(frame->kind)),
		 KV_MS("took", took_ns / NS_PER_MS));
	if (alert)
		alert(alert_arg, "modules.slow", text);
}

void culprit_leave(struct culprit_frame *frame)
{
	struct module_entry *module = frame->module;
	uint64_t now_ns, took_ns;

	if (!module)
		return;
	top = frame->outer;
	ticket_unmark(frame->ticket, frame->before);
	mark(top);
	now_ns = coarse_ns();
	took_ns = now_ns - frame->since_ns;
	if (module->counters && took_ns / NS_PER_US > atomic_load_explicit(&module->counters[BOARD_MODULE_slowest_us],
									   memory_order_relaxed))
		board_gauge(module->counters, BOARD_MODULE_slowest_us, took_ns / NS_PER_US);
	if (slow_ns && took_ns > slow_ns)
		tell_slow(frame, took_ns, now_ns);
}

const struct culprit_frame *culprit_current(void)
{
	return top;
}
