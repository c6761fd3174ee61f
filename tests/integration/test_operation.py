"""How an operator runs a hub: settings that change while it runs, a proxy before it, its unit."""

import asyncio
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.request

import paho.mqtt.client as mqtt
import pytest
import websockets
from conftest import (BASE, PATIENCE, PROGRAM, Client, Hub, IndependentWorker, find_work, free_port,
                      random_hash, wait_until, work_value)
from test_tls import make_certificate, trusting

DATA = pathlib.Path(__file__).parents[2] / "data"
TOO_HIGH = "Difficulty too high. Maximum: "


def run_configured(folder, text):
    (folder / "dpow.conf").write_text(text)
    return Hub(folder, "--config", str(folder / "dpow.conf")).start()


def hang_up(hub, words):
    """Sends SIGHUP and waits for what the hub says of it."""
    before = hub.log().count("SIGHUP")
    hub.process.child.send_signal(signal.SIGHUP)
    wait_until(lambda: hub.log().count("SIGHUP") > before, "the hub's word on SIGHUP")
    assert words in hub.log().rsplit("SIGHUP", 1)[1], hub.log()


def test_settings_are_read_again_on_sighup(tmp_path):
    hub = run_configured(tmp_path, "[hub]\nmax-multiplier = 2\n")
    hub.add_service("service")
    assert hub.ask(random_hash(), multiplier=3)["error"].startswith(TOO_HIGH)
    (tmp_path / "dpow.conf").write_text("[hub]\nmax-multiplier = 4\n")
    hang_up(hub, "max-multiplier is 4, clamp is off")
    worker = IndependentWorker(hub)
    assert "work" in hub.ask(random_hash(), multiplier=4)
    assert hub.ask(random_hash(), multiplier=4.1)["error"].startswith(TOO_HIGH)
    (tmp_path / "dpow.conf").write_text("[hub]\nmax-multiplier = 1\nclamp = on\n")
    hang_up(hub, "max-multiplier is 1, clamp is on")
    assert hub.ask(random_hash(), multiplier=2)["clamped"] is True
    worker.close()
    assert hub.stop() == 0


@pytest.mark.parametrize("text", ["[hub]\nmax-multiplier = 0\n", "[hub]\nnonsense = 1\n", "nonsense\n"])
def test_settings_that_cannot_be_read_leave_all_as_it_was(tmp_path, text):
    hub = run_configured(tmp_path, "[hub]\nmax-multiplier = 2\n")
    hub.add_service("service")
    (tmp_path / "dpow.conf").write_text(text)
    hang_up(hub, "the settings stay as they were")
    assert hub.ask(random_hash(), multiplier=3)["error"].startswith(TOO_HIGH)
    assert hub.ask(random_hash(), multiplier=2, timeout=1)["timeout"] is True
    assert hub.stop() == 0


def test_a_request_for_too_much_can_be_lowered_instead_of_refused(tmp_path):
    hub = Hub(tmp_path, "--clamp", "--max-multiplier", "4").start()
    hub.add_service("service")
    worker = IndependentWorker(hub)
    for fields, clamped in [({"multiplier": 4}, False), ({"multiplier": 4.1}, True),
                            ({"difficulty": "ffffffffffffffff"}, True), ({}, False)]:
        root = random_hash()
        answer = hub.ask(root, **fields)
        assert answer.get("clamped", False) is clamped, fields
        if clamped:
            assert work_value(answer["work"], root) >= 0xfc00000000000000
    assert hub.ask(random_hash(), multiplier=0.5) == {"error": "Difficulty too low. Minimum: 1.0"}
    worker.close()
    assert hub.stop() == 0


def test_a_connection_is_ended_and_refused_by_command(service):
    bad = Client(service, client_id="w-bad", subscribe=["heartbeat"])
    good = Client(service, client_id="w-good", subscribe=["heartbeat"])
    assert bad.next("heartbeat") and good.next("heartbeat")
    ended = []
    bad.client.on_disconnect = lambda *_: ended.append(1)
    done = service.admin("connection", "ban", "w-bad", "--for", "600")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: ended, "the end of the connection")
    wait_until(lambda: bad.code == 5, "the refusal")
    while not good.messages.empty():
        good.messages.get()
    assert good.next("heartbeat")
    lines = json.loads(service.admin("--json", "audit", "--limit", "1").stdout)
    assert json.loads(lines[0]["command"])["connection"] == "w-bad"
    bad.close()
    good.close()
    service.stop()
    assert "while the hub runs" in service.admin("connection", "ban", "w-bad").stderr
    service.start()


