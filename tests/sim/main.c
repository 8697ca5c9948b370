/* discord-sim: a fake Discord on the loopback. This file starts the rooms in order, prints where they listen, and takes
 * them down again; single-threaded, one libuv loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/sim/commands.h"
#include "tests/sim/conn.h"
#include "tests/sim/control.h"
#include "tests/sim/flood.h"
#include "tests/sim/gateway.h"
#include "tests/sim/identify.h"
#include "tests/sim/interactions.h"
#include "tests/sim/ledger.h"
#include "tests/sim/losses.h"
#include "tests/sim/options.h"
#include "tests/sim/replay.h"
#include "tests/sim/rest.h"
#include "tests/sim/rest_thread.h"
#include "tests/sim/store.h"
#include "tests/sim/traffic.h"
#include "tests/sim/util.h"
#include "tests/sim/waits.h"
#include "tests/sim/world.h"

static uv_loop_t loop;
static uv_signal_t signals[2];
static uv_timer_t stop_timer;
static bool stopping;

static void on_stop_timer(uv_timer_t *timer)
{
	conn_stop_all();
	flood_free();
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
	uv_close((uv_handle_t *)timer, NULL);
}

/* A moment later, so that the answer to POST /stop goes out. */
static void stop(void)
{
	if (stopping)
		return;
	stopping = true;
	uv_timer_start(&stop_timer, on_stop_timer, 50, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
	stop();
}

static void tick(uint64_t now_ms)
{
	static uint64_t slow_ms;

	traffic_tick(now_ms);
	flood_tick(now_ms);
	replay_tick(now_ms);
	waits_tick(now_ms);
	if (now_ms - slow_ms < 200)
		return;
	slow_ms = now_ms;
	gateway_tick(now_ms);
	session_tick(now_ms);
	interactions_tick(now_ms);
	store_tick(now_ms);
	limits_tick(now_ms);
}

static int listen_on(enum conn_listener which, const char *name, const char *address, http_handler_fn handler)
{
	int port;

	http_set_handler(which, handler);
	port = conn_listen(which, address, &http_ops);
	if (port < 0)
		fprintf(stderr, "discord-sim: --%s %s: %s\n", name, address, uv_strerror(port));
	return port;
}

static int open_listeners(void)
{
	bool tls = options.tls_cert[0];
	char host[128], resume[160];
	int api, control, again;

	snprintf(host, sizeof(host), "%.*s", (int)strcspn(options.listen, ":"), options.listen);
	snprintf(resume, sizeof(resume), "%.120s:0", host);
	api = listen_on(LISTENER_API, "listen", options.listen, rest_handle);
	again = api < 0 ? api : listen_on(LISTENER_RESUME, "listen", resume, rest_handle);
	control = again < 0 ? again : listen_on(LISTENER_CONTROL, "control", options.control, control_handle);
	if (control < 0)
		return control;
	if (options.advertise_host[0])
		snprintf(host, sizeof(host), "%s", options.advertise_host);
	snprintf(gateway_urls.api, sizeof(gateway_urls.api), "http%s://%.100s:%d/api/v10", tls ? "s" : "", host, api);
	snprintf(gateway_urls.gateway, sizeof(gateway_urls.gateway), "ws%s://%.100s:%d", tls ? "s" : "", host, api);
	snprintf(gateway_urls.resume, sizeof(gateway_urls.resume), "ws%s://%.100s:%d", tls ? "s" : "", host, again);
	snprintf(gateway_urls.control, sizeof(gateway_urls.control), "http://%.*s:%d",
		 (int)strcspn(options.control, ":"), options.control, control);
	return 0;
}

static void announce(void)
{
	struct buf line;

	buf_init(&line, 4096);
	buf_printf(&line, "{\"api\":\"%s\",\"gateway\":\"%s\",\"resume\":\"%s\",\"control\":\"%s\",\"token\":",
		   gateway_urls.api, gateway_urls.gateway, gateway_urls.resume, gateway_urls.control);
	buf_json_str(&line, options.token);
	buf_printf(&line, ",\"application_id\":\"%llu\",\"guilds\":%llu,\"pid\":%d}\n",
		   (unsigned long long)options.application_id, (unsigned long long)world_guild_count(), (int)getpid());
	fwrite(buf_data(&line), 1, line.len, stdout);
	fflush(stdout);
	buf_free(&line);
}

static void set_log_level(void)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };

	for (int i = 0; i < 4; i++) {
		if (!strcmp(options.log_level, names[i]))
			log_set_level((enum log_level)i);
	}
}

/* As many descriptors as we may have: one process holds more than a thousand gateway connections. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	signal(SIGPIPE, SIG_IGN);
}

static int start(void)
{
	struct tls_server *tls = NULL;
	int r;

	uv_loop_init(&loop);
	if (options.tls_cert[0]) {
		tls = tls_server_new(options.tls_cert, options.tls_key, options.http2);
		if (!tls)
			return -EINVAL;
	}
	random_seed(options.seed ^ (uint64_t)getpid() << 32);
	r = world_init();
	if (r == 0)
		r = ledger_init(options.ledger_max);
	if (r == 0)
		r = flood_init(&loop);
	if (r < 0) {
		fprintf(stderr, "discord-sim: out of memory for the world\n");
		return r;
	}
	r = rest_init(&loop);
	if (r < 0) {
		fprintf(stderr, "discord-sim: --record %s: %s\n", options.record, strerror(-r));
		return r;
	}
	r = conn_init(&loop, tls, waits_end_of_pass, tick);
	if (r == 0)
		r = open_listeners();
	return r;
}

int main(int argc, char **argv)
{
	int r = options_parse(argc, argv);

	if (r != 0)
		return r > 0 ? 0 : 2;
	set_log_level();
	raise_limits();
	if (start() < 0)
		return 1;
	if (options.replay[0] && replay_load(options.replay) < 0)
		return 2;
	control_on_stop(stop);
	uv_timer_init(&loop, &stop_timer);
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, i ? SIGINT : SIGTERM);
	}
	announce();
	uv_run(&loop, UV_RUN_DEFAULT);
	session_free_all();
	replay_free();
	interactions_free();
	commands_free();
	store_free();
	ledger_free();
	losses_free();
	threads_free();
	rest_free();
	world_free();
	return 0;
}
