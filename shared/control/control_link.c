/* A worker's link to its supervisor: dials, greets, receives the secrets, asks, and dials again when it was lost.
 * Loop thread only. Must not block and must not decide what being alone means: that is the worker's. */
#include "shared/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/machine.h"
#include "shared/base/random.h"
#include "shared/control/control_wire.h"
#include "shared/log/log.h"

#define RETRY_FLOOR_MS   50
#define RETRY_CAP_MS     2000
#define HELLO_TIMEOUT_MS 10000

enum link_state { LINK_WAITING, LINK_GREETING, LINK_UP, LINK_REFUSED, LINK_CLOSED, LINK_STATE_COUNT };
enum link_event { EVENT_CONNECTED, EVENT_WELCOME, EVENT_REFUSE, EVENT_LOST, EVENT_CLOSE, LINK_EVENT_COUNT };

static const char *const state_names[LINK_STATE_COUNT] = { "waiting", "greeting", "up", "refused", "closed" };
static const char *const event_names[LINK_EVENT_COUNT] = { "connected", "welcome", "refuse", "lost", "close" };

/* A request that waits for its answer. */
struct request {
	struct request *next;
	int64_t id;
	uint64_t deadline_ns;
	control_answer_fn fn;
	void *arg;
};

struct control_link {
	struct loop *loop;
	struct machine machine;
	struct control_wire wire;
	struct timer timer;          /* WAITING: the next dial; GREETING: the hello's deadline */
	struct timer deadline_timer; /* UP: the earliest deadline of a request */
	struct request *requests;
	size_t request_count;
	int64_t next_id;
	int64_t hello_id;
	uint64_t retry_ms;
	uint64_t down_since_ns;
	json_t *hello;
	const struct control_link_events *events;
	void *arg;
	loop_fn closed;
	void *closed_arg;
	unsigned open_handles;
	char path[108];
};

static void arm_retry(void *owner, const void *data);
static void greet(void *owner, const void *data);
static void settle(void *owner, const void *data);

static const struct machine_edge edges[LINK_STATE_COUNT][LINK_EVENT_COUNT] = {
	[LINK_WAITING] = {
		[EVENT_CONNECTED] = GO(LINK_GREETING, greet),
		[EVENT_LOST] = GO(LINK_WAITING, arm_retry),
		[EVENT_CLOSE] = GO(LINK_CLOSED, NULL),
	},
	[LINK_GREETING] = {
		[EVENT_WELCOME] = GO(LINK_UP, settle),
		[EVENT_REFUSE] = GO(LINK_REFUSED, NULL),
		[EVENT_LOST] = GO(LINK_WAITING, arm_retry),
		[EVENT_CLOSE] = GO(LINK_CLOSED, NULL),
	},
	[LINK_UP] = {
		[EVENT_LOST] = GO(LINK_WAITING, arm_retry),
		[EVENT_CLOSE] = GO(LINK_CLOSED, NULL),
	},
	[LINK_REFUSED] = {
		[EVENT_LOST] = IGNORED,
		[EVENT_CLOSE] = GO(LINK_CLOSED, NULL),
	},
	[LINK_CLOSED] = {
		[EVENT_LOST] = IGNORED,
		[EVENT_CLOSE] = IGNORED,
	},
};

static const struct machine_table table = {
	.name = "control_link",
	.edges = &edges[0][0],
	.state_names = state_names,
	.event_names = event_names,
	.state_count = LINK_STATE_COUNT,
	.event_count = LINK_EVENT_COUNT,
};

static void trace(void *owner, const struct machine_table *of, uint8_t from, uint8_t event, uint8_t to, int accepted)
{
	(void)owner;
	/* Waiting again and again is told once, by whoever hears down(). */
	if (accepted && from == to)
		return;
	log_debug(NULL, "control.link_step", KV_STR("from", of->state_names[from]),
		  KV_STR("on", of->event_names[event]), KV_STR("to", of->state_names[to]),
		  KV_BOOL("accepted", accepted));
}

