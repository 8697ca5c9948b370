/* shoalctl dead-letters: what was set aside, and what to do with it. list and show read the files themselves, so they
 * work with every worker away; retry and drop are the owning worker's to do. Must print nothing secret, and nothing
 * that a terminal would act upon. */
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
#include "shared/kv/kv_reader.h"
#include "shared/letters/letter.h"
#include "supervisor/ctl/ctl.h"

#define ORDER_TIMEOUT_MS 15000

/* --- gathering
 * -------------------------------------------------------------------------------------------------------- */

struct box { /* one shard's letters, in one place */
	char path[PATH_MAX];
	uint32_t generation, shard_id;
	bool stage; /* in the runtime directory */
};

struct found { /* one dead letter */
	uint32_t generation, shard_id;
	struct letter letter; /* its texts lie in bytes */
	char *bytes;
	bool trying;
};

struct search {
	char state_dir[PATH_MAX];
	const char *runtime_dir;
	int64_t shard; /* -1: all */
	struct box *boxes;
	size_t box_count;
	struct found *found;
	size_t found_count, unreadable;
	const struct box *box; /* at hand */
	struct kv_reader *reader;
	char trouble[PATH_MAX + 128]; /* what could not be read */
};

static void search_finish(struct search *search)
{
	for (size_t i = 0; i < search->found_count; i++)
		free(search->found[i].bytes);
	free(search->found);
	free(search->boxes);
}

static void find_boxes(struct search *search, const char *dir, bool stage)
{
	DIR *list = opendir(dir);
	struct dirent *entry;

	if (!list) {
		if (errno != ENOENT)
			snprintf(search->trouble, sizeof(search->trouble), "%s: %s", dir, strerror(errno));
		return;
	}
	while ((entry = readdir(list))) {
		struct box box = { .stage = stage }, *boxes;

		if (!(stage ? letter_parse_stage_name : letter_parse_store_name)(entry->d_name, &box.generation,
										 &box.shard_id) ||
		    (search->shard >= 0 && box.shard_id != search->shard) ||
		    snprintf(box.path, sizeof(box.path), "%s/%s", dir, entry->d_name) >= (int)sizeof(box.path))
			continue;
		boxes = reallocarray(search->boxes, search->box_count + 1, sizeof(*boxes));
		if (!boxes)
			break;
		search->boxes = boxes;
		boxes[search->box_count++] = box;
	}
	closedir(list);
}

static struct found *known(struct search *search, const struct letter *letter)
{
	for (size_t i = 0; i < search->found_count; i++) {
		struct found *found = &search->found[i];

		if (found->letter.session == letter->session && found->letter.sequence == letter->sequence &&
		    found->shard_id == search->box->shard_id)
			return found;
	}
	return NULL;
}

static int add_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct search *search = arg;
	struct found *found, one = { .generation = search->box->generation, .shard_id = search->box->shard_id };

	one.bytes = malloc(value.len);
	if (!one.bytes)
		return -ENOMEM;
	memcpy(one.bytes, value.ptr, value.len);
	if (letter_read(key.ptr, key.len, one.bytes, value.len, &one.letter) < 0) {
		search->unreadable++;
		free(one.bytes);
		return 0;
	}
	if (known(search, &one.letter)) { /* the stage has the newer one, and comes first */
		free(one.bytes);
		return 0;
	}
	letter_blank_tokens(one.bytes + (one.letter.payload.ptr - one.bytes), one.letter.payload.len);
	found = reallocarray(search->found, search->found_count + 1, sizeof(*found));
	if (!found) {
		free(one.bytes);
		return -ENOMEM;
	}
	search->found = found;
	found[search->found_count++] = one;
	return 0;
}

/* What is parked too is being tried again. */
static int note_trying(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct search *search = arg;
	struct letter letter;
	struct found *found;

	if (letter_read(key.ptr, key.len, value.ptr, value.len, &letter) == 0 && (found = known(search, &letter)))
		found->trying = true;
	return 0;
}

