/* What systemd is doing with us, asked over the system bus: a SIGTERM is the same for a stop and for a restart, the
 * pending job is not. Loop thread only; nothing waits. */
#ifndef SHOAL_SUPERVISOR_SERVICE_H
#define SHOAL_SUPERVISOR_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/loop/loop.h"

enum service_job {
	SERVICE_JOB_UNKNOWN, /* systemd could not be asked, or did not answer in time */
	SERVICE_JOB_NONE,    /* the signal came from somebody else */
	SERVICE_JOB_STOP,
	SERVICE_JOB_RESTART,
	SERVICE_JOB_COUNT,
};

struct service_question;

/* Called once, on the loop; the question is gone then. */
typedef void (*service_job_fn)(void *arg, enum service_job job);

/* systemd started us as a service and listens (NOTIFY_SOCKET). */
bool service_is_ours(void);
/* Asks which job of our unit is under way; @fn is called within @deadline_ms unless service_forget() came first. The
 * bus is the system's (DBUS_SYSTEM_BUS_ADDRESS). -errno when it can't be asked: then @fn is not called.
 * Source: org.freedesktop.systemd1(5), Manager.GetUnitByPID, Unit.Job, Job.JobType. */
int service_ask_job(struct loop *loop, uint64_t deadline_ms, service_job_fn fn, void *arg,
		    struct service_question **ret_question);
/* Takes an open question back; its function is not called. NULL is nothing to do. */
void service_forget(struct service_question *question);

const char *service_job_name(enum service_job job);

#endif
