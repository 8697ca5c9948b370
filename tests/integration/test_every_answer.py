"""No answer of any command, however it goes, has English in it where another language is spoken; and what Discord refuses is
told in words, with an incident's number where it should not be. Each command is used as it should be and in every way that it
should not: by who may not, where it does not work, with values of every wrong kind, as a slash command and as a message;
then with modules off, commands forbidden, Discord refusing, the database away and the supervisor dead."""

import json
import os
import re

import pytest

import harness
import test_every_command as every
from harness import phrases
from harness import servers as server_tools
from harness.sim import text_of

MANAGE = {"permissions": every.ALL_PERMISSIONS}
WRONG = {every.STRING: ["", "x" * 300, "\u202e`@everyone", 7], every.INTEGER: [-9, 2 ** 52, "x"], every.BOOLEAN: ["x"],
         every.USER: ["12345", "x"], every.CHANNEL: ["12345"], every.ROLE: ["12345"], every.NUMBER: ["x"],
         every.MENTIONABLE: ["12345"], every.ATTACHMENT: ["12345"]}
FORGED = ["echo.again:x", "echo.again:0", "echo.ask", "remind.snooze:1:2:3", "remind.snooze:x", "remind.done:1:2", "remind.done:",
          "core.privacy_delete:1", "utility.vote:1:1", "utility.vote:x", "nobody.knows", "x"]
SETTINGS = [("commands.prefix", value) for value in ("", "a b", "`x", "/x", "x" * 9, "x" * 200)] + [
    ("locale.language", "xx"), ("privacy.history_days", "0"), ("privacy.history_days", "x"), ("admin.welcome_embed", "perhaps"),
    ("admin.welcome_channel", "x"), ("admin.autorole_roles", "x"), ("admin.welcome_text", "x" * 3000), ("no.such", "1"),
    ("remind.timezone", "Mars/X"), ("access.rules", "permit all"), ("access.rules", "allow all"), ("access.rules", "need /x chief"),
    ("access.rules", "grant admin <#1>"), ("access.rules", "allow a-b <@1>"), ("access.rules", "deny"), ("access.rules", "deny all x"),
    ("access.rules", "need /x admin x"), ("access.rules", "deny /" + "x" * 120 + " <@1>")]
ODD = [("remind me", {"when": "soonish", "text": "tea"}), ("remind me", {"when": "2001-01-01 08:00", "text": "tea"}),
       ("remind me", {"when": "in 2h", "text": " "}), ("remind timezone", {"zone": "Mars/X"}), ("remind cancel", {"number": 25}),
       ("poll create", {"question": "?", "answers": "a | a"}), ("poll create", {"question": "?", "answers": "one"}),
       ("poll create", {"question": "?", "answers": "x" * 90 + " | y"}), ("poll create", {"question": "?", "answers": "a | b", "ends": "never"}),
       ("poll end", {"poll": "x"}), ("poll show", {"poll": "123"}), ("module show", {"name": "nothing"}),
       ("module reset", {"name": "utility"}), ("permissions level", {"level": "admin"}), ("permissions allow", {"for": "/nothing"}),
       ("permissions allow", {"for": "all"}), ("permissions need", {"for": "/nothing", "level": "own"}),
       ("permissions explain", {"command": "/nothing"}), ("permissions forget", {"for": "all"}), ("help", {"command": "nothing"}),
       ("help", {"command": "settings"}), ("help", {"command": "poll"}), ("help", {"command": "echo"}), ("settings list", {}),
       ("settings history", {}), ("settings rollback", {"name": "commands.prefix", "version": 99}),
       ("settings rollback", {"name": "commands.prefix", "version": 1}), ("settings history", {"name": "commands.prefix"}),
       ("settings reset", {"name": "commands.prefix"}), ("settings reset", {"name": "commands.prefix"}),
       ("settings show", {"name": "modules"}), ("settings show", {"name": "nothing"}), ("settings show", {"name": "admin.autorole_roles"}),
       ("settings show", {"name": "access.from_permissions"}), ("settings show", {"name": "modules.echo"}), ("settings show", {}),
       ("welcome preview", {"what": "roles"}), ("welcome preview", {"what": "leave"}), ("welcome preview", {"what": "dm"})]
