#!/usr/bin/python3
"""Holds the table of scripts/deps against what the tree really uses.

A machine that has been worked on has every package already, so a package that the table
forgets is never missed there. Hence this, without looking at what is installed:

    * every module of configure.ac's PKG_CHECK_MODULES is in the table, and no other
    * every python module that is imported is python's own, the tree's, or in the table
    * every program that a script calls is always there on Debian, or in the table
    * python is called as /usr/bin/python3
    * every program and python module of the table is used by something

    check_deps.py [TREE]   default: $srcdir, else the current folder

Exit status: 0 nothing wrong, 1 differences, 2 usage.
"""
import ast
import os
import re
import subprocess
import sys

# Packages that every Debian has (Essential, or needed by apt): nobody has to install these.
ALWAYS = set("""
    apt-get awk basename bash cat chgrp chmod chown cmp comm cp cut date dd df diff dirname
    dpkg-query du echo env expr fallocate false find flock getent grep gzip head hostname id install
    kill ln ls md5sum mkdir mkfifo mktemp mount mv nice nl nohup nproc numfmt od paste pathchk
    printf prlimit pwd readlink realpath rm rmdir runuser sed seq setpriv setsid sh sha256sum shuf
    sleep sort split stat stdbuf stty sync tac tail tar taskset tee test timeout touch tput tr
    true truncate tty umount uname uniq unshare wait wc which xargs yes
""".split())

# Words of the shell at the place of a command, and what a command may follow.
BUILTINS = set("""
    . : [ [[ { } ( ) ! alias bg break builtin case cd command continue declare disown do done elif
    else esac eval exec exit export fg fi for function getopts hash if in jobs local mapfile
    pushd popd read readonly return select set shift shopt source then time times trap type
    typeset ulimit umask unalias unset until wait while let printf test true false
""".split())
PASSES_ON = set("command env exec if elif while until ! then else do time nice nohup".split())
WITH_NUMBER = {"timeout"}

# Tools of a module that are not called by their package's command.
TOOLS = {"clang-format-14": "clang-format", "autoreconf": "autoconf", "nm": "gcc",
         "ssh-keygen": "scp", "llvm-profdata": "llvm-cov", "filefrag": "mkfs.ext4"}

# Found on PATH by configure or make, not by a script.
USED_BY_BUILD = {"gcc", "make", "automake", "xz", "pkg-config"}

# Where a distribution's package of a python module differs from `python3-MODULE`.
PYTHON_PACKAGE = "python3-%s"

# Another python on PATH does not see the modules that are Debian packages.
PYTHON = "/usr/bin/python3"

# Its own tables name everything.
OWN_PATH = "tests/house/check_deps.py"

# What the tree itself builds.
OURS = {"skyferry", "skyferryd", "skyferry-sim"}


