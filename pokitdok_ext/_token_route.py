"""The way to a token endpoint: one request, one whole answer within a deadline, nothing followed, nothing kept."""

import re
import ssl
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from ._clock import SYSTEM_CLOCK
from ._connections import LoopsOwn

LARGEST_ANSWER = 65_536
"""Bytes of a token answer that are read; a longer one is no token answer."""

_READ = {b"content-type", b"date", b"retry-after"}


@dataclass(frozen=True)
class Route:
    """The way to the token endpoint: the settings of the API client, so that proxies, CAs and tests reach it too.

    Attributes:
        transport: As given to the API client.
        async_transport: Used if there is no *transport* and it needs no pool of connections, as `httpx.ASGITransport`.
        options: Of the API client's transports: verify, proxy and trust_env as `settings.py` decides them.
        key: Equal for routes that end in the same place by the same means; see `route_key()`.
    """

    transport: httpx.BaseTransport | None = None
    async_transport: httpx.AsyncBaseTransport | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: {"trust_env": False})
    key: Hashable = field(default=None, repr=False)

    def send(self, request: httpx.Request, deadline: float) -> httpx.Response:
        """The answer, read whole, without following redirects; *deadline* is by the monotonic `SYSTEM_CLOCK`.

        Raises:
            httpx.HTTPError: No answer by then.
        """
        transport = self.transport
        if transport is None and isinstance(self.async_transport, httpx.BaseTransport):
            transport = self.async_transport
        elif transport is None and self.async_transport is not None:
            # A pool of connections belongs to the caller's loop and stays there.
            pooled = isinstance(self.async_transport, httpx.AsyncHTTPTransport | LoopsOwn)
            transport = None if pooled else _OnItsOwnLoop(self.async_transport)
        if transport is not None:  # not closed afterwards: it belongs to the API client
            return _exchange(_Client(transport=transport), request, deadline)
        with _Client(**self.options) as client:
            return _exchange(client, request, deadline)


def route_key(
    transport: httpx.BaseTransport | None,
    async_transport: httpx.AsyncBaseTransport | None,
    options: Mapping[str, Any],
) -> Hashable:
    """Equal for the same transports and equal *options*, which are as the user gave them."""
    told = ((name, value if isinstance(value, Hashable) else id(value)) for name, value in options.items())
    return id(transport), id(async_transport), frozenset(told)


class _Client(httpx.Client):
    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:  # noqa: ARG002
        """Look at no redirect: httpx would do so without following it, and fail on an address that it cannot read."""
        return request


class _OnItsOwnLoop(httpx.BaseTransport):
    """Lets a thread use a transport that is async only. On a further thread, as the first may have a running loop."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        async def exchange() -> httpx.Response:
            async with asyncio.timeout(request.extensions["timeout"]["read"]):
                answer = await self._transport.handle_async_request(request)
                content = await answer.aread()
                return httpx.Response(answer.status_code, headers=_told(answer), content=content)

        with ThreadPoolExecutor(1, thread_name_prefix="pokitdok-token-loop") as thread:
            try:
                return thread.submit(asyncio.run, exchange()).result()
            except TimeoutError:
                raise httpx.ReadTimeout("the time for a token is over", request=request) from None


def _exchange(client: httpx.Client, request: httpx.Request, deadline: float) -> httpx.Response:
    """The whole answer within the deadline; the read limit alone would let a server drip for ever."""
    body = b""
    response = client.send(request, stream=True, follow_redirects=False)
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise httpx.ReadError("longer than any token answer", request=request)
            if SYSTEM_CLOCK.monotonic() > deadline:
                raise httpx.ReadTimeout("the time for a token is over", request=request)
    finally:
        response.close()
    return httpx.Response(response.status_code, headers=_told(response), content=body)


def _told(response: httpx.Response) -> list[tuple[bytes, bytes]]:
    """The headers that a token answer is read by, as they came; no others, as the body is decoded already."""
    return [(name, value) for name, value in response.headers.raw if name.lower() in _READ]


def bare(exc: httpx.HTTPError) -> httpx.TransportError:
    """The same error without request, traceback, context and what its text quotes: all may show secrets.

    A body that is not in its `Content-Encoding` is an answer that was cut off, as it is for the API's requests.
    """
    if isinstance(exc, httpx.DecodingError):
        return httpx.RemoteProtocolError("the body does not fit its Content-Encoding")
    kind = next((cls for cls in type(exc).__mro__ if cls.__module__ == "httpx"), httpx.TransportError)
    text = re.sub(r"(['\"]).*\1", "...", str(exc))
    return kind(text) if issubclass(kind, httpx.TransportError) else httpx.TransportError(text)


def is_certificate_error(exc: BaseException | None) -> bool:
    """Whether the other side's certificate is behind *exc*."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return True
        exc = exc.__cause__ or exc.__context__
    return False
