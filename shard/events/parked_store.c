/* The helper thread and its queue. The thread takes all jobs that lie ready, works them off in one transaction, syncs,
 * and puts them back. The environment is its own; the loop only peeks into what is committed, under a lock that the
 * thread holds for no longer than it takes to set a pointer. Nothing here may be called from a signal's handler but
 * parked_store_is_touched(). */
#include "shard/events/parked_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/kv/kv.h"
#include "shared/log/log.h"

#define PATH_MAX_BYTES 4400
#define STOP_WAIT_S    1
#define STACK_BYTES    (256 * 1024)
/* A transaction is committed when it holds this much, also when more jobs wait. */
#define BATCH_BYTES (8 * 1024 * 1024)

struct parked_store {
	char path[PATH_MAX_BYTES];
	size_t map_bytes;
	bool crashed;
	void (*wake)(void *arg);
	void *arg;

	pthread_mutex_t lock; /* guards all below but kv's insides */
	pthread_cond_t given, done_cond;
	struct parked_job *jobs, **jobs_tail;
	struct parked_job *done, **done_tail;
	struct kv *kv; /* set by the thread under the lock */
	bool stop;
	bool running; /* the thread has not ended */
	bool orphaned;
	bool has_thread;
	pthread_t thread;
};

/* Its address stands for all environments of letters. */
static const char owner;

const void *parked_store_owner(void)
{
	return &owner;
}

bool parked_store_is_touched(void)
{
	return kv_touched() == &owner;
}

void parked_head_of(const struct letter *letter, enum letter_table table, size_t row_len, struct parked_head *ret_head)
{
	*ret_head = (struct parked_head){ .key = letter_key_make(letter->session, letter->sequence),
					  .table = table,
					  .wall_ms = letter->wall_ms,
					  .boot_ns = letter->boot_ns,
					  .boot = letter->boot,
					  .guild_id = letter->guild_id,
					  .crashes = letter->crashes,
					  .len = (uint32_t)row_len,
					  .type = letter->type,
					  .flags = letter->flags };
}

/* --- jobs
 * ------------------------------------------------------------------------------------------------------------- */

struct parked_job *parked_job_new(enum parked_op op)
{
	struct parked_job *job = calloc(1, sizeof(*job));

	if (job) {
		job->op = op;
		buf_init(&job->row, SIZE_MAX / 2);
	}
	return job;
}

struct parked_job *parked_job_free(struct parked_job *job)
{
	if (!job)
		return NULL;
	if (job->drop)
		job->drop(job->arg);
	buf_finish(&job->row);
	free(job->heads);
	free(job);
	return NULL;
}

static void free_list(struct parked_job *job)
{
	while (job) {
		struct parked_job *next = job->next;

		parked_job_free(job);
		job = next;
	}
}

/* --- the files
 * -------------------------------------------------------------------------------------------------------- */

static void file_path(const struct parked_store *store, const char *name, char path[PATH_MAX_BYTES + 32])
{
	snprintf(path, PATH_MAX_BYTES + 32, "%s/%s", store->path, name);
}

static bool has_file(const struct parked_store *store, const char *name)
{
	char path[PATH_MAX_BYTES + 32];

	file_path(store, name, path);
	return access(path, F_OK) == 0;
}

/* Stands while the rows are read for the first time: a scribbled tree may kill us there, and the next worker must not
 * read it again. */
static const char mark_name[] = "checking";

static void set_mark(const struct parked_store *store, bool on)
{
	char path[PATH_MAX_BYTES + 32];
	int fd;

	file_path(store, mark_name, path);
	if (!on) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* without room for it there is just no mark */
	if (fd >= 0)
		close(fd);
}

/* Kept for who may want to look; nothing reads it any more. */
static void move_aside(const struct parked_store *store)
{
	char from[PATH_MAX_BYTES + 32], to[PATH_MAX_BYTES + 64];

	file_path(store, "data.mdb", from);
	snprintf(to, sizeof(to), "%s.damaged", from);
	if (rename(from, to) < 0)
		unlink(from);
	file_path(store, "lock.mdb", from);
	unlink(from);
}

