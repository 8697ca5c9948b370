"""Settings read and written durably: the database layer of one worker beside pgbench, on the same server in the same run,
by turns; and 64 of those layers through pgbouncer on 20 server connections."""

import json
import os
import re
import subprocess
import tempfile

import procs
import stack as local_stack

GUILDS = 10000
OUTSTANDING = 64
# A server whose commits are durable as in earnest; its files lie on tmpfs, where an fsync costs next to nothing.
SETTINGS = {"fsync": "on", "full_page_writes": "on"}
SQL = {
    "read": "\\set g random(1, {guilds})\n"
            "SELECT value, version, updated_by FROM shoal.guild_setting WHERE guild_id = :g AND name = 'prefix'"
            " AND value IS NOT NULL;\n",
    "write": "\\set g random(1, {guilds})\n"
             "INSERT INTO shoal.guild_setting AS s (guild_id, name, value, version, updated_by, updated_at)"
             " VALUES (:g, 'prefix', '\"?\"', 1, 80351110224678912, now())"
             " ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value, version = s.version + 1,"
             " updated_by = excluded.updated_by, updated_at = excluded.updated_at RETURNING version;\n",
}


class Database:
    def __init__(self, bench, build):
        self.build = build
        self.stack = local_stack.Stack(nats=False, pgbouncer=20, janitor=bench.janitor, settings=SETTINGS).start()
        self.url, self.through = self.stack.postgres.url(), self.stack.pgbouncer.url()
        self.scripts = {}
        folder = bench.folder("pgbench")
        for what, sql in SQL.items():
            self.scripts[what] = os.path.join(folder, f"{what}.sql")
            with open(self.scripts[what], "w", encoding="ascii") as f:
                f.write(sql.format(guilds=GUILDS))
        subprocess.run([os.path.join(build, "shoalctl"), "migrate", "up"], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, env={**os.environ, "DATABASE_URL": self.url}, timeout=60)
        self.stack.postgres.psql("INSERT INTO shoal.guild_setting (guild_id, name, value)"
                                 f" SELECT g, 'prefix', '\"!\"' FROM generate_series(1, {GUILDS}) AS g", "shoal")
        self.stack.postgres.psql("VACUUM ANALYZE shoal.guild_setting", "shoal")

    def close(self):
        self.stack.stop()

    def worker(self, what, seconds, outstanding=OUTSTANDING, connections=2):
        return self._start(self.url, what, seconds, outstanding, connections).result()

    def _start(self, url, what, seconds, outstanding, connections, *more):
        return Load([os.path.join(self.build, "tests/bench/bench_db"), url, what, str(seconds), str(GUILDS),
                     str(outstanding), str(connections), *more])

    def pgbench(self, what, seconds, clients):
        """Prepared statements, as many connections as clients."""
        done = subprocess.run([os.path.join(self.stack.postgres.bin, "pgbench"), "-n", "-M", "prepared", "-f",
                               self.scripts[what], "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds),
                               self.url], capture_output=True, text=True, check=True, timeout=60 + seconds)
        assert "number of failed transactions: 0 " in done.stdout, done.stdout
        return {"per_s": float(re.search(r"tps = ([\d.]+)", done.stdout)[1]),
                "mean_us": float(re.search(r"latency average = ([\d.]+) ms", done.stdout)[1]) * 1000}

    def outbox(self, count):
        """Writes kept on a real disk while no database is there, brought to it then, and as many straight."""
        with tempfile.TemporaryDirectory(prefix="shoal-bench-", dir="/var/tmp") as folder:
            done = subprocess.run([os.path.join(self.build, "tests/bench/bench_outbox"), folder, str(count), str(OUTSTANDING),
                                   self.url], capture_output=True, text=True, check=True, timeout=300)
        return json.loads(done.stdout)

    def side_by_side(self, what, seconds, rounds, clients):
        """The best round of each, taken by turns: neighbours and the server's own work hit both alike."""
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(self.worker(what, seconds))
            theirs.append(self.pgbench(what, seconds, clients))
        return max(ours, key=lambda one: one["per_s"]), max(theirs, key=lambda one: one["per_s"])

    def fleet(self, workers, seconds):
        """As many layers at once, reading and writing by turns, through pgbouncer; and how many the server saw."""
        loads = [self._start(self.through, "write" if number % 2 else "read", seconds, 8, 2, "plain")
                 for number in range(workers)]
        most = 0
        while any(load.running for load in loads):
            most = max(most, int(self.stack.postgres.psql(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shoal' AND backend_type = 'client backend'")))
        found = [load.result() for load in loads]
        return {"workers": workers, "server_connections": most, "failed": sum(one["failed"] for one in found),
                "reads_per_s": sum(one["per_s"] for one in found[::2]),
                "writes_per_s": sum(one["per_s"] for one in found[1::2])}


class Load:
    """One bench_db at work."""

    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def running(self):
        return self.process.poll() is None

    def result(self):
        out, error = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise procs.StackError(f"bench_db ended with {self.process.returncode}: {out}{error}")
        return json.loads(out)
