"""More comes than is handled: what is fleeting is dropped and counted, the rest is parked and handled, in its guild's order."""

import re

from harness import fleet as fleets
from harness.sim import text_of
from test_modules import build, serve, source

# Holds the loop for a while with each, so that the inbox fills.
SLOW = '''
static unsigned seen;
static void dawdle(void)
{
	uint64_t until = shoal_clock_ns() + 4000000;
	while (shoal_clock_ns() < until)
		;
}
static void on_typing(struct shoal_scope *scope, const struct shoal_event *event)
{
	(void)scope;
	(void)event;
	dawdle();
}
static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	(void)event;
	dawdle();
	shoal_log(scope, SHOAL_LOG_INFO, "slow.seen", "%u", ++seen);
}
static const struct shoal_event_row events[] = {
	{ SHOAL_EVENT_TYPING_START, on_typing }, { SHOAL_EVENT_MESSAGE_CREATE, on_message } };
'''


def shed(fleet):
    return sum(int(value) for value in re.findall(r"^shoal_events_shed(?:_total)?\{[^}]*\} (\d+)$", fleet.http("/metrics")[2],
                                                  re.M))


def test_typing_gives_way_and_messages_do_not(make_sim, make_fleet, folder):
    sim = make_sim(shards=1, guilds=8)
    modules = f"{folder}/modules"
    build(modules, "slow", source("slow", 'shoal_reply_text(inv, "x");', ", SHOAL_EVENT_ROWS(events)", SLOW))
    fleet = make_fleet(sim, shards=1, config={"modules.dir": modules, "modules.load": "*", "inbox.ring_kib": 64,
                                              "modules.slow_ms": 1000})
    fleet.ready(shards=1)
    guild = sim.get("/guild", index=1)
    typing = {"channel_id": guild["channels"][0]["id"], "guild_id": guild["id"], "user_id": "5", "timestamp": 1}
    before = sim.summary()["identifies"]["total"]
    causes = []
    for round_ in range(300):
        for _ in range(3):
            sim.post("/event", t="TYPING_START", guild_index=1, d=typing)
        if round_ % 3 == 0:
            causes.append(sim.say("!ping", guild=round_ // 3 % 8))
    fleet.wait_record("pipeline.shedding")
    fleet.wait_record("slow.seen", count=len(causes), timeout_s=fleets.READY_S)
    for cause in causes:
        assert "pong" in text_of(sim.answer(cause)).lower() and len(sim.answers_to(cause)) == 1
    assert shed(fleet) > 0
    status = fleet.shard(0)
    assert status["state"] == "ready" and status["loss_windows"] == 0 and sim.summary()["identifies"]["total"] == before
    # Once there is room, nothing is dropped any more.
    dropped = shed(fleet)
    sim.post("/event", t="TYPING_START", guild_index=1, d=typing)
    assert "pong" in text_of(sim.answer(sim.use("ping", guild=1))).lower()
    assert shed(fleet) == dropped
