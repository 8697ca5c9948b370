/* The bus against a real nats-server of the test's own: answers, gathers, a server killed, stopped and started again,
 * a wrong password, floods. The loop's lag is looked at throughout: nothing that a server does may block it. */
#include "shared/bus/bus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/nats_server.h"

#define WAIT_MS   20000
#define PEERS_MAX 8

static struct nats_server server;
static struct loop loop;

/* What one bus of a test has seen. */
struct peer {
	struct bus *bus;
	struct bus_subscription *subscription;
	int ups, downs, down_error, heard, answers, error, synced;
	char reason[256], payload[128];
	uint32_t sender;
	bool silent, twice, closed;
	struct bus_reply_to last_reply_to;
};

static void on_up(void *arg)
{
	((struct peer *)arg)->ups++;
}

static void on_down(void *arg, int error, const char *reason)
{
	struct peer *peer = arg;

	peer->downs++;
	peer->down_error = error;
	snprintf(peer->reason, sizeof(peer->reason), "%s", reason);
}

static const struct bus_events events = { on_up, on_down };

static void peer_open(struct peer *peer, const char *url, uint32_t sender)
{
	struct bus_options options = { .url = url, .cluster = "unit", .name = "test_bus", .sender = sender };

	memset(peer, 0, sizeof(*peer));
	assert_int_equal(bus_new(&loop, &options, &events, peer, &peer->bus), 0);
}

static void on_closed(void *arg)
{
	((struct peer *)arg)->closed = true;
}

static void peer_close(struct peer *peer)
{
	bus_close(peer->bus, on_closed, peer);
	assert_true(loop_wait_for(&loop, loop_wait_true, &peer->closed, WAIT_MS));
}

static bool is_up(void *arg)
{
	return bus_is_up(((struct peer *)arg)->bus);
}

static bool is_down(void *arg)
{
	return ((struct peer *)arg)->downs > 0;
}

static bool has_heard(void *arg)
{
	return ((struct peer *)arg)->heard > 0;
}

static bool has_late(void *arg)
{
	struct bus_stats stats;

	bus_stats(((struct peer *)arg)->bus, &stats);
	return stats.late > 0;
}

static bool is_done(void *arg)
{
	struct peer *peer = arg;

	return peer->answers > 0 || peer->synced > 0;
}

static void on_synced(void *arg, int error)
{
	struct peer *peer = arg;

	peer->synced++;
	peer->error = error;
}

static void peer_sync(struct peer *peer)
{
	peer->synced = 0;
	peer->answers = 0;
	assert_int_equal(bus_sync(peer->bus, on_synced, peer), 0);
	assert_true(loop_wait_for(&loop, is_done, peer, WAIT_MS));
	assert_int_equal(peer->error, 0);
	peer->synced = 0;
}

static void peer_up(struct peer *peer)
{
	assert_int_equal(bus_start(peer->bus), 0);
	assert_true(loop_wait_for(&loop, is_up, peer, WAIT_MS));
}

static void on_question(void *arg, struct bus *bus, const struct bus_message *message)
{
	struct peer *peer = arg;
	char answer[160];

	peer->heard++;
	peer->last_reply_to = message->reply_to;
	peer->sender = message->sender;
	snprintf(peer->payload, sizeof(peer->payload), "%.*s", (int)message->len, message->payload);
	if (peer->silent || !message->reply_to.subject[0])
		return;
	snprintf(answer, sizeof(answer), "re: %s", peer->payload);
	assert_int_equal(bus_reply(bus, &message->reply_to, answer, strlen(answer)), 0);
	if (peer->twice)
		assert_int_equal(bus_reply(bus, &message->reply_to, "again", 5), 0);
}

static void on_answer(void *arg, int error, const struct bus_message *answer)
{
	struct peer *peer = arg;

	peer->answers++;
	peer->error = error;
	assert_true((error < 0) == (answer == NULL));
	if (answer) {
		peer->sender = answer->sender;
		snprintf(peer->payload, sizeof(peer->payload), "%.*s", (int)answer->len, answer->payload);
	}
}

static const struct subject_params shard_3 = { .shard = 3 };

