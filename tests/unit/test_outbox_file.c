/* The outbox's record and file: there and back, hostile bytes, damage of every page, a writer killed before each of its
 * system calls, a disk without room. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/outbox_file.h"
#include "tests/unit/tmpdir.h"

#define PAGE 4096

static char dir[TMPDIR_SIZE];

static const struct statement statement = {
	.name = "all",
	.sql = "SELECT 1",
	.params = { DB_TYPE_INT8, DB_TYPE_BOOL, DB_TYPE_DOUBLE, DB_TYPE_TEXT, DB_TYPE_JSONB, DB_TYPE_BYTEA,
		    DB_TYPE_TIMESTAMPTZ, DB_TYPE_TEXT, DB_TYPE_INT8_ARRAY, DB_TYPE_TEXT_ARRAY },
};

static int set_up(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static struct outbox_entry *entry_of(int64_t n)
{
	struct db_param numbers[] = { DB_INT8(n), DB_NULL(DB_TYPE_INT8), DB_INT8(-n) };
	struct db_param texts[] = { DB_TEXT("ein", 3), DB_TEXT("", 0) };
	struct db_param params[] = { DB_INT8(n),
				     DB_BOOL(n % 2),
				     DB_DOUBLE((double)n / 3),
				     DB_TEXT("grün", 5),
				     DB_JSONB("{\"a\":1}", 7),
				     DB_BYTEA("\0\1\2", 3),
				     DB_TIME(1700000000000 + n),
				     DB_NULL(DB_TYPE_TEXT),
				     DB_ARRAY(DB_TYPE_INT8_ARRAY, numbers, (size_t)(n % 4)),
				     DB_ARRAY(DB_TYPE_TEXT_ARRAY, texts, 2) };
	struct outbox_write write = { .owner = "test",
				      .statement = "all",
				      .params = params,
				      .param_count = ARRAY_SIZE(params),
				      .key = { (uint64_t)n, "thing/name" },
				      .user_id = 77,
				      .value = n % 3 ? "\"value\"" : NULL,
				      .value_len = n % 3 ? 7 : 0 };
	struct outbox_entry *entry = NULL;

	assert_int_equal(outbox_entry_new(&write, &statement, &entry), 0);
	return entry;
}

static void check_entry(const struct outbox_entry *entry)
{
	int64_t n = entry->params[0].value.i;

	assert_string_equal(entry->owner, "test");
	assert_string_equal(entry->statement, "all");
	assert_string_equal(entry->key.name, "thing/name");
	assert_int_equal(entry->key.id, n);
	assert_int_equal(entry->user_id, 77);
	assert_int_equal(entry->param_count, 10);
	assert_int_equal(entry->params[1].value.b, n % 2);
	assert_true(fabs(entry->params[2].value.d - (double)n / 3) < 1e-9);
	assert_string_equal(entry->params[3].value.text.bytes, "grün");
	assert_int_equal(entry->params[4].type, DB_TYPE_JSONB);
	assert_memory_equal(entry->params[5].value.text.bytes, "\0\1\2", 3);
	assert_int_equal(entry->params[6].value.i, 1700000000000 + n);
	assert_true(entry->params[7].null);
	assert_int_equal(entry->params[8].type, DB_TYPE_INT8_ARRAY);
	assert_int_equal(entry->params[8].value.array.count, n % 4);
	for (size_t i = 0; i < (size_t)(n % 4); i++)
		assert_int_equal(entry->params[8].value.array.elements[i].null, i == 1);
	if (n % 4 == 3)
		assert_int_equal(entry->params[8].value.array.elements[2].value.i, -n);
	assert_string_equal(entry->params[9].value.array.elements[0].value.text.bytes, "ein");
	assert_int_equal(entry->params[9].value.array.elements[1].value.text.len, 0);
	if (n % 3)
		assert_string_equal(entry->value, "\"value\"");
	else
		assert_null(entry->value);
}

/* --- the record --- */

