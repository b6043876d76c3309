"""House rules of openapi.yaml: what the generator would lose without a word, and what we promise about every operation.

Each rule is a function from the document to the places that break it, so that it is shown to find a fault before it is
trusted to find none.
"""

from __future__ import annotations

import copy
import keyword
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT: dict[str, Any] = yaml.load((ROOT / "openapi.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)

METHODS = {"get", "put", "post", "delete", "patch"}
EVIDENCE = {"recorded", "documented", "inferred"}
# Names that the generated modules use themselves.
TAKEN_COMPONENTS = {
    "Response", "Client", "File", "Unset", "Any", "Mapping", "Enum", "StrEnum", "IntEnum", "Self", "Literal", "BytesIO",
    "Model", "Operation",
}  # fmt: skip
TAKEN_PROPERTIES = {"d", "to_dict", "from_dict", "to_multipart", "additional_properties"}
TAKEN_PARAMETERS = {"body", "client", "url", "timeout"}
# A property with such a word in its name has to say whether it can hold patient data.
PERSONAL = re.compile(
    r"(^|_)(birth|ssn|member|phone|email|gender|death|patient|subscriber|dependent)|(first|last|middle)_name"
)

Json = Any


def operations(document: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{method} {path}", operation


def schemas(node: Json, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping of the document, with its JSON pointer."""
    if isinstance(node, dict):
        yield place, node
        for name, child in node.items():
            yield from schemas(child, f"{place}/{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from schemas(child, f"{place}/{number}")


def resolve(document: Json, node: Json) -> Json:
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].split("/")[-2:]
    return document["components"][kind].get(name, {})


def pascal(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def references_leave_the_components(document: Json) -> Iterator[str]:
    for place, node in schemas(document):
        target = node.get("$ref")
        if isinstance(target, str) and not re.fullmatch(r"#/components/\w+/\w+", target):
            yield place


def paths_are_references(document: Json) -> Iterator[str]:
    yield from (path for path, item in document["paths"].items() if "$ref" in item)


def objects_stand_inline(document: Json) -> Iterator[str]:
    for place, node in schemas(document):
        named = re.fullmatch(r"/components/schemas/\w+", place)
        is_schema = "description" in node or "properties" in node
        if (
            not named
            and is_schema
            and (node.get("type") == "object" or "properties" in node)
            and "/examples" not in place
        ):
            yield place


def enums_stand_inline_or_lack_names(document: Json) -> Iterator[str]:
    for place, node in schemas(document):
        if not isinstance(node.get("enum"), list):
            continue
        names = node.get("x-enum-varnames", [])
        unique = len(set(names)) == len(node["enum"]) == len(names)
        valid = all(name.isidentifier() and name.isupper() and not keyword.iskeyword(name) for name in names)
        if not re.fullmatch(r"/components/schemas/\w+", place) or not unique or not valid:
            yield place


def component_names_collide(document: Json) -> Iterator[str]:
    names = document["components"]["schemas"]
    counts = Counter(map(pascal, names))
    yield from (name for name in names if counts[pascal(name)] > 1 or name in TAKEN_COMPONENTS)


def property_names_are_taken(document: Json) -> Iterator[str]:
    for place, node in schemas(document["components"]["schemas"]):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from (f"{place}/{name}" for name in properties if name in TAKEN_PROPERTIES)


def parameter_names_are_taken(document: Json) -> Iterator[str]:
    for place, node in schemas(document):
        if "in" in node and node.get("name") in TAKEN_PARAMETERS:
            yield place


def arrays_lack_items(document: Json) -> Iterator[str]:
    yield from (place for place, node in schemas(document) if node.get("type") == "array" and "items" not in node)


def objects_are_closed_or_have_defaults(document: Json) -> Iterator[str]:
    for place, node in schemas(document["components"]["schemas"]):
        if node.get("additionalProperties") is False or "default" in node.keys() - {"description"}:
            yield place


def queries_are_not_plain(document: Json) -> Iterator[str]:
    for place, node in schemas(document):
        if node.get("in") in {"query", "path", "header"}:
            schema = resolve(document, node.get("schema", {}))
            plain = schema.get("type") in {"string", "integer", "number", "boolean", "array"} and "content" not in node
            if not plain or "description" in node or "x-phi" not in node:
                yield place


def operations_lack_what_each_must_have(document: Json) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for place, operation in operations(document):
        seen[operation["operationId"]] += 1
        by_status = operation.get("x-evidence-by-status", {})
        fine = (
            re.fullmatch(r"[a-z][a-z0-9_]*", operation["operationId"])
            and seen[operation["operationId"]] == 1
            and len(operation.get("tags", ())) == 1
            and operation.get("summary", "").endswith(".")
            and operation.get("x-retry") in {"safe", "unsafe"}
            and operation.get("x-evidence") in EVIDENCE
            and list(by_status) == list(operation["responses"])
            and set(by_status.values()) <= EVIDENCE
            and {"first", "last"} == set(operation.get("x-documented", ()))
            and "default" in operation["responses"]
        )
        if not fine:
            yield place


def reads_are_unsafe(document: Json) -> Iterator[str]:
    for place, operation in operations(document):
        if place.startswith("get ") and operation.get("x-retry") != "safe":
            yield place


def personal_names_do_not_say_whether_they_are(document: Json) -> Iterator[str]:
    for place, node in schemas(document["components"]["schemas"]):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from (
                f"{place}/{name}"
                for name, schema in properties.items()
                if PERSONAL.search(name) and "x-phi" not in schema
            )


def components_are_unused(document: Json) -> Iterator[str]:
    used = {node["$ref"] for _, node in schemas(document) if isinstance(node.get("$ref"), str)}
    for kind in ("schemas", "responses", "parameters"):
        yield from (
            f"{kind}/{name}" for name in document["components"][kind] if f"#/components/{kind}/{name}" not in used
        )


def required_names_absent_properties(document: Json) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        if set(schema.get("required", ())) - schema.get("properties", {}).keys():
            yield name


def descriptions_are_missing(document: Json) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        if not schema.get("description"):
            yield name
        yield from (f"{name}/{p}" for p, child in schema.get("properties", {}).items() if not child.get("description"))


Rule = Callable[[Json], Iterator[str]]


def change(path: str, value: Json) -> Callable[[Json], None]:
    """A fault: set the value at a pointer of the document."""

    def apply(document: Json) -> None:
        *steps, last = path.split("|")
        for step in steps:
            document = document[step]
        document[last] = value

    return apply


META = "components|schemas|Meta"
GET_ACTIVITY = "paths|/api/v4/activities/{activity_id}|get"

RULES: list[tuple[Rule, Callable[[Json], None]]] = [
    (references_leave_the_components, change(f"{META}|properties|x", {"$ref": "other.yaml#/X"})),
    (paths_are_references, change("paths|/x", {"$ref": "#/components/pathItems/X"})),
    (objects_stand_inline, change(f"{META}|properties|x", {"type": "object", "description": "Inline."})),
    (enums_stand_inline_or_lack_names, change(f"{META}|properties|x", {"type": "string", "enum": ["a"]})),
    (component_names_collide, change("components|schemas|META", {"type": "object", "description": "Again."})),
    (property_names_are_taken, change(f"{META}|properties|to_dict", {"type": "string"})),
    (parameter_names_are_taken, change("components|parameters|Body", {"name": "body", "in": "query"})),
    (arrays_lack_items, change(f"{META}|properties|x", {"type": "array"})),
    (objects_are_closed_or_have_defaults, change(f"{META}|additionalProperties", value=False)),
    (queries_are_not_plain, change("components|parameters|Limit|schema", {"type": "object"})),
    (operations_lack_what_each_must_have, change(f"{GET_ACTIVITY}|x-evidence", "believed")),
    (reads_are_unsafe, change(f"{GET_ACTIVITY}|x-retry", "unsafe")),
    (personal_names_do_not_say_whether_they_are, change(f"{META}|properties|first_name", {"type": "string"})),
    (components_are_unused, change("components|schemas|Lonely", {"type": "object", "description": "Alone."})),
    (required_names_absent_properties, change(f"{META}|required", ["nothing"])),
    (descriptions_are_missing, change(f"{META}|description", "")),
]


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES], ids=lambda rule: rule.__name__)
def test_contract_has_no_place_where(rule: Rule) -> None:
    assert list(rule(DOCUMENT)) == []


@pytest.mark.parametrize(("rule", "fault"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_rule_finds_a_planted_fault(rule: Rule, fault: Callable[[Json], None]) -> None:
    document = copy.deepcopy(DOCUMENT)
    fault(document)
    assert list(rule(document))


def test_no_path_differs_from_another_by_parameter_names_only() -> None:
    shapes = Counter(re.sub(r"\{[^}]+\}", "{}", path) for path in DOCUMENT["paths"])
    assert [shape for shape, count in shapes.items() if count > 1] == []


FREE_FORM = {
    "ValidationErrors": "keys are request fields; three shapes of values were seen",
    "FreeForm": "what it stands for is not documented",
    "EarlyServiceLineInformation": "empty in every recording",
    "BareEnvelope.data": "the answer is not documented",
    "CcdResponse.data": "the answer is not documented",
    "EligibilityConstants.service_types": "one sentence in the documentation names it",
    "EligibilityCoverage.plans": "a table names it, without its shape",
    "Scheduler.methods_payloads": "a table names it, without its shape",
    "PlanCostSharing.standard": "a table names it, without its type",
    "PlanCostSharing.percent_73": "a table names it, without its type",
    "PlanCostSharing.percent_87": "a table names it, without its type",
    "PlanCostSharing.percent_94": "a table names it, without its type",
    "DropinWidgetOptions.onFormSuccess": "a JavaScript function, not JSON",
    "DropinWidgetOptions.onFormLoad": "a JavaScript function, not JSON",
    "DropinValues.procedure": "one value or several, in several forms",
}
"""The places where the contract lets anything pass, and why nothing more is known."""


def free_places(document: Json) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        properties = schema.get("properties", {})
        if schema.get("type") == "object" and not properties and schema.get("additionalProperties") in (None, True):
            yield name
        for prop, child in properties.items():
            untyped = not {"type", "$ref", "anyOf"} & child.keys() or child.get("items") == {}
            if untyped or child.get("$ref", "").endswith("/FreeForm"):
                yield f"{name}.{prop}"


def test_free_form_stands_only_where_nothing_more_is_known() -> None:
    assert set(free_places(DOCUMENT)) == set(FREE_FORM)
