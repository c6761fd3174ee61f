#!/usr/bin/env python3
"""What a request costs a hub that knows nothing, and one that knows very much.

    bench/bench_growth.py [BUILD_FOLDER] [WORKS] [SERVICES] [CHAINS]

Fills a store with cached works (1,000,000), services (20,000) and accounts (200,000), and asks both
hubs in turns for cached works by POST: requests a second, and processor time for each. Builds
nothing.
"""

import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build")
WORKS, SERVICES, CHAINS = [int(word) for word in sys.argv[2:5]] + [1000000, 20000, 200000][
    len(sys.argv[2:5]):]
ROUNDS, SECONDS, CONNECTIONS = 5, 2, 64
FUTURE_MS = 1 << 50
TICK = os.sysconf("SC_CLK_TCK")


class Hub:
    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        self.program = str(BUILD / "dpow")
        self.start()
        added = subprocess.check_output([self.program, "admin", "--data-dir", self.folder, "--json",
                                         "service", "add", "load", "--rate", "1000000"])
        self.key = self.folder / "key"
        self.key.write_text(json.loads(added)["api_key"])

    def start(self):
        begin = time.monotonic()
        places = [f"--{name}=127.0.0.1:0" for name in ("listen", "mqtt-listen", "mqtt-ws-listen")]
        self.child = subprocess.Popen(
            [self.program, "hub", "--data-dir", self.folder, *places,
             "--base-difficulty=0000000000001000", "--max-multiplier=1"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.ready = json.loads(self.child.stdout.readline())
        self.start_s = time.monotonic() - begin

    def stop(self):
        self.child.terminate()
        self.child.wait()

    def status(self, name):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    def processor_s(self):
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def ask(self):
        before = self.processor_s()
        mqtt = self.ready["mqtt"].replace("://", "://client:client@")
        done = subprocess.run(
            [self.program, "bench", "hub", "--url", self.ready["http"], "--user", "load",
             "--api-key-file", self.key, "--connections", str(CONNECTIONS), "--seconds",
             str(SECONDS), "--cached", "--mqtt", mqtt, "--json"], capture_output=True, check=True)
        told = json.loads(done.stdout)
        cost_us = (self.processor_s() - before) / told["requests"] * 1e6
        return told["requests_per_s"], cost_us


def fill(folder):
    with sqlite3.connect(folder / "dpow.db") as database:
        key = (1).to_bytes(8, "big")
        database.executemany(
            "INSERT INTO works VALUES (?, ?, ?, 1, 0, ?, 1)",
            ((os.urandom(32), key, key, FUTURE_MS) for _ in range(WORKS)))
        database.executemany(
            "INSERT INTO services (name, display, website, is_public, rate_per_s, created_ms)"
            " VALUES (?, '', '', 0, 1, 0)", ((f"s{n}",) for n in range(SERVICES)))
        database.executemany(
            "INSERT INTO frontiers VALUES (?, ?, 0, 1, 0, ?)",
            ((os.urandom(32), os.urandom(32), FUTURE_MS) for _ in range(CHAINS)))
        database.execute("UPDATE services SET precache_accounts = 1000000 WHERE id = 1")


def main():
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Hub(folder, "empty"), Hub(folder, "full")
        full.stop()
        fill(full.folder)
        full.start()
        rows = {"empty": [], "full": []}
        for _ in range(ROUNDS):
            rows["empty"].append(empty.ask())
            rows["full"].append(full.ask())
        for name, hub in (("empty", empty), ("full", full)):
            rate, cost = (statistics.median(row[i] for row in rows[name]) for i in (0, 1))
            print(f"{name:6} {rate:9,.0f} requests/s  {cost:5.2f} us each  ready after "
                  f"{hub.start_s:4.1f} s  {hub.status('VmRSS') // 1024} MiB")
            hub.stop()


main()
