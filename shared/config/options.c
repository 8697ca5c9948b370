/* The one table of options, from which everything that speaks of configuration is made. Start-up and reload only.
 * Knows how one value is read, checked and written; not where values come from. */
#include "shared/config/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"

#define AT(member_) offsetof(struct config, member_)
#define R           OPTION_RELOADABLE

/* key, kind, where, default, min, max, flags, choices or the word for min, well-known environment name, help */
const struct config_option config_options[] = {
	{ "discord.token", OPTION_STR, AT(discord_token), "", 0, 4096, OPTION_SECRET, NULL, "DISCORD_TOKEN",
	  "the bot's token; better given by token_file, the environment, or a systemd credential discord-token" },
	{ "discord.token_file", OPTION_STR, AT(discord_token_file), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "file that holds the token and nothing else" },
	{ "discord.api_base", OPTION_STR, AT(discord_api_base), "https://discord.com/api/v10", 1, 512, 0, NULL, NULL,
	  "where Discord's REST API is" },
	{ "discord.gateway_url", OPTION_STR, AT(discord_gateway_url), "", 0, 255, 0, NULL, NULL,
	  "gateway to connect to (ws:// or wss://); empty: as GET /gateway/bot says" },
	{ "discord.ca_file", OPTION_STR, AT(discord_ca_file), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "certificates to trust for Discord; empty: the system's" },
	{ "discord.compress", OPTION_CHOICE, AT(discord_compress), "zlib-stream", 0, 0, 0,
	  "zlib-stream|zstd-stream|none", NULL,
	  "how the gateway's stream is packed: zlib-stream takes 40 KB a shard, zstd-stream 1 to 2.5 MB" },
	{ "discord.intents", OPTION_STR, AT(discord_intents), "auto", 1, 1024, 0, NULL, NULL,
	  "auto: what the loaded modules need; else a number, or names joined by commas" },
	{ "discord.shard_count", OPTION_U32, AT(discord_shard_count), "auto", 0, 16384, 0, "auto", NULL,
	  "shards of the whole bot" },
	{ "discord.operators", OPTION_STR, AT(discord_operators), "", 0, 1024, 0, NULL, NULL,
	  "ids of the users who run this bot, joined by commas: commands of the level operator are theirs alone" },

	{ "supervisor.runtime_dir", OPTION_STR, AT(supervisor_runtime_dir), "/run/shoal", 1, 90, OPTION_PATH, NULL,
	  NULL, "boards and the control socket, on tmpfs; short, because a socket's path is" },
	{ "supervisor.state_dir", OPTION_STR, AT(supervisor_state_dir), "/var/lib/shoal", 1, 4000, OPTION_PATH, NULL,
	  NULL, "what must survive a reboot" },
	{ "supervisor.cluster", OPTION_STR, AT(supervisor_cluster), "default", 1, 64, 0, NULL, NULL,
	  "hosts of the same cluster name share one bot" },
	{ "supervisor.host_id", OPTION_STR, AT(supervisor_host_id), "", 0, 64, 0, NULL, NULL,
	  "this host's name in the cluster; empty: its hostname" },
	{ "supervisor.http_listen", OPTION_STR, AT(supervisor_http_listen), "127.0.0.1:9470", 0, 128, 0, NULL, NULL,
	  "address:port of health and metrics; empty: off" },
	{ "supervisor.watchdog_timeout_ms", OPTION_U32, AT(supervisor_watchdog_timeout_ms), "10000", 500, 600000, R,
	  NULL, NULL, "a worker whose loop stands still for this long is restarted" },
	{ "supervisor.orphan_timeout_s", OPTION_U32, AT(supervisor_orphan_timeout_s), "120", 1, 86400, R, NULL, NULL,
	  "a worker without a supervisor leaves by itself after this long" },
	{ "supervisor.worker", OPTION_STR, AT(supervisor_worker), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "the shoal-shard to run; empty: the one beside shoald" },
	{ "supervisor.restart_floor_ms", OPTION_U32, AT(supervisor_restart_floor_ms), "20", 0, 60000, R, NULL, NULL,
	  "a worker that died is started again after this long at first" },
	{ "supervisor.restart_cap_ms", OPTION_U32, AT(supervisor_restart_cap_ms), "30000", 1, 3600000, R, NULL, NULL,
	  "and after this long at most, when it keeps dying" },
	{ "supervisor.restart_burst", OPTION_U32, AT(supervisor_restart_burst), "10", 1, 100000, R, NULL, NULL,
	  "more deaths than this within restart_window_s mark a shard as failing" },
	{ "supervisor.restart_window_s", OPTION_U32, AT(supervisor_restart_window_s), "60", 1, 86400, R, NULL, NULL,
	  "see restart_burst" },
	{ "supervisor.stable_s", OPTION_U32, AT(supervisor_stable_s), "30", 1, 86400, R, NULL, NULL,
	  "a worker that lived this long begins again at restart_floor_ms" },
	{ "supervisor.identify_reserve", OPTION_U32, AT(supervisor_identify_reserve), "10", 0, 100000, R, NULL, NULL,
	  "session starts of the day that are never spent without being asked" },
	{ "supervisor.stop_timeout_ms", OPTION_U32, AT(supervisor_stop_timeout_ms), "10000", 100, 600000, R, NULL, NULL,
	  "workers that did not stop after this long are killed" },

	{ "gateway.hello_timeout_ms", OPTION_U32, AT(gateway_hello_timeout_ms), "20000", 100, 600000, R, NULL, NULL,
	  "longest wait for HELLO on a new connection" },
	{ "gateway.connect_timeout_ms", OPTION_U32, AT(gateway_connect_timeout_ms), "10000", 100, 600000, R, NULL, NULL,
	  "longest wait for a connection with TLS and WebSocket" },
	{ "gateway.zombie_grace_ms", OPTION_U32, AT(gateway_zombie_grace_ms), "5000", 0, 60000, R, NULL, NULL,
	  "extra wait before an unacknowledged heartbeat means a dead link" },
	{ "gateway.backoff_floor_ms", OPTION_U32, AT(gateway_backoff_floor_ms), "250", 1, 600000, R, NULL, NULL,
	  "first wait before connecting again" },
	{ "gateway.backoff_cap_ms", OPTION_U32, AT(gateway_backoff_cap_ms), "60000", 1, 3600000, R, NULL, NULL,
	  "longest wait before connecting again" },
	{ "gateway.resume_attempts", OPTION_U32, AT(gateway_resume_attempts), "5", 0, 1000, R, NULL, NULL,
	  "RESUMEs that may fail before a session start is spent" },
	{ "gateway.max_frame_kib", OPTION_U32, AT(gateway_max_frame_kib), "16384", 64, 1048576, R, NULL, NULL,
	  "largest WebSocket message taken, in KiB" },
	{ "gateway.max_payload_kib", OPTION_U32, AT(gateway_max_payload_kib), "65536", 64, 1048576, R, NULL, NULL,
	  "largest payload after unpacking, in KiB" },
	{ "gateway.ready_quiet_ms", OPTION_U32, AT(gateway_ready_quiet_ms), "5000", 1, 600000, R, NULL, NULL,
	  "a shard whose guild list is quiet for this long counts as ready" },
	{ "gateway.silence_probe_s", OPTION_U32, AT(gateway_silence_probe_s), "90", 0, 86400, R, "off", NULL,
	  "a session without a dispatch for so long is asked for the bot's own member, to see that it delivers" },
	{ "gateway.silence_answer_ms", OPTION_U32, AT(gateway_silence_answer_ms), "10000", 100, 600000, R, NULL, NULL,
	  "and is left for a new connection when nothing has come after this long" },
	{ "gateway.resume_quiet_ms", OPTION_U32, AT(gateway_resume_quiet_ms), "60000", 100, 600000, R, NULL, NULL,
	  "a RESUME that brings nothing for so long has failed; see resume_attempts" },

	{ "inbox.ring_kib", OPTION_U32, AT(inbox_ring_kib), "1024", 64, 65536, 0, NULL, NULL,
	  "room a shard for dispatches from before they count until they are handled; a shard's inbox keeps its size" },
	{ "inbox.guild_open_tickets", OPTION_U32, AT(inbox_guild_open_tickets), "64", 1, 65536, 0, NULL, NULL,
	  "events of one guild that may be handled at the same time; the rest of its events wait" },
	{ "inbox.parked_max_mib", OPTION_U32, AT(inbox_parked_max_mib), "64", 1, 65536, 0, NULL, NULL,
	  "room a shard, in the runtime directory, for events that had to leave the inbox and are not on disk yet" },
	{ "inbox.shed_percent", OPTION_U32, AT(inbox_shed_percent), "75", 0, 100, 0, "never", NULL,
	  "use of the inbox from which on typing and presence events are dropped; all others are parked when it is "
	  "full" },

	{ "parked.max_mib", OPTION_U32, AT(parked_max_mib), "256", 1, 65536, 0, NULL, NULL,
	  "room a shard, in supervisor.state_dir, for parked events and dead letters; half of it for the latter" },
	{ "parked.max_age_days", OPTION_U32, AT(parked_max_age_days), "14", 1, 3650, 0, NULL, NULL,
	  "parked events and dead letters older than this are removed, and said to be" },

	{ "flight.keep", OPTION_U32, AT(flight_keep), "16", 0, 1000, 0, "off", NULL,
	  "recordings of crashed workers' last events kept in supervisor.state_dir/flight, for discord-sim --replay" },
	{ "flight.max_mib", OPTION_U32, AT(flight_max_mib), "64", 1, 65536, 0, NULL, NULL,
	  "the most that these recordings may take together" },

	{ "cache.max_mib", OPTION_U32, AT(cache_max_mib), "128", 4, 65536, 0, NULL, NULL,
	  "the most that a shard's guild cache may take in the runtime directory; it takes about 2.3 KB a guild" },
	{ "cache.refill_per_s", OPTION_U32, AT(cache_refill_per_s), "5", 1, 1000, R, NULL, NULL,
	  "REST requests a second and shard for guilds that the cache does not know (after damage); one takes four" },

	{ "effects.journal_max_mib", OPTION_U32, AT(effects_journal_max_mib), "64", 1, 65536, 0, NULL, NULL,
	  "room a shard for what is remembered of effects, so that none is done twice after a crash" },

	{ "jobs.open_max", OPTION_U32, AT(jobs_open_max), "64", 1, 4096, 0, NULL, NULL,
	  "runs of jobs (reminders, ends of polls, recurring work) that a shard has under way at a time" },
	{ "jobs.guild_open_max", OPTION_U32, AT(jobs_guild_open_max), "8", 1, 4096, 0, NULL, NULL,
	  "of these, of one server" },
	{ "jobs.look_s", OPTION_U32, AT(jobs_look_s), "10", 1, 25, 0, NULL, NULL,
	  "a shard asks PostgreSQL this often which jobs are due within the next 30 s" },

	{ "modules.load", OPTION_STR, AT(modules_load), "*", 0, 1023, 0, NULL, NULL,
	  "modules that are loaded, by name, joined by commas; *: all that lie in modules.dir; empty: only what is "
	  "built in" },
	{ "modules.dir", OPTION_STR, AT(modules_dir), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "where NAME.so is looked for; empty: modules beside shoal-shard, else ../lib/shoal/modules from there" },
	{ "modules.default", OPTION_STR, AT(modules_default), "*", 0, 1023, 0, NULL, NULL,
	  "modules that are on in a server whose admins have not said otherwise (/module), by name, joined by commas; "
	  "*: all; -NAME: not this one" },
	{ "modules.http_private", OPTION_BOOL, AT(modules_http_private), "no", 0, 0, 0, NULL, NULL,
	  "modules may ask private and local addresses by HTTP: what runs on this machine and beside it" },
	{ "modules.slow_ms", OPTION_U32, AT(modules_slow_ms), "100", 0, 60000, 0, "off", NULL,
	  "a call into a module that takes longer is named in the log and counted: the whole shard waits for it" },
	{ "modules.held_s", OPTION_U32, AT(modules_held_s), "60", 1, 86400, 0, NULL, NULL,
	  "an event or a command that a module holds for longer is told of: log, alert; a release may be missing" },
	{ "modules.memory_mib", OPTION_U32, AT(modules_memory_mib), "64", 0, 1048576, 0, "off", NULL,
	  "MiB from shoal_alloc() past which a module is told of: log, alert" },
	{ "modules.breaker_crashes", OPTION_U32, AT(modules_breaker_crashes), "3", 0, 1000, 0, "off", NULL,
	  "crashes of a worker in a module's code, within the window, that switch the module off on that shard" },
	{ "modules.breaker_window_s", OPTION_U32, AT(modules_breaker_window_s), "600", 1, 86400, 0, NULL, NULL,
	  "the window; a module that was tried again and did not crash for so long is well again" },
	{ "modules.breaker_retry_s", OPTION_U32, AT(modules_breaker_retry_s), "60", 1, 86400, 0, NULL, NULL,
	  "after so long a module that was switched off is tried again; twice as long each further time" },
	{ "modules.breaker_retry_cap_s", OPTION_U32, AT(modules_breaker_retry_cap_s), "3600", 1, 604800, 0, NULL, NULL,
	  "and at most after so long" },

	{ "outbox.max_mib", OPTION_U32, AT(outbox_max_mib), "16", 1, 4096, 0, NULL, NULL,
	  "room a shard in supervisor.state_dir for writes that wait for PostgreSQL; made when first needed" },
	{ "outbox.max_entries", OPTION_U32, AT(outbox_max_entries), "10000", 16, 1000000, 0, NULL, NULL,
	  "the most writes of a shard that wait or are set aside; more are refused, which members are told" },
	{ "outbox.dead_keep_days", OPTION_U32, AT(outbox_dead_keep_days), "30", 1, 3650, 0, NULL, NULL,
	  "writes that the database refused for good are dropped after so long (shoalctl outbox list)" },

	{ "rest.global_per_s", OPTION_U32, AT(rest_global_per_s), "50", 1, 100000, R, NULL, NULL,
	  "REST requests a second over all processes of this host" },
	{ "rest.timeout_ms", OPTION_U32, AT(rest_timeout_ms), "15000", 100, 600000, R, NULL, NULL,
	  "longest wait for one REST answer" },
	{ "rest.invalid_limit", OPTION_U32, AT(rest_invalid_limit), "8000", 10, 10000, R, NULL, NULL,
	  "401, 403 and 429 answers in ten minutes at which shoal stops by itself; Discord bans at 10000" },

	{ "nats.url", OPTION_STR, AT(nats_url), "", 0, 1024, OPTION_SECRET, NULL, "NATS_URL",
	  "nats://host:port, several joined by commas; empty: cross-shard features are off" },
	{ "nats.url_file", OPTION_STR, AT(nats_url_file), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "file that holds the url and nothing else; so does a systemd credential nats-url" },

	{ "postgres.conninfo", OPTION_STR, AT(postgres_conninfo), "", 0, 2048, OPTION_SECRET, NULL, "DATABASE_URL",
	  "libpq conninfo or postgresql:// URL, several hosts allowed; empty: what needs a database is off" },
	{ "postgres.conninfo_file", OPTION_STR, AT(postgres_conninfo_file), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "file that holds the conninfo and nothing else; so does a systemd credential postgres-conninfo" },
	{ "postgres.read_conninfo", OPTION_STR, AT(postgres_read_conninfo), "", 0, 2048, OPTION_SECRET, NULL, NULL,
	  "a standby for admins' questions; empty: the same as conninfo" },
	{ "postgres.read_conninfo_file", OPTION_STR, AT(postgres_read_conninfo_file), "", 0, 4095, OPTION_PATH, NULL,
	  NULL, "file that holds the read_conninfo; so does a systemd credential postgres-read-conninfo" },
	{ "postgres.prepared", OPTION_BOOL, AT(postgres_prepared), "yes", 0, 0, 0, NULL, NULL,
	  "use named statements; no behind a pgbouncer in transaction mode" },
	{ "postgres.connections", OPTION_U32, AT(postgres_connections), "2", 1, 64, R, NULL, NULL,
	  "connections a worker may open, when it needs them" },
	{ "postgres.connect_timeout_ms", OPTION_U32, AT(postgres_connect_timeout_ms), "5000", 100, 600000, R, NULL,
	  NULL, "longest wait for a connection" },
	{ "postgres.statement_timeout_ms", OPTION_U32, AT(postgres_statement_timeout_ms), "5000", 10, 600000, R, NULL,
	  NULL, "longest wait for a statement" },
	{ "postgres.idle_close_s", OPTION_U32, AT(postgres_idle_close_s), "60", 1, 86400, R, NULL, NULL,
	  "a connection without work is closed after this long" },

	{ "secrets.key_file", OPTION_STR, AT(secrets_key_file), "", 0, 4095, OPTION_PATH, NULL, NULL,
	  "keys that encrypt what is stored of secrets (shoalctl keys new makes it); so does a systemd credential "
	  "secrets-keys" },

	{ "privacy.history_days", OPTION_U32, AT(privacy_history_days), "365", 1, 36500, 0, NULL, NULL,
	  "the history of settings is kept this long; a server may choose a shorter time" },
	{ "privacy.guild_keep_days", OPTION_U32, AT(privacy_guild_keep_days), "30", 0, 3650, 0, NULL, NULL,
	  "what is kept of a server is removed so long after the bot was removed from it" },
	{ "privacy.job_interval_s", OPTION_U32, AT(privacy_job_interval_s), "3600", 1, 604800, 0, NULL, NULL,
	  "how often one worker of the fleet removes what is too old" },

	{ "commands.prefix", OPTION_STR, AT(commands_prefix), "!", 1, 16, R, NULL, NULL,
	  "prefix of commands in messages, where a guild has set none" },
	{ "commands.sync", OPTION_BOOL, AT(commands_sync), "yes", 0, 0, R, NULL, NULL,
	  "register the commands with Discord when they have changed" },
	{ "commands.guilds", OPTION_STR, AT(commands_guilds), "", 0, 1400, 0, NULL, NULL,
	  "for development: ids of servers, joined by commas, where commands are registered instead of everywhere" },

	{ "log.level", OPTION_STR, AT(log_level), "info", 0, 16, R, "debug|info|warn|error", "LOG_LEVEL",
	  "what is logged" },
	{ "log.format", OPTION_STR, AT(log_format), "auto", 0, 16, R, "auto|journal|json|human", NULL,
	  "auto: journal under systemd, human on a terminal, else json" },
};
const size_t config_option_count = ARRAY_SIZE(config_options);
_Static_assert(ARRAY_SIZE(config_options) <= OPTIONS_MAX, "a row for every option");

