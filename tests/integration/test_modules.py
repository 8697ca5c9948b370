"""Modules from shared objects: taken in, refused in words, switched off when they crash, exchanged without losing an event."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of

HEAD = '#include <shoal/module.h>\n'
COMMAND = '''
static void handle(struct shoal_invocation *inv) { %(body)s }
static const struct shoal_command command = { .name = "%(name)s", .description = "A test", .handle = handle };
static const struct shoal_command *const commands[] = { &command };
'''
ROWS = 'SHOAL_MODULE(%(name)s, .version = "1", .description = "A test", SHOAL_COMMANDS(commands)%(more)s);\n'


def source(name, body, more="", rows=""):
    return HEAD + rows + COMMAND % {"name": name, "body": body} + ROWS % {"name": name, "more": more}


def build(folder, name, text, *flags):
    """NAME.so in folder: as a new file, since a running worker has the old one mapped."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{name}.c")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
                    f"-I{harness.ROOT}/include", *flags, "-o", f"{path}.new", path], check=True, cwd=folder)
    os.rename(f"{path}.new", os.path.join(folder, f"{name}.so"))


def abi():
    """(major, minor) of the headers here."""
    with open(os.path.join(harness.ROOT, "include", "shoal", "api.h"), encoding="utf-8") as f:
        text = f.read()
    return tuple(int(re.search(rf"define SHOAL_ABI_{part} (\d+)", text).group(1)) for part in ("MAJOR", "MINOR"))


def serve(make_fleet, sim, modules, **config):
    fleet = make_fleet(sim, config={"modules.dir": modules, "modules.load": "*", **config})
    fleet.ready(shards=4)
    return fleet


def said(sim, cause):
    return text_of(sim.answer(cause))


def module(fleet, name):
    return next((one for one in fleet.ctl("module", "list")["modules"] if one["name"] == name), None)


# --- taken in, or not ------------------------------------------------------------------------------------------------

def test_what_is_no_module_is_left_out_in_words(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "good", source("good", 'shoal_reply_text(inv, "good is there");'))
    major, minor = abi()
    build(modules, "other_abi", source("other_abi", 'shoal_reply_text(inv, "x");'), f"-DSHOAL_ABI={(major + 1) << 16}")
    build(modules, "newer_abi", source("newer_abi", 'shoal_reply_text(inv, "x");'), f"-DSHOAL_ABI={major << 16 | minor + 1}")
    build(modules, "no_descriptor", "int nothing_here = 1;\n")
    build(modules, "undefined", HEAD + "extern void not_anywhere(struct shoal_invocation *inv);\n" +
          COMMAND % {"name": "undefined", "body": "not_anywhere(inv);"} + ROWS % {"name": "undefined", "more": ""})
    build(modules, "same_command", source("same_command", 'shoal_reply_text(inv, "x");').replace('.name = "same_command"', '.name = "ping"'))
    build(modules, "anybody", source("anybody", 'shoal_reply_text(inv, "x");'))
    os.chmod(os.path.join(modules, "anybody.so"), 0o666)
    with open(os.path.join(modules, "no_elf.so"), "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho hello\n")
    with open(os.path.join(modules, "good.so"), "rb") as f:
        head = f.read(2000)
    with open(os.path.join(modules, "cut_off.so"), "wb") as f:
        f.write(head)
    os.mkdir(os.path.join(modules, "folder.so"))
    shutil.copy(os.path.join(modules, "good.so"), os.path.join(modules, "Bad-Name.so"))
    fleet = serve(make_fleet, sim, modules)
    assert said(sim, sim.use("good")) == "good is there"
    assert "pong" in said(sim, sim.use("ping")).lower()
    answer = fleet.ctl("module", "list")
    assert sorted(one["name"] for one in answer["modules"] if one["file"] or one["name"] == "core") == ["core", "good"]
    reasons = {one["name"]: one["reason"] for one in answer["refused"]}
    for name, words in {"other_abi": rf"module ABI {major + 1}\.0, this worker has {major}\.{minor}: build it anew",
                        "newer_abi": rf"module ABI {major}\.{minor + 1}, this worker has {major}\.{minor}: build it anew", "no_descriptor": "shoal_module_no_descriptor",
                        "undefined": "not_anywhere", "same_command": "another module has a command /ping",
                        "anybody": "chmod", "no_elf": "(?i)elf|too short", "cut_off": "cut off",
                        "folder": "no file", "Bad-Name": "a-z"}.items():
        assert re.search(words, reasons.pop(name)), (name, answer["refused"])
    assert reasons == {}
    # And who only reads the log finds it, too: once each, whatever the number of shards, with the reason.
    told = [one for one in fleet.records("modules.refused") if one["level"] == "error"]
    assert sorted(one["module_name"] for one in told) == sorted(one["name"] for one in answer["refused"]), told
    for one in answer["refused"]:
        assert any(one["reason"] in record["msg"] for record in told if record["module_name"] == one["name"]), told
    assert "LEFT OUT" in fleet.ctl_run("module", "list").stdout


