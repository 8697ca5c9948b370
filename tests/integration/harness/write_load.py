"""Members who change and read settings through running workers as fast as answers come, what they were told, and whether
the database agrees."""

import json
import os
import re
import time

import procs
from harness import openapi
from harness.sim import text_of

MANAGER = {"permissions": str((1 << 3) | (1 << 5))}
REFUSED_PAUSE_NS = 100_000_000
GIVE_UP_NS = 30_000_000_000
UNSURE = ("unknown", "unanswered")
OUTCOMES = (("kept", re.compile(r"^Done: .*\n.*is kept, and will be written")),
            ("written", re.compile(r"^Done: commands here now begin")),
            ("unknown", re.compile(r"connection to the database broke")),
            ("refused", re.compile(r"can't be (stored|reached)|too busy|not set up")))


def set_prefix(value):
    return [{"name": "prefix", "type": 1, "options": [{"name": "new", "type": 3, "value": value}]}]


LIST = [{"name": "list", "type": 1}]


class Member:
    """Of one guild: does one thing after the other, each when the one before is answered."""

    def __init__(self, guild):
        self.guild, self.open, self.sent_ns, self.count, self.not_before_ns = guild, None, 0, 0, 0
        self.done = []  # (sent, answered, value, outcome)


class Load:
    """Members that change settings, and others that read them, as fast as answers come; in turns of this thread."""

    def __init__(self, sim, writers, readers):
        self.sim = sim
        self.writers, self.readers = [Member(g) for g in writers], [Member(g) for g in readers]
        self.offset, self.tokens, self.waiting = 0, {}, {}
        self.strange = []

    def turn(self, going=True):
        """Takes what was answered, and lets who is free go on."""
        fresh, self.offset = openapi.read_record_from(self.sim.options["record"], self.offset)
        for one in fresh:
            self._take(one)
        self._give_up()
        for member in self.writers + self.readers if going else ():
            if member.open is None and time.monotonic_ns() >= member.not_before_ns:
                self._next(member)
        return not self.waiting

    def _give_up(self):
        """What was not answered within an interaction's life as a member sees it: it may have been done."""
        now = time.monotonic_ns()
        for cause, member in list(self.waiting.items()):
            if now - member.sent_ns > GIVE_UP_NS:
                del self.waiting[cause]
                member.done.append((member.sent_ns, now, member.value, "unanswered"))
                member.open = None

    def _next(self, member):
        member.count += 1
        member.sent_ns = time.monotonic_ns()
        if member in self.writers:
            member.value = f"{member.count}?"
            member.open = self.sim.use("settings", set_prefix(member.value), guild=member.guild, **MANAGER)
        else:
            member.value = None
            member.open = self.sim.use("settings", LIST, guild=member.guild, **MANAGER)
        self.waiting[str(member.open)] = member

    def _take(self, one):
        path, body = one["path"].partition("?")[0], one.get("body") or ""
        if not 200 <= one.get("status", 0) < 300 or not body:
            return
        callback = re.search(r"/interactions/(\d+)/([^/]+)/callback$", path)
        cause = None
        if callback:
            body = json.loads(body)
            self.tokens[callback.group(2)] = callback.group(1)
            if body["type"] != 5:
                cause, body = callback.group(1), body.get("data") or {}
        else:
            token = re.search(r"/webhooks/\d+/([^/]+)", path)
            if token and token.group(1) in self.tokens:
                cause, body = self.tokens[token.group(1)], json.loads(body)
        member = self.waiting.pop(cause, None)
        if member:
            words = text_of(body)
            member.done.append((member.sent_ns, time.monotonic_ns(), member.value, self._outcome(member, words)))
            member.open = None
            # Nobody who was told to try later tries at once.
            if member.done[-1][3] not in ("written", "read"):
                member.not_before_ns = time.monotonic_ns() + REFUSED_PAUSE_NS

    def _outcome(self, member, words):
        if member in self.readers:
            return "read" if re.search(r"`commands\.prefix`|`[\w.]+` =|nothing was changed", words) else f"unread: {words}"
        for name, pattern in OUTCOMES:
            if pattern.search(words):
                return name
        self.strange.append(words)
        return "strange"

    def run_until(self, check, what, timeout_s=60):
        procs.wait_until(lambda: self.turn() is not None and check(), timeout_s, what,
                         tail=lambda: f"{self.strange[-3:]} {[m.done[-1:] for m in self.writers[:3]]}")

    def count(self, outcome, since_ns=0):
        return sum(one[3] == outcome and one[1] >= since_ns for member in self.writers + self.readers for one in member.done)

    def acknowledged(self, since_ns=0):
        """Writes that members were told are there, of those begun since."""
        return sum(one[3] in ("written", "kept") and one[0] >= since_ns for m in self.writers for one in m.done)

    def gap_s(self, outcomes, since_ns):
        """The longest time without an answer of that kind, from then on."""
        ends = sorted(one[1] for member in self.writers + self.readers for one in member.done
                      if one[3] in outcomes and one[1] >= since_ns)
        return max((b - a for a, b in zip([since_ns] + ends, ends)), default=0) / 1e9


def stored(psql):
    """{guild index: (prefix, version)} as the database of now has it; psql(sql) asks it. The fake Discord's guilds are numbered by time, and the
    first of them is among those that write."""
    rows = psql("SELECT guild_id, value #>> '{}', version FROM shoal.guild_setting ORDER BY guild_id").splitlines()
    first = int(rows[0].split("|")[0]) >> 22
    return {(int(row.split("|")[0]) >> 22) - first: (row.split("|")[1], int(row.split("|")[2])) for row in rows}


def judge(psql, load):
    """Each guild's version counts what was applied to it: acknowledged ones all, once, refused ones never."""
    rows = stored(psql)
    lost = doubled = open_ends = 0
    for member in load.writers:
        sure = [one for one in member.done if one[3] in ("written", "kept")]
        unsure = [one for one in member.done if one[3] in UNSURE]
        value, version = rows.get(member.guild, (None, 0))
        lost += max(0, len(sure) - version)
        doubled += max(0, version - len(sure) - len(unsure))
        open_ends += len(unsure)
        # The last word counts: nothing older came after it.
        last = [one for one in member.done if one[3] in ("written", "kept") + UNSURE]
        allowed = {last[-1][2]} | ({one[2] for one in last if one[0] >= sure[-1][0]} if sure else set())
        assert value in allowed, f"guild {member.guild}: {value} is there, told was {allowed}"
    return lost, doubled, open_ends


def nothing_waits(fleet):
    """The outboxes of all shards are empty."""
    return sum(one.get("outbox_waiting", 0) for one in fleet.status()["shards"]) == 0


def report(line):
    print(line)
    if os.environ.get("CHAOS_REPORT"):
        with open(os.environ["CHAOS_REPORT"], "a", encoding="utf-8") as f:
            f.write(line + "\n")