static void a_record_comes_back_as_it_was(void **state)
{
	struct outbox_entry *entry = entry_of(43), *back = NULL;
	char bytes[8192];
	size_t len;

	(void)state;
	entry->seq = 9;
	entry->source = 123;
	entry->number = 9;
	entry->epoch = 4;
	entry->tries = 3;
	entry->died_ms = 99;
	entry->error = -EBADMSG;
	strcpy(entry->reason, "no good");
	len = outbox_entry_encode(entry, bytes);
	assert_true(len <= entry->bytes);
	assert_int_equal(outbox_entry_sniff(bytes, sizeof(bytes)), len);
	assert_int_equal(outbox_entry_decode(bytes, len, &back), 0);
	check_entry(back);
	assert_int_equal(back->seq, 9);
	assert_int_equal(back->source, 123);
	assert_int_equal(back->epoch, 4);
	assert_int_equal(back->created_ms, entry->created_ms);
	assert_int_equal(back->died_ms, 99);
	assert_int_equal(back->error, -EBADMSG);
	assert_string_equal(back->reason, "no good");
	outbox_entry_free(back);
	outbox_entry_free(entry);
}

/* Each bit flipped, each length cut: refused, never read beyond. */
static void hostile_records_are_refused(void **state)
{
	struct outbox_entry *entry = entry_of(5), *back;
	char bytes[4096], *exact;
	size_t len;

	(void)state;
	entry->seq = entry->source = entry->number = 1;
	len = outbox_entry_encode(entry, bytes);
	for (size_t cut = 0; cut < len; cut++) {
		exact = malloc(cut + 1);
		memcpy(exact, bytes, cut);
		assert_int_equal(outbox_entry_decode(exact, cut, &back), -SHOAL_EDAMAGED);
		outbox_entry_sniff(exact, cut);
		free(exact);
	}
	exact = malloc(len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(exact, bytes, len);
		exact[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(outbox_entry_decode(exact, len, &back), -SHOAL_EDAMAGED);
		outbox_entry_sniff(exact, len);
	}
	free(exact);
	outbox_entry_free(entry);
}

static void what_can_not_be_kept_is_refused(void **state)
{
	struct statement row = { .name = "one", .sql = "SELECT $1", .params = { DB_TYPE_TEXT } };
	struct db_param elements[] = { DB_INT8(1) }, param = DB_TEXT("a\0b", 3);
	struct outbox_write write = {
		.owner = "test", .statement = "one", .params = &param, .param_count = 1, .key = { 1, "k" }
	};
	struct outbox_entry *entry;
	char *large = calloc(1, OUTBOX_RECORD_MAX + 1), name[OUTBOX_NAME_MAX + 2];

	(void)state;
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EINVAL);
	param = DB_INT8(1);
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EINVAL);
	row.params[0] = DB_TYPE_TEXT_ARRAY;
	param = DB_ARRAY(DB_TYPE_TEXT_ARRAY, elements, 1); /* of numbers */
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EINVAL);
	row.params[0] = DB_TYPE_TEXT;
	memset(large, 'x', OUTBOX_RECORD_MAX);
	param = DB_TEXT(large, OUTBOX_RECORD_MAX);
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EMSGSIZE);
	param = DB_TEXT("x", 1);
	memset(name, 'n', sizeof(name));
	name[OUTBOX_NAME_MAX + 1] = '\0';
	write.key.name = name;
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EINVAL);
	name[OUTBOX_NAME_MAX] = '\0';
	assert_int_equal(outbox_entry_new(&write, &row, &entry), 0);
	outbox_entry_free(entry);
	write.param_count = 0;
	assert_int_equal(outbox_entry_new(&write, &row, &entry), -EINVAL);
	free(large);
}

/* --- the file --- */

static struct outbox_file_options options_of(uint32_t max_mib)
{
	struct outbox_file_options options = { .max_mib = max_mib };

	assert_int_equal(outbox_file_path(dir, 3, 16, options.path), 0);
	return options;
}

static struct outbox_file *open_file(struct outbox_found *found)
{
	struct outbox_file_options options = options_of(4);
	struct outbox_file *file = NULL;

	assert_int_equal(outbox_file_open(&options, found, &file), 0);
	return file;
}

static void found_clear(struct outbox_found *found)
{
	outbox_list_clear(&found->waiting);
	outbox_list_clear(&found->dead);
}

/* Puts entry @n; returns its place. */
static uint64_t put(struct outbox_file *file, int64_t n)
{
	struct outbox_entry *entry = entry_of(n);
	uint64_t seq;

	assert_int_equal(outbox_file_put(file, entry), 0);
	seq = entry->seq;
	outbox_entry_free(entry);
	return seq;
}

