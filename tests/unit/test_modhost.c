/* The module host: what descriptors are taken and refused, whose custom id is whose, who gets an event and when, what
 * the breaker's state on the board means for that, and that setup and cleanup come in order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shard/commands/components.h"
#include "shard/commands/registry.h"
#include "shard/modhost/modhost.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "tests/unit/tmpdir.h"

static char said[256]; /* what was called, in order */

static void say(const char *what)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s", *said ? " " : "", what);
}

static void on_command(struct shoal_invocation *inv)
{
	(void)inv;
}

static const struct shoal_api *module_api;
static const struct shoal_command hello = { .name = "hello", .description = "Says hello", .handle = on_command };
static const struct shoal_command *const hello_commands[] = { &hello };
static const struct shoal_component_row hello_components[] = { { .prefix = "a", .handle = on_command },
							       { .prefix = "a.b", .handle = on_command } };

#define HEAD(name_) .abi = SHOAL_ABI, .size = sizeof(struct shoal_module), .api = &module_api, .name = (name_)

static struct shoal_module module_a(void)
{
	return (struct shoal_module){ HEAD("a"), SHOAL_COMMANDS(hello_commands), SHOAL_COMPONENTS(hello_components) };
}

static int add(const struct shoal_module *module, char *error)
{
	return loader_add(module, NULL, error);
}

static int set_up(void **state)
{
	(void)state;
	loader_clear();
	said[0] = '\0';
	return 0;
}

/* --- descriptors */

static void phrases_that_differ_are_refused(void **state)
{
	static const struct shoal_phrase bad[] = { SHOAL_PHRASE("{a}", "{a}", NULL, NULL),
						   SHOAL_PHRASE("Hello {who}", "Hallo {wer}", NULL, NULL) };
	struct shoal_module module = module_a();
	char error[LOADER_ERROR_SIZE];

	(void)state;
	module.phrases = bad;
	module.phrase_count = 2;
	assert_int_equal(add(&module, error), -EINVAL);
	assert_non_null(strstr(error, "Hello {who}"));
	module.phrases = NULL;
	assert_int_equal(add(&module, error), -EINVAL);
	assert_int_equal(loader_count(), 0);
}

static void another_abi_is_refused_in_words(void **state)
{
	static const struct {
		uint32_t abi;
		const char *words;
	} others[] = { { (SHOAL_ABI_MAJOR + 1) << 16, "module ABI 4.0" },
		       { SHOAL_ABI_MAJOR << 16 | (SHOAL_ABI_MINOR + 1), "build it anew" },
		       { 0, "module ABI 0.0" },
		       { UINT32_MAX, "module ABI 65535.65535" } };
	char error[LOADER_ERROR_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct shoal_module module = module_a();

		module.abi = others[i].abi;
		assert_int_equal(add(&module, error), -SHOAL_EVERSION);
		assert_non_null(strstr(error, others[i].words));
	}
	assert_int_equal(loader_count(), 0);
	assert_int_equal(registry_command_count, 0);
}

static void an_older_descriptor_is_shorter(void **state)
{
	struct shoal_module module = module_a();
	char error[LOADER_ERROR_SIZE];

	(void)state;
	module.size = offsetof(struct shoal_module, components); /* what lies behind is not looked at */
	assert_int_equal(add(&module, error), 0);
	assert_int_equal(loader_get(0)->rows.command_count, 1);
	assert_int_equal(loader_get(0)->rows.component_count, 0);
	module.size = 8;
	assert_int_equal(add(&module, error), -SHOAL_EVERSION);
	module.size = UINT32_MAX;
	assert_int_equal(add(&module, error), -SHOAL_EVERSION);
}

static void on_nothing(struct shoal_scope *scope, const struct shoal_event *event)
{
	(void)scope;
	(void)event;
}

static void on_job(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	(void)scope;
	(void)run;
}

