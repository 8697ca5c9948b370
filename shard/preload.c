/* One entry for each server that is being loaded. It stays until the answer comes, also when nobody waits for it any
 * more, so that a slow database is waited for once and not for every event. */
#include "shard/preload.h"

#include <errno.h>
#include <stdlib.h>

#include <uthash.h>

#include "shared/base/clock.h"
#include "shared/settings/schema_core.h"

struct entry {
	uint64_t guild_id;
	struct preload *preload;
	uint64_t begun_ns;
	bool waits;  /* somebody is to be woken */
	bool inside; /* settings_get() has not returned yet */
	UT_hash_handle hh;
};

struct preload {
	struct settings *settings;
	void (*woken)(void *arg, uint64_t guild_id);
	void *arg;
	struct entry *entries;
	size_t waiting;
	struct loop_hook tick;
	bool closing;
};

static void wake(struct entry *entry)
{
	struct preload *preload = entry->preload;

	if (!entry->waits)
		return;
	entry->waits = false;
	preload->waiting--;
	if (!preload->closing)
		preload->woken(preload->arg, entry->guild_id);
}

/* Oldest first, as uthash keeps them. */
static void on_tick(void *arg)
{
	struct preload *preload = arg;
	uint64_t now_ns = clock_monotonic_ns();
	struct entry *entry, *next;

	HASH_ITER (hh, preload->entries, entry, next) {
		if (now_ns - entry->begun_ns < PRELOAD_WAIT_MS * NS_PER_MS)
			break;
		wake(entry);
	}
}

static void drop(struct entry *entry)
{
	HASH_DEL(entry->preload->entries, entry);
	free(entry);
}

static void on_loaded(void *arg, const struct setting_answer *answer)
{
	struct entry *entry = arg;

	(void)answer;
	if (entry->inside) {
		entry->inside = false; /* preload_ready() sees it */
		return;
	}
	wake(entry);
	drop(entry);
}

int preload_new(struct loop *loop, struct settings *settings, void (*woken)(void *arg, uint64_t guild_id), void *arg,
		struct preload **ret_preload)
{
	struct preload *preload = calloc(1, sizeof(*preload));

	if (!preload)
		return -ENOMEM;
	preload->settings = settings;
	preload->woken = woken;
	preload->arg = arg;
	loop_at_tick(loop, &preload->tick, on_tick, preload);
	*ret_preload = preload;
	return 0;
}

void preload_closing(struct preload *preload)
{
	if (!preload || preload->closing)
		return;
	preload->closing = true;
	loop_remove_hook(&preload->tick);
}

struct preload *preload_free(struct preload *preload)
{
	struct entry *entry, *next;

	if (!preload)
		return NULL;
	preload_closing(preload);
	HASH_ITER (hh, preload->entries, entry, next)
		drop(entry);
	free(preload);
	return NULL;
}

/* Any setting of a server brings all of them. */
static int begin(struct entry *entry)
{
	const struct settings_place place = { .guild_id = entry->guild_id };
	int r;

	entry->inside = true;
	r = settings_get(entry->preload->settings, &place, SETTING_PREFIX, on_loaded, entry);
	if (r < 0 || !entry->inside)
		return r < 0 ? r : 1; /* it is there, or can't be had now */
	entry->inside = false;
	return 0;
}

bool preload_ready(struct preload *preload, uint64_t guild_id)
{
	const struct settings_place place = { .guild_id = guild_id };
	struct setting_answer answer;
	struct entry *entry;

	if (preload->closing || !settings_is_on(preload->settings) ||
	    settings_peek(preload->settings, &place, SETTING_PREFIX, &answer) != -EAGAIN)
		return true;
	HASH_FIND(hh, preload->entries, &guild_id, sizeof(guild_id), entry);
	if (entry && clock_monotonic_ns() - entry->begun_ns < PRELOAD_WAIT_MS * NS_PER_MS) {
		preload->waiting += !entry->waits;
		entry->waits = true;
		return false;
	}
	if (entry)
		return true; /* for that it was waited long enough */
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return true;
	*entry = (struct entry){ .guild_id = guild_id, .preload = preload, .begun_ns = clock_monotonic_ns() };
	HASH_ADD(hh, preload->entries, guild_id, sizeof(entry->guild_id), entry);
	if (begin(entry) != 0) {
		drop(entry);
		return true;
	}
	entry->waits = true;
	preload->waiting++;
	return false;
}
