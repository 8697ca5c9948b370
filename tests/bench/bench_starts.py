"""How long a fleet takes from nothing until every shard is ready."""

import time

import bench_measure as measure
import procs
from bench_flood import new_sim
from harness.fleet import Fleet

READY_S = 90
WINDOW_S = 5  # between two identifies of a bucket, by Discord's rule


def start(bench, shards, guilds_per_shard, max_concurrency):
    """Seconds from the exec of shoald until it says that all shards are ready; and of these, what Discord demands."""
    folder = bench.folder("start")
    sim = new_sim(folder, bench.janitor, shards=shards, guilds_per_shard=guilds_per_shard, channels=20, roles=10,
                  guild_bytes=8192, max_concurrency=max_concurrency, identify_window_ms=WINDOW_S * 1000)
    fleet = Fleet(folder, bench.janitor, sim, shards=shards, config={"log.level": "info"})
    try:
        begin = time.monotonic()
        fleet.start()
        fleet.wait_record("http.listening")
        procs.wait_until(lambda: fleet.http("/readyz")[0] == 200, READY_S, "every shard ready", interval_s=0.01,
                         tail=lambda: procs.file_tail(fleet.log))
        seconds = time.monotonic() - begin
        status = fleet.status()
        workers = [one["pid"] for one in status["shards"]]
        states = sim.sessions()
        assert len(workers) == shards and all(one["state"] == "ready" for one in status["shards"])
        assert sum(one["guilds"] for one in status["shards"]) == shards * guilds_per_shard, "guilds are missing"
        assert len(states) == shards and all(one["identifies"] == 1 for one in states.values()), "not one identify each"
        spacing = (-(-shards // max_concurrency) - 1) * WINDOW_S
        return {"shards": shards, "guilds": shards * guilds_per_shard, "max_concurrency": max_concurrency,
                "seconds": round(seconds, 3), "mandatory_s": spacing, "beyond_s": round(seconds - spacing, 3),
                "worker_cpu_s_mean": round(sum(measure.cpu_seconds(pid) for pid in workers) / shards, 4),
                "sim_cpu_s": round(measure.cpu_seconds(sim.process.pid), 3)}
    finally:
        fleet.finish()
        sim.stop()

