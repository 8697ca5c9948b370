/* Lines of JSON over a unix stream socket. Loop thread (the pure parts: any).
 * Reads and writes are bounded, a peer that does not read is given up, and nothing here knows what a line means. */
#include "shared/control/control_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#define READ_BYTES (16 * 1024)
/* Reads in one pass of the loop, so that one talker does not keep the others waiting. */
#define READS_A_PASS 16
#define ALL_SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
/* The largest id: what a JSON reader with doubles still tells apart. */
#define ID_MAX 9007199254740991LL

/* --- lines ---------------------------------------------------------------------------------------------------------
 */

void control_lines_init(struct control_lines *lines)
{
	buf_init(&lines->partial, CONTROL_LINE_MAX);
	lines->taken = 0;
}

void control_lines_finish(struct control_lines *lines)
{
	buf_finish(&lines->partial);
}

static int keep_partial(struct control_lines *lines, const char *bytes, size_t len)
{
	int r = buf_append(&lines->partial, bytes, len);

	return r == -ENOBUFS ? -EMSGSIZE : r;
}

int control_lines_feed(struct control_lines *lines, const char *bytes, size_t len, control_line_fn fn, void *arg)
{
	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t piece = end ? (size_t)(end - bytes) : len;
		int r;

		if (!end)
			return keep_partial(lines, bytes, len);
		if (lines->partial.len == 0) {
			if (piece > CONTROL_LINE_MAX)
				return -EMSGSIZE;
			lines->taken += piece + 1;
			r = fn(arg, bytes, piece);
		} else {
			r = keep_partial(lines, bytes, piece);
			if (r < 0)
				return r;
			lines->taken += lines->partial.len + 1;
			r = fn(arg, lines->partial.data, lines->partial.len);
			/* An idle peer costs no buffer. */
			buf_clear(&lines->partial, 0);
		}
		if (r != 0)
			return r;
		bytes += piece + 1;
		len -= piece + 1;
	}
	return 0;
}

/* --- what a line says ----------------------------------------------------------------------------------------------
 */

/* jansson names no reason at all in some of the places where its memory ran out. */
static bool lacked_memory(const json_error_t *why)
{
	return json_error_code(why) == json_error_out_of_memory || why->text[0] == '\0';
}

int control_parse_object(const char *line, size_t len, json_t **ret_json, char error[CONTROL_ERROR_TEXT])
{
	json_error_t why;
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);

	if (!json && lacked_memory(&why)) {
		snprintf(error, CONTROL_ERROR_TEXT, "no memory to read it");
		return -ENOMEM;
	}
	if (!json) {
		snprintf(error, CONTROL_ERROR_TEXT, "not JSON: %.150s at byte %d", why.text, why.position);
		return -EBADMSG;
	}
	if (!json_is_object(json)) {
		snprintf(error, CONTROL_ERROR_TEXT, "a line must be a JSON object");
		json_decref(json);
		return -EBADMSG;
	}
	*ret_json = json;
	return 0;
}

static bool is_verb(const char *verb)
{
	size_t len = strspn(verb, "abcdefghijklmnopqrstuvwxyz0123456789_-.");

	return len > 0 && len < CONTROL_VERB_MAX && verb[len] == '\0';
}

int control_parse_request(const char *line, size_t len, int64_t *ret_id, char verb[CONTROL_VERB_MAX], json_t **ret_json,
			  char error[CONTROL_ERROR_TEXT])
{
	json_t *json = NULL;
	const char *name;
	json_int_t id;
	int r;

	*ret_id = 0;
	r = control_parse_object(line, len, &json, error);
	if (r < 0)
		return r;
	id = json_integer_value(json_object_get(json, "id"));
	name = json_string_value(json_object_get(json, "verb"));
	if (id > 0 && id <= ID_MAX)
		*ret_id = id;
	if (*ret_id == 0 || !name || !is_verb(name)) {
		snprintf(error, CONTROL_ERROR_TEXT, "%s",
			 *ret_id ? "\"verb\" must be a short lower-case name" : "\"id\" must be a positive integer");
		json_decref(json);
		return -EBADMSG;
	}
	strcpy(verb, name);
	*ret_json = json;
	return 0;
}

int control_socket_path(const char *runtime_dir, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s", runtime_dir, CONTROL_SOCKET_NAME);

	/* 107 bytes and a NUL are what a socket address holds. */
	return n < 0 || (size_t)n >= size || n > 107 ? -ENAMETOOLONG : 0;
}

