/* The head of an HTTP/1.x request, as far as a read-only server needs it. Pure; for bytes that anybody may send. */
#ifndef SHOAL_SUPERVISOR_HTTP_PARSE_H
#define SHOAL_SUPERVISOR_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX    (8 * 1024)
#define HTTP_PATH_MAX    256
#define HTTP_HEADERS_MAX 64

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_request {
	enum http_method method;
	char path[HTTP_PATH_MAX]; /* without the query; printable ASCII */
	bool keep_alive;
	bool has_body; /* the peer means to send one: it is refused and the connection closed */
};

/* Reads one head from @bytes. Returns its length in bytes, 0 when it is not complete yet, or minus the HTTP status to
 * refuse with (400, 414, 431, 505). *ret_request is written only on success. Source: RFC 9112 sections 2, 3, 5, 6. */
int http_parse(const char *bytes, size_t len, struct http_request *ret_request);

#endif
