/* A stream of dispatches from a file, to one shard, as fast as its socket takes it or at a rate. */
#ifndef SIM_FLOOD_H
#define SIM_FLOOD_H

#include "tests/sim/gateway.h"

#include <jansson.h>

/* POST /flood {shard, file, repeat=1, rate=0, level?, prepare?}. A new reference: what was started or {"error": …}. */
json_t *flood_start(const json_t *request);
/* Progress of a session's flood, or NULL. New reference. */
json_t *flood_json(const struct session *s);
/* True while nothing but the flood may go out on this session. */
bool flood_is_exclusive(const struct session *s);
/* Keeps an event (its own reference) that came during an exclusive flood until its end. False when that is full. */
bool flood_hold(struct session *s, struct payload *p);
/* Puts more of it into the ring or the socket's buffer. False when there is nothing to do now. */
bool flood_pump(struct gateway *g);
/* While a prepared flood holds the stream's place: where other bytes of the connection have to queue; NULL otherwise.
 */
struct buf *flood_queue(struct gateway *g);
void flood_session_ended(struct session *s);
void flood_tick(uint64_t now_ms);
uint64_t flood_finished_count(void);
int flood_init(void *loop);
void flood_free(void);

#endif
