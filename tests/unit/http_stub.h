/* A scripted HTTP/1.1 server on a thread of the test's own, on loopback: each request that arrives takes the next step
 * of the script (the last one repeats). It remembers what it was asked. Written apart from the client under test. */
#ifndef SHOAL_TESTS_UNIT_HTTP_STUB_H
#define SHOAL_TESTS_UNIT_HTTP_STUB_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum stub_action {
	STUB_ANSWER,  /* status line, headers, body */
	STUB_RESET,   /* read the request, then RST */
	STUB_CLOSE,   /* read the request, then FIN without a word */
	STUB_PARTIAL, /* headers that promise the body, half of it, then RST */
	STUB_HANG,    /* never answer */
	STUB_RAW,     /* @body as it is, then close */
};

struct stub_step {
	enum stub_action action;
	int status;
	const char *headers; /* "X: y\r\n"… besides Content-Length */
	const char *body;
};

#define STUB_REQUESTS_MAX    256
#define STUB_CONNECTIONS_MAX 512

struct stub_request {
	char method[8];
	char path[1024];
	char headers[4096];
	char body[16384];
	int connection;
};

struct stub {
	int listener, port;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct stub_step *steps;
	int step_count, step_at;
	struct stub_request *requests;
	int request_count;
	int fds[STUB_CONNECTIONS_MAX];
	pthread_t threads[STUB_CONNECTIONS_MAX];
	int connection_count;
};

struct stub_connection {
	struct stub *stub;
	int fd, number;
};

