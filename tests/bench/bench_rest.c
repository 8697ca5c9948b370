/* What the REST client costs: interaction callbacks on loopback against a child that answers 204 to everything. CPU is
 * user + system time of this process alone; latency is from rest_send() to the caller being told.
 *
 *   bench_rest                 HTTP/1.1, plain
 *   bench_rest URL CA-FILE     against a server that is there (https://localhost:PORT/api/v10): HTTP/2 if it offers it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/discord/payload.h"
#include "shared/discord/rest.h"
#include "shared/log/log.h"

#define REQUESTS       5000
#define PACED_REQUESTS 2500
#define PACED_PER_S    500
#define PEERS_MAX      512

/* --- the server: a child with poll() ---------------------------------------------------------------------------------
 */

/* Answers every complete request in @bytes; returns how many bytes are left of an incomplete one. */
static size_t answer_all(int fd, char *bytes, size_t len)
{
	static const char answer[] =
		"HTTP/1.1 204 No Content\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\nVia: 1.1 bench\r\n"
		"\r\n";

	for (;;) {
		char *end, *length;
		size_t need;

		bytes[len] = '\0';
		end = strstr(bytes, "\r\n\r\n");
		if (!end)
			return len;
		length = strcasestr(bytes, "\r\ncontent-length:");
		need = (size_t)(end + 4 - bytes) + (length && length < end ? (size_t)atol(length + 17) : 0);
		if (len < need)
			return len;
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			return 0;
		memmove(bytes, bytes + need, len - need);
		len -= need;
	}
}

static void serve(int listener)
{
	static struct pollfd fds[PEERS_MAX];
	static char bytes[PEERS_MAX][16384];
	static size_t lens[PEERS_MAX];
	nfds_t count = 1;

	fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (;;) {
		poll(fds, count, -1);
		for (nfds_t i = 1; i < count; i++) {
			ssize_t n;

			if (!fds[i].revents)
				continue;
			n = recv(fds[i].fd, bytes[i] + lens[i], sizeof(bytes[i]) - lens[i] - 1, MSG_DONTWAIT);
			if (n > 0) {
				lens[i] = answer_all(fds[i].fd, bytes[i], lens[i] + (size_t)n);
			} else if (n == 0 || errno != EAGAIN) {
				close(fds[i].fd);
				fds[i].fd = -1; /* poll() passes over it */
			}
		}
		if (fds[0].revents && count < PEERS_MAX) {
			lens[count] = 0;
			fds[count] = (struct pollfd){ .fd = accept(listener, NULL, NULL), .events = POLLIN };
			count++;
		}
	}
}

static int start_server(pid_t *ret_pid)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0) {
		perror("bench_rest: listen");
		exit(1);
	}
	*ret_pid = fork();
	if (*ret_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener);
	}
	close(listener);
	return ntohs(address.sin_port);
}

/* --- the runs --------------------------------------------------------------------------------------------------------
 */

struct bench {
	struct loop loop;
	struct rest *rest;
	struct timer pace;
	uint32_t total, sent, done, failed;
	bool paced;
	uint64_t started_ns;
	uint64_t latencies_ns[REQUESTS];
};

struct shot {
	struct bench *bench;
	uint64_t sent_ns;
};

static void shoot(struct bench *bench);

static void on_answer(void *arg, const struct rest_result *result)
{
	struct shot *shot = arg;
	struct bench *bench = shot->bench;

	if (result->error) {
		if (!bench->failed++)
			fprintf(stderr, "bench_rest: %s\n", result->message);
	}
	bench->latencies_ns[bench->done++] = clock_monotonic_ns() - shot->sent_ns;
	free(shot);
	if (bench->done == bench->total)
		loop_stop(&bench->loop);
	else if (!bench->paced && bench->sent < bench->total)
		shoot(bench);
}

