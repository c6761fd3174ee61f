"""The service protocol (dpow.md 3), one row a rule, by POST and by WebSocket alike."""

import asyncio
import concurrent.futures
import contextlib
import json
import socket
import sqlite3
import time

import pytest
import websockets
from conftest import ACCOUNT, BASE, PATIENCE, Client, Hub, random_hash, work_value
from service_peers import (PROBLEMS, WAYS, Worker, by_post, by_websocket, by_websocket_all,
                           id_text, ignored_hash, post, request_text, running_hub,
                           solvable_hash, url_of)

NOT_JSON = "Bad request (not json)"
MISSING = "Incorrect submission. Required information: user, api_key, hash"
CREDENTIALS = "Invalid credentials"
NOT_FLOAT = "Multiplier must be a float"
TOO_LOW = "Difficulty too low. Minimum: 1.0"
NO_DIFFICULTY = "Difficulty too low"
BAD_DIFFICULTY = "Invalid difficulty"
TOO_HIGH = "Difficulty too high. Maximum: fcccccccccccccc0 ( 5.0 multiplier )"
HASH = "Invalid hash"
ACCOUNT_TEXT = "Invalid account"
CLASS = "Class must be send or receive"
TIMEOUT = "Timeout must be an integer between 1 and 30"
TIMED_OUT = "Timeout reached without work"

# 2^64 - floor(2^60 / m), the quotient a double as in the node.
MAXIMUM, MULTIPLIER_1_5 = [f"{2 ** 64 - int(2.0 ** 60 / m):016x}" for m in (5, 1.5)]
GOOD = ACCOUNT.removeprefix("nano_")


