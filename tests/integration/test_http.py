"""The HTTP server by raw bytes: what a client may do, and what it gets."""

import json
import re
import socket

import pytest
from conftest import IndependentWorker, random_hash, raw_http

CLOSE = b"Connection: close\r\n"


def answers(received):
    """Splits a stream of answers into (status, headers, body)."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("Content-Length", 0))
        found.append((int(lines[0].split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found


def post(body, *headers):
    return (b"POST /service/ HTTP/1.1\r\nHost: x\r\n" + b"".join(headers)
            + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("line, status", [
    ("GET /upcheck/", 200), ("GET /upcheck", 200), ("GET /upcheck/?x=1", 200),
    ("GET /upcheck/blocks/", 200), ("GET /api/statistics", 200), ("GET /api/health/", 200),
    ("GET /", 404), ("GET /upcheckx", 404), ("GET /service_ws/", 404), ("POST /other/", 404),
    ("GET /service/", 405), ("PUT /service/", 405), ("POST /upcheck/", 405),
    ("DELETE /api/statistics", 405)])
def test_paths_and_methods(hub, line, status):
    received = raw_http(hub, f"{line} HTTP/1.1\r\nHost: x\r\n".encode() + CLOSE + b"\r\n")
    assert [answer[0] for answer in answers(received)] == [status]


def test_a_head_request_gets_the_head_only(hub):
    received = raw_http(hub, b"HEAD /upcheck/ HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n")
    assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"\r\n\r\n")
    assert b"Content-Length: 2\r\n" in received


def test_pipelined_requests_are_answered_in_order(service):
    worker = IndependentWorker(service)
    roots = [random_hash() for _ in range(20)]
    bodies = [json.dumps(service.request(root, id=n)).encode() for n, root in enumerate(roots)]
    data = b"".join(post(body) for body in bodies[:-1]) + post(bodies[-1], CLOSE)
    got = [json.loads(body) for _, _, body in answers(raw_http(service, data))]
    assert [answer["id"] for answer in got] == list(range(20))
    assert [answer["hash"] for answer in got] == roots
    worker.close()


def test_a_body_may_come_in_pieces_and_chunks(service):
    body = json.dumps(service.request("no hash")).encode()
    chunks = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in body) + b"0\r\n\r\n"
    head = b"POST /service/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"\r\n"
    for data in (head + chunks, post(body, CLOSE)):
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            for byte in data:
                connection.sendall(bytes([byte]))
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        assert json.loads(answers(received)[0][2]) == {"error": "Invalid hash"}


def test_expect_is_answered(service):
    body = b"{}"
    received = raw_http(service, post(body, b"Expect: 100-continue\r\n", CLOSE))
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


def test_an_old_client_is_served_and_closed(hub):
    received = raw_http(hub, b"GET /upcheck/ HTTP/1.0\r\n\r\n")
    assert answers(received)[0][2] == b"up"
    assert b"Connection: close" in received


@pytest.mark.parametrize("data, status", [
    (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    (b"POST /service/ HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"CONNECT x:1 HTTP/1.1\r\n\r\n", 400),
    (b"GET /service_ws/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 426),
    (b"GET /service_ws/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n", 400),
    (b"GET /other HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 404)])
def test_what_is_malformed_or_too_much_is_refused_and_closed(hub, data, status):
    received = answers(raw_http(hub, data))
    assert [answer[0] for answer in received] == [status]
    assert "error" in json.loads(received[0][2])


def test_the_handshake_answers_the_key(hub):
    with socket.create_connection(("127.0.0.1", hub.port), timeout=30) as connection:
        connection.sendall(b"GET /service_ws HTTP/1.1\r\nUpgrade: WebSocket\r\n"
                           b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        received = connection.recv(4096)
    # The example of RFC 6455, section 1.3.
    assert re.search(rb"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n", received)


def test_a_peer_that_closes_its_side_is_gone(service):
    body = json.dumps(service.request(random_hash(), timeout=30)).encode()
    assert raw_http(service, post(body), finish=True) == b""
    assert service.get("/upcheck/")[1] == b"up"
