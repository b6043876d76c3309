"""Our templates beside the generator's: scripts/templates/upstream.yaml accounts for every one of both."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import openapi_python_client
import pytest
import yaml

OURS = Path(__file__).resolve().parents[2] / "scripts" / "templates"
THEIRS = Path(openapi_python_client.__file__).parent / "templates"
ACCOUNT: dict[str, Any] = yaml.safe_load((OURS / "upstream.yaml").read_text(encoding="utf-8"))
REMEDY = "read docs/upgrading-the-generator.md"


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jinja")}


def test_version_is_the_one_that_was_looked_at() -> None:
    assert version("openapi-python-client") == ACCOUNT["version"], REMEDY


def test_every_template_of_ours_is_accounted_for() -> None:
    assert names(OURS) == set(ACCOUNT["replaced"]) | set(ACCOUNT["added"])


def test_every_template_of_upstream_is_accounted_for() -> None:
    assert names(THEIRS) == set(ACCOUNT["replaced"]) | set(ACCOUNT["unused"]), REMEDY


@pytest.mark.parametrize("name", ACCOUNT["replaced"])
def test_upstream_has_not_changed_the_template_that_ours_replaces(name: str) -> None:
    digest = hashlib.sha256((THEIRS / name).read_bytes()).hexdigest()
    assert digest == ACCOUNT["replaced"][name]["digest"], REMEDY


@pytest.mark.parametrize("name", ACCOUNT["replaced"])
def test_template_is_ours_and_no_copy(name: str) -> None:
    """Lines of some length that both have say that something was copied; imports and the names of functions apart."""
    ours, theirs = ((folder / name).read_text(encoding="utf-8").splitlines() for folder in (OURS, THEIRS))
    long = {line.strip() for line in theirs if len(line.strip()) > 40}
    shared = [line for line in ours if line.strip() in long]
    assert [line for line in shared if "import" not in line and "def " not in line] == []