static void wrong_rows_are_refused_whole(void **state)
{
	static const struct shoal_command nameless = { .description = "x", .handle = on_command },
					  upper = { .name = "Hello", .description = "x", .handle = on_command },
					  empty = { .name = "hello", .description = "", .handle = on_command },
					  idle = { .name = "hello", .description = "x" };
	static const struct shoal_command_option late[] = {
		{ .name = "a", .description = "x", .type = SHOAL_OPTION_STRING },
		{ .name = "b", .description = "x", .type = SHOAL_OPTION_STRING, .required = true }
	};
	static const struct shoal_command ordered = {
		.name = "hello", .description = "x", .options = late, .option_count = 2, .handle = on_command
	};
	static const struct shoal_command *const lists[][2] = { { &nameless }, { &upper },   { &empty },
								{ &idle },     { &ordered }, { &hello, &hello } };
	static const struct shoal_event_row bad_events[] = { { SHOAL_EVENT_UNKNOWN, on_nothing } };
	static const struct shoal_component_row bad_components[] = {
		{ .prefix = "b", .handle = on_command },  { .prefix = "a:b", .handle = on_command },
		{ .prefix = "ab", .handle = on_command }, { .prefix = "a.", .handle = on_command },
		{ .prefix = NULL, .handle = on_command }, { .prefix = "a", .handle = NULL },
		{ .prefix = "", .handle = on_command },
	};
	static const struct shoal_job bad_jobs[] = {
		{ .name = NULL, .handle = on_job },
		{ .name = "A", .handle = on_job },
		{ .name = "a" },
		{ .name = "a", .handle = on_job, .repeat = "now and then" },
		{ .name = "a", .handle = on_job, .late = (enum shoal_job_late)9 },
	};
	static const struct shoal_job twice[] = { { .name = "a", .handle = on_job },
						  { .name = "a", .handle = on_job } };
	struct shoal_module module;
	char error[LOADER_ERROR_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		module = module_a();
		module.commands = lists[i];
		module.command_count = lists[i][1] ? 2 : 1;
		assert_true(add(&module, error) < 0);
	}
	for (i = 0; i < ARRAY_SIZE(bad_components); i++) {
		module = module_a();
		module.components = &bad_components[i];
		module.component_count = 1;
		assert_true(add(&module, error) < 0);
	}
	module = module_a();
	module.events = bad_events;
	module.event_count = 1;
	assert_int_equal(add(&module, error), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(bad_jobs); i++) {
		module = module_a();
		module.jobs = &bad_jobs[i];
		module.job_count = 1;
		assert_int_equal(add(&module, error), -EINVAL);
	}
	module = module_a();
	module.jobs = twice;
	module.job_count = SHOAL_COUNT(twice);
	assert_int_equal(add(&module, error), -EEXIST);
	module = module_a();
	module.name = "A b";
	assert_int_equal(add(&module, error), -EINVAL);
	/* Nothing of them is left. */
	assert_int_equal(loader_count(), 0);
	assert_int_equal(registry_command_count, 0);
	module = module_a();
	assert_int_equal(add(&module, error), 0);
	assert_ptr_equal(module_api, shoal_api_table);
}

static void what_is_taken_is_taken_once(void **state)
{
	struct shoal_module module = module_a(), other = module_a();
	char error[LOADER_ERROR_SIZE];

	(void)state;
	assert_int_equal(add(&module, error), 0);
	assert_int_equal(add(&module, error), -EEXIST);
	assert_non_null(strstr(error, "of that name"));
	other.name = "b";
	other.component_count = 0;
	assert_int_equal(add(&other, error), -EEXIST);
	assert_non_null(strstr(error, "/hello"));
}

