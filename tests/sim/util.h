/* Clocks, random numbers, snowflakes, small encodings, the log to stderr. */
#ifndef SIM_UTIL_H
#define SIM_UTIL_H

#include "tests/sim/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define DISCORD_EPOCH_MS 1420070400000ULL

uint64_t mono_us(void);
uint64_t mono_ms(void);
/* Unix time in ms. */
uint64_t wall_ms(void);

/* Repeatable pseudo-random numbers: xorshift, seeded by --seed. Never for anything that must be secret. */
void random_seed(uint64_t seed);
uint64_t random_u64(void);
/* 0 <= result < @below; @below 0 gives 0. */
uint64_t random_below(uint64_t below);
/* @n lower-case hexadecimal digits and a NUL. */
void random_hex(char *at, size_t n);

/* A new snowflake of this moment, greater than every one before. */
uint64_t snowflake_new(void);
/* The Unix time in ms that a snowflake carries. */
uint64_t snowflake_ms(uint64_t id);
/* Digits only, the whole text; 0 when it is not one. */
uint64_t snowflake_parse(const char *text);

/* "2026-08-04T16:20:01.123000+00:00" with quotes. */
void buf_iso(struct buf *b, uint64_t unix_ms);

/* Standard base64 with padding; @out holds 4*((n+2)/3)+1. */
void base64_encode(char *out, const unsigned char *bytes, size_t n);
/* Returns the length or -1; @out holds 3*strlen/4. */
long base64_decode(unsigned char *out, const char *text);
/* 16-byte digest of a name as 32 hex digits: the shape of Discord's bucket hashes. */
void name_hash_hex(char out[33], const char *name);
/* Decodes %XX in place; false when a sequence is broken. */
bool percent_decode(char *text);
/* True when @text is well-formed UTF-8. */
bool utf8_valid(const char *text, size_t len);
/* Characters as Discord's limits are counted on the safe side: UTF-16 units. */
size_t utf16_length(const char *text);

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
