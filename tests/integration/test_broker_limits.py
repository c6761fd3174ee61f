"""What the hub's own broker lets workers do: its plugin limits, counts and bans connections."""

import json
import os
import queue
import socket
import stat
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from conftest import (ACCOUNT, BASE, PATIENCE, PROGRAM, Client, Hub, IndependentWorker, find_work,
                      random_hash, wait_until, work_value)
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

REFUSED = 5
FAULTS = 20  # weak results in a minute that end a connection
BURST = 200  # messages of a connection at once
MALFORMED_MAX = 100  # malformed messages that end a connection
REPORT_S = 15  # by when the broker has told its counters anew


class Worker:
    """An MQTT connection from an address of choice. It tells of its end and does not come back."""

    def __init__(self, hub, client_id="", address="127.0.0.1", clean=True, websocket=False,
                 protocol=mqtt.MQTTv311, subscribe=()):
        self.code = None
        self.answered = threading.Event()
        self.ended = threading.Event()
        self.subscribed = threading.Event()
        self.messages = queue.Queue()
        session = {} if protocol == mqtt.MQTTv5 else {"clean_session": clean}
        self.client = mqtt.Client(client_id, protocol=protocol,
                                  transport="websockets" if websocket else "tcp", **session)
        self.client.username_pw_set("client", "client")
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _client, _user, message: self.messages.put(
            (message.topic, message.payload))
        self.client.connect("127.0.0.1", hub.ws_port if websocket else hub.mqtt_port,
                            bind_address=address)
        self.client.loop_start()
        assert self.answered.wait(PATIENCE)
        if subscribe and self.code == 0:
            self.client.subscribe([(topic, 0) for topic in subscribe])
            assert self.subscribed.wait(PATIENCE)

    def _on_connect(self, _client, _user, _flags, code, *_):
        self.code = getattr(code, "value", code)
        self.answered.set()

    def _on_disconnect(self, client, *_):
        self.answered.set()
        self.ended.set()
        client.disconnect()

    def publish(self, topic, payload, qos=0, **more):
        return self.client.publish(topic, payload, qos=qos, **more)

    def fence(self):
        """Returns when the broker has dealt with all that was sent before."""
        self.client.subscribe("fence")
        self.subscribed.clear()
        assert self.subscribed.wait(PATIENCE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def may_connect(hub, client_id, **options):
    worker = Worker(hub, client_id, **options)
    worker.close()
    return worker.code == 0


def dashboard(hub, *topics):
    key = (hub.data / "broker" / "dashboard-password").read_text()
    return Client(hub, "dpowinterface", key, subscribe=topics)


def counters(hub):
    return json.loads(hub.get("/api/health")[1]).get("broker", {})


def wait_for_counter(hub, name, number):
    wait_until(lambda: counters(hub).get(name, -1) >= number, f"{number} {name}", REPORT_S)


def weak_work(root):
    return next(f"{n:016x}" for n in range(1000) if work_value(f"{n:016x}", root) < int(BASE, 16))


def ask_later(hub, root):
    """A request in hand, so that its hash is wanted."""
    return subprocess.Popen(
        ["curl", "-s", "-m", "40", hub.http + "/service/", "-d",
         json.dumps(hub.request(root, timeout=30))], stdout=subprocess.PIPE, text=True)


def begin_search(hub):
    root = random_hash()
    observer = Client(hub, subscribe=["work/#"])
    call = ask_later(hub, root)
    assert observer.next("work/ondemand")[1] == f"{root},{BASE}"
    observer.close()
    return root, call


def finish_search(worker, root, call):
    good = find_work(root, int(BASE, 16))
    worker.publish("result/ondemand", f"{root},{good},{ACCOUNT}")
    assert json.loads(call.communicate(timeout=30)[0])["work"] == good


def send_weak(worker, root, number=FAULTS):
    weak = weak_work(root)
    for _ in range(number):
        worker.publish("result/ondemand", f"{root},{weak},{ACCOUNT}")


def result(account="x"):
    return f"{random_hash()},{0:016x},{account}"


@pytest.mark.parametrize("websocket", [False, True])
def test_results_reach_hub_and_dashboard_without_delay(service, websocket):
    observer = dashboard(service, "result/#")
    worker = IndependentWorker(service, websocket=websocket)
    begin = time.monotonic()
    for _ in range(20):
        assert "work" in service.ask(random_hash())
        assert observer.next()[0] == "result/ondemand"
    assert time.monotonic() - begin < 4
    worker.close()
    observer.close()


def test_what_is_dropped_is_counted(hub):
    observer = dashboard(hub, "result/#", "worker/#")
    worker = Worker(hub, "w-1")
    overhead = len("result/ondemand") + len(result(""))
    longest = result("x" * (1024 - overhead))
    worker.publish("result/ondemand", longest + "x")
    worker.publish("worker/w-1/hello", "x" * 2000)
    for malformed in ["", "nonsense", ",,", f"{random_hash()},{0:016x}", result("a,b"),
                      f"{random_hash()},{0:015x},x", "x" * 64 + f",{0:016x},x", b"\x00" * 80]:
        worker.publish("result/precache", malformed)
    worker.publish("result/ondemand", longest)
    assert observer.next()[:2] == ("result/ondemand", longest)
    wait_for_counter(hub, "dropped_malformed", 8)
    told = counters(hub)
    assert told["dropped_malformed"] == 8
    assert told["dropped_large"] == 2
    assert told["dropped_rate"] == told["dropped_banned"] == 0
    assert told["connections"] == 1
    worker.close()
    observer.close()


def test_a_flood_is_cut_to_the_rate_and_others_are_not_touched(hub):
    observer = dashboard(hub, "result/#")
    flooder = Worker(hub, "w-flood")
    other = Worker(hub, "w-other")
    begin = time.monotonic()
    for _ in range(2000):
        flooder.publish("result/ondemand", result("flood"))
    flooder.fence()
    seconds = time.monotonic() - begin
    other.publish("result/precache", result("other"))
    passed = 0
    while observer.next()[0] != "result/precache":
        passed += 1
    assert BURST <= passed <= BURST + 50 * (seconds + 1)
    wait_for_counter(hub, "dropped_rate", 2000 - passed)
    assert counters(hub)["dropped_rate"] == 2000 - passed
    assert not flooder.ended.is_set()
    for client in (observer, flooder, other):
        client.close()


def test_only_the_hub_may_write_and_read_what_is_its_own(service):
    root, call = begin_search(service)
    eavesdropper = Worker(service, "w-eve", subscribe=["#", "hub/#", "hub/result/+", "hub/broker"])
    observer = dashboard(service, "hub/#", "#")
    victim = Worker(service, "w-victim")
    good = find_work(root, int(BASE, 16))
    for topic, payload in [("hub/ban", "w-victim,600"), ("hub/broker", '{"connections":1000}'),
                           ("hub/result/ondemand", f"w-victim,{root},{good},{ACCOUNT}")]:
        eavesdropper.publish(topic, payload)
        observer.publish(topic, payload)
    send_weak(eavesdropper, root, FAULTS - 1)
    eavesdropper.fence()
    time.sleep(0.3)
    assert call.poll() is None  # the forged result was not taken
    assert not victim.ended.is_set()
    finish_search(victim, root, call)
    heard = {topic for topic, *_ in list(eavesdropper.messages.queue) + list(observer.messages.queue)}
    assert not any(topic.startswith("hub/") for topic in heard)
    for client in (eavesdropper, observer, victim):
        client.close()


@pytest.mark.parametrize("client_id, websocket", [("w-bad", False), ("hbmqtt/:`]m@", False),
                                                  ("w-bad", True)])
def test_weak_results_end_the_connection_and_keep_it_out(service, client_id, websocket):
    root, call = begin_search(service)
    other = Worker(service, "w-other")
    bad = Worker(service, client_id, websocket=websocket)
    send_weak(other, root, FAULTS - 1)
    send_weak(bad, root)
    assert bad.ended.wait(PATIENCE)
    assert "sends invalid results: it is banned for 600 s" in service.log()
    again = Worker(service, client_id)
    assert again.code == REFUSED
    finish_search(other, root, call)
    assert not other.ended.is_set()
    assert may_connect(service, "w-new")
    for client in (other, bad, again):
        client.close()


def test_an_id_that_the_broker_makes_up_can_be_banned_too(service):
    root, call = begin_search(service)
    bad = Worker(service, "")
    good = Worker(service, "")
    send_weak(bad, root)
    assert bad.ended.wait(PATIENCE)
    finish_search(good, root, call)
    bad.close()
    good.close()


def test_late_results_and_results_for_nobody_never_ban(service):
    root, call = begin_search(service)
    late = Worker(service, "w-late")
    finish_search(late, root, call)
    weak = weak_work(root)
    for number in range(3 * FAULTS):
        late.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
        late.publish("result/ondemand", f"{root},{weak},{ACCOUNT}")
        late.publish("result/precache", f"{random_hash()},{number:016x},{ACCOUNT}")
    late.fence()
    root, call = begin_search(service)
    finish_search(late, root, call)
    assert not late.ended.is_set()
    assert "banned" not in service.log()
    late.close()


def test_a_mistyped_account_is_no_fault(service):
    worker = IndependentWorker(service, account="nano_1", client_id="w-typo")
    for _ in range(FAULTS + 5):
        assert "work" in service.ask(random_hash())
    assert "banned" not in service.log()
    worker.close()


def test_work_for_what_was_asked_before_is_no_fault(service):
    """A threshold that is raised in the middle makes honest works weak."""
    root, call = begin_search(service)
    worker = Worker(service, "w-1", subscribe=["work/#"])
    raised = subprocess.Popen(
        ["curl", "-s", "-m", "40", service.http + "/service/", "-d",
         json.dumps(service.request(root, timeout=30, multiplier=4))], stdout=subprocess.PIPE)
    high = 0xfc00000000000000
    low = find_work(root, int(BASE, 16))
    while work_value(low, root) >= high:
        low = find_work(root, int(BASE, 16))
    worker.publish("result/ondemand", f"{root},{low},{ACCOUNT}")
    assert json.loads(call.communicate(timeout=30)[0])["work"] == low
    for _ in range(FAULTS + 5):
        worker.publish("result/ondemand", f"{root},{low},{ACCOUNT}")
    worker.fence()
    worker.publish("result/ondemand", f"{root},{find_work(root, high)},{ACCOUNT}")
    raised.communicate(timeout=30)
    assert "banned" not in service.log()
    assert not worker.ended.is_set()
    worker.close()


def test_the_second_strike_keeps_the_address_out(service):
    root, call = begin_search(service)
    neighbour = Worker(service, "w-neighbour", address="127.0.0.2")
    for number in range(2):
        assert may_connect(service, f"w-{number}", address="127.0.0.2")
        bad = Worker(service, f"w-bad-{number}", address="127.0.0.2")
        send_weak(bad, root)
        assert bad.ended.wait(PATIENCE)
        bad.close()
    assert not may_connect(service, "w-2", address="127.0.0.2")
    assert may_connect(service, "w-2", address="127.0.0.3")
    finish_search(neighbour, root, call)  # who is in stays in
    neighbour.close()


def test_an_address_may_hold_so_many_connections(tmp_path):
    hub = Hub(tmp_path, "--connections-per-address", "3", "--exempt-addresses",
              "127.0.0.1,127.0.0.9").start()
    inside = [Worker(hub, f"w-{n}", address="127.0.0.2") for n in range(3)]
    assert all(worker.code == 0 for worker in inside)
    assert not may_connect(hub, "w-3", address="127.0.0.2")
    assert not may_connect(hub, "w-3", address="127.0.0.2", websocket=True)
    assert may_connect(hub, "w-3", address="127.0.0.3")
    again = Worker(hub, "w-0", address="127.0.0.2")  # takes the place of the first
    assert again.code == 0 and inside[0].ended.wait(PATIENCE)
    assert not may_connect(hub, "w-3", address="127.0.0.2")
    inside[1].close()
    wait_until(lambda: may_connect(hub, "w-3", address="127.0.0.2"), "a free place")
    proxied = [Worker(hub, f"p-{n}", address="127.0.0.9") for n in range(10)]
    assert all(worker.code == 0 for worker in proxied)
    for worker in [*inside, *proxied, again]:
        worker.close()
    assert hub.stop() == 0


def test_an_id_in_use_cannot_be_taken_from_elsewhere(hub):
    holder = Worker(hub, "w-mine", address="127.0.0.2")
    key = (hub.data / "broker" / "dashboard-password").read_text()
    observer = Client(hub, "dpowinterface", key, client_id="board", subscribe=["result/#"])
    assert not may_connect(hub, "w-mine", address="127.0.0.3")
    assert not may_connect(hub, "w-mine", address="127.0.0.1", websocket=True)
    assert not may_connect(hub, "board")
    assert not holder.ended.is_set()
    expected = result()
    holder.publish("result/ondemand", expected)
    assert observer.next()[:2] == ("result/ondemand", expected)
    holder.close()
    wait_until(lambda: may_connect(hub, "w-mine", address="127.0.0.3"), "the id is free")
    observer.close()


def test_old_workers_may_ask_for_sessions_that_last(hub):
    assert may_connect(hub, "hbmqtt/0123<=>?@[]^_`", clean=False)
    assert may_connect(hub, "hbmqtt/0123<=>?@[]^_`", clean=False)
    for number in range(256):
        worker = Worker(hub, f"s-{number}", address="127.0.0.2", clean=False)
        worker.close()
        assert worker.code == 0
    assert not may_connect(hub, "s-last", address="127.0.0.2", clean=False)
    assert may_connect(hub, "s-last", address="127.0.0.2")


def test_nothing_but_nonsense_ends_the_connection(hub):
    worker = Worker(hub, "w-1")
    for _ in range(MALFORMED_MAX):
        worker.publish("result/ondemand", "nonsense")
    assert worker.ended.wait(PATIENCE)
    assert not may_connect(hub, "w-1")
    worker.close()


def test_properties_of_mqtt_5_do_not_pass(hub):
    observer = dashboard(hub, "result/#")
    worker = Worker(hub, "w-5", protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("x" * 1000, "y" * 1000)] * 20
    worker.publish("result/ondemand", result(), properties=properties)
    expected = result()
    worker.publish("result/ondemand", expected)
    assert observer.next()[:2] == ("result/ondemand", expected)
    worker.close()
    observer.close()


def test_a_last_will_must_be_a_good_result_too(hub):
    observer = dashboard(hub, "result/#")
    for number, will in enumerate(["nonsense", result("x" * 2000), result("will")]):
        client = mqtt.Client(f"w-{number}")
        client.username_pw_set("client", "client")
        client.will_set("result/ondemand", will)
        connected = threading.Event()
        client.on_connect = lambda *_, event=connected: event.set()
        client.connect("127.0.0.1", hub.mqtt_port)
        client.loop_start()
        assert connected.wait(PATIENCE)
        client.loop_stop()
        client.socket().close()
    topic, payload, *_ = observer.next()
    assert topic == "result/ondemand" and payload.endswith(",will")
    observer.close()


def mqtt_string(data):
    return len(data).to_bytes(2, "big") + data


def packet(kind, body):
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def connect_packet(client_id):
    return packet(0x10, mqtt_string(b"MQTT") + b"\x04\xc2\x00\x3c" + mqtt_string(client_id) +
                  mqtt_string(b"client") + mqtt_string(b"client"))


def speak(hub, *packets):
    with socket.create_connection(("127.0.0.1", hub.mqtt_port), timeout=PATIENCE) as connection:
        connection.sendall(b"".join(packets))
        connection.settimeout(0.3)
        try:
            return connection.recv(4096)
        except (TimeoutError, ConnectionResetError):
            return b""


def test_hostile_ids_topics_and_payloads_harm_nobody(service):
    pid = service.children()[0]
    accepted, refused = b"\x20\x02\x00\x00", b"\x20\x02\x00\x05"
    good = result().encode()
    for client_id in [b"a,b", b"#", b"+", b"a/b", b"~", b"$SYS", b" ", b"%s%n",
                      "é".encode(), b"x" * 128]:
        assert speak(service, connect_packet(client_id),
                     packet(0x30, mqtt_string(b"result/ondemand") + good)).startswith(accepted)
    for client_id in [b"x" * 129, b"x" * 65535]:
        assert speak(service, connect_packet(client_id)).startswith(refused)
    for client_id in [b"a\x00b", b"a\x7fb", b"\xff\xfe", b"\xed\xa0\x80"]:
        assert not speak(service, connect_packet(client_id)).startswith(accepted)
    for topic in [b"", b"\x00", b"result/ondemand\x00", b"\xff" * 65535, b"x" * 65535,
                  b"/" * 65535, b"result/#", b"result/+", b"$SYS/x", b"$CONTROL/x", b"hub/ban",
                  b"result/" + b"x" * 60000]:
        for payload in [b"", b"\x00" * 65536, b"\xff" * 100, b"," * 1000, good]:
            speak(service, connect_packet(b"w-hostile"),
                  packet(0x30, mqtt_string(topic) + payload), b"\xe0\x00")
    worker = IndependentWorker(service)
    assert "work" in service.ask(random_hash())
    assert service.children()[0] == pid and "mosquitto ended" not in service.log()
    worker.close()


HUB_WORDS = ["--listen=127.0.0.1:0", "--mqtt-listen=127.0.0.1:0", "--mqtt-ws-listen=127.0.0.1:0",
             "--log", "text"]


def run_hub(folder, *before, **options):
    return subprocess.run([*before, PROGRAM, "hub", "--data-dir", str(folder / "hub"), *HUB_WORDS],
                          capture_output=True, text=True, timeout=PATIENCE, check=False, **options)


def test_a_plugin_that_cannot_be_replaced_is_named(tmp_path):
    (tmp_path / "hub" / "broker" / "dpow_broker.so").mkdir(parents=True)
    done = run_hub(tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert "broker/dpow_broker.so: Is a directory" in done.stderr


@pytest.mark.parametrize("options, reason", [("size=16k", "No space left on device"),
                                             ("ro", "Read-only file system"),
                                             ("noexec", "does not load the hub's plugin")])
def test_a_folder_that_does_not_serve_is_named(tmp_path, options, reason):
    folder = tmp_path / "hub" / "broker"
    folder.mkdir(parents=True)
    mount = f'mount -t tmpfs -o {options},mode=700 none "{folder}"'
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip("only root can mount")
    done = run_hub(tmp_path, "unshare", "-m", "sh", "-c", mount + ' && exec "$@"', "sh")
    assert done.returncode == 1 and done.stdout == ""
    assert reason in done.stderr and "broker" in done.stderr, done.stderr


def test_a_mosquitto_that_refuses_the_plugin_is_no_broker(tmp_path):
    """Between hub and Mosquitto stands a setpriv that spoils the plugin: another version's words."""
    fake = tmp_path / "bin"
    fake.mkdir()
    script = fake / "setpriv"
    script.write_text(f"#!/bin/sh\necho spoilt >{tmp_path}/hub/broker/dpow_broker.so\n"
                      "exec /usr/bin/setpriv \"$@\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    begin = time.monotonic()
    done = run_hub(tmp_path, env={**os.environ, "PATH": f"{fake}:{os.environ['PATH']}"})
    assert done.returncode == 1
    assert "mosquitto does not load the hub's plugin" in done.stderr
    assert "dpow_broker.so" in done.stderr
    assert time.monotonic() - begin < 10
    assert done.stdout == ""


def test_wrong_limits_are_refused(tmp_path):
    for words in (["--connections-per-address", "0"], ["--exempt-addresses", "localhost"],
                  ["--exempt-addresses", "10.0.0.1\nallow_anonymous true"]):
        done = subprocess.run([PROGRAM, "hub", "--data-dir", str(tmp_path), *words],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 2 and words[0] in done.stderr
