"""Polls: made, voted in, ended by the scheduler or by hand; each vote counted once, whatever crashes or is away."""

import json
import random
import re
import time

import procs
from harness import servers as server_tools
from harness.sim import text_of

TEXT, BOOL = 3, 5


def options(**given):
    return [{"name": key, "type": BOOL if isinstance(value, bool) else TEXT, "value": value} for key, value in given.items()]


def poll(sim, verb, user_index=0, **given):
    return sim.use("poll", [{"name": verb, "type": 1, "options": options(**given)}], user_index=user_index,
                   permissions=str(1 << 10 | 1 << 11))


def channel_of(sim, guild=0):
    return next(one["id"] for one in sim.get("/guild", index=guild)["channels"] if one["type"] == 0)


def bodies(sim, channel):
    return [json.loads(one["body"]) for one in sim.requests("POST", f"/channels/{channel}/messages")]


def created(sim, question="Lunch?", answers="Pizza | Pasta | Salad", user_index=0, **more):
    """A new poll: its id and its message's body."""
    cause = poll(sim, "create", user_index, question=question, answers=answers, **more)
    told = text_of(sim.answer(cause))
    assert told.startswith("Your poll is there, and ends by itself"), told
    return str(cause), next(one for one in bodies(sim, channel_of(sim)) if question in json.dumps(one, ensure_ascii=False))


def click(sim, custom_id, user_index, guild=0, values=None, **more):
    extra = {"values": values} if values is not None else {}
    return sim.post("/interaction", name="", type=3, custom_id=custom_id, guild_index=guild, user_index=user_index, **extra,
                    **more)["id"]


def vote(sim, ident, answer, user_index, **more):
    return text_of(sim.answer(click(sim, f"utility.vote:{ident}:{answer}", user_index, **more)))


def shown(sim, ident, user_index=0):
    return sim.answer(poll(sim, "show", user_index, poll=ident))


def counts(sim, ident):
    return [int(n) for n in re.findall(r"% · (\d+)", shown(sim, ident)["embeds"][0]["description"])]


def edits(sim):
    return [json.loads(one["body"]) for one in sim.requests("PATCH", "/messages/") if "/channels/" in one["path"]]


def announced(sim, words="The poll is over"):
    return [one for one in bodies(sim, channel_of(sim)) if words in (one.get("content") or "")]


# --- made ------------------------------------------------------------------------------------------------------------

def test_made_voted_in_changed_and_taken_back(sim, fleet):
    ident, body = created(sim)
    buttons = [one for row in body["components"] for one in row["components"]]
    assert [one["custom_id"] for one in buttons] == [f"utility.vote:{ident}:{i}" for i in range(3)]
    assert "Lunch?" in body["embeds"][0]["title"] and re.search(r"Ends <t:\d+:R>", body["embeds"][0]["description"])
    assert body["allowed_mentions"] == {"parse": []}
    assert "Pizza" in vote(sim, ident, 0, 1) and "Pizza" in vote(sim, ident, 0, 2)
    assert counts(sim, ident) == [2, 0, 0]
    assert "Salad" in vote(sim, ident, 2, 2)
    assert counts(sim, ident) == [1, 0, 1]
    assert "taken back" in vote(sim, ident, 2, 2)
    assert counts(sim, ident) == [1, 0, 0]
    # The message follows, and keeps its buttons.
    procs.wait_until(lambda: any("· 1\n" in one["embeds"][0]["description"] for one in edits(sim)), 20, "the message follows")
    assert all("components" not in one for one in edits(sim))


def test_several_answers_by_a_menu(sim, fleet):
    ident, body = created(sim, several=True, answers="a\nb\nc\nd")
    menu = body["components"][0]["components"][0]
    assert menu["type"] == 3 and menu["min_values"] == 0 and menu["max_values"] == 4
    told = text_of(sim.answer(click(sim, f"utility.vote:{ident}", 1, values=["0", "3"])))
    assert "**a**, **d**" in told
    sim.answer(click(sim, f"utility.vote:{ident}", 2, values=["3"]))
    assert counts(sim, ident) == [1, 0, 0, 2]
    assert "taken back" in text_of(sim.answer(click(sim, f"utility.vote:{ident}", 1, values=[])))
    assert counts(sim, ident) == [0, 0, 0, 1]


def test_as_a_message_command(sim, fleet):
    cause = sim.say('!poll create "What now?" "go | stay" 2h', user_index=0)
    assert "Your poll is there" in text_of(sim.answer(cause))
    assert any("What now?" in json.dumps(one) for one in bodies(sim, channel_of(sim)))
    assert "go" in text_of(sim.answer(sim.say("!poll show")))
    assert "is over" in text_of(sim.answer(sim.say("!poll end", user_index=0)))


