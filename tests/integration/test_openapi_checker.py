"""The judge of REST requests is itself judged: it takes good ones and names what is wrong with bad ones."""

import glob
import json
import os

import pytest

from harness import openapi

SAMPLES = os.environ.get("SHOAL_TEST_REST_SAMPLES", os.path.join(os.path.dirname(openapi.PAPER), "payloads", "rest"))
HEADERS = {"User-Agent": "DiscordBot (https://example.org/shoal, 0.1.0)", "Authorization": "Bot ***",
           "Content-Type": "application/json"}
MESSAGE = {"content": "hello", "nonce": "1", "enforce_nonce": True, "allowed_mentions": {"parse": []}}


def request(method="POST", path="/api/v10/channels/1/messages", body=MESSAGE, headers=HEADERS):
    return {"method": method, "path": path, "headers": headers, "body": json.dumps(body) if body is not None else ""}


def without(name):
    return {key: value for key, value in HEADERS.items() if key != name}


CALLBACK = "/api/v10/interactions/5/tok/callback"
BAD = {
    "no version": (request(path="/api/channels/1/messages"), "/api/v10"),
    "no agent": (request(headers=without("User-Agent")), "User-Agent"),
    "another agent": (request(headers={**HEADERS, "User-Agent": "curl/8"}), "User-Agent"),
    "no token": (request(headers=without("Authorization")), "authorization"),
    "token where none is due": (request(path=CALLBACK, body={"type": 5}), "token is enough"),
    "no content type": (request(headers=without("Content-Type")), "Content-Type"),
    "raw audit reason": (request(headers={**HEADERS, "X-Audit-Log-Reason": "zu spät"}), "percent"),
    "long content": (request(body={**MESSAGE, "content": "x" * 2001}), "above 2000"),
    "long content in UTF-16": (request(body={**MESSAGE, "content": "\U0001f600" * 1001}), "2002 units"),
    "nothing in it": (request(body={**MESSAGE, "content": ""}), "empty message"),
    "no nonce": (request(body={**MESSAGE, "nonce": None}), "nonce"),
    "nonce not enforced": (request(body={**MESSAGE, "enforce_nonce": False}), "nonce"),
    "everything pings": (request(body={k: v for k, v in MESSAGE.items() if k != "allowed_mentions"}), "ping"),
    "parse beside list": (request(body={**MESSAGE, "allowed_mentions": {"parse": ["users"], "users": ["1"]}}),
                          "beside a list"),
    "embeds too long": (request(body={**MESSAGE, "embeds": [{"description": "x" * 3100}] * 2}), "above 6000"),
    "modal without rows": (request(path=CALLBACK, headers=without("Authorization"),
                                   body={"type": 9, "data": {"title": "t", "custom_id": "c", "components": []}}),
                           "1-5 components"),
    "custom_id twice": (request(body={**MESSAGE, "components": [
        {"type": 1, "components": [{"type": 2, "custom_id": "a"}, {"type": 2, "custom_id": "a"}]}]}), "twice"),
    "no JSON": ({**request(), "body": "{"}, "no JSON"),
    "shouting command": (request("PUT", "/api/v10/applications/1/commands", [{"name": "PING", "description": "x"}]),
                         "not taken"),
}


@pytest.mark.parametrize("name", BAD)
def test_own_checks_name_what_is_wrong(name):
    bad, words = BAD[name]
    assert any(words.lower() in problem.lower() for problem in openapi.check_own(bad)), openapi.check_own(bad)


def test_own_checks_take_good_ones():
    good = [request(), request("GET", "/api/v10/gateway/bot", None),
            request(path=CALLBACK, headers=without("Authorization"),
                    body={"type": 4, "data": {"content": "hi", "allowed_mentions": {"parse": []}}}),
            request("PUT", "/api/v10/applications/1/commands", [{"name": "ping", "description": "how fast"}])]
    assert [openapi.check_own(one) for one in good] == [[]] * len(good)


def test_record_leaves_out_a_half_written_line(tmp_path):
    path = tmp_path / "record.jsonl"
    path.write_text('{"a":1}\n{"a":')
    assert openapi.read_record(path) == [{"a": 1}]


PAPER = pytest.mark.skipif(not openapi.paper_is_here(),
                           reason=f"Discord's OpenAPI paper is not at {openapi.PAPER}: its part is NOT checked")


@PAPER
def test_paper_judges_the_sample_requests():
    judged = 0
    for path in sorted(glob.glob(os.path.join(SAMPLES, "*.json"))):
        with open(path, encoding="utf-8") as f:
            sample = json.load(f)
        if not sample.get("request"):
            continue
        body = sample["request"].get("body")
        one = request(sample["request"]["method"], "/api/v10" + sample["request"]["path"], body)
        problems = openapi.check_paper(one)
        assert bool(problems) == bool(sample.get("request_invalid")), f"{os.path.basename(path)}: {problems}"
        judged += body is not None
    assert judged >= 20


BAD_BY_PAPER = [
    (request(body={**MESSAGE, "contant": "x"}), "contant is not in Discord's paper"),
    (request(body={**MESSAGE, "embeds": [{"titel": "x"}]}), "titel is not in Discord's paper"),
    (request(body={**MESSAGE, "content": 5}), "content"),
    (request("POST", "/api/v10/channels/1/nonsense", {}), "no route"),
    (request("POST", CALLBACK, {"type": 99}), "type"),
    (request("POST", CALLBACK, None), "wants a body"),
    (request("GET", "/api/v10/gateway/bot", {"a": 1}), "takes no body"),
    (request("PUT", "/api/v10/applications/1/commands", [{"description": "no name"}]), "name"),
]


@PAPER
def test_paper_names_what_is_wrong():
    for bad, words in BAD_BY_PAPER:
        problems = openapi.check_paper(bad)
        assert any(words in problem for problem in problems), f"{words}: {problems}"
