/* What the board says of this worker, and what the supervisor says of all. */
#include "shard/modhost/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modhost/loader.h"
#include "shard/modhost/modhost.h"
#include "shared/base/build_id.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"

#define ANSWER_MS 1000

static int64_t started_ms;

void status_begin(void)
{
	started_ms = clock_wall_ms();
}

static uint64_t counter(const struct modhost_options *host, enum board_counter counter)
{
	return host->board ? board_shard_counter(host->board, counter) : 0;
}

static enum shoal_part_state part(bool is_on, bool is_away)
{
	return !is_on ? SHOAL_PART_OFF : is_away ? SHOAL_PART_AWAY : SHOAL_PART_UP;
}

void status_get(struct shoal_scope *scope, struct shoal_status *ret_status, uint32_t size)
{
	const struct modhost_options *host = modhost_services();
	const struct command_services *services = host->commands ? &host->commands->services : NULL;
	struct shoal_status status = {
		.version = shoal_version,
		.build = shoal_build_id,
		.shard_id = host->shard_id,
		.started_ms = started_ms,
		.guilds = counter(host, BOARD_COUNTER_guilds),
		.unavailable = counter(host, BOARD_COUNTER_guilds_unavailable),
		.missing = counter(host, BOARD_COUNTER_guilds_missing),
		.gateway_latency_us = counter(host, BOARD_COUNTER_latency_us),
		.rest_latency_us = counter(host, BOARD_COUNTER_rest_latency_us),
		.writes_waiting = counter(host, BOARD_COUNTER_outbox_waiting),
		.events_waiting = counter(host, BOARD_COUNTER_events_waiting),
		.modules = (uint32_t)loader_count(),
		.modules_off = (uint32_t)counter(host, BOARD_COUNTER_modules_off),
	};

	(void)scope;
	if (services) {
		status.shard_count = services->shard_count;
		status.database =
			part(services->db && db_is_on(services->db), services->db && db_is_away(services->db));
		status.bus =
			part(services->bus && bus_is_on(services->bus), counter(host, BOARD_COUNTER_nats_away) != 0);
		status.supervisor =
			part(services->control != NULL, services->control && !control_link_is_up(services->control));
	}
	memset(ret_status, 0, size);
	memcpy(ret_status, &status, size < sizeof(status) ? size : sizeof(status));
}

/* --- the fleet -------------------------------------------------------------------------------------------------------
 */

/* A question that is answered in parts when the fleet is large. The supervisor's answer can't be called back: one that
 * was cancelled waits for it with nobody to tell. */
struct question {
	struct scope_call call;
	bool cancelled;
	shoal_fleet_fn fn;
	void *arg;
	struct shoal_fleet fleet;
};

static void finish(struct question *question, int error)
{
	struct culprit_frame frame;

	question->call.over = true;
	scope_enter(&frame, question->call.scope, CULPRIT_CONTINUATION);
	question->fn(question->arg, error, error ? NULL : &question->fleet);
	culprit_leave(&frame);
	scope_done(&question->call);
}

static void cancel(struct scope_call *call)
{
	struct question *question = (struct question *)call;

	question->cancelled = true;
	finish(question, -ECANCELED);
}
_Static_assert(offsetof(struct question, call) == 0, "a call is a question");

static uint64_t number_of(const json_t *shard, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(shard, key));

	return value > 0 ? (uint64_t)value : 0;
}

static void add_up(struct shoal_fleet *fleet, const json_t *shards)
{
	const json_t *shard;
	size_t i;

	json_array_foreach(shards, i, shard)
	{
		const char *state = json_string_value(json_object_get(shard, "state"));

		fleet->shards++;
		fleet->guilds += number_of(shard, "guilds");
		fleet->modules_off += number_of(shard, "modules_off");
		if (state && strcmp(state, shard_state_name(SHARD_STATE_READY)) == 0)
			fleet->ready++;
		else if (fleet->named < SHOAL_FLEET_NAMED)
			fleet->not_ready[fleet->named++] = (uint32_t)number_of(shard, "id");
	}
}

static int ask(struct question *question, uint64_t first);

static void on_answer(void *arg, int error, const json_t *answer)
{
	struct question *question = arg;
	const json_t *shards = answer ? json_object_get(answer, "shards") : NULL;
	uint64_t next = answer ? number_of(answer, "next") : 0;
	int r = error;

	if (question->cancelled) {
		free(question);
		return;
	}
	if (r == 0 && !json_is_array(shards))
		r = -EPROTO;
	if (r == 0) {
		add_up(&question->fleet, shards);
		/* The next part, unless there is none, or it would be one that we have. */
		if (next >= question->fleet.shards && json_array_size(shards) > 0) {
			r = ask(question, next);
			if (r == 0)
				return;
		}
	}
	finish(question, r);
	free(question);
}

static int ask(struct question *question, uint64_t first)
{
	struct control_link *control = modhost_services()->commands->services.control;

	return control_link_request(control, json_pack("{s:s, s:I}", "verb", "shards", "first", (json_int_t)first),
				    ANSWER_MS, on_answer, question);
}

int status_fleet(struct shoal_scope *scope, shoal_fleet_fn fn, void *arg)
{
	const struct modhost_options *host = modhost_services();
	struct question *question;
	int r;

	if (!host->commands || !host->commands->services.control)
		return -SHOAL_EOFFLINE;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->fn = fn;
	question->arg = arg;
	r = scope_add(scope, &question->call, cancel);
	if (r < 0) {
		free(question);
		return r;
	}
	r = ask(question, 0);
	if (r < 0) {
		scope_done(&question->call);
		free(question);
	}
	return r;
}
