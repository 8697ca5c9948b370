"""The supervisor is away, or there are two, or what it finds is not what it seems: workers serve on, are adopted, and
nobody's process is killed by mistake."""

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import zlib

import procs
from harness import fleet as fleets
from harness.sim import text_of


def answers(sim, guilds=range(8)):
    for cause in [sim.say("!ping", guild=guild) for guild in guilds]:
        assert "pong" in text_of(sim.answer(cause)).lower()
        assert len(sim.answers_to(cause)) == 1


def spent(sim):
    return sim.summary()["identifies"]["total"], sim.counters()["connects"]


def test_second_supervisor_refuses_and_names_the_first(sim, fleet):
    before, pids = spent(sim), fleet.pids()
    second = subprocess.run([fleets.harness.program("shoald"), "--config", fleet.ini], env=fleet.env(), check=False,
                            capture_output=True, text=True, timeout=60, cwd=fleet.folder)
    assert second.returncode == fleets.LOCKED
    assert str(fleet.process.pid) in second.stderr and fleet.runtime_dir in second.stderr, second.stderr
    assert fleet.pids() == pids and spent(sim) == before
    answers(sim)


def test_stale_control_socket_is_replaced(sim, make_fleet):
    """A socket file that nobody listens on, as a killed supervisor leaves it."""
    fleet = make_fleet(sim, start=False)
    os.mkdir(fleet.runtime_dir, 0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.path.join(fleet.runtime_dir, "control.sock"))
    fleet.start().ready(shards=4)


def test_worker_that_died_while_nobody_watched(sim, fleet):
    """Killed in the supervisor's absence: the next one starts it again, adopts the others, spends nothing."""
    before, pids = spent(sim), fleet.pids()
    resumes = sim.summary()["resumes"]["ok"]
    fleet.kill_supervisor()
    os.kill(pids[2], signal.SIGKILL)
    fleets.wait_gone(pids[2])
    fleet.start()
    sim.wait(resumes=resumes + 1)
    fleet.ready(shards=4)
    after = fleet.pids()
    assert after[2] != pids[2] and all(after[k] == pids[k] for k in (0, 1, 3))
    assert spent(sim)[0] == before[0]
    answers(sim)


def test_worker_that_dies_before_discord_has_answered_a_new_supervisor(sim, fleet):
    """Its successor is told to go where its session is resumed: nobody knows the gateway's address yet."""
    before, pids = spent(sim), fleet.pids()
    resumes = sim.summary()["resumes"]["ok"]
    fleet.kill_supervisor()
    sim.fault("hang", route="get_bot_gateway", times=-1)
    adopted = len(fleet.records("worker.adopted", program="shoald"))
    fleet.start()
    fleet.wait_record("worker.adopted", adopted + 4, program="shoald")
    os.kill(pids[1], signal.SIGKILL)
    sim.wait(resumes=resumes + 1)
    answers(sim)
    sim.clear_faults()
    fleet.ready(shards=4)
    assert fleet.process.poll() is None and not fleet.records("fleet.fatal")
    assert spent(sim)[0] == before[0]


def test_restart_before_discord_has_answered_a_new_supervisor(sim, fleet):
    """An operator need not wait for Discord: the session is resumed, whatever the supervisor knows by then."""
    before, pids = spent(sim), fleet.pids()
    fleet.kill_supervisor()
    sim.fault("hang", route="get_bot_gateway", times=-1)
    adopted = len(fleet.records("worker.adopted", program="shoald"))
    fleet.start()
    fleet.wait_record("worker.adopted", adopted + 4, program="shoald")
    done = fleet.ctl("restart", "2", timeout_s=60)
    assert [(one["shard"], one["resumed"]) for one in done["restarted"]] == [(2, True)], done
    answers(sim)
    sim.clear_faults()
    fleet.ready(shards=4)
    after = fleet.pids()
    assert after[2] != pids[2] and all(after[k] == pids[k] for k in (0, 1, 3))
    assert spent(sim)[0] == before[0]


