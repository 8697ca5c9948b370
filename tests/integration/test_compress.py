"""Every way in which the gateway's bytes may come."""

import pytest

from harness.sim import text_of


@pytest.mark.parametrize("compress, options, seen", [
    ("zlib-stream", {}, "zlib-stream"),
    ("zstd-stream", {}, "zstd-stream"),
    ("zstd-stream", {"zstd_frame_per_message": True}, "zstd-stream"),
    ("none", {}, "none"),
], ids=["zlib", "zstd", "zstd-frame-per-message", "none"])
def test_serves_and_resumes(make_sim, make_fleet, compress, options, seen):
    sim = make_sim(guild_bytes=8192, channels=20, roles=10, **options)
    fleet = make_fleet(sim, config={"discord.compress": compress})
    status = fleet.ready(shards=4)
    assert sum(one["guilds"] for one in status["shards"]) == 16
    assert {str(session["compress"] or "none") for session in sim.sessions().values()} == {seen}
    resumes = sim.summary()["resumes"]["ok"]
    for _ in range(2):  # a context begins anew with every connection
        for cause in [sim.use("ping", guild=guild) for guild in range(16)] + [sim.say("!ping \u00e4\U0001f600 " + "x" * 1500)]:
            assert "pong" in text_of(sim.answer(cause)).lower()
        sim.fault("drop", shard="all")
        resumes += 4
        sim.wait(resumes=resumes)
        fleet.ready(shards=4)
    assert fleet.status()["shards"][0]["identifies"] == 1
