"""Whatever breaks a gateway connection or kills a worker: the session is resumed where the protocol allows, no identify
is spent, and every later message and interaction has exactly one effect."""

import os
import re
import signal

import pytest

import harness
from harness import fleet as fleets
from harness.sim import text_of


def spent(sim):
    """(identifies, resumes that succeeded)"""
    summary = sim.summary()
    return summary["identifies"]["total"], summary["resumes"]["ok"]


def serves(sim, guilds=range(4)):
    """Each of these guilds, spread over the shards, gets one answer to a message and to an interaction."""
    causes = [sim.use("ping", guild=guild) for guild in guilds] + [sim.say("!ping", guild=guild) for guild in guilds]
    for cause in causes:
        assert "pong" in text_of(sim.answer(cause)).lower()
    return causes


def expect_resume(sim, fleet, before, resumes=1):
    """So many RESUMEs more, and no IDENTIFY; all shards ready; served; nothing lost or doubled since."""
    sim.wait(resumes=before[1] + resumes)
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0], "an identify was spent"
    causes = serves(sim, range(16))
    assert all(len(sim.answers_to(one)) == 1 for one in causes)


def test_killed_worker_resumes(sim, fleet):
    before, victim = spent(sim), fleet.pids()[1]
    os.kill(victim, signal.SIGKILL)
    expect_resume(sim, fleet, before)
    assert fleet.pids()[1] != victim
    assert fleet.shard(1)["restarts"] == 1


def test_killed_worker_under_traffic(make_sim, make_fleet, servers):
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats)
    fleet.ready(shards=4)
    sim.post("/traffic", rate=1500)
    sim.wait_counter("traffic_made", 1000)
    before = spent(sim)
    fleet.kill(2)
    sim.wait(resumes=before[1] + 1)
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0], "an identify was spent"
    # What comes from now on has exactly one effect each.
    sim.post("/ledger/reset")
    sim.wait_counter("traffic_made", 4000)
    sim.post("/traffic", rate=0)
    summary = sim.wait_all_answered()
    for kind in ("messages", "interactions"):
        assert summary[kind]["sent"] > 5, summary
        assert summary[kind]["answered_once"] == summary[kind]["sent"] and summary[kind]["doubled"] == 0, summary
    assert summary["identifies"]["total"] == 0


@pytest.mark.parametrize("kind, more", [
    ("drop", {}), ("fin", {}), ("op7", {}), ("op9", {"resumable": True}), ("half_open", {}), ("no_ack", {}),
    ("close", {"code": 4000}), ("close", {"code": 4001}), ("close", {"code": 4002}), ("close", {"code": 4009}),
    ("close", {"code": 4099}), ("close", {"code": 1000}), ("close", {"code": 1001}),
], ids=lambda value: value if isinstance(value, str) else "-".join(str(v) for v in value.values()))
def test_broken_connection_resumes(make_sim, make_fleet, kind, more):
    # Short heartbeats, so that a dead link is noticed within the test.
    sim = make_sim(heartbeat_interval_ms=1000)
    fleet = make_fleet(sim, config={"gateway.zombie_grace_ms": 500})
    fleet.ready(shards=4)
    before = spent(sim)
    sim.fault(kind, shard=2, **more)
    expect_resume(sim, fleet, before)


@pytest.mark.parametrize("kind, more", [
    ("op9", {"resumable": False}),
    *[("close", {"code": code, "end_session": True}) for code in (4003, 4005, 4007, 4009, 4000)],
], ids=lambda value: value if isinstance(value, str) else str(value.get("code", "")))
def test_lost_session_identifies_anew_and_says_so(sim, fleet, kind, more):
    before = spent(sim)
    sim.fault(kind, shard=1, **more)
    sim.wait(identifies=before[0] + 1)
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0] + 1
    serves(sim, range(8))
    assert fleet.shard(1)["loss_windows"] == 1
    # Said with its bounds, once.
    opened, closed = fleet.records("gateway.loss_window"), fleet.records("gateway.loss_window_closed")
    assert len(opened) == len(closed) == 1 and opened[0]["level"] == "error", fleet.messages()
    assert opened[0]["shard"] == closed[0]["shard"] == 1 and opened[0]["from_sequence"] > 0, opened
    assert 0 < closed[0]["length_ms"] < 30000 * harness.PATIENCE


