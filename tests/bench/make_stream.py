#!/usr/bin/python3
"""Makes the bench's stream of events: stream.jsonl.xz and stream.counts.json. Same bytes on every run: one seed.

  make_stream.py              writes both beside this file
  make_stream.py --check      makes them anew in memory and says whether the committed ones are these

One line an event, {"t":…,"d":…}, as POST /flood of discord-sim takes it. The guilds come first, whole, so that a
library with a cache knows who and where the others are about. What is written is made to be as hard to compress and
to parse as the real thing: names and words of many languages with the frequencies of speech, ids with their random
bits, members with roles of their guild, now and then a link, an embed, an attachment, a reply that quotes.
"""

import argparse
import bisect
import collections
import hashlib
import itertools
import json
import lzma
import os
import random
import sys

import words

HERE = os.path.dirname(os.path.abspath(__file__))
STREAM, COUNTS = os.path.join(HERE, "stream.jsonl.xz"), os.path.join(HERE, "stream.counts.json")

SEED = 20260804
EVENTS = 10000
GUILDS = 20
DISCORD_EPOCH_MS = 1420070400000
START_MS = 1785860401123  # 4 August 2026, late afternoon
# Of 10,000; the rest of them are the guilds.
SHARES = {
    "MESSAGE_CREATE": 3840,
    "PRESENCE_UPDATE": 1920,
    "TYPING_START": 1800,
    "MESSAGE_REACTION_ADD": 1000,
    "MESSAGE_REACTION_REMOVE": 120,
    "GUILD_MEMBER_UPDATE": 450,
    "MESSAGE_UPDATE": 450,
    "MESSAGE_DELETE": 400,
}


class Zipf:
    """Picks from a list as speech does: the first often, the last hardly ever."""

    def __init__(self, rng, items, skew=1.0):
        self.rng, self.items = rng, items
        self.sums = list(itertools.accumulate(1 / (rank + 2) ** skew for rank in range(len(items))))

    def pick(self):
        return self.items[bisect.bisect(self.sums, self.rng.random() * self.sums[-1])]


