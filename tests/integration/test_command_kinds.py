"""All that a command's row can have, as a member meets it: options of every type in both forms, groups, suggestions,
context menus, other languages, laid-out messages, sealed buttons; and what hostile clients make of them."""

import json
import os
import re
import subprocess

import pytest

import harness
import procs
from harness.sim import text_of

V2 = 1 << 15


@pytest.fixture(scope="module")
def kinds_folder(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("kinds"))
    subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
                    "-fvisibility=hidden", f"-I{harness.ROOT}/include", "-o", os.path.join(folder, "kinds.so"),
                    os.path.join(harness.ROOT, "tests/integration/harness/kinds.c")], check=True)
    return folder


@pytest.fixture
def kinds(sim, make_fleet, kinds_folder):
    fleet = make_fleet(sim, config={"modules.dir": kinds_folder, "modules.load": "*"})
    fleet.ready(shards=4)
    return fleet


def told(sim, cause):
    return text_of(sim.answer(cause))


def value(name, kind, it):
    return {"name": name, "type": kind, "value": it}


def place(sim):
    """The first guild as the sim shows it: ids of its members, roles, channels."""
    return sim.get("/guild", guild_index=0)


RESOLVED = {
    "users": {"501": {"id": "501", "username": "mia", "discriminator": "0", "global_name": "Mia M", "avatar": None}},
    "members": {"501": {"roles": ["601", "602"], "nick": "Mimi", "joined_at": "2024-05-01T10:00:00.000000+00:00",
                        "permissions": "1024", "flags": 0, "avatar": None, "premium_since": None, "pending": False}},
    "roles": {"601": {"id": "601", "name": "Crew", "color": 255, "hoist": True, "position": 2, "permissions": "0",
                      "managed": False, "mentionable": True, "flags": 0}},
    "channels": {"701": {"id": "701", "type": 0, "name": "lounge", "permissions": "1024", "app_permissions": "1024"},
                 "702": {"id": "702", "type": 2, "name": "voice", "permissions": "1024", "app_permissions": "1024"}},
    "attachments": {"801": {"id": "801", "filename": "cat.png", "size": 321, "url": "https://cdn.example/cat.png",
                            "proxy_url": "https://media.example/cat.png", "content_type": "image/png"}},
}
TEXT = value("text", 3, "hi")
EVERYTHING = [TEXT, value("size", 3, "xl"), value("count", 4, 3), value("ratio", 10, 1.25), value("loud", 5, True),
              value("who", 6, "501"), value("where", 7, "701"), value("role", 8, "601"), value("either", 9, "501"),
              value("file", 11, "801"), value("city", 3, "bern_ch")]


def test_every_type_as_slash(sim, kinds):
    words = told(sim, sim.use("all", EVERYTHING, resolved=RESOLVED))
    assert words.startswith("text=hi|size=xl|count=3|ratio=1.25|loud=1|who=Mimi,1,2|where=lounge|role=Crew|"
                            "either=Mimi|file=cat.png,321|city=bern_ch|me="), words
    assert not words.endswith("nobody")
    words = told(sim, sim.use("all", [TEXT, value("either", 9, "601")], resolved=RESOLVED))
    assert "either=Crew|" in words and "|who=-,0,0|" in words, words


def test_every_type_as_a_message(sim, kinds):
    guild = place(sim)
    name = re.search(r"\|role=([^|]+)\|", told(sim, sim.say(f"!all hi --role {guild['roles'][1]}"))).group(1)
    role, channel = {"id": guild["roles"][1], "name": name}, {"id": guild["channels"][2]["id"], "name": "text-2"}
    mentioned = {"mentions": [{"id": "501", "username": "mia", "discriminator": "0", "avatar": None,
                               "member": {"roles": ["1"], "nick": "Mimi", "joined_at": None, "deaf": False,
                                          "mute": False, "flags": 0}}],
                 "attachments": [{"id": "801", "filename": "cat.png", "size": 321, "url": "https://cdn.example/cat.png",
                                  "proxy_url": "https://media.example/cat.png"}]}
    text = (f"all \"some text\" very large 3 1.25 yes <@501> <#{channel['id']}> <@&{role['id']}> \"{role['name']}\" "
            "the rest of it")
    expected = (f"text=some text|size=xl|count=3|ratio=1.25|loud=1|who=Mimi,1,1|where={channel['name']}|"
                f"role={role['name']}|either={role['name']}|file=cat.png,321|city=the rest of it|me=")
    for lead in ("!", f"<@{sim.bot_id}> "):
        words = told(sim, sim.say(lead + text, extra=mentioned))
        assert words.startswith(expected), words
    words = told(sim, sim.say("!all --who 501 --text=hi --loud --city \"x y\"", extra=mentioned))
    assert words.startswith("text=hi|size=-|count=-1|ratio=-1.00|loud=1|who=Mimi") and "city=x y|" in words, words


