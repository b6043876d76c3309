"""Says what a change of openapi.yaml means: for callers, for names in Python, for cassettes and evidence.

The contract is compared with the last released one: that of the newest version tag of this history, else that of HEAD.

    python scripts/spec_change.py
    python scripts/spec_change.py --base v1.2.0 --markdown report.md

Exit status: 0 fine; 1 a breaking change without a new major version, or a lost mark of patient data or of a secret;
2 a contract that cannot be used, with file and line.
"""

from __future__ import annotations

import _interrupts  # noqa: F401 - first, since the imports below take a second

# isort: split
import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _replacing import replace_text
from _spec_diff import changes
from _spec_fit import Fit, cassettes, changed_operations, python_names, recorded, recordings, skeletons
from _spec_problems import read
from _spec_report import Report
from _spec_source import BadContract, Problem

from pokitdok_ext.testing import Contract as Checker

ROOT = Path(__file__).resolve().parent.parent
CONTRACT_TESTS = ROOT / "tests" / "contract"
RECORDINGS = ROOT.parent / "shared" / "platform" / "recordings"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contract", type=Path, default=ROOT / "openapi.yaml", help="the changed contract")
    parser.add_argument("--base", metavar="FILE|REV", help="what to compare with: a file, or a git revision")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report as Markdown too")
    options = parser.parse_args(arguments)
    try:
        text = _bytes(options.contract)
        against, base = released(options.base)
        report = compare(_shown(options.contract), text, against, base)
        if options.markdown:
            _write(options.markdown, report.markdown())
    except BadContract as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 2
    print(report.terminal(), end="")
    return 1 if report.failures else 0


def compare(name: str, text: bytes, against: str, base: bytes) -> Report:
    """The report on the contract in *text* against the one in *base*.

    Raises:
        BadContract: One of the two cannot be used.
    """
    old_source, old, old_forms = read(f"{name} of {against}", base)
    new_source, new, new_forms = read(name, text)
    found = changes(old, new, recorded(CONTRACT_TESTS / "evidence"))
    before, after = python_names(old, old_forms), python_names(new, new_forms)
    checkers = Checker(old.document), Checker(new.document)
    touched = changed_operations(found, old, new)
    fits: list[Fit] = [
        cassettes(CONTRACT_TESTS / "cassettes", *checkers, touched, text),
        skeletons(CONTRACT_TESTS / "evidence", old.document, new.document),
    ]
    if RECORDINGS.is_dir():
        fits.append(recordings(RECORDINGS, *checkers))
    return Report(old_source, new_source, against, found, sorted(after - before), sorted(before - after), fits)


def released(base: str | None) -> tuple[str, bytes]:
    """What to compare with: its name and its content.

    Raises:
        BadContract: There is no such file or revision.
    """
    if base is not None and Path(base).is_file():
        return base, _bytes(Path(base))
    if base is not None:
        return f"revision {base}", _git("show", f"{base}:openapi.yaml")
    # The suffix makes 1.0.0-rc1 older than 1.0.0.
    newest_first = ("-c", "versionsort.suffix=-", "tag", "--merged", "HEAD", "--sort=-version:refname")
    tags = _git(*newest_first, "--list", "v[0-9]*", "[0-9]*").decode().split()
    if tags:
        return f"tag {tags[0]}", _git("show", f"{tags[0]}:openapi.yaml")
    return "HEAD (no release is tagged yet)", _git("show", "HEAD:openapi.yaml")


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True)
    except FileNotFoundError as error:
        raise BadContract([Problem("git", 0, "is not installed; give --base FILE")]) from error
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode(errors="replace").split())
        raise BadContract([Problem("git", 0, f"{said}; give --base FILE or a revision with openapi.yaml")]) from error
    return done.stdout


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadContract([Problem(str(path), 0, error.strerror or "cannot be read")]) from error


def _write(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise BadContract([Problem(str(path), 0, error.strerror or "cannot be written")]) from error


def _shown(path: Path) -> str:
    return path.resolve().relative_to(ROOT).as_posix() if path.resolve().is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
