"""A worker as the original's users run it (dpow.md 8), written from the specification alone.

It shares nothing with the other tests: paho-mqtt for MQTT, hashlib for works, a work server of
its own behind HTTP. What it does is told on standard output, one JSON object a line.
"""

import argparse
import hashlib
import http.client
import http.server
import json
import os
import queue
import random
import re
import sys
import threading
import urllib.parse

import paho.mqtt.client as mqtt

# A hash that begins so is searched until it is cancelled.
ENDLESS = "E0D1E55"


TELLING = threading.Lock()


def tell(event, **more):
    with TELLING:
        print(json.dumps({"event": event, **more}), flush=True)


def fail(reason):
    tell("fatal", reason=reason)
    os._exit(1)


class WorkServer(http.server.ThreadingHTTPServer):
    """The work server at the worker's side: actions of a node's, one search a request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), WorkRequest)
        self.cancelled = set()
        self.change = threading.Condition()

    def search(self, root, difficulty):
        data = bytes.fromhex(root)
        nonce = random.getrandbits(63)
        while True:
            if root in self.cancelled:
                self.cancelled.discard(root)
                return None
            if root.startswith(ENDLESS):
                with self.change:
                    self.change.wait_for(lambda: root in self.cancelled)
                continue
            digest = hashlib.blake2b(nonce.to_bytes(8, "little") + data, digest_size=8).digest()
            if int.from_bytes(digest, "little") >= difficulty:
                return f"{nonce:016x}"
            nonce += 1


class WorkRequest(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"error": "Unknown command"}
        if asked["action"] == "work_generate":
            work = self.server.search(asked["hash"], int(asked["difficulty"], 16))
            answer = {"work": work} if work else {"error": "Cancelled"}
        elif asked["action"] == "work_cancel":
            with self.server.change:
                self.server.cancelled.add(asked["hash"])
                self.server.change.notify_all()
            answer = {}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class OldWorker:
    def __init__(self, options):
        self.payout = options.payout
        self.types = "#" if options.work == "any" else options.work
        self.place = options.worker_uri
        self.lock = threading.Condition()
        self.queued = {}  # hash: (type, difficulty)
        self.ongoing = None
        self.heard = queue.Queue()
        self.granted = queue.Queue()
        self.connected = threading.Event()
        uri = urllib.parse.urlsplit(options.server)
        # A persistent session under a random id; whoever comes back to it subscribes to nothing.
        self.client = mqtt.Client(client_id=f"old/{random.getrandbits(64):x}", clean_session=False,
                                  transport="websockets" if uri.scheme == "ws" else "tcp")
        self.client.username_pw_set(uri.username, uri.password)
        self.client.reconnect_delay_set(1, 2)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.client.on_subscribe = lambda *words: self.granted.put(words[3])
        self.client.connect_async(uri.hostname, uri.port, keepalive=60)

    def on_connect(self, _client, _user, _flags, code):
        if code != 0:
            fail(f"Connection exception: {code}")
        tell("connected")
        self.connected.set()

    def subscribe(self, topics):
        self.client.subscribe(topics)
        self.granted.get(timeout=10)

    def start(self):
        self.client.loop_start()
        if not self.connected.wait(10):
            fail("Connection exception")
        self.subscribe([("heartbeat", 0)])
        try:
            self.heard.get(timeout=2)
        except queue.Empty:
            fail("Server is offline")
        self.subscribe([(f"work/{self.types}", 0), (f"cancel/{self.types}", 1),
                        (f"client/{self.payout}", 1)])
        if "error" not in self.ask_work_server({"action": "invalid"}, 2):
            fail("no work server")
        tell("ready")

    def ask_work_server(self, request, timeout=300):
        connection = http.client.HTTPConnection(self.place, timeout=timeout)
        connection.request("POST", "/", json.dumps(request))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def on_message(self, _client, _user, message):
        """The tests of the topic are the original's, in its order."""
        self.heard.put(message.topic)
        text = message.payload.decode()
        if "cancel" in message.topic:
            self.handle_cancel(text)
        elif "work" in message.topic:
            root, difficulty = text.split(",")
            self.handle_work(message.topic.split("/")[-1], root, difficulty)
        elif "client" in message.topic:
            tell("stats", **json.loads(text))
        elif message.topic != "heartbeat":
            tell("unexpected", topic=message.topic)

    def handle_work(self, work_type, root, difficulty):
        if len(root) != 64:
            tell("unexpected", hash=root)
            return
        with self.lock:
            if root not in self.queued and root != self.ongoing:
                self.queued[root] = (work_type, difficulty)
                tell("queued", type=work_type, hash=root, difficulty=difficulty)
                self.lock.notify()

    def handle_cancel(self, root):
        with self.lock:
            removed = self.queued.pop(root, None)
            ongoing = self.ongoing == root
            if ongoing:
                self.ongoing = None
        if ongoing:
            self.ask_work_server({"action": "work_cancel", "hash": root})
        if removed or ongoing:
            tell("cancelled", hash=root)

    def work(self):
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self.queued)
                root = random.choice(list(self.queued))
                work_type, difficulty = self.queued.pop(root)
                self.ongoing = root
            answer = self.ask_work_server(
                {"action": "work_generate", "hash": root, "difficulty": difficulty})
            with self.lock:
                wanted = self.ongoing == root
                self.ongoing = None
            if wanted and "work" in answer:
                self.client.publish(f"result/{work_type}",
                                    f"{root},{answer['work']},{self.payout}", qos=0)
                tell("sent", type=work_type, hash=root, work=answer["work"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--worker_uri")
    parser.add_argument("--payout", required=True)
    parser.add_argument("--work", choices=["ondemand", "precache", "any"], default="any")
    options = parser.parse_args()
    if not re.fullmatch("(nano|xrb)_[13][13456789a-km-uw-z]{59}", options.payout):
        sys.exit("payout")
    if options.worker_uri is None:
        server = WorkServer()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options.worker_uri = f"127.0.0.1:{server.server_port}"
    worker = OldWorker(options)
    worker.start()
    threading.Thread(target=worker.work, daemon=True).start()
    # Nobody to work for once standard input has ended.
    sys.stdin.read()
    os._exit(0)


main()
