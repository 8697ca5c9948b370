/* One attempt on curl. Run by the REST client. Must not decide whether to repeat: it only says what is known of the
 * request's fate, and the most careful thing where nothing is. */
#include "shared/discord/transfer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "shared/base/cleanup.h"

#define CONNECT_TIMEOUT_MS 8000L
#define IDLE_S             90L /* a connection idle for longer is not used again */
#define IDLE_ONCE_S        15L /* for what must not be sent twice */
#define BODY_KEEP_BYTES    16384
#define HEADER_MAX         8192

struct transfer_wire {
	unsigned refs;
	bool https;
	char *api_base, *user_agent, *ca_file;
	/* [with token][with body] */
	struct curl_slist *headers[2][2];
};

/* --- the wire ------------------------------------------------------------------------------------------------------
 */

/* Header text from configuration: printable, nothing that could start another header. */
static bool is_header_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static int add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int build_headers(struct transfer_wire *wire, const char *token)
{
	char line[HEADER_MAX];
	int r = 0;

	if (snprintf(line, sizeof(line), "Authorization: Bot %s", token) >= (int)sizeof(line))
		return -EINVAL;
	for (int with_token = 0; with_token < 2 && r == 0; with_token++)
		for (int with_body = 0; with_body < 2 && r == 0; with_body++) {
			struct curl_slist **list = &wire->headers[with_token][with_body];

			/* An empty POST must not be called a form, and nobody is asked for leave to send a body. */
			r = add_header(list, with_body ? "Content-Type: application/json" : "Content-Type:");
			r = r < 0 ? r : add_header(list, "Expect:");
			r = r < 0 ? r : add_header(list, "Accept: application/json");
			if (r == 0 && with_token && *token)
				r = add_header(list, line);
		}
	explicit_bzero(line, sizeof(line));
	return r;
}

static void wire_free(struct transfer_wire *wire)
{
	for (int i = 0; i < 4; i++)
		curl_slist_free_all(wire->headers[i / 2][i % 2]);
	free(wire->api_base);
	free(wire->user_agent);
	free(wire->ca_file);
	free(wire);
}

int transfer_wire_new(const char *api_base, const char *token, const char *user_agent, const char *ca_file,
		      struct transfer_wire **ret_wire)
{
	bool https = strncmp(api_base, "https://", 8) == 0;
	struct transfer_wire *wire;
	int r;

	token = token ? token : "";
	ca_file = ca_file ? ca_file : "";
	if ((!https && strncmp(api_base, "http://", 7) != 0) || !is_header_text(api_base) || strchr(api_base, ' ') ||
	    !is_header_text(token) || strchr(token, ' ') || !is_header_text(user_agent))
		return -EINVAL;
	wire = calloc(1, sizeof(*wire));
	if (!wire)
		return -ENOMEM;
	wire->refs = 1;
	wire->https = https;
	wire->api_base = strdup(api_base);
	wire->user_agent = strdup(user_agent);
	wire->ca_file = strdup(ca_file);
	r = wire->api_base && wire->user_agent && wire->ca_file ? build_headers(wire, token) : -ENOMEM;
	if (r < 0) {
		wire_free(wire);
		return r;
	}
	for (size_t len = strlen(wire->api_base); len && wire->api_base[len - 1] == '/'; len--)
		wire->api_base[len - 1] = '\0';
	*ret_wire = wire;
	return 0;
}

int transfer_wire_with_token(const struct transfer_wire *wire, const char *token, struct transfer_wire **ret_wire)
{
	return transfer_wire_new(wire->api_base, token, wire->user_agent, wire->ca_file, ret_wire);
}

struct transfer_wire *transfer_wire_ref(struct transfer_wire *wire)
{
	wire->refs++;
	return wire;
}

void transfer_wire_unref(struct transfer_wire *wire)
{
	if (wire && --wire->refs == 0)
		wire_free(wire);
}

const char *transfer_wire_base(const struct transfer_wire *wire)
{
	return wire->api_base;
}

