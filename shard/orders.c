/* What operators decide of dead letters, run by the worker on its loop. Whatever an order says is checked here: it came
 * over a socket. */
#include "shard/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
		log_debug(NULL, "orders.unreported", KV_ERR(error));
}

static void report(struct worker *worker, json_int_t token, int error, const char *words)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:s}", "verb", "letter_done", "token", token, "error",
				    error < 0 ? error_name(error) : "", "message", words);
	int r;

	r = control_link_request(worker->control, request, REPORT_TIMEOUT_MS, on_reported, NULL);
	if (r < 0)
		on_reported(NULL, r, NULL);
}

/* --- events that were set aside */

static const char *letter_words(int error)
{
	switch (error) {
	case 0:
		return "";
	case -ENOENT:
		return "there is no such dead letter";
	case -EALREADY:
		return "it is being tried already";
	case -EBUSY:
		return "it is being tried right now";
	case -EBADMSG:
		return "it can't be tried again: its payload never made sense, or was too large to be kept whole";
	case -ENOSPC:
		return "there is no room to try it again; is the runtime directory full?";
	case -SHOAL_EDAMAGED:
		return "what it had done before can't be read any more: tried again it might do that twice";
	case -ECANCELED:
		return "the worker stopped before it was handled; its successor goes on with it";
	default:
		return error_text(error);
	}
}

static void on_letter_handled(void *arg, int error)
{
	struct order *order = arg;

	report(order->worker, order->token, error, letter_words(error));
	free(order);
}

static int retry_letter(struct worker *worker, const struct letter_id *id, json_int_t token)
{
	struct order *order = malloc(sizeof(*order));
	int r;

	if (!order)
		return -ENOMEM;
	*order = (struct order){ worker, token };
	r = pipeline_retry(worker->pipeline, id, on_letter_handled, order);
	if (r < 0)
		free(order);
	return r;
}

void orders_letter(struct worker *worker, const json_t *notice)
{
	const char *op = json_string_value(json_object_get(notice, "op"));
	const char *letter = json_string_value(json_object_get(notice, "letter"));
	json_int_t token = json_integer_value(json_object_get(notice, "token"));
	struct letter_id id;
	int r = -EINVAL;

	if (op && letter && letter_id_parse(letter, &id) == 0) {
		if (!worker->pipeline || worker->phase != WORKER_RUNNING)
			r = -ESHUTDOWN;
		else if (id.shard_id != worker->options.shard_id)
			r = -ENOENT;
		else if (strcmp(op, "retry") == 0)
			r = retry_letter(worker, &id, token);
		else if (strcmp(op, "drop") == 0)
			r = pipeline_drop(worker->pipeline, &id);
	}
	/* A retry reports when it is handled. */
	if (r < 0 || (op && strcmp(op, "drop") == 0))
		report(worker, token, r, letter_words(r));
}

/* --- writes that the database refused for good */

static const char *outbox_words(int error)
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

static void on_outbox_done(void *arg, int error, size_t count)
{
	struct order *order = arg;

	(void)count;
	report(order->worker, order->token, error, outbox_words(error));
	free(order);
}

void orders_outbox(struct worker *worker, const json_t *notice)
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
		r = outbox_retry(worker->outbox, (uint64_t)entry, on_outbox_done, order);
	else if (op && entry >= 0 && strcmp(op, "drop") == 0)
		r = outbox_drop(worker->outbox, (uint64_t)entry, on_outbox_done, order);
	if (r == 0)
		return;
	report(worker, token, r, outbox_words(r));
	free(order);
}