def test_session_lost_in_the_supervisors_absence_is_begun_as_soon_as_it_is_back(sim, make_fleet):
    """The worker asks twice a second, not every five: a supervisor is away for a moment only."""
    fleet = make_fleet(sim, config={"log.level": "debug"})
    fleet.ready(shards=4)
    before = spent(sim)
    fleet.kill_supervisor()
    sim.fault("op9", shard=1, resumable=False)
    denied = fleet.wait_record("gateway.identify_denied", count=4, shard=1)
    assert denied["wait_ms"] <= 500, denied
    assert spent(sim)[0] == before[0], "an identify that nobody granted"
    fleet.start().ready(shards=4)
    assert spent(sim)[0] == before[0] + 1
    answers(sim)


def test_ends_of_adopted_workers_are_read_from_their_boards(sim, fleet):
    """Nobody's child has a status to wait for: what it was is on its board."""
    before, pids = spent(sim), fleet.pids()
    fleet.kill_supervisor()
    fleet.start()
    fleet.wait_record("fleet.adopted", workers=4)
    fleet.ready(shards=4)
    for shard, number, expected in ((1, signal.SIGSEGV, "crash"), (2, signal.SIGKILL, "killed"), (3, signal.SIGTERM, "clean")):
        died = len(fleet.records("worker.died", shard=shard)) + len(fleet.records("worker.ended", shard=shard))
        os.kill(pids[shard], number)
        procs.wait_until(lambda: len(fleet.records("worker.died", shard=shard)) +
                         len(fleet.records("worker.ended", shard=shard)) > died, 30, f"the end of shard {shard}'s worker")
        end = (fleet.records("worker.died", shard=shard) + fleet.records("worker.ended", shard=shard))[-1]
        assert (end["pid"], end["class"]) == (pids[shard], expected), end
        fleet.ready(shards=4)
    assert "crashed by SIGSEGV" in fleet.records("worker.died", shard=1)[-1]["why"]
    assert spent(sim)[0] == before[0]
    answers(sim)


# Where a board keeps its owner (shared/board/board_layout.h): two copies behind a flip, a checksum over each.
OWNER_FLIP, OWNER, COPY_HEAD, OWNER_SIZE = 88, 96, 16, 32


def rewrite_owner(board, pid):
    """Another pid in the owner record; the start time of the process stays as it was: so a reused pid looks."""
    board.seek(OWNER_FLIP)
    flip, = struct.unpack("<Q", board.read(8))
    at = OWNER + (flip & 1) * (COPY_HEAD + OWNER_SIZE)
    board.seek(at)
    _, length, serial = struct.unpack("<IIQ", board.read(COPY_HEAD))
    assert length == OWNER_SIZE
    data = struct.pack("<I", pid) + board.read(OWNER_SIZE)[4:]
    board.seek(at)
    board.write(struct.pack("<IIQ", zlib.crc32(struct.pack("<IQ", length, serial) + data), length, serial) + data)
    board.flush()


