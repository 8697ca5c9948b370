"""What members and admins read: that it says what was done, what there is, and nothing that is not theirs to know."""

import json
import os
import re
import subprocess

import pytest

import procs
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANAGER = {"permissions": str(1 << 5)}
KINDS = {bool: 5, int: 4, str: 3}


@pytest.fixture
def stack(own_stack):
    stack = own_stack(prefix="shoal-answers")
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


@pytest.fixture
def fleet(sim, make_fleet, stack):
    fleet = make_fleet(sim, database=stack.postgres.url(), nats=stack.nats.url)
    fleet.ready(shards=4)
    return fleet


def asked(sim, command, *children, rows=(), **more):
    """Uses /command child; rows: (name, value) or (name, type, value)."""
    options = [{"name": row[0], "type": row[1] if len(row) == 3 else KINDS[type(row[1])], "value": row[-1]} for row in rows]
    for child in reversed(children):
        options = [{"name": child, "type": 1, "options": options}]
    return sim.use(command, options, **more)


def told(sim, command, *children, rows=(), **more):
    return text_of(sim.answer(asked(sim, command, *children, rows=rows, **more)))


def test_a_change_of_rules_says_what_stands_now(sim, fleet):
    guild = sim.get("/guild", index=0)
    role, other, user, here = guild["roles"][1], guild["roles"][2], guild["members"][3], guild["channels"][0]["id"]

    found = {8: ("roles", {"name": "Some", "color": 0, "hoist": False, "position": 1, "permissions": "0", "managed": False,
                           "mentionable": False, "flags": 0}),
             6: ("users", {"username": "eve", "discriminator": "0", "avatar": None, "global_name": None}),
             7: ("channels", {"name": "some", "type": 0, "permissions": "0"})}

    def change(child, *rows, locale="en-US"):
        named = {found[row[1]][0]: {row[2]: {"id": row[2], **found[row[1]][1]}} for row in rows if len(row) == 3}
        return told(sim, "permissions", child, rows=rows, extra={"locale": locale}, data={"resolved": named}, **MANAGER)

    # Nothing was there to forget: no answer may sound as if something had been done.
    assert "no such rule here" in change("forget", ("for", "all"))
    assert change("level", ("level", "helper"), ("role", 8, role)) == f"Done. *helper*: <@&{role}>"
    assert change("level", ("level", "helper"), ("role", 8, other)) == f"Done. *helper*: <@&{role}>, <@&{other}>"
    assert change("deny", ("for", "/ping"), ("user", 6, user)) == f"Done. `/ping`: not <@{user}>"
    both = change("allow", ("for", "/ping"), ("channel", 7, here))
    assert both.startswith("Done. ") and f"`/ping`: not <@{user}>" in both and f"`/ping`: only <#{here}>" in both, both
    assert change("need", ("for", "/stats"), ("level", "moderator"), locale="de") == "Fertig. `/stats`: ab *Moderator*"
    assert "so already" in change("need", ("for", "/stats"), ("level", "moderator"))
    assert change("level", ("level", "member"), ("role", 8, role)) == "Done. `/permissions show`"
    assert "no such rule here" in change("forget", ("for", "/about"))
    assert change("forget", ("for", "/ping")) == "Done. `/permissions show`"
    shown = told(sim, "permissions", "show", **MANAGER)
    assert f"*helper*: <@&{other}>" in shown and "/ping" not in shown and "Manage Server → admin" in shown, shown


def exported(sim, cause, complete):
    """All messages of an export, once @complete says so of the JSON in them."""
    def read():
        texts = [text_of(one) for one in sim.answers_to(cause)]
        blocks = [re.search(r"```json\n(.*)\n```$", text, re.S) for text in texts]
        whole = "".join(block[1] if block else "" for block in blocks)
        return texts if complete(whole) else None
    return procs.wait_until(read, 30 * fleets.harness.PATIENCE, "the export")


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_an_export_is_plain_and_whole(sim, fleet):
    member = {"user_index": 5}
    assert told(sim, "privacy", "export", **member) == "I keep nothing of you."
    assert told(sim, "privacy", "export", extra={"locale": "it"}, **member) == "Di te non conservo nulla."
    # A backtick takes six characters in a fence: no piece may become too long for its message.
    texts = ["`" * 900, "``` " * 200 + "é" * 80, "last"]
    for text in texts:
        assert "remind you" in told(sim, "remind", "me", rows=(("when", "in 3 days"), ("text", text)), **member)
    parts = exported(sim, asked(sim, "privacy", "export", **member), parsed)
    assert parts[0].startswith("This is all that I keep of you, as it is stored.\x20"), parts[0]
    assert len(parts) > 3 and all(len(part) <= 2000 and not part.endswith("…") for part in parts), [len(part) for part in parts]
    rows = json.loads("".join(re.search(r"```json\n(.*)\n```$", part, re.S)[1] for part in parts))["rows"]
    kept = [row["row"]["payload"].partition("\n")[2] for row in rows if row["table"] == "job"]
    assert sorted(kept) == sorted(texts), kept


def test_a_button_is_no_command_of_the_statistics(sim, fleet):
    made = asked(sim, "poll", "create", rows=(("question", "Lunch?"), ("answers", "Pizza | Pasta")), user_index=3)
    sim.answer(made)
    poll = next(one for one in sim.requests("POST", "/messages") if "Lunch?" in str(one.get("body")))
    button = json.loads(poll["body"])["components"][0]["components"][0]["custom_id"]
    for user in range(4, 8):
        assert "Pizza" in text_of(sim.answer(sim.use("", type=3, custom_id=button, user_index=user)))
    shown = told(sim, "stats", user_index=3)
    assert "`poll create` 1" in shown and "utility" not in shown, shown
    # Operators see it: what it costs is theirs to know.
    procs.wait_until(lambda: any(one["command"] == "utility.vote" for one in fleet.ctl("commands")["commands"]),
                     30 * fleets.harness.PATIENCE, "the button's uses", interval_s=0.2)


