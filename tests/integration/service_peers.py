"""Services that speak to a hub by POST and by WebSocket: text in, text out, as it is."""

import asyncio
import contextlib
import http.client
import json
import re

import pytest
import websockets
from conftest import PATIENCE, Hub, IndependentWorker, random_hash

PROBLEMS = {"Accept": "application/problem+json"}


def url_of(hub):
    return f"ws://127.0.0.1:{hub.port}/service_ws/"


def post(hub, text, headers=None, path="/service/", method="POST"):
    """Status, headers and text of the answer to one request of its own connection."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        body = text.encode() if isinstance(text, str) else text
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def by_post(hub, text):
    """The answer's text; what every answer by POST has is checked."""
    status, headers, answer = post(hub, text)
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    return answer


def by_websocket(hub, text):
    async def run():
        async with websockets.connect(url_of(hub)) as socket:
            await socket.send(text)
            return await asyncio.wait_for(socket.recv(), PATIENCE)

    return asyncio.run(run())


def by_websocket_all(hub, texts):
    """The answers to requests that are sent at once on one WebSocket, in the order they came."""
    async def run():
        async with websockets.connect(url_of(hub)) as socket:
            for text in texts:
                await socket.send(text)
            return [await asyncio.wait_for(socket.recv(), PATIENCE) for _ in texts]

    return asyncio.run(run())


WAYS = pytest.mark.parametrize("ask", [by_post, by_websocket], ids=["post", "websocket"])


def request_text(hub, root, members=None, user="service"):
    """A right request with some of its members written otherwise: JSON texts, None for absent."""
    texts = {"user": json.dumps(user), "api_key": json.dumps(hub.keys[user]),
             "hash": json.dumps(root), **(members or {})}
    written = [f'"{name}":{text}' for name, text in texts.items() if text is not None]
    return "{" + ",".join(written) + "}"


def id_text(answer):
    """How an answer's id is written, or None; ids come last in an answer."""
    found = re.search(r',"id":(.*)}$', answer, re.DOTALL)
    return found.group(1) if found else None


class Worker(IndependentWorker):
    """Solves what it is asked but hashes that begin with IGNORED, and remembers thresholds."""

    IGNORED = "0FF"

    def __init__(self, hub, **options):
        self.asked = {}
        super().__init__(hub, **options)

    def _on_message(self, client, user, message):
        if message.topic.startswith("work/"):
            root, difficulty = message.payload.decode().split(",")
            self.asked[root] = difficulty
            if root.startswith(self.IGNORED):
                return
        super()._on_message(client, user, message)


def ignored_hash():
    return Worker.IGNORED + random_hash()[len(Worker.IGNORED):]


def solvable_hash():
    return "1" + random_hash()[1:]


@contextlib.contextmanager
def running_hub(folder, *words):
    """A hub until the end of the block; no sanitizer may have complained."""
    hub = Hub(folder, *words)
    hub.start()
    try:
        yield hub
    finally:
        if hub.process.child.poll() is None:
            assert hub.stop() == 0, hub.log()
        assert "Sanitizer" not in hub.log(), hub.log()
