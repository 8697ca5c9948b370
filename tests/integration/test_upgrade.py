"""`shoalctl upgrade`: another build takes over in place, shard by shard by RESUME; a canary that does worse is turned
back. The other build is made here: its build id, its board (a longer core, another rest) and the ABI of its modules
differ, so that each reads what the other wrote, in both directions."""

import os
import re
import shutil
import signal
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets

NEW_ID = "00000000be77"


# What differs in the other build. A longer core, another rest, and functions that modules of ours do not know.
OTHER = ["-DBOARD_CORE_VERSION=9", "-DBOARD_CORE_GROWTH=512", "-DBOARD_REST_VERSION=2", "-DSHOAL_ABI=0x3007fu"]
DIFFERS = re.compile(r"BOARD_CORE_VERSION|BOARD_CORE_GROWTH|BOARD_REST_VERSION|SHOAL_ABI\b|SHOAL_MODULE\(")


def objects_that_differ(folder):
    """Objects of the sources that say what differs, or that hold the board's layout."""
    for root, _, names in os.walk(folder):
        for name in names:
            source = os.path.join(harness.ROOT, os.path.relpath(root, folder), name[:-2] + ".c")
            if not name.endswith(".o") or not os.path.exists(source):
                continue
            with open(source, encoding="utf-8") as f:
                if "/shared/board/" in source or DIFFERS.search(f.read()):
                    yield os.path.join(root, name)


@pytest.fixture(scope="module")
def new_build(tmp_path_factory):
    """The folder of another build of the same programs."""
    build = str(tmp_path_factory.mktemp("new") / "build")
    # Objects keep their times, so that only what differs is compiled.
    shutil.copytree(os.path.join(harness.BUILD, "obj"), os.path.join(build, "obj"), copy_function=shutil.copy2)
    for path in list(objects_that_differ(os.path.join(build, "obj"))):
        os.unlink(path)
    done = subprocess.run(["make", "-s", f"BUILD={build}", f"BUILD_ID={NEW_ID}", "OPT=-O2 " + " ".join(OTHER),
                           f"SANITIZE={int(harness.SANITIZE)}", f"{build}/shoald", f"{build}/shoal-shard"],
                          cwd=harness.ROOT, check=False, text=True, capture_output=True, timeout=400)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    told, ours = version_of(build), version_of(harness.BUILD)
    assert NEW_ID in told and "board 9.2" in told and "ABI 3.127" in told, told
    assert not any(word in ours for word in (NEW_ID, "board 9.2", "ABI 3.127")), ours
    yield build
    shutil.rmtree(build, ignore_errors=True)


def version_of(build):
    return subprocess.run([f"{build}/shoal-shard", "--version"], capture_output=True, text=True, check=True, timeout=30).stdout


def spent(sim):
    return sim.summary()["identifies"]["total"]


def build_ids(fleet):
    status = fleet.status()
    return [status["build_id"]] + [one["build_id"] for one in status["shards"]]


def test_upgrade_and_back_under_traffic(make_sim, make_fleet, servers, new_build):
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats)
    fleet.ready(shards=4)
    old_id, before, pid = build_ids(fleet)[0], spent(sim), fleet.process.pid
    assert old_id != NEW_ID
    sim.post("/traffic", rate=200)
    answer = fleet.ctl("upgrade", "--binary", os.path.join(new_build, "shoald"), timeout_s=90)
    assert build_ids(fleet) == [NEW_ID] * 5 and answer["identifies_spent"] == 0
    fleet.ready(shards=4)
    # And the other way: the older build reads what the newer one wrote.
    fleet.ctl("upgrade", "--binary", harness.program("shoald"), timeout_s=90)
    assert build_ids(fleet) == [old_id] * 5
    fleet.ready(shards=4)
    sim.post("/traffic", rate=0)
    assert spent(sim) == before and fleet.process.pid == pid and fleet.process.poll() is None
    assert sum(one["loss_windows"] for one in fleet.status()["shards"]) == 0
    summary = sim.wait_all_answered(fleet=fleet)
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary


