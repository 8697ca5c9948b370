/* Every NATS subject that shoal uses, in one table: "shoal.<cluster>.<pattern>". Nobody else writes a subject. */
#ifndef SHOAL_SHARED_BUS_SUBJECTS_H
#define SHOAL_SHARED_BUS_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum subject_id {
	SUBJECT_SHARD_RPC, /* request to the shard that owns a guild; the sender computes which */
	SUBJECT_FLEET_RPC, /* scatter-gather: every shard hears it */
	SUBJECT_CONFIG,    /* a guild's configuration changed: drop the cached copy */
	SUBJECT_EVENTS,    /* optional export of raw dispatches */
	SUBJECT_IDENTIFY,  /* identify grants across hosts */
	SUBJECT_ALERTS,    /* what an operator must see */
	SUBJECT_MODULE,    /* a module's own messages to itself on other shards */
	SUBJECT_REPLY,     /* answers to one requester: its private inbox */
	SUBJECT_COUNT,
};

/* What may stand in a pattern's braces; also the bit of `any`. */
enum subject_part {
	SUBJECT_PART_SHARD = 1 << 0,
	SUBJECT_PART_GUILD = 1 << 1,
	SUBJECT_PART_EVENT = 1 << 2,
	SUBJECT_PART_BUCKET = 1 << 3,
	SUBJECT_PART_INBOX = 1 << 4,
	SUBJECT_PART_TOKEN = 1 << 5,
	SUBJECT_PART_MODULE = 1 << 6,
	SUBJECT_PART_TOPIC = 1 << 7,
};

/* Values for the pattern's parts; those it does not name are ignored. A part in @any becomes the wildcard "*"
 * (subscriptions only). */
struct subject_params {
	uint32_t shard;
	uint64_t guild_id;
	const char *event; /* dispatch name: upper-case letters, digits and _ */
	uint32_t bucket;
	const char *inbox; /* hex */
	const char *token; /* hex */
	/* Lower-case letters, digits, _ and -. */
	const char *module, *topic;
	uint32_t any; /* set of enum subject_part */
};

struct subject_row {
	const char *name;    /* "shard.rpc", for logs and docs */
	const char *pattern; /* "shard.{shard}.rpc" */
	uint32_t parts;      /* set of enum subject_part: those in the pattern */
	const char *help;
};

extern const struct subject_row subject_rows[SUBJECT_COUNT];

#define SUBJECT_SIZE        192
#define SUBJECT_CLUSTER_MAX 32

/* A cluster name is 1 to 32 of [a-z A-Z 0-9 _ -], so that it can be one token of a subject. 0 or -EINVAL. */
int subject_check_cluster(const char *cluster);

/* Writes the whole subject. @params may be NULL when the pattern has no part. @allow_any: false for publishing.
 * -EINVAL: a bad cluster, id, part or a wildcard that is not allowed. */
int subject_format(enum subject_id id, const char *cluster, const struct subject_params *params, bool allow_any,
		   char subject[SUBJECT_SIZE]);

/* Reads the parts back out of @subject (from the network): -EINVAL when it is none of @id in @cluster. Strings are not
 * filled (they would need memory); numbers are. */
int subject_parse(enum subject_id id, const char *cluster, const char *subject, struct subject_params *ret_params);

#endif
