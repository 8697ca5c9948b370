/* A row is deleted from the stage only when the very bytes that it holds have come back as durable. Runs on the loop;
 * must not call anything that waits for a disk. */
#include "shard/events/parked_move.h"

#include <errno.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"

#define MOVING_MAX (4 * 1024 * 1024) /* bytes on their way to the store */

/* --- the store comes and goes
 * ----------------------------------------------------------------------------------------- */

void parked_tell_away(struct parked *parked, int error)
{
	if (!parked->away_told)
		log_error(NULL, "parked.away",
			  KV_MSG("parked events and dead letters can't be written to supervisor.state_dir (is it full, "
				 "read-only or missing? parked.max_mib); they are kept in the runtime directory "
				 "meanwhile, which a reboot empties"),
			  KV_STR("state_dir", parked->options.state_dir), KV_ERR(error),
			  KV_U64("waiting", parked->counts[LETTER_PARKED] + parked->counts[LETTER_DEAD]));
	parked->away_told = true;
}

static void tell_back(struct parked *parked)
{
	if (parked->away_told)
		log_info(NULL, "parked.back", KV_MSG("supervisor.state_dir takes parked events and dead letters again"),
			 KV_U64("waiting", parked->counts[LETTER_PARKED] + parked->counts[LETTER_DEAD]));
	parked->away_told = false;
}

static void store_failed(struct parked *parked, int error)
{
	parked->store_state = STORE_AWAY;
	parked->retry_ns = clock_monotonic_ns() + PARKED_RETRY_NS;
	log_debug(NULL, "parked.failed", KV_ERR(error), KV_U64("outstanding", parked->outstanding));
	parked_tell_away(parked, error);
}

int parked_give(struct parked *parked, struct parked_job *job)
{
	int r = parked_store_give(parked->store, job);

	if (r < 0) {
		store_failed(parked, r);
		return r;
	}
	if (parked->outstanding++ == 0)
		parked->progress_ns = clock_monotonic_ns();
	return 0;
}

int parked_give_simple(struct parked *parked, enum parked_op op, enum letter_table table, struct letter_key key)
{
	struct parked_job *job = parked_job_new(op);

	if (!job)
		return -ENOMEM;
	job->table = table;
	job->key = key;
	return parked_give(parked, job);
}

void parked_open_store(struct parked *parked)
{
	if (parked->store_state == STORE_OPENING || parked->store_state == STORE_OPEN)
		return;
	parked->store_state = STORE_OPENING;
	if (parked_give_simple(parked, PARKED_OPEN, 0, (struct letter_key){ 0, 0 }) == -ENOMEM)
		store_failed(parked, -ENOMEM);
}

/* Deletes that the store has not been told of, or that it could not do. */
static int tell_gone(void *arg, struct letter_key key, struct letter_state state)
{
	struct parked *parked = arg;

	if (state.flags & LETTER_STATE_GONE)
		parked_give_simple(parked, PARKED_DELETE, LETTER_PARKED, key);
	if (state.flags & LETTER_STATE_DEAD_GONE)
		parked_give_simple(parked, PARKED_DELETE, LETTER_DEAD, key);
	return 0;
}

/* A row of the store: known already, done already, or news. */
static void found_stored(struct parked *parked, const struct parked_head *head)
{
	struct parked_entry *entry = parked_find(parked, head->table, head->key);

	if (parked_is_gone(parked, head))
		return; /* tell_gone() sees to it */
	if (entry) {
		entry->stored = true;
		return;
	}
	entry = parked_note(parked, head);
	if (!entry)
		return;
	entry->stored = true;
	if (head->table == LETTER_PARKED && parked->opened && parked->options.late)
		parked->options.late(parked->options.arg, &entry->head);
}

static void store_opened(struct parked *parked, const struct parked_job *job)
{
	size_t i;

	parked->store_state = STORE_OPEN;
	if (job->found.damaged || job->found.unreadable > 0)
		log_error(NULL, "parked.damaged",
			  KV_MSG("parked events or dead letters on disk failed their checks; what could not be read is "
				 "lost (files that could not be read at all stand beside, named data.mdb.damaged)"),
			  KV_STR("state_dir", parked->options.state_dir), KV_BOOL("whole", job->found.damaged),
			  KV_U64("rows", job->found.unreadable));
	for (i = 0; i < job->head_count; i++)
		found_stored(parked, &job->heads[i]);
	if (parked->stage)
		parked_stage_each_state(parked->stage, tell_gone, parked);
	if (!parked->queue) /* else the first row that is written tells */
		tell_back(parked);
}

/* --- what comes back from the store
 * ----------------------------------------------------------------------------------- */

