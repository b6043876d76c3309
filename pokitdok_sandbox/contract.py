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
X12 = "application/edi-x12"
X12_JSON = "application/vnd.pokitdok.v4+edi-x12-json"
FULL_X12_JSON = "application/vnd.pokitdok.v4+full-x12-json"
ACTIVITY_X12_JSON = "application/vnd.pokitdok.v4+activity-x12-json"
FORM = "application/x-www-form-urlencoded"


class ContractError(Exception):
    """The contract cannot be served; the text says what is missing and where."""


@dataclass(frozen=True)
class Parameter:
    """One query parameter: pointer to its schema, the JSON type there, and whether a request needs it."""

    schema: str
    kind: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One operation of the contract.

    Attributes:
        id: operationId.
        method: HTTP method, upper case.
        path: Path template.
        secured: Whether a bearer token is needed.
        scopes: Sets of OAuth scopes; the token needs all of one of them.
        parameters: Query parameters by name.
        bodies: Media type of a request body to the pointer of its schema; empty when there is no body.
        success: Status of the answer when all goes well.
        forms: Media type of that answer to the pointer of its schema; empty when it has no content.
        examples: Media type of that answer to the invented example of the contract, where it has one.
        answers: Status, or "default", to the pointer of the JSON schema of that answer.
        evidence: Status, or "default", to what the answer rests on.
    """

    id: str
    method: str
    path: str
    secured: bool
    scopes: tuple[frozenset[str], ...]
    parameters: Mapping[str, Parameter]
    bodies: Mapping[str, str]
    success: int
    forms: Mapping[str, str]
    examples: Mapping[str, Any]
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

    @cached_property
    def activity_names(self) -> frozenset[str]:
        """Every name that an activity was seen with; empty when the contract has no such list."""
        schemas = self.document.get("components", {}).get("schemas", {})
        return frozenset(schemas.get("ActivityName", {}).get("enum", ()))

    def resolve(self, pointer: str) -> tuple[str, Any]:
        """Follow a pointer such as ``#/components/schemas/Meta``; return where it ends, and what is there."""
        found: Any = self.document
        for step in pointer.removeprefix("#/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            found = found[int(key)] if isinstance(found, list) else found[key]
        if isinstance(found, dict) and set(found) & {"$ref"} and "/schemas/" not in pointer:
            return self.resolve(found["$ref"])
        return pointer, found

    def _operation(self, path: str, item: Mapping[str, Any], method: str) -> Operation:
        where = f"#/paths/{_step(path)}/{method}"
        definition = item[method]
        answers = {}
        for status in definition["responses"]:
            pointer, response = self.resolve(f"{where}/responses/{status}")
            if JSON in response.get("content", {}):
                answers[status] = f"{pointer}/content/{_step(JSON)}/schema"
        success = next(status for status in definition["responses"] if status.startswith("2"))
        forms = self._contents(f"{where}/responses/{success}")
        parameters = {}
        for holder, owner in ((item, where.rpartition("/")[0]), (definition, where)):
            for index in range(len(holder.get("parameters", []))):
                pointer, parameter = self.resolve(f"{owner}/parameters/{index}")
                if parameter["in"] == "query":
                    schema = f"{pointer}/schema"
                    kind = types_of(self.resolve(schema)[1])[0]
                    parameters[parameter["name"]] = Parameter(schema, kind, parameter.get("required", False))
        evidence = {"default": definition.get("x-evidence", "inferred"), **definition.get("x-evidence-by-status", {})}
        security = definition.get("security", self.document.get("security", []))
        scopes = tuple(frozenset(requirement["oauth2"]) for requirement in security if "oauth2" in requirement)
        return Operation(
            id=definition["operationId"],
            method=method.upper(),
            path=path,
            secured=bool(scopes),
            scopes=scopes,
            parameters=parameters,
            bodies=self._contents(f"{where}/requestBody") if "requestBody" in definition else {},
            success=int(success),
            forms=forms,
            examples=self._examples(forms),
            answers=answers,
            evidence=evidence,
        )

    def _contents(self, pointer: str) -> dict[str, str]:
        pointer, holder = self.resolve(pointer)
        return {name: f"{pointer}/content/{_step(name)}/schema" for name in holder.get("content", {})}

    def _examples(self, forms: Mapping[str, str]) -> dict[str, Any]:
        examples = {}
        for name, schema in forms.items():
            pointer = schema.removesuffix("/schema")
            if "synthetic" in self.resolve(pointer)[1].get("examples", {}):
                examples[name] = self.resolve(f"{pointer}/examples/synthetic")[1]["value"]
        return examples


@cache
def load_contract() -> Contract:
    """Read the contract, once.

    Raises:
        ContractError: It is not there.
    """
    text = contract_file().read_text(encoding="utf-8")
    return Contract(_text_keys(yaml.load(text, Loader=PlainLoader)))  # noqa: S506 - a safe loader


def contract_file() -> Path:
    """Find the contract: inside an installed package it lies next to this module, in a clone above the package.

    Raises:
        ContractError: It is at neither place.
    """
    here = Path(__file__).parent
    for file in (here / "openapi.yaml", here.parent / "openapi.yaml"):
        if file.is_file():
            return file
    raise ContractError(
        "openapi.yaml is neither inside the package pokitdok_sandbox nor above it; install the package again."
    )


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """Return the JSON types that a schema names."""
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _step(name: str) -> str:
    """Write a name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _text_keys(node: Any) -> Any:
    """YAML reads a bare 200 or 50 as a number; JSON names are text."""
    if isinstance(node, dict):
        return {str(key): _text_keys(sub) for key, sub in node.items()}
    if isinstance(node, list):
        return [_text_keys(sub) for sub in node]
    return node
