/* shoal-shard: the worker of one shard. Started by shoald, never by hand (but for --manifest). Gets its configuration
 * and secrets over the control socket: nothing secret is on the command line or in the environment. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <shoal/api.h>

#include "shard/manifest.h"
#include "shard/modhost/loader.h"
#include "shard/modhost/switches.h"
#include "shard/worker.h"
#include "shared/base/build_id.h"
#include "shared/control/control.h"
#include "shared/log/log.h"

#define MMAP_THRESHOLD (128 * 1024)

static const char usage[] =
	"usage: shoal-shard --shard N --generation G --runtime-dir DIR\n"
	"       shoal-shard --manifest | --version | --help\n"
	"\n"
	"The worker of one gateway shard. shoald starts it and hands it configuration and secrets over\n"
	"DIR/control.sock; it is not meant to be started by hand.\n"
	"\n"
	"  --shard N          which shard to serve\n"
	"  --generation G     generation of the shard count (changes with a resharding)\n"
	"  --runtime-dir DIR  where shoald keeps its boards and its control socket\n"
	"  --log-level L      debug, info, warn, error\n"
	"  --log-format F     journal, json, human\n"
	"  --manifest         print what this build and its modules need and offer (intents, events, commands) as "
	"JSON,\n"
	"                     and exit\n"
	"  --modules LIST     with --manifest: as modules.load (default: $SHOAL_MODULES_LOAD, else *)\n"
	"  --modules-dir DIR  with --manifest: as modules.dir (default: $SHOAL_MODULES_DIR, else beside this program)\n"
	"  --modules-default LIST  with --manifest: as modules.default (default: *)\n"
	"  --phrases          print the catalogue, what members are told in each language, as JSON, and exit; with\n"
	"                     --modules and --modules-dir as above\n"
	"  --check-setting NAME  is what stands on standard input a value of a module's setting? 0: yes; 1: a "
	"sentence\n"
	"                     why not. With --modules and --modules-dir as above\n"
	"  --version          print version and build, and exit\n";

static const struct option long_options[] = {
	{ "shard", required_argument, NULL, 's' },
	{ "generation", required_argument, NULL, 'g' },
	{ "runtime-dir", required_argument, NULL, 'd' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "log-format", required_argument, NULL, 'f' },
	{ "manifest", no_argument, NULL, 'm' },
	{ "modules-dir", required_argument, NULL, 'D' },
	{ "modules", required_argument, NULL, 'M' },
	{ "modules-default", required_argument, NULL, 'O' },
	{ "check-setting", required_argument, NULL, 'c' },
	{ "phrases", no_argument, NULL, 'p' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* The whole of @text as a number below 2^31; false else. */
static bool parse_number(const char *text, uint32_t *ret_number)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number > INT32_MAX)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static bool parse_format(const char *text, enum log_format *ret_format)
{
	static const char *const names[] = { [LOG_FORMAT_AUTO] = "auto",
					     [LOG_FORMAT_JOURNAL] = "journal",
					     [LOG_FORMAT_JSON] = "json",
					     [LOG_FORMAT_HUMAN] = "human" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_format = (enum log_format)i;
			return true;
		}
	}
	return false;
}

/* No core dumps: they would hold the token. Not dumpable: nobody of the same user reads our memory. */
static void harden(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	/* The kernel sends it to a stopped process whose parent dies: a dead supervisor must not take us along. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* an error where it is written, as a full disk is */
	unsetenv("DISCORD_TOKEN");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
}

static int refuse(const char *what)
{
	fprintf(stderr, "shoal-shard: %s\n%s", what, usage);
	return EXIT_CODE_USAGE;
}

/* Whether @name is one of @names, joined by commas. */
static bool listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; *names; names += strcspn(names, ","), names += *names == ',') {
		if (strcspn(names, ",") == len && strncmp(names, name, len) == 0)
			return true;
	}
	return false;
}

/* Whoever reads the manifest is told what is being loaded, so that it knows what this program died of. */
static int before_loading(void *arg, const char *name, const char *path, char *error)
{
	(void)path;
	if (listed(arg, name)) {
		snprintf(error, LOADER_ERROR_SIZE, "left out as asked ($" MANIFEST_LEAVE_OUT_VARIABLE ")");
		return -ECANCELED;
	}
	printf(MANIFEST_LOADING "%s\n", name);
	fflush(stdout);
	return 0;
}

static void after_loading(void *arg, const char *name, bool loaded)
{
	(void)arg;
	(void)name;
	(void)loaded;
	puts(MANIFEST_LOADING);
	fflush(stdout);
}

