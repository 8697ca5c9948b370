/* The table of options. A row is a flag, a line of --help and, when it may change while running, a key of POST /set. */
#include "tests/sim/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/events.h"
#include "tests/sim/util.h"

struct options options;

enum kind { KIND_TEXT, KIND_U64, KIND_BOOL, KIND_INTENTS, KIND_KEEP };

struct option_row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *initial;
	bool live; /* POST /set may change it */
	const char *arg;
	const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
	{ "listen", KIND_TEXT, AT(listen), "127.0.0.1:0", false, "ADDR:PORT",
	  "REST and gateway, one port (0: any free one)" },
	{ "control", KIND_TEXT, AT(control), "127.0.0.1:0", false, "ADDR:PORT", "control API, JSON over HTTP" },
	{ "tls-cert", KIND_TEXT, AT(tls_cert), "", false, "FILE",
	  "certificate chain (PEM): --listen then speaks https/wss" },
	{ "tls-key", KIND_TEXT, AT(tls_key), "", false, "FILE", "its private key (PEM)" },
	{ "advertise-host", KIND_TEXT, AT(advertise_host), "", false, "NAME",
	  "host name in the URLs handed out (default: the address of --listen)" },
	{ "token", KIND_TEXT, AT(token), "sim-token", false, "TEXT", "the bot token that is right" },
	{ "application-id", KIND_U64, AT(application_id), "1348207187591299079", false, "ID",
	  "application and bot user id" },
	{ "shards", KIND_U64, AT(shards), "1", true, "N", "recommended shard count of GET /gateway/bot" },
	{ "shard-multiple", KIND_U64, AT(shard_multiple), "0", true, "N",
	  "large bot: a shard count must be a multiple of N (else 4010); 0: off" },
	{ "max-concurrency", KIND_U64, AT(max_concurrency), "1", true, "N", "identify buckets" },
	{ "identify-window-ms", KIND_U64, AT(identify_window_ms), "5000", true, "MS",
	  "spacing of identifies in one bucket" },
	{ "session-total", KIND_U64, AT(session_total), "1000", true, "N", "session starts a day" },
	{ "session-remaining", KIND_U64, AT(session_remaining), "1000", true, "N", "session starts left" },
	{ "session-reset-after-s", KIND_U64, AT(session_reset_after_s), "86400", true, "S",
	  "seconds until the starts are full again" },
	{ "guilds", KIND_U64, AT(guilds), "0", false, "N", "guilds in all" },
	{ "guilds-per-shard", KIND_U64, AT(guilds_per_shard), "0", false, "N",
	  "guilds per recommended shard (instead of --guilds)" },
	{ "channels", KIND_U64, AT(channels), "20", false, "N", "channels a guild (1..500)" },
	{ "roles", KIND_U64, AT(roles), "10", false, "N", "roles a guild, @everyone among them (2..250)" },
	{ "members", KIND_U64, AT(members), "50", false, "N", "members a guild, the bot not counted (1..4000)" },
	{ "guild-bytes", KIND_U64, AT(guild_bytes), "8192", false, "N", "least size of a GUILD_CREATE's d" },
	{ "granted-intents", KIND_INTENTS, AT(granted_intents), "all", true, "MASK|all|unprivileged",
	  "intents the application may ask for" },
	{ "heartbeat-interval-ms", KIND_U64, AT(heartbeat_interval_ms), "41250", true, "MS",
	  "heartbeat_interval of HELLO" },
	{ "resume-keep", KIND_KEEP, AT(resume_keep), "all", true, "all|acked|unwritten",
	  "what RESUME replays: everything after the client's seq; what came after the last heartbeated seq; only what "
	  "was never written" },
	{ "resume-window-s", KIND_U64, AT(resume_window_s), "180", true, "S",
	  "how long a disconnected session can be resumed" },
	{ "replay-max", KIND_U64, AT(replay_max), "65536", true, "N", "events kept a session for RESUME" },
	{ "seq-start", KIND_U64, AT(seq_start), "0", true, "N",
	  "a new session counts on from here (64-bit sequences)" },
	{ "seq-gaps", KIND_BOOL, AT(seq_gaps), "off", true, "", "now and then skip a sequence number" },
	{ "shuffle-keys", KIND_BOOL, AT(shuffle_keys), "off", true, "",
	  "every other dispatch has d before t, s and op, and a key nobody knows" },
	{ "traffic", KIND_U64, AT(traffic), "0", true, "N", "generated member traffic, events/s over all guilds" },
	{ "rest-limits", KIND_BOOL, AT(rest_limits), "on", true, "", "enforce per-route buckets and the global limit" },
	{ "zlib-level", KIND_U64, AT(zlib_level), "1", true, "1..9", "zlib-stream level of new connections" },
	{ "zstd-level", KIND_U64, AT(zstd_level), "1", true, "1..19", "zstd-stream level of new connections" },
	{ "zstd-frame-per-message", KIND_BOOL, AT(zstd_frame_per_message), "off", true, "",
	  "end the zstd frame after every message" },
	{ "guild-template", KIND_BOOL, AT(guild_template), "on", true, "",
	  "zlib-stream: GUILD_CREATE from a pre-compressed template" },
	{ "http2", KIND_BOOL, AT(http2), "on", false, "", "offer HTTP/2 by ALPN when TLS is on" },
	{ "ledger-max", KIND_U64, AT(ledger_max), "1000000", false, "N", "entries the ledger keeps" },
	{ "replay", KIND_TEXT, AT(replay), "", false, "FILE",
	  "play a recording of a flight recorder (shoal's state_dir/flight) once the shard is there" },
	{ "record", KIND_TEXT, AT(record), "", false, "FILE", "append every REST request as a JSON line" },
	{ "seed", KIND_U64, AT(seed), "1", false, "N", "seed of the pseudo-random numbers" },
	{ "log-level", KIND_TEXT, AT(log_level), "warn", false, "debug|info|warn|error", "what goes to stderr" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool parse_u64(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return text[0] >= '0' && text[0] <= '9' && !errno && !*end;
}

static bool parse_bool(const char *text, bool *ret)
{
	*ret = !strcmp(text, "on") || !strcmp(text, "true") || !strcmp(text, "1") || !text[0];
	return *ret || !strcmp(text, "off") || !strcmp(text, "false") || !strcmp(text, "0");
}

static bool parse_intents(const char *text, uint64_t *ret)
{
	if (!strcmp(text, "all"))
		*ret = INTENTS_ALL;
	else if (!strcmp(text, "unprivileged"))
		*ret = INTENTS_ALL & ~INTENTS_PRIVILEGED;
	else
		return parse_u64(text, ret);
	return true;
}

static const char *const keep_names[] = { "all", "acked", "unwritten" };

static bool parse_keep(const char *text, uint64_t *ret)
{
	for (uint64_t i = 0; i < 3; i++) {
		if (!strcmp(text, keep_names[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool assign(const struct option_row *row, const char *text)
{
	void *at = (char *)&options + row->offset;

	switch (row->kind) {
	case KIND_TEXT:
		free(*(char **)at);
		*(char **)at = strdup(text);
		return *(char **)at;
	case KIND_U64:
		return parse_u64(text, at);
	case KIND_BOOL:
		return parse_bool(text, at);
	case KIND_INTENTS:
		return parse_intents(text, at);
	case KIND_KEEP:
		return parse_keep(text, at);
	}
	return false;
}

static const struct option_row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++) {
		size_t k = 0;

		/* session_remaining and session-remaining are the same key */
		while (k < len && (rows[i].name[k] == name[k] || (rows[i].name[k] == '-' && name[k] == '_')))
			k++;
		if (k == len && !rows[i].name[k])
			return &rows[i];
	}
	return NULL;
}

static void help(void)
{
	puts("usage: discord-sim [--option VALUE | --option=VALUE]...\n"
	     "A Discord to test bots against: REST, gateway, and a control API that says what happens.\n"
	     "Prints one JSON line with its URLs on stdout when it is ready. GET /help on the control URL lists its "
	     "verbs.\n");
	for (size_t i = 0; i < ROWS; i++)
		printf("  --%s %s\n        %s (default %s)\n", rows[i].name, rows[i].arg, rows[i].help,
		       rows[i].initial[0] ? rows[i].initial : "none");
}

static const char *range_error(void)
{
	if (options.channels < 1 || options.channels > 500)
		return "--channels: 1..500";
	if (options.roles < 2 || options.roles > 250)
		return "--roles: 2..250";
	if (options.members < 1 || options.members > 4000)
		return "--members: 1..4000";
	if (options.guild_bytes > 4 << 20)
		return "--guild-bytes: at most 4 MiB";
	if (!options.shards || !options.max_concurrency || !options.application_id || !options.replay_max)
		return "--shards, --max-concurrency, --application-id, --replay-max: not 0";
	if (!options.heartbeat_interval_ms || options.heartbeat_interval_ms > 86400000)
		return "--heartbeat-interval-ms: 1..86400000";
	if (options.zlib_level < 1 || options.zlib_level > 9 || options.zstd_level < 1 || options.zstd_level > 19)
		return "--zlib-level: 1..9, --zstd-level: 1..19";
	if (options.guilds > 100000000 || options.guilds_per_shard > 1000000)
		return "--guilds: at most 100000000";
	if (!options.tls_cert[0] != !options.tls_key[0])
		return "--tls-cert and --tls-key go together";
	return NULL;
}

int options_parse(int argc, char **argv)
{
	const char *error;

	for (size_t i = 0; i < ROWS; i++) {
		if (!assign(&rows[i], rows[i].initial))
			return -ENOMEM;
	}
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i] + 2, *equals = strchr(argv[i], '='), *value;
		const struct option_row *row;

		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help();
			return 1;
		}
		row = strncmp(argv[i], "--", 2) ? NULL : find(name, equals ? (size_t)(equals - name) : strlen(name));
		if (!row) {
			fprintf(stderr, "discord-sim: unknown option '%s' (see --help)\n", argv[i]);
			return -EINVAL;
		}
		if (equals)
			value = equals + 1;
		else if (row->kind == KIND_BOOL && (i + 1 >= argc || argv[i + 1][0] == '-'))
			value = "on";
		else
			value = i + 1 < argc ? argv[++i] : NULL;
		if (!value || !assign(row, value)) {
			fprintf(stderr, "discord-sim: --%s: '%s' is not %s\n", row->name, value ? value : "(nothing)",
				row->arg[0] ? row->arg : "on or off");
			return -EINVAL;
		}
	}
	error = range_error();
	if (error)
		fprintf(stderr, "discord-sim: %s\n", error);
	return error ? -EINVAL : 0;
}

const char *options_set(const char *name, const json_t *value)
{
	const struct option_row *row = find(name, strlen(name));
	struct options before = options;
	const char *error;
	char text[32];

	if (!row)
		return "no such option";
	if (!row->live)
		return "this option is fixed at start";
	if (json_is_string(value))
		error = assign(row, json_string_value(value)) ? range_error() : "bad value";
	else if (json_is_integer(value) && json_integer_value(value) >= 0) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		error = assign(row, text) ? range_error() : "bad value";
	} else if (json_is_boolean(value))
		error = assign(row, json_is_true(value) ? "1" : "0") ? range_error() : "bad value";
	else
		error = "value must be a string, a number that is not negative, or a boolean";
	if (error)
		options = before;
	return error;
}

json_t *options_json(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ROWS; i++) {
		void *at = (char *)&options + rows[i].offset;
		json_t *value;

		if (!strcmp(rows[i].name, "token"))
			continue;
		if (rows[i].kind == KIND_TEXT)
			value = json_string(*(char **)at);
		else if (rows[i].kind == KIND_BOOL)
			value = json_boolean(*(bool *)at);
		else if (rows[i].kind == KIND_KEEP)
			value = json_string(keep_names[*(uint64_t *)at]);
		else
			value = json_integer((json_int_t) * (uint64_t *)at);
		json_object_set_new(all, rows[i].name, value);
	}
	return all;
}

uint64_t options_guild_count(void)
{
	return options.guilds_per_shard ? options.guilds_per_shard * options.shards : options.guilds;
}
