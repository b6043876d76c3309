"""Small edits of a whole contract, made by rule, each with what a report has to say of it.

What is expected is told here from the contract alone, in other words than scripts/_spec_*.py, which is put to the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from typing import Any

from _cassette_uses import Use
from _contract import METHODS
from _spec_changes import Level

Pointer = tuple[str | int, ...]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Mutant:
    """An edit and what has to come of it.

    Attributes:
        kind: What sort of edit.
        place: A name that the report has to mention.
        edits: What to put where; GONE takes away.
        level: How grave it is; None if the contract is refused.
        alarm: Whether it fails under any version.
        use: What a cassette would have to use to stop fitting.
    """

    kind: str
    place: str
    edits: Sequence[tuple[Pointer, Any]]
    level: Level | None
    alarm: bool = False
    use: Use | None = None

    def applied(self, document: Document) -> dict[str, Any]:
        """The document after the edit; what is not touched is shared with *document*."""
        changed: Any = document
        for pointer, value in self.edits:
            changed = _put(changed, pointer, value)
        edited: dict[str, Any] = changed
        return edited

    def __str__(self) -> str:
        return f"{self.kind}: {'/'.join(map(str, self.edits[0][0]))}"


class RenamedComponent(Mutant):
    """A component under another name, which all references follow."""

    def applied(self, document: Document) -> dict[str, Any]:
        name = self.place
        text = json.dumps(document).replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{name}Too"')
        changed: dict[str, Any] = json.loads(text)
        schemas = changed["components"]["schemas"]
        changed["components"]["schemas"] = {f"{key}Too" if key == name else key: schemas[key] for key in schemas}
        return changed


GONE = object()


def _put(node: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return value
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    step, rest = pointer[0], pointer[1:]
    if not rest and value is GONE:
        del copy[step]
    elif isinstance(copy, dict) and step not in copy:
        copy[step] = _put({}, rest, value)
    else:
        copy[step] = _put(copy[step], rest, value)
    return copy


def sampled(document: Document, number: int, seed: int) -> list[Mutant]:
    """*number* of all mutants, chosen by *seed*, every kind in turn; all of them if *number* is 0."""
    random = Random(seed)  # noqa: S311 - chosen to be foreseen
    kinds: dict[str, list[Mutant]] = {}
    for mutant in mutants(document):
        kinds.setdefault(mutant.kind, []).append(mutant)
    for each in kinds.values():
        random.shuffle(each)
    turns = [mutant for turn in zip_longest(*kinds.values()) for mutant in turn if mutant is not None]
    return turns[:number] if number else turns


def mutants(document: Document) -> Iterator[Mutant]:
    """Every mutant of the contract."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield from _of_operation(document, path, method)
    ways = _ways(document)
    for name, schema in document["components"]["schemas"].items():
        yield from _of_component(name, schema, *ways(name))
    yield from _of_marks(document, ())
    yield from _of_the_rest(document)


# ---------------------------------------------------------------- operations


