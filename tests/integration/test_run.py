"""`make run` as a new user tries it: the fleet serves, shoalctl finds it without a word, and nothing is left behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

import harness
import procs

START_S = 90 * harness.PATIENCE


class Run:
    """One `make run`, its output in a file."""

    def __init__(self, folder, build, user=None, **environment):
        self.log = os.path.join(folder, "run.log")
        self.build = build
        # What was set for the tests is not what a person has set.
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("SHOAL", "DISCORD")) and k not in ("DATABASE_URL", "NATS_URL")}
        tool = os.path.join(os.path.dirname(build), "deploy", "local", "run.py")
        self.process = procs.spawn([sys.executable, tool, "--build", build], log=self.log, user=user,
                                   env={**env, **environment})

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def until(self, pattern):
        def look():
            found = re.search(pattern, self.text())
            assert found or self.process.poll() is None, f"ended with {self.process.returncode}\n{self.text()}"
            return found
        return procs.wait_until(look, START_S, pattern, tail=self.text)

    def folder(self):
        return os.path.dirname(self.until(r"lies in (\S+)").group(1))

    def ctl(self, *arguments):
        """shoalctl of this build, without a word about where the fleet is."""
        return subprocess.run([os.path.join(self.build, "shoalctl"), *arguments], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"]}, cwd="/", timeout=30, stdin=subprocess.DEVNULL)

    def ready(self):
        def look():
            done = self.ctl("status", "--json")
            shards = json.loads(done.stdout)["shards"] if done.returncode == 0 else []
            return len(shards) == 4 and all(one["state"] == "ready" for one in shards)
        self.folder()
        procs.wait_until(look, START_S, "four shards ready", interval_s=0.1, tail=self.text)

    def gone(self, folder):
        procs.wait_until(lambda: not os.path.exists(folder) and not list(procs.processes_naming(folder)),
                         40 * harness.PATIENCE, f"{folder} and its processes gone",
                         tail=lambda: str(list(procs.processes_naming(folder))))


@pytest.fixture
def build(folder):
    """The programs in a folder of their own, so that this run's link is not another's, and anybody may run them."""
    harness.copy_for_everybody(folder)
    path = os.path.join(folder, "build")
    os.mkdir(path)
    for name in ("shoald", "shoal-shard", "shoalctl", "discord-sim"):
        shutil.copy(harness.program(name), path)
    return path


@pytest.fixture
def start(folder, build):
    made = []

    def run(**options):
        made.append(Run(folder, build, **options))
        return made[-1]

    yield run
    for one in made:
        procs.stop(one.process, signal.SIGTERM, 60)


def test_serves_and_is_found_and_leaves_nothing(start):
    run = start()
    run.ready()
    folder = run.folder()
    assert os.path.realpath(os.path.join(run.build, "run")) == os.path.join(folder, "run")
    top = run.ctl("top", "--once")
    assert top.returncode == 0 and "ready" in top.stdout
    # The members of the fake Discord are at work, and are answered.
    procs.wait_until(lambda: all(one["events"] > 20 for one in json.loads(run.ctl("status", "--json").stdout)["shards"]),
                     60, "traffic on every shard", interval_s=0.2)
    # It finds the private database, too.
    migrated = json.loads(run.ctl("migrate", "status", "--json").stdout)
    assert migrated["applied"] > 0 and migrated["pending"] == 0, migrated
    private = os.path.join(folder, "run", "private.ini")
    assert os.stat(private).st_mode & 0o777 == 0o600
    control = re.search(r"act +(http://\S+)", run.text()).group(1)
    with urllib.request.urlopen(f"{control}/state", timeout=10) as answer:
        assert len(json.load(answer)["sessions"]) == 4
    address = run.until(r"page +http://(\S+?)/").group(1)
    with socket.create_connection((address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])), timeout=10) as s:
        s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 200 " in s.recv(4096)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 0, run.text()
    run.gone(folder)
    assert not os.path.lexists(os.path.join(run.build, "run"))
    assert "sim-token" not in run.text()


def test_ends_by_itself(start):
    run = start(RUN_SECONDS="2")
    folder = run.folder()
    assert run.process.wait(120) == 0, run.text()
    run.gone(folder)


@pytest.mark.parametrize("victim", ["run", "shoald"])
def test_killed_it_leaves_nothing(start, victim):
    run = start()
    run.ready()
    folder = run.folder()
    if victim == "run":
        run.process.kill()
    else:
        os.kill(json.loads(run.ctl("status", "--json").stdout)["pid"], signal.SIGKILL)
        assert run.process.wait(60) != 0
    run.process.wait(60)
    run.gone(folder)


def test_usual_port_taken_another_is_used(start):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 9470))
            taken.listen()
        except OSError:
            pass  # somebody has it: as good
        run = start()
        assert run.until(r"page +http://127\.0\.0\.1:(\d+)/.*port 9470 is taken").group(1) != "9470"
        run.ready()


def test_given_servers_are_used(start, servers):
    url = servers.database(migrated=False)
    run = start(DATABASE_URL=url, NATS_URL=servers.nats, SHOAL_SUPERVISOR_CLUSTER="given")
    run.ready()
    assert not os.path.exists(os.path.join(run.folder(), "pg"))
    assert servers.sql("SELECT count(*) > 0 FROM shoal.migration", url) == "t"


def test_a_real_token_talks_to_no_sim(start, make_sim):
    """DISCORD_TOKEN set: no sim of its own; what stands for Discord here is one that we started."""
    sim = make_sim()
    run = start(DISCORD_TOKEN=sim.token, SHOAL_DISCORD_API_BASE=sim.api, SHARDS="4")
    run.ready()
    assert set(sim.sessions()) == {0, 1, 2, 3}
    assert not [pid for pid in procs.processes_naming(run.build) if "discord-sim" in open(f"/proc/{pid}/comm").read()]


def test_wrong_database_is_said_in_words(start):
    run = start(DATABASE_URL="postgresql://shoal@127.0.0.1:1/shoal")
    assert run.process.wait(60) == 1
    assert "migrate" in run.text() and "127.0.0.1" in run.text()


def test_works_without_root(start, folder, build):
    if os.geteuid() != 0:
        pytest.skip("is not root: every other test here is this one")
    import pwd

    nobody = pwd.getpwnam("nobody")
    os.chown(build, nobody.pw_uid, nobody.pw_gid)
    run = start(user=nobody)
    run.ready()
    folder_of_run = run.folder()
    assert os.stat(folder_of_run).st_uid == nobody.pw_uid
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 0, run.text()
    run.gone(folder_of_run)
