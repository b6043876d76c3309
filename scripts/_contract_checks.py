"""Whether our checks notice an edit of the contract: the report of spec_change, and cassettes that no longer fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from _cassette_uses import uses
from _contract import Contract
from _contract_mutants import Mutant
from _spec_diff import changes
from _spec_fit import recorded
from _spec_problems import read
from _spec_source import BadContract

from pokitdok_ext.testing import Contract as Checker
from pokitdok_ext.testing import check_cassette


class ContractChecks:
    """What tells of an edit, made ready once for many of them.

    Args:
        document: The contract as it is.
        folder: tests/contract, with evidence and cassettes.
    """

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self._old = Contract(document)
        self._evidence = recorded(folder / "evidence")
        self._checker = Checker(document)
        self.uses = uses(folder / "cassettes", self._checker)

    def misses(self, mutant: Mutant) -> Iterator[str]:
        """What should have been said of *mutant* and was not."""
        document = mutant.applied(self._old.document)
        if mutant.level is None:
            yield from self._refusal(mutant, document)
            return
        found = changes(self._old, Contract(document), self._evidence)
        level = max((each.level for each in found), default=None)
        if level is not mutant.level:
            yield f"the report says {level.name.lower() if level else 'nothing'}, not {mutant.level.name.lower()}"
        if any(each.alarm == "error" for each in found) is not mutant.alarm:
            yield "a lost mark is not told" if mutant.alarm else "a mark counts as lost and is not"
        if mutant.kind == "evidence raised" and not any(each.alarm == "warning" for each in found):
            yield "evidence without data is not warned of"
        if not any(mutant.place in f"{each.place} {each.what}" for each in found):
            yield f"the report does not name {mutant.place}"
        cassette = self.uses.get(mutant.use) if mutant.use else None
        if cassette is not None and set(check_cassette(cassette, Checker(document))) <= set(
            check_cassette(cassette, self._checker)
        ):
            yield f"{cassette.stem} uses it and still fits"

    def _refusal(self, mutant: Mutant, document: dict[str, Any]) -> Iterator[str]:
        text = yaml.dump(json.loads(json.dumps(document)), Dumper=yaml.CSafeDumper, sort_keys=False)
        try:
            read("openapi.yaml", text.encode())
        except BadContract as error:
            if not any(each.line > 1 and mutant.place in each.message for each in error.problems):
                yield f"it is refused without a line that names {mutant.place}: {error.problems[0]}"
        else:
            yield "it is not refused"
