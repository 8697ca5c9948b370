/* Options, errors and words of nats.c. Run by the bus's helper thread. Must not let a part of the URL that may be a
 * password into a text. */
#include "shared/bus/bus_nats_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

#define SERVERS_MAX        16
#define CONNECT_TIMEOUT_MS 2000
#define WRITE_DEADLINE_MS  2000
#define PING_INTERVAL_MS   10000 /* two unanswered: the server is gone, though the socket says nothing */
#define PINGS_OUT_MAX      2
#define IO_BUFFER_BYTES    8192

/* --- settings ----------------------------------------------------------------------------------------------------- */

static int copy_text(char **to, const char *from)
{
	if (!from || !*from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

/* Whether @text looks like "host", "host:port" or "[v6]:port" to its end: a password cut at a comma would not. */
static bool is_place(const char *text, size_t len)
{
	const char *colon = memrchr(text, ':', len);
	size_t host = colon && text[len - 1] != ']' ? (size_t)(colon - text) : len;

	for (size_t i = 0; i < host; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-._:[]", text[i]))
			return false;
	for (size_t i = host + 1; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return host > 0;
}

/* "nats://user:pass@a:1,b" -> "a:1,b". */
static void describe_servers(const char *url, char *text, size_t size)
{
	size_t len = 0;

	while (*url && len + 1 < size) {
		size_t piece = strcspn(url, ","), skip = 0;

		for (size_t i = 0; i < piece; i++)
			if (url[i] == '@' || (i >= 2 && strncmp(url + i - 2, "://", 3) == 0))
				skip = i + 1;
		if (is_place(url + skip, piece - skip))
			len += (size_t)snprintf(text + len, size - len, "%s%.*s", len ? "," : "", (int)(piece - skip),
						url + skip);
		url += piece + (url[piece] == ',');
	}
	if (len == 0)
		snprintf(text, size, "nats.url");
}

int bus_nats_settings_init(struct bus_nats_settings *settings, const struct bus_options *options)
{
	*settings = (struct bus_nats_settings){ 0 };
	settings->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	if (copy_text(&settings->url, options->url) < 0 || copy_text(&settings->name, options->name) < 0 ||
	    copy_text(&settings->credentials_file, options->credentials_file) < 0 ||
	    copy_text(&settings->ca_file, options->ca_file) < 0) {
		bus_nats_settings_finish(settings);
		return -ENOMEM;
	}
	describe_servers(settings->url, settings->servers, sizeof(settings->servers));
	return 0;
}

void bus_nats_settings_finish(struct bus_nats_settings *settings)
{
	free(settings->url);
	free(settings->name);
	free(settings->credentials_file);
	free(settings->ca_file);
	*settings = (struct bus_nats_settings){ 0 };
}

/* --- the library's options ---------------------------------------------------------------------------------------- */

/* One server a piece; the library takes a list only so. @urls is cut in place. */
static natsStatus set_servers(natsOptions *options, char *urls)
{
	const char *servers[SERVERS_MAX];
	char *save = NULL;
	int count = 0;
	bool secure = false;
	natsStatus s;

	for (char *url = strtok_r(urls, ", ", &save); url; url = strtok_r(NULL, ", ", &save)) {
		if (count == SERVERS_MAX)
			return NATS_INVALID_ARG;
		secure = secure || strncmp(url, "tls://", 6) == 0;
		servers[count++] = url;
	}
	s = natsOptions_SetServers(options, servers, count);
	if (s == NATS_OK && secure)
		s = natsOptions_SetSecure(options, true);
	return s;
}

#define TRY(call)                   \
	do {                        \
		if (s == NATS_OK)   \
			s = (call); \
	} while (0)

natsStatus bus_nats_options_make(const struct bus_nats_settings *settings, const struct bus_nats_callbacks *callbacks,
				 int max_pending, natsOptions **ret_options)
{
	CLEANUP(cleanup_free) char *urls = strdup(settings->url);
	natsOptions *options = NULL;
	natsStatus s = urls ? NATS_OK : NATS_NO_MEMORY;

	TRY(natsOptions_Create(&options));
	TRY(set_servers(options, urls));
	TRY(natsOptions_SetName(options, settings->name));
	TRY(natsOptions_SetTimeout(options, settings->connect_timeout_ms));
	TRY(natsOptions_SetAllowReconnect(options, false)); /* bus_nats.c does it, in one way */
	TRY(natsOptions_SetClosedCB(options, callbacks->closed, callbacks->closure));
	TRY(natsOptions_SetErrorHandler(options, callbacks->error, callbacks->closure));
	TRY(natsOptions_SetSendAsap(options, true)); /* no flusher thread, and 0.2 ms a request instead of 1.0 */
	TRY(natsOptions_UseGlobalMessageDelivery(options, true)); /* one thread, not one a subscription */
	TRY(natsOptions_SetPingInterval(options, PING_INTERVAL_MS));
	TRY(natsOptions_SetMaxPingsOut(options, PINGS_OUT_MAX));
	TRY(natsOptions_SetWriteDeadline(options, WRITE_DEADLINE_MS));
	TRY(natsOptions_SetIOBufSize(options, IO_BUFFER_BYTES));
	TRY(natsOptions_SetMaxPendingMsgs(options,
					  max_pending)); /* a subscription's; 1 KiB a message bounds the bytes */
	if (settings->credentials_file)
		TRY(natsOptions_SetUserCredentialsFromFiles(options, settings->credentials_file, NULL));
	if (settings->ca_file)
		TRY(natsOptions_LoadCATrustedCertificates(options, settings->ca_file));
	if (s == NATS_OK)
		*ret_options = options;
	else
		natsOptions_Destroy(options);
	return s;
}

/* --- errors and words --------------------------------------------------------------------------------------------- */

int bus_nats_error_of(natsStatus status)
{
	switch (status) {
	case NATS_CONNECTION_AUTH_FAILED:
	case NATS_NOT_PERMITTED:
		return -EACCES;
	case NATS_TIMEOUT:
		return -ETIMEDOUT;
	case NATS_NO_MEMORY:
		return -ENOMEM;
	case NATS_INVALID_ARG:
		return -EINVAL;
	case NATS_SSL_ERROR:
	case NATS_SECURE_CONNECTION_REQUIRED:
	case NATS_SECURE_CONNECTION_WANTED:
		return -EPROTO;
	default:
		return -SHOAL_EOFFLINE;
	}
}

const char *bus_nats_words(const char *text)
{
	const char *at = text && *text == '(' ? strstr(text, "): ") : NULL;

	return at ? at + 3 : text;
}

void bus_nats_describe(const struct bus_nats_settings *settings, natsStatus status, char reason[BUS_NATS_REASON_SIZE])
{
	const char *text = bus_nats_words(nats_GetLastError(NULL)), *name = natsStatus_GetText(status);

	if (status == NATS_NO_SERVER)
		snprintf(reason, BUS_NATS_REASON_SIZE, "no NATS server can be reached at %s", settings->servers);
	else if (status == NATS_INVALID_ARG) /* the library's words quote what it could not read */
		snprintf(reason, BUS_NATS_REASON_SIZE,
			 "nats.url is malformed: expected nats://user:password@host:port, more of them after commas");
	else if (text && *text && strcmp(text, name) != 0)
		snprintf(reason, BUS_NATS_REASON_SIZE, "%s: %s (%s)", settings->servers, name, text);
	else
		snprintf(reason, BUS_NATS_REASON_SIZE, "%s: %s", settings->servers, name);
}
