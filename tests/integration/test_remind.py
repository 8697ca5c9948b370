"""Reminders, and with them the scheduler: each comes once and in time, whatever dies or is away meanwhile. The sim's record
of effects is the judge: a reminder's text says whose effect it is."""

import json
import os
import re
import sys

import pytest

import harness
import procs
from conftest import need
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "chaos"))
import kills  # noqa: E402

QUICK = {"supervisor.restart_burst": 1000, "supervisor.restart_cap_ms": 100, "jobs.look_s": 1}
CHAOS = os.path.join(harness.BUILD, "chaos")
MEMBER = 4242


class Database:
    """One of the run's server, for tests that leave the server alone."""

    def __init__(self, servers):
        self.servers, self._url = servers, servers.database()

    def url(self):
        return self._url

    def psql(self, sql, database="shoal"):
        assert database == "shoal"
        return self.servers.sql(sql, self._url)


@pytest.fixture
def postgres(servers):
    return Database(servers)


@pytest.fixture
def private(own_stack):
    stack = own_stack(nats=False)
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def remind(sim, when, text, guild=0, where=None, user=MEMBER):
    options = [{"name": "when", "type": 3, "value": when}, {"name": "text", "type": 3, "value": text}]
    if where:
        options.append({"name": "where", "type": 3, "value": where})
    who = {"user": {"id": str(user)}} if user else {}
    return sim.use("remind", [{"name": "me", "type": 1, "options": options}], guild=guild, **who)


def sub(sim, name, options=(), guild=0, **more):
    return text_of(sim.answer(sim.use("remind", [{"name": name, "type": 1, "options": list(options)}], guild=guild,
                                      **{"user": {"id": str(MEMBER)}, **more})))


def let(sim, name, options=(), **more):
    """sub(), as soon as the command lets its member: five uses in twenty seconds are part of what members meet."""
    said = []

    def answered():
        said.append(sub(sim, name, options, **more))
        return "again in" not in said[-1]

    procs.wait_until(answered, 40 * harness.PATIENCE, f"/remind {name} is let through", interval_s=1)
    return said[-1]


def rung(sim, mark):
    """The requests of a reminder that came to something: {fate, made_id …}, without its commands' answers."""
    found = sim.get("/effects", limit=100000)["rows"]
    return [one for one in found if str(one.get("cause")) == str(mark) and one["operation"] == "create_message"]


def done(sim, mark):
    return [one for one in rung(sim, mark) if one["fate"] == "done"]


def eventually(check, what, fleet, timeout_s=fleets.READY_S):
    return procs.wait_until(check, timeout_s, what, interval_s=0.1, tail=lambda: procs.file_tail(fleet.log, 60))


def jobs(postgres, name="ring"):
    return int(postgres.psql(f"SELECT count(*) FROM shoal.job WHERE name = '{name}'", database="shoal"))


def bodies(sim, word):
    return [json.loads(one["body"]) for one in sim.requests("POST", "/messages") if word in (one.get("body") or "")]


