"""The supervisor re-executes itself in place: same pid, same lock, no connection of a worker is lost; what could not run
is refused with the reason, and nothing changes."""

import os
import re
import signal
import socket
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of


def state(sim, fleet):
    """What a reload must leave as it is."""
    summary = sim.summary()
    return (fleet.process.pid, fleet.pids(), summary["identifies"]["total"], summary["resumes"]["ok"],
            sim.counters()["connects"])


def answers(sim, guilds=range(8)):
    for cause in [sim.say("!ping", guild=guild) for guild in guilds]:
        assert "pong" in text_of(sim.answer(cause)).lower()
        assert len(sim.answers_to(cause)) == 1


def wait_serial(fleet, serial):
    """Waits for the image of that number, with every shard linked to it."""
    def look():
        status = fleet.status(missing_ok=True)
        return status if status and status["serial"] == serial and status["shards"] and all(
            one["linked"] and one["state"] == "ready" for one in status["shards"]) else None
    return procs.wait_until(look, 30, f"image {serial} with all shards linked",
                            tail=lambda: procs.file_tail(fleet.log, 60))


def test_reload_takes_new_configuration_and_no_worker_notices(sim, fleet):
    before = state(sim, fleet)
    assert fleet.status()["serial"] == 0
    fleet.config["supervisor.orphan_timeout_s"] = 77
    fleet.config["log.level"] = "info"
    fleet.write_ini()
    assert fleet.ctl("reload")["serial"] == 1
    wait_serial(fleet, 1)
    assert state(sim, fleet) == before
    assert fleet.process.poll() is None
    # The new level holds: no debug record of the new image.
    again = len(fleet.records("supervisor.starting"))
    assert again == 2
    log = fleet.records()
    last = max(i for i, one in enumerate(log) if one.get("event") == "supervisor.starting")
    assert not [one for one in log[last:] if one.get("level") == "debug" and one.get("program") == "shoald"]
    answers(sim)
    # A worker that dies afterwards is its child still: seen, reaped, resumed.
    victim = fleet.pids()[2]
    os.kill(victim, signal.SIGKILL)
    fleet.wait_record("worker.died", shard=2, signal=9)
    sim.wait(resumes=before[3] + 1)
    fleet.ready(shards=4)
    assert sim.summary()["identifies"]["total"] == before[2]
    assert fleet.stop() == fleets.OK


def test_sighup_many_times_in_a_row(sim, fleet):
    before = state(sim, fleet)
    for _ in range(20):
        fleet.process.send_signal(signal.SIGHUP)
    wait_status = procs.wait_until(
        lambda: (lambda s: s if s and s["serial"] >= 1 else None)(fleet.status(missing_ok=True)), 30, "a new image")
    wait_serial(fleet, fleet.status(missing_ok=True)["serial"] if wait_status else 1)
    assert fleet.process.poll() is None
    assert state(sim, fleet) == before
    answers(sim)


@pytest.mark.parametrize("change, words", [
    ({"discord.shard_cuont": 4}, "shard_cuont"),
    ({"supervisor.runtime_dir": "/dev/shm/elsewhere"}, "runtime_dir"),
    ({"supervisor.worker": "/nonexistent/shoal-shard"}, "supervisor.worker"),
    ({"supervisor.worker": "/bin/true"}, "manifest"),
    ({"supervisor.http_listen": "taken"}, "http_listen"),
    ({"discord.shard_count": 8}, "discord.shard_count can't change while workers run (4 to 8)"),
], ids=["unknown-key", "other-runtime-dir", "no-worker", "not-a-worker", "port-taken", "other-shard-count"])
def test_bad_configuration_is_refused_and_nothing_changes(sim, fleet, change, words):
    before, address = state(sim, fleet), fleet.http_address()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        if "taken" in change.values():
            change = {"supervisor.http_listen": "127.0.0.1:%d" % other.getsockname()[1]}
        good = {key: fleet.config.get(key) for key in change}
        fleet.config.update(change)
        fleet.write_ini()
        # Not from the fleet's folder: shoalctl would trip over the same file there.
        done = subprocess.run([harness.program("shoalctl"), "reload"], check=False, text=True, capture_output=True,
                              timeout=60, cwd="/",
                              env={**fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": fleet.runtime_dir})
        assert done.returncode == 1 and words in done.stderr, done.stderr
        # By signal too: said in the log, and as an alert.
        fleet.process.send_signal(signal.SIGHUP)
        record = fleet.wait_record("reload.refused", count=2)
        assert words in record["msg"] and record["level"] == "error"
    fleet.config.update(good)
    fleet.config.pop("discord.shard_cuont", None)
    fleet.write_ini()
    status = fleet.status()
    assert status["serial"] == 0 and "reload.refused" in [one["event"] for one in status["alerts"]]
    assert state(sim, fleet) == before and fleet.http_address() == address
    answers(sim)


def test_program_that_is_none_is_refused(sim, fleet):
    before = state(sim, fleet)
    for path, words in (("/nonexistent/shoald", "/nonexistent/shoald can't be started: No such file"),
                        ("/etc/hostname", "/etc/hostname can't be started: "),
                        ("/bin/false", "/bin/false is no shoald"), ("/bin/sleep", "ended with 1")):
        done = fleet.ctl_run("reload", "--binary", path)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    assert state(sim, fleet) == before


def test_reload_while_discord_is_away(sim, make_fleet):
    """The API does not answer: the reload is done all the same, and workers that run are adopted without it."""
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    before = state(sim, fleet)
    fault = sim.fault("http_5xx", times=-1, route="get_bot_gateway")
    fleet.ctl("reload")
    wait_serial(fleet, 1)
    assert state(sim, fleet) == before
    sim.ask("DELETE", f"/faults?id={fault['id']}")
    procs.wait_until(lambda: fleet.status()["phase"] == "running", 30, "the plan made")
    assert state(sim, fleet) == before


def test_lock_is_never_let_go(sim, fleet):
    """A second supervisor finds no gap in which it could take the fleet over."""
    ours = fleet.process.pid
    for serial in range(1, 4):
        fleet.process.send_signal(signal.SIGHUP)
        refused = 0
        while not (fleet.status(missing_ok=True) or {"serial": -1})["serial"] == serial:
            second = subprocess.run([harness.program("shoald"), "--config", fleet.ini], env=fleet.env(), check=False,
                                    capture_output=True, text=True, timeout=60, cwd=fleet.folder)
            assert second.returncode == fleets.LOCKED, second.stderr
            refused += 1
    assert fleet.process.pid == ours and fleet.process.poll() is None


def test_reload_keeps_alerts_and_times(sim, make_fleet):
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    procs.wait_until(lambda: fleet.status()["up_s"] >= 2, 20, "the fleet is two seconds old")
    assert fleet.ctl_run("reload", "--binary", "/bin/false").returncode == 1
    alerts = fleet.status()["alerts"]
    assert [one["event"] for one in alerts] == ["reload.refused"]
    fleet.ctl("reload")
    status = fleet.status()
    assert status["serial"] == 1 and status["alerts"] == alerts and status["up_s"] >= 2
    assert all(one["up_s"] >= 2 for one in status["shards"])
    assert "reload.refused" in fleet.ctl_run("alerts", "clear").stdout
    assert fleet.ctl_run("alerts").stdout == "no alerts\n" and fleet.status()["alerts"] == []
    assert re.search(r'shoal_alerts\w*\{event="reload.refused"\} 1\n', fleet.http("/metrics")[2])
