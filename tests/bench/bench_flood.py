"""CPU per event: the worker, bare unpacking, and other libraries, each on the same stream from the same sim."""

import contextlib
import hashlib
import json
import lzma
import os
import queue
import re
import shutil
import subprocess
import threading

import bench_measure as measure
import harness
import make_stream
import procs
from harness.fleet import Fleet
from harness.sim import Sim

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")
COUNTS = json.load(open(os.path.join(HERE, "stream.counts.json"), encoding="utf-8"))
# What all of them ask for, so that the stream is one that they would get: guilds, members, presences, messages,
# reactions, typing, direct messages, content.
INTENTS = 1 << 0 | 1 << 1 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 15
# Ids made within the stream, that is messages and nonces (see make_stream.py).
FIRST_ID = make_stream.START_MS - 1000 - make_stream.DISCORD_EPOCH_MS << 22
FRESH_ID = re.compile(rb"(?<=\")15342\d{14}(?=\")")
STREAM_SPAN_MS = 10 * 60 * 1000
LEVELS = {"none": None, "zlib-stream": 1, "zstd-stream": 1}
# What the worker's own commands and guild list subscribe to: each of these is handed over in full.
SUBSCRIBED = sum(COUNTS["types"][name]["events"] for name in ("MESSAGE_CREATE", "GUILD_CREATE", "GUILD_MEMBER_UPDATE"))
DEADLINE_S = 120


def unpack_stream(folder):
    """The committed stream as a file that the sim can read."""
    path = os.path.join(folder, "stream.jsonl")
    with lzma.open(os.path.join(HERE, "stream.jsonl.xz")) as f:
        text = f.read()
    assert hashlib.sha256(text).hexdigest() == COUNTS["sha256"], "stream.jsonl.xz is not what stream.counts.json tells"
    with open(path, "wb") as f:
        f.write(text)
    return path


def fresh_streams(stream, folder, count, passes):
    """The stream again and again, as `count` files of `passes` each, with every id that was made within it moved on: a
    library that keeps messages takes one whose id it knows for no news."""
    with open(stream, "rb") as f:
        text = f.read()
    paths, number = [], 0
    for name in range(count):
        paths.append(os.path.join(folder, f"fresh-{name}.jsonl"))
        with open(paths[-1], "wb") as f:
            for _ in range(passes):
                shift = number * STREAM_SPAN_MS << 22
                f.write(FRESH_ID.sub(lambda found, shift=shift: _moved(found, shift), text))
                number += 1
    return paths


def _moved(found, shift):
    value = int(found[0])
    return str(value + shift).encode() if value >= FIRST_ID else found[0]


class Flood:
    """Floods the one shard of a sim and says when the far side is through with it."""

    def __init__(self, sim):
        self.sim = sim

    def session(self):
        return self.sim.sessions()[0]

    def run(self, stream, repeat, taken):
        """Sends the stream `repeat` times as fast as the socket takes it, compressed beforehand. taken(): the far
        side's last sequence. Returns (events, bytes before compression, bytes on the wire)."""
        before = self.sim.get("/counters")
        started = self.sim.post("/flood", shard=0, file=stream, repeat=repeat, prepare=True)["floods"][0]
        last = self.session()["flood"]["first_seq"] + started["events"] - 1

        def arrived():
            return taken() >= last
        procs.wait_until(lambda: (self.session()["flood"] or {}).get("finished"), DEADLINE_S, "the flood sent",
                         interval_s=0.05, tail=lambda: procs.file_tail(self.sim.log))
        procs.wait_until(arrived, DEADLINE_S, f"sequence {last} taken", interval_s=0.05)
        after = self.sim.get("/counters")
        return started["events"], after["plain_bytes"] - before["plain_bytes"], \
            after["wire_bytes"] - before["wire_bytes"]


def new_sim(folder, janitor, **options):
    # Two seconds of heartbeats less: nothing but the stream is to go by. Identifies need not wait here.
    return Sim(folder, janitor, **{"shards": 1, "guilds": 0, "identify_window_ms": 1, "heartbeat_interval_ms": 60000,
                                   "zlib_level": LEVELS["zlib-stream"], "zstd_level": LEVELS["zstd-stream"],
                                   "rest_limits": False, **options}).start()


# --- the worker ----------------------------------------------------------------------------------------------------

def worker_config(compress, **more):
    return {"discord.compress": compress, "discord.intents": INTENTS, "log.level": "info",
            "rest.global_per_s": 100000, **more}


def worker_sequence(fleet):
    return fleet.status()["shards"][0]["sequence"]


def worker_counter(fleet, name):
    """A counter of shard 0 as Prometheus gets it."""
    return int(re.search(rf'^shoal_{name}{{shard="0"}} (\d+)$', fleet.http("/metrics")[2], re.MULTILINE)[1])