/* The state directory itself, should it be missing. What is above it is somebody else's. */
static int make_parent(const struct parked_store *store)
{
	char path[PATH_MAX_BYTES];
	char *slash;

	memcpy(path, store->path, sizeof(path));
	slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	*slash = '\0';
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static void set_kv(struct parked_store *store, struct kv *kv)
{
	pthread_mutex_lock(&store->lock);
	store->kv = kv;
	pthread_mutex_unlock(&store->lock);
}

static void drop_kv(struct parked_store *store)
{
	struct kv *kv = store->kv;

	set_kv(store, NULL);
	kv_abandon(kv);
}

static int open_kv(struct parked_store *store, bool *ret_damaged)
{
	struct kv_options options = { .path = store->path,
				      .map_bytes = store->map_bytes,
				      .flags = KV_SPARE,
				      .tables = letter_tables,
				      .table_count = LETTER_TABLE_COUNT,
				      .owner = &owner };
	bool existed = has_file(store, "data.mdb"), fresh;
	struct kv *kv;
	int r;

	*ret_damaged = false;
	if (existed && store->crashed && has_file(store, mark_name)) {
		move_aside(store);
		*ret_damaged = true;
		existed = false;
	}
	store->crashed = false;
	r = make_parent(store);
	if (r < 0)
		return r;
	if (existed)
		set_mark(store, true);
	r = kv_open(&options, &fresh, &kv);
	if (r < 0)
		return r;
	*ret_damaged |= existed && fresh;
	set_kv(store, kv);
	return 0;
}

struct walk {
	struct parked_store *store;
	struct parked_job *job;
	enum letter_table table;
	uint64_t user_id; /* 0: all */
	size_t cap;
	struct letter_key bad[64];
	size_t bad_count;
};

static int add_head(struct walk *walk, const struct letter *letter, size_t len)
{
	struct parked_job *job = walk->job;

	if (job->head_count == walk->cap) {
		size_t cap = walk->cap ? walk->cap * 2 : 64;
		struct parked_head *heads = reallocarray(job->heads, cap, sizeof(*heads));

		if (!heads)
			return -ENOMEM;
		job->heads = heads;
		walk->cap = cap;
	}
	parked_head_of(letter, walk->table, len, &job->heads[job->head_count++]);
	return 0;
}

static int look_at_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct walk *walk = arg;
	struct letter letter;
	int r;

	r = letter_read(key.ptr, key.len, value.ptr, value.len, &letter);
	if (r == -SHOAL_EVERSION) /* not ours to judge: it stays for the program that wrote it */
		return 0;
	if (r < 0) {
		walk->job->found.unreadable++;
		if (key.len == sizeof(struct letter_key) && walk->bad_count < ARRAY_SIZE(walk->bad))
			memcpy(&walk->bad[walk->bad_count++], key.ptr, key.len);
		return 0;
	}
	if (walk->user_id && !letter_mentions(letter.payload.ptr, letter.payload.len, walk->user_id))
		return 0;
	return add_head(walk, &letter, value.len);
}

/* Heads of all rows (of those that speak of @user_id) into @job. Damaged ones are removed. */
static int walk_rows(struct parked_store *store, struct parked_job *job, uint64_t user_id)
{
	struct walk walk = { .store = store, .job = job, .user_id = user_id };
	size_t i;
	int r = 0;

	for (walk.table = 0; r == 0 && walk.table < LETTER_TABLE_COUNT; walk.table++) {
		walk.bad_count = 0;
		r = kv_each(store->kv, walk.table, look_at_row, &walk);
		for (i = 0; r == 0 && i < walk.bad_count; i++)
			r = kv_delete(store->kv, walk.table, (struct kv_bytes){ &walk.bad[i], sizeof(walk.bad[i]) });
	}
	return r;
}

/* --- one job, on the thread
 * ------------------------------------------------------------------------------------------- */

static int do_open(struct parked_store *store, struct parked_job *job)
{
	int r;

	if (store->kv) /* it only had no room: who asks knows the rows */
		return 0;
	r = open_kv(store, &job->found.damaged);
	if (r == 0)
		r = walk_rows(store, job, 0);
	set_mark(store, false);
	return r;
}

static int do_put(struct parked_store *store, struct parked_job *job)
{
	return kv_put(store->kv, job->table, (struct kv_bytes){ &job->key, sizeof(job->key) },
		      (struct kv_bytes){ job->row.data, job->row.len });
}

static int do_delete(struct parked_store *store, struct parked_job *job)
{
	return kv_delete(store->kv, job->table, (struct kv_bytes){ &job->key, sizeof(job->key) });
}

