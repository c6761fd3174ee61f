"""Work made ahead: a service asks, its block is confirmed, the next work is there before the next
request (dpow.md 5; 12, rows 19 and 20)."""

import contextlib
import json
import sqlite3
import threading

import pytest
from conftest import (ACCOUNT, BASE, OTHER_ACCOUNT, Client, Hub, IndependentWorker, find_work,
                      random_hash, wait_until, work_value)
from fake_node import ZEROS, Chain, FakeNode, call_back, callback_body, confirmation, key_of

SECRET = "a-secret-path-of-32-characters-x"


@pytest.fixture
def node():
    running = FakeNode()
    yield running
    running.close()


def start_hub(folder, *words):
    hub = Hub(folder, *words).start()
    hub.add_service()
    return hub


def end_hub(hub):
    assert hub.stop() == 0, hub.log()
    assert "Sanitizer" not in hub.log(), hub.log()


@pytest.fixture
def pool(node, tmp_path):
    """A hub with a service, connected to a node."""
    hub = start_hub(tmp_path, *node.options)
    wait_node(hub, "up")
    yield hub
    end_hub(hub)


@pytest.fixture
def callback_pool(tmp_path):
    """A hub with a service and without a node of its own."""
    hub = start_hub(tmp_path, f"--block-secret={SECRET}")
    yield hub
    end_hub(hub)


def node_health(hub):
    return json.loads(hub.get("/api/health")[1])["node"]


def wait_node(hub, state):
    wait_until(lambda: node_health(hub) == state, f"the node is {state}")


class Observer(Client):
    """Sees what the hub asks of workers, and no results of its own."""

    def __init__(self, hub):
        super().__init__(hub, subscribe=["work/#", "cancel/#"])

    def expect(self, topic, payload):
        message = self.next()
        assert message[:2] == (topic, payload)

    def expect_nothing(self, hub):
        """Nothing was published before a request that is made now."""
        root = random_hash()
        answer = threading.Thread(target=hub.ask, args=(root,), kwargs={"timeout": 30})
        answer.start()
        self.expect("work/ondemand", f"{root},{BASE}")
        self.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
        self.expect("cancel/ondemand", root)
        answer.join()


def in_store(hub, query, *values):
    """The first column of the first row, or None: what is shown over HTTP may be a second old."""
    with contextlib.closing(sqlite3.connect(f"file:{hub.data}/dpow.db?mode=ro", uri=True)) as store:
        row = store.execute(query, values).fetchone()
    return row[0] if row else None


def answered_ahead(hub):
    return in_store(hub, "SELECT sum(answered) FROM service_counts WHERE type = 0") or 0


def rewarded_ahead(hub):
    return in_store(hub, "SELECT rewarded FROM totals WHERE type = 0")


def ask_on_demand(hub, observer, root, **fields):
    """A request that workers must be asked for; the observer is the worker."""
    answers = []
    request = threading.Thread(
        target=lambda: answers.append(hub.ask(root, timeout=30, **fields)))
    request.start()
    observer.expect("work/ondemand", f"{root},{BASE}")
    observer.publish("result/ondemand", f"{root},{find_work(root, int(BASE, 16))},{ACCOUNT}")
    observer.expect("cancel/ondemand", root)
    request.join()
    assert work_value(answers[0]["work"], root) >= int(BASE, 16)
    return answers[0]["work"]


def solve_ahead(hub, observer, root):
    """The work of a root is asked for ahead; the observer finds it."""
    observer.expect("work/precache", f"{root},{BASE}")
    work = find_work(root, int(BASE, 16))
    before = rewarded_ahead(hub)
    observer.publish("result/precache", f"{root},{work},{ACCOUNT}")
    observer.expect("cancel/precache", root)
    wait_until(lambda: rewarded_ahead(hub) == before + 1, "it is rewarded")
    return work


def ask_from_cache(hub, root, work, **fields):
    before = answered_ahead(hub)
    assert hub.ask(root, **fields)["work"] == work
    wait_until(lambda: answered_ahead(hub) == before + 1, "it is counted as precache")


def begin_chain(hub, observer, node=None, blocks=2, user="service"):
    """A chain whose account the hub has learned by a request for its frontier."""
    chain = Chain()
    for _ in range(blocks):
        block = chain.grow()
        if node:
            node.frontiers[chain.account] = block["hash"]
    ask_on_demand(hub, observer, chain.frontier, account=chain.account, user=user)
    return chain


