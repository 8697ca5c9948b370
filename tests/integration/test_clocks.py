"""The wall clock jumps by hours under running programs (libfaketime, by a file that it reads again and again): no session is
lost, no command is called late, nothing is parked early, the ledger goes on."""

import os
import re
import signal

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of

LIBRARY = next((path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
                                  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1") if os.path.exists(path)), None)
HOURS = 3600


class Clock:
    """What the programs of a fleet take for the wall clock."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "wall-clock")
        self.jump(0)

    def jump(self, seconds):
        with open(self.file + ".new", "w", encoding="ascii") as f:
            f.write(f"{seconds:+d}\n")
        os.replace(self.file + ".new", self.file)

    def environment(self):
        options = {"ASAN_OPTIONS": "verify_asan_link_order=0"} if harness.SANITIZE else {}
        return {**options, "LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.file, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}


@pytest.fixture
def clock(folder):
    if LIBRARY is None:
        if harness.REQUIRE:
            pytest.fail("libfaketime is missing: make deps")
        pytest.skip("libfaketime is missing: jumps of the wall clock were NOT tried")
    return Clock(folder)


@pytest.fixture
def fleet(sim, make_fleet, folder, clock):
    """The supervisor and, by a script in the worker's place, its workers live by that clock."""
    worker = os.path.join(folder, "worker")
    with open(worker, "w", encoding="ascii") as f:
        words = " ".join(f"{key}='{value}'" for key, value in clock.environment().items())
        f.write(f'#!/bin/sh\nexport {words}\nexec {harness.program("shoal-shard")} "$@"\n')
    os.chmod(worker, 0o755)
    one = make_fleet(sim, config={"supervisor.worker": worker}, environment=clock.environment())
    one.ready(shards=4)
    return one


def serves(sim):
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()


@pytest.mark.parametrize("hours", [5, -5, 30, -30])
def test_a_jump_costs_nothing(sim, fleet, clock, hours):
    serves(sim)
    before = sim.summary()
    clock.jump(hours * HOURS)
    pids = fleet.pids()
    procs.wait_until(lambda: serves(sim) is None, 30, "answers after the jump")
    # It did jump: what is for people says so.
    seen = fleet.records()[-1]["ts"]
    assert abs(procs_hours(seen) - hours) < 0.2, seen
    # A worker and the supervisor that start by the wrong clock go on, too.
    os.kill(pids[1], signal.SIGKILL)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    serves(sim)
    clock.jump(0)
    serves(sim)
    after = sim.wait_all_answered()
    assert after["identifies"]["total"] == before["identifies"]["total"]
    assert after["interactions"]["answered_once"] == after["interactions"]["sent"], after["interactions"]
    status = fleet.status()
    assert not any(one["loss_windows"] for one in status["shards"])
    assert not re.search(r"^shoal_events_parked\S* [1-9]", fleet.http("/metrics")[2], re.M)
    assert not status["ledger"]["exhausted"] and status["ledger"]["denied"] == 0
    assert fleet.pids()[2] == pids[2], "nobody was taken for hung"
    for event in ("commands.expired", "pipeline.dead_letter", "watchdog.abort", "ledger.exhausted"):
        assert not fleet.records(event), event


def procs_hours(iso):
    """Hours between a record's time and ours."""
    import datetime

    then = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    return (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 3600


@pytest.mark.parametrize("hours", [5, -5])
def test_identifies_by_a_wrong_clock(sim, fleet, clock, hours):
    """The ledger's window is counted by a clock that does not jump: a session that is lost now gets its start."""
    before = sim.summary()["identifies"]
    clock.jump(hours * HOURS)
    sim.fault("refuse_resume", shard=3, times=1)
    sim.fault("drop", shard=3)
    sim.wait(identifies=before["total"] + 1)
    fleet.ready(shards=4)
    after = sim.summary()["identifies"]
    assert after["total"] == before["total"] + 1 and after["refused"] == before["refused"]
    serves(sim)
