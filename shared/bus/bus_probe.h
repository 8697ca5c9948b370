/* One look at a NATS server, for command-line tools: connects, asks, closes. Blocks; never on a loop. */
#ifndef SHOAL_SHARED_BUS_BUS_PROBE_H
#define SHOAL_SHARED_BUS_BUS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_PROBE_TEXT_SIZE 256

struct bus_probe {
	uint64_t round_trip_us;
	char server[64];                   /* "host:port" of the one that answered */
	bool jetstream;                    /* there, and open to this user */
	char why_not[BUS_PROBE_TEXT_SIZE]; /* when it is not: in words */
};

/* @url as nats.url; each step waits at most @timeout_ms. 0 when the server can be talked to; else as the bus says, and
 * @error has it in words, without a secret. */
int bus_probe(const char *url, uint32_t timeout_ms, struct bus_probe *ret_probe, char error[BUS_PROBE_TEXT_SIZE]);

#endif
