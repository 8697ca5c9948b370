"""shoalctl migrate as an operator runs it, and what becomes of statements when PostgreSQL itself is killed."""

import json
import os
import re
import subprocess
import time

import pytest

import procs
from conftest import need

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SHOAL_TEST_BUILD", "build"))


@pytest.fixture
def postgres(own_stack):
    return own_stack(nats=False, prefix="shoal-db").postgres


def shoalctl(url, *arguments, code=0):
    """Runs `shoalctl migrate`; its output, and its error output."""
    program = os.path.join(BUILD, "shoalctl")
    need(os.access(program, os.X_OK), f"{program} is not built")
    env = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_") and k != "DATABASE_URL"}
    done = subprocess.run([program, "migrate", *arguments], env={**env, "DATABASE_URL": url}, capture_output=True,
                          text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=ROOT)
    assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
    assert "AddressSanitizer" not in done.stderr, done.stderr
    return done.stdout, done.stderr


def test_migrate(postgres):
    url = postgres.create_database("migrate")
    assert json.loads(shoalctl(url, "status", "--json")[0])["applied"] == 0
    plan = json.loads(shoalctl(url, "plan", "--json")[0])
    assert plan["pending"] >= 1
    assert plan["migrations"][0]["name"] == "core" and plan["migrations"][0]["size_bytes"] > 0
    assert "for programs from 0.1.0 on" in shoalctl(url, "plan")[0]
    locks = [lock for one in plan["migrations"] for lock in one["locks"]]
    assert {"table": "shoal.guild_setting", "lock": "ACCESS EXCLUSIVE"}.items() <= locks[0].items(), locks

    out, _ = shoalctl(url, "up")
    assert "core/0001_core ... done" in out
    status = json.loads(shoalctl(url, "status", "--json")[0])
    assert status["pending"] == 0 and status["applied"] == plan["pending"]
    assert postgres.psql("SELECT count(*) FROM shoal.guild_setting", database="migrate") == "0"
    assert json.loads(shoalctl(url, "up", "--json")[0]) == {"done": [], "count": 0}
    assert "up to date" in shoalctl(url, "plan")[0]

    _, error = shoalctl(url, "down", code=2)  # nobody there to say yes
    assert "--yes" in error
    down = json.loads(shoalctl(url, "down", str(status["applied"]), "--yes", "--json")[0])
    assert down["count"] == status["applied"]
    assert postgres.psql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shoal%'", database="migrate") == "0"


def test_migrate_says_what_is_wrong(postgres, folder):
    url = postgres.create_database("wrong")
    password = postgres.passwords["shoal"]
    for bad_url, code, words in (
            (url.replace(password, "falsch"), 1, "password authentication failed"),
            (url.replace("/wrong", "/nix_da"), 1, 'database "nix_da" does not exist'),
            (url.replace(f":{postgres.port}/", ":1/"), 9, "Connection refused"),
            ("", 3, "DATABASE_URL"),
            ("certainly no conninfo geheim", 3, "no connection string")):
        _, error = shoalctl(bad_url, "up", code=code)
        assert words in error
        assert "geheim" not in error and "falsch" not in error and password not in error
    out, error = shoalctl(url, "up", "--sql-dir", "/nowhere", "--json", code=1)
    assert json.loads(out)["error"] == "ENOENT" and "/nowhere" in error
    shoalctl(url, "sideways", code=2)

    # A file edited after it was applied.
    os.makedirs(os.path.join(folder, "sql", "core"))
    file = os.path.join(folder, "sql", "core", "0001_core.up.sql")
    for text in ("", "-- a word more\n"):
        with open(os.path.join(ROOT, "sql", "core", "0001_core.up.sql"), encoding="utf-8") as f:
            original = f.read()
        with open(file, "w", encoding="utf-8") as f:
            f.write(original + text)
        out, error = shoalctl(url, "up", "--sql-dir", os.path.join(folder, "sql"), code=1 if text else 0)
    assert "core/0001_core" in error and "never edited" in error
    shoalctl(url, "status", "--sql-dir", os.path.join(folder, "sql"), code=1)


