/* The ring. Positions are bytes since the ring was made and never go back; a position's place is position % size. A
 * record lies whole: what does not fit before the ring's end is padded over. The order of stores is the whole point
 * here: see publish(). Bytes read back are checked as if they came from the network, since whoever wrote them may have
 * gone mad. */
#include "shard/events/inbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/crc32c.h"

#define RING_MAGIC   0x584F424E494C4853ULL /* "SHLINBOX" */
#define RING_VERSION 1
#define RING_MIN     (64 * 1024)
#define ALIGNMENT    8
#define PAD          0xFFFFFFFFu /* in length: nothing here up to the ring's end */

/* Stable across versions, like the board's core: a successor of another build reads it. */
struct ring_head {
	uint64_t magic;
	uint32_t version;
	uint32_t unused;
	uint64_t size; /* bytes of data behind this head */
	_Atomic uint64_t head;
	_Atomic uint64_t tail;
	_Atomic uint64_t mark;
	_Atomic uint64_t mark_session, mark_sequence; /* of INBOX_MARK_ELSEWHERE */
};

struct ring_record {
	uint32_t length;   /* of the payload; PAD */
	uint32_t checksum; /* crc32c of position, sequence, session, length and payload; not of state and crashes */
	uint64_t position;
	uint64_t sequence;
	uint64_t session;
	_Atomic uint32_t state;
	_Atomic uint32_t crashes;
	char payload[];
};
_Static_assert(sizeof(struct ring_head) == 64 && sizeof(struct ring_record) == 40, "layout is read by other versions");

/* Head and tail are ours; the ring's are for the successor. Somebody may write into the file while we run. */
struct inbox {
	struct ring_head *ring;
	unsigned char *data;
	uint64_t size;
	uint64_t head, tail;
};