/* The same row without its tokens, with a checksum of its own. */
static int do_blank(struct parked_store *store, struct parked_job *job)
{
	CLEANUP(buf_finish) struct buf row = { .max = SIZE_MAX / 2 };
	struct letter letter;
	int r;

	r = kv_copy(store->kv, job->table, (struct kv_bytes){ &job->key, sizeof(job->key) }, &row);
	if (r == 0)
		r = letter_read(&job->key, sizeof(job->key), row.data, row.len, &letter);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	letter_blank_tokens(row.data + (letter.payload.ptr - row.data), letter.payload.len);
	letter.flags &= (uint16_t)~LETTER_TOKEN;
	r = letter_write(&letter, &job->row);
	return r < 0 ? r : do_put(store, job);
}

static int do_forget(struct parked_store *store, struct parked_job *job)
{
	size_t i;
	int r;

	r = walk_rows(store, job, job->number);
	for (i = 0; r == 0 && i < job->head_count; i++)
		r = kv_delete(store->kv, job->heads[i].table,
			      (struct kv_bytes){ &job->heads[i].key, sizeof(job->heads[i].key) });
	return r;
}

static int do_call(struct parked_store *store, struct parked_job *job)
{
	(void)store;
	return job->call(job->arg);
}

static const struct op_row {
	int (*fn)(struct parked_store *store, struct parked_job *job);
	bool wants_kv;
} ops[] = {
	[PARKED_OPEN] = { do_open, false },    [PARKED_PUT] = { do_put, true },
	[PARKED_DELETE] = { do_delete, true }, [PARKED_BLANK] = { do_blank, true },
	[PARKED_FORGET] = { do_forget, true }, [PARKED_CALL] = { do_call, false },
};

static void run_job(struct parked_store *store, struct parked_job *job)
{
	if (ops[job->op].wants_kv && !store->kv)
		job->error = -SHOAL_EOFFLINE;
	else
		job->error = ops[job->op].fn(store, job);
}

/* @error: of the job at hand, which may have cost the whole transaction. */
static int commit_kv(struct parked_store *store, int error)
{
	int r;

	if (!store->kv)
		return 0;
	r = kv_commit(store->kv);
	if (kv_take_lost(store->kv) && r == 0)
		r = error < 0 ? error : -EIO;
	/* LMDB does not go on after a failed sync: opened anew, it has what was committed last. */
	if (r < 0 && r != -ENOSPC)
		drop_kv(store);
	return r;
}

/* Each in a transaction of its own: there may be room for a few of them, and for a deletion that makes more. */
static void run_singly(struct parked_store *store, struct parked_job *first, const struct parked_job *behind)
{
	struct parked_job *job;
	int r;

	for (job = first; job != behind; job = job->next) {
		if (!ops[job->op].wants_kv)
			continue;
		run_job(store, job);
		r = commit_kv(store, job->error);
		if (job->error == 0)
			job->error = r;
	}
}

/* A transaction that can't be committed takes all of its jobs with it. */
static void commit(struct parked_store *store, struct parked_job *first, const struct parked_job *behind, int error)
{
	struct parked_job *job;
	int r = commit_kv(store, error);

	if (r == -ENOSPC && first && first->next != behind) {
		run_singly(store, first, behind);
		return;
	}
	for (job = first; r < 0 && job != behind; job = job->next) {
		if (job->error == 0 && job->op != PARKED_CALL)
			job->error = r;
	}
}

static void run_jobs(struct parked_store *store, struct parked_job *jobs)
{
	struct parked_job *job, *first = jobs;
	size_t bytes = 0;

	for (job = jobs; job; job = job->next) {
		run_job(store, job);
		bytes += job->row.len;
		/* What was lost with a transaction that LMDB gave up must not be taken for done by the next. */
		if (bytes < BATCH_BYTES && job->op != PARKED_CALL && job->error == 0)
			continue;
		commit(store, first, job->next, job->error);
		first = job->next;
		bytes = 0;
	}
	commit(store, first, NULL, 0);
}

/* --- the thread
 * ------------------------------------------------------------------------------------------------------- */

