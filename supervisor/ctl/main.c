/* shoalctl: what operators ask and order. Finds the verb in the table and lets it run. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "supervisor/ctl/ctl.h"

static const struct verb {
	const char *name;
	const char *arguments;
	ctl_fn fn;
	const char *help;
} verbs[] = {
	{ "status", "", ctl_status, "the supervisor, its session starts, and a line a shard" },
	{ "shards", "", ctl_shards, "every shard's state and figures" },
	{ "top", "[--once] [--interval S]", ctl_top, "a live view of all shards; q quits" },
	{ "restart", "N... | --all | --rolling [N...]", ctl_restart,
	  "restart shards one by one by RESUME; --rolling stops at the first that lost its session" },
	{ "reload", "[--binary PATH]", ctl_reload,
	  "the supervisor executes itself anew in place: new configuration or program" },
	{ "module", "list | reload NAME | new NAME [DIR]", ctl_module,
	  "modules and how they fare; take a changed one in by a rolling restart; begin one of your own" },
	{ "plan", "restart | upgrade [--binary PATH] | reshard N | module load NAME", ctl_plan,
	  "session starts, seconds and memory that it would cost, and why; nothing is done" },
	{ "upgrade", "[--binary PATH] [--canary N --soak S]", ctl_upgrade,
	  "supervisor in place, workers rolling by RESUME; a canary that does worse is turned back" },
	{ "commands", "", ctl_commands,
	  "each command's uses, how they ended and how long they took, the most used first" },
	{ "alerts", "[clear]", ctl_alerts, "what went wrong, the latest first; clear: it was seen" },
	{ "outbox", "status | list [--dead] [--shard N] | retry ID...|--all | drop ID...|--all", ctl_outbox,
	  "writes that wait for PostgreSQL, and those that it refused for good" },
	{ "dead-letters", "list [--shard N] | show ID | retry ID... | drop ID...", ctl_dead_letters,
	  "events that were set aside because they crashed their worker, or could not be read" },
	{ "stop", "[--logout]", ctl_stop, "stop the fleet; sessions stay resumable unless --logout" },
	{ "metrics", "", ctl_metrics, "Prometheus text" },
	{ "migrate", "up [N] | down [N] | status | plan", ctl_migrate, "the database's schema" },
	{ "config", "show | get | set | reset | history | rollback ...", ctl_config,
	  "settings of all servers, or of one (--guild ID [--channel ID], --user ID)" },
	{ "jobs", "list [--failed] | show ID | run ID | cancel ID", ctl_jobs,
	  "what is to be done at a time, and what failed" },
	{ "privacy", "export USER-ID | delete USER-ID --yes", ctl_privacy, "what is kept of a member" },
	{ "keys", "new | rotate | status", ctl_keys, "the keys that encrypt stored secrets (secrets.key_file)" },
	{ "backup", "FILE | DIR/ [--jobs N]", ctl_backup,
	  "a consistent copy of schema shoal, with counts and checksums beside it" },
	{ "restore", "FILE | DIR [--yes]", ctl_restore,
	  "such a copy back, counted and compared; over data only with --yes" },
	{ "doctor", "[--sql-dir DIR]", ctl_doctor,
	  "looks at host, fleet and database: what is wrong, and what to do about it" },
};

/* What --help of a verb says of its forms. */
static const struct forms {
	const char *verb, *text;
} forms[] = {
	{ "module", "list                what is loaded: shards on, uses, failures, slow ones, crashes, memory; what "
		    "was refused, and why\n"
		    "reload NAME         the workers take the file as it is now, one by one by RESUME\n"
		    "new NAME [DIR]      a skeleton that builds, with a test of its own\n"
		    "What runs where: `config set modules.NAME no [--guild ID]`; in a server, /module.\n" },
	{ "plan", "restart             all shards once by RESUME\n"
		  "upgrade             the programs at --binary (default: those that run) in place\n"
		  "reshard N           N shards instead: new sessions for all\n"
		  "module load NAME    intents that the module wants and the fleet has not, and what that costs\n" },
	{ "commands",
	  "USES: all; ANSWERED: by the handler; REFUSED: wrong arguments, no permission, switched off, too often;\n"
	  "FAILED: members were told of an incident. P50 and P99 are upper bounds, from the event to Discord's yes.\n"
	  "A name with a point (utility.vote) is a button, select or form.\n" },
	{ "outbox", "status              how many wait, how old the oldest is, on which shard\n"
		    "list [--dead]       those that wait; --dead: those that the database refused, with its words\n"
		    "retry, drop         of the dead: try once more, or throw away for good\n" },
	{ "dead-letters", "list                id, shard, event, why, when\n"
			  "show ID             all of it, with the event's JSON\n"
			  "retry ID...         handle the event once more; what it did already is not done again\n"
			  "drop ID...          throw it away for good\n" },
	{ "migrate", "up [N]              to the newest schema, or N steps\n"
		     "down [N]            N steps back (1); asks, or --yes: what those steps had made is lost\n"
		     "status              which are applied\n"
		     "plan                what `up` would run, what it locks, which programs may run after\n" },
	{ "config", "show                every setting, its value, and where that comes from\n"
		    "get NAME            one of them: what it takes, and what each layer says\n"
		    "set NAME VALUE      a lone - reads the value from standard input\n"
		    "reset NAME          take back what is set there; the next layer counts\n"
		    "history [NAME]      who changed what, when\n"
		    "rollback NAME V     the value of version V counts again\n"
		    "With --guild ID, --guild ID --channel ID or --user ID of that one; else of all servers.\n" },
	{ "jobs", "list                what is waiting or running, the next first; --failed: those that were given up, "
		  "and why\n"
		  "show ID             all that is known of one, and the last failure's words\n"
		  "run ID              due now; a failed one is tried again\n"
		  "cancel ID           it is never done\n" },
	{ "privacy", "export USER-ID      all rows about that user, as one JSON object\n"
		     "delete USER-ID      delete them; needs --yes\n" },
	{ "keys", "new                 one more key in secrets.key_file\n"
		  "status              how many values each key encrypts\n"
		  "rotate              encrypt all anew with the newest key, beside any traffic\n" },
};