/* --- finding -------------------------------------------------------------------------------------------------------
 */

const struct config_option *option_find(const char *key)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].key, key) == 0)
			return &config_options[i];
	}
	return NULL;
}

bool option_section_known(const char *section, size_t len)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (strncmp(config_options[i].key, section, len) == 0 && config_options[i].key[len] == '.')
			return true;
	}
	return false;
}

#define SUGGEST_MAX 64

/* How many letters must be changed, added or left out to make @a from @b. Both shorter than SUGGEST_MAX. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[SUGGEST_MAX + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b_len; j++) {
			unsigned best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[b_len];
}

static const char *after_dot(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? dot + 1 : key;
}

const char *option_suggest(const char *key)
{
	const char *nearest = NULL;
	unsigned least = 4;

	if (strlen(key) >= SUGGEST_MAX)
		return NULL;
	for (size_t i = 0; i < config_option_count; i++) {
		unsigned off = distance(key, config_options[i].key);

		/* The right name in the wrong section is near whatever the section's name. */
		if (off > 1 && strcmp(after_dot(key), after_dot(config_options[i].key)) == 0)
			off = 1;
		if (off < least) {
			least = off;
			nearest = config_options[i].key;
		}
	}
	return nearest;
}

void option_environment_name(const struct config_option *option, char *name, size_t size)
{
	int len = snprintf(name, size, "SHOAL_%s", option->key);

	for (int i = 0; i < len && (size_t)i < size - 1; i++)
		name[i] = name[i] == '.' ? '_' : (char)toupper((unsigned char)name[i]);
}

