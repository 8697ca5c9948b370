/* SPDX-License-Identifier: MIT */
/* WebSocket URLs: taken apart, and built as the gateway wants them. Pure. Source: discord-facts sections 2 and 3. */
#ifndef SHOAL_SHARED_DISCORD_URL_H
#define SHOAL_SHARED_DISCORD_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_SIZE   254
#define URL_TARGET_SIZE 512
#define URL_SIZE        1024

struct url {
	bool tls;      /* wss:// */
	bool ipv6;     /* host was written in brackets (which are taken off) */
	uint16_t port; /* 80 or 443 when the URL has none */
	bool port_given;
	char host[URL_HOST_SIZE];     /* lower case */
	char target[URL_TARGET_SIZE]; /* path and query, at least "/"; a fragment is dropped */
};

/* ws://host[:port][/path][?query] or wss://…. -EINVAL: another scheme, user information, no or an impossible host or
 * port, a blank or control character; -ENAMETOOLONG. */
int url_parse(const char *text, struct url *ret_url);

/* The URL to connect to: @base ("wss://h", "wss://h/", "wss://h/?v=6&x=1", …) with v=10, encoding=json and, unless
 * @compress is NULL, compress=@compress in its query; other parameters are kept. With @override (NULL or "": none)
 * scheme, host and port are the override's, path and query the base's. Errors of url_parse(). */
int url_gateway(const char *base, const char *override, const char *compress, char *text, size_t size);

/* What stands in a Host: header: the port only where it isn't the scheme's. */
int url_authority(const struct url *url, char *text, size_t size);

#endif
