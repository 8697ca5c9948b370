/* Recordings: what a ring still holds of the past, what becomes a file, and which files go. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "shard/events/flight.h"
#include "shard/events/inbox.h"
#include "shared/base/cleanup.h"
#include "tests/unit/stepping.h"
#include "tests/unit/tmpdir.h"

#define RING (64 * 1024)

static char dir[TMPDIR_SIZE];
static void *region;
static struct inbox *inbox;

static int set_up(void **state)
{
	struct inbox_found found;

	(void)state;
	tmpdir_make(dir);
	region = calloc(1, RING);
	return region && inbox_open(region, RING, &found, &inbox) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	inbox = inbox_close(inbox);
	free(region);
	tmpdir_remove(dir);
	return 0;
}

static uint64_t append(uint64_t n, bool done)
{
	char payload[4096];
	uint64_t position;
	int len = snprintf(payload, sizeof(payload),
			   "{\"t\":\"INTERACTION_CREATE\",\"s\":%llu,\"op\":0,\"d\":{\"id\":\"%llu\",\"token\":"
			   "\"secret%llu\",\"x\":\"%*s\"}}",
			   (unsigned long long)n, (unsigned long long)(5000 + n), (unsigned long long)n,
			   (int)(n * 37 % 2000), "");

	assert_int_equal(inbox_append(inbox, 77, n, payload, (size_t)len, &position), 0);
	if (done) {
		inbox_set_state(inbox, position, INBOX_DONE);
		inbox_release(inbox, inbox_head(inbox));
	}
	return position;
}

/* Sequences from @from to the last one, in order, whole. */
static uint64_t check_history(uint64_t last)
{
	struct inbox_record record;
	uint64_t next = 0, first = 0, expected = 0;
	char number[64];

	while (inbox_history(inbox, next, &record) == 0) {
		if (first == 0)
			first = expected = record.sequence;
		assert_int_equal(record.sequence, expected++);
		snprintf(number, sizeof(number), "\"s\":%llu,", (unsigned long long)record.sequence);
		assert_non_null(memmem(record.payload, record.len, number, strlen(number)));
		assert_int_equal(record.payload[record.len - 1], '}');
		next = record.position + 1;
	}
	assert_int_equal(expected, last + 1);
	return first;
}

static void the_ring_remembers_what_it_gave_back(void **state)
{
	uint64_t n, first;

	(void)state;
	for (n = 1; n <= 20; n++)
		append(n, true);
	assert_int_equal(inbox_used(inbox), 0);
	assert_int_equal(check_history(20), 1);
	/* Round and round: the newest are there, as many as fit, at any place of the ring's end. */
	for (; n <= 1000; n++) {
		append(n, n % 7 != 0 || n < 990);
		first = check_history(n);
		assert_true(first > 1 || n < 100);
		assert_true(n - first > 10);
	}
	/* Scribbles cost what they hit. */
	for (size_t i = 0; i < RING; i += 97)
		((unsigned char *)region)[i < 64 ? 64 : i] ^= 0x5A;
	struct inbox_record record;
	uint64_t next = 0;

	while (inbox_history(inbox, next, &record) == 0)
		next = record.position + 1;
}

static struct flight_options options(void)
{
	return (struct flight_options){ .state_dir = dir,
					.shard_id = 3,
					.shard_count = 16,
					.generation = 1,
					.keep = 4,
					.max_bytes = 1 << 20,
					.report = "crashed by \"SIGSEGV\"\nframes" };
}

static char *save(const struct flight_options *flight_options, char path[FLIGHT_PATH_SIZE], size_t *ret_len)
{
	struct flight *flight;
	char *text;
	FILE *file;
	long len;

	assert_int_equal(flight_capture(flight_options, inbox, &flight), 0);
	snprintf(path, FLIGHT_PATH_SIZE, "%s", flight_path(flight));
	assert_int_equal(flight_save(flight), 0);
	flight_free(flight);
	file = fopen(path, "re");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)len + 1);
	assert_int_equal(fread(text, 1, (size_t)len, file), len);
	fclose(file);
	*ret_len = (size_t)len;
	return text;
}

static void a_file_is_as_it_is_described(void **state)
{
	struct flight_options flight_options = options();
	CLEANUP(cleanup_free) char *text = NULL;
	char path[FLIGHT_PATH_SIZE], *at;
	struct flight *flight;
	struct stat st;
	json_t *head;
	size_t len;

	(void)state;
	assert_int_equal(flight_capture(&flight_options, inbox, &flight), -ENODATA);
	append(1, true);
	append(2, true);
	inbox_set_mark(inbox, append(3, false) + 1);
	text = save(&flight_options, path, &len);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(strncmp(text, FLIGHT_FIRST_LINE, strlen(FLIGHT_FIRST_LINE)), 0);
	at = text + strlen(FLIGHT_FIRST_LINE);
	head = json_loadb(at, (size_t)(strchr(at, '\n') - at), 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(head, "shard")), 3);
	assert_int_equal(json_integer_value(json_object_get(head, "shard_count")), 16);
	assert_int_equal(json_integer_value(json_object_get(head, "records")), 3);
	assert_string_equal(json_string_value(json_object_get(head, "crash")), flight_options.report);
	json_decref(head);
	at = strchr(at, '\n') + 1;
	for (int n = 1; n <= 3; n++) {
		json_t *line = json_loadb(at, (size_t)(strchr(at, '\n') - at), 0, NULL);
		json_int_t payload_len = json_integer_value(json_object_get(line, "len"));
		const char *culprit = json_string_value(json_object_get(line, "culprit"));

		assert_int_equal(json_integer_value(json_object_get(line, "seq")), n);
		assert_string_equal(json_string_value(json_object_get(line, "state")), n < 3 ? "done" : "taken");
		if (n == 3)
			assert_string_equal(culprit, "handler");
		else
			assert_null(culprit);
		json_decref(line);
		at = strchr(at, '\n') + 1;
		assert_int_equal(at[payload_len], '\n');
		json_decref(json_loadb(at, (size_t)payload_len, 0, NULL));
		at += payload_len + 1;
	}
	assert_int_equal(at - text, len);
	assert_null(memmem(text, len, "secret", 6));
	assert_non_null(memmem(text, len, "\"xxxxxxx\"", 9));
}

