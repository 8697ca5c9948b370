"""What members do in the campaign: each event carries a plan (tests/chaos/module_chaos.c), and what must come of it is
written down here, beside it, so that nothing is judged by what the bot says of itself."""

import random
import threading
import time

import procs

WORLD_USER = 3

# A plan's word -> (the sim's name of the route, repeat class). What has no route is not here.
WORDS = {
    "say": ("create_message", "nonce"),
    "dm": ("create_message", "nonce"),
    "hook": ("execute_webhook", "never"),
    "fup": ("execute_webhook", "never"),
    "topic": ("create_thread", "never"),
    "role": ("add_guild_member_role", "safe"),
    "unrole": ("delete_guild_member_role", "safe"),
    "mute": ("update_guild_member", "safe"),
    "kick": ("delete_guild_member", "check"),
    "ban": ("bulk_ban_users_from_guild", "check"),
    "thread": ("create_thread_from_message", "check"),
    "cross": ("crosspost_message", "check"),
    "react": ("add_my_message_reaction", "safe"),
    "answer": ("create_interaction_response|update_original_webhook_message", "safe"),
    "update": ("create_interaction_response|update_original_webhook_message", "safe"),
    "form": ("create_interaction_response", "safe"),
    "defer": ("create_interaction_response", "safe"),
    "edit": ("update_original_webhook_message", "safe"),
}
# No text that could bear a mark goes with these: the sim ties them to their event by the path.
UNMARKED = {"react", "cross", "defer"}
# Of so many guilds one sends direct messages to who comes. A bot may open but one a second, and others do, too.
DM_EACH = 16
CHECK_WORDS = ("kick", "ban", "thread", "cross")


class Event:
    """One event that was sent, and the effects that it is to have."""

    def __init__(self, cause, kind, plan, guild, shard, made_us, probe=False, delivered=1, owes=None):
        self.cause, self.kind, self.plan, self.guild, self.shard = cause, kind, plan, guild, shard
        self.made_us, self.probe, self.delivered = made_us, probe, delivered
        self.poison = "poison" in plan and owes is None
        # Of the bundled modules (doings.py): effects in place of a plan's, and beside them; the command that asked for what
        # happens later; and on which settings an effect hangs.
        self.owes, self.more, self.asked_by, self.hangs_on = owes, [], None, {}

    def effects(self):
        """[(step, word, route, class)]"""
        if self.owes is not None:
            return self.owes
        found = list(self.more)
        for step, word in enumerate(self.plan.split(), 1):
            name = word.partition(":")[0]
            if name not in WORDS:
                continue
            if name == "thread" and ":" in word:
                name = "topic"
            route, repeat = WORDS[name]
            found.append((step, name, route, repeat))
        return found


class Town:
    """The sim's guilds, and whom in them nobody has dealt with yet."""

    def __init__(self, sim, shards):
        self.sim, self.shards = sim, shards
        self.guilds = []
        for index in range(sim.options["guilds"]):
            guild = sim.get("/guild", index=index)
            # The last three are the modules': who comes and goes, reminders, polls.
            *texts, hall, tower, square = [one["id"] for one in guild["channels"] if one["type"] == 0]
            news = next(one["id"] for one in guild["channels"] if one["type"] == 5)
            self.guilds.append({"id": guild["id"], "roles": guild["roles"], "texts": texts, "news": news, "next": 10,
                                "message": None, "shard": (int(guild["id"]) >> 22) % shards, "hall": hall, "tower": tower,
                                "square": square})
        self._lock = threading.Lock()
        self._last_id = 0

    def of_shard(self, shard):
        return [index for index, guild in enumerate(self.guilds) if guild["shard"] == shard]

    def member(self, index):
        """Somebody whom no plan has named yet."""
        guild = self.guilds[index]
        with self._lock:
            guild["next"] += 1
            number = guild["next"]
        if number >= self.sim.options["members"]:
            raise RuntimeError("no members left in guild %d: a longer campaign wants more of them" % index)
        return str(int(guild["id"]) | WORLD_USER << 12 | number)

    def fresh_id(self):
        """A snowflake of now that nobody has: for members who join, roles that are made."""
        with self._lock:
            now = int(time.time() * 1000) - 1420070400000 << 22 | 1 << 21
            self._last_id = max(self._last_id + 1, now)
            return self._last_id


