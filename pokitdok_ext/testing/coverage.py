"""How much of the contract some cassettes exercise: operations, statuses, parameters, properties and codes.

Only names of the contract are kept, never a value, except codes of its code lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pokitdok_ext.testing._bodies import read_body
from pokitdok_ext.testing._schemas import Named, Schema
from pokitdok_ext.testing.cassettes import REFUSALS, Recorded, read_cassette
from pokitdok_ext.testing.contract import Contract

KINDS = ("statuses", "parameters", "request properties", "answer properties", "codes")

Names = Mapping[str, Mapping[str, Collection[str]]]
"""Kind, then where it belongs (operation, component, code list), then names there."""

Item = tuple[str, str, str]
"""Kind, where it belongs, and name."""


@dataclass(frozen=True)
class Coverage:
    """What is exercised, of what there is.

    Attributes:
        exercised: Statuses and query parameters of operations, properties of components by direction, codes of lists.
        known: All that the contract has of these; a status that only ``default`` covers is none.
    """

    exercised: frozenset[Item]
    known: frozenset[Item]

    def figures(self) -> dict[str, tuple[int, int]]:
        """How many of how many, by kind; operations are those with some status."""
        both = (self.exercised, self.known)
        figures = {"operations": _pair(len({where for kind, where, _ in each if kind == "statuses"}) for each in both)}
        for name in KINDS:
            figures[name] = _pair(sum(kind == name for kind, _, _ in each) for each in both)
        return figures

    def summary(self) -> str:
        """The figures in one line."""
        counted = ", ".join(f"{name} {some} of {all_}" for name, (some, all_) in self.figures().items())
        return f"exercised by cassettes: {counted}"

    def lost(self, floor: Names) -> list[str]:
        """What *floor* has, the contract still has, and the cassettes exercise no more; in words."""
        gone = (_items(floor) & self.known) - self.exercised
        return [f"{kind}: {where} {name}" for kind, where, name in sorted(gone)]

    def names(self) -> dict[str, dict[str, list[str]]]:
        """What is exercised, sorted, as it is kept in a file and given to `lost` later."""
        found: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS}
        for kind, where, name in sorted(self.exercised):
            found[kind].setdefault(where, []).append(name)
        return found


def measure(cassettes: Iterable[Path], contract: Contract) -> Coverage:
    """What of *contract* the *cassettes* exercise. What they hold beyond it does not count.

    A request that was refused for what it says exercises its operation and status alone.

    Raises:
        ValueError: A file is no cassette.
    """
    known = frozenset(_known(contract))
    seen = {item for path in cassettes for each in read_cassette(path) for item in _exercised(each, contract)}
    return Coverage(frozenset(seen & known), known)


def _pair(numbers: Iterator[int]) -> tuple[int, int]:
    exercised, known = numbers
    return exercised, known


def _items(names: Names) -> set[Item]:
    return {(kind, where, name) for kind, groups in names.items() for where, found in groups.items() for name in found}


def _exercised(each: Recorded, contract: Contract) -> Iterator[Item]:
    operation = contract.operation(each.method, each.url)
    if operation is None:
        return
    yield "statuses", operation.id, str(each.status)
    if each.status not in REFUSALS:
        declared = contract.parameters(operation, "query")
        for name, text in parse_qsl(urlsplit(each.url).query):
            yield "parameters", operation.id, name
            values = [("", declared[name].get("schema", {}))] if name in declared else []
            for code in text.split(","):
                yield from _in_value(contract, "request", values, code)
        schema = contract.request_schema(operation, each.media_type)
        yield from _in_body(contract, "request", schema, each.media_type, each.body)
    found = contract.answer_schema(operation, each.status, each.answer_type)
    if found is not None:
        yield from _in_body(contract, "answer", found[1], found[0], each.answer)


def _in_body(contract: Contract, direction: str, schema: Schema | None, media_type: str, body: bytes) -> Iterator[Item]:
    try:
        value = read_body(media_type, body)
    except ValueError:  # check_cassette says so
        return
    if schema is not None:
        yield from _in_value(contract, direction, [("", schema)], value)


def _in_value(contract: Contract, direction: str, schemas: Iterable[Named], value: Any) -> Iterator[Item]:
    parts = [part for owner, schema in schemas for part in contract.parts_for(value, owner, schema)]
    if isinstance(value, list):
        items = [(owner, part["items"]) for owner, part in parts if "items" in part]
        for element in value:
            yield from _in_value(contract, direction, items, element)
    elif isinstance(value, dict):
        below: dict[str, list[Named]] = defaultdict(list)
        for owner, part in parts:
            for name in part.get("properties", {}).keys() & value.keys():
                yield f"{direction} properties", owner, name
                below[name].append((f"{owner}.{name}", part["properties"][name]))
            free = part.get("additionalProperties")
            if isinstance(free, dict):
                for name in value.keys() - part.get("properties", {}).keys():
                    below[name].append((owner, free))
        for name, found in below.items():
            yield from _in_value(contract, direction, found, value[name])
    else:
        yield from (("codes", owner, str(value)) for owner, part in parts if value in part.get("enum", ()))


def _known(contract: Contract) -> Iterator[Item]:
    for operation in contract.operations:
        yield from (("statuses", operation.id, each) for each in operation.definition["responses"] if each != "default")
        parameters = contract.parameters(operation, "query")
        yield from (("parameters", operation.id, name) for name in parameters)
        asked = [each.get("schema", {}) for each in parameters.values()]
        asked += _content(contract, operation.definition.get("requestBody", {}))
        answered = [
            schema
            for status, each in operation.definition["responses"].items()
            if status != "default"
            for schema in _content(contract, each)
        ]
        for direction, schemas in (("request", asked), ("answer", answered)):
            seen: set[str] = set()
            for schema in schemas:
                yield from _in_schema(contract, direction, "", schema, seen)


def _content(contract: Contract, holder: Schema) -> list[Schema]:
    return [media.get("schema", {}) for media in contract.resolve(holder).get("content", {}).values()]


def _in_schema(contract: Contract, direction: str, owner: str, schema: Schema, seen: set[str]) -> Iterator[Item]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in seen:
            return
        seen.add(name)
        yield from _in_schema(contract, direction, name, contract.resolve(schema), seen)
    yield from (("codes", owner, str(code)) for code in schema.get("enum", ()))
    for name, sub in schema.get("properties", {}).items():
        yield f"{direction} properties", owner, name
        yield from _in_schema(contract, direction, f"{owner}.{name}", sub, seen)
    inner = [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for sub in (*inner, *(each for key in ("allOf", "anyOf", "oneOf") for each in schema.get(key, ()))):
        yield from _in_schema(contract, direction, owner, sub, seen)
