/* The guild cache: each rule of merging, what survives a kill, what becomes of damaged files, how large it is. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shard/cache/cache.h"
#include "shard/cache/record.h"
#include "tests/unit/guild_text.h"
#include "tests/unit/stepping.h"
#include "tests/unit/tmpdir.h"

#define BOT   UINT64_C(1348207187591299079)
#define GUILD UINT64_C(584675118589018112)

static char dir[TMPDIR_SIZE];

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static struct cache *open_found(struct cache_found *ret_found)
{
	struct cache_options options = { .runtime_dir = dir, .generation = 1, .shard_id = 7 };
	struct cache *cache = NULL;

	assert_int_equal(cache_open(&options, ret_found, &cache), 0);
	cache_set_self(cache, BOT);
	return cache;
}

static struct cache *open_cache(bool expect_fresh)
{
	struct cache_found found;
	struct cache *cache = open_found(&found);

	assert_int_equal(found.fresh, expect_fresh);
	assert_int_equal(found.error, 0);
	return cache;
}

static struct cache_outcome apply_text(struct cache *cache, const char *text, size_t len)
{
	struct cache_outcome outcome = { 0 };
	struct envelope envelope;

	assert_int_equal(envelope_scan(text, len, &envelope), ENVELOPE_OK);
	assert_true(cache_wants(envelope.type));
	assert_int_equal(cache_apply(cache, &envelope, &outcome), 0);
	assert_int_equal(outcome.error, 0);
	return outcome;
}

/* ' stands for ". */
static enum cache_change apply(struct cache *cache, const char *type, const char *format, ...)
{
	char d[4096], text[8192], *p;
	va_list args;
	int len;

	va_start(args, format);
	vsnprintf(d, sizeof(d), format, args);
	va_end(args);
	for (p = d; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	len = snprintf(text, sizeof(text), "{\"t\":\"%s\",\"s\":1,\"op\":0,\"d\":%s}", type, d);
	return apply_text(cache, text, (size_t)len).change;
}

static enum cache_change create_guild(struct cache *cache, uint64_t id)
{
	static char text[GUILD_TEXT_SIZE];

	return apply_text(cache, text, guild_text_make(text, id, 1, BOT)).change;
}

static struct cache *open_with_guild(void)
{
	struct cache *cache = open_cache(true);

