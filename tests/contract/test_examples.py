"""The examples of the platform's documentation, over its whole history, fit the contract and survive its models.

Many print only a part of a message. An example fits if one of its readings does, without an undocumented property: as a
request or answer of the operation that its URL names, or as one of the contract's components, by its member names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pokitdok_api import models
from pokitdok_ext.testing import Contract, Finding

pytestmark = pytest.mark.shared

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "platform"
CONTRACT = Contract()
SCHEMAS = CONTRACT.document["components"]["schemas"]

MISFITS = {
    "eligibility/002-request": "leaves out provider, which the recorded API requires",
    "eligibility/017-request": "leaves out provider, which the recorded API requires",
    "identitymatch/005-response": "an ellipsis stands for the content",
    "identitymatch/009-response": "an ellipsis stands for the content",
    "insuranceprices/002-response": "not what was recorded: amounts without their bounds",
    "pharmacy_drugcost/003-response": "an amount with a typing error",
    "pharmacy_formulary/004-response": "wrapper of the drug cost drafts, shown under the formulary",
    "pharmacy_formulary/005-response": "wrapper of the drug cost drafts, shown under the formulary",
}
"""Examples that no reading fits, with the reason."""

NOT_OF_THIS_API = "examples/index/"
"""The documentation tool's own sample."""

# Components that would accept anything say nothing, and a request is not read as its echo.
LOOSE = re.compile(r"BareEnvelope|ClaimValidation|Ccd|EligibilityConstants|.*ActivityParameters")
NAMED = {
    name: set(schema["properties"])
    for name, schema in SCHEMAS.items()
    if schema.get("properties") and not LOOSE.match(name)
}


@dataclass(frozen=True)
class Example:
    name: str
    is_request: bool
    method: str
    path: str
    value: Any


def examples() -> Iterator[Example]:
    for line in (EXAMPLES / "examples" / "index.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        file, kind, method, url, *_ = line.split("\t")
        if file.startswith(NOT_OF_THIS_API):
            continue
        found = re.search(r"/(?:api/v4|oauth2)/[^?;]*", url)
        yield Example(
            name=file.removeprefix("examples/").removesuffix(".json"),
            is_request=kind == "request" and method != "GET",
            method=method or "POST",
            path=found.group() if found else "",
            value=json.loads((EXAMPLES / file).read_text(encoding="utf-8")),
        )


ALL = list(examples()) if EXAMPLES.is_dir() else []


@dataclass(frozen=True)
class Reading:
    """One way to take an example: what the contract finds wrong, and the schema and value for a model."""

    findings: list[Finding]
    schema: Any
    value: Any


def readings(example: Example) -> Iterator[Reading]:
    body = json.dumps(example.value).encode()
    method, path = example.method, example.path
    operation = CONTRACT.operation(method, path) if path else None
    if operation is not None and example.is_request:
        findings = CONTRACT.check_request(method, path, media_type="application/json", body=body)
        schema = operation.definition["requestBody"]["content"]["application/json"]["schema"]
        yield Reading(findings, schema, example.value)
        if all(finding.rule == "body" for finding in findings):
            return  # it is this request, be it a good one or not
    if operation is not None and not example.is_request:
        wrapped = {"meta": {"processing_time": 1}, "data": example.value}
        for status, response in operation.definition["responses"].items():
            if status == "default" or "application/json" not in CONTRACT.resolve(response).get("content", {}):
                continue
            schema = CONTRACT.resolve(response)["content"]["application/json"]["schema"]
            for value in (example.value, wrapped) if status == "200" else (example.value,):
                found = CONTRACT.check_answer(method, path, status=int(status), body=json.dumps(value).encode())
                yield Reading(found, schema, value)
    yield from as_components(example.value)


def as_components(value: Any) -> Iterator[Reading]:
    """*value*, or the data in it, as the components that know most of its members."""
    candidates = [value]
    if isinstance(value, dict) and set(value) <= {"meta", "data"}:
        candidates.append(value.get("data"))
    for candidate in candidates:
        items = candidate if isinstance(candidate, list) else [candidate]
        if not items or not all(isinstance(item, dict) for item in items):
            continue
        members = {name for item in items for name in item}
        # Most members known first, then the smallest.
        ranked = sorted(NAMED, key=lambda name: (-len(NAMED[name] & members), len(NAMED[name])))
        for name in ranked[:6]:
            if NAMED[name] & members:
                findings = [finding for item in items for finding in CONTRACT.check_component(name, item)]
                yield Reading(findings, {"$ref": f"#/components/schemas/{name}"}, candidate)


def best_reading(example: Example) -> Reading:
    nothing = Reading([Finding("operation", example.name, "no reading at all")], {}, None)
    return min(readings(example), key=lambda reading: len(reading.findings), default=nothing)


@pytest.mark.parametrize("example", [e for e in ALL if e.name not in MISFITS], ids=lambda example: example.name)
def test_example_fits(example: Example) -> None:
    assert [str(finding) for finding in best_reading(example).findings] == []


@pytest.mark.parametrize("example", [e for e in ALL if e.name not in MISFITS], ids=lambda example: example.name)
def test_example_survives_its_model(example: Example) -> None:
    """Written back equal, dates and numbers included."""
    reading = best_reading(example)
    references = [part["$ref"].rpartition("/")[2] for part in reading.schema.get("anyOf", (reading.schema,))]
    items = reading.value if isinstance(reading.value, list) else [reading.value]
    for item in items:
        fitting = [name for name in references if not CONTRACT.check_component(name, item)]
        model = getattr(models, fitting[0])
        assert model.from_dict(item).to_dict() == item


@pytest.mark.parametrize("example", [e for e in ALL if e.name in MISFITS], ids=lambda example: example.name)
def test_misfit_is_still_one(example: Example) -> None:
    """An entry that has become wrong leaves the list."""
    assert all(reading.findings for reading in readings(example))


def test_at_most_four_in_a_hundred_do_not_fit() -> None:
    assert len(ALL) == 366
    assert set(MISFITS) <= {example.name for example in ALL}
    assert len(MISFITS) <= len(ALL) * 0.04
