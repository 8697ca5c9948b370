"""Is what shoal sent a request that Discord takes? Reads discord-sim's record of every REST request.

Two parts: checks of our own that always run (headers, paths, limits that no schema states), and Discord's OpenAPI paper
where it lies beside the tree (../shared/discord-openapi.json), adjusted as discord-facts section 20 says. Problems are
returned as sentences; an empty list means that all was well.
"""

import collections
import functools
import json
import os
import re
import urllib.parse

import harness

PAPER = os.environ.get("SHOAL_TEST_OPENAPI", os.path.join(harness.ROOT, "..", "shared", "discord-openapi.json"))
USER_AGENT = re.compile(r"^DiscordBot \(https?://[^\s,]+, [^\s)]+\)")
NO_TOKEN = re.compile(r"^/(interactions/\d+/[^/]+/callback$|webhooks/\d+/[^/]+)|^/gateway$")
AUDITED = re.compile(r"^[\x21-\x7e]*$")


def paper_is_here():
    return os.path.exists(PAPER)


def read_record_from(path, offset):
    """(the requests of a record file from a byte on, where to go on). A last line that is not whole yet is left out."""
    try:
        with open(path, "rb") as f:
            f.seek(offset)
            text = f.read()
    except FileNotFoundError:
        return [], offset
    whole = text[:text.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)


def read_record(path):
    """The requests of a record file, in order."""
    return read_record_from(path, 0)[0]


def headers_of(request):
    headers = request.get("headers") or {}
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {name.lower(): value for name, value in pairs}


def split_path(path):
    """The path below /api/vN, and the query."""
    path, _, query = path.partition("?")
    version = re.match(r"^/api/v(\d+)(/.*)$", path)
    return (int(version.group(1)), version.group(2), query) if version else (None, path, query)


# --- checks of our own ---------------------------------------------------------------------------------------------------


def _utf16(text):
    return len(text.encode("utf-16-le")) // 2


def _check_message(body, problems, edit=False):
    """The limits of a message: discord-facts section 16."""
    content = body.get("content")
    if content is not None and _utf16(content) > 2000:
        problems.append(f"content of {_utf16(content)} units is above 2000")
    embeds = body.get("embeds") or []
    if len(embeds) > 10:
        problems.append("more than 10 embeds")
    total = 0
    for embed in embeds:
        parts = [(embed.get("title"), 256), (embed.get("description"), 4096),
                 ((embed.get("footer") or {}).get("text"), 2048), ((embed.get("author") or {}).get("name"), 256)]
        if len(embed.get("fields") or []) > 25:
            problems.append("more than 25 fields")
        for field in embed.get("fields") or []:
            parts += [(field.get("name") or "", 256), (field.get("value") or "", 1024)]
            if not field.get("name") or not field.get("value"):
                problems.append("an embed field without name or value")
        for text, limit in parts:
            if text is not None:
                total += _utf16(text)
                if _utf16(text) > limit:
                    problems.append(f"an embed part of {_utf16(text)} units is above {limit}")
    if total > 6000:
        problems.append(f"embeds of {total} units in all are above 6000")
    if not edit and not any(body.get(key) for key in ("content", "embeds", "components", "sticker_ids", "poll",
                                                       "attachments", "message_reference")):
        problems.append("an empty message")
    flags = body.get("flags") or 0
    if flags & (1 << 15) and any(body.get(key) for key in ("content", "embeds", "poll", "sticker_ids")):
        problems.append("IS_COMPONENTS_V2 beside content or embeds")
    mentions = body.get("allowed_mentions")
    if mentions is None:
        problems.append("no allowed_mentions: the default lets user-made text ping")
    else:
        for kind in ("users", "roles"):
            if kind in (mentions.get("parse") or []) and mentions.get(kind):
                problems.append(f"allowed_mentions.parse names {kind} beside a list of them")
            if len(mentions.get(kind) or []) > 100:
                problems.append(f"more than 100 allowed {kind}")
    ids = []

    def walk(components):
        for component in components or []:
            if component.get("custom_id") is not None:
                ids.append(component["custom_id"])
                if not 1 <= _utf16(component["custom_id"]) <= 100:
                    problems.append("a custom_id outside 1-100")
            walk(component.get("components"))
    walk(body.get("components"))
    if len(ids) != len(set(ids)):
        problems.append("a custom_id twice in one message")


