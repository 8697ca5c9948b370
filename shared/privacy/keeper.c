/* The keeper: two small state machines that go a step a tick, each with one statement under way at most. Run by the
 * loop. Whatever fails is tried again at the next look; nothing here is urgent. */
#include "shared/privacy/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"
#include "shared/privacy/statements_privacy.h"
#include "shared/privacy/tables.h"

#define GUILDS_MAX 50

/* IDLE -> AGED (a table after the other) -> LIST -> SHORTER (a guild after the other) -> IDLE */
enum sweep_state { SWEEP_IDLE, SWEEP_AGED, SWEEP_LIST, SWEEP_SHORTER };
/* IDLE -> DUE -> REMOVE (a guild, a table after the other) -> FORGET -> IDLE */
enum look_state { LOOK_IDLE, LOOK_DUE, LOOK_REMOVE, LOOK_FORGET };

struct keeper {
	struct keeper_options options;
	struct loop_hook tick;
	bool closing;
	/* too old */
	enum sweep_state sweep;
	struct keeper_sweep asked; /* who asked for it */
	bool sweeping;             /* a statement is under way */
	bool unheard;              /* … of a sweep that was stopped */
	uint32_t batches;
	size_t table, shorter_at, shorter_count;
	struct {
		uint64_t guild_id;
		int64_t days;
	} shorter[GUILDS_MAX];
	uint64_t after_guild;
	/* guilds and members */
	enum look_state look;
	bool looking;
	uint64_t look_at_ns;
	uint64_t due[GUILDS_MAX];
	size_t due_at, due_count, due_table;
	int64_t forgotten_id;
	struct keeper_stats stats;
};

static int query(struct keeper *keeper, size_t row, const struct db_param *params, size_t count, db_result_fn fn)
{
	return db_query(keeper->options.db, &privacy_statements[row], params, count, fn, keeper);
}

static uint64_t after_s(uint32_t seconds)
{
	return clock_monotonic_ns() + seconds * NS_PER_S;
}

/* --- too old ------------------------------------------------------------------------------------------------------ */

/* It ended, or was given up: who asked for it hears so. */
static void sweep_over(struct keeper *keeper, int error)
{
	struct keeper_sweep asked = keeper->asked;

	keeper->sweep = SWEEP_IDLE;
	keeper->asked = (struct keeper_sweep){ 0 };
	if (error == 0)
		log_info(NULL, "retention.done", KV_U64("batches", keeper->batches),
			 KV_U64("rows_ever", keeper->stats.swept));
	else
		keeper->stats.failures++;
	asked.done(asked.arg, error);
}

/* An answer came: whether the sweep whose it is goes on with it. */
static bool take_answer(struct keeper *keeper, int error)
{
	bool unheard = keeper->unheard;

	keeper->sweeping = keeper->unheard = false;
	if (unheard)
		return false;
	if (error < 0)
		sweep_over(keeper, error);
	return error == 0;
}

/* True: that place is through. */
static bool count_swept(struct keeper *keeper, const struct statement *statement, const struct db_result *result)
{
	uint64_t rows = privacy_rows(statement, result);

	keeper->stats.swept += rows;
	keeper->stats.batches++;
	keeper->batches++;
	return rows < KEEPER_BATCH;
}

static void on_aged(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	if (!take_answer(keeper, error))
		return;
	if (count_swept(keeper, privacy_aged_tables[keeper->table].sweep, result))
		keeper->table++;
	if (keeper->table == privacy_aged_table_count)
		keeper->sweep = SWEEP_LIST;
}

