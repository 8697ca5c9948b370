/* SPDX-License-Identifier: MIT */
/* WebSocket frames as a client reads and writes them. Run by the transport on its loop; pure but for the memory of a
 * message in pieces. It must never trust a length: a message is refused by its header, before any byte is kept. */
#include "shard/gateway/frame.h"

#include <errno.h>
#include <string.h>

static const char *const error_names[FRAME_ERROR_COUNT] = {
	[FRAME_OK] = "ok",
	[FRAME_BAD_RSV] = "reserved_bits",
	[FRAME_BAD_MASKED] = "masked",
	[FRAME_BAD_OPCODE] = "opcode",
	[FRAME_BAD_LENGTH] = "length_form",
	[FRAME_BAD_CONTROL] = "control_frame",
	[FRAME_BAD_CONTINUATION] = "continuation",
	[FRAME_BAD_CLOSE] = "close_frame",
	[FRAME_TOO_LARGE] = "too_large",
	[FRAME_NO_MEMORY] = "no_memory",
};

const char *frame_error_name(enum frame_error error)
{
	return (unsigned int)error < FRAME_ERROR_COUNT ? error_names[error] : "unknown";
}

bool frame_close_code_valid(unsigned int code)
{
	if (code < 1000 || code > 4999)
		return false;
	if (code >= 3000)
		return true;
	return code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

/* Well-formed UTF-8 (RFC 3629). Only for close reasons: payloads are checked by the envelope's scanner. */
static bool utf8_valid(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	while (p < end) {
		uint8_t c = *p++;
		uint8_t low = 0x80, high = 0xBF;
		int more;

		if (c < 0x80)
			continue;
		if (c < 0xC2 || c > 0xF4)
			return false;
		more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
		if (c == 0xE0)
			low = 0xA0;
		else if (c == 0xED)
			high = 0x9F;
		else if (c == 0xF0)
			low = 0x90;
		else if (c == 0xF4)
			high = 0x8F;
		while (more-- > 0) {
			if (p == end || *p < low || *p > high)
				return false;
			p++;
			low = 0x80;
			high = 0xBF;
		}
	}
	return true;
}

void frame_parser_init(struct frame_parser *parser, size_t max_message_bytes)
{
	memset(parser, 0, sizeof(*parser));
	buf_init(&parser->message, max_message_bytes);
}

void frame_parser_reset(struct frame_parser *parser)
{
	size_t max = parser->message.max;

	buf_finish(&parser->message);
	frame_parser_init(parser, max);
}

static enum frame_result broken(struct frame_parser *parser, enum frame_error error)
{
	parser->error = error;
	return FRAME_BROKEN;
}

static bool is_control(uint8_t opcode)
{
	return opcode & 0x8;
}

static size_t header_size(uint8_t second)
{
	uint8_t len7 = second & 0x7F;

	return len7 == 127 ? 10 : len7 == 126 ? 4 : 2;
}

static enum frame_error check_opcode(const struct frame_parser *parser, uint8_t opcode, bool fin)
{
	switch (opcode) {
	case FRAME_CONTINUATION:
		return parser->message_opcode ? FRAME_OK : FRAME_BAD_CONTINUATION;
	case FRAME_TEXT:
	case FRAME_BINARY:
		return parser->message_opcode ? FRAME_BAD_CONTINUATION : FRAME_OK;
	case FRAME_CLOSE:
	case FRAME_PING:
	case FRAME_PONG:
		return fin ? FRAME_OK : FRAME_BAD_CONTROL;
	default:
		return FRAME_BAD_OPCODE;
	}
}

/* The shortest form is required: a length that lies about its size is a sign of a broken or hostile peer. */
static enum frame_error read_length(const uint8_t *head, uint64_t *ret_len)
{
	uint8_t len7 = head[1] & 0x7F;
	uint64_t len = 0;

	if (len7 < 126) {
		*ret_len = len7;
		return FRAME_OK;
	}
	for (int i = 0; i < (len7 == 126 ? 2 : 8); i++)
		len = len << 8 | head[2 + i];
	if (len7 == 126 ? len < 126 : len < 65536 || len >> 63)
		return FRAME_BAD_LENGTH;
	*ret_len = len;
	return FRAME_OK;
}

/* A whole header is at @head: takes the frame's description from it. */
static enum frame_error open_frame(struct frame_parser *parser, const uint8_t *head)
{
	uint8_t opcode = head[0] & 0xF;
	bool fin = head[0] & 0x80;
	enum frame_error error;
	uint64_t len = 0;

	if (head[0] & 0x70)
		return FRAME_BAD_RSV;
	if (head[1] & 0x80)
		return FRAME_BAD_MASKED;
	error = check_opcode(parser, opcode, fin);
	if (error)
		return error;
	error = read_length(head, &len);
	if (error)
		return error;
	if (is_control(opcode)) {
		if (len > FRAME_CONTROL_MAX)
			return FRAME_BAD_CONTROL;
	} else if (len > parser->message.max - parser->message.len) {
		parser->frame_left = len; /* what was meant, for who wants to tell */
		if (opcode == FRAME_TEXT || opcode == FRAME_BINARY)
			parser->message_opcode = opcode;
		return FRAME_TOO_LARGE;
	}
	parser->opcode = opcode;
	parser->fin = fin;
	parser->frame_left = len;
	parser->control_len = 0;
	parser->in_payload = true;
	if (opcode == FRAME_TEXT || opcode == FRAME_BINARY)
		parser->message_opcode = opcode;
	return FRAME_OK;
}

/* Reads a header, from the input alone or joined with what an earlier input began. MORE: it is not whole yet. */
static enum frame_result read_header(struct frame_parser *parser, char **bytes, size_t *len)
{
	const uint8_t *head = (const uint8_t *)*bytes;
	enum frame_error error;

	if (parser->head_len || *len < 2 || *len < header_size(head[1])) {
		size_t need = 2;

		for (;;) {
			if (parser->head_len >= 2)
				need = header_size(parser->head[1]);
			if (parser->head_len == need)
				break;
			if (!*len)
				return FRAME_MORE;
			parser->head[parser->head_len++] = (uint8_t) * *bytes;
			(*bytes)++;
			(*len)--;
		}
		head = parser->head;
		parser->head_len = 0;
	} else {
		*bytes += header_size(head[1]);
		*len -= header_size(head[1]);
	}
	error = open_frame(parser, head);
	return error ? broken(parser, error) : FRAME_READY;
}

static enum frame_result give_control(struct frame_parser *parser, struct frame *ret_frame)
{
	struct frame frame = { .opcode = parser->opcode, .bytes = parser->control, .len = parser->control_len };
	const uint8_t *p = (const uint8_t *)parser->control;

	if (frame.opcode == FRAME_CLOSE) {
		frame.close_code = 1005;
		if (frame.len == 1)
			return broken(parser, FRAME_BAD_CLOSE);
		if (frame.len >= 2) {
			frame.close_code = (uint16_t)(p[0] << 8 | p[1]);
			frame.bytes += 2;
			frame.len -= 2;
			if (!frame_close_code_valid(frame.close_code) || !utf8_valid(frame.bytes, frame.len))
				return broken(parser, FRAME_BAD_CLOSE);
		}
	}
	parser->in_payload = false;
	*ret_frame = frame;
	return FRAME_READY;
}

static enum frame_result read_control(struct frame_parser *parser, char **bytes, size_t *len, struct frame *ret_frame)
{
	size_t take = *len < parser->frame_left ? *len : (size_t)parser->frame_left;

	memcpy(parser->control + parser->control_len, *bytes, take);
	parser->control_len = (uint8_t)(parser->control_len + take);
	parser->frame_left -= take;
	*bytes += take;
	*len -= take;
	return parser->frame_left ? FRAME_MORE : give_control(parser, ret_frame);
}

static enum frame_result give_message(struct frame_parser *parser, char *bytes, size_t len, struct frame *ret_frame)
{
	*ret_frame =
		(struct frame){ .opcode = parser->message_opcode, .bytes = len ? bytes : parser->control, .len = len };
	parser->message_opcode = 0;
	parser->in_payload = false;
	return FRAME_READY;
}

/* The common case: a message of one frame, whole in the input, is given as it lies there. */
static bool is_whole(const struct frame_parser *parser, size_t len)
{
	return parser->fin && !parser->message.len && parser->frame_left <= len && parser->opcode != FRAME_CONTINUATION;
}

static enum frame_result read_data(struct frame_parser *parser, char **bytes, size_t *len, struct frame *ret_frame)
{
	size_t take = *len < parser->frame_left ? *len : (size_t)parser->frame_left;
	char *start = *bytes;
	int r;

	if (is_whole(parser, *len)) {
		*bytes += take;
		*len -= take;
		return give_message(parser, start, take, ret_frame);
	}
	/* Grows with what has come, never by what the header promises: a header alone can't make us allocate. */
	r = buf_append(&parser->message, start, take);
	if (r < 0)
		return broken(parser, r == -ENOBUFS ? FRAME_TOO_LARGE : FRAME_NO_MEMORY);
	*bytes += take;
	*len -= take;
	parser->frame_left -= take;
	if (parser->frame_left)
		return FRAME_MORE;
	parser->in_payload = false;
	if (!parser->fin)
		return *len ? FRAME_READY : FRAME_MORE; /* on to the next fragment */
	parser->delivered = true;
	return give_message(parser, parser->message.data, parser->message.len, ret_frame);
}

enum frame_result frame_next(struct frame_parser *parser, char **bytes, size_t *len, struct frame *ret_frame)
{
	struct frame none = { .opcode = FRAME_CONTINUATION };

	if (parser->error)
		return FRAME_BROKEN;
	if (parser->delivered) {
		buf_clear(&parser->message, FRAME_KEEP_BYTES);
		parser->delivered = false;
	}
	for (;;) {
		struct frame frame = none;
		enum frame_result result;

		if (!parser->in_payload) {
			result = read_header(parser, bytes, len);
			if (result != FRAME_READY)
				return result;
		}
		result = is_control(parser->opcode) ? read_control(parser, bytes, len, &frame)
						    : read_data(parser, bytes, len, &frame);
		if (result != FRAME_READY)
			return result;
		if (frame.opcode != FRAME_CONTINUATION) {
			*ret_frame = frame;
			return FRAME_READY;
		}
	}
}

size_t frame_oversize(const struct frame_parser *parser, bool *ret_text)
{
	*ret_text = parser->message_opcode == FRAME_TEXT;
	return parser->frame_left > SIZE_MAX - parser->message.len ? SIZE_MAX
								   : (size_t)parser->frame_left + parser->message.len;
}

static void mask(char *out, const char *in, size_t len, uint32_t key)
{
	uint8_t k[4];

	memcpy(k, &key, sizeof(k));
	for (size_t i = 0; i < len; i++)
		out[i] = (char)((uint8_t)in[i] ^ k[i & 3]);
}

int frame_append(struct buf *out, enum frame_opcode opcode, const void *payload, size_t len, uint32_t key)
{
	uint8_t head[14] = { (uint8_t)(0x80 | opcode) };
	size_t head_len = 2;
	int r;

	if (is_control(opcode) && len > FRAME_CONTROL_MAX)
		return -EMSGSIZE;
	if (len < 126) {
		head[1] = (uint8_t)(0x80 | len);
	} else if (len < 65536) {
		head[1] = 0x80 | 126;
		head[2] = (uint8_t)(len >> 8);
		head[3] = (uint8_t)len;
		head_len = 4;
	} else {
		head[1] = 0x80 | 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
		head_len = 10;
	}
	memcpy(head + head_len, &key, 4);
	head_len += 4;
	r = buf_reserve(out, head_len + len);
	if (r < 0)
		return r;
	memcpy(out->data + out->len, head, head_len);
	mask(out->data + out->len + head_len, payload, len, key);
	out->len += head_len + len;
	return 0;
}

int frame_append_close(struct buf *out, uint16_t code, const char *reason, uint32_t key)
{
	char payload[FRAME_CONTROL_MAX] = { (char)(code >> 8), (char)code };
	size_t len = reason ? strlen(reason) : 0;

	if (len > sizeof(payload) - 2) {
		len = sizeof(payload) - 2;
		while (len && ((uint8_t)reason[len] & 0xC0) == 0x80)
			len--;
	}
	if (len)
		memcpy(payload + 2, reason, len);
	return frame_append(out, FRAME_CLOSE, payload, len + 2, key);
}
