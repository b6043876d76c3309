"""The reference of components: fields, maps and code lists, and how a type is written. Operations are not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from _contract import Contract, GenerationError, referred
from _markdown import code, sentence, table, text

Link = Callable[[str], str]
"""A link to the description of a component, given its name."""

_READ = {
    *("$ref", "additionalProperties", "anyOf", "deprecated", "description", "enum", "format", "items", "pattern"),
    *("properties", "required", "type", "x-code-owner", "x-csv-row", "x-enum-varnames", "x-phi", "x-secret"),
    "x-x12-codes",
}
"""What of a schema the reference tells; a keyword beyond these would be lost without a word."""

_OWN_WORDS = {"date": "date", "date-time": "date-time", "date-time-local": "date-time without zone", "binary": "file"}
_SHORT_LIST = 8


def written_type(schema: Mapping[str, Any], to: Link) -> str:
    """The type of *schema* in words, with links to components and code lists.

    Raises:
        GenerationError: The schema has a keyword that the reference does not tell of.
    """
    unread = schema.keys() - _READ
    if unread:
        raise GenerationError(f"the reference does not tell of {', '.join(sorted(unread))}: teach {__name__}.py")
    if "$ref" in schema:
        return to(referred(schema))
    if "anyOf" in schema:
        return " or ".join(written_type(each, to) for each in schema["anyOf"])
    kinds = schema.get("type", "any value")
    words = [_kind(kind, schema, to) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    pattern = f", matches {code(schema['pattern'])}" if "pattern" in schema else ""
    return " or ".join(words) + pattern


def _kind(kind: str, schema: Mapping[str, Any], to: Link) -> str:
    if kind == "array":
        return f"list of {written_type(schema.get('items', {}), to)}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"map of {written_type(values, to)}" if isinstance(values, dict) else "object"
    if kind == "string" and "format" in schema:
        return _OWN_WORDS.get(schema["format"], f"string ({text(schema['format'])})")
    return kind


def mark(node: Mapping[str, Any]) -> str:
    """Whether it is masked wherever it is printed: PHI, secret, or nothing."""
    return ", ".join(word for key, word in (("x-phi", "PHI"), ("x-secret", "secret")) if node.get(key))


def meaning(node: Mapping[str, Any], to: Link) -> str:
    """What *node* means, what each item of it means included."""
    words = [sentence("Retired") if node.get("deprecated") else "", sentence(node.get("description", ""))]
    items = node.get("items", {})
    if items.get("description"):
        words.append(f"Each: {sentence(items['description'])}")
    if "x-csv-row" in node:
        words.append(f"Columns of the CSV text: {to(referred(node['x-csv-row']))}.")
    return " ".join(filter(None, words))


def is_code_list(schema: Mapping[str, Any]) -> bool:
    """Whether the component is a list of codes."""
    return "enum" in schema


def described(contract: Contract, name: str, to: Link) -> list[str]:
    """The lines that describe the component *name*: an object, a map or a code list."""
    schema = contract.schemas[name]
    lines = [f"### {name}", "", sentence(schema.get("description", "")), ""]
    if is_code_list(schema):
        return [*lines, *_codes(schema)]
    properties = contract.properties(name)
    if not properties:
        return [*lines, f"{_free(schema, to)}", ""]
    needed = contract.required(name)
    rows = [
        (code(key), written_type(node, to), "yes" if key in needed else "", mark(node), meaning(node, to))
        for key, node in properties.items()
    ]
    return [*lines, *table(("field", "type", "required", "mark", "meaning"), rows)]


def _free(schema: Mapping[str, Any], to: Link) -> str:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return f"The keys are data; each value: {written_type(values, to)}."
    if schema.get("type") == "object":
        return "An object of any fields."
    return f"Type: {written_type(schema, to)}."


def _codes(schema: Mapping[str, Any]) -> list[str]:
    codes, names = schema["enum"], schema.get("x-enum-varnames", [])
    owner = schema.get("x-code-owner")
    lines = [f"{len(codes)} codes. Owner: {text(owner)}." if owner else f"{len(codes)} codes. No owner is named.", ""]
    x12 = schema.get("x-x12-codes")
    head = ("code", "name in code", "X12") if x12 else ("code", "name in code")
    cells = [
        (
            code(str(each)),
            code(names[at]) if at < len(names) else "",
            *([code(x12[at]) if x12[at] else ""] if x12 else []),
        )
        for at, each in enumerate(codes)
    ]
    abreast = 1 if len(codes) <= _SHORT_LIST else 2 if x12 else 3
    return [*lines, *table(head * abreast, _abreast(cells, abreast, len(head)))]


def _abreast(cells: list[tuple[str, ...]], abreast: int, width: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(cells), abreast):
        row = tuple(cell for each in cells[start : start + abreast] for cell in each)
        yield row + ("",) * (abreast * width - len(row))
