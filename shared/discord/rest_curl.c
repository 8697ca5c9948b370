/* curl's multi interface on the loop. Run by the REST client.
 * Must not call curl from within curl's own callbacks: those only note what to watch. Every socket is opened and closed
 * through us, so that its watch is gone before its number can be given away again. */
#include "shared/discord/rest_curl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"
#include "shared/loop/watch.h"

#define POOL_MAX 16
/* Bytes that the other side's kernel does not acknowledge for so long mean a dead link: without it a connection that
 * HTTP/2 shares would swallow request after request. */
#define UNACKED_MAX_MS   8000
#define KEEPALIVE_IDLE_S 30L
/* Where HTTP/2 is not offered, a burst would take a connection each: beyond this many calls wait their turn within
 * curl.
 */
#define CONNECTIONS_MAX 256L

/* A socket of curl's. */
struct rest_socket {
	struct rest_curl *curl;
	struct rest_socket *prev, *next;
	struct watch *watch;
	curl_socket_t fd;
};

struct rest_curl {
	struct loop *loop;
	CURLM *multi;
	CURLSH *share; /* TLS sessions and names: a new connection of one handle profits from the others */
	struct timer timer;
	struct rest_socket *sockets;
	CURL *pool[POOL_MAX];
	unsigned pooled;
	unsigned max_idle_connections;
	unsigned running;
	unsigned depth; /* within curl_multi_socket_action() and the messages after it */
	uint32_t connections;
	bool closing;
	rest_curl_done_fn done;
	void *arg;
	loop_fn closed;
	void *closed_arg;
};

static void close_now(struct rest_curl *curl);

/* --- sockets -------------------------------------------------------------------------------------------------------
 */

static struct rest_socket *socket_find(struct rest_curl *curl, curl_socket_t fd)
{
	for (struct rest_socket *s = curl->sockets; s; s = s->next)
		if (s->fd == fd)
			return s;
	return NULL;
}

static void socket_free(struct rest_socket *s)
{
	watch_free(s->watch);
	if (s->prev)
		s->prev->next = s->next;
	else
		s->curl->sockets = s->next;
	if (s->next)
		s->next->prev = s->prev;
	free(s);
}

