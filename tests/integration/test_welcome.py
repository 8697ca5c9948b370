"""The admin module: members are welcomed, get roles, and are missed; once each, whatever crashes."""

import json
import random
import re
import time

import pytest

import procs
from harness import servers as server_tools
from harness.sim import text_of

MANAGER = {"permissions": str((1 << 3) | (1 << 5))}


def ids(sim, guild=0):
    found = sim.get("/guild", index=guild)
    return {**found, "channels": [one["id"] for one in found["channels"] if one["type"] == 0]}


def set_to(sim, name, value):
    told = text_of(sim.answer(sim.use("settings", [{"name": "set", "type": 1, "options": [
        {"name": "name", "type": 3, "value": f"admin.{name}"}, {"name": "value", "type": 3, "value": value}]}], **MANAGER)))
    assert re.search(r"(?i)is now|set|changed", told), told


def join(sim, whom, **fields):
    return sim.post("/guild", guild_index=0, action="member_add", user_id=whom, fields=fields)


def posted(sim, channel):
    return [json.loads(one["body"]) for one in sim.requests("POST", f"/channels/{channel}/messages")]


def wait_posted(sim, channel, count=1):
    return procs.wait_until(lambda: (lambda found: found if len(found) >= count else None)(posted(sim, channel)), 20,
                            f"{count} messages in {channel}")


def given(sim, user):
    return [one["path"].rsplit("/", 1)[1] for one in sim.requests("PUT", f"/members/{user}/roles/")]


def member(sim, number):
    return ids(sim)["members"][number]


def preview(sim, what):
    return sim.answer(sim.use("welcome", [{"name": "preview", "type": 1, "options": [
        {"name": "what", "type": 3, "value": what}]}], **MANAGER))


def settled(sim):
    """What was sent before this was taken before it, and nothing waits: a command of the same guild is answered."""
    sim.answer(sim.use("ping"))


def test_nothing_happens_unless_it_is_wished(sim, fleet):
    for what in ("welcome", "leave", "dm", "roles"):
        assert "/settings set admin." in text_of(preview(sim, what))
    join(sim, member(sim, 3))
    sim.post("/guild", guild_index=0, action="member_remove", user_id=member(sim, 3))
    settled(sim)
    assert not sim.requests("POST", "/channels/") and not sim.requests("PUT", "/members/")


def test_the_preview_as_a_message_and_who_may_see_it(sim, fleet):
    assert "/settings set admin." in text_of(sim.answer(sim.say("!welcome preview", user_index=0)))  # the owner
    assert "/settings set admin.autorole_roles" in text_of(sim.answer(sim.say("!welcome preview roles", user_index=0)))
    for cause in (sim.say("!welcome preview", user_index=3), sim.use("welcome", [{"name": "preview", "type": 1}], permissions="0")):
        assert "Manage Server" in text_of(sim.answer(cause))
    german = sim.use("welcome", [{"name": "preview", "type": 1}], extra={"locale": "de"}, **MANAGER)
    assert "sind aus" in text_of(sim.answer(german))


def test_what_is_set_is_shown_with_where_it_comes_from(sim, fleet):
    set_to(sim, "welcome_text", "Hi {name}")
    told = text_of(sim.answer(sim.use("settings", [{"name": "show", "type": 1, "options": [
        {"name": "name", "type": 3, "value": "admin.welcome_text"}]}], **MANAGER)))
    assert "Hi {name}" in told and re.search("(?i)server", told) and re.search("(?i)default", told), told


def test_without_the_intent_it_is_said_what_does_not_work(make_sim, make_fleet):
    sim = make_sim(granted_intents="unprivileged")
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    warned = [one for one in fleet.records() if one.get("level") == "warn" and "nobody is welcomed" in json.dumps(one)]
    assert warned, fleet.messages("warn")