def _of_operation(document: Document, path: str, method: str) -> Iterator[Mutant]:
    item = document["paths"][path]
    definition, here = item[method], ("paths", path, method)
    name = definition["operationId"]
    used = ("operation", name)
    other = next(each for each in ("patch", "trace", "put") if each not in item)
    away = f"/mutated{path}"
    parameters = item.get("parameters", [])
    moved: list[tuple[Pointer, Any]] = [((*here,), GONE), (("paths", away, method), definition)]
    moved += [(("paths", away, "parameters"), parameters)] if parameters else []
    yield Mutant("operation removed", name, [(here, GONE)], Level.MAJOR, use=used)
    yield Mutant("operation renamed", name, [((*here, "operationId"), f"{name}_too")], Level.MAJOR)
    yield Mutant("path changed", name, moved, Level.MAJOR, use=used)
    yield Mutant("method changed", name, [(here, GONE), (("paths", path, other), definition)], Level.MAJOR, use=used)
    yield Mutant("tag changed", name, [((*here, "tags"), ["mutated"])], Level.MAJOR)
    retry = {"safe": "unsafe", "unsafe": "safe"}[definition["x-retry"]]
    level = Level.MAJOR if retry == "safe" else Level.MINOR
    yield Mutant("retry class changed", name, [((*here, "x-retry"), retry)], level)
    yield Mutant("retry class lost", path, [((*here, "x-retry"), GONE)], None)
    yield Mutant(
        "deprecation changed", name, [((*here, "deprecated"), not definition.get("deprecated", False))], Level.MINOR
    )
    yield Mutant("summary changed", name, [((*here, "summary"), "Other words.")], Level.PATCH)
    if definition.get("security", document.get("security")):
        more = [{"oauth2": ["a_scope_that_nobody_has"]}]
        yield Mutant("scope added", name, [((*here, "security"), more)], Level.MAJOR)
    if "x-paging" in definition:
        yield Mutant("paging lost", name, [((*here, "x-paging"), GONE)], Level.MAJOR)
    yield from _of_answers(name, here, definition)
    yield from _of_body(name, here, definition.get("requestBody", {}))
    for number, parameter in enumerate(definition.get("parameters", ())):
        if "$ref" not in parameter and parameter["in"] != "path":
            yield from _of_parameter(name, (*here, "parameters", number), parameter)


def _of_answers(name: str, here: Pointer, definition: Document) -> Iterator[Mutant]:
    yield Mutant(
        "status added", f"{name} answer 418", [((*here, "responses", "418"), {"description": "No."})], Level.MINOR
    )
    for status, answer in definition["responses"].items():
        at, place = (*here, "responses", status), f"{name} answer {status}"
        grave = str(status).startswith("2") or status == "default"
        used = ("status", name, str(status))
        yield Mutant("status removed", place, [(at, GONE)], Level.MAJOR if grave else Level.MINOR, use=used)
        for media, content in answer.get("content", {}).items():
            yield Mutant("answer type removed", place, [((*at, "content", media), GONE)], Level.MAJOR)
            renamed = [((*at, "content", media), GONE), ((*at, "content", "application/mutated"), content)]
            yield Mutant("answer type renamed", place, renamed, Level.MAJOR)
    for status, claim in definition["x-evidence-by-status"].items():
        if claim == "inferred":
            raised = [((*here, "x-evidence-by-status", status), "recorded")]
            yield Mutant("evidence raised", f"{name} answer {status}", raised, Level.PATCH)


def _of_body(name: str, here: Pointer, body: Document) -> Iterator[Mutant]:
    if not body or "$ref" in body:
        return
    place = f"{name} request"
    at = (*here, "requestBody")
    yield Mutant("body removed", place, [(at, GONE)], Level.MAJOR)
    needed = bool(body.get("required"))
    level = Level.MINOR if needed else Level.MAJOR
    yield Mutant("body requiredness changed", place, [((*at, "required"), not needed)], level)
    for media, content in body["content"].items():
        gone = ((*at, "content", media), GONE)
        if len(body["content"]) > 1:
            yield Mutant("request type removed", place, [gone], Level.MAJOR)
        yield Mutant("request type renamed", place, [gone, ((*at, "content", "text/plain"), content)], Level.MAJOR)


def _of_parameter(name: str, at: Pointer, parameter: Document) -> Iterator[Mutant]:
    place = f"{name}({parameter['name']})"
    yield Mutant("parameter removed", place, [(at, GONE)], Level.MAJOR)
    yield Mutant("parameter renamed", place, [((*at, "name"), f"{parameter['name']}_too")], Level.MAJOR)
    needed = bool(parameter.get("required"))
    level = Level.MINOR if needed else Level.MAJOR
    yield Mutant("parameter requiredness changed", place, [((*at, "required"), not needed)], level)
    if other := _other_type(parameter["schema"]):
        yield Mutant("parameter retyped", place, [((*at, "schema"), other)], Level.MAJOR)


