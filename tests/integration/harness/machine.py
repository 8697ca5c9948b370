"""A real systemd: the machine's own root under an overlay on tmpfs, booted by systemd-nspawn in namespaces of its own.

Nothing of it outlives the test: the container is a pid namespace whose first process is killed when we die, its mounts lie
in a mount namespace of its own, its memory is tmpfs, and its cgroups are below one that the janitor knows. The network is
its own as well; the test reaches it by stepping in (network()).
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

import harness
import procs
from harness.sim import Sim

BOOT_S = 60 * harness.PATIENCE
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as a login within has it, whatever ours is
COMMAND_S = 60 * harness.PATIENCE
CLONE_NEWNET = 0x40000000
CGROUPS = "/sys/fs/cgroup"
_libc = ctypes.CDLL(None, use_errno=True)

# $1: what to lay over the root, $2: the machine's name, then cgroups to be in.
BOOT = r"""
set -eu
stage=$1 name=$2
shift 2
for group; do
	echo $$ >"$group/cgroup.procs"
done
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/machine
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/machine
tar -C "$stage" -cf - . | tar -C /mnt/machine -xf - --no-overwrite-dir
# Another machine than this one; an empty file, or this one's, would have it ask who it is.
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/mnt/machine/etc/machine-id
# There is no network to wait for in here, and nothing of this machine's own is to be started.
ln -sf /dev/null /mnt/machine/etc/systemd/system/network-online.target
exec systemd-nspawn --quiet -D /mnt/machine -M "$name" --register=no --keep-unit --private-network --console=pipe \
	-b systemd.unit=basic.target
"""


def missing():
    """Why there can be no such machine here; None when there can."""
    if os.geteuid() != 0:
        return "booting a systemd in a container needs root"
    if not os.path.exists("/proc/self/ns/pid") or not _cgroup_roots():
        return "booting a systemd in a container needs namespaces and a writable /sys/fs/cgroup"
    with open("/proc/filesystems", encoding="ascii") as f:
        if not any(line.split()[-1] == "overlay" for line in f):
            return "booting a systemd in a container needs overlayfs in the kernel"
    probe = subprocess.run(["unshare", "-m", "-p", "-f", "-n", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        return f"no new namespaces here: {probe.stderr.strip()}"
    return None


def missing_programs():
    """Packages that `make deps` brings."""
    return [name for name in ("systemd-nspawn", "nsenter", "unshare", "dbus-daemon", "journalctl") if not shutil.which(name)]


def _cgroup_roots():
    """Hierarchies in which systemd keeps its tree: one, or two on a machine that still has version 1."""
    roots = [path for path in (os.path.join(CGROUPS, "systemd"), os.path.join(CGROUPS, "unified"))
             if os.path.exists(os.path.join(path, "cgroup.procs"))]
    if not roots and os.path.exists(os.path.join(CGROUPS, "cgroup.controllers")):
        roots = [CGROUPS]
    return [path for path in roots if os.access(path, os.W_OK)]


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(one) for one in f.read().split()]


class Machine:
    """stage: a folder whose content is laid over the root before the boot."""

    def __init__(self, folder, janitor, stage):
        self.folder, self.janitor, self.stage = folder, janitor, stage
        self.name = "shoal-" + os.path.basename(folder).rpartition(".")[2].lower().replace("_", "")
        self.log = os.path.join(folder, "machine.log")
        self.groups, self.process, self.leader = [], None, None

    def start(self):
        for root in _cgroup_roots():
            path = os.path.join(root, self.name)
            os.mkdir(path)
            self.groups.append(path)
            self.janitor.cgroup(path)
        script = os.path.join(self.folder, "boot.sh")
        with open(script, "w", encoding="ascii") as f:
            f.write(BOOT)
        # A pid namespace around it all: whoever kills its first process, or us, has ended everything.
        self.process = procs.spawn(["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "sh", script,
                                    self.stage, self.name, *self.groups], log=self.log, death_signal=signal.SIGKILL)
        self.janitor.child(self.process)
        procs.wait_until(self._is_up, BOOT_S, "a systemd in a container", interval_s=0.05,
                         tail=lambda: procs.file_tail(self.log))
        return self

    def _is_up(self):
        assert self.process.poll() is None, f"the container ended\n{procs.file_tail(self.log)}"
        try:
            for nspawn in _children(self.process.pid):
                for leader in _children(nspawn):
                    with open(f"/proc/{leader}/comm", encoding="ascii") as f:
                        if f.read().strip() == "systemd":
                            self.leader = leader
        except (FileNotFoundError, ProcessLookupError):
            return False
        return self.leader and self.run("systemctl", "is-system-running", check=False).stdout.strip() == "running"

    def stop(self):
        if self.process is not None:
            procs.stop(self.process, signal.SIGKILL)
            self.process = None
        for path in self.groups:
            procs.end_cgroup(path)
        left = [path for path in self.groups if os.path.exists(path)]
        self.groups = []
        assert not left, f"cgroups are left behind: {left}"

    def host_pid(self, pid):
        """The number out here of a process by its number within."""
        for folder, _, _ in os.walk(self.groups[0]):
            with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as f:
                members = f.read().split()
            for member in members:
                try:
                    with open(f"/proc/{member}/status", encoding="utf-8") as f:
                        numbers = next(line.split()[1:] for line in f if line.startswith("NSpid:"))
                except FileNotFoundError:
                    continue
                if int(numbers[-1]) == pid:
                    return int(member)
        raise AssertionError(f"no process {pid} in the machine")

    # --- inside ----------------------------------------------------------------------------------------------------

    def run(self, *argv, check=True, stdin=None):
        """A command within. AssertionError with its words when it failed and check is set."""
        done = subprocess.run(["nsenter", "-t", str(self.leader), "-a", *argv], input=stdin, capture_output=True, text=True,
                              timeout=COMMAND_S, check=False, env={**os.environ, "PATH": PATH},
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, path, text, mode="600"):
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, stdin=text)

    @contextlib.contextmanager
    def network(self):
        """Sockets and children made meanwhile are in the container's network. Main thread."""
        with open("/proc/self/ns/net", "rb") as ours, open(f"/proc/{self.leader}/ns/net", "rb") as theirs:
            _enter(theirs)
            try:
                yield
            finally:
                _enter(ours)

    def show(self, unit, *names):
        """{property: value} as systemctl tells."""
        text = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def journal(self, unit, since=0.0):
        """Its records, each a dict of the journal's fields, from a CLOCK_REALTIME on."""
        text = self.run("journalctl", "-u", unit, "-o", "json", "--no-pager", f"--since=@{since:.6f}").stdout
        return [json.loads(line) for line in text.splitlines()]