static void on_shorter_list(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	if (!take_answer(keeper, error))
		return;
	keeper->shorter_at = 0;
	keeper->shorter_count = db_result_rows(result) < GUILDS_MAX ? db_result_rows(result) : GUILDS_MAX;
	for (size_t i = 0; i < keeper->shorter_count; i++) {
		keeper->shorter[i].guild_id = (uint64_t)db_result_int8(result, i, 0);
		keeper->shorter[i].days = db_result_int8(result, i, 1);
		keeper->after_guild = keeper->shorter[i].guild_id;
	}
	if (keeper->shorter_count > 0)
		keeper->sweep = SWEEP_SHORTER;
	else
		sweep_over(keeper, 0);
}

static void on_shorter(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	if (!take_answer(keeper, error))
		return;
	if (count_swept(keeper, &privacy_statements[PRIVACY_SHORTER_SWEEP], result))
		keeper->shorter_at++;
	if (keeper->shorter_at == keeper->shorter_count)
		keeper->sweep = SWEEP_LIST;
}

static int sweep_table(struct keeper *keeper)
{
	const struct privacy_aged_table *table = &privacy_aged_tables[keeper->table];
	struct db_param params[] = { DB_INT8(table->days ? table->days : keeper->options.history_days),
				     DB_INT8(KEEPER_BATCH) };

	return db_query(keeper->options.db, table->sweep, params, 2, on_aged, keeper);
}

static int list_shorter(struct keeper *keeper)
{
	struct db_param params[] = { DB_INT8((int64_t)keeper->after_guild), DB_INT8(keeper->options.history_days) };

	return query(keeper, PRIVACY_SHORTER_LIST, params, 2, on_shorter_list);
}

static int sweep_shorter(struct keeper *keeper)
{
	struct db_param params[] = { DB_INT8((int64_t)keeper->shorter[keeper->shorter_at].guild_id),
				     DB_INT8(KEEPER_BATCH), DB_INT8(keeper->shorter[keeper->shorter_at].days) };

	return query(keeper, PRIVACY_SHORTER_SWEEP, params, 3, on_shorter);
}

static void step_sweep(struct keeper *keeper)
{
	int r;

	if (keeper->sweeping || keeper->sweep == SWEEP_IDLE)
		return;
	if (keeper->batches >= KEEPER_BATCHES_MAX) {
		sweep_over(keeper, 0);
		return;
	}
	if (!keeper->asked.may_act(keeper->asked.arg)) {
		sweep_over(keeper, -ECANCELED);
		return;
	}
	keeper->sweeping = true;
	if (keeper->sweep == SWEEP_AGED)
		r = sweep_table(keeper);
	else if (keeper->sweep == SWEEP_LIST)
		r = list_shorter(keeper);
	else
		r = sweep_shorter(keeper);
	if (r == 0)
		return;
	keeper->sweeping = false;
	sweep_over(keeper, r);
}

int keeper_sweep(struct keeper *keeper, const struct keeper_sweep *sweep)
{
	if (keeper->closing)
		return -ECANCELED;
	if (keeper->sweep != SWEEP_IDLE)
		return -EBUSY;
	keeper->asked = *sweep;
	keeper->sweep = SWEEP_AGED;
	keeper->table = 0;
	keeper->batches = 0;
	keeper->after_guild = 0;
	keeper->stats.runs++;
	return 0;
}

void keeper_sweep_stop(struct keeper *keeper)
{
	keeper->sweep = SWEEP_IDLE;
	keeper->asked = (struct keeper_sweep){ 0 };
	keeper->unheard = keeper->sweeping;
}

/* --- guilds that are due, members to forget ----------------------------------------------------------------------- */

static void look_failed(struct keeper *keeper, int error)
{
	keeper->stats.failures++;
	keeper->look = LOOK_IDLE;
	keeper->look_at_ns = after_s(KEEPER_LOOK_S);
	log_debug(NULL, "privacy.look_failed", KV_ERR(error));
}

static uint32_t look_every_s(const struct keeper *keeper)
{
	return keeper->options.look_s < KEEPER_LOOK_S ? keeper->options.look_s : KEEPER_LOOK_S;
}