/* What is gone already, though the disk does not know it yet. */
static int note_gone(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct search *search = arg;
	struct letter_state state;
	struct letter_key name;

	if (key.len != sizeof(name) || value.len != sizeof(state))
		return 0;
	memcpy(&name, key.ptr, sizeof(name));
	memcpy(&state, value.ptr, sizeof(state));
	for (size_t i = 0; i < search->found_count; i++) {
		struct found *found = &search->found[i];
		struct letter_key its = letter_key_make(found->letter.session, found->letter.sequence);

		if (memcmp(&its, &name, sizeof(its)) != 0 || found->shard_id != search->box->shard_id)
			continue;
		if (state.flags & LETTER_STATE_GONE)
			found->trying = false;
		if (!(state.flags & LETTER_STATE_DEAD_GONE))
			continue;
		free(found->bytes);
		*found = search->found[--search->found_count];
		break;
	}
	return 0;
}

/* @table of every box of one kind through @fn. */
static void each_box(struct search *search, bool stage, size_t table, kv_each_fn fn)
{
	for (size_t i = 0; i < search->box_count; i++) {
		CLEANUP(kv_reader_closep) struct kv_reader *reader = NULL;
		int r;

		search->box = &search->boxes[i];
		if (search->box->stage != stage)
			continue;
		r = kv_reader_open(search->box->path, letter_stage_tables, LETTER_STAGE_TABLE_COUNT, &reader);
		if (r == 0)
			r = kv_reader_each(reader, table, fn, search);
		if (r < 0 && r != -ENOENT)
			snprintf(search->trouble, sizeof(search->trouble), "%s: %s", search->box->path, error_text(r));
	}
}

static int older_first(const void *a, const void *b)
{
	const struct letter *left = &((const struct found *)a)->letter, *right = &((const struct found *)b)->letter;

	return (left->wall_ms > right->wall_ms) - (left->wall_ms < right->wall_ms);
}

static int gather(const struct ctl_options *options, int64_t shard, struct search *search)
{
	*search = (struct search){ .runtime_dir = options->runtime_dir, .shard = shard };
	ctl_find_state_dir(options, search->state_dir, sizeof(search->state_dir));
	find_boxes(search, search->runtime_dir, true);
	find_boxes(search, search->state_dir, false);
	each_box(search, true, LETTER_DEAD, add_row);
	each_box(search, false, LETTER_DEAD, add_row);
	each_box(search, true, LETTER_PARKED, note_trying);
	each_box(search, false, LETTER_PARKED, note_trying);
	each_box(search, true, LETTER_STATES, note_gone);
	if (search->found_count > 0)
		qsort(search->found, search->found_count, sizeof(*search->found), older_first);
	if (!search->trouble[0])
		return CTL_OK;
	fprintf(stderr, "shoalctl: %s\n", ctl_clean(search->trouble));
	return CTL_FAILED;
}

/* --- as JSON
 * ---------------------------------------------------------------------------------------------------------- */

static json_t *text_json(struct letter_text text)
{
	json_t *value = json_stringn(text.ptr ? text.ptr : "", text.len);

	return value ? value : json_string("(not readable)");
}

static bool can_retry(const struct letter *letter)
{
	return !(letter->flags & (LETTER_CUT | LETTER_UNREAD));
}

static json_t *letter_json(const struct found *found)
{
	const struct letter *letter = &found->letter;
	char id[LETTER_ID_SIZE], at[CLOCK_ISO_SIZE], guild[24];

	snprintf(guild, sizeof(guild), "%" PRIu64, letter->guild_id);
	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:I, s:s, s:I, s:I, s:b, s:b, s:b}", "id",
			 letter_id_print(found->shard_id, letter->session, letter->sequence, id), "shard",
			 (json_int_t)found->shard_id, "generation", (json_int_t)found->generation, "sequence",
			 (json_int_t)letter->sequence, "dispatch", text_json(letter->dispatch), "guild_id",
			 letter->guild_id ? guild : "", "module", text_json(letter->module), "reason",
			 text_json(letter->reason), "crashes", (json_int_t)letter->crashes, "set_aside",
			 clock_format_iso(letter->wall_ms, at), "age_s",
			 (json_int_t)(letter_age_ms(letter->wall_ms, letter->boot_ns, letter->boot) / 1000), "bytes",
			 (json_int_t)letter->full_len, "whole", !(letter->flags & LETTER_CUT), "can_retry",
			 can_retry(letter), "trying", found->trying);
}

static json_t *payload_json(const struct letter *letter)
{
	json_t *payload = letter->flags & (LETTER_CUT | LETTER_UNREAD)
				  ? NULL
				  : json_loadb(letter->payload.ptr, letter->payload.len, 0, NULL);

	return payload ? payload : text_json(letter->payload);
}

