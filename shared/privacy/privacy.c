/* Export and erasure: a walk over the member's own tables, then over the guilds that name them. Run by the loop; one
 * statement (or transaction) under way at a time, so that it is in nobody's way. */
#include "shared/privacy/privacy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/privacy/statements_privacy.h"
#include "shared/privacy/tables.h"

#define BATCH 200

struct walk {
	struct db *db;
	uint64_t user_id;
	bool erase;
	privacy_export_fn export_fn;
	privacy_erase_fn erase_fn;
	void *arg;
	size_t member_at; /* the member's table under way */
	struct {
		uint64_t guild_id;
		const struct privacy_named_table *table; /* NULL: one that its owner has declared */
		char name[41];
	} named[50];
	size_t named_count, named_at;
	uint64_t after_guild; /* where the list goes on */
	char after_table[41];
	uint32_t rounds;
	uint64_t rows;
	struct buf out;
	bool cut, table_open;
};

static void ask_member(struct walk *walk);
static void ask_list(struct walk *walk);

static void end(struct walk *walk, int error)
{
	if (walk->erase)
		walk->erase_fn(walk->arg, error, walk->rows);
	else
		walk->export_fn(walk->arg, error, error ? NULL : buf_cstr(&walk->out), walk->out.len, walk->cut);
	buf_finish(&walk->out);
	free(walk);
}

/* --- what is exported --------------------------------------------------------------------------------------------- */

/* Room for the end is always kept. */
#define END_ROOM 8

static void put(struct walk *walk, const char *text, size_t len)
{
	if (walk->cut || walk->out.len + len + END_ROOM > PRIVACY_EXPORT_MAX || buf_append(&walk->out, text, len) < 0)
		walk->cut = true;
}

/* @table NULL: each row's second column. */
static void put_rows(struct walk *walk, const char *table, const struct db_result *result)
{
	for (size_t i = 0; i < db_result_rows(result) && !walk->cut; i++) {
		size_t before = walk->out.len, len;
		const char *text = db_result_text(result, i, 0, &len);
		const char *name = table ? table : db_result_text(result, i, 1, NULL);

		put(walk, walk->rows ? ",\n" : "\n", walk->rows ? 2 : 1);
		put(walk, "{\"table\":\"", 10);
		put(walk, name, strlen(name));
		put(walk, "\",\"row\":", 8);
		put(walk, text, len);
		put(walk, "}", 1);
		if (walk->cut)
			walk->out.len = before; /* whole rows only */
		else
			walk->rows++;
	}
}

/* --- guilds that name them ---------------------------------------------------------------------------------------- */

static void next_named(struct walk *walk);

static void on_named_exported(void *arg, int error, const struct db_result *result)
{
	struct walk *walk = arg;

	if (error < 0) {
		end(walk, error);
		return;
	}
	put_rows(walk, walk->named[walk->named_at].name, result);
	walk->named_at++;
	next_named(walk);
}

/* The statements that erase the guild's rows under way; NULL behind the last. */
static const struct statement *erasing(const struct walk *walk, size_t i)
{
	const struct privacy_named_table *table = walk->named[walk->named_at].table;

	if (table)
		return i < PRIVACY_ERASE_MAX ? table->erase[i] : NULL;
	return i == 0 ? &privacy_statements[PRIVACY_ERASE_DECLARED] : NULL;
}

static void on_named_erased(void *arg, int error, const struct db_results *results)
{
	struct walk *walk = arg;

	if (error < 0) {
		end(walk, error);
		return;
	}
	/* The last is the entry in the index. */
	for (size_t i = 0; i < PRIVACY_ERASE_MAX && erasing(walk, i); i++)
		walk->rows += privacy_rows(erasing(walk, i), db_results_at(results, i));
	walk->named_at++;
	next_named(walk);
}

/* All of one guild's rows of a table, and the entry in the index, or nothing. */
static int erase_named(struct walk *walk)
{
	const char *name = walk->named[walk->named_at].name;
	struct db_param params[] = { DB_INT8((int64_t)walk->named[walk->named_at].guild_id),
				     DB_INT8((int64_t)walk->user_id), DB_TEXT(name, strlen(name)) };
	struct db_call calls[PRIVACY_ERASE_MAX + 1];
	size_t count = 0;

	for (; erasing(walk, count); count++)
		calls[count] =
			(struct db_call){ erasing(walk, count), params, statement_param_count(erasing(walk, count)) };
	calls[count++] = (struct db_call){ &privacy_statements[PRIVACY_NAMED_DONE], params, 3 };
	return db_transaction(walk->db, calls, count, on_named_erased, walk);
}

static int export_named(struct walk *walk)
{
	const struct privacy_named_table *table = walk->named[walk->named_at].table;
	const struct statement *rows = table ? table->export_rows : &privacy_statements[PRIVACY_EXPORT_DECLARED];
	const char *name = walk->named[walk->named_at].name;
	struct db_param params[] = { DB_INT8((int64_t)walk->named[walk->named_at].guild_id),
				     DB_INT8((int64_t)walk->user_id), DB_TEXT(name, strlen(name)) };

	return db_query(walk->db, rows, params, statement_param_count(rows), on_named_exported, walk);
}

