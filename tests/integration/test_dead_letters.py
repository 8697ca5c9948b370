"""Events that kill their worker are set aside after the second time, the shard goes on; what operators see of them and do
with them. The worker is one that certain words kill (tests/poison)."""

import ctypes
import json
import os
import platform
import re
import signal
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of

POISON = os.path.join("tests", "poison", "shoal-shard")
# The system call that signals one thread: libc has no function for it.
TGKILL = {"x86_64": 234, "aarch64": 131}.get(platform.machine())
# Crashes are what is tested: their restarts must not turn into a slow retry.
CONFIG = {"supervisor.restart_burst": 1000, "supervisor.restart_cap_ms": 100}


def poisoned(sim, make_fleet, config=None, **options):
    fleet = make_fleet(sim, config={**CONFIG, "supervisor.worker": harness.program(POISON), **(config or {})}, **options)
    fleet.ready(shards=4)
    return fleet


def heal(fleet):
    """The same fleet with the worker as it is delivered."""
    fleet.stop()
    fleet.config["supervisor.worker"] = harness.program("shoal-shard")
    fleet.start().ready(shards=4)


def letters(fleet, *arguments):
    return fleet.ctl("dead-letters", "list", *arguments)["letters"]


def wait_letters(fleet, count):
    return procs.wait_until(lambda: (lambda found: found if len(found) == count else None)(letters(fleet)),
                            fleets.READY_S, f"{count} dead letters", tail=lambda: procs.file_tail(fleet.log, 40))


def shard_of(sim, guild):
    return (int(sim.get("/guild", index=guild)["id"]) >> 22) % 4


def ping(sim, guilds=range(8)):
    for guild in guilds:
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()


@pytest.mark.parametrize("word, reason, signal_name, module", [
    ("handler", "its handler crashed the worker", "SIGFPE", ""),
    ("module", "its handler crashed the worker", "SIGSEGV", "core"),
    ("decode", "its handler crashed the worker", "SIGSEGV", "")])
def test_a_poisonous_message_is_set_aside(sim, make_fleet, word, reason, signal_name, module):
    fleet = poisoned(sim, make_fleet)
    identifies = sim.summary()["identifies"]["total"]
    sim.say(f"!ping POISON-{word}", guild=3)
    letter = wait_letters(fleet, 1)[0]
    fleet.ready(shards=4)
    shard, guild = shard_of(sim, 3), sim.get("/guild", index=3)["id"]
    assert (letter["shard"], letter["guild_id"], letter["dispatch"]) == (shard, guild, "MESSAGE_CREATE"), letter
    assert (letter["reason"], letter["crashes"], letter["can_retry"], letter["trying"], letter["module"]) == \
        (reason, 2, True, False, module), letter
    ping(sim)
    assert sim.summary()["identifies"]["total"] == identifies, "an identify was spent"
    assert not fleet.records("gateway.loss_window")
    # What people see.
    status = fleet.status()
    assert status["dead_letters"] == 1 and status["parked_away"] == 0
    assert next(one for one in status["shards"] if one["id"] == shard)["dead_letters"] == 1
    told = [one for one in status["alerts"] if one["event"] == "pipeline.dead_letter"]
    assert told and letter["id"] in told[0]["text"] and told[0]["shard"] == shard, status["alerts"]
    _, _, metrics = fleet.http("/metrics")
    assert re.search(rf'^shoal_dead_letters\{{shard="{shard}"\}} 1$', metrics, re.M), metrics[:3000]
    assert re.search(rf'^shoal_events_dead(_total)?\{{shard="{shard}"\}} 1$', metrics, re.M)
    shown = fleet.ctl("dead-letters", "show", letter["id"])
    assert f"POISON-{word}" in shown["payload"]["d"]["content"]
    assert signal_name in shown["backtrace"] and "backtrace" in shown["backtrace"], shown["backtrace"]
    for arguments in (["list"], ["show", letter["id"]], ["list", "--shard", str(shard)]):
        done = fleet.ctl_run("dead-letters", *arguments)
        assert done.returncode == 0 and letter["id"] in done.stdout and reason in done.stdout, done
    assert fleet.ctl_run("dead-letters", "list", "--shard", str((shard + 1) % 4)).stdout == "no dead letters\n"
    # Only the worker that needs them reads them: nobody else does.
    for folder, _, names in os.walk(fleet.state_dir):
        assert os.stat(folder).st_mode & 0o077 == 0 or folder == fleet.state_dir
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0, name
    if module:
        return  # a third crash would switch the module off: then the event is answered with that
    # Tried again where it still kills: a letter again, after two more.
    done = fleet.ctl_run("dead-letters", "retry", letter["id"])
    assert done.returncode == 1 and "went away meanwhile" in done.stderr, done
    fleet.ready(shards=4)
    again = procs.wait_until(lambda: [one for one in letters(fleet) if one["crashes"] == 4 and not one["trying"]],
                             fleets.READY_S, "the letter again")
    assert again[0]["id"] == letter["id"]