static void long_ones_begin_later(void **state)
{
	struct flight_options flight_options = options();
	CLEANUP(cleanup_free) char *text = NULL;
	char path[FLIGHT_PATH_SIZE];
	size_t len;

	(void)state;
	for (uint64_t n = 1; n <= 40; n++)
		append(n, true);
	flight_options.max_bytes = 26 * 1024;
	text = save(&flight_options, path, &len);
	assert_true(len < 26 * 1024);
	assert_non_null(strstr(text, "\"seq\":40"));
	assert_null(strstr(text, "\"seq\":1,"));
}

static size_t count_files(void)
{
	char path[TMPDIR_SIZE + 16];
	struct dirent *entry;
	size_t count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/flight", dir);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return count;
}

static void the_oldest_go(void **state)
{
	struct flight_options flight_options = options();
	char path[FLIGHT_PATH_SIZE], half[FLIGHT_PATH_SIZE + 8], foreign[TMPDIR_SIZE + 32];
	size_t len;
	FILE *file;

	(void)state;
	append(1, true);
	for (uint32_t shard = 0; shard < 9; shard++) { /* in one millisecond they are told apart by the shard */
		flight_options.shard_id = shard;
		free(save(&flight_options, path, &len));
	}
	assert_int_equal(count_files(), 4);
	/* What is not ours stays; what a killed worker of this shard left half does not. */
	snprintf(foreign, sizeof(foreign), "%s/flight/notes.txt", dir);
	file = fopen(foreign, "we");
	assert_non_null(file);
	fclose(file);
	snprintf(half, sizeof(half), "%s.new", path);
	file = fopen(half, "we");
	assert_non_null(file);
	fclose(file);
	flight_options.max_bytes = 20 * 1024;
	free(save(&flight_options, path, &len));
	assert_int_equal(access(half, F_OK), -1);
	assert_int_equal(access(foreign, F_OK), 0);
	flight_options.keep = 1;
	free(save(&flight_options, path, &len));
	assert_int_equal(count_files(), 2);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_member_is_erased(void **state)
{
	struct flight_options flight_options = options();
	char path[FLIGHT_PATH_SIZE];
	size_t len;

	(void)state;
	assert_int_equal(flight_forget_user(dir, 5001), 0);
	append(1, true);
	free(save(&flight_options, path, &len));
	assert_int_equal(flight_forget_user(dir, 4711), 0);
	assert_int_equal(count_files(), 1);
	assert_int_equal(flight_forget_user(dir, 5001), 1);
	assert_int_equal(count_files(), 0);
}

static void nowhere_to_write(void **state)
{
	struct flight_options flight_options = options();
	struct flight *flight;

	(void)state;
	append(1, true);
	flight_options.state_dir = "/proc/nonexistent";
	assert_int_equal(flight_capture(&flight_options, inbox, &flight), 0);
	assert_true(flight_save(flight) < 0);
	flight_free(flight);
}

/* --- killed while it writes ------------------------------------------------------------------------------------------
 */

static void save_one(void *arg)
{
	struct flight *flight = arg;

	_exit(flight_save(flight) < 0);
}

/* A recording has its name when it is whole; halves go with the next one; the bounds hold. */
static void killed_at_every_system_call(void **state)
{
	struct flight_options flight_options = options();
	struct flight *flight;
	struct stepping what;
	uint64_t nth = 0;
	bool more = true;
	struct stat st;
	off_t whole;

	(void)state;
	for (uint64_t n = 1; n <= 20; n++)
		append(n, true);
	assert_int_equal(flight_capture(&flight_options, inbox, &flight), 0);
	what = (struct stepping){ .fn = save_one, .arg = flight };
	assert_int_equal(flight_save(flight), 0);
	assert_int_equal(stat(flight_path(flight), &st), 0);
	whole = st.st_size;
	while (more) {
		CLEANUP(cleanup_free) char *text = NULL;
		char path[FLIGHT_PATH_SIZE];
		size_t len;

		unlink(flight_path(flight));
		more = stepping_kill(&what, PTRACE_SYSCALL, ++nth);
		if (stat(flight_path(flight), &st) == 0)
			assert_int_equal(st.st_size, whole);
		else
			assert_true(more);
		assert_true(count_files() <= 5); /* four, and a half */
		text = save(&flight_options, path, &len);
		assert_true(count_files() <= 4);
	}
	assert_true(nth > 20);
	flight_free(flight);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_ring_remembers_what_it_gave_back),
		TEST(a_file_is_as_it_is_described),
		TEST(long_ones_begin_later),
		TEST(the_oldest_go),
		TEST(a_member_is_erased),
		TEST(nowhere_to_write),
		TEST(killed_at_every_system_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
