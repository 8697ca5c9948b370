#!/usr/bin/python3
"""A private PostgreSQL, nats-server and (when asked for) pgbouncer, for `make run` and the tests.

    stack.py run [--pgbouncer] -- COMMAND...   runs COMMAND with DATABASE_URL, NATS_URL and SHOAL_TEST_PG, SHOAL_TEST_NATS
                                               (SHOAL_TEST_PGBOUNCER) set; its exit status is ours
    stack.py up [--pgbouncer]                  starts, prints one JSON line {postgres, nats, …}, serves until Ctrl-C

Everything lies in one folder on tmpfs that is removed at the end, listens on loopback and on sockets in that folder
only, on ports that were free, behind a password made for this run. A system's own instances are never touched.
PostgreSQL refuses to run as root: root's runs as the user postgres. It runs WITHOUT fsync: its data is thrown away.
"""

import argparse
import glob
import json
import os
import re
import secrets
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import procs  # noqa: E402
from procs import StackError  # noqa: E402

START_TIMEOUT_S = 60.0  # a busy machine; readiness is waited for, not this
PORT_TRIES = 8


def find_program(name, *folders):
    """The path of a program; the Debian folders are looked into, since sbin and PostgreSQL's are on no user's PATH."""
    for folder in [*folders, *os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/bin"]:
        path = os.path.join(folder, name)
        if folder and os.access(path, os.X_OK):
            return path
    raise StackError(f"{name} is not installed: `make deps` installs it")


def postgres_bin_dir():
    """The newest PostgreSQL's folder of programs."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4])))
    return os.path.dirname(os.path.realpath(find_program("initdb")))


class Server:
    """One server process: start() until it is ready, kill() as an accident would, stop() in order."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, folder, janitor):
        self.folder, self.janitor = folder, janitor
        self.log = os.path.join(folder, f"{self.name}.log")
        self.process = None

    def _launch(self, argv, user=None, death_signal=signal.SIGKILL):
        self.process = procs.spawn(argv, user=user, log=self.log, death_signal=death_signal)
        self.janitor.child(self.process)

    def _wait_ready(self, check):
        def ready_or_dead():
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended with status {self.process.returncode} before it was ready:\n"
                                 + procs.file_tail(self.log))
            return check()
        return procs.wait_until(ready_or_dead, START_TIMEOUT_S, f"{self.name} ready",
                                tail=lambda: procs.file_tail(self.log))

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.running:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def stop(self):
        procs.stop(self.process, self.stop_signal)


