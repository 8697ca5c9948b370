"""The flight recorder: what a crashed worker had received is saved, without secrets and bounded; discord-sim --replay
plays it to a fresh fleet, which crashes of it again, or handles it all when it is mended."""

import json
import os
import re
import stat
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness.fleet import Fleet
from harness.sim import Sim, text_of
from test_dead_letters import CONFIG, POISON, letters, ping, poisoned, shard_of, wait_letters


def recordings(fleet):
    folder = os.path.join(fleet.state_dir, "flight")
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".flight")]
    except FileNotFoundError:
        return []


def parse(path):
    """(head, [(line, payload bytes)]): by the description in shard/events/flight.h."""
    with open(path, "rb") as f:
        assert f.readline() == b"SHOAL-FLIGHT 1\n"
        head = json.loads(f.readline())
        found = []
        while line := f.readline():
            about = json.loads(line)
            payload = f.read(about["len"])
            assert len(payload) == about["len"] and f.read(1) == b"\n"
            found.append((about, payload))
    assert head["records"] == len(found)
    return head, found


def crash_once(sim, fleet, word="POISON-handler", guild=3, count=1):
    """A poisonous message; waits until it is a letter, and the recording of its last crash is there. (That of the first may
    not be: the second may come before it is written.)"""
    asked = sim.say(f"!ping {word}", guild=guild)
    wait_letters(fleet, count)
    fleet.ready(shards=4)
    procs.wait_until(lambda: [one for one in fleet.records("flight.saved")
                              if one["ts"] > fleet.records("pipeline.dead_letter")[-1]["ts"]],
                     fleets.READY_S, "a recording", tail=lambda: procs.file_tail(fleet.log))
    return asked


def test_recorded_played_reproduced_and_healed(make_sim, make_fleet):
    sim = make_sim()
    fleet = poisoned(sim, make_fleet)
    shard = shard_of(sim, 3)
    # Tokens of a command that the ring still holds must not be in the file.
    sim.post("/interaction", guild_index=3, name="ping")
    token = sim.post("/interaction", guild_index=3, name="ping")["token"]
    sim.wait_all_answered()
    sim.say("hello there", guild=3)
    asked = crash_once(sim, fleet)
    path = recordings(fleet)[-1]
    head, records = parse(path)
    assert (head["shard"], head["shard_count"]) == (shard, 4) and "SIGFPE" in head["crash"], head
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, "rb") as f:
        assert token.encode() not in f.read()
    culprit = [payload for about, payload in records if about.get("culprit") == "handler"]
    assert len(culprit) == 1 and str(asked).encode() in culprit[0]
    assert any(b"hello there" in payload for _, payload in records), "handled ones are part of the story"
    assert any(b"INTERACTION_CREATE" in payload for _, payload in records)
    told = [one for one in fleet.status()["alerts"] if one["event"] == "flight.saved"]
    assert told and os.path.basename(path) in told[0]["text"], told
    # Played to a fresh fleet, on a fresh Discord of the same guilds: it crashes of the same.
    again = make_sim(replay=path)
    other = poisoned(again, make_fleet)
    again.wait(replay_finished=1)
    letter = wait_letters(other, 1)[0]
    assert (letter["shard"], letter["dispatch"], letter["reason"]) == \
        (shard, "MESSAGE_CREATE", "its handler crashed the worker"), letter
    other.ready(shards=4)
    ping(again)
    # With the poison gone all is handled.
    healthy = make_sim(replay=path)
    healed = make_fleet(healthy, config=CONFIG)
    healed.ready(shards=4)
    state = healthy.wait(replay_finished=1)
    state = healthy.state()["replay"]
    assert state["events"] == state["played"] == len(records) - state["skipped"]
    assert healthy.answer(asked)
    summary = healthy.wait_all_answered()
    assert summary["messages"]["answered_once"] == summary["messages"]["sent"] >= 1
    assert letters(healed) == [] and not healed.records("worker.died")
    assert healed.shard(shard)["events"] >= state["played"]


