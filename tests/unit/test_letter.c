/* Rows of letters: both ways, damaged in every byte, of another version; ids; and the look at an event's bytes. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/boot_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/letters/letter.h"

#define TEXT(text_)                        \
	{                                  \
		(text_), sizeof(text_) - 1 \
	}

static const struct letter sample = { .session = 0x8000000012345678ULL,
				      .sequence = 149,
				      .wall_ms = 1700000000000,
				      .boot_ns = 7,
				      .boot = 9,
				      .guild_id = 42,
				      .full_len = 1000,
				      .crashes = 2,
				      .type = 56,
				      .flags = LETTER_STARTED | LETTER_CUT,
				      .dispatch = TEXT("MESSAGE_CREATE"),
				      .reason = TEXT("its handler crashed the worker"),
				      .module = TEXT("core"),
				      .backtrace = TEXT("line\nline\n"),
				      .effects = { "a\0b", 3 },
				      .payload = TEXT("{\"op\":0}") };

static void assert_text(struct letter_text got, struct letter_text wanted)
{
	assert_int_equal(got.len, wanted.len);
	if (wanted.len > 0)
		assert_memory_equal(got.ptr, wanted.ptr, wanted.len);
}

static void a_row_comes_back_as_it_was(void **state)
{
	CLEANUP(buf_finish) struct buf row = { .max = 10000 };
	struct letter_key key = letter_key_make(sample.session, sample.sequence);
	struct letter letter;

	(void)state;
	assert_int_equal(letter_write(&sample, &row), 0);
	assert_int_equal(letter_read(&key, sizeof(key), row.data, row.len, &letter), 0);
	assert_int_equal(letter.session, sample.session);
	assert_int_equal(letter.sequence, sample.sequence);
	assert_int_equal(letter.wall_ms, sample.wall_ms);
	assert_int_equal(letter.boot_ns, sample.boot_ns);
	assert_int_equal(letter.boot, sample.boot);
	assert_int_equal(letter.guild_id, sample.guild_id);
	assert_int_equal(letter.full_len, sample.full_len);
	assert_int_equal(letter.crashes, sample.crashes);
	assert_int_equal(letter.type, sample.type);
	assert_int_equal(letter.flags, sample.flags);
	assert_text(letter.dispatch, sample.dispatch);
	assert_text(letter.reason, sample.reason);
	assert_text(letter.module, sample.module);
	assert_text(letter.backtrace, sample.backtrace);
	assert_text(letter.effects, sample.effects);
	assert_text(letter.payload, sample.payload);
}

static void long_words_are_cut_and_payloads_are_not(void **state)
{
	CLEANUP(buf_finish) struct buf row = { .max = 1 << 20 };
	CLEANUP(cleanup_free) char *text = malloc(100000);
	struct letter letter = sample, back;
	struct letter_key key = letter_key_make(sample.session, sample.sequence);

	(void)state;
	memset(text, 'y', 100000);
	letter.reason = letter.backtrace = letter.payload = (struct letter_text){ text, 100000 };
	assert_int_equal(letter_write(&letter, &row), 0);
	assert_int_equal(letter_read(&key, sizeof(key), row.data, row.len, &back), 0);
	assert_int_equal(back.reason.len, LETTER_WORDS_MAX);
	assert_int_equal(back.backtrace.len, LETTER_BACKTRACE_MAX);
	assert_int_equal(back.payload.len, 100000);
	row.max = row.len;
	assert_int_equal(letter_write(&letter, &row), -ENOBUFS);
}

static void every_flipped_byte_is_seen(void **state)
{
	CLEANUP(buf_finish) struct buf row = { .max = 10000 };
	struct letter_key key = letter_key_make(sample.session, sample.sequence);
	struct letter letter;
	size_t i;

	(void)state;
	assert_int_equal(letter_write(&sample, &row), 0);
	for (i = 0; i < row.len; i++) {
		row.data[i] ^= 0x41;
		assert_true(letter_read(&key, sizeof(key), row.data, row.len, &letter) < 0);
		row.data[i] ^= 0x41;
	}
	for (i = 0; i < row.len; i++)
		assert_int_equal(letter_read(&key, sizeof(key), row.data, i, &letter), -SHOAL_EDAMAGED);
	key.session ^= 1; /* under another's name */
	assert_int_equal(letter_read(&key, sizeof(key), row.data, row.len, &letter), -SHOAL_EDAMAGED);
	assert_int_equal(letter_read(&key, 3, row.data, row.len, &letter), -SHOAL_EDAMAGED);
}

static void names_and_ids(void **state)
{
	static const char *const wrong[] = { "",
					     "3",
					     "3-1",
					     "3-1-abcde",
					     "3-1-abcdefg",
					     "03-1-abcdef",
					     "3-1-ABCDEF",
					     "-3-1-abcdef",
					     "3-1-abcdef ",
					     "3- 1-abcdef",
					     "x-1-abcdef",
					     "4294967296-1-abcdef",
					     "3-18446744073709551616-abcdef" };
	uint32_t generation, shard_id;
	struct letter_id id;
	char text[LETTER_ID_SIZE], path[64];
	size_t i;

	(void)state;
	assert_string_equal(letter_id_print(3, 0xFFFFFFFF009f3a1cULL, 149, text), "3-149-9f3a1c");
	assert_int_equal(letter_id_parse(text, &id), 0);
	assert_int_equal(id.shard_id, 3);
	assert_true(letter_id_is(&id, 0xFFFFFFFF009f3a1cULL, 149));
	assert_false(letter_id_is(&id, 0xFFFFFFFF009f3a1dULL, 149));
	assert_false(letter_id_is(&id, 0xFFFFFFFF009f3a1cULL, 150));
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(letter_id_parse(wrong[i], &id), -EINVAL);
	assert_int_equal(letter_store_path("/x", 2, 7, path, sizeof(path)), 0);
	assert_true(letter_parse_store_name(strrchr(path, '/') + 1, &generation, &shard_id));
	assert_true(generation == 2 && shard_id == 7);
	assert_false(letter_parse_stage_name(strrchr(path, '/') + 1, &generation, &shard_id));
	assert_false(letter_parse_store_name("letters-1-2x", &generation, &shard_id));
	assert_false(letter_parse_store_name("letters-01-2", &generation, &shard_id));
	assert_int_equal(letter_store_path("/x", 2, 7, path, 8), -ENAMETOOLONG);
}

