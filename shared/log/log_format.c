/* One log record to text. Any thread; touches nothing but its arguments.
 * Every byte of a value is hostile: it may hold line feeds, terminal escapes, broken UTF-8 or a secret. */
#include "shared/log/log_format.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/utf8.h"

/* Kept free at the end of a record for what must follow a value that was cut: its mark, quotes, the count of fields
 * left out, the line's end. */
#define RESERVE 160
/* What a number, a name and punctuation need besides a text. */
#define FIELD_OVERHEAD 96
/* JSON readers that hold numbers as doubles lose digits above this: such numbers are written as strings. */
#define JSON_SAFE_MAX 9007199254740991ULL

struct out {
	char *data;
	size_t len, size;
	const struct log_secrets *secrets;
};

enum escape { ESCAPE_JSON, ESCAPE_TERMINAL };

/* --- pieces --------------------------------------------------------------------------------------------------------
 */

static void put_bytes(struct out *out, const char *bytes, size_t len)
{
	if (len > out->size - out->len)
		len = out->size - out->len;
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
}

static void put(struct out *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

static void put_f(struct out *out, const char *format, ...) PRINTF_LIKE(2, 3);
static void put_f(struct out *out, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put(out, text);
}

/* Controls, and the code points that reorder or hide text on a terminal. */
static bool is_unprintable(uint32_t point)
{
	return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x200B && point <= 0x200F) ||
	       (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x2069) || point == 0xFEFF;
}

static size_t match_secret(const struct log_secrets *secrets, const char *text)
{
	size_t longest = 0;

	for (size_t i = 0; secrets && i < secrets->count; i++) {
		if (secrets->text[i][0] == text[0] && secrets->len[i] > longest &&
		    strncmp(text, secrets->text[i], secrets->len[i]) == 0)
			longest = secrets->len[i];
	}
	return longest;
}

void log_format_masked(const struct log_secrets *secrets, const char *text, char *out, size_t size)
{
	size_t at = 0;

	while (*text) {
		size_t secret = match_secret(secrets, text), len = secret ? 3 : 1;

		if (at + len + 1 > size)
			break;
		memcpy(out + at, secret ? "***" : text, len);
		at += len;
		text += secret ? secret : 1;
	}
	out[at] = '\0';
}

