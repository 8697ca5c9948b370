/* TLS over memory BIOs: bytes in, bytes out, no socket. */
#ifndef SIM_TLS_H
#define SIM_TLS_H

#include "tests/sim/buf.h"

#include <stdbool.h>

struct tls_server;
struct tls;

/* Loads a certificate chain and its key; offers h2 by ALPN when @http2. NULL after saying why on stderr. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file, bool http2);
void tls_server_free(struct tls_server *server);

/* One connection's side. NULL when memory is short. */
struct tls *tls_new(struct tls_server *server);
void tls_free(struct tls *tls);
/* Takes bytes from the wire; appends what they decrypt to into @plain. 0, 1 at a clean end, -1 on a TLS failure. */
int tls_feed(struct tls *tls, const char *bytes, size_t n, struct buf *plain);
/* Encrypts all of @plain (when the handshake is done) and appends what is to go to the wire into @wire. 0 or -1. */
int tls_drain(struct tls *tls, struct buf *plain, struct buf *wire);
bool tls_established(const struct tls *tls);
/* True when the client chose HTTP/2. */
bool tls_is_h2(const struct tls *tls);

#endif