	assert_int_equal(create_guild(cache, GUILD), CACHE_JOINED);
	return cache;
}

static const struct shoal_guild_view *view(struct cache *cache)
{
	const struct shoal_guild_view *guild;

	cache_turn(cache);
	guild = cache_guild(cache, GUILD);
	assert_non_null(guild);
	return guild;
}

static const struct shoal_role_view *role(struct cache *cache, uint64_t id)
{
	const struct shoal_guild_view *guild = view(cache);
	uint32_t i;

	for (i = 0; i < guild->role_count; i++) {
		if (guild->roles[i].id == id)
			return &guild->roles[i];
	}
	return NULL;
}

static const struct shoal_channel_view *channel(struct cache *cache, uint64_t id)
{
	const struct shoal_guild_view *guild = view(cache);
	uint32_t i;

	for (i = 0; i < guild->channel_count; i++) {
		if (guild->channels[i].id == id)
			return &guild->channels[i];
	}
	return NULL;
}

static const struct shoal_thread_view *thread(struct cache *cache, uint64_t id)
{
	const struct shoal_guild_view *guild = view(cache);
	uint32_t i;

	for (i = 0; i < guild->thread_count; i++) {
		if (guild->threads[i].id == id)
			return &guild->threads[i];
	}
	return NULL;
}

/* --- guilds
 * ----------------------------------------------------------------------------------------------------------- */

static void ready_list_is_counted_down(void **state)
{
	struct cache *cache = open_cache(true);

	(void)state;
	assert_int_equal(apply(cache, "READY",
			       "{'v':10,'user':{'id':'%" PRIu64 "'},'session_id':'s','guilds':[{'id':'1'},{'id':'2'},"
			       "{'id':'2','unavailable':true},{'id':'3'}]}",
			       BOT),
			 CACHE_READY);
	assert_int_equal(cache_expected(cache), 3);
	assert_int_equal(create_guild(cache, 1), CACHE_AVAILABLE);
	assert_int_equal(create_guild(cache, 1), CACHE_NOTHING);
	assert_int_equal(apply(cache, "GUILD_CREATE", "{'id':'2','unavailable':true}"), CACHE_OUTAGE);
	assert_int_equal(apply(cache, "GUILD_DELETE", "{'id':'3','unavailable':true}"), CACHE_OUTAGE);
	assert_int_equal(cache_expected(cache), 0);
	assert_int_equal(cache_unavailable(cache), 2);
	assert_int_equal(create_guild(cache, 3), CACHE_AVAILABLE);
	assert_int_equal(create_guild(cache, 4), CACHE_JOINED);
	assert_int_equal(cache_count(cache), 4);
	assert_int_equal(apply(cache, "GUILD_DELETE", "{'id':'4'}"), CACHE_REMOVED);
	assert_int_equal(apply(cache, "GUILD_DELETE", "{'id':'99'}"), CACHE_NOTHING);
	assert_int_equal(cache_count(cache), 3);
	cache_close(cache);
}

static void a_new_list_drops_what_it_does_not_name(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	assert_int_equal(create_guild(cache, GUILD + (1 << 22)), CACHE_JOINED);
	apply(cache, "READY", "{'user':{'id':'%" PRIu64 "'},'guilds':[{'id':'%" PRIu64 "'}]}", BOT, GUILD);
	assert_int_equal(cache_count(cache), 1);
	assert_int_equal(cache_expected(cache), 1);
	assert_true(shoal_str_is(view(cache)->name, "The Lantern Harbour 112"));
	assert_null(cache_guild(cache, GUILD + (1 << 22)));
	cache_close(cache);
}

static void all_that_is_kept_is_there(void **state)
{
	struct cache *cache = open_with_guild();
	const struct shoal_guild_view *guild = view(cache);
	const struct shoal_channel_view *third;

	(void)state;
	assert_int_equal(guild->id, GUILD);
	assert_int_equal(guild->owner_id, GUILD + 7777);
	assert_true(shoal_str_is(guild->name, "The Lantern Harbour 112"));
	assert_true(shoal_str_is(guild->locale, "en-US"));
	assert_int_equal(guild->member_count, 1234);
	assert_false(guild->unavailable);
	assert_int_equal(guild->mfa_level, 1);
	assert_int_equal(guild->verification_level, 2);
	assert_int_equal(guild->premium_tier, 1);
	assert_int_equal(guild->features, 1 << SHOAL_FEATURE_COMMUNITY | 1 << SHOAL_FEATURE_NEWS);
	assert_int_equal(guild->system_channel_id, GUILD + 100);
	assert_int_equal(guild->role_count, GUILD_TEXT_ROLES);
	assert_int_equal(guild->channel_count, GUILD_TEXT_CHANNELS);
	assert_int_equal(guild->thread_count, 0);
	assert_int_equal(guild->own_role_count, 1);
	assert_int_equal(guild->own_roles[0], GUILD + 3);
	assert_int_equal(guild->roles[0].id, GUILD);
	assert_int_equal(guild->roles[0].permissions, UINT64_C(2248473465835073));
	assert_int_equal(guild->roles[9].position, 9);
	assert_int_equal(guild->roles[9].flags, SHOAL_ROLE_HOIST);
	third = &guild->channels[2];
	assert_int_equal(third->id, GUILD + 102);
	assert_int_equal(third->parent_id, GUILD + 101);
	assert_int_equal(guild->channels[1].type, SHOAL_CHANNEL_CATEGORY);
	assert_int_equal(guild->channels[1].parent_id, 0);
	assert_true(shoal_str_is(third->name, "channel-number-2"));
	assert_int_equal(third->overwrite_count, 2);
	assert_int_equal(third->overwrites[0].id, GUILD);
	assert_int_equal(third->overwrites[0].deny, 1024);
	assert_int_equal(third->overwrites[1].id, GUILD + 3);
	assert_int_equal(third->overwrites[1].allow, 68608);
	cache_close(cache);
}

static void an_outage_keeps_and_a_removal_purges(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	assert_int_equal(apply(cache, "GUILD_DELETE", "{'id':'%" PRIu64 "','unavailable':true}", GUILD), CACHE_OUTAGE);
	assert_true(view(cache)->unavailable);
	assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES);
	assert_int_equal(create_guild(cache, GUILD), CACHE_AVAILABLE);
	assert_false(view(cache)->unavailable);
	assert_int_equal(apply(cache, "GUILD_DELETE", "{'id':'%" PRIu64 "','unavailable':false}", GUILD),
			 CACHE_REMOVED);
	cache_turn(cache);
	assert_null(cache_guild(cache, GUILD));
	assert_int_equal(cache_missing(cache), 0);
	cache_close(cache);
}

static void an_update_merges(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	apply(cache, "GUILD_UPDATE",
	      "{'id':'%" PRIu64 "','name':'new','owner_id':'5','features':[],'system_channel_id':null,'roles':["
	      "{'id':'%" PRIu64 "','name':'@everyone','permissions':'8','position':0}]}",
	      GUILD, GUILD);
	assert_true(shoal_str_is(view(cache)->name, "new"));
	assert_int_equal(view(cache)->owner_id, 5);
	assert_int_equal(view(cache)->features, 0);
	assert_int_equal(view(cache)->system_channel_id, 0);
	assert_int_equal(view(cache)->role_count, 1);
	/* what it does not have stays */
	assert_int_equal(view(cache)->channel_count, GUILD_TEXT_CHANNELS);
	assert_int_equal(view(cache)->member_count, 1234);
	assert_int_equal(view(cache)->mfa_level, 1);
	assert_true(shoal_str_is(view(cache)->locale, "en-US"));
	assert_int_equal(view(cache)->own_role_count, 1);
	/* of a guild that we are not in */
	apply(cache, "GUILD_UPDATE", "{'id':'12345','name':'x'}");
	assert_null(cache_guild(cache, 12345));
	assert_int_equal(cache_count(cache), 1);
	cache_close(cache);
}

/* --- what belongs to a guild
 * ------------------------------------------------------------------------------------------ */

