"""deploy/patroni under write load from running workers: the leader's host loses its power, its PostgreSQL crashes, a
planned switchover. Nothing that members were told is there may be missing or there twice."""

import json
import os
import threading

import pytest

import procs
from harness.servers import migrate
from harness.write_load import Load, judge, nothing_waits, report
from patroni_cluster import PatroniCluster

GUILDS = 16


@pytest.fixture
def cluster(folder, janitor):
    one = PatroniCluster(folder, janitor)
    try:
        yield one.start()
    finally:
        one.stop()


def in_background(load, work):
    """Does the work while members go on; what it returned."""
    result, errors = [], []

    def run():
        try:
            result.append(work())
        except BaseException as e:  # told in the test's own thread
            errors.append(e)
    worker = threading.Thread(target=run)
    worker.start()
    while worker.is_alive():
        load.turn()
        worker.join(0.01)
    if errors:
        raise errors[0]
    return result[0]


def test_leader_lost_under_write_load(cluster, make_sim, make_fleet, servers):
    assert migrate(cluster.conninfo(pooler=False), "up").returncode == 0
    sim = make_sim(guilds=GUILDS)
    fleet = make_fleet(sim, database=cluster.conninfo(), nats=servers.nats,
                       config={"postgres.read_conninfo": cluster.conninfo("prefer-standby"), "postgres.prepared": "no",
                               "postgres.connect_timeout_ms": 3000})
    fleet.secrets["database"] = cluster.passwords["shoal"]
    fleet.ready(shards=4)
    load = Load(sim, range(GUILDS - 4), range(GUILDS - 4, GUILDS))
    load.run_until(lambda: load.acknowledged() > 100 and load.count("read") > 50, "a first hundred of writes")

    def lose(name, kill):
        """From the kill until members' writes are acknowledged again; the longest gap, in seconds."""
        since = procs.time.monotonic_ns()
        kill()
        load.run_until(lambda: load.count("written", since) > 100, f"writes after: {name}", 120)
        return name, load.gap_s(("written",), since)

    gaps = []
    leader = cluster.leader()
    gaps.append(lose("host lost", leader.kill))
    assert in_background(load, lambda: cluster.wait_leader(other_than=leader)) is not leader
    leader.back()  # in this thread: its processes end with the thread that started them
    in_background(load, cluster.wait_whole)
    gaps.append(lose("PostgreSQL crashed", lambda: cluster.leader().kill_postgres()))
    in_background(load, cluster.wait_whole)

    # Every part says that it is well, by the eyes of an operator who goes past the poolers.
    rows = doctor(fleet, cluster)
    assert rows["durability"]["verdict"] in ("ok", "warn"), rows["durability"]  # warn: the test's servers have no fsync
    assert "synchronous_standby_names = db" in rows["durability"]["what"].replace('"', ""), rows["durability"]
    assert rows["hosts"]["verdict"] == "ok" and rows["hosts"]["what"].count("standby") == 2, rows["hosts"]
    assert doctor(fleet, cluster, pooler=True)["pooler"]["verdict"] == "ok"

    procs.wait_until(lambda: load.turn(going=False), 60, "every open question answered")
    procs.wait_until(lambda: nothing_waits(fleet), 60, "what was kept is written")
    lost, doubled, unsettled = judge(cluster.psql, load)
    report("Patroni, etcd, pgbouncer: %d writes acknowledged (%d kept meanwhile), %d refused; lost %d, applied twice %d, "
           "unsettled %d; %s" % (load.acknowledged(), load.count("kept"), load.count("refused"), lost, doubled, unsettled,
                                 ", ".join("%s: %.1f s without a write" % gap for gap in gaps)))
    assert not load.strange, load.strange[:5]
    assert (lost, doubled, unsettled) == (0, 0, 0)
    assert load.count("kept") > 0, "no write met the outage"
    assert dict(gaps)["host lost"] < 45 and dict(gaps)["PostgreSQL crashed"] < 45


def doctor(fleet, cluster, pooler=False):
    done = fleet.ctl_run("doctor", "--json", "--config", fleet.ini, timeout_s=60,
                         env={"DATABASE_URL": cluster.conninfo(pooler=pooler)})
    assert done.returncode in (0, 1), done.stderr
    return {row["check"]: row for row in json.loads(done.stdout)["checks"]}
