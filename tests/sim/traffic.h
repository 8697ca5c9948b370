/* Members that talk: generated events at a rate over all guilds. */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include <stdint.h>

/* Makes what is due since the last call. Called by the tick. */
void traffic_tick(uint64_t now_ms);
uint64_t traffic_made(void);

/* One message of a member of the guild (index), kept, in the ledger and delivered. Its id. @deliveries may be NULL. */
struct message_event;
uint64_t traffic_message(const struct message_event *m, uint64_t *deliveries);

#endif
