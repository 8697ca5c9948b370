/* The kill point "after_send": a request is in the kernel's hands, whole, and no answer was looked for yet. No place in
 * shoal's own code is that moment, so curl is asked: this file stands before curl_multi_add_handle() in the build for
 * the campaign (--wrap) and listens to what curl says of bytes that it has written. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "shared/base/kill_point.h"

#define HANDLES_MAX 512

CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);

/* What is still to be written of a handle's request. */
static struct sending {
	CURL *easy;
	size_t left;
	char line[96]; /* "POST /api/v10/…" */
} sendings[HANDLES_MAX];

static struct sending *sending_of(CURL *easy)
{
	struct sending *empty = NULL;
	int i;

	for (i = 0; i < HANDLES_MAX; i++) {
		if (sendings[i].easy == easy)
			return &sendings[i];
		if (!sendings[i].easy && !empty)
			empty = &sendings[i];
	}
	if (empty)
		empty->easy = easy;
	return empty;
}

static size_t body_length(const char *head, size_t size)
{
	static const char name[] = "\r\ncontent-length:";
	size_t i;

	for (i = 0; i + sizeof(name) < size; i++) {
		if (strncasecmp(head + i, name, sizeof(name) - 1) == 0)
			return strtoul(head + i + sizeof(name) - 1, NULL, 10);
	}
	return 0;
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	struct sending *sending = arg;

	(void)easy;
	if (type == CURLINFO_HEADER_OUT) {
		size_t len = 0;

		while (len < size && len < sizeof(sending->line) - 1 && data[len] != '\r')
			len++;
		memcpy(sending->line, data, len);
		sending->line[len] = '\0';
		sending->left = body_length(data, size);
	} else if (type == CURLINFO_DATA_OUT) {
		sending->left -= size < sending->left ? size : sending->left;
	} else {
		return 0;
	}
	if (sending->left == 0)
		KILL_POINT("after_send", sending->line);
	return 0;
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	struct sending *sending = sending_of(easy);

	if (sending) {
		curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
		curl_easy_setopt(easy, CURLOPT_DEBUGDATA, sending);
		curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	}
	return __real_curl_multi_add_handle(multi, easy);
}
