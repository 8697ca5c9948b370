/* The control protocol: lines however they are cut, hostile requests, sealed memory, the server under bad and slow
 * clients, a worker's link through loss, refusal and silence, and an operator's call. Real sockets, one real loop. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/control/control.h"
#include "shared/control/control_wire.h"
#include "shared/log/log.h"
#include "tests/unit/tmpdir.h"

#define DEADLINE_MS 10000

static char dir[TMPDIR_SIZE];
static struct loop loop;

/* --- the loop, until something happened ------------------------------------------------------------------------------
 */

static struct timer guard;
static bool guard_fired;

static void on_guard(void *arg)
{
	(void)arg;
	guard_fired = true;
	loop_stop(&loop);
}

/* Turns the loop until *@what is at least @least; a test that waits too long fails. */
static void run_until(const int *what, int least)
{
	guard_fired = false;
	timer_start(&guard, DEADLINE_MS);
	while (*what < least && !guard_fired)
		uv_run(&loop.uv, UV_RUN_ONCE);
	timer_stop(&guard);
	assert_false(guard_fired);
}

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	assert_int_equal(loop_init(&loop), 0);
	timer_init(&guard, &loop, on_guard, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timer_close(&guard, NULL);
	assert_int_equal(loop_finish(&loop), 0);
	tmpdir_remove(dir);
	return 0;
}

/* --- lines -----------------------------------------------------------------------------------------------------------
 */

struct heard {
	int lines;
	size_t bytes;
	char last[64];
	int stop_at;
};

static int hear(void *arg, const char *line, size_t len)
{
	struct heard *heard = arg;

	heard->lines++;
	heard->bytes += len;
	snprintf(heard->last, sizeof(heard->last), "%.*s", (int)(len < 60 ? len : 60), line);
	return heard->lines == heard->stop_at ? 7 : 0;
}

static void test_lines_cut_everywhere(void **state)
{
	static const char text[] = "one\n\ntwo two\nthree\nrest";

	(void)state;
	for (size_t first = 0; first <= strlen(text); first++) {
		for (size_t second = first; second <= strlen(text); second++) {
			struct control_lines lines;
			struct heard heard = { 0 };

			control_lines_init(&lines);
			assert_int_equal(control_lines_feed(&lines, text, first, hear, &heard), 0);
			assert_int_equal(control_lines_feed(&lines, text + first, second - first, hear, &heard), 0);
			assert_int_equal(control_lines_feed(&lines, text + second, strlen(text) - second, hear, &heard),
					 0);
			assert_int_equal(heard.lines, 4);
			assert_int_equal(heard.bytes, 3 + 0 + 7 + 5);
			assert_string_equal(heard.last, "three");
			assert_int_equal(lines.taken, 19);
			assert_int_equal(lines.partial.len, 4);
			control_lines_finish(&lines);
		}
	}
}

static void test_line_length_limit(void **state)
{
	struct control_lines lines;
	struct heard heard = { 0 };
	char *text = malloc(CONTROL_LINE_MAX + 2);

	(void)state;
	memset(text, 'x', CONTROL_LINE_MAX + 1);
	text[CONTROL_LINE_MAX] = '\n';
	control_lines_init(&lines);
	/* Exactly the limit goes, whole or in pieces; and leaves no memory behind. */
	assert_int_equal(control_lines_feed(&lines, text, CONTROL_LINE_MAX + 1, hear, &heard), 0);
	for (size_t at = 0; at <= CONTROL_LINE_MAX; at += 4096) {
		size_t piece = CONTROL_LINE_MAX + 1 - at < 4096 ? CONTROL_LINE_MAX + 1 - at : 4096;

		assert_int_equal(control_lines_feed(&lines, text + at, piece, hear, &heard), 0);
	}
	assert_int_equal(heard.lines, 2);
	assert_int_equal(heard.bytes, 2 * CONTROL_LINE_MAX);
	assert_null(lines.partial.data);
	text[CONTROL_LINE_MAX] = 'x';
	text[CONTROL_LINE_MAX + 1] = '\n';
	assert_int_equal(control_lines_feed(&lines, text, CONTROL_LINE_MAX + 2, hear, &heard), -EMSGSIZE);
	assert_int_equal(control_lines_feed(&lines, text, 10, hear, &heard), 0);
	assert_int_equal(control_lines_feed(&lines, text, CONTROL_LINE_MAX, hear, &heard), -EMSGSIZE);
	control_lines_finish(&lines);
	heard = (struct heard){ .stop_at = 2 };
	control_lines_init(&lines);
	assert_int_equal(control_lines_feed(&lines, "a\nb\nc\n", 6, hear, &heard), 7);
	assert_int_equal(heard.lines, 2);
	control_lines_finish(&lines);
	free(text);
}

