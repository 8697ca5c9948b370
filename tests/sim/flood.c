/* Floods. The file is read once and cut into {t, d}; what goes out differs only by its sequence number. Two ways:
 *
 * live:     each event goes through the session's ring like any other, so it can be resumed and interleaves with other
 *           events. Uncompressed this is a copy; compressed it costs the compressor.
 * prepared: for compressed links at full speed: everything is compressed beforehand with the connection's own encoder,
 *           in slices between other work, and then only copied. Until it is out, nothing else of that session is sent
 *           (its heartbeat acknowledgements queue behind), and a link lost meanwhile cannot be resumed. */
#include "tests/sim/flood.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/options.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"

#define FILE_MAX     (512L << 20)
#define PREPARED_MAX (2ULL << 30)
#define SLICE_US     3000
#define HELD_MAX     100000

struct flood_file {
	char *path;
	struct payload **items;
	size_t count, cap;
	uint64_t bytes;
	struct flood_file *next;
};

enum flood_state { FLOOD_PREPARING, FLOOD_SENDING, FLOOD_DRAINING, FLOOD_FINISHED };

struct flood {
	uint32_t session; /* serial */
	const struct flood_file *file;
	uint64_t total, given; /* events, and how many were taken so far */
	uint64_t rate, started_us, first_us, finished_us;
	uint64_t first_seq;
	bool prepared;
	bool begun;            /* prepared: the ring was empty, from here on the stream is its own */
	struct payload **held; /* events that came meanwhile, and wait for its end */
	size_t held_count, held_cap;
	enum flood_state state;
	struct buf queue; /* frames of a prepared one */
	struct flood *next;
};

static struct flood_file *files;
static struct flood *floods;
static uint64_t finished;
static uv_idle_t idle;
static bool idle_running;

static const char *const state_names[] = { "preparing", "sending", "draining", "finished" };

/* --- the file ---------------------------------------------------------------------------------------------------- */

/* Finds the value of a key of the outermost object without building it. The line was found to be JSON before. */
static bool top_value(const char *line, const char *key, const char **ret, size_t *ret_len)
{
	size_t key_len = strlen(key);
	int depth = 0;

	for (const char *p = line; *p; p++) {
		const char *start = p, *value;

		if (*p == '{' || *p == '[')
			depth++;
		if (*p == '}' || *p == ']')
			depth--;
		if (*p != '"')
			continue;
		for (p++; *p != '"'; p++)
			p += *p == '\\';
		if (depth != 1 || (size_t)(p - start - 1) != key_len || strncmp(start + 1, key, key_len))
			continue;
		value = p + 1 + strspn(p + 1, " \t");
		if (*value != ':')
			continue;
		value++;
		value += strspn(value, " \t");
		*ret = value;
		for (int inner = 0; *value; value++) {
			if (*value == '"') {
				for (value++; *value != '"'; value++)
					value += *value == '\\';
				continue;
			}
			if (inner == 0 && (*value == ',' || *value == '}' || *value == ']'))
				break;
			inner += (*value == '{' || *value == '[') - (*value == '}' || *value == ']');
		}
		*ret_len = (size_t)(value - *ret);
		return true;
	}
	return false;
}

static bool add_line(struct flood_file *file, const char *line)
{
	json_t *checked = json_loads(line, 0, NULL);
	const char *type = json_string_value(json_object_get(checked, "t")), *d;
	struct payload *p = NULL;
	struct buf text;
	size_t len;

	if (type && strlen(type) <= 64 && top_value(line, "d", &d, &len)) {
		text = (struct buf){ .mem = (char *)d, .len = len };
		p = payload_new(type, false, &text, NULL);
	}
	json_decref(checked);
	if (!p)
		return false;
	p->intents = 0; /* the file is sent as it is */
	if (file->count == file->cap) {
		size_t cap = file->cap ? file->cap * 2 : 1024;
		struct payload **items = realloc(file->items, cap * sizeof(struct payload *));

		if (!items) {
			payload_unref(p);
			return false;
		}
		file->items = items;
		file->cap = cap;
	}
	file->items[file->count++] = p;
	file->bytes += p->len;
	return true;
}

