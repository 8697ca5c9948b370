/* A shard's page: its worker writes it, the supervisor and tools read it. No behaviour: words in, words out.
 * Everything read is checked: the other side may be of another version, or have gone mad before it died. */
#include "shared/board/board.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/board/board_file.h"

struct board_shard {
	struct board_file file;
	struct board_shard_core *core;
	struct board_shard_rest *rest;
	struct board_shard_core *shadow; /* BOARD_REST_OFFSET bytes of our own; NULL: nothing is remembered */
	bool cut_told;
};

/* What is set is set in both (board_shard_mend() takes any difference for damage), ours first: when the page's store
 * faults, the copy is whole already. */
#define EACH_CORE(board_, core_)                                                        \
	for (struct board_shard_core *core_ = (board_)->shadow ?: (board_)->core,       \
				     *then_ = (board_)->shadow ? (board_)->core : NULL; \
	     core_; core_ = then_, then_ = NULL)

static const char *const state_names[SHARD_STATE_COUNT] = {
	[SHARD_STATE_NONE] = "none",
	[SHARD_STATE_STARTING] = "starting",
	[SHARD_STATE_CONNECTING] = "connecting",
	[SHARD_STATE_WAITING] = "waiting",
	[SHARD_STATE_IDENTIFYING] = "identifying",
	[SHARD_STATE_RESUMING] = "resuming",
	[SHARD_STATE_LOADING] = "loading",
	[SHARD_STATE_READY] = "ready",
	[SHARD_STATE_BACKOFF] = "backoff",
	[SHARD_STATE_STOPPING] = "stopping",
	[SHARD_STATE_STOPPED] = "stopped",
	[SHARD_STATE_FAILED] = "failed",
};

const char *shard_state_name(uint32_t state)
{
	return state < SHARD_STATE_COUNT ? state_names[state] : "unknown";
}

/* A gauge says so at the end of its help: one place to write it. */
#define IS_GAUGE(help_) (sizeof(help_) > 8 && __builtin_strcmp(&(help_)[sizeof(help_) - 8], "(gauge)") == 0)

const struct board_counter_row board_counter_rows[BOARD_COUNTER_COUNT] = {
#define X(name_, help_) { #name_, help_, IS_GAUGE(help_) },
	BOARD_SHARD_COUNTERS(X)
#undef X
};

const struct board_counter_row board_module_counter_rows[BOARD_MODULE_COUNTER_COUNT] = {
#define X(name_, help_) { #name_, help_, IS_GAUGE(help_) },
	BOARD_MODULE_COUNTERS(X)
#undef X
};

/* --- files ---------------------------------------------------------------------------------------------------------
 */

