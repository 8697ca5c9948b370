/* Brings what waits to the database: in the order of the file, a batch in one transaction with the cursors of its
 * sources. Run by the loop. Must not write anything twice: whatever is not known to be unwritten is asked after first.
 *
 * One transaction at a time: its outcome decides what the next one holds. An entry that the database refuses is tried a
 * few times alone and then set aside, so that the rest goes on; what is the server's trouble and not the entry's (away,
 * disk full) is waited out for as long as it takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/db/outbox_private.h"
#include "shared/db/statements_outbox.h"
#include "shared/log/log.h"

#define SWEEP_EVERY_NS (3600 * NS_PER_S)
#define BACKOFF_MS     100
#define BACKOFF_CAP_MS 15000
#define DAY_MS         (24LL * 3600 * 1000)

/* How often an entry may fail by itself before it is set aside. */
#define TRIES_REFUSED 3   /* the database says no to what is in it */
#define TRIES_SETUP   20  /* a table or a right is missing: someone may be migrating; about four minutes */
#define TRIES_BAD_DAY 100 /* time-outs, deadlocks, connections that break under it: hardly ever its own fault */

static void on_cursors(void *arg, int error, const struct db_result *result);
static void on_written(void *arg, int error, const struct db_results *results);

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void set_reason(struct outbox *outbox, int error, const char *text)
{
	if (error < 0 && error != outbox->apply_error)
		log_warn(NULL, "outbox.waiting", KV_ERR(error), KV_U64("waiting", outbox->waiting.count),
			 KV_STR("reason", text),
			 KV_MSG("kept writes can't be brought to the database just now; they wait"));
	outbox->apply_error = error;
	snprintf(outbox->reason, sizeof(outbox->reason), "%s", text);
}

static void back_off(struct outbox *outbox)
{
	uint64_t delay_ms = BACKOFF_MS;

	for (uint32_t i = 0; i < outbox->failures && delay_ms < BACKOFF_CAP_MS; i++)
		delay_ms *= 2;
	if (delay_ms > BACKOFF_CAP_MS)
		delay_ms = BACKOFF_CAP_MS;
	outbox->failures++;
	outbox->retry_ns = clock_monotonic_ns() + (delay_ms / 2 + random_below(delay_ms)) * NS_PER_MS;
}

/* --- asking the cursors ------------------------------------------------------------------------------------------- */

/* The sources of the entries at the head that may be written already. False: none is. */
static bool ask_cursors(struct outbox *outbox)
{
	struct db_param sources[OUTBOX_BATCH_MAX], list;
	struct outbox_entry *entry = outbox->waiting.first;
	size_t count = 0, i;
	int r;

	outbox->batch_count = 0;
	for (; entry && entry->unsure && outbox->batch_count < OUTBOX_BATCH_MAX; entry = entry->next) {
		outbox->batch[outbox->batch_count++] = entry;
		for (i = 0; i < count && sources[i].value.i != (int64_t)entry->source; i++)
			;
		if (i == count)
			sources[count++] = DB_INT8((int64_t)entry->source);
	}
	if (count == 0)
		return false;
	list = DB_ARRAY(DB_TYPE_INT8_ARRAY, sources, count);
	r = db_query(outbox->db, &outbox_statements[OUTBOX_CURSORS], &list, 1, on_cursors, outbox);
	if (r < 0) {
		set_reason(outbox, r, r == -SHOAL_EOFFLINE ? db_state_text(outbox->db) : error_text(r));
		back_off(outbox);
	} else {
		outbox->apply = OUTBOX_APPLY_ASKING;
	}
	return true;
}

static bool is_written(const struct outbox_entry *entry, const struct db_result *result)
{
	for (size_t row = 0; row < db_result_rows(result); row++)
		if ((uint64_t)db_result_int8(result, row, 0) == entry->source)
			return (uint64_t)db_result_int8(result, row, 1) >= entry->number;
	return false;
}

static void on_cursors(void *arg, int error, const struct db_result *result)
{
	struct outbox *outbox = arg;

	outbox->apply = OUTBOX_APPLY_IDLE;
	if (outbox->closing)
		return;
	if (error < 0) {
		set_reason(outbox, error,
			   error == -ENODATA ? "the table of cursors is not there: run shoalctl migrate up"
					     : error_text(error));
		back_off(outbox);
		return;
	}
	/* It answers. That it can be written, too, the write will tell: failures are not forgotten here. */
	for (size_t i = 0; i < outbox->batch_count; i++) {
		outbox->batch[i]->unsure = false;
		if (is_written(outbox->batch[i], result))
			outbox_entry_written(outbox, outbox->batch[i]);
	}
	outbox_apply_step(outbox);
}

