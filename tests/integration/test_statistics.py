"""What the hub says of itself: statistics, series, metrics, and who is banned."""

import contextlib
import json
import pathlib
import re
import socket
import sqlite3
import time
import urllib.error
import urllib.request

import pytest
from conftest import (ACCOUNT, OTHER_ACCOUNT, Client, Hub, IndependentWorker, random_hash,
                      wait_until)

HASHES = 16  # expected at the tests' base difficulty
HOSTILE = "</script><img src=x onerror=alert(1)>\"'\\\u202e\u0007{}"


@pytest.fixture
def pool(tmp_path):
    """A hub, and a way to start it again; stopped at the end."""
    running = Hub(tmp_path)
    yield running
    if running.process and running.process.child.poll() is None:
        assert running.stop() == 0, running.log()
    assert "Sanitizer" not in running.log(), running.log()


def fresh(hub):
    """The statistics, made after this call."""
    made = hub.statistics()
    if made["uptime_s"] > 0:
        time.sleep(1.05)
    return hub.statistics()


def settle(hub, condition, what):
    """The statistics, once they say what is expected."""
    last = {}

    def look():
        last.update(hub.statistics())
        return condition(last)
    wait_until(look, what, patience=15)
    return dict(last)


def script(hub):
    """Requests of every kind: 3 on demand, 2 from the cache, 1 time-out, 3 refused."""
    hub.add_service("service")
    hub.add_service("shop", "--public", "--display", HOSTILE, "--website", "https://shop.example")
    worker = IndependentWorker(hub)
    roots = [random_hash() for _ in range(2)]
    for root in roots:
        assert "work" in hub.ask(root)
    worker.account = OTHER_ACCOUNT
    assert "work" in hub.ask(random_hash(), user="shop", multiplier=4)
    worker.close()
    for root in roots:
        assert "work" in hub.ask(root, user="shop")
    assert hub.ask(random_hash(), timeout=1)["timeout"] is True
    assert "error" in hub.ask("nonsense")
    assert "error" in hub.ask(random_hash(), multiplier=100)
    assert hub.post(b"nonsense")[0] == 200


def check_script(statistics, restarted=False):
    """Every number is what the script did."""
    assert statistics["work"] == {"precache": 0, "ondemand": 3}
    assert statistics["services"]["public"] == [
        {"display": HOSTILE, "website": "https://shop.example", "precache": 2, "ondemand": 1}]
    assert statistics["services"]["private"] == {"count": 1, "precache": 0, "ondemand": 2}
    expected = {"total": 9, "precache": 2, "ondemand": 3, "timeouts": 1, "refused": 3}
    for span in ["last_hour", "last_24h"] + ([] if restarted else ["last_minute"]):
        assert statistics["requests"][span] == expected, span
    assert statistics["requests"]["previous_24h"]["total"] == 0
    assert statistics["requests"]["precache_share_24h"] == 2 / 5
    assert abs(statistics["multiplier"]["average_30min"] - (4 + 4 * 1) / 5) < 1e-9
    for kind in ["precache", "ondemand"]:
        for span in ["last_hour", "last_24h"]:
            times = statistics["response_ms"][kind][span]
            assert 0 < times["p50"] <= times["p95"] <= times["p99"] < 30000
    for name, length, step in [("minutes", 60, 60), ("hours", 24, 3600), ("days", 30, 86400)]:
        rows = statistics["series"][name]
        assert len(rows) == length
        starts = [row[0] for row in rows]
        assert starts == list(range(starts[0], starts[0] + step * length, step))
        assert starts[-1] <= statistics["time"] < starts[-1] + step
        assert [sum(row[i] for row in rows) for i in range(1, 7)] == [2, 3, 1, 3, 0, 3], name
        for row in rows:
            assert (row[7] > 0) == (row[1] + row[2] > 0) and row[7] <= row[8] <= row[9]
    workers = statistics["workers"]
    assert (workers["accounts_active_60min"], workers["accounts_total"]) == (2, 2)
    first, second = statistics["clients"]
    assert (first["account"], first["precache"], first["ondemand"], first["hashes"]) == (
        ACCOUNT, 0, 2, 2 * HASHES)
    assert (second["account"], second["ondemand"], second["hashes"]) == (
        OTHER_ACCOUNT, 1, 4 * HASHES)
    assert 0 <= statistics["time"] - first["last"] < 120
    assert statistics["state"] == {"hub": "ok", "store": "ok", "broker": "ok"}


