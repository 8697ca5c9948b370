"""A fleet comes up: four shards ready, known to its operators, with and without the servers it can do without."""

import json
import re

from harness import fleet as fleets
from harness.sim import text_of

STATUS_FIELDS = {"id", "state", "pid", "host", "guilds", "sequence", "handled", "latency_ms", "restarts", "resumes",
                 "identifies", "events", "loss_windows"}


def test_four_shards_get_ready(sim, fleet):
    status = fleet.status()
    assert status["shard_count"] == 4
    assert isinstance(status["generation"], int)
    assert [one["id"] for one in status["shards"]] == [0, 1, 2, 3]
    for one in status["shards"]:
        assert STATUS_FIELDS <= set(one), STATUS_FIELDS - set(one)
        assert one["identifies"] == 1 and one["resumes"] == 0 and one["restarts"] == 0 and one["loss_windows"] == 0
        assert one["host"] == "testhost"
    # Every guild was counted by the shard that Discord's rule gives it to.
    sessions = sim.sessions()
    assert set(sessions) == {0, 1, 2, 3}
    assert {one["id"]: one["guilds"] for one in status["shards"]} == \
        {number: session["guilds_sent"] for number, session in sessions.items()}
    assert sum(one["guilds"] for one in status["shards"]) == 16


def test_every_worker_is_a_process_of_its_own(fleet):
    pids = fleet.pids()
    assert len(set(pids.values())) == 4 and fleet.process.pid not in pids.values()
    for shard, pid in pids.items():
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            arguments = f.read().split(b"\0")
        assert arguments[0].endswith(b"shoal-shard")
        assert arguments[arguments.index(b"--shard") + 1] == str(shard).encode()


def test_shard_count_auto_is_what_discord_recommends(make_sim, make_fleet):
    sim = make_sim(shards=3)
    fleet = make_fleet(sim)
    assert fleet.ready(shards=3)["shard_count"] == 3


def test_starts_and_serves_without_nats_and_postgres(sim, make_fleet):
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    said = fleet.messages()
    assert re.search(r"nats\.url", said), said
    assert re.search(r"postgres\.conninfo", said), said
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
    # What is off says so to the member, in words.
    refused = text_of(sim.answer(sim.use("settings", [
        {"name": "prefix", "type": 1, "options": [{"name": "new", "type": 3, "value": "?"}]}],
        permissions=str(1 << 5))))
    assert "database" in refused and "begin with" not in refused, refused
    assert "NATS" in text_of(sim.answer(sim.use("stats")))


def test_intents_that_were_not_granted_are_left_out_with_a_warning(make_sim, make_fleet):
    sim = make_sim(granted_intents="unprivileged")
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    warned = [one for one in fleet.records() if one.get("level") == "warn" and "MESSAGE_CONTENT" in json.dumps(one)]
    assert warned, fleet.messages("warn")
    assert all(session["intents"] & (1 << 15) == 0 for session in sim.sessions().values())
    # The mention still reaches it: Discord fills the content of messages that mention the bot.
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()


def test_stops_in_order(sim, fleet):
    pids = list(fleet.pids().values())
    assert fleet.stop() == fleets.OK
    for pid in pids:
        fleets.wait_gone(pid)
