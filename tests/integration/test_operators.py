"""What operators see and do: shoalctl, HTTP, systemd's notifications."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.sim import text_of


# --- shoalctl ------------------------------------------------------------------------------------------------------------


def test_status_for_people(fleet):
    done = fleet.ctl_run("status")
    assert done.returncode == 0
    assert re.search(r"4(/| of )4|4 shards", done.stdout), done.stdout
    assert "\x1b" not in done.stdout, "escapes although no terminal reads"


def test_shards_for_people_and_programs(fleet):
    table = fleet.ctl_run("shards").stdout
    assert len(re.findall(r"\bready\b", table)) == 4, table
    answer = fleet.ctl("shards")
    shards = answer["shards"] if isinstance(answer, dict) else answer
    assert [one["id"] for one in shards] == [0, 1, 2, 3] and all(one["state"] == "ready" for one in shards)


def test_top_prints_one_frame(fleet):
    done = fleet.ctl_run("top", "--once")
    assert done.returncode == 0 and "\x1b[" not in done.stdout
    assert len(re.findall(r"\bready\b", done.stdout)) >= 1, done.stdout
    answer = fleet.ctl("top", "--once")
    assert "shards" in answer


def test_top_on_a_terminal_refreshes_and_quits(fleet):
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(harness.program("shoalctl"), ["shoalctl", "--runtime-dir", fleet.runtime_dir, "top"],
                  {**os.environ, "TERM": "xterm"})
    seen = b""

    def read_until(check, what):
        nonlocal seen
        deadline = time.monotonic() + 20
        while not check():
            assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], f"{what}: {seen[-500:]}"
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            seen += chunk
    try:
        read_until(lambda: b"ready" in seen, "a first frame")
        first = len(seen)
        read_until(lambda: b"ready" in seen[first:], "a second frame")
        os.write(terminal, b"q")
        status = procs.wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 10, "top quits on q")
        assert status
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)


def test_metrics_verb_and_page_agree_in_form(fleet):
    printed = fleet.ctl_run("metrics")
    assert printed.returncode == 0
    parse_metrics(printed.stdout)


def test_without_a_supervisor_it_says_how_to_start_one(folder):
    done = subprocess.run([harness.program("shoalctl"), "--runtime-dir", folder, "status"], capture_output=True,
                          text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode not in (0, -6, -11)
    assert folder in done.stderr and "shoald" in done.stderr, done.stderr
    done = subprocess.run([harness.program("shoalctl"), "--runtime-dir", folder, "status", "--json"],
                          capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and "error" in json.loads(done.stdout or done.stderr)


def test_restart_takes_each_shard_once(fleet):
    done = json.loads(fleet.ctl_run("restart", "2", "1", "2", "--json").stdout)
    assert [one["shard"] for one in done["restarted"]] == [2, 1], done


def test_figures_are_printed_as_they_are_meant(fleet):
    """Not 0.14899999999999999."""
    for text in (fleet.ctl_run("shards", "--json").stdout, fleet.http("/api/v1/shards")[2]):
        for figure in re.findall(r'_(?:ms|per_s)": ?([\d.e-]+)', str(text)):
            assert len(figure) <= 12, figure


def test_restart_of_what_is_not_there_is_refused(fleet):
    done = fleet.ctl_run("restart", "99")
    assert done.returncode != 0 and "99" in done.stderr, done.stderr
    assert fleet.ctl_run("restart", "two").returncode == fleets.USAGE


def test_stop_by_an_operator(fleet):
    assert fleet.ctl_run("stop").returncode == 0
    assert fleet.ended() == fleets.OK


def test_help_is_a_verb_too(fleet):
    assert fleet.ctl_run("help").stdout == fleet.ctl_run("--help").stdout != ""


def test_help_of_a_verb(fleet):
    for words in (("restart", "--help"), ("help", "restart")):
        text = fleet.ctl_run(*words).stdout
        assert text.startswith("usage: shoalctl [options] restart N... | --all") and "migrate" not in text, text


@pytest.mark.parametrize("verb", ["module", "outbox", "dead-letters", "migrate", "config", "jobs", "privacy", "keys"])
def test_help_of_a_verb_tells_of_each_form(fleet, verb):
    text = fleet.ctl_run(verb, "--help").stdout
    forms = re.findall(r"(?:^|\| )([a-z]+)", text.splitlines()[0].partition(f" {verb} ")[2])
    assert len(forms) > 1, text
    for form in forms:
        assert re.search(rf"^  (?:[a-z]+, )?{form}\b.* \S+", text, re.M), (form, text)


def test_unknown_verb_is_named(fleet):
    done = fleet.ctl_run("statsu")
    assert done.returncode == fleets.USAGE and "statsu" in done.stderr and "status" in done.stderr


@pytest.mark.parametrize("line", [b"", b"{", b"nonsense", b'{"id":-1,"verb":"status"}', b'{"id":1}', b"[1]",
                                  b'{"id":1,"verb":5}', b'{"id":1,"verb":"no such"}', b'{"id":1e300,"verb":"status"}',
                                  b"\xff\xfe", b'{"id":1,"verb":"restart","shards":[-1,99999999999,"x"]}',
                                  b'{"id":1,"verb":"hello","shard":0}', b"x" * (2 << 20)],
                         ids=lambda line: repr(line[:30]))
def test_control_socket_survives_nonsense(fleet, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(15)
        s.connect(os.path.join(fleet.runtime_dir, "control.sock"))
        try:
            s.sendall(line + b"\n")
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # thrown out before it had ended: as good an answer
    assert all(one["state"] == "ready" for one in fleet.status()["shards"])


# --- HTTP ----------------------------------------------------------------------------------------------------------------


def parse_metrics(text):
    """Prometheus's text format, strictly: {(name, labels): value}."""
    found, kinds = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        comment = re.fullmatch(r"# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)", line)
        if comment:
            if comment.group(1) == "TYPE":
                assert comment.group(2) not in kinds, f"{comment.group(2)} has two TYPE lines"
                assert comment.group(3) in ("counter", "gauge", "histogram", "summary", "untyped")
                kinds[comment.group(2)] = comment.group(3)
            continue
        sample = re.fullmatch(r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)', line)
        assert sample, f"no sample: {line!r}"
        name, labels, value = sample.groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in kinds or base in kinds, f"{name} has no TYPE before it"
        assert (name, labels) not in found, f"{line} twice"
        found[name, labels] = float(value)
    assert found
    return found


