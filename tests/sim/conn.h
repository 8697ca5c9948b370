/* One TCP connection, plain or TLS, with everything a hostile peer needs: reset, half-open, slow. */
#ifndef SIM_CONN_H
#define SIM_CONN_H

#include "tests/sim/buf.h"
#include "tests/sim/tls.h"

#include <uv.h>

enum conn_listener { LISTENER_API, LISTENER_RESUME, LISTENER_CONTROL, LISTENER_COUNT };

struct conn;

/* What the protocol on top of a connection does. All run on the loop. */
struct conn_ops {
	void (*input)(struct conn *conn);   /* conn->in grew */
	void (*drained)(struct conn *conn); /* conn->out is nearly empty: more may be produced */
	void (*closed)(struct conn *conn);  /* last call; called once, at once when the link is lost or dropped */
};

#define CONN_OUT_LOW  (64U << 10)  /* below this `drained` is called */
#define CONN_OUT_HIGH (256U << 10) /* producers stop here */

struct conn {
	uv_tcp_t tcp;
	uv_write_t write_req;
	uv_shutdown_t shutdown_req;
	enum conn_listener listener;
	const struct conn_ops *ops;
	struct tls *tls;
	struct buf in;        /* plain bytes received */
	struct buf out;       /* plain bytes to send */
	struct buf wire;      /* ciphertext to send (TLS) */
	struct buf inflight;  /* handed to libuv */
	uint64_t appended;    /* plain bytes ever put into out: see conn_written */
	uint64_t deadline_ms; /* closed by the tick when this moment passed; 0: none */
	uint64_t slow_bytes_per_s;
	uint64_t slow_budget;
	bool dead;
	bool dirty;
	bool writing;
	bool half_open;
	bool closing_politely;
	bool shut;
	struct conn *next_dirty;
	struct conn *prev, *next; /* all connections of the process */
	void *http;               /* struct http1 or struct h2 */
	void *gateway;            /* struct gateway once upgraded */
};

/* Prepares the loop: flushing at the end of each pass, and a tick of 20 ms that calls @tick with the monotonic ms. */
int conn_init(uv_loop_t *loop, struct tls_server *tls, void (*end_of_pass)(void), void (*tick)(uint64_t now_ms));
/* Opens a listener on "addr:port" (port 0: any); its connections start with @ops. The bound port, or -errno. */
int conn_listen(enum conn_listener which, const char *address, const struct conn_ops *ops);
/* Closes listeners, timer and every connection, so that the loop can end. */
void conn_stop_all(void);

/* Adds bytes to be sent at the end of this pass of the loop. */
void conn_send(struct conn *conn, const void *bytes, size_t n);
/* Says that conn->out was appended to directly by @n bytes. */
void conn_appended(struct conn *conn, size_t n);
/* Count of plain bytes the kernel took, on the scale of conn->appended. With TLS what is encrypted but not yet taken is
 * counted as not written. */
uint64_t conn_written(const struct conn *conn);
/* Sends what is queued, then ends the connection (FIN; dropped after 1 s). */
void conn_finish(struct conn *conn);
/* Drops the connection at once; @reset sends RST. */
void conn_drop(struct conn *conn, bool reset);
/* From now on nothing is read and nothing is written, and nothing is closed either. */
void conn_half_open(struct conn *conn);
/* At most that many bytes a second are sent from now on; 0 lifts it. */
void conn_slow(struct conn *conn, uint64_t bytes_per_s);
/* Walks all connections. @fn may drop the one it is given. */
void conn_each(void (*fn)(struct conn *conn, void *arg), void *arg);
uint64_t conn_count(void);

#endif
