"""What people do to a running fleet without meaning to: slow clients, a broken file at the worst moment, odd flags."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of


# --- HTTP ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "a letter", "no end"])
def test_slow_clients_do_not_shut_the_probe_out(fleet, said):
    """More of them than there are places, and they come again as soon as they are dropped."""
    address = fleet.http_address()
    slow = []
    try:
        for round_ in range(3):
            for _ in range(80):
                one = socket.create_connection(address, timeout=10)
                one.sendall(said)
                slow.append(one)
            before = time.monotonic()
            for _ in range(5):
                assert fleet.http("/healthz")[0] == 200
                assert fleet.http("/metrics")[0] == 200
            assert time.monotonic() - before < 2.5 * harness.PATIENCE, f"round {round_}"
    finally:
        for one in slow:
            one.close()


# --- shoalctl ------------------------------------------------------------------------------------------------------------


def shoalctl(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SHOAL", "DISCORD", "DATABASE"))}
    return subprocess.run([harness.program("shoalctl"), *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, env={**env, **environment})


def test_a_broken_configuration_is_no_hindrance_to_looking(fleet):
    with open(fleet.ini, "a", encoding="ascii") as f:
        f.write("\n[nonsense\nthis is no line\n")
    done = shoalctl("--config", fleet.ini, "--runtime-dir", fleet.runtime_dir, "status", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["shards"]) == 4
    assert "broken" in done.stderr and "shoal.ini" in done.stderr
    assert shoalctl("--config", fleet.ini, "--runtime-dir", fleet.runtime_dir, "restart", "1").returncode == 0
    # Without the directory, and for a verb that reads the file, it is needed.
    assert shoalctl("--config", fleet.ini, "status").returncode == fleets.CONFIG
    assert shoalctl("--config", fleet.ini, "--runtime-dir", fleet.runtime_dir, "migrate", "status").returncode == fleets.CONFIG


def test_a_shard_named_often_is_restarted_once(sim, fleet):
    before = sim.summary()["resumes"]["ok"]
    done = fleet.ctl("restart", "0", "0", "0")
    assert [one["shard"] for one in done["restarted"]] == [0]
    assert sim.summary()["resumes"]["ok"] == before + 1


def test_all_and_some_is_refused(fleet):
    pids = fleet.pids()
    done = fleet.ctl_run("restart", "--all", "3")
    assert done.returncode == fleets.USAGE and "--all" in done.stderr
    assert fleet.pids() == pids


def test_migrate_without_its_database_says_so_by_its_code():
    """9, as shoald's own code for what is away; 4 would be the token there, and no supervisor here."""
    done = shoalctl("migrate", "status", DATABASE_URL="postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")
    assert done.returncode == fleets.UNAVAILABLE, done
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize("program", ["shoald", "shoalctl"])
@pytest.mark.parametrize("what", ["fifo", "/dev/zero", "/dev/tty", "folder", "socket"])
def test_a_configuration_that_is_no_plain_file(folder, program, what):
    path = os.path.join(folder, "shoal.ini") if not what.startswith("/") else what
    keep = None
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        os.mkdir(path)
    elif what == "socket":
        keep = socket.socket(socket.AF_UNIX)
        keep.bind(path)
    done = subprocess.run([harness.program(program), "--config", path, *(["--check"] if program == "shoald" else ["status"])],
                          capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == fleets.CONFIG and path in done.stderr, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


# --- a fleet that is larger than a line of the control protocol ----------------------------------------------------------


def test_status_of_more_shards_than_a_line_holds(make_sim, make_fleet, folder):
    """Workers that die at once will do: what is asked is the supervisor. 1,100 shards are 3 parts."""
    shards = 1100
    dying = os.path.join(folder, "dying")
    with open(dying, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *--manifest*) exec {harness.program("shoal-shard")} "$@";; esac\nexit 1\n')
    os.chmod(dying, 0o755)
    fleet = make_fleet(make_sim(shards=shards), shards=shards, config={
        "supervisor.worker": dying, "supervisor.restart_floor_ms": 60000, "supervisor.restart_cap_ms": 60000,
        "inbox.ring_kib": 64, "log.level": "info"})

    def all_told():
        status = fleet.status(missing_ok=True)
        return status if status and len(status["shards"]) == shards else None
    status = procs.wait_until(all_told, 60, "a status of all shards", tail=lambda: procs.file_tail(fleet.log))
    assert [one["id"] for one in status["shards"]] == list(range(shards)) and "next" not in status
    assert len(fleet.ctl("shards")["shards"]) == len(fleet.ctl("top", "--once")["shards"]) == shards
    assert len(json.loads(fleet.http("/api/v1/status")[2])["shards"]) == shards
    # As another program asks: no line is longer than the protocol allows, and each part says where the next begins.
    seen, first = [], 0
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(os.path.join(fleet.runtime_dir, "control.sock"))
        lines = s.makefile("rwb")
        while first is not None:
            lines.write(json.dumps({"id": first + 1, "verb": "shards", "first": first}).encode() + b"\n")
            lines.flush()
            line = lines.readline()
            assert len(line) < 1 << 20
            part = json.loads(line)
            seen += [one["id"] for one in part["shards"]]
            first = part.get("next")
    assert seen == list(range(shards))
    assert fleet.stop() == fleets.OK


# --- the environment -----------------------------------------------------------------------------------------------------


def test_proxies_of_the_environment_are_not_obeyed(sim, make_fleet):
    """The token would go by whoever listens there, and the gateway another way."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = "http://127.0.0.1:%d" % proxy.getsockname()[1]
        fleet = make_fleet(sim, environment={name: url for name in (
            "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")})
        fleet.ready(shards=4)
        assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_a_prefix_with_a_backtick_can_be_read(sim, make_fleet):
    fleet = make_fleet(sim, config={"commands.prefix": "`"})
    fleet.ready(shards=4)
    text = text_of(sim.answer(sim.use("help")))
    assert "`` `ping ``" in text, text


# --- the gateway ---------------------------------------------------------------------------------------------------------


def test_a_rate_limited_link_is_back_within_seconds(sim, fleet):
    """4008: sends are counted by connection, so a new one may send at once; again soon, and it waits longer."""
    before = sim.summary()
    sim.fault("close", shard=2, code=4008)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4, timeout_s=15 * harness.PATIENCE)
    sim.fault("close", shard=2, code=4008)
    sim.wait(resumes=before["resumes"]["ok"] + 2)
    fleet.ready(shards=4, timeout_s=20 * harness.PATIENCE)
    waits = [one["wait_ms"] for one in fleet.records("gateway.backoff", shard=2)]
    assert 1500 <= waits[0] <= 4000 and 3000 <= waits[1] <= 8000, waits
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]


# --- crashes -------------------------------------------------------------------------------------------------------------


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        return next(line for line in f if line.startswith("Max core file size")).split()[4:6]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_reported_and_leaves_no_core(sim, fleet, number):
    """A core would hold the token. Whatever the machine's core pattern is, none is asked for; the report comes from within."""
    pids, before = fleet.pids(), sim.summary()
    assert core_limit(fleet.process.pid) == core_limit(pids[2]) == ["0", "0"]
    os.kill(pids[2], number)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    died = fleet.wait_record("worker.died", shard=2)
    assert (died["class"], died["signal"]) == ("crash", int(number)), died
    with open(fleet.log, encoding="utf-8", errors="replace") as f:
        report = f.read()
    assert signal.Signals(number).name in report and "backtrace" in report
    left = [name for root, _, names in os.walk(fleet.folder) for name in names if name.startswith("core")]
    assert not left, left
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]


def test_a_real_fault_of_a_map_is_not_taken_for_a_boards(sim, fleet):
    """SIGBUS sent by somebody carries no address of ours: it is a crash, and no board is put back."""
    pid = fleet.pids()[1]
    os.kill(pid, signal.SIGBUS)
    died = fleet.wait_record("worker.died", shard=1)
    assert died["class"] == "crash" and died["signal"] == int(signal.SIGBUS)
    assert not fleet.records("board.cut") and not fleet.records("board.damaged")
    fleet.ready(shards=4)
