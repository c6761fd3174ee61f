"""Ten thousand malformed requests and as many malformed results, by seed, do no harm."""

import asyncio
import concurrent.futures
import http.client
import json
import os
import random
import re

import pytest
import websockets
from conftest import (ACCOUNT, BASE, PATIENCE, Client, IndependentWorker, find_work,
                      random_hash, resident_kib, wait_until, work_value)
from service_peers import running_hub, url_of

SEED = int(os.environ.get("DPOW_SEED", "20261121"))
BY_POST = 5000
BY_WEBSOCKET = 5000
RESULTS = 10000
RESULTS_EACH = 90  # of one connection
CONNECTIONS = 4
GROWTH_MAX_KIB = 32768

# All that the protocol lets an error say (dpow.md 3.2 and 3.3; docs/protocol/service.md).
ERRORS = re.compile("|".join(map(re.escape, [
    "Bad request (not json)", "Incorrect submission. Required information: user, api_key, hash",
    "Invalid credentials", "Multiplier must be a float", "Difficulty too low. Minimum: 1.0",
    "Invalid hash", "Invalid account", "Class must be send or receive", "Difficulty too low",
    "Invalid difficulty", "Timeout must be an integer between 1 and 30", "Too many requests",
    "Difficulty too high. Maximum: fcccccccccccccc0 ( 5.0 multiplier )",
    "Timeout reached without work", "Server busy"])))