class Traffic:
    """Sends events at a rate, from a thread of its own, until it is stopped. Everything sent is in events."""

    def __init__(self, town, client, seed, rate):
        self.town, self.client, self.rate = town, client, rate
        self.dice = random.Random(seed)
        self.events, self.error = {}, None
        self.quiet = set()  # shards that get no interactions just now
        self.kinds = [(self.message, 46), (self.command, 22), (self.button, 12), (self.form, 4), (self.member, 8),
                      (self.role, 4), (self.guild, 4)]
        self.interactions = [self.command, self.button, self.form]
        self.joins = lambda event: None  # what else comes of one
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self):
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                self.one()
                due = max(due + self.dice.expovariate(self.rate), time.monotonic() - 1)
                self._stop.wait(max(0, due - time.monotonic()))
        except Exception as e:  # pylint: disable=broad-except  # told by stop(), in the caller's thread
            self.error = e

    # --- what members do -------------------------------------------------------------------------------------------

    def one(self):
        index = self.dice.randrange(len(self.town.guilds))
        act = self.dice.choices([one[0] for one in self.kinds], [one[1] for one in self.kinds])[0]
        if act in self.interactions and self.town.guilds[index]["shard"] in self.quiet:
            act = self.message
        act(self.client, self.dice, index)

    def note(self, cause, kind, plan, index, made_us, delivered, probe=False, owes=None):
        event = Event(int(cause), kind, plan, index, self.town.guilds[index]["shard"], made_us, probe, delivered, owes)
        with self._lock:
            self.events[int(cause)] = event
        return event

    def all(self):
        with self._lock:
            return list(self.events.values())

    def leave_out(self, events):
        """They are no part of what is judged."""
        with self._lock:
            for event in events:
                del self.events[event.cause]

    def message_plan(self, dice, index):
        guild, member = self.town.guilds[index], self.town.member
        return dice.choices([
            lambda: "say",
            lambda: "hook",
            lambda: "react hook",
            lambda: "hook say",
            lambda: "role:%s:%s mute:%s" % (member(index), dice.choice(guild["roles"][3:]), member(index)),
            lambda: "kick:%s say" % member(index),
            lambda: "kick:%s" % member(index),
            lambda: "ban:%s:%s" % (member(index), member(index)),
            lambda: "thread hook",
            lambda: "thread:%s" % dice.choice(guild["texts"]),
            lambda: "cross hook",
            lambda: "dm:%s" % member(index),
            lambda: "wait:%d hook" % dice.randrange(50, 800),
        ], [12, 12, 8, 8, 10, 5, 5, 6, 8, 4, 8, 3, 8])[0]()

    def message(self, client, dice, index, plan=None, probe=False):
        plan = plan or self.message_plan(dice, index)
        guild = self.town.guilds[index]
        channel = guild["news"] if "cross" in plan else dice.choice(guild["texts"])
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/message", guild_index=index, channel_id=channel, content="chaos: " + plan)
        return self.note(answer["ids"][0], "message", plan, index, made_us, answer["delivered"], probe)

    def command(self, client, dice, index, plan=None, probe=False):
        plan = plan or dice.choice(["answer", "answer", "answer fup", "answer fup fup", "defer answer fup",
                                    "defer wait:300 answer", "answer fup edit", "hook answer"])
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/interaction", guild_index=index, name="chaos",
                             options=[{"name": "plan", "type": 3, "value": plan}])
        return self.note(answer["id"], "command", plan, index, made_us, answer["delivered"], probe)

    def button(self, client, dice, index, plan=None):
        plan = plan or dice.choice(["update", "update fup", "answer", "answer fup", "form", "defer answer fup"])
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/interaction", guild_index=index, type=3, custom_id=("chaos.up:" if "update" in plan else "chaos:") + plan,
                             message_id=self.town.guilds[index]["message"])
        return self.note(answer["id"], "button", plan, index, made_us, answer["delivered"])

    def form(self, client, dice, index, plan=None):
        plan = plan or dice.choice(["answer fup", "answer"])
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/interaction", guild_index=index, type=5, custom_id="chaos:" + plan)
        return self.note(answer["id"], "form", plan, index, made_us, answer["delivered"])

    def member(self, client, dice, index, plan=None):
        """Somebody joins: an event without an id of its own."""
        cause, channel = self.town.fresh_id(), dice.choice(self.town.guilds[index]["texts"])
        plans = ["say:" + channel, "hook", "mute:@", "say:" + channel + " mute:@"]
        if index % DM_EACH == 0:  # a direct message needs somebody whom the sim knows; his id is too old for a time-out
            cause, plans = int(self.town.member(index)), plans[:2]
        plan = plan if plan is not None else dice.choice(plans)
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/guild", guild_index=index, action="member_add", user_id=str(cause), cause=str(cause),
                             fields={"nick": "chaos: " + plan})
        event = self.note(cause, "member", plan.replace("@", str(cause)), index, made_us, answer["delivered"])
        self.joins(event)
        return event

    def role(self, client, dice, index, plan=None):
        """A role is made: it changes the cache, and has no id of its own either."""
        cause = self.town.fresh_id()
        plan = plan or "say:" + dice.choice(self.town.guilds[index]["texts"])
        role = {"id": str(cause), "name": "chaos: " + plan, "color": 0, "colors": {"primary_color": 0},
                "hoist": False, "position": 1, "permissions": "0", "managed": False, "mentionable": False, "flags": 0}
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/event", t="GUILD_ROLE_CREATE", guild_index=index, cause=str(cause),
                             d={"guild_id": self.town.guilds[index]["id"], "role": role})
        return self.note(cause, "role", plan, index, made_us, answer["delivered"])

    def guild(self, client, dice, index, plan=None):
        cause = self.town.fresh_id()
        plan = plan or "say:" + dice.choice(self.town.guilds[index]["texts"])
        made_us = time.monotonic_ns() // 1000
        answer = client.post("/guild", guild_index=index, action="update", cause=str(cause),
                             fields={"name": "chaos: %d %s" % (cause, plan)})
        return self.note(cause, "guild", plan, index, made_us, answer["delivered"])


def furnish(town, rest, path):
    """Webhooks for the workers (a file that their module reads), and a message with buttons in every guild."""
    with open(path, "w", encoding="utf-8") as f:
        for guild in town.guilds:
            status, hook = rest.call("POST", "/channels/%s/webhooks" % guild["texts"][0], {"name": "chaos"})
            if status != 200:
                raise procs.StackError("a webhook could not be made: %s %s" % (status, hook))
            f.write("%s %s %s\n" % (guild["id"], hook["id"], hook["token"]))
            guild["hook"] = hook["id"]
            status, message = rest.call("POST", "/channels/%s/messages" % guild["texts"][0], {"content": "buttons"})
            if status != 200:
                raise procs.StackError("a message could not be made: %s %s" % (status, message))
            guild["message"] = message["id"]
