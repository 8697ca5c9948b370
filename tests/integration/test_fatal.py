"""What cannot run so: each ends (or waits) with one clear line that names the cause and the key or file, with the exit
code of its class, and without a restart loop."""

import errno
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import procs
from harness import fleet as fleets
from harness.sim import text_of


def ends_with(fleet, code, *words):
    """The fleet ends by itself with this code, and one line of the log says why."""
    assert fleet.ended() == code, fleet.messages() or procs.file_tail(fleet.log)
    told = [line for line in read(fleet.log).splitlines() if all(re.search(word, line) for word in words)]
    assert told, f"no one line has {words}:\n{procs.file_tail(fleet.log)}"
    assert not list(procs.processes_naming(fleet.runtime_dir)), "workers run on"


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def test_wrong_token(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    fleet.secrets["DISCORD_TOKEN"] = "not-the-token-at-all"
    fleet.start()
    ends_with(fleet, fleets.TOKEN, r"discord\.token", "401|refused")
    assert sim.summary()["identifies"]["total"] == 0
    assert len(sim.requests(contains="/gateway/bot")) == 1, "a refused token was tried again"


def test_no_token(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    fleet.secrets["DISCORD_TOKEN"] = None
    fleet.start()
    ends_with(fleet, fleets.CONFIG, r"discord\.token")


FATAL_CLOSES = {4004: fleets.TOKEN, 4010: fleets.SHARDING, 4011: fleets.SHARDING, 4012: fleets.API_VERSION,
                4013: fleets.INTENTS, 4014: fleets.INTENTS}


@pytest.mark.parametrize("code", FATAL_CLOSES)
def test_fatal_close_code_ends_the_fleet(sim, fleet, code):
    before = sim.summary()["identifies"]["total"]
    sim.fault("close", shard=2, code=code)
    ends_with(fleet, FATAL_CLOSES[code], str(code))
    assert sim.summary()["identifies"]["total"] == before


def test_disallowed_intents(make_sim, make_fleet):
    sim = make_sim(granted_intents="unprivileged")
    fleet = make_fleet(sim, config={"discord.intents": (1 << 0) | (1 << 9) | (1 << 15)})
    ends_with(fleet, fleets.INTENTS, "4014|MESSAGE_CONTENT", r"discord\.intents")
    assert sim.summary()["identifies"]["total"] <= 4


def test_wrong_shard_count(make_sim, make_fleet):
    sim = make_sim(shard_multiple=4, shards=4)
    fleet = make_fleet(sim, shards=3)
    ends_with(fleet, fleets.SHARDING, r"discord\.shard_count")
    assert sim.summary()["identifies"]["total"] <= 3


def test_too_many_guilds_on_a_shard(make_sim, make_fleet):
    sim = make_sim(guilds=2600, shards=2, guild_bytes=0, channels=1, roles=2)
    fleet = make_fleet(sim, shards=1)
    ends_with(fleet, fleets.SHARDING, r"discord\.shard_count")


@pytest.mark.parametrize("extra, words", [
    ("[discord]\nshard_count = many\n", ["shoal.ini:{line}", r"discord\.shard_count", "many"]),
    ("[discord]\nshard_cuont = 4\n", ["shoal.ini:{line}", r"discord\.shard_cuont", "shard_count"]),
    ("[gateway]\nzombie_grace_ms = 99999999\n", ["shoal.ini:{line}", r"gateway\.zombie_grace_ms", "99999999"]),
    ("[discord]\nshard_count = 0\n", ["shoal.ini:{line}", r"discord\.shard_count", "1 to"]),
    ("[discord]\nca_file = /no/such.pem\n", ["shoal.ini:{line}", r"discord\.ca_file", "No such file"]),
    ("[discord]\nca_file = /dev/null\n", ["shoal.ini:{line}", r"discord\.ca_file", "no certificate"]),
    ("[discord]\nintents = GUILDS,NOPE\n", ["shoal.ini:{line}", r"discord\.intents", "NOPE"]),
    ("[supervisor]\nworker = /no/such\n", ["shoal.ini:{line}", r"supervisor\.worker", "No such file"]),
    ("[discord]\ngateway_url = ws://\n", ["shoal.ini:{line}", r"discord\.gateway_url", "host"]),
    ("[nats]\nurl = http://127.0.0.1\n", ["shoal.ini:{line}", r"nats\.url", "nats://"]),
    ("[postgres]\nconninfo = host=x nope=1\n", ["shoal.ini:{line}", r"postgres\.conninfo", "connection string"]),
    ("[gateway\nhello_timeout_ms = 1\n", ["shoal.ini:{before}"]),
    ("[nonsense]\nx = 1\n", ["shoal.ini:{line}", "nonsense"]),
    ("this is no line of a configuration\n", ["shoal.ini:{before}"]),
], ids=["not a number", "unknown key", "out of range", "no shards", "no such certificates", "no certificates",
        "unknown intent", "no worker", "no host", "scheme of NATS", "no conninfo", "broken section", "unknown section", "no key"])
def test_malformed_configuration(sim, make_fleet, extra, words):
    fleet = make_fleet(sim, start=False)
    fleet.ini_extra = extra
    fleet.write_ini()
    line = len(read(fleet.ini).splitlines())
    words = [word.format(line=line, before=line - extra.count("\n") + 1) for word in words]
    checked = subprocess.run([fleets.harness.program("shoald"), "--config", fleet.ini, "--check"], env=fleet.env(),
                             cwd=fleet.folder, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert checked.returncode == fleets.CONFIG
    assert all(re.search(word, checked.stdout + checked.stderr) for word in words), checked.stderr
    fleet.start()
    ends_with(fleet, fleets.CONFIG, *words)
    assert not sim.requests()


def test_a_wrong_value_of_the_environment_is_named(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    fleet.write_ini()
    checked = subprocess.run([fleets.harness.program("shoald"), "--config", fleet.ini, "--check"],
                             env={**fleet.env(), "SHOAL_SUPERVISOR_CLUSTER": "a.b"}, cwd=fleet.folder,
                             capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert checked.returncode == fleets.CONFIG
    assert re.search(r"environment SHOAL_SUPERVISOR_CLUSTER: supervisor\.cluster: .*letters", checked.stderr), checked


def test_check_takes_a_good_configuration(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    fleet.write_ini()
    checked = subprocess.run([fleets.harness.program("shoald"), "--config", fleet.ini, "--check"], env=fleet.env(),
                             cwd=fleet.folder, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert checked.returncode == 0, checked.stderr
    assert fleet.token not in checked.stdout + checked.stderr


def test_unreachable_api_is_waited_for(make_sim, make_fleet):
    sim = make_sim()
    sim.kill()
    fleet = make_fleet(sim)
    told = fleet.wait_record("gateway_bot.unreachable") if fleet.records("gateway_bot.unreachable") else \
        procs.wait_until(lambda: [one for one in fleet.records() if "discord.api_base" in str(one)],
                         20, "a line that names discord.api_base", tail=lambda: procs.file_tail(fleet.log))
    assert told and fleet.process.poll() is None
    status = fleet.status(missing_ok=True)
    assert status is not None, "shoalctl has no answer while the API is away"
    sim.start()
    fleet.ready(shards=4, timeout_s=60)
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()


def test_api_that_answers_nonsense_is_waited_for(sim, make_fleet):
    sim.fault("html", times=3)
    fleet = make_fleet(sim)
    fleet.ready(shards=4, timeout_s=60)
    assert [one for one in fleet.records() if one.get("level") in ("warn", "error")]


@pytest.fixture
def small(folder, janitor):
    """Mounts a tmpfs of so many bytes."""
    if os.geteuid() != 0:
        pytest.skip("is not root: no small tmpfs can be mounted, so a full runtime directory was NOT tried")
    path = os.path.join(folder, "small")
    os.mkdir(path)

    def mount(size_bytes):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", path],
                                 capture_output=True, text=True, timeout=30)
        if mounted.returncode != 0:
            pytest.skip(f"no tmpfs can be mounted here ({mounted.stderr.strip()}): a full disk was NOT tried")
        return path

    janitor.mount(path)
    yield mount
    if os.path.ismount(path):
        subprocess.run(["umount", "-l", path], check=True, timeout=30)


@pytest.mark.parametrize("size_bytes", [4096, 256 << 10], ids=["nothing fits", "the boards fit"])
def test_full_disk_at_the_start(sim, make_fleet, small, size_bytes):
    path = small(size_bytes)
    fleet = make_fleet(sim, start=False, config={"supervisor.runtime_dir": path})
    fleet.runtime_dir = path
    fleet.start()
    ends_with(fleet, fleets.RESOURCE, re.escape(path), "(?i)space|full|ENOSPC")
    assert sim.summary()["identifies"]["total"] == 0


def fill(path):
    """Leaves not a byte."""
    with open(os.path.join(path, "filler"), "ab") as f:
        for size in (1 << 16, 4096):
            try:
                while True:
                    os.write(f.fileno(), b"x" * size)
            except OSError as e:
                assert e.errno == errno.ENOSPC


def test_disk_that_fills_up_later_costs_no_session(sim, make_fleet, small):
    """A worker whose cache has to be made anew on a full disk says so in one clear line, serves without it and tries
    again; one whose cache is there resumes. The others never notice."""
    path = small(8 << 20)
    fleet = make_fleet(sim, start=False, config={
        "supervisor.runtime_dir": path, "supervisor.restart_floor_ms": 1000, "supervisor.restart_cap_ms": 1000,
        "supervisor.restart_burst": 100})
    fleet.runtime_dir = path
    fleet.start().ready(shards=4)
    pids, before, guilds = fleet.pids(), sim.summary(), guilds_of(fleet)
    for shard in (1, 2):
        os.kill(pids[shard], signal.SIGKILL)
        fleets.wait_gone(pids[shard])
    # Within the second before they are started again.
    cache = next(name for name in os.listdir(path) if re.fullmatch(r"cache-\d+-2", name))
    shutil.rmtree(os.path.join(path, cache))
    fill(path)
    sim.wait(resumes=before["resumes"]["ok"] + 2)
    away = fleet.wait_record("cache.away", shard=2)
    assert away["level"] == "error" and away["error"] == "ENOSPC" and away["msg"]
    fleet.ready(shards=4)
    assert len(fleet.records("worker.died")) == 2 and fleet.process.poll() is None
    for guild in range(16):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"], "an identify was spent"
    os.unlink(os.path.join(path, "filler"))
    fleet.wait_record("cache.back", shard=2)
    wait_guilds_known(fleet, guilds)
    assert not [one for one in fleet.records() if one.get("shard") == 1 and one["event"] in ("cache.away", "cache.dropped")]
    fleet.ready(shards=4)
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()


def guilds_of(fleet):
    return {one["id"]: (one["guilds"], one["guilds_missing"]) for one in fleet.status()["shards"]}


def wait_guilds_known(fleet, wanted):
    procs.wait_until(lambda: guilds_of(fleet) == wanted, 60, f"guilds known again: {wanted}",
                     tail=lambda: f"{guilds_of(fleet)}\n{procs.file_tail(fleet.log)}")


def test_a_cache_that_finds_no_room_is_filled_again_when_there_is(make_sim, make_fleet, small):
    """Nobody dies and nobody is restarted: guilds are unknown while the disk is full, and known again after that."""
    sim = make_sim(shards=1, guilds=16)
    path = small(6 << 20)
    fleet = make_fleet(sim, start=False, config={"supervisor.runtime_dir": path, "cache.refill_per_s": 200})
    fleet.runtime_dir = path
    fleet.start().ready(shards=1)
    pids, guilds = fleet.pids(), guilds_of(fleet)
    assert guilds == {0: (16, 0)}
    fill(path)
    ids = [sim.get("/guild", index=guild)["id"] for guild in range(16)]
    role = 1 << 60

    def grow():
        nonlocal role
        for guild, guild_id in enumerate(ids):
            role += 1
            sim.post("/event", t="GUILD_ROLE_CREATE", guild_index=guild, d={
                "guild_id": guild_id, "role": {"id": str(role), "name": "n" * 90, "permissions": "8", "position": 1}})
        return fleet.records("cache.commit_failed")
    procs.wait_until(grow, 60, "a cache that can't be written", tail=lambda: procs.file_tail(fleet.log))
    fill(path)  # also what the lost cache gave back
    assert sim.answer(sim.use("ping"))
    os.unlink(os.path.join(path, "filler"))
    fleet.wait_record("cache.filled", timeout_s=90)
    wait_guilds_known(fleet, guilds)
    assert fleet.pids() == pids
    assert sim.summary()["identifies"]["total"] == 1


@pytest.mark.parametrize("key", ["supervisor.runtime_dir", "supervisor.state_dir"])
def test_a_directory_that_cannot_be_made(sim, make_fleet, folder, key):
    blocked = os.path.join(folder, "file")
    with open(blocked, "w", encoding="ascii"):
        pass
    fleet = make_fleet(sim, config={key: os.path.join(blocked, "below")})
    assert fleet.ended() in (fleets.CONFIG, fleets.RESOURCE)
    assert re.search(re.escape(blocked), read(fleet.log)), procs.file_tail(fleet.log)


def test_port_in_use(sim, make_fleet):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        fleet = make_fleet(sim, config={"supervisor.http_listen": address})
        ends_with(fleet, fleets.PORT, re.escape(address), r"supervisor\.http_listen")
    assert sim.summary()["identifies"]["total"] == 0


def test_second_supervisor_refuses(sim, fleet, make_fleet):
    second = make_fleet(sim, config={"supervisor.runtime_dir": fleet.runtime_dir})
    assert second.ended() == fleets.LOCKED
    assert re.search(rf"\b{fleet.process.pid}\b", read(second.log)), procs.file_tail(second.log)
    assert fleet.process.poll() is None
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()


def test_second_worker_of_a_shard_refuses(sim, fleet):
    done = subprocess.run([fleets.harness.program("shoal-shard"), "--shard", "1", "--generation",
                           str(fleet.status()["generation"]), "--runtime-dir", fleet.runtime_dir],
                          capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == fleets.LOCKED, done.stderr
    assert fleet.shard(1)["state"] == "ready"


@pytest.mark.parametrize("name", ["shoald", "shoal-shard", "shoalctl"])
def test_wrong_flags_are_named(name):
    done = subprocess.run([fleets.harness.program(name), "--no-such-flag"], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    assert done.returncode == fleets.USAGE
    assert "no-such-flag" in done.stderr


def test_a_secret_as_a_flag_is_refused(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    fleet.start("--discord.token=hunter2hunter2")
    assert fleet.ended() in (fleets.CONFIG, fleets.USAGE)
    assert "discord.token" in read(fleet.log) and "hunter2" not in read(fleet.log)


def test_a_worker_that_dies_again_and_again_does_not_loop(sim, make_fleet, folder):
    """The worker's program is one that dies at once: bounded intensity, marked failing, the supervisor lives."""
    dying = os.path.join(folder, "dying")
    with open(dying, "w", encoding="ascii") as f:
        # The manifest is asked of the real one.
        f.write(f'#!/bin/sh\ncase "$*" in *--manifest*) exec {fleets.harness.program("shoal-shard")} "$@";; esac\nexit 1\n')
    os.chmod(dying, 0o755)
    fleet = make_fleet(sim, config={"supervisor.worker": dying, "supervisor.restart_burst": 3,
                                    "supervisor.restart_window_s": 60, "supervisor.restart_floor_ms": 20,
                                    "supervisor.restart_cap_ms": 60000})
    status = procs.wait_until(
        lambda: (lambda s: s if s and len(s["shards"]) == 4 and all(one["state"] == "failed" for one in s["shards"])
                 else None)(fleet.status(missing_ok=True)),
        30, "all shards failed", tail=lambda: procs.file_tail(fleet.log))
    assert all(one["restarts"] <= 5 for one in status["shards"])
    assert sim.summary()["identifies"]["total"] == 0
    assert fleet.stop() == fleets.OK
