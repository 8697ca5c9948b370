/* shoalctl outbox: writes that wait for PostgreSQL, and those that it refused for good. status and list read the files
 * themselves, so they work with every worker away; retry and drop are the owning worker's to do. Prints no value: it
 * may be a member's word. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/outbox_look.h"
#include "supervisor/ctl/ctl.h"

#define ORDER_TIMEOUT_MS 15000
#define ID_SIZE          48

/* One file, and what is in it. */
struct box {
	char path[PATH_MAX];
	uint32_t shard_id, shard_count;
	struct outbox_look look;
	int error;
};

struct boxes {
	struct box *rows;
	size_t count;
	char trouble[PATH_MAX + 64]; /* what could not be read */
};

/* --- gathering ---------------------------------------------------------------------------------------------------- */

static void boxes_finish(struct boxes *boxes)
{
	for (size_t i = 0; i < boxes->count; i++) {
		outbox_list_clear(&boxes->rows[i].look.waiting);
		outbox_list_clear(&boxes->rows[i].look.dead);
	}
	free(boxes->rows);
}

static int by_shard(const void *a, const void *b)
{
	const struct box *left = a, *right = b;

	if (left->shard_count != right->shard_count)
		return left->shard_count < right->shard_count ? -1 : 1;
	return (left->shard_id > right->shard_id) - (left->shard_id < right->shard_id);
}

static void find_boxes(struct boxes *boxes, const char *folder, int64_t shard)
{
	DIR *dir = opendir(folder);
	struct dirent *one;

	if (!dir && errno != ENOENT)
		snprintf(boxes->trouble, sizeof(boxes->trouble), "%s: %s", folder, strerror(errno));
	while (dir && (one = readdir(dir))) {
		struct box box = { 0 }, *rows;

		if (!outbox_look_parse_name(one->d_name, &box.shard_id, &box.shard_count) ||
		    (shard >= 0 && box.shard_id != shard) ||
		    snprintf(box.path, sizeof(box.path), "%s/%s", folder, one->d_name) >= (int)sizeof(box.path))
			continue;
		rows = reallocarray(boxes->rows, boxes->count + 1, sizeof(*rows));
		if (!rows)
			break;
		boxes->rows = rows;
		rows[boxes->count++] = box;
	}
	if (dir)
		closedir(dir);
}

static int gather(const struct ctl_options *options, int64_t shard, struct boxes *boxes)
{
	char state_dir[PATH_MAX], folder[PATH_MAX + 16];

	*boxes = (struct boxes){ 0 };
	ctl_find_state_dir(options, state_dir, sizeof(state_dir));
	snprintf(folder, sizeof(folder), "%s/outbox", state_dir);
	find_boxes(boxes, folder, shard);
	if (boxes->count > 0)
		qsort(boxes->rows, boxes->count, sizeof(*boxes->rows), by_shard);
	for (size_t i = 0; i < boxes->count; i++) {
		struct box *box = &boxes->rows[i];

		box->error = outbox_look(box->path, &box->look);
		if (box->error < 0 && box->error != -ENOENT)
			snprintf(boxes->trouble, sizeof(boxes->trouble), "%s: %s", box->path, error_text(box->error));
	}
	if (!boxes->trouble[0])
		return CTL_OK;
	fprintf(stderr, "shoalctl: %s\n", ctl_clean(boxes->trouble));
	return CTL_FAILED;
}

static int64_t age_s(int64_t wall_ms)
{
	int64_t age_ms = clock_wall_ms() - wall_ms;

	return age_ms > 0 ? age_ms / 1000 : 0;
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static json_t *box_json(const struct box *box)
{
	const struct outbox_entry *oldest = box->look.waiting.first;

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "shard", (json_int_t)box->shard_id, "shard_count",
		(json_int_t)box->shard_count, "waiting", (json_int_t)box->look.waiting.count, "dead",
		(json_int_t)box->look.dead.count, "bytes", (json_int_t)(box->look.waiting.bytes + box->look.dead.bytes),
		"oldest_s", (json_int_t)(oldest ? age_s(oldest->created_ms) : 0), "unreadable",
		(json_int_t)box->look.unreadable, "damaged_files", (json_int_t)box->look.aside, "file", box->path);
}