DIES = "#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { %s }\n"


def test_one_that_ends_its_loader_is_left_out_by_name(sim, make_fleet, folder):
    """Its code runs before anything of it is known: neither the fleet's start nor a supervisor's return may hang on it."""
    modules = os.path.join(folder, "modules")
    ways = {"aborts": "abort();", "exits": "_exit(0);", "traps": "__builtin_trap();"}
    for name, body in ways.items():
        build(modules, name, DIES % body)
    build(modules, "good", source("good", 'shoal_reply_text(inv, "good is there");'))
    fleet = serve(make_fleet, sim, modules)
    assert said(sim, sim.use("good")) == "good is there"
    reasons = {one["name"]: one["reason"] for one in fleet.ctl("module", "list")["refused"]}
    assert set(reasons) == set(ways)
    assert all("while it was loaded" in reason for reason in reasons.values()), reasons
    assert "signal 6" in reasons["aborts"] and "exit code 0" in reasons["exits"] and "signal 4" in reasons["traps"]
    assert sorted(one["msg"].split()[1] for one in fleet.records("modules.refused") if one["level"] == "error") == sorted(ways)
    assert not fleet.records("worker.died")
    # A supervisor that comes back finds its workers, and they it.
    pids, identifies = fleet.pids(), sim.summary()["identifies"]["total"]
    fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    assert fleet.pids() == pids and sim.summary()["identifies"]["total"] == identifies
    procs.wait_until(lambda: fleet.status()["phase"] == "running", fleets.READY_S, "the new supervisor has Discord's answers")
    # Mended it is taken in; until then reloading it is refused, by its name, and so is what would load another one.
    refused = fleet.ctl_run("module", "reload", "aborts")
    assert refused.returncode == 1 and "module aborts" in refused.stderr and "nothing was touched" in refused.stderr
    build(modules, "aborts", source("aborts", 'shoal_reply_text(inv, "well again");'))
    fleet.ctl("module", "reload", "aborts", timeout_s=60)
    fleet.ready(shards=4)
    sim.wait_requests(1, "PUT", "/commands")
    assert said(sim, sim.use("aborts", guild=1)) == "well again"
    assert set(one["name"] for one in fleet.ctl("module", "list")["refused"]) == {"exits", "traps"}


def test_one_that_is_exchanged_for_one_that_crashes_while_it_is_loaded(sim, make_fleet, folder):
    """The supervisor has not seen the new file: the worker that dies of it counts, and passes it by."""
    modules = os.path.join(folder, "modules")
    build(modules, "good", source("good", 'shoal_reply_text(inv, "good is there");'))
    build(modules, "bad", source("bad", 'shoal_reply_text(inv, "not yet");'))
    fleet = serve(make_fleet, sim, modules, **{"modules.breaker_crashes": 2})
    assert said(sim, sim.use("bad")) == "not yet"
    build(modules, "bad", DIES % "abort();")
    identifies = sim.summary()["identifies"]["total"]
    fleet.kill(0)
    fleet.wait_record("modules.refused", shard=0, module_name="bad")
    fleet.ready(shards=4)
    assert len(fleet.records("modules.crashed", shard=0)) == 2
    assert len(fleet.records("worker.died", shard=0)) == 3
    guild = next(i for i in range(16) if int(sim.get("/guild", index=i)["id"]) >> 22 & 3 == 0)
    assert said(sim, sim.use("good", guild=guild)) == "good is there"
    # The next worker does not die of it either; when the file was changed it is tried.
    fleet.kill(0)
    fleet.wait_record("modules.refused", count=2, shard=0, module_name="bad")
    fleet.ready(shards=4)
    assert len(fleet.records("modules.crashed", shard=0)) == 2
    build(modules, "bad", source("bad", 'shoal_reply_text(inv, "well again");'))
    fleet.ctl("restart", "0", timeout_s=60)
    fleet.ready(shards=4)
    assert said(sim, sim.use("bad", guild=guild)) == "well again"
    assert sim.summary()["identifies"]["total"] == identifies


