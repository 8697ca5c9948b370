/* HTTP/2 for the API under TLS. Frames are libnghttp2's; a request becomes the same struct exchange that HTTP/1.1
 * makes, so no handler knows the difference. libnghttp2 calls back in the middle of reading: what a handler submits
 * there is sent afterwards, and a connection that a handler drops is taken down when the reading has returned. */
#include "tests/sim/h2.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <nghttp2/nghttp2.h>

#include "tests/sim/util.h"

#define HEADERS_BYTES_MAX (64U << 10)
#define BODY_MAX          (26U << 20)
#define REPLY_HEADERS_MAX 24
#define IDLE_MS           400000

struct stream {
	int32_t id;
	struct exchange *x; /* while it waits for its answer */
	struct buf text;    /* name NUL value NUL … as they come */
	struct buf body;
	size_t header_count;
	char *reply;
	size_t reply_len, reply_at;
	bool refused;
	struct stream *next;
};

struct h2 {
	struct conn *conn; /* NULL once it is gone */
	nghttp2_session *session;
	http_handler_fn handler;
	struct stream *streams;
	bool receiving;
};

static struct stream *find(struct h2 *h, int32_t id)
{
	for (struct stream *s = h->streams; s; s = s->next) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static void stream_free(struct stream *s)
{
	struct exchange *x = s->x;

	buf_free(&s->text);
	buf_free(&s->body);
	free(s->reply);
	free(s);
	if (!x)
		return;
	x->conn = NULL;
	if (x->gone)
		x->gone(x);
}

static void h2_free(struct h2 *h)
{
	nghttp2_session_del(h->session);
	while (h->streams) {
		struct stream *s = h->streams;

		h->streams = s->next;
		stream_free(s);
	}
	free(h);
}

/* --- libnghttp2 calls back --------------------------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct stream *s;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	s->id = frame->hd.stream_id;
	buf_init(&s->text, HEADERS_BYTES_MAX);
	buf_init(&s->body, BODY_MAX);
	s->next = h->streams;
	h->streams = s;
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct stream *s = find(arg, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (!s)
		return 0;
	buf_append(&s->text, name, name_len);
	buf_append(&s->text, "", 1);
	buf_append(&s->text, value, value_len);
	buf_append(&s->text, "", 1);
	s->header_count++;
	if (s->text.failed || s->header_count > HTTP_HEADERS_MAX)
		s->refused = true;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *arg)
{
	struct stream *s = find(arg, id);

	(void)session;
	(void)flags;
	if (!s)
		return 0;
	buf_append(&s->body, bytes, n);
	s->refused |= s->body.failed;
	return 0;
}

/* The request as an exchange; NULL when it is none. */
static struct exchange *make_exchange(struct h2 *h, struct stream *s)
{
	struct exchange *x = calloc(1, sizeof(*x));
	size_t head = s->text.len;
	char *at;

