"""discord-sim's gateway: what a session is sent, what it may ask for again, what it is refused."""

import json
import threading

import pytest

import harness
from harness.gateway_client import ALL_INTENTS, Closed, Frames, Gateway, Rest
from harness.own_sim import own_sim  # noqa: F401  (a fixture)

GUILDS, MEMBERS, PRESENCES, MESSAGES, CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 9, 1 << 15
COMPRESSIONS = [None, "zlib-stream", "zstd-stream"]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_login(own_sim, compress):
    sim = own_sim(shards=4, guilds=40, guild_bytes=8192, channels=20, roles=10)
    g = Gateway(sim.gateway, compress).start(sim.token, (3, 4), intents=ALL_INTENTS & ~PRESENCES)
    assert g.ready["v"] == 10 and g.ready["shard"] == [3, 4]
    assert len(g.ready["guilds"]) == 10 and all(one["unavailable"] for one in g.ready["guilds"])
    assert g.ready["resume_gateway_url"] != sim.gateway and g.ready["user"]["bot"] is True
    assert {one["d"]["id"] for one in g.guilds} == {one["id"] for one in g.ready["guilds"]}
    assert [one["s"] for one in g.guilds] == list(range(2, 12))
    for one in g.guilds:
        guild = one["d"]
        assert (int(guild["id"]) >> 22) % 4 == 3
        assert len(guild["channels"]) == 20 and len(guild["roles"]) == 10
        assert len(json.dumps(guild, separators=(",", ":"))) >= 8192
        ids = [guild["id"], *(c["id"] for c in guild["channels"]), *(r["id"] for r in guild["roles"][1:])]
        assert len(set(ids)) == len(ids) and guild["roles"][0]["id"] == guild["id"]
        assert all("guild_id" not in c for c in guild["channels"])
        parents = {c["parent_id"] for c in guild["channels"] if c.get("parent_id")}
        assert parents <= {c["id"] for c in guild["channels"]}
        assert len(guild["members"]) == 2 and guild["member_count"] == 51


def test_the_templates_tell_the_same_in_every_compression(own_sim):
    sim = own_sim(shards=1, guilds=30, identify_window_ms=0, guild_bytes=20000, channels=30)
    texts = []
    for compress in COMPRESSIONS:
        for intents in (GUILDS, GUILDS | PRESENCES):
            g = Gateway(sim.gateway, compress).start(sim.token, intents=intents)
            texts.append([one["d"] for one in g.guilds])
            g.close(1000)
    assert texts[0] == texts[2] == texts[4]
    assert texts[1] == texts[3] == texts[5]
    assert len(texts[1][0]["members"]) == 51 and len(texts[0][0]["members"]) == 2


def test_zstd_one_frame_or_many(own_sim):
    sim = own_sim(shards=1, guilds=5, identify_window_ms=0)
    g = Gateway(sim.gateway, "zstd-stream").start(sim.token)
    assert g.inflate.frame_ends == 0
    sim.set(**{"zstd-frame-per-message": True})
    g = Gateway(sim.gateway, "zstd-stream").start(sim.token)
    assert g.inflate.frame_ends >= 7


@pytest.mark.parametrize("change,code", [
    ({"token": "wrong"}, 4004),
    ({"token": None}, 4002),
    ({"intents": 1 << 30}, 4013),
    ({"intents": "all"}, 4013),
    ({"intents": MEMBERS}, 4014),
    ({"shard": [4, 4]}, 4010),
    ({"shard": [0, 0]}, 4010),
    ({"shard": [-1, 4]}, 4010),
    ({"shard": [0, 1]}, 4011),
    ({"properties": None}, 4002),
    ({"large_threshold": 10}, 4002),
])
def test_identify_is_refused(own_sim, change, code):
    sim = own_sim(shards=4, guilds=2504, granted_intents="unprivileged")
    g = Gateway(sim.gateway)
    g.hello()
    g.send(2, {"token": sim.token, "intents": GUILDS, "shard": [0, 4], "properties": {"os": "linux"}, **change})
    assert g.closed() == code
    assert sim.state()["sessions"] == []


