/* Orders for dead letters of the outbox. Run by the worker on its loop. Whatever the order says is checked here: it
 * came over a socket. */
#include "shard/outbox_orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/worker.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"

#define REPORT_TIMEOUT_MS 5000

struct order {
	struct worker *worker;
	json_int_t token;
};

static void on_reported(void *arg, int error, const json_t *answer)
{
	(void)arg;
	(void)answer;
	if (error < 0)
		log_debug(NULL, "outbox.unreported", KV_ERR(error));
}

static const char *words_of(int error)
{
	switch (error) {
	case 0:
		return "";
	case -ENOENT:
		return "there is no such dead letter in this shard's outbox";
	case -EBUSY:
		return "it is no dead letter: it waits to be written, and is not thrown away";
	case -ENOTCONN:
		return "this worker has no outbox: no database is configured";
	case -ENOSPC:
		return "there is no room on the disk to do it";
	case -ECANCELED:
		return "the worker stopped meanwhile; look again with shoalctl outbox list";
	default:
		return error_text(error);
	}
}

static void report(struct worker *worker, json_int_t token, int error)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:s}", "verb", "letter_done", "token", token, "error",
				    error < 0 ? error_name(error) : "", "message", words_of(error));
	int r;

	r = control_link_request(worker->control, request, REPORT_TIMEOUT_MS, on_reported, NULL);
	if (r < 0)
		on_reported(NULL, r, NULL);
}

static void on_done(void *arg, int error, size_t count)
{
	struct order *order = arg;

	(void)count;
	report(order->worker, order->token, error);
	free(order);
}

void outbox_orders_take(struct worker *worker, const json_t *notice)
{
	const char *op = json_string_value(json_object_get(notice, "op"));
	json_int_t entry = json_integer_value(json_object_get(notice, "entry"));
	json_int_t token = json_integer_value(json_object_get(notice, "token"));
	struct order *order = malloc(sizeof(*order));
	int r = -EINVAL;

	if (order)
		*order = (struct order){ worker, token };
	if (!order)
		r = -ENOMEM;
	else if (!worker->outbox)
		r = -ENOTCONN;
	else if (op && entry >= 0 && strcmp(op, "retry") == 0)
		r = outbox_retry(worker->outbox, (uint64_t)entry, on_done, order);
	else if (op && entry >= 0 && strcmp(op, "drop") == 0)
		r = outbox_drop(worker->outbox, (uint64_t)entry, on_done, order);
	if (r == 0)
		return;
	report(worker, token, r);
	free(order);
}