def test_who_a_message_names_by_id_alone_is_asked_of_discord(sim, kinds):
    member = place(sim)["members"][0]
    words = told(sim, sim.say(f"!all hi --who {member}", user_index=1))
    assert re.search(r"\|who=[^-|][^|]*,1,\d", words), words
    assert sim.wait_requests(1, "GET", f"/members/{member}")
    told_ = told(sim, sim.say("!all hi --who 1234567890123456", user_index=1))
    assert "can't find" in told_ and "`who`" in told_, told_
    sim.fault("http_5xx", route="GET /members", times=100)
    words = told(sim, sim.say(f"!all hi --who {place(sim)['members'][2]}", user_index=1))
    assert "Discord did not tell me who that is" in words, words


def test_groups_in_both_forms(sim, kinds):
    option = [{"name": "group", "type": 2, "options": [
        {"name": "leaf", "type": 1, "options": [value("word", 3, "green")]}]}]
    assert told(sim, sim.use("tree", option)) == "leaf of a group, word green"
    assert told(sim, sim.say("!tree group leaf green and more")) == "leaf of a group, word green and more"
    assert told(sim, sim.say("!tree single x")) == "leaf of a group, word x"
    assert "one more word: `group`, `single`" in told(sim, sim.say("!tree"))
    assert "one more word: `leaf`" in told(sim, sim.say("!tree group"))


# --- hostile values: told clearly, nothing half done -----------------------------------------------------------------

HOSTILE = {
    "missing": ([], "`text` is missing"),
    "text that is a number": ([value("text", 3, 5)], "`text` must be text"),
    "empty": ([value("text", 3, "")], "1 to 200 characters"),
    "10k": ([value("text", 3, "x" * 10000)], "1 to 200 characters"),
    "zalgo": ([value("text", 3, "a" + "\u0301\u0302\u0303" * 3000)], "1 to 200 characters"),
    "no choice": ([TEXT, value("size", 3, "Very large")], "one of: `Small`, `Very large`"),
    "count": ([TEXT, value("count", 4, 11)], "from 1 to 10"),
    "count as text": ([TEXT, value("count", 3, "3")], "whole number"),
    "huge": ([TEXT, value("count", 4, 2 ** 62)], "too large"),
    "ratio": ([TEXT, value("ratio", 10, 1.6)], "from 0 to 1.5"),
    "loud": ([TEXT, value("loud", 5, "yes")], "yes or no"),
    "user not resolved": ([TEXT, value("who", 6, "502")], "can't find"),
    "a role for a user": ([TEXT, value("who", 6, "601")], "can't find"),
    "id of letters": ([TEXT, value("who", 6, "abc")], "`who` must be a member:"),
    "id that is an object": ([TEXT, value("who", 6, {"a": 1})], "`who` must be a member:"),
    "channel of another kind": ([TEXT, value("where", 7, "702")], "channel of another kind"),
    "role not resolved": ([TEXT, value("role", 8, "9")], "can't find"),
    "channel for either": ([TEXT, value("either", 9, "701")], "can't find"),
    "no such file": ([TEXT, value("file", 11, "1")], "can't find"),
}


