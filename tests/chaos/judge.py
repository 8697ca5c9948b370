"""What came of a campaign, from the sim's own books: every request that it got, before any dedupe; every dispatch that it
wrote; every one that it did not bring again. The bot's log is read for what it admits to (unknown, expired, loss windows,
dead letters), and each such word must be borne out by the sim."""

import bisect
import collections
import datetime
import os
import re
import time

import doings
import judge_modules
from kills import POINTS
from line import Line
from traffic import CHECK_WORDS, UNMARKED

PAGE = 20000
# Of the last write of an interaction to a socket: later than so much after it was made, the three seconds were the sim's.
LATE_US = 2_000_000
# A kill and the request that it tore: the sim may come to read that a while after the death.
KILL_SLACK_US = 500_000
ARRIVES_US = 15_000
OUT_US = 3_000_000  # a request without an answer for longer gets none
# Routes of class NEVER that the campaign's events ask for, as the log and as the sim names them.
OPERATIONS = {"EXECUTE_WEBHOOK": "execute_webhook", "CREATE_FOLLOWUP": "execute_webhook", "CREATE_THREAD": "create_thread"}
# Load average a processor, beyond which times are those of the machine's other work.
LOAD_MAX = 1.5


def fnv(text):
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value


class Books:
    """The sim's side, read on as it grows."""

    def __init__(self, sim):
        self.sim, self.after = sim, 0
        self.rows, self.by_cause = [], collections.defaultdict(list)
        self.entries, self.entry_after = {}, 0

    def read(self):
        """A row whose answer is still out, and all after it, are read the next time."""
        while True:
            answer = self.sim.get("/effects", after=self.after, limit=PAGE)
            if answer["overwritten"]:
                raise AssertionError("the sim's rows ran over: a longer campaign wants a larger --ledger-max")
            young_us = time.monotonic_ns() // 1000 - OUT_US
            for row in answer["rows"]:
                if row["ended_us"] == 0 and row["arrived_us"] > young_us:
                    return self
                self.after = row["n"]
                row["cause"] = int(row["cause"])
                self.rows.append(row)
                self.by_cause[row["cause"]].append(row)
            if len(answer["rows"]) < PAGE:
                return self

    def read_entries(self):
        """{id: ledger entry}, all of them anew: a replay changes them."""
        self.entries, after = {}, 0
        while True:
            answer = self.sim.get("/ledger", after=after, limit=PAGE)
            for entry in answer["entries"]:
                self.entries[int(entry["id"])] = entry
            if len(answer["entries"]) < PAGE:
                return self.entries
            after = answer["next_after"]


