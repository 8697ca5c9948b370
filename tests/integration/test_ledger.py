"""The identify ledger's hard cases: whoever dies in between, whatever is lost or lied about, Discord never sees more
starts than it allows, never two of a bucket within five seconds, and the reserve is kept. discord-sim counts for itself."""

import os
import signal

import pytest

import procs
from harness import fleet as fleets


def sim_starts(sim):
    return sim.summary()["identifies"]


def obeyed(sim):
    """No start too many, none too early: by the sim's own clock."""
    starts = sim_starts(sim)
    assert starts["disasters"] == [] and starts["refused"] == 0, starts
    for bucket, rows in starts["by_bucket"].items():
        times = [one["at_ms"] for one in rows]
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert all(gap >= 5000 for gap in gaps), f"bucket {bucket}: {gaps} ms apart"
    return starts


def waits_for_bucket(make_sim, make_fleet, adopted=False):
    """Two shards of one bucket; the second one's worker is stopped while it waits for its turn. A stopped child is
    woken by the kernel when its parent dies, an adopted worker is not."""
    sim = make_sim(shards=2, max_concurrency=1, guilds=8, session_remaining=100)
    fleet = make_fleet(sim, shards=2, config={"supervisor.watchdog_timeout_ms": 60000})
    sim.wait(identifies=1)
    if adopted:
        fleet.wait_record("gateway.step", to="grant")
        fleet.kill_supervisor()
        fleet.start()
    procs.wait_until(lambda: ((fleet.status(missing_ok=True) or {}).get("ledger") or {}).get("waiting") == 1, 10,
                     "the second shard in the ledger's queue", interval_s=0.02)
    waiting = next(one for one in fleet.status()["shards"] if one["state"] == "waiting")
    os.kill(waiting["pid"], signal.SIGSTOP)
    fleet.wait_record("ledger.granted", shard=waiting["id"])
    return sim, fleet, waiting


@pytest.mark.parametrize("late", [False, True], ids=["used", "void"])
def test_supervisor_killed_between_grant_and_use(make_sim, make_fleet, late):
    """The debit stands on the board before the worker hears of the grant: the next supervisor holds the bucket."""
    sim, fleet, waiting = waits_for_bucket(make_sim, make_fleet, adopted=late)
    fleet.kill_supervisor()
    fleet.start()
    if late:
        # Its answer lay unread for longer than the grant lives; it is void by the ledger's own clock.
        procs.wait_until(lambda: (fleet.status(missing_ok=True) or {}).get("ledger"), 10, "the new ledger")
        granted = fleets.now_ms()
        procs.wait_until(lambda: fleets.now_ms() - granted > 3500, 10, "the grant's life to be over")
        os.kill(waiting["pid"], signal.SIGCONT)
    fleet.ready(shards=2, timeout_s=60)
    starts, ledger = obeyed(sim), fleet.status()["ledger"]
    assert starts["total"] == 2, starts
    # What was granted is booked, used or not: never more is left here than there.
    assert ledger["remaining"] <= starts["remaining"]
    assert ledger["granted"] == (3 if late else 2), ledger


def test_worker_killed_between_grant_and_send(make_sim, make_fleet):
    sim, fleet, waiting = waits_for_bucket(make_sim, make_fleet)
    os.kill(waiting["pid"], signal.SIGKILL)
    fleet.ready(shards=2, timeout_s=60)
    starts, ledger = obeyed(sim), fleet.status()["ledger"]
    assert starts["total"] == 2 and ledger["granted"] == 3, (starts, ledger)
    assert ledger["remaining"] == starts["remaining"] - 1


def test_lost_board_waits_a_window_and_books_what_lives(make_sim, make_fleet):
    sim = make_sim(session_remaining=100, session_total=1000)
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    fleet.kill_supervisor()
    os.unlink(os.path.join(fleet.runtime_dir, "host.board"))
    # The session of a shard is lost right then: its next start must not come too early for a window nobody remembers.
    fleet.start()
    before = sim_starts(sim)["total"]
    sim.fault("op9", shard=1, resumable=False)
    sim.wait(identifies=before + 1, timeout_s=60)
    fleet.ready(shards=4, timeout_s=60)
    starts, ledger = obeyed(sim), fleet.status()["ledger"]
    assert ledger["remaining"] <= starts["remaining"] - 3, (ledger, starts)
    assert starts["total"] == before + 1


def test_the_smaller_remaining_counts(make_sim, make_fleet):
    """Discord says fewer than was booked (another program spends them), then more again: the smaller one is believed."""
    sim = make_sim(session_remaining=100, session_total=1000)
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    assert fleet.status()["ledger"]["remaining"] == 96
    # The same window: one that ends later would be a new one, with numbers of its own.
    fewer = sim.fault("gateway_bot", fields={"session_start_limit": {
        "total": 1000, "remaining": 11, "reset_after": 86390000, "max_concurrency": 16}})
    fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    procs.wait_until(lambda: fleet.status()["ledger"]["remaining"] == 11, 20, "the smaller number booked")
    sim.ask("DELETE", f"/faults?id={fewer['id']}")
    fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    assert fleet.status()["ledger"]["remaining"] == 11
    # 10 of them are the reserve: one start is left, two shards need one.
    before = sim_starts(sim)["total"]
    for shard in (1, 2):
        sim.fault("op9", shard=shard, resumable=False)
    fleet.wait_record("ledger.exhausted")
    status = procs.wait_until(lambda: (lambda s: s if s["ledger"]["exhausted"] else None)(fleet.status()), 20,
                              "the ledger says that it is exhausted")
    assert obeyed(sim)["total"] - before <= 1 and status["ledger"]["remaining"] >= 10
    assert "ledger.exhausted" in [one["event"] for one in status["alerts"]], status["alerts"]
    metrics = fleet.http("/metrics")[2]
    assert "shoal_identify_exhausted 1" in metrics and 'shoal_alerts{event="ledger.exhausted"}' in metrics


def test_a_crash_loop_of_all_shards_keeps_the_reserve(make_sim, make_fleet):
    """Every shard loses its session and its worker, again and again: the starts end at the reserve, the bot does not."""
    sim = make_sim(session_remaining=20, session_total=1000)
    fleet = make_fleet(sim, config={"supervisor.identify_reserve": 8})
    fleet.ready(shards=4)
    exhausted = False
    for _ in range(4):
        starts = sim_starts(sim)["total"]
        sim.fault("op9", resumable=False)
        for pid in fleet.pids().values():
            if pid:
                os.kill(pid, signal.SIGKILL)
        exhausted = procs.wait_until(
            lambda: fleet.records("ledger.exhausted") or sim_starts(sim)["total"] >= starts + 4, 40,
            "four more starts, or the end of them")
        if fleet.records("ledger.exhausted"):
            break
        fleet.ready(shards=4, timeout_s=60)
    assert exhausted and fleet.records("ledger.exhausted"), fleet.messages("error")
    starts = obeyed(sim)
    assert starts["remaining"] >= 8 and fleet.status()["ledger"]["remaining"] >= 8, starts
    assert fleet.process.poll() is None and fleet.records("ledger.exhausted")[0]["level"] == "error"
