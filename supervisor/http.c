/* The HTTP server of the supervisor. Run on its loop. It must stay a side room: a hostile peer may cost a connection
 * slot for a few seconds and a few KiB, nothing more; a page is made at once from memory and never waits. */
#include "supervisor/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "supervisor/http_parse.h"

/* After the last answer: how long and how much of what a peer still sends is read and dropped. */
#define LINGER_MS    1000
#define LINGER_BYTES (1024 * 1024)

struct connection {
	uv_tcp_t tcp;
	uv_write_t write;
	struct http_server *server;
	struct connection *prev, *next;
	struct buf out; /* head and body of the answer being written */
	uint64_t deadline_ns;
	uint64_t since_ns; /* since when it is at what it does: sends a head, reads an answer, says nothing */
	char peer[INET6_ADDRSTRLEN];
	bool writing;
	bool closing;
	bool close_after; /* the answer being written is the last */
	bool eof;
	bool lingering; /* answered for the last time: what still comes is read and dropped */
	size_t dropped;
	uv_shutdown_t shutdown;
	size_t len;
	char in[HTTP_HEAD_MAX];
};

struct http_server {
	uv_tcp_t tcp;
	struct loop *loop;
	struct loop_hook tick;
	const struct http_route *routes;
	void *arg;
	struct connection *connections;
	unsigned count;
	unsigned handles; /* uv handles not closed yet, the listener's included */
	bool closing;
	char address[HTTP_ADDRESS_SIZE];
};

static const struct status_row {
	int status;
	const char *reason;
} status_rows[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_rows); i++)
		if (status_rows[i].status == status)
			return status_rows[i].reason;
	return "Unknown";
}

static void serve(struct connection *connection);

static void unref(struct http_server *server)
{
	if (--server->handles == 0)
		free(server);
}

static void connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct http_server *server = connection->server;

	buf_finish(&connection->out);
	free(connection);
	unref(server);
}

static void connection_close(struct connection *connection)
{
	struct http_server *server = connection->server;

	if (connection->closing)
		return;
	connection->closing = true;
	if (connection->prev)
		connection->prev->next = connection->next;
	else
		server->connections = connection->next;
	if (connection->next)
		connection->next->prev = connection->prev;
	server->count--;
	uv_close((uv_handle_t *)&connection->tcp, connection_closed);
}

/* It begins with something else, for which it has so long. */
static void set_deadline(struct connection *connection, uint64_t ms)
{
	connection->since_ns = clock_monotonic_ns();
	connection->deadline_ns = connection->since_ns + ms * NS_PER_MS;
}

static void shut_down(uv_shutdown_t *shutdown, int error)
{
	(void)shutdown;
	(void)error; /* the deadline ends the connection whatever came of it */
}

/* Closing with unread bytes would reset the connection, and the answer with it: the peer is told that we are done and
 * read out for a moment. */
static void linger(struct connection *connection)
{
	connection->lingering = true;
	connection->len = 0;
	set_deadline(connection, LINGER_MS);
	if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, shut_down) < 0)
		connection_close(connection);
}

static void written(uv_write_t *write, int error)
{
	struct connection *connection = write->data;

	connection->writing = false;
	if (connection->closing)
		return;
	if (error < 0 || (connection->close_after && connection->eof)) {
		connection_close(connection);
		return;
	}
	if (connection->close_after) {
		linger(connection);
		return;
	}
	buf_clear(&connection->out, 4096);
	set_deadline(connection, HTTP_IDLE_DEADLINE_MS);
	serve(connection);
}

/* Puts head and body into the connection's out buffer and sends it. @body may be NULL. */
static void answer(struct connection *connection, int status, const char *type, const struct buf *body, bool head_only)
{
	size_t body_len = body ? body->len : 0;
	uv_buf_t bytes;
	int r;

	r = buf_printf(&connection->out,
		       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		       "X-Content-Type-Options: nosniff\r\n%sConnection: %s\r\n\r\n",
		       status, reason_of(status), type, body_len, status == 405 ? "Allow: GET, HEAD\r\n" : "",
		       connection->close_after ? "close" : "keep-alive");
	if (r >= 0 && !head_only && body_len > 0)
		r = buf_append(&connection->out, body->data, body_len);
	if (r < 0) {
		connection_close(connection);
		return;
	}
	bytes = uv_buf_init(connection->out.data, (unsigned)connection->out.len);
	connection->write.data = connection;
	connection->writing = true;
	set_deadline(connection, HTTP_REQUEST_DEADLINE_MS);
	if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &bytes, 1, written) < 0)
		connection_close(connection);
}

