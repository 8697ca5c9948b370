"""Settings, keys, privacy and retention as admins, members and operators meet them."""

import json
import os
import re
import subprocess

import pytest

import procs
from conftest import need
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SHOAL_TEST_BUILD", "build"))
MANAGER = {"permissions": str(1 << 5)}


@pytest.fixture
def private(own_stack):
    stack = own_stack(prefix="shoal-settings")
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def use(sim, command, child, guild=0, user=None, **options):
    kinds = {bool: 5, int: 4, str: 3}
    rows = [{"name": name, "type": 7 if name == "channel" else kinds[type(value)], "value": value}
            for name, value in options.items()]
    more = {"user": user} if user else {}
    return sim.use(command, [{"name": child, "type": 1, "options": rows}], guild=guild, **MANAGER, **more)


def settings(sim, child, **options):
    return text_of(sim.answer(use(sim, "settings", child, **options)))


def eventually(check, what, fleet):
    return procs.wait_until(check, 30 * fleets.harness.PATIENCE, what, interval_s=0.1,
                            tail=lambda: procs.file_tail(fleet.log, 60))


def guild_id(sim, index):
    return int(sim.get("/guild", index=index)["id"])


def test_refusals_are_in_the_admins_language(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)

    def told(locale, child, **options):
        rows = [{"name": name, "type": 4 if isinstance(value, int) else 3, "value": value} for name, value in options.items()]
        return text_of(sim.answer(sim.use("settings", [{"name": child, "type": 1, "options": rows}],
                                          extra={"locale": locale}, **MANAGER)))

    for locale, child, options, words in (
            ("de", "set", {"name": "locale.language", "value": "xx"}, "Erlaubt bei `locale.language`: eines von auto, en, de, es, it."),
            ("es-ES", "set", {"name": "privacy.history_days", "value": "-5"}, "pide un número entero de 1 a 36500."),
            ("it", "set", {"name": "commands.prefix", "value": "x" * 40}, "vuole un testo da 1 a 8 caratteri."),
            ("de", "set", {"name": "admin.welcome_channel", "value": "abc"}, "`admin.welcome_channel`: ein Kanal, oder `nichts`."),
            ("es-ES", "set", {"name": "admin.welcome_embed", "value": "maybe"}, "pide sí o no."),
            ("it", "set", {"name": "admin.autorole_roles", "value": "x"}, "vuole al massimo 10 ruoli"),
            ("en-US", "set", {"name": "no.`such\u200b @everyone", "value": "1"}, "There is no setting"),
            ("de", "set", {"name": "nix.da", "value": "1"}, "Es gibt keine Einstellung `nix.da`"),
            ("it", "rollback", {"name": "commands.prefix", "version": 99}, "non ha una versione 99"),
            ("es-ES", "reset", {"name": "commands.prefix"}, "no está establecido ahí"),
            ("de", "show", {"name": "privacy.history_days"}, "eine ganze Zahl von 1 bis 36500")):
        answer = told(locale, child, **options)
        assert words in answer and "@everyone" not in answer and "\u200b @" not in answer, (locale, child, options, answer)
    assert "geändert (Version 1)" in told("de", "set", name="commands.prefix", value="?")
    assert "geändert (Version 2)" in told("de", "reset", name="commands.prefix")
    history = told("de", "history", name="commands.prefix")
    assert "`?` → `nicht gesetzt`" in history and "`nicht gesetzt` → `?`" in history, history
    told("en-US", "set", name="admin.welcome_text", value="Hi `x`\n{user}")
    # A role or channel that is not there is told of; it may come.
    changed = told("en-US", "set", name="admin.autorole_roles", value="<@&123456789012345678>")
    assert "changed" in changed and "I see no <@&123456789012345678> in this server" in changed, changed
    assert "Ich sehe <#1> auf diesem Server nicht" in told("de", "set", name="admin.welcome_channel", value="<#1>")
    known = sim.get("/guild", index=0)["channels"][0]["id"]
    changed = told("en-US", "set", name="admin.welcome_channel", value=f"<#{known}>")
    assert f"<#{known}>" in changed and "I see no" not in changed, changed
    listed = told("en-US", "list")
    assert "`admin.welcome_text` = `Hi 'x' {user}` by <@" in listed, listed
    assert "`admin.autorole_roles` = <@&123456789012345678> by <@" in listed, listed
    # A zone that there is none of would count as UTC, and nobody would know why.
    assert "no such time zone" in told("en-US", "set", name="remind.timezone", value="Mars/X")
    assert "version 1" in told("en-US", "set", name="remind.timezone", value="Europe/Rome")


