"""discord-sim on bad days: broken links, hostile frames, TLS, HTTP/2."""

import json
import shutil
import ssl
import struct
import subprocess
import time
import zlib

import pytest

from conftest import need
from harness.certs import Authority
from harness.gateway_client import AGENT, Closed, Gateway, Rest
from harness.own_sim import own_sim  # noqa: F401  (a fixture)

COMPRESSIONS = [None, "zlib-stream", "zstd-stream"]


@pytest.fixture
def link(own_sim):  # noqa: F811
    """Makes a sim with one ready session: (sim, gateway connection)."""
    def make(compress=None, **options):
        sim = own_sim(shards=1, **{"guilds": 2, "identify_window_ms": 0, **options})
        return sim, Gateway(sim.gateway, compress).start(sim.token)

    return make


def resumes(sim, g, compress=None):
    """The session lives on: what comes after arrives, and nothing was missed."""
    sim.wait(disconnected=1)
    said = sim.say("after")
    again = Gateway(g.resume_url, compress).resume(sim.token, g.session_id, g.seq)
    seen = again.until("RESUMED")
    return [one["d"]["id"] for one in seen[:-1]] == [said]


@pytest.mark.parametrize("kind,code", [("drop", None), ("fin", None), ("close", 4000)])
def test_a_link_ends(link, kind, code):
    sim, g = link()
    assert sim.fault(kind)["applied"] == 1
    assert g.closed() == code
    assert resumes(sim, g)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4001, 4003, 4004, 4008, 4009, 4010, 4014, 4999])
def test_every_close_code(link, code):
    sim, g = link()
    sim.fault("close", code=code, shard=0)
    assert g.closed() == code
    assert sim.get("/ledger/summary")["closes_sent"] == {str(code): 1}


def test_half_open(link):
    sim, g = link(heartbeat_interval_ms=200)
    sim.fault("half_open")
    sim.say("into the void")
    g.send(1, g.seq)
    g.frames.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        g.payload()
    assert sim.sessions()[0]["connected"]
    g.frames.socket.close()
    again = Gateway(g.resume_url).resume(sim.token, g.session_id, g.seq)
    assert [one["t"] for one in again.until("RESUMED")] == ["MESSAGE_CREATE", "RESUMED"]


def test_slow(link):
    sim, g = link("zlib-stream")
    sim.fault("slow", bytes_per_s=2000)
    text = "".join(chr(0x4e00 + i * 7 % 20000) for i in range(1500))
    sim.say(text)
    start = time.monotonic()
    assert g.until("MESSAGE_CREATE")[-1]["d"]["content"] == text
    assert time.monotonic() - start > 0.5
    sim.clear_faults()
    sim.say("fast")
    assert g.until("MESSAGE_CREATE")[-1]["d"]["content"] == "fast"


def test_reconnect_and_invalid_session(link):
    sim, g = link()
    sim.fault("op7")
    assert g.payload() == {"t": None, "s": None, "op": 7, "d": None}
    sim.fault("op9", resumable=True)
    assert g.payload()["d"] is True
    assert len(sim.sessions()) == 1
    sim.fault("op9")
    assert g.payload()["d"] is False
    assert sim.state()["sessions"] == []


def test_connects_that_fail(link):
    sim, _ = link()
    sim.fault("refuse_connect", times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="503"):
            Gateway(sim.gateway)
    sim.fault("bad_hello")
    assert Gateway(sim.gateway).payload()["d"]["heartbeat_interval"] == "soon"
    sim.fault("never_hello")
    silent = Gateway(sim.gateway)
    silent.frames.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        silent.payload()
    assert Gateway(sim.gateway).hello()


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_fragments(link, compress):
    """A message in many frames is the same message."""
    sim, g = link(compress)
    sim.fault("fragment", bytes=7)
    said = sim.say("in pieces")
    seen, frames = b"", 0
    while True:
        first, payload = g.frames.frame()
        assert len(payload) <= 7 and (frames == 0) == (first & 15 != 0)
        seen, frames = seen + payload, frames + 1
        if first & 0x80:
            break
    assert frames > 10
    assert json.loads(g.decompress(seen) if compress else seen)["d"]["id"] == said


def test_split_payload(link):
    """zlib-stream: one payload over several messages, the suffix whole and only in the last."""
    sim, g = link("zlib-stream")
    sim.fault("split", bytes=20)
    for extra in range(24):  # every remainder of the length
        said = sim.say("x" * 50 + "".join(chr(0x4e00 + (i * 7919 + extra) % 20000) for i in range(extra)))
        parts = [g.frames.message()[1]]
        while not parts[-1].endswith(b"\x00\x00\xff\xff"):
            parts.append(g.frames.message()[1])
        assert len(parts) > 1 and json.loads(g.decompress(b"".join(parts)))["d"]["id"] == said


@pytest.mark.parametrize("kind,check", [
    ("masked", lambda first, second: second & 0x80),
    ("reserved_bits", lambda first, second: first & 0x40),
    ("bad_opcode", lambda first, second: first & 15 == 11),
    ("oversized", lambda first, second: second == 127),
])
def test_wrong_frames(link, kind, check):
    sim, g = link()
    sim.fault(kind)
    g.frames._more()
    assert check(*g.frames.buffer[:2])
    g.frames.socket.close()
    assert resumes(sim, g)