static void roles_come_change_and_go(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	apply(cache, "GUILD_ROLE_CREATE",
	      "{'guild_id':'%" PRIu64 "','role':{'id':'77','name':'made','permissions':'9223372036854775808',"
	      "'position':-3,'mentionable':true}}",
	      GUILD);
	assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES + 1);
	assert_int_equal(role(cache, 77)->permissions, UINT64_C(1) << 63);
	assert_int_equal(role(cache, 77)->position, -3);
	assert_int_equal(role(cache, 77)->flags, SHOAL_ROLE_MENTIONABLE);
	apply(cache, "GUILD_ROLE_UPDATE",
	      "{'guild_id':'%" PRIu64 "','role':{'id':'77','name':'renamed','permissions':'0','position':4}}", GUILD);
	assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES + 1);
	assert_true(shoal_str_is(role(cache, 77)->name, "renamed"));
	assert_int_equal(role(cache, 77)->permissions, 0);
	/* deleted: from the bot and from overwrites too */
	assert_int_equal(channel(cache, GUILD + 102)->overwrite_count, 2);
	apply(cache, "GUILD_ROLE_DELETE", "{'guild_id':'%" PRIu64 "','role_id':'%" PRIu64 "'}", GUILD, GUILD + 3);
	assert_null(role(cache, GUILD + 3));
	assert_int_equal(channel(cache, GUILD + 102)->overwrite_count, 1);
	assert_int_equal(channel(cache, GUILD + 103)->overwrite_count, 2);
	assert_int_equal(view(cache)->own_role_count, 0);
	assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES);
	cache_close(cache);
}

static void channels_come_change_and_go(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	apply(cache, "CHANNEL_CREATE",
	      "{'guild_id':'%" PRIu64 "','id':'88','type':15,'name':'forum','position':3,'nsfw':true,"
	      "'parent_id':'%" PRIu64 "','permission_overwrites':[{'id':'5','type':1,'allow':'1','deny':'2'}]}",
	      GUILD, GUILD + 101);
	assert_int_equal(view(cache)->channel_count, GUILD_TEXT_CHANNELS + 1);
	assert_int_equal(channel(cache, 88)->flags, SHOAL_CHANNEL_NSFW);
	assert_true(channel(cache, 88)->overwrites[0].member);
	/* may name a role that is gone, with bits that a double would lose; without a name it keeps its own */
	apply(cache, "CHANNEL_UPDATE",
	      "{'guild_id':'%" PRIu64 "','id':'88','type':15,'parent_id':null,'permission_overwrites':["
	      "{'id':'999','type':0,'allow':'9007199254740993','deny':'0'},{'id':'0','type':0},"
	      "{'id':'6','type':7,'allow':'1'}]}",
	      GUILD);
	assert_int_equal(channel(cache, 88)->parent_id, 0);
	assert_int_equal(channel(cache, 88)->overwrite_count, 1);
	assert_int_equal(channel(cache, 88)->overwrites[0].id, 999);
	assert_int_equal(channel(cache, 88)->overwrites[0].allow, UINT64_C(9007199254740993));
	assert_true(shoal_str_is(channel(cache, 88)->name, "forum"));
	apply(cache, "THREAD_CREATE", "{'guild_id':'%" PRIu64 "','id':'90','type':11,'parent_id':'88'}", GUILD);
	assert_non_null(thread(cache, 90));
	apply(cache, "CHANNEL_DELETE", "{'guild_id':'%" PRIu64 "','id':'88','type':15}", GUILD);
	assert_null(channel(cache, 88));
	assert_null(thread(cache, 90));
	/* a category leaves its channels behind */
	apply(cache, "CHANNEL_DELETE", "{'guild_id':'%" PRIu64 "','id':'%" PRIu64 "','type':4}", GUILD, GUILD + 101);
	assert_int_equal(channel(cache, GUILD + 102)->parent_id, 0);
	assert_int_equal(view(cache)->channel_count, GUILD_TEXT_CHANNELS - 1);
	cache_close(cache);
}