def test_welcome_and_farewell(sim, fleet):
    channel, other = ids(sim)["channels"][:2]
    set_to(sim, "welcome_channel", f"<#{channel}>")
    set_to(sim, "leave_channel", f"<#{other}>")
    one = member(sim, 4)
    join(sim, one)
    body = wait_posted(sim, channel)[0]
    assert f"<@{one}>" in body["content"] and "member number" in body["content"]
    assert body["allowed_mentions"] == {"parse": [], "users": [one]}, body
    assert body["enforce_nonce"] is True
    # An admin's own words: placeholders filled in, and nobody but the newcomer is notified by them.
    set_to(sim, "welcome_text", "Hi {name}, {user}! @everyone look: {server} has {count}. {unknown}")
    join(sim, member(sim, 5))
    body = wait_posted(sim, channel, 2)[1]
    assert "{unknown}" in body["content"] and re.search(r"has \d+\.", body["content"]) and "{name}" not in body["content"]
    assert body["allowed_mentions"] == {"parse": [], "users": [member(sim, 5)]}
    set_to(sim, "welcome_ping", "no")
    set_to(sim, "welcome_embed", "yes")
    join(sim, member(sim, 6))
    body = wait_posted(sim, channel, 3)[2]
    assert body["embeds"][0]["description"].startswith("Hi ") and not body.get("content")
    assert body["allowed_mentions"] == {"parse": []}
    # Bots are not welcomed.
    join(sim, "1200000000000000124", user={"id": "1200000000000000124", "username": "bot", "discriminator": "0", "bot": True,
                                           "global_name": None, "avatar": None})
    sim.post("/guild", guild_index=0, action="member_remove", user_id=member(sim, 6))
    body = wait_posted(sim, other)[0]
    assert "has left" in body["content"] and body["allowed_mentions"] == {"parse": []}
    assert len(posted(sim, channel)) == 3
    # The preview shows the same to who asks, and notifies nobody.
    answer = preview(sim, "welcome")
    assert f"<#{channel}>" in answer["content"] and answer["embeds"][0]["description"].startswith("Hi ") and answer["flags"] & 64
    assert "no permission" not in text_of(preview(sim, "leave"))


def test_direct_messages_and_closed_ones(sim, fleet):
    set_to(sim, "welcome_dm", "Read the rules of {server}, {name}.")
    one = member(sim, 7)
    join(sim, one)
    opened = sim.wait_requests(1, "POST", "/users/@me/channels")
    assert json.loads(opened[0]["body"])["recipient_id"] == one
    sent = sim.wait_requests(1, "POST", "/messages")[-1]
    body = json.loads(sent["body"])
    assert "Read the rules" in body["embeds"][0]["description"] and "Sent by the server" in body["embeds"][0]["footer"]["text"]
    sim.fault("http_5xx", route="create_dm", times=-1, status=500)
    join(sim, member(sim, 8))
    settled(sim)
    sim.clear_faults()


def test_a_channel_that_is_gone_or_closed_is_left_alone_and_told(sim, fleet):
    channel = ids(sim)["channels"][1]
    set_to(sim, "welcome_channel", f"<#{channel}>")
    here = ids(sim)["id"]
    world = {"id": channel, "guild_id": here, "type": 0, "name": "closed", "position": 1,
             "permission_overwrites": [{"id": here, "type": 0, "allow": "0", "deny": str(1 << 11)}]}
    role = ids(sim)["roles"][1]
    sim.post("/event", t="GUILD_ROLE_UPDATE", guild_index=0, d={"guild_id": here, "role": {
        "id": role, "name": "bot", "permissions": "0", "position": 5, "color": 0, "hoist": False, "managed": True,
        "mentionable": False, "flags": 0}})
    sim.post("/event", t="CHANNEL_UPDATE", guild_index=0, d=world)
    told = text_of(preview(sim, "welcome"))
    assert "Send Messages" in told and "nothing is sent" in told, told
    join(sim, member(sim, 3))
    fleet.wait_record("admin.greeting_barred")
    sim.post("/event", t="CHANNEL_DELETE", guild_index=0, d=world)
    assert "not there any more" in text_of(preview(sim, "welcome"))
    join(sim, member(sim, 4))
    fleet.wait_record("admin.greeting_barred", count=2)
    settled(sim)
    assert not posted(sim, channel)


