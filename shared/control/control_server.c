/* The supervisor's end of the control socket. Loop thread only.
 * Holds some hundred bytes for an idle peer (there is one per shard), answers what it can't read, gives up who does not
 * read, and knows no verb: what a request means is the supervisor's business. */
#include "shared/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/control/control_wire.h"
#include "shared/log/log.h"

#define BACKLOG        1024
#define ACCEPTS_A_PASS 64

struct control_peer {
	struct control_wire wire;
	struct control_server *server;
	struct control_peer *prev, *next;
	void *data;
	pid_t pid;
	uint8_t bad_lines;
	bool known; /* the owner has seen it: closed() is due */
	bool closing;
};

struct control_server {
	struct loop *loop;
	int fd;
	int spare_fd; /* given up for a moment to accept and close a caller when no descriptor is left */
	struct watch *watch;
	const struct control_server_events *events;
	void *arg;
	struct control_peer *peers;
	size_t peer_count;
	struct timer linger; /* hands the memory back in a pass of its own */
	loop_fn closed;
	void *closed_arg;
	ino_t inode;
	char path[108];
};

/* --- peers ---------------------------------------------------------------------------------------------------------
 */

static void unlink_peer(struct control_peer *peer)
{
	struct control_server *server = peer->server;

	if (peer->prev)
		peer->prev->next = peer->next;
	else
		server->peers = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	server->peer_count--;
}

/* The one way out for a peer. Within its own line() the memory stays until unused(). */
static void end_peer(struct control_peer *peer)
{
	struct control_server *server = peer->server;

	if (peer->closing)
		return;
	peer->closing = true;
	control_wire_close(&peer->wire);
	unlink_peer(peer);
	if (peer->known)
		server->events->closed(server->arg, peer);
	if (!peer->wire.busy)
		free(peer);
}

void control_peer_close(struct control_peer *peer)
{
	end_peer(peer);
}

static void on_unused(void *arg)
{
	free(arg);
}

static void on_lost(void *arg, int error)
{
	struct control_peer *peer = arg;

	if (error == -ENOBUFS)
		log_warn(NULL, "control.peer_slow", KV_INT("pid", peer->pid),
			 KV_MSG("a client of the control socket does not read its answers: closed"));
	end_peer(peer);
}

int control_peer_pid(const struct control_peer *peer)
{
	return peer->pid;
}

void control_peer_set_data(struct control_peer *peer, void *data)
{
	peer->data = data;
	peer->known = true;
}

void *control_peer_data(const struct control_peer *peer)
{
	return peer->data;
}

/* --- answers -------------------------------------------------------------------------------------------------------
 */

/* Sends and frees @object; @fd as control_wire_send. NULL is what a failed allocation left. */
static int send_object(struct control_peer *peer, json_t *object, int fd)
{
	int r;

	if (!object) {
		cleanup_close(&fd);
		return -ENOMEM;
	}
	r = control_wire_send(&peer->wire, object, fd);
	json_decref(object);
	return r;
}

