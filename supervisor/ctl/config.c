/* shoalctl config: settings of all servers (global), and of any one. Talks to the database and to NATS itself, with the
 * same checks as a worker: whoever is told no there is told no here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/phrases/phrases.h"
#include "shared/secrets/key_file.h"
#include "shared/settings/schema_core.h"
#include "shared/settings/settings_write.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/module_settings.h"

#define DEADLINE_MS     15000
#define BUS_WAIT_MS     2000 /* then it is done without telling: workers see it within a minute */
#define SHOWN_SIZE      2048
#define ALLOWED_SIZE    1024 /* a description and what may be typed */
#define NO_SUCH_SETTING "there is no such setting; shoalctl config show lists them"

struct session;

struct config_verb {
	const char *name;
	int least, most; /* words behind it */
	void (*run)(struct session *session);
	const char *usage;
};

struct session {
	const struct ctl_options *options;
	const struct config *config;
	const struct config_verb *verb;
	char **words;
	int word_count;
	char *typed; /* a value read from stdin */
	struct loop loop;
	uv_timer_t deadline, bus_wait;
	struct schemas *schemas;
	struct settings *settings;
	struct db *db;
	struct bus *bus;
	struct settings_change change;
	char note[SETTINGS_NOTE_MAX];
	size_t show_at;
	json_t *shown;
	bool begun, ended;
	int exit;
	int closing;
};

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void on_closed(void *arg)
{
	struct session *session = arg;

	if (--session->closing == 0)
		loop_stop(&session->loop);
}

static void on_synced(void *arg, int error)
{
	struct session *session = arg;

	(void)error; /* said to be seen within a minute anyway */
	settings_closing(session->settings);
	session->closing = 2;
	bus_close(session->bus, on_closed, session);
	db_close(session->db, on_closed, session);
}

