"""Members and admins who try what nobody should: buttons pressed by the dozen at once, words of the widest letters, texts
of blanks. A clear answer each time, nothing half done, nothing twice."""

import json

import procs
import test_polls as polls
import test_welcome as welcome
from harness.sim import text_of

WIDE = "\U0001f98a"  # a letter that Discord counts as two
MEMBER = {"id": "812345678901234567", "username": "mia"}


def option(name, value):
    return {"name": name, "type": 3, "value": value}


def of_reminders(servers, database, name):
    return int(servers.sql(f"SELECT count(*) FROM shoal.job WHERE name = '{name}' AND user_id = {MEMBER['id']}", database))


def test_a_reminder_is_put_off_once_however_often_that_is_pressed(sim, make_fleet, servers):
    database = servers.database()
    fleet = make_fleet(sim, database=database, config={"jobs.look_s": 1})
    fleet.ready(shards=4)
    sim.use("remind", [{"name": "me", "type": 1, "options": [option("when", "in 1s"), option("text", "stretch")]}], user=MEMBER)
    rung = procs.wait_until(lambda: [one for one in sim.requests("POST", "/messages") if "stretch" in one["body"]], 30, "it rings")
    buttons = [one["custom_id"] for one in json.loads(rung[0]["body"])["components"][0]["components"]]
    procs.wait_until(lambda: of_reminders(servers, database, "kept") == 1, 30, "it is kept for its buttons")
    # Two of the buttons, in turns: whichever is first counts.
    clicks = [sim.post("/interaction", name="", type=3, custom_id=buttons[i % 2], guild_index=0, user=MEMBER)["id"]
              for i in range(40)]
    told = {text_of(sim.answer(one)) for one in clicks}
    again = [one for one in told if "remind you again" in one]
    assert again and all("remind you again" in one or "not your reminder" in one for one in told), told
    procs.wait_until(lambda: of_reminders(servers, database, "kept") == 0, 30, "it is kept no more")
    assert of_reminders(servers, database, "ring") == 1
    assert len(again) == 1, "each answer says the time that counts"


def test_polls_of_the_widest_letters(sim, fleet):
    for question, answers, more in ((WIDE * 200, "a | b", {}), (WIDE * 300, "a | b", {}),
                                    ("q", " | ".join(WIDE * 80 + str(i) if i < 2 else str(i) for i in range(10))[:900], {}),
                                    ("q", f"{WIDE * 79}a | {WIDE * 79}b", {"several": True})):
        cause = polls.poll(sim, "create", 2, question=question, answers=answers, **more)
        told = text_of(sim.answer(cause))
        assert told.startswith("Your poll is there") or "at most 80" in told, told
        if told.startswith("Your poll is there"):
            assert "incident" not in text_of(polls.shown(sim, str(cause)))
    body = polls.bodies(sim, polls.channel_of(sim))[0]
    assert WIDE * 200 in body["content"], "a question that is too long for a title stands above"
    rows = polls.bodies(sim, polls.channel_of(sim))[-1]["components"]
    labels = [one["label"] for row in rows for part in row["components"] for one in part["options"]]
    assert labels and all(len(one.encode("utf-16-le")) // 2 <= 100 for one in labels), labels


def test_a_poll_that_can_not_be_posted_is_not_there(sim, fleet, servers):
    sim.fault("http_5xx", status=400, route="create_message")
    cause = polls.poll(sim, "create", question="Lunch?", answers="a | b")
    assert "Your poll is there" not in text_of(sim.answer(cause))
    procs.wait_until(lambda: "no such poll" in text_of(polls.shown(sim, str(cause), user_index=3)), 30, "it is gone")


def test_greetings_that_come_out_too_long_are_cut(sim, fleet):
    channel = welcome.ids(sim)["channels"][1]
    sim.post("/guild", guild_index=0, action="update", fields={"name": WIDE * 40})
    welcome.set_to(sim, "welcome_channel", f"<#{channel}>")
    for number, (embed, text) in enumerate((("no", "{server}" * 187), ("yes", "{server}" * 187), ("no", "   "), ("yes", " \n "))):
        welcome.set_to(sim, "welcome_embed", embed)
        welcome.set_to(sim, "welcome_text", text)
        welcome.join(sim, welcome.member(sim, number))
        body = welcome.wait_posted(sim, channel, number + 1)[number]
        said = body["embeds"][0]["description"] if embed == "yes" else body["content"]
        assert said.strip() and len(said.encode("utf-16-le")) // 2 <= (4096 if embed == "yes" else 2000), said
        assert body["allowed_mentions"]["parse"] == []
        told = text_of(welcome.preview(sim, "welcome"))
        assert f"<#{channel}>" in told and "incident" not in told, told


def test_what_no_client_sends_is_told_apart_from_our_own_trouble(sim, fleet):
    cause = sim.post("/interaction", name="", type=3, custom_id="utility.vote:1", guild_index=0, values=["x" * 5000] * 20)["id"]
    told = text_of(sim.answer(cause))
    assert "older message" in told and "memory" not in told, told


def test_the_most_reminders_of_a_member_hold_for_many_at_once(sim, make_fleet, servers):
    database = servers.database()
    fleet = make_fleet(sim, database=database, config={"jobs.look_s": 1})
    fleet.ready(shards=4)
    guild = sim.get("/guild", index=0)["id"]
    servers.sql("INSERT INTO shoal.job (guild_id, id, module, name, version, user_id, due_at) "
                f"SELECT {guild}, 900000 + n, 'remind', 'ring', 1, {MEMBER['id']}, now() + interval '5 days' "
                "FROM generate_series(1, 22) AS n", database)
    wish = [{"name": "me", "type": 1, "options": [option("when", "in 3 days"), option("text", "x")]}]
    causes = [sim.use("remind", wish, user=MEMBER) for _ in range(5)]
    told = [text_of(sim.answer(one)) for one in causes]
    assert sum("remind you <t:" in one for one in told) == 3, told
    assert of_reminders(servers, database, "ring") == 25