class Judge:
    """keep: the sim's way of keeping replays. records: the fleet's log. kills: what the campaign did."""

    def __init__(self, sim, events, fleet, campaign):
        self.books = Books(sim)
        self.sim, self.events, self.fleet, self.campaign = sim, events, fleet, campaign
        self.by_cause = {}
        self.refused = []
        self.modules = judge_modules.ModuleJudge(self, campaign.doings, campaign.sql, sim, fleet)

    # --- what is known besides -------------------------------------------------------------------------------------

    def gather(self):
        self.by_cause = {event.cause: event for event in self.events()}
        self.books.read()
        self.books.read_entries()
        losses = self.sim.get("/losses")["losses"]
        self.skipped = [one for one in losses if one["kind"] == "skipped"]
        self.over = [one for one in losses if one["kind"] in ("refused", "ended")]
        self.gaps = [one for one in losses if one["kind"] == "gap"]
        self.unknown = self.read_unknown()
        self.windows = self.fleet.records("gateway.loss_window")
        self.dead = self.fleet.records("pipeline.dead_letter")
        self.kill_times = collections.defaultdict(list)
        for kill in self.campaign.kills:
            self.kill_times[kill["shard"]].append(kill["at_us"])
        # Those whom a poison killed, or the watchdog: the log says when, by the wall clock.
        for record in self.fleet.records("worker.died"):
            self.kill_times[record["shard"]].append(self.moment_us(record))
        for times in self.kill_times.values():
            times.sort()
        # One that an operator restarted leaves what waits to the next, which begins it again.
        self.restart_times = collections.defaultdict(list)
        for record in self.fleet.records("worker.ended"):
            self.restart_times[record["shard"]].append(self.moment_us(record))
        return self

    def moment_us(self, record):
        at_us = datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).timestamp() * 1e6
        return int(at_us) - self.campaign.wall_less_monotonic_us

    def read_unknown(self):
        """{cause: [record]}, of events that the log names by their id or by session and sequence."""
        deliveries = {}
        for cause in self.by_cause:
            for one in self.books.entries.get(cause, {"deliveries": []})["deliveries"]:
                key = "session %08x/%d" % ((fnv(one["session"]) | 1 << 63) & 0xFFFFFFFF, one["seq"])
                deliveries[key] = cause
        found = collections.defaultdict(list)
        for record in self.fleet.records("effects.unknown"):
            of = record["of"]
            match = re.fullmatch(r"\w+/(\d+)", of)
            cause = int(match.group(1)) if match else deliveries.get(of, 0)
            found[cause].append(record)
        return found

    def unknown_steps(self, event):
        """{step: record}: which of the event's effects the log calls unknown, by what they ask for; of two that ask for
        the same it is the one that is not there."""
        found = {}
        for record in sorted(self.unknown.get(event.cause, ()), key=lambda one: one["step"]):
            steps = [(any(row["fate"] == "done" for row in self.rows_of(event, step, name, route)), step)
                     for step, name, route, repeat in event.effects()
                     if repeat == "never" and route == OPERATIONS.get(record["route"]) and step not in found]
            if steps:
                found[min(steps)[1]] = record
        return found

    def killed_between(self, shard, from_us, to_us):
        times = self.kill_times[shard]
        at = bisect.bisect_left(times, from_us)
        return at < len(times) and times[at] <= to_us

    def taken_away(self, event):
        """Whether the sim took it away: each delivery was skipped in a replay, or lies in a session that it ended."""
        entry = self.books.entries.get(event.cause)
        if not entry or not entry["deliveries"]:
            return True  # given to no session
        def gone(one):
            return any(loss["session"] == one["session"] and loss["from"] <= one["seq"] <= loss["to"]
                       for loss in self.skipped) or \
                any(loss["session"] == one["session"] and one["seq"] >= loss["from"] for loss in self.over) or \
                one["session"] in self.campaign.torn_sessions
        return all(gone(one) for one in entry["deliveries"])

    # --- one event -------------------------------------------------------------------------------------------------

    def rows_of(self, event, step, name, route):
        if name in doings.NAMES:
            return judge_modules.rows_of([row for row in self.books.by_cause.get(event.cause, ())
                                          if row["operation"] in route.split("|")], step, name)
        wanted = "" if name in UNMARKED else str(step)
        return [row for row in self.books.by_cause.get(event.cause, ())
                if row["step"] == wanted and row["operation"] in route.split("|")]

    def sim_was_late(self, event):
        entry = self.books.entries.get(event.cause)
        if not entry:
            return True
        made_us = event.made_us
        faulted = any(row["fault"] for row in self.books.by_cause.get(event.cause, ())
                      if row["operation"] == "create_interaction_response")
        return faulted or entry["writes"] == 0 or entry["last_written_us"] > made_us + LATE_US

    def judge_event(self, event, verdicts):
        """Adds what is to be said of each effect of the event to verdicts[word of it]."""
        expired = self.is_expired(event)
        dead = event.poison
        gone, unknown = None, self.unknown_steps(event)
        for step, name, route, repeat in event.effects():
            rows = self.rows_of(event, step, name, route)
            done = [row for row in rows if row["fate"] == "done"]
            verdicts["planned"] += 1
            self.judge_repeats(event, name, repeat, rows, verdicts)
            if repeat != "safe" and len(done) > 1:
                verdicts["doubled"].append((event, step, name, "done %d times" % len(done)))
            if done or (repeat == "safe" and any(row["fate"] == "same" for row in rows)):
                verdicts["done"] += 1
                verdicts["by_class"][repeat] += 1
                verdicts["by_word"][name] += 1
                if step in unknown:
                    verdicts["unknown_done"].append((event, step, name))
                continue
            if step in unknown:
                verdicts["unknown_undone"].append((event, step, name, rows))
            elif expired:
                verdicts["expired"].append((event, step, name))
            elif dead:
                verdicts["dead"].append((event, step, name))
            elif name in doings.NAMES and self.modules.excused(event, name):
                verdicts["excused"].append((event, step, name, self.modules.excused(event, name)))
            elif rows and rows[-1]["fault"]:
                verdicts["failed"].append((event, step, name, rows[-1]["fault"]))
            else:
                gone = self.taken_away(event) if gone is None and not event.asked_by else gone
                if gone:
                    verdicts["taken"].append((event, step, name))
                else:
                    verdicts["lost"].append((event, step, name, [row["status"] for row in rows]))

    def is_expired(self, event):
        """An interaction that was not answered within its time: Discord takes nothing more for it."""
        if event.kind not in ("command", "button", "form"):
            return False
        rows = [row for row in self.books.by_cause.get(event.cause, ())
                if row["operation"] == "create_interaction_response"]
        entry = self.books.entries.get(event.cause)
        return bool(entry) and entry["answers"] == 0 and \
            (entry["late"] or any(row["fault"] for row in rows) or event.cause in self.campaign.expired_causes(self.fleet))

    def judge_repeats(self, event, name, repeat, rows, verdicts):
        """A request that came twice needs a reason: a kill between the two, or an answer that the sim spoilt."""
        if name in ("answer", "update", "edit", "defer", "reply"):
            return  # an edit after a callback is another request of the same word
        for before, after in zip(rows, rows[1:]):
            verdicts["repeats"] += 1
            if before["fault"] or before["status"] in (0, 429) or before["status"] >= 500:
                verdicts["repeats_by_fault"] += 1
            elif self.killed_between(event.shard, before["arrived_us"] - KILL_SLACK_US, after["arrived_us"]):
                verdicts["repeats_by_kill"] += 1
                if repeat == "never":
                    verdicts["doubled"].append((event, 0, name, "sent again after a kill, and of class NEVER"))
            elif repeat == "safe" and any(before["arrived_us"] < at <= after["arrived_us"]
                                          for at in self.restart_times[event.shard]):
                verdicts["repeats_by_restart"] += 1
            else:
                verdicts["doubled"].append((event, 0, name, "asked twice with no kill between"))

    def verdicts(self):
        found = collections.defaultdict(list, planned=0, done=0, repeats=0, repeats_by_kill=0, repeats_by_fault=0,
                                        repeats_by_restart=0, by_class=collections.Counter(), by_word=collections.Counter())
        for event in self.by_cause.values():
            if event.delivered or self.books.entries.get(event.cause, {}).get("deliveries"):
                self.judge_event(event, found)
            else:
                found["undelivered"].append((event, 0, ""))
        return found

    def open_events(self):
        """Effects that are neither there nor explained: what there is to wait for."""
        found = self.gather().verdicts()
        return found["lost"]

    # --- the report ------------------------------------------------------------------------------------------------

    def report(self):
        v = self.gather().verdicts()
        return (self.sent(v) + self.modules.lines(v) + self.losses(v) + self.unknowns(v) + self.expiries(v) + self.parkings() + self.spendings()
                + self.recoveries() + self.shares(v) + self.kill_lines())

    def sent(self, v):
        summary = self.sim.summary()
        kinds = collections.Counter(event.kind for event in self.by_cause.values())
        background = {kind: summary[kind] for kind in ("messages", "interactions")}
        handled = self.campaign.counter("events_handled")
        later = sum(event.asked_by is not None for event in self.by_cause.values())  # no events of Discord's
        lines = [Line("events sent", len(self.by_cause), None, ", ".join("%s %d" % one for one in sorted(kinds.items()))),
                 Line("events handled (workers' count)", handled, handled >= len(self.by_cause) - later - len(v["undelivered"]) -
                      len({one[0].cause for one in v["taken"]}), "with the background traffic"),
                 Line("effects planned / done", "%d / %d" % (v["planned"], v["done"]), None),
                 Line("requests seen raw", len(self.books.rows), None,
                      "%d repeats: %d after a kill, %d after an answer that the sim spoilt, %d after an operator's restart; %d "
                      "deduped by nonce" % (v["repeats"], v["repeats_by_kill"], v["repeats_by_fault"],
                                            v["repeats_by_restart"], summary["nonce_hits"])),
                 Line("effects lost", len(v["lost"]), not v["lost"], "", v["lost"]),
                 Line("effects doubled", len(v["doubled"]), not v["doubled"], "", v["doubled"])]
        doubled = sum(one["doubled"] for one in background.values())
        return lines + [Line("background commands doubled", doubled, doubled == 0),
                        Line("failed by faults of the sim's", len(v["failed"]), None,
                             ", ".join("%s %d" % one for one in
                                       collections.Counter(one[3] for one in v["failed"]).items()))]

    def losses(self, v):
        """Every window that was reported is one that the sim opened, and every one that it opened was reported."""
        unborne, by_gap, by_skip, by_end = [], 0, 0, 0
        for window in self.windows:
            shard, low, high = window["shard"], window["from_sequence"], window["to_sequence"] or 1 << 62
            def meets(one, shard=shard, low=low, high=high):
                return one["shard"] == shard and one["from"] <= high and low <= max(one["to"], one["from"])
            if any(meets(one) for one in self.skipped):
                by_skip += 1
            elif window["reason"] != "resume_gap" and any(one["shard"] == shard for one in self.over):
                by_end += 1
            elif any(meets(one) for one in self.gaps):
                by_gap += 1
            else:
                unborne.append(window)
        unreported = [one for one in self.skipped if one["dispatches"] and not any(
            window["shard"] == one["shard"] and window["from_sequence"] <= one["to"] and
            (window["to_sequence"] == 0 or window["to_sequence"] >= one["from"]) for window in self.windows)]
        taken = {one[0].cause for one in v["taken"]}
        silent = self.keep == "unwritten" or not self.skipped
        return [Line("loss windows", len(self.windows), not unborne and silent,
                     "%d for dispatches that the sim did not bring again, %d for sessions that it ended, %d over numbers "
                     "that it never gave" % (by_skip, by_end, by_gap), unborne),
                Line("losses of the sim's unreported", len(unreported), not unreported, "", unreported),
                Line("events lost in those windows", len(taken),
                     not taken or bool(self.skipped or self.over or self.campaign.torn_sessions))]

    @property
    def keep(self):
        return self.campaign.keep

    def unknowns(self, v):
        """Only NEVER, and only for what was torn between the intent and the answer."""
        wrong, between, before, by_reset = [], 0, 0, 0
        torn = []
        for cause, records in self.unknown.items():
            event = self.by_cause.get(cause)
            steps = self.unknown_steps(event) if event else {}
            wrong += [record for record in records if record not in steps.values()]
            torn += [(event, one, steps[one[0]]) for one in event.effects() if one[0] in steps] if event else []
        for event, (step, name, route, _), record in torn:
            rows = self.rows_of(event, step, name, route)
            if not rows:
                before += 1
                if not self.kill_times[event.shard]:
                    wrong.append(record)
            elif all(row["status"] == 429 for row in rows):
                wrong.append(record)  # it was told each time that nothing had come of it
            elif rows[-1]["fault"]:
                by_reset += 1
            elif self.killed_between(event.shard, rows[-1]["arrived_us"] - KILL_SLACK_US,
                                     rows[-1]["arrived_us"] + KILL_SLACK_US):
                between += 1
            else:
                wrong.append(record)
        return [Line("unknown", sum(map(len, self.unknown.values())), not wrong,
                     "NEVER all; %d killed between sending and answer, %d between intent and sending, %d whose answer a "
                     "fault swallowed" % (between, before, by_reset), wrong)]

    def expiries(self, v):
        events = {one[0].cause: one[0] for one in v["expired"]}
        wrong = [event for event in events.values() if not self.sim_was_late(event)]
        return [Line("expired", len(events), not wrong, "the sim wrote or took them too late", wrong)]

    def parkings(self):
        parked = self.campaign.counter("events_parked")
        poisons = [event for event in self.by_cause.values() if event.poison]
        dead = {(record["shard"], record["sequence"]): record for record in self.dead}
        return [Line("parked at the end", parked, parked == 0),
                Line("dead letters", len(dead), len(dead) == len(poisons), "%d poisons were sent" % len(poisons))]

    def spendings(self):
        spent = self.sim.summary()["identifies"]["total"]
        refused = len({one["session"] for one in self.over} - self.campaign.torn_sessions)
        torn = len(self.campaign.torn_sessions)
        due = self.campaign.shards + refused + torn
        return [Line("identifies", spent, spent <= due, "%d shards, %d sessions refused or ended, %d torn at READY: %d "
                     "unavoidable" % (self.campaign.shards, refused, torn, due)),
                Line("reconnects by supervisor restarts", self.campaign.reconnects, self.campaign.reconnects == 0,
                     "%d kills of it" % self.campaign.supervisor_kills)]

    def recoveries(self):
        """From each kill to the first effect of an event that was made after it, on that shard."""
        first = collections.defaultdict(list)
        for row in self.books.rows:
            event = self.by_cause.get(row["cause"])
            if event and row["fate"] in ("done", "same"):
                first[event.shard].append((event.made_us, row["arrived_us"]))
        times, missing, spoilt = [], 0, 0
        for kill in self.campaign.kills:
            if not kill["measured"]:
                continue
            if any(row["fault"] for row in self.books.by_cause.get(kill["probe"], ())):
                spoilt += 1  # a fault that was ordered struck the very answer that was to be measured
                continue
            if self.session_ended(kill):
                spoilt += 1  # a new one may not begin before five seconds have passed
                continue
            later = [arrived for made, arrived in first[kill["shard"]] if made >= kill["at_us"]]
            if later:
                times.append(((min(later) - kill["at_us"]) / 1000, kill["point"], kill["shard"]))
            else:
                missing += 1
        times.sort()
        def at(share):
            return times[min(len(times) - 1, int(len(times) * share))][0] if times else 0
        loads = sorted(kill["load"] for kill in self.campaign.kills) or [0]
        load, ours = loads[len(loads) // 2], loads[len(loads) // 2] <= LOAD_MAX * (os.cpu_count() or 1)
        if not any(kill["measured"] for kill in self.campaign.kills):
            return [Line("recovery p50 / p99 ms", "not measured", None,
                         "what comes while a shard has no worker is not brought again in this way")]
        fast = bool(times) and at(0.99) <= self.campaign.recovery_ms
        return [Line("kills not recovered from", missing, missing == 0),
                Line("recovery p50 / p99 ms", "%.0f / %.0f" % (at(0.5), at(0.99)), fast if ours or fast else None,
                     "of %d kills, to the first effect of a new event; target %d; worst %s; %d not counted: the sim spoilt "
                     "the answer or ended the session; load %.1f%s" %
                     (len(times), self.campaign.recovery_ms, ", ".join("%.0f at %s on %d" % one for one in times[-3:]),
                      spoilt, load, "" if ours or fast else ", so others' work was measured: not judged"))]

    def session_ended(self, kill):
        """Whether the sim ended or refused the shard's session about when the kill came."""
        at_ms = (kill["at_us"] + self.campaign.wall_less_monotonic_us) / 1000
        return any(one["shard"] == kill["shard"] and -10000 < one["at_ms"] - at_ms < 6000 for one in self.over)

    def shares(self, v):
        done = v["by_class"]
        whole = sum(done.values())
        share = (done["check"] + done["never"]) / whole if whole else 0
        ways = {word: self.check_ways(word) for word in CHECK_WORDS}
        self.campaign.check_ways = ways
        return [Line("CHECK and NEVER of effects", "%.0f %%" % (100 * share), share >= 0.3 if not self.campaign.modules_only else None,
                     ", ".join("%s %d" % (name, done[name]) for name in ("safe", "nonce", "check", "never"))),
                Line("CHECK rows, happened/not", ", ".join("%s %d/%d" % (word, *ways[word]) for word in ways), None)]

    def check_ways(self, word):
        """How often a torn CHECK effect was found done and left, and found undone and done."""
        happened = missing = 0
        for kill in self.campaign.kills:
            event = self.by_cause.get(kill.get("cause"))
            if not event:
                continue
            for step, name, route, _ in event.effects():
                if name != word or kill["point"] not in ("after_send", "before_send", "after_reply"):
                    continue
                rows = self.rows_of(event, step, name, route)
                done = [row for row in rows if row["fate"] == "done"]
                if len(done) != 1:
                    continue
                # What was in the kernel's hands comes within a moment; a successor takes longer to be there.
                if done[0]["arrived_us"] > kill["at_us"] + ARRIVES_US:
                    missing += 1
                elif kill["point"] != "before_send":
                    happened += 1
        return happened, missing

    def kill_lines(self):
        points = collections.Counter(kill["point"] for kill in self.campaign.kills)
        bare = [kill for kill in self.campaign.kills if kill["point"] in POINTS and kill["tickets"] == 0 and
                kill["point"] not in ("bury", "session_flip") and not kill.get("second")]
        failing = self.fleet.records("worker.failing")
        return [Line("kills of workers", len(self.campaign.kills), None,
                     "%d at random, %d where told" % (points["random"], len(self.campaign.kills) - points["random"])),
                Line("kills with no ticket open", len(bare), not bare, "at named points"),
                Line("shards marked failing", len(failing), not failing,
                     "restart policy as it comes: more than 10 deaths in 60 s")]


def describe(item, sim):
    """One offender, and what the sim knows of it."""
    event = item[0] if isinstance(item, tuple) else item
    if not hasattr(event, "cause"):
        return str(event)
    trace = sim.get("/trace", id=event.cause)
    entry = trace["entry"] or {}
    lines = ["%s %d on shard %d, plan «%s»: %s" % (event.kind, event.cause, event.shard, event.plan,
                                                   item[1:] if isinstance(item, tuple) else "")]
    lines += ["    delivered %s" % one for one in entry.get("deliveries", ())]
    lines += ["    %(arrived_us)d %(operation)s step %(step)s: %(fate)s, %(status)d, fault %(fault)s, %(about)s" % row
              for row in trace["requests"]]
    return "\n".join(lines)
