/* The inbox ring: order, room, damage, and a writer killed at every single instruction. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shard/events/inbox.h"
#include "shared/base/crc32c.h"

#define REGION  (64 * 1024)
#define SESSION 77

static void *region;

static int set_up(void **state)
{
	(void)state;
	region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return region == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(region, REGION);
}

static struct inbox *open_inbox(struct inbox_found *found)
{
	struct inbox *inbox = NULL;

	assert_int_equal(inbox_open(region, REGION, found, &inbox), 0);
	return inbox;
}

/* Payload @n is text of a length that depends on it. */
static size_t make_payload(uint64_t n, char payload[4096])
{
	size_t len = 1 + n * 37 % 3000, i;

	for (i = 0; i < len; i++)
		payload[i] = (char)('a' + (n + i) % 26);
	return len;
}

static int append(struct inbox *inbox, uint64_t n, uint64_t *ret_position)
{
	char payload[4096];
	size_t len = make_payload(n, payload);

	return inbox_append(inbox, SESSION, n, payload, len, ret_position);
}

static void check_payload(const struct inbox_record *record)
{
	char payload[4096];
	size_t len = make_payload(record->sequence, payload);

	assert_int_equal(record->session, SESSION);
	assert_int_equal(record->len, len);
	assert_memory_equal(record->payload, payload, len);
}

static void the_checksum_is_castagnolis(void **state)
{
	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283u);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xE3069283u);
}

static void records_come_back_in_order(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	struct inbox_record record = { 0 };
	uint64_t n, position, next = 0;

	(void)state;
	assert_true(found.fresh && !found.damaged);
	for (n = 1; n <= 20; n++)
		assert_int_equal(append(inbox, n, &position), 0);
	for (n = 1; n <= 20; n++) {
		assert_int_equal(inbox_next(inbox, next, &record), 0);
		assert_int_equal(record.sequence, n);
		assert_int_equal(record.state, INBOX_TAKEN);
		check_payload(&record);
		next = record.position + 1;
	}
	assert_int_equal(inbox_next(inbox, next, &record), -ENOENT);
	inbox_close(inbox);
}

/* Fills, releases and reopens over many rounds, so that every way of meeting the ring's end comes up. */
static void it_goes_round(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	struct inbox_record record;
	uint64_t n = 0, expected = 1, position;
	int round;

	(void)state;
	for (round = 0; round < 500; round++) {
		while (append(inbox, n + 1, &position) == 0)
			n++;
		assert_int_equal(append(inbox, n + 1, &position), -ENOSPC);
		if (round % 7 == 0) {
			inbox_close(inbox);
			inbox = open_inbox(&found);
			assert_false(found.fresh || found.damaged);
			assert_int_equal(found.kept, n - expected + 1);
		}
		for (int i = 0; i <= round % 11; i++) {
			if (inbox_next(inbox, 0, &record) < 0)
				break;
			assert_int_equal(record.sequence, expected++);
			check_payload(&record);
			assert_int_equal(inbox_set_state(inbox, record.position, INBOX_DONE), 0);
			inbox_release(inbox, inbox_head(inbox));
			assert_int_equal(inbox_read(inbox, record.position, &record), -ENOENT);
		}
	}
	assert_true(n > 1000);
	inbox_close(inbox);
}

static void what_is_not_done_or_not_applied_stays(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	struct inbox_record record;
	uint64_t first, second, third;

	(void)state;
	append(inbox, 1, &first);
	append(inbox, 2, &second);
	append(inbox, 3, &third);
	inbox_set_state(inbox, second, INBOX_DONE);
	inbox_release(inbox, inbox_head(inbox));
	assert_int_equal(inbox_next(inbox, 0, &record), 0);
	assert_int_equal(record.sequence, 1);
	inbox_set_state(inbox, first, INBOX_DONE);
	inbox_release(inbox, second); /* the cache has applied the first alone */
	assert_int_equal(inbox_next(inbox, 0, &record), 0);
	assert_int_equal(record.sequence, 2);
	inbox_release(inbox, inbox_head(inbox));
	assert_int_equal(inbox_next(inbox, 0, &record), 0);
	assert_int_equal(record.sequence, 3);
	inbox_close(inbox);
}

