"""What members and admins do in the campaign with the modules that come along: they join and leave, have themselves
reminded, hold polls and vote, and change what is set meanwhile. As with the other traffic, what must come of it is written
down here, by who asks; the sim's rows and the database are laid beside it (judge_modules.py)."""

import time

from traffic import DM_EACH

# Each effect of a module's: (the mark's step, a name, the sim's name of the route, repeat class).
ANSWER = "create_interaction_response|update_original_webhook_message"
REPLY = ("", "reply", ANSWER, "safe")
WELCOME = ("w", "welcome", "create_message", "nonce")
WELCOME_DM = ("d", "welcome dm", "create_message", "nonce")
ROLE = ("", "autorole", "add_guild_member_role", "safe")
FAREWELL = ("l", "farewell", "create_message", "nonce")
RING = ("r", "ring", "create_message", "nonce")
POST = ("p", "poll", "create_message", "nonce")
RESULT = ("p", "poll's end", "create_message", "nonce")
NAMES = tuple(one[1] for one in (REPLY, WELCOME, WELCOME_DM, ROLE, FAREWELL, RING, POST, RESULT))

MANAGER = str(1 << 3 | 1 << 5)
MEMBER = str(1 << 10 | 1 << 11)
RESTLESS = 8      # of so many one has its settings switched off and on
VOTES_MAX = 40    # a poll, so that its voters can be told apart in one look
POLL_SHORTEST_S = 10
PAUSE_US = 20_000_000  # between two changes of one setting
HOUR_S = 3600


def now_us():
    return time.monotonic_ns() // 1000


def text(name, value):
    return {"name": name, "type": 3, "value": value}


class Poll:
    """asked, made: the events of the command and of what it posts."""

    def __init__(self, index, asked, made, creator, ends_s):
        self.index, self.asked, self.made, self.creator = index, asked, made, creator
        self.id = asked.cause
        self.ends_us = asked.made_us + int(ends_s * 1e6)
        self.votes = []  # (event, user, answer)
        self.ends = []   # events of commands that end it
        self.hurried = False

    def open(self, margin_us=0):
        return not self.ends and not self.hurried and now_us() + margin_us < self.ends_us


class Change:
    """An admin's word on one setting: what it is from then on (None: off)."""

    def __init__(self, event, value):
        self.event, self.value = event, value


