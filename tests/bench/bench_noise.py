"""One guild at 2,000 events a second, and what the others of its shard notice of it."""

from bench_flood import new_sim, worker_config
from harness import noise
from harness.fleet import Fleet

GUILDS = 64


def noisy_guild(bench, seconds, rounds):
    folder = bench.folder("noise")
    sim = new_sim(folder, bench.janitor, guilds=GUILDS, channels=20, roles=10, guild_bytes=8192)
    fleet = Fleet(folder, bench.janitor, sim, shards=1, config=worker_config("zlib-stream"))
    try:
        fleet.start().ready(shards=1)
        return noise.measure(sim, fleet, folder, GUILDS, seconds=seconds, rounds=rounds)
    finally:
        fleet.finish()
        sim.stop()
