/* The lenient look at a payload that was refused: what it finds, and that any bytes are safe. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "shard/gateway/glimpse.h"
#include "shared/base/cleanup.h"

/* In memory of exactly its size, so that a step too far is seen. */
static bool look(const char *text, size_t len, struct envelope *ret_envelope)
{
	CLEANUP(cleanup_free) char *copy = malloc(len ? len : 1);
	bool found;

	memcpy(copy, text, len);
	found = glimpse_dispatch(copy, len, ret_envelope);
	if (found && ret_envelope->name.ptr)
		ret_envelope->name.ptr = text + (ret_envelope->name.ptr - copy);
	return found;
}

static void what_it_finds(void **state)
{
	static const struct {
		const char *text;
		bool found;
		uint64_t sequence, guild_id;
		enum shoal_event_type type;
	} rows[] = {
		{ "{\"t\":\"MESSAGE_CREATE\",\"s\":7,\"op\":0,\"d\":{\"guild_id\":\"9\",\"x\":[[[[", true, 7, 9,
		  SHOAL_EVENT_MESSAGE_CREATE },
		{ "{\"op\":0,\"s\":7,\"d\":{}}", true, 7, 0, SHOAL_EVENT_NONE },
		{ " { \"d\" : { \"s\" : 5, \"op\" : 1 } , \"s\" : 7 , \"op\" : 0 }", true, 7, 0, SHOAL_EVENT_NONE },
		{ "{\"t\":\"NEWS\",\"s\":7,\"op\":0}", true, 7, 0, SHOAL_EVENT_UNKNOWN },
		{ "{\"op\":0,\"s\":7", false, 0, 0, 0 }, /* may go on: 70, 71 … */
		{ "{\"op\":1,\"s\":7}", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":null}", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":-7}", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":7.5}", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":99999999999999999999}", false, 0, 0, 0 },
		{ "{\"op\":0}", false, 0, 0, 0 },
		{ "{\"d\":{\"op\":0,\"s\":7}}", false, 0, 0, 0 },
		{ "{\"x\":\"\\\"op\\\":0,\\\"s\\\":7\"}", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":7,\"d\":{\"guild_id\":\"12x\"}}", true, 7, 0, SHOAL_EVENT_NONE },
		{ "{\"op\":0,\"s\":7,\"t\":\"cut", true, 7, 0, SHOAL_EVENT_NONE },
		{ "", false, 0, 0, 0 },
		{ "\"", false, 0, 0, 0 },
		{ "{\"op\":", false, 0, 0, 0 },
		{ "{\"op\"", false, 0, 0, 0 },
		{ "{\"op\":0,\"s\":7,\"t\":\"\\", true, 7, 0, SHOAL_EVENT_NONE },
	};
	struct envelope envelope;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&envelope, 0, sizeof(envelope));
		assert_int_equal(look(rows[i].text, strlen(rows[i].text), &envelope), rows[i].found);
		if (!rows[i].found)
			continue;
		assert_int_equal(envelope.sequence, rows[i].sequence);
		assert_int_equal(envelope.guild_id, rows[i].guild_id);
		assert_int_equal(envelope.type, rows[i].type);
	}
}

static void every_cut_and_every_flip_is_safe(void **state)
{
	static const char text[] =
		"{\"t\":\"MESSAGE_CREATE\",\"s\":7,\"op\":0,\"d\":{\"guild_id\":\"9\",\"x\":[{\"a\\\\\":\"\\\"\"}]}}";
	char copy[sizeof(text)];
	struct envelope envelope;
	unsigned int seed = 1;
	size_t len, i;

	(void)state;
	for (len = 0; len < sizeof(text); len++)
		look(text, len, &envelope);
	for (i = 0; i < 20000; i++) {
		memcpy(copy, text, sizeof(text));
		copy[(size_t)rand_r(&seed) % (sizeof(text) - 1)] = (char)rand_r(&seed);
		copy[(size_t)rand_r(&seed) % (sizeof(text) - 1)] = "\"\\{}[]:,"[rand_r(&seed) % 8];
		look(copy, sizeof(text) - 1 - (size_t)rand_r(&seed) % 20, &envelope);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_finds),
		cmocka_unit_test(every_cut_and_every_flip_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