def test_the_next_work_of_an_account_is_made_ahead(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    for _ in range(3):
        block = chain.grow()
        node.confirm(block)
        work = solve_ahead(pool, observer, block["hash"])
        ask_from_cache(pool, chain.frontier, work, account=chain.account)
    observer.expect_nothing(pool)
    order = node.subscriptions.get()
    assert order["ack"] is True and order["options"]["include_sideband_info"] is True
    observer.close()


def test_an_independent_worker_keeps_a_chain_supplied(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node, blocks=0)
    worker = IndependentWorker(pool, account=OTHER_ACCOUNT)
    for count in range(1, 6):
        node.confirm(chain.grow())
        wait_until(lambda: rewarded_ahead(pool) == count, "made ahead")
        answer = pool.ask(chain.frontier, account=chain.account)
        assert work_value(answer["work"], chain.frontier) >= int(BASE, 16)
    wait_until(lambda: answered_ahead(pool) == 5, "counted as precache")
    wait_until(lambda: pool.statistics()["work"] == {"precache": 5, "ondemand": 1}, "it is shown")
    worker.close()
    observer.close()


def test_without_an_account_the_previous_block_is_enough(pool, node):
    observer = Observer(pool)
    chain = Chain()
    chain.grow()
    ask_on_demand(pool, observer, chain.frontier)
    block = chain.grow()
    node.confirm(block)
    work = solve_ahead(pool, observer, block["hash"])
    ask_from_cache(pool, chain.frontier, work)
    block = chain.grow()
    node.confirm(block)
    solve_ahead(pool, observer, block["hash"])
    observer.close()


def test_accounts_that_nobody_asked_for_are_left_alone(pool, node):
    observer = Observer(pool)
    for _ in range(20):
        stranger = Chain()
        for _ in range(3):
            node.confirm(stranger.grow())
    observer.expect_nothing(pool)
    observer.close()


def test_zeros_never_make_every_new_account_known(pool, node):
    """Defect 6: zeros are before every account's first block."""
    observer = Observer(pool)
    ask_on_demand(pool, observer, ZEROS)
    pool.ask(ZEROS, account=Chain().account)
    for _ in range(10):
        node.confirm(Chain().grow())
    observer.expect_nothing(pool)
    observer.close()


def test_an_account_s_first_block_leads_to_its_second(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node, blocks=0)
    block = chain.grow()
    assert block["contents"]["previous"] == ZEROS
    node.confirm(block)
    solve_ahead(pool, observer, block["hash"])
    observer.close()


def test_a_repeated_confirmation_changes_nothing(pool, node):
    """Defect 4: neither a work that is being made nor one that is there is made again."""
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    block = chain.grow()
    node.confirm(block)
    observer.expect("work/precache", f"{block['hash']},{BASE}")
    node.confirm(block)
    observer.expect_nothing(pool)
    work = find_work(block["hash"], int(BASE, 16))
    observer.publish("result/precache", f"{block['hash']},{work},{ACCOUNT}")
    observer.expect("cancel/precache", block["hash"])
    wait_until(lambda: rewarded_ahead(pool) == 1, "it is rewarded")
    for _ in range(3):
        node.confirm(block)
    observer.expect_nothing(pool)
    ask_from_cache(pool, block["hash"], work, account=chain.account)
    observer.close()


def test_a_confirmation_of_what_a_service_has_asked_for_already_leaves_it(pool, node):
    """Defect 4: the service was faster than the network."""
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    block = chain.grow()
    work = ask_on_demand(pool, observer, block["hash"], account=chain.account)
    node.confirm(block)
    observer.expect_nothing(pool)
    ask_from_cache(pool, block["hash"], work, account=chain.account)
    assert rewarded_ahead(pool) == 0
    observer.close()


def test_confirmations_out_of_order_move_nothing_back(pool, node):
    """Defect 5: by the height, if the node tells it."""
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    node.confirm(chain.blocks[-1])
    blocks = [chain.grow() for _ in range(3)]
    node.confirm(blocks[2])
    work = solve_ahead(pool, observer, blocks[2]["hash"])
    node.tell(confirmation(blocks[0]))
    node.tell(confirmation(blocks[1]))
    observer.expect_nothing(pool)
    ask_from_cache(pool, blocks[2]["hash"], work, account=chain.account)
    observer.close()


def test_without_heights_the_node_is_asked_what_is_newer(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    blocks = [chain.grow() for _ in range(3)]
    node.confirm(blocks[2], sideband=None)
    node.wait_asked(chain.account)
    work = solve_ahead(pool, observer, blocks[2]["hash"])
    node.tell(confirmation(blocks[0], sideband=None))
    node.wait_asked(chain.account)
    observer.expect_nothing(pool)
    ask_from_cache(pool, blocks[2]["hash"], work, account=chain.account)
    observer.close()


@pytest.mark.parametrize("dialect", ["v23", "v24", "v25"])
def test_what_was_missed_is_asked_for_after_a_reconnection(pool, node, dialect):
    node.dialect = dialect
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    unopened = begin_chain(pool, observer, blocks=0)
    assert node_health(pool) == "up"
    node.cut()
    wait_node(pool, "down")
    assert pool.get("/api/health")[0] == 200
    missed = [chain.grow() for _ in range(2)]
    node.frontiers[chain.account] = missed[-1]["hash"]
    node.start()
    work = solve_ahead(pool, observer, missed[-1]["hash"])
    ask_from_cache(pool, missed[-1]["hash"], work, account=chain.account)
    assert node_health(pool) == "up"
    block = unopened.grow()
    node.confirm(block)
    solve_ahead(pool, observer, block["hash"])
    observer.close()


def test_a_node_that_lags_closes_no_account(pool, node):
    """A node that is being set up knows no account yet: what the service said stands."""
    observer = Observer(pool)
    chain = begin_chain(pool, observer)
    block = chain.grow()
    node.tell(confirmation(block))
    work = solve_ahead(pool, observer, block["hash"])
    node.cut()
    wait_node(pool, "down")
    node.start()
    node.wait_asked(chain.account)
    wait_node(pool, "up")
    observer.expect_nothing(pool)
    ask_from_cache(pool, block["hash"], work, account=chain.account)
    observer.close()


def test_many_accounts_are_asked_for_in_steps(pool, node):
    worker = IndependentWorker(pool)
    chains = [Chain() for _ in range(120)]
    for chain in chains:
        chain.grow()
        node.frontiers[chain.account] = chain.frontier
        pool.ask(chain.frontier, account=chain.account)
    worker.close()
    worker = IndependentWorker(pool)  # a connection may send 200 messages at once
    node.cut()
    wait_node(pool, "down")
    while not node.asked.empty():
        node.asked.get()
    for chain in chains:
        node.frontiers[chain.account] = chain.grow()["hash"]
    node.start()
    asked = set()
    while len(asked) < len(chains):
        accounts = node.asked.get(timeout=30)
        assert 1 <= len(accounts) <= 50
        asked.update(accounts)
    assert asked == {chain.account for chain in chains}
    wait_until(lambda: rewarded_ahead(pool) == len(chains), "all made ahead")
    worker.close()


def test_a_dead_node_and_its_return(tmp_path):
    node = FakeNode(start=False)
    hub = start_hub(tmp_path, *node.options)
    observer = Observer(hub)
    chain = begin_chain(hub, observer)
    assert node_health(hub) == "down"
    assert hub.get("/api/health")[0] == 200
    assert hub.get("/upcheck/blocks/") == (200, b"")
    node.frontiers[chain.account] = chain.grow()["hash"]
    node.start()
    solve_ahead(hub, observer, chain.frontier)
    assert node_health(hub) == "up"
    observer.close()
    end_hub(hub)
    node.close()


GARBAGE = [
    "", "null", "[]", "{}", '"x"', "{", "\u0000", "confirmation",
    '{"topic":"confirmation"}', '{"topic":"confirmation","message":[]}',
    '{"topic":"confirmation","message":{"block":{}}}', '{"topic":7}', '{"ack":{}}',
    '{"topic":"confirmation","message":' + "[" * 5000 + "]" * 5000 + "}",
    '{"topic":"vote","message":{"blocks":[]}}', '{"ack":"pong","time":"1"}',
]


def test_garbage_from_the_node_is_survived(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    for text in GARBAGE:
        node.tell(text)
    block = chain.grow()
    other = Chain().grow()
    node.tell(confirmation(block, hash=other["hash"]))
    node.tell(confirmation(block, account=other["contents"]["account"]))
    node.tell(confirmation(block, block=None))
    node.tell(confirmation(block, block={**block["contents"], "previous": other["hash"]}))
    node.tell(confirmation(block, sideband={"height": "many"}))
    observer.expect_nothing(pool)
    assert node_health(pool) == "up"
    for answer in [(200, "garbage"), (500, "{}"), (200, '{"error":"Bad account number"}'),
                   (200, '{"frontiers":[]}')]:
        node.rpc_answer = answer
        node.confirm(chain.grow(), sideband=None)
        node.wait_asked(chain.account)
    wait_node(pool, "down")
    assert pool.get("/api/health")[0] == 200
    node.rpc_answer = None
    solve_ahead(pool, observer, chain.frontier)
    wait_node(pool, "up")
    observer.close()


def test_a_subscription_that_is_not_acknowledged_is_no_connection(node, tmp_path):
    node.acknowledge = False
    hub = start_hub(tmp_path, *node.options)
    assert node.subscribed.wait(30)
    assert node_health(hub) == "down"
    node.tell('{"ack":"subscribe","time":"1"}')
    wait_node(hub, "up")
    end_hub(hub)


def metrics(hub):
    status, body = hub.get("/metrics")
    assert status == 200
    return body.decode()


def test_a_callback_is_as_good_as_the_websocket(callback_pool):
    hub = callback_pool
    observer = Observer(hub)
    assert node_health(hub) == "none"
    assert hub.get("/upcheck/blocks/") == (200, b"")
    chain = begin_chain(hub, observer)
    block = chain.grow()
    assert call_back(hub.http + "/block/", callback_body(block)) == (200, b"")
    work = solve_ahead(hub, observer, block["hash"])
    ask_from_cache(hub, block["hash"], work, account=chain.account)
    wait_until(lambda: 'dpow_block_messages_total{by="callback",end="taken"} 1\n' in metrics(hub),
               "it is shown")
    seconds = hub.get("/upcheck/blocks/")[1].decode()
    assert 0 <= float(seconds) < 30 and len(seconds.split(".")[1]) == 2
    observer.close()


def test_a_forged_or_malformed_callback_is_refused(callback_pool):
    hub = callback_pool
    observer = Observer(hub)
    chain = begin_chain(hub, observer)
    block = chain.grow()
    other = Chain().grow()
    forged = [
        callback_body(block, hash=random_hash()),
        callback_body(block, hash=None),
        callback_body(block, account=other["contents"]["account"]),
        callback_body(other, account=chain.account),
        callback_body(block, block=json.dumps({**block["contents"], "previous": random_hash()})),
        callback_body(block, block=json.dumps({"type": "state"})),
        callback_body(block, block=block["contents"]),
        callback_body(block, block="x" * 5000),
        callback_body(block, block=None),
        "", "{}", "null", b"\xff\xfe", "[" * 1000,
    ]
    for body in forged:
        status, answer = call_back(hub.http + "/block/", body)
        assert status == 400 and "error" in json.loads(answer), body
    assert hub.get("/upcheck/blocks/") == (200, b"")
    assert hub.get("/block/")[0] == 405
    observer.expect_nothing(hub)
    observer.close()


def test_a_callback_needs_an_allowed_address_or_the_secret(tmp_path):
    hub = start_hub(tmp_path, "--block-allow=192.0.2.1", "--block-allow=2001:db8::1",
                    f"--block-secret={SECRET}")
    observer = Observer(hub)
    chain = begin_chain(hub, observer)
    body = callback_body(chain.grow())
    for path in ["/block/", "/block", f"/block/{SECRET[:-1]}", f"/block/{SECRET}x", "/block/x",
                 f"/block/{SECRET[:-1]}y", f"/block/{SECRET}/"]:
        status, answer = call_back(hub.http + path, body)
        assert status == 403 and "error" in json.loads(answer), path
    from_a_page = {"Origin": "http://localhost"}
    assert call_back(f"{hub.http}/block/{SECRET}", body, from_a_page)[0] == 403
    observer.expect_nothing(hub)
    assert call_back(f"{hub.http}/block/{SECRET}", body) == (200, b"")
    solve_ahead(hub, observer, chain.frontier)
    assert SECRET not in hub.log()
    observer.close()
    end_hub(hub)


def test_without_a_secret_no_path_below_is_open(tmp_path):
    hub = start_hub(tmp_path, "--block-allow=192.0.2.1")
    body = callback_body(Chain().grow())
    assert call_back(hub.http + "/block/", body)[0] == 403
    assert call_back(hub.http + "/block//", body)[0] == 403
    end_hub(hub)


def test_accounts_and_works_survive_a_kill(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    idle = begin_chain(pool, observer, node)
    block = chain.grow()
    node.confirm(block)
    work = solve_ahead(pool, observer, block["hash"])
    observer.close()
    pool.kill()
    missed = idle.grow()
    node.frontiers[idle.account] = missed["hash"]
    pool.restart_after_kill()
    wait_node(pool, "up")
    observer = Observer(pool)
    ask_from_cache(pool, block["hash"], work, account=chain.account)
    wait_until(lambda: frontier_in_store(pool, idle.account) == missed["hash"], "it was asked for")
    found = find_work(missed["hash"], int(BASE, 16))
    observer.publish("result/precache", f"{missed['hash']},{found},{ACCOUNT}")
    wait_until(lambda: rewarded_ahead(pool) == 2, "it was made ahead")
    ask_from_cache(pool, missed["hash"], found, account=idle.account)
    block = chain.grow()
    node.confirm(block)
    while observer.next()[:2] != ("work/precache", f"{block['hash']},{BASE}"):
        pass
    observer.close()


def frontier_in_store(hub, account):
    return in_store(hub, "SELECT hex(frontier) FROM frontiers WHERE account = ?", key_of(account))


def test_an_account_has_only_so_much_made_ahead(pool, node):
    """A rested account may start half an hour's worth of its 120 an hour at once."""
    observer = Observer(pool)
    worker = IndependentWorker(pool)
    chain = Chain()
    chain.grow()
    pool.ask(chain.frontier, account=chain.account)
    for _ in range(80):
        node.confirm(chain.grow())
    last = random_hash()
    pool.ask(last)
    asked = set()
    while True:
        topic, payload, _, _ = observer.next()
        if topic == "work/ondemand" and payload.startswith(last):
            break
        if topic == "work/precache":
            asked.add(payload.split(",")[0])
    assert 0 < len(asked) < 80
    assert asked <= {block["hash"] for block in chain.blocks}
    worker.close()
    observer.close()


def test_a_service_has_only_so_much_made_ahead(pool, node):
    """Half an hour's worth of 8 an hour at once, over all its accounts."""
    pool.add_service("small", "--precache-per-hour=8")
    observer = Observer(pool)
    chains = [begin_chain(pool, observer, node, user="small") for _ in range(8)]
    for chain in chains:
        node.confirm(chain.grow())
    worker = IndependentWorker(pool)
    last = random_hash()
    pool.ask(last)
    asked = set()
    while (message := observer.next())[:2] != ("work/ondemand", f"{last},{BASE}"):
        if message[0] == "work/precache":
            asked.add(message[1].split(",")[0])
    assert 4 <= len(asked) <= 5
    worker.close()
    observer.close()


def test_an_operator_turns_a_service_s_precache_off_and_on(pool, node):
    observer = Observer(pool)
    chain = begin_chain(pool, observer, node)
    assert pool.admin("service", "edit", "service", "--precache=off").returncode == 0
    node.confirm(chain.grow())
    observer.expect_nothing(pool)
    assert pool.admin("service", "edit", "service", "--precache=always").returncode == 0
    node.confirm(chain.grow())
    solve_ahead(pool, observer, chain.frontier)
    observer.close()


def test_precache_off_makes_nothing_ahead(node, tmp_path):
    hub = start_hub(tmp_path, "--precache=off", *node.options)
    wait_node(hub, "up")
    observer = Observer(hub)
    chain = begin_chain(hub, observer, node)
    node.confirm(chain.grow())
    observer.expect_nothing(hub)
    assert hub.get("/upcheck/blocks/")[1] != b""
    observer.close()
    end_hub(hub)


@pytest.mark.parametrize("words, told", [
    (["--node-ws=http://127.0.0.1"], "ws://"),
    (["--node-rpc=ws://127.0.0.1"], "http://"),
    (["--node-rpc=nonsense"], "node-rpc"),
    (["--block-allow=localhost"], "block-allow"),
    (["--block-secret=short"], "block-secret"),
    (["--block-secret=with/a/slash/in/it/somewhere"], "block-secret"),
    (["--precache=perhaps"], "precache"),
])
def test_wrong_options_are_named_at_the_start(tmp_path, words, told):
    with pytest.raises(AssertionError, match="the hub is not ready"):
        Hub(tmp_path, *words).start()
    assert told in (tmp_path / "hub.log").read_text()
