"""shoalctl backup and restore: a round trip, what is refused, and that a restore that fails leaves everything as it was."""

import json
import os
import re
import signal
import subprocess

import pytest

import harness
import procs
from conftest import need


@pytest.fixture
def database(servers):
    """A migrated database with guild settings in it, and how to ask it."""
    class Database:
        url = servers.database()

        def sql(self, sql):
            return servers.sql(sql, self.url)

        def content(self):
            return self.sql("SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM shoal.guild_setting t")

    one = Database()
    fill(one, 1, 3000)
    return one


def fill(database, first, last):
    database.sql(f"INSERT INTO shoal.guild_setting (guild_id, name, value, version, updated_by)"
                 f" SELECT g, 'prefix', to_jsonb(repeat('ä$' || g, 1 + g % 9)), 1 + g % 5, g"
                 f" FROM generate_series({first}, {last}) g")


@pytest.fixture
def ctl(folder):
    state = os.path.join(folder, "state")
    os.mkdir(state, 0o700)

    def run(url, *arguments, code=0, command=()):
        done = subprocess.run([*command, harness.program("shoalctl"), *arguments], check=False, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120 * harness.PATIENCE, cwd=folder,
                              env={**os.environ, "DATABASE_URL": url, "SHOAL_SUPERVISOR_STATE_DIR": state})
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        password = re.match(r"\w+://\w+:(\w+)@", url)
        assert not password or password.group(1) not in done.stdout + done.stderr
        if code:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        return json.loads(done.stdout) if "--json" in arguments and code == 0 else done.stdout + done.stderr
    return run


@pytest.mark.parametrize("form", ["file", "folder"])
def test_round_trip(database, servers, ctl, folder, form):
    path = os.path.join(folder, "copy.dump" if form == "file" else "copy/")
    made = ctl(database.url, "backup", path, "--json", *(["--jobs", "2"] if form == "folder" else []))
    rows = {table["name"]: table["rows"] for table in made["manifest"]["tables"]}
    assert rows["guild_setting"] == 3000 and rows["migration"] >= 1
    assert os.stat(path).st_mode & 0o077 == 0, "members' data is for its owner alone"
    before = database.content()

    # Into an empty database, without a word; and over one that has changed meanwhile, when told to.
    empty = servers.database(migrated=False)
    assert "counted and compared" in ctl(empty, "restore", path)
    assert servers.sql("SELECT count(*) FROM shoal.guild_setting", empty) == "3000"
    assert servers.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'shoal_part'::regnamespace AND relkind = 'r'",
                       empty) == database.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'shoal_part'::regnamespace"
                                              " AND relkind = 'r'")
    database.sql("DELETE FROM shoal.guild_setting WHERE guild_id % 3 = 0; UPDATE shoal.guild_setting SET version = 99")
    said = ctl(database.url, "restore", path, code=1)
    assert "hold data" in said and "--yes" in said
    assert database.sql("SELECT count(*) FROM shoal.guild_setting") == "2000"
    ctl(database.url, "restore", path, "--yes")
    assert database.content() == before
    # It is a database as any other: migrations agree, rows go to their partitions.
    fill(database, 5000, 5010)
    assert "up to date" in ctl(database.url, "migrate", "plan")
    assert database.sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%before_restore'") == "0"


def test_copy_is_of_one_moment(database, ctl, folder):
    """Writes go on meanwhile: what is in the copy is what was counted, and restores."""
    path = os.path.join(folder, "moving.dump")
    writer = procs.spawn(["psql", "-Xq", database.url, "-c", """DO $$ BEGIN LOOP
        UPDATE shoal.guild_setting SET version = version + 1 WHERE guild_id <= 500; COMMIT; END LOOP; END $$"""],
                         log=os.path.join(folder, "writer.out"))
    try:
        procs.wait_until(lambda: int(database.sql("SELECT max(version) FROM shoal.guild_setting")) > 10, 30, "writes")
        made = ctl(database.url, "backup", path, "--json")
    finally:
        procs.stop(writer, signal.SIGKILL)
        database.sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND"
                     " pid <> pg_backend_pid()")
    assert made["rows"] >= 3000
    ctl(database.url, "restore", path, "--yes")


