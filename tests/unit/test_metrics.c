/* Prometheus text: its form, its escapes, its end at a full buffer. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "shared/metrics/metrics.h"
#include "tests/unit/tmpdir.h"

static void test_histogram(void **state)
{
	static const double bounds[] = { 0.0001, 0.5 };
	static const uint64_t buckets[] = { 2, 0, 5 };
	static const char *const labels[] = { "owner", "core", "statement", "a\"b" };
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct metrics metrics;

	(void)state;
	buf_init(&out, 4096);
	metrics_begin(&metrics, &out);
	metrics_family(&metrics, "h", METRICS_HISTOGRAM, "help");
	metrics_histogram(&metrics, "h", bounds, buckets, 3, 1.25, labels);
	assert_int_equal(metrics_end(&metrics), 0);
	assert_string_equal(buf_cstr(&out), "# HELP shoal_h help\n# TYPE shoal_h histogram\n"
					    "shoal_h_bucket{owner=\"core\",statement=\"a\\\"b\",le=\"0.0001\"} 2\n"
					    "shoal_h_bucket{owner=\"core\",statement=\"a\\\"b\",le=\"0.5\"} 2\n"
					    "shoal_h_bucket{owner=\"core\",statement=\"a\\\"b\",le=\"+Inf\"} 7\n"
					    "shoal_h_sum{owner=\"core\",statement=\"a\\\"b\"} 1.25\n"
					    "shoal_h_count{owner=\"core\",statement=\"a\\\"b\"} 7\n");
}

static void test_form(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct metrics metrics;

	(void)state;
	buf_init(&out, 65536);
	metrics_begin(&metrics, &out);
	metrics_family(&metrics, "a_total", METRICS_COUNTER, "lines\nand \\ slashes \"kept\"");
	metrics_u64(&metrics, "a_total", UINT64_MAX, NULL);
	metrics_u64(&metrics, "a_total", 0, "shard", "3", "name", "q\"b\\n\nx", NULL);
	metrics_family(&metrics, "b", METRICS_GAUGE, "g");
	metrics_double(&metrics, "b", 0.25, NULL);
	metrics_double(&metrics, "b", NAN, NULL);
	metrics_double(&metrics, "b", INFINITY, NULL);
	metrics_double(&metrics, "b", -INFINITY, NULL);
	assert_int_equal(metrics_end(&metrics), 0);
	assert_string_equal(buf_cstr(&out), "# HELP shoal_a_total lines\\nand \\\\ slashes \"kept\"\n"
					    "# TYPE shoal_a_total counter\n"
					    "shoal_a_total 18446744073709551615\n"
					    "shoal_a_total{shard=\"3\",name=\"q\\\"b\\\\n\\nx\"} 0\n"
					    "# HELP shoal_b g\n"
					    "# TYPE shoal_b gauge\n"
					    "shoal_b 0.25\nshoal_b NaN\nshoal_b +Inf\nshoal_b -Inf\n");
}

static void test_full_buffer_is_told(void **state)
{
	(void)state;
	for (size_t max = 0; max < 80; max++) {
		CLEANUP(buf_finish) struct buf out = { 0 };
		struct metrics metrics;

		buf_init(&out, max);
		metrics_begin(&metrics, &out);
		metrics_family(&metrics, "a", METRICS_COUNTER, "help that is long enough to fill it");
		metrics_u64(&metrics, "a", 1, "label", "value", NULL);
		assert_int_equal(metrics_end(&metrics), -ENOBUFS);
		assert_true(out.len <= max);
	}
}

static void test_boards(void **state)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	CLEANUP(board_shard_closep) struct board_shard *board = NULL;
	struct metrics_shard shards[2] = { { 7, NULL }, { 8, NULL } };
	struct metrics metrics;
	char dir[TMPDIR_SIZE];
	const char *text, *at;
	unsigned samples = 0, families = 0;
	bool damaged;

	(void)state;
	tmpdir_make(dir);
	assert_int_equal(board_shard_create(dir, 1, 7, 9, 0, &damaged), 0);
	assert_int_equal(board_shard_open(dir, 1, 7, true, &board), 0);
	assert_int_equal(board_shard_lock(board), 0);
	board_shard_set_owner(board, 1, 1, "test");
	board_count(board_shard_counters(board), BOARD_COUNTER_identifies, 5);
	board_gauge(board_shard_counters(board), BOARD_COUNTER_guilds, 12);
	shards[0].board = board;
	buf_init(&out, 65536);
	metrics_begin(&metrics, &out);
	metrics_shards(&metrics, shards, 2);
	assert_int_equal(metrics_end(&metrics), 0);
	text = buf_cstr(&out);
	assert_non_null(strstr(text, "# TYPE shoal_identifies counter\nshoal_identifies{shard=\"7\"} 5\n"));
	assert_non_null(strstr(text, "# TYPE shoal_guilds gauge\nshoal_guilds{shard=\"7\"} 12\n"));
	assert_null(strstr(text, "shard=\"8\""));
	for (at = text; (at = strstr(at, "# TYPE")) != NULL; at++)
		families++;
	for (at = text; (at = strstr(at, "shard=\"7\"")) != NULL; at++)
		samples++;
	assert_int_equal(families, BOARD_COUNTER_COUNT);
	assert_int_equal(samples, BOARD_COUNTER_COUNT);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_full_buffer_is_told),
		cmocka_unit_test(test_boards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
