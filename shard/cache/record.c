/* The record's bytes, in this order: version; owner, levels, features, system channel; name, locale; roles; channels;
 * threads; the bot's own member. Numbers are LEB128, ids eight bytes little-endian, texts length and bytes. A reference
 * is 0 for none, 1 for an id that stands in no list (a role that is gone), else index + 2. An overwrite of a member is
 * reference 0 and the member's id. */
#include "shard/cache/record.h"

#include <errno.h>
#include <string.h>

enum { REF_NONE = 0, REF_ID = 1, REF_FIRST = 2 };

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

/* Where an id stands in a list: open addressing. */
struct ids {
	uint32_t *slots; /* index + 1 */
	uint32_t mask;
	const void *items; /* whose first member is the id */
	size_t stride;
};

static uint64_t id_at(const struct ids *ids, uint32_t i)
{
	uint64_t id;

	memcpy(&id, (const char *)ids->items + i * ids->stride, sizeof(id));
	return id;
}

static uint32_t slot_of(const struct ids *ids, uint64_t id)
{
	uint32_t slot = (uint32_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & ids->mask;

	while (ids->slots[slot] != 0 && id_at(ids, ids->slots[slot] - 1) != id)
		slot = (slot + 1) & ids->mask;
	return slot;
}

static int ids_init(struct ids *ids, const void *items, size_t stride, uint32_t count, struct arena *scratch)
{
	uint32_t size = 8;
	uint32_t i;

	while (size < 2 * (size_t)count)
		size *= 2;
	ids->slots = arena_alloc(scratch, size * sizeof(*ids->slots));
	if (!ids->slots)
		return -ENOBUFS;
	ids->mask = size - 1;
	ids->items = items;
	ids->stride = stride;
	for (i = 0; i < count; i++)
		ids->slots[slot_of(ids, id_at(ids, i))] = i + 1;
	return 0;
}

/* Bytes into a buffer that is checked once, at the end. */
struct writer {
	struct buf *out;
	int error;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t len)
{
	if (writer->error == 0)
		writer->error = buf_append(writer->out, bytes, len);
}

static void put_number(struct writer *writer, uint64_t number)
{
	unsigned char bytes[10];
	size_t len = 0;

	do {
		bytes[len] = (unsigned char)(number & 0x7F);
		number >>= 7;
		if (number)
			bytes[len] |= 0x80;
		len++;
	} while (number);
	put_bytes(writer, bytes, len);
}

/* Small whatever its sign. */
static void put_signed(struct writer *writer, int32_t number)
{
	put_number(writer, ((uint32_t)number << 1) ^ (number < 0 ? UINT32_MAX : 0));
}

static void put_id(struct writer *writer, uint64_t id)
{
	unsigned char bytes[8];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(id >> (8 * i));
	put_bytes(writer, bytes, sizeof(bytes));
}

static void put_text(struct writer *writer, struct shoal_str text)
{
	put_number(writer, text.len);
	put_bytes(writer, text.ptr, text.len);
}

static void put_ref(struct writer *writer, const struct ids *ids, uint64_t id)
{
	uint32_t slot;

	if (id == 0) {
		put_number(writer, REF_NONE);
		return;
	}
	slot = ids->slots[slot_of(ids, id)];
	if (slot) {
		put_number(writer, slot - 1 + REF_FIRST);
		return;
	}
	put_number(writer, REF_ID);
	put_id(writer, id);
}

static void put_overwrite(struct writer *writer, const struct ids *roles, const struct shoal_overwrite_view *overwrite)
{
	if (overwrite->member) {
		put_number(writer, REF_NONE);
		put_id(writer, overwrite->id);
	} else {
		put_ref(writer, roles, overwrite->id);
	}
	put_number(writer, overwrite->allow);
	put_number(writer, overwrite->deny);
}

static void put_channel(struct writer *writer, const struct ids *roles, const struct ids *channels,
			const struct shoal_channel_view *channel)
{
	uint32_t i;

	put_id(writer, channel->id);
	put_number(writer, channel->type);
	put_ref(writer, channels, channel->parent_id);
	put_signed(writer, channel->position);
	put_number(writer, channel->flags);
	put_text(writer, channel->name);
	put_number(writer, channel->overwrite_count);
	for (i = 0; i < channel->overwrite_count; i++)
		put_overwrite(writer, roles, &channel->overwrites[i]);
}

static void put_role(struct writer *writer, const struct shoal_role_view *role)
{
	put_id(writer, role->id);
	put_text(writer, role->name);
	put_signed(writer, role->position);
	put_number(writer, role->flags);
	put_number(writer, role->permissions);
}

static void put_thread(struct writer *writer, const struct ids *channels, const struct shoal_thread_view *thread)
{
	put_id(writer, thread->id);
	put_ref(writer, channels, thread->parent_id);
	put_number(writer, thread->type);
	put_number(writer, thread->flags);
}

static void put_guild(struct writer *writer, const struct ids *roles, const struct ids *channels,
		      const struct shoal_guild_view *guild)
{
	uint32_t i;

	put_number(writer, RECORD_VERSION);
	put_id(writer, guild->owner_id);
	put_number(writer, guild->mfa_level);
	put_number(writer, guild->verification_level);
	put_number(writer, guild->premium_tier);
	put_number(writer, guild->features);
	put_number(writer, guild->system_channel_id);
	put_text(writer, guild->name);
	put_text(writer, guild->locale);
	put_number(writer, guild->role_count);
	for (i = 0; i < guild->role_count; i++)
		put_role(writer, &guild->roles[i]);
	put_number(writer, guild->channel_count);
	for (i = 0; i < guild->channel_count; i++)
		put_channel(writer, roles, channels, &guild->channels[i]);
	put_number(writer, guild->thread_count);
	for (i = 0; i < guild->thread_count; i++)
		put_thread(writer, channels, &guild->threads[i]);
	put_number(writer, guild->own_role_count);
	for (i = 0; i < guild->own_role_count; i++)
		put_ref(writer, roles, guild->own_roles[i]);
	put_number(writer, guild->own_timeout_ms > 0 ? (uint64_t)guild->own_timeout_ms : 0);
}

int record_encode(const struct shoal_guild_view *guild, struct arena *scratch, struct buf *out)
{
	struct writer writer = { .out = out };
	struct ids roles, channels;
	size_t len = out->len;
	int r;

	r = ids_init(&roles, guild->roles, sizeof(*guild->roles), guild->role_count, scratch);
	if (r == 0)
		r = ids_init(&channels, guild->channels, sizeof(*guild->channels), guild->channel_count, scratch);
	if (r < 0)
		return r;
	put_guild(&writer, &roles, &channels, guild);
	if (writer.error < 0)
		out->len = len;
	return writer.error;
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

/* After the first error everything reads as zero. */
struct source {
	const unsigned char *p, *end;
	struct arena *arena;
	int error;
};

static void fail(struct source *source, int error)
{
	if (source->error == 0)
		source->error = error;
	source->p = source->end;
}

static uint64_t get_number(struct source *source, uint64_t max)
{
	uint64_t number = 0;
	unsigned shift;

	for (shift = 0; shift < 64 && source->p < source->end; shift += 7) {
		unsigned char byte = *source->p++;

		if (shift == 63 && byte > 1)
			break;
		number |= (uint64_t)(byte & 0x7F) << shift;
		if (byte & 0x80)
			continue;
		if (number > max)
			break;
		return number;
	}
	fail(source, -EBADMSG);
	return 0;
}

static int32_t get_signed(struct source *source)
{
	uint32_t number = (uint32_t)get_number(source, UINT32_MAX);

	return (int32_t)((number >> 1) ^ -(number & 1));
}

static uint64_t get_id(struct source *source)
{
	uint64_t id = 0;
	size_t i;

	if ((size_t)(source->end - source->p) < sizeof(id)) {
		fail(source, -EBADMSG);
		return 0;
	}
	for (i = 0; i < sizeof(id); i++)
		id |= (uint64_t)source->p[i] << (8 * i);
	source->p += sizeof(id);
	return id;
}

static struct shoal_str get_text(struct source *source)
{
	size_t len = get_number(source, (uint64_t)(source->end - source->p));
	struct shoal_str text = { (const char *)source->p, (uint32_t)len };

	if (len > (size_t)(source->end - source->p)) { /* the length itself took bytes */
		fail(source, -EBADMSG);
		return (struct shoal_str){ 0 };
	}
	source->p += len;
	return text;
}

/* Room for a list whose items take at least @item_bytes each in the record: so a count can't ask for more memory than
 * a small multiple of the record. */
static void *get_list(struct source *source, size_t item_bytes, size_t size, uint32_t *ret_count)
{
	uint32_t count = (uint32_t)get_number(source, (uint64_t)(source->end - source->p) / item_bytes);
	void *items;

	*ret_count = 0;
	if (count == 0)
		return NULL;
	items = arena_alloc(source->arena, count * size);
	if (!items)
		fail(source, -ENOBUFS);
	else
		*ret_count = count;
	return items;
}

/* A channel may name one that comes behind it: references into a list that is still being read stay numbers, with the
 * upper bit set (no snowflake has it), until it is whole. */
#define UNRESOLVED (UINT64_C(1) << 63)

static uint64_t get_ref(struct source *source)
{
	uint64_t ref = get_number(source, UINT32_MAX);

	if (ref == REF_NONE)
		return 0;
	if (ref == REF_ID)
		return get_id(source);
	return UNRESOLVED | (ref - REF_FIRST);
}

static uint64_t resolve(struct source *source, uint64_t ref, const void *items, size_t stride, uint32_t count)
{
	uint64_t i = ref & ~UNRESOLVED, id;

	if (!(ref & UNRESOLVED))
		return ref;
	if (i >= count) {
		fail(source, -EBADMSG);
		return 0;
	}
	memcpy(&id, (const char *)items + i * stride, sizeof(id));
	return id;
}

static void get_roles(struct source *source, struct shoal_guild_view *guild)
{
	struct shoal_role_view *roles = get_list(source, 12, sizeof(*roles), &guild->role_count);
	uint32_t i;

	guild->roles = roles;
	for (i = 0; i < guild->role_count; i++) {
		roles[i].id = get_id(source);
		roles[i].name = get_text(source);
		roles[i].position = get_signed(source);
		roles[i].flags = (uint32_t)get_number(source, UINT32_MAX);
		roles[i].permissions = get_number(source, UINT64_MAX);
	}
}

static uint64_t get_role_ref(struct source *source, const struct shoal_guild_view *guild)
{
	return resolve(source, get_ref(source), guild->roles, sizeof(*guild->roles), guild->role_count);
}

static void get_overwrites(struct source *source, const struct shoal_guild_view *guild,
			   struct shoal_channel_view *channel)
{
	struct shoal_overwrite_view *overwrites = get_list(source, 3, sizeof(*overwrites), &channel->overwrite_count);
	uint32_t i;

	channel->overwrites = overwrites;
	for (i = 0; i < channel->overwrite_count; i++) {
		overwrites[i].id = get_role_ref(source, guild);
		overwrites[i].member = overwrites[i].id == 0;
		if (overwrites[i].member)
			overwrites[i].id = get_id(source);
		overwrites[i].allow = get_number(source, UINT64_MAX);
		overwrites[i].deny = get_number(source, UINT64_MAX);
	}
}

static uint64_t resolve_channel(struct source *source, const struct shoal_guild_view *guild, uint64_t ref)
{
	return resolve(source, ref, guild->channels, sizeof(*guild->channels), guild->channel_count);
}

static void get_channels(struct source *source, struct shoal_guild_view *guild)
{
	struct shoal_channel_view *channels = get_list(source, 14, sizeof(*channels), &guild->channel_count);
	uint32_t i;

	guild->channels = channels;
	for (i = 0; i < guild->channel_count; i++) {
		channels[i].id = get_id(source);
		channels[i].type = (uint32_t)get_number(source, UINT32_MAX);
		channels[i].parent_id = get_ref(source);
		channels[i].position = get_signed(source);
		channels[i].flags = (uint32_t)get_number(source, UINT32_MAX);
		channels[i].name = get_text(source);
		get_overwrites(source, guild, &channels[i]);
	}
	for (i = 0; i < guild->channel_count; i++)
		channels[i].parent_id = resolve_channel(source, guild, channels[i].parent_id);
}

static void get_threads(struct source *source, struct shoal_guild_view *guild)
{
	struct shoal_thread_view *threads = get_list(source, 11, sizeof(*threads), &guild->thread_count);
	uint32_t i;

	guild->threads = threads;
	for (i = 0; i < guild->thread_count; i++) {
		threads[i].id = get_id(source);
		threads[i].parent_id = resolve_channel(source, guild, get_ref(source));
		threads[i].type = (uint32_t)get_number(source, UINT32_MAX);
		threads[i].flags = (uint32_t)get_number(source, UINT32_MAX);
	}
}

static void get_own(struct source *source, struct shoal_guild_view *guild)
{
	uint64_t *roles = get_list(source, 1, sizeof(*roles), &guild->own_role_count);
	uint32_t i;

	guild->own_roles = roles;
	for (i = 0; i < guild->own_role_count; i++)
		roles[i] = get_role_ref(source, guild);
	guild->own_timeout_ms = (int64_t)get_number(source, INT64_MAX);
}

int record_decode(const void *bytes, size_t len, uint64_t guild_id, struct arena *arena,
		  struct shoal_guild_view **ret_guild)
{
	struct source source = { .p = bytes, .end = (const unsigned char *)bytes + len, .arena = arena };
	struct shoal_guild_view *guild = arena_alloc(arena, sizeof(*guild));

	if (!guild)
		return -ENOBUFS;
	guild->id = guild_id;
	if (get_number(&source, UINT64_MAX) != RECORD_VERSION)
		return -EBADMSG;
	guild->owner_id = get_id(&source);
	guild->mfa_level = (uint32_t)get_number(&source, UINT32_MAX);
	guild->verification_level = (uint32_t)get_number(&source, UINT32_MAX);
	guild->premium_tier = (uint32_t)get_number(&source, UINT32_MAX);
	guild->features = get_number(&source, UINT64_MAX);
	guild->system_channel_id = get_number(&source, UINT64_MAX);
	guild->name = get_text(&source);
	guild->locale = get_text(&source);
	get_roles(&source, guild);
	get_channels(&source, guild);
	get_threads(&source, guild);
	get_own(&source, guild);
	if (source.error < 0)
		return source.error;
	if (source.p != source.end)
		return -EBADMSG;
	*ret_guild = guild;
	return 0;
}