/* --- values --------------------------------------------------------------------------------------------------------
 */

char **option_string(struct config *config, const struct config_option *option)
{
	return (char **)(void *)((char *)config + option->offset);
}

uint32_t *option_u32(struct config *config, const struct config_option *option)
{
	return (uint32_t *)(void *)((char *)config + option->offset);
}

bool *option_bool(struct config *config, const struct config_option *option)
{
	return (bool *)(void *)((char *)config + option->offset);
}

/* The index of @text in "a|b|c", or -1. With @index: copies that word instead, and returns -1 behind the last. */
static int choice_index(const char *choices, const char *text)
{
	size_t len = strlen(text);
	int index = 0;

	for (const char *word = choices;; index++) {
		size_t word_len = strcspn(word, "|");

		if (word_len == len && strncasecmp(word, text, len) == 0)
			return index;
		if (word[word_len] == '\0')
			return -1;
		word += word_len + 1;
	}
}

static void choice_word(const char *choices, uint32_t index, char *text, size_t size)
{
	const char *word = choices;

	for (; index > 0 && strchr(word, '|'); index--)
		word = strchr(word, '|') + 1;
	snprintf(text, size, "%.*s", (int)strcspn(word, "|"), word);
}

/* "a|b|c" as "a, b or c". */
static void choices_in_words(const char *choices, char *text, size_t size)
{
	size_t len = 0;

	for (const char *word = choices; *word;) {
		size_t word_len = strcspn(word, "|");
		const char *next = word[word_len] ? word + word_len + 1 : word + word_len;
		const char *gap = word == choices ? "" : *next ? ", " : " or ";

		len += (size_t)snprintf(text + len, size - len, "%s%.*s", gap, (int)word_len, word);
		if (len >= size)
			return;
		word = next;
	}
}

