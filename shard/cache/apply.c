/* Reads the few members that are kept (parts.h), changes the guild's view (edit.h), writes its record (record.h).
 * Rules: discord-facts sections 7 and 9. Must not fail for what Discord sends: what can't be kept makes the guild a
 * miss. */
#include "shard/cache/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/cache/edit.h"
#include "shard/cache/record.h"
#include "shard/gateway/decode.h"
#include "shard/gateway/json.h"
#include "shard/gateway/value.h"
#include "shared/base/cleanup.h"

#define RECORD_KEEP_BYTES (64 * 1024)

typedef int (*edit_fn)(struct apply *apply, struct shoal_guild_view *guild, const void *data);
/* 0, or the store's error. */
typedef int (*event_fn)(struct apply *apply, const struct envelope *envelope, const void *data,
			struct cache_outcome *outcome);

void apply_init(struct apply *apply, struct store *store)
{
	memset(apply, 0, sizeof(*apply));
	apply->store = store;
	arena_init(&apply->arena, APPLY_ARENA_MAX);
	buf_init(&apply->before, RECORD_BYTES_MAX);
	buf_init(&apply->record, RECORD_BYTES_MAX);
}

void apply_finish(struct apply *apply)
{
	arena_finish(&apply->arena);
	buf_finish(&apply->before);
	buf_finish(&apply->record);
}

static int read_part(struct apply *apply, const struct reader_table *table, struct shoal_str json,
		     const void **ret_part)
{
	struct reader_stats stats = { 0 }; /* most of it is unknown to these tables */

	if (!json.ptr)
		return -EBADMSG;
	return reader_decode(table, NULL, json.ptr, json.len, &apply->arena, &stats, ret_part);
}

/* --- records
 * ---------------------------------------------------------------------------------------------------------- */

/* A guild that can't be kept is a miss: asked of REST later. */
static int miss(struct apply *apply, uint64_t guild_id, int error)
{
	int r = store_forget(apply->store, guild_id);

	return r < 0 ? r : error;
}

static int write_guild(struct apply *apply, const struct shoal_guild_view *guild)
{
	int r;

	buf_clear(&apply->record, RECORD_KEEP_BYTES);
	r = record_encode(guild, &apply->arena, &apply->record);
	if (r == -ENOBUFS)
		r = -EFBIG;
	if (r < 0)
		return miss(apply, guild->id, r);
	return store_write(apply->store, guild->id, apply->record.data, apply->record.len);
}

static int read_guild(struct apply *apply, uint64_t guild_id, struct shoal_guild_view **ret_guild)
{
	int r;

	buf_clear(&apply->before, RECORD_KEEP_BYTES);
	r = store_read(apply->store, guild_id, &apply->before);
	if (r < 0)
		return r;
	r = record_decode(apply->before.data, apply->before.len, guild_id, &apply->arena, ret_guild);
	return r == -EBADMSG ? miss(apply, guild_id, -ENOENT) : r;
}

/* Changes the record of a guild that is known; else nothing, since REST will tell all of it. */
static int edit_record(struct apply *apply, uint64_t guild_id, edit_fn edit, const void *data)
{
	struct shoal_guild_view *guild;
	int r;

	if (guild_id == apply->filling_id)
		apply->filling_stale = true;
	if (store_head(apply->store, guild_id).state == GUILD_NONE)
		return 0;
	r = read_guild(apply, guild_id, &guild);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = edit(apply, guild, data);
	if (r == -ENOBUFS)
		return miss(apply, guild_id, -EFBIG);
	return r < 0 ? r : write_guild(apply, guild);
}

/* --- the bot's own member
 * --------------------------------------------------------------------------------------------- */

/* Decodes the element of the array @json in which the byte at @at lies; NULL: none. Members that stand before it are
 * only stepped over. */
