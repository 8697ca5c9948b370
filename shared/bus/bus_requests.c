/* Tokens are random but for their slot, so that an answer to an earlier request never finds a later one. */
#include "shared/bus/bus_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/random.h"

/* An expected sender of a gather, and its answer once there. */
struct gather_slot {
	uint32_t sender;
	bool answered;
	char *payload;
	size_t len;
	uint64_t elapsed_us;
};

struct gather {
	size_t expected, answered, strange, bytes;
	struct bus_gather_answer *answers; /* filled at the end; room for all from the start */
	uint32_t *missing;
	struct gather_slot slots[]; /* by rising sender */
};

struct bus_request {
	struct bus_request *next; /* while ending */
	uint64_t token;
	uint64_t started_ns, deadline_ns;
	struct gather *gather; /* NULL: a request with one answer */
	union {
		bus_answer_fn answer;
		bus_gather_fn gather;
	} fn;
	void *arg;
	int error; /* while ending */
};

void bus_request_free(struct bus_request *request)
{
	struct gather *gather = request->gather;

	if (gather) {
		for (size_t i = 0; i < gather->expected; i++)
			free(gather->slots[i].payload);
		free(gather->answers);
		free(gather->missing);
		free(gather);
	}
	free(request);
}

static struct bus_request *request_find(const struct bus_requests *requests, uint64_t token)
{
	size_t slot = token & 0xffff;
	struct bus_request *request;

	if (!requests->slots || slot >= BUS_REQUESTS_MAX)
		return NULL;
	request = requests->slots[slot];
	return request && request->token == token ? request : NULL;
}

/* Takes it out of the table: no answer finds it any more. */
static void request_detach(struct bus_requests *requests, struct bus_request *request)
{
	requests->slots[request->token & 0xffff] = NULL;
	requests->count--;
}

/* Gives it a slot and a token. */
static int request_attach(struct bus_requests *requests, struct bus_request *request)
{
	size_t slot = requests->hint;

	if (requests->count >= BUS_REQUESTS_MAX)
		return -ENOBUFS;
	if (!requests->slots) {
		requests->slots = calloc(BUS_REQUESTS_MAX, sizeof(*requests->slots));
		if (!requests->slots)
			return -ENOMEM;
	}
	while (requests->slots[slot])
		slot = (slot + 1) % BUS_REQUESTS_MAX;
	requests->hint = (slot + 1) % BUS_REQUESTS_MAX;
	request->token = (random_u64() & ~0xffffULL) | slot;
	requests->slots[slot] = request;
	requests->count++;
	return 0;
}

static void gather_end(struct bus_request *request)
{
	struct gather *gather = request->gather;
	struct bus_gather_result result = {
		.error = request->error == -ETIMEDOUT ? 0 : request->error,
		.answers = gather->answers,
		.missing = gather->missing,
		.strange_count = gather->strange,
		.elapsed_us = (clock_monotonic_ns() - request->started_ns) / NS_PER_US,
	};

	for (size_t i = 0; i < gather->expected; i++) {
		const struct gather_slot *slot = &gather->slots[i];

		if (slot->answered)
			gather->answers[result.answer_count++] = (struct bus_gather_answer){
				.sender = slot->sender,
				.payload = slot->payload,
				.len = slot->len,
				.elapsed_us = slot->elapsed_us,
			};
		else
			gather->missing[result.missing_count++] = slot->sender;
	}
	request->fn.gather(request->arg, &result);
}

/* Ends a detached request: its one callback, then its memory. The callback may do anything with the bus. */
static void request_end(struct bus_request *request, const struct bus_message *answer)
{
	if (request->gather)
		gather_end(request);
	else
		request->fn.answer(request->arg, request->error, answer);
	bus_request_free(request);
}

void bus_requests_run_ending(struct bus_requests *requests)
{
	struct bus_request *request;

	while ((request = requests->ending)) {
		requests->ending = request->next;
		request_end(request, NULL);
	}
}

/* Ends every request whose deadline is at or before @before_ns; returns the next deadline, 0 for none. They are all
 * detached before the first callback runs, for a callback may make requests or close the bus. */
