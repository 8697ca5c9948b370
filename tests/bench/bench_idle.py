"""What a worker that has nothing to do takes of memory and processor, when many of them run."""

import statistics
import time

import bench_measure as measure
import procs
from bench_flood import new_sim
from harness.fleet import Fleet

READY_S = 90


def idle_fleet(bench, tls, shards, seconds, nats=None, database=None):
    """`shards` workers without guilds, connected by TLS under a CA file of our own; watched for `seconds`."""
    folder = bench.folder("idle")
    sim = new_sim(folder, bench.janitor, shards=shards, max_concurrency=shards, tls_cert=tls.cert, tls_key=tls.key,
                  advertise_host="localhost", heartbeat_interval_ms=41250)
    fleet = Fleet(folder, bench.janitor, sim, shards=shards, nats=nats, database=database,
                  config={"discord.ca_file": tls.ca, "log.level": "info"})
    try:
        fleet.start().ready(shards=shards, timeout_s=READY_S)
        pids = list(fleet.pids().values())
        before, supervisor = [measure.cpu_seconds(pid) for pid in pids], measure.cpu_seconds(fleet.process.pid)
        # What is measured is an interval: nothing is waited for here.
        time.sleep(seconds)
        used = [measure.cpu_seconds(pid) - then for pid, then in zip(pids, before)]
        supervisor = measure.cpu_seconds(fleet.process.pid) - supervisor
        memory = [measure.memory_kib(pid) for pid in pids]
        return {
            "workers": shards, "seconds": seconds,
            "pss_kib": {"mean": round(statistics.mean(one["Pss"] for one in memory)),
                        "max": max(one["Pss"] for one in memory)},
            "rss_kib_mean": round(statistics.mean(one["Rss"] for one in memory)),
            "private_dirty_kib_mean": round(statistics.mean(one["Private_Dirty"] for one in memory)),
            "threads": measure.threads(pids[0]),
            "cpu_percent": {"mean": round(100 * statistics.mean(used) / seconds, 4),
                            "max": round(100 * max(used) / seconds, 4)},
            "supervisor": {"pss_kib": measure.memory_kib(fleet.process.pid)["Pss"],
                           "cpu_percent": round(100 * supervisor / seconds, 4)},
        }
    finally:
        fleet.finish()
        sim.stop()
        procs.end_processes(list(procs.processes_naming(folder)))
