"""Puts stand-ins where the contract says that something may be patient data or a secret: in addresses and in bodies.

What the contract does not name counts as marked, since nobody can tell what it is. A stand-in has the type of what it
stands for and fits the contract where that did, so a masked answer is read as the real one would be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pokitdok_ext.testing._schemas import Named, Schema
from pokitdok_ext.testing.contract import Contract, Operation, name_shown

REDACTED = "REDACTED"

PLAIN_SEGMENT = re.compile(r"[a-z_]*|v[0-9]")
"""A part of a path that says nothing about anybody."""

_BY_FORMAT = {"date": "1900-01-01", "date-time": "1900-01-01T00:00:00Z"}
_TEXTS = (REDACTED, "0", "XX")
"""Tried until one fits the patterns of the contract; after them the text itself with a 0 for each letter and digit."""
_NEUTRAL = ("unknown", "other", "not_specified")


class Masks:
    """Masks by the marks of a contract.

    Args:
        contract: Whose marks they are.
        marks: Which of its marks hide something, such as ``x-phi``.
        unknown: Whether what the contract does not name is hidden too.

    Attributes:
        unknown: As given.
        heard: The texts that were hidden, for whoever looks for echoes of them.
    """

    def __init__(self, contract: Contract, marks: Iterable[str], *, unknown: bool) -> None:
        self.contract = contract
        self.heard: set[str] = set()
        self._marks = tuple(marks)
        self.unknown = unknown

    def url(self, method: str, url: str) -> str:
        """An address with stand-ins in path and query; user and password before the host are left out."""
        split = urlsplit(url)
        operation = self.contract.operation(method, url)
        path = "/".join(self._segments(operation, split.path))
        query = urlencode([*self._query(operation, split.query)])
        return split._replace(netloc=split.netloc.rpartition("@")[2], path=path, query=query, fragment="").geturl()

    def value(self, schema: Schema | None, value: Any) -> Any:
        """A body, or a part of one, with stand-ins; without a *schema* nothing is known about it."""
        return self._masked([] if schema is None else [("", schema)], value, hidden=False)

    def text(self, schema: Schema | None, text: str) -> str:
        """A body that is no data, such as X12: hidden as a whole where patients are."""
        return self._heard(text) if text and (self.unknown or self._is_marked([("", schema or {})])) else text

    def _segments(self, operation: Operation | None, path: str) -> Iterator[str]:
        names = [None] * len(path.split("/")) if operation is None else operation.path.split("/")
        declared = {} if operation is None else self.contract.parameters(operation, "path")
        for name, segment in zip(names, path.split("/"), strict=True):
            if name is None:
                kept = not self.unknown or PLAIN_SEGMENT.fullmatch(segment) is not None
            else:
                parameter = declared.get(name.strip("{}"), {})
                kept = not name.startswith("{") or not self._is_marked_parameter(parameter)
            yield segment if kept else quote(self._heard(segment))

    def _query(self, operation: Operation | None, query: str) -> Iterator[tuple[str, str]]:
        declared = {} if operation is None else self.contract.parameters(operation, "query")
        for name, text in parse_qsl(query, keep_blank_values=True):
            parameter = declared.get(name)
            hidden = self.unknown if parameter is None else self._is_marked_parameter(parameter)
            schemas = [("", (parameter or {}).get("schema", {}))]
            yield name if parameter else self._key(name), self._stand_in(schemas, text) if hidden else text

    def _is_marked_parameter(self, parameter: Schema) -> bool:
        return self._is_marked([("", parameter), *self.contract.parts("", parameter.get("schema", {}))])

    def _is_marked(self, parts: Iterable[Named]) -> bool:
        return any(part.get(mark) is True for _, part in parts for mark in self._marks)

    def _members_marked(self, parts: Iterable[Named]) -> bool:
        """Whether marks of its members tell more finely what a mark on the whole says."""
        members = (member for _, part in parts for member in part.get("properties", {}).values())
        return any(mark in member for member in members for mark in self._marks)

    def _masked(self, schemas: list[Named], value: Any, *, hidden: bool) -> Any:
        parts = [part for owner, schema in schemas for part in self.contract.parts(owner, schema)]
        hidden = (hidden or self._is_marked(parts) or (self.unknown and not parts)) and not self._members_marked(parts)
        if isinstance(value, list):
            items = [(owner, part["items"]) for owner, part in parts if isinstance(part.get("items"), dict)]
            return [self._masked(items, each, hidden=hidden) for each in value]
        if isinstance(value, dict):
            return self._members(parts, value, hidden=hidden)
        return self._stand_in(parts, value) if hidden else value

    def _members(self, parts: list[Named], value: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
        masked: dict[str, Any] = {}
        for name, each in value.items():
            named = [(owner, part["properties"][name]) for owner, part in parts if name in part.get("properties", {})]
            free = [
                (owner, part["additionalProperties"])
                for owner, part in parts
                if isinstance(part.get("additionalProperties"), dict)
            ]
            key = name if named or (free and not hidden) else self._key(name)
            while key in masked:
                key += "_"
            masked[key] = self._masked(named or free, each, hidden=hidden)
        return masked

    def _key(self, name: str) -> str:
        """The name of a member that no schema names: a name of the platform's, or data."""
        return self._heard(name) if self.unknown and name_shown(name) == "*" else name

    def _stand_in(self, parts: list[Named], value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, str):
            return type(value)(0)  # false among them
        if value.startswith(("http://", "https://")) and self.contract.operation("GET", value):
            return self.url("GET", value)
        lists = [part["enum"] for _, part in parts if value in part.get("enum", ())]
        if lists:
            common = [code for code in lists[0] if all(code in other for other in lists)]
            return next((code for code in common if str(code).lower() in _NEUTRAL), common[-1])
        text = self._text(parts, value)
        if text != value:
            self._heard(value)
        return text

    def _text(self, parts: list[Named], value: str) -> str:
        formats = [_BY_FORMAT[part["format"]] for _, part in parts if part.get("format") in _BY_FORMAT]
        rules = [{"type": "string", "pattern": part["pattern"]} for _, part in parts if "pattern" in part]
        rules = [rule for rule in rules if self.contract.validator(rule).is_valid(value)]
        for text in (*formats, *_TEXTS, re.sub(r"[^\W_]", "0", value)):
            if all(self.contract.validator(rule).is_valid(text) for rule in rules):
                return text
        return REDACTED

    def _heard(self, text: str) -> str:
        self.heard.add(text)
        return REDACTED