static void test_requests_good_and_hostile(void **state)
{
	static const struct {
		const char *line;
		int result;
		int64_t id;
	} rows[] = {
		{ "{\"id\":7,\"verb\":\"status\"}", 0, 7 },
		{ "{\"id\":9007199254740991,\"verb\":\"a.b-c_d\"} ", 0, 9007199254740991 },
		{ "{\"id\":0,\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":-1,\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":1.5,\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":\"7\",\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":9007199254740992,\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":99999999999999999999999,\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"verb\":\"status\"}", -EBADMSG, 0 },
		{ "{\"id\":7}", -EBADMSG, 7 },
		{ "{\"id\":7,\"verb\":\"\"}", -EBADMSG, 7 },
		{ "{\"id\":7,\"verb\":\"Status\"}", -EBADMSG, 7 },
		{ "{\"id\":7,\"verb\":\"st\\u0000atus\"}", -EBADMSG, 0 },
		{ "{\"id\":7,\"verb\":5}", -EBADMSG, 7 },
		{ "{\"id\":7,\"id\":8,\"verb\":\"x\"}", -EBADMSG, 0 },
		{ "{\"id\":7,\"verb\":\"x\"} {}", -EBADMSG, 0 },
		{ "[{\"id\":7,\"verb\":\"x\"}]", -EBADMSG, 0 },
		{ "null", -EBADMSG, 0 },
		{ "{\"id\":7,\"verb\":\"\xff\"}", -EBADMSG, 0 },
		{ "GET / HTTP/1.1\r", -EBADMSG, 0 },
		{ "", -EBADMSG, 0 },
	};
	char verb[CONTROL_VERB_MAX], error[CONTROL_ERROR_TEXT], deep[5000];
	json_t *json = NULL;
	int64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error[0] = '\0';
		assert_int_equal(control_parse_request(rows[i].line, strlen(rows[i].line), &id, verb, &json, error),
				 rows[i].result);
		assert_int_equal(id, rows[i].id);
		assert_int_equal(error[0] != '\0', rows[i].result < 0);
		if (rows[i].result == 0)
			json_decref(json);
	}
	memset(deep, '[', sizeof(deep));
	assert_int_equal(control_parse_request(deep, sizeof(deep), &id, verb, &json, error), -EBADMSG);
	/* Cut at every byte. */
	for (size_t len = 0; len < strlen(rows[0].line); len++)
		assert_int_equal(control_parse_request(rows[0].line, len, &id, verb, &json, error), -EBADMSG);
}

