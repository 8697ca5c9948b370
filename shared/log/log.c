/* The process's log: settings, secrets, and the way out. Any thread writes, under one lock.
 * Must not block: a reader that does not keep up costs records (counted), never the loop's time. */
#include "shared/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "shared/base/clock.h"
#include "shared/log/log_format.h"

/* How the descriptor is kept from blocking. */
enum way {
	WAY_FILE,   /* a regular file does not block */
	WAY_OWN,    /* a pipe or terminal, opened anew as our own non-blocking description */
	WAY_SOCKET, /* MSG_DONTWAIT */
	WAY_POLL,   /* could not be opened anew: asked before each write, and no more than a pipe takes at once */
};

static struct {
	pthread_mutex_t lock;
	atomic_int level;
	enum log_format format;
	char program[32];
	int fd;
	int own_fd;   /* our own description of fd, or -1 */
	dev_t device; /* what fd was at log_setup() */
	ino_t inode;
	enum way way;
	bool colour;
	struct log_ctx default_ctx;
	struct log_secrets secrets;
	/* The end of a record of which a full pipe took only the beginning: goes out before anything else. */
	char tail[2 * LOG_RECORD_MAX];
	size_t tail_len;
	uint64_t dropped_untold;
	log_observer_fn observer;
	void *observer_arg;
	_Atomic uint64_t dropped;
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_LEVEL_INFO,
	.format = LOG_FORMAT_HUMAN,
	.fd = STDERR_FILENO,
	.own_fd = -1,
	.way = WAY_POLL,
	.default_ctx = { .shard = -1 },
};

static const char *const level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_AUDIT] = "audit",
};

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&state.level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
	return (unsigned)level < LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	/* AUDIT is a kind of record, no threshold: it would silence errors. */
	for (int i = 0; i < LOG_LEVEL_AUDIT; i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	if (strcasecmp(name, "warning") == 0) {
		*ret_level = LOG_LEVEL_WARN;
		return 0;
	}
	return -EINVAL;
}

/* --- set up --------------------------------------------------------------------------------------------------------
 */

/* systemd tells in JOURNAL_STREAM which device and inode its journal stream has: true when @fd is still that one. */
static bool is_journal_stream(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(fd, &st) < 0)
		return false;
	return (unsigned long long)st.st_dev == dev && (unsigned long long)st.st_ino == ino;
}

static enum log_format resolve_format(enum log_format format, int fd)
{
	if ((unsigned)format < LOG_FORMAT_COUNT && format != LOG_FORMAT_AUTO)
		return format;
	if (is_journal_stream(fd))
		return LOG_FORMAT_JOURNAL;
	return isatty(fd) ? LOG_FORMAT_HUMAN : LOG_FORMAT_JSON;
}

/* O_NONBLOCK belongs to the open file description, which we share with whoever started us: it is never set on theirs.
 */
static enum way choose_way(int fd, int *ret_own_fd)
{
	char path[32];
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0)
		return WAY_POLL;
	if (S_ISREG(st.st_mode))
		return WAY_FILE;
	if (S_ISSOCK(st.st_mode))
		return WAY_SOCKET;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (own < 0)
		return WAY_POLL;
	*ret_own_fd = own;
	return WAY_OWN;
}

void log_setup(const struct log_options *options)
{
	const char *no_colour = getenv("NO_COLOR");
	struct stat st = { 0 };
	int own_fd = -1;
	enum way way = choose_way(options->fd, &own_fd);

	pthread_mutex_lock(&state.lock);
	if (state.own_fd >= 0)
		close(state.own_fd);
	/* The rest of a record belongs to the reader that got its beginning, whatever the descriptor's number. */
	if (fstat(options->fd, &st) < 0 || st.st_dev != state.device || st.st_ino != state.inode)
		state.tail_len = 0;
	state.device = st.st_dev;
	state.inode = st.st_ino;
	atomic_store(&state.level, (int)options->level);
	state.fd = options->fd;
	state.own_fd = own_fd;
	state.way = way;
	state.format = resolve_format(options->format, options->fd);
	state.colour = isatty(options->fd) && !(no_colour && *no_colour);
	snprintf(state.program, sizeof(state.program), "%s", options->program ? options->program : "");
	pthread_mutex_unlock(&state.lock);
}

void log_set_default(const struct log_ctx *ctx)
{
	pthread_mutex_lock(&state.lock);
	state.default_ctx = *ctx;
	pthread_mutex_unlock(&state.lock);
}

static int add_secret(const char *secret, size_t len)
{
	struct log_secrets *secrets = &state.secrets;

	for (size_t i = 0; i < secrets->count; i++) {
		if (strcmp(secrets->text[i], secret) == 0)
			return 0;
	}
	if (secrets->count == LOG_SECRETS_MAX)
		return -ENOBUFS;
	secrets->text[secrets->count] = strdup(secret);
	if (!secrets->text[secrets->count])
		return -ENOMEM;
	secrets->len[secrets->count++] = len;
	return 0;
}

int log_add_secret(const char *secret)
{
	size_t len = strlen(secret);
	int r;

	if (len < LOG_SECRET_MIN)
		return -EINVAL;
	pthread_mutex_lock(&state.lock);
	r = add_secret(secret, len);
	pthread_mutex_unlock(&state.lock);
	return r;
}

