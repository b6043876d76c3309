"""What makes a contract unusable, each with its line: broken references, doubled or forbidden names, wrong shapes.

Style is not judged here (tests/test_contract_rules.py), and neither is a change (_spec_diff.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pydantic
from _completeness import name_problems
from _contract import METHODS, Contract, GenerationError
from _forms import MEDIA, Forms
from _spec_source import BadContract, Pointer, Problem, Source
from openapi_python_client.schema import OpenAPI

KINDS = {"parameters": "parameters", "responses": "responses", "requestBody": "requestBodies", "examples": "examples"}
"""The components to which a reference at such a place leads; everywhere else it leads to a schema."""

MAPS = frozenset(
    {
        *("paths", "webhooks", "properties", "patternProperties", "responses", "content", "headers", "encoding"),
        *("schemas", "parameters", "requestBodies", "securitySchemes", "examples"),
    }
)
"""Mappings whose keys are names: a property may be called `example`."""

DATA = frozenset({"example", "value", "default", "const", "enum"})
"""Values that are data: a `$ref` in them is none."""

EVIDENCE = ("recorded", "documented", "inferred")
MARKS = ("x-phi", "x-secret")


def read(name: str, text: bytes) -> tuple[Source, Contract, Forms]:
    """The contract in *text*, checked.

    Raises:
        BadContract: It cannot be used; all problems of the first kind that is found.
    """
    source = Source(name, text)
    for look in (_shape, _extensions, _references, _operations):
        _refuse(list(look(source)))
    contract = Contract(source.document)
    try:
        forms = Forms(contract)
    except GenerationError as error:
        _refuse([source.problem(_operation_named(contract, str(error)), str(error))])
        raise
    _refuse([source.problem(pointer, message) for pointer, message in name_problems(contract, forms)])
    return source, contract, forms


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise BadContract(sorted(set(problems), key=lambda each: each.line))


def _shape(source: Source) -> Iterator[Problem]:
    """Objects of OpenAPI that have the wrong members or types."""
    try:
        OpenAPI.model_validate(source.document)
    except pydantic.ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            pointer = _existing(source.document, each["loc"])
            yield source.problem(pointer, f"{_words(pointer)}: {each['msg'][0].lower()}{each['msg'][1:]}")
        return
    schemas = (source.document.get("components") or {}).get("schemas") or {}
    for name, schema in schemas.items():
        try:
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        except jsonschema_rs.ValidationError as error:
            pointer = ("components", "schemas", name, *error.instance_path)
            yield source.problem(pointer, f"{_words(pointer)}: breaks the rule {error.schema_path[-1]} of JSON Schema")
        except (TypeError, ValueError):
            yield source.problem(("components", "schemas", name), f"{name}: a schema is a mapping of plain values")
        for step, found in walk(schema, ("components", "schemas", name)):
            if isinstance(found.get("pattern"), str):
                yield from _pattern(source, (*step, "pattern"), found["pattern"])


def _pattern(source: Source, pointer: Pointer, pattern: str) -> Iterator[Problem]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield source.problem(pointer, f"{_words(pointer)}: not a regular expression: {error.msg}")


def _extensions(source: Source) -> Iterator[Problem]:
    """Our own members of the document with a value that they cannot have."""
    for pointer, node in walk(source.document, ()):
        for mark in MARKS:
            if mark in node and not isinstance(node[mark], bool):
                yield source.problem((*pointer, mark), f"{_words(pointer)}: {mark} is true or false")
        names = node.get("x-enum-varnames", [])
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            yield source.problem(
                (*pointer, "x-enum-varnames"), f"{_words(pointer)}: x-enum-varnames is a list of names"
            )
        if node.get("x-evidence", "inferred") not in EVIDENCE:
            yield source.problem((*pointer, "x-evidence"), f"{_words(pointer)}: x-evidence is {', '.join(EVIDENCE)}")
        for key in ("x-evidence-by-status", "x-documented", "x-paging"):
            if not isinstance(node.get(key, {}), dict):
                yield source.problem((*pointer, key), f"{_words(pointer)}: {key} is a mapping")
        by_status = node.get("x-evidence-by-status")
        for status, claim in by_status.items() if isinstance(by_status, dict) else ():
            if claim not in EVIDENCE:
                place = (*pointer, "x-evidence-by-status", str(status))
                yield source.problem(place, f"{_words(pointer)}: evidence of {status} is {', '.join(EVIDENCE)}")
        properties = node.get("properties")
        for name in node.get("required", ()) if isinstance(properties, dict) and "allOf" not in node else ():
            if isinstance(properties, dict) and name not in properties:
                message = f"{_words(pointer)}: required names {name}, which is no property of it"
                yield source.problem((*pointer, "required"), message)


def _references(source: Source) -> Iterator[Problem]:
    """References that lead nowhere, to another kind of thing, or in a circle."""
    components = source.document.get("components", {})
    for pointer, node in walk(source.document, ()):
        if "$ref" not in node:
            continue
        kind, target = _kind(pointer), str(node["$ref"])
        found = re.fullmatch(r"#/components/(\w+)/([\w.-]+)", target)
        place = (*pointer, "$ref")
        if found is None:
            yield source.problem(place, f"$ref {target}: write it as #/components/{kind}/NAME")
        elif found[2] not in components.get(found[1], {}):
            yield source.problem(place, f"$ref {target} names nothing in this document")
        elif found[1] != kind:
            yield source.problem(place, f"$ref {target}: one of components/{kind} is expected here")
        elif _circles(components[kind], found[2]):
            yield source.problem(place, f"$ref {target} leads back to itself")


def _kind(pointer: Pointer) -> str:
    for step in (pointer[-1], pointer[-2] if len(pointer) > 1 else ""):
        if step in KINDS and "properties" not in pointer:
            return KINDS[str(step)]
    return "schemas"


def _circles(components: Mapping[str, Any], name: str) -> bool:
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        node = components.get(name)
        if not isinstance(node, dict) or "$ref" not in node:
            return False
        name = str(node["$ref"]).rpartition("/")[2]
    return True


def _operations(source: Source) -> Iterator[Problem]:
    """Operations without the members that name what is generated, or with those of another one."""
    seen: dict[str, int] = {}
    resolve = Contract(source.document).resolve
    for path, item in source.document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            pointer: Pointer = ("paths", path, method)
            definition: dict[str, Any] = item[method]
            place = f"{method.upper()} {path}"
            name: Any = definition.get("operationId")
            if name is None:
                yield source.problem(pointer, f"{place}: no operationId; it names the generated function")
            elif name in seen:
                message = f"operationId {name} is used on line {seen[name]} too: give each operation its own"
                yield source.problem((*pointer, "operationId"), message)
            else:
                seen[name] = source.line((*pointer, "operationId"))
            if len(definition.get("tags") or ()) != 1:
                yield source.problem((*pointer, "tags"), f"{place}: exactly one tag is needed; it names the folder")
            if definition.get("x-retry") not in {"safe", "unsafe"}:
                yield source.problem((*pointer, "x-retry"), f"{place}: x-retry must be safe or unsafe")
            nodes = [resolve(node) for node in (*item.get("parameters", ()), *definition.get("parameters", ()))]
            declared = {node["name"] for node in nodes if node["in"] == "path"}
            for each in sorted(declared ^ set(re.findall(r"\{([^}]+)\}", path))):
                yield source.problem(
                    pointer, f"{place}: {each} stands in the path or among its parameters, not in both"
                )
            yield from _media(source, pointer, resolve(definition.get("requestBody", {})))


def _media(source: Source, pointer: Pointer, body: Mapping[str, Any]) -> Iterator[Problem]:
    for media in body.get("content", {}):
        if media not in MEDIA:
            message = f"media type {media} is not known: give it a form in scripts/_forms.py"
            yield source.problem((*pointer, "requestBody", "content", media), message)


def walk(node: Any, pointer: Pointer) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Every object of a document that is no data, with its pointer."""
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from walk(child, (*pointer, number))
    if not isinstance(node, dict):
        return
    # In a map of names every key is a name, and `properties` may be the name of a property.
    named = (
        bool(pointer) and pointer[-1] in MAPS and not (len(pointer) > 1 and pointer[-2] in {"properties", "examples"})
    )
    if not named:
        yield pointer, node
    for key, child in node.items():
        if named or (key not in DATA and not (key == "examples" and isinstance(child, list))):
            yield from walk(child, (*pointer, str(key)))


def _existing(document: Any, steps: Pointer) -> Pointer:
    """As much of *steps* as the document has; the validator puts names of its own between them."""
    pointer: list[str | int] = []
    for step in steps:
        numbered = isinstance(document, list) and isinstance(step, int) and step < len(document)
        if numbered or (isinstance(document, dict) and step in document):
            here: Any = document
            document = here[step]
            pointer.append(step)
    missing = steps[-1]
    return (*pointer, missing) if isinstance(document, dict) and missing not in pointer else tuple(pointer)


def _operation_named(contract: Contract, message: str) -> Pointer:
    """Where the operation stands that a message of the generator names."""
    words = set(re.findall(r"\w+", message))
    for facts in contract.operations.values():
        if facts.id in words:
            return ("paths", facts.path, facts.method.lower(), "operationId")
    return ()


def _words(pointer: Pointer) -> str:
    return " ".join(str(step) for step in pointer if step not in {"components", "paths"}) or "the document"