/* Puts id and ok into @answer (taken; NULL: a new one). */
static json_t *complete_answer(json_t *answer, int64_t id, bool ok)
{
	if (!answer)
		answer = json_object();
	if (!answer || json_object_set_new(answer, "id", json_integer(id)) < 0 ||
	    json_object_set_new(answer, "ok", json_boolean(ok)) < 0) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

int control_peer_fail_with(struct control_peer *peer, int64_t id, const char *error_name_, const char *message,
			   json_t *fields)
{
	json_t *answer = complete_answer(fields, id, false);

	if (answer && (json_object_set_new(answer, "error", json_string(error_name_)) < 0 ||
		       json_object_set_new(answer, "message", json_string(message)) < 0)) {
		json_decref(answer);
		answer = NULL;
	}
	return send_object(peer, answer, -1);
}

int control_peer_fail(struct control_peer *peer, int64_t id, const char *error_name_, const char *message)
{
	return control_peer_fail_with(peer, id, error_name_, message, NULL);
}

static int answer_with_fd(struct control_peer *peer, int64_t id, json_t *answer, int fd)
{
	int r = send_object(peer, complete_answer(answer, id, true), fd);

	if (r == -EMSGSIZE)
		control_peer_fail(peer, id, "EMSGSIZE", "the answer is longer than a line may be; ask for less");
	return r;
}

int control_peer_answer(struct control_peer *peer, int64_t id, json_t *answer)
{
	return answer_with_fd(peer, id, answer, -1);
}

int control_peer_answer_secrets(struct control_peer *peer, int64_t id, json_t *answer, const json_t *secrets)
{
	CLEANUP(cleanup_close) int fd = -1;
	size_t size = 0;
	int r = control_seal(secrets, &fd, &size);

	if (r == 0 && !answer)
		answer = json_object();
	if (r == 0 && (!answer || json_object_set_new(answer, "secrets_bytes", json_integer((json_int_t)size)) < 0))
		r = -ENOMEM;
	if (r < 0) {
		json_decref(answer);
		control_peer_fail(peer, id, "EAGAIN", "the secrets could not be handed over; try again");
		return r;
	}
	return answer_with_fd(peer, id, answer, TAKE_FD(fd));
}

int control_peer_progress(struct control_peer *peer, int64_t id, json_t *progress)
{
	return send_object(peer, json_pack("{s:I, s:o}", "id", (json_int_t)id, "progress", progress), -1);
}

int control_peer_notice(struct control_peer *peer, const char *name, json_t *fields)
{
	if (!fields)
		fields = json_object();
	if (!fields || json_object_set_new(fields, "notice", json_string(name)) < 0) {
		json_decref(fields);
		return -ENOMEM;
	}
	return send_object(peer, fields, -1);
}

/* --- requests ------------------------------------------------------------------------------------------------------
 */

static void on_bad_line(struct control_peer *peer, int64_t id, const char *why)
{
	control_peer_fail(peer, id, "EBADMSG", why);
	if (++peer->bad_lines < CONTROL_BAD_LINES_MAX)
		return;
	log_warn(NULL, "control.peer_garbled", KV_INT("pid", peer->pid), KV_STR("why", why),
		 KV_MSG("a client of the control socket does not speak its protocol: closed"));
	end_peer(peer);
}

static void on_line(void *arg, const char *line, size_t len, int *fd)
{
	struct control_peer *peer = arg;
	struct control_server *server = peer->server;
	char verb[CONTROL_VERB_MAX], why[CONTROL_ERROR_TEXT];
	json_t *request = NULL;
	int64_t id;
	int r;

	(void)fd; /* none is accepted here */
	r = control_parse_request(line, len, &id, verb, &request, why);
	if (r == -ENOMEM) {
		/* Not the line's fault, and whose it was can't be read: the caller asks again on a new connection. */
		end_peer(peer);
		return;
	}
	if (r < 0) {
		on_bad_line(peer, id, why);
		return;
	}
	peer->known = true;
	server->events->request(server->arg, peer, id, verb, request);
	json_decref(request);
}

static void on_too_long(void *arg)
{
	control_peer_fail(arg, 0, "EMSGSIZE", "the line is longer than a line may be");
}

static const struct control_wire_events peer_events = {
	.line = on_line,
	.too_long = on_too_long,
	.lost = on_lost,
	.unused = on_unused,
};

/* --- accepting -----------------------------------------------------------------------------------------------------
 */

/* The socket's mode keeps others out already; this holds where the mode was changed by hand. */
static bool may_talk(int fd, pid_t *ret_pid)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	if (who.uid != 0 && who.uid != geteuid()) {
		log_warn(NULL, "control.peer_refused", KV_INT("pid", who.pid), KV_INT("uid", who.uid),
			 KV_MSG("only the user that runs shoald, and root, may use the control socket"));
		return false;
	}
	*ret_pid = who.pid;
	return true;
}

