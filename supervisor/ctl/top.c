/* shoalctl top: the fleet at one look, drawn again each interval. Needs no terminal library: a grid of shards in
 * colour, a table of the busiest, plain ANSI. Without a terminal (or with --once) one frame is printed. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS 5000
#define FRAME_MAX      (1024 * 1024)
#define WIDTH_MIN      60
#define WIDTH_MAX      400

struct view {
	unsigned width, height;
	bool colour;
	unsigned top; /* first row of the table, for scrolling */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* One sign a shard: the grid of a thousand shards fits a screen. */
static const struct {
	const char *state;
	char sign;
} signs[] = {
	{ "ready", '#' },   { "loading", '+' },    { "identifying", 'i' }, { "resuming", 'r' },
	{ "waiting", 'w' }, { "connecting", 'c' }, { "starting", 's' },    { "backoff", '!' },
	{ "failed", 'X' },  { "stopping", '-' },   { "stopped", '.' },
};

static char sign_of(const char *state)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strcmp(signs[i].state, state) == 0)
			return signs[i].sign;
	return '?';
}

struct sums {
	int64_t ready, count, guilds, memory_kib, restarts, losses, events;
	double events_per_s, latency_max_ms, latency_sum_ms;
};

static struct sums sum_up(const json_t *shards)
{
	struct sums sums = { 0 };
	size_t i;
	const json_t *shard;

	json_array_foreach(shards, i, shard)
	{
		double latency_ms = ctl_real(shard, "latency_ms");

		sums.count++;
		sums.ready += strcmp(ctl_text(shard, "state"), "ready") == 0;
		sums.guilds += ctl_int(shard, "guilds");
		sums.memory_kib += ctl_int(shard, "memory_kib");
		sums.restarts += ctl_int(shard, "restarts");
		sums.losses += ctl_int(shard, "loss_windows");
		sums.events += ctl_int(shard, "events");
		sums.events_per_s += ctl_real(shard, "events_per_s");
		sums.latency_sum_ms += latency_ms;
		if (latency_ms > sums.latency_max_ms)
			sums.latency_max_ms = latency_ms;
	}
	return sums;
}

static void draw_head(struct buf *out, const json_t *status, const struct view *view)
{
	const json_t *ledger = json_object_get(status, "ledger");
	struct sums sums = sum_up(json_object_get(status, "shards"));
	const char *bold = view->colour ? "\033[1m" : "", *off = view->colour ? "\033[0m" : "";

	buf_printf(out, "%sshoal%s %s  %s  cluster %s  up %s\n", bold, off, ctl_clean(ctl_text(status, "version")),
		   ctl_clean(ctl_text(status, "host")), ctl_clean(ctl_text(status, "cluster")),
		   ctl_duration(ctl_int(status, "up_s")));
	buf_printf(out, "%s%s%s\n", bold, ctl_clean(ctl_text(status, "status")), off);
	buf_printf(out, "guilds %s   events %.1f/s (%s)   latency %.1f ms mean, %.1f max   memory %s\n",
		   ctl_count(sums.guilds), sums.events_per_s, ctl_count(sums.events),
		   sums.count > 0 ? sums.latency_sum_ms / (double)sums.count : 0, sums.latency_max_ms,
		   ctl_kib(sums.memory_kib));
	buf_printf(out, "restarts %s   loss windows %s   session starts %s of %s left%s\n", ctl_count(sums.restarts),
		   ctl_count(sums.losses), ctl_count(ctl_int(ledger, "remaining")), ctl_count(ctl_int(ledger, "total")),
		   json_is_true(json_object_get(ledger, "exhausted")) ? "  EXHAUSTED" : "");
}

static unsigned draw_grid(struct buf *out, const json_t *shards, const struct view *view)
{
	unsigned per_line = (view->width - 7) / 2, lines = 0;
	size_t i;
	const json_t *shard;

	per_line -= per_line % 8;
	json_array_foreach(shards, i, shard)
	{
		const char *state = ctl_text(shard, "state");

		if (i % per_line == 0) {
			buf_printf(out, "%s%5zu ", i > 0 ? "\n" : "", i);
			lines++;
		}
		buf_printf(out, " %s%c%s", ctl_state_colour(state, view->colour), sign_of(state),
			   view->colour ? "\033[0m" : "");
	}
	buf_append_str(out, "\n");
	return lines;
}

static void draw_bar(struct buf *out, double part, unsigned width)
{
	unsigned full = (unsigned)(part * width + 0.5);

	for (unsigned i = 0; i < width; i++)
		buf_append_char(out, i < full ? '|' : ' ');
}

static void draw_row(struct buf *out, const json_t *shard, double busiest, const struct view *view)
{
	const char *state = ctl_clean(ctl_text(shard, "state"));
	double rate = ctl_real(shard, "events_per_s");

	buf_printf(out, "%5" PRId64 "  %s%-11s%s %8s %9.1f ", ctl_int(shard, "id"),
		   ctl_state_colour(state, view->colour), state, view->colour ? "\033[0m" : "",
		   ctl_count(ctl_int(shard, "guilds")), rate);
	draw_bar(out, busiest > 0 ? rate / busiest : 0, 10);
	buf_printf(out, " %9s %8" PRId64 " %7" PRId64 " %7" PRId64 " %8s\n", ctl_latency(ctl_real(shard, "latency_ms")),
		   ctl_int(shard, "restarts"), ctl_int(shard, "resumes"), ctl_int(shard, "identifies"),
		   ctl_kib(ctl_int(shard, "memory_kib")));
}

