"""The documents' examples do what the documents say."""

import pathlib
import re
import subprocess
import sys

from conftest import ACCOUNT, random_hash, work_value

DOCUMENTS = pathlib.Path(__file__).parents[2] / "docs"


def test_the_worker_of_the_protocol_works(service, tmp_path):
    text = (DOCUMENTS / "protocol" / "worker.md").read_text()
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert ACCOUNT in program
    file = tmp_path / "worker.py"
    file.write_text(program.replace("1883", str(service.mqtt_port)))
    worker = subprocess.Popen([sys.executable, str(file)])
    root = random_hash()
    answer = service.ask(root, timeout=30)
    assert work_value(answer["work"], root) >= 0xf000000000000000
    assert service.statistics()["work"]["ondemand"] == 1
    worker.kill()
    worker.wait()
