/* The flight recorder: when a worker died of its own making, the next one saves what its inbox still holds of the past,
 * before it takes over, so that the crash can be played again (discord-sim --replay). Mode 0600, tokens blanked,
 * bounded in number and bytes; the oldest go. Members' words are in it.
 *
 * The file, <state_dir>/flight/<time>-shard<N>.flight, is text and bytes by turns:
 *
 *   SHOAL-FLIGHT 1\n
 *   {"shard":3,"shard_count":16,"generation":1,"build_id":"…","saved":"2026-…Z","records":149,"crash":"…"}\n
 *   {"len":906,"seq":4711,"session":"9f3a…","state":"started","crashes":1,"culprit":"handler"}\n
 *   <len bytes: the payload as it came, {"t":…,"s":…,"op":0,"d":…}>\n
 *   … one such pair a record, oldest first.
 *
 * state is taken (nobody had begun it), started, or done; culprit stands with the event whose handler ("handler") or
 * cache entry ("apply") was at work. Readers refuse another first line, a len of more than 64 MiB, and an end that
 * comes too early. */
#ifndef SHOAL_SHARD_EVENTS_FLIGHT_H
#define SHOAL_SHARD_EVENTS_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "shard/events/inbox.h"

#define FLIGHT_FIRST_LINE "SHOAL-FLIGHT 1\n"
#define FLIGHT_PATH_SIZE  4400

struct flight;

struct flight_options {
	const char *state_dir;
	uint32_t shard_id, shard_count, generation;
	uint32_t keep;      /* files of this host, at most; 0: off */
	uint64_t max_bytes; /* all of them together; a longer recording begins later */
	const char *report; /* what the worker said of its crash; NULL: nothing */
};

/* Loop thread: copies what @inbox holds. -ENODATA: nothing. -ENOMEM, -ENAMETOOLONG. */
int flight_capture(const struct flight_options *options, const struct inbox *inbox, struct flight **ret_flight);
struct flight *flight_free(struct flight *flight);
/* Writes it and removes the oldest beyond the limits. A thread that may wait; @flight is a struct flight. -errno. */
int flight_save(void *flight);
const char *flight_path(const struct flight *flight);
/* Removes every recording in @state_dir that speaks of the user; how many, or -errno. A thread that may wait. */
int flight_forget_user(const char *state_dir, uint64_t user_id);

#endif
