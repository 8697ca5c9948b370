"""discord-sim's REST API: what Discord takes, what it refuses, its limits, and the ledger's view of it all."""

import http.client
import json
import time

import pytest

from harness import openapi
from harness.gateway_client import Gateway, Rest
from harness.own_sim import own_sim  # noqa: F401  (a fixture)


@pytest.fixture
def world(own_sim):  # noqa: F811
    """A sim, a client, ids of guild 0."""
    sim = own_sim(shards=1, guilds=4, channels=20, roles=4)
    return sim, Rest(sim), sim.get("/guild", index=0)


def code(answer):
    return answer[0], answer[1]["code"]


def test_who_is_let_in(world):
    sim, rest, _ = world
    assert rest.call("GET", "/users/@me")[1]["bot"] is True
    assert rest.call("GET", "/gateway", auth=False) == (200, {"url": sim.gateway})
    for value in (None, "Bot wrong", sim.token, "Bearer " + sim.token, "Bot " + sim.token + "x"):
        assert code(rest.call("GET", "/users/@me", headers={"Authorization": value})) == (401, 0)
    for agent in (None, "curl/8.0", "Mozilla/5.0"):
        assert code(rest.call("GET", "/users/@me", headers={"User-Agent": agent})) == (403, 40333)
    assert rest.call("GET", "/no/such/thing") == (404, {"message": "404: Not Found", "code": 0})
    assert rest.call("DELETE", "/gateway")[0] == 405
    rest.base = rest.base._replace(path="/api")
    assert code(rest.call("GET", "/users/@me")) == (400, 50041)  # no version: v6, which is gone
    rest.base = rest.base._replace(path="/api/v9")
    assert rest.call("GET", "/users/@me")[0] == 200


def test_gateway_bot_and_application(own_sim):
    sim = own_sim(shards=7, max_concurrency=3, session_total=1234, session_remaining=55, granted_intents="unprivileged")
    rest = Rest(sim)
    answer = rest.call("GET", "/gateway/bot")[1]
    assert answer["shards"] == 7 and answer["url"] == sim.gateway
    limit = answer["session_start_limit"]
    assert (limit["total"], limit["remaining"], limit["max_concurrency"]) == (1234, 55, 3)
    assert 86390000 < limit["reset_after"] <= 86400000
    assert rest.call("GET", "/applications/@me")[1]["flags"] & (1 << 12 | 1 << 14 | 1 << 18) == 0
    sim.set(granted_intents="all")
    assert rest.call("GET", "/applications/@me")[1]["flags"] & 1 << 18
    sim.fault("gateway_bot", fields={"shards": 99, "session_start_limit": {"remaining": 1}}, times=1)
    answer = rest.call("GET", "/gateway/bot")[1]
    assert answer["shards"] == 99 and answer["session_start_limit"]["remaining"] == 1
    assert answer["session_start_limit"]["total"] == 1234


# --- bodies --------------------------------------------------------------------------------------------------------


def embeds(**more):
    return {"embeds": [{"title": "t", **more}]}


@pytest.mark.parametrize("body,expected,place", [
    ({}, 50006, None),
    ({"content": ""}, 50006, None),
    ({"content": "x" * 2001}, 50035, "content"),
    ({"content": "😀" * 1001}, 50035, "content"),
    ({"content": 7}, 50035, "content"),
    ({"content": "x", "nonce": "n" * 26}, 50035, "nonce"),
    ({"embeds": [{}] * 11}, 50035, "embeds"),
    (embeds(title="x" * 257), 50035, "embeds.0.title"),
    (embeds(description="x" * 4097), 50035, "embeds.0.description"),
    (embeds(fields=[{"name": "", "value": "v"}]), 50035, "embeds.0.fields.0.name"),
    (embeds(fields=[{"name": "n", "value": "v"}] * 26), 50035, "embeds.0.fields"),
    (embeds(footer={"text": "x" * 2049}), 50035, "embeds.0.footer.text"),
    (embeds(color=1 << 24), 50035, "embeds.0.color"),
    ({"embeds": [{"description": "x" * 3001}] * 2}, 50035, "embeds"),
    ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, 50035, "allowed_mentions.parse"),
    ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035, "allowed_mentions"),
    ({"content": "x", "components": [{"type": 1, "components": []}] * 6}, 50035, "components"),
    ({"content": "x", "flags": 1 << 15, "components": [{"type": 10, "content": "y"}]}, 50035, "flags"),
    ({"content": "x", "message_reference": {"message_id": "1"}}, 50035, "message_reference"),
])
def test_messages_that_are_refused(world, body, expected, place):
    _, rest, guild = world
    status, answer = rest.call("POST", f"/channels/{guild['channels'][0]['id']}/messages", body)
    assert (status, answer["code"]) == (400, expected)
    node = answer.get("errors", {})
    for key in (place or "").split("."):
        node = node.get(key, {})
    assert (place is None) == ("errors" not in answer) and ("_errors" in node) == (place is not None), answer