static inline void stub_reset_socket(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static inline bool stub_write(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads one request into @request. False: the peer left. */
static inline bool stub_read(int fd, struct stub_request *request)
{
	static const size_t max = sizeof(request->headers) + sizeof(request->body);
	char *all = calloc(1, max + 1), *end, *line, *length;
	size_t len = 0, body_len = 0, head_len;
	bool ok = false;

	memset(request, 0, sizeof(*request));
	while (!(end = strstr(all, "\r\n\r\n"))) {
		ssize_t n = len < max ? recv(fd, all + len, max - len, 0) : 0;

		if (n <= 0)
			goto out;
		len += (size_t)n;
		all[len] = '\0';
	}
	head_len = (size_t)(end - all) + 4;
	length = strcasestr(all, "\r\ncontent-length:");
	if (length && length < end)
		body_len = (size_t)atol(length + 17);
	while (len < head_len + body_len) {
		ssize_t n = len < max ? recv(fd, all + len, max - len, 0) : 0;

		if (n <= 0)
			goto out;
		len += (size_t)n;
	}
	memcpy(request->body, all + head_len, body_len < sizeof(request->body) ? body_len : sizeof(request->body) - 1);
	*end = '\0';
	line = strstr(all, "\r\n");
	if (line) {
		*line = '\0';
		snprintf(request->headers, sizeof(request->headers), "%s\r\n", line + 2);
	}
	ok = sscanf(all, "%7s %1023s", request->method, request->path) == 2;
out:
	free(all);
	return ok;
}

/* False: the connection is over. */
static inline bool stub_do(struct stub_connection *c, const struct stub_step *step)
{
	const char *body = step->body ? step->body : "";
	char head[2048];
	char wait[16];

	switch (step->action) {
	case STUB_ANSWER:
	case STUB_PARTIAL:
		snprintf(head, sizeof(head), "HTTP/1.1 %d Status\r\n%s", step->status,
			 step->headers ? step->headers : "");
		if (step->status != 204)
			snprintf(head + strlen(head), sizeof(head) - strlen(head), "Content-Length: %zu\r\n",
				 strlen(body));
		strcat(head, "\r\n");
		if (!stub_write(c->fd, head, strlen(head)))
			return false;
		if (step->action == STUB_ANSWER)
			return stub_write(c->fd, body, strlen(body));
		stub_write(c->fd, body, strlen(body) / 2);
		shutdown(c->fd, SHUT_WR);
		return false;
	case STUB_RESET:
		stub_reset_socket(c->fd);
		return false;
	case STUB_HANG:
		/* Until the client gives up, or stub_stop() shuts the socket. */
		while (recv(c->fd, wait, sizeof(wait), 0) > 0)
			;
		return false;
	case STUB_RAW:
		stub_write(c->fd, body, strlen(body));
		return false;
	case STUB_CLOSE:
		return false;
	}
	return false;
}

static inline void *stub_serve(void *arg)
{
	struct stub_connection *c = arg;
	struct stub *stub = c->stub;
	struct stub_request *request = malloc(sizeof(*request));
	bool more = true;

	while (more && stub_read(c->fd, request)) {
		struct stub_step step;

		pthread_mutex_lock(&stub->lock);
		request->connection = c->number;
		if (stub->request_count < STUB_REQUESTS_MAX)
			stub->requests[stub->request_count] = *request;
		stub->request_count++;
		step = stub->steps[stub->step_at];
		if (stub->step_at + 1 < stub->step_count)
			stub->step_at++;
		pthread_cond_broadcast(&stub->changed);
		pthread_mutex_unlock(&stub->lock);
		more = stub_do(c, &step);
	}
	pthread_mutex_lock(&stub->lock);
	close(c->fd);
	stub->fds[c->number] = -1;
	pthread_mutex_unlock(&stub->lock);
	free(request);
	free(c);
	return NULL;
}

static inline void *stub_accept(void *arg)
{
	struct stub *stub = arg;
	int fd;

	while ((fd = accept(stub->listener, NULL, NULL)) >= 0) {
		struct stub_connection *c = malloc(sizeof(*c));

		pthread_mutex_lock(&stub->lock);
		if (stub->connection_count == STUB_CONNECTIONS_MAX) {
			close(fd);
			free(c);
		} else {
			*c = (struct stub_connection){ stub, fd, stub->connection_count };
			stub->fds[c->number] = fd;
			if (pthread_create(&stub->threads[c->number], NULL, stub_serve, c) != 0)
				abort();
			stub->connection_count++;
		}
		pthread_mutex_unlock(&stub->lock);
	}
	return NULL;
}

static inline void stub_start(struct stub *stub)
{
	static const struct stub_step nothing = { STUB_ANSWER, 204, "", "" };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	memset(stub, 0, sizeof(*stub));
	stub->steps = &nothing;
	stub->step_count = 1;
	stub->requests = calloc(STUB_REQUESTS_MAX, sizeof(*stub->requests));
	pthread_mutex_init(&stub->lock, NULL);
	pthread_cond_init(&stub->changed, NULL);
	stub->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(stub->listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(stub->listener, 64) < 0 ||
	    getsockname(stub->listener, (struct sockaddr *)&address, &len) < 0) {
		perror("stub");
		exit(1);
	}
	stub->port = ntohs(address.sin_port);
	if (pthread_create(&stub->acceptor, NULL, stub_accept, stub) != 0)
		abort();
}

/* A new script; what was asked so far is forgotten. */
static inline void stub_script(struct stub *stub, const struct stub_step *steps, int count)
{
	pthread_mutex_lock(&stub->lock);
	stub->steps = steps;
	stub->step_count = count;
	stub->step_at = 0;
	stub->request_count = 0;
	pthread_mutex_unlock(&stub->lock);
}
#define STUB_SCRIPT(stub, ...)                                                                         \
	do {                                                                                           \
		static const struct stub_step stub_steps_[] = { __VA_ARGS__ };                         \
		stub_script((stub), stub_steps_, (int)(sizeof(stub_steps_) / sizeof(stub_steps_[0]))); \
	} while (0)

static inline int stub_count(struct stub *stub)
{
	int count;

	pthread_mutex_lock(&stub->lock);
	count = stub->request_count;
	pthread_mutex_unlock(&stub->lock);
	return count;
}

static inline void stub_stop(struct stub *stub)
{
	shutdown(stub->listener, SHUT_RDWR);
	pthread_join(stub->acceptor, NULL);
	close(stub->listener);
	pthread_mutex_lock(&stub->lock);
	for (int i = 0; i < stub->connection_count; i++)
		if (stub->fds[i] >= 0)
			shutdown(stub->fds[i], SHUT_RDWR);
	pthread_mutex_unlock(&stub->lock);
	for (int i = 0; i < stub->connection_count; i++)
		pthread_join(stub->threads[i], NULL);
	pthread_mutex_destroy(&stub->lock);
	pthread_cond_destroy(&stub->changed);
	free(stub->requests);
}

#endif
