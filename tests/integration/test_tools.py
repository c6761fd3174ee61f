"""The tools that need no hub: pow, bench, devices, and what every command has in common."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("DPOW_PROGRAM", str(ROOT / "build" / "dpow"))
HASH = "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2"
WORK = "2b3d689bbcb21dca"


def run(*arguments, **options):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("DPOW_POW_", "DPOW_BENCH_", "DPOW_DEVICES_"))}
    environment.update(options.pop("environment", {}))
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120,
                          env=environment, **options)


def result(*arguments, **options):
    done = run(*arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def value_of(work, root):
    nonce = bytes.fromhex(work)[::-1]
    digest = hashlib.blake2b(nonce + bytes.fromhex(root), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@pytest.mark.parametrize("arguments,threshold", [
    (["--class", "receive"], 0xFFFFFE0000000000),
    (["--network", "dev"], 0xFFC0000000000000),
    (["--network", "dev", "--class", "receive"], 0xF000000000000000),
    (["--difficulty", "FFFF000000000000"], 0xFFFF000000000000),
    (["--multiplier", "0.015625"], 0xFFFFFE0000000000),
    (["--network", "dev", "--multiplier", "2"], 0xFFE0000000000000),
])
def test_found_work_reaches_the_threshold(arguments, threshold):
    found = result("pow", HASH.lower(), *arguments)
    assert set(found) == {"work", "hash", "difficulty", "value", "multiplier", "seconds",
                          "hashes", "rate"}
    assert found["hash"] == HASH
    assert found["difficulty"] == f"{threshold:016x}"
    assert int(found["value"], 16) == value_of(found["work"], HASH) >= threshold
    assert found["seconds"] >= 0 and found["hashes"] >= 1


def test_the_multiplier_is_that_of_the_value():
    found = result("pow", HASH, "--network", "dev")
    value = int(found["value"], 16)
    expected = (2**64 - 0xFFC0000000000000) / (2**64 - value)
    assert found["multiplier"] == pytest.approx(expected)


@pytest.mark.parametrize("arguments,status", [
    ([WORK, HASH], 0),
    ([WORK.upper(), HASH.lower()], 0),
    ([WORK, HASH, "--difficulty", "fffffff93c41ec94"], 0),
    ([WORK, HASH, "--difficulty", "fffffff93c41ec95"], 1),
    (["2bf29ef00786a6bc", HASH], 1),
    (["2bf29ef00786a6bc", HASH, "--class", "receive"], 0),
])
def test_validation_exits_0_for_valid_work_and_1_for_other(arguments, status):
    done = run("pow", "--validate", *arguments, "--json")
    assert done.returncode == status
    told = json.loads(done.stdout)
    assert told["valid"] is (status == 0)
    assert int(told["value"], 16) == value_of(arguments[0], HASH)
    assert len(done.stderr.splitlines()) == status


@pytest.mark.parametrize("arguments", [
    [],
    ["zz"],
    [HASH[:-1]],
    [HASH, HASH],
    [HASH, "--difficulty", "ff"],
    [HASH, "--difficulty", "0x" + "f" * 16],
    [HASH, "--multiplier", "-1"],
    [HASH, "--multiplier", "nan"],
    [HASH, "--class", "open"],
    [HASH, "--network", "main"],
    [HASH, "--class", "send", "--multiplier", "1"],
    [HASH, "--devices", "gpu"],
    [HASH, "--devices", "cpu:0"],
    [HASH, "--no-such-option"],
    ["--validate", WORK],
    ["--validate", "not-hex", HASH],
])
def test_wrong_usage_exits_2_with_one_line_that_leads_to_help(arguments):
    done = run("pow", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "--help" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_exits_130(number):
    arguments = [PROGRAM, "pow", HASH, "--devices", "cpu", "--difficulty", "f" * 16]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_threads(process.pid)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert output == b""


def wait_for_threads(pid):
    """Waits until the search's threads exist: by then the signals are blocked."""
    deadline = time.monotonic() + 30
    while len(os.listdir(f"/proc/{pid}/task")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_bench_measures_every_device_with_the_kernel_asked_for():
    done = run("bench", "engine", "--devices", "cpu:1,cpu:2", "--kernel", "portable", "--seconds",
               "0.5", "--json")
    assert done.returncode == 0, done.stderr
    devices = [json.loads(line) for line in done.stdout.splitlines()]
    assert [device["threads"] for device in devices] == [1, 2]
    for device in devices:
        assert device["device"] == "cpu" and device["kernel"] == "portable"
        assert device["rate"] > 0
        assert device["per_thread"] == pytest.approx(device["rate"] / device["threads"])


def test_devices_lists_the_processor_and_its_kernels():
    devices = result("devices")
    device = devices["devices"][0]
    assert device["device"] == "cpu" and device["model"]
    assert device["threads"] == len(os.sched_getaffinity(0))
    assert device["variant"] in device["kernels"] and device["variant"].startswith(device["kernel"])
    assert device["kernels"][-1] == "portable"


def test_devices_says_what_auto_uses_and_why():
    devices = result("devices")
    opencl = [d for d in devices["devices"] if d["device"].startswith("opencl:")]
    assert opencl and all(d["driver"] and d["memory_bytes"] > 0 for d in opencl)
    assert any(d["auto"] for d in devices["devices"])
    assert all(d["why"] for d in devices["devices"] + devices["missing"])


def test_work_is_found_by_opencl_and_its_kernel_is_kept(tmp_path):
    environment = {"CACHE_DIRECTORY": str(tmp_path / "cache"), "POCL_CACHE_DIR": str(tmp_path)}
    found = result("pow", HASH, "--network", "dev", "--devices", "opencl", environment=environment)
    assert value_of(found["work"], HASH) >= int(found["difficulty"], 16)
    kept = sorted(os.listdir(tmp_path / "cache"))
    assert [name.split(".")[1] for name in kept] == ["bin", "size"]


def test_options_come_from_file_environment_and_command_line_and_the_later_wins(tmp_path):
    config = tmp_path / "dpow.conf"
    config.write_text("[pow]\nnetwork = dev\nclass = receive\n")
    assert result("pow", HASH, "--config", config)["difficulty"] == "f000000000000000"
    environment = {"DPOW_POW_CLASS": "send", "DPOW_POW_CONFIG": str(config)}
    assert result("pow", HASH, environment=environment)["difficulty"] == "ffc0000000000000"
    assert result("pow", HASH, "--class", "receive",
                  environment=environment)["difficulty"] == "f000000000000000"


@pytest.mark.parametrize("content,line", [
    ("[pow]\nnetwrok = dev\n", 2),
    ("[pwo]\n", 1),
    ("network = dev\n", 1),
    ("[hub]\nno-such-key = 1\n", 2),
    ("[pow]\n\nnetwork = main\n", 3),
])
def test_a_wrong_configuration_is_named_by_file_and_line(tmp_path, content, line):
    config = tmp_path / "dpow.conf"
    config.write_text(content)
    done = run("pow", HASH, "--config", config)
    assert done.returncode == 2
    assert f"{config}:{line}: " in done.stderr


def test_without_a_command_the_commands_are_listed():
    for arguments in [], ["--help"]:
        done = run(*arguments)
        assert done.returncode == 0
        for command in "hub", "worker", "admin", "pow", "bench", "devices":
            assert f"\n  {command} " in done.stdout


def test_an_unknown_command_exits_2_and_names_the_nearest():
    done = run("wroker")
    assert done.returncode == 2
    assert "did you mean worker?" in done.stderr


def test_a_result_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([PROGRAM, "devices"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
