/* SPDX-License-Identifier: MIT */
/* How the bot fares: this worker, at once, and the fleet, asked for. */
#ifndef SHOAL_STATUS_H
#define SHOAL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/api.h>

enum shoal_part_state {
	SHOAL_PART_OFF,  /* not configured here */
	SHOAL_PART_UP,   /* also: not asked yet */
	SHOAL_PART_AWAY, /* known to be out of reach */
};

/* This worker. Texts are static. */
struct shoal_status {
	const char *version; /* of shoal */
	const char *build;   /* of this very program */
	uint32_t shard_id, shard_count;
	int64_t started_ms;                    /* this worker, Unix time */
	uint64_t guilds, unavailable, missing; /* of its shard; in an outage; not known to the cache yet */
	uint64_t gateway_latency_us;           /* 0: not known */
	uint64_t rest_latency_us;              /* 0: not known */
	enum shoal_part_state database, bus, supervisor;
	uint64_t writes_waiting; /* kept on disk until the database is back */
	uint64_t events_waiting; /* events that nobody has begun */
	uint32_t modules, modules_off;
};

static inline void shoal_status_get(struct shoal_scope *scope, struct shoal_status *ret_status)
{
	shoal_api_table->status_get(scope, ret_status, sizeof(*ret_status));
}

#define SHOAL_FLEET_NAMED 16

/* The shards that this host's supervisor knows. */
struct shoal_fleet {
	uint32_t shards, ready;
	uint64_t guilds;
	uint32_t not_ready[SHOAL_FLEET_NAMED]; /* the first of those that are not */
	uint32_t named;
	uint64_t modules_off; /* over all shards */
};

/* @fleet is borrowed, NULL on errors: -SHOAL_EOFFLINE (no supervisor there), -ETIMEDOUT, -EPROTO, -ECANCELED. */
typedef void (*shoal_fleet_fn)(void *arg, int error, const struct shoal_fleet *fleet);

/* Answers within a second. @fn is called once, on the loop, perhaps from within. -ECANCELED, -ENOBUFS, -ENOMEM: it is
 * not called. */
static inline int shoal_fleet_ask(struct shoal_scope *scope, shoal_fleet_fn fn, void *arg)
{
	return shoal_api_table->fleet_ask(scope, fn, arg);
}

#endif
