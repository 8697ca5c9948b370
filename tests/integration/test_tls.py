"""TLS as Discord has it: https and wss under an authority of the test's own; names and authorities are verified."""

import re

import pytest

import procs
from harness import fleet as fleets
from harness.certs import Authority
from harness.sim import text_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))


def tls_sim(make_sim, authority, name, *alternatives, **options):
    certificate, key = authority.issue(name, *alternatives)
    return make_sim(tls_cert=certificate, tls_key=key, **{"advertise_host": "localhost", **options})


def api_by_name(sim, name="localhost"):
    return re.sub(r"//[^:/]+", f"//{name}", sim.api)


@pytest.mark.parametrize("http2", ["on", "off"])
def test_https_and_wss_under_an_own_authority(make_sim, make_fleet, authority, http2):
    sim = tls_sim(make_sim, authority, "localhost", "DNS:localhost", http2=http2)
    fleet = make_fleet(sim, config={"discord.api_base": api_by_name(sim), "discord.ca_file": authority.ca})
    fleet.ready(shards=4)
    assert sim.api.startswith("https://")
    for guild in range(8):
        assert "pong" in text_of(sim.answer(sim.use("ping", guild=guild))).lower()
    assert "pong" in text_of(sim.answer(sim.say("!ping"))).lower()
    before = sim.summary()
    sim.fault("drop", shard="all")
    sim.wait(resumes=before["resumes"]["ok"] + 4)
    fleet.ready(shards=4)


def waits_and_names(fleet, *words):
    """It does not connect, goes on trying, and one line says why."""
    found = procs.wait_until(
        lambda: [one for one in fleet.records() if one.get("level") in ("warn", "error")
                 and all(re.search(word, str(one), re.I) for word in words)],
        30 * fleets.harness.PATIENCE, f"a line with {words}", tail=lambda: procs.file_tail(fleet.log))
    assert found and fleet.process.poll() is None
    return found


def test_untrusted_authority_is_refused(make_sim, make_fleet, authority, tmp_path):
    sim = tls_sim(make_sim, authority, "localhost", "DNS:localhost")
    other = Authority(str(tmp_path / "other"), name="somebody else")
    fleet = make_fleet(sim, config={"discord.api_base": api_by_name(sim), "discord.ca_file": other.ca})
    waits_and_names(fleet, "certificate|verif", r"ca_file|api_base")
    assert sim.requests() == [] and sim.summary()["identifies"]["total"] == 0


def test_wrong_host_name_is_refused_by_rest(make_sim, make_fleet, authority):
    sim = tls_sim(make_sim, authority, "elsewhere.example", "DNS:elsewhere.example")
    fleet = make_fleet(sim, config={"discord.api_base": api_by_name(sim), "discord.ca_file": authority.ca})
    waits_and_names(fleet, "certificate|host|name|verif")
    assert sim.requests() == []


def test_wrong_host_name_is_refused_by_the_gateway(make_sim, make_fleet, authority):
    """REST goes to a right server, which names a gateway whose certificate is another's."""
    wrong = tls_sim(make_sim, authority, "elsewhere.example", "DNS:elsewhere.example")
    right = tls_sim(make_sim, authority, "localhost", "DNS:localhost")
    fleet = make_fleet(right, config={
        "discord.api_base": api_by_name(right), "discord.ca_file": authority.ca,
        "discord.gateway_url": re.sub(r"//[^:/]+", "//localhost", wrong.gateway)})
    waits_and_names(fleet, "certificate|host|name|verif", "gateway")
    for one in (wrong, right):
        assert one.summary()["identifies"]["total"] == 0
    assert wrong.state()["sessions"] == []


def test_expired_certificate_is_refused(make_sim, make_fleet, authority):
    certificate, key = authority.issue("old.localhost", "DNS:localhost", days=-1)
    sim = make_sim(tls_cert=certificate, tls_key=key, advertise_host="localhost")
    fleet = make_fleet(sim, config={"discord.api_base": api_by_name(sim), "discord.ca_file": authority.ca})
    waits_and_names(fleet, "certificate|expired|verif")
    assert sim.requests() == []


def test_plain_http_on_a_tls_port_is_named(make_sim, make_fleet):
    sim = make_sim()
    fleet = make_fleet(sim, config={"discord.api_base": sim.api.replace("http://", "https://")})
    waits_and_names(fleet, "tls|ssl|api_base")
