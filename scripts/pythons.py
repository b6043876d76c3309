"""The CPython versions on this machine that this project supports; run as a script it prints them, a line each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)
NEWEST = (3, 14)
ASK_SECONDS = 20.0
ASK = """\
import sys
if sys.implementation.name == "cpython" and sys.prefix == sys.base_prefix:
    print(*sys.version_info[:3])
"""


@dataclass(frozen=True)
class Python:
    """An interpreter."""

    version: tuple[int, int, int]
    path: Path

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} {self.path}"


def found(
    environment: Mapping[str, str] = os.environ, system: Iterable[Path] = (Path("/usr/bin"), Path("/usr/local/bin"))
) -> list[Python]:
    """Every supported CPython of the system, on PATH and of pyenv, oldest version first.

    Each version is given once, the system's own before others of the same version. Virtual environments are left out:
    the Python that they come from stands for them.
    """
    paths = list(dict.fromkeys(_candidates(environment, system)))
    with ThreadPoolExecutor() as pool:
        versions = pool.map(_version, paths)
    first: dict[tuple[int, int, int], Path] = {}
    for path, version in zip(paths, versions, strict=True):
        if version and OLDEST <= version[:2] <= NEWEST:
            first.setdefault(version, path)
    return [Python(version, path) for version, path in sorted(first.items())]


def others() -> list[Python]:
    """Those whose version is not the one that this runs on."""
    return [python for python in found() if python.version != sys.version_info[:3]]


def _candidates(environment: Mapping[str, str], system: Iterable[Path]) -> Iterator[Path]:
    names = ("python3", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)))
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    for folder in (*system, *map(Path, environment.get("PATH", "").split(os.pathsep))):
        for name in names:
            if os.access(folder / name, os.X_OK) and folder != pyenv / "shims":  # they lead to versions/ or nowhere
                yield folder / name
    yield from sorted(pyenv.glob("versions/*/bin/python"))


def _version(python: Path) -> tuple[int, int, int] | None:
    """The version of a CPython that is no virtual environment; None for anything else."""
    try:
        asked = subprocess.run(
            [str(python), "-I", "-c", ASK], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
        major, minor, micro = map(int, asked.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return major, minor, micro


if __name__ == "__main__":
    print(*found(), sep="\n")
