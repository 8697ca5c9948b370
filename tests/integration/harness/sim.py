"""discord-sim under test control: its process, and a client of its control port."""

import http.client
import json
import os
import re
import subprocess
import urllib.parse

import harness
import procs
import run as local_run  # deploy/local
from harness import openapi

START_TIMEOUT_S = 30 * harness.PATIENCE
WAIT_S = 30 * harness.PATIENCE


class SimError(Exception):
    """The control port refused what was asked."""


class Sim:
    """Options become flags: Sim(folder, janitor, shards=4, max_concurrency=4, tls_cert=…)."""

    def __init__(self, folder, janitor, **options):
        self.folder, self.janitor = folder, janitor
        self.options = {"token": "sim-token-0123456789abcdef", "shards": 4, "max_concurrency": 16, "guilds": 16,
                        "channels": 4, "roles": 3, "guild_bytes": 1024, "record": os.path.join(folder, "sim.jsonl"),
                        **options}
        self.log = os.path.join(folder, "discord-sim.log")
        self.process = None
        self._connection = None
        self._recorded, self._record_offset = [], 0

    @property
    def token(self):
        return self.options["token"]

    def start(self, **options):
        """Starts it; options given here stay. A second start listens where the first did."""
        self.options.update(options)
        argv = [harness.program("discord-sim")]
        for name, value in self.options.items():
            flag = "--" + name.replace("_", "-")
            if value is not None:
                argv += [flag, {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool)
                         else str(value)]
        # No Popen(stderr=PIPE): nobody reads it while the test runs.
        self.process = procs.spawn(argv, stdout=subprocess.PIPE, log=self.log)
        self.janitor.child(self.process)
        self.urls = local_run.read_json_line(self.process, START_TIMEOUT_S, "discord-sim", self.log)
        self.api, self.gateway = self.urls["api"], self.urls["gateway"]
        self.control = urllib.parse.urlsplit(self.urls["control"])
        self.options["listen"] = "127.0.0.1:%d" % urllib.parse.urlsplit(self.api).port
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._forget()

    def stop(self):
        self._forget()
        procs.stop(self.process)

    def _forget(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the control port ------------------------------------------------------------------------------------------

    def ask(self, method, path, body=None, timeout_s=WAIT_S, **query):
        """One question; the answer's JSON. SimError when it was refused."""
        query = {name: value for name, value in query.items() if value is not None}
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.control.hostname, self.control.port)
        connection = self._connection
        connection.timeout = timeout_s + 10
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s + 10)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as e:
            self._forget()
            raise SimError(f"{method} {path}: {e!r}\n{procs.file_tail(self.log)}") from e
        if answer.status >= 300:
            raise SimError(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')[:500]}")
        return json.loads(text) if text else None

    def get(self, path, **query):
        return self.ask("GET", path, **query)

    def post(self, path, **body):
        return self.ask("POST", path, body)

    @property
    def bot_id(self):
        return self.urls["application_id"]

    def state(self):
        return self.get("/state")

    def summary(self):
        """What was sent, answered, identified, resumed and closed so far."""
        return self.get("/ledger/summary")

    def counters(self):
        return self.get("/counters")

    def sessions(self):
        """{shard id: its session} of the sessions that are connected."""
        return {one["shard"][0]: one for one in self.state()["sessions"] if one["connected"]}

    def commands(self):
        """The names registered for everywhere."""
        return sorted(one["name"] for one in self.state()["commands"]["scopes"].get("", []))

    def wait(self, path="/wait", timeout_s=WAIT_S, **conditions):
        """Waits until every named value has reached its least (name=N) or is no more than its most (name_max=N);
        AssertionError with what was reached at the deadline."""
        try:
            return self.ask("GET", path, timeout_s=timeout_s, timeout_ms=int(timeout_s * 1000), **conditions)
        except SimError as e:
            if ": 408 " not in str(e):
                raise
            raise AssertionError(f"discord-sim: not within {timeout_s} s: {conditions}: {e}") from None

    def wait_counter(self, name, least, timeout_s=WAIT_S):
        """Waits until a counter that /wait does not know is at least so high."""
        return procs.wait_until(lambda: (lambda now: now if now >= least else None)(self.counters()[name]), timeout_s,
                                f"{name} at least {least}", interval_s=0.02, tail=lambda: procs.file_tail(self.log))

    def expired(self, fleet):
        """Interactions without an answer of which the fleet says that they came too late for one."""
        late = {str(one["interaction"]) for one in fleet.records("commands.expired") if one["age_ms"] >= 2000}
        return late & {one["id"] for one in self.get("/ledger", wrong="true", limit=10000)["entries"]
                       if one["kind"] == "interaction" and not one["answers"]}

    def wait_all_answered(self, timeout_s=WAIT_S, fleet=None):
        """Waits until nothing that was sent is without an answer; the summary then. With @fleet, interactions that it says
        came too late are counted as summary["interactions"]["expired"] and not waited for: Discord takes an answer for
        three seconds, and on a machine under load a worker that died may be away for longer."""
        def look():
            summary = self.summary()
            open_ = summary["interactions"]["unanswered"]
            summary["interactions"]["expired"] = len(self.expired(fleet)) if fleet and open_ else 0
            return None if summary["messages"]["unanswered"] or open_ > summary["interactions"]["expired"] else summary
        return procs.wait_until(look, timeout_s, "everything answered", interval_s=0.02,
                                tail=lambda: json.dumps(self.get("/ledger", wrong="true", limit=10)))

    def fault(self, kind, **more):
        """shard: a number; "all" (or none) means every shard."""
        if more.get("shard") == "all":
            del more["shard"]
        return self.post("/fault", kind=kind, **more)

    def clear_faults(self):
        return self.ask("DELETE", "/faults")

    def set(self, **options):
        return self.ask("POST", "/set", {name.replace("_", "-"): value for name, value in options.items()})

    # --- what the bot sent -----------------------------------------------------------------------------------------

    def requests(self, method=None, contains=None):
        """The REST requests recorded so far. The file is read on from where it was left."""
        fresh, self._record_offset = openapi.read_record_from(self.options["record"], self._record_offset)
        self._recorded += fresh
        return [one for one in self._recorded if
                (method is None or one["method"] == method) and (contains is None or contains in one["path"])]

    def wait_requests(self, count=1, method=None, contains=None, timeout_s=WAIT_S):
        return procs.wait_until(
            lambda: (lambda found: found if len(found) >= count else None)(self.requests(method, contains)),
            timeout_s, f"{count} requests {method or ''} {contains or ''}", tail=lambda: procs.file_tail(self.log))

    # --- members ---------------------------------------------------------------------------------------------------

    def say(self, content, guild=0, **more):
        """A member writes a message in a guild (by index); its id."""
        return self.post("/message", **{**({"guild_index": guild} if guild is not None else {}), "content": content,
                                         **more})["ids"][0]

    def use(self, name, options=None, guild=0, **more):
        """A member uses a slash command; the interaction's id."""
        body = {"name": name, **({"guild_index": guild} if guild is not None else {}), **more}
        if options is not None:
            body["options"] = options
        return self.post("/interaction", **body)["id"]

    def answers_to(self, cause):
        """What the bot answered to a message or an interaction so far: bodies of messages, in order. A deferral is no
        answer; what it was edited into is."""
        found = []
        token = None
        for one in self.requests():
            path, body = one["path"].partition("?")[0], one.get("body") or ""
            if not 200 <= one.get("status", 0) < 300 or not body:
                continue
            callback = re.search(r"/interactions/(\d+)/([^/]+)/callback$", path)
            if callback and callback.group(1) == str(cause):
                token = callback.group(2)
                body = json.loads(body)
                if body["type"] != 5:
                    found.append(body.get("data") or {})
            elif token and f"/{token}" in path:
                found.append(json.loads(body))
            elif path.endswith("/messages") and one["method"] == "POST":
                body = json.loads(body)
                if str((body.get("message_reference") or {}).get("message_id")) == str(cause):
                    found.append(body)
        return found

    def answer(self, cause, timeout_s=WAIT_S):
        """Waits for the first answer to a message or an interaction."""
        return procs.wait_until(lambda: self.answers_to(cause), timeout_s, f"an answer to {cause}",
                                tail=lambda: procs.file_tail(self.log))[0]


def text_of(answer):
    """All words of an answer: content, embeds, their fields."""
    parts = [answer.get("content") or ""]
    for embed in answer.get("embeds") or []:
        parts += [embed.get("title") or "", embed.get("description") or ""]
        for field in embed.get("fields") or []:
            parts += [field["name"], field["value"]]
        parts.append((embed.get("footer") or {}).get("text") or "")
    return "\n".join(part for part in parts if part)