/* What a module's own check says, for who can't load modules (shoalctl config). */
static int check_setting(const char *name, const char *modules_dir, const char *modules)
{
	static char text[SHOAL_SETTING_TEXT_MAX + 2];
	char error[VALUE_ERROR_SIZE] = "";
	const struct schema_row *row;
	struct schemas *schemas;
	struct value value;
	int r = schemas_new(&schemas);

	if (r < 0 || fread(text, 1, sizeof(text) - 1, stdin) == sizeof(text) - 1)
		return EXIT_CODE_INTERNAL;
	loader_tell(false);
	loader_add_files(modules_dir, modules ? modules : "*");
	r = loader_register(schemas, NULL);
	row = r < 0 ? NULL : schemas_find(schemas, name);
	r = row ? value_from_text(row->row, text, &value, error) : -ENOENT;
	if (r == 0)
		value_clear(&value);
	else
		puts(error[0] ? error : "there is no such setting of a module");
	schemas_free(schemas);
	return r == 0 ? EXIT_CODE_OK : 1;
}

static int print_manifest(const char *modules_dir, const char *modules, const char *defaults)
{
	char error[VALUE_ERROR_SIZE];
	struct schemas *schemas;
	const struct loader_guard guard = { .before = before_loading,
					    .after = after_loading,
					    .arg = getenv(MANIFEST_LEAVE_OUT_VARIABLE) };
	int r;

	if (guard.arg)
		loader_set_guard(&guard);

	loader_tell(false); /* its reader has them from the manifest */
	loader_add_files(modules_dir, modules ? modules : "*");
	loader_set_guard(NULL);
	r = schemas_new(&schemas);
	if (r == 0 && switches_register(schemas, defaults, error) < 0)
		r = switches_register(schemas, "*", error);
	if (r == 0)
		r = manifest_print(stdout);
	schemas_free(schemas);

	if (r < 0)
		fprintf(stderr, "shoal-shard: the manifest could not be printed: %s\n", strerror(-r));
	return r < 0 ? EXIT_CODE_INTERNAL : EXIT_CODE_OK;
}

static int print_phrases(const char *modules_dir, const char *modules)
{
	loader_tell(false);
	loader_add_files(modules_dir, modules ? modules : "*");
	return manifest_print_phrases(stdout) < 0 ? EXIT_CODE_INTERNAL : EXIT_CODE_OK;
}

/* glibc raises the threshold for mappings of their own to the largest block that was ever freed. LMDB's lists,
 * megabytes of which a few pages are used, then came from the heap, on top of what the start had dirtied: 0.6 MB a
 * worker. */
static void tune_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
}

int main(int argc, char **argv)
{
	struct log_options log = {
		.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_AUTO, .program = "shoal-shard", .fd = 2
	};
	struct worker_options options = { .shard_id = UINT32_MAX };
	const char *modules_dir = getenv("SHOAL_MODULES_DIR"), *modules = getenv("SHOAL_MODULES_LOAD");
	const char *defaults = "*", *setting = NULL;
	bool manifest = false, phrases = false;
	int c;

	tune_heap();
	loader_add_linked();
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (!parse_number(optarg, &options.shard_id))
				return refuse("--shard wants a number");
			break;
		case 'g':
			if (!parse_number(optarg, &options.generation))
				return refuse("--generation wants a number");
			break;
		case 'd':
			options.runtime_dir = optarg;
			break;
		case 'l':
			if (log_level_parse(optarg, &log.level) < 0)
				return refuse("--log-level wants debug, info, warn or error");
			break;
		case 'f':
			if (!parse_format(optarg, &log.format))
				return refuse("--log-format wants journal, json or human");
			break;
		case 'm':
			manifest = true;
			break;
		case 'D':
			modules_dir = optarg;
			break;
		case 'M':
			modules = optarg;
			break;
		case 'O':
			defaults = optarg;
			break;
		case 'c':
			setting = optarg;
			break;
		case 'p':
			phrases = true;
			break;
		case 'v':
			printf("shoal-shard %s (build %s, board %d.%d, module ABI %u.%u)\n", shoal_version,
			       shoal_build_id, BOARD_CORE_VERSION, BOARD_REST_VERSION, (unsigned)(SHOAL_ABI >> 16),
			       (unsigned)(SHOAL_ABI & 0xffff));
			return EXIT_CODE_OK;
		case 'h':
			fputs(usage, stdout);
			return EXIT_CODE_OK;
		default:
			return refuse("unknown option");
		}
	}
	if (manifest)
		return optind == argc ? print_manifest(modules_dir, modules, defaults)
				      : refuse("--manifest stands alone");
	if (phrases && optind == argc)
		return print_phrases(modules_dir, modules);
	if (setting && optind == argc)
		return check_setting(setting, modules_dir, modules);
	if (options.shard_id == UINT32_MAX || !options.runtime_dir || optind != argc)
		return refuse("--shard and --runtime-dir are needed");
	harden();
	log_setup(&log);
	return worker_run(&options);
}
