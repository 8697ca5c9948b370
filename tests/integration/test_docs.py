"""The README says what the programs do: tables that stand in both are compared."""

import os
import re

import harness


def read(*path):
    with open(os.path.join(harness.ROOT, *path), encoding="utf-8") as f:
        return f.read()


def test_exit_codes_are_those_of_the_table():
    header = read("shared", "control", "exit_code.h")
    rows = read("shared", "control", "exit_code.c")
    codes = {int(number): name for name, number in re.findall(r"(EXIT_CODE_\w+) = (\d+),", header)}
    fatal = {name for name in codes.values() if re.search(rf"{name}, EXIT_CLASS_FATAL", rows)}
    readme = read("README.md")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", readme, re.M)] == sorted(codes)
    prevented = re.search(r"RestartPreventExitStatus=([\d ]+)", readme).group(1).split()
    assert sorted(int(number) for number in prevented) == sorted(n for n, name in codes.items() if name in fatal)


def test_make_targets_that_the_readme_names_are_there():
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    for target in re.findall(r"`make ([a-z]+)", read("README.md")):
        assert target in targets, f"README names `make {target}`, the Makefile does not have it"


def test_files_that_the_readme_names_are_there():
    for path in re.findall(r"`((?:deploy|tests|sql|supervisor|shard)/[\w./-]+)", read("README.md")):
        assert os.path.exists(os.path.join(harness.ROOT, path)), f"README names {path}"
