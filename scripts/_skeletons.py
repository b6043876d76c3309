"""Holds a contract against the skeletons of recordings: what was seen on the real platform and is not in it.

The skeletons are made by evidence.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
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


def losses(document: Any, skeleton: Mapping[str, Any]) -> list[str]:
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