static void add_peer(struct control_server *server, int accepted)
{
	CLEANUP(cleanup_close) int fd = accepted;
	struct control_peer *peer;
	pid_t pid = 0;
	int r;

	if (!may_talk(fd, &pid))
		return;
	if (server->peer_count >= CONTROL_PEERS_MAX) {
		log_warn(NULL, "control.too_many_peers", KV_U64("peers", server->peer_count),
			 KV_MSG("a client of the control socket was turned away"));
		return;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return;
	peer->server = server;
	peer->pid = pid;
	r = control_wire_open(&peer->wire, server->loop, TAKE_FD(fd), false, &peer_events, peer);
	if (r < 0) {
		log_error(NULL, "control.accept_failed", KV_ERR(r));
		free(peer);
		return;
	}
	peer->next = server->peers;
	if (peer->next)
		peer->next->prev = peer;
	server->peers = peer;
	server->peer_count++;
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left: takes the caller off the queue by the spare one, or the socket would stay readable for ever.
 */
static void turn_away(struct control_server *server)
{
	CLEANUP(cleanup_close) int fd = -1;

	log_error(NULL, "control.no_descriptors", KV_U64("peers", server->peer_count),
		  KV_MSG("a client of the control socket was turned away: raise LimitNOFILE="));
	cleanup_close(&server->spare_fd);
	fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	cleanup_close(&fd);
	server->spare_fd = open_spare();
}

static void on_listen(void *arg, int error, int events)
{
	struct control_server *server = arg;

	(void)events;
	if (error < 0) {
		log_error(NULL, "control.listen_failed", KV_ERR(error),
			  KV_MSG("the control socket is of no use any more"));
		return;
	}
	for (int i = 0; i < ACCEPTS_A_PASS; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_peer(server, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE) {
			turn_away(server);
			continue;
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

/* 1: somebody accepts there; 0: nobody, the file may go; -errno. */
static int is_alive(const struct sockaddr_un *address)
{
	CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return 1;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

static int bind_and_listen(struct control_server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int r;

	memcpy(address.sun_path, server->path, strlen(server->path) + 1);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0)
		return -errno;
	/* Before bind, so that there is no moment at which others may connect; a umask would be the whole process's. */
	if (fchmod(server->fd, 0600) < 0)
		return -errno;
	/* What is no socket is nobody's door, and not ours to remove. */
	if (lstat(server->path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	r = is_alive(&address);
	if (r != 0)
		return r < 0 ? r : -EADDRINUSE;
	if (unlink(server->path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (lstat(server->path, &st) < 0)
		return -errno;
	server->inode = st.st_ino;
	return listen(server->fd, BACKLOG) < 0 ? -errno : 0;
}

static void remove_socket(struct control_server *server)
{
	struct stat st;

	/* A successor may have put its own there. */
	if (server->inode && lstat(server->path, &st) == 0 && st.st_ino == server->inode)
		unlink(server->path);
	server->inode = 0;
}

static void free_server(struct control_server *server)
{
	cleanup_close(&server->fd);
	cleanup_close(&server->spare_fd);
	free(server);
}

static void free_serverp(struct control_server **server)
{
	if (!*server)
		return;
	remove_socket(*server);
	free_server(*server);
}

static void on_linger(void *arg)
{
	(void)arg;
}

int control_server_new(struct loop *loop, const char *runtime_dir, const struct control_server_events *events,
		       void *arg, struct control_server **ret_server)
{
	CLEANUP(free_serverp) struct control_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->fd = -1;
	server->loop = loop;
	server->events = events;
	server->arg = arg;
	server->spare_fd = open_spare();
	r = control_socket_path(runtime_dir, server->path, sizeof(server->path));
	if (r == 0)
		r = bind_and_listen(server);
	if (r == 0)
		r = watch_new(loop, server->fd, WATCH_READ, on_listen, server, &server->watch);
	if (r < 0)
		return r;
	/* Last: from here on the server is closed, not freed. It can't fail. */
	timer_init(&server->linger, loop, on_linger, server);
	*ret_server = TAKE(server);
	return 0;
}

int control_server_restore(struct control_server *server)
{
	struct stat st;
	int r;

	if (lstat(server->path, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	/* Who is connected stays so: only the door is new. */
	watch_free(TAKE(server->watch));
	cleanup_close(&server->fd);
	r = bind_and_listen(server);
	if (r == 0)
		r = watch_new(server->loop, server->fd, WATCH_READ, on_listen, server, &server->watch);
	return r < 0 ? r : 1;
}

static void on_closed(void *arg)
{
	struct control_server *server = arg;
	loop_fn closed = server->closed;
	void *closed_arg = server->closed_arg;

	free_server(server);
	if (closed)
		closed(closed_arg);
}

void control_server_close(struct control_server *server, loop_fn closed, void *arg)
{
	server->closed = closed;
	server->closed_arg = arg;
	watch_free(TAKE(server->watch));
	remove_socket(server);
	cleanup_close(&server->fd);
	while (server->peers)
		end_peer(server->peers);
	timer_close(&server->linger, on_closed);
}
