/* Structured log. One line a record: a stable event id ("gateway.resume_refused"), typed fields, a context.
 * Formats: journal (native fields EVENT=, SHARD=, GUILD_ID=, MODULE=, DISPATCH=), json (one object a line), human.
 * The layer that decides logs, once. Never a token, never a member's text: registered secrets are masked besides.
 * Any thread. A record is at most 8 KiB; longer fields are cut and say so. Writing never blocks the loop for long:
 * a full pipe drops records and counts them ("log.dropped"). */
#ifndef SHOAL_SHARED_LOG_LOG_H
#define SHOAL_SHARED_LOG_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_AUDIT, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON, LOG_FORMAT_HUMAN, LOG_FORMAT_COUNT };

enum log_kind { LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_U64, LOG_KIND_MS, LOG_KIND_DOUBLE, LOG_KIND_ERROR, LOG_KIND_BOOL };

struct log_field {
	const char *key; /* lower_snake_case; "msg" is the sentence for people */
	enum log_kind kind;
	union {
		const char *text;
		int64_t i;
		uint64_t u;
		double d;
	} value;
};

#define KV_STR(key_, text_) ((struct log_field){ .key = (key_), .kind = LOG_KIND_STR, .value.text = (text_) })
#define KV_INT(key_, int_)  ((struct log_field){ .key = (key_), .kind = LOG_KIND_INT, .value.i = (int_) })
#define KV_U64(key_, uint_) ((struct log_field){ .key = (key_), .kind = LOG_KIND_U64, .value.u = (uint_) })
#define KV_MS(key_, ms_)    ((struct log_field){ .key = (key_), .kind = LOG_KIND_MS, .value.u = (ms_) })
#define KV_DOUBLE(key_, d_) ((struct log_field){ .key = (key_), .kind = LOG_KIND_DOUBLE, .value.d = (d_) })
#define KV_BOOL(key_, b_)   ((struct log_field){ .key = (key_), .kind = LOG_KIND_BOOL, .value.i = (b_) })
/* A negative errno or SHOAL_E… code: printed by name and in words. */
#define KV_ERR(error_) ((struct log_field){ .key = "error", .kind = LOG_KIND_ERROR, .value.i = (error_) })
/* The sentence for people: what went wrong, with what, what to do next. */
#define KV_MSG(text_) KV_STR("msg", (text_))

/* What a record is about. Zero/NULL members are left out. Borrowed for the call. */
struct log_ctx {
	int32_t shard; /* -1: none */
	uint64_t guild_id;
	const char *module;
	const char *event; /* dispatch name */
};

struct log_options {
	enum log_level level;
	enum log_format format; /* AUTO: journal under systemd, human on a terminal, else json */
	const char *program;    /* "shoald" */
	int fd;                 /* where human and json go; 2 for stderr */
};

/* Main thread, before threads start. May be called again (reload). Before the first call: human on stderr, info. */
void log_setup(const struct log_options *options);
/* The context of every record that gives none itself, and the shard of those that give no shard (a worker sets its own
 * once). */
void log_set_default(const struct log_ctx *ctx);
/* Masks @secret wherever it would appear in a record, from now on. Copies it. At most 32; shorter than 6 bytes refused.
 */
int log_add_secret(const char *secret);
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level);
/* -EINVAL when @name is no threshold (debug, info, warn or warning, error; any case). */
int log_level_parse(const char *name, enum log_level *ret_level);

/* Records dropped since the start because their reader did not keep up (the board's log_dropped). Any thread. */
uint64_t log_dropped(void);

/* Told of every ERROR record that passed the threshold: its event, shard (-1: none) and sentence (KV_MSG, secrets
 * masked;
 * "" when it has none), on the thread that logs. It must not log itself. NULL ends it. */
typedef void (*log_observer_fn)(void *arg, const char *event, int32_t shard, const char *text);
void log_observe(log_observer_fn fn, void *arg);

/* Any thread; keeps errno. Formats in journal and json alike: event = @event, dispatch = ctx->event. */
void log_write(enum log_level level, const struct log_ctx *ctx, const char *event, const struct log_field *fields,
	       size_t field_count);

#define LOG_AT_(level_, ctx_, event_, ...)                                         \
	do {                                                                       \
		if ((level_) >= log_get_level()) {                                 \
			const struct log_field log_fields_[] = { __VA_ARGS__ };    \
			log_write((level_), (ctx_), (event_), log_fields_,         \
				  sizeof(log_fields_) / sizeof(struct log_field)); \
		}                                                                  \
	} while (0)
/* At least one KV_… each. @ctx may be NULL. */
#define log_debug(ctx, event, ...) LOG_AT_(LOG_LEVEL_DEBUG, ctx, event, __VA_ARGS__)
#define log_info(ctx, event, ...)  LOG_AT_(LOG_LEVEL_INFO, ctx, event, __VA_ARGS__)
#define log_warn(ctx, event, ...)  LOG_AT_(LOG_LEVEL_WARN, ctx, event, __VA_ARGS__)
#define log_error(ctx, event, ...) LOG_AT_(LOG_LEVEL_ERROR, ctx, event, __VA_ARGS__)
/* What somebody did with authority; never filtered by level. */
#define log_audit(ctx, event, ...) LOG_AT_(LOG_LEVEL_AUDIT, ctx, event, __VA_ARGS__)

#endif