static void ask(struct peer *peer, const char *text, uint64_t timeout_ms)
{
	peer->answers = 0;
	assert_int_equal(
		bus_request(peer->bus, SUBJECT_SHARD_RPC, &shard_3, text, strlen(text), timeout_ms, on_answer, peer),
		0);
	assert_int_equal(peer->answers, 0); /* never from within the call */
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_off(void **state)
{
	struct peer peer;
	struct bus_stats stats;

	(void)state;
	peer_open(&peer, "", BUS_SENDER_NONE);
	assert_false(bus_is_on(peer.bus));
	assert_string_equal(bus_state_text(peer.bus), "off");
	assert_int_equal(bus_start(peer.bus), -SHOAL_EOFFLINE);
	assert_int_equal(bus_publish(peer.bus, SUBJECT_ALERTS, NULL, "x", 1), -SHOAL_EOFFLINE);
	assert_int_equal(bus_request(peer.bus, SUBJECT_SHARD_RPC, &shard_3, "x", 1, 100, on_answer, &peer),
			 -SHOAL_EOFFLINE);
	assert_int_equal(bus_gather(peer.bus, SUBJECT_FLEET_RPC, NULL, "x", 1, NULL, 3, 100, NULL, &peer),
			 -SHOAL_EOFFLINE);
	assert_int_equal(bus_sync(peer.bus, on_synced, &peer), -SHOAL_EOFFLINE);
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_FLEET_RPC, NULL, on_question, &peer, &peer.subscription), 0);
	bus_stats(peer.bus, &stats);
	assert_int_equal(stats.subscriptions, 1);
	bus_unsubscribe(peer.subscription);
	bus_unsubscribe(NULL);
	peer_close(&peer);
	assert_int_equal(peer.answers, 0);
}

static void test_bad_options(void **state)
{
	struct bus_options options = { .url = "nats://127.0.0.1:1", .cluster = "a.b", .name = "x" };
	struct bus *bus = NULL;

	(void)state;
	assert_int_equal(bus_new(&loop, &options, NULL, NULL, &bus), -EINVAL);
	options.cluster = "a";
	options.name = NULL;
	assert_int_equal(bus_new(&loop, &options, NULL, NULL, &bus), -EINVAL);
	assert_null(bus);
}

static void test_request_and_reply(void **state)
{
	struct peer asker, answerer;
	struct bus_stats stats;

	(void)state;
	peer_open(&asker, server.url, BUS_SENDER_NONE);
	peer_open(&answerer, server.url, 3);
	assert_int_equal(bus_publish(asker.bus, SUBJECT_ALERTS, NULL, "x", 1), -SHOAL_EOFFLINE); /* not up yet */
	peer_up(&asker);
	assert_string_equal(bus_state_text(asker.bus), "up");

	ask(&asker, "anybody?", WAIT_MS);
	assert_true(loop_wait_for(&loop, is_done, &asker, WAIT_MS));
	assert_int_equal(asker.error, -EHOSTUNREACH); /* told by the server, not waited for */

	assert_int_equal(bus_subscribe(answerer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &answerer,
				       &answerer.subscription),
			 0);
	peer_up(&answerer); /* up means: the subscription is at the server */
	ask(&asker, "how are you?", WAIT_MS);
	assert_true(loop_wait_for(&loop, is_done, &asker, WAIT_MS));
	assert_int_equal(asker.error, 0);
	assert_string_equal(asker.payload, "re: how are you?");
	assert_int_equal(asker.sender, 3);
	assert_int_equal(answerer.sender, BUS_SENDER_NONE);

	/* A later answer by a kept address; and a second one finds nobody waiting. */
	answerer.silent = true;
	ask(&asker, "later", WAIT_MS);
	answerer.heard = 0;
	assert_true(loop_wait_for(&loop, has_heard, &answerer, WAIT_MS));
	assert_int_equal(bus_reply(answerer.bus, &answerer.last_reply_to, "", 0), 0);
	assert_int_equal(bus_reply(answerer.bus, &answerer.last_reply_to, "second", 6), 0);
	assert_true(loop_wait_for(&loop, is_done, &asker, WAIT_MS));
	assert_string_equal(asker.payload, "");
	assert_true(loop_wait_for(&loop, has_late, &asker, WAIT_MS));
	bus_stats(asker.bus, &stats);
	assert_int_equal(stats.late, 1);
	assert_int_equal(stats.requests, 0);
	peer_close(&answerer);
	peer_close(&asker);
}

