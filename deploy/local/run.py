#!/usr/bin/python3
"""`make run`: a fleet on this machine, with everything it needs, until Ctrl-C.

Starts a private PostgreSQL and nats-server (unless DATABASE_URL and NATS_URL are given), applies the migrations, starts
discord-sim under generated member traffic (unless DISCORD_TOKEN is set: then Discord itself), then shoald in front.
All private data lies on tmpfs and is gone at the end, however that comes.

Environment: DISCORD_TOKEN, DATABASE_URL, NATS_URL; SHARDS (4; with a real token what Discord recommends),
GUILDS (200, of the fake Discord), TRAFFIC (60 events a second from its members), RUN_SECONDS (0: until Ctrl-C);
and every SHOAL_<SECTION>_<KEY> that shoald knows.
"""

import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import procs  # noqa: E402
import stack as local_stack  # noqa: E402
from procs import StackError  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM_START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0  # shoald's own deadline for its workers is shorter
HTTP_PORT = 9470


def say(text=""):
    print(text, flush=True)


def number(name, default):
    text = os.environ.get(name, "")
    if text == "":
        return default
    if not text.isdigit():
        raise StackError(f"{name}={text}: a number is wanted")
    return int(text)


def pick_http_listen():
    """The usual port, else one that is free. Nobody keeps it for us: shoald says so should it be taken meanwhile."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", HTTP_PORT))
            return f"127.0.0.1:{HTTP_PORT}", ""
        except OSError:
            port = procs.free_port()
            return f"127.0.0.1:{port}", f"  (port {HTTP_PORT} is taken)"


def read_json_line(process, timeout_s, what, log):
    """The first line that a child prints, as JSON."""
    deadline, text = time.monotonic() + timeout_s, b""
    fd = process.stdout.fileno()
    while b"\n" not in text:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise StackError(f"{what} said nothing within {timeout_s} s\n{procs.file_tail(log)}")
        chunk = os.read(fd, 4096)
        if not chunk:
            raise StackError(f"{what} ended with status {process.wait()}\n{procs.file_tail(log)}")
        text += chunk
    return json.loads(text.split(b"\n", 1)[0])


class Link:
    """build/run points at the runtime directory of the last `make run`, so that shoalctl finds it without a word."""

    def __init__(self, build, runtime_dir):
        self.path, self.target = os.path.join(build, "run"), runtime_dir

    def __enter__(self):
        fresh = f"{self.path}.{os.getpid()}"
        os.symlink(self.target, fresh)
        os.replace(fresh, self.path)

    def __exit__(self, *_):
        try:
            if os.readlink(self.path) == self.target:
                os.unlink(self.path)
        except OSError:
            pass  # gone, or another run's by now


class Signals:
    """Ctrl-C reaches us alone (our children have sessions of their own): shoald is told in order, what it stands on
    goes when it has ended. A second Ctrl-C hurries shoald, a third kills it."""

    def __init__(self):
        self.shoald, self.count = None, 0
        for number_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number_, self._heard)

    def _heard(self, number_, _frame):
        self.count += 1
        if self.shoald is None:
            raise local_stack.Interrupted(signal.Signals(number_).name)
        if self.shoald.poll() is None:
            self.shoald.send_signal(signal.SIGKILL if self.count > 2 else signal.SIGTERM)


def start_sim(build, folder, janitor, token, shards):
    log = os.path.join(folder, "discord-sim.log")
    argv = [os.path.join(build, "discord-sim"), "--token", token, "--shards", str(shards),
            "--max-concurrency", str(min(shards, 16)), "--guilds", str(number("GUILDS", 200)),
            "--traffic", str(number("TRAFFIC", 60))]
    process = procs.spawn(argv, stdout=subprocess.PIPE, log=log, death_signal=signal.SIGKILL)
    janitor.child(process)
    return process, read_json_line(process, SIM_START_TIMEOUT_S, "discord-sim", log)


def must(build, env, *argv):
    done = subprocess.run([os.path.join(build, argv[0]), *argv[1:]], env=env, cwd=ROOT, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise StackError(f"`{' '.join(argv)}` ended with status {done.returncode}:\n{done.stdout}{done.stderr}".rstrip())


def leave_addresses(runtime_dir, database, nats):
    """Where the private database is, for `shoalctl migrate` and its kin in a second terminal; goes with the folder."""
    with open(os.open(os.path.join(runtime_dir, "private.ini"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
              encoding="utf-8") as f:
        f.write(f"[postgres]\nconninfo = {database}\n[nats]\nurl = {nats}\n")


def banner(build, facts):
    here = os.path.relpath(build)
    say()
    say(f"  shoal   {facts['shards']} on {facts['discord']}")
    say(f"  data    PostgreSQL: {facts['postgres']};  NATS: {facts['nats']}")
    say(f"  lies in {facts['runtime_dir']}  (removed at the end)")
    say(f"  look    in a second terminal:  {here}/shoalctl top")
    say(f"  page    http://{facts['http']}/  with /healthz /readyz /metrics{facts['http_note']}")
    if facts["control"]:
        say(f"  act     {facts['control']}  discord-sim's control: members and faults on demand (tests/sim/README.md)")
    say(f"  stop    Ctrl-C{facts['limit']}")
    say()


def run(build):
    signals = Signals()
    real = bool(os.environ.get("DISCORD_TOKEN") or os.environ.get("DISCORD_TOKEN_FILE")
                or os.environ.get("SHOAL_DISCORD_TOKEN_FILE"))
    shards = number("SHARDS", 0 if real else 4)
    seconds = number("RUN_SECONDS", 0)
    env = dict(os.environ)
    # Not shoald's: what they mean is settled here.
    for name in ("SHARDS", "GUILDS", "TRAFFIC", "RUN_SECONDS"):
        env.pop(name, None)
    want_postgres, want_nats = not env.get("DATABASE_URL"), not env.get("NATS_URL")

    with local_stack.Stack(want_postgres, want_nats, prefix="shoal-run") as stack:
        folder = stack.folder
        env.update({k: v for k, v in stack.environment().items() if k in ("DATABASE_URL", "NATS_URL")})
        runtime_dir, state_dir = os.path.join(folder, "run"), os.path.join(folder, "state")
        for path in (runtime_dir, state_dir):
            os.mkdir(path, 0o700)
        if want_postgres:
            leave_addresses(runtime_dir, env["DATABASE_URL"], env["NATS_URL"])
        http, http_note = pick_http_listen()
        env.setdefault("SHOAL_SUPERVISOR_RUNTIME_DIR", runtime_dir)
        env.setdefault("SHOAL_SUPERVISOR_STATE_DIR", state_dir)
        env.setdefault("SHOAL_SUPERVISOR_HTTP_LISTEN", http)
        env.setdefault("SHOAL_LOG_FORMAT", "human")
        if shards:
            env.setdefault("SHOAL_DISCORD_SHARD_COUNT", str(shards))
        sim, urls = None, {}
        if not real:
            env["DISCORD_TOKEN"] = "sim-token"
            sim, urls = start_sim(build, folder, stack.janitor, env["DISCORD_TOKEN"], shards or 4)
            env["SHOAL_DISCORD_API_BASE"] = urls["api"]
        try:
            must(build, env, "shoald", "--check")  # what is wrong with the token is not migrate's to say
            must(build, env, "shoalctl", "migrate", "up")
            banner(build, {
                "shards": f"{shards} shards" if shards else "as many shards as Discord recommends",
                "discord": "Discord" if real else
                f"discord-sim, a fake Discord with made-up members ({urls['api']}); set DISCORD_TOKEN for the real one",
                "postgres": "private" if want_postgres else "DATABASE_URL",
                "nats": "private" if want_nats else "NATS_URL",
                "runtime_dir": env["SHOAL_SUPERVISOR_RUNTIME_DIR"],
                "http": env["SHOAL_SUPERVISOR_HTTP_LISTEN"], "http_note": http_note,
                "control": urls.get("control"),
                "limit": f", or by itself after {seconds} s" if seconds else "",
            })
            with Link(build, env["SHOAL_SUPERVISOR_RUNTIME_DIR"]):
                return front(build, env, stack.janitor, signals, seconds)
        finally:
            procs.stop(sim)


def front(build, env, janitor, signals, seconds):
    """shoald in front, on our terminal; its exit status."""
    shoald = procs.spawn([os.path.join(build, "shoald")], env=env, cwd=ROOT)
    janitor.child(shoald)
    signals.shoald = shoald
    try:
        return shoald.wait(seconds or None)
    except subprocess.TimeoutExpired:
        return procs.stop(shoald, signal.SIGTERM, STOP_TIMEOUT_S)
    finally:
        procs.stop(shoald, signal.SIGTERM, STOP_TIMEOUT_S)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where the programs are")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    # make or the terminal that started us may be killed: then we end in order.
    procs._libc.prctl(procs.PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    try:
        for program in ("shoald", "shoal-shard", "shoalctl", "discord-sim"):
            if not os.access(os.path.join(build, program), os.X_OK):
                raise StackError(f"{build}/{program} is not there: run `make` first")
        status = run(build)
    except local_stack.Interrupted:
        say()
        return 130
    except StackError as e:
        print(f"make run: {e}", file=sys.stderr)
        return 1
    if status != 0:
        word = signal.Signals(-status).name if status < 0 else f"status {status}"
        why = ("somebody killed it; the fleet of `make run` ends with it" if status == -signal.SIGKILL
               else "its last lines above say why (README: exit codes)")
        print(f"make run: shoald ended with {word}: {why}", file=sys.stderr)
        return 1 if status < 0 else status
    say("stopped; the private servers are down and their data is removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
