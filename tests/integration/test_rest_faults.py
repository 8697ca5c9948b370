"""Discord's REST side misbehaves: what can be repeated is, nothing is doubled, nothing hangs."""

import pytest

import procs
from harness.sim import text_of

GONE_AFTER = [
    ("rate_limit_429", {"scope": "user", "retry_after": 0.3}),
    ("rate_limit_429", {"scope": "shared", "retry_after": 0.3}),
    ("rate_limit_429", {"scope": "global", "retry_after": 0.3}),
    ("http_5xx", {"status": 500}),
    ("http_5xx", {"status": 502}),
    ("html", {}),
    # It was done, and we are not told: repeating it must not double it.
    ("http_5xx_after", {"status": 500}),
    ("reset_after", {}),
    ("reset_request", {}),
    ("no_headers", {}),
    ("close_mid_body", {}),
    ("bad_json", {}),
    ("latency", {"ms": 300}),
]
# An interaction's callback may be repeated once within its three seconds; a message, with its nonce, more often.
FORMS = {"interaction": ("/callback", 1), "message": ("/messages", 2)}


def name_of(value):
    return value if isinstance(value, str) else "-".join(str(v) for v in value.values())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind, more", GONE_AFTER, ids=name_of)
def test_a_passing_fault_is_got_over(sim, fleet, kind, more, form):
    path, times = FORMS[form]

    def ask():
        return sim.use("ping") if form == "interaction" else sim.say("!ping")
    sim.post("/ledger/reset")
    sim.fault(kind, route=f"POST {path}", times=times, **more)
    assert "pong" in text_of(sim.answer(ask())).lower()
    sim.clear_faults()
    sim.answer(ask())
    summary = sim.wait_all_answered()
    judged = summary[f"{form}s"]
    assert (judged["sent"], judged["answered_once"], judged["doubled"]) == (2, 2, 0), summary
    assert fleet.ready(shards=4)


@pytest.mark.parametrize("kind, more", [("hang", {"times": 1}), ("latency", {"ms": 5000, "times": 1})], ids=name_of)
def test_one_answer_that_never_comes_holds_up_nobody(sim, fleet, kind, more):
    sim.fault(kind, route="POST /messages", **more)
    sim.say("!ping", guild=0)
    procs.wait_until(lambda: not sim.get("/faults"), 20, "the fault taken")
    for guild in range(1, 8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert sim.summary()["messages"]["doubled"] == 0


def test_a_storm_of_429_stops_long_before_discord_bans(make_sim, make_fleet):
    sim = make_sim()
    fleet = make_fleet(sim, config={"rest.invalid_limit": 40})
    fleet.ready(shards=4)
    sim.fault("rate_limit_429", scope="user", retry_after=0.01, times=100000, route="POST /messages")
    for number in range(200):
        sim.say("!ping", guild=number % 16)
    fleet.wait_record("rest.invalid_requests")
    # Interactions are not in that budget: they are answered while the rest is held back.
    sim.clear_faults()
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    spent = sim.state()["rest"]["limits"]["invalid_in_window"]
    assert 20 <= spent <= 60, f"{spent} invalid requests in spite of a limit of 40"


def test_the_wall_in_front_of_discord_is_not_run_against(sim, fleet):
    sim.fault("rate_limit_429", scope="cloudflare", retry_after=30, times=1, route="POST /messages")
    sim.say("!ping", guild=0)
    told = fleet.wait_record("rest.banned")
    assert told["level"] == "error" and told["wait_ms"] >= 25000, told
    before = len(sim.requests())
    for _ in range(5):
        sim.say("!ping", guild=0)
    sim.use("ping", guild=0)
    # Another shard's process stands behind the same address.
    fleet.wait_record("commands.answer_failed", count=1)
    assert len(sim.requests()) == before, sim.requests()[before:]


def test_a_token_that_is_taken_back_stops_the_fleet(sim, fleet):
    from harness import fleet as fleets

    sim.fault("unauthorized")
    sim.say("!ping")
    assert fleet.ended() == fleets.TOKEN
    assert "discord.token" in fleet.messages("error")
