#!/usr/bin/python3
"""Who may enter which room: holds every #include of the tree against the table below.

docs/ARCHITECTURE.md explains the table. Three kinds of rules:

    ROOMS      which rooms' headers a room may use
    LIBRARIES  which headers of libraries may be used where
    PLAIN      rooms that are engines: no clock, socket, thread or file of their own

    check_includes.py [TREE]      checks the tree; default: $srcdir, else the current folder
    check_includes.py --self-test shows that each kind of offence is found

Exit status: 0 nothing wrong, 1 offences (each with file and line), 2 usage.
"""
import fnmatch
import os
import re
import sys

ROOMS = {
    "base": {"base"},
    "bundle": {"base", "bundle"},
    "store": {"base", "store"},
    "link": {"base", "link"},
    "node": {"base", "bundle", "store", "link", "node"},
    "sim": {"base", "bundle", "store", "link", "node", "sim"},
    "app": {"base", "bundle", "store", "link", "node", "sim", "app"},
    "tests": {"base", "bundle", "store", "link", "node", "sim", "app", "tests"},
}

# Patterns of headers, and of the files that may use them.
LIBRARIES = [
    ("sodium.h", ["base/crypto*.c"]),
    ("sodium/*", ["base/crypto*.c"]),
    ("openssl/*", ["base/crypto*.c"]),
    ("liburing.h", ["store/uring.c"]),
    ("liburing/*", ["store/uring.c"]),
    ("cbor.h", ["bundle/cbor*.c"]),
    ("cbor/*", ["bundle/cbor*.c"]),
    ("isa-l/*", ["link/repair.c"]),
    ("lz4*.h", ["bundle/frame*.c", "bundle/probe.c", "tests/unit/test_frame.c", "tests/bench/*"]),
    ("blosc.h", ["tests/bench/*"]),
    ("zstd.h", ["bundle/coder.c", "tests/unit/test_frame.c", "tests/bench/*"]),
    ("jansson.h", ["app/*", "link/contact_json.c", "tests/*"]),
    ("microhttpd.h", ["app/*"]),
    ("curl/*", ["app/*"]),
    ("CUnit/*", ["tests/*"]),
]

# Headers anyone may use: the language, and what only computes.
LANGUAGE = {
    "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h",
    "stdarg.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h",
    "string.h", "strings.h", "emmintrin.h", "immintrin.h", "nmmintrin.h", "cpuid.h",
}

# Engines and pure rooms: besides LANGUAGE and their libraries, only what stands here.
PLAIN = {
    "base": {"base/job.h": {"pthread.h"}, "base/*.c": {"pthread.h", "unistd.h", "sys/random.h"}},
    "bundle": {},
    "store": {
        # The two real disks and what they share; everything above them is an engine.
        "store/posix.c": None,
        "store/uring.c": None,
        "store/sysfile.c": None,
        "store/sysfile.h": None,
    },
    "link": {},
    "node": {},
    "sim": {},
}

# assert.h is ours to replace: <assert.h> vanishes with NDEBUG, base/assert.h stays.
REFUSED = {"assert.h": "use base/assert.h, which stays on in release builds"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
CONFIG = "config.h"


def library_offence(path, header):
    """What is wrong with a library's header here, or None; and whether it is a library's."""
    for pattern, places in LIBRARIES:
        if fnmatch.fnmatchcase(header, pattern):
            if any(fnmatch.fnmatchcase(path, place) for place in places):
                return True, None
            return True, "only %s may include <%s>" % (", ".join(places), header)
    return False, None


def plain_offence(path, room, header):
    """Whether an engine's file may use a header of the system."""
    if room not in PLAIN or header in LANGUAGE:
        return None
    for pattern, allowed in PLAIN[room].items():
        if fnmatch.fnmatchcase(path, pattern) and (allowed is None or header in allowed):
            return None
    return "%s/ is an engine: no clock, socket, thread or file of its own, so no <%s>" % (
        room, header)


def offence(path, quoted, angled):
    """What is wrong with one #include of the file `path`, or None."""
    room = path.split("/")[0]
    header = quoted or angled
    if header == CONFIG:
        return None
    if header in REFUSED:
        return REFUSED[header]
    if quoted is None:
        is_library, wrong = library_offence(path, header)
        return wrong if is_library else plain_offence(path, room, header)
    parts = header.split("/")
    if len(parts) < 2 or parts[0] not in ROOMS:
        return 'name our headers from the top of the tree: "room/name.h", not "%s"' % header
    if parts[0] not in ROOMS[room]:
        return "%s/ may not use %s/" % (room, parts[0])
    return None


def check_file(tree, path):
    found = []
    with open(os.path.join(tree, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            quoted, angled = match.groups()
            wrong = offence(path, quoted, angled)
            if wrong is None and quoted and quoted != CONFIG:
                if not os.path.exists(os.path.join(tree, quoted)):
                    wrong = 'there is no "%s"' % quoted
            if wrong is not None:
                found.append("%s:%d: %s" % (path, number, wrong))
    return found


def sources(tree):
    for room in sorted(ROOMS):
        for folder, _, names in os.walk(os.path.join(tree, room)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), tree)


def check_tree(tree):
    checked = 0
    found = []
    for path in sources(tree):
        found += check_file(tree, path)
        checked += 1
    for line in found:
        print(line)
    if checked == 0:
        print("no sources below %s" % tree)
        return 1
    print("%d files, %d offences" % (checked, len(found)))
    return 1 if found else 0


def self_test():
    """A checker that says yes to everything would be worse than none."""
    cases = [
        ("bundle/card.c", "store/disk.h", None, True),
        ("bundle/card.c", "base/crypto.h", None, False),
        ("store/journal.c", "link/link.h", None, True),
        ("link/link.c", "node/node.h", None, True),
        ("base/crc32c.c", "bundle/cbor.h", None, True),
        ("node/node.c", "sim/clock.h", None, True),
        ("node/node.c", "link/link.h", None, False),
        ("sim/world.c", "app/config.h", None, True),
        ("app/udp.c", "link/addr.h", None, False),
        ("app/udp.c", "tests/hex.h", None, True),
        ("app/udp.c", "udp.h", None, True),
        ("bundle/card.c", None, "sodium.h", True),
        ("base/crypto.c", None, "sodium.h", False),
        ("app/client.c", None, "openssl/evp.h", True),
        ("store/posix.c", None, "liburing.h", True),
        ("store/uring.c", None, "liburing.h", False),
        ("bundle/manifest.c", None, "cbor.h", True),
        ("app/text.c", None, "CUnit/Basic.h", True),
        ("node/node.c", None, "jansson.h", True),
        ("link/contact_hdtn.c", None, "jansson.h", True),
        ("link/contact_json.c", None, "jansson.h", False),
        ("link/pacer.c", None, "time.h", True),
        ("link/pacer.c", None, "stdint.h", False),
        ("node/node.c", None, "pthread.h", True),
        ("store/journal.c", None, "unistd.h", True),
        ("store/posix.c", None, "unistd.h", False),
        ("sim/clock.c", None, "sys/time.h", True),
        ("app/threads.c", None, "time.h", False),
        ("base/status.c", None, "assert.h", True),
    ]
    wrong = [case for case in cases if (offence(*case[:3]) is not None) != case[3]]
    for path, quoted, angled, expected in wrong:
        print("self-test: %s with %s was %s" % (
            path, quoted or "<%s>" % angled, "allowed" if expected else "refused"))
    print("self-test: %d cases, %d wrong" % (len(cases), len(wrong)))
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    return self_test() or check_tree(arguments[0] if arguments else os.environ.get("srcdir", "."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