static void threads_follow_their_events(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	apply(cache, "THREAD_CREATE",
	      "{'guild_id':'%" PRIu64 "','id':'90','type':12,'parent_id':'%" PRIu64 "','member':{'user_id':'%" PRIu64
	      "'},'thread_metadata':{'archived':false,'locked':true}}",
	      GUILD, GUILD + 100, BOT);
	assert_int_equal(thread(cache, 90)->flags, SHOAL_THREAD_JOINED | SHOAL_THREAD_LOCKED);
	assert_int_equal(thread(cache, 90)->parent_id, GUILD + 100);
	apply(cache, "THREAD_UPDATE",
	      "{'guild_id':'%" PRIu64 "','id':'90','type':12,'thread_metadata':{'locked':false}}", GUILD);
	assert_int_equal(thread(cache, 90)->flags, SHOAL_THREAD_JOINED);
	apply(cache, "THREAD_MEMBERS_UPDATE",
	      "{'guild_id':'%" PRIu64 "','id':'90','removed_member_ids':['%" PRIu64 "']}", GUILD, BOT);
	assert_int_equal(thread(cache, 90)->flags, 0);
	apply(cache, "THREAD_MEMBERS_UPDATE", "{'guild_id':'%" PRIu64 "','id':'90','added_members':[{'user_id':'5'}]}",
	      GUILD);
	assert_int_equal(thread(cache, 90)->flags, 0);
	apply(cache, "THREAD_MEMBER_UPDATE", "{'guild_id':'%" PRIu64 "','id':'90','user_id':'%" PRIu64 "'}", GUILD,
	      BOT);
	assert_int_equal(thread(cache, 90)->flags, SHOAL_THREAD_JOINED);
	/* the list is for the channels that it names */
	apply(cache, "THREAD_CREATE", "{'guild_id':'%" PRIu64 "','id':'91','type':11,'parent_id':'%" PRIu64 "'}", GUILD,
	      GUILD + 102);
	apply(cache, "THREAD_LIST_SYNC",
	      "{'guild_id':'%" PRIu64 "','channel_ids':['%" PRIu64
	      "'],'threads':[{'id':'92','type':11,'parent_id':'%" PRIu64 "'}],'members':[{'id':'92','user_id':'%" PRIu64
	      "'}]}",
	      GUILD, GUILD + 100, GUILD + 100, BOT);
	assert_null(thread(cache, 90));
	assert_non_null(thread(cache, 91));
	assert_int_equal(thread(cache, 92)->flags, SHOAL_THREAD_JOINED);
	/* and for all when it names none */
	apply(cache, "THREAD_LIST_SYNC", "{'guild_id':'%" PRIu64 "','threads':[],'members':[]}", GUILD);
	assert_int_equal(view(cache)->thread_count, 0);
	apply(cache, "THREAD_CREATE", "{'guild_id':'%" PRIu64 "','id':'93','type':11,'parent_id':'1'}", GUILD);
	apply(cache, "THREAD_UPDATE", "{'guild_id':'%" PRIu64 "','id':'93','thread_metadata':{'archived':true}}",
	      GUILD);
	assert_null(thread(cache, 93));
	apply(cache, "THREAD_CREATE", "{'guild_id':'%" PRIu64 "','id':'94','type':11,'parent_id':'1'}", GUILD);
	apply(cache, "THREAD_DELETE", "{'guild_id':'%" PRIu64 "','id':'94','parent_id':'1','type':11}", GUILD);
	assert_null(thread(cache, 94));
	cache_close(cache);
}

static void members_are_counted_and_only_the_bot_is_kept(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	apply(cache, "GUILD_MEMBER_ADD", "{'guild_id':'%" PRIu64 "','user':{'id':'5'},'roles':[]}", GUILD);
	apply(cache, "GUILD_MEMBER_ADD", "{'guild_id':'%" PRIu64 "','user':{'id':'6'},'roles':[]}", GUILD);
	apply(cache, "GUILD_MEMBER_REMOVE", "{'guild_id':'%" PRIu64 "','user':{'id':'5'}}", GUILD);
	assert_int_equal(view(cache)->member_count, 1235);
	apply(cache, "GUILD_MEMBER_UPDATE", "{'guild_id':'%" PRIu64 "','user':{'id':'5'},'roles':['1','2']}", GUILD);
	assert_int_equal(view(cache)->own_role_count, 1);
	apply(cache, "GUILD_MEMBER_UPDATE",
	      "{'guild_id':'%" PRIu64 "','user':{'id':'%" PRIu64 "'},'roles':['1','%" PRIu64
	      "'],'communication_disabled_until':'2026-08-04T16:20:01.123000+00:00'}",
	      GUILD, BOT, GUILD + 2);
	assert_int_equal(view(cache)->own_role_count, 2);
	assert_int_equal(view(cache)->own_roles[0], 1);
	assert_int_equal(view(cache)->own_roles[1], GUILD + 2);
	assert_int_equal(view(cache)->own_timeout_ms, INT64_C(1785860401123));
	/* a sparse one: what it leaves out stays, null ends the time-out */
	apply(cache, "GUILD_MEMBER_UPDATE", "{'guild_id':'%" PRIu64 "','user':{'id':'%" PRIu64 "'},'roles':[]}", GUILD,
	      BOT);
	assert_int_equal(view(cache)->own_timeout_ms, INT64_C(1785860401123));
	apply(cache, "GUILD_MEMBER_UPDATE",
	      "{'guild_id':'%" PRIu64 "','user':{'id':'%" PRIu64 "'},'communication_disabled_until':null}", GUILD, BOT);
	assert_int_equal(view(cache)->own_timeout_ms, 0);
	assert_int_equal(view(cache)->own_role_count, 0);
	cache_close(cache);
}

static void a_view_outlives_what_is_written(void **state)
{
	struct cache *cache = open_with_guild();
	const struct shoal_guild_view *before = view(cache), *after;

	(void)state;
	apply(cache, "GUILD_UPDATE", "{'id':'%" PRIu64 "','name':'new'}", GUILD);
	after = cache_guild(cache, GUILD);
	assert_true(shoal_str_is(before->name, "The Lantern Harbour 112"));
	assert_true(shoal_str_is(after->name, "new"));
	assert_ptr_equal(cache_guild(cache, GUILD), after);
	cache_close(cache);
}

