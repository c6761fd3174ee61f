"""The hub's own TLS, and workers that reach its broker through the port of services."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.request

import pytest
import websockets
from conftest import (PATIENCE, PROGRAM, Client, Hub, IndependentWorker, random_hash, raw_http,
                      wait_until)

UPGRADE = (b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           b"Sec-WebSocket-Protocol: %s\r\n\r\n")
# What the hub allows: a request's time (http_limits_default) and a tick of its timer.
REQUEST_SECONDS = 10 + 0.5


def make_certificate(folder, name, *kind):
    """Writes NAME.pem and NAME.key, valid for 127.0.0.1."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
                    *(kind or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))],
                   check=True, capture_output=True, timeout=PATIENCE)
    return certificate, key


def trusting(*certificates):
    context = ssl.create_default_context()
    for certificate in certificates:
        context.load_verify_locations(certificate)
    return context


@contextlib.contextmanager
def run_hub(folder, *words):
    running = Hub(folder, *words).start()
    try:
        yield running
    finally:
        if running.process.child.poll() is None:
            status = running.stop()
            assert status == 0, running.log()
    assert "Sanitizer" not in running.log(), running.log()


@pytest.fixture
def secure(tmp_path):
    """A hub with TLS; its certificate is in hub.trust."""
    certificate, key = make_certificate(tmp_path, "server")
    with run_hub(tmp_path, f"--tls-cert={certificate}", f"--tls-key={key}") as running:
        running.trust = trusting(certificate)
        running.add_service("service")
        yield running


@pytest.fixture(params=["plain", "tls"])
def door(request, tmp_path):
    """A hub without and with TLS, and what its clients need to trust it."""
    running = request.getfixturevalue("service" if request.param == "plain" else "secure")
    running.trust = getattr(running, "trust", None)
    return running


def connect(hub, trust):
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=PATIENCE)
    return trust.wrap_socket(connection, server_hostname="127.0.0.1") if trust else connection


def receive_all(connection):
    received = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head


def get(hub, path="/upcheck/", trust=None):
    with urllib.request.urlopen(hub.http + path, timeout=PATIENCE,
                                context=trust or hub.trust) as answer:
        return answer.read()


def common_name(hub, trust):
    with connect(hub, trust) as connection:
        subject = connection.getpeercert()["subject"]
    return dict(pair for part in subject for pair in part)["commonName"]


def descriptors(hub):
    return len(os.listdir(f"/proc/{hub.process.child.pid}/fd"))


def test_a_service_is_served_over_https(secure):
    worker = IndependentWorker(secure)
    root = random_hash()
    body = json.dumps(secure.request(root)).encode()
    request = urllib.request.Request(secure.http + "/service/", data=body)
    assert secure.http.startswith("https://")
    with urllib.request.urlopen(request, timeout=PATIENCE, context=secure.trust) as answer:
        assert json.loads(answer.read())["hash"] == root
    worker.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_connection_stays_for_many_requests_and_large_bodies(secure, version):
    secure.trust.minimum_version = secure.trust.maximum_version = version
    body = json.dumps({"user": "nobody", "api_key": "x" * 16300}).encode()
    head = b"POST /service/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connect(secure, secure.trust) as connection:
        assert connection.version() == version.name.replace("v1_", "v1.")
        for _ in range(20):
            connection.sendall(head + body)
            answer = read_head(connection)
            assert answer.startswith(b"HTTP/1.1 200 ")
            length = int(answer.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            while length > 0:
                length -= len(connection.recv(length))
        pipelined = b"GET /upcheck/ HTTP/1.1\r\n\r\n" * 49
        connection.sendall(pipelined + b"GET /upcheck/ HTTP/1.1\r\nConnection: close\r\n\r\n")
        # The end is TLS's own, so that nobody can cut an answer short.
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        assert received.count(b"HTTP/1.1 200 ") == 50
    with connect(secure, secure.trust) as connection:
        connection.sendall(b"POST /service/ HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000)
        assert receive_all(connection).startswith(b"HTTP/1.1 413 ")


def test_old_tls_is_refused(secure):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", "-tls1_1",
                           "-cipher", "DEFAULT@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert "alert protocol version" in done.stderr


def test_a_service_is_served_over_wss(secure):
    async def ask(root):
        url = f"wss://127.0.0.1:{secure.port}/service_ws/"
        async with websockets.connect(url, ssl=secure.trust) as connection:
            await connection.send(json.dumps(secure.request(root, id=7)))
            return json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))

    worker = IndependentWorker(secure)
    root = random_hash()
    answer = asyncio.run(ask(root))
    assert answer["id"] == 7 and answer["hash"] == root
    worker.close()