def test_an_admin_sees_changes_and_goes_back(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    shown = settings(sim, "show")
    assert "`commands.prefix`: `!`\n" in shown and "it is the default" in shown, shown
    assert "version 1" in settings(sim, "set", name="commands.prefix", value="?")
    shown = settings(sim, "show", name="commands.prefix")
    assert "`?`, set for this server" in shown and "the default: `!`" in shown, shown
    assert re.search(r"^`privacy\.", settings(sim, "show"), re.M)
    of_one = settings(sim, "show", name="commands")  # all of one owner
    assert "`commands.prefix` is `?`, set for this server\n-# what commands typed" in of_one, of_one
    assert "privacy." not in of_one, of_one
    assert "begin with `/`" in settings(sim, "set", name="commands.prefix", value="/x")
    assert "no setting" in settings(sim, "set", name="nix.da", value="1")
    assert "no setting" in settings(sim, "show", name="nix.da")
    assert "version 2" in settings(sim, "set", name="commands.prefix", value="%")
    assert "pong" in text_of(sim.answer(sim.say("%ping"))).lower()
    history = settings(sim, "history", name="commands.prefix")
    assert "`?` → `%`" in history and "`not set` → `?`" in history and "<@" in history, history
    assert "version 3" in settings(sim, "rollback", name="commands.prefix", version=1)
    assert "pong" in text_of(sim.answer(sim.say("?ping"))).lower()
    assert "no version 9" in settings(sim, "rollback", name="commands.prefix", version=9)
    assert "version 4" in settings(sim, "reset", name="commands.prefix")
    assert "not set there" in settings(sim, "reset", name="commands.prefix")
    assert "pong" in text_of(sim.answer(sim.say("!ping"))).lower()
    refused = text_of(sim.answer(sim.use("settings", [{"name": "show", "type": 1, "options": []}], permissions="0")))
    assert "Manage Server" in refused


def test_the_highest_version_that_there_is(sim, make_fleet, servers):
    """Only a hand in the database brings it there: said in words, to the admin and in the log, and nothing else suffers."""
    url = servers.database()
    fleet = make_fleet(sim, database=url, nats=servers.nats)
    fleet.ready(shards=4)
    name, table = "commands.prefix", "guild_setting"
    assert "version 1" in settings(sim, "set", name=name, value="?")
    assert "version 1" in settings(sim, "set", name="privacy.history_days", value="40")
    servers.sql(f"UPDATE shoal.{table} SET version = 9223372036854775807 WHERE name = '{name}'", url)
    for child, values in (("set", {"value": "%"}), ("reset", {})):
        answer = settings(sim, child, name=name, **values)
        assert "highest number" in answer and "Nothing was changed" in answer and "EBADMSG" not in answer, answer
    record = fleet.wait_record("settings.refused_by_database")
    assert name in record["msg"] and f"UPDATE shoal.{table} SET version" in record["msg"], record
    # Its neighbours in the server: changed, and seen by who looks again.
    assert "version 2" in settings(sim, "set", name="privacy.history_days", value="41")
    eventually(lambda: "41" in settings(sim, "show", name="privacy.history_days"), "the neighbour's new value", fleet)
    # As the log says.
    servers.sql(f"UPDATE shoal.{table} SET version = 100 WHERE name = '{name}'", url)
    assert "version 101" in settings(sim, "set", name=name, value="%")


@pytest.mark.parametrize("child, typed, wanted", [
    ("show", "pref", ["commands.prefix"]),
    ("show", "typed as messages", ["commands.prefix"]),
    ("set", "HIST", ["privacy.history_days"]),
    ("rollback", "nothing of that name", []),
])
def test_names_are_suggested(sim, make_fleet, child, typed, wanted):
    make_fleet(sim).ready(shards=4)
    row = {"name": "name", "type": 3, "value": typed, "focused": True}
    asked = sim.use("settings", [{"name": child, "type": 1, "options": [row]}], type=4, **MANAGER)
    choices = sim.answer(asked)["choices"]
    assert [one["value"] for one in choices] == wanted, choices
    assert all(one["name"].startswith(one["value"] + ": ") and len(one["name"]) <= 100 for one in choices), choices


@pytest.mark.parametrize("name, typed, locale, wanted", [
    ("locale.language", "", "en-US", ["auto", "en", "de", "es", "it"]),
    ("locale.language", "E", "en-US", ["en", "de", "es"]),
    ("access.from_permissions", "", "de", ["ja", "nein"]),
    ("commands.prefix", "", "en-US", []),
    ("no.such", "", "en-US", []),
])
def test_values_are_suggested(sim, make_fleet, name, typed, locale, wanted):
    make_fleet(sim).ready(shards=4)
    rows = [{"name": "name", "type": 3, "value": name}, {"name": "value", "type": 3, "value": typed, "focused": True}]
    asked = sim.use("settings", [{"name": "set", "type": 1, "options": rows}], type=4, extra={"locale": locale}, **MANAGER)
    assert [one["value"] for one in sim.answer(asked)["choices"]] == wanted


def test_a_long_value_is_shown_whole_and_cut_between_characters(sim, make_fleet, private):
    """In lists on one line, with a sign that there is more; asked for by name, all of it."""
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url, config={"modules.load": "admin"})
    fleet.ready(shards=4)
    for lead in ("", "x"):  # one of them has a character across the cut, whatever the cut is
        text = lead + "é" * 200 + "\n`second` ```line"
        done = settings(sim, "set", name="admin.welcome_text", value=text)
        assert re.search(r"What counts here now: `x?é{20,}`…, set for this server\.", done), done
        shown = settings(sim, "show", name="admin.welcome_text")
        assert f"```\n{text.replace('`', chr(39))}\n```" in shown, shown
        listed = settings(sim, "show")
        assert re.search(r"^`admin\.welcome_text` is `x?é{20,}`…, set for this server$", listed, re.M), listed
        assert all("\ufffd" not in one for one in (done, shown, listed))
    assert "What counts here now: (empty), the default." in settings(sim, "reset", name="admin.welcome_text")


