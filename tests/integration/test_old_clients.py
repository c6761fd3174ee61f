"""Workers, services and dashboards of the original go on working with this hub (dpow.md 12).

They are programs of their own, old_worker.py and old_service.py, written from the specification.
"""

import contextlib
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading

import pytest
from conftest import ACCOUNT, BASE, OTHER_ACCOUNT, PATIENCE, Client, random_hash, wait_until
from service_peers import running_hub

HERE = pathlib.Path(__file__).parent
ENDLESS = "E0D1E55"  # old_worker.py searches it until it is cancelled


class OldWorker:
    def __init__(self, port, account, *words, scheme="mqtt"):
        self.child = subprocess.Popen(
            [sys.executable, str(HERE / "old_worker.py"), "--payout", account, "--server",
             f"{scheme}://client:client@127.0.0.1:{port}", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = []
        self.news = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            event = json.loads(line)
            self.events.append(event)
            self.news.put(event)

    def wait_for(self, name, patience=PATIENCE):
        while True:
            event = self.news.get(timeout=patience)
            if event["event"] == name:
                return event

    def told(self, name):
        return [event for event in self.events if event["event"] == name]

    def rewarded(self):
        """What the last statistics of its account say."""
        stats = self.told("stats")
        return stats[-1].get("ondemand", 0) if stats else 0

    def close(self):
        self.child.stdin.close()
        status = self.child.wait(timeout=PATIENCE)
        self.reader.join()
        self.child.stdout.close()
        return status


@contextlib.contextmanager
def old_workers(port, *accounts, **options):
    workers = [OldWorker(port, account, **options) for account in accounts]
    try:
        for worker in workers:
            worker.wait_for("ready")
        yield workers
    finally:
        for worker in workers:
            worker.close()


class OldService:
    def __init__(self, hub, way, count, user="service"):
        self.child = subprocess.Popen(
            [sys.executable, str(HERE / "old_service.py"), "--url", hub.http, "--user", user,
             "--api_key", hub.keys[user], "--base", BASE, "--count", str(count), "--way", way],
            stdout=subprocess.PIPE, text=True)

    def result(self):
        output, _ = self.child.communicate(timeout=2 * PATIENCE)
        told = json.loads(output)
        assert self.child.returncode == 0, told
        return told


def in_the_store(hub, count):
    wait_until(lambda: hub.statistics()["work"]["ondemand"] == count, f"{count} rewards")


def test_many_requests_by_both_ways_are_answered_right_and_rewarded_once(service):
    """Two workers race for every hash; each is paid for what it was first with."""
    with old_workers(service.mqtt_port, ACCOUNT) as (first,), \
            old_workers(service.ws_port, OTHER_ACCOUNT, scheme="ws") as (second,):
        services = [OldService(service, "post", 60), OldService(service, "websocket", 240)]
        told = [old.result() for old in services]
        assert [one["repeated"] for one in told] == [0, 0]
        in_the_store(service, 300)
        wait_until(lambda: first.rewarded() + second.rewarded() == 300, "statistics of 300")
        for worker in (first, second):
            stats = worker.told("stats")
            # A total of each reward, growing by one: nothing is lost or told twice.
            assert [one["ondemand"] for one in stats] == list(range(1, len(stats) + 1))
            rewarded = {one["block_rewarded"] for one in stats}
            assert len(rewarded) == len(stats)
            assert rewarded <= {one["hash"] for one in worker.told("sent")}
            assert all(one["type"] == "ondemand" for one in worker.told("sent"))
            assert not worker.told("unexpected")
        statistics = service.statistics()
        assert statistics["services"]["private"] == {"count": 1, "precache": 0, "ondemand": 300}


def test_a_cancel_frees_the_old_worker(service):
    with old_workers(service.mqtt_port, ACCOUNT) as (worker,):
        endless = ENDLESS + random_hash()[len(ENDLESS):]
        assert service.ask(endless, timeout=1)["timeout"] is True
        assert worker.wait_for("queued")["hash"] == endless
        assert worker.wait_for("cancelled")["hash"] == endless
        assert "work" in service.ask(random_hash())


def test_old_workers_may_take_one_type_only(service):
    with old_workers(service.mqtt_port, ACCOUNT) as (_,):
        precache = OldWorker(service.mqtt_port, OTHER_ACCOUNT, "--work", "precache")
        precache.wait_for("ready")
        assert "work" in service.ask(random_hash())
        assert not precache.told("queued")
        assert precache.close() == 0


# What survives: what ends, and how (dpow.md 8.5). Old workers subscribe once in their life, and
# count on the broker to keep their sessions.
ENDS = {
    "the broker": lambda hub: os.kill(hub.children()[0], signal.SIGTERM),
    "the hub": lambda hub: hub.stop(),
    "the hub, killed": lambda hub: hub.kill(),
}


@pytest.mark.parametrize("way", ["post", "websocket"])
@pytest.mark.parametrize("end", ENDS, ids=str)
def test_old_clients_survive_the_end_of(service, end, way):
    with old_workers(service.mqtt_port, ACCOUNT) as (worker,):
        broker = service.children()
        assert "work" in service.ask(random_hash())
        asking = OldService(service, way, 150)
        wait_until(lambda: len(worker.told("sent")) >= 20, "20 works")
        ENDS[end](service)
        if end == "the broker":
            wait_until(lambda: service.children() not in ([], broker), "another broker")
        else:
            service.restart_after_kill()
        asking.result()
        assert len(worker.told("connected")) == 2
        wait_until(lambda: service.get("/api/health")[0] == 200, "health")
        # Rewards are in the store, whatever happened to the messages that told of them.
        in_the_store(service, 151)


class OldBroker:
    """The original's broker: its users and its access list (dpow.md 2.2)."""

    USERS = {"dpowserver": "secret", "client": "client", "dpowinterface": "shown"}
    ACCESS = {
        "dpowserver": ["write heartbeat", "write statistics", "write work/precache",
                       "write work/ondemand", "write cancel/precache", "write cancel/ondemand",
                       "write client/+", "read result/precache", "read result/ondemand"],
        "client": ["write result/precache", "write result/ondemand", "read heartbeat",
                   "read statistics", "read work/+", "read cancel/+", "read client/+"],
        "dpowinterface": ["read heartbeat", "read statistics", "read work/+", "read cancel/+",
                          "read client/+", "read result/+"],
    }

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.mqtt_port = probe.getsockname()[1]
        passwords, access = folder / "passwords", folder / "acl"
        passwords.write_text("".join(f"{user}:{word}\n" for user, word in self.USERS.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, timeout=PATIENCE)
        access.write_text("".join(
            f"user {user}\n" + "".join(f"topic {line}\n" for line in lines)
            for user, lines in self.ACCESS.items()))
        configuration = folder / "mosquitto.conf"
        configuration.write_text(f"listener {self.mqtt_port} 127.0.0.1\nuser root\n"
                                 f"allow_anonymous false\npassword_file {passwords}\n"
                                 f"acl_file {access}\n")
        self.child = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(configuration)],
                                      stderr=subprocess.DEVNULL)
        wait_until(self.accepts, "the broker")

    def accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.mqtt_port)) == 0

    def close(self):
        self.child.terminate()
        self.child.wait(timeout=PATIENCE)


