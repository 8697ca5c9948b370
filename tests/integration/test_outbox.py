"""What an admin changes while PostgreSQL is away is kept on this machine's disk, counts at once, survives the worker, and is
written once when the database is back."""

import os
import random
import re
import shutil
import subprocess
import time

import pytest

import procs
from conftest import need
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of

MANAGER = {"permissions": str(1 << 5)}
QUICK = {"supervisor.restart_burst": 1000, "supervisor.restart_cap_ms": 100}
SEED = int(os.environ.get("CHAOS_SEED") or "0") or random.randrange(1 << 30)
KILLS = int(os.environ.get("CHAOS_KILLS", "12"))


@pytest.fixture
def private(own_stack):
    stack = own_stack(nats=False)
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def prefix_options(value):
    return [{"name": "prefix", "type": 1, "options": [{"name": "new", "type": 3, "value": value}] if value else []}]


def set_prefix(sim, value, guild=0):
    return text_of(sim.answer(sim.use("settings", prefix_options(value), guild=guild, **MANAGER)))


def show_prefix(sim, guild=0):
    return text_of(sim.answer(sim.use("settings", prefix_options(None), guild=guild, **MANAGER)))


def eventually(check, what, fleet, timeout_s=fleets.READY_S):
    return procs.wait_until(check, timeout_s, what, interval_s=0.1, tail=lambda: procs.file_tail(fleet.log, 60))


def guild_id(sim, guild):
    return int(sim.get("/guild", index=guild)["id"])


def shard_of(sim, guild):
    return (guild_id(sim, guild) >> 22) % 4


def stored(postgres, sim, guild=0):
    """The prefix in the database and its version: one more with each write."""
    return postgres.psql("SELECT value #>> '{}' || ' ' || version FROM shoal.guild_setting WHERE name = 'commands.prefix'"
                         f" AND guild_id = {guild_id(sim, guild)}", database="shoal")


def kill_worker(fleet, sim, shard):
    before = sim.summary()["resumes"]["ok"]
    fleet.kill(shard)
    sim.wait(resumes=before + 1)
    fleet.ready(shards=4)


def entries(fleet, *arguments):
    return fleet.ctl("outbox", "list", *arguments)["entries"]


def written(fleet):
    """As the fleet sees it, and in the files: who was told that a write is kept has it in one of them."""
    eventually(lambda: fleet.status()["outbox_waiting"] == 0, "everything written", fleet)
    eventually(lambda: not [one for one in entries(fleet) if one["state"] == "waiting"], "nothing in the files", fleet)


def test_kept_while_the_database_is_away(sim, make_fleet, private):
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    assert "kept" not in set_prefix(sim, "?")
    assert stored(postgres, sim) == "? 1"
    assert fleet.ctl_run("outbox", "status").stdout.startswith("0 writes wait")
    postgres.kill()
    for guild in range(8):
        words = set_prefix(sim, "%", guild)
        assert "begin with `%`" in words and "kept" in words and "written when it is back" in words, words
    # It counts at once: in messages, in what is shown, and for the next worker.
    assert "pong" in text_of(sim.answer(sim.say("%ping"))).lower()
    assert "`%`" in show_prefix(sim)
    eventually(lambda: fleet.status()["outbox_waiting"] == 8, "eight writes wait", fleet)
    for shard in {shard_of(sim, guild) for guild in range(8)}:
        kill_worker(fleet, sim, shard)
    assert "pong" in text_of(sim.answer(sim.say("%ping"))).lower()
    assert "`%`" in show_prefix(sim)
    words = set_prefix(sim, "&")  # behind the one that waits
    assert "kept" in words, words
    # What operators see of it.
    eventually(lambda: fleet.status()["outbox_waiting"] == 9, "nine writes wait", fleet)
    listed = entries(fleet)
    assert len(listed) == 9 and {one["state"] for one in listed} == {"waiting"}
    assert {one["key"] for one in listed} == {str(guild_id(sim, guild)) for guild in range(8)}
    assert not re.search(r"[%&]", fleet.ctl_run("outbox", "list").stdout), "a value is shown"
    line = next(one for one in fleet.ctl_run("status").stdout.splitlines() if one.startswith("outbox"))
    assert "9 writes wait for PostgreSQL, the oldest for" in line, line
    assert re.search(r"^shoal_outbox_waiting\{shard=\"\d\"\} [1-9]", fleet.ctl_run("metrics").stdout, re.M)
    refused = fleet.ctl_run("outbox", "drop", listed[0]["id"])
    assert refused.returncode == 1 and "waits to be written" in refused.stderr
    assert fleet.ctl_run("outbox", "retry", "0-x").returncode == 2
    # Also with the whole fleet gone in between.
    fleet.stop()
    assert len(entries(fleet)) == 9
    fleet.start().ready(shards=4)
    postgres.start()
    written(fleet)
    assert stored(postgres, sim) == "& 3"
    assert all(stored(postgres, sim, guild) == "% 1" for guild in range(1, 8))
    eventually(lambda: not entries(fleet), "nothing in the files", fleet)
    assert "begin with `!`" in set_prefix(sim, "!") and stored(postgres, sim) == "! 4"