void option_allowed(const struct config_option *option, char *text, size_t size)
{
	text[0] = '\0';
	if (option->kind == OPTION_U32 && option->choices)
		snprintf(text, size, "%s, or %u to %u", option->choices, option->min + 1, option->max);
	else if (option->kind == OPTION_U32)
		snprintf(text, size, "%u to %u", option->min, option->max);
	else if (option->kind == OPTION_BOOL)
		snprintf(text, size, "yes or no");
	else if (option->choices)
		choices_in_words(option->choices, text, size);
}

static int set_u32(struct config *config, const struct config_option *option, const char *text,
		   char error[OPTION_ERROR_SIZE])
{
	unsigned long long value = 0;
	char allowed[64];

	option_allowed(option, allowed, sizeof(allowed));
	if (option->choices && strcasecmp(text, option->choices) == 0) {
		*option_u32(config, option) = option->min;
		return 0;
	}
	if (!*text || strspn(text, "0123456789") != strlen(text)) {
		snprintf(error, OPTION_ERROR_SIZE, "\"%.40s\" is not a number (%s)", text, allowed);
		return -EINVAL;
	}
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (option->choices && value == option->min && !errno) { /* that number stands for the word */
		snprintf(error, OPTION_ERROR_SIZE, "%.40s is below %u (allowed: %s)", text, option->min + 1, allowed);
		return -EINVAL;
	}
	if (errno || value > option->max) {
		snprintf(error, OPTION_ERROR_SIZE, "%.40s is above %u (allowed: %s)", text, option->max, allowed);
		return -EINVAL;
	}
	if (value < option->min) {
		snprintf(error, OPTION_ERROR_SIZE, "%.40s is below %u (allowed: %s)", text, option->min, allowed);
		return -EINVAL;
	}
	*option_u32(config, option) = (uint32_t)value;
	return 0;
}

