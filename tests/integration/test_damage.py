"""What others do to the files of a fleet that runs: deleted, scribbled on, something else in their place. One shard may
pay for it; the fleet does not end, and no worker stays away."""

import os
import random
import re
import shutil
import signal
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of


def ping(sim, guilds=range(8)):
    for guild in guilds:
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()


def scribble(path, how):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.write(b"\0" * size if how == "zeros" else random.Random(size).randbytes(size))


@pytest.mark.parametrize("names", [r"shard-\d+-0\.board", r"host\.board", r"control\.sock", r".*\.(board|sock)"])
def test_deleted_files_are_put_back(sim, fleet, names):
    """A worker that dies after that RESUMEs: not even an identify is spent."""
    gone = [name for name in os.listdir(fleet.runtime_dir) if re.fullmatch(names, name)]
    pids = fleet.pids()
    before = sim.summary()
    assert gone
    for name in gone:
        os.unlink(os.path.join(fleet.runtime_dir, name))
    os.kill(pids[0], signal.SIGKILL)
    fleets.wait_gone(pids[0])
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]
    assert [one for one in fleet.records() if one.get("level") == "error" and "deleted" in one.get("event", "")]
    for name in gone:
        if not name.startswith("shard-") or name.endswith("-0.board"):
            assert os.path.exists(os.path.join(fleet.runtime_dir, name)), name


def found(fleet, name):
    return os.path.exists(os.path.join(fleet.runtime_dir, name))


@pytest.mark.parametrize("watched", [True, False])
def test_boards_deleted_while_their_workers_live(sim, fleet, watched):
    """A supervisor that comes back and finds neither board nor lock would start a second worker for each shard."""
    boards = [name for name in os.listdir(fleet.runtime_dir) if re.fullmatch(r"shard-.*\.board", name)]
    assert len(boards) == 4
    pids, before = fleet.pids(), sim.summary()["identifies"]["total"]
    if not watched:
        fleet.kill_supervisor()
    for name in boards:
        os.unlink(os.path.join(fleet.runtime_dir, name))
    procs.wait_until(lambda: all(found(fleet, name) for name in boards), fleets.READY_S, "the boards put back by who lives on them")
    if watched:
        fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    assert fleet.pids() == pids
    ping(sim)
    assert len(sim.state()["sessions"]) == 4
    assert sim.summary()["identifies"]["total"] == before and sim.summary()["resumes"]["ok"] == 0
    assert len({one["shard"] for one in fleet.records("board.deleted")}) == 4
    # And their supervisor reads what they write.
    pid = pids[2]
    os.kill(pid, signal.SIGKILL)
    fleets.wait_gone(pid)
    fleet.ready(shards=4)
    assert sim.summary()["identifies"]["total"] == before and fleet.shard(2)["restarts"] == 1


def test_the_runtime_directory_is_deleted(sim, fleet):
    """It is there again, operators find the fleet in it, and no second one can be started beside it."""
    pids, before = fleet.pids(), sim.summary()["identifies"]["total"]
    os.rename(fleet.runtime_dir, fleet.runtime_dir + ".gone")  # at once: they put files back while others are deleted
    shutil.rmtree(fleet.runtime_dir + ".gone")
    procs.wait_until(lambda: fleet.status(missing_ok=True), fleets.READY_S, "the control socket back")
    names = ["host.board", *(f"shard-1-{i}.board" for i in range(4))]
    procs.wait_until(lambda: all(found(fleet, name) for name in names), fleets.READY_S, "the boards back")
    assert os.stat(fleet.runtime_dir).st_mode & 0o777 == 0o700
    second = subprocess.run([harness.program("shoald"), "--config", fleet.ini], env=fleet.env(), capture_output=True, text=True,
                            timeout=30, check=False)
    assert second.returncode == fleets.LOCKED and str(fleet.process.pid) in second.stdout + second.stderr
    assert fleet.pids() == pids
    os.kill(pids[1], signal.SIGKILL)
    fleets.wait_gone(pids[1])
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before