def test_an_operator_sets_for_all_and_for_one(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url, config={"modules.load": "admin"})
    fleet.ready(shards=4)
    guild = str(guild_id(sim, 1))
    assert "pong" in text_of(sim.answer(sim.say("!ping", guild=1))).lower()
    assert fleet.ctl("config", "set", "commands.prefix", "$")["told"] is True
    fleet.ctl("config", "set", "commands.prefix", "&", "--guild", guild)
    # Told by NATS: the very next messages know.
    eventually(lambda: "begin with `&`" in settings(sim, "prefix", guild=1), "the guild's prefix", fleet)
    eventually(lambda: "begin with `$`" in settings(sim, "prefix", guild=2), "the global prefix", fleet)
    got = fleet.ctl("config", "get", "commands.prefix", "--guild", guild)
    assert got["value"] == "&" and got["from"] == "guild" and got["sure"], got
    assert [one["layer"] for one in got["layers"] if one["set"]] == ["default", "global", "guild"], got
    assert fleet.ctl("config", "history", "--guild", guild)[0]["value"] == "&"
    # A module's, with the module's own bounds: for all servers, and seen there.
    fleet.ctl("config", "set", "admin.welcome_text", "Ahoy {member}")
    assert fleet.ctl("config", "get", "admin.welcome_text")["value"] == "Ahoy {member}"
    eventually(lambda: "Ahoy" in settings(sim, "show", name="admin.welcome_text"), "a module's setting", fleet)
    bad = fleet.ctl_run("config", "set", "admin.welcome_text", "x" * 7000)
    assert bad.returncode == 1 and "welcome_text" in bad.stderr, bad
    bad = fleet.ctl_run("config", "set", "privacy.history_days", "3")
    assert bad.returncode == 1 and "can't be set for all servers; it can be for: a server" in bad.stderr, bad
    bad = fleet.ctl_run("config", "set", "commands.prefix", "a b")
    assert bad.returncode == 1 and "spaces" in bad.stderr, bad
    assert fleet.ctl_run("config", "sideways").returncode == 2
    assert fleet.ctl_run("config", "get", "commands.prefix", "--guild", "x").returncode == 2
    # In the operator's words: what it takes, its whole name, and where the others are found.
    got = fleet.ctl("config", "get", "locale.language")
    assert got["takes"].endswith("one of auto, en, de, es or it"), got
    said = fleet.ctl_run("config", "get", "locale.language").stdout
    assert said.splitlines()[1].strip() == got["takes"], said
    assert "`locale.language` wants one of" in fleet.ctl_run("config", "set", "locale.language", "xx").stderr
    assert "shoalctl config show lists them" in fleet.ctl_run("config", "set", "nix.da", "1").stderr
    assert "admin.leave_text = (empty)  (default)\n" in fleet.ctl_run("config", "show").stdout
    fleet.ctl("config", "rollback", "commands.prefix", "1")
    fleet.ctl("config", "reset", "commands.prefix", "--guild", guild)
    eventually(lambda: "begin with `$`" in settings(sim, "prefix", guild=1), "the global prefix again", fleet)