static void fill(int64_t count)
{
	struct outbox_found found;
	struct outbox_file *file = open_file(&found);

	found_clear(&found);
	for (int64_t n = 1; n <= count; n++)
		put(file, n);
	assert_int_equal(outbox_file_commit(file), 0);
	outbox_file_close(file);
}

static void entries_come_back_in_order(void **state)
{
	struct outbox_found found;
	struct outbox_file *file = open_file(&found);
	uint64_t seqs[6], last = 0, source;
	struct outbox_entry *entry;
	int64_t n;

	(void)state;
	assert_true(found.fresh);
	for (n = 0; n < 6; n++)
		seqs[n] = put(file, n + 1);
	assert_int_equal(outbox_file_commit(file), 0);
	assert_int_equal(outbox_file_delete(file, seqs[0], false), 0);
	assert_int_equal(outbox_file_delete(file, 424242, false), 0);
	assert_int_equal(outbox_file_commit(file), 0);
	outbox_file_close(file);

	file = open_file(&found);
	assert_false(found.fresh || found.damaged);
	assert_int_equal(found.waiting.count, 5);
	source = found.waiting.first->source;
	n = 2;
	for (entry = found.waiting.first; entry; entry = entry->next) {
		check_entry(entry);
		assert_int_equal(entry->params[0].value.i, n++);
		assert_int_equal(entry->source, source);
		assert_int_equal(entry->number, entry->seq);
		assert_true(entry->seq > last);
		last = entry->seq;
	}
	/* To the dead and back again, under another identity. */
	entry = found.waiting.last;
	entry->died_ms = 5;
	entry->error = -EBADMSG;
	strcpy(entry->reason, "poison");
	assert_int_equal(outbox_file_bury(file, entry), 0);
	assert_int_equal(outbox_file_commit(file), 0);
	found_clear(&found);
	outbox_file_close(file);

	file = open_file(&found);
	assert_int_equal(found.waiting.count, 4);
	assert_int_equal(found.dead.count, 1);
	entry = found.dead.first;
	assert_string_equal(entry->reason, "poison");
	assert_int_equal(outbox_file_revive(file, entry), 0);
	assert_true(entry->seq > last);
	assert_int_not_equal(entry->source, source);
	assert_int_equal(outbox_file_commit(file), 0);
	found_clear(&found);
	outbox_file_close(file);
	file = open_file(&found);
	assert_int_equal(found.waiting.count, 5);
	assert_int_equal(found.dead.count, 0);
	assert_int_equal(found.waiting.last->kind, OUTBOX_KIND_TOKEN);
	found_clear(&found);
	outbox_file_close(file);
}

static void a_place_is_never_used_twice(void **state)
{
	struct outbox_found found;
	uint64_t last = 0, seq;

	(void)state;
	for (int round = 0; round < 5; round++) {
		struct outbox_file *file = open_file(&found);

		found_clear(&found);
		for (int i = 0; i < 600; i++) {
			seq = put(file, 1);
			assert_true(seq > last);
			last = seq;
			assert_int_equal(outbox_file_delete(file, seq, false), 0);
			if (i % 50 == 49)
				assert_int_equal(outbox_file_commit(file), 0);
		}
		put(file, 2); /* never committed */
		outbox_file_cancel(file);
		outbox_file_close(file);
	}
}

