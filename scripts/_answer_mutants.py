"""Answers of the sandbox, as the cassettes hold them, changed in small ways that the checker has to see."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from _cassette_uses import Exchange, Member, answered, exchanges

from pokitdok_ext.testing import Contract
from pokitdok_ext.testing.cassettes import Recorded, check_interaction

UNDOCUMENTED = 418
VALUES: tuple[tuple[str, Any], ...] = (("boolean", True), ("array", ["mutated"]), ("integer", 987_654_321))


@dataclass(frozen=True)
class AnswerMutant:
    """A recorded interaction whose answer is no longer what the sandbox gave."""

    kind: str
    place: str
    before: Recorded
    after: Recorded

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}"


def answer_mutants(folder: Path, contract: Contract) -> Iterator[AnswerMutant]:
    """Every mutant of every answer below *folder*."""
    for number, each in enumerate(exchanges(folder, contract)):
        place, before = f"{each.operation.id} answer {each.recorded.status} (call {number})", each.recorded
        yield AnswerMutant("status undocumented", place, before, replace(before, status=UNDOCUMENTED))
        if each.answer is None:
            continue
        cut = replace(before, answer=before.answer[: len(before.answer) // 2])
        yield AnswerMutant("body cut off", place, before, cut)
        for member in answered(contract, each):
            path = "".join(f"/{step}" for step in member.pointer)
            for kind, answer in _of_member(each, member):
                after = replace(before, answer=json.dumps(answer).encode())
                yield AnswerMutant(kind, f"{place} {path}", before, after)


def _of_member(each: Exchange, member: Member) -> Iterator[tuple[str, Any]]:
    name = str(member.pointer[-1])
    if member.closed:
        yield "member renamed", _changed(each.answer, member.pointer, {f"{name}_too": member.value})
        yield "member added", _changed(each.answer, member.pointer, {name: member.value, "mutated": 1})
    if member.required:
        yield "required member left out", _changed(each.answer, member.pointer, {})
    if member.code_list:
        yield "code unknown", _changed(each.answer, member.pointer, {name: "mutated"})
    kinds = member.schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if kinds:
        other = next(value for kind, value in VALUES if kind not in kinds and {kind, "number"} - kinds)
        yield "member retyped", _changed(each.answer, member.pointer, {name: other})


def _changed(answer: Any, pointer: tuple[str | int, ...], instead: dict[str, Any]) -> Any:
    """A copy of *answer* with *instead* in place of the member at *pointer*."""
    changed = copy.deepcopy(answer)
    owner = changed
    for step in pointer[:-1]:
        owner = owner[step]
    del owner[pointer[-1]]
    owner.update(instead)
    return changed


def unseen(mutant: AnswerMutant, contract: Contract) -> bool:
    """Whether the checker finds nothing in the changed answer that it did not find in the recorded one."""
    before, after = (set(check_interaction(each, contract)) for each in (mutant.before, mutant.after))
    return after <= before
