/* The control protocol: newline-delimited JSON over the unix socket <runtime_dir>/control.sock (mode 0600; peers are
 * checked by SO_PEERCRED: the same user or root). One line is at most CONTROL_LINE_MAX bytes.
 *
 *   request   {"id": 7, "verb": "identify", …}        id: positive integer, unique on the connection
 *   answer    {"id": 7, "ok": true, …}  or  {"id": 7, "ok": false, "error": "EAGAIN", "message": "…", …}
 *   progress  {"id": 7, "progress": {…}}               zero or more before the answer
 *   notice    {"notice": "stop", …}                    server to worker, unasked
 *
 * A line that can't be read is answered with id 0; after CONTROL_BAD_LINES_MAX of them, or one that is too long, the
 * connection is closed. {secrets} in the hello's answer goes beside it: "secrets_bytes" says how many.
 *
 * Verbs of workers:
 *   hello     {shard, generation, pid, build_id} -> {ok} with a sealed memfd (SCM_RIGHTS) holding one JSON object:
 *             {"config": {…config_to_json…}, "shard_count", "generation", "gateway_url", "intents", "application_id",
 *              "user_id", "max_concurrency", "total_guilds_hint"}
 *   identify  {shard} -> {ok, grant, expires_ms, expires_boottime_ms} once it may IDENTIFY now (for expires_ms, and in
 * any case not after that CLOCK_BOOTTIME); or error EDQUOT {wait_ms} identified {shard, grant}  reports that IDENTIFY
 * was written to the socket shards    {} -> {shards: [...]} as in `shoalctl shards --json` Notices to workers: stop
 * {logout: bool}, reconnect {}, letter {token, op, letter}. Verbs of operators: status, shards, restart, stop, metrics
 * (supervisor/verbs.c has the table). */
#ifndef SHOAL_SHARED_CONTROL_CONTROL_H
#define SHOAL_SHARED_CONTROL_CONTROL_H

#include <stdint.h>

#include <jansson.h>

#include "shared/loop/loop.h"

#define CONTROL_LINE_MAX          (1024 * 1024)
#define CONTROL_SECRETS_MAX       (256 * 1024)
#define CONTROL_BAD_LINES_MAX     8
#define CONTROL_OPEN_REQUESTS_MAX 64
#define CONTROL_PEERS_MAX         8192
#define CONTROL_SOCKET_NAME       "control.sock"

/* shoal-shard --manifest: where this variable is set (names joined by commas, or nothing), those modules are not
 * loaded, and before the manifest stands a line of MANIFEST_LOADING and a module's name for each one that is being
 * loaded, and one without a name when that is over. So it is known what the program died of. */
#define MANIFEST_LEAVE_OUT_VARIABLE "SHOAL_MODULES_LEAVE_OUT"
#define MANIFEST_LOADING            "loading "

/* -ENAMETOOLONG also when it is longer than a socket address holds (107 bytes). */
int control_socket_path(const char *runtime_dir, char *path, size_t size);

/* --- a worker's link: asynchronous, on the loop, reconnects by itself ------------------------------------------------
 */

struct control_link;

/* Exactly once per request, on the loop: @answer is borrowed, NULL when @error is negative (-ETIMEDOUT, -ECANCELED on
 * close, -SHOAL_EOFFLINE when the link is down, else the answer's own error as negative errno with @answer present). */
typedef void (*control_answer_fn)(void *arg, int error, const json_t *answer);

struct control_link_events {
	/* Connected; @secrets is the memfd's object of the hello (borrowed). Called on every reconnect. */
	void (*up)(void *arg, const json_t *secrets);
	/* hello was refused for good (a second worker, another generation): @message says why. An answer EAGAIN (or
	 * ENOMEM) is no refusal: the link tries again by itself. Nothing more comes after this; close the link. */
	void (*refused)(void *arg, const char *error, const char *message);
	/* After up; the link retries by itself, with growing, jittered delays of at most 2 s. */
	void (*down)(void *arg, int error);
	void (*notice)(void *arg, const char *name, const json_t *notice);
};