def test_refused_resumes_end_in_one_identify(sim, fleet):
    before = spent(sim)
    sim.fault("refuse_resume", shard=3, times=1)
    sim.fault("drop", shard=3)
    sim.wait(identifies=before[0] + 1)
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0] + 1
    assert fleet.shard(3)["loss_windows"] == 1
    serves(sim)


def test_resume_goes_to_the_resume_url_and_falls_back(sim, fleet):
    before = spent(sim)
    sim.fault("drop", shard=0)
    sim.wait(resumes=before[1] + 1)
    fleet.ready(shards=4)
    assert sim.sessions()[0]["connected_via"] == "resume"
    # The gateway is not to be reached for a while: it comes back by itself.
    sim.fault("refuse_connect", times=2)
    sim.fault("drop", shard=0)
    sim.wait(resumes=before[1] + 2)
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0]


@pytest.mark.parametrize("keep", ["all", "acked", "unwritten"])
def test_every_way_of_keeping_a_replay(make_sim, make_fleet, keep):
    sim = make_sim(resume_keep=keep, seq_gaps=True)
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    before = spent(sim)
    serves(sim)
    sim.fault("drop", shard="all")
    expect_resume(sim, fleet, before, resumes=4)


def test_sigterm_leaves_sessions_resumable(sim, fleet):
    before = spent(sim)
    assert fleet.stop(signal.SIGTERM) == fleets.OK
    codes = {int(code): count for code, count in sim.summary()["closes_received"].items()}
    assert sum(count for code, count in codes.items() if 4000 <= code < 5000) >= 4, codes
    assert not codes.get(1000) and not codes.get(1001)
    fleet.start().ready(shards=4)
    assert spent(sim) == (before[0], before[1] + 4)
    serves(sim)


def test_messages_sent_while_it_was_down_are_answered(sim, fleet):
    assert fleet.stop() == fleets.OK
    waiting = [sim.say("!ping", guild=guild) for guild in range(8)]
    fleet.start().ready(shards=4)
    for cause in waiting:
        assert "pong" in text_of(sim.answer(cause)).lower()
    assert all(len(sim.answers_to(one)) == 1 for one in waiting)


def test_restart_of_one_shard_by_an_operator(sim, fleet):
    before, pids = spent(sim), fleet.pids()
    fleet.ctl("restart", "2")
    after = fleet.pids()
    assert after[2] != pids[2] and {k: v for k, v in after.items() if k != 2} == {k: v for k, v in pids.items() if k != 2}
    expect_resume(sim, fleet, before)


def test_killed_supervisor_is_replaced_without_a_reconnect(sim, fleet):
    before, pids = spent(sim), fleet.pids()
    connects = sim.counters()["connects"]
    fleet.kill_supervisor()
    # Nobody supervises: members are served all the same.
    serves(sim, range(8))
    fleet.start().ready(shards=4)
    assert fleet.pids() == pids
    assert spent(sim) == before and sim.counters()["connects"] == connects
    serves(sim, range(8))
    # The adopted ones are watched as before.
    os.kill(pids[0], signal.SIGKILL)
    expect_resume(sim, fleet, before)


def test_orphans_leave_by_themselves(sim, make_fleet):
    fleet = make_fleet(sim, config={"supervisor.orphan_timeout_s": 1})
    fleet.ready(shards=4)
    pids = list(fleet.pids().values())
    fleet.kill_supervisor()
    for pid in pids:
        fleets.wait_gone(pid)


def test_hung_worker_is_killed_and_replaced(sim, make_fleet):
    fleet = make_fleet(sim, config={"supervisor.watchdog_timeout_ms": 1000})
    fleet.ready(shards=4)
    before, victim = spent(sim), fleet.pids()[1]
    os.kill(victim, signal.SIGSTOP)
    fleets.wait_gone(victim)
    expect_resume(sim, fleet, before)
    assert re.search(r"watchdog", "\n".join(one.get("event", "") for one in fleet.records()))
