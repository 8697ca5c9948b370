"""`shoalctl plan`: the cost is said before anything is done, and it is what the order then costs."""

import os

import harness


def test_restart_and_reshard_are_foretold(make_sim, make_fleet):
    sim = make_sim(max_concurrency=2, session_remaining=30, session_total=1000)
    fleet = make_fleet(sim)
    fleet.ready(shards=4, timeout_s=60)
    before, pids = sim.summary()["identifies"]["total"], fleet.pids()
    plan = fleet.ctl("plan", "restart")
    assert plan["identifies"] == 0 and plan["memory_kib"] == 0 and plan["affordable"] and plan["why"], plan
    plan = fleet.ctl("plan", "reshard", "8")
    # 8 shards in 2 buckets: four rounds, three waits between them. 26 starts are left, 10 of them the reserve.
    assert plan["identifies"] == 8 and 15 <= plan["seconds"] <= 20 and plan["memory_kib"] > 1000, plan
    assert plan["identifies_available"] == 16 and plan["affordable"]
    assert not fleet.ctl("plan", "reshard", "17")["affordable"]
    assert sim.summary()["identifies"]["total"] == before and fleet.pids() == pids


def test_upgrade_is_foretold_by_the_program_itself(sim, fleet):
    pids = fleet.pids()
    plan = fleet.ctl("plan", "upgrade", "--binary", harness.program("shoald"))
    assert plan["identifies"] == 0 and fleet.status()["build_id"] in " ".join(plan["why"]), plan
    done = fleet.ctl_run("plan", "upgrade", "--binary", "/bin/false")
    assert done.returncode == 1 and "ended with 1" in done.stderr
    # A configuration that asks for more is told of, and what it does not do by itself.
    fleet.config["discord.shard_count"] = 8
    fleet.write_ini()
    assert "plan reshard" in " ".join(fleet.ctl("plan", "upgrade")["why"])
    assert fleet.pids() == pids and os.path.exists(fleet.ini)


def test_a_shard_without_a_session_costs_a_start(make_sim, make_fleet):
    sim = make_sim(session_remaining=14, session_total=1000)
    fleet = make_fleet(sim, config={"supervisor.identify_reserve": 10})
    fleet.ready(shards=4)
    sim.fault("op9", shard=2, resumable=False)
    fleet.wait_record("ledger.exhausted")
    plan = fleet.ctl("plan", "restart")
    assert plan["identifies"] == 1 and not plan["affordable"], plan
    assert any("no session" in why for why in plan["why"])
