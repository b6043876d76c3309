"""The demonstration, as a person and as a program run it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEMO = [sys.executable, str(ROOT / "scripts" / "demonstration.py")]


def test_demo_gives_its_facts_to_a_program() -> None:
    result = subprocess.run([*DEMO, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["token_requests"] == 1
    assert facts["trading_partners"] > 1
    assert facts["eligibility"]["valid_request"] is True
    assert facts["eligibility"]["benefits"]
    states = facts["claim"]["states"]
    assert states[-1] == "completed"
    assert {"scheduled", "transmitting", "waiting"} < set(states)


def test_demo_shows_a_table_the_states_and_what_to_do_next() -> None:
    result = subprocess.run(DEMO, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "token requests: 1" in lines
    for part in ("deductible", "scheduled", "completed", "source .venv/bin/activate", "python -m pokitdok_sandbox"):
        assert any(part in line for line in lines), part


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