#define ARGUMENTS_WIDTH 32

static void print_verb_help(const struct verb *verb)
{
	const char *line = NULL;

	printf("usage: shoalctl [options] %s %s\n\n%s\n", verb->name, verb->arguments, verb->help);
	for (size_t i = 0; i < ARRAY_SIZE(forms) && !line; i++)
		line = strcmp(forms[i].verb, verb->name) == 0 ? forms[i].text : NULL;
	if (line)
		printf("\n");
	for (size_t len; line && *line; line += len) {
		len = strcspn(line, "\n") + 1;
		printf("  %.*s", (int)len, line);
	}
	printf("\nOptions: see shoalctl --help.\n");
}

static void print_help(void)
{
	printf("usage: shoalctl [options] VERB ...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *arguments = verbs[i].arguments;

		if (strlen(arguments) > ARGUMENTS_WIDTH) {
			printf("  %-12s %s\n", verbs[i].name, arguments);
			printf("  %-12s %-*s %s\n", "", ARGUMENTS_WIDTH, "", verbs[i].help);
		} else {
			printf("  %-12s %-*s %s\n", verbs[i].name, ARGUMENTS_WIDTH, arguments, verbs[i].help);
		}
	}
	printf("\nOptions, before or behind the verb:\n"
	       "  --json             one JSON value instead of text\n"
	       "  --runtime-dir DIR  where the supervisor is (default: supervisor.runtime_dir, else the fleet of the\n"
	       "                     last `make run` of this tree, else /run/shoal)\n"
	       "  --config FILE      configuration (default: ./shoal.ini, /etc/shoal/shoal.ini)\n"
	       "  --timeout S        how long to wait for an answer\n"
	       "  --version, --help\n\n"
	       "Ends with 0, or 1: it did not work, 2: wrong command line, 3: wrong configuration, 4: no supervisor\n"
	       "there, 9: the database is not there.\n");
}

struct arguments {
	const char *runtime_dir, *config_path;
	bool help, version;
};

/* The value of "--name VALUE" or "--name=VALUE" at @argv[*at]; NULL when it is another flag or the value is missing. */
static const char *flag_value(int argc, char **argv, int *at, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return NULL;
	if (argv[*at][len] == '=')
		return argv[*at] + len + 1;
	if (argv[*at][len] != '\0' || *at + 1 >= argc)
		return NULL;
	return argv[++*at];
}

