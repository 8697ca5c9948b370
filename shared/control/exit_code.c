/* The table of exit codes. Any thread. The README's list and systemd's RestartPreventExitStatus are made from it. */
#include "shared/control/exit_code.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

#include "shared/base/cleanup.h"

static const struct exit_code_row rows[] = {
	{ EXIT_CODE_OK, EXIT_CLASS_CLEAN, "ok", "ended as asked" },
	{ EXIT_CODE_INTERNAL, EXIT_CLASS_RETRY, "internal", "a bug of shoal: the log names it; please report it" },
	{ EXIT_CODE_USAGE, EXIT_CLASS_FATAL, "usage", "wrong command line: see --help" },
	{ EXIT_CODE_CONFIG, EXIT_CLASS_FATAL, "config",
	  "the configuration is wrong: mend the file, line and key that the message names (shoald --check)" },
	{ EXIT_CODE_TOKEN, EXIT_CLASS_FATAL, "token",
	  "Discord refused the token: set discord.token to the bot's current one" },
	{ EXIT_CODE_SHARDING, EXIT_CLASS_FATAL, "sharding",
	  "Discord refused the shard count: raise discord.shard_count, or use auto" },
	{ EXIT_CODE_API_VERSION, EXIT_CLASS_FATAL, "api_version",
	  "Discord refused the API version: update shoal, or mend discord.api_base" },
	{ EXIT_CODE_INTENTS, EXIT_CLASS_FATAL, "intents",
	  "Discord refused the intents: grant them in the developer portal, or change discord.intents" },
	{ EXIT_CODE_LOCKED, EXIT_CLASS_FATAL, "locked", "another one runs already on this runtime directory" },
	{ EXIT_CODE_UNAVAILABLE, EXIT_CLASS_RETRY, "unavailable", "a server that is needed is not there" },
	{ EXIT_CODE_RESOURCE, EXIT_CLASS_RETRY, "resource", "no memory, disk space or descriptors left" },
	{ EXIT_CODE_ORPHANED, EXIT_CLASS_CLEAN, "orphaned",
	  "there was no supervisor for longer than supervisor.orphan_timeout_s" },
	{ EXIT_CODE_PORT, EXIT_CLASS_FATAL, "port", "cannot listen where told: change supervisor.http_listen" },
	{ EXIT_CODE_CACHE, EXIT_CLASS_RETRY, "cache",
	  "the guild cache's file was cut off or damaged: it is made anew, nothing is to be done" },
	{ EXIT_CODE_BOARD, EXIT_CLASS_RETRY, "board",
	  "somebody cut off the shard's board under its worker: it is put back; nobody else may touch files in "
	  "supervisor.runtime_dir" },
	{ EXIT_CODE_LETTERS, EXIT_CLASS_RETRY, "letters",
	  "a file of parked events and dead letters was cut off or damaged: what can't be read is set aside; nobody "
	  "else "
	  "may touch files in supervisor.runtime_dir and supervisor.state_dir" },
	{ EXIT_CODE_OUTBOX, EXIT_CLASS_RETRY, "outbox",
	  "an outbox's file was cut off or damaged under its worker: it is set aside and what can be read of it taken "
	  "over; nobody else may touch files in supervisor.state_dir" },
	{ EXIT_CODE_JOURNAL, EXIT_CLASS_RETRY, "journal",
	  "the effect journal's file was cut off or damaged under its worker: it is made anew; nobody else may touch "
	  "files "
	  "in supervisor.runtime_dir" },
};

static const char *const class_names[EXIT_CLASS_COUNT] = {
	[EXIT_CLASS_NONE] = "none",   [EXIT_CLASS_CLEAN] = "clean", [EXIT_CLASS_RETRY] = "retry",
	[EXIT_CLASS_CRASH] = "crash", [EXIT_CLASS_FATAL] = "fatal", [EXIT_CLASS_KILLED] = "killed",
};

const struct exit_code_row *exit_code_find(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if ((int)rows[i].code == code)
			return &rows[i];
	}
	return NULL;
}

const char *exit_class_name(enum exit_class class)
{
	return (unsigned)class < EXIT_CLASS_COUNT ? class_names[class] : "unknown";
}

/* What a program brings upon itself. */
static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

static bool is_crash(int signal)
{
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		if (crash_signals[i] == signal)
			return true;
	return false;
}

enum exit_class exit_class_of_status(int wait_status)
{
	const struct exit_code_row *row;

	if (!WIFEXITED(wait_status))
		return is_crash(WTERMSIG(wait_status)) ? EXIT_CLASS_CRASH : EXIT_CLASS_KILLED;
	row = exit_code_find(WEXITSTATUS(wait_status));
	return row ? row->class : EXIT_CLASS_RETRY;
}
