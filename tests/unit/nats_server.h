/* For tests: a nats-server of our own on a free port of loopback, killed and started again at will. */
#ifndef SHOAL_TESTS_UNIT_NATS_SERVER_H
#define SHOAL_TESTS_UNIT_NATS_SERVER_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/random.h"

struct nats_server {
	pid_t pid;
	int port; /* 0 before the first start */
	char dir[64];
	char url[128];
	const char *extra; /* lines of configuration, or NULL */
};

static inline const char *nats_server_program(void)
{
	static const char *const places[] = { "/usr/bin/nats-server", "/usr/sbin/nats-server",
					      "/usr/local/bin/nats-server" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* The port from the ports file that the server writes once it listens; 0 while there is none. */
static inline int nats_server_read_port(const char *path)
{
	char text[512], *at;
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	at = strstr(text, "127.0.0.1:");
	return at && strchr(at, ']') ? atoi(at + strlen("127.0.0.1:")) : 0;
}

/* One attempt at @port; false when it ended before it listened. */
static inline bool nats_server_try(struct nats_server *server, int port)
{
	char config[128], ports[160];
	uint64_t deadline;
	FILE *file;
	int found = 0, status;

	snprintf(config, sizeof(config), "%s/nats.conf", server->dir);
	file = fopen(config, "we");
	if (!file)
		return false;
	fprintf(file,
		"listen: \"127.0.0.1:%d\"\nports_file_dir: \"%s\"\nlogfile: \"%s/log\"\n"
		"authorization { user: shoal, password: hemmelig }\n%s\n",
		port, server->dir, server->dir, server->extra ? server->extra : "");
	fclose(file);
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(nats_server_program(), "nats-server", "-c", config, (char *)NULL);
		_exit(127);
	}
	snprintf(ports, sizeof(ports), "%s/nats-server_%d.ports", server->dir, (int)server->pid);
	for (deadline = clock_monotonic_ns() + 30 * NS_PER_S; found != port && clock_monotonic_ns() < deadline;) {
		if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
			server->pid = 0; /* another process may get this number */
			return false;
		}
		poll(NULL, 0, 5);
		found = nats_server_read_port(ports);
	}
	if (found != port)
		return false;
	server->port = port;
	snprintf(server->url, sizeof(server->url), "nats://shoal:hemmelig@127.0.0.1:%d", port);
	return true;
}

/* Starts it and waits until it listens; the second start uses the same port. That is why the port is none of those that
 * the kernel gives to whoever asks for any: it must still be free after a kill. False: it did not come up. */
static inline bool nats_server_start(struct nats_server *server)
{
	if (server->port)
		return nats_server_try(server, server->port);
	for (int i = 0; i < 20; i++)
		if (nats_server_try(server, 20000 + (int)random_below(10000)))
			return true;
	return false;
}

static inline bool nats_server_open(struct nats_server *server, const char *extra)
{
	memset(server, 0, sizeof(*server));
	server->extra = extra;
	snprintf(server->dir, sizeof(server->dir), "%s/shoal-nats.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return nats_server_program() && mkdtemp(server->dir) && nats_server_start(server);
}

static inline void nats_server_kill(struct nats_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

static inline void nats_server_close(struct nats_server *server)
{
	char command[96];

	nats_server_kill(server);
	if (!server->dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", server->dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays behind\n", server->dir);
}

#endif
