/* A module's statements. It sees none but its own rows; the guild stands in the first parameter and comes from here.
 * Values are copied by the database's layer before a call returns, and never logged. */
#include "shard/modhost/module_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modhost/modhost.h"
#include "shard/modhost/module_call.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define KEY_MAX 32
_Static_assert(STATEMENT_OWNER_MAX + 1 + KEY_MAX < OUTBOX_NAME_MAX, "a key behind its module's name");

/* --- parameters ----------------------------------------------------------------------------------------------------
 */

/* One call's, with room for the lists' elements. */
struct params {
	struct db_param items[SHOAL_SQL_PARAMS_MAX];
	size_t count;
	struct db_param *lists[SHOAL_SQL_PARAMS_MAX];
	const struct statement *statement;
};

static void params_finish(struct params *params)
{
	for (size_t i = 0; i < SHOAL_SQL_PARAMS_MAX; i++)
		free(params->lists[i]);
}

static int take_list(const struct shoal_sql_value *value, struct db_param *to, struct db_param **ret_list)
{
	bool texts = value->type == SHOAL_SQL_TEXT_LIST;
	size_t count = texts ? value->is.texts.count : value->is.integers.count;
	struct db_param *list;

	if (count > SHOAL_SQL_LIST_MAX)
		return -EMSGSIZE;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *text = texts ? value->is.texts.items[i] : NULL;

		if (texts)
			list[i] = text ? DB_TEXT(text, strlen(text)) : DB_NULL(DB_TYPE_TEXT);
		else
			list[i] = DB_INT8(value->is.integers.items[i]);
	}
	*to = DB_ARRAY(declared_type(value->type), list, count);
	*ret_list = list;
	return 0;
}

static int take_value(const struct shoal_sql_value *value, struct db_param *to, struct db_param **ret_list)
{
	enum db_type type = declared_type(value->type);

	if (value->null) {
		*to = DB_NULL(type);
		return 0;
	}
	switch (value->type) {
	case SHOAL_SQL_INT8:
		*to = DB_INT8(value->is.integer);
		return 0;
	case SHOAL_SQL_TIME:
		*to = DB_TIME(value->is.integer);
		return 0;
	case SHOAL_SQL_BOOL:
		*to = DB_BOOL(value->is.boolean);
		return 0;
	case SHOAL_SQL_DOUBLE:
		*to = DB_DOUBLE(value->is.number);
		return 0;
	case SHOAL_SQL_TEXT:
	case SHOAL_SQL_JSON:
	case SHOAL_SQL_BYTES:
		if (!value->is.text.bytes && value->is.text.len)
			return -EINVAL;
		*to = DB_BYTES_(type, value->is.text.bytes ? value->is.text.bytes : "", value->is.text.len);
		return 0;
	case SHOAL_SQL_INT8_LIST:
	case SHOAL_SQL_TEXT_LIST:
		return take_list(value, to, ret_list);
	default: /* the guild is no parameter of a module's */
		return -EINVAL;
	}
}

static int invalid(const struct shoal_scope *scope, const char *statement, int error, const char *detail)
{
	struct log_ctx ctx = {
		.shard = -1, .guild_id = scope->guild_id, .module = scope->module->name, .event = scope->what
	};

	log_error(&ctx, "modules.statement_invalid", KV_MSG("a module asked its store for what can't be"),
		  KV_STR("statement", statement ? statement : "?"), KV_STR("detail", detail), KV_ERR(error));
	return error;
}

