/* A synchronous look at NATS. Run by shoalctl. Must not start anything that outlives the call. */
#include "shared/bus/bus_probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nats/nats.h>

#include "shared/base/clock.h"
#include "shared/bus/bus_nats_options.h"

static void on_closed(natsConnection *connection, void *closure)
{
	(void)connection;
	(void)closure;
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
	(void)connection;
	(void)subscription;
	(void)status; /* what matters comes back from the call itself */
	(void)closure;
}

/* A flush is a PING and its PONG. */
static natsStatus look(natsConnection *connection, uint32_t timeout_ms, struct bus_probe *probe)
{
	uint64_t began_ns = clock_monotonic_ns();
	char url[256] = "";
	const char *place;
	natsStatus s;

	s = natsConnection_FlushTimeout(connection, timeout_ms);
	if (s != NATS_OK)
		return s;
	probe->round_trip_us = (clock_monotonic_ns() - began_ns) / NS_PER_US;
	/* The URL that the library gives back may hold user and password: what stands behind the last @ does not. */
	if (natsConnection_GetConnectedUrl(connection, url, sizeof(url)) == NATS_OK) {
		place = strrchr(url, '@');
		place = place ? place + 1 : strstr(url, "://") ? strstr(url, "://") + 3 : url;
		snprintf(probe->server, sizeof(probe->server), "%.63s", place);
	}
	return NATS_OK;
}

static void look_at_jetstream(natsConnection *connection, uint32_t timeout_ms, struct bus_probe *probe)
{
	jsAccountInfo *info = NULL;
	jsOptions options;
	jsCtx *jetstream = NULL;
	jsErrCode code = 0;
	natsStatus s;

	s = jsOptions_Init(&options);
	options.Wait = timeout_ms;
	if (s == NATS_OK)
		s = natsConnection_JetStream(&jetstream, connection, &options);
	if (s == NATS_OK)
		s = js_GetAccountInfo(&info, jetstream, &options, &code);
	probe->jetstream = s == NATS_OK;
	if (s == NATS_TIMEOUT || s == NATS_NO_RESPONDERS || code == JSNotEnabledErr)
		snprintf(probe->why_not, sizeof(probe->why_not), "the server has it switched off");
	else if (s != NATS_OK)
		snprintf(probe->why_not, sizeof(probe->why_not), "%s",
			 code == JSNotEnabledForAccountErr ? "it is off for this user's account"
							   : natsStatus_GetText(s));
	jsAccountInfo_Destroy(info);
	jsCtx_Destroy(jetstream);
}

int bus_probe(const char *url, uint32_t timeout_ms, struct bus_probe *ret_probe, char error[BUS_PROBE_TEXT_SIZE])
{
	const struct bus_options options = { .url = url, .name = "shoalctl", .connect_timeout_ms = timeout_ms };
	const struct bus_nats_callbacks callbacks = { .closed = on_closed, .error = on_error };
	struct bus_probe probe = { 0 };
	struct bus_nats_settings settings;
	natsConnection *connection = NULL;
	natsOptions *made = NULL;
	char reason[BUS_NATS_REASON_SIZE];
	natsStatus s;
	int r = bus_nats_settings_init(&settings, &options);

	if (r < 0)
		return r;
	s = bus_nats_options_make(&settings, &callbacks, 16, &made);
	if (s == NATS_OK)
		s = natsConnection_Connect(&connection, made);
	if (s == NATS_OK)
		s = look(connection, timeout_ms, &probe);
	if (s == NATS_OK) {
		look_at_jetstream(connection, timeout_ms, &probe);
		*ret_probe = probe;
	} else {
		bus_nats_describe(&settings, s, reason);
		snprintf(error, BUS_PROBE_TEXT_SIZE, "%s", reason);
		r = bus_nats_error_of(s);
	}
	natsConnection_Destroy(connection);
	natsOptions_Destroy(made);
	bus_nats_settings_finish(&settings);
	nats_Close();
	return r;
}
