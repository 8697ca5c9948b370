/* SPDX-License-Identifier: MIT */
/* The floor under a compressed gateway link: what it costs to unpack a stream's messages and do nothing with them. The
 * events of a JSONL file are compressed as discord-sim compresses a flood of them (one context, a sync flush after each
 * payload), then unpacked with one call a message into a 64 KiB buffer. Prints one JSON line: CPU time, user and
 * system, of the best of several rounds. Run by tests/bench/run; it must not do anything cleverer than the plainest
 * loop. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zlib.h>
#include <zstd.h>

#define ROUNDS       5
#define OUTPUT_BYTES (64 * 1024)
#define HEAD_MAX     128
/* As the sim's: Discord's own encoder keeps its window small. */
#define ZSTD_WINDOW_LOG 18

struct message {
	unsigned char *bytes;
	size_t len;
};

static struct message *plain, *packed;
static size_t plain_count, packed_count;
static uint64_t packed_bytes, plain_bytes;
static unsigned char output[OUTPUT_BYTES];

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_inflate: %s: %s\n", what, why);
	exit(1);
}

static void *need(void *memory)
{
	if (!memory)
		die("memory", strerror(errno));
	return memory;
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* A line is {"t":"NAME","d":…}: as the generator writes it, and nothing else. */
static void read_stream(const char *path)
{
	static const char before[] = "{\"t\":\"", between[] = "\",\"d\":";
	FILE *file = fopen(path, "re");
	char *line = NULL, *name_end;
	size_t size = 0;
	ssize_t len;

	if (!file)
		die(path, strerror(errno));
	while ((len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		name_end = len > (ssize_t)sizeof(before) ? strchr(line + sizeof(before) - 1, '"') : NULL;
		if (!name_end || strncmp(line, before, sizeof(before) - 1) != 0 ||
		    strncmp(name_end, between, sizeof(between) - 1) != 0)
			die(path, "a line is not {\"t\":…,\"d\":…}");
		plain = need(realloc(plain, (plain_count + 1) * sizeof(*plain)));
		plain[plain_count].len = (size_t)len;
		plain[plain_count++].bytes = need(memcpy(need(malloc((size_t)len)), line, (size_t)len));
	}
	free(line);
	fclose(file);
	if (!plain_count)
		die(path, "no events in it");
}

/* The payload of line @i as @sequence: its name, its number, its d. */
static size_t payload(size_t i, uint64_t sequence, char *out, size_t out_size)
{
	const char *name = (const char *)plain[i].bytes + 6, *d = strchr(name, '"') + 6;
	size_t d_len = plain[i].len - (size_t)(d - (const char *)plain[i].bytes) - 1;
	int head = snprintf(out, out_size, "{\"t\":\"%.*s\",\"s\":%llu,\"op\":0,\"d\":", (int)(d - 6 - name), name,
			    (unsigned long long)sequence);

	if (head < 0 || (size_t)head >= HEAD_MAX || (size_t)head + d_len + 2 > out_size)
		die("an event", "too long");
	memcpy(out + head, d, d_len);
	out[(size_t)head + d_len] = '}';
	return (size_t)head + d_len + 1;
}

/* --- the two compressions ---------------------------------------------------------------------------------------- */

static z_stream deflater, inflater;
static ZSTD_CCtx *zstd_packer;
static ZSTD_DStream *zstd_unpacker;

static void zlib_pack_open(int level)
{
	/* Raw, with the two bytes of header put before by hand: what the sim does. */
	if (deflateInit2(&deflater, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		die("deflateInit2", "failed");
}

static size_t zlib_pack(const char *in, size_t len, unsigned char *out, size_t size, int first)
{
	size_t at = first ? 2 : 0;

	if (first)
		memcpy(out, "\x78\x9c", 2);
	deflater.next_in = (Bytef *)(uintptr_t)in;
	deflater.avail_in = (uInt)len;
	deflater.next_out = out + at;
	deflater.avail_out = (uInt)(size - at);
	if (deflate(&deflater, Z_SYNC_FLUSH) != Z_OK || deflater.avail_in || !deflater.avail_out)
		die("deflate", "failed");
	return size - deflater.avail_out;
}

static void zlib_unpack_open(void)
{
	if (inflateInit2(&inflater, MAX_WBITS) != Z_OK)
		die("inflateInit2", "failed");
}

static size_t zlib_unpack(const struct message *message)
{
	inflater.next_in = message->bytes;
	inflater.avail_in = (uInt)message->len;
	inflater.next_out = output;
	inflater.avail_out = OUTPUT_BYTES;
	if (inflate(&inflater, Z_SYNC_FLUSH) != Z_OK || inflater.avail_in)
		die("inflate", "failed");
	return OUTPUT_BYTES - inflater.avail_out;
}

static void zlib_unpack_close(void)
{
	inflateEnd(&inflater);
}

static void zstd_pack_open(int level)
{
	zstd_packer = need(ZSTD_createCCtx());
	ZSTD_CCtx_setParameter(zstd_packer, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(zstd_packer, ZSTD_c_windowLog, ZSTD_WINDOW_LOG);
}

static size_t zstd_pack(const char *in, size_t len, unsigned char *out, size_t size, int first)
{
	ZSTD_inBuffer from = { in, len, 0 };
	ZSTD_outBuffer to = { out, size, 0 };

	(void)first;
	if (ZSTD_compressStream2(zstd_packer, &to, &from, ZSTD_e_flush) != 0 || from.pos != len)
		die("ZSTD_compressStream2", "failed");
	return to.pos;
}

static void zstd_unpack_open(void)
{
	zstd_unpacker = need(ZSTD_createDStream());
}

static size_t zstd_unpack(const struct message *message)
{
	ZSTD_inBuffer from = { message->bytes, message->len, 0 };
	ZSTD_outBuffer to = { output, OUTPUT_BYTES, 0 };

	if (ZSTD_isError(ZSTD_decompressStream(zstd_unpacker, &to, &from)) || from.pos != from.size)
		die("ZSTD_decompressStream", "failed");
	return to.pos;
}

static void zstd_unpack_close(void)
{
	ZSTD_freeDStream(zstd_unpacker);
}

static const struct method {
	const char *name;
	void (*pack_open)(int level);
	size_t (*pack)(const char *in, size_t len, unsigned char *out, size_t size, int first);
	void (*unpack_open)(void);
	size_t (*unpack)(const struct message *message);
	void (*unpack_close)(void);
} methods[] = {
	{ "zlib", zlib_pack_open, zlib_pack, zlib_unpack_open, zlib_unpack, zlib_unpack_close },
	{ "zstd", zstd_pack_open, zstd_pack, zstd_unpack_open, zstd_unpack, zstd_unpack_close },
};

/* --- measuring --------------------------------------------------------------------------------------------------- */

static void pack_all(const struct method *method, int level, unsigned repeat)
{
	static char text[OUTPUT_BYTES];
	static unsigned char out[2 * OUTPUT_BYTES];

	method->pack_open(level);
	packed = need(calloc(plain_count * repeat, sizeof(*packed)));
	for (; packed_count < plain_count * repeat; packed_count++) {
		size_t len = payload(packed_count % plain_count, packed_count + 1, text, sizeof(text));
		size_t packed_len = method->pack(text, len, out, sizeof(out), packed_count == 0);
		struct message *message = &packed[packed_count];

		message->bytes = need(malloc(packed_len));
		memcpy(message->bytes, out, packed_len);
		message->len = packed_len;
		packed_bytes += packed_len;
		plain_bytes += len;
	}
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double round_us(const struct method *method)
{
	uint64_t seen = 0;
	double start;

	method->unpack_open();
	start = cpu_us();
	for (size_t i = 0; i < packed_count; i++)
		seen += method->unpack(&packed[i]);
	start = cpu_us() - start;
	method->unpack_close();
	if (seen != plain_bytes)
		die("unpacking", "gave other bytes than were packed");
	return start / (double)packed_count;
}

int main(int argc, char **argv)
{
	const struct method *method = NULL;
	double best = 0, us;

	if (argc != 5)
		die("usage", "bench_inflate zlib|zstd LEVEL REPEAT STREAM.jsonl");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(argv[1], methods[i].name) == 0)
			method = &methods[i];
	if (!method)
		die(argv[1], "zlib or zstd");
	read_stream(argv[4]);
	pack_all(method, atoi(argv[2]), (unsigned)atoi(argv[3]));
	for (int round = 0; round < ROUNDS; round++) {
		us = round_us(method);
		if (round == 0 || us < best)
			best = us;
	}
	printf("{\"method\":\"%s\",\"level\":%d,\"us_per_event\":%.4f,\"events\":%zu,\"packed_bytes_per_event\":%.1f,"
	       "\"plain_bytes_per_event\":%.1f}\n",
	       method->name, atoi(argv[2]), best, packed_count, (double)packed_bytes / (double)packed_count,
	       (double)plain_bytes / (double)packed_count);
	return 0;
}
