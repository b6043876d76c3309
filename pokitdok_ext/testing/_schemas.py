"""The schemas of an OpenAPI document: what a reference names, what a schema stands for, whether a value fits one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs

Schema = Mapping[str, Any]
Named = tuple[str, Schema]
"""A schema with the component in which it stands; below that, with the members that lead there."""

_URI = "urn:contract"


class Schemas:
    """The schemas of a document.

    Attributes:
        document: The parsed OpenAPI 3.1 document.
    """

    def __init__(self, document: Schema) -> None:
        self.document = document
        self._registry = jsonschema_rs.Registry([(_URI, dict(document))], draft=jsonschema_rs.Draft202012)
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def resolve(self, schema: Schema) -> Schema:
        """*schema*, or any other object of the document, or what its `$ref` names."""
        while "$ref" in schema:
            target: Any = self.document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        return schema

    def validator(self, schema: Schema) -> jsonschema_rs.Draft202012Validator:
        """The validator of a schema, compiled once."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            # Refs of the document are local; outside of it they need its name in front.
            absolute = json.loads(key.replace('"$ref": "#/', f'"$ref": "{_URI}#/'))
            self._validators[key] = jsonschema_rs.Draft202012Validator(absolute, registry=self._registry)
        return self._validators[key]

    def parts(self, owner: str, schema: Schema) -> Iterator[Named]:
        """*schema* and all that it may stand for: its reference, its allOf, and every alternative."""
        yield owner, schema
        if "$ref" in schema:
            yield from self.parts(schema["$ref"].rpartition("/")[2], self.resolve(schema))
        for part in (*schema.get("allOf", ()), *_alternatives(schema)):
            yield from self.parts(owner, part)

    def parts_for(self, value: Any, owner: str, schema: Schema) -> Iterator[Named]:
        """As `parts`, but of alternatives only those that *value* fits best."""
        yield owner, schema
        if "$ref" in schema:
            yield from self.parts_for(value, schema["$ref"].rpartition("/")[2], self.resolve(schema))
        for part in schema.get("allOf", ()):
            yield from self.parts_for(value, owner, part)
        fitting = [part for part in _alternatives(schema) if self.validator(part).is_valid(value)]
        for part in self._closest(fitting, value):
            yield from self.parts_for(value, owner, part)

    def _closest(self, fitting: Sequence[Schema], value: Any) -> Sequence[Schema]:
        """The alternatives of *fitting* that name most of the members of *value*."""
        if len(fitting) < 2 or not isinstance(value, dict):
            return fitting
        scores = [len(self.resolve(part).get("properties", {}).keys() & value.keys()) for part in fitting]
        return [part for part, score in zip(fitting, scores, strict=True) if score == max(scores)]


def _alternatives(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
