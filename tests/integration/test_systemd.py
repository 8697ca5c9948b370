"""shoal under systemd: what `make install` puts in place, what the unit says of itself, and how a real systemd, booted in a
container, starts, watches, restarts and stops it. discord-sim's ledger is the judge of what a bot's sessions went through."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import harness
import procs
from conftest import need
from harness import machine as machines
from harness import openapi
from harness.sim import text_of

# As systemd-analyze counts: 20 is an exposure of 2.0.
EXPOSURE_MAX = 20


def make_install(**variables):
    """`make install` of the build under test, with nothing of an outer make's in it."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "--no-print-directory", "-C", harness.ROOT, "install", f"BUILD={harness.BUILD}",
                           f"SANITIZE={int(harness.SANITIZE)}", *(f"{k}={v}" for k, v in variables.items())],
                          env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


# --- the files -----------------------------------------------------------------------------------------------------

@pytest.fixture
def installed(folder):
    """An installation of its own prefix: its unit names programs that are there."""
    prefix = os.path.join(folder, "prefix")
    make_install(PREFIX=prefix, SYSCONFDIR=os.path.join(folder, "etc"))
    return prefix


def test_unit_is_sound_and_sandboxed(installed):
    need(shutil.which("systemd-analyze"), "no systemd-analyze here")
    unit = os.path.join(installed, "lib/systemd/system/shoald.service")
    # It ends with 0 on an unknown key or a bad value: its words are the verdict.
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Overall exposure level for shoald.service: [01]\.\d", done.stdout), done.stdout


def test_a_bad_unit_would_be_seen(installed):
    need(shutil.which("systemd-analyze"), "no systemd-analyze here")
    unit = os.path.join(installed, "lib/systemd/system/shoald.service")
    with open(unit, encoding="utf-8") as f:
        text = f.read()
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text.replace("WatchdogSec=20", "WatchdogSec=often"))
    assert run("systemd-analyze", "verify", unit).stderr != ""
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text[:text.index("CapabilityBoundingSet=")])
    assert run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit).returncode != 0


