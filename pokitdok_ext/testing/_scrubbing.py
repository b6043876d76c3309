"""What never gets into a cassette: credentials, tokens, patient data, and headers that nobody needs.

vcrpy asks for each request more than once, when it records and when it looks for what to play. It always gets the same
scrubbed one, so that a masked request still finds its answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from pokitdok_ext.testing._masking import REDACTED, Masks
from pokitdok_ext.testing._readable import as_recorded, canonical, media_type, readable
from pokitdok_ext.testing._schemas import Schema
from pokitdok_ext.testing.contract import Contract

SECRET_MEMBERS = frozenset({"client_secret", "access_token", "refresh_token", "id_token", "assertion", "password"})
"""Secret under these names, whatever the contract says; its marks (x-secret) name the others."""

KEPT_HEADERS = frozenset({"accept", "allow", "content-type", "location", "retry-after", "www-authenticate"})
"""All others tell about a machine, change from run to run, or may say anything; none of them matters to a replay."""
KEPT_PREFIX = "x-sandbox-"

_TELLING = re.compile(r"^(?=.*[^a-z_]).{4,}", re.DOTALL)
"""What an echo is looked for: words of the platform's own, and what is very short, are found everywhere."""

_CHALLENGE = re.compile(r'^\w+|error="[a-z_]*"')


class Scrubber:
    """Scrubs requests and interactions for vcrpy.

    Args:
        contract: Gives the contract whose marks hold, when it is first needed.
        invented_at: Hosts where people are invented, and stay.
    """

    def __init__(self, contract: Callable[[], Contract], *, invented_at: Collection[str]) -> None:
        self._contract = contract
        self._invented_at = {_origin(each) for each in invented_at}

    def request(self, request: Any) -> Any:
        """A request as a cassette may hold it; for ``before_record_request``, which gets a copy."""
        masks = self._masks(request.uri)
        body, headers = canonical(request.body, request.headers)
        masks.heard |= _credentials(headers)
        operation = self._contract().operation(request.method, request.uri)
        schema = None if operation is None else self._contract().request_schema(operation, media_type(headers))
        request.body = _body(masks, schema, body, headers)
        request.uri = masks.url(request.method, request.uri)
        request.headers = _headers(masks, headers)
        request.hidden = getattr(request, "hidden", frozenset()) | masks.heard
        return request

    def interaction(self, request: Any, response: dict[str, Any], cassette: Any) -> tuple[Any, dict[str, Any]]:
        """An interaction as a cassette may hold it; for ``before_save_interaction``, which gets copies."""
        masks = self._masks(request.uri)
        headers = response["headers"]
        operation = self._contract().operation(request.method, request.uri)
        schema = None
        if operation is not None:
            found = self._contract().answer_schema(operation, response["status"]["code"], media_type(headers))
            schema = None if found is None else found[1]
        body = _body(masks, schema, response["body"]["string"], headers)
        hidden = frozenset[str]().union(*(getattr(each, "hidden", ()) for each in cassette.requests))
        kept = {
            name: [without_echoes(hidden, each) for each in _listed(found)]
            for name, found in _headers(masks, headers).items()
        }
        return request, {**response, "headers": kept, "body": {"string": _echoless(hidden, body, headers)}}

    def _masks(self, url: str) -> Masks:
        if _origin(url) in self._invented_at:
            return Masks(self._contract(), ("x-secret",), unknown=False)
        return Masks(self._contract(), ("x-phi", "x-secret"), unknown=True)


def without_echoes(hidden: Collection[str], value: Any) -> Any:
    """*value* without what requests hid, in places of an answer that nothing marks."""
    if isinstance(value, list):
        return [without_echoes(hidden, each) for each in value]
    if isinstance(value, dict):
        return {without_echoes(hidden, name): without_echoes(hidden, each) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    for text in sorted(hidden, key=len, reverse=True):
        for spelling in dict.fromkeys((text, quote(text), quote_plus(text))) if _TELLING.search(text) else ():
            value = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", REDACTED, value)
    return value


def _body(masks: Masks, schema: Schema | None, body: Any, headers: Mapping[str, Any]) -> Any:
    shape = readable(body, headers)
    match shape:
        case None:
            return b""  # one spelling: vcrpy gives None or b"", by the transport it stands in for
        case {"json": value}:
            shape = {"json": masks.value(schema, _without_secrets(masks, value))}
        case {"form": value}:
            shape = {"form": masks.value(schema, _without_secrets(masks, value))}
        case {"parts": parts}:
            shape = {"parts": [_part(masks, schema, part) for part in parts]}
        case {"text": value}:
            shape = {"text": masks.text(schema, value)}
        case bytes() if masks.unknown:
            shape = {"text": REDACTED}
    written = as_recorded(shape)
    return written.encode() if isinstance(written, str) else written


def _part(masks: Masks, schema: Schema | None, part: Mapping[str, Any]) -> dict[str, Any]:
    name = re.search(r'[ ;]name="([^"]*)"', "\n".join(part["headers"]))
    masked = masks.value(schema, {name[1]: part["text"]} if name else part["text"])
    headers = part["headers"]
    if masks.unknown:
        headers = [re.sub(r'filename="[^"]*"', f'filename="{REDACTED}"', each) for each in headers]
    return {"headers": headers, "text": next(iter(masked.values())) if name else masked}


def _without_secrets(masks: Masks, value: Any) -> Any:
    if isinstance(value, list):
        return [_without_secrets(masks, each) for each in value]
    if not isinstance(value, dict):
        return value
    masks.heard |= {each for name, each in value.items() if name in SECRET_MEMBERS and isinstance(each, str)}
    return {name: REDACTED if name in SECRET_MEMBERS else _without_secrets(masks, each) for name, each in value.items()}


def _echoless(hidden: Collection[str], body: Any, headers: Mapping[str, Any]) -> Any:
    shape = without_echoes(hidden, readable(body, headers))
    return body if shape is None or isinstance(shape, bytes) else as_recorded(shape).encode()


def _headers(masks: Masks, headers: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for told, value in sorted(headers.items()):  # their order and case mean nothing, and differ
        name = told.lower()
        match name:
            case "authorization":
                kept[name] = REDACTED
            case "location":
                kept[name] = [masks.url("GET", each) for each in _listed(value)]
            case "www-authenticate":
                kept[name] = [" ".join(_CHALLENGE.findall(each)) for each in _listed(value)]
            case other if other in KEPT_HEADERS or other.startswith(KEPT_PREFIX):
                kept[name] = value
    return kept


def _credentials(headers: Mapping[str, Any]) -> set[str]:
    """What Authorization says, and the secret in a Basic one."""
    found: set[str] = set()
    for name, value in headers.items():
        if name.lower() == "authorization":
            scheme, _, credentials = _listed(value)[0].partition(" ")
            found.add(credentials)
            if scheme.lower() == "basic":
                with suppress(binascii.Error, UnicodeDecodeError):
                    found.add(unquote_plus(base64.b64decode(credentials).decode().partition(":")[2]))
    return found


def _origin(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return split.scheme, split.netloc


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
