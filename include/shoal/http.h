/* SPDX-License-Identifier: MIT */
/* HTTP for modules, on the worker's own loop. Only http and https; private and local addresses are refused unless the
 * operator allows them (modules.http_private), also where a redirect leads. */
#ifndef SHOAL_HTTP_H
#define SHOAL_HTTP_H

#include <shoal/api.h>
#include <shoal/error.h>

#define SHOAL_HTTP_BODY_MAX    (4u * 1024 * 1024) /* of an answer, and of what is sent */
#define SHOAL_HTTP_TIMEOUT_MAX 60000              /* ms */
#define SHOAL_HTTP_HEADERS_MAX 32
#define SHOAL_HTTP_OPEN_MAX    16 /* of one scope at a time */

struct shoal_http_request {
	const char *method; /* "GET" if NULL */
	const char *url;
	const char *const *headers; /* "Name: value"; no line breaks */
	size_t header_count;
	const void *body;
	size_t body_len;
	uint32_t timeout_ms;    /* of the whole; 0: 10000 */
	uint32_t max_bytes;     /* of the answer's body; 0: 1 MiB */
	uint32_t max_redirects; /* at most 5 */
};

/* Borrowed for the callback. */
struct shoal_http_result {
	int error;        /* 0: an answer came, whatever its status; -ETIMEDOUT, -EMSGSIZE (more than max_bytes),
			   * -EACCES (an address that is not allowed), -EHOSTUNREACH, -ECONNREFUSED, -EPROTO, -ECANCELED … */
	uint32_t status;  /* 0: none came */
	const char *body; /* ends with a NUL byte that is not counted; "" */
	size_t len;
	const char *content_type; /* "" */
	const char *words;        /* for a log, when @error is set */
};
typedef void (*shoal_http_fn)(void *arg, const struct shoal_http_result *result);

/* @fn exactly once, never from within. What is sent is not remembered: it is sent again when its event is begun again
 * after a crash. -EINVAL: the request (url, headers, limits; redirects are followed for GET and HEAD
 * alone); -ENOBUFS: so many are open; -ENOMEM, -ECANCELED: @fn is not called. */
static inline int shoal_http_request(struct shoal_scope *scope, const struct shoal_http_request *request,
				     shoal_http_fn fn, void *arg)
{
	return shoal_api_table->http_request(scope, request, fn, arg);
}

#endif