/* --- sealed memory -------------------------------------------------------------------------------------------------
 */

/* Frees a text that held secrets. */
static void wipe_and_free(char **text)
{
	if (*text) {
		explicit_bzero(*text, strlen(*text));
		free(*text);
	}
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int control_seal(const json_t *json, int *ret_fd, size_t *ret_size)
{
	CLEANUP(wipe_and_free) char *text = json_dumps(json, JSON_COMPACT);
	CLEANUP(cleanup_close) int fd = -1;
	size_t len;
	int r;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len > CONTROL_SECRETS_MAX)
		return -EMSGSIZE;
	fd = memfd_create("shoal-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	*ret_size = len;
	return 0;
}

int control_unseal(int fd, json_t **ret_json)
{
	CLEANUP(wipe_and_free) char *text = NULL;
	int seals = fcntl(fd, F_GET_SEALS);
	json_error_t why;
	json_t *json;
	struct stat st;
	size_t done = 0;
	int r;

	/* Without its seals the sender could still change, or shrink, what is being read. */
	if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
		return -EPROTO;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > CONTROL_SECRETS_MAX)
		return -EMSGSIZE;
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (done < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + done, (size_t)st.st_size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		done += (size_t)n;
	}
	json = json_loadb(text, done, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(json)) {
		r = !json && lacked_memory(&why) ? -ENOMEM : -EBADMSG;
		json_decref(json);
		return r;
	}
	*ret_json = json;
	return 0;
}

/* --- sending -------------------------------------------------------------------------------------------------------
 */

/* A send failed: the reading side will find the end of the stream in a later pass and tell lost(). */
static int doom(struct control_wire *wire, int error)
{
	if (!wire->doomed)
		wire->doomed = error;
	shutdown(wire->fd, SHUT_RDWR);
	return error;
}

static ssize_t send_some(int fd, const char *bytes, size_t len, int pass_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (char *)bytes, len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (pass_fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* How much may go out in one call: a descriptor must travel with the first byte of its line, and with no byte of
 * another line, because the receiver gives it to the line in which that read ended. */
static size_t sendable(const struct control_wire *wire)
{
	const char *from = wire->out.data;
	size_t len = wire->out.len;
	const char *end;

	if (wire->out_fd < 0)
		return len;
	if (wire->out_fd_at > 0)
		return wire->out_fd_at;
	end = memchr(from, '\n', len);
	return end ? (size_t)(end - from) + 1 : len;
}

static int flush(struct control_wire *wire)
{
	while (wire->out.len > 0) {
		bool with_fd = wire->out_fd >= 0 && wire->out_fd_at == 0;
		ssize_t n = send_some(wire->fd, wire->out.data, sendable(wire), with_fd ? wire->out_fd : -1);

		if (n == -EAGAIN)
			return watch_set(wire->watch, WATCH_READ | WATCH_WRITE);
		if (n < 0)
			return (int)n;
		if (with_fd)
			cleanup_close(&wire->out_fd);
		else if (wire->out_fd >= 0)
			wire->out_fd_at -= (size_t)n;
		buf_consume(&wire->out, (size_t)n);
	}
	buf_clear(&wire->out, 0);
	return watch_set(wire->watch, WATCH_READ);
}

struct dump {
	struct buf *out;
	int error;
};

static int append_dump(const char *bytes, size_t len, void *arg)
{
	struct dump *dump = arg;

	dump->error = buf_append(dump->out, bytes, len);
	return dump->error;
}

/* Appends @object as a line; on failure the buffer is as before. -EMSGSIZE, -ENOBUFS (with what waits already it is too
 * much), -ENOMEM. */
static int append_line(struct buf *out, const json_t *object)
{
	struct dump dump = { .out = out };
	size_t before = out->len;
	int r = 0;

	if (json_dump_callback(object, append_dump, &dump, JSON_COMPACT) < 0)
		r = dump.error ? dump.error : -ENOMEM; /* jansson itself fails for want of memory only */
	if (r == 0)
		r = buf_append_char(out, '\n');
	if (r == 0 && out->len - before > CONTROL_LINE_MAX + 1)
		r = -EMSGSIZE;
	if (r == -ENOBUFS && before == 0)
		r = -EMSGSIZE;
	if (r < 0)
		out->len = before;
	return r;
}

int control_wire_send(struct control_wire *wire, const json_t *object, int pass_fd)
{
	CLEANUP(cleanup_close) int fd = pass_fd;
	size_t before = wire->out.len;
	int r;

	if (wire->fd < 0 || wire->doomed)
		return -ENOTCONN;
	if (fd >= 0 && wire->out_fd >= 0)
		return doom(wire, -EBUSY);
	r = append_line(&wire->out, object);
	if (r < 0)
		return r == -ENOBUFS ? doom(wire, r) : r;
	if (fd >= 0) {
		wire->out_fd = TAKE_FD(fd);
		wire->out_fd_at = before;
	}
	/* Behind something that waits already: libuv says when there is room. */
	if (before > 0)
		return 0;
	r = flush(wire);
	return r < 0 ? doom(wire, r) : 0;
}

/* --- receiving -----------------------------------------------------------------------------------------------------
 */

/* Takes a descriptor out of a received message; every further one is closed. */
static int take_fd(struct msghdr *message)
{
	int found = -1;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		size_t count;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
			if (found < 0)
				found = fd;
			else
				close(fd);
		}
	}
	return found;
}