# What members write themselves may be of any language.
SAMPLES = {**every.SAMPLES, "poll create": {"question": "1?", "answers": "1 | 2", "ends": "2h"}, "echo": {"text": "1"},
           "remind me": {"when": "in 2h", "text": "1"}}
KIND = {row["name"]: row["type"] for _, leaf in every.ROWS for row in leaf.get("options", [])}


class Talk:
    """A member who speaks one language, and everything that he is told."""

    def __init__(self, sim, locale):
        self.sim, self.locale, self.users = sim, locale, 0
        self.things = every.Things(sim)
        self.begin = len(sim.requests())

    def someone(self):
        """Somebody new, whom no cooldown knows."""
        self.users += 1
        return {"id": str(700000000000000000 + self.users), "username": f"u{self.users}"}

    def use(self, path, options=(), **more):
        return self.sim.use(path[0], every.nested(path, list(options)), **{
            **MANAGE, "user": self.someone(), "resolved": self.things.resolved, "extra": {"locale": self.locale}, **more})

    def named(self, path, values, **more):
        path = tuple(path.split(" "))
        return self.use(path, [{"name": name, "type": KIND[name], "value": value} for name, value in values.items()], **more)

    def say(self, text, **more):
        return self.sim.say(f"<@{self.sim.bot_id}> {text}", author=self.someone(), **more)

    def press(self, custom_id, **more):
        return self.sim.post("/interaction", **{"type": 3, "custom_id": custom_id, "guild_index": 0, "user": self.someone(),
                                                "extra": {"locale": self.locale}, **more})["id"]

    def told(self):
        """The bodies of all that the bot has said since the last time, when nothing waits for an answer."""
        self.sim.wait_all_answered()
        fresh = self.sim.requests()[self.begin:]
        self.begin += len(fresh)
        return [json.loads(one["body"]) for one in fresh if one["method"] in ("POST", "PATCH") and one.get("body")
                and re.search(r"/callback|/webhooks/|/messages", one["path"])]


def each_way(talk, path, row, sample):
    """A command used as it should be and in every way that it should not."""
    options = row.get("options", [])
    for given in every.uses(row, sample, talk.things):
        rows = [{"name": one["name"], "type": one["type"], "value": value} for one, value in given]
        talk.use(path, rows)
        talk.use(path, rows, permissions="0")
        talk.use(path, rows, guild=None, dm=True)
        talk.say(" ".join([*path, *(talk.things.typed(one, value) for one, value in given)]))
    for one in options:
        good = [{"name": other["name"], "type": other["type"], "value": talk.things.value(other, sample)}
                for other in options if other.get("required") and other is not one]
        for value in WRONG[one["type"]]:
            talk.use(path, [*good, {"name": one["name"], "type": one["type"], "value": value}])
            talk.say(f"{' '.join(path)} --{one['name']}=\"{value}\"")
    talk.use(path, [{"name": "nobody_knows_it", "type": 3, "value": "x"}])
    typed = " ".join(path)
    for words in ("", "x", "x y z 1 2 3", "--nothing x", "--nothing", "\"", "@nobody #nowhere"):
        talk.say(f"{typed} {words}")


# What a program says to programs: numbers and names of errors, a library's own sentences.
RAW = re.compile(r"\bE[A-Z]{4,}\b|\bSHOAL_E|\berrno\b|SQLSTATE|ERROR:|\bnull\b|\(null\)|[Nn]o such file|[Cc]onnection refused|[Tt]imed out"
                 r"|[Ii]nvalid argument|[Oo]ut of memory|HTTP \d|{\w+}(?!`)")


