"""Workers killed at random under load: everything that was sent has exactly one effect, also what a worker had in its
hands when it died. The sim's ledger is the judge; nothing is forgiven but answers that came after an interaction's time."""

import os
import random
import signal
import time

import pytest

import procs
from harness.sim import WAIT_S

SEED = int(os.environ.get("SHOAL_TEST_SEED", "0")) or random.randrange(1 << 30)
KILLS = int(os.environ.get("SHOAL_TEST_KILLS", "12"))
RATE = 1200


def kill_once(dice, sim, fleet):
    """One worker dies at a random moment; the next death waits until the session is resumed."""
    before = sim.summary()["resumes"]["ok"]
    victim = dice.choice(fleet.pids())
    time.sleep(dice.uniform(0, 0.05))  # where in its work it dies is the dice's: no state is waited for
    os.kill(victim, signal.SIGKILL)
    sim.wait(resumes=before + 1)
    fleet.ready(shards=4)


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
            windows = fleet.records("gateway.loss_window")
            return [entry for entry in sim.get("/ledger", wrong="true", limit=1000)["entries"]
                    if entry["answers"] == 0 and not in_loss_window(entry, windows)]
        procs.wait_until(lambda: not unexplained(), WAIT_S, "everything answered, but for what Discord dropped",
                         tail=lambda: "%s\n%s" % (unexplained(), fleet.records("gateway.loss_window")))
        summary = sim.summary()
    else:
        summary = sim.wait_all_answered()
    windows = fleet.records("gateway.loss_window")
    print("seed %d: %s" % (SEED, summary))
    assert may_lose or not windows, windows
    assert sum(summary[kind]["sent"] for kind in ("messages", "interactions")) > 40, summary
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary
        assert summary[kind]["answered_once"] + summary[kind]["unanswered"] == summary[kind]["sent"], summary
        assert may_lose or summary[kind]["unanswered"] == 0, summary
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
    for _ in range(KILLS):
        kill_once(dice, sim, fleet)
    sim.post("/traffic", rate=0)
    judge(sim, fleet, identifies, may_lose=keep == "unwritten")