/* --- building a transaction --------------------------------------------------------------------------------------- */

static bool fits(const struct outbox_entry *entry, const struct statement *statement, bool late)
{
	if (entry->param_count + (late ? 1 : 0) != statement_param_count(statement))
		return false;
	for (size_t i = 0; i < entry->param_count; i++)
		if (entry->params[i].type != statement->params[i])
			return false;
	return !late || statement->params[entry->param_count] == DB_TYPE_TIMESTAMPTZ;
}

/* Newer writes of its key may have overtaken it: it came with another shard count, or of a lease that was lost. */
static bool is_late(const struct outbox *outbox, const struct outbox_entry *entry)
{
	return entry->flags & OUTBOX_ENTRY_IMPORTED || entry->epoch != outbox->epoch;
}

/* The statement that writes @entry, or NULL: *ret_why not, which will not pass by itself. */
static const struct statement *statement_of(const struct outbox *outbox, const struct outbox_entry *entry,
					    const char **ret_why)
{
	const struct statement *statement = db_find(outbox->db, entry->owner, entry->statement);
	char name[OUTBOX_NAME_MAX + 8];
	bool late = is_late(outbox, entry);

	if (entry->kind != OUTBOX_KIND_FILE &&
	    clock_wall_ms() - entry->created_ms > (OUTBOX_IDENTITY_DAYS - 1) * DAY_MS) {
		*ret_why = "too old: the database may not remember any more whether it is written";
		return NULL;
	}
	if (!statement) {
		*ret_why = "this program has no such statement: another version, or a module that is not loaded, kept "
			   "it; retry it under that";
		return NULL;
	}
	if (!fits(entry, statement, false)) {
		*ret_why = "the statement has other parameters in this program than in the one that kept it";
		return NULL;
	}
	if (!late)
		return statement;
	snprintf(name, sizeof(name), "%s_late", entry->statement);
	statement = db_find(outbox->db, entry->owner, name);
	if (statement && fits(entry, statement, true))
		return statement;
	*ret_why =
		"it comes late (of another shard count, or of a lease that was lost), and its statement does not say "
		"how to tell whether it still counts";
	return NULL;
}

/* A second copy, or a smaller number, of a source in the batch has to wait for its end. */
static bool may_join(const struct outbox *outbox, const struct outbox_entry *entry)
{
	for (size_t i = 0; i < outbox->batch_count; i++)
		if (outbox->batch[i]->source == entry->source && outbox->batch[i]->number >= entry->number)
			return false;
	return true;
}

/* What goes together: from the head, until it is enough. Those that can't ever go are set aside on the way. */
static void fill_batch(struct outbox *outbox, const struct statement *statements[OUTBOX_BATCH_MAX])
{
	size_t max = outbox->careful > 0 ? 1 : OUTBOX_BATCH_MAX, bytes = 0;
	struct outbox_entry *entry, *next;
	const char *why = "";

	outbox->batch_count = 0;
	for (entry = outbox->waiting.first; entry && outbox->batch_count < max; entry = next) {
		const struct statement *statement;

		next = entry->next;
		if (entry->unsure || !may_join(outbox, entry) ||
		    (bytes > 0 && bytes + entry->bytes > OUTBOX_BATCH_BYTES_MAX))
			break;
		statement = statement_of(outbox, entry, &why);
		if (!statement) {
			outbox_entry_dead(outbox, entry, -EINVAL, why);
			continue;
		}
		bytes += entry->bytes;
		statements[outbox->batch_count] = statement;
		outbox->batch_late[outbox->batch_count] = is_late(outbox, entry);
		outbox->batch[outbox->batch_count++] = entry;
	}
}

