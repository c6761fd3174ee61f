"""A simulated Nano node with a wallet: what a payout asks of its RPC, and whatever can go wrong with
it. Like a real one it makes one block for a send id, however often it is asked."""

import hashlib
import http.server
import json
import os
import threading

from fake_node import account_of, key_of

LIVE = "991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948"


class FakeWallet:
    """An RPC on 127.0.0.1.

    faults: for an action, what happens to its next calls: None (nothing), "error" (refused),
    "cut" (done, but the connection ends without an answer), "cut before" (not done), "hang" (done,
    answered too late), or a text that is answered instead.
    """

    def __init__(self, balance=10**36):
        self.balance = balance
        self.genesis = LIVE
        self.wallet = os.urandom(32).hex().upper()
        self.account = account_of(os.urandom(32))
        self.blocks = {}  # send id: block hash
        self.sends = []  # (destination, amount), one for each block that was made
        self.contents = {}  # block hash: what block_info tells
        self.confirm_at_once = True
        self.confirmable = True
        self.calls = []
        self.faults = {}
        self.on_call = None  # called with (number, "before" or "after"); True: the call is lost
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def options(self):
        return ["--node-rpc", self.url, "--wallet", self.wallet, "--account", self.account]

    def paid(self):
        """What each account got in all."""
        sums = {}
        for destination, amount in self.sends:
            sums[destination] = sums.get(destination, 0) + amount
        return sums

    def answer(self, body):
        return getattr(self, "_" + body["action"])(body)

    def _version(self, _):
        return {"rpc_version": "1", "node_vendor": "Nano V28.2", "network": "live",
                "network_identifier": self.genesis}

    def _account_balance(self, body):
        own = body["account"] == self.account
        return {"balance": str(self.balance if own else 0), "pending": "0", "receivable": "0"}

    def _send(self, body):
        if body["wallet"] != self.wallet:
            return {"error": "Wallet not found"}
        if body["source"] != self.account:
            return {"error": "Account not found in wallet"}
        if body["id"] not in self.blocks:
            amount = int(body["amount"])
            assert amount > 0
            if amount > self.balance:
                return {"error": "Insufficient balance"}
            self.balance -= amount
            block = hashlib.blake2b(body["id"].encode(), digest_size=32).hexdigest().upper()
            self.blocks[body["id"]] = block
            self.sends.append((body["destination"], amount))
            self.contents[block] = {
                "block_account": self.account, "amount": str(amount), "height": "7",
                "confirmed": "true" if self.confirm_at_once else "false", "subtype": "send",
                "contents": {"type": "state",
                             "link": key_of(body["destination"]).hex().upper()}}
        return {"block": self.blocks[body["id"]]}

    def _block_info(self, body):
        return self.contents.get(body["hash"], {"error": "Block not found"})

    def _block_confirm(self, body):
        if self.confirmable:
            self.contents[body["hash"]]["confirmed"] = "true"
        return {"started": "1"}

    def _take_fault(self, action):
        faults = self.faults.get(action)
        return faults.pop(0) if faults else None

    def _tell(self, number, phase):
        return self.on_call is not None and self.on_call(number, phase)

    def _carry_out(self, body):
        """The text to answer, or None to answer nothing."""
        with self.lock:
            self.calls.append(body)
            number = len(self.calls)
            if self._tell(number, "before"):
                return None
            fault = self._take_fault(body["action"])
            if fault == "cut before":
                return None
            if fault == "error":
                return json.dumps({"error": "Account is locked \u001b[31m"})
            answer = json.dumps(self.answer(body))
            self._tell(number, "after")
        if fault == "cut":
            return None
        if fault == "hang":
            self.released.wait(30)
            return None
        return fault or answer

    def _handler(wallet):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = wallet._carry_out(body)
                if text is None:
                    self.close_connection = True
                    return
                try:
                    self.send_response(500 if text == "500" else 200)
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    pass  # who asked was killed

            def log_message(self, *_):
                pass

        return Handler