def test_healed_it_is_handled(sim, make_fleet):
    """Survives the fleet's end; tried again by a worker that can; dropped."""
    fleet = poisoned(sim, make_fleet)
    asked = sim.say("!ping POISON-handler", guild=2)
    kept = wait_letters(fleet, 1)[0]
    other = sim.say("!ping POISON-decode", guild=3)
    both = wait_letters(fleet, 2)
    heal(fleet)
    assert [one["id"] for one in letters(fleet)] == [one["id"] for one in both]
    done = fleet.ctl_run("dead-letters", "retry", kept["id"])
    assert done.returncode == 0 and "handled" in done.stdout, done
    assert sim.answers_to(asked)
    gone = next(one["id"] for one in both if one["id"] != kept["id"])
    assert fleet.ctl("dead-letters", "drop", gone)["letters"] == [{"id": gone, "ok": True}]
    assert letters(fleet) == [] and not sim.answers_to(other)
    procs.wait_until(lambda: fleet.status()["dead_letters"] == 0, fleets.READY_S, "no dead letter counted")
    for arguments, words in ((["retry", kept["id"]], "no such dead letter"), (["drop", gone], "no such dead letter"),
                             (["show", kept["id"]], "no such dead letter"), (["retry", "9-1-abcdef"], "there is no shard 9")):
        done = fleet.ctl_run("dead-letters", *arguments)
        assert done.returncode == 1 and words in done.stderr, done
    for arguments in ([], ["list", "--shard"], ["list", "x"], ["retry"], ["show"], ["retry", "nonsense"], ["drop", "../x"],
                      ["bury", "1-2-000003"]):
        assert fleet.ctl_run("dead-letters", *arguments).returncode == 2, arguments
    # Gone for good.
    heal(fleet)
    assert letters(fleet) == []


def test_what_it_had_done_is_not_done_again(sim, make_fleet):
    """The message was answered before its worker died of it, twice; tried again long after, it is not answered again,
    also when a reboot has taken the runtime directory."""
    fleet = poisoned(sim, make_fleet)
    asked = sim.say("!ping POISON-later", guild=1)
    letter = wait_letters(fleet, 1)[0]
    assert len(sim.answers_to(asked)) == 1
    fleet.stop()
    procs.end_processes(list(procs.processes_naming(fleet.runtime_dir)))
    subprocess.run(["rm", "-rf", fleet.runtime_dir], check=True)
    fleet.config["supervisor.worker"] = harness.program("shoal-shard")
    fleet.start().ready(shards=4)
    assert [one["id"] for one in letters(fleet)] == [letter["id"]]
    done = fleet.ctl_run("dead-letters", "retry", letter["id"])
    assert done.returncode == 0, done
    assert letters(fleet) == []
    ping(sim)
    assert len(sim.answers_to(asked)) == 1
    assert len(sim.requests("POST", "/messages")) == 1


def test_poison_in_the_cache(sim, make_fleet):
    """A guild's event that can't be put into the cache: set aside, counted, no identify; the others are served."""
    fleet = poisoned(sim, make_fleet)
    identifies = sim.summary()["identifies"]["total"]
    guild = sim.get("/guild", index=5)
    sim.post("/event", guild_id=guild["id"], t="CHANNEL_UPDATE",
             d={"id": "77", "guild_id": guild["id"], "type": 0, "name": "POISON-apply"})
    letter = wait_letters(fleet, 1)[0]
    assert letter["reason"] == "putting it into the guild cache crashed the worker", letter
    assert (letter["dispatch"], letter["crashes"]) == ("CHANNEL_UPDATE", 2)
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == identifies and not fleet.records("gateway.loss_window")