def test_only_what_is_named_is_loaded(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    for name in ("one", "two"):
        build(modules, name, source(name, f'shoal_reply_text(inv, "{name}");'))
    fleet = serve(make_fleet, sim, modules, **{"modules.load": "two, missing"})
    sim.wait_requests(1, "PUT", "/commands")
    assert "two" in sim.commands() and "one" not in sim.commands()
    assert [one["name"] for one in fleet.ctl("module", "list")["refused"]] == ["missing"]


def test_the_manifest_tells_of_all(folder):
    modules = os.path.join(folder, "modules")
    build(modules, "watcher", HEAD + '''
static void joined(struct shoal_scope *scope, const struct shoal_event *event) { (void)scope; (void)event; }
static const struct shoal_event_row events[] = { { SHOAL_EVENT_GUILD_MEMBER_ADD, joined } };
SHOAL_MODULE(watcher, .version = "3", .without_intents = "nobody is greeted", SHOAL_EVENT_ROWS(events));
''')
    done = subprocess.run([harness.program("shoal-shard"), "--manifest", "--modules-dir", modules], check=True,
                          capture_output=True, text=True)
    manifest = json.loads(done.stdout)
    assert manifest["intents"] & 1 << 1
    assert "nobody is greeted" in manifest["privileged"]["GUILD_MEMBERS"]
    one = next(one for one in manifest["modules"] if one["name"] == "watcher")
    assert one["version"] == "3" and one["events"] == ["GUILD_MEMBER_ADD"] and "GUILD_MEMBER_ADD" in manifest["events"]


def test_what_is_linked_in_can_be_built_as_a_shared_object_too(folder):
    """Whole, from the same source; a worker that has it already says so."""
    modules = os.path.join(folder, "modules")
    os.makedirs(modules)
    for name in ("admin", "utility"):
        sources = [one for one in glob.glob(f"{harness.ROOT}/shard/modules/{name}/*.c") if "/test_" not in one]
        subprocess.run(["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
                        "-Wl,-z,now,--no-undefined", f"-I{harness.ROOT}/include", f"-I{harness.ROOT}", "-o",
                        os.path.join(modules, f"{name}.so"), *sources], check=True)
    done = subprocess.run([harness.program("shoal-shard"), "--manifest", "--modules-dir", modules], check=True,
                          capture_output=True, text=True)
    manifest = json.loads(done.stdout)
    assert {one["name"] for one in manifest["refused"]} == {"admin", "utility"}
    assert all("loaded already" in one["reason"] for one in manifest["refused"]), manifest["refused"]


# --- the example -----------------------------------------------------------------------------------------------------

@pytest.fixture
def echo(sim, make_fleet):
    return serve(make_fleet, sim, os.path.join(os.path.dirname(harness.program("shoald")), "modules"), **{"modules.load": "echo"})


def callbacks(sim):
    return [json.loads(one["body"]) for one in sim.requests("POST", "/callback")]


def press(sim, custom_id, **more):
    return sim.post("/interaction", name="", type=3, custom_id=custom_id, guild_index=0, **more)["id"]


def test_buttons_and_forms(sim, echo):
    text = [{"name": "text", "type": 3, "value": "hello @everyone"}]
    cause = sim.use("echo", text)
    assert said(sim, cause) == "hello @everyone"
    body = callbacks(sim)[0]
    assert body["data"]["allowed_mentions"]["parse"] == []
    assert [one["custom_id"] for one in body["data"]["components"][0]["components"]] == ["echo.again:1", "echo.ask"]
    sim.answer(press(sim, "echo.again:1", message_id=sim.say("what the button stands on")))
    sim.answer(press(sim, "echo.ask"))
    bodies = callbacks(sim)
    assert [one["type"] for one in bodies] == [4, 7, 9]
    assert bodies[1]["data"]["components"][0]["components"][0]["custom_id"] == "echo.again:2"
    assert bodies[2]["data"]["custom_id"] == "echo.said"
    typed = sim.post("/interaction", name="", type=5, custom_id="echo.said", guild_index=0, components=[
        {"type": 18, "id": 1, "component": {"type": 4, "id": 2, "custom_id": "text", "value": "typed"}}])["id"]
    assert said(sim, typed) == "typed"


def test_an_update_without_a_message_is_told_to_who_asked(sim, echo):
    """A form that a command has shown stands on no message; so does one whose id was forged."""
    cause = sim.post("/interaction", name="", type=5, custom_id="echo.again:1", guild_index=0)["id"]
    answer = sim.answer(cause)
    assert answer["flags"] & 64 and "incident" not in json.dumps(answer), answer


@pytest.mark.parametrize("custom_id", ["nobody", "echo", "echo.again", "echo.again:-1", "echo.again:999999999999999999999",
                                       "echo.agai:1", "core:1", "echo.again:1\u202e", ":" * 100])
def test_forged_and_foreign_ids_are_answered_plainly(sim, echo, custom_id):
    cause = press(sim, custom_id)
    sim.answer(cause)
    words = json.dumps([one.get("body") for one in sim.requests("POST")])
    assert re.search("does nothing any more|worn out", words), words
    assert "incident" not in words
    assert said(sim, sim.use("echo", [{"name": "text", "type": 3, "value": "well"}])) == "well"


# --- one that crashes, hangs, leaks -----------------------------------------------------------------------------------

BOMB = '''
static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	(void)scope;
	if (shoal_str_starts(event->message->content, SHOAL_STR("bomb")))
		*(volatile int *)8 = 1;
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, on_message } };
'''


def test_one_that_keeps_crashing_is_switched_off_and_tried_again(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "bomb", source("bomb", 'shoal_reply_text(inv, "tick");', ", SHOAL_EVENT_ROWS(events)", BOMB))
    build(modules, "calm", source("calm", 'shoal_reply_text(inv, "calm");'))
    fleet = serve(make_fleet, sim, modules, **{"modules.breaker_retry_s": 8, "modules.breaker_crashes": 3})
    shard = int(re.search(r"shard (\d+)", said(sim, sim.use("ping"))).group(1))
    before = sim.summary()["identifies"]["total"]
    assert said(sim, sim.use("bomb")) == "tick"
    sim.say("bomb 1")  # crashes twice, then is a dead letter
    sim.say("bomb 2")  # the third crash
    fleet.wait_record("modules.switched_off", module="bomb")
    assert fleet.wait_record("worker.died", count=3, shard=shard)["signal"] == signal.SIGSEGV
    # The crash report names module, event and signal.
    report = next(one["msg"] for one in fleet.records("?") if "crashed by SIGSEGV" in one["msg"])
    assert "in module bomb, called for an event (MESSAGE_CREATE)" in report, report
    # The others go on there; its own command says so in words; its events pass it by.
    fleet.ready(shards=4)
    assert said(sim, sim.use("calm")) == "calm"
    assert re.search("switched off for now", said(sim, sim.use("bomb")))
    assert "pong" in said(sim, sim.say("!ping")).lower()
    sim.say("bomb 3")
    assert said(sim, sim.use("calm")) == "calm"
    found = module(fleet, "bomb")
    assert (found["off"], found["crashes"], [one["shard"] for one in found["shards_off"]]) == (1, 3, [shard]), found
    assert found["skipped"] >= 1
    assert fleet.shard(shard)["modules_off"] == 1
    # On the other shards it is on.
    other = next(guild for guild in range(16)
                 if f"shard {shard}" not in said(sim, sim.use("ping", guild=guild)))
    assert said(sim, sim.use("bomb", guild=other)) == "tick"
    wait_alert(fleet, "modules.switched_off", "module bomb kept crashing")
    assert re.search(r'module_off_shards\{module="bomb"\} 1', fleet.http("/metrics")[2])
    # A worker that is started anew (by nobody's fault) knows; after a while it is tried again, and is well.
    fleet.ctl("restart", str(shard), timeout_s=60)
    fleet.wait_record("modules.tried_again", module="bomb")
    assert said(sim, sim.use("bomb")) == "tick"
    assert sim.summary()["identifies"]["total"] == before
    assert fleet.shard(shard)["modules_off"] == 0


def test_one_that_holds_the_loop_or_leaks_is_named(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    leak = 0 if harness.SANITIZE else 12345  # the sanitizer would name it, too
    build(modules, "sloth", source("sloth", f"const size_t leak = {leak};" + '''
	uint64_t until = shoal_clock_ns() + 300000000;
	if (leak && !shoal_alloc(shoal_invocation_scope(inv), leak))
		return;
	while (shoal_clock_ns() < until)
		;
	shoal_reply_text(inv, "at last");'''))
    fleet = serve(make_fleet, sim, modules)
    assert said(sim, sim.use("sloth")) == "at last"
    record = fleet.wait_record("modules.slow", module="sloth")
    assert record["called_for"] == "a command"
    assert re.search(r"module sloth held the loop for \d+ ms, called for a command \(sloth\)", record["msg"]), record
    found = module(fleet, "sloth")
    assert found["slow"] == 1 and found["memory_bytes"] == leak and found["slowest_us"] >= 250000, found
    wait_alert(fleet, "modules.slow", r"module sloth held the loop for .*\(sloth\)")
    assert re.search(r'module_slow\{module="sloth"\} 1\b', fleet.http("/metrics")[2])
    assert fleet.stop() == fleets.OK
    if leak:
        assert fleet.wait_record("modules.leaked", module="sloth")["bytes"] == leak


HOLDS = '''
static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	if (shoal_str_starts(event->message->content, SHOAL_STR("hold")))
		shoal_scope_hold(scope);
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, on_message } };
'''


def test_one_that_hoards_or_never_lets_go_is_named(sim, make_fleet, folder):
    """While it runs: memory that only grows, an event and a command that are never released."""
    modules = os.path.join(folder, "modules")
    build(modules, "hoarder", source("hoarder", '''
	shoal_reply_text(inv, shoal_alloc(shoal_scope_of_module(shoal_invocation_scope(inv)), 3 << 20) ? "more" : "none");'''))
    build(modules, "keeper_of_events", source("keeper_of_events", 'shoal_reply_text(inv, "mine"); shoal_invocation_hold(inv);',
                                              ", SHOAL_EVENT_ROWS(events)", HOLDS))
    # What it does is a leak; of all others the sanitizer is told elsewhere.
    fleet = make_fleet(sim, config={"modules.dir": modules, "modules.load": "*", "modules.memory_mib": 4, "modules.held_s": 2},
                       environment={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
    fleet.ready(shards=4)
    for _ in range(2):
        assert said(sim, sim.use("hoarder")) == "more"
    record = fleet.wait_record("modules.memory", module="hoarder")
    assert record["bytes"] == 6 << 20
    wait_alert(fleet, "modules.memory", r"module hoarder has 6 MiB from shoal_alloc\(\)")
    assert module(fleet, "hoarder")["memory_bytes"] == 6 << 20
    sim.say("hold")
    assert said(sim, sim.use("keeper_of_events")) == "mine"
    fleet.wait_record("modules.scope_held", count=2, module="keeper_of_events")
    what = {re.search(r"has held (\S+) for", one["msg"]).group(1) for one in fleet.records("modules.scope_held")}
    assert what == {"MESSAGE_CREATE", "keeper_of_events"}
    wait_alert(fleet, "modules.scope_held", "module keeper_of_events has held")
    procs.wait_until(lambda: module(fleet, "keeper_of_events")["held"] == 2, 20, "the gauge")
    listed = fleet.ctl_run("module", "list").stdout
    head = listed.splitlines()[0]
    row = next(line for line in listed.splitlines() if line.startswith("keeper_of_events"))
    assert row[head.index("HELD") - 1:head.index("HELD") + 4].strip() == "2", listed
    assert re.search(r'module_held\{module="keeper_of_events"\} 2\b', fleet.http("/metrics")[2])
    assert fleet.stop() == fleets.OK
    assert fleet.wait_record("modules.leaked", module="hoarder")["bytes"] == 6 << 20


def wait_alert(fleet, event, words):
    return procs.wait_until(
        lambda: next((one for one in fleet.status()["alerts"] if one["event"] == event and re.search(words, one["text"])), None),
        20 * harness.PATIENCE, f"an alert {event}: {words}", tail=lambda: str(fleet.status()["alerts"]))


def test_one_that_never_returns_is_ended_and_named(sim, make_fleet, folder):
    """The watchdog ends the worker, which counts as a crash in the module's code."""
    modules = os.path.join(folder, "modules")
    build(modules, "stuck", source("stuck", 'shoal_reply_text(inv, "free");', ", SHOAL_EVENT_ROWS(events)", '''
static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	static volatile int for_ever = 1;

	(void)scope;
	while (for_ever && shoal_str_starts(event->message->content, SHOAL_STR("hang")))
		;
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, on_message } };
'''))
    fleet = serve(make_fleet, sim, modules, **{"supervisor.watchdog_timeout_ms": int(1500 * harness.PATIENCE),
                                               "modules.breaker_crashes": 2, "modules.breaker_retry_s": 600})
    before = sim.summary()["identifies"]["total"]
    sim.say("hang")
    record = fleet.wait_record("modules.switched_off", module="stuck")
    shard = record["shard"]
    report = "\n".join(one["msg"] for one in fleet.records("?"))
    assert "in module stuck, called for an event (MESSAGE_CREATE)" in report, report
    assert fleet.wait_record("worker.died", count=2, shard=shard)["signal"] == signal.SIGABRT
    fleet.ready(shards=4)
    wait_alert(fleet, "modules.switched_off", "module stuck")
    found = module(fleet, "stuck")
    assert (found["off"], found["crashes"]) == (1, 2), found
    assert "pong" in said(sim, sim.use("ping")).lower()
    assert sim.summary()["identifies"]["total"] == before


def test_a_setup_that_refuses_leaves_the_rest(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "shy", source("shy", 'shoal_reply_text(inv, "x");', ", .setup = set_up",
                                 "static int set_up(struct shoal_scope *module) { (void)module; return -5; }\n"))
    fleet = serve(make_fleet, sim, modules)
    fleet.wait_record("modules.setup_failed", count=4)
    assert "switched off for now" in said(sim, sim.use("shy"))
    assert "pong" in said(sim, sim.use("ping")).lower()


# --- exchanged while it runs ------------------------------------------------------------------------------------------

def test_reload_takes_a_changed_one_in_without_losing_an_event(make_sim, make_fleet, folder):
    sim = make_sim(guilds=64)
    modules = os.path.join(folder, "modules")
    build(modules, "version", source("version", 'shoal_reply_text(inv, "one");'))
    fleet = serve(make_fleet, sim, modules)
    assert said(sim, sim.use("version")) == "one"
    before = sim.summary()["identifies"]["total"]
    sim.post("/traffic", rate=300)
    sim.wait_counter("traffic_made", 200)
    build(modules, "version", source("version", 'shoal_reply_text(inv, "two");'))
    build(modules, "added", source("added", 'shoal_reply_text(inv, "added");'))
    answer = fleet.ctl("module", "reload", "version", timeout_s=90)
    sim.wait_counter("traffic_made", 400)
    sim.post("/traffic", rate=0)
    assert [one["shard"] for one in answer["restarted"]] == [0, 1, 2, 3] and answer["identifies"] == 0
    assert said(sim, sim.use("version")) == "two"
    sim.wait_requests(2, "PUT", "/commands")
    assert "added" in sim.commands() and said(sim, sim.use("added")) == "added"
    assert sim.summary()["identifies"]["total"] == before
    summary = sim.wait_all_answered()
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0 and summary[kind]["unanswered"] == 0, summary
    assert sum(one["loss_windows"] for one in fleet.status()["shards"]) == 0


def test_reload_refuses_what_does_not_load_before_it_touches_a_shard(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "version", source("version", 'shoal_reply_text(inv, "one");'))
    fleet = serve(make_fleet, sim, modules)
    pids = fleet.pids()
    for name, words in (("missing", "no module missing"), ("version", "build it anew")):
        if name == "version":
            build(modules, name, source(name, 'shoal_reply_text(inv, "x");'), f"-DSHOAL_ABI={(abi()[0] + 1) << 16}")
        done = fleet.ctl_run("module", "reload", name)
        assert done.returncode == 1 and words in done.stderr + done.stdout, done
    # One that crashes while it is loaded ends the program that asks, and no worker.
    build(modules, "version", source("version", 'shoal_reply_text(inv, "x");') +
          "__attribute__((constructor)) static void at_once(void) { __builtin_trap(); }\n")
    done = fleet.ctl_run("module", "reload", "version")
    assert done.returncode == 1 and "nothing was touched" in done.stderr + done.stdout, done
    assert fleet.pids() == pids
    assert said(sim, sim.use("version")) == "one"


def test_plan_says_what_an_intents_change_would_cost(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "plain", source("plain", 'shoal_reply_text(inv, "x");'))
    build(modules, "watcher", HEAD + '''
static void on_event(struct shoal_scope *scope, const struct shoal_event *event) { (void)scope; (void)event; }
static const struct shoal_event_row events[] = { { SHOAL_EVENT_INVITE_CREATE, on_event } };
SHOAL_MODULE(watcher, .version = "3", SHOAL_EVENT_ROWS(events));
''')
    fleet = serve(make_fleet, sim, modules, **{"modules.load": ""})
    pids = fleet.pids()
    plan = fleet.ctl("plan", "module", "load", "plain")
    assert plan["identifies"] == 0 and any("intents stay" in why for why in plan["why"])
    assert any("commands change" in why for why in plan["why"]), plan
    plan = fleet.ctl("plan", "module", "load", "watcher")
    assert plan["identifies"] == 4 and any("GUILD_INVITES" in why for why in plan["why"]), plan
    assert fleet.ctl_run("plan", "module", "load", "nobody").returncode == 1
    assert fleet.pids() == pids


def test_a_reload_that_lacks_an_intent_says_so(sim, make_fleet, folder):
    """It resumes, and identifies nothing by itself: then it must not look as if all were well."""
    modules = os.path.join(folder, "modules")
    build(modules, "plain", source("plain", 'shoal_reply_text(inv, "x");'))
    fleet = serve(make_fleet, sim, modules)
    assert "note:" not in fleet.ctl_run("module", "reload", "plain", timeout_s=60).stdout
    build(modules, "watcher", HEAD + '''
static void on_event(struct shoal_scope *scope, const struct shoal_event *event) { (void)scope; (void)event; }
static const struct shoal_event_row events[] = { { SHOAL_EVENT_INVITE_CREATE, on_event } };
SHOAL_MODULE(watcher, .version = "3", SHOAL_EVENT_ROWS(events));
''')
    done = fleet.ctl_run("module", "reload", "watcher", timeout_s=60)
    assert done.returncode == 0 and re.search("note: .*lack GUILD_INVITES.*plan module load watcher", done.stdout), done
    wait_alert(fleet, "modules.intents_missing", "GUILD_INVITES")
    assert fleet.ctl("plan", "module", "load", "watcher")["identifies"] == 4
    assert sim.summary()["identifies"]["total"] == 4


# --- one of one's own -------------------------------------------------------------------------------------------------

def test_a_new_one_works_as_it_is_written(sim, make_fleet, folder):
    done = subprocess.run([harness.program("shoalctl"), "module", "new", "greeter", os.path.join(folder, "greeter")],
                          check=True, capture_output=True, text=True, cwd=folder)
    assert "greeter.c" in done.stdout
    made = os.path.join(folder, "greeter")
    include = f"CFLAGS=-Werror -I{harness.ROOT}/include"
    tested = subprocess.run(["make", "-C", made, "test", include], check=True, capture_output=True, text=True)
    assert "PASSED" in tested.stdout + tested.stderr
    subprocess.run(["make", "-C", made, "greeter.so", include], check=True, capture_output=True)
    again = subprocess.run([harness.program("shoalctl"), "module", "new", "greeter", made], check=False, cwd=folder,
                           capture_output=True, text=True)
    assert again.returncode == 1 and "exists" in (again.stderr + again.stdout).lower()
    bad = subprocess.run([harness.program("shoalctl"), "module", "new", "../x"], check=False, cwd=folder, capture_output=True)
    assert bad.returncode == 2
    fleet = serve(make_fleet, sim, made)
    assert said(sim, sim.use("greeter", [{"name": "whom", "type": 3, "value": "world"}])) == "Hello from greeter, world!"
    assert said(sim, sim.say("!greeter all of you")) == "Hello from greeter, all of you!"
    procs.wait_until(lambda: module(fleet, "greeter")["entries"] >= 2, 10, "two entries counted")
