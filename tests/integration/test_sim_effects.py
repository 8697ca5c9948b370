"""discord-sim's rows of requests and losses: what the chaos campaign judges by."""

import pytest

from harness.gateway_client import Gateway, Rest
from harness.own_sim import own_sim  # noqa: F401  (a fixture)


@pytest.fixture
def world(own_sim):  # noqa: F811
    sim = own_sim(shards=1, guilds=4, channels=20, roles=4, identify_window_ms=0)
    guild = sim.get("/guild", index=0)
    return sim, Rest(sim), guild, f"/channels/{guild['channels'][0]['id']}", f"/guilds/{guild['id']}"


def rows(sim, cause):
    return [(one["operation"], one["step"], one["fate"], one["status"]) for one in sim.get("/trace", id=cause)["requests"]]


def test_a_nonce_hides_nothing(world):
    sim, rest, _, channel, _ = world
    body = {"content": "cause-77.3", "nonce": "n", "enforce_nonce": True}
    first = rest.call("POST", f"{channel}/messages", body)[1]["id"]
    assert rest.call("POST", f"{channel}/messages", body)[1]["id"] == first
    assert rows(sim, 77) == [("create_message", "3", "done", 200), ("create_message", "3", "deduped", 200)]
    found = sim.get("/trace", id=77)["requests"]
    assert [one["made_id"] for one in found] == [first, first]
    assert 0 < found[0]["arrived_us"] <= found[0]["ended_us"] <= found[1]["arrived_us"]


def test_whose_a_request_is(world):
    sim, rest, guild, channel, base = world
    said = sim.say("hello")
    used = sim.post("/interaction", name="ping", guild_index=0)
    rest.call("PUT", f"{channel}/messages/{said}/reactions/%F0%9F%91%8D/@me")
    rest.call("POST", f"{channel}/messages", {"content": "x", "message_reference": {"message_id": said}})
    assert rows(sim, said) == [("add_my_message_reaction", "", "done", 204), ("create_message", "", "done", 200)]
    rest.call("POST", f"/interactions/{used['id']}/{used['token']}/callback", {"type": 5}, auth=False)
    hook = f"/webhooks/{sim.bot_id}/{used['token']}"
    rest.call("POST", hook, {"content": "y"}, auth=False)
    assert rows(sim, used["id"]) == [("create_interaction_response", "", "done", 204), ("execute_webhook", "", "done", 200)]
    assert all(used["token"][:40] not in one["about"] for one in sim.get("/trace", id=used["id"])["requests"])
    member = guild["members"][5]
    for _ in range(2):
        rest.call("PUT", f"{base}/members/{member}/roles/{guild['roles'][3]}",
                  headers={"X-Audit-Log-Reason": "cause-9.1"})
    assert rows(sim, 9) == [("add_guild_member_role", "1", "done", 204), ("add_guild_member_role", "1", "same", 204)]


def test_faults_stand_in_the_rows(world):
    sim, rest, _, channel, _ = world
    sim.fault("http_5xx", route="create_message")
    assert rest.call("POST", f"{channel}/messages", {"content": "cause-5.1"})[0] == 500
    sim.fault("http_5xx_after", route="create_message")
    assert rest.call("POST", f"{channel}/messages", {"content": "cause-5.2"})[0] == 500
    rest.call("POST", f"{channel}/messages", {"content": ""})
    found = sim.get("/effects", limit=10)["rows"]
    assert [(one["fate"], one["fault"], one["code"]) for one in found] == \
        [("none", "http_5xx", 0), ("done", "http_5xx_after", 0), ("none", None, 50006)]


