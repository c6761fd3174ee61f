"""A service as wallets and faucets do it (dpow.md 3 and 4), written from the specification alone.

It asks for many hashes, by POST or on one WebSocket, asks again after a time-out or a loss of the
connection, and checks every answer itself. One JSON object on standard output says what came.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
import time
import urllib.request

import websockets

GIVE_UP_S = 25
AT_ONCE = 32


def value_of(work, root):
    nonce = bytes.fromhex(work)[::-1]
    digest = hashlib.blake2b(nonce + bytes.fromhex(root), digest_size=8).digest()
    return int.from_bytes(digest, "little")


class OldService:
    def __init__(self, options):
        self.options = options
        self.roots = [os.urandom(32).hex() for _ in range(options.count)]
        self.works = {}
        self.wrong = []
        self.repeated = 0
        self.asked = 0
        self.end = time.monotonic() + GIVE_UP_S

    def request(self, number):
        self.asked += 1
        # "test" is in the old examples and means nothing; a hash may have any case.
        return json.dumps({"user": self.options.user, "api_key": self.options.api_key,
                           "hash": self.roots[number], "id": number, "timeout": 5,
                           "multiplier": 1.0 + number % 3, "test": True})

    def take(self, number, answer):
        """Whether an answer settles its request."""
        root = self.roots[number]
        if "error" in answer:
            if answer.get("timeout") is not True and answer["error"] != "Server busy":
                self.wrong.append(answer)
                return True
            self.repeated += 1
            return False
        threshold = 2 ** 64 - int((2 ** 64 - int(self.options.base, 16)) / (1.0 + number % 3))
        right = (set(answer) == {"work", "hash", "id"} and answer["id"] == number
                 and answer["hash"] == root.upper()
                 and re.fullmatch("[0-9a-f]{16}", answer["work"])
                 and value_of(answer["work"], root) >= threshold)
        if not right or number in self.works:
            self.wrong.append(answer)
        self.works[number] = answer["work"]
        return True

    def by_post(self):
        for number in range(self.options.count):
            while time.monotonic() < self.end:
                try:
                    with urllib.request.urlopen(self.options.url + "/service/",
                                                self.request(number).encode(), 40) as reply:
                        if self.take(number, json.load(reply)):
                            break
                except OSError:  # a fallback would do the work meanwhile
                    self.repeated += 1
                    time.sleep(0.1)

    async def by_websocket(self):
        url = self.options.url.replace("http", "ws") + "/service_ws/"
        while len(self.works) + len(self.wrong) < self.options.count \
                and time.monotonic() < self.end:
            try:
                async with websockets.connect(url) as socket:
                    await asyncio.wait_for(self.ask_all(socket), self.end - time.monotonic())
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                self.repeated += 1
                await asyncio.sleep(0.1)

    async def ask_all(self, socket):
        left = [n for n in range(self.options.count) if n not in self.works]
        for number in left[:AT_ONCE]:
            await socket.send(self.request(number))
        later = left[AT_ONCE:]
        settled = 0
        while settled < len(left):
            answer = json.loads(await socket.recv())
            if self.take(answer["id"], answer):
                settled += 1
                if later:
                    await socket.send(self.request(later.pop(0)))
            else:
                await socket.send(self.request(answer["id"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--api_key", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--way", choices=["post", "websocket"], required=True)
    service = OldService(parser.parse_args())
    if service.options.way == "post":
        service.by_post()
    else:
        asyncio.run(service.by_websocket())
    print(json.dumps({"works": len(service.works), "wrong": service.wrong,
                      "asked": service.asked, "repeated": service.repeated}))
    sys.exit(0 if len(service.works) == service.options.count and not service.wrong else 1)


main()