def test_of_two_supervisors_the_first_gives_way(sim, fleet, make_fleet):
    """One that was started in the moment in which the directory was gone: it has the boards that others find."""
    os.kill(fleet.process.pid, signal.SIGSTOP)
    os.unlink(os.path.join(fleet.runtime_dir, "host.board"))
    os.unlink(os.path.join(fleet.runtime_dir, "control.sock"))
    second = make_fleet(sim, start=False, config={"supervisor.runtime_dir": fleet.runtime_dir, "supervisor.state_dir": fleet.state_dir,
                                                  "supervisor.cluster": fleet.config["supervisor.cluster"]})
    second.runtime_dir = fleet.runtime_dir
    second.start()
    second.wait_record("supervisor.starting")
    procs.wait_until(lambda: found(fleet, "control.sock"), fleets.READY_S, "the second one's socket")
    os.kill(fleet.process.pid, signal.SIGCONT)
    assert fleet.ended() == fleets.LOCKED
    assert fleet.records("supervisor.locked")
    second.ready(shards=4)
    ping(sim)
    assert sum(one["connected"] for one in sim.state()["sessions"]) == 4


def board_of(fleet, shard):
    name = next(name for name in os.listdir(fleet.runtime_dir) if re.fullmatch(rf"shard-\d+-{shard}\.board", name))
    return os.path.join(fleet.runtime_dir, name)


@pytest.mark.parametrize("how", ["zeros", "random"])
def test_a_scribbled_board_costs_its_session_only(sim, fleet, how):
    """Nobody who knows the session was left to put it right."""
    before = sim.summary()["identifies"]["total"]
    pid = fleet.pids()[0]
    os.kill(pid, signal.SIGSTOP)
    scribble(board_of(fleet, 0), how)
    os.kill(pid, signal.SIGKILL)
    fleets.wait_gone(pid)
    fleet.wait_record("board.damaged", shard=0)
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before + 1


@pytest.mark.parametrize("how", ["zeros", "random"])
def test_a_board_scribbled_on_under_a_worker_is_put_right(sim, fleet, how):
    """The worker knows what it wrote: one that is killed after that RESUMEs."""
    before = sim.summary()
    pid = fleet.pids()[0]
    with open(board_of(fleet, 0), "r+b") as f:
        f.write(b"\0" * 4096 if how == "zeros" else random.Random(7).randbytes(4096))
    fleet.wait_record("board.scribbled", shard=0)
    os.kill(pid, signal.SIGKILL)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]


@pytest.mark.parametrize("size", [0, 100, 4096, 9000, 20000, 200000])
def test_a_board_cut_off_under_a_worker(sim, fleet, size):
    """The worker puts back what it knows and ends; the next one RESUMEs, and what was not handled comes again."""
    before = sim.summary()
    pid = fleet.pids()[0]
    died = len(fleet.records("worker.died"))
    os.truncate(board_of(fleet, 0), size)
    ping(sim)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    assert fleet.pids()[0] != pid
    end = fleet.wait_record("worker.died", count=died + 1, shard=0)
    assert (end["code"], end["class"]) == ("board", "retry"), end
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]
    judged = sim.wait_all_answered(fleet=fleet)["interactions"]
    assert judged["answered_once"] + judged["expired"] == judged["sent"] and judged["doubled"] == 0, judged