static void custom_ids_find_their_row(void **state)
{
	static const struct {
		const char *id, *prefix, *rest;
	} rows[] = {
		{ "a", "a", "" },     { "a:", "a", "" },       { "a:1:2", "a", "1:2" }, { "a.b:x", "a.b", "x" },
		{ "a.b", "a.b", "" }, { "ab", NULL, NULL },    { "A", NULL, NULL },     { "", NULL, NULL },
		{ ":a", NULL, NULL }, { "a.c", NULL, NULL },   { "b:a", NULL, NULL },   { "a.b.c:x", NULL, NULL },
		{ "a ", NULL, NULL }, { "a\n:x", NULL, NULL },
	};
	struct shoal_module module = module_a();
	char error[LOADER_ERROR_SIZE];
	size_t i;

	(void)state;
	assert_int_equal(add(&module, error), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shoal_str id = { rows[i].id, (uint32_t)strlen(rows[i].id) };
		struct module_entry *owner = NULL;
		size_t skip = 0;
		const struct shoal_component_row *row = components_find(id, &skip, &owner);

		if (!rows[i].prefix) {
			assert_null(row);
			continue;
		}
		assert_string_equal(row->prefix, rows[i].prefix);
		assert_ptr_equal(owner, &loader_get(0)->entry);
		assert_string_equal(rows[i].id + skip, rows[i].rest);
	}
	assert_null(components_find((struct shoal_str){ NULL, 0 }, &(size_t){ 0 }, &(struct module_entry *){ NULL }));
}

static void intents_follow_from_events(void **state)
{
	static const struct shoal_event_row events[] = { { SHOAL_EVENT_GUILD_MEMBER_ADD, on_nothing },
							 { SHOAL_EVENT_MESSAGE_REACTION_ADD, on_nothing },
							 { SHOAL_EVENT_INTERACTION_CREATE, on_nothing } };
	struct shoal_module module = { HEAD("a"), SHOAL_EVENT_ROWS(events), .intents = 1u << 15 };
	char error[LOADER_ERROR_SIZE];

	(void)state;
	assert_int_equal(add(&module, error), 0);
	assert_int_equal(loader_intents(), 1u << 1 | 1u << 10 | 1u << 13 | 1u << 15);
	assert_true(modhost_wants(SHOAL_EVENT_GUILD_MEMBER_ADD));
	assert_false(modhost_wants(SHOAL_EVENT_TYPING_START));
}

/* --- a host with a board */

static struct {
	char dir[TMPDIR_SIZE];
	struct loop loop;
	struct board_shard *board;
	struct modhost *host;
	_Atomic uint64_t counters[BOARD_COUNTER_COUNT];
} on;

static struct shoal_scope *held;
static int setup_result;

