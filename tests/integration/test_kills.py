"""Workers killed at random under load: everything that was sent has exactly one effect, also what a worker had in its
hands when it died. The sim's ledger is the judge; nothing is forgiven but answers that came after an interaction's time."""

import os
import random
import signal
import time

import pytest

import procs
from harness.sim import WAIT_S

SEED = int(os.environ.get("CHAOS_SEED") or "0") or random.randrange(1 << 30)
KILLS = int(os.environ.get("CHAOS_KILLS", "12"))
RATE = 1200


def kill_once(dice, sim, fleet, measure):
    """One worker dies at a random moment; the next death waits until the session is resumed. With @measure: milliseconds
    from the kill until a command that was given after it has its answer."""
    before = sim.summary()["resumes"]["ok"]
    shard = dice.randrange(4)
    victim = fleet.pids()[shard]
    time.sleep(dice.uniform(0, 0.05))  # where in its work it dies is the dice's: no state is waited for
    os.kill(victim, signal.SIGKILL)
    recovered_ms = recovery_ms(sim, shard) if measure else 0
    sim.wait(resumes=before + 1)
    fleet.ready(shards=4)
    return recovered_ms


def recovery_ms(sim, shard):
    """From now until a command that is given now, in a guild of @shard, has its answer."""
    cause = sim.use("ping", guild=shard)
    sim.answer(cause)
    entry = next(one for one in sim.get("/ledger", kind="interaction", limit=100000)["entries"] if one["id"] == str(cause))
    assert entry["deliveries"][0]["shard"] == shard
    return entry["answered"][0]["at_ms"] - entry["sent_ms"]


def report(line):
    print(line)
    if os.environ.get("CHAOS_REPORT"):
        with open(os.environ["CHAOS_REPORT"], "a", encoding="utf-8") as f:
            f.write(line + "\n")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def in_loss_window(entry, windows):
    """Whether what was sent lies in a window that its shard has owned up to."""
    return any(window["shard"] == delivery["shard"] and window["from_sequence"] <= delivery["seq"] and
               (window["to_sequence"] == 0 or delivery["seq"] <= window["to_sequence"])
               for delivery in entry["deliveries"] for window in windows)


def judge(sim, fleet, identifies, may_lose):
    """Every message and interaction has one effect. Discord itself may drop what it had written to a dead worker's socket
    (@may_lose): then each such event lies in a loss window that the fleet has reported, and nothing else is lost."""
    if may_lose:
        def unexplained():
            windows, expired = fleet.records("gateway.loss_window"), sim.expired(fleet)
            return [entry for entry in sim.get("/ledger", wrong="true", limit=1000)["entries"]
                    if entry["answers"] == 0 and entry["id"] not in expired and not in_loss_window(entry, windows)]
        procs.wait_until(lambda: not unexplained(), WAIT_S, "everything answered, but for what Discord dropped",
                         tail=lambda: "%s\n%s" % (unexplained(), fleet.records("gateway.loss_window")))
        summary = sim.summary()
    else:
        summary = sim.wait_all_answered(fleet=fleet)
    windows = fleet.records("gateway.loss_window")
    print("seed %d: %s" % (SEED, summary))
    assert may_lose or not windows, windows
    assert sum(summary[kind]["sent"] for kind in ("messages", "interactions")) > 40, summary
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary
        assert summary[kind]["answered_once"] + summary[kind]["unanswered"] == summary[kind]["sent"], summary
        assert may_lose or summary[kind]["unanswered"] == summary[kind].get("expired", 0), summary
    assert summary["identifies"]["total"] == identifies, "an identify was spent"


@pytest.mark.parametrize("keep", ["all", "acked", "unwritten"])
def test_random_kills_lose_and_double_nothing(make_sim, make_fleet, servers, keep):
    dice = random.Random(SEED)
    sim = make_sim(guilds=64, resume_keep=keep, heartbeat_interval_ms=2000)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats,
                       # An unlucky seed kills one shard again and again: its back-off must not outlast an interaction.
                       config={"supervisor.restart_burst": 1000, "supervisor.restart_cap_ms": 100})
    fleet.ready(shards=4)
    identifies = sim.summary()["identifies"]["total"]
    sim.post("/traffic", rate=RATE)
    sim.wait_counter("traffic_made", 500)
    recovered = [kill_once(dice, sim, fleet, keep != "unwritten") for _ in range(KILLS)]
    sim.post("/traffic", rate=0)
    report("seed %d, replays %s: %d kills%s" % (SEED, keep, KILLS, "" if keep == "unwritten" else
           "; from the kill to the answer of a later command %.0f ms (median), %.0f ms (99 %%)"
           % (percentile(recovered, 0.5), percentile(recovered, 0.99))))
    judge(sim, fleet, identifies, may_lose=keep == "unwritten")
