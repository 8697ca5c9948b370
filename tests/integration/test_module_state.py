"""What modules keep, and where they run: settings, named statements, durable writes, the bus, HTTP, /module."""

import json
import os
import re
import subprocess

import pytest

import harness
import procs
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of
from test_modules import BOMB, HEAD, build, source

MANAGER = {"permissions": str(1 << 5), "user": {"id": "812345678901234567", "username": "keeper"}}

KEEPER = HEAD + '''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shoal_phrase bad_word = SHOAL_PHRASE("That word is a bad one.", "Das Wort ist ein schlechtes.", NULL, NULL);

static const struct shoal_phrase *check_word(const struct shoal_setting_value *value, int64_t *ret_number)
{
	(void)ret_number;
	return strcmp(value->text, "bad") == 0 ? &bad_word : NULL;
}

static const struct shoal_setting settings[] = {
	{ .name = "points", .type = SHOAL_SETTING_INTEGER, .layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD | SHOAL_LAYER_USER,
	  .min = 1, .max = 10, .fallback = "5", .description = "points that a use is worth" },
	{ .name = "word", .type = SHOAL_SETTING_TEXT, .layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD, .description = "a word",
	  .check = check_word },
};

static const struct shoal_statement statements[] = {
	{ .name = "add", .sql = "INSERT INTO shoal.keeper__score AS s (guild_id, user_id, score) VALUES ($1, $2, $3)"
	  " ON CONFLICT (guild_id, user_id) DO UPDATE SET score = s.score + excluded.score RETURNING score",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_INT8 }, .columns = { SHOAL_SQL_INT8 } },
	{ .name = "get", .sql = "SELECT score, user_id::text FROM shoal.keeper__score WHERE guild_id = $1 AND user_id = ANY($2)",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8_LIST }, .columns = { SHOAL_SQL_INT8, SHOAL_SQL_TEXT },
	  .flags = SHOAL_SQL_READS },
};

static void written(void *arg, const struct shoal_written *done)
{
	struct shoal_invocation *inv = arg;

	if (done->error && done->error != -ECANCELED)
		shoal_reply_error(inv, "error %d", done->error);
	else if (!done->error)
		shoal_reply_printf(inv, "%s %lld", done->kept ? "kept" : "now", (long long)shoal_rows_int8(done->rows, 0, 0));
	shoal_invocation_release(inv);
}

static void valued(void *arg, const struct shoal_setting_answer *answer)
{
	struct shoal_invocation *inv = arg;
	struct shoal_sql_value params[2];
	struct shoal_write write = { .statement = "add", .params = params, .param_count = 2, .key = "score" };
	int r;

	if (answer->error) {
		shoal_invocation_release(inv);
		return;
	}
	params[0] = SHOAL_INT8(shoal_invocation_user_id(inv));
	params[1] = SHOAL_INT8(answer->value->integer);
	r = shoal_write(shoal_invocation_scope(inv), &write, written, inv);
	if (r < 0) {
		shoal_reply_error(inv, "refused %d", r);
		shoal_invocation_release(inv);
	}
}

static void add(struct shoal_invocation *inv)
{
	struct shoal_place place = { shoal_invocation_guild_id(inv), shoal_invocation_channel_id(inv), shoal_invocation_user_id(inv) };

	shoal_invocation_hold(inv);
	if (shoal_setting_get(shoal_invocation_scope(inv), &place, "points", valued, inv) < 0)
		shoal_invocation_release(inv);
}

static void got(void *arg, int error, const struct shoal_rows *rows)
{
	struct shoal_invocation *inv = arg;

	if (error != -ECANCELED)
		shoal_reply_printf(inv, "rows %zu score %lld of %s error %d", shoal_rows_count(rows),
				   (long long)shoal_rows_int8(rows, 0, 0), shoal_rows_text(rows, 0, 1, NULL), error);
	shoal_invocation_release(inv);
}

static void get(struct shoal_invocation *inv)
{
	int64_t users[] = { (int64_t)shoal_invocation_user_id(inv) };
	struct shoal_sql_value params[] = { SHOAL_INT8_LIST(users, 1) };
	struct shoal_query query = { .statement = "get", .params = params, .param_count = 1 };
	int r;

	shoal_invocation_hold(inv);
	r = shoal_query(shoal_invocation_scope(inv), &query, got, inv);
	if (r < 0) {
		shoal_reply_error(inv, "refused %d", r);
		shoal_invocation_release(inv);
	}
}

static unsigned heard;

static void on_message(void *arg, int error, const struct shoal_bus_message *message)
{
	(void)arg;
	if (error == 0 && message->len == 5 && memcmp(message->payload, "hello", 5) == 0)
		shoal_log(arg, SHOAL_LOG_INFO, "keeper.heard", "heard %u on %s", ++heard, message->topic);
}

static void tell(struct shoal_invocation *inv)
{
	shoal_reply_printf(inv, "told %d %d", shoal_bus_publish(shoal_invocation_scope(inv), "news", "hello", 5),
			   shoal_bus_publish(shoal_invocation_scope(inv), "no.topic", "hello", 5));
}

static void fetched(void *arg, const struct shoal_http_result *result)
{
	struct shoal_invocation *inv = arg;

	if (result->error != -ECANCELED)
		shoal_reply_printf(inv, "fetched error %d status %u body %.40s (%s)", result->error, result->status, result->body, result->words);
	shoal_invocation_release(inv);
}

static void fetch(struct shoal_invocation *inv)
{
	struct shoal_http_request request = { .url = shoal_invocation_string(inv, "text", ""), .max_bytes = 1000, .max_redirects = 2 };
	int r;

	shoal_invocation_hold(inv);
	r = shoal_http_request(shoal_invocation_scope(inv), &request, fetched, inv);
	if (r < 0) {
		shoal_reply_error(inv, "refused %d", r);
		shoal_invocation_release(inv);
	}
}

static const struct shoal_command_option text[] = {
	{ .name = "text", .description = "Text", .type = SHOAL_OPTION_STRING, .required = true },
};
static const struct shoal_command children[] = {
	{ .name = "add", .description = "Adds", .handle = add },
	{ .name = "get", .description = "Gets", .handle = get },
	{ .name = "tell", .description = "Tells", .handle = tell },
	{ .name = "fetch", .description = "Fetches", .options = text, .option_count = 1, .handle = fetch },
};
static const struct shoal_command command = { .name = "keeper", .description = "A test", .children = children, .child_count = 4 };
static const struct shoal_command *const commands[] = { &command };

static void pressed(struct shoal_invocation *inv)
{
	shoal_reply_text(inv, "pressed");
}
static const struct shoal_component_row components[] = { { .prefix = "keeper", .handle = pressed } };

static void said(struct shoal_scope *scope, const struct shoal_event *event)
{
	static const char *const known = "note me";
	struct shoal_message_send send = { .channel_id = event->message->channel_id, .content = { .text = "noted" } };

	if (shoal_str_is(event->message->content, known))
		shoal_message_send(scope, &send, NULL, NULL);
}
static const struct shoal_event_row events[] = { { SHOAL_EVENT_MESSAGE_CREATE, said } };

static int setup(struct shoal_scope *module)
{
	return shoal_bus_subscribe(module, "news", on_message, module, NULL);
}

SHOAL_MODULE(keeper, .version = "1", .description = "Keeps *scores*", SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components),
	     SHOAL_EVENT_ROWS(events), SHOAL_SETTINGS(1, settings), SHOAL_STATEMENTS(statements), .setup = setup);
'''