@pytest.mark.parametrize("what", ["all", "lock.mdb"])
def test_files_deleted_or_scribbled_on_under_the_fleet(sim, make_fleet, private, what):
    """Who was told that a write is kept has it on disk again within a moment, and the next one, too."""
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    postgres.kill()
    for guild in range(8):
        assert "kept" in set_prefix(sim, "%", guild)
    folder = os.path.join(fleet.state_dir, "outbox")
    if what == "all":
        shutil.rmtree(folder)
        eventually(lambda: os.path.isdir(folder) and len(entries(fleet)) == 8, "eight writes in the files again", fleet)
        assert {one["shard"] for one in fleet.records("outbox.deleted")} == {shard_of(sim, guild) for guild in range(8)}
        assert any(one["event"] == "outbox.deleted" for one in fleet.ctl("alerts")["alerts"])
    else:
        for name in os.listdir(folder):
            with open(os.path.join(folder, name, "lock.mdb"), "r+b") as f:
                f.write(random.Random(7).randbytes(os.path.getsize(f.name)))
    for guild in range(8, 16):
        assert "kept" in set_prefix(sim, "%", guild)
    for shard in {shard_of(sim, guild) for guild in range(16)}:
        kill_worker(fleet, sim, shard)
    assert len(entries(fleet)) == 16
    postgres.start()
    written(fleet)
    assert all(stored(postgres, sim, guild) == "% 1" for guild in range(16))


def test_a_write_that_the_database_refuses(sim, make_fleet, private):
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    set_prefix(sim, "?")
    postgres.kill()
    for guild, value in ((0, "%"), (4, "&"), (1, "&")):
        assert "kept" in set_prefix(sim, value, guild)
    fleet.stop()
    postgres.start()
    postgres.psql("ALTER TABLE shoal.guild_setting ADD CONSTRAINT no_percent CHECK (value #>> '{}' <> '%')", database="shoal")
    fleet.start().ready(shards=4)
    written(fleet)
    assert stored(postgres, sim) == "? 1" and stored(postgres, sim, 4) == "& 1" and stored(postgres, sim, 1) == "& 1"
    dead = entries(fleet, "--dead")
    assert len(dead) == 1 and dead[0]["tries"] == 3 and "23514" in dead[0]["reason"], dead
    assert [one for one in fleet.status()["alerts"] if one["event"] == "outbox.buried"], fleet.status()["alerts"]
    assert fleet.status()["outbox_dead"] == 1
    # It outlives its worker, and is tried again when the cause is gone.
    kill_worker(fleet, sim, dead[0]["shard"])
    postgres.psql("ALTER TABLE shoal.guild_setting DROP CONSTRAINT no_percent", database="shoal")
    done = fleet.ctl_run("outbox", "retry", dead[0]["id"])
    assert done.returncode == 0, done.stderr
    eventually(lambda: stored(postgres, sim) == "% 2", "written now", fleet)
    eventually(lambda: not entries(fleet), "nothing left", fleet)
    again = fleet.ctl_run("outbox", "retry", dead[0]["id"])
    assert again.returncode == 1 and "no such dead letter" in again.stderr


def test_another_shard_count(sim, make_fleet, private):
    """What the workers of four shards kept is written by those of two, unless something newer is there."""
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    set_prefix(sim, "?", 5)
    postgres.kill()
    for value, guilds in (("%", range(8)), ("&", (0, 3))):
        for guild in guilds:
            assert "kept" in set_prefix(sim, value, guild)
    fleet.stop()
    postgres.start()
    postgres.psql("UPDATE shoal.guild_setting SET value = '\"new\"', version = version + 1, updated_at = now()"
                  f" WHERE guild_id = {guild_id(sim, 5)}", database="shoal")
    other = make_fleet(sim, shards=2, database=postgres.url(), config={**QUICK, "supervisor.state_dir": fleet.state_dir})
    other.ready(shards=2)
    eventually(lambda: len(other.records("outbox.imported")) >= len({shard_of(sim, guild) for guild in range(8)}),
               "the four files taken over", other, 240)
    written(other)
    assert [stored(postgres, sim, guild).split()[0] for guild in range(8)] == ["&", "%", "%", "&", "%", "new", "%", "%"]
    dead = entries(other, "--dead")
    assert len(dead) == 1 and dead[0]["key"] == str(guild_id(sim, 5)) and "newer" in dead[0]["reason"], dead


