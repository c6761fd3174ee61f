"""What an operator does with a hub, running or stopped."""

import asyncio
import concurrent.futures
import json
import os
import sqlite3
import stat
import threading

import pytest
import websockets
from conftest import (ACCOUNT, BASE, OTHER_ACCOUNT, Client, Hub, IndependentWorker, find_work,
                      random_hash, wait_until, work_value)


def run(hub, *words):
    """The result of a command that must succeed."""
    done = hub.admin("--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fails(hub, *words):
    done = hub.admin(*words)
    assert done.returncode in (1, 2) and done.stdout == "", done
    return done.stderr


def credits(hub, name="service"):
    return run(hub, "service", "show", name)["credits"]


def check(hub):
    """Every total equals the sum of the rows that were only ever added."""
    assert run(hub, "check") == []


@pytest.fixture
def worked(hub):
    worker = IndependentWorker(hub)
    yield hub
    worker.close()


def test_a_work_costs_one_credit_and_the_same_work_again_none(worked):
    worked.add_service("service", "--credits", "3")
    root = random_hash()
    for _ in range(3):
        assert "work" in worked.ask(root)
    assert credits(worked) == 2
    assert "work" in worked.ask(random_hash())
    assert "work" in worked.ask(random_hash())
    assert credits(worked) == 0
    assert worked.ask(random_hash()) == {"error": "No credits left"}
    assert "work" in worked.ask(root), "what is paid for stays paid for"
    shown = run(worked, "service", "show", "service")
    assert shown["credits_granted"] == shown["credits_used"] + shown["credits"] == 3
    assert (shown["precache"], shown["ondemand"]) == (3, 3)
    check(worked)


def test_a_cached_work_costs_a_credit_the_first_time_and_none_left_refuses_it(worked):
    worked.add_service("free")
    worked.add_service("service", "--credits", "1")
    first, second = random_hash(), random_hash()
    for root in (first, second):
        assert "work" in worked.ask(root, user="free")
    assert "work" in worked.ask(first)
    assert credits(worked) == 0
    assert worked.ask(second) == {"error": "No credits left"}
    check(worked)


def test_errors_and_time_outs_cost_nothing(hub):
    hub.add_service("service", "--credits", "2")
    assert hub.ask(random_hash(), timeout=1)["timeout"] is True
    assert "error" in hub.ask("nonsense")
    assert credits(hub) == 2
    check(hub)


def test_concurrent_requests_never_overdraw(worked):
    worked.add_service("service", "--credits", "25")

    def ask(_):
        return worked.ask(random_hash(), timeout=20)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(100)))
    given = [answer for answer in answers if "work" in answer]
    refused = [answer for answer in answers if answer == {"error": "No credits left"}]
    assert len(given) + len(refused) == 100
    assert len(given) + credits(worked) == 25
    while "work" in worked.ask(random_hash()):
        pass
    assert credits(worked) == 0
    check(worked)


def test_credits_survive_a_kill_and_are_never_lost_or_made(worked):
    worked.add_service("service", "--credits", "1000")
    given = []
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            try:
                if "work" in worked.ask(random_hash(), timeout=20):
                    given.append(1)
            except OSError:
                return

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(given) > 50, "some works")
    worked.kill()
    stop.set()
    for thread in threads:
        thread.join()
    shown = run(worked, "service", "show", "service")
    # What was told was paid for; the kill may have come between payment and telling.
    assert len(given) <= 1000 - shown["credits"] <= len(given) + len(threads)
    check(worked)
    worked.restart_after_kill()
    assert credits(worked) == shown["credits"]