static void draw_table(struct buf *out, const json_t *shards, const struct view *view, unsigned lines)
{
	size_t count = json_array_size(shards), last = view->top + lines;
	double busiest = 0;
	size_t i;
	const json_t *shard;

	json_array_foreach(shards, i, shard) if (ctl_real(shard, "events_per_s") > busiest) busiest =
		ctl_real(shard, "events_per_s");
	buf_printf(out,
		   "SHARD  STATE         GUILDS  EVENTS/S             LATENCY RESTARTS RESUMES IDENTIF   MEMORY\n");
	for (i = view->top; i < count && i < last; i++)
		draw_row(out, json_array_get(shards, i), busiest, view);
	if (last < count)
		buf_printf(out, "  ... %zu more (j, k scroll)\n", count - last);
}

static void draw(struct buf *out, const json_t *status, const struct view *view)
{
	const json_t *shards = json_object_get(status, "shards");
	unsigned used = 9;

	draw_head(out, status, view);
	buf_append_str(out, "\n");
	used += draw_grid(out, shards, view);
	buf_append_str(out, "\n");
	draw_table(out, shards, view, view->height > used + 3 ? view->height - used : 3);
}

static void measure(struct view *view)
{
	struct winsize size = { 0 };

	view->width = 100;
	view->height = 1000000; /* not a terminal: everything */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		view->width = size.ws_col;
		view->height = size.ws_row;
	}
	if (view->width < WIDTH_MIN)
		view->width = WIDTH_MIN;
	if (view->width > WIDTH_MAX)
		view->width = WIDTH_MAX;
}

static int ask(const struct ctl_options *options, json_t **ret_status)
{
	return ctl_ask(options, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL, ret_status);
}

static int once(const struct ctl_options *options)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct view view = { .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
	json_t *status = NULL;
	int r = ask(options, &status);

	if (r != CTL_OK)
		return r;
	buf_init(&out, FRAME_MAX);
	if (options->json)
		ctl_print_json(status);
	else {
		measure(&view);
		view.height = 1000000;
		draw(&out, status, &view);
		fwrite(out.data, 1, out.len, stdout);
	}
	json_decref(status);
	return CTL_OK;
}

/* Waits for a key until the next frame is due. Returns it, or 0. */
static int wait_key(uint64_t wait_ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	if (poll(&in, 1, (int)wait_ms) <= 0)
		return 0;
	if (read(STDIN_FILENO, &key, 1) <= 0)
		return 'q';
	return key;
}

static bool act_on(int key, struct view *view, size_t count)
{
	if (key == 'q' || key == 'Q' || key == 3 || interrupted)
		return false;
	if (key == 'j' && view->top + 1 < count)
		view->top++;
	if (key == 'k' && view->top > 0)
		view->top--;
	return true;
}

/* The supervisor may be away for a moment (an upgrade): said in the frame, asked again. */
static size_t frame(const struct ctl_options *options, const struct view *view)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	struct ctl_options quiet = *options;
	json_t *answer = NULL;
	size_t count = 0;
	int r;

	buf_init(&out, FRAME_MAX);
	buf_append_str(&out, "\033[H\033[2J");
	r = control_call(quiet.runtime_dir, json_pack("{s:s}", "verb", "status"), ASK_TIMEOUT_MS, NULL, NULL, &answer);
	if (r >= 0)
		r = ctl_complete(options, ASK_TIMEOUT_MS, answer);
	if (r < 0 || !json_is_true(json_object_get(answer, "ok")))
		buf_printf(&out, "no supervisor answers in %s; asking again (q quits)\n", quiet.runtime_dir);
	else {
		draw(&out, answer, view);
		count = json_array_size(json_object_get(answer, "shards"));
	}
	json_decref(answer);
	fwrite(out.data, 1, out.len, stdout);
	fflush(stdout);
	return count;
}

static int live(const struct ctl_options *options, uint64_t interval_ms)
{
	struct view view = { .colour = !getenv("NO_COLOR") };
	struct termios before, raw;
	json_t *status = NULL;
	size_t count;
	int r = ask(options, &status); /* the first answer decides: nobody there is a failure, not a picture */

	if (r != CTL_OK)
		return r;
	json_decref(status);
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return once(options);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
	do {
		measure(&view);
		count = frame(options, &view);
		if (view.top >= count)
			view.top = 0;
	} while (act_on(wait_key(interval_ms), &view, count));
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return CTL_OK;
}

int ctl_top(int argc, char **argv, const struct ctl_options *options)
{
	double interval_s = 1;
	bool only_once = options->json;
	char *end;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0) {
			only_once = true;
			continue;
		}
		if (strcmp(argv[i], "--interval") != 0 || i + 1 == argc)
			return ctl_usage("top", "takes --once and --interval S");
		interval_s = strtod(argv[++i], &end);
		if (*end != '\0' || !(interval_s >= 0.1 && interval_s <= 3600))
			return ctl_usage("top", "--interval wants 0.1 to 3600 seconds");
	}
	if (only_once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return once(options);
	return live(options, (uint64_t)(interval_s * 1000));
}
