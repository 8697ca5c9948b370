/* Requests of modules. Whatever they are led to by names, redirects or answers of resolvers, an address is looked at
 * when its socket is made. No proxy is asked (the environment's would see what an operator meant for himself). */
#include "shard/modhost/module_http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shard/modhost/modhost.h"
#include "shared/base/buf.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/discord/rest_curl.h"

#define TIMEOUT_MS    10000
#define BODY_DEFAULT  (1024 * 1024)
#define URL_MAX       4096
#define HEADER_MAX    4096
#define REDIRECTS_MAX 5
#define IDLE_MAX      4 /* connections kept for reuse */

struct http_call {
	struct scope_call call;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	bool too_large, forbidden;
	char text[CURL_ERROR_SIZE];
	shoal_http_fn fn;
	void *arg;
};
_Static_assert(offsetof(struct http_call, call) == 0, "a call is a request");

static struct rest_curl *client;

/* --- addresses -----------------------------------------------------------------------------------------------------
 */

static bool is_public_ipv4(uint32_t address)
{
	/* IANA's special-purpose ranges, and multicast and what lies above it. */
	static const struct {
		uint32_t first, bits;
	} ranges[] = {
		{ 0x00000000, 8 },  { 0x0A000000, 8 },  { 0x64400000, 10 }, { 0x7F000000, 8 },  { 0xA9FE0000, 16 },
		{ 0xAC100000, 12 }, { 0xC0000000, 24 }, { 0xC0000200, 24 }, { 0xC0586300, 24 }, { 0xC0A80000, 16 },
		{ 0xC6120000, 15 }, { 0xC6336400, 24 }, { 0xCB007100, 24 }, { 0xE0000000, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if ((address ^ ranges[i].first) >> (32 - ranges[i].bits) == 0)
			return false;
	}
	return true;
}

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Only 2000::/3 is the internet; within it some carry an IPv4 address, or are for books. */
static bool is_public_ipv6(const uint8_t *a)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xFF, 0x9B };

	if (memcmp(a, nat64, sizeof(nat64)) == 0)
		return is_public_ipv4(word_at(a + 12));
	if ((a[0] & 0xE0) != 0x20)
		return false;
	if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
		return is_public_ipv4(word_at(a + 2));
	if (a[0] == 0x20 && a[1] == 0x01 && a[2] < 0x02) /* 2001::/23: Teredo and others */
		return false;
	return !(a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0D && a[3] == 0xB8);
}

bool module_http_is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return is_public_ipv4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return is_public_ipv6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
	return false;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = arg;

	(void)purpose;
	if (!modhost_services()->http_private && !module_http_is_public(&address->addr)) {
		call->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static int error_of(const struct http_call *call, CURLcode code)
{
	static const struct {
		CURLcode code;
		int error;
	} rows[] = {
		{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, -ECONNREFUSED },
		{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
		{ CURLE_URL_MALFORMAT, -EINVAL },
		{ CURLE_UNSUPPORTED_PROTOCOL, -EINVAL },
		{ CURLE_TOO_MANY_REDIRECTS, -ELOOP },
		{ CURLE_OUT_OF_MEMORY, -ENOMEM },
		{ CURLE_SEND_ERROR, -ECONNRESET },
		{ CURLE_RECV_ERROR, -ECONNRESET },
		{ CURLE_GOT_NOTHING, -ECONNRESET },
		{ CURLE_PARTIAL_FILE, -ECONNRESET },
		{ CURLE_ABORTED_BY_CALLBACK, -ECANCELED },
	};

	if (code == CURLE_OK)
		return 0;
	if (call->too_large)
		return -EMSGSIZE;
	if (call->forbidden)
		return -EACCES;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].code == code)
			return rows[i].error;
	}
	return -EPROTO;
}

/* Takes everything of curl's away. */
static void give_back(struct http_call *call)
{
	if (call->easy)
		rest_curl_put(client, call->easy);
	call->easy = NULL;
	curl_slist_free_all(call->headers);
	call->headers = NULL;
}

static void complete(struct http_call *call, const struct shoal_http_result *result)
{
	struct shoal_scope *scope = call->call.scope;
	struct culprit_frame frame;

	call->call.over = true;
	if (result->error && result->error != -ECANCELED && scope->module->counters)
		board_count(scope->module->counters, BOARD_MODULE_failures, 1);
	scope_enter(&frame, scope, CULPRIT_CONTINUATION);
	call->fn(call->arg, result);
	culprit_leave(&frame);
	give_back(call);
	scope_done(&call->call);
	buf_finish(&call->body);
	free(call);
}

static const char *words_of(const struct http_call *call, int error, CURLcode code)
{
	switch (error) {
	case 0:
		return "";
	case -EMSGSIZE:
		return "the answer is larger than max_bytes";
	case -EACCES:
		return "the address is private or local, and modules.http_private does not allow those";
	default:
		return call->text[0] ? call->text : curl_easy_strerror(code);
	}
}

static void on_done(void *arg, CURL *easy, CURLcode code)
{
	struct shoal_http_result result = { .body = "", .content_type = "" };
	struct http_call *call = NULL;
	const char *type = NULL, *body;
	long status = 0;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	result.error = error_of(call, code);
	result.words = words_of(call, result.error, code);
	if (result.error == 0) {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
		body = buf_cstr(&call->body);
		result.status = (uint32_t)status;
		result.body = body ? body : "";
		result.len = body ? call->body.len : 0;
		result.content_type = type ? type : "";
	}
	complete(call, &result);
}

