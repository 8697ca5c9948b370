/* The table of NATS subjects and its two readings: a subject from parts, parts from a subject. Pure; any thread.
 * Must not let a byte from outside become a separator or a wildcard: every part is checked by its own alphabet. */
#include "shared/bus/subjects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define SUBJECT_PREFIX     "shoal."
#define SUBJECT_PREFIX_LEN (sizeof(SUBJECT_PREFIX) - 1)
#define SUBJECT_STRING_MAX 64

const struct subject_row subject_rows[SUBJECT_COUNT] = {
	[SUBJECT_SHARD_RPC] = { "shard.rpc", "shard.{shard}.rpc", SUBJECT_PART_SHARD,
				"request to the shard that owns a guild" },
	[SUBJECT_FLEET_RPC] = { "fleet.rpc", "fleet.rpc", 0, "question to every shard; each answers for itself" },
	[SUBJECT_CONFIG] = { "config", "config.{guild}", SUBJECT_PART_GUILD,
			     "a guild's configuration changed: drop the cached copy" },
	[SUBJECT_EVENTS] = { "events", "events.{event}.{guild}", SUBJECT_PART_EVENT | SUBJECT_PART_GUILD,
			     "export of raw dispatches (JetStream)" },
	[SUBJECT_IDENTIFY] = { "identify", "identify.{bucket}", SUBJECT_PART_BUCKET, "identify grants across hosts" },
	[SUBJECT_ALERTS] = { "alerts", "alerts", 0, "what an operator must see" },
	[SUBJECT_MODULE] = { "module", "module.{module}.{topic}", SUBJECT_PART_MODULE | SUBJECT_PART_TOPIC,
			     "a module's own messages between its shards" },
	[SUBJECT_REPLY] = { "reply", "reply.{inbox}.{token}", SUBJECT_PART_INBOX | SUBJECT_PART_TOKEN,
			    "answers to one requester" },
};

enum part_kind { PART_NUMBER, PART_NAME, PART_HEX, PART_WORD };

struct part_row {
	const char *braced;
	enum subject_part part;
	enum part_kind kind;
	size_t offset;
	size_t width; /* of a number, in bytes */
	uint64_t max;
};

#define NUMBER(name_, part_, member_, max_)                                                    \
	{                                                                                      \
		"{" name_ "}", (part_), PART_NUMBER, offsetof(struct subject_params, member_), \
			sizeof(((struct subject_params *)0)->member_), (max_)                  \
	}
#define STRING(name_, part_, kind_, member_)                                                    \
	{                                                                                       \
		"{" name_ "}", (part_), (kind_), offsetof(struct subject_params, member_), 0, 0 \
	}

static const struct part_row part_rows[] = {
	NUMBER("shard", SUBJECT_PART_SHARD, shard, UINT32_MAX - 1),
	NUMBER("guild", SUBJECT_PART_GUILD, guild_id, INT64_MAX),
	NUMBER("bucket", SUBJECT_PART_BUCKET, bucket, UINT32_MAX - 1),
	STRING("event", SUBJECT_PART_EVENT, PART_NAME, event),
	STRING("inbox", SUBJECT_PART_INBOX, PART_HEX, inbox),
	STRING("token", SUBJECT_PART_TOKEN, PART_HEX, token),
	STRING("module", SUBJECT_PART_MODULE, PART_WORD, module),
	STRING("topic", SUBJECT_PART_TOPIC, PART_WORD, topic),
};

static bool char_fits(enum part_kind kind, char c)
{
	if (c >= '0' && c <= '9')
		return true;
	if (kind == PART_HEX)
		return c >= 'a' && c <= 'f';
	if (kind == PART_WORD)
		return (c >= 'a' && c <= 'z') || c == '_' || c == '-';
	return kind == PART_NAME && ((c >= 'A' && c <= 'Z') || c == '_');
}

/* The row whose braced name begins @pattern, or NULL when a plain character stands there. */
static const struct part_row *part_at(const char *pattern)
{
	if (*pattern != '{')
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(part_rows); i++)
		if (strncmp(pattern, part_rows[i].braced, strlen(part_rows[i].braced)) == 0)
			return &part_rows[i];
	return NULL;
}