def test_a_closed_wss_says_goodbye(secure):
    async def close():
        url = f"wss://127.0.0.1:{secure.port}/service_ws/"
        connection = await websockets.connect(url, ssl=secure.trust)
        await connection.close()
        return connection.close_code

    assert asyncio.run(close()) == 1000


@pytest.mark.parametrize("line", [b"GET /upcheck/", b"POST /service/", b"CONNECT x:1"])
def test_plain_http_on_the_tls_port_is_told_so(secure, line):
    start = time.monotonic()
    received = raw_http(secure, line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ") and received.endswith(b"HTTPS.\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("data", [
    b"\x00" * 100, b"\xff" * 100_000, b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
    b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x17\x03\x03\x00\x01x",
    b"DELETE / HTTP/1.1\r\n\r\n"],
    ids=["zeros", "ones", "MQTT", "SSH", "broken hello", "data first", "DELETE"])
def test_garbage_is_closed_at_once(secure, data):
    start = time.monotonic()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        received = raw_http(secure, data)
        assert len(received) < 200
    assert time.monotonic() - start < 5
    assert get(secure) == b"up"


def client_hello():
    """The first flight of a handshake, by Python's own TLS."""
    outgoing = ssl.MemoryBIO()
    half = trusting().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        half.do_handshake()
    return outgoing.read()


def test_what_never_finishes_is_closed_in_time(secure):
    hello = client_hello()
    sends = {"silent": b"", "a byte": hello[:1], "half a hello": hello[:100], "a hello": hello}
    start = time.monotonic()
    open_ = {}
    for name, data in sends.items():
        open_[name] = connect(secure, None)
        open_[name].sendall(data)
    open_["a handshake"] = connect(secure, secure.trust)
    open_["half a request"] = connect(secure, secure.trust)
    open_["half a request"].sendall(b"GET /upcheck/ HT")
    for name, connection in open_.items():
        connection.settimeout(2 * PATIENCE)
        received = receive_all(connection)
        took = time.monotonic() - start
        assert took < REQUEST_SECONDS + 5, name
        assert took > REQUEST_SECONDS - 2, name
        assert received.startswith(b"HTTP/1.1 408 ") == (name == "half a request"), name
        connection.close()


def test_handshakes_in_single_bytes_are_done(secure):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = secure.trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with connect(secure, None) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def attempt(action):
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        connection.sendall(bytes([byte]))
                    incoming.write(connection.recv(65536))

        attempt(tls.do_handshake)
        tls.write(b"GET /upcheck/ HTTP/1.1\r\n\r\n")
        assert attempt(lambda: tls.read(4096)).startswith(b"HTTP/1.1 200 ")


def test_clients_that_leave_at_any_point_leave_nothing_behind(secure):
    hello = client_hello()
    get(secure)
    before = descriptors(secure)
    for size in range(0, len(hello) + 1, 16):
        connection = connect(secure, None)
        connection.sendall(hello[:size])
        if size % 32:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    for number in range(20):
        connection = connect(secure, secure.trust)
        connection.sendall(b"GET /upcheck/ HTTP/1.1\r\n\r\n" if number % 2 else b"G")
        connection.close()
    wait_until(lambda: descriptors(secure) <= before, "no descriptor left behind")


def test_a_peer_that_reads_nothing_is_closed_when_too_much_waits(secure):
    """What waits is counted in the socket, encrypted: unsent_bytes of the default limits."""
    with socket.socket() as bare:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bare.settimeout(PATIENCE)
        bare.connect(("127.0.0.1", secure.port))
        connection = secure.trust.wrap_socket(bare, server_hostname="127.0.0.1")
        with pytest.raises((ConnectionError, ssl.SSLError)):
            for _ in range(100_000):
                connection.sendall(b"GET /api/statistics HTTP/1.1\r\n\r\n" * 50)
    assert get(secure) == b"up"


def test_sighup_takes_a_renewed_certificate_and_only_a_good_one(secure, tmp_path):
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    second, second_key = make_certificate(tmp_path, "second")
    both = trusting(certificate, second)
    assert common_name(secure, both) == "server"
    with connect(secure, both) as old:
        certificate.write_bytes(second.read_bytes())
        key.write_bytes(second_key.read_bytes())
        assert common_name(secure, both) == "server"
        os.kill(secure.process.child.pid, signal.SIGHUP)
        wait_until(lambda: common_name(secure, both) == "second", "the new certificate")
        old.sendall(b"GET /upcheck/ HTTP/1.1\r\n\r\n")
        assert old.recv(4096).startswith(b"HTTP/1.1 200 ")
    certificate.write_text("broken")
    os.kill(secure.process.child.pid, signal.SIGHUP)
    wait_until(lambda: "stays as it was" in secure.log(), "an error in the log")
    line = next(line for line in secure.log().splitlines() if "stays as it was" in line)
    assert "error" in line.lower() and str(certificate) in line
    assert common_name(secure, both) == "second"


def test_without_tls_sighup_changes_nothing(service):
    os.kill(service.process.child.pid, signal.SIGHUP)
    wait_until(lambda: "SIGHUP" in service.log(), "a line in the log")
    assert service.get("/upcheck/")[1] == b"up"


def start_in_vain(folder, *words):
    done = subprocess.run([PROGRAM, "hub", "--data-dir", folder / "vain", "--listen=127.0.0.1:0",
                           "--mqtt-listen=127.0.0.1:0", "--mqtt-ws-listen=127.0.0.1:0", *words],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert "Sanitizer" not in done.stderr
    return done.returncode, done.stderr


def test_files_that_cannot_be_used_are_refused_at_the_start(tmp_path):
    certificate, key = make_certificate(tmp_path, "server")
    _, other = make_certificate(tmp_path, "other")
    _, rsa = make_certificate(tmp_path, "rsa", "-newkey", "rsa:2048")
    missing = tmp_path / "missing.pem"
    cases = [(certificate, other, "does not belong", other),
             (certificate, rsa, "does not belong", rsa),
             (missing, key, "No such file or directory", missing),
             (certificate, missing, "No such file or directory", missing),
             (key, key, "cannot read the TLS certificate", key)]
    for used, used_key, reason, path in cases:
        status, text = start_in_vain(tmp_path, f"--tls-cert={used}", f"--tls-key={used_key}")
        assert status == 1 and reason in text and str(path) in text, text


def test_one_file_without_the_other_is_misuse(tmp_path):
    for words, named in [("--tls-cert=x", "--tls-key"), ("--tls-key=x", "--tls-cert")]:
        status, text = start_in_vain(tmp_path, words)
        assert status == 2 and f"needs {named}" in text, text


def test_workers_reach_the_broker_through_the_port_of_services(door):
    root = random_hash()
    observer = Client(door, websocket=True, port=door.port, tls=door.trust,
                      subscribe=["heartbeat", "work/#"])
    assert observer.next("heartbeat")[1] == ""
    worker = IndependentWorker(door, websocket=True, port=door.port, tls=door.trust)
    body = json.dumps(door.request(root)).encode()
    request = urllib.request.Request(door.http + "/service/", data=body)
    with urllib.request.urlopen(request, timeout=PATIENCE, context=door.trust) as answer:
        assert json.loads(answer.read())["hash"] == root
    assert observer.next("work/ondemand")[1].startswith(root)
    assert worker.solved[0][0] == root
    worker.close()
    observer.close()


def test_a_wrong_password_is_refused_through_the_tunnel(service):
    client = Client(service, password="wrong", websocket=True, port=service.port)
    assert client.code in (4, 5)
    client.close()


@pytest.mark.parametrize("protocol, status", [
    (b"mqtt", 101), (b"mqttv3.1", 101), (b"x, mqtt", 101), (b"mqttv3.1 ,\tmqtt", 101),
    (b"chat", 400), (b"", 400), (b"mqttx", 400), (b"xmqtt,", 400), (b",,,", 400), (b"MQTT", 400)])
def test_only_mqtt_is_tunnelled(service, protocol, status):
    with connect(service, None) as connection:
        connection.sendall(UPGRADE % (b"/mqtt", protocol))
        head = read_head(connection)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    if status == 101:
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head


@pytest.mark.parametrize("path, status", [
    (b"/mqtt/", 101), (b"/mqtt?x", 101), (b"/mqtt/x", 404), (b"/mqttx", 404), (b"/", 404)])
def test_only_its_path_is_tunnelled(service, path, status):
    with connect(service, None) as connection:
        connection.sendall(UPGRADE % (path, b"mqtt"))
        assert read_head(connection).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("old, new, status", [
    (b"Version: 13", b"Version: 8", 426), (b"dGhlIHNhbXBsZSBub25jZQ==", b"short", 400),
    (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNh\tXBsZSBub25jZQ==", 400),
    (b"Upgrade: websocket", b"Upgrade: h2c", 404)])
def test_a_wrong_upgrade_is_refused(service, old, new, status):
    with connect(service, None) as connection:
        connection.sendall((UPGRADE % (b"/mqtt", b"mqtt")).replace(old, new))
        assert read_head(connection).startswith(b"HTTP/1.1 %d " % status)


def test_an_external_broker_is_not_tunnelled(service, tmp_path):
    folder = tmp_path / "second"
    folder.mkdir()
    url = f"mqtt://client:client@127.0.0.1:{service.mqtt_port}"
    with run_hub(folder, f"--broker={url}") as other:
        with connect(other, None) as connection:
            connection.sendall(UPGRADE % (b"/mqtt", b"mqtt"))
            assert read_head(connection).startswith(b"HTTP/1.1 404 ")


def test_many_tunnels_leave_nothing_behind(door):
    get(door, trust=door.trust)
    before = descriptors(door)
    request = UPGRADE % (b"/mqtt", b"mqtt")

    def use(number):
        with connect(door, door.trust) as connection:
            connection.sendall(request)
            if number % 5 == 0:  # leaves before the answer
                return
            assert read_head(connection).startswith(b"HTTP/1.1 101 ")
            if number % 5 == 1:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 5 == 2:  # no WebSocket frame: the broker closes
                connection.sendall(b"garbage" * 1000)
            if number % 5 == 3 and not door.trust:
                connection.shutdown(socket.SHUT_WR)
                receive_all(connection)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(use, range(300)))
    wait_until(lambda: descriptors(door) <= before, "no descriptor left behind")


def test_a_dead_broker_closes_its_tunnels(door):
    with connect(door, door.trust) as connection:
        connection.sendall(UPGRADE % (b"/mqtt", b"mqtt"))
        assert read_head(connection).startswith(b"HTTP/1.1 101 ")
        os.kill(door.children()[0], signal.SIGKILL)
        assert receive_all(connection) == b""
    client = Client(door, websocket=True, port=door.port, tls=door.trust, subscribe=["heartbeat"])
    assert client.next("heartbeat")[1] == ""
    client.close()


def test_a_broker_that_does_not_answer_is_a_bad_gateway(service):
    broker = service.children()[0]
    os.kill(broker, signal.SIGSTOP)
    start = time.monotonic()
    with connect(service, None) as connection:
        connection.sendall(UPGRADE % (b"/mqtt", b"mqtt"))
        assert read_head(connection).startswith(b"HTTP/1.1 502 ")
    assert time.monotonic() - start < REQUEST_SECONDS + 5
    os.kill(broker, signal.SIGCONT)


def test_a_broker_that_does_not_read_holds_up_its_peer(door):
    """What a peer sends waits in the peer, not in the hub."""
    broker = door.children()[0]
    connection = connect(door, door.trust)
    connection.sendall(UPGRADE % (b"/mqtt", b"mqtt"))
    read_head(connection)
    os.kill(broker, signal.SIGSTOP)
    connection.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64 << 20:
            sent += connection.send(b"x" * 65536)
    os.kill(broker, signal.SIGCONT)
    assert sent < 32 << 20  # sockets' buffers alone
    connection.settimeout(PATIENCE)
    connection.close()
    wait_until(lambda: get(door) == b"up", "the hub going on")


def test_a_stop_ends_tunnels(secure):
    with connect(secure, secure.trust) as connection:
        connection.sendall(UPGRADE % (b"/mqtt", b"mqtt"))
        assert read_head(connection).startswith(b"HTTP/1.1 101 ")
        assert secure.stop() == 0
        assert receive_all(connection) == b""
