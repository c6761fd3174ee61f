"""The original's defects (dpow.md 11): for each a test that fails where it is present.

Those that are tested elsewhere are in a table, which is checked itself.
"""

import ast
import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import queue
import re
import signal
import socket
import sqlite3
import subprocess

import pytest
import websockets
from conftest import (ACCOUNT, BASE, PATIENCE, PROGRAM, Client, Hub, Process, find_work,
                      random_hash, wait_until, work_value)
from service_peers import by_websocket_all, post, request_text, url_of

TESTS = pathlib.Path(__file__).parents[1]
DEFECTS = range(1, 36)

# Where others are tested: files under tests/, and the names of tests in them.
TESTED_ELSEWHERE = {
    1: [("unit/hub/test_core.c", "one_waiters_time_out_does_not_end_anothers_wait")],
    3: [("integration/test_main_job.py", "test_a_mistyped_account_is_told_and_not_rewarded"),
        ("integration/test_hostile.py",
         "test_malformed_results_are_dropped_and_right_ones_still_count")],
    7: [("integration/test_service_conformance.py", "test_each_field_has_its_rule")],
    9: [("unit/hub/test_core.c",
         "a_work_too_weak_is_searched_again_and_kept_for_the_modest")],
    10: [("integration/test_service_conformance.py",
          "test_workers_are_asked_for_the_live_networks_thresholds")],
    12: [("integration/test_service_conformance.py", "test_each_field_has_its_rule"),
         ("integration/test_service_conformance.py", "test_the_limits_texts_are_the_documents")],
    13: [("integration/test_main_job.py",
          "test_waiters_of_one_hash_each_get_what_they_asked_for"),
         ("integration/test_main_job.py", "test_the_raised_threshold_reaches_the_native_worker"),
         ("unit/worker/test_worker_core.c",
          "a_root_held_already_is_ignored_unless_the_threshold_rises")],
    14: [("unit/worker/test_worker_core.c",
          "the_same_root_again_after_a_cancel_is_searched_again"),
         ("unit/worker/test_worker_core.c", "in_a_random_life_searches_and_ends_pair_up"),
         ("unit/worker/test_worker_life.c", "any_life_of_a_worker_keeps_the_rules")],
    15: [("unit/worker/test_worker_core.c", "a_cancel_stops_what_runs_and_removes_what_waits"),
         ("unit/worker/test_worker_core.c", "a_result_found_while_the_cancel_came_is_not_sent")],
    17: [("integration/test_service_conformance.py",
          "test_a_later_request_may_be_answered_first"),
         ("integration/test_service_conformance.py",
          "test_two_hundred_ids_on_one_websocket_come_back_with_their_own_hash")],
    18: [("integration/test_rate.py",
          "test_what_cannot_start_within_its_time_out_is_refused_at_once"),
         ("integration/test_service_conformance.py",
          "test_the_65th_open_request_of_a_websocket_is_too_many"),
         ("integration/test_resilience.py",
          "test_a_websocket_that_never_reads_is_dropped_without_growth"),
         ("unit/hub/test_core.c", "beyond_its_capacities_the_core_says_busy"),
         ("unit/hub/test_services.c", "a_service_has_only_so_many_requests_in_hand")],
    19: [("integration/test_resilience.py",
          "test_a_killed_broker_comes_back_and_the_wait_goes_on"),
         ("integration/test_resilience.py", "test_health_tells_of_a_missing_broker")],
    21: [("integration/test_payout.py",
          "test_defect_21_killed_at_any_step_and_run_again_nobody_is_paid_twice"),
         ("integration/test_payout.py", "test_killed_at_any_moment_with_the_hub_stopped_too"),
         ("unit/store/test_payouts.c", "a_cancelled_plan_was_never_there")],
    22: [("integration/test_payout.py",
          "test_defect_22_amounts_are_exact_where_doubles_are_not"),
         ("unit/hub/test_payout_share.c", "any_budget_is_paid_exactly_in_whatever_order")],
    23: [("unit/worker/test_worker_identity.c", "an_id_lasts")],
    24: [("unit/nano/test_message.c", "only_the_protocols_topics_are_known")],
    25: [("integration/test_main_job.py",
          "test_workers_may_do_what_the_access_list_says_and_no_more"),
         ("integration/test_hostile.py",
          "test_malformed_results_are_dropped_and_right_ones_still_count")],
    26: [("unit/hub/test_credential.c", "keys_are_long_random_and_stored_salted"),
         ("integration/test_main_job.py", "test_the_broker_refuses_wrong_logins")],
    27: [("integration/test_service_conformance.py",
          "test_workers_are_asked_for_the_live_networks_thresholds")],
    28: [("integration/test_resilience.py",
          "test_whatever_was_told_before_a_kill_is_in_the_store"),
         ("unit/store/test_store.c", "what_was_told_survives_a_kill_at_any_moment")],
    30: [("integration/test_service_conformance.py", "test_what_is_no_request_is_told"),
         ("integration/test_service_conformance.py",
          "test_a_body_has_sixteen_kibibytes_and_a_message_two")],
    31: [("integration/test_service_conformance.py", "test_any_id_is_echoed_to_the_letter")],
    32: [("integration/test_main_job.py", "test_the_statistics_name_public_services_only"),
         ("integration/test_resilience.py", "test_admin_works_on_a_stopped_hub_too"),
         ("unit/hub/test_services.c", "names_rates_and_websites_have_limits")],
    33: [("integration/test_service_conformance.py", "test_a_refused_service_is_told_why")],
    35: [("integration/test_resilience.py",
          "test_a_stop_answers_what_waits_and_ends_with_zero")],
}

