"""The guide for module authors (shard/modules/README.md), followed to the letter: its commands in a tree of its own and
against an installation, and every piece of code in it, built and used."""

import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest

import harness
import procs
from conftest import need
from harness import fleet as fleets
from harness.sim import text_of
from test_module_state import MANAGER
from test_modules import build, said
from test_systemd import make_install

GUIDE = os.path.join(harness.ROOT, "shard", "modules", "README.md")


def guide():
    with open(GUIDE, encoding="utf-8") as f:
        return f.read()


def blocks(language, text=None):
    return re.findall(rf"^```{language}\n(.*?)^```", text or guide(), re.S | re.M)


def run(*argv, cwd, timeout_s=120, **environment):
    """As in a shell of one's own: nothing of an outer make's in it."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(argv, cwd=cwd, env={**env, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout_s * harness.PATIENCE, check=False)


# --- its commands ----------------------------------------------------------------------------------------------------

def test_ten_minutes_in_the_tree(folder, sim, make_fleet):
    """The lines of its first section, but for `make` and `make run`: both are the tests' own ground."""
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    for line in ("build/shoalctl module new hello", "make modules", "build/shoalctl module reload hello",
                 "build/shoalctl module list", "make modules && build/shoalctl module reload hello"):
        assert line in lines, (line, lines)
    tree = os.path.join(folder, "tree")
    tracked = run("git", "ls-files", "-z", cwd=harness.ROOT).stdout
    names = [name for name in tracked.split("\0") if name] if tracked else None
    need(names, "no git checkout here")
    wanted = [name for name in names if name.startswith(("include/", "shard/modules/", "tests/run", "deploy/", "sql/")) or "/" not in name]
    for name in wanted:
        if os.path.isfile(os.path.join(harness.ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            shutil.copy(os.path.join(harness.ROOT, name), os.path.join(tree, name))
    os.makedirs(os.path.join(tree, "build"))
    os.symlink(harness.program("shoalctl"), os.path.join(tree, "build", "shoalctl"))
    done = run("build/shoalctl", "module", "new", "hello", cwd=tree)
    assert done.returncode == 0 and "make modules" in done.stdout, done
    assert sorted(os.listdir(os.path.join(tree, "shard", "modules", "hello"))) == ["hello.c", "test_hello.c"]
    made = run("make", "modules", cwd=tree, timeout_s=300)
    assert made.returncode == 0 and re.search(r"ok\s+modules/test_hello\s+2 passed", made.stdout), made.stdout + made.stderr
    # Its own test can fail.
    source = os.path.join(tree, "shard", "modules", "hello", "hello.c")
    with open(source, encoding="utf-8") as f:
        text = f.read()
    changed = text.replace("from hello, %s!", "from HELLO, %s!")
    assert changed != text
    with open(source, "w", encoding="utf-8") as f:
        f.write(changed)
    failed = run("make", "modules", cwd=tree, timeout_s=300)
    assert failed.returncode != 0 and "Hello from" in failed.stdout + failed.stderr, failed.stdout + failed.stderr
    fleet = make_fleet(sim, config={"modules.dir": os.path.join(tree, "build", "modules"), "modules.load": "hello"})
    fleet.ready(shards=4)
    assert not fleet.records("modules.refused"), fleet.records("modules.refused")
    assert said(sim, sim.use("hello", [{"name": "whom", "type": 3, "value": "world"}])) == "Hello from HELLO, world!"


def test_outside_the_tree_against_an_installation(folder, sim, make_fleet):
    """`shoalctl module new` of an installation knows where that lies; its pkg-config file says the same."""
    prefix, place = os.path.join(folder, "usr"), os.path.join(folder, "mine")
    make_install(PREFIX=prefix, SYSCONFDIR=os.path.join(folder, "etc"))
    with open(GUIDE, encoding="utf-8") as f, open(os.path.join(prefix, "share/doc/shoal/MODULES.md"), encoding="utf-8") as g:
        assert f.read() == g.read()
    os.mkdir(place)
    done = run(os.path.join(prefix, "bin/shoalctl"), "module", "new", "greeter", cwd=place)
    assert done.returncode == 0 and "make -C" in done.stdout, done
    tested = run("make", "-C", "greeter", "test", cwd=place)
    assert tested.returncode == 0 and "2 test(s)" in tested.stdout + tested.stderr, tested
    installed = run("make", "-C", "greeter", "install", cwd=place)
    assert installed.returncode == 0 and os.path.exists(os.path.join(prefix, "lib/shoal/modules/greeter.so")), installed
    # By hand, as the guide says it.
    if shutil.which("pkg-config"):
        asked = {"PKG_CONFIG_PATH": os.path.join(prefix, "lib/pkgconfig"), "PKG_CONFIG_SYSTEM_INCLUDE_PATH": "/nowhere"}
        flags = run("pkg-config", "--cflags", "shoal", cwd=place, **asked).stdout.split()
        where = run("pkg-config", "--variable=modulesdir", "shoal", cwd=place, **asked).stdout.strip()
        assert f"-I{prefix}/include" in flags and where == os.path.join(prefix, "lib/shoal/modules"), (flags, where)
        by_hand = run("cc", *flags, "-fPIC", "-shared", "-fvisibility=hidden", "-o", "greeter.so", "greeter/greeter.c", cwd=place)
        assert by_hand.returncode == 0, by_hand
    fleet = make_fleet(sim, config={"modules.dir": os.path.join(prefix, "lib/shoal/modules"), "modules.load": "greeter"})
    fleet.ready(shards=4)
    assert said(sim, sim.use("greeter", [{"name": "whom", "type": 3, "value": "world"}])) == "Hello from greeter, world!"


# --- its code --------------------------------------------------------------------------------------------------------

@pytest.fixture
def modules(folder):
    """tour.so and its migrations, of the page alone."""
    path = os.path.join(folder, "modules")
    code = blocks("c")
    assert len(code) >= 6 and sum("SHOAL_MODULE(tour" in one for one in code) == 1
    flags = ["-fsanitize=address,undefined"] if harness.SANITIZE else []
    build(path, "tour", "".join(code), *flags)
    where = os.path.join(path, "sql", "tour")
    os.makedirs(where)
    up, = blocks("sql")
    down = re.search(r"`\.down\.sql` \(`(DROP TABLE [^`]+)`\)", guide()).group(1)
    for name, text in (("0001_visit.up.sql", up), ("0001_visit.down.sql", down + "\n")):
        with open(os.path.join(where, name), "w", encoding="utf-8") as f:
            f.write(text)
    return path


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d/" % server.server_address[1]
    server.shutdown()
    server.server_close()


def use(sim, child, **options):
    kinds = {int: 4, str: 3}
    rows = [{"name": name, "type": kinds[type(value)], "value": value} for name, value in options.items()]
    return sim.use("tour", [{"name": child, "type": 1, "options": rows}], **MANAGER)


def press(sim, custom_id, **more):
    return sim.post("/interaction", name="", type=3, custom_id=custom_id, guild_index=0, **more)["id"]


def test_every_piece_of_code_of_the_guide(sim, make_fleet, servers, modules, page):
    url = servers.database(migrated=False)
    up = run(harness.program("shoalctl"), "migrate", "up", cwd=harness.ROOT, DATABASE_URL=url, SHOAL_MODULES_DIR=modules)
    assert up.returncode == 0, up
    # What an earlier version of the module has stored: 1 minute.
    guild = int(sim.get("/guild", index=0)["id"])
    servers.sql("INSERT INTO shoal.guild_setting (guild_id, name, value, schema_version, updated_by, note)"
                f" VALUES ({guild}, 'tour.delay', '1', 1, 0, '')", url)
    fleet = make_fleet(sim, database=url, nats=servers.nats, config={
        "modules.dir": modules, "modules.load": "tour", "modules.http_private": True})
    fleet.ready(shards=4)
    assert fleet.ctl("module", "list")["refused"] == []
    # The setting, migrated, then changed.
    shown = text_of(sim.answer(sim.use("settings", [{"name": "show", "type": 1, "options": [
        {"name": "name", "type": 3, "value": "tour.delay"}]}], **MANAGER)))
    assert re.search(r"\b1m\b|\b60s\b", shown), shown
    assert "version" in text_of(sim.answer(sim.use("settings", [{"name": "set", "type": 1, "options": [
        {"name": "name", "type": 3, "value": "tour.delay"}, {"name": "value", "type": 3, "value": "1s"}]}], **MANAGER)))
    # The statement, the options, the button, the form.
    assert said(sim, use(sim, "visit")) == "Visit 1"
    assert said(sim, use(sim, "visit")) == "Visit 2"
    assert said(sim, use(sim, "say", text="hi", times=3)) == "hi ×3"
    assert said(sim, press(sim, "tour.again:7")) == "Again: 7"
    assert sim.answer(press(sim, "tour.form"))["custom_id"] == "tour.sent"
    typed = sim.post("/interaction", name="", type=5, custom_id="tour.sent", guild_index=0, components=[
        {"type": 18, "id": 1, "component": {"type": 4, "id": 2, "custom_id": "name", "value": "Ann"}}])["id"]
    assert said(sim, typed) == "Hello, Ann!"
    # The job.
    assert said(sim, use(sim, "later")) == "Later, then."
    procs.wait_until(lambda: any("It is later now." in (one["body"] or "") for one in sim.requests("POST", "/messages")),
                     60 * harness.PATIENCE, "the job's message", tail=lambda: procs.file_tail(fleet.log))
    # The event, the bus, HTTP.
    sim.say("hello tour")
    sim.wait_requests(1, "PUT", "/reactions/")
    procs.wait_until(lambda: said(sim, use(sim, "tell")) == "Told all shards.", 30 * harness.PATIENCE, "the bus")
    procs.wait_until(lambda: {one["shard"] for one in fleet.records("tour.heard")} == {0, 1, 2, 3}, 30 * harness.PATIENCE,
                     "all four have heard it", tail=lambda: procs.file_tail(fleet.log))
    assert said(sim, use(sim, "fetch", url=page)) == "200 page"
    assert fleet.stop() == fleets.OK