def test_what_is_asked_wrongly_is_said_in_words(sim, fleet):
    for given, words in ((dict(answers="only one"), "two to ten"), (dict(answers="|".join("abcdefghijk")), "two to ten"),
                         (dict(answers="a | a"), "are the same"), (dict(answers="a | " + "b" * 81), "at most 80"),
                         (dict(answers="a | b", ends="banana"), "when it ends"),
                         (dict(answers="a | b", ends="2s"), "from ten seconds"),
                         (dict(answers="a | b", ends="90d"), "from ten seconds")):
        told = text_of(sim.answer(poll(sim, "create", question="?", **given)))
        assert words in told, (given, told)
    assert "no such poll" in text_of(shown(sim, "123456789012345678"))
    assert "no such poll" in text_of(shown(sim, "https://example.com/x"))
    assert not bodies(sim, channel_of(sim))


def test_hostile_words_stay_words(sim, fleet):
    cause = poll(sim, "create", question="**@everyone** <@&1> \u202e?", answers="<@1> | `x` | @here | a\u0300" + "\u0301" * 60)
    assert "Your poll is there" in text_of(sim.answer(cause))
    ident, body = str(cause), bodies(sim, channel_of(sim))[0]
    assert "\u202e" not in json.dumps(body, ensure_ascii=False)
    assert body["allowed_mentions"] == {"parse": []}
    assert "**@everyone**" not in body["embeds"][0]["title"]
    told = sim.answer(click(sim, f"utility.vote:{ident}:2", 1))
    assert told["allowed_mentions"] == {"parse": []}


def test_forged_and_foreign_clicks(sim, fleet):
    ident, _ = created(sim)
    for custom_id in (f"utility.vote:{ident}:9", f"utility.vote:{ident}:-1", f"utility.vote:{ident}:1:2", "utility.vote:x:1",
                      "utility.vote:123456789012345678:1", "utility.vote", f"utility.vote:{ident}:1x", "utility.vote:" + "9" * 60):
        told = text_of(sim.answer(click(sim, custom_id, 1)))
        assert "no such poll" in told, (custom_id, told)
        assert "incident" not in told
    assert "no such poll" in vote(sim, ident, 1, 1, guild=1)
    # One answer each: a client that sends several is not counted.
    assert "no such poll" in text_of(sim.answer(click(sim, f"utility.vote:{ident}", 1, values=["0", "1"])))
    assert counts(sim, ident) == [0, 0, 0]


def test_who_may_see_votes_and_end_it(sim, fleet):
    ident, _ = created(sim, anonymous=True)
    vote(sim, ident, 1, 3)
    voter = sim.get("/guild", index=0)["members"][3]
    assert voter not in json.dumps(shown(sim, ident)), "an anonymous poll names its voters"
    mine = next(one for one in shown(sim, ident, 3)["embeds"][1]["fields"] if one["name"] == "Your vote")
    assert mine["value"] == "B"
    told = text_of(sim.answer(poll(sim, "end", 5, poll=ident)))
    assert "Only who made" in told
    assert "result stands" in text_of(sim.answer(poll(sim, "end", 0, poll=ident)))
    assert "over" in text_of(sim.answer(poll(sim, "end", 0, poll=ident)))
    assert "over" in vote(sim, ident, 1, 4)
    assert counts(sim, ident) == [0, 1, 0]
    assert len(announced(sim)) == 1 and "**Pasta**" in announced(sim)[0]["content"]
    last = edits(sim)[-1]
    assert last["components"] == [] and "Ended <t:" in last["embeds"][0]["description"]
    open_one, _ = created(sim, question="Open?")
    vote(sim, open_one, 0, 3)
    assert f"<@{voter}>" in json.dumps(shown(sim, open_one))