def trickle(hub):
    """What a connection gets whose head goes on coming, byte by byte."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=0.25) as connection:
        begin = time.monotonic()
        connection.sendall(b"POST /service/ HTTP/1.1\r\nHost: x\r\n")
        received = b""
        while b"\r\n\r\n" not in received and time.monotonic() - begin < PATIENCE:
            with contextlib.suppress(TimeoutError):
                received += connection.recv(4096)
            if not received:
                connection.sendall(b"X")
    return received


def be_silent(hub):
    """The first byte that a silent WebSocket gets, when, and how long after it is dropped."""
    begin = time.monotonic()
    with websocket_by_hand(hub) as connection:
        first = connection.recv(1)
        pinged = time.monotonic() - begin
        while connection.recv(4096):
            pass
        return first, pinged, time.monotonic() - begin - pinged


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """With peers that take their time while the tests run; they end with the hub at the latest."""
    pool = concurrent.futures.ThreadPoolExecutor(2)
    with pool, running_hub(tmp_path_factory.mktemp("conformance")) as running:
        running.add_service("service")
        running.worker = Worker(running)
        running.slow_peers = {peer: pool.submit(peer, running) for peer in (trickle, be_silent)}
        yield running
        running.worker.close()


def error_of(answer):
    return json.loads(answer)["error"]


# What is no request at all: the whole text, and the error (dpow.md 3.2, rows 1 to 3).
TEXTS = [
    ("nothing", "", NOT_JSON),
    ("blanks", " \n ", NOT_JSON),
    ("a form", "user=a&api_key=b&hash=c", NOT_JSON),
    ("cut short", '{"user":"a","hash":"', NOT_JSON),
    ("single quotes", "{'user':'a'}", NOT_JSON),
    ("a comment", '{"user":"a"/**/}', NOT_JSON),
    ("a comma at the end", '{"user":"a",}', NOT_JSON),
    ("two objects", "{}{}", NOT_JSON),
    ("not a number", '{"id":NaN}', NOT_JSON),
    ("a byte order mark", "\ufeff{}", NOT_JSON),
    ("a member twice", '{"hash":"a","user":"b","api_key":"c","hash":"d"}', NOT_JSON),
    ("too deep", '{"id":' + "[" * 900 + "]" * 900 + "}", NOT_JSON),
    ("half a surrogate pair", '{"id":"\\ud800"}', NOT_JSON),
    ("an array", "[]", NOT_JSON),
    ("a text", '"x"', NOT_JSON),
    ("a number", "1", NOT_JSON),
    ("true", "true", NOT_JSON),
    ("null", "null", NOT_JSON),
    ("an empty object", "{}", MISSING),
    ("no user", '{"api_key":"a","hash":"b"}', MISSING),
    ("no key", '{"user":"a","hash":"b"}', MISSING),
    ("no hash", '{"user":"a","api_key":"b"}', MISSING),
    ("names in upper case", '{"USER":"a","API_KEY":"b","HASH":"c"}', MISSING),
]


@WAYS
@pytest.mark.parametrize("text, error", [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_what_is_no_request_is_told(hub, ask, text, error):
    assert json.loads(ask(hub, text)) == {"error": error}


# Members that differ from a right request's, as JSON texts, and the error, or the threshold that
# the workers are asked for. %H is a fresh hash in upper case, %h the same in lower case.
FIELDS = [
    # Row 4.
    ("another user", {"user": '"nobody"'}, CREDENTIALS),
    ("no user's name", {"user": '""'}, CREDENTIALS),
    ("the user in upper case", {"user": '"SERVICE"'}, CREDENTIALS),
    ("a NUL behind the user", {"user": '"service\\u0000"'}, CREDENTIALS),
    ("a blank behind the user", {"user": '"service "'}, CREDENTIALS),
    ("a long user", {"user": '"' + "a" * 1000 + '"'}, CREDENTIALS),
    ("user a number", {"user": "1"}, CREDENTIALS),
    ("user null", {"user": "null"}, CREDENTIALS),
    ("user an array", {"user": '["service"]'}, CREDENTIALS),
    ("another key", {"api_key": '"' + "0" * 64 + '"'}, CREDENTIALS),
    ("an empty key", {"api_key": '""'}, CREDENTIALS),
    ("a long key", {"api_key": '"' + "0" * 1000 + '"'}, CREDENTIALS),
    ("key a number", {"api_key": "1"}, CREDENTIALS),
    ("key null", {"api_key": "null"}, CREDENTIALS),
    ("key an object", {"api_key": "{}"}, CREDENTIALS),
    # Rows 6, 7, 11 and 12: multiplier.
    ("multiplier a word", {"multiplier": '"much"'}, NOT_FLOAT),
    ("multiplier true", {"multiplier": "true"}, NOT_FLOAT),
    ("multiplier false", {"multiplier": "false"}, NOT_FLOAT),
    ("multiplier an array", {"multiplier": "[2]"}, NOT_FLOAT),
    ("multiplier an object", {"multiplier": "{}"}, NOT_FLOAT),
    ("multiplier a blank", {"multiplier": '" "'}, NOT_FLOAT),
    ("multiplier with a comma", {"multiplier": '"1,5"'}, NOT_FLOAT),
    ("multiplier hexadecimal", {"multiplier": '"0x2"'}, NOT_FLOAT),
    ("multiplier nan", {"multiplier": '"nan"'}, TOO_LOW),
    ("multiplier inf", {"multiplier": '"inf"'}, TOO_LOW),
    ("multiplier -inf", {"multiplier": '"-inf"'}, TOO_LOW),
    ("multiplier -1", {"multiplier": "-1"}, TOO_LOW),
    ("multiplier the text -1", {"multiplier": '"-1"'}, TOO_LOW),
    ("multiplier the text 0", {"multiplier": '"0"'}, TOO_LOW),
    ("multiplier 0.99", {"multiplier": "0.99"}, TOO_LOW),
    ("multiplier tiny", {"multiplier": "1e-300"}, TOO_LOW),
    ("multiplier 5.0001", {"multiplier": "5.0001"}, TOO_HIGH),
    ("multiplier 1e300", {"multiplier": "1e300"}, TOO_HIGH),
    ("multiplier 0", {"multiplier": "0"}, BASE),
    ("multiplier 0.0", {"multiplier": "0.0"}, BASE),
    ("multiplier null", {"multiplier": "null"}, BASE),
    ("multiplier the empty text", {"multiplier": '""'}, BASE),
    ("multiplier 1", {"multiplier": "1"}, BASE),
    ("multiplier 1.0", {"multiplier": "1.0"}, BASE),
    ("multiplier the text 1.5", {"multiplier": '"1.5"'}, MULTIPLIER_1_5),
    ("multiplier 2", {"multiplier": "2"}, "f800000000000000"),
    ("multiplier 5", {"multiplier": "5"}, MAXIMUM),
    ("multiplier the text 5.0", {"multiplier": '"5.0"'}, MAXIMUM),
    ("multiplier 50e-1", {"multiplier": "50e-1"}, MAXIMUM),
    # Row 8.
    ("hash of 63 digits", {"hash": '"' + "A" * 63 + '"'}, HASH),
    ("hash of 65 digits", {"hash": '"' + "A" * 65 + '"'}, HASH),
    ("hash empty", {"hash": '""'}, HASH),
    ("hash with a G", {"hash": '"' + "A" * 63 + 'G"'}, HASH),
    ("hash with a blank", {"hash": '" ' + "A" * 63 + '"'}, HASH),
    ("hash of wide digits", {"hash": '"' + "A" * 63 + '１"'}, HASH),
    ("hash a number", {"hash": "1" * 64}, HASH),
    ("hash null", {"hash": "null"}, HASH),
    ("hash true", {"hash": "true"}, HASH),
    ("hash an array", {"hash": "[]"}, HASH),
    ("hash in lower case", {"hash": '"%h"'}, BASE),
    ("hash with an escaped digit", {"hash": '"\\u0031%H1"'}, BASE),
    # Row 9.
    ("account", {"account": f'"{ACCOUNT}"'}, BASE),
    ("account with the old prefix", {"account": f'"xrb_{GOOD}"'}, BASE),
    ("account null", {"account": "null"}, BASE),
    ("account empty", {"account": '""'}, BASE),
    ("account with a bad checksum", {"account": f'"{ACCOUNT[:-1]}8"'}, ACCOUNT_TEXT),
    ("account in upper case", {"account": f'"{ACCOUNT.upper()}"'}, ACCOUNT_TEXT),
    ("account without a prefix", {"account": f'"{GOOD}"'}, ACCOUNT_TEXT),
    ("account with a hyphen", {"account": f'"nano-{GOOD}"'}, ACCOUNT_TEXT),
    ("account too long", {"account": f'"{ACCOUNT}1"'}, ACCOUNT_TEXT),
    ("account too short", {"account": f'"{ACCOUNT[:-1]}"'}, ACCOUNT_TEXT),
    ("account only a prefix", {"account": '"nano_"'}, ACCOUNT_TEXT),
    ("account that begins with 2", {"account": f'"nano_2{GOOD[1:]}"'}, ACCOUNT_TEXT),
    ("account a number", {"account": "5"}, ACCOUNT_TEXT),
    ("account an object", {"account": "{}"}, ACCOUNT_TEXT),
    # Row 10, and its limits.
    ("difficulty of 15 digits", {"difficulty": '"f00000000000000"'}, NO_DIFFICULTY),
    ("difficulty of 17 digits", {"difficulty": '"f0000000000000000"'}, NO_DIFFICULTY),
    ("difficulty with 0x", {"difficulty": '"0xf000000000000000"'}, NO_DIFFICULTY),
    ("difficulty 0x and 14 digits", {"difficulty": '"0xf0000000000000"'}, NO_DIFFICULTY),
    ("difficulty empty", {"difficulty": '""'}, NO_DIFFICULTY),
    ("difficulty no hexadecimal", {"difficulty": '"g000000000000000"'}, NO_DIFFICULTY),
    ("difficulty a number", {"difficulty": "1000000000000000"}, NO_DIFFICULTY),
    ("difficulty true", {"difficulty": "true"}, NO_DIFFICULTY),
    ("difficulty not ASCII", {"difficulty": '"é000000000000000"'}, BAD_DIFFICULTY),
    ("difficulty below the base", {"difficulty": '"efffffffffffffff"'}, TOO_LOW),
    ("difficulty 0", {"difficulty": '"0000000000000000"'}, TOO_LOW),
    ("difficulty above the maximum", {"difficulty": '"fcccccccccccccc1"'}, TOO_HIGH),
    ("difficulty of all ones", {"difficulty": '"ffffffffffffffff"'}, TOO_HIGH),
    ("difficulty at the base", {"difficulty": f'"{BASE}"'}, BASE),
    ("difficulty above the base", {"difficulty": '"f000000000000001"'}, "f000000000000001"),
    ("difficulty at the maximum", {"difficulty": f'"{MAXIMUM}"'}, MAXIMUM),
    ("difficulty in upper case", {"difficulty": f'"{MAXIMUM.upper()}"'}, MAXIMUM),
    ("difficulty null", {"difficulty": "null"}, BASE),
    ("multiplier over difficulty", {"multiplier": "2", "difficulty": f'"{MAXIMUM}"'},
     "f800000000000000"),
    ("multiplier over a bad difficulty", {"multiplier": "2", "difficulty": '"x"'},
     "f800000000000000"),
    ("multiplier null beside difficulty", {"multiplier": "null", "difficulty": f'"{MAXIMUM}"'},
     MAXIMUM),
    ("multiplier 0 beside difficulty", {"multiplier": "0", "difficulty": f'"{MAXIMUM}"'},
     MAXIMUM),
    # The class, which the original had not.
    ("class send", {"class": '"send"'}, BASE),
    ("class null", {"class": "null"}, BASE),
    ("class unknown", {"class": '"open"'}, CLASS),
    ("class in upper case", {"class": '"SEND"'}, CLASS),
    ("class a number", {"class": "1"}, CLASS),
    # Row 13.
    ("timeout 0", {"timeout": "0"}, TIMEOUT),
    ("timeout 0.99", {"timeout": "0.99"}, TIMEOUT),
    ("timeout -1", {"timeout": "-1"}, TIMEOUT),
    ("timeout 31", {"timeout": "31"}, TIMEOUT),
    ("timeout 1e9", {"timeout": "1e9"}, TIMEOUT),
    ("timeout 1e999", {"timeout": "1e999"}, TIMEOUT),
    ("timeout the text 31", {"timeout": '"31"'}, TIMEOUT),
    ("timeout the text nan", {"timeout": '"nan"'}, TIMEOUT),
    ("timeout empty", {"timeout": '""'}, TIMEOUT),
    ("timeout a word", {"timeout": '"five"'}, TIMEOUT),
    ("timeout null", {"timeout": "null"}, TIMEOUT),
    ("timeout true", {"timeout": "true"}, TIMEOUT),
    ("timeout an array", {"timeout": "[5]"}, TIMEOUT),
    ("timeout 1", {"timeout": "1"}, BASE),
    ("timeout 1.9", {"timeout": "1.9"}, BASE),
    ("timeout 30", {"timeout": "30"}, BASE),
    ("timeout 30.9", {"timeout": "30.9"}, BASE),
    ("timeout the text 5", {"timeout": '"5"'}, BASE),
    ("timeout the text 30.9", {"timeout": '"30.9"'}, BASE),
    # Section 3.1, last line.
    ("fields of old examples", {"test": "true", "version": '"1"', "": "[{}]"}, BASE),
    # The order of the checks.
    ("a key before a multiplier", {"api_key": '"x"', "multiplier": '"x"'}, CREDENTIALS),
    ("a key before a hash", {"api_key": '"x"', "hash": "1"}, CREDENTIALS),
    ("a missing hash before a key", {"api_key": '"x"', "hash": None}, MISSING),
    ("a multiplier before a hash", {"multiplier": '"x"', "hash": "1"}, NOT_FLOAT),
    ("a multiplier's sign before a hash", {"multiplier": "-1", "hash": "1"}, TOO_LOW),
    ("a hash before an account", {"hash": "1", "account": "1"}, HASH),
    ("a hash before a limit", {"hash": "1", "multiplier": "6"}, HASH),
    ("an account before a difficulty", {"account": "1", "difficulty": '"x"'}, ACCOUNT_TEXT),
    ("an account before a limit", {"account": "1", "multiplier": "6"}, ACCOUNT_TEXT),
    ("a class before a difficulty", {"class": "1", "difficulty": '"x"'}, CLASS),
    ("a difficulty before a timeout", {"difficulty": '"x"', "timeout": "0"}, NO_DIFFICULTY),
    ("a limit before a timeout", {"multiplier": "6", "timeout": "0"}, TOO_HIGH),
    ("a minimum before a timeout", {"multiplier": "0.5", "timeout": "0"}, TOO_LOW),
]


@WAYS
@pytest.mark.parametrize("members, outcome", [row[1:] for row in FIELDS],
                         ids=[row[0] for row in FIELDS])
def test_each_field_has_its_rule(hub, ask, members, outcome):
    root = solvable_hash()
    filled = {name: text and text.replace("%H1", root[1:]).replace("%h", root.lower())
              for name, text in members.items()}
    answer = json.loads(ask(hub, request_text(hub, root, {"id": '"i"', **filled})))
    if " " in outcome:
        assert answer == {"error": outcome, "id": "i"}
        assert root not in hub.worker.asked, "work was asked for"
    else:
        assert answer == {"work": answer["work"], "hash": root, "id": "i"}
        assert len(answer["work"]) == 16 and answer["work"] == answer["work"].lower()
        assert work_value(answer["work"], root) >= int(outcome, 16)
        assert hub.worker.asked[root] == outcome


IDS = ["0", "-0.0", "7", "1.10", "1e400", "123456789012345678901234567890", '""', '"x"',
       '"é€😀"', '"\\u00E9\\/\\n"', "null", "true", "false", "[]", "{}", '[1 , {"a":[null]}]',
       '{"id":{"id":0}}', '{"a":1,"a":1}', '"' + "x" * 1000 + '"']


@WAYS
@pytest.mark.parametrize("text", IDS, ids=lambda text: text[:20])
def test_any_id_is_echoed_to_the_letter(hub, ask, text):
    root = solvable_hash()
    assert id_text(ask(hub, request_text(hub, root, {"id": text}))) == text
    assert id_text(ask(hub, request_text(hub, "bad", {"id": text}))) == text
    assert id_text(ask(hub, f'{{"id":{text},"user":"a"}}')) == text


@WAYS
def test_without_an_id_none_is_echoed(hub, ask):
    assert set(json.loads(ask(hub, request_text(hub, solvable_hash())))) == {"work", "hash"}
    assert set(json.loads(ask(hub, request_text(hub, "bad")))) == {"error"}


# What the time-out is by its field, in seconds; without a worker it passes to the end.
TIMEOUTS = [(None, 5), ("1", 1), ("1.9", 1), ('"2"', 2), ('"2.99"', 2), ("3e0", 3)]


def test_the_time_out_is_the_integer_part_and_five_by_default(hub):
    begin = time.monotonic()

    async def run():
        took = {}
        async with websockets.connect(url_of(hub)) as socket:
            for number, (text, _) in enumerate(TIMEOUTS):
                await socket.send(request_text(hub, ignored_hash(),
                                               {"id": str(number), "timeout": text}))
            for _ in TIMEOUTS:
                answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
                number = answer.pop("id")
                assert answer == {"error": TIMED_OUT, "timeout": True}
                took[number] = time.monotonic() - begin
        return took

    took = asyncio.run(run())
    for number, (text, seconds) in enumerate(TIMEOUTS):
        assert seconds <= took[number] < seconds + 0.9, text


def test_a_time_out_by_post_is_a_right_answer(hub):
    text = request_text(hub, ignored_hash(), {"timeout": "1", "id": "0"})
    assert json.loads(by_post(hub, text)) == {"error": TIMED_OUT, "timeout": True, "id": 0}


def test_only_a_time_out_has_the_key_timeout(hub):
    for members in [{"hash": "1"}, {"timeout": "0"}, {"user": "1"}, {}]:
        answer = json.loads(by_post(hub, request_text(hub, solvable_hash(), members)))
        assert "timeout" not in answer


@pytest.mark.parametrize("content_type", [
    "application/json", "text/plain", "application/x-www-form-urlencoded", "image/png", "", ";"])
def test_the_content_type_is_ignored(hub, content_type):
    _, _, answer = post(hub, request_text(hub, solvable_hash()), {"Content-Type": content_type})
    assert "work" in json.loads(answer)


PATHS = [
    ("POST", "/service", 200), ("POST", "/service/", 200), ("POST", "/service/?x=1", 200),
    ("POST", "/service//", 404), ("POST", "/Service/", 404), ("POST", "/service/x", 404),
    ("POST", "/services/", 404), ("POST", "/", 404), ("POST", "/block", 400),
    ("GET", "/service", 405), ("GET", "/service/", 405), ("PUT", "/service/", 405),
    ("DELETE", "/service/", 405), ("PATCH", "/service/", 405), ("OPTIONS", "/service/", 405),
    ("GET", "/upcheck", 200), ("GET", "/upcheck/", 200), ("GET", "/upcheck/blocks", 200),
    ("POST", "/upcheck/blocks/", 405), ("GET", "/upcheck/other", 404), ("GET", "/service_ws", 404),
]


@pytest.mark.parametrize("method, path, status", PATHS, ids=lambda value: str(value))
def test_paths_are_served_with_and_without_their_last_slash(hub, method, path, status):
    text = request_text(hub, solvable_hash()) if path.startswith("/service") else ""
    got, _, answer = post(hub, text, path=path, method=method)
    assert got == status
    if status != 200:
        assert set(json.loads(answer)) == {"error"}


@pytest.mark.parametrize("path", ["/service_ws", "/service_ws/", "/service_ws/?x=1"])
@pytest.mark.parametrize("headers, subprotocols", [
    ({}, None), ({"Origin": "https://evil.example"}, None), ({}, ["chat"])])
def test_a_websocket_needs_no_origin_protocol_or_compression(hub, path, headers, subprotocols):
    async def run():
        async with websockets.connect(f"ws://127.0.0.1:{hub.port}{path}", extra_headers=headers,
                                      subprotocols=subprotocols) as socket:
            assert socket.subprotocol is None and socket.extensions == []
            await socket.send("{}")
            assert json.loads(await socket.recv()) == {"error": MISSING}

    asyncio.run(run())


# Errors for those who ask for statuses: members that differ, status, title.
PROBLEM_ROWS = [
    ("no JSON", None, 400, "Bad Request", NOT_JSON),
    ("missing", {"user": None}, 400, "Bad Request", MISSING),
    ("credentials", {"api_key": '"x"'}, 401, "Unauthorized", CREDENTIALS),
    ("a field", {"hash": '"x"'}, 400, "Bad Request", HASH),
    ("a limit", {"multiplier": "6"}, 400, "Bad Request", TOO_HIGH),
    ("a time-out", {"timeout": "1"}, 504, "Gateway Timeout", TIMED_OUT),
]


def check_problem(answered, status, title, error, **members):
    got, headers, text = answered
    assert got == status
    assert headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert json.loads(text) == {"type": "about:blank", "title": title, "status": status,
                                "error": error, **members}


@pytest.mark.parametrize("members, status, title, error", [row[1:] for row in PROBLEM_ROWS],
                         ids=[row[0] for row in PROBLEM_ROWS])
def test_who_asks_for_problems_gets_statuses(hub, members, status, title, error):
    more = {"timeout": True} if status == 504 else {}
    if members is None:
        text = "{"
    else:
        text = request_text(hub, ignored_hash(), {"id": "[0]", **members})
        more["id"] = [0]
    check_problem(post(hub, text, PROBLEMS), status, title, error, **more)


@pytest.mark.parametrize("accept, wanted", [
    ("application/problem+json, application/json;q=0.9", True), ("*/*", False),
    ("application/json", False), ("", False)])
def test_only_the_media_type_by_name_asks_for_statuses(hub, accept, wanted):
    status, _, _ = post(hub, request_text(hub, "x"), {"Accept": accept})
    assert status == (400 if wanted else 200)


def test_work_is_plain_json_for_those_who_accept_problems(hub):
    root = solvable_hash()
    status, headers, text = post(hub, request_text(hub, root, {"id": "1"}), PROBLEMS)
    assert status == 200 and headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(json.loads(text)) == {"work", "hash", "id"}


def test_a_refused_service_is_told_why(tmp_path):
    """Rows of the store, for want of a command: no credits, and a ban (dpow.md 3.3)."""
    hub = Hub(tmp_path)
    hub.data.mkdir()
    for name in ("poor", "banned"):
        hub.add_service(name)
    with contextlib.closing(sqlite3.connect(hub.data / "dpow.db")) as database:
        database.execute("UPDATE services SET unlimited = 0, credits = 0 WHERE name = 'poor'")
        database.execute("UPDATE services SET ban_until_ms = 1 << 60 WHERE name = 'banned'")
        database.commit()
    hub.start()
    for user, status, title, error in [("poor", 402, "Payment Required", "No credits left"),
                                       ("banned", 403, "Forbidden", "Service suspended")]:
        text = request_text(hub, random_hash(), {"id": "7"}, user=user)
        for ask in (by_post, by_websocket):
            assert json.loads(ask(hub, text)) == {"error": error, "id": 7}
        check_problem(post(hub, text, PROBLEMS), status, title, error, id=7)
    observer = Client(hub, subscribe=["work/#"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hub.add_service("service")
        call = pool.submit(post, hub, request_text(hub, random_hash(), {"id": "8"}), PROBLEMS)
        assert observer.next("work/ondemand")
        assert hub.stop() == 0
        check_problem(call.result(), 503, "Service Unavailable", "Server busy", id=8)
    observer.close()


def test_a_body_has_sixteen_kibibytes_and_a_message_two(hub):
    text = request_text(hub, "bad")
    assert error_of(by_post(hub, text + " " * (16384 - len(text)))) == HASH
    status, _, answer = post(hub, text + " " * (16385 - len(text)))
    assert status == 413 and "error" in json.loads(answer)
    assert error_of(by_websocket(hub, text + " " * (2048 - len(text)))) == HASH

    async def run():
        async with websockets.connect(url_of(hub)) as socket:
            await socket.send(text + " " * (2049 - len(text)))
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1009

    asyncio.run(run())


def test_binary_messages_are_ignored(hub):
    async def run():
        async with websockets.connect(url_of(hub)) as socket:
            await socket.send(request_text(hub, "bad", {"id": "1"}).encode())
            await socket.send(request_text(hub, "bad", {"id": "2"}))
            assert json.loads(await socket.recv())["id"] == 2

    asyncio.run(run())


def test_the_65th_open_request_of_a_websocket_is_too_many(hub):
    """Answers go out when they are ready, and make room."""
    texts = [request_text(hub, ignored_hash(), {"id": str(number), "timeout": "2"})
             for number in range(64)]
    texts += [request_text(hub, solvable_hash(), {"id": "64"})]
    answers = [json.loads(answer) for answer in by_websocket_all(hub, texts)]
    assert answers[0] == {"error": "Too many requests", "id": 64}
    assert sorted(answer["id"] for answer in answers[1:]) == list(range(64))
    assert all(answer["timeout"] is True for answer in answers[1:])


def test_other_connections_are_not_counted(hub):
    async def run():
        async with websockets.connect(url_of(hub)) as full, \
                websockets.connect(url_of(hub)) as free:
            for _ in range(64):
                await full.send(request_text(hub, ignored_hash(), {"timeout": "30"}))
            await full.send(request_text(hub, solvable_hash()))
            assert json.loads(await full.recv()) == {"error": "Too many requests"}
            await free.send(request_text(hub, solvable_hash()))
            assert "work" in json.loads(await free.recv())

    asyncio.run(run())


def test_two_hundred_ids_on_one_websocket_come_back_with_their_own_hash(hub):
    roots = [solvable_hash() for _ in range(200)]

    async def run():
        window = asyncio.Semaphore(64)
        answers = {}
        async with websockets.connect(url_of(hub)) as socket:

            async def send():
                for number, root in enumerate(roots):
                    await window.acquire()
                    await socket.send(request_text(hub, root, {"id": str(number)}))

            sending = asyncio.create_task(send())
            while len(answers) < len(roots):
                answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
                assert answer["id"] not in answers
                answers[answer["id"]] = answer
                window.release()
            await sending
        return answers

    for number, answer in asyncio.run(run()).items():
        assert answer == {"work": answer["work"], "hash": roots[number], "id": number}
        assert work_value(answer["work"], roots[number]) >= int(BASE, 16)


def test_a_later_request_may_be_answered_first(hub):
    texts = [request_text(hub, ignored_hash(), {"id": '"slow"', "timeout": "1"}),
             request_text(hub, solvable_hash(), {"id": '"quick"'}),
             request_text(hub, "bad", {"id": '"wrong"'})]
    order = [json.loads(answer)["id"] for answer in by_websocket_all(hub, texts)]
    assert set(order[:2]) == {"quick", "wrong"} and order[2] == "slow"


def test_each_request_carries_its_credentials(hub):
    """There is no login: a right request does not open the connection to a wrong one."""
    texts = [request_text(hub, solvable_hash(), {"id": "0"}),
             request_text(hub, solvable_hash(), {"id": "1", "api_key": '"x"'}),
             request_text(hub, solvable_hash(), {"id": "2"})]
    answers = {json.loads(answer)["id"]: json.loads(answer)
               for answer in by_websocket_all(hub, texts)}
    assert "work" in answers[0] and "work" in answers[2]
    assert answers[1] == {"error": CREDENTIALS, "id": 1}


def test_a_message_that_is_not_utf8_closes_its_websocket_only(hub):
    with websocket_by_hand(hub) as connection:
        connection.sendall(b"\x81\x82\0\0\0\0\xff\xfe")
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    assert received == b"\x88\x02\x03\xef"  # 1007
    assert error_of(post(hub, b"\xff\xfe")[2]) == NOT_JSON


def websocket_by_hand(hub):
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=2 * PATIENCE)
    connection.sendall(b"GET /service_ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                       b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 101 ")
    return connection


class LiveHub:
    """A hub with the live network's thresholds, and what it asks of workers."""

    def __init__(self, hub):
        self.hub = hub
        self.observer = Client(hub, subscribe=["work/#", "cancel/#"])

    def threshold_of(self, members):
        """What workers are asked for, whom nobody waits for long."""
        root = random_hash()

        async def run():
            async with websockets.connect(url_of(self.hub)) as socket:
                await socket.send(request_text(self.hub, root, members))
                loop = asyncio.get_running_loop()
                message = await loop.run_in_executor(None, self.observer.next, "work/ondemand")
                while not message[1].startswith(root):
                    message = await loop.run_in_executor(None, self.observer.next,
                                                         "work/ondemand")
                return message[1].removeprefix(root + ",")

        return asyncio.run(run())


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running_hub(tmp_path_factory.mktemp("live"),
                     "--base-difficulty=fffffff800000000") as running:
        running.add_service("service")
        live = LiveHub(running)
        yield live
        live.observer.close()


