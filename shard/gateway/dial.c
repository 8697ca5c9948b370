/* SPDX-License-Identifier: MIT */
/* Resolves and connects. Run by the transport on its loop; must never call a resolver itself. */
#include "shard/gateway/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"

/* No address gets less than this before the next is tried. */
#define ADDRESS_FLOOR_MS 500

/* Lives as long as libuv's request, which may outlive the wish for it, and the dial. */
struct dial_lookup {
	uv_getaddrinfo_t req;
	struct dial *dial; /* NULL: nobody waits for it any more */
};

static void try_next(struct dial *dial);

static void finish(struct dial *dial, int fd, enum dial_stage stage, int error)
{
	dial_stop(dial);
	dial->fn(dial->arg, fd, stage, error);
}

static void drop_socket(struct dial *dial)
{
	watch_free(dial->watch); /* before the descriptor is closed */
	dial->watch = NULL;
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

static void address_failed(struct dial *dial, int error)
{
	dial->error = error;
	drop_socket(dial);
	try_next(dial);
}

static void on_timer(void *arg)
{
	struct dial *dial = arg;

	/* A connect() that failed or succeeded at once is told from here too: never from within dial_start(). */
	if (dial->fd < 0 && dial->error)
		finish(dial, -1, DIAL_CONNECTING, dial->error);
	else
		address_failed(dial, -ETIMEDOUT);
}

static void on_writable(void *arg, int error, int events)
{
	struct dial *dial = arg;
	socklen_t size = sizeof(error);
	int fd;

	(void)events;
	if (!error && getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
		error = -error;
	if (error) {
		address_failed(dial, error);
		return;
	}
	watch_free(dial->watch);
	dial->watch = NULL;
	fd = dial->fd;
	dial->fd = -1;
	finish(dial, fd, DIAL_CONNECTING, 0);
}

static uint64_t share_ms(const struct dial *dial, const struct addrinfo *address)
{
	uint64_t now = clock_monotonic_ns(), left = 0, count = 0;

	if (dial->deadline_ns > now)
		left = (dial->deadline_ns - now) / NS_PER_MS;
	for (; address; address = address->ai_next)
		count++;
	left /= count ? count : 1;
	return left > ADDRESS_FLOOR_MS ? left : ADDRESS_FLOOR_MS;
}

static int connect_to(struct dial *dial, const struct addrinfo *address)
{
	struct sockaddr_storage where;
	int on = 1, r;

	if (address->ai_addrlen > sizeof(where))
		return -EAFNOSUPPORT;
	memcpy(&where, address->ai_addr, address->ai_addrlen);
	if (where.ss_family == AF_INET)
		((struct sockaddr_in *)&where)->sin_port = htons(dial->port);
	else if (where.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&where)->sin6_port = htons(dial->port);
	else
		return -EAFNOSUPPORT;
	dial->fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return -errno;
	setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a delay at worst */
	if (connect(dial->fd, (struct sockaddr *)&where, address->ai_addrlen) < 0 && errno != EINPROGRESS)
		return -errno;
	r = watch_new(dial->loop, dial->fd, WATCH_WRITE, on_writable, dial, &dial->watch);
	return r < 0 ? r : 0;
}

static void try_next(struct dial *dial)
{
	while (dial->next) {
		const struct addrinfo *address = dial->next;
		int r = connect_to(dial, address);

		dial->next = address->ai_next;
		if (!r) {
			timer_start(&dial->timer, share_ms(dial, address));
			return;
		}
		dial->error = r;
		drop_socket(dial);
	}
	timer_start(&dial->timer, 0);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
	struct dial_lookup *lookup = req->data;
	struct dial *dial = lookup->dial;

	free(lookup);
	if (!dial) {
		uv_freeaddrinfo(addresses);
		return;
	}
	dial->lookup = NULL;
	if (status < 0 || !addresses) {
		uv_freeaddrinfo(addresses);
		finish(dial, -1, DIAL_RESOLVING, status < 0 ? status : UV_EAI_NODATA);
		return;
	}
	dial->addresses = dial->next = addresses;
	try_next(dial);
}

static int resolve(struct dial *dial, const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct dial_lookup *lookup = calloc(1, sizeof(*lookup));
	int r;

	if (!lookup)
		return -ENOMEM;
	lookup->dial = dial;
	lookup->req.data = lookup;
	r = uv_getaddrinfo(&dial->loop->uv, &lookup->req, on_resolved, host, NULL, &hints);
	if (r < 0) {
		free(lookup);
		return r;
	}
	dial->lookup = lookup;
	return 0;
}

/* An address needs no thread, and no thread means no memory for one. */
static int is_numeric(struct dial *dial, const char *host)
{
	struct addrinfo *info = &dial->numeric_info;

	memset(info, 0, sizeof(*info));
	info->ai_addr = (struct sockaddr *)&dial->numeric;
	if (!uv_ip4_addr(host, 0, (struct sockaddr_in *)&dial->numeric))
		info->ai_addrlen = sizeof(struct sockaddr_in);
	else if (!uv_ip6_addr(host, 0, (struct sockaddr_in6 *)&dial->numeric))
		info->ai_addrlen = sizeof(struct sockaddr_in6);
	return info->ai_addrlen > 0;
}

int dial_init(struct dial *dial, struct loop *loop, dial_fn fn, void *arg)
{
	memset(dial, 0, sizeof(*dial));
	dial->loop = loop;
	dial->fn = fn;
	dial->arg = arg;
	dial->fd = -1;
	return timer_init(&dial->timer, loop, on_timer, dial);
}

int dial_start(struct dial *dial, const char *host, uint16_t port, uint64_t timeout_ms)
{
	dial_stop(dial);
	dial->port = port;
	dial->error = 0;
	dial->deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	if (!is_numeric(dial, host))
		return resolve(dial, host);
	dial->next = &dial->numeric_info;
	try_next(dial);
	return 0;
}

void dial_stop(struct dial *dial)
{
	timer_stop(&dial->timer);
	drop_socket(dial);
	if (dial->lookup) {
		dial->lookup->dial = NULL;
		uv_cancel((uv_req_t *)&dial->lookup->req); /* -EBUSY: a thread is at it, its answer will be dropped */
		dial->lookup = NULL;
	}
	if (dial->addresses)
		uv_freeaddrinfo(dial->addresses);
	dial->addresses = dial->next = NULL;
}

void dial_close(struct dial *dial, loop_fn closed)
{
	dial_stop(dial);
	timer_close(&dial->timer, closed);
}
