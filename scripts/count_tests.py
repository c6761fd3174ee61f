#!/usr/bin/env python3
"""Counts test functions: prints `PASSED FAILED SKIPPED`.

Usage: count_tests.py meson testlog.json | count_tests.py junit report.xml

Meson's log holds what each program printed. cmocka's programs, asked for TAP, print a line a
function; of a program that prints no such lines the exit status counts, as one.
"""

import json
import re
import sys
import xml.etree.ElementTree

TAP_LINE = re.compile(r"^(not )?ok \d+(.*)$", re.MULTILINE)


def count_program(entry):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for failure, rest in TAP_LINE.findall(entry.get("stdout", "")):
        if "# SKIP" in rest:
            counts["skipped"] += 1
        else:
            counts["failed" if failure else "passed"] += 1
    result = entry["result"]
    if result == "SKIP":
        counts["skipped"] += not any(counts.values())
    elif result in ("OK", "EXPECTEDFAIL"):
        counts["passed"] += not any(counts.values())
    elif counts["failed"] == 0:
        counts["failed"] = 1
    return counts


def count_meson(path):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    with open(path, encoding="utf-8") as log:
        for line in log:
            for key, count in count_program(json.loads(line)).items():
                total[key] += count
    return total


def count_junit(path):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            total["failed"] += 1
        elif case.find("skipped") is not None:
            total["skipped"] += 1
        else:
            total["passed"] += 1
    return total


def main():
    readers = {"meson": count_meson, "junit": count_junit}
    if len(sys.argv) != 3 or sys.argv[1] not in readers:
        sys.exit("usage: count_tests.py meson|junit FILE")
    total = readers[sys.argv[1]](sys.argv[2])
    print(total["passed"], total["failed"], total["skipped"])


main()