/* The escaped form of what stands at @text: bytes taken; the form in @piece. */
static size_t next_piece(const struct out *out, const char *text, enum escape escape, char piece[16])
{
	static const char shorts[][2] = { { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' }, { '\b', 'b' }, { '\f', 'f' } };
	uint32_t point = 0;
	size_t len = match_secret(out->secrets, text);

	if (len) {
		strcpy(piece, "***");
		return len;
	}
	len = utf8_decode(text, &point);
	if (!len) {
		strcpy(piece, escape == ESCAPE_JSON ? "\\ufffd" : "\xEF\xBF\xBD");
		return 1;
	}
	if (point == '\\' || point == '"') {
		snprintf(piece, 16, "%s%c", escape == ESCAPE_JSON ? "\\" : "", (char)point);
		return len;
	}
	for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
		if (point == (unsigned char)shorts[i][0]) {
			snprintf(piece, 16, "\\%c", shorts[i][1]);
			return len;
		}
	}
	if (is_unprintable(point)) {
		snprintf(piece, 16, "\\u%04x", (unsigned)point);
		return len;
	}
	memcpy(piece, text, len);
	piece[len] = '\0';
	return len;
}

static void put_text(struct out *out, const char *text, enum escape escape)
{
	size_t limit = out->size > RESERVE ? out->size - RESERVE : 0;
	char piece[16];

	if (out->len + LOG_VALUE_MAX < limit)
		limit = out->len + LOG_VALUE_MAX;
	for (const char *p = text; *p;) {
		size_t taken = next_piece(out, p, escape, piece);

		if (out->len + strlen(piece) > limit) {
			put_f(out, "...(cut, %zu bytes in all)", strlen(text));
			return;
		}
		put(out, piece);
		p += taken;
	}
}

static bool has_room(const struct out *out, const struct log_field *field)
{
	return out->len + strlen(field->key) + FIELD_OVERHEAD + RESERVE <= out->size;
}

static const char *text_of(const struct log_field *field)
{
	return field->value.text ? field->value.text : "";
}

/* "wait" measured in milliseconds is named wait_ms where a unit can't stand behind the number. */
static const char *unit_suffix(const struct log_field *field)
{
	size_t len = strlen(field->key);

	if (field->kind != LOG_KIND_MS || (len > 3 && strcmp(field->key + len - 3, "_ms") == 0))
		return "";
	return "_ms";
}

/* --- JSON ----------------------------------------------------------------------------------------------------------
 */

static void json_string(struct out *out, const char *text)
{
	put(out, "\"");
	put_text(out, text, ESCAPE_JSON);
	put(out, "\"");
}

static void json_named_string(struct out *out, const char *key, const char *text)
{
	put_f(out, ",\"%.64s\":", key);
	json_string(out, text);
}

static void json_u64(struct out *out, uint64_t value)
{
	put_f(out, value > JSON_SAFE_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, value);
}

static void json_i64(struct out *out, int64_t value)
{
	bool safe = value <= (int64_t)JSON_SAFE_MAX && value >= -(int64_t)JSON_SAFE_MAX;

	put_f(out, safe ? "%" PRId64 : "\"%" PRId64 "\"", value);
}

static void json_value(struct out *out, const struct log_field *field)
{
	switch (field->kind) {
	case LOG_KIND_STR:
		json_string(out, text_of(field));
		break;
	case LOG_KIND_INT:
		json_i64(out, field->value.i);
		break;
	case LOG_KIND_U64:
	case LOG_KIND_MS:
		json_u64(out, field->value.u);
		break;
	case LOG_KIND_DOUBLE:
		if (isfinite(field->value.d))
			put_f(out, "%.9g", field->value.d);
		else
			put(out, "null");
		break;
	case LOG_KIND_BOOL:
		put(out, field->value.i ? "true" : "false");
		break;
	case LOG_KIND_ERROR:
		json_string(out, error_name((int)field->value.i));
		put(out, ",\"error_text\":");
		json_string(out, error_text((int)field->value.i));
		break;
	}
}

size_t log_format_json(const struct log_record *record, char buffer[LOG_RECORD_MAX])
{
	struct out out = { .data = buffer, .size = LOG_RECORD_MAX, .secrets = record->secrets };
	const struct log_ctx *ctx = record->ctx;
	char when[CLOCK_ISO_SIZE];
	size_t left_out = 0;

	put_f(&out, "{\"ts\":\"%s\",\"level\":\"%s\"", clock_format_iso(record->wall_ms, when),
	      log_level_name(record->level));
	if (record->program)
		json_named_string(&out, "program", record->program);
	json_named_string(&out, "event", record->event);
	if (ctx->shard >= 0)
		put_f(&out, ",\"shard\":%" PRId32, ctx->shard);
	if (ctx->guild_id)
		put_f(&out, ",\"guild_id\":\"%" PRIu64 "\"", ctx->guild_id);
	if (ctx->module)
		json_named_string(&out, "module", ctx->module);
	if (ctx->event)
		json_named_string(&out, "dispatch", ctx->event);
	for (size_t i = 0; i < record->field_count; i++) {
		const struct log_field *field = &record->fields[i];

		if (!has_room(&out, field)) {
			left_out++;
			continue;
		}
		put_f(&out, ",\"%.64s%s\":", field->key, unit_suffix(field));
		json_value(&out, field);
	}
	if (left_out)
		put_f(&out, ",\"fields_cut\":%zu", left_out);
	put(&out, "}\n");
	return out.len;
}

/* --- human ---------------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *padded;
	const char *colour;
	const char *priority; /* syslog's, for the journal */
} level_looks[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_DEBUG] = { "debug", "\x1b[2m", "PRIORITY=7" },
	[LOG_LEVEL_INFO] = { "info ", "\x1b[32m", "PRIORITY=6" },
	[LOG_LEVEL_WARN] = { "warn ", "\x1b[33m", "PRIORITY=4" },
	[LOG_LEVEL_ERROR] = { "error", "\x1b[1;31m", "PRIORITY=3" },
	[LOG_LEVEL_AUDIT] = { "audit", "\x1b[36m", "PRIORITY=5" },
};

