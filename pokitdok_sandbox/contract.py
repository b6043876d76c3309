"""The contract as the sandbox reads it: which operations there are. Whether a body fits one is in validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pokitdok_sandbox.samples import PlainLoader

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS = ("get", "put", "post", "delete", "patch")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class ContractError(Exception):
    """The contract cannot be served; the text says what is missing and where."""


@dataclass(frozen=True)
class Operation:
    """One operation of the contract.

    Attributes:
        id: operationId.
        method: HTTP method, upper case.
        path: Path template.
        secured: Whether a bearer token is needed.
        parameters: Query parameter name to JSON type.
        body: Pointer to the schema of the request body, or None.
        form: Whether that body is form encoded instead of JSON.
        answers: Status, or "default", to the pointer of the JSON schema of that answer.
        evidence: Status, or "default", to what the answer rests on.
    """

    id: str
    method: str
    path: str
    secured: bool
    parameters: Mapping[str, str]
    body: str | None
    form: bool
    answers: Mapping[str, str]
    evidence: Mapping[str, str]

    def evidence_for(self, status: int) -> str:
        """Return recorded, documented or inferred."""
        return self.evidence.get(str(status)) or self.evidence["default"]


class Contract:
    """An OpenAPI 3.1 document, as JSON would give it: names are text, dates are text."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, in the order of the file."""
        return tuple(
            self._operation(path, item, method)
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        )

    def resolve(self, pointer: str) -> tuple[str, Any]:
        """Follow a pointer such as ``#/components/schemas/Meta``; return where it ends, and what is there."""
        found: Any = self.document
        for step in pointer.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        if isinstance(found, dict) and set(found) & {"$ref"} and "/schemas/" not in pointer:
            return self.resolve(found["$ref"])
        return pointer, found

    def _operation(self, path: str, item: Mapping[str, Any], method: str) -> Operation:
        where = f"#/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}"
        definition = item[method]
        answers = {}
        for status in definition["responses"]:
            pointer, response = self.resolve(f"{where}/responses/{status}")
            if JSON in response.get("content", {}):
                answers[status] = f"{pointer}/content/{JSON.replace('/', '~1')}/schema"
        body, form = None, False
        if "requestBody" in definition:
            pointer, request = self.resolve(f"{where}/requestBody")
            form = FORM in request["content"]
            body = f"{pointer}/content/{(FORM if form else JSON).replace('/', '~1')}/schema"
        parameters = [
            self.resolve(parameter["$ref"])[1] if "$ref" in parameter else parameter
            for parameter in [*item.get("parameters", []), *definition.get("parameters", [])]
        ]
        evidence = {"default": definition.get("x-evidence", "inferred"), **definition.get("x-evidence-by-status", {})}
        security = definition.get("security", self.document.get("security", []))
        return Operation(
            id=definition["operationId"],
            method=method.upper(),
            path=path,
            secured=any("oauth2" in requirement for requirement in security),
            parameters={p["name"]: types_of(p["schema"])[0] for p in parameters if p["in"] == "query"},
            body=body,
            form=form,
            answers=answers,
            evidence=evidence,
        )


@cache
def load_contract() -> Contract:
    """Read the contract, once: inside an installed package it lies next to this module, in a clone above the package.

    Raises:
        ContractError: It is at neither place.
    """
    here = Path(__file__).parent
    for file in (here / "openapi.yaml", here.parent / "openapi.yaml"):
        if file.is_file():
            document = yaml.load(file.read_text(encoding="utf-8"), Loader=PlainLoader)  # noqa: S506 - a safe loader
            return Contract(_text_keys(document))
    raise ContractError(
        "openapi.yaml is neither inside the package pokitdok_sandbox nor above it; install the package again."
    )


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """Return the JSON types that a schema names."""
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _text_keys(node: Any) -> Any:
    """YAML reads a bare 200 or 50 as a number; JSON names are text."""
    if isinstance(node, dict):
        return {str(key): _text_keys(sub) for key, sub in node.items()}
    if isinstance(node, list):
        return [_text_keys(sub) for sub in node]
    return node