SQL_UP = """-- What the keeper keeps.
-- oldest-program: 0.1.0
SELECT shoal.create_keyed_table('keeper__score', ARRAY['guild_id', 'user_id'], $$
	guild_id bigint NOT NULL,
	user_id  bigint NOT NULL,
	score    bigint NOT NULL
$$);
"""


@pytest.fixture
def private(own_stack):
    return own_stack(prefix="shoal-keeper")


def write_sql(modules):
    where = os.path.join(modules, "sql", "keeper")
    os.makedirs(where, exist_ok=True)
    for name, text in (("0001_score.up.sql", SQL_UP), ("0001_score.down.sql", "DROP TABLE shoal.keeper__score;\n")):
        with open(os.path.join(where, name), "w", encoding="ascii") as f:
            f.write(text)


def shoalctl(fleet, *arguments, **options):
    return fleet.ctl_run(*arguments, **options)


@pytest.fixture
def modules(folder):
    path = os.path.join(folder, "modules")
    build(path, "keeper", KEEPER)
    write_sql(path)
    return path


def migrate(postgres, modules, *arguments):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SHOAL_", "DISCORD", "DATABASE"))}
    return subprocess.run([harness.program("shoalctl"), "migrate", *arguments], capture_output=True, text=True, timeout=60,
                          check=False, env={**env, "DATABASE_URL": postgres.url(), "SHOAL_MODULES_DIR": modules})


