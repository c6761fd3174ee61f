"""dpow work-server as nodes, wallets and monitors use it, with clients that share nothing with it."""

import asyncio
import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import subprocess
import urllib.parse

import pytest
import websockets

from conftest import PATIENCE, Process, PROGRAM, random_hash, resident_kib, wait_until, work_value

HARD = "ffffffff00000000"  # 2^32 tries: minutes
EASY = "fff0000000000000"  # 4096 tries


class Server:
    def __init__(self, folder, *words):
        self.process = Process("work-server", "--listen", "127.0.0.1:0", "--devices", "cpu:1", *words,
                               log=folder / "server.log")
        line = self.process.child.stdout.readline()
        assert line, self.process.log.read_text()
        self.ready = json.loads(line)
        url = urllib.parse.urlsplit(self.ready["http"])
        self.host, self.port = url.hostname, url.port

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=PATIENCE)

    def call(self, body, path="/", method="POST", **headers):
        """Status and JSON of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text)

    def generate(self, root, difficulty=EASY, **fields):
        return self.call({"action": "work_generate", "hash": root, "difficulty": difficulty,
                          **fields})

    def status(self):
        return self.call({"action": "status"})[1]

    def metrics(self):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def stop(self):
        return self.process.stop()


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path)
    yield running
    assert running.stop() == 0, running.process.log.read_text()


def start_with(folder, *words):
    return Server(folder, *words)


def node_request(root, difficulty):
    """As a node writes it: pretty-printed, a line end behind it, its own header lines."""
    body = json.dumps({"action": "work_generate", "hash": root, "difficulty": difficulty,
                       "account": "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"},
                      indent=4) + "\n"
    return (f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def cancel_request(root):
    body = json.dumps({"action": "work_cancel", "hash": root})
    return (f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def read_answer(connection):
    """Status and JSON of the next answer on a raw connection."""
    reader = connection.makefile("rb")
    status = int(reader.readline().split()[1])
    length = 0
    for line in iter(reader.readline, b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, json.loads(reader.read(length))


def test_work_is_found_and_validated(server):
    root = random_hash()
    status, found = server.generate(root.lower())
    assert status == 200
    assert list(found) == ["difficulty", "hash", "multiplier", "work"]
    assert found["hash"] == root
    assert work_value(found["work"], root) == int(found["difficulty"], 16) >= int(EASY, 16)
    status, valid = server.call({"action": "work_validate", "hash": root, "work": found["work"],
                                 "difficulty": EASY})
    assert status == 200
    assert valid["valid"] == "1" and valid["difficulty"] == found["difficulty"]
    assert valid["multiplier"] == found["multiplier"]


def test_any_path_and_content_type_and_old_http_are_served(server):
    root = random_hash()
    body = json.dumps({"action": "work_generate", "hash": root, "difficulty": EASY})
    for path in "/", "/api/v1/work", "/anything/else":
        status, found = server.call(body, path,
                                    **{"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200 and work_value(found["work"], root) >= int(EASY, 16)
    with server.connect() as connection:
        connection.sendall(f"POST / HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert read_answer(connection)[0] == 200
        assert connection.recv(1) == b""


def test_requests_in_a_pipeline_are_answered_in_order(server):
    roots = [random_hash() for _ in range(8)]
    with server.connect() as connection:
        connection.sendall(b"".join(node_request(root, EASY) for root in roots))
        reader = connection.makefile("rb")
        for root in roots:
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            for line in iter(reader.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(reader.read(length))["hash"] == root


@pytest.mark.parametrize("body,status,error", [
    ("", 400, "Failed to deserialize JSON"),
    ("\x00\xff", 400, "Failed to deserialize JSON"),
    ("[" * 1000, 400, "Failed to deserialize JSON"),
    ('{"action":"work_generate"}', 400, "Failed to deserialize JSON"),
    ('{"action":"work_generate","hash":"zz"}', 400, "Bad block hash"),
    ('{"action":"nothing"}', 400, "Unknown command"),
    ('{"action":"work_generate","hash":"' + "0" * 64 + '","difficulty":"ffffffffffffffff"}', 200,
     "Difficulty above config limit or below publish threshold"),
])
def test_what_is_malformed_is_refused_with_the_known_text(server, body, status, error):
    assert server.call(body.encode("latin-1"))[0] == status
    assert server.call(body.encode("latin-1"))[1]["error"] == error


def test_other_methods_and_large_bodies_are_refused(server):
    assert server.call("", method="GET") == (405, {"error": "Can only POST requests"})
    assert server.call("", method="PUT") == (405, {"error": "Can only POST requests"})
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n" + b" " * 65537)
        assert connection.recv(12) == b"HTTP/1.1 413"
    padded = json.dumps({"action": "status"}).ljust(65536)
    assert server.call(padded)[0] == 200


def test_a_node_that_has_its_work_cancels_and_never_reads(server):
    root = random_hash()
    asking = server.connect()
    asking.sendall(node_request(root, HARD))
    wait_until(lambda: server.status()["generating"] == "1", "the search begins")
    with server.connect() as cancelling:
        cancelling.sendall(cancel_request(root))
    assert read_answer(asking) == (200, {"error": "Cancelled"})
    asking.close()
    wait_until(lambda: server.status()["generating"] == "0", "the search ends")


def test_a_cancel_that_overtakes_its_request_counts(server):
    root = random_hash()
    with server.connect() as asking, server.connect() as other:
        other.sendall(cancel_request(root))
        assert read_answer(other) == (200, {})
        asking.sendall(node_request(root, HARD))
        assert read_answer(asking) == (200, {"error": "Cancelled"})


def test_a_cancel_does_not_reach_what_follows_it_on_its_connection(server):
    root = random_hash()
    with server.connect() as connection:
        connection.sendall(cancel_request(root))
        assert read_answer(connection) == (200, {})
        connection.sendall(node_request(root, EASY))
        status, found = read_answer(connection)
    assert status == 200 and work_value(found["work"], root) >= int(EASY, 16)


def test_the_search_stops_when_its_only_caller_hangs_up(server):
    root = random_hash()
    first, second = server.connect(), server.connect()
    first.sendall(node_request(root, HARD))
    second.sendall(node_request(root, HARD))
    wait_until(lambda: server.metrics()["dpow_work_waiters"] == 2, "both wait")
    first.close()
    wait_until(lambda: server.metrics()["dpow_work_waiters"] == 1, "one has left")
    assert server.status()["generating"] == "1"
    second.close()
    wait_until(lambda: server.status()["generating"] == "0", "the search ends")
    assert server.metrics()["dpow_work_left_total"] == 2
    assert "error" not in server.process.log.read_text()


def test_fifty_at_once_are_all_answered_rightly(server):
    roots = [random_hash() for _ in range(40)]
    asked = roots + roots[:10]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(server.generate, asked))
    for root, (status, found) in zip(asked, answers):
        assert status == 200
        assert work_value(found["work"], root) >= int(EASY, 16)


def test_who_asks_for_more_gets_more(server):
    root = random_hash()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        thresholds = [f"{(1 << 64) - (1 << bits):016x}" for bits in (56, 54, 52, 50, 48, 47)]
        answers = list(pool.map(lambda threshold: server.generate(root, threshold), thresholds))
    for threshold, (status, found) in zip(thresholds, answers):
        assert status == 200 and work_value(found["work"], root) >= int(threshold, 16)


def test_higher_priority_goes_first(server):
    first = server.connect()
    first.sendall(node_request(random_hash(), HARD))
    wait_until(lambda: server.status()["generating"] == "1", "the first search begins")
    order = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def ask(priority):
            server.generate(random_hash(), priority=priority)
            order.append(priority)
        waiting = []
        for count, priority in enumerate((0, 2, 1, 3), 1):
            waiting.append(pool.submit(ask, priority))
            wait_until(lambda: server.status()["queue_size"] == str(count), "it waits")
        queued = server.call("", "/api/v1/work/queue", "GET")[1]
        assert sorted(entry["priority"] for entry in queued["queued"]) == ["0", "1", "2", "3"]
        assert len(queued["active"]) == 1
        first.close()
        concurrent.futures.wait(waiting, PATIENCE)
    completed = server.call("", "/api/v1/work/queue", "GET")[1]["completed"]
    assert [entry["priority"] for entry in completed[-4:]] == ["3", "2", "1", "0"]
    assert sorted(order) == [0, 1, 2, 3]


def test_a_full_queue_refuses_and_forgets_nothing(tmp_path):
    server = start_with(tmp_path, "--queue", "2")
    held = []
    for count in range(3):
        held.append(server.connect())
        held[-1].sendall(node_request(random_hash(), HARD))
        wait_until(lambda: server.metrics()["dpow_work_waiters"] == count + 1, "it waits")
    assert server.generate(random_hash(), HARD) == (200, {"error": "Work request limit exceeded"})
    assert server.metrics()["dpow_work_waiters"] == 3
    assert server.stop() == 0
    for connection in held:
        assert read_answer(connection) == (200, {"error": "Cancelled"})


def test_waiting_ends_with_the_timeout(tmp_path):
    server = start_with(tmp_path, "--timeout", "0.2")
    assert server.generate(random_hash(), HARD) == (200, {"error": "Work generation timed out"})
    assert server.status() == {"generating": "0", "queue_size": "0"}
    assert server.stop() == 0


def test_several_hashes_share_the_devices(tmp_path):
    server = start_with(tmp_path, "--share", "2", "--devices", "cpu:2")
    held = server.connect()
    held.sendall(node_request(random_hash(), HARD))
    wait_until(lambda: server.status()["generating"] == "1", "the search begins")
    status, found = server.generate(random_hash())
    assert status == 200 and "work" in found
    assert server.status() == {"generating": "1", "queue_size": "0"}
    held.close()
    assert server.stop() == 0


def test_no_more_hashes_share_the_devices_than_there_are_threads(tmp_path):
    server = start_with(tmp_path, "--share", "8")
    held = []
    for count in range(3):
        held.append(server.connect())
        held[-1].sendall(node_request(random_hash(), HARD))
        wait_until(lambda: server.metrics()["dpow_work_waiters"] == count + 1, "it waits")
    assert server.status() == {"generating": "1", "queue_size": "2"}
    assert "not among 8" in server.process.log.read_text()
    assert server.stop() == 0


def test_results_are_given_out_again_unless_told_otherwise(server, tmp_path):
    root = random_hash()
    assert server.generate(root) == server.generate(root)
    assert server.metrics()["dpow_work_remembered_total"] == 1
    other = start_with(tmp_path / ".", "--result-cache", "0")
    assert other.generate(root)[1]["work"] != other.generate(root)[1]["work"]
    assert other.stop() == 0


def test_benchmarks_are_measured_one_at_a_time(server):
    status, measured = server.call({"action": "benchmark", "count": "20", "difficulty": EASY})
    assert status == 200
    assert measured["count"] == "20" and measured["difficulty"] == EASY
    assert measured["hint"] == "Times in milliseconds"
    assert float(measured["average"]) == pytest.approx(float(measured["duration"]) / 20, abs=0.001)
    hanging = server.connect()
    body = json.dumps({"action": "benchmark", "count": 100, "difficulty": HARD})
    hanging.sendall(f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    wait_until(lambda: server.status()["generating"] == "1", "the benchmark begins")
    assert server.call({"action": "benchmark", "count": 1})[1] == {
        "error": "Benchmark failed", "hint": "Another benchmark is running"}
    hanging.close()
    wait_until(lambda: server.status()["generating"] == "0", "the benchmark ends")
    assert server.call({"action": "benchmark", "count": 1, "difficulty": EASY})[0] == 200


def test_a_websocket_has_several_requests_in_hand(server):
    async def talk():
        url = f"ws://{server.host}:{server.port}/websocket"
        async with websockets.connect(url) as socket_:
            slow = random_hash()
            await socket_.send(json.dumps({"action": "work_generate", "hash": slow,
                                           "difficulty": HARD, "id": "slow"}))
            await socket_.send(json.dumps({"action": "status", "id": 1}))
            assert json.loads(await socket_.recv())["id"] == 1
            await socket_.send(json.dumps({"action": "work_cancel", "hash": slow, "id": 2}))
            answers = [json.loads(await socket_.recv()) for _ in range(2)]
            assert answers == [{"error": "Cancelled", "id": "slow"}, {"id": 2}]
            roots = {str(i): random_hash() for i in range(20)}
            for name, root in roots.items():
                await socket_.send(json.dumps({"action": "work_generate", "hash": root,
                                               "difficulty": EASY, "id": name}))
            for _ in range(20):
                found = json.loads(await socket_.recv())
                assert work_value(found["work"], roots.pop(found["id"])) >= int(EASY, 16)
            await socket_.send(json.dumps({"action": "benchmark", "count": 2, "difficulty": EASY,
                                           "id": "measured"}))
            measured = json.loads(await socket_.recv())
            assert measured["id"] == "measured" and measured["count"] == "2"
            await socket_.send("{")
            assert json.loads(await socket_.recv()) == {"error": "Failed to deserialize JSON"}
            await socket_.send(json.dumps({"action": "work_generate", "hash": slow,
                                           "difficulty": HARD, "id": 3}))
            await socket_.send(json.dumps({"action": "status"}))
            assert json.loads(await socket_.recv())["queue_size"] in "01"
    asyncio.run(asyncio.wait_for(talk(), PATIENCE))
    wait_until(lambda: server.status()["generating"] == "0", "its searches end with it")


def test_control_is_off_unless_allowed(server, tmp_path):
    assert server.call("", "/api/v1/work/queue", "DELETE")[0] == 403
    assert server.call("", "/api/v1/stop", "GET")[0] == 403
    open_ = start_with(tmp_path / ".", "--allow-control")
    running, waiting = open_.connect(), open_.connect()
    running.sendall(node_request(random_hash(), HARD))
    wait_until(lambda: open_.status()["generating"] == "1", "one runs")
    waiting.sendall(node_request(random_hash(), HARD))
    wait_until(lambda: open_.status()["queue_size"] == "1", "one waits")
    assert open_.call("", "/api/v1/work/queue", "DELETE") == (200, {"success": "true"})
    assert read_answer(waiting) == (200, {"error": "Cancelled"})
    assert open_.call("", "/api/v1/stop", "POST") == (200, {"success": "true"})
    assert read_answer(running) == (200, {"error": "Cancelled"})
    assert open_.process.child.wait(timeout=PATIENCE) == 0


def test_pages_for_monitors(server):
    assert server.call("", "/api/v1/ping", "GET") == (200, {"success": "true"})
    assert set(server.call("", "/api/v1/version", "GET")[1]) == {"version"}
    assert server.call("", "/healthz", "GET") == (200, {"status": "ok"})
    server.generate(random_hash())
    metrics = server.metrics()
    assert metrics["dpow_work_requests_total"] == 1
    assert metrics['dpow_work_answers_total{answer="found"}'] == 1
    assert metrics['dpow_device_hashes_total{device="cpu:1"}'] > 0
    assert metrics['dpow_device_working{device="cpu:1"}'] == 1


def test_browsers_may_ask_if_their_origin_is_allowed(tmp_path):
    server = start_with(tmp_path, "--cors", "https://wallet.example")
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    connection.request("OPTIONS", "/")
    answer = connection.getresponse()
    assert answer.status == 204
    assert answer.getheader("Access-Control-Allow-Origin") == "https://wallet.example"
    connection.close()
    assert server.stop() == 0


def test_garbage_and_silence_do_no_harm(server):
    before = resident_kib(server.ready["pid"])
    for _ in range(200):
        with server.connect() as connection:
            connection.sendall(os.urandom(512))
    idle = [server.connect() for _ in range(300)]
    assert server.generate(random_hash())[0] == 200
    for connection in idle:
        connection.close()
    assert resident_kib(server.ready["pid"]) < before + 50000


@pytest.mark.parametrize("words,what", [
    (["--listen", "here"], "--listen"),
    (["--max-difficulty", "ff"], "--max-difficulty must be 16 hexadecimal digits"),
    (["--min-difficulty", "ffffffffffffffff"], "--min-difficulty is above --max-difficulty"),
    (["--share", "65"], "share"),
    (["--cors", "a b"], "--cors"),
    (["--devices", "cuda:77"], "device cuda:77"),
])
def test_wrong_options_are_refused_with_their_name(words, what):
    done = subprocess.run([PROGRAM, "work-server", *words], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and what in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_said(server):
    done = subprocess.run([PROGRAM, "work-server", "--listen", f"127.0.0.1:{server.port}",
                           "--devices", "cpu:1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and str(server.port) in done.stderr


def test_a_caller_with_much_in_its_pipeline_is_seen_to_hang_up(server):
    connection = server.connect()
    connection.sendall(node_request(random_hash(), HARD))
    wait_until(lambda: server.status()["generating"] == "1", "the search begins")
    connection.sendall(b"".join(node_request(random_hash(), HARD) for _ in range(100)))
    connection.close()
    wait_until(lambda: server.status() == {"generating": "0", "queue_size": "0"}, "all is left")
    greedy = server.connect()
    greedy.sendall(node_request(random_hash(), HARD))
    with contextlib.suppress(ConnectionError):
        greedy.sendall(b" " * 1_000_000)
    wait_until(lambda: server.status()["generating"] == "0", "who sends too much is disconnected")


def test_other_upgrades_are_ignored(server):
    root = random_hash()
    body = json.dumps({"action": "work_generate", "hash": root, "difficulty": EASY})
    with server.connect() as connection:
        connection.sendall(("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        status, found = read_answer(connection)
    assert status == 200 and work_value(found["work"], root) >= int(EASY, 16)


def test_old_clients_that_ask_to_stay_are_told_that_they_may(server):
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = b""
            while b'{"status":"ok"}' not in answer:
                answer += connection.recv(4096)
            assert b"Connection: keep-alive\r\n" in answer


def test_pages_of_other_origins_get_no_websocket_and_no_control(tmp_path):
    server = start_with(tmp_path, "--cors", "https://wallet.example", "--allow-control")

    async def open_from(origin):
        url = f"ws://{server.host}:{server.port}/websocket"
        async with websockets.connect(url, origin=origin) as socket_:
            await socket_.send('{"action":"status"}')
            return json.loads(await socket_.recv())
    assert asyncio.run(open_from("https://wallet.example"))["generating"] == "0"
    with pytest.raises(websockets.exceptions.InvalidStatusCode):
        asyncio.run(open_from("https://other.example"))
    assert server.call("", "/api/v1/stop", "POST", Origin="https://other.example")[0] == 403
    assert server.stop() == 0
