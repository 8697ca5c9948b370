/* The requests that wait for answers: a table of bounded size in which an answer's token finds its request, the
 * gathers' slots a sender, and the order in which things end. Loop thread only; pure but for the clock. A callback may
 * do anything with the table: a request is out of it before its callback runs. */
#ifndef SHOAL_SHARED_BUS_BUS_REQUESTS_H
#define SHOAL_SHARED_BUS_BUS_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/bus/bus.h"
#include "shared/bus/bus_nats.h"

struct bus_request;

struct bus_requests {
	struct bus_request **slots; /* BUS_REQUESTS_MAX of them; a token's low 16 bits are its slot */
	size_t count, hint;
	struct bus_request *ending;
};

/* NULL: no memory. */
struct bus_request *bus_request_new(bus_answer_fn fn, void *arg);
/* One answer each of @count senders: @expected, or 0 to @count - 1 when it is NULL. */
struct bus_request *bus_request_new_gather(const uint32_t *expected, size_t count, bus_gather_fn fn, void *arg);
/* One that is not in the table. */
void bus_request_free(struct bus_request *request);

/* Takes @request in; its time runs from now. *ret_token is what its answers name. -ENOBUFS, -ENOMEM: not taken. */
int bus_requests_add(struct bus_requests *requests, struct bus_request *request, uint64_t timeout_ms,
		     uint64_t *ret_token);
uint64_t bus_request_deadline_ns(const struct bus_request *request);
/* Out again, as if it had never been there. */
void bus_requests_remove(struct bus_requests *requests, struct bus_request *request);
/* An answer came to @token: the request ends, or waits for more. False: nobody waits for it (any more). */
bool bus_requests_answer(struct bus_requests *requests, uint64_t token, const struct bus_nats_event *event,
			 const struct bus_message *message);
/* Lays aside every request whose deadline is at or before @before_ns, to end with @error; returns the next deadline, 0
 * for none. Their callbacks run by bus_requests_run_ending(). */
uint64_t bus_requests_expire(struct bus_requests *requests, uint64_t before_ns, int error);
void bus_requests_run_ending(struct bus_requests *requests);
/* The table's memory; nobody may wait any more. */
void bus_requests_finish(struct bus_requests *requests);

#endif
