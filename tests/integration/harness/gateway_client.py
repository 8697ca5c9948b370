"""A gateway and REST client on plain sockets, to judge discord-sim with: no library in between, every frame is seen."""

import base64
import ctypes
import hashlib
import http.client
import json
import os
import socket
import ssl
import struct
import urllib.parse
import zlib

import harness

TIMEOUT_S = 10 * harness.PATIENCE
AGENT = "DiscordBot (https://example.org/shoal, 1.0)"
ALL_INTENTS = 0x1FFFF | 3 << 20 | 3 << 24


class Closed(Exception):
    """The connection has ended; code is the close frame's, None without one."""

    def __init__(self, code):
        super().__init__(f"closed with {code}")
        self.code = code


class Frames:
    """The client's side of RFC 6455, strict about the server's."""

    def __init__(self, url, context=None, headers=()):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "wss":
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        key = base64.b64encode(os.urandom(16)).decode()
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.buffer = b""
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split(" ")[1])
        if self.status != 101:
            raise ConnectionError(f"HTTP {self.status}")
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert f"sec-websocket-accept: {accept.decode().lower()}" in head.lower()

    def _more(self):
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed(None) from None
        if not data:
            raise Closed(None)
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def frame(self):
        """(first byte, payload) of the next frame."""
        first, second = self._take(2)
        assert not second & 0x80, "the server masked a frame"
        length = second
        if second == 126:
            length = struct.unpack(">H", self._take(2))[0]
        elif second == 127:
            length = struct.unpack(">Q", self._take(8))[0]
        return first, self._take(length)

    def message(self):
        """(opcode, bytes) of the next whole message; pings are answered, a close raises Closed."""
        parts, opcode = [], None
        while True:
            first, payload = self.frame()
            kind = first & 15
            assert not first & 0x70, "reserved bits"
            if kind == 8:
                raise Closed(struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005)
            if kind == 9:
                self.send(10, payload)
                continue
            if kind == 10:
                continue
            assert (kind == 0) == (opcode is not None), "fragments out of order"
            opcode = opcode or kind
            parts.append(payload)
            if first & 0x80:
                return opcode, b"".join(parts)

    def send(self, opcode, payload, mask=True):
        head = bytes([0x80 | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if mask:
            key = os.urandom(4)
            stream = (key * (len(payload) // 4 + 1))[:len(payload)]
            payload = key + (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")
        self.socket.sendall(head + payload)

    def close(self, code=4000):
        try:
            self.send(8, struct.pack(">H", code))
        except OSError:
            pass
        self.socket.close()


class Zstd:
    """A streaming decompressor over libzstd itself."""

    class Area(ctypes.Structure):
        _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]

    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        self.library.ZSTD_createDStream.restype = ctypes.c_void_p
        self.library.ZSTD_decompressStream.restype = ctypes.c_size_t
        self.stream = ctypes.c_void_p(self.library.ZSTD_createDStream())
        self.space = ctypes.create_string_buffer(1 << 20)
        self.frame_ends = 0

    def decompress(self, data):
        held = ctypes.create_string_buffer(data, len(data))
        given, out = self.Area(ctypes.cast(held, ctypes.c_void_p), len(data), 0), b""
        while True:
            taken = self.Area(ctypes.cast(self.space, ctypes.c_void_p), len(self.space), 0)
            left = self.library.ZSTD_decompressStream(self.stream, ctypes.byref(taken), ctypes.byref(given))
            assert not self.library.ZSTD_isError(ctypes.c_size_t(left)), "broken zstd stream"
            self.frame_ends += left == 0
            out += self.space.raw[:taken.pos]
            if given.pos == given.size and taken.pos < taken.size:
                return out


class Gateway:
    """One gateway connection as a bot would have it."""

    def __init__(self, url, compress=None, context=None, version=10):
        query = f"v={version}&encoding=json" + (f"&compress={compress}" if compress else "")
        self.frames = Frames(url + ("/" if urllib.parse.urlsplit(url).path == "" else "") + "?" + query, context)
        self.compress, self.pending, self.raw_bytes = compress, b"", 0
        self.inflate = Zstd() if compress == "zstd-stream" else zlib.decompressobj()
        self.seq, self.session_id, self.resume_url, self.ready = None, None, None, None

    def payload(self):
        """The next payload, decoded."""
        while True:
            opcode, data = self.frames.message()
            self.raw_bytes += len(data)
            if not self.compress:
                assert opcode == 1
                break
            assert opcode == 2
            self.pending += data
            if self.compress != "zlib-stream" or self.pending.endswith(b"\x00\x00\xff\xff"):
                data, self.pending = self.decompress(self.pending), b""
                break
        payload = json.loads(data)
        if payload["op"] == 0:
            self.seq = payload["s"]
        return payload

    def decompress(self, data):
        return self.inflate.decompress(data)

    def send(self, op, d):
        self.frames.send(1, json.dumps({"op": op, "d": d}).encode())

    def hello(self):
        payload = self.payload()
        assert payload["op"] == 10, payload
        return payload["d"]

    def identify(self, token, shard=(0, 1), intents=ALL_INTENTS, hello=True, **more):
        if hello:
            self.hello()
        self.send(2, {"token": token, "intents": intents, "shard": list(shard),
                      "properties": {"os": "linux", "browser": "test", "device": "test"}, **more})
        return self

    def until(self, wanted):
        """Payloads until one has that `t` (a name) or op (a number); the list, the wanted one last."""
        seen = []
        while True:
            seen.append(self.payload())
            if wanted in (seen[-1].get("t"), seen[-1]["op"] if seen[-1]["op"] != 0 else None):
                return seen

    def start(self, token, shard=(0, 1), guilds=None, **more):
        """Identifies and takes READY and the guilds of its list."""
        self.identify(token, shard, **more)
        self.ready = self.until("READY")[-1]["d"]
        self.session_id, self.resume_url = self.ready["session_id"], self.ready["resume_gateway_url"]
        self.guilds = [self.payload() for _ in range(len(self.ready["guilds"]) if guilds is None else guilds)]
        return self

    def resume(self, token, session_id, seq):
        self.hello()
        self.send(6, {"token": token, "session_id": session_id, "seq": seq})
        return self

    def closed(self):
        """Reads to the end; the close code."""
        try:
            while True:
                self.payload()
        except Closed as e:
            return e.code

    def close(self, code=4000):
        self.frames.close(code)


class Rest:
    """The API with plain http.client."""

    def __init__(self, sim, token=None, context=None):
        self.base = urllib.parse.urlsplit(sim.api)
        self.token = sim.token if token is None else token
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        more = {"context": context} if context else {}
        self.connection = kind(self.base.hostname, self.base.port, timeout=TIMEOUT_S, **more)
        self.headers = {}

    def call(self, method, path, body=None, headers=None, auth=True, raw=False):
        """(status, JSON or None); the answer's headers are in self.headers."""
        sent = {"User-Agent": AGENT}
        if auth:
            sent["Authorization"] = "Bot " + self.token
        if body is not None and not raw:
            sent["Content-Type"] = "application/json"
            body = json.dumps(body)
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        self.connection.request(method, self.base.path + path, body=body, headers=sent)
        answer = self.connection.getresponse()
        text = answer.read()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.text = text
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, None