def test_reused_pid_is_neither_adopted_nor_killed(sim, make_fleet):
    """The lock is held, by a process that the board does not name: what it names is another program by now."""
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    before, pids = spent(sim), fleet.pids()
    fleet.kill_supervisor()
    os.kill(pids[0], signal.SIGKILL)
    fleets.wait_gone(pids[0])
    bystander = procs.spawn([sys.executable, "-c", "import signal; signal.pause()"], log=os.devnull)
    try:
        with open(os.path.join(fleet.runtime_dir, "shard-1-0.board"), "r+b") as board:
            # struct flock of this platform: type, whence, start, length, pid.
            fcntl.fcntl(board, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            rewrite_owner(board, bystander.pid)
            fleet.start()
            fleet.wait_record("worker.not_adopted", shard=0)
            assert fleet.shard(0)["pid"] is None
            assert bystander.poll() is None
        # The lock is free again: the shard gets a worker of its own.
        fleet.ready(shards=4)
        assert fleet.stop() == fleets.OK
        assert bystander.poll() is None
        assert spent(sim)[0] == before[0]
    finally:
        bystander.kill()
        bystander.wait()


def test_all_stopped_is_the_machines_doing(sim, make_fleet):
    """One hung worker is aborted and replaced; when all stand still it is the machine: nobody is killed."""
    fleet = make_fleet(sim, config={"supervisor.watchdog_timeout_ms": 1000, "supervisor.orphan_timeout_s": 600})
    fleet.ready(shards=4)
    before, pids = spent(sim), fleet.pids()
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        fleet.wait_record("watchdog.machine")
        stopped = fleets.now_ms()
        # Two time-outs more: whoever was to be killed would be by now.
        procs.wait_until(lambda: fleets.now_ms() - stopped > 2500, 20, "two and a half time-outs")
        assert not fleet.records("watchdog.abort")
    finally:
        for pid in pids.values():
            os.kill(pid, signal.SIGCONT)
    fleet.ready(shards=4)
    assert fleet.pids() == pids and spent(sim)[0] == before[0]
    assert "watchdog.machine" in [one["event"] for one in fleet.status()["alerts"]]
    answers(sim)


def test_stalled_supervisor_kills_nobody(sim, make_fleet):
    """The supervisor itself stood still for longer than the watchdog's time, its workers too: on waking it waits."""
    fleet = make_fleet(sim, config={"supervisor.watchdog_timeout_ms": 1000})
    fleet.ready(shards=4)
    before, pids = spent(sim), fleet.pids()
    stopped = [fleet.process.pid, pids[0]]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    began = fleets.now_ms()
    procs.wait_until(lambda: fleets.now_ms() - began > 2500, 20, "two and a half time-outs")
    # The supervisor first: shard 0's stamp is stale when it looks.
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    fleet.ready(shards=4)
    ticks = fleets.now_ms()
    procs.wait_until(lambda: fleets.now_ms() - ticks > 1500, 20, "the time of grace")
    assert not fleet.records("watchdog.abort"), [str(r) for r in fleet.records("watchdog.abort")]
    assert fleet.pids() == pids and spent(sim)[0] == before[0]


def test_stopped_one_is_killed_with_a_backtrace_and_resumes(sim, make_fleet):
    fleet = make_fleet(sim, config={"supervisor.watchdog_timeout_ms": 1000})
    fleet.ready(shards=4)
    before, pids = spent(sim), fleet.pids()
    os.kill(pids[1], signal.SIGSTOP)
    fleet.wait_record("watchdog.abort", shard=1)
    fleets.wait_gone(pids[1])
    fleet.wait_record("gateway.session", shard=1, how="resumed")
    fleet.ready(shards=4)
    assert spent(sim)[0] == before[0]
    assert fleet.wait_record("worker.died", shard=1)["signal"] == signal.SIGABRT
    alerts = {one["event"]: one for one in fleet.status()["alerts"]}
    assert alerts["watchdog.abort"]["shard"] == 1 and alerts["watchdog.abort"]["count"] == 1


def test_stopped_one_is_shown_as_hanging_long_before_it_is_killed(sim, fleet):
    fleet.ready(shards=4)
    pid = fleet.pids()[2]
    os.kill(pid, signal.SIGSTOP)
    try:
        procs.wait_until(lambda: fleet.status()["shards"][2]["state"] == "hanging", 20, "shard 2 shown as hanging")
        status = fleet.status()
        assert status["shards"][2]["silent_ms"] >= 2000 and status["ready"] == 3
        assert fleet.http("/readyz")[0] == 503
    finally:
        os.kill(pid, signal.SIGCONT)
    fleet.ready(shards=4)
    assert fleet.pids()[2] == pid and fleet.http("/readyz")[0] == 200
