/* SPDX-License-Identifier: MIT */
/* WebSocket URLs. What comes in was written by an operator or sent by Discord: both are checked alike, because it ends
 * up in a request's first line. */
#include "shared/discord/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"

/* What we set ourselves. */
static const char *const own_parameters[] = { "v", "encoding", "compress" };

static int check_characters(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7F)
			return -EINVAL;
	}
	return 0;
}

static int parse_scheme(const char **text, struct url *url)
{
	if (!strncasecmp(*text, "wss://", 6)) {
		url->tls = true;
		url->port = 443;
		*text += 6;
		return 0;
	}
	if (!strncasecmp(*text, "ws://", 5)) {
		url->port = 80;
		*text += 5;
		return 0;
	}
	return -EINVAL;
}

static bool is_host_character(char c, bool ipv6)
{
	if (ipv6)
		return isxdigit((unsigned char)c) || c == ':' || c == '.';
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
}

static int parse_host(const char **text, struct url *url)
{
	const char *p = *text;
	size_t len = 0;

	url->ipv6 = *p == '[';
	if (url->ipv6)
		p++;
	while (is_host_character(*p, url->ipv6)) {
		if (len + 1 >= sizeof(url->host))
			return -ENAMETOOLONG;
		url->host[len++] = (char)tolower((unsigned char)*p++);
	}
	url->host[len] = '\0';
	if (!len || (url->ipv6 && *p++ != ']'))
		return -EINVAL;
	*text = p;
	return 0;
}

static int parse_port(const char **text, struct url *url)
{
	const char *p = *text;
	unsigned long port = 0;

	if (*p != ':')
		return 0;
	p++;
	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	while (isdigit((unsigned char)*p) && port <= UINT16_MAX)
		port = port * 10 + (unsigned long)(*p++ - '0');
	if (!port || port > UINT16_MAX)
		return -EINVAL;
	url->port = (uint16_t)port;
	url->port_given = true;
	*text = p;
	return 0;
}

static int parse_target(const char *text, struct url *url)
{
	size_t len = strcspn(text, "#");
	int n;

	if (*text && *text != '/' && *text != '?' && *text != '#')
		return -EINVAL;
	n = snprintf(url->target, sizeof(url->target), "%s%.*s", *text == '/' ? "" : "/", (int)len, text);
	return n < 0 || (size_t)n >= sizeof(url->target) ? -ENAMETOOLONG : 0;
}

int url_parse(const char *text, struct url *ret_url)
{
	struct url url = { .tls = false };
	int r;

	if (strlen(text) >= URL_SIZE)
		return -ENAMETOOLONG;
	r = check_characters(text);
	if (!r)
		r = parse_scheme(&text, &url);
	if (!r)
		r = parse_host(&text, &url);
	if (!r)
		r = parse_port(&text, &url);
	if (!r)
		r = parse_target(text, &url);
	if (!r)
		*ret_url = url;
	return r;
}

int url_authority(const struct url *url, char *text, size_t size)
{
	const char *open = url->ipv6 ? "[" : "", *close = url->ipv6 ? "]" : "";
	int n;

	if (url->port == (url->tls ? 443 : 80))
		n = snprintf(text, size, "%s%s%s", open, url->host, close);
	else
		n = snprintf(text, size, "%s%s%s:%u", open, url->host, close, url->port);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static bool is_own(const char *parameter, size_t len)
{
	size_t name = 0;

	while (name < len && parameter[name] != '=')
		name++;
	for (size_t i = 0; i < ARRAY_SIZE(own_parameters); i++) {
		if (strlen(own_parameters[i]) == name && !memcmp(own_parameters[i], parameter, name))
			return true;
	}
	return false;
}

/* The parameters of @query that are not ours, each followed by '&'. */
static void keep_others(const char *query, char *kept)
{
	while (*query) {
		size_t len = strcspn(query, "&");

		if (len && !is_own(query, len)) {
			memcpy(kept, query, len);
			kept += len;
			*kept++ = '&';
		}
		query += len;
		if (*query)
			query++;
	}
	*kept = '\0';
}

int url_gateway(const char *base, const char *override, const char *compress, char *text, size_t size)
{
	char kept[URL_TARGET_SIZE + 1] = "", authority[URL_HOST_SIZE + 16];
	struct url url, origin;
	size_t path;
	int n, r;

	r = url_parse(base, &url);
	if (r < 0)
		return r;
	origin = url;
	if (override && *override) {
		r = url_parse(override, &origin);
		if (r < 0)
			return r;
	}
	r = url_authority(&origin, authority, sizeof(authority));
	if (r < 0)
		return r;
	path = strcspn(url.target, "?");
	if (url.target[path])
		keep_others(url.target + path + 1, kept);
	n = snprintf(text, size, "%s://%s%.*s?%sv=10&encoding=json%s%s", origin.tls ? "wss" : "ws", authority,
		     (int)path, url.target, kept, compress ? "&compress=" : "", compress ? compress : "");
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	/* What was added may have made it longer than a URL may be. */
	return url_parse(text, &url);
}
