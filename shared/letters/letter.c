/* Rows of letters: a head, then the texts one behind the other, under one checksum (LMDB has none). And a look at the
 * bytes of an event as they came, which must be safe whatever they are: it may be just these that killed a worker. So
 * nothing here recurses, and no JSON is built. */
#include "shared/letters/letter.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/crc32c.h"
#include "shared/base/errors.h"

#define ROW_VERSION  1
#define SESSION_MASK 0xFFFFFFu /* of the session, what stands in an id */

const char *const letter_tables[LETTER_TABLE_COUNT] = { [LETTER_PARKED] = "parked", [LETTER_DEAD] = "dead" };
const char *const letter_stage_tables[LETTER_STAGE_TABLE_COUNT] = {
	[LETTER_PARKED] = "parked", [LETTER_DEAD] = "dead", [LETTER_STATES] = "state"
};

enum text { TEXT_DISPATCH, TEXT_REASON, TEXT_MODULE, TEXT_BACKTRACE, TEXT_EFFECTS, TEXT_PAYLOAD, TEXT_COUNT };

static const struct text_row {
	size_t offset;
	uint32_t max; /* what is longer is cut; 0: never */
} texts[TEXT_COUNT] = {
	[TEXT_DISPATCH] = { offsetof(struct letter, dispatch), LETTER_WORDS_MAX },
	[TEXT_REASON] = { offsetof(struct letter, reason), LETTER_WORDS_MAX },
	[TEXT_MODULE] = { offsetof(struct letter, module), LETTER_WORDS_MAX },
	[TEXT_BACKTRACE] = { offsetof(struct letter, backtrace), LETTER_BACKTRACE_MAX },
	[TEXT_EFFECTS] = { offsetof(struct letter, effects), 0 },
	[TEXT_PAYLOAD] = { offsetof(struct letter, payload), 0 },
};

/* Stored as it is: grows at its end only, and says how long it is. */
struct head {
	uint32_t crc; /* of the key, and of all behind this word */
	uint16_t version;
	uint16_t head_len;
	int64_t wall_ms;
	uint64_t boot_ns;
	uint64_t boot;
	uint64_t guild_id;
	uint64_t full_len;
	uint32_t crashes;
	uint16_t type;
	uint16_t flags;
	uint32_t lens[TEXT_COUNT];
};
_Static_assert(sizeof(struct head) == 80, "no padding: it is checksummed and stored");

static struct letter_text *text_of(struct letter *letter, size_t i)
{
	return (struct letter_text *)((char *)letter + texts[i].offset);
}

struct letter_key letter_key_make(uint64_t session, uint64_t sequence)
{
	return (struct letter_key){ .session = session, .sequence_be = htobe64(sequence) };
}

/* --- rows
 * ------------------------------------------------------------------------------------------------------------- */

int letter_write(const struct letter *letter, struct buf *out)
{
	struct letter_key key = letter_key_make(letter->session, letter->sequence);
	struct letter copy = *letter;
	struct head head = { .version = ROW_VERSION,
			     .head_len = sizeof(head),
			     .wall_ms = letter->wall_ms,
			     .boot_ns = letter->boot_ns,
			     .boot = letter->boot,
			     .guild_id = letter->guild_id,
			     .full_len = letter->full_len,
			     .crashes = letter->crashes,
			     .type = letter->type,
			     .flags = letter->flags };
	size_t total = sizeof(head), begin = out->len, i;
	uint32_t crc = crc32c(0, &key, sizeof(key));
	int r;

	for (i = 0; i < TEXT_COUNT; i++) {
		struct letter_text *text = text_of(&copy, i);

		if (texts[i].max && text->len > texts[i].max)
			text->len = texts[i].max;
		head.lens[i] = text->len;
		total += text->len;
	}
	r = buf_reserve(out, total);
	if (r < 0)
		return r;
	buf_append(out, &head, sizeof(head));
	for (i = 0; i < TEXT_COUNT; i++) {
		if (head.lens[i] > 0)
			buf_append(out, text_of(&copy, i)->ptr, head.lens[i]);
	}
	crc = crc32c(crc, out->data + begin + sizeof(crc), total - sizeof(crc));
	memcpy(out->data + begin, &crc, sizeof(crc));
	return 0;
}

