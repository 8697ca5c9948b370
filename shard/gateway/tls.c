/* SPDX-License-Identifier: MIT */
/* TLS over memory. Run by the transport on its loop. libwebsockets 4.1 can't do TLS on a raw client connection (it
 * begins the handshake before there is a socket) and reports errors as numbers, so OpenSSL is used directly, through a
 * BIO that reads the received bytes where they lie and appends to the outgoing buffer. */
#include "shard/gateway/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls_context {
	SSL_CTX *ssl_ctx;
	BIO_METHOD *method;
};

struct tls {
	SSL *ssl;
	struct buf *out;
	const char *in;
	size_t in_len;
	char host[256];
	char text[TLS_TEXT_SIZE];
};

static int bio_read(BIO *bio, char *bytes, int size)
{
	struct tls *tls = BIO_get_data(bio);
	size_t take = (size_t)size < tls->in_len ? (size_t)size : tls->in_len;

	BIO_clear_retry_flags(bio);
	if (!take) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(bytes, tls->in, take);
	tls->in += take;
	tls->in_len -= take;
	return (int)take;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return buf_append(tls->out, bytes, (size_t)len) < 0 ? -1 : len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int load_anchors(SSL_CTX *ssl_ctx, const char *ca_file, char text[TLS_TEXT_SIZE])
{
	unsigned long error;

	if (!ca_file || !*ca_file) {
		SSL_CTX_set_default_verify_dir(ssl_ctx);
		return 0;
	}
	if (SSL_CTX_load_verify_file(ssl_ctx, ca_file) == 1)
		return 0;
	error = ERR_peek_error();
	snprintf(text, TLS_TEXT_SIZE, "discord.ca_file can't be used: %s",
		 ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
					 : (ERR_reason_error_string(error) ?: "no certificate in it"));
	ERR_clear_error();
	return -EINVAL;
}

static int make_context(struct tls_context *context, const char *ca_file, char text[TLS_TEXT_SIZE])
{
	context->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shoal");
	context->ssl_ctx = SSL_CTX_new(TLS_client_method());
	if (!context->method || !context->ssl_ctx)
		return -ENOMEM;
	BIO_meth_set_read(context->method, bio_read);
	BIO_meth_set_write(context->method, bio_write);
	BIO_meth_set_ctrl(context->method, bio_ctrl);
	SSL_CTX_set_min_proto_version(context->ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_PEER, NULL);
	/* An idle connection keeps no record buffers; no session is ever taken up again. */
	SSL_CTX_set_mode(context->ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context->ssl_ctx, SSL_SESS_CACHE_OFF);
	return load_anchors(context->ssl_ctx, ca_file, text);
}

int tls_context_new(const char *ca_file, struct tls_context **ret_context, char text[TLS_TEXT_SIZE])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int r;

	snprintf(text, TLS_TEXT_SIZE, "out of memory");
	if (!context)
		return -ENOMEM;
	r = make_context(context, ca_file, text);
	if (r < 0) {
		tls_context_free(context);
		return r;
	}
	*ret_context = context;
	return 0;
}

struct tls_context *tls_context_free(struct tls_context *context)
{
	if (!context)
		return NULL;
	SSL_CTX_free(context->ssl_ctx);
	BIO_meth_free(context->method);
	free(context);
	return NULL;
}

static bool is_numeric(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The peer's certificate must be for @host: a name by its names, an address by its addresses. */
static int set_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (is_numeric(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : -ENOMEM;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_host(param, host, 0) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1)
		return -ENOMEM;
	return 0;
}

int tls_new(struct tls_context *context, const char *host, struct buf *out, struct tls **ret_tls)
{
	struct tls *tls;
	BIO *bio;

	if (!*host || strlen(host) >= sizeof(tls->host))
		return -EINVAL;
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->out = out;
	snprintf(tls->host, sizeof(tls->host), "%s", host);
	tls->ssl = SSL_new(context->ssl_ctx);
	bio = BIO_new(context->method);
	if (!tls->ssl || !bio || set_host(tls->ssl, host) < 0) {
		BIO_free(bio);
		tls_free(tls);
		return -ENOMEM;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_connect_state(tls->ssl);
	*ret_tls = tls;
	return 0;
}

struct tls *tls_free(struct tls *tls)
{
	if (!tls)
		return NULL;
	SSL_free(tls->ssl);
	free(tls);
	return NULL;
}

void tls_input(struct tls *tls, const char *bytes, size_t len)
{
	tls->in = bytes;
	tls->in_len = len;
}

/* What OpenSSL says, in its own words; a refused certificate by what is wrong with it. */
static int fail(struct tls *tls, const char *what)
{
	long verify = SSL_get_verify_result(tls->ssl);
	unsigned long error = ERR_peek_error();

	if (verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH)
		snprintf(tls->text, sizeof(tls->text), "the certificate is not for %.150s", tls->host);
	else if (verify != X509_V_OK)
		snprintf(tls->text, sizeof(tls->text), "the certificate is refused: %s",
			 X509_verify_cert_error_string(verify));
	else
		snprintf(tls->text, sizeof(tls->text), "%s: %s", what,
			 ERR_reason_error_string(error) ?: "unexpected end");
	ERR_clear_error();
	return -EPROTO;
}

int tls_handshake(struct tls *tls)
{
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(tls->ssl);
	if (n == 1)
		return 1;
	return SSL_get_error(tls->ssl, n) == SSL_ERROR_WANT_READ ? 0 : fail(tls, "TLS handshake");
}

int tls_read(struct tls *tls, char *bytes, size_t size)
{
	int n;

	ERR_clear_error();
	n = SSL_read(tls->ssl, bytes, size > INT_MAX ? INT_MAX : (int)size);
	if (n > 0)
		return n;
	switch (SSL_get_error(tls->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -EPIPE;
	default:
		return fail(tls, "TLS");
	}
}

int tls_write(struct tls *tls, const char *bytes, size_t len)
{
	int n;

	if (!len)
		return 0;
	ERR_clear_error();
	n = SSL_write(tls->ssl, bytes, (int)len);
	return n == (int)len ? 0 : fail(tls, "TLS");
}

const char *tls_text(const struct tls *tls)
{
	return tls->text;
}