static void on_due(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	keeper->looking = false;
	if (error < 0) {
		look_failed(keeper, error);
		return;
	}
	keeper->due_count = keeper->due_at = keeper->due_table = 0;
	for (size_t i = 0; i < db_result_rows(result) && keeper->due_count < GUILDS_MAX; i++) {
		uint64_t guild_id = (uint64_t)db_result_int8(result, i, 0);
		enum keeper_guild now = keeper->options.guild(keeper->options.arg, guild_id);

		/* Not known: the cache is not complete just now. */
		if (now == KEEPER_GUILD_GONE)
			keeper->due[keeper->due_count++] = guild_id;
		else if (now == KEEPER_GUILD_THERE)
			keeper_guild_back(keeper, guild_id);
	}
	keeper->look = keeper->due_count > 0 ? LOOK_REMOVE : LOOK_FORGET;
}

static void on_removed(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;
	uint64_t guild_id = keeper->due[keeper->due_at];
	struct log_ctx ctx = { .shard = -1, .guild_id = guild_id };
	const struct statement *remove = privacy_guild_tables[keeper->due_table].remove;

	keeper->looking = false;
	if (error < 0) {
		look_failed(keeper, error);
		return;
	}
	keeper->stats.batches++;
	if (statement_param_count(remove) == 2 && privacy_rows(remove, result) >= KEEPER_BATCH)
		return;
	if (++keeper->due_table < privacy_guild_table_count)
		return;
	keeper->due_table = 0;
	keeper->stats.guilds_removed++;
	log_audit(&ctx, "privacy.guild_removed",
		  KV_MSG("the bot left this server long enough ago: all that was kept of it is removed"));
	if (keeper->options.removed)
		keeper->options.removed(keeper->options.arg, guild_id);
	if (++keeper->due_at == keeper->due_count)
		keeper->look = LOOK_DUE; /* more of them? */
}

static void next_guild(struct keeper *keeper)
{
	keeper->due_table = 0;
	if (++keeper->due_at == keeper->due_count)
		keeper->look = LOOK_FORGET;
}

/* It may have come back while its tables were gone through: what is set from then on stays. True: skipped. */
static bool skip_if_back(struct keeper *keeper)
{
	uint64_t guild_id = keeper->due[keeper->due_at];
	enum keeper_guild now = keeper->options.guild(keeper->options.arg, guild_id);

	if (now == KEEPER_GUILD_GONE)
		return false;
	if (now == KEEPER_GUILD_THERE)
		keeper_guild_back(keeper, guild_id);
	next_guild(keeper);
	return true;
}

static int remove_table(struct keeper *keeper)
{
	const struct statement *statement = privacy_guild_tables[keeper->due_table].remove;
	struct db_param params[] = { DB_INT8((int64_t)keeper->due[keeper->due_at]), DB_INT8(KEEPER_BATCH) };

	return db_query(keeper->options.db, statement, params, statement_param_count(statement), on_removed, keeper);
}

static void on_forget(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;
	size_t count = error == 0 ? db_result_rows(result) : 0;

	keeper->looking = false;
	if (error < 0) {
		look_failed(keeper, error);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		keeper->forgotten_id = db_result_int8(result, i, 0);
		keeper->options.forgot(keeper->options.arg, keeper->forgotten_id);
		keeper->options.forget(keeper->options.arg, (uint64_t)db_result_int8(result, i, 1));
		keeper->stats.forgotten++;
	}
	if (count > 0)
		return; /* again, until there are no more */
	keeper->look = LOOK_IDLE;
	keeper->look_at_ns = after_s(look_every_s(keeper));
}

static void on_forget_last(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	keeper->looking = false;
	if (error < 0 || db_result_rows(result) != 1) {
		look_failed(keeper, error);
		return;
	}
	keeper->forgotten_id = db_result_int8(result, 0, 0);
	keeper->options.forgot(keeper->options.arg, keeper->forgotten_id);
}

