#!/usr/bin/env python3
"""Checks that every source file includes only what its layer may (the faces of src/ say which).

Usage: check_layers.py SOURCE_ROOT
"""

import pathlib
import re
import sys

# What each folder may include of the others. Cores are held to less, below.
ALLOWED = {
    "base": set(),
    "nano": {"base"},
    "engine": {"base", "nano"},
    "net": {"base", "nano"},
    "node": {"base", "nano", "net"},
    "store": {"base", "nano"},
    "broker": {"base", "nano"},
    "hub": {"base", "nano", "net", "node", "store", "broker"},
    "worker": {"base", "nano", "engine", "net"},
    "workserver": {"base", "nano", "engine", "net"},
    "cli": {"base", "nano", "engine", "net", "store", "broker", "hub", "worker", "workserver"},
}

# State machines without I/O: no adapter, no socket, no clock, no thread.
CORES = [
    re.compile(r"broker/(address|bucket|label|screen)\.[ch]"),
    re.compile(r"hub/(core|dispatch|payout_share)[^/]*\.[ch]"),
    re.compile(r"node/(block_message|frontiers_reply)\.[ch]"),
    re.compile(r"worker/worker_core[^/]*\.[ch]"),
    re.compile(r"workserver/(queue_core|work_memory|rpc)[^/]*\.[ch]"),
]
CORE_ALLOWED = {"base", "nano"}
CORE_FORBIDDEN = {"base/clock.h", "base/queue.h"}
CORE_SYSTEM = {
    "arpa/inet.h",  # the text of IP addresses
    "assert.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def quoted_problem(folder, core, target, source):
    if "/" not in target:
        return f'"{target}" must be written with its folder'
    if not (source / target).is_file():
        return f'"{target}" does not exist'
    other = target.split("/")[0]
    if other != folder and other not in ALLOWED[folder]:
        return f"{folder} may not include {other}"
    if other != folder and target.endswith("_internal.h"):
        return f'"{target}" is private to {other}'
    if not core:
        return None
    own = any(pattern.fullmatch(target) for pattern in CORES)
    if other not in CORE_ALLOWED and not own:
        return f'a core may not include "{target}"'
    if target in CORE_FORBIDDEN:
        return f'a core may not include "{target}": time and threads stay outside'
    return None


def problems(root):
    source = root / "src"
    for path in sorted(source.rglob("*.[ch]")):
        name = path.relative_to(source).as_posix()
        folder = name.split("/")[0]
        if folder not in ALLOWED:
            yield f"src/{name}: folder {folder} is in no layer"
            continue
        core = any(pattern.fullmatch(name) for pattern in CORES)
        for number, quoted, system in includes(path):
            problem = None
            if quoted:
                problem = quoted_problem(folder, core, quoted, source)
            elif core and system not in CORE_SYSTEM:
                problem = f"a core may not include <{system}>"
            if problem:
                yield f"src/{name}:{number}: {problem}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_layers.py SOURCE_ROOT")
    found = list(problems(pathlib.Path(sys.argv[1])))
    for problem in found:
        print(problem)
    sys.exit(1 if found else 0)


main()