/* Once; what was published must have left before we do. */
static void end(struct session *session, int exit)
{
	if (session->ended)
		return;
	session->ended = true;
	session->exit = exit;
	if (!bus_is_up(session->bus) || bus_sync(session->bus, on_synced, session) < 0)
		on_synced(session, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct session *session = timer->data;

	if (!session->ended)
		end(session,
		    ctl_fail(session->options, CTL_FAILED, "ETIMEDOUT", "the database did not answer in time"));
}

static int exit_of(int error)
{
	return error == -SHOAL_EOFFLINE ? CTL_AWAY : CTL_FAILED;
}

/* --- what is printed ---------------------------------------------------------------------------------------------- */

static void time_text(int64_t ms, char *text, size_t size)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static void value_text(const struct schema_row *row, const struct shoal_setting_value *value, char *text, size_t size)
{
	if (row->row->flags & SHOAL_SETTING_SENSITIVE)
		snprintf(text, size, "%s", value->text[0] ? "(set, hidden)" : "(empty)");
	else
		value_print(value, false, text, size);
	if (!text[0])
		snprintf(text, size, "(empty)");
}

/* What it does, and what may be typed. */
static void allowed_text(const struct schema_row *row, char text[ALLOWED_SIZE])
{
	char allowed[VALUE_ERROR_SIZE];

	value_allowed(row->row, allowed, sizeof(allowed));
	snprintf(text, ALLOWED_SIZE, "%s%s%s", row->row->description ? row->row->description : "",
		 row->row->description ? ": " : "", allowed);
}

static json_t *layers_json(struct session *session, const struct setting_answer *answer)
{
	bool hidden = answer->row->row->flags & SHOAL_SETTING_SENSITIVE;
	struct setting_layer layers[SETTINGS_LAYER_COUNT];
	json_t *list = json_array();

	settings_layers(session->settings, &session->change.place, answer->row->name, layers);
	for (enum settings_layer layer = SETTINGS_DEFAULT; layer < SETTINGS_LAYER_COUNT; layer++) {
		const struct setting_layer *one = &layers[layer];
		json_t *json;

		if (layer != SETTINGS_DEFAULT && !one->allowed)
			continue;
		json = json_pack("{s:s, s:b, s:I, s:I}", "layer", settings_layer_name(layer), "set",
				 one->value != NULL || one->problem, "version", (json_int_t)one->version, "changed_by",
				 (json_int_t)one->changed_by);
		if (!json)
			continue;
		if (one->value && !hidden)
			json_object_set_new(json, "value", value_to_json(one->value));
		if (one->problem)
			json_object_set_new(json, "problem", json_string(settings_problem_words(one->problem)));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *answer_json(struct session *session, const struct setting_answer *answer)
{
	bool hidden = answer->row->row->flags & SHOAL_SETTING_SENSITIVE;
	char allowed[ALLOWED_SIZE];
	json_t *json =
		json_pack("{s:s, s:s, s:I, s:b}", "name", answer->row->name, "from", settings_layer_name(answer->from),
			  "version", (json_int_t)answer->version, "sure", answer->sure);

	if (hidden)
		json_object_set_new(json, "hidden", json_true());
	else
		json_object_set_new(json, "value", value_to_json(answer->value));
	if (answer->problem)
		json_object_set_new(json, "problem", json_string(settings_problem_words(answer->problem)));
	allowed_text(answer->row, allowed);
	json_object_set_new(json, "takes", json_string(allowed));
	json_object_set_new(json, "layers", layers_json(session, answer));
	return json;
}

static void print_answer(struct session *session, const struct setting_answer *answer)
{
	struct setting_layer layers[SETTINGS_LAYER_COUNT];
	char text[SHOWN_SIZE], allowed[ALLOWED_SIZE];

	value_text(answer->row, answer->value, text, sizeof(text));
	printf("%s = %s  (%s)\n", answer->row->name, ctl_clean(text), settings_layer_name(answer->from));
	if (answer->problem)
		printf("  not usable: %s\n", settings_problem_words(answer->problem));
	if (strcmp(session->verb->name, "get") != 0)
		return;
	allowed_text(answer->row, allowed);
	printf("  %s\n", allowed);
	settings_layers(session->settings, &session->change.place, answer->row->name, layers);
	for (enum settings_layer layer = SETTINGS_DEFAULT; layer < SETTINGS_LAYER_COUNT; layer++) {
		char when[32] = "";

		if (layer != SETTINGS_DEFAULT && !layers[layer].allowed)
			continue;
		if (layers[layer].value)
			value_text(answer->row, layers[layer].value, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s",
				 layers[layer].problem ? settings_problem_words(layers[layer].problem) : "not set");
		if (layers[layer].version)
			time_text(layers[layer].changed_ms, when, sizeof(when));
		printf("  %-8s %s%s%s\n", settings_layer_name(layer), ctl_clean(text), when[0] ? "  " : "", when);
	}
}

/* --- the verbs ---------------------------------------------------------------------------------------------------- */

static void show_next(struct session *session);

static void on_answer(void *arg, const struct setting_answer *answer)
{
	struct session *session = arg;

	if (session->ended)
		return;
	if (!answer->sure) {
		end(session, ctl_fail(session->options, CTL_AWAY, "SHOAL_EOFFLINE",
				      "the database can't be asked; see shoalctl doctor"));
		return;
	}
	if (session->options->json)
		json_array_append_new(session->shown, answer_json(session, answer));
	else
		print_answer(session, answer);
	show_next(session);
}

static void show_next(struct session *session)
{
	const struct schema_row *row = NULL;

	if (strcmp(session->verb->name, "get") != 0)
		row = schemas_at(session->schemas, session->show_at++);
	if (row && settings_get(session->settings, &session->change.place, row->name, on_answer, session) == 0)
		return;
	if (session->options->json)
		ctl_print_json(strcmp(session->verb->name, "get") == 0 ? json_array_get(session->shown, 0)
								       : session->shown);
	end(session, CTL_OK);
}

static void run_show(struct session *session)
{
	session->shown = json_array();
	show_next(session);
}

static void run_get(struct session *session)
{
	session->shown = json_array();
	if (settings_get(session->settings, &session->change.place, session->words[0], on_answer, session) < 0)
		end(session, ctl_fail(session->options, CTL_FAILED, "ENOENT", NO_SUCH_SETTING));
}

static void on_changed(void *arg, const struct settings_outcome *outcome)
{
	struct session *session = arg;

	if (session->ended)
		return;
	if (outcome->error < 0) {
		const char *words = outcome->words;

		if (outcome->phrase == &phrase_SETTING_NONE)
			words = NO_SUCH_SETTING;
		end(session, ctl_fail(session->options, exit_of(outcome->error), error_name(outcome->error), words));
		return;
	}
	if (session->options->json)
		printf("{\"name\": \"%s\", \"version\": %" PRId64 ", \"told\": %s}\n", session->change.name,
		       outcome->version, bus_is_up(session->bus) ? "true" : "false");
	else
		printf("%s changed, version %" PRId64 "%s\n", session->change.name, outcome->version,
		       bus_is_up(session->bus) ? "" : "; NATS is off or away, so workers see it within a minute");
	end(session, CTL_OK);
}

static void run_set(struct session *session)
{
	const char *text = session->typed ? session->typed : session->words[1];
	char words[VALUE_ERROR_SIZE] =
		"the module that has this setting could not be asked; see shoal-shard --manifest";
	int r = ctl_module_settings_check(session->config, session->words[0], text, words);

	if (r < 0)
		end(session, ctl_fail(session->options, CTL_FAILED, error_name(r), words));
	else
		settings_set(session->settings, &session->change, text, on_changed, session);
}

static void run_reset(struct session *session)
{
	settings_reset(session->settings, &session->change, on_changed, session);
}

static void run_rollback(struct session *session)
{
	settings_rollback(session->settings, &session->change, strtoll(session->words[1], NULL, 10), on_changed,
			  session);
}

static void print_past(struct session *session, const struct setting_past *rows, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char when[32], by[32] = "operator";

		time_text(rows[i].at_ms, when, sizeof(when));
		if (rows[i].by)
			snprintf(by, sizeof(by), "%" PRIu64, rows[i].by);
		if (session->options->json)
			json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:b, s:s, s:s, s:I, s:s}", "name",
							      rows[i].name, "channel", (json_int_t)rows[i].channel_id,
							      "version", (json_int_t)rows[i].version, "set",
							      rows[i].set, "value", rows[i].shown, "by", by, "at_ms",
							      (json_int_t)rows[i].at_ms, "note", rows[i].note));
		else
			printf("%s  %-28s v%-4" PRId64 " %s  by %s%s%s\n", when, rows[i].name, rows[i].version,
			       ctl_clean(rows[i].shown), by, rows[i].note[0] ? "  " : "", ctl_clean(rows[i].note));
	}
	if (session->options->json)
		ctl_print_json(list);
	else if (count == 0)
		printf("nothing was changed\n");
	json_decref(list);
}

