"""pyproject.toml and the lock files agree, and the locks name no host."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
DEMO_LOCK = (ROOT / "requirements-demo.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pinned(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package of a lock file."""
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    found = {}
    for entry in entries:
        name, version = entry.split()[0].split("==")
        found[name] = (version, frozenset(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
    assert len(found) == len(entries)
    return found


PINS = {name: version for name, (version, _) in pinned(LOCK).items()}


def requirements() -> Iterator[str]:
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    for each in (*PROJECT["project"]["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()):
        yield from (requirement for requirement in each if isinstance(requirement, str))


@pytest.mark.parametrize("text", sorted(set(requirements())))
def test_requirement_is_met_by_the_lock(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)], prereleases=True)


@pytest.mark.parametrize("lock", [LOCK, DEMO_LOCK], ids=["all", "demo"])
def test_every_pin_has_hashes_and_no_line_names_a_host(lock: str) -> None:
    assert [name for name, (_, hashes) in pinned(lock).items() if not hashes] == []
    assert "://" not in lock
    assert not re.search(r"^\s*--(index|extra-index|find-links|trusted)", lock, flags=re.MULTILINE)


def test_lock_of_the_demo_is_a_part_of_the_whole_lock() -> None:
    assert pinned(DEMO_LOCK).items() <= pinned(LOCK).items()
    assert len(pinned(DEMO_LOCK)) < len(PINS) / 2


def test_lock_of_the_demo_holds_what_the_demo_and_the_build_need() -> None:
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    needed = [*PROJECT["project"]["dependencies"], *extras["sandbox"], *groups["demo"], *groups["build"]]
    assert {canonicalize_name(Requirement(text).name) for text in needed} <= set(pinned(DEMO_LOCK))


def test_test_that_hangs_fails_by_its_name(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    assert 60 <= float(pytestconfig.getini("timeout")) <= 600
    (tmp_path / "test_it.py").write_text("import time\n\ndef test_that_hangs():\n    time.sleep(600)\n")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-n", "1", "-o", "timeout=0.5", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"FAILED test_it\.py::test_that_hangs.*Timeout", done.stdout)