static bool is_state(const struct control_link *link, enum link_state state)
{
	return link->machine.state == state;
}

/* --- requests ------------------------------------------------------------------------------------------------------
 */

static void arm_deadline(struct control_link *link)
{
	uint64_t earliest = UINT64_MAX, now = clock_monotonic_ns();

	for (struct request *request = link->requests; request; request = request->next) {
		if (request->deadline_ns < earliest)
			earliest = request->deadline_ns;
	}
	if (earliest == UINT64_MAX)
		timer_stop(&link->deadline_timer);
	else
		timer_start(&link->deadline_timer, earliest > now ? (earliest - now) / NS_PER_MS + 1 : 0);
}

/* Takes the request of that id out of the list; NULL when there is none. */
static struct request *take_request(struct control_link *link, int64_t id)
{
	for (struct request **at = &link->requests; *at; at = &(*at)->next) {
		struct request *request = *at;

		if (request->id != id)
			continue;
		*at = request->next;
		link->request_count--;
		return request;
	}
	return NULL;
}

static void end_request(struct request *request, int error, const json_t *answer)
{
	control_answer_fn fn = request->fn;
	void *arg = request->arg;

	free(request);
	fn(arg, error, answer);
}

/* Ends what is open now; what a callback asks anew is not touched. */
static void end_all_requests(struct control_link *link, int error)
{
	struct request *all = TAKE(link->requests);

	link->request_count = 0;
	timer_stop(&link->deadline_timer);
	while (all) {
		struct request *request = all;

		all = request->next;
		end_request(request, error, NULL);
	}
}

static void on_deadline(void *arg)
{
	struct control_link *link = arg;
	uint64_t now = clock_monotonic_ns();
	struct request *late = NULL, **tail = &late;

	for (struct request **at = &link->requests; *at;) {
		struct request *request = *at;

		if (request->deadline_ns > now) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request->next = NULL;
		*tail = request;
		tail = &request->next;
		link->request_count--;
	}
	arm_deadline(link);
	while (late) {
		struct request *request = late;

		late = request->next;
		end_request(request, -ETIMEDOUT, NULL);
	}
}

int control_link_request(struct control_link *link, json_t *request_json, uint64_t timeout_ms, control_answer_fn fn,
			 void *arg)
{
	struct request *request = NULL;
	int r = 0;

	if (!request_json)
		return -ENOMEM;
	if (!is_state(link, LINK_UP) || !control_wire_is_open(&link->wire)) {
		json_decref(request_json);
		fn(arg, is_state(link, LINK_CLOSED) ? -ECANCELED : -SHOAL_EOFFLINE, NULL);
		return 0;
	}
	if (link->request_count >= CONTROL_OPEN_REQUESTS_MAX)
		r = -ENOBUFS;
	else if (!(request = calloc(1, sizeof(*request))) ||
		 json_object_set_new(request_json, "id", json_integer(link->next_id)) < 0)
		r = -ENOMEM;
	else
		r = control_wire_send(&link->wire, request_json, -1);
	json_decref(request_json);
	/* A link that broke in sending is told to all requests by on_lost(), this one too; the rest is this one's
	 * alone. */
	if (r == -ENOBUFS || r == -ENOMEM || r == -EMSGSIZE) {
		free(request);
		return r;
	}
	request->id = link->next_id++;
	request->deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	request->fn = fn;
	request->arg = arg;
	request->next = link->requests;
	link->requests = request;
	link->request_count++;
	arm_deadline(link);
	return 0;
}

/* --- states --------------------------------------------------------------------------------------------------------
 */

static void arm_retry(void *owner, const void *data)
{
	struct control_link *link = owner;

	(void)data;
	/* Jitter over the upper half: a thousand workers lose the same supervisor in the same moment. */
	timer_start(&link->timer, link->retry_ms / 2 + random_below(link->retry_ms / 2 + 1));
	link->retry_ms = link->retry_ms * 2 > RETRY_CAP_MS ? RETRY_CAP_MS : link->retry_ms * 2;
}

