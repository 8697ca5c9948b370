/* The adapter between curl's multi interface and the loop: sockets by watch, its timer by a timer. Knows nothing of
 * Discord. curl is set up at the first transfer and taken down by rest_curl_trim(), so that an idle process does not
 * carry it. Loop thread only; nothing blocks (name look-ups run on curl's own threads, which are left behind, not
 * waited for, when a transfer ends early). */
#ifndef SHOAL_SHARED_DISCORD_REST_CURL_H
#define SHOAL_SHARED_DISCORD_REST_CURL_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "shared/loop/loop.h"

struct rest_curl;

/* The transfer of @easy is over; the handle is detached and still holds its results (curl_easy_getinfo). The callee
 * gives it back by rest_curl_put(). May start and stop other transfers, and may call rest_curl_close(). */
typedef void (*rest_curl_done_fn)(void *arg, CURL *easy, CURLcode result);

/* Allocates little: no curl yet. @max_idle_connections are kept for reuse. -ENOMEM, -errno of libuv. */
int rest_curl_new(struct loop *loop, unsigned max_idle_connections, rest_curl_done_fn done, void *arg,
		  struct rest_curl **ret_curl);

/* A handle with the adapter's own options set (sockets, no signals, shared TLS sessions), all else default.
 * NULL: no memory. */
CURL *rest_curl_get(struct rest_curl *curl);
/* Back to the pool. It must not be running. */
void rest_curl_put(struct rest_curl *curl, CURL *easy);

/* Starts @easy; its end is told through the done function, never from within this call. -ENOMEM, -EINVAL. */
int rest_curl_start(struct rest_curl *curl, CURL *easy);
/* Ends a running transfer without telling; the handle may then be put back. */
void rest_curl_stop(struct rest_curl *curl, CURL *easy);

/* Frees curl, its connections and the pool. Only while nothing runs; -EBUSY else. */
int rest_curl_trim(struct rest_curl *curl);
bool rest_curl_loaded(const struct rest_curl *curl);
/* Sockets opened since the start. */
uint32_t rest_curl_connections(const struct rest_curl *curl);

/* Everything must be stopped and put back. Frees when libuv is done, then calls @closed (may be NULL). */
void rest_curl_close(struct rest_curl *curl, loop_fn closed, void *arg);

#endif