static void test_timeout(void **state)
{
	uint64_t started, took_ms;
	struct peer peer;

	(void)state;
	peer_open(&peer, server.url, 3);
	peer.silent = true;
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &peer, &peer.subscription),
			 0);
	peer_up(&peer);
	ask(&peer, "long", 10000);
	ask(&peer, "short", 150); /* the sooner deadline overtakes the timer that is set */
	started = clock_monotonic_ns();
	assert_true(loop_wait_for(&loop, is_done, &peer, WAIT_MS));
	took_ms = (clock_monotonic_ns() - started) / NS_PER_MS;
	assert_int_equal(peer.error, -ETIMEDOUT);
	assert_in_range(took_ms, 140, 2000);
	peer.answers = 0;
	bus_close(peer.bus, on_closed, &peer);
	assert_int_equal(peer.answers, 1); /* the long one, before bus_close() returned */
	assert_int_equal(peer.error, -ECANCELED);
	assert_true(loop_wait_for(&loop, loop_wait_true, &peer.closed, WAIT_MS));
}

static void test_limits(void **state)
{
	static char big[BUS_PAYLOAD_MAX + 1];
	struct bus_reply_to bad = { "" };
	struct peer peer;
	int accepted = 0, r;

	(void)state;
	peer_open(&peer, server.url, 3);
	peer.silent = true;
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &peer, &peer.subscription),
			 0);
	peer_up(&peer);
	assert_int_equal(bus_publish(peer.bus, SUBJECT_ALERTS, NULL, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(bus_publish(peer.bus, SUBJECT_ALERTS, NULL, big, BUS_PAYLOAD_MAX), 0);
	assert_int_equal(
		bus_publish(peer.bus, SUBJECT_CONFIG, &(struct subject_params){ .any = SUBJECT_PART_GUILD }, "x", 1),
		-EINVAL);
	assert_int_equal(bus_reply(peer.bus, &bad, "x", 1), -EINVAL);
	snprintf(bad.subject, sizeof(bad.subject), "a\r\nPUB b 0\r\n");
	assert_int_equal(bus_reply(peer.bus, &bad, "x", 1), -EINVAL);
	assert_int_equal(bus_request(peer.bus, SUBJECT_SHARD_RPC, &shard_3, "x", 1, 0, on_answer, &peer), -EINVAL);
	assert_int_equal(bus_gather(peer.bus, SUBJECT_FLEET_RPC, NULL, "x", 1, NULL, 0, 10, NULL, NULL), -EINVAL);
	for (;;) {
		r = bus_request(peer.bus, SUBJECT_SHARD_RPC, &shard_3, "x", 1, 60000, on_answer, &peer);
		if (r < 0)
			break;
		accepted++;
	}
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(accepted, BUS_REQUESTS_MAX);
	peer_close(&peer);
	assert_int_equal(peer.answers, accepted); /* each exactly once */
	assert_int_equal(peer.error, -ECANCELED);
}

/* --- gather ------------------------------------------------------------------------------------------------------- */

struct gathered {
	bool done;
	int error, calls;
	uint32_t senders[PEERS_MAX], missing[PEERS_MAX];
	size_t answer_count, missing_count, strange_count;
	uint64_t elapsed_us;
};

static void on_gathered(void *arg, const struct bus_gather_result *result)
{
	struct gathered *gathered = arg;

	gathered->done = true;
	gathered->calls++;
	gathered->error = result->error;
	gathered->answer_count = result->answer_count;
	gathered->missing_count = result->missing_count;
	gathered->strange_count = result->strange_count;
	gathered->elapsed_us = result->elapsed_us;
	for (size_t i = 0; i < result->answer_count && i < PEERS_MAX; i++) {
		gathered->senders[i] = result->answers[i].sender;
		assert_int_equal(result->answers[i].len, strlen("re: stats"));
		assert_memory_equal(result->answers[i].payload, "re: stats", result->answers[i].len);
		assert_true(result->answers[i].elapsed_us <= result->elapsed_us);
	}
	for (size_t i = 0; i < result->missing_count && i < PEERS_MAX; i++)
		gathered->missing[i] = result->missing[i];
}

static void gather(struct peer *peer, const uint32_t *expected, size_t count, uint64_t timeout_ms,
		   struct gathered *gathered)
{
	memset(gathered, 0, sizeof(*gathered));
	assert_int_equal(bus_gather(peer->bus, SUBJECT_FLEET_RPC, NULL, "stats", 5, expected, count, timeout_ms,
				    on_gathered, gathered),
			 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &gathered->done, WAIT_MS));
	assert_int_equal(gathered->calls, 1);
}

