"""Workers and the supervisor are killed while modules work: who joins is welcomed once and has the role, what was scheduled
rings once, whoever died before, in or after it. What is there is counted in the channels of the sim."""

import collections
import json
import os
import random
import re
import time

import procs
from harness import fleet as fleets
from harness.gateway_client import Rest
from harness.sim import text_of
from test_modules import HEAD, build

SEED = int(os.environ.get("CHAOS_SEED") or "0") or random.randrange(1 << 30)
KILLS = int(os.environ.get("CHAOS_KILLS", "14"))
GUILDS, JOINS, BELLS = 8, 6, 8
MANAGER = {"permissions": str(1 << 3 | 1 << 5)}

# "bell 2500" schedules a job that says "rang ID" that many milliseconds after the message ID was sent, and takes a while.
BELL = HEAD + r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void ring_later(struct shoal_scope *scope, const struct shoal_event *event)
{
	const struct shoal_message *message = event->message;
	char payload[64];
	struct shoal_schedule request = { .job = "ring", .guild_id = message->guild_id, .tag = message->id };
	if (!shoal_str_starts(message->content, SHOAL_STR("bell ")))
		return;
	request.payload_len = (size_t)snprintf(payload, sizeof(payload), "%llu %llu", (unsigned long long)message->channel_id,
					       (unsigned long long)message->id);
	request.payload = payload;
	request.at_ms = (int64_t)shoal_snowflake_ms(message->id) + strtoll(message->content.ptr + 5, NULL, 10);
	shoal_schedule(scope, &request, NULL, NULL);
}
static void ring(struct shoal_scope *scope, const struct shoal_job_run *run)
{
	char *end, text[96];
	unsigned long long channel_id = strtoull(run->payload, &end, 10), cause = strtoull(end, NULL, 10);
	struct shoal_message_send request = { .channel_id = channel_id, .content = { .text = text } };
	snprintf(text, sizeof(text), "rang %llu", cause);
	shoal_message_send(scope, &request, NULL, NULL);
	snprintf(text, sizeof(text), "echo %llu", cause);
	shoal_message_send(scope, &request, NULL, NULL);
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, ring_later } };
static const struct shoal_job jobs[] = { { .name = "ring", .handle = ring } };
SHOAL_MODULE(bell, .version = "1", .description = "A test", .intents = 1 << 15, SHOAL_EVENT_ROWS(events), SHOAL_JOBS(jobs));
'''


def kill_one(dice, fleet):
    """A worker that is ready dies at once or in a moment: one that is killed again and again answers nobody in time."""
    shard = dice.randrange(4)
    fleet.ready(shards=4)
    time.sleep(dice.uniform(0, 0.1))  # where in its work it dies is the dice's: no state is waited for
    fleet.kill(shard)


def settings(sim, guild, name, value):
    options = [{"name": "set", "type": 1, "options": [{"name": "name", "type": 3, "value": name},
                                                      {"name": "value", "type": 3, "value": value}]}]
    told = text_of(sim.answer(sim.use("settings", options, guild=guild, **MANAGER)))
    assert "version" in told, f"{name} = {value}: {told}"


def said(rest, channel):
    status, messages = rest.call("GET", f"/channels/{channel}/messages?limit=100")
    assert status == 200, messages
    return [one["content"] for one in messages]


def count(rest, guilds):
    """{(what, whom): how often}, over all channels that are written to."""
    found = collections.Counter()
    for guild in guilds:
        for text in said(rest, guild["hall"]):
            welcomed = re.search(r"welcome <@!?(\d+)>", text)
            if welcomed:
                found[("welcome", welcomed.group(1))] += 1
        for text in said(rest, guild["tower"]):
            rung = re.fullmatch(r"(rang|echo) (\d+)", text)
            if rung:
                found[rung.groups()] += 1
    return found


def has_role(rest, guild, user):
    status, member = rest.call("GET", f"/guilds/{guild['id']}/members/{user}")
    assert status == 200, member
    return guild["role"] in member["roles"]


def furnished(sim, number):
    one = sim.get("/guild", index=number)
    texts = [channel["id"] for channel in one["channels"] if channel["type"] == 0]
    guild = {"id": one["id"], "hall": texts[0], "tower": texts[1], "role": one["roles"][-1]}
    settings(sim, number, "admin.welcome_channel", f"<#{guild['hall']}>")
    settings(sim, number, "admin.welcome_text", "welcome {user}")
    settings(sim, number, "admin.autorole_roles", f"<@&{guild['role']}>")
    return guild


def test_each_once_whoever_dies(make_sim, make_fleet, servers, folder):
    dice = random.Random(SEED)
    print(f"seed {SEED}")
    sim = make_sim(guilds=GUILDS, rest_limits=False)
    modules = os.path.join(folder, "modules")
    build(modules, "bell", BELL)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats,
                       config={"modules.dir": modules, "modules.load": "*", "supervisor.restart_burst": 1000,
                               "supervisor.restart_cap_ms": 100})
    fleet.ready(shards=4)
    rest = Rest(sim)
    guilds = [furnished(sim, number) for number in range(GUILDS)]
    before = sim.summary()["identifies"]["total"]
    acts = [("join", number) for number in range(GUILDS)] * JOINS + [("bell", number) for number in range(GUILDS)] * BELLS + \
        [("kill", None)] * KILLS + [("supervisor", None)]
    dice.shuffle(acts)
    wanted, joined, new = [], [], int(time.time() * 1000) - 1420070400000 << 22
    for act, number in acts:
        if act == "join":
            new += 1
            sim.post("/guild", guild_index=number, action="member_add", user_id=str(new))
            joined.append((number, str(new)))
            wanted.append(("welcome", str(new)))
        elif act == "bell":
            cause = sim.post("/message", guild_index=number, channel_id=guilds[number]["tower"],
                             content=f"bell {dice.randrange(100, 6000)}")["ids"][0]
            wanted += [("rang", str(cause)), ("echo", str(cause))]
        elif act == "kill":
            kill_one(dice, fleet)
        else:
            fleet.kill_supervisor()
            fleet.start()
            fleet.ready(shards=4)
    fleet.ready(shards=4)
    missing = lambda: [one for one in wanted if one not in count(rest, guilds)]  # noqa: E731
    procs.wait_until(lambda: not missing(), 60 * fleets.harness.PATIENCE, "all of it", interval_s=0.3,
                     tail=lambda: f"seed {SEED}, missing {missing()}\n{procs.file_tail(fleet.log, 40)}")
    procs.wait_until(lambda: all(has_role(rest, guilds[number], user) for number, user in joined), 30, "everybody's role")
    found = count(rest, guilds)
    assert {one: found[one] for one in wanted} == dict.fromkeys(wanted, 1), f"seed {SEED}"
    assert not found.keys() - set(wanted)
    assert sim.summary()["identifies"]["total"] == before
    assert not fleet.records("pipeline.dead_letter") and not fleet.records("modules.crashed"), fleet.messages("error")
    assert not fleet.records("gateway.loss_window")


# --- polls -----------------------------------------------------------------------------------------------------------

def poll(sim, rest, number):
    """A poll of two answers; (the message, the custom ids of its buttons)."""
    sub = [{"name": "create", "type": 1, "options": [{"name": "question", "type": 3, "value": f"poll {number}?"},
                                                     {"name": "answers", "type": 3, "value": "this | that"}]}]
    cause = sim.use("poll", sub, guild=number, **MANAGER)
    sim.answer(cause)
    channel = sim.get("/guild", index=number)["channels"]

    def posted():
        for one in channel:
            status, messages = rest.call("GET", f"/channels/{one['id']}/messages?limit=10")
            for message in messages if status == 200 else []:
                ids = [part["custom_id"] for row in message.get("components") or [] for part in row.get("components", [])]
                if len(ids) >= 2:
                    return message["id"], ids
        return None
    return procs.wait_until(posted, 20, f"the poll of guild {number}")


def tally(sim, number, message):
    """What /poll show says: ({who voted this}, {who voted that}, the numbers in its bars)."""
    sub = [{"name": "show", "type": 1, "options": [{"name": "poll", "type": 3, "value": message}]}]
    shown, who = sim.answer(sim.use("poll", sub, guild=number, **MANAGER))["embeds"]
    voters = {field["name"]: set(re.findall(r"<@(\d+)>", field["value"])) for field in who["fields"]}
    return voters.get("A", set()), voters.get("B", set()), [int(one) for one in re.findall(r"% · (\d+)", shown["description"])]


def test_every_vote_counts_once_whoever_dies(make_sim, make_fleet, servers):
    dice = random.Random(SEED)
    print(f"seed {SEED}")
    sim = make_sim(guilds=4, members=200, rest_limits=False)
    fleet = make_fleet(sim, database=servers.database(), nats=servers.nats,
                       config={"supervisor.restart_burst": 1000, "supervisor.restart_cap_ms": 100})
    fleet.ready(shards=4)
    rest = Rest(sim)
    polls = [poll(sim, rest, number) for number in range(4)]
    members = [sim.get("/guild", index=number)["members"] for number in range(4)]
    voters = min(20, min(len(one) for one in members))
    before = sim.summary()["identifies"]["total"]
    acts = [("vote", number, voter) for number in range(4) for voter in range(voters)] + [("kill", None, None)] * KILLS
    dice.shuffle(acts)
    clicks, chosen = {}, [(set(), set()) for _ in range(4)]
    for act, number, voter in acts:
        if act == "vote":
            which = dice.randrange(2)
            chosen[number][which].add(members[number][voter])
            message, ids = polls[number]
            cause = sim.post("/interaction", type=3, custom_id=ids[which], guild_index=number, message_id=message,
                             user={"id": members[number][voter], "username": f"voter{voter}"})["id"]
            clicks[int(cause)] = members[number][voter]
        else:
            kill_one(dice, fleet)
    fleet.ready(shards=4)
    # Each is answered, or said to have come too late for that (a machine with neighbours): then the vote may count or not.
    def late():
        return {int(one["interaction"]) for one in fleet.records("commands.expired")}
    procs.wait_until(lambda: all(sim.answers_to(cause) or cause in late() for cause in clicks), 60 * fleets.harness.PATIENCE,
                     "every click answered", tail=lambda: f"seed {SEED}\n{procs.file_tail(fleet.log, 40)}")
    unsure = {clicks[cause] for cause in late()}
    def counted(number):
        this, that, bars = tally(sim, number, polls[number][0])
        return bars == [len(this), len(that)] and this <= chosen[number][0] and that <= chosen[number][1] and \
            (this - unsure, that - unsure) == tuple(one - unsure for one in chosen[number])
    for number in range(4):
        procs.wait_until(lambda: counted(number), 30, f"the votes of guild {number}", interval_s=0.5,  # noqa: B023
                         tail=lambda: f"seed {SEED}: {tally(sim, number, polls[number][0])}, {chosen[number]}")  # noqa: B023
    assert len(unsure) < len(clicks) / 4, f"seed {SEED}: {unsure}"
    assert sim.summary()["identifies"]["total"] == before
    assert not fleet.records("pipeline.dead_letter") and not fleet.records("modules.crashed"), fleet.messages("error")