def test_a_board_cut_off_while_nobody_serves(sim, fleet):
    """Nobody is left who knew the session: one IDENTIFY, and the supervisor does not fall over the missing bytes."""
    before = sim.summary()
    pid = fleet.pids()[0]
    os.kill(pid, signal.SIGSTOP)
    os.kill(fleet.process.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.truncate(board_of(fleet, 0), 0)
    os.kill(fleet.process.pid, signal.SIGCONT)
    fleet.wait_record("worker.died", shard=0)
    fleet.ready(shards=4)
    ping(sim)
    assert fleet.process.poll() is None
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"] + 1


@pytest.mark.parametrize("how", [0, 100, "zeros", "random"])
def test_a_damaged_host_page_is_put_right(sim, fleet, how):
    """Nobody ends, and a worker that starts later finds it."""
    pids = fleet.pids()
    before = sim.summary()
    path = os.path.join(fleet.runtime_dir, "host.board")
    if isinstance(how, int):
        os.truncate(path, how)
    else:
        scribble(path, how)
    fleet.wait_record("board.damaged")
    ping(sim)
    assert fleet.pids() == pids and fleet.process.poll() is None
    os.kill(pids[0], signal.SIGKILL)
    sim.wait(resumes=before["resumes"]["ok"] + 1)
    fleet.ready(shards=4)
    ping(sim)
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]
    fleet.kill_supervisor()
    fleet.start().ready(shards=4)
    assert not fleet.records("supervisor.no_board")
    ping(sim)


