"""discord-sim is honest: discord.js, unchanged from npm, takes it for Discord, and is refused where Discord refuses.

Judged by what discord.js reports (effects, sequences, RESUMED) and by what the sim's ledger saw.
"""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading

import pytest

import harness
from conftest import need
from harness.own_sim import own_sim  # noqa: F401  (a fixture)

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
DEADLINE_S = 40 * harness.PATIENCE
INTENTS = ["Guilds", "GuildMembers", "GuildMessages", "MessageContent", "DirectMessages"]


@pytest.fixture(scope="session")
def discordjs():
    """node_modules as package-lock.json says; installed once."""
    need(shutil.which("node") and shutil.which("npm"), "discord.js test: node or npm is not installed")
    major = int(subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0])
    need(major >= 18, f"discord.js test: node {major} is older than 18")
    with open(os.path.join(PEERS, "package-lock.json"), "rb") as f:
        wanted = hashlib.sha256(f.read()).hexdigest()
    mark = os.path.join(PEERS, "node_modules", ".installed-from")
    if not os.path.exists(mark) or open(mark, encoding="ascii").read() != wanted:
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=PEERS,
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:  # no registry within reach is no fault of ours, but must not pass unseen
            pytest.skip(f"discord.js could not be installed (npm ci failed): {done.stderr[-800:]}")
        with open(mark, "w", encoding="ascii") as f:
            f.write(wanted)
    return os.path.join(PEERS, "discordjs.js")


