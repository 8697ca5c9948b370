"""Members' commands: each as a slash command and as a message, answered once, in words; registered only when changed."""

import os
import re
import signal
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness import openapi
from harness.sim import text_of


def set_prefix(value):
    return [{"name": "prefix", "type": 1, "options": [{"name": "new", "type": 3, "value": value}]}]


def answered(sim, cause):
    """The one answer's words. That it stays the only one is the ledger's to say, at the end of a test."""
    return text_of(sim.answer(cause))


EXPECTED = {
    "ping": r"(?si)pong.*shard",
    "help": r"(?s)ping.*(settings|shards)",
    "shards": r"(?s)0.*1.*2.*3",
    "stats": r"(?s)4 of 4 shards.*16 servers.*commands used, \d+ went wrong",
}


@pytest.mark.parametrize("command", EXPECTED)
def test_slash_and_message_forms(sim, fleet, command):
    bot = sim.bot_id
    for cause in (sim.use(command), sim.say(f"!{command}"), sim.say(f"<@{bot}> {command}"),
                  sim.say(f"<@!{bot}> {command}")):
        assert re.search(EXPECTED[command], answered(sim, cause)), answered(sim, cause)
    assert_each_once(sim, 4)


def assert_each_once(sim, count):
    """The ledger's word: so many causes, each with exactly one effect."""
    summary = sim.wait_all_answered()
    total = {name: sum(summary[kind][name] for kind in ("messages", "interactions"))
             for name in ("sent", "answered_once", "unanswered", "doubled")}
    assert total == {"sent": count, "answered_once": count, "unanswered": 0, "doubled": 0}, summary


def test_every_guild_is_answered_by_its_shard(sim, fleet):
    seen = {}
    for guild in range(16):
        shard = int(re.search(r"(?i)shard\D*(\d+)", answered(sim, sim.use("ping", guild=guild))).group(1))
        seen.setdefault(shard, []).append(guild)
    assert set(seen) == {0, 1, 2, 3}


def test_ping_in_a_direct_message(sim, fleet):
    assert "pong" in answered(sim, sim.use("ping", guild=None, dm=True)).lower()


@pytest.mark.parametrize("locale, words", [
    ("en-US", "works in servers only"), ("de", "geht nur auf Servern"), ("es-419", "funciona solo en servidores"),
    ("it", "funziona solo nei server"), ("ja", "works in servers only"),
])
def test_refusals_are_in_the_members_language(sim, fleet, locale, words):
    told = answered(sim, sim.use("settings", set_prefix("?"), guild=None, dm=True, extra={"locale": locale}))
    assert words in told and "`settings prefix`" in told, told


def test_a_command_used_too_often_is_refused_with_the_time_to_wait(sim, fleet):
    """Ten at once, by each member; a flood of messages is told it once."""
    for _ in range(10):
        assert "shards" in answered(sim, sim.use("stats", user_index=3))
    for _ in range(2):
        told = answered(sim, sim.use("stats", user_index=3, extra={"locale": "de"}))
        assert re.fullmatch(r"Du kannst `stats` in [1-6] Sekunden? wieder benutzen.", told), told
    assert "shards" in answered(sim, sim.use("stats", user_index=4))
    for _ in range(10):
        answered(sim, sim.use("stats", user_index=5))
    first, second = sim.say("!stats", user_index=5), sim.say("!stats", user_index=5)
    assert "You can use `stats` again in" in answered(sim, first)
    assert "pong" in answered(sim, sim.say("!ping", user_index=5)).lower()  # behind it in the guild's order
    assert not sim.answers_to(second)
    assert "again in" in answered(sim, sim.use("stats", user_index=5))


def test_help_lists_every_command(sim, fleet):
    words = answered(sim, sim.use("help", permissions=str(1 << 5)))
    for command in ("ping", "help", "shards", "stats", "settings"):
        assert command in words, words