def test_a_reminder_comes_once_and_can_be_put_off(sim, make_fleet, postgres):
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    words = text_of(sim.answer(remind(sim, "in 2s", "cause-101.1 tea @everyone")))
    assert re.search(r"<t:\d+:R>", words) and re.search(r"<t:\d+:F>", words), words
    eventually(lambda: done(sim, 101), "the reminder", fleet)
    body = bodies(sim, "cause-101.1")[0]
    assert body["content"].startswith(f"⏰ <@{MEMBER}>") and body["allowed_mentions"]["users"] == [str(MEMBER)], body
    assert not body["allowed_mentions"].get("parse"), body
    buttons = [one["custom_id"] for one in body["components"][0]["components"]]
    assert len(buttons) == 4 and all(one.startswith("remind.") for one in buttons)
    eventually(lambda: jobs(postgres) == 0 and jobs(postgres, "kept") == 1, "its end in the database", fleet)
    # Somebody else's button, and forged ones.
    other = sim.post("/interaction", name="", type=3, custom_id=buttons[0], guild_index=0, user={"id": "777"})["id"]
    assert "not your reminder" in text_of(sim.answer(other))
    for forged in ("remind.snooze:1:2:3", "remind.snooze:x", "remind.snooze:" + "9" * 60, "remind.done:0:0", "remind.done:"):
        cause = sim.post("/interaction", name="", type=3, custom_id=forged, guild_index=0, user={"id": str(MEMBER)})["id"]
        assert "not your reminder" in text_of(sim.answer(cause)), forged
    # Put off: it is a reminder again, and what was kept for its buttons goes. (Ten minutes are too long for a test.)
    stands_on = done(sim, 101)[0]["made_id"]
    cause = sim.post("/interaction", name="", type=3, custom_id=buttons[0], guild_index=0, user={"id": str(MEMBER)},
                     message_id=stands_on)["id"]
    answer = sim.answer(cause)
    assert "remind you again" in text_of(answer) and answer["components"] == [], answer
    eventually(lambda: jobs(postgres) == 1 and jobs(postgres, "kept") == 0, "it waits again", fleet)
    postgres.psql("UPDATE shoal.job SET due_at = now(), holder = 0", database="shoal")
    eventually(lambda: len(done(sim, 101)) == 2, "it comes again", fleet)
    buttons = [one["custom_id"] for one in bodies(sim, "cause-101.1")[-1]["components"][0]["components"]]
    sim.post("/interaction", name="", type=3, custom_id=buttons[3], guild_index=0, user={"id": str(MEMBER)},
             message_id=done(sim, 101)[-1]["made_id"])
    eventually(lambda: jobs(postgres, "kept") == 0, "done", fleet)
    eventually(lambda: sim.requests("DELETE", "/messages/@original"), "its message goes", fleet)
    assert not fleet.problems()


def test_lists_limits_and_time_zones(sim, make_fleet, postgres):
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    zone = [{"name": "zone", "type": 3, "value": "Europe/Rome"}]
    assert "no reminders" in sub(sim, "list", user={"id": "777"})
    assert "Europe/Rome" in sub(sim, "timezone", zone)
    other = {"user": {"id": "778"}}
    assert "don't know that time zone" in sub(sim, "timezone", [{"name": "zone", "type": 3, "value": "Europe/Atlantis"}], **other)
    words = text_of(sim.answer(remind(sim, "2031-03-01 08:00", "spring *cleaning* @everyone")))
    assert "<t:1930114800:" in words, words  # 07:00 UTC
    assert "can't read that" in text_of(sim.answer(remind(sim, "some day", "x", user=778)))
    assert "past, or more than ten years" in text_of(sim.answer(remind(sim, "2001-01-01", "x", user=778)))
    listed = let(sim, "list")
    assert "**1.** <t:1930114800:f>" in listed and "@everyone" not in listed, listed
    assert "no reminders" in sub(sim, "list", user={"id": "777"})
    assert "no reminder of that number" in let(sim, "cancel", [{"name": "number", "type": 4, "value": 2}])
    assert "taken back" in let(sim, "cancel", [{"name": "number", "type": 4, "value": 1}])
    eventually(lambda: jobs(postgres) == 0, "it is gone", fleet)
    # As a message, without quotes: the time goes on in the text.
    cause = sim.say("!remind me in 3 seconds cause-102.1 stretch")
    assert "<t:" in text_of(sim.answer(cause))
    eventually(lambda: done(sim, 102), "the reminder", fleet)
    # Directly.
    remind(sim, "in 1s", "cause-103.1 alone", where="dm", user=None)
    eventually(lambda: done(sim, 103), "the direct message", fleet)
    assert sim.requests("POST", "/users/@me/channels")
    # What operators see of it, and do.
    retention = next(one for one in fleet.ctl("jobs", "list")["jobs"] if one["name"] == "retention")
    assert retention["module"] == "core" and "every 3600s" in fleet.ctl_run("jobs", "show", retention["id"]).stdout, retention
    sim.answer(remind(sim, "in 9 days", "cause-104.1 some words", guild=1, user=781))
    listed = fleet.ctl("jobs", "list")["jobs"]
    ring = next(one for one in listed if one["name"] == "ring")
    assert ring["state"] == "waiting" and ring["user_id"] == "781" and ring["module"] == "remind", listed
    shown = fleet.ctl_run("jobs", "show", ring["id"])
    assert shown.returncode == 0 and "some words" not in shown.stdout and ring["due"] in shown.stdout, shown
    assert ring["id"] in fleet.ctl_run("jobs").stdout and "retention" not in fleet.ctl_run("jobs", "list", "--failed").stdout
    assert fleet.ctl_run("jobs", "run", ring["id"]).returncode == 0
    eventually(lambda: done(sim, 104), "it is run when an operator says so", fleet)
    eventually(lambda: fleet.ctl_run("jobs", "show", ring["id"]).returncode == 1, "it is over", fleet)
    assert fleet.ctl_run("jobs", "cancel", "1").returncode == 1 and fleet.ctl_run("jobs", "cancel", "x").returncode == 2
    kept = next(one for one in fleet.ctl("jobs", "list")["jobs"] if one["name"] == "kept")
    assert fleet.ctl_run("jobs", "cancel", kept["id"]).returncode == 0
    assert len(done(sim, 102)) == 1 and len(done(sim, 103)) == 1
    assert not fleet.problems()


