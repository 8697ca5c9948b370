"""NATS and PostgreSQL come and go; commands that need neither go on."""

import re

import pytest

import procs
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of


def set_prefix(value):
    return [{"name": "prefix", "type": 1, "options": [{"name": "new", "type": 3, "value": value}]}]


@pytest.fixture
def private(own_stack):
    stack = own_stack()
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def ping(sim, guilds=range(4)):
    for guild in guilds:
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()


def stats(sim):
    return text_of(sim.answer(sim.use("stats")))


def eventually(check, what, fleet):
    return procs.wait_until(check, 30 * fleets.harness.PATIENCE, what, interval_s=0.1,
                            tail=lambda: procs.file_tail(fleet.log))


def test_nats_goes_and_comes_back(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    eventually(lambda: "4 of 4 shards" in stats(sim), "all four shards in /stats", fleet)
    private.nats.kill()
    ping(sim)
    eventually(lambda: "NATS AWAY from 4 of 4 shards" in fleet.ctl_run("status").stdout, "status says so", fleet)
    words = stats(sim)
    assert "4 of 4" not in words and re.search(r"can't ask each other|broke just now|No answer", words), words
    private.nats.start()
    eventually(lambda: "4 of 4 shards" in stats(sim), "/stats whole again", fleet)
    ping(sim)
    assert fleet.status()["shards"][0]["restarts"] == 0


def test_postgres_goes_and_comes_back(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    manager = {"permissions": str(1 << 3)}
    assert "begin with `?`" in text_of(sim.answer(sim.use("settings", set_prefix("?"), **manager)))
    assert "PostgreSQL on" in fleet.ctl_run("status").stdout
    for line in (r'db_statements\{owner="\w+",statement="\w+",outcome="done"\} [1-9]',
                 r'db_statement_seconds_bucket\{owner="\w+",statement="\w+",le="\+Inf"\} [1-9]',
                 r'db_done\{shard="\d"\} [1-9]', r'db_links\{shard="\d"\} [1-9]'):
        eventually(lambda: re.search(f"^shoal_{line}", fleet.ctl_run("metrics").stdout, re.M), line, fleet)
    private.postgres.kill()
    ping(sim)
    # Of a guild whose prefix is not known, none is claimed.
    shown = text_of(sim.answer(sim.use("settings", [{"name": "prefix", "type": 1, "options": []}], guild=1, **manager)))
    assert re.search(r"Just now .*`!`.*database", shown), shown
    kept = text_of(sim.answer(sim.use("settings", set_prefix("%"), **manager)))
    assert "begin with `%`" in kept and "will be written when it is back" in kept, kept
    eventually(lambda: re.search(r"PostgreSQL AWAY from [1-4] of 4 shards", fleet.ctl_run("status").stdout),
               "status says that the database is away", fleet)
    assert "postgres.conninfo" in procs.file_tail(fleet.log)
    private.postgres.start()
    eventually(lambda: fleet.status()["outbox_waiting"] == 0, "what was kept is written", fleet)
    assert "pong" in text_of(sim.answer(sim.say("%ping"))).lower()
    assert fleet.status()["shards"][0]["restarts"] == 0


def test_servers_that_come_later_are_found(sim, make_fleet, own_stack):
    stack = own_stack()
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    stack.nats.kill()
    stack.postgres.kill()
    fleet = make_fleet(sim, database=stack.postgres.url(), nats=stack.nats.url)
    fleet.ready(shards=4)
    ping(sim)
    stack.postgres.start()
    stack.nats.start()
    assert "begin with `?`" in text_of(sim.answer(sim.use("settings", set_prefix("?"), permissions=str(1 << 3))))
    eventually(lambda: fleet.status()["outbox_waiting"] == 0, "/settings stores", fleet)
    eventually(lambda: "4 of 4 shards" in stats(sim), "/stats whole", fleet)


def test_wrong_passwords_are_named_and_survived(sim, make_fleet, servers):
    wrong = re.compile(r":[0-9a-f]{32}@")
    fleet = make_fleet(sim, database=wrong.sub(":wrongpassword@", servers.database()),
                       nats=wrong.sub(":wrongpassword@", servers.nats))
    fleet.ready(shards=4)
    ping(sim)
    kept = text_of(sim.answer(sim.use("settings", set_prefix("?"), permissions=str(1 << 3))))
    assert "will be written when it is back" in kept, kept
    for word in (r"postgres", r"nats"):
        assert [one for one in fleet.records() if one.get("level") in ("warn", "error") and re.search(word, str(one))
                and re.search(r"(?i)password|auth", str(one))], fleet.messages("warn", "error")


def test_a_database_without_the_schema_is_named(sim, make_fleet, servers):
    fleet = make_fleet(sim, database=servers.database(migrated=False), nats=servers.nats)
    fleet.ready(shards=4)
    ping(sim)
    refused = text_of(sim.answer(sim.use("settings", set_prefix("?"), permissions=str(1 << 3))))
    assert "not set up" in refused and "Nothing was changed" in refused, refused
    assert re.search(r"shoalctl migrate up", "\n".join(str(one) for one in fleet.records())), fleet.messages("warn", "error")


def test_a_schema_for_newer_programs_is_not_touched(sim, make_fleet, servers):
    url = servers.database()
    servers.sql("INSERT INTO shoal.migration (owner, number, name, sha256, oldest_program, program)"
                " VALUES ('core', 9999, 'later', '', '99.1.0', '99.1.0')", url)
    fleet = make_fleet(sim, database=url, nats=servers.nats)
    fleet.ready(shards=4)
    ping(sim)
    kept = text_of(sim.answer(sim.use("settings", set_prefix("?"), permissions=str(1 << 3))))
    assert "will be written when it is back" in kept, kept
    eventually(lambda: re.search(r"migrated for programs from 99\.1\.0 on", "\n".join(str(one) for one in fleet.records())),
               "the log names both versions", fleet)
    assert servers.sql("SELECT count(*) FROM shoal.guild_setting", url) == "0"
    eventually(lambda: "PostgreSQL AWAY" in fleet.ctl_run("status").stdout, "status says that it is away", fleet)
    servers.sql("DELETE FROM shoal.migration WHERE number = 9999", url)
    eventually(lambda: servers.sql("SELECT count(*) FROM shoal.guild_setting", url) == "1", "what was kept is written",
               fleet)


def test_works_through_pgbouncer_without_prepared_statements(sim, make_fleet, servers):
    url = servers.database()
    through = re.sub(r"/\w+$", re.search(r"/\w+$", url).group(0), servers.pgbouncer)
    fleet = make_fleet(sim, database=through, nats=servers.nats, config={"postgres.prepared": False})
    fleet.ready(shards=4)
    for guild in range(16):
        words = text_of(sim.answer(sim.use("settings", set_prefix("?"), guild=guild, permissions=str(1 << 3))))
        assert "begin with `?`" in words, words
    assert servers.sql("SELECT count(*) FROM shoal.guild_setting", url) == "16"


# --- shoalctl migrate ----------------------------------------------------------------------------------------------------


def test_migrations_go_up_and_down(servers):
    url = servers.database(migrated=False)
    assert server_tools.migrate(url, "up").returncode == 0
    assert servers.sql("SELECT count(*) > 0 FROM shoal.migration", url) == "t"
    again = server_tools.migrate(url, "up", "--json")
    assert again.returncode == 0, again.stderr
    status = server_tools.migrate(url, "status", "--json")
    assert status.returncode == 0 and "core" in status.stdout, status.stdout + status.stderr
    refused = server_tools.migrate(url, "down", "1")
    assert refused.returncode == 2 and "--yes" in refused.stderr  # data would be lost: say so, and mean it
    assert servers.sql("SELECT count(*) FROM shoal.guild_setting", url) == "0"
    applied = servers.sql("SELECT count(*) FROM shoal.migration", url)
    down = server_tools.migrate(url, "down", applied, "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    assert servers.sql("SELECT to_regclass('shoal.guild_setting') IS NULL", url) == "t"
    assert server_tools.migrate(url, "up").returncode == 0


def test_migrations_of_two_at_once_are_done_once(servers):
    import subprocess

    import harness

    url = servers.database(migrated=False)
    both = [subprocess.Popen([harness.program("shoalctl"), "migrate", "up"], cwd=harness.ROOT,
                             env={**__import__("os").environ, "DATABASE_URL": url}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    said = [one.communicate(timeout=60)[0].decode() for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert servers.sql("SELECT count(*) = count(DISTINCT (owner, number)) FROM shoal.migration", url) == "t"


@pytest.mark.parametrize("url, words", [
    ("postgresql://shoal:wrong@{where}", "password"),
    ("postgresql://shoal@127.0.0.1:1/shoal", "refused|reach|connect"),
    ("postgresql://nowhere.invalid/shoal", "nowhere.invalid"),
    ("not a conninfo", "conninfo|DATABASE_URL"),
    ("", "postgres.conninfo|DATABASE_URL"),
], ids=["password", "port", "name", "form", "none"])
def test_migrate_says_what_is_wrong(servers, url, words):
    where = servers.url.split("@")[1]
    done = server_tools.migrate(url.format(where=where), "up")
    assert done.returncode not in (0, -6, -11)
    assert re.search(words, done.stdout + done.stderr, re.I), done.stdout + done.stderr
