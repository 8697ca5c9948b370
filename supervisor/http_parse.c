/* The request head parser of the supervisor's HTTP server. Strict: what is not plain HTTP/1.x is refused, since nobody
 * honest sends it. Must not read beyond @len, allocate, or keep anything. */
#include "supervisor/http_parse.h"

#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"

struct slice {
	const char *at;
	size_t len;
};

static bool is_token_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && strncasecmp(slice.at, text, slice.len) == 0;
}

/* Cuts the line at @at (up to its LF, a CR before it dropped). False when there is no LF within @len. */
static bool take_line(const char **at, size_t *len, struct slice *ret_line)
{
	const char *lf = memchr(*at, '\n', *len);
	size_t line_len;

	if (!lf)
		return false;
	line_len = (size_t)(lf - *at);
	*ret_line = (struct slice){ *at, line_len > 0 && lf[-1] == '\r' ? line_len - 1 : line_len };
	*len -= line_len + 1;
	*at = lf + 1;
	return true;
}

static int parse_target(struct slice target, struct http_request *request)
{
	const char *query;

	if (target.len == 0 || target.at[0] != '/')
		return -400;
	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.at[i] <= 0x20 || (unsigned char)target.at[i] >= 0x7f)
			return -400;
	query = memchr(target.at, '?', target.len);
	if (query)
		target.len = (size_t)(query - target.at);
	if (target.len >= sizeof(request->path))
		return -414;
	memcpy(request->path, target.at, target.len);
	request->path[target.len] = '\0';
	return 0;
}

static enum http_method method_of(struct slice method)
{
	if (method.len == 3 && memcmp(method.at, "GET", 3) == 0)
		return HTTP_GET;
	if (method.len == 4 && memcmp(method.at, "HEAD", 4) == 0)
		return HTTP_HEAD;
	return HTTP_OTHER;
}

static int parse_request_line(struct slice line, struct http_request *request)
{
	const char *first = memchr(line.at, ' ', line.len), *second;
	struct slice method, target, version;

	if (!first)
		return -400;
	second = memchr(first + 1, ' ', line.len - (size_t)(first + 1 - line.at));
	if (!second)
		return -400;
	method = (struct slice){ line.at, (size_t)(first - line.at) };
	target = (struct slice){ first + 1, (size_t)(second - first - 1) };
	version = (struct slice){ second + 1, line.len - (size_t)(second + 1 - line.at) };
	if (method.len == 0)
		return -400;
	for (size_t i = 0; i < method.len; i++)
		if (!is_token_char((unsigned char)method.at[i]))
			return -400;
	if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0)
		return -400;
	if (memcmp(version.at, "HTTP/1.", 7) != 0 || (version.at[7] != '0' && version.at[7] != '1'))
		return -505;
	request->method = method_of(method);
	request->keep_alive = version.at[7] == '1';
	return parse_target(target, request);
}

static void apply_connection(struct slice value, struct http_request *request)
{
	if (slice_is(value, "close"))
		request->keep_alive = false;
	else if (slice_is(value, "keep-alive"))
		request->keep_alive = true;
}

static int parse_header(struct slice line, struct http_request *request)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct slice name, value;

	if (!colon || colon == line.at)
		return -400;
	name = (struct slice){ line.at, (size_t)(colon - line.at) };
	/* A blank within or behind the name, or a folded line: the known ways of request smuggling. */
	for (size_t i = 0; i < name.len; i++)
		if (!is_token_char((unsigned char)name.at[i]))
			return -400;
	value = (struct slice){ colon + 1, line.len - name.len - 1 };
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t') || value.at[i] == 0x7f)
			return -400;
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value.at++, value.len--;
	while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	if (slice_is(name, "connection"))
		apply_connection(value, request);
	else if (slice_is(name, "transfer-encoding") || (slice_is(name, "content-length") && !slice_is(value, "0")))
		request->has_body = true;
	return 0;
}

int http_parse(const char *bytes, size_t len, struct http_request *ret_request)
{
	struct http_request request = { 0 };
	const char *at = bytes;
	size_t left = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	struct slice line;
	int r;

	/* An empty line before the request line is allowed, one. */
	if (!take_line(&at, &left, &line))
		return len >= HTTP_HEAD_MAX ? -414 : 0;
	if (line.len == 0 && !take_line(&at, &left, &line))
		return len >= HTTP_HEAD_MAX ? -414 : 0;
	r = parse_request_line(line, &request);
	if (r < 0)
		return r;
	for (unsigned count = 0;; count++) {
		if (!take_line(&at, &left, &line))
			return len >= HTTP_HEAD_MAX ? -431 : 0;
		if (line.len == 0)
			break;
		if (count >= HTTP_HEADERS_MAX)
			return -431;
		r = parse_header(line, &request);
		if (r < 0)
			return r;
	}
	*ret_request = request;
	return (int)(at - bytes);
}
