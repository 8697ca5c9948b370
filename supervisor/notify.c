/* systemd's notification protocol through libsystemd. Run by the supervisor on its loop. Workers never get
 * NOTIFY_SOCKET: what the service is, only the supervisor says. */
#include "supervisor/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"

static void tell(const char *state)
{
	int r = sd_notify(0, state);

	if (r < 0)
		log_warn(NULL, "notify.failed", KV_ERR(r), KV_STR("state", state),
			 KV_MSG("systemd could not be told; it may think the service hangs"));
}

void notify_init(struct notify *notify)
{
	uint64_t usec = 0;

	memset(notify, 0, sizeof(*notify));
	if (sd_watchdog_enabled(0, &usec) > 0)
		notify->watchdog_ns = usec * NS_PER_US;
}

void notify_ready(struct notify *notify)
{
	if (notify->ready)
		return;
	notify->ready = true;
	tell("READY=1");
}

void notify_status(struct notify *notify, const char *format, ...)
{
	char text[sizeof(notify->status)], state[sizeof(text) + 16];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, notify->status) == 0)
		return;
	memcpy(notify->status, text, sizeof(text));
	snprintf(state, sizeof(state), "STATUS=%s", text);
	tell(state);
}

void notify_reloading(struct notify *notify)
{
	char state[64];

	(void)notify;
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)(clock_monotonic_ns() / NS_PER_US));
	tell(state);
}

void notify_reloaded(struct notify *notify)
{
	char state[64];

	notify->ready = true;
	snprintf(state, sizeof(state), "READY=1\nMAINPID=%d", (int)getpid());
	tell(state);
}

void notify_stopping(struct notify *notify)
{
	if (notify->stopping)
		return;
	notify->stopping = true;
	tell("STOPPING=1");
}

void notify_extend(struct notify *notify, uint64_t more_ms)
{
	char state[64];

	if (notify->ready)
		return;
	snprintf(state, sizeof(state), "EXTEND_TIMEOUT_USEC=%" PRIu64, more_ms * 1000);
	tell(state);
}

void notify_tick(struct notify *notify, uint64_t now_ns)
{
	if (notify->watchdog_ns == 0 || now_ns - notify->petted_ns < notify->watchdog_ns / 3)
		return;
	notify->petted_ns = now_ns;
	tell("WATCHDOG=1");
}