static const struct part_member *member_at(struct apply *apply, struct shoal_str json, const char *at)
{
	struct reader_stats stats = { 0 };
	struct reader reader = { .end = json.ptr + json.len, .arena = &apply->arena, .stats = &stats };
	const char *p = json_skip_space(json.ptr + 1, reader.end), *start;
	const void *member;

	while (p && p < reader.end && *p != ']') {
		start = p;
		p = value_skip(&reader, p);
		if (!p)
			break;
		if (at < p) {
			struct shoal_str one = { start, (uint32_t)(p - start) };

			return read_part(apply, &part_member_table, one, &member) == 0 ? member : NULL;
		}
		p = json_skip_space(p, reader.end);
		if (p < reader.end && *p == ',')
			p = json_skip_space(p + 1, reader.end);
	}
	return NULL;
}

/* Members may be thousands, of which we want one: found by its id's text. */
static const struct part_member *find_own(struct apply *apply, struct shoal_str members)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "\"%" PRIu64 "\"", apply->self_id);
	const char *p = members.ptr, *end = members.ptr + members.len;
	const struct part_member *member;

	if (apply->self_id == 0 || members.len < 2 || *p != '[')
		return NULL;
	while ((p = memmem(p, (size_t)(end - p), text, (size_t)len))) {
		member = member_at(apply, members, p);
		if (member && member->user && member->user->id == apply->self_id)
			return member;
		p += len;
	}
	return NULL;
}

/* --- guilds
 * ----------------------------------------------------------------------------------------------------------- */

struct ready_walk {
	const uint64_t *listed;
	size_t listed_count;
	uint64_t *gone;
	size_t gone_count, gone_room;
};