def test_what_is_not_posted_yet_is_not_ended(sim, fleet, servers):
    """The result would stand before the poll, and buttons under it for ever."""
    sim.fault("latency", route="create_message", ms=3000, times=1)
    asked = poll(sim, "create", 0, question="Soon?", answers="a | b")
    stored = lambda: servers.sql("SELECT message_id FROM shoal.utility__poll", fleet.secrets["DATABASE_URL"])  # noqa: E731
    procs.wait_until(lambda: any(one["operation"] == "create_message" for one in sim.get("/effects", limit=1000)["rows"]) and
                     stored() == "0", 30, "it is stored and on its way")
    told = text_of(sim.answer(poll(sim, "end", 0)))
    if stored() == "0":  # else the machine stood still for three seconds
        assert "no such poll" in told, told
    assert "Your poll is there" in text_of(sim.answer(asked))
    if "no such poll" in told:
        assert "result stands" in text_of(sim.answer(poll(sim, "end", 0)))
    procs.wait_until(lambda: announced(sim), 30, "the announcement")
    assert announced(sim)[0]["message_reference"]["message_id"] and len(announced(sim)) == 1
    procs.wait_until(lambda: any(one.get("components") == [] for one in edits(sim)), 30, "its buttons go")


# --- time, crashes, absences -----------------------------------------------------------------------------------------

def test_it_ends_by_itself(sim, make_fleet, servers):
    url = servers.database()
    make_fleet(sim, database=url, config={"jobs.look_s": 1}).ready(shards=4)
    ident, _ = created(sim, ends="90m")
    vote(sim, ident, 2, 1)
    servers.sql("UPDATE shoal.job SET due_at = now() WHERE name = 'poll_end'", url)
    procs.wait_until(lambda: announced(sim), 90, "the announcement")
    assert "**Salad**" in announced(sim)[0]["content"] and announced(sim)[0]["message_reference"]["message_id"]
    assert "over" in vote(sim, ident, 1, 2)
    assert counts(sim, ident) == [0, 0, 1]
    assert len(announced(sim)) == 1


def test_votes_are_counted_once_though_workers_are_killed(sim, fleet):
    ident, _ = created(sim, answers="a | b")
    shard = int(re.search(r"shard (\d+)", text_of(sim.answer(sim.use("ping")))).group(1))
    dice, wanted, causes = random.Random(815), {}, []
    members = len(sim.get("/guild", index=0)["members"])
    for i in range(24):
        user, answer = i % min(members, 12), dice.randrange(2)
        if wanted.get(user) == answer:
            answer = 1 - answer  # the same again would take it back
        causes.append(click(sim, f"utility.vote:{ident}:{answer}", user))
        wanted[user] = answer
        if i % 8 == 5:
            resumes = sim.summary()["resumes"]["ok"]
            time.sleep(dice.uniform(0, 0.02))  # where in its work it dies is the dice's: no state is waited for
            fleet.kill(shard)
            sim.wait(resumes=resumes + 1)
            fleet.ready(shards=4)
        sim.answer(causes[-1])  # one member's clicks come one after the other
    assert counts(sim, ident) == [list(wanted.values()).count(0), list(wanted.values()).count(1)]
    # It is ended while a worker dies: announced once.
    cause = poll(sim, "end", 0, poll=ident)
    fleet.kill(shard)
    sim.answer(cause)
    procs.wait_until(lambda: announced(sim), 30, "the announcement")
    sim.answer(sim.use("ping"))
    done = [one for one in sim.get("/effects", limit=100000)["rows"]
            if one["operation"] == "create_message" and one["fate"] == "done"]
    assert len(done) == 2, done  # the poll and its end


def test_votes_while_the_database_is_away(sim, make_fleet, own_stack):
    private = own_stack(prefix="shoal-polls")
    done = server_tools.migrate(private.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet = make_fleet(sim, database=private.postgres.url())
    fleet.ready(shards=4)
    ident, _ = created(sim, answers="a | b")
    vote(sim, ident, 0, 1)
    private.postgres.stop()
    for user, answer in ((1, 1), (2, 1), (3, 0)):
        assert "kept safely" in vote(sim, ident, answer, user)
    told = text_of(shown(sim, ident))
    assert "storage is away" in told, told
    private.postgres.start()
    procs.wait_until(lambda: sum(one["outbox_waiting"] for one in fleet.status()["shards"]) == 0, 60, "votes are written")
    procs.wait_until(lambda: "storage is away" not in text_of(shown(sim, ident)), 30, "the database is back")
    assert counts(sim, ident) == [1, 2]


def test_without_a_database_polls_say_so(sim, make_fleet):
    make_fleet(sim).ready(shards=4)
    told = text_of(sim.answer(poll(sim, "create", question="?", answers="a | b")))
    assert "without a database" in told, told


def test_the_modules_tables_come_and_go(own_stack):
    """Every migration of the tree up, all of them down, and up again."""
    private = own_stack(prefix="shoal-chains")
    for arguments in (("up",), ("down", "1000", "--yes"), ("up",)):
        done = server_tools.migrate(private.postgres.url(), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