# dpow.md 1.1, the node's rounding; the receive class is a 64th of the base.
@pytest.mark.parametrize("members, threshold", [
    ({}, "fffffff800000000"), ({"multiplier": "1.5"}, "fffffffaaaaaaaab"),
    ({"multiplier": "2"}, "fffffffc00000000"), ({"multiplier": "5"}, "fffffffe66666667"),
    ({"multiplier": '"5.0"'}, "fffffffe66666667"),
    ({"difficulty": '"fffffffe66666667"'}, "fffffffe66666667"),
    ({"class": '"receive"'}, "fffffe0000000000"),
    ({"class": '"receive"', "multiplier": "0.015625"}, "fffffe0000000000"),
    ({"class": '"receive"', "difficulty": '"fffffe0000000000"'}, "fffffe0000000000"),
    ({"class": '"receive"', "multiplier": "0.5"}, "fffffff000000000"),
    ({"class": '"receive"', "multiplier": "5"}, "fffffffe66666667"),
    ({"class": '"send"'}, "fffffff800000000")], ids=str)
def test_workers_are_asked_for_the_live_networks_thresholds(live, members, threshold):
    assert live.threshold_of(members) == threshold


@WAYS
@pytest.mark.parametrize("members, error", [
    ({"multiplier": "5.0001"},
     "Difficulty too high. Maximum: fffffffe66666667 ( 5.0 multiplier )"),
    ({"difficulty": '"fffffffe66666668"'},
     "Difficulty too high. Maximum: fffffffe66666667 ( 5.0 multiplier )"),
    ({"class": '"receive"', "multiplier": "5.0001"},
     "Difficulty too high. Maximum: fffffffe66666667 ( 5.0 multiplier )"),
    ({"difficulty": '"fffffff7ffffffff"'}, TOO_LOW), ({"multiplier": "0.999"}, TOO_LOW),
    ({"multiplier": "0.015625"}, TOO_LOW), ({"class": '"send"', "multiplier": "0.5"}, TOO_LOW),
    ({"class": '"receive"', "multiplier": "0.0156"}, "Difficulty too low. Minimum: 0.015625"),
    ({"class": '"receive"', "difficulty": '"fffffdffffffffff"'},
     "Difficulty too low. Minimum: 0.015625")], ids=str)
