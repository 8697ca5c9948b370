"""Interaction in, callback out: how long it takes, by the sim's own clock, from the byte sent to the request read."""

import time

import bench_measure as measure
from bench_flood import new_sim, worker_config
from harness.fleet import Fleet

GUILDS = 64


def answers(bench, rate, seconds, tls=None):
    """`rate` slash commands a second for `seconds`, spread evenly; each of another user in one of 64 guilds."""
    folder = bench.folder("answers")
    tls_options = {"tls_cert": tls.cert, "tls_key": tls.key, "advertise_host": "localhost"} if tls else {}
    sim = new_sim(folder, bench.janitor, guilds=GUILDS, channels=20, roles=10, guild_bytes=8192, **tls_options)
    fleet = Fleet(folder, bench.janitor, sim, shards=1,
                  config=worker_config("zlib-stream", **({"discord.ca_file": tls.ca} if tls else {})))
    try:
        fleet.start().ready(shards=1)
        pid = fleet.pids()[0]
        _ask(sim, rate, 1)  # connections come up, caches fill
        sim.post("/ledger/reset")
        cpu = measure.cpu_seconds(pid)
        late_s = _ask(sim, rate, seconds)
        cpu = measure.cpu_seconds(pid) - cpu
        summary = sim.get("/ledger/summary")["interactions"]
    finally:
        fleet.finish()
        sim.stop()
    latency = summary["latency_us"]
    assert summary["answered"] == rate * seconds and not summary["doubled"], f"not each answered once: {summary}"
    return {"rate": rate, "seconds": seconds, "count": latency["count"], "p50_ms": latency["p50"] / 1000,
            "p90_ms": latency["p90"] / 1000, "p99_ms": latency["p99"] / 1000, "max_ms": latency["max"] / 1000,
            "cpu_us_each": round(cpu / (rate * seconds) * 1e6, 1), "asked_late_ms": round(late_s * 1000, 1)}


def _ask(sim, rate, seconds):
    """Sends them, and waits until all are answered. How late the latest was sent, in seconds: the bench's own lag."""
    already = sim.get("/ledger/summary")["interactions"]["sent"]
    count, late_s, start = rate * seconds, 0.0, time.monotonic()
    for number in range(count):
        due = start + number / rate
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)  # the pace that is asked for, no wait for anything
        late_s = max(late_s, time.monotonic() - due)
        sim.use("ping", guild=number % GUILDS, user_index=number % 50)
    sim.ask("GET", "/ledger/wait", kind="interaction", answered=already + count, timeout_ms=20000, timeout_s=20)
    return late_s
