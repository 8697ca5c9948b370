"""A fleet of the real programs under test control: shoald, its workers, shoalctl."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import harness
import procs

READY_S = 30 * harness.PATIENCE
STOP_S = 20 * harness.PATIENCE
SANITIZER_REPORT = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|runtime error: |SUMMARY: \w*Sanitizer")

# Exit codes: the README's table, shared/control/exit_code.h.
OK, INTERNAL, USAGE, CONFIG, TOKEN, SHARDING, API_VERSION, INTENTS, LOCKED, UNAVAILABLE, RESOURCE, ORPHANED, PORT, CACHE, \
    BOARD = range(15)


class Fleet:
    """config: {"section.key": value}, written to a shoal.ini; None leaves a default key out."""

    def __init__(self, folder, janitor, sim=None, shards=None, database=None, nats=None, config=None, environment=None):
        self.folder = tempfile.mkdtemp(prefix="f", dir=folder)
        self.janitor, self.sim = janitor, sim
        self.runtime_dir, self.state_dir = os.path.join(self.folder, "run"), os.path.join(self.folder, "state")
        self.log = os.path.join(self.folder, "shoald.log")
        self.ini = os.path.join(self.folder, "shoal.ini")
        self.token = sim.token if sim else None
        self.config = {
            "discord.api_base": sim.api if sim else None,
            "discord.shard_count": shards,
            "supervisor.runtime_dir": self.runtime_dir, "supervisor.state_dir": self.state_dir,
            "supervisor.cluster": os.path.basename(self.folder), "supervisor.host_id": "testhost",
            "supervisor.http_listen": "127.0.0.1:0",
            # Kept short, so that a lost worker or a lost supervisor is seen within a test.
            "supervisor.restart_floor_ms": 50,
            # Whatever lies in build/modules; a test that wants one names it.
            "modules.load": "",
            "log.format": "json", "log.level": "debug",
            **(config or {})}
        self.secrets = {"DISCORD_TOKEN": self.token, "DATABASE_URL": database, "NATS_URL": nats}
        self.environment = environment or {}
        self.process = None
        self.ini_extra = ""

    # --- start and end ---------------------------------------------------------------------------------------------

    def write_ini(self):
        sections = {}
        for key, value in self.config.items():
            if value is not None:
                section, _, name = key.partition(".")
                sections.setdefault(section, []).append(f"{name} = {str(value).lower() if value in (True, False) else value}")
        with open(self.ini, "w", encoding="utf-8") as f:
            for section, lines in sections.items():
                f.write(f"[{section}]\n" + "\n".join(lines) + "\n\n")
            f.write(self.ini_extra)

    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SHOAL_TEST", "DISCORD", "NOTIFY"))}
        env.update({k: v for k, v in self.secrets.items() if v is not None})
        env.update(self.environment)
        return env

    def start(self, *arguments, stdout=None):
        """Starts shoald; does not wait."""
        self.write_ini()
        self.process = procs.spawn([harness.program("shoald"), "--config", self.ini, *arguments], log=self.log,
                                   env=self.env(), cwd=self.folder, stdout=stdout)
        self.janitor.child(self.process)
        return self

    def ready(self, shards=None, timeout_s=READY_S):
        """Waits until the fleet says that every shard is ready; the status then."""
        def all_ready():
            assert self.process.poll() is None, \
                f"shoald ended with {self.process.returncode}\n{procs.file_tail(self.log)}"
            status = self.status(missing_ok=True)
            if not status or not status["shards"] or (shards and len(status["shards"]) != shards):
                return None
            return status if all(one["state"] == "ready" and procs.process_start_ticks(one["pid"])
                                 for one in status["shards"]) else None
        return procs.wait_until(all_ready, timeout_s, "every shard ready", interval_s=0.03,
                                tail=lambda: f"{self.status(missing_ok=True)}\n{procs.file_tail(self.log, 60)}")

    def ended(self, timeout_s=STOP_S):
        """Waits for shoald to end by itself; its exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"shoald runs on after {timeout_s} s\n{procs.file_tail(self.log)}") from None

    def stop(self, number=signal.SIGTERM):
        """Asks shoald to stop and waits; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def kill_supervisor(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        """Whatever still runs is ended: the supervisor in order, workers of a killed one by hand."""
        if self.process is not None and self.process.poll() is None:
            procs.stop(self.process, signal.SIGTERM, STOP_S)
        procs.end_processes(list(procs.processes_naming(self.runtime_dir)))

    # --- operators -------------------------------------------------------------------------------------------------

    def ctl_run(self, *arguments, timeout_s=30, env=None):
        """shoalctl as a person runs it: the finished process."""
        return subprocess.run([harness.program("shoalctl"), *arguments], cwd=self.folder, check=False, text=True,
                              env={**self.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": self.runtime_dir, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s * harness.PATIENCE)

    def ctl(self, *arguments, timeout_s=30):
        """shoalctl … --json: the parsed answer. AssertionError with its words when it failed."""
        done = self.ctl_run(*arguments, "--json", timeout_s=timeout_s)
        assert done.returncode == 0, f"shoalctl {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def status(self, missing_ok=False):
        done = self.ctl_run("status", "--json")
        if done.returncode != 0:
            assert missing_ok, f"shoalctl status: {done.returncode}\n{done.stdout}{done.stderr}"
            return None
        return json.loads(done.stdout)

    def shard(self, number):
        return next(one for one in self.status()["shards"] if one["id"] == number)

    def pids(self):
        """{shard: pid of its worker}"""
        return {one["id"]: one["pid"] for one in self.status()["shards"]}

    def kill(self, shard, number=signal.SIGKILL):
        """Kills the worker that a shard has, or as soon as it has one, and waits until it is gone; its pid."""
        def living():
            pid = self.pids()[shard]
            return pid if pid and procs.process_start_ticks(pid) else None
        pid = procs.wait_until(living, READY_S, f"a worker of shard {shard}", interval_s=0.01)
        os.kill(pid, number)
        wait_gone(pid)
        return pid

    def http_address(self):
        found = self.wait_record("http.listening")
        host, _, port = str(found.get("address") or found.get("listen")).rpartition(":")
        return host, int(port)

    def http(self, path, method="GET"):
        """(status, content type, text) of the operators' HTTP."""
        connection = http.client.HTTPConnection(*self.http_address(), timeout=15)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()
        finally:
            connection.close()

    # --- the log ---------------------------------------------------------------------------------------------------

    def records(self, event=None, **fields):
        """The log's records so far. Lines that are no JSON (a backtrace, a sanitizer's report) are event "?"."""
        found = []
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                text = f.read()
        except FileNotFoundError:
            return found
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                record = {"event": "?", "msg": line}
            if (event is None or record.get("event") == event) and \
                    all(record.get(key) == value for key, value in fields.items()):
                found.append(record)
        return found

    def wait_record(self, event, count=1, timeout_s=READY_S, **fields):
        """Waits until the log has such a record count times; the last one."""
        found = procs.wait_until(
            lambda: (lambda r: r if len(r) >= count else None)(self.records(event, **fields)),
            timeout_s, f"{count} log records {event} {fields or ''}", interval_s=0.02,
            tail=lambda: procs.file_tail(self.log, 60))
        return found[-1]

    def messages(self, *levels):
        """What it told people, as one text."""
        return "\n".join(f"{one.get('event')}: {one.get('msg', '')}" for one in self.records()
                         if not levels or one.get("level") in levels)

    # --- what must hold whatever was tested ------------------------------------------------------------------------

    def problems(self):
        """What no test may leave: a secret in a log, a sanitizer's report, a crash that nobody ordered."""
        found = []
        with open(self.log, encoding="utf-8", errors="replace") as f:
            text = f.read()
        found += [f"the log holds {name}'s secret" for name, secret in self._secret_words() if secret in text]
        if SANITIZER_REPORT.search(text):
            found.append("a sanitizer reported:\n" + text[SANITIZER_REPORT.search(text).start():][:6000])
        return found

    def _secret_words(self):
        for name, value in self.secrets.items():
            if value:
                password = re.match(r"\w+://[^:/@]*:([^@]+)@", value)
                yield name, password.group(1) if password else value


def wait_gone(pid, timeout_s=READY_S):
    """Waits until a process is no more."""
    procs.wait_until(lambda: procs.process_start_ticks(pid) is None, timeout_s, f"process {pid} gone")


def now_ms():
    return time.monotonic_ns() // 1_000_000
