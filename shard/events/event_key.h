/* What makes an event the same event, whoever handles it and however often it is delivered: {type, own snowflake} for
 * the types that have one of their own, {session, sequence} for all others; {job, run} for a run of a job. Pure; any
 * thread. */
#ifndef SHOAL_SHARD_EVENTS_EVENT_KEY_H
#define SHOAL_SHARD_EVENTS_EVENT_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/event.h>

/* No padding: compared and stored as 16 bytes. */
struct event_key {
	uint64_t scope;  /* bit 63 set: a hash of the session id; bit 62 alone: a job's id; else the event type's number
			  */
	uint64_t number; /* the snowflake, or the sequence, or the run's number */
};

#define EVENT_KEY_TEXT_SIZE 48

/* A hash of @session_id for event_key_make(), with bit 63 set: stable across processes and versions. */
uint64_t event_key_session(const char *session_id);
/* The key of a decoded event. @session: event_key_session() of the session that delivered it. */
struct event_key event_key_make(const struct shoal_event *event, uint64_t session);
/* The same from the bytes of a payload, without decoding them: they may be what killed the decoder. Any bytes are safe.
 */
struct event_key event_key_of_bytes(enum shoal_event_type type, uint64_t session, uint64_t sequence,
				    const char *payload, size_t len);
/* The key of a job's run. @job_id: below 2^62. */
struct event_key event_key_of_job(uint64_t job_id, uint64_t run);
/* Whether it is made of an id of the event's own. */
bool event_key_has_id(struct event_key key);
/* "MESSAGE_CREATE/1534234506297475083", "session 9f3a…/149" or "job 17/3", for logs and people. Returns @text. */
char *event_key_print(struct event_key key, char text[EVENT_KEY_TEXT_SIZE]);

#endif
