/* A recording: a first line, a line of JSON about it, then pairs of a line of JSON and as many bytes as that says. What
 * goes out is each event's own d, byte for byte, under the session's own sequence: READY and RESUMED are the session's
 * business and are left out. */
#include "tests/sim/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/sim/gateway.h"
#include "tests/sim/ledger.h"
#include "tests/sim/session.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

#define FIRST_LINE   "SHOAL-FLIGHT 1\n"
#define FILE_MAX     (256L << 20)
#define PAYLOAD_MAX  (64u << 20)
#define HEAD_MAX     (64 * 1024)
#define LINE_MAX_LEN 4096
#define EVENTS_MAX   1000000
#define TYPE_MAX     64
#define HELPING      256 /* events a tick */

struct event {
	struct payload *payload;
	uint64_t guild_id;
	uint64_t id; /* of a message; 0: not in the ledger */
	bool expects;
};

static struct {
	char *path;
	json_t *head;
	struct event *events;
	size_t count, cap, played, skipped;
} tape;

/* --- reading ----------------------------------------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
	size_t number; /* of the record at hand, for people */
};

static int refuse(const struct cursor *cursor, const char *why)
{
	if (cursor->number > 0)
		fprintf(stderr, "discord-sim: --replay %s: record %zu: %s\n", tape.path, cursor->number, why);
	else
		fprintf(stderr, "discord-sim: --replay %s: %s\n", tape.path, why);
	return -EINVAL;
}

/* The line at the cursor as a JSON object; NULL: it is none, or longer than @max. */
static json_t *take_line(struct cursor *cursor, size_t max)
{
	size_t left = (size_t)(cursor->end - cursor->at);
	const char *newline = memchr(cursor->at, '\n', left < max ? left : max);
	json_t *line;

	if (!newline)
		return NULL;
	line = json_loadb(cursor->at, (size_t)(newline - cursor->at), JSON_REJECT_DUPLICATES, NULL);
	if (line && !json_is_object(line)) {
		json_decref(line);
		line = NULL;
	}
	cursor->at = newline + 1;
	return line;
}

static int64_t number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

/* Where the value of @key of the outermost object stands; the text is JSON and ends with a NUL. */
static bool find_value(const char *text, const char *key, const char **ret, size_t *ret_len)
{
	size_t key_len = strlen(key);
	const char *value = NULL;
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '"') {
			const char *start = ++p;

			for (; *p != '"'; p++)
				p += *p == '\\';
			if (depth == 1 && !value && (size_t)(p - start) == key_len && !memcmp(start, key, key_len)) {
				const char *colon = p + 1 + strspn(p + 1, " \t\r\n");

				if (*colon == ':')
					value = p = colon + strspn(colon + 1, " \t\r\n");
			}
			continue;
		}
		if (value && depth == 1 && (*p == ',' || *p == '}')) {
			*ret = value + 1;
			*ret_len = (size_t)(p - value - 1);
			return true;
		}
		depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
	}
	return false;
}

static bool is_type(const char *type)
{
	size_t len = type ? strlen(type) : 0;

	return len > 0 && len <= TYPE_MAX && strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static bool is_sessions_own(const char *type)
{
	return !strcmp(type, "READY") || !strcmp(type, "RESUMED");
}

static uint64_t id_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? snowflake_parse(text) : 0;
}

static struct event *new_event(void)
{
	if (tape.count == tape.cap) {
		size_t cap = tape.cap ? tape.cap * 2 : 256;
		struct event *events = realloc(tape.events, cap * sizeof(*events));

		if (!events)
			return NULL;
		tape.events = events;
		tape.cap = cap;
	}
	return &tape.events[tape.count];
}

/* Commands in guilds of this world are awaited like those that the sim itself makes. */
static void fill_ledger(struct event *event, const char *type, const json_t *d)
{
	const char *content = json_string_value(json_object_get(d, "content"));
	uint64_t index;

	if (strcmp(type, "MESSAGE_CREATE") != 0)
		return;
	event->id = id_of(d, "id");
	event->expects = content && event_is_command(content) && world_guild_index(event->guild_id, &index);
}

/* One payload, NUL-terminated. */
static int take_payload(const struct cursor *cursor, const char *text)
{
	json_t *whole = json_loads(text, 0, NULL);
	const json_t *d = json_object_get(whole, "d");
	const char *type = json_string_value(json_object_get(whole, "t")), *bytes;
	struct event *event;
	struct buf slice;
	int r = 0;

	if (!whole || number_of(whole, "op") != 0 || !is_type(type) || !d) {
		r = refuse(cursor, "its payload is no dispatch");
	} else if (is_sessions_own(type)) {
		tape.skipped++;
	} else if (!find_value(text, "d", &bytes, &slice.len)) {
		r = refuse(cursor, "its payload has no d");
	} else {
		slice = (struct buf){ .mem = (char *)bytes, .len = slice.len };
		event = new_event();
		if (event)
			*event = (struct event){ .payload = payload_new(type, false, &slice, NULL) };
		if (!event || !event->payload) {
			r = refuse(cursor, "out of memory");
		} else {
			event->payload->intents = 0; /* it was sent once: it is sent as it is */
			event->guild_id = id_of(
				d, strncmp(type, "GUILD_", 6) || json_object_get(d, "guild_id") ? "guild_id" : "id");
			fill_ledger(event, type, d);
			tape.count++;
		}
	}
	json_decref(whole);
	return r;
}