class Postgres(Server):
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends the connections, shuts down

    def __init__(self, folder, janitor, settings=None):
        super().__init__(folder, janitor)
        self.settings = settings or {}  # over those below
        self.bin = postgres_bin_dir()
        self.user = procs.service_user("postgres")
        self.socket_dir = os.path.join(folder, "pg")
        self.data = os.path.join(self.socket_dir, "data")
        self.port = None
        self.passwords = {"postgres": secrets.token_hex(16), "shoal": secrets.token_hex(16)}
        os.mkdir(self.socket_dir, 0o700)
        if self.user is not None:
            os.chown(self.socket_dir, self.user.pw_uid, self.user.pw_gid)

    def url(self, role="shoal", database="shoal", socket=False):
        where = f"?host={self.socket_dir}&port={self.port}" if socket else ""
        return (f"postgresql://{role}:{self.passwords[role]}@{'' if socket else f'127.0.0.1:{self.port}'}"
                f"/{database}{where}")

    def start(self):
        fresh = not os.path.exists(self.data)
        if fresh:
            self._init()
        for attempt in range(PORT_TRIES):
            if self.port is None or attempt > 0:
                if not fresh and attempt > 0:
                    raise StackError(f"postgres: port {self.port} was taken by somebody else while it was down")
                self.port = procs.free_port()
            if self._start_once():
                break
        else:
            raise StackError("postgres: found no free port\n" + procs.file_tail(self.log))
        if fresh:
            self.psql(f"CREATE ROLE shoal LOGIN PASSWORD '{self.passwords['shoal']}'")
            self.create_database("shoal")

    def _init(self):
        password_file = os.path.join(self.socket_dir, "password")
        fd = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write(self.passwords["postgres"] + "\n")
        if self.user is not None:
            os.chown(password_file, self.user.pw_uid, self.user.pw_gid)
        child = procs.spawn([os.path.join(self.bin, "initdb"), "-D", self.data, "-U", "postgres", "-A", "scram-sha-256",
                             "--pwfile", password_file, "-E", "UTF8", "--locale=C", "-N", "--no-instructions"],
                            user=self.user, log=self.log, death_signal=signal.SIGKILL)
        if child.wait() != 0:
            raise StackError("initdb failed:\n" + procs.file_tail(self.log))
        os.unlink(password_file)

    def _start_once(self):
        """False when the port was taken."""
        offset = os.path.getsize(self.log)
        pid_file = os.path.join(self.data, "postmaster.pid")
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.socket_dir,
            # Thrown away at the end. A killed server still finds all it acknowledged: the kernel did not die.
            "fsync": "off", "full_page_writes": "off",
            "shared_buffers": "32MB", "max_connections": 200, "log_line_prefix": "%m [%p] ", "timezone": "UTC",
            "dynamic_shared_memory_type": "mmap",  # nothing of ours lies outside the folder
            # Its sleepers wake too often for a machine that measures; nothing here needs them.
            "autovacuum_naptime": "60s", "max_wal_size": "256MB", "max_parallel_workers_per_gather": 0,
            **self.settings,
        }
        argv = [os.path.join(self.bin, "postgres"), "-D", self.data]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        self._launch(argv, user=self.user, death_signal=signal.SIGQUIT)

        def ready():
            # The same place that pg_ctl looks at: the eighth line of the pid file, of this very process.
            try:
                with open(pid_file, encoding="ascii") as f:
                    lines = f.read().splitlines()
            except OSError:
                return False
            return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() in ("ready", "standby")

        try:
            self._wait_ready(ready)
        except StackError:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                f.seek(offset)
                taken = re.search(r"Address already in use|could not create any TCP/IP sockets", f.read())
            if taken and self.process.poll() is not None:
                return False
            raise
        return True

    def use_tls(self, certificate, key):
        """Switches TLS on, or to another certificate; new connections have it when this returns."""
        import shutil

        settings = []
        for setting, path in (("ssl_cert_file", certificate), ("ssl_key_file", key)):
            mine = os.path.join(self.socket_dir, f"{setting}.{secrets.token_hex(4)}.pem")
            shutil.copy(path, mine)
            os.chmod(mine, 0o600)
            if self.user is not None:
                os.chown(mine, self.user.pw_uid, self.user.pw_gid)
            settings.append(f"ALTER SYSTEM SET {setting} = '{mine}'")
        self.configure(*settings, "ALTER SYSTEM SET ssl = on")

    def configure(self, *statements):
        """Runs ALTER SYSTEMs and waits until the postmaster has read what they wrote."""
        before = self.psql("SELECT extract(epoch FROM pg_conf_load_time())")
        for statement in statements:
            self.psql(statement)
        self.psql("SELECT pg_reload_conf()")
        procs.wait_until(lambda: self.psql(f"SELECT extract(epoch FROM pg_conf_load_time()) > {before}") == "t",
                         START_TIMEOUT_S, "postgres reads its configuration anew")

    def kill(self):
        """kill -9 of the postmaster and its backends, which else would notice only when they are idle: what is asked after
        this is answered by nobody. The next start recovers."""
        backends = []
        if self.running:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
                backends = [int(pid) for pid in f.read().split()]
        super().kill()
        procs.end_processes(backends, 0)
        for pid in list(procs.processes_naming(self.data)):
            procs.end_processes([pid], 0)

    def psql(self, sql, database="postgres", role="postgres"):
        """Runs sql, returns the rows as text (unaligned, tuples only). StackError with psql's words."""
        done = subprocess.run(
            [os.path.join(self.bin, "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir, "-p",
             str(self.port), "-U", role, "-d", database, "-f", "-"],
            input=sql, env={"PGPASSWORD": self.passwords[role], "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True, text=True, timeout=60, check=False, cwd="/")
        if done.returncode != 0:
            raise StackError(f"psql: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def create_database(self, name):
        self.psql(f'CREATE DATABASE "{name}" OWNER shoal')
        return self.url(database=name)


class Nats(Server):
    name = "nats"

    def __init__(self, folder, janitor):
        super().__init__(folder, janitor)
        self.port = None
        self.password = secrets.token_hex(16)

    @property
    def url(self):
        return f"nats://shoal:{self.password}@127.0.0.1:{self.port}"

    def start(self):
        ports_dir = os.path.join(self.folder, "nats-ports")
        os.makedirs(ports_dir, mode=0o700, exist_ok=True)
        config = os.path.join(self.folder, "nats.conf")
        with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(f'listen: "127.0.0.1:{self.port or -1}"\n'
                    f'ports_file_dir: "{ports_dir}"\n'
                    f'jetstream {{ store_dir: "{self.folder}/jetstream", max_memory_store: 64M, max_file_store: 512M }}\n'
                    f'authorization {{ user: "shoal", password: "{self.password}" }}\n')
        self._launch([find_program("nats-server"), "-c", config, "-l", self.log])
        ports_file = os.path.join(ports_dir, f"nats-server_{self.process.pid}.ports")

        def ready():
            try:
                with open(ports_file, encoding="ascii") as f:
                    return int(json.load(f)["nats"][0].rsplit(":", 1)[1])
            except (OSError, ValueError, LookupError):
                return None  # not there, or half written

        self.port = self._wait_ready(ready)


class PgBouncer(Server):
    """In transaction mode, where Debian 12's loses named statements: what a large fleet has to live with."""

    name = "pgbouncer"
    stop_signal = signal.SIGTERM

    def __init__(self, folder, janitor, postgres, pool_size=8):
        super().__init__(folder, janitor)
        self.postgres, self.pool_size = postgres, pool_size
        self.user = procs.service_user("postgres")
        self.port = None

    def url(self, database="shoal"):
        return f"postgresql://shoal:{self.postgres.passwords['shoal']}@127.0.0.1:{self.port}/{database}"

    def start(self):
        for _ in range(PORT_TRIES):
            self.port = self.port or procs.free_port()
            users = os.path.join(self.postgres.socket_dir, "pgbouncer.users")
            config = os.path.join(self.postgres.socket_dir, "pgbouncer.ini")
            self._write(users, "".join(f'"{role}" "{word}"\n' for role, word in self.postgres.passwords.items()))
            self._write(config, f"""[databases]
* = host=127.0.0.1 port={self.postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {self.pool_size}
max_client_conn = 2000
ignore_startup_parameters = extra_float_digits,options
logfile = {self.log}
""")
            offset = os.path.getsize(self.log) if os.path.exists(self.log) else 0
            self._launch([find_program("pgbouncer"), "-q", config], user=self.user)

            def ready():
                with open(self.log, encoding="utf-8", errors="replace") as f:
                    f.seek(offset)
                    return "process up:" in f.read()

            try:
                self._wait_ready(ready)
                return
            except StackError:
                if self.process.poll() is None or "Address already in use" not in procs.file_tail(self.log):
                    raise
                self.port = None
        raise StackError("pgbouncer: found no free port\n" + procs.file_tail(self.log))

    def _write(self, path, text):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


class Stack:
    """The servers and their folder; a context manager. pgbouncer: True, or the size of its pool of server connections."""

    def __init__(self, postgres=True, nats=True, pgbouncer=False, janitor=None, prefix="shoal-stack", settings=None):
        self.own_janitor = janitor is None
        self.janitor = janitor or procs.Janitor()
        self.folder = procs.private_dir(prefix)
        os.chmod(self.folder, 0o711)  # the user postgres has to pass through
        self.janitor.folder(self.folder)
        self.postgres = Postgres(self.folder, self.janitor, settings) if postgres else None
        self.nats = Nats(self.folder, self.janitor) if nats else None
        self.pgbouncer = (PgBouncer(self.folder, self.janitor, self.postgres, 8 if pgbouncer is True else pgbouncer)
                          if pgbouncer and postgres else None)

    @property
    def servers(self):
        return [server for server in (self.postgres, self.nats, self.pgbouncer) if server is not None]

    def start(self):
        for server in self.servers:
            server.start()
        return self

    def stop(self):
        import shutil

        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.own_janitor:
            self.janitor.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def environment(self):
        """What a program or a test is told."""
        env = {}
        if self.postgres is not None:
            env["DATABASE_URL"] = env["SHOAL_TEST_PG"] = self.postgres.url()
            env["SHOAL_TEST_PG_ADMIN"] = self.postgres.url(role="postgres", database="postgres")
            env["SHOAL_TEST_PG_PID"] = str(self.postgres.process.pid)
        if self.nats is not None:
            env["NATS_URL"] = env["SHOAL_TEST_NATS"] = self.nats.url
            env["SHOAL_TEST_NATS_PID"] = str(self.nats.process.pid)
        if self.pgbouncer is not None:
            env["SHOAL_TEST_PGBOUNCER"] = self.pgbouncer.url()
        return env


class Interrupted(Exception):
    """A signal asked us to stop."""


def raise_on_signals(numbers=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
    """Lets the signals unwind the stack of `with`s; a second one while cleaning up is not heard."""
    def handler(number, _frame):
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    for number in numbers:
        signal.signal(number, handler)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "run"])
    parser.add_argument("--pgbouncer", action="store_true", help="pgbouncer (transaction mode) in front, too")
    parser.add_argument("--no-postgres", action="store_true")
    parser.add_argument("--no-nats", action="store_true")
    arguments = sys.argv[1:] if argv is None else argv
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options, command = parser.parse_args(arguments[:split]), arguments[split + 1:]
    if (options.verb == "run") != bool(command):
        parser.error("run wants `-- COMMAND…`, up takes none")
    # Our parent's death is our signal: nobody is left who wants the servers.
    procs._libc.prctl(procs.PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    raise_on_signals()
    try:
        with Stack(not options.no_postgres, not options.no_nats, options.pgbouncer) as stack:
            env = stack.environment()
            if options.verb == "up":
                print(json.dumps({"folder": stack.folder, **env}), flush=True)
                while True:
                    signal.pause()
            child = procs.spawn(command, env={**os.environ, **env}, cwd=None, stdin=None, new_session=False)
            return child.wait()
    except Interrupted as e:
        return 0 if options.verb == "up" else 128 + signal.Signals[str(e)].value
    except StackError as e:
        print(f"stack: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