def test_large_bots_need_a_multiple(own_sim):
    sim = own_sim(shards=16, shard_multiple=16, identify_window_ms=0)
    assert Gateway(sim.gateway).identify(sim.token, (0, 17)).closed() == 4010
    assert Gateway(sim.gateway).identify(sim.token, (0, 32)).until("READY")


@pytest.mark.parametrize("version", [6, 11, "x"])
def test_wrong_version(own_sim, version):
    assert Gateway(own_sim().gateway, version=version).closed() == 4012


@pytest.mark.parametrize("payload,code", [
    (b"{", 4002),
    (b"[]", 4002),
    (b'{"op":"one"}', 4002),
    (b'{"op":5,"d":null}', 4001),
    (b'{"op":77,"d":null}', 4001),
    (b'{"op":3,"d":{"status":"online"}}', 4003),
    (b'{"op":8,"d":{}}', 4003),
    (b'{"op":1,"d":"' + b"x" * 4096 + b'"}', 4002),
    (b'{"op":6,"d":{"token":"t"}}', 4002),
    (b'{"op":6,"d":{"token":"t","session_id":"s","seq":1}}', 4004),
])
def test_bad_payloads(own_sim, payload, code):
    g = Gateway(own_sim().gateway)
    g.hello()
    g.frames.send(1, payload)
    assert g.closed() == code


def test_protocol_violations_and_twice_identified(own_sim):
    sim = own_sim()
    g = Gateway(sim.gateway)
    g.hello()
    g.frames.send(1, b'{"op":1,"d":null}', mask=False)
    assert g.closed() == 1002
    g = Gateway(sim.gateway).start(sim.token, (0, 4))
    g.send(2, {})
    assert g.closed() == 4005


def test_garbage_behind_a_close(own_sim):
    """After a close frame nothing can be read, least of all what is no frame; the sim goes on."""
    sim = own_sim()
    g = Gateway(sim.gateway)
    g.hello()
    g.frames.socket.sendall(b"\x88\x80\0\0\0\0" + b"\x82\xff" * 40)
    assert g.closed() == 1005
    assert sim.get("/counters")["connections"] >= 1


def test_heartbeats(own_sim):
    sim = own_sim(heartbeat_interval_ms=300)
    g = Gateway(sim.gateway)
    assert g.hello()["heartbeat_interval"] == 300
    g.send(1, None)  # legal before IDENTIFY
    assert g.payload()["op"] == 11
    sim.fault("op1")
    assert g.payload()["op"] == 1
    sim.fault("no_ack")
    g.send(1, None)
    sim.wait(heartbeats=2)
    sim.fault("no_ack", on=False)
    g.send(1, None)
    assert g.payload()["op"] == 11
    assert g.closed() == 4009  # a client that falls silent


def test_the_121st_send_within_a_minute(own_sim):
    sim = own_sim()
    g = Gateway(sim.gateway)
    g.hello()
    for _ in range(121):
        g.send(1, None)
    seen = 0
    with pytest.raises(Closed) as end:
        while True:
            assert g.payload()["op"] == 11
            seen += 1
    assert end.value.code == 4008 and seen == 120


def test_identify_buckets(own_sim):
    """One identify a bucket and window; others at once; a refused one costs a start all the same."""
    sim = own_sim(shards=4, max_concurrency=2, session_remaining=10)
    for shard in (0, 1):
        Gateway(sim.gateway).start(sim.token, (shard, 4))
    for shard in (2, 3):
        refused = Gateway(sim.gateway).identify(sim.token, (shard, 4)).until(9)[-1]
        assert refused["d"] is False
    stats = sim.get("/ledger/summary")["identifies"]
    assert (stats["accepted"], stats["refused_bucket"], stats["remaining"]) == (2, 2, 6)
    assert [one["shard"] for one in stats["by_bucket"]["0"]] == [0, 2]
    sim.set(identify_window_ms=0)
    Gateway(sim.gateway).start(sim.token, (2, 4))