static void refuse(struct connection *connection, int status)
{
	CLEANUP(buf_finish) struct buf body = { 0 };

	buf_init(&body, 256);
	buf_printf(&body, "%d %s\n", status, reason_of(status));
	connection->close_after = true;
	connection->len = 0;
	answer(connection, status, "text/plain; charset=utf-8", &body, false);
}

static void serve_request(struct connection *connection, const struct http_request *request)
{
	const struct http_server *server = connection->server;
	CLEANUP(buf_finish) struct buf body = { 0 };
	int status;

	buf_init(&body, HTTP_BODY_MAX);
	connection->close_after = !request->keep_alive;
	if (request->has_body) {
		refuse(connection, 413);
		return;
	}
	if (request->method == HTTP_OTHER) {
		refuse(connection, 405);
		return;
	}
	for (const struct http_route *route = server->routes; route->path; route++) {
		if (strcmp(route->path, request->path) != 0)
			continue;
		status = route->page(server->arg, &body);
		if (status < 0)
			refuse(connection, 500);
		else
			answer(connection, status, route->content_type, &body, request->method == HTTP_HEAD);
		return;
	}
	buf_printf(&body, "404 no page %s\n", request->path);
	answer(connection, 404, "text/plain; charset=utf-8", &body, request->method == HTTP_HEAD);
}

/* Serves the next whole request in the buffer, one at a time: the next one when its answer is written. */
static void serve(struct connection *connection)
{
	struct http_request request;
	int r;

	if (connection->writing || connection->closing)
		return;
	r = connection->len > 0 ? http_parse(connection->in, connection->len, &request) : 0;
	if (r < 0) {
		connection->len = 0;
		refuse(connection, -r);
	} else if (r > 0) {
		connection->len -= (size_t)r;
		memmove(connection->in, connection->in + r, connection->len);
		serve_request(connection, &request);
	} else if (connection->eof)
		connection_close(connection);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
	struct connection *connection = handle->data;

	(void)suggested;
	*room = uv_buf_init(connection->in + connection->len, (unsigned)(sizeof(connection->in) - connection->len));
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
	struct connection *connection = stream->data;

	(void)bytes;
	if (len == 0)
		return;
	if (len == UV_EOF) {
		connection->eof = true;
		uv_read_stop(stream);
		if (connection->lingering) {
			connection_close(connection);
			return;
		}
	} else if (len < 0) {
		/* UV_ENOBUFS: pipelined more than a head's worth while an answer was being written. */
		connection_close(connection);
		return;
	} else if (connection->close_after) {
		/* The peer talks on after its last answer is on its way. */
		connection->len = 0;
		connection->dropped += (size_t)len;
		if (connection->dropped > LINGER_BYTES)
			connection_close(connection);
		return;
	} else {
		if (connection->len == 0 && !connection->writing)
			set_deadline(connection, HTTP_REQUEST_DEADLINE_MS);
		connection->len += (size_t)len;
	}
	serve(connection);
}

static void note_peer(struct connection *connection)
{
	struct sockaddr_storage address = { 0 };
	int len = sizeof(address);

	strcpy(connection->peer, "?");
	if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &len) < 0)
		return;
	if (address.ss_family == AF_INET6)
		uv_ip6_name((struct sockaddr_in6 *)&address, connection->peer, sizeof(connection->peer));
	else
		uv_ip4_name((struct sockaddr_in *)&address, connection->peer, sizeof(connection->peer));
}

/* Who goes when a new one comes and no place is left, or its peer has more than its share: the one that has been
 * longest at what it does. A probe sends its request at once and reads its answer at once, so it is always among the
 * youngest. */
static void make_place(struct http_server *server, const struct connection *newcomer)
{
	struct connection *oldest = NULL, *oldest_of_peer = NULL;
	unsigned of_peer = 0;

	for (struct connection *at = server->connections; at; at = at->next) {
		if (at == newcomer)
			continue;
		if (!oldest || at->since_ns < oldest->since_ns)
			oldest = at;
		if (strcmp(at->peer, newcomer->peer) != 0)
			continue;
		of_peer++;
		if (!oldest_of_peer || at->since_ns < oldest_of_peer->since_ns)
			oldest_of_peer = at;
	}
	if (of_peer >= HTTP_PEER_MAX)
		connection_close(oldest_of_peer);
	else if (server->count > HTTP_CONNECTIONS_MAX)
		connection_close(oldest);
}