def test_without_a_database_it_says_so(sim, make_fleet):
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    for words in (settings(sim, "prefix"), settings(sim, "prefix", new="?"), settings(sim, "show"),
                  settings(sim, "set", name="commands.prefix", value="?"), settings(sim, "history")):
        assert "o database is configured" in words and "later" not in words, words
    assert "No database is configured" in text_of(sim.answer(use(sim, "privacy", "export")))
    assert fleet.ctl_run("config", "show").returncode == 3


def test_shoalctl_tells_a_database_that_is_away_from_a_supervisor(sim, make_fleet, private):
    """By the code that README.md gives for it, in words a person can read."""
    fleet = make_fleet(sim, database=private.postgres.url())
    fleet.ready(shards=4)
    verbs = [("config", "show"), ("config", "get", "commands.prefix"), ("config", "set", "commands.prefix", "?"),
             ("config", "history"), ("privacy", "export", "5"), ("privacy", "delete", "5", "--yes"), ("keys", "status")]
    private.postgres.kill()
    for verb in verbs:
        done = fleet.ctl_run(*verb)
        assert done.returncode == fleets.UNAVAILABLE and "{" not in done.stderr, (verb, done)


def test_keys_are_rotated_under_traffic(private, folder):
    driver, ctl = os.path.join(BUILD, "tests/unit/test_settings"), os.path.join(BUILD, "shoalctl")
    need(os.access(driver, os.X_OK), f"{driver} is not built")
    keys = os.path.join(folder, "keys")
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")}, "DATABASE_URL": private.postgres.url(),
           "SHOAL_SECRETS_KEY_FILE": keys, "SHOAL_SUPERVISOR_RUNTIME_DIR": folder}

    def run(*arguments, code=0):
        done = subprocess.run([ctl, "keys", *arguments], env=env, cwd=folder, capture_output=True, text=True, timeout=120,
                              check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "No such file" in run("status", code=3)
    run("new")
    first = json.loads(run("status", "--json"))[0]["id"]
    assert os.stat(keys).st_mode & 0o777 == 0o600
    with subprocess.Popen([driver, "secrets", private.postgres.url(), keys], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            said = child.stdout.readline()
            assert said == "ready\n", said + child.stderr.read()
            run("new")
            for _ in range(5):  # what was changed with the old key meanwhile is found by the next
                run("rotate", "--json")
                status = {one["id"]: one for one in json.loads(run("status", "--json"))}
                if status[first]["rows"] == 0:
                    break
            out, error = child.communicate("", timeout=60)
        finally:
            child.kill()
    assert "good after" in out, out + error
    assert status[first]["rows"] == 0 and not status[first]["encrypts"], status
    second = next(one for one in status.values() if one["encrypts"])
    assert second["rows"] >= 500, status  # values and their history
    assert json.loads(run("rotate", "--json"))["done"] == 0

    # A key that is lost: said, by number, and nothing is harmed.
    with open(keys, encoding="utf-8") as f:
        text = f.read()
    with open(keys, "w", encoding="utf-8") as f:
        f.write("".join(line for line in text.splitlines(True) if first in line))
    assert "MISSING" in run("status")
    assert "could not be opened" in run("rotate", code=1)
    with open(keys, "w", encoding="utf-8") as f:
        f.write("no key at all\n")
    assert "no id" in run("status", code=3)


def test_a_bad_key_file_costs_nothing_else(sim, make_fleet, private, folder):
    keys = os.path.join(folder, "keys")
    with open(keys, "w", encoding="utf-8") as f:
        f.write("000000000000000a geheim\n")
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url,
                       config={"secrets.key_file": keys})
    fleet.ready(shards=4)
    assert "begin with `?`" in settings(sim, "prefix", new="?")
    log = procs.file_tail(fleet.log, 200)
    assert "secrets.no_keys" in log and "geheim" not in log, log


def test_a_member_asks_and_is_forgotten(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    member = {"id": "4711000000000000001", "username": "asker"}
    assert "version 1" in text_of(sim.answer(use(sim, "settings", "set", user=member, name="commands.prefix", value="?")))
    # A module's table, of which its migration says who stands in it.
    private.postgres.psql(f"INSERT INTO shoal.utility__poll_vote VALUES ({guild_id(sim, 0)}, 5, {member['id']}, 1, 6),"
                          f" ({guild_id(sim, 1)}, 5, 4712000000000000001, 1, 6)", database="shoal", role="shoal")
    exported = text_of(sim.answer(use(sim, "privacy", "export", user=member)))
    assert '"changed_by_you": true' in exported and "commands.prefix" in exported, exported
    assert '"utility__poll_vote"' in exported and "4712000000000000001" not in exported, exported
    assert member["id"] in fleet.ctl_run("privacy", "export", member["id"]).stdout

    asked = sim.answer(use(sim, "privacy", "delete", user=member))
    button = asked["components"][0]["components"][0]
    assert button["custom_id"].endswith(member["id"]), asked
    # Somebody else's press, and then the member's own.
    other = sim.use("", type=3, custom_id=button["custom_id"], user={"id": "4712000000000000001", "username": "other"})
    assert "not yours" in text_of(sim.answer(other))
    assert "Done:" in text_of(sim.answer(sim.use("", type=3, custom_id=button["custom_id"], user=member)))
    assert member["id"] not in text_of(sim.answer(use(sim, "privacy", "export", user=member))).replace(
        f'"user":"{member["id"]}"', "")
    count = private.postgres.psql(f"SELECT count(*) FROM shoal.setting_history WHERE changed_by = {member['id']}",
                                  database="shoal")
    assert count == "0"
    assert private.postgres.psql("SELECT string_agg(user_id::text, ' ') FROM shoal.utility__poll_vote",
                                 database="shoal") == "4712000000000000001"
    assert settings(sim, "prefix").startswith("Commands here begin with `?`")  # the server's setting stays
    refused = fleet.ctl_run("privacy", "delete", "4711")
    assert refused.returncode == 2 and "--yes" in refused.stderr


def test_what_is_kept_of_a_server_goes_when_the_bot_left(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url,
                       config={"privacy.guild_keep_days": 0, "privacy.job_interval_s": 1})
    fleet.ready(shards=4)
    stay, leave = guild_id(sim, 1), guild_id(sim, 2)

    def rows(guild):
        return private.postgres.psql(f"SELECT count(*) FROM shoal.guild_setting WHERE guild_id = {guild}",
                                     database="shoal")

    for guild in (1, 2):
        assert "begin with `?`" in settings(sim, "prefix", guild=guild, new="?")
    sim.post("/guild", guild_index=1, action="outage")  # not a removal
    sim.post("/guild", guild_index=2, action="leave")
    eventually(lambda: rows(leave) == "0", "the rows of the server that the bot left are gone", fleet)
    assert rows(stay) == "1"
    assert private.postgres.psql(f"SELECT count(*) FROM shoal.setting_history WHERE guild_id = {leave}",
                                 database="shoal") == "0"