/* --- curl's callbacks: note, nothing else ---------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	int r = buf_append(&transfer->body, bytes, size * count);

	if (r == -ENOBUFS)
		transfer->too_large = true;
	else if (r < 0)
		transfer->no_memory = true;
	return r < 0 ? 0 : size * count;
}

static int64_t read_date(const char *line, size_t len)
{
	char text[64];
	time_t date_s;

	if (len <= 5 || len - 5 >= sizeof(text) || strncasecmp(line, "date:", 5) != 0)
		return 0;
	memcpy(text, line + 5, len - 5);
	text[len - 5] = '\0';
	date_s = curl_getdate(text, NULL);
	return date_s > 0 ? (int64_t)date_s : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;

	/* A status line begins an answer: what a 100 or a refused connection said before is not its. */
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		memset(&transfer->limits, 0, sizeof(transfer->limits));
		transfer->date_s = 0;
	} else if (len > 0 && (line[0] == 'd' || line[0] == 'D')) {
		transfer->date_s = transfer->date_s ? transfer->date_s : read_date(line, len);
	} else {
		ratelimit_header(&transfer->limits, line, len);
	}
	return len;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = transfer->send_len - transfer->send_at;

	if (len > size * count)
		len = size * count;
	memcpy(bytes, transfer->send + transfer->send_at, len);
	transfer->send_at += len;
	return len;
}

/* curl found a kept connection dead and would send all again. What was sent there may have arrived. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct transfer *transfer = arg;

	if (origin == SEEK_SET && offset == 0 && transfer->send_at == 0)
		return CURL_SEEKFUNC_OK;
	return CURL_SEEKFUNC_FAIL;
}

/* --- options -------------------------------------------------------------------------------------------------------
 */

/* An option that could not be set (curl copies some) would be a request other than the one meant. */
#define SET(transfer_, ...)                                    \
	do {                                                   \
		if (curl_easy_setopt(__VA_ARGS__) != CURLE_OK) \
			(transfer_)->no_memory = true;         \
	} while (0)

