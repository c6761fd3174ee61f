"""What happens when parts break, lie, hang or are killed."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import time

import websockets
from conftest import (ACCOUNT, BASE, OTHER_ACCOUNT, PATIENCE, PROGRAM, Client, Hub,
                      IndependentWorker, find_work, random_hash, raw_http, resident_kib,
                      wait_until, work_value)


def database(hub, query):
    connection = sqlite3.connect(f"file:{hub.data}/dpow.db?mode=ro", uri=True)
    with contextlib.closing(connection):
        return connection.execute(query).fetchall()


def test_whatever_was_told_before_a_kill_is_in_the_store(service):
    """200 requests with an instant worker, kill -9 in the middle, a new start."""
    worker = IndependentWorker(service)
    told_works = []

    def ask(_):
        root = random_hash()
        with contextlib.suppress(OSError, ValueError):
            answer = service.ask(root, timeout=30)
            if "work" in answer:
                told_works.append((root, answer["work"]))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ask, n) for n in range(200)]
        wait_until(lambda: len(told_works) >= 60, "60 answers")
        service.kill()
        for call in calls:
            call.result()
    assert 60 <= len(told_works) < 200
    worker.close()
    rewards = []
    while not worker.messages.empty():
        topic, payload, _, _ = worker.messages.get()
        if topic == f"client/{ACCOUNT}":
            rewards.append(json.loads(payload))
    assert rewards
    service.restart_after_kill()
    stored = {(bytes(root).hex().upper(), bytes(nonce).hex())
              for root, nonce in database(service, "SELECT root, nonce FROM rewards")}
    assert set(told_works) <= stored
    assert {reward["block_rewarded"] for reward in rewards} <= {root for root, _ in stored}
    statistics = service.statistics()
    assert statistics["work"]["ondemand"] == len(stored) >= max(r["ondemand"] for r in rewards)
    assert statistics["services"]["private"]["ondemand"] >= len(told_works)
    for root, work in told_works[:5]:
        assert service.ask(root)["work"] == work


def test_a_killed_broker_comes_back_and_the_wait_goes_on(service):
    observer = Client(service, subscribe=["work/#"])
    root = random_hash()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(service.ask, root, timeout=30)
        assert observer.next()[1] == f"{root},{BASE}"
        os.kill(service.children()[0], signal.SIGKILL)
        # Asked again after the loss, because nobody knows what was lost with it.
        assert observer.next()[1] == f"{root},{BASE}"
        work = find_work(root, int(BASE, 16))
        observer.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
        assert call.result(timeout=PATIENCE)["work"] == work
    wait_until(lambda: service.get("/api/health")[0] == 200, "health")
    observer.close()


def test_health_tells_of_a_missing_broker(hub):
    broker = hub.children()[0]
    os.kill(broker, signal.SIGSTOP)
    os.kill(broker, signal.SIGKILL)
    wait_until(lambda: hub.get("/api/health")[0] == 503 or hub.children() != [broker],
               "bad health or a new broker")
    wait_until(lambda: hub.get("/api/health")[0] == 200, "good health")


def test_no_broker_outlives_a_killed_hub(hub):
    broker = hub.children()[0]
    hub.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{broker}") or
               open(f"/proc/{broker}/stat").read().rsplit(")")[-1].split()[0] == "Z",
               "the broker's end")
    hub.restart_after_kill()
    assert hub.get("/upcheck/")[1] == b"up"


def test_a_stop_answers_what_waits_and_ends_with_zero(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(service.ask, random_hash(), timeout=30)
        assert observer.next()[0] == "work/ondemand"
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 10
        assert call.result(timeout=PATIENCE) == {"error": "Server busy"}
    assert observer.next("cancel/ondemand")
    observer.close()


def send_request(hub, root, **fields):
    """A request whose answer is not read yet."""
    body = json.dumps(hub.request(root, **{"timeout": 30, **fields})).encode()
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=PATIENCE)
    connection.sendall(b"POST /service/ HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
    return connection


def test_a_stop_ends_well_when_commits_come_in_the_midst_of_it(tmp_path):
    """The last answer becomes durable together with a chain that has gone on meanwhile."""
    service = Hub(tmp_path, "--block-secret=a-secret-path-of-32-characters-x").start()
    service.add_service()
    observer = Client(service, subscribe=["work/#"])
    service.ask(random_hash(), timeout=1)  # the key is known from now on
    store = sqlite3.connect(service.data / "dpow.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    connections = []
    for _ in range(2):
        root = random_hash()
        connections.append(send_request(service, root))
        while observer.next("work/ondemand")[1].split(",")[0] != root:
            pass
        observer.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
        time.sleep(0.1)
    for _ in range(2):
        root = random_hash()
        leaving = send_request(service, root, account=OTHER_ACCOUNT)
        while observer.next("work/ondemand")[1].split(",")[0] != root:
            pass
        leaving.close()
    time.sleep(0.1)
    service.process.child.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    store.execute("ROLLBACK")
    store.close()
    assert service.process.child.wait(PATIENCE) == 0, service.log()
    service.stop()
    for connection in connections:
        assert b'"work"' in connection.recv(4096)
        connection.close()
    observer.close()


def test_a_credit_comes_back_even_if_its_answer_is_counted_in_the_stop(tmp_path):
    """The service has been told that it failed when the count at last becomes durable."""
    service = Hub(tmp_path).start()
    service.add_service("service", "--credits=5")
    observer = Client(service, subscribe=["work/#"])
    service.ask(random_hash(), timeout=1)  # the key is known from now on
    store = sqlite3.connect(service.data / "dpow.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    root = random_hash()
    connection = send_request(service, root, timeout=1)
    while observer.next("work/ondemand")[1].split(",")[0] != root:
        pass
    observer.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
    assert b"error" in connection.recv(4096)  # after the time-out and its grace
    for _ in range(2):  # the second one does not wait for what is in hand
        service.process.child.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    store.execute("ROLLBACK")
    assert service.process.child.wait(PATIENCE) == 0, service.log()
    assert store.execute("SELECT credits FROM services").fetchall() == [(5,)]
    store.close()
    service.stop()
    connection.close()
    observer.close()


def test_a_silent_peer_of_the_control_socket_does_not_hold_up_a_stop(hub):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(hub.data / "control.sock"))
        silent.sendall(b'{"command":')
        time.sleep(0.1)
        begin = time.monotonic()
        assert hub.stop() == 0
        assert time.monotonic() - begin < 5


def test_interrupt_ends_with_130(hub):
    assert hub.stop(signal.SIGINT) == 130


GARBAGE = [
    b"", b"\r\n", b"\0" * 100, b"GET", os.urandom(4096), b"GET / HTTP/9.9\r\n\r\n",
    b"POST /service/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /service/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /service_ws/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    + os.urandom(300),
]


def test_garbage_on_every_port_harms_nobody(service):
    worker = IndependentWorker(service)
    for port in [service.port, service.mqtt_port, service.ws_port]:
        for garbage in GARBAGE:
            with contextlib.suppress(OSError), \
                    socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                while connection.recv(65536):
                    pass
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(service.data / "control.sock"))
        control.sendall(os.urandom(100).replace(b"\n", b"") + b"\n")
        assert "error" in json.loads(control.recv(65536))
    assert "work" in service.ask(random_hash())
    worker.close()


def test_bodies_beyond_the_limit_are_refused(service):
    for size, status in [(16384, 200), (16385, 413), (10_000_000, 413)]:
        got, headers, body = service.post(b" " * size)
        assert got == status
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert "error" in json.loads(body)
    chunk = b"4001\r\n" + b" " * 0x4001 + b"\r\n0\r\n\r\n"
    answer = raw_http(service, b"POST /service/ HTTP/1.1\r\nHost: x\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_slow_request_is_ended(service):
    begin = time.monotonic()
    answer = raw_http(service, b"POST /service/ HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
                      patience=20)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begin < 15


def test_a_message_beyond_the_limit_closes_with_1009(service):
    async def run():
        url = service.http.replace("http", "ws") + "/service_ws/"
        async with websockets.connect(url) as connection:
            await connection.send("x" * 2049)
            with contextlib.suppress(websockets.ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1009
        async with websockets.connect(url) as connection:
            await connection.send(b"binary is ignored")
            await connection.send("{")
            assert json.loads(await connection.recv()) == {"error": "Bad request (not json)"}

    asyncio.run(run())


def websocket_by_hand(hub):
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=PATIENCE)
    connection.sendall(b"GET /service_ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                       b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 101 ")
    return connection


def frame(text):
    data = text.encode()
    return b"\x81\xfe" + struct.pack(">H", len(data)) + b"\0\0\0\0" + data


def test_a_websocket_that_never_reads_is_dropped_without_growth(service):
    connection = websocket_by_hand(service)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    message = frame(json.dumps(service.request("bad", id="x" * 1000)))
    before = resident_kib(service.process.child.pid)
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 400_000_000:
            connection.sendall(message)
            sent += len(message)
    assert sent < 400_000_000, "the hub let it go on for ever"
    connection.close()
    grown = resident_kib(service.process.child.pid) - before
    assert grown < 60_000, f"grew by {grown} KiB"
    assert service.get("/upcheck/")[1] == b"up"


def test_a_thousand_idle_connections_leave_the_hub_at_work(service):
    worker = IndependentWorker(service)
    idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(500)]
    idle += [websocket_by_hand(service) for _ in range(500)]
    begin = time.monotonic()
    assert "work" in service.ask(random_hash())
    assert time.monotonic() - begin < 5
    for connection in idle:
        connection.close()
    worker.close()


def test_memory_stays_while_connections_come_and_go(service):
    worker = IndependentWorker(service)

    def round_of_calls():
        for _ in range(300):
            raw_http(service, b"GET /upcheck/ HTTP/1.0\r\n\r\n")
            service.ask(random_hash())

    round_of_calls()
    before = resident_kib(service.process.child.pid)
    for _ in range(3):
        round_of_calls()
    assert resident_kib(service.process.child.pid) - before < 8192
    worker.close()


def test_two_hubs_cannot_share_a_folder(hub, tmp_path):
    done = subprocess.run([PROGRAM, "hub", "--data-dir", str(hub.data), "--listen=127.0.0.1:0",
                           "--mqtt-listen=127.0.0.1:0", "--mqtt-ws-listen=127.0.0.1:0"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and "in use" in done.stderr


def test_a_port_in_use_is_named(hub, tmp_path):
    for option, port in [("listen", hub.port), ("mqtt-listen", hub.mqtt_port)]:
        places = {"listen": 0, "mqtt-listen": 0, "mqtt-ws-listen": 0, option: port}
        done = subprocess.run(
            [PROGRAM, "hub", "--data-dir", str(tmp_path / "other"),
             *[f"--{name}=127.0.0.1:{number}" for name, number in places.items()]],
            capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1
        assert f"port {port}" in done.stderr and "in use" in done.stderr


def test_an_external_broker_is_used_and_a_dead_one_named(hub, tmp_path):
    with socket.socket() as taken:  # a port that is bound refuses connections, and nobody gets it
        taken.bind(("127.0.0.1", 0))
        done = subprocess.run(
            [PROGRAM, "hub", "--data-dir", str(tmp_path / "dead"), "--listen=127.0.0.1:0"],
            env={**os.environ,
                 "DPOW_HUB_BROKER": f"mqtt://u:secret@127.0.0.1:{taken.getsockname()[1]}"},
            capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "no connection to the broker" in done.stderr and "refused" in done.stderr
    assert "secret" not in done.stderr


def test_admin_works_on_a_stopped_hub_too(tmp_path):
    hub = Hub(tmp_path)
    hub.data.mkdir()
    key = hub.add_service("early")
    again = hub.admin("service", "add", "early")
    assert again.returncode == 1 and "exists already" in again.stderr
    for words, reason in [(["service", "add", "no/slash"], "name"),
                          (["service", "add", "x", "--website", "javascript:x"], "website"),
                          (["service", "add", "x" * 65], "name")]:
        done = hub.admin(*words)
        assert done.returncode == 1 and reason in done.stderr
    hub.start()
    worker = IndependentWorker(hub)
    assert "work" in hub.ask(random_hash(), user="early")
    listed = json.loads(hub.admin("--json", "service", "list").stdout)
    assert listed[0]["service"] == "early" and listed[0]["ondemand"] == 1
    assert key not in hub.log() and key.encode() not in (hub.data / "dpow.db").read_bytes()
    worker.close()
    assert hub.stop() == 0


def test_a_full_disk_refuses_and_recovers(tmp_path):
    """The store's file may not grow: RLIMIT_FSIZE, changed from outside."""
    hub = Hub(tmp_path).start()
    hub.add_service("service")
    worker = IndependentWorker(hub)
    assert "work" in hub.ask(random_hash())
    pid = str(hub.process.child.pid)
    subprocess.run(["prlimit", "--pid", pid, "--fsize=1:unlimited"], check=True)
    failed = hub.ask(random_hash(), timeout=1)
    assert failed["error"].startswith("Unknown error, please report the following timestamp")
    assert hub.get("/api/health")[0] == 503
    assert hub.ask(random_hash()) == {"error": "Server busy"}
    subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited:unlimited"], check=True)
    wait_until(lambda: hub.get("/api/health")[0] == 200, "good health")
    answered = hub.ask(random_hash())
    assert "work" in answered
    worker.close()
    assert hub.stop() == 0
    stored = database(hub, "SELECT sum(answered) FROM service_counts")
    assert stored == [(2,)]
