/* A small deflate encoder (RFC 1951) whose output can be patched: one block of fixed Huffman codes, in which a digit
 * is always eight bits, so a number may be overwritten in place without compressing anything again. Matches are kept
 * away from the places that change. Done once at start; the writing is a copy and some ORs. */
#include "tests/sim/deflate.h"

#include <stdlib.h>

#define WINDOW     32768
#define HASH_BITS  15
#define CHAIN_MAX  64
#define MATCH_MIN  4
#define MATCH_MAX  258
#define HEAD_TEXT  "{\"t\":\"GUILD_CREATE\",\"s\":"
#define AFTER_TEXT ",\"op\":0,\"d\":"

struct bits {
	struct buf bytes;
	uint32_t pending;
	unsigned int count; /* bits in pending */
};

struct hole_at {
	uint64_t bit; /* from the start of `rest` */
	struct deflate_hole hole;
};

struct deflate_template {
	struct buf head; /* whole bytes before the sequence; 3 bits of its next byte are in head_tail */
	uint8_t head_tail;
	struct buf rest; /* begins 3 bits into its first byte */
	struct hole_at *holes;
	size_t hole_count;
};

static uint32_t reversed(uint32_t code, unsigned int n)
{
	uint32_t out = 0;

	while (n--) {
		out = out << 1 | (code & 1);
		code >>= 1;
	}
	return out;
}

static void put_bits(struct bits *w, uint32_t value, unsigned int n)
{
	w->pending |= value << w->count;
	w->count += n;
	while (w->count >= 8) {
		char byte = (char)w->pending;

		buf_append(&w->bytes, &byte, 1);
		w->pending >>= 8;
		w->count -= 8;
	}
}

static void put_literal(struct bits *w, unsigned char c)
{
	if (c < 144)
		put_bits(w, reversed(0x30 + c, 8), 8);
	else
		put_bits(w, reversed(0x190 + c - 144U, 9), 9);
}

static void put_text(struct bits *w, const char *text)
{
	for (; *text; text++)
		put_literal(w, (unsigned char)*text);
}

