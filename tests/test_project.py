"""pyproject.toml and the lock file agree, and the lock names no host."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(re.findall(r"^([\w.-]+)==([\w.]+)", LOCK, flags=re.MULTILINE))


def requirements() -> Iterator[str]:
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    for each in (*PROJECT["project"]["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()):
        yield from (requirement for requirement in each if isinstance(requirement, str))


@pytest.mark.parametrize("text", sorted(set(requirements())))
def test_requirement_is_met_by_the_lock(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)], prereleases=True)


def test_every_pin_has_hashes_and_no_line_names_a_host() -> None:
    pinned = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)[1:]
    assert len(pinned) == len(PINS)
    assert [each.split()[0] for each in pinned if "--hash=sha256:" not in each] == []
    assert "://" not in LOCK
    assert not re.search(r"^\s*--(index|extra-index|find-links|trusted)", LOCK, flags=re.MULTILINE)
