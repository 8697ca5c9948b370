"""shoalctl doctor: each thing that is wrong has its row, its verdict and what to do about it; what is well is said, too."""

import json
import os
import re
import shutil

import pytest

import harness
from harness.certs import Authority


@pytest.fixture
def examine(make_fleet, servers):
    """examine(database, …): {check: row} of doctor's look at a fleet that does not run, or at the given one."""
    def run(database=None, fleet=None, nats=None, arguments=(), **config):
        fleet = fleet or make_fleet(None, start=False, database=database, nats=nats, config=config)
        if fleet.process is None:
            fleet.write_ini()
        done = fleet.ctl_run("doctor", "--json", "--config", fleet.ini, *arguments, timeout_s=60)
        assert done.returncode in (0, 1), done.stderr
        answer = json.loads(done.stdout)
        rows = {row["check"]: row for row in answer["checks"]}
        assert len(rows) == len(answer["checks"])
        assert answer["counts"]["fail"] == sum(row["verdict"] == "fail" for row in rows.values())
        assert (done.returncode == 1) == (answer["counts"]["fail"] > 0)
        for row in rows.values():
            assert row["what"], row
            assert row["verdict"] != "fail" or row["advice"] or row["check"] in ("configuration", "schema", "secrets"), row
        for name, secret in fleet._secret_words():
            assert secret not in done.stdout + done.stderr, f"doctor prints {name}'s secret"
        return rows
    return run


def verdicts(rows, *checks):
    return [rows[check]["verdict"] for check in checks]


def test_a_fleet_that_is_well(sim, fleet, examine):
    rows = examine(fleet=fleet)
    assert verdicts(rows, "configuration", "descriptors", "supervisor", "shards", "discord", "session_starts", "outbox",
                    "nats", "connection", "version", "schema", "rights", "extensions", "database_clock", "room", "hosts",
                    "pooler") == ["ok"] * 17, json.dumps(rows, indent=1)
    assert "4 of 4 are ready" in rows["shards"]["what"]
    assert re.search(r"answered \d+s ago", rows["discord"]["what"]) and sim.api in rows["discord"]["what"]
    assert re.search(r"[\d,]+ of [\d,]+ left", rows["session_starts"]["what"])
    assert "JetStream is on" in rows["nats"]["what"]
    # The tests' server throws its data away: that is said, and that nobody stands by.
    assert rows["durability"]["verdict"] == "warn" and "synchronous_standby_names" in rows["durability"]["what"]
    assert rows["reading"]["verdict"] == "off"
    for_people = fleet.ctl_run("doctor", "--config", fleet.ini)
    assert for_people.returncode == 0, for_people.stdout
    assert "postgres\n" in for_people.stdout and "\x1b" not in for_people.stdout


def test_nothing_is_there(examine):
    rows = examine()
    assert rows["supervisor"]["verdict"] == "warn" and "none answers" in rows["supervisor"]["what"]
    assert verdicts(rows, "shards", "discord", "session_starts", "outbox", "nats", "connection", "schema") == ["off"] * 7
    rows = examine(database="postgresql://shoal:geheim1@127.0.0.1:1/shoal", nats="nats://127.0.0.1:1")
    assert verdicts(rows, "nats", "connection", "schema") == ["fail", "fail", "off"]
    assert "refused" in rows["connection"]["what"] and "no NATS server" in rows["nats"]["what"]


def test_configuration_that_cannot_be_read(examine, make_fleet):
    fleet = make_fleet(None, start=False)
    fleet.ini_extra = "[postgres]\nconnektions = 3\n"
    rows = examine(fleet=fleet)
    assert rows["configuration"]["verdict"] == "fail"
    assert re.search(r"shoal.ini:\d+: postgres.connektions: there is no such key; did you mean postgres.connections",
                     rows["configuration"]["what"])
    rows = examine(database="no conninfo geheim2")
    assert rows["configuration"]["verdict"] == "fail" and "postgres.conninfo" in rows["configuration"]["what"]


def test_files_and_folders(examine, make_fleet, folder):
    secret = os.path.join(folder, "conninfo")
    with open(secret, "w", encoding="utf-8") as f:
        f.write("host=127.0.0.1 port=1 user=shoal\n")
    os.chmod(secret, 0o644)
    fleet = make_fleet(None, start=False, config={"postgres.conninfo_file": secret})
    os.mkdir(fleet.runtime_dir)
    os.chmod(fleet.runtime_dir, 0o777)
    os.mkdir(fleet.state_dir, 0o755)
    rows = examine(fleet=fleet)
    assert rows["secrets"]["verdict"] == "warn" and rows["secrets"]["advice"] == f"chmod 600 {secret}"
    assert rows["runtime_dir"]["verdict"] == "fail" and "written by others" in rows["runtime_dir"]["what"]
    assert rows["state_dir"]["verdict"] == "warn" and "look into it" in rows["state_dir"]["what"]
    os.chmod(fleet.runtime_dir, 0o700)
    os.chmod(secret, 0o600)
    rows = examine(fleet=fleet)
    assert verdicts(rows, "secrets", "runtime_dir") in (["ok", "ok"], ["off", "ok"]), rows["secrets"]


def test_the_database_says_no(examine, servers):
    """Each trouble is one clear line."""
    url = servers.database()
    for bad, words in ((re.sub(r":[0-9a-f]+@", ":falsch12@", url), "password authentication failed"),
                       (url + "_not", "does not exist"),
                       (url + "?sslmode=require", "does not support SSL")):
        rows = examine(database=bad)
        assert rows["connection"]["verdict"] == "fail" and words in rows["connection"]["what"], rows["connection"]
        assert "\n" not in rows["connection"]["what"]
    rows = examine(database=servers.database(migrated=False))
    assert rows["schema"]["verdict"] == "fail" and rows["schema"]["advice"].startswith("shoalctl migrate up")