def test_form_of_requests(world):
    _, rest, guild = world
    path = f"/channels/{guild['channels'][0]['id']}/messages"
    text = json.dumps({"content": "x"})
    assert code(rest.call("POST", path, text, raw=True)) == (400, 50035)  # no Content-Type
    assert code(rest.call("POST", path, text, {"Content-Type": "text/plain"}, raw=True)) == (400, 50035)
    assert code(rest.call("POST", path, "{", {"Content-Type": "application/json"}, raw=True)) == (400, 50109)
    assert code(rest.call("POST", path)) == (400, 50109)
    for i, (reason, status) in enumerate([("spam%20%F0%9F%9A%AB", 204), ("%FF", 400), ("x" * 513, 400), ("%4", 400)]):
        user = guild["members"][1 + i]
        assert rest.call("PUT", f"/guilds/{guild['id']}/bans/{user}", {}, {"X-Audit-Log-Reason": reason})[0] == status
    entry = rest.call("GET", f"/guilds/{guild['id']}/audit-logs")[1]["audit_log_entries"][0]
    assert entry["reason"] == "spam 🚫" and entry["action_type"] == 22
    form = ('--b\r\nContent-Disposition: form-data; name="payload_json"\r\nContent-Type: application/json\r\n\r\n'
            '{"content":"with a file"}\r\n--b\r\nContent-Disposition: form-data; name="files[0]"; filename="a.txt"\r\n\r\n'
            'hello\r\n--b--\r\n')
    status, made = rest.call("POST", path, form, {"Content-Type": "multipart/form-data; boundary=b"}, raw=True)
    assert status == 200 and made["content"] == "with a file"


