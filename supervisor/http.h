/* The supervisor's small HTTP/1.1 server: read-only pages for probes, Prometheus and people. Bounded in connections,
 * bytes and time. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_HTTP_H
#define SHOAL_SUPERVISOR_HTTP_H

#include "shared/base/buf.h"
#include "shared/loop/loop.h"

#define HTTP_CONNECTIONS_MAX     64 /* the one that has been slowest makes place for a new one */
#define HTTP_PEER_MAX            48 /* of one address: others get in whatever it does */
#define HTTP_BODY_MAX            (16 * 1024 * 1024)
#define HTTP_REQUEST_DEADLINE_MS 5000 /* first byte of a head to its end, and an answer to its last byte */
#define HTTP_IDLE_DEADLINE_MS    15000
#define HTTP_ADDRESS_SIZE        64

/* Fills @body (empty, capped at HTTP_BODY_MAX); returns the HTTP status, or negative errno (answered as 500). */
typedef int (*http_page_fn)(void *arg, struct buf *body);

struct http_route {
	const char *path;
	const char *content_type;
	http_page_fn page;
	const char *help;
};

struct http_server;

/* "127.0.0.1:9470", "[::1]:9470", "localhost:0". -EINVAL: not of that form. */
int http_address(const char *listen, struct sockaddr_storage *ret_address);

/* Binds and listens. @routes: keeps (static), ends with a row without path. -EINVAL (form), -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES, … */
int http_new(struct loop *loop, const char *listen, const struct http_route *routes, void *arg,
	     struct http_server **ret_server);
/* "127.0.0.1:41234": where it really listens. */
const char *http_listening(const struct http_server *server);
unsigned http_connections(const struct http_server *server);
/* Closes all; the memory goes when libuv is done. NULL is nothing to do. */
void http_close(struct http_server *server);

#endif
