/* A module's calls that can't be called back: queries, writes, settings, the bus. Each of a flow, ended before its
 * answer comes, after it, or from within a callback: the module is told exactly once, a late answer reaches nobody, and
 * nothing is left (ASan looks on). The database and the cache of settings are stood in for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shard/modhost/modhost.h"
#include "shard/modhost/module_bus.h"
#include "shard/modhost/module_settings.h"
#include "shard/modhost/module_store.h"
#include "shared/base/errors.h"
#include "shared/settings/settings_write.h"

/* --- what stands in for the worker ----------------------------------------------------------------------------------
 */

enum kind { QUERY, WRITE, GET, SET, KIND_COUNT };

/* One that waits for its answer. */
static struct {
	bool waits;
	void *fn, *arg;
	int refuse;
	uint64_t token;
	int64_t guild;
	size_t params;
} asked[KIND_COUNT];

static int ask(enum kind kind, void *fn, void *arg)
{
	if (asked[kind].refuse)
		return asked[kind].refuse;
	assert_false(asked[kind].waits);
	asked[kind].waits = true;
	asked[kind].fn = fn;
	asked[kind].arg = arg;
	return 0;
}

bool db_is_on(const struct db *db)
{
	return db != NULL;
}

int db_query(struct db *db, const struct statement *statement, const struct db_param *params, size_t count,
	     db_result_fn fn, void *arg)
{
	(void)db;
	assert_string_equal(statement->name, "get");
	asked[QUERY].guild = params[0].value.i;
	asked[QUERY].params = count;
	return ask(QUERY, (void *)(uintptr_t)fn, arg);
}

static int fake_write(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg)
{
	(void)arg;
	assert_string_equal(write->owner, "flow");
	assert_string_equal(write->key.name, "flow/thing");
	assert_int_equal(write->key.id, 7);
	asked[WRITE].token = write->token;
	return ask(WRITE, (void *)(uintptr_t)fn, fn_arg);
}

int settings_get(struct settings *settings, const struct settings_place *place, const char *name, settings_fn fn,
		 void *arg)
{
	(void)settings;
	(void)place;
	assert_string_equal(name, "flow.points");
	return ask(GET, (void *)(uintptr_t)fn, arg);
}

int settings_peek(struct settings *settings, const struct settings_place *place, const char *name,
		  struct setting_answer *ret_answer)
{
	(void)settings;
	(void)place;
	(void)name;
	(void)ret_answer;
	return -EAGAIN;
}

void settings_set(struct settings *settings, const struct settings_change *change, const char *text,
		  settings_done_fn fn, void *arg)
{
	(void)settings;
	assert_string_equal(change->name, "flow.points");
	assert_string_equal(text, "3");
	ask(SET, (void *)(uintptr_t)fn, arg);
}

void settings_reset(struct settings *settings, const struct settings_change *change, settings_done_fn fn, void *arg)
{
	(void)settings;
	(void)change;
	ask(SET, (void *)(uintptr_t)fn, arg);
}

static struct {
	bool on;
	bus_message_fn fn;
	void *arg;
} subscribed;

bool bus_is_on(const struct bus *bus)
{
	return bus != NULL;
}

int bus_publish(struct bus *bus, enum subject_id id, const struct subject_params *params, const void *payload,
		size_t len)
{
	struct bus_message message = { .payload = payload, .len = len };

	assert_int_equal(id, SUBJECT_MODULE);
	assert_string_equal(params->module, "flow");
	if (subscribed.on && strcmp(params->topic, "news") == 0)
		subscribed.fn(subscribed.arg, bus, &message);
	return 0;
}

int bus_subscribe(struct bus *bus, enum subject_id id, const struct subject_params *params, bus_message_fn fn,
		  void *arg, struct bus_subscription **ret_subscription)
{
	(void)bus;
	assert_int_equal(id, SUBJECT_MODULE);
	assert_string_equal(params->topic, "news");
	subscribed.on = true;
	subscribed.fn = fn;
	subscribed.arg = arg;
	*ret_subscription = (struct bus_subscription *)&subscribed;
	return 0;
}

void bus_unsubscribe(struct bus_subscription *subscription)
{
	assert_ptr_equal(subscription, &subscribed);
	subscribed.on = false;
}

static struct modhost_options services = { .db = (struct db *)&services,
					   .bus = (struct bus *)&services,
					   .settings = (struct settings *)&services,
					   .outbox = { .write = fake_write } };

const struct modhost_options *modhost_services(void)
{
	return &services;
}

static const struct shoal_statement statements[] = {
	{ .name = "get",
	  .sql = "SELECT 1 FROM shoal.flow__x WHERE guild_id = $1 AND x = $2",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 },
	  .flags = SHOAL_SQL_READS },
	{ .name = "put", .sql = "DELETE FROM shoal.flow__x WHERE guild_id = $1", .params = { SHOAL_SQL_GUILD } },
};
static const struct shoal_setting settings[] = {
	{ .name = "points", .type = SHOAL_SETTING_INTEGER, .layers = SHOAL_LAYER_GUILD, .description = "points" },
};
static struct loaded_module module = { .name = "flow",
				       .rows = { SHOAL_SETTINGS(1, settings), SHOAL_STATEMENTS(statements) } };