/* Tells our owner of every transfer that is over, then leaves. */
static void take_messages(struct rest_curl *curl)
{
	CURLMsg *message;
	int left;

	while (curl->multi && (message = curl_multi_info_read(curl->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		/* The message's memory goes with the handle: it was read above. */
		curl_multi_remove_handle(curl->multi, easy);
		curl->running--;
		curl->done(curl->arg, easy, result);
	}
}

static void act(struct rest_curl *curl, curl_socket_t fd, int what)
{
	int running;

	if (!curl->multi)
		return;
	curl->depth++;
	curl_multi_socket_action(curl->multi, fd, what, &running);
	take_messages(curl);
	if (--curl->depth == 0 && curl->closing)
		close_now(curl);
}

static void on_ready(void *arg, int error, int events)
{
	struct rest_socket *s = arg;
	int what = 0;

	if (error < 0)
		what = CURL_CSELECT_ERR;
	if (events & WATCH_READ)
		what |= CURL_CSELECT_IN;
	if (events & WATCH_WRITE)
		what |= CURL_CSELECT_OUT;
	act(s->curl, s->fd, what);
}

static void on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* curl: watch @fd for @what. A failure can't be told from here other than by making curl look at the socket again;
 * -1 ends the transfers. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct rest_curl *curl = arg;
	struct rest_socket *s = socket_arg ? socket_arg : socket_find(curl, fd);
	int events = (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0);
	int r;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_free(s);
		return 0;
	}
	if (s)
		return watch_set(s->watch, events) < 0 ? -1 : 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -1;
	s->curl = curl;
	s->fd = fd;
	r = watch_new(curl->loop, fd, events, on_ready, s, &s->watch);
	if (r < 0) {
		log_error(NULL, "rest.watch_failed", KV_INT("fd", fd), KV_ERR(r),
			  KV_MSG("a socket of curl's can't be watched; its requests end"));
		free(s);
		return -1;
	}
	s->next = curl->sockets;
	if (s->next)
		s->next->prev = s;
	curl->sockets = s;
	curl_multi_assign(curl->multi, fd, s);
	return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct rest_curl *curl = arg;

	(void)multi;
	/* Even 0 goes through the loop: acting from here would be curl within curl. */
	if (timeout_ms < 0)
		timer_stop(&curl->timer);
	else
		timer_start(&curl->timer, (uint64_t)timeout_ms);
	return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct rest_curl *curl = arg;
	unsigned timeout_ms = UNACKED_MAX_MS;
	int fd;

	(void)purpose;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	/* Not every family has it; then only the deadlines tell. */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	curl->connections++;
	return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
	struct rest_socket *s = socket_find(arg, fd);

	if (s)
		socket_free(s);
	return close(fd);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

int rest_curl_new(struct loop *loop, unsigned max_idle_connections, rest_curl_done_fn done, void *arg,
		  struct rest_curl **ret_curl)
{
	struct rest_curl *curl = calloc(1, sizeof(*curl));
	int r;

	if (!curl)
		return -ENOMEM;
	curl->loop = loop;
	curl->max_idle_connections = max_idle_connections;
	curl->done = done;
	curl->arg = arg;
	r = timer_init(&curl->timer, loop, on_timer, curl);
	if (r < 0) {
		free(curl);
		return r;
	}
	*ret_curl = curl;
	return 0;
}

/* Sets curl up; at the first request only. */
static int load(struct rest_curl *curl)
{
	static bool initialised;

	if (curl->multi)
		return 0;
	if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	initialised = true;
	curl->multi = curl_multi_init();
	curl->share = curl_share_init();
	if (!curl->multi || !curl->share) {
		rest_curl_trim(curl);
		return -ENOMEM;
	}
	curl_share_setopt(curl->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, (long)curl->max_idle_connections);
	curl_multi_setopt(curl->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	return 0;
}

int rest_curl_trim(struct rest_curl *curl)
{
	if (curl->running || curl->depth)
		return -EBUSY;
	while (curl->pooled)
		curl_easy_cleanup(curl->pool[--curl->pooled]);
	/* Closes the kept connections through close_socket(). */
	curl_multi_cleanup(curl->multi);
	curl->multi = NULL;
	if (curl->share)
		curl_share_cleanup(curl->share);
	curl->share = NULL;
	timer_stop(&curl->timer);
	return 0;
}

bool rest_curl_loaded(const struct rest_curl *curl)
{
	return curl->multi != NULL;
}

uint32_t rest_curl_connections(const struct rest_curl *curl)
{
	return curl->connections;
}

CURL *rest_curl_get(struct rest_curl *curl)
{
	CURL *easy;

	if (load(curl) < 0)
		return NULL;
	easy = curl->pooled ? curl->pool[--curl->pooled] : curl_easy_init();
	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_SHARE, curl->share);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A transfer that ends while its name is looked up must not wait for the resolver's thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, curl);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, curl);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_IDLE_S);
	return easy;
}

void rest_curl_put(struct rest_curl *curl, CURL *easy)
{
	if (!easy)
		return;
	if (curl->pooled == POOL_MAX || curl->closing) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	curl->pool[curl->pooled++] = easy;
}

int rest_curl_start(struct rest_curl *curl, CURL *easy)
{
	CURLMcode code;

	if (curl->closing || !curl->multi)
		return -EINVAL;
	code = curl_multi_add_handle(curl->multi, easy);
	if (code != CURLM_OK)
		return code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	curl->running++;
	return 0;
}

void rest_curl_stop(struct rest_curl *curl, CURL *easy)
{
	if (curl_multi_remove_handle(curl->multi, easy) == CURLM_OK)
		curl->running--;
}

static void on_timer_closed(void *arg)
{
	struct rest_curl *curl = arg;
	loop_fn closed = curl->closed;
	void *closed_arg = curl->closed_arg;

	free(curl);
	if (closed)
		closed(closed_arg);
}

static void close_now(struct rest_curl *curl)
{
	rest_curl_trim(curl);
	timer_close(&curl->timer, on_timer_closed);
}

void rest_curl_close(struct rest_curl *curl, loop_fn closed, void *arg)
{
	curl->closing = true;
	curl->closed = closed;
	curl->closed_arg = arg;
	/* From within a callback of ours: act() finishes it. */
	if (curl->depth == 0)
		close_now(curl);
}