def test_postgres_killed_in_the_middle(postgres):
    """kill -9 of the whole server with statements under way, a while without one, and a new start."""
    driver = os.path.join(BUILD, "tests/unit/test_db")
    need(os.access(driver, os.X_OK), f"{driver} is not built")
    env = {**os.environ, "SHOAL_TEST_PG": postgres.url(),
           "SHOAL_TEST_PG_ADMIN": postgres.url(role="postgres", database="postgres")}
    with subprocess.Popen([driver, "outage"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=ROOT) as child:
        said = []
        try:
            for line in child.stdout:
                said.append(line)
                if line == "ready\n":
                    postgres.kill()
                elif line == "away\n":
                    postgres.start()
        finally:
            if child.poll() is None and not said:
                child.kill()
        assert child.wait(timeout=120) == 0, "".join(said)
    assert said.count("back\n") == 1, "".join(said)


def driver(*arguments, **env):
    """A unit test's program in a mode of its own."""
    program = os.path.join(BUILD, "tests/unit/test_db_together")
    need(os.access(program, os.X_OK), f"{program} is not built")
    return subprocess.Popen([program, *arguments], env={**os.environ, **env}, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, cwd=ROOT)


def test_a_disk_that_fills_up_on_the_server(own_stack, janitor):
    if os.geteuid() != 0:
        pytest.skip("is not root: no small tmpfs can be mounted, so a full disk of the server was NOT tried")
    stack = own_stack(nats=False, prefix="shoal-db")
    postgres, small = stack.postgres, os.path.join(stack.folder, "small")
    os.mkdir(small)
    janitor.mount(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=4M,mode=0700,uid={postgres.user.pw_uid}", "tmpfs", small],
                             capture_output=True, text=True, timeout=30, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here ({mounted.stderr.strip()}): a full disk was NOT tried")
    try:
        with driver("full_disk", SHOAL_TEST_PG=postgres.url(), SHOAL_TEST_SMALL_FOLDER=small,
                    SHOAL_TEST_PG_ADMIN=postgres.url(role="postgres", database="postgres")) as child:
            said, _ = child.communicate(timeout=120)
        assert child.returncode == 0, said
        assert "db.down" not in said and "out of disk" in said, said
    finally:
        postgres.stop()
        subprocess.run(["umount", "-l", small], check=True, timeout=30)


def test_sixty_four_workers_on_twenty_connections(own_stack):
    """Each with the layer of a worker, all at once through pgbouncer in transaction mode."""
    stack = own_stack(nats=False, pgbouncer=20, prefix="shoal-db")
    stack.postgres.psql("CREATE TABLE tally (n bigint PRIMARY KEY)", database="shoal", role="shoal")
    began = time.monotonic()
    workers = [driver("load", SHOAL_TEST_LOAD_CONNINFO=stack.pgbouncer.url(), SHOAL_TEST_LOAD_FIRST=str(number * 1000))
               for number in range(64)]
    most = 0
    try:
        while any(one.poll() is None for one in workers):
            most = max(most, int(stack.postgres.psql(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shoal' AND backend_type = 'client backend'")))
            procs.wait_until(lambda: True, 1, "a moment")
        said = [one.communicate(timeout=60)[0] for one in workers]
    finally:
        for one in workers:
            if one.poll() is None:
                one.kill()
    took = time.monotonic() - began
    assert [one.returncode for one in workers] == [0] * 64, "".join(said)
    assert stack.postgres.psql("SELECT count(*) FROM tally", database="shoal") == str(64 * 200)
    assert 1 < most <= 20, most
    commits = sum(int(re.search(r"(\d+) commits", text)[1]) for text in said)
    print(f"64 workers, 20 connections: {64 * 400} statements in {commits} transactions, {took:.1f} s")
