/* Alerts on their way to the supervisor. Run by the worker on its loop; what can't be told now waits for the link. */
#include "shard/alerts.h"

#include <stdio.h>
#include <string.h>

#include "shard/worker.h"
#include "shared/log/log.h"

#define TELL_TIMEOUT_MS 5000

static void on_told(void *arg, int error, const json_t *answer)
{
	(void)arg;
	(void)answer;
	if (error < 0)
		log_debug(NULL, "alerts.untold", KV_ERR(error));
}

void shard_alerts_flush(struct worker *worker)
{
	struct shard_alerts *alerts = &worker->alerts;
	uint32_t i;

	for (i = 0; i < alerts->count; i++) {
		json_t *request = json_pack("{s:s, s:s, s:s}", "verb", "alert", "event", alerts->rows[i].event, "text",
					    alerts->rows[i].text);
		int r = control_link_request(worker->control, request, TELL_TIMEOUT_MS, on_told, NULL);

		if (r < 0)
			on_told(NULL, r, NULL);
	}
	alerts->count = 0;
}

void shard_alert(struct worker *worker, const char *event, const char *text)
{
	struct shard_alerts *alerts = &worker->alerts;

	if (alerts->count == SHARD_ALERTS_MAX) {
		memmove(&alerts->rows[0], &alerts->rows[1], (SHARD_ALERTS_MAX - 1) * sizeof(alerts->rows[0]));
		alerts->count--;
	}
	snprintf(alerts->rows[alerts->count].event, sizeof(alerts->rows[0].event), "%s", event);
	snprintf(alerts->rows[alerts->count].text, sizeof(alerts->rows[0].text), "%s", text);
	alerts->count++;
	if (worker->phase != WORKER_CLOSING && control_link_is_up(worker->control))
		shard_alerts_flush(worker);
}
