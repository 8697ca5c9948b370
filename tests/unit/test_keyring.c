/* Keys and sealing: what is misused, cut, moved or altered does not open, and says why. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/errors.h"
#include "shared/secrets/key_file.h"
#include "shared/secrets/keyring.h"
#include "tests/unit/tmpdir.h"

#define KEY_A "000000000000000a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "000000000000000b AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
/* The id of A with the bytes of B. */
#define KEY_A_WRONG "000000000000000a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static const struct seal_place place = { .table = "setting", .guild_id = 7, .channel_id = 8, .name = "owner.secret" };

static struct keyring *ring_of(const char *text)
{
	struct keyring *ring = NULL;
	char error[KEYRING_ERROR_SIZE];

	assert_int_equal(keyring_parse(text, &ring, error), 0);
	return ring;
}

static void test_parse(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "no id" },
		{ "000000000000000A AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "no id" },
		{ "0000000000000000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "no id" },
		{ "000000000000000a", "32 bytes" },
		{ "000000000000000a AAAA", "32 bytes" },
		{ "000000000000000a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "32 bytes" },
		{ "000000000000000a !AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "32 bytes" },
		{ KEY_A "\n" KEY_A_WRONG, "twice" },
	};
	struct keyring *ring;
	char error[KEYRING_ERROR_SIZE], many[20 * KEYRING_LINE_SIZE] = "", line[KEYRING_LINE_SIZE], id[KEYRING_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(keyring_parse(bad[i].text, &ring, error), -EINVAL);
		if (!strstr(error, bad[i].words))
			fail_msg("%zu: %s", i, error);
		assert_null(strstr(error, "AAAA")); /* never a key */
	}
	for (int i = 0; i <= KEYRING_MAX; i++) {
		assert_int_equal(keyring_make_line(line), 0);
		strcat(strcat(many, line), "\n");
	}
	assert_int_equal(keyring_parse(many, &ring, error), -EINVAL);
	assert_non_null(strstr(error, "more than"));

	ring = ring_of("# the newest\n" KEY_B "\n\n" KEY_A " # old\n");
	assert_int_equal(keyring_count(ring), 2);
	assert_int_equal(keyring_first_id(ring), 0xb);
	assert_true(keyring_has(ring, 0xa));
	assert_false(keyring_has(ring, 0xc));
	keyring_id(ring, 1, id);
	assert_string_equal(id, "000000000000000a");
	keyring_free(ring);
	ring = ring_of("");
	assert_int_equal(keyring_count(ring), 0);
	keyring_free(ring);
}

static void test_seal_and_open(void **state)
{
	struct keyring *old = ring_of(KEY_A), *both = ring_of(KEY_B "\n" KEY_A), *other = ring_of(KEY_B);
	struct keyring *wrong = ring_of(KEY_A_WRONG), *none = ring_of(NULL);
	uint8_t sealed[64 + SEAL_OVERHEAD], again[64 + SEAL_OVERHEAD];
	size_t len, text_len, again_len;
	char text[80];

	(void)state;
	assert_int_equal(keyring_seal(none, &place, "x", 1, sealed, &len), -SHOAL_ENOKEY);
	assert_int_equal(keyring_seal(old, &place, "hemmelig", 8, sealed, &len), 0);
	assert_int_equal(len, 8 + SEAL_OVERHEAD);
	assert_null(memmem(sealed, len, "hemmelig", 8));
	assert_int_equal(seal_key_id(sealed, len), 0xa);
	assert_int_equal(keyring_open(both, &place, sealed, len, text, &text_len), 0);
	assert_string_equal(text, "hemmelig");
	assert_int_equal(keyring_seal(both, &place, "hemmelig", 8, again, &again_len), 0);
	assert_int_equal(seal_key_id(again, again_len), 0xb); /* the first key encrypts */
	assert_memory_not_equal(sealed + 9, again + 9, 24);   /* never the same nonce */

	assert_int_equal(keyring_open(other, &place, sealed, len, text, &text_len), -SHOAL_ENOKEY);
	assert_int_equal(keyring_open(wrong, &place, sealed, len, text, &text_len), -EBADMSG);
	assert_int_equal(keyring_open(none, &place, sealed, len, text, &text_len), -SHOAL_ENOKEY);
	keyring_free(old);
	keyring_free(both);
	keyring_free(other);
	keyring_free(wrong);
	keyring_free(none);
}

static void test_moved_cut_and_altered(void **state)
{
	const struct seal_place elsewhere[] = {
		{ .table = "user_setting", .guild_id = 7, .channel_id = 8, .name = "owner.secret" },
		{ .table = "setting", .guild_id = 9, .channel_id = 8, .name = "owner.secret" },
		{ .table = "setting", .guild_id = 7, .channel_id = 0, .name = "owner.secret" },
		{ .table = "setting", .guild_id = 7, .channel_id = 8, .user_id = 1, .name = "owner.secret" },
		{ .table = "setting", .guild_id = 7, .channel_id = 8, .name = "owner.other" },
		{ .table = "setting", .guild_id = 7, .channel_id = 8, .name = "" },
	};
	struct keyring *ring = ring_of(KEY_A);
	uint8_t sealed[16 + SEAL_OVERHEAD];
	size_t len, text_len;
	char text[32];

	(void)state;
	assert_int_equal(keyring_seal(ring, &place, "hemmelig", 8, sealed, &len), 0);
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		assert_int_equal(keyring_open(ring, &elsewhere[i], sealed, len, text, &text_len), -EBADMSG);
	for (size_t cut = 0; cut < len; cut++) {
		int r = keyring_open(ring, &place, sealed, cut, text, &text_len);

		assert_int_equal(r, cut < SEAL_OVERHEAD ? -EPROTO : -EBADMSG);
	}
	for (size_t i = 0; i < len; i++) {
		sealed[i] ^= 1;
		assert_true(keyring_open(ring, &place, sealed, len, text, &text_len) < 0);
		sealed[i] ^= 1;
	}
	assert_int_equal(keyring_open(ring, &place, sealed, len, text, &text_len), 0);
	keyring_free(ring);
}

static void test_file(void **state)
{
	char dir[TMPDIR_SIZE], path[128], problem[KEY_FILE_PROBLEM_SIZE], *text = NULL, *big;
	struct stat st;
	FILE *file;

	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/keys", dir);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(key_file_read("", &text, problem), 0);
	assert_null(text);
	assert_int_equal(key_file_read(path, &text, problem), -ENOENT);
	assert_non_null(strstr(problem, path));
	assert_int_equal(key_file_write(path, KEY_A "\n", problem), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(key_file_read(path, &text, problem), 0);
	assert_string_equal(text, KEY_A "\n");
	assert_string_equal(problem, "");
	key_file_wipe(&text);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(key_file_read(path, &text, problem), 0);
	assert_non_null(strstr(problem, "chmod 600"));
	key_file_wipe(&text);
	big = calloc(1, KEY_FILE_MAX + 2);
	memset(big, '#', KEY_FILE_MAX + 1);
	assert_int_equal(key_file_write(path, big, problem), 0);
	assert_int_equal(key_file_read(path, &text, problem), -EFBIG);
	free(big);
	file = fopen(path, "we");
	assert_int_equal(fwrite("a\0b", 1, 3, file), 3);
	fclose(file);
	assert_int_equal(key_file_read(path, &text, problem), -EINVAL);
	assert_int_equal(key_file_read("/dev/zero", &text, problem), -EINVAL);
	assert_int_equal(key_file_write("/nowhere/keys", "x", problem), -ENOENT);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_seal_and_open),
		cmocka_unit_test(test_moved_cut_and_altered),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
