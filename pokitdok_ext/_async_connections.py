"""The connections of asynchronous requests on one event loop: aiohttp's where it is installed, else httpx's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio
import httpx

HTTPX_CONNECTIONS = 100
"""How many connections httpx's pool has, if not told otherwise."""


async def async_pool(options: Mapping[str, Any]) -> httpx.AsyncBaseTransport:
    """The transport of asynchronous requests with the *options* of `transport_options()`, for the running loop.

    By aiohttp where the extra `fast` is installed, which is several times faster with many requests in flight. What
    aiohttp cannot do goes by httpx's own pool: HTTP/2, SOCKS, proxies reached by TLS, a limit of idle connections.
    """
    limits, proxy = options.get("limits"), options["proxy"]
    if (
        not options.get("http2")
        and options.get("http1", True)
        and (proxy is None or proxy.url.scheme == "http")
        and (limits is None or limits.max_keepalive_connections is None)
        and find_spec("httpx_aiohttp") is not None
    ):
        with suppress(ImportError):  # of aiohttp or msgspec, the rest of the extra
            # Importing takes longer than a request: on a thread, so that the loop goes on meanwhile.
            fast = await asyncio.to_thread(import_module, "pokitdok_ext.fast")
            told = {"connections": limits.max_connections, "keep_alive": limits.keepalive_expiry} if limits else {}
            pool: httpx.AsyncBaseTransport = fast.AiohttpPool(lambda: options["verify"], lambda _url: proxy, **told)
            return pool
    most = limits.max_connections if limits else HTTPX_CONNECTIONS
    if options.get("http2"):  # many requests share a connection
        most = None
    return RenewedPool(lambda: httpx.AsyncHTTPTransport(**options), most)


class RenewedPool(httpx.AsyncBaseTransport):
    """httpx's own pool, replaced by a new one when cancelled requests have used up connections of it.

    A request that is cancelled just after the pool has given it a connection leaves that connection behind: in use for
    the pool, used by nobody, for good (httpcore 1.0). A pool in which that has happened gets no new requests and is
    closed when its last one has ended. Requests wait for a connection here and not in a pool, which they would be bound
    to.

    Args:
        make: Makes the transport with the pool.
        connections: How many requests go at a time; None for any number.
    """

    def __init__(self, make: Callable[[], httpx.AsyncHTTPTransport], connections: int | None = None) -> None:
        self._make = make
        self._current = _Pool(make())
        self._free = asyncio.Semaphore(sys.maxsize if connections is None else connections)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* by the present pool."""
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time", request=request) from None
        pool = self._current
        pool.requests += 1
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            await self._ended(pool)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an asynchronous transport gives no other
        response.stream = _Stream(response.stream, lambda: self._ended(pool))
        return response

    async def aclose(self) -> None:
        """Close the present pool; one that is replaced is closed by its last request."""
        await self._current.transport.aclose()

    async def _ended(self, pool: _Pool) -> None:
        pool.requests -= 1
        self._free.release()
        if pool is self._current and pool.has_lost_connections():
            self._current = _Pool(self._make())
        if pool is not self._current and pool.requests == 0:
            with anyio.CancelScope(shield=True):
                await pool.transport.aclose()


class _Pool:
    """A pool and the number of requests that it serves or will serve."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.requests = 0

    def has_lost_connections(self) -> bool:
        """Whether more connections are in use than there are requests."""
        connections = self.transport._pool.connections
        return sum(not (each.is_idle() or each.is_closed()) for each in connections) > self.requests


class _Stream(httpx.AsyncByteStream):
    """The body of an answer; *ended* is called once, when it is closed or cannot be read."""

    def __init__(self, stream: httpx.AsyncByteStream, ended: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._ended: Callable[[], Awaitable[None]] | None = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except BaseException:
            await self._end()
            raise

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await self._end()

    async def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            await ended()