def test_large_poison_in_the_cache(sim, make_fleet):
    """The same for one that is larger than the inbox takes: it lies nowhere when the worker dies of it."""
    fleet = poisoned(sim, make_fleet, config={"inbox.ring_kib": 64})
    identifies = sim.summary()["identifies"]["total"]
    guild = sim.get("/guild", index=5)
    sim.post("/event", guild_id=guild["id"], t="CHANNEL_UPDATE",
             d={"id": "77", "guild_id": guild["id"], "type": 0, "name": "POISON-apply", "topic": "x" * 40000})
    letter = wait_letters(fleet, 1)[0]
    assert letter["reason"] == "putting it into the guild cache crashed the worker", letter
    fleet.ready(shards=4)
    ping(sim)
    # The worker died within a RESUME: that one's RESUMED is a number that the next does not bring, and may be said.
    assert sim.summary()["identifies"]["total"] == identifies


def test_large_poison_for_a_handler(sim, make_fleet):
    """Parked from the beginning; its second crash sets it aside, too."""
    fleet = poisoned(sim, make_fleet, config={"inbox.ring_kib": 64})
    asked = sim.say("!ping POISON-handler " + "x" * 1900, guild=4, extra={"nonsense": "y" * 40000})
    letter = wait_letters(fleet, 1)[0]
    assert (letter["crashes"], letter["reason"]) == (2, "its handler crashed the worker"), letter
    fleet.ready(shards=4)
    ping(sim)
    procs.wait_until(lambda: fleet.status()["parked"] == 0, fleets.READY_S, "nothing parked")
    heal(fleet)
    assert fleet.ctl_run("dead-letters", "retry", letter["id"]).returncode == 0
    assert sim.answers_to(asked)


def test_the_shard_and_the_supervisor_may_be_away(sim, make_fleet):
    """list and show read what lies there; retry and drop say who is missing."""
    fleet = poisoned(sim, make_fleet)
    sim.say("!ping POISON-handler", guild=0)
    letter = wait_letters(fleet, 1)[0]
    fleet.ready(shards=4)
    fleet.stop()
    environment = {"SHOAL_SUPERVISOR_STATE_DIR": fleet.state_dir}
    done = fleet.ctl_run("dead-letters", "list", "--json", env=environment)
    assert [one["id"] for one in json.loads(done.stdout)["letters"]] == [letter["id"]], done
    done = fleet.ctl_run("dead-letters", "show", letter["id"], env=environment)
    assert done.returncode == 0 and "POISON-handler" in done.stdout
    assert fleet.ctl_run("dead-letters", "retry", letter["id"]).returncode == 4


def deep(depth):
    """A value nested so deeply."""
    value = "bottom"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("compress", ["none", "zlib-stream", "zstd-stream"])
def test_a_dispatch_that_is_nested_too_deeply(make_sim, make_fleet, compress):
    """It can never be read: set aside when it comes for the second time. The session goes on."""
    sim = make_sim()
    fleet = make_fleet(sim, config={"discord.compress": compress})
    fleet.ready(shards=4)
    before = sim.summary()
    guild, shard = sim.get("/guild", index=1), shard_of(sim, 1)
    sim.post("/event", guild_id=guild["id"], t="MESSAGE_CREATE",
             d={"id": "99", "guild_id": guild["id"], "content": "!ping", "embeds": deep(200)})
    letter = wait_letters(fleet, 1)[0]
    ping(sim)
    fleet.ready(shards=4)
    after = sim.summary()
    assert (letter["shard"], letter["guild_id"], letter["dispatch"], letter["crashes"]) == \
        (shard, guild["id"], "MESSAGE_CREATE", 0), letter
    assert letter["reason"] == "it could not be read: too_deep" and not letter["can_retry"] and letter["whole"]
    assert after["identifies"]["total"] == before["identifies"]["total"], "an identify was spent"
    assert after["resumes"]["ok"] == before["resumes"]["ok"] + 1
    assert not fleet.records("gateway.loss_window")
    assert "bottom" in fleet.ctl_run("dead-letters", "show", letter["id"]).stdout
    done = fleet.ctl_run("dead-letters", "retry", letter["id"])
    assert done.returncode == 1 and "can't be tried again" in done.stderr, done
    assert fleet.ctl_run("dead-letters", "drop", letter["id"]).returncode == 0