# Precache and its tests are made together (20 in part: the rest is below).
PRECACHE_FILE = "tests/integration/test_precache.py"
PRECACHE = {4, 5, 6}

# Made with what they are about, and why they are not here.
OTHER_ISSUES = {
    16: "waste by broadcast: measured with dispatch, which has its own tests",
}

# Nothing that a program does.
NO_BEHAVIOUR = {34: "abandoned libraries and no tests: scripts/test is the answer"}


def names_in(file):
    """The names of a file's tests: functions that Python or cmocka run."""
    text = (TESTS / file).read_text()
    if file.endswith(".py"):
        return {node.name for node in ast.parse(text).body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    return set(re.findall(r"(?:TEST|WITH_PLACE|cmocka_unit_test\w*)\(\s*(\w+)", text))


def own_tests():
    return {int(number) for number in
            re.findall(r"^def test_defect_(\d+)_", pathlib.Path(__file__).read_text(), re.M)}


@pytest.mark.parametrize("number", DEFECTS)
def test_each_defect_has_its_test(number):
    elsewhere = TESTED_ELSEWHERE.get(number, [])
    for file, name in elsewhere:
        assert name in names_in(file), f"{file}::{name} is gone"
    places = [number in own_tests() or bool(elsewhere), number in PRECACHE,
              number in OTHER_ISSUES, number in NO_BEHAVIOUR]
    assert places.count(True) == 1, PRECACHE_FILE


@contextlib.contextmanager
def asking(hub, *texts):
    """Requests by POST that are on their way; calls of the answers."""
    with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
        yield [pool.submit(lambda text=text: json.loads(post(hub, text)[2])) for text in texts]


def find_between(root, low, high):
    while True:
        work = find_work(root, low)
        if work_value(work, root) < high:
            return work


def test_defect_1_a_waiter_that_times_out_leaves_the_other_waiting(service):
    observer = Client(service, subscribe=["work/#"])
    root = random_hash()
    with asking(service, request_text(service, root, {"timeout": "1"}),
                request_text(service, root, {"timeout": "30"})) as (short, long):
        assert short.result()["timeout"] is True
        assert not long.done()
        work = find_work(root, int(BASE, 16))
        observer.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
        assert long.result() == {"work": work, "hash": root}
    private = service.statistics()["services"]["private"]
    assert private["precache"] + private["ondemand"] == 1
    observer.close()


def test_defect_2_first_requests_at_the_same_moment_share_one_search(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    for _ in range(10):
        root = random_hash()
        texts = [request_text(service, root, {"timeout": "30"}) for _ in range(12)]
        with asking(service, *texts) as calls:
            assert observer.next("work/ondemand")[1] == f"{root},{BASE}"
            work = find_work(root, int(BASE, 16))
            observer.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
            assert all(call.result() == {"work": work, "hash": root} for call in calls)
        assert observer.next()[:2] == ("cancel/ondemand", root), "published twice"
    observer.close()


def test_defect_7_a_bad_time_out_is_found_before_anything_is_done(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    for text in ["0", "31", "null", '"x"', "-1"]:
        root = random_hash()
        told = json.loads(post(service, request_text(service, root, {"timeout": text}))[2])
        assert told == {"error": "Timeout must be an integer between 1 and 30"}
        with asking(service, request_text(service, root, {"timeout": "30"})) as (call,):
            assert observer.next()[:2] == ("work/ondemand", f"{root},{BASE}")
            work = find_work(root, int(BASE, 16))
            observer.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
            assert call.result()["work"] == work
        assert observer.next()[0] == "cancel/ondemand"
    observer.close()


def test_defect_8_asking_again_after_a_time_out_is_published_again(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    root = random_hash()
    assert service.ask(root, timeout=1)["timeout"] is True
    assert observer.next()[:2] == ("work/ondemand", f"{root},{BASE}")
    assert observer.next()[:2] == ("cancel/ondemand", root)
    with asking(service, request_text(service, root, {"timeout": "30"})) as (call,):
        assert observer.next()[:2] == ("work/ondemand", f"{root},{BASE}")
        work = find_work(root, int(BASE, 16))
        observer.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
        assert call.result()["work"] == work
    observer.close()


def test_defect_9_cached_work_a_little_below_the_request_is_not_handed_out(service):
    """0.8 times the multiplier asked for was enough for the original."""
    observer = Client(service, subscribe=["work/#"])
    root = random_hash()
    asked = 2 ** 64 - 2 ** 60 // 2
    low = find_between(root, 2 ** 64 - int(2 ** 60 / 1.7), asked)
    with asking(service, request_text(service, root, {"timeout": "30"})) as (call,):
        assert observer.next()[1] == f"{root},{BASE}"
        observer.publish("result/ondemand", f"{root},{low},{ACCOUNT}")
        assert call.result()["work"] == low
    with asking(service, request_text(service, root, {"multiplier": "2"})) as (call,):
        assert observer.next()[1] == f"{root},{asked:016x}"
        high = find_work(root, asked)
        observer.publish("result/ondemand", f"{root},{high},{ACCOUNT}")
        assert call.result()["work"] == high
    observer.close()


def test_defect_11_late_low_work_is_not_accepted_for_a_high_request(service):
    observer = Client(service, subscribe=["work/#", "cancel/#", "client/#"])
    root = random_hash()
    high = 2 ** 64 - 2 ** 60 // 4
    low_work, high_work = find_between(root, int(BASE, 16), high), find_work(root, high)
    assert service.ask(root, timeout=1, multiplier=4)["timeout"] is True
    assert observer.next("cancel/ondemand")[1] == root
    observer.publish("result/ondemand", f"{root},{low_work},{ACCOUNT}")
    observer.publish("result/ondemand", f"{root},{high_work},{ACCOUNT}")
    assert json.loads(observer.next(f"client/{ACCOUNT}")[1]) == {
        "ondemand": 1, "block_rewarded": root}
    assert service.ask(root)["work"] == high_work
    assert service.statistics()["work"]["ondemand"] == 1
    observer.close()


def test_defect_19_heartbeats_and_results_come_again_after_the_broker_died(service):
    listener = Client(service, subscribe=["heartbeat", "work/#"])
    for _ in range(2):
        assert listener.next("heartbeat")
        listener.connected.clear()
        os.kill(service.children()[0], signal.SIGKILL)
        assert listener.connected.wait(PATIENCE)
        with contextlib.suppress(queue.Empty):
            while listener.messages.get_nowait():
                pass
        assert listener.next("heartbeat")
        root = random_hash()
        with asking(service, request_text(service, root, {"timeout": "30"})) as (call,):
            assert listener.next("work/ondemand")[1] == f"{root},{BASE}"
            work = find_work(root, int(BASE, 16))
            listener.publish("result/ondemand", f"{root},{work},{ACCOUNT}")
            assert call.result()["work"] == work
    listener.close()


def test_defect_20_statistics_go_on_with_records_that_lack_something(tmp_path):
    """A service without texts, without counters, and with a counter but no key."""
    hub = Hub(tmp_path)
    hub.data.mkdir()
    for name in ("bare", "keyless", "whole"):
        hub.add_service(name, "--public")
    with contextlib.closing(sqlite3.connect(hub.data / "dpow.db")) as database:
        database.execute("UPDATE services SET display = '', website = '' WHERE name = 'bare'")
        database.execute("DELETE FROM service_keys WHERE service ="
                         " (SELECT id FROM services WHERE name = 'keyless')")
        database.execute("DELETE FROM service_counts")
        database.commit()
    hub.start()
    public = hub.statistics()["services"]["public"]
    assert sorted(one["display"] for one in public) == ["", "keyless", "whole"]
    assert hub.ask(random_hash(), user="keyless") == {"error": "Invalid credentials"}
    assert hub.ask(random_hash(), user="bare", timeout=1)["timeout"] is True
    assert hub.get("/api/health")[0] == 200
    assert hub.stop() == 0


def test_defect_23_the_worker_has_a_clean_session_and_a_lasting_id(tmp_path):
    """What it says to a broker, read byte by byte (MQTT 3.1.1, 3.1)."""
    def hello():
        with socket.create_server(("127.0.0.1", 0)) as broker:
            broker.settimeout(PATIENCE)
            url = f"mqtt://client:client@127.0.0.1:{broker.getsockname()[1]}"
            worker = Process("worker", "--hub", url, "--account", ACCOUNT, "--data-dir",
                             str(tmp_path), log=tmp_path / "worker.log")
            with broker.accept()[0] as connection:
                packet = connection.recv(4096)
            worker.stop(signal.SIGKILL)
        length = 2 if packet[1] < 128 else 3
        assert packet[0] == 0x10 and packet[length:length + 7] == b"\0\4MQTT\4"
        flags, size = packet[length + 7], int.from_bytes(packet[length + 10:length + 12], "big")
        return flags & 2, packet[length + 12:length + 12 + size].decode()

    first, second = hello(), hello()
    assert first == second and first[0] == 2
    assert first[1] == (tmp_path / "worker-id").read_text().strip()


def account_with(text):
    """A right account that has a text in it."""
    alphabet = "13456789abcdefghijkmnopqrstuwxyz"

    def encode(number, digits):
        return "".join(alphabet[number >> 5 * place & 31] for place in reversed(range(digits)))

    key = sum(alphabet.index(letter) << 5 * (20 - place) for place, letter in enumerate(text))
    check = hashlib.blake2b(key.to_bytes(32, "big"), digest_size=5).digest()
    account = "nano_" + encode(key, 52) + encode(int.from_bytes(check, "little"), 8)
    assert text in account
    return account


def test_defect_24_an_account_that_contains_a_topics_name_is_an_account(service, tmp_path):
    account = account_with("work")
    listener = Client(service, subscribe=[f"client/{account}"])
    worker = Process("worker", "--hub", f"mqtt://client:client@127.0.0.1:{service.mqtt_port}",
                     "--account", account, "--data-dir", str(tmp_path), "--log-level", "debug",
                     log=tmp_path / "worker.log")
    for number in range(1, 4):
        root = random_hash()
        assert "work" in service.ask(root, timeout=30)
        assert json.loads(listener.next()[1]) == {"ondemand": number, "block_rewarded": root}
    assert worker.stop() == 0
    log = worker.log.read_text()
    assert "malformed" not in log and "warning" not in log.lower(), log
    listener.close()


def test_defect_26_keys_are_in_no_log_and_no_file_and_listeners_are_local(service):
    wrong = "F" * 64
    assert "work" not in service.ask(random_hash(), timeout=1)
    text = request_text(service, random_hash(), {"api_key": f'"{wrong}"'})
    assert json.loads(post(service, text)[2]) == {"error": "Invalid credentials"}
    for key in (service.keys["service"], wrong):
        secrets = [key.encode(), hashlib.blake2b(key.encode()).digest(),
                   hashlib.blake2b(key.encode()).hexdigest().encode(),
                   hashlib.blake2b(key.encode()).hexdigest().upper().encode()]
        for file in service.folder.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                assert not any(secret in data for secret in secrets), file
    told = subprocess.run([PROGRAM, "hub", "--help"], capture_output=True, text=True,
                          timeout=PATIENCE).stdout
    assert len(re.findall(r"127\.0\.0\.1:\d+", told)) >= 3 and "0.0.0.0" not in told


def test_defect_29_who_asks_for_what_is_in_no_log_and_no_file_of_others(service):
    root = random_hash()
    post(service, request_text(service, root, {"account": f'"{ACCOUNT}"', "timeout": "1"}))
    assert root not in service.log() and ACCOUNT not in service.log()
    assert service.data.stat().st_mode & 0o077 == 0
    for file in service.data.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_defect_30_no_answer_is_an_unknown_error(service):
    """Wrong types are the client's fault and are told as such, on both ways alike."""
    texts = [request_text(service, random_hash(), {field: value})
             for field in ("user", "api_key", "hash", "account", "multiplier", "difficulty",
                           "timeout") for value in ("[]", "{}", "true", "1e999", '"\\u0000"')]
    by_post = {post(service, text)[2] for text in texts}
    by_websocket = set(by_websocket_all(service, texts))
    assert by_post == by_websocket
    assert not any("Unknown error" in answer for answer in by_post)


def test_defect_35_a_stop_tells_who_waits_on_a_websocket_and_the_workers(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    root = random_hash()

    async def run():
        loop = asyncio.get_running_loop()
        async with websockets.connect(url_of(service)) as peer:
            await peer.send(request_text(service, root, {"timeout": "30", "id": "5"}))
            await loop.run_in_executor(None, observer.next, "work/ondemand")
            stopping = loop.run_in_executor(None, service.stop)
            assert json.loads(await peer.recv()) == {"error": "Server busy", "id": 5}
            with pytest.raises(websockets.ConnectionClosed):
                await peer.recv()
            assert peer.close_code == 1001
            assert await stopping == 0

    asyncio.run(run())
    assert observer.next("cancel/ondemand")[1] == root
    wait_until(lambda: service.process.child.poll() == 0, "the hub's end")
    observer.close()