def judge(bodies, locale, heard):
    language = phrases.LOCALES[locale]
    raw = [f"{name}: {text}" for body in bodies for name, text in phrases.said(body)
           if RAW.search(text) and "```json" not in text and "{user} {name}" not in text]
    assert not raw, "\n".join(sorted(set(raw)))
    english = [found for body in bodies for found in phrases.english_in(body, language)]
    assert not english, "\n".join(sorted(set(english)))
    heard |= phrases.heard(bodies, language)


@pytest.mark.parametrize("locale", phrases.LOCALES)
def test_no_answer_is_in_another_language(make_sim, make_fleet, own_stack, locale):
    sim = make_sim(rest_limits=False)
    stack = own_stack(prefix="shoal-words")
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet = make_fleet(sim, database=stack.postgres.url(), nats=stack.nats.url, config={"modules.load": "*"})
    fleet.ready(shards=4)
    talk, heard = Talk(sim, locale), set()
    talk.named("settings set", {"name": "locale.language", "value": phrases.LOCALES[locale]})  # for messages
    judge(talk.told(), locale, heard)
    for path, row in every.ROWS:
        if "description" not in row:
            continue
        each_way(talk, path, row, SAMPLES[" ".join(path)])
        judge(talk.told(), locale, heard)
    for name, value in SETTINGS:
        talk.named("settings set", {"name": name, "value": value})
    for path, values in ODD:
        talk.named(path, values)
    for custom_id in FORGED:
        talk.press(custom_id)
    talk.press("echo.said", type=5, components=[])
    for name in ("User info", "Avatar"):
        talk.sim.use(name, data={"type": 2, "target_id": talk.things.user, "resolved": talk.things.resolved}, user=talk.someone(),
                     extra={"locale": locale})
        talk.sim.use(name, data={"type": 2, "target_id": "12345"}, user=talk.someone(), extra={"locale": locale})
    talk.use(("gone",))
    talk.say("gone")
    once = talk.someone()
    for _ in range(12):
        talk.use(("stats",), user=once)
    judge(talk.told(), locale, heard)
    # A module that is off, a command that is kept from somebody, or from everywhere.
    talk.named("module disable", {"name": "echo"})
    judge(talk.told(), locale, heard)
    talk.named("echo", {"text": "hi"})
    talk.press("echo.ask")
    talk.named("module list", {})
    talk.named("module show", {"name": "echo"})
    talk.named("permissions need", {"for": "/ping", "level": "admin"})
    talk.named("permissions deny", {"for": "/about", "channel": talk.things.channel})
    talk.named("permissions allow", {"for": "/stats", "role": talk.things.role})
    judge(talk.told(), locale, heard)
    talk.use(("ping",), permissions="0")
    talk.use(("about",), permissions="0")
    talk.use(("stats",), permissions="0")
    talk.named("permissions show", {})
    for command in ("/ping", "/about", "/stats", "/settings set"):
        talk.named("permissions explain", {"command": command, "user": talk.things.user})
    judge(talk.told(), locale, heard)
    # Discord refuses, or does not answer.
    for status, code in ((403, 50013), (404, 10003), (400, 999999), (503, 0)):
        for route in ("create_message", "get_guild_member", "get_user", "get_channel", "get_guild"):
            sim.fault("refusal", route=route, times=-1, status=status, code=code)
        talk.named("poll create", {"question": "?", "answers": "a | b"})
        talk.use(("user", "info"), [{"name": "user", "type": 6, "value": "12345"}], resolved={})
        talk.use(("channel", "info"), [{"name": "channel", "type": 7, "value": "12345"}], resolved={})
        talk.named("server info", {})
        judge(talk.told(), locale, heard)
        sim.clear_faults()
    # The database is away.
    stack.postgres.stop()
    for path, row in every.ROWS:
        if path[0] in ("settings", "module", "permissions", "remind", "poll", "privacy", "welcome", "status"):
            for given in every.uses(row, SAMPLES[" ".join(path)], talk.things):
                talk.use(path, [{"name": one["name"], "type": one["type"], "value": value} for one, value in given])
    talk.press("utility.vote:1:1")
    judge(talk.told(), locale, heard)
    # And the supervisor.
    fleet.kill_supervisor()
    for name in ("shards", "stats", "status", "about"):
        talk.use((name,))
    judge(talk.told(), locale, heard)
    spoken = {one["en"] for one in phrases.catalogue()}
    assert len(heard) >= HEARD_LEAST, f"{len(heard)} of {len(spoken)} phrases heard; not: {sorted(spoken - heard)}"


