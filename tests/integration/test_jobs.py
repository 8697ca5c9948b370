"""Jobs of modules: what becomes of those that come late, of one that is cancelled while it runs, and of one whose time
comes while the database is away."""

import collections
import os
import time

import pytest

import procs
from harness import servers as server_tools
from harness.gateway_client import Rest
from test_modules import HEAD, build

# A message "slow 5" makes a job of the tag 5 that says that it has begun and goes on until a message says "go";
# "cancel 5" cancels it; "soon 3000" makes one for three seconds after the message.
LATE = HEAD + r'''
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static bool go;
static void say(struct shoal_scope *scope, uint64_t channel_id, const char *text)
{
	struct shoal_message_send request = { .channel_id = channel_id, .content = { .text = text } };
	shoal_message_send(scope, &request, NULL, NULL);
}
/* The payload: a channel, and a word for what it is. */
static void tell(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	char text[200], *word;
	uint64_t channel_id = strtoull(run->payload, &word, 10);
	snprintf(text, sizeof(text), "%s: run %" PRIu64 ", late %d, missed %u", word + 1, run->number, run->late, run->missed);
	say(scope, channel_id, text);
}
struct waiting { struct shoal_scope *scope; uint64_t channel_id, tag; };
static void look(void *arg, int error)
{
	struct waiting *waiting = arg;
	char text[64];
	if (error == 0 && !go && shoal_timer_start(waiting->scope, 20, look, waiting, NULL) == 0)
		return;
	snprintf(text, sizeof(text), "ended %" PRIu64, waiting->tag);
	if (error == 0)
		say(waiting->scope, waiting->channel_id, text);
	shoal_free(waiting);
}
static void slow(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	struct waiting *waiting = shoal_alloc(scope, sizeof(*waiting));
	char text[64];
	*waiting = (struct waiting){ scope, strtoull(run->payload, NULL, 10), run->tag };
	snprintf(text, sizeof(text), "begun %" PRIu64 " run %" PRIu64, run->tag, run->number);
	say(scope, waiting->channel_id, text);
	look(waiting, 0);
}
struct cancelling { struct shoal_scope *scope; uint64_t channel_id; };
static void cancelled(void *arg, const struct shoal_scheduled *result)
{
	struct cancelling *cancelling = arg;
	char text[64];
	snprintf(text, sizeof(text), "cancelled %d", result->error);
	if (result->error != -125)
		say(cancelling->scope, cancelling->channel_id, text);
	shoal_free(cancelling);
}
static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	const struct shoal_message *message = event->message;
	char payload[64], words[64];
	uint64_t number;
	snprintf(words, sizeof(words), "%.*s", SHOAL_STR_ARG(message->content));
	number = strchr(words, ' ') ? strtoull(strchr(words, ' '), NULL, 10) : 0;
	struct shoal_schedule request = { .job = "slow", .guild_id = message->guild_id, .tag = number, .payload = payload,
					  .at_ms = shoal_snowflake_ms(message->id), .repeat = "every 1s" };
	struct shoal_job_ref ref = { .job = "slow", .guild_id = message->guild_id, .tag = number };
	request.payload_len = (size_t)snprintf(payload, sizeof(payload), "%" PRIu64 " soon", message->channel_id);
	if (strncmp(words, "slow ", 5) == 0) {
		shoal_schedule(scope, &request, NULL, NULL);
	} else if (strncmp(words, "soon ", 5) == 0) {
		request.job = "run";
		request.tag = 0;
		request.repeat = NULL;
		request.at_ms += (int64_t)number;
		shoal_schedule(scope, &request, NULL, NULL);
	} else if (strncmp(words, "cancel ", 7) == 0) {
		struct cancelling *cancelling = shoal_alloc(scope, sizeof(*cancelling));
		*cancelling = (struct cancelling){ scope, message->channel_id };
		shoal_job_cancel(scope, &ref, cancelled, cancelling);
	} else if (strcmp(words, "go") == 0) {
		go = true;
	}
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, on_message } };
static const struct shoal_job jobs[] = {
	{ .name = "run", .handle = tell },
	{ .name = "skip", .late = SHOAL_JOB_LATE_SKIP, .handle = tell },
	{ .name = "once", .late = SHOAL_JOB_LATE_ONCE, .handle = tell },
	{ .name = "tell", .late = SHOAL_JOB_LATE_TELL, .handle = tell },
	{ .name = "limit", .late_max_s = 120, .handle = tell },
	{ .name = "slow", .handle = slow },
};
SHOAL_MODULE(late, .version = "1", .description = "A test", .intents = 1 << 15, SHOAL_EVENT_ROWS(events), SHOAL_JOBS(jobs));
'''


def serve(make_fleet, sim, folder, url):
    modules = os.path.join(folder, "modules")
    build(modules, "late", LATE)
    fleet = make_fleet(sim, database=url, config={"modules.dir": modules, "modules.load": "*", "jobs.look_s": 1})
    fleet.ready(shards=4)
    return fleet


@pytest.fixture
def sim(make_sim):
    """The test itself asks more than Discord would let it."""
    return make_sim(rest_limits=False)


def place(sim, guild=0):
    one = sim.get("/guild", index=guild)
    return one["id"], next(channel["id"] for channel in one["channels"] if channel["type"] == 0)


def said(rest, channel):
    status, messages = rest.call("GET", f"/channels/{channel}/messages?limit=100")
    assert status == 200, messages
    return collections.Counter(one["content"] for one in messages)