static void test_gather(void **state)
{
	static const uint32_t odd[] = { 9, 3, 1, 3 };
	struct peer peers[4];
	struct gathered gathered;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		peer_open(&peers[i], server.url, i);
		assert_int_equal(bus_subscribe(peers[i].bus, SUBJECT_FLEET_RPC, NULL, on_question, &peers[i],
					       &peers[i].subscription),
				 0);
	}
	for (size_t i = 0; i < 4; i++)
		peer_up(&peers[i]);

	gather(&peers[0], NULL, 4, 10000, &gathered); /* all there: ends at once, the asker's own answer among them */
	assert_int_equal(gathered.error, 0);
	assert_int_equal(gathered.answer_count, 4);
	assert_int_equal(gathered.missing_count, 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(gathered.senders[i], i);
	assert_true(gathered.elapsed_us < 5000000);

	peers[2].silent = true;
	peers[3].twice = true;
	gather(&peers[0], NULL, 5, 300, &gathered);
	assert_int_equal(gathered.error, 0);
	assert_int_equal(gathered.answer_count, 3);
	assert_int_equal(gathered.missing_count, 2);
	assert_int_equal(gathered.missing[0], 2);
	assert_int_equal(gathered.missing[1], 4);
	assert_int_equal(gathered.strange_count, 1); /* shard 3's second answer */
	assert_in_range(gathered.elapsed_us, 290000, 2000000);

	peers[3].twice = false;
	gather(&peers[0], odd, 4, 300, &gathered); /* given ids, unsorted, one twice; 0 answers though not expected */
	assert_int_equal(gathered.answer_count, 2);
	assert_int_equal(gathered.senders[0], 1);
	assert_int_equal(gathered.senders[1], 3);
	assert_int_equal(gathered.missing_count, 1);
	assert_int_equal(gathered.missing[0], 9);
	assert_int_equal(gathered.strange_count, 1);

	for (size_t i = 0; i < 4; i++)
		bus_unsubscribe(peers[i].subscription);
	for (size_t i = 0; i < 4; i++)
		peer_sync(&peers[i]);
	gather(&peers[0], NULL, 4, 10000, &gathered); /* nobody listens: told at once */
	assert_int_equal(gathered.missing_count, 4);
	assert_true(gathered.elapsed_us < 5000000);
	for (size_t i = 0; i < 4; i++)
		peer_close(&peers[i]);
}

/* Up is not told before every subscription is at the server: of those made before connecting, and of one made while the
 * news of the connection were already on their way to us. */
static void test_up_means_heard(void **state)
{
	struct peer asker, answerer;

	(void)state;
	peer_open(&asker, server.url, BUS_SENDER_NONE);
	peer_up(&asker);
	for (int i = 0; i < 20; i++) {
		peer_open(&answerer, server.url, 3);
		if (i % 2)
			assert_int_equal(bus_start(answerer.bus), 0);
		if (i % 2)
			poll(NULL, 0, 20); /* lets the thread come first; without it the test is only weaker */
		assert_int_equal(bus_subscribe(answerer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &answerer,
					       &answerer.subscription),
				 0);
		assert_false(bus_is_up(answerer.bus));
		assert_true(loop_wait_for(&loop, is_up, &answerer, WAIT_MS));
		assert_int_equal(answerer.ups, 1);
		ask(&asker, "heard?", WAIT_MS);
		assert_true(loop_wait_for(&loop, is_done, &asker, WAIT_MS));
		assert_int_equal(asker.error, 0); /* "nobody listens" would come at once */
		peer_close(&answerer);
	}
	peer_close(&asker);
}

