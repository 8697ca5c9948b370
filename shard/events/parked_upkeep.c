/* Letters of a member who wishes it, tokens and old age. */
#include "shard/events/parked_upkeep.h"

#include <errno.h>
#include <stdlib.h>

#include "shard/events/parked_move.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define TOKENS_EVERY_NS (10 * NS_PER_S)
#define AGES_EVERY_NS   (600 * NS_PER_S)
#define DAY_MS          (24ULL * 3600 * 1000)

/* --- a member's wish
 * -------------------------------------------------------------------------------------------------- */

struct erasure {
	parked_forget_fn fn;
	void *arg;
	size_t count;
};

struct mention {
	struct parked *parked;
	uint64_t user_id;
	enum letter_table table;
	struct letter_key keys[64];
	size_t count;
};

static int find_mention(void *arg, const struct letter *letter, size_t len)
{
	struct mention *mention = arg;

	(void)len;
	if (mention->count == ARRAY_SIZE(mention->keys))
		return 1;
	if (letter_mentions(letter->payload.ptr, letter->payload.len, mention->user_id))
		mention->keys[mention->count++] = letter_key_make(letter->session, letter->sequence);
	return 0;
}

static void erase(struct parked *parked, enum letter_table table, struct letter_key key)
{
	struct parked_entry *entry = parked_find(parked, table, key);
	struct parked_entry *again = NULL;
	struct parked_head head;

	if (!entry) {
		parked_stage_delete(parked->stage, table, key);
		return;
	}
	head = entry->head;
	parked_remove(parked, entry);
	if (table != LETTER_PARKED)
		return;
	/* Somebody will come for it. */
	again = parked_note(parked, &head);
	if (!again)
		return;
	parked_count(parked, again, -1);
	again->erased = true;
}

static size_t erase_staged(struct parked *parked, uint64_t user_id)
{
	struct mention mention = { .parked = parked, .user_id = user_id };
	size_t total = 0, i;

	for (mention.table = 0; parked->stage && mention.table < LETTER_TABLE_COUNT; mention.table++) {
		do {
			mention.count = 0;
			parked_stage_each(parked->stage, mention.table, find_mention, &mention);
			for (i = 0; i < mention.count; i++)
				erase(parked, mention.table, mention.keys[i]);
			total += mention.count;
		} while (mention.count == ARRAY_SIZE(mention.keys));
	}
	return total;
}

static void erasure_done(void *arg, int error, const struct parked_job *job)
{
	struct erasure *erasure = arg;

	if (erasure->fn)
		erasure->fn(erasure->arg, error, erasure->count + (error == 0 ? job->head_count : 0));
	free(erasure);
}

int parked_forget_user(struct parked *parked, uint64_t user_id, parked_forget_fn fn, void *arg)
{
	struct erasure *erasure = calloc(1, sizeof(*erasure));
	struct parked_job *job = parked_job_new(PARKED_FORGET);

	if (!erasure || !job) {
		free(erasure);
		parked_job_free(job);
		return -ENOMEM;
	}
	*erasure = (struct erasure){ .fn = fn, .arg = arg, .count = erase_staged(parked, user_id) };
	job->number = user_id;
	job->done = erasure_done;
	job->drop = free;
	job->arg = erasure;
	/* Behind whatever is on its way there. */
	if (parked->store_state == STORE_NONE && !parked_store_exists(parked->store)) {
		job->drop = NULL;
		erasure_done(erasure, 0, job);
		parked_job_free(job);
		return 0;
	}
	return parked_give(parked, job);
}

/* --- time
 * ------------------------------------------------------------------------------------------------------------- */

static void blank_staged(struct parked *parked, struct parked_entry *entry)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct letter letter;

	if (parked_read_letter(parked, entry->head.table, entry->head.key, &letter) < 0)
		return;
	letter_blank_tokens((char *)(uintptr_t)letter.payload.ptr, letter.payload.len);
	letter.flags &= (uint16_t)~LETTER_TOKEN;
	if (letter_write(&letter, &row) < 0 ||
	    parked_stage_put(parked->stage, entry->head.table, entry->head.key, &row) < 0)
		return;
	/* A copy on its way still has it, and must not end the staged one's life. */
	entry->serial = ++parked->serial;
	entry->head.flags &= (uint16_t)~LETTER_TOKEN;
	parked_queue(parked, entry);
}

static void look_for_tokens(struct parked *parked)
{
	struct parked_entry *entry;
	size_t table;

	for (table = 0; table < LETTER_TABLE_COUNT; table++) {
		for (entry = parked->entries[table]; entry; entry = entry->hh.next) {
			const struct parked_head *head = &entry->head;

			if (!(head->flags & LETTER_TOKEN) || entry->erased ||
			    letter_age_ms(head->wall_ms, head->boot_ns, head->boot) < LETTER_TOKEN_AGE_MS)
				continue;
			if (entry->staged && parked->stage)
				blank_staged(parked, entry);
			else if (entry->stored && parked->store_state == STORE_OPEN)
				parked_give_simple(parked, PARKED_BLANK, head->table, head->key);
		}
	}
}

static void look_for_age(struct parked *parked)
{
	uint64_t max_ms = parked->options.max_age_days * DAY_MS;
	struct parked_entry *entry, *next;
	size_t old = 0;

	HASH_ITER (hh, parked->entries[LETTER_DEAD], entry, next) {
		if (!parked_is_retried(parked, entry) &&
		    letter_age_ms(entry->head.wall_ms, entry->head.boot_ns, entry->head.boot) > max_ms)
			parked_drop_dead(parked, entry, "it is too old");
	}
	HASH_ITER (hh, parked->entries[LETTER_PARKED], entry, next) {
		if (entry->erased ||
		    letter_age_ms(entry->head.wall_ms, entry->head.boot_ns, entry->head.boot) <= max_ms)
			continue;
		parked_remove(parked, entry);
		old++;
	}
	parked->dropped += old;
	if (old > 0)
		log_error(NULL, "parked.too_old",
			  KV_MSG("parked events were removed whose handling never ended (parked.max_age_days)"),
			  KV_U64("events", old));
}

static bool is_due(uint64_t *at_ns, uint64_t now_ns, uint64_t every_ns)
{
	if (*at_ns == 0)
		*at_ns = now_ns + every_ns;
	if (now_ns < *at_ns)
		return false;
	*at_ns = now_ns + every_ns;
	return true;
}

void parked_upkeep(struct parked *parked, uint64_t now_ns)
{
	if (is_due(&parked->tokens_ns, now_ns, TOKENS_EVERY_NS))
		look_for_tokens(parked);
	if (is_due(&parked->ages_ns, now_ns, AGES_EVERY_NS))
		look_for_age(parked);
}
