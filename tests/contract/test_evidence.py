"""The evidence: no status, field or type that was recorded on the real platform is lost from the contract.

Needs nothing but this clone; tests/contract/evidence is made by scripts/evidence.py.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pokitdok_ext.testing import Contract

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from evidence_page import page  # noqa: E402 - scripts/ is no package

FOLDER = Path(__file__).parent / "evidence"
SKELETONS = [
    (f"{file.stem}-{number}", skeleton)
    for file in sorted(FOLDER.glob("*.yaml"))
    for number, skeleton in enumerate(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
]
DOCUMENT = Contract().document

Schema = dict[str, Any]
Shape = Any


def resolved(document: Any, schema: Schema) -> Schema:
    while "$ref" in schema:
        target = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def alternatives(document: Any, schemas: Sequence[Schema]) -> Iterator[Schema]:
    for schema in schemas:
        found = resolved(document, schema)
        yield found
        yield from alternatives(document, [*found.get("anyOf", ()), *found.get("oneOf", ()), *found.get("allOf", ())])


def lost(document: Any, schemas: Sequence[Schema], shape: Shape, place: str) -> Iterator[str]:
    """What of *shape* none of *schemas* has."""
    parts = list(alternatives(document, schemas))
    if isinstance(shape, dict) and set(shape) == {"|"}:
        for one in shape["|"]:
            yield from lost(document, schemas, one, place)
    elif isinstance(shape, dict):
        free = [part["additionalProperties"] for part in parts if part.get("additionalProperties")]
        for name, child in shape.items():
            known = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            if known:
                yield from lost(document, known, child, f"{place}/{name}")
            elif not free:
                yield f"{place}/{name}: field"
            elif True not in free:
                yield from lost(document, free, child, f"{place}/{name}")
    elif isinstance(shape, list):
        items = [part["items"] for part in parts if "items" in part]
        if not items:
            yield f"{place}: array"
        for child in shape if items else ():
            yield from lost(document, items, child, f"{place}/*")
    else:
        declared = {name for part in parts for name in types_of(part)}
        yield from (f"{place}: {name}" for name in shape.split("|") if declared and not allowed(name, declared))


def types_of(schema: Schema) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def allowed(name: str, declared: set[str]) -> bool:
    return name in declared or (name == "integer" and "number" in declared)


def losses(document: Any, skeleton: dict[str, Any]) -> list[str]:
    """Everything of one skeleton that the contract does not have."""
    item = document["paths"].get(skeleton["path"], {})
    operation = item.get(skeleton["method"].lower())
    if operation is None:
        return [f"{skeleton['method']} {skeleton['path']}: operation"]
    found: list[str] = []
    parameters = [resolved(document, p) for p in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    found += [f"query {name}" for name in skeleton.get("query", ()) if name not in names]
    if "request" in skeleton:
        content = resolved(document, operation.get("requestBody", {})).get("content", {}).values()
        found += lost(document, [media["schema"] for media in content], skeleton["request"], "request")
    answer = operation["responses"].get(str(skeleton["status"]))
    if answer is None:
        return [*found, f"status {skeleton['status']}"]
    if "answer" in skeleton:
        content = resolved(document, answer).get("content", {}).values()
        found += lost(document, [media["schema"] for media in content], skeleton["answer"], "answer")
    return found


def test_there_is_evidence() -> None:
    assert len(SKELETONS) >= 33


@pytest.mark.parametrize("skeleton", [entry for _, entry in SKELETONS], ids=[name for name, _ in SKELETONS])
def test_nothing_recorded_is_lost_from_the_contract(skeleton: dict[str, Any]) -> None:
    assert losses(DOCUMENT, skeleton) == []


@pytest.mark.parametrize("skeleton", [entry for _, entry in SKELETONS], ids=[name for name, _ in SKELETONS])
def test_evidence_claims_recorded_what_was_recorded(skeleton: dict[str, Any]) -> None:
    operation = DOCUMENT["paths"][skeleton["path"]][skeleton["method"].lower()]
    assert operation["x-evidence-by-status"][str(skeleton["status"])] == "recorded"


def test_nothing_else_claims_to_be_recorded() -> None:
    recorded = {(entry["path"], entry["method"].lower(), str(entry["status"])) for _, entry in SKELETONS}
    claimed = {
        (path, method, status)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for status, evidence in operation["x-evidence-by-status"].items()
        if evidence == "recorded"
    }
    assert claimed - recorded == set()


def test_page_on_evidence_is_the_one_that_the_evidence_gives() -> None:
    assert (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8") == page(Contract(), FOLDER), "nox -s evidence"


@pytest.mark.parametrize("fault", ["field", "type", "status", "operation"])
def test_check_finds_what_is_taken_away(fault: str) -> None:
    document: Any = copy.deepcopy(DOCUMENT)
    schemas = document["components"]["schemas"]
    if fault == "field":
        del schemas["EligibilityCoverage"]["properties"]["plan_number"]
    elif fault == "type":
        schemas["EligibilityCoverage"]["properties"]["plan_number"] = {"type": "integer"}
    elif fault == "status":
        del document["paths"]["/api/v4/eligibility/"]["post"]["responses"]["500"]
    else:
        del document["paths"]["/api/v4/eligibility/"]["post"]
    assert any(losses(document, skeleton) for name, skeleton in SKELETONS if name.startswith("check_eligibility"))
