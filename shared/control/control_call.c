/* An operator's single question: blocking, for shoalctl, never for a program with a loop. Every wait has the call's one
 * deadline. */
#include "shared/control/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/control/control_wire.h"

struct call {
	int fd;
	uint64_t deadline_ns;
	struct control_lines lines;
	control_progress_fn progress;
	void *arg;
	json_t *answer;
};

#define CALL_ID 1

static int left_ms(const struct call *call)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t left = call->deadline_ns > now ? (call->deadline_ns - now) / NS_PER_MS + 1 : 0;

	return left > 1u << 30 ? 1 << 30 : (int)left;
}

static int wait_for(struct call *call, short events)
{
	for (;;) {
		struct pollfd ready = { .fd = call->fd, .events = events };
		int timeout = left_ms(call);
		int n = poll(&ready, 1, timeout);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int connect_within(struct call *call, const char *runtime_dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int wait_ms = left_ms(call);
	struct timeval patience = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 + 1 };
	int r;

	r = control_socket_path(runtime_dir, address.sun_path, sizeof(address.sun_path));
	if (r < 0)
		return r;
	call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (call->fd < 0)
		return -errno;
	/* A full queue of callers makes connect wait: no longer than this. */
	if (setsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(call->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

static int send_all(struct call *call, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(call->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EPIPE)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(call, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

static int append_dump(const char *bytes, size_t len, void *out)
{
	return buf_append(out, bytes, len);
}

static int send_request(struct call *call, json_t *request)
{
	CLEANUP(buf_finish) struct buf line = { 0 };

	buf_init(&line, CONTROL_LINE_MAX + 1);
	if (json_object_set_new(request, "id", json_integer(CALL_ID)) < 0)
		return -ENOMEM;
	if (json_dump_callback(request, append_dump, &line, JSON_COMPACT) < 0 || buf_append_char(&line, '\n') < 0)
		return -EMSGSIZE;
	return send_all(call, line.data, line.len);
}

/* 1 when the answer is there. */
static int on_line(void *arg, const char *line, size_t len)
{
	struct call *call = arg;
	char why[CONTROL_ERROR_TEXT];
	json_t *json = NULL;
	json_int_t id;
	int r;

	if (len == 0)
		return 0;
	r = control_parse_object(line, len, &json, why);
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	id = json_integer_value(json_object_get(json, "id"));
	if (json_object_get(json, "progress")) {
		if (id == CALL_ID && call->progress)
			call->progress(call->arg, json_object_get(json, "progress"));
	} else if (json_is_boolean(json_object_get(json, "ok")) && (id == CALL_ID || id == 0)) {
		/* Id 0: our line could not be read over there; nothing else was asked on this connection. */
		call->answer = json;
		return 1;
	}
	json_decref(json);
	return 0;
}

static int await_answer(struct call *call)
{
	char bytes[16 * 1024];

	for (;;) {
		ssize_t n;
		int r = wait_for(call, POLLIN);

		if (r < 0)
			return r;
		n = recv(call->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		r = control_lines_feed(&call->lines, bytes, (size_t)n, on_line, call);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

int control_call(const char *runtime_dir, json_t *request, uint64_t timeout_ms, control_progress_fn progress, void *arg,
		 json_t **ret_answer)
{
	struct call call = {
		.fd = -1, .deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS, .progress = progress, .arg = arg
	};
	int r;

	if (!request)
		return -ENOMEM;
	control_lines_init(&call.lines);
	r = connect_within(&call, runtime_dir);
	if (r == 0)
		r = send_request(&call, request);
	if (r == 0)
		r = await_answer(&call);
	json_decref(request);
	control_lines_finish(&call.lines);
	cleanup_close(&call.fd);
	if (r == 0)
		*ret_answer = call.answer;
	return r;
}
