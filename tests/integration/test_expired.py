"""A worker's death between an interaction and its answer: what was deferred is answered all the same, what was not and is
too old ends as expired, said and counted; Discord is not asked for what it can't take any more."""

import os
import re
import signal

import procs
from harness import fleet as fleets
from harness.sim import text_of
from test_modules import build, serve, source

# Answers after a while, which is longer than shoal waits before it defers.
SLOW = '''
static void answer(void *arg, int error)
{
	struct shoal_invocation *inv = arg;
	if (!error)
		shoal_reply_text(inv, "here it is");
	shoal_invocation_release(inv);
}
'''
BODY = "shoal_timer_start(shoal_invocation_scope(inv), 3500, answer, shoal_invocation_hold(inv), NULL);"


def counter(fleet, name):
    return sum(int(value) for value in re.findall(rf"^shoal_{name}(?:_total)?\{{[^}}]*\}} (\d+)$", fleet.http("/metrics")[2], re.M))


def test_what_was_deferred_is_answered_by_the_next_worker(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "slow", source("slow", BODY, rows=SLOW))
    fleet = serve(make_fleet, sim, modules)
    before = sim.summary()["identifies"]["total"]
    shard = (int(sim.get("/guild", index=1)["id"]) >> 22) % 4
    cause = sim.use("slow", guild=1)
    procs.wait_until(lambda: [one for one in sim.requests("POST", "/callback") if f"/interactions/{cause}/" in one["path"]], 20,
                     "the deferral")
    fleet.kill(shard)
    assert text_of(sim.answer(cause)) == "here it is"
    assert len(sim.answers_to(cause)) == 1
    assert not fleet.records("commands.expired") and sim.summary()["identifies"]["total"] == before


def test_what_is_too_old_ends_as_expired(sim, make_fleet):
    """Its three seconds pass while its shard has no worker."""
    fleet = make_fleet(sim, config={"supervisor.restart_floor_ms": 4500, "supervisor.restart_cap_ms": 4500})
    fleet.ready(shards=4)
    before = sim.summary()["identifies"]["total"]
    shard = (int(sim.get("/guild", index=1)["id"]) >> 22) % 4
    pid = fleet.pids()[shard]
    os.kill(pid, signal.SIGKILL)
    fleets.wait_gone(pid)
    causes = [sim.use("ping", guild=1) for _ in range(3)]
    message = sim.say("!ping", guild=1)  # has no such time
    fleet.wait_record("commands.expired", count=3, shard=shard)
    assert "pong" in text_of(sim.answer(message)).lower()
    assert {int(one["interaction"]) for one in fleet.records("commands.expired")} == set(map(int, causes))
    assert counter(fleet, "interactions_late") == 3
    # Discord was not asked for what it can't take: no request that counts as invalid.
    assert not any(f"/interactions/{cause}/" in one["path"] for cause in causes for one in sim.requests("POST"))
    assert sim.summary()["identifies"]["total"] == before and not fleet.records("gateway.loss_window")
    # What comes now is answered as ever.
    assert "pong" in text_of(sim.answer(sim.use("ping", guild=1))).lower()