static void on_history(void *arg, int error, const char *words, const struct setting_past *rows, size_t count)
{
	struct session *session = arg;

	if (session->ended)
		return;
	if (error < 0) {
		end(session, ctl_fail(session->options, exit_of(error), error_name(error), words));
		return;
	}
	print_past(session, rows, count);
	end(session, CTL_OK);
}

static void run_history(struct session *session)
{
	settings_history(session->settings, session->change.layer, &session->change.place,
			 session->word_count ? session->words[0] : NULL, SETTINGS_HISTORY_MAX, SHOAL_ENGLISH,
			 on_history, session);
}

static const struct config_verb config_verbs[] = {
	{ "show", 0, 0, run_show, "show" },
	{ "get", 1, 1, run_get, "get NAME" },
	{ "set", 2, 2, run_set, "set NAME VALUE   (- reads the value from standard input)" },
	{ "reset", 1, 1, run_reset, "reset NAME" },
	{ "history", 0, 1, run_history, "history [NAME]" },
	{ "rollback", 2, 2, run_rollback, "rollback NAME VERSION" },
};

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static void begin(struct session *session)
{
	if (session->begun || session->ended)
		return;
	session->begun = true;
	session->verb->run(session);
}

static void on_bus_up(void *arg)
{
	begin(arg);
}