def test_hostile_values_are_told_clearly(sim, kinds):
    for name, (options, expected) in HOSTILE.items():
        words = told(sim, sim.use("all", options, resolved=RESOLVED))
        assert expected in words, f"{name}: {words}"
        assert "incident" not in words and len(words) < 300, f"{name}: {words}"
    # A NUL within a text is left out; a wrong resolved map does not matter to a command that asks for none of it.
    assert "text=ab|" in told(sim, sim.use("all", [value("text", 3, "a\0b")]))
    for resolved in ({"users": {"501": None}}, {"users": []}, {"users": {"501": {"id": "999", "username": "x"}}}, []):
        words = told(sim, sim.use("all", [TEXT, value("who", 6, "501")], resolved=resolved))
        assert "can't find" in words, words
    for options in ([{"name": "nope", "type": 1, "options": []}], [], None, [{"name": "group", "type": 2, "options": []}],
                    [{"name": "group", "type": 2, "options": [{"name": "leaf", "type": 3, "value": "x"}]}]):
        words = told(sim, sim.use("tree", options))
        assert "don't have that command any more" in words, words
    assert "don't have that command any more" in told(sim, sim.use("no-such-command"))


def test_what_is_typed_wrong_is_answered_with_the_usage(sim, kinds):
    cases = {
        "!all": "`text` is missing",
        "!all hi huge": "`size` must be one of",
        "!all hi s many": "`count` must be a whole number",
        "!all hi --nope 3": "begin with `--`",
        "!all hi --count 3 --count 4": "given twice",
        f"!all hi --who <@&{place(sim)['roles'][1]}>": "`who` must be",
        "!all hi --role Nobody": "`role` must be",
        "!all hi --where 1": "can't find",
        "!all " + "x" * 1900: "1 to 200 characters",
    }
    usage = ("`!all <text> [Small|Very large] [count] [ratio] [loud] [who] [where] [role] [either] [file: file] "
             "[city \u2026]`")
    for text, expected in cases.items():
        words = told(sim, sim.say(text))
        assert expected in words and usage in words, f"{text[:60]}: {words}"
    assert "`@me all <text>" in told(sim, sim.say(f"<@{sim.bot_id}> all"))
    for text in ("!all " + "a\u0301\u0302\u0303" * 400, "!all \u202e\u200b\u0000x", "!all @everyone <@&1> hi"):
        answer = sim.answer(sim.say(text))
        assert answer["allowed_mentions"]["parse"] == [], answer


# --- suggestions -----------------------------------------------------------------------------------------------------

def suggest(sim, typed, **more):
    options = [{"name": "city", "type": 3, "value": typed, "focused": True}, value("count", 4, 99)]
    return sim.answer(sim.use("all", options, type=4, **more))["choices"]


def test_suggestions(sim, kinds):
    assert suggest(sim, "Ber") == [{"name": "Berlin", "value": "Berlin"}, {"name": "Bern", "value": "bern_ch"}]
    assert suggest(sim, "Ro", extra={"locale": "de"}) == [{"name": "Rom", "value": "Roma"}]
    for typed in ("nothing", "words", "many", "Zagreb", "x" * 6000):
        assert suggest(sim, typed) == [], typed
    assert len(suggest(sim, "second")) == 1
    # Nothing is focused, or what suggests nothing, or there is no such command: none.
    for options in ([value("city", 3, "B")], [{**TEXT, "focused": True}], []):
        assert sim.answer(sim.use("all", options, type=4))["choices"] == []
    assert sim.answer(sim.use("gone", [], type=4))["choices"] == []
    summary = sim.wait_all_answered()
    assert summary["interactions"]["doubled"] == 0


def test_late_suggestions_are_dropped(sim, kinds):
    """What is older than Discord's three seconds nobody looks at any more: no request is made for it."""
    fresh = int(sim.use("all", [{"name": "city", "type": 3, "value": "B", "focused": True}], type=4))
    assert sim.answer(fresh)["choices"]
    late = str(fresh - (3500 << 22))
    sim.use("all", [{"name": "city", "type": 3, "value": "B", "focused": True}], type=4, extra={"id": late})
    assert suggest(sim, "Ber")  # behind it in its guild's order
    assert not sim.requests("POST", f"/interactions/{late}/")


# --- context menus ---------------------------------------------------------------------------------------------------