	if (!x)
		return NULL;
	buf_init(&x->reply_headers, 16384);
	x->memory = malloc(head + s->body.len + 1);
	if (!x->memory)
		goto bad;
	if (head)
		memcpy(x->memory, buf_data(&s->text), head);
	if (s->body.len)
		memcpy(x->memory + head, buf_data(&s->body), s->body.len);
	x->memory[head + s->body.len] = 0;
	at = x->memory;
	for (size_t i = 0; i < s->header_count; i++) {
		const char *name = at, *value = name + strlen(name) + 1;

		at += strlen(name) + strlen(value) + 2;
		if (!strcmp(name, ":method"))
			x->method = value;
		else if (!strcmp(name, ":path"))
			x->path = value;
		else if (name[0] != ':')
			x->headers[x->header_count++] = (struct header){ name, value };
	}
	if (!x->method || !x->path)
		goto bad;
	x->query = strchr(x->path, '?');
	if (x->query) {
		*(char *)x->query = 0;
		x->query++;
	} else {
		x->query = "";
	}
	x->body = x->memory + head;
	x->body_len = s->body.len;
	x->conn = h->conn;
	x->stream = s->id;
	x->arrived_us = mono_us();
	x->keep_alive = true;
	return x;
bad:
	free(x->memory);
	free(x);
	return NULL;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct stream *s;

	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = find(h, frame->hd.stream_id);
	if (!s || s->x || !h->conn)
		return 0;
	s->x = s->refused ? NULL : make_exchange(h, s);
	buf_free(&s->body);
	if (!s->x) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	h->handler(s->x);
	return h->conn ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	(void)error;
	for (struct stream **at = &h->streams; *at; at = &(*at)->next) {
		struct stream *s = *at;

		if (s->id != id)
			continue;
		*at = s->next;
		stream_free(s);
		break;
	}
	return 0;
}

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
			  nghttp2_data_source *source, void *arg)
{
	struct stream *s = source->ptr;
	size_t left = s->reply_len - s->reply_at, n = left < room ? left : room;

	(void)session;
	(void)id;
	(void)arg;
	memcpy(out, s->reply + s->reply_at, n);
	s->reply_at += n;
	if (s->reply_at == s->reply_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* --- the connection ---------------------------------------------------------------------------------------------- */

static void pump(struct conn *conn)
{
	struct h2 *h = conn->http;

	while (!conn->dead && conn->out.len < CONN_OUT_HIGH) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(h->session, &bytes);

		if (n <= 0)
			break;
		conn_send(conn, bytes, (size_t)n);
	}
	if (!conn->dead && !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
		conn_finish(conn);
}

static void input(struct conn *conn)
{
	struct h2 *h = conn->http;
	ssize_t n;

	conn->deadline_ms = mono_ms() + IDLE_MS;

	h->receiving = true;
	n = nghttp2_session_mem_recv(h->session, (const uint8_t *)buf_data(&conn->in), conn->in.len);
	h->receiving = false;
	if (!h->conn) {
		h2_free(h);
		return;
	}
	if (n < 0) {
		conn_drop(conn, false);
		return;
	}
	buf_consume(&conn->in, (size_t)n);
	conn_appended(conn, 0); /* answers leave with this pass */
}

static void closed(struct conn *conn)
{
	struct h2 *h = conn->http;

	conn->http = NULL;
	h->conn = NULL;
	if (!h->receiving)
		h2_free(h);
}

static const struct conn_ops h2_ops = { .input = input, .drained = pump, .closed = closed };

void h2_start(struct conn *conn, http_handler_fn handler)
{
	static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 256 },
							   { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20 } };
	nghttp2_session_callbacks *callbacks = NULL;
	struct h2 *h = calloc(1, sizeof(*h));

	if (!h || nghttp2_session_callbacks_new(&callbacks) != 0) {
		free(h);
		conn_drop(conn, true);
		return;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	h->conn = conn;
	h->handler = handler;
	conn->http = h;
	conn->ops = &h2_ops;
	if (nghttp2_session_server_new(&h->session, callbacks, h) != 0 ||
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, 2) != 0) {
		nghttp2_session_callbacks_del(callbacks);
		conn_drop(conn, true);
		return;
	}
	nghttp2_session_callbacks_del(callbacks);
	input(conn);
}

/* --- answering --------------------------------------------------------------------------------------------------- */

static nghttp2_nv pair(const char *name, size_t name_len, const char *value, size_t value_len)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, name_len, value_len, NGHTTP2_NV_FLAG_NONE };
}

/* Cuts "Name: value\r\n" lines into pairs, names in lower case, in place. */
static size_t cut_headers(char *text, size_t len, nghttp2_nv *out, size_t max)
{
	size_t n = 0;

	for (char *at = text, *end; at < text + len && n < max; at = end + 2) {
		char *colon;

		end = memmem(at, len - (size_t)(at - text), "\r\n", 2);
		colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;
		if (!colon)
			break;
		for (char *c = at; c < colon; c++)
			*c = (char)tolower((unsigned char)*c);
		out[n++] = pair(at, (size_t)(colon - at), colon + 2, (size_t)(end - colon - 2));
	}
	return n;
}

void h2_reply(struct exchange *x, int status, const char *content_type, const void *body, size_t len)
{
	struct h2 *h = x->conn->http;
	struct stream *s = find(h, x->stream);
	nghttp2_data_provider provider = { .source = { .ptr = s }, .read_callback = read_reply };
	nghttp2_nv headers[REPLY_HEADERS_MAX];
	char status_text[8], length[24];
	size_t n = 0;

	snprintf(status_text, sizeof(status_text), "%d", status);
	snprintf(length, sizeof(length), "%zu", len);
	headers[n++] = pair(":status", 7, status_text, strlen(status_text));
	headers[n++] = pair("date", 4, http_date(), strlen(http_date()));
	if (content_type)
		headers[n++] = pair("content-type", 12, content_type, strlen(content_type));
	if (status != 204)
		headers[n++] = pair("content-length", 14, length, strlen(length));
	n += cut_headers(buf_data(&x->reply_headers), x->reply_headers.len, headers + n, REPLY_HEADERS_MAX - n);
	if (s) {
		s->reply = len ? malloc(len) : NULL;
		if (s->reply) {
			memcpy(s->reply, body, len);
			s->reply_len = len;
		}
		nghttp2_submit_response(h->session, s->id, headers, n, s->reply ? &provider : NULL);
	}
	conn_appended(x->conn, 0);
	exchange_free(x);
}

void h2_forget(struct exchange *x)
{
	struct h2 *h = x->conn->http;
	struct stream *s = h ? find(h, x->stream) : NULL;

	if (s)
		s->x = NULL;
}
