"""A chaos campaign of the bundled modules alone: members join and leave, vote, have themselves reminded, admins change
what is set, and workers die at named places of all that, with PostgreSQL and NATS. `make chaos` has it in all three ways
of keeping replays, and at each place ten times and more (tests/chaos)."""

import json
import os
import random
import subprocess
import sys

import harness
from conftest import need

BUILD = os.path.join(harness.BUILD, "chaos")
SEED = int(os.environ.get("CHAOS_SEED") or "0") or random.randrange(1, 1 << 30)
# Once at each place of the scheduler's, and at those around a request.
PLAN = {"m:in_module": 3, "m:before_send": 1, "m:after_send": 2, "m:after_reply": 1, "m:job_made": 1, "m:job_claimed": 1,
        "m:job_noted": 1, "m:job_over": 1, "m:job_ending": 1, "m:job_told": 1, "random": 2, "database": 1}
DEATHS = sum(PLAN.values()) - PLAN["database"]


def test_modules_lose_and_double_nothing():
    need(os.path.exists(os.path.join(BUILD, "shoal-shard")), "the build with kill points is missing: make chaos-programs")
    print(f"seed {SEED}")
    only = [word for name, count in PLAN.items() for word in ("--only", f"{name}={count}")]
    done = subprocess.run([sys.executable, os.path.join(harness.ROOT, "tests", "chaos", "run"), "--build", BUILD, "--short",
                           "--keep", "acked", "--seed", str(SEED), "--json", "--modules-only", "--rate", "24", *only,
                           "--recovery-ms", "5000" if harness.SANITIZE else "1000"],
                          capture_output=True, text=True, check=False, timeout=390 * harness.PATIENCE)
    assert done.returncode == 0, done.stderr[-8000:]
    values = {line["name"]: line["value"] for line in json.loads(done.stdout)["ways"]["acked"]["lines"]}
    assert values["kills of workers"] == DEATHS and values["kills while modules were at work"] == DEATHS - PLAN["random"], values
    assert values["modules: effects done"] > 100, values
