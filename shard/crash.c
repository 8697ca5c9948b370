/* Signal handlers for SEGV, BUS, ILL, FPE and ABRT (the watchdog's too). Only async-signal-safe calls. No core dump: it
 * would hold the token. */
#include "shard/crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shard/cache/cache.h"
#include "shard/events/culprit.h"
#include "shard/events/journal.h"
#include "shard/events/parked_store.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/board/board_guard.h"
#include "shared/db/outbox.h"

#define FRAMES_MAX  64
#define STACK_BYTES (64 * 1024)
#define PATH_SIZE   512

static const struct {
	int signal;
	const char *name;
} fatal_signals[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGILL, "SIGILL" },
	{ SIGFPE, "SIGFPE" },   { SIGABRT, "SIGABRT" },
};

static struct board_shard *crash_board;
static pid_t crash_pid;
static char crash_stack[STACK_BYTES];
static char report_path[PATH_SIZE];
static int report_fd = -1; /* while a report is being written */

static const char *name_of(int number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++) {
		if (fatal_signals[i].signal == number)
			return fatal_signals[i].name;
	}
	return "signal";
}

static void say(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	if (report_fd >= 0)
		ignored = write(report_fd, text, strlen(text));
	(void)ignored;
}

static void record_exit(struct board_exit *how)
{
	struct timespec now;

	if (!crash_board)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	how->pid = (uint32_t)getpid();
	how->wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	board_shard_set_exit(crash_board, how);
}

/* A file of ours was cut off, or what is in it led LMDB astray. No event is to blame, so no event is counted as having
 * crashed its worker; the code tells the next worker to throw the file away, or to look at it. */
static const struct file_row {
	bool (*is_touched)(void);
	enum exit_code code;
	const char *text;
} files[] = {
	{ cache_is_touched, EXIT_CODE_CACHE, "the guild cache's file failed: " },
	{ parked_store_is_touched, EXIT_CODE_LETTERS, "the file of parked events failed: " },
	{ outbox_is_touched, EXIT_CODE_OUTBOX, "the outbox's file failed: " },
	{ journal_is_touched, EXIT_CODE_JOURNAL, "the effect journal's file failed: " },
};

static void on_file_fault(const struct file_row *row, int number)
{
	struct board_exit how = { .class = EXIT_CLASS_RETRY, .code = row->code };

	say("shoal-shard: ");
	say(row->text);
	say(name_of(number));
	say("; the next worker sees to it\n");
	strcpy(how.text, row->text);
	strcat(how.text, name_of(number));
	record_exit(&how);
	_exit((int)row->code);
}

/* Somebody cut off this shard's board. What we remember of it is put back, so that the next worker RESUMEs. */
void crash_by_board(void)
{
	struct board_exit how = { .class = EXIT_CLASS_RETRY, .code = EXIT_CODE_BOARD };

	say("shoal-shard: the shard's board was cut off under its worker; ");
	if (board_shard_rescue(crash_board) < 0) {
		say("it can't be put back, the session is lost\n");
		_exit(EXIT_CODE_BOARD);
	}
	say("it was put back, the next worker goes on\n");
	strcpy(how.text,
	       "the shard's board was cut off and was put back: nobody else may touch supervisor.runtime_dir");
	record_exit(&how);
	_exit(EXIT_CODE_BOARD);
}

/* strlcat(), which this libc has not; names come from tables and from modules that were checked. */
static void append(char *text, size_t size, const char *more)
{
	size_t len = strlen(text), n = strlen(more);

	if (len + 1 >= size)
		return;
	n = n < size - len - 1 ? n : size - len - 1;
	memcpy(text + len, more, n);
	text[len + n] = '\0';
}

/* " in module echo, called for an event (MESSAGE_CREATE)". */
static void name_culprit(char *text, size_t size)
{
	const struct culprit_frame *frame = culprit_current();

	if (!frame)
		return;
	append(text, size, " in module ");
	append(text, size, frame->module->name);
	append(text, size, ", called for ");
	append(text, size, culprit_kind_words(frame->kind));
	append(text, size, " (");
	append(text, size, frame->what ? frame->what : "");
	append(text, size, ")");
}

/* On threads of libraries and of our stores no event is handled: what the loop has in its hands meanwhile is not to
 * blame for a crash there. */
static bool is_helper(void)
{
	return gettid() != getpid();
}

static void name_where(char *text, size_t size)
{
	if (is_helper())
		append(text, size, " in a helper thread");
	else
		name_culprit(text, size);
}

static void say_where(void)
{
	char where[192] = "";

	name_where(where, sizeof(where));
	say(where);
}

static void end_by_helper(struct board_exit *how)
{
	how->class = EXIT_CLASS_RETRY;
	how->code = EXIT_CODE_INTERNAL;
	record_exit(how);
	_exit(EXIT_CODE_INTERNAL);
}

static void on_crash(int number)
{
	struct board_exit how = { .class = EXIT_CLASS_CRASH, .code = (uint32_t)(128 + number) };
	void *frames[FRAMES_MAX];
	size_t i;
	int count;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (files[i].is_touched())
			on_file_fault(&files[i], number);
	}
	if (report_path[0])
		report_fd = open(report_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	say("shoal-shard: crashed by ");
	say(name_of(number));
	say_where();
	say(", build ");
	say(shoal_build_id);
	say("; backtrace:\n");
	count = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	if (report_fd >= 0)
		backtrace_symbols_fd(frames, count, report_fd);
	strcpy(how.text, "crashed by ");
	strcat(how.text, name_of(number));
	name_where(how.text, sizeof(how.text));
	if (is_helper())
		end_by_helper(&how);
	record_exit(&how);
	/* The default is back: die of the same signal, so that the parent sees it. */
	raise(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	/* The kernel's word, not a kill(): then the address is one of ours. */
	if (number == SIGBUS && info->si_code > 0) {
		if (crash_board && board_shard_owns(crash_board, info->si_addr))
			crash_by_board();
		if (board_guard_fault(info->si_addr))
			return;
	}
	signal(number, SIG_DFL);
	on_crash(number);
}

/* exit() in the midst of a module's code leaves no word, and the next worker would begin the same event again, for
 * ever. (A child that a module forked ends like any other; so does a helper thread's doing, which is nobody's we know.)
 */
static void on_exit_within(void)
{
	if (!culprit_current() || getpid() != crash_pid || is_helper())
		return;
	say("shoal-shard: a module's code called exit()\n");
	abort();
}

void crash_report_to(const char *path)
{
	if (snprintf(report_path, sizeof(report_path), "%s", path) >= (int)sizeof(report_path))
		report_path[0] = '\0';
}

void crash_read_report(const char *path, char *text, size_t size)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
	ssize_t i;

	text[n > 0 ? n : 0] = '\0';
	/* Shown to people: letters and lines, whoever wrote there. */
	for (i = 0; i < n; i++) {
		if ((text[i] < ' ' && text[i] != '\n') || text[i] > '~')
			text[i] = '?';
	}
	unlink(path);
}

void crash_install(struct board_shard *board)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_sp = crash_stack, .ss_size = sizeof(crash_stack) };
	void *frames[1];
	size_t i;

	if (!crash_pid)
		atexit(on_exit_within);
	crash_pid = getpid();
	crash_board = board;
	backtrace(frames, 1); /* loads libgcc now: not in the handler */
	sigaltstack(&stack, NULL);
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaction(fatal_signals[i].signal, &action, NULL);
}