class Proxy:
    """A real nginx with the example's configuration; only its addresses are this test's."""

    def __init__(self, folder, hub):
        self.certificate, key = make_certificate(folder, "proxy")
        self.port = free_port()
        text = (DATA / "nginx" / "dpow.conf").read_text()
        for pattern, place in [
                (r"server 127.0.0.1:5030;", f"server 127.0.0.1:{hub.port};"),
                (r"listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
                (r" *listen \[::\]:443 ssl;\n", ""),
                (r"/etc/ssl/dpow/fullchain.pem", str(self.certificate)),
                (r"/etc/ssl/dpow/privkey.pem", str(key))]:
            text, count = re.subn(pattern, place, text)
            assert count == 1, pattern
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in
                        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        (folder / "nginx.conf").write_text(
            f"daemon off;\nuser root;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
            "worker_processes 1;\nevents {}\n"
            f"http {{\naccess_log off;\n{paths}{text}}}\n")
        self.child = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e",
                                       str(folder / "error.log")])
        self.trust = trusting(self.certificate)
        wait_until(self.answers, "nginx")

    def answers(self):
        assert self.child.poll() is None
        try:
            return self.open("/upcheck/").read() == b"up"
        except OSError:
            return False

    def open(self, path, data=None):
        return urllib.request.urlopen(f"https://127.0.0.1:{self.port}{path}", data=data,
                                      context=self.trust, timeout=PATIENCE)

    def close(self):
        self.child.terminate()
        self.child.wait(timeout=PATIENCE)


@pytest.fixture
def proxy(service, tmp_path):
    folder = tmp_path / "proxy"
    folder.mkdir()
    running = Proxy(folder, service)
    yield running
    running.close()


def test_the_example_of_a_proxy_carries_services_and_workers(service, proxy):
    results = []

    def work(client, _, message):
        if message.topic.startswith("work/"):
            root, difficulty = message.payload.decode().split(",")
            client.publish("result/ondemand", f"{root},{find_work(root, int(difficulty, 16))},x")
            results.append(root)

    worker = mqtt.Client(transport="websockets")
    worker.ws_set_options(path="/mqtt")
    worker.tls_set_context(proxy.trust)
    worker.username_pw_set("client", "client")
    worker.on_connect = lambda client, *_: client.subscribe("work/#")
    worker.on_message = work
    worker.connect("127.0.0.1", proxy.port)
    worker.loop_start()
    root = random_hash()
    request = json.dumps(service.request(root, timeout=30)).encode()
    answer = json.loads(proxy.open("/service/", request).read())
    assert work_value(answer["work"], root) >= int(BASE, 16) and results == [root]

    async def by_websocket():
        url = f"wss://127.0.0.1:{proxy.port}/service_ws/"
        async with websockets.connect(url, ssl=proxy.trust) as socket:
            await socket.send(json.dumps(service.request(random_hash(), timeout=30, id=3)))
            return json.loads(await socket.recv())

    assert asyncio.run(by_websocket())["id"] == 3
    assert json.loads(proxy.open("/api/health").read())["status"] == "ok"
    worker.disconnect()
    worker.loop_stop()


@pytest.mark.parametrize("path", ["/metrics", "/block/", "/", "/service/../metrics"])
def test_the_example_of_a_proxy_passes_nothing_else_on(proxy, path):
    with pytest.raises(urllib.error.HTTPError) as raised:
        proxy.open(path)
    assert raised.value.code == 404


@pytest.mark.parametrize("unit", sorted(path.name for path in (DATA / "systemd").iterdir()))
def test_the_units_are_right_but_for_where_they_are(tmp_path, unit):
    """systemd's own check, with the program where it is here."""
    text = (DATA / "systemd" / unit).read_text().replace("/usr/bin/dpow", PROGRAM)
    text = re.sub(r"Documentation=.*\n", "", text)
    (tmp_path / unit).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
                          capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    words = re.search(r"ExecStart=(.*)", text)[1].split()
    options = subprocess.run([PROGRAM, words[1], "--help"], capture_output=True, text=True,
                             timeout=PATIENCE).stdout
    assert all(f"{word} " in options for word in words if word.startswith("--"))
