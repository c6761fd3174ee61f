#!/usr/bin/env python3
"""Checks that the manual and every --help say the same: the same commands, options, defaults.

Usage: check_manual.py PROGRAM MANUAL_FOLDER
"""

import pathlib
import re
import subprocess
import sys

HELP_OPTION = re.compile(r"^  (?:-h, )?--([a-z0-9-]+)(.*)$")
PAGE_OPTION = re.compile(r"^\.B[RI]? .*$")
DEFAULT = re.compile(r"Default: (.*)\.$")


def run_help(program, *words):
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stderr:
        sys.exit(f"{' '.join(words)} --help exits {done.returncode}: {done.stderr}")
    return done.stdout


def section(text, title):
    match = re.search(rf"^{title}:\n((?:  .*\n)+)", text, re.MULTILINE)
    return match.group(1).splitlines() if match else []


def listed(text, title):
    """The names and summaries of a list of commands or subcommands."""
    return dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in section(text, title))


def help_options(text):
    """Each option's name and its default, or None."""
    options = {}
    names = []
    description = ""
    for line in section(text, "Options") + ["  --end"]:
        match = HELP_OPTION.match(line)
        if not match:
            description += " " + line.strip()
            continue
        default = DEFAULT.search(description)
        options.update({name: default.group(1) if default else None for name in names})
        names = [match.group(1)] + re.findall(r"--([a-z0-9-]+)", match.group(2))
        description = ""
    return options


def plain(roff):
    """Text of a line of roff: no font changes, no escapes."""
    text = re.sub(r"\\f[A-Z]", "", roff)
    return text.replace("\\-", "-").replace("\\(aq", "'").replace('"', "").replace("\\&", "")


def page_options(page):
    """Each option that begins a paragraph of the manual page, and its default, or None."""
    options = {}
    names = []
    lines = page.read_text(encoding="utf-8").splitlines()
    description = ""
    for before, line in zip([""] + lines, lines + [".SH"]):
        if before == ".TP" or line.startswith(".SH"):
            default = DEFAULT.search(description.strip())
            options.update({name: default.group(1) if default else None for name in names})
            description = ""
            names = []
        if before == ".TP" and PAGE_OPTION.match(line):
            names = re.findall(r"--([a-z0-9-]+)", plain(line))
        elif not line.startswith("."):
            description += " " + plain(line)
        elif re.match(r"^\.[BI]R? ", line):
            description += " " + plain(line.split(" ", 1)[1])
    return options


def command_help(program, command):
    """The options of a command and of all its subcommands."""
    text = run_help(program, command)
    options = help_options(text)
    for subcommand in listed(text, "Subcommands"):
        options.update(help_options(run_help(program, command, *subcommand.split())))
    return options, listed(text, "Subcommands")


def differences(name, said_by_help, said_by_page):
    for option in sorted(said_by_help.keys() | said_by_page.keys()):
        if option not in said_by_page:
            yield f"{name}: --{option} is missing in the manual"
        elif option not in said_by_help:
            yield f"{name}: --{option} is in the manual only"
        elif said_by_help[option] != said_by_page[option]:
            yield (f"{name}: --{option}: default {said_by_help[option]} in help, "
                   f"{said_by_page[option]} in the manual")


def problems(program, folder):
    commands = listed(run_help(program), "Commands")
    pages = {page.stem for page in folder.glob("*.1")}
    expected = {"dpow"} | {f"dpow-{command}" for command in commands}
    for page in sorted(pages ^ expected):
        yield f"{page}: " + ("no command has this page" if page in pages else "the page is missing")
    overview = plain((folder / "dpow.1").read_text(encoding="utf-8"))
    for command, summary in commands.items():
        if f"dpow-{command}" not in overview or summary not in overview:
            yield f"dpow: {command} and its summary are missing in the manual"
        page = folder / f"dpow-{command}.1"
        if not page.is_file():
            continue
        options, subcommands = command_help(program, command)
        yield from differences(page.stem, options, page_options(page))
        text = plain(page.read_text(encoding="utf-8"))
        for subcommand in subcommands:
            if subcommand not in text:
                yield f"{page.stem}: {subcommand} is missing in the manual"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_manual.py PROGRAM MANUAL_FOLDER")
    found = list(problems(sys.argv[1], pathlib.Path(sys.argv[2])))
    for problem in found:
        print(problem)
    sys.exit(1 if found else 0)


main()
