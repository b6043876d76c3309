"""docs/scenarios.md: each line, run as it stands there against a fresh sandbox, prints what stands below it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pokitdok_sandbox import Sandbox

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = r"```sh\n(.*?)```"
PREPARED = re.search(BLOCK, TEXT, re.DOTALL)
SCENARIOS = re.findall(rf"^### (\S+)\n(?:[^`#]*?){BLOCK}", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(advance="polls") as running:
        yield running


def test_there_are_thirty_scenarios_or_more_each_with_a_name_of_its_own() -> None:
    names = [name for name, _ in SCENARIOS]

    assert len(names) >= 30
    assert len(set(names)) == len(names) == TEXT.count("\n### ")


@pytest.mark.parametrize(("name", "block"), SCENARIOS, ids=[name for name, _ in SCENARIOS])
def test_a_scenario_prints_what_stands_below_it(
    sandbox: Sandbox, program: Callable[[str], str], name: str, block: str
) -> None:
    program("curl")
    httpx.post(f"{sandbox.url}/_sandbox/reset").raise_for_status()
    line, *below = block.splitlines()
    assert PREPARED is not None
    script = PREPARED[1].replace("SANDBOX=http://127.0.0.1:8400", f"SANDBOX={sandbox.url}") + line
    run = subprocess.run([program("bash"), "-c", script], capture_output=True, text=True, check=False, timeout=60)

    expected = [text.removeprefix("# ") for text in below]
    assert expected
    assert all(text.startswith("# ") for text in below), "one line to run, and below it what it prints"
    assert [text for text in expected if text not in run.stdout] == [], run.stdout + run.stderr