static bool needs_quotes(const char *text)
{
	return !*text || text[strcspn(text, " \t\r\n\"=")] != '\0';
}

static void human_value(struct out *out, const struct log_field *field)
{
	switch (field->kind) {
	case LOG_KIND_STR: {
		bool quotes = needs_quotes(text_of(field));

		put(out, quotes ? "\"" : "");
		put_text(out, text_of(field), quotes ? ESCAPE_JSON : ESCAPE_TERMINAL);
		put(out, quotes ? "\"" : "");
		break;
	}
	case LOG_KIND_INT:
		put_f(out, "%" PRId64, field->value.i);
		break;
	case LOG_KIND_U64:
		put_f(out, "%" PRIu64, field->value.u);
		break;
	case LOG_KIND_MS:
		put_f(out, "%" PRIu64 "ms", field->value.u);
		break;
	case LOG_KIND_DOUBLE:
		put_f(out, "%.6g", field->value.d);
		break;
	case LOG_KIND_BOOL:
		put(out, field->value.i ? "yes" : "no");
		break;
	case LOG_KIND_ERROR:
		put_f(out, "%s (%s)", error_name((int)field->value.i), error_text((int)field->value.i));
		break;
	}
}

static void human_context(struct out *out, const struct log_ctx *ctx)
{
	const char *gap = " [";

	if (ctx->shard >= 0) {
		put_f(out, "%sshard %" PRId32, gap, ctx->shard);
		gap = " ";
	}
	if (ctx->guild_id) {
		put_f(out, "%sguild %" PRIu64, gap, ctx->guild_id);
		gap = " ";
	}
	if (ctx->module) {
		put_f(out, "%smodule ", gap);
		put_text(out, ctx->module, ESCAPE_TERMINAL);
		gap = " ";
	}
	if (ctx->event) {
		put(out, gap);
		put_text(out, ctx->event, ESCAPE_TERMINAL);
		gap = " ";
	}
	if (gap[1] == '\0')
		put(out, "]");
}

/* Event, context, sentence, fields: what stands behind time and level. */
static void human_body(struct out *out, const struct log_record *record)
{
	size_t left_out = 0;

	put_text(out, record->event, ESCAPE_TERMINAL);
	human_context(out, record->ctx);
	for (size_t i = 0; i < record->field_count; i++) {
		const struct log_field *field = &record->fields[i];

		if (field->kind == LOG_KIND_STR && strcmp(field->key, "msg") == 0) {
			put(out, " ");
			put_text(out, text_of(field), ESCAPE_TERMINAL);
		}
	}
	for (size_t i = 0; i < record->field_count; i++) {
		const struct log_field *field = &record->fields[i];

		if (field->kind == LOG_KIND_STR && strcmp(field->key, "msg") == 0)
			continue;
		if (!has_room(out, field)) {
			left_out++;
			continue;
		}
		put_f(out, " %.64s=", field->key);
		human_value(out, field);
	}
	if (left_out)
		put_f(out, " fields_cut=%zu", left_out);
}