static void greet(void *owner, const void *data)
{
	struct control_link *link = owner;
	json_t *hello = json_copy(link->hello);

	(void)data;
	link->hello_id = link->next_id++;
	/* What fails here leaves the deadline to end the attempt. */
	if (hello && json_object_set_new(hello, "id", json_integer(link->hello_id)) == 0 &&
	    json_object_set_new(hello, "verb", json_string("hello")) == 0)
		control_wire_send(&link->wire, hello, -1);
	json_decref(hello);
	timer_start(&link->timer, HELLO_TIMEOUT_MS);
}

static void settle(void *owner, const void *data)
{
	struct control_link *link = owner;

	(void)data;
	timer_stop(&link->timer);
	link->retry_ms = RETRY_FLOOR_MS;
	link->down_since_ns = 0;
}

/* The connection is gone, in whatever state: one place that tells everybody. */
static void lose(struct control_link *link, int error)
{
	bool was_up = is_state(link, LINK_UP);

	control_wire_close(&link->wire);
	if (was_up)
		link->down_since_ns = clock_boottime_ns();
	machine_step(&link->machine, EVENT_LOST, NULL);
	end_all_requests(link, -SHOAL_EOFFLINE);
	/* A callback may have closed the link. */
	if (was_up && !is_state(link, LINK_CLOSED))
		link->events->down(link->arg, error);
}

/* Answers to a hello that say nothing of this worker: the supervisor is busy, or could not take the line in (ours is
 * well formed: so it had no memory). */
static bool is_passing(const char *error)
{
	static const char *const passing[] = { "EAGAIN", "ENOMEM", "EBADMSG", "EMSGSIZE" };

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
		if (strcmp(error, passing[i]) == 0)
			return true;
	}
	return false;
}

static void on_hello_answer(struct control_link *link, const json_t *answer, int *fd)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *message = json_string_value(json_object_get(answer, "message"));
	json_t *secrets = NULL;
	int r;

	if (!json_is_true(json_object_get(answer, "ok"))) {
		if (!error || is_passing(error)) {
			lose(link, -EAGAIN);
			return;
		}
		timer_stop(&link->timer);
		control_wire_close(&link->wire);
		machine_step(&link->machine, EVENT_REFUSE, NULL);
		link->events->refused(link->arg, error, message ? message : "");
		return;
	}
	r = *fd >= 0 ? control_unseal(*fd, &secrets) : -EPROTO;
	if (r < 0) {
		log_error(NULL, "control.secrets_refused", KV_ERR(r),
			  KV_MSG("the supervisor's answer held no sealed secrets; trying again"));
		lose(link, r);
		return;
	}
	machine_step(&link->machine, EVENT_WELCOME, NULL);
	link->events->up(link->arg, secrets);
	json_decref(secrets);
}

static void on_answer(struct control_link *link, int64_t id, const json_t *answer)
{
	struct request *request = take_request(link, id);
	const char *name;
	int error = 0;

	/* Answers that come after their deadline, and progress, which no worker asks for. */
	if (!request)
		return;
	if (!json_is_true(json_object_get(answer, "ok"))) {
		name = json_string_value(json_object_get(answer, "error"));
		error = name ? -error_from_name(name) : 0;
		if (error == 0)
			error = -SHOAL_EREFUSED;
	}
	arm_deadline(link);
	end_request(request, error, answer);
}

