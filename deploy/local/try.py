#!/usr/bin/python3
"""Uses a command of the bot in a running `make run`, as a member of the fake Discord, and prints the answer:

    deploy/local/try.py ADDRESS hello whom=world
    deploy/local/try.py ADDRESS settings show name=commands.prefix

ADDRESS is what `make run` prints after "act". Values are taken as text, whole numbers as integers, true and false as
such. The member may manage the server."""

import json
import sys
import time
import urllib.request

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
MANAGER = str(1 << 5)
WAIT_S = 10


def ask(url, body=None):
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(),
                                     headers={"User-Agent": "DiscordBot (try, 1)", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return json.load(answer)


def option(text):
    name, _, value = text.partition("=")
    if value.lstrip("-").isdigit():
        return {"name": name, "type": INTEGER, "value": int(value)}
    if value in ("true", "false"):
        return {"name": name, "type": BOOLEAN, "value": value == "true"}
    return {"name": name, "type": STRING, "value": value}


def options_of(words):
    """What stands before the first value are the names of a subcommand and its group."""
    names = [word for word in words if "=" not in word]
    options = [option(word) for word in words if "=" in word]
    for name, kind in zip(reversed(names), (SUBCOMMAND, GROUP)):
        options = [{"name": name, "type": kind, "options": options}]
    return options


def find_commands(state):
    """Objects with an application_id, wherever they stand."""
    if isinstance(state, dict):
        if "application_id" in state:
            yield state
        state = list(state.values())
    if isinstance(state, list):
        for one in state:
            yield from find_commands(one)


def main(address, command, *words):
    used = ask(f"{address}/interaction", {"name": command, "guild_index": 0, "options": options_of(words),
                                          "permissions": MANAGER})
    deadline = time.monotonic() + WAIT_S
    while not ask(f"{address}/trace?id={used['id']}")["entry"]["answers"]:
        if time.monotonic() > deadline:
            sys.exit(f"no answer within {WAIT_S} s: is it in `build/shoalctl module list`?")
        time.sleep(0.02)
    # Discord says who we are on every command that it has registered for us.
    application = next(one["application_id"] for one in find_commands(ask(f"{address}/state")["commands"]))
    answer = ask(f"{ask(f'{address}/urls')['api']}/webhooks/{application}/{used['token']}/messages/@original")
    print(answer["content"])
    for one in answer.get("attachments") or []:
        print(f"[file {one.get('filename')}, {one.get('size')} bytes]")
    for row in answer.get("components") or []:
        print("  ".join(f"[{one.get('label') or one.get('custom_id')}]" for one in row["components"]))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1].rstrip("/"), *sys.argv[2:])
