"""The old official client's own test suite, from its package and unmodified, against the sandbox.

Once with the old client, once with `pokitdok_ext.compat` in its place.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pokitdok_sandbox import Sandbox

pytestmark = pytest.mark.slow

RUNNER = Path(__file__).parent / "run_old_suite.py"
FILE = "tests/chiropractic_example.837"
"""The suite names this file; its package does not have it."""

SAMPLE = Path(__file__).parent / "x12" / "claims.837"


@pytest.mark.peer
@pytest.mark.parametrize("client", ["old", "compat"])
def test_suite_of_the_old_client_passes(client: str, old_python: str, tmp_path: Path) -> None:
    where = "import importlib.util as u; print(u.find_spec('tests').submodule_search_locations[0])"
    found = subprocess.run([old_python, "-c", where], capture_output=True, text=True, check=True, cwd=tmp_path)
    shutil.copytree(found.stdout.strip(), tmp_path / "tests")
    (tmp_path / FILE).write_text(SAMPLE.read_text())
    with Sandbox() as sandbox:
        command = [str(RUNNER), str(tmp_path), sandbox.url, sandbox.client_id, sandbox.client_secret]
        command = [sys.executable, *command, "compat"] if client == "compat" else [old_python, *command]
        environment = os.environ | {"OAUTHLIB_INSECURE_TRANSPORT": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert len(outcomes) == 21
    assert {name: what for name, what in outcomes.items() if what != "passed"} == {}