def test_rights_come_back_with_it(own_stack, ctl, folder):
    """What was given to the roles of workers and readers is in the copy."""
    postgres = own_stack(nats=False, prefix="shoal-bk").postgres
    for role in ("shoal_app", "shoal_read"):
        postgres.psql(f"CREATE ROLE {role} NOLOGIN")
    url, path = postgres.url(), os.path.join(folder, "copy.dump")
    ctl(url, "migrate", "up")
    assert ctl(url, "backup", path, "--json")["manifest"]["roles"] == ["shoal_app", "shoal_read"]
    other = postgres.create_database("other")
    ctl(other, "restore", path)

    def may(role, what, table):
        return postgres.psql(f"SELECT has_table_privilege('{role}', 'shoal.{table}', '{what}')", database="other") == "t"
    assert may("shoal_app", "INSERT", "guild_setting") and not may("shoal_app", "INSERT", "migration")
    assert may("shoal_read", "SELECT", "guild_setting") and not may("shoal_read", "UPDATE", "guild_setting")
    assert postgres.psql("SELECT has_function_privilege('public', 'shoal.apply_grants()', 'EXECUTE')", database="other") == "f"
    # Where a role is not there, that is said before anything is done.
    postgres.psql("DROP OWNED BY shoal_read", database="other")
    postgres.psql("DROP OWNED BY shoal_read", database="shoal")
    postgres.psql("DROP ROLE shoal_read")
    assert "CREATE ROLE shoal_read NOLOGIN" in ctl(postgres.create_database("third"), "restore", path, code=1)


def test_damage_is_found_before_anything_is_touched(database, servers, ctl, folder):
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    empty = servers.database(migrated=False)
    for harm, words in ((lambda f: f.truncate(os.path.getsize(path) - 100), "checksums differ"),
                        (lambda f: (f.seek(5000), f.write(b"\0\0\0\0")), "checksums differ")):
        with open(path, "rb") as f:
            whole = f.read()
        with open(path, "r+b") as f:
            harm(f)
        assert words in ctl(empty, "restore", path, code=1)
        with open(path, "wb") as f:
            f.write(whole)
    os.rename(path + ".manifest.json", path + ".elsewhere")
    assert "only a part of one" in ctl(empty, "restore", path, code=1)
    os.rename(path + ".elsewhere", path + ".manifest.json")
    assert servers.sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shoal%'", empty) == "0"
    ctl(empty, "restore", path)


def manifest_of(path):
    with open(path + ".manifest.json", encoding="utf-8") as f:
        return json.load(f)


def test_restore_that_fails_changes_nothing(database, ctl, folder):
    """The rows are not those of the manifest: found after reading in, and the old data comes back."""
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    manifest = manifest_of(path)
    next(one for one in manifest["tables"] if one["name"] == "guild_setting")["rows"] += 1
    with open(path + ".manifest.json", "w", encoding="utf-8") as f:
        json.dump(manifest, f)
    fill(database, 9000, 9001)
    before = database.content()
    said = ctl(database.url, "restore", path, "--yes", code=1)
    assert "3,001" in said or "3001" in said, said
    assert "the database is as it was" in said and database.content() == before
    # A program that is too old for what is in it, a role that is not there.
    for key, value, words in (("oldest_program", "999.0.0", "wants programs from 999.0.0"),
                              ("roles", ["nobody_of_that_name"], "CREATE ROLE nobody_of_that_name")):
        with open(path + ".manifest.json", "w", encoding="utf-8") as f:
            json.dump({**manifest, key: value}, f)
        assert words in ctl(database.url, "restore", path, "--yes", code=1)


def test_killed_in_the_middle_comes_back(database, ctl, folder):
    """kill -9 of shoalctl while the old data is put aside: the next restore brings it back first, when told to."""
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    fill(database, 9000, 9099)
    before = database.content()
    first = procs.spawn([harness.program("shoalctl"), "restore", path, "--yes"], log=os.path.join(folder, "restore.out"),
                        env={**os.environ, "DATABASE_URL": database.url}, cwd=folder)
    aside = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%before_restore'"
    procs.wait_until(lambda: database.sql(aside) == "2", 60, "the old data put aside", interval_s=0.001)
    first.kill()
    first.wait()
    procs.wait_until(lambda: database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == "1",
                     60, "pg_restore gone with it")
    assert database.sql(aside) == "2", "killed too late: the restore was through"
    said = ctl(database.url, "restore", path, code=1)
    assert "cut off" in said
    # A restore that then fails leaves what was put aside where it was before all of it.
    with open(path + ".manifest.json", encoding="utf-8") as f:
        manifest = json.load(f)
    with open(path + ".manifest.json", "w", encoding="utf-8") as f:
        json.dump({**manifest, "tables": manifest["tables"][:-1]}, f)
    assert "the database is as it was" in ctl(database.url, "restore", path, "--yes", code=1)
    assert database.content() == before and database.sql(aside) == "0"