def test_kicks_bans_and_time_outs(world):
    sim, rest, guild, _, base = world
    why = {"X-Audit-Log-Reason": "cause-8.1"}
    kicked, banned, muted = guild["members"][3:6]
    assert rest.call("DELETE", f"{base}/members/{kicked}", headers=why)[0] == 204
    assert rest.call("DELETE", f"{base}/members/{kicked}", headers=why)[0] == 404
    for _ in range(2):
        assert rest.call("POST", f"{base}/bulk-ban", {"user_ids": [banned]}, headers=why)[0] == 200
    until = {"communication_disabled_until": sim.get("/state")["now_ms"] and "2000-01-01T00:00:00.000000+00:00"}
    for _ in range(2):
        assert rest.call("PATCH", f"{base}/members/{muted}", until, headers=why)[0] == 200
    assert [(one[0], one[2]) for one in rows(sim, 8)] == [
        ("delete_guild_member", "done"), ("delete_guild_member", "none"),
        ("bulk_ban_users_from_guild", "done"), ("bulk_ban_users_from_guild", "same"),
        ("update_guild_member", "done"), ("update_guild_member", "same")]


def test_threads_and_publishing(world):
    sim, rest, guild, channel, _ = world
    said = sim.say("hello")
    status, thread = rest.call("POST", f"{channel}/messages/{said}/threads", {"name": "cause-3.1"})
    assert (status, thread["id"], thread["type"]) == (201, said, 11)
    assert rest.call("POST", f"{channel}/messages/{said}/threads", {"name": "again"})[1]["code"] == 160004
    assert rest.call("GET", f"/channels/{said}")[1]["parent_id"] == guild["channels"][0]["id"]
    assert rest.call("POST", f"/channels/{said}/messages", {"content": "within"})[0] == 200
    assert rest.call("POST", f"{channel}/threads", {"name": "on no message"})[1]["type"] == 12
    assert rest.call("POST", f"{channel}/threads", {"name": ""})[1]["code"] == 50035
    assert rest.call("POST", f"{channel}/messages/{said}/crosspost")[1]["code"] == 50024
    news = next(one["id"] for one in guild["channels"] if one["type"] == 5)
    said = sim.say("news", channel_id=news)
    assert rest.call("POST", f"/channels/{news}/messages/{said}/crosspost")[1]["flags"] & 1
    assert rest.call("GET", f"/channels/{news}/messages/{said}")[1]["flags"] & 1
    assert rest.call("POST", f"/channels/{news}/messages/{said}/crosspost")[1]["code"] == 40033


def test_a_member_who_joins(world):
    sim, rest, _, _, base = world
    g = Gateway(sim.gateway).start(sim.token)
    sim.post("/guild", guild_index=0, action="member_add", user_id="1500000000000000001", cause="1500000000000000001",
             fields={"nick": "newcomer"})
    joined = g.until("GUILD_MEMBER_ADD")[-1]
    assert joined["d"]["nick"] == "newcomer" and joined["d"]["user"]["id"] == "1500000000000000001"
    assert rest.call("GET", f"{base}/members/1500000000000000001")[1]["roles"] == []
    entry = sim.get("/trace", id="1500000000000000001")["entry"]
    assert entry["kind"] == "event" and entry["deliveries"][0]["seq"] == joined["s"]
    assert entry["writes"] == 1 and entry["first_written_us"] == entry["last_written_us"] > 0


def test_what_a_resume_does_not_bring(own_sim):  # noqa: F811
    sim = own_sim(shards=1, guilds=2, identify_window_ms=0, resume_keep="unwritten")
    g = Gateway(sim.gateway).start(sim.token)
    before = g.seq
    said = sim.say("written, not read")
    g.until("MESSAGE_CREATE")
    sim.fault("drop")
    sim.wait(disconnected=1)
    Gateway(g.resume_url).resume(sim.token, g.session_id, before).until("RESUMED")
    lost = sim.get("/losses", kind="skipped")["losses"]
    assert [(one["session"], one["from"], one["to"], one["dispatches"]) for one in lost] == \
        [(g.session_id, before + 1, before + 1, 1)]
    assert sim.get("/trace", id=said)["entry"]["deliveries"][0]["seq"] == before + 1
    sim.fault("refuse_resume")
    sim.fault("drop")
    sim.wait(disconnected=1)
    Gateway(g.resume_url).resume(sim.token, g.session_id, before + 2).until(9)
    assert [one["from"] for one in sim.get("/losses", kind="refused")["losses"]] == [before + 3]