static void states_and_crashes_survive(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	struct inbox_record record;
	uint64_t position;

	(void)state;
	append(inbox, 1, &position);
	assert_int_equal(inbox_set_state(inbox, position, INBOX_STARTED), 0);
	assert_int_equal(inbox_add_crash(inbox, position), 1);
	assert_int_equal(inbox_add_crash(inbox, position), 2);
	inbox_close(inbox);
	inbox = open_inbox(&found);
	assert_int_equal(inbox_read(inbox, position, &record), 0);
	assert_int_equal(record.state, INBOX_STARTED);
	assert_int_equal(record.crashes, 2);
	assert_int_equal(inbox_set_state(inbox, position + 8, INBOX_DONE), -ENOENT);
	inbox_close(inbox);
}

static void too_large_is_refused(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	char *payload = calloc(1, REGION);
	uint64_t position;

	(void)state;
	assert_int_equal(inbox_append(inbox, 1, 1, payload, inbox_payload_max(inbox) + 1, &position), -EMSGSIZE);
	assert_int_equal(inbox_append(inbox, 1, 1, payload, inbox_payload_max(inbox), &position), 0);
	free(payload);
	inbox_close(inbox);
	assert_int_equal(inbox_open(region, 1000, &found, &inbox), -EINVAL);
	assert_int_equal(inbox_open((char *)region + 4, REGION - 8, &found, &inbox), -EINVAL);
}

/* Each byte of a filled ring is flipped in turn: opening never crashes, and what is kept is whole. */
static void scribbles_are_cut_off(void **state)
{
	unsigned char *bytes = region, *copy = malloc(REGION);
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	uint64_t n = 0, position;
	size_t used, i;

	(void)state;
	while (n < 30 && append(inbox, n + 1, &position) == 0)
		n++;
	used = inbox_used(inbox);
	inbox_close(inbox);
	memcpy(copy, region, REGION);
	for (i = 0; i < 64 + used; i += 1 + i % 3) {
		struct inbox_record record;
		uint64_t next = 0, count = 0;

		memcpy(region, copy, REGION);
		bytes[i] ^= 0x41;
		inbox = open_inbox(&found);
		while (inbox_next(inbox, next, &record) == 0) {
			check_payload(&record);
			next = record.position + 1;
			count++;
		}
		assert_true(count <= n);
		assert_int_equal(append(inbox, 99, &position), 0);
		inbox_close(inbox);
	}
	free(copy);
}

static void random_bytes_are_no_ring(void **state)
{
	unsigned int seed = 1;
	struct inbox_found found;
	int round;
	size_t i;

	(void)state;
	for (round = 0; round < 200; round++) {
		unsigned char *bytes = region;
		struct inbox *inbox = open_inbox(&found);
		uint64_t position;

		append(inbox, 1, &position);
		inbox_close(inbox);
		for (i = 24; i < 64 + 512; i++) /* behind magic, version, size */
			bytes[i] = (unsigned char)rand_r(&seed);
		inbox = open_inbox(&found);
		assert_int_equal(append(inbox, 2, &position), 0);
		inbox_close(inbox);
	}
}

/* Somebody writes into the file under the worker: nothing is read beyond the ring, no loop has no end, and new records
 * come through. */
static void a_ring_in_use_survives_scribbles(void **state)
{
	unsigned int seed = 3;

	(void)state;
	for (int round = 0; round < 300; round++) {
		unsigned char *bytes = region;
		struct inbox_found found;
		struct inbox *inbox;
		struct inbox_record record;
		uint64_t position[20], next = 0, n = 0, last, count = 0;
		size_t from = (size_t)rand_r(&seed) % 3000, len = 1 + (size_t)rand_r(&seed) % 4000;

		memset(region, 0, REGION);
		inbox = open_inbox(&found);
		while (n < 20 && append(inbox, n + 1, &position[n]) == 0)
			n++;
		for (size_t i = from; i < from + len; i++)
			bytes[i] = round % 3 == 0 ? 0 : (unsigned char)rand_r(&seed);
		for (uint64_t i = 0; i < n; i++) {
			if (inbox_read(inbox, position[i], &record) == 0)
				assert_true(record.payload >= (char *)region &&
					    record.payload + record.len <= (char *)region + REGION);
			inbox_set_state(inbox, position[i], INBOX_DONE);
		}
		while (inbox_next(inbox, next, &record) == 0) {
			assert_true(record.payload + record.len <= (char *)region + REGION);
			next = record.position + 1;
			assert_true(++count <= n);
		}
		inbox_release(inbox, inbox_head(inbox));
		assert_int_equal(append(inbox, 77, &last), 0);
		assert_int_equal(inbox_read(inbox, last, &record), 0);
		assert_int_equal(record.sequence, 77);
		check_payload(&record);
		inbox_close(inbox);
	}
}

