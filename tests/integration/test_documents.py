"""The documents' examples do what the documents say; a new kind of example needs a test here."""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import test_service_conformance as conformance
from conftest import ACCOUNT, PATIENCE, Process, random_hash, work_value
from service_peers import Worker, by_post, by_websocket, request_text

PROTOCOL = pathlib.Path(__file__).parents[2] / "docs" / "protocol"
DOCUMENTS = sorted(PROTOCOL.glob("*.md"))
ELIDED = "…"


def blocks(document):
    """The code blocks of a document, fenced or indented, each with the language or ""."""
    found, lines, language = [], None, None
    for line in [*document.read_text().splitlines(), ""]:
        fence = re.match(r"```(\w*)$", line)
        indented = line.startswith("    ")
        if lines is None and (fence or indented):
            language = fence.group(1) if fence else None
            lines = [] if fence else [line[4:]]
        elif lines is not None and (fence if language is not None else not indented):
            found.append((language or "", "\n".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line if language is not None else line[4:])
    return found


def kind_of(language, text):
    if language == "python":
        return "program"
    if text.startswith("$ curl "):
        return "call"
    if text.startswith("{"):
        return "request" if '"api_key"' in text else "message"
    if text.startswith("["):
        return "configuration"
    return "unknown"


EXAMPLES = [(document.name, kind_of(*block), block[1])
            for document in DOCUMENTS for block in blocks(document)]


def examples(kind):
    """Each example of a kind is a test."""
    rows = [(name, text) for name, its_kind, text in EXAMPLES if its_kind == kind]
    assert rows, f"no example is a {kind}"
    return pytest.mark.parametrize("name, text", rows, ids=[row[0] for row in rows])


def test_each_example_is_of_a_kind_that_is_tested():
    assert {document.name for document in DOCUMENTS} == {name for name, _, _ in EXAMPLES}
    assert [text for _, kind, text in EXAMPLES if kind == "unknown"] == []


@examples("program")
def test_the_worker_of_the_protocol_works(service, tmp_path, name, text):
    assert ACCOUNT in text, name
    file = tmp_path / "worker.py"
    file.write_text(text.replace("1883", str(service.mqtt_port)))
    worker = subprocess.Popen([sys.executable, str(file)])
    root = random_hash()
    answer = service.ask(root, timeout=30)
    assert work_value(answer["work"], root) >= 0xf000000000000000
    assert service.statistics()["work"]["ondemand"] == 1
    worker.kill()
    worker.wait()


@examples("request")
def test_the_requests_are_answered_by_both_ways(service, name, text):
    """With the name and the key of a service here, which the document cannot know."""
    worker = Worker(service)
    request = json.loads(text)
    assert request["api_key"] == ELIDED, name
    request.update(user="service", api_key=service.keys["service"])
    for ask in (by_post, by_websocket):
        answer = json.loads(ask(service, json.dumps(request)))
        assert answer == {"work": answer["work"], "hash": request["hash"], "id": request["id"]}
    worker.close()


@examples("message")
def test_the_messages_are_json(name, text):
    """What they say is tested where it is said: test_precache.py, test_statistics.py."""
    first, *more = text.split("\n{")
    for part in [first, *("{" + other for other in more)]:
        assert isinstance(json.loads(part.replace(ELIDED, "")), dict), name


@examples("call")
def test_the_calls_give_what_is_shown(tmp_path, name, text):
    """On the development network, where a work is found at once."""
    call, shown = text.split("\n", 1)
    server = Process("work-server", "--listen", "127.0.0.1:0", "--devices", "cpu:1", "--network",
                     "dev", log=tmp_path / "server.log")
    url = json.loads(server.child.stdout.readline())["http"]
    shell = call.removeprefix("$ ").replace("curl", f"curl -s -m {PATIENCE}", 1)
    assert "http://127.0.0.1:7000" in shell, name
    done = subprocess.run(["bash", "-c", shell.replace("http://127.0.0.1:7000", url)],
                          capture_output=True, text=True, timeout=2 * PATIENCE)
    answer, wanted = json.loads(done.stdout), json.loads(shown)
    assert list(answer) == list(wanted)
    for member, value in wanted.items():
        assert type(answer[member]) is type(value), member
        if ELIDED in value:
            assert answer[member].startswith(value.partition(ELIDED)[0])
        else:  # a number of the same kind, found by chance
            assert re.fullmatch(r"[0-9a-f]{16}|\d+\.\d+|\d+", answer[member])
    assert work_value(answer["work"], answer["hash"]) == int(answer["difficulty"], 16)
    assert server.stop() == 0


@examples("configuration")
def test_the_configurations_are_what_a_node_reads(name, text):
    node = tomllib.loads(text)["node"]
    assert node == {"work_peers": ["127.0.0.1:7000"], "work_threads": 0}, name


def inline_objects(document):
    """The objects in running text and tables, without those that are mere lists of names."""
    spans = re.findall(r"`({[^`]*})`", document.read_text())
    return [re.sub(r"\s+", " ", span) for span in spans if ":" in span]


# What stands for a value in an object of the documents.
PLACEHOLDERS = {"N": "1", "TEXT": '"x"'}


@pytest.mark.parametrize("text", [text for document in DOCUMENTS
                                  for text in inline_objects(document)])
def test_the_objects_in_the_text_are_json(text):
    filled = re.sub(r"(?<=:)(N|TEXT)\b", lambda found: PLACEHOLDERS[found.group()], text)
    # A bare name at the end stands for "and an id, if one was given".
    filled = re.sub(r',"id"}$', ',"id":0}', filled)
    filled = filled.replace("," + ELIDED, "")
    assert isinstance(json.loads(filled), dict)


def table_after(document, heading):
    """The rows of the table whose first header is as told."""
    text = (PROTOCOL / document).read_text()
    head = rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n"
    rows = re.search(rf"{head}((?:\|.*\n)+)", text, re.M).group(1).splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_service_protocols_errors_are_those_of_the_table_of_conformance():
    documented = [text for row in table_after("service.md", "check")
                  for text in re.findall("`([^`]*)`", row[1])]
    in_order = [conformance.NOT_JSON, conformance.MISSING, conformance.CREDENTIALS,
                conformance.NOT_FLOAT, conformance.TOO_LOW, conformance.HASH,
                conformance.ACCOUNT_TEXT, conformance.CLASS, conformance.NO_DIFFICULTY,
                conformance.BAD_DIFFICULTY,
                conformance.TOO_HIGH.replace(conformance.MAXIMUM, "fffffffe66666667"),
                conformance.TOO_LOW, conformance.TIMEOUT]
    assert documented == in_order


# A value of each field that its row in the document allows, and differs from the default.
FIELD_VALUES = {
    "user": None, "api_key": None, "hash": None, "difficulty": '"f000000000000000"',
    "multiplier": '"1.5"', "class": '"receive"', "timeout": '"30"', "account": f'"{ACCOUNT}"',
    "id": "[1]",
}


def test_the_service_protocols_fields_are_those_that_are_read(service):
    documented = [field for row in table_after("service.md", "field")
                  for field in re.findall("`([^`]*)`", row[0])]
    assert sorted(documented) == sorted(FIELD_VALUES)
    worker = Worker(service)
    given = {name: text for name, text in FIELD_VALUES.items() if text is not None}
    assert "work" in json.loads(by_post(service, request_text(service, random_hash(), given)))
    for name in given:
        told = json.loads(by_post(service, request_text(service, random_hash(), {name: "[0]"})))
        assert name == "id" or "error" in told, f"{name} is not looked at"
    worker.close()


def test_the_worker_protocols_topics_are_those_of_the_access_list(hub):
    documented = {topic.replace("<account>", "+")
                  for row in table_after("worker.md", "topic")
                  for topic in re.findall("`([^`]*)`", row[0])}
    access = (hub.data / "broker" / "acl").read_text()
    for topic in documented:
        assert re.search(rf"^topic (read|write) {re.escape(topic)}$", access, re.M), topic


# A request for each row of the work server's errors that one message can provoke.
WORK_SERVER_ERRORS = {
    "Failed to deserialize JSON": "{",
    "Bad block hash": '{"action":"work_generate","hash":"x"}',
    "Unknown command": '{"action":"dance"}',
    "Bad work version": '{"action":"work_generate","hash":"%H","version":"work_2"}',
    "Difficulty above config limit or below publish threshold":
        '{"action":"work_generate","hash":"%H","difficulty":"ffffffffffffffff"}',
}


def test_the_work_servers_errors_have_the_statuses_of_the_document(tmp_path):
    documented = {row[1].strip("`"): int(row[0])
                  for row in table_after("work-server.md", "status") if row[0].isdigit()}
    server = Process("work-server", "--listen", "127.0.0.1:0", "--devices", "cpu:1",
                     log=tmp_path / "server.log")
    url = json.loads(server.child.stdout.readline())["http"]
    for error, request in WORK_SERVER_ERRORS.items():
        done = subprocess.run(
            ["curl", "-s", "-m", str(PATIENCE), "-w", "\n%{http_code}", "-d",
             request.replace("%H", random_hash()), url], capture_output=True, text=True)
        answer, status = done.stdout.rsplit("\n", 1)
        assert json.loads(answer)["error"] == error and int(status) == documented[error]
    assert server.stop() == 0
