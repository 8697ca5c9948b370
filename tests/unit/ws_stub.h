/* A WebSocket server for tests, on threads of its own, on loopback, plain or TLS: each connection is handed to the
 * test's function, which plays the gateway by hand. Written apart from the client under test. A helper that meets a
 * dead peer says so and lets the function go on; nothing here waits without end (5 s). */
#ifndef SHOAL_TESTS_UNIT_WS_STUB_H
#define SHOAL_TESTS_UNIT_WS_STUB_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <zlib.h>

#define WS_CONNECTIONS_MAX 64

struct ws_stub;

/* One connection, in its own thread. */
struct ws_peer {
	struct ws_stub *stub;
	int number; /* 0 for the first connection of the stub */
	int fd;
	SSL *ssl;
	char request[4096]; /* head of the upgrade request */
	z_stream deflate;
	bool deflating;
	pthread_t thread;
};

struct ws_stub {
	int listener, port;
	pthread_t acceptor;
	void (*serve)(struct ws_peer *peer, void *arg);
	void *arg;
	SSL_CTX *ssl_ctx;
	struct ws_peer *peers[WS_CONNECTIONS_MAX];
	int count;
	pthread_mutex_t lock;
};

static inline int ws_read_raw(struct ws_peer *peer, void *bytes, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = peer->ssl ? SSL_read(peer->ssl, (char *)bytes + got, (int)(len - got))
				      : recv(peer->fd, (char *)bytes + got, len - got, 0);

		if (n <= 0)
			return -1;
		got += (size_t)n;
	}
	return 0;
}

static inline int ws_write_raw(struct ws_peer *peer, const void *bytes, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = peer->ssl ? SSL_write(peer->ssl, (const char *)bytes + sent, (int)(len - sent))
				      : send(peer->fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		sent += (size_t)n;
	}
	return 0;
}

static inline int ws_read_request(struct ws_peer *peer)
{
	size_t len = 0;

	while (len + 1 < sizeof(peer->request)) {
		if (ws_read_raw(peer, peer->request + len, 1) < 0)
			return -1;
		peer->request[++len] = '\0';
		if (len >= 4 && !strcmp(peer->request + len - 4, "\r\n\r\n"))
			return 0;
	}
	return -1;
}

static inline void ws_accept_key(const struct ws_peer *peer, char accept[32])
{
	const char *key = strcasestr(peer->request, "\r\nSec-WebSocket-Key:");
	char text[128] = "";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (key)
		sscanf(key + 20, " %60[^\r]", text);
	strcat(text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static inline int ws_upgrade(struct ws_peer *peer)
{
	char accept[32], answer[256];

	if (ws_read_request(peer) < 0)
		return -1;
	ws_accept_key(peer, accept);
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Accept: %s\r\n\r\n",
		 accept);
	return ws_write_raw(peer, answer, strlen(answer));
}

static inline int ws_send(struct ws_peer *peer, int first, const void *payload, size_t len)
{
	unsigned char head[10] = { (unsigned char)first };
	size_t n = 2;

	if (len < 126) {
		head[1] = (unsigned char)len;
	} else if (len < 65536) {
		head[1] = 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		n = 4;
	} else {
		head[1] = 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)((unsigned long long)len >> (56 - 8 * i));
		n = 10;
	}
	if (ws_write_raw(peer, head, n) < 0)
		return -1;
	return ws_write_raw(peer, payload, len);
}

static inline int ws_send_close(struct ws_peer *peer, int code, const char *reason)
{
	char payload[125] = { (char)(code >> 8), (char)code };
	size_t len = strlen(reason);

	memcpy(payload + 2, reason, len);
	return ws_send(peer, 0x88, payload, len + 2);
}

/* A payload as the URL's compress= asks: text, or zlib-stream. */
static inline int ws_send_json(struct ws_peer *peer, const char *json)
{
	size_t cap = strlen(json) + 1024;
	char *out;
	int r;

	if (!strstr(peer->request, "compress=zlib-stream"))
		return ws_send(peer, 0x81, json, strlen(json));
	if (!peer->deflating && deflateInit(&peer->deflate, 6) != Z_OK)
		return -1;
	peer->deflating = true;
	out = malloc(cap);
	peer->deflate.next_in = (Bytef *)(size_t)json;
	peer->deflate.avail_in = (uInt)strlen(json);
	peer->deflate.next_out = (Bytef *)out;
	peer->deflate.avail_out = (uInt)cap;
	deflate(&peer->deflate, Z_SYNC_FLUSH);
	r = ws_send(peer, 0x82, out, cap - peer->deflate.avail_out);
	free(out);
	return r;
}

/* Reads one client frame, unmasked, as a string. Returns its opcode; -1: the peer is gone, or the frame is not masked.
 */