static void step_look(struct keeper *keeper, uint64_t now_ns)
{
	struct db_param shard[] = { DB_INT8(keeper->options.shard_count), DB_INT8(keeper->options.shard_id) };
	struct db_param after = DB_INT8(keeper->forgotten_id);
	int r;

	if (keeper->looking || (keeper->look == LOOK_IDLE && now_ns < keeper->look_at_ns))
		return;
	if (keeper->look == LOOK_REMOVE && skip_if_back(keeper))
		return;
	keeper->looking = true;
	if (keeper->look == LOOK_IDLE)
		keeper->look = LOOK_DUE;
	if (keeper->look == LOOK_DUE)
		r = query(keeper, PRIVACY_GONE_DUE, shard, 2, on_due);
	else if (keeper->look == LOOK_REMOVE)
		r = remove_table(keeper);
	else if (keeper->forgotten_id < 0)
		r = query(keeper, PRIVACY_FORGET_LAST, NULL, 0, on_forget_last);
	else
		r = query(keeper, PRIVACY_FORGET_LIST, &after, 1, on_forget);
	if (r == 0)
		return;
	keeper->looking = false;
	look_failed(keeper, r);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct keeper *keeper = arg;
	uint64_t now_ns = clock_monotonic_ns();

	if (keeper->closing)
		return;
	step_sweep(keeper);
	step_look(keeper, now_ns);
}

int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	uint32_t spread_s = options->look_s < KEEPER_LOOK_S ? options->look_s : KEEPER_LOOK_S;

	if (!keeper)
		return -ENOMEM;
	keeper->options = *options;
	keeper->forgotten_id = options->forgotten_id;
	/* A fleet that starts together does not ask together. */
	keeper->look_at_ns = clock_monotonic_ns() + random_below(spread_s * NS_PER_S + 1);
	loop_at_tick(options->loop, &keeper->tick, on_tick, keeper);
	*ret_keeper = keeper;
	return 0;
}

void keeper_closing(struct keeper *keeper)
{
	if (keeper)
		keeper->closing = true;
}

struct keeper *keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return NULL;
	loop_remove_hook(&keeper->tick);
	free(keeper);
	return NULL;
}

/* What is lost here is made good: a guild that is there is never removed (on_due() asks), and one whose going was not
 * noted keeps its rows until it comes and goes again. */
static void on_noted(void *arg, int error, const struct db_result *result)
{
	struct keeper *keeper = arg;

	(void)result;
	if (error == 0)
		return;
	keeper->stats.failures++;
	log_warn(NULL, "privacy.not_noted", KV_ERR(error),
		 KV_MSG("that the bot left or joined a server could not be noted in the database"));
}

void keeper_guild_gone(struct keeper *keeper, uint64_t guild_id)
{
	struct db_param params[] = { DB_INT8((int64_t)guild_id), DB_INT8(0) };
	int r;

	if (!keeper || keeper->closing)
		return;
	params[1] = DB_INT8(keeper->options.guild_keep_days);
	r = query(keeper, PRIVACY_GONE_NOTE, params, 2, on_noted);
	if (r < 0)
		on_noted(keeper, r, NULL);
}

void keeper_guild_back(struct keeper *keeper, uint64_t guild_id)
{
	struct db_param id = DB_INT8((int64_t)guild_id);
	int r;

	if (!keeper || keeper->closing)
		return;
	keeper->stats.guilds_back++;
	r = query(keeper, PRIVACY_GONE_BACK, &id, 1, on_noted);
	if (r < 0)
		on_noted(keeper, r, NULL);
}

void keeper_wake(struct keeper *keeper)
{
	if (keeper)
		keeper->look_at_ns = 0;
}

void keeper_stats(const struct keeper *keeper, struct keeper_stats *ret_stats)
{
	*ret_stats = keeper->stats;
	ret_stats->running = keeper->sweep != SWEEP_IDLE;
}
