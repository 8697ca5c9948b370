"""Scopes: every asynchronous call of the module contract, its scope ended at each step while all is real (discord-sim,
PostgreSQL, NATS, HTTP): each completes exactly once. tests/unit/test_every_call.c has the same calls with each step exact."""

import os
import re
import socket
import subprocess
import threading

import pytest

import harness
import procs
import stack as local_stack
from harness import fleet as fleets
from harness.sim import text_of
from test_module_state import migrate
from test_modules import build

SOURCE = os.path.join(os.path.dirname(__file__), "harness", "every_call.c")
MANAGER = {"permissions": str(1 << 5)}

SQL = {"0001_thing.up.sql": """-- Things.
-- oldest-program: 0.1.0
SELECT shoal.create_keyed_table('every__thing', ARRAY['guild_id', 'x'], $$
	guild_id bigint NOT NULL,
	x        bigint NOT NULL
$$);
""", "0001_thing.down.sql": "DROP TABLE shoal.every__thing;\n"}


def rows():
    """(name, answers, lasts) of each row of the module, in order."""
    with open(SOURCE, encoding="utf-8") as f:
        found = re.findall(r'\{ "(\w+)", (true|false), (true|false), begin_\w+ \}', f.read())
    assert len(found) > 30
    return [(name, answers == "true", lasts == "true") for name, answers, lasts in found]


@pytest.fixture
def modules(folder):
    path = os.path.join(folder, "modules")
    with open(SOURCE, encoding="utf-8") as f:
        text = f.read()
    flags = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"] if harness.SANITIZE else []
    build(path, "every", text, *flags)
    where = os.path.join(path, "sql", "every")
    os.makedirs(where)
    for name, content in SQL.items():
        with open(os.path.join(where, name), "w", encoding="ascii") as f:
            f.write(content)
    return path


