"""Checks traffic against the contract: each finding says where, never what.

Works on any recorded interaction, of the sandbox or of the platform. What a finding prints is a place and a rule;
values stay out, since they may be patient data. Reading cassettes is not done here (see cassettes.py).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

from pokitdok_ext.testing._bodies import bare, read_body
from pokitdok_ext.testing._schemas import Schema, Schemas

_NAME = re.compile(r"[a-z_]{1,50}[0-9]{0,3}")
_METHODS = {"get", "put", "post", "delete", "patch"}


@dataclass(frozen=True)
class Finding:
    """One way in which traffic and contract disagree.

    Attributes:
        rule: ``operation``, ``status``, ``media type``, ``body`` or ``undocumented property``.
        place: Request or answer of an operation, with a JSON pointer where a body is concerned.
        message: The disagreement in words, without any value.
    """

    rule: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Operation:
    """An operation of the contract and the path template under which it stands."""

    id: str
    method: str
    path: str
    definition: Schema = field(repr=False)


class Contract(Schemas):
    """The contract as a judge of requests and answers.

    Args:
        document: A parsed OpenAPI 3.1 document; without it the one the generated client was made from.

    Attributes:
        property_names: Every member name that the document knows; any other key is data or undocumented.
    """

    def __init__(self, document: Schema | None = None) -> None:
        if document is None:
            document = cast("Schema", json.loads(files("pokitdok_api").joinpath("openapi.json").read_bytes()))
        super().__init__(document)
        self.property_names = frozenset(_property_names(document))
        routes = [
            (re.compile(_path_pattern(path)), Operation(definition["operationId"], method.upper(), path, definition))
            for path, item in document["paths"].items()
            for method, definition in item.items()
            if method in _METHODS
        ]
        # A literal segment beats a parameter: /claims/status before /claims/{id}.
        self._routes = sorted(routes, key=lambda route: route[1].path.count("{"))

    @property
    def operations(self) -> list[Operation]:
        """All operations, in no order to rely on."""
        return [operation for _, operation in self._routes]

    def operation(self, method: str, url: str) -> Operation | None:
        """The operation that serves *method* on *url* (absolute, or path and query), if there is one."""
        path = urlsplit(url).path
        for pattern, operation in self._routes:
            if operation.method == method.upper() and pattern.fullmatch(path):
                return operation
        return None

    def request_schema(self, operation: Operation, media_type: str | None) -> Schema | None:
        """The schema of a request body in that media type, whose parameters do not matter; None if there is none."""
        content = self.resolve(operation.definition.get("requestBody", {})).get("content", {})
        documented = {bare(known): media for known, media in content.items()}
        found: Schema | None = documented.get(bare(media_type), {}).get("schema")
        return found

    def answer_schema(self, operation: Operation, status: int, media_type: str | None) -> tuple[str, Schema] | None:
        """Media type and schema of an answer; None if the status is not documented, or has no content.

        An answer counts as JSON unless *media_type* is another one that is documented, because the platform sent its
        JSON as text/html.
        """
        content = self.resolve(operation.definition["responses"].get(str(status), {})).get("content")
        if not content:
            return None
        name = next((each for each in (bare(media_type), "application/json") if each in content), next(iter(content)))
        return name, content[name].get("schema", {})

    def parameters(self, operation: Operation, place: str) -> dict[str, Schema]:
        """The parameters of an operation that stand in the query or in the path, by name."""
        item = self.document["paths"][operation.path]
        declared = [self.resolve(p) for p in (*item.get("parameters", ()), *operation.definition.get("parameters", ()))]
        return {p["name"]: p for p in declared if p["in"] == place}

    def check_request(self, method: str, url: str, *, media_type: str | None, body: bytes | None) -> list[Finding]:
        """Compare a request with the contract: query, media type, body, undocumented properties.

        Args:
            method: HTTP method.
            url: Absolute URL, or path and query.
            media_type: Content-Type of the body; its parameters do not matter.
            body: The body as sent; None or empty when there is none.
        """
        operation = self.operation(method, url)
        if operation is None:
            return [_unknown_operation(method, url)]
        place = f"{operation.id} request"
        findings = list(self._check_query(operation, url, place))
        if "requestBody" not in operation.definition:
            return [*findings, Finding("body", place, "there is one where none is documented")] if body else findings
        name, schema = bare(media_type), self.request_schema(operation, media_type)
        if schema is None:
            return [*findings, Finding("media type", place, f"{name or 'none'} is not documented")]
        try:
            value = read_body(media_type or "", body or b"")
        except ValueError:
            return [*findings, Finding("body", place, f"cannot be read as {name}")]
        return [*findings, *self._check_body(schema, value, place)]

    def check_answer(
        self, method: str, url: str, *, status: int, body: bytes | None, media_type: str | None = None
    ) -> list[Finding]:
        """Compare an answer with the contract: status, body, undocumented properties.

        A status that only ``default`` covers is a finding. For *media_type* see `answer_schema`.
        """
        operation = self.operation(method, url)
        if operation is None:
            return [_unknown_operation(method, url)]
        place = f"{operation.id} answer {status}"
        if str(status) not in operation.definition["responses"]:
            return [Finding("status", place, "is not documented")]
        found = self.answer_schema(operation, status, media_type)
        if found is None:
            return [Finding("body", place, "there is one where none is documented")] if body else []
        name, schema = found
        try:
            value = read_body(name, body or b"")
        except ValueError:
            return [Finding("body", place, f"cannot be read as {name}")]
        return list(self._check_body(schema, value, place))

    def check_component(self, name: str, value: Any) -> list[Finding]:
        """Compare *value* with the component schema *name*, such as a part of a message."""
        return list(self._check_body({"$ref": f"#/components/schemas/{name}"}, value, name))

    def _check_query(self, operation: Operation, url: str, place: str) -> Iterator[Finding]:
        known = self.parameters(operation, "query")
        for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
            if name not in known:
                yield Finding("undocumented property", place, f"query parameter {name_shown(name)}")

    def _check_body(self, schema: Schema, value: Any, place: str) -> Iterator[Finding]:
        for error in self.validator(schema).iter_errors(value):
            # A key that no schema names may be data, such as the key of a map.
            known = (str(p) if isinstance(p, int) or p in self.property_names else "*" for p in error.instance_path)
            pointer = "".join(f"/{part}" for part in known)
            yield Finding("body", f"{place} {pointer or '/'}", f"breaks {error.schema_path[-1]}")
        for pointer in self._undocumented([schema], value):
            yield Finding("undocumented property", place, pointer)

    def _undocumented(self, schemas: Sequence[Schema], value: Any, path: str = "") -> Iterator[str]:
        """Pointers of the properties that no schema of *schemas* names."""
        if not isinstance(value, dict | list):
            return
        parts = [part for schema in schemas for _, part in self.parts_for(value, "", schema)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for element in value if items else ():
                yield from self._undocumented(items, element, f"{path}/*")
            return
        known: dict[str, list[Schema]] = defaultdict(list)
        rest = [part["additionalProperties"] for part in parts if part.get("additionalProperties") not in (None, False)]
        for part in parts:
            for name, sub in part.get("properties", {}).items():
                known[name].append(sub)
        for name, element in value.items():
            if name in known:
                yield from self._undocumented(known[name], element, f"{path}/{name}")
            elif rest and True not in rest:  # true allows anything at any depth
                yield from self._undocumented(rest, element, f"{path}/*")
            elif not rest:
                yield f"{path}/{name_shown(name)}"


def _property_names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("properties"), Mapping):
            yield from node["properties"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _property_names(child)


def name_shown(name: str) -> str:
    """A name that looks like one of the platform's; anything else may be data, such as the key of a map."""
    return name if _NAME.fullmatch(name) else "*"


def _path_pattern(template: str) -> str:
    return "".join(
        "[^/]+" if part.startswith("{") else re.escape(quote(part)) for part in re.split(r"(\{[^}]+\})", template)
    )


def _unknown_operation(method: str, url: str) -> Finding:
    depth = urlsplit(url).path.rstrip("/").count("/")
    return Finding("operation", f"{method.upper()} on a path of {depth} segments", "is not in the contract")