def test_the_last_start_is_the_tokens_last(own_sim):
    sim = own_sim(shards=1, session_remaining=2, identify_window_ms=0)
    first = Gateway(sim.gateway).start(sim.token)
    limit = Rest(sim).call("GET", "/gateway/bot")[1]["session_start_limit"]
    assert limit["remaining"] == 1 and limit["total"] == 1000
    Gateway(sim.gateway).start(sim.token)
    assert Gateway(sim.gateway).identify(sim.token).closed() == 4004
    assert first.closed() == 4004
    assert Rest(sim).call("GET", "/gateway/bot")[0] == 401
    assert sim.get("/ledger/summary")["identifies"]["disasters"][0]["what"] == "token_reset"


# --- resume --------------------------------------------------------------------------------------------------------


def resume(sim, g, seq, compress=None, url=None):
    return Gateway(url or g.resume_url, compress).resume(sim.token, g.session_id, seq)


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_resume_replays_what_was_missed(own_sim, compress):
    sim = own_sim(shards=1, guilds=3)
    g = Gateway(sim.gateway, compress).start(sim.token)
    first = sim.say("one")
    assert g.until("MESSAGE_CREATE")[-1]["d"]["id"] == first
    seq = g.seq
    g.frames.socket.close()
    sim.wait(disconnected=1)
    missed = [sim.say(f"away {i}", guild=i) for i in range(3)]
    again = resume(sim, g, seq - 1, compress)
    seen = again.until("RESUMED")
    assert [one["d"].get("id") for one in seen[:-1]] == [first, *missed]
    assert [one["s"] for one in seen] == list(range(seq, seq + 5))
    later = sim.say("later")
    assert again.until("MESSAGE_CREATE")[-1]["d"]["id"] == later
    state = sim.sessions()[0]
    assert state["resumes"] == 1 and state["connected_via"] == "resume" and state["identifies"] == 1
    # The same once more, at the general URL: it works, and is noted.
    again.frames.socket.close()
    third = resume(sim, g, again.seq, compress, sim.gateway)
    assert [one["t"] for one in third.until("RESUMED")] == ["RESUMED"]
    assert sim.state()["counters"]["resumes_at_gateway_url"] == 1


def test_resume_is_refused(own_sim):
    sim = own_sim(shards=1, guilds=3, identify_window_ms=0, resume_window_s=1)
    g = Gateway(sim.gateway).start(sim.token)
    g.close(4000)
    assert Gateway(g.resume_url).resume(sim.token, "0" * 32, 1).payload() == {"t": None, "s": None, "op": 9, "d": False}
    assert resume(sim, g, g.seq + 1).closed() == 4007
    for code in (1000, 1001):  # a goodbye ends the session
        g = Gateway(sim.gateway).start(sim.token)
        g.close(code)
        sim.wait(sessions_max=0, disconnected_max=0)
        assert resume(sim, g, g.seq).payload()["op"] == 9
    g = Gateway(sim.gateway).start(sim.token)
    g.close(4000)
    sim.wait(disconnected=1)
    sim.wait(disconnected_max=0)  # its window passes
    assert resume(sim, g, g.seq).payload()["op"] == 9
    g = Gateway(sim.gateway).start(sim.token)
    g.close(4000)
    sim.fault("refuse_resume", times=1)
    assert resume(sim, g, g.seq).payload()["d"] is False
    assert resume(sim, g, g.seq).until("RESUMED")


@pytest.mark.parametrize("keep,expected", [("all", [0, 1, 2, 3]), ("acked", [2, 3]), ("unwritten", [3])])
def test_what_a_replay_holds(own_sim, keep, expected):
    """Four events: before the acknowledged heartbeat two, after it one that arrives, and one while away."""
    sim = own_sim(shards=1, guilds=1, resume_keep=keep)
    g = Gateway(sim.gateway).start(sim.token)
    start = g.seq
    ids = [sim.say(f"{i}") for i in range(2)]
    while g.payload()["d"]["id"] != ids[1]:
        pass
    g.send(1, g.seq)
    assert g.payload()["op"] == 11
    ids.append(sim.say("2"))
    g.until("MESSAGE_CREATE")
    g.frames.socket.close()
    sim.wait(disconnected=1)
    ids.append(sim.say("3"))
    seen = resume(sim, g, start).until("RESUMED")[:-1]
    assert [one["d"]["id"] for one in seen] == [ids[i] for i in expected]


