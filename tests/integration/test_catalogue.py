"""What the worker's own commands say to members comes from the catalogue of phrases: no sentence stands in their code."""

import glob
import os
import re

import harness

# Rows that Discord shows, our log, and what is no sentence for a member.
NOT_SAID = re.compile(r"#include|\.description\b|\.name\b|SHOAL_LOCAL|SHOAL_PHRASE|NAMED\(|CHILD\(|LEVEL\(|log_\w+\(|KV_\w+\(|SHOAL_MODULE\("
                      r"|invocation_incident\(")
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[ ,:]+[A-Za-z]{2,}|\b[A-Z]?[a-z]{3,}[.:!?]")
SAYS = re.compile(r"(shoal_reply_printf|shoal_reply_error|shoal_reply_text|invocation_reply_error|invocation_reply_text)"
                  r"\(\s*[\w>.-]+,\s*\"(?!(?:%s)+\")")


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
            plain = re.sub(r"\\.|%[-.\d*]*[a-z]+|<[^>]*>|`[^`]*`", " ", literal)
            if TWO_WORDS.search(plain):
                found.append(literal)
    return found


def test_no_sentence_stands_in_the_code():
    files = sorted(glob.glob(os.path.join(harness.ROOT, "shard", "*", "builtin_*.c")))
    assert len(files) >= 8, files
    said = {os.path.basename(path): sentences(open(path, encoding="utf-8").read()) for path in files}
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