static int compare_ids(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static int note_gone(void *arg, uint64_t guild_id, struct store_head head)
{
	struct ready_walk *walk = arg;

	(void)head;
	if (bsearch(&guild_id, walk->listed, walk->listed_count, sizeof(guild_id), compare_ids))
		return 0;
	if (walk->gone_count == walk->gone_room)
		return -ENOBUFS;
	walk->gone[walk->gone_count++] = guild_id;
	return 0;
}

static size_t count_all(const struct apply *apply)
{
	return store_count(apply->store, GUILD_EXPECTED) + store_count(apply->store, GUILD_HERE) +
	       store_count(apply->store, GUILD_OUT);
}

/* Guilds that are not in the list were left while there was no session. */
static int drop_unlisted(struct apply *apply, const struct part_ready *ready)
{
	struct ready_walk walk = { .listed_count = ready->guilds.count, .gone_room = count_all(apply) };
	uint64_t *listed = arena_alloc(&apply->arena, (walk.listed_count + 1) * sizeof(*listed));
	size_t i;
	int r;

	walk.gone = arena_alloc(&apply->arena, (walk.gone_room + 1) * sizeof(*walk.gone));
	if (!listed || !walk.gone)
		return -ENOBUFS;
	for (i = 0; i < walk.listed_count; i++)
		listed[i] = ready->guilds.items[i].id;
	qsort(listed, walk.listed_count, sizeof(*listed), compare_ids);
	walk.listed = listed;
	r = store_each(apply->store, note_gone, &walk);
	for (i = 0; r == 0 && i < walk.gone_count; i++)
		r = store_set_head(apply->store, walk.gone[i], (struct store_head){ 0 });
	return r;
}

static int on_ready(struct apply *apply, const struct envelope *envelope, const void *data,
		    struct cache_outcome *outcome)
{
	const struct part_ready *ready = data;
	uint32_t i;
	int r;

	(void)envelope;
	outcome->change = CACHE_READY;
	apply->self_id = ready->user->id;
	apply->filling_stale = true;
	r = drop_unlisted(apply, ready);
	for (i = 0; r == 0 && i < ready->guilds.count; i++) {
		struct store_head head = store_head(apply->store, ready->guilds.items[i].id);

		head.state = GUILD_EXPECTED;
		r = store_set_head(apply->store, ready->guilds.items[i].id, head);
	}
	if (r == 0)
		store_set_listed(apply->store);
	return r;
}

/* Sets the state and says what that meant; the same state again is nothing. */
static int move_guild(struct apply *apply, uint64_t guild_id, enum guild_state to, struct cache_outcome *outcome)
{
	struct store_head head = store_head(apply->store, guild_id);
	enum guild_state from = (enum guild_state)head.state;

	if (guild_id == apply->filling_id)
		apply->filling_stale = true;
	outcome->guild_id = guild_id;
	if (from == to)
		return 0;
	if (to == GUILD_OUT)
		outcome->change = CACHE_OUTAGE;
	else if (to == GUILD_NONE)
		outcome->change = CACHE_REMOVED;
	else
		outcome->change = from == GUILD_NONE ? CACHE_JOINED : CACHE_AVAILABLE;
	head.state = (uint8_t)to;
	return store_set_head(apply->store, guild_id, head);
}

/* All that is known of the guild anew: not merged into what there was. */
static int make_guild(struct apply *apply, const struct part_guild *part)
{
	struct store_head head = store_head(apply->store, part->id);
	struct shoal_guild_view guild = { .id = part->id };
	const struct part_member *own;
	int r;

	if (head.state == GUILD_NONE)
		return 0; /* it could not be put there */
	head.member_count = part->has.member_count ? part->member_count : part->approximate_member_count;
	r = store_set_head(apply->store, part->id, head);
	if (r < 0)
		return r;
	r = edit_guild(&guild, part, &apply->arena);
	own = r == 0 && part->has.members ? find_own(apply, part->members) : NULL;
	if (own)
		r = edit_own(&guild, own, &apply->arena);
	if (r < 0)
		return miss(apply, part->id, r == -ENOBUFS ? -EFBIG : r);
	return write_guild(apply, &guild);
}

/* One whose parts are more than we take at once: it is there, but a miss. */
static int on_huge_guild(struct apply *apply, const struct envelope *envelope, struct cache_outcome *outcome)
{
	uint64_t guild_id;
	bool unavailable;
	int r;

	arena_reset(&apply->arena);
	r = decode_guild_brief(envelope->d, &apply->arena, &guild_id, &unavailable);
	if (r == 0)
		r = move_guild(apply, guild_id, unavailable ? GUILD_OUT : GUILD_HERE, outcome);
	return r < 0 ? r : miss(apply, guild_id, -EFBIG);
}

static int on_guild_create(struct apply *apply, const struct envelope *envelope, const void *data,
			   struct cache_outcome *outcome)
{
	const struct part_guild *part = data;
	int r;

	(void)envelope;
	r = move_guild(apply, part->id, part->unavailable ? GUILD_OUT : GUILD_HERE, outcome);
	return r < 0 || part->unavailable ? r : make_guild(apply, part);
}

static int on_guild_delete(struct apply *apply, const struct envelope *envelope, const void *data,
			   struct cache_outcome *outcome)
{
	const struct part_guild *part = data;

	(void)envelope;
	return move_guild(apply, part->id, part->unavailable ? GUILD_OUT : GUILD_NONE, outcome);
}

static int merge_guild(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_guild(guild, data, &apply->arena);
}

static int on_guild_update(struct apply *apply, const struct envelope *envelope, const void *data,
			   struct cache_outcome *outcome)
{
	(void)envelope;
	(void)outcome;
	return edit_record(apply, ((const struct part_guild *)data)->id, merge_guild, data);
}

/* --- members
 * ---------------------------------------------------------------------------------------------------------- */

static int count_member(struct apply *apply, uint64_t guild_id, int by)
{
	struct store_head head = store_head(apply->store, guild_id);

	if (guild_id == apply->filling_id)
		apply->filling_stale = true;
	if (head.state == GUILD_NONE || (by < 0 ? head.member_count == 0 : head.member_count == UINT32_MAX))
		return 0;
	head.member_count += (uint32_t)by;
	return store_set_head(apply->store, guild_id, head);
}

static int on_member_add(struct apply *apply, const struct envelope *envelope, const void *data,
			 struct cache_outcome *outcome)
{
	(void)data;
	(void)outcome;
	return count_member(apply, envelope->guild_id, 1);
}

static int on_member_remove(struct apply *apply, const struct envelope *envelope, const void *data,
			    struct cache_outcome *outcome)
{
	(void)data;
	(void)outcome;
	return count_member(apply, envelope->guild_id, -1);
}

static int set_own(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_own(guild, data, &apply->arena);
}

static int on_member_update(struct apply *apply, const struct envelope *envelope, const void *data,
			    struct cache_outcome *outcome)
{
	const struct part_member *member = data;

	(void)outcome;
	if (!member->user || member->user->id != apply->self_id)
		return 0;
	return edit_record(apply, envelope->guild_id, set_own, member);
}

/* --- what belongs to a guild
 * ------------------------------------------------------------------------------------------ */

static int put_role(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_put_role(guild, &((const struct part_guild_role *)data)->role, &apply->arena);
}

static int remove_role(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_remove_role(guild, ((const struct part_guild_role *)data)->role_id, &apply->arena);
}

static int put_channel(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_put_channel(guild, data, &apply->arena);
}

static int remove_channel(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_remove_channel(guild, ((const struct part_channel *)data)->id, &apply->arena);
}

static int put_thread(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_put_thread(guild, data, &apply->arena);
}

static int remove_thread(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_remove_thread(guild, ((const struct part_channel *)data)->id, &apply->arena);
}

static int sync_threads(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_sync_threads(guild, data, &apply->arena);
}

static int join_thread(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	return edit_join_thread(guild, ((const struct part_thread_member *)data)->id, true, &apply->arena);
}

static int move_in_thread(struct apply *apply, struct shoal_guild_view *guild, const void *data)
{
	const struct part_thread_members *part = data;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < part->added_members.count; i++) {
		if (part->added_members.items[i].user_id == apply->self_id)
			r = edit_join_thread(guild, part->id, true, &apply->arena);
	}
	for (i = 0; r == 0 && i < part->removed_member_ids.count; i++) {
		if (part->removed_member_ids.items[i] == apply->self_id)
			r = edit_join_thread(guild, part->id, false, &apply->arena);
	}
	return r;
}

