"""Whether a body fits the contract, told without its values, and what in it the contract does not name."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jsonschema_rs

from pokitdok_sandbox.calls import REQUIRED
from pokitdok_sandbox.contract import types_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pokitdok_sandbox.contract import Contract

URN = "urn:contract"
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:")

MESSAGES = {
    "required": REQUIRED,
    "type": "Not of the right type.",
    "format": "Not in the right format.",
    "pattern": "Not in the right format.",
}


class Validation:
    """Validates against schemas of the contract, given as pointers into it; each is compiled when first used."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._registry = jsonschema_rs.Registry([(URN, _without_code_lists(contract.document))])
        self._validators: dict[tuple[str, bool], jsonschema_rs.Validator] = {}

    def findings(self, pointer: str, body: Any, *, formats: bool = True) -> dict[str, Any]:
        """Return what does not fit, as the platform writes it: field to messages, nested like the body. No values.

        Code lists are open: a code that is not listed is no finding here, but undocumented(). Without ``formats`` any
        text is a date.
        """
        messages: dict[str, Any] = {}
        for error in self._validator(pointer, formats).iter_errors(body):
            path = [str(step) for step in error.instance_path]
            if error.kind.name == "required":
                path.append(getattr(error.kind, "property"))  # noqa: B009 - the stub knows no kinds
            _put(messages, path or ["body"], MESSAGES.get(error.kind.name, "Not a valid value."))
        return messages

    def pointers(self, pointer: str, body: Any, *, formats: bool = True) -> list[str]:
        """Return where a body does not fit, each with the keyword that refused it. No values."""
        errors = self._validator(pointer, formats).iter_errors(body)
        return [f"/{'/'.join(str(step) for step in error.instance_path)} ({error.kind.name})" for error in errors]

    def undocumented(self, pointer: str, body: Any) -> list[str]:
        """Return the pointers of members and codes in ``body`` that the contract does not name."""
        return list(dict.fromkeys(self._undocumented({"$ref": pointer}, body, "")))

    def _undocumented(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        parts = list(self._parts(schema))
        if isinstance(value, dict):
            known: dict[str, list[Any]] = defaultdict(list)
            free = [
                part["additionalProperties"] for part in parts if part.get("additionalProperties") not in (None, False)
            ]
            for part in parts:
                for name, sub in part.get("properties", {}).items():
                    known[name].append(sub)
            for name, sub in value.items():
                inner = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
                if name in known:
                    yield from self._undocumented({"allOf": known[name]}, sub, inner)
                elif free:
                    yield from self._undocumented({"allOf": [part for part in free if part is not True]}, sub, inner)
                elif known:
                    yield inner
        elif isinstance(value, list):
            items = [part["items"] for part in parts if isinstance(part.get("items"), dict)]
            for index, sub in enumerate(value):
                yield from self._undocumented({"allOf": items}, sub, f"{place}/{index}")
        elif isinstance(value, str):
            lists = [part["enum"] for part in parts if "enum" in part]
            text = any("enum" not in part and "string" in types_of(part) for part in parts)
            if lists and not text and not any(value in codes for codes in lists):
                yield place

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the schema and all that it refers to or is composed of."""
        yield schema
        if "$ref" in schema:
            yield from self._parts(self.contract.resolve(schema["$ref"])[1])
        for keyword in ("allOf", "anyOf", "oneOf"):
            for sub in schema.get(keyword, ()):
                yield from self._parts(sub)

    def _validator(self, pointer: str, formats: bool) -> jsonschema_rs.Validator:
        if (pointer, formats) not in self._validators:
            self._validators[pointer, formats] = jsonschema_rs.Draft202012Validator(
                {"$ref": f"{URN}#/{quote(pointer.removeprefix('#/'), safe='/~')}"},
                registry=self._registry,
                validate_formats=formats,
                formats={"date-time": _is_wire_time},
            )
        return self._validators[pointer, formats]


@lru_cache(maxsize=4)
def validation_of(contract: Contract) -> Validation:
    """Return the one of this contract: what it compiled serves the next sandbox too."""
    return Validation(contract)


def _put(messages: dict[str, Any], path: list[str], text: str) -> None:
    for step in path[:-1]:
        inner = messages.setdefault(step, {})
        if not isinstance(inner, dict):  # the whole was refused already, so its members need no word
            return
        messages = inner
    last = messages.get(path[-1])
    if isinstance(last, list):
        if text not in last:
            last.append(text)
    else:
        messages[path[-1]] = [text]


def _is_wire_time(text: str) -> bool:
    """Tell whether a date-time fits: RFC 3339, but the zone may be missing, as on the wire."""
    try:
        return _DAY.match(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _without_code_lists(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_code_lists(sub) for key, sub in node.items() if not (key == "enum" and isinstance(sub, list))
        }
    if isinstance(node, list):
        return [_without_code_lists(sub) for sub in node]
    return node