static void print_status(const struct boxes *boxes)
{
	size_t waiting = 0, dead = 0;

	for (size_t i = 0; i < boxes->count; i++) {
		waiting += boxes->rows[i].look.waiting.count;
		dead += boxes->rows[i].look.dead.count;
	}
	printf("%s writes wait for PostgreSQL, %s are set aside\n", ctl_count((int64_t)waiting),
	       ctl_count((int64_t)dead));
	if (waiting + dead == 0)
		return;
	printf("\n%8s %8s %8s %10s %10s\n", "SHARD", "WAITING", "DEAD", "OLDEST", "SIZE");
	for (size_t i = 0; i < boxes->count; i++) {
		const struct box *box = &boxes->rows[i];
		const struct outbox_entry *oldest = box->look.waiting.first;

		if (box->look.waiting.count + box->look.dead.count + box->look.aside == 0)
			continue;
		printf("%4" PRIu32 "/%-3" PRIu32 " %8zu %8zu %10s %10s%s\n", box->shard_id, box->shard_count,
		       box->look.waiting.count, box->look.dead.count,
		       oldest ? ctl_duration(age_s(oldest->created_ms)) : "-",
		       ctl_kib((int64_t)((box->look.waiting.bytes + box->look.dead.bytes + 1023) / 1024)),
		       box->look.aside > 0 ? "  (damaged files are kept beside it)" : "");
	}
}

static int status(int argc, char **argv, const struct ctl_options *options)
{
	struct boxes boxes;
	json_t *answer;
	int r;

	(void)argv;
	if (argc != 0)
		return ctl_usage("outbox status", "takes no arguments");
	r = gather(options, -1, &boxes);
	if (options->json) {
		answer = json_pack("{s:[]}", "outboxes");
		for (size_t i = 0; i < boxes.count; i++)
			json_array_append_new(json_object_get(answer, "outboxes"), box_json(&boxes.rows[i]));
		ctl_print_json(answer);
		json_decref(answer);
	} else {
		print_status(&boxes);
	}
	boxes_finish(&boxes);
	return r;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static json_t *entry_json(const struct box *box, const struct outbox_entry *entry)
{
	char id[ID_SIZE], key[24], user[24], created[CLOCK_ISO_SIZE];

	snprintf(id, sizeof(id), "%" PRIu32 "-%" PRIu64, box->shard_id, entry->seq);
	snprintf(key, sizeof(key), "%" PRIu64, entry->key.id);
	snprintf(user, sizeof(user), "%" PRIu64, entry->user_id);
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:I}", "id", id,
			 "shard", (json_int_t)box->shard_id, "shard_count", (json_int_t)box->shard_count, "state",
			 entry->died_ms ? "dead" : "waiting", "owner", entry->owner, "statement", entry->statement,
			 "key", key, "key_name", entry->key.name, "user_id", user, "created",
			 clock_format_iso(entry->created_ms, created), "age_s",
			 (json_int_t)age_s(entry->died_ms ? entry->died_ms : entry->created_ms), "tries",
			 (json_int_t)entry->tries, "error", entry->error ? error_name(entry->error) : "", "reason",
			 entry->reason, "bytes", (json_int_t)entry->bytes);
}

static void append(json_t *rows, const struct box *box, const struct outbox_list *list)
{
	for (const struct outbox_entry *entry = list->first; entry; entry = entry->next) {
		json_t *row = entry_json(box, entry);

		json_array_append_new(rows, row ? row : json_string("(not readable)"));
	}
}

static void print_list(const json_t *rows)
{
	const json_t *row;
	size_t i;

	if (json_array_size(rows) == 0) {
		printf("nothing waits and nothing is set aside\n");
		return;
	}
	printf("%-16s %-8s %8s %-28s %-20s %-28s %5s  %s\n", "ID", "STATE", "AGE", "STATEMENT", "GUILD OR USER",
	       "VALUE OF", "TRIES", "REASON");
	json_array_foreach(rows, i, row)
	{
		char statement[2 * OUTBOX_NAME_MAX + 2];

		snprintf(statement, sizeof(statement), "%s.%s", ctl_text(row, "owner"), ctl_text(row, "statement"));
		printf("%-16s %-8s %8s %-28s %-20s %-28s %5" PRId64 "  %s\n", ctl_text(row, "id"),
		       ctl_text(row, "state"), ctl_duration(ctl_int(row, "age_s")), ctl_clean(statement),
		       ctl_text(row, "key"), ctl_clean(ctl_text(row, "key_name")), ctl_int(row, "tries"),
		       ctl_clean(ctl_text(row, "reason")));
	}
}

static bool parse_shard(const char *text, int64_t *ret_shard)
{
	char *end;

	errno = 0;
	*ret_shard = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *ret_shard >= 0 && *ret_shard <= UINT32_MAX;
}

static int list(int argc, char **argv, const struct ctl_options *options)
{
	bool dead_only = false;
	int64_t shard = -1;
	struct boxes boxes;
	json_t *answer, *rows = json_array();
	int r;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--dead") == 0) {
			dead_only = true;
		} else if (strcmp(argv[i], "--shard") != 0 || i + 1 >= argc || !parse_shard(argv[++i], &shard)) {
			json_decref(rows);
			return ctl_usage("outbox list", "[--dead] [--shard N]");
		}
	}
	r = gather(options, shard, &boxes);
	for (size_t i = 0; i < boxes.count; i++) {
		if (!dead_only)
			append(rows, &boxes.rows[i], &boxes.rows[i].look.waiting);
		append(rows, &boxes.rows[i], &boxes.rows[i].look.dead);
	}
	if (options->json) {
		answer = json_pack("{s:O}", "entries", rows);
		ctl_print_json(answer);
		json_decref(answer);
	} else {
		print_list(rows);
	}
	json_decref(rows);
	boxes_finish(&boxes);
	return r;
}