@pytest.mark.parametrize("harm", ["cut", "scribbled"])
def test_a_file_that_is_damaged_under_its_worker(sim, make_fleet, private, harm):
    """The worker ends with a class of its own, no event is blamed; what the file still holds is taken over."""
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    identifies = sim.summary()["identifies"]["total"]
    postgres.kill()
    assert "kept" in set_prefix(sim, "%")
    shard, pid = shard_of(sim, 0), fleet.pids()[shard_of(sim, 0)]
    file = os.path.join(fleet.state_dir, "outbox", f"{shard}-of-4", "data.mdb")
    with open(file, "r+b") as f:
        if harm == "cut":
            f.truncate(4096)
        else:  # where it notes what is free and which tables there are; the entry is left
            data = f.read()
            for page in range(len(data) // 4096):
                if b"waiting" in data[page * 4096:(page + 1) * 4096] and b"SOB1" not in data[page * 4096:(page + 1) * 4096]:
                    f.seek(page * 4096)
                    f.write(b"\xa5" * 4096)
    words = set_prefix(sim, "&")  # in the hands of the worker that dies of it; its successor handles it again
    assert "kept" in words, words
    fleet.ready(shards=4)
    if harm == "cut":
        assert fleet.pids()[shard] != pid
        died = fleet.wait_record("worker.died", shard=shard)
        assert died["code"] == "outbox", died
    else:
        kill_worker(fleet, sim, shard)
    found = fleet.wait_record("outbox.damaged", shard=shard)
    assert os.path.exists(found["file"]) and os.stat(found["file"]).st_mode & 0o777 == 0o600
    assert not fleet.ctl("dead-letters", "list")["letters"]
    postgres.start()
    written(fleet)
    assert stored(postgres, sim).startswith("& "), stored(postgres, sim)
    assert sim.summary()["identifies"]["total"] == identifies


@pytest.fixture
def small_disk(folder):
    """A state directory with room for next to nothing."""
    need(os.geteuid() == 0, "is not root: no small tmpfs can be mounted, so a full state directory was NOT tried")
    path = os.path.join(folder, "small")
    os.mkdir(path)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", path], capture_output=True,
                             text=True, check=False)
    need(mounted.returncode == 0, f"no tmpfs can be mounted here ({mounted.stderr.strip()}): a full disk was NOT tried")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


def test_no_room_to_keep_it(sim, make_fleet, private, small_disk):
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config={**QUICK, "supervisor.state_dir": small_disk})
    fleet.ready(shards=4)
    filler = os.path.join(small_disk, "filler")
    with open(filler, "wb", buffering=0) as f:
        while True:
            try:
                f.write(b"x" * 4096)
            except OSError:
                break
    set_prefix(sim, "?")
    assert stored(postgres, sim) == "? 1"  # the database needs none of it
    postgres.kill()
    words = set_prefix(sim, "%")
    if "broke" in words:  # under way when its connection was found dead: nobody may say that nothing was changed
        words = set_prefix(sim, "%")
    assert "kept" not in words and "begin with" not in words and "othing was changed" in words, words
    assert "pong" in text_of(sim.answer(sim.use("ping"))).lower()
    eventually(lambda: [one for one in fleet.status()["alerts"] if one["event"] == "outbox.failing"], "an alert", fleet)
    os.unlink(filler)
    assert "kept" in set_prefix(sim, "%")
    postgres.start()
    written(fleet)
    assert stored(postgres, sim) == "% 2"


@pytest.fixture
def tablespace(private, janitor):
    """A disk of the server's that a few rows fill."""
    need(os.geteuid() == 0, "is not root: no small tmpfs can be mounted, so a full disk of the server was NOT tried")
    postgres, path = private.postgres, os.path.join(private.folder, "small")
    os.mkdir(path)
    janitor.mount(path)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1M,mode=0700,uid={postgres.user.pw_uid}", "tmpfs", path],
                             capture_output=True, text=True, check=False)
    need(mounted.returncode == 0, f"no tmpfs can be mounted here ({mounted.stderr.strip()}): a full disk was NOT tried")
    postgres.psql(f"CREATE TABLESPACE small LOCATION '{path}'", database="postgres")
    postgres.psql("GRANT CREATE ON TABLESPACE small TO shoal", database="postgres")
    yield "small"
    postgres.stop()
    subprocess.run(["umount", "-l", path], check=False)


