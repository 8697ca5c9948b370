"""shoal under systemd: what `make install` puts in place, and what the unit says of itself."""

import os
import re
import shutil
import subprocess

import pytest

import harness
from conftest import need

# As systemd-analyze counts: 20 is an exposure of 2.0.
EXPOSURE_MAX = 20


def make_install(**variables):
    """`make install` of the build under test, with nothing of an outer make's in it."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "--no-print-directory", "-C", harness.ROOT, "install", f"BUILD={harness.BUILD}",
                           f"SANITIZE={int(harness.SANITIZE)}", *(f"{k}={v}" for k, v in variables.items())],
                          env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


# --- the files -----------------------------------------------------------------------------------------------------

@pytest.fixture
def installed(folder):
    """An installation of its own prefix: its unit names programs that are there."""
    prefix = os.path.join(folder, "prefix")
    make_install(PREFIX=prefix, SYSCONFDIR=os.path.join(folder, "etc"))
    return prefix


def test_unit_is_sound_and_sandboxed(installed):
    need(shutil.which("systemd-analyze"), "no systemd-analyze here")
    unit = os.path.join(installed, "lib/systemd/system/shoald.service")
    # It ends with 0 on an unknown key or a bad value: its words are the verdict.
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Overall exposure level for shoald.service: [01]\.\d", done.stdout), done.stdout


def test_a_bad_unit_would_be_seen(installed):
    need(shutil.which("systemd-analyze"), "no systemd-analyze here")
    unit = os.path.join(installed, "lib/systemd/system/shoald.service")
    with open(unit, encoding="utf-8") as f:
        text = f.read()
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text.replace("WatchdogSec=20", "WatchdogSec=often"))
    assert run("systemd-analyze", "verify", unit).stderr != ""
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text[:text.index("CapabilityBoundingSet=")])
    assert run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit).returncode != 0


def test_no_placeholder_is_left(installed, folder):
    for name in ("lib/systemd/system/shoald.service", "lib/sysusers.d/shoal.conf", "lib/tmpfiles.d/shoal.conf"):
        path = os.path.join(installed, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert not re.search(r"@[A-Z]+@", text), text
        assert os.stat(path).st_mode & 0o777 == 0o644
    with open(os.path.join(installed, "lib/systemd/system/shoald.service"), encoding="utf-8") as f:
        assert f"ExecStart={installed}/bin/shoald --config {folder}/etc/shoal/shoal.ini\n" in f.read()
    assert os.path.exists(os.path.join(folder, "etc/shoal/shoal.ini.sample"))
