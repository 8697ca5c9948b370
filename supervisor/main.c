/* shoald: the supervisor of one host's shards. Reads its configuration, prepares its surroundings, runs the loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/board/board_guard.h"
#include "shared/base/errors.h"
#include "shared/config/config.h"
#include "shared/control/exit_code.h"
#include "shared/log/log.h"
#include "shared/loop/loop.h"
#include "supervisor/reexec.h"
#include "supervisor/supervisor.h"
#include "supervisor/surroundings.h"

enum mode { MODE_RUN, MODE_CHECK, MODE_CHECK_JSON, MODE_HELP, MODE_VERSION, MODE_SAMPLE };

struct arguments {
	enum mode mode;
	const char *config_path; /* "": the usual places */
};

static const struct flag {
	const char *name;
	enum mode mode;
	const char *help;
} flags[] = {
	{ "--check", MODE_CHECK, "validate configuration and surroundings, say what is wrong, start nothing" },
	{ "--check-json", MODE_CHECK_JSON, "the same as one JSON object on stdout; asked by a shoald that reloads" },
	{ "--help", MODE_HELP, "this text" },
	{ "--version", MODE_VERSION, "version and build" },
	{ "--print-sample-config", MODE_SAMPLE, "a commented shoal.ini" },
};

static void print_help(void)
{
	printf("usage: shoald [--config FILE] [--check] [--section.key=value ...]\n\n"
	       "Runs one Discord bot: one shoal-shard per gateway shard, watched and restarted.\n\n"
	       "  --config FILE            configuration (default: ./shoal.ini, /etc/shoal/shoal.ini)\n");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		printf("  %-24s %s\n", flags[i].name, flags[i].help);
	putchar('\n');
	config_print_help(stdout);
}

/* Takes our own flags out of @argv; options of the configuration stay. -EINVAL: --config without a file. */
static int take_flags(int *argc, char **argv, struct arguments *arguments)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		size_t flag = 0;

		if (strcmp(argv[i], "--config") == 0) {
			if (++i == *argc)
				return -EINVAL;
			arguments->config_path = argv[i];
			continue;
		}
		if (strncmp(argv[i], "--config=", 9) == 0) {
			arguments->config_path = argv[i] + 9;
			continue;
		}
		while (flag < ARRAY_SIZE(flags) && strcmp(argv[i], flags[flag].name) != 0)
			flag++;
		if (flag < ARRAY_SIZE(flags))
			arguments->mode = flags[flag].mode;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	argv[kept] = NULL;
	return 0;
}

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "shoald: %s%s\nSee shoald --help.\n", what, which);
	return EXIT_CODE_USAGE;
}

/* @config NULL: it is not read yet. */
static void set_up_log(const struct config *config)
{
	static const char *const formats[LOG_FORMAT_COUNT] = { "auto", "journal", "json", "human" };
	struct log_options options = { .level = LOG_LEVEL_INFO, .program = "shoald", .fd = 2 };

	if (!config) {
		log_setup(&options);
		return;
	}
	log_level_parse(config->log_level, &options.level);
	for (size_t i = 0; i < LOG_FORMAT_COUNT; i++)
		if (strcmp(config->log_format, formats[i]) == 0)
			options.format = (enum log_format)i;
	log_setup(&options);
}

/* @text: a line a mistake; a record for each. */
static int refuse(enum exit_code code, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		log_error(NULL, "config.invalid", KV_MSG(line), KV_INT("exit_code", code));
	return (int)code;
}

static int refuse_start(int error)
{
	char text[128];

	snprintf(text, sizeof(text), "%s", error_text(error));
	return refuse(EXIT_CODE_RESOURCE, text);
}

static void log_start(const struct config *config, const char *host)
{
	log_info(NULL, "supervisor.starting", KV_STR("version", shoal_version), KV_STR("build_id", shoal_build_id),
		 KV_STR("host", host), KV_STR("runtime_dir", config->supervisor_runtime_dir),
		 KV_STR("api_base", config->discord_api_base));
	if (config->nats_url[0] == '\0')
		log_warn(NULL, "feature.off", KV_STR("feature", "nats"),
			 KV_MSG("nats.url is not set: what asks all shards (/stats) says that it is off"));
	if (config->postgres_conninfo[0] == '\0')
		log_warn(NULL, "feature.off", KV_STR("feature", "postgres"),
			 KV_MSG("postgres.conninfo is not set: settings of guilds (/settings) say that they are off"));
}

static int run(const struct config *config, const char *worker_path, struct reexec *reexec,
	       const struct reexec_legacy *legacy)
{
	struct supervisor_options options = { .worker_path = worker_path, .reexec = reexec, .legacy = legacy };
	enum exit_code code = EXIT_CODE_INTERNAL;
	struct supervisor supervisor;
	struct loop loop;
	char host[256];
	int r, result;

	surroundings_host(config, host, sizeof(host));
	options.host = host;
	options.worker_env = surroundings_worker_env();
	r = options.worker_env ? loop_init(&loop) : -ENOMEM;
	if (r < 0)
		return refuse_start(r);
	log_start(config, host);
	r = supervisor_start(&supervisor, &loop, config, &options, &code);
	if (r < 0)
		supervisor_abandon(&supervisor);
	loop_run(&loop);
	result = r < 0 ? (int)code : supervisor.exit_code;
	r = loop_finish(&loop);
	if (r < 0)
		log_error(NULL, "loop.not_closed", KV_ERR(r));
	supervisor_finish(&supervisor);
	surroundings_free_env(options.worker_env);
	return result;
}