def test_context_menus(sim, kinds):
    user = {"type": 2, "target_id": "501", "resolved": {key: RESOLVED[key] for key in ("users", "members")}}
    assert told(sim, sim.use("Greet member", data=user)) == "hello Mimi, member 1"
    stranger = {**user, "resolved": {"users": RESOLVED["users"]}}
    assert told(sim, sim.use("Greet member", data=stranger)) == "hello Mia M, member 0"
    message = {"id": "901", "channel_id": "701", "content": "well said", "timestamp": "2024-05-01T10:00:00+00:00",
               "author": {"id": "501", "username": "mia", "discriminator": "0", "avatar": None}, "type": 0,
               "attachments": [], "embeds": [], "mentions": [], "mention_roles": [], "pinned": False, "flags": 0,
               "mention_everyone": False, "tts": False, "edited_timestamp": None}
    quote = {"type": 3, "target_id": "901", "resolved": {"messages": {"901": message}}}
    assert told(sim, sim.use("Quote", data=quote)) == "mia said well said"
    # A target that is not resolved, or of the other kind, or a slash command of that name.
    for name, data in (("Quote", {**quote, "target_id": "902"}), ("Quote", {"type": 3, "target_id": "901"}),
                       ("Greet member", {**user, "target_id": "x"}), ("Greet member", {"type": 2})):
        assert "not there any more" in told(sim, sim.use(name, data=data)), (name, data)
    for name, data in (("Quote", user), ("Quote", {}), ("all", user)):
        assert "don't have that command" in told(sim, sim.use(name, data=data)), (name, data)
    # They have no form as a message.
    left = sim.say("!Quote")
    assert "pong" in told(sim, sim.say("!ping")).lower()
    assert sim.answers_to(left) == []


# --- laid out, sealed ------------------------------------------------------------------------------------------------

def buttons_of(answer):
    return {one["label"]: one["custom_id"] for one in answer["components"][-1]["components"]}


def press(sim, custom_id, **more):
    return told(sim, sim.post("/interaction", **{"type": 3, "custom_id": custom_id, "guild_index": 0, **more})["id"])


def test_laid_out_messages(sim, kinds):
    for cause in (sim.use("layout", user_index=2), sim.say("!layout", user_index=2)):
        answer = sim.answer(cause)
        assert answer["flags"] & V2 and not answer.get("content") and not answer.get("embeds")
        text, container, row = answer["components"]
        assert text == {"type": 10, "content": "# laid out"} and container["accent_color"] == 0x336699
        assert [one["type"] for one in container["components"]] == [9, 14, 12]
        assert container["components"][0]["accessory"]["type"] == 11
        assert row["type"] == 1 and len(row["components"]) == 3
    # What Discord would refuse is not sent; the member is told that something went wrong, the log says what.
    for wrong, why in ((True, "neither text"), (False, "container")):
        assert "incident" in told(sim, sim.use("layout", [value("wrong", 5, wrong)]))
        assert any(why in one["detail"] for one in kinds.records("commands.answer_invalid"))


def test_sealed_custom_ids(sim, kinds):
    ids = buttons_of(sim.answer(sim.use("layout", user_index=2)))
    assert press(sim, ids["mine"], user_index=2) == "pressed 7"
    assert "not yours" in press(sim, ids["mine"], user_index=3)
    assert press(sim, ids["ours"], user_index=3) == "pressed 8"
    assert "older message" in press(sim, ids["ours"], user_index=3, guild_index=1)
    assert press(sim, ids["open"], user_index=3, guild_index=1) == "pressed "
    head, rest = ids["ours"].split(":")
    forged = {"another rest": f"{head}:9", "no seal": "kinds.ours:8", "none at all": "kinds.ours",
              "cut": f"{head[:-1]}:{rest}", "longer": f"{head}A:{rest}", "other": f"kinds.ours~{'A' * 11}:8",
              "of another row": ids["mine"].replace("mine", "ours"), "no rest": head}
    for name, custom_id in forged.items():
        assert "older message" in press(sim, custom_id, user_index=2), name
    for custom_id in ("", "x", "kinds.", "nobody:1", "kinds.mine~", ":" * 100, "~" * 100, "core"):
        words = press(sim, custom_id, user_index=2)
        assert "older message" in words or "not yours" in words, (custom_id, words)