static int take_record(struct cursor *cursor)
{
	json_t *line = take_line(cursor, LINE_MAX_LEN);
	int64_t len = number_of(line, "len");
	char *text;
	int r;

	json_decref(line);
	if (len < 0 || len > PAYLOAD_MAX)
		return refuse(cursor, "its line is no JSON object with a len of at most 64 MiB");
	if (len >= cursor->end - cursor->at || cursor->at[len] != '\n')
		return refuse(cursor, "the file ends too early, or its len is wrong");
	if (memchr(cursor->at, 0, (size_t)len))
		return refuse(cursor, "its payload is no text");
	text = strndup(cursor->at, (size_t)len);
	if (!text)
		return refuse(cursor, "out of memory");
	cursor->at += len + 1;
	r = take_payload(cursor, text);
	free(text);
	return r;
}

static int take_file(const char *bytes, size_t len)
{
	struct cursor cursor = { bytes, bytes + len, 0 };
	int64_t shard, count;
	int r = 0;

	if (len < strlen(FIRST_LINE) || memcmp(bytes, FIRST_LINE, strlen(FIRST_LINE)) != 0)
		return refuse(&cursor, "it is no recording (the first line must be SHOAL-FLIGHT 1)");
	cursor.at += strlen(FIRST_LINE);
	tape.head = take_line(&cursor, HEAD_MAX);
	shard = number_of(tape.head, "shard");
	count = number_of(tape.head, "shard_count");
	if (shard < 0 || count <= 0 || count > 65536 || shard >= count)
		return refuse(&cursor, "its second line does not say of which shard it is");
	while (r == 0 && cursor.at < cursor.end) {
		if (++cursor.number > EVENTS_MAX)
			return refuse(&cursor, "too many records");
		r = take_record(&cursor);
	}
	return r;
}

static char *read_all(const char *path, size_t *ret_len)
{
	FILE *in = fopen(path, "re");
	struct stat st;
	char *bytes = NULL;
	size_t len = 0;

	/* A pipe or a device has no end that could be trusted. */
	if (!in || fstat(fileno(in), &st) < 0)
		fprintf(stderr, "discord-sim: --replay %s: %s\n", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		fprintf(stderr, "discord-sim: --replay %s: no plain file of at most 256 MiB\n", path);
	else
		bytes = malloc((size_t)st.st_size + 1);
	if (bytes)
		len = fread(bytes, 1, (size_t)st.st_size, in);
	if (in)
		fclose(in);
	*ret_len = len;
	return bytes;
}

int replay_load(const char *path)
{
	size_t len;
	char *bytes = read_all(path, &len);
	int r;

	if (!bytes)
		return -EINVAL;
	tape.path = strdup(path);
	r = tape.path ? take_file(bytes, len) : -ENOMEM;
	free(bytes);
	if (r < 0)
		replay_free();
	return r;
}

void replay_free(void)
{
	for (size_t i = 0; i < tape.count; i++)
		payload_unref(tape.events[i].payload);
	free(tape.events);
	free(tape.path);
	json_decref(tape.head);
	memset(&tape, 0, sizeof(tape));
}

/* --- playing ----------------------------------------------------------------------------------------------------- */

/* The session that takes its place: the same shard of as many, ready. In a fleet of another size, each event goes where
 * its guild is. NULL: not there yet. */
static struct session *session_for(const struct event *event)
{
	uint32_t shard = (uint32_t)number_of(tape.head, "shard"), count = (uint32_t)number_of(tape.head, "shard_count");
	struct session *s = session_list(), *found = NULL;

	for (; s; s = s->next) {
		uint32_t wanted = s->count == count ? shard : world_shard_of(event->guild_id, s->count);

		if (s->shard == wanted && s->gateway && s->ready_us)
			found = s;
	}
	return found;
}

static bool play(const struct event *event)
{
	struct session *s = session_for(event);

	if (!s || !session_append(s, event->payload))
		return false;
	if (event->id) {
		ledger_sent(LEDGER_MESSAGE, event->id, event->guild_id, event->expects);
		ledger_delivered(event->id, s->serial, s->seq);
	}
	gateway_wake(s->gateway);
	return true;
}

void replay_tick(uint64_t now_ms)
{
	size_t until = tape.played + HELPING;

	(void)now_ms;
	if (tape.played == tape.count)
		return;
	while (tape.played < tape.count && tape.played < until && play(&tape.events[tape.played]))
		tape.played++;
	if (tape.played == tape.count)
		log_line(LOG_INFO, "replay: %zu events played", tape.played);
	waits_changed();
}

uint64_t replay_count(void)
{
	return tape.played;
}

uint64_t replay_finished(void)
{
	return tape.head && tape.played == tape.count;
}

json_t *replay_json(void)
{
	json_t *all;

	if (!tape.head)
		return json_null();
	all = json_pack("{s:s, s:I, s:I, s:I, s:b}", "file", tape.path, "events", (json_int_t)tape.count, "skipped",
			(json_int_t)tape.skipped, "played", (json_int_t)tape.played, "finished",
			tape.played == tape.count);
	for (const char *const *key = (const char *const[]){ "shard", "shard_count", "build_id", "crash", NULL }; *key;
	     key++)
		if (json_object_get(tape.head, *key))
			json_object_set(all, *key, json_object_get(tape.head, *key));
	return all;
}
