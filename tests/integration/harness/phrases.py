"""The catalogue of what members are told, as the worker prints it, and the finding of English where there should be none."""

import functools
import json
import re
import subprocess

import harness

LOCALES = {"de": "de", "es-ES": "es", "it": "it"}  # Discord's name of it, and the catalogue's
NAME = re.compile(r"\{\w*\}")
# Where words of ours stand in what the bot sends; not what an id, a mention or a link says.
WORDS = {"content", "title", "description", "text", "name", "value", "label", "placeholder"}
LONG = 10  # characters from which on a piece of a sentence is known for one, wherever it stands


@functools.lru_cache(None)
def catalogue():
    """[{owner, en, de, es, it}] of the core and of every module of this build."""
    done = subprocess.run([harness.program("shoal-shard"), "--phrases", "--modules", "*"], capture_output=True, check=True,
                          text=True)
    return json.loads(done.stdout)


def pieces(text):
    """The sentences, as far as no {name} breaks them."""
    return [piece.strip() for part in NAME.split(text) for piece in re.split(r"(?<=[.:;!?]) ", part)]


def said(body):
    """Every text of an answer's body, with the name under which it stands."""
    if isinstance(body, dict):
        for name, value in body.items():
            if isinstance(value, str) and name in WORDS:
                yield name, value
            else:
                yield from said(value)
    elif isinstance(body, list):
        for one in body:
            yield from said(one)


@functools.lru_cache(None)
def english_of(language):
    """(pieces of sentences, whole texts) that are English and nothing else, to be found where @language is spoken."""
    spoken = "\n".join(phrase[language] for phrase in catalogue())
    whole = {phrase[language] for phrase in catalogue()}
    parts = {piece for phrase in catalogue() for piece in pieces(phrase["en"])
             if len(piece) >= LONG and " " in piece and piece not in spoken}
    alone = {phrase["en"] for phrase in catalogue() if phrase["en"] not in whole and not NAME.search(phrase["en"])}
    return parts, alone


def english_in(body, language):
    """What of an answer's @body is English of the catalogue though @language is asked for."""
    parts, alone = english_of(language)
    found = []
    for name, text in said(body):
        plain = re.sub(r"```.*?```", " ", text, flags=re.S) if "```json" in text else text
        found += [f"{part!r} in {name}: {text!r}" for part in parts if part in plain]
        if text.strip("*` ") in alone:
            found.append(f"{name}: {text!r}")
    return found


@functools.lru_cache(None)
def known_by(language):
    """{the English of a phrase: its longest piece in @language}, of those that are long enough to be known by it."""
    longest = {phrase["en"]: max(pieces(phrase[language]), key=len) for phrase in catalogue()}
    return {english: piece for english, piece in longest.items() if len(piece) >= LONG}


def heard(bodies, language):
    """The phrases of the catalogue, by their English, that stand in @bodies in @language."""
    text = "\n".join(text for body in bodies for _, text in said(body))
    return {english for english, piece in known_by(language).items() if piece in text}
