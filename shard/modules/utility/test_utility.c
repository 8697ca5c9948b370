/* What of the module is pure: how answers are split, how a poll looks, what of a click is believed, the phrases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <shoal/testing.h>

#include "shard/modules/utility/card.c"
#include "shard/modules/utility/poll_view.c"
#include "shard/modules/utility/poll_vote.c"
#include "shard/modules/utility/phrases.c"

/* The module's descriptor, which would bring it, is not here. */
const struct shoal_api *shoal_api_table;

static size_t value_count;
static const char *const *values;

static size_t count_values(const struct shoal_invocation *inv)
{
	(void)inv;
	return value_count;
}

static const char *value_at(const struct shoal_invocation *inv, size_t i)
{
	(void)inv;
	return i < value_count ? values[i] : NULL;
}

static int parse_id(const char *text, size_t len, uint64_t *ret_id)
{
	uint64_t id = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (id > UINT64_MAX / 10 - 1)
			return -ERANGE;
		id = id * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_id = id;
	return 0;
}

static int set_up(void **state)
{
	struct shoal_api *table = shoal_test_begin();

	(void)state;
	table->snowflake_parse = parse_id;
	table->invocation_value_count = count_values;
	table->invocation_value = value_at;
	value_count = 0;
	return 0;
}

/* --- phrases ---------------------------------------------------------------------------------------------------------
 */

static void names_of(const char *text, unsigned names[26])
{
	memset(names, 0, 26 * sizeof(*names));
	for (; *text; text++) {
		size_t len;

		if (*text != '{')
			continue;
		len = strcspn(text, "}");
		assert_true(text[len] == '}');
		names[(text[1] - 'a') % 26] += (unsigned)len;
	}
}

static void every_phrase_in_every_language(void **state)
{
	static const struct shoal_phrase *const phrases[] = {
#define P(id, ...) PHRASE(id),
		UTILITY_PHRASES(P)
#undef P
	};
	unsigned english[26], other[26];
	size_t i;
	int language;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(phrases); i++) {
		names_of(phrases[i]->text[SHOAL_ENGLISH], english);
		for (language = 0; language < SHOAL_LANGUAGE_COUNT; language++) {
			assert_non_null(phrases[i]->text[language]);
			assert_in_range(strlen(phrases[i]->text[language]), 1, 400);
			names_of(phrases[i]->text[language], other);
			if (memcmp(english, other, sizeof(english)) != 0)
				print_error("other {names}: %s\n", phrases[i]->text[language]);
			assert_memory_equal(english, other, sizeof(english));
		}
	}
}

/* --- cards -----------------------------------------------------------------------------------------------------------
 */

static void a_card_is_never_overfull(void **state)
{
	static const char long_text[] =
		"ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää";
	struct card card;
	size_t i, len, all = 0;

	(void)state;
	card_begin(&card, SHOAL_ENGLISH);
	for (i = 0; i < 200; i++)
		card_line(&card, PHRASE(ROLES), true, "%s%s%s%s", long_text, long_text, long_text, long_text);
	assert_in_range(card.embed.line_count, 5, CARD_LINES_MAX);
	for (i = 0; i < card.embed.line_count; i++) {
		len = strlen(card.lines[i].value);
		assert_in_range(len, 1, 1024);
		/* Cut between two characters: each ä has two bytes. */
		assert_int_equal(len % 2, 0);
		all += len + strlen(card.lines[i].name);
	}
	assert_in_range(all, 1, 6000);
	card_begin(&card, SHOAL_ENGLISH);
	card_line(&card, PHRASE(ROLES), true, "%s", "");
	assert_int_equal(card.embed.line_count, 0);
	assert_string_equal(card_print(&card, 3, "%s", "aää"), "aä");
	assert_string_equal(card_print(&card, 2, "%s", "aää"), "a");
	assert_string_equal(card_clean(&card, (struct shoal_str){ NULL, 0 }, 10), "?");
}

/* --- polls -----------------------------------------------------------------------------------------------------------
 */

