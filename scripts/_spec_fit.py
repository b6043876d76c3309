"""What a change of the contract leaves behind: names in Python, and cassettes, evidence and recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from _contract import Contract
from _forms import Forms
from _skeletons import losses
from _spec_changes import Change, Level
from _spec_diff import follow
from openapi_python_client.strings import ClassName, PythonIdentifier, snake_case

from pokitdok_ext.testing import Contract as Checker
from pokitdok_ext.testing import read_cassette
from pokitdok_ext.testing.cassettes import Recorded, check_interaction

WIRE_FACTS = {301, 405}
"""Statuses of recordings that no contract describes: redirects and refused methods."""


@dataclass(frozen=True)
class Fit:
    """How recorded things fit.

    Attributes:
        lost: Name and first reason of each that fitted the old contract and does not fit the new one.
        touched: Names of those that fit, of an operation that changed.
        dated: How many say that another contract made them.
    """

    what: str
    total: int
    lost: Sequence[tuple[str, str]]
    touched: Sequence[str] = ()
    dated: int = 0


def python_names(contract: Contract, forms: Forms) -> set[str]:
    """Every name that scripts/generate.py makes for callers: functions, arguments, classes, fields, codes."""
    names: set[str] = set()
    for name, form in forms.by_name.items():
        function = f"api.{PythonIdentifier(form.operation.tag, 'tag')}.{name}"
        names.add(function)
        names |= {f"{function}({_identifier(each.name)})" for each in form.operation.parameters}
    for name, schema in contract.schemas.items():
        model = f"models.{ClassName(name, 'field_')}"
        if "enum" in schema:
            names |= {model, *(f"{model}.{snake_case(each).upper()}" for each in schema.get("x-enum-varnames", ()))}
        elif contract.is_object(name):
            names |= {model, *(f"{model}.{_identifier(key)}" for key in contract.properties(name))}
    return names


def _identifier(name: str) -> str:
    return PythonIdentifier(name, "field_")


def changed_operations(changes: Iterable[Change], *contracts: Contract) -> set[str]:
    """Operations that a change for callers, or one of an example, reaches."""
    noted = [each for each in changes if each.level > Level.PATCH or each.subject == "example"]
    components = {
        (str(e.pointer[1]), str(e.pointer[2])) for e in noted if e.pointer[:1] == ("components",) and e.pointer[2:]
    }
    addresses = {e.pointer[1:3] for e in noted if e.pointer[:1] == ("paths",)}
    found: set[str] = set()
    for contract in contracts:
        for facts in contract.operations.values():
            reached: set[tuple[str, str]] = set()
            follow(contract, facts.definition, reached)
            follow(contract, contract.document["paths"][facts.path].get("parameters"), reached)
            if reached & components or (facts.path, facts.method.lower()) in addresses:
                found.add(facts.id)
    return found


def cassettes(folder: Path, old: Checker, new: Checker, changed: set[str], text: bytes) -> Fit:
    """The cassettes below *folder*; *text* is the new contract, whose hash a fresh one bears."""
    stamp = f"contract {hashlib.sha256(text).hexdigest()[:12]}"
    lost, touched, dated = [], [], 0
    files = sorted(folder.rglob("*.yaml"))
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        with file.open(encoding="utf-8") as opened:
            dated += stamp not in opened.readline()
        interactions = _cassette(file, file.stat().st_mtime_ns)
        before, after = ([f for each in interactions for f in check_interaction(each, by)] for by in (old, new))
        reason = _new_finding(before, after)
        used = {found.id for each in interactions if (found := new.operation(each.method, each.url))}
        if reason:
            lost.append((name, reason))
        elif used & changed:
            touched.append(name)
    return Fit("cassettes", len(files), lost, touched, dated)


@cache
def _cassette(file: Path, _changed: int) -> list[Recorded]:
    """A cassette, read once for all contracts that it is compared with."""
    return read_cassette(file)


def skeletons(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> Fit:
    """The evidence in *folder*."""
    entries = [
        (f"{file.stem} {number}", each) for file in sorted(folder.glob("*.yaml")) for number, each in _numbered(file)
    ]
    reasons = [(name, _new_finding(losses(old, each), losses(new, each))) for name, each in entries]
    return Fit("evidence", len(entries), [(name, reason) for name, reason in reasons if reason])


def recorded(folder: Path) -> frozenset[tuple[str, str, str]]:
    """Path, method and status of all evidence in *folder*."""
    entries = (each for file in folder.glob("*.yaml") for _, each in _numbered(file))
    return frozenset((each["path"], each["method"], str(each["status"])) for each in entries)


def recordings(folder: Path, old: Checker, new: Checker) -> Fit:
    """The recordings of the real platform in *folder*."""
    lost, total = [], 0
    for file in sorted(folder.glob("*/*.yaml")):
        for number, each in enumerate(
            yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["interactions"]
        ):
            if each["response"]["status"]["code"] in WIRE_FACTS:
                continue
            total += 1
            reason = _new_finding(_recording(old, each), _recording(new, each))
            if reason:
                lost.append((f"{file.parent.name}/{file.stem} {number}", reason))
    return Fit("recordings", total, lost)


def _recording(checker: Checker, interaction: Any) -> list[Any]:
    request, response = interaction["request"], interaction["response"]
    method, url = request["method"], request["uri"]
    media = (request["headers"].get("Content-Type") or [None])[0]
    found = checker.check_request(method, url, media_type=media, body=(request.get("body") or "").encode())
    answer = (response["body"].get("string") or "").encode()
    return [*found, *checker.check_answer(method, url, status=response["status"]["code"], body=answer)]


def _numbered(file: Path) -> list[tuple[int, Any]]:
    return list(enumerate(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)))


def _new_finding(before: Sequence[Any], after: Sequence[Any]) -> str:
    """The first way in which it fits the new contract worse than the old one; findings hold no values."""
    known = set(map(str, before))
    return next((text for text in map(str, after) if text not in known), "")
