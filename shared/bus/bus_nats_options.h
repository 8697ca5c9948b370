/* What a connection of nats.c is made with, and its statuses in our errors and words. */
#ifndef SHOAL_SHARED_BUS_BUS_NATS_OPTIONS_H
#define SHOAL_SHARED_BUS_BUS_NATS_OPTIONS_H

#include <stdint.h>

#include <nats/nats.h>

#include "shared/bus/bus.h"

#define BUS_NATS_REASON_SIZE 256

struct bus_nats_settings {
	char *url, *name, *credentials_file, *ca_file;
	char servers[BUS_NATS_REASON_SIZE /
		     2]; /* hosts and ports of the URL, for people: nothing that may be a password */
	uint32_t connect_timeout_ms;
};

/* Copies. -ENOMEM. */
int bus_nats_settings_init(struct bus_nats_settings *settings, const struct bus_options *options);
void bus_nats_settings_finish(struct bus_nats_settings *settings);

struct bus_nats_callbacks {
	natsConnectionHandler closed;
	natsErrHandler error;
	void *closure;
};

/* The caller destroys *ret_options. */
natsStatus bus_nats_options_make(const struct bus_nats_settings *settings, const struct bus_nats_callbacks *callbacks,
				 int max_pending, natsOptions **ret_options);

int bus_nats_error_of(natsStatus status);
/* Words for what just failed with @status on this thread, with the servers it was about; no secret. */
void bus_nats_describe(const struct bus_nats_settings *settings, natsStatus status, char reason[BUS_NATS_REASON_SIZE]);
/* The library puts the place in its own source before its words: what stands behind it. NULL for NULL. */
const char *bus_nats_words(const char *text);

#endif