# --- roles -----------------------------------------------------------------------------------------------------------

def low_role(sim, position=1):
    """A role below the bot's own; the bot may give roles."""
    here, roles = ids(sim)["id"], ids(sim)["roles"]
    row = {"name": "r", "permissions": "0", "color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
    sim.post("/event", t="GUILD_ROLE_UPDATE", guild_index=0, d={"guild_id": here, "role": {
        **row, "id": roles[1], "position": 9, "permissions": str((1 << 28) | (1 << 10) | (1 << 11) | (1 << 14))}})
    sim.post("/event", t="GUILD_ROLE_UPDATE", guild_index=0, d={"guild_id": here, "role": {**row, "id": roles[2], "position": position}})
    return roles[2]


def test_roles_for_new_members(sim, fleet):
    role = low_role(sim)
    high = low_role(sim, 1)  # the same, for the settings' list
    set_to(sim, "autorole_roles", f"<@&{role}>")
    assert f"<@&{role}>" in text_of(preview(sim, "roles")) and high == role
    one = member(sim, 3)
    join(sim, one)
    sim.wait_requests(1, "PUT", f"/members/{one}/roles/{role}")
    # Bots have a list of their own.
    bot = "1200000000000000125"
    join(sim, bot, user={"id": bot, "username": "b", "discriminator": "0", "bot": True, "global_name": None, "avatar": None})
    settled(sim)
    assert given(sim, bot) == []


def test_a_role_above_the_bot_is_not_tried(sim, fleet):
    role = low_role(sim, 20)
    set_to(sim, "autorole_roles", f"<@&{role}>")
    assert "⚠" in text_of(preview(sim, "roles"))
    join(sim, member(sim, 3))
    assert "{role}" not in json.dumps(fleet.wait_record("admin.autorole_barred"))
    assert given(sim, member(sim, 3)) == []


def test_who_must_accept_the_rules_gets_them_after_that(sim, fleet):
    role = low_role(sim)
    set_to(sim, "autorole_roles", f"<@&{role}>")
    sim.post("/guild", guild_index=0, action="update", fields={"features": ["COMMUNITY", "MEMBER_VERIFICATION_GATE_ENABLED"]})
    low_role(sim)  # the update told of the roles as the world has them
    one, other = member(sim, 3), member(sim, 4)
    join(sim, one, pending=True)
    settled(sim)
    assert given(sim, one) == []
    # Another member's change gives nobody anything: he has had his roles, or they were taken from him.
    sim.post("/guild", guild_index=0, action="member_update", user_id=other, fields={"nick": "x", "pending": False, "roles": []})
    sim.post("/guild", guild_index=0, action="member_update", user_id=one, fields={"pending": False})
    sim.wait_requests(1, "PUT", f"/members/{one}/roles/{role}")
    settled(sim)
    assert given(sim, other) == []
    # Taken away by a moderator afterwards, it stays away.
    sim.post("/guild", guild_index=0, action="member_update", user_id=one, fields={"roles": []})
    settled(sim)
    assert given(sim, one) == [role]


# --- crashes and absences --------------------------------------------------------------------------------------------

def effects_of(sim, cause):
    """What was asked of Discord for it, by the words cause-ID.STEP in it, and what became of each."""
    return [(int(one["step"] or 0), one["fate"]) for one in sim.get("/effects", limit=100000)["rows"] if str(one.get("cause")) == cause]


def test_once_each_though_workers_are_killed(sim, fleet):
    """kill -9 while members come: each is welcomed once, gets one direct message, and has the role."""
    role, channel = low_role(sim), ids(sim)["channels"][0]
    set_to(sim, "welcome_channel", f"<#{channel}>")
    set_to(sim, "welcome_text", "cause-{id}.1")
    set_to(sim, "welcome_dm", "cause-{id}.2")
    set_to(sim, "autorole_roles", f"<@&{role}>")
    shard = int(re.search(r"shard (\d+)", text_of(sim.answer(sim.use("ping")))).group(1))
    dice, comers = random.Random(4711), ids(sim)["members"][:12]
    for i, one in enumerate(comers):
        sim.post("/guild", guild_index=0, action="member_add", user_id=one, cause=one)
        if i % 3 == 2:
            resumes = sim.summary()["resumes"]["ok"]
            time.sleep(dice.uniform(0, 0.03))  # where in its work it dies is the dice's: no state is waited for
            fleet.kill(shard)
            sim.wait(resumes=resumes + 1)
            fleet.ready(shards=4)
    procs.wait_until(lambda: all(given(sim, one) and len({step for step, _ in effects_of(sim, one)} & {1, 2}) == 2
                                 for one in comers), 90, "two messages and a role each",
                     tail=lambda: str([effects_of(sim, one) for one in comers]))
    settled(sim)
    for one in comers:
        done = sorted(step for step, fate in effects_of(sim, one) if fate == "done" and step in (1, 2))
        assert done == [1, 2], (one, effects_of(sim, one))


@pytest.mark.parametrize("change", ["off", "elsewhere"])
def test_what_is_set_changes_while_a_worker_is_dead(sim, fleet, change):
    """Half of it was done by the old word; the rest is done, and nothing is called unknown."""
    role, (channel, other) = low_role(sim), ids(sim)["channels"][:2]
    set_to(sim, "welcome_channel", f"<#{channel}>")
    set_to(sim, "welcome_text", "cause-{id}.1")
    set_to(sim, "welcome_dm", "cause-{id}.2")
    set_to(sim, "autorole_roles", f"<@&{role}>")
    shard, one = int(re.search(r"shard (\d+)", text_of(sim.answer(sim.use("ping")))).group(1)), member(sim, 5)
    sim.fault("hang", route="create_dm", times=1)
    join(sim, one)
    wait_posted(sim, channel)
    procs.wait_until(lambda: any(row["operation"] == "create_dm" for row in sim.get("/effects", limit=10000)["rows"]), 30,
                     "the direct message waits")
    if change == "off":
        reset = sim.use("settings", [{"name": "reset", "type": 1, "options": [
            {"name": "name", "type": 3, "value": "admin.welcome_channel"}]}], **MANAGER)
        assert text_of(sim.answer(reset))
    else:
        set_to(sim, "welcome_channel", f"<#{other}>")
    fleet.kill(shard)
    fleet.ready(shards=4)
    greeted = lambda: sorted(step for step, fate in effects_of(sim, one) if fate == "done" and step)  # noqa: E731
    procs.wait_until(lambda: len(greeted()) > 1 and given(sim, one), 60, "both messages and the role",
                     tail=lambda: str(effects_of(sim, one)) + procs.file_tail(fleet.log, 40))
    settled(sim)
    assert greeted() == [1, 2], effects_of(sim, one)
    assert not fleet.records("effects.unknown")


def test_who_comes_while_the_database_is_away_is_welcomed_when_it_is_back(sim, make_fleet, own_stack):
    private = own_stack(prefix="shoal-welcome")
    done = server_tools.migrate(private.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet = make_fleet(sim, database=private.postgres.url())
    fleet.ready(shards=4)
    channel = ids(sim)["channels"][0]
    set_to(sim, "welcome_channel", f"<#{channel}>")
    # A worker that is started anew knows no setting, and can't ask.
    private.postgres.stop()
    shard = int(re.search(r"shard (\d+)", text_of(sim.answer(sim.use("ping")))).group(1))
    resumes = sim.summary()["resumes"]["ok"]
    fleet.kill(shard)
    sim.wait(resumes=resumes + 1)
    fleet.ready(shards=4)
    join(sim, member(sim, 4))
    settled(sim)
    assert not posted(sim, channel)
    private.postgres.start()
    assert f"<@{member(sim, 4)}>" in wait_posted(sim, channel)[0]["content"]
    settled(sim)
    assert len(posted(sim, channel)) == 1
