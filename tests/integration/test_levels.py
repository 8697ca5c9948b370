"""Who may do what in a server: levels, lists, explanations, and what is done to members, as admins and members meet it."""

import json
import os
import re

import pytest

import harness
import procs
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of
from test_modules import build

ADMIN, MANAGER, NOBODY = str(1 << 3), str(1 << 5), "0"
KINDS = {"role": 8, "user": 6, "channel": 7}


@pytest.fixture
def private(own_stack):
    stack = own_stack(prefix="shoal-levels")
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


BOB = "555555555555555555"


def member(*roles, user=BOB, permissions=NOBODY):
    return {"member": {"user": {"id": user, "username": "bob", "discriminator": "0", "avatar": None, "global_name": None},
                       "roles": [str(role) for role in roles], "permissions": permissions, "deaf": False, "mute": False,
                       "joined_at": "2020-01-01T00:00:00+00:00", "flags": 0, "pending": False}}


def permissions(sim, child, guild=0, by=MANAGER, locale="en-US", resolved=None, user_index=9, **options):
    """/permissions CHILD by an admin: the words of the answer. for_ stands for the option `for`."""
    rows = [{"name": name.rstrip("_"), "type": KINDS.get(name, 3), "value": str(value)} for name, value in options.items()]
    named = {name: str(options[name]) for name in KINDS if name in options}
    found = {"role": {"name": "Some", "color": 0, "hoist": False, "position": 1, "permissions": "0", "managed": False,
                      "mentionable": False, "flags": 0},
             "user": {"username": "eve", "discriminator": "0", "avatar": None, "global_name": None},
             "channel": {"name": "some", "type": 0, "permissions": "0"}}
    data = {"resolved": {f"{name}s": {value: {"id": value, **found[name]}} for name, value in named.items()}}
    data["resolved"].update(resolved or {})
    more = {"data": data} if data["resolved"] else {}
    return text_of(sim.answer(sim.use("permissions", [{"name": child, "type": 1, "options": rows}], guild=guild,
                                      permissions=by, user_index=user_index, extra={"locale": locale}, **more)))


def ping(sim, *roles, guild=0, permissions=NOBODY, locale="en-US", user=BOB, **more):
    who = member(*roles, user=user, permissions=permissions)
    return text_of(sim.answer(sim.use("ping", guild=guild, extra={"locale": locale, **who}, **more))).lower()


def ids(sim, guild=0):
    return sim.get("/guild", index=guild)


def audit(fleet, event):
    with open(fleet.log, encoding="utf-8") as log:
        return [row for row in (json.loads(line) for line in log if line.startswith("{")) if row["event"] == event]


