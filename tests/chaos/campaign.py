"""One campaign: a sim that keeps replays in one way, a fleet of the build with kill points, members who act, and somebody
who kills, stops, breaks and refuses, all from one seed."""

import collections
import copy
import json
import os
import random
import re
import signal
import time
import urllib.request

import procs
from harness.fleet import Fleet
from harness.gateway_client import Rest
from harness.sim import Sim

from doings import HOUR_S, Doings
from judge import Judge, describe
from kills import POINTS, Slots
from line import Line
from traffic import Town, Traffic, furnish

SETTLE_S = 90
STILL_S = 25
HIT_S = 6
SPACING_S = 31  # of two deaths of one shard: a worker that lived 30 s is restarted at once (supervisor.stable_s)
PROBE = "answer"


def now_us():
    return time.monotonic_ns() // 1000


class Campaign:
    """plan: {point: kills}, "random": kills; "m:point": kills while the bundled modules are at work. servers: harness's."""

    shards = 16

    def __init__(self, folder, janitor, servers, keep, seed, plan, seconds, rate=36, recovery_ms=250, spacing_s=SPACING_S,
                 config=None, record=False, modules_only=False, guilds=64):
        # pylint: disable=too-many-arguments
        self.folder, self.janitor, self.servers, self.keep, self.seed = folder, janitor, servers, keep, seed
        self.plan, self.seconds, self.rate = plan, seconds, rate
        self.recovery_ms, self.spacing_s, self.config = recovery_ms, spacing_s, config or {}
        self.dice = random.Random("%s %d" % (keep, seed))
        self.record, self.modules_only, self.guilds = record, modules_only, guilds
        self.kills, self.torn_sessions, self.notes, self.poisoned = [], set(), [], set()
        self.failures = []
        self.wall_less_monotonic_us = time.time_ns() // 1000 - now_us()
        self.reconnects = self.supervisor_kills = 0
        self.check_ways = {}
        self.last_death = [-1e9] * self.shards
        self.struck = {}

    def say(self, text):
        self.notes.append(text)

    # --- start and end ---------------------------------------------------------------------------------------------

    def start(self):
        self.sim = Sim(self.folder, self.janitor, shards=self.shards, guilds=self.guilds, channels=20, roles=10, members=4000,
                       guild_bytes=2048, resume_keep=self.keep, heartbeat_interval_ms=2000, seed=self.seed % (1 << 31) or 1,
                       record=os.path.join(self.folder, "sim.jsonl") if self.record else None, resume_window_s=60, ledger_max=400000).start()
        self.sim.set(rest_limits=False)
        self.town = Town(self.sim, self.shards)
        hooks = os.path.join(self.folder, "hooks")
        furnish(self.town, Rest(self.sim), hooks)
        self.sim.set(rest_limits=True)
        self.slots = Slots(os.path.join(self.folder, "kills"))
        self.database = self.servers.database()
        self.fleet = Fleet(self.folder, self.janitor, self.sim, database=self.database, nats=self.servers.nats,
                           config={"supervisor.restart_floor_ms": None, "log.level": "info", "modules.load": "echo",
                                   "jobs.look_s": 1, **self.config},
                           environment={"SHOAL_KILL_FILE": self.slots.path, "SHOAL_CHAOS_HOOKS": hooks})
        self.fleet.start()
        self.fleet.ready(shards=self.shards)
        self.address = self.fleet.http_address()
        self.traffic = Traffic(self.town, copy.copy(self.sim), self.seed, self.rate)
        self.traffic.client._connection = None  # pylint: disable=protected-access  # one of its own: it is another thread
        self.doings = Doings(self.traffic, self.seconds)
        if self.modules_only:
            self.traffic.kinds = [(self.traffic.member, 8), *self.doings.kinds]
        self.judge = Judge(self.sim, self.traffic.all, self.fleet, self)
        self.doings.furnish(self.sim, self.wait_answered)
        return self

    def sql(self, text):
        return self.servers.sql(text, self.database)

    def wait_answered(self, events, timeout_s=60):
        """Until each of these commands has its answer."""
        def left():
            self.judge.books.read()
            return [event for event in events if not self.judge.modules.answered(event)]
        procs.wait_until(lambda: not left(), timeout_s, "%d commands to be answered" % len(events), interval_s=0.02,
                         tail=lambda: "\n".join(self.describe(event) for event in left()[:3]))

    def finish(self):
        if hasattr(self, "fleet"):
            self.fleet.finish()
        if hasattr(self, "sim"):
            self.sim.stop()

    def status(self):
        with urllib.request.urlopen("http://%s:%d/api/v1/status" % self.address, timeout=15) as answer:
            return json.load(answer)

    def shard_status(self, shard):
        return next(one for one in self.status()["shards"] if one["id"] == shard)

    def metrics(self):
        with urllib.request.urlopen("http://%s:%d/metrics" % self.address, timeout=15) as answer:
            return answer.read().decode()

    def counter(self, name):
        """The sum over all shards."""
        return int(sum(float(value) for value in
                       re.findall(r"^shoal_%s(?:_total)?(?:\{[^}]*\})? (\S+)$" % name, self.metrics(), re.M)))

    def expired_causes(self, fleet):
        """Interactions that the fleet says to have been too late for."""
        return {int(one["interaction"]) for one in fleet.records("commands.expired") if "interaction" in one}

    # --- the run ---------------------------------------------------------------------------------------------------

    def run(self):
        orders = self.orders()
        self.traffic.start()
        self.sim.post("/traffic", rate=60)
        began = time.monotonic()
        for number, order in enumerate(orders):
            # Spread over the time that there is; those that are behind follow at once.
            pause = began + self.seconds * number / len(orders) - time.monotonic()
            if pause > 0:
                time.sleep(pause)  # the campaign's own pace, no wait for anything
            try:
                order()
            except (AssertionError, procs.StackError) as e:  # a line of the report; the rest goes on
                self.failures.append(" ".join(str(e).split())[:300])
                if self.fleet.process.poll() is not None:
                    raise
        time.sleep(max(0, began + self.seconds - time.monotonic()))
        self.traffic.stop()
        self.sim.post("/traffic", rate=0)
        self.sim.clear_faults()
        self.fleet.ready(shards=self.shards, timeout_s=SETTLE_S)
        self.settle()
        for poll in self.doings.to_be_ended():
            self.doings.end_poll(self.sim, self.dice, poll.index, poll)
        self.settle()

    def settle(self):
        """Until all that was sent is there or explained, or it is clear that it never will be."""
        deadline, requests = time.monotonic() + SETTLE_S, (-1, 0)
        while time.monotonic() < deadline:
            left = self.judge.open_events()
            if not left and self.counter("events_parked") == 0 and self.counter("events_open") == 0:
                return
            now = len(self.judge.books.rows)
            if now != requests[0]:
                requests = now, time.monotonic()
            elif time.monotonic() - requests[1] > STILL_S:
                break
            time.sleep(0.5)  # the books are long: not read more often than that
        self.say("not everything had settled after %d s, %d s of them without a request" % (SETTLE_S, STILL_S))

    def orders(self):
        """Everything that will be done, shuffled by the seed."""
        orders = []
        for point, count in self.plan.items():
            if point == "random":
                orders += [self.random_kill] * count
            elif point in ("park", "bury", "session_flip"):
                orders += [getattr(self, "kill_at_" + point)] * count
            elif point.startswith("m:"):
                orders += [lambda point=point[2:], i=i: self.kill_at_module(point, i) for i in range(count)]
            elif point in POINTS:
                orders += [lambda point=point, i=i: self.kill_at(point, i) for i in range(count)]
            elif point in ("poison", "kill_twice", "together"):
                orders += [getattr(self, point)] * count
            else:
                orders += [getattr(self, "fault_" + point)] * count
        self.dice.shuffle(orders)
        return orders

    # --- kills -----------------------------------------------------------------------------------------------------

    def victim(self, besides=()):
        """The shard that may die again, with the pid of its ready worker."""
        deadline = time.monotonic() + self.spacing_s + 30
        while True:
            now = time.monotonic()
            able = [shard for shard in range(self.shards) if now - self.last_death[shard] >= self.spacing_s and
                    shard not in besides]
            if able:
                shard = self.dice.choice(able)
                status = self.shard_status(shard)
                if status["state"] == "ready" and status["pid"]:
                    return shard, status["pid"]
            if now > deadline:
                raise AssertionError("no shard is ready to be killed: %s" % self.status())
            time.sleep(0.02)  # states of processes: polled

    def guild_of(self, shard):
        return self.dice.choice(self.town.of_shard(shard))

    def killed(self, shard, point, result, measured=True, **more):
        """Books a death, and gives the shard a new event to show when it is back."""
        self.last_death[shard] = time.monotonic()
        probe = self.traffic.command(self.sim, self.dice, self.guild_of(shard), PROBE, probe=True) if measured else None
        self.kills.append({"probe": probe and probe.cause, "load": os.getloadavg()[0], "shard": shard, "point": point, "at_us": result["at_us"], "tickets": result.get("tickets", 0),
                           "what": result.get("what", ""), "measured": measured, **more})

    def random_kill(self):
        shard, pid = self.victim()
        time.sleep(self.dice.uniform(0, 0.05))  # where in its work it dies is the dice's
        os.kill(pid, signal.SIGKILL)
        self.killed(shard, "random", {"at_us": now_us()}, measured=self.keep != "unwritten")

    # What is sent to a shard so that its worker comes to the point: the plan, and what the point's detail must hold.
    PROVOKE = {
        "receipt": [("member", "hook", "GUILD_MEMBER_ADD"), ("message", "hook", "MESSAGE_CREATE"),
                    ("role", None, "GUILD_ROLE_CREATE"), ("command", "answer fup", "INTERACTION_CREATE")],
        "before_sequence": [("member", "hook", "GUILD_MEMBER_ADD"), ("role", None, "GUILD_ROLE_CREATE"),
                            ("message", "hook", "MESSAGE_CREATE"), ("guild", None, "GUILD_UPDATE")],
        "before_handler": [("message", "hook", "MESSAGE_CREATE"), ("member", None, "GUILD_MEMBER_ADD")],
        "in_handler": [("message", "hook say", "say"), ("message", "hook", "hook"), ("command", "answer fup", "fup")],
        "before_intent": [("message", "hook", "EXECUTE_WEBHOOK"), ("message", "say", "CREATE_MESSAGE"),
                          ("message", "KICK", "KICK"), ("command", "answer fup", "CREATE_FOLLOWUP")],
        "before_send": [("message", "KICK", "KICK"), ("message", "hook", "EXECUTE_WEBHOOK"), ("message", "say", "CREATE_MESSAGE"),
                        ("message", "BAN", "BULK_BAN"), ("message", "thread", "CREATE_MESSAGE_THREAD"),
                        ("message", "cross", "CROSSPOST"), ("command", "answer fup", "CREATE_FOLLOWUP")],
        # The last: the sim takes the request and does nothing, so that what was sent has not happened.
        "after_send": [("message", "KICK", "/members/", "delete_guild_member"), ("message", "BAN", "/bulk-ban", "bulk_ban_users_from_guild"),
                       ("message", "thread", "/threads", "create_thread_from_message"), ("message", "cross", "/crosspost", "crosspost_message"),
                       ("message", "KICK", "/members/"), ("message", "BAN", "/bulk-ban"),
                       ("message", "thread", "/threads"), ("message", "cross", "/crosspost"),
                       ("message", "hook", "/webhooks/"), ("message", "say", "/messages"), ("command", "answer fup", "/webhooks/"),
                       ("command", "answer", "/interactions/"), ("message", "dm", "/messages")],
        "after_reply": [("message", "hook", "EXECUTE_WEBHOOK"), ("message", "say", "CREATE_MESSAGE"), ("message", "KICK", "KICK"),
                        ("message", "BAN", "BULK_BAN"), ("message", "thread", "CREATE_MESSAGE_THREAD"),
                        ("message", "cross", "CROSSPOST"), ("command", "answer fup", "CREATE_FOLLOWUP")],
        "after_conclude": [("message", "hook say", "EXECUTE_WEBHOOK"), ("message", "KICK", "KICK"),
                           ("command", "answer fup fup", "CREATE_FOLLOWUP")],
        "before_done": [("message", "hook", "")],
        "before_journal_closed": [("message", "hook", ""), ("command", "answer fup", ""), ("member", None, "")],
        "before_cache_commit": [("role", None, ""), ("guild", None, "")],
        "after_cache_commit": [("role", None, ""), ("guild", None, "")],
    }

    def act(self, kind, plan, index):
        if plan == "KICK":
            plan = "kick:%s say" % self.town.member(index)
        elif plan == "BAN":
            plan = "ban:%s:%s hook" % (self.town.member(index), self.town.member(index))
        elif plan == "dm":
            plan = "dm:%s" % self.town.member(index)
        return getattr(self.traffic, kind)(self.sim, self.dice, index, plan=plan)

    def kill_at(self, point, number):
        """Arms the point in one worker, with a ticket of another event open, and sends what leads there."""
        ways = self.PROVOKE[point]
        kind, plan, detail, *hang = ways[number % len(ways)]
        for _ in range(5):  # a fault that lies on the shard may keep the events from it
            shard, pid = self.victim()
            index = self.guild_of(shard)
            self.act("message", "wait:1500 hook", index)
            if not self.wait_ticket(shard):
                continue
            if hang:
                self.sim.fault("hang", route=hang[0], times=1)
            self.slots.arm(shard, pid, point, detail, tickets_min=1)
            event = self.act(kind, plan, index)
            result = self.slots.wait(shard, HIT_S)
            if result:
                self.killed(shard, point, result, measured=self.keep != "unwritten", cause=event.cause, undone=bool(hang))
                return
            self.sim.clear_faults()
        raise AssertionError("nobody came to the kill point %s (%s)" % (point, detail))

    # The same while the bundled modules are at work: what is done, and the point's detail; a "<channel>" in it is the
    # guild's.
    MODULE_WAYS = {
        "receipt": [("join", "GUILD_MEMBER_ADD"), ("vote", "INTERACTION_CREATE"), ("leave", "GUILD_MEMBER_REMOVE"),
                    ("remind", "INTERACTION_CREATE")],
        "before_handler": [("join", "GUILD_MEMBER_ADD"), ("leave", "GUILD_MEMBER_REMOVE")],
        "in_module": [("join", "admin"), ("ring", "remind a job"), ("vote", "utility"), ("end", "utility"), ("poll", "utility"),
                      ("result", "utility a job"), ("remind", "remind"), ("change", "core"), ("leave", "admin")],
        "before_intent": [("join", "CREATE_MESSAGE admin"), ("ring", "CREATE_MESSAGE remind"),
                          ("result", "CREATE_MESSAGE utility"), ("leave", "CREATE_MESSAGE admin"),
                          ("poll", "CREATE_MESSAGE utility")],
        "after_send": [("join", "/channels/<hall>/messages"), ("ring", "/channels/<tower>/messages"),
                       ("result", "/channels/<square>/messages"), ("poll", "/channels/<square>/messages")],
        "before_journal_closed": [("join", ""), ("vote", ""), ("leave", "")],
        "job_made": [("remind", "ring"), ("poll", "poll_end")],
        "job_claimed": [("ring", "ring"), ("result", "poll_end")],
    }
    for _point in ("before_send", "after_reply", "after_conclude"):
        MODULE_WAYS[_point] = MODULE_WAYS["before_intent"]
    for _point in ("job_noted", "job_over", "job_ending", "job_told"):
        MODULE_WAYS[_point] = MODULE_WAYS["job_claimed"]
    MODULE_WAYS["before_done"] = MODULE_WAYS["before_journal_closed"]

    def prepare_module(self, act, index):
        """What must be there before; the act itself, which leads to the point, and how long that may take."""
        doings, client, dice = self.doings, self.sim, self.dice
        acts = {"join": lambda: self.traffic.member(client, dice, index, plan=""),
                "leave": lambda: doings.leave(client, dice, index),
                "remind": lambda: doings.remind(client, dice, index),
                "ring": lambda: doings.remind(client, dice, index, seconds=1, where="here"),
                "poll": lambda: doings.poll(client, dice, index),
                "change": lambda: doings.change(client, dice, index)}
        if act in acts:
            return acts[act]
        poll = doings.poll(client, dice, index, seconds=HOUR_S)
        try:
            self.wait_answered([poll.asked], HIT_S)
        except procs.StackError:
            return None  # the sim has taken it away, or it came too late
        return {"vote": lambda: doings.vote(client, dice, index, poll), "end": lambda: doings.end_poll(client, dice, index, poll),
                "result": lambda: self.hurry(poll)}[act]

    def hurry(self, poll):
        """The time of its end has come."""
        poll.hurried = True
        self.sql("UPDATE shoal.job SET due_at = now() WHERE module = 'utility' AND guild_id = %s AND tag = %d" %
                 (self.town.guilds[poll.index]["id"], poll.id))
        return poll.made

    def kill_at_module(self, point, number):
        ways = self.MODULE_WAYS[point]
        act, detail = ways[number % len(ways)]
        for _ in range(5):
            shard, pid = self.victim()
            index = self.guild_of(shard)
            do = self.prepare_module(act, index)
            if not do:
                continue
            self.act("message", "wait:5000 hook", index)
            if not self.wait_ticket(shard):
                continue
            place = re.sub("<(.*)>", lambda match: self.town.guilds[index][match.group(1)], detail)  # noqa: B023
            again = point == "in_module" and act not in ("change", "leave") and " " not in place
            self.slots.arm(shard, pid, point, place, countdown=self.dice.randrange(1, 4) if again else 1, tickets_min=1)
            event = do()
            result = self.slots.wait(shard, HIT_S)
            if result:
                self.killed(shard, point, result, measured=self.keep != "unwritten", module=act,
                            cause=getattr(event, "cause", None))
                return
        raise AssertionError("nobody came to the kill point %s of a module (%s, %s)" % (point, act, detail))

    # Where a worker comes by while it takes up what the last one left.
    AGAIN = ["before_cache_commit", "after_cache_commit", "before_handler", "in_handler", "before_intent", "before_send",
             "after_send", "after_reply", "after_conclude", "before_done", "before_journal_closed", "in_module", "job_noted"]

    def kill_twice(self):
        """One dies at a place, and its successor while it takes up what the first has left."""
        point = self.dice.choice(["after_reply", "after_send", "before_send", "in_handler", "before_journal_closed"])
        if point in self.MODULE_WAYS and self.dice.random() < 0.5:
            self.kill_at_module(point, self.dice.randrange(13))
        else:
            self.kill_at(point, self.dice.randrange(13))
        shard = self.kills[-1]["shard"]
        again = self.dice.choice(self.AGAIN)
        self.slots.arm(32 + shard, 0, again, countdown=self.dice.randrange(1, 3), shard=shard)
        result = self.slots.wait(32 + shard, HIT_S)
        if result:
            self.kills[-1]["measured"] = False  # its time was not its own
            self.killed(shard, again, result, measured=False, second=True)
        self.wait_shard(shard)

    def wait_ticket(self, shard):
        """Until an event is open on the shard; False: none came there."""
        deadline = time.monotonic() + HIT_S / 2
        while self.open_tickets(shard) == 0:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)  # a gauge: nobody can wake us
        return True

    def open_tickets(self, shard):
        found = re.search(r'^shoal_events_open\{[^}]*shard="%d"[^}]*\} (\S+)$' % shard, self.metrics(), re.M)
        return float(found.group(1)) if found else 0

    def kill_at_park(self):
        """A ticket older than ten seconds leaves the inbox."""
        shard, pid = self.victim()
        self.slots.arm(shard, pid, "park", tickets_min=1)
        self.last_death[shard] = time.monotonic()  # it is spoken for
        event = self.act("message", "wait:12000 hook", self.guild_of(shard))
        result = self.slots.wait(shard, 16)
        if not result:
            raise AssertionError("nothing was parked on shard %d within 16 s" % shard)
        self.killed(shard, "park", result, measured=False, cause=event.cause)

    def kill_at_session_flip(self):
        """The RESUME is refused, and the worker dies when the new session is half on the board."""
        shard, pid = self.victim()
        before = {one["session_id"] for one in self.sim.state()["sessions"] if one["shard"][0] == shard}
        self.slots.arm(shard, pid, "session_flip", "set")
        self.sim.fault("refuse_resume", shard=shard)
        self.sim.fault("drop", shard=shard)
        result = self.slots.wait(shard, 30)
        if not result:
            raise AssertionError("no new session on shard %d within 30 s" % shard)
        self.torn_sessions |= {one["session_id"] for one in self.sim.state()["sessions"]
                               if one["shard"][0] == shard} - before
        self.killed(shard, "session_flip", result, measured=False)
        self.wait_shard(shard)

    def wait_shard(self, shard):
        procs.wait_until(lambda: self.shard_status(shard)["state"] == "ready", 60, "shard %d ready" % shard, interval_s=0.05)

    def poison(self):
        """Two workers die of it, then it is set aside. One a shard: a third crash would trip the module's breaker."""
        shard, _ = self.victim(self.poisoned)
        self.poisoned.add(shard)
        before = len(self.fleet.records("pipeline.dead_letter"))
        self.last_death[shard] = time.monotonic()
        self.act("message", "poison", self.guild_of(shard))
        self.fleet.wait_record("pipeline.dead_letter", before + 1)
        self.wait_shard(shard)

    def kill_at_bury(self):
        shard, _ = self.victim(self.poisoned)
        self.poisoned.add(shard)
        self.slots.arm(shard, 0, "bury")
        self.last_death[shard] = time.monotonic()
        self.act("message", "poison", self.guild_of(shard))
        result = self.slots.wait(shard, 30)
        if not result:
            raise AssertionError("no dead letter on shard %d within 30 s" % shard)
        self.killed(shard, "bury", result, measured=False)
        self.wait_shard(shard)

    # --- faults ----------------------------------------------------------------------------------------------------

    def strike(self, kind, **more):
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return self.sim.fault(kind, **more)

    def any_shard(self):
        return self.dice.randrange(self.shards)

    def fault_link(self):
        """The link of a shard ends, in one of the ways in which links end."""
        kind, more = self.dice.choice([("drop", {}), ("fin", {}), ("close", {"code": 4000}), ("op7", {}),
                                       ("close", {"code": 1011}), ("op9", {"resumable": True})])
        self.strike(kind, shard=self.any_shard(), **more)

    def fault_half_open(self):
        """Seen by the heartbeat that nobody acknowledges."""
        self.strike("half_open", shard=self.any_shard())

    def fault_refused(self):
        """The session is gone: one identify, one loss window."""
        shard = self.any_shard()
        self.strike("refuse_resume", shard=shard)
        self.sim.fault("drop", shard=shard)

    def fault_gaps(self):
        self.struck["seq_gaps"] = self.struck.get("seq_gaps", 0) + 1
        self.sim.set(seq_gaps=not self.sim.state()["options"]["seq-gaps"])

    def fault_storm(self):
        """A burst of 429: the bot's own, a shared one, or the global limit."""
        scope = self.dice.choice(["user", "shared", "global"])
        self.strike("rate_limit_429", scope=scope, times=12, retry_after=self.dice.choice([0.2, 0.5]))

    def fault_server(self):
        """5xx before or after the deed, an HTML page, a broken body, a reset."""
        kind, more = self.dice.choice([("http_5xx", {"status": 500}), ("http_5xx", {"status": 503}), ("html", {}),
                                       ("http_5xx_after", {"status": 502}), ("reset_request", {}), ("reset_after", {}),
                                       ("bad_json", {}), ("close_mid_body", {})])
        self.strike(kind, times=self.dice.randrange(1, 4), **more)

    def fault_stop(self):
        """A worker is stopped for a second, as a busy machine does it."""
        shard, pid = self.victim()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.2, 1.0))  # how long it stands still is the dice's
        os.kill(pid, signal.SIGCONT)
        self.struck["SIGSTOP"] = self.struck.get("SIGSTOP", 0) + 1

    def fault_restart(self):
        """An operator restarts a shard: what is under way is finished, nothing is unknown."""
        shard, _ = self.victim()
        self.last_death[shard] = time.monotonic()
        self.sim.fault("latency", route="execute_webhook", ms=500, times=3)
        for _ in range(3):
            self.act("message", "hook", self.guild_of(shard))
        self.wait_ticket(shard)
        self.fleet.ctl("restart", str(shard))
        self.struck["shoalctl restart"] = self.struck.get("shoalctl restart", 0) + 1

    def fault_supervisor(self):
        """The supervisor dies and comes back; no link may notice."""
        procs.wait_until(lambda: all(one["state"] == "ready" for one in self.status()["shards"]), 60,
                         "every shard ready", interval_s=0.05)
        self.prove_links()
        before = self.sim.counters()
        self.fleet.kill_supervisor()
        self.supervisor_kills += 1
        listening = len(self.fleet.records("http.listening"))
        self.fleet.start()
        self.fleet.ready(shards=self.shards)
        self.fleet.wait_record("http.listening", listening + 1)
        self.address = self.fleet.http_address()
        after = self.sim.counters()
        self.reconnects += after["connects"] - before["connects"]

    def fault_database(self):
        """All connections to the database are cut, in the middle of whatever they were at."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND"
                 " pid <> pg_backend_pid()")
        self.struck["database cut"] = self.struck.get("database cut", 0) + 1

    def fault_nats(self):
        if self.servers.stack:  # else it is others' as well
            self.servers.stack.nats.kill()
            self.servers.stack.nats.start()
            self.struck["NATS killed"] = self.struck.get("NATS killed", 0) + 1

    def together(self):
        """The supervisor and two workers die in one moment: nobody is there to see it, or to start them again."""
        victims = [self.victim()]
        victims.append(self.victim({victims[0][0]}))
        listening = len(self.fleet.records("http.listening"))
        for shard, pid in victims:
            os.kill(pid, signal.SIGKILL)
            self.killed(shard, "random", {"at_us": now_us()}, measured=False)
        self.fleet.kill_supervisor()
        self.struck["supervisor and two workers"] = self.struck.get("supervisor and two workers", 0) + 1
        self.fleet.start()
        self.fleet.wait_record("http.listening", listening + 1)
        self.address = self.fleet.http_address()
        self.fleet.ready(shards=self.shards)

    def prove_links(self):
        """Until every shard has answered: a link that is dead already, unseen, is not the supervisor's doing."""
        asked = [self.traffic.message(self.sim, self.dice, self.guild_of(shard), plan="react").cause
                 for shard in range(self.shards)]
        procs.wait_until(lambda: all(self.sim.get("/trace", id=cause)["requests"] for cause in asked), 60,
                         "every shard to show that its link is alive", interval_s=0.1)

    # --- the report ------------------------------------------------------------------------------------------------

    def report(self):
        self.sim.set(rest_limits=False)  # the judge asks, too
        lines = self.judge.report()
        return lines + self.plan_lines()

    def plan_lines(self):
        done, planned = self.deaths(), collections.Counter()
        for point, count in self.plan.items():
            planned[point.removeprefix("m:")] += count
        lines = [Line("kills at " + point, done[point], done[point] >= planned[point], words)
                 for point, words in POINTS.items() if planned[point]]
        acts = collections.Counter(kill["module"] for kill in self.kills if "module" in kill)
        lines.append(Line("kills while modules were at work", sum(acts.values()), None,
                          ", ".join("%s %d" % one for one in sorted(acts.items()))))
        return lines + [Line("faults", ", ".join("%s %d" % one for one in sorted(self.struck.items())) or "none", None)] + \
            [Line("note", note, None) for note in self.notes] + \
            [Line("went wrong", failure, False) for failure in self.failures] + \
            [Line("what no run may leave", "", not self.fleet.problems(), "; ".join(self.fleet.problems())[:500])]

    def deaths(self):
        """{point, or random: kills}"""
        return collections.Counter(kill["point"] for kill in self.kills)

    def describe(self, item):
        return describe(item, self.sim)