static void malformed_events_change_nothing(void **state)
{
	static const char *const texts[] = {
		"{\"t\":\"GUILD_CREATE\",\"s\":1,\"op\":0,\"d\":{}}",
		"{\"t\":\"GUILD_CREATE\",\"s\":1,\"op\":0}",
		"{\"t\":\"GUILD_CREATE\",\"s\":1,\"op\":0,\"d\":[]}",
		"{\"t\":\"READY\",\"s\":1,\"op\":0,\"d\":{\"guilds\":[]}}",
		"{\"t\":\"CHANNEL_UPDATE\",\"s\":1,\"op\":0,\"d\":{\"guild_id\":\"584675118589018112\"}}",
	};
	struct cache *cache = open_with_guild();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cache_outcome outcome;
		struct envelope envelope;

		assert_int_equal(envelope_scan(texts[i], strlen(texts[i]), &envelope), ENVELOPE_OK);
		assert_true(cache_apply(cache, &envelope, &outcome) < 0);
	}
	assert_int_equal(cache_count(cache), 1);
	assert_int_equal(view(cache)->channel_count, GUILD_TEXT_CHANNELS);
	cache_close(cache);
}

/* --- records
 * ---------------------------------------------------------------------------------------------------------- */

static void a_record_is_small_and_comes_back(void **state)
{
	struct cache *cache = open_with_guild();
	struct shoal_guild_view *again;
	struct arena arena;
	struct buf first, second;

	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&first, RECORD_BYTES_MAX);
	buf_init(&second, RECORD_BYTES_MAX);
	assert_int_equal(record_encode(view(cache), &arena, &first), 0);
	print_message("20 channels, 10 roles, 40 overwrites: %zu bytes a record\n", first.len);
	assert_true(first.len <= 2000);
	assert_int_equal(record_decode(first.data, first.len, GUILD, &arena, &again), 0);
	assert_int_equal(record_encode(again, &arena, &second), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	buf_finish(&first);
	buf_finish(&second);
	arena_finish(&arena);
	cache_close(cache);
}

/* Cut at every byte and with every byte changed it is refused or read as something, never past its end. */
static void hostile_records_are_survived(void **state)
{
	struct cache *cache = open_with_guild();
	struct shoal_guild_view *again;
	struct arena arena;
	struct buf record;
	size_t i;
	int bit;

	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&record, RECORD_BYTES_MAX);
	assert_int_equal(record_encode(view(cache), &arena, &record), 0);
	for (i = 0; i < record.len; i++) {
		char *copy = malloc(i + 1); /* the sanitizer sees the end */

		memcpy(copy, record.data, i);
		arena_reset(&arena);
		assert_true(record_decode(copy, i, GUILD, &arena, &again) < 0);
		free(copy);
	}
	for (i = 0; i < record.len; i++) {
		for (bit = 0; bit < 8; bit++) {
			char *copy = malloc(record.len);

			memcpy(copy, record.data, record.len);
			copy[i] = (char)(copy[i] ^ 1 << bit);
			arena_reset(&arena);
			(void)record_decode(copy, record.len, GUILD, &arena, &again);
			free(copy);
		}
	}
	buf_finish(&record);
	arena_finish(&arena);
	cache_close(cache);
}

static long file_blocks_bytes(void)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/cache-1-7/data.mdb", dir);
	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_blocks * 512;
}

static void a_thousand_guilds_fit(void **state)
{
	struct cache *cache = open_cache(true);
	uint64_t i;

	(void)state;
	for (i = 1; i <= 1000; i++) {
		/* as their ids come: in no order */
		assert_int_equal(create_guild(cache, (i * 7919 % 1009) << 40 | i << 22), CACHE_JOINED);
		if (i % 64 == 0)
			assert_int_equal(cache_commit(cache, i), 0);
	}
	assert_int_equal(cache_commit(cache, i), 0);
	print_message("1000 guilds: %ld bytes on disk each\n", file_blocks_bytes() / 1000);
	assert_true(file_blocks_bytes() / 1000 <= 3 * 1024);
	cache_close(cache);
}

/* --- what outlives the worker
 * ----------------------------------------------------------------------------------------- */

static void what_is_committed_survives(void **state)
{
	struct cache *cache = open_with_guild();

	(void)state;
	assert_int_equal(cache_commit(cache, 42), 0);
	apply(cache, "GUILD_UPDATE", "{'id':'%" PRIu64 "','name':'not committed'}", GUILD);
	cache_close(cache);
	cache = open_cache(false);
	assert_int_equal(cache_applied(cache), 42);
	assert_int_equal(cache_count(cache), 1);
	assert_true(shoal_str_is(view(cache)->name, "The Lantern Harbour 112"));
	/* an inbox that began anew */
	assert_int_equal(cache_commit(cache, 3), 0);
	cache_close(cache);
	cache = open_cache(false);
	assert_int_equal(cache_applied(cache), 3);
	cache_close(cache);
}

static void whole_records(struct cache *cache, struct buf *out)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	buf_init(out, RECORD_BYTES_MAX);
	assert_int_equal(record_encode(view(cache), &arena, out), 0);
	arena_finish(&arena);
}

