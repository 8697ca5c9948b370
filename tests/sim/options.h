/* One table of options: the command line, --help and POST /set are all read from it. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum resume_keep { RESUME_KEEP_ALL, RESUME_KEEP_ACKED, RESUME_KEEP_UNWRITTEN };

struct options {
	const char *listen;
	const char *control;
	const char *tls_cert;
	const char *tls_key;
	const char *advertise_host;
	const char *token;
	const char *record;
	const char *replay;
	const char *log_level;
	uint64_t application_id;
	uint64_t shards;
	uint64_t max_concurrency;
	uint64_t session_total;
	uint64_t session_remaining;
	uint64_t session_reset_after_s;
	uint64_t guilds;
	uint64_t guilds_per_shard;
	uint64_t channels;
	uint64_t roles;
	uint64_t members;
	uint64_t guild_bytes;
	uint64_t granted_intents;
	uint64_t heartbeat_interval_ms;
	uint64_t identify_window_ms;
	uint64_t resume_keep; /* enum resume_keep */
	uint64_t resume_window_s;
	uint64_t replay_max;
	uint64_t seq_start;
	uint64_t traffic;
	uint64_t seed;
	uint64_t zlib_level;
	uint64_t zstd_level;
	uint64_t shard_multiple;
	uint64_t ledger_max;
	bool zstd_frame_per_message;
	bool seq_gaps;
	bool shuffle_keys;
	bool rest_limits;
	bool guild_template;
	bool http2;
};

extern struct options options;

/* Reads argv over the defaults. 0; 1 when --help was printed; -EINVAL after saying what is wrong on stderr. */
int options_parse(int argc, char **argv);
/* Changes one option at run time; @value is any JSON scalar. NULL on success, else the reason. */
const char *options_set(const char *name, const json_t *value);
/* Every option that may be changed at run time with its value. New reference. */
json_t *options_json(void);
/* How many guilds the world holds. */
uint64_t options_guild_count(void);

#endif
