"""A short chaos campaign: a few kills at named places and at random, in each way of keeping replays. `make chaos` is the
long one, and measures recovery on a machine that does nothing else."""

import json
import os
import subprocess
import sys

import harness
from conftest import need

BUILD = os.path.join(harness.BUILD, "chaos")


def test_a_short_campaign_holds():
    need(os.path.exists(os.path.join(BUILD, "shoal-shard")), "the build with kill points is missing: make chaos-programs")
    done = subprocess.run([sys.executable, os.path.join(harness.ROOT, "tests", "chaos", "run"), "--build", BUILD, "--short",
                           "--json", "--recovery-ms", "5000" if harness.SANITIZE else "1000"],
                          capture_output=True, text=True, check=False, timeout=390 * harness.PATIENCE)
    assert done.returncode == 0, done.stderr[-8000:]
    report = json.loads(done.stdout)
    for way in report["ways"].values():
        values = {line["name"]: line["value"] for line in way["lines"]}
        assert values["events sent"] > 100 and values["kills of workers"] >= 10, values