class Nasty:
    """What clients that are broken, or mean, put where something else belongs."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self):
        pick = self.random.choice
        return pick([
            lambda: "", lambda: "\\u0000", lambda: "a\\u0000b", lambda: "\\ud800",
            lambda: "\\udc00\\ud800", lambda: "\\u202e\\ufeff", lambda: "€" * 300,
            lambda: "😀" * self.random.randint(1, 40),
            lambda: "%s%n%s%n", lambda: "' OR 1=1 --", lambda: "<script>alert(1)</script>",
            lambda: "../../../etc/passwd", lambda: "$(reboot)", lambda: "#", lambda: "client/+",
            lambda: "A" * 63, lambda: "A" * 65, lambda: "g" * 64, lambda: "nano_" + "1" * 60,
            lambda: ACCOUNT[:-1] + "8", lambda: ACCOUNT + "\\u0000", lambda: "ffffffffffffffff",
            lambda: "a" * self.random.choice([255, 256, 257, 1000]), lambda: "\\x",
            lambda: "\\u12", lambda: "\n", lambda: "nan", lambda: "-inf", lambda: "1e309", lambda: "0x10"])()

    def number(self):
        return self.random.choice([
            "0", "-0", "-1", "31", "1e999", "-1e999", "1e-999", "9" * 400, "0." + "0" * 400 + "1",
            "18446744073709551616", "-9223372036854775809", "5.000000000000001", "NaN", "Infinity",
            "00", "01", "1.", ".5", "+1", "1e", "0x1f", "1_000", "--1", "1e1e1"])

    def value(self, depth=0):
        pick = self.random.randrange(10)
        if pick < 4:
            return '"' + self.text() + '"'
        if pick < 7:
            return self.number()
        if pick < 8 or depth > 3:
            return self.random.choice(["null", "true", "false", "nul", "TRUE", "undefined", ""])
        deep = self.random.choice([1, 2, 14, 15, 16, 17, 200])
        if pick < 9:
            closing = deep + self.random.choice([0, 0, 1])
            return "[" * deep + self.value(depth + 1) + "]" * closing
        return '{"a":' * min(deep, 60) + self.value(depth + 1) + "}" * min(deep, 60)

    def proper_value(self):
        """JSON that readers agree about, where something else belongs."""
        return self.random.choice([
            "null", "true", "false", "[]", "{}", '""', "0", "-1", "1e999", "1e-999", "9" * 400,
            "18446744073709551616", "5.000000000000001", "[" * 14 + "]" * 14, '{"a":{"a":[]}}',
            '"\\u0000"', '"a\\u0000b"', '"\\u202e\\ufeff"', '"😀"', '"nan"', '"-inf"', '"1e309"',
            '"0x10"', '" 2 "', '"' + "A" * 63 + '"', '"' + "A" * 65 + '"', '"' + "g" * 64 + '"',
            f'"{ACCOUNT[:-1]}8"', f'"{ACCOUNT}\\u0000"', '"nano_"', '"ffffffffffffffff"', '"é"',
            '"' + "a" * self.random.choice([64, 65, 255, 256, 257, 900]) + '"', '"%s%n"',
            '"receive"', '"<script>alert(1)</script>"', '"../../etc/passwd"', '"#"'])

    # A value for each field that none of its rules allows.
    WRONG = [("user", '"x"'), ("api_key", '"x"'), ("multiplier", '"x"'), ("multiplier", "-1"),
             ("hash", '"x"'), ("account", '"x"'), ("class", '"x"'), ("difficulty", '"é"'),
             ("difficulty", '"f"'), ("multiplier", "6"), ("timeout", "0")]

    def members(self, key):
        right = {"user": '"service"', "api_key": f'"{key}"', "hash": f'"{random_hash()}"',
                 "account": f'"{ACCOUNT}"', "multiplier": "2", "difficulty": f'"{BASE}"',
                 "timeout": "1", "id": "1", "class": '"send"'}
        wild = self.random.random() < 0.3
        if not wild:
            for name in self.random.sample(list(right), self.random.choice([0, 0, 1, 2, 4])):
                right[name] = self.proper_value()
        # One field at least is always wrong, so that nothing is asked of workers.
        name, value = self.random.choice(self.WRONG)
        right[name] = value
        if name == "difficulty":
            right["multiplier"] = "null"
        members = list(right.items())
        for _ in range(self.random.choice([1, 1, 2, 5]) if wild else 0):
            name = self.random.choice(list(right) + [self.text(), "__proto__"])
            members.append((name, self.value()))
        self.random.shuffle(members)
        if self.random.random() < 0.03:
            members += [(f"m{number}", "0") for number in range(self.random.randint(50, 70))]
        return members

    def request(self, key, size_max):
        """The bytes of a request."""
        text = "{" + ",".join(f'"{name}":{value}' for name, value in self.members(key)) + "}"
        data = text.encode()
        pick = self.random.random()
        if pick < 0.05:
            data = data[:self.random.randrange(len(data))]
        elif pick < 0.15:
            place = self.random.randrange(len(data))
            data = data[:place] + bytes([self.random.randrange(256)]) + data[place + 1:]
        elif pick < 0.2:
            data += self.random.choice([b"\0", b"}", b"{}", b"\xff", b"\xc0\x80", b"\xed\xa0\x80"])
        elif pick < 0.23:
            data = self.random.randbytes(self.random.randrange(200))
        elif pick < 0.232:  # an account that is too large for anything
            data = b'{"account":"' + b"n" * 65536 + b'"}'
        return data if len(data) <= size_max or pick > 0.23 else data[:size_max]

    def result(self):
        """The payload of a result."""
        account = self.random.choice([
            ACCOUNT, ACCOUNT[:-1] + "8", ACCOUNT.upper(), "#", "+", "a/#", "", "nano_", "\0",
            "nano_" + "1" * 60, "x" * 300, '"}', "€" * 30, "a" * 70, "xrb_" + ACCOUNT[5:]])
        root = self.random.choice([
            random_hash(), random_hash().lower(), "A" * 63, "A" * 65, "", "0" * 64, "G" * 64])
        work = self.random.choice([
            f"{self.random.getrandbits(64):016x}", "0" * 15, "0" * 17, "", "g" * 16,
            "0x" + "0" * 14])
        pick = self.random.random()
        if pick < 0.75:
            return f"{root},{work},{account}".encode()
        if pick < 0.8:
            return (f"{root},{work}" + "," * self.random.randrange(5)).encode()
        if pick < 0.9:
            return self.random.randbytes(self.random.randrange(300))
        if pick < 0.998:
            return json.dumps({"hash": root, "work": work}).encode()
        return b"," * 60000 if pick < 0.999 else b"A" * 60000


def check_answer(answer):
    """It is JSON by a reader that is not ours, an error the protocol knows, and nothing more."""
    told = json.loads(answer)
    assert ERRORS.fullmatch(told["error"]), answer
    assert set(told) <= {"error", "id", "timeout", "retry_after"}


def post_them(hub, seed, count):
    """One connection that is kept alive; what is too large closes it."""
    nasty = Nasty(seed)
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
    for _ in range(count):
        body = nasty.request(hub.keys["service"], 16384)
        connection.request("POST", "/service/", body)
        reply = connection.getresponse()
        answer = reply.read()
        if reply.status == 413:
            assert len(body) > 16384
        else:
            assert reply.status == 200, (body, answer)
            check_answer(answer)
    connection.close()


def send_them(hub, seed, count):
    """One WebSocket after the other, 32 messages ahead; bytes that are no text close one."""
    nasty = Nasty(seed)
    messages = [nasty.request(hub.keys["service"], 2048) for _ in range(count)]

    def closes(data):
        try:
            data.decode()
        except UnicodeDecodeError:
            return 1007
        return 1009 if len(data) > 2048 else None

    async def run():
        left = messages
        while left:
            async with websockets.connect(url_of(hub), compression=None) as socket:
                left = await talk(socket, left)

    async def talk(socket, left):
        batch = []
        for number, data in enumerate(left):
            if closes(data):
                await exchange(socket, batch)
                await send_frame(socket, data)
                with pytest.raises(websockets.ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), PATIENCE)
                assert socket.close_code == closes(data)
                return left[number + 1:]
            batch.append(data)
            if len(batch) == 32:
                await exchange(socket, batch)
                batch = []
        await exchange(socket, batch)
        return []

    async def exchange(socket, batch):
        for data in batch:
            await socket.send(data.decode())
        for _ in batch:
            check_answer(await asyncio.wait_for(socket.recv(), PATIENCE))

    async def send_frame(socket, data):
        await socket.write_frame(True, 1, data)

    asyncio.run(run())


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with running_hub(tmp_path_factory.mktemp("hostile")) as running:
        running.add_service("service")
        yield running


def check_good_request(hub):
    worker = IndependentWorker(hub)
    root = random_hash()
    answer = hub.ask(root)
    assert work_value(answer["work"], root) >= int(BASE, 16)
    assert hub.get("/api/health")[0] == 200
    worker.close()


def run_rounds(hub, send, count):
    """A tenth of the messages for memory that is taken once, then all."""
    def round_of(number, each):
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            calls = [pool.submit(send, hub, f"{SEED} {number} {n}", each)
                     for n in range(CONNECTIONS)]
            for call in calls:
                call.result()

    round_of(0, count // CONNECTIONS // 10)
    before = resident_kib(hub.process.child.pid)
    round_of(1, count // CONNECTIONS)
    grown = resident_kib(hub.process.child.pid) - before
    assert grown < GROWTH_MAX_KIB, f"grew by {grown} KiB, seed {SEED}"
    check_good_request(hub)


def test_malformed_requests_by_post_are_answered_by_the_protocol(hub):
    run_rounds(hub, post_them, BY_POST)


def test_malformed_requests_by_websocket_are_answered_by_the_protocol(hub):
    run_rounds(hub, send_them, BY_WEBSOCKET)
    assert hub.statistics()["work"]["precache"] == 0


def publish_them(hub, seed, count):
    """From ever new connections: the broker bans one after its hundredth malformed result."""
    nasty = Nasty(seed)
    for begin in range(0, count, RESULTS_EACH):
        client = Client(hub, client_id=f"hostile-{seed.replace(' ', '-')}-{begin}")
        publish_some(client, nasty, min(RESULTS_EACH, count - begin))
        client.close()


def publish_some(client, nasty, count):
    for number in range(count):
        topic = nasty.random.choice(["result/ondemand", "result/precache"])
        client.client.publish(topic, nasty.result())
        if number % 10 == 0:  # where it may not
            topic = nasty.random.choice(["result/other", "work/ondemand", "cancel/ondemand",
                                         "statistics", "heartbeat", f"client/{ACCOUNT}"])
            client.client.publish(topic, nasty.result())
    client.publish("result/ondemand", "the last")


def dropped(hub):
    return json.loads(hub.get("/api/health")[1]).get("broker", {}).get("dropped_malformed", 0)


def test_malformed_results_are_dropped_and_right_ones_still_count(hub):
    before = hub.statistics()["work"]
    key = (hub.data / "broker" / "dashboard-password").read_text()
    heard = Client(hub, "dpowinterface", key, subscribe=["client/#", "cancel/#"])
    run_rounds(hub, publish_them, RESULTS)
    wait_until(lambda: dropped(hub) > RESULTS // 2, "the broker's word on what it has dropped")
    # What the hub published in all this is about the one good request.
    topic, payload, _, _ = heard.next()
    topics = {topic}
    while topic != f"client/{ACCOUNT}":
        topic, payload, _, _ = heard.next()
        topics.add(topic)
    assert topics <= {"cancel/ondemand", f"client/{ACCOUNT}"}
    after = hub.statistics()["work"]
    assert after == {**before, "ondemand": before["ondemand"] + 1}
    assert json.loads(payload)["ondemand"] == after["ondemand"]
    heard.close()


def test_malformed_results_for_a_hash_that_is_wanted_change_nothing(hub):
    """Every field wrong in turn around a right work; only the right one ends the wait."""
    worker = Client(hub, subscribe=["work/#"])
    root = random_hash()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(hub.ask, root, timeout=30)
        assert worker.next()[1] == f"{root},{BASE}"
        work = find_work(root, int(BASE, 16))
        weak = next(f"{n:016x}" for n in range(10 ** 6)
                    if work_value(f"{n:016x}", root) < int(BASE, 16))
        for payload in [
                f"{root},{weak},{ACCOUNT}", f"{root},{work[1:]},{ACCOUNT}", f"{root},{work}",
                f"{root},0{work},{ACCOUNT}", f"{root[1:]},{work},{ACCOUNT}", f"{root};{work};x",
                f" {root},{work},{ACCOUNT}", f"{root},{work},{ACCOUNT},", f"{root},,{ACCOUNT}",
                f"{root},0x{work[2:]},{ACCOUNT}", f"{root}\0,{work},{ACCOUNT}", root,
                f"{root[:-1]}G,{work},{ACCOUNT}", f"{root},{work[:-1]}g,{ACCOUNT}"]:
            worker.publish("result/ondemand", payload)
        assert not call.done()
        worker.publish("result/ondemand", f"{root.lower()},{work},{ACCOUNT}")
        assert call.result() == {"work": work, "hash": root}
    wait_until(lambda: hub.get("/api/health")[0] == 200, "health")
    worker.close()
