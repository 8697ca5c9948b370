/* How Discord is asked whether an effect of class CHECK has happened: one row per such route, with the reason why the
 * answer tells. Pure; any thread.
 *
 * All other classes, for comparison, as the routes table has them:
 *   SAFE   what reads; what sets to a given value (PUT, PATCH, overwrites, reactions, pins, bans, commands, which
 *          Discord upserts by name); what deletes a thing by its id (the second time finds nothing); opening a DM
 *          channel (the existing one comes back); typing; ending a poll; the interaction callback, of which Discord
 *          takes one (40060).
 *   NONCE  messages: enforce_nonce gives the earlier message back for some minutes.
 *   NEVER  what makes a new thing each time and leaves no mark of who asked: follow-ups, webhook messages, threads
 *          without a message, channels, roles, invites, webhooks; and a prune, which picks its victims itself. */
#ifndef SHOAL_SHARD_EVENTS_CHECKS_H
#define SHOAL_SHARD_EVENTS_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/discord/rest.h"

enum check_verdict {
	CHECK_HAPPENED,
	CHECK_MISSING, /* it has not happened, or its second time changes nothing: send it */
	CHECK_MORE,    /* ask again, for the next part */
	CHECK_UNKNOWN,
};

/* Our clock and Discord's may differ by so much. */
#define CHECK_SKEW_MS 5000

struct check_subject {
	const struct rest_request *request; /* what may have happened; its json is borrowed */
	int64_t since_ms;                   /* when it first left, wall clock; 0: not known */
	uint32_t asked;                     /* answers had so far */
};

struct check_row {
	enum route route;
	/* Fills route and args of the question number subject->asked. False: there is nothing (more) to ask. */
	bool (*ask)(const struct check_subject *subject, struct rest_request *ret_question);
	enum check_verdict (*judge)(const struct check_subject *subject, const struct rest_result *answer);
	const char *why;
};

/* The row of @route; NULL when it is not of class CHECK. */
const struct check_row *check_find(enum route route);

#endif
