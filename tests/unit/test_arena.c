/* SPDX-License-Identifier: MIT */
/* The arena: alignment, growth in place and by copy, the maximum, and what a reset keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shard/gateway/arena.h"

static void test_arena(void **state)
{
	struct arena a;
	char *p, *q;
	size_t total;

	(void)state;
	arena_init(&a, 100000);
	arena_reset(&a);
	p = arena_alloc(&a, 3);
	q = arena_alloc(&a, 5);
	assert_true(((uintptr_t)p | (uintptr_t)q) % 8 == 0 && q == p + 8);
	memcpy(q, "hello", 5);
	assert_ptr_equal(arena_grow(&a, q, 5, 50), q); /* the last one grows in place */
	assert_memory_equal(q, "hello\0\0\0", 8);
	memcpy(p, "abc", 3);
	p = arena_grow(&a, p, 3, 9);
	assert_memory_equal(p, "abc\0\0\0\0\0\0", 9);
	assert_true(p > q);
	arena_shrink(&a, p, 9, 1);
	assert_ptr_equal(arena_alloc(&a, 1), p + 8);
	assert_non_null(arena_alloc(&a, 60000));
	assert_null(arena_alloc(&a, 60000));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_grow(&a, NULL, 0, SIZE_MAX - 3));
	assert_true(a.total_bytes <= a.max_bytes);
	/* warm: the same work takes no further memory */
	arena_reset(&a);
	total = a.total_bytes;
	for (unsigned i = 0; i < 1000; i++, arena_reset(&a))
		assert_non_null(arena_alloc(&a, 60000));
	assert_int_equal(a.total_bytes, total);
	arena_finish(&a);
	/* a huge event's memory goes back */
	arena_init(&a, 8 << 20);
	assert_non_null(arena_alloc(&a, 100));
	assert_non_null(arena_alloc(&a, 2 << 20));
	arena_reset(&a);
	assert_in_range(a.total_bytes, 100, ARENA_KEEP_BYTES);
	arena_finish(&a);
	assert_non_null(arena_alloc(&a, 2 << 20));
	arena_reset(&a);
	assert_int_equal(a.total_bytes, 0);
	/* the maximum holds wherever a chunk's end falls */
	for (size_t max = 16000; max < 17000; max += 3) {
		arena_init(&a, max);
		while (arena_alloc(&a, 100))
			assert_true(a.total_bytes <= max);
		arena_finish(&a);
	}
	assert_int_equal(a.total_bytes, 0);
	assert_non_null(arena_alloc(&a, 10));
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_arena) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