/* --- what goes wrong ---------------------------------------------------------------------------------------------- */

static void test_server_killed_and_back(void **state)
{
	struct gathered gathered = { 0 };
	struct bus_stats stats;
	struct peer peer;

	(void)state;
	peer_open(&peer, server.url, 3);
	peer.silent = true;
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &peer, &peer.subscription),
			 0);
	peer_up(&peer);
	ask(&peer, "lost", 60000);
	assert_int_equal(
		bus_gather(peer.bus, SUBJECT_SHARD_RPC, &shard_3, "x", 1, NULL, 4, 60000, on_gathered, &gathered), 0);
	loop_take_lag(&loop);
	nats_server_kill(&server);
	assert_int_equal(server.pid, 0);
	assert_true(loop_wait_for(&loop, is_done, &peer, WAIT_MS));
	assert_int_equal(peer.error, -SHOAL_EUNKNOWN);
	assert_true(gathered.done);
	assert_int_equal(gathered.error, -SHOAL_EUNKNOWN);
	assert_int_equal(gathered.missing_count, 4);
	assert_int_equal(peer.downs, 1);
	assert_false(bus_is_up(peer.bus));
	assert_true(strncmp(bus_state_text(peer.bus), "away: ", 6) == 0);
	assert_int_equal(bus_publish(peer.bus, SUBJECT_ALERTS, NULL, "x", 1), -SHOAL_EOFFLINE);

	/* Away means refused: another reason than lost, told once, not once an attempt. */
	peer.downs = 0;
	assert_true(loop_wait_for(&loop, is_down, &peer, WAIT_MS));
	assert_non_null(strstr(peer.reason, "can be reached at 127.0.0.1:"));

	assert_true(nats_server_start(&server));
	assert_true(loop_wait_for(&loop, is_up, &peer, WAIT_MS));
	assert_int_equal(peer.ups, 2);
	peer.silent = false;
	ask(&peer, "again", WAIT_MS); /* the subscription is there again without being asked for */
	assert_true(loop_wait_for(&loop, is_done, &peer, WAIT_MS));
	assert_int_equal(peer.error, 0);
	bus_stats(peer.bus, &stats);
	assert_int_equal(stats.connects, 2);
	assert_int_equal(stats.disconnects, 1);
	assert_true(loop_take_lag(&loop) < loop_wait_lag_max());
	peer_close(&peer);
}

/* A server that is there and reads nothing: the socket fills, the thread waits, the loop does not. */
static void test_server_stalled(void **state)
{
	static char block[64 * 1024];
	struct peer peer;
	int sent = 0, r;

	(void)state;
	peer_open(&peer, server.url, 3);
	peer_up(&peer);
	assert_true(server.pid > 0);
	kill(server.pid, SIGSTOP);
	loop_take_lag(&loop);
	do {
		r = bus_publish(peer.bus, SUBJECT_ALERTS, NULL, block, sizeof(block));
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	} while (r == 0 && ++sent < 100000);
	loop_wait_for(&loop, is_down, &peer, WAIT_MS); /* the write deadline */
	kill(server.pid, SIGCONT);                     /* before anything may end this test: others need the server */
	assert_true(r == -ENOBUFS || r == -SHOAL_EOFFLINE);
	assert_int_equal(peer.downs, 1);
	assert_true(loop_take_lag(&loop) < loop_wait_lag_max());
	assert_true(loop_wait_for(&loop, is_up, &peer, WAIT_MS));
	peer_sync(&peer);
	peer_close(&peer);
}

static void test_wrong_password(void **state)
{
	struct peer peer;
	char url[128];

	(void)state;
	snprintf(url, sizeof(url), "nats://shoal:falsch@127.0.0.1:%d", server.port);
	peer_open(&peer, url, 3);
	assert_int_equal(bus_start(peer.bus), 0);
	assert_true(loop_wait_for(&loop, is_down, &peer, WAIT_MS));
	assert_int_equal(peer.down_error, -EACCES);
	assert_null(strstr(peer.reason, "falsch"));
	assert_null(strstr(peer.reason, "hemmelig"));
	assert_int_equal(peer.ups, 0);
	peer_close(&peer);
}

