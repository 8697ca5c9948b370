"""A PostgreSQL cluster loses its primary under write load from running workers: three times the synchronous standby is
promoted. What members were told is there is there, once; reads go on; what was under way is settled."""

import json
import os
import re
import threading

import pytest

import harness
import procs
from harness.cluster import Cluster
from harness.servers import migrate
from harness.write_load import Load, judge, nothing_waits, report

FAILOVERS = int(os.environ.get("CHAOS_FAILOVERS", "3"))
GUILDS = 16
# From the primary's death to the first write that was acknowledged again, the promotion by hand included.
GAP_MAX_S = 10.0 * harness.PATIENCE


@pytest.fixture
def cluster(folder, janitor):
    one = Cluster(folder, janitor)
    yield one.start()
    one.stop()


def test_failover_under_write_load(cluster, make_sim, make_fleet, servers):
    assert migrate(cluster.primary.url(), "up").returncode == 0
    sim = make_sim(guilds=GUILDS)
    fleet = make_fleet(sim, database=cluster.conninfo(), nats=servers.nats,
                       config={"postgres.read_conninfo": cluster.conninfo("prefer-standby"),
                               "postgres.connect_timeout_ms": 1000})
    fleet.secrets["read"] = cluster.primary.passwords["shoal"]
    fleet.ready(shards=4)
    load = Load(sim, range(GUILDS - 4), range(GUILDS - 4, GUILDS))
    load.run_until(lambda: load.acknowledged() > 100 and load.count("read") > 50, "a first hundred of writes")
    # The standby answers the questions: it is its connection that they came by.
    assert "ORDER BY name LIMIT" in cluster.standby.psql("SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE application_name LIKE"
                                          " 'shoal-shard%'")
    write_gaps, read_gaps = [], []
    for number in range(FAILOVERS):
        killed = cluster_failover(cluster, load)
        before = load.count("read")
        load.run_until(lambda: load.acknowledged(killed) > 100 and load.count("read") > before + 20,
                       f"writes after failover {number + 1}", 90)
        write_gaps.append(load.gap_s(("written",), killed))
        read_gaps.append(load.gap_s(("read",), killed))
        cluster.repair()
        load.run_until(lambda: load.acknowledged() > 0, "a turn")
    procs.wait_until(lambda: load.turn(going=False), 60, "every open question answered")
    procs.wait_until(lambda: nothing_waits(fleet), 60, "what was kept is written")
    lost, doubled, unsettled = judge(lambda sql: cluster.primary.psql(sql, database="shoal"), load)
    report("%d failovers under write load: %d writes acknowledged (%d of them kept meanwhile), %d refused; lost %d, applied "
           "twice %d, unsettled %d; longest gap of writes %s s, of reads %s s"
           % (FAILOVERS, load.acknowledged(), load.count("kept"), load.count("refused"), lost, doubled, unsettled,
              " ".join("%.2f" % gap for gap in write_gaps), " ".join("%.2f" % gap for gap in read_gaps)))
    assert not load.strange, load.strange[:5]
    assert (lost, doubled, unsettled) == (0, 0, 0)
    assert load.count("kept") > 0, "no write met the outage"
    assert max(write_gaps) < GAP_MAX_S
    assert max(read_gaps) < 2.0, read_gaps
    assert not [one for m in load.readers for one in m.done if one[3] != "read"]


def cluster_failover(cluster, load):
    """The primary dies between two turns, with writes open, and the standby is promoted while members go on."""
    load.turn()
    result = []
    worker = threading.Thread(target=lambda: result.append(cluster.failover()))
    worker.start()
    while worker.is_alive():
        load.turn()
        worker.join(0.005)
    assert result, "the failover did not come to its end"
    return result[0]


