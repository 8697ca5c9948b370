"""The cluster of deploy/patroni for real, on loopback: three "hosts" of etcd, Patroni with PostgreSQL, and pgbouncer, made
from the very files that operators get. Only addresses, folders and passwords are other ones."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import harness
import procs
import stack as local_stack

DEPLOY = os.path.join(harness.ROOT, "deploy", "patroni")
READY_S = 120 * harness.PATIENCE


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def environment_of(sample, **values):
    """The sample's environment with values of our own; each must be one that the sample has."""
    env = {}
    with open(os.path.join(DEPLOY, sample), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, _, value = line.strip().partition("=")
                env[name] = value
    unknown = set(values) - set(env)
    assert not unknown, f"{sample} does not speak of {unknown}"
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/", **env, **values}


class Host:
    """etcd, Patroni with its PostgreSQL, pgbouncer."""

    def __init__(self, cluster, name, ports):
        self.cluster, self.name = cluster, name
        self.etcd_client, self.etcd_peer, self.rest, self.postgres, self.pooler = ports
        self.folder = os.path.join(cluster.folder, name)
        os.mkdir(self.folder, 0o700)
        self.own(self.folder)
        self.data = os.path.join(self.folder, "data")
        self.processes = {}
        self.generation = 0

    def own(self, path):
        user = self.cluster.user
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(text)
        self.own(path)
        return path

    def log(self, what):
        return os.path.join(self.cluster.folder, f"{self.name}.{what}.log")

    def spawn(self, what, argv, env):
        process = procs.spawn(argv, user=self.cluster.user, log=self.log(what), env=env, cwd="/",
                              death_signal=signal.SIGKILL)
        self.cluster.janitor.child(process)
        self.processes[what] = process

    # --- its parts -------------------------------------------------------------------------------------------------

    def start_etcd(self):
        members = ",".join(f"{h.name}=http://127.0.0.1:{h.etcd_peer}" for h in self.cluster.hosts)
        env = environment_of(
            "etcd.env.sample", ETCD_NAME=self.name, ETCD_DATA_DIR=os.path.join(self.folder, "etcd"),
            ETCD_INITIAL_CLUSTER=members, ETCD_LISTEN_PEER_URLS=f"http://127.0.0.1:{self.etcd_peer}",
            ETCD_INITIAL_ADVERTISE_PEER_URLS=f"http://127.0.0.1:{self.etcd_peer}",
            ETCD_LISTEN_CLIENT_URLS=f"http://127.0.0.1:{self.etcd_client}",
            ETCD_ADVERTISE_CLIENT_URLS=f"http://127.0.0.1:{self.etcd_client}")
        self.spawn("etcd", [local_stack.find_program("etcd")], env)

    def start_patroni(self):
        folder = os.path.join(self.folder, "patroni")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.own(folder)
        # The file as it is, and behind it what a machine of three hosts wants (no watchdog, no fsync of thrown-away data).
        shutil.copy(os.path.join(DEPLOY, "patroni.yml"), os.path.join(folder, "10-shoal.yml"))
        os.chmod(os.path.join(folder, "10-shoal.yml"), 0o644)
        self.write("patroni/20-here.yml", f"""
postgresql:
  bin_dir: {local_stack.postgres_bin_dir()}
  parameters: {{unix_socket_directories: "{self.folder}", fsync: "off", shared_buffers: 24MB,
               dynamic_shared_memory_type: mmap}}
watchdog: {{mode: "off"}}
""")
        passwords = self.cluster.passwords
        env = environment_of(
            "patroni.env.sample", PATRONI_NAME=self.name,
            PATRONI_ETCD3_HOSTS=",".join(f"127.0.0.1:{h.etcd_client}" for h in self.cluster.hosts),
            PATRONI_RESTAPI_LISTEN=f"127.0.0.1:{self.rest}", PATRONI_RESTAPI_CONNECT_ADDRESS=f"127.0.0.1:{self.rest}",
            PATRONI_POSTGRESQL_LISTEN=f"127.0.0.1:{self.postgres}",
            PATRONI_POSTGRESQL_CONNECT_ADDRESS=f"127.0.0.1:{self.postgres}",
            PATRONI_POSTGRESQL_DATA_DIR=self.data, PATRONI_POSTGRESQL_PGPASS=os.path.join(self.folder, "pgpass"),
            PATRONI_SUPERUSER_PASSWORD=passwords["postgres"], PATRONI_REPLICATION_PASSWORD=passwords["replicator"],
            PATRONI_REWIND_PASSWORD=passwords["rewinder"], PATRONI_RESTAPI_PASSWORD=passwords["patroni"])
        self.spawn("patroni", [local_stack.find_program("patroni"), folder], env)

    def start_pooler(self):
        with open(os.path.join(DEPLOY, "pgbouncer.ini"), encoding="utf-8") as f:
            text = f.read()
        users = self.write("users", "".join(f'"{name}" "{word}"\n' for name, word in self.cluster.passwords.items()))
        for pattern, value in ((r"(?m)^(shoal = host=127\.0\.0\.1 port=)\d+", self.postgres),
                               (r"(?m)^(listen_addr = ).*", "127.0.0.1"), (r"(?m)^(listen_port = ).*", self.pooler),
                               (r"(?m)^(unix_socket_dir = ).*", ""), (r"(?m)^(auth_file = ).*", users),
                               (r"(?m)^(logfile = ).*", os.path.join(self.folder, "pgbouncer.log")),
                               (r"(?m)^(pidfile = ).*", os.path.join(self.folder, "pgbouncer.pid"))):
            text, found = re.subn(pattern, lambda m, v=value: m.group(1) + str(v), text)
            assert found == 1, f"pgbouncer.ini: {pattern}"
        path = self.write("pgbouncer.ini", text)
        self.spawn("pgbouncer", [local_stack.find_program("pgbouncer"), "-q", path], {"PATH": os.environ["PATH"]})

    # --- what becomes of it ----------------------------------------------------------------------------------------

    def postmaster(self):
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None

    def kill_postgres(self):
        """kill -9 of the server and its backends."""
        pid = self.postmaster()
        family = [pid]
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                family += [int(child) for child in f.read().split()]
        except OSError:
            pass
        for one in family:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill(self):
        """The host loses its power: all of it at once."""
        for what in ("patroni", "pgbouncer", "etcd"):
            self.processes[what].kill()
        self.kill_postgres()
        for process in self.processes.values():
            process.wait()

    def back(self):
        """Its power is back."""
        self.start_etcd()
        self.start_patroni()
        self.start_pooler()

    def ask(self, path):
        """(status, JSON) of Patroni's REST API; (0, None): nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, None
        except (OSError, ValueError):
            return 0, None


class PatroniCluster:
    def __init__(self, folder, janitor):
        os.chmod(folder, 0o711)
        self.folder = os.path.join(folder, "cluster")
        os.mkdir(self.folder, 0o711)
        self.janitor, self.user = janitor, procs.service_user("postgres")
        self.passwords = {name: secrets.token_hex(12) for name in ("postgres", "replicator", "rewinder", "patroni", "shoal")}
        ports = free_ports(15)
        self.hosts = [Host(self, f"db{i + 1}", ports[5 * i:5 * i + 5]) for i in range(3)]

    def start(self):
        for host in self.hosts:
            host.start_etcd()
        for host in self.hosts:
            host.start_patroni()
            host.start_pooler()
        self.wait_whole()
        self.psql(f"CREATE ROLE shoal LOGIN PASSWORD '{self.passwords['shoal']}'", database="postgres")
        self.psql("CREATE DATABASE shoal OWNER shoal", database="postgres")
        # libpq does not go on to the next host when one refuses the password: every one must know the role.
        procs.wait_until(lambda: self.psql("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >="
                                           " pg_current_wal_lsn()", database="postgres") == "2", READY_S, "both caught up")
        return self

    def stop(self):
        for host in self.hosts:
            for what in ("patroni", "pgbouncer", "etcd"):
                if what in host.processes:
                    procs.stop(host.processes[what], signal.SIGKILL)
            if host.postmaster():
                host.kill_postgres()

    def logs(self):
        return "\n".join(f"{host.name} {what}:\n{procs.file_tail(host.log(what), 12)}"
                         for host in self.hosts for what in ("patroni", "etcd"))

    def leader(self):
        """The host whose server takes writes, by its own word; None: nobody's."""
        for host in self.hosts:
            if host.ask("/leader")[0] == 200:
                return host
        return None

    def wait_leader(self, other_than=None):
        return procs.wait_until(lambda: (lambda one: one if one is not other_than else None)(self.leader()), READY_S,
                                "a leader", interval_s=0.1, tail=self.logs)

    def roles(self):
        for host in self.hosts:
            status, cluster = host.ask("/cluster")
            if status == 200:
                return {one["name"]: (one["role"], one["state"]) for one in cluster["members"]}
        return {}

    def wait_whole(self):
        """A leader, a synchronous standby, and one more."""
        def look():
            roles = self.roles()
            return sorted(role for role, state in roles.values() if state in ("running", "streaming")) == \
                ["leader", "replica", "sync_standby"] and roles
        return procs.wait_until(look, READY_S, "leader, synchronous standby and another", interval_s=0.2,
                                tail=lambda: f"{self.roles()}\n{self.logs()}")

    def psql(self, sql, database="shoal"):
        leader = self.wait_leader()
        done = subprocess.run([os.path.join(local_stack.postgres_bin_dir(), "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h",
                               "127.0.0.1", "-p", str(leader.postgres), "-U", "postgres", "-d", database, "-f", "-"],
                              input=sql, env={"PGPASSWORD": self.passwords["postgres"], "PATH": os.environ["PATH"]},
                              capture_output=True, text=True, timeout=60, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def conninfo(self, attrs="read-write", pooler=True):
        ports = ",".join(str(host.pooler if pooler else host.postgres) for host in self.hosts)
        return (f"host={','.join(['127.0.0.1'] * 3)} port={ports} user=shoal password={self.passwords['shoal']} dbname=shoal"
                f" target_session_attrs={attrs}")
