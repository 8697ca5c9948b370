"""The wall clock jumps by hours under running programs (libfaketime, by a file that it reads again and again): no session is
lost, no command is called late, nothing is parked early, the ledger goes on."""

import json
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
def by_that_clock(make_fleet, folder, clock):
    """Makes fleets whose supervisor and, by a script in the worker's place, workers live by that clock."""
    worker = os.path.join(folder, "worker")
    with open(worker, "w", encoding="ascii") as f:
        words = " ".join(f"{key}='{value}'" for key, value in clock.environment().items())
        f.write(f'#!/bin/sh\nexport {words}\nexec {harness.program("shoal-shard")} "$@"\n')
    os.chmod(worker, 0o755)

    def make(sim, config=None, **more):
        one = make_fleet(sim, config={"supervisor.worker": worker, **(config or {})}, environment=clock.environment(), **more)
        one.ready(shards=4)
        return one

    return make


@pytest.fixture
def fleet(sim, by_that_clock):
    return by_that_clock(sim)


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


# --- jobs ------------------------------------------------------------------------------------------------------------

JOBS, GUILDS = 6, 8


def make_jobs(sim, servers, url, first, in_s):
    """Reminders in each guild, written to the database as another host would; {mark: when it is due, Unix milliseconds}."""
    rows, due = [], {}
    for at in range(GUILDS):
        guild = sim.get("/guild", index=at)
        channel = next(one["id"] for one in guild["channels"] if one["type"] == 0)
        for i in range(JOBS):
            mark = first + at * JOBS + i
            rows.append(f"({guild['id']}, {mark}, 'remind', 'ring', 1, {5000 + mark}, date_trunc('milliseconds', now()) +"
                        f" interval '{in_s + 0.2 * i} seconds', '{channel} 0\\012cause-{mark}.1 now'::bytea)")
    for line in servers.sql("INSERT INTO shoal.job (guild_id, id, module, name, version, user_id, due_at, payload) VALUES " +
                            ", ".join(rows) + " RETURNING id || ' ' || (extract(epoch FROM due_at) * 1000)::bigint",
                            url).splitlines():
        mark, at_ms = line.split()
        due[int(mark)] = int(at_ms)
    return due


def rung(sim, due):
    """{mark: [when, Unix milliseconds]} of the messages that are there."""
    found = {mark: [] for mark in due}
    for row in sim.get("/effects", limit=100000)["rows"]:
        if row["operation"] == "create_message" and row["fate"] == "done" and int(row["cause"]) in found:
            found[int(row["cause"])].append(row["arrived_ms"])
    return found


@pytest.mark.parametrize("seconds", [30, -30])
def test_jobs_of_a_host_whose_clock_is_off(make_sim, make_fleet, by_that_clock, servers, clock, seconds):
    """Its jobs come when Discord's clock says so; and of two hosts that both look after a guild one gets each job."""
    sim, url = make_sim(rest_limits=False), servers.database()
    config = {"jobs.look_s": 1, "supervisor.restart_burst": 1000}
    clock.jump(seconds)
    off = by_that_clock(sim, database=url, config=config)
    assert abs(procs_hours(off.records()[-1]["ts"]) * 3600 - seconds) < 5
    serves(sim)
    due = make_jobs(sim, servers, url, 1000, 3)
    procs.wait_until(lambda: all(rung(sim, due).values()), 60, "each rings", tail=lambda: procs.file_tail(off.log, 40))
    assert all(len(times) == 1 for times in rung(sim, due).values())
    early = {mark: due[mark] - times[0] for mark, times in rung(sim, due).items() if times[0] < due[mark] - 20}
    assert not early, early
    # Another host, by the right clock, with the same guilds; and the first one's workers die in the midst of it.
    right = make_fleet(sim, database=url, config=config)
    right.ready(shards=4)
    due = make_jobs(sim, servers, url, 2000, 3)
    procs.wait_until(lambda: any(rung(sim, due).values()), 60, "they begin to ring")
    for shard in range(4):
        off.kill(shard)
    left = lambda: servers.sql("SELECT count(*) FROM shoal.job WHERE name = 'ring'", url)  # noqa: E731
    procs.wait_until(lambda: all(rung(sim, due).values()) and left() == "0", 60, "each rings, and is over",
                     tail=lambda: json.dumps({mark: times for mark, times in rung(sim, due).items() if not times}) + "\n" +
                     procs.file_tail(off.log, 40))
    found = rung(sim, due)
    assert all(len(times) == 1 for times in found.values()), found
    early = {mark: due[mark] - times[0] for mark, times in found.items() if times[0] < due[mark] - 20}
    assert not early, early
    for one in (off, right):
        assert not one.records("effects.unknown") and not one.records("schedule.failed"), one.messages("warn", "error")