def test_the_database_is_away_and_comes_back(sim, make_fleet, private):
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    assert "database is away" not in text_of(sim.answer(remind(sim, "in 1s", "cause-200.1 before")))
    eventually(lambda: done(sim, 200), "one before", fleet)
    postgres.kill()
    for guild in range(4):
        words = text_of(sim.answer(remind(sim, "in 4s", f"cause-{201 + guild}.1 meanwhile", guild)))
        assert "database is away" in words, words
    words = text_of(sim.answer(remind(sim, "in 40 days", "cause-210.1 far", 0)))
    assert "database is away" in words, words
    # One shard's worker dies while it waits for its time.
    fleet.kill(0)
    for guild in range(4):
        eventually(lambda mark=201 + guild: done(sim, mark), f"reminder {guild}, in time", fleet)
    assert all(len(done(sim, 201 + guild)) == 1 for guild in range(4))
    postgres.start()
    eventually(lambda: fleet.status()["outbox_waiting"] == 0, "everything written", fleet)
    eventually(lambda: jobs(postgres) == 1, "the far one alone is left", fleet)
    for shard in range(4):
        fleet.kill(shard)
    eventually(lambda: sim.summary()["resumes"]["ok"] >= 5, "all resumed", fleet)
    fleet.ready(shards=4)
    postgres.psql("UPDATE shoal.job SET due_at = now() WHERE name = 'ring'", database="shoal")
    eventually(lambda: done(sim, 210), "the far one", fleet)
    assert [len(done(sim, mark)) for mark in (200, 201, 202, 203, 204, 210)] == [1] * 6
    assert fleet.status()["outbox_dead"] == 0


def test_other_shard_counts_and_late_ones(sim, make_fleet, postgres):
    """What was scheduled under four shards is run by two, once; what was missed says that it is late."""
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    for guild in range(8):
        sim.answer(remind(sim, "in 20 days", f"cause-{300 + guild}.1 later", guild, user=5000 + guild))
    eventually(lambda: jobs(postgres) == 8, "eight wait", fleet)
    fleet.stop()
    # (What was made a moment ago is its maker's for the length of a lease.)
    postgres.psql("UPDATE shoal.job SET due_at = now() - interval '1 hour', lease_until = now() WHERE name = 'ring'",
                  database="shoal")
    fleet.config["discord.shard_count"] = 2
    fleet.start().ready(shards=2)
    for guild in range(8):
        eventually(lambda mark=300 + guild: done(sim, mark), f"reminder {guild}", fleet)
    eventually(lambda: jobs(postgres) == 0, "all over", fleet)
    assert all(len(done(sim, 300 + guild)) == 1 for guild in range(8))
    assert all("I am late" in body["content"] for body in bodies(sim, "later"))
    assert re.search(r"^shoal_jobs_late\{shard=\"\d\"\} [1-9]", fleet.ctl_run("metrics").stdout, re.M)