def test_boards_of_a_newer_build_are_served_by_the_older(make_sim, make_fleet, servers, new_build):
    """The newer one makes the boards, with a longer core; both kinds of takeover: an upgrade in place, and a supervisor
    and a worker that were killed."""
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats, start=False)
    fleet.write_ini()
    fleet.process = procs.spawn([os.path.join(new_build, "shoald"), "--config", fleet.ini], log=fleet.log, env=fleet.env(),
                                cwd=fleet.folder)
    fleet.janitor.child(fleet.process)
    fleet.ready(shards=4)
    assert build_ids(fleet) == [NEW_ID] * 5
    before = sim.summary()
    sim.post("/traffic", rate=200)
    fleet.ctl("upgrade", "--binary", harness.program("shoald"), timeout_s=90)
    assert NEW_ID not in build_ids(fleet)
    fleet.ready(shards=4)
    fleet.ctl("upgrade", "--binary", os.path.join(new_build, "shoald"), timeout_s=90)
    fleet.kill_supervisor()
    for shard, pid in ((0, fleet_pid(fleet, 0)), (1, fleet_pid(fleet, 1))):
        assert shard in (0, 1)
        os.kill(pid, signal.SIGKILL)
        fleets_gone(pid)
    fleet.start().ready(shards=4)  # the older one
    ids = build_ids(fleet)
    assert ids[1] == ids[2] == ids[0] != NEW_ID and ids[3] == ids[4] == NEW_ID, ids
    sim.post("/traffic", rate=0)
    summary = sim.wait_all_answered(fleet=fleet)
    assert summary["identifies"]["total"] == before["identifies"]["total"]
    for kind in ("messages", "interactions"):
        assert summary[kind]["doubled"] == 0, summary


def fleet_pid(fleet, shard):
    """By the process table: nobody answers just now."""
    for pid in procs.processes_naming(fleet.runtime_dir):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().split(b"\0")
        if b"--shard" in words and words[words.index(b"--shard") + 1] == str(shard).encode():
            return pid
    raise AssertionError(f"no worker of shard {shard}")


def test_canary_that_does_well_is_followed_by_the_rest(sim, fleet, new_build):
    before = spent(sim)
    fleet.ctl("upgrade", "--binary", os.path.join(new_build, "shoald"), "--canary", "1", "--soak", "2", timeout_s=90)
    assert build_ids(fleet) == [NEW_ID] * 5 and spent(sim) == before
    fleet.ready(shards=4)