def test_every_number_is_what_happened_and_outlives_the_process(pool):
    pool.start()
    script(pool)
    before = settle(pool, lambda told: told["requests"]["last_hour"]["total"] == 9, "all requests")
    check_script(before)
    assert before["workers"]["hashes_per_s"] > 0
    rate = before["workers"]["hashes_per_s"] * max(1, before["uptime_s"])
    assert abs(rate - 6 * HASHES) < 1e-6
    assert pool.stop() == 0
    pool.start()
    check_script(pool.statistics(), restarted=True)
    time.sleep(11)  # whatever changed is stored each 10 s
    pool.kill()
    pool.restart_after_kill()
    check_script(pool.statistics(), restarted=True)
    worker = IndependentWorker(pool)
    assert "work" in pool.ask(random_hash())
    worker.close()
    after = settle(pool, lambda told: told["requests"]["last_24h"]["ondemand"] == 4, "one more")
    assert sum(row[2] for row in after["series"]["days"]) == 4
    assert after["work"]["ondemand"] == 4


def test_a_kill_loses_seconds_of_the_series_and_no_reward(pool):
    pool.start()
    pool.add_service("service")
    worker = IndependentWorker(pool)
    for _ in range(5):
        assert "work" in pool.ask(random_hash())
    pool.kill()
    worker.close()
    pool.restart_after_kill()
    told = pool.statistics()
    assert told["work"]["ondemand"] == 5
    assert told["clients"][0]["ondemand"] == 5
    assert told["services"]["private"]["ondemand"] == 5
    assert told["requests"]["last_hour"]["ondemand"] <= 5


def test_the_day_before_is_told_from_what_was_stored(pool):
    pool.start()
    assert pool.stop() == 0
    hour = int(time.time()) // 3600 * 3600
    with contextlib.closing(sqlite3.connect(pool.data / "dpow.db")) as database, database:
        for back, precache in [(1, 100), (23, 10), (24, 1000), (47, 7), (48, 50000)]:
            database.execute("INSERT INTO series VALUES (3600, ?, ?, 0, 0, 0, 0, 0, 0, x'ff')",
                             (hour - back * 3600, precache))
    pool.start()
    requests = pool.statistics()["requests"]
    if int(time.time()) // 3600 * 3600 == hour:
        assert requests["last_24h"]["precache"] == 110
        assert requests["previous_24h"]["precache"] == 1007