def test_the_ring_is_bounded(own_sim):
    """What is no longer kept cannot be resumed over: op 9, never a silent hole."""
    sim = own_sim(shards=1, guilds=1, replay_max=16)
    g = Gateway(sim.gateway).start(sim.token)
    start = g.seq
    for _ in range(40):
        sim.say("x")
        g.payload()
    g.close(4000)
    sim.wait(disconnected=1)
    assert resume(sim, g, start).payload()["op"] == 9


def test_a_new_connection_takes_the_session_over(own_sim):
    sim = own_sim(shards=1, guilds=1)
    g = Gateway(sim.gateway).start(sim.token)
    again = resume(sim, g, g.seq)
    again.until("RESUMED")
    assert g.closed() == 4000
    assert len(sim.sessions()) == 1


def test_sequences_may_skip_and_be_wide(own_sim):
    sim = own_sim(shards=1, guilds=1, seq_gaps=True, seq_start=1 << 40)
    g = Gateway(sim.gateway).start(sim.token)
    sim.post("/message", guild_index=0, content="x", count=400)
    numbers = [g.payload()["s"] for _ in range(400)]
    steps = {b - a for a, b in zip(numbers, numbers[1:])}
    assert numbers[0] > 1 << 40 and 1 in steps and max(steps) > 1 and min(steps) >= 1


def test_shapes_a_client_must_take(own_sim):
    """Keys in any order, an ACK without d, a RESUMED whose d is null, op 7 before HELLO."""
    sim = own_sim(shards=1, guilds=2, shuffle_keys=True)
    g = Gateway(sim.gateway).start(sim.token)
    acks = []
    for _ in range(3):
        g.send(1, g.seq)
        acks.append(sorted(g.payload()))
    assert acks == [["d", "op", "s", "t"]] * 2 + [["op"]]
    orders = {tuple(json.loads(json.dumps(g.payload()))) for _ in range(4) if sim.say("x")}
    assert orders == {("t", "s", "op", "d"), ("d", "s", "extra", "t", "op")}
    shapes = []
    for _ in range(2):
        g.frames.socket.close()
        again = resume(sim, g, g.seq)
        shapes.append(again.until("RESUMED")[-1]["d"])
        g.seq, g.frames = again.seq, again.frames
    assert None in shapes and any(shapes)
    sim.fault("op7_first")
    assert Gateway(sim.gateway).payload()["op"] == 7


# --- who gets what -------------------------------------------------------------------------------------------------


