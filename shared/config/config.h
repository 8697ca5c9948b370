/* Configuration: one table of options (options.c) from which the file reader, environment, flags, --help, the sample
 * file and the checks are made. Sources in rising order: defaults, shoal.ini, environment SHOAL_<SECTION>_<KEY>
 * (and well-known names such as DISCORD_TOKEN), flags --section.key=value.
 * Secrets (OPTION_SECRET) are refused as flags, never printed, and registered with the log's masking. */
#ifndef SHOAL_SHARED_CONFIG_CONFIG_H
#define SHOAL_SHARED_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum config_compress { CONFIG_COMPRESS_ZLIB, CONFIG_COMPRESS_ZSTD, CONFIG_COMPRESS_NONE };

/* Strings are heap-allocated, never NULL ("" when unset). Durations carry their unit. */
struct config {
	/* [discord] */
	char *discord_token; /* secret; opaque text, sent bare */
	char *discord_token_file;
	char *discord_api_base;       /* no trailing slash */
	char *discord_gateway_url;    /* "" = from GET /gateway/bot; else also replaces resume_gateway_url's host */
	char *discord_ca_file;        /* "" = system */
	uint32_t discord_compress;    /* enum config_compress */
	char *discord_operators;      /* ids joined by commas */
	char *discord_intents;        /* "auto", or a number, or names joined by commas */
	uint32_t discord_shard_count; /* 0 = auto */
	/* [supervisor] */
	char *supervisor_runtime_dir;
	char *supervisor_state_dir;
	char *supervisor_cluster;
	char *supervisor_host_id;     /* "" = hostname */
	char *supervisor_http_listen; /* "address:port"; "" = off */
	uint32_t supervisor_watchdog_timeout_ms;
	uint32_t supervisor_orphan_timeout_s;
	char *supervisor_worker; /* path of shoal-shard; "" = beside shoald */
	uint32_t supervisor_restart_floor_ms;
	uint32_t supervisor_restart_cap_ms;
	uint32_t supervisor_restart_burst;
	uint32_t supervisor_restart_window_s;
	uint32_t supervisor_stable_s;
	uint32_t supervisor_identify_reserve; /* session starts kept back */
	uint32_t supervisor_stop_timeout_ms;
	/* [gateway] */
	uint32_t gateway_hello_timeout_ms;
	uint32_t gateway_connect_timeout_ms;
	uint32_t gateway_zombie_grace_ms;
	uint32_t gateway_backoff_floor_ms;
	uint32_t gateway_backoff_cap_ms;
	uint32_t gateway_resume_attempts; /* failed RESUMEs before an IDENTIFY */
	uint32_t gateway_max_frame_kib;   /* a WebSocket message as received */
	uint32_t gateway_max_payload_kib; /* after decompression */
	uint32_t gateway_ready_quiet_ms;
	uint32_t gateway_silence_probe_s; /* 0 = off */
	uint32_t gateway_silence_answer_ms;
	uint32_t gateway_resume_quiet_ms;
	/* [inbox] */
	uint32_t inbox_ring_kib; /* when the shard's page is made; one that is there keeps its size */
	uint32_t inbox_guild_open_tickets;
	uint32_t inbox_parked_max_mib;
	uint32_t inbox_shed_percent; /* 0: never */
	/* [parked] */
	uint32_t parked_max_mib;
	uint32_t parked_max_age_days;
	/* [flight] */
	uint32_t flight_keep; /* 0 = off */
	uint32_t flight_max_mib;
	/* [effects] */
	uint32_t effects_journal_max_mib;
	/* [modules] */
	char *modules_load; /* "*": all of modules_dir; else names joined by commas */
	char *modules_dir;
	char *modules_default; /* those that are on in a server which has not said otherwise */
	bool modules_http_private;
	uint32_t modules_slow_ms;
	uint32_t modules_held_s;
	uint32_t modules_memory_mib;
	uint32_t jobs_open_max;
	uint32_t jobs_guild_open_max;
	uint32_t jobs_look_s;
	uint32_t modules_breaker_crashes; /* 0 = off */
	uint32_t modules_breaker_window_s;
	uint32_t modules_breaker_retry_s;
	uint32_t modules_breaker_retry_cap_s;
	/* [outbox] */
	uint32_t outbox_max_mib;
	uint32_t outbox_max_entries; /* waiting and dead */
	uint32_t outbox_dead_keep_days;
	/* [rest] */
	uint32_t cache_max_mib;
	uint32_t cache_refill_per_s;

