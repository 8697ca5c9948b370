/* The server side of TLS 1.2 and 1.3 for conn.c, which owns the socket. */
#include "tests/sim/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_server {
	SSL_CTX *ctx;
	bool http2;
};

struct tls {
	SSL *ssl;
	BIO *from_wire;
	BIO *to_wire;
};

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
			   unsigned int in_len, void *arg)
{
	static const unsigned char with_h2[] = "\x02h2\x08http/1.1", without[] = "\x08http/1.1";
	struct tls_server *server = arg;
	const unsigned char *ours = server->http2 ? with_h2 : without;
	unsigned int ours_len = server->http2 ? sizeof(with_h2) - 1 : sizeof(without) - 1;

	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)out, out_len, ours, ours_len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, bool http2)
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->http2 = http2;
	server->ctx = SSL_CTX_new(TLS_server_method());
	if (!server->ctx || SSL_CTX_use_certificate_chain_file(server->ctx, cert_file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server->ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(server->ctx) != 1) {
		fprintf(stderr, "discord-sim: --tls-cert %s / --tls-key %s: %s\n", cert_file, key_file,
			ERR_reason_error_string(ERR_get_error()));
		tls_server_free(server);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(server->ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(server->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_select_cb(server->ctx, choose_protocol, server);
	return server;
}

void tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	SSL_CTX_free(server->ctx);
	free(server);
}

struct tls *tls_new(struct tls_server *server)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->ssl = SSL_new(server->ctx);
	tls->from_wire = BIO_new(BIO_s_mem());
	tls->to_wire = BIO_new(BIO_s_mem());
	if (!tls->ssl || !tls->from_wire || !tls->to_wire) {
		BIO_free(tls->from_wire);
		BIO_free(tls->to_wire);
		SSL_free(tls->ssl);
		free(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, tls->from_wire, tls->to_wire);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

int tls_feed(struct tls *tls, const char *bytes, size_t n, struct buf *plain)
{
	int r;

	while (n > 0) {
		r = BIO_write(tls->from_wire, bytes, n > 1 << 20 ? 1 << 20 : (int)n);
		if (r <= 0)
			return -1;
		bytes += r;
		n -= (size_t)r;
	}
	ERR_clear_error();
	for (;;) {
		char *at = buf_room(plain, 16384);

		if (!at)
			return -1;
		r = SSL_read(tls->ssl, at, 16384);
		if (r <= 0)
			break;
		plain->len += (size_t)r;
	}
	switch (SSL_get_error(tls->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	default:
		return -1;
	}
}

int tls_drain(struct tls *tls, struct buf *plain, struct buf *wire)
{
	size_t pending;
	char *at;

	ERR_clear_error();
	while (plain->len > 0 && SSL_is_init_finished(tls->ssl)) {
		int n = SSL_write(tls->ssl, buf_data(plain), plain->len > 1 << 20 ? 1 << 20 : (int)plain->len);

		if (n <= 0)
			return -1; /* a memory BIO always has room */
		buf_consume(plain, (size_t)n);
	}
	pending = BIO_ctrl_pending(tls->to_wire);
	if (!pending)
		return 0;
	at = buf_room(wire, pending);
	if (!at || BIO_read(tls->to_wire, at, (int)pending) != (int)pending)
		return -1;
	wire->len += pending;
	return 0;
}

bool tls_established(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl);
}

bool tls_is_h2(const struct tls *tls)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;

	SSL_get0_alpn_selected(tls->ssl, &name, &len);
	return len == 2 && !memcmp(name, "h2", 2);
}