def eventually(check, what, fleet):
    return procs.wait_until(check, 60, what, interval_s=0.1, tail=lambda: procs.file_tail(fleet.log, 40))


def test_what_becomes_of_late_ones(sim, make_fleet, servers, folder):
    url = servers.database()
    fleet = serve(make_fleet, sim, folder, url)
    guild, channel = place(sim)
    kinds, rows = ("run", "skip", "once", "tell", "limit"), []
    for i, kind in enumerate(kinds):
        for j, (word, ago, repeat) in enumerate((("again", "40 minutes", "every 15m"), ("alone", "40 minutes", ""),
                                                 ("soon", "30 seconds", ""))):
            rows.append(f"({guild}, {100 + 10 * i + j}, 'late', '{kind}', 0, now() - interval '{ago}', '{repeat}',"
                        f" '{channel} {kind} {word}'::bytea)")
    servers.sql("INSERT INTO shoal.job (guild_id, id, module, name, version, due_at, repeat, payload) VALUES " +
                ", ".join(rows), url)
    left = lambda: servers.sql("SELECT string_agg(name || ' ' || run, ', ' ORDER BY id) FROM shoal.job WHERE"  # noqa: E731
                               " module = 'late' AND (due_at <= now() OR holder <> 0)", url)
    eventually(lambda: left() == "", "none is due", fleet)
    rest, wanted = Rest(sim), {
        # Recurring: due 40, 25 and 10 minutes ago, and next in five.
        "run again": ["run 0, late 0, missed 0", "run 1, late 0, missed 0", "run 2, late 0, missed 0"],
        "skip again": [], "once again": ["run 0, late 0, missed 2"], "tell again": ["run 0, late 1, missed 2"], "limit again": [],
        "run alone": ["run 0, late 0, missed 0"], "skip alone": [], "once alone": ["run 0, late 0, missed 0"],
        "tell alone": ["run 0, late 1, missed 0"], "limit alone": [],
        **{f"{kind} soon": ["run 0, late 0, missed 0"] for kind in kinds}}
    everything = collections.Counter(f"{what}: {text}" for what, texts in wanted.items() for text in texts)
    eventually(lambda: said(rest, channel) >= everything, "each says its word", fleet)
    assert said(rest, channel) == everything
    rest_of = servers.sql("SELECT name || ' ' || run || ' ' || (due_at > now() AND due_at < now() + interval '6 minutes')"
                          " FROM shoal.job WHERE module = 'late' ORDER BY id", url).splitlines()
    assert rest_of == ["run 3 true", "skip 1 true", "once 1 true", "tell 1 true", "limit 3 true"]
    assert len(fleet.records("schedule.skipped")) == 6  # limit again: each of the three


def test_one_is_cancelled_while_it_runs(sim, make_fleet, servers, folder):
    """What is under way goes on to its end; there is no next run, though it is a recurring one."""
    url = servers.database()
    fleet = serve(make_fleet, sim, folder, url)
    _, channel = place(sim)
    rest = Rest(sim)
    there = lambda tag: servers.sql(f"SELECT count(*) FROM shoal.job WHERE module = 'late' AND tag = {tag}", url)  # noqa: E731

    def write(text):
        sim.post("/message", guild_index=0, channel_id=channel, content=text)

    write("slow 5")
    eventually(lambda: said(rest, channel)["begun 5 run 0"], "it has begun", fleet)
    assert there(5) == "1"
    write("cancel 5")
    eventually(lambda: said(rest, channel)["cancelled 0"], "it is cancelled", fleet)
    assert there(5) == "0"
    write("cancel 5")
    eventually(lambda: said(rest, channel)["cancelled -2"], "there is none any more", fleet)
    assert not said(rest, channel)["ended 5"]
    write("go")
    eventually(lambda: said(rest, channel)["ended 5"], "it goes on to its end", fleet)
    fleet.wait_record("schedule.fenced")
    # Another after it, of the same kind: whatever was to come of the first has come before its second run.
    write("slow 6")
    eventually(lambda: said(rest, channel)["begun 6 run 1"], "a second run of another", fleet)
    found = said(rest, channel)
    assert found["begun 5 run 0"] == found["ended 5"] == 1 and not found["begun 5 run 1"], found
    assert there(5) == "0" and not fleet.records("schedule.bad_step")


def test_the_database_is_away_when_its_time_comes(sim, make_fleet, own_stack, folder):
    private = own_stack(nats=False, prefix="shoal-jobs")
    postgres = private.postgres
    done = server_tools.migrate(postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet = serve(make_fleet, sim, folder, postgres.url())
    _, channel = place(sim)
    rest = Rest(sim)
    sim.post("/message", guild_index=0, channel_id=channel, content="soon 2500")
    due = time.monotonic() + 2.5
    eventually(lambda: postgres.psql("SELECT count(*) FROM shoal.job WHERE name = 'run'", database="shoal") == "1", "it is written",
               fleet)
    postgres.kill()
    # Whether another host has begun it nobody can know now: it is not begun.
    procs.wait_until(lambda: time.monotonic() > due + 1, 30, "its time passes")
    word = "soon: run 0, late 0, missed 0"
    early = said(rest, channel)[word]
    postgres.start()
    eventually(lambda: said(rest, channel)[word], "it is begun when the database is back", fleet)
    eventually(lambda: postgres.psql("SELECT count(*) FROM shoal.job WHERE name = 'run'", database="shoal") == "0", "it is over", fleet)
    assert not early, "it was written in time, and begun without the database"
    assert said(rest, channel)[word] == 1