static void put_match(struct bits *w, unsigned int len, unsigned int distance)
{
	static const uint16_t len_base[] = { 3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
					     31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258 };
	static const uint8_t len_extra[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					     2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
	static const uint16_t dist_base[] = { 1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
					      33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
					      1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
	unsigned int code = 28, dist = 29, symbol;

	while (len < len_base[code])
		code--;
	while (distance < dist_base[dist])
		dist--;
	symbol = 257 + code;
	if (symbol < 280)
		put_bits(w, reversed(symbol - 256, 7), 7);
	else
		put_bits(w, reversed(0xc0 + symbol - 280, 8), 8);
	put_bits(w, len - len_base[code], len_extra[code]);
	put_bits(w, reversed(dist, 5), 5);
	put_bits(w, distance - dist_base[dist], dist < 4 ? 0 : dist / 2 - 1);
}

/* For each byte, how many bytes from it on are free of holes (at most MATCH_MAX). */
static uint16_t *free_runs(size_t len, const struct deflate_hole *holes, size_t count)
{
	uint16_t *runs = calloc(len + 1, sizeof(*runs));
	size_t next = count;

	if (!runs)
		return NULL;
	for (size_t i = len; i-- > 0;) {
		while (next > 0 && holes[next - 1].offset > i)
			next--;
		if (next > 0 && i < (size_t)holes[next - 1].offset + holes[next - 1].digits)
			runs[i] = 0;
		else
			runs[i] = (uint16_t)(runs[i + 1] < MATCH_MAX ? runs[i + 1] + 1 : MATCH_MAX);
	}
	return runs;
}

static uint32_t hash4(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v * 2654435761U >> (32 - HASH_BITS);
}

struct matcher {
	const char *text;
	size_t len;
	const uint16_t *runs;
	uint32_t head[1 << HASH_BITS]; /* position + 1 */
	uint32_t *chain;
};

static unsigned int longest(const struct matcher *m, size_t at, size_t *ret_from)
{
	unsigned int best = 0, limit = m->runs[at];
	uint32_t from;

	if (limit < MATCH_MIN || at + MATCH_MIN > m->len)
		return 0;
	from = m->head[hash4(m->text + at)];
	for (int tries = 0; from && tries < CHAIN_MAX && at - (from - 1) <= WINDOW;
	     tries++, from = m->chain[from - 1]) {
		unsigned int n = 0, most = m->runs[from - 1] < limit ? m->runs[from - 1] : limit;

		while (n < most && m->text[from - 1 + n] == m->text[at + n])
			n++;
		if (n > best) {
			best = n;
			*ret_from = from - 1;
		}
	}
	return best >= MATCH_MIN ? best : 0;
}

static void remember(struct matcher *m, size_t at)
{
	uint32_t h;

	if (at + 4 > m->len)
		return;
	h = hash4(m->text + at);
	m->chain[at] = m->head[h];
	m->head[h] = (uint32_t)at + 1;
}

static void encode(struct matcher *m, struct bits *w, struct deflate_template *t)
{
	size_t at = 0, hole = 0;

	while (at < m->len) {
		unsigned int len;
		size_t from = 0;

		if (hole < t->hole_count && t->holes[hole].hole.offset == at) {
			t->holes[hole].bit = w->bytes.len * 8 + w->count;
			for (unsigned int i = 0; i < t->holes[hole].hole.digits; i++)
				put_bits(w, 0, 8);
			at += t->holes[hole++].hole.digits;
			continue;
		}
		len = longest(m, at, &from);
		if (len)
			put_match(w, len, (unsigned int)(at - from));
		else
			put_literal(w, (unsigned char)m->text[at]);
		for (unsigned int i = 0; i < (len ? len : 1); i++)
			remember(m, at + i);
		at += len ? len : 1;
	}
}

struct deflate_template *deflate_template_make(const char *text, size_t len, const struct deflate_hole *holes,
					       size_t hole_count)
{
	struct deflate_template *t = calloc(1, sizeof(*t));
	struct matcher *m = calloc(1, sizeof(*m));
	struct bits head = { 0 }, rest = { 0 };
	uint16_t *runs = free_runs(len, holes, hole_count);
	uint32_t *chain = calloc(len + 1, sizeof(*chain));
	bool good = t && m && runs && chain;

	buf_init(&head.bytes, 4096);
	buf_init(&rest.bytes, len * 2 + 4096);
	if (good)
		t->holes = calloc(hole_count + 1, sizeof(*t->holes));
	if (good && t->holes) {
		*m = (struct matcher){ .text = text, .len = len, .runs = runs, .chain = chain };
		for (size_t i = 0; i < hole_count; i++)
			t->holes[i].hole = holes[i];
		t->hole_count = hole_count;
		put_bits(&head, 2, 3); /* not final, fixed codes */
		put_text(&head, HEAD_TEXT);
		t->head_tail = (uint8_t)head.pending;
		rest.count = head.count; /* 3: every literal here is eight bits */
		put_text(&rest, AFTER_TEXT);
		encode(m, &rest, t);
		put_literal(&rest, '}');
		put_bits(&rest, 0, 7); /* end of block */
		put_bits(&rest, 0, 3); /* an empty stored block: the flush mark */
		if (rest.count)
			put_bits(&rest, 0, 8 - rest.count);
		buf_append(&rest.bytes, "\x00\x00\xff\xff", 4);
		t->head = head.bytes;
		t->rest = rest.bytes;
	}
	good = good && t->holes && !t->head.failed && !t->rest.failed;
	free(m);
	free(runs);
	free(chain);
	if (!good) {
		deflate_template_free(t);
		t = NULL;
	}
	return t;
}

void deflate_template_free(struct deflate_template *t)
{
	if (!t)
		return;
	buf_free(&t->head);
	buf_free(&t->rest);
	free(t->holes);
	free(t);
}

/* ORs one digit, given as a number, into eight zero bits that begin @bit bits behind @at. */
static void or_digit(unsigned char *at, uint64_t bit, unsigned int digit)
{
	static const uint8_t codes[10] = { 0x06, 0x86, 0x46, 0xc6, 0x26, 0xa6, 0x66, 0xe6, 0x16, 0x96 };
	unsigned int wide = (unsigned int)codes[digit] << (bit & 7);

	at[bit >> 3] |= (unsigned char)wide;
	at[(bit >> 3) + 1] |= (unsigned char)(wide >> 8);
}

void deflate_template_write(const struct deflate_template *t, uint64_t index, uint64_t guild_id, uint64_t seq,
			    struct buf *out)
{
	char digits[20];
	size_t seq_len = u64_digits(digits, seq), head_len = t->head.len + seq_len;
	unsigned char *at = (unsigned char *)buf_room(out, head_len + t->rest.len);

	if (!at)
		return;
	memcpy(at, buf_data(&t->head), t->head.len);
	memset(at + t->head.len, 0, seq_len);
	memcpy(at + head_len, buf_data(&t->rest), t->rest.len);
	at[t->head.len] |= t->head_tail;
	for (size_t i = 0; i < seq_len; i++)
		or_digit(at, t->head.len * 8 + 3 + i * 8, (unsigned int)(digits[i] - '0'));
	for (size_t i = 0; i < t->hole_count; i++) {
		const struct hole_at *h = &t->holes[i];
		uint64_t value = h->hole.kind == HOLE_ID ? guild_id | h->hole.low : index;
		uint64_t bit = head_len * 8 + h->bit + (uint64_t)h->hole.digits * 8;

		for (unsigned int k = 0; k < h->hole.digits; k++, value /= 10)
			or_digit(at, bit -= 8, (unsigned int)(value % 10));
	}
	out->len += head_len + t->rest.len;
}
