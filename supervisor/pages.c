/* What the HTTP server shows. Run by the supervisor on its loop; read-only. */
#include "supervisor/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/metrics/metrics.h"
#include "supervisor/report.h"

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"

/* Alive: our loop turned to make this page. */
static int healthz(void *arg, struct buf *body)
{
	(void)arg;
	return buf_append_str(body, "ok\n") < 0 ? 500 : 200;
}

/* Ready: every shard is. The line says what is missing. */
static int readyz(void *arg, struct buf *body)
{
	char line[256];

	report_line(arg, line, sizeof(line));
	if (buf_printf(body, "%s\n", line) < 0)
		return 500;
	return report_all_ready(arg) ? 200 : 503;
}

static int metrics(void *arg, struct buf *body)
{
	int r = report_metrics(arg, body);

	return r < 0 ? r : 200;
}

static int put_json(json_t *json, struct buf *body)
{
	CLEANUP(cleanup_free) char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	int r;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	r = buf_printf(body, "%s\n", text);
	return r < 0 ? r : 200;
}

static int status(void *arg, struct buf *body)
{
	return put_json(report_status(arg, REPORT_ALL), body);
}

static int shards(void *arg, struct buf *body)
{
	return put_json(report_fleet(arg, REPORT_ALL), body);
}

static int index_page(void *arg, struct buf *body)
{
	int r;

	r = readyz(arg, body);
	for (const struct http_route *route = page_routes; route->path && r > 0; route++)
		if (buf_printf(body, "%-16s %s\n", route->path, route->help) < 0)
			r = -ENOBUFS;
	return r < 0 ? r : 200;
}

const struct http_route page_routes[] = {
	{ "/healthz", TEXT, healthz, "200 while the supervisor's loop turns" },
	{ "/readyz", TEXT, readyz, "200 when every shard is ready, else 503" },
	{ "/metrics", METRICS_CONTENT_TYPE, metrics, "Prometheus text" },
	{ "/api/v1/status", JSON, status, "what `shoalctl status --json` shows" },
	{ "/api/v1/shards", JSON, shards, "what `shoalctl shards --json` shows" },
	{ "/", TEXT, index_page, "this list" },
	{ NULL, NULL, NULL, NULL },
};
