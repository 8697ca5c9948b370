/* Gateway sessions: what a shard was sent, what it may ask for again. A session outlives its connections. */
#ifndef SIM_SESSION_H
#define SIM_SESSION_H

#include "tests/sim/events.h"

struct gateway;

enum entry_kind { ENTRY_PAYLOAD, ENTRY_GUILD, ENTRY_RESUMED };

/* One dispatch of a session, in order of sequence. */
struct entry {
	uint64_t seq;
	uint64_t end;            /* where it ends in its connection's stream; 0: not sent on this one */
	struct payload *payload; /* NULL for ENTRY_GUILD */
	uint64_t guild;          /* index, for ENTRY_GUILD */
	enum entry_kind kind;
};

struct session {
	char id[33];
	uint32_t serial; /* 1, 2, 3 …: what the ledger names it by */
	uint32_t shard, count;
	uint64_t intents;
	uint64_t seq;       /* last one given out */
	uint64_t acked;     /* last one heartbeated */
	uint64_t written;   /* last one surely written before the connection was lost */
	uint64_t forgotten; /* highest sequence that is no longer kept */
	bool resumable;
	struct gateway *gateway; /* NULL while disconnected */
	uint64_t disconnected_ms;
	/* The ring of what may be replayed or waits to be sent. Positions only grow. */
	struct entry *ring;
	uint64_t first, cursor, end; /* kept from first; sent up to cursor; end is one behind the last */
	size_t ring_cap;
	uint64_t ring_bytes;
	/* Guilds still to be sent after READY. */
	uint64_t guild_next, guilds_sent, guilds_total;
	uint64_t identified_us, ready_us; /* READY and all guilds given to the socket */
	uint64_t resumed_seq;             /* of the RESUMED that belongs to the present connection */
	uint64_t resumes, delivered;
	void *flood; /* struct flood, owned by flood.c */
	struct session *next_in_shard;
	struct session *next;
};

/* A new session, READY not yet in its ring. NULL when memory is short. */
struct session *session_new(uint32_t shard, uint32_t count, uint64_t intents);
/* Ends it: RESUME will be refused. Its connection is left alone, only detached. Freed at once. */
void session_end(struct session *s);
struct session *session_by_id(const char *id);
struct session *session_by_serial(uint32_t serial);
/* All live ones, newest first. */
struct session *session_list(void);
uint64_t session_count(void);
uint64_t session_connected_count(void);

/* Gives the session an event as its next sequence. Takes a reference of @p for itself. False when its ring ran over:
 * the session is gone then. */
bool session_push(struct session *s, struct payload *p);
/* The same for whoever feeds the socket himself: nobody is woken, and without room it only says so. */
bool session_append(struct session *s, struct payload *p);
void session_push_resumed(struct session *s, struct payload *p);
/* The next entry to send, or NULL; session_sent moves on. Makes guild entries as they are wanted. */
struct entry *session_next(struct session *s);
void session_sent(struct session *s);

/* Sends an event of a guild (0: none) to the shard it belongs to, in every set of live sessions that has one, as far
 * as intents allow. Takes @p. How many sessions got it. */
uint64_t session_deliver(struct payload *p, uint64_t guild_id);
/* To all sessions of shard @shard (any count); UINT32_MAX: to all. Takes @p. */
uint64_t session_deliver_shard(struct payload *p, uint32_t shard);

enum resume_answer { RESUME_OK, RESUME_INVALID_SEQ, RESUME_REFUSED };
/* Rewinds to what follows @seq as --resume-keep allows. The caller attaches the connection and pushes RESUMED. */
enum resume_answer session_rewind(struct session *s, uint64_t seq);
/* The connection is gone: remembers what was surely written. @written as by conn_written. */
void session_detach(struct session *s, uint64_t written);
/* Ends sessions whose window has passed. */
void session_tick(uint64_t now_ms);
void session_free_all(void);

struct session_stats {
	uint64_t made, expired, overflowed, replayed, replay_short, gaps;
};
extern struct session_stats session_stats;

#endif