def test_recordings_are_bounded(make_sim, make_fleet):
    sim = make_sim()
    fleet = poisoned(sim, make_fleet, config={"flight.keep": 3})
    for count in (1, 2, 3):
        crash_once(sim, fleet, guild=count, count=count)
    crash_once(sim, fleet, guild=1, count=4)
    saved = sorted(one["path"] for one in fleet.records("flight.saved"))
    # One may be there whose worker died before it could say so.
    assert len(recordings(fleet)) == 3 and recordings(fleet)[-1] == saved[-1] and saved[0] not in recordings(fleet)
    assert not [name for name in os.listdir(os.path.join(fleet.state_dir, "flight")) if not name.endswith(".flight")]


def test_switched_off(make_sim, make_fleet):
    sim = make_sim()
    fleet = poisoned(sim, make_fleet, config={"flight.keep": "off"})
    sim.say("!ping POISON-handler", guild=1)
    wait_letters(fleet, 1)
    fleet.ready(shards=4)
    assert not recordings(fleet) and not fleet.records("flight.saved")


HEAD = b'SHOAL-FLIGHT 1\n{"shard":0,"shard_count":1,"records":1}\n'
GOOD = b'{"op":0,"t":"MESSAGE_CREATE","s":1,"d":{"id":"1","content":"x"}}'


def record(payload, length=None):
    return b'{"len":%d}\n%s\n' % (len(payload) if length is None else length, payload)


@pytest.mark.parametrize("content, words", [
    (b"", "no recording"), (b"SHOAL-FLIGHT 2\n{}\n", "no recording"), (b"\x00" * 4096, "no recording"),
    (b"SHOAL-FLIGHT 1\n", "second line"), (b"SHOAL-FLIGHT 1\n[]\n", "second line"),
    (b'SHOAL-FLIGHT 1\n{"shard":4,"shard_count":4}\n', "second line"),
    (b'SHOAL-FLIGHT 1\n{"shard":-1,"shard_count":4}\n', "second line"),
    (b'SHOAL-FLIGHT 1\n{"shard":0,"shard_count":' + b"9" * 70000 + b"}\n", "second line"),
    (HEAD + b"nonsense\n", "record 1"), (HEAD + b'{"len":-1}\n', "record 1"), (HEAD + b'{"len":99999999999}\n', "len of at most"),
    (HEAD + b'{"len":1.5}\n', "record 1"), (HEAD + b'{"len":10}\n{}', "ends too early"), (HEAD + record(GOOD, 5), "its len is wrong"),
    (HEAD + record(GOOD)[:-1], "ends too early"), (HEAD + record(GOOD) + record(b'{"op":1,"d":1}'), "record 2"),
    (HEAD + record(b'{"op":0,"t":"MESSAGE_CREATE","s":1}'), "no dispatch"),
    (HEAD + record(b'{"op":0,"t":"A\\",\\"s\\":7,\\"x","d":{}}'), "no dispatch"), (HEAD + record(b'{"op":0,"t":"' + b"A" * 100 + b'","d":{}}'), "no dispatch"),
    (HEAD + record(b'{"op":0,"t":"X","d":"\x00"}'), "no text"), (HEAD + record(b"{" * 5000), "no dispatch"),
    (HEAD + record(b'[' * 100000 + b']' * 100000), "no dispatch")], ids=range(22))
def test_hostile_recordings_are_refused(folder, content, words):
    path = os.path.join(folder, "hostile.flight")
    with open(path, "wb") as f:
        f.write(content)
    done = subprocess.run([harness.program("discord-sim"), "--replay", path], capture_output=True, timeout=30, check=False)
    assert done.returncode == 2 and words in done.stderr.decode(), done
    assert done.stdout == b"", "it announced itself"


@pytest.mark.parametrize("path", ["/dev/zero", "/nonexistent", "/"])
def test_what_is_no_file_is_refused(path):
    done = subprocess.run([harness.program("discord-sim"), "--replay", path], capture_output=True, timeout=30, check=False)
    assert done.returncode == 2 and path in done.stderr.decode(), done
