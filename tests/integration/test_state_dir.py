"""The state directory of a running fleet is full, read-only, missing or damaged: said in one line, the shard serves on, and
nothing that was parked or set aside is lost."""

import os
import shutil
import signal
import subprocess

import pytest

import procs
from conftest import need
from harness import fleet as fleets
from test_dead_letters import letters, ping, poisoned, wait_letters


class SmallDisk:
    """A file system of its own for one fleet's state directory."""

    def __init__(self, path, size):
        self.path = path
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", path], check=False)
        self.mounted = done.returncode == 0

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)

    def fill(self):
        with open(os.path.join(self.path, "ballast"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.path, "ballast"))


@pytest.fixture
def small_disk(folder):
    made = []

    def make(path, size="4m"):
        one = SmallDisk(path, size)
        need(one.mounted, "no file system may be mounted here")
        made.append(one)
        return one

    yield make
    for one in made:
        subprocess.run(["umount", "-l", one.path], check=False)


def away(fleet, is_away):
    procs.wait_until(lambda: (fleet.status()["parked_away"] > 0) == is_away, fleets.READY_S,
                     "the state directory away" if is_away else "the state directory back", tail=lambda: procs.file_tail(fleet.log))


def fleet_on(sim, make_fleet, prepare):
    """A poisoned fleet whose state directory was prepared before it started."""
    import harness
    from test_dead_letters import CONFIG, POISON
    fleet = make_fleet(sim, start=False, config={**CONFIG, "supervisor.worker": harness.program(POISON)})
    disk = prepare(fleet.state_dir)
    fleet.start().ready(shards=4)
    return fleet, disk


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_no_room_and_no_leave(sim, make_fleet, small_disk, how):
    fleet, disk = fleet_on(sim, make_fleet, small_disk)
    if how == "full":
        disk.fill()
    else:
        disk.remount("ro")
    identifies = sim.summary()["identifies"]["total"]
    sim.say("!ping POISON-handler", guild=3)
    letter = wait_letters(fleet, 1)[0]
    away(fleet, True)
    fleet.ready(shards=4)
    ping(sim)
    told = fleet.records("parked.away")
    assert len(told) == 1 and "supervisor.state_dir" in told[0]["msg"] and fleet.state_dir in told[0]["state_dir"], told
    done = fleet.ctl_run("status")
    assert "AWAY" in done.stdout and "dead letters" in done.stdout, done.stdout
    # It is where the runtime directory is, for the next worker too.
    pid = fleet.pids()[letter["shard"]]
    os.kill(pid, signal.SIGKILL)
    fleets.wait_gone(pid)
    fleet.ready(shards=4)
    assert [one["id"] for one in letters(fleet)] == [letter["id"]]
    away(fleet, True)
    if how == "full":
        disk.empty()
    else:
        disk.remount("rw")
    away(fleet, False)
    assert fleet.records("parked.back")
    fleet.stop()
    procs.end_processes(list(procs.processes_naming(fleet.runtime_dir)))
    shutil.rmtree(fleet.runtime_dir)
    fleet.start().ready(shards=4)
    assert [one["id"] for one in letters(fleet)] == [letter["id"]], "it was not on disk"
    assert sim.summary()["identifies"]["total"] > identifies  # the sessions went with the runtime directory


def test_deleted_under_the_fleet(sim, make_fleet):
    """Somebody removes the folder: what was in it is gone, what comes is kept."""
    fleet = poisoned(sim, make_fleet)
    sim.say("!ping POISON-handler", guild=3)
    wait_letters(fleet, 1)
    fleet.ready(shards=4)
    shutil.rmtree(fleet.state_dir)
    sim.say("!ping POISON-handler", guild=2)
    procs.wait_until(lambda: [one for one in letters(fleet) if one["shard"] != wait_shard(sim, 3)], fleets.READY_S, "a letter")
    fleet.ready(shards=4)
    ping(sim)


def wait_shard(sim, guild):
    return (int(sim.get("/guild", index=guild)["id"]) >> 22) % 4


@pytest.mark.parametrize("how", ["cut", "scribbled"])
def test_damage_is_said_and_set_aside(sim, make_fleet, how):
    fleet = poisoned(sim, make_fleet)
    sim.say("!ping POISON-handler", guild=3)
    letter = wait_letters(fleet, 1)[0]
    fleet.ready(shards=4)
    folder = next(os.path.join(fleet.state_dir, name) for name in os.listdir(fleet.state_dir) if name.startswith("letters-"))
    procs.wait_until(lambda: os.path.getsize(os.path.join(folder, "data.mdb")) > 0, fleets.READY_S, "a store")
    fleet.stop()
    path = os.path.join(folder, "data.mdb")
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        if how == "cut":
            f.truncate(size // 2 + 100)
        else:
            f.write(os.urandom(size))
    fleet.start().ready(shards=4)
    ping(sim)
    told = fleet.wait_record("parked.damaged")
    assert "data.mdb.damaged" in told["msg"]
    assert os.path.exists(path + ".damaged")
    assert letters(fleet) == [] or letters(fleet)[0]["id"] == letter["id"]
    sim.say("!ping POISON-handler", guild=3)
    procs.wait_until(lambda: len(letters(fleet)) >= 1, fleets.READY_S, "a letter")
    fleet.ready(shards=4)