size_t log_format_human(const struct log_record *record, bool colour, char buffer[LOG_RECORD_MAX])
{
	struct out out = { .data = buffer, .size = LOG_RECORD_MAX, .secrets = record->secrets };
	time_t seconds = (time_t)(record->wall_ms / 1000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	put_f(&out, "%02d:%02d:%02d.%03d %s%s%s ", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(record->wall_ms % 1000),
	      colour ? level_looks[record->level].colour : "", level_looks[record->level].padded,
	      colour ? "\x1b[0m" : "");
	human_body(&out, record);
	put(&out, "\n");
	return out.len;
}

/* --- journal -------------------------------------------------------------------------------------------------------
 */

struct journal {
	struct out out;
	struct iovec *iov;
	int count;
	size_t start;
};

/* The fields that the journal itself gives a meaning; a key of ours of that name goes under FIELD_. */
static bool is_reserved(const char *key)
{
	static const char *const names[] = {
		"message", "priority", "shard", "guild_id", "module", "event", "dispatch"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], key) == 0)
			return true;
	}
	return false;
}

static void journal_begin(struct journal *journal)
{
	journal->start = journal->out.len;
}

static void journal_end(struct journal *journal)
{
	journal->iov[journal->count++] = (struct iovec){ .iov_base = journal->out.data + journal->start,
							 .iov_len = journal->out.len - journal->start };
}

static void journal_text(struct journal *journal, const char *name, const char *text)
{
	journal_begin(journal);
	put(&journal->out, name);
	put_text(&journal->out, text, ESCAPE_TERMINAL);
	journal_end(journal);
}

static void journal_field(struct journal *journal, const struct log_field *field)
{
	char name[72];
	size_t len = 0;

	for (const char *k = field->key; *k && len < 60; k++)
		name[len++] = isalnum((unsigned char)*k) ? (char)toupper((unsigned char)*k) : '_';
	name[len] = '\0';
	journal_begin(journal);
	/* A name may not begin with an underscore or a digit. */
	put(&journal->out, is_reserved(field->key) || !isupper((unsigned char)name[0]) ? "FIELD_" : "");
	put(&journal->out, name);
	put(&journal->out, unit_suffix(field)[0] ? "_MS=" : "=");
	switch (field->kind) {
	case LOG_KIND_STR:
		put_text(&journal->out, text_of(field), ESCAPE_TERMINAL);
		break;
	case LOG_KIND_MS:
		put_f(&journal->out, "%" PRIu64, field->value.u);
		break;
	case LOG_KIND_ERROR:
		put(&journal->out, error_name((int)field->value.i));
		break;
	default:
		human_value(&journal->out, field);
		break;
	}
	journal_end(journal);
}

int log_format_journal(const struct log_record *record, char buffer[2 * LOG_RECORD_MAX],
		       struct iovec iov[LOG_JOURNAL_FIELDS_MAX])
{
	struct journal journal = { .out = { .data = buffer, .size = LOG_RECORD_MAX, .secrets = record->secrets },
				   .iov = iov };
	const struct log_ctx *ctx = record->ctx;

	/* The message reads well under plain journalctl; the fields are there for selecting. */
	put(&journal.out, "MESSAGE=");
	human_body(&journal.out, record);
	journal_end(&journal);
	journal.out.size = 2 * LOG_RECORD_MAX;
	journal_begin(&journal);
	put(&journal.out, level_looks[record->level].priority);
	journal_end(&journal);
	journal_text(&journal, "EVENT=", record->event);
	if (record->program)
		journal_text(&journal, "SYSLOG_IDENTIFIER=", record->program);
	if (ctx->shard >= 0) {
		journal_begin(&journal);
		put_f(&journal.out, "SHARD=%" PRId32, ctx->shard);
		journal_end(&journal);
	}
	if (ctx->guild_id) {
		journal_begin(&journal);
		put_f(&journal.out, "GUILD_ID=%" PRIu64, ctx->guild_id);
		journal_end(&journal);
	}
	if (ctx->module)
		journal_text(&journal, "MODULE=", ctx->module);
	if (ctx->event)
		journal_text(&journal, "DISPATCH=", ctx->event);
	for (size_t i = 0; i < record->field_count && journal.count < LOG_JOURNAL_FIELDS_MAX; i++) {
		if (has_room(&journal.out, &record->fields[i]))
			journal_field(&journal, &record->fields[i]);
	}
	return journal.count;
}
