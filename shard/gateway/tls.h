/* SPDX-License-Identifier: MIT */
/* TLS of one client connection over bytes in memory: no socket, no loop. OpenSSL, TLS 1.2 or later, the certificate
 * verified for the name that we meant to reach. */
#ifndef SHOAL_GATEWAY_TLS_H
#define SHOAL_GATEWAY_TLS_H

#include <stddef.h>

#include "shared/base/buf.h"

struct tls_context; /* trust anchors and settings, for any number of connections */
struct tls;

#define TLS_TEXT_SIZE 192

/* @ca_file: PEM with the only CAs to trust; "" or NULL: the system's directory of hashed certificates, read one by one
 * as needed (a bundle would cost each worker most of a megabyte and 20 ms). -EINVAL with @text (why the file is no
 * use), -ENOMEM. */
int tls_context_new(const char *ca_file, struct tls_context **ret_context, char text[TLS_TEXT_SIZE]);
struct tls_context *tls_context_free(struct tls_context *context); /* NULL in, NULL out */

/* @host: the name (or numeric address) that the certificate must be for, sent as SNI when it is a name. Keeps @out:
 * what is to be sent is appended there. -ENOMEM, -EINVAL. */
int tls_new(struct tls_context *context, const char *host, struct buf *out, struct tls **ret_tls);
struct tls *tls_free(struct tls *tls);

/* What the peer sent; borrowed until all of it was taken (the functions below say 0) or the next tls_input(). */
void tls_input(struct tls *tls, const char *bytes, size_t len);
/* 1: done; 0: more input is needed; -EPROTO: failed, see tls_text(). */
int tls_handshake(struct tls *tls);
/* Bytes read; 0: more input is needed; -EPIPE: the peer ended TLS in order; -EPROTO: see tls_text(). */
int tls_read(struct tls *tls, char *bytes, size_t size);
/* 0, or -EPROTO. All or nothing. */
int tls_write(struct tls *tls, const char *bytes, size_t len);
/* Why the last call failed. */
const char *tls_text(const struct tls *tls);

#endif
