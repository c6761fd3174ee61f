"""A simulated Nano node: chains of accounts, a WebSocket that tells of confirmations, an RPC that
answers accounts_frontiers, and the sender of the HTTP callback. It shares nothing with the program:
hashes are hashlib's, the servers are Python's."""

import asyncio
import contextlib
import hashlib
import http.server
import json
import os
import queue
import threading
import time
import urllib.error
import urllib.request

import websockets

ZEROS = "0" * 64
ALPHABET = "13456789abcdefghijkmnopqrstuwxyz"
REPRESENTATIVE = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"


def encode(number, characters):
    return "".join(ALPHABET[number >> 5 * i & 31] for i in reversed(range(characters)))


def account_of(key):
    checksum = hashlib.blake2b(key, digest_size=5).digest()[::-1]
    return "nano_" + encode(int.from_bytes(key, "big"), 52) + encode(
        int.from_bytes(checksum, "big"), 8)


def key_of(account):
    number = 0
    for character in account[-60:-8]:
        number = number << 5 | ALPHABET.index(character)
    return (number & (1 << 256) - 1).to_bytes(32, "big")


def state_hash(block):
    """The hash of a state block (nano.md 2)."""
    text = b"\0" * 31 + b"\6" + key_of(block["account"]) + bytes.fromhex(block["previous"])
    text += key_of(block["representative"]) + int(block["balance"]).to_bytes(16, "big")
    return hashlib.blake2b(text + bytes.fromhex(block["link"]), digest_size=32).hexdigest().upper()


class Chain:
    """An account and its blocks, as a wallet makes them."""

    def __init__(self):
        self.key = os.urandom(32)
        self.account = account_of(self.key)
        self.blocks = []

    @property
    def frontier(self):
        """What the work of the next block is for."""
        return self.blocks[-1]["hash"] if self.blocks else self.key.hex().upper()

    def grow(self):
        """Adds a block; returns it with its hash and height."""
        contents = {
            "type": "state",
            "account": self.account,
            "previous": self.blocks[-1]["hash"] if self.blocks else ZEROS,
            "representative": REPRESENTATIVE,
            "balance": str(int.from_bytes(os.urandom(15), "big")),
            "link": os.urandom(32).hex().upper(),
            "link_as_account": account_of(os.urandom(32)),
            "signature": os.urandom(64).hex().upper(),
            "work": os.urandom(8).hex(),
            "subtype": "send",
        }
        block = {"hash": state_hash(contents), "height": len(self.blocks) + 1,
                 "contents": contents}
        self.blocks.append(block)
        return block


def confirmation(block, /, **changes):
    contents = block["contents"]
    message = {
        "account": contents["account"],
        "amount": "15621963968634827029081574961",
        "hash": block["hash"],
        "confirmation_type": "active_quorum",
        "election_info": {"duration": "546", "time": "1564935348219", "tally": "42535295865117307",
                          "final": "42535295865117307", "blocks": "1", "voters": "52",
                          "request_count": "1"},
        "block": contents,
        "sideband": {"height": str(block["height"]), "local_timestamp": "1564935348"},
    }
    message.update(changes)
    message = {name: value for name, value in message.items() if value is not None}
    return json.dumps({"topic": "confirmation", "time": "1564935350664", "message": message})


def callback_body(block, /, **changes):
    body = {
        "account": block["contents"]["account"],
        "hash": block["hash"],
        "block": json.dumps(block["contents"], indent=4),
        "amount": "15621963968634827029081574961",
        "is_send": "true",
        "subtype": "send",
    }
    body.update(changes)
    return json.dumps({name: value for name, value in body.items() if value is not None})


class FakeNode:
    """WebSocket and RPC on fixed ports of 127.0.0.1, which stay the same over stop and start."""

    def __init__(self, dialect="v25", start=True):
        self.dialect = dialect
        self.frontiers = {}  # account: hash
        self.asked = queue.Queue()  # lists of accounts, one for each call of the RPC
        self.rpc_answer = None  # instead of the right one: (status, body)
        self.acknowledge = True
        self.subscribed = threading.Event()
        self.subscriptions = queue.Queue()
        self.sockets = set()
        self.ws_server = None
        self.ws_port = 0
        self.rpc_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.rpc_server.daemon_threads = True
        self.rpc_port = self.rpc_server.server_address[1]
        threading.Thread(target=self.rpc_server.serve_forever, args=(0.05,), daemon=True).start()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.start()
        if not start:
            self.cut()

    @property
    def options(self):
        return [f"--node-ws=ws://127.0.0.1:{self.ws_port}",
                f"--node-rpc=http://127.0.0.1:{self.rpc_port}"]

    def start(self):
        self._run(self._listen())

    def cut(self):
        """The WebSocket goes away: no listener, no connection."""
        self._run(self._end())
        self.subscribed.clear()

    def close(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.rpc_server.shutdown()
        self.rpc_server.server_close()

    def tell(self, text):
        """Sends a text to whoever is connected."""
        self._run(self._tell(text))

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=30)

    async def _listen(self):
        self.ws_server = await websockets.serve(self._serve, "127.0.0.1", self.ws_port)
        self.ws_port = self.ws_server.sockets[0].getsockname()[1]

    async def _end(self):
        if self.ws_server is None:
            return
        self.ws_server.close()
        for connection in list(self.sockets):
            connection.transport.abort()
        await self.ws_server.wait_closed()
        self.ws_server = None

    async def _tell(self, text):
        for connection in list(self.sockets):
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                await connection.send(text)

    async def _serve(self, connection):
        self.sockets.add(connection)
        try:
            async for text in connection:
                order = json.loads(text)
                if order.get("action") == "subscribe" and order.get("topic") == "confirmation":
                    self.subscriptions.put(order)
                    if self.acknowledge and order.get("ack"):
                        await connection.send(json.dumps({"ack": "subscribe", "time": "1",
                                                          "id": order.get("id")}))
                    self.subscribed.set()
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            self.sockets.discard(connection)

    def confirm(self, block, /, **changes):
        self.frontiers[block["contents"]["account"]] = block["hash"]
        self.tell(confirmation(block, **changes))

    def _answer(self, accounts):
        known = {account: self.frontiers[account] for account in accounts
                 if account in self.frontiers}
        unknown = [account for account in accounts if account not in self.frontiers]
        if self.dialect == "v24":
            known.update({account: "error: Account not found" for account in unknown})
            return {"frontiers": known or ""}
        if self.dialect == "v23":
            return {"frontiers": known or ""}
        answer = {}
        if known:
            answer["frontiers"] = known
        if unknown:
            answer["errors"] = {account: "Account not found" for account in unknown}
        return answer

    def _handler(node):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert body["action"] == "accounts_frontiers"
                node.asked.put(body["accounts"])
                status, text = node.rpc_answer or (
                    200, json.dumps(node._answer(body["accounts"])))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        return Handler

    def wait_asked(self, account, patience=30):
        """Waits until the RPC is asked for an account."""
        end = time.monotonic() + patience
        while True:
            if account in self.asked.get(timeout=max(0.001, end - time.monotonic())):
                return


def call_back(url, body, headers=None):
    """POSTs as the node does; returns the status and the answer's body."""
    data = body if isinstance(body, bytes) else body.encode()
    request = urllib.request.Request(
        url, data=data, method="POST",
        headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
