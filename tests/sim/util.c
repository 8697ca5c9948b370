/* Small helpers without state worth a room of their own. Nothing here knows Discord, save the snowflake's epoch. */
#include "tests/sim/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <openssl/evp.h>

static uint64_t random_state = 0x9e3779b97f4a7c15ULL;
static enum log_level log_level = LOG_INFO;

uint64_t mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t mono_ms(void)
{
	return mono_us() / 1000;
}

uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void random_seed(uint64_t seed)
{
	random_state = seed ? seed * 0x9e3779b97f4a7c15ULL | 1 : 0x9e3779b97f4a7c15ULL;
}

uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

uint64_t random_below(uint64_t below)
{
	return below ? random_u64() % below : 0;
}

void random_hex(char *at, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++)
		at[i] = hex[random_u64() >> 60];
	at[n] = 0;
}

uint64_t snowflake_new(void)
{
	static uint64_t last;
	uint64_t id = (wall_ms() - DISCORD_EPOCH_MS) << 22;

	if (id <= last)
		id = last + 1; /* 4 million a millisecond before the time part runs ahead */
	last = id;
	return id;
}

uint64_t snowflake_ms(uint64_t id)
{
	return (id >> 22) + DISCORD_EPOCH_MS;
}

uint64_t snowflake_parse(const char *text)
{
	uint64_t value;
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno || *end ? 0 : value;
}

void buf_iso(struct buf *b, uint64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03u000+00:00\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(unix_ms % 1000));
}

void base64_encode(char *out, const unsigned char *bytes, size_t n)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}

long base64_decode(unsigned char *out, const char *text)
{
	size_t len = strlen(text);
	int n;

	if (len % 4 || len > 64 << 20)
		return -1;
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (n < 0)
		return -1;
	while (len > 0 && text[len - 1] == '=') {
		n--;
		len--;
	}
	return n;
}

void name_hash_hex(char out[33], const char *name)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	EVP_Digest(name, strlen(name), digest, &len, EVP_sha256(), NULL);
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		if (hex_value(text[1]) < 0 || hex_value(text[2]) < 0)
			return false;
		*out++ = (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
		text += 2;
	}
	*out = 0;
	return true;
}

bool utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		uint32_t c = *p++, min;
		int more;

		if (c < 0x80)
			continue;
		more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		min = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
		if (c < 0xc2 || c > 0xf4 || end - p < more)
			return false;
		c &= 0x3fU >> more;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

size_t utf16_length(const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		n += c >= 0xf0 ? 2 : (c & 0xc0) != 0x80;
	}
	return n;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char line[1024];
	va_list args;
	int n;

	if (level < log_level)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0)
		return;
	fprintf(stderr, "discord-sim %s: %s\n", names[level], line);
}