/* Keeps @loop; copies what it needs. @hello is the hello request without id and verb (borrowed). */
int control_link_new(struct loop *loop, const char *runtime_dir, const json_t *hello,
		     const struct control_link_events *events, void *arg, struct control_link **ret_link);
/* @request: takes; "id" is added. -ENOMEM, -ENOBUFS (too many open requests): @fn not called then. Requests made while
 * the link is down fail at once with -SHOAL_EOFFLINE through @fn. */
int control_link_request(struct control_link *link, json_t *request, uint64_t timeout_ms, control_answer_fn fn,
			 void *arg);
int control_link_is_up(const struct control_link *link);
/* When the link went down (boottime ns), 0 while it is up. */
uint64_t control_link_down_since(const struct control_link *link);
/* Open requests end with -ECANCELED before it returns; no event comes any more. May be called from any event. @closed
 * (may be NULL) comes when the memory is gone. */
void control_link_close(struct control_link *link, loop_fn closed, void *arg);

/* --- an operator's call: synchronous, for shoalctl -------------------------------------------------------------------
 */

typedef void (*control_progress_fn)(void *arg, const json_t *progress);

/* Connects, asks, waits. @request: takes. *ret_answer is owned by the caller, and may say "ok": false. -ETIMEDOUT,
 * -ENOENT/-ECONNREFUSED (no supervisor there), -EACCES, -ECONNRESET (it went away), -EPROTO (not our protocol). */
int control_call(const char *runtime_dir, json_t *request, uint64_t timeout_ms, control_progress_fn progress, void *arg,
		 json_t **ret_answer);

/* --- the supervisor's server -----------------------------------------------------------------------------------------
 */

struct control_server;
struct control_peer;

/* Both may close any peer. Errors of sending never call back from within the send: @closed comes in a later pass. */
struct control_server_events {
	/* A request came. Answer with control_peer_answer() now or later; @request is borrowed. */
	void (*request)(void *arg, struct control_peer *peer, int64_t id, const char *verb, const json_t *request);
	/* Exactly once for each peer that asked something or got data set, whoever closed it: forget @peer now. */
	void (*closed)(void *arg, struct control_peer *peer);
};

/* Binds and listens. A stale socket (nobody accepts) is replaced; a live one is -EADDRINUSE; -ENOTSOCK: something else
 * has its name. */
int control_server_new(struct loop *loop, const char *runtime_dir, const struct control_server_events *events,
		       void *arg, struct control_server **ret_server);
/* Was the socket's file deleted? 0: no. 1: it was, and is there anew. Peers that are connected stay. -errno: it was,
 * and can't be made: nobody new gets in until a later call mends it. */
int control_server_restore(struct control_server *server);
/* Adds id and ok. @answer: takes, also on failure (NULL: {}). Peers that do not read are closed at a bounded backlog.
 * -ENOTCONN, -ENOBUFS (that backlog), -ENOMEM, -EMSGSIZE (the peer got an error answer instead). */
int control_peer_answer(struct control_peer *peer, int64_t id, json_t *answer);
int control_peer_fail(struct control_peer *peer, int64_t id, const char *error_name, const char *message);
/* The same with further fields beside error and message (@fields: takes; e.g. wait_ms). */
int control_peer_fail_with(struct control_peer *peer, int64_t id, const char *error_name, const char *message,
			   json_t *fields);
/* @answer with the object @secrets (borrowed) in a sealed memfd. */
int control_peer_answer_secrets(struct control_peer *peer, int64_t id, json_t *answer, const json_t *secrets);
/* @progress and @fields: take. */
int control_peer_progress(struct control_peer *peer, int64_t id, json_t *progress);
int control_peer_notice(struct control_peer *peer, const char *name, json_t *fields);
int control_peer_pid(const struct control_peer *peer);
void control_peer_set_data(struct control_peer *peer, void *data);
void *control_peer_data(const struct control_peer *peer);
/* Calls closed(); @peer is gone afterwards. */
void control_peer_close(struct control_peer *peer);
/* Closes every peer and the socket, and removes its file. @closed (may be NULL) comes when the memory is gone. */
void control_server_close(struct control_server *server, loop_fn closed, void *arg);

#endif