def test_canary_that_crashes_is_turned_back(sim, fleet, new_build):
    """Its worker dies while it is watched: supervisor and canary are the old ones again, nobody else was touched."""
    before, pids, old = spent(sim), fleet.pids(), build_ids(fleet)
    upgrade = subprocess.Popen([harness.program("shoalctl"), "upgrade", "--json", "--binary",
                                os.path.join(new_build, "shoald"), "--canary", "1", "--soak", "60"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=fleet.folder,
                               env={**fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": fleet.runtime_dir})
    try:
        procs.wait_until(lambda: [one for one in fleet.records("restart.done") if one["shard"] == 0], 30,
                         "the canary restarted")
        # As a worker that crashes, until its conduct is seen: the first look may come after the death.
        for _ in range(200):
            if upgrade.poll() is not None or len(fleet.records("supervisor.reexec")) > 1:
                break
            status = fleet.status(missing_ok=True)
            if status is None:
                continue  # it is turning back just now
            victim = status["shards"][0]
            if victim["state"] == "ready" and victim["build_id"] == NEW_ID:
                os.kill(victim["pid"], signal.SIGSEGV)
                fleets_gone(victim["pid"])
            fleet.ready(shards=4)
        out, err = upgrade.communicate(timeout=60)
    finally:
        upgrade.kill()
        upgrade.wait()
    assert upgrade.returncode == 1 and "turned back" in out, out + err
    assert build_ids(fleet) == old
    after = fleet.pids()
    assert all(after[shard] == pids[shard] for shard in (1, 2, 3)) and spent(sim) == before


def canary(fleet, shoald):
    """An upgrade with one canary, watched for a minute if it is not turned back before: its process."""
    return subprocess.Popen([harness.program("shoalctl"), "upgrade", "--json", "--binary", shoald, "--canary", "1", "--soak", "60"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=fleet.folder,
                            env={**fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": fleet.runtime_dir})


def is_turned_back(sim, fleet, upgrade, before, why):
    """The old build everywhere, the others' workers as they were, nothing spent."""
    out, err = upgrade.communicate(timeout=120)
    assert upgrade.returncode == 1 and "turned back" in out and re.search(why, out), out + err
    identifies, pids, old = before
    fleet.ready(shards=4)
    after = fleet.pids()
    assert build_ids(fleet) == old
    assert all(after[shard] == pids[shard] for shard in (1, 2, 3)) and spent(sim) == identifies


def test_canary_that_never_starts_is_turned_back(sim, make_fleet, new_build, tmp_path):
    """Its worker dies at once, again and again; the shard comes back with the old one, by RESUME."""
    fleet = make_fleet(sim, config={"supervisor.restart_burst": 3, "supervisor.restart_cap_ms": 100})
    fleet.ready(shards=4)
    before = spent(sim), fleet.pids(), build_ids(fleet)
    broken = str(tmp_path / "build")
    os.mkdir(broken)
    shutil.copy2(os.path.join(new_build, "shoald"), os.path.join(broken, "shoald"))
    with open(os.path.join(broken, "shoal-shard"), "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *--shard*) kill -SEGV $$ ;; esac\nexec {new_build}/shoal-shard "$@"\n')
    os.chmod(os.path.join(broken, "shoal-shard"), 0o755)
    upgrade = canary(fleet, os.path.join(broken, "shoald"))
    try:
        is_turned_back(sim, fleet, upgrade, before, "did not come back.*keeps dying")
    finally:
        upgrade.kill()
        upgrade.wait()


def test_canary_whose_commands_fail_is_turned_back(sim, fleet, new_build):
    """It lives, but what members ask of it goes wrong, on its shard alone."""
    before = spent(sim), fleet.pids(), build_ids(fleet)
    mine = [guild for guild in range(16) if (int(sim.get("/guild", index=guild)["id"]) >> 22) % 4 == 0]
    upgrade = canary(fleet, os.path.join(new_build, "shoald"))
    try:
        procs.wait_until(lambda: [one for one in fleet.records("restart.done") if one["shard"] == 0], 30,
                         "the canary restarted")
        sim.fault("http_5xx", status=500, route="create_interaction_response", times=-1)
        # Until it is seen: the first look, which the others are compared with, may come after some.
        procs.wait_until(lambda: sim.use("ping", guild=mine[0]) and upgrade.poll() is not None, 60, "the upgrade's end",
                         interval_s=0.5)
        is_turned_back(sim, fleet, upgrade, before, "failed commands")
    finally:
        upgrade.kill()
        upgrade.wait()


def fleets_gone(pid):
    procs.wait_until(lambda: procs.process_start_ticks(pid) is None, 20, f"process {pid} gone")


def test_canary_must_leave_some_to_compare_with(sim, fleet, new_build):
    before = fleet.pids(), build_ids(fleet)
    done = fleet.ctl_run("upgrade", "--binary", os.path.join(new_build, "shoald"), "--canary", "4", "--soak", "1")
    assert done.returncode == fleets.USAGE and "4 shards" in done.stderr, done.stderr
    assert (fleet.pids(), build_ids(fleet)) == before


def test_program_that_does_not_start_changes_nothing(sim, fleet):
    before, ids = fleet.pids(), build_ids(fleet)
    done = fleet.ctl_run("upgrade", "--binary", "/bin/false")
    assert done.returncode == 1 and fleet.pids() == before and build_ids(fleet) == ids
