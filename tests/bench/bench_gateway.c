/* SPDX-License-Identifier: MIT */
/* What the gateway session alone costs for one dispatch of about 1 KB: socket read, frames, decompression, envelope,
 * sequence, hand-over to a handler that does nothing; user + system time of this process, which is all of that and
 * nothing else, since the gateway is played by a child. Beside it libwebsockets alone, reading the bytes of the first
 * row and throwing them away, and bare inflate of the third row's bytes, one call a message into a 64 KiB buffer.
 * Loopback, ws://, one run of each; compare the rows. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <zlib.h>
#include <zstd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shard/gateway/session.h"
#include "shard/gateway/wire.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/ws_stub.h"

#define MESSAGES 4096
#define EVENTS   200000

static char *messages[MESSAGES];
static size_t lens[MESSAGES];

static uint64_t random_state = 0x5eed;

static uint32_t roll(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 11) % below);
}

static void make_messages(void)
{
	static const char *const words[] = { "tide",    "kelp",  "the",   "is",   "of",
					     "harbour", "drift", "naïve", "🦀", "вода" };

	for (int i = 0; i < MESSAGES; i++) {
		char text[400] = "", *out = malloc(2048);

		for (uint32_t w = 0, n = 3 + roll(30); w < n; w++)
			sprintf(text + strlen(text), "%s ", words[roll(10)]);
		lens[i] = (size_t)sprintf(
			out,
			"{\"t\":\"MESSAGE_CREATE\",\"s\":%%%03d,\"op\":0,\"d\":{\"type\":0,\"tts\":false,\"timestamp\":"
			"\"2026-08-04T16:20:%02u.%03u000+00:00\",\"pinned\":false,\"nonce\":\"%" PRIu64
			"\",\"mentions\":[],"
			"\"mention_roles\":[],\"mention_everyone\":false,\"member\":{\"roles\":[\"%" PRIu64
			"\",\"%" PRIu64
			"\"],\"premium_since\":null,\"pending\":false,\"nick\":null,\"mute\":false,\"joined_at\":"
			"\"2020-02-17T14:31:15.123000+00:00\",\"flags\":0,\"deaf\":false,\"communication_disabled_"
			"until\":null,"
			"\"banner\":null,\"avatar\":null},\"id\":\"%" PRIu64
			"\",\"flags\":0,\"embeds\":[],\"edited_timestamp\":"
			"null,\"content\":\"%s\",\"components\":[],\"channel_id\":\"%" PRIu64
			"\",\"channel_type\":0,\"author\":"
			"{\"username\":\"user%u\",\"public_flags\":0,\"primary_guild\":null,\"id\":\"%" PRIu64
			"\",\"global_name\":\"User "
			"%u\",\"display_name_styles\":null,\"discriminator\":\"0\",\"collectibles\":null,"
			"\"avatar_decoration_data\":null,\"avatar\":\"%08x%08x%08x%08x\"},\"attachments\":[],\"guild_"
			"id\":\"%" PRIu64 "\"}}",
			0, roll(60), roll(1000), random_state, random_state ^ 77, random_state ^ 99, random_state, text,
			random_state / 3, roll(100000), random_state / 5, roll(100000), roll(1u << 31), roll(1u << 31),
			roll(1u << 31), roll(1u << 31), random_state / 7);
		messages[i] = out;
	}
}

/* --- the child --------------------------------------------------------------------------------------------------- */

/* The stream to send, made before time is taken. */
static char *stream;
static size_t stream_len, stream_cap, wire_bytes;
static size_t *message_ends; /* of each compressed message, for bare inflate */

static void stream_add(const void *bytes, size_t len)
{
	if (stream_len + len > stream_cap) {
		stream_cap = (stream_len + len) * 2;
		stream = realloc(stream, stream_cap);
	}
	memcpy(stream + stream_len, bytes, len);
	stream_len += len;
}

struct packer {
	enum config_compress mode;
	z_stream zlib;
	ZSTD_CCtx *zstd;
	char out[65536];
};

/* Compresses one payload of the connection's stream. */
static size_t pack(struct packer *packer, const char *text, size_t len)
{
	if (packer->mode == CONFIG_COMPRESS_ZLIB) {
		packer->zlib.next_in = (Bytef *)(uintptr_t)text;
		packer->zlib.avail_in = (uInt)len;
		packer->zlib.next_out = (Bytef *)packer->out;
		packer->zlib.avail_out = sizeof(packer->out);
		deflate(&packer->zlib, Z_SYNC_FLUSH);
		return sizeof(packer->out) - packer->zlib.avail_out;
	}
	if (packer->mode == CONFIG_COMPRESS_ZSTD) {
		ZSTD_inBuffer in = { text, len, 0 };
		ZSTD_outBuffer out = { packer->out, sizeof(packer->out), 0 };

		ZSTD_compressStream2(packer->zstd, &out, &in, ZSTD_e_flush);
		return out.pos;
	}
	memcpy(packer->out, text, len);
	return len;
}