# ---------------------------------------------------------------- components


def _of_component(name: str, schema: Document, sent: bool, answered: bool) -> Iterator[Mutant]:
    at: Pointer = ("components", "schemas", name)
    yield RenamedComponent("component renamed", name, [(at, name)], Level.MAJOR)
    if "enum" in schema:
        yield from _of_codes(name, at, schema)
    known = schema.get("properties")
    if known is None:
        return
    added = ((*at, "properties", "mutated"), {"type": "string"})
    yield Mutant("field added", f"{name}.mutated", [added], Level.MINOR)
    required = list(schema.get("required", ()))
    more = ((*at, "required"), [*required, "mutated"])
    yield Mutant("field added, required", f"{name}.mutated", [added, more], Level.MAJOR if sent else Level.MINOR)
    taken = ((*at, "properties", "to_dict"), {"type": "string"})
    yield Mutant("field with a name that is taken", "to_dict", [taken], None)
    for key, says in known.items():
        yield from _of_field(name, at, schema, key, says, sent=sent, answered=answered)


def _of_field(
    component: str, at: Pointer, schema: Document, key: str, says: Document, *, sent: bool, answered: bool
) -> Iterator[Mutant]:
    here, place = (*at, "properties", key), f"{component}.{key}"
    required = list(schema.get("required", ()))
    used = ("field", component, key)
    without = [((*at, "required"), [each for each in required if each != key])] if key in required else []
    yield Mutant("field removed", place, [(here, GONE), *without], Level.MAJOR, use=used)
    renamed = [(here, GONE), ((*at, "properties", f"{key}_too"), says), *without]
    yield Mutant("field renamed", place, renamed, Level.MAJOR, use=used)
    if other := _other_type(says):
        yield Mutant("field retyped", place, [(here, other)], Level.MAJOR, use=used)
    if without:
        yield Mutant("field made optional", place, without, Level.MAJOR if answered else Level.MINOR)
    else:
        more = [((*at, "required"), [*required, key])]
        yield Mutant("field made required", place, more, Level.MAJOR if sent else Level.MINOR)
    if "format" in says:
        yield Mutant("format removed", place, [((*here, "format"), GONE)], Level.MAJOR)
    if "description" in says:
        yield Mutant("description changed", place, [((*here, "description"), "Other words.")], Level.PATCH)
    if "maxLength" in says:
        level = Level.MAJOR if sent else Level.MINOR
        yield Mutant("limit tightened", place, [((*here, "maxLength"), says["maxLength"] - 1)], level)
        yield Mutant("limit loosened", place, [((*here, "maxLength"), says["maxLength"] + 1)], Level.MINOR)
    if "$ref" in says:
        dangling = [((*here, "$ref"), f"{says['$ref']}Mutated")]
        yield Mutant("reference to nothing", f"{says['$ref']}Mutated", dangling, None)


def _of_codes(name: str, at: Pointer, schema: Document) -> Iterator[Mutant]:
    codes, names = list(schema["enum"]), list(schema["x-enum-varnames"])
    more = [((*at, "enum"), [*codes, "mutated"]), ((*at, "x-enum-varnames"), [*names, "MUTATED"])]
    yield Mutant("code added", name, more, Level.MINOR)
    yield Mutant("code without a name", name, [((*at, "enum"), [*codes, "mutated"])], None)
    for number, code in enumerate(codes):
        used = ("code", name, str(code))
        fewer = [((*at, "enum", number), GONE), ((*at, "x-enum-varnames", number), GONE)]
        if len(codes) > 1:
            yield Mutant("code removed", name, fewer, Level.MAJOR, use=used)
        value = "mutated" if isinstance(code, str) else 99_999
        yield Mutant("code changed", name, [((*at, "enum", number), value)], Level.MAJOR, use=used)
        yield Mutant("code renamed", name, [((*at, "x-enum-varnames", number), "MUTATED")], Level.MAJOR)


