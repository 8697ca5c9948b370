"""A start in the size that the design promises. The figure itself is the bench's (an idle machine); here a loaded one
must come to the end in bounds that are wide, with every guild counted."""

import harness
from harness import fleet as fleets


def test_sixteen_shards_with_a_thousand_guilds_each(make_sim, make_fleet):
    guilds = 16000 if not harness.SANITIZE else 1600
    sim = make_sim(shards=16, max_concurrency=16, guilds=guilds, channels=20, roles=10, guild_bytes=8192)
    began = fleets.now_ms()
    fleet = make_fleet(sim, shards=16, config={"log.level": "info"})
    status = fleet.ready(shards=16, timeout_s=60 * harness.PATIENCE)
    took = fleets.now_ms() - began
    print(f"16 shards x {guilds // 16} guilds ready after {took} ms")
    assert sum(one["guilds"] for one in status["shards"]) == guilds
    assert took < 20000 * harness.PATIENCE


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