@pytest.fixture
def keeper(sim, make_fleet, private, modules):
    done = migrate(private.postgres, modules, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "keeper" in migrate(private.postgres, modules, "status").stdout
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url,
                       config={"modules.dir": modules, "modules.load": "*"})
    fleet.ready(shards=4)
    return fleet


def use(sim, command, child, guild=0, **options):
    kinds = {bool: 5, int: 4, str: 3}
    more = {key: options.pop(key) for key in ("user", "permissions", "extra") if key in options}
    rows = [{"name": name, "type": kinds[type(value)], "value": value} for name, value in options.items()]
    return sim.use(command, [{"name": child, "type": 1, "options": rows}], guild=guild, **{**MANAGER, **more})


def say(sim, command, child, **options):
    return text_of(sim.answer(use(sim, command, child, **options)))


def press(sim, custom_id, **more):
    return text_of(sim.answer(sim.post("/interaction", name="", type=3, custom_id=custom_id, guild_index=0, **more)["id"]))


# --- settings and statements -------------------------------------------------------------------------------------------

def test_settings_and_rows(sim, keeper, private):
    assert say(sim, "keeper", "get").startswith("rows 0 score 0 of  error 0")
    assert say(sim, "keeper", "add") == "now 5"
    # The module's row is a setting like any other: layers, bounds, history.
    shown = say(sim, "settings", "show", name="keeper.points")
    assert "`keeper.points` is 5" in shown and "points that a use is worth" in shown, shown
    assert "from 1 to 10" in say(sim, "settings", "set", name="keeper.points", value="11")
    assert "version 1" in say(sim, "settings", "set", name="keeper.points", value="7")
    assert say(sim, "keeper", "add") == "now 12"
    assert re.match(r"rows 1 score 12 of \d+ error 0", say(sim, "keeper", "get"))
    # Another server has its own rows, and the default.
    assert say(sim, "keeper", "add", guild=1) == "now 5"
    # The operator sets it for all; the server's own counts before it.
    done = keeper.ctl_run("config", "set", "keeper.points", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    procs.wait_until(lambda: say(sim, "keeper", "add", guild=2).endswith(("2", "4", "6", "8")), 20 * harness.PATIENCE, "the global value",
                     interval_s=0.2, tail=lambda: procs.file_tail(keeper.log))
    assert say(sim, "keeper", "add") == "now 19"
    assert "keeper.points = 2" in keeper.ctl_run("config", "show").stdout
    assert keeper.ctl_run("config", "set", "keeper.points", "11").returncode != 0
    # What is code in the module is asked of it, from a server and from the operator.
    assert "bad one" in say(sim, "settings", "set", name="keeper.word", value="bad")
    done = keeper.ctl_run("config", "set", "keeper.word", "bad")
    assert done.returncode != 0 and "bad one" in done.stderr, done
    assert keeper.ctl_run("config", "set", "keeper.word", "good").returncode == 0


def test_writes_outlast_the_database_and_are_done_once(sim, keeper, private):
    assert say(sim, "keeper", "add") == "now 5"
    private.postgres.stop()
    kept = [say(sim, "keeper", "add") for _ in range(3)]
    assert all(one.startswith("kept") for one in kept), kept
    assert "error" in say(sim, "keeper", "get") or "refused" in say(sim, "keeper", "get")
    for shard in range(4):
        keeper.kill(shard)
    private.postgres.start()
    keeper.ready(shards=4)
    def written():
        said = say(sim, "keeper", "get")
        print(said)
        return "score 20 " in said
    procs.wait_until(written, 20 * harness.PATIENCE, "what was kept is written once",
                     interval_s=0.3, tail=lambda: procs.file_tail(keeper.log))


def test_without_a_database_it_says_so(sim, make_fleet, modules):
    fleet = make_fleet(sim, config={"modules.dir": modules, "modules.load": "*"})
    fleet.ready(shards=4)
    assert say(sim, "keeper", "get") == "refused -5005"
    assert say(sim, "keeper", "add") == "refused -5005"
    assert say(sim, "keeper", "tell") == "told -5005 -22"
    assert "keeper" in say(sim, "module", "list")
    assert "No database is configured" in say(sim, "module", "disable", name="keeper")


@pytest.mark.parametrize("name, rows, words", [
    ("thief", '{ .name = "x", .sql = "SELECT value FROM shoal.guild_setting WHERE guild_id = $1", .params = { SHOAL_SQL_GUILD },'
     ' .columns = { SHOAL_SQL_JSON }, .flags = SHOAL_SQL_READS }', "shoal.guild_setting"),
    ("roamer", '{ .name = "x", .sql = "SELECT 1 FROM shoal.roamer__x", .flags = SHOAL_SQL_READS }', "not_by_guild"),
    ("settings", '{ .name = "x", .sql = "SELECT 1 FROM shoal.settings__x WHERE guild_id = $1", .params = { SHOAL_SQL_GUILD } }', "own"),
])
def test_wrong_rows_are_refused_in_words(folder, name, rows, words):
    modules = os.path.join(folder, "modules")
    build(modules, name, source(name + "1", "(void)inv;").replace(f"SHOAL_MODULE({name}1", f"static const struct shoal_statement rows[] = {{ {rows} }};\n"
          f"SHOAL_MODULE({name}").replace("SHOAL_COMMANDS(commands)", "SHOAL_COMMANDS(commands), SHOAL_STATEMENTS(rows)"))
    done = subprocess.run([harness.program("shoal-shard"), "--manifest", "--modules-dir", modules], check=True, capture_output=True, text=True)
    refused = json.loads(done.stdout)["refused"]
    assert len(refused) == 1 and words in refused[0]["reason"], refused


# --- the bus, HTTP -----------------------------------------------------------------------------------------------------

def test_the_bus_reaches_every_shard(sim, keeper):
    procs.wait_until(lambda: say(sim, "keeper", "tell") == "told 0 -22", 20 * harness.PATIENCE, "the bus", interval_s=0.2)
    procs.wait_until(lambda: {one["shard"] for one in keeper.records("keeper.heard")} == {0, 1, 2, 3}, 20 * harness.PATIENCE,
                     "all four have heard it", interval_s=0.2, tail=lambda: procs.file_tail(keeper.log))


@pytest.mark.parametrize("private_ones", ["no", "yes"])
def test_http_of_modules(sim, make_fleet, modules, private_ones):
    fleet = make_fleet(sim, config={"modules.dir": modules, "modules.load": "*", "modules.http_private": private_ones})
    fleet.ready(shards=4)
    host, port = fleet.http_address()
    answer = say(sim, "keeper", "fetch", text=f"http://{host}:{port}/healthz")
    if private_ones == "no":
        assert answer.startswith("fetched error -13 status 0") and "modules.http_private" in answer, answer
        assert say(sim, "keeper", "fetch", text=f"http://localhost:{port}/healthz").startswith("fetched error -13")
        assert say(sim, "keeper", "fetch", text=f"http://[::ffff:127.0.0.1]:{port}/healthz").startswith("fetched error -13")
    else:
        assert answer.startswith("fetched error 0 status 200"), answer
        assert say(sim, "keeper", "fetch", text=f"http://{host}:{port}/metrics").startswith("fetched error -90")  # more than 1000 bytes
        assert "error 0 status 404" in say(sim, "keeper", "fetch", text=f"http://{host}:{port}/nothing-here")
        assert say(sim, "keeper", "fetch", text=f"http://{host}:1/").startswith("fetched error -111")
    for wrong in ("file:///etc/passwd", "gopher://x/", "http://", "not a url"):
        assert re.match("refused -22|fetched error -(22|71|3)", say(sim, "keeper", "fetch", text=wrong)), wrong


# --- /module -----------------------------------------------------------------------------------------------------------

def test_an_admin_switches_one_off_and_on(sim, keeper):
    listed = say(sim, "module", "list")
    assert re.search(r"🟢 \*\*keeper\*\* on \(the default\): Keeps", listed), listed
    assert "**core**" not in listed
    sim.say("note me")
    procs.wait_until(lambda: any("noted" in str(one.get("body")) for one in sim.requests("POST", "/messages")), 10 * harness.PATIENCE, "the event")
    assert press(sim, "keeper") == "pressed"
    assert "is off in this server" in say(sim, "module", "disable", name="keeper")
    # Commands and buttons say why; events pass it by.
    assert "module `keeper` is switched off in this server" in say(sim, "keeper", "get")
    assert "module `keeper` is switched off in this server" in press(sim, "keeper")
    # /help does not offer them, and says why when it is asked.
    helped = text_of(sim.answer(sim.use("help")))
    assert "`/ping`" in helped and "keeper" not in helped.lower(), helped
    one = text_of(sim.answer(sim.use("help", [{"name": "command", "type": 3, "value": "keeper"}])))
    assert "`/keeper get`" in one and one.endswith("`/module enable`."), one
    before = len([one for one in sim.requests("POST", "/messages") if "noted" in str(one.get("body"))])
    sim.say("note me")
    assert "pong" in text_of(sim.answer(sim.say("!ping"))).lower()
    assert len([one for one in sim.requests("POST", "/messages") if "noted" in str(one.get("body"))]) == before
    # Another server does not notice.
    assert say(sim, "keeper", "get", guild=1).startswith("rows")
    listed = say(sim, "module", "list")
    assert re.search(r"⚪ \*\*keeper\*\* off \(set in this server by <@\d+> <t:\d+:R>\)", listed), listed
    shown = say(sim, "module", "show", name="keeper")
    assert "`/keeper`" in shown and "Settings: 2" in shown, shown
    assert "is on in this server" in say(sim, "module", "enable", name="keeper")
    assert say(sim, "keeper", "get").startswith("rows")
    assert "no longer says" in say(sim, "module", "reset", name="keeper")
    assert "had set nothing" in say(sim, "module", "reset", name="keeper")
    for name in ("core", "nothing", "`@everyone`"):
        assert "There is no module" in say(sim, "module", "show", name=name)
    assert "Manage Server" in text_of(sim.answer(use(sim, "module", "list", permissions="0")))
    assert "die Voreinstellung" in say(sim, "module", "list", extra={"locale": "de"})
    # As a message it asks for the same.
    assert "Manage Server" in text_of(sim.answer(sim.say("!module list")))


def test_the_operators_default(sim, make_fleet, private, modules):
    assert migrate(private.postgres, modules, "up").returncode == 0
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url,
                       config={"modules.dir": modules, "modules.load": "*", "modules.default": "*, -keeper"})
    fleet.ready(shards=4)
    assert "switched off in this server" in say(sim, "keeper", "get")
    assert re.search(r"⚪ \*\*keeper\*\* off \(the default\)", say(sim, "module", "list"))
    assert "is on in this server" in say(sim, "module", "enable", name="keeper")
    assert say(sim, "keeper", "get").startswith("rows")
    # For all servers: those that have said nothing follow.
    assert fleet.ctl_run("config", "set", "modules.keeper", "on").returncode == 0
    procs.wait_until(lambda: say(sim, "keeper", "get", guild=1).startswith("rows"), 20 * harness.PATIENCE, "the operator's word", interval_s=0.2)
    assert "set by the bot's operator" in say(sim, "module", "list", guild=1)


def test_a_switch_outlasts_restarts_and_a_slow_database(sim, keeper, private):
    assert "is off" in say(sim, "module", "disable", name="keeper")
    for shard in range(4):
        keeper.kill(shard)
    keeper.ready(shards=4)
    # The first event of the server is this one, and its settings are loaded before it.
    assert "switched off in this server" in say(sim, "keeper", "get")


def test_what_crashed_is_shown(sim, make_fleet, folder):
    modules = os.path.join(folder, "modules")
    build(modules, "bomb", source("bomb", 'shoal_reply_text(inv, "tick");', ", SHOAL_EVENT_ROWS(events)", BOMB))
    fleet = make_fleet(sim, config={"modules.dir": modules, "modules.load": "*", "modules.breaker_crashes": 1})
    fleet.ready(shards=4)
    sim.say("bomb")
    fleet.wait_record("modules.switched_off", module="bomb")
    fleet.ready(shards=4)
    shown = say(sim, "module", "show", name="bomb")
    assert re.search(r"⚪ \*\*bomb\*\* on \(the default; switched off for now because it did not work properly; tried again <t:\d+:R>\)", shown), shown
