"""A raided guild does not starve the others of its shard."""

import harness
from harness import noise

GUILDS = 16
# A p99 of a few hundred commands is some single one, and the machine has neighbours: a round that lies so low is good
# whatever the quiet one was.
GOOD_US = 5000 * harness.PATIENCE


def test_the_others_wait_at_most_twice_as_long(make_sim, make_fleet, folder):
    sim = make_sim(shards=1, guilds=GUILDS, rest_limits=False)
    fleet = make_fleet(sim, shards=1, config={"rest.global_per_s": 100000, "log.level": "info"})
    fleet.ready(shards=1)
    tries = []
    for _ in range(3):
        found = noise.measure(sim, fleet, folder, GUILDS, seconds=2, rounds=1)
        assert found["events_per_s"][0] > noise.EVENTS_PER_S * 0.7, f"the guild was not as noisy as asked for: {found}"
        tries.append(found)
        if found["ratio"] <= 2 or found["noisy"][0] <= GOOD_US:
            break
    else:
        raise AssertionError(f"the others wait: {tries}")
    shard = fleet.shard(0)
    assert shard["loss_windows"] == 0 and shard["state"] == "ready"