def test_chunked_bodies_and_pipelines(world):
    sim, rest, guild = world
    path = f"{rest.base.path}/channels/{guild['channels'][0]['id']}/messages"
    connection = http.client.HTTPConnection(rest.base.hostname, rest.base.port, timeout=10)
    connection.request("POST", path, body=iter([b'{"cont', b'ent":"in ', b'pieces"}']), encode_chunked=True, headers={
        "User-Agent": "DiscordBot (https://example.org, 1)", "Authorization": "Bot " + sim.token,
        "Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    assert json.loads(connection.getresponse().read())["content"] == "in pieces"
    head = f"GET /api/v10/gateway HTTP/1.1\r\nHost: x\r\nUser-Agent: DiscordBot (https://e.org, 1)\r\n\r\n"
    connection.sock.sendall((head * 5).encode())
    text = b""
    while text.count(b'{"url"') < 5:
        text += connection.sock.recv(65536)
    assert text.count(b"HTTP/1.1 200 OK") == 5


# --- messages ------------------------------------------------------------------------------------------------------


def test_life_of_a_message(world):
    sim, rest, guild = world
    g = Gateway(sim.gateway).start(sim.token)
    sim.set(rest_limits=False)
    channel = guild["channels"][0]["id"]
    path = f"/channels/{channel}/messages"
    made = rest.call("POST", path, {"content": "one", "flags": 4096})[1]
    assert made["flags"] == 4096 and made["author"]["bot"] and made["type"] == 0
    edited = rest.call("PATCH", f"{path}/{made['id']}", {"content": None, "embeds": [{"title": "t"}]})[1]
    assert edited["content"] == "" and edited["embeds"] and edited["edited_timestamp"]
    assert rest.call("GET", f"{path}/{made['id']}")[1]["embeds"] == [{"title": "t"}]
    assert rest.call("PUT", f"{path}/{made['id']}/reactions/%F0%9F%91%8B/@me")[0] == 204
    assert code(rest.call("PUT", f"{path}/{made['id']}/reactions/smile/@me")) == (400, 10014)
    assert rest.call("PUT", f"{path}/pins/{made['id']}")[0] == 204
    assert [one["message"]["id"] for one in rest.call("GET", f"{path}/pins")[1]["items"]] == [made["id"]]
    assert rest.call("POST", f"/channels/{channel}/typing")[0] == 204
    said = sim.say("by a member", channel_index=0)
    assert code(rest.call("PATCH", f"{path}/{said}", {"content": "mine"})) == (403, 50005)
    listed = rest.call("GET", path)[1]
    assert [one["id"] for one in listed] == [said, made["id"]]
    assert [one["id"] for one in rest.call("GET", path + f"?before={said}")[1]] == [made["id"]]
    assert [one["id"] for one in rest.call("GET", path + f"?after={made['id']}&limit=1")[1]] == [said]
    assert rest.call("DELETE", f"{path}/{made['id']}")[0] == 204
    assert code(rest.call("GET", f"{path}/{made['id']}")) == (404, 10008)
    others = [sim.say(str(i), channel_index=0) for i in range(3)]
    assert code(rest.call("POST", path + "/bulk-delete", {"messages": others[:1]})) == (400, 50016)
    assert code(rest.call("POST", path + "/bulk-delete", {"messages": [others[0], "175928847299117063"]})) == (400, 50034)
    assert rest.call("POST", path + "/bulk-delete", {"messages": others[:1] * 2})[0] == 400
    assert rest.call("POST", path + "/bulk-delete", {"messages": others})[0] == 204
    assert code(rest.call("GET", "/channels/12/messages")) == (404, 10003)
    names = [one["t"] for one in g.until("MESSAGE_DELETE_BULK")]
    assert names == ["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_REACTION_ADD", "CHANNEL_PINS_UPDATE", "MESSAGE_CREATE",
                     "MESSAGE_DELETE", "MESSAGE_CREATE", "MESSAGE_CREATE", "MESSAGE_CREATE", "MESSAGE_DELETE_BULK"]


def test_nonce(world):
    sim, rest, guild = world
    path = f"/channels/{guild['channels'][0]['id']}/messages"
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    first = rest.call("POST", path, body)[1]["id"]
    assert rest.call("POST", path, body)[1]["id"] == first
    assert rest.call("POST", path, {**body, "enforce_nonce": False})[1]["id"] != first
    assert rest.call("POST", path, {**body, "nonce": "job-2"})[1]["id"] != first
    assert sim.state()["counters"]["nonce_hits"] == 1


def test_replies_are_tied_to_their_cause(world):
    sim, rest, guild = world
    Gateway(sim.gateway).start(sim.token)
    path = f"/channels/{guild['channels'][0]['id']}/messages"
    asked = [sim.say("!ping", channel_index=0), sim.say("!ping", channel_index=0), sim.say("chat", channel_index=0)]
    for cause in (asked[0], asked[1], asked[1]):
        assert rest.call("POST", path, {"content": "pong", "message_reference": {"message_id": cause}})[0] == 200
    summary = sim.get("/ledger/summary")["messages"]
    assert (summary["made"], summary["sent"], summary["answered"], summary["doubled"]) == (3, 2, 2, 1)
    wrong = sim.get("/ledger", wrong="true")["entries"]
    assert [one["id"] for one in wrong] == [asked[1]] and wrong[0]["answers"] == 2
    sim.post("/ledger/reset")
    assert sim.get("/ledger/summary")["messages"]["made"] == 0


# --- interactions --------------------------------------------------------------------------------------------------


def callback(rest, use, body, query=""):
    return rest.call("POST", f"/interactions/{use['id']}/{use['token']}/callback{query}", body, auth=False)


def test_life_of_an_interaction(world):
    sim, rest, _ = world
    g = Gateway(sim.gateway).start(sim.token)
    use = sim.post("/interaction", guild_index=1, name="ping")
    seen = g.until("INTERACTION_CREATE")[-1]["d"]
    assert seen["token"] == use["token"] and seen["member"]["user"]["id"] and seen["type"] == 2
    status, answer = callback(rest, use, {"type": 4, "data": {"content": "pong", "flags": 64}}, "?with_response=true")
    assert status == 200 and answer["resource"]["message"]["content"] == "pong"
    assert answer["interaction"]["response_message_ephemeral"] is True
    assert code(callback(rest, use, {"type": 4, "data": {"content": "again"}})) == (400, 40060)
    hook = f"/webhooks/{sim.urls['application_id']}/{use['token']}"
    assert rest.call("GET", hook + "/messages/@original", auth=False)[1]["content"] == "pong"
    assert rest.call("PATCH", hook + "/messages/@original", {"content": "more"}, auth=False)[1]["content"] == "more"
    follow = rest.call("POST", hook, {"content": "and"}, auth=False)[1]
    assert rest.call("PATCH", f"{hook}/messages/{follow['id']}", {"content": "then"}, auth=False)[1]["content"] == "then"
    assert rest.call("DELETE", f"{hook}/messages/{follow['id']}", auth=False)[0] == 204
    assert rest.call("DELETE", hook + "/messages/@original", auth=False)[0] == 204
    assert code(rest.call("GET", hook + "/messages/@original", auth=False)) == (404, 10008)
    assert code(rest.call("GET", hook + "x/messages/@original", auth=False)) == (401, 50027)
    entry = sim.get("/ledger", kind="interaction")["entries"][0]
    assert [one["what"] for one in entry["answered"]] == [
        "callback_message", "callback_refused_double", "edit_original", "followup", "edit_followup", "delete_followup",
        "delete_original"][:6]
    assert entry["answers"] == 1 and entry["refused"] == 1


def test_three_seconds(world):
    sim, rest, _ = world
    Gateway(sim.gateway).start(sim.token)
    use = sim.post("/interaction", guild_index=1, name="ping")
    time.sleep(3.05)  # the sim's clock is the matter here
    assert code(callback(rest, use, {"type": 4, "data": {"content": "late"}})) == (404, 10062)
    summary = sim.get("/ledger/summary")["interactions"]
    assert (summary["late"], summary["expired"], summary["answered"]) == (1, 1, 0)


@pytest.mark.parametrize("kind,more,good,bad", [
    (2, {"name": "x"}, [{"type": 5}, {"type": 9, "data": {"custom_id": "m", "title": "t", "components": [{"type": 10}]}}],
     [{"type": 1}, {"type": 6}, {"type": 7}, {"type": 8, "data": {"choices": []}}, {"type": 4}, {"type": 4, "data": {}}]),
    (3, {"custom_id": "b"}, [{"type": 6}, {"type": 7, "data": {"content": "y"}}], [{"type": 8}, {"type": 0}]),
    (4, {"name": "x", "options": [{"name": "q", "type": 3, "value": "a", "focused": True}]},
     [{"type": 8, "data": {"choices": [{"name": "n", "value": "v"}]}}],
     [{"type": 5}, {"type": 8, "data": {"choices": [{"name": "n", "value": 1}] * 26}}]),
    (5, {"custom_id": "m"}, [{"type": 4, "data": {"content": "y"}}],
     [{"type": 9, "data": {"custom_id": "m", "title": "t", "components": [{}]}}, {"type": 7, "data": {}}]),
])
def test_which_answer_fits_which_interaction(world, kind, more, good, bad):
    sim, rest, _ = world
    Gateway(sim.gateway).start(sim.token)
    for body in good:
        use = sim.post("/interaction", guild_index=0, type=kind, **more)
        for wrong in bad[:2]:
            assert callback(rest, use, wrong)[0] == 400, wrong
        assert callback(rest, use, body)[0] == 204, body
    for body in bad:
        assert callback(rest, sim.post("/interaction", guild_index=0, type=kind, **more), body)[0] == 400, body


def test_interactions_in_private(world):
    sim, rest, _ = world
    g = Gateway(sim.gateway).start(sim.token)
    sim.post("/interaction", dm=True, name="ping", user={"id": "77", "username": "eve"})
    seen = g.until("INTERACTION_CREATE")[-1]["d"]
    assert "member" not in seen and seen["user"]["id"] == "77" and "guild_id" not in seen and seen["context"] == 1
    assert callback(rest, seen, {"type": 4, "data": {"content": "hi"}})[0] == 204
    echo = g.until("MESSAGE_CREATE")[-1]["d"]
    assert echo["interaction_metadata"]["user"]["username"] == "eve"


def test_webhooks(world):
    sim, rest, guild = world
    channel = guild["channels"][0]["id"]
    assert rest.call("POST", f"/channels/{channel}/webhooks", {"name": "my discord"})[0] == 400
    hook = rest.call("POST", f"/channels/{channel}/webhooks", {"name": "relay"})[1]
    path = f"/webhooks/{hook['id']}/{hook['token']}"
    assert rest.call("POST", path, {"content": "x"}, auth=False) == (204, None)
    made = rest.call("POST", path + "?wait=true", {"content": "x"}, auth=False)[1]
    assert made["webhook_id"] == hook["id"] and made["author"]["username"] == "relay"
    assert rest.call("DELETE", path, auth=False)[0] == 204
    assert code(rest.call("POST", path, {"content": "x"}, auth=False)) == (404, 10015)


# --- commands, guilds ----------------------------------------------------------------------------------------------


def test_commands(world):
    sim, rest, guild = world
    app = f"/applications/{sim.urls['application_id']}"
    two = [{"name": "ping", "description": "d"}, {"name": "Shout", "type": 2}]
    first = rest.call("PUT", app + "/commands", two)[1]
    again = rest.call("PUT", app + "/commands", two + [{"name": "help", "description": "h"}])[1]
    assert [one["id"] for one in first] == [one["id"] for one in again[:2]] and first[1]["description"] == ""
    assert rest.call("GET", app + "/commands")[1] == again
    assert sim.state()["commands"]["creates"] == 3
    local = rest.call("POST", f"{app}/guilds/{guild['id']}/commands", {"name": "ping", "description": "d"})
    assert local[0] == 201 and local[1]["guild_id"] == guild["id"]
    assert rest.call("POST", f"{app}/guilds/{guild['id']}/commands", {"name": "ping", "description": "e"})[0] == 200
    g = Gateway(sim.gateway).start(sim.token)
    sim.use("ping", guild=0)
    assert g.until("INTERACTION_CREATE")[-1]["d"]["data"]["id"] == local[1]["id"]
    sim.use("help", guild=0)
    assert g.until("INTERACTION_CREATE")[-1]["d"]["data"]["id"] == again[2]["id"]
    for bad in ([{"name": "Ping", "description": "d"}], [{"name": "a b", "description": "d"}], [{"name": "x"}],
                [{"name": "x", "description": "d" * 101}], {"name": "x"}, two[:1] * 2,
                [{"name": "x", "description": "d", "options": [
                    {"name": "o", "type": 3, "description": "d"},
                    {"name": "r", "type": 3, "description": "d", "required": True}]}],
                [{"name": f"n{i}", "description": "d"} for i in range(101)]):
        assert rest.call("PUT", app + "/commands", bad)[0] == 400, bad
    assert code(rest.call("GET", "/applications/12/commands")) == (403, 50001)
    assert rest.call("DELETE", f"{app}/commands/{again[0]['id']}")[0] == 204
    assert code(rest.call("GET", f"{app}/commands/{again[0]['id']}")) == (404, 10063)
    for part in range(3):
        status = rest.call("PUT", app + "/commands", [{"name": f"p{part}-{i}", "description": "d"} for i in range(90)])
    assert code(status) == (400, 30034)


def test_members_roles_bans(world):
    sim, rest, guild = world
    sim.set(rest_limits=False)
    g = Gateway(sim.gateway).start(sim.token)
    path, user = f"/guilds/{guild['id']}", guild["members"][5]
    assert len(rest.call("GET", path + "/members?limit=50")[1]) == 50
    assert rest.call("GET", path + f"/members/{user}")[1]["user"]["id"] == user
    soon = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 600))
    far = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 29 * 86400))
    assert rest.call("PATCH", path + f"/members/{user}", {"communication_disabled_until": far})[0] == 400
    assert code(rest.call("PATCH", path + f"/members/{guild['members'][0]}",
                          {"communication_disabled_until": soon})) == (403, 50013)
    changed = rest.call("PATCH", path + f"/members/{user}", {"communication_disabled_until": soon, "nick": "n"})[1]
    assert changed["nick"] == "n" and changed["communication_disabled_until"] == soon
    role = rest.call("POST", path + "/roles", {"name": "made", "permissions": "1024"})[1]
    assert rest.call("PUT", path + f"/members/{user}/roles/{role['id']}")[0] == 204
    assert role["id"] in rest.call("GET", path + f"/members/{user}")[1]["roles"]
    assert role["id"] in [one["id"] for one in rest.call("GET", path + "/roles")[1]]
    assert rest.call("DELETE", path + f"/roles/{role['id']}")[0] == 204
    assert code(rest.call("GET", path + f"/roles/{role['id']}")) == (404, 10011)
    assert rest.call("PUT", path + f"/bans/{user}", {"delete_message_seconds": 604801})[0] == 400
    assert rest.call("PUT", path + f"/bans/{user}", {"delete_message_seconds": 60}, {"X-Audit-Log-Reason": "r"})[0] == 204
    assert rest.call("GET", path + f"/bans/{user}")[1]["reason"] == "r"
    assert code(rest.call("GET", path + f"/members/{user}")) == (404, 10007)
    assert rest.call("DELETE", path + f"/bans/{user}")[0] == 204
    assert code(rest.call("GET", path + f"/bans/{user}")) == (404, 10026)
    assert rest.call("DELETE", path + f"/members/{guild['members'][6]}")[0] == 204
    both = rest.call("POST", path + "/bulk-ban", {"user_ids": [guild["members"][0], guild["members"][7]]})[1]
    assert both == {"banned_users": [guild["members"][7]], "failed_users": [guild["members"][0]]}
    assert rest.call("POST", path + "/bulk-ban", {"user_ids": [guild["members"][0]]})[1]["code"] == 500000
    names = []
    while names.count("GUILD_BAN_ADD") < 2:
        names.append(g.payload()["t"])
    assert {"GUILD_MEMBER_UPDATE", "GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_REMOVE", "GUILD_BAN_REMOVE",
            "GUILD_AUDIT_LOG_ENTRY_CREATE"} <= set(names)
    assert code(rest.call("GET", "/guilds/123")) == (404, 10004)
    assert rest.call("GET", f"/channels/{guild['channels'][2]['id']}")[1]["guild_id"] == guild["id"]
    assert len(rest.call("GET", path + "/channels")[1]) == 20 and rest.call("GET", path)[1]["owner_id"]