@pytest.mark.parametrize("compress, config, reason", [
    ("none", {"gateway.max_frame_kib": 512}, "larger than gateway.max_frame_kib"),
    ("none", {"gateway.max_payload_kib": 512}, "larger than gateway.max_payload_kib"),
    ("zlib-stream", {"gateway.max_payload_kib": 512}, "larger than gateway.max_payload_kib"),
    ("zlib-stream", {"gateway.max_frame_kib": 512}, "larger than gateway.max_frame_kib"),
    ("zstd-stream", {"gateway.max_payload_kib": 512}, "larger than gateway.max_payload_kib")])
def test_an_oversized_dispatch(make_sim, make_fleet, compress, config, reason):
    sim = make_sim()
    fleet = make_fleet(sim, config={"discord.compress": compress, **config})
    fleet.ready(shards=4)
    before = sim.summary()
    guild = sim.get("/guild", index=1)
    noise = os.urandom(1 << 20).hex()[:1 << 20] + os.urandom(1 << 19).hex()  # a megabyte also when it is packed
    sim.post("/event", guild_id=guild["id"], t="MESSAGE_CREATE",
             d={"id": "99", "guild_id": guild["id"], "content": "!ping", "noise": noise})
    letter = wait_letters(fleet, 1)[0]
    ping(sim)
    fleet.ready(shards=4)
    after = sim.summary()
    assert (letter["dispatch"], letter["whole"], letter["can_retry"]) == ("MESSAGE_CREATE", False, False), letter
    assert letter["reason"] == f"it could not be read: {reason}"
    assert after["identifies"]["total"] == before["identifies"]["total"], "an identify was spent"
    # The RESUME that broke off took a number for its RESUMED, which the next one does not bring.
    assert all(one["from_sequence"] == one["to_sequence"] for one in fleet.records("gateway.loss_window"))


def crash_helper(pid):
    """A thread of @pid that is not its loop gets a SIGSEGV."""
    threads = [int(name) for name in os.listdir(f"/proc/{pid}/task") if int(name) != pid]
    assert threads, "no helper thread in the worker"
    assert ctypes.CDLL(None, use_errno=True).syscall(TGKILL, pid, threads[0], signal.SIGSEGV) == 0


def hanging(fleet, shard):
    """The pid of the shard's worker, when its handler has not returned for a while."""
    def look():
        one = fleet.shard(shard)
        return one["pid"] if one["state"] == "hanging" else None
    return procs.wait_until(look, fleets.READY_S, "the event begun by its worker")


@pytest.mark.skipif(TGKILL is None, reason="tgkill's number is not known on this machine: helper threads were NOT crashed")
def test_a_crash_in_a_helper_thread_is_no_events_fault(sim, make_fleet, servers):
    """Whatever the loop is at meanwhile: neither the event nor the module pays for it."""
    fleet = poisoned(sim, make_fleet, {"supervisor.watchdog_timeout_ms": 600000, "supervisor.stop_timeout_ms": 1000},
                     nats=servers.nats)
    identifies, shard = sim.summary()["identifies"]["total"], shard_of(sim, 3)
    cause = sim.say("!ping POISON-hang", guild=3)
    for count in (1, 2, 3):
        pid = hanging(fleet, shard)
        crash_helper(pid)
        end = fleet.wait_record("worker.died", count=count, shard=shard)
        assert (end["pid"], end["class"]) == (pid, "retry"), end
        assert end["why"].startswith("crashed by SIGSEGV in a helper thread"), end
    hanging(fleet, shard)  # the fourth worker has begun it, too
    assert not fleet.records("pipeline.dead_letter") and not fleet.records("modules.crashed"), fleet.messages()
    heal(fleet)
    assert "pong" in text_of(sim.answer(cause)).lower()
    assert len(sim.answers_to(cause)) == 1 and sim.summary()["identifies"]["total"] == identifies