/* A record that was written over goes; what came before and after it does not go with it. */
static void what_comes_after_damage_is_kept(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	struct inbox_record record;
	uint64_t position[6], next;

	(void)state;
	for (uint64_t n = 0; n < 5; n++)
		assert_int_equal(append(inbox, n + 1, &position[n]), 0);
	for (size_t n = 1; n < 3; n++) { /* the second and the third */
		assert_int_equal(inbox_read(inbox, position[n], &record), 0);
		memset((char *)record.payload - 40, 0xa5, 60);
		assert_int_equal(inbox_read(inbox, position[n], &record), -ENOENT);
	}
	assert_int_equal(append(inbox, 6, &position[5]), 0);
	next = position[0] + 1;
	assert_int_equal(inbox_next(inbox, next, &record), 0);
	assert_int_equal(record.sequence, 4);
	inbox_release(inbox, inbox_head(inbox)); /* the first is not done: it stays, and all behind it */
	assert_int_equal(inbox_read(inbox, position[0], &record), 0);
	assert_int_equal(inbox_set_state(inbox, position[0], INBOX_DONE), 0);
	inbox_release(inbox, inbox_head(inbox));
	assert_int_equal(inbox_read(inbox, position[0], &record), -ENOENT);
	for (size_t n = 3; n < 6; n++) {
		assert_int_equal(inbox_read(inbox, position[n], &record), 0);
		assert_int_equal(record.sequence, n + 1);
		check_payload(&record);
		assert_int_equal(inbox_set_state(inbox, position[n], INBOX_DONE), 0);
	}
	inbox_release(inbox, inbox_head(inbox));
	assert_int_equal(inbox_used(inbox), 0);
	inbox_close(inbox);
}

/* What must be true of the ring at any moment while record 3 is written: 1 and 2 are whole, 3 is whole or not there. */
static uint64_t check_moment(void *copy)
{
	struct inbox_found found;
	struct inbox_record record;
	struct inbox *inbox;
	uint64_t next = 0, count = 0;

	memcpy(copy, region, REGION);
	assert_int_equal(inbox_open(copy, REGION, &found, &inbox), 0);
	assert_false(found.fresh || found.damaged);
	while (inbox_next(inbox, next, &record) == 0) {
		assert_int_equal(record.sequence, ++count);
		check_payload(&record);
		next = record.position + 1;
	}
	assert_in_range(count, 2, 3);
	inbox_close(inbox);
	return count;
}

static void killed_at_every_instruction(void **state)
{
	struct inbox_found found;
	struct inbox *inbox = open_inbox(&found);
	void *copy = aligned_alloc(8, REGION);
	uint64_t position, steps = 0, seen = 2, now;
	int status;
	pid_t pid;

	(void)state;
	append(inbox, 1, &position);
	append(inbox, 2, &position);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char payload[4096];
		size_t len = make_payload(3, payload);

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		inbox_append(inbox, SESSION, 3, payload, len, &position);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (WIFSTOPPED(status)) {
		now = check_moment(copy);
		assert_true(now >= seen);
		seen = now;
		steps++;
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(seen, 3);
	assert_true(steps > 50); /* it really was stopped in between */
	free(copy);
	inbox_close(inbox);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_castagnolis),
		TEST(records_come_back_in_order),
		TEST(it_goes_round),
		TEST(what_is_not_done_or_not_applied_stays),
		TEST(states_and_crashes_survive),
		TEST(too_large_is_refused),
		TEST(scribbles_are_cut_off),
		TEST(random_bytes_are_no_ring),
		TEST(a_ring_in_use_survives_scribbles),
		TEST(what_comes_after_damage_is_kept),
		TEST(killed_at_every_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
