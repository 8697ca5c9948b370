/* HTTP/2 on the TLS side, through libnghttp2: the same struct exchange as HTTP/1.1. */
#ifndef SIM_H2_H
#define SIM_H2_H

#include "tests/sim/http.h"

/* Takes a connection whose client chose h2 by ALPN; conn->in may hold its first bytes. */
void h2_start(struct conn *conn, http_handler_fn handler);
/* Answers on the exchange's stream and frees @x. */
void h2_reply(struct exchange *x, int status, const char *content_type, const void *body, size_t len);
/* The exchange is about to be freed: its stream must not point at it. */
void h2_forget(struct exchange *x);

#endif
