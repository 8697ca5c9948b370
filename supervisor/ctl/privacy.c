/* shoalctl privacy: what is kept of a member, whole, and its removal; for those who ask the operator. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/privacy/privacy.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/database.h"

#define DEADLINE_MS 120000

struct request {
	const struct ctl_options *options;
	struct loop loop;
	uv_timer_t deadline;
	struct db *db;
	int exit;
	bool ended;
};

static void on_closed(void *arg)
{
	loop_stop(&((struct request *)arg)->loop);
}

static void end(struct request *request, int exit)
{
	if (request->ended)
		return;
	request->ended = true;
	request->exit = exit;
	db_close(request->db, on_closed, request);
}

static void fail(struct request *request, int error)
{
	if (request->ended)
		return;
	end(request, ctl_fail(request->options, error == -SHOAL_EOFFLINE ? CTL_AWAY : CTL_FAILED, error_name(error),
			      error_text(error)));
}

static void on_exported(void *arg, int error, const char *json, size_t len, bool cut)
{
	struct request *request = arg;

	if (error < 0) {
		fail(request, error);
		return;
	}
	fwrite(json, 1, len, stdout);
	if (cut)
		fprintf(stderr, "shoalctl: there is more than %d bytes; the rest is left out\n", PRIVACY_EXPORT_MAX);
	end(request, CTL_OK);
}

static void on_erased(void *arg, int error, uint64_t rows)
{
	struct request *request = arg;

	if (error < 0) {
		fail(request, error);
		return;
	}
	if (request->options->json)
		printf("{\"rows\": %" PRIu64 "}\n", rows);
	else
		printf("%" PRIu64
		       " rows are deleted or no longer name the member; workers empty their files within two "
		       "minutes\n",
		       rows);
	end(request, CTL_OK);
}

static void on_deadline(uv_timer_t *timer)
{
	fail(timer->data, -ETIMEDOUT);
}

static int run(struct request *request, const struct config *config, bool erase, uint64_t user_id)
{
	static const struct db_events events = { 0 };
	struct db_options db = { .conninfo = config->postgres_conninfo,
				 .read_conninfo = "",
				 .application_name = "shoalctl privacy",
				 .version = shoal_version,
				 .connections = 1,
				 .connect_timeout_ms = config->postgres_connect_timeout_ms,
				 .statement_timeout_ms = config->postgres_statement_timeout_ms };
	int r = loop_init(&request->loop);

	if (r == 0)
		r = db_new(&request->loop, &db, &events, request, &request->db);
	if (r < 0)
		return ctl_fail(request->options, CTL_CONFIG, error_name(r), error_text(r));
	uv_timer_init(&request->loop.uv, &request->deadline);
	request->deadline.data = request;
	uv_timer_start(&request->deadline, on_deadline, DEADLINE_MS, 0);
	r = erase ? privacy_erase(request->db, user_id, on_erased, request)
		  : privacy_export(request->db, user_id, on_exported, request);
	if (r < 0)
		fail(request, r);
	loop_run(&request->loop);
	uv_close((uv_handle_t *)&request->deadline, NULL);
	loop_finish(&request->loop);
	return request->exit;
}

int ctl_privacy(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(config_freep) struct config *own = NULL;
	const struct config *config = ctl_database_config(options, &own);
	const struct log_options quiet = {
		.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_HUMAN, .program = "shoalctl", .fd = 2
	};
	struct request request = { .options = options };
	bool erase = argc == 3 && strcmp(argv[1], "delete") == 0;
	uint64_t user_id = 0;
	char *end_at = NULL;

	if (argc == 3)
		user_id = strtoull(argv[2], &end_at, 10);
	if (argc != 3 || (!erase && strcmp(argv[1], "export") != 0) || *end_at || user_id == 0 || user_id > INT64_MAX)
		return ctl_usage("privacy", "wants export USER-ID or delete USER-ID --yes");
	if (erase && !options->yes)
		return ctl_usage("privacy", "delete can't be undone: say --yes");
	if (!config)
		return ctl_fail(options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL");
	log_setup(&quiet);
	return run(&request, config, erase, user_id);
}