static void test_sealed_memory(void **state)
{
	json_t *secrets = json_pack("{s:s}", "token", "a secret"), *read = NULL, *large;
	int fd = -1, plain;
	size_t size;
	char *text;

	(void)state;
	assert_int_equal(control_seal(secrets, &fd, &size), 0);
	assert_int_equal(size, strlen("{\"token\":\"a secret\"}"));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* Nobody changes it any more, by whatever way. */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 10000), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_int_equal(control_unseal(fd, &read), 0);
	assert_int_equal(json_equal(secrets, read), 1);
	json_decref(read);
	close(fd);
	/* What is not sealed, too large, empty, or no JSON is refused. */
	plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(plain, "{}", 2), 2);
	assert_int_equal(control_unseal(plain, &read), -EPROTO);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_int_equal(control_unseal(plain, &read), -EPROTO);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SEAL), 0);
	assert_int_equal(control_unseal(plain, &read), 0);
	json_decref(read);
	close(plain);
	plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
	assert_int_equal(control_unseal(plain, &read), -EMSGSIZE);
	close(plain);
	plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(plain, CONTROL_SECRETS_MAX + 1), 0);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
	assert_int_equal(control_unseal(plain, &read), -EMSGSIZE);
	close(plain);
	plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(plain, "[1]", 3), 3);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
	assert_int_equal(control_unseal(plain, &read), -EBADMSG);
	close(plain);
	plain = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(control_unseal(plain, &read), -EPROTO);
	close(plain);
	text = calloc(1, CONTROL_SECRETS_MAX + 1);
	memset(text, 'x', CONTROL_SECRETS_MAX);
	large = json_pack("{s:s}", "k", text);
	assert_int_equal(control_seal(large, &fd, &size), -EMSGSIZE);
	json_decref(large);
	free(text);
	json_decref(secrets);
}

/* --- a server that does what the request says ------------------------------------------------------------------------
 */

struct side {
	struct control_server *server;
	struct control_peer *last_peer;
	int requests, closed_peers, closed;
	int64_t held_id; /* the request "hold" waits to be answered by the test */
	json_t *secrets;
};

static struct side side;

static void on_request(void *arg, struct control_peer *peer, int64_t id, const char *verb, const json_t *request)
{
	struct side *s = arg;

	s->requests++;
	s->last_peer = peer;
	if (strcmp(verb, "hello") == 0 && json_is_true(json_object_get(request, "refuse"))) {
		control_peer_fail(peer, id, "EEXIST", "a second worker");
	} else if (strcmp(verb, "hello") == 0 && json_is_true(json_object_get(request, "later")) && s->requests < 3) {
		control_peer_fail(peer, id, "EAGAIN", "not yet");
	} else if (strcmp(verb, "hello") == 0) {
		control_peer_set_data(peer, s);
		assert_int_equal(control_peer_answer_secrets(peer, id, NULL, s->secrets), 0);
	} else if (strcmp(verb, "echo") == 0) {
		control_peer_progress(peer, id, json_pack("{s:i}", "done", 50));
		control_peer_answer(peer, id, json_pack("{s:O}", "back", json_object_get(request, "text")));
	} else if (strcmp(verb, "large") == 0) {
		char *text = malloc(CONTROL_LINE_MAX + 1);

		memset(text, 'y', CONTROL_LINE_MAX);
		text[CONTROL_LINE_MAX] = '\0';
		text[json_integer_value(json_object_get(request, "size"))] = '\0';
		control_peer_answer(peer, id, json_pack("{s:s}", "text", text));
		free(text);
	} else if (strcmp(verb, "hold") == 0) {
		s->held_id = id;
	} else if (strcmp(verb, "drop") == 0) {
		control_peer_close(peer);
	} else {
		control_peer_fail_with(peer, id, "EDQUOT", "spent", json_pack("{s:i}", "wait_ms", 77));
	}
}

static void on_peer_closed(void *arg, struct control_peer *peer)
{
	struct side *s = arg;

	s->closed_peers++;
	if (s->last_peer == peer)
		s->last_peer = NULL;
	assert_int_equal(control_peer_answer(peer, 1, NULL), -ENOTCONN);
}

static const struct control_server_events server_events = { .request = on_request, .closed = on_peer_closed };

static void on_server_closed(void *arg)
{
	((struct side *)arg)->closed++;
}

static void start_server(void)
{
	if (!side.secrets)
		side.secrets = json_pack("{s:s}", "discord.token", "the token");
	assert_int_equal(control_server_new(&loop, dir, &server_events, &side, &side.server), 0);
}

static void stop_server(void)
{
	int before = side.closed;

	control_server_close(side.server, on_server_closed, &side);
	run_until(&side.closed, before + 1);
}

static int setup_server(void **state)
{
	setup(state);
	side = (struct side){ 0 };
	start_server();
	return 0;
}