def test_the_credit_account_has_its_lines(hub):
    hub.add_service("service", "--credits", "5")
    assert run(hub, "credit", "add", "service", "10", "--note", "invoice 17")["credits"] == 15
    assert run(hub, "credit", "add", "service", "2", "--kind", "granted")["credits"] == 17
    assert run(hub, "credit", "add", "service", "--kind", "corrected", "--", "-7")["credits"] == 10
    lines = run(hub, "credit", "list", "service")
    assert [(line["kind"], line["amount"], line["note"]) for line in lines] == [
        ("corrected", -7, ""), ("granted", 2, ""), ("bought", 10, "invoice 17"),
        ("granted", 5, "at the start")]
    assert "0" in fails(hub, "credit", "add", "service", "--kind", "corrected", "--", "-11")
    for words in [["0"], ["-1"], ["1.5"], ["x"], ["99999999999999999999"]]:
        assert "amount" in fails(hub, "credit", "add", "service", "--", *words).lower()
    assert "no service" in fails(hub, "credit", "add", "nobody", "1")
    assert run(hub, "service", "show", "service")["credits"] == 10
    assert len(run(hub, "credit", "list", "--limit", "2")) == 2
    check(hub)


def test_a_service_can_be_limited_and_made_unlimited_again(worked):
    worked.add_service("service")
    assert credits(worked) == "unlimited"
    run(worked, "service", "edit", "service", "--limited")
    assert worked.ask(random_hash()) == {"error": "No credits left"}
    run(worked, "service", "edit", "service", "--unlimited")
    assert "work" in worked.ask(random_hash())
    check(worked)


def test_a_ban_ends_what_waits_on_open_connections_at_once(hub):
    hub.add_service("service")
    hub.add_service("other")
    observer = Client(hub, subscribe=["work/#", "cancel/#"])

    async def scene():
        async with websockets.connect(f"ws://127.0.0.1:{hub.port}/service_ws/") as socket:
            await socket.send(json.dumps(hub.request(random_hash(), timeout=30, id=1)))
            await asyncio.to_thread(observer.next, "work/ondemand")
            await asyncio.to_thread(run, hub, "service", "ban", "service", "--reason", "spam")
            assert json.loads(await socket.recv()) == {"error": "Service suspended", "id": 1}
            await asyncio.to_thread(observer.next, "cancel/ondemand")
            await socket.send(json.dumps(hub.request(random_hash(), id=2)))
            assert json.loads(await socket.recv()) == {"error": "Service suspended", "id": 2}
            await asyncio.to_thread(run, hub, "service", "unban", "service")
            await socket.send(json.dumps(hub.request(random_hash(), id=3, timeout=1)))
            assert json.loads(await socket.recv())["timeout"] is True

    asyncio.run(scene())
    assert hub.ask(random_hash(), user="other", timeout=1)["timeout"] is True
    observer.close()


def test_a_ban_has_a_reason_and_an_end_and_survives_a_restart(hub):
    hub.add_service("service")
    run(hub, "service", "ban", "service", "--reason", "unpaid", "--for", "2")
    shown = run(hub, "service", "show", "service")
    assert shown["banned"] is True and shown["ban_reason"] == "unpaid"
    assert shown["banned_until"].endswith("Z")
    assert hub.ask(random_hash()) == {"error": "Service suspended"}
    hub.kill()
    hub.restart_after_kill()
    wait_until(lambda: hub.ask(random_hash(), timeout=1) != {"error": "Service suspended"},
               "the end of the ban")
    assert run(hub, "service", "show", "service")["banned"] is False


def test_problems_have_their_status_for_those_who_ask(hub):
    hub.add_service("service", "--credits", "0")
    for words, status, title in [([], 402, "Payment Required"),
                                 (["service", "ban", "service"], 403, "Forbidden")]:
        if words:
            run(hub, *words)
        import urllib.error
        import urllib.request
        request = urllib.request.Request(
            hub.http + "/service/", data=json.dumps(hub.request(random_hash(), id=7)).encode(),
            headers={"Accept": "application/problem+json"})
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        assert raised.value.code == status
        assert raised.value.headers["Content-Type"].startswith("application/problem+json")
        problem = json.loads(raised.value.read())
        assert problem["status"] == status and problem["title"] == title
        assert problem["type"] == "about:blank" and problem["id"] == 7 and problem["error"]