/* A command's immediate answer, body built and all. */
static void shoot(struct bench *bench)
{
	struct payload_message message = { .content = "Pong! Gateway 42 ms, REST 17 ms, shard 3.",
					   .flags = PAYLOAD_EPHEMERAL };
	struct rest_request request = {
		.route = ROUTE_INTERACTION_CALLBACK,
		.args = { .ids = { [ROUTE_ID_INTERACTION] = 1534244000000000001ULL },
			  .token = "aW50ZXJhY3Rpb246MTUzNDI0NDAwMDAwMDAwMDAwMTpiZW5jaGJlbmNoYmVuY2g" }
	};
	struct shot *shot = malloc(sizeof(*shot));
	char error[PAYLOAD_ERROR_SIZE];
	int r;

	*shot = (struct shot){ bench, clock_monotonic_ns() };
	r = payload_interaction_message(&message, false, error, &request.json);
	r = r < 0 ? r : rest_send(bench->rest, &request, on_answer, shot, NULL);
	if (r < 0) {
		fprintf(stderr, "bench_rest: rest_send: %d\n", r);
		exit(1);
	}
	bench->sent++;
}

static void on_pace(void *arg)
{
	struct bench *bench = arg;
	uint64_t due = (clock_monotonic_ns() - bench->started_ns) * PACED_PER_S / NS_PER_S;

	while (bench->sent < due && bench->sent < bench->total)
		shoot(bench);
	if (bench->sent < bench->total)
		timer_start(&bench->pace, 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void run(struct bench *bench, const char *name, uint32_t total, uint32_t parallel)
{
	uint64_t cpu_ns, wall_ns;
	struct rest_stats stats;

	bench->total = total;
	bench->sent = bench->done = bench->failed = 0;
	bench->paced = parallel == 0;
	cpu_ns = clock_cpu_ns();
	bench->started_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < parallel; i++)
		shoot(bench);
	if (bench->paced)
		on_pace(bench);
	loop_run(&bench->loop);
	wall_ns = clock_monotonic_ns() - bench->started_ns;
	cpu_ns = clock_cpu_ns() - cpu_ns;
	qsort(bench->latencies_ns, total, sizeof(bench->latencies_ns[0]), compare);
	rest_stats(bench->rest, &stats);
	printf("%-22s %6u %9.0f %9.1f %9.3f %9.3f %6u %7u\n", name, total, (double)total * 1e9 / (double)wall_ns,
	       (double)cpu_ns / total / 1000, (double)bench->latencies_ns[total / 2] / 1e6,
	       (double)bench->latencies_ns[total - total / 100 - 1] / 1e6, stats.connections, bench->failed);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct rest_options options = { .token = "bench",
					.api_base = argc > 1 ? argv[1] : NULL,
					.ca_file = argc > 2 ? argv[2] : NULL };
	struct rest_stats stats;
	char base[64];
	pid_t server = 0;

	log_setup(&(struct log_options){ .level = LOG_LEVEL_WARN, .program = "bench_rest", .fd = 2 });
	if (!options.api_base) {
		snprintf(base, sizeof(base), "http://127.0.0.1:%d/api/v10", start_server(&server));
		options.api_base = base;
	}
	if (loop_init(&bench->loop) < 0 || timer_init(&bench->pace, &bench->loop, on_pace, bench) < 0 ||
	    rest_new(&bench->loop, &options, NULL, NULL, NULL, NULL, &bench->rest) < 0) {
		fprintf(stderr, "bench_rest: could not start\n");
		return 1;
	}
	printf("interaction callbacks, %s, body built from a payload each time; CPU of the client alone\n",
	       options.api_base);
	printf("%-22s %6s %9s %9s %9s %9s %6s %7s\n", "", "calls", "calls/s", "us CPU", "p50 ms", "p99 ms", "conns",
	       "failed");
	run(bench, "warm-up", 200, 1);
	run(bench, "one at a time", REQUESTS, 1);
	run(bench, "16 at a time", REQUESTS, 16);
	run(bench, "500 a second", PACED_REQUESTS, 0);
	rest_stats(bench->rest, &stats);
	printf("HTTP version of the last answer: %u.%u\n", stats.http_version / 10, stats.http_version % 10);
	rest_close(bench->rest, NULL, NULL);
	timer_close(&bench->pace, NULL);
	if (loop_finish(&bench->loop) < 0)
		return 1;
	if (server)
		kill(server, SIGTERM);
	free(bench);
	return 0;
}