def test_direct_messages(world):
    sim, rest, guild = world
    g = Gateway(sim.gateway).start(sim.token)
    channel = rest.call("POST", "/users/@me/channels", {"recipient_id": guild["members"][3]})[1]
    assert channel["type"] == 1
    assert rest.call("POST", "/users/@me/channels", {"recipient_id": guild["members"][3]})[1]["id"] == channel["id"]
    assert rest.call("POST", f"/channels/{channel['id']}/messages", {"content": "hi"})[0] == 200
    assert "guild_id" not in g.until("MESSAGE_CREATE")[-1]["d"]


# --- limits --------------------------------------------------------------------------------------------------------


def test_buckets(world):
    _, rest, guild = world
    channels = [one["id"] for one in guild["channels"] if one["type"] == 0]
    left, hashes = [], set()
    for _ in range(6):
        status, answer = rest.call("POST", f"/channels/{channels[0]}/messages", {"content": "x"})
        left.append(int(rest.headers["x-ratelimit-remaining"]))
        hashes.add(rest.headers["x-ratelimit-bucket"])
    assert left == [4, 3, 2, 1, 0, 0] and len(hashes) == 1 and status == 429
    assert rest.headers["x-ratelimit-scope"] == "user" and int(rest.headers["retry-after"]) >= answer["retry_after"] > 4
    assert answer["global"] is False and rest.headers["x-ratelimit-limit"] == "5"
    assert float(rest.headers["x-ratelimit-reset"]) == pytest.approx(time.time() + answer["retry_after"], abs=1)
    assert rest.call("POST", f"/channels/{channels[1]}/messages", {"content": "x"})[0] == 200
    assert rest.headers["x-ratelimit-bucket"] in hashes  # one hash, another major parameter
    assert rest.call("GET", f"/channels/{channels[0]}")[0] == 200
    assert rest.headers["x-ratelimit-bucket"] not in hashes