def test_lying_length(link):
    sim, g = link()
    sim.fault("lying_length")
    with pytest.raises(ValueError):
        json.loads(g.frames.message()[1])


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_payloads_that_are_none(link, compress):
    sim, g = link(compress)
    sim.fault("non_utf8")
    with pytest.raises(UnicodeDecodeError):
        g.payload()
    sim.fault("malformed_json")
    with pytest.raises(ValueError):
        g.payload()
    sim.fault("unknown")
    assert g.payload()["op"] == 99 and g.payload()["t"] == "SOMETHING_NEW_CREATE"
    sim.fault("truncated_zlib")
    with pytest.raises((zlib.error, ValueError)):
        g.payload()
    g.frames.socket.close()
    assert resumes(sim, g, compress)


@pytest.mark.parametrize("compress,mb", [(None, 8), ("zlib-stream", 100), ("zstd-stream", 100)])
def test_bomb(link, compress, mb):
    sim, g = link(compress)
    sim.fault("bomb", mb=mb)
    _, data = g.frames.message()
    assert len(data) < 1 << 20 or not compress
    text = g.decompress(data) if compress else data
    assert len(text) > mb << 20
    said = sim.say("still here")
    assert g.payload()["d"]["id"] == said


def test_raw(link):
    sim, g = link("zlib-stream")
    assert sim.post("/raw", shard=0, text='{"op":50}', compress=True)["applied"] == 1
    assert g.payload() == {"op": 50}
    sim.post("/raw", shard=0, base64="iQJoaQ==", frame=True)  # a ping of two bytes
    first, payload = g.frames.frame()
    assert first & 15 == 9 and payload == b"hi"
    sim.post("/raw", shard=0, base64="D6A=", opcode="close")
    with pytest.raises(Closed) as end:
        g.payload()
    assert end.value.code == 4000
    assert struct.unpack(">H", b"\x0f\xa0")[0] == 4000


# --- TLS and HTTP/2 ------------------------------------------------------------------------------------------------


@pytest.fixture
def secure(own_sim, folder):  # noqa: F811
    """(sim under TLS, its authority's file, a context that trusts it)."""
    authority = Authority(folder + "/ca")
    certificate, key = authority.issue("localhost", "DNS:localhost", "IP:127.0.0.1")
    sim = own_sim(shards=1, guilds=50, tls_cert=certificate, tls_key=key, advertise_host="localhost", guild_bytes=8192)
    return sim, authority.ca, ssl.create_default_context(cafile=authority.ca)


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_tls(secure, compress):
    sim, _, context = secure
    assert sim.api.startswith("https://localhost:") and sim.gateway.startswith("wss://localhost:")
    rest = Rest(sim, context=context)
    assert rest.call("GET", "/gateway/bot")[1]["url"] == sim.gateway
    g = Gateway(sim.gateway, compress, context).start(sim.token)
    assert len(g.guilds) == 50 and g.ready["resume_gateway_url"].startswith("wss://localhost:")
    said = sim.say("secret")
    assert g.until("MESSAGE_CREATE")[-1]["d"]["id"] == said
    g.frames.socket.close()
    sim.wait(disconnected=1)
    missed = sim.say("missed")
    again = Gateway(g.resume_url, compress, context).resume(sim.token, g.session_id, g.seq)
    assert [one["d"].get("id") for one in again.until("RESUMED")][:-1] == [missed]
    sim.post("/message", guild_index=0, content="m" * 1000, count=3000)
    for _ in range(3000):
        again.payload()


def test_tls_is_not_spoken_to_strangers(secure):
    sim, _, context = secure
    with pytest.raises(ssl.SSLCertVerificationError):
        Gateway(sim.gateway.replace("localhost", "127.0.0.1"), None, ssl.create_default_context())
    with pytest.raises((Closed, ConnectionError, IndexError, ValueError)):
        Gateway(sim.gateway.replace("wss://", "ws://"))
    assert Gateway(sim.gateway, None, context).hello()


def curl(*arguments):
    need(shutil.which("curl"), "HTTP/2 test: the curl program is not installed")
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "-A", AGENT, *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_http2(secure):
    """Requests over one HTTP/2 connection, bodies both ways, and faults in it."""
    sim, ca, _ = secure
    auth = ["--http2", "--cacert", ca, "-H", "Authorization: Bot " + sim.token]
    version = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}\n"]
    assert curl(*auth, *version, sim.api + "/users/@me") == "2 200\n"
    channel = sim.get("/guild", index=0)["channels"][0]["id"]
    made = json.loads(curl(*auth, "-H", "Content-Type: application/json", "-d", '{"content":"by h2"}',
                           f"{sim.api}/channels/{channel}/messages"))
    assert made["content"] == "by h2"
    many = curl(*auth, *(part for i in range(20) for part in (version + [f"{sim.api}/guilds/{made['channel_id']}"])))
    assert set(many.split("\n")) <= {"2 404", "2 429", ""}
    assert '"id"' in curl(*auth, "-D", "-", sim.api + "/gateway/bot", sim.api + "/users/@me")
    sim.set(rest_limits=False)
    sim.fault("latency", ms=200, times=1)
    assert curl(*auth, *version, sim.api + "/users/@me") == "2 200\n"
    sim.fault("reset_request", times=1)
    with pytest.raises(AssertionError):
        curl(*auth, *version, sim.api + "/users/@me")
    head = curl(*auth, "-I", "-X", "GET", sim.api + "/gateway")
    assert head.startswith("HTTP/2 200") and "via: 1.1 google" in head
    use = sim.post("/interaction", guild_index=0, name="x")
    assert curl("--http2", "--cacert", ca, *version, "-H", "Content-Type: application/json", "-d", '{"type":5}',
                f"{sim.api}/interactions/{use['id']}/{use['token']}/callback") == "2 204\n"
    assert all(one["http2"] for one in sim.requests())