class Bot:
    """The Node process and what it has said."""

    def __init__(self, program, sim, token=None, shards=4, intents=INTENTS, **more):
        settings = {"api": sim.api, "token": sim.token if token is None else token, "shards": shards,
                    "intents": intents, **more}
        self.process = subprocess.Popen(["node", program, json.dumps(settings)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait(self, what, count=1, **fields):
        """The first `count` things it said of that kind with those fields, from the beginning."""
        def found():
            return [one for one in self.seen if one["what"] == what and all(one.get(k) == v for k, v in fields.items())]

        while len(found()) < count:
            try:
                line = self.lines.get(timeout=DEADLINE_S)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"discord.js never said {what} {fields}; it said {self.seen[-12:]}")
            self.seen.append(json.loads(line) if line.startswith("{") else {"what": "noise", "text": line})
        return found()[:count] if count > 1 else found()[0]

    def tell(self, verb, args=None):
        self.process.stdin.write(json.dumps({"verb": verb, "args": args or {}}) + "\n")
        self.process.stdin.flush()

    def dispatches(self, shard):
        return [one for one in self.seen if one["what"] == "dispatch" and one["shard"] == shard]

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def bot(discordjs):
    made = []

    def make(sim, **more):
        made.append(Bot(discordjs, sim, **more))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_it_works_as_at_discord(own_sim, bot):
    """Four shards log in, get guilds and messages, answer messages and interactions once."""
    sim = own_sim(shards=4, max_concurrency=4, guild_bytes=8192, channels=20, roles=10)
    js = bot(sim)
    ready = js.wait("ready")
    assert ready["guilds"] == 16 and ready["user"] == sim.urls["application_id"]
    assert ready["channels"] == 16 * 20
    sim.wait(condition="ready", sessions=4)
    for shard, session in sim.sessions().items():
        assert session["shard"] == [shard, 4] and session["guilds_sent"] == 4 and session["connected_via"] == "gateway"
        assert session["identifies"] == 1

    ids = [sim.say("!ping", guild=guild) for guild in range(8)]
    for guild, one in enumerate(ids):
        seen = js.wait("message", id=one)
        assert seen["content"] == "!ping" and seen["guild"] == sim.get("/guild", index=guild)["id"]
        js.wait("replied", to=one)
    sim.wait(messages_answered=8)

    uses = [sim.use("echo", options=[{"name": "text", "type": 3, "value": f"n{guild} שלום"}], guild=guild)
            for guild in range(8)]
    for guild, one in enumerate(uses):
        seen = js.wait("interaction", id=one)
        assert seen["text"] == f"n{guild} שלום" and seen["guild"] == f"Guild {guild:08}"
        assert js.wait("answered", id=one)["message"]
    slow = sim.use("slow", guild=3)
    sim.wait(interactions_answered=9)
    entry = [one for one in sim.get("/ledger", kind="interaction")["entries"] if one["id"] == slow][0]
    assert entry["answers"] == 1 and entry["answered"][0]["what"] == "callback_deferred"

    summary = sim.get("/ledger/summary")
    for kind, count in (("messages", 8), ("interactions", 9)):
        assert summary[kind]["answered_once"] == count and summary[kind]["doubled"] == 0, summary[kind]
        assert summary[kind]["unanswered"] == 0
    assert summary["identifies"]["accepted"] == 4 and summary["identifies"]["refused"] == 0

    js.tell("commands", [{"name": "ping", "description": "says pong"}, {"name": "help", "description": "helps"}])
    names = js.wait("commands")
    assert sorted(names["names"]) == ["help", "ping"] and len(set(names["ids"])) == 2
    js.tell("members", {"guild": sim.get("/guild", index=1)["id"]})
    assert js.wait("members")["count"] == 51

    # Sequences of each shard rise by one, nothing is missing.
    for shard in range(4):
        numbers = [one["s"] for one in js.dispatches(shard)]
        assert numbers == list(range(1, len(numbers) + 1)), numbers


@pytest.mark.parametrize("cut", ["drop", "close", "op7"])
def test_it_resumes(own_sim, bot, cut):
    """What was missed comes again in order, then RESUMED; no identify is spent."""
    sim = own_sim(shards=4, max_concurrency=4)
    js = bot(sim)
    js.wait("ready")
    js.wait("shard_ready", count=4)
    before = len(js.dispatches(1))
    sim.fault("refuse_connect", times=1)  # so that there is time in which something is missed
    sim.fault(cut, shard=1, **({"code": 4000} if cut == "close" else {}))
    if cut != "op7":
        sim.wait(disconnected=1)
    missed = [sim.say("while you were away", guild=guild) for guild in (1, 5, 9)]
    resumed = js.wait("dispatch", t="RESUMED", shard=1)
    for one in missed:
        js.wait("message", id=one)
    numbers = [one["s"] for one in js.dispatches(1)]
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    names = [one["t"] for one in js.dispatches(1)[before:]]
    assert "READY" not in names and "GUILD_CREATE" not in names
    if cut != "op7":
        assert [one.get("id") for one in js.dispatches(1) if one["s"] < resumed["s"]][-3:] == missed
    session = sim.sessions()[1]
    assert session["resumes"] == 1 and session["identifies"] == 1 and session["connected_via"] == "resume"
    assert sim.get("/ledger/summary")["identifies"]["total"] == 4
    after = sim.say("!ping", guild=1)
    js.wait("replied", to=after)
    sim.wait(messages_answered=1)


def test_a_refused_resume_becomes_an_identify(own_sim, bot):
    sim = own_sim(shards=2, max_concurrency=2, identify_window_ms=100)
    js = bot(sim, shards=2)
    js.wait("ready")
    sim.fault("op9", shard=0)
    js.wait("dispatch", count=2, t="READY", shard=0)
    assert sim.sessions()[0]["identifies"] == 2


def test_wrong_token(own_sim, bot):
    sim = own_sim(shards=1)
    js = bot(sim, token="another-token", shards=1)
    failed = js.wait("login_failed")
    assert "token" in failed["message"].lower(), failed
    assert sim.get("/ledger/summary")["rest"]["by_status"]["401"] >= 1
    assert sim.state()["sessions"] == []


def test_intents_that_were_not_granted(own_sim, bot):
    sim = own_sim(shards=1, granted_intents="unprivileged")
    js = bot(sim, shards=1)
    js.wait("login_failed", message="Used disallowed intents")
    assert sim.get("/ledger/summary")["closes_sent"] == {"4014": 1}
    assert sim.state()["sessions"] == []


def test_identifying_too_fast(own_sim, bot):
    """Without its throttle discord.js is told op 9, and the sim counts it."""
    sim = own_sim(shards=3, max_concurrency=1, identify_window_ms=2000)
    js = bot(sim, shards=3, throttle=False)
    sim.wait(identifies=3)
    refused = sim.get("/ledger/summary")["identifies"]
    assert refused["refused_bucket"] >= 2, refused
    assert [one["accepted"] for one in refused["by_bucket"]["0"]][:3] == [True, False, False]
    js.wait("ready")  # it tries until it is let in
    assert len(sim.sessions()) == 3