/* Cursors move before the entries of their source: a transaction that comes second waits there, having done nothing. */
static int send_batch(struct outbox *outbox, const struct statement *const statements[OUTBOX_BATCH_MAX])
{
	struct db_param advances[OUTBOX_BATCH_MAX][4], late[OUTBOX_BATCH_MAX][STATEMENT_PARAMS_MAX];
	struct db_call calls[2 * OUTBOX_BATCH_MAX];
	size_t count = 0, advance = 0;

	for (size_t i = 0; i < outbox->batch_count; i++) {
		const struct outbox_entry *entry = outbox->batch[i];

		if (i > 0 && outbox->batch[i - 1]->source == entry->source) {
			advances[advance - 1][2].value.i = (int64_t)entry->number;
		} else {
			advances[advance][0] = DB_INT8((int64_t)entry->source);
			advances[advance][1] = advances[advance][2] = DB_INT8((int64_t)entry->number);
			advances[advance][3] = DB_INT8(entry->kind);
			calls[count++] = (struct db_call){ &outbox_statements[OUTBOX_ADVANCE], advances[advance], 4 };
			advance++;
		}
		outbox->batch_places[i] = count;
		calls[count] = (struct db_call){ statements[i], entry->params, entry->param_count };
		if (outbox->batch_late[i]) {
			memcpy(late[i], entry->params, sizeof(entry->params[0]) * entry->param_count);
			late[i][entry->param_count] = DB_TIME(entry->created_ms);
			calls[count].params = late[i];
			calls[count].param_count++;
		}
		count++;
	}
	return db_transaction(outbox->db, calls, count, on_written, outbox);
}

void outbox_apply_step(struct outbox *outbox)
{
	const struct statement *statements[OUTBOX_BATCH_MAX];
	int r;

	if (outbox->closing || outbox->apply != OUTBOX_APPLY_IDLE || !outbox->waiting.first ||
	    (outbox->retry_ns && clock_monotonic_ns() < outbox->retry_ns))
		return;
	if (db_is_away(outbox->db)) {
		set_reason(outbox, -SHOAL_EOFFLINE, db_state_text(outbox->db));
		return;
	}
	if (ask_cursors(outbox))
		return;
	fill_batch(outbox, statements);
	if (outbox->batch_count == 0) {
		if (outbox->waiting.first) /* one that must be asked after has come to the head */
			ask_cursors(outbox);
		return;
	}
	r = send_batch(outbox, statements);
	if (r < 0) {
		set_reason(outbox, r, r == -SHOAL_EOFFLINE ? db_state_text(outbox->db) : error_text(r));
		back_off(outbox);
		return;
	}
	outbox->apply = OUTBOX_APPLY_WRITING;
	for (size_t i = 0; i < outbox->batch_count; i++)
		outbox->swept_for = outbox->swept_for || outbox->batch[i]->kind != OUTBOX_KIND_FILE;
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

enum verdict {
	VERDICT_ASK,   /* it may be written, or is: the cursors know */
	VERDICT_WAIT,  /* the server's trouble */
	VERDICT_COUNT, /* perhaps the entry's: counted */
};

static const struct verdict_row {
	int error;
	enum verdict verdict;
	uint32_t tries;
} verdict_rows[] = {
	{ -EALREADY, VERDICT_ASK, 0 },
	{ -SHOAL_EUNKNOWN, VERDICT_ASK, TRIES_BAD_DAY },
	{ -ECANCELED, VERDICT_ASK, 0 },
	{ -EPROTO, VERDICT_ASK, TRIES_REFUSED }, /* committed, perhaps, with columns that this program does not know */
	{ -SHOAL_EOFFLINE, VERDICT_WAIT, 0 },
	{ -EDQUOT, VERDICT_WAIT, 0 },
	{ -ENOBUFS, VERDICT_WAIT, 0 },
	{ -ENOMEM, VERDICT_WAIT, 0 },
	{ -ETIMEDOUT, VERDICT_COUNT, TRIES_BAD_DAY },
	{ -EAGAIN, VERDICT_COUNT, TRIES_BAD_DAY },
	{ -ENODATA, VERDICT_COUNT, TRIES_SETUP },
	{ -EACCES, VERDICT_COUNT, TRIES_SETUP },
};

static struct verdict_row verdict_of(int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdict_rows); i++)
		if (verdict_rows[i].error == error)
			return verdict_rows[i];
	return (struct verdict_row){ error, VERDICT_COUNT, TRIES_REFUSED };
}

