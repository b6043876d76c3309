"""Makes the environment in which everything here runs: .venv, from the lock file. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
LOCKS = {"all": LOCK, "demo": ROOT / "requirements-demo.lock"}
STAMP = VENV / "made-from"
OLDEST_PYTHON = (3, 11)

AT_ONCE = ("--numprocesses=auto", "--dist=worksteal")
"""What pytest is told when it runs all tests: as many at a time as there are cores, mostly a file in one process."""


class EnvironmentMakingError(Exception):
    """The environment cannot be made; the text says what to do."""


def ensure() -> Path:
    """Make .venv unless it is already the one that the lock file and pyproject.toml describe.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentMakingError: This Python is too old, has no venv module, or the packages could not be installed.
    """
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        raise EnvironmentMakingError(
            f"Python 3.11 or newer is needed, this is {found}. Run it with a newer one: python3.11 scripts/test"
        )
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists() and STAMP.exists() and STAMP.read_text() == made_from():
        return python
    print(f"Making {VENV.name}/ from {LOCK.name} (once; about a minute) ...", file=sys.stderr, flush=True)
    _make(python)
    STAMP.write_text(made_from())
    return python


def _make(python: Path) -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(VENV)])
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run([sys.executable, "-m", "venv", str(VENV)])
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run([*install, "--require-hashes", "-r", str(LOCK)])
    # The build backend comes from the lock file too, so nothing is fetched past its hashes.
    _run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def _run(command: list[str]) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return
    output = (result.stdout + result.stderr).strip()
    hint = "Is the package index reachable?"
    if "ensurepip" in output:
        hint = "Debian and Ubuntu: apt install python3-venv"
    step = " ".join(Path(part).name for part in command[:4])
    raise EnvironmentMakingError(f"{step} ... failed. {hint}\n{output[-2000:]}")


def made_from() -> str:
    """What an environment is made from, as a hash: lock file, pyproject.toml, this Python, this folder."""
    parts = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def run_in_environment(arguments: list[str]) -> int:
    """Run the environment's Python with *arguments* in the repository; return its exit status."""
    try:
        python = ensure()
    except EnvironmentMakingError as problem:
        print(problem, file=sys.stderr)
        return 1
    try:
        return subprocess.call([str(python), *arguments], cwd=ROOT)
    except KeyboardInterrupt:
        return 130