@pytest.fixture
def old_broker(tmp_path):
    broker = OldBroker(tmp_path)
    yield broker
    broker.close()


def test_an_old_worker_says_that_a_broker_without_a_hub_is_offline(old_broker):
    worker = OldWorker(old_broker.mqtt_port, ACCOUNT)
    assert worker.wait_for("fatal")["reason"] == "Server is offline"
    assert worker.close() == 1


def dashboard(payload):
    """The numbers that the original's dashboard shows, read as it reads them."""
    statistics = json.loads(payload)
    public = [{"display": one["display"], "website": one["website"],
               "total": one["precache"] + one["ondemand"]}
              for one in statistics["services"]["public"]]
    private = statistics["services"]["private"]
    return {"services": sorted(public, key=lambda one: -one["total"]),
            "unlisted": (private["count"], private["precache"] + private["ondemand"]),
            "work": (statistics["work"]["precache"], statistics["work"]["ondemand"])}


def test_an_old_deployment_works_as_a_whole(old_broker, tmp_path):
    """Its broker, a worker, a service, and the dashboard that listens to everything."""
    (tmp_path / "url").write_text(f"mqtt://dpowserver:secret@127.0.0.1:{old_broker.mqtt_port}\n")
    words = ["--broker-file", str(tmp_path / "url")]
    watcher = Client(old_broker, "dpowinterface", "shown",
                     subscribe=["work/#", "result/#", "statistics"])
    with running_hub(tmp_path, *words) as hub:
        assert dashboard(watcher.next("statistics")[1]) == {
            "services": [], "unlisted": (0, 0), "work": (0, 0)}
        for name, more in [("listed", ["--public", "--display", "A faucet", "--website",
                                       "https://example.org"]), ("hidden", [])]:
            hub.add_service(name, *more)
        with old_workers(old_broker.mqtt_port, ACCOUNT) as (worker,):
            OldService(hub, "websocket", 20, "listed").result()
            OldService(hub, "post", 10, "hidden").result()
            again = worker.told("sent")[0]
            assert hub.ask(again["hash"], user="hidden")["work"] == again["work"]
        seen = {"work/ondemand": [], "result/ondemand": []}
        while any(len(messages) < 30 for messages in seen.values()):
            topic, payload, qos, retained = watcher.next()
            assert qos == 0 and not retained
            seen[topic].append(payload)
        asked = {payload.split(",")[0] for payload in seen["work/ondemand"]}
        solved = {payload.split(",")[0] for payload in seen["result/ondemand"]}
        assert asked == solved and len(asked) == 30
        assert all(payload.endswith("," + ACCOUNT) for payload in seen["result/ondemand"])
    with running_hub(tmp_path, *words):
        assert dashboard(watcher.next("statistics")[1]) == {
            "services": [{"display": "A faucet", "website": "https://example.org", "total": 20}],
            "unlisted": (1, 11), "work": (0, 30)}
    watcher.close()