#define MODULE_FUNCTIONS(id)                                                               \
	static int setup_##id(struct shoal_scope *module)                                  \
	{                                                                                  \
		say("+" #id);                                                              \
		shoal_set_data(module, module);                                            \
		return setup_result;                                                       \
	}                                                                                  \
	static void cleanup_##id(struct shoal_scope *module)                               \
	{                                                                                  \
		assert_ptr_equal(shoal_data(module), module);                              \
		say("-" #id);                                                              \
	}                                                                                  \
	static void event_##id(struct shoal_scope *scope, const struct shoal_event *event) \
	{                                                                                  \
		(void)event;                                                               \
		say(#id);                                                                  \
		assert_ptr_equal(shoal_data(scope), shoal_scope_of_module(scope));         \
		if (held)                                                                  \
			held = shoal_scope_hold(scope);                                    \
	}                                                                                  \
	static const struct shoal_event_row rows_##id[] = { { SHOAL_EVENT_TYPING_START, event_##id } }
MODULE_FUNCTIONS(one);
MODULE_FUNCTIONS(two);
MODULE_FUNCTIONS(three);

static const struct shoal_module modules[] = {
	{ HEAD("one"), .events = rows_one, .event_count = 1, .setup = setup_one, .cleanup = cleanup_one },
	{ HEAD("two"), .events = rows_two, .event_count = 1, .setup = setup_two, .cleanup = cleanup_two },
	{ HEAD("three"), .events = rows_three, .event_count = 1, .setup = setup_three, .cleanup = cleanup_three },
};

static int host_up(void **state)
{
	bool damaged;
	char error[LOADER_ERROR_SIZE];
	size_t i;

	set_up(state);
	memset(&on, 0, sizeof(on));
	held = NULL;
	setup_result = 0;
	tmpdir_make(on.dir);
	assert_int_equal(board_shard_create(on.dir, 1, 0, 1, 64, &damaged), 0);
	assert_int_equal(board_shard_open(on.dir, 1, 0, true, &on.board), 0);
	board_shard_set_owner(on.board, 1, 1, "test");
	assert_int_equal(loop_init(&on.loop), 0);
	for (i = 0; i < ARRAY_SIZE(modules); i++)
		assert_int_equal(loader_add(&modules[i], NULL, error), 0);
	return 0;
}

static uint64_t forbidden_guild;

static bool allowed(void *arg, const struct module_entry *module, uint64_t guild_id)
{
	(void)arg;
	return guild_id != forbidden_guild || strcmp(module->name, "two") != 0;
}

static void start(struct board_culprit culprit)
{
	struct modhost_options options = {
		.loop = &on.loop,
		.board = on.board,
		.counters = on.counters,
		.rules = { .crashes = 2, .window_s = 600, .retry_s = 60, .retry_cap_s = 600, .stable_s = 600 },
		.culprit = culprit,
		.allowed = allowed,
	};

	assert_int_equal(modhost_new(&options, &on.host), 0);
	modhost_start(on.host);
}

static void stop(void)
{
	modhost_close(on.host);
	on.host = modhost_free(on.host);
}

/* As a worker's end and the next one's start. */
static void restart(struct board_culprit culprit)
{
	stop();
	said[0] = '\0';
	start(culprit);
}

static int host_down(void **state)
{
	(void)state;
	stop();
	loop_finish(&on.loop);
	culprit_init(NULL, 0);
	board_shard_close(on.board);
	tmpdir_remove(on.dir);
	loader_clear();
	return 0;
}

static void typing(void)
{
	static const struct shoal_typing typing_data;
	struct shoal_event event = { .type = SHOAL_EVENT_TYPING_START, .guild_id = 5, .typing = &typing_data };

	modhost_event(on.host, &event, NULL);
}

static struct board_culprit culprit_of(size_t i)
{
	return (struct board_culprit){ .module = loader_get(i)->entry.row + 1, .kind = CULPRIT_EVENT, .pid = 1 };
}

static void in_order_and_back(void **state)
{
	(void)state;
	start((struct board_culprit){ 0 });
	typing();
	stop();
	assert_string_equal(said, "+one +two +three one two three -three -two -one");
}

static void lanes_differ(void **state)
{
	(void)state;
	assert_int_not_equal(loader_get(0)->lane, loader_get(1)->lane);
	assert_int_not_equal(loader_get(1)->lane, loader_get(2)->lane);
	assert_true(loader_get(0)->lane > EFFECT_LANE_COMMANDS && loader_get(0)->lane <= EFFECT_LANE_MAX);
}

static void a_setup_that_refuses_is_left_out(void **state)
{
	(void)state;
	setup_result = -EIO;
	start((struct board_culprit){ 0 });
	typing();
	stop();
	assert_string_equal(said, "+one +two +three"); /* no events, no cleanup */
}

static void crashes_switch_one_off_and_leave_the_others(void **state)
{
	(void)state;
	start((struct board_culprit){ 0 });
	restart(culprit_of(1));
	assert_string_equal(said, "+one +two +three"); /* once is not enough */
	restart(culprit_of(1));
	assert_string_equal(said, "+one +three");
	typing();
	assert_string_equal(said, "+one +three one three");
	assert_int_equal(on.counters[BOARD_COUNTER_modules_off], 1);
	assert_int_equal(board_shard_module_counter(on.board, loader_get(1)->entry.row, BOARD_MODULE_skipped), 1);
	assert_int_equal(board_shard_module_counter(on.board, loader_get(1)->entry.row, BOARD_MODULE_crashes), 2);
	/* A worker after it, which no crash made: the board remembers. */
	restart((struct board_culprit){ 0 });
	assert_string_equal(said, "+one +three");
}

static void a_guild_may_switch_one_off(void **state)
{
	(void)state;
	start((struct board_culprit){ 0 });
	said[0] = '\0';
	forbidden_guild = 5;
	typing();
	assert_string_equal(said, "one three");
	forbidden_guild = 6;
	typing();
	assert_string_equal(said, "one three one two three");
	forbidden_guild = 0;
}

static uint64_t fake_ns;

static void tried_again_it_is_set_up(void **state)
{
	struct board_module row;

	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_set_fake(&fake_ns);
	start(culprit_of(1));
	restart(culprit_of(1));
	restart(culprit_of(1));
	assert_true(loader_get(1)->entry.off);
	said[0] = '\0';
	fake_ns += 61 * NS_PER_S;
	on.loop.tick_hooks.ring.next->fn(on.loop.tick_hooks.ring.next->arg); /* the slow tick */
	clock_set_fake(NULL);
	assert_string_equal(said, "+two");
	assert_true(board_shard_module(on.board, loader_get(1)->entry.row, &row));
	assert_int_equal(row.state, BREAKER_TRIAL);
	typing();
	assert_string_equal(said, "+two one two three");
}

static void whoever_is_blamed_is_on_the_board(void **state)
{
	struct culprit_frame outer, inner;
	struct board_culprit now;

	(void)state;
	start((struct board_culprit){ 0 });
	culprit_init(on.board, 0);
	assert_int_equal(board_shard_culprit(on.board).module, 0);
	culprit_enter(&outer, &loader_get(0)->entry, CULPRIT_EVENT, NULL, "x");
	culprit_enter(&inner, &loader_get(2)->entry, CULPRIT_TIMER, NULL, "y");
	now = board_shard_culprit(on.board);
	assert_int_equal(now.module, loader_get(2)->entry.row + 1);
	assert_int_equal(now.kind, CULPRIT_TIMER);
	assert_ptr_equal(culprit_current(), &inner);
	culprit_leave(&inner);
	assert_int_equal(board_shard_culprit(on.board).module, loader_get(0)->entry.row + 1);
	culprit_leave(&outer);
	assert_int_equal(board_shard_culprit(on.board).module, 0);
	assert_null(culprit_current());
}

static void a_held_event_is_ended_when_we_stop(void **state)
{
	struct shoal_scope *any = (struct shoal_scope *)&on;

	(void)state;
	start((struct board_culprit){ 0 });
	held = any;
	typing();
	assert_true(modhost_is_busy(on.host));
	modhost_close(on.host);
	assert_true(held->ended);
	shoal_scope_release(held); /* the last of three; the other two leak on purpose: said, and freed */
}

static void rows_follow_the_name(void **state)
{
	static const struct shoal_module late = { HEAD("zero"), .events = rows_one, .event_count = 1 };
	struct board_module row;
	char error[LOADER_ERROR_SIZE];
	size_t i;

	(void)state;
	start((struct board_culprit){ 0 });
	restart(culprit_of(2));
	stop();
	/* Other modules, in another order, as after an upgrade. */
	loader_clear();
	assert_int_equal(loader_add(&late, NULL, error), 0);
	for (i = ARRAY_SIZE(modules); i-- > 0;)
		assert_int_equal(loader_add(&modules[i], NULL, error), 0);
	start((struct board_culprit){ 0 });
	assert_true(board_shard_module(on.board, loader_get(1)->entry.row, &row));
	assert_string_equal(row.name, "three");
	assert_int_equal(row.crashes, 1);
}

#define HOSTED(fn) cmocka_unit_test_setup_teardown(fn, host_up, host_down)
#define TEST(fn)   cmocka_unit_test_setup(fn, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(phrases_that_differ_are_refused),
		TEST(another_abi_is_refused_in_words),
		TEST(an_older_descriptor_is_shorter),
		TEST(wrong_rows_are_refused_whole),
		TEST(what_is_taken_is_taken_once),
		TEST(custom_ids_find_their_row),
		TEST(intents_follow_from_events),
		HOSTED(in_order_and_back),
		HOSTED(lanes_differ),
		HOSTED(a_setup_that_refuses_is_left_out),
		HOSTED(crashes_switch_one_off_and_leave_the_others),
		HOSTED(a_guild_may_switch_one_off),
		HOSTED(tried_again_it_is_set_up),
		HOSTED(whoever_is_blamed_is_on_the_board),
		HOSTED(a_held_event_is_ended_when_we_stop),
		HOSTED(rows_follow_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
