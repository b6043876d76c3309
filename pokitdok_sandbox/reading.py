"""Reads what a request says: query, body, the form of answer it asks for. Whether that fits is told by validation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import python_multipart  # noqa: F401 - Starlette wants it for forms and would say so only when the first one comes
from starlette.exceptions import HTTPException

from pokitdok_sandbox.calls import REQUIRED, RefusalError, invalid
from pokitdok_sandbox.checks import require_x12
from pokitdok_sandbox.contract import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from pokitdok_sandbox.contract import Operation

MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Received:
    """The body of a request before anybody knows what it means.

    Attributes:
        media_type: Content-Type in lower case, without parameters; empty when missing.
        content: The bytes.
        parts: The parts of a multipart body, each text, a file, too; bytes that are no UTF-8 are replaced. None: no
            multipart.
    """

    media_type: str
    content: bytes
    parts: Mapping[str, str] | None


async def receive(request: Request) -> Received:
    """Take the whole body off the wire."""
    media_type = _essence(request.headers.get("content-type", ""))
    content = await request.body()
    parts = None
    if media_type == MULTIPART:
        try:
            async with request.form() as form:
                read = {
                    name: part if isinstance(part, str) else (await part.read()).decode("utf-8", "replace")
                    for name, part in form.items()
                }
            parts = read if all(is_unicode(text) for part in read.items() for text in part) else None
        except HTTPException:  # how Starlette says that it is malformed; whoever reads the body finds None
            pass
    return Received(media_type, content, parts)


def body_of(operation: Operation, received: Received) -> tuple[str, Any]:
    """Return the documented media type in which a body is written, and what it says; empty and None without a body.

    A media type that is not documented counts as JSON where JSON is: old clients send it under all kinds of names.
    Without a Content-Type the body itself decides, JSON first.

    Raises:
        RefusalError: It cannot be read; 422, as the old clients' tests show for what is not JSON.
    """
    if not operation.bodies:
        return "", None
    if received.media_type in operation.bodies:
        possible = [received.media_type]
    elif received.media_type:
        possible = [name for name in operation.bodies if name == JSON]
    else:
        possible = sorted(operation.bodies, key=lambda name: name != JSON)
    first: RefusalError | None = None
    for media_type in possible:
        try:
            body = _read(media_type, received)
            require_x12(media_type, body)
        except RefusalError as refusal:
            first = first or refusal
        else:
            return media_type, body
    raise first or invalid({"body": [f"Send it as {' or '.join(operation.bodies)}."]})


def fields_of(operation: Operation, received: Received) -> dict[str, str]:
    """Return the fields of a body outside the envelope: a form, or a JSON object where the contract has that.

    Never refused: an OAuth endpoint finds fields missing.
    """
    if JSON in operation.bodies and received.media_type.endswith("json"):
        try:
            body = document_of(received.content)
        except ValueError:
            body = None
        return {name: value for name, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    return dict(parse_qsl(received.content.decode("utf-8", "replace"), keep_blank_values=True))


def query_of(operation: Operation, query: str) -> tuple[dict[str, Any], list[str]]:
    """Return the query in the types of the contract, and the names that the contract does not know.

    Raises:
        RefusalError: A value is not of its type, or one is missing; 422, naming the parameter.
    """
    values: dict[str, Any] = {}
    unknown = []
    for name, text in parse_qsl(query, keep_blank_values=True):
        parameter = operation.parameters.get(name)
        if parameter is None:
            unknown.append(name)
        elif parameter.kind == "integer":
            try:
                values[name] = int(text)
            except ValueError:
                raise invalid({name: ["Not a whole number."]}) from None
        elif parameter.kind == "boolean":
            if text.lower() not in {"true", "false"}:
                raise invalid({name: ["Neither true nor false."]})
            values[name] = text.lower() == "true"
        else:  # given more than once it is a list, as old clients write one
            values[name] = f"{values[name]},{text}" if name in values else text
    absent = {name: [REQUIRED] for name, known in operation.parameters.items() if known.required and name not in values}
    if absent:
        raise invalid(absent)
    return values, unknown


def form_asked_for(operation: Operation, accept: str) -> str:
    """Return the media type of the answer that an Accept header (RFC 9110 section 12.5.1) asks for.

    Only the exact name of a documented form other than JSON gets that form; everything else gets JSON, because the
    platform never refused an Accept header. Empty when the answer has no content.
    """
    if not operation.forms:
        return ""
    ranges = [(_essence(part), _quality(part)) for part in accept.split(",")]
    for name, quality in sorted(ranges, key=lambda entry: -entry[1]):
        if quality > 0 and name in {JSON, "application/*", "*/*"}:
            break
        if quality > 0 and name in operation.examples:
            return name
    return JSON


def _read(media_type: str, received: Received) -> Any:
    if media_type.endswith("json"):  # also vnd.pokitdok.v4+edi-x12-json, which is older than RFC 6839 would have it
        try:
            return document_of(received.content)
        except UnicodeEncodeError:
            raise invalid({"body": ["Holds a lone surrogate, which is no character."]}) from None
        except ValueError:
            raise invalid({"body": ["Not JSON."]}) from None
    if media_type == MULTIPART:
        if received.parts is None:
            raise invalid({"body": [f"Not {MULTIPART}."]})
        return received.parts
    try:
        text = received.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid({"body": ["Not UTF-8."]}) from None
    if not text.strip():
        raise invalid({"body": [REQUIRED]})
    return text


def document_of(content: bytes) -> Any:
    """Return what JSON (RFC 8259) says.

    Raises:
        ValueError: It is none, or is nested too deeply.
        UnicodeEncodeError: It holds a lone surrogate. What the platform answered to one is not known.
    """
    try:
        document = json.loads(content, parse_constant=_no_constant)
        if not content.isascii() or b"\\u" in content:
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def is_unicode(text: str) -> bool:
    """Tell whether a text is free of lone surrogates, which a form in an odd charset can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _essence(media_range: str) -> str:
    return media_range.partition(";")[0].strip().lower()


def _quality(media_range: str) -> float:
    for parameter in media_range.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
