"""Marks that went: what was masked as patient data or as a secret and is no longer. No version allows it."""

from __future__ import annotations

from collections.abc import Iterator

from _contract import Contract
from _spec_changes import Change, Level, Node
from _spec_problems import MARKS, walk
from _spec_schemas import renames
from _spec_source import Pointer


def lost_marks(old: Contract, new: Contract) -> Iterator[Change]:
    """Places that were masked and are no longer, under their own name or the one that looks like the new one."""
    before, after = _marked(old), _marked(new)
    for key, (_, node) in before.items():
        lost = [mark for mark in MARKS if node.get(mark) is True]
        if not lost:
            continue
        heirs = [key] if key in after else [other for other in _heirs(key, old, new) if other in after]
        for heir in heirs:
            for mark in lost:
                if not any(after[heir][1].get(each) is True for each in MARKS) and not (
                    heir != key and mark in after[heir][1]
                ):
                    why = f"it may hold what must not be printed: state {mark}: true"
                    what = f"{mark} lost" if heir == key else f"{mark} lost on the way from {key[-1]}"
                    name = ".".join(str(step) for step in heir if step not in {"components", "schemas", "properties"})
                    yield Change(Level.MAJOR, mark, name, what, why, after[heir][0], alarm="error")


def _marked(contract: Contract) -> dict[tuple[str, ...], tuple[Pointer, Node]]:
    """Every object by a key that outlives a move: operations by id, parameters by name."""
    found: dict[tuple[str, ...], tuple[Pointer, Node]] = {}
    ids: dict[tuple[str, ...], str] = {
        ("paths", each.path, each.method.lower()): each.id for each in contract.operations.values()
    }
    for pointer, node in walk(contract.document, ()):
        key = tuple(map(str, pointer))
        if key[:3] in ids:
            key = (ids[key[:3]], *key[3:])
        if "parameters" in key and "name" in node:
            key = (*key[: key.index("parameters") + 1], str(node["name"]))
        found[key] = (pointer, node)
    return found


def _heirs(key: tuple[str, ...], old: Contract, new: Contract) -> list[tuple[str, ...]]:
    """Under which keys a field may live on whose component or itself was renamed."""
    if key[:2] != ("components", "schemas") or len(key) < 5 or key[3] != "properties":
        return []
    component = key[2] if key[2] in new.schemas else renames(old.schemas, new.schemas).get(key[2])
    if component is None:
        return []
    before, after = old.schemas[key[2]].get("properties", {}), new.schemas[component].get("properties", {})
    if key[4] in after:
        return [(*key[:2], component, *key[3:])]
    plain = dict.fromkeys(MARKS)
    wanted = {**before[key[4]], **plain, "description": None}
    come = [name for name in after.keys() - before.keys() if {**after[name], **plain, "description": None} == wanted]
    return [(*key[:2], component, "properties", name, *key[5:]) for name in come]