def test_global_limit(world):
    sim, rest, guild = world
    # a second's window may turn in between: 110 requests meet the limit once at least, when they come fast
    answers = [rest.call("GET", f"/guilds/{sim.get('/guild', index=i % 4)['id']}/{what}")[0]
               for i, what in enumerate(["roles", "channels", "bans", "audit-logs", "webhooks"] * 22)]
    assert 429 in answers and sim.get("/ledger/summary")["rest"]["limits"]["limited_global"] >= 1
    while rest.call("GET", "/users/@me")[0] != 429:
        pass
    assert rest.headers["x-ratelimit-global"] == "true" and rest.headers["x-ratelimit-scope"] == "global"
    assert "x-ratelimit-bucket" not in rest.headers
    use = sim.post("/interaction", guild_index=0, name="ping")  # not counted, never refused by it
    assert callback(rest, use, {"type": 5})[0] == 204


def test_ten_thousand_invalid_requests(world):
    sim, rest, _ = world
    line = (f"GET {rest.base.path}/users/@me HTTP/1.1\r\nHost: x\r\nAuthorization: Bot no\r\n"
            "User-Agent: DiscordBot (https://e.org, 1)\r\n\r\n").encode()
    connection = http.client.HTTPConnection(rest.base.hostname, rest.base.port, timeout=10)
    connection.connect()
    for _ in range(100):
        connection.sock.sendall(line * 100)
        seen = b""
        while seen.count(b"HTTP/1.1 ") < 100 or not seen.endswith(b"}"):
            seen += connection.sock.recv(1 << 20)
    assert rest.call("GET", "/users/@me")[0] == 429
    assert rest.headers["content-type"].startswith("text/html") and b"<html" in rest.text
    limits = sim.get("/ledger/summary")["rest"]["limits"]
    assert limits["blocked"] and limits["block_count"] == 1