/* A successor applies again what was applied but not committed: the same bytes come out. */
static void applied_twice_is_the_same(void **state)
{
	static const struct {
		const char *type, *d;
	} events[] = {
		{ "GUILD_ROLE_CREATE",
		  "{'guild_id':'%" PRIu64 "','role':{'id':'77','name':'made','permissions':'8'}}" },
		{ "CHANNEL_CREATE", "{'guild_id':'%" PRIu64 "','id':'88','type':0,'permission_overwrites':[]}" },
		{ "THREAD_CREATE", "{'guild_id':'%" PRIu64 "','id':'90','type':11,'parent_id':'88'}" },
		{ "GUILD_ROLE_DELETE", "{'guild_id':'%" PRIu64 "','role_id':'584675118589018115'}" },
		{ "GUILD_UPDATE", "{'id':'%" PRIu64 "','name':'new'}" },
		{ "CHANNEL_DELETE", "{'guild_id':'%" PRIu64 "','id':'584675118589018213','type':4}" },
	};
	struct cache *cache = open_with_guild();
	struct buf once, twice;
	size_t i, round;

	(void)state;
	assert_int_equal(cache_commit(cache, 1), 0);
	for (round = 0; round < 2; round++) {
		/* a crash between the two: nothing of the first round is left */
		for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
			apply(cache, events[i].type, events[i].d, GUILD);
		apply(cache, "GUILD_MEMBER_ADD", "{'guild_id':'%" PRIu64 "','user':{'id':'5'}}", GUILD);
		assert_int_equal(view(cache)->member_count, 1235);
		whole_records(cache, round ? &twice : &once);
		if (round == 0) {
			cache_close(cache);
			cache = open_cache(false);
			assert_int_equal(cache_applied(cache), 1);
		}
	}
	assert_int_equal(once.len, twice.len);
	assert_memory_equal(once.data, twice.data, once.len);
	buf_finish(&once);
	buf_finish(&twice);
	cache_close(cache);
}

/* Event n of the writer below: guild n % 20 gets member and role n. */
static void write_event(struct cache *cache, uint64_t n)
{
	uint64_t guild_id = (n % 20 + 1) << 22;

	apply(cache, "GUILD_ROLE_UPDATE",
	      "{'guild_id':'%" PRIu64 "','role':{'id':'77','name':'at %" PRIu64 "','permissions':'%" PRIu64 "'}}",
	      guild_id, n, n);
	apply(cache, "GUILD_MEMBER_ADD", "{'guild_id':'%" PRIu64 "','user':{'id':'5'}}", guild_id);
}

static void write_until_killed(uint64_t n)
{
	struct cache *cache = open_cache(n == 0);
	uint64_t i;

	if (n == 0) {
		for (i = 1; i <= 20; i++)
			create_guild(cache, i << 22);
	}
	for (;; n++) {
		write_event(cache, n);
		if (n % 3 == 0 && cache_commit(cache, n + 1) < 0)
			_exit(3);
	}
}

static void check_written(struct cache *cache, uint64_t applied)
{
	uint64_t guild, last, events;
	const struct shoal_guild_view *guild_view;

	assert_int_equal(cache_count(cache), 20);
	cache_turn(cache);
	for (guild = 0; guild < 20; guild++) {
		guild_view = cache_guild(cache, (guild + 1) << 22);
		assert_non_null(guild_view);
		events = applied > guild ? (applied - guild - 1) / 20 + 1 : 0;
		assert_int_equal(guild_view->member_count, 1234 + events);
		if (events == 0)
			continue;
		last = (events - 1) * 20 + guild;
		assert_int_equal(guild_view->role_count, GUILD_TEXT_ROLES + 1);
		assert_int_equal(guild_view->roles[GUILD_TEXT_ROLES].permissions, last);
	}
}

static void write_stepped(void *arg)
{
	write_until_killed(*(const uint64_t *)arg);
}

/* The same, killed at each system call of opening and of the commits behind it in turn, and at many instructions. */
static void survives_kills_at_every_system_call(void **state)
{
	uint64_t applied, first;
	const struct stepping what = { .fn = write_stepped, .arg = &applied };
	struct cache *cache = open_cache(true);
	uint64_t i;

	(void)state;
	for (i = 1; i <= 20; i++)
		create_guild(cache, i << 22);
	write_event(cache, 0);
	assert_int_equal(cache_commit(cache, 1), 0);
	cache_close(cache);
	first = applied = 1;
	for (uint64_t nth = 1; nth <= 260; nth++) {
		/* Instructions: far fewer kills, over opening and the first commits. */
		bool one = nth % 8 == 0;

		assert_true(stepping_kill(&what, one ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, one ? nth * 97 : nth));
		cache = open_cache(false);
		assert_true(cache_applied(cache) >= applied);
		applied = cache_applied(cache);
		check_written(cache, applied);
		cache_close(cache);
	}
	print_message("%" PRIu64 " events over 260 kills\n", applied - first);
	assert_true(applied > first + 60);
}

