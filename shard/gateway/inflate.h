/* SPDX-License-Identifier: MIT */
/* Transport decompression of one gateway connection: WebSocket messages in, JSON payloads out. One for each connection,
 * made anew for each (RESUME too). Output is bounded: what would pass the maximum is refused while it is unpacked.
 * Source: discord-facts section 3. */
#ifndef SHOAL_GATEWAY_INFLATE_H
#define SHOAL_GATEWAY_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/config/config.h"

struct inflater;

/* @max_payload_bytes bounds one payload after decompression. -EINVAL (no such mode), -ENOMEM. */
int inflater_new(enum config_compress mode, size_t max_payload_bytes, struct inflater **ret_inflater);
struct inflater *inflater_free(struct inflater *inflater); /* NULL in, NULL out */
void inflater_freep(struct inflater **inflater);

/* Takes one whole message. 1: a payload is in *ret_payload, valid (and writable) until the next call; it may be the
 * message itself. 0: taken, the payload is not complete yet (zlib-stream lets it span messages).
 * -EBADMSG (corrupt, or the stream ended), -EMSGSIZE (over the maximum), -ENOMEM: the connection is lost, since the
 * stream's state is. */
int inflater_feed(struct inflater *inflater, char *message, size_t len, char **ret_payload, size_t *ret_len);

/* What is unpacked of the payload at hand, also after an error: valid until the next call. */
void inflater_partial(const struct inflater *inflater, const char **ret_bytes, size_t *ret_len);

/* Gives back memory that a big payload had needed. Not between feed and the use of its payload. */
void inflater_trim(struct inflater *inflater);
/* Bytes held now for output, for tests and gauges. */
size_t inflater_output_bytes(const struct inflater *inflater);

/* The value of the URL's compress= parameter; NULL for none. */
const char *inflater_parameter(enum config_compress mode);

/* What one call unpacks into: most payloads are far smaller. */
#define INFLATER_OUTPUT_BYTES (64 * 1024)

#endif