# --- REST that goes wrong ------------------------------------------------------------------------------------------


def test_faults_of_rest(world):
    sim, rest, guild = world
    path = f"/channels/{guild['channels'][0]['id']}"
    sim.fault("html", times=1, status=503)
    assert rest.call("GET", path)[0] == 503 and b"<html" in rest.text
    sim.fault("http_5xx", times=1, status=502, route="get_channel")
    assert rest.call("GET", "/users/@me")[0] == 200
    assert rest.call("GET", path) == (502, {"message": "502: Bad Gateway", "code": 0})
    for scope in ("user", "shared", "global"):
        sim.fault("rate_limit_429", scope=scope, retry_after=1.5, times=1)
        status, answer = rest.call("GET", path)
        assert status == 429 and answer["retry_after"] == 1.5 and rest.headers["x-ratelimit-scope"] == scope
        assert rest.headers["retry-after"] == "2" and answer["global"] is (scope == "global")
    assert sim.get("/ledger/summary")["rest"]["limits"]["invalid_in_window"] == 2  # a shared one does not count
    sim.fault("rate_limit_429", scope="cloudflare", times=1)
    assert rest.call("GET", path)[0] == 429 and "x-ratelimit-scope" not in rest.headers
    sim.fault("no_headers", times=1)
    assert rest.call("GET", path)[0] == 200 and "x-ratelimit-limit" not in rest.headers
    sim.fault("bad_json", times=1)
    assert rest.call("GET", path) == (200, None)
    sim.fault("latency", ms=300, times=1, route="GET /channels")
    start = time.monotonic()
    assert rest.call("GET", path)[0] == 200 and time.monotonic() - start >= 0.29
    sim.fault("unauthorized", times=1)
    assert rest.call("GET", path)[0] == 401
    sim.fault("close_mid_body", times=1)
    with pytest.raises(http.client.IncompleteRead):
        rest.call("GET", path)
    rest = Rest(sim)
    sim.fault("reset_request", times=1)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        rest.call("GET", path)
    assert sim.get("/faults") == []