def _check_callback(body, problems):
    kind, data = body.get("type"), body.get("data") or {}
    if kind == 4:
        _check_message(data, problems)
    elif kind == 7:
        _check_message(data, problems, edit=True)
    elif kind == 9:
        if not 1 <= len(data.get("components") or []) <= 5:
            problems.append("a modal wants 1-5 components")
        if _utf16(data.get("title") or "") > 45:
            problems.append("a modal's title is above 45")
    elif kind == 8 and len(data.get("choices") or []) > 25:
        problems.append("more than 25 choices")


def _check_create_message(body, problems):
    _check_message(body, problems)
    nonce = body.get("nonce")
    if nonce is None or body.get("enforce_nonce") is not True:
        problems.append("a message without an enforced nonce: repeating it would double it")
    elif len(str(nonce)) > 25:
        problems.append("a nonce above 25 characters")


def _check_commands(body, problems):
    per_type = collections.Counter(command.get("type", 1) for command in body)
    for kind, limit in ((1, 100), (2, 15), (3, 15)):
        if per_type[kind] > limit:
            problems.append(f"{per_type[kind]} commands of type {kind} are above {limit}")
    for command in body:
        name = command.get("name", "")
        if command.get("type", 1) == 1:
            if not re.fullmatch(r"[-_'\w]{1,32}", name) or name != name.lower():
                problems.append(f"the command name {name!r} is not taken")
            if not 1 <= len(command.get("description", "")) <= 100:
                problems.append(f"{name}: a description outside 1-100")
        required_over = False
        for option in command.get("options") or []:
            if option.get("required") and required_over:
                problems.append(f"{name}: a required option behind an optional one")
            required_over = required_over or (not option.get("required") and option.get("type") not in (1, 2))


OWN_BODY_CHECKS = (
    ("POST", re.compile(r"^/interactions/\d+/[^/]+/callback$"), _check_callback),
    ("POST", re.compile(r"^/channels/\d+/messages$"), _check_create_message),
    ("PATCH", re.compile(r"^/channels/\d+/messages/\d+$"), lambda b, p: _check_message(b, p, edit=True)),
    ("POST", re.compile(r"^/webhooks/\d+/[^/]+$"), _check_message),
    ("PATCH", re.compile(r"^/webhooks/\d+/[^/]+/messages/[^/]+$"), lambda b, p: _check_message(b, p, edit=True)),
    ("PUT", re.compile(r"^/applications/\d+/(guilds/\d+/)?commands$"), _check_commands),
)


def check_own(request):
    """What no schema states, of one request."""
    problems = []
    version, path, query = split_path(request["path"])
    headers, body, method = headers_of(request), request.get("body") or "", request["method"]
    if version != 10:
        problems.append("is not below /api/v10")
    if not USER_AGENT.match(headers.get("user-agent", "")):
        problems.append(f"User-Agent {headers.get('user-agent')!r} is not `DiscordBot (url, version)`")
    if NO_TOKEN.match(path):
        if "authorization" in headers:
            problems.append("carries the bot's token where the path's own token is enough")
    elif not headers.get("authorization", "").startswith("Bot"):
        problems.append("carries no `Bot` authorization")
    if body and not headers.get("content-type", "").startswith(("application/json", "multipart/form-data")):
        problems.append(f"Content-Type {headers.get('content-type')!r} on a body")
    if not body and method in ("POST", "PUT", "PATCH") and headers.get("content-length", "0") != "0":
        problems.append("claims a body that is not there")
    if not AUDITED.match(headers.get("x-audit-log-reason", "")):
        problems.append("X-Audit-Log-Reason is not percent-encoded")
    for name, value in urllib.parse.parse_qsl(query):
        if name == "limit" and not (value.isdigit() and 1 <= int(value) <= 1000):
            problems.append(f"limit={value}")
    if body and headers.get("content-type", "").startswith("application/json"):
        try:
            parsed = json.loads(body)
        except ValueError as e:
            return problems + [f"body is no JSON: {e}"]
        for row_method, pattern, check in OWN_BODY_CHECKS:
            if row_method == method and pattern.match(path):
                check(parsed, problems)
    return problems


# --- Discord's paper -----------------------------------------------------------------------------------------------------


