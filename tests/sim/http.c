/* The HTTP/1.1 server. It reads one request at a time from a connection; the next is looked at when it was answered.
 * It knows no routes. HTTP/2 (h2.c) makes the same struct exchange. */
#include "tests/sim/http.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "tests/sim/h2.h"
#include "tests/sim/util.h"

#define HEAD_MAX (64U << 10)
#define BODY_MAX (26U << 20)
#define IDLE_MS  400000 /* a kept connection without requests */

struct http1 {
	struct exchange *current;
	bool refused; /* a broken request was answered: nothing more is read */
};

static http_handler_fn handlers[LISTENER_COUNT];

void http_set_handler(enum conn_listener which, http_handler_fn handler)
{
	handlers[which] = handler;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Payload Too Large" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Status";
}

const char *exchange_header(const struct exchange *x, const char *name)
{
	for (size_t i = 0; i < x->header_count; i++) {
		if (!strcasecmp(x->headers[i].name, name))
			return x->headers[i].value;
	}
	return NULL;
}

bool exchange_query(const struct exchange *x, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);
	const char *at = x->query;

	while (*at) {
		size_t len = strcspn(at, "&");

		if (len > name_len && !strncmp(at, name, name_len) && at[name_len] == '=') {
			size_t value_len = len - name_len - 1;

			if (value_len >= size)
				return false;
			memcpy(out, at + name_len + 1, value_len);
			out[value_len] = 0;
			return percent_decode(out);
		}
		at += len + (at[len] == '&');
	}
	return false;
}

bool exchange_query_true(const struct exchange *x, const char *name)
{
	char value[8];

	return exchange_query(x, name, value, sizeof(value)) &&
	       (!strcmp(value, "true") || !strcmp(value, "True") || !strcmp(value, "1"));
}

json_t *exchange_json(const struct exchange *x)
{
	return json_loadb(x->body, x->body_len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->conn && !x->stream) {
		struct http1 *http = x->conn->http;

		if (http && http->current == x)
			http->current = NULL;
	} else if (x->conn) {
		h2_forget(x);
	}
	buf_free(&x->reply_headers);
	free(x->memory);
	free(x);
}

void exchange_abort(struct exchange *x)
{
	struct conn *conn = x->conn;

	exchange_free(x);
	if (conn)
		conn_drop(conn, true);
}

void exchange_hang(struct exchange *x)
{
	x->gone = exchange_free;
}

static void input(struct conn *conn);

const char *http_date(void)
{
	static char text[32];
	static time_t then;
	time_t now = time(NULL);
	struct tm parts;

	if (now != then && gmtime_r(&now, &parts))
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
	then = now;
	return text;
}

static void write_head(struct exchange *x, int status, const char *content_type, size_t len)
{
	struct buf *out = &x->conn->out;
	size_t before = out->len;

	buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), http_date());
	if (content_type)
		buf_printf(out, "Content-Type: %s\r\n", content_type);
	if (status != 204)
		buf_printf(out, "Content-Length: %zu\r\n", len);
	if (!x->keep_alive)
		buf_lit(out, "Connection: close\r\n");
	buf_append(out, buf_data(&x->reply_headers), x->reply_headers.len);
	buf_lit(out, "\r\n");
	conn_appended(x->conn, out->len - before);
}

void exchange_reply(struct exchange *x, int status, const char *content_type, const void *body, size_t len)
{
	struct conn *conn = x->conn;
	bool keep_alive = x->keep_alive;

	if (!conn) {
		exchange_free(x);
		return;
	}
	if (x->stream) {
		h2_reply(x, status, content_type, body, len);
		return;
	}
	write_head(x, status, content_type, len);
	if (len > 0)
		conn_send(conn, body, len);
	exchange_free(x);
	if (conn->dead)
		return;
	if (!keep_alive)
		conn_finish(conn);
	if (!conn->deadline_ms && conn->listener != LISTENER_CONTROL)
		conn->deadline_ms = mono_ms() + IDLE_MS;
	if (keep_alive && conn->in.len > 0)
		input(conn);
}

void exchange_reply_half(struct exchange *x, int status, const char *content_type, const void *body, size_t len)
{
	struct conn *conn = x->conn;

	if (!conn || x->stream) {
		exchange_abort(x);
		return;
	}
	write_head(x, status, content_type, len);
	conn_send(conn, body, len / 2);
	exchange_free(x);
	if (!conn->dead)
		conn_finish(conn);
}

struct conn *exchange_take_over(struct exchange *x, const struct conn_ops *ops)
{
	struct conn *conn = x->conn;

	exchange_free(x);
	free(conn->http);
	conn->http = NULL;
	conn->ops = ops;
	return conn;
}

static void refuse(struct conn *conn, struct http1 *http, int status)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
			 http_reason(status));

	http->refused = true;
	conn_send(conn, text, (size_t)n);
	conn_finish(conn);
}