int subject_check_cluster(const char *cluster)
{
	size_t len;

	if (!cluster)
		return -EINVAL;
	len = strspn(cluster, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	return len >= 1 && len <= SUBJECT_CLUSTER_MAX && cluster[len] == '\0' ? 0 : -EINVAL;
}

static uint64_t number_get(const struct part_row *row, const struct subject_params *params)
{
	const char *at = (const char *)params + row->offset;
	uint32_t narrow;
	uint64_t wide;

	if (row->width == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void number_set(const struct part_row *row, struct subject_params *params, uint64_t value)
{
	char *at = (char *)params + row->offset;
	uint32_t narrow = (uint32_t)value;

	if (row->width == sizeof(narrow))
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &value, sizeof(value));
}

/* Writes one part's value into @out; the length, or -EINVAL. */
static int part_format(const struct part_row *row, const struct subject_params *params, bool allow_any, char *out,
		       size_t size)
{
	const char *text;
	uint64_t number;
	size_t len;

	if (!params)
		return -EINVAL;
	if (params->any & row->part) {
		if (!allow_any)
			return -EINVAL;
		return snprintf(out, size, "*");
	}
	if (row->kind == PART_NUMBER) {
		number = number_get(row, params);
		if (number > row->max)
			return -EINVAL;
		return snprintf(out, size, "%llu", (unsigned long long)number);
	}
	memcpy(&text, (const char *)params + row->offset, sizeof(text));
	if (!text)
		return -EINVAL;
	for (len = 0; text[len]; len++)
		if (len >= SUBJECT_STRING_MAX || !char_fits(row->kind, text[len]))
			return -EINVAL;
	return len == 0 ? -EINVAL : snprintf(out, size, "%s", text);
}

int subject_format(enum subject_id id, const char *cluster, const struct subject_params *params, bool allow_any,
		   char subject[SUBJECT_SIZE])
{
	char text[SUBJECT_SIZE];
	const struct part_row *row;
	const char *p;
	size_t len;
	int r;

	if ((unsigned int)id >= SUBJECT_COUNT || subject_check_cluster(cluster) < 0)
		return -EINVAL;
	len = (size_t)snprintf(text, sizeof(text), SUBJECT_PREFIX "%s.", cluster);
	for (p = subject_rows[id].pattern; *p;) {
		row = part_at(p);
		if (row) {
			r = part_format(row, params, allow_any, text + len, sizeof(text) - len);
			if (r < 0)
				return r;
			len += (size_t)r;
			p += strlen(row->braced);
		} else {
			text[len++] = *p++;
		}
		if (len >= sizeof(text))
			return -EINVAL;
	}
	text[len] = '\0';
	memcpy(subject, text, len + 1);
	return 0;
}

/* Reads one part from @at; the length read, or -EINVAL. */
static int part_parse(const struct part_row *row, const char *at, struct subject_params *params)
{
	uint64_t number = 0;
	int len;

	for (len = 0; char_fits(row->kind, at[len]); len++) {
		if (len >= SUBJECT_STRING_MAX)
			return -EINVAL;
		if (row->kind != PART_NUMBER)
			continue;
		if (number > (row->max - (uint64_t)(at[len] - '0')) / 10)
			return -EINVAL;
		number = number * 10 + (uint64_t)(at[len] - '0');
	}
	if (len == 0 || (row->kind == PART_NUMBER && len > 1 && at[0] == '0'))
		return -EINVAL; /* one number has one spelling */
	if (row->kind == PART_NUMBER)
		number_set(row, params, number);
	return len;
}

int subject_parse(enum subject_id id, const char *cluster, const char *subject, struct subject_params *ret_params)
{
	struct subject_params params = { 0 };
	const struct part_row *row;
	const char *p, *at = subject;
	size_t cluster_len;
	int r;

	if ((unsigned int)id >= SUBJECT_COUNT || subject_check_cluster(cluster) < 0 || !subject)
		return -EINVAL;
	cluster_len = strlen(cluster);
	if (strncmp(at, SUBJECT_PREFIX, SUBJECT_PREFIX_LEN) != 0)
		return -EINVAL;
	at += SUBJECT_PREFIX_LEN;
	if (strncmp(at, cluster, cluster_len) != 0 || at[cluster_len] != '.')
		return -EINVAL;
	at += cluster_len + 1;
	for (p = subject_rows[id].pattern; *p;) {
		row = part_at(p);
		if (!row) {
			if (*at++ != *p++)
				return -EINVAL;
			continue;
		}
		r = part_parse(row, at, &params);
		if (r < 0)
			return r;
		at += r;
		p += strlen(row->braced);
	}
	if (*at != '\0')
		return -EINVAL;
	*ret_params = params;
	return 0;
}