/* The row, and the parameters as it wants them; @guild_id as the module gave it. */
static int take_params(const struct shoal_scope *scope, const char *name, uint64_t guild_id,
		       const struct shoal_sql_value *values, size_t count, struct params *params)
{
	const struct loaded_module *module = modhost_module(scope->module);
	const struct shoal_statement *row;
	size_t at = 0, next = 0;
	int r = 0;

	*params = (struct params){ 0 };
	row = module ? declared_statement(&module->rows, name, &at) : NULL;
	if (!row)
		return scope->module ? invalid(scope, name, -ENOENT, "it has no such row") : -ENOENT;
	params->statement = &module->declared.rows[at];
	guild_id = guild_id ? guild_id : scope->guild_id;
	if (row->params[0] == SHOAL_SQL_GUILD) {
		if (guild_id == 0 || guild_id > INT64_MAX)
			return invalid(scope, name, -EINVAL, "no guild is named, and the scope has none");
		params->items[params->count++] = DB_INT8((int64_t)guild_id);
	}
	for (; row->params[params->count] != SHOAL_SQL_NONE; next++) {
		if (next >= count || values[next].type != row->params[params->count])
			return invalid(scope, name, -EINVAL, "its parameters are not those of the row");
		r = take_value(&values[next], &params->items[params->count], &params->lists[params->count]);
		if (r < 0)
			return r == -EINVAL ? invalid(scope, name, r, "a parameter has no value") : r;
		params->count++;
	}
	return next == count ? 0 : invalid(scope, name, -EINVAL, "there are more parameters than in the row");
}

/* --- asking --------------------------------------------------------------------------------------------------------
 */

struct query_call {
	struct module_call call;
	shoal_rows_fn fn;
	void *arg;
};

static void count_failure(const struct shoal_scope *scope, int error)
{
	if (error < 0 && error != -ECANCELED && scope->module && scope->module->counters)
		board_count(scope->module->counters, BOARD_MODULE_failures, 1);
}

static void tell_rows(struct module_call *call, int error, const void *answer)
{
	struct query_call *query = (struct query_call *)call;

	count_failure(call->call.scope, error);
	if (query->fn)
		query->fn(query->arg, error, error == 0 ? answer : NULL);
}

static void on_rows(void *arg, int error, const struct db_result *result)
{
	module_call_settle(arg, error, result);
}

