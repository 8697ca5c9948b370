/* The rows of requests. Bounded: the oldest give way, counted. Nothing here judges; who wants to know whether something
 * was doubled reads the rows. */
#include "tests/sim/effects.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/interactions.h"
#include "tests/sim/rest.h"
#include "tests/sim/util.h"

#define MARK       "cause-"
#define STEP_SIZE  16
#define ABOUT_SIZE 72

struct row {
	uint64_t arrived_us, arrived_ms, ended_us;
	uint64_t cause, made_id, refers;
	const char *operation, *fault, *what;
	int status, code;
	enum effect_fate fate;
	char step[STEP_SIZE];
	char about[ABOUT_SIZE]; /* path without tokens */
};

static const char *const fate_names[EFFECT_FATE_COUNT] = { "none", "done", "same", "deduped" };

static struct row *rows;
static uint64_t cap, first, next; /* numbers: kept are first .. next - 1 */
static uint64_t overwritten;

int effects_init(uint64_t max_rows)
{
	cap = max_rows;
	rows = calloc(cap, sizeof(*rows)); /* touched only as it fills */
	first = next = 1;
	return rows ? 0 : -ENOMEM;
}

void effects_free(void)
{
	free(rows);
	rows = NULL;
}

void effects_reset(void)
{
	first = next;
	overwritten = 0;
}

static struct row *find(uint64_t number)
{
	return number >= first && number < next ? &rows[number % cap] : NULL;
}

/* --- whose it is ------------------------------------------------------------------------------------------------- */

/* "cause-123.4": 123 and "4". */
static bool read_mark(const char *text, size_t len, struct row *row)
{
	const char *at = len ? memmem(text, len, MARK, sizeof(MARK) - 1) : NULL, *end = text + len;
	size_t n = 0;

	if (!at)
		return false;
	for (at += sizeof(MARK) - 1; at < end && isdigit((unsigned char)*at); at++)
		row->cause = row->cause * 10 + (uint64_t)(*at - '0');
	if (at == end || *at != '.')
		return row->cause != 0;
	for (at++; at < end && isalnum((unsigned char)*at) && n < STEP_SIZE - 1; at++)
		row->step[n++] = *at;
	row->step[n] = '\0';
	return row->cause != 0;
}

static uint64_t referred_message(const struct exchange *x)
{
	static const char words[] = "\"message_reference\"", key[] = "\"message_id\"";
	const char *at = x->body_len ? memmem(x->body, x->body_len, words, sizeof(words) - 1) : NULL;
	const char *id = at ? memmem(at, x->body_len - (size_t)(at - x->body), key, sizeof(key) - 1) : NULL;
	char digits[24];

	if (!id)
		return 0;
	id += sizeof(key) - 1;
	id += strspn(id, " \t\r\n:\"");
	snprintf(digits, sizeof(digits), "%.*s", (int)strspn(id, "0123456789"), id);
	return snowflake_parse(digits);
}

static void blame(const struct rest_call *c, struct row *row)
{
	const char *reason = exchange_header(c->x, "X-Audit-Log-Reason"), *pattern = c->route ? c->route->pattern : "";
	bool marked = read_mark(c->x->body, c->x->body_len, row) || (reason && read_mark(reason, strlen(reason), row));

	if (marked)
		return;
	if (!strncmp(pattern, "/interactions/{}", 16))
		row->cause = rest_id(c, 0);
	else if (!strncmp(pattern, "/webhooks/{}/{}", 15))
		row->cause = interaction_of_token(c->param[1]);
	else if (!strncmp(pattern, "/channels/{}/messages/{}", 24) || !strncmp(pattern, "/guilds/{}/members/{}", 21))
		row->cause = rest_id(c, 1);
	else
		row->cause = row->refers;
}

/* The path without what is secret in it. */
static void write_about(const struct rest_call *c, char about[ABOUT_SIZE])
{
	const char *path = c->x->path, *pattern = c->route ? c->route->pattern : "";
	bool secret = !strncmp(pattern, "/webhooks/{}/{}", 15) || !strncmp(pattern, "/interactions/{}", 16);
	const char *token = secret ? c->param[1] : NULL;
	const char *at = token ? strstr(path, token) : NULL;

	if (at)
		snprintf(about, ABOUT_SIZE, "%s %.*s***%s", c->x->method, (int)(at - path), path, at + strlen(token));
	else
		snprintf(about, ABOUT_SIZE, "%s %s", c->x->method, path);
}

uint64_t effects_arrived(const struct rest_call *c)
{
	struct row *row = &rows[next % cap];

	if (next - first == cap) {
		first++;
		overwritten++;
	}
	*row = (struct row){ .arrived_us = c->x->arrived_us,
			     .arrived_ms = wall_ms(),
			     .refers = referred_message(c->x),
			     .operation = c->route ? c->route->name : "" };
	blame(c, row);
	write_about(c, row->about);
	return next++;
}

/* --- what became of it ------------------------------------------------------------------------------------------- */

void effects_fate(uint64_t number, enum effect_fate fate, uint64_t made_id)
{
	struct row *row = find(number);

	if (!row)
		return;
	row->fate = fate;
	row->made_id = made_id;
}

void effects_fault(uint64_t number, const char *kind)
{
	struct row *row = find(number);

	if (row)
		row->fault = kind;
}

void effects_what(uint64_t number, const char *what)
{
	struct row *row = find(number);

	if (row)
		row->what = what;
}

void effects_ended(uint64_t number, int status, int code)
{
	struct row *row = find(number);

	if (!row)
		return;
	row->status = status;
	row->code = code;
	row->ended_us = mono_us();
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static json_t *row_json(const struct row *row, uint64_t number)
{
	return json_pack("{s:I,s:o,s:s,s:s,s:I,s:I,s:I,s:s,s:i,s:i,s:s?,s:s?,s:o,s:o,s:s}", "n", (json_int_t)number,
			 "cause", json_sprintf("%llu", (unsigned long long)row->cause), "step", row->step, "operation",
			 row->operation, "arrived_us", (json_int_t)row->arrived_us, "arrived_ms",
			 (json_int_t)row->arrived_ms, "ended_us", (json_int_t)row->ended_us, "fate",
			 fate_names[row->fate], "status", row->status, "code", row->code, "fault", row->fault, "what",
			 row->what, "refers", json_sprintf("%llu", (unsigned long long)row->refers), "made_id",
			 json_sprintf("%llu", (unsigned long long)row->made_id), "about", row->about);
}

json_t *effects_json(uint64_t after, uint64_t limit)
{
	json_t *list = json_array();
	uint64_t i = after + 1 < first ? first : after + 1;

	for (; i < next && json_array_size(list) < limit; i++)
		json_array_append_new(list, row_json(&rows[i % cap], i));
	return json_pack("{s:o,s:I,s:I}", "rows", list, "next_after", (json_int_t)(i - 1), "overwritten",
			 (json_int_t)overwritten);
}

json_t *effects_of(uint64_t cause)
{
	json_t *list = json_array();

	for (uint64_t i = first; i < next; i++) {
		if (rows[i % cap].cause == cause)
			json_array_append_new(list, row_json(&rows[i % cap], i));
	}
	return list;
}