def test_doctor_knows_of_the_last_copy(database, ctl, folder):
    def backups():
        done = subprocess.run([harness.program("shoalctl"), "doctor", "--json"], check=False, capture_output=True, text=True,
                              cwd=folder, timeout=60, stdin=subprocess.DEVNULL,
                              env={**os.environ, "DATABASE_URL": database.url,
                                   "SHOAL_SUPERVISOR_STATE_DIR": os.path.join(folder, "state")})
        return next(row for row in json.loads(done.stdout)["checks"] if row["check"] == "backups")
    assert backups()["verdict"] == "warn" and "none is known" in backups()["what"]
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    assert backups()["verdict"] == "ok" and path in backups()["what"]
    note = os.path.join(folder, "state", "backup.json")
    with open(note, encoding="utf-8") as f:
        text = json.load(f)
    with open(note, "w", encoding="utf-8") as f:
        json.dump({**text, "at_s": text["at_s"] - 3 * 86400}, f)
    assert backups()["verdict"] == "warn" and "3d 0h ago" in backups()["what"] and "timer" in backups()["advice"]


def test_what_is_refused(database, servers, ctl, folder):
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    assert "--yes" in ctl(database.url, "backup", path, code=1)
    ctl(database.url, "backup", path, "--yes")
    os.mkdir(os.path.join(folder, "full"))
    open(os.path.join(folder, "full", "x"), "w", encoding="ascii").close()
    assert "not empty" in ctl(database.url, "backup", os.path.join(folder, "full"), code=1)
    assert "no schema shoal" in ctl(servers.database(migrated=False), "backup", path + "2", code=1)
    assert "No such file" in ctl(database.url, "backup", "/nowhere/at/all.dump", code=1)
    through = re.sub(r"@[^/]*/", "@%s/" % re.search(r"@([^/]*)/", servers.pgbouncer).group(1), database.url)
    assert "pooler" in ctl(through, "backup", path + "3", code=1)
    shard = procs.spawn(["psql", "-Xq", f"{database.url}?application_name=shoal-shard%200"], stdin=subprocess.PIPE)
    try:
        procs.wait_until(lambda: database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
                                              " application_name = 'shoal-shard 0'") == "1", 20, "a shard's connection")
        assert "stop the fleet first" in ctl(database.url, "restore", path, "--yes", code=1)
    finally:
        procs.stop(shard, signal.SIGKILL)
    assert not [name for name in os.listdir(folder) if name.endswith(".part")]


def test_no_room(database, ctl, folder):
    """A file system that is too small: refused beforehand, and when told to try, cleaned up behind."""
    need(os.geteuid() == 0, "a file system of one's own wants root")
    small = os.path.join(folder, "small")
    os.mkdir(small)
    database.sql("INSERT INTO shoal.guild_setting (guild_id, name, value) SELECT g, 'noise', to_jsonb((SELECT"
                 " string_agg(md5(g::text || i::text), '') FROM generate_series(1, 100) i)) FROM generate_series(1, 800) g")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        said = ctl(database.url, "backup", os.path.join(small, "b.dump"), code=1)
        assert "free" in said and "--yes" in said
        said = ctl(database.url, "backup", os.path.join(small, "b.dump"), "--yes", code=1)
        assert "pg_dump" in said and "No space left" in said, said
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_more_tables_than_the_server_has_locks_for(own_stack, ctl, folder):
    """Each is 64 partitions, and each partition some locks: a copy, and its way back over what is there, want few at once."""
    postgres = own_stack(nats=False, prefix="shoal-bk", settings={"max_connections": 20}).postgres
    url, path = postgres.url(), os.path.join(folder, "many.dump")
    ctl(url, "migrate", "up")
    for number in range(16):
        postgres.psql(f"SELECT shoal.create_keyed_table('many_{number}', ARRAY['guild_id'], 'guild_id bigint, x text');"
                      f" INSERT INTO shoal.many_{number} SELECT g, repeat('x', g) FROM generate_series(1, 100) g",
                      database="shoal", role="shoal")
    # That they would not go together is the point of all this.
    done = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", url, "-c", "DROP SCHEMA shoal, shoal_part CASCADE"],
                          capture_output=True, text=True, check=False)
    assert "max_locks_per_transaction" in done.stderr, done.stderr
    ctl(url, "backup", path)
    postgres.psql("DELETE FROM shoal.many_3; INSERT INTO shoal.many_4 SELECT 1000, 'more'", database="shoal", role="shoal")
    assert "counted and compared" in ctl(url, "restore", path, "--yes")
    assert postgres.psql("SELECT count(*), min(guild_id), max(guild_id) FROM shoal.many_3", database="shoal") == "100|1|100"
    assert postgres.psql("SELECT count(*) FROM shoal.many_4", database="shoal") == "100"
    assert postgres.psql("SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace WHERE nspname LIKE 'shoal%'",
                         database="shoal") == "shoal shoal_part"
    # One that fails when it is read in already: that many go, and what was there comes back.
    manifest = manifest_of(path)
    next(one for one in manifest["tables"] if one["name"] == "many_5")["rows"] += 1
    with open(path + ".manifest.json", "w", encoding="utf-8") as f:
        json.dump(manifest, f)
    postgres.psql("INSERT INTO shoal.many_4 SELECT 1000, 'more'", database="shoal", role="shoal")
    assert "the database is as it was" in ctl(url, "restore", path, "--yes", code=1)
    assert postgres.psql("SELECT count(*) FROM shoal.many_4", database="shoal") == "101"


