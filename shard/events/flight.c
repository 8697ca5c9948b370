/* Recordings of a ring. Captured on the loop (a copy of at most a ring), written by a helper thread. Must not leave
 * half a file under its name: it is written beside, synced and renamed. */
#include "shard/events/flight.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "shared/base/buf.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/letters/letter.h"

#define FOLDER     "flight"
#define SUFFIX     ".flight"
#define UNFINISHED ".new"
#define HEAD_MAX   (16 * 1024)
#define FILES_MAX  4096
#define NAME_SIZE  128
#define REPORT_MAX 1024

struct flight {
	char folder[FLIGHT_PATH_SIZE - NAME_SIZE];
	char path[FLIGHT_PATH_SIZE];
	uint32_t keep;
	uint64_t max_bytes;
	struct buf bytes;
};

/* --- capturing
 * -------------------------------------------------------------------------------------------------------- */

static const char *state_name(enum inbox_state state)
{
	static const char *const names[] = {
		[INBOX_TAKEN] = "taken", [INBOX_STARTED] = "started", [INBOX_DONE] = "done"
	};

	return (size_t)state < ARRAY_SIZE(names) && names[state] ? names[state] : "done";
}

static const char *culprit_of(const struct inbox *inbox, const struct inbox_record *record)
{
	uint64_t mark = inbox_mark(inbox), session, sequence;

	if (mark & INBOX_MARK_ELSEWHERE) {
		inbox_mark_elsewhere(inbox, &session, &sequence);
		if (session != record->session || sequence != record->sequence)
			return NULL;
	} else if ((mark & ~INBOX_MARK_APPLY) != record->position + 1) {
		return NULL;
	}
	return mark & INBOX_MARK_APPLY ? "apply" : "handler";
}

static int add_record(struct flight *flight, const struct inbox *inbox, const struct inbox_record *record)
{
	const char *culprit = culprit_of(inbox, record);
	size_t begin;
	int r;

	r = buf_printf(&flight->bytes,
		       "{\"len\":%" PRIu32 ",\"seq\":%" PRIu64 ",\"session\":\"%016" PRIx64
		       "\",\"state\":\"%s\",\"crashes\":%" PRIu32 "%s%s%s}\n",
		       record->len, record->sequence, record->session, state_name(record->state), record->crashes,
		       culprit ? ",\"culprit\":\"" : "", culprit ? culprit : "", culprit ? "\"" : "");
	begin = flight->bytes.len;
	if (r == 0)
		r = buf_append(&flight->bytes, record->payload, record->len);
	if (r == 0)
		r = buf_append_char(&flight->bytes, '\n');
	if (r == 0)
		letter_blank_tokens(flight->bytes.data + begin, record->len);
	return r;
}

struct extent {
	uint64_t first; /* position from which on it fits */
	uint32_t count;
};

/* The newest records that fit. */
static struct extent measure(const struct inbox *inbox, uint64_t max_bytes)
{
	struct extent extent = { 0 };
	struct inbox_record record;
	uint64_t next = 0, total = 0, from;

	while (inbox_history(inbox, next, &record) == 0) {
		total += record.len;
		extent.count++;
		next = record.position + 1;
	}
	for (from = 0; total > max_bytes && inbox_history(inbox, from, &record) == 0; from = record.position + 1) {
		total -= record.len;
		extent.count--;
		extent.first = record.position + 1;
	}
	return extent;
}

static int add_head(struct flight *flight, const struct flight_options *options, uint32_t records)
{
	char saved[CLOCK_ISO_SIZE], report[REPORT_MAX + 1] = "";
	CLEANUP(cleanup_free) char *text = NULL;
	json_t *head, *crash;
	int r;

	clock_format_iso(clock_wall_ms(), saved);
	if (options->report)
		snprintf(report, sizeof(report), "%s", options->report);
	crash = json_string(report);
	head = json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:o}", "shard", (json_int_t)options->shard_id, "shard_count",
			 (json_int_t)options->shard_count, "generation", (json_int_t)options->generation, "build_id",
			 shoal_build_id, "saved", saved, "records", (json_int_t)records, "crash",
			 crash ? crash : json_string(""));
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (!text)
		return -ENOMEM;
	r = buf_append_str(&flight->bytes, FLIGHT_FIRST_LINE);
	if (r == 0)
		r = buf_append_str(&flight->bytes, text);
	return r == 0 ? buf_append_char(&flight->bytes, '\n') : r;
}

/* Names come in order of time; two in one millisecond are told apart by the shard. */
static int make_path(struct flight *flight, const struct flight_options *options)
{
	char saved[CLOCK_ISO_SIZE];
	char *at;

	clock_format_iso(clock_wall_ms(), saved);
	for (at = saved; *at; at++)
		*at = *at == ':' ? '-' : *at;
	if (snprintf(flight->folder, sizeof(flight->folder), "%s/" FOLDER, options->state_dir) >=
	    (int)sizeof(flight->folder))
		return -ENAMETOOLONG;
	snprintf(flight->path, sizeof(flight->path), "%s/%s-shard%" PRIu32 SUFFIX, flight->folder, saved,
		 options->shard_id);
	return 0;
}

