"""The ways in which workers are told of their database, and what they say when it is not to be had: one clear line for each
trouble, and everything that needs no database goes on."""

import os
import re

import pytest

from harness.certs import Authority
from harness.sim import text_of
from harness.write_load import MANAGER, set_prefix


def parts_of(url):
    user, password, host, port, name = re.match(r"\w+://(\w+):(\w+)@([^:/]+):(\d+)/(\w+)", url).groups()
    return {"user": user, "password": password, "host": host, "port": port, "dbname": name}


def conninfo(parts, **more):
    return " ".join(f"{key}={value}" for key, value in {**parts, **more}.items() if value is not None)


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def prefix_is_stored(sim):
    assert "begin with `?`" in text_of(sim.answer(sim.use("settings", set_prefix("?"), **MANAGER)))


@pytest.fixture
def tls(own_stack, folder):
    """A migrated PostgreSQL whose certificate is for localhost alone, and the authority that signed it."""
    from harness.servers import migrate

    stack = own_stack(nats=False, prefix="shoal-tls")
    authority = Authority(os.path.join(folder, "ca"))
    stack.postgres.use_tls(*authority.issue("db", "DNS:localhost"))
    assert migrate(stack.postgres.url(), "up").returncode == 0
    return stack.postgres, authority


def test_conninfo_and_password_in_files(sim, make_fleet, servers, folder):
    parts = parts_of(servers.database())
    passfile = write(os.path.join(folder, "pgpass"), f"{parts['host']}:{parts['port']}:*:{parts['user']}:{parts['password']}\n")
    path = write(os.path.join(folder, "conninfo"), conninfo(parts, password=None, passfile=passfile) + "\n")
    fleet = make_fleet(sim, config={"postgres.conninfo_file": path})
    fleet.secrets["pgpass"] = parts["password"]  # looked for in the log at the end
    fleet.ready(shards=4)
    prefix_is_stored(sim)


def test_conninfo_as_a_credential(sim, make_fleet, servers, folder):
    url = servers.database()
    credentials = os.path.join(folder, "credentials")
    os.mkdir(credentials, 0o700)
    write(os.path.join(credentials, "postgres-conninfo"), url + "\n", 0o400)
    fleet = make_fleet(sim, environment={"CREDENTIALS_DIRECTORY": credentials})
    fleet.secrets["credential"] = parts_of(url)["password"]
    fleet.ready(shards=4)
    prefix_is_stored(sim)


def test_verify_full(sim, make_fleet, tls):
    """The name is looked up by us and checked by libpq all the same."""
    postgres, authority = tls
    good = conninfo(parts_of(postgres.url()), host="localhost", sslmode="verify-full", sslrootcert=authority.ca)
    fleet = make_fleet(sim, database=good)
    fleet.secrets["password"] = postgres.passwords["shoal"]
    fleet.ready(shards=4)
    prefix_is_stored(sim)
    assert postgres.psql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE"
                         " 'shoal-shard%'") == "t"


def no_database(sim, make_fleet, database, words, secret=None):
    """A fleet that can't have its database: told once in clear words by each worker, and ready; what an admin changes is kept
    until somebody has mended it."""
    fleet = make_fleet(sim, shards=1, database=database)
    if secret:
        fleet.secrets["password"] = secret
    fleet.ready(shards=1)
    told = text_of(sim.answer(sim.use("settings", set_prefix("?"), **MANAGER)))
    assert "will be written when it is back" in told, told
    down = fleet.wait_record("db.down")
    assert words in down["reason"] and "\n" not in down["reason"], down
    assert "pong" in text_of(sim.answer(sim.say("?ping"))).lower()
    assert len({one["reason"] for one in fleet.records("db.down")}) == 1, fleet.records("db.down")
    fleet.stop()


@pytest.fixture
def one_shard(make_sim):
    return make_sim(shards=1)


def test_certificate_for_another_name(one_shard, make_fleet, tls):
    postgres, authority = tls
    no_database(one_shard, make_fleet, conninfo(parts_of(postgres.url()), sslmode="verify-full", sslrootcert=authority.ca),
                "does not match host name", postgres.passwords["shoal"])


def test_certificate_of_nobody_we_trust(one_shard, make_fleet, tls, folder):
    postgres, _ = tls
    other = Authority(os.path.join(folder, "other"), name="another authority")
    no_database(one_shard, make_fleet, conninfo(parts_of(postgres.url()), host="localhost", sslmode="verify-full",
                                                sslrootcert=other.ca), "certificate verify failed", postgres.passwords["shoal"])


@pytest.mark.parametrize("harm, words", [
    (lambda p: {**p, "password": "falsch123"}, "password authentication failed"),
    (lambda p: {**p, "dbname": "nix_da"}, 'database "nix_da" does not exist'),
    (lambda p: {**p, "port": "1"}, "Connection refused"),
    (lambda p: {**p, "sslmode": "require"}, "does not support SSL"),
    (lambda p: {**p, "target_session_attrs": "standby"}, "a standby was asked for"),
    (lambda p: {**p, "password": None}, "no password supplied"),
], ids=["password", "database", "port", "tls", "role", "no-password"])
def test_what_the_server_says(one_shard, make_fleet, servers, harm, words):
    parts = parts_of(servers.database())
    no_database(one_shard, make_fleet, conninfo(harm(parts)), words, parts["password"])


def test_schema_that_is_not_there(one_shard, make_fleet, servers):
    fleet = make_fleet(one_shard, shards=1, database=servers.database(migrated=False))
    fleet.ready(shards=1)
    told = text_of(one_shard.answer(one_shard.use("settings", set_prefix("?"), **MANAGER)))
    assert "begin with" not in told, told
    assert "shoalctl migrate up" in fleet.messages() + str(fleet.records()), fleet.messages()
    assert "pong" in text_of(one_shard.answer(one_shard.say("!ping"))).lower()


@pytest.mark.parametrize("text, words", [
    ("no conninfo geheim1", "not a connection string"),
    ("host=a,b port=1,2,3 password=geheim2", "different numbers of servers"),
    ("host=a target_session_attrs=leader password=geheim3", "target_session_attrs is not one of"),
    ("postgresql://u:geheim4@h/x?nokey=1", "not a connection string"),
])
def test_malformed(make_fleet, text, words):
    """Refused before anything is started, with the key and its place, without a word of the value."""
    for key in ("conninfo", "read_conninfo"):
        fleet = make_fleet(None, start=False, config={f"postgres.{key}": text})
        fleet.secrets["DISCORD_TOKEN"] = "a.token.of.nobody"
        fleet.start()
        assert fleet.ended() == 3
        with open(fleet.log, encoding="utf-8") as f:
            log = f.read()
        assert re.search(rf"shoal\.ini:\d+: postgres\.{key}: [^\n]*{words}", log), log
        assert "geheim" not in log
