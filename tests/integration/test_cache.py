"""The guild cache's file is damaged: the cache is dropped and filled again by REST, the session is not."""

import os
import signal

import procs
from harness.sim import WAIT_S

GUILDS = 24


def make(make_sim, make_fleet, **options):
    sim = make_sim(shards=1, guilds=GUILDS, **options)
    fleet = make_fleet(sim, shards=1, config={"cache.refill_per_s": 200})
    shard = fleet.ready(shards=1)["shards"][0]
    assert shard["guilds"] == GUILDS and shard["guilds_missing"] == 0
    return sim, fleet


def wait_filled(fleet):
    fleet.wait_record("cache.listed")
    fleet.wait_record("cache.filled")

    def whole():
        shard = fleet.shard(0)
        return shard if shard["guilds"] == GUILDS and shard["guilds_missing"] == 0 else None
    return procs.wait_until(whole, WAIT_S, "all guilds known again", tail=lambda: fleet.shard(0))


def touch_guild(sim, guild):
    """An event that the cache must write for."""
    sim.post("/event", t="GUILD_ROLE_CREATE", guild_index=guild,
             d={"role": {"id": "4611686018427387904", "name": "new", "permissions": "8", "position": 1}})


def cache_dir(fleet):
    names = [name for name in os.listdir(fleet.runtime_dir) if name.startswith("cache-")]
    assert len(names) == 1, names
    return os.path.join(fleet.runtime_dir, names[0])


def test_cut_off_under_a_worker(make_sim, make_fleet):
    sim, fleet = make(make_sim, make_fleet)
    before = fleet.pids()[0]
    os.truncate(os.path.join(cache_dir(fleet), "data.mdb"), 8192)
    touch_guild(sim, 3)
    sim.wait(resumes=1)
    fleet.ready(shards=1)
    assert fleet.pids()[0] != before
    died = fleet.wait_record("worker.died")
    assert died["code"] == "cache", died
    fleet.wait_record("cache.dropped")
    wait_filled(fleet)
    assert sim.summary()["identifies"]["total"] == 1
    assert not fleet.records("pipeline.dead_letter")
    assert sim.answer(sim.use("ping"))


def test_cut_off_while_nobody_serves(make_sim, make_fleet):
    sim, fleet = make(make_sim, make_fleet)
    worker = fleet.pids()[0]
    path = os.path.join(cache_dir(fleet), "data.mdb")
    fleet.kill_supervisor()
    os.kill(worker, signal.SIGKILL)
    os.truncate(path, 12288)
    fleet.start()
    sim.wait(resumes=1)
    fleet.ready(shards=1)
    fleet.wait_record("cache.dropped")
    wait_filled(fleet)
    assert sim.summary()["identifies"]["total"] == 1


def test_a_successor_knows_all_without_asking(make_sim, make_fleet):
    sim, fleet = make(make_sim, make_fleet)
    touch_guild(sim, 3)
    fleet.kill(0)
    sim.wait(resumes=1)
    shard = fleet.ready(shards=1)["shards"][0]
    assert shard["guilds"] == GUILDS and shard["guilds_missing"] == 0, shard
    assert not fleet.records("cache.filling")
    assert not sim.requests(contains="/guilds/")
    assert sim.summary()["identifies"]["total"] == 1
