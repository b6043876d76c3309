"""Which operation of the contract a method and a path mean, so that retries, pacing and logs know it."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

from pokitdok_api._operations import OPERATIONS, Operation

ROOT = "/api/v4"
"""What the contract puts before each path of the API."""

_OTHER_FORMS = frozenset({"async", "x12", "x12_json", "full_x12"})


def operation_for(method: str, path: str, data: object) -> tuple[Operation, str]:
    """The operation, and *path* as the contract writes it: with the final slash whose lack the platform redirects.

    Args:
        method: In capitals.
        path: After the root of the API, without query.
        data: What is sent; a truthy `async` in it makes a question one that acts.

    Returns:
        For a path outside the contract: an operation without a name, safe if the method only reads, and *path* itself.
    """
    for candidate in (path, f"{path}/"):
        for template, operation in _templates().get(method, ()):
            if template.fullmatch(candidate):
                return form_for(operation, data), candidate
    retry: Literal["safe", "unsafe"] = "safe" if method in {"GET", "HEAD", "OPTIONS"} else "unsafe"
    unknown = Operation(id="request", tag="", method=method, path=f"{ROOT}/...", retry=retry, evidence="inferred")
    return unknown, path


def form_for(operation: Operation, data: object) -> Operation:
    """The form of *operation* that sending *data* is: a question with a truthy `async` in it acts."""
    if isinstance(data, Mapping) and data.get("async"):
        return OPERATIONS.get(f"{operation.id}_async", operation)
    return operation


@cache
def _templates() -> dict[str, list[tuple[re.Pattern[str], Operation]]]:
    """By method, words before parameters where two templates fit."""
    found: dict[str, list[tuple[re.Pattern[str], Operation]]] = {}
    operations = [each for each in OPERATIONS.values() if each.form not in _OTHER_FORMS and each.path.startswith(ROOT)]
    for operation in sorted(operations, key=lambda each: [step.startswith("{") for step in each.path.split("/")]):
        steps = operation.path.removeprefix(ROOT).split("/")
        pattern = "/".join("[^/]+" if step.startswith("{") else re.escape(step) for step in steps)
        found.setdefault(operation.method, []).append((re.compile(pattern), operation))
    return found
