"""Private processes and folders that never outlive the one who made them.

Used by the local stack, `make run` and the integration suite. Standard library only.

Three nets, one below the other: the owner stops its children in order; a child gets a signal from the kernel when its
parent dies (PR_SET_PDEATHSIG); and a janitor, a process of its own that Ctrl-C does not reach, ends what is left and
removes the folders when the owner's end of a pipe closes, kill -9 included. Nothing but what was named to it is
touched.
"""

import ctypes
import errno
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
SOCKET_PATH_MAX = 107  # bytes, struct sockaddr_un
_libc = ctypes.CDLL(None, use_errno=True)


class StackError(Exception):
    """Something could not be started or did not get ready; the text is for a person."""


def wait_until(check, timeout_s, what, interval_s=0.01, tail=None):
    """Calls check() until it returns something true, which is returned; StackError at the deadline.
    For states that nobody can tell us of (a file that a foreign server writes). tail() adds a log's end."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise StackError(f"{what}: not within {timeout_s} s" + (f"\n{tail()}" if tail else ""))
        time.sleep(interval_s)


def file_tail(path, lines=40):
    """The end of a log, for an error message."""
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 65536))
            text = f.read().decode("utf-8", "replace").splitlines()
    except OSError as e:
        return f"({path}: {e.strerror})"
    return "\n".join(f"  | {line}" for line in text[-lines:])


def process_start_ticks(pid):
    """starttime of /proc/<pid>/stat: with the pid it names one process for good. None: no such process, or dead."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def private_dir(prefix="shoal"):
    """A new private folder on tmpfs (else in TMPDIR), its path short enough for sockets two levels below."""
    base = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK | os.X_OK) else None
    path = tempfile.mkdtemp(prefix=f"{prefix}.", dir=base)
    if len(os.fsencode(path)) > SOCKET_PATH_MAX - 40:
        os.rmdir(path)
        raise StackError(f"{path} is too long for unix sockets below it: set TMPDIR to something short")
    return path


def free_port(address="127.0.0.1"):
    """A port that was free a moment ago. Only for servers that cannot pick one themselves: try again when it is taken."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def service_user(name):
    """The account a server runs as: None (our own) unless we are root and the server refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise StackError(f"no user '{name}' here: `make deps` installs the package that makes it") from None


def spawn(argv, *, user=None, death_signal=signal.SIGTERM, log=None, env=None, cwd="/", stdin=subprocess.DEVNULL,
          stdout=None, stderr=None, new_session=True, pass_fds=()):
    """Popen of a child that gets death_signal when we die. Main thread only: the kernel watches the forking thread.
    log: a path that takes what stdout and stderr are not given for. user: a pwd row to become."""
    parent = os.getpid()

    def in_child():
        # After the change of user, which clears the setting.
        if _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)

    out = open(log, "ab") if log else None
    try:
        if user is not None and out is not None:
            os.fchown(out.fileno(), user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout if stdout is not None else out,
                                stderr=stderr if stderr is not None else out, env=env, cwd=cwd,
                                start_new_session=new_session, preexec_fn=in_child, close_fds=True,
                                pass_fds=pass_fds, **who)
    except FileNotFoundError as e:
        raise StackError(f"{e.filename}: not there; `make deps` installs what is missing") from None
    finally:
        if out is not None:
            out.close()


def stop(process, first=signal.SIGTERM, timeout_s=10.0):
    """Ends a child of ours: first, and SIGKILL when that did not do within timeout_s. Its exit status."""
    if process is None:
        return None
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def processes_naming(folder):
    """Pids of processes that name folder (or something below it) in an argument of their own."""
    needle = os.fsencode(folder)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                arguments = f.read().split(b"\0")
        except OSError:
            continue
        if any(a.split(b"=", 1)[-1] == needle or a.split(b"=", 1)[-1].startswith(needle + b"/") for a in arguments):
            yield int(entry)


def end_processes(pids, grace_s=3.0):
    """SIGTERM, and SIGKILL for those that are still there after grace_s."""
    handles = []
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except OSError as e:
            if e.errno == errno.ESRCH:
                continue
            raise
        handles.append((pid, fd))
        _signal(fd, signal.SIGTERM)
        _signal(fd, signal.SIGCONT)  # a stopped one would not hear
    deadline = time.monotonic() + grace_s
    for _, fd in handles:
        if not _gone(fd, deadline - time.monotonic()):
            _signal(fd, signal.SIGKILL)
            _gone(fd, 5.0)
        os.close(fd)


def _signal(pidfd, number):
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass


def _gone(pidfd, timeout_s):
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(0, int(timeout_s * 1000))))


def end_cgroup(path, timeout_s=10.0):
    """Kills whatever is in a cgroup of ours and below, and removes it. What can't be removed by then stays."""
    deadline = time.monotonic() + timeout_s
    while os.path.isdir(path):
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as f:
                    for pid in f.read().split():
                        os.kill(int(pid), signal.SIGKILL)
                os.rmdir(folder)
            except OSError:  # gone meanwhile, or still in use: looked at again
                pass
        if time.monotonic() >= deadline:
            return
        time.sleep(0.01)


class Janitor:
    """The process that cleans up after us however we end. One an owner is enough."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-I", os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        start_new_session=True, cwd="/")

    def _tell(self, *words):
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()

    def folder(self, path):
        """To be removed, after every process that names it was ended."""
        self._tell("dir", path)

    def child(self, process):
        """To be ended, if it is still the same process then."""
        ticks = process_start_ticks(process.pid)
        if ticks is not None:
            self._tell("pid", str(process.pid), str(ticks))

    def cgroup(self, path):
        """To be emptied and removed."""
        self._tell("cgroup", path)

    def mount(self, path):
        """To be unmounted before folders go."""
        self._tell("mount", path)

    def close(self, timeout_s=20.0):
        """Has it clean up now, and waits for it."""
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait(timeout_s)


def _janitor_main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    folders, children, mounts, cgroups = [], [], [], []
    for line in sys.stdin.buffer:
        kind, _, rest = line.decode().rstrip("\n").partition(" ")
        if kind == "dir":
            folders.append(rest)
        elif kind == "mount":
            mounts.append(rest)
        elif kind == "cgroup":
            cgroups.append(rest)
        elif kind == "pid":
            children.append(tuple(int(word) for word in rest.split()))
    end_processes([pid for pid, ticks in children if process_start_ticks(pid) == ticks])
    for folder in folders:
        end_processes(processes_naming(folder))
    for path in cgroups:
        end_cgroup(path)
    for path in mounts:
        subprocess.run(["umount", "-l", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _janitor_main()
