/* The checks. An answer that is neither the thing nor Discord's word that there is none tells nothing: UNKNOWN. */
#include "shard/events/checks.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shard/gateway/value.h"
#include "shared/base/cleanup.h"

/* Discord's word that a thing is not there (discord-facts section 11). */
enum { NO_CHANNEL = 10003, NO_MEMBER = 10007, NO_MESSAGE = 10008, NO_USER = 10013, NO_BAN = 10026 };

#define FLAG_CROSSPOSTED (1 << 0)

static bool is_missing(const struct rest_result *answer, uint32_t code)
{
	return answer->http_status == 404 && answer->discord_code == code;
}

/* The question is about the same ids as the effect. */
static bool ask_same(const struct check_subject *subject, struct rest_request *ret_question)
{
	ret_question->args = subject->request->args;
	return subject->asked == 0;
}

static enum check_verdict judge_crosspost(const struct check_subject *subject, const struct rest_result *answer)
{
	const json_t *flags = json_object_get(answer->body, "flags");

	(void)subject;
	if (is_missing(answer, NO_MESSAGE))
		return CHECK_MISSING; /* the second try will say so too */
	if (answer->error || !answer->body)
		return CHECK_UNKNOWN;
	return json_integer_value(flags) & FLAG_CROSSPOSTED ? CHECK_HAPPENED : CHECK_MISSING;
}

/* A thread made from a message has the message's id. */
static bool ask_thread(const struct check_subject *subject, struct rest_request *ret_question)
{
	ret_question->args.ids[ROUTE_ID_CHANNEL] = subject->request->args.ids[ROUTE_ID_MESSAGE];
	return subject->asked == 0;
}

static enum check_verdict judge_thread(const struct check_subject *subject, const struct rest_result *answer)
{
	(void)subject;
	if (is_missing(answer, NO_CHANNEL))
		return CHECK_MISSING;
	return answer->error || !answer->body ? CHECK_UNKNOWN : CHECK_HAPPENED;
}

/* ISO 8601 to Unix milliseconds by the events' own reader. */
static bool read_time(const json_t *text, int64_t *ret_ms)
{
	char quoted[64];
	struct reader reader = { 0 };
	bool good = false;

	if (!json_is_string(text) || json_string_length(text) > sizeof(quoted) - 3 ||
	    strpbrk(json_string_value(text), "\"\\"))
		return false;
	snprintf(quoted, sizeof(quoted), "\"%s\"", json_string_value(text));
	reader.end = quoted + strlen(quoted);
	return value_time(&reader, quoted, ret_ms, &good) && good;
}

static enum check_verdict judge_kick(const struct check_subject *subject, const struct rest_result *answer)
{
	int64_t joined_ms;

	if (is_missing(answer, NO_MEMBER) || is_missing(answer, NO_USER))
		return CHECK_HAPPENED;
	if (answer->error || !read_time(json_object_get(answer->body, "joined_at"), &joined_ms) ||
	    subject->since_ms == 0)
		return CHECK_UNKNOWN;
	if (joined_ms > subject->since_ms + CHECK_SKEW_MS)
		return CHECK_HAPPENED;
	return joined_ms < subject->since_ms - CHECK_SKEW_MS ? CHECK_MISSING : CHECK_UNKNOWN;
}

static bool ask_ban(const struct check_subject *subject, struct rest_request *ret_question)
{
	const json_t *user = json_array_get(json_object_get(subject->request->json, "user_ids"), subject->asked);
	uint64_t id;

	if (!json_is_string(user) || shoal_snowflake_parse(json_string_value(user), json_string_length(user), &id) < 0)
		return false;
	ret_question->args.ids[ROUTE_ID_GUILD] = subject->request->args.ids[ROUTE_ID_GUILD];
	ret_question->args.ids[ROUTE_ID_USER] = id;
	return true;
}

static enum check_verdict judge_ban(const struct check_subject *subject, const struct rest_result *answer)
{
	size_t users = json_array_size(json_object_get(subject->request->json, "user_ids"));

	if (is_missing(answer, NO_BAN))
		return CHECK_MISSING;
	if (answer->error)
		return CHECK_UNKNOWN;
	return subject->asked + 1 < users ? CHECK_MORE : CHECK_HAPPENED;
}

static const struct check_row rows[] = {
	{ ROUTE_CROSSPOST, ask_same, judge_crosspost,
	  "a message that was published has the flag CROSSPOSTED and keeps it; without the message there is nothing to "
	  "publish twice" },
	{ ROUTE_CREATE_MESSAGE_THREAD, ask_thread, judge_thread,
	  "a message has one thread at most, and its id is the message's; deleted, it is gone and may be made again" },
	{ ROUTE_KICK, ask_same, judge_kick,
	  "who was kicked is no member; who is one since a moment after the kick left has come back and must not be "
	  "kicked again; joined within the clocks' difference of it, nobody knows" },
	{ ROUTE_BULK_BAN, ask_ban, judge_ban,
	  "it has happened when every user is banned; if one is not, repeating it bans the rest and changes nothing "
	  "for "
	  "the others" },
};

const struct check_row *check_find(enum route route)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].route == route)
			return &rows[i];
	}
	return NULL;
}