def test_pooler_that_remembers_its_server_as_a_standby(cluster, make_sim, make_fleet, folder, janitor):
    """pgbouncer repeats to every client what its server said when it was still a standby, and libpq believes it: so the
    server's role is asked for."""
    import stack

    assert migrate(cluster.primary.url(), "up").returncode == 0
    poolers = [stack.PgBouncer(os.path.join(folder, node.node), janitor, node) for node in cluster.nodes]
    try:
        for pooler in poolers:
            pooler.start()
        ports = ",".join(str(pooler.port) for pooler in poolers)
        conninfo = (f"host=127.0.0.1,127.0.0.1 port={ports} user=shoal dbname=shoal"
                    f" password={cluster.primary.passwords['shoal']} target_session_attrs=")
        sim = make_sim()
        fleet = make_fleet(sim, database=conninfo + "read-write",
                           config={"postgres.read_conninfo": conninfo + "prefer-standby", "postgres.prepared": "no",
                                   "postgres.connect_timeout_ms": 2000})
        fleet.secrets["read"] = cluster.primary.passwords["shoal"]
        fleet.ready(shards=4)
        load = Load(sim, range(4), range(4, 8))
        # Both poolers have greeted somebody by now: the standby's by way of the questions.
        load.run_until(lambda: load.acknowledged() > 20 and load.count("read") > 20, "writes and reads")
        killed = cluster_failover(cluster, load)
        load.run_until(lambda: load.acknowledged(killed) > 20, "writes on the other server", 60)
        hosts = doctor(fleet, "hosts")
        assert hosts["verdict"] == "warn" and "primary" in hosts["what"] and " away: " in hosts["what"], hosts
        assert doctor(fleet, "connection")["verdict"] in ("ok", "warn"), doctor(fleet, "connection")
        procs.wait_until(lambda: load.turn(going=False), 60, "every open question answered")
    finally:
        for pooler in poolers:
            pooler.stop()


def test_doctor_on_a_cluster(cluster, make_fleet):
    """Who is who and how far behind; a standby that does not replay; commits that wait for one that is gone."""
    assert migrate(cluster.primary.url(), "up").returncode == 0
    fleet = make_fleet(None, start=False, database=cluster.conninfo(),
                       config={"postgres.read_conninfo": cluster.conninfo("prefer-standby")})
    fleet.write_ini()
    # The standby replays what the migrations wrote when it comes to it: some kB behind is no fault.
    procs.wait_until(lambda: "standby, 0 kB behind" in doctor(fleet, "hosts")["what"], 60, "the standby has it all")
    hosts = doctor(fleet, "hosts")
    assert hosts["verdict"] == "ok" and "primary" in hosts["what"], hosts
    durability = doctor(fleet, "durability")
    assert "synchronous_standby_names = two, 1 standbys connected" in durability["what"], durability
    reading = doctor(fleet, "reading")
    assert reading["verdict"] == "ok" and f":{cluster.standby.port}, a standby" in reading["what"], reading

    cluster.standby.psql("SELECT pg_wal_replay_pause()")
    cluster.primary.psql("SELECT pg_logical_emit_message(false, 'x', repeat('x', 20000000))")
    hosts = doctor(fleet, "hosts")
    assert hosts["verdict"] == "warn" and re.search(r"(19|2\d)\.\d MB behind", hosts["what"]) and "replaying" in hosts["advice"], hosts

    cluster.standby.kill()
    procs.wait_until(lambda: cluster.primary.psql("SELECT count(*) FROM pg_stat_replication") == "0", 60, "it is missed")
    durability = doctor(fleet, "durability")
    assert durability["verdict"] == "fail" and "every write waits" in durability["what"], durability
    hosts = doctor(fleet, "hosts")
    assert hosts["verdict"] == "warn" and f"127.0.0.1:{cluster.standby.port} away: " in hosts["what"], hosts
    # Asked by itself, a standby says what it is; nothing tells a shard to look for another.
    fleet.secrets["DATABASE_URL"] = cluster.conninfo("any")
    assert doctor(fleet, "hosts")["verdict"] == "fail" and "target_session_attrs" in doctor(fleet, "hosts")["advice"]


def doctor(fleet, check):
    done = fleet.ctl_run("doctor", "--json", "--config", fleet.ini)
    return next(row for row in json.loads(done.stdout)["checks"] if row["check"] == check)