static int set_bool(struct config *config, const struct config_option *option, const char *text,
		    char error[OPTION_ERROR_SIZE])
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*option_bool(config, option) = strcasecmp(text, yes[i]) == 0;
			return 0;
		}
	}
	snprintf(error, OPTION_ERROR_SIZE, "\"%.40s\" is neither yes nor no", text);
	return -EINVAL;
}

static int refuse_choice(const struct config_option *option, const char *text, char error[OPTION_ERROR_SIZE])
{
	char allowed[128];

	choices_in_words(option->choices, allowed, sizeof(allowed));
	snprintf(error, OPTION_ERROR_SIZE, "\"%.40s\" is not one of %s", text, allowed);
	return -EINVAL;
}

/* Text goes into JSON, paths and URLs: valid UTF-8 without control characters. */
static bool is_clean_text(const char *text)
{
	uint32_t point;
	size_t len;

	for (; *text; text += len) {
		len = utf8_decode(text, &point);
		if (!len || point < ' ' || (point >= 0x7f && point < 0xa0))
			return false;
	}
	return true;
}

static void replace_string(char **place, char *text, bool secret)
{
	if (*place && secret)
		explicit_bzero(*place, strlen(*place));
	free(*place);
	*place = text;
}

static int set_string(struct config *config, const struct config_option *option, const char *text,
		      char error[OPTION_ERROR_SIZE])
{
	size_t len = strlen(text);
	char word[32];
	char *copy;
	int index;

	if (option->choices) {
		index = choice_index(option->choices, text);
		if (index < 0)
			return refuse_choice(option, text, error);
		choice_word(option->choices, (uint32_t)index, word, sizeof(word));
		text = word;
	} else if (!is_clean_text(text)) {
		snprintf(error, OPTION_ERROR_SIZE, "the value holds control characters, or is not UTF-8");
		return -EINVAL;
	} else if (len < option->min) {
		snprintf(error, OPTION_ERROR_SIZE, "must not be empty");
		return -EINVAL;
	} else if (len > option->max) {
		snprintf(error, OPTION_ERROR_SIZE, "%zu bytes are too long (at most %u)", len, option->max);
		return -EINVAL;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	replace_string(option_string(config, option), copy, option->flags & OPTION_SECRET);
	return 0;
}

int option_set(struct config *config, const struct config_option *option, const char *text,
	       char error[OPTION_ERROR_SIZE])
{
	int index;

	error[0] = '\0';
	switch (option->kind) {
	case OPTION_U32:
		return set_u32(config, option, text, error);
	case OPTION_BOOL:
		return set_bool(config, option, text, error);
	case OPTION_CHOICE:
		index = choice_index(option->choices, text);
		if (index < 0)
			return refuse_choice(option, text, error);
		*option_u32(config, option) = (uint32_t)index;
		return 0;
	case OPTION_STR:
		break;
	}
	return set_string(config, option, text, error);
}

const char *option_text(const struct config *config, const struct config_option *option, char number[16])
{
	/* The accessors serve writers too; nothing is written here. */
	struct config *readable = (struct config *)config;
	uint32_t value;

	switch (option->kind) {
	case OPTION_U32:
		value = *option_u32(readable, option);
		if (option->choices && value == option->min)
			return option->choices;
		snprintf(number, 16, "%u", value);
		return number;
	case OPTION_BOOL:
		return *option_bool(readable, option) ? "yes" : "no";
	case OPTION_CHOICE:
		choice_word(option->choices, *option_u32(readable, option), number, 16);
		return number;
	case OPTION_STR:
		break;
	}
	return *option_string(readable, option);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].kind == OPTION_STR)
			replace_string(option_string(config, &config_options[i]), NULL,
				       config_options[i].flags & OPTION_SECRET);
		if (config->places)
			free(config->places[i]);
	}
	free(config->places);
	free(config->file);
	free(config);
	return NULL;
}

void config_freep(struct config **config)
{
	*config = config_free(*config);
}

int config_new(struct config **ret_config)
{
	CLEANUP(config_freep) struct config *config = calloc(1, sizeof(*config));
	char error[OPTION_ERROR_SIZE];

	if (!config)
		return -ENOMEM;
	for (size_t i = 0; i < config_option_count; i++) {
		int r = option_set(config, &config_options[i], config_options[i].fallback, error);

		if (r < 0)
			return r;
	}
	*ret_config = TAKE(config);
	return 0;
}
