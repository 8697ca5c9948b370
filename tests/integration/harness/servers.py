"""The PostgreSQL and nats-server that all tests of a run share: a database of its own for each test, a cluster name of
its own for each fleet. Tests that kill servers start their own (fixture own_stack)."""

import os
import re
import subprocess
import uuid

import harness
import stack as local_stack


class Servers:
    def __init__(self, janitor):
        self.stack = None
        if not os.environ.get("SHOAL_TEST_PG_ADMIN") or not os.environ.get("SHOAL_TEST_NATS"):
            self.stack = local_stack.Stack(janitor=janitor, pgbouncer=True).start()
            env = self.stack.environment()
        else:
            env = os.environ
        self.admin, self.url = env["SHOAL_TEST_PG_ADMIN"], env["SHOAL_TEST_PG"]
        self.nats, self.pgbouncer = env["SHOAL_TEST_NATS"], env.get("SHOAL_TEST_PGBOUNCER")
        self._migrated, self._made = None, []

    def stop(self):
        if self.stack is not None:
            self.stack.stop()
        elif self._made:  # 40 MB of memory each, and a run makes hundreds
            self.sql("".join(f"DROP DATABASE IF EXISTS {name} WITH (FORCE);\n" for name in self._made))

    def sql(self, sql, url=None):
        """Rows as text, unaligned."""
        done = subprocess.run([os.path.join(local_stack.postgres_bin_dir(), "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1",
                               url or self.admin, "-f", "-"], input=sql, capture_output=True, text=True, timeout=60,
                              check=False, cwd="/")
        assert done.returncode == 0, f"psql: {done.stderr}"
        return done.stdout.rstrip("\n")

    def database(self, migrated=True):
        """The URL of a fresh database, with shoal's schema unless told otherwise."""
        template = self._template() if migrated else "template1"
        name = self._name("t")
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER shoal")
        return re.sub(r"/\w+$", f"/{name}", self.url)

    def _name(self, kind):
        self._made.append(f"{kind}_{uuid.uuid4().hex[:12]}")
        return self._made[-1]

    def _template(self):
        if self._migrated is None:
            name = self._name("m")
            self.sql(f"CREATE DATABASE {name} OWNER shoal")
            done = migrate(re.sub(r"/\w+$", f"/{name}", self.url), "up")
            assert done.returncode == 0, f"shoalctl migrate up: {done.returncode}\n{done.stdout}{done.stderr}"
            self._migrated = name
        return self._migrated


def migrate(url, *arguments, timeout_s=60):
    """shoalctl migrate … against a database: the finished process."""
    # (The sanitized programs of the chaos campaign lie deeper than shoalctl looks.)
    where = ["--sql-dir", os.path.join(harness.ROOT, "sql")] if harness.SANITIZE else []
    return subprocess.run([harness.program("shoalctl"), "migrate", *where, *arguments], check=False, text=True,
                          env={**os.environ, "DATABASE_URL": url}, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=timeout_s, cwd=harness.ROOT)
