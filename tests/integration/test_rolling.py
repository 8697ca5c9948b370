"""`shoalctl restart --rolling`: one shard after the other by RESUME, nothing lost or doubled, no identify spent; it stops
at the first that does not come back as it was."""

import json
import subprocess

import pytest

import harness
import procs


def spent(sim):
    summary = sim.summary()
    return summary["identifies"]["total"], summary["resumes"]["ok"]


def test_all_shards_under_traffic(make_sim, make_fleet, servers):
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats)
    fleet.ready(shards=4)
    before, pids = spent(sim), fleet.pids()
    sim.post("/traffic", rate=300)
    sim.wait_counter("traffic_made", 200)
    answer = fleet.ctl("restart", "--rolling", timeout_s=60)
    sim.wait_counter("traffic_made", 400)
    sim.post("/traffic", rate=0)
    assert [one["shard"] for one in answer["restarted"]] == [0, 1, 2, 3]
    assert all(one["resumed"] for one in answer["restarted"]) and answer["identifies"] == 0, answer
    assert not set(pids.values()) & set(fleet.pids().values())
    assert spent(sim) == (before[0], before[1] + 4)
    # One at a time: no shard is asked to stop before the one before it is ready.
    steps = [(one["event"], one["shard"]) for one in fleet.records() if one.get("event") in ("restart.done", "worker.ended")]
    assert steps == [(event, shard) for shard in range(4) for event in ("worker.ended", "restart.done")], steps
    summary = sim.wait_all_answered(fleet=fleet)
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary


def test_progress_is_told_as_it_goes(sim, fleet):
    done = fleet.ctl_run("restart", "--rolling", "1", "3")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    stages = [(line[1], line[2]) for line in lines if line[0] == "shard"]
    assert [one for one in stages if one[1] == "ready"] == [("1", "ready"), ("3", "ready")], done.stdout
    assert "2 restarted" in done.stdout and "0 session starts spent" in done.stdout


def test_stops_at_the_first_that_lost_its_session(sim, fleet):
    before, pids = spent(sim), fleet.pids()
    sim.fault("refuse_resume", shard=1, times=-1)
    done = subprocess.run([harness.program("shoalctl"), "restart", "--rolling", "--json"], check=False, text=True,
                          capture_output=True, timeout=120, cwd=fleet.folder,
                          env={**fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": fleet.runtime_dir})
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["error"] == "ENOTRESUMED" and "shard 1" in answer["message"], answer
    assert answer["stopped_at"] == 1 and answer["untouched"] == [2, 3]
    after = fleet.pids()
    assert after[0] != pids[0] and after[1] != pids[1] and (after[2], after[3]) == (pids[2], pids[3])
    assert spent(sim)[0] == before[0] + 1
    status = procs.wait_until(lambda: (lambda s: s if len(s["alerts"]) >= 2 else None)(fleet.status()), 10, "alerts")
    assert {("restart.stopped", 1), ("gateway.loss_window", 1)} <= \
        {(one["event"], one["shard"]) for one in status["alerts"]}, status["alerts"]


@pytest.mark.parametrize("stage", ["stopping", "starting"])
def test_supervisor_killed_in_the_midst_of_it(make_sim, make_fleet, stage):
    """Whichever worker was on its way out or in: the next supervisor brings all of them back, and spends nothing."""
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    before = spent(sim)
    sim.post("/traffic", rate=200)
    sim.wait_counter("traffic_made", 100)
    pids = fleet.pids()
    order = subprocess.Popen([harness.program("shoalctl"), "restart", "--rolling"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, cwd=fleet.folder,
                             env={**fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": fleet.runtime_dir})
    try:
        for line in order.stdout:
            if line.split()[:3] == ["shard", "1", stage]:
                break
        fleet.kill_supervisor()
        out, err = order.communicate(timeout=30)
        assert order.returncode != 0 and err, out
    finally:
        order.kill()
        order.wait()
    fleet.start().ready(shards=4, timeout_s=60)
    sim.wait_counter("traffic_made", 200)
    sim.post("/traffic", rate=0)
    assert fleet.pids()[0] != pids[0]
    summary = sim.wait_all_answered(fleet=fleet)
    assert summary["identifies"]["total"] == before[0], summary
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary
    assert sum(one["loss_windows"] for one in fleet.status()["shards"]) == 0
