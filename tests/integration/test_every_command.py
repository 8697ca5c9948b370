"""Every command there is, by the worker's own manifest: each is used as a slash command and typed as a message, with what
it must have alone and with all that it can have, is answered, and makes no request that Discord would not take. A command
without a row in SAMPLES fails here."""

import json
import re
import subprocess

import harness
from harness import openapi
from harness.sim import text_of

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
GROUPS = (1, 2)
MENUS = (2, 3)

# path: {option: a good value}. Of options that are not named, choices give their first, other types what MADE_UP has.
SAMPLES = {
    "help": {"command": "ping"}, "ping": {}, "shards": {}, "stats": {}, "status": {}, "about": {},
    "privacy export": {}, "privacy delete": {"confirm": False},
    "settings prefix": {"new": "?"}, "settings list": {}, "settings show": {"name": "commands.prefix"},
    "settings set": {"name": "commands.prefix", "value": "!", "mine": False},
    "settings reset": {"name": "commands.prefix", "mine": False},
    "settings history": {"name": "commands.prefix"}, "settings rollback": {"name": "commands.prefix", "version": 1},
    "permissions show": {}, "permissions level": {}, "permissions allow": {"for": "/ping"},
    "permissions deny": {"for": "/echo"}, "permissions forget": {"for": "/echo"}, "permissions need": {"for": "/echo"},
    "permissions explain": {"command": "/ping"},
    "module list": {}, "module show": {"name": "echo"}, "module enable": {"name": "echo"},
    "module disable": {"name": "echo"}, "module reset": {"name": "echo"},
    "remind me": {"when": "in 2h", "text": "tea"}, "remind list": {}, "remind cancel": {"number": 1},
    "remind timezone": {"zone": "Europe/Rome"},
    "poll create": {"question": "Tea?", "answers": "yes | no", "ends": "2h"}, "poll end": {}, "poll show": {},
    "user info": {}, "avatar": {}, "server info": {}, "role info": {}, "channel info": {}, "welcome preview": {},
    "User info": {}, "Avatar": {}, "echo": {"text": "hi"},
}
ALL_PERMISSIONS = str((1 << 53) - 1)
LANGUAGES = ("en-US", "de", "es-ES", "it")


def manifest():
    done = subprocess.run([harness.program("shoal-shard"), "--manifest", "--modules", "*"], capture_output=True,
                          check=True, text=True)
    return json.loads(done.stdout)


def leaves(command, above=()):
    """(names, row) of everything that can be called."""
    path = (*above, command["name"])
    children = [one for one in command.get("options", []) if one["type"] in GROUPS]
    if not children:
        return [(path, command)]
    return [leaf for child in children for leaf in leaves(child, path)]


class Things:
    """What an id can stand for in the sim's first guild, as Discord would resolve it."""

    def __init__(self, sim):
        guild = sim.get("/guild", index=0)
        self.user, self.role = guild["members"][2], guild["roles"][1]
        self.channel = next(one["id"] for one in guild["channels"] if one["type"] == 0)
        self.resolved = {
            "users": {self.user: {"id": self.user, "username": "mia", "discriminator": "0", "avatar": None}},
            "members": {self.user: {"roles": [self.role], "joined_at": "2024-05-01T10:00:00+00:00", "nick": None,
                                    "avatar": None, "permissions": "0", "flags": 0, "pending": False,
                                    "premium_since": None}},
            "roles": {self.role: {"id": self.role, "name": "role 1", "color": 0, "hoist": False, "position": 1,
                                  "permissions": "0", "managed": False, "mentionable": False, "flags": 0}},
            "channels": {self.channel: {"id": self.channel, "name": "text", "type": 0, "permissions": "1024",
                                        "app_permissions": "1024"}},
            "attachments": {"801": {"id": "801", "filename": "a.png", "size": 5, "url": "https://cdn.example/a.png",
                                    "proxy_url": "https://cdn.example/a.png"}},
            "messages": {"901": {"id": "901", "channel_id": self.channel, "content": "words", "type": 0, "flags": 0,
                                 "author": {"id": self.user, "username": "mia", "discriminator": "0", "avatar": None},
                                 "timestamp": "2024-05-01T10:00:00+00:00", "edited_timestamp": None, "tts": False,
                                 "attachments": [], "embeds": [], "mentions": [], "mention_roles": [],
                                 "mention_everyone": False, "pinned": False}},
        }
        self.made_up = {STRING: "x", INTEGER: 1, BOOLEAN: True, USER: self.user, CHANNEL: self.channel,
                        ROLE: self.role, MENTIONABLE: self.user, NUMBER: 1.0, ATTACHMENT: "801"}

    def value(self, option, sample):
        if option["name"] in sample:
            return sample[option["name"]]
        if option.get("choices"):
            return option["choices"][0]["value"]
        return self.made_up[option["type"]]

    def typed(self, option, value):
        mentions = {USER: "<@%s>", MENTIONABLE: "<@%s>", ROLE: "<@&%s>", CHANNEL: "<#%s>"}
        text = mentions.get(option["type"], "%s") % value if option["type"] != BOOLEAN else ("no", "yes")[value]
        return f"--{option['name']}=\"{text}\""


