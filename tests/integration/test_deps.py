"""deps.sh against a pretended Debian: installs only what is missing, by the right way, and says what to do otherwise."""

import os
import shutil
import subprocess

import pytest

import harness

LIST = """
# a comment
build gcc
build clang-16|clang-19
run postgresql
test nodejs unless node 18
test npm unless npm
"""


@pytest.fixture
def system(tmp_path):
    """A PATH with programs of our own; what apt-get was told stands in apt.log."""
    (tmp_path / "deploy/local").mkdir(parents=True)
    shutil.copy(os.path.join(harness.ROOT, "deploy/local/deps.sh"), tmp_path / "deploy/local")
    (tmp_path / "deploy/packages.txt").write_text(LIST)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "sed", "tr", "grep", "env", "cat"):
        os.symlink(shutil.which(tool), tmp_path / "bin" / tool)

    def add(name, script):
        path = tmp_path / "bin" / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def run(*groups):
        done = subprocess.run([tmp_path / "deploy/local/deps.sh", *groups], env={"PATH": str(tmp_path / "bin")},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        log = tmp_path / "apt.log"
        return done, log.read_text().splitlines() if log.exists() else []

    def debian(installed, uid=0, known=("gcc", "clang-19", "postgresql", "nodejs", "npm"), fails=0):
        add("id", f"echo {uid}\n")
        add("dpkg-query", "printf '%s\\n' " + " ".join(f"'installed {name}'" for name in installed) + " 'config-files x'\n")
        add("apt-cache", "case \" " + " ".join(known) + " \" in *\" $2 \"*) exit 0;; esac; exit 100\n")
        add("apt-get", f"""echo "$*" >> {tmp_path}/apt.log
case $1 in install) n=$(grep -c ^install {tmp_path}/apt.log); [ "$n" -gt {fails} ];; esac
""")

    run.add, run.debian = add, debian
    return run


def test_nothing_missing_says_and_does_nothing(system):
    system.debian(["gcc", "clang-16", "postgresql"])
    done, asked = system("build", "run")
    assert done.returncode == 0 and asked == [] and done.stderr == ""


def test_only_what_is_missing_is_installed(system):
    system.debian(["gcc"])
    done, asked = system("build", "run")
    assert done.returncode == 0, done.stderr
    assert asked == ["install -y -q --no-install-recommends clang-19 postgresql"]
    assert "systemctl disable" in done.stderr  # Debian's own services are spoken of


def test_groups_are_kept_apart(system):
    system.debian(["gcc", "clang-16"])
    assert system("build")[1] == []


def test_lists_are_fetched_only_when_the_first_try_fails(system):
    system.debian(["gcc", "clang-16"], fails=1)
    done, asked = system("run")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in asked] == ["install", "update", "install"]


def test_a_second_failure_is_told(system):
    system.debian(["gcc", "clang-16"], fails=9)
    done, asked = system("run")
    assert done.returncode == 1 and "by hand" in done.stderr and len(asked) == 3


@pytest.mark.parametrize("version, wanted", [("v20.1.0", []), ("v18.0.0", []), ("v16.2.0", ["nodejs"]), (None, ["nodejs"])])
def test_node_is_installed_only_when_none_is_new_enough(system, version, wanted):
    system.debian(["gcc", "npm"])
    system.add("npm", "echo 9.2.0\n")
    if version:
        system.add("node", f"echo {version}\n")
    done, asked = system("test")
    assert done.returncode == 0, done.stderr
    assert [line.split()[4:] for line in asked] == ([wanted] if wanted else [])


def test_sudo_is_used_when_not_root(system, tmp_path):
    system.debian(["gcc", "clang-16"], uid=1000)
    system.add("sudo", f'[ "$1" = -n ] && exit 0; echo "sudo" >> {tmp_path}/apt.log; exec "$@"\n')
    done, asked = system("run")
    assert done.returncode == 0 and asked[0] == "sudo" and asked[1].startswith("install")


def test_without_root_and_sudo_it_says_what_to_do(system):
    system.debian(["gcc"], uid=1000)
    done, asked = system("build", "run")
    assert done.returncode == 1 and asked == []
    assert "su -c 'apt-get install --no-install-recommends clang-16 postgresql'" in done.stderr


def test_without_debian_it_says_what_is_needed(system):
    system.add("id", "echo 0\n")
    done, _ = system("build", "run")
    assert done.returncode == 1 and "gcc clang-16 postgresql" in done.stderr and "SHOAL_SKIP_DEPS" in done.stderr


def test_the_list_names_what_nothing_else_would_pull_in():
    with open(os.path.join(harness.ROOT, "deploy/packages.txt"), encoding="utf-8") as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    assert ["run", "libwebsockets-evlib-uv"] in lines
    assert {line[0] for line in lines} <= {"build", "run", "test", "lint", "bench", "chaos"}