def test_no_placeholder_is_left(installed, folder):
    for name in ("lib/systemd/system/shoald.service", "lib/sysusers.d/shoal.conf", "lib/tmpfiles.d/shoal.conf"):
        path = os.path.join(installed, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert not re.search(r"@[A-Z]+@", text), text
        assert os.stat(path).st_mode & 0o777 == 0o644
    with open(os.path.join(installed, "lib/systemd/system/shoald.service"), encoding="utf-8") as f:
        assert f"ExecStart={installed}/bin/shoald --config {folder}/etc/shoal/shoal.ini\n" in f.read()
    assert os.path.exists(os.path.join(folder, "etc/shoal/shoal.ini.sample"))


# --- a real systemd ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def machine(janitor):
    """One boot for all tests below."""
    reason = machines.missing()
    if reason:
        pytest.skip(reason)
    if harness.SANITIZE:
        pytest.skip("sanitized programs do not start in the unit's sandbox: the plain build tries it")
    need(not machines.missing_programs(), f"missing here: {machines.missing_programs()}")
    folder = procs.private_dir("shoal-m")
    janitor.folder(folder)
    stage = os.path.join(folder, "stage")
    make_install(DESTDIR=stage)
    one = machines.Machine(folder, janitor, stage)
    try:
        one.start()
        one.run("systemd-sysusers")
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def inside(machine, folder, janitor):
    """A sim in the machine's network."""
    record = os.path.join(folder, "sim-0.jsonl")
    one = machines.MachineSim(machine, folder, janitor, record=record).start()
    yield one
    one.stop()
    problems = openapi.check(openapi.read_record(record))[0]
    assert not problems, "\n".join(problems)


@pytest.fixture
def service(machine, inside):
    """shoald.service, installed and configured, not started."""
    one = machines.Service(machine, inside).configure()
    yield one
    one.finish()
    text = json.dumps(one.records())
    print(one.tail())
    assert inside.token not in text, "the journal holds the token"


@pytest.fixture
def running(service):
    service.systemctl("start")
    service.ready()
    return service


def connections(sim):
    """What a reconnect, an identify or a resume would change."""
    now = sim.counters()
    return {name: now[name] for name in ("connects", "identifies", "resumes", "sessions")}


def proc_status(machine, pid):
    text = machine.run("cat", f"/proc/{pid}/status").stdout
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def test_start_is_told_and_sandboxed(machine, inside, service):
    assert service.show("ActiveState")["ActiveState"] == "inactive"
    service.systemctl("start")
    # Type=notify: start came back, so READY=1 was told.
    assert service.show("ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    service.ready()
    service.wait(StatusText="4/4 shards ready")
    assert service.show("KillMode", "OOMPolicy", "RuntimeDirectoryPreserve", "NRestarts", "Result") == {
        "KillMode": "process", "OOMPolicy": "continue", "RuntimeDirectoryPreserve": "yes", "NRestarts": "0",
        "Result": "success"}
    for pid in (service.main_pid(), *service.pids().values()):
        now = proc_status(machine, pid)
        assert (now["CapEff"], now["CapBnd"], now["NoNewPrivs"], now["Seccomp"]) == ("0" * 16, "0" * 16, "1", "2"), now
        assert now["Uid"].split()[0] == machine.run("id", "-u", "shoal").stdout.strip()
        for what in ("environ", "cmdline"):
            assert inside.token not in machine.run("cat", f"/proc/{pid}/{what}").stdout
    assert "pong" in text_of(inside.answer(inside.use("ping"))).lower()


def test_token_from_the_configuration_when_there_is_no_credential(machine, inside, service):
    service.configure(discord__token=inside.token)
    machine.run("rm", "/etc/shoal/discord-token")
    service.systemctl("start")
    service.ready()


def test_supervisor_killed_is_started_again_and_nobody_reconnects(inside, running):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.systemctl("kill", "--signal=KILL", "--kill-whom=main")
    running.wait(NRestarts="1", ActiveState="active", StatusText="4/4 shards ready")
    running.ready()
    assert running.main_pid() != pid and running.pids() == pids
    assert connections(inside) == before
    assert len(running.records("worker.adopted")) >= 4
    # Often does not end in "start limit hit".
    for count in range(2, 8):
        running.wait(ActiveState="active")
        running.systemctl("kill", "--signal=KILL", "--kill-whom=main")
        running.wait(NRestarts=str(count))
    running.ready()
    assert running.pids() == pids and connections(inside) == before


def test_worker_killed_resumes_and_the_service_does_not_notice(inside, running):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.kill(pids[2])
    inside.wait(resumes=before["resumes"] + 1)
    status = running.ready()
    now = running.pids()
    assert now[2] != pids[2] and {k: v for k, v in now.items() if k != 2} == {k: v for k, v in pids.items() if k != 2}
    assert running.main_pid() == pid and running.show("NRestarts")["NRestarts"] == "0"
    assert connections(inside) == {**before, "connects": before["connects"] + 1, "resumes": before["resumes"] + 1}
    assert status["shards"][2]["last_end"]["class"] == "killed", status["shards"][2]


def test_restart_keeps_the_workers(inside, running):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.systemctl("restart")
    assert running.main_pid() not in (0, pid)
    running.ready()
    assert running.pids() == pids and connections(inside) == before
    assert [one["JOB"] for one in running.records("supervisor.job")] == ["restart"]
    assert "pong" in text_of(inside.answer(inside.use("ping"))).lower()


def test_stop_ends_the_workers_and_start_resumes(machine, inside, running):
    before, pids = connections(inside), running.pids()
    running.systemctl("stop")
    assert running.show("ActiveState", "Result", "MainPID") == {"ActiveState": "inactive", "Result": "success", "MainPID": "0"}
    assert [one["JOB"] for one in running.records("supervisor.job")] == ["stop"]
    for pid in pids.values():
        assert machine.run("test", "-e", f"/proc/{pid}", check=False).returncode != 0
    assert connections(inside)["sessions"] == 0
    running.systemctl("start")
    running.ready()
    now = connections(inside)
    assert now == {**before, "connects": before["connects"] + 4, "resumes": before["resumes"] + 4}


def test_a_bare_sigterm_is_a_stop(inside, running):
    """Nobody's job: somebody typed kill."""
    running.kill(running.main_pid(), signal.SIGTERM)
    running.wait(ActiveState="inactive", Result="success")
    assert [one["JOB"] for one in running.records("supervisor.job")] == ["none"]
    inside.wait(sessions_max=0)


def test_restart_without_a_bus_is_a_stop_and_a_start(machine, inside, running):
    """Who can't be asked can't have said restart: workers end, and RESUME. No identify is spent."""
    before, pids = connections(inside), running.pids()
    machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        # systemctl itself goes by systemd's own socket.
        running.systemctl("restart")
        running.ready()
    finally:
        machine.run("systemctl", "start", "dbus.socket")
    assert not set(pids.values()) & set(running.pids().values())
    assert connections(inside) == {**before, "connects": before["connects"] + 4, "resumes": before["resumes"] + 4}


def test_hanging_supervisor_meets_the_watchdog(inside, service):
    service.configure("[Service]\nWatchdogSec=1s\n")
    service.systemctl("start")
    service.ready()
    before, pids, pid = connections(inside), service.pids(), service.main_pid()

    def answered_anew(last=[None]):
        now = service.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]
        last[0] = last[0] or now
        return now != last[0]
    service.systemctl("reload")
    procs.wait_until(answered_anew, 10, "the watchdog answered by the new image", interval_s=0.05, tail=service.tail)
    assert service.show("NRestarts", "ActiveState") == {"NRestarts": "0", "ActiveState": "active"}
    service.kill(pid, signal.SIGSTOP)
    service.wait(NRestarts="1", ActiveState="active", StatusText="4/4 shards ready")
    assert any("result 'watchdog'" in str(one.get("MESSAGE")) for one in service.records()), service.tail()
    assert service.main_pid() != pid and service.pids() == pids
    assert connections(inside) == before
    # And one that does not hang is left alone for several of its periods.
    service.kill(pids[0])
    inside.wait(resumes=before["resumes"] + 1)
    service.ready()
    assert service.show("NRestarts")["NRestarts"] == "1"


def test_reload_takes_the_new_configuration_in_place(inside, running):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.configure(supervisor__http_listen="127.0.0.2:0")
    running.systemctl("reload")
    running.ready()
    assert running.records("http.listening")[-1]["ADDRESS"].startswith("127.0.0.2:"), running.tail()
    running.wait(ActiveState="active", SubState="running", StatusText="4/4 shards ready")
    assert running.main_pid() == pid and running.pids() == pids
    assert running.show("NRestarts")["NRestarts"] == "0"
    assert connections(inside) == before
    # The next supervisor finds the workers as ever.
    running.systemctl("restart")
    running.ready()
    assert running.main_pid() != pid and running.pids() == pids and connections(inside) == before


@pytest.mark.parametrize("wrong, words", [
    ({"discord__shard_count": "many"}, r"discord\.shard_count.*many"),
    ({"supervisor__host_id": "renamed"}, r"supervisor\.host_id.*renamed"),
])
def test_reload_refuses_what_does_not_hold(inside, running, wrong, words):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.configure(**wrong)
    assert running.systemctl("reload", check=False).returncode != 0
    assert any(re.search(words, str(one.get("MESSAGE"))) for one in running.records()), running.tail()
    running.configure()
    running.wait(ActiveState="active", SubState="running", NRestarts="0")
    running.ready()
    assert running.main_pid() == pid and running.pids() == pids and connections(inside) == before


def test_sighup_alone_reloads_as_well(inside, running):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    running.configure(supervisor__http_listen="127.0.0.2:0")
    running.kill(pid, signal.SIGHUP)
    procs.wait_until(lambda: running.records("http.listening")[-1]["ADDRESS"].startswith("127.0.0.2:"), 30,
                     "the new configuration", interval_s=0.05, tail=running.tail)
    running.ready()
    running.wait(ActiveState="active", SubState="running", StatusText="4/4 shards ready", NRestarts="0")
    assert running.main_pid() == pid and running.pids() == pids and connections(inside) == before


def test_start_waits_for_discord_beyond_its_timeout(machine, inside, service):
    """EXTEND_TIMEOUT_USEC: a start that waits for the API is not killed for it."""
    timeout_s = 4
    service.configure(f"[Service]\nTimeoutStartSec={timeout_s}\n")
    inside.fault("http_5xx", status=503, times=-1, route="GET /gateway/bot")
    service.systemctl("start", "--no-block")
    procs.wait_until(lambda: service.records("api.unreachable"), 30, "word of the waiting", tail=service.tail)
    pid = service.main_pid()

    def started_ms():
        return int(service.show("InactiveExitTimestampMonotonic")["InactiveExitTimestampMonotonic"]) // 1000
    procs.wait_until(lambda: procs.time.monotonic() * 1000 > started_ms() + 1500 * timeout_s, 30, "the time-out passed",
                     interval_s=0.1)
    assert service.show("ActiveState", "NRestarts") == {"ActiveState": "activating", "NRestarts": "0"}
    assert service.main_pid() == pid
    assert "does not answer" in service.show("StatusText")["StatusText"], service.tail()
    inside.clear_faults()
    service.wait(60, ActiveState="active", NRestarts="0")
    service.ready()
    assert service.main_pid() == pid


def test_what_a_restart_would_not_mend_is_not_restarted(machine, inside, service):
    machine.write("/etc/shoal/discord-token", "not.the.token.of.this.bot\n")
    service.systemctl("start", check=False)
    now = service.wait(ActiveState="failed", Result="exit-code")
    assert now["ActiveState"] == "failed"
    assert service.show("NRestarts", "ExecMainStatus") == {"NRestarts": "0", "ExecMainStatus": "4"}
    assert inside.counters()["connects"] == 0


def test_journal_has_fields_to_select_by(machine, inside, running):
    inside.answer(inside.use("ping", guild=5))
    found = procs.wait_until(lambda: running.records("commands.run"), 10, "the command's record", tail=running.tail)[-1]
    assert found["MODULE"] == "ping"
    assert int(found["SHARD"]) == (int(found["GUILD_ID"]) >> 22) % 4, found
    assert found["_SYSTEMD_UNIT"] == "shoald.service" and found["SYSLOG_IDENTIFIER"] == "shoal-shard"
    # The journal's own matching finds it by each.
    for name in ("MODULE", "GUILD_ID", "SHARD"):
        text = machine.run("journalctl", "-o", "json", "--no-pager", "-n", "200", "EVENT=commands.run",
                           f"{name}={found[name]}", f"--since=@{running.began:.6f}").stdout
        assert any(json.loads(line)["__CURSOR"] == found["__CURSOR"] for line in text.splitlines()), name
    assert {one["SHARD"] for one in running.records("worker.ready")} == {"0", "1", "2", "3"}


MEMORY = "/sys/fs/cgroup/memory"


@pytest.fixture
def memory_group(folder, janitor):
    """A memory cgroup made by hand: systemd in a container can't make one that counts."""
    if not os.access(os.path.join(MEMORY, "cgroup.procs"), os.W_OK) or not os.path.exists(f"{MEMORY}/memory.limit_in_bytes"):
        pytest.skip("no memory cgroups of version 1 here, by which one worker could run out of memory")
    path = os.path.join(MEMORY, os.path.basename(folder))
    os.mkdir(path)
    janitor.cgroup(path)
    yield path
    procs.end_cgroup(path)
    assert not os.path.exists(path), f"{path} is left behind"


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(text))