int board_shard_path(const char *dir, uint32_t generation, uint32_t shard_id, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/shard-%u-%u.board", dir, generation, shard_id);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static struct board_want want_shard(uint32_t generation, uint32_t shard_id, uint32_t shard_count, uint32_t inbox_kib)
{
	return (struct board_want){ .kind = BOARD_KIND_SHARD,
				    .generation = generation,
				    .shard_id = shard_id,
				    .shard_count = shard_count,
				    .size = BOARD_INBOX_OFFSET + inbox_kib * 1024,
				    .size_least = inbox_kib ? BOARD_INBOX_OFFSET + 1024 : 0,
				    .core_least = BOARD_SHARD_CORE_LEAST,
				    .core_size = sizeof(struct board_shard_core) };
}

int board_shard_create(const char *dir, uint32_t generation, uint32_t shard_id, uint32_t shard_count,
		       uint32_t inbox_kib, bool *ret_damaged)
{
	struct board_want want = want_shard(generation, shard_id, shard_count, inbox_kib);
	char path[BOARD_PATH_SIZE];
	int r;

	if (shard_id >= shard_count || inbox_kib > (BOARD_SIZE_MAX - BOARD_INBOX_OFFSET) / 1024)
		return -EINVAL;
	r = board_shard_path(dir, generation, shard_id, path, sizeof(path));
	return r < 0 ? r : board_file_create(path, &want, ret_damaged);
}

/* The rest may be another version's: too short for us, it is not there. Read anew from the map, so checked anew. */
static int find_parts(struct board_shard *board)
{
	uint32_t rest_offset;

	board->core = (struct board_shard_core *)board->file.map;
	board->rest = NULL;
	rest_offset = board->core->page.header.rest_offset;
	if (rest_offset % 8 == 0 && rest_offset <= board->file.size &&
	    board->file.size - rest_offset >= sizeof(struct board_shard_rest))
		board->rest = (struct board_shard_rest *)(board->file.map + rest_offset);
	else if (board->file.writable)
		return -SHOAL_EVERSION;
	return 0;
}

int board_shard_open(const char *dir, uint32_t generation, uint32_t shard_id, bool writable,
		     struct board_shard **ret_board)
{
	struct board_want want = want_shard(generation, shard_id, 0, 0);
	CLEANUP(board_shard_closep) struct board_shard *board = NULL;
	char path[BOARD_PATH_SIZE];
	int r;

	r = board_shard_path(dir, generation, shard_id, path, sizeof(path));
	if (r < 0)
		return r;
	board = calloc(1, sizeof(*board));
	if (!board)
		return -ENOMEM;
	board->file.fd = -1;
	r = board_file_open(path, &want, writable, &board->file);
	if (r < 0)
		return r;
	r = find_parts(board);
	if (r < 0)
		return r;
	*ret_board = TAKE(board);
	return 0;
}

struct board_shard *board_shard_close(struct board_shard *board)
{
	if (board) {
		board_file_close(&board->file);
		free(board->shadow);
		free(board);
	}
	return NULL;
}

int board_shard_restore(struct board_shard *board, uint32_t generation, uint32_t shard_id)
{
	struct board_want want = want_shard(generation, shard_id, 0, 0);
	int r = board_file_restore(&board->file, &want);

	return r == 1 && find_parts(board) < 0 ? -SHOAL_EVERSION : r;
}

int board_shard_follow(struct board_shard *board, uint32_t generation, uint32_t shard_id)
{
	struct board_want want = want_shard(generation, shard_id, 0, 0);
	int r = board_file_follow(&board->file, &want);

	return r == 1 && find_parts(board) < 0 ? -SHOAL_EVERSION : r;
}

void board_shard_closep(struct board_shard **board)
{
	*board = board_shard_close(*board);
}

void *board_shard_inbox(struct board_shard *board, size_t *ret_bytes)
{
	assert(board->file.writable);
	if (board->file.size <= BOARD_INBOX_OFFSET)
		return NULL;
	*ret_bytes = board->file.size - BOARD_INBOX_OFFSET;
	return board->file.map + BOARD_INBOX_OFFSET;
}

int board_shard_lock(struct board_shard *board)
{
	return board_file_lock(&board->file);
}

int board_shard_is_locked(struct board_shard *board)
{
	return board_file_is_locked(&board->file);
}

const struct board_header *board_shard_header(const struct board_shard *board)
{
	return &board->core->page.header;
}

/* --- owner ---------------------------------------------------------------------------------------------------------
 */

#define RECORD_WRITE(core_, name_, data_) \
	board_record_write(&(core_)->name_##_flip, (core_)->name_, sizeof((core_)->name_[0]), (data_), sizeof(*(data_)))
#define RECORD_READ(core_, name_, data_) \
	board_record_read(&(core_)->name_##_flip, (core_)->name_, sizeof((core_)->name_[0]), (data_), sizeof(*(data_)))

/* The counters of a program with other columns mean nothing to us: begin anew. Under the lock, before the first count.
 */
static void adopt_rest(struct board_shard_rest *rest)
{
	if (atomic_load(&rest->version) != BOARD_REST_VERSION) {
		for (size_t i = 0; i < BOARD_COUNTERS_MAX; i++)
			atomic_store_explicit(&rest->counters[i], 0, memory_order_relaxed);
		for (size_t i = 0; i < BOARD_MODULES_MAX; i++)
			for (size_t j = 0; j < BOARD_MODULE_COUNTERS_MAX; j++)
				atomic_store_explicit(&rest->module_counters[i][j], 0, memory_order_relaxed);
		atomic_store(&rest->version, BOARD_REST_VERSION);
	}
	atomic_store(&rest->counter_count, BOARD_COUNTER_COUNT);
}

void board_shard_set_owner(struct board_shard *board, uint32_t pid, uint64_t pid_start_ticks, const char *build_id)
{
	struct board_owner owner = { .pid = pid, .pid_start_ticks = pid_start_ticks };

	assert(board->file.writable);
	/* Zero-padded and cut to its size; a full field needs no NUL here, the reader puts one. */
	memcpy(owner.build_id, build_id, strnlen(build_id, sizeof(owner.build_id)));
	EACH_CORE(board, core)
	RECORD_WRITE(core, owner, &owner);
	adopt_rest(board->rest);
}

static struct board_owner read_owner(const struct board_shard *board)
{
	struct board_owner owner;

	if (RECORD_READ(board->core, owner, &owner) < 0)
		memset(&owner, 0, sizeof(owner));
	return owner;
}

uint32_t board_shard_pid(const struct board_shard *board)
{
	return read_owner(board).pid;
}

uint64_t board_shard_pid_start(const struct board_shard *board)
{
	return read_owner(board).pid_start_ticks;
}

void board_shard_build_id(const struct board_shard *board, char build_id[16])
{
	struct board_owner owner = read_owner(board);

	memcpy(build_id, owner.build_id, 16);
	build_id[15] = '\0';
}

/* --- stamp and state -----------------------------------------------------------------------------------------------
 */

void board_shard_stamp(struct board_shard *board, uint64_t boottime_ns)
{
	EACH_CORE(board, core)
	atomic_store_explicit(&core->stamp, boottime_ns, memory_order_release);
}

uint64_t board_shard_stamped(const struct board_shard *board)
{
	return atomic_load_explicit(&board->core->stamp, memory_order_acquire);
}

void board_shard_set_state(struct board_shard *board, enum shard_state state)
{
	EACH_CORE(board, core)
	atomic_store_explicit(&core->state, (uint64_t)state, memory_order_release);
}

uint32_t board_shard_state(const struct board_shard *board)
{
	uint64_t state = atomic_load_explicit(&board->core->state, memory_order_acquire);

	/* A newer program's state is shown as unknown, not as one of ours with the same low bits. */
	return state < UINT32_MAX ? (uint32_t)state : UINT32_MAX;
}

/* --- session -------------------------------------------------------------------------------------------------------
 */

static unsigned active_session(const struct board_shard_core *core)
{
	return (unsigned)(atomic_load_explicit(&core->session_flip, memory_order_acquire) & 1);
}

static void put_session(struct board_shard_core *core, const struct board_session *session, uint64_t sequence)
{
	int index;

	index = board_record_fill(&core->session_flip, core->session, sizeof(core->session[0]), session,
				  sizeof(*session));
	atomic_store_explicit(&core->sequence[index], sequence, memory_order_relaxed);
	atomic_store_explicit(&core->handled[index], 0, memory_order_relaxed);
	atomic_store_explicit(&core->applied[index], 0, memory_order_relaxed);
	KILL_POINT("session_flip", session->session_id[0] ? "set" : "clear");
	board_record_flip(&core->session_flip);
}

void board_shard_set_session(struct board_shard *board, const struct board_session *session, uint64_t sequence)
{
	struct board_session copy = *session;

	assert(board->file.writable);
	copy.session_id[sizeof(copy.session_id) - 1] = '\0';
	copy.resume_url[sizeof(copy.resume_url) - 1] = '\0';
	EACH_CORE(board, core)
	put_session(core, &copy, sequence);
}

void board_shard_clear_session(struct board_shard *board)
{
	static const struct board_session none;

	/* Twice: the older copy must not come back when the newer is damaged. */
	board_shard_set_session(board, &none, 0);
	board_shard_set_session(board, &none, 0);
}

/* A session id and a URL are printable ASCII that ends within its field. */
static bool is_plain_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return true;
}

static int read_session(const struct board_shard_core *core, struct board_session *session)
{
	int index = RECORD_READ(core, session, session);

	if (index < 0 || !is_plain_text(session->session_id, sizeof(session->session_id)) ||
	    !is_plain_text(session->resume_url, sizeof(session->resume_url)) || !session->session_id[0])
		return -SHOAL_EDAMAGED;
	return index;
}

bool board_shard_session(const struct board_shard *board, struct board_session *ret_session, uint64_t *ret_sequence)
{
	struct board_session session;
	int index = read_session(board->core, &session);

	if (index < 0)
		return false;
	*ret_session = session;
	*ret_sequence = atomic_load_explicit(&board->core->sequence[index], memory_order_acquire);
	return true;
}

/* The words beside the session that counts. */
#define SESSION_WORD(name_)                                                                                          \
	void board_shard_set_##name_(struct board_shard *board, uint64_t sequence)                                   \
	{                                                                                                            \
		EACH_CORE(board, core)                                                                               \
		atomic_store_explicit(&core->name_[active_session(core)], sequence, memory_order_release);           \
	}                                                                                                            \
	uint64_t board_shard_##name_(const struct board_shard *board)                                                \
	{                                                                                                            \
		return atomic_load_explicit(&board->core->name_[active_session(board->core)], memory_order_acquire); \
	}
SESSION_WORD(sequence)
SESSION_WORD(handled)
SESSION_WORD(applied)

/* --- exit ----------------------------------------------------------------------------------------------------------
 */

void board_shard_set_exit(struct board_shard *board, const struct board_exit *how)
{
	struct board_exit copy = *how;

	assert(board->file.writable);
	copy.text[sizeof(copy.text) - 1] = '\0';
	EACH_CORE(board, core)
	RECORD_WRITE(core, exit, &copy);
}

bool board_shard_exit(const struct board_shard *board, struct board_exit *ret_how)
{
	struct board_exit how;

	if (RECORD_READ(board->core, exit, &how) < 0 || how.class >= EXIT_CLASS_COUNT)
		return false;
	how.text[sizeof(how.text) - 1] = '\0';
	*ret_how = how;
	return true;
}

/* --- what others do to the page -------------------------------------------------------------------------------------
 */

int board_shard_remember(struct board_shard *board)
{
	struct board_shard_core *shadow;

	if (board_file_reattach(&board->file) < 0 || !board_file_is_long_enough(&board->file))
		return -ENODATA;
	shadow = board->shadow ?: calloc(1, BOARD_REST_OFFSET);
	if (!shadow)
		return -ENOMEM;
	memcpy((void *)shadow, (const void *)board->core, BOARD_REST_OFFSET);
	board->shadow = shadow;
	return 0;
}

void board_shard_forget(struct board_shard *board)
{
	free(board->shadow);
	board->shadow = NULL;
}

bool board_shard_owns(const struct board_shard *board, const void *address)
{
	return (const unsigned char *)address >= board->file.map &&
	       (const unsigned char *)address < board->file.map + board->file.size;
}

/* The ring is gone: all that was not handled must be sent again. What the cache has of it is told by applied, which
 * does not change. The READY of a session is never sent again: its sequence is the least. */
static void go_back(struct board_shard_core *core)
{
	unsigned index = active_session(core);
	uint64_t handled = atomic_load(&core->handled[index]), sequence = atomic_load(&core->sequence[index]);

	if (handled < sequence && sequence > 0)
		atomic_store(&core->sequence[index], handled > 0 ? handled : 1);
}

int board_shard_rescue(struct board_shard *board)
{
	static const unsigned char no_ring[64];
	int r;

	if (!board->shadow)
		return -ENOENT;
	go_back(board->shadow);
	r = board_file_lengthen(&board->file);
	if (r < 0)
		return r;
	if (pwrite(board->file.fd, board->shadow, BOARD_REST_OFFSET, 0) != BOARD_REST_OFFSET)
		return -EIO;
	if (board->file.size > BOARD_INBOX_OFFSET + sizeof(no_ring) &&
	    pwrite(board->file.fd, no_ring, sizeof(no_ring), BOARD_INBOX_OFFSET) != sizeof(no_ring))
		return -EIO;
	return 0;
}

bool board_shard_inherit(struct board_shard *board, const struct board_shard *from)
{
	const struct board_shard_core *shadow = from->shadow;
	struct board_session session;
	struct board_exit how;
	int index;

	if (!shadow)
		return false;
	if (RECORD_READ(shadow, exit, &how) >= 0)
		board_shard_set_exit(board, &how);
	index = read_session(shadow, &session);
	if (index < 0)
		return false;
	board_shard_set_session(board, &session, atomic_load(&shadow->sequence[index]));
	board_shard_set_handled(board, atomic_load(&shadow->handled[index]));
	board_shard_set_applied(board, atomic_load(&shadow->applied[index]));
	go_back(board->core);
	return true;
}

int board_shard_mend(struct board_shard *board)
{
	/* A file that ends within a page is no fault there, but zeros. */
	if (!board_file_is_long_enough(&board->file))
		return -ENODATA;
	/* One thread writes, and always both: any difference is somebody else's doing. */
	if (!board->shadow || memcmp((void *)board->core, (void *)board->shadow, sizeof(*board->core)) == 0)
		return 0;
	memcpy((void *)board->core, (const void *)board->shadow, BOARD_REST_OFFSET);
	return 1;
}

int board_shard_look(struct board_shard *board)
{
	bool cut = board->file.guard.state != BOARD_GUARD_WHOLE || !board_file_is_long_enough(&board->file);
	bool told = board->cut_told;

	if (cut && board_file_reattach(&board->file) == 1) {
		board->cut_told = false;
		return !told;
	}
	board->cut_told = cut;
	return cut && !told;
}

/* --- modules -------------------------------------------------------------------------------------------------------
 */

const char *board_module_state_name(uint32_t state)
{
	static const char *const names[BOARD_MODULE_STATE_COUNT] = {
		[BOARD_MODULE_ON] = "on", [BOARD_MODULE_OFF] = "off", [BOARD_MODULE_TRIAL] = "trial"
	};

	return state < BOARD_MODULE_STATE_COUNT ? names[state] : "unknown";
}

static void put_culprit(struct board_shard_core *core, const struct board_culprit *culprit)
{
	atomic_store_explicit(&core->culprit_session, culprit->session, memory_order_relaxed);
	atomic_store_explicit(&core->culprit_sequence, culprit->sequence, memory_order_relaxed);
	atomic_store_explicit(&core->culprit,
			      (uint64_t)culprit->pid << 32 | (uint64_t)(culprit->kind & 0xffff) << 16 |
				      (culprit->module & 0xffff),
			      memory_order_release);
}

void board_shard_set_culprit(struct board_shard *board, const struct board_culprit *culprit)
{
	EACH_CORE(board, core)
	put_culprit(core, culprit);
}

struct board_culprit board_shard_culprit(const struct board_shard *board)
{
	const struct board_shard_core *core = board->core;
	uint64_t word = atomic_load_explicit(&core->culprit, memory_order_acquire);
	struct board_culprit culprit = { .module = (uint32_t)(word & 0xffff),
					 .kind = (uint32_t)(word >> 16 & 0xffff),
					 .pid = (uint32_t)(word >> 32) };

	if (culprit.module > BOARD_MODULES_MAX)
		culprit.module = 0;
	culprit.session = atomic_load_explicit(&core->culprit_session, memory_order_relaxed);
	culprit.sequence = atomic_load_explicit(&core->culprit_sequence, memory_order_relaxed);
	return culprit;
}

/* Who is killed between two of these stores leaves numbers of two moments: each is checked by who reads, and the worst
 * is one crash too many or too few. */
static void put_module(struct board_module_words *words, const struct board_module *module)
{
	uint64_t name[BOARD_MODULE_NAME_SIZE / 8] = { 0 };

	memcpy(name, module->name, strnlen(module->name, sizeof(name) - 1));
	for (size_t i = 0; i < BOARD_MODULE_NAME_SIZE / 8; i++)
		atomic_store_explicit(&words->name[i], name[i], memory_order_relaxed);
	atomic_store_explicit(&words->window_ns, module->window_ns, memory_order_relaxed);
	atomic_store_explicit(&words->until_ns, module->until_ns, memory_order_relaxed);
	atomic_store_explicit(&words->flags, module->loading, memory_order_relaxed);
	atomic_store_explicit(&words->state,
			      (uint64_t)module->trips << 32 | (uint64_t)(module->crashes & 0xffffff) << 8 |
				      (module->state & 0xff),
			      memory_order_release);
}

void board_shard_set_module(struct board_shard *board, uint32_t row, const struct board_module *module)
{
	assert(board->file.writable && row < BOARD_MODULES_MAX);
	EACH_CORE(board, core)
	put_module(&core->modules[row], module);
}

bool board_shard_module(const struct board_shard *board, uint32_t row, struct board_module *ret_module)
{
	const struct board_module_words *words = &board->core->modules[row];
	uint64_t name[BOARD_MODULE_NAME_SIZE / 8], state;
	struct board_module module = { 0 };

	if (row >= BOARD_MODULES_MAX)
		return false;
	state = atomic_load_explicit(&words->state, memory_order_acquire);
	for (size_t i = 0; i < BOARD_MODULE_NAME_SIZE / 8; i++)
		name[i] = atomic_load_explicit(&words->name[i], memory_order_relaxed);
	memcpy(module.name, name, sizeof(module.name) - 1);
	module.state = state & 0xff;
	module.crashes = state >> 8 & 0xffffff;
	module.trips = (uint32_t)(state >> 32);
	module.window_ns = atomic_load_explicit(&words->window_ns, memory_order_relaxed);
	module.until_ns = atomic_load_explicit(&words->until_ns, memory_order_relaxed);
	module.loading = atomic_load_explicit(&words->flags, memory_order_relaxed) & 1;
	if (!module.name[0])
		return false;
	*ret_module = module;
	return true;
}

_Atomic uint64_t *board_shard_module_counters(struct board_shard *board, uint32_t row)
{
	assert(board->file.writable && board->rest && row < BOARD_MODULES_MAX);
	return board->rest->module_counters[row];
}

uint64_t board_shard_module_counter(const struct board_shard *board, uint32_t row, enum board_module_counter counter)
{
	const struct board_shard_rest *rest = board->rest;

	if (!rest || row >= BOARD_MODULES_MAX || (unsigned)counter >= BOARD_MODULE_COUNTER_COUNT ||
	    atomic_load(&rest->version) != BOARD_REST_VERSION)
		return 0;
	return atomic_load_explicit(&rest->module_counters[row][counter], memory_order_relaxed);
}

/* --- counters ------------------------------------------------------------------------------------------------------
 */

_Atomic uint64_t *board_shard_counters(struct board_shard *board)
{
	assert(board->file.writable && board->rest);
	return board->rest->counters;
}

uint64_t board_shard_counter(const struct board_shard *board, enum board_counter counter)
{
	const struct board_shard_rest *rest = board->rest;

	if (!rest || (unsigned)counter >= BOARD_COUNTER_COUNT || atomic_load(&rest->version) != BOARD_REST_VERSION ||
	    (uint32_t)counter >= atomic_load(&rest->counter_count))
		return 0;
	return atomic_load_explicit(&rest->counters[counter], memory_order_relaxed);
}
