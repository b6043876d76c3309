"""The reference of operations: how one is called and what it answers. Components are only linked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from _contract import Contract, GenerationError, OperationFacts
from _markdown import code, link, sentence, table, text
from _reference_components import Link, mark, meaning, written_type

from pokitdok_api._operations import Operation

RETRY = {
    "safe": "safe: it only asks and may be sent again",
    "unsafe": "unsafe: it may act and is never sent twice",
}
SOURCE = "../../generated/pokitdok_api/api"
"""The folder of the functions, seen from a page."""


def state(definition: Mapping[str, Any]) -> str:
    """Whether the last revision of the documentation still has the operation."""
    return "retired" if definition.get("deprecated") else "current"


def documented(definition: Mapping[str, Any]) -> str:
    """The first and last day on which the documentation had it."""
    days = definition.get("x-documented", {})
    return f"{days['first']} to {days['last']}" if days.get("first") else "never"


def described_operation(
    contract: Contract, facts: OperationFacts, forms: Mapping[str, Operation], to: Link
) -> list[str]:
    """The lines that describe an operation; *forms* are its entries of the generated table by module."""
    definition = facts.definition
    if not forms:
        raise GenerationError(f"{facts.id}: not in the table of generated operations; run nox -s generate first")
    known = [
        ("request", code(f"{facts.method} {facts.path}")),
        ("state", state(definition)),
        ("evidence", text(definition["x-evidence"])),
        ("documented", documented(definition)),
        ("retry", RETRY[definition["x-retry"]]),
        ("authentication", _authentication(contract, definition)),
    ]
    if "x-paging" in definition:
        paging = definition["x-paging"]
        known.append(("paging", ", ".join(f"{key}: {code(value)}" for key, value in paging.items())))
    return [
        *_head(facts.id, definition),
        *table(("", ""), known),
        *table(("function", "form", "retry"), _functions(forms)),
        *_parameters(contract, facts, to),
        *_body(contract, definition, to),
        *table(("status", "evidence", "meaning", "body"), _answers(contract, facts, to)),
    ]


def described_webhook(contract: Contract, definition: Mapping[str, Any], to: Link) -> list[str]:
    """The lines that describe a call which the platform makes."""
    known = [("evidence", text(definition["x-evidence"])), ("documented", documented(definition))]
    answers = [(code(str(status)), sentence(node["description"])) for status, node in definition["responses"].items()]
    return [
        *_head(definition["operationId"], definition),
        *table(("", ""), known),
        *_body(contract, definition, to),
        *table(("status", "meaning"), answers),
    ]


def _head(name: str, definition: Mapping[str, Any]) -> list[str]:
    lines = [f"### {name}", "", sentence(definition["summary"]), ""]
    if definition.get("description"):
        lines += [sentence(definition["description"]), ""]
    return lines


def _authentication(contract: Contract, definition: Mapping[str, Any]) -> str:
    choices = definition.get("security", contract.document.get("security", []))
    if not choices:
        return "none"
    return " or ".join(" and ".join(map(code, choice)) if choice else "none" for choice in choices)


def _functions(forms: Mapping[str, Operation]) -> Iterator[tuple[str, ...]]:
    for name, form in forms.items():
        module = code(f"pokitdok_api.api.{form.tag}.{name}")
        yield link(module, f"{SOURCE}/{form.tag}/{name}.py"), text(form.form), form.retry


def _parameters(contract: Contract, facts: OperationFacts, to: Link) -> list[str]:
    shared = contract.document["paths"][facts.path].get("parameters", ())
    nodes = [contract.resolve(node) for node in (*shared, *facts.definition.get("parameters", ()))]
    rows = [
        (
            code(node["name"]),
            node["in"],
            written_type(node["schema"], to),
            "yes" if node.get("required") else "",
            mark(node),
            meaning({**node["schema"], "deprecated": node.get("deprecated")}, to),
        )
        for node in nodes
    ]
    return table(("parameter", "in", "type", "required", "mark", "meaning"), rows)


def _body(contract: Contract, definition: Mapping[str, Any], to: Link) -> list[str]:
    if "requestBody" not in definition:
        return []
    body = contract.resolve(definition["requestBody"])
    head = f"request body ({'required' if body.get('required') else 'optional'})"
    rows = [(code(media), written_type(node["schema"], to)) for media, node in body["content"].items()]
    return table((head, "type"), rows)


def _answers(contract: Contract, facts: OperationFacts, to: Link) -> Iterator[tuple[str, ...]]:
    evidence = facts.definition.get("x-evidence-by-status", {})
    for status, answer in contract.answers(facts).items():
        content = answer.get("content", {})
        bodies = [f"{code(media)}: {written_type(node['schema'], to)}" for media, node in content.items()]
        yield (
            code(status),
            text(evidence.get(status, "")),
            sentence(answer["description"]),
            "<br>".join(bodies) or "none",
        )
