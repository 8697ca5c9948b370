/* A small cache in front of one guild setting. Callers that ask while a load is under way wait for that one answer. */
#include "shard/commands/prefixes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uthash.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/guild_settings.h"
#include "shared/log/log.h"

struct waiter {
	prefixes_fn fn;
	void *arg;
	struct waiter *next;
};

struct entry {
	uint64_t guild_id;
	struct prefixes *prefixes;
	char prefix[PREFIX_SIZE];
	bool known;
	bool loading;
	uint64_t retry_ns; /* monotonic; 0: no need */
	struct waiter *waiters;
	UT_hash_handle hh;
};

struct prefixes {
	struct db *db;
	struct entry *entries;
	char fallback[PREFIX_SIZE];
};

struct store {
	struct prefixes *prefixes;
	uint64_t guild_id;
	char prefix[PREFIX_SIZE];
	prefixes_stored_fn fn;
	void *arg;
};

int prefixes_new(struct db *db, const char *fallback, struct prefixes **ret_prefixes)
{
	struct prefixes *prefixes;

	if (strlen(fallback) >= PREFIX_SIZE)
		return -EINVAL;
	prefixes = calloc(1, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	prefixes->db = db && db_is_on(db) ? db : NULL;
	strcpy(prefixes->fallback, fallback);
	*ret_prefixes = prefixes;
	return 0;
}

static void drop_entry(struct prefixes *prefixes, struct entry *entry)
{
	struct waiter *waiter;

	HASH_DEL(prefixes->entries, entry);
	while ((waiter = entry->waiters)) {
		entry->waiters = waiter->next;
		free(waiter);
	}
	free(entry);
}

struct prefixes *prefixes_free(struct prefixes *prefixes)
{
	struct entry *entry, *next;

	if (!prefixes)
		return NULL;
	HASH_ITER (hh, prefixes->entries, entry, next)
		drop_entry(prefixes, entry);
	free(prefixes);
	return NULL;
}

static struct entry *find(struct prefixes *prefixes, uint64_t guild_id)
{
	struct entry *entry;

	HASH_FIND(hh, prefixes->entries, &guild_id, sizeof(guild_id), entry);
	return entry;
}

/* One that nobody waits for makes room; uthash keeps order of insertion, so this is the oldest. */
static void make_room(struct prefixes *prefixes)
{
	struct entry *entry, *next;

	if (HASH_COUNT(prefixes->entries) < PREFIXES_MAX)
		return;
	HASH_ITER (hh, prefixes->entries, entry, next) {
		if (!entry->loading) {
			drop_entry(prefixes, entry);
			return;
		}
	}
}

static struct entry *find_or_add(struct prefixes *prefixes, uint64_t guild_id)
{
	struct entry *entry = find(prefixes, guild_id);

	if (entry)
		return entry;
	make_room(prefixes);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->guild_id = guild_id;
	entry->prefixes = prefixes;
	HASH_ADD(hh, prefixes->entries, guild_id, sizeof(guild_id), entry);
	return entry;
}

const char *prefixes_peek(struct prefixes *prefixes, uint64_t guild_id)
{
	struct entry *entry;

	if (!prefixes->db || guild_id == 0)
		return prefixes->fallback;
	entry = find(prefixes, guild_id);
	if (!entry || !entry->known || (entry->retry_ns && clock_monotonic_ns() >= entry->retry_ns))
		return NULL;
	return entry->prefix;
}

bool prefixes_is_sure(const struct prefixes *prefixes, uint64_t guild_id)
{
	const struct entry *entry;

	if (guild_id == 0)
		return true;
	HASH_FIND(hh, prefixes->entries, &guild_id, sizeof(guild_id), entry);
	return prefixes->db && entry && entry->known && !entry->retry_ns;
}

static void settle(struct entry *entry, const char *prefix, bool retry)
{
	struct waiter *waiter, *waiters = entry->waiters;
	char copy[PREFIX_SIZE];

	strcpy(entry->prefix, prefix);
	strcpy(copy, prefix);
	entry->known = true;
	entry->loading = false;
	entry->retry_ns = retry ? clock_monotonic_ns() + PREFIXES_RETRY_S * NS_PER_S : 0;
	entry->waiters = NULL;
	while ((waiter = waiters)) { /* they may change the cache: only the copy is safe */
		waiters = waiter->next;
		waiter->fn(waiter->arg, copy);
		free(waiter);
	}
}

/* A stored value that is no prefix (someone else wrote it) counts as none. */
static bool parse_value(const struct guild_setting *setting, char prefix[PREFIX_SIZE])
{
	json_t *json = json_loadb(setting->value, setting->value_len, JSON_DECODE_ANY, NULL);
	const char *text = json_string_value(json);
	bool good = text && prefixes_check(text) == NULL;

	if (good)
		strcpy(prefix, text);
	json_decref(json);
	return good;
}

static void loaded(void *arg, int error, const struct guild_setting *setting)
{
	struct entry *entry = arg;
	char prefix[PREFIX_SIZE];

	if (error == 0 && parse_value(setting, prefix))
		settle(entry, prefix, false);
	else
		settle(entry, entry->prefixes->fallback, error != 0 && error != -ENOENT);
}

int prefixes_load(struct prefixes *prefixes, uint64_t guild_id, prefixes_fn fn, void *arg)
{
	struct entry *entry = find_or_add(prefixes, guild_id);
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	int r;

	if (!entry || !waiter) {
		free(waiter);
		return -ENOMEM;
	}
	waiter->fn = fn;
	waiter->arg = arg;
	waiter->next = entry->waiters;
	entry->waiters = waiter;
	if (entry->loading)
		return 0;
	entry->loading = true;
	r = guild_setting_get(prefixes->db, guild_id, PREFIXES_SETTING, loaded, entry);
	if (r < 0) /* away or overloaded: the default stands in for a while */
		settle(entry, prefixes->fallback, true);
	return 0;
}

static void stored(void *arg, int error, const struct guild_setting *setting)
{
	struct store *store = arg;
	struct entry *entry = find(store->prefixes, store->guild_id);

	(void)setting;
	if (error == -ENOENT) /* taking back what was never set */
		error = 0;
	if (entry && !entry->loading) {
		if (error == 0)
			strcpy(entry->prefix, store->prefix);
		else /* it may or may not stand there now: read it again */
			entry->known = false;
	}
	store->fn(store->arg, error);
	free(store);
}

int prefixes_store(struct prefixes *prefixes, uint64_t guild_id, const char *prefix, uint64_t user_id,
		   prefixes_stored_fn fn, void *arg)
{
	CLEANUP(cleanup_free) struct store *store = NULL;
	CLEANUP(cleanup_free) char *value = NULL;
	json_t *json;
	int r;

	if (!prefixes->db)
		return -SHOAL_EOFFLINE;
	store = calloc(1, sizeof(*store));
	json = json_string(prefix);
	value = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	if (!store || !value)
		return -ENOMEM;
	store->prefixes = prefixes;
	store->guild_id = guild_id;
	store->fn = fn;
	store->arg = arg;
	strcpy(store->prefix, prefix[0] ? prefix : prefixes->fallback);
	if (prefix[0])
		r = guild_setting_set(prefixes->db, guild_id, PREFIXES_SETTING, value, strlen(value), user_id, stored,
				      store);
	else
		r = guild_setting_delete(prefixes->db, guild_id, PREFIXES_SETTING, user_id, stored, store);
	if (r < 0)
		return r;
	TAKE(store); /* stored() frees it */
	return 0;
}

/* What nobody sees, or what turns the text around it about: a prefix of it could not be typed again. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x0020 }, { 0x007F, 0x00A0 }, { 0x00AD, 0x00AD }, { 0x034F, 0x034F },   { 0x061C, 0x061C },
	{ 0x115F, 0x1160 }, { 0x1680, 0x1680 }, { 0x17B4, 0x17B5 }, { 0x180B, 0x180F },   { 0x2000, 0x200F },
	{ 0x2028, 0x202F }, { 0x205F, 0x206F }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 },   { 0x3164, 0x3164 },
	{ 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFC }, { 0x1D173, 0x1D17A }, { 0xE0000, 0xE0FFF },
};

static bool is_unseen(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++) {
		if (point >= unseen[i].first && point <= unseen[i].last)
			return true;
	}
	return false;
}

/* The next code point of valid UTF-8 (broken bytes count as one each, unseen), moving @text. */
static uint32_t next_point(const unsigned char **text)
{
	uint32_t c = *(*text)++;
	int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;

	if (c < 0x80)
		return c;
	if (!more)
		return 0;
	c &= 0x3FU >> more;
	for (; more > 0; more--, (*text)++) {
		if ((**text & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (**text & 0x3FU);
	}
	return c;
}

const char *prefixes_check(const char *prefix)
{
	const unsigned char *text = (const unsigned char *)prefix;
	size_t characters = 0;

	if (!*prefix)
		return "The prefix can't be empty.";
	while (*text) {
		uint32_t point = next_point(&text);

		/* A variation selector is part of many an emoji, and nothing without one. */
		if (is_unseen(point) || (characters == 0 && point >= 0xFE00 && point <= 0xFE0F))
			return "The prefix can't hold spaces, control characters or ones that can't be seen.";
		characters++;
	}
	if (characters > PREFIX_CHARACTERS_MAX || strlen(prefix) >= PREFIX_SIZE)
		return "The prefix can have 8 characters at most.";
	if (strchr(prefix, '`'))
		return "The prefix can't hold a backtick: Discord shows what stands between two of them as code.";
	if (prefix[0] == '/' || prefix[0] == '<' || prefix[0] == '@' || prefix[0] == '#')
		return "The prefix can't begin with `/`, `<`, `@` or `#`: Discord uses those itself.";
	return NULL;
}

const char *prefixes_fallback(const struct prefixes *prefixes)
{
	return prefixes->fallback;
}

static size_t longest_run(const char *text, char of)
{
	size_t longest = 0, run = 0;

	for (; *text; text++) {
		run = *text == of ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

const char *prefixes_shown(const char *prefix, const char *word, char text[PREFIXES_SHOWN_SIZE])
{
	static const char fence[] = "`````````````````";
	size_t ticks = longest_run(prefix, '`') + 1;
	const char *space = ticks > 1 ? " " : "";

	if (ticks >= sizeof(fence))
		ticks = sizeof(fence) - 1;
	snprintf(text, PREFIXES_SHOWN_SIZE, "%.*s%s%s%s%s%.*s", (int)ticks, fence, space, prefix, word, space,
		 (int)ticks, fence);
	return text;
}