static inline int ws_recv(struct ws_peer *peer, char *payload, size_t size, size_t *ret_len)
{
	unsigned char head[14];
	size_t len;

	if (ws_read_raw(peer, head, 2) < 0 || !(head[1] & 0x80))
		return -1;
	len = head[1] & 0x7F;
	if (len == 126) {
		if (ws_read_raw(peer, head + 2, 2) < 0)
			return -1;
		len = (size_t)head[2] << 8 | head[3];
	} else if (len == 127) {
		return -1; /* we never send so much */
	}
	if (len >= size || ws_read_raw(peer, head + 4, 4) < 0 || (len && ws_read_raw(peer, payload, len) < 0))
		return -1;
	for (size_t i = 0; i < len; i++)
		payload[i] = (char)(payload[i] ^ (char)head[4 + i % 4]);
	payload[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return head[0] & 0xF;
}

/* Reads frames until a text that contains @part (heartbeats and the like are passed over); fills @payload.
 * A close frame ends it: -(its code). -1: gone. */
static inline int ws_expect(struct ws_peer *peer, const char *part, char *payload, size_t size)
{
	for (;;) {
		size_t len = 0;
		int opcode = ws_recv(peer, payload, size, &len);

		if (opcode == 8)
			return len >= 2 ? -((unsigned char)payload[0] << 8 | (unsigned char)payload[1]) : -1005;
		if (opcode < 0)
			return -1;
		if (opcode == 1 && strstr(payload, part))
			return 0;
	}
}

/* Reads on until the client's close frame: its code, or -1. */
static inline int ws_wait_close(struct ws_peer *peer)
{
	char payload[8192];
	int r = ws_expect(peer, "\x01never", payload, sizeof(payload));

	return r < -1 ? -r : -1;
}

static inline void ws_reset(struct ws_peer *peer)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(peer->fd);
	peer->fd = -1;
}

static inline void *ws_run_peer(void *arg)
{
	struct ws_peer *peer = arg;
	bool ok = true;

	if (peer->stub->ssl_ctx) {
		peer->ssl = SSL_new(peer->stub->ssl_ctx);
		SSL_set_fd(peer->ssl, peer->fd);
		ok = SSL_accept(peer->ssl) == 1;
	}
	if (ok)
		peer->stub->serve(peer, peer->stub->arg);
	if (peer->deflating)
		deflateEnd(&peer->deflate);
	SSL_free(peer->ssl);
	if (peer->fd >= 0)
		close(peer->fd);
	return NULL;
}

static inline void *ws_accept_all(void *arg)
{
	struct ws_stub *stub = arg;
	struct timeval limit = { .tv_sec = 5 };

	for (;;) {
		int fd = accept(stub->listener, NULL, NULL);
		struct ws_peer *peer;

		if (fd < 0 || stub->count == WS_CONNECTIONS_MAX) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		peer = calloc(1, sizeof(*peer));
		peer->stub = stub;
		peer->fd = fd;
		pthread_mutex_lock(&stub->lock);
		peer->number = stub->count;
		stub->peers[stub->count++] = peer;
		pthread_create(&peer->thread, NULL, ws_run_peer, peer);
		pthread_mutex_unlock(&stub->lock);
	}
}

/* @ssl_ctx: NULL for ws://. Ends the program when there is no port. */
static inline void ws_stub_start(struct ws_stub *stub, SSL_CTX *ssl_ctx, void (*serve)(struct ws_peer *peer, void *arg),
				 void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	memset(stub, 0, sizeof(*stub));
	stub->serve = serve;
	stub->arg = arg;
	stub->ssl_ctx = ssl_ctx;
	pthread_mutex_init(&stub->lock, NULL);
	stub->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(stub->listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(stub->listener, 16) < 0 ||
	    getsockname(stub->listener, (struct sockaddr *)&address, &size) < 0) {
		perror("ws_stub");
		exit(1);
	}
	stub->port = ntohs(address.sin_port);
	pthread_create(&stub->acceptor, NULL, ws_accept_all, stub);
}

static inline int ws_stub_count(struct ws_stub *stub)
{
	int count;

	pthread_mutex_lock(&stub->lock);
	count = stub->count;
	pthread_mutex_unlock(&stub->lock);
	return count;
}

static inline void ws_stub_stop(struct ws_stub *stub)
{
	shutdown(stub->listener, SHUT_RDWR);
	pthread_join(stub->acceptor, NULL);
	close(stub->listener);
	for (int i = 0; i < stub->count; i++) {
		pthread_join(stub->peers[i]->thread, NULL);
		free(stub->peers[i]);
	}
	pthread_mutex_destroy(&stub->lock);
}

/* --- certificates: a CA of the test's own, and one for a name ---------------------------------------------------- */

static inline EVP_PKEY *ws_make_key(void)
{
	return EVP_EC_gen("P-256");
}

/* @names: "DNS:a,IP:1.2.3.4", or NULL for a CA. Signed by @ca and @ca_key, or by itself. */
static inline X509 *ws_make_cert(EVP_PKEY *key, const char *subject, const char *names, X509 *ca, EVP_PKEY *ca_key,
				 long not_after_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	static long serial = 1;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), not_after_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(cert, ca ? X509_get_subject_name(ca) : name);
	X509_set_pubkey(cert, key);
	X509V3_set_ctx(&ctx, ca ? ca : cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, names ? NID_subject_alt_name : NID_basic_constraints,
					names ? names : "critical,CA:TRUE");
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(cert, ca_key ? ca_key : key, EVP_sha256());
	return cert;
}

struct ws_ca {
	EVP_PKEY *key;
	X509 *cert;
	char path[128];
};

/* Writes the CA's certificate into @dir. */
static inline void ws_ca_make(struct ws_ca *ca, const char *dir, const char *name)
{
	FILE *file;

	ca->key = ws_make_key();
	ca->cert = ws_make_cert(ca->key, name, NULL, NULL, NULL, 86400);
	snprintf(ca->path, sizeof(ca->path), "%s/%s.pem", dir, name);
	file = fopen(ca->path, "w");
	PEM_write_X509(file, ca->cert);
	fclose(file);
}

static inline void ws_ca_free(struct ws_ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
}

static inline SSL_CTX *ws_server_ctx(struct ws_ca *ca, const char *names, long not_after_s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = ws_make_key();
	X509 *cert = ws_make_cert(key, "test server", names, ca->cert, ca->key, not_after_s);

	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

#endif
