"""Answers that never arrive, or only in part: what an application cannot do by ASGI alone.

On a socket the transport is needed, which server puts into the scope. In a process of its own caller's, without a
socket, the exception is raised that httpx would raise at the other end.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

EXTENSION = "pokitdok_sandbox.transport"
"""Where the ASGI scope's extensions hold the asyncio transport."""

_LINGER = "hh" if sys.platform == "win32" else "ii"


def with_transport(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    """Return the app for one connection, its scope extended by the transport."""

    async def extended(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**scope.get("extensions", {}), EXTENSION: transport}
        await app({**scope, "extensions": extensions}, receive, send)

    return extended


class Reset:
    """The connection is reset (TCP RST) and nothing is answered."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """End the request."""
        transport = _transport(scope)
        if transport is None:
            raise _seen_by_httpx("ReadError", "The connection was reset, as ordered.")
        _reset(transport)
        await _gone(receive)


class Silence:
    """Nothing is answered for so many seconds, then the connection is reset."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """End the request; a caller that gives up earlier ends the wait."""
        transport = _transport(scope)
        if transport is None:
            raise _seen_by_httpx("ReadTimeout", "Nothing was answered, as ordered.")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await _gone(receive)
        _reset(transport)
        await _gone(receive)


class Cut:
    """The connection ends in the middle of the body; one that has no middle is reset."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the header and half of the body."""
        transport = _transport(scope)
        body = bytes(self._response.body)
        if len(body) < 2:
            await Reset()(scope, receive, send)
            return
        if transport is None:
            raise _seen_by_httpx(
                "RemoteProtocolError", "The connection was closed in the middle of the body, as ordered."
            )
        response = self._response
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        transport.close()  # what was written goes out first
        await _gone(receive)


class Late:
    """An answer that waits before it goes out."""

    def __init__(self, answer: ASGIApp, seconds: float, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._answer = answer
        self._seconds = seconds
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        await self._sleep(self._seconds)
        await self._answer(scope, receive, send)


def _transport(scope: Scope) -> asyncio.Transport | None:
    transport: asyncio.Transport | None = scope.get("extensions", {}).get(EXTENSION)
    return transport


def _seen_by_httpx(name: Literal["ReadError", "ReadTimeout", "RemoteProtocolError"], text: str) -> Exception:
    import httpx  # noqa: PLC0415 - a quarter of a second that a sandbox with a socket need not wait for

    error: Exception = getattr(httpx, name)(text)
    return error


def _reset(transport: asyncio.Transport) -> None:
    """Close so that the other end sees a reset: with a linger time of zero the kernel sends RST instead of FIN."""
    connected = transport.get_extra_info("socket")
    if connected is not None and not transport.is_closing():
        with suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    transport.abort()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