static void tokens_are_blanked(void **state)
{
	static const struct {
		const char *before, *after;
		size_t count;
	} rows[] = {
		{ "{\"token\":\"abc\"}", "{\"token\":\"xxx\"}", 1 },
		{ "{\"d\":{\"token\" : \"a\\\"c\",\"x\":1}}", "{\"d\":{\"token\" : \"xxxx\",\"x\":1}}", 1 },
		{ "{\"token\":null}", "{\"token\":null}", 0 },
		{ "{\"token\":\"\"}", "{\"token\":\"\"}", 0 },
		{ "{\"token\":\"xxx\"}", "{\"token\":\"xxx\"}", 0 }, /* once is enough */
		{ "{\"content\":\"\\\"token\\\":\\\"abc\\\"\"}", "{\"content\":\"\\\"token\\\":\\\"abc\\\"\"}", 0 },
		{ "{\"x\":\"token\",\"y\":\"abc\"}", "{\"x\":\"token\",\"y\":\"abc\"}", 0 },
		{ "{\"token\":\"a\",\"token\":\"b\"}", "{\"token\":\"x\",\"token\":\"x\"}", 2 },
		{ "{\"token\":\"cut", "{\"token\":\"xxx", 1 },
		{ "{\"token\":", "{\"token\":", 0 },
		{ "\"token", "\"token", 0 },
		{ "", "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Exactly as long, so that a step too far is seen. */
		size_t len = strlen(rows[i].before);
		CLEANUP(cleanup_free) char *text = malloc(len ? len : 1);

		memcpy(text, rows[i].before, len);
		assert_int_equal(letter_has_token(text, len), rows[i].count > 0);
		assert_int_equal(letter_blank_tokens(text, len), rows[i].count);
		assert_memory_equal(text, rows[i].after, len);
		assert_false(letter_has_token(text, len));
	}
}

static void the_events_own_id(void **state)
{
	static const struct {
		const char *json;
		uint64_t id;
	} rows[] = {
		{ "{\"t\":\"X\",\"d\":{\"id\":\"77\"}}", 77 },
		{ "{\"d\":{\"author\":{\"id\":\"5\"},\"id\":\"77\",\"x\":{\"id\":\"6\"}},\"op\":0}", 77 },
		{ "{\"id\":\"5\",\"d\":{\"x\":[{\"id\":\"6\"}]}}", 0 },
		{ "{\"d\":{\"id\":77}}", 0 },
		{ "{\"d\":{\"id\":\"\"}}", 0 },
		{ "{\"d\":{\"id\":\"77x\"}}", 0 },
		{ "{\"d\":{\"id\":\"99999999999999999999\"}}", 0 },
		{ "{\"d\":{\"content\":\"\\\",\\\"id\\\":\\\"5\\\"\",\"id\":\"77\"}}", 77 },
		{ "{\"d\":{\"id\":\"7", 7 }, /* cut: a guess, and safe */
		{ "{\"d\":[{\"id\":\"7\"}]}", 0 },
		{ "]]]]{\"d\":{\"id\":\"8\"}}", 8 },
		{ "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].json);
		CLEANUP(cleanup_free) char *text = malloc(len ? len : 1);

		memcpy(text, rows[i].json, len);
		assert_int_equal(letter_event_id(text, len), rows[i].id);
	}
}

static void mentions(void **state)
{
	static const char text[] = "{\"author\":{\"id\":\"123\"},\"content\":\"<@456> <@!789> 1000\"}";

	(void)state;
	assert_true(letter_mentions(text, strlen(text), 123));
	assert_true(letter_mentions(text, strlen(text), 456));
	assert_true(letter_mentions(text, strlen(text), 789));
	assert_false(letter_mentions(text, strlen(text), 12));
	assert_false(letter_mentions(text, strlen(text), 1000));
}

static void age_is_told_by_the_clock_that_nobody_sets(void **state)
{
	uint64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	clock_set_fake(&now_ns);
	/* Within one boot the wall clock may say what it wants. */
	assert_int_equal(letter_age_ms(clock_wall_ms() + 1000000, now_ns - 5 * NS_PER_S, boot_id()), 5000);
	assert_int_equal(letter_age_ms(0, now_ns - 5 * NS_PER_S, boot_id()), 5000);
	/* Of another boot it is all there is. */
	assert_in_range(letter_age_ms(clock_wall_ms() - 7000, 1, boot_id() + 1), 7000, 9000);
	assert_int_equal(letter_age_ms(clock_wall_ms() + 1000000, 1, boot_id() + 1), 0);
	clock_set_fake(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_comes_back_as_it_was),
		cmocka_unit_test(long_words_are_cut_and_payloads_are_not),
		cmocka_unit_test(every_flipped_byte_is_seen),
		cmocka_unit_test(names_and_ids),
		cmocka_unit_test(tokens_are_blanked),
		cmocka_unit_test(the_events_own_id),
		cmocka_unit_test(mentions),
		cmocka_unit_test(age_is_told_by_the_clock_that_nobody_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