/* --- the way out ---------------------------------------------------------------------------------------------------
 */

/* Bytes written, which may be fewer than asked, or -errno; never waits. */
static ssize_t send_now(struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)count };
	struct pollfd ready = { .fd = state.fd, .events = POLLOUT };
	ssize_t n;

	do {
		switch (state.way) {
		case WAY_SOCKET:
			n = sendmsg(state.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case WAY_POLL:
			if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLOUT))
				return -EAGAIN;
			/* POLLOUT on a pipe promises one page. */
			count = 1;
			if (iov[0].iov_len > 4096)
				iov[0].iov_len = 4096;
			n = writev(state.fd, iov, count);
			break;
		default:
			n = writev(state.own_fd >= 0 ? state.own_fd : state.fd, iov, count);
			break;
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Sends the tail of the record before, then @line; a record of which nothing went out is dropped, one that was begun is
 * kept, so that the reader never sees half a line. False when @line was dropped. */
static bool send_line(const char *line, size_t len)
{
	struct iovec iov[2] = { { state.tail, state.tail_len }, { (char *)line, len } };
	ssize_t n;

	if (state.tail_len && state.way == WAY_POLL) {
		/* One piece a call here: the tail first. */
		n = send_now(iov, 1);
		if (n < (ssize_t)state.tail_len) {
			if (n > 0) {
				memmove(state.tail, state.tail + n, state.tail_len - (size_t)n);
				state.tail_len -= (size_t)n;
			}
			return false;
		}
		state.tail_len = 0;
	}
	n = state.tail_len ? send_now(iov, 2) : send_now(iov + 1, 1);
	if (n < 0)
		return false;
	if ((size_t)n < state.tail_len) {
		memmove(state.tail, state.tail + n, state.tail_len - (size_t)n);
		state.tail_len -= (size_t)n;
		return false;
	}
	n -= (ssize_t)state.tail_len;
	state.tail_len = 0;
	if (n == 0)
		return false;
	if ((size_t)n < len) {
		state.tail_len = len - (size_t)n;
		memcpy(state.tail, line + n, state.tail_len);
	}
	return true;
}

static bool send_record(const struct log_record *record)
{
	char line[2 * LOG_RECORD_MAX];
	struct iovec iov[LOG_JOURNAL_FIELDS_MAX];
	size_t len;

	switch (state.format) {
	case LOG_FORMAT_JOURNAL:
		return sd_journal_sendv(iov, log_format_journal(record, line, iov)) >= 0;
	case LOG_FORMAT_JSON:
		len = log_format_json(record, line);
		break;
	default:
		len = log_format_human(record, state.colour, line);
		break;
	}
	return send_line(line, len);
}

/* Says how many records were lost before, once there is room again. False: still none. */
static bool tell_dropped(struct log_record record)
{
	const struct log_field fields[] = {
		KV_U64("count", state.dropped_untold),
		KV_MSG("log records were dropped: the reader of this log does not keep up"),
	};

	record.level = LOG_LEVEL_WARN;
	record.event = "log.dropped";
	record.ctx = &state.default_ctx;
	record.fields = fields;
	record.field_count = sizeof(fields) / sizeof(fields[0]);
	if (!send_record(&record))
		return false;
	state.dropped_untold = 0;
	return true;
}

void log_observe(log_observer_fn fn, void *arg)
{
	pthread_mutex_lock(&state.lock);
	state.observer = fn;
	state.observer_arg = arg;
	pthread_mutex_unlock(&state.lock);
}

static void tell_observer(const struct log_record *record)
{
	const char *text = "";
	char masked[256];

	for (size_t i = 0; i < record->field_count; i++)
		if (record->fields[i].kind == LOG_KIND_STR && strcmp(record->fields[i].key, "msg") == 0 &&
		    record->fields[i].value.text)
			text = record->fields[i].value.text;
	log_format_masked(&state.secrets, text, masked, sizeof(masked));
	state.observer(state.observer_arg, record->event, record->ctx->shard, masked);
}

void log_write(enum log_level level, const struct log_ctx *ctx, const char *event, const struct log_field *fields,
	       size_t field_count)
{
	struct log_ctx own;
	struct log_record record = {
		.level = level, .event = event, .fields = fields, .field_count = field_count, .wall_ms = clock_wall_ms()
	};
	int saved = errno;

	if ((unsigned)level >= LOG_LEVEL_COUNT || level < log_get_level())
		return;
	pthread_mutex_lock(&state.lock);
	if (ctx) {
		own = *ctx;
		own.shard = own.shard < 0 ? state.default_ctx.shard : own.shard;
	}
	record.ctx = ctx ? &own : &state.default_ctx;
	record.program = state.program[0] ? state.program : NULL;
	record.secrets = &state.secrets;
	if ((state.dropped_untold && !tell_dropped(record)) || !send_record(&record)) {
		state.dropped_untold++;
		atomic_fetch_add_explicit(&state.dropped, 1, memory_order_relaxed);
	}
	if (level == LOG_LEVEL_ERROR && state.observer)
		tell_observer(&record);
	pthread_mutex_unlock(&state.lock);
	errno = saved;
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&state.dropped, memory_order_relaxed);
}