static void next_named(struct walk *walk)
{
	int r;

	if (++walk->rounds > PRIVACY_ROUNDS_MAX) {
		end(walk, -E2BIG);
		return;
	}
	if (walk->named_at == walk->named_count || (walk->cut && !walk->erase)) {
		ask_list(walk);
		return;
	}
	r = walk->erase ? erase_named(walk) : export_named(walk);
	if (r < 0)
		end(walk, r);
}

static void on_forget_added(void *arg, int error, const struct db_result *result)
{
	(void)result;
	end(arg, error);
}

/* Nothing is left in the database: now the files, those of workers that are away too. */
static void finish(struct walk *walk)
{
	struct db_param user = DB_INT8((int64_t)walk->user_id);
	int r;

	if (!walk->erase) {
		buf_append_str(&walk->out, "\n]}\n");
		end(walk, 0);
		return;
	}
	r = db_query(walk->db, &privacy_statements[PRIVACY_FORGET_ADD], &user, 1, on_forget_added, walk);
	if (r < 0)
		end(walk, r);
}

static const struct privacy_named_table *find_named(const char *name)
{
	for (size_t i = 0; i < privacy_named_table_count; i++)
		if (strcmp(privacy_named_tables[i].table, name) == 0)
			return &privacy_named_tables[i];
	return NULL;
}

static void on_list(void *arg, int error, const struct db_result *result)
{
	struct walk *walk = arg;
	size_t count = error == 0 ? db_result_rows(result) : 0;

	if (error < 0) {
		end(walk, error);
		return;
	}
	if (count == 0 || (walk->cut && !walk->erase)) {
		finish(walk);
		return;
	}
	walk->named_count = count < ARRAY_SIZE(walk->named) ? count : ARRAY_SIZE(walk->named);
	walk->named_at = 0;
	for (size_t i = 0; i < walk->named_count; i++) {
		const char *name = db_result_text(result, i, 1, NULL);

		walk->named[i].guild_id = (uint64_t)db_result_int8(result, i, 0);
		walk->named[i].table = find_named(name);
		snprintf(walk->named[i].name, sizeof(walk->named[i].name), "%s", name);
	}
	walk->after_guild = walk->named[walk->named_count - 1].guild_id;
	strcpy(walk->after_table, walk->named[walk->named_count - 1].name);
	next_named(walk);
}

static void ask_list(struct walk *walk)
{
	struct db_param params[] = { DB_INT8((int64_t)walk->user_id), DB_INT8((int64_t)walk->after_guild),
				     DB_TEXT(walk->after_table, strlen(walk->after_table)) };
	int r = db_query(walk->db, &privacy_statements[PRIVACY_NAMED_LIST], params, 3, on_list, walk);

	if (r < 0)
		end(walk, r);
}

/* --- their own tables --------------------------------------------------------------------------------------------- */

static void on_member(void *arg, int error, const struct db_result *result)
{
	struct walk *walk = arg;
	uint64_t affected;

	if (error < 0) {
		end(walk, error);
		return;
	}
	affected = walk->erase ? privacy_rows(privacy_member_tables[walk->member_at].erase, result) : 0;
	if (walk->erase)
		walk->rows += affected;
	else
		put_rows(walk, privacy_member_tables[walk->member_at].table, result);
	if (affected < BATCH)
		walk->member_at++;
	ask_member(walk);
}

static void ask_member(struct walk *walk)
{
	struct db_param params[] = { DB_INT8((int64_t)walk->user_id), DB_INT8(BATCH) };
	const struct privacy_member_table *table;
	int r;

	if (++walk->rounds > PRIVACY_ROUNDS_MAX) {
		end(walk, -E2BIG);
		return;
	}
	if (walk->member_at == privacy_member_table_count) {
		ask_list(walk);
		return;
	}
	table = &privacy_member_tables[walk->member_at];
	r = db_query(walk->db, walk->erase ? table->erase : table->export_rows, params, walk->erase ? 2 : 1, on_member,
		     walk);
	if (r < 0)
		end(walk, r);
}

static int begin(struct db *db, uint64_t user_id, struct walk **ret_walk)
{
	struct walk *walk;

	if (user_id == 0 || user_id > INT64_MAX)
		return -EINVAL;
	if (!db || !db_is_on(db) || db_is_away(db))
		return -SHOAL_EOFFLINE;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->db = db;
	walk->user_id = user_id;
	walk->after_guild = 0;
	strcpy(walk->after_table, "");
	buf_init(&walk->out, PRIVACY_EXPORT_MAX);
	*ret_walk = walk;
	return 0;
}

int privacy_export(struct db *db, uint64_t user_id, privacy_export_fn fn, void *arg)
{
	struct walk *walk = NULL;
	int r = begin(db, user_id, &walk);

	if (r < 0)
		return r;
	walk->export_fn = fn;
	walk->arg = arg;
	buf_printf(&walk->out, "{\"user\":\"%" PRIu64 "\",\"rows\":[", user_id);
	ask_member(walk);
	return 0;
}

int privacy_erase(struct db *db, uint64_t user_id, privacy_erase_fn fn, void *arg)
{
	struct walk *walk = NULL;
	int r = begin(db, user_id, &walk);

	if (r < 0)
		return r;
	walk->erase = true;
	walk->erase_fn = fn;
	walk->arg = arg;
	ask_member(walk);
	return 0;
}