static void answers_are_split(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t count;
		const char *first, *last;
	} rows[] = {
		{ "a | b", 0, 2, "a", "b" },
		{ "  a|b |  c ", 0, 3, "a", "c" },
		{ "a, well | b", 0, 2, "a, well", "b" },
		{ "a;b;c", 0, 3, "a", "c" },
		{ "a, b, c", 0, 3, "a", "c" },
		{ "a\nb\r\nc", 0, 3, "a", "c" },
		{ "|a||b|", 0, 2, "a", "b" },
		{ "1|2|3|4|5|6|7|8|9|10", 0, 10, "1", "10" },
		{ "1|2|3|4|5|6|7|8|9|10|11", -EINVAL, 0, NULL, NULL },
		{ "a", -EINVAL, 0, NULL, NULL },
		{ "", -EINVAL, 0, NULL, NULL },
		{ "|||", -EINVAL, 0, NULL, NULL },
		{ "a | b | a", -EEXIST, 0, NULL, NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(rows); i++) {
		struct poll poll = { 0 };

		assert_int_equal(poll_split(&poll, rows[i].text), rows[i].result);
		if (rows[i].result < 0)
			continue;
		assert_int_equal(poll.answer_count, rows[i].count);
		assert_string_equal(poll.answers[0], rows[i].first);
		assert_string_equal(poll.answers[poll.answer_count - 1], rows[i].last);
	}
	{
		struct poll poll = { 0 };
		char text[200];

		snprintf(text, sizeof(text), "a | %081d", 1);
		assert_int_equal(poll_split(&poll, text), -E2BIG);
		snprintf(text, sizeof(text), "a | %080d", 1);
		assert_int_equal(poll_split(&poll, text), 0);
	}
}

static size_t filled(uint64_t part, uint64_t whole)
{
	char bar[POLL_BAR_SIZE];
	const char *at = poll_bar(part, whole, bar);
	size_t count = 0;

	assert_int_equal(strlen(bar), POLL_BAR_CELLS * 3);
	while ((at = strstr(at, "█"))) {
		at += 3;
		count++;
	}
	return count;
}

static void bars(void **state)
{
	(void)state;
	assert_int_equal(filled(0, 0), 0);
	assert_int_equal(filled(0, 5), 0);
	assert_int_equal(filled(5, 5), POLL_BAR_CELLS);
	assert_int_equal(filled(1, 2), POLL_BAR_CELLS / 2);
	assert_int_equal(filled(1, 1000), 0);
	assert_int_equal(filled(999, 1000), POLL_BAR_CELLS);
	assert_int_equal(filled(1ULL << 40, 1ULL << 41), POLL_BAR_CELLS / 2);
}

static struct poll example(size_t answers, bool several)
{
	struct poll poll = { .id = 77, .answer_count = answers, .several = several, .ends_ms = 1800000000000 };
	size_t i;

	strcpy(poll.question, "Lunch?");
	for (i = 0; i < answers; i++)
		snprintf(poll.answers[i], POLL_ANSWER_SIZE, "answer %zu", i);
	return poll;
}

static void how_it_looks(void **state)
{
	static struct poll_message message;
	struct poll poll = example(10, false);
	size_t i;

	(void)state;
	poll_show(&message, &poll, SHOAL_ENGLISH);
	assert_int_equal(message.content.row_count, 2);
	assert_int_equal(message.rows[0].button_count, 5);
	assert_int_equal(message.rows[1].button_count, 5);
	assert_string_equal(message.buttons[9].custom_id, "utility.vote:77:9");
	assert_non_null(strstr(message.text, "<t:1800000000:R>"));
	poll = example(3, true);
	poll_show(&message, &poll, SHOAL_GERMAN);
	assert_int_equal(message.content.row_count, 1);
	assert_int_equal(message.select.choice_count, 3);
	assert_int_equal(message.select.most, 3);
	poll.ended_ms = 1;
	poll_show(&message, &poll, SHOAL_ENGLISH);
	assert_int_equal(message.content.row_count, 0);
	assert_true(message.content.clear_rows);
	/* The longest there can be stay within Discord's limits. */
	poll = example(POLL_ANSWERS_MAX, false);
	for (i = 0; i < POLL_ANSWERS_MAX; i++) {
		memset(poll.answers[i], 'x', POLL_ANSWER_MOST);
		poll.counts[i] = UINT64_MAX >> 24;
	}
	poll.voters = UINT64_MAX >> 24;
	memset(poll.question, 'q', POLL_QUESTION_MOST);
	poll_show(&message, &poll, SHOAL_ENGLISH);
	assert_in_range(characters(message.text, strlen(message.text)), 1, 4096);
	assert_null(message.embed.title); /* too long for one: above the frame then */
	assert_non_null(message.content.text);
}

