"""Fixture for the tests of discord-sim itself: `from harness.own_sim import own_sim`."""

import pytest

from harness.sim import Sim


@pytest.fixture
def own_sim(folder, janitor):
    """Starts sims whose requests are not judged as shoal's are: here a test sends them, wrong ones too."""
    made = []

    def make(**options):
        one = Sim(folder, janitor, **options)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()
