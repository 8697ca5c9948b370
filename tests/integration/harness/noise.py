"""One guild at 2,000 events a second beside others that ask now and then: how long those wait for their answers.

Quiet and noisy rounds alternate within one run on one fleet, so that their ratio says something though the machine has
neighbours; the sim's clock runs from the byte written to the socket to the complete callback."""

import json
import os
import statistics
import time

NOISY = 0
EVENTS_PER_S = 2000


def noise_file(folder, sim, lines=500):
    """Messages of members of one guild, in its channels."""
    guild = sim.get("/guild", index=NOISY)
    path = os.path.join(folder, "noise.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for number in range(lines):
            f.write(json.dumps({"t": "MESSAGE_CREATE", "d": {
                "id": str((int(guild["id"]) & ~0x3FFFFF) + (number + 1 << 22)), "guild_id": guild["id"],
                "channel_id": guild["id"], "type": 0, "tts": False, "pinned": False, "mention_everyone": False,
                "timestamp": "2026-11-21T10:00:00+00:00", "edited_timestamp": None, "mentions": [], "mention_roles": [],
                "attachments": [], "embeds": [], "content": f"the raid goes on, wave {number} " + "x" * 600,
                "author": {"id": str(10**17 + number), "username": f"raider{number}", "discriminator": "0",
                           "global_name": None, "avatar": None}}}) + "\n")
    return path


def ask_others(sim, guilds, rate, seconds):
    """Slash commands in every guild but the noisy one; the latencies that the ledger has of them."""
    sim.post("/ledger/reset")
    start, count = time.monotonic(), int(rate * seconds)
    for number in range(count):
        due = start + number / rate
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)  # the pace that is asked for, no wait for anything
        sim.use("ping", guild=1 + number % (guilds - 1), user_index=number % 50)
    sim.ask("GET", "/ledger/wait", kind="interaction", answered=count, timeout_ms=20000, timeout_s=25)
    summary = sim.get("/ledger/summary")["interactions"]
    assert summary["answered_once"] == count and not summary["doubled"], summary
    return summary["latency_us"]


def events_seen(fleet):
    return fleet.status()["shards"][0]["events"]


def measure(sim, fleet, folder, guilds, rate=100, seconds=3, rounds=3):
    """{"quiet": [p99 in µs a round], "noisy": […], "events_per_s": what really came, "ratio": of the medians}"""
    noise = noise_file(folder, sim)
    found = {"quiet": [], "noisy": [], "events_per_s": []}
    ask_others(sim, guilds, rate, 1)  # connections come up
    for _ in range(rounds):
        found["quiet"].append(ask_others(sim, guilds, rate, seconds)["p99"])
        finished = sim.get("/counters").get("floods_finished", 0)
        sim.post("/flood", shard=0, file=noise, repeat=int(EVENTS_PER_S * (seconds + 1) / 500), rate=EVENTS_PER_S)
        before, since = events_seen(fleet), time.monotonic()
        found["noisy"].append(ask_others(sim, guilds, rate, seconds)["p99"])
        found["events_per_s"].append((events_seen(fleet) - before) / (time.monotonic() - since))
        sim.wait(floods_finished=finished + 1)
    found["ratio"] = statistics.median(found["noisy"]) / statistics.median(found["quiet"])
    return found