static ssize_t receive_some(struct control_wire *wire, char *bytes, size_t len)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { bytes, len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int fd;

	/* Without room for them the kernel drops descriptors that nobody asked for. */
	if (wire->accept_fds) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	do
		n = recvmsg(wire->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	wire->received += (uint64_t)n;
	fd = wire->accept_fds ? take_fd(&message) : -1;
	if (fd >= 0) {
		cleanup_close(&wire->in_fd);
		wire->in_fd = fd;
		wire->in_fd_at = wire->received;
	}
	return n;
}

static int on_line(void *arg, const char *line, size_t len)
{
	struct control_wire *wire = arg;
	CLEANUP(cleanup_close) int fd = -1;

	if (wire->in_fd >= 0 && wire->lines.taken >= wire->in_fd_at)
		fd = TAKE_FD(wire->in_fd);
	if (len > 0)
		wire->events->line(wire->arg, line, len, &fd);
	return wire->fd < 0 ? 1 : 0;
}

/* 0: all is well; 1: closed meanwhile; negative: lost. */
static int receive(struct control_wire *wire)
{
	static char bytes[READ_BYTES];

	for (int i = 0; i < READS_A_PASS; i++) {
		ssize_t n = receive_some(wire, bytes, sizeof(bytes));
		int r;

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? (int)n : -ENOTCONN;
		r = control_lines_feed(&wire->lines, bytes, (size_t)n, on_line, wire);
		if (r != 0)
			return r;
	}
	return 0;
}

static void on_ready(void *arg, int error, int events)
{
	struct control_wire *wire = arg;
	int r = error;

	wire->busy = true;
	if (r == 0 && (events & WATCH_WRITE) && !wire->doomed)
		r = flush(wire);
	if (r == 0 && (events & WATCH_READ))
		r = receive(wire);
	if (r == -EMSGSIZE && wire->events->too_long)
		wire->events->too_long(wire->arg);
	wire->busy = false;
	if (wire->fd < 0) {
		control_wire_close(wire); /* the buffers, kept while busy */
		wire->events->unused(wire->arg);
		return;
	}
	if (r < 0) {
		r = wire->doomed ? wire->doomed : r;
		control_wire_close(wire);
		/* ENOTCONN stood for an orderly end of the stream. */
		wire->events->lost(wire->arg, r == -ENOTCONN ? 0 : r);
	}
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

int control_wire_open(struct control_wire *wire, struct loop *loop, int fd, bool accept_fds,
		      const struct control_wire_events *events, void *arg)
{
	int r;

	*wire = (struct control_wire){
		.fd = fd, .accept_fds = accept_fds, .in_fd = -1, .out_fd = -1, .events = events, .arg = arg
	};
	control_lines_init(&wire->lines);
	buf_init(&wire->out, CONTROL_BACKLOG_MAX);
	r = watch_new(loop, fd, WATCH_READ, on_ready, wire, &wire->watch);
	if (r < 0)
		control_wire_close(wire);
	return r;
}

void control_wire_close(struct control_wire *wire)
{
	if (wire->fd >= 0) {
		watch_free(TAKE(wire->watch));
		cleanup_close(&wire->fd);
		cleanup_close(&wire->in_fd);
		cleanup_close(&wire->out_fd);
	}
	if (!wire->busy) {
		control_lines_finish(&wire->lines);
		buf_finish(&wire->out);
	}
}

bool control_wire_is_open(const struct control_wire *wire)
{
	return wire->fd >= 0 && !wire->doomed;
}