/* --- list, show
 * ------------------------------------------------------------------------------------------------------- */

static int bad_usage(void)
{
	return ctl_usage("dead-letters", "list [--shard N], show ID, retry ID..., or drop ID...");
}

static void print_list(const struct search *search)
{
	if (search->found_count == 0) {
		printf("no dead letters\n");
		return;
	}
	printf("%-24s %8s %-24s %-20s %-12s %7s  %s\n", "ID", "AGE", "EVENT", "GUILD", "MODULE", "CRASHES", "REASON");
	for (size_t i = 0; i < search->found_count; i++) {
		json_t *row = letter_json(&search->found[i]);

		printf("%-24s %8s %-24s %-20s %-12s %7" PRId64 "  %s%s\n", ctl_text(row, "id"),
		       ctl_duration(ctl_int(row, "age_s")), ctl_clean(ctl_text(row, "dispatch")),
		       ctl_text(row, "guild_id")[0] ? ctl_text(row, "guild_id") : "-",
		       ctl_text(row, "module")[0] ? ctl_clean(ctl_text(row, "module")) : "-", ctl_int(row, "crashes"),
		       ctl_clean(ctl_text(row, "reason")), search->found[i].trying ? " (being tried again)" : "");
		json_decref(row);
	}
}

static int list(int argc, char **argv, const struct ctl_options *options)
{
	struct search search;
	int64_t shard = -1;
	char *end = NULL;
	int r;

	if (argc == 2 && strcmp(argv[0], "--shard") == 0) {
		errno = 0;
		shard = strtoll(argv[1], &end, 10);
		if (errno != 0 || end == argv[1] || *end != '\0' || shard < 0 || shard > UINT32_MAX)
			return ctl_usage("dead-letters list", "--shard wants a shard's number");
	} else if (argc != 0) {
		return bad_usage();
	}
	r = gather(options, shard, &search);
	if (options->json) {
		json_t *answer = json_pack("{s:[], s:I}", "letters", "unreadable", (json_int_t)search.unreadable);

		for (size_t i = 0; i < search.found_count; i++)
			json_array_append_new(json_object_get(answer, "letters"), letter_json(&search.found[i]));
		ctl_print_json(answer);
		json_decref(answer);
	} else {
		print_list(&search);
		if (search.unreadable > 0)
			printf("%zu more can't be read by this version\n", search.unreadable);
	}
	search_finish(&search);
	return r;
}

/* Text of any length from elsewhere: what a terminal would act upon becomes '?'. */
static void print_text(struct letter_text text, const char *indent)
{
	bool begin = true;

	for (uint32_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (begin)
			fputs(indent, stdout);
		begin = c == '\n';
		putchar((c < ' ' && c != '\n') || c == 0x7F ? '?' : c);
	}
	if (!begin)
		putchar('\n');
}

static void print_letter(const struct found *found)
{
	const struct letter *letter = &found->letter;
	json_t *row = letter_json(found), *payload = payload_json(letter);
	CLEANUP(cleanup_free) char *pretty = json_is_object(payload) ? json_dumps(payload, JSON_INDENT(2)) : NULL;

	printf("letter     %s%s\n", ctl_text(row, "id"), found->trying ? " (being tried again)" : "");
	printf("event      %s, %s bytes%s\n", ctl_clean(ctl_text(row, "dispatch")), ctl_count(ctl_int(row, "bytes")),
	       json_is_true(json_object_get(row, "whole")) ? "" : ", of which the beginning is kept");
	printf("guild      %s\n", ctl_text(row, "guild_id")[0] ? ctl_text(row, "guild_id") : "-");
	printf("set aside  %s, %s ago\n", ctl_text(row, "set_aside"), ctl_duration(ctl_int(row, "age_s")));
	printf("reason     %s\n", ctl_clean(ctl_text(row, "reason")));
	printf("crashes    %" PRId64 "\n", ctl_int(row, "crashes"));
	printf("module     %s\n", ctl_text(row, "module")[0] ? ctl_clean(ctl_text(row, "module")) : "-");
	printf("retry      %s\n", can_retry(letter) ? "possible; effects that are done are not repeated"
						    : "not possible: it can't be read");
	if (letter->backtrace.len > 0) {
		printf("\nwhat the worker said:\n");
		print_text(letter->backtrace, "  ");
	}
	printf("\npayload (tokens blanked):\n");
	if (pretty)
		print_text((struct letter_text){ pretty, (uint32_t)strlen(pretty) }, "  ");
	else
		print_text(letter->payload, "  ");
	json_decref(row);
	json_decref(payload);
}