static void destroy(struct parked_store *store)
{
	free_list(store->jobs);
	free_list(store->done);
	kv_abandon(store->kv);
	pthread_cond_destroy(&store->given);
	pthread_cond_destroy(&store->done_cond);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* Called with the lock held. */
static void put_back(struct parked_store *store, struct parked_job *jobs)
{
	*store->done_tail = jobs;
	while (*store->done_tail)
		store->done_tail = &(*store->done_tail)->next;
	pthread_cond_broadcast(&store->done_cond);
	if (!store->stop)
		store->wake(store->arg);
}

static void *run(void *arg)
{
	struct parked_store *store = arg;
	struct parked_job *jobs;
	bool orphaned;

	pthread_mutex_lock(&store->lock);
	while (!store->stop) {
		if (!store->jobs) {
			pthread_cond_wait(&store->given, &store->lock);
			continue;
		}
		jobs = TAKE(store->jobs);
		store->jobs_tail = &store->jobs;
		pthread_mutex_unlock(&store->lock);
		run_jobs(store, jobs);
		pthread_mutex_lock(&store->lock);
		put_back(store, jobs);
	}
	store->running = false;
	orphaned = store->orphaned;
	pthread_cond_broadcast(&store->done_cond);
	pthread_mutex_unlock(&store->lock);
	if (orphaned)
		destroy(store);
	return NULL;
}

/* It takes no signals: they are the loop's. */
static int start_thread(struct parked_store *store)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	store->running = true;
	r = pthread_create(&store->thread, &attr, run, store);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	store->running = store->has_thread = r == 0;
	return -r;
}

int parked_store_new(const struct parked_store_options *options, struct parked_store **ret_store)
{
	struct parked_store *store;
	pthread_condattr_t attr;

	if (strlen(options->path) >= PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	snprintf(store->path, sizeof(store->path), "%s", options->path);
	store->map_bytes = options->map_bytes;
	store->crashed = options->crashed;
	store->wake = options->wake;
	store->arg = options->arg;
	store->jobs_tail = &store->jobs;
	store->done_tail = &store->done;
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&store->given, &attr);
	pthread_cond_init(&store->done_cond, &attr);
	pthread_condattr_destroy(&attr);
	*ret_store = store;
	return 0;
}

static struct timespec in_ms(uint64_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

struct parked_store *parked_store_free(struct parked_store *store)
{
	struct timespec until = in_ms(STOP_WAIT_S * 1000);
	bool left, has_thread;
	pthread_t thread;

	if (!store)
		return NULL;
	pthread_mutex_lock(&store->lock);
	has_thread = store->has_thread;
	thread = store->thread;
	store->stop = true;
	pthread_cond_signal(&store->given);
	while (store->running && pthread_cond_timedwait(&store->done_cond, &store->lock, &until) != ETIMEDOUT)
		;
	left = store->orphaned = store->running;
	pthread_mutex_unlock(&store->lock);
	if (left) { /* from here on it is the thread's */
		pthread_detach(thread);
		return NULL;
	}
	if (has_thread)
		pthread_join(thread, NULL);
	destroy(store);
	return NULL;
}

/* --- the loop's side
 * -------------------------------------------------------------------------------------------------- */

int parked_store_give(struct parked_store *store, struct parked_job *job)
{
	job->next = NULL;
	if (!store->has_thread && start_thread(store) < 0) {
		parked_job_free(job);
		return -EAGAIN;
	}
	pthread_mutex_lock(&store->lock);
	*store->jobs_tail = job;
	store->jobs_tail = &job->next;
	pthread_cond_signal(&store->given);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

struct parked_job *parked_store_take(struct parked_store *store)
{
	struct parked_job *jobs;

	pthread_mutex_lock(&store->lock);
	jobs = TAKE(store->done);
	store->done_tail = &store->done;
	pthread_mutex_unlock(&store->lock);
	return jobs;
}

bool parked_store_wait(struct parked_store *store, uint64_t timeout_ms)
{
	struct timespec until = in_ms(timeout_ms);
	bool done;

	pthread_mutex_lock(&store->lock);
	while (!store->done && store->running &&
	       pthread_cond_timedwait(&store->done_cond, &store->lock, &until) != ETIMEDOUT)
		;
	done = store->done != NULL;
	pthread_mutex_unlock(&store->lock);
	return done;
}

bool parked_store_exists(const struct parked_store *store)
{
	return has_file(store, "data.mdb");
}

int parked_store_peek(struct parked_store *store, enum letter_table table, struct letter_key key, struct buf *out)
{
	int r = -ENOENT;

	pthread_mutex_lock(&store->lock);
	if (store->kv)
		r = kv_peek(store->kv, table, (struct kv_bytes){ &key, sizeof(key) }, out);
	pthread_mutex_unlock(&store->lock);
	return r;
}
