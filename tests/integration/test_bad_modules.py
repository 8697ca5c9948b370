"""Modules that break the rules: what they do wrong is named, members are answered all the same, and the rest goes on."""

import json
import os
import re
import signal

import pytest

from harness.sim import text_of
from test_modules import HEAD, ROWS, build, module, said, serve

TEXT = 3

# /bad WHAT breaks one rule.
BAD = HEAD + '''
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *astray(void *arg)
{
	struct shoal_invocation *inv = arg;
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	struct shoal_message_send send = { .channel_id = 1, .content = { .text = "astray" } };
	bool refused = shoal_alloc(scope, 10) == NULL;

	refused = shoal_message_send(scope, &send, NULL, NULL) == -1 && refused;
	refused = shoal_timer_start(scope, 1, NULL, NULL, NULL) < 0 && refused;
	refused = shoal_reply_text(inv, "astray") == -1 && refused;
	shoal_invocation_release(shoal_invocation_hold(inv));
	shoal_scope_cancel(scope);
	return refused ? inv : NULL;
}

static void again(void *arg, int error)
{
	if (error == 0)
		shoal_timer_start(arg, 0, again, arg, NULL);
}

static void bad(struct shoal_invocation *inv)
{
	const char *what = shoal_invocation_string(inv, "what", "");
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	void *result = NULL;
	pthread_t thread;

	if (strcmp(what, "thread") == 0 && pthread_create(&thread, NULL, astray, inv) == 0) {
		pthread_join(thread, &result);
		shoal_reply_text(inv, result ? "all refused" : "something was heard");
	} else if (strcmp(what, "spin") == 0) {
		for (int i = 0; i < 3; i++)
			again(shoal_scope_of_module(scope), 0);
		shoal_reply_text(inv, "spinning");
	} else if (strcmp(what, "exit") == 0) {
		exit(0);
	} else if (strcmp(what, "empty") == 0) {
		shoal_reply_text(inv, "");
	} else if (strcmp(what, "twice") == 0) {
		shoal_reply_text(inv, "once");
		if (shoal_reply_text(inv, "twice") != -EALREADY)
			abort();
	} else if (strcmp(what, "long") == 0) {
		static char text[10000];
		struct shoal_embed_line line = { .name = text, .value = text };
		struct shoal_embed_content embed = { .title = text, .lines = &line, .line_count = 1 };
		struct shoal_content content = { .text = text, .embeds = &embed, .embed_count = 1 };

		for (size_t i = 0; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\\xF0\\x9F\\xA6\\x8A", 4);
		shoal_reply(inv, &content);
	} else {
		shoal_reply_text(inv, "well");
	}
}

static const struct shoal_command_option options[] = {
	{ .name = "what", .description = "What", .type = SHOAL_OPTION_STRING, .required = true },
};
static const struct shoal_command command = {
	.name = "bad", .description = "A test", .options = options, .option_count = 1, .handle = bad
};
static const struct shoal_command *const commands[] = { &command };
''' + ROWS % {"name": "bad", "more": ""}


@pytest.fixture
def modules(folder):
    path = os.path.join(folder, "modules")
    build(path, "bad", BAD.replace("#include <stdio.h>", "#include <errno.h>\n#include <stdio.h>"), "-pthread")
    return path


def bad(sim, what, guild=0, **more):
    return sim.use("bad", [{"name": "what", "type": TEXT, "value": what}], guild=guild, **more)


def test_calls_from_a_thread_of_its_own_are_not_heard(sim, make_fleet, modules):
    fleet = serve(make_fleet, sim, modules)
    assert said(sim, bad(sim, "thread")) == "all refused"
    assert fleet.wait_record("modules.wrong_thread")["module"] == "bad"
    assert not sim.requests("POST", "/channels/1/messages")


def test_timers_without_end_leave_the_shard_to_others(sim, make_fleet, modules):
    fleet = serve(make_fleet, sim, modules)
    pids = fleet.pids()
    assert said(sim, bad(sim, "spin")) == "spinning"
    for user in range(20):
        assert "pong" in said(sim, sim.use("ping", user_index=user % 8)).lower()
        assert "pong" in said(sim, sim.say("!ping", user_index=user % 8)).lower()
    assert fleet.pids() == pids
    assert fleet.stop() == 0  # and it ends in order, too


def test_one_that_ends_its_program_is_blamed_for_it(sim, make_fleet, modules):
    fleet = serve(make_fleet, sim, modules, **{"modules.breaker_crashes": 2, "supervisor.restart_burst": 100})
    bad(sim, "exit")
    fleet.wait_record("modules.switched_off", module="bad")
    assert fleet.wait_record("worker.died", count=2)["signal"] == signal.SIGABRT
    report = next(one["msg"] for one in fleet.records("?") if "crashed by SIGABRT" in one["msg"])
    assert "in module bad, called for a command (bad)" in report, report
    assert any("called exit()" in one["msg"] for one in fleet.records("?"))
    fleet.ready(shards=4)
    # The command that did it is a dead letter, and not begun for ever.
    assert re.search("switched off for now", said(sim, bad(sim, "well")))
    assert len(fleet.ctl("dead-letters", "list")["letters"]) == 1
    assert len(fleet.records("worker.died")) == 2 and module(fleet, "bad")["crashes"] == 2


def test_whatever_it_answers_the_member_reads_something(sim, make_fleet, modules):
    fleet = serve(make_fleet, sim, modules)
    told = said(sim, bad(sim, "empty"))
    incident = re.search(r"incident ([0-9a-f]{8})", told).group(1)
    assert fleet.wait_record("commands.unanswered", incident=incident)
    assert fleet.wait_record("commands.answer_invalid")["module"] == "bad"
    assert said(sim, bad(sim, "twice")) == "once"
    # What is too long is cut, wherever it stands.
    answer = sim.answer(bad(sim, "long"))
    embed = answer["embeds"][0]
    for text, most in ((answer["content"], 2000), (embed["title"], 256), (embed["fields"][0]["name"], 256),
                       (embed["fields"][0]["value"], 1024)):
        assert most - 2 <= len(text.encode("utf-16-le")) // 2 <= most and text.endswith("…"), text
    summary = sim.wait_all_answered()["interactions"]
    assert summary["doubled"] == 0 and summary["answered_once"] == 3, summary


def test_an_answer_that_discord_refuses_is_told_in_other_words(sim, make_fleet, modules):
    """By the first answer, by the edit of a deferred one, and by a message."""
    fleet = serve(make_fleet, sim, modules)
    for use, route in ((lambda: bad(sim, "well"), "create_interaction_response"), (lambda: sim.say("!bad well"), "create_message")):
        sim.fault("http_5xx", status=400, route=route)
        told = text_of(sim.answer(use()))
        incident = re.search(r"incident ([0-9a-f]{8})", told).group(1)
        assert fleet.wait_record("commands.answer_refused", incident=incident)["http_status"] == 400
    assert said(sim, bad(sim, "well")) == "well"
    assert json.dumps(sim.wait_all_answered())
