"""The script that makes the environment: when it does, when it does not, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import environment  # noqa: E402 - scripts/ is not a package; the entry points import it the same way


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Commands that would have been run; the environment's place is a temporary one."""
    ran: list[list[str]] = []

    def record(command: list[str]) -> None:
        ran.append(command)
        (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / "bin" / "python").touch()

    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "made-from")
    monkeypatch.setattr(environment, "_run", record)
    return ran


def test_environment_is_made_once(commands: list[list[str]]) -> None:
    environment.ensure()
    made = len(commands)
    environment.ensure()
    assert made > 0
    assert len(commands) == made


def test_environment_is_made_anew_for_another_lock_file(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.ensure()
    made = len(commands)
    other = tmp_path / "requirements.lock"
    other.write_text("attrs==0 --hash=sha256:0\n")
    monkeypatch.setattr(environment, "LOCK", other)
    environment.ensure()
    assert len(commands) == 2 * made


def test_packages_are_installed_by_hash_and_the_project_without_isolation(commands: list[list[str]]) -> None:
    environment.ensure()
    installs = [command for command in commands if "install" in command]
    assert "--require-hashes" in installs[0]
    assert {"--no-deps", "--no-build-isolation"} <= set(installs[1])


def test_old_python_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 1))
    with pytest.raises(environment.EnvironmentMakingError, match=r"Python 3\.11 or newer is needed, this is 3\.9"):
        environment.ensure()


@pytest.mark.parametrize(
    ("output", "hint"),
    [("ensurepip is not available", "apt install python3-venv"), ("connection refused", "package index reachable")],
)
def test_failed_step_is_told_with_a_hint(monkeypatch: pytest.MonkeyPatch, output: str, hint: str) -> None:
    failed = subprocess.CompletedProcess(["python"], 1, stdout="", stderr=output)
    monkeypatch.setattr(environment.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(environment.EnvironmentMakingError, match=hint):
        environment._run(["/somewhere/python", "-m", "venv", "there"])


def test_lock_file_holds_hashes_and_no_host() -> None:
    lines = environment.LOCK.read_text().splitlines()
    pins = [line for line in lines if line[:1].isalnum()]
    assert pins
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert not [line for line in lines if "://" in line or "index-url" in line]
