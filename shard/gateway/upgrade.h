/* SPDX-License-Identifier: MIT */
/* The HTTP/1.1 upgrade to WebSocket (RFC 6455 section 4): request built, answer checked. No I/O. */
#ifndef SHOAL_GATEWAY_UPGRADE_H
#define SHOAL_GATEWAY_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/discord/url.h"

#define UPGRADE_HEAD_MAX    (16 * 1024)
#define UPGRADE_SNIPPET_MAX 160
#define UPGRADE_TEXT_SIZE   256

struct upgrade {
	char key[25];     /* Sec-WebSocket-Key */
	char accept[29];  /* what must come back */
	struct buf head;  /* the answer's head */
	bool refused;     /* head read, status is not 101: the body's beginning is gathered */
	int status;       /* 0: none read yet */
	size_t body_left; /* refused: how much body is still worth waiting for */
	char snippet[UPGRADE_SNIPPET_MAX + 1];
	size_t snippet_len;
};

enum upgrade_result {
	UPGRADE_MORE,
	UPGRADE_DONE,    /* 101 with all that belongs to it; the bytes left are frames */
	UPGRADE_REFUSED, /* another status, or no HTTP, or a 101 that is none: upgrade_text() says */
};

void upgrade_init(struct upgrade *upgrade, const uint8_t nonce[16]);
void upgrade_finish(struct upgrade *upgrade);
/* Appends the request for @url. -ENOBUFS, -ENOMEM, -ENAMETOOLONG. */
int upgrade_request(const struct upgrade *upgrade, const struct url *url, const char *user_agent, struct buf *out);
/* Takes the answer's bytes from the front of *bytes. */
enum upgrade_result upgrade_feed(struct upgrade *upgrade, char **bytes, size_t *len);
/* The connection ended (or time is up) before upgrade_feed() came to a result: was there an answer to speak of? */
bool upgrade_has_status(const struct upgrade *upgrade);
/* Why it was refused, printable, with the beginning of the body. */
void upgrade_text(const struct upgrade *upgrade, char text[UPGRADE_TEXT_SIZE]);

#endif