	uint32_t rest_global_per_s;
	uint32_t rest_timeout_ms;
	uint32_t rest_invalid_limit; /* 401/403/429 per 10 minutes at which we stop by ourselves */
	/* [nats] */
	char *nats_url; /* "" = off; secret, may hold a password */
	char *nats_url_file;
	/* [postgres] */
	char *postgres_conninfo; /* "" = off; secret, may hold a password */
	char *postgres_conninfo_file;
	char *postgres_read_conninfo; /* "" = conninfo; secret likewise */
	char *postgres_read_conninfo_file;
	bool postgres_prepared;
	uint32_t postgres_connections; /* per worker, opened when needed */
	uint32_t postgres_connect_timeout_ms;
	uint32_t postgres_statement_timeout_ms;
	uint32_t postgres_idle_close_s;
	/* [secrets] */
	char *secrets_key_file; /* "" = credential secrets-keys, else none: sensitive values are refused */
	/* [privacy] */
	uint32_t privacy_history_days; /* of settings */
	uint32_t privacy_guild_keep_days;
	uint32_t privacy_job_interval_s;
	/* [commands] */
	char *commands_prefix; /* default prefix of message commands */
	bool commands_sync;    /* register with Discord when changed */
	char *commands_guilds; /* ids joined by commas; "": everywhere */
	/* [log] */
	char *log_level;
	char *log_format; /* auto | journal | json | human */

	char **places; /* see config_place(); NULL: not known */
	char *file;    /* see config_file() */
};

enum config_option_kind { OPTION_STR, OPTION_U32, OPTION_BOOL, OPTION_CHOICE };
enum config_option_flags {
	OPTION_SECRET = 1 << 0,
	OPTION_RELOADABLE = 1 << 1,
	OPTION_PATH = 1 << 2,
};

struct config_option {
	const char *key; /* "gateway.zombie_grace_ms" */
	enum config_option_kind kind;
	size_t offset;
	const char *fallback; /* default, as text */
	uint32_t min, max;    /* U32: inclusive; STR: max length in bytes */
	uint32_t flags;
	const char
		*choices; /* CHOICE: "zlib-stream|zstd-stream|none", index is the value; U32: a word for min ("auto") */
	const char *well_known; /* environment name honoured besides, or NULL */
	const char *help;
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

struct config *config_free(struct config *config); /* NULL in, NULL out */
void config_freep(struct config **config);

/* What is wrong, for people, a line a mistake: "shoal.ini:12: gateway.zombie_grace_ms: 99999999 is above 60000". As
 * many as there is room for. */
#define CONFIG_ERROR_SIZE 2048

/* Defaults, then @path (NULL: none; "" : the first of ./shoal.ini, /etc/shoal/shoal.ini that exists), the environment,
 * and the flags among argv[1..] (--section.key=value or --section.key value; others are left, in order, in @argv with
 * @argc updated). Unknown keys and sections are errors. Files of secrets are read (token_file, url_file, conninfo_file,
 * read_conninfo_file; mode other than owner-readable warned), and credentials: $CREDENTIALS_DIRECTORY/discord-token,
 * nats-url, postgres-conninfo, postgres-read-conninfo, where the secret was given in no other way.
 * -EINVAL with @error filled: file, line and key named. On success every secret is registered with the log and
 * DISCORD_TOKEN and the like are removed from the environment. Main thread. */
int config_load(const char *path, int *argc, char **argv, struct config **ret_config, char error[CONFIG_ERROR_SIZE]);

/* Where @key's value was given, for messages: "shoal.ini:12", "environment DISCORD_TOKEN", "command line"; "" when it
 * is the default, or came by config_from_json(). Borrowed. */
const char *config_place(const struct config *config, const char *key);

/* The file that was read; "" when there was none. Borrowed. */
const char *config_file(const struct config *config);

/* All values (secrets too) as a flat JSON object "section.key": value, for the sealed memfd to a worker; and back.
 * config_from_json: -EINVAL with @error; unknown keys are ignored (a newer supervisor), missing ones default. */
json_t *config_to_json(const struct config *config);
int config_from_json(const json_t *json, struct config **ret_config, char error[CONFIG_ERROR_SIZE]);

/* --help's list of options, and a commented sample shoal.ini. */
void config_print_help(FILE *out);
void config_print_sample(FILE *out);

#endif
