"""A gateway that takes everything and gives nothing: silence is noticed and left by RESUME; a RESUME that comes to
nothing ends, after a bounded number of tries, in one IDENTIFY through the ledger, and in a loss window that is told."""

import harness
import procs
from harness.sim import text_of


def spent(sim):
    summary = sim.summary()
    return summary["identifies"]["total"], summary["resumes"]["ok"]


def served_by(sim, guild):
    """The shard of a guild: Discord's rule."""
    return (int(sim.get("/guild", index=guild)["id"]) >> 22) % 4


def answers(sim, guilds):
    for cause in [sim.say("!ping", guild=guild) for guild in guilds]:
        assert "pong" in text_of(sim.answer(cause)).lower()
        assert len(sim.answers_to(cause)) == 1


def test_silent_session_is_probed_and_resumed(sim, make_fleet):
    """Heartbeats are acknowledged all along: only the probe can tell. What was said meanwhile is answered once."""
    fleet = make_fleet(sim, config={"gateway.silence_probe_s": 1, "gateway.silence_answer_ms": 1000})
    fleet.ready(shards=4)
    before = spent(sim)
    guild = next(guild for guild in range(16) if served_by(sim, guild) == 2)
    sim.fault("mute", shard=2)
    cause = sim.say("!ping", guild=guild)
    fleet.wait_record("gateway.silent", shard=2)
    sim.wait(resumes=before[1] + 1)
    fleet.ready(shards=4)
    assert "pong" in text_of(sim.answer(cause)).lower() and len(sim.answers_to(cause)) == 1
    assert spent(sim)[0] == before[0]
    assert not fleet.records("gateway.zombie") and fleet.shard(2)["loss_windows"] == 0
    # The others were as quiet, were asked, and answered: nobody else was left.
    assert not [one for one in fleet.records("gateway.silent") if one["shard"] != 2]
    answers(sim, range(8))


def test_quiet_session_answers_its_probes_and_stays(sim, make_fleet):
    fleet = make_fleet(sim, config={"gateway.silence_probe_s": 1, "gateway.silence_answer_ms": 1000})
    fleet.ready(shards=4)
    before, connects = spent(sim), sim.counters()["connects"]
    for shard in range(4):
        fleet.wait_record("gateway.silence_probe", count=2, shard=shard)
    assert spent(sim) == before and sim.counters()["connects"] == connects
    assert not fleet.records("gateway.silent")
    metrics = fleet.http("/metrics")[2]
    assert 'shoal_silences{shard="0"} 0' in metrics and 'shoal_silence_probes{shard="0"} 0' not in metrics


def test_bricked_resume_ends_in_one_identify(sim, make_fleet):
    """RESUME is taken and never answered, for ever: two tries, then an IDENTIFY with a grant, and a loss window."""
    fleet = make_fleet(sim, config={"gateway.resume_quiet_ms": 1000, "gateway.resume_attempts": 2})
    fleet.ready(shards=4)
    before = spent(sim)
    granted = fleet.status()["ledger"]["granted"]
    sim.fault("ignore_resume", shard=1, times=-1)
    sim.fault("drop", shard=1)
    sim.wait(identifies=before[0] + 1, timeout_s=60 * harness.PATIENCE)
    fleet.ready(shards=4)
    assert spent(sim) == (before[0] + 1, before[1])
    assert len(fleet.records("gateway.resume", shard=1)) == 2
    window, = fleet.records("gateway.loss_window", shard=1)
    assert window["reason"] == "resume_given_up" and window["level"] == "error"
    status = procs.wait_until(
        lambda: (lambda s: s if [one for one in s["alerts"] if one["event"] == "gateway.loss_window"] else None)(
            fleet.status()), 10, "the loss window's alert")
    assert status["ledger"]["granted"] == granted + 1 and fleet.shard(1)["loss_windows"] == 1
    answers(sim, range(8))