static void on_line(void *arg, const char *line, size_t len, int *fd)
{
	struct control_link *link = arg;
	char why[CONTROL_ERROR_TEXT];
	const char *notice;
	json_t *json = NULL;
	int64_t id;
	int r;

	r = control_parse_object(line, len, &json, why);
	if (r == -ENOMEM) {
		lose(link, r);
		return;
	}
	if (r < 0) {
		log_error(NULL, "control.line_refused", KV_STR("why", why), KV_MSG("the supervisor sent a bad line"));
		lose(link, -EBADMSG);
		return;
	}
	notice = json_string_value(json_object_get(json, "notice"));
	id = json_integer_value(json_object_get(json, "id"));
	if (json_object_get(json, "progress"))
		;
	else if (is_state(link, LINK_GREETING) && id == link->hello_id)
		on_hello_answer(link, json, fd);
	else if (is_state(link, LINK_UP) && notice)
		link->events->notice(link->arg, notice, json);
	else if (is_state(link, LINK_UP))
		on_answer(link, id, json);
	json_decref(json);
}

static void on_lost(void *arg, int error)
{
	lose(arg, error);
}

/* --- dialling ------------------------------------------------------------------------------------------------------
 */

static void free_when_done(struct control_link *link);

static void on_unused(void *arg)
{
	free_when_done(arg);
}

static const struct control_wire_events wire_events = { .line = on_line, .lost = on_lost, .unused = on_unused };

static int dial(struct control_link *link)
{
	CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, link->path, strlen(link->path) + 1);
	/* A unix socket connects at once or not at all. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return control_wire_open(&link->wire, link->loop, TAKE_FD(fd), true, &wire_events, link);
}

static void on_timer(void *arg)
{
	struct control_link *link = arg;
	int r;

	if (!is_state(link, LINK_WAITING)) {
		lose(link, -ETIMEDOUT); /* the hello was not answered */
		return;
	}
	r = dial(link);
	machine_step(&link->machine, r < 0 ? EVENT_LOST : EVENT_CONNECTED, NULL);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

int control_link_new(struct loop *loop, const char *runtime_dir, const json_t *hello,
		     const struct control_link_events *events, void *arg, struct control_link **ret_link)
{
	struct control_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->wire.fd = -1;
	link->loop = loop;
	link->events = events;
	link->arg = arg;
	link->next_id = 1;
	link->retry_ms = RETRY_FLOOR_MS;
	link->down_since_ns = clock_boottime_ns();
	link->hello = json_deep_copy(hello);
	r = link->hello ? control_socket_path(runtime_dir, link->path, sizeof(link->path)) : -ENOMEM;
	if (r < 0) {
		json_decref(link->hello);
		free(link);
		return r;
	}
	machine_init(&link->machine, &table, LINK_WAITING, link, trace);
	/* Initialising a timer can't fail. */
	timer_init(&link->timer, loop, on_timer, link);
	timer_init(&link->deadline_timer, loop, on_deadline, link);
	link->open_handles = 2;
	timer_start(&link->timer, 0);
	*ret_link = link;
	return 0;
}

int control_link_is_up(const struct control_link *link)
{
	return is_state(link, LINK_UP);
}

uint64_t control_link_down_since(const struct control_link *link)
{
	return link->down_since_ns;
}

/* Both timers must be closed, and the wire's callback, from which the link may have been closed, must have returned. */
static void free_when_done(struct control_link *link)
{
	loop_fn closed = link->closed;
	void *arg = link->closed_arg;

	if (!is_state(link, LINK_CLOSED) || link->open_handles > 0 || link->wire.busy)
		return;
	json_decref(link->hello);
	free(link);
	if (closed)
		closed(arg);
}

static void on_handle_closed(void *arg)
{
	struct control_link *link = arg;

	link->open_handles--;
	free_when_done(link);
}

void control_link_close(struct control_link *link, loop_fn closed, void *arg)
{
	if (is_state(link, LINK_CLOSED))
		return;
	link->closed = closed;
	link->closed_arg = arg;
	control_wire_close(&link->wire);
	machine_step(&link->machine, EVENT_CLOSE, NULL);
	end_all_requests(link, -ECANCELED);
	timer_close(&link->timer, on_handle_closed);
	timer_close(&link->deadline_timer, on_handle_closed);
}