struct loaded_module *modhost_module(const struct module_entry *entry)
{
	return entry ? &module : NULL;
}

/* --- the flow: one call after the other, each told once -------------------------------------------------------------
 */

static struct {
	struct shoal_scope scope;
	uint32_t refs;
	int told[KIND_COUNT], cancelled[KIND_COUNT], heard, ended;
	bool cancels_itself;
} flow;

static void hold(void *owner)
{
	(void)owner;
	flow.refs++;
}

static void release(void *owner)
{
	(void)owner;
	flow.refs--;
}

static int begin(enum kind kind);

static void note(enum kind kind, int error)
{
	flow.told[kind]++;
	flow.cancelled[kind] += error == -ECANCELED;
	if (flow.cancels_itself)
		scope_end(&flow.scope);
	if (kind + 1 < KIND_COUNT)
		assert_int_equal(begin((enum kind)(kind + 1)), flow.scope.ended ? -ECANCELED : 0);
}

static void on_rows(void *arg, int error, const struct shoal_rows *rows)
{
	(void)arg;
	(void)rows;
	note(QUERY, error);
}

static void on_written(void *arg, const struct shoal_written *written)
{
	(void)arg;
	assert_int_equal(written->kept, written->error == 0);
	note(WRITE, written->error);
}

static void on_value(void *arg, const struct shoal_setting_answer *answer)
{
	(void)arg;
	assert_int_equal(answer->value == NULL, answer->error != 0);
	note(GET, answer->error);
}

static void on_set(void *arg, const struct shoal_setting_outcome *outcome)
{
	(void)arg;
	note(SET, outcome->error);
}

static int begin(enum kind kind)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(5) };
	const struct shoal_query query = { .statement = "get", .params = params, .param_count = 1 };
	const struct shoal_write write = { .statement = "put", .key = "thing" };
	const struct shoal_setting_change change = {
		.layer = SHOAL_LAYER_GUILD, .place = { 7, 0, 0 }, .name = "points", .text = "3"
	};
	const struct shoal_place place = { 7, 0, 0 };

	switch (kind) {
	case QUERY:
		return module_store_query(&flow.scope, &query, on_rows, NULL);
	case WRITE:
		return module_store_write(&flow.scope, &write, on_written, NULL);
	case GET:
		return module_setting_get(&flow.scope, &place, "points", on_value, NULL);
	default:
		return module_setting_set(&flow.scope, &change, on_set, NULL);
	}
}

/* The answer that somebody waits for comes, heard or not. */
static bool answer(void)
{
	const struct shoal_setting_value five = { .type = SHOAL_SETTING_INTEGER, .integer = 5 };
	const struct setting_answer value = { .value = &five, .from = SETTINGS_GUILD, .sure = true };
	const struct settings_outcome outcome = { .version = 1 };
	enum kind kind = QUERY;

	while (kind < KIND_COUNT && !asked[kind].waits)
		kind++;
	if (kind == KIND_COUNT)
		return false;
	asked[kind].waits = false;
	if (kind == QUERY)
		((db_result_fn)(uintptr_t)asked[kind].fn)(asked[kind].arg, 0, NULL);
	else if (kind == WRITE)
		((outbox_fn)(uintptr_t)asked[kind].fn)(asked[kind].arg, 0, OUTBOX_KEPT, NULL);
	else if (kind == GET)
		((settings_fn)(uintptr_t)asked[kind].fn)(asked[kind].arg, &value);
	else
		((settings_done_fn)(uintptr_t)asked[kind].fn)(asked[kind].arg, &outcome);
	return true;
}

static void set_up(void)
{
	char error[DECLARED_ERROR_SIZE];

	memset(asked, 0, sizeof(asked));
	memset(&flow, 0, sizeof(flow));
	memset(&subscribed, 0, sizeof(subscribed));
	flow.refs = 1;
	module.entry = (struct module_entry){ .name = "flow" };
	if (declared_take(&module.rows, "flow", &module.declared, error) < 0)
		fail_msg("%s", error);
	scope_init(&flow.scope, &module.entry, NULL, 3, &flow, hold, release);
	flow.scope.guild_id = 7;
}

/* Ends the scope after @steps answers, then lets what is late come. */
static void run(int steps, bool cancels_itself)
{
	int begun = 0;

	set_up();
	flow.cancels_itself = cancels_itself;
	assert_int_equal(begin(QUERY), 0);
	for (int i = 0; i < steps; i++)
		answer();
	scope_end(&flow.scope);
	for (enum kind kind = QUERY; kind < KIND_COUNT; kind++) {
		assert_in_range(flow.told[kind], 0, 1);
		begun += flow.told[kind];
	}
	assert_int_equal(begun, cancels_itself && steps > 0 ? 1 : steps < KIND_COUNT ? steps + 1 : KIND_COUNT);
	assert_int_equal(module.entry.calls, 0);
	assert_int_equal(flow.refs, 1);
	while (answer()) /* nobody hears it; its memory goes */
		;
	for (enum kind kind = QUERY; kind < KIND_COUNT; kind++) {
		begun -= flow.told[kind];
		assert_int_equal(begin(kind), -ECANCELED);
	}
	assert_int_equal(begun, 0);
	declared_finish(&module.declared);
}