static uint64_t record_size(uint64_t payload_len)
{
	return (sizeof(struct ring_record) + payload_len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct ring_record *record_at(const struct inbox *inbox, uint64_t position)
{
	return (struct ring_record *)(inbox->data + position % inbox->size);
}

static uint64_t room_to_end(const struct inbox *inbox, uint64_t position)
{
	return inbox->size - position % inbox->size;
}

static uint32_t checksum_of(const struct ring_record *record)
{
	uint32_t crc = crc32c(0, &record->length, sizeof(record->length));

	crc = crc32c(crc, &record->position, 3 * sizeof(uint64_t));
	return record->length == PAD ? crc : crc32c(crc, record->payload, record->length);
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

static void make_anew(struct inbox *inbox)
{
	/* The magic last: a ring half made is made again. */
	inbox->ring->magic = 0;
	atomic_signal_fence(memory_order_seq_cst);
	inbox->ring->version = RING_VERSION;
	inbox->ring->size = inbox->size;
	inbox->head = inbox->tail = 0;
	atomic_store(&inbox->ring->head, 0);
	atomic_store(&inbox->ring->tail, 0);
	atomic_store(&inbox->ring->mark, 0);
	atomic_signal_fence(memory_order_seq_cst);
	inbox->ring->magic = RING_MAGIC;
}

/* Bytes that the record at @position takes, when it is whole and lies before @head; 0 when it is not to be believed. */
static uint64_t check_record(const struct inbox *inbox, uint64_t position, uint64_t head)
{
	const struct ring_record *record = record_at(inbox, position);
	uint64_t room = room_to_end(inbox, position), size;
	uint32_t state;

	if (room < sizeof(*record)) /* too narrow even for a pad: skipped by rule */
		return room <= head - position ? room : 0;
	if (record->position != position)
		return 0;
	size = record->length == PAD ? room : record_size(record->length);
	if (size > room || size > head - position || record->checksum != checksum_of(record))
		return 0;
	state = atomic_load_explicit(&record->state, memory_order_relaxed);
	return record->length == PAD || (state >= INBOX_TAKEN && state < INBOX_STATE_COUNT) ? size : 0;
}

static bool is_record(const struct inbox *inbox, uint64_t position)
{
	return room_to_end(inbox, position) >= sizeof(struct ring_record) && record_at(inbox, position)->length != PAD;
}

/* Walks it all and cuts at the first record that fails. */
static void check_ring(struct inbox *inbox, struct inbox_found *found)
{
	uint64_t position = atomic_load(&inbox->ring->tail), head = atomic_load(&inbox->ring->head), size;

	inbox->tail = position;
	inbox->head = head;
	if (head < position || head - position > inbox->size || head % ALIGNMENT || position % ALIGNMENT) {
		found->damaged = found->fresh = true;
		make_anew(inbox);
		return;
	}
	for (; position < head; position += size) {
		size = check_record(inbox, position, head);
		if (size == 0) {
			found->damaged = true;
			found->lost_bytes = head - position;
			inbox->head = position;
			atomic_store(&inbox->ring->head, position);
			return;
		}
		found->kept += is_record(inbox, position);
	}
}

int inbox_open(void *region, size_t size, struct inbox_found *ret_found, struct inbox **ret_inbox)
{
	struct inbox_found found = { 0 };
	struct inbox *inbox;

	if (size < RING_MIN || (uintptr_t)region % ALIGNMENT)
		return -EINVAL;
	inbox = calloc(1, sizeof(*inbox));
	if (!inbox)
		return -ENOMEM;
	inbox->ring = region;
	inbox->data = (unsigned char *)region + sizeof(struct ring_head);
	inbox->size = (size - sizeof(struct ring_head)) / ALIGNMENT * ALIGNMENT;
	if (inbox->ring->magic != RING_MAGIC || inbox->ring->version != RING_VERSION ||
	    inbox->ring->size != inbox->size) {
		found.fresh = true;
		make_anew(inbox);
	} else {
		check_ring(inbox, &found);
	}
	*ret_found = found;
	*ret_inbox = inbox;
	return 0;
}

struct inbox *inbox_close(struct inbox *inbox)
{
	free(inbox);
	return NULL;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

size_t inbox_payload_max(const struct inbox *inbox)
{
	return inbox->size / 4 - sizeof(struct ring_record);
}

/* Everything before @head is whole: the one store by which a record comes to be. A process that is killed leaves its
 * stores in program order in the shared page, so only the compiler must be kept from moving them; the release store
 * does that, and serves a reader on another processor too. */
static void publish(struct inbox *inbox, uint64_t head)
{
	inbox->head = head;
	atomic_store_explicit(&inbox->ring->head, head, memory_order_release);
}

/* Skips what is left before the ring's end. */
static uint64_t pad(struct inbox *inbox, uint64_t position)
{
	uint64_t room = room_to_end(inbox, position);
	struct ring_record *record = record_at(inbox, position);

	if (room >= sizeof(*record)) {
		record->length = PAD;
		record->position = position;
		record->sequence = record->session = 0;
		record->checksum = checksum_of(record);
	}
	return position + room;
}

int inbox_append(struct inbox *inbox, uint64_t session, uint64_t sequence, const char *payload, size_t len,
		 uint64_t *ret_position)
{
	uint64_t position = inbox->head, start = position, size = record_size(len);
	struct ring_record *record;

	if (len > inbox_payload_max(inbox))
		return -EMSGSIZE;
	if (size > room_to_end(inbox, position))
		start = position + room_to_end(inbox, position);
	if (start + size - inbox->tail > inbox->size)
		return -ENOSPC;
	if (start != position)
		pad(inbox, position);
	record = record_at(inbox, start);
	record->length = (uint32_t)len;
	record->position = start;
	record->sequence = sequence;
	record->session = session;
	atomic_store_explicit(&record->state, INBOX_TAKEN, memory_order_relaxed);
	atomic_store_explicit(&record->crashes, 0, memory_order_relaxed);
	memcpy(record->payload, payload, len);
	record->checksum = checksum_of(record);
	publish(inbox, start + size);
	*ret_position = start;
	return 0;
}

/* Does what lies at @position (from the tail on, before the head) still say what a record or a pad of ours says? Its
 * payload may be scribbled on all the same: who reads it validates. */
static bool is_sane(const struct inbox *inbox, uint64_t position)
{
	const struct ring_record *record = record_at(inbox, position);
	uint64_t room = room_to_end(inbox, position), size;

	if (room < sizeof(*record))
		return true;
	size = record->length == PAD ? room : record_size(record->length);
	return record->position == position && size <= room && size <= inbox->head - position;
}

/* NULL when no record begins at @position. Positions come from our own callers, but may be of a record long released.
 */
static struct ring_record *find(const struct inbox *inbox, uint64_t position)
{
	struct ring_record *record = record_at(inbox, position);

	if (position < inbox->tail || position >= inbox->head || position % ALIGNMENT || !is_record(inbox, position) ||
	    !is_sane(inbox, position))
		return NULL;
	return record;
}

int inbox_set_state(struct inbox *inbox, uint64_t position, enum inbox_state state)
{
	struct ring_record *record = find(inbox, position);

	if (!record)
		return -ENOENT;
	atomic_store_explicit(&record->state, (uint32_t)state, memory_order_release);
	return 0;
}

int inbox_add_crash(struct inbox *inbox, uint64_t position)
{
	struct ring_record *record = find(inbox, position);

	if (!record)
		return -ENOENT;
	return (int)(atomic_fetch_add(&record->crashes, 1) + 1);
}

/* Somebody wrote over what lies at @position: where the next whole record begins (its own position stands in it, so it
 * is not mistaken for another), or the head. */
static uint64_t resynchronise(const struct inbox *inbox, uint64_t position, uint64_t head)
{
	for (position += ALIGNMENT; position < head; position += ALIGNMENT)
		if (room_to_end(inbox, position) >= sizeof(struct ring_record) &&
		    check_record(inbox, position, head) > 0)
			return position;
	return head;
}

/* The oldest bytes that need not stay. */
void inbox_release(struct inbox *inbox, uint64_t applied_position)
{
	uint64_t tail = inbox->tail, head = inbox->head;

	while (tail < head && tail < applied_position) {
		const struct ring_record *record = record_at(inbox, tail);

		/* What was written over is missed by its turn; what came after it must not go with it. */
		if (!is_sane(inbox, tail))
			tail = resynchronise(inbox, tail, head);
		else if (!is_record(inbox, tail))
			tail += room_to_end(inbox, tail);
		else if (atomic_load_explicit(&record->state, memory_order_relaxed) == INBOX_DONE)
			tail += record_size(record->length);
		else
			break;
	}
	inbox->tail = tail;
	atomic_store_explicit(&inbox->ring->tail, tail, memory_order_release);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

static void fill(const struct ring_record *record, struct inbox_record *ret_record)
{
	*ret_record = (struct inbox_record){
		.position = record->position,
		.sequence = record->sequence,
		.session = record->session,
		.state = (enum inbox_state)atomic_load_explicit(&record->state, memory_order_relaxed),
		.crashes = atomic_load_explicit(&record->crashes, memory_order_relaxed),
		.payload = record->payload,
		.len = record->length,
	};
}

int inbox_read(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record)
{
	const struct ring_record *record = find(inbox, position);

	if (!record)
		return -ENOENT;
	fill(record, ret_record);
	return 0;
}

int inbox_next(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record)
{
	uint64_t at = inbox->tail, head = inbox->head;

	/* Behind a record that the caller has just seen: step over it; else walk from the tail. */
	if (position > 0 && find(inbox, position - 1))
		at = position - 1 + record_size(record_at(inbox, position - 1)->length);
	while (at < head) {
		if (!is_sane(inbox, at))
			at = resynchronise(inbox, at, head);
		else if (!is_record(inbox, at))
			at += room_to_end(inbox, at);
		else if (at < position)
			at += record_size(record_at(inbox, at)->length);
		else
			break;
	}
	if (at >= head)
		return -ENOENT;
	fill(record_at(inbox, at), ret_record);
	return 0;
}

/* A record tells by its position and checksum that it is one: behind the tail they are linked, before it they are
 * looked for. */
int inbox_history(const struct inbox *inbox, uint64_t position, struct inbox_record *ret_record)
{
	uint64_t head = inbox->head, oldest = head > inbox->size ? head - inbox->size : 0, size;
	uint64_t at = position > oldest ? position : oldest;

	at = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	while (at < head) {
		size = check_record(inbox, at, head);
		if (size > 0 && is_record(inbox, at)) {
			fill(record_at(inbox, at), ret_record);
			return 0;
		}
		at += size > 0 ? size : ALIGNMENT;
	}
	return -ENOENT;
}

void inbox_set_mark(struct inbox *inbox, uint64_t mark)
{
	atomic_store_explicit(&inbox->ring->mark, mark, memory_order_release);
}

/* The names before the mark: a mark that is there names the right one. */
void inbox_set_mark_elsewhere(struct inbox *inbox, uint64_t session, uint64_t sequence, bool apply)
{
	atomic_store_explicit(&inbox->ring->mark_session, session, memory_order_relaxed);
	atomic_store_explicit(&inbox->ring->mark_sequence, sequence, memory_order_release);
	inbox_set_mark(inbox, INBOX_MARK_ELSEWHERE | (apply ? INBOX_MARK_APPLY : 0));
}

void inbox_mark_elsewhere(const struct inbox *inbox, uint64_t *ret_session, uint64_t *ret_sequence)
{
	*ret_session = atomic_load_explicit(&inbox->ring->mark_session, memory_order_relaxed);
	*ret_sequence = atomic_load_explicit(&inbox->ring->mark_sequence, memory_order_relaxed);
}

uint64_t inbox_mark(const struct inbox *inbox)
{
	return atomic_load_explicit(&inbox->ring->mark, memory_order_acquire);
}

uint64_t inbox_head(const struct inbox *inbox)
{
	return inbox->head;
}

size_t inbox_used(const struct inbox *inbox)
{
	return inbox->head - inbox->tail;
}

size_t inbox_size(const struct inbox *inbox)
{
	return inbox->size;
}
