"""A request to anything the contract does not name: tokens, retries, pacing, logging and errors as for a typed call.

Where there is a typed function, it is the better choice. Nothing here leaves the client's host.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import httpx

from pokitdok_api._operations import Operation
from pokitdok_api._requests import RequestParts, path_segment, query
from pokitdok_api.errors import PokitDokError
from pokitdok_api.types import UNSET, Response

from ._paths import ROOT, operation_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from pokitdok_api import Client

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PLAIN_SEGMENT = re.compile(r"[a-z_]*|v[0-9]|oauth2")


class OriginError(PokitDokError):
    """An address leads to another host than the client's: it is not followed, since it would get the token."""


class Options(TypedDict, total=False):
    """What a request may have beside method and path.

    path_values: Values of the names in braces. What may be a patient's belongs here: logs and errors show the path.
    params: Query parameters; a list gives one for each item.
    json: A body to send as JSON.
    content: A body to send as it is, in place of *json*.
    media_type: Of *content*.
    accept: The media type to ask for.
    retry: Whether it only asks (`safe`) or may act; of an unknown operation a GET asks, anything else acts.
    timeout: Seconds for this call; the client's if not given.
    """

    path_values: Mapping[str, Any]
    params: Mapping[str, Any]
    json: Any
    content: bytes
    media_type: str
    accept: str
    retry: Literal["safe", "unsafe"]
    timeout: float | httpx.Timeout | None


def request(client: Client, method: str, path: str, **options: Unpack[Options]) -> Response[Any]:
    """Send a request and decode what comes back.

    Args:
        client: Where to send it.
        method: HTTP method.
        path: From the host's root, such as `/api/v4/things/{thing_id}`; or a whole address on the client's host.
        **options: See `Options`.

    Returns:
        The answer; `parsed` is the decoded JSON, the text if it is none, or None if there is no content.

    Raises:
        APIError: The API answered with an error.
        OriginError: *path* is an address on another host.
        ValueError: *path* and `path_values` do not fit, or there are two bodies.
    """
    parts = _parts(client, method, path, options)
    return _decoded(client.call(parts, None, timeout=options.get("timeout", UNSET)))


async def arequest(client: Client, method: str, path: str, **options: Unpack[Options]) -> Response[Any]:
    """As `request`, on the running event loop."""
    parts = _parts(client, method, path, options)
    return _decoded(await client.acall(parts, None, timeout=options.get("timeout", UNSET)))


def documents(client: Client, path: str, *, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """The pages of any listing, decoded, by `meta.next`; for typed pages see `pokitdok_ext.paging`.

    Raises:
        OriginError: The next page is on another host.
    """
    page = request(client, "GET", path, params=params or {}).parsed
    yield page
    seen = {path}
    while (following := following_address(page)) is not None and following not in seen:
        seen.add(following)
        page = request(client, "GET", following).parsed
        yield page


async def adocuments(client: Client, path: str, *, params: Mapping[str, Any] | None = None) -> AsyncIterator[Any]:
    """As `documents`, on the running event loop."""
    page = (await arequest(client, "GET", path, params=params or {})).parsed
    yield page
    seen = {path}
    while (following := following_address(page)) is not None and following not in seen:
        seen.add(following)
        page = (await arequest(client, "GET", following)).parsed
        yield page


def following_address(page: Any) -> str | None:
    """`meta.next` of a decoded page."""
    meta = page.get("meta") if isinstance(page, dict) else None
    following = meta.get("next") if isinstance(meta, dict) else None
    return following if isinstance(following, str) else None


def on_this_host(client: Client, address: str) -> httpx.URL:
    """*address*, absolute or from the root, as a URL on the client's host.

    Raises:
        OriginError: It is on another host, or cannot be read.
    """
    base = httpx.URL(client.base_url)
    try:
        url = base.join(address)
    except httpx.InvalidURL as error:
        raise OriginError(f"an address cannot be read, and is not followed from {client.base_url}") from error
    if (url.scheme, url.raw_host, url.port) != (base.scheme, base.raw_host, base.port) or url.userinfo:
        raise OriginError(f"an address leads to {url.scheme}://{url.host}, not to {client.base_url}: not followed")
    return url


def _parts(client: Client, method: str, path: str, options: Options) -> RequestParts:
    values = options.get("path_values") or {}
    pairs = list(query(*(options.get("params") or {}).items()))
    content, media_type = options.get("content"), options.get("media_type")
    if path.startswith(("http://", "https://")):
        url = on_this_host(client, path)
        path, pairs = url.raw_path.partition(b"?")[0].decode("ascii"), [*url.params.multi_items(), *pairs]
    elif not path.startswith("/") or "?" in path or "#" in path:
        raise ValueError("path begins with /, such as /api/v4/things/{thing_id}; the query goes into params")
    names = set(_PLACEHOLDER.findall(path))
    if names != values.keys():
        odd = ", ".join(sorted(names ^ values.keys()))
        raise ValueError(f"path and path_values differ in: {odd}")
    if "json" in options and content is not None:
        raise ValueError("two bodies: pass json or content")
    if "json" in options:
        content = json.dumps(options["json"], ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        media_type = media_type or "application/json"
    real = _PLACEHOLDER.sub(lambda name: path_segment(name[1], values[name[1]]), path)
    operation = _operation(method.upper(), path, real, content, options.get("retry"))
    return RequestParts(operation, real, tuple(pairs), content, media_type, accept=options.get("accept"))


def _operation(
    method: str, path: str, real: str, content: bytes | None, retry: Literal["safe", "unsafe"] | None
) -> Operation:
    """What retries and logs go by: the operation of the contract that this is, or one of its own."""
    try:
        body = json.loads(content or b"null")  # `async` in it makes a question one that acts
    except ValueError:
        body = None
    known, _ = operation_for(method, real.removeprefix(ROOT), body)
    if not known.tag:
        path = "/".join(each if _PLACEHOLDER.fullmatch(each) else _shown(each) for each in path.split("/"))
        known = replace(known, path=path)
    return replace(known, id="request", tag="generic", retry=retry or known.retry, form="generic")


def _shown(segment: str) -> str:
    """A segment that is no plain word can be a patient's."""
    return segment if _PLAIN_SEGMENT.fullmatch(segment) else "{...}"


def _decoded(answer: Response[Any]) -> Response[Any]:
    parsed: Any = None
    if answer.content.strip():
        try:
            parsed = json.loads(answer.content)
        except (ValueError, RecursionError):
            parsed = answer.content.decode(errors="replace")
    return Response(answer.status_code, answer.headers, answer.content, parsed)
