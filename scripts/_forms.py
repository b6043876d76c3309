"""One operation, several functions: which forms of request and answer the contract gives it, and what each is called.

The first documented form keeps the name of the operation; each other media type is a form of its own, and so is
asynchronous work. For generation only: the contract and its users know operations. No code is made here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from _contract import METHODS, Contract, GenerationError, OperationFacts, referred

ACTIVITY = "ActivityEnvelope"
"""The answer of asynchronous work."""

JSON = "application/json"
TEXT = "text/plain"
MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Media:
    """What a media type is to us: the name of its form, and the type that the parser takes in its place."""

    form: str
    body: str
    answer: str | None


MEDIA = {
    JSON: Media("json", JSON, JSON),
    "application/vnd.pokitdok.v4+edi-x12-json": Media("x12_json", JSON, JSON),
    "application/vnd.pokitdok.v4+full-x12-json": Media("full_x12", JSON, JSON),
    "application/vnd.pokitdok.v4+activity-x12-json": Media("x12", JSON, JSON),
    "application/edi-x12": Media("x12", OCTETS, TEXT),
    "text/csv": Media("csv", OCTETS, TEXT),
    TEXT: Media("text", OCTETS, TEXT),
    OCTETS: Media("octets", OCTETS, None),
    MULTIPART: Media("multipart", MULTIPART, None),
    URLENCODED: Media("urlencoded", URLENCODED, None),
}

GENERIC = (TEXT, OCTETS)
"""Beside a raw form of their own name in the contract these are the same bytes under another name."""


@dataclass(frozen=True)
class Form:
    """One way to use an operation: what becomes one generated module.

    Attributes:
        name: Name of the module.
        kind: Which form it is.
        request: Media type of the body as the contract spells it, None without a body.
        answer: Media type of a success, None if that has no content.
        accept: Media type to ask for; None for the base form, which the API gives anyway.
        asynchronous: True: `async` is sent; False: it may not be set, another form is for that; None: as set.
        retry: safe or unsafe.
        aliases: Further media types of the same body.
        siblings: Names of the other forms.
    """

    operation: OperationFacts
    name: str
    kind: str
    request: str | None
    answer: str | None
    accept: str | None
    asynchronous: bool | None
    retry: str
    aliases: tuple[str, ...]
    siblings: tuple[str, ...]

    @property
    def answers_text(self) -> bool:
        """Whether a success is text, not JSON."""
        return self.answer is not None and MEDIA[self.answer].answer == TEXT

    @property
    def sends_raw(self) -> bool:
        """Whether the body goes out as the caller gives it."""
        return self.request is not None and MEDIA[self.request].body == OCTETS


class Forms:
    """All forms of the operations of a contract by name, in the order of the document.

    Raises:
        GenerationError: Two would have one name, or a media type is not known.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.by_name: dict[str, Form] = {}
        for operation in contract.operations.values():
            for form in self._of(operation):
                other = self.by_name.get(form.name)
                if other is not None:
                    raise GenerationError(
                        f"{_words(other)} and {_words(form)} would both become {form.name}: rename an operation, "
                        "or give the media type a form of its own in _forms.py"
                    )
                self.by_name[form.name] = form

    def _of(self, operation: OperationFacts) -> list[Form]:
        requests, aliases = _without_aliases([*self._request_content(operation)])
        answers = self._answer_media(operation)
        for media in (*requests, *answers):
            if media not in MEDIA:
                raise GenerationError(f"{operation.id}: media type {media} is not supported; teach _forms.py about it")
        for media in answers:
            if MEDIA[media].answer is None:
                raise GenerationError(f"{operation.id}: an answer of {media} is not supported: JSON and text are")
        request, answer = next(iter(requests), None), next(iter(answers), None)
        base = MEDIA[request or answer or JSON].form
        split = self._is_split(operation)
        drafts = [(operation.id, base, request, answer, False if split else None)]
        if split:
            drafts.append((f"{operation.id}_async", "async", request, answer, True))
        for media in requests[1:]:
            kind = MEDIA[media].form
            drafts.append((f"{operation.id}_{kind}", kind, media, media if media in answers else answer, None))
        for media in answers[1:]:
            if media not in requests:
                kind = MEDIA[media].form
                drafts.append((f"{operation.id}_{kind}", kind, request, media, False if split else None))
        names = [name for name, *_ in drafts]
        return [
            Form(
                operation=operation,
                name=name,
                kind=kind,
                request=sent,
                answer=read,
                accept=None if read == answer else read,
                asynchronous=asynchronous,
                retry="unsafe" if asynchronous else operation.definition["x-retry"],
                aliases=aliases if sent is not None and MEDIA[sent].body == OCTETS else (),
                siblings=tuple(each for each in names if each != name),
            )
            for name, kind, sent, read, asynchronous in drafts
        ]

    # ------------------------------------------------------------ what the contract documents

    def _request_content(self, operation: OperationFacts) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self._contract.resolve(operation.definition.get("requestBody", {})).get(
            "content", {}
        )
        return content

    def _successes(self, operation: OperationFacts) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for status, answer in self._contract.answers(operation).items():
            if status.startswith("2"):
                yield status, answer.get("content", {})

    def _answer_media(self, operation: OperationFacts) -> list[str]:
        return list(dict.fromkeys(media for _, content in self._successes(operation) for media in content))

    def _is_split(self, operation: OperationFacts) -> bool:
        """Whether the request asks by `async` for an activity in place of another result."""
        request = self._request_content(operation).get(JSON, {}).get("schema", {})
        name = referred(request)
        results = [
            each
            for _, content in self._successes(operation)
            for each in self._results(content.get(JSON, {}).get("schema", {}))
        ]
        return (
            name in self._contract.schemas
            and "async" in self._contract.properties(name)
            and ACTIVITY in results
            and len(set(results)) > 1
        )

    def _results(self, schema: Mapping[str, Any]) -> list[str]:
        names = [referred(each) for each in schema.get("anyOf", [schema])]
        return [name for name in names if name not in self._contract.error_bodies]

    # ------------------------------------------------------------ for the parser

    def document(self) -> dict[str, Any]:
        """A document for the generator's parser: a path for each form, each with one body and one result.

        Error bodies are no result, so they leave the 2xx alternatives. Examples, webhooks and extensions stay behind.
        """
        source = self._contract.document
        kept = ("openapi", "info", "servers", "tags", "security")
        document = {key: source[key] for key in kept if key in source}
        components = {kind: each for kind, each in source.get("components", {}).items() if kind != "examples"}
        paths: dict[str, dict[str, Any]] = {}
        for form in self.by_name.values():
            operation = form.operation
            common = {key: value for key, value in source["paths"][operation.path].items() if key not in METHODS}
            paths[f"{operation.path}#{form.name}"] = {**common, operation.method.lower(): self._definition(form)}
        prepared = copy.deepcopy({**document, "paths": paths, "components": components})
        _rename_formats(prepared)
        return prepared

    def _definition(self, form: Form) -> dict[str, Any]:
        operation = form.operation
        definition = {**operation.definition, "operationId": form.name}
        if form.request is not None:
            body = self._contract.resolve(operation.definition["requestBody"])
            schema = body["content"][form.request].get("schema", {})
            known = {MEDIA[form.request].body: {"schema": {"type": "string"} if form.sends_raw else schema}}
            definition["requestBody"] = {"required": body.get("required", False), "content": known}
        answers = dict(operation.definition["responses"])
        for status, content in self._successes(operation):
            key = next(each for each in answers if str(each) == status)
            chosen = {media: content[media] for media in content if media == form.answer}
            answers[key] = {
                "description": self._contract.answers(operation)[status].get("description", ""),
                "content": {
                    str(MEDIA[media].answer): {"schema": self._result(form, each.get("schema", {}))}
                    for media, each in chosen.items()
                },
            }
        return {**definition, "responses": answers}

    def _result(self, form: Form, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "anyOf" not in schema:
            return schema
        results = [each for each in schema["anyOf"] if referred(each) not in self._contract.error_bodies]
        if form.asynchronous is not None:
            results = [each for each in results if (referred(each) == ACTIVITY) == form.asynchronous]
        return results[0] if len(results) == 1 else {**schema, "anyOf": results}


def _rename_formats(node: Any) -> None:
    """Call formats what the parser calls them: it has one name for times with and without a zone."""
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _rename_formats(child)
    if isinstance(node, dict) and node.get("format") == "date-time-local":
        node["format"] = "date-time"


def _without_aliases(media: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The media types that make a form, and the generic names of raw bytes that have a name of their own."""
    named = any(each in MEDIA and MEDIA[each].body == OCTETS and each not in GENERIC for each in media)
    aliases = tuple(each for each in media if named and each in GENERIC)
    return [each for each in media if each not in aliases], aliases


def _words(form: Form) -> str:
    return f"{form.operation.id} as {form.kind} ({form.answer or form.request or 'no content'})"
