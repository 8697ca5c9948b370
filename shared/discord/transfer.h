/* One attempt of one request on curl: options in, status, body, limits and a verdict on the connection out. Knows HTTP,
 * not policy. Loop thread only. Source: discord-facts.md section 11. */
#ifndef SHOAL_SHARED_DISCORD_TRANSFER_H
#define SHOAL_SHARED_DISCORD_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "shared/base/buf.h"
#include "shared/discord/ratelimit.h"
#include "shared/discord/rest_curl.h"
#include "shared/discord/retry.h"
#include "shared/discord/routes.h"

/* What all transfers of a client have in common; counted, because a transfer under way outlives a change of token. */
struct transfer_wire;

/* Copies its arguments. @token: "" or NULL for none. -EINVAL for characters that do not belong into a header or for an
 * @api_base that is no http(s) URL, -ENOMEM. */
int transfer_wire_new(const char *api_base, const char *token, const char *user_agent, const char *ca_file,
		      struct transfer_wire **ret_wire);
struct transfer_wire *transfer_wire_ref(struct transfer_wire *wire);
void transfer_wire_unref(struct transfer_wire *wire);
/* The same with another token. */
int transfer_wire_with_token(const struct transfer_wire *wire, const char *token, struct transfer_wire **ret_wire);
const char *transfer_wire_base(const struct transfer_wire *wire);

/* All borrowed until the transfer is over. */
struct transfer_request {
	enum route_method method;
	const char *url;
	const char *body; /* NULL: none */
	size_t body_len;
	const char *reason_header; /* "X-Audit-Log-Reason: …" or NULL */
	uint32_t timeout_ms;
	bool with_token;
	bool once;      /* curl must not send it a second time on a connection that it found dead */
	bool fresh;     /* not on a connection that is open already */
	bool impatient; /* rather a second connection than waiting for one to be made */
};

/* Embedded by its owner; zero it before its first start. */
struct transfer {
	CURL *easy; /* NULL: not running */
	struct transfer_wire *wire;
	struct curl_slist reason; /* put in front of the wire's list */
	const char *send;
	size_t send_len, send_at;
	struct buf body; /* the answer's */
	struct ratelimit_answer limits;
	int64_t date_s; /* the answer's Date, since 1970; 0: none */
	bool too_large, no_memory;
	char text[CURL_ERROR_SIZE];
};

/* How it ended. */
struct transfer_result {
	int error;                  /* 0: an answer came, else negative errno */
	enum retry_outcome outcome; /* with an error */
	uint32_t http_status;       /* 0: none */
	uint32_t http_version;      /* 11, 20; 0 */
	uint64_t latency_us;        /* request out to answer in, without making the connection */
	bool timed_out;
	char text[CURL_ERROR_SIZE]; /* with an error: what curl says; "" */
};

/* @max_body: of the answer. -ENOMEM, -EINVAL; nothing is running then. */
int transfer_start(struct transfer *transfer, struct rest_curl *curl, struct transfer_wire *wire,
		   const struct transfer_request *request, size_t max_body);
/* The transfer whose handle @easy is. */
struct transfer *transfer_of(CURL *easy);
/* curl is through (@code): reads the results and gives the handle back. Body and limits stay until transfer_finish().
 */
void transfer_end(struct transfer *transfer, struct rest_curl *curl, CURLcode code, struct transfer_result *ret_result);
/* Breaks it off as if @code had happened; else as above. */
void transfer_break(struct transfer *transfer, struct rest_curl *curl, CURLcode code,
		    struct transfer_result *ret_result);
/* Frees what it holds; it may be started again. */
void transfer_finish(struct transfer *transfer);

#endif