/* One line on stdout: what this program would be with this configuration, or why it can't be. */
static int answer_check(const struct config *config, const char *worker_path, char *error)
{
	char host[256];
	json_t *answer;

	if (error) {
		for (char *c = error; *c; c++)
			*c = *c == '\n' ? ';' : *c;
		answer = json_pack("{s:b, s:s}", "ok", 0, "error", error);
	} else {
		surroundings_host(config, host, sizeof(host));
		answer = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b}", "ok", 1, "version",
				   shoal_version, "build_id", shoal_build_id, "worker", worker_path,
				   "supervisor.runtime_dir", config->supervisor_runtime_dir, "supervisor.state_dir",
				   config->supervisor_state_dir, "supervisor.cluster", config->supervisor_cluster,
				   "supervisor.host_id", host, "supervisor.http_listen", config->supervisor_http_listen,
				   "shard_count", (json_int_t)config->discord_shard_count, "intents_auto",
				   strcmp(config->discord_intents, "auto") == 0);
	}
	if (!answer || json_dumpf(answer, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF || fflush(stdout) == EOF) {
		json_decref(answer);
		return EXIT_CODE_INTERNAL;
	}
	json_decref(answer);
	return error ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}

/* The configuration and what it needs around it. On failure @error says why. */
static int prepare(const struct arguments *arguments, int *argc, char **argv, struct config **ret_config,
		   char worker_path[SURROUNDINGS_PATH_SIZE], char error[CONFIG_ERROR_SIZE + SURROUNDINGS_ERROR_SIZE])
{
	CLEANUP(config_freep) struct config *config = NULL;
	int r;

	if (arguments->mode == MODE_RUN)
		set_up_log(NULL);
	r = config_load(arguments->config_path, argc, argv, &config, error);
	if (r < 0) {
		if (!error[0])
			snprintf(error, CONFIG_ERROR_SIZE, "%s", error_text(r));
		return -EINVAL;
	}
	if (*argc > 1) {
		snprintf(error, CONFIG_ERROR_SIZE, "there is no argument %s", argv[1]);
		return -E2BIG;
	}
	if (arguments->mode == MODE_RUN)
		set_up_log(config);
	r = surroundings_worker_path(config, worker_path);
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "supervisor.worker: the path is too long");
		return -EINVAL;
	}
	r = surroundings_check(config, worker_path, error);
	if (r == 0)
		r = surroundings_make_dirs(config, error);
	if (r == 0)
		*ret_config = TAKE(config);
	return r;
}

static int start(const struct arguments *arguments, int argc, char **argv, struct reexec *reexec,
		 const struct reexec_legacy *legacy)
{
	CLEANUP(config_freep) struct config *config = NULL;
	char error[CONFIG_ERROR_SIZE + SURROUNDINGS_ERROR_SIZE] = "", worker_path[SURROUNDINGS_PATH_SIZE];
	int r;

	r = prepare(arguments, &argc, argv, &config, worker_path, error);
	if (arguments->mode == MODE_CHECK_JSON)
		return answer_check(config, worker_path, r < 0 ? error : NULL);
	if (r == -E2BIG)
		return usage(error, "");
	if (r < 0 && arguments->mode == MODE_CHECK) {
		fprintf(stderr, "shoald: %s\n", error); /* whoever asked reads it, no log does */
		return r == -ENOSPC ? EXIT_CODE_RESOURCE : EXIT_CODE_CONFIG;
	}
	if (r < 0)
		return refuse(r == -ENOSPC ? EXIT_CODE_RESOURCE : EXIT_CODE_CONFIG, error);
	if (arguments->mode == MODE_CHECK) {
		printf("shoald: the configuration is good%s%s\n", *config_file(config) ? ": " : " (no file was found)",
		       config_file(config));
		return EXIT_CODE_OK;
	}
	return run(config, worker_path, reexec, legacy);
}

static void forget_legacy(struct reexec_legacy *legacy)
{
	json_decref(legacy->kept);
}

/* As it was given: reading the options moves the words about. NULL: no memory. */
static char **copy_argv(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	for (int i = 0; copy && i < argc; i++)
		copy[i] = argv[i];
	return copy;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .mode = MODE_RUN, .config_path = "" };
	CLEANUP(cleanup_free) char **own_argv = copy_argv(argc, argv);
	CLEANUP(forget_legacy) struct reexec_legacy legacy = { .lock_fd = -1 };
	CLEANUP(reexec_finish) struct reexec reexec = { 0 };

	if (!own_argv || reexec_remember(&reexec, own_argv, &legacy) < 0)
		return refuse_start(-ENOMEM);

	if (take_flags(&argc, argv, &arguments) < 0)
		return usage("--config wants a file", "");
	switch (arguments.mode) {
	case MODE_HELP:
		print_help();
		return EXIT_CODE_OK;
	case MODE_VERSION:
		printf("shoald %s (build %s)\n", shoal_version, shoal_build_id);
		return EXIT_CODE_OK;
	case MODE_SAMPLE:
		config_print_sample(stdout);
		return EXIT_CODE_OK;
	default:
		surroundings_harden();
		board_guard_install();
		return start(&arguments, argc, argv, &reexec, &legacy);
	}
}
