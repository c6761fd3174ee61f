"""`dpow admin migrate`: what the original hub kept in a real Redis becomes a new hub's."""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import (ACCOUNT, BASE, OTHER_ACCOUNT, PATIENCE, PROGRAM, Hub,
                      IndependentWorker, find_work, random_hash, wait_until)

KEY = "the operator typed this"
DAY_MS = 86400000
MONTH_MS = 30 * DAY_MS
PASSWORD = "hunter2/&%"


def legacy_key(key):
    return hashlib.blake2b(key.encode()).digest()


class Redis:
    """A server of its own, spoken to in RESP over a socket."""

    def __init__(self, folder, *words):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(self.folder), *words],
            stdout=subprocess.DEVNULL)
        wait_until(self.connect, "redis-server accepts")

    def connect(self):
        with contextlib.suppress(ConnectionRefusedError):
            self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
            self.file = self.socket.makefile("rb")
            return True
        return False

    def call(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        answer = self.file.readline()
        assert not answer.startswith(b"-"), answer
        if answer.startswith(b"$") and answer != b"$-1\r\n":
            self.file.read(int(answer[1:]) + 2)
        return answer

    def add_service(self, name, **fields):
        self.call("SADD", "services", name)
        for field, value in fields.items():
            key = name if isinstance(name, bytes) else name.encode()
            self.call("HSET", b"service:" + key, field, value)

    def add_client(self, account, **fields):
        self.call("SADD", "clients", account)
        for field, value in fields.items():
            self.call("HSET", f"client:{account}", field, value)

    def add_work(self, root, work, kind="ondemand", life_ms=DAY_MS):
        self.call("SET", f"block:{root}", work, "PX", life_ms)
        self.call("SET", f"work-type:{root}", kind, "PX", life_ms)

    def url(self, user="", database=""):
        return f"redis://{user}127.0.0.1:{self.port}{database}"

    def stop(self):
        self.file.close()
        self.socket.close()
        self.process.kill()
        self.process.wait(PATIENCE)


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def new(tmp_path):
    """A hub that has not run yet."""
    hub = Hub(tmp_path)
    yield hub
    if hub.process and hub.process.child.poll() is None:
        assert hub.stop() == 0, hub.log()
    if hub.process:
        assert "Sanitizer" not in hub.log(), hub.log()


def fill(redis):
    """Returns a root that has a work, and the work."""
    redis.add_service("wallet", public="Y", display="The Wallet", website="w.example",
                      api_key=legacy_key(KEY), precache=213, ondemand=1543)
    redis.add_service("faucet", public="N", display="Faucet", website="https://f.example/x",
                      api_key=legacy_key("other"), precache=13494, ondemand=11333)
    redis.add_client(ACCOUNT, precache=40, ondemand=41, snapshot_precache=10, snapshot_ondemand=11)
    redis.add_client(OTHER_ACCOUNT, ondemand=7)
    redis.call("SET", "stats:precache", 93512)
    redis.call("SET", "stats:ondemand", 23351)
    root = random_hash()
    work = find_work(root, int(BASE, 16))
    redis.add_work(root, work)
    redis.add_work(random_hash(), "0")
    redis.call("SET", f"account:{ACCOUNT}", random_hash(), "PX", MONTH_MS)
    redis.call("SET", f"block-difficulty:{root}", BASE, "PX", 120000)
    redis.call("SET", f"block-lock:{root}", "1", "PX", 5000)
    return root, work


def run_migrate(hub, url, *words, **options):
    return subprocess.run(
        [PROGRAM, "admin", "--data-dir", str(hub.data), "migrate", f"--from={url}",
         f"--base-difficulty={BASE}", *words], capture_output=True, text=True, timeout=PATIENCE,
        **options)


def migrate(hub, redis, *words, status=0, **url):
    done = run_migrate(hub, redis.url(**url), "--json", *words)
    assert done.returncode == status, done.stderr
    assert "Sanitizer" not in done.stderr
    return json.loads(done.stdout), done.stderr


def tally(imported=0, existing=0, left_out=0):
    return {"imported": imported, "existing": existing, "left_out": left_out}


def select(hub, query, *values):
    """Rows of the hub's store, read by Python's own SQLite."""
    with contextlib.closing(sqlite3.connect(hub.data / "dpow.db")) as database:
        return database.execute(query, values).fetchall()


def everything(hub):
    with contextlib.closing(sqlite3.connect(hub.data / "dpow.db")) as database:
        return list(database.iterdump())


def test_everything_is_imported_and_goes_on(redis, new):
    root, work = fill(redis)
    report, _ = migrate(new, redis)
    assert report == {"dry_run": False, "services": tally(2), "clients": tally(2),
                      "totals": tally(1), "works": tally(1), "accounts": tally(left_out=1),
                      "names_refused": 0, "warnings": 0}
    hashes = [row[0] for row in select(new, "SELECT hash FROM service_keys ORDER BY id")]
    assert f"blake2b512:{legacy_key(KEY).hex().upper()}" in hashes
    assert select(new, "SELECT rate_per_s, unlimited, precache_mode, precache_accounts,"
                       " precache_per_hour, precache_period_s FROM services") == [
                           (100, 1, 1, 10000, 3600, 604800)] * 2
    new.start()
    statistics = new.statistics()
    assert statistics["services"]["public"] == [
        {"display": "The Wallet", "website": "https://w.example", "precache": 213,
         "ondemand": 1543}]
    assert statistics["services"]["private"] == {"count": 1, "precache": 13494, "ondemand": 11333}
    assert {kind: statistics["work"][kind] for kind in ("precache", "ondemand")} == {
        "precache": 93512, "ondemand": 23351}
    new.keys["wallet"] = KEY
    assert new.ask(root, user="wallet")["work"] == work  # from the imported cache: no worker yet
    new.keys["wallet"] = KEY + "x"
    assert new.ask(root, user="wallet")["error"]
    new.keys["wallet"] = KEY
    worker = IndependentWorker(new)
    assert new.ask(random_hash(), user="wallet")["work"]
    told = json.loads(worker.next(f"client/{ACCOUNT}")[1])
    worker.close()
    del told["block_rewarded"]
    assert told == {"precache": 40, "ondemand": 42, "snapshot_precache": 10,
                    "snapshot_ondemand": 11}
    assert new.stop() == 0
    checked = new.admin("check")
    assert checked.returncode == 0, checked.stdout


def test_a_key_is_hashed_slowly_after_its_first_use(redis, new):
    root, _ = fill(redis)
    migrate(new, redis)
    new.start()
    new.keys["wallet"] = KEY
    new.ask(root, user="wallet")

    def is_slow():
        return select(new, "SELECT hash LIKE '$argon2id$%' FROM service_keys AS k JOIN services"
                           " AS s ON s.id = k.service WHERE s.name = 'wallet'") == [(1,)]
    wait_until(is_slow, "the key is hashed again")
    new.stop()
    new.start()
    assert "work" in new.ask(root, user="wallet")


def test_a_second_run_changes_nothing(redis, new):
    fill(redis)
    migrate(new, redis, "--accounts-to", "wallet")
    before = everything(new)
    report, _ = migrate(new, redis, "--accounts-to", "wallet")
    assert report == {"dry_run": False, "services": tally(0, 2), "clients": tally(0, 2),
                      "totals": tally(0, 1), "works": tally(0, 1), "accounts": tally(0, 1),
                      "names_refused": 0, "warnings": 0}
    assert everything(new) == before


def test_a_second_run_leaves_what_the_hub_did_meanwhile(redis, new):
    root, _ = fill(redis)
    migrate(new, redis)
    new.start()
    new.keys["wallet"] = KEY
    assert "work" in new.ask(root, user="wallet")
    worker = IndependentWorker(new)
    assert "work" in new.ask(random_hash(), user="wallet")
    worker.close()
    assert new.stop() == 0
    report, _ = migrate(new, redis)
    assert report["services"]["imported"] == 0 and report["clients"]["imported"] == 0
    assert select(new, "SELECT rewarded FROM totals ORDER BY type") == [(93512,), (23352,)]
    assert select(new, "SELECT answered FROM service_counts AS c JOIN services AS s"
                       " ON s.id = c.service WHERE name = 'wallet' ORDER BY type") == [
                           (214,), (1544,)]


def test_a_dry_run_tells_and_writes_nothing(redis, new):
    fill(redis)
    report, _ = migrate(new, redis, "--dry-run")
    assert report["dry_run"] and report["services"] == tally(2) and report["totals"] == tally(1)
    assert not new.data.exists()
    migrate(new, redis)
    before = everything(new), sorted(os.listdir(new.data))
    redis.add_service("late", display="Late", api_key=legacy_key("z"))
    temporary = new.folder / "temporary"
    temporary.mkdir()
    done = run_migrate(new, redis.url(), "--dry-run",
                       env={**os.environ, "TMPDIR": str(temporary)})
    assert done.returncode == 0, done.stderr
    assert "services: 1 imported, 2 there already, 0 left out\n" in done.stdout
    assert "dry run" in done.stdout
    assert (everything(new), sorted(os.listdir(new.data))) == before
    assert os.listdir(temporary) == []


def test_a_running_hub_is_refused_and_not_disturbed(redis, hub):
    fill(redis)
    done = run_migrate(hub, redis.url())
    assert done.returncode == 1 and "stop the hub first" in done.stderr
    assert hub.statistics()["services"]["private"]["count"] == 0
    report, _ = migrate(hub, redis, "--dry-run")
    assert report["services"] == tally(2)


def test_accounts_are_given_to_a_service(redis, new):
    fill(redis)
    frontier = random_hash()
    redis.call("SET", f"account:{ACCOUNT}", frontier, "PX", MONTH_MS // 2)
    redis.call("SET", f"account:xrb_{OTHER_ACCOUNT[5:]}", frontier)
    redis.call("SET", f"account:{OTHER_ACCOUNT[:-1]}1", frontier)
    redis.call("RPUSH", "account:x", frontier)
    done = run_migrate(new, redis.url(), "--accounts-to", "nobody")
    assert done.returncode == 1 and "there is no service nobody" in done.stderr
    assert select(new, "SELECT count(*) FROM services") == [(0,)]
    report, told = migrate(new, redis, "--accounts-to", "wallet", "--rename", "faucet=drip")
    assert report["accounts"] == tally(2) and "checksum" in told and report["warnings"] == 2
    wallet = select(new, "SELECT id FROM services WHERE name = 'wallet'")[0][0]
    now_ms = time.time() * 1000
    for service, root, used_ms, expires_ms in select(
            new, "SELECT service, hex(frontier), used_ms, expires_ms FROM frontiers"):
        assert (service, root) == (wallet, frontier)
        assert abs(expires_ms - used_ms - MONTH_MS) < 10 and now_ms < expires_ms
    new.start()


def test_names_that_are_not_possible_here_can_be_changed(redis, new):
    fill(redis)
    redis.add_service("my wallet=x", display="M", public="Y", api_key=legacy_key("m"), ondemand=5)
    redis.add_service(b"\x1b[31mred\n\0\xff", display="R", api_key=legacy_key("r"))
    redis.add_service("n" * 3000, display="N", api_key=legacy_key("n"))
    report, told = migrate(new, redis, status=1)
    assert report["services"] == tally(2, 0, 3) and report["names_refused"] == 3
    assert "--rename OLD=NEW" in told and "my wallet=x" in told
    assert "\x1b" not in told and "\0" not in told
    report, _ = migrate(new, redis, "--rename", "my wallet=x=my-wallet", status=1)
    assert report["services"] == tally(1, 2, 2) and report["totals"] == tally(0, 1)
    assert select(new, "SELECT display FROM services WHERE name = 'my-wallet'") == [("M",)]
    for wrong in ("a", "=b", "a=", "a=b c"):
        assert run_migrate(new, redis.url(), "--rename", wrong).returncode == 2


def test_services_that_lack_something_are_imported_without_it(redis, new):
    redis.add_service("gone")
    redis.add_service("bare", api_key=legacy_key("b"), public="Y")
    redis.add_service("keyless", public="N", display="K", ondemand=3)
    redis.add_service("odd", display="a\x07b\u00e9", website="javascript://x", api_key=b"short",
                      precache="1e3", ondemand=-1, public="yes")
    redis.add_service("list", display="x")
    redis.call("DEL", "service:list")
    redis.call("RPUSH", "service:list", "x")
    report, _ = migrate(new, redis)
    assert report["services"] == tally(3, 0, 2) and report["totals"] == tally()
    rows = select(new, "SELECT name, display, website, is_public FROM services ORDER BY name")
    assert rows == [("bare", "bare", "", 0), ("keyless", "K", "", 0), ("odd", "ab\u00e9", "", 0)]
    new.start()
    assert new.statistics()["services"]["private"] == {"count": 3, "precache": 0, "ondemand": 3}
    new.keys["keyless"] = ""
    assert new.ask(random_hash(), user="keyless")["error"]


def test_hostile_values_cost_only_themselves(redis, new):
    root, work = fill(redis)
    huge = b"x" * (8 << 20)
    redis.add_service("huge", display=huge, website="w" * 1500, api_key=huge, public="Y",
                      precache=huge, ondemand=2**53)
    redis.add_service("long", display="\u00e9" * 100, website="w." + "x" * 300,
                      api_key=legacy_key("l"), precache=2**53 + 1, ondemand="9" * 30)
    redis.add_client("nano_" + "1" * 60, precache=5)
    redis.add_client(b"\0\x1b]0;x\x07" + b"y" * 70000)
    redis.add_client("x")
    redis.call("SADD", "clients", f"xrb_{ACCOUNT[5:]}")
    redis.call("HSET", f"client:xrb_{ACCOUNT[5:]}", "precache", 2, "snapshot_ondemand", 500)
    redis.call("SET", "stats:precache", huge)
    redis.call("DEL", "stats:ondemand")
    redis.call("RPUSH", "stats:ondemand", 1)
    weak = random_hash()
    redis.add_work(weak, next(f"{nonce:016x}" for nonce in range(1000) if not is_good(nonce, weak)))
    redis.add_work("ABC", work)
    redis.add_work(random_hash(), huge)
    redis.add_work(random_hash(), "zzzzzzzzzzzzzzzz")
    redis.call("SADD", f"block:{random_hash()}", "x")
    redis.call("SET", "block:" + "y" * 70000, work)
    endless = random_hash()
    redis.call("SET", f"block:{endless}", find_work(endless, int(BASE, 16)))
    far = random_hash()
    redis.add_work(far, find_work(far, int(BASE, 16)), life_ms=10**15)
    report, told = migrate(new, redis)
    assert report["services"] == tally(4) and report["clients"] == tally(2)
    assert report["works"] == tally(3, 0, 1) and report["totals"] == tally()
    assert "\x1b" not in told
    counts = select(new, "SELECT name, type, answered FROM service_counts AS c JOIN services AS s"
                         " ON s.id = c.service WHERE name IN ('huge', 'long') ORDER BY 1, 2")
    assert counts == [("huge", 0, 0), ("huge", 1, 2**53)]
    assert select(new, "SELECT display, website FROM services WHERE name = 'long'") == [
        ("\u00e9" * 64, "")]
    assert select(new, "SELECT precache, ondemand, snapshot_precache, snapshot_ondemand FROM"
                       " clients WHERE precache > 0") == [(42, 41, 10, 41)]
    now_ms = time.time() * 1000
    lives = dict(select(new, "SELECT hex(root), expires_ms FROM works"))
    assert lives.keys() == {root, endless, far}
    assert abs(lives[endless] - now_ms - DAY_MS) < 60000
    assert abs(lives[far] - now_ms - MONTH_MS) < 60000
    new.start()
    assert new.statistics()["work"]["ondemand"] == 0


def is_good(nonce, root):
    digest = hashlib.blake2b(nonce.to_bytes(8, "little") + bytes.fromhex(root), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >= int(BASE, 16)


def test_only_100_warnings_are_told(redis, new):
    fill(redis)
    for number in range(150):
        redis.call("SADD", "clients", f"client{number}")
    report, told = migrate(new, redis)
    assert report["warnings"] == 150 and told.count("client left out") == 100
    assert "only counted" in told


def test_many_members_come_once_each(redis, new):
    for number in range(3000):
        redis.add_service(f"s{number}", display=f"D{number}", api_key=legacy_key(str(number)))
    report, _ = migrate(new, redis)
    assert report["services"] == tally(3000)


def test_another_database_and_a_password(tmp_path, new):
    users = ["--user", "dpow", "on", ">" + PASSWORD, "~*", "+@all"]
    redis = Redis(tmp_path / "redis", *users)
    try:
        redis.call("SELECT", 3)
        fill(redis)
        redis.call("CONFIG", "SET", "requirepass", PASSWORD)
        good = "hunter2%2f%26%25"
        for user, words in (("", "NOAUTH"), (":wrong@", "log in"), ("dpow:wrong@", "log in")):
            done = run_migrate(new, redis.url(user, "/3"))
            assert done.returncode == 1 and words in done.stderr
            assert "wrong" not in done.stderr.replace("WRONGPASS", "")
            assert not new.data.exists()
        done = run_migrate(new, redis.url(f":{good}@", "/2"))
        assert done.returncode == 1 and "no data of the original" in done.stderr
        secret = tmp_path / "url"
        secret.write_text(redis.url(f"dpow:{good}@", "/3") + "\n")
        secret.chmod(0o600)
        done = new.admin("migrate", "--from-file", str(secret), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["services"] == tally(2)
        assert migrate(new, redis, user=f":{good}@", database="/3")[0]["services"] == tally(0, 2)
        audit = select(new, "SELECT DISTINCT command FROM audit")
        assert audit == [(f"migrate --from redis://127.0.0.1:{redis.port}/3",)]
    finally:
        redis.stop()


def test_wrong_addresses_are_told(new):
    for url in ("redis://", "http://127.0.0.1", "redis://user@127.0.0.1", "redis://h/x",
                "redis://h/99999999999999"):
        assert run_migrate(new, url).returncode == 2
    assert new.admin("migrate").returncode == 2
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = run_migrate(new, f"redis://127.0.0.1:{closed.getsockname()[1]}")
    assert done.returncode == 1 and "refused" in done.stderr
    assert not new.data.exists()


class Liar:
    """Something that accepts connections and answers every packet the same."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                for chunk in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(chunk)
                if answer == b"":
                    break
        connection.close()


@pytest.mark.parametrize("answers", [
    [b""], [b"HTTP/1.1 400 Bad Request\r\n\r\n"], [b"+OK\r\n"], [b":1\r\n", b"+OK\r\n"],
    [b"-\x1b[31mno\r\n"], [b":1\r\n", b":5\r\n", b"*0\r\n"], [b":1\r\n", b":5\r\n", b"$-1\r\n"],
    [b":1\r\n", b":5\r\n", b"*2\r\n:0\r\n*0\r\n"],
    [b":1\r\n", b":-7\r\n", b"*2\r\n$1\r\n0\r\n$-1\r\n"],
    [b":1\r\n", b":5\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n:1\r\n"],
    [b":1\r\n", b":5\r\n", b"*2\r\n$40\r\n" + b"9" * 40 + b"\r\n*0\r\n"],
    [b":1\r\n", b":5\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n", b"*-1\r\n" * 6],
    [b":1\r\n", b":5\r\n", b"$99999999999999999999\r\n"],
    [b":1\r\n", b":5\r\n", [b"$500000000\r\n"] + [b"x" * (1 << 20)] * 80],
    [b":1\r\n", b":5\r\n", [b"*90000000\r\n"] + [b"+\r\n" * (1 << 18)] * 100],
])
def test_what_is_no_redis_is_refused(new, answers):
    liar = Liar(*answers)
    done = run_migrate(new, f"redis://127.0.0.1:{liar.port}")
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("dpow admin migrate: ") or "left out" in done.stderr
    assert "\x1b" not in done.stderr and "Sanitizer" not in done.stderr
    if new.data.exists():
        assert select(new, "SELECT count(*) FROM services") == [(0,)]


class Brake:
    """Stands before a Redis and stops passing on once a word has been asked for some times."""

    def __init__(self, port, word, times):
        self.stopped = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.upstream = socket.create_connection(("127.0.0.1", port), PATIENCE)
        threading.Thread(target=self._forward, args=(word, times), daemon=True).start()

    def _forward(self, word, times):
        self.connection, _ = self.listener.accept()
        threading.Thread(target=self._back, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := self.connection.recv(65536):
                times -= data.count(word)
                if times < 0:
                    self.stopped.set()
                    return
                self.upstream.sendall(data)

    def _back(self):
        with contextlib.suppress(OSError):
            while data := self.upstream.recv(65536):
                self.connection.sendall(data)


@pytest.mark.parametrize("word, times", [(b"service:", 1), (b"SCARD\r\n$7", 0),
                                         (b"stats:precache", 0), (b"PTTL", 0)])
def test_a_kill_in_the_middle_leaves_nothing_and_can_be_repeated(redis, new, word, times):
    fill(redis)
    brake = Brake(redis.port, word, times)
    child = subprocess.Popen([PROGRAM, "admin", "--data-dir", str(new.data), "migrate", "--from",
                              f"redis://127.0.0.1:{brake.port}", "--base-difficulty", BASE],
                             stderr=subprocess.DEVNULL)
    assert brake.stopped.wait(PATIENCE)
    child.send_signal(signal.SIGKILL)
    child.wait(PATIENCE)
    for table in ("services", "clients", "openings", "works", "audit"):
        assert select(new, f"SELECT count(*) FROM {table}") == [(0,)]
    report, _ = migrate(new, redis)
    assert report["services"] == tally(2) and report["clients"] == tally(2)
    assert report["totals"] == tally(1) and report["works"] == tally(1)
    new.start()
    assert new.statistics()["work"]["precache"] == 93512


def test_a_redis_that_dies_in_the_middle_leaves_nothing(redis, new):
    fill(redis)
    brake = Brake(redis.port, b"stats:precache", 0)
    child = subprocess.Popen([PROGRAM, "admin", "--data-dir", str(new.data), "migrate", "--from",
                              f"redis://127.0.0.1:{brake.port}"],
                             stderr=subprocess.PIPE, text=True)
    assert brake.stopped.wait(PATIENCE)
    brake.connection.shutdown(socket.SHUT_RDWR)
    told = child.communicate(timeout=PATIENCE)[1]
    assert child.returncode == 1 and "connection is lost" in told
    assert select(new, "SELECT count(*) FROM services") == [(0,)]
