"""What came of the bundled modules in a campaign: rows of the sim's, and what the database has of polls, votes, jobs and
settings, beside what was asked (doings.py)."""

import collections
import json
import re

import doings
from harness.gateway_client import Rest
from line import Line

# A setting that was switched off so shortly after an event may have been off when a worker came to it: it had died, or its
# link had, or Discord had it wait.
SWITCHED_US = 30_000_000
# An end that lies so far ahead is not waited for: nobody was answered who wanted it earlier.
PATIENCE_US = 60_000_000
EARLY_US = 5_000  # of a reminder that came before its time
JOBS = {"remind": "ring", "utility": "poll_end"}
DEFERRED = ("callback_deferred", "callback_deferred_update")


def rows_of(rows, step, name):
    """Those that are such an effect."""
    if name == "reply":
        return [row for row in rows if row["step"] == "" and row["what"] not in DEFERRED]
    if name == "welcome":
        return [row for row in rows if row["step"].startswith(step)]
    if name in ("poll", "poll's end"):
        return [row for row in rows if row["step"] == step and (row["refers"] != "0") == (name == "poll's end")]
    return [row for row in rows if row["step"] == step]


class ModuleJudge:
    """ask(sql): rows of text. Reads its judge's books."""

    def __init__(self, judge, members, ask, sim, fleet):
        self.judge, self.doings, self.ask, self.sim, self.fleet = judge, members, ask, sim, fleet

    # --- one event -------------------------------------------------------------------------------------------------

    def rows(self, event, effect):
        step, name, route, _ = effect
        return self.judge.rows_of(event, step, name, route)

    def done(self, event, effect):
        """The row by which it happened."""
        return next((row for row in self.rows(event, effect) if row["fate"] in ("done", "same")), None)

    def answered(self, event):
        return self.done(event, doings.REPLY)

    def offs(self, index, setting):
        """[from, to): when it may have been off. From the order on, until it was said that it is on again."""
        since, found = None, []
        for change in self.doings.changes.get((index, setting), ()):
            if change.value is None:
                since = change.event.made_us if since is None else since
            elif since is not None:
                row = self.answered(change.event)
                if row:
                    found.append((since, row["arrived_us"]))
                    since = None
        return found + ([(since, 1 << 62)] if since is not None else [])

    def switched(self, event, name):
        return any(off < event.made_us + SWITCHED_US and event.made_us < on
                   for setting in event.hangs_on.get(name, ()) for off, on in self.offs(event.guild, setting))

    def excused(self, event, name):
        """Why an effect need not be there, or None. Asked when there is none."""
        if event.asked_by and not self.answered(event.asked_by):
            return "nobody was told that it would be"
        if name == "poll's end":
            poll, asked = event.poll, self.answered(event.asked_by)
            if not self.done(event, doings.POST):
                return "there is no poll"
            if not poll.hurried and not any(one.made_us > asked["arrived_us"] and self.answered(one) for one in poll.ends) and \
                    poll.ends_us - doings.now_us() > PATIENCE_US:
                return "its time has not come"
        return "switched off" if self.switched(event, name) else None

    # --- what must hold --------------------------------------------------------------------------------------------

    def lines(self, verdicts):
        done = collections.Counter({name: verdicts["by_word"][name] for name in doings.NAMES})
        kinds = collections.Counter(event.kind for event in self.judge.by_cause.values() if event.owes is not None or event.more)
        lost = [one for one in verdicts["lost"] if one[2] in doings.NAMES]
        doubled = [one for one in verdicts["doubled"] if one[2] in doings.NAMES]
        votes = sum(len(poll.votes) for poll in self.doings.polls)
        excuses = collections.Counter(one[3] for one in verdicts["excused"])
        return [Line("modules: asked", sum(kinds.values()), None, "%d joined, %d left, %d reminders, %d polls, %d votes, %d "
                     "settings changed" % (kinds["member"], kinds["leave"], kinds["reminder"], kinds["poll"], votes,
                                           sum(map(len, self.doings.changes.values())))),
                Line("modules: effects done", sum(done.values()), None,
                     ", ".join("%s %d" % one for one in sorted(done.items())) +
                     "".join("; %d %s" % (number, why) for why, number in sorted(excuses.items()))),
                Line("modules: lost", len(lost), not lost, "", lost),
                Line("modules: doubled", len(doubled), not doubled, "", doubled),
                self.reminders(), self.polls(), self.greetings(), self.settings(), self.leftovers()]

    def reminders(self):
        late, early = [], []
        for event in self.judge.by_cause.values():
            row = self.done(event, doings.RING) if event.kind == "reminder" else None
            if row:
                late.append((row["arrived_us"] - event.due_us) / 1000)
                if row["arrived_us"] < event.due_us - EARLY_US:
                    early.append((event, 0, "rang %d ms before its time" % -late[-1]))
        late.sort()
        at = lambda share: late[min(len(late) - 1, int(len(late) * share))] if late else 0  # noqa: E731
        return Line("reminders before their time", len(early), not early,
                    "of %d; after it p50 / p99 %.0f / %.0f ms, with all that was done to workers" %
                    (len(late), at(0.5), at(0.99)), early)

    # --- polls -----------------------------------------------------------------------------------------------------

    def polls(self):
        stored, wrong, votes, unsure = self.stored_polls(), [], 0, 0
        rest = Rest(self.sim)
        for poll in self.doings.polls:
            post = self.done(poll.made, doings.POST)
            if not post or not self.answered(poll.asked):
                continue
            found = stored.get(poll.id)
            said, doubts = self.poll_faults(poll, post, found, rest)
            wrong += [(poll.made, 0, fault) for fault in said]
            votes += len(found["votes"]) if found else 0
            unsure += doubts
        return Line("polls not as they were voted", len(wrong), not wrong,
                    "%d polls, %d votes in the database, %d clicks that came too late or were not answered" %
                    (len(stored), votes, unsure), wrong)

    def stored_polls(self):
        rows = self.ask("""SELECT jsonb_build_object('id', p.poll_id, 'message', p.message_id, 'ended_ms',
            coalesce((extract(epoch FROM p.ended_at) * 1000)::bigint, 0), 'votes', (SELECT
            coalesce(jsonb_object_agg(v.user_id, v.choices), '{}') FROM shoal.utility__poll_vote v
            WHERE v.guild_id = p.guild_id AND v.poll_id = p.poll_id AND v.choices <> 0)) FROM shoal.utility__poll p""")
        return {one["id"]: one for one in map(json.loads, rows.splitlines())}

    def poll_faults(self, poll, post, found, rest):
        """([what is not as it must be], how many clicks may count or not)"""
        if not found:
            return ["it is not in the database"], 0
        faults = []
        if str(found["message"]) != post["made_id"]:
            faults.append("its message is %s and not %s" % (found["message"], post["made_id"]))
        result = self.done(poll.made, doings.RESULT)
        if result and not found["ended_ms"]:
            faults.append("its end was announced, and it has not ended")
        wrong, unsure = self.vote_faults(poll, found)
        faults += wrong
        if result:
            faults += self.shown_faults(poll, post, result, found, rest)
        return faults, unsure

    def vote_faults(self, poll, found):
        wrong, unsure, clicks = [], 0, collections.defaultdict(list)
        made_us = self.answered(poll.asked)["arrived_us"]
        for event, user, answer in sorted(poll.votes, key=lambda one: one[0].cause):
            row = self.answered(event)
            # Answered after the poll was there and before it had ended: it counts.
            sure = bool(row) and event.made_us > made_us and \
                not (found["ended_ms"] and row["arrived_ms"] >= found["ended_ms"])
            unsure += not sure
            clicks[user].append((sure, 1 << answer))
        for user, made in clicks.items():
            allowed = {0}
            for sure, choice in made:
                allowed = {choice} if sure else allowed | {choice}
            if found["votes"].get(user, 0) not in allowed:
                wrong.append("%s chose %s, and %s is stored" % (user, made, found["votes"].get(user, 0)))
        wrong += ["%s never voted" % user for user in found["votes"] if user not in clicks]
        return wrong, unsure

    def shown_faults(self, poll, post, result, found, rest):
        """The announcement and the poll's own message tell what is stored."""
        counts = [sum(choices >> i & 1 for choices in found["votes"].values()) for i in range(3)]
        winners = ["**%s**" % "abc"[i] for i in range(3) if counts[i] == max(counts) > 0]
        words = "Nobody voted" if not winners else "a tie of %s with %d each" % (", ".join(winners), max(counts)) \
            if len(winners) > 1 else "%s with %d" % (winners[0], max(counts))
        channel, faults = self.doings.town.guilds[poll.index]["square"], []
        status, message = rest.call("GET", "/channels/%s/messages/%s" % (channel, result["made_id"]))
        if status != 200 or words not in message["content"]:
            faults.append("«%s» is announced, and it is «%s»" % (message.get("content", status), words))
        edits = [row for row in self.judge.books.by_cause.get(poll.made.cause, ()) if row["operation"] == "update_message"]
        if not edits or edits[-1]["fault"]:
            return faults  # nobody could edit it
        status, message = rest.call("GET", "/channels/%s/messages/%s" % (channel, post["made_id"]))
        shown = message["embeds"][0]["description"] if status == 200 else ""
        if "Ended <t:" not in shown or message["components"] or [int(n) for n in re.findall(r"% · (\d+)", shown)] != counts:
            faults.append("its message shows «%s» with %s, and it is %s" %
                          (shown, "buttons" if message.get("components") else "no buttons", counts))
        return faults

    # --- settings --------------------------------------------------------------------------------------------------

    def greetings(self):
        """Who comes is greeted with words that were set when he came, or since; and not where that is off."""
        wrong, before = [], 0
        for event in self.judge.by_cause.values():
            for effect in (event.more if event.kind == "member" else event.effects() if event.kind == "leave" else ()):
                row = self.done(event, effect)
                if not row:
                    continue
                if any(off < event.made_us and row["arrived_us"] < on for setting in event.hangs_on[effect[1]]
                       for off, on in self.sure_offs(event.guild, setting)):
                    wrong.append((event, 0, effect[1], "it was off"))
                if effect[1] == "welcome":
                    low, high = self.versions(event, row)
                    version = int(row["step"][1:] or -1)
                    before += version < high
                    if not low <= version <= high:
                        wrong.append((event, 0, "version %d, and %d to %d were set" % (version, low, high)))
        return Line("greetings not as they were set", len(wrong), not wrong,
                    "%d with words that were just being changed" % before, wrong)

    def sure_offs(self, index, setting):
        """[from, to): when it was off for sure. From the answer on, until it was to be on again."""
        since, found = None, []
        for change in self.doings.changes.get((index, setting), ()):
            if change.value is None:
                row = self.answered(change.event)
                since = row["arrived_us"] if row and since is None else since
            elif since is not None:
                found.append((since, change.event.made_us))
                since = None
        return found + ([(since, 1 << 62)] if since is not None else [])

    def versions(self, event, row):
        """(the oldest, the newest) that may stand in a welcome."""
        made = self.doings.changes[event.guild, "welcome_text"]
        answers = [(change, self.answered(change.event)) for change in made]
        low = max((change.value for change, answer in answers if answer and answer["arrived_us"] < event.made_us), default=0)
        return low, max(change.value for change in made if change.event.made_us <= row["arrived_us"])

    def settings(self):
        """What was said to be set is in the database, and nothing was written twice."""
        rows = self.ask("""SELECT jsonb_build_object('guild', s.guild_id::text, 'value', s.value, 'changes', (SELECT count(*)
            FROM shoal.setting_history h WHERE h.guild_id = s.guild_id AND h.channel_id = 0 AND h.name = s.name))
            FROM shoal.guild_setting s WHERE s.name = 'admin.welcome_text'""")
        stored, wrong = {one["guild"]: one for one in map(json.loads, rows.splitlines())}, []
        for index, guild in enumerate(self.doings.town.guilds):
            made, found = self.doings.changes[index, "welcome_text"], stored.get(guild["id"])
            sure = [change for change in made if self.answered(change.event)]
            last = max((change.value for change in sure), default=-1)
            allowed = [change.value for change in made if change.value >= last]
            version = re.search(r"cause-\{id\}\.w(\d+)", json.dumps(found["value"])) if found else None
            if last >= 0 and (not version or int(version.group(1)) not in allowed):
                wrong.append("guild %d has %s, and %s was the last that was answered" % (index, found, last))
            elif found and not len(sure) <= found["changes"] <= len(made):
                wrong.append("guild %d: %d changes in its history, %d were asked for and %d answered" %
                             (index, found["changes"], len(made), len(sure)))
        return Line("settings not as they were set", len(wrong), not wrong, "%d guilds" % len(stored), wrong)

    def leftovers(self):
        """Jobs that are due or set aside, writes that wait or were refused."""
        pairs = ", ".join("('%s', '%s')" % one for one in JOBS.items())
        left = self.ask("SELECT module, name, id, due_at, fence, reason FROM shoal.job WHERE failed_at IS NOT NULL OR"
                        " (due_at < now() - interval '5 seconds' AND (module, name) IN (%s))" % pairs).splitlines()
        status = self.fleet.status()
        left += ["%s: %d" % (name, status[name]) for name in ("outbox_waiting", "outbox_dead") if status[name]]
        return Line("jobs and writes left over", len(left), not left, "; ".join(left)[:300], left)