HEARD_LEAST = 150  # phrases, known by a piece of ten characters or more, that the test above brings about


@pytest.mark.parametrize("locale", ["de"])
def test_without_database_and_nats_it_is_said_in_the_same_language(make_sim, make_fleet, locale):
    sim = make_sim(rest_limits=False)
    make_fleet(sim, config={"modules.load": "*"}).ready(shards=4)
    talk, heard = Talk(sim, locale), set()
    for path, row in every.ROWS:
        if "description" in row:
            for given in every.uses(row, SAMPLES[" ".join(path)], talk.things):
                talk.use(path, [{"name": one["name"], "type": one["type"], "value": value} for one, value in given])
    judge(talk.told(), locale, heard)
    assert len(heard) >= 40, sorted(heard)


# --- what Discord refuses ----------------------------------------------------------------------------------------------

def codes():
    """The codes of Discord's that the catalogue has words for."""
    with open(os.path.join(harness.ROOT, "shared", "phrases", "discord.h"), encoding="utf-8") as f:
        return [int(code) for code in re.findall(r"\tC\((\d+), ", f.read())]


OURS = {40060, 50006, 50035}  # these come of a mistake of ours


def status_of(code):
    return 404 if 10000 <= code < 20000 else 403 if code in (50001, 50007, 50013, 160002, 200000, 240000) else 400


def test_each_of_discords_refusals_is_told_in_words(make_sim, make_fleet, servers):
    sim = make_sim(rest_limits=False)
    fleet = make_fleet(sim, database=servers.database(), config={"modules.load": "*"})
    fleet.ready(shards=4)
    talk = Talk(sim, "de")
    german = {one["en"]: one["de"] for one in phrases.catalogue()}
    words = {one["de"] for one in phrases.catalogue()}
    assert len(codes()) >= 50
    known = incidents = 0
    for code, status in [(code, status_of(code)) for code in codes()] + [
            (999999, 400), (999999, 403), (0, 400), (0, 403), (0, 404), (0, 405), (0, 409), (0, 500), (0, 503)]:
        sim.fault("refusal", route="create_message", times=-1, status=status, code=code, message="Raw words of Discord's")
        told = text_of(sim.answer(talk.named("poll create", {"question": "?", "answers": "1 | 2"})))
        sim.clear_faults()
        assert "Raw words" not in told and str(code or status) not in told and "Discord's" not in told, (code, status, told)
        incident = re.search(r" Das sollte nicht passieren. Es ist als Vorfall ([0-9a-f]{8}) notiert", told)
        unexpected = code in OURS or code == 999999 or (code == 0 and status in (400, 405, 409))
        assert bool(incident) == unexpected, (code, status, told)
        assert (told[:incident.start()] if incident else told) in words, (code, status, told)
        known += code != 999999 and code != 0
        if incident:
            noted = fleet.wait_record("commands.incident", incident=incident.group(1))
            assert (noted["discord_code"], noted["http_status"]) == (code, status) and "Raw words" in noted["detail"], noted
            incidents += 1
    assert known == len(codes()) and incidents == len(OURS) + 5, (known, incidents)
    assert german["That channel does not exist any more."] == "Diesen Kanal gibt es nicht mehr."
    # Nothing of those polls is left behind.
    assert "gibt es hier nicht" in text_of(sim.answer(talk.named("poll show", {})))
