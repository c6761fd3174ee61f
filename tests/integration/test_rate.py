"""A service's rate: a burst, then a hold within the time-out, then a refusal (dpow.md 3.5).

The hub's clock is the real one: what must not come too early is exact, what may come late has
room for a slow machine.
"""

import asyncio
import contextlib
import json
import time

import pytest
import websockets
from conftest import PATIENCE
from service_peers import (PROBLEMS, Worker, post, request_text, running_hub, solvable_hash,
                           url_of)

SLACK_S = 1.0
BURST_S = 2  # a rested service may start two seconds of its rate at once


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with running_hub(tmp_path_factory.mktemp("rate")) as running:
        running.worker = Worker(running)
        yield running
        running.worker.close()


def add_service(hub, name, rate):
    """conftest's services have no rate to speak of."""
    done = hub.admin("service", "add", name, "--json", "--rate", str(rate))
    assert done.returncode == 0, done.stderr
    hub.keys[name] = json.loads(done.stdout)["api_key"]
    # The first check of a key is slow, and none of the rate's business; it is refused after it.
    answer = json.loads(post(hub, request_text(hub, "bad", user=name))[2])
    assert answer == {"error": "Invalid hash"}


async def ask(hub, user, count, timeout, first=0):
    """The answers to requests that are made at once, each with the time it took."""
    begin = time.monotonic()
    answers = []
    async with websockets.connect(url_of(hub)) as socket:
        for number in range(count):
            await socket.send(request_text(
                hub, solvable_hash(), {"id": str(first + number), "timeout": str(timeout)}, user))
        for _ in range(count):
            answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            answers.append((answer, time.monotonic() - begin))
    return answers


def works(answers):
    return [seconds for answer, seconds in answers if "work" in answer]


def test_a_burst_is_answered_at_once_the_rest_is_held_to_the_rate(hub):
    add_service(hub, "held", 10)
    answers = asyncio.run(ask(hub, "held", 40, 10))
    times = works(answers)
    assert len(times) == 40
    # 20 at once; the 20 others each a tenth of a second after the one before.
    assert times[19] < SLACK_S
    for number, seconds in enumerate(times):
        not_before = (number - 10 * BURST_S) / 10
        assert not_before < seconds < max(0, not_before) + SLACK_S, number


def test_what_cannot_start_within_its_time_out_is_refused_at_once(hub):
    add_service(hub, "refused", 5)
    answers = asyncio.run(ask(hub, "refused", 30, 1))
    # 10 at once, 5 within the second, at most one more by what passed meanwhile; one whose turn
    # comes with the end of its second times out.
    late = [answer for answer, _ in answers if "timeout" in answer]
    assert len(late) <= 2 and 14 <= len(works(answers)) + len(late) <= 17
    for answer, seconds in answers:
        if "error" in answer and answer not in late:
            assert answer == {"error": "Too many requests", "retry_after": 1, "id": answer["id"]}
            assert seconds < SLACK_S


def test_asking_again_after_the_told_seconds_succeeds(hub):
    """Sixteen at a rate of 2 with time for all leave others nothing for some seconds."""
    add_service(hub, "patient", 2)

    async def run():
        holding = asyncio.create_task(ask(hub, "patient", 16, 30))
        while True:
            answer, _ = (await ask(hub, "patient", 1, 1))[0]
            if "error" in answer:
                break
        told = time.monotonic()
        assert 1 <= answer["retry_after"] <= 6
        again, _ = (await ask(hub, "patient", 1, answer["retry_after"] + 1))[0]
        assert "work" in again
        assert time.monotonic() - told < answer["retry_after"] + 1 + SLACK_S
        assert len(works(await holding)) == 16

    asyncio.run(run())


def test_a_hold_counts_towards_the_time_out(hub):
    """The request is held for a second of its two, and ends after two whatever happens."""
    add_service(hub, "slow", 1)
    hub.worker.asked.clear()

    async def run():
        begin = time.monotonic()
        first, second, third = (solvable_hash(), solvable_hash(), "0FF" + solvable_hash()[3:])
        async with websockets.connect(url_of(hub)) as socket:
            for root in (first, second, third):
                await socket.send(request_text(hub, root, {"timeout": "2"}, "slow"))
            assert json.loads(await socket.recv())["hash"] == first
            assert json.loads(await socket.recv())["hash"] == second
            assert json.loads(await socket.recv()) == {
                "error": "Timeout reached without work", "timeout": True}
        return time.monotonic() - begin

    assert 2 <= asyncio.run(run()) < 2 + SLACK_S


def test_refused_requests_use_no_tokens(hub):
    add_service(hub, "wrong", 1)
    for members in [{"hash": '"x"'}, {"timeout": "0"}, {"multiplier": "6"}] * 10:
        text = request_text(hub, solvable_hash(), members, "wrong")
        assert "Too many" not in post(hub, text)[2]
    answers = asyncio.run(ask(hub, "wrong", 2, 1))
    assert len(works(answers)) == 2


def test_whoever_asks_for_problems_is_told_429_and_when(hub):
    add_service(hub, "problems", 1)
    asyncio.run(ask(hub, "problems", 3, 3))

    async def run():
        holding = asyncio.create_task(ask(hub, "problems", 8, 8))
        loop = asyncio.get_running_loop()
        text = request_text(hub, solvable_hash(), {"timeout": "1", "id": "7"}, "problems")
        status = 200
        while status == 200:
            status, headers, body = await loop.run_in_executor(None, post, hub, text, PROBLEMS)
        holding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await holding
        return status, headers, json.loads(body)

    status, headers, told = asyncio.run(run())
    assert status == 429
    assert told == {"error": "Too many requests", "retry_after": told["retry_after"], "id": 7,
                    "type": "about:blank", "title": "Too Many Requests", "status": 429}
    assert headers["Retry-After"] == str(told["retry_after"])


def test_two_services_do_not_disturb_each_other(hub):
    """One asks for ten times its rate; the other gets its own all the while."""
    add_service(hub, "greedy", 5)
    add_service(hub, "modest", 100)

    async def run():
        greedy = asyncio.create_task(ask(hub, "greedy", 60, 2))
        modest = [(await ask(hub, "modest", 10, 5, 10 * n)) for n in range(10)]
        return await greedy, [answer for round_of in modest for answer in round_of]

    greedy, modest = asyncio.run(run())
    assert len(works(modest)) == 100 and max(works(modest)) < SLACK_S
    assert 18 <= len(works(greedy)) <= 22
    counts = {one["service"]: one["ondemand"]
              for one in json.loads(hub.admin("--json", "service", "list").stdout)}
    assert counts["modest"] == 100 and counts["greedy"] == len(works(greedy))
