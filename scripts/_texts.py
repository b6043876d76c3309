"""The words of generated code: descriptions of the contract as docstrings, escaped and wrapped."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from _code import is_alternative, is_list_first, listed_object
from _contract import OperationFacts
from _forms import JSON, Form
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.strings import safe_for_docstring

WIDTH = 112

_FORMATS = {"date": "ISO 8601 date", "date-time": "ISO 8601 date and time", "decimal": "Decimal number as text"}


def evidence(facts: OperationFacts) -> str:
    by_status = facts.definition.get("x-evidence-by-status", {})
    details = ", ".join(f"{status} {known}" for status, known in by_status.items())
    return f"{facts.definition.get('x-evidence', 'inferred')}{f' ({details})' if details else ''}"


def form_notes(form: Form) -> str:
    """What sets this form of an operation apart from the others."""
    notes = []
    if form.asynchronous:
        notes.append("Sent with async true. The answer is the activity to follow; the result comes into it later")
        notes.append("It is never sent twice on its own")
    if form.request and form.request != JSON:
        notes.append(f"The body is sent as {form.request}")
    if form.aliases:
        notes.append(f"{' and '.join(form.aliases)} would be the same bytes under other names")
    if form.accept:
        notes.append(f"The answer is asked for as {form.accept}")
    if form.siblings:
        notes.append(f"Other forms: {', '.join(form.siblings)}")
    return sentence(*notes)


def field_doc(prop: PropertyProtocol, node: Mapping[str, Any], *, sent: bool) -> str:
    notes = [node.get("description", ""), _FORMATS.get(node.get("format", ""), "")]
    if is_alternative(prop) and not sent:
        notes.append(_alternative_note(prop))
    if node.get("deprecated"):
        notes.append("Deprecated.")
    if node.get("x-secret"):
        notes.append("Secret, masked in repr.")
    elif node.get("x-phi"):
        notes.append("PHI, masked in repr.")
    return sentence(*notes)


def _alternative_note(prop: PropertyProtocol) -> str:
    if listed_object(prop):
        return "If the API sends a list of one, this is its item, written back as the list; other lists stay lists."
    if is_list_first(prop):
        return "If the API sends a lone item, this is a list of it, written back as the item."
    return ""


def sentence(*parts: str | None) -> str:
    """The *parts* that say something, each closed with a full stop."""
    closed = (part.strip() for part in parts if part and part.strip())
    return " ".join(part if part.endswith((".", "!", "?", ":")) else f"{part}." for part in closed)


def docstring(text: str, indent: int = 4) -> str:
    """*text* as the inside of a docstring, escaped and wrapped; its first line follows the quotes."""
    safe = safe_for_docstring(" ".join(text.split()))
    if safe.endswith('"'):
        safe = f'{safe[:-1]}\\"'
    lines = textwrap.wrap(safe, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)