static void put_came_back(struct parked *parked, const struct parked_job *job)
{
	struct parked_entry *entry = parked_find(parked, job->table, job->key);

	parked->moving_bytes -= job->row.len;
	if (job->error < 0)
		store_failed(parked, job->error);
	else
		tell_back(parked);
	if (!entry || entry->erased)
		return; /* done meanwhile: its deletion is on its way behind this */
	entry->moving = false;
	entry->stored |= job->error == 0;
	if (job->error == 0 && entry->serial == job->serial && entry->staged &&
	    parked_stage_delete(parked->stage, job->table, job->key) == 0)
		entry->staged = false;
	if (entry->staged)
		parked_queue(parked, entry);
}

static void delete_came_back(struct parked *parked, const struct parked_job *job)
{
	uint32_t flag = job->table == LETTER_DEAD ? LETTER_STATE_DEAD_GONE : LETTER_STATE_GONE;
	struct letter_state state;

	if (job->error < 0) { /* the mark stays, and the store is told again when it is back */
		store_failed(parked, job->error);
		return;
	}
	if (!parked->stage)
		return;
	state = parked_stage_state(parked->stage, job->key);
	state.flags &= ~flag;
	if (!parked_find(parked, LETTER_PARKED, job->key) && !(state.flags & LETTER_STATE_DEAD_GONE))
		state = (struct letter_state){ .flags = state.flags & LETTER_STATE_GONE };
	parked_stage_set_state(parked->stage, job->key, state);
}

static void forget_came_back(struct parked *parked, const struct parked_job *job)
{
	size_t i;

	for (i = 0; job->error == 0 && i < job->head_count; i++) {
		struct parked_entry *entry = parked_find(parked, job->heads[i].table, job->heads[i].key);

		if (!entry || entry->erased)
			continue;
		if (entry->head.table == LETTER_PARKED) {
			parked_count(parked, entry, -1);
			parked_unqueue(parked, entry);
			entry->erased = true;
			entry->stored = entry->staged = false;
		} else {
			parked_drop_entry(parked, entry);
		}
	}
}

static void job_came_back(struct parked *parked, struct parked_job *job)
{
	switch (job->op) {
	case PARKED_OPEN:
		if (job->error < 0)
			store_failed(parked, job->error);
		else
			store_opened(parked, job);
		break;
	case PARKED_PUT:
		put_came_back(parked, job);
		break;
	case PARKED_DELETE:
		delete_came_back(parked, job);
		break;
	case PARKED_FORGET:
		forget_came_back(parked, job);
		break;
	case PARKED_BLANK: /* what failed is tried again: the entry still has its flag */
	case PARKED_CALL:
		break;
	}
	if (job->op == PARKED_BLANK && job->error == 0) {
		struct parked_entry *entry = parked_find(parked, job->table, job->key);

		if (entry)
			entry->head.flags &= (uint16_t)~LETTER_TOKEN;
	}
	job->drop = NULL;
	if (job->done)
		job->done(job->arg, job->error, job);
}

int parked_take_done(struct parked *parked)
{
	struct parked_job *job = parked_store_take(parked->store);
	int count = 0;

	parked->progress_ns = clock_monotonic_ns();
	while (job) {
		struct parked_job *next = job->next;

		parked->outstanding--;
		job_came_back(parked, job);
		parked_job_free(job);
		job = next;
		count++;
	}
	parked_pump(parked);
	return count;
}

void parked_on_wake(uv_async_t *async)
{
	struct parked *parked = CONTAINER_OF(async, struct parked, wake);

	if (!parked->closing)
		parked_take_done(parked);
}

/* On the helper thread. */
void parked_wake_loop(void *arg)
{
	uv_async_send(&((struct parked *)arg)->wake);
}

/* --- from the stage to the store
 * -------------------------------------------------------------------------------------- */

static int move(struct parked *parked, struct parked_entry *entry)
{
	struct parked_job *job = parked_job_new(PARKED_PUT);
	size_t len;
	int r;

	if (!job)
		return -ENOMEM;
	job->table = entry->head.table;
	job->key = entry->head.key;
	job->serial = entry->serial;
	r = parked_stage_copy(parked->stage, job->table, job->key, &job->row);
	if (r < 0) {
		parked_job_free(job);
		return r;
	}
	len = job->row.len;
	r = parked_give(parked, job);
	if (r < 0)
		return r;
	entry->moving = true;
	parked->moving_bytes += len;
	return 0;
}

void parked_pump(struct parked *parked)
{
	struct parked_entry *entry;

	if (parked->closing || !parked->stage || !parked->queue)
		return;
	if (parked->store_state == STORE_NONE)
		parked_open_store(parked);
	while (parked->store_state == STORE_OPEN && parked->moving_bytes < MOVING_MAX && (entry = parked->queue)) {
		parked_unqueue(parked, entry);
		if (!entry->staged || entry->moving)
			continue;
		if (move(parked, entry) < 0) {
			parked_queue(parked, entry);
			break;
		}
	}
}