/* --- the table
 * -------------------------------------------------------------------------------------------------------- */

struct row {
	const struct reader_table *table; /* NULL: the guild's id says enough */
	event_fn event;                   /* or: */
	edit_fn edit;                     /* of the record of the envelope's guild */
};

static const struct row rows[SHOAL_EVENT_COUNT] = {
	[SHOAL_EVENT_READY] = { &part_ready_table, on_ready, NULL },
	[SHOAL_EVENT_GUILD_CREATE] = { &part_guild_table, on_guild_create, NULL },
	[SHOAL_EVENT_GUILD_UPDATE] = { &part_guild_table, on_guild_update, NULL },
	[SHOAL_EVENT_GUILD_DELETE] = { &part_guild_table, on_guild_delete, NULL },
	[SHOAL_EVENT_GUILD_MEMBER_ADD] = { NULL, on_member_add, NULL },
	[SHOAL_EVENT_GUILD_MEMBER_REMOVE] = { NULL, on_member_remove, NULL },
	[SHOAL_EVENT_GUILD_MEMBER_UPDATE] = { &part_member_table, on_member_update, NULL },
	[SHOAL_EVENT_GUILD_ROLE_CREATE] = { &part_guild_role_table, NULL, put_role },
	[SHOAL_EVENT_GUILD_ROLE_UPDATE] = { &part_guild_role_table, NULL, put_role },
	[SHOAL_EVENT_GUILD_ROLE_DELETE] = { &part_guild_role_table, NULL, remove_role },
	[SHOAL_EVENT_CHANNEL_CREATE] = { &part_channel_table, NULL, put_channel },
	[SHOAL_EVENT_CHANNEL_UPDATE] = { &part_channel_table, NULL, put_channel },
	[SHOAL_EVENT_CHANNEL_DELETE] = { &part_channel_table, NULL, remove_channel },
	[SHOAL_EVENT_THREAD_CREATE] = { &part_channel_table, NULL, put_thread },
	[SHOAL_EVENT_THREAD_UPDATE] = { &part_channel_table, NULL, put_thread },
	[SHOAL_EVENT_THREAD_DELETE] = { &part_channel_table, NULL, remove_thread },
	[SHOAL_EVENT_THREAD_LIST_SYNC] = { &part_thread_list_table, NULL, sync_threads },
	[SHOAL_EVENT_THREAD_MEMBER_UPDATE] = { &part_thread_member_table, NULL, join_thread },
	[SHOAL_EVENT_THREAD_MEMBERS_UPDATE] = { &part_thread_members_table, NULL, move_in_thread },
};

