/* Sockets on the one loop. Bytes to send gather in conn->out during a pass and leave in one write at its end (a prepare
 * handle), so a hundred events to one shard cost one system call. Protocols never touch the socket. */
#include "tests/sim/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <netinet/in.h>

#include "tests/sim/util.h"

#define IN_MAX    (28U << 20)
#define OUT_MAX   (64U << 20)
#define TICK_MS   20
#define FINISH_MS 1000
#define SILENT_MS 30000

static uv_loop_t *loop;
static uv_tcp_t listeners[LISTENER_COUNT];
static const struct conn_ops *listener_ops[LISTENER_COUNT];
static bool listening[LISTENER_COUNT];
static uv_prepare_t prepare;
static uv_timer_t timer;
static struct tls_server *tls_server;
static void (*on_end_of_pass)(void);
static void (*on_tick)(uint64_t now_ms);
static struct conn *all, *dirty;
static uint64_t count;
static char read_area[256 << 10]; /* one for all: libuv hands it over and calls back at once */

static void flush(struct conn *conn);

static void mark_dirty(struct conn *conn)
{
	if (conn->dirty || conn->dead)
		return;
	conn->dirty = true;
	conn->next_dirty = dirty;
	dirty = conn;
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;

	buf_free(&conn->in);
	buf_free(&conn->out);
	buf_free(&conn->wire);
	buf_free(&conn->inflight);
	tls_free(conn->tls);
	free(conn);
}

static void forget_dirty(struct conn *conn)
{
	if (!conn->dirty)
		return;
	for (struct conn **at = &dirty; *at; at = &(*at)->next_dirty) {
		if (*at == conn) {
			*at = conn->next_dirty;
			break;
		}
	}
	conn->dirty = false;
}

void conn_drop(struct conn *conn, bool reset)
{
	if (conn->dead)
		return;
	conn->dead = true;
	forget_dirty(conn);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		all = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	count--;
	conn->ops->closed(conn);
	/* A stream that was shut down cannot be reset any more (UV_EINVAL). */
	if (!reset || conn->shut || uv_tcp_close_reset(&conn->tcp, on_closed) < 0)
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(read_area, sizeof(read_area));
}