def _enter(namespace):
    if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class MachineSim(Sim):
    """discord-sim in a machine's network."""

    def __init__(self, machine, *arguments, **options):
        super().__init__(*arguments, **options)
        self.machine = machine

    def start(self, **options):
        with self.machine.network():
            return super().start(**options)

    def ask(self, *arguments, **options):
        with self.machine.network():
            return super().ask(*arguments, **options)


class Service:
    """shoald.service in a machine, with a sim of its own."""

    UNIT = "shoald.service"

    def __init__(self, machine, sim):
        self.machine, self.sim = machine, sim
        self.began = time.time()

    def configure(self, dropin="", **options):
        """options: section__key=value of shoal.ini."""
        sections = {}
        for name, value in {"discord__api_base": self.sim.api, "log__level": "debug", "supervisor__restart_floor_ms": 50,
                            "supervisor__http_listen": "127.0.0.1:0", **options}.items():
            section, _, key = name.partition("__")
            sections.setdefault(section, []).append(f"{key} = {value}\n")
        self.machine.write("/etc/shoal/shoal.ini", "".join(f"[{s}]\n{''.join(lines)}" for s, lines in sections.items()), "640")
        self.machine.write("/etc/shoal/discord-token", self.sim.token + "\n")
        self.machine.write("/etc/systemd/system/shoald.service.d/test.conf", dropin, "644")
        self.machine.run("systemd-tmpfiles", "--create")
        self.machine.run("systemctl", "daemon-reload")
        return self

    def systemctl(self, *arguments, check=True):
        return self.machine.run("systemctl", *arguments, self.UNIT, check=check)

    def show(self, *names):
        return self.machine.show(self.UNIT, *names)

    def status(self):
        """What shoalctl says; None while there is nobody to ask."""
        done = self.machine.run("shoalctl", "status", "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def ready(self, timeout_s=30 * harness.PATIENCE):
        def look():
            status = self.status()
            return status if status and status["shards"] and all(s["state"] == "ready" for s in status["shards"]) else None
        return procs.wait_until(look, timeout_s, "every shard ready", interval_s=0.05, tail=self.tail)

    def wait(self, timeout_s=30 * harness.PATIENCE, **properties):
        """Waits until every named property has its value; all of them then."""
        def look():
            now = self.show(*properties)
            return now if all(now.get(name) == value for name, value in properties.items()) else None
        return procs.wait_until(look, timeout_s, str(properties), interval_s=0.05, tail=self.tail)

    def pids(self):
        return {one["id"]: one["pid"] for one in self.status()["shards"]}

    def main_pid(self):
        return int(self.show("MainPID")["MainPID"])

    def kill(self, pid, number=signal.SIGKILL):
        """A process by its number in the machine."""
        self.machine.run("kill", f"-{int(number)}", str(pid))

    def records(self, event=None):
        return [one for one in self.machine.journal(self.UNIT, self.began) if event is None or one.get("EVENT") == event]

    def tail(self):
        return "\n".join(f"  | {one.get('SYSLOG_IDENTIFIER')}: {one.get('MESSAGE')}" for one in self.records()[-60:])

    def finish(self):
        """Stopped; nothing of it left in the machine for the next one."""
        self.machine.run("systemctl", "stop", self.UNIT, check=False)
        self.machine.run("systemctl", "reset-failed", self.UNIT, check=False)
        self.machine.run("sh", "-c", "pkill -KILL -u shoal; rm -rf /run/shoal /var/lib/shoal", check=False)