uint64_t bus_requests_expire(struct bus_requests *requests, uint64_t before_ns, int error)
{
	struct bus_request **last = &requests->ending;
	uint64_t next_ns = 0;

	while (*last)
		last = &(*last)->next;
	for (size_t slot = 0; requests->slots && slot < BUS_REQUESTS_MAX; slot++) {
		struct bus_request *request = requests->slots[slot];

		if (!request)
			continue;
		if (request->deadline_ns > before_ns) {
			if (next_ns == 0 || request->deadline_ns < next_ns)
				next_ns = request->deadline_ns;
			continue;
		}
		request_detach(requests, request);
		request->error = error;
		request->next = NULL;
		*last = request;
		last = &request->next;
	}
	return next_ns;
}

static struct gather_slot *gather_slot_find(struct gather *gather, uint32_t sender)
{
	size_t low = 0, high = gather->expected;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gather->slots[middle].sender == sender)
			return &gather->slots[middle];
		if (gather->slots[middle].sender < sender)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* True when the gather is complete. */
static bool gather_take(struct bus_request *request, const struct bus_nats_event *event)
{
	struct gather *gather = request->gather;
	struct gather_slot *slot = gather_slot_find(gather, event->sender);

	if (event->no_responders)
		return true;
	if (!slot || slot->answered || gather->bytes + event->len > BUS_GATHER_BYTES_MAX) {
		gather->strange++;
		return false;
	}
	slot->payload = malloc(event->len + 1);
	if (!slot->payload) {
		gather->strange++;
		return false;
	}
	memcpy(slot->payload, event->payload, event->len);
	slot->payload[event->len] = '\0';
	slot->len = event->len;
	slot->answered = true;
	slot->elapsed_us = (clock_monotonic_ns() - request->started_ns) / NS_PER_US;
	gather->bytes += event->len;
	return ++gather->answered == gather->expected;
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t left = ((const struct gather_slot *)a)->sender, right = ((const struct gather_slot *)b)->sender;

	return left < right ? -1 : left > right;
}

static struct gather *gather_new(const uint32_t *expected, size_t count)
{
	struct gather *gather = calloc(1, sizeof(*gather) + count * sizeof(gather->slots[0]));
	size_t kept = 0;

	if (!gather)
		return NULL;
	for (size_t i = 0; i < count; i++)
		gather->slots[i].sender = expected ? expected[i] : (uint32_t)i;
	if (expected)
		qsort(gather->slots, count, sizeof(gather->slots[0]), compare_slots);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || gather->slots[kept - 1].sender != gather->slots[i].sender)
			gather->slots[kept++].sender = gather->slots[i].sender;
	gather->expected = kept;
	gather->answers = calloc(kept, sizeof(*gather->answers));
	gather->missing = calloc(kept, sizeof(*gather->missing));
	return gather;
}

struct bus_request *bus_request_new(bus_answer_fn fn, void *arg)
{
	struct bus_request *request = calloc(1, sizeof(*request));

	if (request) {
		request->fn.answer = fn;
		request->arg = arg;
	}
	return request;
}

struct bus_request *bus_request_new_gather(const uint32_t *expected, size_t count, bus_gather_fn fn, void *arg)
{
	struct bus_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->fn.gather = fn;
	request->arg = arg;
	request->gather = gather_new(expected, count);
	if (!request->gather || !request->gather->answers || !request->gather->missing) {
		bus_request_free(request);
		return NULL;
	}
	return request;
}

int bus_requests_add(struct bus_requests *requests, struct bus_request *request, uint64_t timeout_ms,
		     uint64_t *ret_token)
{
	int r = request_attach(requests, request);

	if (r < 0)
		return r;
	request->started_ns = clock_monotonic_ns();
	request->deadline_ns = request->started_ns + timeout_ms * NS_PER_MS;
	*ret_token = request->token;
	return 0;
}

uint64_t bus_request_deadline_ns(const struct bus_request *request)
{
	return request->deadline_ns;
}

void bus_requests_remove(struct bus_requests *requests, struct bus_request *request)
{
	request_detach(requests, request);
}

bool bus_requests_answer(struct bus_requests *requests, uint64_t token, const struct bus_nats_event *event,
			 const struct bus_message *message)
{
	struct bus_request *request = request_find(requests, token);

	if (!request)
		return false;
	if (request->gather && !gather_take(request, event))
		return true;
	request_detach(requests, request);
	if (event->no_responders && !request->gather)
		request->error = -EHOSTUNREACH;
	request_end(request, request->error < 0 ? NULL : message);
	return true;
}

void bus_requests_finish(struct bus_requests *requests)
{
	free(requests->slots);
	requests->slots = NULL;
}