static void test_bad_url(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, "nats://user:geheim@127.0.0.1:notaport", 3);
	assert_int_equal(bus_start(peer.bus), 0);
	assert_true(loop_wait_for(&loop, is_down, &peer, WAIT_MS));
	assert_null(strstr(peer.reason, "geheim"));
	peer_close(&peer);
}

/* Accepts and says nothing: connect runs into its deadline on the thread; closing meanwhile waits for nobody. */
static void test_silent_listener(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);
	uint64_t started;
	struct peer peer;
	char url[64];

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof(url), "nats://127.0.0.1:%u", ntohs(address.sin_port));
	loop_take_lag(&loop);
	peer_open(&peer, url, 3);
	assert_int_equal(bus_start(peer.bus), 0);
	assert_true(loop_wait_for(&loop, is_down, &peer, WAIT_MS));
	assert_int_equal(peer.down_error, -ETIMEDOUT);
	peer.downs = 0;
	peer_close(&peer);

	peer_open(&peer, url, 3); /* closed in the middle of connecting */
	assert_int_equal(bus_start(peer.bus), 0);
	started = clock_monotonic_ns();
	peer_close(&peer);
	assert_true(clock_monotonic_ns() - started < 5 * NS_PER_S);
	assert_true(loop_take_lag(&loop) < loop_wait_lag_max());
	close(listener);
}

static bool is_accounted(void *arg)
{
	struct peer *peer = arg;
	struct bus_stats stats;

	bus_stats(peer->bus, &stats);
	return (uint64_t)peer->heard + stats.dropped_in == stats.received;
}

/* More than may be kept comes while the loop is busy: bounded, dropped, counted; nothing else breaks. */
static void test_flood_in(void **state)
{
	const uint64_t count = 12000;
	struct peer sender, receiver;
	struct bus_stats stats;
	uint64_t deadline;

	(void)state;
	peer_open(&sender, server.url, 1);
	peer_open(&receiver, server.url, 3);
	receiver.silent = true;
	assert_int_equal(bus_subscribe(receiver.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &receiver,
				       &receiver.subscription),
			 0);
	peer_up(&sender);
	peer_up(&receiver);
	deadline = clock_monotonic_ns() + 20 * NS_PER_S;
	/* The loop is not turned here: it is the busy loop. */
	for (uint64_t sent = 0; sent < count && clock_monotonic_ns() < deadline;)
		if (bus_publish(sender.bus, SUBJECT_SHARD_RPC, &shard_3, "flood", 5) == 0)
			sent++;
		else
			poll(NULL, 0, 1);
	do {
		poll(NULL, 0, 2);
		bus_stats(receiver.bus, &stats);
	} while (stats.received < 4096 && clock_monotonic_ns() < deadline);
	peer_sync(&sender);
	peer_sync(&receiver);
	/* The library itself keeps 4096 and drops the rest of a burst; what it gave us is handled or counted. */
	assert_true(loop_wait_for(&loop, is_accounted, &receiver, WAIT_MS));
	assert_true(receiver.heard >= 4096);
	receiver.silent = false;
	ask(&sender, "still there?", WAIT_MS);
	assert_true(loop_wait_for(&loop, is_done, &sender, WAIT_MS));
	assert_string_equal(sender.payload, "re: still there?");
	peer_close(&sender);
	peer_close(&receiver);
}

