"""What the contract says and the generator's parser drops: facts of operations and models. No code is made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class GenerationError(Exception):
    """The contract, a template and the output do not fit together; the text says where and what to change."""


@dataclass(frozen=True)
class ParameterFacts:
    """A parameter as the contract describes it."""

    name: str
    location: str
    description: str
    phi: bool


@dataclass(frozen=True)
class OperationFacts:
    """An operation as the contract describes it."""

    id: str
    tag: str
    method: str
    path: str
    definition: Mapping[str, Any]
    parameters: tuple[ParameterFacts, ...]
    authenticated: bool

    @property
    def phi_parameters(self) -> tuple[str, ...]:
        """Wire names of the parameters that can carry patient data."""
        return tuple(parameter.name for parameter in self.parameters if parameter.phi)

    @property
    def deprecated(self) -> str | None:
        """Why not to use it, or None."""
        if not self.definition.get("deprecated"):
            return None
        last = self.definition.get("x-documented", {}).get("last")
        return f"Last documented {last}." if last else "No longer documented."


class Contract:
    """The document with the questions that templates ask of it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schemas: dict[str, dict[str, Any]] = document.get("components", {}).get("schemas", {})

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Read the YAML file at *path*; GenerationError if it is not a YAML mapping."""
        try:
            document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        except OSError as error:
            raise GenerationError(f"{path}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise GenerationError(f"{path}: not YAML: {error}") from error
        if not isinstance(document, dict):
            raise GenerationError(f"{path}: not an OpenAPI document: a mapping is expected at the top")
        return cls(document)

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """*node*, or what its `$ref` names."""
        if "$ref" not in node:
            return node
        kind, name = node["$ref"].removeprefix("#/components/").split("/", 1)
        target: Mapping[str, Any] | None = self.document["components"].get(kind, {}).get(name)
        if target is None:
            raise GenerationError(f"{node['$ref']} names nothing in this document")
        return target

    # ------------------------------------------------------------ operations

    @cached_property
    def operations(self) -> dict[str, OperationFacts]:
        """All operations by `operationId`, in the order of the document."""
        found: dict[str, OperationFacts] = {}
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method not in item:
                    continue
                facts = self._operation(path, method, item)
                if facts.id in found:
                    raise GenerationError(f"operationId {facts.id} is used twice: give each operation its own")
                found[facts.id] = facts
        return found

    def _operation(self, path: str, method: str, item: Mapping[str, Any]) -> OperationFacts:
        definition = item[method]
        place = f"{method.upper()} {path}"
        if "operationId" not in definition:
            raise GenerationError(f"{place}: no operationId; it names the generated function")
        if len(definition.get("tags", ())) != 1:
            raise GenerationError(f"{place}: exactly one tag is needed; it names the folder")
        if definition.get("x-retry") not in {"safe", "unsafe"}:
            raise GenerationError(f"{place}: x-retry must be safe or unsafe")
        declared = [self.resolve(node) for node in (*item.get("parameters", ()), *definition.get("parameters", ()))]
        schemes = self.document.get("components", {}).get("securitySchemes", {})
        security = definition.get("security", self.document.get("security", []))
        return OperationFacts(
            id=definition["operationId"],
            tag=definition["tags"][0],
            method=method.upper(),
            path=path,
            definition=definition,
            parameters=tuple(
                ParameterFacts(
                    name=node["name"],
                    location=node["in"],
                    description=node.get("schema", {}).get("description") or node.get("description", ""),
                    phi=bool(node.get("x-phi")),
                )
                for node in declared
            ),
            authenticated=any(schemes.get(name, {}).get("type") == "oauth2" for each in security for name in each),
        )

    def answers(self, operation: OperationFacts) -> dict[str, Mapping[str, Any]]:
        """The declared answers by status, references followed."""
        return {str(status): self.resolve(node) for status, node in operation.definition["responses"].items()}

    # ------------------------------------------------------------ components

    def properties(self, name: str) -> dict[str, Mapping[str, Any]]:
        """The properties of the object component *name* by wire name, those of `allOf` included."""
        return dict(self._properties(self.schemas[name]))

    def _properties(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for part in schema.get("allOf", ()):
            yield from self._properties(self.resolve(part))
        yield from schema.get("properties", {}).items()

    def required(self, name: str) -> tuple[str, ...]:
        """Wire names of the properties that the component *name* always has, in order."""
        return tuple(dict.fromkeys(self._required(self.schemas[name])))

    def _required(self, schema: Mapping[str, Any]) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield from self._required(self.resolve(part))
        yield from schema.get("required", ())

    def is_object(self, name: str) -> bool:
        """Whether the component *name* becomes a class of fields; enums, arrays and scalars do not."""
        schema = self.schemas[name]
        return schema.get("type") == "object" or "properties" in schema or "allOf" in schema

    def is_map(self, name: str) -> bool:
        """Whether the component *name* is an object without properties of its own: its keys are data."""
        return self.is_object(name) and not self.properties(name)

    def required_within(self, name: str) -> tuple[str, ...]:
        """Dotted wire names of what the objects that the component *name* always has always have."""
        nodes = self.properties(name)
        inner = {key: referred(nodes.get(key, {})) for key in self.required(name)}
        return tuple(
            f"{key}.{each}" for key, found in inner.items() if found in self.schemas for each in self.required(found)
        )

    @cached_property
    def request_only(self) -> frozenset[str]:
        """Components that are sent and never come back."""
        sent, answered = set[str](), set[str]()
        for operation in self.operations.values():
            if "requestBody" in operation.definition:
                self._reach(self.resolve(operation.definition["requestBody"]), sent)
            for answer in self.answers(operation).values():
                self._reach(answer, answered)
        return frozenset(sent - answered)

    def _reach(self, node: Any, reached: set[str]) -> None:
        if isinstance(node, list):
            for item in node:
                self._reach(item, reached)
        elif isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in self.schemas and name not in reached:
                reached.add(name)
                self._reach(self.schemas[name], reached)
            for value in node.values():
                self._reach(value, reached)

    @cached_property
    def error_bodies(self) -> tuple[str, ...]:
        """Components that are the body of an answer other than 2xx, in the order of the document."""
        bodies = {
            reference
            for operation in self.operations.values()
            for status, answer in self.answers(operation).items()
            if not status.startswith("2")
            for reference in _direct_references(answer)
        }
        return tuple(name for name in self.schemas if name in bodies)

    def component_at(self, name: str, *path: str) -> str | None:
        """The component that the property path *path* of the component *name* refers to, None if it leads nowhere."""
        for key in path:
            node = self.properties(name).get(key, {})
            references = [each["$ref"] for each in (node, *node.get("anyOf", ())) if "$ref" in each]
            if not references:
                return None
            name = references[0].rpartition("/")[2]
        return name


def referred(node: Mapping[str, Any]) -> str:
    """The name of the component that *node* is a reference to, else nothing."""
    return str(node.get("$ref", "")).rpartition("/")[2]


def _direct_references(answer: Mapping[str, Any]) -> Iterator[str]:
    for media in answer.get("content", {}).values():
        schema = media.get("schema", {})
        for each in (schema, *schema.get("anyOf", ())):
            if "$ref" in each:
                yield referred(each)