static void told_once_at_every_step(void **state)
{
	(void)state;
	for (int steps = 0; steps <= KIND_COUNT + 1; steps++)
		run(steps, false);
	assert_int_equal(flow.cancelled[SET], 0);
}

static void ended_from_within_a_callback(void **state)
{
	(void)state;
	for (int steps = 0; steps <= 2; steps++)
		run(steps, true);
}

static void what_is_refused_is_not_called_back(void **state)
{
	(void)state;
	set_up();
	for (enum kind kind = QUERY; kind < SET; kind++) {
		asked[kind].refuse = -ENOBUFS;
		assert_int_equal(begin(kind), -ENOBUFS);
		assert_int_equal(flow.told[kind], 0);
	}
	assert_null(flow.scope.calls);
	declared_finish(&module.declared);
}

static void the_guild_comes_from_the_scope_alone(void **state)
{
	const struct shoal_sql_value params[] = { SHOAL_INT8(5) }, guild[] = { SHOAL_INT8(9), SHOAL_INT8(5) };
	struct shoal_query query = { .statement = "get", .params = params, .param_count = 1 };

	(void)state;
	set_up();
	assert_int_equal(module_store_query(&flow.scope, &query, on_rows, NULL), 0);
	assert_int_equal(asked[QUERY].guild, 7);
	assert_int_equal(asked[QUERY].params, 2);
	query.params = guild; /* its own guild in the first place: one too many */
	query.param_count = 2;
	assert_int_equal(module_store_query(&flow.scope, &query, on_rows, NULL), -EINVAL);
	query.param_count = 0;
	assert_int_equal(module_store_query(&flow.scope, &query, on_rows, NULL), -EINVAL);
	query.statement = "unknown_add";
	assert_int_equal(module_store_query(&flow.scope, &query, on_rows, NULL), -ENOENT);
	flow.scope.guild_id = 0;
	query = (struct shoal_query){ .statement = "get", .params = params, .param_count = 1 };
	assert_int_equal(module_store_query(&flow.scope, &query, on_rows, NULL), -EINVAL);
	assert_int_equal(flow.told[QUERY], 0);
	flow.scope.guild_id = 7;
	scope_end(&flow.scope);
	while (answer())
		;
	declared_finish(&module.declared);
}

/* --- the bus --------------------------------------------------------------------------------------------------------
 */

static void on_message(void *arg, int error, const struct shoal_bus_message *message)
{
	(void)arg;
	if (error == 0) {
		flow.heard++;
		assert_memory_equal(message->payload, "hi", 2);
		if (flow.cancels_itself)
			scope_end(&flow.scope);
		return;
	}
	assert_int_equal(error, -ECANCELED);
	assert_null(message);
	flow.ended++;
}

static void a_subscription_ends_once(void **state)
{
	uint64_t id = 0;

	(void)state;
	for (int way = 0; way < 3; way++) { /* by itself; with its scope; with its scope, from within */
		set_up();
		flow.cancels_itself = way == 2;
		assert_int_equal(module_bus_subscribe(&flow.scope, "news", on_message, NULL, &id), 0);
		assert_int_equal(module_bus_publish(&flow.scope, "news", "hi", 2), 0);
		assert_int_equal(flow.heard, 1);
		if (way == 0) {
			assert_int_equal(module_bus_unsubscribe(&flow.scope, id), 0);
			assert_int_equal(module_bus_unsubscribe(&flow.scope, id), -ENOENT);
		}
		scope_end(&flow.scope);
		assert_int_equal(flow.ended, 1);
		assert_false(subscribed.on);
		assert_int_equal(flow.refs, 1);
		assert_int_equal(module_bus_publish(&flow.scope, "news", "hi", 2), -ECANCELED);
		assert_int_equal(module_bus_subscribe(&flow.scope, "news", on_message, NULL, NULL), -ECANCELED);
		declared_finish(&module.declared);
	}
}

static void topics_are_one_word(void **state)
{
	static const char *const bad[] = {
		"", "a.b", "a*", ">", "A", "a b", "a23456789012345678901234567890123456789012345678x"
	};

	(void)state;
	set_up();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(module_bus_publish(&flow.scope, bad[i], "hi", 2), -EINVAL);
	assert_int_equal(module_bus_publish(&flow.scope, "x", "hi", SHOAL_BUS_PAYLOAD_MAX + 1), -EMSGSIZE);
	declared_finish(&module.declared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_once_at_every_step),
		cmocka_unit_test(ended_from_within_a_callback),
		cmocka_unit_test(what_is_refused_is_not_called_back),
		cmocka_unit_test(the_guild_comes_from_the_scope_alone),
		cmocka_unit_test(a_subscription_ends_once),
		cmocka_unit_test(topics_are_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