/* Killed with writes under way, it is readable and says exactly what its applied position says. */
static void survives_kills(void **state)
{
	uint64_t applied = 0;
	int round;

	(void)state;
	srand(1);
	for (round = 0; round < 60; round++) {
		struct timespec wait = { 0, 500000 + rand() % 8000000 };
		struct cache *cache;
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			write_until_killed(applied);
		nanosleep(&wait, NULL); /* the moment of the kill is what is random here */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (applied == 0 && access(dir, F_OK) == 0) {
			struct cache_found found;

			cache = open_found(&found);
			applied = cache_applied(cache);
			if (applied == 0) { /* not even the first commit */
				cache_close(cache);
				tmpdir_remove(dir);
				assert_int_equal(mkdir(dir, 0700), 0);
				continue;
			}
		} else {
			cache = open_cache(false);
			assert_true(cache_applied(cache) >= applied);
			applied = cache_applied(cache);
		}
		check_written(cache, applied);
		cache_close(cache);
	}
	print_message("%" PRIu64 " events over 60 kills\n", applied);
	assert_true(applied > 60);
}

/* --- damage
 * ----------------------------------------------------------------------------------------------------------- */

static void damage_is_detected(void **state)
{
	static const off_t sizes[] = { 1, 4096, 8191, 8192, 12288, 65536, 65536 * 3 };
	char path[128];
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/cache-1-7/data.mdb", dir);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cache_found found;
		struct cache *cache = open_found(&found);
		uint64_t id;

		for (id = 1; id <= 300; id++)
			create_guild(cache, id << 22);
		assert_int_equal(cache_commit(cache, 1), 0);
		cache_close(cache);
		assert_int_equal(truncate(path, sizes[i]), 0);
		cache = open_found(&found);
		assert_true(found.fresh);
		assert_true(found.damaged);
		assert_int_equal(cache_count(cache), 0);
		assert_int_equal(cache_applied(cache), 0);
		assert_int_equal(cache_dropped(cache), 1);
		create_guild(cache, GUILD);
		assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES);
		cache_close(cache);
		tmpdir_remove(dir);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
}

