"""Every body that the payload builders make, as the REST client sent it over a socket, before the judge of requests."""

import os
import subprocess

from conftest import need
from harness import BUILD, openapi


def test_bodies_are_what_discord_takes(tmp_path):
    program = os.path.join(BUILD, "tests", "unit", "test_payload")
    need(os.path.exists(program), "test_payload was not built")
    record = tmp_path / "sent.jsonl"
    done = subprocess.run([program], env={**os.environ, "SHOAL_TEST_REST_RECORD": str(record)}, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    requests = openapi.read_record(str(record))
    assert len(requests) >= 13
    problems, judged = openapi.check(requests)
    assert not problems, "\n".join(problems)
    if openapi.paper_is_here():
        assert judged == len(requests)
    else:
        print(f"SKIPPED: {openapi.PAPER} is not there; our own checks were all")
