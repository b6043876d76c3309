"""The transports that reach the network, with TLS and proxy as in `settings.py`, made on first use.

A program that only makes a client, or brings its own transport, pays for none. What asynchronous requests go by is in
`_async_connections.py`. Retries are above (`_sending.py`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import httpx

from pokitdok_api.errors import ClientClosedError

from .settings import OPTIONS

if TYPE_CHECKING:
    import asyncio

    _Making = asyncio.Task[httpx.AsyncBaseTransport]


def client_options(options: Mapping[str, Any], wrap: Callable[[Any], httpx.BaseTransport]) -> dict[str, Any]:
    """The arguments that stay with the httpx client; a mounted transport is put into *wrap* as the main one is."""
    rest = {name: value for name, value in options.items() if name not in OPTIONS}
    if rest.get("mounts"):
        rest["mounts"] = {pattern: each and wrap(each) for pattern, each in rest["mounts"].items()}
    return rest


class FirstUse(httpx.BaseTransport):
    """A synchronous transport that is made when the first request comes."""

    def __init__(self, make: Callable[[], httpx.BaseTransport]) -> None:
        self._make = make
        self._made: httpx.BaseTransport | None = None
        self._lock = threading.Lock()
        _living.add(self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        made = self._made
        if made is None:
            with self._lock:
                made = self._made = self._made or self._make()
        return made.handle_request(request)

    def close(self) -> None:
        """Close what was made; the next request makes another."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def reset_after_fork(self) -> None:
        """In the child of a fork: the connections, and whoever held the lock, belong to the parent."""
        self._lock = threading.Lock()
        _left_to_the_parent.append(self._made)
        self._made = None


class LoopsOwn(httpx.AsyncBaseTransport):
    """An asynchronous transport for each event loop, since connections belong to the loop that opened them.

    Args:
        make: Makes the transport of the running loop, when its first request comes.
    """

    def __init__(self, make: Callable[[], Awaitable[httpx.AsyncBaseTransport]]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncBaseTransport] = WeakKeyDictionary()
        self._making: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[httpx.AsyncBaseTransport]] = (
            WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        _living.add(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* by the transport of the running loop."""
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        loop = asyncio.get_running_loop()
        made = self._made.get(loop)
        if made is not None:
            return await made.handle_async_request(request)
        with self._lock:
            making = self._making.get(loop)
            if making is None:
                making = self._making[loop] = loop.create_task(self._make_for(loop))
        made = await asyncio.shield(making)  # several requests may wait for it, so that none may cancel it
        if self._made.get(loop) is not made:
            raise ClientClosedError("this client was closed: make a new one")
        return await made.handle_async_request(request)

    async def _make_for(self, loop: asyncio.AbstractEventLoop) -> httpx.AsyncBaseTransport:
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        made = None
        try:
            made = await self._make()
            return made
        finally:
            with self._lock:
                if self._making.get(loop) is asyncio.current_task():  # else it was closed meanwhile
                    del self._making[loop]
                    for ended in [each for each in self._made if each.is_closed()]:
                        del self._made[ended]
                    if made is not None:
                        self._made[loop] = made

    async def aclose(self) -> None:
        """Close the transport of the running loop; those of other loops end with them."""
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        loop = asyncio.get_running_loop()
        with self._lock:
            made, making = self._made.pop(loop, None), self._making.pop(loop, None)
        if making is not None:
            made = await making
        if made is not None:
            await made.aclose()

    def reset_after_fork(self) -> None:
        """In the child of a fork: the connections, and whoever held the lock, belong to the parent."""
        self._lock = threading.Lock()
        _left_to_the_parent.append((self._made, self._making))
        self._made, self._making = WeakKeyDictionary(), WeakKeyDictionary()


_living: WeakSet[FirstUse | LoopsOwn] = WeakSet()
_left_to_the_parent: list[object] = []
"""Connections of the parent of a fork: closing them here would end them there."""


def _after_fork() -> None:
    for transport in list(_living):
        transport.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