static void on_bus_late(uv_timer_t *timer)
{
	begin(timer->data);
}

static bool parse_id(const char *text, uint64_t *ret_id)
{
	char *end_at;

	errno = 0;
	*ret_id = strtoull(text, &end_at, 10);
	return *text >= '0' && *text <= '9' && !errno && !*end_at && *ret_id > 0 && *ret_id <= INT64_MAX;
}

/* --guild, --channel, --user with their ids are taken out of the words. */
static bool take_place(int *argc, char **argv, struct settings_change *change)
{
	struct {
		const char *flag;
		uint64_t *id;
	} flags[] = { { "--guild", &change->place.guild_id },
		      { "--channel", &change->place.channel_id },
		      { "--user", &change->place.user_id } };
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		size_t at = 0;

		while (at < ARRAY_SIZE(flags) && strcmp(argv[i], flags[at].flag) != 0)
			at++;
		if (at == ARRAY_SIZE(flags))
			argv[kept++] = argv[i];
		else if (++i >= *argc || !parse_id(argv[i], flags[at].id))
			return false;
	}
	*argc = kept;
	change->layer = change->place.user_id      ? SETTINGS_USER
			: change->place.channel_id ? SETTINGS_CHANNEL
			: change->place.guild_id   ? SETTINGS_GUILD
						   : SETTINGS_GLOBAL;
	return !(change->place.channel_id && !change->place.guild_id);
}

static const struct config_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_verbs); i++)
		if (strcmp(config_verbs[i].name, name) == 0)
			return &config_verbs[i];
	return NULL;
}

/* A secret belongs neither into a command line nor into a shell's history. */
static int read_typed(struct session *session)
{
	ssize_t len, n;

	if (session->verb->run != run_set || strcmp(session->words[1], "-") != 0)
		return 0;
	session->typed = calloc(1, SHOAL_SETTING_TEXT_MAX + 2);
	if (!session->typed)
		return -ENOMEM;
	for (len = 0; len <= SHOAL_SETTING_TEXT_MAX; len += n) {
		n = read(STDIN_FILENO, session->typed + len, (size_t)(SHOAL_SETTING_TEXT_MAX + 1 - len));
		if (n <= 0)
			break;
	}
	if (len > 0 && session->typed[len - 1] == '\n')
		session->typed[len - 1] = '\0';
	return 0;
}

static int start_parts(struct session *session, const struct config *config)
{
	static const struct bus_events bus_events = { .up = on_bus_up };
	static const struct db_events db_events = { 0 };
	struct bus_options bus = { .url = config->nats_url,
				   .cluster = config->supervisor_cluster,
				   .name = "shoalctl config",
				   .sender = BUS_SENDER_NONE };
	struct db_options db = { .conninfo = config->postgres_conninfo,
				 .read_conninfo = "",
				 .application_name = "shoalctl config",
				 .version = shoal_version,
				 .prepared = false,
				 .connections = 1,
				 .connect_timeout_ms = config->postgres_connect_timeout_ms,
				 .statement_timeout_ms = config->postgres_statement_timeout_ms };
	struct settings_options options = { .loop = &session->loop, .schemas = session->schemas };
	int r = bus_new(&session->loop, &bus, &bus_events, session, &session->bus);

	if (r == 0)
		r = db_new(&session->loop, &db, &db_events, session, &session->db);
	options.db = session->db;
	options.bus = session->bus;
	if (r == 0)
		r = settings_new(&options, &session->settings);
	if (r < 0)
		return r;
	return bus_is_on(session->bus) ? bus_start(session->bus) : 0;
}

