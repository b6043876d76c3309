"""Differences between two contracts as a whole: components, scopes, and what stands beside them.

Operations are in _spec_operations.py, schemas in _spec_schemas.py, lost marks in _spec_marks.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from _contract import Contract
from _spec_changes import At, Change, Level, texts
from _spec_marks import lost_marks
from _spec_operations import Seen, body_changes, operation_changes, parameter_changes
from _spec_problems import walk
from _spec_schemas import renames, schema_changes
from _spec_source import Pointer


def changes(old: Contract, new: Contract, recorded: Seen = frozenset()) -> list[Change]:
    """What changed from *old* to *new*, the gravest first; *recorded* is what claims of evidence are held against."""
    found = [*lost_marks(old, new), *operation_changes(old, new, recorded), *_components(old, new), *_rest(old, new)]
    if not found and old.document != new.document:
        found.append(Change(Level.PATCH, "contract", "openapi.yaml", "spelling or order", "nothing else differs", ()))
    return sorted(found, key=lambda each: (each.alarm != "error", -each.level, each.subject, each.place, each.what))


def _components(old: Contract, new: Contract) -> Iterator[Change]:
    sent, answered = (reached(old, part) | reached(new, part) for part in ("sent", "answered"))
    for name, before, after, pointer in _pairs(old, new, "schemas"):
        idle = ("schemas", name) not in sent | answered
        at = At(name, pointer, sent=idle or ("schemas", name) in sent, answered=idle or ("schemas", name) in answered)
        if before is None:
            yield at.change(Level.MINOR, "component", "added", "callers gain a class", "Added")
        elif after is None:
            other = renames(old.schemas, new.schemas).get(name)
            what = f"removed; {other} looks like its new name" if other else "removed"
            yield at.change(Level.MAJOR, "component", what, "code that imports it breaks", "Removed")
        else:
            yield from schema_changes(before, after, at)
    shared = (
        ("parameters", parameter_changes, True),
        ("responses", body_changes, False),
        ("requestBodies", body_changes, True),
    )
    for part, compare, is_sent in shared:
        for name, before, after, pointer in _pairs(old, new, part):
            at = At(f"{part}/{name}", pointer, sent=is_sent, answered=not is_sent)
            if before is not None and after is not None:
                yield from compare(before, after, at)
            else:
                what = "added" if before is None else "removed"
                yield at.change(Level.PATCH, "component", what, "what uses it says what that means")
    for name, before, after, pointer in _pairs(old, new, "examples"):
        if before != after:
            what = "added" if before is None else "removed" if after is None else "changed"
            yield Change(Level.PATCH, "example", f"examples/{name}", what, "no call changes", pointer)
    yield from _schemes(old, new)


def _pairs(old: Contract, new: Contract, part: str) -> Iterator[tuple[str, Any, Any, Pointer]]:
    before, after = (each.document.get("components", {}).get(part, {}) for each in (old, new))
    for name in {**before, **after}:
        yield name, before.get(name), after.get(name), ("components", part, name)


def _schemes(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = (dict(_leaves(c.document.get("components", {}).get("securitySchemes", {}))) for c in (old, new))
    for path in {**before, **after}:
        if before.get(path) == after.get(path):
            continue
        at = At(" ".join(path), ("components", "securitySchemes", *path), sent=True, answered=False)
        what = "added" if path not in before else "removed" if path not in after else "changed"
        subject = "scope" if "scopes" in path else "security"
        if path[-1] == "description" or (subject == "scope" and what == "changed"):
            yield at.change(Level.PATCH, subject, "words changed", "words for readers; no call changes")
        elif what == "added":
            yield at.change(Level.MINOR, subject, what, "callers gain a way", "Added")
        else:
            yield at.change(Level.MAJOR, subject, what, "tokens are no longer had in this way")


def _leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(child, (*path, str(key)))
    else:
        yield path, node


def reached(contract: Contract, way: str) -> set[tuple[str, str]]:
    """Components by kind and name that are sent to the platform, or come from it; a webhook turns the two around."""
    found: set[tuple[str, str]] = set()
    for group, sent in (("paths", "sent"), ("webhooks", "answered")):
        for item in contract.document.get(group, {}).values():
            for definition in (each for each in item.values() if isinstance(each, dict)):
                asks = [definition.get("requestBody"), definition.get("parameters")]
                follow(contract, asks if way == sent else definition.get("responses"), found)
            follow(contract, item.get("parameters") if way == sent else None, found)
    return found


def follow(contract: Contract, node: Any, found: set[tuple[str, str]]) -> None:
    """Add to *found* every component that *node* leads to."""
    for _, each in walk(node, ()):
        if "$ref" in each:
            kind, _, name = str(each["$ref"]).removeprefix("#/components/").partition("/")
            if (kind, name) not in found:
                found.add((kind, name))
                follow(contract, contract.document["components"][kind][name], found)


def _rest(old: Contract, new: Contract) -> Iterator[Change]:
    at = At("contract", (), sent=True, answered=True)
    known = frozenset({"paths", "components", "security", "info", "servers", "tags", "openapi", "webhooks"})
    yield from texts(old.document, new.document, at, known)
    for key in ("openapi", "servers", "tags"):
        if old.document.get(key) != new.document.get(key):
            yield at.down(key, key).change(Level.PATCH, key, "changed", "words for readers; no call changes")
    before, after = ({k: v for k, v in each.document["info"].items() if k != "version"} for each in (old, new))
    if before != after:
        yield at.down("info", "info").change(Level.PATCH, "info", "changed", "words for readers; no call changes")
    if old.document.get("webhooks") != new.document.get("webhooks"):
        why = "what callers receive changed; no rule judges it: taken as breaking"
        yield at.down("webhooks", "webhooks").change(Level.MAJOR, "webhook", "changed", why)
    known_kinds = frozenset({"schemas", "parameters", "responses", "requestBodies", "examples", "securitySchemes"})
    yield from texts(
        old.document.get("components", {}),
        new.document.get("components", {}),
        at.down("components", "components"),
        known_kinds,
    )