static void accepted(uv_stream_t *listener, int error)
{
	struct http_server *server = listener->data;
	struct connection *connection;

	if (error < 0 || server->closing)
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return;
	connection->server = server;
	buf_init(&connection->out, HTTP_BODY_MAX + 1024);
	if (uv_tcp_init(&server->loop->uv, &connection->tcp) < 0) {
		free(connection);
		return;
	}
	connection->tcp.data = connection;
	server->handles++;
	connection->next = server->connections;
	if (connection->next)
		connection->next->prev = connection;
	server->connections = connection;
	server->count++;
	set_deadline(connection, HTTP_REQUEST_DEADLINE_MS);
	if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0 ||
	    uv_read_start((uv_stream_t *)&connection->tcp, give_room, received) < 0) {
		connection_close(connection);
		return;
	}
	note_peer(connection);
	make_place(server, connection);
}

static void tick(void *arg)
{
	struct http_server *server = arg;
	uint64_t now_ns = clock_monotonic_ns();

	for (struct connection *at = server->connections, *next; at; at = next) {
		next = at->next;
		if (now_ns >= at->deadline_ns)
			connection_close(at);
	}
}

int http_address(const char *listen, struct sockaddr_storage *ret_address)
{
	char host[HTTP_ADDRESS_SIZE];
	const char *colon = strrchr(listen, ':'), *digits;
	size_t len;
	long port = 0;

	if (!colon || colon[1] == '\0' || strlen(colon + 1) > 5)
		return -EINVAL;
	for (digits = colon + 1; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return -EINVAL;
		port = port * 10 + (*digits - '0');
	}
	len = (size_t)(colon - listen);
	if (port > 65535 || len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, listen, len);
	host[len] = '\0';
	memset(ret_address, 0, sizeof(*ret_address));
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		return uv_ip6_addr(host + 1, (int)port, (struct sockaddr_in6 *)ret_address) < 0 ? -EINVAL : 0;
	}
	return uv_ip4_addr(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, (int)port,
			   (struct sockaddr_in *)ret_address) < 0
		       ? -EINVAL
		       : 0;
}

static void note_address(struct http_server *server)
{
	struct sockaddr_storage address = { 0 };
	int len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";

	if (uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &len) < 0)
		return;
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;

		uv_ip6_name(in6, host, sizeof(host));
		snprintf(server->address, sizeof(server->address), "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&address;

		uv_ip4_name(in, host, sizeof(host));
		snprintf(server->address, sizeof(server->address), "%s:%u", host, ntohs(in->sin_port));
	}
}

static void listener_closed(uv_handle_t *handle)
{
	unref(handle->data);
}

int http_new(struct loop *loop, const char *listen, const struct http_route *routes, void *arg,
	     struct http_server **ret_server)
{
	struct sockaddr_storage address;
	struct http_server *server;
	int r;

	r = http_address(listen, &address);
	if (r < 0)
		return r;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->routes = routes;
	server->arg = arg;
	r = uv_tcp_init(&loop->uv, &server->tcp);
	if (r < 0) {
		free(server);
		return r;
	}
	server->handles = 1;
	server->tcp.data = server;
	r = uv_tcp_bind(&server->tcp, (const struct sockaddr *)&address, 0);
	if (r >= 0)
		r = uv_listen((uv_stream_t *)&server->tcp, 128, accepted);
	if (r < 0) {
		uv_close((uv_handle_t *)&server->tcp, listener_closed);
		return r;
	}
	note_address(server);
	loop_at_tick(loop, &server->tick, tick, server);
	*ret_server = server;
	return 0;
}

const char *http_listening(const struct http_server *server)
{
	return server ? server->address : "";
}

unsigned http_connections(const struct http_server *server)
{
	return server->count;
}

void http_close(struct http_server *server)
{
	if (!server)
		return;
	server->closing = true;
	loop_remove_hook(&server->tick);
	while (server->connections)
		connection_close(server->connections);
	uv_close((uv_handle_t *)&server->tcp, listener_closed);
}
