"""Fixtures of the integration tests. See harness/ for what they hand out."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import procs  # noqa: E402  (deploy/local)
import stack as local_stack  # noqa: E402


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