def oom_kills(group):
    with open(os.path.join(group, "memory.oom_control"), encoding="ascii") as f:
        return int(re.search(r"oom_kill (\d+)", f.read()).group(1))


def test_worker_out_of_memory_leaves_the_fleet_running(machine, inside, running, memory_group):
    before, pids, pid = connections(inside), running.pids(), running.main_pid()
    put(os.path.join(memory_group, "cgroup.procs"), machine.host_pid(pids[1]))
    put(os.path.join(memory_group, "memory.limit_in_bytes"), 4096)

    def killed():
        # Whatever it takes: the next page of its is one too many.
        for guild in range(4):
            inside.use("help", guild=guild)
        return oom_kills(memory_group)
    procs.wait_until(killed, 30, "an out-of-memory kill", interval_s=0.05, tail=running.tail)
    inside.wait(resumes=before["resumes"] + 1)
    status = running.ready()
    now = running.pids()
    assert now[1] != pids[1] and all(now[shard] == pids[shard] for shard in (0, 2, 3))
    # The service goes on: neither stopped nor restarted, by OOMPolicy or otherwise.
    assert running.main_pid() == pid
    assert running.show("ActiveState", "NRestarts", "Result") == {"ActiveState": "active", "NRestarts": "0",
                                                                 "Result": "success"}
    assert connections(inside) == {**before, "connects": before["connects"] + 1, "resumes": before["resumes"] + 1}
    # No crash of its own: nothing that an event or a module could be blamed for.
    assert status["shards"][1]["last_end"]["class"] == "killed"
    assert status["shards"][1]["last_end"]["why"] == "killed by the kernel: out of memory"
    died = running.records("worker.died")
    assert [(one["SHARD"], one["CLASS"]) for one in died] == [("1", "killed")], died
    inside.wait_all_answered()


# --- doctor --------------------------------------------------------------------------------------------------------

def examined(machine):
    done = machine.run("shoalctl", "doctor", "--json", check=False)
    return {row["check"]: row for row in json.loads(done.stdout)["checks"]}


def test_doctor_looks_at_the_unit(machine, service):
    """What keeps workers alive beside a killed shoald is seen to be there, and a drop-in that takes it away as well."""
    service.configure("[Service]\nKillMode=control-group\n")
    service.systemctl("start")
    service.ready()
    row = examined(machine)["systemd"]
    assert row["verdict"] == "fail" and "KillMode=control-group" in row["what"], row
    service.finish()
    service.configure()
    service.systemctl("start")
    service.ready()
    rows = examined(machine)
    assert rows["systemd"]["verdict"] == "warn" and "shoald.service is active" in rows["systemd"]["what"], rows["systemd"]
    assert "UnitFileState" in rows["systemd"]["what"] and "KillMode" not in rows["systemd"]["what"]
    service.systemctl("enable")
    try:
        rows = examined(machine)
    finally:
        service.systemctl("disable")
    for check in ("systemd", "configuration", "runtime_dir", "descriptors", "supervisor", "shards", "discord"):
        assert rows[check]["verdict"] == "ok", rows[check]