def flood_worker(bench, compress, tls=None):
    """CPU per event of the real worker under the real supervisor. Rounds of one flood each; the first warms up."""
    folder = bench.folder(f"w-{compress}")
    sim_options = {"tls_cert": tls.cert, "tls_key": tls.key, "advertise_host": "localhost"} if tls else {}
    sim = new_sim(folder, bench.janitor, **sim_options)
    fleet = Fleet(folder, bench.janitor, sim, shards=1,
                  config=worker_config(compress, **({"discord.ca_file": tls.ca} if tls else {})))
    rounds, taken = [], {}
    try:
        fleet.start().ready(shards=1)
        pid = fleet.pids()[0]
        flood = Flood(sim)
        before = fleet.status()["shards"][0]
        for number in range(bench.rounds + 1):
            handled = worker_counter(fleet, "events_handled")
            cpu, parts = measure.cpu_seconds(pid), measure.cpu_parts(pid)
            events, plain, wire = flood.run(bench.stream, bench.repeat, lambda: worker_sequence(fleet))
            used = measure.cpu_seconds(pid) - cpu
            user, system = (now - then for now, then in zip(measure.cpu_parts(pid), parts))
            handled = worker_counter(fleet, "events_handled") - handled
            assert handled == bench.repeat * SUBSCRIBED, f"{handled} events were handed to subscribers"
            if number == 0:
                continue
            rounds.append({"us": used / events * 1e6, "system_share": system / (user + system or 1)})
            taken = {"events": events, "plain": plain / events, "wire": wire / events}
        after = fleet.status()["shards"][0]
        assert after["pid"] == pid and after["restarts"] == before["restarts"], "the worker was restarted meanwhile"
        assert after["resumes"] == before["resumes"], "the session was interrupted meanwhile"
        memory = measure.memory_kib(pid)
    finally:
        fleet.finish()
        sim.stop()
    return {**measure.spread([one["us"] for one in rounds]),
            "system_share": round(sum(one["system_share"] for one in rounds) / len(rounds), 3),
            "cpu_s": round(sum(one["us"] for one in rounds) * taken["events"] / 1e6, 2), **taken,
            "pss_kib_after": memory["Pss"]}


# --- bare unpacking ------------------------------------------------------------------------------------------------

def bare(bench, method, level):
    done = subprocess.run([os.path.join(harness.BUILD, "tests", "bench", "bench_inflate"), method, str(level),
                           str(bench.repeat), bench.stream], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False)
    assert done.returncode == 0, f"bench_inflate: {done.stderr}"
    return json.loads(done.stdout)


# --- other libraries -----------------------------------------------------------------------------------------------

def install_peers():
    """None, or why the other libraries can't be had here."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node or npm is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version[1:].split(".")[0]) < 18:
        return f"node {version} is older than 18, which discord.js needs"
    with open(os.path.join(PEERS, "package-lock.json"), "rb") as f:
        wanted = hashlib.sha256(f.read()).hexdigest()
    mark = os.path.join(PEERS, "node_modules", ".installed-from")
    with contextlib.suppress(FileNotFoundError), open(mark, encoding="ascii") as f:
        if f.read() == wanted:
            return None
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=PEERS, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        return f"npm ci failed (no registry here?): {done.stderr.strip()[-300:]}"
    with open(mark, "w", encoding="ascii") as f:
        f.write(wanted)
    return None


class PeerError(Exception):
    """The peer could not be run; why."""


class Peer:
    """A Node process with another library's bot."""

    def __init__(self, bench, sim, library, caches, compress):
        settings = {"library": library, "caches": caches, "compress": compress, "api": sim.api, "token": sim.token,
                    "intents": INTENTS}
        self.process = procs.spawn(["node", os.path.join(PEERS, "peer.js"), json.dumps(settings)], cwd=PEERS,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   log=os.path.join(sim.folder, "peer.log"))
        bench.janitor.child(self.process)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait(self, what):
        try:
            line = self.lines.get(timeout=DEADLINE_S)
        except queue.Empty:
            raise PeerError(f"said nothing for {DEADLINE_S} s") from None
        said = json.loads(line) if line else {"what": "failed", "message": "it ended without a word"}
        if said["what"] != what:
            raise PeerError(said.get("message", str(said)))
        return said

    def usage(self):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except OSError as e:
            raise PeerError(f"it is gone: {e.strerror}") from e
        return self.wait("usage")


def flood_peer(bench, library, caches, compress):
    """CPU per event of another library's bot. Raises PeerError when it can't be run."""
    folder = bench.folder("p")
    sim = new_sim(folder, bench.janitor)
    peer = Peer(bench, sim, library, caches, compress)
    rounds, taken = [], {}
    try:
        hello = peer.wait("ready")
        flood = Flood(sim)
        for number in range(len(bench.fresh)):
            begin = peer.usage()
            events, plain, wire = flood.run(bench.fresh[number], 1, lambda: peer.usage()["sequence"])
            end = peer.usage()
            used = end["user_us"] + end["system_us"] - begin["user_us"] - begin["system_us"]
            messages = COUNTS["types"]["MESSAGE_CREATE"]["events"] * (events // COUNTS["events"])
            if end["messages"] - begin["messages"] != messages:
                raise PeerError(f"its subscriber saw {end['messages'] - begin['messages']} messages of {messages}")
            if number == 0:
                continue
            rounds.append(used / events)
            taken = {"events": events, "plain": plain / events, "wire": wire / events}
    finally:
        procs.stop(peer.process)
        sim.stop()
    return {**measure.spread(rounds), **taken, "version": hello["version"], "node": hello["node"],
            "rss_kib_after": end["rss_bytes"] // 1024}