def _other_type(schema: Document) -> dict[str, Any] | None:
    """A schema of a type that *schema* is not; None if it is anything."""
    kept = {key: schema[key] for key in ("x-phi", "x-secret", "description") if key in schema}
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    for each in choices:
        kinds |= {each["type"]} if isinstance(each.get("type"), str) else set(each.get("type", ()))
    if not kinds and not choices and "$ref" not in schema and "allOf" not in schema:
        return None
    return {**kept, "type": next(each for each in ("boolean", "array", "integer") if each not in kinds)}


def _ways(document: Document) -> Callable[[str], tuple[bool, bool]]:
    """Says of a component whether it is sent and whether it is answered; one that nothing uses counts as both."""
    sent: set[str] = set()
    answered: set[str] = set()
    for group, asks, tells in (("paths", sent, answered), ("webhooks", answered, sent)):
        for item in document.get(group, {}).values():
            asks.update(_reached(document, item.get("parameters", [])))
            for definition in (item[method] for method in METHODS if method in item):
                asks.update(_reached(document, [definition.get("requestBody"), definition.get("parameters")]))
                tells.update(_reached(document, definition["responses"]))
    return lambda name: (name in sent or name not in answered, name in answered or name not in sent)


def _reached(document: Document, node: Any) -> set[str]:
    found: set[str] = set()
    waiting = _named(node)
    while waiting:
        kind, name = waiting.pop()
        if f"{kind}/{name}" not in found:
            found.add(f"{kind}/{name}")
            waiting |= _named(document["components"][kind][name])
    return {each.removeprefix("schemas/") for each in found if each.startswith("schemas/")}


def _named(node: Any) -> set[tuple[str, str]]:
    return set(re.findall(r'"\$ref": "#/components/(\w+)/([^"]+)"', json.dumps(node)))


# ---------------------------------------------------------------- marks and the rest


def _of_marks(node: Any, pointer: Pointer) -> Iterator[Mutant]:
    """Every x-phi and x-secret that is true, wherever it stands."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if isinstance(node, dict) and key in {"x-phi", "x-secret"} and child is True and "example" not in pointer:
            other = {"x-phi": "x-secret", "x-secret": "x-phi"}[key]
            if node.get(other) is not True:  # either of them masks
                name = next((str(step) for step in reversed(pointer) if not str(step).isdigit()), "")
                place = str(node["name"]) if "in" in node and "name" in node else name
                yield Mutant("mark lost", place, [((*pointer, key), GONE)], Level.MAJOR, alarm=True)
                yield Mutant("mark turned off", place, [((*pointer, key), False)], Level.MAJOR, alarm=True)
        elif key not in {"examples", "example", "enum"} or "properties" in pointer[-1:]:
            yield from _of_marks(child, (*pointer, key))


def _of_the_rest(document: Document) -> Iterator[Mutant]:
    for name, example in document["components"].get("examples", {}).items():
        other = [(("components", "examples", name, "value"), [example["value"]])]
        yield Mutant("example changed", name, other, Level.PATCH)
    for name, item in document.get("webhooks", {}).items():
        for method in (each for each in METHODS if each in item):
            summary = ("webhooks", name, method, "summary")
            yield Mutant("webhook changed", "webhooks", [(summary, "Other words.")], Level.MAJOR)
    for name, scheme in document["components"]["securitySchemes"].items():
        for flow, facts in scheme.get("flows", {}).items():
            at = ("components", "securitySchemes", name, "flows", flow, "scopes")
            yield Mutant("scope declared", "mutated", [((*at, "mutated"), "Words.")], Level.MINOR)
            for scope in facts["scopes"]:
                yield Mutant("scope removed", scope, [((*at, scope), GONE)], Level.MAJOR)
    names = [
        (("paths", path, method, "operationId"), item[method]["operationId"])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
    for (pointer, _), (_, other) in zip(names, [*names[1:], names[0]], strict=True):
        yield Mutant("operationId twice", other, [(pointer, other)], None)