def shape(value):
    """Names and kinds, without numbers and lengths."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(value[-1])] if value else []
    return "number" if isinstance(value, (int, float)) else "text"


def test_the_documented_example_has_the_same_members(pool):
    pool.start()
    script(pool)
    text = (pathlib.Path(__file__).parents[2] / "docs/protocol/statistics.md").read_text()
    example = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL).group(1))
    told = settle(pool, lambda told: told["requests"]["last_hour"]["total"] == 9, "all requests")
    assert shape(told) == shape(example)
    assert list(told) == list(example)


def own_address():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_metrics_of_the_main_listener_are_refused_to_other_machines(tmp_path):
    address = own_address()
    if address is None:
        pytest.skip("no other network interface")
    hub = Hub(tmp_path)
    hub.address = address
    hub.start()
    assert hub.get("/metrics")[0] == 403
    assert hub.get("/api/statistics")[0] == 200
    assert hub.stop() == 0


def test_the_answer_is_cached_for_a_second(service):
    url = service.http + "/api/statistics"
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Cache-Control"] == "max-age=1"
    assert fresh(service)["requests"]["last_hour"]["refused"] == 0
    service.ask("nonsense")
    assert settle(service, lambda told: told["requests"]["last_hour"]["refused"] == 1, "it")


def test_the_topic_tells_rewards_within_seconds_and_stays_small(service):
    key = (service.data / "broker" / "dashboard-password").read_text()
    observer = Client(service, "dpowinterface", key, subscribe=["statistics"])
    worker = IndependentWorker(service)
    assert "work" in service.ask(random_hash())
    topic = json.loads(observer.next("statistics", patience=20)[1])
    assert topic["work"] == {"precache": 0, "ondemand": 1}
    assert topic["services"]["private"]["ondemand"] == 1
    assert topic["requests"]["last_hour"]["ondemand"] == 1
    assert topic["workers"]["accounts_active_60min"] == 1
    assert not {"series", "clients", "response_ms"} & set(topic)
    assert len(json.dumps(topic)) < 2000
    worker.close()
    observer.close()


def test_results_of_a_banned_account_are_dropped(pool):
    pool.start()
    pool.add_service("service")
    worker = IndependentWorker(pool)
    assert "work" in pool.ask(random_hash())
    assert pool.stop() == 0
    worker.close()
    with contextlib.closing(sqlite3.connect(pool.data / "dpow.db")) as database, database:
        changed = database.execute("UPDATE clients SET ban_until_ms = ?, ban_reason = 'x'",
                                   (int(time.time() * 1000) + 3600000,))
        assert changed.rowcount == 1
    pool.start()
    worker = IndependentWorker(pool)
    assert pool.ask(random_hash(), timeout=1)["timeout"] is True
    assert metrics(pool)[("dpow_banned_results_total", "")] >= 1
    worker.account = OTHER_ACCOUNT
    assert "work" in pool.ask(random_hash())
    told = fresh(pool)
    assert {client["account"]: client["ondemand"] for client in told["clients"]} == {
        ACCOUNT: 1, OTHER_ACCOUNT: 1}
    worker.close()
    assert pool.stop() == 0
    with contextlib.closing(sqlite3.connect(pool.data / "dpow.db")) as database, database:
        database.execute("UPDATE clients SET ban_until_ms = 1000")
    pool.start()
    worker = IndependentWorker(pool)
    assert "work" in pool.ask(random_hash())
    worker.close()


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? (\S+)')


def parse_metrics(text):
    """Prometheus' text format, strictly: each sample's family is described before it, once."""
    types, samples = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            assert len(line.split(" ", 3)) == 4
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary")
            types[name] = kind
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
            assert family == list(types)[-1], f"{name} is out of place"
            assert (name, labels or "") not in samples
            samples[name, labels or ""] = float(value)
    return samples


def read_metrics(url):
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parse_metrics(answer.read().decode())


def metrics(hub):
    time.sleep(1.05)  # they are made at most once a second
    return read_metrics(hub.http + "/metrics")


def test_the_metrics_agree(pool):
    pool.start()
    script(pool)
    told = metrics(pool)
    for labels, expected in [("work", 5), ("timeout", 1), ("refused", 3), ("busy", 0)]:
        assert told["dpow_requests_total", f'answer="{labels}"'] == expected
    assert told["dpow_rewards_total", 'type="ondemand"'] == 3
    assert told["dpow_rewards_total", 'type="precache"'] == 0
    assert told["dpow_rewarded_hashes_total", 'type="ondemand"'] == 6 * HASHES
    assert told["dpow_results_total", 'verdict="accepted"'] == 3
    assert told["dpow_results_total", 'verdict="weak"'] == 0
    for kind, count in [("precache", 2), ("ondemand", 3)]:
        assert told["dpow_response_seconds_count", f'type="{kind}"'] == count
        buckets = [value for (name, labels), value in told.items()
                   if name == "dpow_response_seconds_bucket" and kind in labels]
        assert buckets == sorted(buckets) and buckets[-1] == count and len(buckets) == 15
        assert 0 < told["dpow_response_seconds_sum", f'type="{kind}"'] < 60
    assert told["dpow_accounts", ""] == told["dpow_accounts_active", ""] == 2
    assert told["dpow_services", ""] == 2
    assert told["dpow_store_up", ""] == told["dpow_broker_up", ""] == 1
    assert told["dpow_store_seconds_count", ""] == 6  # three works, three answers after a search
    assert told["dpow_http_requests_total", ""] >= 10
    assert told["dpow_published_total", ""] > 6
    assert told["process_resident_memory_bytes", ""] > 1 << 20
    version = [labels for name, labels in told if name == "dpow_build_info"]
    assert version == [f'version="{pool.statistics()["version"]}"']


def test_metrics_have_a_listener_of_their_own_if_asked_for(pool):
    pool.words = ("--metrics-listen=127.0.0.1:0",)
    pool.start()
    place = pool.told["metrics"]
    assert read_metrics(place + "/metrics")["dpow_store_up", ""] == 1
    assert pool.get("/metrics")[0] == 404
    for path, method, status in [("/", "GET", 404), ("/api/statistics", "GET", 404),
                                 ("/service/", "POST", 404), ("/metrics", "POST", 405)]:
        request = urllib.request.Request(place + path, method=method, data=b"" if
                                         method == "POST" else None)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        assert error.value.code == status
        error.value.close()
    for place in ["nonsense", "127.0.0.1", "localhost:1"]:
        other = Hub(pool.folder / "other", f"--metrics-listen={place}")
        other.folder.mkdir(exist_ok=True)
        with pytest.raises(AssertionError, match="--metrics-listen"):
            other.start()
        assert other.process.child.wait(timeout=30) == 2


def test_metrics_of_the_main_listener_are_for_this_machine(hub):
    assert hub.get("/metrics")[0] == 200
    assert hub.post(b"", "/metrics")[0] == 405
    assert hub.get("/metrics?x=1")[0] == 200