def test_time_zones_are_suggested(sim, fleet):
    for typed, first, count in (("", "Europe/Berlin", 25), ("rom", "Europe/Rome", 1), ("new y", "America/New_York", 1),
                                ("BUENOS", "America/Argentina/Buenos_Aires", 1), ("nowhere at all", None, 0)):
        row = {"name": "zone", "type": 3, "value": typed, "focused": True}
        choices = sim.answer(sim.use("remind", [{"name": "timezone", "type": 1, "options": [row]}], type=4))["choices"]
        assert len(choices) == count and (choices[0]["value"] if choices else None) == first, (typed, choices)
    # The list is made from tzdata: what it offers must be taken.
    source = open(os.path.join(ROOT, "shard/modules/remind/zones.c"), encoding="utf-8").read()
    zones = re.findall(r'"([A-Z][A-Za-z_/-]+)"', source[source.index("zones[]"):source.index("SUGGESTED_MAX")])
    assert len(zones) > 300 and len(set(zones)) == len(zones)
    for user, zone in enumerate(zones[::40]):
        assert f"in {zone} now" in told(sim, "remind", "timezone", rows=(("zone", zone),), user_index=user)


def test_a_word_that_is_none_is_named_by_the_preview(sim, fleet):
    guild = sim.get("/guild", index=0)

    def put(name, value):
        return told(sim, "settings", "set", rows=(("name", name), ("value", value)), **MANAGER)

    assert "What counts here now: <#" in put("admin.welcome_channel", f"<#{guild['channels'][0]['id']}>")
    assert "{nix}" in put("admin.welcome_text", "Hi {user} {name} {server} {count} { this } {nix} {user.name}")
    shown = told(sim, "welcome", "preview", **MANAGER)
    assert "⚠ `{nix}` stays as it is; these are filled in: `{user}` `{name}` `{server}` `{count}`" in shown, shown
    put("admin.welcome_text", "Hi {user}, {} { this } {")
    assert "⚠ `{" not in told(sim, "welcome", "preview", **MANAGER)


def test_a_module_is_shown_with_what_is_in_menus(sim, fleet):
    shown = told(sim, "module", "show", rows=(("name", "utility"),), **MANAGER)
    assert "`/poll`" in shown and ", `User info`, `Avatar`" in shown and "`/User" not in shown, shown
    german = told(sim, "module", "show", rows=(("name", "utility"),), extra={"locale": "de"}, **MANAGER)
    assert "`/poll`" in german and "`Über dieses Mitglied`" in german, german


def test_a_time_says_in_whose_zone_it_was_read(sim, fleet):
    """Who never said where he is must not learn it from a reminder that comes hours too late."""
    def ask(when, user, locale="en-US"):
        return told(sim, "remind", "me", rows=(("when", when), ("text", "tea")), user_index=user, extra={"locale": locale})

    assert ask("tomorrow 9:00", 4).endswith("\n-# Read as a time in UTC; `/remind timezone` sets yours.")
    assert ask("morgen um 9", 5, "de").endswith("\n-# Als Zeit in UTC gelesen; `/remind timezone` setzt deine Zeitzone.")
    assert "-#" not in ask("in 2h30m", 6)
    assert "in Europe/Rome now" in told(sim, "remind", "timezone", rows=(("zone", "Europe/Rome"),), user_index=7)
    assert "-#" not in ask("tomorrow 9:00", 7)


def test_who_accepts_the_rules_at_once_gets_the_roles(sim, fleet, stack):
    """The note that a member has to accept them is still on its way when the database is asked for it."""
    postgres, guild = stack.postgres, sim.get("/guild", index=0)
    role, member = guild["roles"][2], guild["members"][3]
    row = {"name": "r", "permissions": "0", "color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
    sim.post("/guild", guild_index=0, action="update", fields={"features": ["COMMUNITY", "MEMBER_VERIFICATION_GATE_ENABLED"]})
    for one, position, bits in ((guild["roles"][1], 9, 1 << 28), (role, 1, 0)):
        sim.post("/event", t="GUILD_ROLE_UPDATE", guild_index=0, d={"guild_id": guild["id"], "role": {
            **row, "id": one, "position": position, "permissions": str(bits)}})
    told(sim, "settings", "set", rows=(("name", "admin.autorole_roles"), ("value", f"<@&{role}>")), **MANAGER)
    holder = subprocess.Popen(
        [os.path.join(postgres.bin, "psql"), "-XqAt", "-h", postgres.socket_dir, "-p", str(postgres.port), "-U", "postgres", "-d", "shoal"],
        env={"PGPASSWORD": postgres.passwords["postgres"], "PATH": "/usr/bin:/bin"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE shoal.admin__pending IN SHARE ROW EXCLUSIVE MODE; SELECT 'held';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"  # who reads goes past it, who writes waits
        sim.post("/guild", guild_index=0, action="member_add", user_id=member, fields={"pending": True})
        assert "pong" in told(sim, "ping").lower()
        sim.post("/guild", guild_index=0, action="member_update", user_id=member, fields={"pending": False})
        sim.wait_requests(1, "PUT", f"/members/{member}/roles/{role}")
    finally:
        holder.stdin.close()
        holder.wait(30)