def test_killed_while_the_old_data_goes(database, ctl, folder):
    """kill -9 once the copy is in place: the next restore does not take the remains for what was there."""
    path = os.path.join(folder, "copy.dump")
    ctl(database.url, "backup", path)
    fill(database, 9000, 9099)
    # A hand on one of the old tables stops the removal just there.
    hand = procs.spawn(["psql", "-Xq", database.url, "-c", "BEGIN; LOCK TABLE shoal.outbox_cursor IN ACCESS SHARE MODE;"
                        " SELECT pg_sleep(60)"])
    locked = ("SELECT count(*) FROM pg_locks WHERE relation = 'shoal{}.outbox_cursor'::regclass AND {}granted")
    procs.wait_until(lambda: database.sql(locked.format("", "")) == "1", 20, "the table locked")
    first = procs.spawn([harness.program("shoalctl"), "restore", path, "--yes"], log=os.path.join(folder, "restore.out"),
                        env={**os.environ, "DATABASE_URL": database.url}, cwd=folder)
    junk = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%after_restore'"
    try:
        procs.wait_until(lambda: database.sql(junk) == "2" and
                         database.sql(locked.format("_after_restore", "NOT ")) == "1", 60, "the removal of the old held up")
        first.kill()
        first.wait()
    finally:
        procs.stop(hand, signal.SIGKILL)
        database.sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND"
                     " pid <> pg_backend_pid()")
    assert database.sql("SELECT count(*) FROM shoal.guild_setting") == "3000"
    ctl(database.url, "restore", path, "--yes")
    assert database.sql(junk) == "0" and database.sql("SELECT count(*) FROM shoal.guild_setting") == "3000"


def test_no_room_on_the_server(own_stack, janitor, ctl, folder):
    """Refused beforehand where the role may look; and when it is tried all the same, the database is as it was."""
    need(os.geteuid() == 0, "a file system of one's own wants root")
    stack = own_stack(nats=False, prefix="shoal-bk")
    postgres, small = stack.postgres, os.path.join(stack.folder, "small")
    path = os.path.join(folder, "copy.dump")
    url = postgres.url()
    ctl(url, "migrate", "up")
    postgres.psql("INSERT INTO shoal.guild_setting (guild_id, name, value) SELECT g, 'noise', to_jsonb((SELECT"
                  " string_agg(md5(g::text || i::text), '') FROM generate_series(1, 400) i)) FROM generate_series(1, 3000) g",
                  database="shoal", role="shoal")
    manifest = ctl(url, "backup", path, "--json")["manifest"]
    assert manifest["table_bytes"] > 30 << 20
    # What the server says of its own disk is believed: a copy that could not fit there is not begun.
    with open(path + ".manifest.json", encoding="utf-8") as f:
        whole = f.read()
    with open(path + ".manifest.json", "w", encoding="utf-8") as f:
        json.dump({**json.loads(whole), "table_bytes": 1 << 50}, f)
    empty = postgres.url(role="postgres", database=postgres.create_database("empty").rpartition("/")[2])
    said = ctl(empty, "restore", path, code=1)
    assert "the server has" in said and "1125" in said and "--yes" in said, said
    with open(path + ".manifest.json", "w", encoding="utf-8") as f:
        f.write(whole)
    # A tablespace in which the new does not fit beside the old.
    os.mkdir(small)
    janitor.mount(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64M,mode=0700,uid={postgres.user.pw_uid}", "tmpfs", small], check=True)
    try:
        postgres.psql(f"CREATE TABLESPACE small LOCATION '{small}'")
        postgres.psql("CREATE DATABASE tight OWNER shoal TABLESPACE small")
        tight = postgres.url(database="tight")
        ctl(tight, "migrate", "up")
        postgres.psql("INSERT INTO shoal.guild_setting (guild_id, name, value) VALUES (1, 'old', '1')", database="tight", role="shoal")
        said = ctl(tight, "restore", path, "--yes", code=1)
        assert "No space left" in said and "the database is as it was" in said, said
        assert postgres.psql("SELECT string_agg(name, ' ') FROM shoal.guild_setting", database="tight") == "old"
        assert postgres.psql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shoal%'", database="tight") == "2"
    finally:
        postgres.stop()
        subprocess.run(["umount", "-l", small], check=False)
