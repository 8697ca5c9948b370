/* SPDX-License-Identifier: MIT */
/* libwebsockets as the carrier of one socket. Run by the transport. lws is given a socket that is connected already,
 * since its own client resolves names by blocking and hides why a connect failed; TLS and WebSocket are done above (see
 * tls.c and frame.c for why). It must not let lws close anything while one of our callbacks for it is on the stack. */
#include "shard/gateway/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libwebsockets.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"

/* Descriptors that lws has a table for: its own pipe, a socket, and one that is still closing. 0 would mean one for
 * each descriptor that the process may open (a third of a megabyte). */
#define LWS_DESCRIPTORS 8
/* Passes of the loop that lws's handles need to close, before its context can be freed. */
#define SETTLE_PASSES 4

struct wire {
	const struct wire_events *events;
	void *arg;
	struct lws_context *context;
	struct lws *wsi;  /* the socket, or NULL */
	bool in_callback; /* one of lws's is on the stack: it closes the socket by its return value */
	bool stopped;     /* reading is off */
	uv_idle_t settle;
	int passes;
	loop_fn done;
	void *done_arg;
};

/* What TCP knows after lws has read the end: a state after the peer's FIN, or none after a reset. */
static int closed_error(struct lws *wsi)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int fd = lws_get_socket_fd(wsi), error = 0;

	if (fd < 0)
		return -ECONNRESET;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) }) == 0 && error)
		return -error;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return 0; /* no TCP: a socket pair, whose end is an end */
	return info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_ESTABLISHED ? -ECONNRESET : 0;
}

static void on_closed(struct wire *wire, struct lws *wsi)
{
	wire->wsi = NULL;
	wire->events->closed(wire->arg, closed_error(wsi));
}

/* lws's one callback. A socket that we have dropped is told so by -1. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct lws_context *context = lws_get_context(wsi);
	struct wire *wire = context ? lws_context_user(context) : NULL;

	(void)user;
	if (reason == LWS_CALLBACK_RAW_ADOPT && wire) {
		wire->wsi = wsi;
		return 0;
	}
	if (reason != LWS_CALLBACK_RAW_RX && reason != LWS_CALLBACK_RAW_WRITEABLE && reason != LWS_CALLBACK_RAW_CLOSE)
		return 0;
	if (!wire || wire->wsi != wsi)
		return reason == LWS_CALLBACK_RAW_CLOSE ? 0 : -1;
	wire->in_callback = true;
	if (reason == LWS_CALLBACK_RAW_RX)
		wire->events->received(wire->arg, in, len);
	else if (reason == LWS_CALLBACK_RAW_WRITEABLE)
		wire->events->writable(wire->arg);
	else
		on_closed(wire, wsi);
	wire->in_callback = false;
	return wire->wsi == wsi || reason == LWS_CALLBACK_RAW_CLOSE ? 0 : -1;
}

static const struct lws_protocols protocols[] = {
	{ .name = "gateway", .callback = on_event },
	{ .name = NULL },
};

/* lws's errors; its chatter below that is not ours to pass on. */
static void on_log(int level, const char *line)
{
	size_t len = strcspn(line, "\n");
	char text[200];

	(void)level;
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, line, len);
	text[len] = '\0';
	log_warn(NULL, "gateway.libwebsockets", KV_STR("text", text));
}

int wire_new(struct loop *loop, const struct wire_events *events, void *arg, struct wire **ret_wire)
{
	CLEANUP(cleanup_free) struct wire *wire = calloc(1, sizeof(*wire));
	void *loops[] = { &loop->uv };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.foreign_loops = loops,
		.fd_limit_per_thread = LWS_DESCRIPTORS,
		.pt_serv_buf_size = WIRE_READ_BYTES + LWS_PRE,
		.count_threads = 1,
		.max_http_header_pool = 1,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.user = wire,
	};

	if (!wire)
		return -ENOMEM;
	wire->events = events;
	wire->arg = arg;
	lws_set_log_level(LLL_ERR, on_log);
	wire->context = lws_create_context(&info);
	if (!wire->context) {
		log_error(NULL, "gateway.libwebsockets_start",
			  KV_MSG("libwebsockets did not start; is its libuv part (package libwebsockets-evlib-uv) "
				 "installed?"));
		return -EIO;
	}
	uv_idle_init(&loop->uv, &wire->settle); /* can't fail */
	wire->settle.data = wire;
	*ret_wire = TAKE(wire);
	return 0;
}

int wire_adopt(struct wire *wire, int fd)
{
	lws_adopt_desc_t how = {
		.vh = lws_get_vhost_by_name(wire->context, "default"),
		.type = LWS_ADOPT_SOCKET,
		.fd = { .sockfd = fd },
		.vh_prot_name = protocols[0].name,
	};
	struct lws *wsi;

	if (wire->wsi) {
		cleanup_close(&fd);
		return -EBUSY;
	}
	wire->stopped = false;
	wsi = lws_adopt_descriptor_vhost_via_info(&how); /* closes @fd when it fails */
	if (!wsi || wsi != wire->wsi) {
		wire->wsi = NULL;
		return -EIO;
	}
	return 0;
}

void wire_want_write(struct wire *wire)
{
	if (wire->wsi)
		lws_callback_on_writable(wire->wsi);
}

int wire_write(struct wire *wire, const char *bytes, size_t len)
{
	int n;

	if (!wire->wsi)
		return -EIO;
	/* lws keeps what the kernel does not take at once; it never writes to the bytes of a raw connection. */
	n = lws_write(wire->wsi, (unsigned char *)(uintptr_t)bytes, len, LWS_WRITE_RAW);
	return n < 0 || (size_t)n != len ? -EIO : 0;
}

bool wire_is_flushed(const struct wire *wire)
{
	return !wire->wsi || !lws_partial_buffered(wire->wsi);
}

void wire_shutdown(struct wire *wire)
{
	if (wire->wsi)
		shutdown(lws_get_socket_fd(wire->wsi), SHUT_WR);
}

void wire_set_reading(struct wire *wire, bool reading)
{
	if (!wire->wsi || wire->stopped == !reading)
		return;
	wire->stopped = !reading;
	lws_rx_flow_control(wire->wsi, reading);
}

void wire_drop(struct wire *wire)
{
	struct lws *wsi = wire->wsi;

	wire->wsi = NULL;
	/* Within lws's own callback the return value says it; elsewhere its timers would not run before the next I/O.
	 */
	if (wsi && !wire->in_callback)
		lws_set_timeout(wsi, NO_PENDING_TIMEOUT, LWS_TO_KILL_SYNC);
}

static void on_settle_closed(uv_handle_t *handle)
{
	struct wire *wire = handle->data;
	loop_fn done = wire->done;
	void *arg = wire->done_arg;

	free(wire);
	if (done)
		done(arg);
}

/* With a loop of ours lws frees its context in two steps: the first closes its handles, the second may only come when
 * libuv is through with them, and nothing tells. An idle handle keeps the loop turning until that is so. */
static void on_settle(uv_idle_t *idle)
{
	struct wire *wire = idle->data;

	if (++wire->passes < SETTLE_PASSES)
		return;
	uv_idle_stop(idle);
	lws_context_destroy(wire->context);
	uv_close((uv_handle_t *)idle, on_settle_closed);
}

void wire_destroy(struct wire *wire, loop_fn done, void *arg)
{
	wire->done = done;
	wire->done_arg = arg;
	wire_drop(wire);
	lws_context_destroy(wire->context);
	uv_idle_start(&wire->settle, on_settle);
}