/* TLS under a CA of the test's own: the name in the certificate counts, and so does who signed it. */
static void test_tls(void **state)
{
	static const char script[] =
		"cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key"
		" -out ca.pem -days 2 -subj /CN=test-ca >/dev/null 2>&1 &&"
		" openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out csr.pem"
		" -subj /CN=localhost >/dev/null 2>&1 && printf 'subjectAltName=DNS:localhost\\n' > ext &&"
		" openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext"
		" -out cert.pem >/dev/null 2>&1";
	struct nats_server tls = { .pid = 0 };
	struct bus_options options = { .cluster = "unit", .name = "test_bus", .sender = BUS_SENDER_NONE };
	char command[1200], extra[256], ca[96], url[128];
	struct peer peer;

	(void)state;
	/* It must be there before the server starts; so the folder is made first. */
	snprintf(tls.dir, sizeof(tls.dir), "%s/shoal-tls.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(tls.dir));
	snprintf(command, sizeof(command), script, tls.dir);
	assert_int_equal(system(command), 0);
	snprintf(extra, sizeof(extra), "tls { cert_file: \"%s/cert.pem\", key_file: \"%s/key.pem\" }", tls.dir,
		 tls.dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", tls.dir);
	tls.extra = extra;
	assert_true(nats_server_start(&tls));

	static const struct {
		const char *scheme, *host;
		bool with_ca, up;
	} rows[] = {
		{ "tls", "localhost", true, true },
		{ "tls", "127.0.0.1", true, false },  /* not the certificate's name */
		{ "tls", "localhost", false, false }, /* signed by nobody known */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(url, sizeof(url), "%s://shoal:hemmelig@%s:%d", rows[i].scheme, rows[i].host, tls.port);
		options.url = url;
		options.ca_file = rows[i].with_ca ? ca : NULL;
		memset(&peer, 0, sizeof(peer));
		assert_int_equal(bus_new(&loop, &options, &events, &peer, &peer.bus), 0);
		assert_int_equal(bus_start(peer.bus), 0);
		assert_true(loop_wait_for(&loop, rows[i].up ? is_up : is_down, &peer, WAIT_MS));
		assert_int_equal(peer.ups, rows[i].up);
		peer_close(&peer);
	}
	nats_server_close(&tls);
}

static struct peer *closer;

static void on_answer_close(void *arg, int error, const struct bus_message *answer)
{
	struct peer *peer = arg;

	(void)answer;
	peer->answers++;
	peer->error = error;
	bus_close(closer->bus, on_closed, closer);
}

/* A callback may close the bus under the requests that end with it. */
static void test_close_from_callback(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, server.url, 3);
	peer.silent = true;
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &peer, &peer.subscription),
			 0);
	peer_up(&peer);
	closer = &peer;
	for (int i = 0; i < 10; i++)
		assert_int_equal(bus_request(peer.bus, SUBJECT_SHARD_RPC, &shard_3, "x", 1, 50, on_answer_close, &peer),
				 0);
	assert_true(loop_wait_for(&loop, loop_wait_true, &peer.closed, WAIT_MS));
	assert_int_equal(peer.answers, 10);
}

static void test_latency(void **state)
{
	enum { ROUNDS = 200 };
	uint64_t started, took_us;
	struct peer peer;

	(void)state;
	peer_open(&peer, server.url, 3);
	assert_int_equal(bus_subscribe(peer.bus, SUBJECT_SHARD_RPC, &shard_3, on_question, &peer, &peer.subscription),
			 0);
	peer_up(&peer);
	started = clock_monotonic_ns();
	for (int i = 0; i < ROUNDS; i++) {
		ask(&peer, "ping", WAIT_MS);
		assert_true(loop_wait_for(&loop, is_done, &peer, WAIT_MS));
	}
	took_us = (clock_monotonic_ns() - started) / NS_PER_US / ROUNDS;
	print_message("a request to ourselves and back: %llu us\n", (unsigned long long)took_us);
	assert_true(took_us < 20000);
	peer_close(&peer);
}

static int set_up(void **state)
{
	(void)state;
	if (loop_init(&loop) < 0)
		return -1;
	return nats_server_open(&server, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	nats_server_close(&server);
	return loop_finish(&loop);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_request_and_reply),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_gather),
		cmocka_unit_test(test_up_means_heard),
		cmocka_unit_test(test_server_killed_and_back),
		cmocka_unit_test(test_server_stalled),
		cmocka_unit_test(test_wrong_password),
		cmocka_unit_test(test_bad_url),
		cmocka_unit_test(test_silent_listener),
		cmocka_unit_test(test_flood_in),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_close_from_callback),
		cmocka_unit_test(test_latency),
	};
	const char *require = getenv("SHOAL_TEST_REQUIRE");

	if (!nats_server_program() && !(require && strcmp(require, "1") == 0)) {
		print_message("SKIPPED: nats-server is not installed (make deps)\n");
		return 0;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]); /* one test by hand */
	return cmocka_run_group_tests_name("bus", tests, set_up, tear_down);
}
