/* Event keys: one table of the types that carry an id of their own (discord-facts sections 1 and 9). */
#include "shard/events/event_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/letters/letter.h"

#define SESSION_BIT (UINT64_C(1) << 63)
#define JOB_BIT     (UINT64_C(1) << 62)

/* FNV-1a, 64 bit: short texts, no adversary (Discord chooses session ids), the same in every version. */
uint64_t event_key_session(const char *session_id)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	const char *c;

	for (c = session_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	return hash | SESSION_BIT;
}

/* Numbers of these types are kept in journals that the next version reads: rows of SHOAL_EVENTS are appended, never
 * moved. */
_Static_assert(SHOAL_EVENT_MESSAGE_CREATE == 56 && SHOAL_EVENT_INTERACTION_CREATE == 53 &&
		       SHOAL_EVENT_GUILD_AUDIT_LOG_ENTRY_CREATE == 27,
	       "event types were renumbered; a journal of the last version would be misread");

/* 0: the type has no id that only this event has (a MESSAGE_UPDATE shares its message's id with other updates). */
static uint64_t own_snowflake(const struct shoal_event *event)
{
	switch (event->type) {
	case SHOAL_EVENT_MESSAGE_CREATE:
		return event->message->id;
	case SHOAL_EVENT_INTERACTION_CREATE:
		return event->interaction->id;
	case SHOAL_EVENT_GUILD_AUDIT_LOG_ENTRY_CREATE:
		return event->audit_entry->id;
	default:
		return 0;
	}
}

struct event_key event_key_make(const struct shoal_event *event, uint64_t session)
{
	uint64_t id = own_snowflake(event);

	if (id != 0)
		return (struct event_key){ .scope = (uint64_t)event->type, .number = id };
	return (struct event_key){ .scope = session | SESSION_BIT, .number = event->sequence };
}

struct event_key event_key_of_bytes(enum shoal_event_type type, uint64_t session, uint64_t sequence,
				    const char *payload, size_t len)
{
	uint64_t id = 0;

	if (type == SHOAL_EVENT_MESSAGE_CREATE || type == SHOAL_EVENT_INTERACTION_CREATE ||
	    type == SHOAL_EVENT_GUILD_AUDIT_LOG_ENTRY_CREATE)
		id = letter_event_id(payload, len);
	if (id != 0)
		return (struct event_key){ .scope = (uint64_t)type, .number = id };
	return (struct event_key){ .scope = session | SESSION_BIT, .number = sequence };
}

struct event_key event_key_of_job(uint64_t job_id, uint64_t run)
{
	return (struct event_key){ .scope = (job_id & (JOB_BIT - 1)) | JOB_BIT, .number = run };
}

bool event_key_has_id(struct event_key key)
{
	return !(key.scope & (SESSION_BIT | JOB_BIT));
}

char *event_key_print(struct event_key key, char text[EVENT_KEY_TEXT_SIZE])
{
	if (key.scope & SESSION_BIT)
		snprintf(text, EVENT_KEY_TEXT_SIZE, "session %08" PRIx32 "/%" PRIu64, (uint32_t)key.scope, key.number);
	else if (key.scope & JOB_BIT)
		snprintf(text, EVENT_KEY_TEXT_SIZE, "job %" PRIu64 "/%" PRIu64, key.scope & ~JOB_BIT, key.number);
	else
		snprintf(text, EVENT_KEY_TEXT_SIZE, "%s/%" PRIu64,
			 key.scope < SHOAL_EVENT_COUNT ? shoal_event_name((enum shoal_event_type)key.scope) : "?",
			 key.number);
	return text;
}