static void all_written(struct outbox *outbox, const struct db_results *results)
{
	for (size_t i = 0; i < outbox->batch_count; i++) {
		struct outbox_entry *entry = outbox->batch[i];
		const struct db_result *result = db_results_at(results, outbox->batch_places[i]);

		if (outbox->batch_late[i] && db_result_affected(result) == 0)
			outbox_entry_dead(outbox, entry, -ESTALE,
					  "it came late, and something newer is in the database already");
		else
			outbox_entry_written(outbox, entry);
	}
	outbox->careful -= outbox->careful > outbox->batch_count ? outbox->batch_count : outbox->careful;
	outbox->failures = 0;
	outbox->retry_ns = 0;
	if (outbox->apply_error)
		log_info(NULL, "outbox.goes_on", KV_U64("waiting", outbox->waiting.count),
			 KV_MSG("kept writes are being brought to the database again"));
	set_reason(outbox, 0, "");
}

/* Which entry's statement it was that failed: the only one's, in doubt; -1: not to be told. */
static ssize_t culprit_of(const struct outbox *outbox, size_t failed)
{
	for (size_t i = 0; i < outbox->batch_count; i++)
		if (outbox->batch_places[i] == failed)
			return (ssize_t)i;
	return outbox->batch_count == 1 ? 0 : -1;
}

static void count_try(struct outbox *outbox, struct outbox_entry *entry, int error, uint32_t tries_max,
		      const char *sqlstate)
{
	char reason[OUTBOX_REASON_SIZE];

	entry->error = error;
	if (++entry->tries < tries_max)
		return;
	snprintf(reason, sizeof(reason), "the database refused it %u times: %s%s%s", entry->tries, error_text(error),
		 sqlstate[0] ? ", SQLSTATE " : "", sqlstate);
	outbox_entry_dead(outbox, entry, error, reason);
}

static void not_written(struct outbox *outbox, int error, const struct db_results *results)
{
	struct verdict_row row = verdict_of(error);
	size_t failed = db_results_failed(results);
	const char *sqlstate = db_result_sqlstate(db_results_at(results, failed));
	ssize_t culprit = culprit_of(outbox, failed);
	/* The cursor's own statement: no entry is to blame, and nothing can be written without it. */
	bool setup = row.tries == TRIES_SETUP && (culprit < 0 || outbox->batch_places[culprit] != failed);

	for (size_t i = 0; row.verdict == VERDICT_ASK && i < outbox->batch_count; i++)
		outbox->batch[i]->unsure = true;
	set_reason(outbox, error,
		   setup              ? "the tables of this program are not there: run shoalctl migrate up"
		   : error == -EDQUOT ? "the database server is out of disk, memory or connections"
				      : error_text(error));
	if (row.tries > 0 && !setup) {
		/* The batch's others are innocent; until this is over they go alone, so that it is known who it is. */
		outbox->careful = outbox->batch_count;
		if (culprit >= 0 && (outbox->batch_count == 1 || row.tries == TRIES_REFUSED))
			count_try(outbox, outbox->batch[culprit], error, row.tries, sqlstate);
	}
	if (error != -EALREADY)
		back_off(outbox);
}

static void on_written(void *arg, int error, const struct db_results *results)
{
	struct outbox *outbox = arg;

	outbox->apply = OUTBOX_APPLY_IDLE;
	if (outbox->closing)
		return;
	if (error == 0)
		all_written(outbox, results);
	else
		not_written(outbox, error, results);
	outbox_apply_step(outbox);
}

/* --- the slow tick ------------------------------------------------------------------------------------------------ */

static void on_swept(void *arg, int error, const struct db_result *result)
{
	(void)arg;
	if (error == 0 && db_result_affected(result) > 0)
		log_debug(NULL, "outbox.swept", KV_U64("cursors", db_result_affected(result)));
}

void outbox_apply_tick(struct outbox *outbox, uint64_t now_ns)
{
	struct db_param days = DB_INT8(OUTBOX_IDENTITY_DAYS);

	outbox_apply_step(outbox);
	/* Never the reason to open a connection. */
	if (!outbox->swept_for || now_ns < outbox->sweep_ns || db_is_away(outbox->db))
		return;
	outbox->sweep_ns = now_ns + SWEEP_EVERY_NS + random_below(SWEEP_EVERY_NS);
	outbox->swept_for = false;
	db_query(outbox->db, &outbox_statements[OUTBOX_SWEEP], &days, 1, on_swept, outbox);
}