static void foreign_bytes_are_not_read(void **state)
{
	char path[128], junk[16384];
	struct cache_found found;
	int fd;

	(void)state;
	cache_close(open_cache(true));
	memset(junk, 0xA5, sizeof(junk));
	snprintf(path, sizeof(path), "%s/cache-1-7/data.mdb", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	cache_close(open_found(&found));
	assert_true(found.fresh);
	assert_true(found.damaged);
}

/* The last worker died of the file: it is not even opened. */
static void thrown_away_when_told(void **state)
{
	struct cache_options options = { .runtime_dir = dir, .generation = 1, .shard_id = 7, .anew = true };
	struct cache_found found;
	struct cache *cache = open_with_guild();

	(void)state;
	assert_int_equal(cache_commit(cache, 9), 0);
	cache_close(cache);
	assert_int_equal(cache_open(&options, &found, &cache), 0);
	assert_true(found.fresh);
	assert_int_equal(cache_count(cache), 0);
	assert_int_equal(cache_applied(cache), 0);
	cache_close(cache);
}

/* Guilds that do not fit are misses; the others stay. */
static void a_full_map_loses_nothing_else(void **state)
{
	struct cache_options options = { .runtime_dir = dir, .generation = 1, .shard_id = 7, .map_bytes = 1 << 20 };
	static char text[GUILD_TEXT_SIZE];
	struct cache_found found;
	struct cache *cache;
	uint64_t id;
	size_t refused = 0;

	(void)state;
	assert_int_equal(cache_open(&options, &found, &cache), 0);
	for (id = 1; id <= 1000; id++) {
		struct cache_outcome outcome;
		struct envelope envelope;
		size_t len = guild_text_make(text, id << 22, 1, BOT);

		assert_int_equal(envelope_scan(text, len, &envelope), ENVELOPE_OK);
		assert_int_equal(cache_apply(cache, &envelope, &outcome), 0);
		assert_true(outcome.error == 0 || outcome.error == -ENOSPC);
		refused += outcome.error != 0;
		if (id % 16 == 0)
			assert_int_equal(cache_commit(cache, id), 0);
	}
	assert_true(refused > 0);
	assert_true(cache_count(cache) - cache_missing(cache) > 100);
	assert_int_equal(cache_dropped(cache), 1); /* the opening */
	cache_turn(cache);
	assert_non_null(cache_guild(cache, 1 << 22));
	cache_close(cache);
}

/* Whatever of it fails for want of room: the worker goes on, the cache is empty or away, and back when there is room.
 */
static void a_full_file_system_is_survived(void **state)
{
	struct cache_found found;
	struct cache *cache;
	char path[128];
	static char junk[4096];
	uint64_t id;
	bool failed = false;
	int fd, r;

	(void)state;
	if (mount("tmpfs", dir, "tmpfs", 0, "size=1m") < 0) {
		print_message("SKIPPED: a tmpfs can't be mounted here: %s\n", strerror(errno));
		skip();
	}
	cache = open_found(&found);
	assert_int_equal(found.error, 0);
	for (id = 1; id <= 1000 && !failed; id++) {
		create_guild(cache, id << 22);
		if (id % 8 == 0)
			failed = cache_commit(cache, id) < 0;
	}
	assert_true(failed);
	assert_int_equal(cache_dropped(cache), 2);
	assert_int_equal(cache_count(cache), 0);
	assert_false(cache_is_listed(cache));
	assert_false(cache_is_away(cache)); /* its own room was enough to begin anew */
	create_guild(cache, GUILD);
	assert_int_equal(cache_commit(cache, 1), 0);
	assert_int_equal(view(cache)->role_count, GUILD_TEXT_ROLES);
	/* somebody else takes all there is, while it is thrown away */
	cache_close(cache);
	snprintf(path, sizeof(path), "%s/junk", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	snprintf(junk, sizeof(junk), "%s/cache-1-7/data.mdb", dir);
	assert_int_equal(unlink(junk), 0);
	while ((r = (int)write(fd, junk, sizeof(junk))) > 0)
		;
	close(fd);
	cache = open_found(&found);
	assert_true(found.error == -ENOSPC);
	assert_true(cache_is_away(cache));
	assert_null(cache_guild(cache, GUILD));
	assert_int_equal(cache_commit(cache, 2), 0);
	assert_false(cache_tick(cache));
	assert_int_equal(unlink(path), 0);
	assert_true(cache_tick(cache));
	create_guild(cache, GUILD);
	assert_int_equal(cache_commit(cache, 3), 0);
	assert_int_equal(cache_applied(cache), 3);
	cache_close(cache);
	assert_int_equal(umount(dir), 0);
}

/* --- refilling
 * -------------------------------------------------------------------------------------------------------- */

#define TEXT(literal) ((struct shoal_str){ (literal), sizeof(literal) - 1 })

static const struct cache_texts texts = {
	.guild = TEXT(
		"{\"id\":\"584675118589018112\",\"name\":\"asked\",\"owner_id\":\"5\","
		"\"approximate_member_count\":77,\"roles\":[{\"id\":\"584675118589018112\",\"permissions\":\"8\"}]}"),
	.channels = TEXT("[{\"id\":\"9\",\"type\":0,\"name\":\"c\"}]"),
	.threads =
		TEXT("{\"threads\":[{\"id\":\"10\",\"type\":11,\"parent_id\":\"9\"}],\"members\":[{\"id\":\"10\"}]}"),
	.member = TEXT("{\"user\":{\"id\":\"1348207187591299079\"},\"roles\":[\"3\"]}"),
};

static void a_miss_is_filled_by_rest(void **state)
{
	struct cache *cache = open_cache(true);

	(void)state;
	assert_int_equal(cache_found_guild(cache, GUILD), 0);
	assert_int_equal(cache_found_guild(cache, GUILD + (1 << 22)), 0);
	assert_int_equal(cache_missing(cache), 2);
	assert_null(cache_guild(cache, GUILD));
	assert_int_equal(cache_next_missing(cache, 0), GUILD);
	assert_int_equal(cache_next_missing(cache, GUILD), GUILD + (1 << 22));
	assert_int_equal(cache_next_missing(cache, GUILD + (1 << 22)), GUILD);
	/* an event of the guild while it is asked for */
	cache_fill_begin(cache, GUILD);
	apply(cache, "CHANNEL_CREATE", "{'guild_id':'%" PRIu64 "','id':'11','type':0}", GUILD);
	assert_int_equal(cache_fill(cache, GUILD, &texts), -ESTALE);
	cache_fill_begin(cache, GUILD);
	apply(cache, "CHANNEL_CREATE", "{'guild_id':'12','id':'11','type':0}");
	assert_int_equal(cache_fill(cache, GUILD, &texts), 0);
	assert_int_equal(cache_missing(cache), 1);
	assert_true(shoal_str_is(view(cache)->name, "asked"));
	assert_int_equal(view(cache)->member_count, 77);
	assert_int_equal(view(cache)->channel_count, 1);
	assert_int_equal(thread(cache, 10)->flags, SHOAL_THREAD_JOINED);
	assert_int_equal(view(cache)->own_roles[0], 3);
	/* a GUILD_CREATE was faster */
	cache_fill_begin(cache, GUILD + (1 << 22));
	create_guild(cache, GUILD + (1 << 22));
	assert_int_equal(cache_fill(cache, GUILD + (1 << 22), &texts), -EEXIST);
	assert_int_equal(cache_missing(cache), 0);
	assert_int_equal(cache_lost_guild(cache, GUILD), 0);
	assert_int_equal(cache_count(cache), 1);
	cache_close(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ready_list_is_counted_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_list_drops_what_it_does_not_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_that_is_kept_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_outage_keeps_and_a_removal_purges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_update_merges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(roles_come_change_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(channels_come_change_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_follow_their_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(members_are_counted_and_only_the_bot_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_view_outlives_what_is_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(malformed_events_change_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_record_is_small_and_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_records_are_survived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thousand_guilds_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_committed_survives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(applied_twice_is_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_kills, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_kills_at_every_system_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_detected, set_up, tear_down),
		cmocka_unit_test_setup_teardown(foreign_bytes_are_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(thrown_away_when_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_map_loses_nothing_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_file_system_is_survived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_miss_is_filled_by_rest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