static void file_free(struct flood_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		payload_unref(file->items[i]);
	free(file->items);
	free(file->path);
	free(file);
}

static const struct flood_file *file_open(const char *path, char *error, size_t error_size)
{
	struct flood_file *file;
	size_t cap = 0, number = 0;
	char *line = NULL;
	ssize_t n;
	FILE *in;

	for (file = files; file; file = file->next) {
		if (!strcmp(file->path, path))
			return file;
	}
	in = fopen(path, "re");
	if (!in) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return NULL;
	}
	file = calloc(1, sizeof(*file));
	if (file)
		file->path = strdup(path);
	while (file && (n = getline(&line, &cap, in)) > 0) {
		number++;
		if (line[n - 1] == '\n')
			line[--n] = 0;
		if (n == 0)
			continue;
		if (add_line(file, line) && file->bytes <= FILE_MAX)
			continue;
		snprintf(error, error_size, "%s line %zu: not a JSON object with t and d, or the file is too large",
			 path, number);
		file_free(file);
		file = NULL;
	}
	free(line);
	fclose(in);
	if (file && !file->count) {
		snprintf(error, error_size, "%s: no events in it", path);
		file_free(file);
		return NULL;
	}
	if (file) {
		file->next = files;
		files = file;
	}
	return file;
}

/* --- one flood --------------------------------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *handle);

static void run_idle(void)
{
	bool wanted = false;

	for (struct flood *f = floods; f; f = f->next)
		wanted |= f->state == FLOOD_PREPARING;
	if (wanted && !idle_running)
		uv_idle_start(&idle, on_idle);
	else if (!wanted && idle_running)
		uv_idle_stop(&idle);
	idle_running = wanted;
}

static void unlink_flood(struct flood *f)
{
	for (struct flood **at = &floods; *at; at = &(*at)->next) {
		if (*at == f) {
			*at = f->next;
			break;
		}
	}
	for (size_t i = 0; i < f->held_count; i++)
		payload_unref(f->held[i]);
	free(f->held);
	buf_free(&f->queue);
	free(f);
	run_idle();
}

void flood_session_ended(struct session *s)
{
	if (s->flood)
		unlink_flood(s->flood);
	s->flood = NULL;
}

bool flood_is_exclusive(const struct session *s)
{
	const struct flood *f = s->flood;

	return f && f->prepared && f->begun && f->state < FLOOD_FINISHED;
}

bool flood_hold(struct session *s, struct payload *p)
{
	struct flood *f = s->flood;

	if (f->held_count == HELD_MAX)
		return false;
	if (f->held_count == f->held_cap) {
		size_t cap = f->held_cap ? f->held_cap * 2 : 64;
		struct payload **held = realloc(f->held, cap * sizeof(struct payload *));

		if (!held)
			return false;
		f->held = held;
		f->held_cap = cap;
	}
	f->held[f->held_count++] = payload_ref(p);
	return true;
}

struct buf *flood_queue(struct gateway *g)
{
	struct flood *f = g->session ? g->session->flood : NULL;

	return f && f->prepared && f->begun && f->state < FLOOD_FINISHED ? &f->queue : NULL;
}

static void finish(struct session *s, struct flood *f)
{
	f->state = FLOOD_FINISHED;
	f->finished_us = mono_us();
	finished++;
	if (f->prepared) {
		s->resumable = true;
		s->forgotten = s->seq;
		buf_free(&f->queue);
		for (size_t i = 0; i < f->held_count; i++) {
			if (!session_append(s, f->held[i]))
				log_line(LOG_WARN, "an event that waited for a flood's end did not fit the ring: lost");
			payload_unref(f->held[i]);
		}
		f->held_count = 0;
		if (s->gateway)
			gateway_wake(s->gateway);
	}
	waits_changed();
}

static bool drained(const struct session *s)
{
	const struct conn *conn = s->gateway ? s->gateway->conn : NULL;

	return conn && conn->out.len == 0 && conn->wire.len == 0 && !conn->writing;
}

/* Prepared: moves finished frames into the socket's buffer. */
static bool pump_prepared(struct gateway *g, struct flood *f)
{
	size_t n = f->queue.len < CONN_OUT_HIGH ? f->queue.len : CONN_OUT_HIGH;

	if (f->state != FLOOD_SENDING && f->state != FLOOD_DRAINING)
		return false;
	if (n) {
		if (!f->first_us)
			f->first_us = mono_us();
		conn_send(g->conn, buf_data(&f->queue), n);
		buf_consume(&f->queue, n);
		return true;
	}
	f->state = FLOOD_DRAINING;
	if (!drained(g->session))
		return false;
	finish(g->session, f);
	return true;
}