def test_health_pages(fleet):
    assert fleet.http("/healthz")[0] == 200
    assert fleet.http("/readyz")[0] == 200
    status, kind, text = fleet.http("/metrics")
    assert status == 200 and kind.startswith("text/plain")
    metrics = parse_metrics(text)
    assert len({labels for (name, labels) in metrics if labels and 'shard="' in labels}) >= 4
    status, kind, text = fleet.http("/api/v1/status")
    assert status == 200 and kind.startswith("application/json")
    assert len(json.loads(text)["shards"]) == 4
    assert json.loads(fleet.http("/api/v1/shards")[2]).keys() == fleet.ctl("shards").keys()
    assert fleet.http("/no/such/page")[0] == 404
    assert fleet.http("/healthz", "DELETE")[0] == 405


def test_not_ready_while_a_shard_is_not(make_sim, make_fleet):
    sim = make_sim(shards=2, max_concurrency=1, identify_window_ms=5000)
    fleet = make_fleet(sim, shards=2)
    fleet.http_address()
    sim.wait(ready=1)
    assert fleet.http("/healthz")[0] == 200
    assert fleet.http("/readyz")[0] == 503
    fleet.ready(shards=2)
    assert fleet.http("/readyz")[0] == 200


@pytest.mark.parametrize("request_bytes", [
    b"", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 64, b"GET " + b"/" * 70000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"], ids=lambda value: repr(value[:24]))
def test_http_survives_nonsense(fleet, request_bytes):
    with socket.create_connection(fleet.http_address(), timeout=20) as s:
        try:
            s.sendall(request_bytes)
            s.shutdown(socket.SHUT_WR)
            answer = s.recv(65536)
            assert not answer or re.match(rb"HTTP/1\.1 (4|5)\d\d ", answer), answer[:100]
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert fleet.http("/healthz")[0] == 200


# --- systemd -------------------------------------------------------------------------------------------------------------


class Notifications:
    """A NOTIFY_SOCKET of the test's own."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.seen = []

    def until(self, pattern, timeout_s=20):
        deadline = time.monotonic() + timeout_s * harness.PATIENCE
        while not any(re.search(pattern, one) for one in self.seen):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.socket], [], [], left)[0], f"no {pattern} in {self.seen}"
            self.seen.append(self.socket.recv(4096).decode())
        return self.seen


def test_systemd_is_told(sim, make_fleet, folder):
    notifications = Notifications(folder)
    fleet = make_fleet(sim, environment={"NOTIFY_SOCKET": notifications.path, "WATCHDOG_USEC": "400000",
                                         "SHOAL_LOG_FORMAT": "json"})
    notifications.until(r"(?m)^READY=1$")
    notifications.until(r"(?m)^STATUS=.*4/4 shards ready")
    before = len([one for one in notifications.seen if "WATCHDOG=1" in one])
    notifications.seen.clear()
    notifications.until(r"(?m)^WATCHDOG=1$")
    assert before >= 0
    fleet.process.send_signal(signal.SIGTERM)
    notifications.until(r"(?m)^STOPPING=1$")
    assert fleet.ended() == fleets.OK


def test_workers_do_not_speak_to_systemd(sim, make_fleet, folder):
    notifications = Notifications(folder)
    fleet = make_fleet(sim, environment={"NOTIFY_SOCKET": notifications.path})
    fleet.ready(shards=4)
    for pid in fleet.pids().values():
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read()


# --- secrets -------------------------------------------------------------------------------------------------------------


def test_secrets_are_nowhere_to_be_read(sim, fleet, folder):
    """Not in an argument, an environment, a file, an answer or a log of any process of ours."""
    for guild in range(4):
        sim.answer(sim.use("ping", guild=guild))
    words = [fleet.token] + [re.match(r"\w+://[^:]*:([^@]+)@", fleet.secrets[name]).group(1)
                             for name in ("DATABASE_URL", "NATS_URL")]
    for pid in [fleet.process.pid, *fleet.pids().values()]:
        for name in ("cmdline", "environ"):
            if pid == fleet.process.pid and name == "environ":
                continue  # the kernel keeps what exec was given; the program's own copy is looked at below
            with open(f"/proc/{pid}/{name}", "rb") as f:
                text = f.read()
            assert not [word for word in words if word.encode() in text], f"a secret in {name} of {pid}"
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            assert re.search(r"Max core file size +0 +0", f.read()), "a core dump could hold the token"
    for root, _, names in os.walk(fleet.folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as f:
                    text = f.read()
                assert not [word for word in words if word.encode() in text], f"a secret in {path}"
    for answer in (fleet.ctl_run("status", "--json"), fleet.ctl_run("metrics")):
        assert not [word for word in words if word in answer.stdout + answer.stderr]
    for page in ("/metrics", "/api/v1/status", "/api/v1/shards"):
        assert not [word for word in words if word in fleet.http(page)[2]]


def test_private_files_are_private(fleet):
    for root, folders, names in os.walk(fleet.runtime_dir):
        for name in folders + names:
            mode = os.lstat(os.path.join(root, name)).st_mode & 0o077
            assert mode == 0, f"{os.path.join(root, name)} is open to others: {mode:o}"
    assert os.stat(fleet.runtime_dir).st_mode & 0o077 == 0


def test_token_from_a_file(sim, make_fleet, folder):
    path = os.path.join(folder, "token")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write(sim.token + "\n")
    fleet = make_fleet(sim, config={"discord.token_file": path}, start=False)
    fleet.secrets["DISCORD_TOKEN"] = None
    fleet.start().ready(shards=4)
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