bool apply_wants(enum shoal_event_type type)
{
	return (unsigned)type < SHOAL_EVENT_COUNT && (rows[type].event || rows[type].edit);
}

int apply_event(struct apply *apply, const struct envelope *envelope, struct cache_outcome *ret_outcome)
{
	const struct row *row = &rows[envelope->type];
	struct cache_outcome outcome = { .guild_id = envelope->guild_id };
	const void *data = NULL;
	int r = 0;

	arena_reset(&apply->arena);
	if (row->table)
		r = read_part(apply, row->table, envelope->d, &data);
	if (r == -ENOBUFS && envelope->type == SHOAL_EVENT_GUILD_CREATE)
		outcome.error = on_huge_guild(apply, envelope, &outcome);
	else if (r < 0)
		return r;
	else if (row->event)
		outcome.error = row->event(apply, envelope, data, &outcome);
	else
		outcome.error = edit_record(apply, envelope->guild_id, row->edit, data);
	*ret_outcome = outcome;
	return 0;
}

/* --- from REST
 * -------------------------------------------------------------------------------------------------------- */

/* REST gives channels and threads as texts of their own: made one object, so that one table reads all. */
static int join_texts(const struct cache_texts *texts, struct buf *out)
{
	struct shoal_str guild = texts->guild;

	while (guild.len > 0 && guild.ptr[guild.len - 1] != '}')
		guild.len--;
	if (guild.len < 2 || texts->channels.len < 2)
		return -EBADMSG;
	return buf_printf(out, "%.*s,\"channels\":%.*s}", (int)(guild.len - 1), guild.ptr, (int)texts->channels.len,
			  texts->channels.ptr);
}

static int fill_view(struct apply *apply, struct shoal_guild_view *guild, const struct cache_texts *texts,
		     struct shoal_str joined, uint32_t *ret_members)
{
	const struct part_guild *part;
	const void *data;
	int r;

	r = read_part(apply, &part_guild_table, joined, &data);
	if (r < 0)
		return r;
	part = data;
	if (part->id != guild->id)
		return -EPROTO;
	*ret_members = part->approximate_member_count;
	r = edit_guild(guild, part, &apply->arena);
	if (r == 0 && texts->threads.len > 0)
		r = read_part(apply, &part_thread_list_table, texts->threads, &data);
	if (r == 0 && texts->threads.len > 0)
		r = edit_sync_threads(guild, data, &apply->arena);
	if (r == 0 && texts->member.len > 0)
		r = read_part(apply, &part_member_table, texts->member, &data);
	if (r == 0 && texts->member.len > 0)
		r = edit_own(guild, data, &apply->arena);
	return r;
}

int apply_texts(struct apply *apply, uint64_t guild_id, const struct cache_texts *texts)
{
	struct store_head head = store_head(apply->store, guild_id);
	struct shoal_guild_view guild = { .id = guild_id };
	CLEANUP(buf_finish) struct buf joined = { 0 };
	int r;

	buf_init(&joined, APPLY_ARENA_MAX);
	arena_reset(&apply->arena);
	if (head.state == GUILD_NONE)
		return -ESTALE;
	r = join_texts(texts, &joined);
	if (r == 0)
		r = fill_view(apply, &guild, texts, (struct shoal_str){ joined.data, (uint32_t)joined.len },
			      &head.member_count);
	if (r == 0)
		r = store_set_head(apply->store, guild_id, head);
	return r < 0 ? r : write_guild(apply, &guild);
}