static uint64_t allowance(const struct flood *f)
{
	uint64_t due;

	if (!f->rate)
		return f->total;
	due = (mono_us() - f->first_us) * f->rate / 1000000 + 1;
	return due < f->total ? due : f->total;
}

bool flood_pump(struct gateway *g)
{
	struct session *s = g->session;
	struct flood *f = s->flood;
	uint64_t until;

	if (f->prepared)
		return f->state < FLOOD_FINISHED && pump_prepared(g, f);
	if (f->state == FLOOD_FINISHED)
		return false;
	if (!f->first_us)
		f->first_us = mono_us();
	until = allowance(f);
	if (until > f->given + 64)
		until = f->given + 64;
	if (f->given == until) {
		if (f->given == f->total && f->state == FLOOD_SENDING)
			f->state = FLOOD_DRAINING;
		return false;
	}
	while (f->given < until) {
		if (!session_append(s, f->file->items[f->given % f->file->count]))
			return f->given + 64 > until; /* the ring is smaller than one helping: what fits goes first */
		f->given++;
	}
	return true;
}

/* Compresses for a while. False when nothing is left to prepare. */
static bool prepare_slice(struct session *s, struct flood *f)
{
	uint64_t end_us = mono_us() + SLICE_US;
	struct gateway *g = s->gateway;

	if (!g) {
		f->total = f->given;
		return false;
	}
	while (f->given < f->total) {
		const struct payload *p = f->file->items[f->given % f->file->count];
		char head_text[160];
		struct buf head = { .mem = head_text, .cap = sizeof(head_text), .max = sizeof(head_text) };
		struct buf pieces[3] = { { 0 },
					 { .mem = (char *)p->d, .len = p->len },
					 { .mem = (char *)"}", .len = 1 } };

		gateway_dispatch_head(&head, p->type, ++s->seq);
		pieces[0] = head;
		gateway_send(g, pieces, 3); /* lands in f->queue, through flood_queue */
		f->given++;
		s->delivered++;
		if (f->queue.failed) {
			log_line(LOG_ERROR, "prepared flood: over %llu MB, link dropped",
				 (unsigned long long)PREPARED_MAX >> 20);
			conn_drop(g->conn, true);
			return false;
		}
		if ((f->given & 15) == 0 && mono_us() >= end_us)
			return true;
	}
	return false;
}

static void on_idle(uv_idle_t *handle)
{
	struct flood *next;

	(void)handle;
	for (struct flood *f = floods; f; f = next) {
		struct session *s;

		next = f->next;
		if (f->state != FLOOD_PREPARING)
			continue;
		s = session_by_serial(f->session);
		if (s && !f->begun) {
			if (s->gateway && session_next(s)) {
				gateway_wake(s->gateway);
				break; /* what came before goes first */
			}
			f->begun = true;
			f->first_seq = s->seq + 1;
		}
		if (s && !prepare_slice(s, f) && s->flood == f) {
			f->state = FLOOD_SENDING;
			f->started_us = mono_us();
			if (s->gateway)
				gateway_wake(s->gateway);
		}
		break; /* one slice a turn of the loop */
	}
	run_idle();
}