static void winners(void **state)
{
	struct poll poll = example(3, false);
	char text[2000];

	(void)state;
	assert_string_equal(poll_winners(&poll, SHOAL_ENGLISH, text, sizeof(text)), "Nobody voted.");
	poll.counts[1] = 4;
	assert_string_equal(poll_winners(&poll, SHOAL_ENGLISH, text, sizeof(text)), "**answer 1** with 4");
	poll.counts[2] = 4;
	assert_string_equal(poll_winners(&poll, SHOAL_ENGLISH, text, sizeof(text)),
			    "a tie of **answer 1**, **answer 2** with 4 each");
}

static void clicks(void **state)
{
	static const char *const two[] = { "0", "3" }, *const forged[] = { "0", "12" };
	static const struct {
		const char *rest;
		bool good;
		uint64_t choices;
	} rows[] = {
		{ "77:0", true, 1 },
		{ "77:9", true, 512 },
		{ "77:10", false, 0 },
		{ "77:-1", false, 0 },
		{ "77:", false, 0 },
		{ "77:1x", false, 0 },
		{ "", false, 0 },
		{ ":1", false, 0 },
		{ "x:1", false, 0 },
		{ "77", true, 0 },
		{ "77 ", false, 0 },
		{ "77:1:1", false, 0 },
		{ "999999999999999999999999:1", false, 0 },
	};
	struct poll_vote vote;
	size_t i;

	(void)state;
	for (i = 0; i < SHOAL_COUNT(rows); i++) {
		struct shoal_invocation inv = { .custom_rest = rows[i].rest };

		vote = (struct poll_vote){ 0 };
		assert_int_equal(read_click(&inv, &vote), rows[i].good);
		if (rows[i].good) {
			assert_int_equal(vote.poll_id, 77);
			assert_int_equal(vote.choices, rows[i].choices);
		}
	}
	values = two;
	value_count = 2;
	vote = (struct poll_vote){ 0 };
	assert_true(read_click(&(struct shoal_invocation){ .custom_rest = "77" }, &vote));
	assert_int_equal(vote.choices, 9);
	values = forged;
	assert_false(read_click(&(struct shoal_invocation){ .custom_rest = "77" }, &vote));
}

/* What poll_vote.c calls and these tests don't. */
int poll_store_vote(struct shoal_scope *scope, const struct poll_vote *vote, shoal_written_fn fn, void *arg)
{
	(void)scope;
	(void)vote;
	(void)fn;
	(void)arg;
	return -ENOTSUP;
}

void poll_find(struct shoal_scope *scope, uint64_t guild_id, uint64_t ref, uint64_t channel_id, uint64_t user_id,
	       poll_fn fn, void *arg)
{
	(void)scope;
	(void)guild_id;
	(void)ref;
	(void)channel_id;
	(void)user_id;
	fn(arg, -ENOTSUP, NULL);
}

void poll_refuse(struct shoal_invocation *inv, int error)
{
	(void)inv;
	(void)error;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_phrase_in_every_language, set_up),
		cmocka_unit_test_setup(a_card_is_never_overfull, set_up),
		cmocka_unit_test_setup(answers_are_split, set_up),
		cmocka_unit_test_setup(bars, set_up),
		cmocka_unit_test_setup(how_it_looks, set_up),
		cmocka_unit_test_setup(winners, set_up),
		cmocka_unit_test_setup(clicks, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
