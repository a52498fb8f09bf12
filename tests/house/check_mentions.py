#!/usr/bin/python3
"""What the tree must not say, and what it says must be there.

    * nothing left behind: notes to oneself, placeholders
    * nothing of one machine: absolute paths of somebody's folders
    * nothing that a reader of the tree alone cannot look up: numbers of tickets, documents
      that are not here. Every document that is named, and every link in one, exists

    check_mentions.py [TREE]   default: $srcdir, else the current folder

Exit status: 0 nothing wrong, 1 offences (each with file and line), 2 usage.
"""
import os
import re
import sys

OWN_PATH = "tests/house/check_mentions.py"

# Made by the build or by others; inputs that are bytes, not text; the licence's own words.
SKIPPED_FOLDERS = {".git", "autom4te.cache", "build-aux", "m4", "build", "corpus", "__pycache__"}
SKIPPED_NAMES = {".git", "configure", "configure~", "aclocal.m4", "config.h.in", "config.h.in~",
                 "Makefile.in", "Makefile", "config.status", "config.log", "config.h", "LICENSE"}
BYTES_MAX = 4 << 20

FORBIDDEN = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK|TBD|WIP)\b"), "a note to oneself"),
    (re.compile(r"\b(not (yet )?implemented|placeholder|lorem ipsum)\b", re.I), "a placeholder"),
    (re.compile(r"(?<![\w.$}-])/(work|home|root|Users)/\w"), "a path of one machine"),
    (re.compile(r"/tmp/(?!skyferry|X)\w+/"), "a path of one machine"),
    (re.compile(r"\b(see|by|as|in|of|fix(es)?|closes?) (issue|ticket|bug) \d+\b|(?<!report )(?<![\w&])#\d+\b(?!\.)",
                re.I), "a number of a tracker"),
    (re.compile(r"\b(BLUEPRINT|RULES R\d|RULES\b(?=[ ,.)]))"), "a document that is not here"),
]
# A hash and a number mean something else in these.
NO_NUMBERS = (".svg", ".css", "_html.c", ".service", ".1", ".5", ".8", ".m4")

DOCUMENT = re.compile(r"[\w./-]*\b[\w-]+\.(?:md|cddl)\b")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def files(tree):
    for where, folders, names in os.walk(tree):
        folders[:] = sorted(folder for folder in folders if folder not in SKIPPED_FOLDERS and
                            not os.path.exists(os.path.join(where, folder, "config.status")))
        for name in sorted(names):
            path = os.path.join(where, name)
            if name not in SKIPPED_NAMES and os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, tree)


def text_of(path):
    if os.path.getsize(path) > BYTES_MAX:
        return None
    with open(path, "rb") as file:
        data = file.read()
    if b"\0" in data:
        return None
    return data.decode("utf-8", "replace")


def document_offence(tree, path, name):
    """Whether a document that `path` names exists, seen from there or from the top."""
    if name.startswith(("http", "/")) or "://" in name:
        return None
    for base in ("", "docs", os.path.dirname(path)):
        if os.path.exists(os.path.join(tree, base, name)):
            return None
    return "there is no %s" % name


def line_offences(tree, path, line):
    for pattern, meaning in FORBIDDEN:
        match = pattern.search(line)
        if match and not (meaning == "a number of a tracker" and path.endswith(NO_NUMBERS)):
            yield "%s: %s" % (meaning, match.group(0))
    # Long lines of hex would make the search try every start.
    for match in DOCUMENT.finditer(line) if ".md" in line or ".cddl" in line else ():
        wrong = document_offence(tree, path, match.group(0))
        if wrong:
            yield wrong
    if path.endswith(".md"):
        for match in LINK.finditer(line):
            target = match.group(1).split("#")[0]
            if target and "://" not in target and not target.startswith("mailto:"):
                there = os.path.join(tree, os.path.dirname(path), target)
                if not os.path.exists(there):
                    yield "a link to nowhere: %s" % target


def check_tree(tree):
    checked = 0
    wrong = 0
    for path in files(tree):
        if path == OWN_PATH:
            continue
        text = text_of(os.path.join(tree, path))
        if text is None:
            continue
        checked += 1
        for number, line in enumerate(text.split("\n"), 1):
            for what in line_offences(tree, path, line):
                print("%s:%d: %s" % (path, number, what))
                wrong += 1
    print("%d files, %d offences" % (checked, wrong))
    return 1 if wrong or checked == 0 else 0


def self_test():
    cases = [
        ("a.c", "/* TODO: later */", True),
        ("a.c", "/* to do it later */", False),
        ("a.c", "see /home/someone/x", True),
        ("a.c", "$home/work/file", False),
        ("a.md", "as issue 12 says", True),
        ("a.md", "version; name; issue 0", False),
        ("a.md", "closes #12", True),
        ("a.c", "#12 is not this", True),
        ("a.md", "[text](nowhere.html)", True),
        ("a.md", "see NOWHERE.md", True),
        ("a.md", "an https://example.org/NOWHERE.md", False),
        ("a.c", "it is not implemented", True),
    ]
    wrong = 0
    for path, line, expected in cases:
        if bool(list(line_offences("/nonexistent", path, line))) != expected:
            print("self-test: %r was %s" % (line, "allowed" if expected else "refused"))
            wrong += 1
    print("self-test: %d cases, %d wrong" % (len(cases), wrong))
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    return self_test() or check_tree(arguments[0] if arguments else os.environ.get("srcdir", "."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