def test_help_lists_what_the_asker_can_use_there(sim, fleet):
    """By the gate's own checks, under the names of their modules; asked for by name, all is told, and what stands against it."""
    manager, member = {"permissions": str(1 << 5)}, {"permissions": str((1 << 10) | (1 << 11)), "user_index": 7}
    name = [{"name": "command", "type": 3, "value": "settings"}]
    for_admins = answered(sim, sim.use("help", **manager))
    assert "**General**" in for_admins and "**Utility**\n`/poll`" in for_admins and "`/settings`" in for_admins, for_admins
    for_member = answered(sim, sim.use("help", **member))
    assert "`/poll`" in for_member and "`/settings`" not in for_member and "`/welcome`" not in for_member, for_member
    assert "`/privacy`" in for_member  # no message command, but a command
    direct = answered(sim, sim.use("help", guild=None, dm=True))
    assert "`/ping`" in direct and "`/server`" not in direct and "`/settings`" not in direct, direct
    of_one = answered(sim, sim.use("help", name, **manager))
    assert of_one.count("Manage Server") == 1 and of_one.count("`/settings ") == 7 and "⚠" not in of_one, of_one
    assert "⚠ You need the permission *Manage Server*" in answered(sim, sim.use("help", name, **member))


def test_help_suggests_and_knows_menus_and_usage(sim, fleet):
    def suggested(typed):
        option = {"name": "command", "type": 3, "value": typed, "focused": True}
        return [one["name"] for one in sim.answer(sim.use("help", [option], type=4, permissions=permissions))["choices"]]

    permissions = str(1 << 5)
    assert "settings" in suggested("/SET") and "ping" not in suggested("/SET") and "ping" in suggested("")
    permissions = "0"
    assert "settings" not in suggested("/SET") and "ping" in suggested("")
    assert suggested("x" * 100) == []
    words = answered(sim, sim.use("help"))
    assert "`/User info`" not in words and "under Apps: " in words and "`User info`" in words, words
    assert "`!help [command …]`" in answered(sim, sim.say("!help help"))


def test_what_is_no_command_is_left_alone(sim, fleet):
    bot = sim.bot_id
    ignored = [sim.say("ping"), sim.say("!"), sim.say("!pingpong"), sim.say("hello <@1> ping"),
               # Bots and webhooks are never answered, or two bots would talk for ever.
               sim.say("!ping", author={"id": "4242", "username": "other", "bot": True}),
               sim.say("!ping", author={"id": bot, "username": "self", "bot": True})]
    last = sim.say("!ping")
    sim.answer(last)  # those before it, of the same guild, were decided by then
    assert [sim.answers_to(one) for one in ignored] == [[]] * len(ignored)


def test_prefix_is_stored_used_and_survives_a_restart(sim, make_fleet, servers):
    database = servers.database()
    fleet = make_fleet(sim, database=database, nats=servers.nats)
    fleet.ready(shards=4)
    manager = {"permissions": str((1 << 3) | (1 << 5))}
    assert "begin with `?`" in answered(sim, sim.use("settings", set_prefix("?"), **manager))
    assert "pong" in answered(sim, sim.say("?ping")).lower()
    old = sim.say("!ping")
    sim.answer(sim.say("?ping"))
    assert sim.answers_to(old) == []
    # The other guilds keep theirs.
    assert "pong" in answered(sim, sim.say("!ping", guild=1)).lower()
    assert servers.sql("SELECT count(*) FROM shoal.guild_setting", database) == "1"
    assert fleet.stop() == fleets.OK
    fleet.start().ready(shards=4)
    assert "pong" in answered(sim, sim.say("?ping")).lower()
    # It can be told at any time.
    bot = sim.bot_id
    assert "pong" in answered(sim, sim.say(f"<@{bot}> ping")).lower()


@pytest.mark.parametrize("value", ["   ", "x" * 200, "\u202e", "\u200b!", "\u3164", "@everyone", "/"])
def test_a_bad_prefix_is_refused_in_words(sim, fleet, servers, value):
    words = answered(sim, sim.use("settings", set_prefix(value), permissions=str(1 << 3)))
    assert words and not re.search(r"(?i)incident|error -|null", words)
    assert "pong" in answered(sim, sim.say("!ping")).lower()


def test_settings_wants_permission(sim, fleet):
    words = answered(sim, sim.use("settings", set_prefix("?"), permissions="0"))
    assert re.search(r"(?i)permission|manage|allowed", words), words
    assert "pong" in answered(sim, sim.say("!ping")).lower()


def test_stats_names_a_shard_that_does_not_answer(sim, fleet):
    quiet = 3
    asked = next(guild for guild in range(16)
                 if f"{quiet}" not in re.search(r"(?i)shard\D*(\d+)", answered(sim, sim.use("ping", guild=guild))).group(1))
    os.kill(fleet.pids()[quiet], signal.SIGSTOP)
    try:
        began = fleets.now_ms()
        words = answered(sim, sim.use("stats", guild=asked))
        took = fleets.now_ms() - began
    finally:
        os.kill(fleet.pids()[quiet], signal.SIGCONT)
    assert "3 of 4 shards" in words and re.search(rf"(?i)no answer[^\n]*shard {quiet}\b", words), words
    assert took < 2500, f"waited {took} ms for a shard that does not answer"


