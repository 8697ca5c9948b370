/* SPDX-License-Identifier: MIT */
/* JSON's plain values as C values. All take a token (a slice of JSON, surely within its bounds but not to be trusted)
 * and may run on any thread; none is touched on failure. */
#ifndef SHOAL_GATEWAY_SCALAR_H
#define SHOAL_GATEWAY_SCALAR_H

#include <shoal/fields.h>

/* An integer, also one written as 1e3 or 2.0, between @min and @max. For numbers beyond int64_t see scalar_u64. */
bool scalar_i64(struct shoal_str token, int64_t min, int64_t max, int64_t *ret);

/* The same from 0 to @max. */
bool scalar_u64(struct shoal_str token, uint64_t max, uint64_t *ret);

/* Any finite number; the nearest double. Tokens of more than 400 bytes are refused. */
bool scalar_double(struct shoal_str token, double *ret);

/* A decimal number of any length: its lowest 64 bits, and whether there were more. */
bool scalar_perms(struct shoal_str digits, struct shoal_perms *ret);

/* Resolves the escapes of @raw (what stands between the quotes) into @text, which has room for raw.len bytes. A lone
 * surrogate becomes U+FFFD and is counted in @ret_repaired. Returns the length, or -1 for a bad escape. */
int64_t scalar_unescape(struct shoal_str raw, char *text, uint32_t *ret_repaired);

#endif
