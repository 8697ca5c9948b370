"""Fixtures of the integration tests. See harness/ for what they hand out."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import procs  # noqa: E402  (deploy/local)
import stack as local_stack  # noqa: E402
from harness import openapi  # noqa: E402
from harness.fleet import Fleet  # noqa: E402
from harness.servers import Servers  # noqa: E402
from harness.sim import Sim  # noqa: E402


def need(condition, reason):
    """Skips a test that wants what may be missing here. Where `make deps` brought it, missing is a failure."""
    if condition:
        return
    if harness.REQUIRE:
        pytest.fail(f"{reason} (SHOAL_TEST_REQUIRE=1: no skip)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def janitor():
    """Ends and removes what a killed run leaves behind."""
    keeper = procs.Janitor()
    yield keeper
    keeper.close()


@pytest.fixture
def folder(janitor):
    """A private folder on tmpfs, for sockets and logs."""
    import shutil

    path = procs.private_dir("shoal-t")
    janitor.folder(path)
    yield path
    procs.end_processes(list(procs.processes_naming(path)))
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_stack(janitor):
    """Makes stacks of a test's own, for those that kill servers."""
    made = []

    def make(**options):
        one = local_stack.Stack(janitor=janitor, **options)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def servers(janitor):
    """The run's PostgreSQL and nats-server; see harness/servers.py."""
    one = Servers(janitor)
    yield one
    one.stop()


@pytest.fixture
def make_sim(folder, janitor):
    """Starts discord-sims. What the bot sent to them is judged at the end, whatever the test was about."""
    made = []

    def make(**options):
        one = Sim(folder, janitor, **{"record": os.path.join(folder, f"sim-{len(made)}.jsonl"), **options})
        made.append(one)
        return one.start()

    yield make
    problems = []
    for one in made:
        one.stop()
        problems += openapi.check(openapi.read_record(one.options["record"]))[0]
    assert not problems, "requests that Discord would not take:\n" + "\n".join(dict.fromkeys(problems))


@pytest.fixture
def sim(make_sim):
    """One discord-sim of four shards."""
    return make_sim()


@pytest.fixture
def make_fleet(folder, janitor):
    """Starts fleets: make_fleet(sim, …) is started, not waited for. What no test may leave is looked for at the end."""
    made = []

    def make(sim=None, start=True, **options):
        one = Fleet(folder, janitor, sim, **options)
        made.append(one)
        return one.start() if start else one

    yield make
    problems = []
    for one in made:
        one.finish()
        if one.process is not None:
            problems += one.problems()
    assert not problems, "\n".join(problems)


@pytest.fixture
def fleet(sim, make_fleet, servers):
    """Four ready shards on the sim, with PostgreSQL and NATS."""
    one = make_fleet(sim, database=servers.database(), nats=servers.nats)
    one.ready(shards=4)
    return one


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the ends of the logs to the report of a test that failed."""
    report = (yield).get_result()
    folder = getattr(item, "funcargs", {}).get("folder")
    if report.failed and folder and os.path.isdir(folder):
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith(".log"):
                    report.sections.append((os.path.join(root, name), procs.file_tail(os.path.join(root, name), 30)))