def test_stale_components_work_after_a_restart(sim, kinds):
    ids = buttons_of(sim.answer(sim.use("layout", user_index=2)))
    assert kinds.stop() == 0
    kinds.start().ready(shards=4)
    assert press(sim, ids["mine"], user_index=2) == "pressed 7"
    assert "not yours" in press(sim, ids["mine"], user_index=3)
    assert press(sim, ids["open"]) == "pressed "


# --- where, who, what language ---------------------------------------------------------------------------------------

def test_what_discord_sees_to_holds_for_messages_too(sim, kinds):
    assert "direct messages with me only" in told(sim, sim.say("!alone"))
    assert "age-restricted channels only" in told(sim, sim.say("!grownup"))
    assert "works in servers only" in told(sim, sim.use("grownup", guild=None, dm=True))


def test_an_incident_has_a_number_in_the_log(sim, kinds):
    words = told(sim, sim.use("incident"))
    number = re.search(r"incident ([0-9a-f]{8})", words).group(1)
    record = kinds.wait_record("commands.incident", incident=number)
    assert "it was asked for" in json.dumps(record)


def test_registered_as_the_rows_say(sim, kinds):
    sim.wait_requests(1, "PUT", "/commands")
    kinds.wait_record("commands.registered")
    rows = {one["name"]: one for one in sim.state()["commands"]["scopes"][""]}
    every = rows["all"]
    assert every["name_localizations"] == {"de": "alles", "es-ES": "todo", "it": "tutto"}
    assert every["description_localizations"]["it"] == "Ogni tipo"
    options = {one["name"]: one for one in every["options"]}
    assert options["size"]["choices"][0]["name_localizations"]["de"] == "Klein"
    assert options["city"]["autocomplete"] is True and options["where"]["channel_types"] == [0]
    assert (options["ratio"]["min_value"], options["ratio"]["max_value"]) == (0, 1.5)
    assert [one["type"] for one in every["options"]] == [3, 3, 4, 10, 5, 6, 7, 8, 9, 11, 3]
    assert rows["tree"]["options"][0]["name_localizations"]["es-ES"] == "grupo"
    assert rows["Greet member"]["type"] == 2 and rows["Quote"]["type"] == 3
    assert rows["Quote"].get("description") == ""
    assert rows["grownup"]["nsfw"] is True and rows["grownup"]["contexts"] == [0]
    assert rows["grownup"]["default_member_permissions"] == "4" and rows["alone"]["contexts"] == [1]


# --- how they are used -----------------------------------------------------------------------------------------------

def test_uses_are_counted_by_how_they_ended(sim, kinds):
    def row(path):
        return next((one for one in kinds.ctl("commands")["commands"] if one["command"] == path), None)

    for _ in range(3):
        told(sim, sim.use("all", [TEXT]))
    told(sim, sim.say("!all hi"))
    told(sim, sim.use("all", []))
    told(sim, sim.use("incident"))
    told(sim, sim.use("grownup", guild=None, dm=True))
    assert suggest(sim, "Ber")
    press(sim, "kinds.mine:1")
    press(sim, buttons_of(sim.answer(sim.use("layout")))["open"])
    procs.wait_until(lambda: (row("all") or {}).get("uses") == 5 and (row("kinds") or {}).get("uses") == 1, 20, "the counters")
    every = row("all")
    assert (every["answered"], every["wrong"], every["suggested"], every["failed"]) == (4, 1, 1, 0), every
    assert every["module"] == "kinds" and 0 < every["p50_us"] <= every["p99_us"] <= 3000000, every
    assert row("incident")["failed"] == 1 and row("grownup")["denied"] == 1
    assert row("kinds.mine")["wrong"] == 1 and row("kinds")["answered"] == 1
    metrics = kinds.http("/metrics")[2]
    assert 'shoal_command_uses{module="kinds",command="all",outcome="answered"} 4' in metrics
    assert 'shoal_command_seconds_count{module="kinds",command="all"} 4' in metrics
    assert re.search(r"(?m)^all +5 +4 +1 +0 ", kinds.ctl_run("commands").stdout)
    # They outlive the workers.
    kinds.ctl("restart", "--all")
    told(sim, sim.use("all", [TEXT]))
    procs.wait_until(lambda: row("all")["uses"] == 6, 20, "the counters")