def table(tree):
    text = subprocess.run([os.path.join(tree, "scripts/deps"), "--list"], check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout
    rows = [line.split("|") for line in text.splitlines()]
    for row in rows:
        if len(row) != 4 or not all(row):
            raise ValueError("scripts/deps: not a row: %s" % row)
    return rows


def files(tree, folders):
    for folder in folders:
        top = os.path.join(tree, folder)
        if os.path.isfile(top):
            yield folder
        for where, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                yield os.path.relpath(os.path.join(where, name), tree)


def kind_of(tree, path):
    """sh, py, or None, by the first line; a name decides where there is none."""
    with open(os.path.join(tree, path), "rb") as file:
        first = file.readline(80)
    if first.startswith(b"#!"):
        return "py" if b"python" in first else "sh" if b"sh" in first else None
    if path.endswith(".py"):
        return "py"
    return "sh" if path.endswith(".sh") else None


def check_modules(tree, rows):
    with open(os.path.join(tree, "configure.ac"), encoding="utf-8") as file:
        wanted = set(re.findall(r"PKG_CHECK_MODULES\(\[\w+\],\s*\[([\w.+-]+)", file.read()))
    listed = {how[7:] for _, _, how, _ in rows if how.startswith("module:")}
    if not wanted:
        yield "configure.ac: no PKG_CHECK_MODULES found"
    for module in sorted(wanted - listed):
        yield "configure.ac wants %s, and scripts/deps does not list it" % module
    for module in sorted(listed - wanted):
        yield "scripts/deps lists %s, and configure.ac does not want it" % module


def imports(tree, path):
    with open(os.path.join(tree, path), encoding="utf-8") as file:
        parsed = ast.parse(file.read(), path)
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def check_python(tree, rows, paths):
    listed = {package for package, _, _, _ in rows}
    ours = {os.path.splitext(os.path.basename(path))[0] for path in paths}
    used = set()
    for path in paths:
        for module in sorted(set(imports(tree, path))):
            if module in sys.stdlib_module_names or module in ours:
                continue
            used.add(PYTHON_PACKAGE % module)
            if PYTHON_PACKAGE % module not in listed:
                yield "%s imports %s, and scripts/deps does not list %s" % (
                    path, module, PYTHON_PACKAGE % module)
    for package in sorted(listed - used):
        if package.startswith("python3-"):
            yield "scripts/deps lists %s, and nothing imports it" % package


def without_text(source):
    """The shell source without comments, here-documents and what stands in quotes.

    A command substitution inside double quotes is kept: it calls programs too.
    """
    source = re.sub(r"<<-?\s*\\?'?\"?(\w+)'?\"?([^\n]*)\n.*?\n\s*\1\b", r"\2\n", source, flags=re.S)
    out = []
    place = 0
    depth = []  # of "..." and $(...), the innermost last
    while place < len(source):
        char = source[place]
        quoted = bool(depth) and depth[-1] == '"'
        if char == "\\":
            out.append(" " if source.startswith("\\\n", place) else "_")
            place += 2
            continue
        if source.startswith("$((", place) and "))" in source[place:]:
            place = source.index("))", place) + 2
            out.append("0")
            continue
        if source.startswith("$(", place):
            depth.append("$")
            out.append("\n" if quoted else "$(\n")
            place += 2
            continue
        if char == "(" and not quoted and depth:
            depth.append("(")
        elif char == ")" and depth and depth[-1] in "$(":
            out.append("\n_ " if depth.pop() == "$" else "\n")
            place += 1
            continue
        elif char == '"':
            if quoted:
                depth.pop()
            else:
                depth.append('"')
                out.append("_")
            place += 1
            continue
        if quoted:
            place += 1
            continue
        if char == "'":
            place = source.index("'", place + 1) + 1
            out.append("_")
            continue
        if char == "#" and (place == 0 or source[place - 1] in " \t\n;("):
            place = source.find("\n", place)
            if place < 0:
                break
            continue
        out.append(char)
        place += 1
    return "".join(out)


def commands(source):
    """The words at the place of a command."""
    text = re.sub(r"\b\w+\+?=\([^)]*\)", "_", without_text(source))  # lists are no commands
    text = re.sub(r"\(\(.*?\)\)+", "_", text)  # nor is arithmetic
    text = re.sub(r"\d?[<>]+&?\s*[\w/$.{}_-]+", " ", text)
    in_case = False
    for line in re.split(r"\n|;;|;|\|\||&&|\||&|\$\(|(?<![\w$])\(", text):
        words = line.split()
        if words[:1] == ["case"]:
            in_case = True
            continue
        if words[:1] == ["esac"]:
            in_case = False
        if in_case and ")" in line:
            words = line.rpartition(")")[2].split()
        while words:
            word = words.pop(0)
            if re.match(r"^\w+\+?=", word) or word in PASSES_ON or word.startswith("-"):
                continue
            if word in WITH_NUMBER:
                yield word
                words = [left for left in words if not re.match(r"^(-|[\d.$_]+[smh]?$)", left)]
                continue
            yield word
            break


def python_commands(source, path):
    """The programs that python code starts by name: subprocess.run(["name", ...])."""
    for node in ast.walk(ast.parse(source, path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        first = node.args[0]
        if name not in ("run", "Popen", "call", "check_call", "check_output", "execvp", "system"):
            continue
        if isinstance(first, (ast.List, ast.Tuple)) and first.elts:
            first = first.elts[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value.split()[0]


def is_known(tree, word, functions):
    """Whether nothing needs to be installed for this word at the place of a command."""
    name = os.path.basename(word)
    if not re.match(r"^[\w.+-]*[a-z][\w.+-]*$", name) or "$" in word or word[0] == "_":
        return True
    if word in functions or word in BUILTINS or name in ALWAYS or name in OURS:
        return True
    # A script of the tree, or a program it builds: ./tests/vectors/make_vectors.
    return "/" in word and any(
        os.path.exists(os.path.join(tree, word + suffix)) for suffix in ("", ".c"))


def check_programs(tree, rows, shell, python):
    listed = {os.path.basename(how[8:]) for _, _, how, _ in rows if how.startswith("command:")}
    used = set(USED_BY_BUILD)
    sources = {}
    for path in shell + python:
        with open(os.path.join(tree, path), encoding="utf-8") as file:
            sources[path] = file.read()
    # Scripts read each other's functions in, so a name counts in all of them.
    functions = {name for path in shell
                 for name in re.findall(r"^\s*([\w-]+)\s*\(\)", sources[path], re.M)}
    for path, source in sources.items():
        called = commands(source) if path in shell else python_commands(source, path)
        for word in sorted(set(called)):
            if is_known(tree, word, functions):
                continue
            name = TOOLS.get(os.path.basename(word), os.path.basename(word))
            used.add(name)
            if name == "python3" and word != PYTHON:
                yield "%s calls %s; only %s sees Debian's modules" % (path, word, PYTHON)
            if name not in listed:
                yield "%s calls %s, and scripts/deps does not list it" % (path, word)
        if source.startswith("#!/usr/bin/env python"):
            yield "%s begins with another python than %s" % (path, PYTHON)
        # What is called through a variable, or asked for before it is called.
        used |= {name for name in listed
                 if re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(name), source)}
    for name in sorted(listed - used):
        yield "scripts/deps lists %s, and nothing calls it" % name


def self_test():
    """The reading of shell must not be one that sees nothing."""
    cases = [
        ("tshark -r x", {"tshark"}),
        ("a=$(jq .x file)", {"jq"}),
        ('echo "it is $(jq .x "$file") now"', {"echo", "jq"}),
        ("x | socat - y && nc z", {"x", "socat", "nc"}),
        ("if ! tcpdump -w f; then\n ps aux\nfi", {"tcpdump", "ps"}),
        ("timeout 30 tcpdump -i lo", {"timeout", "tcpdump"}),
        ("LC_ALL=C ip link", {"ip"}),
        ("# rsync a b\necho 'rsync a b' \"rsync c\"", {"echo"}),
        ("cat <<EOF\nrsync a b\nEOF\nls", {"cat", "ls"}),
        ("case $a in\nrsync) scp x ;;\nesac", {"scp"}),
        ("n=$((n + 1))", set()),
        ("if ((status == 0 || (n > 3))); then nc x; fi", {"nc"}),
        ("case $n in\n1) both=(ground sat) ;;\nesac\nall=(a\n b)", set()),
    ]
    for source, expected in cases:
        found = {word for word in commands(source) if word not in BUILTINS - {"echo"}
                 and word not in ("_", "fi", "$a")}
        if found != expected:
            yield "self-test: %r: %s, not %s" % (source, sorted(found), sorted(expected))


def main(arguments):
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    tree = arguments[0] if arguments else os.environ.get("srcdir", ".")
    rows = table(tree)
    places = ["scripts", "tests", ".ci", "autogen.sh", "contrib"]
    kinds = {path: kind_of(tree, path) for path in files(tree, places)
             if not path.startswith("tests/fuzz/corpus/")}
    shell = [path for path, kind in kinds.items() if kind == "sh" and path != "scripts/deps"]
    python = [path for path, kind in kinds.items() if kind == "py"]
    wrong = list(self_test())
    wrong += check_modules(tree, rows)
    wrong += check_python(tree, rows, python)
    wrong += check_programs(tree, rows, shell, [path for path in python if path != OWN_PATH])
    for line in wrong:
        print(line)
    print("%d packages, %d shell scripts, %d python files, %d differences" % (
        len(rows), len(shell), len(python), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
