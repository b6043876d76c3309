"""Which Pythons the tests run on: what is found, what is left out, and that nothing runs twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import pythons  # noqa: E402 - scripts/ is not a package

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreters made up here are shell scripts")


def interpreter(path: Path, version: str = "", status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_those_of_the_system_on_path_and_of_pyenv_are_found_once_for_each_version(tmp_path: Path) -> None:
    system = interpreter(tmp_path / "usr" / "python3", "3 11 2")
    interpreter(tmp_path / "usr" / "python3.11", "3 11 2")
    newer = interpreter(tmp_path / "local" / "python3.14", "3 14 0")
    interpreter(tmp_path / "local" / "python3", "3 11 2")
    pyenv = interpreter(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", "3 12 1")
    environment = {"PATH": str(tmp_path / "local"), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert pythons.found(environment, [tmp_path / "usr"]) == [
        pythons.Python((3, 11, 2), system),
        pythons.Python((3, 12, 1), pyenv),
        pythons.Python((3, 14, 0), newer),
    ]


def test_pyenv_is_looked_for_in_the_home_folder(tmp_path: Path) -> None:
    path = interpreter(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3 13 0")
    assert pythons.found({"HOME": str(tmp_path)}, []) == [pythons.Python((3, 13, 0), path)]


@pytest.mark.parametrize(
    ("version", "status"),
    [("3 10 9", 0), ("3 15 0", 0), ("", 0), ("3 12 1", 127), ("Not a Python", 0)],
    ids=["too old", "too new", "not CPython, or a virtual environment", "shim that leads nowhere", "something else"],
)
def test_what_is_no_supported_python_is_left_out(tmp_path: Path, version: str, status: int) -> None:
    interpreter(tmp_path / "python3", version, status)
    assert pythons.found({}, [tmp_path]) == []


def test_virtual_environment_is_left_out_for_the_python_that_it_comes_from(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    base = Path(sys.base_prefix) / "bin"
    assert pythons.found({"PATH": str(tmp_path / "venv" / "bin")}, []) == []
    assert sys.version_info[:3] in {each.version for each in pythons.found({"PATH": str(base)}, [])}


def test_others_are_those_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    this = pythons.Python((sys.version_info[0], sys.version_info[1], sys.version_info[2]), Path(sys.executable))
    other = pythons.Python((3, 11, 99), Path("/usr/bin/python3"))
    monkeypatch.setattr(pythons, "found", lambda: [this, other])
    assert pythons.others() == [other]