def test_stats_tells_its_own_numbers_while_nats_is_silent(sim, make_fleet, own_stack):
    """Not even its own answer comes back: that is no fleet without shards."""
    private = own_stack(prefix="shoal-stats")
    fleet = make_fleet(sim, nats=private.nats.url)
    fleet.ready(shards=4)
    procs.wait_until(lambda: "4 of 4 shards" in answered(sim, sim.use("stats")), 30, "all are asked")
    os.kill(private.nats.process.pid, signal.SIGSTOP)
    try:
        words = answered(sim, sim.use("stats"))
    finally:
        os.kill(private.nats.process.pid, signal.SIGCONT)
    assert "can't ask each other" in words and "0 of 4" not in words, words
    procs.wait_until(lambda: "4 of 4 shards" in answered(sim, sim.use("stats")), 30, "all are asked again")


def test_commands_are_registered_only_when_changed(sim, make_fleet):
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    sim.wait_requests(1, "PUT", "/commands")
    assert {"help", "ping", "privacy", "settings", "shards", "stats"} <= set(sim.commands())
    assert fleet.stop() == fleets.OK
    before = len(sim.requests("GET", "/commands"))
    fleet.start().ready(shards=4)
    sim.wait_requests(before + 1, "GET", "/commands")
    fleet.wait_record("commands.unchanged")
    assert len(sim.requests("PUT", "/commands")) == 1


def test_commands_of_single_servers(sim, make_fleet):
    """For development: registered there and not everywhere; cleared when they are taken out of the list."""
    here, there = (sim.get("/guild", index=index)["id"] for index in (0, 1))

    def scopes():
        return {guild: sorted(one["name"] for one in rows)
                for guild, rows in sim.state()["commands"]["scopes"].items() if rows}

    fleet = make_fleet(sim, config={"commands.guilds": f"{here}, {there}"})
    fleet.ready(shards=4)
    fleet.wait_record("commands.registered", 2)
    assert set(scopes()) == {here, there} and "ping" in scopes()[here]
    assert "pong" in answered(sim, sim.use("ping")).lower()
    assert fleet.stop() == fleets.OK
    fleet.start().ready(shards=4)
    fleet.wait_record("commands.unchanged", 2)
    assert fleet.stop() == fleets.OK
    puts = len(sim.requests("PUT", "/commands"))
    fleet.config["commands.guilds"] = "123456, " + there  # a server that the bot is not in is no reason to stop
    fleet.write_ini()
    fleet.start().ready(shards=4)
    fleet.wait_record("commands.registered", 3)
    assert set(scopes()) == {there}
    assert any(one.get("guild") == "123456" or "123456" in str(one) for one in fleet.records("commands.refused"))
    assert fleet.stop() == fleets.OK
    fleet.config["commands.guilds"] = ""
    fleet.write_ini()
    fleet.start().ready(shards=4)
    fleet.wait_record("commands.registered", 5)
    assert set(scopes()) == {""} and "ping" in scopes()[""]
    assert len(sim.requests("PUT", "/commands")) <= puts + 4
    wrong = make_fleet(sim, start=False, config={"commands.guilds": "12a"})
    wrong.write_ini()
    checked = subprocess.run([harness.program("shoald"), "--config", wrong.ini, "--check"], env=wrong.env(),
                             capture_output=True, text=True, check=False)
    assert checked.returncode == fleets.CONFIG and "commands.guilds" in checked.stdout + checked.stderr


def test_what_was_sent_is_what_discord_takes(sim, fleet):
    """Every fixture judges its requests at its end; here, that there was something to judge, of every form."""
    for command in EXPECTED:
        sim.answer(sim.use(command))
        sim.answer(sim.say(f"!{command}"))
    sim.answer(sim.use("settings", set_prefix("?"), permissions=str(1 << 5)))
    sim.wait_requests(1, "PUT", "/commands")
    sim.wait_all_answered()
    requests = sim.requests()
    problems, judged = openapi.check(requests)
    assert problems == []
    bodies = [one for one in requests if one.get("body")]
    assert len(bodies) >= 10 and {one["method"] for one in bodies} >= {"POST", "PUT"}
    assert judged == (len(bodies) if openapi.paper_is_here() else 0)