def test_something_else_in_the_sockets_place_is_named(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    os.makedirs(fleet.runtime_dir, 0o700)
    with open(os.path.join(fleet.runtime_dir, "control.sock"), "w", encoding="ascii"):
        pass
    fleet.start()
    assert fleet.ended() == fleets.PORT
    assert "control.sock there is no socket" in fleet.messages("error")


@pytest.mark.parametrize("fields", [{"shards": 10**9}, {"url": "wss://"}, {"url": "ws://127.0.0.1:99999/"}],
                         ids=["shards", "no host", "no port"])
def test_nonsense_for_an_answer_is_waited_out(sim, make_fleet, fields):
    """What Discord answers wrongly is Discord's fault and passes; the configuration is not blamed for it."""
    fleet = make_fleet(sim, start=False)
    sim.fault("gateway_bot", fields=fields, times=2)
    fleet.start().ready(shards=4, timeout_s=60)
    assert fleet.records("api.unreachable"), fleet.messages()
    ping(sim)


@pytest.mark.parametrize("key, value", [
    ("supervisor.cluster", "../../elsewhere"), ("discord.gateway_url", "wss://"),
    ("discord.ca_file", "/nonexistent/ca.pem"),
    ("discord.shard_count", "65536")])
def test_what_no_worker_could_use_is_refused_at_once(sim, make_fleet, key, value):
    fleet = make_fleet(sim, config={key: value})
    assert fleet.ended() == fleets.CONFIG
    assert key in procs.file_tail(fleet.log)
    assert not sim.requests()


@pytest.mark.parametrize("limit", ["ulimit -n 12", "ulimit -n 16", "ulimit -n 20"])
def test_too_few_descriptors_are_no_configuration(sim, make_fleet, limit):
    fleet = make_fleet(sim, start=False)
    start_with(fleet, limit)
    assert fleet.ended() == fleets.RESOURCE, procs.file_tail(fleet.log)
    assert re.search("(?i)too many open files", procs.file_tail(fleet.log))


def start_with(fleet, shell):
    import harness
    fleet.write_ini()
    fleet.process = procs.spawn(["/bin/sh", "-c", f'{shell}; exec "$0" "$@"', harness.program("shoald"), "--config",
                                 fleet.ini], log=fleet.log, env=fleet.env(), cwd=fleet.folder)
    fleet.janitor.child(fleet.process)


def test_runs_without_standard_descriptors(sim, make_fleet):
    fleet = make_fleet(sim, start=False)
    start_with(fleet, "exec 0<&- 1>&- 2>&-")
    fleet.ready(shards=4)
    ping(sim)
    assert fleet.stop() == fleets.OK


def test_a_burst_of_commands_is_answered(sim, fleet):
    """More at once than a shard usually sees in a second: none is thrown away."""
    sim.post("/ledger/reset")
    sim.post("/interaction", guild_index=6, name="ping", count=700)
    judged = sim.wait_all_answered()["interactions"]
    assert (judged["sent"], judged["answered_once"], judged["doubled"]) == (700, 700, 0), judged


@pytest.mark.parametrize("size", [0, 4096, 8192, 20480])
@pytest.mark.parametrize("what", ["journal", "cache", r"\w+"], ids=["journal", "cache", "all"])
def test_a_store_cut_off_under_its_worker(sim, fleet, what, size):
    """LMDB's files of a shard, one or all. A worker may end of it; nobody's command is set aside for it."""
    before = sim.summary()
    cut = [os.path.join(root, "data.mdb") for top in (fleet.runtime_dir, fleet.state_dir) for root, _, names in os.walk(top)
           if "data.mdb" in names and re.fullmatch(rf"{what}-\d+-0", os.path.basename(root))]
    assert cut
    for path in cut:
        os.truncate(path, size)
    for round_ in range(4):
        for guild in range(16):
            sim.say(f"!ping {round_}", guild=guild)
            sim.use("ping", guild=guild)
    fleet.ready(shards=4)
    judged = sim.wait_all_answered(fleet=fleet)
    assert judged["interactions"]["answered_once"] + judged["interactions"]["expired"] == judged["interactions"]["sent"], judged
    assert judged["messages"]["doubled"] == judged["interactions"]["doubled"] == 0, judged
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]
    assert not fleet.records("pipeline.dead_letter")
    assert len(fleet.records("worker.died")) <= 1 + len(cut), fleet.records("worker.died")
    fleet.ready(shards=4)
    ping(sim)


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb"])
@pytest.mark.parametrize("what", ["journal", "cache", "kept"])
def test_a_store_scribbled_on_under_its_worker(sim, fleet, what, name):
    """No module is blamed for it, and nobody goes without an answer until somebody restarts something."""
    before = sim.summary()
    for guild in range(16):
        sim.say("!ping", guild=guild)
    sim.wait_all_answered()
    path = os.path.join(fleet.runtime_dir, f"{what}-1-0", name)
    if os.path.exists(path):
        with open(path, "r+b") as f:
            for offset in range(0, os.path.getsize(path), 512):
                f.seek(offset)
                f.write(random.Random(offset).randbytes(128))
    else:
        assert (what, name) == ("journal", "lock.mdb")
    for round_ in range(3):
        for guild in range(16):
            sim.say(f"!ping {round_}", guild=guild)
            sim.use("ping", guild=guild)
    fleet.ready(shards=4)
    judged = sim.wait_all_answered(fleet=fleet)
    assert judged["messages"]["doubled"] == judged["interactions"]["doubled"] == 0, judged
    assert sim.summary()["identifies"]["total"] == before["identifies"]["total"]
    assert not fleet.records("pipeline.dead_letter") and not fleet.records("modules.crashed")
    assert len(fleet.records("worker.died")) <= 2, fleet.records("worker.died")


@pytest.mark.parametrize("how", ["zeros", "random"])
def test_an_inbox_scribbled_on_under_its_worker(sim, fleet, how):
    """What lay there may be lost, and that is said; the session is not, and nobody hangs for long."""
    before = sim.summary()["identifies"]["total"]
    size = os.path.getsize(board_of(fleet, 0)) - 12288
    for round_ in range(4):
        for guild in range(16):
            sim.use("ping", guild=guild)
        with open(board_of(fleet, 0), "r+b") as f:
            f.seek(12288)
            f.write(b"\0" * size if how == "zeros" else random.Random(round_).randbytes(size))
    fleet.ready(shards=4)
    ping(sim)
    sim.wait("/ledger/wait", kind="interaction", sent=72)
    ledger = sim.summary()["interactions"]
    lost = ledger["sent"] - ledger["answered_once"]
    assert ledger["doubled"] == 0 and sim.summary()["identifies"]["total"] == before, ledger
    assert lost == 0 or fleet.shard(0)["loss_windows"] > 0, ledger
