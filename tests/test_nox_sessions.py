"""What the documentation says of `nox -s` is there, and a session installs what it needs once."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from nox.registry import get as registered

ROOT = Path(__file__).resolve().parent.parent
TOLD = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "scripts").glob("*.py"))]


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_session_that_is_told_of_is_there(noxfile: ModuleType) -> None:
    told = {name for page in TOLD for name in re.findall(r"nox -s (\w+)", page.read_text(encoding="utf-8"))}
    assert {"generate", "spec_change", "record", "tests"} <= told
    assert told - set(registered()) == set()


def test_session_installs_once_for_each_state_of_the_lock_file(
    noxfile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[Any] = []
    session = SimpleNamespace(
        virtualenv=SimpleNamespace(location=str(tmp_path)), install=lambda *what: installed.append(what)
    )
    noxfile.install(session)
    first = len(installed)
    noxfile.install(session)
    assert (first, len(installed)) == (2, 2)
    monkeypatch.setattr(noxfile, "made_from", lambda: "another lock file")
    noxfile.install(session)
    assert len(installed) == 4


def test_session_that_could_not_install_does_so_again(noxfile: ModuleType, tmp_path: Path) -> None:
    def failing(*_: str) -> None:
        raise ConnectionError

    location = SimpleNamespace(location=str(tmp_path))
    with pytest.raises(ConnectionError):
        noxfile.install(SimpleNamespace(virtualenv=location, install=failing))
    assert list(tmp_path.iterdir()) == []
