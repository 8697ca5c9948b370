"""What members are told comes from the catalogue of phrases: no sentence stands in the code, and every phrase is there in
each language. (test_every_answer.py listens to what is said.)"""

import glob
import os
import re

import harness
from harness import phrases

# Rows that Discord shows, our log, and what is no sentence for a member.
NOT_SAID = re.compile(r"#include|\.description\b|\.name\b|SHOAL_LOCAL|SHOAL_PHRASE|NAMED\(|CHILD\(|LEVEL\(|log_\w+\(|KV_\w+\(|SHOAL_MODULE\("
                      r"|incident(?:_phrase)?\(|shoal_log\(|\.sql\b|define P\(|\b[A-Z]+_PHRASES\(|return invalid\(|refuse\(error"
                      r"|_Static_assert")
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[ ,:]+[A-Za-z]{2,}|\b[A-Z]?[a-z]{3,}[.:!?]")
SAYS = re.compile(r"(shoal_reply_printf|shoal_reply_error|shoal_reply_text|invocation_reply_error|invocation_reply_text)"
                  r"\(\s*[\w>.-]+,\s*\"(?!(?:%s)+\")"
                  r"|\.(?:label|title|placeholder|footer)\s*=\s*\"[^\"]*[A-Za-z]{2}")
# Where words for members are put together: the commands, and every module.
SPEAKERS = ["shard/*/builtin_*.c", "shard/modules/*/*.c", "shard/commands/*.c", "shared/discord/hierarchy.c",
            "shared/settings/settings_write.c"]
# What these say is for operators, module authors or the log.
OTHERS = {"registration.c", "registry.c", "components.c", "settings_write.c", "content.c", "fleet_stats.c", "seal.c", "poll_store.c"}


def statements(text):
    """The code without comments, cut where a statement or an initialiser ends."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = "\n".join(line for line in text.split("\n") if not line.startswith("#include"))
    return re.split(r"[;{}](?=(?:[^\"\n]|\"(?:[^\"\\]|\\.)*\")*(?:\n|$))", text)


def sentences(text):
    found = [match.group(0) for match in SAYS.finditer(text)]
    for statement in statements(text):
        if NOT_SAID.search(statement):
            continue
        for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', statement):
            plain = re.sub(r"\w*://\S*|\\.|%[-.\d*]*[a-z]+|<[^>]*>|`[^`]*`|[a-z_]+\.[a-z_]+(?=[:%]|$)", " ", literal)
            if TWO_WORDS.search(plain):
                found.append(literal)
    return found


def test_no_sentence_stands_in_the_code():
    files = sorted({path for pattern in SPEAKERS for path in glob.glob(os.path.join(harness.ROOT, pattern))
                    if not os.path.basename(path).startswith("test_") and os.path.basename(path) not in OTHERS})
    assert len(files) >= 40, files
    said = {os.path.relpath(path, harness.ROOT): sentences(open(path, encoding="utf-8").read()) for path in files}
    assert not {name: found for name, found in said.items() if found}


def test_a_sentence_would_be_found():
    for bad in ('static void f(void)\n{\n\tshoal_reply_text(inv, "Done");\n}\n',
                'static void f(void)\n{\n\tbuf_append_str(&out, "That did not work");\n}\n',
                'static const char *const words[] = {\n\t"the default",\n};\n',
                'static void f(void)\n{\n\tinvocation_reply_error(inv, "no %s", x);\n}\n'):
        assert sentences(bad), bad
    for good in ('static const struct shoal_command c = {\n\t.description = "What this bot can do",\n};\n',
                 'static void f(void)\n{\n\tlog_warn(ctx, "a.b", KV_MSG("this is for the log"));\n}\n',
                 'static void f(void)\n{\n\tbuf_printf(&out, "<#%llu> `%s`", x, y);\n}\n'):
        assert not sentences(good), good


def test_every_phrase_is_in_every_language():
    """Those of the core and of all modules of this build; the {names} are held together where a module is loaded."""
    catalogue = phrases.catalogue()
    assert len(catalogue) > 500 and {"core", "admin", "echo", "remind", "utility"} == {one["owner"] for one in catalogue}
    assert not [one for one in catalogue if not all(one[language] for language in ("en", "de", "es", "it"))]
    for language in ("de", "es", "it"):
        differ = [one for one in catalogue
                  if sorted(phrases.NAME.findall(one["en"])) != sorted(phrases.NAME.findall(one[language]))]
        assert not differ, differ
        # What is the same in two languages is a name or a sign, no sentence.
        same = [one["en"] for one in catalogue if one["en"] == one[language] and re.search(r"[a-z]{2,} [a-z]{2,} [a-z]", one["en"])]
        assert not same, same


def test_english_would_be_found():
    for body in ({"data": {"content": "**There is no such command.** `/help` lists them all."}},
                 {"embeds": [{"fields": [{"name": "Username", "value": "mia"}]}]},
                 {"components": [{"components": [{"type": 2, "label": "Delete it"}]}]}):
        assert phrases.english_in(body, "de"), body
    for body in ({"content": "Diesen Befehl gibt es nicht. `/help` nennt alle."},
                 {"embeds": [{"title": "📊 Tea?", "fields": [{"name": "Benutzername", "value": "`Delete it`y"}]}]}):
        assert not phrases.english_in(body, "de"), body