def test_a_rotated_key_works_beside_the_new_one_until_the_overlap_ends(worked):
    old = worked.add_service("service")
    assert "work" in worked.ask(random_hash())
    new = run(worked, "service", "rotate-key", "service", "--overlap", "3")["api_key"]
    assert new != old
    for key in (old, new):
        worked.keys["service"] = key
        assert "work" in worked.ask(random_hash())
    worked.keys["service"] = old
    wait_until(lambda: worked.ask(random_hash()) == {"error": "Invalid credentials"},
               "the end of the old key")
    worked.keys["service"] = new
    assert "work" in worked.ask(random_hash())
    last = run(worked, "service", "rotate-key", "service", "--overlap", "0")["api_key"]
    assert worked.ask(random_hash()) == {"error": "Invalid credentials"}
    worked.kill()
    worked.restart_after_kill()
    assert worked.ask(random_hash(), timeout=1) == {"error": "Invalid credentials"}
    worked.keys["service"] = last
    wait_until(lambda: "work" in worked.ask(random_hash()), "the worker's return")


def test_a_removed_service_is_gone_and_its_name_is_free(worked):
    worked.add_service("service", "--public")
    assert "work" in worked.ask(random_hash())
    run(worked, "service", "remove", "service")
    assert worked.ask(random_hash()) == {"error": "Invalid credentials"}
    assert run(worked, "service", "list") == []
    assert worked.statistics()["services"]["public"] == []
    worked.add_service("service")
    assert "work" in worked.ask(random_hash())
    check(worked)