def test_a_disk_of_the_server_that_is_full(sim, make_fleet, private, tablespace):
    """The server is there, but can't take a row of this guild: it is kept, other guilds' are written, and it follows."""
    postgres = private.postgres
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    part = postgres.psql("SELECT relname FROM pg_class WHERE relnamespace = 'shoal_part'::regnamespace AND relname LIKE"
                         " 'guild\\_setting\\___' AND satisfies_hash_partition('shoal.guild_setting'::regclass, 64,"
                         f" right(relname, 2)::int, {guild_id(sim, 0)}::bigint)", database="shoal")
    postgres.psql(f"ALTER TABLE shoal_part.{part} SET TABLESPACE {tablespace}", database="shoal")
    postgres.psql("CREATE TABLE filler (x text) TABLESPACE small", database="shoal")
    postgres.psql("ALTER TABLE filler ALTER x SET STORAGE PLAIN", database="shoal")  # not packed
    postgres.psql("DO $$ BEGIN FOR i IN 1..1000 LOOP BEGIN INSERT INTO filler VALUES (repeat(md5(i::text), 150));"
                  " EXCEPTION WHEN disk_full THEN EXIT; END; END LOOP; END $$", database="shoal")
    assert "kept" in set_prefix(sim, "%", 0)
    assert "kept" not in set_prefix(sim, "%", 1)
    assert stored(postgres, sim, 0) == "" and stored(postgres, sim, 1) == "% 1"
    assert fleet.records("outbox.waiting")[0]["error"] == "EDQUOT"
    assert fleet.status()["outbox_dead"] == 0
    postgres.psql("DROP TABLE filler", database="shoal")
    written(fleet)
    assert stored(postgres, sim, 0) == "% 1"


# --- under fire ------------------------------------------------------------------------------------------------------


def report(line):
    print(line)
    if os.environ.get("CHAOS_REPORT"):
        with open(os.environ["CHAOS_REPORT"], "a", encoding="utf-8") as f:
            f.write(line + "\n")


class Writer:
    """Changes prefixes all the time, guild by guild; each change has a value of its own."""

    def __init__(self, sim, guilds):
        self.sim, self.guilds, self.causes, self.last = sim, guilds, [], {}

    def more(self, count):
        for _ in range(count):
            n = len(self.causes)
            guild, value = n % self.guilds, f"x{n}"
            self.causes.append((guild, value, self.sim.use("settings", prefix_options(value), guild=guild, **MANAGER)))

    def settle(self):
        """Waits for all answers; how many said that it is kept."""
        kept = 0
        self.sim.wait_all_answered()
        for _, value, cause in self.causes:
            answers = self.sim.answers_to(cause)
            assert len(answers) == 1, (value, answers)
            words = text_of(answers[0])
            assert f"begin with `{value}`" in words, words
            kept += "kept" in words
        return kept


def break_connections(postgres):
    return int(postgres.psql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'shoal' AND"
                             " application_name LIKE 'shoal-shard%'", database="postgres"))


def test_nothing_acknowledged_is_lost_or_written_twice(make_sim, make_fleet, private):
    """Connections ended by the server's own hand again and again, the server itself killed, workers and the supervisor
    killed, all under writes: in the end each guild has as many versions as it was told of changes."""
    dice, postgres = random.Random(SEED), private.postgres
    sim = make_sim(guilds=64)
    fleet = make_fleet(sim, database=postgres.url(), config=QUICK)
    fleet.ready(shards=4)
    writer, connections, workers, supervisors, servers = Writer(sim, 64), 0, 0, 0, 0
    rounds = 0
    while connections < KILLS:
        rounds += 1
        writer.more(6)
        time.sleep(dice.uniform(0, 0.03))  # where in their work it hits them is the dice's
        connections += break_connections(postgres)
        if rounds % 5 == 1:
            writer.more(4)
            workers += 1
            kill_worker(fleet, sim, dice.randrange(4))
        if rounds % 20 == 7:
            writer.more(4)
            supervisors += 1
            fleet.kill_supervisor()
            writer.more(4)
            fleet.start().ready(shards=4)
        if rounds % 10 == 3:
            servers += 1
            postgres.kill()
            writer.more(8)
            sim.wait_all_answered()
            postgres.start()
    kept = writer.settle()
    written(fleet)
    rows = dict(line.split("|") for line in postgres.psql(
        "SELECT guild_id || '|' || version FROM shoal.guild_setting WHERE name = 'commands.prefix'",
        database="shoal").splitlines())
    lost = twice = 0
    for guild in range(64):
        told = sum(1 for one in writer.causes if one[0] == guild)
        versions = int(rows.get(str(guild_id(sim, guild)), 0))
        lost, twice = lost + max(0, told - versions), twice + max(0, versions - told)
    report(f"seed {SEED}, writes: {len(writer.causes)} acknowledged, {kept} of them kept on disk; {connections} connections, "
           f"{servers} times the server, {workers} workers and {supervisors} supervisors killed: lost {lost}, twice {twice}")
    assert (lost, twice) == (0, 0)
    assert fleet.status()["outbox_dead"] == 0
