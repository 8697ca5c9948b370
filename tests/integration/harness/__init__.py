"""What the integration tests stand on: discord-sim, a fleet of the real programs, real servers, certificates.

No fixed port, no sleep, a deadline on every wait; whoever starts something has it stopped by the janitor in any case.
"""

import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("SHOAL_TEST_BUILD", os.path.join(ROOT, "build")))
SANITIZE = os.environ.get("SHOAL_TEST_SANITIZE") == "1"
REQUIRE = os.environ.get("SHOAL_TEST_REQUIRE") == "1"
# Sanitized programs and a busy machine are slower; a deadline only says when to give up.
PATIENCE = 4.0 if SANITIZE else 1.0

sys.path.insert(0, os.path.join(ROOT, "deploy", "local"))


def program(name):
    """A program of ours."""
    return os.path.join(BUILD, name)


def copy_for_everybody(folder):
    """deploy/local and sql/ in a folder that every user may read: the tree itself may lie in a private home."""
    for part in ("deploy/local", "sql"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
    os.chmod(folder, 0o755)
    return os.path.join(folder, "deploy", "local")