class World:
    """Users, guilds, and the clock that ids and times are made of."""

    def __init__(self):
        self.rng = random.Random(SEED)
        self.now_ms = START_MS
        self.speech = {name: Zipf(self.rng, tongue.split()) for name, tongue in words.TONGUES.items()}
        self.tongues = Zipf(self.rng, list(words.TONGUES), 0.8)
        self.names = Zipf(self.rng, words.NAMES.split(), 0.3)
        self.emoji = Zipf(self.rng, words.EMOJI.split(), 0.9)
        self.users = [self.make_user() for _ in range(3000)]
        self.guilds = [self.make_guild(i) for i in range(GUILDS)]
        self.busy_guilds = Zipf(self.rng, self.guilds, 0.7)

    # --- small things ----------------------------------------------------------------------------------------------

    def chance(self, share):
        return self.rng.random() < share

    def snowflake(self, ms=None):
        ms = self.now_ms if ms is None else ms
        return str((int(ms) - DISCORD_EPOCH_MS << 22) | self.rng.getrandbits(2) << 17 | self.rng.getrandbits(5) << 12
                   | int(self.rng.expovariate(1 / 40)) & 0xfff)

    def past_id(self, years=6):
        return self.snowflake(START_MS - self.rng.random() * years * 31557600000)

    def iso(self, ms=None, micro=True):
        ms = int(self.now_ms if ms is None else ms)
        seconds, rest = divmod(ms, 1000)
        days, day_s = divmod(seconds, 86400)
        # Days since 1970 as a date of the civil calendar.
        z = days + 719468
        era, doe = divmod(z, 146097)
        yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
        doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
        mp = (5 * doy + 2) // 153
        day, month = doy - (153 * mp + 2) // 5 + 1, mp + 3 if mp < 10 else mp - 9
        year = yoe + era * 400 + (month <= 2)
        fraction = f".{rest * 1000 + (self.rng.randrange(1000) if micro else 0):06d}"
        return (f"{year:04d}-{month:02d}-{day:02d}T{day_s // 3600:02d}:{day_s // 60 % 60:02d}:{day_s % 60:02d}"
                f"{fraction}+00:00")

    def hash(self):
        return f"{self.rng.getrandbits(128):032x}"

    def say(self, tongue, mean):
        """Words of one language, with what people put between them."""
        count = max(1, int(self.rng.lognormvariate(0, 0.8) * mean))
        speech, text = self.speech[tongue], []
        for _ in range(min(count, 220)):
            word = speech.pick()
            roll = self.rng.random()
            if roll < 0.03:
                word += self.emoji.pick()
            elif roll < 0.05:
                word += self.rng.choice([",", ".", "!", "?", "...", "\n"])
            elif roll < 0.056:
                word = f"<@{self.rng.choice(self.users)['id']}>"
            elif roll < 0.060:
                word = f"<:{self.names.pick().lower()}:{self.past_id(3)}>"
            elif roll < 0.063:
                word = f"\"{word}\""
            text.append(word)
        return ("" if tongue in words.UNSPACED else " ").join(text)

    # --- people and places -----------------------------------------------------------------------------------------

    def make_user(self):
        name = self.names.pick()
        suffix = f"{self.rng.choice(['', '.', '_'])}{self.rng.choice(['', self.rng.randrange(9999)])}"
        user = {"username": f"{name.lower()}{suffix}",
                "public_flags": self.rng.choice([0, 0, 0, 64, 128, 256, 4194304, 4194432]),
                "primary_guild": None, "id": self.past_id(8),
                "global_name": f"{name}{self.rng.choice(['', ' ' + self.names.pick(), ' ' + self.emoji.pick()])}"
                if self.chance(0.7) else None,
                "discriminator": "0", "display_name_styles": None, "collectibles": None, "clan": None,
                "avatar_decoration_data": None, "avatar": self.hash() if self.chance(0.85) else None}
        if self.chance(0.12):
            tag = {"tag": self.names.pick()[:4].upper(), "identity_guild_id": self.past_id(4), "identity_enabled": True,
                   "badge": self.hash()}
            user["primary_guild"] = user["clan"] = tag
        if self.chance(0.1):
            user["avatar_decoration_data"] = {"sku_id": self.past_id(2), "expires_at": None,
                                              "asset": "a_" + self.hash()}
        if self.chance(0.02):
            user["bot"] = True
        return user

    def make_member(self, guild):
        nick = f"{self.names.pick()} {self.emoji.pick()}" if self.chance(0.35) else None
        held = min(len(guild["roles"]) - 1, int(self.rng.expovariate(0.5)))
        return {"roles": self.rng.sample([role["id"] for role in guild["roles"][1:]], held),
                "premium_since": self.iso(START_MS - self.rng.random() * 4e10) if self.chance(0.06) else None,
                "pending": False, "nick": nick, "mute": False,
                "joined_at": self.iso(START_MS - self.rng.random() * 1.5e11),
                "flags": self.rng.choice([0, 0, 0, 2, 10, 11]), "deaf": False, "communication_disabled_until": None,
                "banner": None, "avatar": self.hash() if self.chance(0.05) else None}

    def make_role(self, guild_id, position):
        return {"version": START_MS - self.rng.randrange(10 ** 10),
                "unicode_emoji": None, "tags": {}, "position": position,
                "permissions": str(self.rng.getrandbits(52) & 0x7fffdffffffff), "name": self.names.pick() if position
                else "@everyone", "mentionable": self.chance(0.3), "managed": self.chance(0.1),
                "id": self.past_id(5) if position else guild_id, "icon": None, "hoist": self.chance(0.4), "flags": 0,
                "colors": {"tertiary_color": None, "secondary_color": None, "primary_color": 0},
                "color": self.rng.choice([0, self.rng.getrandbits(24)])}

    def make_channel(self, guild, position):
        kind = 4 if position % 7 == 0 else 2 if position % 5 == 0 else 0
        channel = {"version": START_MS - self.rng.randrange(10 ** 10), "type": kind, "position": position,
                   "permission_overwrites": [
                       {"type": 0, "id": self.rng.choice(guild["roles"])["id"], "deny": str(self.rng.getrandbits(40)),
                        "allow": str(self.rng.getrandbits(30))} for _ in range(self.rng.randrange(3))],
                   "name": self.say(guild["tongue"], 1.6)[:60].lower(), "id": self.past_id(5), "flags": 0}
        if kind == 0:
            channel.update(topic=self.say(guild["tongue"], 9)[:400] if self.chance(0.5) else None,
                           rate_limit_per_user=self.rng.choice([0, 0, 0, 5]), parent_id=self.past_id(5),
                           last_message_id=self.past_id(0.2), icon_emoji={"name": self.emoji.pick(), "id": None})
        elif kind == 2:
            channel.update(user_limit=0, rtc_region=None, parent_id=self.past_id(5), bitrate=64000)
        return channel

    def make_guild(self, index):
        guild = {"tongue": list(words.TONGUES)[index % len(words.TONGUES)], "id": self.past_id(7)}
        guild["roles"] = [self.make_role(guild["id"], i) for i in range(10)]
        guild["channels"] = [self.make_channel(guild, i) for i in range(20)]
        guild["text"] = Zipf(self.rng, [c["id"] for c in guild["channels"] if c["type"] == 0], 1.2)
        people = self.rng.sample(self.users, 150)
        guild["members"] = [(user, self.make_member(guild)) for user in people]
        guild["active"] = Zipf(self.rng, guild["members"], 0.8)
        guild["recent"] = collections.deque(maxlen=40)
        return guild

    # --- events ----------------------------------------------------------------------------------------------------

    def guild_create(self, index):
        guild = self.guilds[index]
        shown = guild["members"][:8 + index]
        return {"voice_states": [], "version": self.now_ms, "verification_level": 1, "vanity_url_code": None,
                "unavailable": False, "threads": [], "system_channel_id": guild["channels"][1]["id"],
                "system_channel_flags": 0, "stickers": [], "stage_instances": [], "splash": None,
                "soundboard_sounds": [], "safety_alerts_channel_id": None, "rules_channel_id": None,
                "roles": guild["roles"], "region": "deprecated", "public_updates_channel_id": None,
                "presences": [self.presence(user, None) for user, _ in shown[::3]], "premium_tier": 0,
                "premium_subscription_count": 2, "premium_progress_bar_enabled": False, "preferred_locale": "en-US",
                "owner_id": shown[0][0]["id"], "nsfw_level": 0, "nsfw": False,
                "name": self.say(guild["tongue"], 2.5)[:80], "mfa_level": 0,
                "members": [{"user": user, **member} for user, member in shown], "member_count": 40 + index * 977,
                "max_video_channel_users": 25, "max_stage_video_channel_users": 50, "max_members": 500000,
                "lazy": True, "large": index * 977 > 50, "latest_onboarding_question_id": None,
                "joined_at": self.iso(START_MS - 8e9), "inventory_settings": None, "incidents_data": None,
                "id": guild["id"], "icon": self.hash(), "home_header": None, "hub_type": None,
                "guild_scheduled_events": [], "features": ["NEWS", "COMMUNITY"][: index % 3],
                "explicit_content_filter": 2,
                "emojis": [{"version": 0, "roles": [], "require_colons": True, "name": self.names.pick().lower(),
                            "managed": False, "id": self.past_id(4), "available": True, "animated": self.chance(0.3)}
                           for _ in range(index)],
                "embedded_activities": [], "discovery_splash": None, "description": None,
                "default_message_notifications": 1, "channels": guild["channels"], "banner": None,
                "application_id": None, "afk_timeout": 300, "afk_channel_id": None,
                "activity_instances": []}

    def mention(self, guild):
        user, member = guild["active"].pick()
        return {**user, "member": member}

    def embed(self, guild):
        site = self.rng.choice(words.SITES.split())
        return {"type": "rich", "url": f"https://{site}/{self.names.pick()}/{self.rng.getrandbits(40):x}",
                "title": self.say(guild["tongue"], 6)[:256], "description": self.say(guild["tongue"], 25)[:1000],
                "color": self.rng.getrandbits(24),
                "thumbnail": {"width": 1280, "url": f"https://{site}/i/{self.hash()}.jpg", "proxy_url":
                              f"https://images.example/external/{self.hash()}/{site}/i.jpg", "placeholder_version": 1,
                              "height": 720, "flags": 0}}

    def attachment(self):
        at = self.past_id(0.01)
        name = f"image{self.rng.randrange(100)}.png"
        query = f"ex={self.rng.getrandbits(32):x}&is={self.rng.getrandbits(32):x}&hm={self.hash()}{self.hash()}&"
        return {"width": 1170, "url": f"https://cdn.example/attachments/{at}/{name}?{query}",
                "size": self.rng.randrange(3000000),
                "proxy_url": f"https://media.example/attachments/{at}/{name}?{query}",
                "placeholder_version": 1, "placeholder": self.hash()[:20], "id": at, "height": 2532, "filename": name,
                "content_type": "image/png", "content_scan_version": 4}

    def message_body(self, guild, author, member, message_id):
        content = self.say(guild["tongue"] if self.chance(0.8) else self.tongues.pick(), 9)[:2000]
        if self.chance(0.02):
            content = f"{self.rng.choice('?-.+')}{self.names.pick().lower()} {content}"[:2000]
        if self.chance(0.05):
            content += f" https://{self.rng.choice(words.SITES.split())}/{self.rng.getrandbits(60):x}"
        return {"type": 0, "tts": False, "timestamp": self.iso(), "pinned": False,
                "mentions": [self.mention(guild)] if self.chance(0.12) else [],
                "mention_roles": [], "mention_everyone": False, "member": member, "id": message_id, "flags": 0,
                "embeds": [self.embed(guild)] if self.chance(0.035) else [], "edited_timestamp": None,
                "content": content, "components": [], "channel_type": 0, "channel_id": guild["text"].pick(),
                "author": author, "attachments": [self.attachment()] if self.chance(0.045) else [],
                "guild_id": guild["id"]}

    def message_create(self, guild):
        user, member = guild["active"].pick()
        body = self.message_body(guild, user, member, self.snowflake())
        body["nonce"] = self.snowflake(self.now_ms - 200)
        if guild["recent"] and self.chance(0.10):
            quoted = {key: value for key, value in self.rng.choice(guild["recent"]).items()
                      if key not in ("member", "guild_id", "nonce", "referenced_message")}
            body.update(type=19, message_reference={"type": 0, "message_id": quoted["id"], "guild_id": guild["id"],
                                                    "channel_id": quoted["channel_id"]}, referenced_message=quoted)
        body = dict(sorted(body.items(), reverse=True))  # Discord's own order
        guild["recent"].append(body)
        return body

    def message_update(self, guild):
        if not guild["recent"]:
            return self.message_create(guild)
        body = {key: value for key, value in self.rng.choice(guild["recent"]).items() if key != "nonce"}
        body.update(edited_timestamp=self.iso(), content=self.say(guild["tongue"], 12)[:2000])
        return body

    def message_delete(self, guild):
        if guild["recent"]:
            gone = self.rng.choice(guild["recent"])
            return {"id": gone["id"], "channel_id": gone["channel_id"], "guild_id": guild["id"]}
        return {"id": self.past_id(0.1), "channel_id": guild["text"].pick(), "guild_id": guild["id"]}

    def presence(self, user, guild):
        status = self.rng.choice(["online", "online", "idle", "dnd", "offline"])
        activities = []
        if status != "offline" and self.chance(0.4):
            activities.append({"type": 0, "name": f"{self.names.pick()} {self.names.pick()}",
                               "id": self.hash()[:16], "created_at": self.now_ms - self.rng.randrange(10 ** 7)})
        elif status != "offline" and self.chance(0.25):
            activities.append({"type": 4, "state": self.say(self.tongues.pick(), 4)[:128], "name": "Custom Status",
                               "id": "custom", "created_at": self.now_ms - self.rng.randrange(10 ** 9)})
        body = {"user": {"id": user["id"]}, "status": status, "processed_at_timestamp": self.now_ms,
                "game": activities[0] if activities else None}
        if guild:
            body["guild_id"] = guild["id"]
        body.update(client_status={} if status == "offline"
                    else {self.rng.choice(["desktop", "mobile", "web"]): status},
                    broadcast=None, activities=activities)
        return body

    def presence_update(self, guild):
        return self.presence(guild["active"].pick()[0], guild)

    def typing_start(self, guild):
        user, member = guild["active"].pick()
        return {"user_id": user["id"], "timestamp": self.now_ms // 1000, "member": {"user": user, **member},
                "channel_id": guild["text"].pick(), "guild_id": guild["id"]}

    def reaction_emoji(self):
        if self.chance(0.6):
            return {"name": self.emoji.pick(), "id": None}
        return {"name": self.names.pick().lower(), "id": self.past_id(3), "animated": self.chance(0.2)}

    def message_reaction_add(self, guild):
        user, member = guild["active"].pick()
        at = self.rng.choice(guild["recent"]) if guild["recent"] else None
        return {"user_id": user["id"], "type": 0, "message_id": at["id"] if at else self.past_id(0.1),
                "message_author_id": at["author"]["id"] if at else user["id"], "member": {"user": user, **member},
                "emoji": self.reaction_emoji(), "channel_id": at["channel_id"] if at else guild["text"].pick(),
                "burst": False, "guild_id": guild["id"]}

    def message_reaction_remove(self, guild):
        body = self.message_reaction_add(guild)
        return {key: body[key] for key in ("user_id", "type", "message_id", "emoji", "channel_id", "burst", "guild_id")}

    def guild_member_update(self, guild):
        place = self.rng.randrange(len(guild["members"]))
        user, _ = guild["members"][place]
        return {"user": user, **self.make_member(guild), "unusual_dm_activity_until": None, "guild_id": guild["id"]}

    def events(self):
        for index in range(GUILDS):
            yield "GUILD_CREATE", self.guild_create(index)
        names = [name for name, count in SHARES.items() for _ in range(count)]
        self.rng.shuffle(names)
        for name in names:
            self.now_ms += int(self.rng.expovariate(1 / 9))
            yield name, getattr(self, name.lower())(self.busy_guilds.pick())