def nested(path, options):
    """The options of the command itself: its groups and subcommands around those of the leaf."""
    for depth, name in reversed(list(enumerate(path))[1:]):
        options = [{"name": name, "type": 2 if depth < len(path) - 1 else 1, "options": options}]
    return options


def uses(row, sample, things):
    """What is given: only what must be, and all."""
    options = row.get("options", [])
    for chosen in ([one for one in options if one.get("required")], options):
        yield [(one, things.value(one, sample)) for one in chosen]


ROWS = [leaf for command in manifest()["commands"] for leaf in leaves(command)]


def test_every_command_has_a_sample():
    missing = [" ".join(path) for path, _ in ROWS if " ".join(path) not in SAMPLES]
    assert not missing, f"put these into SAMPLES: {missing}"


def untranslated(row, above=()):
    """Paths of commands, options and choices that don't say what they are in each of the languages. A choice that is a name or a
    sign needs no other word."""
    path = (*above, row["name"])
    lacking = {"de", "es-ES", "it"} - set(row.get("description_localizations") or {})
    found = [f"{' '.join(path)}: {sorted(lacking)}"] if row.get("description") and lacking else []
    found += [f"{' '.join(path)}: choice {one['name']}" for one in row.get("choices", [])
              if set(one.get("name_localizations") or {}) != {"de", "es-ES", "it"}]
    return found + [one for child in row.get("options", []) for one in untranslated(child, path)]


def test_every_description_is_in_every_language():
    missing = [one for command in manifest()["commands"] for one in untranslated(command)]
    assert not missing, missing


def test_every_command_is_answered_in_both_forms(make_sim, make_fleet, servers):
    sim = make_sim(rest_limits=False)  # an answer a second is what one channel is allowed
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats, config={"modules.load": "*"})
    fleet.ready(shards=4)
    things, answers, language, user = Things(sim), 0, 0, 0
    owner = {"permissions": ALL_PERMISSIONS}
    for path, row in ROWS:
        sample = SAMPLES.get(" ".join(path))
        if sample is None:
            continue  # test_every_command_has_a_sample() says so
        if row.get("type", 1) in MENUS and len(path) == 1 and "description" not in row:
            data = {"type": row["type"], "resolved": things.resolved,
                    "target_id": things.user if row["type"] == 2 else "901"}
            causes = [(f"menu {path[0]}", sim.use(path[0], data=data, **owner))]
        else:
            causes = []
            for given in uses(row, sample, things):
                language, user = (language + 1) % len(LANGUAGES), user + 1  # no cooldown's business here
                options = [{"name": one["name"], "type": one["type"], "value": value} for one, value in given]
                causes.append((f"/{' '.join(path)} {options}", sim.use(
                    path[0], nested(path, options), resolved=things.resolved, user_index=user % 8,
                    extra={"locale": LANGUAGES[language]}, **owner)))
                text = " ".join([*path, *(things.typed(one, value) for one, value in given)])
                causes.append((f"@me {text}", sim.say(f"<@{sim.bot_id}> {text}", user_index=user % 8)))
        for what, cause in causes:
            answer = sim.answer(cause)
            words = text_of(answer)
            assert words or answer.get("components") or answer.get("title"), f"{what}: {answer}"
            assert not re.search(r"(?i)incident [0-9a-f]{8}|Vorfall [0-9a-f]{8}|incidente [0-9a-f]{8}", words), \
                f"{what}: {words}"
            answers += 1
    summary = sim.wait_all_answered()
    assert summary["interactions"]["doubled"] == 0 and summary["messages"]["doubled"] == 0, summary
    problems, judged = openapi.check(sim.requests())
    assert problems == []
    assert answers >= 2 * len(ROWS) - 4
    assert judged >= answers if openapi.paper_is_here() else judged == 0, "Discord's OpenAPI paper is not there: " \
        "only our own checks judged"
    assert {one["command"] for one in fleet.ctl("commands")["commands"]} >= {"ping", "help"}