def test_room_for_the_fleet(examine, servers):
    rows = examine(database=servers.database(), **{"discord.shard_count": 64, "postgres.connections": 4})
    assert rows["room"]["verdict"] == "fail" and "64 shards open up to 256" in rows["room"]["what"], rows["room"]


def test_named_statements_behind_a_pooler(examine, servers):
    url = re.sub(r"@[^/]*/", "@%s/" % re.search(r"@([^/]*)/", servers.pgbouncer).group(1), servers.database())
    rows = examine(database=url)
    assert rows["pooler"]["verdict"] == "fail" and rows["pooler"]["advice"] == "postgres.prepared = no", rows["pooler"]
    rows = examine(database=url, **{"postgres.prepared": "no"})
    assert rows["pooler"]["verdict"] == "ok" and "transaction mode" in rows["pooler"]["what"]


def test_extensions_that_migrations_want(examine, servers, folder):
    url = servers.database()
    shutil.copytree(os.path.join(harness.ROOT, "sql"), os.path.join(folder, "sql"))
    os.mkdir(os.path.join(folder, "sql", "words"))

    def wants(sql):
        with open(os.path.join(folder, "sql", "words", "0001_words.up.sql"), "w", encoding="utf-8") as f:
            f.write(f"-- words\n-- oldest-program: 0.1.0\n{sql}\n")
        rows = examine(database=url, arguments=("--sql-dir", os.path.join(folder, "sql")))
        assert rows["schema"]["verdict"] == "warn" and "1 are not applied" in rows["schema"]["what"]
        return rows["extensions"]
    row = wants("CREATE EXTENSION IF NOT EXISTS plpgsql; create extension \"plpgsql\" SCHEMA x;")
    assert row["verdict"] == "ok" and "plpgsql" in row["what"]
    row = wants("CREATE EXTENSION nobody_has_this;")
    assert row["verdict"] == "fail" and "nobody_has_this" in row["what"] and "every server" in row["advice"]


def test_rights_of_a_stranger(examine, servers):
    name = "stranger_%d" % os.getpid()
    url = servers.database()
    servers.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'geheim3'")
    try:
        rows = examine(database=re.sub(r"//[^@]*@", f"//{name}:geheim3@", url))
        assert rows["rights"]["verdict"] == "fail" and f"GRANT shoal_app TO {name}" in rows["rights"]["advice"]
    finally:
        servers.sql(f"DROP ROLE {name}")


def test_tls(examine, own_stack, folder):
    """What is checked of the server's certificate, and what is not."""
    stack = own_stack(nats=False, prefix="shoal-tls")
    authority = Authority(os.path.join(folder, "ca"))
    stack.postgres.use_tls(*authority.issue("db", "IP:127.0.0.1", "DNS:localhost"))
    url = stack.postgres.url()
    assert examine(database=f"{url}?sslmode=require")["tls"]["verdict"] == "warn"
    good = f"{url}?sslmode=verify-full&sslrootcert={authority.ca}"
    row = examine(database=good)["tls"]
    assert row["verdict"] == "ok" and "verify-full" in row["what"] and "TLSv1" in row["what"]
    # A certificate for another name, and one by nobody we trust.
    stack.postgres.use_tls(*authority.issue("elsewhere", "DNS:elsewhere.example"))
    row = examine(database=good)["connection"]
    assert row["verdict"] == "fail" and "does not match host name" in row["what"], row
    other = Authority(os.path.join(folder, "other"), name="another authority")
    stack.postgres.use_tls(*other.issue("db", "IP:127.0.0.1"))
    row = examine(database=good)["connection"]
    assert row["verdict"] == "fail" and "certificate verify failed" in row["what"], row
    row = examine(database=f"{url}?sslmode=verify-full&sslrootcert={folder}/nowhere.pem")["connection"]
    assert row["verdict"] == "fail" and "nowhere.pem" in row["what"]


def test_password_file(examine, servers, folder):
    """The password in a passfile, and one that others may read, which libpq leaves alone."""
    url = servers.database()
    user, password, place, name = re.match(r"\w+://(\w+):(\w+)@([^/]+)/(\w+)", url).groups()
    host, port = place.split(":")
    path = os.path.join(folder, "pgpass")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{host}:{port}:*:{user}:{password}\n")
    os.chmod(path, 0o600)
    conninfo = f"host={host} port={port} user={user} dbname={name} passfile={path}"
    assert examine(database=conninfo)["connection"]["verdict"] == "ok"
    os.chmod(path, 0o644)
    row = examine(database=conninfo)["connection"]
    assert row["verdict"] == "fail" and "password" in row["what"] and password not in row["what"]


def test_a_fleet_that_waits_for_discord(make_fleet, examine):
    fleet = make_fleet(None, start=False, config={"discord.api_base": "http://127.0.0.1:1/api/v10"})
    fleet.secrets["DISCORD_TOKEN"] = "a.token.of.nobody"
    fleet.start()
    fleet.wait_record("api.unreachable")
    rows = examine(fleet=fleet)
    assert rows["discord"]["verdict"] == "fail" and "127.0.0.1:1" in rows["discord"]["what"], rows["discord"]
    assert rows["session_starts"]["verdict"] == "off"