class Silence:
    """An HTTP server that takes what it is asked, and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/" % self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        try:
            while True:
                self.taken.append(self.listener.accept()[0])
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.taken:
            one.close()


class Lock:
    """Holds tables, so that whoever wants them waits."""

    def __init__(self, servers, url, *tables):
        self.psql = subprocess.Popen([os.path.join(local_stack.postgres_bin_dir(), "psql"), "-XqAt", url], text=True, cwd="/",
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.psql.stdin.write("BEGIN;\n" + "".join(f"LOCK TABLE {one};\n" for one in tables) + "SELECT 'held';\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline().strip() == "held"

    def close(self):
        self.psql.stdin.close()
        self.psql.wait(30)
        self.psql.stdout.close()


class Every:
    """The module, driven."""

    def __init__(self, sim, fleet):
        self.sim, self.fleet = sim, fleet

    def begin(self, step, row, where="event", url=""):
        if rows()[row][1]:
            options = [{"name": "row", "type": 4, "value": row}, {"name": "step", "type": 3, "value": step}]
            return self.sim.use("every", [{"name": "use", "type": 1, "options": options}], **MANAGER)
        return self.sim.say(f"every {step} {where} {row} {url}")

    def tell(self):
        """What it counts now, and whether the bus is there."""
        before = len(self.fleet.records("every.report"))
        said = text_of(self.sim.answer(self.sim.use("every", [{"name": "tell", "type": 1}], **MANAGER)))
        record = self.fleet.wait_record("every.report", count=before + 1)
        return said, report_of(record)

    def until(self, what, **wanted):
        def look():
            counts = self.tell()[1]
            return counts if all(counts[key] == value for key, value in wanted.items()) else None
        return procs.wait_until(look, 60 * harness.PATIENCE, what, interval_s=0.1,
                                tail=lambda: f"{self.tell()}\n{self.fleet.messages('error')}\n{procs.file_tail(self.fleet.log)}")


def report_of(record):
    return {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", record["msg"])}


def clean(fleet):
    """Nothing of it was wrong, or left."""
    assert not fleet.records("every.wrong"), fleet.messages("error")
    for event in ("modules.scope_leaked", "modules.calls_leaked", "modules.leaked", "commands.leaked"):
        assert not fleet.records(event), fleet.records(event)
    assert not fleet.records("worker.died")


@pytest.fixture
def every(make_sim, make_fleet, servers, modules):
    sim = make_sim(shards=1, guilds=4)
    url = servers.database()
    done = migrate_in(url, modules)
    assert done.returncode == 0, done.stdout + done.stderr
    fleet = make_fleet(sim, database=url, nats=servers.nats, config={
        "modules.dir": modules, "modules.load": "every", "modules.http_private": True, "modules.slow_ms": 1000})
    fleet.ready(shards=1)
    one = Every(sim, fleet)
    one.database = url
    procs.wait_until(lambda: one.tell()[0] == "told 0", 30 * harness.PATIENCE, "the bus", interval_s=0.1)
    return one


def migrate_in(url, modules):
    class Url:
        @staticmethod
        def url():
            return url
    return migrate(Url, modules, "up")


def test_each_call_completes_once_whenever_its_scope_ends(every):
    count = 0
    for step in ("free", "before", "queued", "wire", "there", "callback", "other"):
        for row in range(len(rows())):
            every.begin(step, row)
            count += 1
        # Beside these stand the calls that were begun from callbacks, all refused.
        counts = every.until(f"all calls of {step} are told", open=0)
        assert counts["calls"] >= count and counts["wrong"] == 0, counts
    # Some were ended, and others had come to their end; but for what the sim does not have, as they should.
    assert counts["cancelled"] > len(rows()) and counts["cancelled"] + counts["failed"] < counts["calls"], counts
    assert every.fleet.stop() == fleets.OK
    last = report_of(every.fleet.wait_record("every.report", count=len(every.fleet.records("every.report"))))
    assert last["wrong"] == 0 and last["open"] == 0, last
    clean(every.fleet)


def test_calls_of_a_jobs_run(every):
    """A run is a scope like the others."""
    of_events = [row for row, (_, answers, _) in enumerate(rows()) if not answers]
    count = 0
    for step in ("queued", "there", "callback"):
        for row in of_events:
            every.begin(step, row, where="job")
            count += 1

    def look():
        counts = every.tell()[1]
        return counts if counts["ordered"] == count and counts["open"] == 0 else None
    counts = procs.wait_until(look, 120 * harness.PATIENCE, "all calls are told", interval_s=0.2,
                              tail=lambda: f"{every.tell()}\n{every.fleet.messages('error')}\n{procs.file_tail(every.fleet.log)}")
    assert counts["wrong"] == 0, counts
    assert every.fleet.stop() == fleets.OK
    clean(every.fleet)


def test_a_workers_stop_ends_all_that_is_open(every, servers):
    """Requests that Discord, an HTTP server and the database do not answer, and timers; of events, of commands and of the
    module itself. The next worker begins the events again."""
    silence = Silence()
    lock = Lock(servers, every.database, "shoal.every__thing", "shoal.job", "shoal.guild_setting")
    try:
        every.sim.fault("hang", times=-1)
        for row in range(len(rows())):
            every.begin("left", row, url=silence.url)
            if not rows()[row][1]:
                every.begin("left", row, where="module", url=silence.url)
        # What is not heard of any more is known by the sim having been asked.
        begun = 2 * len(rows()) - sum(answers for _, answers, _ in rows())
        procs.wait_until(lambda: module_calls(every.fleet) >= begun // 2, 30 * harness.PATIENCE, "calls are open", interval_s=0.1,
                         tail=lambda: f"{module_calls(every.fleet)}\n{procs.file_tail(every.fleet.log)}")
        before = every.fleet.pids()[0]
        stopping = subprocess.Popen([harness.program("shoalctl"), "restart", "0"], cwd=every.fleet.folder, text=True,
                                    env={**every.fleet.env(), "SHOAL_SUPERVISOR_RUNTIME_DIR": every.fleet.runtime_dir},
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        fleets.wait_gone(before)
    finally:
        every.sim.clear_faults()
        lock.close()
        silence.close()
    assert stopping.wait(90 * harness.PATIENCE) == 0, stopping.stdout.read()
    stopping.stdout.close()
    every.fleet.ready(shards=1)
    cleanup = [report_of(one) for one in every.fleet.records("every.report") if one["msg"].startswith("cleanup")]
    assert len(cleanup) == 1 and cleanup[0]["open"] == 0 and cleanup[0]["wrong"] == 0, cleanup
    assert cleanup[0]["cancelled"] >= begun // 2, cleanup
    # The events that were not over are begun again, and this time answered.
    assert every.fleet.stop() == fleets.OK
    clean(every.fleet)


def module_calls(fleet):
    return next(one for one in fleet.ctl("module", "list")["modules"] if one["name"] == "every")["calls_open"]
