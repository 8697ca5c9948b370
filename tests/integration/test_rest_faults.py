"""Discord's REST side misbehaves: what can be repeated is, nothing is doubled, nothing hangs."""

import pytest

from harness.sim import text_of

GONE_AFTER = [
    ("rate_limit_429", {"scope": "user", "retry_after": 0.3, "times": 2}),
    ("rate_limit_429", {"scope": "shared", "retry_after": 0.3, "times": 2}),
    ("rate_limit_429", {"scope": "global", "retry_after": 0.3, "times": 1}),
    ("http_5xx", {"status": 500, "times": 2}),
    ("http_5xx", {"status": 502, "times": 2}),
    ("html", {"times": 1}),
    ("no_headers", {"times": 3}),
    ("close_mid_body", {"times": 1}),
    ("latency", {"ms": 300, "times": 3}),
]


def name_of(value):
    return value if isinstance(value, str) else "-".join(str(v) for v in value.values())


@pytest.mark.parametrize("kind, more", GONE_AFTER, ids=name_of)
def test_a_passing_fault_is_got_over(sim, fleet, kind, more):
    sim.post("/ledger/reset")
    sim.fault(kind, **more)
    causes = [sim.use("ping"), sim.say("!ping")]
    for cause in causes:
        assert "pong" in text_of(sim.answer(cause)).lower()
    sim.clear_faults()
    causes += [sim.use("ping"), sim.say("!ping")]
    for cause in causes:
        sim.answer(cause)
    summary = sim.get("/ledger/summary")
    assert summary["messages"]["doubled"] == 0 and summary["interactions"]["doubled"] == 0, summary
    assert summary["messages"]["answered_once"] == 2 and summary["interactions"]["answered_once"] == 2, summary
    assert fleet.ready(shards=4)


@pytest.mark.parametrize("kind, more", [("hang", {"times": 1}), ("bad_json", {"times": 2})], ids=name_of)
def test_one_answer_that_never_comes_holds_up_nobody(sim, fleet, kind, more):
    sim.fault(kind, route="messages", **more)
    sim.say("!ping", guild=0)
    for guild in range(1, 8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert sim.get("/ledger/summary")["messages"]["doubled"] == 0


def test_a_storm_of_429_stops_long_before_discord_bans(make_sim, make_fleet):
    sim = make_sim()
    fleet = make_fleet(sim, config={"rest.invalid_limit": 40})
    fleet.ready(shards=4)
    before = sim.state()["counters"]["invalid_requests"]
    sim.fault("rate_limit_429", scope="user", retry_after=0.01, times=100000, route="messages")
    for number in range(200):
        sim.say("!ping", guild=number % 16)
    fleet.wait_record("rest.guard_stopped")
    after = sim.state()["counters"]["invalid_requests"]
    assert after - before <= 60, f"{after - before} invalid requests in spite of a limit of 40"
    # Interactions are not in that budget: they are still answered.
    sim.clear_faults()
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()


def test_a_token_that_is_taken_back_stops_the_fleet(sim, fleet):
    from harness import fleet as fleets

    sim.fault("unauthorized")
    sim.say("!ping")
    assert fleet.ended() == fleets.TOKEN
    assert "discord.token" in fleet.messages("error")
