/* One question to systemd: our unit, its job, the job's type. Run by the supervisor on its loop when it got SIGTERM. It
 * must not wait for the bus: what does not answer in time is "unknown", and the caller decides what that means. */
#include "supervisor/service.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"
#include "shared/loop/watch.h"

#define SYSTEMD    "org.freedesktop.systemd1"
#define PROPERTIES "org.freedesktop.DBus.Properties"

struct service_question {
	struct timer deadline;
	struct watch *watch;
	sd_bus *bus;
	service_job_fn fn;
	void *arg;
	enum service_job job; /* the answer, once done */
	bool done;
};

static const struct {
	const char *type;
	enum service_job job;
} job_types[] = {
	{ "stop", SERVICE_JOB_STOP },
	{ "restart", SERVICE_JOB_RESTART },
	{ "try-restart", SERVICE_JOB_RESTART },
	{ "reload-or-start", SERVICE_JOB_RESTART },
	/* A start that took too long, and will be tried again. */
	{ "start", SERVICE_JOB_RESTART },
};

static const char *const job_names[SERVICE_JOB_COUNT] = {
	[SERVICE_JOB_UNKNOWN] = "unknown",
	[SERVICE_JOB_NONE] = "none",
	[SERVICE_JOB_STOP] = "stop",
	[SERVICE_JOB_RESTART] = "restart",
};

const char *service_job_name(enum service_job job)
{
	return (unsigned)job < SERVICE_JOB_COUNT ? job_names[job] : "unknown";
}

bool service_is_ours(void)
{
	return getenv("NOTIFY_SOCKET") && sd_booted() > 0;
}

/* --- the chain of calls: each answer asks the next, or ends it --------------------------------------------------- */

static void answered(struct service_question *question, enum service_job job)
{
	question->done = true;
	question->job = job;
}

static void failed(struct service_question *question, const char *what, int error, const sd_bus_error *words)
{
	log_warn(NULL, "service.no_answer", KV_STR("question", what), KV_ERR(error),
		 KV_STR("why", words && words->message ? words->message : ""),
		 KV_MSG("systemd could not be asked whether it stops or restarts us"));
	answered(question, SERVICE_JOB_UNKNOWN);
}

/* 0, or the call's end was told. */
static int check(struct service_question *question, sd_bus_message *reply, const char *what)
{
	if (!sd_bus_message_is_method_error(reply, NULL))
		return 0;
	failed(question, what, -sd_bus_message_get_errno(reply), sd_bus_message_get_error(reply));
	return -1;
}

static int got_type(sd_bus_message *reply, void *arg, sd_bus_error *error)
{
	struct service_question *question = arg;
	const char *type = NULL;
	int r;

	(void)error;
	if (check(question, reply, "JobType") < 0)
		return 0;
	r = sd_bus_message_read(reply, "v", "s", &type);
	if (r < 0) {
		failed(question, "JobType", r, NULL);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(job_types); i++)
		if (strcmp(type, job_types[i].type) == 0) {
			answered(question, job_types[i].job);
			return 0;
		}
	log_warn(NULL, "service.odd_job", KV_STR("type", type));
	answered(question, SERVICE_JOB_UNKNOWN);
	return 0;
}

static int got_job(sd_bus_message *reply, void *arg, sd_bus_error *error)
{
	struct service_question *question = arg;
	const char *path = NULL;
	uint32_t id = 0;
	int r;

	(void)error;
	if (check(question, reply, "Job") < 0)
		return 0;
	r = sd_bus_message_read(reply, "v", "(uo)", &id, &path);
	if (r >= 0 && id == 0) {
		answered(question, SERVICE_JOB_NONE);
		return 0;
	}
	if (r >= 0)
		r = sd_bus_call_method_async(question->bus, NULL, SYSTEMD, path, PROPERTIES, "Get", got_type, question,
					     "ss", SYSTEMD ".Job", "JobType");
	if (r < 0)
		failed(question, "Job", r, NULL);
	return 0;
}

static int got_unit(sd_bus_message *reply, void *arg, sd_bus_error *error)
{
	struct service_question *question = arg;
	const char *path = NULL;
	int r;

	(void)error;
	if (check(question, reply, "GetUnitByPID") < 0)
		return 0;
	r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		r = sd_bus_call_method_async(question->bus, NULL, SYSTEMD, path, PROPERTIES, "Get", got_job, question,
					     "ss", SYSTEMD ".Unit", "Job");
	if (r < 0)
		failed(question, "GetUnitByPID", r, NULL);
	return 0;
}

/* --- the bus on our loop ----------------------------------------------------------------------------------------- */

static void timer_gone(void *arg)
{
	free(arg);
}

void service_forget(struct service_question *question)
{
	if (!question)
		return;
	watch_free(TAKE(question->watch)); /* before the bus closes its descriptor */
	question->bus = sd_bus_close_unref(question->bus);
	timer_close(&question->deadline, timer_gone);
}

static void tell(struct service_question *question)
{
	service_job_fn fn = question->fn;
	void *arg = question->arg;
	enum service_job job = question->job;

	service_forget(question);
	fn(arg, job);
}

/* Lets the bus do what it can, and waits for what it wants next. -errno: the bus is of no use any more. */
static int drive(struct service_question *question)
{
	int r;

	do
		r = sd_bus_process(question->bus, NULL);
	while (r > 0 && !question->done);
	if (r < 0 || question->done)
		return r;
	r = sd_bus_get_events(question->bus);
	if (r < 0)
		return r;
	/* poll(2)'s bits */
	return watch_set(question->watch, (r & POLLIN ? WATCH_READ : 0) | (r & POLLOUT ? WATCH_WRITE : 0));
}

static void bus_moved(void *arg, int error, int events)
{
	struct service_question *question = arg;
	int r = error;

	(void)events;
	if (r >= 0)
		r = drive(question);
	if (r < 0 && !question->done)
		failed(question, "bus", r, NULL);
	if (question->done)
		tell(question);
}

static void too_late(void *arg)
{
	struct service_question *question = arg;

	failed(question, "bus", -ETIMEDOUT, NULL);
	tell(question);
}

static int begin(struct service_question *question, struct loop *loop)
{
	int r;

	r = sd_bus_open_system(&question->bus);
	if (r < 0)
		return r;
	r = sd_bus_call_method_async(question->bus, NULL, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
				     "GetUnitByPID", got_unit, question, "u", (uint32_t)getpid());
	if (r < 0)
		return r;
	r = sd_bus_get_fd(question->bus);
	if (r < 0)
		return r;
	/* Both at first: what the bus wants is known when it was driven once. */
	return watch_new(loop, r, WATCH_READ | WATCH_WRITE, bus_moved, question, &question->watch);
}

int service_ask_job(struct loop *loop, uint64_t deadline_ms, service_job_fn fn, void *arg,
		    struct service_question **ret_question)
{
	struct service_question *question = calloc(1, sizeof(*question));
	int r;

	if (!question)
		return -ENOMEM;
	question->fn = fn;
	question->arg = arg;
	r = timer_init(&question->deadline, loop, too_late, question);
	if (r < 0) {
		free(question);
		return r;
	}
	r = begin(question, loop);
	if (r < 0) {
		service_forget(question);
		return r;
	}
	timer_start(&question->deadline, deadline_ms);
	*ret_question = question;
	return 0;
}