static bool parse_seconds(const char *text, uint64_t *ret_ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0 && seconds <= 86400))
		return false;
	*ret_ms = (uint64_t)(seconds * 1000);
	return true;
}

/* Takes the options of every verb out of @argv. */
static int take_flags(int *argc, char **argv, struct arguments *arguments, struct ctl_options *options)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		const char *value;

		if (strcmp(argv[i], "--json") == 0)
			options->json = true;
		else if (strcmp(argv[i], "--yes") == 0)
			options->yes = true;
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			arguments->help = true;
		else if (strcmp(argv[i], "--version") == 0)
			arguments->version = true;
		else if ((value = flag_value(*argc, argv, &i, "--runtime-dir")) != NULL)
			arguments->runtime_dir = value;
		else if ((value = flag_value(*argc, argv, &i, "--config")) != NULL)
			arguments->config_path = value;
		else if ((value = flag_value(*argc, argv, &i, "--timeout")) != NULL) {
			options->timeout_given = parse_seconds(value, &options->timeout_ms);
			if (!options->timeout_given)
				return ctl_usage("--timeout", "wants seconds");
		} else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	argv[kept] = NULL;
	return CTL_OK;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int refuse_verb(const char *name)
{
	fprintf(stderr, "shoalctl: there is no verb %s; there are", ctl_clean(name));
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", verbs[i].name);
	fprintf(stderr, "\nSee shoalctl --help.\n");
	return CTL_USAGE;
}

/* Verbs that must be told more than where the supervisor is. */
static const char *const config_readers[] = { "migrate", "backup", "restore", "config", "keys", "privacy", "jobs" };

/* When things are broken is when one looks: with --runtime-dir most verbs need nothing of the configuration. */
static bool can_do_without(const struct arguments *arguments, int argc, char **argv)
{
	if (!arguments->runtime_dir || argc < 2)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(config_readers); i++)
		if (strcmp(config_readers[i], argv[1]) == 0)
			return false;
	return find_verb(argv[1]);
}

int main(int argc, char **argv)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct arguments arguments = { .config_path = "" };
	struct ctl_options options = { 0 };
	char error[CONFIG_ERROR_SIZE] = "", runtime_dir[PATH_MAX];
	const struct verb *verb;
	int r;

	r = take_flags(&argc, argv, &arguments, &options);
	if (r != CTL_OK)
		return r;
	if (arguments.version) {
		printf("shoalctl %s (build %s)\n", shoal_version, shoal_build_id);
		return CTL_OK;
	}
	if (argc == 3 && strcmp(argv[1], "help") == 0) {
		arguments.help = true;
		argv[1] = argv[2];
	}
	if (arguments.help && argc > 1 && find_verb(argv[1])) {
		print_verb_help(find_verb(argv[1]));
		return CTL_OK;
	}
	if (arguments.help || (argc == 2 && strcmp(argv[1], "help") == 0)) {
		print_help();
		return CTL_OK;
	}
	r = config_load(arguments.config_path, &argc, argv, &config, error);
	verb = argc > 1 ? find_verb(argv[1]) : NULL;
	/* To doctor, a configuration that can't be read is a finding. */
	if (r < 0 && !(verb && verb->fn == ctl_doctor) && !can_do_without(&arguments, argc, argv))
		return ctl_fail(&options, CTL_CONFIG, "EINVAL", error[0] ? error : error_text(r));
	if (r < 0 && verb->fn != ctl_doctor)
		fprintf(stderr, "shoalctl: (the configuration is broken, and not needed with --runtime-dir: %s)\n",
			error[0] ? error : error_text(r));
	if (argc < 2) {
		print_help();
		return CTL_USAGE;
	}
	if (!verb)
		return refuse_verb(argv[1]);
	ctl_find_runtime_dir(arguments.runtime_dir, config, runtime_dir, sizeof(runtime_dir));
	options.config = config;
	options.config_error = error[0] ? error : error_text(r);
	options.runtime_dir = runtime_dir;
	return verb->fn(argc - 1, argv + 1, &options);
}
