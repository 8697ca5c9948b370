"""The bench's stream is what its generator makes: figures of two runs are about the same bytes."""

import os
import subprocess
import sys

import harness


def test_the_committed_stream_is_what_is_made():
    done = subprocess.run([sys.executable, os.path.join(harness.ROOT, "tests", "bench", "make_stream.py"), "--check"],
                          capture_output=True, text=True, timeout=120 * harness.PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