static int take_keys(struct session *session, const struct config *config)
{
	CLEANUP(key_file_wipe) char *text = NULL;
	char problem[KEY_FILE_PROBLEM_SIZE], error[KEYRING_ERROR_SIZE] = "";
	struct keyring *ring = NULL;
	int r = key_file_read(config->secrets_key_file, &text, problem);

	if (r == 0)
		r = keyring_parse(text, &ring, error);
	if (r < 0 && r != -ENOENT)
		fprintf(stderr, "shoalctl: secrets.key_file: %s; encrypted settings are refused\n",
			error[0] ? error : problem);
	settings_set_keys(session->settings, ring);
	return 0;
}

static int set_defaults(struct session *session, const struct config *config)
{
	char days[16], error[VALUE_ERROR_SIZE];
	int r = schemas_new(&session->schemas);

	snprintf(days, sizeof(days), "%u", config->privacy_history_days);
	if (r == 0)
		r = schema_core_add(session->schemas);
	if (r == 0)
		r = ctl_module_settings_add(config, session->schemas);
	if (r == 0)
		r = schemas_set_default(session->schemas, SETTING_PREFIX, config->commands_prefix, error);
	return r == 0 ? schemas_set_default(session->schemas, SETTING_HISTORY_DAYS, days, error) : r;
}

static int run(struct session *session, const struct config *config)
{
	int r = loop_init(&session->loop);

	if (r < 0)
		return ctl_fail(session->options, CTL_FAILED, error_name(r), error_text(r));
	r = set_defaults(session, config);
	if (r == 0)
		r = start_parts(session, config);
	if (r == 0)
		r = take_keys(session, config);
	if (r < 0)
		return ctl_fail(session->options, CTL_CONFIG, error_name(r), error_text(r));
	uv_timer_init(&session->loop.uv, &session->deadline);
	uv_timer_init(&session->loop.uv, &session->bus_wait);
	session->deadline.data = session->bus_wait.data = session;
	uv_timer_start(&session->deadline, on_deadline,
		       session->options->timeout_given ? session->options->timeout_ms : DEADLINE_MS, 0);
	uv_timer_start(&session->bus_wait, on_bus_late, bus_is_on(session->bus) ? BUS_WAIT_MS : 0, 0);
	loop_run(&session->loop);
	uv_close((uv_handle_t *)&session->deadline, NULL);
	uv_close((uv_handle_t *)&session->bus_wait, NULL);
	loop_finish(&session->loop);
	return session->exit;
}

static int usage(void)
{
	fprintf(stderr, "shoalctl: config: wants one of\n");
	for (size_t i = 0; i < ARRAY_SIZE(config_verbs); i++)
		fprintf(stderr, "  config %s\n", config_verbs[i].usage);
	fprintf(stderr, "with [--guild ID [--channel ID]] or [--user ID]; else it is about all servers\n");
	return CTL_USAGE;
}

int ctl_config(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(config_freep) struct config *own = NULL;
	const struct config *config = ctl_database_config(options, &own);
	const struct log_options quiet = {
		.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_HUMAN, .program = "shoalctl", .fd = 2
	};
	struct session session = { .options = options, .config = config };
	char host[64] = "?";
	int r;

	argc--;
	argv++;
	session.verb = argc > 0 ? find_verb(argv[0]) : NULL;
	argc--;
	argv++;
	if (!session.verb || !take_place(&argc, argv, &session.change) || argc < session.verb->least ||
	    argc > session.verb->most)
		return usage();
	if (!config)
		return ctl_fail(options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL");
	log_setup(&quiet);
	session.words = argv;
	session.word_count = argc;
	if (argc > 0)
		session.change.name = argv[0];
	gethostname(host, sizeof(host) - 1);
	snprintf(session.note, sizeof(session.note), "shoalctl, uid %u on %.60s", (unsigned int)getuid(), host);
	session.change.note = session.note;
	r = read_typed(&session);
	r = r < 0 ? CTL_FAILED : run(&session, config);
	settings_free(session.settings);
	schemas_free(session.schemas);
	json_decref(session.shown);
	key_file_wipe(&session.typed);
	return r;
}