def test_done_but_the_answer_is_lost(world):
    sim, rest, guild = world
    path = f"/channels/{guild['channels'][0]['id']}/messages"
    body = {"content": "x", "nonce": "j", "enforce_nonce": True}
    sim.fault("http_5xx_after", times=1)
    assert rest.call("POST", path, body)[0] == 500
    sim.fault("reset_after", times=1)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        rest.call("POST", path, {**body, "nonce": "k"})
    rest = Rest(sim)
    assert len(rest.call("GET", path)[1]) == 2
    assert rest.call("POST", path, body)[0] == 200
    assert len(rest.call("GET", path)[1]) == 2


def test_hang(world):
    sim, rest, _ = world
    sim.fault("hang", times=1)
    rest.connection.timeout = 0.3
    with pytest.raises(TimeoutError):
        rest.call("GET", "/users/@me")
    assert Rest(sim).call("GET", "/users/@me")[0] == 200


def test_record(world):
    sim, rest, guild = world
    rest.call("POST", f"/channels/{guild['channels'][0]['id']}/messages?x=1", {"content": "שלום \" \\ \n"})
    rest.call("PUT", f"/guilds/{guild['id']}/bans/1", b"\xff\xfe", {"Content-Type": "application/json"}, raw=True)
    first, second = openapi.read_record(sim.options["record"])
    assert first["method"] == "POST" and first["path"].endswith("/messages?x=1") and first["status"] == 200
    assert json.loads(first["body"])["content"] == "שלום \" \\ \n" and first["operation"] == "create_message"
    assert openapi.headers_of(first)["authorization"] == "Bot" and sim.token not in json.dumps(first)
    assert second["body"] is None and second["body_base64"] == "//4="