static json_t *start(struct session *s, const struct flood_file *file, const json_t *request)
{
	json_int_t repeat = json_integer_value(json_object_get(request, "repeat"));
	json_int_t rate = json_integer_value(json_object_get(request, "rate"));
	const json_t *prepare = json_object_get(request, "prepare"), *level = json_object_get(request, "level");
	struct flood *f;

	if (s->flood && ((struct flood *)s->flood)->state != FLOOD_FINISHED)
		return json_pack("{s:s}", "error", "a flood of this shard is still running");
	flood_session_ended(s);
	f = calloc(1, sizeof(*f));
	if (!f)
		return json_pack("{s:s}", "error", "out of memory");
	f->session = s->serial;
	f->file = file;
	f->total = file->count * (uint64_t)(repeat > 0 ? repeat : 1);
	f->rate = rate > 0 ? (uint64_t)rate : 0;
	f->first_seq = s->seq + 1;
	f->started_us = mono_us();
	f->prepared = prepare ? json_is_true(prepare) : s->gateway->compressor && !f->rate;
	f->state = f->prepared ? FLOOD_PREPARING : FLOOD_SENDING;
	buf_init(&f->queue, PREPARED_MAX);
	if (json_is_integer(level) && json_integer_value(level) > 0)
		compressor_set_level(s->gateway->compressor, (int)json_integer_value(level));
	s->flood = f;
	f->next = floods;
	floods = f;
	if (f->prepared)
		s->resumable = false;
	run_idle();
	gateway_wake(s->gateway);
	return json_pack("{s:s,s:I,s:I,s:b}", "session", s->id, "events", (json_int_t)f->total, "first_seq",
			 (json_int_t)f->first_seq, "prepared", f->prepared);
}

json_t *flood_start(const json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "file"));
	const json_t *shard = json_object_get(request, "shard");
	json_t *started = json_array(), *one = NULL;
	const struct flood_file *file;
	char error[512] = "";

	if (!path || !json_is_integer(shard)) {
		json_decref(started);
		return json_pack("{s:s}", "error", "shard (a number) and file (a path) are needed");
	}
	file = file_open(path, error, sizeof(error));
	if (!file) {
		json_decref(started);
		return json_pack("{s:s}", "error", error[0] ? error : "out of memory");
	}
	for (struct session *s = session_list(); s; s = s->next) {
		if (s->shard != (uint32_t)json_integer_value(shard) || !s->gateway)
			continue;
		one = start(s, file, request);
		json_array_append_new(started, one);
	}
	if (!one) {
		json_decref(started);
		return json_pack("{s:s}", "error", "no connected session of that shard");
	}
	return json_pack("{s:o,s:I,s:I}", "floods", started, "file_events", (json_int_t)file->count, "file_bytes",
			 (json_int_t)file->bytes);
}

json_t *flood_json(const struct session *s)
{
	const struct flood *f = s->flood;
	uint64_t end_us;
	double seconds;

	if (!f)
		return json_null();
	end_us = f->finished_us ? f->finished_us : mono_us();
	seconds = f->first_us ? (double)(end_us - f->first_us) / 1e6 : 0;
	return json_pack("{s:s,s:b,s:I,s:I,s:I,s:b,s:f,s:f,s:I}", "state", state_names[f->state], "prepared",
			 f->prepared, "events", (json_int_t)f->total, "given", (json_int_t)f->given, "first_seq",
			 (json_int_t)f->first_seq, "finished", f->state == FLOOD_FINISHED, "seconds", seconds,
			 "events_per_s", seconds > 0 ? (double)f->given / seconds : 0.0, "queued_bytes",
			 (json_int_t)f->queue.len);
}

void flood_tick(uint64_t now_ms)
{
	(void)now_ms;
	for (struct flood *f = floods, *next; f; f = next) {
		struct session *s = session_by_serial(f->session);

		next = f->next;
		if (!s || f->state == FLOOD_FINISHED || f->state == FLOOD_PREPARING)
			continue;
		if (f->prepared && !s->gateway) { /* its link is lost and what was prepared with it */
			session_end(s);
			continue;
		}
		if (!f->prepared && f->given == f->total && s->cursor == s->end && drained(s))
			finish(s, f);
		else if (s->gateway)
			gateway_wake(s->gateway);
	}
}

uint64_t flood_finished_count(void)
{
	return finished;
}

int flood_init(void *loop)
{
	return uv_idle_init(loop, &idle);
}

void flood_free(void)
{
	while (files) {
		struct flood_file *file = files;

		files = file->next;
		file_free(file);
	}
	if (!uv_is_closing((uv_handle_t *)&idle))
		uv_close((uv_handle_t *)&idle, NULL);
}