def test_lists_and_levels_of_a_server(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    guild = ids(sim)
    here, there = [one["id"] for one in guild["channels"] if one["type"] == 0][:2]
    categories = [one["id"] for one in guild["channels"] if one["type"] == 4]
    role, other = 111111111111111111, 222222222222222222
    assert "nothing is set" in permissions(sim, "show").lower()
    assert "pong" in ping(sim)

    # only a role
    assert "Done" in permissions(sim, "allow", for_="/ping", role=role)
    assert "not everybody" in ping(sim) and str(role) not in ping(sim)
    assert "nicht jeder" in ping(sim, locale="de")
    assert "pong" in ping(sim, role)
    assert "pong" in ping(sim, permissions=ADMIN), "no rule stops an administrator"
    assert "pong" in ping(sim, guild=1), "another server has its own rules"
    shown = permissions(sim, "show")
    assert f"`/ping`: only <@&{role}>" in shown, shown

    # a member with that role, but not he
    user = "333333333333333333"
    assert "Done" in permissions(sim, "deny", for_="/ping", user=user)
    assert "not everybody" in ping(sim, role, user=user)
    explained = permissions(sim, "explain", command="/ping", user=user, resolved={
        "users": {user: {"id": user, "username": "eve", "discriminator": "0", "avatar": None}},
        "members": {user: {"roles": [str(role)], "joined_at": "2020-01-01T00:00:00+00:00", "deaf": False, "mute": False,
                           "flags": 0, "permissions": "0"}}})
    assert "A rule for `/ping` says no" in explained and "Level here: *member*" in explained, explained

    # where
    assert "Done" in permissions(sim, "forget", for_="/ping")
    assert "pong" in ping(sim)
    assert "Done" in permissions(sim, "deny", for_="core", channel=here)
    assert "not work in this channel" in ping(sim)
    assert "pong" in ping(sim, channel_id=there)
    assert "not work in this channel" in text_of(sim.answer(sim.say("!ping"))), "messages, too"
    assert "Done" in permissions(sim, "forget", for_="core", channel=here, by=ADMIN)
    for category in categories:
        assert "Done" in permissions(sim, "deny", for_="core", channel=category)
    assert "not work in this channel" in ping(sim, channel_id=there), "a channel of a category"
    assert "Done" in permissions(sim, "forget", for_="core", by=ADMIN)

    # a level
    assert "Done" in permissions(sim, "need", for_="ping", level="helper")
    assert "helper" in ping(sim) and "helfer" in ping(sim, locale="de")
    assert "Done" in permissions(sim, "level", level="moderator", role=other)
    assert "pong" in ping(sim, other)
    assert "helper" in ping(sim, role)
    assert "pong" in ping(sim, permissions=str(1 << 13)), "Manage Messages makes a helper"
    assert "so already" in permissions(sim, "level", level="moderator", role=other)
    assert "Done" in permissions(sim, "level", level="member", role=other)
    assert "helper" in ping(sim, other)
    assert "Done" in permissions(sim, "need", for_="/ping", level="own")
    assert "pong" in ping(sim)

    # what can't be
    assert "no command and no module" in permissions(sim, "allow", for_="/nix", role=role)
    assert "no command and no module" in permissions(sim, "allow", for_="x" * 100, role=role)
    assert "name a role" in permissions(sim, "allow", for_="/ping")
    assert "name a role or a member" in permissions(sim, "level", level="admin")
    assert "no such command" in permissions(sim, "explain", command="/`rm`")
    assert "Manage Server" in permissions(sim, "show", by=NOBODY)
    assert "Line 1 of the rules" in text_of(sim.answer(sim.use(
        "settings", [{"name": "set", "type": 1, "options": [{"name": "name", "type": 3, "value": "access.rules"},
                                                            {"name": "value", "type": 3, "value": "permit all"}]}],
        permissions=MANAGER)))

    refused = audit(fleet, "commands.refused")
    assert {row["reason"] for row in refused} >= {"list_member", "list_channel", "level", "permission"}, refused
    assert all(row["level"] == "audit" and row["guild_id"] == str(guild["id"]) and row["module"] == "core" and row["user"]
               for row in refused), refused
    changed = [row for row in audit(fleet, "settings.changed") if row["setting"] == "access.rules"]
    assert changed and all(row["guild_id"] == str(guild["id"]) for row in changed)


def test_the_operator_keeps_a_user_out_everywhere(sim, make_fleet, private):
    user, boss = "333333333333333333", "444444444444444444"
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url, config={"discord.operators": boss})
    fleet.ready(shards=4)
    fleet.ctl("config", "set", "access.rules", f"deny all <@{user}> <@{boss}>")

    def refused():
        return "operator of this bot" in ping(sim, user=user, guild=2)

    procs.wait_until(refused, 30 * fleets.harness.PATIENCE, "the operator's rule", interval_s=0.1)
    assert "operator of this bot" in ping(sim, user=user, permissions=ADMIN)
    assert "pong" in ping(sim)
    assert "pong" in ping(sim, user=boss)
    bad = fleet.ctl_run("config", "set", "access.rules", "deny somebody")
    assert bad.returncode == 1 and "Line 1" in bad.stderr, bad


def test_who_is_forgotten_leaves_a_list_a_list(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    user = "333333333333333333"
    assert "Done" in permissions(sim, "allow", for_="/ping", user=user)
    assert "pong" in ping(sim, user=user)
    done = text_of(sim.answer(sim.use("privacy", [{"name": "delete", "type": 1, "options": [
        {"name": "confirm", "type": 5, "value": True}]}], user={"id": user, "username": "eve"})))
    assert "Done" in done, done

    def gone():
        stored = fleet.ctl("config", "get", "access.rules", "--guild", str(ids(sim)["id"]))["value"]
        return user not in stored and "allow /ping <@" in stored

    procs.wait_until(gone, 30 * fleets.harness.PATIENCE, "the member's name to go", interval_s=0.1)
    procs.wait_until(lambda: "not everybody" in ping(sim, user=user),
                     30 * fleets.harness.PATIENCE, "the worker to know", interval_s=0.1)
    assert "not everybody" in ping(sim), "it must not become open to all"


def test_the_language_of_a_server(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    assert "Manage Server" in permissions(sim, "show", by=NOBODY, locale="fr")
    rows = [{"name": "name", "type": 3, "value": "locale.language"}, {"name": "value", "type": 3, "value": "it"}]
    sim.answer(sim.use("settings", [{"name": "set", "type": 1, "options": rows}], permissions=MANAGER))
    assert "Ti serve il permesso" in permissions(sim, "show", by=NOBODY, locale="de")
    assert "Ti serve il permesso" not in permissions(sim, "show", guild=1, by=NOBODY, locale="de")
