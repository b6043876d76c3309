"""Records the cassettes of the contract tests anew from the sandbox, in this process, without network.

    python scripts/record.py
    python scripts/record.py -k check_eligibility
    python scripts/record.py --check

The tests record into a folder of their own first. Only when all of them passed are files replaced, each in one step,
and those removed that no test plays: whatever ends this early, no cassette is half-written or missing. A recording
that differs from the cassette in nothing but its first line, which names the contract, leaves the cassette as it is.

What the cassettes exercise of the contract is kept in coverage.yaml beside them. It rises by itself; where it falls,
this says what was lost and keeps it as it is. --accept-losses takes the loss over.

Exit status: 0 done; 1 a test failed while recording, and nothing was changed, or with --check something differs, or
something is exercised no more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import _interrupts  # noqa: F401 - first, since the imports below take a second
import yaml
from _replacing import replace_text

from pokitdok_ext.testing import Contract, measure

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "contract"
CASSETTES = TESTS / "cassettes"
COVERAGE_HEAD = (
    "# What the cassettes exercise of the contract: scripts/record.py writes it, test_coverage.py keeps it.\n"
)


@dataclass(frozen=True)
class Difference:
    """One cassette to be written or removed.

    Attributes:
        name: Of the file, below the folder.
        what: new, changed or unused.
    """

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.what}: {self.name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and put in place; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("-k", metavar="EXPRESSION", help="record the tests that pytest chooses by it; remove nothing")
    parser.add_argument("--cassettes", type=Path, default=CASSETTES, metavar="FOLDER", help="where the cassettes are")
    parser.add_argument("--accept-losses", action="store_true", help="forget what is exercised no more")
    options = parser.parse_args(arguments)
    parent: Path = options.cassettes.parent
    with TemporaryDirectory(prefix=".recording-", dir=parent) as folder:  # beside it: on the same disk
        recorded = Path(folder)
        if _record(recorded, options.k) != 0:
            print(f"nothing was changed in {_shown(options.cassettes)}: a test failed while recording", file=sys.stderr)
            return 1
        found = [*differences(recorded, options.cassettes, complete=options.k is None)]
        if not options.check:
            put_in_place(found, recorded, options.cassettes)
    print(*found, sep="\n", end="\n" if found else "")
    total = sum(1 for _ in options.cassettes.rglob("*.yaml"))
    print(f"{_shown(options.cassettes)}: {len(found)} of {total} cassettes {'differ' if options.check else 'changed'}")
    if options.check:
        if found:
            print("record them anew: nox -s record")
        return 1 if found else 0
    try:
        lost = keep_coverage(options.cassettes, accept_losses=options.accept_losses)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(*(f"exercised no more: {each}" for each in lost), sep="\n", end="\n" if lost else "")
    if lost:
        print("if that is meant: nox -s record -- --accept-losses")
    return 1 if lost else 0


def keep_coverage(cassettes: Path, *, accept_losses: bool) -> list[str]:
    """Write what the cassettes exercise into coverage.yaml; return what is lost, which stays in it unless accepted."""
    file = cassettes.parent / "coverage.yaml"
    coverage = measure(sorted(cassettes.rglob("*.yaml")), Contract())
    floor = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    lost = [] if accept_losses else coverage.lost(floor)
    if not lost:
        text = COVERAGE_HEAD + yaml.safe_dump(coverage.names(), sort_keys=False, default_flow_style=None, width=120)
        replace_text(file, text)
    return lost


def _record(folder: Path, expression: str | None) -> int:
    chosen = ["-k", expression] if expression else []
    pytest = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--record-mode=rewrite"]
    environment = {**os.environ, "POKITDOK_CASSETTES": str(folder)}
    modules = [each for each in sorted(TESTS.glob("test_*.py")) if "mark.vcr" in each.read_text(encoding="utf-8")]
    command = [*pytest, "-m", "vcr", *chosen, *map(str, modules)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def differences(recorded: Path, cassettes: Path, *, complete: bool) -> Iterator[Difference]:
    """What recording changes; if it was *complete*, a cassette that was not recorded is unused."""
    fresh = {file.relative_to(recorded).as_posix(): file for file in sorted(recorded.rglob("*.yaml"))}
    for name, file in fresh.items():
        old = cassettes / name
        if not old.is_file():
            yield Difference(name, "new")
        elif _without_origin(file) != _without_origin(old):
            yield Difference(name, "changed")
    for old in sorted(cassettes.rglob("*.yaml")) if complete else ():
        name = old.relative_to(cassettes).as_posix()
        if name not in fresh:
            yield Difference(name, "unused")


def put_in_place(found: Sequence[Difference], recorded: Path, cassettes: Path) -> None:
    """Write and remove what *found* names."""
    for each in found:
        target = cassettes / each.name
        if each.what == "unused":
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        (recorded / each.name).replace(target)


def _without_origin(file: Path) -> bytes:
    return file.read_bytes().partition(b"\n")[2]


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
