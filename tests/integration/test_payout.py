"""Payouts: what is due is frozen, divided to the last raw, and paid once, whatever happens."""

import fractions
import json
import os
import pathlib
import random
import subprocess
import time

import pytest
from conftest import (ACCOUNT, OTHER_ACCOUNT, PROGRAM, Client, IndependentWorker, random_hash,
                      wait_until)
from fake_node import account_of
from fake_wallet import FakeWallet

THIRD_ACCOUNT = account_of(b"\x77" * 32)
NANO = 10**30


def run(hub, *words):
    """The result of a command that must succeed."""
    done = hub.admin("--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fails(hub, *words):
    done = hub.admin(*words)
    assert done.returncode in (1, 2), done
    assert "\x1b" not in done.stderr
    return done.stderr


def check(hub):
    assert run(hub, "check") == []


def plan(hub, budget, *words, threshold=0):
    return run(hub, "payout", "plan", "--budget", budget, "--threshold", str(threshold), *words)


def lines(hub, number):
    return run(hub, "payout", "show", str(number))["lines"]


def amounts(hub, number):
    return {line["account"]: int(line["amount"]) for line in lines(hub, number)}


def client(hub, account):
    shown = run(hub, "client", "show", account)
    return {name: value for name, value in shown.items() if name != "last"}


def pay(hub, number, wallet, *words):
    return run(hub, "payout", "run", str(number), *wallet.options, *words)


def pay_fails(hub, number, wallet, *words):
    return fails(hub, "payout", "run", str(number), *wallet.options, "--timeout", "2", *words)


class Pool:
    """A hub with one worker that can work for any account."""

    def __init__(self, hub):
        self.hub = hub
        self.worker = IndependentWorker(hub)

    def work(self, account, count, **fields):
        """Works of an account; all are counted when this returns."""
        self.worker.account = account
        try:
            before = run(self.hub, "client", "show", account)["ondemand"]
        except AssertionError:
            before = 0
        for _ in range(count):
            assert "work" in self.hub.ask(random_hash(), **fields)
        wait_until(lambda: run(self.hub, "client", "show", account)["ondemand"] == before + count,
                   "every work is rewarded")


@pytest.fixture
def pool(service):
    made = Pool(service)
    yield made
    made.worker.close()


@pytest.fixture
def wallet():
    made = FakeWallet()
    yield made
    made.close()


def test_a_budget_is_divided_by_works_to_the_last_raw_and_paid(pool, wallet):
    hub = pool.hub
    for account, count in ((ACCOUNT, 5), (OTHER_ACCOUNT, 3), (THIRD_ACCOUNT, 3)):
        pool.work(account, count)
    told = plan(hub, "10raw")
    assert (told["state"], told["planned"], told["amount"], told["left"]) == (
        "planned", 3, "10", "10")
    # 4 6/11, 2 8/11, 2 8/11: the two raw left over go to the largest remainders.
    assert amounts(hub, 1) == {ACCOUNT: 4, OTHER_ACCOUNT: 3, THIRD_ACCOUNT: 3}
    assert "nothing is due" in fails(hub, "payout", "plan", "--budget", "1", "--threshold", "0")
    assert pay(hub, 1, wallet) == {"id": 1, "sent": 3, "confirmed": 3, "unconfirmed": 0, "left": 0}
    assert wallet.paid() == amounts(hub, 1)
    assert [line["state"] for line in lines(hub, 1)] == ["confirmed"] * 3
    assert {line["block"] for line in lines(hub, 1)} == set(wallet.blocks.values())
    assert run(hub, "payout", "list")[0]["state"] == "confirmed"
    assert pay(hub, 1, wallet)["sent"] == 0
    check(hub)


def test_the_rule_hashes_pays_what_difficulties_cost(pool):
    hub = pool.hub
    pool.work(ACCOUNT, 2)
    pool.work(OTHER_ACCOUNT, 1, difficulty="fc00000000000000")
    plan(hub, "960raw", "--rule", "hashes")
    assert {line["account"]: line["hashes_ondemand"] for line in lines(hub, 1)} == {
        ACCOUNT: 2 * 16, OTHER_ACCOUNT: 64}
    assert amounts(hub, 1) == {ACCOUNT: 320, OTHER_ACCOUNT: 640}
    # What was paid for by hashes is not paid for by works again.
    pool.work(ACCOUNT, 1)
    plan(hub, "1000raw")
    assert amounts(hub, 2) == {ACCOUNT: 1000}
    check(hub)


def test_amounts_are_exact_and_proportional_for_any_counts(pool):
    hub = pool.hub
    rng = random.Random(3)
    counts = {account_of(bytes([i + 1]) * 32): rng.randrange(1, 5) for i in range(6)}
    for account, count in counts.items():
        pool.work(account, count)
    budget = 133248297920938463463374607431768211455  # about what is in circulation
    plan(hub, f"{budget}raw")
    paid = amounts(hub, 1)
    assert sum(paid.values()) == budget
    for account, count in counts.items():
        exact = fractions.Fraction(budget * count, sum(counts.values()))
        assert exact - 1 < paid[account] < exact + 1
    check(hub)


def test_small_dues_and_small_amounts_are_carried_over(pool):
    hub = pool.hub
    pool.work(ACCOUNT, 4)
    pool.work(OTHER_ACCOUNT, 2)
    plan(hub, "100raw", threshold=3)
    assert amounts(hub, 1) == {ACCOUNT: 100}
    pool.work(ACCOUNT, 9)
    plan(hub, "100raw", "--minimum", "20raw")
    assert amounts(hub, 2) == {ACCOUNT: 100}
    pool.work(OTHER_ACCOUNT, 2)
    plan(hub, "5nano", "--exclude", ACCOUNT)
    assert amounts(hub, 3) == {OTHER_ACCOUNT: 5 * NANO}
    assert lines(hub, 3)[0]["ondemand"] == 4
    pool.work(THIRD_ACCOUNT, 49)
    assert "nothing is due" in fails(hub, "payout", "plan", "--budget", "1")
    pool.work(THIRD_ACCOUNT, 1)
    assert run(hub, "payout", "plan", "--budget", "0.5")["threshold"] == 50
    assert amounts(hub, 4) == {THIRD_ACCOUNT: NANO // 2}
    check(hub)


def test_workers_are_told_their_snapshot(pool):
    hub = pool.hub
    observer = Client(hub, subscribe=[f"client/{ACCOUNT}"])
    pool.work(ACCOUNT, 3)
    for count in (1, 2, 3):
        told = json.loads(observer.next(f"client/{ACCOUNT}")[1])
        assert told["ondemand"] == count and "snapshot_ondemand" not in told
    plan(hub, "1")
    pool.work(ACCOUNT, 1)
    told = json.loads(observer.next(f"client/{ACCOUNT}")[1])
    assert (told["ondemand"], told["snapshot_ondemand"], told["snapshot_precache"]) == (4, 3, 0)
    run(hub, "payout", "cancel", "1")
    pool.work(ACCOUNT, 1)
    told = json.loads(observer.next(f"client/{ACCOUNT}")[1])
    assert told["ondemand"] == 5 and "snapshot_ondemand" not in told
    observer.close()


def test_works_between_plan_and_payment_are_due_for_the_next(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 2)
    plan(hub, "100raw")
    pool.work(ACCOUNT, 3)
    pool.work(OTHER_ACCOUNT, 1)
    pay(hub, 1, wallet)
    plan(hub, "100raw")
    assert {line["account"]: line["ondemand"] for line in lines(hub, 2)} == {
        ACCOUNT: 3, OTHER_ACCOUNT: 1}
    assert amounts(hub, 2) == {ACCOUNT: 75, OTHER_ACCOUNT: 25}
    pay(hub, 2, wallet)
    assert wallet.paid() == {ACCOUNT: 175, OTHER_ACCOUNT: 25}
    check(hub)


def test_a_cancelled_plan_was_never_there(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 2)
    pool.work(OTHER_ACCOUNT, 1)
    before = client(hub, ACCOUNT), client(hub, OTHER_ACCOUNT)
    plan(hub, "10raw")
    run(hub, "payout", "cancel", "1")
    assert (client(hub, ACCOUNT), client(hub, OTHER_ACCOUNT)) == before
    check(hub)
    assert "cancelled" in fails(hub, "payout", "cancel", "1")
    assert "cancelled" in pay_fails(hub, 1, wallet)
    assert "cancelled" in fails(hub, "payout", "export", "1")
    plan(hub, "3raw", "--exclude", OTHER_ACCOUNT)
    between = client(hub, ACCOUNT), client(hub, OTHER_ACCOUNT)
    pool.work(ACCOUNT, 1)
    plan(hub, "300raw")
    run(hub, "payout", "cancel", "3")
    after = client(hub, ACCOUNT)
    assert (after["snapshot_ondemand"], after["ondemand"]) == (2, 3)
    assert "snapshot_ondemand" not in client(hub, OTHER_ACCOUNT)
    assert between[0]["snapshot_ondemand"] == 2
    pay(hub, 2, wallet)
    assert "begun" in fails(hub, "payout", "cancel", "2")
    check(hub)


def test_a_plan_whose_payment_was_tried_cannot_be_taken_back(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    plan(hub, "10raw")
    wallet.faults = {"send": ["cut"]}  # paid, but nobody here knows
    pay_fails(hub, 1, wallet)
    assert lines(hub, 1)[0]["state"] == "planned"
    assert "begun" in fails(hub, "payout", "cancel", "1")
    other = FakeWallet()
    assert "another account" in pay_fails(hub, 1, other)
    assert other.sends == []
    other.close()
    assert pay(hub, 1, wallet)["sent"] == 1
    assert wallet.sends == [(ACCOUNT, 10)]


@pytest.mark.parametrize("fault", [
    "error", "cut", "cut before", "hang", "500", "nonsense", "[]", "{}", '{"block":1}',
    '{"block":"' + "0" * 64 + '"}', '{"block":"' + "F" * 63 + '"}', '{"error":{}}',
    '{"block":"' + "A" * 100000 + '"}', '{"block":"' + "A" * 64 + '","block":"1"}'])
def test_after_a_fault_of_the_node_everybody_is_paid_once(pool, wallet, fault):
    hub = pool.hub
    for account in (ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT):
        pool.work(account, 1)
    plan(hub, "31raw")
    planned = amounts(hub, 1)
    wallet.balance = 31
    wallet.faults = {"send": [None, fault]}
    told = pay_fails(hub, 1, wallet)
    assert "1 sent, 2 left" in told, told
    assert [line["state"] for line in lines(hub, 1)].count("sent") == 1
    assert amounts(hub, 1) == planned
    assert pay(hub, 1, wallet)["sent"] == 2
    assert wallet.paid() == planned and len(wallet.sends) == 3 and wallet.balance == 0
    check(hub)


def test_a_block_that_pays_another_line_is_refused(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    pool.work(OTHER_ACCOUNT, 1)
    plan(hub, "20raw")
    pay(hub, 1, wallet, "--max-lines", "1")
    block = list(wallet.blocks.values())[0]
    wallet.faults = {"send": [json.dumps({"block": block})]}
    assert "another line" in pay_fails(hub, 1, wallet)
    made_up = random_hash()
    wallet.contents[made_up] = {**wallet.contents[block], "amount": "9"}
    wallet.faults = {"send": [json.dumps({"block": made_up})]}
    assert "does not pay" in pay_fails(hub, 1, wallet)
    assert [line["state"] for line in lines(hub, 1)].count("confirmed") == 1


@pytest.mark.parametrize("action,answer", [
    ("version", "{}"), ("version", '{"network_identifier":"x"}'), ("version", "cut"),
    ("account_balance", "{}"), ("account_balance", '{"balance":"-1"}'),
    ("account_balance", '{"balance":"1e40"}'), ("account_balance", "error"),
    ("block_info", "{}"), ("block_info", '{"confirmed":"true"}'), ("block_info", "error"),
    ("block_info", '{"confirmed":"true","amount":"10","subtype":"send","contents":"x"}')])
def test_other_hostile_answers_end_the_run_and_do_no_harm(pool, wallet, action, answer):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    plan(hub, "10raw")
    wallet.faults = {action: [answer]}
    pay_fails(hub, 1, wallet)
    assert (wallet.sends == []) == (action != "block_info")
    assert lines(hub, 1)[0]["state"] != "confirmed"
    assert pay(hub, 1, wallet)["confirmed"] == 1
    assert wallet.sends == [(ACCOUNT, 10)]


def test_nothing_is_sent_without_the_money_or_on_another_network(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    pool.work(OTHER_ACCOUNT, 1)
    plan(hub, "20raw")
    wallet.balance = 19
    assert "19 raw" in pay_fails(hub, 1, wallet)
    wallet.balance = 20
    wallet.genesis = random_hash()
    assert "another network" in pay_fails(hub, 1, wallet)
    assert wallet.sends == []
    run(hub, "payout", "show", "1")
    assert pay(hub, 1, wallet, "--network", wallet.genesis)["sent"] == 2
    for words in (["--wallet", "x"], ["--account", "nano_1"], ["--network", "beta"],
                  ["--node-rpc", "https://127.0.0.1"]):
        done = hub.admin("payout", "run", "1", *wallet.options, *words)
        assert done.returncode == 2 and words[0] in done.stderr


def test_a_dry_run_prints_the_plan_and_sends_nothing(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    plan(hub, "20raw")
    shown = run(hub, "payout", "show", "1")
    assert run(hub, "payout", "run", "1", *wallet.options, "--dry-run") == shown
    assert {call["action"] for call in wallet.calls} == {"version", "account_balance"}
    assert run(hub, "payout", "show", "1") == shown
    run(hub, "payout", "cancel", "1")


def test_it_goes_on_after_failures_if_told_so_and_ends_after_some_lines(pool, wallet):
    hub = pool.hub
    for account in (ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT):
        pool.work(account, 1)
    plan(hub, "30raw")
    assert pay(hub, 1, wallet, "--max-lines", "1")["left"] == 2
    wallet.faults = {"send": ["error"]}
    assert "1 failures" in pay_fails(hub, 1, wallet, "--keep-going")
    assert len(wallet.sends) == 2
    pay(hub, 1, wallet)
    assert sorted(wallet.paid().values()) == [10, 10, 10]


def test_blocks_that_are_not_confirmed_are_asked_for_and_waited_for(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    plan(hub, "30raw")
    wallet.confirm_at_once = wallet.confirmable = False
    assert "not confirmed" in pay_fails(hub, 1, wallet, "--wait", "1")
    assert lines(hub, 1)[0]["state"] == "sent"
    wallet.confirmable = True
    assert pay(hub, 1, wallet)["confirmed"] == 1
    assert len(wallet.sends) == 1


def start_run(hub, number, wallet):
    return subprocess.Popen(
        [PROGRAM, "admin", "--data-dir", str(hub.data), "payout", "run", str(number),
         *wallet.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_until_killed(hub, number, wallet, step, phase):
    """A run that is killed at a call of the node, before the node has it or after it has done it.
    Whether it came so far."""
    first = len(wallet.calls)
    killed = []
    child = start_run(hub, number, wallet)

    def on_call(call, at):
        if call == first + step and at == phase:
            child.kill()
            child.wait()
            killed.append(True)
            return True
        return False

    wallet.on_call = on_call
    child.wait(timeout=60)
    wallet.on_call = None
    return bool(killed)


@pytest.mark.parametrize("phase", ["before", "after"])
def test_defect_21_killed_at_any_step_and_run_again_nobody_is_paid_twice(pool, wallet, phase):
    hub = pool.hub
    step, number, come_so_far, owed = 0, 0, True, {}
    while come_so_far:
        step += 1
        number += 1
        for account in (ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT):
            pool.work(account, 1)
        plan(hub, "10raw")
        for account, amount in amounts(hub, number).items():
            owed[account] = owed.get(account, 0) + amount
        wallet.balance = 10  # exactly what is to be paid
        come_so_far = run_until_killed(hub, number, wallet, step, phase)
        told = pay(hub, number, wallet)
        assert told["left"] == 0 and wallet.balance == 0
        assert wallet.paid() == owed
        assert [line["state"] for line in lines(hub, number)] == ["confirmed"] * 3
    assert step >= 8  # version, account_balance, three sends, three looks
    assert len(wallet.sends) == 3 * number
    check(hub)


def test_killed_at_any_moment_with_the_hub_stopped_too(pool, wallet):
    hub = pool.hub
    accounts = [account_of(bytes([i + 1]) * 32) for i in range(6)]
    for account in accounts:
        pool.work(account, 1)
    plan(hub, "100raw")
    planned = amounts(hub, 1)
    wallet.balance = 100
    pool.worker.close()
    assert hub.stop() == 0
    rng = random.Random(7)
    for _ in range(12):
        child = start_run(hub, 1, wallet)
        time.sleep(rng.uniform(0.05, 0.6))
        child.kill()
        child.wait()
        assert amounts(hub, 1) == planned
    assert pay(hub, 1, wallet)["left"] == 0
    assert wallet.paid() == planned and len(wallet.sends) == 6
    check(hub)


def test_defect_22_amounts_are_exact_where_doubles_are_not(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    assert fails(hub, "payout", "plan", "--budget", "0", "--threshold", "0")
    plan(hub, "9007199254740993000000000000001raw")
    assert amounts(hub, 1) == {ACCOUNT: 9007199254740993000000000000001}
    pay(hub, 1, wallet)
    assert wallet.calls[-2]["amount"] == "9007199254740993000000000000001"
    assert "nothing is due" in fails(hub, "payout", "plan", "--budget", "1", "--threshold", "0")


def test_another_wallet_pays_by_export_and_import(pool, tmp_path, wallet):
    hub = pool.hub
    for account in (ACCOUNT, OTHER_ACCOUNT):
        pool.work(account, 1)
    plan(hub, "21raw")
    planned = amounts(hub, 1)
    exported = json.loads(hub.admin("payout", "export", "1").stdout)
    assert {account: int(entry["amount"]) for account, entry in exported.items()} == planned
    assert {entry["id"] for entry in exported.values()} == {line["id"] for line in lines(hub, 1)}
    file = tmp_path / "finished.json"

    def load(entries):
        file.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        return "payout", "import", "1", str(file)

    block, other = random_hash(), random_hash()
    for wrong in ({ACCOUNT: {"block": block, "amount": "1"}},
                  {ACCOUNT: {"block": "x", "amount": str(planned[ACCOUNT])}},
                  {ACCOUNT: {"block": block}}, {THIRD_ACCOUNT: {"block": block, "amount": "1"}},
                  {"x": 1}, [], "{", "", "\0{}", {ACCOUNT: []}):
        assert fails(hub, *load(wrong))
    assert {line["state"] for line in lines(hub, 1)} == {"planned"}
    exported[ACCOUNT]["block"] = block
    assert run(hub, *load(exported)) == {"id": 1, "imported": 1}
    assert run(hub, *load(exported)) == {"id": 1, "imported": 0}
    assert "begun" in fails(hub, "payout", "cancel", "1")
    # As the original's payout_finished_info.json has it.
    finished = {account: {"block": block if account == ACCOUNT else other, "amount": amount}
                for account, amount in planned.items()}
    assert "already" in fails(hub, *load({ACCOUNT: {"block": other, "amount": planned[ACCOUNT]}}))
    assert run(hub, *load(finished))["imported"] == 1
    assert json.loads(hub.admin("payout", "export", "1").stdout) == {}
    assert {line["account"]: line["block"] for line in lines(hub, 1)} == {
        ACCOUNT: block, OTHER_ACCOUNT: other}
    check(hub)


def test_a_payout_of_many_accounts_is_read_and_imported_whole(pool, tmp_path):
    hub = pool.hub
    accounts = [account_of(bytes([i + 1, 7]) + bytes(30)) for i in range(80)]
    pool.worker.close()
    observer = IndependentWorker(hub)
    for account in accounts:
        observer.account = account
        assert "work" in hub.ask(random_hash())
    wait_until(lambda: len(run(hub, "client", "list")) == 80, "every work is rewarded")
    plan(hub, "1000raw")
    exported = json.loads(hub.admin("payout", "export", "1").stdout)
    assert sorted(exported) == sorted(accounts)
    assert sum(int(entry["amount"]) for entry in exported.values()) == 1000
    for entry in exported.values():
        entry["block"] = os.urandom(32).hex()
    file = pathlib.Path(tmp_path / "many.json")
    file.write_text(json.dumps(exported))
    assert run(hub, "payout", "import", "1", str(file))["imported"] == 80
    observer.close()
    check(hub)


def test_payouts_of_the_original_raise_snapshots_up_to_the_totals(pool, tmp_path):
    hub = pool.hub
    pool.work(ACCOUNT, 5)
    pool.work(OTHER_ACCOUNT, 2)
    pool.worker.close()
    file = tmp_path / "payouts_2021-03-01_12-00-00.json"

    def load(entries):
        file.write_text(json.dumps(entries))
        return "payout", "import-original", str(file)

    first = {ACCOUNT: {"precache": 0, "ondemand": 3, "id": "one"},
             OTHER_ACCOUNT: {"ondemand": 9, "id": "two"},
             THIRD_ACCOUNT: {"precache": 9, "ondemand": 9, "id": "three"}}
    assert "stop the hub" in fails(hub, *load(first))
    assert hub.stop() == 0
    assert run(hub, *load(first)) == {"id": 1, "imported": 2, "left_out": 1}
    check(hub)
    assert client(hub, ACCOUNT)["snapshot_ondemand"] == 3
    assert client(hub, OTHER_ACCOUNT)["snapshot_ondemand"] == 2
    assert "already" in fails(hub, *load(first))
    assert run(hub, *load({ACCOUNT: {"ondemand": 1, "id": "four"}}))["imported"] == 1
    assert client(hub, ACCOUNT)["snapshot_ondemand"] == 4
    for wrong in ({}, [], {"x": {}}, {ACCOUNT: {"ondemand": 1}}, {ACCOUNT: {"id": "five"}, "y": 1},
                  {ACCOUNT: {"ondemand": -1, "id": "six"}}, {ACCOUNT: {"ondemand": 1.5, "id": "six"}},
                  {ACCOUNT: {"ondemand": 1e30, "id": "six"}}):
        assert fails(hub, *load(wrong))
    plan(hub, "7raw")
    assert amounts(hub, 3) == {ACCOUNT: 7}
    assert [payout["state"] for payout in run(hub, "payout", "list")] == [
        "planned", "confirmed", "confirmed"]
    # What is known to be paid is not raised: the snapshots have it already.
    assert run(hub, *load({ACCOUNT: {"ondemand": 1, "id": "seven"}}))["imported"] == 1
    assert client(hub, ACCOUNT)["snapshot_ondemand"] == 5
    run(hub, "payout", "cancel", "3")
    assert client(hub, ACCOUNT)["snapshot_ondemand"] == 4
    assert "begun" in fails(hub, "payout", "cancel", "1")
    check(hub)


def test_commands_refuse_what_they_cannot_do(hub):
    for words in (["plan"], ["plan", "--budget", "x"], ["plan", "--budget", "-1"],
                  ["plan", "--budget", "1.5raw"], ["plan", "--budget", "1e3"],
                  ["plan", "--budget", "340282366920938463463374607431768211456raw"],
                  ["plan", "--budget", "1", "--minimum", "x"],
                  ["plan", "--budget", "1", "--exclude", "nano_1"],
                  ["plan", "--budget", "1", "--rule", "luck"], ["plan", "--budget", "1"],
                  ["show", "1"], ["show", "x"], ["show", "0"], ["cancel", "1"], ["cancel", "x"],
                  ["export", "7"], ["import", "7", "/dev/null"]):
        assert fails(hub, "payout", *words), words
    assert run(hub, "payout", "list") == []
    assert not [entry for entry in run(hub, "audit") if "payout" in entry["command"]]


def test_every_change_is_in_the_audit_log(pool, wallet):
    hub = pool.hub
    pool.work(ACCOUNT, 1)
    plan(hub, "5raw")
    run(hub, "payout", "cancel", "1")
    plan(hub, "6raw")
    pay(hub, 2, wallet)
    commands = [json.loads(entry["command"])["command"] for entry in reversed(run(hub, "audit"))]
    assert [command for command in commands if command.startswith("payout")] == [
        "payout plan", "payout cancel", "payout plan", "payout try", "payout sent",
        "payout confirmed"]
