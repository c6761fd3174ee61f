"""dpow bench hub: a short load on a hub, and what it says when there is none."""

import json
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import PATIENCE, PROGRAM, Hub, IndependentWorker

FIGURES = {"requests", "seconds", "requests_per_s", "errors", "timeouts", "p50_us", "p90_us",
           "p99_us", "max_us"}


@pytest.fixture
def easy_hub(tmp_path):
    """Nearly every nonce is a work."""
    hub = Hub(tmp_path, "--base-difficulty=0000000000001000", "--max-multiplier=1").start()
    hub.add_service("service", "--rate", "1000000")
    (tmp_path / "key").write_text(hub.keys["service"] + "\n", encoding="ascii")
    yield hub
    if hub.process.child.poll() is None:
        assert hub.stop() == 0, hub.log()
    assert "Sanitizer" not in hub.log(), hub.log()


def words(hub, *options, url=None, seconds=1, key=None):
    return [PROGRAM, "bench", "hub", "--url", url or hub.http, "--user", "service",
            "--api-key-file", str(key or hub.folder / "key"), "--seconds", str(seconds),
            "--log", "text", *options]


def bench(hub, *options, **more):
    return subprocess.run(words(hub, *options, **more), capture_output=True, text=True,
                          timeout=2 * PATIENCE)


def broker(hub):
    return f"mqtt://client:client@127.0.0.1:{hub.mqtt_port}"


def figures(hub, *options, more=frozenset(), **others):
    done = bench(hub, *options, "--json", **others)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) == FIGURES | more
    assert found["errors"] == found["timeouts"] == 0
    assert found["requests"] > 0
    assert found["requests_per_s"] == pytest.approx(found["requests"] / found["seconds"])
    assert 0 < found["p50_us"] <= found["p90_us"] <= found["p99_us"] <= found["max_us"]
    return found


@pytest.mark.parametrize("options", [
    [],
    ["--verify"],
    ["--ws"],
    ["--ws", "--depth", "8", "--verify"],
])
def test_cached_works_are_asked_for_again_and_again(easy_hub, options):
    found = figures(easy_hub, "--cached", "--mqtt", broker(easy_hub), "--connections", "4",
                    *options)
    assert 0.9 < found["seconds"] < 5
    assert found["requests"] > 100


@pytest.mark.parametrize("options", [[], ["--ws", "--depth", "4"]])
def test_fresh_works_come_from_the_instant_worker(easy_hub, options):
    found = figures(easy_hub, "--mqtt", broker(easy_hub), "--connections", "4", *options)
    assert found["requests"] > 10


def test_a_worker_of_the_hub_will_do_too(easy_hub):
    worker = IndependentWorker(easy_hub)
    found = figures(easy_hub, "--difficulty", "0000000000001000", "--connections", "2")
    worker.close()
    assert len(worker.solved) >= found["requests"]


def test_a_rate_is_kept(easy_hub):
    found = figures(easy_hub, "--mqtt", broker(easy_hub), "--ws", "--connections", "4", "--depth",
                    "16", "--rate", "100", more={"unsent"})
    assert 90 <= found["requests"] + found["unsent"] <= 101


def test_idle_sockets_and_the_memory_they_cost_are_told(easy_hub):
    pid = str(easy_hub.process.child.pid)
    found = figures(easy_hub, "--cached", "--mqtt", broker(easy_hub), "--connections", "1",
                    "--idle", "200", "--pid", pid,
                    more={"idle", "hub_before_kib", "hub_after_kib"})
    assert found["idle"] == 200
    assert 0 < found["hub_before_kib"] <= found["hub_after_kib"]


def test_the_text_tells_the_same(easy_hub):
    done = bench(easy_hub, "--cached", "--mqtt", broker(easy_hub), "--connections", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ requests in \d\.\d\d s, \d+ a second; 0 errors, 0 timeouts\n"
                        r"latency p50 \d+ us, p90 \d+ us, p99 \d+ us, max \d+ us\n", done.stdout)


def fails(done, *told):
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for text in told:
        assert text in done.stderr


def test_a_wrong_key_is_told_in_the_hubs_words(easy_hub, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64 + "\n", encoding="ascii")
    for options in ([], ["--ws"]):
        fails(bench(easy_hub, *options, key=wrong), "first request: Invalid credentials")


def test_a_wrong_password_of_the_broker_is_told_and_not_shown(easy_hub):
    url = f"mqtt://client:secretword@127.0.0.1:{easy_hub.mqtt_port}"
    done = bench(easy_hub, "--mqtt", url)
    fails(done, "refused the login")
    assert "secretword" not in done.stderr


def test_a_hub_that_is_not_there_is_told(easy_hub):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        fails(bench(easy_hub, url=f"http://127.0.0.1:{port}"),
              f"127.0.0.1:{port} cannot be reached: connection refused")


def test_too_hard_a_hub_for_an_instant_worker_is_told(tmp_path):
    hard = Hub(tmp_path, "--base-difficulty=fffffff800000000").start()
    hard.add_service("service")
    (hard.folder / "key").write_text(hard.keys["service"] + "\n", encoding="ascii")
    fails(bench(hard, "--mqtt", broker(hard)), "too much for an instant worker")
    assert hard.stop() == 0


@pytest.mark.parametrize("options", [[], ["--ws"]])
def test_a_hub_that_closes_is_told(easy_hub, options):
    with subprocess.Popen(words(easy_hub, "--cached", "--mqtt", broker(easy_hub), *options,
                                seconds=60),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        time.sleep(1)
        easy_hub.kill()
        _, told = child.communicate(timeout=PATIENCE)
        assert child.returncode == 1
    assert "lost" in told


def test_an_interrupt_ends_it_without_figures(easy_hub):
    with subprocess.Popen(words(easy_hub, "--cached", "--mqtt", broker(easy_hub), seconds=60),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        result, told = child.communicate(timeout=PATIENCE)
        assert (child.returncode, result) == (130, "")
    assert "interrupted" in told


@pytest.mark.parametrize("options,told", [
    (["--url", "https://127.0.0.1"], "--url must begin with http://, not https://"),
    (["--url", "http://127.0.0.1/service/"], "without a path"),
    (["--url", "127.0.0.1:5030"], "--url"),
    (["--url", "http://127.0.0.1", "--depth", "2"], "--depth needs --ws"),
    (["--url", "http://127.0.0.1", "--difficulty", "1"], "16 hexadecimal digits"),
    (["--url", "http://127.0.0.1", "--mqtt", "http://127.0.0.1"], "--mqtt must begin with mqtt://"),
    ([], "--url is missing"),
])
def test_misuse_is_told(options, told):
    done = subprocess.run([PROGRAM, "bench", "hub", "--user", "x", "--api-key", "y", *options],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert told in done.stderr