def make():
    """(the stream's bytes, its counts)"""
    world, lines, count, size = World(), [], collections.Counter(), collections.Counter()
    for name, body in world.events():
        d = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        lines.append(f'{{"t":"{name}","d":{d}}}\n')
        count[name] += 1
        # As it goes out: with a sequence of six digits.
        size[name] += len(f'{{"t":"{name}","s":123456,"op":0,"d":{d}}}'.encode())
    text = "".join(lines).encode()
    assert len(lines) == EVENTS, len(lines)
    counts = {"events": EVENTS, "payload_bytes": sum(size.values()),
              "payload_bytes_mean": round(sum(size.values()) / EVENTS, 1), "sha256": hashlib.sha256(text).hexdigest(),
              "types": {name: {"events": n, "payload_bytes_mean": round(size[name] / n, 1)}
                        for name, n in count.most_common()}}
    return text, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    options = parser.parse_args()
    text, counts = make()
    if options.check:
        with lzma.open(STREAM) as f, open(COUNTS, encoding="utf-8") as g:
            same = f.read() == text and json.load(g) == counts
        print("the committed stream is what is made" if same else "the committed stream DIFFERS from what is made")
        sys.exit(0 if same else 1)
    with open(STREAM, "wb") as f:
        f.write(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    with open(COUNTS, "w", encoding="utf-8") as f:
        json.dump(counts, f, indent=1)
        f.write("\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
