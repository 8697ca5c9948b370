/* What the guild cache costs: microseconds a GUILD_CREATE beside the envelope that reads it anyway, a role change and a
 * view; bytes a record and on disk. 20 channels, 10 roles, 40 overwrites, at least 8 KB of JSON. One core, CPU time;
 * the files lie on tmpfs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "shard/cache/cache.h"
#include "tests/unit/guild_text.h"
#include "tests/unit/tmpdir.h"

#define GUILDS 1000
#define ROUNDS 5
#define COMMIT 30 /* what a pass takes */
#define BOT    UINT64_C(1348207187591299079)

static struct {
	char *bytes;
	size_t len;
} texts[GUILDS];

static uint64_t id_of(size_t i)
{
	return (uint64_t)(i * 7919 % 1009) << 40 | (uint64_t)(i + 1) << 22;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void scan(size_t i, struct envelope *envelope)
{
	if (envelope_scan(texts[i].bytes, texts[i].len, envelope) != ENVELOPE_OK)
		abort();
}

static void apply(struct cache *cache, const struct envelope *envelope, size_t i)
{
	struct cache_outcome outcome;

	if (cache_apply(cache, envelope, &outcome) < 0 || outcome.error < 0)
		abort();
	if (i % COMMIT == COMMIT - 1 && cache_commit(cache, i) < 0)
		abort();
}

static double time_scan(struct cache *cache)
{
	struct envelope envelope;
	double start = now_us();

	(void)cache;
	for (size_t i = 0; i < GUILDS; i++)
		scan(i, &envelope);
	return (now_us() - start) / GUILDS;
}

static double time_create(struct cache *cache)
{
	struct envelope envelope;
	double start = now_us();

	for (size_t i = 0; i < GUILDS; i++) {
		scan(i, &envelope);
		apply(cache, &envelope, i);
	}
	return (now_us() - start) / GUILDS;
}

static double time_role(struct cache *cache)
{
	char d[256];
	double start = now_us();

	for (size_t i = 0; i < GUILDS; i++) {
		struct envelope envelope = { .type = SHOAL_EVENT_GUILD_ROLE_UPDATE, .guild_id = id_of(i) };
		int len = snprintf(d, sizeof(d),
				   "{\"guild_id\":\"%" PRIu64 "\",\"role\":{\"id\":\"%" PRIu64
				   "\",\"name\":\"changed\",\"permissions\":\"8\",\"position\":3}}",
				   id_of(i), id_of(i) + 3);

		envelope.d = (struct shoal_str){ d, (uint32_t)len };
		apply(cache, &envelope, i);
	}
	return (now_us() - start) / GUILDS;
}

static double time_view(struct cache *cache)
{
	double start = now_us();

	for (size_t i = 0; i < GUILDS; i++) {
		if (!cache_guild(cache, id_of(i)))
			abort();
		cache_turn(cache);
	}
	return (now_us() - start) / GUILDS;
}

static const struct {
	const char *name;
	double (*run)(struct cache *cache);
} steps[] = {
	{ "envelope of a GUILD_CREATE, alone", time_scan },
	{ "envelope, applied, committed", time_create },
	{ "GUILD_ROLE_UPDATE, committed", time_role },
	{ "a view", time_view },
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

int main(void)
{
	static char text[GUILD_TEXT_SIZE];
	struct cache_options options = { 0 };
	char dir[TMPDIR_SIZE], path[128];
	double best[STEP_COUNT], us;
	struct cache_found found;
	struct cache *cache;
	struct stat st;

	for (size_t i = 0; i < GUILDS; i++) {
		texts[i].len = guild_text_make(text, id_of(i), i + 1, BOT);
		texts[i].bytes = malloc(texts[i].len);
		if (!texts[i].bytes)
			abort();
		memcpy(texts[i].bytes, text, texts[i].len);
	}
	options.runtime_dir = tmpdir_make(dir);
	if (cache_open(&options, &found, &cache) < 0 || found.error < 0)
		abort();
	cache_set_self(cache, BOT);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < STEP_COUNT; i++) {
			us = steps[i].run(cache);
			if (round == 0 || us < best[i])
				best[i] = us;
		}
	if (cache_commit(cache, GUILDS) < 0)
		abort();
	snprintf(path, sizeof(path), "%s/cache-0-0/data.mdb", dir);
	if (stat(path, &st) < 0)
		abort();
	printf("%d guilds of %zu bytes of JSON, commits of %d, CPU time, best of %d rounds\n", GUILDS, texts[0].len,
	       COMMIT, ROUNDS);
	for (size_t i = 0; i < STEP_COUNT; i++)
		printf("%-36s %8.1f us\n", steps[i].name, best[i]);
	printf("%-36s %8ld bytes a guild\n", "on disk, all rounds done", (long)(st.st_blocks * 512 / GUILDS));
	cache_close(cache);
	tmpdir_remove(dir);
	for (size_t i = 0; i < GUILDS; i++)
		free(texts[i].bytes);
	return 0;
}