int flight_capture(const struct flight_options *options, const struct inbox *inbox, struct flight **ret_flight)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct extent extent = measure(inbox, options->max_bytes > HEAD_MAX ? options->max_bytes - HEAD_MAX : 0);
	struct inbox_record record;
	uint64_t next = extent.first;
	uint32_t added = 0;
	int r;

	if (!flight)
		return -ENOMEM;
	buf_init(&flight->bytes, 2 * inbox_size(inbox) + HEAD_MAX);
	flight->keep = options->keep;
	flight->max_bytes = options->max_bytes;
	r = extent.count > 0 ? make_path(flight, options) : -ENODATA;
	if (r == 0)
		r = add_head(flight, options, extent.count);
	for (; r == 0 && added < extent.count && inbox_history(inbox, next, &record) == 0; added++) {
		r = add_record(flight, inbox, &record);
		next = record.position + 1;
	}
	if (r < 0) {
		flight_free(flight);
		return r;
	}
	*ret_flight = flight;
	return 0;
}

struct flight *flight_free(struct flight *flight)
{
	if (!flight)
		return NULL;
	buf_finish(&flight->bytes);
	free(flight);
	return NULL;
}

const char *flight_path(const struct flight *flight)
{
	return flight->path;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const struct flight *flight, const char *path)
{
	CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, flight->bytes.data, flight->bytes.len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

struct file {
	char name[NAME_SIZE];
	uint64_t bytes;
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* Recordings in @folder in order of time; the caller's. */
static int list_files(const char *folder, struct file **ret_files, size_t *ret_count)
{
	DIR *dir = opendir(folder);
	struct file *files = calloc(FILES_MAX, sizeof(*files));
	struct dirent *entry;
	size_t count = 0;

	if (!dir || !files) {
		int r = dir ? -ENOMEM : -errno;

		free(files);
		if (dir)
			closedir(dir);
		return r;
	}
	while (count < FILES_MAX && (entry = readdir(dir))) {
		struct stat st;

		if (!ends_with(entry->d_name, SUFFIX) || strlen(entry->d_name) >= NAME_SIZE ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(files[count].name, NAME_SIZE, "%.*s", NAME_SIZE - 1, entry->d_name);
		files[count++].bytes = (uint64_t)st.st_size;
	}
	closedir(dir);
	qsort(files, count, sizeof(*files), by_name);
	*ret_files = files;
	*ret_count = count;
	return 0;
}

/* Halves that a worker of this shard left when it was killed. */
static void remove_halves(const struct flight *flight)
{
	DIR *dir = opendir(flight->folder);
	const char *shard = strstr(flight->path + strlen(flight->folder), "-shard");
	struct dirent *entry;
	char end[NAME_SIZE];

	if (!dir)
		return;
	snprintf(end, sizeof(end), "%s" UNFINISHED, shard ? shard : SUFFIX);
	while ((entry = readdir(dir))) {
		if (ends_with(entry->d_name, end))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

static void remove_file(const char *folder, const char *name)
{
	char path[FLIGHT_PATH_SIZE + NAME_SIZE];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

/* Makes room before a new one is written: on a small disk that may be what it needs. */
static void prune(const struct flight *flight)
{
	CLEANUP(cleanup_free) struct file *files = NULL;
	uint64_t total = flight->bytes.len;
	size_t count, i, first = 0;

	if (list_files(flight->folder, &files, &count) < 0)
		return;
	for (i = 0; i < count; i++)
		total += files[i].bytes;
	while (first < count && (count - first + 1 > flight->keep || total > flight->max_bytes)) {
		remove_file(flight->folder, files[first].name);
		total -= files[first++].bytes;
	}
}

int flight_save(void *arg)
{
	struct flight *flight = arg;
	char path[FLIGHT_PATH_SIZE + sizeof(UNFINISHED)];
	int r;

	if (mkdir(flight->folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	remove_halves(flight);
	prune(flight);
	snprintf(path, sizeof(path), "%s" UNFINISHED, flight->path);
	r = write_file(flight, path);
	if (r == 0 && rename(path, flight->path) < 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return r;
}

/* --- a member's wish
 * -------------------------------------------------------------------------------------------------- */

static int read_file(const char *path, struct buf *out)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	out->max = (size_t)st.st_size;
	if (buf_reserve(out, (size_t)st.st_size) < 0)
		return -ENOMEM;
	while (out->len < (size_t)st.st_size && (n = read(fd, out->data + out->len, (size_t)st.st_size - out->len)) > 0)
		out->len += (size_t)n;
	return n < 0 ? -errno : 0;
}

int flight_forget_user(const char *state_dir, uint64_t user_id)
{
	CLEANUP(cleanup_free) struct file *files = NULL;
	char folder[FLIGHT_PATH_SIZE - NAME_SIZE];
	size_t count, i;
	int r, gone = 0;

	if (snprintf(folder, sizeof(folder), "%s/" FOLDER, state_dir) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	r = list_files(folder, &files, &count);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (i = 0; r == 0 && i < count; i++) {
		CLEANUP(buf_finish) struct buf bytes = { 0 };
		char path[FLIGHT_PATH_SIZE + NAME_SIZE];

		snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
		r = read_file(path, &bytes);
		if (r == -ENOENT)
			r = 0;
		else if (r == 0 && bytes.len > 0 && letter_mentions(bytes.data, bytes.len, user_id)) {
			remove_file(folder, files[i].name);
			gone++;
		}
	}
	return r < 0 ? r : gone;
}