def test_events_reach_every_set_of_shards(own_sim):
    """Counts may overlap, the same [id, count] may run twice; direct messages come to shard 0."""
    sim = own_sim(shards=2, guilds=6, max_concurrency=16, identify_window_ms=0)
    shapes = [(0, 2), (1, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    links = [Gateway(sim.gateway).start(sim.token, shape) for shape in shapes]
    for guild in range(6):
        answer = sim.post("/message", guild_index=guild, content="hello")
        want = [shape for shape in shapes if guild % shape[1] == shape[0]]
        got = sorted((one["shard"], one["count"]) for one in answer["deliveries"])
        assert got == sorted(want)
    direct = sim.post("/message", dm=True, content="psst")
    assert sorted((one["shard"], one["count"]) for one in direct["deliveries"]) == [(0, 2), (0, 3)]
    message = links[0].until("MESSAGE_CREATE")
    while message[-1]["d"]["content"] != "psst":
        message = links[0].until("MESSAGE_CREATE")
    assert "guild_id" not in message[-1]["d"] and message[-1]["d"]["channel_type"] == 1


def test_intents_filter(own_sim):
    sim = own_sim(shards=1, guilds=1, identify_window_ms=0)
    none = Gateway(sim.gateway).start(sim.token, intents=0)
    assert none.ready["guilds"] == []
    blind = Gateway(sim.gateway).start(sim.token, intents=GUILDS | MESSAGES)
    bot = blind.ready["user"]["id"]
    for content in ("secret", f"hi <@{bot}>"):
        sim.say(content, extra={"embeds": [{"title": "t"}], "attachments": [{"id": "1"}]})
    sim.post("/event", t="TYPING_START", guild_index=0, d={"user_id": "1"})
    use = sim.use("ping")
    seen = blind.until("INTERACTION_CREATE")
    assert [one["t"] for one in seen] == ["MESSAGE_CREATE", "MESSAGE_CREATE", "INTERACTION_CREATE"]
    assert seen[0]["d"]["content"] == "" and seen[0]["d"]["embeds"] == [] and seen[0]["d"]["attachments"] == []
    assert seen[1]["d"]["content"].startswith("hi") and seen[1]["d"]["embeds"] and seen[1]["d"]["mentions"][0]["id"] == bot
    assert none.payload()["d"]["id"] == use  # only what needs no intent


def test_the_bots_own_messages_come_back(own_sim):
    sim = own_sim(shards=1, guilds=1)
    g = Gateway(sim.gateway).start(sim.token, intents=GUILDS | MESSAGES)
    channel = g.guilds[0]["d"]["channels"][0]["id"]
    status, made = Rest(sim).call("POST", f"/channels/{channel}/messages", {"content": "own", "nonce": "n1"})
    echo = g.until("MESSAGE_CREATE")[-1]["d"]
    assert status == 200 and echo["id"] == made["id"] and echo["content"] == "own" and echo["nonce"] == "n1"
    assert echo["guild_id"] == g.guilds[0]["d"]["id"] and "guild_id" not in made


def test_member_requests(own_sim):
    sim = own_sim(shards=1, guilds=2, members=1500)
    g = Gateway(sim.gateway).start(sim.token, intents=GUILDS | MEMBERS)
    guild = g.guilds[0]["d"]["id"]
    g.send(8, {"guild_id": guild, "query": "", "limit": 0, "nonce": "all"})
    chunks = [g.payload()["d"] for _ in range(2)]
    assert [len(one["members"]) for one in chunks] == [1000, 501]
    assert [one["chunk_index"] for one in chunks] == [0, 1] and all(one["nonce"] == "all" for one in chunks)
    g.send(8, {"guild_id": guild, "query": "", "limit": 0, "nonce": "again"})
    limited = g.payload()
    assert limited["t"] == "RATE_LIMITED" and limited["d"]["opcode"] == 8 and 0 < limited["d"]["retry_after"] <= 30
    assert limited["d"]["meta"] == {"guild_id": guild, "nonce": "again"}
    known = chunks[0]["members"][7]["user"]["id"]
    g.send(8, {"guild_id": guild, "user_ids": [known, "12"], "nonce": "x" * 33})
    found = g.payload()["d"]
    assert [one["user"]["id"] for one in found["members"]] == [known]
    assert found["not_found"] == ["12"] and "nonce" not in found
    g.send(31, {"guild_ids": [guild]})
    assert g.payload()["t"] == "SOUNDBOARD_SOUNDS"
    g.send(43, {"guild_id": guild, "fields": ["status"]})
    assert g.payload()["t"] == "CHANNEL_INFO"


def test_outages_and_departures(own_sim):
    sim = own_sim(shards=1, guilds=3, identify_window_ms=0)
    g = Gateway(sim.gateway).start(sim.token)
    for action, name, extra in (("outage", "GUILD_DELETE", {"unavailable": True}), ("restore", "GUILD_CREATE", {}),
                                ("leave", "GUILD_DELETE", {})):
        sim.post("/guild", guild_index=1, action=action)
        seen = g.payload()
        assert seen["t"] == name and (name == "GUILD_CREATE" or seen["d"] == {"id": seen["d"]["id"], **extra})
    fresh = Gateway(sim.gateway).start(sim.token)
    assert len(fresh.ready["guilds"]) == 2
    sim.post("/guild", guild_index=1, action="join")
    assert fresh.payload()["t"] == "GUILD_CREATE"


def test_traffic_flows(own_sim):
    sim = own_sim(shards=1, guilds=5, traffic=2000)
    g = Gateway(sim.gateway).start(sim.token)
    names = {g.payload()["t"] for _ in range(1500)}
    assert names >= {"MESSAGE_CREATE", "TYPING_START", "PRESENCE_UPDATE", "MESSAGE_REACTION_ADD", "INTERACTION_CREATE"}


# --- many, and much ------------------------------------------------------------------------------------------------


def flood_file(folder, count):
    path = folder + "/flood.jsonl"
    with open(path, "w", encoding="utf-8") as f:
        for i in range(count):
            f.write(json.dumps({"t": "MESSAGE_CREATE", "s": None, "op": 0,
                                "d": {"id": str(i), "d": {"t": "x"}, "content": "\\\"{[" + "w" * (i % 300)}}) + "\n")
    return path


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_flood(own_sim, folder, compress):
    """Whole, in order, with rising sequences; other events of the session come too, in order."""
    sim = own_sim(shards=1, guilds=2)
    g = Gateway(sim.gateway, compress).start(sim.token)
    first = g.seq + 1
    started = sim.post("/flood", shard=0, file=flood_file(folder, 500), repeat=6)
    assert started["floods"][0]["events"] == 3000
    other = sim.say("meanwhile")
    g.send(1, g.seq)
    ids, seqs, acks = [], [], 0
    while len(seqs) < 3001 or not acks:
        payload = g.payload()
        if payload["op"] == 11:
            acks += 1
            continue
        seqs.append(payload["s"])
        ids.append(payload["d"]["id"])
    assert seqs == list(range(first, first + 3001))
    assert ids.count(other) == 1
    ids.remove(other)
    assert ids == [str(i) for i in range(500)] * 6
    sim.wait(floods_finished=1)
    flood = sim.sessions()[0]["flood"]
    assert flood["finished"] and flood["given"] == 3000
    last = sim.say("after")
    assert g.until("MESSAGE_CREATE")[-1]["d"]["id"] == last


def test_flood_at_a_rate_can_be_resumed(own_sim, folder):
    sim = own_sim(shards=1, guilds=1)
    g = Gateway(sim.gateway, "zlib-stream").start(sim.token)
    sim.post("/flood", shard=0, file=flood_file(folder, 200), repeat=5, rate=2000)
    for _ in range(300):
        g.payload()
    g.frames.socket.close()
    sim.wait(disconnected=1)
    again = resume(sim, g, g.seq, "zlib-stream")
    numbers = [one["s"] for one in [again.payload() for _ in range(701)]]
    assert numbers == list(range(g.seq + 1, g.seq + 702))


def test_twelve_hundred_connections(own_sim):
    """All of them identified, all of them fed."""
    sim = own_sim(shards=1200, guilds=1200, max_concurrency=1200, session_remaining=5000, guild_bytes=2048, channels=4)
    links = [None] * 1200

    def open_some(start):
        for shard in range(start, 1200, 8):
            links[shard] = Gateway(sim.gateway, COMPRESSIONS[shard % 2]).start(sim.token, (shard, 1200))

    workers = [threading.Thread(target=open_some, args=(i,)) for i in range(8)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(timeout=60 * harness.PATIENCE)
    sim.wait(sessions=1200, timeout_s=60 * harness.PATIENCE)
    sim.post("/message", guild_index=0, content="everybody", count=1200, spread=1)
    for one in links:
        assert one.until("MESSAGE_CREATE")[-1]["d"]["content"] == "everybody"
    for one in links:
        one.frames.socket.close()
    sim.wait(sessions_max=0)


def test_a_frame_of_a_plain_client_is_read_in_any_split(own_sim):
    """Bytes may arrive one at a time; fragments and pings in between are put together."""
    sim = own_sim()
    frames = Frames(sim.gateway + "/?v=10&encoding=json")
    frames.message()
    payload = b'{"op":1,"d":null}'
    key = bytes([1, 2, 3, 4])

    def masked(first, data):
        return bytes([first, 0x80 | len(data)]) + key + bytes(b ^ key[i % 4] for i, b in enumerate(data))

    stream = masked(0x01, payload[:5]) + masked(0x89, b"hi") + masked(0x80, payload[5:])
    for i in range(len(stream)):
        frames.socket.sendall(stream[i:i + 1])
    first, data = frames.frame()
    assert (first & 15, data) == (10, b"hi")
    assert json.loads(frames.message()[1])["op"] == 11