int module_store_query(struct shoal_scope *scope, const struct shoal_query *query, shoal_rows_fn fn, void *arg)
{
	const struct modhost_options *services = modhost_services();
	CLEANUP(params_finish) struct params params;
	struct query_call *call;
	void *begun;
	int r;

	r = take_params(scope, query->statement, query->guild_id, query->params, query->param_count, &params);
	if (r < 0)
		return r;
	if (!services->db || !db_is_on(services->db))
		return scope->ended ? -ECANCELED : -SHOAL_EOFFLINE;
	r = module_call_begin(scope, sizeof(*call), tell_rows, &begun);
	if (r < 0)
		return r;
	call = begun;
	call->fn = fn;
	call->arg = arg;
	r = db_query(services->db, params.statement, params.items, params.count, on_rows, call);
	if (r < 0)
		module_call_drop(&call->call);
	return r;
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

struct write_call {
	struct module_call call;
	shoal_written_fn fn;
	void *arg;
	char statement[SHOAL_SQL_NAME_MAX + 1];
	bool kept;
};

static void tell_unheard(const struct write_call *write, int error)
{
	const struct shoal_scope *scope = write->call.call.scope;
	struct log_ctx ctx = {
		.shard = -1, .guild_id = scope->guild_id, .module = scope->module->name, .event = scope->what
	};

	if (error < 0 && error != -ECANCELED)
		log_warn(&ctx, "modules.not_written", KV_MSG("what a module wanted to write was refused"),
			 KV_STR("statement", write->statement), KV_ERR(error));
}

static void tell_written(struct module_call *call, int error, const void *answer)
{
	struct write_call *write = (struct write_call *)call;
	struct shoal_written written = { .error = error, .kept = error == 0 && write->kept };

	count_failure(call->call.scope, error);
	if (error == 0 && !write->kept)
		written.rows = answer;
	if (write->fn)
		write->fn(write->arg, &written);
	else
		tell_unheard(write, error);
}

static void on_written(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct write_call *write = arg;

	write->kept = how == OUTBOX_KEPT;
	module_call_settle(&write->call, error, result);
}

/* "poll/…": a module's keys are its own. */
static int take_key(const struct shoal_scope *scope, const char *key, char name[OUTBOX_NAME_MAX])
{
	size_t len = key ? strlen(key) : 0;

	if (len == 0 || len > KEY_MAX)
		return -EINVAL;
	snprintf(name, OUTBOX_NAME_MAX, "%s/%s", scope->module->name, key);
	return 0;
}

int module_store_write(struct shoal_scope *scope, const struct shoal_write *asked, shoal_written_fn fn, void *arg)
{
	const struct modhost_options *services = modhost_services();
	CLEANUP(params_finish) struct params params;
	char name[OUTBOX_NAME_MAX];
	struct outbox_write write;
	struct write_call *call;
	void *begun;
	int r;

	r = take_params(scope, asked->statement, asked->guild_id, asked->params, asked->param_count, &params);
	if (r < 0)
		return r;
	if (params.statement->flags & STATEMENT_READ_ONLY)
		return invalid(scope, asked->statement, -EINVAL, "a row that only reads was to be written");
	r = take_key(scope, asked->key, name);
	if (r < 0)
		return invalid(scope, asked->statement, r, "a key has 1 to 32 bytes");
	if (!services->outbox.write)
		return scope->ended ? -ECANCELED : -SHOAL_EOFFLINE;
	r = module_call_begin(scope, sizeof(*call), tell_written, &begun);
	if (r < 0)
		return r;
	call = begun;
	call->fn = fn;
	call->arg = arg;
	snprintf(call->statement, sizeof(call->statement), "%s", asked->statement);
	write = (struct outbox_write){ .owner = scope->module->name,
				       .statement = params.statement->name,
				       .params = params.items,
				       .param_count = params.count,
				       .key = { asked->guild_id ? asked->guild_id : scope->guild_id, name },
				       .user_id = asked->user_id,
				       .value = asked->value,
				       .value_len = asked->value ? asked->value_len : 0,
				       .token = asked->token ? asked->token : scope_token(scope) };
	r = services->outbox.write(services->outbox.arg, &write, on_written, call);
	if (r < 0)
		module_call_drop(&call->call);
	return r;
}

bool module_store_pending(struct shoal_scope *scope, uint64_t guild_id, const char *key, uint64_t asked_ns,
			  const char **ret_value, size_t *ret_len)
{
	const struct modhost_options *services = modhost_services();
	char name[OUTBOX_NAME_MAX];
	const char *value = NULL;
	size_t len = 0;

	if (!services->outbox.pending || !scope->module || take_key(scope, key, name) < 0)
		return false;
	if (!services->outbox.pending(services->outbox.arg,
				      (struct outbox_key){ guild_id ? guild_id : scope->guild_id, name }, asked_ns,
				      &value, &len))
		return false;
	if (ret_value)
		*ret_value = value;
	if (ret_len)
		*ret_len = value ? len : 0;
	return true;
}

/* --- what came back ------------------------------------------------------------------------------------------------
 * A shoal_rows is a db_result under the contract's name. */

static const struct db_result *result_of(const struct shoal_rows *rows)
{
	return (const struct db_result *)rows;
}

size_t module_store_rows_count(const struct shoal_rows *rows)
{
	return rows ? db_result_rows(result_of(rows)) : 0;
}

uint64_t module_store_rows_affected(const struct shoal_rows *rows)
{
	return rows ? db_result_affected(result_of(rows)) : 0;
}

bool module_store_rows_is_null(const struct shoal_rows *rows, size_t row, size_t column)
{
	return !rows || db_result_is_null(result_of(rows), row, column);
}

int64_t module_store_rows_int8(const struct shoal_rows *rows, size_t row, size_t column)
{
	return rows ? db_result_int8(result_of(rows), row, column) : 0;
}

bool module_store_rows_bool(const struct shoal_rows *rows, size_t row, size_t column)
{
	return rows && db_result_bool(result_of(rows), row, column);
}

double module_store_rows_double(const struct shoal_rows *rows, size_t row, size_t column)
{
	return rows ? db_result_double(result_of(rows), row, column) : 0;
}

int64_t module_store_rows_time(const struct shoal_rows *rows, size_t row, size_t column)
{
	return rows ? db_result_time(result_of(rows), row, column) : 0;
}

const char *module_store_rows_text(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len)
{
	if (rows)
		return db_result_text(result_of(rows), row, column, ret_len);
	if (ret_len)
		*ret_len = 0;
	return "";
}

const void *module_store_rows_bytes(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len)
{
	if (rows)
		return db_result_bytes(result_of(rows), row, column, ret_len);
	if (ret_len)
		*ret_len = 0;
	return NULL;
}