def test_a_waiting_request_of_a_removed_service_is_told(hub):
    hub.add_service("service")
    observer = Client(hub, subscribe=["work/#"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(hub.ask, random_hash(), timeout=30)
        observer.next("work/ondemand")
        run(hub, "service", "remove", "service")
        assert answer.result(timeout=10) == {"error": "Invalid credentials"}
    observer.close()


def test_edits_take_effect_and_last(hub):
    hub.add_service("service")
    run(hub, "service", "edit", "service", "--display", "Näme", "--website", "https://a.b",
        "--contact", "me@a.b", "--rate", "7.5", "--weight", "2", "--public", "--terms",
        "--precache", "used", "--precache-receive", "on", "--precache-accounts", "5",
        "--precache-per-hour", "6", "--precache-period", "7")

    def expect():
        shown = run(hub, "service", "show", "service")
        for name, value in {"display": "Näme", "website": "https://a.b", "contact": "me@a.b",
                            "rate": 7.5, "weight": 2, "public": True, "precache_mode": "used",
                            "precache_receive": True, "precache_accounts": 5,
                            "precache_per_hour": 6, "precache_period": 7}.items():
            assert shown[name] == value, name
        assert shown["terms_accepted"].endswith("Z")

    expect()
    hub.kill()
    expect()
    hub.restart_after_kill()
    expect()
    assert "me@a.b" not in json.dumps(hub.statistics())


@pytest.mark.parametrize("words, reason", [
    (["--website", "javascript:alert(1)"], "website"), (["--display", "x" * 129], "display"),
    (["--rate", "0"], "rate"), (["--weight", "101"], "weight"),
    (["--precache-accounts", "1000001"], "precache-accounts"), (["--precache", "no"], "precache"),
    (["--public", "--private"], "exclude"), (["--limited", "--unlimited"], "exclude")])
def test_a_bad_edit_changes_nothing_and_says_what_is_wrong(service, words, reason):
    before = run(service, "service", "show", "service")
    assert reason in fails(service, "service", "edit", "service", *words)
    assert run(service, "service", "show", "service") == before


def test_a_banned_account_earns_nothing_more(service):
    worker = IndependentWorker(service)
    assert "work" in service.ask(random_hash())
    run(service, "client", "ban", ACCOUNT, "--reason", "wrong works")
    assert service.ask(random_hash(), timeout=1).get("timeout") is True
    shown = run(service, "client", "show", ACCOUNT)
    assert shown["ondemand"] == 1 and shown["banned"] is True
    assert shown["ban_reason"] == "wrong works" and shown["hashes_ondemand"] == 16
    worker.account = OTHER_ACCOUNT
    assert "work" in service.ask(random_hash())
    run(service, "client", "unban", ACCOUNT)
    worker.account = ACCOUNT
    assert "work" in service.ask(random_hash())
    listed = run(service, "client", "list")
    assert [(c["account"], c["ondemand"]) for c in listed] == [(ACCOUNT, 2), (OTHER_ACCOUNT, 1)]
    assert "checksum" in fails(service, "client", "ban", ACCOUNT[:-1] + "8")
    assert "rewarded" in fails(service, "client", "show",
                               "nano_1111111111111111111111111111111111111111111111111111hifc8npp")
    worker.close()
    check(service)


def test_invalid_results_are_counted_for_an_account_that_is_known(service):
    worker = IndependentWorker(service)
    assert "work" in service.ask(random_hash())
    worker.close()
    sender = Client(service, client_id="w-sender", subscribe=["work/#"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.ask, random_hash(), timeout=30)
        root = sender.next("work/ondemand")[1].split(",")[0]
        weak = [f"{n:016x}" for n in range(100) if work_value(f"{n:016x}", root) < int(BASE, 16)]
        for account in (ACCOUNT, OTHER_ACCOUNT, "nonsense"):
            for work in weak[:5]:
                sender.publish("result/ondemand", f"{root},{work},{account}")
        sender.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
        assert "work" in answer.result(timeout=30)
    wait_until(lambda: run(service, "client", "show", ACCOUNT)["invalid"] == 5, "the count")
    assert [client["account"] for client in run(service, "client", "list")] == [ACCOUNT]
    sender.close()


def test_the_audit_log_names_who_did_what_and_no_secret(hub):
    key = hub.add_service("service")
    run(hub, "service", "ban", "service", "--reason", "x")
    rotated = run(hub, "service", "rotate-key", "service")["api_key"]
    fails(hub, "service", "ban", "nobody")
    run(hub, "service", "list")
    lines = run(hub, "audit")
    assert [json.loads(line["command"])["command"] for line in lines] == [
        "service rotate-key", "service ban", "service add"]
    assert all(line["actor"] and line["time"].endswith("Z") for line in lines)
    everything = json.dumps(lines) + hub.log()
    assert key not in everything and rotated not in everything


def test_a_backup_of_a_busy_hub_is_whole_and_can_be_used(worked, tmp_path):
    worked.add_service("service", "--credits", "100000")
    stop = threading.Event()
    given = []

    def ask():
        while not stop.is_set():
            if "work" in worked.ask(random_hash(), timeout=20):
                given.append(1)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: len(given) > 20, "some works")
    copy = tmp_path / "copy.db"
    before = len(given)
    done = worked.admin("backup", str(copy))
    assert done.returncode == 0, done.stderr
    stop.set()
    thread.join()
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    with sqlite3.connect(copy) as database:
        used = database.execute("SELECT sum(used) FROM answers").fetchone()[0]
    assert before <= used <= len(given) + 1
    other = Hub(tmp_path / "other")
    (tmp_path / "other" / "hub").mkdir(parents=True)
    copy.rename(tmp_path / "other" / "hub" / "dpow.db")
    assert run(other, "service", "show", "service")["credits"] == 100000 - used
    check(other)


def test_a_backup_never_overwrites_and_says_why_it_failed(hub, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    assert "exists already" in fails(hub, "backup", str(copy))
    assert copy.read_text() == "mine"
    assert "cannot" in fails(hub, "backup", str(tmp_path / "none" / "copy.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "hub", "hub.log"]


def test_the_check_finds_what_was_changed_by_other_hands(worked):
    worked.add_service("service", "--credits", "10")
    assert "work" in worked.ask(random_hash())
    check(worked)
    worked.stop()
    for change, words in [
            ("UPDATE services SET credits = credits + 1", "10 credits instead of 9"),
            ("UPDATE service_counts SET answered = 7", "answers counted"),
            ("UPDATE clients SET ondemand = 5", "works counted"),
            ("UPDATE clients SET hashes_ondemand = 5", "hashes counted"),
            ("UPDATE totals SET rewarded = 9 WHERE type = 1", "the pool has 9"),
            ("DELETE FROM clients", "is no client")]:
        with sqlite3.connect(worked.data / "dpow.db") as database:
            database.execute("SAVEPOINT before")
            database.execute(change)
        done = worked.admin("check")
        assert done.returncode == 1 and words in done.stdout, done
        with sqlite3.connect(worked.data / "dpow.db") as database:
            restore(database)
    check(worked)
    worked.start()


def restore(database):
    database.execute("UPDATE services SET credits = 9")
    database.execute("UPDATE service_counts SET answered = 1 WHERE type = 1")
    database.execute("INSERT OR IGNORE INTO clients (account, precache, ondemand, last_ms)"
                     " SELECT account, 0, 1, rewarded_ms FROM rewards")
    database.execute("UPDATE clients SET ondemand = 1, hashes_ondemand = 16")
    database.execute("UPDATE totals SET rewarded = 1 WHERE type = 1")


def test_commands_work_on_a_stopped_hub_too(worked):
    worked.add_service("service")
    assert "work" in worked.ask(random_hash())
    worked.stop()
    run(worked, "service", "edit", "service", "--limited")
    assert run(worked, "credit", "add", "service", "5")["credits"] == 5
    new = run(worked, "service", "rotate-key", "service", "--overlap", "0")["api_key"]
    run(worked, "client", "ban", OTHER_ACCOUNT)
    assert json.loads(worked.admin("stats", "--json").stdout)["work"]["ondemand"] == 1
    worked.start()
    assert worked.ask(random_hash()) == {"error": "Invalid credentials"}
    worked.keys["service"] = new
    worker = IndependentWorker(worked)
    assert "work" in worked.ask(random_hash())
    assert credits(worked) == 4
    worker.close()


def test_people_get_tables_that_cannot_drive_their_terminal(hub):
    hub.add_service("service", "--display", "\x1b[2Jred\x07")
    hub.add_service("wide", "--display", "\x9b2Jblå")
    shown = hub.admin("service", "list").stdout
    assert "\x1b" not in shown and "\x07" not in shown and "?[2Jred?" in shown
    assert "\x9b" not in shown and "??2Jblå" in shown
    assert shown.splitlines()[0].split()[:3] == ["service", "display", "website"]
    assert hub.admin("client", "list").stdout == "(none)\n"


def test_hostile_requests_on_the_control_socket_do_no_harm(service):
    import socket
    for data in [b"\n", b"{}\n", b"[]\n", b"x" * 9000, b'{"command":1}\n', b'{"command":"x"}\n',
                 b'{"command":"service add"}\n', b'{"command":"service ban","name":"\xff"}\n',
                 b'{"command":"credit add","name":"service","amount":1e400}\n',
                 b'{"command":"client list","limit":1e9}\n',
                 b'{"command":"service edit","name":"service","precache_accounts":-1}\n']:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(service.data / "control.sock"))
            connection.sendall(data)
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
        assert answer == b"" or "error" in json.loads(answer)
    assert run(service, "service", "show", "service")["service"] == "service"


def test_work_is_recorded_with_its_difficulty(service):
    worker = Client(service, subscribe=["work/#", f"client/{ACCOUNT}"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.ask, random_hash(), multiplier=4, timeout=30)
        root, difficulty = worker.next("work/ondemand")[1].split(",")
        assert work_value(find_work(root, int(difficulty, 16)), root) >= int(BASE, 16)
        worker.publish("result/ondemand", f"{root},{find_work(root, int(difficulty, 16))},{ACCOUNT}")
        assert "work" in answer.result(timeout=30)
    assert json.loads(worker.next(f"client/{ACCOUNT}")[1])["ondemand"] == 1
    assert run(service, "client", "show", ACCOUNT)["hashes_ondemand"] == 64
    worker.close()
    check(service)
