/* Threads, and publishing messages of announcement channels. */
#ifndef SIM_REST_THREAD_H
#define SIM_REST_THREAD_H

#include "tests/sim/rest_message.h"

/* Where a thread is (channel_id: its own); false when there is none. */
bool thread_find(uint64_t id, struct channel_place *ret);
/* The thread as a channel object. New reference, NULL when there is none. */
json_t *thread_json(uint64_t id);
void threads_free(void);

void rest_thread_from_message(struct rest_call *c);
void rest_thread_create(struct rest_call *c);
void rest_message_crosspost(struct rest_call *c);

#endif
