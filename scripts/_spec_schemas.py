"""Differences between two schemas: fields, requiredness, types, formats, codes, limits. References are not followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from _spec_changes import At, Change, Level, Node, texts
from _spec_problems import MARKS

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
OTHER_LIMITS = ("pattern", "uniqueItems", "multipleOf")
FORMATS = ("format", "contentMediaType", "contentEncoding")
CHOICES = ("anyOf", "oneOf")
JUDGED = frozenset(
    {
        *("$ref", "type", "allOf", "items", "properties", "required", "enum", "x-enum-varnames", "const"),
        *("additionalProperties", "default", "deprecated"),
        *(*LOWER, *UPPER, *OTHER_LIMITS, *FORMATS, *CHOICES, *MARKS),
    }
)


def schema_changes(old: Node, new: Node, at: At) -> Iterator[Change]:
    """What changed from *old* to *new*."""
    if old == new:
        return
    yield from _types(old, new, at)
    yield from _codes(old, new, at)
    yield from _fields(old, new, at)
    yield from _limits(old, new, at)
    for key in ("items", "additionalProperties"):
        yield from _inner(old, new, at, key)
    for mark in MARKS:
        if new.get(mark) is True and old.get(mark) is not True:
            yield at.down(at.name, mark).change(Level.MINOR, mark, f"{mark} set", "masked in output from now on")
        elif mark in new and mark not in old:
            yield at.down(at.name, mark).change(Level.PATCH, mark, f"{mark}: false stated", "nothing is masked")
        elif mark in old and mark not in new and old[mark] is False:
            yield at.change(Level.PATCH, mark, f"{mark}: false no longer stated", "nothing was masked")
    if old.get("deprecated", False) != new.get("deprecated", False):
        yield deprecation(new, at)
    if old.get("default") != new.get("default"):
        yield at.down(at.name, "default").change(
            Level.MINOR, "default", "default changed", "who sends nothing means another value"
        )
    yield from texts(old, new, at, JUDGED)


def deprecation(new: Node, at: At) -> Change:
    """That *new* is deprecated, or is so no longer."""
    if new.get("deprecated"):
        return at.down(at.name, "deprecated").change(
            Level.MINOR, "deprecation", "deprecated", "goes on working, and warns", "Deprecated"
        )
    return at.change(Level.MINOR, "deprecation", "no longer deprecated", "works as before, without a warning")


def _types(old: Node, new: Node, at: At) -> Iterator[Change]:
    if old.get("$ref") != new.get("$ref"):
        yield at.change(Level.MAJOR, "type", f"was {kind(old)}, is {kind(new)}", "its Python type is another one")
        return
    before, after = _type_names(old), _type_names(new)
    if before - {"null"} != after - {"null"}:
        here = at.down(at.name, "type")
        what = f"was {kind(old)}, is {kind(new)}"
        before, after = _with_integers(before), _with_integers(after)
        if before and (not after or before < after):
            yield here.wider("type", what)
        elif after and (not before or after < before):
            yield here.narrower("type", what)
        else:
            yield here.change(Level.MAJOR, "type", what, "values of the old type no longer fit")
    elif before != after:
        yield at.change(Level.PATCH, "type", f"was {kind(old)}, is {kind(new)}", "null is accepted in any case")
    for key in FORMATS:
        if old.get(key) != new.get(key):
            what = f"{key} was {old.get(key, 'none')}, is {new.get(key, 'none')}"
            yield at.down(at.name, key).change(Level.MAJOR, "format", what, "its Python type is another one")
    for key in CHOICES:
        yield from _choices(old, new, at, key)
    parts = [_written(part) for part in old.get("allOf", ())], [_written(part) for part in new.get("allOf", ())]
    if parts[0] != parts[1]:
        what = "the parts of which it is made changed"
        yield at.down(at.name, "allOf").change(Level.MAJOR, "type", what, "fields came or went with them")


def _choices(old: Node, new: Node, at: At, key: str) -> Iterator[Change]:
    before = {_written(part): part for part in old.get(key, ()) if part != {"type": "null"}}
    after = {_written(part): part for part in new.get(key, ()) if part != {"type": "null"}}
    here = at.down(at.name, key)
    if bool(before) != bool(after):
        what = f"was {kind(old)}, is {kind(new)}"
        yield here.wider("type", what) if after else here.narrower("type", what)
        return
    for name in after.keys() - before.keys():
        yield here.wider("type", f"may be {kind(after[name])} too")
    for name in before.keys() - after.keys():
        yield here.narrower("type", f"is no longer {kind(before[name])}")
    if before.keys() == after.keys() and old.get(key) != new.get(key):
        yield here.change(Level.PATCH, "type", f"{key} in another order or without null", "the same values fit")


def _codes(old: Node, new: Node, at: At) -> Iterator[Change]:
    if old.get("const") != new.get("const"):
        yield at.down(at.name, "const").change(Level.MAJOR, "code", "the only value changed", "the old one is refused")
    if ("enum" in old) != ("enum" in new):
        what = "is a list of codes now" if "enum" in new else "is no longer a list of codes"
        yield at.change(Level.MAJOR, "type", what, "its Python type is another one")
        return
    before, after = _named_codes(old), _named_codes(new)
    here = at.down(at.name, "enum")
    for code in after.keys() - before.keys():
        why = "code lists are open: a reader kept it as an unknown code before"
        yield here.change(Level.MINOR, "code", f"code {code} added ({after[code]})", why, "Added")
    for code in before.keys() - after.keys():
        why = "its name in Python goes"
        yield at.change(Level.MAJOR, "code", f"code {code} removed ({before[code]})", why, "Removed")
    for code in before.keys() & after.keys():
        if before[code] != after[code]:
            what = f"code {code} was called {before[code]}, is called {after[code]}"
            yield at.down(at.name, "x-enum-varnames").change(Level.MAJOR, "code", what, "its name in Python changes")
    if before == after and old.get("enum") != new.get("enum"):
        yield here.change(Level.PATCH, "code", "codes in another order", "the same codes under the same names")


def _fields(old: Node, new: Node, at: At) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required, was_required = set(new.get("required", ())), set(old.get("required", ()))
    renamed = renames(before, after)
    for name in after.keys() - before.keys():
        here = at.down(f"{at.name}.{name}", "properties", name)
        if name in required and at.sent:
            yield here.change(Level.MAJOR, "field", "added, required", "requests without it are refused", "Added")
        else:
            what = "added, required" if name in required else "added, optional"
            yield here.change(Level.MINOR, "field", what, "existing calls go on as they are", "Added")
    for name in before.keys() - after.keys():
        here = at.down(f"{at.name}.{name}", "properties", name)
        what = f"removed; {renamed[name]} looks like its new name" if name in renamed else "removed"
        yield here.change(Level.MAJOR, "field", what, "code that uses it breaks", "Removed")
    for name in before.keys() & after.keys():
        here = at.down(f"{at.name}.{name}", "properties", name)
        if name in required - was_required:
            yield here.narrower("requiredness", "required from now on")
        elif name in was_required - required:
            yield here.wider("requiredness", "no longer required")
        yield from schema_changes(before[name], after[name], here)
    # A part of allOf may require what another part has.
    for name in (required ^ was_required) - before.keys() - after.keys():
        here = at.down(f"{at.name}.{name}", "required")
        yield (
            here.narrower("requiredness", "required from now on")
            if name in required
            else here.wider("requiredness", "no longer required")
        )
    if required == was_required and old.get("required", []) != new.get("required", []):
        what = "required fields in another order"
        yield at.down(at.name, "required").change(Level.PATCH, "requiredness", what, "the same are required")


def _limits(old: Node, new: Node, at: At) -> Iterator[Change]:
    for key in (*LOWER, *UPPER, *OTHER_LIMITS):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        what = f"{key} was {'none' if before is None else before}, is {'none' if after is None else after}"
        tighter = before is None or (
            after is not None and (key in OTHER_LIMITS or (after > before if key in LOWER else after < before))
        )
        # A typed reader takes any length, so a looser limit of answers breaks no caller.
        limited = at.down(at.name, key)
        if tighter:
            yield limited.narrower("limit", what)
        else:
            yield limited.change(Level.MINOR, "limit", what, "what fitted before still fits")


def _inner(old: Node, new: Node, at: At, key: str) -> Iterator[Change]:
    before, after = old.get(key), new.get(key)
    here = at.down(f"{at.name}[]", key)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from schema_changes(before, after, here)
    elif before != after:
        if key == "items":
            yield here.change(Level.MAJOR, "type", "the type of its items changed", "its Python type is another one")
        elif after is False:
            yield here.narrower("type", "further members are no longer allowed")
        else:
            what = "what further members may hold changed"
            yield here.change(Level.MAJOR, "type", what, "their Python type is another one")


def renames(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """What went and seems to have come back under another name: the same definition, and only one such."""
    gone = {name: _bare(before[name]) for name in before.keys() - after.keys()}
    come = {name: _bare(after[name]) for name in after.keys() - before.keys()}
    found = {}
    for name, definition in gone.items():
        same = [other for other, candidate in come.items() if candidate == definition]
        if len(same) == 1 and list(gone.values()).count(definition) == 1:
            found[name] = same[0]
    return found


def kind(schema: Node) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in CHOICES:
        if key in schema:
            return " or ".join(kind(part) for part in schema[key])
    names = " or ".join(sorted(_type_names(schema))) or "anything"
    return f"{names} of {kind(schema['items'])}" if "items" in schema else names


def _bare(schema: Any) -> str:
    """A definition without what may well change with a name."""
    if not isinstance(schema, Mapping):
        return _written(schema)
    return _written(
        {key: value for key, value in schema.items() if key not in {*MARKS, "description", "properties"}}
    ) + (_written({name: _bare(each) for name, each in schema.get("properties", {}).items()}))


def _written(node: Any) -> str:
    return json.dumps(node, sort_keys=True, default=str)


def _type_names(schema: Node) -> set[str]:
    found = schema.get("type", ())
    return {found} if isinstance(found, str) else set(found)


def _with_integers(names: set[str]) -> set[str]:
    names = names - {"null"}
    return names | {"integer"} if "number" in names else names


def _named_codes(schema: Node) -> dict[Any, str]:
    codes, names = schema.get("enum", []), schema.get("x-enum-varnames", [])
    return dict(zip(codes, names if len(names) == len(codes) else map(str, codes), strict=True))
