"""A cassette that is wrong in some way fails by its name, with the command that mends it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import CASSETTES, ROOT

pytestmark = pytest.mark.slow

EMPTY = "origin: nowhere\nversion: 1\ninteractions: []\n"


def edit(folder: Path, operation: str, old: str, new: str) -> None:
    path = folder / "test_operations" / f"{operation}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tests of a broken set of cassettes print."""
    folder = tmp_path_factory.mktemp("broken") / "cassettes"
    shutil.copytree(CASSETTES, folder)
    (folder / "test_operations" / "list_plans.yaml").unlink()
    (folder / "test_operations" / "no_such_operation.yaml").write_text(EMPTY, encoding="utf-8")
    edit(folder, "list_payments", "/payments/?limit=many", "/payments/?limit=few")
    edit(folder, "get_provider", "/providers/1467560003", "/practices/1467560003")
    edit(folder, "list_schedulers", "  - scheduler_uuid:", "  - colour: red\n          scheduler_uuid:")
    payers = folder / "test_operations" / "list_payers.yaml"
    text = payers.read_text(encoding="utf-8")
    payers.write_text(text + text[text.rindex("- request:") :], encoding="utf-8")
    chosen = "list_plans or list_payments or get_provider or list_schedulers or list_payers or belongs_to_a_test"
    tests = ["tests/contract/test_operations.py", "tests/contract/test_cassettes.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *tests],
        cwd=ROOT,
        env={**os.environ, "POKITDOK_CASSETTES": str(folder), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        r"list_plans\.yaml is missing: nox -s record",
        r"list_payers\.yaml holds what its test did not play \(\d+\. GET /api/v4/payers/\): nox -s record",
        r"list_payments\.yaml holds what its test did not play \(\d+\. GET /api/v4/payments/\): nox -s record",
        r"test_operations/get_provider is stale: nox -s record",
        r"GET on a path of 4 segments: operation: is not in the contract",
        r"test_operations/list_schedulers is stale: nox -s record",
        r"list_schedulers answer 200: undocumented property: /data/\*/colour",
        r"no test plays these: nox -s record removes them",
        r"test_operations/no_such_operation",
    ],
)
def test_broken_cassette_is_named_with_what_mends_it(said: str, line: str) -> None:
    assert re.search(line, said), said[-3000:]
