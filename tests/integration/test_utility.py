"""The utility module: who, what and where somebody or something is, as a slash command and as a message; polls."""

import json
import re
import urllib.error
import urllib.request

import pytest

from harness.sim import text_of

USER, BOOL, CHANNEL, ROLE, TEXT = 6, 5, 7, 8, 3
MANAGER = {"permissions": str((1 << 3) | (1 << 5))}


def sub(name, **options):
    kinds = {"user": USER, "role": ROLE, "channel": CHANNEL, "server": BOOL, "several": BOOL, "anonymous": BOOL}
    return [{"name": name, "type": 1, "options": given(**options)}]


def given(**options):
    kinds = {"user": USER, "role": ROLE, "channel": CHANNEL, "server": BOOL, "several": BOOL, "anonymous": BOOL}
    return [{"name": key, "type": kinds.get(key, TEXT), "value": value} for key, value in options.items()]


def ids(sim, guild=0):
    found = sim.get("/guild", index=guild)
    return {**found, "channels": [one["id"] for one in found["channels"]]}


def of_discord(sim, path):
    """What REST says, as Discord would put it into an interaction; None when there is no such thing."""
    request = urllib.request.Request(sim.api + path, headers={
        "Authorization": f"Bot {sim.token}", "User-Agent": "DiscordBot (https://shoal.example, 1)"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        assert e.code == 404, e
        return None


def resolved(sim, guild=0, user=None, role=None, channel=None):
    """What Discord sends along for those ids."""
    found, here = {}, ids(sim, guild)["id"]
    if user:
        found["users"] = {user: of_discord(sim, f"/users/{user}")}
        member = of_discord(sim, f"/guilds/{here}/members/{user}")
        if member:
            found["users"] = {user: member.pop("user")}
            found["members"] = {user: {key: member[key] for key in member if key not in ("deaf", "mute")}}
    if role:
        found["roles"] = {role: next(one for one in of_discord(sim, f"/guilds/{here}/roles") if one["id"] == role)}
    if channel:
        one = of_discord(sim, f"/channels/{channel}")
        found["channels"] = {channel: {**{key: one.get(key) for key in ("id", "name", "type", "parent_id")},
                                       "permissions": str(1 << 10)}}
    return found


def use(sim, name, options, **named):
    """A command whose options name somebody or something: Discord resolves it."""
    return sim.use(name, options, resolved=resolved(sim, **named))


def embed_of(sim, cause):
    return sim.answer(cause)["embeds"][0]


def lines(embed):
    return {one["name"]: one["value"] for one in embed.get("fields") or []}


# --- members ---------------------------------------------------------------------------------------------------------

def test_user_info_of_oneself_and_others(sim, fleet):
    one = ids(sim)["members"][1]
    for cause in (use(sim, "user", sub("info", user=one), user=one), sim.say(f"!user info <@{one}>"), sim.say(f"!user info {one}")):
        embed = embed_of(sim, cause)
        assert f"<@{one}>" in embed["description"]
        created = ((int(one) >> 22) + 1420070400000) // 1000
        assert f"<t:{created}:R>" in lines(embed)["Created"], embed
        assert re.search(r"<t:\d+:R>", lines(embed)["Joined this server"])
        assert embed["thumbnail"]["url"].startswith("https://cdn.discordapp.com/")
    own = embed_of(sim, sim.use("user", sub("info")))
    assert "ID" in lines(own)
    german = embed_of(sim, sim.use("user", sub("info", user=one), resolved=resolved(sim, user=one), extra={"locale": "de"}))
    assert "Benutzername" in lines(german) and "Erstellt" in lines(german)


def test_user_info_of_those_who_are_no_members(sim, fleet):
    elsewhere = ids(sim, 1)["members"][0]
    embed = embed_of(sim, use(sim, "user", sub("info", user=elsewhere), user=elsewhere))
    assert "Not a member" in embed["footer"]["text"], embed
    assert "Joined this server" not in lines(embed)
    for cause in (sim.use("user", sub("info", user="99999999999999999")), sim.say("!user info 99999999999999999")):
        told = text_of(sim.answer(cause))
        assert re.search("no such user|can't find what you gave", told), told


def test_user_info_from_the_context_menu(sim, fleet):
    one = ids(sim)["members"][2]
    cause = sim.use("User info", data={"type": 2, "target_id": one, "resolved": resolved(sim, user=one)})
    answer = sim.answer(cause)
    assert f"<@{one}>" in answer["embeds"][0]["description"] and answer["flags"] & 64
    answer = sim.answer(sim.use("Avatar", data={"type": 2, "target_id": one, "resolved": resolved(sim, user=one)}))
    assert answer["embeds"][0]["image"]["url"].startswith("https://cdn.discordapp.com/")


def test_avatar(sim, fleet):
    one = ids(sim)["members"][1]
    for cause in (use(sim, "avatar", given(user=one), user=one), sim.say(f"!avatar <@{one}>"), sim.use("avatar", guild=None, dm=True)):
        assert embed_of(sim, cause)["image"]["url"].startswith("https://cdn.discordapp.com/")


def test_names_are_made_harmless(sim, fleet):
    one = ids(sim)["members"][3]
    name = "**@everyone** <@&1> `x` \u202eabc"
    sim.post("/guild", guild_index=0, action="member_update", user_id=one, fields={"nick": name})
    answer = sim.answer(use(sim, "user", sub("info", user=one), user=one))
    assert "**" not in answer["embeds"][0]["title"] and "\u202e" not in json.dumps(answer, ensure_ascii=False)
    for body in (json.loads(r["body"]) for r in sim.requests("POST", "/callback")):
        assert body["data"]["allowed_mentions"]["parse"] == []


# --- servers, roles, channels ----------------------------------------------------------------------------------------

def test_server_info(sim, fleet):
    for cause in (sim.use("server", sub("info")), sim.say("!server info")):
        embed = embed_of(sim, cause)
        assert lines(embed)["ID"].strip("`") == ids(sim)["id"]
        assert re.search(r"about \d+ online", lines(embed)["Members"]), embed
        assert "text" in lines(embed)["Channels"]
        assert re.match(r"<@\d+>", lines(embed)["Owner"])
    # Without Discord's answer what the cache knows is told, and that it is not all.
    sim.fault("http_5xx", route="get_guild", times=-1, status=503)
    embed = embed_of(sim, sim.use("server", sub("info")))
    assert "did not answer" in embed["footer"]["text"] and "Channels" in lines(embed) and "Boosts" not in lines(embed)
    sim.clear_faults()
    assert "servers" in text_of(sim.answer(sim.use("server", sub("info"), guild=None, dm=True)))


def test_role_info(sim, fleet):
    role = ids(sim)["roles"][1]
    for cause in (use(sim, "role", sub("info", role=role), role=role), sim.say(f"!role info <@&{role}>")):
        embed = embed_of(sim, cause)
        assert lines(embed)["ID"] == f"`{role}`" and lines(embed)["Position"].endswith("of %d" % len(ids(sim)["roles"]))
        assert lines(embed)["Members"].isdigit() and lines(embed)["Permissions"]
    everyone = embed_of(sim, use(sim, "role", sub("info", role=ids(sim)["id"]), role=ids(sim)["id"]))
    assert lines(everyone)["Members"].isdigit()
    for missing in ("123456789012345678", ids(sim, 1)["roles"][1]):
        gone = {"roles": {missing: {"id": missing, "name": "gone", "color": 0, "hoist": False, "position": 1,
                                    "permissions": "0", "managed": False, "mentionable": False, "flags": 0}}}
        for more in ({}, {"resolved": gone}):
            told = text_of(sim.answer(sim.use("role", sub("info", role=missing), **more)))
            assert re.search("no such role|can't find what you gave", told), told
        assert "no such role" in told
        assert re.search("no such role|can't find", text_of(sim.answer(sim.say(f"!role info {missing}"))))
    # Discord does not say how many have it: then that line is missing.
    sim.fault("http_5xx", route="guild_role_member_counts", times=-1, status=503)
    assert "Members" not in lines(embed_of(sim, use(sim, "role", sub("info", role=role), role=role)))
    sim.clear_faults()


def test_channel_info(sim, fleet):
    channel = ids(sim)["channels"][1]
    for cause in (use(sim, "channel", sub("info", channel=channel), channel=channel), sim.say(f"!channel info <#{channel}>")):
        embed = embed_of(sim, cause)
        assert lines(embed)["ID"] == f"`{channel}`" and "Type" in lines(embed)
    assert "ID" in lines(embed_of(sim, sim.use("channel", sub("info"))))


def test_channels_that_are_none_of_the_askers_business(sim, fleet):
    hidden = ids(sim)["channels"][1]
    here = ids(sim)["id"]
    for other in ("123456789012345678", ids(sim, 1)["channels"][1]):
        for cause in (sim.use("channel", sub("info", channel=other)), sim.say(f"!channel info {other}")):
            told = text_of(sim.answer(cause))
            assert re.search("no such channel|can't find what you gave", told), told
        gone = {"channels": {other: {"id": other, "name": "gone", "type": 0, "parent_id": None, "permissions": "1024"}}}
        assert "no such channel" in text_of(sim.answer(sim.use("channel", sub("info", channel=other), resolved=gone)))
    # One of this server that the asker can't see: by its id, from a message.
    world = next(one for one in json.loads(json.dumps(ids(sim)["channels"])) if one == hidden)
    sim.post("/event", t="CHANNEL_UPDATE", guild_index=0, d={
        "id": world, "guild_id": here, "type": 0, "name": "secret", "position": 1,
        "permission_overwrites": [{"id": here, "type": 0, "allow": "0", "deny": str(1 << 10)}]})
    told = text_of(sim.answer(sim.say(f"!channel info {hidden}", user_index=2)))
    assert "no such channel" in told and "secret" not in told


# --- the bot ---------------------------------------------------------------------------------------------------------

def test_about_and_status(sim, fleet):
    for cause in (sim.use("about"), sim.say("!about")):
        embed = embed_of(sim, cause)
        assert "shoal" in embed["description"] and "shoal" in lines(embed)["Version"]
        assert lines(embed)["Servers"] == "16"
    for cause in (sim.use("status"), sim.say("!status")):
        embed = embed_of(sim, cause)
        assert embed["description"] == "Everything works.", embed
        assert re.match(r"4 of 4 ready; you are on [0-3]", lines(embed)["Shards"])
        assert lines(embed)["Storage"] == "there"


def test_status_says_what_is_not_well(make_sim, make_fleet):
    sim = make_sim()
    fleet = make_fleet(sim)
    fleet.ready(shards=4)
    assert lines(embed_of(sim, sim.use("status")))["Storage"].startswith("none")
    fleet.kill_supervisor()
    fleet.wait_record("worker.orphaned", count=4)
    embed = embed_of(sim, sim.use("status"))
    assert "can't ask how my other parts are" in embed["description"], embed
    assert "you are on" in lines(embed)["Shards"]
    assert "shoal" in embed_of(sim, sim.use("about"))["description"]