def test_control_api(world):
    sim, _, _ = world
    help_page = sim.get("/help")
    verbs = {one[0] for one in help_page["verbs"]}
    assert {"GET /state", "POST /message", "POST /fault", "GET /ledger/wait"} <= verbs
    assert "half_open" in help_page["fault_kinds"] and "ready" in help_page["wait_names"]
    for path, body in (("/fault", {"kind": "nonsense"}), ("/set", {"no_such": 1}), ("/set", {"token": "x"}),
                       ("/message", {}), ("/message", {"content": "x", "guild_index": 0, "channel_id": "3"}),
                       ("/interaction", {"type": 9}), ("/event", {"t": "X"}), ("/raw", {}), ("/flood", {"shard": 0}),
                       ("/flood", {"shard": 0, "file": "/nonexistent"}), ("/set", {"zlib-level": 77})):
        with pytest.raises(Exception, match="400"):
            sim.ask("POST", path, body)
    with pytest.raises(Exception, match="404"):
        sim.get("/nothing")
    with pytest.raises(Exception, match="405"):
        sim.post("/state")
    with pytest.raises(Exception, match="408"):
        sim.ask("GET", "/wait", sessions=1, timeout_ms=50)
    with pytest.raises(Exception, match="400"):
        sim.ask("GET", "/wait")
