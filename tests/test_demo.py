"""The demonstration, as a person and as a program run it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
DEMO = [sys.executable, str(ROOT / "scripts" / "demonstration.py")]


def test_demo_gives_its_facts_to_a_program() -> None:
    result = subprocess.run([*DEMO, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["token_requests"] == 1
    assert facts["trading_partners"] > 1
    assert facts["eligibility"]["valid_request"] is True
    amounts = {(row["benefit"], row["about"]): (row["amount"], row["unit"]) for row in facts["eligibility"]["benefits"]}
    assert amounts["copay", "PRIMARY CARE"] == (25, "USD")
    assert amounts["copay", "SPECIALIST"] == (45, "USD")
    assert {2387.25, 2500} <= {row["amount"] for row in facts["eligibility"]["benefits"]}
    states = facts["claim"]["states"]
    assert states[-1] == "completed"
    assert {"scheduled", "transmitting", "waiting"} < set(states)
    assert facts["claim"]["payment"] == {"paid": 51.0, "charged": 60.0, "currency": "USD"}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_demo_shows_a_table_the_states_and_what_to_do_next(encoding: str) -> None:
    environment = os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    result = subprocess.run(DEMO, capture_output=True, encoding=encoding, env=environment, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "token requests: 1" in lines
    for part in ("2387.25 USD", "copay: SPECIALIST", "scheduled", "completed", "source .venv/bin/activate"):
        assert any(part in line for line in lines), part
    assert any("python -m pokitdok_sandbox" in line and "in a second terminal" in line for line in lines)
    begin, end = lines.index("2. Benefits of Nora Quill (invented)"), lines.index("3. A claim, followed to its end")
    table = lines[begin + 1 : end]
    assert len(table) < 30, "a line for each benefit"
    assert max(map(len, table)) <= 80
    assert not any("\u2026" in line for line in table)
    claim = [line for line in lines[: lines.index("token requests: 1")] if line.startswith("   ")]
    assert claim[-1] == "   paid          51.00 USD of 60.00 USD"


INTERRUPTED_IMPORT = """\
import signal, sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as scripts/demo does

def stop(name, arguments):
    if name == "import" and arguments[0] == sys.argv[1]:
        signal.raise_signal(signal.SIGINT)

sys.addaudithook(stop)
import demonstration
print("went on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be blocked on Windows")
@pytest.mark.parametrize("module", ["argparse", "rich.table", "pokitdok_api.models", "pokitdok_sandbox"])
def test_ctrl_c_while_the_demo_starts_ends_it_without_a_traceback(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_demo_gives_its_facts_without_unicode() -> None:
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    result = subprocess.run(DEMO, capture_output=True, timeout=60, check=False, env=ascii_only)
    assert result.returncode == 0, result.stderr
    assert b"token requests: 1" in result.stdout
    assert result.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process on Windows")
def test_interrupted_demo_leaves_nothing_behind() -> None:
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(found.group() + "/healthz", timeout=2)
