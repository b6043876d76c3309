"""What of the contract the cassettes use: operations, statuses, fields, codes, each with a cassette that has it.

Only what can be told for certain: no way leads through anyOf or oneOf.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pokitdok_ext.testing import Contract
from pokitdok_ext.testing.cassettes import Recorded, read_cassette
from pokitdok_ext.testing.contract import Operation

Use = tuple[str, ...]
"""Such as ("operation", "submit_claim"), ("status", "submit_claim", "200"), ("field", "Claim", "id")."""


@dataclass(frozen=True)
class Exchange:
    """An interaction of a cassette and its operation."""

    cassette: Path
    operation: Operation
    recorded: Recorded

    @property
    def answer(self) -> Any:
        """The answer; None if it is no JSON."""
        return _as_json(self.recorded.answer)


@dataclass(frozen=True)
class Member:
    """A member of a recorded body that the contract names.

    Attributes:
        pointer: The way to its value.
        component: The component that names it; None if that is written in place.
        schema: What the contract says of its value, references followed.
        code_list: The component of its codes, if it has codes.
        required: Whether its owner has to have it.
        closed: Whether nothing but what the contract names may stand beside it.
    """

    pointer: tuple[str | int, ...]
    component: str | None
    schema: Mapping[str, Any]
    code_list: str | None
    required: bool
    closed: bool
    value: Any


def exchanges(folder: Path, contract: Contract) -> Iterator[Exchange]:
    """All that the cassettes below *folder* hold and the contract knows."""
    for cassette in sorted(folder.rglob("*.yaml")):
        for each in read_cassette(cassette):
            operation = contract.operation(each.method, each.url)
            if operation is not None:
                yield Exchange(cassette, operation, each)


def uses(folder: Path, contract: Contract) -> dict[Use, Path]:
    """Everything used, with the first cassette that does."""
    found: dict[Use, Path] = {}
    for each in exchanges(folder, contract):
        name = each.operation.id
        used: list[Use] = [("operation", name), ("status", name, str(each.recorded.status))]
        for member in (*asked(contract, each), *answered(contract, each)):
            if member.component is not None:
                used.append(("field", member.component, str(member.pointer[-1])))
            if member.code_list is not None:
                used.append(("code", member.code_list, str(member.value)))
        for use in used:
            found.setdefault(use, each.cassette)
    return found


def asked(contract: Contract, each: Exchange) -> Iterator[Member]:
    """The members of a recorded request that was not refused."""
    if each.recorded.status < 400:
        schema = _json_schema(contract, each.operation.definition.get("requestBody", {}))
        yield from members(contract, schema, _as_json(each.recorded.body))


def answered(contract: Contract, each: Exchange) -> Iterator[Member]:
    """The members of a recorded answer."""
    answer = each.operation.definition["responses"].get(str(each.recorded.status), {})
    yield from members(contract, _json_schema(contract, answer), each.answer)


def _json_schema(contract: Contract, body: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = contract.resolve(body).get("content", {}).get("application/json", {}).get("schema", {})
    return found


def members(
    contract: Contract, schema: Mapping[str, Any], value: Any, pointer: tuple[str | int, ...] = ()
) -> Iterator[Member]:
    """The members of *value* that *schema* names."""
    name, schema = _followed(contract, schema)
    for part in schema.get("allOf", ()):
        yield from members(contract, part, value, pointer)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from members(contract, schema.get("items", {}), item, (*pointer, number))
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        for key in value.keys() & known.keys():
            code_list, says = _followed(contract, known[key])
            yield Member(
                (*pointer, key),
                name,
                says,
                code_list if "enum" in says else None,
                required=key in schema.get("required", ()),
                closed="additionalProperties" not in schema and "allOf" not in schema,
                value=value[key],
            )
            yield from members(contract, known[key], value[key], (*pointer, key))


def _followed(contract: Contract, schema: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    name = None
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = contract.document["components"]["schemas"][name]
    return name, schema


def _as_json(body: bytes) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None