static void one_process_at_a_time(void **state)
{
	struct outbox_file_options options = options_of(4);
	struct outbox_found found;
	struct outbox_file *file = open_file(&found), *second;
	struct stat st;
	char path[OUTBOX_PATH_SIZE + 32];

	(void)state;
	assert_int_equal(outbox_file_open(&options, &found, &second), -EAGAIN);
	snprintf(path, sizeof(path), "%s/data.mdb", options.path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(options.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	outbox_file_close(file);
	assert_int_equal(outbox_file_open(&options, &found, &second), 0);
	outbox_file_remove(second);
	assert_int_equal(access(options.path, F_OK), -1);
}

/* Entries of @bytes each until it is full, then none: how many went in. Ends with an empty file. */
static size_t fill_and_empty(struct outbox_file *file, size_t bytes)
{
	struct statement row = { .name = "one", .sql = "SELECT $1", .params = { DB_TYPE_TEXT } };
	CLEANUP(cleanup_free) char *text = malloc(bytes);
	struct db_param param = DB_TEXT(text, bytes);
	struct outbox_write write = {
		.owner = "test", .statement = "one", .params = &param, .param_count = 1, .key = { 1, "k" }
	};
	struct outbox_entry *entry;
	uint64_t seqs[4096];
	size_t count = 0;
	int r = 0;

	memset(text, 'x', bytes);
	while (r == 0 && count < ARRAY_SIZE(seqs)) {
		assert_int_equal(outbox_entry_new(&write, &row, &entry), 0);
		r = outbox_file_put(file, entry);
		if (r == 0)
			r = outbox_file_commit(file);
		if (r == 0)
			seqs[count++] = entry->seq;
		outbox_entry_free(entry);
	}
	assert_int_equal(r, -ENOSPC);
	outbox_file_cancel(file);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(outbox_file_delete(file, seqs[i], false), 0);
		assert_int_equal(outbox_file_commit(file), 0);
	}
	return count;
}

/* Of any size, in any order, over and over: what was full once takes as much again, and no place comes twice. */
static void a_full_file_refuses_and_lives_on(void **state)
{
	struct outbox_file_options options = options_of(1);
	struct outbox_found found;
	struct outbox_file *file;
	uint64_t next;
	size_t small, large;

	(void)state;
	assert_int_equal(outbox_file_open(&options, &found, &file), 0);
	small = fill_and_empty(file, 300);
	large = fill_and_empty(file, 100000);
	assert_in_range(small, 800, 4000);
	assert_in_range(large, 4, 10);
	for (int round = 0; round < 3; round++) {
		next = outbox_file_next(file);
		assert_in_range(fill_and_empty(file, 300), small * 9 / 10, small * 11 / 10);
		assert_in_range(fill_and_empty(file, 100000), large - 1, large + 1);
		assert_true(outbox_file_next(file) > next);
	}
	next = outbox_file_next(file);
	put(file, 7);
	assert_int_equal(outbox_file_commit(file), 0);
	outbox_file_close(file);
	assert_int_equal(outbox_file_open(&options, &found, &file), 0);
	assert_false(found.damaged);
	assert_int_equal(found.waiting.count, 1);
	assert_true(found.waiting.first->seq >= next);
	found_clear(&found);
	outbox_file_close(file);
}

/* The disk ends where the process may not write beyond: an error where a full file system gives one, too. */
static void a_disk_without_room_loses_nothing(void **state)
{
	struct outbox_found found;
	struct outbox_file *file = open_file(&found);
	struct rlimit before, tight;
	size_t count = 0;
	int r = 0;

	(void)state;
	put(file, 1);
	assert_int_equal(outbox_file_commit(file), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 256 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	while (r == 0 && count < 10000) {
		struct outbox_entry *entry = entry_of(2);

		r = outbox_file_put(file, entry);
		outbox_entry_free(entry);
		if (r == 0)
			r = outbox_file_commit(file);
		count += r == 0;
	}
	outbox_file_cancel(file);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(r == -EFBIG || r == -ENOSPC);
	put(file, 3);
	assert_int_equal(outbox_file_commit(file), 0);
	outbox_file_close(file);
	file = open_file(&found);
	assert_false(found.damaged);
	assert_int_equal(found.waiting.count, count + 2);
	found_clear(&found);
	outbox_file_close(file);
}

/* --- damage --- */

static void flip_pages_with(const char *needle)
{
	struct outbox_file_options options = options_of(4);
	char path[OUTBOX_PATH_SIZE + 32], page[PAGE];
	int fd, hits = 0;

	snprintf(path, sizeof(path), "%s/data.mdb", options.path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (off_t at = 0; pread(fd, page, PAGE, at) == PAGE; at += PAGE) {
		char *hit = NULL, *next = page;

		/* The last one of a page: what stands before it may be left from before a split. */
		while ((next = memmem(next, (size_t)(page + PAGE - next), needle, strlen(needle))))
			hit = next++;
		if (!hit)
			continue;
		hit[0] ^= 1;
		assert_int_equal(pwrite(fd, page, PAGE, at), PAGE);
		hits++;
	}
	close(fd);
	assert_true(hits > 0);
}

static void a_flipped_row_is_set_aside_and_the_others_salvaged(void **state)
{
	struct outbox_found found;
	struct outbox_file *file;
	uint64_t source;

	(void)state;
	fill(200);
	file = open_file(&found);
	source = found.waiting.first->source;
	found_clear(&found);
	outbox_file_close(file);
	flip_pages_with("thing/name"); /* one in each page */

	file = open_file(&found);
	assert_true(found.damaged);
	assert_true(found.lost_rows > 0);
	assert_in_range(found.salvaged, 200 - found.lost_rows, 200); /* of some an older copy lies about */
	assert_int_equal(access(found.aside, F_OK), 0);
	assert_int_equal(found.waiting.count, found.salvaged);
	for (struct outbox_entry *entry = found.waiting.first; entry; entry = entry->next) {
		check_entry(entry);
		assert_int_equal(entry->source, source); /* the cursor still knows them */
		assert_true(entry->flags & OUTBOX_ENTRY_SALVAGED);
	}
	{
		struct outbox_entry *entry = entry_of(1);

		assert_int_equal(outbox_file_put(file, entry), 0);
		assert_int_not_equal(entry->source, source);
		outbox_entry_free(entry);
	}
	found_clear(&found);
	outbox_file_close(file);
	file = open_file(&found); /* and it is over */
	assert_false(found.damaged);
	found_clear(&found);
	outbox_file_close(file);
}

/* Opens in a child, which may die of what it reads; its exit code is the number of entries, at most 200. */
static int status_of_opening(bool failed)
{
	struct outbox_file_options options = options_of(4);
	struct outbox_found found;
	struct outbox_file *file;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (int number = 1; number < 32; number++)
			signal(number, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(251);
		options.failed = failed;
		if (outbox_file_open(&options, &found, &file) < 0)
			_exit(252);
		put(file, 1);
		if (outbox_file_commit(file) < 0)
			_exit(253);
		_exit((int)(found.waiting.count > 200 ? 200 : found.waiting.count));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Each page in turn is overwritten or cut off. Whoever opens may die of it; the next one has what lay in other pages.
 */
static void a_scribbled_page_costs_what_lay_in_it(void **state)
{
	struct outbox_file_options options = options_of(4);
	char path[OUTBOX_PATH_SIZE + 32], noise[PAGE];
	int fd, status, deaths = 0, least = 200, cut;
	off_t pages, page;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 131 + 17);
	snprintf(path, sizeof(path), "%s/data.mdb", options.path);
	fill(100);
	assert_int_equal(stat(path, &st), 0);
	pages = st.st_size / PAGE;
	for (cut = 0; cut < 2; cut++) {
		for (page = 0; page < pages; page++) {
			tmpdir_remove(dir);
			assert_int_equal(mkdir(dir, 0700), 0);
			fill(100);
			if (cut) {
				assert_int_equal(truncate(path, page * PAGE), 0);
			} else {
				fd = open(path, O_RDWR);
				assert_int_equal(pwrite(fd, noise, PAGE, page * PAGE), PAGE);
				close(fd);
			}
			status = status_of_opening(false);
			if (WIFSIGNALED(status)) {
				deaths++;
				status = status_of_opening(true);
			}
			if (!WIFEXITED(status) || WEXITSTATUS(status) > 200)
				print_error("page %d of %d: status %d\n", (int)page, (int)pages, status);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 200);
			if (getenv("VERBOSE"))
				print_message("cut %d page %d: %d\n", cut, (int)page, WEXITSTATUS(status));
			if (!cut && WEXITSTATUS(status) < least)
				least = WEXITSTATUS(status);
		}
	}
	print_message("%d pages, %d deaths, at least %d of 100 left\n", (int)pages, deaths, least);
	assert_true(least >= 80); /* a page holds a dozen */
}

/* --- kills --- */

/* What the killed writer had said to be on the disk, in memory that outlives it. */
struct said {
	int64_t put[64], deleted[64], dead[64], revived[64];
	size_t put_count, deleted_count, dead_count, revived_count;
};

static void one_life(struct said *said, int64_t first)
{
	struct outbox_file_options options = options_of(4);
	struct outbox_found found;
	struct outbox_file *file;
	struct outbox_entry *entry;
	uint64_t seqs[8];

	if (outbox_file_open(&options, &found, &file) < 0)
		_exit(2);
	for (int64_t i = 0; i < 4; i++) {
		entry = entry_of(first + i);
		if (outbox_file_put(file, entry) < 0)
			_exit(3);
		seqs[i] = entry->seq;
		if (i % 2 == 0 && outbox_file_commit(file) < 0) /* one alone, then two together */
			_exit(3);
		if (i % 2 == 0)
			said->put[said->put_count++] = first + i;
	}
	if (outbox_file_commit(file) < 0)
		_exit(3);
	said->put[said->put_count++] = first + 1;
	said->put[said->put_count++] = first + 3;
	said->deleted[said->deleted_count++] = first; /* begun: from here on it may be gone */
	if (outbox_file_delete(file, seqs[0], false) < 0 || outbox_file_commit(file) < 0)
		_exit(4);
	entry = entry_of(first + 1);
	entry->seq = seqs[1];
	entry->source = 5;
	entry->number = 5;
	entry->died_ms = 1;
	if (outbox_file_bury(file, entry) < 0 || outbox_file_commit(file) < 0)
		_exit(5);
	said->dead[said->dead_count++] = first + 1;
	if (first % 8 == 0) {
		said->revived[said->revived_count++] = first + 1;
		if (outbox_file_revive(file, entry) < 0 || outbox_file_commit(file) < 0)
			_exit(6);
	}
	outbox_file_close(file);
	_exit(0);
}

static size_t count_of(const struct outbox_list *list, int64_t n)
{
	size_t count = 0;

	for (const struct outbox_entry *entry = list->first; entry; entry = entry->next)
		count += entry->params[0].value.i == n;
	return count;
}

static bool has(const int64_t *list, size_t count, int64_t n)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == n)
			return true;
	return false;
}

static void check_said(const struct said *said)
{
	struct outbox_found found;
	struct outbox_file *file = open_file(&found);
	uint64_t last = 0;

	assert_false(found.damaged);
	for (size_t i = 0; i < said->put_count; i++) {
		int64_t n = said->put[i];
		size_t waiting = count_of(&found.waiting, n), dead = count_of(&found.dead, n);

		assert_in_range(waiting + dead, has(said->deleted, said->deleted_count, n) ? 0 : 1, 1);
		if (has(said->dead, said->dead_count, n) && !has(said->revived, said->revived_count, n))
			assert_int_equal(dead, 1);
	}
	for (const struct outbox_entry *entry = found.waiting.first; entry; entry = entry->next) {
		check_entry(entry);
		assert_int_equal(count_of(&found.waiting, entry->params[0].value.i), 1);
		assert_true(entry->seq > last);
		last = entry->seq;
	}
	found_clear(&found);
	outbox_file_close(file);
}

/* Lets the child run up to its @stop-th system call (entry or return), and kills it there. False: it ended before. */
static bool kill_at(pid_t pid, uint64_t stop)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL), 0);
	for (uint64_t step = 0; WIFSTOPPED(status); step++) {
		if (step == stop) {
			kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			return true;
		}
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		print_error("the writer ended with %d\n", status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

static void killed_before_every_system_call(void **state)
{
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t stop = 0;
	bool killed = true;

	(void)state;
	assert_true(said != MAP_FAILED);
	/* First with no file, then on one that lives through all of it: each fourth death makes a new one. */
	for (stop = 0; killed; stop++) {
		pid_t pid;

		if (stop % 4 == 0) {
			tmpdir_remove(dir);
			assert_int_equal(mkdir(dir, 0700), 0);
			memset(said, 0, sizeof(*said));
		}
		pid = fork();
		if (pid == 0) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGSTOP);
			one_life(said, (int64_t)(stop % 4) * 4);
		}
		killed = kill_at(pid, stop);
		check_said(said);
	}
	print_message("%llu places\n", (unsigned long long)stop);
	assert_true(stop > 100);
	munmap(said, sizeof(*said));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_back_as_it_was),
		TEST(hostile_records_are_refused),
		TEST(what_can_not_be_kept_is_refused),
		TEST(entries_come_back_in_order),
		TEST(a_place_is_never_used_twice),
		TEST(one_process_at_a_time),
		TEST(a_full_file_refuses_and_lives_on),
		TEST(a_disk_without_room_loses_nothing),
		TEST(a_flipped_row_is_set_aside_and_the_others_salvaged),
		TEST(a_scribbled_page_costs_what_lay_in_it),
		TEST(killed_before_every_system_call),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