def test_the_limits_texts_are_the_documents(live, ask, members, error):
    assert error_of(ask(live.hub, request_text(live.hub, random_hash(), members))) == error


def test_another_maximum_is_told_in_the_text(tmp_path):
    with running_hub(tmp_path, "--max-multiplier=2.5") as hub:
        hub.add_service("service")
        error = error_of(by_post(hub, request_text(hub, random_hash(), {"multiplier": "2.6"})))
        assert error == "Difficulty too high. Maximum: f999999999999980 ( 2.5 multiplier )"


def test_a_second_request_for_a_hash_is_answered_from_the_cache(hub):
    """Only work that is good enough: more is asked for anew (dpow.md 4)."""
    root = solvable_hash()
    first = json.loads(by_post(hub, request_text(hub, root)))
    hub.worker.asked.clear()
    assert json.loads(by_websocket(hub, request_text(hub, root)))["work"] == first["work"]
    assert root not in hub.worker.asked
    if work_value(first["work"], root) < int(MAXIMUM, 16):
        answer = json.loads(by_post(hub, request_text(hub, root, {"multiplier": "5"})))
        assert work_value(answer["work"], root) >= int(MAXIMUM, 16)
        assert hub.worker.asked[root] == MAXIMUM


def test_a_request_that_trickles_is_ended_with_408(hub):
    """Bytes that go on coming do not prolong the time for a whole request."""
    assert hub.slow_peers[trickle].result(timeout=2 * PATIENCE).startswith(b"HTTP/1.1 408 ")


def test_a_websocket_is_pinged_every_20_s_and_dropped_without_a_pong_in_10(hub):
    first, pinged_after, dropped_after = hub.slow_peers[be_silent].result(timeout=2 * PATIENCE)
    assert first == b"\x89"
    assert 18 < pinged_after < 23 and 8 < dropped_after < 13
