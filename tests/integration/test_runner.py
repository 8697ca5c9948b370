"""The suite's runner counts honestly: what crashes, hangs, runs nothing or leaves a report is a failure."""

import os
import re
import shutil
import subprocess

import pytest

import harness

UNIT = """
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
static void good(void **state) { (void)state; }
static void bad(void **state) { (void)state; assert_int_equal(1, 2); }
static void skipped(void **state) { (void)state; skip(); }
static void dies(void **state) { (void)state; _Exit(0); }
static void overflows(void **state) { (void)state; volatile int *p = malloc(4); p[1] = 1; free((void *)p); }
int main(void)
{
	const struct CMUnitTest tests[] = { TESTS };
	(void)bad; (void)skipped; (void)dies; (void)overflows; (void)good;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


def one(name):
    return f"cmocka_unit_test({name})"


CASES = {
    "all good": ([one("good")] * 3, (3, 0, 0)),
    "one bad": ([one("good"), one("bad")], (1, 1, 0)),
    "one skipped": ([one("good"), one("skipped")], (1, 0, 1)),
    "dies with status 0": ([one("good"), one("dies"), one("good")], (1, 1, 0)),
}


@pytest.fixture
def tree(tmp_path):
    """A tree of its own with the runner in it."""
    for part in ("deploy/local", "tests/unit", "tests/integration", "build/tests/unit"):
        (tmp_path / part).mkdir(parents=True)
    for name in ("procs.py", "stack.py"):
        shutil.copy(os.path.join(harness.ROOT, "deploy/local", name), tmp_path / "deploy/local")
    shutil.copy(os.path.join(harness.ROOT, "tests/run"), tmp_path / "tests")
    return tmp_path


def add_unit(tree, tests, *flags):
    source = tree / "tests/unit/test_sample.c"
    source.write_text(UNIT.replace("TESTS", ", ".join(tests)))
    subprocess.run(["gcc", "-g", *flags, "-o", tree / "build/tests/unit/test_sample", source, "-lcmocka"], check=True,
                   timeout=120)


def run(tree, *arguments):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_TEST")}
    done = subprocess.run([tree / "tests/run", "--build", tree / "build", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=180, env=env)
    last = done.stdout.splitlines()[-1]
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    assert counts, done.stdout + done.stderr
    return tuple(int(word) for word in counts.groups()), done


@pytest.mark.parametrize("name", CASES)
def test_unit_programs_are_counted(tree, name):
    tests, expected = CASES[name]
    add_unit(tree, tests)
    counts, done = run(tree)
    assert counts == expected, done.stdout
    assert (done.returncode == 0) == (expected[1] == 0)


def test_a_sanitizer_report_is_a_failure(tree):
    add_unit(tree, [one("good"), one("overflows")], "-fsanitize=address")
    counts, done = run(tree, "--sanitize")
    assert counts[1] >= 1 and done.returncode == 1 and "heap-buffer-overflow" in done.stdout


def test_pytest_programs_are_counted(tree):
    (tree / "tests/integration/test_sample.py").write_text("""
import pytest
def test_good(): pass
def test_bad(): assert False, "told why"
def test_skipped(): pytest.skip("no such thing here")
@pytest.fixture
def broken():
    yield
    raise RuntimeError("at the end")
def test_broken_at_the_end(broken): pass
""")
    counts, done = run(tree)
    assert counts == (1, 2, 1) and done.returncode == 1
    assert "told why" in done.stdout and "no such thing here" in done.stdout


@pytest.mark.parametrize("content", ["", "import nothing_of_that_name"])
def test_an_empty_or_broken_file_is_a_failure(tree, content):
    (tree / "tests/integration/test_sample.py").write_text(content)
    counts, done = run(tree)
    assert counts[0] == 0 and counts[1] >= 1 and done.returncode == 1


def test_a_program_that_was_not_built_is_a_failure(tree):
    (tree / "tests/unit/test_sample.c").write_text("")
    counts, done = run(tree)
    assert counts == (0, 1, 0) and done.returncode == 1


def test_nothing_run_is_no_success(tree):
    counts, done = run(tree)
    assert counts == (0, 0, 0) and done.returncode == 1


@pytest.mark.parametrize("recipe, last, status", [
    ("echo '3 passed, 0 failed, 1 skipped'", "3 passed, 0 failed, 1 skipped", 0),
    # make's own complaint comes behind the line: it is said again.
    ("echo '3 passed, 1 failed, 0 skipped'; exit 1", "3 passed, 1 failed, 0 skipped", 2),
    ("echo 'cc: no such file'; exit 1", "0 passed, 1 failed, 0 skipped", 2),
    ("echo 'nothing was run'", "0 passed, 1 failed, 0 skipped", 1),
], ids=["good", "failed", "does not build", "no line"])
def test_ci_ends_with_the_line_whatever_happens(tmp_path, recipe, last, status):
    (tmp_path / ".ci").mkdir()
    shutil.copy(os.path.join(harness.ROOT, ".ci/run"), tmp_path / ".ci")
    (tmp_path / "Makefile").write_text(f"test:\n\t@{recipe}\n")
    done = subprocess.run(["bash", tmp_path / ".ci/run"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, cwd="/", env={**os.environ, "CI": "true"})
    assert (done.stdout.splitlines()[-1], done.returncode) == (last, status), done.stdout
