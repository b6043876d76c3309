"""Changes the contract and the sandbox in many small ways, and fails where no check of ours notices.

    python scripts/mutants.py
    python scripts/mutants.py contract --seed 7 --sample 0
    python scripts/mutants.py rules --sample 500 --minutes 60

contract    edits of openapi.yaml, of every operation and component: the report of spec_change has to tell each with its
            level and its name, and a cassette that uses what changed has to stop fitting
answers     recorded answers, changed member by member: the checker of the contract has to find each
deviations  named ways in which the sandbox might stray from the platform: its tests have to fail
rules       the sandbox's source with one comparison, branch, constant or call changed: its tests have to fail for most

Nothing is written: every change is made in memory or in a copy. Exit status: 0 fine; 1 something went unnoticed.
"""

from __future__ import annotations

import _interrupts  # noqa: F401 - first, since the imports below take a second

# isort: split
import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random

from _answer_mutants import answer_mutants, unseen
from _contract import Contract, GenerationError
from _contract_checks import ContractChecks
from _contract_mutants import sampled
from _sandbox_checks import PACKAGE, SLOW, Copy, copy, judges
from _sandbox_deviations import DEVIATIONS, Deviation
from _source_mutants import SourceMutant, source_mutants

from pokitdok_ext.testing import Contract as Checker

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "contract"
LEAST_NOTICED = 0.75
"""Of the changes of rules, the share that has to be noticed. Some change nothing that anybody could see."""


@dataclass(frozen=True)
class Tally:
    """How many changes were tried, and those that nobody noticed, with the reason where there is one."""

    tried: int
    unnoticed: Sequence[str]
    least: float = 1.0

    @property
    def share(self) -> float:
        """The share of what was noticed."""
        return 1 - len(self.unnoticed) / self.tried if self.tried else 0.0

    @property
    def fine(self) -> bool:
        """Whether enough was noticed; never if nothing was tried."""
        return self.share >= self.least


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the changes and print what went unnoticed; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them if left out")
    parser.add_argument("--seed", type=int, default=1, help="another seed chooses other changes (default: 1)")
    parser.add_argument("--sample", type=int, metavar="N", help="how many of each part; 0 for all (default: see below)")
    parser.add_argument("--minutes", type=float, default=10, help="end the rules after so many (default: 10)")
    parser.epilog = "by default: " + ", ".join(f"{part.number or 'all'} {name}" for name, part in PARTS.items())
    options = parser.parse_args(arguments)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}: {', '.join(PARTS)}")
    failed = False
    for name in options.parts or PARTS:
        part = PARTS[name]
        number = part.number if options.sample is None else options.sample
        try:
            tally = part.tried(number, options.seed, time.monotonic() + options.minutes * 60)
        except (GenerationError, RuntimeError, ValueError) as error:
            print(f"mutants.py: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {tally.tried - len(tally.unnoticed)} of {tally.tried} noticed ({tally.share:.0%})", flush=True)
        print(*(f"  unnoticed: {each}" for each in tally.unnoticed), sep="\n", end="\n" if tally.unnoticed else "")
        if not tally.fine:
            print(f"FAILED: {name}: at least {tally.least:.0%} have to be noticed")
            failed = True
    return 1 if failed else 0


def contract(number: int, seed: int, _until: float) -> Tally:
    """Edits of the contract."""
    document = Contract.load(ROOT / "openapi.yaml").document
    checks = ContractChecks(document, FOLDER)
    chosen = sampled(document, number, seed)
    return Tally(
        len(chosen), [f"{mutant}: {miss}" for mutant in chosen for miss in checks.misses(mutant)][: len(chosen)]
    )


def answers(number: int, seed: int, _until: float) -> Tally:
    """Recorded answers, changed."""
    checker = Checker(Contract.load(ROOT / "openapi.yaml").document)
    every = list(answer_mutants(FOLDER / "cassettes", checker))
    chosen = Random(seed).sample(every, min(number, len(every))) if number else every  # noqa: S311 - to be foreseen
    return Tally(len(chosen), [str(each) for each in chosen if unseen(each, checker)])


def deviations(number: int, seed: int, until: float) -> Tally:
    """The named deviations of the sandbox."""
    chosen = Random(seed).sample(DEVIATIONS, number) if number else list(DEVIATIONS)  # noqa: S311
    return in_copies(chosen, until)


def rules(number: int, seed: int, until: float) -> Tally:
    """Changes of the sandbox's source."""
    modules = [file for file in sorted(PACKAGE.glob("[!_]*.py")) if f"test_{file.stem}.py" not in SLOW]
    every = [mutant for module in modules for mutant in source_mutants(module)]
    chosen = Random(seed).sample(every, min(number, len(every))) if number else every  # noqa: S311
    return in_copies(chosen, until, LEAST_NOTICED)


def in_copies(chosen: Sequence[Deviation | SourceMutant], until: float, least: float = 1.0) -> Tally:
    """Run the sandbox's tests on a copy with each change, as many at a time as there are cores, until *until*.

    Raises:
        RuntimeError: They fail without any change, and so would tell nothing.
    """
    sources = [each.source() for each in chosen]
    copies: SimpleQueue[Copy] = SimpleQueue()
    cores = os.cpu_count() or 1

    def outcome(number: int) -> str | None:
        return None if time.monotonic() > until else outcome_of(copies, chosen[number].file, sources[number])

    with ExitStack() as stack:
        for _ in range(cores):
            copies.put(stack.enter_context(copy()))
        unchanged = PACKAGE / "wire.py"
        if chosen and outcome_of(copies, unchanged, unchanged.read_text(encoding="utf-8")) == "noticed":
            raise RuntimeError("the tests of the sandbox fail without any change: pytest tests/sandbox")
        with ThreadPoolExecutor(cores) as pool:
            outcomes = list(pool.map(outcome, range(len(chosen))))
    tried = [(str(each), found) for each, found in zip(chosen, outcomes, strict=True) if found is not None]
    return Tally(len(tried), [name for name, found in tried if found == "unnoticed"], least)


def outcome_of(copies: SimpleQueue[Copy], file: Path, source: str) -> str:
    """What the tests make of *source* in place of the module *file*, in the next copy that is free."""
    place = copies.get()
    try:
        return place.outcome(file, source, judges(file))
    finally:
        copies.put(place)


@dataclass(frozen=True)
class Part:
    """What is tried, and how many by default; 0 means all."""

    tried: Callable[[int, int, float], Tally]
    number: int


PARTS = {
    "contract": Part(contract, 1000),
    "answers": Part(answers, 0),
    "deviations": Part(deviations, 0),
    "rules": Part(rules, 80),
}


if __name__ == "__main__":
    sys.exit(main())