static int show(const char *text, const struct ctl_options *options)
{
	const struct found *found = NULL;
	struct search search;
	struct letter_id id;
	int r;

	if (letter_id_parse(text, &id) < 0)
		return ctl_usage("dead-letters", "that is no letter's id: they look like 3-149-9f3a1c");
	gather(options, id.shard_id, &search);
	for (size_t i = 0; i < search.found_count; i++)
		if (letter_id_is(&id, search.found[i].letter.session, search.found[i].letter.sequence))
			found = &search.found[i];
	if (!found) {
		r = ctl_fail(options, CTL_FAILED, "ENOENT",
			     "there is no such dead letter (shoalctl dead-letters list)");
	} else if (options->json) {
		json_t *answer = letter_json(found);

		json_object_set_new(answer, "backtrace", text_json(found->letter.backtrace));
		json_object_set_new(answer, "payload", payload_json(&found->letter));
		ctl_print_json(answer);
		json_decref(answer);
		r = CTL_OK;
	} else {
		print_letter(found);
		r = CTL_OK;
	}
	search_finish(&search);
	return r;
}

/* --- retry, drop
 * ------------------------------------------------------------------------------------------------------ */

static int order(const char *op, const char *letter, const struct ctl_options *options, json_t *results)
{
	uint64_t wait_ms = options->timeout_given ? options->timeout_ms : ORDER_TIMEOUT_MS;
	json_t *answer = NULL, *result = json_pack("{s:s}", "id", letter);
	bool ok;
	int r;

	r = control_call(options->runtime_dir,
			 json_pack("{s:s, s:s, s:s}", "verb", "dead_letter", "op", op, "letter", letter), wait_ms, NULL,
			 NULL, &answer);
	if (r < 0 || !answer) {
		json_decref(result);
		return ctl_judge(options, r < 0 ? r : -EPROTO, answer, wait_ms);
	}
	ok = json_is_true(json_object_get(answer, "ok"));
	json_object_set_new(result, "ok", json_boolean(ok));
	if (!ok) {
		json_object_set(result, "error", json_object_get(answer, "error"));
		json_object_set(result, "message", json_object_get(answer, "message"));
		fprintf(stderr, "shoalctl: %s: %s\n", ctl_clean(letter), ctl_clean(ctl_text(answer, "message")));
	} else if (!options->json) {
		printf("%s %s\n", letter, strcmp(op, "retry") == 0 ? "handled" : "dropped");
	}
	json_array_append_new(results, result);
	json_decref(answer);
	return ok ? CTL_OK : CTL_FAILED;
}

static int order_all(const char *op, int argc, char **argv, const struct ctl_options *options)
{
	json_t *results = json_array();
	struct letter_id id;
	int r = CTL_OK, one = CTL_OK;

	for (int i = 0; i < argc; i++) {
		if (letter_id_parse(argv[i], &id) < 0) {
			json_decref(results);
			return ctl_usage("dead-letters", "that is no letter's id: they look like 3-149-9f3a1c");
		}
	}
	for (int i = 0; i < argc && one != CTL_UNREACHABLE; i++) {
		one = order(op, argv[i], options, results);
		r = one != CTL_OK ? one : r;
	}
	if (options->json && one != CTL_UNREACHABLE) {
		json_t *answer = json_pack("{s:O}", "letters", results);

		ctl_print_json(answer);
		json_decref(answer);
	}
	json_decref(results);
	return r;
}

int ctl_dead_letters(int argc, char **argv, const struct ctl_options *options)
{
	if (argc >= 2 && strcmp(argv[1], "list") == 0)
		return list(argc - 2, argv + 2, options);
	if (argc == 3 && strcmp(argv[1], "show") == 0)
		return show(argv[2], options);
	if (argc >= 3 && (strcmp(argv[1], "retry") == 0 || strcmp(argv[1], "drop") == 0))
		return order_all(argv[1], argc - 2, argv + 2, options);
	return bad_usage();
}