/* Splits the head in place. False when it is no HTTP/1.x request. */
static bool parse_head(struct exchange *x, char *head)
{
	char *line = head, *end, *target, *version;

	end = strstr(line, "\r\n");
	if (!end)
		return false;
	*end = 0;
	target = strchr(line, ' ');
	if (!target)
		return false;
	*target++ = 0;
	version = strchr(target, ' ');
	if (!version || strncmp(version + 1, "HTTP/1.", 7))
		return false;
	*version++ = 0;
	x->method = line;
	x->path = target;
	x->query = strchr(target, '?');
	if (x->query) {
		*(char *)x->query = 0;
		x->query++;
	} else {
		x->query = "";
	}
	x->keep_alive = !strcmp(version, "HTTP/1.1");
	for (line = end + 2; *line; line = end + 2) {
		char *value;

		end = strstr(line, "\r\n");
		if (!end)
			return false;
		*end = 0;
		value = strchr(line, ':');
		if (!value || x->header_count == HTTP_HEADERS_MAX)
			return false;
		*value++ = 0;
		value += strspn(value, " \t");
		for (char *tail = value + strlen(value); tail > value && (tail[-1] == ' ' || tail[-1] == '\t');)
			*--tail = 0;
		x->headers[x->header_count++] = (struct header){ line, value };
	}
	return true;
}

/* Joins a chunked body in place. The bytes it took from @data, 0 when more must come, -1 when it is broken. */
static long dechunk(char *data, size_t len, size_t *ret_body_len)
{
	size_t in = 0, out = 0;

	for (;;) {
		char *end = memmem(data + in, len - in, "\r\n", 2), *stop;
		unsigned long size;

		if (!end)
			return 0;
		size = strtoul(data + in, &stop, 16);
		if (stop == data + in || size > BODY_MAX)
			return -1;
		in = (size_t)(end - data) + 2;
		if (in + size + 2 > len)
			return 0;
		if (size == 0) {
			*ret_body_len = out;
			return (long)in + 2; /* trailers are not understood */
		}
		memmove(data + out, data + in, size);
		out += size;
		in += size + 2;
	}
}

/* Takes one whole request out of conn->in. 1 got it, 0 more must come, or the status to refuse it with. */
static int take_request(struct conn *conn, struct exchange **ret)
{
	char *data = buf_data(&conn->in), *head_end = memmem(data, conn->in.len, "\r\n\r\n", 4);
	size_t head_len, body_len = 0, used;
	const char *length, *encoding;
	struct exchange *x;
	int status = 400;

	if (!head_end)
		return conn->in.len > HEAD_MAX ? 431 : 0;
	head_len = (size_t)(head_end - data) + 4;
	if (head_len > HEAD_MAX)
		return 431;
	x = calloc(1, sizeof(*x));
	if (!x)
		return 500;
	buf_init(&x->reply_headers, 16384);
	x->memory = malloc(conn->in.len + 2);
	if (!x->memory) {
		free(x);
		return 500;
	}
	memcpy(x->memory, data, head_len - 2);
	x->memory[head_len - 2] = 0;
	if (!parse_head(x, x->memory))
		goto refuse;
	memcpy(x->memory + head_len, data + head_len, conn->in.len - head_len);
	encoding = exchange_header(x, "Transfer-Encoding");
	length = exchange_header(x, "Content-Length");
	if (encoding && !strcasecmp(encoding, "chunked")) {
		long n = dechunk(x->memory + head_len, conn->in.len - head_len, &body_len);

		if (n <= 0) {
			status = n < 0 ? 400 : 0;
			goto refuse;
		}
		used = head_len + (size_t)n;
	} else {
		char *end = "";

		if (length)
			body_len = strtoul(length, &end, 10);
		if (*end || body_len > BODY_MAX) {
			status = *end ? 400 : 413;
			goto refuse;
		}
		used = head_len + body_len;
		if (used > conn->in.len) {
			status = 0;
			goto refuse;
		}
	}
	x->body = x->memory + head_len;
	x->memory[head_len + body_len] = 0;
	x->body_len = body_len;
	x->conn = conn;
	x->arrived_us = mono_us();
	if (exchange_header(x, "Connection") && !strcasecmp(exchange_header(x, "Connection"), "close"))
		x->keep_alive = false;
	buf_consume(&conn->in, used);
	*ret = x;
	return 1;
refuse:
	exchange_free(x);
	return status;
}

static void input(struct conn *conn)
{
	struct http1 *http = conn->http;
	struct exchange *x = NULL;
	int r;

	if (!http) {
		if (conn->tls && tls_is_h2(conn->tls)) {
			h2_start(conn, handlers[conn->listener]);
			return;
		}
		http = conn->http = calloc(1, sizeof(*http));
		if (!http) {
			conn_drop(conn, true);
			return;
		}
	}
	if (http->current || http->refused || !conn->in.len)
		return;
	r = take_request(conn, &x);
	if (r > 1)
		refuse(conn, http, r);
	if (r != 1)
		return;
	http->current = x;
	conn->deadline_ms = 0; /* its answer may be late on purpose */
	handlers[conn->listener](x);
}

static void closed(struct conn *conn)
{
	struct http1 *http = conn->http;
	struct exchange *x = http ? http->current : NULL;

	conn->http = NULL;
	free(http);
	if (!x)
		return;
	x->conn = NULL;
	if (x->gone)
		x->gone(x);
}

const struct conn_ops http_ops = { .input = input, .closed = closed };