def test_retention_is_a_job_of_the_fleet(sim, make_fleet, postgres):
    """One row for four shards; whoever has it when its worker dies, the next run goes on with it."""
    fleet = make_fleet(sim, database=postgres.url(), config={**QUICK, "privacy.job_interval_s": 1})
    fleet.ready(shards=4)

    def sql(text):
        return postgres.psql(text, database="shoal")

    def old(name):
        sql("INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, schema_version, note, changed_by,"
            f" changed_at) SELECT g, 0, '{name}', 1, 1, '', 0, now() - interval '10 years' FROM generate_series(1, 500) AS g")

    def left(name):
        return int(sql(f"SELECT count(*) FROM shoal.setting_history WHERE name = '{name}'"))

    old("one")
    eventually(lambda: left("one") == 0, "what is too old is gone", fleet)
    eventually(lambda: fleet.records("retention.done"), "it is told of", fleet)
    assert sql("SELECT string_agg(module || '.' || name || ' ' || repeat, ', ') FROM shoal.job") == "core.retention every 1s"
    eventually(lambda: int(sql("SELECT run FROM shoal.job")) >= 2, "it runs again and again", fleet)
    old("other")
    for shard in range(4):
        fleet.kill(shard)
    eventually(lambda: left("other") == 0, "whoever is there goes on", fleet)
    fleet.ready(shards=4)
    run = int(sql("SELECT run FROM shoal.job"))
    eventually(lambda: int(sql("SELECT run FROM shoal.job")) > run, "the next run", fleet)
    assert jobs(postgres, "retention") == 1 and sql("SELECT count(*) FROM shoal.job_lease") == "0"
    assert "retention" not in fleet.ctl_run("jobs", "list", "--failed").stdout
    assert not fleet.problems()


def test_thousands_at_once_are_spread(sim, make_fleet, postgres):
    fleet = make_fleet(sim, database=postgres.url(), config={**QUICK, "jobs.open_max": 16, "jobs.guild_open_max": 4})
    fleet.ready(shards=4)
    guilds = [int(sim.get("/guild", index=guild)["id"]) for guild in range(8)]
    # Over all their channels: Discord takes but one a second in each.
    channels = [[one["id"] for one in sim.get("/guild", index=guild)["channels"] if one["type"] == 0] for guild in range(8)]
    rows = ", ".join(f"({guild}, {1000 * at + i}, 'remind', 'ring', 1, 4242, now(),"
                     f" '{channels[at][i % len(channels[at])]} 0\\nmany'::bytea)"
                     for at, guild in enumerate(guilds) for i in range(1, 26)).replace("\\n", "\\012")
    postgres.psql("INSERT INTO shoal.job (guild_id, id, module, name, version, user_id, due_at, payload) VALUES " + rows,
                  database="shoal")
    eventually(lambda: jobs(postgres) == 0, "all over", fleet, 120 * harness.PATIENCE)
    assert len(bodies(sim, "many")) >= 200
    made = {one["made_id"] for one in sim.get("/effects", limit=100000)["rows"]
            if one["operation"] == "create_message" and one["fate"] == "done"}
    assert len(made) == 200, len(made)


def test_killed_at_each_step(sim, make_fleet, postgres, monkeypatch):
    """Four at a time, each in a worker of its own."""
    need(os.path.exists(os.path.join(CHAOS, "shoal-shard")), "the build with kill points is missing: make chaos-programs")
    monkeypatch.setattr(harness, "program", lambda name: os.path.join(CHAOS, name))
    fleet = make_fleet(sim, start=False, database=postgres.url(), config=QUICK)
    slots = kills.Slots(os.path.join(fleet.folder, "kills"))
    fleet.environment["SHOAL_KILL_FILE"] = slots.path
    fleet.start().ready(shards=4)
    guild_of = {}
    for guild in range(16):
        guild_of.setdefault((int(sim.get("/guild", index=guild)["id"]) >> 22) % 4, guild)
    marks = {}
    for number, point in enumerate(kills.JOB_POINTS):
        marks[400 + number] = point
    for first in range(0, len(marks), 4):
        some = dict(list(marks.items())[first:first + 4])
        fleet.ready(shards=4)
        for shard, (mark, point) in enumerate(some.items()):
            detail = "CREATE_MESSAGE remind" if point.startswith(("before_", "after_")) else ""
            slots.arm(shard, 0, point, detail, shard=shard)
            remind(sim, "in 1s", f"cause-{mark}.1 once", guild_of[shard], user=6000 + mark)
        for shard, point in enumerate(some.values()):
            assert slots.wait(shard, fleets.READY_S), f"nobody came to {point}"
        for mark, point in some.items():
            eventually(lambda mark=mark: done(sim, mark), f"the reminder of {point}", fleet)
        eventually(lambda: jobs(postgres) == 0, "their ends in the database", fleet)
    fleet.ready(shards=4)
    eventually(lambda: jobs(postgres, "kept") == len(marks), "what their buttons need", fleet)
    for mark, point in marks.items():
        assert len(done(sim, mark)) == 1, (point, rung(sim, mark))
    assert fleet.status().get("effects_unknown", 0) == 0