def _adjust(node):
    """oneOf becomes anyOf (its unions overlap), integers take digit strings (permissions are sent as such)."""
    if isinstance(node, list):
        return [_adjust(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _adjust(value) for key, value in node.items()}
    if "oneOf" in node:
        node.setdefault("anyOf", node.pop("oneOf"))
    kinds = node.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "integer" in kinds and "enum" not in node and "const" not in node and "allOf" not in node:
        plain = {key: node.pop(key) for key in ("minimum", "maximum", "format", "type") if key in node}
        node["anyOf"] = node.get("anyOf", []) + [plain, {"type": "string", "pattern": "^[0-9]+$"}]
    return node


@functools.lru_cache(maxsize=1)
def paper():
    """(spec, {method, segment count: [(braces, regex, operation)]})"""
    with open(PAPER, encoding="utf-8") as f:
        spec = _adjust(json.load(f))
    routes = collections.defaultdict(list)
    for template, item in spec["paths"].items():
        pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$")
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                routes[method.upper(), template.count("/")].append((template.count("{"), pattern, template,
                                                                    item[method]))
    for rows in routes.values():
        rows.sort(key=lambda row: row[0])
    return spec, routes


@functools.lru_cache(maxsize=None)
def _validator(template, method):
    from jsonschema import Draft202012Validator

    spec, routes = paper()
    for _, _, found, operation in routes[method, template.count("/")]:
        if found == template:
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" not in content:
                return None
            return Draft202012Validator({**content["application/json"]["schema"], "components": spec["components"]})
    return None


# What Discord's pages have and takes, and the paper has in its answers only.
PAGES_ALONE = {("application_commands", "nsfw")}


def _unknown_names(schema, value, spec, where, problems):
    """Names that no branch of the schema knows: the paper lets them pass, Discord would ignore them."""
    known, free, schemas = set(), False, [schema]
    parts = collections.defaultdict(list)
    while schemas:
        one = schemas.pop()
        if "$ref" in one:
            target = spec
            for word in one["$ref"].lstrip("#/").split("/"):
                target = target[word]
            schemas.append(target)
        for key in ("anyOf", "allOf"):
            schemas += one.get(key, [])
        if "additionalProperties" in one and one["additionalProperties"] is not False:
            free = True
        for name, below in one.get("properties", {}).items():
            known.add(name)
            parts[name].append(below)
        if "items" in one:
            parts[None].append(one["items"])
    if isinstance(value, dict) and known and not free:
        for name in value:
            if name not in known and not any(of in where and name == one for of, one in PAGES_ALONE):
                problems.append(f"{where}.{name} is not in Discord's paper")
            else:
                _unknown_names({"anyOf": parts[name]}, value[name], spec, f"{where}.{name}", problems)
    elif isinstance(value, list) and parts[None]:
        for index, item in enumerate(value):
            _unknown_names({"anyOf": parts[None]}, item, spec, f"{where}[{index}]", problems)


def check_paper(request):
    """One request against Discord's OpenAPI paper."""
    spec, routes = paper()
    _, path, _ = split_path(request["path"])
    method, body = request["method"], request.get("body") or ""
    for _, pattern, template, operation in routes[method, path.count("/")]:
        if pattern.match(path):
            break
    else:
        return [f"{method} {path} is no route of Discord's paper"]
    validator = _validator(template, method)
    if validator is None:
        return [f"{operation.get('operationId')} takes no body"] if body and "requestBody" not in operation else []
    # For unban_user_from_guild it lists an empty object; the documentation has a DELETE without a body.
    required = operation.get("requestBody", {}).get("required", False) and method != "DELETE"
    if not body:
        return [f"{operation.get('operationId')} wants a body"] if required else []
    try:
        parsed = json.loads(body)
    except ValueError:
        return []  # said by our own checks
    problems = [f"{operation.get('operationId')}: {'.'.join(str(p) for p in e.absolute_path)}: {e.message[:200]}"
                for e in validator.iter_errors(parsed)]
    _unknown_names(validator.schema, parsed, spec, operation.get("operationId"), problems)
    return problems


def check(requests):
    """All problems of many requests, each with its request named, and how many bodies were judged by the paper."""
    problems, judged = [], 0
    for request in requests:
        found = check_own(request)
        if paper_is_here():
            found += check_paper(request)
            judged += bool(request.get("body"))
        problems += [f"{request['method']} {request['path'].partition('?')[0]}: {text}" for text in found]
    return problems, judged