static void add_frame(struct packer *packer, const char *text, size_t text_len)
{
	size_t len = pack(packer, text, text_len);
	unsigned char head[4] = { packer->mode == CONFIG_COMPRESS_NONE ? 0x81 : 0x82, (unsigned char)len };
	size_t n = 2;

	if (len >= 126) {
		head[1] = 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		n = 4;
	}
	stream_add(head, n);
	stream_add(packer->out, len);
	wire_bytes += len;
}

/* HELLO, READY and then the events, as one stream: the client's IDENTIFY is not waited for by the compressor. */
static size_t hello_len, ready_len;

static void make_stream(enum config_compress mode)
{
	static const char hello[] = "{\"t\":null,\"s\":null,\"op\":10,\"d\":{\"heartbeat_interval\":41250}}";
	static const char ready[] =
		"{\"t\":\"READY\",\"s\":1,\"op\":0,\"d\":{\"v\":10,\"user\":{\"id\":\"1\"},\"guilds\":[],"
		"\"session_id\":\"s\",\"resume_gateway_url\":\"ws://127.0.0.1\"}}";
	struct packer *packer = calloc(1, sizeof(*packer));

	packer->mode = mode;
	deflateInit(&packer->zlib, 6);
	packer->zstd = ZSTD_createCCtx();
	stream_len = wire_bytes = 0;
	add_frame(packer, hello, strlen(hello));
	hello_len = stream_len;
	add_frame(packer, ready, strlen(ready));
	ready_len = stream_len;
	free(message_ends);
	message_ends = calloc(EVENTS, sizeof(*message_ends));
	for (uint32_t i = 0; i < EVENTS; i++) {
		char text[4096], sequence[16], *mark;
		size_t len;

		memcpy(text, messages[i % MESSAGES], lens[i % MESSAGES] + 1);
		mark = strstr(text, "%000");
		snprintf(sequence, sizeof(sequence), "%u", 1000000 + i);
		memmove(mark + 7, mark + 4, strlen(mark + 4) + 1);
		memcpy(mark, sequence, 7);
		len = strlen(text);
		add_frame(packer, text, len);
		message_ends[i] = stream_len;
	}
	deflateEnd(&packer->zlib);
	ZSTD_freeCCtx(packer->zstd);
	free(packer);
}

static void play_gateway(int listener)
{
	struct ws_peer peer = { .fd = accept(listener, NULL, NULL) };
	char text[8192];

	if (ws_upgrade(&peer) < 0)
		_exit(1);
	ws_write_raw(&peer, stream, hello_len);
	if (ws_expect(&peer, "\"op\":2", text, sizeof(text)) < 0)
		_exit(1);
	ws_write_raw(&peer, stream + hello_len, stream_len - hello_len);
	ws_wait_close(&peer);
	_exit(0);
}

/* --- the client -------------------------------------------------------------------------------------------------- */

struct client {
	struct loop loop;
	struct session *session;
	struct wire *wire;
	uint64_t events, bytes, cpu_from, cpu_ns;
	bool stopped;
};

static int on_dispatch(void *arg, const struct envelope *envelope, const char *payload, size_t len)
{
	struct client *client = arg;

	(void)envelope;
	(void)payload;
	client->bytes += len;
	if (client->events++ == 0)
		client->cpu_from = clock_cpu_ns();
	if (client->events == EVENTS + 1) {
		client->cpu_ns = clock_cpu_ns() - client->cpu_from;
		session_stop(client->session, SESSION_STOP_RESUMABLE);
	}
	return 0;
}

static void on_ask(void *arg)
{
	struct client *client = arg;

	session_grant(client->session, 1, 10000);
}

static void on_identified(void *arg, uint64_t grant_id)
{
	(void)arg;
	(void)grant_id;
}

static void on_fatal(void *arg, enum exit_code code, uint16_t close_code, const char *text)
{
	(void)arg;
	(void)code;
	fprintf(stderr, "fatal %u: %s\n", close_code, text);
	exit(1);
}

static void on_stopped(void *arg)
{
	struct client *client = arg;

	client->stopped = true;
	session_free(client->session);
	loop_stop(&client->loop);
}

static int listen_somewhere(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		perror("listen");
		exit(1);
	}
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static uint64_t run_session(enum config_compress mode, const char *dir)
{
	static const struct session_events events = { .dispatch = on_dispatch,
						      .request_identify = on_ask,
						      .identified = on_identified,
						      .fatal = on_fatal,
						      .stopped = on_stopped };
	struct client client = { 0 };
	struct board_shard *board;
	struct session_options options = {
		.shard_count = 1,
		.token = "x",
		.override_url = "",
		.ca_file = "",
		.compress = mode,
		.hello_timeout_ms = 5000,
		.connect_timeout_ms = 5000,
		.backoff_floor_ms = 1000,
		.backoff_cap_ms = 1000,
		.resume_attempts = 3,
		.max_frame_kib = 1024,
		.max_payload_kib = 1024,
	};
	char url[64];
	bool damaged;
	int port, listener = listen_somewhere(&port);
	pid_t pid;

	make_stream(mode);
	pid = fork();
	if (pid == 0)
		play_gateway(listener);
	close(listener);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", port);
	options.gateway_url = url;
	if (loop_init(&client.loop) < 0 || board_shard_create(dir, (uint32_t)mode, 0, 1, 0, &damaged) < 0 ||
	    board_shard_open(dir, (uint32_t)mode, 0, true, &board) < 0)
		exit(1);
	board_shard_set_owner(board, 1, 1, "bench");
	if (session_new(&client.loop, &options, board, &events, &client, &client.session) < 0)
		exit(1);
	session_start(client.session);
	loop_run(&client.loop);
	loop_finish(&client.loop);
	waitpid(pid, NULL, 0);
	if (client.events != EVENTS + 1) {
		fprintf(stderr, "only %" PRIu64 " events came\n", client.events);
		exit(1);
	}
	board_shard_close(board);
	return client.cpu_ns;
}

