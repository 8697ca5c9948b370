"""Everything at once under write load: connections of the primary killed by the hundred, failovers to the synchronous
standby, workers and the supervisor killed in between. What members were told is there is there, once."""

import os
import random
import signal
import threading

import pytest

import procs
from harness.cluster import Cluster
from harness.servers import migrate
from harness.write_load import Load, judge, nothing_waits, report

CUTS = int(os.environ.get("CHAOS_CUTS", "200"))
FAILOVERS = 3
WORKER_KILLS = 24
SUPERVISOR_KILLS = 3
GUILDS = 24
SEED = int(os.environ.get("CHAOS_SEED") or "0") or random.randrange(1 << 30)


@pytest.fixture
def cluster(folder, janitor):
    one = Cluster(folder, janitor)
    yield one.start()
    one.stop()


def cut_one(cluster):
    """A connection of some worker to the primary ends, whatever it is at. False: there is none."""
    return cluster.primary.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE"
                                " 'shoal-shard%' ORDER BY random() LIMIT 1") == "t"


def kill_worker(fleet, dice):
    pids = [pid for pid in fleet.pids().values() if pid]
    if pids:
        os.kill(dice.choice(pids), signal.SIGKILL)


def kill_supervisor(fleet):
    fleet.kill_supervisor()
    fleet.start()
    procs.wait_until(lambda: fleet.status(missing_ok=True), 30, "the supervisor answers again")


def while_members_go_on(load, work):
    """work() starts no process of its own that must live on."""
    errors = []

    def run():
        try:
            work()
        except BaseException as e:  # told in the test's own thread
            errors.append(e)
    worker = threading.Thread(target=run)
    worker.start()
    while worker.is_alive():
        load.turn()
        worker.join(0.005)
    if errors:
        raise errors[0]


def test_cuts_failovers_and_kills(cluster, make_sim, make_fleet, servers):
    dice = random.Random(SEED)
    assert migrate(cluster.primary.url(), "up").returncode == 0
    sim = make_sim(guilds=GUILDS)
    fleet = make_fleet(sim, database=cluster.conninfo(), nats=servers.nats,
                       config={"postgres.read_conninfo": cluster.conninfo("prefer-standby"),
                               "postgres.connect_timeout_ms": 1000, "supervisor.restart_burst": 1000,
                               "supervisor.restart_cap_ms": 200})
    fleet.secrets["read"] = cluster.primary.passwords["shoal"]
    fleet.ready(shards=4)
    load = Load(sim, range(GUILDS - 4), range(GUILDS - 4, GUILDS))
    load.run_until(lambda: load.acknowledged() > 100, "a first hundred of writes")

    steps = ["cut"] * CUTS + ["worker"] * WORKER_KILLS + ["supervisor"] * SUPERVISOR_KILLS
    dice.shuffle(steps)
    for number in range(FAILOVERS):
        steps.insert((number + 1) * len(steps) // (FAILOVERS + 1), "failover")
    cuts = 0
    for step in steps:
        before = load.acknowledged()
        if step == "cut":
            cuts += cut_one(cluster)
        elif step == "worker":
            kill_worker(fleet, dice)
        elif step == "supervisor":
            kill_supervisor(fleet)
        else:
            while_members_go_on(load, cluster.failover)
            load.run_until(lambda: load.acknowledged() > before + 20, "writes after a failover", 60)
            cluster.repair()
        # On when something was written again: the next blow finds writes under way, not a queue of refusals.
        load.run_until(lambda: load.acknowledged() > before + dice.randrange(1, 8), f"a write after: {step}", 60)
    load.run_until(lambda: load.turn(going=False), "every open question answered", 90)
    fleet.ready(shards=4)
    procs.wait_until(lambda: nothing_waits(fleet), 60, "what was kept is written")
    lost, doubled, unsettled = judge(lambda sql: cluster.primary.psql(sql, database="shoal"), load)
    report("seed %d: %d connections cut, %d failovers, %d workers and %d supervisors killed under write load: %d writes "
           "acknowledged (%d kept meanwhile), %d refused, %d without an answer; lost %d, applied twice %d, unsettled %d"
           % (SEED, cuts, FAILOVERS, WORKER_KILLS, SUPERVISOR_KILLS, load.acknowledged(), load.count("kept"),
              load.count("refused"), load.count("unanswered"), lost, doubled, unsettled))
    assert not load.strange, load.strange[:5]
    assert (lost, doubled) == (0, 0), f"seed {SEED}"
    assert unsettled == load.count("unanswered"), f"seed {SEED}"
    assert cuts >= CUTS * 0.7, "too few connections were there to be cut"
