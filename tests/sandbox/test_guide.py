"""docs/sandbox.md: its shell examples, run in one shell against a sandbox, print what their comments say."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pokitdok_sandbox import Sandbox
from pokitdok_sandbox.faults import NAMES

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
TEXT = GUIDE.read_text(encoding="utf-8")
MARK = "@@ expected: "


def test_the_examples_print_what_they_say(program: Callable[[str], str]) -> None:
    program("curl")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
    expected = re.findall(r"^# (.*)$", script, re.MULTILINE)
    # each comment becomes a line of the output: what is expected stands behind what was printed
    script = re.sub(r"^# (.*)$", lambda found: f"cat <<'@@'\n\n{MARK}{found[1]}\n@@", script, flags=re.MULTILINE)
    with Sandbox() as sandbox:
        script = script.replace("SANDBOX=http://127.0.0.1:8400", f"SANDBOX={sandbox.url}")
        run = subprocess.run([program("bash"), "-c", script], capture_output=True, text=True, check=False, timeout=60)

    printed, told, missing = "", False, []
    for line in filter(None, run.stdout.splitlines()):
        if line.startswith(MARK):
            told = True
            if line.removeprefix(MARK) not in printed:
                missing.append(f"{line.removeprefix(MARK)!r} is not in: {printed}")
        else:
            printed, told = (line if told else printed + line), False
    assert len(expected) > 15
    assert run.stdout.count(MARK) == len(expected), run.stderr
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("fault", NAMES)
def test_the_table_has_every_fault(fault: str) -> None:
    assert re.search(rf"^\| .*`{fault}`.* \|", TEXT, re.MULTILINE)
