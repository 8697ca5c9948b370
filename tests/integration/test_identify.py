"""Session starts are spent with care: in their buckets, in order, never beyond what remains."""

import re

from harness import fleet as fleets
from harness.sim import text_of


def stamps(sim):
    """{bucket: [when, in ms]} of the identifies that came in."""
    return {bucket: [one["at_ms"] for one in rows] for bucket, rows in sim.summary()["identifies"]["by_bucket"].items()}


def test_never_two_of_a_bucket_within_five_seconds(make_sim, make_fleet):
    sim = make_sim(shards=4, max_concurrency=2)
    fleet = make_fleet(sim, shards=4)
    fleet.ready(shards=4, timeout_s=60)
    summary = sim.summary()["identifies"]
    assert summary["total"] == 4 and summary["refused"] == 0, summary
    for bucket, times in stamps(sim).items():
        assert len(times) == 2
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert all(5000 <= gap <= 6500 for gap in gaps), f"bucket {bucket}: {gaps} ms apart"


def test_all_at_once_where_discord_allows(make_sim, make_fleet):
    sim = make_sim(shards=16, max_concurrency=16, guilds=64)
    fleet = make_fleet(sim, shards=16)
    fleet.ready(shards=16)
    times = [when for row in stamps(sim).values() for when in row]
    assert len(times) == 16 and max(times) - min(times) < 3000 * fleets.harness.PATIENCE


def test_waits_when_too_few_starts_remain(make_sim, make_fleet):
    sim = make_sim(session_remaining=2, session_total=1000)
    fleet = make_fleet(sim, shards=4)
    told = fleet.wait_record("ledger.exhausted") if fleet.records("ledger.exhausted") else None
    told = told or fleets.procs.wait_until(
        lambda: [one for one in fleet.records() if re.search(r"session starts?|remaining", str(one.get("msg", "")))
                 and one.get("level") in ("warn", "error")],
        20, "a line that says too few session starts remain", tail=lambda: fleets.procs.file_tail(fleet.log))
    assert told and fleet.process.poll() is None
    assert sim.summary()["identifies"]["total"] <= 2
    assert sim.summary()["identifies"]["disasters"] == []


def test_a_crash_loop_cannot_burn_the_day(make_sim, make_fleet):
    """The session is lost again and again: the ledger's reserve is never touched."""
    sim = make_sim(session_remaining=12, session_total=1000, shards=1, identify_window_ms=100)
    fleet = make_fleet(sim, shards=1, config={"supervisor.identify_reserve": 5})
    fleet.ready(shards=1)
    for _ in range(3):
        before = sim.summary()["identifies"]["total"]
        sim.fault("op9", shard=0, resumable=False)
        sim.wait(identifies=before + 1)
        fleet.ready(shards=1)
    assert sim.summary()["identifies"]["total"] == 4
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
    assert sim.summary()["identifies"]["remaining"] >= 5
