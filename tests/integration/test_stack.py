"""The local stack itself: it gets ready, serves, hides behind a password, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

import harness
import procs
import stack as local_stack

TOOL = os.path.join(harness.ROOT, "deploy", "local", "stack.py")


def nats_says(url, lines, until):
    """A raw exchange with a nats-server: what it says up to the word until."""
    password, port = re.fullmatch(r"nats://shoal:(\w+)@127.0.0.1:(\d+)", url).groups()
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as s:
        s.sendall("".join(line.replace("PASSWORD", password) + "\r\n" for line in lines).encode())
        text = b""
        while until not in text:
            chunk = s.recv(4096)
            assert chunk, f"connection ended after {text!r}"
            text += chunk
        return text.decode()


@pytest.fixture(scope="module")
def shared(janitor):
    with local_stack.Stack(pgbouncer=True, janitor=janitor) as one:
        yield one


def test_postgres_serves_its_owner(shared):
    assert shared.postgres.psql("SELECT current_user", database="shoal", role="shoal") == "shoal"
    assert shared.postgres.psql("SELECT rolsuper FROM pg_roles WHERE rolname = 'shoal'") == "f"


def test_postgres_refuses_a_wrong_password(shared):
    right = shared.postgres.passwords["shoal"]
    shared.postgres.passwords["shoal"] = "wrong"
    try:
        with pytest.raises(procs.StackError, match="password authentication failed"):
            shared.postgres.psql("SELECT 1", database="shoal", role="shoal")
    finally:
        shared.postgres.passwords["shoal"] = right


def test_pgbouncer_passes_queries_on(shared):
    done = subprocess.run(["psql", "-XAt", shared.pgbouncer.url(), "-c", "SELECT 41 + 1"], capture_output=True,
                          text=True, timeout=30)
    assert done.stdout.strip() == "42", done.stderr


def test_nats_has_jetstream_and_wants_its_password(shared):
    connect = 'CONNECT {"user":"shoal","pass":"PASSWORD","verbose":false,"headers":true}'
    said = nats_says(shared.nats.url, [connect, "SUB inbox 1", "PUB $JS.API.INFO inbox 0", "", "PING"], b"PONG")
    # The answer to the question may come behind the PONG.
    assert '"jetstream":true' in said
    refused = nats_says(shared.nats.url.replace(shared.nats.password, "0"), [connect, "PING"], b"-ERR")
    assert "Authorization Violation" in refused


def test_killed_servers_come_back_on_their_ports(own_stack):
    stack = own_stack()
    stack.postgres.psql("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)", database="shoal", role="shoal")
    before = (stack.postgres.port, stack.nats.port)
    stack.postgres.kill()
    stack.nats.kill()
    assert not stack.postgres.running and not stack.nats.running
    stack.postgres.start()
    stack.nats.start()
    assert (stack.postgres.port, stack.nats.port) == before
    assert stack.postgres.psql("SELECT x FROM kept", database="shoal", role="shoal") == "7"


def up():
    process = subprocess.Popen([sys.executable, TOOL, "up", "--pgbouncer"], stdout=subprocess.PIPE)
    facts = json.loads(process.stdout.readline())
    assert len(list(procs.processes_naming(facts["folder"]))) >= 3
    return process, facts["folder"]


def gone(folder):
    procs.wait_until(lambda: not os.path.exists(folder) and not list(procs.processes_naming(folder)),
                     30 * harness.PATIENCE, f"{folder} and its processes gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number):
    process, folder = up()
    process.send_signal(number)
    process.wait(60)
    gone(folder)


def test_run_hands_on_status_and_urls():
    script = 'test -n "$DATABASE_URL" -a -n "$NATS_URL" -a "$SHOAL_TEST_PG" = "$DATABASE_URL" && exit 7'
    assert subprocess.run([sys.executable, TOOL, "run", "--", "sh", "-c", script], timeout=120).returncode == 7


def test_works_without_root(folder):
    if os.geteuid() != 0:
        pytest.skip("is not root: every other test here is this one")
    tool = os.path.join(harness.copy_for_everybody(folder), "stack.py")
    done = subprocess.run([sys.executable, tool, "run", "--", "sh", "-c",
                           'id -u; psql -XAt "$DATABASE_URL" -c "SELECT current_user"'],
                          user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True, timeout=120,
                          cwd="/")
    assert done.stdout.split() == ["65534", "shoal"], done.stderr
