"""A start in the size that the design promises. The figure itself is the bench's (an idle machine); here a loaded one
must come to the end in bounds that are wide, with every guild counted."""

import pytest

import harness
from harness import fleet as fleets


@pytest.mark.skipif(harness.SANITIZE, reason="sanitized programs are not measured")
def test_sixteen_shards_with_a_thousand_guilds_each(make_sim, make_fleet, record_property):
    sim = make_sim(shards=16, max_concurrency=16, guilds=16000, channels=20, roles=10, guild_bytes=8192)
    began = fleets.now_ms()
    fleet = make_fleet(sim, shards=16, config={"log.level": "info"})
    status = fleet.ready(shards=16, timeout_s=60)
    took = fleets.now_ms() - began
    record_property("ready_ms", took)
    print(f"16 shards x 1,000 guilds ready after {took} ms")
    assert sum(one["guilds"] for one in status["shards"]) == 16000
    assert took < 20000


def test_sixty_four_shards_keep_the_spacing_and_no_more(make_sim, make_fleet):
    sim = make_sim(shards=64, max_concurrency=16, guilds=256)
    began = fleets.now_ms()
    fleet = make_fleet(sim, shards=64, config={"log.level": "info"})
    fleet.ready(shards=64, timeout_s=90)
    took = fleets.now_ms() - began
    summary = sim.summary()["identifies"]
    assert summary["total"] == 64 and summary["refused"] == 0, summary
    print(f"64 shards in buckets of 16 ready after {took} ms")
    assert 15000 <= took < 15000 + 15000 * harness.PATIENCE