static uint64_t run_bare_inflate(void)
{
	static char out[65536];
	z_stream z = { 0 };
	size_t at = 0, n = 0;
	uint64_t from, bytes = 0;
	char **starts = calloc(EVENTS + 2, sizeof(*starts));
	size_t *sizes = calloc(EVENTS + 2, sizeof(*sizes));

	while (at < stream_len) {
		size_t len = (unsigned char)stream[at + 1], head = 2;

		if (len == 126) {
			len = (size_t)(unsigned char)stream[at + 2] << 8 | (unsigned char)stream[at + 3];
			head = 4;
		}
		starts[n] = stream + at + head;
		sizes[n++] = len;
		at += head + len;
	}
	inflateInit(&z);
	from = clock_cpu_ns();
	for (size_t i = 0; i < n; i++) {
		z.next_in = (Bytef *)starts[i];
		z.avail_in = (uInt)sizes[i];
		z.next_out = (Bytef *)out;
		z.avail_out = sizeof(out);
		if (inflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in)
			exit(1);
		bytes += sizeof(out) - z.avail_out;
	}
	from = clock_cpu_ns() - from;
	inflateEnd(&z);
	if (bytes == 0)
		exit(1); /* it must have unpacked something */
	free(starts);
	free(sizes);
	return from;
}

/* --- libwebsockets alone ----------------------------------------------------------------------------------------- */

static void on_bytes(void *arg, char *bytes, size_t len)
{
	struct client *client = arg;

	(void)bytes;
	if (!client->bytes)
		client->cpu_from = clock_cpu_ns();
	client->bytes += len;
}

static void on_wire_closed(void *arg, int error)
{
	struct client *client = arg;

	(void)error;
	client->cpu_ns = clock_cpu_ns() - client->cpu_from;
	loop_stop(&client->loop);
}

static void on_writable(void *arg)
{
	(void)arg;
}

static void on_wire_gone(void *arg)
{
	struct client *client = arg;

	loop_stop(&client->loop);
}

static uint64_t run_wire(void)
{
	static const struct wire_events events = { on_bytes, on_writable, on_wire_closed };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client client = { 0 };
	int port, listener = listen_somewhere(&port), fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct ws_peer peer = { .fd = accept(listener, NULL, NULL) };

		_exit(ws_write_raw(&peer, stream, stream_len) < 0);
	}
	close(listener);
	address.sin_port = htons((uint16_t)port);
	if (loop_init(&client.loop) < 0 || wire_new(&client.loop, &events, &client, &client.wire) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || wire_adopt(client.wire, fd) < 0)
		exit(1);
	loop_run(&client.loop);
	wire_destroy(client.wire, on_wire_gone, &client);
	loop_run(&client.loop);
	loop_finish(&client.loop);
	waitpid(pid, NULL, 0);
	return client.cpu_ns;
}

static void print_row(const char *name, uint64_t cpu_ns)
{
	printf("%-44s %8.3f us/event\n", name, (double)cpu_ns / EVENTS / 1000);
	fflush(stdout);
}

int main(void)
{
	char dir[TMPDIR_SIZE];
	size_t total = 0;
	uint64_t inflate_ns, zlib_ns;

	log_setup(&(struct log_options){
		.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_HUMAN, .program = "bench", .fd = 2 });
	tmpdir_make(dir);
	make_messages();
	for (int i = 0; i < MESSAGES; i++)
		total += lens[i];
	printf("%d MESSAGE_CREATE, %zu bytes mean; nobody subscribed, no cache, ws:// on loopback\n", EVENTS,
	       total / MESSAGES);
	print_row("session, uncompressed", run_session(CONFIG_COMPRESS_NONE, dir));
	print_row("libwebsockets raw reads alone", run_wire());
	zlib_ns = run_session(CONFIG_COMPRESS_ZLIB, dir);
	print_row("session, zlib-stream", zlib_ns);
	inflate_ns = run_bare_inflate();
	print_row("bare inflate of the same", inflate_ns);
	printf("%-44s %8.2f\n", "  ratio", (double)zlib_ns / (double)inflate_ns);
	print_row("session, zstd-stream", run_session(CONFIG_COMPRESS_ZSTD, dir));
	tmpdir_remove(dir);
	return 0;
}