class Doings:
    """Acts have the form of Traffic's: (client, dice, index). seconds: how long the traffic lasts."""

    def __init__(self, traffic, seconds):
        self.traffic, self.town, self.seconds = traffic, traffic.town, seconds
        self.polls = []
        self.changes = {}  # (guild, setting): [Change]
        self.began_us = now_us()
        self.kinds = [(self.leave, 2), (self.remind, 6), (self.poll, 1), (self.vote, 8), (self.end_poll, 1), (self.change, 2),
                      (self.switch, 1), (self.echo, 1)]
        traffic.kinds += self.kinds
        traffic.interactions += [self.remind, self.poll, self.vote, self.end_poll, self.change, self.switch, self.echo]
        traffic.joins = self.expect_join

    # --- asking ----------------------------------------------------------------------------------------------------

    def use(self, client, index, name, options, what, user, permissions=MEMBER, channel=None):
        """A slash command; its event, with its answer."""
        made_us = now_us()
        where = {"channel_id": channel} if channel else {}
        answer = client.post("/interaction", guild_index=index, name=name, options=options, permissions=permissions,
                             user={"id": user}, **where)
        return self.traffic.note(answer["id"], "command", what, index, made_us, answer["delivered"], owes=[REPLY])

    def sub(self, client, index, name, verb, options, user, **more):
        return self.use(client, index, name, [{"name": verb, "type": 1, "options": options}], "/%s %s" % (name, verb), user,
                        **more)

    def somebody(self):
        return str(self.town.fresh_id())

    # --- settings --------------------------------------------------------------------------------------------------

    def furnish(self, client, wait_answered):
        """Every guild welcomes, gives a role and misses who leaves."""
        asked = []
        for index, guild in enumerate(self.town.guilds):
            asked += [self.set(client, index, "welcome_channel", "<#%s>" % guild["hall"]),
                      self.set(client, index, "welcome_text", self.welcome_text(0), version=0),
                      self.set(client, index, "leave_channel", "<#%s>" % guild["hall"]),
                      self.set(client, index, "leave_text", "cause-{id}.l"),
                      self.set(client, index, "autorole_roles", "<@&%s>" % guild["roles"][-1])]
            if index % DM_EACH == 0:
                asked.append(self.set(client, index, "welcome_dm", "cause-{id}.d"))
        wait_answered(asked)
        self.traffic.leave_out(asked)
        self.began_us = now_us()

    @staticmethod
    def welcome_text(version):
        return "cause-{id}.w%d {user}" % version

    def note_change(self, index, name, event, value):
        self.changes.setdefault((index, name), []).append(Change(event, value))
        return event

    def set(self, client, index, name, value, version=True):
        event = self.sub(client, index, "settings", "set", [text("name", "admin." + name), text("value", value)],
                         self.somebody(), permissions=MANAGER)
        return self.note_change(index, name, event, version)

    def reset(self, client, index, name):
        event = self.sub(client, index, "settings", "reset", [text("name", "admin." + name)], self.somebody(),
                         permissions=MANAGER)
        return self.note_change(index, name, event, None)

    def rested(self, index, name):
        """Whether nothing was changed there a moment ago: two admins at one setting are another test's."""
        made = self.changes.get((index, name))
        return not made or now_us() - made[-1].event.made_us > PAUSE_US

    def change(self, client, dice, index):
        """Other words for who comes."""
        if not self.rested(index, "welcome_text"):
            return
        version = len(self.changes[index, "welcome_text"])
        self.set(client, index, "welcome_text", self.welcome_text(version), version=version)

    def switch(self, client, dice, index):
        """Something is switched off, or on again, in a guild that does such things."""
        index -= index % RESTLESS
        guild = self.town.guilds[index]
        if guild["shard"] in self.traffic.quiet:
            return
        name, value = dice.choice([("welcome_dm", "cause-{id}.d") if index % DM_EACH == 0 else ("leave_channel", "<#%s>" % guild["hall"]),
                                   ("leave_channel", "<#%s>" % guild["hall"]),
                                   ("autorole_roles", "<@&%s>" % guild["roles"][-1]), ("admin", None)])
        if not self.rested(index, name):
            return
        made = self.changes.get((index, name))
        on = made is not None and made[-1].value is None
        if name == "admin":
            event = self.sub(client, index, "module", "enable" if on else "disable", [text("name", "admin")],
                             self.somebody(), permissions=MANAGER)
            self.note_change(index, name, event, True if on else None)
        elif on:
            self.set(client, index, name, value)
        else:
            self.reset(client, index, name)

    def echo(self, client, dice, index):
        self.use(client, index, "echo", [text("text", "echo")], "/echo", self.somebody())

    # --- who comes and goes ----------------------------------------------------------------------------------------

    def expect_join(self, event):
        """Beside what the chaos module does with it."""
        event.more = [WELCOME, ROLE] + ([WELCOME_DM] if event.guild % DM_EACH == 0 else [])
        event.hangs_on = {"welcome": ["welcome_channel", "admin"], "autorole": ["autorole_roles", "admin"],
                          "welcome dm": ["welcome_dm", "admin"]}

    def leave(self, client, dice, index):
        who, made_us = self.town.member(index), now_us()
        answer = client.post("/guild", guild_index=index, action="member_remove", user_id=who, cause=who)
        event = self.traffic.note(who, "leave", "leave", index, made_us, answer["delivered"], owes=[FAREWELL])
        event.hangs_on = {"farewell": ["leave_channel", "admin"]}
        return event

    # --- reminders -------------------------------------------------------------------------------------------------

    def remind(self, client, dice, index, seconds=None, where=None):
        """The reminder is an event of its own: what it does has its own mark, and it is owed by whom was answered."""
        mark = self.town.fresh_id()
        where = where or ("dm" if dice.random() < 0.06 else "here")
        seconds = seconds or dice.randrange(1, self.soon_s(20))
        asked = self.sub(client, index, "remind", "me", [text("when", "in %ds" % seconds), text("text", "cause-%d.r" % mark),
                                                         text("where", where)],
                         self.town.member(index), channel=self.town.guilds[index]["tower"])
        event = self.traffic.note(mark, "reminder", "ring in %d s" % seconds, index, asked.made_us, 1, owes=[RING])
        event.asked_by, event.due_us = asked, asked.made_us + int(seconds * 1e6)
        return event

    def soon_s(self, most):
        """A time within what is left, for what comes by itself."""
        left = self.seconds - (now_us() - self.began_us) / 1e6
        return max(2, min(most, int(left)))

    # --- polls -----------------------------------------------------------------------------------------------------

    def poll(self, client, dice, index, seconds=None):
        if seconds is None:
            left = self.soon_s(45) + POLL_SHORTEST_S // 2
            # Those that would last beyond the campaign are ended by hand, and some others, too.
            by_time = self.seconds > 2 * POLL_SHORTEST_S and left > POLL_SHORTEST_S and dice.random() < 0.8
            seconds = dice.randrange(POLL_SHORTEST_S, left) if by_time else HOUR_S
        mark, creator = self.town.fresh_id(), self.town.member(index)
        asked = self.sub(client, index, "poll", "create", [text("question", "cause-%d.p" % mark), text("answers", "a | b | c"),
                                                          text("ends", "%ds" % seconds)],
                         creator, channel=self.town.guilds[index]["square"])
        event = self.traffic.note(mark, "poll", "poll of %d s" % seconds, index, asked.made_us, 1, owes=[POST, RESULT])
        event.asked_by = asked
        event.poll = Poll(index, asked, event, creator, seconds)
        self.polls.append(event.poll)
        return event.poll

    def an_open_poll(self, dice, margin_us):
        able = [one for one in self.polls[-60:] if one.open(margin_us) and now_us() - one.asked.made_us > 1_500_000 and
                self.town.guilds[one.index]["shard"] not in self.traffic.quiet]
        return dice.choice(able) if able else None

    def vote(self, client, dice, index, poll=None):
        """Somebody clicks, or thinks better of it."""
        poll = poll or self.an_open_poll(dice, 0)
        if not poll or len(poll.votes) >= VOTES_MAX:
            return None
        user, answer = self.town.member(poll.index), dice.randrange(3)
        clicks = [one for one in poll.votes if len([other for other in poll.votes if other[1] == one[1]]) == 1]
        if clicks and dice.random() < 0.2:
            _, user, before = dice.choice(clicks)
            answer = (before + 1 + dice.randrange(2)) % 3  # the same again would take it back
        made_us = now_us()
        told = client.post("/interaction", guild_index=poll.index, type=3, custom_id="utility.vote:%d:%d" % (poll.id, answer),
                           message_id=self.town.guilds[poll.index]["message"], user={"id": user})
        event = self.traffic.note(told["id"], "button", "vote", poll.index, made_us, told["delivered"], owes=[REPLY])
        poll.votes.append((event, user, answer))
        return event

    def end_poll(self, client, dice, index, poll=None):
        poll = poll or self.an_open_poll(dice, 3_000_000)
        if not poll:
            return None
        event = self.sub(client, poll.index, "poll", "end", [text("poll", str(poll.id))], poll.creator,
                         channel=self.town.guilds[poll.index]["square"])
        poll.ends.append(event)
        return event

    def to_be_ended(self):
        """At the end of the traffic: what would last for long."""
        return [poll for poll in self.polls if poll.open() and poll.ends_us - now_us() > 20_000_000]
