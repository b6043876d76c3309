"""Whether the sandbox's own tests notice a change of its source, which is made in a copy of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pokitdok_sandbox"
TESTS = ROOT / "tests" / "sandbox"

SLOW = frozenset(
    f"test_{name}.py"
    for name in (
        *("fuzz", "load", "prism_proxy", "page", "old_suite", "durability", "server", "tls", "scenarios", "ways_in"),
        *("guide",),
    )
)
"""Tests that start processes, browsers or other programs: too slow to be run for every mutant."""

SECONDS = 180
"""After so many the tests count as hung, which is noticed."""


@dataclass(frozen=True)
class Copy:
    """A copy of the sandbox that tests are run against."""

    folder: Path

    def outcome(self, file: Path, source: str, tests: list[Path]) -> Literal["noticed", "unnoticed"]:
        """What *tests* make of the sandbox with *source* in place of its module *file*; then the module is as it was.

        Raises:
            RuntimeError: The tests cannot be run.
        """
        place = self.folder / PACKAGE.name / file.relative_to(PACKAGE)
        kept = place.read_text(encoding="utf-8")
        place.write_text(source, encoding="utf-8")
        try:
            return self._run(tests)
        finally:
            place.write_text(kept, encoding="utf-8")

    def _run(self, tests: list[Path]) -> Literal["noticed", "unnoticed"]:
        # -P: the folder that is worked in holds the real sandbox, which must not come first.
        command = [sys.executable, "-P", "-B", "-m", "pytest", "-q", "-x", "--no-header", "--tb=no"]
        command += ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", *map(str, tests)]
        paths = [str(self.folder), str(ROOT), str(ROOT / "generated")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return "noticed"
        said = f"{done.stdout[-1000:]}{done.stderr[-1000:]}"
        if done.returncode not in {0, 1, 2} and "ImportError while loading conftest" not in said:
            raise RuntimeError(f"the tests of the sandbox cannot be run:\n{said}")
        return "noticed" if done.returncode else "unnoticed"


@contextmanager
def copy() -> Iterator[Copy]:
    """A copy of the sandbox, for as long as it is needed."""
    with TemporaryDirectory() as folder:
        shutil.copytree(PACKAGE, Path(folder) / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "openapi.yaml", folder)
        yield Copy(Path(folder))


def judges(file: Path) -> list[Path]:
    """The quick tests of the sandbox, those first that are named like the module *file*."""
    quick = [test for test in sorted(TESTS.glob("test_*.py")) if test.name not in SLOW]
    return sorted(quick, key=lambda test: not test.stem.startswith(f"test_{file.stem}"))