/* A row of a later version may have a longer head, whose end is passed over; its texts are ours and perhaps more. */
static int check_row(const void *key, size_t key_len, const char *row, size_t len, struct head *ret_head)
{
	uint32_t crc;

	if (key_len != sizeof(struct letter_key) || len < sizeof(*ret_head))
		return -SHOAL_EDAMAGED;
	memcpy(ret_head, row, sizeof(*ret_head));
	crc = crc32c(crc32c(0, key, key_len), row + sizeof(crc), len - sizeof(crc));
	if (crc != ret_head->crc || ret_head->head_len < sizeof(*ret_head) || ret_head->head_len > len)
		return -SHOAL_EDAMAGED;
	return ret_head->version == ROW_VERSION ? 0 : -SHOAL_EVERSION;
}

int letter_read(const void *key, size_t key_len, const void *row, size_t len, struct letter *ret_letter)
{
	struct letter letter = { 0 };
	struct letter_key names;
	const char *at = row;
	struct head head;
	size_t i;
	int r;

	r = check_row(key, key_len, row, len, &head);
	if (r < 0)
		return r;
	memcpy(&names, key, sizeof(names));
	letter.session = names.session;
	letter.sequence = be64toh(names.sequence_be);
	letter.wall_ms = head.wall_ms;
	letter.boot_ns = head.boot_ns;
	letter.boot = head.boot;
	letter.guild_id = head.guild_id;
	letter.full_len = head.full_len;
	letter.crashes = head.crashes;
	letter.type = head.type;
	letter.flags = head.flags;
	at += head.head_len;
	len -= head.head_len;
	for (i = 0; i < TEXT_COUNT; i++) {
		if (head.lens[i] > len)
			return -SHOAL_EDAMAGED;
		*text_of(&letter, i) = (struct letter_text){ at, head.lens[i] };
		at += head.lens[i];
		len -= head.lens[i];
	}
	*ret_letter = letter;
	return 0;
}

/* --- names
 * ------------------------------------------------------------------------------------------------------------ */

#define STORE_PREFIX "letters-"
#define STAGE_PREFIX "kept-"

