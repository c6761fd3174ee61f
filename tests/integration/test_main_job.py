"""A service asks, a worker finds real work, the service gets it."""

import asyncio
import json
import socket
import subprocess
import time

import pytest
import websockets
from conftest import (ACCOUNT, BASE, OTHER_ACCOUNT, PROGRAM, Client, Hub, IndependentWorker,
                      Process, find_work, random_hash, wait_until, work_value)


def start_worker(hub, folder, *words, account=ACCOUNT):
    return Process("worker", "--hub", f"mqtt://client:client@127.0.0.1:{hub.mqtt_port}",
                   "--account", account, "--data-dir", str(folder), *words,
                   log=folder / "worker.log")


def test_the_native_worker_answers_a_post(service, tmp_path):
    worker = start_worker(service, tmp_path)
    root = random_hash()
    answer = service.ask(root.lower(), timeout=30, id="x")
    assert answer == {"work": answer["work"], "hash": root, "id": "x"}
    assert len(answer["work"]) == 16 and answer["work"] == answer["work"].lower()
    assert work_value(answer["work"], root) >= int(BASE, 16)
    assert worker.stop() == 0
    assert "Sanitizer" not in worker.log.read_text()


def test_an_independent_worker_is_paid_for_what_an_independent_service_gets(service):
    worker = IndependentWorker(service)
    root = random_hash()
    answer = service.ask(root)
    assert work_value(answer["work"], root) >= int(BASE, 16)
    topic, payload, _, _ = worker.next(f"client/{ACCOUNT}")
    assert topic == f"client/{ACCOUNT}"
    assert json.loads(payload) == {"ondemand": 1, "block_rewarded": root}
    worker.close()


def test_a_worker_over_websocket_works_too(service):
    worker = IndependentWorker(service, websocket=True)
    root = random_hash()
    assert work_value(service.ask(root)["work"], root) >= int(BASE, 16)
    worker.close()


def test_every_message_is_as_the_protocol_says(service):
    key = (service.data / "broker" / "dashboard-password").read_text()
    observer = Client(service, "dpowinterface", key,
                      subscribe=["work/#", "cancel/#", "result/#", "client/#", "heartbeat",
                                 "statistics"])
    worker = IndependentWorker(service)
    root = random_hash()
    work = service.ask(root)["work"]
    seen = {}
    while len(seen) < 5:
        topic, payload, qos, retained = observer.next()
        assert qos == 0 and not retained, topic
        seen[topic] = payload
    assert seen["work/ondemand"] == f"{root},{BASE}"
    assert seen["result/ondemand"] == f"{root},{work},{ACCOUNT}"
    assert seen["cancel/ondemand"] == root
    assert json.loads(seen[f"client/{ACCOUNT}"]) == {"ondemand": 1, "block_rewarded": root}
    assert seen["heartbeat"] == ""
    worker.close()
    observer.close()


def test_the_first_valid_result_wins_and_the_others_are_cancelled(service):
    first = Client(service, subscribe=["work/#", "cancel/#", f"client/{ACCOUNT}"])
    second = Client(service, subscribe=["cancel/#", f"client/{OTHER_ACCOUNT}"])
    root = random_hash()

    def ask():
        return subprocess.Popen(
            ["curl", "-s", "-m", "40", service.http + "/service/", "-d",
             json.dumps(service.request(root, timeout=30))], stdout=subprocess.PIPE, text=True)

    service_call = ask()
    assert first.next("work/ondemand")[1] == f"{root},{BASE}"
    good = find_work(root, int(BASE, 16))
    other = find_work(root, int(BASE, 16))
    weak = next(f"{n:016x}" for n in range(1000) if work_value(f"{n:016x}", root) < int(BASE, 16))
    first.publish("result/ondemand", f"{root},{weak},{ACCOUNT}")
    first.publish("result/ondemand", f"{root},{good}")
    first.publish("result/ondemand", "nonsense")
    first.publish("result/ondemand", f"{root},{good},{ACCOUNT}")
    assert second.next("cancel/ondemand")[1] == root
    second.publish("result/precache", f"{root},{other},{OTHER_ACCOUNT}")
    assert json.loads(service_call.communicate(timeout=30)[0])["work"] == good
    assert json.loads(first.next(f"client/{ACCOUNT}")[1])["ondemand"] == 1
    assert service.ask(root)["work"] == good  # from the cache
    statistics = service.statistics()
    assert statistics["work"] == {"precache": 0, "ondemand": 1}
    assert statistics["services"]["private"] == {"count": 1, "precache": 1, "ondemand": 1}
    first.close()
    second.close()


