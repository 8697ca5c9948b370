/* For tests: a TCP proxy on loopback in a thread of its own, which can hold traffic back (a dead network), cut every
 * connection (a reset), and refuse new ones. */
#ifndef SHOAL_TESTS_UNIT_TCP_PROXY_H
#define SHOAL_TESTS_UNIT_TCP_PROXY_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_PROXY_PAIRS 64

struct tcp_proxy {
	pthread_t thread;
	int listener, wake;
	uint16_t port, target_port;
	char target_host[256];
	atomic_bool hold;        /* forward nothing, answer nothing */
	atomic_bool cut;         /* reset all that are open, once */
	atomic_bool closed_door; /* refuse new ones */
	atomic_bool stop;
	atomic_uint accepted;
	int pairs[TCP_PROXY_PAIRS][2];
};

static inline void tcp_proxy_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static inline void tcp_proxy_end_pair(struct tcp_proxy *proxy, int i)
{
	if (proxy->pairs[i][0] < 0)
		return;
	tcp_proxy_reset(proxy->pairs[i][0]);
	tcp_proxy_reset(proxy->pairs[i][1]);
	proxy->pairs[i][0] = proxy->pairs[i][1] = -1;
}

static inline void tcp_proxy_accept(struct tcp_proxy *proxy)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(proxy->target_port) };
	int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC), server;

	if (client < 0)
		return;
	atomic_fetch_add(&proxy->accepted, 1);
	inet_pton(AF_INET, proxy->target_host, &address.sin_addr);
	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!atomic_load(&proxy->closed_door) && connect(server, (struct sockaddr *)&address, sizeof(address)) == 0)
		for (int i = 0; i < TCP_PROXY_PAIRS; i++)
			if (proxy->pairs[i][0] < 0) {
				proxy->pairs[i][0] = client;
				proxy->pairs[i][1] = server;
				return;
			}
	tcp_proxy_reset(client);
	close(server);
}

/* Moves what is there; false when one side ended. */
static inline bool tcp_proxy_move(int from, int to)
{
	char bytes[65536];
	ssize_t got = read(from, bytes, sizeof(bytes)), put = 0, n;

	if (got <= 0)
		return got < 0 && errno == EAGAIN;
	while (put < got) {
		n = write(to, bytes + put, (size_t)(got - put));
		if (n <= 0)
			return false;
		put += n;
	}
	return true;
}

static inline void *tcp_proxy_run(void *arg)
{
	struct tcp_proxy *proxy = arg;
	struct pollfd fds[2 + 2 * TCP_PROXY_PAIRS];
	uint64_t drain;

	while (!atomic_load(&proxy->stop)) {
		bool hold = atomic_load(&proxy->hold);

		if (atomic_exchange(&proxy->cut, false))
			for (int i = 0; i < TCP_PROXY_PAIRS; i++)
				tcp_proxy_end_pair(proxy, i);
		fds[0] = (struct pollfd){ .fd = proxy->wake, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = hold ? -1 : proxy->listener, .events = POLLIN };
		for (int i = 0; i < TCP_PROXY_PAIRS; i++)
			for (int side = 0; side < 2; side++)
				fds[2 + 2 * i + side] =
					(struct pollfd){ .fd = hold ? -1 : proxy->pairs[i][side], .events = POLLIN };
		if (poll(fds, 2 + 2 * TCP_PROXY_PAIRS, -1) < 0)
			continue;
		if (fds[0].revents && read(proxy->wake, &drain, sizeof(drain)) > 0)
			continue;
		if (fds[1].revents)
			tcp_proxy_accept(proxy);
		for (int i = 0; i < TCP_PROXY_PAIRS; i++)
			for (int side = 0; side < 2; side++)
				if (fds[2 + 2 * i + side].revents && proxy->pairs[i][0] >= 0 &&
				    !tcp_proxy_move(proxy->pairs[i][side], proxy->pairs[i][!side]))
					tcp_proxy_end_pair(proxy, i);
	}
	return NULL;
}

static inline bool tcp_proxy_open(struct tcp_proxy *proxy, const char *target_host, uint16_t target_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	memset(proxy, 0, sizeof(*proxy));
	memset(proxy->pairs, 0xff, sizeof(proxy->pairs));
	snprintf(proxy->target_host, sizeof(proxy->target_host), "%s", target_host);
	proxy->target_port = target_port;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	proxy->wake = eventfd(0, EFD_CLOEXEC);
	if (bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(proxy->listener, 64) < 0 || getsockname(proxy->listener, (struct sockaddr *)&address, &size) < 0)
		return false;
	proxy->port = ntohs(address.sin_port);
	return pthread_create(&proxy->thread, NULL, tcp_proxy_run, proxy) == 0;
}

/* Sets one of the switches and makes the thread look. */
static inline void tcp_proxy_set(struct tcp_proxy *proxy, atomic_bool *which, bool value)
{
	uint64_t one = 1;

	atomic_store(which, value);
	if (write(proxy->wake, &one, sizeof(one)) < 0)
		abort();
}

static inline void tcp_proxy_close(struct tcp_proxy *proxy)
{
	tcp_proxy_set(proxy, &proxy->stop, true);
	pthread_join(proxy->thread, NULL);
	for (int i = 0; i < TCP_PROXY_PAIRS; i++)
		tcp_proxy_end_pair(proxy, i);
	close(proxy->listener);
	close(proxy->wake);
}

#endif