static int make_path(const char *dir, const char *prefix, uint32_t generation, uint32_t shard_id, char *path,
		     size_t size)
{
	int n = snprintf(path, size, "%s/%s%" PRIu32 "-%" PRIu32, dir, prefix, generation, shard_id);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int letter_store_path(const char *state_dir, uint32_t generation, uint32_t shard_id, char *path, size_t size)
{
	return make_path(state_dir, STORE_PREFIX, generation, shard_id, path, size);
}

int letter_stage_path(const char *runtime_dir, uint32_t generation, uint32_t shard_id, char *path, size_t size)
{
	return make_path(runtime_dir, STAGE_PREFIX, generation, shard_id, path, size);
}

/* Exactly as make_path() writes it. */
static bool parse_name(const char *name, const char *prefix, uint32_t *ret_generation, uint32_t *ret_shard_id)
{
	char again[64];
	uint32_t generation, shard_id;

	if (strncmp(name, prefix, strlen(prefix)) != 0 ||
	    sscanf(name + strlen(prefix), "%" SCNu32 "-%" SCNu32, &generation, &shard_id) != 2)
		return false;
	snprintf(again, sizeof(again), "%s%" PRIu32 "-%" PRIu32, prefix, generation, shard_id);
	if (strcmp(again, name) != 0)
		return false;
	*ret_generation = generation;
	*ret_shard_id = shard_id;
	return true;
}

bool letter_parse_store_name(const char *name, uint32_t *ret_generation, uint32_t *ret_shard_id)
{
	return parse_name(name, STORE_PREFIX, ret_generation, ret_shard_id);
}

bool letter_parse_stage_name(const char *name, uint32_t *ret_generation, uint32_t *ret_shard_id)
{
	return parse_name(name, STAGE_PREFIX, ret_generation, ret_shard_id);
}

char *letter_id_print(uint32_t shard_id, uint64_t session, uint64_t sequence, char text[LETTER_ID_SIZE])
{
	snprintf(text, LETTER_ID_SIZE, "%" PRIu32 "-%" PRIu64 "-%06" PRIx32, shard_id, sequence,
		 (uint32_t)session & SESSION_MASK);
	return text;
}

int letter_id_parse(const char *text, struct letter_id *ret_id)
{
	struct letter_id id;
	char again[LETTER_ID_SIZE];

	if (strlen(text) >= LETTER_ID_SIZE ||
	    sscanf(text, "%" SCNu32 "-%" SCNu64 "-%" SCNx32, &id.shard_id, &id.sequence, &id.session_low) != 3)
		return -EINVAL;
	/* What is read leniently is taken only when it is written so. */
	if (strcmp(letter_id_print(id.shard_id, id.session_low, id.sequence, again), text) != 0)
		return -EINVAL;
	*ret_id = id;
	return 0;
}

bool letter_id_is(const struct letter_id *id, uint64_t session, uint64_t sequence)
{
	return sequence == id->sequence && ((uint32_t)session & SESSION_MASK) == id->session_low;
}

/* --- bytes of events
 * -------------------------------------------------------------------------------------------------- */

/* The text that begins behind the quote at @at: its end, which is the closing quote, or @end. */
static const char *text_end(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++) {
		if (*at == '\\')
			at++;
	}
	return at < end ? at : end;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

static bool is_blank(const char *at, const char *end)
{
	while (at < end && *at == 'x')
		at++;
	return at == end;
}

/* Finds from *at on the next member "token" whose value is a text that is not blank; that text's bounds. */
static bool find_token(const char **at, const char *end, const char **ret_begin, const char **ret_end)
{
	static const char name[] = "token";

	while (*at < end) {
		const char *begin = memchr(*at, '"', (size_t)(end - *at)), *close, *value;

		if (!begin)
			break;
		close = text_end(begin + 1, end);
		*at = close < end ? close + 1 : end;
		if ((size_t)(close - begin - 1) != sizeof(name) - 1 || memcmp(begin + 1, name, sizeof(name) - 1) != 0)
			continue;
		value = skip_space(*at, end);
		if (value == end || *value != ':')
			continue;
		value = skip_space(value + 1, end);
		if (value == end || *value != '"')
			continue;
		close = text_end(value + 1, end);
		*at = close < end ? close + 1 : end;
		if (close > value + 1 && !is_blank(value + 1, close)) {
			*ret_begin = value + 1;
			*ret_end = close;
			return true;
		}
	}
	return false;
}

size_t letter_blank_tokens(char *json, size_t len)
{
	const char *at = json, *begin, *end;
	size_t count = 0;

	while (find_token(&at, json + len, &begin, &end)) {
		memset(json + (begin - json), 'x', (size_t)(end - begin));
		count++;
	}
	return count;
}

bool letter_has_token(const char *json, size_t len)
{
	const char *at = json, *begin, *end;

	return find_token(&at, json + len, &begin, &end);
}

/* The digits between two quotes; 0: something else stands there. */
static uint64_t read_id(const char *begin, const char *end)
{
	uint64_t id = 0;

	if (begin == end || end - begin > 20)
		return 0;
	for (; begin < end; begin++) {
		if (*begin < '0' || *begin > '9' || __builtin_mul_overflow(id, 10, &id) ||
		    __builtin_add_overflow(id, (uint64_t)(*begin - '0'), &id))
			return 0;
	}
	return id;
}

/* Where the member's value begins whose name ends at @close; NULL: it is no name. */
static const char *value_of(const char *close, const char *end)
{
	const char *at = close < end ? skip_space(close + 1, end) : end;

	if (at == end || *at != ':')
		return NULL;
	at = skip_space(at + 1, end);
	return at < end ? at : NULL;
}

uint64_t letter_event_id(const char *json, size_t len)
{
	const char *at = json, *end = json + len;
	uint64_t depth = 0, id = 0;
	bool in_d = false;

	for (; at < end; at++) {
		const char *close, *value;

		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && depth > 0)
			depth--;
		if (*at != '"')
			continue;
		close = text_end(at + 1, end);
		value = value_of(close, end);
		if (value && depth == 1)
			in_d = close - at == 2 && at[1] == 'd' && *value == '{';
		else if (value && depth == 2 && in_d && close - at == 3 && memcmp(at + 1, "id", 2) == 0 &&
			 *value == '"')
			id = read_id(value + 1, text_end(value + 1, end));
		at = close;
	}
	return id;
}

bool letter_mentions(const char *json, size_t len, uint64_t user_id)
{
	static const char *const around[][2] = { { "\"", "\"" }, { "<@", ">" }, { "<@!", ">" } };
	char text[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(around); i++) {
		int n = snprintf(text, sizeof(text), "%s%" PRIu64 "%s", around[i][0], user_id, around[i][1]);

		if (memmem(json, len, text, (size_t)n))
			return true;
	}
	return false;
}

uint64_t letter_age_ms(int64_t wall_ms, uint64_t boot_ns, uint64_t boot)
{
	uint64_t now_ns = clock_boottime_ns();
	int64_t now_ms = clock_wall_ms();

	if (boot != 0 && boot == boot_id() && now_ns >= boot_ns)
		return (now_ns - boot_ns) / NS_PER_MS;
	return now_ms > wall_ms ? (uint64_t)(now_ms - wall_ms) : 0;
}