static int teardown_server(void **state)
{
	char path[108];

	stop_server();
	control_socket_path(dir, path, sizeof(path));
	assert_int_equal(access(path, F_OK), -1);
	json_decref(side.secrets);
	return teardown(state);
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	control_socket_path(dir, address.sun_path, sizeof(address.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until a whole line is there (true) or the other side closed (false). */
static bool read_line(int fd, char *line, size_t size)
{
	uint64_t deadline = clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
	size_t len = 0;

	while (clock_monotonic_ns() < deadline) {
		ssize_t n = recv(fd, line + len, 1, 0);

		if (n == 1 && line[len] == '\n') {
			line[len] = '\0';
			return true;
		}
		if (n == 1 && ++len < size)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	fail_msg("no line came");
	return false;
}

static void test_server_file_and_second_server(void **state)
{
	struct control_server *second = NULL;
	struct stat st;
	char path[108], long_dir[200];
	int fd;

	(void)state;
	control_socket_path(dir, path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(control_server_new(&loop, dir, &server_events, &side, &second), -EADDRINUSE);
	/* Deleted by somebody else: there again, for whoever asks. */
	assert_int_equal(control_server_restore(side.server), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_server_restore(side.server), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(control_server_new(&loop, dir, &server_events, &side, &second), -EADDRINUSE);
	memset(long_dir, 'd', sizeof(long_dir));
	long_dir[sizeof(long_dir) - 1] = '\0';
	assert_int_equal(control_server_new(&loop, long_dir, &server_events, &side, &second), -ENAMETOOLONG);
	/* A stale socket, left by a supervisor that was killed, is replaced; a plain file of that name is not. */
	stop_server();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	{
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		strcpy(address.sun_path, path);
		assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	}
	close(fd);
	start_server();
	stop_server();
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(control_server_new(&loop, dir, &server_events, &side, &second), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	start_server();
}

static void test_bad_lines_are_answered_then_closed(void **state)
{
	int fd = dial();
	char line[1024];

	(void)state;
	send_text(fd, "\n\nhello?\n{\"id\":5,\"verb\":\"Bad\"}\n");
	assert_true(read_line(fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"EBADMSG\""));
	assert_non_null(strstr(line, "\"id\":0"));
	assert_true(read_line(fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"id\":5"));
	/* A good one in between is served. */
	send_text(fd, "{\"id\":6,\"verb\":\"nothing\"}\n");
	assert_true(read_line(fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"wait_ms\":77"));
	assert_non_null(strstr(line, "\"error\":\"EDQUOT\""));
	for (int i = 2; i < CONTROL_BAD_LINES_MAX; i++) {
		send_text(fd, "x\n");
		assert_true(read_line(fd, line, sizeof(line)));
	}
	assert_false(read_line(fd, line, sizeof(line)));
	assert_int_equal(side.closed_peers, 1);
	close(fd);
}

static void test_too_long_a_line_is_answered_and_closed(void **state)
{
	char *text = malloc(CONTROL_LINE_MAX + 10), line[1024];
	int fd = dial();
	size_t sent = 0;

	(void)state;
	memset(text, 'x', CONTROL_LINE_MAX + 10);
	while (sent < CONTROL_LINE_MAX + 10) {
		ssize_t n = send(fd, text + sent, CONTROL_LINE_MAX + 10 - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (errno == EAGAIN)
			uv_run(&loop.uv, UV_RUN_NOWAIT);
		else
			break;
	}
	assert_true(read_line(fd, line, sizeof(line)));
	assert_non_null(strstr(line, "EMSGSIZE"));
	assert_false(read_line(fd, line, sizeof(line)));
	close(fd);
	free(text);
}

static void test_megabyte_answers(void **state)
{
	size_t size = CONTROL_LINE_MAX + 1;
	char *line = malloc(size);
	int fd = dial();

	(void)state;
	send_text(fd, "{\"id\":1,\"verb\":\"large\",\"size\":1048000}\n");
	assert_true(read_line(fd, line, size));
	assert_true(strlen(line) > 1048000);
	send_text(fd, "{\"id\":2,\"verb\":\"large\",\"size\":1048576}\n");
	assert_true(read_line(fd, line, size));
	assert_non_null(strstr(line, "EMSGSIZE"));
	close(fd);
	free(line);
}

static void test_slow_reader_is_closed(void **state)
{
	int fd = dial();

	(void)state;
	/* Asks for megabytes and reads none. */
	for (int i = 1; i < 20; i++) {
		char text[80];

		snprintf(text, sizeof(text), "{\"id\":%d,\"verb\":\"large\",\"size\":900000}\n", i);
		if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
			break;
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	run_until(&side.closed_peers, 1);
	close(fd);
}

static void test_peer_closed_from_its_own_request(void **state)
{
	int fd = dial();
	char line[100];

	(void)state;
	send_text(fd, "{\"id\":1,\"verb\":\"drop\"}\n{\"id\":2,\"verb\":\"echo\",\"text\":1}\n");
	assert_false(read_line(fd, line, sizeof(line)));
	assert_int_equal(side.requests, 1);
	assert_int_equal(side.closed_peers, 1);
	close(fd);
}

static void test_descriptors_sent_to_the_server_are_not_kept(void **state)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char text[] = "{\"id\":1,\"verb\":\"nothing\"}\n", line[200];
	struct iovec iov = { text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	int fd = dial(), pipe_fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &pipe_fds[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &message, 0), strlen(text));
	close(pipe_fds[1]);
	assert_true(read_line(fd, line, sizeof(line)));
	/* End of file: no copy of the writing end is open anywhere. */
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	close(fd);
}

static void test_many_idle_peers_are_cheap(void **state)
{
	enum { PEERS = 1100 };
	static int fds[PEERS];
	struct rlimit limit;
	char line[200];
	size_t before, after;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * PEERS + 100) {
		limit.rlim_cur = limit.rlim_max < 2 * PEERS + 100 ? limit.rlim_max : 2 * PEERS + 100;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < 2 * PEERS + 100) {
		print_message("skipped: only %lu descriptors allowed here\n", (unsigned long)limit.rlim_cur);
		skip();
	}
	/* One round first: what is allocated once is not a peer's. */
	fds[0] = dial();
	send_text(fds[0], "{\"id\":1,\"verb\":\"nothing\"}\n");
	assert_true(read_line(fds[0], line, sizeof(line)));
	before = mallinfo2().uordblks;
	for (int i = 1; i < PEERS; i++) {
		fds[i] = dial();
		send_text(fds[i], "{\"id\":1,\"verb\":\"echo\",\"text\":\"hello hello hello\"}\n");
		if (i % 50 == 0)
			uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	run_until(&side.requests, PEERS);
	after = mallinfo2().uordblks;
	print_message("%d idle peers: %zu bytes of heap each\n", PEERS, (after - before) / PEERS);
#ifndef __SANITIZE_ADDRESS__
	/* Above zero: else the count would say nothing. */
	assert_true(after > before && (after - before) / PEERS < 1024);
#endif
	for (int i = 0; i < PEERS; i++)
		close(fds[i]);
	run_until(&side.closed_peers, PEERS);
}

/* --- a worker's link -------------------------------------------------------------------------------------------------
 */

struct worker {
	struct control_link *link;
	int ups, downs, refusals, notices, answers, closed;
	int last_error;
	char token[32], message[64], notice[32];
	bool close_on_up;
};

static void on_link_closed(void *arg)
{
	((struct worker *)arg)->closed++;
}

static void on_up(void *arg, const json_t *secrets)
{
	struct worker *worker = arg;

	worker->ups++;
	snprintf(worker->token, sizeof(worker->token), "%s",
		 json_string_value(json_object_get(secrets, "discord.token")));
	if (worker->close_on_up)
		control_link_close(worker->link, on_link_closed, worker);
}

static void on_refused(void *arg, const char *error, const char *message)
{
	struct worker *worker = arg;

	worker->refusals++;
	snprintf(worker->message, sizeof(worker->message), "%s: %s", error, message);
}

static void on_down(void *arg, int error)
{
	struct worker *worker = arg;

	worker->downs++;
	worker->last_error = error;
}

static void on_notice(void *arg, const char *name, const json_t *notice)
{
	struct worker *worker = arg;

	worker->notices++;
	snprintf(worker->notice, sizeof(worker->notice), "%s %d", name,
		 (int)json_is_true(json_object_get(notice, "logout")));
}

static void on_answer(void *arg, int error, const json_t *answer)
{
	struct worker *worker = arg;

	worker->answers++;
	worker->last_error = error;
	assert_int_equal(answer == NULL, error == -ETIMEDOUT || error == -ECANCELED || error == -SHOAL_EOFFLINE);
}

static const struct control_link_events link_events = {
	.up = on_up,
	.refused = on_refused,
	.down = on_down,
	.notice = on_notice,
};

static void start_link(struct worker *worker, const char *extra)
{
	json_t *hello = json_pack("{s:i, s:i}", "shard", 3, "generation", 1);

	if (extra)
		json_object_set_new(hello, extra, json_true());
	assert_int_equal(control_link_new(&loop, dir, hello, &link_events, worker, &worker->link), 0);
	json_decref(hello);
}

static void stop_link(struct worker *worker)
{
	control_link_close(worker->link, on_link_closed, worker);
	run_until(&worker->closed, 1);
}

static void test_link_greets_asks_and_hears(void **state)
{
	struct worker worker = { 0 };

	(void)state;
	start_link(&worker, NULL);
	assert_true(control_link_down_since(worker.link) > 0);
	run_until(&worker.ups, 1);
	assert_string_equal(worker.token, "the token");
	assert_int_equal(control_link_down_since(worker.link), 0);
	assert_true(control_link_is_up(worker.link));
	assert_int_equal(control_peer_pid(side.last_peer), getpid());
	assert_ptr_equal(control_peer_data(side.last_peer), &side);
	assert_int_equal(control_link_request(worker.link, json_pack("{s:s, s:s}", "verb", "echo", "text", "hi"), 5000,
					      on_answer, &worker),
			 0);
	run_until(&worker.answers, 1);
	assert_int_equal(worker.last_error, 0);
	assert_int_equal(
		control_link_request(worker.link, json_pack("{s:s}", "verb", "identify"), 5000, on_answer, &worker), 0);
	run_until(&worker.answers, 2);
	assert_int_equal(worker.last_error, -EDQUOT);
	assert_int_equal(control_peer_notice(side.last_peer, "stop", json_pack("{s:b}", "logout", 1)), 0);
	run_until(&worker.notices, 1);
	assert_string_equal(worker.notice, "stop 1");
	stop_link(&worker);
}

static void test_requests_time_out_and_are_bounded(void **state)
{
	struct worker worker = { 0 };

	(void)state;
	start_link(&worker, NULL);
	run_until(&worker.ups, 1);
	for (int i = 0; i < CONTROL_OPEN_REQUESTS_MAX; i++)
		assert_int_equal(
			control_link_request(worker.link, json_pack("{s:s}", "verb", "hold"), 30, on_answer, &worker),
			0);
	assert_int_equal(control_link_request(worker.link, json_pack("{s:s}", "verb", "hold"), 30, on_answer, &worker),
			 -ENOBUFS);
	run_until(&worker.answers, CONTROL_OPEN_REQUESTS_MAX);
	assert_int_equal(worker.last_error, -ETIMEDOUT);
	/* The answer that comes too late is nobody's. */
	assert_true(side.held_id > 0);
	control_peer_answer(side.last_peer, side.held_id, NULL);
	assert_int_equal(control_link_request(worker.link, json_pack("{s:s, s:i}", "verb", "echo", "text", 1), 5000,
					      on_answer, &worker),
			 0);
	run_until(&worker.answers, CONTROL_OPEN_REQUESTS_MAX + 1);
	assert_int_equal(worker.last_error, 0);
	stop_link(&worker);
	assert_int_equal(worker.answers, CONTROL_OPEN_REQUESTS_MAX + 1);
}

static void test_link_survives_the_server(void **state)
{
	struct worker worker = { 0 };

	(void)state;
	start_link(&worker, NULL);
	run_until(&worker.ups, 1);
	assert_int_equal(
		control_link_request(worker.link, json_pack("{s:s}", "verb", "hold"), 60000, on_answer, &worker), 0);
	run_until(&side.requests, 2);
	stop_server();
	run_until(&worker.downs, 1);
	assert_int_equal(worker.answers, 1);
	assert_false(control_link_is_up(worker.link));
	assert_true(control_link_down_since(worker.link) > 0);
	assert_int_equal(
		control_link_request(worker.link, json_pack("{s:s}", "verb", "hold"), 60000, on_answer, &worker), 0);
	assert_int_equal(worker.answers, 2);
	assert_int_equal(worker.last_error, -SHOAL_EOFFLINE);
	start_server();
	run_until(&worker.ups, 2);
	assert_int_equal(control_link_down_since(worker.link), 0);
	stop_link(&worker);
}

static void test_link_is_refused_or_told_to_wait(void **state)
{
	struct worker refused = { 0 }, later = { 0 };

	(void)state;
	start_link(&later, "later");
	run_until(&later.ups, 1);
	assert_true(side.requests >= 3);
	assert_int_equal(later.refusals, 0);
	start_link(&refused, "refuse");
	run_until(&refused.refusals, 1);
	assert_string_equal(refused.message, "EEXIST: a second worker");
	assert_false(control_link_is_up(refused.link));
	stop_link(&refused);
	stop_link(&later);
}

static void test_link_closed_from_within_and_with_open_requests(void **state)
{
	struct worker inner = { .close_on_up = true }, worker = { 0 };

	(void)state;
	start_link(&inner, NULL);
	run_until(&inner.closed, 1);
	assert_int_equal(inner.ups, 1);
	assert_int_equal(inner.downs, 0);
	start_link(&worker, NULL);
	run_until(&worker.ups, 1);
	control_link_request(worker.link, json_pack("{s:s}", "verb", "hold"), 60000, on_answer, &worker);
	control_link_close(worker.link, on_link_closed, &worker);
	assert_int_equal(worker.answers, 1);
	assert_int_equal(worker.last_error, -ECANCELED);
	run_until(&worker.closed, 1);
}

/* A server that answers the hello with @line and, if wanted, a plain descriptor: not what ours would say. */
static void answer_badly(const char *line, int with_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct worker worker = { 0 };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	char path[108], text[200];
	json_t *hello = json_object();
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };

	stop_server();
	control_socket_path(dir, path, sizeof(path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(control_link_new(&loop, dir, hello, &link_events, &worker, &worker.link), 0);
	for (int round = 0; round < 2; round++) {
		struct iovec iov = { (char *)line, strlen(line) };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
		uint64_t deadline = clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;

		/* The second dial is the proof that the first answer was not taken. */
		fcntl(listener, F_SETFL, O_NONBLOCK);
		while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 && clock_monotonic_ns() < deadline)
			uv_run(&loop.uv, UV_RUN_NOWAIT);
		assert_true(fd >= 0);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		assert_true(recv(fd, text, sizeof(text), 0) > 0);
		if (with_fd >= 0) {
			message.msg_control = control.bytes;
			message.msg_controllen = sizeof(control.bytes);
			control.header.cmsg_level = SOL_SOCKET;
			control.header.cmsg_type = SCM_RIGHTS;
			control.header.cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(&control.header), &with_fd, sizeof(int));
		}
		snprintf(text, sizeof(text), "%s", line);
		/* The id counts up with each attempt. */
		if (strchr(text, '#'))
			*strchr(text, '#') = (char)('1' + round);
		iov = (struct iovec){ text, strlen(text) };
		assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), strlen(text));
		if (round == 0) {
			char byte;

			fcntl(fd, F_SETFL, O_NONBLOCK);
			while (recv(fd, &byte, 1, 0) != 0 && clock_monotonic_ns() < deadline)
				uv_run(&loop.uv, UV_RUN_NOWAIT);
			assert_true(clock_monotonic_ns() < deadline);
		}
		close(fd);
	}
	assert_int_equal(worker.ups, 0);
	json_decref(hello);
	control_link_close(worker.link, on_link_closed, &worker);
	run_until(&worker.closed, 1);
	close(listener);
	unlink(path);
	start_server();
}

static void test_link_refuses_a_bad_welcome(void **state)
{
	int plain = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	answer_badly("{\"id\":#,\"ok\":true}\n", -1);
	answer_badly("{\"id\":#,\"ok\":true}\n", plain);
	answer_badly("[]\n", -1);
	answer_badly("not JSON\n", -1);
	close(plain);
}

/* --- an operator's call ----------------------------------------------------------------------------------------------
 */

struct caller {
	const char *verb;
	uint64_t timeout_ms;
	int result, progress;
	json_t *answer;
	int done;
};

static void on_progress(void *arg, const json_t *progress)
{
	((struct caller *)arg)->progress += (int)json_integer_value(json_object_get(progress, "done"));
}

static void *call(void *arg)
{
	struct caller *caller = arg;

	caller->result = control_call(dir, json_pack("{s:s, s:s}", "verb", caller->verb, "text", "x"),
				      caller->timeout_ms, on_progress, caller, &caller->answer);
	__atomic_store_n(&caller->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void run_caller(struct caller *caller)
{
	uint64_t deadline = clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, call, caller), 0);
	while (!__atomic_load_n(&caller->done, __ATOMIC_SEQ_CST) && clock_monotonic_ns() < deadline)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	pthread_join(thread, NULL);
}

static void test_operator_calls(void **state)
{
	struct caller good = { .verb = "echo", .timeout_ms = 5000 }, large = { .verb = "bad verb", .timeout_ms = 5000 };
	struct caller silent = { .verb = "hold", .timeout_ms = 50 }, dropped = { .verb = "drop", .timeout_ms = 5000 };

	(void)state;
	run_caller(&good);
	assert_int_equal(good.result, 0);
	assert_int_equal(good.progress, 50);
	assert_string_equal(json_string_value(json_object_get(good.answer, "back")), "x");
	json_decref(good.answer);
	run_caller(&large);
	assert_int_equal(large.result, 0);
	assert_true(json_is_false(json_object_get(large.answer, "ok")));
	json_decref(large.answer);
	run_caller(&silent);
	assert_int_equal(silent.result, -ETIMEDOUT);
	run_caller(&dropped);
	assert_int_equal(dropped.result, -ECONNRESET);
}

static void test_call_without_a_supervisor(void **state)
{
	json_t *answer = NULL;

	(void)state;
	assert_int_equal(control_call(dir, json_pack("{s:s}", "verb", "status"), 1000, NULL, NULL, &answer), -ENOENT);
	assert_null(answer);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_server, teardown_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_cut_everywhere),
		cmocka_unit_test(test_line_length_limit),
		cmocka_unit_test(test_requests_good_and_hostile),
		cmocka_unit_test(test_sealed_memory),
		SERVER_TEST(test_server_file_and_second_server),
		SERVER_TEST(test_bad_lines_are_answered_then_closed),
		SERVER_TEST(test_too_long_a_line_is_answered_and_closed),
		SERVER_TEST(test_megabyte_answers),
		SERVER_TEST(test_slow_reader_is_closed),
		SERVER_TEST(test_peer_closed_from_its_own_request),
		SERVER_TEST(test_descriptors_sent_to_the_server_are_not_kept),
		SERVER_TEST(test_many_idle_peers_are_cheap),
		SERVER_TEST(test_link_greets_asks_and_hears),
		SERVER_TEST(test_requests_time_out_and_are_bounded),
		SERVER_TEST(test_link_survives_the_server),
		SERVER_TEST(test_link_is_refused_or_told_to_wait),
		SERVER_TEST(test_link_closed_from_within_and_with_open_requests),
		SERVER_TEST(test_link_refuses_a_bad_welcome),
		SERVER_TEST(test_operator_calls),
		cmocka_unit_test_setup_teardown(test_call_without_a_supervisor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