static void cancel(struct scope_call *scope_call)
{
	const struct shoal_http_result result = {
		.error = -ECANCELED, .body = "", .content_type = "", .words = "the scope has ended"
	};
	struct http_call *call = (struct http_call *)scope_call;

	rest_curl_stop(client, call->easy);
	complete(call, &result);
}

/* --- the beginning -------------------------------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	if (buf_append(&call->body, bytes, size * count) == 0)
		return size * count;
	call->too_large = true;
	return 0;
}

static bool is_plain(const char *text, size_t most)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > most)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
			return false;
	}
	return true;
}

static bool header_fits(const char *header)
{
	/* They are curl's: a module's would contradict what is sent. */
	static const char *const own[] = { "Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect" };
	size_t len = is_plain(header, HEADER_MAX) ? strcspn(header, ":") : 0;

	if (len == 0 || header[len] != ':')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)header[i]) && header[i] != '-' && header[i] != '_')
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (strlen(own[i]) == len && strncasecmp(header, own[i], len) == 0)
			return false;
	}
	return true;
}

static bool method_fits(const char *method, bool *ret_body, bool *ret_redirects)
{
	static const struct {
		const char *name;
		bool body, redirects;
	} rows[] = { { "GET", false, true }, { "HEAD", false, true },  { "POST", true, false },
		     { "PUT", true, false }, { "PATCH", true, false }, { "DELETE", true, false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].name, method) != 0)
			continue;
		*ret_body = rows[i].body;
		*ret_redirects = rows[i].redirects;
		return true;
	}
	return false;
}

static bool request_fits(const struct shoal_http_request *request, const char *method)
{
	bool body, redirects;

	if (!method_fits(method, &body, &redirects) || !is_plain(request->url, URL_MAX) ||
	    (strncasecmp(request->url, "http://", 7) != 0 && strncasecmp(request->url, "https://", 8) != 0))
		return false;
	if ((request->body_len && (!body || !request->body)) || request->body_len > SHOAL_HTTP_BODY_MAX ||
	    request->max_bytes > SHOAL_HTTP_BODY_MAX || request->timeout_ms > SHOAL_HTTP_TIMEOUT_MAX)
		return false;
	if (request->max_redirects > REDIRECTS_MAX || (request->max_redirects && !redirects) ||
	    request->header_count > SHOAL_HTTP_HEADERS_MAX || (request->header_count && !request->headers))
		return false;
	for (size_t i = 0; i < request->header_count; i++) {
		if (!header_fits(request->headers[i]))
			return false;
	}
	return true;
}

static size_t open_calls(const struct shoal_scope *scope)
{
	const struct scope_call *one;
	size_t count = 0;

	for (one = scope->calls; one; one = one->next)
		count += one->cancel == cancel && !one->over;
	return count;
}

static bool add_headers(struct http_call *call, const struct shoal_http_request *request)
{
	char agent[128];
	struct curl_slist *more;

	snprintf(agent, sizeof(agent), "User-Agent: shoal/%s (module %s)", shoal_version,
		 call->call.scope->module->name);
	call->headers = curl_slist_append(NULL, agent);
	more = call->headers ? curl_slist_append(call->headers, "Expect:") : NULL;
	for (size_t i = 0; more && i < request->header_count; i++)
		more = curl_slist_append(call->headers, request->headers[i]);
	return more != NULL;
}

#define SET(option, value)                                                       \
	do {                                                                     \
		if (curl_easy_setopt(call->easy, (option), (value)) != CURLE_OK) \
			return -ENOMEM;                                          \
	} while (0)

static int set_up(struct http_call *call, const struct shoal_http_request *request, const char *method)
{
	if (!add_headers(call, request))
		return -ENOMEM;
	SET(CURLOPT_PRIVATE, (char *)call);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, call);
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_ERRORBUFFER, call->text);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout_ms ? request->timeout_ms : TIMEOUT_MS));
	SET(CURLOPT_FOLLOWLOCATION, (long)(request->max_redirects > 0));
	SET(CURLOPT_MAXREDIRS, (long)request->max_redirects);
	if (strcmp(method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
	if (request->body_len || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(CURLOPT_COPYPOSTFIELDS, request->body_len ? (const char *)request->body : "");
	}
	return 0;
}

static int start_client(void)
{
	return client ? 0 : rest_curl_new(modhost_services()->loop, IDLE_MAX, on_done, NULL, &client);
}

int module_http_request(struct shoal_scope *scope, const struct shoal_http_request *request, shoal_http_fn fn,
			void *arg)
{
	const char *method = request->method ? request->method : "GET";
	struct http_call *call;
	int r;

	if (!fn || !scope->module || !request_fits(request, method))
		return -EINVAL;
	if (open_calls(scope) >= SHOAL_HTTP_OPEN_MAX)
		return -ENOBUFS;
	r = start_client();
	if (r < 0)
		return r;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	buf_init(&call->body, (request->max_bytes ? request->max_bytes : BODY_DEFAULT) + 1);
	call->fn = fn;
	call->arg = arg;
	r = scope_add(scope, &call->call, cancel);
	if (r < 0) {
		free(call);
		return r;
	}
	call->easy = rest_curl_get(client);
	r = call->easy ? set_up(call, request, method) : -ENOMEM;
	if (r == 0)
		r = rest_curl_start(client, call->easy);
	if (r == 0)
		return 0;
	give_back(call);
	scope_done(&call->call);
	buf_finish(&call->body);
	free(call);
	return r;
}

void module_http_close(void)
{
	if (client)
		rest_curl_close(TAKE(client), NULL, NULL);
}