static void take_plain(struct conn *conn, const char *bytes, size_t n)
{
	buf_append(&conn->in, bytes, n);
	if (conn->in.failed) {
		log_line(LOG_WARN, "a peer sent more than %u bytes at once: dropped", IN_MAX);
		conn_drop(conn, true);
	} else {
		conn->ops->input(conn);
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *conn = stream->data;
	int r;

	if (conn->dead || n == 0)
		return;
	if (n < 0) {
		conn_drop(conn, false);
		return;
	}
	if (!conn->tls) {
		take_plain(conn, buf->base, (size_t)n);
		return;
	}
	r = tls_feed(conn->tls, buf->base, (size_t)n, &conn->in);
	mark_dirty(conn); /* a handshake answers by itself */
	if (conn->in.len > 0)
		conn->ops->input(conn);
	if (r != 0 && !conn->dead) {
		flush(conn); /* the alert that says why */
		conn_drop(conn, false);
	}
}

static void on_connection(uv_stream_t *server, int status)
{
	enum conn_listener which = (enum conn_listener)((uv_tcp_t *)server - listeners);
	struct conn *conn;

	if (status < 0) {
		log_line(LOG_ERROR, "accept: %s", uv_strerror(status));
		return;
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return;
	buf_init(&conn->in, IN_MAX);
	buf_init(&conn->out, OUT_MAX);
	buf_init(&conn->wire, OUT_MAX);
	buf_init(&conn->inflight, OUT_MAX);
	conn->listener = which;
	conn->ops = listener_ops[which];
	uv_tcp_init(loop, &conn->tcp);
	conn->tcp.data = conn;
	if (tls_server && which != LISTENER_CONTROL)
		conn->tls = tls_new(tls_server);
	if (uv_accept(server, (uv_stream_t *)&conn->tcp) < 0 ||
	    (tls_server && which != LISTENER_CONTROL && !conn->tls)) {
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
		return;
	}
	uv_tcp_nodelay(&conn->tcp, 1);
	conn->deadline_ms = mono_ms() + SILENT_MS; /* until it has said something whole */
	conn->next = all;
	if (all)
		all->prev = conn;
	all = conn;
	count++;
	uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	(void)req;
	(void)status; /* the peer's end of file or the deadline closes it */
}

static void on_write(uv_write_t *req, int status)
{
	struct conn *conn = req->data;

	conn->writing = false;
	buf_clear(&conn->inflight);
	if (conn->inflight.cap > CONN_OUT_HIGH * 2)
		buf_free(&conn->inflight);
	if (conn->dead)
		return;
	if (status < 0)
		conn_drop(conn, false);
	else
		flush(conn);
}

static void write_rest(struct conn *conn, struct buf *wire)
{
	struct buf spare = conn->inflight;
	uv_buf_t bytes;

	conn->inflight = *wire;
	*wire = spare;
	bytes = uv_buf_init(buf_data(&conn->inflight), (unsigned int)conn->inflight.len);
	conn->write_req.data = conn;
	conn->writing = true;
	if (uv_write(&conn->write_req, (uv_stream_t *)&conn->tcp, &bytes, 1, on_write) < 0) {
		conn->writing = false;
		conn_drop(conn, false);
	}
}

/* One try at the socket. True when all that was there is gone and more may be asked for. */
static bool write_some(struct conn *conn, struct buf *wire, bool last_try)
{
	size_t n = wire->len;
	uv_buf_t bytes;
	int r;

	if (conn->slow_bytes_per_s && n > conn->slow_budget)
		n = (size_t)conn->slow_budget;
	if (!n)
		return wire->len == 0;
	bytes = uv_buf_init(buf_data(wire), (unsigned int)n);
	r = uv_try_write((uv_stream_t *)&conn->tcp, &bytes, 1);
	if (r < 0 && r != UV_EAGAIN) {
		conn_drop(conn, false);
		return false;
	}
	if (r > 0) {
		buf_consume(wire, (size_t)r);
		if (conn->slow_bytes_per_s)
			conn->slow_budget -= (uint64_t)r;
	}
	if (wire->len == 0)
		return true;
	if (!conn->slow_bytes_per_s && (r == UV_EAGAIN || last_try))
		write_rest(conn, wire);
	return false;
}

static void flush(struct conn *conn)
{
	struct buf *wire = conn->tls ? &conn->wire : &conn->out;

	for (int tries = 0; tries < 4; tries++) {
		if (conn->dead || conn->writing || conn->half_open)
			return;
		if (conn->tls && tls_drain(conn->tls, &conn->out, &conn->wire) < 0) {
			conn_drop(conn, false);
			return;
		}
		if (wire->len > 0 && !write_some(conn, wire, tries >= 2)) {
			if (conn->dead || conn->writing || conn->slow_bytes_per_s)
				return;
			continue;
		}
		if (conn->closing_politely && conn->out.len == 0) {
			if (!conn->shut &&
			    uv_shutdown(&conn->shutdown_req, (uv_stream_t *)&conn->tcp, on_shutdown) == 0)
				conn->shut = true;
			return;
		}
		if (conn->closing_politely || !conn->ops->drained)
			return;
		conn->ops->drained(conn);
		if (conn->dead || conn->out.len == 0)
			return;
		if (tries == 3) { /* others want their turn: libuv calls back when the socket takes it */
			if (conn->tls)
				mark_dirty(conn);
			else if (!conn->slow_bytes_per_s)
				write_rest(conn, &conn->out);
		}
	}
}

/* Flushing may make others dirty (a session that ends): until nothing is. */
static void flush_dirty(void)
{
	while (dirty) {
		struct conn *conn = dirty;

		dirty = conn->next_dirty;
		conn->dirty = false;
		flush(conn);
	}
}

static void on_prepare(uv_prepare_t *handle)
{
	(void)handle;
	flush_dirty();
	on_end_of_pass(); /* may answer long polls */
	flush_dirty();
}

static void on_timer(uv_timer_t *handle)
{
	uint64_t now_ms = mono_ms();
	struct conn *next;

	(void)handle;
	for (struct conn *conn = all; conn; conn = next) {
		next = conn->next;
		if (conn->deadline_ms && now_ms >= conn->deadline_ms) {
			conn_drop(conn, false);
			continue;
		}
		if (conn->slow_bytes_per_s) {
			uint64_t share = conn->slow_bytes_per_s * TICK_MS / 1000;

			conn->slow_budget += share ? share : 1;
			if (conn->slow_budget > conn->slow_bytes_per_s)
				conn->slow_budget = conn->slow_bytes_per_s;
			mark_dirty(conn);
		}
	}
	on_tick(now_ms);
}

int conn_init(uv_loop_t *on_loop, struct tls_server *tls, void (*end_of_pass)(void), void (*tick)(uint64_t now_ms))
{
	loop = on_loop;
	tls_server = tls;
	on_end_of_pass = end_of_pass;
	on_tick = tick;
	uv_prepare_init(loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	uv_timer_init(loop, &timer);
	return uv_timer_start(&timer, on_timer, TICK_MS, TICK_MS);
}

int conn_listen(enum conn_listener which, const char *address, const struct conn_ops *ops)
{
	const char *colon = strrchr(address, ':');
	struct sockaddr_storage bound;
	int len = sizeof(bound), r;
	struct sockaddr_in addr;
	char host[64];

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		return -EINVAL;
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = 0;
	r = uv_ip4_addr(host, atoi(colon + 1), &addr);
	if (r < 0)
		return r;
	listener_ops[which] = ops;
	uv_tcp_init(loop, &listeners[which]);
	listening[which] = true;
	r = uv_tcp_bind(&listeners[which], (struct sockaddr *)&addr, 0);
	if (r < 0)
		return r;
	r = uv_listen((uv_stream_t *)&listeners[which], 4096, on_connection);
	if (r < 0)
		return r;
	r = uv_tcp_getsockname(&listeners[which], (struct sockaddr *)&bound, &len);
	return r < 0 ? r : ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

void conn_stop_all(void)
{
	for (int i = 0; i < LISTENER_COUNT; i++) {
		if (listening[i] && !uv_is_closing((uv_handle_t *)&listeners[i]))
			uv_close((uv_handle_t *)&listeners[i], NULL);
	}
	while (all)
		conn_drop(all, false);
	if (!uv_is_closing((uv_handle_t *)&timer))
		uv_close((uv_handle_t *)&timer, NULL);
	if (!uv_is_closing((uv_handle_t *)&prepare))
		uv_close((uv_handle_t *)&prepare, NULL);
}

void conn_appended(struct conn *conn, size_t n)
{
	if (conn->dead)
		return;
	conn->appended += n;
	if (conn->out.failed) {
		log_line(LOG_WARN, "a peer does not read: %u bytes wait for it, dropped", OUT_MAX);
		conn_drop(conn, true);
		return;
	}
	mark_dirty(conn);
}

void conn_send(struct conn *conn, const void *bytes, size_t n)
{
	if (conn->dead)
		return;
	buf_append(&conn->out, bytes, n);
	conn_appended(conn, n);
}

uint64_t conn_written(const struct conn *conn)
{
	uint64_t waiting = conn->out.len + conn->wire.len;

	if (conn->writing)
		waiting += uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp);
	return waiting > conn->appended ? 0 : conn->appended - waiting;
}

void conn_finish(struct conn *conn)
{
	if (conn->dead || conn->closing_politely)
		return;
	conn->closing_politely = true;
	conn->deadline_ms = mono_ms() + FINISH_MS;
	mark_dirty(conn);
}

void conn_half_open(struct conn *conn)
{
	if (conn->dead)
		return;
	conn->half_open = true;
	uv_read_stop((uv_stream_t *)&conn->tcp);
}

void conn_slow(struct conn *conn, uint64_t bytes_per_s)
{
	conn->slow_bytes_per_s = bytes_per_s;
	conn->slow_budget = 0;
	mark_dirty(conn);
}

void conn_each(void (*fn)(struct conn *conn, void *arg), void *arg)
{
	struct conn *next;

	for (struct conn *conn = all; conn; conn = next) {
		next = conn->next;
		fn(conn, arg);
	}
}

uint64_t conn_count(void)
{
	return count;
}