/* --- retry, drop -------------------------------------------------------------------------------------------------- */

static bool parse_id(const char *text, uint32_t *ret_shard, uint64_t *ret_entry)
{
	char again[ID_SIZE];

	if (sscanf(text, "%" SCNu32 "-%" SCNu64, ret_shard, ret_entry) != 2 || *ret_entry == 0 ||
	    *ret_entry > INT64_MAX)
		return false;
	snprintf(again, sizeof(again), "%" PRIu32 "-%" PRIu64, *ret_shard, *ret_entry);
	return strcmp(again, text) == 0;
}

/* @entry 0: all of the shard. */
static int order(const char *op, uint32_t shard, uint64_t entry, const struct ctl_options *options, json_t *results)
{
	uint64_t wait_ms = options->timeout_given ? options->timeout_ms : ORDER_TIMEOUT_MS;
	json_t *answer = NULL, *result;
	char id[ID_SIZE];
	bool ok;
	int r;

	snprintf(id, sizeof(id), entry ? "%" PRIu32 "-%" PRIu64 : "%" PRIu32, shard, entry);
	r = control_call(options->runtime_dir,
			 json_pack("{s:s, s:s, s:I, s:I}", "verb", "outbox", "op", op, "shard", (json_int_t)shard,
				   "entry", (json_int_t)entry),
			 wait_ms, NULL, NULL, &answer);
	if (r < 0 || !answer)
		return ctl_judge(options, r < 0 ? r : -EPROTO, answer, wait_ms);
	ok = json_is_true(json_object_get(answer, "ok"));
	result = json_pack("{s:s, s:b}", "id", id, "ok", ok);
	if (!ok) {
		json_object_set(result, "error", json_object_get(answer, "error"));
		json_object_set(result, "message", json_object_get(answer, "message"));
		fprintf(stderr, "shoalctl: %s: %s\n", id, ctl_clean(ctl_text(answer, "message")));
	} else if (!options->json) {
		printf("%s%s %s\n", entry ? "" : "all of shard ", id,
		       strcmp(op, "retry") == 0 ? "waits again to be written" : "dropped");
	}
	json_array_append_new(results, result);
	json_decref(answer);
	return ok ? CTL_OK : CTL_FAILED;
}

/* All dead letters there are. */
static int order_everything(const char *op, const struct ctl_options *options, json_t *results)
{
	struct boxes boxes;
	int r, one;

	r = gather(options, -1, &boxes);
	for (size_t i = 0; i < boxes.count && r != CTL_UNREACHABLE; i++) {
		if (boxes.rows[i].look.dead.count == 0)
			continue;
		one = order(op, boxes.rows[i].shard_id, 0, options, results);
		r = one != CTL_OK ? one : r;
	}
	boxes_finish(&boxes);
	return r;
}

static int order_all(const char *op, int argc, char **argv, const struct ctl_options *options)
{
	bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
	json_t *results = json_array(), *answer;
	int r = CTL_OK, one = CTL_OK;
	uint32_t shard;
	uint64_t entry;

	for (int i = 0; i < argc && !all; i++) {
		if (!parse_id(argv[i], &shard, &entry)) {
			json_decref(results);
			return ctl_usage("outbox", "that is no entry's id: they look like 3-17 (shoalctl outbox list)");
		}
	}
	if (all)
		r = one = order_everything(op, options, results);
	for (int i = 0; i < argc && !all && one != CTL_UNREACHABLE; i++) {
		parse_id(argv[i], &shard, &entry);
		one = order(op, shard, entry, options, results);
		r = one != CTL_OK ? one : r;
	}
	if (options->json && one != CTL_UNREACHABLE) {
		answer = json_pack("{s:O}", "entries", results);
		ctl_print_json(answer);
		json_decref(answer);
	}
	json_decref(results);
	return r;
}

int ctl_outbox(int argc, char **argv, const struct ctl_options *options)
{
	if (argc >= 2 && strcmp(argv[1], "status") == 0)
		return status(argc - 2, argv + 2, options);
	if (argc >= 2 && strcmp(argv[1], "list") == 0)
		return list(argc - 2, argv + 2, options);
	if (argc >= 3 && (strcmp(argv[1], "retry") == 0 || strcmp(argv[1], "drop") == 0))
		return order_all(argv[1], argc - 2, argv + 2, options);
	return ctl_usage("outbox", "status, list [--dead] [--shard N], retry ID...|--all, or drop ID...|--all");
}
