"""Who may do what in a server: levels, lists, explanations, and what is done to members, as admins and members meet it."""

import json
import os
import re

import pytest

import harness
import procs
from harness import fleet as fleets
from harness import servers as server_tools
from harness.sim import text_of
from test_modules import build

ADMIN, MANAGER, NOBODY = str(1 << 3), str(1 << 5), "0"
KINDS = {"role": 8, "user": 6, "channel": 7}


@pytest.fixture
def private(own_stack):
    stack = own_stack(prefix="shoal-levels")
    done = server_tools.migrate(stack.postgres.url(), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


BOB = "555555555555555555"


def member(*roles, user=BOB, permissions=NOBODY):
    return {"member": {"user": {"id": user, "username": "bob", "discriminator": "0", "avatar": None, "global_name": None},
                       "roles": [str(role) for role in roles], "permissions": permissions, "deaf": False, "mute": False,
                       "joined_at": "2020-01-01T00:00:00+00:00", "flags": 0, "pending": False}}


def permissions(sim, child, guild=0, by=MANAGER, locale="en-US", resolved=None, user_index=9, **options):
    """/permissions CHILD by an admin: the words of the answer. for_ stands for the option `for`."""
    rows = [{"name": name.rstrip("_"), "type": KINDS.get(name, 3), "value": str(value)} for name, value in options.items()]
    named = {name: str(options[name]) for name in KINDS if name in options}
    found = {"role": {"name": "Some", "color": 0, "hoist": False, "position": 1, "permissions": "0", "managed": False,
                      "mentionable": False, "flags": 0},
             "user": {"username": "eve", "discriminator": "0", "avatar": None, "global_name": None},
             "channel": {"name": "some", "type": 0, "permissions": "0"}}
    data = {"resolved": {f"{name}s": {value: {"id": value, **found[name]}} for name, value in named.items()}}
    data["resolved"].update(resolved or {})
    more = {"data": data} if data["resolved"] else {}
    return text_of(sim.answer(sim.use("permissions", [{"name": child, "type": 1, "options": rows}], guild=guild,
                                      permissions=by, user_index=user_index, extra={"locale": locale}, **more)))


def ping(sim, *roles, guild=0, permissions=NOBODY, locale="en-US", user=BOB, **more):
    who = member(*roles, user=user, permissions=permissions)
    return text_of(sim.answer(sim.use("ping", guild=guild, extra={"locale": locale, **who}, **more))).lower()


def ids(sim, guild=0):
    return sim.get("/guild", index=guild)


def audit(fleet, event):
    with open(fleet.log, encoding="utf-8") as log:
        return [row for row in (json.loads(line) for line in log if line.startswith("{")) if row["event"] == event]


def test_lists_and_levels_of_a_server(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    guild = ids(sim)
    here, there = [one["id"] for one in guild["channels"] if one["type"] == 0][:2]
    categories = [one["id"] for one in guild["channels"] if one["type"] == 4]
    role, other = 111111111111111111, 222222222222222222
    assert "nothing is set" in permissions(sim, "show").lower()
    assert "pong" in ping(sim)

    # only a role
    assert "Done" in permissions(sim, "allow", for_="/ping", role=role)
    assert "not everybody" in ping(sim) and str(role) not in ping(sim)
    assert "nicht jeder" in ping(sim, locale="de")
    assert "pong" in ping(sim, role)
    assert "pong" in ping(sim, permissions=ADMIN), "no rule stops an administrator"
    assert "pong" in ping(sim, guild=1), "another server has its own rules"
    shown = permissions(sim, "show")
    assert f"`/ping`: only <@&{role}>" in shown, shown

    # a member with that role, but not he
    user = "333333333333333333"
    assert "Done" in permissions(sim, "deny", for_="/ping", user=user)
    assert "not everybody" in ping(sim, role, user=user)
    explained = permissions(sim, "explain", command="/ping", user=user, resolved={
        "users": {user: {"id": user, "username": "eve", "discriminator": "0", "avatar": None}},
        "members": {user: {"roles": [str(role)], "joined_at": "2020-01-01T00:00:00+00:00", "deaf": False, "mute": False,
                           "flags": 0, "permissions": "0"}}})
    assert "A rule for `/ping` says no" in explained and "Level here: *member*" in explained, explained

    # where
    assert "Done" in permissions(sim, "forget", for_="/ping")
    assert "pong" in ping(sim)
    assert "Done" in permissions(sim, "deny", for_="core", channel=here)
    assert "not work in this channel" in ping(sim)
    assert "pong" in ping(sim, channel_id=there)
    assert "not work in this channel" in text_of(sim.answer(sim.say("!ping"))), "messages, too"
    assert "Done" in permissions(sim, "forget", for_="core", channel=here, by=ADMIN)
    for category in categories:
        assert "Done" in permissions(sim, "deny", for_="core", channel=category)
    assert "not work in this channel" in ping(sim, channel_id=there), "a channel of a category"
    assert "Done" in permissions(sim, "forget", for_="core", by=ADMIN)

    # a level
    assert "Done" in permissions(sim, "need", for_="ping", level="helper")
    assert "helper" in ping(sim) and "helfer" in ping(sim, locale="de")
    assert "Done" in permissions(sim, "level", level="moderator", role=other)
    assert "pong" in ping(sim, other)
    assert "helper" in ping(sim, role)
    assert "pong" in ping(sim, permissions=str(1 << 13)), "Manage Messages makes a helper"
    assert "so already" in permissions(sim, "level", level="moderator", role=other)
    assert "Done" in permissions(sim, "level", level="member", role=other)
    assert "helper" in ping(sim, other)
    assert "Done" in permissions(sim, "need", for_="/ping", level="own")
    assert "pong" in ping(sim)

    # what can't be
    assert "no command and no module" in permissions(sim, "allow", for_="/nix", role=role)
    assert "no command and no module" in permissions(sim, "allow", for_="x" * 100, role=role)
    assert "name a role" in permissions(sim, "allow", for_="/ping")
    assert "name a role or a member" in permissions(sim, "level", level="admin")
    assert "no such command" in permissions(sim, "explain", command="/`rm`")
    assert "Manage Server" in permissions(sim, "show", by=NOBODY)
    assert "Line 1 of the rules" in text_of(sim.answer(sim.use(
        "settings", [{"name": "set", "type": 1, "options": [{"name": "name", "type": 3, "value": "access.rules"},
                                                            {"name": "value", "type": 3, "value": "permit all"}]}],
        permissions=MANAGER)))

    refused = audit(fleet, "commands.refused")
    assert {row["reason"] for row in refused} >= {"list_member", "list_channel", "level", "permission"}, refused
    assert all(row["level"] == "audit" and row["guild_id"] == str(guild["id"]) and row["module"] == "core" and row["user"]
               for row in refused), refused
    changed = [row for row in audit(fleet, "settings.changed") if row["setting"] == "access.rules"]
    assert changed and all(row["guild_id"] == str(guild["id"]) for row in changed)


def test_the_operator_keeps_a_user_out_everywhere(sim, make_fleet, private):
    user, boss = "333333333333333333", "444444444444444444"
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url, config={"discord.operators": boss})
    fleet.ready(shards=4)
    fleet.ctl("config", "set", "access.rules", f"deny all <@{user}> <@{boss}>")

    def refused():
        return "operator of this bot" in ping(sim, user=user, guild=2)

    procs.wait_until(refused, 30 * fleets.harness.PATIENCE, "the operator's rule", interval_s=0.1)
    assert "operator of this bot" in ping(sim, user=user, permissions=ADMIN)
    assert "pong" in ping(sim)
    assert "pong" in ping(sim, user=boss)
    bad = fleet.ctl_run("config", "set", "access.rules", "deny somebody")
    assert bad.returncode == 1 and "Line 1" in bad.stderr, bad


def test_who_is_forgotten_leaves_a_list_a_list(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    user = "333333333333333333"
    assert "Done" in permissions(sim, "allow", for_="/ping", user=user)
    assert "pong" in ping(sim, user=user)
    done = text_of(sim.answer(sim.use("privacy", [{"name": "delete", "type": 1, "options": [
        {"name": "confirm", "type": 5, "value": True}]}], user={"id": user, "username": "eve"})))
    assert "Done" in done, done

    def gone():
        stored = fleet.ctl("config", "get", "access.rules", "--guild", str(ids(sim)["id"]))["value"]
        return user not in stored and "allow /ping <@" in stored

    procs.wait_until(gone, 30 * fleets.harness.PATIENCE, "the member's name to go", interval_s=0.1)
    procs.wait_until(lambda: "not everybody" in ping(sim, user=user),
                     30 * fleets.harness.PATIENCE, "the worker to know", interval_s=0.1)
    assert "not everybody" in ping(sim), "it must not become open to all"


def test_the_language_of_a_server(sim, make_fleet, private):
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url)
    fleet.ready(shards=4)
    assert "Manage Server" in permissions(sim, "show", by=NOBODY, locale="fr")
    rows = [{"name": "name", "type": 3, "value": "locale.language"}, {"name": "value", "type": 3, "value": "it"}]
    sim.answer(sim.use("settings", [{"name": "set", "type": 1, "options": rows}], permissions=MANAGER))
    assert "Ti serve il permesso" in permissions(sim, "show", by=NOBODY, locale="de")
    assert "Ti serve il permesso" not in permissions(sim, "show", guild=1, by=NOBODY, locale="de")


GUARD = r'''
#include <shoal/module.h>

static bool allowed(struct shoal_invocation *inv, uint64_t target_id, const uint64_t *roles, size_t role_count)
{
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	struct shoal_act act = { .kind = SHOAL_ACT_KICK,
				 .guild = shoal_guild_get(scope, shoal_invocation_guild_id(inv)),
				 .bot_id = shoal_self(scope),
				 .asker_by_level = shoal_invocation_level(inv) >= SHOAL_LEVEL_MODERATOR,
				 .target = { .user_id = target_id, .roles = roles, .role_count = (uint32_t)role_count },
				 .target_is_member = true,
				 .now_ms = shoal_now_ms() };
	struct shoal_act_bar bar;

	if (!shoal_invocation_member(inv, &act.asker))
		return false;
	if (shoal_act_allowed(&act, &bar))
		return true;
	shoal_refuse(inv, bar.phrase, bar.words, bar.word_count);
	return false;
}

static void boot(struct shoal_invocation *inv)
{
	const struct shoal_resolved_user *user = shoal_option_user(inv, "user");
	struct shoal_button button = { .label = "Yes" };
	struct shoal_action_row row = { .buttons = &button, .button_count = 1 };
	struct shoal_content content = { .text = "Really?", .rows = &row, .row_count = 1 };
	char id[SHOAL_CUSTOM_ID_MAX + 1], target[32];

	if (!allowed(inv, user->id, user->roles, user->role_count))
		return;
	shoal_snowflake_print(user->id, target);
	if (shoal_custom_id(inv, "guard.yes", target, id) < 0)
		return;
	button.custom_id = id;
	shoal_reply(inv, &content);
}

static void yes(struct shoal_invocation *inv)
{
	const char *rest = shoal_invocation_custom_rest(inv);
	uint64_t target;

	if (shoal_snowflake_parse(rest, strlen(rest), &target) < 0 || !allowed(inv, target, NULL, 0))
		return;
	shoal_reply_text(inv, "booted");
}

static void secret(struct shoal_invocation *inv)
{
	shoal_reply_text(inv, "for operators");
}

static const struct shoal_command_option options[] = {
	{ .name = "user", .description = "Whom", .type = SHOAL_OPTION_USER, .required = true },
};
static const struct shoal_command boot_row = {
	.name = "boot", .description = "A test", .flags = SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_EITHER,
	.permissions = SHOAL_PERMISSION(KICK_MEMBERS), .level = SHOAL_LEVEL_MODERATOR, .options = options, .option_count = 1,
	.handle = boot,
};
static const struct shoal_command secret_row = {
	.name = "secret", .description = "A test", .level = SHOAL_LEVEL_OPERATOR, .handle = secret,
};
static const struct shoal_command *const commands[] = { &boot_row, &secret_row };
static const struct shoal_component_row components[] = {
	{ .prefix = "guard.yes", .flags = SHOAL_COMPONENT_OWN | SHOAL_COMPONENT_EITHER,
	  .permissions = SHOAL_PERMISSION(KICK_MEMBERS), .level = SHOAL_LEVEL_MODERATOR, .handle = yes },
};
SHOAL_MODULE(guard, .version = "1", .description = "A test", SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components));
'''
KICK = str(1 << 1)


def boot(sim, roles, target, by):
    rows = [{"name": "user", "type": 6, "value": target}]
    resolved = {"users": {target: {"id": target, "username": "eve", "discriminator": "0", "avatar": None}},
                "members": {target: {"roles": [], "joined_at": "2020-01-01T00:00:00+00:00", "deaf": False, "mute": False,
                                     "flags": 0, "permissions": "0"}}}
    return sim.answer(sim.use("boot", rows, data={"resolved": resolved}, extra=member(*roles, permissions=by)))


def press(sim, custom_id, roles, by):
    return text_of(sim.answer(sim.post("/interaction", type=3, guild_index=0, custom_id=custom_id,
                                       extra=member(*roles, permissions=by))["id"]))


def test_a_permission_that_is_gone_when_the_button_is_pressed(sim, make_fleet, private, folder):
    modules, boss = os.path.join(folder, "modules"), "444444444444444444"
    build(modules, "guard", GUARD)
    fleet = make_fleet(sim, database=private.postgres.url(), nats=private.nats.url,
                       config={"modules.dir": modules, "modules.load": "*", "discord.operators": boss})
    fleet.ready(shards=4)
    guild = ids(sim)
    assert guild["roles"], guild
    roles = [one["id"] if isinstance(one, dict) else one for one in guild["roles"]]
    high, target = str(roles[-1]), "666666666666666666"

    answer = boot(sim, [high], target, KICK)
    found = re.search(r"guard\.yes[^\"]*", json.dumps(answer))
    assert found, answer
    custom_id = found.group(0)
    assert "Kick Members" in press(sim, custom_id, [], NOBODY), "the role was taken away meanwhile"
    assert "stands above you" in press(sim, custom_id, [], KICK), "the permission is there, the rank is not"
    assert press(sim, custom_id, [high], KICK) == "booted"

    # Not from the beginning, either; and a server may give it to those who lack the permission.
    refused = text_of(boot(sim, [high], target, NOBODY))
    assert "Kick Members" in refused and "moderator" in refused, refused
    assert "to yourself" in text_of(boot(sim, [high], BOB, KICK))
    assert "Done" in permissions(sim, "level", level="moderator", role=high)
    assert re.search(r"guard\.yes", json.dumps(boot(sim, [high], target, NOBODY)))
    assert press(sim, custom_id, [high], NOBODY) == "booted"
    assert "Done" in permissions(sim, "deny", for_="guard", user=BOB)
    assert "not everybody" in press(sim, custom_id, [high], NOBODY), "lists count for buttons, too"

    # The operator's own, which a server can't give away.
    assert "those who run this bot" in text_of(sim.answer(sim.use("secret", permissions=ADMIN)))
    assert text_of(sim.answer(sim.use("secret", extra=member(user=boss)))) == "for operators"
    assert "can't change that" in permissions(sim, "need", for_="/secret", level="member")
