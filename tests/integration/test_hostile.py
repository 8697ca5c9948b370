"""Frames that no honest server sends: counted, logged, survived, and the session resumed."""

import re

import pytest

from harness.sim import text_of

# Which counter of the board sees it. Frames that break the WebSocket itself and payloads that break JSON alike.
HOSTILE = ["truncated_zlib", "bomb", "oversized", "non_utf8", "lying_length", "masked", "reserved_bits", "bad_opcode",
           "malformed_json"]


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_frame_is_survived(make_sim, make_fleet, kind):
    sim = make_sim()
    fleet = make_fleet(sim, config={
        "discord.compress": "zlib-stream" if kind in ("truncated_zlib", "bomb") else "none",
        "gateway.max_frame_kib": 1024, "gateway.max_payload_kib": 4096, "gateway.zombie_grace_ms": 500})
    fleet.ready(shards=4)
    pids = fleet.pids()
    before = sim.summary()
    sim.fault(kind, shard=1)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"], "an identify was spent"
    assert fleet.pids() == pids, "a worker died of it"
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert counter(fleet, "frames_bad", 1) >= 1
    told = [one for one in fleet.records() if one.get("shard") == 1 and one.get("level") in ("warn", "error")]
    assert told, fleet.messages()


def counter(fleet, name, shard):
    """A shard's counter from /metrics."""
    _, _, text = fleet.http("/metrics")
    found = re.search(rf'^shoal_(?:shard_)?{name}(?:_total)?\{{[^}}]*shard="{shard}"[^}}]*\}} (\d+)', text, re.M)
    assert found, f"no {name} of shard {shard} in /metrics:\n{text[:2000]}"
    return int(found.group(1))


def test_legal_oddities_cost_no_connection(sim, fleet):
    before = sim.summary(), sim.counters()["connects"]
    for kind, more in (("fragment", {"bytes": 7}), ("split", {"bytes": 11}), ("op1", {}), ("unknown", {})):
        sim.fault(kind, shard="all", **more)
        for guild in range(8):
            assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert sim.counters()["connects"] == before[1]


@pytest.mark.parametrize("raw, name", [
    ({"op": 99, "d": {"x": 1}, "s": None, "t": None}, "opcodes_unknown"),
    ({"op": 0, "t": "A_NEW_EVENT_OF_TOMORROW", "s": 1, "d": {"deep": [[[[1]]]]}}, "events_unknown"),
], ids=["opcode", "event"])
def test_what_is_unknown_is_counted_and_survived(sim, fleet, raw, name):
    before = sim.summary()
    if raw["op"] == 0:
        sim.post("/event", shard=1, t=raw["t"], d=raw["d"])
    else:
        import json
        sim.post("/raw", shard=1, text=json.dumps(raw))
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert counter(fleet, name, 1) >= 1
    after = sim.summary()
    assert after["identifies"]["total"] == before["identifies"]["total"]
    assert after["resumes"]["ok"] == before["resumes"]["ok"], "the connection was given up for it"


def test_poisoned_data_of_a_known_event_is_counted_and_survived(sim, fleet):
    sim.post("/event", shard=1, t="MESSAGE_CREATE", d={"id": [], "author": 5, "content": {"a": None}})
    sim.post("/event", shard=1, t="INTERACTION_CREATE", d={"id": "1", "type": "two", "data": []})
    sim.post("/event", shard=1, t="GUILD_CREATE", d={"id": "999999999999999999999999", "channels": "none"})
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert counter(fleet, "events_malformed", 1) >= 2


@pytest.mark.parametrize("kind", ["never_hello", "bad_hello", "refuse_connect"])
def test_a_connection_that_never_begins_is_tried_again(make_sim, make_fleet, kind):
    sim = make_sim()
    fleet = make_fleet(sim, config={"gateway.hello_timeout_ms": 1000, "gateway.connect_timeout_ms": 2000}, start=False)
    sim.fault(kind, shard="all", times=4)
    fleet.start().ready(shards=4)
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
    # A connection that got no HELLO spent no identify.
    assert sim.summary()["identifies"]["total"] == 4
