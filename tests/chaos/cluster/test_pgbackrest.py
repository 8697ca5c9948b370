"""deploy/pgbackrest for real: WAL is archived, a base copy taken, an accident happens, and the database goes back to the
moment before."""

import json
import os
import re
import subprocess

import pytest

import harness
import procs
import stack as local_stack
from harness.servers import migrate


class Repository:
    """pgbackrest over one server, by the configuration that operators get; other paths only."""

    def __init__(self, postgres, folder):
        self.postgres = postgres
        self.folder = os.path.join(folder, "backrest")
        for part in ("", "repo", "log", "lock"):
            os.mkdir(os.path.join(self.folder, part), 0o700)
            self._own(os.path.join(self.folder, part))
        with open(os.path.join(harness.ROOT, "deploy", "pgbackrest", "pgbackrest.conf"), encoding="utf-8") as f:
            text = f.read()
        for key, value in (("repo1-path", f"{self.folder}/repo"), ("log-path", f"{self.folder}/log\nlock-path={self.folder}/lock"),
                           ("pg1-path", postgres.data), ("pg1-port", postgres.port),
                           ("pg1-socket-path", postgres.socket_dir)):
            text, found = re.subn(rf"(?m)^{key}=.*", f"{key}={value}", text)
            assert found == 1, key
        self.config = os.path.join(self.folder, "pgbackrest.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)
        self._own(self.config)

    def _own(self, path):
        if self.postgres.user is not None:
            os.chown(path, self.postgres.user.pw_uid, self.postgres.user.pw_gid)

    @property
    def command(self):
        return [local_stack.find_program("pgbackrest"), f"--config={self.config}", "--stanza=shoal"]

    def run(self, *arguments):
        user = self.postgres.user
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
        done = subprocess.run([*self.command, *arguments], check=False, capture_output=True, text=True, timeout=180, cwd="/",
                              stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "PGPASSWORD": self.postgres.passwords["postgres"]}, **who)
        assert done.returncode == 0, f"pgbackrest {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def switch_on(self):
        command = " ".join(self.command)
        self.postgres.psql(f"ALTER SYSTEM SET archive_command = '{command} archive-push %p'")
        self.postgres.psql("ALTER SYSTEM SET archive_mode = 'on'")
        self.postgres.stop()
        self.postgres.start()
        self.run("stanza-create")
        self.run("check")


@pytest.fixture
def postgres(own_stack):
    return own_stack(nats=False, prefix="shoal-pitr").postgres


def content(postgres):
    return postgres.psql("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM shoal.guild_setting t",
                         database="shoal")


def fill(postgres, first, last):
    postgres.psql("INSERT INTO shoal.guild_setting (guild_id, name, value) SELECT g, 'prefix', to_jsonb(g::text)"
                  f" FROM generate_series({first}, {last}) g", database="shoal")


def test_back_to_the_moment_before(postgres, make_fleet):
    assert migrate(postgres.url(), "up").returncode == 0
    repository = Repository(postgres, os.path.dirname(postgres.socket_dir))
    repository.switch_on()
    fill(postgres, 1, 500)
    repository.run("--type=full", "backup")
    # What came after the base copy is in the archive alone; then the accident.
    fill(postgres, 501, 900)
    before = content(postgres)
    # pgbackrest knows when a copy was over to the second, and takes one only that was over before.
    over = json.loads(repository.run("--output=json", "info"))[0]["backup"][-1]["timestamp"]["stop"]
    procs.wait_until(lambda: int(postgres.psql("SELECT extract(epoch FROM clock_timestamp())::int")) > over + 1, 20,
                     "a second after the copy")
    moment = postgres.psql("SELECT clock_timestamp()")
    postgres.psql("DELETE FROM shoal.guild_setting; DROP TABLE shoal.guild_setting", database="shoal")
    postgres.psql("SELECT pg_switch_wal()")
    procs.wait_until(lambda: postgres.psql("SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1)"
                                           " OR archived_count > 3 FROM pg_stat_archiver") == "t", 60, "the archive is whole")
    # An operator who looks at it now:
    fleet = make_fleet(None, start=False, database=postgres.url())
    fleet.write_ini()
    rows = {row["check"]: row for row in json.loads(fleet.ctl_run("doctor", "--json", "--config", fleet.ini).stdout)["checks"]}
    assert rows["backups"]["verdict"] == "ok" and "archives its WAL" in rows["backups"]["what"], rows["backups"]

    postgres.stop()
    repository.run("--delta", "--type=time", f"--target={moment}", "--target-action=promote", "restore")
    postgres.start()
    procs.wait_until(lambda: postgres.psql("SELECT pg_is_in_recovery()") == "f", 60, "the server takes writes again")
    assert content(postgres) == before and before.startswith("900|")
    fill(postgres, 1000, 1001)
    assert "up to date" in migrate(postgres.url(), "plan").stdout


def test_archive_that_fails_is_told(postgres, make_fleet):
    """archive_command that can't work: doctor says so before the disk is full of WAL."""
    assert migrate(postgres.url(), "up").returncode == 0
    postgres.psql("ALTER SYSTEM SET archive_command = 'false'")
    postgres.psql("ALTER SYSTEM SET archive_mode = 'on'")
    postgres.stop()
    postgres.start()
    postgres.psql("SELECT pg_switch_wal()")
    procs.wait_until(lambda: postgres.psql("SELECT failed_count > 0 FROM pg_stat_archiver") == "t", 60, "a failed attempt")
    fleet = make_fleet(None, start=False, database=postgres.url())
    fleet.write_ini()
    rows = {row["check"]: row for row in json.loads(fleet.ctl_run("doctor", "--json", "--config", fleet.ini).stdout)["checks"]}
    assert rows["backups"]["verdict"] == "fail" and "archive" in rows["backups"]["what"], rows["backups"]
