/* HTTP/1.1 server: requests are read whole, answers may come at once or later. */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include "tests/sim/conn.h"

#include <jansson.h>

#define HTTP_HEADERS_MAX 64

struct header {
	const char *name;
	const char *value;
};

/* One request and the place for its answer. Lives until exchange_reply, exchange_abort or exchange_free. */
struct exchange {
	struct conn *conn; /* NULL once the client has gone */
	int32_t stream;    /* HTTP/2 stream; 0: HTTP/1.1 */
	char *memory;      /* the texts below lie in it */
	const char *method;
	const char *path;  /* without the query, not decoded */
	const char *query; /* "" when there is none */
	struct header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	const char *body; /* NUL behind it */
	size_t body_len;
	uint64_t arrived_us; /* monotonic */
	bool keep_alive;
	struct buf reply_headers; /* complete "Name: value\r\n" lines */
	/* An answer that is held back (latency) or watched (long poll). */
	void (*gone)(struct exchange *x); /* the client left before the answer; takes @x */
	void *held;
	const void *route;
};

/* Requests of a connection's listener go to one of these. Takes @x. */
typedef void (*http_handler_fn)(struct exchange *x);

/* Ops for conn_listen; requests that arrive on the listener go to @handler, set once before listening. */
extern const struct conn_ops http_ops;
void http_set_handler(enum conn_listener which, http_handler_fn handler);

/* Value of a request header, or NULL. Case does not matter. */
const char *exchange_header(const struct exchange *x, const char *name);
/* Copies one query parameter (percent-decoded) into @out; false when it is absent, broken or too long. */
bool exchange_query(const struct exchange *x, const char *name, char *out, size_t size);
bool exchange_query_true(const struct exchange *x, const char *name);
/* The body as JSON, or NULL. New reference. */
json_t *exchange_json(const struct exchange *x);

/* Answers and frees @x. @content_type may be NULL when there is no body. */
void exchange_reply(struct exchange *x, int status, const char *content_type, const void *body, size_t len);
/* Sends the head and half of the body, then drops the connection. Frees @x. */
void exchange_reply_half(struct exchange *x, int status, const char *content_type, const void *body, size_t len);
/* Never answers: the connection stays, @x is freed when the client leaves. */
void exchange_hang(struct exchange *x);
/* Drops the connection without an answer. Frees @x. */
void exchange_abort(struct exchange *x);
/* Frees without answering; for one whose client has gone. */
void exchange_free(struct exchange *x);
/* Takes the connection over for another protocol: what remains in conn->in belongs to it. Frees @x. */
struct conn *exchange_take_over(struct exchange *x, const struct conn_ops *ops);
const char *http_reason(int status);
/* Now, as the Date header has it; static. */
const char *http_date(void);

#endif