def test_a_mistyped_account_is_told_and_not_rewarded(service):
    wrong = ACCOUNT[:-1] + "8"
    listener = Client(service, subscribe=[f"client/{wrong}"])
    worker = IndependentWorker(service, account=wrong)
    service.ask(random_hash())
    assert json.loads(listener.next()[1]) == {
        "error": f"Work accepted but account {wrong} is invalid"}
    assert service.statistics()["work"]["ondemand"] == 0
    for hostile in ["#", "a/b", "", "x" * 300, "client/+"]:
        worker.account = hostile
        service.ask(random_hash())
    assert service.get("/api/health")[0] == 200
    worker.close()
    listener.close()


def test_waiters_of_one_hash_each_get_what_they_asked_for(service):
    worker = Client(service, subscribe=["work/#", "cancel/#"])
    root = random_hash()
    bodies = [service.request(root, timeout=30, id=n, multiplier=m) for n, m in
              enumerate([1, 4, 2])]

    async def run():
        url = service.http.replace("http", "ws") + "/service_ws/"
        async with websockets.connect(url) as socket:
            for body in bodies:
                await socket.send(json.dumps(body))
            loop = asyncio.get_running_loop()
            assert (await loop.run_in_executor(None, worker.next))[1] == f"{root},{BASE}"
            assert (await loop.run_in_executor(None, worker.next))[0] == "cancel/ondemand"
            raised = (await loop.run_in_executor(None, worker.next))[1].split(",")[1]
            assert raised == "fc00000000000000"
            low = find_between(root, 0xf000000000000000, 0xf800000000000000)
            worker.publish("result/ondemand", f"{root},{low},{ACCOUNT}")
            first = json.loads(await socket.recv())
            assert first == {"work": low, "hash": root, "id": 0}
            high = find_work(root, 0xfc00000000000000)
            worker.publish("result/ondemand", f"{root},{high},{ACCOUNT}")
            rest = [json.loads(await socket.recv()) for _ in range(2)]
            assert {answer["id"] for answer in rest} == {1, 2}
            assert all(answer["work"] == high for answer in rest)

    asyncio.run(run())
    worker.close()


def find_between(root, low, high):
    while True:
        work = find_work(root, low)
        if work_value(work, root) < high:
            return work


def test_the_raised_threshold_reaches_the_native_worker(service, tmp_path):
    worker = start_worker(service, tmp_path)
    roots = [random_hash() for _ in range(20)]

    async def run():
        url = service.http.replace("http", "ws") + "/service_ws"
        async with websockets.connect(url) as socket:
            for number, root in enumerate(roots):
                for multiplier in (1, 4):
                    await socket.send(json.dumps(service.request(
                        root, timeout=30, id=[number, multiplier], multiplier=multiplier)))
            for _ in range(2 * len(roots)):
                answer = json.loads(await socket.recv())
                number, multiplier = answer["id"]
                threshold = 0xf000000000000000 if multiplier == 1 else 0xfc00000000000000
                assert answer["hash"] == roots[number]
                assert work_value(answer["work"], roots[number]) >= threshold

    asyncio.run(run())
    worker.stop()


def test_a_time_out_comes_at_its_second_and_cancels(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    root = random_hash()
    begin = time.monotonic()
    answer = service.ask(root, timeout=1, id=None)
    seconds = time.monotonic() - begin
    assert answer == {"error": "Timeout reached without work", "timeout": True, "id": None}
    assert 1 <= seconds < 1.5
    assert observer.next()[:2] == ("work/ondemand", f"{root},{BASE}")
    assert observer.next()[:2] == ("cancel/ondemand", root)
    observer.close()


def test_a_caller_that_hangs_up_cancels_the_search(service):
    observer = Client(service, subscribe=["work/#", "cancel/#"])
    call = subprocess.Popen(
        ["curl", "-s", service.http + "/service/", "-d",
         json.dumps(service.request(random_hash(), timeout=30))])
    assert observer.next()[0] == "work/ondemand"
    call.kill()
    call.wait()
    assert observer.next("cancel/ondemand")
    observer.close()


def test_the_statistics_name_public_services_only(service):
    service.add_service("public", "--public", "--display", "<b>\"é", "--website",
                        "https://example.org")
    worker = IndependentWorker(service)
    service.ask(random_hash(), user="public")
    worker.close()
    statistics = service.statistics()
    assert statistics["services"] == {
        "public": [{"display": "<b>\"é", "website": "https://example.org", "precache": 0,
                    "ondemand": 1}],
        "private": {"count": 1, "precache": 0, "ondemand": 0}}
    assert statistics["work"] == {"precache": 0, "ondemand": 1}


def test_an_external_broker_serves_and_hears_the_statistics_at_the_start(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(configuration)],
                              stderr=subprocess.DEVNULL)
    hub = Hub(tmp_path, "--broker-file", str(tmp_path / "broker-url"))
    (tmp_path / "broker-url").write_text(f"mqtt://127.0.0.1:{port}\n")
    hub.mqtt_port = port
    wait_until(lambda: accepts(port), "the broker")
    observer = Client(hub, subscribe=["statistics"])
    hub.start()
    hub.mqtt_port = port
    told, served = json.loads(observer.next("statistics")[1]), hub.statistics()
    assert told["services"] == served["services"] and told["work"] == served["work"]
    hub.add_service("service")
    worker = IndependentWorker(hub)
    assert "work" in hub.ask(random_hash(), timeout=30)
    worker.close()
    observer.close()
    assert hub.stop() == 0
    broker.terminate()
    broker.wait(timeout=30)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("user, password, code", [
    ("client", "wrong", 5), ("dpowserver", "client", 5), ("", "", 5), ("nobody", "client", 5)])