static void set_body(struct transfer *transfer, CURL *easy, const struct transfer_request *request)
{
	SET(transfer, easy, CURLOPT_POST, 1L);
	SET(transfer, easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	transfer->send = request->body;
	transfer->send_len = request->body_len;
	transfer->send_at = 0;
	if (!request->once || !request->body_len) {
		SET(transfer, easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		return;
	}
	SET(transfer, easy, CURLOPT_READFUNCTION, on_read);
	SET(transfer, easy, CURLOPT_READDATA, transfer);
	SET(transfer, easy, CURLOPT_SEEKFUNCTION, on_seek);
	SET(transfer, easy, CURLOPT_SEEKDATA, transfer);
}

static void set_method(struct transfer *transfer, CURL *easy, const struct transfer_request *request)
{
	bool bodied = request->body || request->method == ROUTE_POST || request->method == ROUTE_PUT ||
		      request->method == ROUTE_PATCH;

	if (bodied)
		set_body(transfer, easy, request);
	else
		SET(transfer, easy, CURLOPT_HTTPGET, 1L);
	if (request->method != (bodied ? ROUTE_POST : ROUTE_GET))
		SET(transfer, easy, CURLOPT_CUSTOMREQUEST, route_method_names[request->method]);
}

static void set_connection(struct transfer *transfer, const struct transfer_wire *wire, CURL *easy,
			   const struct transfer_request *request)
{
	/* Said, or curl would take http_proxy and its kin from the environment, unasked: the token would go by who
	 * knows whom, and the gateway, which knows no proxy, another way. */
	SET(transfer, easy, CURLOPT_PROXY, "");
	SET(transfer, easy, CURLOPT_PROTOCOLS_STR, wire->https ? "https" : "http");
	SET(transfer, easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* Over plain TCP nothing tells of HTTP/2, and waiting to learn it would line up requests behind the first. */
	SET(transfer, easy, CURLOPT_HTTP_VERSION, (long)(wire->https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	SET(transfer, easy, CURLOPT_PIPEWAIT, (long)(wire->https && !request->impatient));
	SET(transfer, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(transfer, easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(transfer, easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (wire->ca_file[0]) {
		SET(transfer, easy, CURLOPT_CAINFO, wire->ca_file);
		SET(transfer, easy, CURLOPT_CAPATH, NULL);
	}
	SET(transfer, easy, CURLOPT_FRESH_CONNECT, (long)request->fresh);
	/* A request with no body has nothing that curl would have to rewind, so nothing stops its own repeat but this.
	 */
	if (request->once && !request->body_len)
		SET(transfer, easy, CURLOPT_FRESH_CONNECT, 1L);
	/* The longer a connection was idle, the likelier it dies under the request, whose fate is unknown then. */
	SET(transfer, easy, CURLOPT_MAXAGE_CONN, request->once ? IDLE_ONCE_S : IDLE_S);
	SET(transfer, easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	SET(transfer, easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)request->timeout_ms < CONNECT_TIMEOUT_MS ? (long)request->timeout_ms : CONNECT_TIMEOUT_MS);
}

static void set_callbacks(struct transfer *transfer, CURL *easy)
{
	SET(transfer, easy, CURLOPT_PRIVATE, transfer);
	SET(transfer, easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(transfer, easy, CURLOPT_WRITEDATA, transfer);
	SET(transfer, easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(transfer, easy, CURLOPT_HEADERDATA, transfer);
	SET(transfer, easy, CURLOPT_ERRORBUFFER, transfer->text);
}

int transfer_start(struct transfer *transfer, struct rest_curl *curl, struct transfer_wire *wire,
		   const struct transfer_request *request, size_t max_body)
{
	struct curl_slist *headers = wire->headers[request->with_token][request->body != NULL];
	CURL *easy = rest_curl_get(curl);
	int r;

	if (!easy)
		return -ENOMEM;
	transfer->body.max = max_body;
	buf_clear(&transfer->body, BODY_KEEP_BYTES);
	memset(&transfer->limits, 0, sizeof(transfer->limits));
	transfer->date_s = 0;
	transfer->too_large = transfer->no_memory = false;
	transfer->text[0] = '\0';
	if (request->reason_header) {
		/* curl only reads its list. */
		transfer->reason.data = (char *)request->reason_header;
		transfer->reason.next = headers;
		headers = &transfer->reason;
	}
	SET(transfer, easy, CURLOPT_HTTPHEADER, headers);
	SET(transfer, easy, CURLOPT_USERAGENT, wire->user_agent);
	set_method(transfer, easy, request);
	set_connection(transfer, wire, easy, request);
	set_callbacks(transfer, easy);
	SET(transfer, easy, CURLOPT_URL, request->url);
	r = transfer->no_memory ? -ENOMEM : rest_curl_start(curl, easy);
	if (r < 0) {
		rest_curl_put(curl, easy);
		return r;
	}
	transfer->easy = easy;
	transfer->wire = transfer_wire_ref(wire);
	return 0;
}

struct transfer *transfer_of(CURL *easy)
{
	char *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	return (struct transfer *)transfer;
}

/* --- how it ended --------------------------------------------------------------------------------------------------
 */

/* A row for each code whose meaning we know; any other may have happened at any time. */
static const struct code_row {
	CURLcode code;
	enum retry_outcome outcome;
	int error;
} code_rows[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, RETRY_UNSENT, -EHOSTUNREACH },
	{ CURLE_COULDNT_RESOLVE_PROXY, RETRY_UNSENT, -EHOSTUNREACH },
	{ CURLE_COULDNT_CONNECT, RETRY_UNSENT, -ECONNREFUSED },
	{ CURLE_SSL_CONNECT_ERROR, RETRY_UNSENT, -EPROTO },
	{ CURLE_PEER_FAILED_VERIFICATION, RETRY_REFUSED, -EPROTO },
	{ CURLE_SSL_CACERT_BADFILE, RETRY_REFUSED, -EPROTO },
	{ CURLE_SSL_CERTPROBLEM, RETRY_REFUSED, -EPROTO },
	{ CURLE_SSL_ISSUER_ERROR, RETRY_REFUSED, -EPROTO },
	{ CURLE_URL_MALFORMAT, RETRY_REFUSED, -EINVAL },
	{ CURLE_UNSUPPORTED_PROTOCOL, RETRY_REFUSED, -EINVAL },
	{ CURLE_OPERATION_TIMEDOUT, RETRY_LOST, -ETIMEDOUT },
	{ CURLE_GOT_NOTHING, RETRY_LOST, -ECONNRESET },
	{ CURLE_SEND_ERROR, RETRY_LOST, -ECONNRESET },
	{ CURLE_SEND_FAIL_REWIND, RETRY_LOST, -ECONNRESET },
	{ CURLE_RECV_ERROR, RETRY_LOST, -ECONNRESET },
	{ CURLE_PARTIAL_FILE, RETRY_LOST, -ECONNRESET },
	{ CURLE_HTTP2, RETRY_LOST, -ECONNRESET },
	{ CURLE_HTTP2_STREAM, RETRY_LOST, -ECONNRESET },
	{ CURLE_WEIRD_SERVER_REPLY, RETRY_LOST, -EBADMSG },
	{ CURLE_OUT_OF_MEMORY, RETRY_LOST, -ENOMEM },
	{ CURLE_ABORTED_BY_CALLBACK, RETRY_LOST, -ECANCELED },
};

static void judge(const struct transfer *transfer, CURLcode code, curl_off_t pretransfer_us,
		  struct transfer_result *result)
{
	result->outcome = RETRY_LOST;
	result->error = -EIO;
	for (size_t i = 0; i < ARRAY_SIZE(code_rows); i++)
		if (code_rows[i].code == code) {
			result->outcome = code_rows[i].outcome;
			result->error = code_rows[i].error;
		}
	result->timed_out = code == CURLE_OPERATION_TIMEDOUT;
	/* Broken off before there was a connection: nothing of it was sent. */
	if ((code == CURLE_OPERATION_TIMEDOUT || code == CURLE_ABORTED_BY_CALLBACK) && pretransfer_us == 0)
		result->outcome = RETRY_UNSENT;
	if (transfer->too_large) {
		result->outcome = RETRY_REFUSED;
		result->error = -EFBIG;
	}
	if (transfer->no_memory)
		result->error = -ENOMEM;
	snprintf(result->text, sizeof(result->text), "%s",
		 transfer->text[0] ? transfer->text : curl_easy_strerror(code));
}

static void read_results(struct transfer *transfer, CURLcode code, struct transfer_result *result)
{
	curl_off_t total_us = 0, pretransfer_us = 0;
	long status = 0, version = 0;

	memset(result, 0, sizeof(*result));
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
	result->http_status = status > 0 && status < 1000 ? (uint32_t)status : 0;
	result->http_version = version == CURL_HTTP_VERSION_2_0   ? 20
			       : version == CURL_HTTP_VERSION_1_1 ? 11
			       : version == CURL_HTTP_VERSION_1_0 ? 10
								  : 0;
	if (code == CURLE_OK && result->http_status) {
		result->latency_us = total_us > pretransfer_us ? (uint64_t)(total_us - pretransfer_us) : 1;
		return;
	}
	judge(transfer, code, pretransfer_us, result);
}

static void release(struct transfer *transfer, struct rest_curl *curl)
{
	rest_curl_put(curl, transfer->easy);
	transfer->easy = NULL;
	transfer_wire_unref(transfer->wire);
	transfer->wire = NULL;
}

void transfer_end(struct transfer *transfer, struct rest_curl *curl, CURLcode code, struct transfer_result *ret_result)
{
	read_results(transfer, code, ret_result);
	release(transfer, curl);
}

void transfer_break(struct transfer *transfer, struct rest_curl *curl, CURLcode code,
		    struct transfer_result *ret_result)
{
	rest_curl_stop(curl, transfer->easy);
	transfer_end(transfer, curl, code, ret_result);
}

void transfer_finish(struct transfer *transfer)
{
	buf_finish(&transfer->body);
}
