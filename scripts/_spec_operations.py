"""Differences between the operations of two contracts: address, retry class, scopes, bodies, answers, evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from _contract import Contract, OperationFacts
from _spec_changes import At, Change, Level, Node, texts
from _spec_schemas import deprecation, schema_changes
from _spec_source import Pointer

_OPERATION = frozenset(
    {
        *("operationId", "tags", "deprecated", "security", "parameters", "requestBody", "responses"),
        *("x-retry", "x-paging", "x-evidence", "x-evidence-by-status"),
    }
)
_RANK = {"inferred": 0, "documented": 1, "recorded": 2}

Seen = frozenset[tuple[str, str, str]]
"""Path, method and status of what was recorded."""


def _pointer(operation: OperationFacts) -> Pointer:
    return ("paths", operation.path, operation.method.lower())


def operation_changes(old: Contract, new: Contract, recorded: Seen) -> Iterator[Change]:
    """What changed of the operations; *recorded* is what claims of evidence are held against."""
    before, after = old.operations, new.operations
    at_address = {(each.method, each.path): each.id for each in after.values()}
    for name in after.keys() - before.keys():
        at = At(name, (*_pointer(after[name]), "operationId"), sent=True, answered=True)
        what = f"added: {after[name].method} {after[name].path}"
        yield at.change(Level.MINOR, "operation", what, "callers gain a function", "Added")
        yield from _evidence({}, after[name], at, recorded)
    for name, facts in before.items():
        at = At(name, _pointer(facts), sent=True, answered=True)
        if name in after:
            yield from _operation(old, new, facts, after[name], recorded)
            continue
        other = at_address.get((facts.method, facts.path))
        what = f"removed; its address now belongs to {other}" if other else "removed"
        yield at.change(Level.MAJOR, "operation", what, "code that calls it breaks", "Removed")


def _operation(old: Contract, new: Contract, was: OperationFacts, now: OperationFacts, seen: Seen) -> Iterator[Change]:
    at = At(now.id, _pointer(now), sent=True, answered=True)
    before, after = was.definition, now.definition
    if (was.method, was.path) != (now.method, now.path):
        what = f"moved from {was.method} {was.path} to {now.method} {now.path}"
        yield at.change(Level.MAJOR, "operation", what, "released clients call the old address")
    if was.tag != now.tag:
        what = f"tag was {was.tag}, is {now.tag}"
        yield at.down(at.name, "tags").change(Level.MAJOR, "operation", what, "it is imported from elsewhere")
    if before.get("deprecated", False) != after.get("deprecated", False):
        yield deprecation(after, at)
    if before["x-retry"] != after["x-retry"]:
        here, what = at.down(at.name, "x-retry"), f"x-retry was {before['x-retry']}, is {after['x-retry']}"
        if after["x-retry"] == "safe":
            yield here.change(Level.MAJOR, "retry class", what, "a request that never went out twice now may")
        else:
            yield here.change(Level.MINOR, "retry class", what, "a failure that was tried again now reaches the caller")
    if before.get("x-paging") != after.get("x-paging"):
        here = at.down(at.name, "x-paging")
        if "x-paging" not in before:
            yield here.change(Level.MINOR, "paging", "can be walked to its end", "callers gain a way", "Added")
        else:
            yield here.change(Level.MAJOR, "paging", "paging changed", "a walk that worked ends elsewhere")
    yield from _security(old, new, was, now, at)
    yield from _parameters(old, new, was, now, at)
    yield from _request(old, new, before, after, at)
    yield from _answers(old, new, before, after, at)
    yield from _evidence(before, now, at, seen)
    yield from texts(before, after, at, _OPERATION)


def _security(old: Contract, new: Contract, was: OperationFacts, now: OperationFacts, at: At) -> Iterator[Change]:
    before, after = _ways(old, was.definition), _ways(new, now.definition)
    if before == after:
        return
    what = f"needed {_either(before)}, needs {_either(after)}"
    here = at.down(at.name, "security")
    if all(any(way <= known for way in after) for known in before):
        yield here.change(Level.MINOR, "scope", what, "tokens that sufficed still do")
    else:
        yield here.change(Level.MAJOR, "scope", what, "tokens that sufficed no longer do")


def _ways(contract: Contract, definition: Node) -> frozenset[frozenset[str]]:
    ways = definition.get("security", contract.document.get("security", [])) or [{}]
    return frozenset(
        frozenset(f"{scheme} {scope}".strip() for scheme, scopes in way.items() for scope in ("", *scopes))
        for way in ways
    )


def _either(ways: frozenset[frozenset[str]]) -> str:
    return " or ".join(sorted(" with ".join(sorted(way)) or "nothing" for way in ways))


def _parameters(old: Contract, new: Contract, was: OperationFacts, now: OperationFacts, at: At) -> Iterator[Change]:
    before, after = _declared(old, was), _declared(new, now)
    for key in before.keys() | after.keys():
        here = At(f"{at.name}({key[1]})", after.get(key, before.get(key))[0], sent=True, answered=False)  # type: ignore[index]
        if key not in before:
            if after[key][1].get("required"):
                why = "requests without it are refused"
                yield here.change(Level.MAJOR, "parameter", f"added to the {key[0]}, required", why, "Added")
            else:
                yield here.change(Level.MINOR, "parameter", f"added to the {key[0]}", "existing calls go on", "Added")
        elif key not in after:
            yield here.change(
                Level.MAJOR, "parameter", f"removed from the {key[0]}", "code that gives it breaks", "Removed"
            )
        elif before[key][2] is None or before[key][2] != after[key][2]:  # else its component says it
            yield from parameter_changes(before[key][1], after[key][1], here)


def _declared(contract: Contract, facts: OperationFacts) -> dict[tuple[str, str], tuple[Pointer, Node, str | None]]:
    item = contract.document["paths"][facts.path]
    found = {}
    for base, nodes in (
        (("paths", facts.path), item.get("parameters", ())),
        (_pointer(facts), facts.definition.get("parameters", ())),
    ):
        for number, node in enumerate(nodes):
            resolved = contract.resolve(node)
            found[resolved["in"], resolved["name"]] = ((*base, "parameters", number), resolved, node.get("$ref"))
    return found


def _requiredness_changes(old: Node, new: Node, at: At) -> Iterator[Change]:
    if old.get("required", False) != new.get("required", False):
        here = at.down(at.name, "required")
        yield (
            here.narrower("requiredness", "required from now on")
            if new.get("required")
            else here.wider("requiredness", "no longer required")
        )


def parameter_changes(old: Node, new: Node, at: At) -> Iterator[Change]:
    """What changed of one parameter."""
    yield from _requiredness_changes(old, new, at)
    yield from schema_changes(old.get("schema", {}), new.get("schema", {}), at.down(at.name, "schema"))
    rest = {key: value for key, value in old.items() if key not in {"schema", "required"}}
    yield from schema_changes(rest, {k: v for k, v in new.items() if k not in {"schema", "required"}}, at)


def _request(old: Contract, new: Contract, before: Node, after: Node, at: At) -> Iterator[Change]:
    was, now = before.get("requestBody"), after.get("requestBody")
    here = At(f"{at.name} request", (*at.pointer, "requestBody"), sent=True, answered=False)
    if was is None or now is None:
        if now is not None:
            needed = bool(new.resolve(now).get("required"))
            level = Level.MAJOR if needed else Level.MINOR
            yield here.change(level, "body", "takes a body", "calls without it are refused" if needed else "optional")
        elif was is not None:
            yield here.change(Level.MAJOR, "body", "takes no body any more", "code that gives it breaks", "Removed")
    elif was.get("$ref") is None or was.get("$ref") != now.get("$ref"):
        yield from body_changes(old.resolve(was), new.resolve(now), here)


def body_changes(old: Node, new: Node, at: At) -> Iterator[Change]:
    """What changed of a request body or an answer."""
    yield from _requiredness_changes(old, new, at)
    before, after = old.get("content", {}), new.get("content", {})
    for media in before.keys() | after.keys():
        here = at.down(at.name, "content", media)
        if media not in before:
            yield here.change(Level.MINOR, "content type", f"{media} added", "callers gain a form", "Added")
        elif media not in after:
            yield here.change(Level.MAJOR, "content type", f"{media} removed", "its form goes", "Removed")
        else:
            yield from schema_changes(
                before[media].get("schema", {}), after[media].get("schema", {}), here.down(here.name, "schema")
            )
            if before[media].get("encoding") != after[media].get("encoding"):
                what = "what its parts are sent as changed"
                yield here.down(here.name, "encoding").change(Level.MAJOR, "content type", what, "other bytes go out")
            yield from texts(before[media], after[media], here, frozenset({"schema", "encoding"}))
    yield from texts(old, new, at, frozenset({"required", "content"}))


def _answers(old: Contract, new: Contract, before: Node, after: Node, at: At) -> Iterator[Change]:
    was = {str(status): node for status, node in before["responses"].items()}
    now = {str(status): node for status, node in after["responses"].items()}
    for status in was.keys() | now.keys():
        here = At(f"{at.name} answer {status}", (*at.pointer, "responses", status), sent=False, answered=True)
        if status not in was:
            yield here.change(Level.MINOR, "status", "added", "callers can tell it apart", "Added")
        elif status not in now:
            grave = status.startswith("2") or status == "default"
            why = "the answer that callers read goes" if grave else "default covers it"
            yield here.change(Level.MAJOR if grave else Level.MINOR, "status", "removed", why, "Removed")
        elif was[status].get("$ref") is None or was[status].get("$ref") != now[status].get("$ref"):
            yield from body_changes(old.resolve(was[status]), new.resolve(now[status]), here)


def _evidence(before: Node, now: OperationFacts, at: At, seen: Seen) -> Iterator[Change]:
    after = now.definition
    claims = {"": (before.get("x-evidence"), after.get("x-evidence"), "x-evidence")}
    was, claimed = before.get("x-evidence-by-status", {}), after.get("x-evidence-by-status", {})
    claims |= {str(key): (was.get(key), claimed.get(key), "x-evidence-by-status") for key in {**was, **claimed}}
    for status, (old, new, key) in claims.items():
        if old == new or new is None or (not before and new == "inferred"):
            continue
        place = f"{at.name} answer {status}" if status else at.name
        here = At(place, (*_pointer(now), key, *((status,) if status else ())), sent=False, answered=True)
        seen_here = any((now.path, now.method, status or each) in seen for each in ([status] if status else claimed))
        dated = bool(after.get("x-documented", {}).get("first"))
        raised = _RANK[new] > _RANK.get(str(old), -1)
        backed = {"recorded": seen_here, "documented": dated}.get(new, True)
        what = f"evidence was {old or 'none'}, is {new}"
        why = "no call changes"
        if raised and not backed:
            missing = "no skeleton in tests/contract/evidence" if new == "recorded" else "no date in x-documented"
            why = f"raised without data: {missing} shows it"
        elif not before:
            continue
        change = here.change(Level.PATCH, "evidence", what, why)
        yield change if backed or not raised else replace(change, alarm="warning")