def test_the_broker_refuses_wrong_logins(hub, user, password, code):
    client = Client(hub, user, password)
    assert client.code == code
    client.close()


def test_workers_may_do_what_the_access_list_says_and_no_more(hub):
    mine = Client(hub, client_id="w-mine", subscribe=["#", "worker/w-mine/work"])
    key = (hub.data / "broker" / "dashboard-password").read_text()
    observer = Client(hub, "dpowinterface", key, subscribe=["result/#", "work/#", "cancel/#"])
    for topic in ["work/ondemand", "cancel/ondemand", "heartbeat", "statistics", "client/x",
                  "result/other", "worker/w-other/hello", "worker/w-other/work",
                  "worker/w-mine/work"]:
        mine.publish(topic, "forged")
    observer.publish("result/ondemand", "forged")
    last = f"{random_hash()},{0:016x},last"
    mine.publish("result/ondemand", last)
    assert observer.next()[:2] == ("result/ondemand", last)
    mine.publish("worker/w-mine/hello", "{}", qos=1)
    heard = [mine.next() for _ in range(2)]
    assert all(topic in ("heartbeat", "statistics") and payload != "forged"
               for topic, payload, _, _ in heard)
    mine.close()
    observer.close()


def test_the_worker_comes_back_when_the_hub_does(service, tmp_path):
    worker = start_worker(service, tmp_path)
    assert "work" in service.ask(random_hash(), timeout=30)
    service.kill()
    service.restart_after_kill()
    assert "work" in service.ask(random_hash(), timeout=30)
    identity = (tmp_path / "worker-id").read_text().strip()
    assert identity.startswith("w-") and len(identity) == 28
    worker.stop()
    assert (tmp_path / "worker-id").read_text().strip() == identity


def test_the_worker_says_what_is_wrong_before_it_connects(tmp_path):
    def run(*words):
        return subprocess.run([PROGRAM, "worker", *words, "--data-dir", str(tmp_path)],
                              capture_output=True, text=True, timeout=30)
    hub_url = "mqtt://client:client@127.0.0.1:1"
    for account, reason in [(ACCOUNT[:-1] + "8", "checksum"), (ACCOUNT[:-1], "too short"),
                            (ACCOUNT.upper(), "nano_"), ("nano_" + "0" * 60, "0, 2, l, v")]:
        done = run("--hub", hub_url, "--account", account)
        assert done.returncode == 2 and reason in done.stderr, done.stderr
    for words, reason in [
            (["--account", ACCOUNT], "--hub"), (["--hub", hub_url], "--account"),
            (["--hub", "http://x", "--account", ACCOUNT], "mqtt://"),
            (["--hub", hub_url, "--account", ACCOUNT, "--types", "all"], "--types"),
            (["--hub", hub_url, "--account", ACCOUNT, "--devices", "gpu"], "gpu")]:
        done = run(*words)
        assert done.returncode == 2 and reason in done.stderr, done.stderr


def test_the_worker_tells_a_refused_login_from_a_dead_hub(hub, tmp_path):
    for url, reason in [(f"mqtt://client:wrong@127.0.0.1:{hub.mqtt_port}", "refused the login"),
                        ("mqtt://client:client@127.0.0.1:1", "refused")]:
        log = tmp_path / "w.log"
        log.write_text("")
        worker = Process("worker", "--hub", url, "--account", ACCOUNT, "--data-dir",
                         str(tmp_path), log=log)
        wait_until(lambda: reason in log.read_text(), reason)
        assert "wrong" not in log.read_text().replace("wrong password", "")
        worker.stop()
