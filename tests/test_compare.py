"""The table that sets this client beside others: each line names a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "compare.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| feature")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_line_names_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 8
    assert all(row), "an empty cell claims nothing and looks like a mistake"
    [(file, name)] = re.findall(r"^`(tests/[\w/]+\.py)::(test_\w+)`$", row[-1])
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_every_feature_is_there_once() -> None:
    features = [row[0] for row in ROWS]
    assert len(features) > 25
    assert len(set(features)) == len(features)
