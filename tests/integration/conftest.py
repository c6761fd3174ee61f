"""A hub, its parts and independent implementations of everything around it."""

import contextlib
import hashlib
import json
import os
import pathlib
import queue
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt
import pytest

PROGRAM = os.environ.get("DPOW_PROGRAM", str(pathlib.Path(__file__).parents[2] / "build" / "dpow"))
ACCOUNT = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
OTHER_ACCOUNT = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"
BASE = "f000000000000000"  # 16 tries: works are found at once
PATIENCE = 30


def work_value(work, root):
    """The value of a work by Python's own BLAKE2b, sharing nothing with the program."""
    nonce = int(work, 16).to_bytes(8, "little")
    digest = hashlib.blake2b(nonce + bytes.fromhex(root), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def find_work(root, threshold):
    nonce = int.from_bytes(os.urandom(8), "big") >> 1
    while work_value(f"{nonce:016x}", root) < threshold:
        nonce += 1
    return f"{nonce:016x}"


def random_hash():
    return os.urandom(32).hex().upper()


def free_port():
    """A port that nobody has, nor gets by chance: the system gives away those from 32768 on."""
    while True:
        port = random.randrange(16000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A child whose standard error goes to a file; it is told apart from what it starts."""

    def __init__(self, *words, log, stdout=subprocess.PIPE, environment=None):
        self.log = pathlib.Path(log)
        self.child = subprocess.Popen(
            [PROGRAM, *words], stdout=stdout, stderr=open(self.log, "ab"), text=True,
            env={**os.environ, **(environment or {})})

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        status = self.child.wait(timeout=PATIENCE)
        if self.child.stdout:
            self.child.stdout.close()
        return status


class Hub:
    def __init__(self, folder, *words):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "hub"
        self.words = words
        self.keys = {}
        self.process = None
        self.address = "127.0.0.1"

    def start(self, **listen):
        ports = {name: free_port() for name in ("listen", "mqtt-listen", "mqtt-ws-listen")}
        ports.update(listen)
        places = [f"--{name}={self.address}:{port}" for name, port in ports.items()]
        self.process = Process("hub", "--data-dir", str(self.data), *places,
                               f"--base-difficulty={BASE}", *self.words,
                               log=self.folder / "hub.log")
        ready, _, _ = select.select([self.process.child.stdout], [], [], PATIENCE)
        line = self.process.child.stdout.readline() if ready else ""
        assert line, f"the hub is not ready: {self.log()}"
        self.told = told = json.loads(line)
        assert told["ready"] is True and told["pid"] == self.process.child.pid
        self.http = told["http"]
        self.port = int(self.http.rsplit(":", 1)[1])
        self.mqtt_port = int(told["mqtt"].rsplit(":", 1)[1]) if "mqtt" in told else None
        self.ws_port = int(told["mqtt_ws"].rsplit(":", 1)[1]) if "mqtt_ws" in told else None
        return self

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def kill(self):
        self.process.child.kill()
        self.process.child.wait(timeout=PATIENCE)

    def restart_after_kill(self):
        """On the same ports, which the old broker may hold for another moment."""
        return self.start(listen=self.port, **{"mqtt-listen": self.mqtt_port,
                                               "mqtt-ws-listen": self.ws_port})

    def log(self):
        return self.process.log.read_text(errors="replace")

    def admin(self, *words):
        return subprocess.run([PROGRAM, "admin", "--data-dir", str(self.data), *words],
                              capture_output=True, text=True, timeout=PATIENCE)

    def add_service(self, name="service", *words):
        done = self.admin("service", "add", name, "--json", "--rate", "100000", *words)
        assert done.returncode == 0, done.stderr
        self.keys[name] = json.loads(done.stdout)["api_key"]
        return self.keys[name]

    def request(self, root, user="service", **fields):
        return {"user": user, "api_key": self.keys[user], "hash": root, **fields}

    def post(self, body, path="/service/", method="POST", timeout=60):
        """Status, headers and body of the answer."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.http + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def ask(self, root, **fields):
        status, _, body = self.post(self.request(root, **fields))
        assert status == 200
        return json.loads(body)

    def get(self, path):
        status, _, body = self.post(None, path, "GET")
        return status, body

    def statistics(self):
        return json.loads(self.get("/api/statistics")[1])

    def children(self):
        pid = self.process.child.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]


def wait_until(condition, what, patience=PATIENCE):
    """Looks again until a condition of the outside world holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.01)


class Client:
    """An MQTT connection by an independent implementation. Messages are (topic, payload, qos,
    retain)."""

    def __init__(self, hub, user="client", password="client", client_id="", websocket=False,
                 subscribe=(), on_message=None, port=None, tls=None):
        self.messages = queue.Queue()
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.code = None
        self.granted = []
        self.subscriptions = list(subscribe)
        self.handler = on_message
        self.client = mqtt.Client(client_id=client_id,
                                  transport="websockets" if websocket else "tcp")
        self.client.username_pw_set(user, password)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_subscribe
        self.client.reconnect_delay_set(0.05, 0.2)
        if tls:
            self.client.tls_set_context(tls)
        own_port = hub.ws_port if websocket else hub.mqtt_port
        self.client.connect_async("127.0.0.1", port or own_port)
        self.client.loop_start()
        assert self.connected.wait(PATIENCE)
        if self.subscriptions and self.code == 0:
            assert self.subscribed.wait(PATIENCE)

    def _on_connect(self, client, _user, _flags, code):
        self.code = code
        self.connected.set()
        if code == 0 and self.subscriptions:
            client.subscribe([(topic, 1) for topic in self.subscriptions])

    def _on_subscribe(self, _client, _user, _mid, granted):
        self.granted = granted
        self.subscribed.set()

    def _on_message(self, _client, _user, message):
        if self.handler:
            self.handler(self, message)
        self.messages.put((message.topic, message.payload.decode(errors="replace"), message.qos,
                           message.retain))

    def publish(self, topic, payload, qos=0):
        self.client.publish(topic, payload, qos=qos).wait_for_publish()

    def next(self, topic=None, patience=PATIENCE):
        """The next message, or the next on a topic."""
        end = time.monotonic() + patience
        while True:
            message = self.messages.get(timeout=max(0.001, end - time.monotonic()))
            if topic is None or message[0] == topic:
                return message

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class IndependentWorker(Client):
    """What any worker must do, in a few lines that share nothing with the program: take what is
    asked, search it, send what is found, drop what is cancelled."""

    def __init__(self, hub, account=ACCOUNT, **options):
        self.account = account
        self.solved = []
        self.wanted = {}
        super().__init__(hub, subscribe=["work/#", "cancel/#", f"client/{account}"],
                         on_message=IndependentWorker._work, **options)

    def _work(self, message):
        kind, _, kind_type = message.topic.partition("/")
        payload = message.payload.decode()
        if kind == "work":
            root, difficulty = payload.split(",")
            work = find_work(root, int(difficulty, 16))
            self.solved.append((root, work))
            self.client.publish(f"result/{kind_type}", f"{root},{work},{self.account}")


def raw_http(hub, data, patience=PATIENCE, finish=False):
    """Sends bytes on a fresh connection and reads until the peer closes or the patience ends."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=patience) as connection:
        connection.sendall(data)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


@pytest.fixture
def hub(tmp_path):
    running = Hub(tmp_path).start()
    yield running
    if running.process.child.poll() is None:
        status = running.stop()
        assert status == 0, running.log()
    assert "Sanitizer" not in running.log(), running.log()


@pytest.fixture
def service(hub):
    hub.add_service("service")
    return hub
