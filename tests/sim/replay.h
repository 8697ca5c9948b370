/* --replay FILE: plays what a flight recorder has saved, once, to the shard that it came from. The file's form is
 * shoal's (shard/events/flight.h tells); it is read here from its description alone, as a file that anybody may have
 * written. */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include <stdint.h>

#include <jansson.h>

/* Reads all of the file. 0; -EINVAL or another negative errno after saying on stderr what is wrong with it. */
int replay_load(const char *path);
void replay_free(void);
/* Gives the shard's session more of it, once that is ready and as far as it has room. */
void replay_tick(uint64_t now_ms);
/* Events given to a session so far. */
uint64_t replay_count(void);
/* 1 when there is nothing left to play. */
uint64_t replay_finished(void);
/* {file, shard, shard_count, build_id, crash, events, skipped, played, finished}; null without a file. New reference.
 */
json_t *replay_json(void);

#endif
