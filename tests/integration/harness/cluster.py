"""A PostgreSQL cluster of the test's own: a primary and a synchronous standby that streams from it, with failover by hand
(what a cluster manager does, without one), so that each step is at a known moment."""

import os
import shutil
import signal
import time

import procs
import stack as local_stack
from procs import StackError


class Node(local_stack.Postgres):
    """One server of the cluster, in a folder of its own."""

    def __init__(self, folder, janitor, name):
        self.node = name
        os.makedirs(os.path.join(folder, name), mode=0o711)
        super().__init__(os.path.join(folder, name), janitor)

    def kill(self):
        """Everything of it at once, as a machine that loses its power: no backend ends what it is about."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            family = [pid] + [int(child) for child in f.read().split()]
        for one in family:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass
        super().kill()

    def become_standby_of(self, primary):
        """A fresh copy of the primary, started as its standby; returns when it streams."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.passwords = primary.passwords
        source = (f"host={primary.socket_dir} port={primary.port} user=postgres password={primary.passwords['postgres']}"
                  f" application_name={self.node}")
        child = procs.spawn([os.path.join(self.bin, "pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                             "-d", source], user=self.user, log=self.log, death_signal=signal.SIGKILL)
        self.janitor.child(child)
        if child.wait() != 0:
            raise StackError("pg_basebackup failed:\n" + procs.file_tail(self.log))
        self.start()
        primary.wait_standby(self.node)

    def wait_standby(self, name, state="streaming"):
        procs.wait_until(lambda: self.psql(f"SELECT state FROM pg_stat_replication WHERE application_name = '{name}'"
                                           " AND pg_current_wal_lsn() <= flush_lsn") == state,
                         local_stack.START_TIMEOUT_S, f"{name} streams", tail=lambda: procs.file_tail(self.log))

    def make_synchronous(self, name):
        """From the return on, what is acknowledged is on the standby too."""
        self.configure(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        procs.wait_until(lambda: self.psql(f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}'")
                         == "sync", local_stack.START_TIMEOUT_S, f"{name} is synchronous")


class Cluster:
    """primary and standby change places with every failover()."""

    def __init__(self, folder, janitor):
        os.chmod(folder, 0o711)
        self.primary, self.standby = Node(folder, janitor, "one"), Node(folder, janitor, "two")
        self.nodes = (self.primary, self.standby)

    def start(self):
        self.primary.start()
        self.standby.become_standby_of(self.primary)
        self.primary.make_synchronous(self.standby.node)
        return self

    def stop(self):
        for node in self.nodes:
            node.stop()

    def conninfo(self, attrs="read-write", database="shoal"):
        return (f"host={','.join('127.0.0.1' for _ in self.nodes)} port={','.join(str(n.port) for n in self.nodes)}"
                f" user=shoal password={self.primary.passwords['shoal']} dbname={database} target_session_attrs={attrs}")

    def failover(self):
        """kill -9 of the primary, and the standby takes over. Returns when that takes writes: monotonic ns of the kill."""
        killed = time.monotonic_ns()
        self.primary.kill()
        self.standby.psql("SELECT pg_promote(true, 60)")
        # Nobody stands by: a cluster manager lifts the wait then, too.
        self.standby.configure("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.primary, self.standby = self.standby, self.primary
        return killed

    def repair(self):
        """The dead one comes back as the new primary's synchronous standby."""
        self.standby.become_standby_of(self.primary)
        self.primary.make_synchronous(self.standby.node)
